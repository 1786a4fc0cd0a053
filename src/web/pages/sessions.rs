//! The list of sessions and a session's page: running, for who conducts it; afterwards, for who may know of it.

use crate::desks::No;
use crate::desks::accounts::SignedIn;
use crate::desks::sessions::{Search, SessionPage, SessionRow, SessionView};
use crate::model::digest;
use crate::model::gap::Gap;
use crate::model::ids::{CameraId, SessionId};
use crate::model::people::Act;
use crate::model::session::{MarkKind, Segment};
use crate::web::pages::{Page, after, html, no_page, rooms};
use crate::web::{Web, api};
use askama::Template;
use axum::extract::{Path, Query, State};
use axum::http::HeaderMap;
use axum::response::Response;
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::{Extension, Form};
use futures::Stream;
use std::convert::Infallible;
use std::time::Duration;

#[derive(Template)]
#[template(path = "sessions.html", config = "src/web/askama.toml")]
struct ListPage {
    page: Page,
    search: Search,
    found: SessionPage,
    units: Vec<(String, String)>,
}

impl ListPage {
    fn value(&self, field: &Option<String>) -> String {
        field.clone().unwrap_or_default()
    }

    fn length(&self, row: &SessionRow) -> String {
        row.length_ms.map_or_else(|| "—".into(), |ms| self.page.length(ms))
    }

    /// The same search on another page.
    fn address(&self, page: u32) -> String {
        let s = &self.search;
        let fields = [
            ("unit", &s.unit),
            ("device_no", &s.device_no),
            ("officer", &s.officer),
            ("from", &s.from),
            ("until", &s.until),
            ("party", &s.party),
            ("cause", &s.cause),
            ("text", &s.text),
        ];
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        for (name, value) in fields {
            if let Some(value) = value.as_ref().filter(|v| !v.is_empty()) {
                query.append_pair(name, value);
            }
        }
        format!("/sessions?{}", query.append_pair("page", &page.to_string()).finish())
    }
}

/// The list, with the search in its address.
pub async fn list(
    State(web): State<Web>,
    Extension(who): Extension<SignedIn>,
    headers: HeaderMap,
    Query(search): Query<Search>,
) -> Response {
    let page = Page::of(&web, &headers, who.clone(), "/sessions").await;
    match web.desks.sessions(&who.person, &search).await {
        Ok(found) => html(&ListPage { page, search, found, units: web.desks.units() }),
        Err(no) => no_page(page, &no),
    }
}

#[derive(Template)]
#[template(path = "session_running.html", config = "src/web/askama.toml")]
struct RunningPage {
    page: Page,
    view: SessionView,
}

#[derive(Template)]
#[template(path = "session_now.html", config = "src/web/askama.toml")]
struct SessionNow<'a> {
    page: &'a Page,
    view: &'a SessionView,
    lamp: &'static str,
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
    fn buttons(&self) -> &'static [(MarkKind, &'static str)] {
        BUTTONS
    }
    fn interrupted(&self) -> bool {
        self.view.session.state == crate::model::session::State::Interrupted
    }
}

#[derive(Template)]
#[template(path = "session.html", config = "src/web/askama.toml")]
struct SessionPageView {
    page: Page,
    view: SessionView,
}

impl SessionPageView {
    fn seal_short(&self) -> String {
        self.view.session.seal.as_ref().map(|s| digest::short(&s.code)).unwrap_or_default()
    }

    /// Left edge and width of a stretch on the time line, in percent.
    fn place(&self, from_ms: u64, to_ms: u64) -> String {
        let all = self.view.length_ms.max(1) as f64;
        let left = from_ms as f64 * 100.0 / all;
        let width = (to_ms.saturating_sub(from_ms) as f64 * 100.0 / all).clamp(0.15, 100.0);
        format!("{left:.3} {width:.3}")
    }

    fn segment_place(&self, segment: &Segment) -> String {
        let (from, to) = segment.span_ms();
        self.place(from, to)
    }

