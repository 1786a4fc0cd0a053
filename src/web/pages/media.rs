//! The register of media (第十九条): what lies in the cabinet, what is due, what has to be made; the plan before it is ordered; labels.

use crate::desks::No;
use crate::desks::media::{HeldSession, MediaPlan, MediumView, Register, Wanted};
use crate::model::digest;
use crate::model::ids::{DisposalId, SessionId};
use crate::model::medium::{ChangeKind, CopyStanding, MediumCopy, MediumKind, MediumState, SecondMedium};
use crate::model::refusal::Refusal;
use crate::model::session::Session;
use crate::web::asked;
use crate::web::pages::form::{Form, all, one};
use crate::web::pages::record::qr;
use crate::web::pages::shown::{Media, Part};
use crate::web::pages::table::{Asked, Key, Table};
use crate::web::pages::visit::Visit;
use crate::web::pages::{Page, brought_back, done, html, no_page};
use askama::Template;
use axum::extract::{Path, Query};
use axum::response::Response;

type Fields = Vec<(String, String)>;

#[derive(Template)]
#[template(path = "media.html", config = "src/web/askama.toml")]
struct ListPage {
    page: Page,
    table: Table,
    due: usize,
    damaged: usize,
    register: Register,
    show: Option<Media>,
    text: String,
    total: usize,
}

fn second(page: &Page, held: &HeldSession) -> String {
    match held.second {
        SecondMedium::There => page.t("second-there"),
        SecondMedium::Within(days) => page.with("second-within", "days", days),
        SecondMedium::Over(days) => page.with("second-over", "days", days),
    }
}

fn is_over(held: &HeldSession) -> bool {
    matches!(held.second, SecondMedium::Over(_))
}

impl ListPage {
    fn parts(&self) -> Vec<Media> {
        Media::all()
    }
    fn link(&self, part: Media) -> String {
        part.link()
    }
    fn second(&self, held: &HeldSession) -> String {
        second(&self.page, held)
    }
    fn over(&self, held: &HeldSession) -> bool {
        is_over(held)
    }
    fn copies(&self, view: &MediumView) -> Vec<MediumCopy> {
        view.medium
            .copies
            .iter()
            .filter(|c| !matches!(c.standing, CopyStanding::Failed | CopyStanding::Retired | CopyStanding::Destroyed))
            .cloned()
            .collect()
    }
    fn badge(&self, copy: &MediumCopy) -> &'static str {
        badge(copy.standing)
    }
    fn next_check(&self, view: &MediumView) -> String {
        view.medium.next_check().map_or_else(|| "—".into(), |day| day.to_string())
    }
}

/// How a copy's standing is coloured beside its word.
fn badge(standing: CopyStanding) -> &'static str {
    match standing {
        CopyStanding::Verified => "good",
        CopyStanding::Failed | CopyStanding::Damaged => "bad",
        CopyStanding::Working => "warn",
        CopyStanding::Replaced | CopyStanding::Retired | CopyStanding::Destroyed => "",
    }
}

/// The register: `show` narrows to a part ([`Media`]), `text` to a number, a place or a session.
pub async fn list(visit: Visit, asked: Asked, Query(query): Query<Fields>) -> Response {
    let (show, text) = (asked.shows::<Media>(), one(&query, "text").unwrap_or_default());
    let page = visit.page("/media").await.narrowed(show);
    match visit.desks().media_register(visit.person()).await {
        Ok(mut register) => {
            let total = register.media.len();
            let due = register.media.iter().filter(|m| m.due).count();
            let damaged = register.media.iter().filter(|m| m.needs_new_copy).count();
            register.media.retain(|m| match show {
                Some(Media::Due) => m.due || m.due_soon,
                Some(Media::Damaged) => m.needs_new_copy,
                Some(Media::Open) => matches!(m.medium.state, MediumState::Making | MediumState::Ready),
                None => true,
            });
            let holds = |s: &str| s.contains(&text);
            register.media.retain(|m| {
                let of = &m.medium;
                holds(of.id.as_str()) || of.copies.iter().any(|c| holds(&c.place)) || of.parts.iter().any(|p| holds(p.session.as_str()))
            });
            let mut table = Table::new(asked, &["no", "kind", "unit", "contents", "next", "state"]);
            register.media = table.rows(std::mem::take(&mut register.media), |m, column| match column {
                "no" => Key::text(Some(m.medium.id.as_str())),
                "kind" => Key::text(Some(page.word("medium-kind", m.medium.kind.as_str()))),
                "unit" => Key::text(Some(&m.unit_name)),
                "contents" => Key::count(m.medium.parts.len()),
                "next" => Key::text(m.medium.next_check().map(|day| day.to_string())),
                _ => Key::text(Some(page.word("medium-state", m.medium.state.as_str()))),
            });
            html(&ListPage { page, table, due, damaged, register, show, text, total })
        }
        Err(no) => no_page(page, &no),
    }
}

