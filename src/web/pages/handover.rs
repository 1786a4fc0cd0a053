//! The handover: the officer's list, the custodian's inbox with the receipt, what is overdue, and portable devices that are out.

use crate::desks::No;
use crate::desks::handover::{HandoverDesk, HandoverLine, HandoverRow, HandoverView};
use crate::model::digest;
use crate::model::handover::CheckOutState;
use crate::model::ids::{AccountId, HandoverId, SessionId};
use crate::model::refusal::Refusal;
use crate::web::asked;
use crate::web::pages::form::{Form, all, one};
use crate::web::pages::table::{Asked, Key, Table};
use crate::web::pages::visit::Visit;
use crate::web::pages::{Page, done, html, no_page};
use askama::Template;
use axum::extract::Path;
use axum::response::Response;

type Fields = Vec<(String, String)>;

fn lacks(page: &Page, row: &HandoverRow) -> String {
    row.lacks.iter().map(|l| page.word("six", l)).collect::<Vec<_>>().join("、")
}

fn text(value: Option<&String>) -> String {
    value.cloned().unwrap_or_else(|| "—".into())
}

#[derive(Template)]
#[template(path = "handover.html", config = "src/web/askama.toml")]
struct DeskPage {
    page: Page,
    desk: HandoverDesk,
    /// Handovers that wait for a receipt.
    waiting: Vec<HandoverLine>,
    overdue: Table,
    mine: Table,
    out: Table,
    register: Table,
}

impl DeskPage {
    fn lacks(&self, row: &HandoverRow) -> String {
        lacks(&self.page, row)
    }
    fn text(&self, value: &Option<String>) -> String {
        text(value.as_ref())
    }
    fn out_class(&self, state: &CheckOutState) -> &'static str {
        match state {
            CheckOutState::Overdue => " bad",
            CheckOutState::Came => " good",
            CheckOutState::Out => "",
            CheckOutState::CameLate | CheckOutState::Nothing => " warn",
        }
    }
    /// Something may still come of it, or be said of it.
    fn is_out(&self, state: &CheckOutState) -> bool {
        matches!(state, CheckOutState::Out | CheckOutState::Overdue)
    }
}

fn session_key(row: &HandoverRow, column: &str) -> Key {
    match column {
        "session" => Key::text(Some(row.session.as_str())),
        "unit" => Key::text(Some(&row.unit_name)),
        "officers" => Key::text(Some(&row.officers)),
        "device" => Key::text(Some(&row.devices)),
        "used" => Key::at(row.used_at),
        "party" => Key::text(row.party.as_deref()),
        "cause" => Key::text(row.cause.as_deref()),
        "size" => Key::Number(row.bytes as i64),
        "due" => Key::at(row.due),
        _ => Key::count(row.lacks.len()),
    }
}

/// The lists. What waits for a receipt stands in the order in which it came; what can be handed over stands on one page, for all of it
/// is ticked.
pub async fn show(visit: Visit, asked: Asked) -> Response {
    let page = visit.page("/handover").await;
    match visit.desks().handover_desk(visit.person()).await {
        Ok(mut desk) => {
            let mut overdue = Table::named("overdue", &asked, &["session", "unit", "officers", "device", "used", "due"]);
            desk.overdue = overdue.rows(desk.overdue, session_key);
            let mut mine = Table::named("mine", &asked, &["session", "device", "used", "party", "cause", "size", "due", "lacks"]);
            desk.mine = mine.whole(desk.mine, session_key);
            let mut out = Table::named("check-outs", &asked, &["device", "unit", "by", "at", "state"]);
            desk.check_outs = out.rows(desk.check_outs, |o, column| match column {
                "device" => Key::text(Some(&o.device_no)),
                "unit" => Key::text(Some(&o.unit_name)),
                "by" => Key::text(Some(&o.name)),
                "at" => Key::at(o.at),
                _ => Key::text(Some(page.word("device-out", o.state.as_str()))),
            });
            // The register is cut after what waits was taken from it: what waits is never on another page.
            let waiting: Vec<HandoverLine> = desk.handovers.iter().filter(|h| h.received < h.sessions).cloned().collect();
            let mut register = Table::named("register", &asked, &["no", "from", "at", "sessions", "state"]);
            desk.handovers = register.rows(desk.handovers, |h, column| match column {
                "no" => Key::text(Some(h.id.as_str())),
                "from" => Key::text(Some(&h.from_name)),
                "at" => Key::at(h.at),
                "sessions" => Key::Number(h.sessions as i64),
                _ => Key::Number(h.received.cmp(&h.sessions) as i64),
            });
            html(&DeskPage { page, desk, waiting, overdue, mine, out, register })
        }
        Err(no) => no_page(page, &no),
    }
}

