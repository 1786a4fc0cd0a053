//! How long sessions are kept, what holds them, and giving them up (第十八条, 第十九条).

use crate::desks::disposal::DisposalView;
use crate::desks::holds::HeldSession;
use crate::desks::logins::SignedIn;
use crate::desks::retention::{RetentionPage, RetentionSearch, RetentionView};
use crate::model::clock_trust::ClockTrust;
use crate::model::disposal::Disposal;
use crate::model::hold::{Ground, HoldState};
use crate::model::ids::{DisposalId, SessionId};
use crate::model::refusal::Refusal;
use crate::web::error::{ApiResult, Problem};
use crate::web::{Web, asked};
use axum::extract::rejection::{JsonRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::{Extension, Json};
use chrono::NaiveDate;
use serde::Deserialize;

/// Why.
#[derive(Deserialize, utoipa::ToSchema)]
pub struct ReasonBody {
    /// In words.
    reason: String,
}

/// Keeping longer.
#[derive(Deserialize, utoipa::ToSchema)]
pub struct ExtendBody {
    /// Kept through this day at the least.
    until: NaiveDate,
    /// In words.
    reason: String,
}

/// A hold that is proposed.
#[derive(Deserialize, utoipa::ToSchema)]
pub struct HoldBody {
    ground: Ground,
    /// In words.
    reason: String,
}

/// What is said to a hold.
#[derive(Deserialize, utoipa::ToSchema)]
pub struct HoldSaidBody {
    ground: Ground,
    /// Which of its ground.
    about: String,
    /// `confirm`, `ask` (to lift), `refuse` (to lift) or `lift`.
    say: String,
    /// Needed for `ask` and `refuse`.
    #[serde(default)]
    reason: String,
}

/// A disposal that is proposed.
#[derive(Deserialize, utoipa::ToSchema)]
pub struct DisposalBody {
    /// Sessions of one's own unit.
    sessions: Vec<String>,
    /// 鉴定意见.
    reason: String,
}

/// A decision.
#[derive(Deserialize, utoipa::ToSchema)]
pub struct DecisionBody {
    approved: bool,
    /// Needed for a no.
    #[serde(default)]
    reason: Option<String>,
}

/// How a disposal is closed.
#[derive(Deserialize, utoipa::ToSchema)]
pub struct CloseBody {
    /// Why copies stay; needed where some do.
    #[serde(default)]
    reason: Option<String>,
}

fn session_id(id: &str) -> Result<SessionId, Refusal> {
    asked::id("session", id, SessionId::new)
}

fn disposal_id(id: &str) -> Result<DisposalId, Refusal> {
    asked::id("disposal", id, DisposalId::new)
}

/// A list: due, unclassified, routine, evidence, held, gone.
#[utoipa::path(get, path = "/api/v1/retention", params(RetentionSearch), responses((status = 200, body = RetentionPage), (status = 403, body = Problem)))]
pub async fn list(
    State(web): State<Web>,
    Extension(who): Extension<SignedIn>,
    query: Result<Query<RetentionSearch>, QueryRejection>,
) -> ApiResult<Json<RetentionPage>> {
    let Query(search) = query?;
    Ok(Json(web.desks.retention_list(&who.person, &search).await?))
}

/// How long a session is kept, why, and what holds it.
#[utoipa::path(get, path = "/api/v1/sessions/{id}/retention", params(("id" = String, Path)), responses((status = 200, body = RetentionView), (status = 404, body = Problem)))]
pub async fn of_session(
    State(web): State<Web>,
    Extension(who): Extension<SignedIn>,
    Path(id): Path<String>,
) -> ApiResult<Json<RetentionView>> {
    Ok(Json(web.desks.retention(&who.person, &session_id(&id)?).await?))
}

/// Says that a session without a known case is routine.
#[utoipa::path(post, path = "/api/v1/sessions/{id}/routine", params(("id" = String, Path)), request_body = ReasonBody, responses((status = 204), (status = 403, body = Problem)))]
pub async fn routine(
    State(web): State<Web>,
    Extension(who): Extension<SignedIn>,
    Path(id): Path<String>,
    body: Result<Json<ReasonBody>, JsonRejection>,
) -> ApiResult<StatusCode> {
    let Json(body) = body?;
    web.desks.declare_routine(&who.person, &session_id(&id)?, &body.reason).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Keeps a session longer than the rules ask.
#[utoipa::path(post, path = "/api/v1/sessions/{id}/extend", params(("id" = String, Path)), request_body = ExtendBody, responses((status = 204), (status = 403, body = Problem)))]
pub async fn extend(
    State(web): State<Web>,
    Extension(who): Extension<SignedIn>,
    Path(id): Path<String>,
    body: Result<Json<ExtendBody>, JsonRejection>,
) -> ApiResult<StatusCode> {
    let Json(body) = body?;
    web.desks.extend_retention(&who.person, &session_id(&id)?, body.until, &body.reason).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Proposes a hold: in force at once.
#[utoipa::path(post, path = "/api/v1/sessions/{id}/holds", params(("id" = String, Path)), request_body = HoldBody, responses((status = 201), (status = 403, body = Problem)))]
pub async fn hold(
    State(web): State<Web>,
    Extension(who): Extension<SignedIn>,
    Path(id): Path<String>,
    body: Result<Json<HoldBody>, JsonRejection>,
) -> ApiResult<StatusCode> {
    let Json(body) = body?;
    web.desks.propose_hold(&who.person, &session_id(&id)?, body.ground, &body.reason).await?;
    Ok(StatusCode::CREATED)
}

/// Confirms a hold, asks to lift it, lifts it, or refuses to.
#[utoipa::path(post, path = "/api/v1/sessions/{id}/holds/say", params(("id" = String, Path)), request_body = HoldSaidBody, responses((status = 204), (status = 403, body = Problem), (status = 409, body = Problem)))]
pub async fn say(
    State(web): State<Web>,
    Extension(who): Extension<SignedIn>,
    Path(id): Path<String>,
    body: Result<Json<HoldSaidBody>, JsonRejection>,
) -> ApiResult<StatusCode> {
    let Json(body) = body?;
    let change = asked::hold_change(&body.say, body.reason)?;
    web.desks.say_to_hold(&who.person, &session_id(&id)?, body.ground, &body.about, change).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// The register of holds that are in force.
#[utoipa::path(get, path = "/api/v1/holds", responses((status = 200, body = Vec<HeldSession>), (status = 403, body = Problem)))]
pub async fn holds(State(web): State<Web>, Extension(who): Extension<SignedIn>) -> ApiResult<Json<Vec<HeldSession>>> {
    Ok(Json(web.desks.held(&who.person, &[HoldState::Proposed, HoldState::Confirmed, HoldState::LiftProposed]).await?))
}

/// All disposals.
#[utoipa::path(get, path = "/api/v1/disposals", responses((status = 200, body = Vec<DisposalView>), (status = 403, body = Problem)))]
pub async fn disposals(State(web): State<Web>, Extension(who): Extension<SignedIn>) -> ApiResult<Json<Vec<DisposalView>>> {
    Ok(Json(web.desks.disposals(&who.person).await?))
}

/// Proposes to give up sessions whose period is over.
#[utoipa::path(post, path = "/api/v1/disposals", request_body = DisposalBody, responses((status = 201, body = Disposal), (status = 409, body = Problem)))]
pub async fn propose(
    State(web): State<Web>,
    Extension(who): Extension<SignedIn>,
    body: Result<Json<DisposalBody>, JsonRejection>,
) -> ApiResult<(StatusCode, Json<Disposal>)> {
    let Json(body) = body?;
    let sessions = body.sessions.iter().map(|s| session_id(s)).collect::<Result<Vec<_>, _>>()?;
    Ok((StatusCode::CREATED, Json(web.desks.propose_disposal(&who.person, &sessions, &body.reason).await?)))
}

/// One.
#[utoipa::path(get, path = "/api/v1/disposals/{id}", params(("id" = String, Path)), responses((status = 200, body = DisposalView), (status = 404, body = Problem)))]
pub async fn disposal(
    State(web): State<Web>,
    Extension(who): Extension<SignedIn>,
    Path(id): Path<String>,
) -> ApiResult<Json<DisposalView>> {
    Ok(Json(web.desks.disposal(&who.person, &disposal_id(&id)?).await?))
}

/// Agrees to it, or not; a yes is carried out behind the answer.
#[utoipa::path(post, path = "/api/v1/disposals/{id}/decide", params(("id" = String, Path)), request_body = DecisionBody, responses((status = 200, body = Disposal), (status = 403, body = Problem)))]
pub async fn decide(
    State(web): State<Web>,
    Extension(who): Extension<SignedIn>,
    Path(id): Path<String>,
    body: Result<Json<DecisionBody>, JsonRejection>,
) -> ApiResult<Json<Disposal>> {
    let Json(body) = body?;
    Ok(Json(web.desks.decide_disposal(&who.person, &disposal_id(&id)?, body.approved, body.reason.as_deref()).await?))
}

/// Closes one that was carried out: every copy on discs and disks is entered as destroyed, or `reason` says why some stay.
#[utoipa::path(post, path = "/api/v1/disposals/{id}/close", params(("id" = String, Path)), request_body = CloseBody, responses((status = 200, body = Disposal), (status = 403, body = Problem), (status = 409, body = Problem)))]
pub async fn close(
    State(web): State<Web>,
    Extension(who): Extension<SignedIn>,
    Path(id): Path<String>,
    body: Result<Json<CloseBody>, JsonRejection>,
) -> ApiResult<Json<Disposal>> {
    let Json(body) = body?;
    Ok(Json(web.desks.close_disposal(&who.person, &disposal_id(&id)?, body.reason.as_deref()).await?))
}

/// What is known of the clock.
#[utoipa::path(get, path = "/api/v1/clock", responses((status = 200, body = ClockTrust)))]
pub async fn clock(State(web): State<Web>) -> Json<ClockTrust> {
    Json(web.desks.clock_trust())
}

/// Says that the date is right, after it was in doubt.
#[utoipa::path(post, path = "/api/v1/clock/confirm", request_body = ReasonBody, responses((status = 200, body = ClockTrust), (status = 403, body = Problem)))]
pub async fn confirm_clock(
    State(web): State<Web>,
    Extension(who): Extension<SignedIn>,
    body: Result<Json<ReasonBody>, JsonRejection>,
) -> ApiResult<Json<ClockTrust>> {
    let Json(body) = body?;
    Ok(Json(web.desks.confirm_clock(&who.person, &body.reason).await?))
}
