//! Signing in and out, language, accounts and tokens.

use crate::desks::No;
use crate::desks::accounts::{AccountRow, NewAccount};
use crate::desks::logins::Entry;
use crate::desks::tokens::TokenSeen;
use crate::model::agenda;
use crate::model::ids::{AccountId, UnitId};
use crate::model::people::{Act, Role, SCOPES};
use crate::model::refusal::Refusal;
use crate::model::words::BadField;
use crate::web::pages::factors::inside;
use crate::web::pages::form::{Form, all, one};
use crate::web::pages::measures::Theme;
use crate::web::pages::shown::Accounts;
use crate::web::pages::table::{Asked, Key, Table, came_from};
use crate::web::pages::visit::Visit;
use crate::web::pages::{Page, brought_back, done, html, no_page, said};
use crate::web::{Web, asked, error, guard};
use askama::Template;
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
    /// The second step, after the password was right.
    step: Option<String>,
    passkeys: bool,
    sso: bool,
}

impl LoginPage {
    fn new(web: &Web, page: Page) -> Self {
        let (passkeys, sso) = (web.desks.has_passkeys(), web.desks.has_sso());
        Self { page, username: String::new(), problem: None, step: None, passkeys, sso }
    }
}

/// The sign-in page; before there is any account, the page that makes the first.
pub async fn login_page(State(web): State<Web>, headers: HeaderMap) -> Response {
    if web.desks.needs_setup().await.unwrap_or(false) {
        return Redirect::to("/setup").into_response();
    }
    let page = Page { done: said(&headers), ..Page::plain(&web, &headers) };
    html(&LoginPage::new(&web, page))
}

/// A sign-in: name and password, or the code of the second step.
#[derive(Deserialize)]
pub struct LoginForm {
    #[serde(default)]
    username: String,
    #[serde(default)]
    password: SecretString,
    step: Option<String>,
    #[serde(default)]
    code: String,
}

/// Signs in, or tells why not and keeps the name that was typed.
pub async fn login(State(web): State<Web>, guard::From(place): guard::From, headers: HeaderMap, Form(form): Form<LoginForm>) -> Response {
    let page = Page::plain(&web, &headers);
    let entry = match &form.step {
        Some(step) => web.desks.sign_in_by_code(step, &form.code, &place).await.map(|login| Entry::In(Box::new(login))),
        None => web.desks.sign_in(form.username.trim(), form.password, &place).await,
    };
    let username: String = form.username.chars().take(100).collect();
    match entry {
        Ok(Entry::In(login)) => ([(header::SET_COOKIE, guard::set_cookie(&web, Some(&login.token)))], Redirect::to("/")).into_response(),
        Ok(Entry::Code(step)) => html(&LoginPage { username, step: Some(step), ..LoginPage::new(&web, page) }),
        Err(No::Refusal(refusal)) => {
            let problem = Some(error::text(&refusal, page.lang));
            // A wrong code may be typed again; a step that is over begins anew.
            let step = form.step.filter(|_| refusal == Refusal::WrongCredentials);
            html(&LoginPage { username, problem, step, ..LoginPage::new(&web, page) })
        }
        Err(no) => no_page(page, &no),
    }
}

/// Signs out.
pub async fn logout(State(web): State<Web>, guard::From(place): guard::From, headers: HeaderMap) -> Response {
    if let Some(token) = guard::token(&web, &headers)
        && let Err(no) = web.desks.sign_out(token, &place).await
    {
        tracing::warn!("a sign-out failed: {no}");
    }
    ([(header::SET_COOKIE, guard::set_cookie(&web, None))], Redirect::to("/login")).into_response()
}

/// Which language or look, and where back to.
#[derive(Deserialize)]
pub struct LanguageQuery {
    to: String,
    back: Option<String>,
}

/// Switches the language.
pub async fn language(headers: HeaderMap, Query(q): Query<LanguageQuery>) -> Response {
    let to = if q.to == "en" { "en" } else { "zh" };
    let back = inside(came_from(&headers).or(q.back));
    ([(header::SET_COOKIE, format!("lang={to}; Path=/; Max-Age=31536000; SameSite=Strict"))], Redirect::to(&back)).into_response()
}

/// Switches how pages look.
pub async fn theme(headers: HeaderMap, Query(q): Query<LanguageQuery>) -> Response {
    let (to, back) = (Theme::from_word(&q.to), inside(came_from(&headers).or(q.back)));
    let cookie = format!("theme={}; Path=/; Max-Age=31536000; SameSite=Strict", to.as_str());
    ([(header::SET_COOKIE, cookie)], Redirect::to(&back)).into_response()
}

/// An account as it is typed.
#[derive(Default)]
pub struct AccountDraft {
    username: String,
    name: String,
    unit: String,
    certificate_no: String,
    certificate_until: String,
    valid_from: String,
    valid_until: String,
    email: String,
    sso_name: String,
    roles: Vec<String>,
    leads: Vec<String>,
}

