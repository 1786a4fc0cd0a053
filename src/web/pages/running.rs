//! A running session, for who conducts it: marks, pauses, the end. All of it works as plain forms.

use crate::desks::No;
use crate::desks::conduct::{LastAnswer, NewMark};
use crate::desks::sessions::SessionView;
use crate::model::ids::SessionId;
use crate::model::mark::{Manner, MarkKind};
use crate::model::missing::{self, AnswerKind, Missing};
use crate::model::session::{InterruptionCause, Session, State as Stand};
use crate::model::status::{CameraStatus, Lamp, RoomStatus};
use crate::model::time;
use crate::web::asked;
use crate::web::guard::Received;
use crate::web::pages::Page;
use crate::web::pages::form::{FactsForm, Form, one};
use crate::web::pages::visit::Visit;
use askama::Template;
use axum::Extension;
use axum::extract::Path;
use axum::response::Response;
use axum::response::sse::{Event, KeepAlive, Sse};
use futures::Stream;
use serde::Deserialize;
use std::convert::Infallible;
use std::time::Duration;

#[derive(Template)]
#[template(path = "session_running.html", config = "src/web/askama.toml")]
pub(crate) struct RunningPage {
    page: Page,
    view: SessionView,
    now: String,
    form: FactsForm,
}

#[derive(Template)]
#[template(path = "session_now.html", config = "src/web/askama.toml")]
struct SessionNow<'a> {
    page: &'a Page,
    view: &'a SessionView,
    lamp: Lamp,
    cameras: &'a [CameraStatus],
}

/// Marks that a button sets, with their keys, in the groups in which the page shows them.
const BUTTONS: &[(&str, &[(MarkKind, &str)])] = &[
    (
        "marks-notice",
        &[(MarkKind::NoticeGiven, "N"), (MarkKind::PriorTalk, "P"), (MarkKind::CertificateShown, "C"), (MarkKind::Objection, "O")],
    ),
    (
        "marks-rights",
        &[(MarkKind::RightStatement, "1"), (MarkKind::RightDefence, "2"), (MarkKind::RightRecusal, "3"), (MarkKind::RightHearing, "4")],
    ),
    (
        "marks-course",
        &[
            (MarkKind::Questioning, "Q"),
            (MarkKind::DocumentShown, "D"),
            (MarkKind::ReadingBack, "R"),
            (MarkKind::Signing, "S"),
            (MarkKind::SignatureRefusal, "X"),
        ],
    ),
    ("marks-rest", &[(MarkKind::Break, "B"), (MarkKind::Water, "W"), (MarkKind::Toilet, "U"), (MarkKind::Medical, "M")]),
    ("marks-other", &[(MarkKind::Explanation, "E"), (MarkKind::Note, "T")]),
];

impl RunningPage {
    /// The page as it is now.
    pub(crate) async fn new(visit: &Visit, page: Page, view: SessionView) -> Self {
        let now = now(visit, &page, &view);
        let form = FactsForm::new(visit, view.session.facts().clone(), vec![]).await;
        Self { page, view, now, form }
    }

    fn groups(&self) -> &'static [(&'static str, &'static [(MarkKind, &'static str)])] {
        BUTTONS
    }

    /// Whether such a mark stands already: its button shows it.
    fn is_set(&self, kind: &MarkKind) -> bool {
        self.view.session.marks.iter().any(|m| m.kind == *kind)
    }

    fn interrupted(&self) -> bool {
        self.view.session.state == Stand::Interrupted
    }

    /// Rights that nobody has marked: the end asks for each.
    fn open_rights(&self) -> Vec<&Missing> {
        self.view.missing.iter().filter(|m| m.is_right()).collect()
    }

    fn may_answer(&self, missing: &&Missing, kind: &AnswerKind) -> bool {
        offers(missing, *kind)
    }
}

/// Of which thing a demand is, in words: `face@13500` is the gap of that camera at 0:00:13.
pub(crate) fn about_text(session: &Session, about: &str) -> String {
    let Some((camera, ms)) = about.split_once('@') else { return about.to_owned() };
    let name = session.devices.iter().find(|d| d.camera.as_str() == camera).map_or(camera, |d| &d.name);
    format!("{name} {}", time::length_text(ms.parse().unwrap_or(0)))
}

/// Whether an answer can be chosen at all for a demand.
pub(crate) fn offers(missing: &Missing, kind: AnswerKind) -> bool {
    missing::may_answer(&missing.demand(), kind, Some("…")).is_ok()
}

