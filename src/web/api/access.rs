//! Access requests and decisions.

use crate::desks::access::{Inbox, NewRequest};
use crate::desks::logins::SignedIn;
use crate::model::access::{AccessMode, AccessRequest, Decision, Narrowing};
use crate::model::ids::{RequestId, SessionId};
use crate::web::error::{ApiResult, Problem};
use crate::web::{Web, asked};
use axum::extract::rejection::JsonRejection;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::{Extension, Json};
use serde::Deserialize;

/// A request for access.
#[derive(Deserialize, utoipa::ToSchema)]
pub struct RequestBody {
    /// One session.
    #[serde(default)]
    session: Option<String>,
    /// Or several, of one unit.
    #[serde(default)]
    sessions: Vec<String>,
    /// What for.
    purpose: String,
    /// On what it rests.
    #[serde(default)]
    basis: Option<String>,
    /// Look or copy.
    mode: AccessMode,
    /// Bystanders masked in every copy.
    #[serde(default)]
    masked: bool,
    /// Hours from the decision on, 1 to 720.
    hours: u32,
}

/// Asks for access.
#[utoipa::path(post, path = "/api/v1/access-requests", request_body = RequestBody, responses((status = 201, body = AccessRequest), (status = 404, body = Problem), (status = 422, body = Problem)))]
pub async fn request(
    State(web): State<Web>,
    Extension(who): Extension<SignedIn>,
    body: Result<Json<RequestBody>, JsonRejection>,
) -> ApiResult<(StatusCode, Json<AccessRequest>)> {
    let Json(r) = body?;
    let named = r.session.into_iter().chain(r.sessions);
    let sessions = named.map(|s| asked::id("session", &s, SessionId::new)).collect::<Result<_, _>>()?;
    let request = NewRequest { sessions, purpose: r.purpose, basis: r.basis, mode: r.mode, masked: r.masked, hours: r.hours };
    Ok((StatusCode::CREATED, Json(web.desks.request_access(&who.person, request).await?)))
}

/// What waits for this person, and what they asked for.
#[utoipa::path(get, path = "/api/v1/access-requests", responses((status = 200, body = Inbox)))]
pub async fn inbox(State(web): State<Web>, Extension(who): Extension<SignedIn>) -> ApiResult<Json<Inbox>> {
    let inbox = web.desks.inbox(&who.person).await?;
    web.desks.inbox_shown(&inbox);
    Ok(Json(inbox))
}

/// Why.
#[derive(Deserialize, utoipa::ToSchema)]
pub struct Reason {
    reason: String,
}

async fn decide(web: &Web, who: &SignedIn, id: &str, decision: Decision) -> ApiResult<Json<AccessRequest>> {
    Ok(Json(web.desks.decide_access(&who.person, &asked::id("request", id, RequestId::new)?, decision).await?))
}

/// Grants a request, or a part of it: what the body leaves out is as it was asked for.
#[utoipa::path(post, path = "/api/v1/access-requests/{id}/approve", params(("id" = String, Path)), request_body = Narrowing, responses((status = 200, body = AccessRequest), (status = 403, body = Problem), (status = 409, body = Problem)))]
pub async fn approve(
    State(web): State<Web>,
    Extension(who): Extension<SignedIn>,
    Path(id): Path<String>,
    body: Result<Json<Narrowing>, JsonRejection>,
) -> ApiResult<Json<AccessRequest>> {
    decide(&web, &who, &id, Decision::Approve(body?.0)).await
}

/// Withdraws one's own request, or gives a grant back.
#[utoipa::path(post, path = "/api/v1/access-requests/{id}/close", params(("id" = String, Path)), responses((status = 200, body = AccessRequest), (status = 404, body = Problem), (status = 409, body = Problem)))]
pub async fn close(State(web): State<Web>, Extension(who): Extension<SignedIn>, Path(id): Path<String>) -> ApiResult<Json<AccessRequest>> {
    Ok(Json(web.desks.close_request(&who.person, &asked::id("request", &id, RequestId::new)?).await?))
}

/// Refuses a request.
#[utoipa::path(post, path = "/api/v1/access-requests/{id}/reject", params(("id" = String, Path)), request_body = Reason, responses((status = 200, body = AccessRequest), (status = 403, body = Problem)))]
pub async fn reject(
    State(web): State<Web>,
    Extension(who): Extension<SignedIn>,
    Path(id): Path<String>,
    body: Result<Json<Reason>, JsonRejection>,
) -> ApiResult<Json<AccessRequest>> {
    decide(&web, &who, &id, Decision::Reject { reason: body?.0.reason }).await
}

/// Takes a grant back; running viewings are cut.
#[utoipa::path(post, path = "/api/v1/access-requests/{id}/revoke", params(("id" = String, Path)), request_body = Reason, responses((status = 200, body = AccessRequest), (status = 403, body = Problem)))]
pub async fn revoke(
    State(web): State<Web>,
    Extension(who): Extension<SignedIn>,
    Path(id): Path<String>,
    body: Result<Json<Reason>, JsonRejection>,
) -> ApiResult<Json<AccessRequest>> {
    decide(&web, &who, &id, Decision::Revoke { reason: body?.0.reason }).await
}
