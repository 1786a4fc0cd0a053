//! Before the sessions: plans, and the officers whom a session can name. The description of the API lists them under `desk`, as it always
//! did: programs are made of it.

use crate::desks::facts::Registered;
use crate::desks::logins::SignedIn;
use crate::desks::plans::{NewPlan, PlanRow};
use crate::model::facts::Facts;
use crate::model::ids::{PlanId, RoomId};
use crate::model::plan::Plan;
use crate::model::session::SessionKind;
use crate::web::error::{ApiResult, Problem};
use crate::web::{Web, asked};
use axum::extract::rejection::JsonRejection;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::{Extension, Json};
use chrono::{DateTime, Utc};
use serde::Deserialize;

/// Plans to come, and plans that nobody kept.
#[utoipa::path(get, path = "/api/v1/plans", tag = "desk", operation_id = "plans", responses((status = 200, body = Vec<PlanRow>), (status = 403, body = Problem)))]
pub async fn list(State(web): State<Web>, Extension(who): Extension<SignedIn>) -> ApiResult<Json<Vec<PlanRow>>> {
    Ok(Json(web.desks.plans(&who.person).await?))
}

/// A plan.
#[derive(Deserialize, utoipa::ToSchema)]
pub struct PlanRequest {
    room: String,
    at: DateTime<Utc>,
    kind: Option<SessionKind>,
    #[serde(flatten)]
    facts: Facts,
}

/// Plans a session.
#[utoipa::path(post, path = "/api/v1/plans", tag = "desk", request_body = PlanRequest, responses((status = 201, body = Plan), (status = 422, body = Problem)))]
pub async fn plan(
    State(web): State<Web>,
    Extension(who): Extension<SignedIn>,
    body: Result<Json<PlanRequest>, JsonRejection>,
) -> ApiResult<(StatusCode, Json<Plan>)> {
    let Json(r) = body?;
    let room = asked::id("room", &r.room, RoomId::new)?;
    let new = NewPlan { room, at: r.at, kind: r.kind.unwrap_or(SessionKind::Interview), facts: r.facts };
    Ok((StatusCode::CREATED, Json(web.desks.plan(&who.person, new).await?)))
}

/// Why.
#[derive(Deserialize, utoipa::ToSchema)]
pub struct CallOffRequest {
    reason: String,
}

/// Calls a plan off, or says why it was not kept.
#[utoipa::path(post, path = "/api/v1/plans/{id}/call-off", tag = "desk", params(("id" = String, Path)), request_body = CallOffRequest, responses((status = 200, body = Plan), (status = 409, body = Problem)))]
pub async fn call_off(
    State(web): State<Web>,
    Extension(who): Extension<SignedIn>,
    Path(id): Path<String>,
    body: Result<Json<CallOffRequest>, JsonRejection>,
) -> ApiResult<Json<Plan>> {
    let Json(r) = body?;
    Ok(Json(web.desks.call_off(&who.person, &asked::id("plan", &id, PlanId::new)?, &r.reason).await?))
}

/// The officers whom a session can name.
#[utoipa::path(get, path = "/api/v1/officers", tag = "desk", responses((status = 200, body = Vec<Registered>), (status = 403, body = Problem)))]
pub async fn officers(State(web): State<Web>, Extension(who): Extension<SignedIn>) -> ApiResult<Json<Vec<Registered>>> {
    Ok(Json(web.desks.officers_of_register(&who.person).await?))
}
