//! Equipment (第十五条, 第十六条): the register, one device with its faults and its history, and the month's figures.

use crate::desks::No;
use crate::desks::device_faults::DeviceFigures;
use crate::desks::equipment::DeviceView;
use crate::model::device::{Description, DeviceKind, Due, FieldChange, Maintenance, Standing};
use crate::model::device_fault::{DeviceFault, FaultKind, FaultState, FaultStep};
use crate::model::ids::{RoomId, UnitId};
use crate::model::refusal::Refusal;
use crate::model::words::BadField;
use crate::web::Web;
use crate::web::asked;
use crate::web::i18n::Lang;
use crate::web::pages::csv::{self, cell};
use crate::web::pages::form::{Form, one};
use crate::web::pages::shown::{Devices, Part};
use crate::web::pages::table::{Asked, Key, Table};
use crate::web::pages::visit::Visit;
use crate::web::pages::{Page, brought_back, done, html, no_page};
use askama::Template;
use axum::extract::{Path, Query};
use axum::response::Response;
use chrono::NaiveDate;

type Fields = Vec<(String, String)>;

#[derive(Template)]
#[template(path = "devices.html", config = "src/web/askama.toml")]
struct ListPage {
    page: Page,
    table: Table,
    rows: Vec<DeviceView>,
    show: Option<Devices>,
    text: String,
    total: usize,
    form: DeviceForm,
}

impl ListPage {
    fn parts(&self) -> Vec<Devices> {
        Devices::all()
    }
    fn badge(&self, row: &DeviceView) -> &'static str {
        badge(row.standing)
    }
    fn due(&self, row: &DeviceView) -> &'static str {
        due_badge(row.due)
    }
    fn fault(&self, row: &DeviceView) -> String {
        row.device.open_faults().map(|f| self.page.word("fault-kind", f.kind.as_str())).collect::<Vec<_>>().join("、")
    }
}

/// The form of a device's particulars: what was typed stays.
pub struct DeviceForm {
    typed: Fields,
    units: Vec<(String, String)>,
    rooms: Vec<(String, String)>,
    /// Number, kind and room stand in the configuration.
    fixed: bool,
}

impl DeviceForm {
    fn value(&self, name: &str) -> String {
        one(&self.typed, name).unwrap_or_default()
    }
    fn of(web: &Web, typed: Fields, fixed: bool) -> Self {
        Self { typed, units: web.desks.units(), rooms: web.desks.rooms(), fixed }
    }
    /// Name, text and longest length of the single lines.
    fn lines(&self) -> [(&'static str, &'static str); 5] {
        [
            ("maker", "device-maker"),
            ("model", "device-model"),
            ("firmware", "device-firmware"),
            ("serial", "device-serial"),
            ("asked_at", "device-asked-at"),
        ]
    }
}

fn badge(standing: Standing) -> &'static str {
    match standing {
        Standing::InService => "good",
        Standing::Faulty => "warn",
        Standing::OutOfUse => "bad",
        Standing::Retired => "",
    }
}

fn due_badge(due: Due) -> &'static str {
    match due {
        Due::Not => "",
        Due::Soon => "warn",
        Due::Over => "bad",
    }
}

/// The register: `show` narrows to a part ([`Devices`]), `text` to a number, a name or a serial number.
pub async fn list(visit: Visit, asked: Asked) -> Response {
    list_page(&visit, asked, vec![]).await
}

