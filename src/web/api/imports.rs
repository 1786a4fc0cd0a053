//! Taking in recordings of portable devices (第十四条). An upload goes in pieces, each durable when it is answered; one that broke off
//! goes on where it was.

use crate::desks::imports::{ImportsView, NewImport};
use crate::desks::logins::SignedIn;
use crate::model::ids::{ImportId, SessionId};
use crate::model::import::{Arrival, ImportForm};
use crate::model::session::Session;
use crate::web::error::{ApiResult, Problem};
use crate::web::{Web, asked};
use axum::extract::rejection::{JsonRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::{Extension, Json};
use bytes::Bytes;
use chrono::{DateTime, Utc};
use serde::Deserialize;

/// A file that is to be uploaded.
#[derive(Deserialize, utoipa::ToSchema)]
pub struct ImportBody {
    /// Its name.
    name: String,
    /// Its length.
    bytes: u64,
    /// When it was last written, ms since 1970.
    #[serde(default)]
    modified_ms: Option<i64>,
    /// What is said of it; all of it may come later.
    #[serde(default)]
    form: ImportForm,
}

/// Where a piece belongs.
#[derive(Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Offset {
    /// How many bytes come before it.
    offset: u64,
}

/// What is corrected.
#[derive(Deserialize, utoipa::ToSchema)]
pub struct CorrectionBody {
    /// 执法记录设备编号.
    #[serde(default)]
    device_no: Option<String>,
    /// 使用时间.
    #[serde(default)]
    used_at: Option<DateTime<Utc>>,
    /// Why.
    #[serde(default)]
    reason: String,
}

fn id_of(id: &str) -> Result<ImportId, crate::model::refusal::Refusal> {
    asked::id("import", id, ImportId::new)
}

/// What is under way, and what came in today.
#[utoipa::path(get, path = "/api/v1/imports", responses((status = 200, body = ImportsView), (status = 403, body = Problem)))]
pub async fn list(State(web): State<Web>, Extension(who): Extension<SignedIn>) -> ApiResult<Json<ImportsView>> {
    Ok(Json(web.desks.imports(&who.person).await?))
}

/// Begins an upload; of a file of the same name, length and date it gives the one that has begun, and `received` says where to go on.
#[utoipa::path(post, path = "/api/v1/imports", request_body = ImportBody, responses((status = 201, body = Arrival), (status = 422, body = Problem)))]
pub async fn begin(
    State(web): State<Web>,
    Extension(who): Extension<SignedIn>,
    body: Result<Json<ImportBody>, JsonRejection>,
) -> ApiResult<(StatusCode, Json<Arrival>)> {
    let Json(b) = body?;
    let file_time = b.modified_ms.and_then(DateTime::from_timestamp_millis);
    let new = NewImport { file_name: b.name, bytes: b.bytes, file_time, form: b.form };
    Ok((StatusCode::CREATED, Json(web.desks.begin_import(&who.person, new).await?)))
}

/// Where one stands: how many bytes have arrived, or what became of it, with the SHA-256 of what arrived.
#[utoipa::path(get, path = "/api/v1/imports/{id}", params(("id" = String, Path)), responses((status = 200, body = Arrival), (status = 404, body = Problem)))]
pub async fn show(State(web): State<Web>, Extension(who): Extension<SignedIn>, Path(id): Path<String>) -> ApiResult<Json<Arrival>> {
    Ok(Json(web.desks.import(&who.person, &id_of(&id)?).await?))
}

/// A piece, of at most 8 MB; it is durable when this answers. 409 tells where to go on.
#[utoipa::path(patch, path = "/api/v1/imports/{id}", params(("id" = String, Path), Offset), request_body(content = Vec<u8>, content_type = "application/octet-stream"), responses((status = 200, body = Arrival), (status = 409, body = Problem)))]
pub async fn piece(
    State(web): State<Web>,
    Extension(who): Extension<SignedIn>,
    Path(id): Path<String>,
    query: Result<Query<Offset>, QueryRejection>,
    piece: Bytes,
) -> ApiResult<Json<Arrival>> {
    let offset = query?.0.offset;
    Ok(Json(web.desks.add_piece(&who.person, &id_of(&id)?, offset, piece).await?))
}

/// Gives an upload up, or takes a line that was read off the list.
#[utoipa::path(post, path = "/api/v1/imports/{id}/cancel", params(("id" = String, Path)), responses((status = 204), (status = 409, body = Problem)))]
pub async fn cancel(State(web): State<Web>, Extension(who): Extension<SignedIn>, Path(id): Path<String>) -> ApiResult<StatusCode> {
    web.desks.cancel_import(&who.person, &id_of(&id)?).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Tries once more what the machine failed at.
#[utoipa::path(post, path = "/api/v1/imports/{id}/retry", params(("id" = String, Path)), responses((status = 200, body = Arrival), (status = 404, body = Problem)))]
pub async fn retry(State(web): State<Web>, Extension(who): Extension<SignedIn>, Path(id): Path<String>) -> ApiResult<Json<Arrival>> {
    Ok(Json(web.desks.retry_import(&who.person, &id_of(&id)?).await?))
}

/// Corrects the device's number or the time of use of something that was taken in; what was sealed stays beside it.
#[utoipa::path(post, path = "/api/v1/sessions/{id}/correction", params(("id" = String, Path)), request_body = CorrectionBody, responses((status = 200, body = Session), (status = 422, body = Problem)))]
pub async fn correct(
    State(web): State<Web>,
    Extension(who): Extension<SignedIn>,
    Path(id): Path<String>,
    body: Result<Json<CorrectionBody>, JsonRejection>,
) -> ApiResult<Json<Session>> {
    let Json(b) = body?;
    let id = asked::id("session", &id, SessionId::new)?;
    Ok(Json(web.desks.correct_import(&who.person, &id, b.device_no.as_deref(), b.used_at, &b.reason).await?))
}