#[derive(Template)]
#[template(path = "accounts.html", config = "src/web/askama.toml")]
struct AccountsPage {
    page: Page,
    table: Table,
    rows: Vec<AccountRow>,
    units: Vec<(String, String)>,
    tokens: Vec<TokenSeen>,
    /// A token that was just made: shown once.
    token: Option<String>,
    draft: AccountDraft,
    /// The account that the form changes; none: it makes one.
    changes: Option<String>,
}

impl AccountsPage {
    fn scopes(&self) -> &'static [Act] {
        SCOPES
    }

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
pub async fn accounts(visit: Visit, asked: Asked) -> Response {
    accounts_page(&visit, (asked, AccountDraft::default()), None, None).await
}

async fn accounts_page(visit: &Visit, (asked, draft): (Asked, AccountDraft), changes: Option<String>, token: Option<String>) -> Response {
    let only = asked.shows::<Accounts>();
    let page = visit.page("/accounts").await.narrowed(only);
    let now = visit.desks().wall_clock();
    let found = async { Ok::<_, No>((visit.desks().accounts(visit.person()).await?, visit.desks().tokens(visit.person()).await?)) };
    match found.await {
        Ok((mut rows, tokens)) => {
            rows.retain(|r| match only {
                Some(Accounts::Ending) => r.open && r.valid_until.is_some_and(|last| agenda::ends_soon(last, now).is_some()),
                None => true,
            });
            let mut table = Table::new(asked, &["username", "name", "unit", "state"]);
            let rows = table.rows(rows, |r, column| match column {
                "username" => Key::text(Some(&r.person.username)),
                "name" => Key::text(Some(&r.person.name)),
                "unit" => Key::text(r.person.unit.as_ref().map(UnitId::as_str)),
                _ => Key::count(usize::from(!r.open) + usize::from(!r.active)),
            });
            html(&AccountsPage { page, table, rows, units: visit.desks().units(), tokens, token, draft, changes })
        }
        Err(no) => no_page(page, &no),
    }
}

/// The form of an account that is to be changed.
pub async fn account_page(visit: Visit, Path(id): Path<String>) -> Response {
    let Some(draft) = drafted(&visit, &id).await else {
        let no = No::from(Refusal::no_such("account", &id));
        return visit.no("/accounts", &no).await;
    };
    accounts_page(&visit, (Asked::list("/accounts"), draft), Some(id), None).await
}

/// An account as its form shows it.
async fn drafted(visit: &Visit, id: &str) -> Option<AccountDraft> {
    let row = visit.desks().accounts(visit.person()).await.ok()?.into_iter().find(|r| r.person.id.as_str() == id && r.active)?;
    let day = |d: Option<chrono::NaiveDate>| d.map(|d| d.to_string()).unwrap_or_default();
    Some(AccountDraft {
        username: row.person.username,
        name: row.person.name,
        unit: row.person.unit.map(|u| u.to_string()).unwrap_or_default(),
        certificate_no: row.person.certificate_no.unwrap_or_default(),
        certificate_until: day(row.person.certificate_until),
        valid_from: day(row.valid_from),
        valid_until: day(row.valid_until),
        email: row.email.unwrap_or_default(),
        sso_name: row.sso_name.unwrap_or_default(),
        roles: row.person.roles.iter().map(|r| r.as_str().to_owned()).collect(),
        leads: row.person.leads.iter().map(ToString::to_string).collect(),
    })
}

fn draft_of(fields: &[(String, String)]) -> AccountDraft {
    let line = |name| one(fields, name).unwrap_or_default();
    let many = |name| all(fields, name).map(str::to_owned).collect::<Vec<_>>();
    AccountDraft {
        username: line("username"),
        name: line("name"),
        unit: line("unit"),
        certificate_no: line("certificate_no"),
        certificate_until: line("certificate_until"),
        valid_from: line("valid_from"),
        valid_until: line("valid_until"),
        email: line("email"),
        sso_name: line("sso_name"),
        roles: many("role"),
        leads: many("lead"),
    }
}