    fn gap_place(&self, gap: &Gap) -> String {
        self.place(gap.from_ms, gap.to_ms)
    }

    fn camera_name(&self, camera: &CameraId) -> String {
        self.view.session.devices.iter().find(|d| d.camera == *camera).map_or_else(|| camera.to_string(), |d| d.name.clone())
    }

    fn gap_length(&self, gap: &Gap) -> u64 {
        gap.to_ms - gap.from_ms
    }

    fn may_request(&self) -> bool {
        self.page.who.as_ref().is_some_and(|w| w.person.may(Act::RequestAccess)) && self.view.session.seal.is_some()
    }

    fn sorted_segments(&self) -> Vec<Segment> {
        let mut all = self.view.session.segments.clone();
        all.sort_by(|a, b| (&a.camera, a.sequence).cmp(&(&b.camera, b.sequence)));
        all
    }

    /// Gaps and marks for the player, as JSON in a data attribute.
    fn for_player(&self) -> String {
        let s = &self.view.session;
        let gaps: Vec<_> = s.gaps.iter().map(|g| serde_json::json!({ "camera": g.camera, "from": g.from_ms, "to": g.to_ms, "cause": self.page.word("cause", g.cause.as_str()) })).collect();
        serde_json::json!({ "gaps": gaps }).to_string()
    }
}

/// A session's page.
pub async fn show(State(web): State<Web>, Extension(who): Extension<SignedIn>, headers: HeaderMap, Path(id): Path<String>) -> Response {
    let page = Page::of(&web, &headers, who.clone(), &format!("/sessions/{id}")).await;
    let found = async { web.desks.session(&who.person, &api::id("session", &id, SessionId::new)?).await }.await;
    match found {
        Ok(view) if view.conducts => html(&RunningPage { page, view }),
        Ok(view) => html(&SessionPageView { page, view }),
        Err(no) => no_page(page, &no),
    }
}

/// A running session as it is, each second, as a piece of its page; the end of the session ends the stream.
pub async fn events(
    State(web): State<Web>,
    Extension(who): Extension<SignedIn>,
    headers: HeaderMap,
    Path(id): Path<String>,
) -> Sse<impl Stream<Item = Result<Event, Infallible>>> {
    let page = Page::of(&web, &headers, who.clone(), "/").await;
    let pushes = futures::stream::unfold((web, who, page, id, false), |(web, who, page, id, over)| async move {
        if over {
            return None;
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
        let session = SessionId::new(&id).ok()?;
        let person = web.desks.fresh(&who.person).await.ok()?;
        let view = web.desks.session(&person, &session).await.ok()?;
        if !view.conducts {
            return Some((Ok(Event::default().event("over").data("over")), (web, who, page, id, true)));
        }
        let text = now(&web, &who, &page, &view);
        Some((Ok(Event::default().event("now").data(text)), (web, who, page, id, false)))
    });
    Sse::new(pushes).keep_alive(KeepAlive::default())
}

fn now(web: &Web, who: &SignedIn, page: &Page, view: &SessionView) -> String {
    let room = web.desks.status(&who.person).ok().and_then(|s| s.rooms.into_iter().find(|r| r.id == view.session.room));
    let lamp = room.map_or("not_recording", |r| r.lamp.as_str());
    SessionNow { page, view, lamp }.render().unwrap_or_default()
}

/// Links a session anew.
pub async fn link(
    State(web): State<Web>,
    Extension(who): Extension<SignedIn>,
    headers: HeaderMap,
    Path(id): Path<String>,
    Form(fields): Form<Vec<(String, String)>>,
) -> Response {
    let reason = fields.iter().find(|(n, _)| n == "reason").map(|(_, v)| v.clone()).unwrap_or_default();
    let done = async {
        let id: SessionId = api::id("session", &id, SessionId::new)?;
        web.desks.link(&who.person, &id, rooms::facts(&fields), reason).await.map(drop)
    };
    let done: Result<(), No> = done.await;
    after(&web, who, &headers, &format!("/sessions/{id}"), done).await
}
