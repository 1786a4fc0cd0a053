//! The live page, starting a session, and running it.

use crate::desks::No;
use crate::desks::accounts::SignedIn;
use crate::model::ids::{RoomId, SessionId};
use crate::model::people::Act;
use crate::model::session::{Facts, InterruptionCause, MarkKind, Officer, SessionKind};
use crate::model::status::Status;
use crate::web::i18n::Lang;
use crate::web::pages::{Page, after, html, no_page, see};
use crate::web::{Web, api, error};
use askama::Template;
use axum::extract::{Path, State};
use axum::http::HeaderMap;
use axum::response::Response;
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::{Extension, Form};
use futures::Stream;
use serde::Deserialize;
use std::convert::Infallible;
use std::time::Duration;

#[derive(Template)]
#[template(path = "rooms.html", config = "src/web/askama.toml")]
struct RoomsPage {
    page: Page,
    status: Status,
    watch: bool,
}

#[derive(Template)]
#[template(path = "rooms_now.html", config = "src/web/askama.toml")]
struct RoomsNow<'a> {
    page: &'a Page,
    status: Status,
}

impl RoomsPage {
    fn now(&self) -> String {
        RoomsNow { page: &self.page, status: self.status.clone() }.render().unwrap_or_default()
    }
}

impl RoomsNow<'_> {
    fn percent(&self, free: &u64, total: &u64) -> u64 {
        if *total == 0 { 0 } else { (total - free) * 100 / total }
    }
    fn megabits(&self, bps: &u64) -> String {
        format!("{:.1} Mbit/s", *bps as f64 / 1e6)
    }
    fn seconds(&self, ms: &Option<u64>) -> String {
        ms.map_or_else(|| "—".into(), |ms| format!("{:.1} s", ms as f64 / 1000.0))
    }
}

/// Where a person begins: the rooms, or, for who sees no status, the sessions or their account.
pub async fn home(State(web): State<Web>, Extension(who): Extension<SignedIn>, headers: HeaderMap) -> Response {
    if !who.person.may(Act::SeeStatus) {
        return see("/access");
    }
    let page = Page::of(&web, &headers, who.clone(), "/").await;
    let watch = who.person.may(Act::WatchLive);
    match web.desks.status(&who.person) {
        Ok(status) => html(&RoomsPage { page, status, watch }),
        Err(no) => no_page(page, &no),
    }
}

/// The rooms as they are, each second, as a piece of the page.
pub async fn events(
    State(web): State<Web>,
    Extension(who): Extension<SignedIn>,
    headers: HeaderMap,
) -> Sse<impl Stream<Item = Result<Event, Infallible>>> {
    let page = Page::of(&web, &headers, who.clone(), "/").await;
    let pushes = futures::stream::unfold((web, who, page), |(web, who, page)| async move {
        tokio::time::sleep(Duration::from_secs(1)).await;
        let person = web.desks.fresh(&who.person).await.ok()?;
        let status = web.desks.status(&person).ok()?;
        let text = RoomsNow { page: &page, status }.render().unwrap_or_default();
        Some((Ok(Event::default().event("now").data(text)), (web, who, page)))
    });
    Sse::new(pushes).keep_alive(KeepAlive::default())
}

#[derive(Template)]
#[template(path = "start.html", config = "src/web/askama.toml")]
struct StartPage {
    page: Page,
    room: String,
    room_name: String,
    kind: SessionKind,
    facts: Facts,
    problems: Vec<String>,
}

impl StartPage {
    fn is_kind(&self, kind: &SessionKind) -> bool {
        self.kind == *kind
    }

    fn officer(&self, at: &usize) -> (String, String) {
        self.facts.officers.get(*at).map(|o| (o.name.clone(), o.certificate_no.clone().unwrap_or_default())).unwrap_or_default()
    }
}

/// The start form: the officer's own name is there, all else may stay empty.
pub async fn start_page(
    State(web): State<Web>,
    Extension(who): Extension<SignedIn>,
    headers: HeaderMap,
    Path(room): Path<String>,
) -> Response {
    let me = Officer { name: who.person.name.clone(), certificate_no: who.person.certificate_no.clone() };
    let facts = Facts { officers: vec![me], ..Facts::default() };
    start_form(web, who, &headers, room, SessionKind::Interview, facts, vec![]).await
}

async fn start_form(
    web: Web,
    who: SignedIn,
    headers: &HeaderMap,
    room: String,
    kind: SessionKind,
    facts: Facts,
    problems: Vec<String>,
) -> Response {
    let page = Page::of(&web, headers, who, &format!("/rooms/{room}/start")).await;
    match web.desks.rooms().into_iter().find(|(id, _)| *id == room) {
        Some((room, room_name)) => html(&StartPage { page, room, room_name, kind, facts, problems }),
        None => no_page(page, &crate::model::refusal::Refusal::no_such("room", &room).into()),
    }
}

/// Facts from a form: officers are repeated fields.
pub fn facts(fields: &[(String, String)]) -> Facts {
    let all = |name: &str| fields.iter().filter(|(n, _)| n == name).map(|(_, v)| v.clone()).collect::<Vec<_>>();
    let one = |name: &str| all(name).into_iter().next().filter(|v| !v.trim().is_empty());
    let officers = all("officer")
        .into_iter()
        .zip(all("certificate_no"))
        .map(|(name, no)| Officer { name, certificate_no: Some(no).filter(|n| !n.trim().is_empty()) });
    Facts { case_no: one("case_no"), record_no: one("record_no"), party: one("party"), cause: one("cause"), officers: officers.collect() }
}

/// Starts a session, or shows the form again with what was typed.
pub async fn start(
    State(web): State<Web>,
    Extension(who): Extension<SignedIn>,
    headers: HeaderMap,
    Path(room): Path<String>,
    Form(fields): Form<Vec<(String, String)>>,
) -> Response {
    let given = facts(&fields);
    let kind = fields.iter().find(|(n, _)| n == "kind").and_then(|(_, v)| SessionKind::from_word(v)).unwrap_or(SessionKind::Interview);
    let started = match api::id("room", &room, RoomId::new) {
        Ok(id) => web.desks.start(&who.person, &id, kind, given.clone()).await,
        Err(refusal) => Err(refusal.into()),
    };
    match started {
        Ok((session, _)) => see(&format!("/sessions/{}", session.id)),
        Err(No::Refusal(refusal)) => {
            let problems = vec![error::text(&refusal, Lang::of(&headers))];
            start_form(web, who, &headers, room, kind, given, problems).await
        }
        Err(no) => no_page(Page::of(&web, &headers, who, "/").await, &no),
    }
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
    let done = async { web.desks.mark(&who.person, &session_id(&id)?, form.kind, form.text).await.map(drop) }.await;
    after(&web, who, &headers, &format!("/sessions/{id}"), done).await
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
    let done = async { web.desks.interrupt(&who.person, &session_id(&id)?, form.cause, form.reason).await.map(drop) }.await;
    after(&web, who, &headers, &format!("/sessions/{id}"), done).await
}

/// Goes on.
pub async fn resume(State(web): State<Web>, Extension(who): Extension<SignedIn>, headers: HeaderMap, Path(id): Path<String>) -> Response {
    let done = async { web.desks.resume(&who.person, &session_id(&id)?).await.map(drop) }.await;
    after(&web, who, &headers, &format!("/sessions/{id}"), done).await
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
    let done = async { web.desks.end(&who.person, &session_id(&id)?, mistake).await.map(drop) }.await;
    after(&web, who, &headers, &format!("/sessions/{id}"), done).await
}
