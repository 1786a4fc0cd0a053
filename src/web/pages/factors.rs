//! One's own account: password, second factor, passkeys, logins; showing again that it is the same person; the first account; and
//! coming back from the single sign-on.

use crate::desks::No;
use crate::desks::accounts::NewAccount;
use crate::desks::factors::{KeySeen, NewFactor};
use crate::desks::logins::LoginSeen;
use crate::model::refusal::Refusal;
use crate::web::i18n;
use crate::web::pages::form::{Form, all, one};
use crate::web::pages::record::qr;
use crate::web::pages::visit::Visit;
use crate::web::pages::{Page, brought_back, done, html, no_page, refused, see};
use crate::web::{Web, error, guard};
use askama::Template;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, header};
use axum::response::{Html, IntoResponse, Redirect, Response};
use secrecy::SecretString;
use serde::Deserialize;

#[derive(Template)]
#[template(path = "me.html", config = "src/web/askama.toml")]
struct MePage {
    page: Page,
    must_change: bool,
    must_enrol: bool,
    factor: Option<NewFactor>,
    qr: Option<String>,
    passkeys_here: bool,
    passkeys: Vec<KeySeen>,
    logins: Vec<LoginSeen>,
}

async fn me_page(visit: &Visit, factor: Option<NewFactor>) -> Response {
    let page = visit.page("/me").await;
    let found = async { Ok::<_, No>((visit.desks().logins(&visit.who).await?, visit.desks().passkeys(&visit.who).await?)) };
    match found.await {
        Ok((logins, passkeys)) => {
            let qr = factor.as_ref().and_then(|f| qr(&f.address));
            let (must_change, must_enrol, passkeys_here) = (visit.who.must_change, visit.who.must_enrol, visit.desks().has_passkeys());
            html(&MePage { page, must_change, must_enrol, factor, qr, passkeys_here, passkeys, logins })
        }
        Err(no) => no_page(page, &no),
    }
}

/// One's own account.
pub async fn me(visit: Visit) -> Response {
    me_page(&visit, None).await
}

/// A change of password.
#[derive(Deserialize)]
pub struct PasswordForm {
    old: SecretString,
    new: SecretString,
}

/// Changes one's own password; every login ends.
pub async fn change_password(visit: Visit, Form(form): Form<PasswordForm>) -> Response {
    match visit.desks().change_password(visit.person(), form.old, form.new).await {
        Ok(()) => done("/login", "password"),
        other => visit.after("/me", "password", other).await,
    }
}

/// Begins to set up a second factor.
pub async fn begin(mut visit: Visit, Form(fields): Form<Vec<(String, String)>>) -> Response {
    let begun = async {
        visit.prove(&fields).await?;
        visit.desks().begin_factor(&visit.who).await
    };
    match begun.await {
        Ok(factor) => me_page(&visit, Some(factor)).await,
        Err(no) => visit.after("/me", "factor-added", Err(no)).await,
    }
}

/// Puts it to use.
pub async fn confirm(visit: Visit, Form(fields): Form<Vec<(String, String)>>) -> Response {
    let confirmed = visit.desks().confirm_factor(&visit.who, &one(&fields, "code").unwrap_or_default()).await;
    match confirmed {
        Err(No::Refusal(refusal)) => {
            let begun = visit.desks().begun_factor(&visit.who).await.unwrap_or_default();
            brought_back(me_page(&visit, begun).await, visit.lang(), &refusal)
        }
        other => visit.after("/me", "factor-added", other).await,
    }
}

/// Takes it away.
pub async fn remove(mut visit: Visit, Form(fields): Form<Vec<(String, String)>>) -> Response {
    let removed = async {
        visit.prove(&fields).await?;
        visit.desks().remove_factor(&visit.who).await
    };
    let removed = removed.await;
    visit.after("/me", "factor-removed", removed).await
}

/// Takes a passkey away.
pub async fn remove_passkey(visit: Visit, Path(id): Path<String>) -> Response {
    let removed = visit.desks().remove_passkey(&visit.who, &id).await;
    visit.after("/me", "factor-removed", removed).await
}

/// Ends one of one's own logins.
pub async fn end_login(visit: Visit, Path(id): Path<String>) -> Response {
    let ended = visit.desks().end_login(visit.person(), &visit.person().id, &id).await;
    visit.after("/me", "login-ended", ended).await
}

/// Whether signing in ends one's other logins; saying so ends them now.
pub async fn one_login(visit: Visit, Form(fields): Form<Vec<(String, String)>>) -> Response {
    let one = one(&fields, "one").as_deref() == Some("yes");
    let set = async {
        visit.desks().set_one_login(visit.person(), one).await?;
        if one { visit.desks().end_other_logins(&visit.who).await } else { Ok(()) }
    };
    let set = set.await;
    visit.after("/me", "one-login", set).await
}

