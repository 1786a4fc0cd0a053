//! Signing in and out, language, one's own account, accounts.

use crate::desks::No;
use crate::desks::accounts::{AccountRow, NewAccount};
use crate::desks::logins::SignedIn;
use crate::model::ids::{AccountId, UnitId};
use crate::model::people::Role;
use crate::web::i18n::Lang;
use crate::web::pages::form::{Form, all, one};
use crate::web::pages::{Page, after, done, html, no_page, said};
use crate::web::{Web, api, error, guard};
use askama::Template;
use axum::Extension;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Redirect, Response};
use secrecy::SecretString;
use serde::Deserialize;

#[derive(Template)]
#[template(path = "login.html", config = "src/web/askama.toml")]
struct LoginPage {
    page: Page,
    username: String,
    problem: Option<String>,
}

/// The sign-in page.
pub async fn login_page(State(web): State<Web>, headers: HeaderMap) -> Response {
    let page = Page { done: said(&headers), ..Page::plain(&web, Lang::of(&headers)) };
    html(&LoginPage { page, username: String::new(), problem: None })
}

/// A sign-in.
#[derive(Deserialize)]
pub struct LoginForm {
    username: String,
    password: SecretString,
}

/// Signs in, or tells why not and keeps the name that was typed.
pub async fn login(State(web): State<Web>, headers: HeaderMap, Form(form): Form<LoginForm>) -> Response {
    match web.desks.sign_in(form.username.trim(), form.password).await {
        Ok(login) => ([(header::SET_COOKIE, guard::set_cookie(&web, Some(&login.token)))], Redirect::to("/")).into_response(),
        Err(no) => {
            let page = Page::plain(&web, Lang::of(&headers));
            let problem = match &no {
                No::Refusal(refusal) => error::text(refusal, page.lang),
                No::Fault(_) => return no_page(page, &no),
            };
            html(&LoginPage { page, username: form.username.chars().take(100).collect(), problem: Some(problem) })
        }
    }
}

/// Signs out.
pub async fn logout(State(web): State<Web>, headers: HeaderMap) -> Response {
    if let Some(token) = guard::token(&web, &headers)
        && let Err(no) = web.desks.sign_out(token).await
    {
        tracing::warn!("a sign-out failed: {no}");
    }
    ([(header::SET_COOKIE, guard::set_cookie(&web, None))], Redirect::to("/login")).into_response()
}

/// Which language, and where back to.
#[derive(Deserialize)]
pub struct LanguageQuery {
    to: String,
    back: Option<String>,
}

/// Switches the language.
pub async fn language(Query(q): Query<LanguageQuery>) -> Response {
    let to = if q.to == "en" { "en" } else { "zh" };
    // Only back into this console.
    let back = q.back.filter(|b| b.starts_with('/') && !b.starts_with("//") && !b.contains('\\')).unwrap_or_else(|| "/".into());
    ([(header::SET_COOKIE, format!("lang={to}; Path=/; Max-Age=31536000; SameSite=Strict"))], Redirect::to(&back)).into_response()
}

#[derive(Template)]
#[template(path = "me.html", config = "src/web/askama.toml")]
struct MePage {
    page: Page,
    problem: Option<String>,
}

/// One's own account.
pub async fn me(State(web): State<Web>, Extension(who): Extension<SignedIn>, headers: HeaderMap) -> Response {
    html(&MePage { page: Page::of(&web, &headers, who, "/me").await, problem: None })
}

/// A change of password.
#[derive(Deserialize)]
pub struct PasswordForm {
    old: SecretString,
    new: SecretString,
}

/// Changes one's own password; every login ends.
pub async fn change_password(
    State(web): State<Web>,
    Extension(who): Extension<SignedIn>,
    headers: HeaderMap,
    Form(form): Form<PasswordForm>,
) -> Response {
    match web.desks.change_password(&who.person, form.old, form.new).await {
        Ok(()) => done("/login", "password"),
        Err(No::Refusal(refusal)) => {
            let page = Page::of(&web, &headers, who, "/me").await;
            let problem = Some(error::text(&refusal, page.lang));
            html(&MePage { page, problem })
        }
        Err(no) => no_page(Page::of(&web, &headers, who, "/me").await, &no),
    }
}

