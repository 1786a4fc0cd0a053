//! Second factors, passkeys, and showing once more that it is still the same person. The description of the API lists them under `people`,
//! as it always did: programs are made of it.

use crate::desks::logins::SignedIn;
use crate::model::ids::AccountId;
use crate::model::refusal::Refusal;
use crate::web::api::people::{Me, entered};
use crate::web::error::{ApiResult, Problem};
use crate::web::{Web, asked, guard};
use axum::extract::rejection::JsonRejection;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::Response;
use axum::{Extension, Json};
use secrecy::SecretString;
use serde::{Deserialize, Serialize};

/// Takes somebody's second factors away who lost theirs.
#[utoipa::path(post, path = "/api/v1/accounts/{id}/reset-factors", tag = "people", params(("id" = String, Path)), responses((status = 204), (status = 404, body = Problem)))]
pub async fn reset_factors(State(web): State<Web>, Extension(who): Extension<SignedIn>, Path(id): Path<String>) -> ApiResult<StatusCode> {
    web.desks.reset_factors(&who, &asked::id("account", &id, AccountId::new)?).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Password, and code where there is one.
#[derive(Deserialize, utoipa::ToSchema)]
pub struct Proof {
    #[schema(value_type = String)]
    password: SecretString,
    #[serde(default)]
    code: String,
}

/// Shows that it is still the same person; approvals and exports ask for it.
#[utoipa::path(post, path = "/api/v1/me/prove", tag = "people", request_body = Proof, responses((status = 204), (status = 401, body = Problem)))]
pub async fn prove(
    State(web): State<Web>,
    Extension(who): Extension<SignedIn>,
    body: Result<Json<Proof>, JsonRejection>,
) -> ApiResult<StatusCode> {
    let Json(proof) = body?;
    web.desks.prove(&who, proof.password, &proof.code).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// A second factor to be confirmed.
#[derive(Serialize, utoipa::ToSchema)]
pub struct Factor {
    /// For an authenticator, as a QR code.
    address: String,
    /// For typing.
    secret: String,
}

/// Begins to set up a second factor by code.
#[utoipa::path(post, path = "/api/v1/me/factor", tag = "people", responses((status = 200, body = Factor), (status = 403, body = Problem)))]
pub async fn begin_factor(State(web): State<Web>, Extension(who): Extension<SignedIn>) -> ApiResult<Json<Factor>> {
    let made = web.desks.begin_factor(&who).await?;
    Ok(Json(Factor { address: made.address, secret: made.secret }))
}

/// A code.
#[derive(Deserialize, utoipa::ToSchema)]
pub struct Code {
    code: String,
}

/// Puts it to use by its first code.
#[utoipa::path(post, path = "/api/v1/me/factor/confirm", tag = "people", request_body = Code, responses((status = 204), (status = 422, body = Problem)))]
pub async fn confirm_factor(
    State(web): State<Web>,
    Extension(who): Extension<SignedIn>,
    body: Result<Json<Code>, JsonRejection>,
) -> ApiResult<StatusCode> {
    web.desks.confirm_factor(&who, &body?.0.code).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Takes it away.
#[utoipa::path(post, path = "/api/v1/me/factor/remove", tag = "people", responses((status = 204), (status = 403, body = Problem)))]
pub async fn remove_factor(State(web): State<Web>, Extension(who): Extension<SignedIn>) -> ApiResult<StatusCode> {
    web.desks.remove_factor(&who).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// A browser's answer to a challenge.
#[derive(Deserialize, utoipa::ToSchema)]
pub struct KeyAnswer {
    challenge: String,
    /// What the owner calls it; for a new one.
    #[serde(default)]
    name: String,
    /// As the browser gives it.
    #[schema(value_type = Object)]
    answer: serde_json::Value,
}

fn credential<T: serde::de::DeserializeOwned>(answer: serde_json::Value) -> Result<T, Refusal> {
    serde_json::from_value(answer).map_err(|_| Refusal::WrongCredentials)
}

/// Begins to set up a passkey.
#[utoipa::path(post, path = "/api/v1/me/passkeys/begin", tag = "people", responses((status = 200, body = Object), (status = 422, body = Problem)))]
pub async fn begin_passkey(State(web): State<Web>, Extension(who): Extension<SignedIn>) -> ApiResult<Json<serde_json::Value>> {
    let (challenge, asked) = web.desks.begin_passkey(&who).await?;
    Ok(Json(serde_json::json!({ "challenge": challenge, "asked": asked })))
}

/// Keeps it.
#[utoipa::path(post, path = "/api/v1/me/passkeys", tag = "people", request_body = KeyAnswer, responses((status = 204), (status = 401, body = Problem)))]
pub async fn add_passkey(
    State(web): State<Web>,
    Extension(who): Extension<SignedIn>,
    body: Result<Json<KeyAnswer>, JsonRejection>,
) -> ApiResult<StatusCode> {
    let Json(a) = body?;
    web.desks.add_passkey(&who, &a.challenge, &a.name, &credential(a.answer)?).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Takes one of one's own away.
#[utoipa::path(post, path = "/api/v1/me/passkeys/{id}/remove", tag = "people", params(("id" = String, Path)), responses((status = 204), (status = 404, body = Problem)))]
pub async fn remove_passkey(State(web): State<Web>, Extension(who): Extension<SignedIn>, Path(id): Path<String>) -> ApiResult<StatusCode> {
    web.desks.remove_passkey(&who, &id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Asks any passkey of this console to show itself.
#[utoipa::path(post, path = "/api/v1/passkey/begin", tag = "people", responses((status = 200, body = Object), (status = 422, body = Problem)))]
pub async fn ask_passkey(State(web): State<Web>) -> ApiResult<Json<serde_json::Value>> {
    let (challenge, asked) = web.desks.ask_passkey()?;
    Ok(Json(serde_json::json!({ "challenge": challenge, "asked": asked })))
}

/// Signs in by a passkey.
#[utoipa::path(post, path = "/api/v1/passkey/login", tag = "people", request_body = KeyAnswer, responses((status = 200, body = Me), (status = 401, body = Problem)))]
pub async fn passkey_login(
    State(web): State<Web>,
    guard::From(place): guard::From,
    body: Result<Json<KeyAnswer>, JsonRejection>,
) -> ApiResult<Response> {
    let Json(a) = body?;
    Ok(entered(&web, web.desks.sign_in_by_passkey(&a.challenge, &credential(a.answer)?, &place).await?))
}

/// Shows by a passkey that it is still the same person.
#[utoipa::path(post, path = "/api/v1/me/prove-by-passkey", tag = "people", request_body = KeyAnswer, responses((status = 204), (status = 401, body = Problem)))]
pub async fn prove_by_passkey(
    State(web): State<Web>,
    Extension(who): Extension<SignedIn>,
    body: Result<Json<KeyAnswer>, JsonRejection>,
) -> ApiResult<StatusCode> {
    let Json(a) = body?;
    web.desks.prove_by_passkey(&who, &a.challenge, &credential(a.answer)?).await?;
    Ok(StatusCode::NO_CONTENT)
}
