//! Around a room: readiness, screens and lamps.

use crate::desks::logins::SignedIn;
use crate::desks::screens::LampState;
use crate::desks::wall::WALL;
use crate::model::ids::RoomId;
use crate::model::readiness::Readiness;
use crate::model::status::ScreenRow;
use crate::web::error::{ApiError, ApiResult, Problem};
use crate::web::pages::screen::gone;
use crate::web::refusals::wants_page;
use crate::web::{Web, asked};
use axum::extract::rejection::JsonRejection;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use serde::{Deserialize, Serialize};

/// Measures a room; takes some three seconds.
#[utoipa::path(get, path = "/api/v1/rooms/{room}/readiness", params(("room" = String, Path)), responses((status = 200, body = Readiness), (status = 404, body = Problem)))]
pub async fn readiness(
    State(web): State<Web>,
    Extension(who): Extension<SignedIn>,
    Path(room): Path<String>,
) -> ApiResult<Json<Readiness>> {
    Ok(Json(web.desks.readiness(&who.person, &asked::id("room", &room, RoomId::new)?).await?))
}

/// Links to screens, without their tokens.
#[utoipa::path(get, path = "/api/v1/screens", responses((status = 200, body = Vec<ScreenRow>), (status = 403, body = Problem)))]
pub async fn screens(State(web): State<Web>, Extension(who): Extension<SignedIn>) -> ApiResult<Json<Vec<ScreenRow>>> {
    Ok(Json(web.desks.screens(&who.person).await?))
}

/// For which room.
#[derive(Deserialize, utoipa::ToSchema)]
pub struct ScreenRequest {
    /// Its id, or `*` for the wall of all rooms.
    room: String,
}

/// A link that was made; it is told once.
#[derive(Serialize, utoipa::ToSchema)]
pub struct ScreenLink {
    /// `/screen/<token>`, and the lamp of the same room is at `/lamp/<token>`; or `/wall/<token>`.
    path: String,
}

/// Makes a link to a room's screen and lamp.
#[utoipa::path(post, path = "/api/v1/screens", request_body = ScreenRequest, responses((status = 201, body = ScreenLink), (status = 404, body = Problem)))]
pub async fn make_screen(
    State(web): State<Web>,
    Extension(who): Extension<SignedIn>,
    body: Result<Json<ScreenRequest>, JsonRejection>,
) -> ApiResult<(StatusCode, Json<ScreenLink>)> {
    let Json(r) = body?;
    let path = if r.room == WALL {
        format!("/wall/{}", web.desks.make_wall(&who.person).await?)
    } else {
        format!("/screen/{}", web.desks.make_screen(&who.person, &asked::id("room", &r.room, RoomId::new)?).await?)
    };
    Ok((StatusCode::CREATED, Json(ScreenLink { path })))
}

/// Ends a link.
#[utoipa::path(post, path = "/api/v1/screens/{id}/end", params(("id" = String, Path)), responses((status = 204), (status = 403, body = Problem)))]
pub async fn end_screen(State(web): State<Web>, Extension(who): Extension<SignedIn>, Path(id): Path<String>) -> ApiResult<StatusCode> {
    web.desks.end_screen(&who.person, &id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// How the lamp is to be told.
#[derive(Deserialize)]
pub struct LampQuery {
    format: Option<String>,
}

/// A room's lamp, for a light outside its door: JSON, or one word with `?format=text`. Needs the room's link and no sign-in.
pub async fn lamp(State(web): State<Web>, Path(token): Path<String>, Query(query): Query<LampQuery>, headers: HeaderMap) -> Response {
    match web.desks.lamp(&token).await {
        Ok(LampState { lamp, .. }) if query.format.as_deref() == Some("text") => {
            ([(header::CONTENT_TYPE, "text/plain; charset=utf-8")], lamp.as_str()).into_response()
        }
        Ok(state) => Json(state).into_response(),
        // A person who opens the address reads what a screen would say.
        Err(no) if wants_page(&headers) => gone(&web, &no),
        Err(no) => ApiError(no).into_response(),
    }
}
