//! The register of media (第十九条). No address gives an image out: a medium is looked at like any other recording, by approval.

use crate::desks::logins::SignedIn;
use crate::desks::media::{HeldSession, MediaPlan, MediumView, Register, Wanted};
use crate::model::ids::SessionId;
use crate::model::medium::{Medium, MediumKind};
use crate::model::refusal::Refusal;
use crate::web::error::{ApiResult, Problem};
use crate::web::{Web, asked};
use axum::extract::rejection::JsonRejection;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::{Extension, Json};
use serde::Deserialize;

/// What shall go onto media.
#[derive(Deserialize, utoipa::ToSchema)]
pub struct WantedBody {
    /// Of one unit.
    sessions: Vec<String>,
    kind: MediumKind,
    /// For removable disks: GB (10^9 bytes) of one.
    #[serde(default)]
    disk_gb: Option<f64>,
    /// The medium whose place they take.
    #[serde(default)]
    replaces: Option<String>,
}

impl WantedBody {
    fn read(self) -> Result<Wanted, Refusal> {
        Ok(Wanted {
            sessions: self.sessions.iter().map(|s| asked::id("session", s, SessionId::new)).collect::<Result<_, _>>()?,
            kind: self.kind,
            disk_bytes: self.disk_gb.map(|gb| (gb * 1e9) as u64),
            replaces: self.replaces.as_deref().map(asked::medium).transpose()?,
        })
    }
}

/// The register, and held sessions without a second medium.
#[utoipa::path(get, path = "/api/v1/media", responses((status = 200, body = Register), (status = 403, body = Problem)))]
pub async fn list(State(web): State<Web>, Extension(who): Extension<SignedIn>) -> ApiResult<Json<Register>> {
    Ok(Json(web.desks.media_register(&who.person).await?))
}

/// Held sessions, with their second medium or without.
#[utoipa::path(get, path = "/api/v1/media/held", responses((status = 200, body = Vec<HeldSession>), (status = 403, body = Problem)))]
pub async fn held(State(web): State<Web>, Extension(who): Extension<SignedIn>) -> ApiResult<Json<Vec<HeldSession>>> {
    Ok(Json(web.desks.held_sessions(&who.person).await?))
}

/// What would be made; nothing is.
#[utoipa::path(post, path = "/api/v1/media/plan", request_body = WantedBody, responses((status = 200, body = MediaPlan), (status = 422, body = Problem)))]
pub async fn plan(
    State(web): State<Web>,
    Extension(who): Extension<SignedIn>,
    body: Result<Json<WantedBody>, JsonRejection>,
) -> ApiResult<Json<MediaPlan>> {
    let Json(wanted) = body?;
    Ok(Json(web.desks.plan_media(&who.person, &wanted.read()?).await?))
}

/// Orders media; what goes onto them is put together behind.
#[utoipa::path(post, path = "/api/v1/media", request_body = WantedBody, responses((status = 201, body = Vec<Medium>), (status = 409, body = Problem), (status = 422, body = Problem)))]
pub async fn order(
    State(web): State<Web>,
    Extension(who): Extension<SignedIn>,
    body: Result<Json<WantedBody>, JsonRejection>,
) -> ApiResult<(StatusCode, Json<Vec<Medium>>)> {
    let Json(wanted) = body?;
    Ok((StatusCode::CREATED, Json(web.desks.order_media(&who.person, wanted.read()?).await?)))
}

/// One.
#[utoipa::path(get, path = "/api/v1/media/{id}", params(("id" = String, Path)), responses((status = 200, body = MediumView), (status = 404, body = Problem)))]
pub async fn show(State(web): State<Web>, Extension(who): Extension<SignedIn>, Path(id): Path<String>) -> ApiResult<Json<MediumView>> {
    Ok(Json(web.desks.medium(&who.person, &asked::medium(&id)?).await?))
}