async fn list_page(visit: &Visit, asked: Asked, typed: Fields) -> Response {
    let (show, text) = (asked.shows::<Devices>(), asked.text());
    let page = visit.page("/devices").await.narrowed(show);
    match visit.desks().equipment_register(visit.person()) {
        Ok(mut rows) => {
            let total = rows.len();
            rows.retain(|r| match show {
                Some(Devices::Due) => r.due != Due::Not,
                Some(Devices::Ill) => matches!(r.standing, Standing::Faulty | Standing::OutOfUse),
                Some(Devices::Retired) => r.standing == Standing::Retired,
                Some(Devices::Kind(kind)) => r.device.known.kind == kind,
                None => r.standing != Standing::Retired || !text.is_empty(),
            });
            let k =
                |r: &DeviceView| [Some(r.device.known.number.clone()), Some(r.device.known.name.clone()), r.device.known.serial.clone()];
            rows.retain(|r| k(r).into_iter().flatten().any(|t| t.contains(&text)));
            let mut table = Table::new(asked, &["number", "name", "kind", "unit", "model", "next", "state"]);
            let rows = table.rows(rows, |r, column| match column {
                "number" => Key::text(Some(&r.device.known.number)),
                "name" => Key::text(Some(&r.device.known.name)),
                "kind" => Key::text(Some(page.word("device-kind", r.device.known.kind.as_str()))),
                "unit" => Key::text(r.unit_name.as_deref()),
                "model" => Key::text(r.device.known.model.as_deref()),
                "next" => Key::text(r.next_maintenance.map(|day| day.to_string())),
                _ => Key::text(Some(page.word("standing", r.standing.as_str()))),
            });
            html(&ListPage { page, table, rows, show, text, total, form: DeviceForm::of(&visit.web, typed, false) })
        }
        Err(no) => no_page(page, &no),
    }
}

fn day(fields: &Fields, name: &str) -> Result<Option<NaiveDate>, Refusal> {
    let typed = one(fields, name);
    typed.map(|t| t.parse().map_err(|_| BadField::form(name, "is no day; 2026-11-23 would be right").into())).transpose()
}

fn described(fields: &Fields) -> Result<Description, Refusal> {
    let choice = |name: &str| Refusal::from(BadField::form(name, "is none of the choices"));
    let every = one(fields, "every_days").map(|d| d.parse().map_err(|_| BadField::form("every_days", "is 1 to 3650 days")));
    Ok(Description {
        number: one(fields, "device_number").unwrap_or_default(),
        kind: one(fields, "kind").and_then(|k| DeviceKind::from_word(&k)).unwrap_or(DeviceKind::Other),
        name: one(fields, "device_name").unwrap_or_default(),
        unit: one(fields, "unit").map(|u| UnitId::new(&u).map_err(|_| choice("unit"))).transpose()?,
        room: one(fields, "room").map(|r| RoomId::new(&r).map_err(|_| choice("room"))).transpose()?,
        maker: one(fields, "maker"),
        model: one(fields, "model"),
        firmware: one(fields, "firmware"),
        serial: one(fields, "serial"),
        purchased: day(fields, "purchased")?,
        asked_at: one(fields, "asked_at"),
        maintenance: Maintenance { every_days: every.transpose()?, last: day(fields, "maintained")? },
    })
}

/// Puts a device into the register, or shows the form again with what was typed.
pub async fn register(visit: Visit, Form(fields): Form<Fields>) -> Response {
    let registered: Result<_, No> = async { Ok(visit.desks().register_device(visit.person(), described(&fields)?).await?.id) }.await;
    match registered {
        Ok(id) => done(&format!("/devices/{id}"), "device-registered"),
        Err(No::Refusal(refusal)) => {
            let page = list_page(&visit, Asked::before(&visit.headers, "/devices"), fields).await;
            brought_back(page, visit.lang(), &refusal)
        }
        Err(no) => visit.no("/devices", &no).await,
    }
}

#[derive(Template)]
#[template(path = "device.html", config = "src/web/askama.toml")]
struct ShowPage {
    page: Page,
    view: DeviceView,
    form: DeviceForm,
    today: String,
}

