//! The handover at the end of the day (第十四条), and portable devices that are out.

use crate::desks::check_outs::CheckOut;
use crate::desks::handover::{HandoverDesk, HandoverView};
use crate::desks::logins::SignedIn;
use crate::model::ids::{AccountId, HandoverId, SessionId};
use crate::model::refusal::Refusal;
use crate::web::error::{ApiResult, Problem};
use crate::web::{Web, asked};
use axum::extract::rejection::JsonRejection;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::{Extension, Json};
use serde::Deserialize;

/// What is handed over.
#[derive(Deserialize, utoipa::ToSchema)]
pub struct HandoverBody {
    /// Sessions.
    sessions: Vec<String>,
    /// The custodian's account.
    to: String,
}

/// What is received.
#[derive(Default, Deserialize, utoipa::ToSchema)]
pub struct ReceiveBody {
    /// Which sessions. Without this member: every one that has no receipt yet. An empty list chooses nothing, and is refused.
    #[serde(default)]
    sessions: Option<Vec<String>>,
}

/// A device that is taken along.
#[derive(Deserialize, utoipa::ToSchema)]
pub struct CheckOutBody {
    /// 执法记录设备编号.
    device_no: String,
    /// Percent.
    #[serde(default)]
    battery: Option<i64>,
    /// GB.
    #[serde(default)]
    free_gb: Option<i64>,
}

/// Why nothing comes.
#[derive(Deserialize, utoipa::ToSchema)]
pub struct NothingBody {
    reason: String,
}

fn id_of(id: &str) -> Result<HandoverId, Refusal> {
    asked::id("handover", id, HandoverId::new)
}

fn sessions(all: &[String]) -> Result<Vec<SessionId>, Refusal> {
    all.iter().map(|s| asked::id("session", s, SessionId::new)).collect()
}

/// What is to be handed over, received, and overdue.
#[utoipa::path(get, path = "/api/v1/handover", responses((status = 200, body = HandoverDesk), (status = 403, body = Problem)))]
pub async fn desk(State(web): State<Web>, Extension(who): Extension<SignedIn>) -> ApiResult<Json<HandoverDesk>> {
    Ok(Json(web.desks.handover_desk(&who.person).await?))
}

/// Hands sessions to a custodian.
#[utoipa::path(post, path = "/api/v1/handovers", request_body = HandoverBody, responses((status = 201, body = HandoverView), (status = 403, body = Problem)))]
pub async fn hand_over(
    State(web): State<Web>,
    Extension(who): Extension<SignedIn>,
    body: Result<Json<HandoverBody>, JsonRejection>,
) -> ApiResult<(StatusCode, Json<HandoverView>)> {
    let Json(b) = body?;
    let to = asked::id("account", &b.to, AccountId::new)?;
    let id = web.desks.hand_to_custodian(&who.person, &sessions(&b.sessions)?, &to).await?;
    Ok((StatusCode::CREATED, Json(web.desks.handover(&who.person, &id).await?)))
}

/// One handover.
#[utoipa::path(get, path = "/api/v1/handovers/{id}", params(("id" = String, Path)), responses((status = 200, body = HandoverView), (status = 404, body = Problem)))]
pub async fn show(State(web): State<Web>, Extension(who): Extension<SignedIn>, Path(id): Path<String>) -> ApiResult<Json<HandoverView>> {
    Ok(Json(web.desks.handover(&who.person, &id_of(&id)?).await?))
}

/// Reads every file again and gives the receipt for what is whole, behind.
#[utoipa::path(post, path = "/api/v1/handovers/{id}/receive", params(("id" = String, Path)), request_body = ReceiveBody, responses((status = 202), (status = 403, body = Problem), (status = 409, body = Problem), (status = 422, body = Problem)))]
pub async fn receive(
    State(web): State<Web>,
    Extension(who): Extension<SignedIn>,
    Path(id): Path<String>,
    body: Result<Json<ReceiveBody>, JsonRejection>,
) -> ApiResult<StatusCode> {
    let Json(b) = body?;
    let chosen = b.sessions.as_deref().map(sessions).transpose()?;
    web.desks.receive_handover(&who.person, &id_of(&id)?, chosen.as_deref()).await?;
    Ok(StatusCode::ACCEPTED)
}

/// Takes a portable device along.
#[utoipa::path(post, path = "/api/v1/check-outs", request_body = CheckOutBody, responses((status = 201, body = CheckOut), (status = 422, body = Problem)))]
pub async fn check_out(
    State(web): State<Web>,
    Extension(who): Extension<SignedIn>,
    body: Result<Json<CheckOutBody>, JsonRejection>,
) -> ApiResult<(StatusCode, Json<CheckOut>)> {
    let Json(b) = body?;
    Ok((StatusCode::CREATED, Json(web.desks.check_out(&who.person, &b.device_no, b.battery, b.free_gb).await?)))
}

/// Says why a device that was out brings nothing.
#[utoipa::path(post, path = "/api/v1/check-outs/{id}/nothing", params(("id" = String, Path)), request_body = NothingBody, responses((status = 204), (status = 404, body = Problem)))]
pub async fn nothing(
    State(web): State<Web>,
    Extension(who): Extension<SignedIn>,
    Path(id): Path<String>,
    body: Result<Json<NothingBody>, JsonRejection>,
) -> ApiResult<StatusCode> {
    let Json(b) = body?;
    web.desks.nothing_came(&who.person, &id, &b.reason).await?;
    Ok(StatusCode::NO_CONTENT)
}
