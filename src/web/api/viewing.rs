//! Looking at footage, and taking copies: under a live grant alone (第二十二条).

use crate::desks::logins::SignedIn;
use crate::desks::loudness::Measured;
use crate::desks::packages::PackageMade;
use crate::desks::viewing::{Footage, Viewing};
use crate::desks::{Answer, No};
use crate::model::copy::{Copy as CopyOf, Order};
use crate::model::ids::{CameraId, CopyId, SessionId, ViewingId};
use crate::model::refusal::Refusal;
use crate::web::error::{ApiResult, Problem};
use crate::web::refusals::wants_page;
use crate::web::{Web, asked};
use axum::body::Body;
use axum::extract::rejection::{JsonRejection, PathRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};
use axum::{Extension, Json};
use serde::Deserialize;

/// Opens a viewing.
#[utoipa::path(post, path = "/api/v1/sessions/{id}/viewings", params(("id" = String, Path)), responses((status = 201, body = Viewing), (status = 403, body = Problem)))]
pub async fn open(
    State(web): State<Web>,
    Extension(who): Extension<SignedIn>,
    Path(id): Path<String>,
) -> ApiResult<(StatusCode, Json<Viewing>)> {
    let viewing = web.desks.open_viewing(&who.person, &asked::id("session", &id, SessionId::new)?).await?;
    Ok((StatusCode::CREATED, Json(viewing)))
}

/// From where on.
#[derive(Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Entry {
    /// The moment that has to be shown, ms from the file's beginning; then it begins at the last key picture before it.
    #[serde(default)]
    from_ms: u64,
}

/// One file of an open viewing, or with `Range: bytes=…` a part of it.
#[utoipa::path(get, path = "/api/v1/viewings/{id}/{camera}/{sequence}", params(("id" = String, Path), ("camera" = String, Path), ("sequence" = u32, Path), Entry), responses((status = 200, content_type = "video/mp4", body = Vec<u8>), (status = 206, content_type = "video/mp4", body = Vec<u8>), (status = 403, body = Problem)))]
pub async fn segment(
    State(web): State<Web>,
    Extension(who): Extension<SignedIn>,
    path: Result<Path<(String, String, u32)>, PathRejection>,
    entry: Result<Query<Entry>, QueryRejection>,
    headers: HeaderMap,
) -> ApiResult<Response> {
    let (Path((id, camera, sequence)), Query(Entry { from_ms })) = (path?, entry?);
    let (id, camera) = (asked::id("viewing", &id, ViewingId::new)?, asked::id("camera", &camera, CameraId::new)?);
    let range = range_of(&headers);
    let found = web.desks.view_segment(&who.person, &id, (&camera, sequence), from_ms, range).await?;
    let (footage, from, whole, media_type) = found;
    let mut response = ranged(footage, from, whole, range.is_some() && from_ms == 0, media_type, &format!("{id}-{camera}-{sequence}"));
    // Looked at, not taken along.
    response.headers_mut().insert(header::CONTENT_DISPOSITION, HeaderValue::from_static("inline"));
    Ok(response)
}

/// Seconds.
#[derive(Deserialize, utoipa::ToSchema)]
pub struct Seen {
    seconds: u32,
}