#[derive(Template)]
#[template(path = "media_new.html", config = "src/web/askama.toml")]
struct NewPage {
    page: Page,
    held: Vec<HeldSession>,
    draft: Fields,
    plan: Option<MediaPlan>,
}

impl NewPage {
    fn typed(&self, name: &str) -> String {
        one(&self.draft, name).unwrap_or_default()
    }
    fn second(&self, held: &HeldSession) -> String {
        second(&self.page, held)
    }
    fn over(&self, held: &HeldSession) -> bool {
        is_over(held)
    }
    fn chosen(&self, session: &SessionId) -> bool {
        all(&self.draft, "session").any(|s| s == session.as_str())
    }
    fn fits(&self) -> bool {
        self.plan.as_ref().is_some_and(|p| p.needed <= p.free && p.missing_programs.is_empty())
    }
    fn is_kind(&self, kind: &MediumKind) -> bool {
        let typed = self.typed("kind");
        typed == kind.as_str() || (typed.is_empty() && *kind == MediumKind::Bd25)
    }
}

fn wanted(fields: &Fields) -> Result<Wanted, Refusal> {
    let more = one(fields, "more").unwrap_or_default();
    let typed = more.split_whitespace().map(ToOwned::to_owned);
    let sessions: Vec<String> = all(fields, "session").map(ToOwned::to_owned).chain(typed).collect();
    Ok(Wanted {
        sessions: sessions.iter().map(|s| asked::id("session", s, SessionId::new)).collect::<Result<_, _>>()?,
        kind: MediumKind::from_word(&one(fields, "kind").unwrap_or_default()).unwrap_or(MediumKind::Bd25),
        disk_bytes: one(fields, "disk_gb").and_then(|gb| gb.parse::<f64>().ok()).map(|gb| (gb * 1e9) as u64),
        replaces: one(fields, "replaces").as_deref().map(asked::medium).transpose()?,
    })
}

/// What shall go onto media; held sessions without one are ticked. `replaces` begins with a medium's own sessions.
pub async fn new_page(visit: Visit, Query(query): Query<Fields>) -> Response {
    let mut draft = query;
    if let Some(Ok(id)) = one(&draft, "replaces").as_deref().map(asked::medium)
        && let Ok(view) = visit.desks().medium(visit.person(), &id).await
    {
        draft.push(("kind".into(), view.medium.kind.as_str().into()));
        let more: Vec<String> = view.medium.parts.iter().map(|p| p.session.to_string()).collect();
        draft.push(("more".into(), more.join("\n")));
    } else if all(&draft, "session").next().is_none()
        && let Ok(held) = visit.desks().held_sessions(visit.person()).await
    {
        let open = held.into_iter().filter(|h| h.second != SecondMedium::There && !h.begun);
        draft.extend(open.map(|h| ("session".to_owned(), h.session.to_string())));
    }
    show_new(&visit, draft, None).await
}

async fn show_new(visit: &Visit, draft: Fields, plan: Option<MediaPlan>) -> Response {
    let page = visit.page("/media/new").await;
    match visit.desks().held_sessions(visit.person()).await {
        Ok(held) => html(&NewPage { page, held, draft, plan }),
        Err(no) => no_page(page, &no),
    }
}

