//! Access requests and decisions.

use crate::desks::access::{Inbox, NewRequest};
use crate::desks::logins::SignedIn;
use crate::model::access::{AccessMode, AccessRequest, Decision};
use crate::model::ids::{RequestId, SessionId};
use crate::web::error::{ApiResult, Problem};
use crate::web::{Web, api};
use axum::extract::rejection::JsonRejection;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::{Extension, Json};
use serde::Deserialize;

/// A request for access.
#[derive(Deserialize, utoipa::ToSchema)]
pub struct RequestBody {
    session: String,
    purpose: String,
    mode: AccessMode,
    /// 1 to 720.
    hours: u32,
}

/// Asks to look at a session.
#[utoipa::path(post, path = "/api/v1/access-requests", request_body = RequestBody, responses((status = 201, body = AccessRequest), (status = 404, body = Problem), (status = 422, body = Problem)))]
pub async fn request(
    State(web): State<Web>,
    Extension(who): Extension<SignedIn>,
    body: Result<Json<RequestBody>, JsonRejection>,
) -> ApiResult<(StatusCode, Json<AccessRequest>)> {
    let Json(r) = body?;
    let request = NewRequest { session: api::id("session", &r.session, SessionId::new)?, purpose: r.purpose, mode: r.mode, hours: r.hours };
    Ok((StatusCode::CREATED, Json(web.desks.request_access(&who.person, request).await?)))
}

/// What waits for this person, and what they asked for.
#[utoipa::path(get, path = "/api/v1/access-requests", responses((status = 200, body = Inbox)))]
pub async fn inbox(State(web): State<Web>, Extension(who): Extension<SignedIn>) -> ApiResult<Json<Inbox>> {
    Ok(Json(web.desks.inbox(&who.person).await?))
}

/// Why.
#[derive(Deserialize, utoipa::ToSchema)]
pub struct Reason {
    reason: String,
}

async fn decide(web: &Web, who: &SignedIn, id: &str, decision: Decision) -> ApiResult<Json<AccessRequest>> {
    Ok(Json(web.desks.decide_access(&who.person, &api::id("request", id, RequestId::new)?, decision).await?))
}

/// Grants a request.
#[utoipa::path(post, path = "/api/v1/access-requests/{id}/approve", params(("id" = String, Path)), responses((status = 200, body = AccessRequest), (status = 403, body = Problem), (status = 409, body = Problem)))]
pub async fn approve(
    State(web): State<Web>,
    Extension(who): Extension<SignedIn>,
    Path(id): Path<String>,
) -> ApiResult<Json<AccessRequest>> {
    decide(&web, &who, &id, Decision::Approve).await
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
