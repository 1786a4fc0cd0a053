//! Around the sessions: plans, the register of officers, the supervision report.

use crate::desks::facts::Registered;
use crate::desks::logins::SignedIn;
use crate::desks::plans::{NewPlan, PlanRow};
use crate::desks::supervision::Supervision;
use crate::model::facts::Facts;
use crate::model::ids::{PlanId, RoomId};
use crate::model::plan::Plan;
use crate::model::session::SessionKind;
use crate::web::error::{ApiResult, Problem};
use crate::web::{Web, api};
use axum::extract::rejection::{JsonRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::{Extension, Json};
use chrono::{DateTime, Utc};
use serde::Deserialize;

/// Plans to come, and plans that nobody kept.
#[utoipa::path(get, path = "/api/v1/plans", responses((status = 200, body = Vec<PlanRow>), (status = 403, body = Problem)))]
pub async fn plans(State(web): State<Web>, Extension(who): Extension<SignedIn>) -> ApiResult<Json<Vec<PlanRow>>> {
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
#[utoipa::path(post, path = "/api/v1/plans", request_body = PlanRequest, responses((status = 201, body = Plan), (status = 422, body = Problem)))]
pub async fn plan(
    State(web): State<Web>,
    Extension(who): Extension<SignedIn>,
    body: Result<Json<PlanRequest>, JsonRejection>,
) -> ApiResult<(StatusCode, Json<Plan>)> {
    let Json(r) = body?;
    let room = api::id("room", &r.room, RoomId::new)?;
    let new = NewPlan { room, at: r.at, kind: r.kind.unwrap_or(SessionKind::Interview), facts: r.facts };
    Ok((StatusCode::CREATED, Json(web.desks.plan(&who.person, new).await?)))
}

/// Why.
#[derive(Deserialize, utoipa::ToSchema)]
pub struct CallOffRequest {
    reason: String,
}

/// Calls a plan off, or says why it was not kept.
#[utoipa::path(post, path = "/api/v1/plans/{id}/call-off", params(("id" = String, Path)), request_body = CallOffRequest, responses((status = 200, body = Plan), (status = 409, body = Problem)))]
pub async fn call_off(
    State(web): State<Web>,
    Extension(who): Extension<SignedIn>,
    Path(id): Path<String>,
    body: Result<Json<CallOffRequest>, JsonRejection>,
) -> ApiResult<Json<Plan>> {
    let Json(r) = body?;
    Ok(Json(web.desks.call_off(&who.person, &api::id("plan", &id, PlanId::new)?, &r.reason).await?))
}

/// The officers whom a session can name.
#[utoipa::path(get, path = "/api/v1/officers", responses((status = 200, body = Vec<Registered>), (status = 403, body = Problem)))]
pub async fn officers(State(web): State<Web>, Extension(who): Extension<SignedIn>) -> ApiResult<Json<Vec<Registered>>> {
    Ok(Json(web.desks.officers_of_register(&who.person).await?))
}

/// Which month.
#[derive(Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub struct MonthQuery {
    /// `2026-11`; none: this one.
    month: Option<String>,
}

/// A month by unit and by officer.
#[utoipa::path(get, path = "/api/v1/supervision", params(MonthQuery), responses((status = 200, body = Supervision), (status = 422, body = Problem)))]
pub async fn supervision(
    State(web): State<Web>,
    Extension(who): Extension<SignedIn>,
    query: Result<Query<MonthQuery>, QueryRejection>,
) -> ApiResult<Json<Supervision>> {
    let Query(q) = query?;
    Ok(Json(web.desks.supervision(&who.person, q.month.as_deref()).await?))
}