/// Stops what runs on it.
#[utoipa::path(post, path = "/api/v1/media/{id}/cancel", params(("id" = String, Path)), responses((status = 202), (status = 409, body = Problem)))]
pub async fn cancel(State(web): State<Web>, Extension(who): Extension<SignedIn>, Path(id): Path<String>) -> ApiResult<StatusCode> {
    web.desks.cancel_medium(&who.person, &asked::medium(&id)?).await?;
    Ok(StatusCode::ACCEPTED)
}

/// A copy that shall be made.
#[derive(Deserialize, utoipa::ToSchema)]
pub struct CopyBody {
    /// Where it will lie: cabinet, shelf.
    place: String,
    /// Which of the medium's targets, from 0.
    #[serde(default)]
    target: usize,
}

/// Burns a copy, or copies to a removable disk, and reads it back; behind.
#[utoipa::path(post, path = "/api/v1/media/{id}/copies", params(("id" = String, Path)), request_body = CopyBody, responses((status = 202, body = Medium), (status = 409, body = Problem)))]
pub async fn write(
    State(web): State<Web>,
    Extension(who): Extension<SignedIn>,
    Path(id): Path<String>,
    body: Result<Json<CopyBody>, JsonRejection>,
) -> ApiResult<(StatusCode, Json<Medium>)> {
    let Json(c) = body?;
    Ok((StatusCode::ACCEPTED, Json(web.desks.write_copy(&who.person, &asked::medium(&id)?, &c.place, c.target).await?)))
}

/// What is done to a copy.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case", tag = "change")]
pub enum CopyChange {
    /// It is read and compared with its list.
    Check {
        /// Which of the medium's targets, from 0.
        #[serde(default)]
        target: usize,
    },
    /// It lies elsewhere now.
    Move {
        /// Where.
        place: String,
    },
    /// It is damaged or lost.
    Damaged {
        /// What is known of it.
        reason: String,
    },
    /// It was destroyed by hand, before a second person.
    Destroy {
        /// In what way.
        how: String,
        /// Who saw it.
        seen_by: String,
    },
    /// It is taken out of the register.
    Retire {
        /// Why.
        reason: String,
    },
}

/// Checks a copy, or enters what became of it.
#[utoipa::path(post, path = "/api/v1/media/{id}/copies/{copy}", params(("id" = String, Path), ("copy" = u32, Path)), request_body = CopyChange, responses((status = 202), (status = 409, body = Problem), (status = 422, body = Problem)))]
pub async fn change(
    State(web): State<Web>,
    Extension(who): Extension<SignedIn>,
    Path((id, copy)): Path<(String, u32)>,
    body: Result<Json<CopyChange>, JsonRejection>,
) -> ApiResult<StatusCode> {
    let (Json(change), id) = (body?, asked::medium(&id)?);
    match change {
        CopyChange::Check { target } => web.desks.check_copy(&who.person, &id, copy, target).await?,
        CopyChange::Move { place } => drop(web.desks.move_copy(&who.person, &id, copy, &place).await?),
        CopyChange::Damaged { reason } => drop(web.desks.report_damage(&who.person, &id, copy, &reason).await?),
        CopyChange::Destroy { how, seen_by } => drop(web.desks.destroy_copy(&who.person, &id, copy, &how, &seen_by).await?),
        CopyChange::Retire { reason } => drop(web.desks.retire_copy(&who.person, &id, copy, &reason).await?),
    }
    Ok(StatusCode::ACCEPTED)
}

/// Removes what was put together from the machine.
#[utoipa::path(post, path = "/api/v1/media/{id}/remove-image", params(("id" = String, Path)), responses((status = 200, body = Medium), (status = 409, body = Problem)))]
pub async fn remove_image(State(web): State<Web>, Extension(who): Extension<SignedIn>, Path(id): Path<String>) -> ApiResult<Json<Medium>> {
    Ok(Json(web.desks.remove_image(&who.person, &asked::medium(&id)?).await?))
}
