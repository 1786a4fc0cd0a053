//! Signing in, one's own account, and accounts.

use crate::desks::accounts::{AccountRow, NewAccount};
use crate::desks::logins::SignedIn;
use crate::model::ids::{AccountId, UnitId};
use crate::model::people::{Person, Role};
use crate::model::refusal::Refusal;
use crate::web::error::{ApiResult, Problem};
use crate::web::{Web, api, guard};
use axum::extract::rejection::JsonRejection;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use chrono::NaiveDate;
use secrecy::SecretString;
use serde::{Deserialize, Serialize};

/// Who signs in.
#[derive(Deserialize, utoipa::ToSchema)]
pub struct LoginRequest {
    username: String,
    #[schema(value_type = String)]
    password: SecretString,
}

/// Who is signed in.
#[derive(Serialize, utoipa::ToSchema)]
pub struct Me {
    /// The token for `X-Csrf-Token`.
    csrf: String,
    #[schema(value_type = Object)]
    person: Person,
}

/// Signs in; sets the cookie.
#[utoipa::path(post, path = "/api/v1/login", request_body = LoginRequest, responses((status = 200, body = Me), (status = 401, body = Problem), (status = 429, body = Problem)))]
pub async fn login(State(web): State<Web>, body: Result<Json<LoginRequest>, JsonRejection>) -> ApiResult<Response> {
    let Json(request) = body?;
    let login = web.desks.sign_in(&request.username, request.password).await?;
    let me = Me { csrf: login.signed_in.csrf, person: login.signed_in.person };
    Ok(([(header::SET_COOKIE, guard::set_cookie(&web, Some(&login.token)))], Json(me)).into_response())
}

/// Signs out.
#[utoipa::path(post, path = "/api/v1/logout", responses((status = 204)))]
pub async fn logout(State(web): State<Web>, headers: HeaderMap) -> ApiResult<Response> {
    if let Some(token) = guard::token(&web, &headers) {
        web.desks.sign_out(token).await?;
    }
    Ok((StatusCode::NO_CONTENT, [(header::SET_COOKIE, guard::set_cookie(&web, None))]).into_response())
}

/// Who is signed in.
#[utoipa::path(get, path = "/api/v1/me", responses((status = 200, body = Me)))]
pub async fn me(Extension(who): Extension<SignedIn>) -> Json<Me> {
    Json(Me { csrf: who.csrf, person: who.person })
}

/// A change of one's own password.
#[derive(Deserialize, utoipa::ToSchema)]
pub struct PasswordChange {
    #[schema(value_type = String)]
    old: SecretString,
    #[schema(value_type = String)]
    new: SecretString,
}

/// Changes one's own password; every login ends.
#[utoipa::path(post, path = "/api/v1/me/password", request_body = PasswordChange, responses((status = 204), (status = 422, body = Problem)))]
pub async fn change_password(
    State(web): State<Web>,
    Extension(who): Extension<SignedIn>,
    body: Result<Json<PasswordChange>, JsonRejection>,
) -> ApiResult<StatusCode> {
    let Json(change) = body?;
    web.desks.change_password(&who.person, change.old, change.new).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// All accounts.
#[utoipa::path(get, path = "/api/v1/accounts", responses((status = 200, body = Vec<Object>), (status = 403, body = Problem)))]
pub async fn accounts(State(web): State<Web>, Extension(who): Extension<SignedIn>) -> ApiResult<Json<Vec<AccountRow>>> {
    Ok(Json(web.desks.accounts(&who.person).await?))
}

/// A new account.
#[derive(Deserialize, utoipa::ToSchema)]
pub struct AccountRequest {
    username: String,
    name: String,
    roles: Vec<Role>,
    unit: Option<String>,
    certificate_no: Option<String>,
    /// Last day on which it is valid.
    certificate_until: Option<NaiveDate>,
    #[serde(default)]
    leads: Vec<String>,
    #[schema(value_type = String)]
    password: SecretString,
}

/// An account that was made.
#[derive(Serialize, utoipa::ToSchema)]
pub struct Made {
    id: AccountId,
}

/// Makes an account.
#[utoipa::path(post, path = "/api/v1/accounts", request_body = AccountRequest, responses((status = 201, body = Made), (status = 422, body = Problem)))]
pub async fn make_account(
    State(web): State<Web>,
    Extension(who): Extension<SignedIn>,
    body: Result<Json<AccountRequest>, JsonRejection>,
) -> ApiResult<(StatusCode, Json<Made>)> {
    let Json(r) = body?;
    let unit = |u: String| api::id("unit", &u, UnitId::new);
    let account = NewAccount {
        username: r.username,
        name: r.name,
        roles: r.roles,
        unit: r.unit.map(unit).transpose()?,
        certificate_no: r.certificate_no,
        certificate_until: r.certificate_until,
        leads: r.leads.into_iter().map(unit).collect::<Result<_, Refusal>>()?,
    };
    let id = web.desks.make_account(&who.person, account, r.password).await?;
    Ok((StatusCode::CREATED, Json(Made { id })))
}

/// Ends an account.
#[utoipa::path(post, path = "/api/v1/accounts/{id}/end", params(("id" = String, Path)), responses((status = 204), (status = 404, body = Problem)))]
pub async fn end_account(State(web): State<Web>, Extension(who): Extension<SignedIn>, Path(id): Path<String>) -> ApiResult<StatusCode> {
    web.desks.end_account(&who.person, &api::id("account", &id, AccountId::new)?).await?;
    Ok(StatusCode::NO_CONTENT)
}