#[derive(Template)]
#[template(path = "prove.html", config = "src/web/askama.toml")]
struct ProvePage {
    page: Page,
    back: String,
    passkeys: bool,
    problem: Option<String>,
}

/// Only back into this console.
pub(super) fn inside(back: Option<String>) -> String {
    // Browsers leave out a tab or a line break: `/<tab>/evil` would be `//evil`.
    back.filter(|b| b.starts_with('/') && !b.starts_with("//") && !b.contains(|c: char| c == '\\' || c.is_control()))
        .unwrap_or_else(|| "/".into())
}

/// Where to.
#[derive(Deserialize)]
pub struct Back {
    back: Option<String>,
}

/// Asks for the password again.
pub async fn prove_page(visit: Visit, Query(q): Query<Back>) -> Response {
    let page = visit.page("/prove").await;
    html(&ProvePage { page, back: inside(q.back), passkeys: visit.desks().has_passkeys(), problem: None })
}

/// Takes it.
pub async fn prove(visit: Visit, Form(fields): Form<Vec<(String, String)>>) -> Response {
    let back = inside(one(&fields, "back"));
    let password = all(&fields, "prove_password").next().unwrap_or_default().to_owned();
    match visit.desks().prove(&visit.who, password.into(), &one(&fields, "prove_code").unwrap_or_default()).await {
        Ok(()) => done(&back, "proved"),
        Err(No::Refusal(refusal)) => {
            let page = visit.page("/prove").await;
            let problem = Some(error::text(&refusal, page.lang));
            html(&ProvePage { page, back, passkeys: visit.desks().has_passkeys(), problem })
        }
        Err(no) => visit.no("/prove", &no).await,
    }
}

#[derive(Template)]
#[template(path = "setup.html", config = "src/web/askama.toml")]
struct SetupPage {
    page: Page,
    username: String,
    name: String,
    problem: Option<String>,
}

/// The page that makes the first account; once there is one, there is no such page.
pub async fn setup_page(State(web): State<Web>, headers: HeaderMap) -> Response {
    let page = Page::plain(&web, &headers);
    match web.desks.needs_setup().await {
        Ok(true) => html(&SetupPage { page, username: String::new(), name: String::new(), problem: None }),
        Ok(false) => no_page(page, &Refusal::no_such("page", "/setup").into()),
        Err(no) => no_page(page, &no),
    }
}

/// Makes it.
pub async fn set_up(State(web): State<Web>, headers: HeaderMap, Form(fields): Form<Vec<(String, String)>>) -> Response {
    let line = |name| one(&fields, name).unwrap_or_default();
    let account = NewAccount { username: line("username"), name: line("name"), ..NewAccount::default() };
    let password = all(&fields, "password").next().unwrap_or_default().to_owned();
    match web.desks.set_up(&line("setup_code"), account, password.into()).await {
        Ok(()) => done("/login", "set-up"),
        Err(No::Refusal(refusal @ Refusal::BadFields { .. })) => {
            let page = Page::plain(&web, &headers);
            let problem = Some(error::text(&refusal, page.lang));
            html(&SetupPage { page, username: line("username"), name: line("name"), problem })
        }
        Err(no) => refused(&web, &headers, &no),
    }
}

/// To the bureau's provider.
pub async fn sso(State(web): State<Web>, headers: HeaderMap) -> Response {
    match web.desks.begin_sso().await {
        Ok((to, word)) => {
            // Lax: it has to come back with the browser from another site.
            let secure = if web.settings.secure { "; Secure" } else { "" };
            let cookie = format!("shilu-sso={word}; Path=/login/sso; HttpOnly; SameSite=Lax; Max-Age=600{secure}");
            ([(header::SET_COOKIE, cookie)], Redirect::to(&to)).into_response()
        }
        Err(no) => refused(&web, &headers, &no),
    }
}

/// What the provider sends back.
#[derive(Deserialize)]
pub struct SsoBack {
    #[serde(default)]
    code: String,
    #[serde(default)]
    state: String,
}

/// Back from it.
pub async fn sso_back(State(web): State<Web>, guard::From(place): guard::From, headers: HeaderMap, Query(q): Query<SsoBack>) -> Response {
    let kept = i18n::cookie(&headers, "shilu-sso").unwrap_or_default().to_owned();
    match web.desks.sign_in_by_sso(&q.code, &q.state, &kept, &place).await {
        // A page of our own in between: a cookie that is strict does not travel with a redirect from another site.
        Ok(login) => {
            let page = "<!doctype html><meta charset=\"utf-8\"><meta http-equiv=\"refresh\" content=\"0;url=/\"><a href=\"/\">实录</a>";
            ([(header::SET_COOKIE, guard::set_cookie(&web, Some(&login.token)))], Html(page)).into_response()
        }
        Err(No::Refusal(Refusal::NotSignedIn)) => see("/login"),
        Err(no) => refused(&web, &headers, &no),
    }
}
