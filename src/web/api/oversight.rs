//! For who oversees: the viewing log, the quarter's approvals with what came of them, the month's supervision report. The description of the
//! API lists them where it always did: programs are made of it.

use crate::desks::logins::SignedIn;
use crate::desks::oversight::{Oversight, OversightSearch, Reviewed};
use crate::desks::supervision::Supervision;
use crate::web::Web;
use crate::web::error::{ApiResult, Problem};
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::{Extension, Json};
use serde::Deserialize;

/// Who saw what, when, for how long and by whose leave.
#[utoipa::path(get, path = "/api/v1/oversight", tag = "provision", params(OversightSearch), responses((status = 200, body = Oversight), (status = 403, body = Problem)))]
pub async fn oversight(
    State(web): State<Web>,
    Extension(who): Extension<SignedIn>,
    query: Result<Query<OversightSearch>, QueryRejection>,
) -> ApiResult<Json<Oversight>> {
    Ok(Json(web.desks.oversight(&who.person, &query?.0).await?))
}

/// Which quarter.
#[derive(Default, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(default)]
pub struct Quarter {
    /// `2026-4`; this one without it.
    quarter: Option<String>,
}

/// Every approval of a quarter with what came of it.
#[utoipa::path(get, path = "/api/v1/oversight/review", tag = "provision", params(Quarter), responses((status = 200, body = Vec<Reviewed>), (status = 403, body = Problem)))]
pub async fn review(
    State(web): State<Web>,
    Extension(who): Extension<SignedIn>,
    query: Result<Query<Quarter>, QueryRejection>,
) -> ApiResult<Json<Vec<Reviewed>>> {
    Ok(Json(web.desks.review(&who.person, query?.0.quarter.as_deref()).await?.1))
}

/// Which month.
#[derive(Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub struct MonthQuery {
    /// `2026-11`; none: this one.
    month: Option<String>,
}

/// A month by unit and by officer.
#[utoipa::path(get, path = "/api/v1/supervision", tag = "desk", params(MonthQuery), responses((status = 200, body = Supervision), (status = 422, body = Problem)))]
pub async fn supervision(
    State(web): State<Web>,
    Extension(who): Extension<SignedIn>,
    query: Result<Query<MonthQuery>, QueryRejection>,
) -> ApiResult<Json<Supervision>> {
    let Query(q) = query?;
    Ok(Json(web.desks.supervision(&who.person, q.month.as_deref()).await?))
}
