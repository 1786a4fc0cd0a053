//! Status, its stream, the log, health and figures.

use crate::desks::accounts::SignedIn;
use crate::desks::reports::LogRow;
use crate::model::status::Status;
use crate::web::Web;
use crate::web::error::{ApiResult, Problem};
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
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
        let person = web.desks.fresh(&who.person).await.ok()?;
        let status = web.desks.status(&person).ok()?;
        let event = Event::default().event("status").json_data(&status).unwrap_or_default();
        Some((Ok(event), (web, who)))
    });
    Sse::new(pushes).keep_alive(KeepAlive::default())
}

/// Which part of the log.
#[derive(Deserialize, utoipa::IntoParams)]
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
    Ok(Json(web.desks.log(&who.person, q.before, q.session.as_deref()).await?))
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
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4")], web.desks.metrics()).into_response()
}
