//! Provision (第二十一条).

use crate::desks::logins::SignedIn;
use crate::desks::provision::{Letter, ProvisionView};
use crate::model::ids::{ProvisionId, SessionId};
use crate::model::provision::{Clip, Provision, ProvisionKind};
use crate::model::refusal::Refusal;
use crate::model::words::BadField;
use crate::web::api::viewing::{range_of, ranged};
use crate::web::error::{ApiResult, Problem};
use crate::web::{Web, asked};
use axum::extract::multipart::MultipartRejection;
use axum::extract::rejection::JsonRejection;
use axum::extract::{Multipart, Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use bytes::Bytes;
use chrono::NaiveDate;
use serde::Deserialize;

/// A letter that asks for material.
#[derive(Deserialize, utoipa::ToSchema)]
pub struct LetterBody {
    letter_no: String,
    /// Who asks.
    receiving_body: String,
    kind: ProvisionKind,
    /// When it came.
    received: NaiveDate,
    /// By when; needed where the law says nothing.
    #[serde(default)]
    due: Option<NaiveDate>,
    #[serde(default)]
    wanted: Option<String>,
    /// Whole sessions.
    #[serde(default)]
    sessions: Vec<String>,
    /// Stretches, beside the whole.
    #[serde(default)]
    clips: Vec<Clip>,
}

fn id_of(id: &str) -> Result<ProvisionId, Refusal> {
    asked::id("provision", id, ProvisionId::new)
}

/// All provisions.
#[utoipa::path(get, path = "/api/v1/provisions", responses((status = 200, body = Vec<ProvisionView>), (status = 403, body = Problem)))]
pub async fn list(State(web): State<Web>, Extension(who): Extension<SignedIn>) -> ApiResult<Json<Vec<ProvisionView>>> {
    Ok(Json(web.desks.provisions(&who.person).await?))
}

/// Enters a letter.
#[utoipa::path(post, path = "/api/v1/provisions", request_body = LetterBody, responses((status = 201, body = Provision), (status = 422, body = Problem)))]
pub async fn open(
    State(web): State<Web>,
    Extension(who): Extension<SignedIn>,
    body: Result<Json<LetterBody>, JsonRejection>,
) -> ApiResult<(StatusCode, Json<Provision>)> {
    let Json(l) = body?;
    let sessions = l.sessions.iter().map(|s| asked::id("session", s, SessionId::new)).collect::<Result<_, _>>()?;
    let letter = Letter {
        letter_no: l.letter_no,
        body: l.receiving_body,
        kind: l.kind,
        received: l.received,
        due: l.due,
        wanted: l.wanted,
        sessions,
        clips: l.clips,
    };
    Ok((StatusCode::CREATED, Json(web.desks.open_provision(&who.person, letter).await?)))
}

/// One.
#[utoipa::path(get, path = "/api/v1/provisions/{id}", params(("id" = String, Path)), responses((status = 200, body = ProvisionView), (status = 404, body = Problem)))]
pub async fn show(State(web): State<Web>, Extension(who): Extension<SignedIn>, Path(id): Path<String>) -> ApiResult<Json<ProvisionView>> {
    Ok(Json(web.desks.provision(&who.person, &id_of(&id)?).await?))
}

/// Builds and verifies its packages, behind.
#[utoipa::path(post, path = "/api/v1/provisions/{id}/prepare", params(("id" = String, Path)), responses((status = 202), (status = 409, body = Problem)))]
pub async fn prepare(State(web): State<Web>, Extension(who): Extension<SignedIn>, Path(id): Path<String>) -> ApiResult<StatusCode> {
    web.desks.prepare_provision(&who.person, &id_of(&id)?).await?;
    Ok(StatusCode::ACCEPTED)
}

/// Agrees to it.
#[utoipa::path(post, path = "/api/v1/provisions/{id}/approve", params(("id" = String, Path)), responses((status = 200, body = Provision), (status = 403, body = Problem)))]
pub async fn approve(State(web): State<Web>, Extension(who): Extension<SignedIn>, Path(id): Path<String>) -> ApiResult<Json<Provision>> {
    Ok(Json(web.desks.approve_provision(&who.person, &id_of(&id)?).await?))
}

/// Why a provision is not agreed to, or withdrawn.
#[derive(Deserialize, utoipa::ToSchema)]
pub struct WhyNot {
    /// In words.
    reason: String,
}

/// Does not agree to it.
#[utoipa::path(post, path = "/api/v1/provisions/{id}/reject", params(("id" = String, Path)), request_body = WhyNot, responses((status = 200, body = Provision), (status = 403, body = Problem), (status = 422, body = Problem)))]
pub async fn reject(
    State(web): State<Web>,
    Extension(who): Extension<SignedIn>,
    Path(id): Path<String>,
    body: Result<Json<WhyNot>, JsonRejection>,
) -> ApiResult<Json<Provision>> {
    Ok(Json(web.desks.reject_provision(&who.person, &id_of(&id)?, &body?.0.reason).await?))
}

/// Withdraws it, before anybody has agreed.
#[utoipa::path(post, path = "/api/v1/provisions/{id}/withdraw", params(("id" = String, Path)), request_body = WhyNot, responses((status = 200, body = Provision), (status = 403, body = Problem), (status = 409, body = Problem)))]
pub async fn withdraw(
    State(web): State<Web>,
    Extension(who): Extension<SignedIn>,
    Path(id): Path<String>,
    body: Result<Json<WhyNot>, JsonRejection>,
) -> ApiResult<Json<Provision>> {
    Ok(Json(web.desks.withdraw_provision(&who.person, &id_of(&id)?, &body?.0.reason).await?))
}

/// A session's package, or a part of it.
#[utoipa::path(get, path = "/api/v1/provisions/{id}/packages/{session}", params(("id" = String, Path), ("session" = String, Path)), responses((status = 200, content_type = "application/x-tar", body = Vec<u8>), (status = 206, content_type = "application/x-tar", body = Vec<u8>), (status = 409, body = Problem)))]
pub async fn package(
    State(web): State<Web>,
    Extension(who): Extension<SignedIn>,
    Path((id, session)): Path<(String, String)>,
    headers: HeaderMap,
) -> ApiResult<Response> {
    let (range, session) = (range_of(&headers), asked::id("session", &session, SessionId::new)?);
    let (footage, from, whole) = web.desks.provision_package(&who.person, &id_of(&id)?, &session, range).await?;
    Ok(ranged(footage, from, whole, range.is_some(), "application/x-tar", &format!("{id}-{session}")))
}

/// A receipt, as a form brings it.
pub struct ReceiptForm {
    /// Who took it.
    pub taken_by: String,
    /// On what day.
    pub day: NaiveDate,
    /// The scan's name.
    pub name: String,
    /// The scan.
    pub scan: Bytes,
}

/// Reads a receipt from its form: `taken_by`, `day`, `file`.
pub async fn receipt_form(mut form: Multipart) -> Result<ReceiptForm, Refusal> {
    let bad = |e: axum::extract::multipart::MultipartError| Refusal::BadUpload { problem: e.body_text() };
    let (mut taken_by, mut day, mut file) = (String::new(), None, None);
    while let Some(field) = form.next_field().await.map_err(bad)? {
        match field.name() {
            Some("taken_by") => taken_by = field.text().await.map_err(bad)?,
            Some("day") => day = field.text().await.map_err(bad)?.trim().parse::<NaiveDate>().ok(),
            Some("file") => {
                let name = field.file_name().unwrap_or("receipt").rsplit(['/', '\\']).next().unwrap_or_default().to_owned();
                file = Some((name, field.bytes().await.map_err(bad)?));
            }
            _ => {}
        }
    }
    let day = day.ok_or_else(|| Refusal::from(BadField::form("day", "is no day; 2026-11-23 would be right")))?;
    let (name, scan) = file.ok_or_else(|| Refusal::BadUpload { problem: "there is no field named file".into() })?;
    Ok(ReceiptForm { taken_by, day, name, scan })
}

/// Enters the receipt: `taken_by`, `day` and the scan as `file`.
#[utoipa::path(post, path = "/api/v1/provisions/{id}/hand-over", params(("id" = String, Path)), responses((status = 200, body = Provision), (status = 409, body = Problem), (status = 422, body = Problem)))]
pub async fn hand_over(
    State(web): State<Web>,
    Extension(who): Extension<SignedIn>,
    Path(id): Path<String>,
    form: Result<Multipart, MultipartRejection>,
) -> ApiResult<Json<Provision>> {
    let r = receipt_form(form?).await?;
    Ok(Json(web.desks.hand_over(&who.person, &id_of(&id)?, &r.taken_by, r.day, &r.name, r.scan).await?))
}

/// The scan of its receipt.
#[utoipa::path(get, path = "/api/v1/provisions/{id}/receipt", params(("id" = String, Path)), responses((status = 200, content_type = "application/octet-stream", body = Vec<u8>), (status = 404, body = Problem)))]
pub async fn receipt(State(web): State<Web>, Extension(who): Extension<SignedIn>, Path(id): Path<String>) -> ApiResult<Response> {
    let (data, media_type) = web.desks.receipt(&who.person, &id_of(&id)?).await?;
    Ok(([(header::CONTENT_TYPE, media_type), (header::CONTENT_DISPOSITION, "attachment".into())], data).into_response())
}

/// Reads once more what is kept.
#[utoipa::path(post, path = "/api/v1/provisions/{id}/verify", params(("id" = String, Path)), responses((status = 200, body = Provision), (status = 409, body = Problem)))]
pub async fn verify(State(web): State<Web>, Extension(who): Extension<SignedIn>, Path(id): Path<String>) -> ApiResult<Json<Provision>> {
    Ok(Json(web.desks.verify_retained(&who.person, &id_of(&id)?).await?))
}

/// Closes it; not without receipt and retained copy.
#[utoipa::path(post, path = "/api/v1/provisions/{id}/close", params(("id" = String, Path)), responses((status = 200, body = Provision), (status = 409, body = Problem)))]
pub async fn close(State(web): State<Web>, Extension(who): Extension<SignedIn>, Path(id): Path<String>) -> ApiResult<Json<Provision>> {
    Ok(Json(web.desks.close_provision(&who.person, &id_of(&id)?).await?))
}
