//! Asking, deciding, revoking.

use crate::desks::No;
use crate::desks::access::{Inbox, NewRequest};
use crate::desks::logins::SignedIn;
use crate::model::access::{AccessMode, AccessRequest, Decision};
use crate::model::ids::{RequestId, SessionId};
use crate::model::people::Act;
use crate::model::refusal::Refusal;
use crate::web::pages::form::Form;
use crate::web::pages::{Page, after, html, no_page};
use crate::web::{Web, api};
use askama::Template;
use axum::Extension;
use axum::extract::{Path, State};
use axum::http::HeaderMap;
use axum::response::Response;
use chrono::{DateTime, Utc};
use serde::Deserialize;

#[derive(Template)]
#[template(path = "access.html", config = "src/web/askama.toml")]
struct InboxPage {
    page: Page,
    inbox: Inbox,
    now: DateTime<Utc>,
}

impl InboxPage {
    /// The state in words; a grant whose window is over says so.
    fn state(&self, r: &AccessRequest) -> String {
        let over = r.state == crate::model::access::RequestState::Approved && r.until <= self.now;
        if over { self.page.t("request-expired") } else { self.page.word("request", r.state.as_str()) }
    }

    /// How many hours were asked for.
    fn hours(&self, r: &AccessRequest) -> i64 {
        (r.until - r.from).num_hours()
    }
}

/// Requests: to decide, open, one's own.
pub async fn inbox(State(web): State<Web>, Extension(who): Extension<SignedIn>, headers: HeaderMap) -> Response {
    let page = Page::of(&web, &headers, who.clone(), "/access").await;
    match web.desks.inbox(&who.person).await {
        Ok(inbox) => html(&InboxPage { page, inbox, now: web.desks.wall_clock() }),
        Err(no) => no_page(page, &no),
    }
}

/// A request, as a form gives it.
#[derive(Deserialize)]
pub struct RequestForm {
    purpose: String,
    mode: AccessMode,
    hours: u32,
}

/// Asks to look at a session.
pub async fn request(
    State(web): State<Web>,
    Extension(who): Extension<SignedIn>,
    headers: HeaderMap,
    Path(id): Path<String>,
    Form(form): Form<RequestForm>,
) -> Response {
    let result: Result<(), No> = async {
        let session = api::id("session", &id, SessionId::new)?;
        let request = NewRequest { session, purpose: form.purpose, mode: form.mode, hours: form.hours };
        web.desks.request_access(&who.person, request).await.map(drop)
    }
    .await;
    after(&web, who, &headers, &format!("/sessions/{id}"), "requested", result).await
}

/// A decision, as a form gives it.
#[derive(Deserialize)]
pub struct DecisionForm {
    decision: String,
    reason: Option<String>,
}

/// Decides or revokes.
pub async fn decide(
    State(web): State<Web>,
    Extension(who): Extension<SignedIn>,
    headers: HeaderMap,
    Path(id): Path<String>,
    Form(form): Form<DecisionForm>,
) -> Response {
    let reason = form.reason.unwrap_or_default();
    let (decision, word) = match form.decision.as_str() {
        "approve" => (Decision::Approve, "approved"),
        "revoke" => (Decision::Revoke { reason }, "revoked"),
        _ => (Decision::Reject { reason }, "rejected"),
    };
    let result: Result<(), No> = async {
        let id = api::id("request", &id, RequestId::new)?;
        if !who.person.may(Act::DecideAccess) {
            return Err(Refusal::NotYourRole.into());
        }
        web.desks.decide_access(&who.person, &id, decision).await.map(drop)
    }
    .await;
    after(&web, who, &headers, "/access", word, result).await
}
