//! Signing in, one's own account, and accounts.

use crate::desks::accounts::{AccountRow, NewAccount};
use crate::desks::deputies::NewDeputation;
use crate::desks::logins::{Entry, Login, LoginSeen, SignedIn};
use crate::desks::tokens::TokenSeen;
use crate::model::deputation::Deputation;
use crate::model::ids::{AccountId, UnitId};
use crate::model::people::{Act, Person, Role};
use crate::model::refusal::Refusal;
use crate::web::error::{ApiResult, Problem};
use crate::web::{Web, asked, guard};
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
    /// The code of the second factor, where the account has one.
    #[serde(default)]
    code: Option<String>,
}

/// Who is signed in.
#[derive(Serialize, utoipa::ToSchema)]
pub struct Me {
    /// The token for `X-Csrf-Token`.
    csrf: String,
    #[schema(value_type = Object)]
    person: Person,
    /// Somebody else chose the password: nothing opens before it is changed.
    must_change: bool,
    /// A second factor has to be set up before anything else opens.
    must_enrol: bool,
}

/// Signs in; sets the cookie.
#[utoipa::path(post, path = "/api/v1/login", request_body = LoginRequest, responses((status = 200, body = Me), (status = 401, body = Problem), (status = 429, body = Problem)))]
pub async fn login(
    State(web): State<Web>,
    guard::From(place): guard::From,
    body: Result<Json<LoginRequest>, JsonRejection>,
) -> ApiResult<Response> {
    let Json(request) = body?;
    let login = match (web.desks.sign_in(&request.username, request.password, &place).await?, request.code) {
        (Entry::In(login), _) => *login,
        (Entry::Code(step), Some(code)) => web.desks.sign_in_by_code(&step, &code, &place).await?,
        (Entry::Code(_), None) => return Err(Refusal::CodeNeeded.into()),
    };
    Ok(entered(&web, login))
}

pub(super) fn entered(web: &Web, login: Login) -> Response {
    let cookie = guard::set_cookie(web, Some(&login.token));
    let me = Me {
        csrf: login.signed_in.csrf,
        person: login.signed_in.person,
        must_change: login.signed_in.must_change,
        must_enrol: login.signed_in.must_enrol,
    };
    ([(header::SET_COOKIE, cookie)], Json(me)).into_response()
}

/// Signs out.
#[utoipa::path(post, path = "/api/v1/logout", responses((status = 204)))]
pub async fn logout(State(web): State<Web>, guard::From(place): guard::From, headers: HeaderMap) -> ApiResult<Response> {
    if let Some(token) = guard::token(&web, &headers) {
        web.desks.sign_out(token, &place).await?;
    }
    Ok((StatusCode::NO_CONTENT, [(header::SET_COOKIE, guard::set_cookie(&web, None))]).into_response())
}

/// Who is signed in.
#[utoipa::path(get, path = "/api/v1/me", responses((status = 200, body = Me)))]
pub async fn me(Extension(who): Extension<SignedIn>) -> Json<Me> {
    Json(Me { csrf: who.csrf, person: who.person, must_change: who.must_change, must_enrol: who.must_enrol })
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
    /// First day on which the account can be used.
    valid_from: Option<NaiveDate>,
    /// Last day.
    valid_until: Option<NaiveDate>,
    /// Where notices go.
    email: Option<String>,
    /// What the single sign-on calls this person.
    sso_name: Option<String>,
    #[schema(value_type = String)]
    #[serde(default)]
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
    let (account, password) = account_of(r)?;
    let id = web.desks.make_account(&who.person, account, password).await?;
    Ok((StatusCode::CREATED, Json(Made { id })))
}

fn account_of(r: AccountRequest) -> Result<(NewAccount, SecretString), Refusal> {
    let unit = |u: String| asked::id("unit", &u, UnitId::new);
    let account = NewAccount {
        username: r.username,
        name: r.name,
        roles: r.roles,
        unit: r.unit.map(unit).transpose()?,
        certificate_no: r.certificate_no,
        certificate_until: r.certificate_until,
        leads: r.leads.into_iter().map(unit).collect::<Result<_, Refusal>>()?,
        valid_from: r.valid_from,
        valid_until: r.valid_until,
        email: r.email,
        sso_name: r.sso_name,
    };
    Ok((account, r.password))
}