/// Shows the plan (`step` plan), or orders what it says.
pub async fn order(mut visit: Visit, Form(fields): Form<Fields>) -> Response {
    let orders = one(&fields, "step").as_deref() == Some("order");
    let result: Result<Option<MediaPlan>, No> = async {
        let wanted = wanted(&fields)?;
        if orders {
            visit.prove(&fields).await?;
            visit.desks().order_media(visit.person(), wanted).await?;
            return Ok(None);
        }
        Ok(Some(visit.desks().plan_media(visit.person(), &wanted).await?))
    }
    .await;
    match result {
        Ok(None) => done("/media", "media-ordered"),
        Ok(plan) => show_new(&visit, fields, plan).await,
        Err(No::Refusal(refusal)) => {
            // What was planned is shown again beside what is wrong, where it still can be.
            let plan = match wanted(&fields) {
                Ok(wanted) if orders => visit.desks().plan_media(visit.person(), &wanted).await.ok(),
                _ => None,
            };
            brought_back(show_new(&visit, fields, plan).await, visit.lang(), &refusal)
        }
        Err(no) => visit.no("/media/new", &no).await,
    }
}

#[derive(Template)]
#[template(path = "medium.html", config = "src/web/askama.toml")]
struct ShowPage {
    page: Page,
    view: MediumView,
}

impl ShowPage {
    fn is(&self, state: &str) -> bool {
        self.view.medium.state.as_str() == state
    }
    fn badge(&self, copy: &MediumCopy) -> &'static str {
        badge(copy.standing)
    }
    fn can_check(&self, copy: &MediumCopy) -> bool {
        let readable = matches!(copy.standing, CopyStanding::Verified | CopyStanding::Damaged | CopyStanding::Failed);
        readable && self.view.step.is_none() && self.view.medium.list_sha256.is_some()
    }
    fn can_change(&self, copy: &MediumCopy) -> bool {
        !matches!(copy.standing, CopyStanding::Working | CopyStanding::Retired | CopyStanding::Destroyed)
    }
    /// What was taken out of the register may lie somewhere still, and be destroyed.
    fn can_destroy(&self, copy: &MediumCopy) -> bool {
        !matches!(copy.standing, CopyStanding::Working | CopyStanding::Destroyed)
    }
    fn percent(&self) -> u32 {
        self.view.done / 10
    }
    fn step(&self) -> String {
        self.view.step.map(|s| self.page.word("medium-step", s.as_str())).unwrap_or_default()
    }
    /// What is told of a failure comes from the machine, in its own words: a sentence before it says what to do.
    fn failed(&self, kind: &ChangeKind) -> bool {
        matches!(kind, ChangeKind::NotMade | ChangeKind::NotWritten | ChangeKind::NotChecked)
    }
    fn how(&self, copy: &MediumCopy) -> String {
        copy.verified_how.as_deref().map(|how| self.page.word("verified", how)).unwrap_or_default()
    }
}

/// One medium.
pub async fn show(visit: Visit, Path(id): Path<String>) -> Response {
    let page = visit.page(&format!("/media/{id}")).await;
    match async { visit.desks().medium(visit.person(), &asked::medium(&id)?).await }.await {
        Ok(view) => html(&ShowPage { page, view }),
        Err(no) => no_page(page, &no),
    }
}