/// The account that was typed; a day that is none is told, never dropped.
fn account_of(draft: &AccountDraft) -> Result<NewAccount, Refusal> {
    let mut fields = Vec::new();
    let mut day = |name: &str, text: &str| {
        let read = (!text.is_empty()).then(|| text.parse::<chrono::NaiveDate>());
        if matches!(read, Some(Err(_))) {
            fields.push(BadField::form(name, "is no day; 2026-11-23 would be right"));
        }
        read.and_then(Result::ok)
    };
    let account = NewAccount {
        username: draft.username.clone(),
        name: draft.name.clone(),
        roles: draft.roles.iter().filter_map(|r| Role::from_word(r)).collect(),
        unit: UnitId::new(&draft.unit).ok(),
        certificate_no: Some(draft.certificate_no.clone()),
        certificate_until: day("certificate_until", &draft.certificate_until),
        leads: draft.leads.iter().filter_map(|u| UnitId::new(u).ok()).collect(),
        valid_from: day("valid_from", &draft.valid_from),
        valid_until: day("valid_until", &draft.valid_until),
        email: Some(draft.email.clone()),
        sso_name: Some(draft.sso_name.clone()),
    };
    if fields.is_empty() { Ok(account) } else { Err(Refusal::BadFields { fields }) }
}

/// Makes an account, or changes one, or shows the form again with what was typed.
pub async fn make_account(mut visit: Visit, Form(fields): Form<Vec<(String, String)>>) -> Response {
    let (draft, changes) = (draft_of(&fields), one(&fields, "changes"));
    // As it was typed: a space at its end belongs to it.
    let password = all(&fields, "password").next().unwrap_or_default().to_owned();
    let made: Result<&str, No> = async {
        visit.prove(&fields).await?;
        let account = account_of(&draft)?;
        if let Some(id) = &changes {
            visit.desks().change_account(visit.person(), &asked::id("account", id, AccountId::new)?, account).await?;
            return Ok("account-changed");
        }
        visit.desks().make_account(visit.person(), account, password.into()).await?;
        Ok("account-made")
    }
    .await;
    match made {
        Ok(word) => done("/accounts", word),
        Err(No::Refusal(refusal)) => {
            let (lang, asked) = (visit.lang(), Asked::before(&visit.headers, "/accounts"));
            brought_back(accounts_page(&visit, (asked, draft), changes, None).await, lang, &refusal)
        }
        Err(no) => visit.no("/accounts", &no).await,
    }
}

/// Gives somebody a new password who lost theirs.
pub async fn give_password(mut visit: Visit, Path(id): Path<String>, Form(fields): Form<Vec<(String, String)>>) -> Response {
    let password = all(&fields, "password").next().unwrap_or_default().to_owned();
    let given: Result<(), No> = async {
        visit.prove(&fields).await?;
        visit.desks().give_password(visit.person(), &asked::id("account", &id, AccountId::new)?, password.into()).await
    }
    .await;
    match given {
        Ok(()) => done("/accounts", "password-given"),
        Err(No::Refusal(refusal)) => {
            let (lang, draft) = (visit.lang(), drafted(&visit, &id).await.unwrap_or_default());
            brought_back(accounts_page(&visit, (Asked::list("/accounts"), draft), Some(id), None).await, lang, &refusal)
        }
        Err(no) => visit.no("/accounts", &no).await,
    }
}

/// Makes a token for another system, and shows it once.
pub async fn make_token(mut visit: Visit, Form(fields): Form<Vec<(String, String)>>) -> Response {
    let line = |name| one(&fields, name).unwrap_or_default();
    let scopes: Vec<Act> = all(&fields, "scope").filter_map(Act::from_word).collect();
    let made: Result<String, No> = async {
        visit.prove(&fields).await?;
        let days = line("days").parse().unwrap_or(0);
        Ok(visit.desks().make_token(visit.person(), &line("token_name"), &line("token_account"), scopes, days).await?.1)
    }
    .await;
    let (lang, asked) = (visit.lang(), Asked::before(&visit.headers, "/accounts"));
    match made {
        Ok(token) => accounts_page(&visit, (asked, AccountDraft::default()), None, Some(token)).await,
        Err(No::Refusal(refusal)) => {
            brought_back(accounts_page(&visit, (asked, AccountDraft::default()), None, None).await, lang, &refusal)
        }
        Err(no) => visit.no("/accounts", &no).await,
    }
}

/// Ends a token.
pub async fn end_token(visit: Visit, Path(id): Path<String>) -> Response {
    let ended = visit.desks().end_token(visit.person(), &id).await;
    visit.after("/accounts", "token-ended", ended).await
}

/// Takes somebody's second factors away.
pub async fn reset_factors(visit: Visit, Path(id): Path<String>) -> Response {
    let reset = match asked::id("account", &id, AccountId::new) {
        Ok(id) => visit.desks().reset_factors(&visit.who, &id).await,
        Err(refusal) => Err(refusal.into()),
    };
    visit.after("/accounts", "factors-reset", reset).await
}

/// Ends an account.
pub async fn end_account(visit: Visit, Path(id): Path<String>) -> Response {
    let ended = match asked::id("account", &id, AccountId::new) {
        Ok(id) => visit.desks().end_account(visit.person(), &id).await,
        Err(refusal) => Err(refusal.into()),
    };
    visit.after("/accounts", "account-ended", ended).await
}
