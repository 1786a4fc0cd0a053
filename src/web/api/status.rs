//! Status, its stream, the log, health and figures.

use crate::desks::custody::AnchorSheet;
use crate::desks::logins::SignedIn;
use crate::desks::reports::{LogPlace, LogRow};
use crate::model::status::Status;
use crate::web::Web;
use crate::web::error::{ApiResult, Problem};
use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use axum::http::{StatusCode, header};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use futures::Stream;
use serde::{Deserialize, Serialize};
use std::convert::Infallible;
use std::time::Duration;

/// How often the status is pushed.
const PUSH: Duration = Duration::from_secs(1);

/// A room's name.
#[derive(Serialize, utoipa::ToSchema)]
pub struct RoomName {
    id: String,
    name: String,
}

/// The rooms.
#[utoipa::path(get, path = "/api/v1/rooms", responses((status = 200, body = Vec<RoomName>)))]
pub async fn rooms(State(web): State<Web>) -> Json<Vec<RoomName>> {
    Json(web.desks.rooms().into_iter().map(|(id, name)| RoomName { id, name }).collect())
}

/// Rooms, cameras and machine, without pictures.
#[utoipa::path(get, path = "/api/v1/status", responses((status = 200, body = Status), (status = 403, body = Problem)))]
pub async fn status(State(web): State<Web>, Extension(who): Extension<SignedIn>) -> ApiResult<Json<Status>> {
    Ok(Json(web.desks.status(&who.person)?))
}

/// The status each second, as server-sent events; ends with the account.
#[utoipa::path(get, path = "/api/v1/events", responses((status = 200, content_type = "text/event-stream", body = String)))]
pub async fn events(State(web): State<Web>, Extension(who): Extension<SignedIn>) -> Sse<impl Stream<Item = Result<Event, Infallible>>> {
    let pushes = futures::stream::unfold((web, who), |(web, who)| async move {
        tokio::time::sleep(PUSH).await;
        let person = web.desks.is_still(&who).await.ok()?;
        let status = web.desks.status(&person).ok()?;
        let event = Event::default().event("status").json_data(&status).unwrap_or_default();
        Some((Ok(event), (web, who)))
    });
    Sse::new(pushes).keep_alive(KeepAlive::default())
}

/// Which part of the log.
#[derive(Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub struct LogQuery {
    /// Only entries with a smaller index.
    before: Option<u64>,
    /// Only of this session.
    session: Option<String>,
}

/// The custody log, newest first.
#[utoipa::path(get, path = "/api/v1/log", params(LogQuery), responses((status = 200, body = Vec<LogRow>), (status = 403, body = Problem)))]
pub async fn log(
    State(web): State<Web>,
    Extension(who): Extension<SignedIn>,
    query: Result<Query<LogQuery>, QueryRejection>,
) -> ApiResult<Json<Vec<LogRow>>> {
    let Query(q) = query?;
    let place = q.before.map_or(LogPlace::Newest, LogPlace::Before);
    let part = web.desks.log(&who.person, place, q.session.as_deref()).await?;
    // Nothing before it is an empty list: who reads on page by page ends there.
    Ok(Json(part.rows.into_iter().filter(|r| q.before.is_none_or(|before| r.number < before)).collect()))
}

/// The log's newest head, signed (C2SP tlog-checkpoint).
#[utoipa::path(get, path = "/api/v1/log/head", responses((status = 200, content_type = "text/plain", body = String), (status = 403, body = Problem)))]
pub async fn log_head(State(web): State<Web>, Extension(who): Extension<SignedIn>) -> ApiResult<String> {
    Ok(web.desks.log_head(&who.person).await?)
}

/// The proof that an entry is in the log (C2SP tlog-proof).
#[utoipa::path(get, path = "/api/v1/log/{index}/proof", params(("index" = u64, Path)), responses((status = 200, content_type = "text/plain", body = String), (status = 404, body = Problem)))]
pub async fn log_proof(
    State(web): State<Web>,
    Extension(who): Extension<SignedIn>,
    index: Result<Path<u64>, PathRejection>,
) -> ApiResult<Response> {
    let Path(index) = index?;
    let (_, proof) = web.desks.log_proof(&who.person, index).await?;
    let name = format!("attachment; filename=\"{index}.tlog-proof\"");
    Ok(([(header::CONTENT_TYPE, "text/plain; charset=utf-8"), (header::CONTENT_DISPOSITION, name.as_str())], proof).into_response())
}

/// An entry, byte for byte as its leaf hash is made of it.
#[utoipa::path(get, path = "/api/v1/log/{index}", params(("index" = u64, Path)), responses((status = 200, body = crate::model::entry::Entry), (status = 404, body = Problem)))]
pub async fn log_entry(
    State(web): State<Web>,
    Extension(who): Extension<SignedIn>,
    index: Result<Path<u64>, PathRejection>,
) -> ApiResult<Response> {
    let Path(index) = index?;
    let (entry, _) = web.desks.log_proof(&who.person, index).await?;
    Ok(([(header::CONTENT_TYPE, "application/json")], entry).into_response())
}

/// Which day's anchor sheet.
#[derive(Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub struct AnchorQuery {
    day: Option<chrono::NaiveDate>,
}

/// The anchor sheet of a day (Asia/Shanghai), made now.
#[utoipa::path(get, path = "/api/v1/log/anchor", params(AnchorQuery), responses((status = 200, body = AnchorSheet), (status = 403, body = Problem)))]
pub async fn anchor(
    State(web): State<Web>,
    Extension(who): Extension<SignedIn>,
    query: Result<Query<AnchorQuery>, QueryRejection>,
) -> ApiResult<Json<AnchorSheet>> {
    let Query(q) = query?;
    Ok(Json(web.desks.anchor_sheet(&who.person, q.day).await?))
}

/// Whether the process is well.
#[derive(Serialize, utoipa::ToSchema)]
pub struct Health {
    well: bool,
    faults: usize,
}

/// Whether the process is well: 200 or 503. How many faults; what they are is for people who sign in.
#[utoipa::path(get, path = "/healthz", responses((status = 200, body = Health), (status = 503, body = Health)))]
pub async fn healthz(State(web): State<Web>) -> (StatusCode, Json<Health>) {
    match web.desks.health() {
        Ok(()) => (StatusCode::OK, Json(Health { well: true, faults: 0 })),
        Err(faults) => (StatusCode::SERVICE_UNAVAILABLE, Json(Health { well: false, faults: faults.len() })),
    }
}

/// Figures for Prometheus.
#[utoipa::path(get, path = "/metrics", responses((status = 200, content_type = "text/plain", body = String)))]
pub async fn metrics(State(web): State<Web>) -> Response {
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4")], web.desks.metrics().await).into_response()
}