/// Tells how many seconds were shown since it was last told.
#[utoipa::path(post, path = "/api/v1/viewings/{id}/seen", params(("id" = String, Path)), request_body = Seen, responses((status = 204), (status = 403, body = Problem)))]
pub async fn seen(
    State(web): State<Web>,
    Extension(who): Extension<SignedIn>,
    Path(id): Path<String>,
    body: Result<Json<Seen>, JsonRejection>,
) -> ApiResult<StatusCode> {
    let Json(seen) = body?;
    web.desks.viewing_seen(&who.person, &asked::id("viewing", &id, ViewingId::new)?, seen.seconds).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Ends a viewing.
#[utoipa::path(post, path = "/api/v1/viewings/{id}/close", params(("id" = String, Path)), responses((status = 204), (status = 404, body = Problem)))]
pub async fn close(State(web): State<Web>, Extension(who): Extension<SignedIn>, Path(id): Path<String>) -> ApiResult<StatusCode> {
    web.desks.close_viewing(&who.person, &asked::id("viewing", &id, ViewingId::new)?).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// A person who followed a link and has to show again that it is them is led to where that is done, and from there back to the
/// session's page; a program is told in its own words.
fn or_prove(headers: &HeaderMap, session: &SessionId, asked: Answer<Footage>, tell: impl Fn(Footage) -> Response) -> ApiResult<Response> {
    let follows = wants_page(headers);
    match asked {
        Err(No::Refusal(Refusal::ProveAgain)) if follows => Ok(Redirect::to(&format!("/prove?back=/sessions/{session}")).into_response()),
        other => Ok(tell(other?)),
    }
}

/// A copy of one original file; its SHA-256 stands in `X-Sha256`.
#[utoipa::path(get, path = "/api/v1/sessions/{id}/copy/{camera}/{sequence}", params(("id" = String, Path), ("camera" = String, Path), ("sequence" = u32, Path)), responses((status = 200, content_type = "video/mp4", body = Vec<u8>), (status = 303, description = "a browser has to prove again"), (status = 403, body = Problem)))]
pub async fn copy_segment(
    State(web): State<Web>,
    Extension(who): Extension<SignedIn>,
    headers: HeaderMap,
    path: Result<Path<(String, String, u32)>, PathRejection>,
) -> ApiResult<Response> {
    let Path((id, camera, sequence)) = path?;
    let (id, camera) = (asked::id("session", &id, SessionId::new)?, asked::id("camera", &camera, CameraId::new)?);
    or_prove(&headers, &id, web.desks.copy_segment(&who.person, &id, &camera, sequence).await, |f| {
        let media_type = crate::model::import::media_type(&f.name);
        stream(f, media_type, None)
    })
}

/// A camera's whole session as one file: a derived viewing copy.
#[utoipa::path(get, path = "/api/v1/sessions/{id}/copy/{camera}/joined", params(("id" = String, Path), ("camera" = String, Path)), responses((status = 200, content_type = "video/mp4", body = Vec<u8>), (status = 303, description = "a browser has to prove again"), (status = 403, body = Problem)))]
pub async fn copy_joined(
    State(web): State<Web>,
    Extension(who): Extension<SignedIn>,
    headers: HeaderMap,
    Path((id, camera)): Path<(String, String)>,
) -> ApiResult<Response> {
    let (id, camera) = (asked::id("session", &id, SessionId::new)?, asked::id("camera", &camera, CameraId::new)?);
    or_prove(&headers, &id, web.desks.copy_joined(&who.person, &id, &camera).await, |f| stream(f, "video/mp4", Some("viewing copy")))
}

/// The manifest, its signature, the signer's key or the journal.
#[utoipa::path(get, path = "/api/v1/sessions/{id}/copy/papers/{name}", params(("id" = String, Path), ("name" = String, Path)), responses((status = 200, content_type = "application/octet-stream", body = Vec<u8>), (status = 303, description = "a browser has to prove again"), (status = 403, body = Problem)))]
pub async fn copy_paper(
    State(web): State<Web>,
    Extension(who): Extension<SignedIn>,
    headers: HeaderMap,
    Path((id, name)): Path<(String, String)>,
) -> ApiResult<Response> {
    let id = asked::id("session", &id, SessionId::new)?;
    or_prove(&headers, &id, web.desks.copy_paper(&who.person, &id, &name).await, |f| stream(f, "application/octet-stream", None))
}

/// Makes a session's package for hand-over ready; it is fetched from `/api/v1/packages/{id}`.
#[utoipa::path(post, path = "/api/v1/sessions/{id}/package", params(("id" = String, Path)), responses((status = 201, body = PackageMade), (status = 403, body = Problem)))]
pub async fn make_package(
    State(web): State<Web>,
    Extension(who): Extension<SignedIn>,
    Path(id): Path<String>,
) -> ApiResult<(StatusCode, Json<PackageMade>)> {
    let made = web.desks.make_package(&who.person, &asked::id("session", &id, SessionId::new)?).await?;
    Ok((StatusCode::CREATED, Json(made)))
}

/// A package, or with `Range: bytes=…` a part of it (RFC 9110, 14), so that a download that broke off goes on.
#[utoipa::path(get, path = "/api/v1/packages/{id}", params(("id" = String, Path)), responses((status = 200, content_type = "application/x-tar", body = Vec<u8>), (status = 206, content_type = "application/x-tar", body = Vec<u8>), (status = 403, body = Problem)))]
pub async fn fetch_package(
    State(web): State<Web>,
    Extension(who): Extension<SignedIn>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> ApiResult<Response> {
    let range = range_of(&headers);
    let (footage, from, whole) = web.desks.fetch_package(&who.person, &id, range).await?;
    Ok(ranged(footage, from, whole, range.is_some(), "application/x-tar", &id))
}

/// The range that a browser asks for.
pub(super) fn range_of(headers: &HeaderMap) -> Option<(u64, Option<u64>)> {
    headers.get(header::RANGE).and_then(|r| r.to_str().ok()).and_then(range)
}

/// A whole, or the part of it that was asked for.
pub(super) fn ranged(footage: Footage, from: u64, whole: u64, part: bool, media_type: &'static str, tag: &str) -> Response {
    let last = from + footage.bytes - 1;
    let mut response = stream(footage, media_type, None);
    response.headers_mut().insert(header::ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    response.headers_mut().insert(header::ETAG, HeaderValue::from_str(&format!("\"{tag}\"")).unwrap_or(HeaderValue::from_static("")));
    if part {
        *response.status_mut() = StatusCode::PARTIAL_CONTENT;
        if let Ok(said) = HeaderValue::from_str(&format!("bytes {from}-{last}/{whole}")) {
            response.headers_mut().insert(header::CONTENT_RANGE, said);
        }
    }
    response
}

/// Which moment.
#[derive(Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Moment {
    /// On the session's time line, ms.
    at_ms: u64,
}

/// A still picture of a camera, with the viewer's name burnt in.
#[utoipa::path(get, path = "/api/v1/viewings/{id}/{camera}/still", params(("id" = String, Path), ("camera" = String, Path), Moment), responses((status = 200, content_type = "image/jpeg", body = Vec<u8>), (status = 403, body = Problem)))]
pub async fn still(
    State(web): State<Web>,
    Extension(who): Extension<SignedIn>,
    Path((id, camera)): Path<(String, String)>,
    moment: Result<Query<Moment>, QueryRejection>,
) -> ApiResult<Response> {
    let (id, camera) = (asked::id("viewing", &id, ViewingId::new)?, asked::id("camera", &camera, CameraId::new)?);
    let (data, name) = web.desks.still(&who.person, &id, &camera, moment?.0.at_ms).await?;
    let head = [(header::CONTENT_TYPE, "image/jpeg".to_owned()), (header::CONTENT_DISPOSITION, format!("attachment; filename=\"{name}\""))];
    Ok((head, data).into_response())
}

/// How loud a camera's sound is over the session; asked for again while it is being measured.
#[utoipa::path(get, path = "/api/v1/viewings/{id}/{camera}/loudness", params(("id" = String, Path), ("camera" = String, Path)), responses((status = 200, body = Measured), (status = 403, body = Problem)))]
pub async fn loudness(
    State(web): State<Web>,
    Extension(who): Extension<SignedIn>,
    Path((id, camera)): Path<(String, String)>,
) -> ApiResult<Json<Measured>> {
    let (id, camera) = (asked::id("viewing", &id, ViewingId::new)?, asked::id("camera", &camera, CameraId::new)?);
    Ok(Json(web.desks.loudness(&who.person, &id, &camera).await?))
}

/// Orders a copy that this browser can show, where it cannot show the original.
#[utoipa::path(post, path = "/api/v1/viewings/{id}/{camera}/derive", params(("id" = String, Path), ("camera" = String, Path)), responses((status = 202, body = CopyOf), (status = 403, body = Problem)))]
pub async fn derive(
    State(web): State<Web>,
    Extension(who): Extension<SignedIn>,
    Path((id, camera)): Path<(String, String)>,
) -> ApiResult<(StatusCode, Json<CopyOf>)> {
    let (id, camera) = (asked::id("viewing", &id, ViewingId::new)?, asked::id("camera", &camera, CameraId::new)?);
    Ok((StatusCode::ACCEPTED, Json(web.desks.order_for_player(&who.person, &id, &camera).await?)))
}

/// Orders a viewing copy; needs a grant for copies.
#[utoipa::path(post, path = "/api/v1/sessions/{id}/copies", params(("id" = String, Path)), request_body = Order, responses((status = 202, body = CopyOf), (status = 403, body = Problem), (status = 422, body = Problem)))]
pub async fn order(
    State(web): State<Web>,
    Extension(who): Extension<SignedIn>,
    Path(id): Path<String>,
    body: Result<Json<Order>, JsonRejection>,
) -> ApiResult<(StatusCode, Json<CopyOf>)> {
    let session = asked::id("session", &id, SessionId::new)?;
    Ok((StatusCode::ACCEPTED, Json(web.desks.order_copy(&who.person, &session, body?.0).await?)))
}

/// One's own copies.
#[utoipa::path(get, path = "/api/v1/copies", responses((status = 200, body = Vec<CopyOf>)))]
pub async fn copies(State(web): State<Web>, Extension(who): Extension<SignedIn>) -> ApiResult<Json<Vec<CopyOf>>> {
    Ok(Json(web.desks.copies(&who.person).await?))
}

/// How far one is.
#[utoipa::path(get, path = "/api/v1/copies/{id}", params(("id" = String, Path)), responses((status = 200, body = CopyOf), (status = 404, body = Problem)))]
pub async fn copy(State(web): State<Web>, Extension(who): Extension<SignedIn>, Path(id): Path<String>) -> ApiResult<Json<CopyOf>> {
    Ok(Json(web.desks.copy(&who.person, &asked::id("copy", &id, CopyId::new)?).await?))
}

/// Stops one.
#[utoipa::path(post, path = "/api/v1/copies/{id}/cancel", params(("id" = String, Path)), responses((status = 200, body = CopyOf), (status = 409, body = Problem)))]
pub async fn cancel_copy(State(web): State<Web>, Extension(who): Extension<SignedIn>, Path(id): Path<String>) -> ApiResult<Json<CopyOf>> {
    Ok(Json(web.desks.cancel_copy(&who.person, &asked::id("copy", &id, CopyId::new)?).await?))
}

/// Goes on with one that was stopped.
#[utoipa::path(post, path = "/api/v1/copies/{id}/resume", params(("id" = String, Path)), responses((status = 200, body = CopyOf), (status = 409, body = Problem)))]
pub async fn resume_copy(State(web): State<Web>, Extension(who): Extension<SignedIn>, Path(id): Path<String>) -> ApiResult<Json<CopyOf>> {
    Ok(Json(web.desks.resume_copy(&who.person, &asked::id("copy", &id, CopyId::new)?).await?))
}

/// A copy's file, or a part of it.
#[utoipa::path(get, path = "/api/v1/copies/{id}/file", params(("id" = String, Path)), responses((status = 200, content_type = "video/mp4", body = Vec<u8>), (status = 206, content_type = "video/mp4", body = Vec<u8>), (status = 403, body = Problem)))]
pub async fn copy_file(
    State(web): State<Web>,
    Extension(who): Extension<SignedIn>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> ApiResult<Response> {
    let range = range_of(&headers);
    let (footage, from, whole, inline) = web.desks.copy_file(&who.person, &asked::id("copy", &id, CopyId::new)?, range).await?;
    let mut response = ranged(footage, from, whole, range.is_some(), "video/mp4", &id);
    response.headers_mut().insert("x-shilu-derived", HeaderValue::from_static("viewing copy"));
    if inline {
        response.headers_mut().insert(header::CONTENT_DISPOSITION, HeaderValue::from_static("inline"));
    }
    Ok(response)
}

/// `bytes=500-` or `bytes=500-999`; of anything else the whole is sent.
fn range(text: &str) -> Option<(u64, Option<u64>)> {
    let (from, last) = text.strip_prefix("bytes=")?.split_once('-')?;
    let last = if last.is_empty() { None } else { Some(last.parse().ok()?) };
    Some((from.parse().ok()?, last))
}

fn stream(footage: Footage, media_type: &'static str, derived: Option<&'static str>) -> Response {
    let mut response = Response::builder()
        .header(header::CONTENT_TYPE, media_type)
        .header(header::CONTENT_LENGTH, footage.bytes)
        .header(header::CONTENT_DISPOSITION, format!("attachment; filename=\"{}\"", footage.name));
    if let Some(sha256) = footage.sha256 {
        response = response.header("x-sha256", sha256);
    }
    if let Some(derived) = derived {
        response = response.header("x-shilu-derived", derived);
    }
    // The stream ends with what allows it, also while the other side does not take anything.
    let pieces = futures::stream::unfold(Some((footage.pieces, footage.live)), |state| async {
        let (mut pieces, mut live) = state?;
        let ended = || Some((Err(std::io::Error::other("the approval has ended")), None));
        tokio::select! {
            biased;
            () = live.over() => ended(),
            piece = pieces.recv() => piece.map(|piece| (piece, Some((pieces, live)))),
        }
    });
    response.body(Body::from_stream(pieces)).unwrap_or_default()
}
