//! A running session, for who conducts it: marks, pauses, the end. All of it works as plain forms.

use crate::desks::No;
use crate::desks::accounts::SignedIn;
use crate::desks::sessions::SessionView;
use crate::model::ids::SessionId;
use crate::model::session::{InterruptionCause, MarkKind, State as Stand};
use crate::model::status::{CameraStatus, Lamp, RoomStatus};
use crate::web::pages::form::{self, Form};
use crate::web::pages::{Page, after};
use crate::web::{Web, api};
use askama::Template;
use axum::Extension;
use axum::extract::{Path, State};
use axum::http::HeaderMap;
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
    /// Rows that the form of facts shows for officers: those that are known, and one empty.
    officer_rows: usize,
}

#[derive(Template)]
#[template(path = "session_now.html", config = "src/web/askama.toml")]
struct SessionNow<'a> {
    page: &'a Page,
    view: &'a SessionView,
    lamp: Lamp,
    cameras: &'a [CameraStatus],
}

/// Marks that a button sets, with their keys.
const BUTTONS: &[(MarkKind, &str)] = &[
    (MarkKind::NoticeGiven, "N"),
    (MarkKind::CertificateShown, "C"),
    (MarkKind::RightStatement, "1"),
    (MarkKind::RightDefence, "2"),
    (MarkKind::RightRecusal, "3"),
    (MarkKind::RightHearing, "4"),
    (MarkKind::Questioning, "Q"),
    (MarkKind::Break, "B"),
    (MarkKind::DocumentShown, "D"),
    (MarkKind::ReadingBack, "R"),
    (MarkKind::Signing, "S"),
    (MarkKind::SignatureRefusal, "X"),
    (MarkKind::Note, "T"),
];

impl RunningPage {
    /// The page as it is now.
    pub(crate) fn new(web: &Web, who: &SignedIn, page: Page, view: SessionView) -> Self {
        let now = now(web, who, &page, &view);
        let officer_rows = (view.session.facts().officers.len() + 1).max(2);
        Self { page, view, now, officer_rows }
    }

    fn buttons(&self) -> &'static [(MarkKind, &'static str)] {
        BUTTONS
    }

    /// Whether such a mark stands already: its button shows it.
    fn is_set(&self, kind: &MarkKind) -> bool {
        self.view.session.marks.iter().any(|m| m.kind == *kind)
    }

    fn interrupted(&self) -> bool {
        self.view.session.state == Stand::Interrupted
    }

    fn officer(&self, at: &usize) -> (String, String) {
        form::officer(&self.view.session, *at)
    }
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
pub async fn events(
    State(web): State<Web>,
    Extension(who): Extension<SignedIn>,
    headers: HeaderMap,
    Path(id): Path<String>,
) -> Sse<impl Stream<Item = Result<Event, Infallible>>> {
    let page = Page::of(&web, &headers, who.clone(), "/").await;
    let begun: Option<bool> = None;
    let pushes = futures::stream::unfold((web, who, page, id, begun, false), |(web, who, page, id, begun, over)| async move {
        if over {
            return None;
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
        let session = SessionId::new(&id).ok()?;
        let person = web.desks.fresh(&who.person).await.ok()?;
        let view = web.desks.session(&person, &session).await.ok()?;
        let pausing = view.session.state == Stand::Interrupted;
        let begun = begun.unwrap_or(pausing);
        if !view.conducts || pausing != begun {
            return Some((Ok(Event::default().event("over").data("over")), (web, who, page, id, Some(begun), true)));
        }
        let text = now(&web, &who, &page, &view);
        Some((Ok(Event::default().event("now").data(text)), (web, who, page, id, Some(begun), false)))
    });
    Sse::new(pushes).keep_alive(KeepAlive::default())
}

fn now(web: &Web, who: &SignedIn, page: &Page, view: &SessionView) -> String {
    let room: Option<RoomStatus> = web.desks.status(&who.person).ok().and_then(|s| s.rooms.into_iter().find(|r| r.id == view.session.room));
    let lamp = room.as_ref().map_or(Lamp::NotRecording, |r| r.lamp);
    let cameras = room.as_ref().map_or(&[][..], |r| &r.cameras);
    SessionNow { page, view, lamp, cameras }.render().unwrap_or_default()
}

fn session_id(text: &str) -> Result<SessionId, No> {
    Ok(api::id("session", text, SessionId::new)?)
}

/// A mark, as a form gives it.
#[derive(Deserialize)]
pub struct MarkForm {
    kind: MarkKind,
    text: Option<String>,
}

/// Sets a mark.
pub async fn mark(
    State(web): State<Web>,
    Extension(who): Extension<SignedIn>,
    headers: HeaderMap,
    Path(id): Path<String>,
    Form(form): Form<MarkForm>,
) -> Response {
    let result = async { web.desks.mark(&who.person, &session_id(&id)?, form.kind, form.text).await.map(drop) }.await;
    after(&web, who, &headers, &format!("/sessions/{id}"), "marked", result).await
}

/// A pause, as a form gives it.
#[derive(Deserialize)]
pub struct InterruptForm {
    cause: InterruptionCause,
    reason: Option<String>,
}

/// Pauses.
pub async fn interrupt(
    State(web): State<Web>,
    Extension(who): Extension<SignedIn>,
    headers: HeaderMap,
    Path(id): Path<String>,
    Form(form): Form<InterruptForm>,
) -> Response {
    let result = async { web.desks.interrupt(&who.person, &session_id(&id)?, form.cause, form.reason).await.map(drop) }.await;
    after(&web, who, &headers, &format!("/sessions/{id}"), "interrupted", result).await
}

/// Goes on.
pub async fn resume(State(web): State<Web>, Extension(who): Extension<SignedIn>, headers: HeaderMap, Path(id): Path<String>) -> Response {
    let result = async { web.desks.resume(&who.person, &session_id(&id)?).await.map(drop) }.await;
    after(&web, who, &headers, &format!("/sessions/{id}"), "resumed", result).await
}

/// An end, as a form gives it.
#[derive(Deserialize)]
pub struct EndForm {
    mistaken: Option<String>,
    mistake: Option<String>,
}

/// Ends and seals.
pub async fn end(
    State(web): State<Web>,
    Extension(who): Extension<SignedIn>,
    headers: HeaderMap,
    Path(id): Path<String>,
    Form(form): Form<EndForm>,
) -> Response {
    let mistake = form.mistaken.map(|_| form.mistake.filter(|m| !m.trim().is_empty()).unwrap_or_else(|| "误操作".into()));
    let result = async { web.desks.end(&who.person, &session_id(&id)?, mistake).await.map(drop) }.await;
    after(&web, who, &headers, &format!("/sessions/{id}"), "ended", result).await
}
