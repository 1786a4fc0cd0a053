//! How the archive stands.

use crate::desks::archive::ArchiveView;
use crate::desks::logins::SignedIn;
use crate::web::Web;
use crate::web::error::{ApiResult, Problem};
use axum::extract::State;
use axum::http::StatusCode;
use axum::{Extension, Json};

/// How the archive stands.
#[utoipa::path(get, path = "/api/v1/archive", responses((status = 200, body = ArchiveView), (status = 403, body = Problem)))]
pub async fn show(State(web): State<Web>, Extension(who): Extension<SignedIn>) -> ApiResult<Json<ArchiveView>> {
    Ok(Json(web.desks.archive_view(&who.person).await?))
}

/// Has everything in the archive read again.
#[utoipa::path(post, path = "/api/v1/archive/verify", responses((status = 202), (status = 403, body = Problem)))]
pub async fn verify(State(web): State<Web>, Extension(who): Extension<SignedIn>) -> ApiResult<StatusCode> {
    web.desks.verify_archive(&who.person).await?;
    Ok(StatusCode::ACCEPTED)
}