fn sessions(fields: &Fields) -> Result<Vec<SessionId>, Refusal> {
    all(fields, "session").map(|s| asked::id("session", s, SessionId::new)).collect()
}

/// Hands over what was ticked; nothing ticked is told at the form.
pub async fn hand_over(visit: Visit, Form(fields): Form<Fields>) -> Response {
    let handed: Result<HandoverId, No> = async {
        let to = asked::id("account", &one(&fields, "to").unwrap_or_default(), AccountId::new)?;
        visit.desks().hand_to_custodian(visit.person(), &sessions(&fields)?, &to).await
    }
    .await;
    match handed {
        Ok(id) => done(&format!("/handover/{id}"), "handed-over"),
        Err(no) => visit.no("/handover", &no).await,
    }
}

#[derive(Template)]
#[template(path = "handover_one.html", config = "src/web/askama.toml")]
struct OnePage {
    page: Page,
    view: HandoverView,
}

impl OnePage {
    fn lacks(&self, row: &HandoverRow) -> String {
        lacks(&self.page, row)
    }
    fn text(&self, value: &Option<String>) -> String {
        text(value.as_ref())
    }
    fn percent(&self, thousandths: &u32) -> u32 {
        thousandths / 10
    }
    fn is_complete(&self) -> bool {
        self.view.sessions.iter().all(|s| s.lacks.is_empty())
    }
    fn is_received(&self) -> bool {
        self.view.received == self.view.sessions.len()
    }
}

#[derive(Template)]
#[template(path = "handover_print.html", config = "src/web/askama.toml")]
struct PrintPage {
    page: Page,
    view: HandoverView,
}

impl PrintPage {
    fn text(&self, value: &Option<String>) -> String {
        text(value.as_ref())
    }
    fn short(&self, code: &str) -> String {
        digest::short(code)
    }
    fn bytes(&self) -> u64 {
        self.view.sessions.iter().map(|s| s.bytes).sum()
    }
    fn files(&self) -> usize {
        self.view.sessions.iter().map(|s| s.files).sum()
    }
    fn is_received(&self) -> bool {
        self.view.received == self.view.sessions.len()
    }
    /// A part has its receipt: for that part this paper is one.
    fn is_part(&self) -> bool {
        self.view.received > 0 && self.view.received < self.view.sessions.len()
    }
    fn waiting(&self) -> usize {
        self.view.sessions.len().saturating_sub(self.view.received)
    }
}

async fn of(visit: &Visit, id: &str) -> Result<HandoverView, No> {
    visit.desks().handover(visit.person(), &asked::id("handover", id, HandoverId::new)?).await
}

/// One handover.
pub async fn show_one(visit: Visit, Path(id): Path<String>) -> Response {
    let page = visit.page(&format!("/handover/{id}")).await;
    match of(&visit, &id).await {
        Ok(view) => html(&OnePage { page, view }),
        Err(no) => no_page(page, &no),
    }
}

/// Its receipt, for paper.
pub async fn print(visit: Visit, Path(id): Path<String>) -> Response {
    let page = visit.page(&format!("/handover/{id}")).await;
    match of(&visit, &id).await {
        Ok(view) => html(&PrintPage { page, view }),
        Err(no) => no_page(page, &no),
    }
}

/// The custodian's receipt for what was ticked.
pub async fn receive(visit: Visit, Path(id): Path<String>, Form(fields): Form<Fields>) -> Response {
    let received: Result<(), No> = async {
        let handover = asked::id("handover", &id, HandoverId::new)?;
        visit.desks().receive_handover(visit.person(), &handover, Some(&sessions(&fields)?)).await
    }
    .await;
    visit.after(&format!("/handover/{id}"), "receiving", received).await
}

/// Takes a device along.
pub async fn check_out(visit: Visit, Form(fields): Form<Fields>) -> Response {
    let figure = |name: &str| one(&fields, name).and_then(|t| t.parse().ok());
    let device = one(&fields, "device_no").unwrap_or_default();
    let out = visit.desks().check_out(visit.person(), &device, figure("battery"), figure("free_gb")).await.map(drop);
    visit.after("/handover", "checked-out", out).await
}

/// Says why a device brings nothing.
pub async fn nothing(visit: Visit, Path(id): Path<String>, Form(fields): Form<Fields>) -> Response {
    let said = visit.desks().nothing_came(visit.person(), &id, &one(&fields, "reason").unwrap_or_default()).await;
    visit.after("/handover", "nothing-came", said).await
}