impl SessionNow<'_> {
    fn fresh(&self, camera: &CameraStatus) -> bool {
        camera.durable_age_ms.is_some_and(|age| age <= crate::model::status::DURABLE_MS_MAX)
    }
    fn interrupted(&self) -> bool {
        self.view.session.state == Stand::Interrupted
    }
}

/// A running session as it is, each second, as a piece of its page; the end of the session ends the stream, and so does a change
/// between recording and pause, for which the page has other buttons.
pub async fn events(visit: Visit, Path(id): Path<String>) -> Sse<impl Stream<Item = Result<Event, Infallible>>> {
    let page = visit.page("/").await;
    let begun: Option<bool> = None;
    let pushes = futures::stream::unfold((visit, page, id, begun, false), |(visit, page, id, begun, over)| async move {
        if over {
            return None;
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
        let session = SessionId::new(&id).ok()?;
        let person = visit.desks().is_still(&visit.who).await.ok()?;
        let view = visit.desks().session(&person, &session).await.ok()?;
        let pausing = view.session.state == Stand::Interrupted;
        let begun = begun.unwrap_or(pausing);
        if !view.conducts || pausing != begun {
            return Some((Ok(Event::default().event("over").data("over")), (visit, page, id, Some(begun), true)));
        }
        let text = now(&visit, &page, &view);
        Some((Ok(Event::default().event("now").data(text)), (visit, page, id, Some(begun), false)))
    });
    Sse::new(pushes).keep_alive(KeepAlive::default())
}

pub(super) fn now(visit: &Visit, page: &Page, view: &SessionView) -> String {
    let room: Option<RoomStatus> =
        visit.desks().status(visit.person()).ok().and_then(|s| s.rooms.into_iter().find(|r| r.id == view.session.room));
    let lamp = room.as_ref().map_or(Lamp::NotRecording, |r| r.lamp);
    let cameras = room.as_ref().map_or(&[][..], |r| &r.cameras);
    SessionNow { page, view, lamp, cameras }.render().unwrap_or_default()
}

pub(super) fn session_id(text: &str) -> Result<SessionId, No> {
    Ok(asked::id("session", text, SessionId::new)?)
}

/// A mark, as a form gives it: without the script its fields come empty.
#[derive(Deserialize)]
pub struct MarkForm {
    kind: MarkKind,
    #[serde(default)]
    manner: String,
    text: Option<String>,
    witness: Option<String>,
}

/// Sets a mark.
pub async fn mark(
    visit: Visit,
    Extension(Received(at)): Extension<Received>,
    Path(id): Path<String>,
    Form(form): Form<MarkForm>,
) -> Response {
    let mark = NewMark { kind: form.kind, manner: Manner::from_word(&form.manner), text: form.text, witness: form.witness };
    let result = async { visit.desks().mark(visit.person(), &session_id(&id)?, mark, at).await.map(drop) }.await;
    visit.after(&format!("/sessions/{id}"), "marked", result).await
}

/// A pause, as a form gives it.
#[derive(Deserialize)]
pub struct InterruptForm {
    cause: InterruptionCause,
    reason: Option<String>,
}

/// Pauses.
pub async fn interrupt(visit: Visit, Path(id): Path<String>, Form(form): Form<InterruptForm>) -> Response {
    let result = async { visit.desks().interrupt(visit.person(), &session_id(&id)?, form.cause, form.reason).await.map(drop) }.await;
    visit.after(&format!("/sessions/{id}"), "interrupted", result).await
}

/// Goes on.
pub async fn resume(visit: Visit, Path(id): Path<String>) -> Response {
    let result = async { visit.desks().resume(visit.person(), &session_id(&id)?).await.map(drop) }.await;
    visit.after(&format!("/sessions/{id}"), "resumed", result).await
}

/// Ends and seals. What the form says of rights that nobody marked is kept first; an answer that is not right keeps nobody from
/// ending: it is asked for again on the session's page.
pub async fn end(visit: Visit, Path(id): Path<String>, Form(fields): Form<Vec<(String, String)>>) -> Response {
    let mistake = one(&fields, "mistaken").map(|_| one(&fields, "mistake").unwrap_or_else(|| "误操作".into()));
    let answer = |(name, word): &(String, String)| {
        let (demand, kind) = (name.strip_prefix("answer:")?, AnswerKind::from_word(word)?);
        Some(LastAnswer { demand: demand.to_owned(), kind, reason: one(&fields, &format!("reason:{demand}")) })
    };
    let answers: Vec<LastAnswer> = fields.iter().filter_map(answer).collect();
    let ended = async { visit.desks().end(visit.person(), &session_id(&id)?, mistake, &answers).await.map(drop) };
    let result = ended.await;
    visit.after(&format!("/sessions/{id}"), "ended", result).await
}
