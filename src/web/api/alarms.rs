//! Alarms for other systems.

use crate::desks::alarms::AlarmSearch;
use crate::desks::logins::SignedIn;
use crate::model::alarm::AlarmRow;
use crate::web::Web;
use crate::web::error::{ApiResult, Problem};
use axum::extract::rejection::JsonRejection;
use axum::extract::{Path, Query, State};
use axum::{Extension, Json};
use serde::Deserialize;

/// Which alarms.
#[derive(Default, Deserialize)]
pub struct AlarmsQuery {
    #[serde(default)]
    open: bool,
    kind: Option<String>,
    room: Option<String>,
    from: Option<String>,
    until: Option<String>,
}

/// Alarms, newest first: all, or of a kind, a room and some days (`2026-11-23`, in Shanghai), or those that are open.
#[utoipa::path(get, path = "/api/v1/alarms", params(("open" = Option<bool>, Query), ("kind" = Option<String>, Query), ("room" = Option<String>, Query), ("from" = Option<String>, Query), ("until" = Option<String>, Query)), responses((status = 200, body = Vec<AlarmRow>), (status = 403, body = Problem), (status = 422, body = Problem)))]
pub async fn list(
    State(web): State<Web>,
    Extension(who): Extension<SignedIn>,
    Query(q): Query<AlarmsQuery>,
) -> ApiResult<Json<Vec<AlarmRow>>> {
    let search = AlarmSearch { open: q.open, ..AlarmSearch::typed(q.kind, q.room, q.from, q.until)? };
    Ok(Json(web.desks.alarms(&who.person, &search).await?))
}

/// What somebody says to an alarm.
#[derive(Deserialize, utoipa::ToSchema)]
pub struct AcknowledgeRequest {
    /// Of a room in use: what for, and why nothing was recorded; it has to be said. Of others: anything, or nothing.
    #[serde(default)]
    reason: String,
}

/// Acknowledges an alarm.
#[utoipa::path(post, path = "/api/v1/alarms/{id}/acknowledge", params(("id" = String, Path)), request_body = AcknowledgeRequest, responses((status = 200, body = AlarmRow), (status = 404, body = Problem), (status = 422, body = Problem)))]
pub async fn acknowledge(
    State(web): State<Web>,
    Extension(who): Extension<SignedIn>,
    Path(id): Path<String>,
    body: Result<Json<AcknowledgeRequest>, JsonRejection>,
) -> ApiResult<Json<AlarmRow>> {
    let Json(r) = body?;
    Ok(Json(web.desks.acknowledge_alarm(&who.person, &id, &r.reason).await?))
}