/// Its next step: `write`, `check`, `cancel`, `move`, `damaged`, `retire`, `destroy` or `remove-image`; back to the disposal that it
/// belongs to, where the form stood there.
pub async fn step(visit: Visit, Path(id): Path<String>, Form(fields): Form<Fields>) -> Response {
    let step = one(&fields, "step").unwrap_or_default();
    let word = match step.as_str() {
        "write" => "medium-writing",
        "check" => "medium-checking",
        "cancel" => "medium-stopped",
        "remove-image" => "medium-image-removed",
        "destroy" => "copy-destroyed",
        _ => "medium-changed",
    };
    let line = |name: &str| one(&fields, name).unwrap_or_default();
    let (copy, target) = (line("copy").parse().unwrap_or(0), line("target").parse().unwrap_or(0));
    let disposal = DisposalId::new(&line("disposal")).ok();
    let to = disposal.map_or_else(|| format!("/media/{id}"), |disposal| format!("/disposals/{disposal}#copies"));
    let proof = matches!(step.as_str(), "write" | "retire" | "destroy").then_some(fields.as_slice());
    let (desks, step, line) = (&visit.desks(), step.as_str(), &line);
    visit
        .act((&to, word), proof, |person| async move {
            let id = asked::medium(&id)?;
            match step {
                "write" => desks.write_copy(&person, &id, &line("place"), target).await.map(drop),
                "check" => desks.check_copy(&person, &id, copy, target).await,
                "cancel" => desks.cancel_medium(&person, &id).await,
                "move" => desks.move_copy(&person, &id, copy, &line("place")).await.map(drop),
                "damaged" => desks.report_damage(&person, &id, copy, &line("reason")).await.map(drop),
                "retire" => desks.retire_copy(&person, &id, copy, &line("reason")).await.map(drop),
                "destroy" => desks.destroy_copy(&person, &id, copy, &line("how"), &line("seen_by")).await.map(drop),
                "remove-image" => desks.remove_image(&person, &id).await.map(drop),
                _ => Err(Refusal::no_such("step", step).into()),
            }
        })
        .await
}

#[derive(Template)]
#[template(path = "medium_label.html", config = "src/web/askama.toml")]
struct LabelPage {
    page: Page,
    view: MediumView,
    sessions: Vec<Session>,
    copy: u32,
    qr: Option<String>,
}

impl LabelPage {
    fn seal(&self, session: &Session) -> String {
        session.seal.as_ref().map(|s| digest::short(&s.code)).unwrap_or_default()
    }
    fn part(&self, session: &Session) -> String {
        let part = self.view.medium.parts.iter().find(|p| p.session == session.id && p.parts > 1);
        part.map(|p| format!(" {}/{}", p.part, p.parts)).unwrap_or_default()
    }
    fn officers(&self, session: &Session) -> String {
        let one = |o: &crate::model::facts::Officer| match &o.certificate_no {
            Some(no) => format!("{}（{no}）", o.name),
            None => o.name.clone(),
        };
        session.facts().officers.iter().map(one).collect::<Vec<_>>().join("、")
    }
    fn devices(&self, session: &Session) -> String {
        session.devices.iter().map(|d| d.device_no.as_str()).collect::<Vec<_>>().join("、")
    }
    fn given(&self, text: &Option<String>) -> String {
        text.clone().unwrap_or_else(|| "（未填）".into())
    }
    fn maker(&self) -> String {
        let copy = self.view.medium.copies.iter().find(|c| c.number == self.copy);
        copy.map_or_else(|| self.view.medium.by_name.clone(), |c| c.by_name.clone())
    }
    fn day(&self) -> String {
        let copy = self.view.medium.copies.iter().find(|c| c.number == self.copy);
        self.page.at(copy.map_or(self.view.medium.ordered_at, |c| c.at)).to_string().chars().take(10).collect()
    }
}

/// The label (第十七条): printed for the disc's case, always in Chinese, as it lies in the cabinet.
pub async fn label(visit: Visit, Path(id): Path<String>, Query(query): Query<Fields>) -> Response {
    let page = visit.page(&format!("/media/{id}")).await;
    let copy = one(&query, "copy").and_then(|c| c.parse().ok()).unwrap_or(1);
    match async { visit.desks().label(visit.person(), &asked::medium(&id)?).await }.await {
        Ok((view, sessions)) => {
            let list = view.medium.list_sha256.clone().unwrap_or_default();
            let qr = qr(&format!("{} {copy} {list}", view.medium.id));
            html(&LabelPage { page, view, sessions, copy, qr })
        }
        Err(no) => no_page(page, &no),
    }
}