/// An account as it is typed.
#[derive(Default)]
pub struct AccountDraft {
    username: String,
    name: String,
    unit: String,
    certificate_no: String,
    certificate_until: String,
    roles: Vec<String>,
    leads: Vec<String>,
}

#[derive(Template)]
#[template(path = "accounts.html", config = "src/web/askama.toml")]
struct AccountsPage {
    page: Page,
    rows: Vec<AccountRow>,
    units: Vec<(String, String)>,
    draft: AccountDraft,
    problem: Option<String>,
}

impl AccountsPage {
    /// One's own account is ended by another administrator.
    fn is_self(&self, row: &AccountRow) -> bool {
        self.page.person().is_some_and(|p| p.id == row.person.id)
    }

    fn unit_name(&self, row: &AccountRow) -> String {
        let unit = row.person.unit.as_ref().map(UnitId::as_str);
        self.units.iter().find(|(id, _)| Some(id.as_str()) == unit).map(|(_, name)| name.clone()).unwrap_or_default()
    }
}

/// All accounts.
pub async fn accounts(State(web): State<Web>, Extension(who): Extension<SignedIn>, headers: HeaderMap) -> Response {
    accounts_page(web, who, headers, AccountDraft::default(), None).await
}

async fn accounts_page(web: Web, who: SignedIn, headers: HeaderMap, draft: AccountDraft, problem: Option<String>) -> Response {
    let page = Page::of(&web, &headers, who.clone(), "/accounts").await;
    match web.desks.accounts(&who.person).await {
        Ok(rows) => html(&AccountsPage { page, rows, units: web.desks.units(), draft, problem }),
        Err(no) => no_page(page, &no),
    }
}

/// Makes an account, or shows the form again with what was typed.
pub async fn make_account(
    State(web): State<Web>,
    Extension(who): Extension<SignedIn>,
    headers: HeaderMap,
    Form(fields): Form<Vec<(String, String)>>,
) -> Response {
    let line = |name| one(&fields, name).unwrap_or_default();
    let many = |name| all(&fields, name).map(str::to_owned).collect::<Vec<_>>();
    let draft = AccountDraft {
        username: line("username"),
        name: line("name"),
        unit: line("unit"),
        certificate_no: line("certificate_no"),
        certificate_until: line("certificate_until"),
        roles: many("role"),
        leads: many("lead"),
    };
    // As it was typed: a space at its end belongs to it.
    let password = all(&fields, "password").next().unwrap_or_default();
    let account = NewAccount {
        username: draft.username.clone(),
        name: draft.name.clone(),
        roles: draft.roles.iter().filter_map(|r| Role::from_word(r)).collect(),
        unit: UnitId::new(&draft.unit).ok(),
        certificate_no: Some(draft.certificate_no.clone()),
        certificate_until: draft.certificate_until.parse().ok(),
        leads: draft.leads.iter().filter_map(|u| UnitId::new(u).ok()).collect(),
    };
    match web.desks.make_account(&who.person, account, password.into()).await {
        Ok(_) => done("/accounts", "account-made"),
        Err(No::Refusal(refusal)) => {
            let problem = error::text(&refusal, Lang::of(&headers));
            accounts_page(web, who, headers, draft, Some(problem)).await
        }
        Err(no) => no_page(Page::of(&web, &headers, who, "/accounts").await, &no),
    }
}

/// Ends an account.
pub async fn end_account(
    State(web): State<Web>,
    Extension(who): Extension<SignedIn>,
    headers: HeaderMap,
    Path(id): Path<String>,
) -> Response {
    let ended = match api::id("account", &id, AccountId::new) {
        Ok(id) => web.desks.end_account(&who.person, &id).await,
        Err(refusal) => Err(refusal.into()),
    };
    after(&web, who, &headers, "/accounts", "account-ended", ended).await
}
