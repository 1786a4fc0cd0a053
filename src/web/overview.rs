//! The overview of many sites: a console of its own, that only reads. No route leads to a picture, and none changes anything.

use crate::desks::No;
use crate::desks::overview::{Overview, OverviewRow, OverviewSearch, Signed, SiteView};
use crate::model::refusal::Refusal;
use crate::web::i18n::{self, Lang};
use crate::web::pages::{self, Page, html};
use crate::web::{error, guard};
use askama::Template;
use axum::extract::rejection::QueryRejection;
use axum::extract::{DefaultBodyLimit, Form, Query, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, header};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use axum::{Router, middleware};
use serde::Deserialize;
use std::sync::Arc;
use tower_http::set_header::SetResponseHeaderLayer;

/// The cookie: bound to the host where TLS is the overview's own; behind another service's it cannot be.
fn cookie_name(secure: bool) -> &'static str {
    if secure { "__Host-shilu-overview" } else { "shilu-overview" }
}

fn set_cookie(secure: bool, token: Option<&str>) -> String {
    guard::set_cookie_text(cookie_name(secure), token, secure)
}

/// What handlers share.
#[derive(Clone)]
struct Shared {
    overview: Arc<Overview>,
    /// Served over TLS.
    secure: bool,
}
/// Largest form.
const BODY_BYTES_MAX: usize = 16 * 1024;

type Seen = State<Shared>;

/// The service.
pub fn router(overview: Arc<Overview>, secure: bool) -> Router {
    let fixed = |name: HeaderName, value: &'static str| SetResponseHeaderLayer::overriding(name, HeaderValue::from_static(value));
    let all = Router::new()
        .route("/", get(sites))
        .route("/search", get(search))
        .route("/login", get(login_page).post(login))
        .route("/logout", post(logout))
        .route("/language", get(pages::people::language))
        .route("/theme", get(pages::people::theme))
        .route("/assets/{file}", get(pages::asset))
        .layer(middleware::from_fn(own_site))
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .layer(fixed(header::CONTENT_SECURITY_POLICY, super::POLICY))
        .layer(fixed(header::X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .layer(fixed(header::REFERRER_POLICY, "same-origin"))
        .layer(fixed(header::X_FRAME_OPTIONS, "DENY"))
        .layer(SetResponseHeaderLayer::if_not_present(header::CACHE_CONTROL, HeaderValue::from_static("no-store")))
        .with_state(Shared { overview, secure });
    if secure { all.layer(fixed(header::STRICT_TRANSPORT_SECURITY, "max-age=31536000")) } else { all }
}

/// What comes from another site signs nobody in or out.
async fn own_site(request: axum::extract::Request, next: middleware::Next) -> Response {
    let method: Method = request.method().clone();
    match guard::same_site(request.headers(), &method) {
        Ok(()) => next.run(request).await,
        Err(refusal) => error::problem(&refusal.into()).0.into_response(),
    }
}

fn page(overview: &Overview, headers: &HeaderMap, path: &str) -> Page {
    Page {
        lang: Lang::of(headers),
        bureau: overview.name().into(),
        who: None,
        path: path.into(),
        waiting: 0,
        cases_waiting: 0,
        due: 0,
        holds_waiting: 0,
        disposals_waiting: 0,
        receipts_waiting: 0,
        media_due: 0,
        devices_waiting: 0,
        alarms_waiting: (0, None),
        narrowed: None,
        done: None,
        is_proved: false,
        theme: pages::theme(headers),
        made_at: pages::measures::When(overview.now()),
    }
}

/// The person's name; none: the way leads to the sign-in.
fn signed_in(shared: &Shared, headers: &HeaderMap) -> Option<String> {
    shared.overview.signed_in(i18n::cookie(headers, cookie_name(shared.secure))?).ok()
}

#[derive(Template)]
#[template(path = "overview_login.html", config = "src/web/askama.toml")]
struct LoginPage {
    page: Page,
    problem: Option<String>,
    username: String,
}

#[derive(Template)]
#[template(path = "overview.html", config = "src/web/askama.toml")]
struct SitesPage {
    page: Page,
    person: String,
    sites: Vec<SiteView>,
}

impl SitesPage {
    /// The address as a picture, for a telephone that is held before the screen.
    fn qr(&self, address: &str) -> Option<String> {
        pages::record::qr(address)
    }

    fn signed(&self, site: &SiteView) -> (&'static str, &'static str) {
        match site.signed {
            Signed::ByKnownKey => ("good", "overview-signed"),
            Signed::NotCompared => ("warn", "overview-not-compared"),
            Signed::Wrong => ("bad", "overview-wrong-key"),
        }
    }
}

#[derive(Template)]
#[template(path = "overview_search.html", config = "src/web/askama.toml")]
struct SearchPage {
    page: Page,
    person: String,
    sites: Vec<SiteView>,
    by: OverviewSearch,
    rows: Vec<OverviewRow>,
    total: usize,
}

async fn sites(State(shared): Seen, headers: HeaderMap) -> Response {
    let overview = &shared.overview;
    match signed_in(&shared, &headers) {
        Some(person) => html(&SitesPage { page: page(overview, &headers, "/"), person, sites: overview.sites() }),
        None => pages::see("/login"),
    }
}

async fn search(State(shared): Seen, headers: HeaderMap, by: Result<Query<OverviewSearch>, QueryRejection>) -> Response {
    let Some(person) = signed_in(&shared, &headers) else { return pages::see("/login") };
    let overview = &shared.overview;
    let by = by.map(|Query(by)| by).unwrap_or_default();
    let (rows, total) = overview.search(&by);
    html(&SearchPage { page: page(overview, &headers, "/search"), person, sites: overview.sites(), by, rows, total })
}

async fn login_page(State(shared): Seen, headers: HeaderMap) -> Response {
    html(&LoginPage { page: page(&shared.overview, &headers, "/login"), problem: None, username: String::new() })
}

#[derive(Deserialize)]
struct LoginForm {
    username: String,
    password: String,
}

async fn login(State(shared): Seen, headers: HeaderMap, Form(form): Form<LoginForm>) -> Response {
    match shared.overview.sign_in(&form.username, form.password.into()).await {
        Ok(token) => ([(header::SET_COOKIE, set_cookie(shared.secure, Some(&token)))], Redirect::to("/")).into_response(),
        Err(no) => {
            let lang = Lang::of(&headers);
            let (status, problem) = error::problem(&no);
            let problem = match no {
                No::Refusal(Refusal::WrongCredentials | Refusal::LockedOut { .. }) | No::Fault(_) if lang == Lang::En => problem.message_en,
                _ => problem.message,
            };
            let page = page(&shared.overview, &headers, "/login");
            (status, html(&LoginPage { page, problem: Some(problem), username: form.username })).into_response()
        }
    }
}

async fn logout(State(shared): Seen, headers: HeaderMap) -> Response {
    shared.overview.sign_out(i18n::cookie(&headers, cookie_name(shared.secure)).unwrap_or_default());
    ([(header::SET_COOKIE, set_cookie(shared.secure, None))], Redirect::to("/login")).into_response()
}