impl ShowPage {
    fn badge(&self) -> &'static str {
        badge(self.view.standing)
    }
    fn due(&self) -> &'static str {
        due_badge(self.view.due)
    }
    fn open(&self) -> Vec<&DeviceFault> {
        self.view.device.open_faults().collect()
    }
    fn over(&self) -> Vec<&DeviceFault> {
        self.view.device.faults.iter().rev().filter(|f| f.state.is_over()).take(100).collect()
    }
    fn fault_badge(&self, fault: &DeviceFault) -> &'static str {
        match fault.state {
            FaultState::Seen => "warn",
            state if state.stops_use() => "bad",
            _ => "",
        }
    }
    /// Steps that can be made now, and may be by this person.
    fn steps(&self, fault: &DeviceFault) -> Vec<&'static str> {
        let steps: &[&'static str] = match fault.state {
            FaultState::Seen => &["stop", "retire"],
            FaultState::OutOfUse => &["report", "retest", "retire"],
            FaultState::Reported => &["repair", "retest", "retire"],
            FaultState::InRepair => &["retest", "retire"],
            FaultState::Retested => &["return", "repair", "retire"],
            FaultState::Over | FaultState::Back | FaultState::Retired | FaultState::CameraGone => &[],
        };
        let may = |step: &&&str| self.page.may(if **step == "report" { "report_fault" } else { "keep_devices" });
        steps.iter().filter(may).copied().collect()
    }
    /// What was changed, in words.
    fn changed(&self, change: &FieldChange) -> String {
        let said = |text: &Option<String>| text.clone().unwrap_or_else(|| "—".into());
        let word = |text: &Option<String>| match (change.field.as_str(), text) {
            ("kind", Some(kind)) => self.page.word("device-kind", kind),
            _ => said(text),
        };
        format!("{} {} → {}", self.page.word("field", &change.field), word(&change.was), word(&change.is))
    }
    fn is_camera(&self) -> bool {
        self.view.device.camera.is_some()
    }
    fn is_retired(&self) -> bool {
        self.view.standing == Standing::Retired
    }
    fn can_ask(&self) -> bool {
        let known = &self.view.device.known;
        known.asked_at.is_some() && (known.kind == DeviceKind::Disk || self.is_camera())
    }
}

fn typed(view: &DeviceView) -> Fields {
    let known = &view.device.known;
    let day = |d: Option<NaiveDate>| d.map(|d| d.to_string());
    let fields = [
        ("device_number", Some(known.number.clone())),
        ("kind", Some(known.kind.as_str().to_owned())),
        ("device_name", Some(known.name.clone())),
        ("unit", known.unit.as_ref().map(ToString::to_string)),
        ("room", known.room.as_ref().map(ToString::to_string)),
        ("maker", known.maker.clone()),
        ("model", known.model.clone()),
        ("firmware", known.firmware.clone()),
        ("serial", known.serial.clone()),
        ("asked_at", known.asked_at.clone()),
        ("purchased", day(known.purchased)),
        ("every_days", known.maintenance.every_days.map(|d| d.to_string())),
        ("maintained", day(known.maintenance.last)),
    ];
    fields.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect()
}

/// One.
pub async fn show(visit: Visit, Path(id): Path<String>) -> Response {
    let page = visit.page(&format!("/devices/{id}")).await;
    match async { visit.desks().equipment_device(visit.person(), &asked::device(&id)?).await }.await {
        Ok(view) => {
            let form = DeviceForm::of(&visit.web, typed(&view), view.device.camera.is_some());
            let today = page.at(visit.desks().wall_clock()).to_string().chars().take(10).collect();
            html(&ShowPage { page, view, form, today })
        }
        Err(no) => no_page(page, &no),
    }
}

/// Something about it: `describe`, `maintained`, `fault`, `ask`, `clock`, `retire`.
pub async fn change(visit: Visit, Path(id): Path<String>, Form(fields): Form<Fields>) -> Response {
    let what = one(&fields, "change").unwrap_or_default();
    let word = match what.as_str() {
        "fault" => "fault-reported",
        "maintained" => "device-maintained",
        "ask" => "device-asked",
        "clock" => "device-clock-set",
        _ => "device-changed",
    };
    let line = |name: &str| one(&fields, name).unwrap_or_default();
    let (desks, fields) = (&visit.desks(), &fields);
    visit
        .act((&format!("/devices/{id}"), word), None, |person| async move {
            let (id, person) = (asked::device(&id)?, &person);
            match what.as_str() {
                "describe" => desks.describe_device(person, &id, described(fields)?).await.map(drop),
                "maintained" => {
                    let day = day(fields, "maintained")?.ok_or_else(|| Refusal::from(BadField::form("maintained", "is no day")))?;
                    desks.maintain_device(person, &id, day, &line("what")).await.map(drop)
                }
                "fault" => {
                    let kind = FaultKind::from_word(&line("kind")).unwrap_or(FaultKind::Other);
                    desks.report_fault(person, &id, kind, &line("what")).await.map(drop)
                }
                "ask" => desks.ask_device(person, &id).await.map(drop),
                "clock" => desks.set_camera_clock(person, &id).await.map(drop),
                "retire" => desks.retire_device(person, &id, &line("reason")).await.map(drop),
                _ => Err(Refusal::no_such("change", &what).into()),
            }
        })
        .await
}