/// Changes an account's roles, unit, days and addresses; its name and sign-in name stay, and a password in it is not looked at.
#[utoipa::path(post, path = "/api/v1/accounts/{id}", params(("id" = String, Path)), request_body = AccountRequest, responses((status = 204), (status = 404, body = Problem), (status = 422, body = Problem)))]
pub async fn change_account(
    State(web): State<Web>,
    Extension(who): Extension<SignedIn>,
    Path(id): Path<String>,
    body: Result<Json<AccountRequest>, JsonRejection>,
) -> ApiResult<StatusCode> {
    let (account, _) = account_of(body?.0)?;
    web.desks.change_account(&who.person, &asked::id("account", &id, AccountId::new)?, account).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Ends an account.
#[utoipa::path(post, path = "/api/v1/accounts/{id}/end", params(("id" = String, Path)), responses((status = 204), (status = 404, body = Problem)))]
pub async fn end_account(State(web): State<Web>, Extension(who): Extension<SignedIn>, Path(id): Path<String>) -> ApiResult<StatusCode> {
    web.desks.end_account(&who.person, &asked::id("account", &id, AccountId::new)?).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// A password that is to be changed at the first sign-in.
#[derive(Deserialize, utoipa::ToSchema)]
pub struct GivenPassword {
    #[schema(value_type = String)]
    password: SecretString,
}

/// Gives somebody a new password who lost theirs; it is to be changed at the first sign-in.
#[utoipa::path(post, path = "/api/v1/accounts/{id}/password", params(("id" = String, Path)), request_body = GivenPassword, responses((status = 204), (status = 404, body = Problem), (status = 422, body = Problem)))]
pub async fn give_password(
    State(web): State<Web>,
    Extension(who): Extension<SignedIn>,
    Path(id): Path<String>,
    body: Result<Json<GivenPassword>, JsonRejection>,
) -> ApiResult<StatusCode> {
    let Json(given) = body?;
    web.desks.give_password(&who.person, &asked::id("account", &id, AccountId::new)?, given.password).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// One's own logins.
#[utoipa::path(get, path = "/api/v1/me/logins", responses((status = 200, body = Vec<LoginSeen>)))]
pub async fn logins(State(web): State<Web>, Extension(who): Extension<SignedIn>) -> ApiResult<Json<Vec<LoginSeen>>> {
    Ok(Json(web.desks.logins(&who).await?))
}

/// Ends one of one's own logins.
#[utoipa::path(post, path = "/api/v1/me/logins/{id}/end", params(("id" = String, Path)), responses((status = 204), (status = 404, body = Problem)))]
pub async fn end_login(State(web): State<Web>, Extension(who): Extension<SignedIn>, Path(id): Path<String>) -> ApiResult<StatusCode> {
    web.desks.end_login(&who.person, &who.person.id, &id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// A token that is wanted.
#[derive(Deserialize, utoipa::ToSchema)]
pub struct TokenRequest {
    /// The system.
    name: String,
    /// In whose name it acts: a sign-in name.
    username: String,
    scopes: Vec<Act>,
    days: i64,
}

/// A token; it is told this once.
#[derive(Serialize, utoipa::ToSchema)]
pub struct TokenMade {
    id: String,
    token: String,
}

/// Makes a token for another system.
#[utoipa::path(post, path = "/api/v1/tokens", request_body = TokenRequest, responses((status = 201, body = TokenMade), (status = 422, body = Problem)))]
pub async fn make_token(
    State(web): State<Web>,
    Extension(who): Extension<SignedIn>,
    body: Result<Json<TokenRequest>, JsonRejection>,
) -> ApiResult<(StatusCode, Json<TokenMade>)> {
    let Json(r) = body?;
    let (id, token) = web.desks.make_token(&who.person, &r.name, &r.username, r.scopes, r.days).await?;
    Ok((StatusCode::CREATED, Json(TokenMade { id, token })))
}

/// All tokens, without what opens them.
#[utoipa::path(get, path = "/api/v1/tokens", responses((status = 200, body = Vec<TokenSeen>)))]
pub async fn tokens(State(web): State<Web>, Extension(who): Extension<SignedIn>) -> ApiResult<Json<Vec<TokenSeen>>> {
    Ok(Json(web.desks.tokens(&who.person).await?))
}

/// Ends a token.
#[utoipa::path(post, path = "/api/v1/tokens/{id}/end", params(("id" = String, Path)), responses((status = 204), (status = 404, body = Problem)))]
pub async fn end_token(State(web): State<Web>, Extension(who): Extension<SignedIn>, Path(id): Path<String>) -> ApiResult<StatusCode> {
    web.desks.end_token(&who.person, &id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// An authorisation.
#[derive(Deserialize, utoipa::ToSchema)]
pub struct DeputyRequest {
    /// A sign-in name.
    deputy: String,
    from: NaiveDate,
    until: NaiveDate,
    /// Number of the written authorisation.
    basis: String,
}

/// Names a deputy.
#[utoipa::path(post, path = "/api/v1/deputies", request_body = DeputyRequest, responses((status = 201, body = Deputation), (status = 422, body = Problem)))]
pub async fn name_deputy(
    State(web): State<Web>,
    Extension(who): Extension<SignedIn>,
    body: Result<Json<DeputyRequest>, JsonRejection>,
) -> ApiResult<(StatusCode, Json<Deputation>)> {
    let Json(r) = body?;
    let new = NewDeputation { deputy: r.deputy, from: r.from, until: r.until, basis: r.basis };
    Ok((StatusCode::CREATED, Json(web.desks.name_deputy(&who.person, new).await?)))
}

/// Authorisations that one gave or has.
#[utoipa::path(get, path = "/api/v1/deputies", responses((status = 200, body = Vec<Deputation>)))]
pub async fn deputies(State(web): State<Web>, Extension(who): Extension<SignedIn>) -> ApiResult<Json<Vec<Deputation>>> {
    Ok(Json(web.desks.deputies(&who.person).await?))
}

/// Ends an authorisation early.
#[utoipa::path(post, path = "/api/v1/deputies/{id}/end", params(("id" = String, Path)), responses((status = 204), (status = 404, body = Problem)))]
pub async fn end_deputy(State(web): State<Web>, Extension(who): Extension<SignedIn>, Path(id): Path<String>) -> ApiResult<StatusCode> {
    web.desks.end_deputy(&who.person, &id).await?;
    Ok(StatusCode::NO_CONTENT)
}