/// A step of one of its faults.
pub async fn step(visit: Visit, Path((id, number)): Path<(String, String)>, Form(fields): Form<Fields>) -> Response {
    let (desks, fields) = (&visit.desks(), &fields);
    let line = |name: &str| one(fields, name).unwrap_or_default();
    visit
        .act((&format!("/devices/{id}"), "fault-stepped"), None, |person| async move {
            let step = match line("step").as_str() {
                "stop" => FaultStep::StopUse { text: line("text") },
                "report" => FaultStep::Report { to: line("party") },
                "repair" => FaultStep::Repair { service: line("party"), text: one(fields, "text") },
                "retest" => FaultStep::Retest { passed: line("passed") == "yes", text: line("text") },
                "return" => FaultStep::Return,
                "retire" => FaultStep::Retire { text: line("text") },
                other => return Err(Refusal::no_such("step", other).into()),
            };
            desks.step_fault(&person, &asked::device(&id)?, asked::fault_number(&number)?, step).await.map(drop)
        })
        .await
}

#[derive(Template)]
#[template(path = "device_figures.html", config = "src/web/askama.toml")]
struct FiguresPage {
    page: Page,
    figures: DeviceFigures,
}

impl FiguresPage {
    fn hours(&self, ms: &u64) -> String {
        hours(*ms)
    }
}

fn hours(ms: u64) -> String {
    format!("{:.1}", ms as f64 / 3_600_000.0)
}

fn month(query: &Fields) -> Option<String> {
    one(query, "month")
}

/// A month by device and by officer.
pub async fn figures(visit: Visit, Query(query): Query<Fields>) -> Response {
    let page = visit.page("/devices/figures").await;
    match visit.desks().device_figures(visit.person(), month(&query).as_deref()).await {
        Ok(figures) => html(&FiguresPage { page, figures }),
        Err(no) => no_page(page, &no),
    }
}

/// The same as CSV with a byte order mark, so that a spreadsheet reads its Chinese.
pub async fn csv(visit: Visit, Query(query): Query<Fields>) -> Response {
    let figures = match visit.desks().device_figures(visit.person(), month(&query).as_deref()).await {
        Ok(figures) => figures,
        Err(no) => return visit.no("/devices/figures", &no).await,
    };
    csv::file(&format!("devices-{}", figures.month), &table(&figures, visit.lang()))
}

fn table(figures: &DeviceFigures, lang: Lang) -> String {
    let head = ["device-number", "device-name", "device-kind", "figures-faults", "figures-reported", "figures-sessions", "figures-hours"];
    let mut lines = vec![head.iter().chain(&["figures-out-of-use"]).map(|h| cell(&lang.t(h))).collect::<Vec<_>>().join(",")];
    for d in &figures.devices {
        let kind = lang.of_word("device-kind", d.kind.as_str());
        let names = [cell(&d.number), cell(&d.name), cell(&kind)].into_iter();
        let counts = [d.faults, d.reported, d.sessions].into_iter().map(|n| n.to_string());
        lines.push(names.chain(counts).chain([hours(d.used_ms), hours(d.out_of_use_ms)]).collect::<Vec<_>>().join(","));
    }
    lines.push(String::new());
    let head = ["officers", "figures-sessions", "figures-hours", "figures-faults", "figures-sessions-with-faults"];
    lines.push(head.map(|h| cell(&lang.t(h))).join(","));
    for o in &figures.officers {
        let counts = [o.sessions.to_string(), hours(o.used_ms), o.faults.to_string(), o.sessions_with_faults.to_string()];
        lines.push([cell(&o.officer)].into_iter().chain(counts).collect::<Vec<_>>().join(","));
    }
    lines.join("\r\n") + "\r\n"
}
