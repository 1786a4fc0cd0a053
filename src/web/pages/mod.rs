//! Pages: askama templates over what the desks answer. No rule and no table here; a template that needs one asks a desk.

pub mod access;
pub mod agenda;
pub mod alarms;
pub mod archive;
pub mod cameras;
pub mod case_forms;
pub mod cases;
mod csv;
pub mod devices;
pub mod factors;
pub mod figures;
pub mod form;
pub mod handover;
mod help_at;
pub mod help;
pub mod imports;
pub mod initiation;
pub mod log;
pub mod measures;
pub mod media;
pub mod nav;
pub mod oversight;
pub mod people;
pub mod plans;
pub mod provision;
pub mod readiness;
pub mod record;
pub mod reference;
pub mod retention;
pub mod rooms;
pub mod running;
pub mod screen;
pub mod sessions;
pub mod shown;
pub mod supervision;
pub mod table;
pub mod visit;
pub mod wall;

use crate::desks::No;
use crate::desks::logins::SignedIn;
use crate::model::agenda::{Concern, count};
use crate::model::alarm::Severity;
use crate::model::digest;
use crate::model::people::{Act, Person};
use crate::model::refusal::Refusal;
use crate::model::time;
use crate::web::article;
use crate::web::i18n::{self, Lang};
use crate::web::pages::measures::{Theme, When};
use crate::web::pages::shown::Part;
use crate::web::pages::table::Table;
use crate::web::{Web, error, guard};
use askama::Template;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{Html, IntoResponse, Redirect, Response};
use chrono::{DateTime, Utc};
use rust_embed::Embed;
use std::borrow::Borrow;

/// What every page has: language, who, and the token for its forms.
pub struct Page {
    /// The language.
    pub lang: Lang,
    /// The bureau's name.
    pub bureau: String,
    /// Who is signed in.
    pub who: Option<SignedIn>,
    /// Where "language" leads back to.
    pub path: String,
    /// Requests that wait for this person's decision.
    pub waiting: usize,
    /// Cases that wait for this person: forms to decide on, or urgent starts that are due.
    pub cases_waiting: usize,
    /// Sessions whose period is over.
    pub due: usize,
    /// Holds that wait for this person's word.
    pub holds_waiting: usize,
    /// Disposals that wait for this person's decision, or to be closed by them.
    pub disposals_waiting: usize,
    /// Sessions that wait for this custodian's receipt.
    pub receipts_waiting: usize,
    /// Media of which a copy is to be read by now.
    pub media_due: usize,
    /// Devices that are out of use or to be maintained, for who keeps the register.
    pub devices_waiting: usize,
    /// Alarms that nobody has acknowledged, and the gravest of them, for who sees the rooms' status.
    pub alarms_waiting: (usize, Option<Severity>),
    /// What the list is narrowed to, in words.
    pub narrowed: Option<String>,
    /// What was just done, by its word: said once.
    pub done: Option<String>,
    /// Password or key were shown lately enough for an approval or an export.
    pub is_proved: bool,
    /// How it looks.
    pub theme: Theme,
    /// When it was made, for paper.
    pub made_at: When,
}

impl Page {
    /// A page for somebody who is signed in.
    pub async fn of(web: &Web, headers: &HeaderMap, who: SignedIn, path: &str) -> Self {
        let waiting = web.desks.waiting(&who.person).await;
        let of = |concerns: &[Concern]| count(&waiting, concerns);
        let done = said(headers);
        let is_proved = web.desks.is_proved(&who.person);
        Self {
            is_proved,
            lang: Lang::of(headers),
            bureau: web.desks.bureau().into(),
            who: Some(who),
            path: path.into(),
            waiting: of(&[Concern::Requests]),
            cases_waiting: of(&[Concern::UrgentReport, Concern::Initiations]),
            due: of(&[Concern::PeriodsOver]),
            holds_waiting: of(&[Concern::Holds]),
            disposals_waiting: of(&[Concern::DisposalsToDecide, Concern::DisposalsToClose]),
            receipts_waiting: of(&[Concern::Receipts]),
            media_due: of(&[Concern::MediaDue]),
            devices_waiting: of(&[Concern::DevicesIll, Concern::DevicesDue]),
            alarms_waiting: web.desks.alarms_waiting(),
            narrowed: None,
            done,
            theme: theme(headers),
            made_at: When(web.desks.wall_clock()),
        }
    }

    /// The same; which part of its list it shows, if not all.
    #[must_use]
    pub fn narrowed(self, part: Option<impl Part>) -> Self {
        let what = part.map(Part::name).map(|(of, word)| self.with("shown-part", "part", self.word(of, word)));
        Self { narrowed: what, ..self }
    }

    /// A page for nobody in particular.
    pub fn plain(web: &Web, headers: &HeaderMap) -> Self {
        Self {
            lang: Lang::of(headers),
            bureau: web.desks.bureau().into(),
            who: None,
            path: "/".into(),
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
            theme: theme(headers),
            made_at: When(web.desks.wall_clock()),
        }
    }

    /// A text.
    pub fn t(&self, key: &str) -> String {
        self.lang.t(key)
    }
    /// The text of a word of the model.
    pub fn word(&self, prefix: &str, word: &str) -> String {
        self.lang.of_word(prefix, word)
    }
    /// A text with one value.
    pub fn with(&self, key: &str, name: &'static str, value: impl ToString) -> String {
        self.lang.with(key, &[(name, value.to_string())])
    }
    /// An article, as the page's language cites it.
    pub fn article(&self, article: impl AsRef<str>) -> String {
        article::cited(self.lang, article.as_ref()).into_owned()
    }
    /// A moment, in Shanghai.
    pub fn at(&self, at: impl Borrow<DateTime<Utc>>) -> When {
        When(*at.borrow())
    }
    /// A length.
    pub fn length(&self, ms: impl Borrow<u64>) -> String {
        time::length_text(*ms.borrow())
    }
    /// Whether this page is one of keeping and giving up.
    pub fn keeps_here(&self) -> bool {
        ["/retention", "/holds", "/disposals", "/media", "/archive"].iter().any(|p| self.path.starts_with(p))
    }
    /// What waits for this person of keeping and giving up.
    pub fn keeping_waiting(&self) -> usize {
        self.due + self.holds_waiting + self.disposals_waiting + self.media_due
    }
    /// The gravest alarm that nobody has acknowledged, in a word; empty without one.
    pub fn bell(&self) -> &'static str {
        self.alarms_waiting.1.map_or("", Severity::as_str)
    }
    /// What stands between a word and what it is about.
    pub fn colon(&self) -> &'static str {
        if self.lang == Lang::Zh { "：" } else { ": " }
    }
    /// What stands before a remark in brackets, and behind it.
    pub fn bracket(&self) -> &'static str {
        if self.lang == Lang::Zh { "（" } else { " (" }
    }
    /// Its end.
    pub fn shut(&self) -> &'static str {
        if self.lang == Lang::Zh { "）" } else { ")" }
    }
    /// Words in a row.
    pub fn listed<T: AsRef<str>>(&self, words: impl AsRef<[T]>) -> String {
        let words: Vec<&str> = words.as_ref().iter().map(AsRef::as_ref).collect();
        words.join(if self.lang == Lang::Zh { "、" } else { ", " })
    }
    /// Bytes, as people read them.
    pub fn size(&self, bytes: impl Borrow<u64>) -> String {
        measures::size(*bytes.borrow())
    }
    /// `第 2/7 页，共 312 条`.
    pub fn page_of(&self, table: &Table) -> String {
        let values = [("page", table.page.to_string()), ("pages", table.pages.to_string()), ("count", table.count())];
        self.lang.with("page-of", &values)
    }
    /// Whether a form need not ask for the password.
    pub fn proved(&self) -> bool {
        self.is_proved
    }
    /// Whether the person has a second factor by code.
    pub fn has_code(&self) -> bool {
        self.who.as_ref().is_some_and(|w| w.has_code)
    }
    /// The token for forms.
    pub fn csrf(&self) -> &str {
        self.who.as_ref().map_or("", |w| &w.csrf)
    }
    /// Whether the person's roles hold an act, by its word.
    pub fn may(&self, act: &str) -> bool {
        Act::from_word(act).is_some_and(|act| self.who.as_ref().is_some_and(|w| w.person.may(act)))
    }
    /// The person; only for pages behind a sign-in.
    pub fn person(&self) -> Option<&Person> {
        self.who.as_ref().map(|w| &w.person)
    }
}

/// How somebody wants pages to look: a cookie says so, so that the first paint is right.
pub(super) fn theme(headers: &HeaderMap) -> Theme {
    i18n::cookie(headers, "theme").map_or(Theme::Auto, Theme::from_word)
}

/// A rendered page.
pub fn html(template: &impl Template) -> Response {
    html_with(StatusCode::OK, template)
}

fn html_with(status: StatusCode, template: &impl Template) -> Response {
    match template.render() {
        Ok(text) => (status, Html(text)).into_response(),
        Err(e) => {
            tracing::error!("a page could not be rendered: {e}");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

/// What a page can say of the form before it (`done-…`). The word travels in a cookie of ten seconds, which the script ends once
/// it was shown; what else a cookie may hold is not said.
const DONE: &[&str] = &[
    "started",
    "resumed",
    "interrupted",
    "ended",
    "linked",
    "requested",
    "approved",
    "rejected",
    "revoked",
    "account-made",
    "account-ended",
    "marked",
    "password",
    "recorded",
    "interim-sealed",
    "answered",
    "planned",
    "called-off",
    "case-opened",
    "record-added",
    "urgent",
    "begun",
    "case-closed",
    "archived",
    "submitted",
    "screen-ended",
    "closed",
    "deputy-named",
    "deputy-ended",
    "factor-added",
    "factor-removed",
    "login-ended",
    "one-login",
    "account-changed",
    "factors-reset",
    "token-ended",
    "set-up",
    "proved",
    "provision-entered",
    "provision-preparing",
    "provision-approved",
    "provision-handed",
    "provision-verified",
    "provision-closed",
    "routine",
    "extended",
    "held",
    "hold-confirmed",
    "hold-lift-asked",
    "hold-kept",
    "hold-lifted",
    "disposal-proposed",
    "disposal-approved",
    "disposal-refused",
    "clock-confirmed",
    "corrected",
    "handed-over",
    "receiving",
    "checked-out",
    "nothing-came",
    "media-ordered",
    "medium-writing",
    "medium-checking",
    "medium-stopped",
    "medium-changed",
    "medium-image-removed",
    "archive-verifying",
    "copy-destroyed",
    "disposal-closed",
    "device-registered",
    "device-changed",
    "device-maintained",
    "device-asked",
    "device-clock-set",
    "fault-reported",
    "fault-stepped",
    "camera-saved",
    "camera-waits",
    "camera-removed",
    "alarm-acknowledged",
    "step-said",
    "password-given",
    "provision-rejected",
    "provision-withdrawn",
];

/// The word of the form before, if there is one.
fn said(headers: &HeaderMap) -> Option<String> {
    i18n::cookie(headers, "done").filter(|w| DONE.contains(w)).map(Into::into)
}

/// To a page, with a word of what was done.
pub fn done(path: &str, word: &str) -> Response {
    debug_assert!(DONE.contains(&word), "{word} would be said nowhere");
    ([(header::SET_COOKIE, format!("done={word}; Path=/; Max-Age=10; SameSite=Strict"))], Redirect::to(path)).into_response()
}

/// To another page.
pub fn see(path: &str) -> Response {
    Redirect::to(path).into_response()
}

/// What a form was refused for, for the layer that brings the form back as it was typed (`web::refusals`).
#[derive(Debug, Clone)]
pub struct Told {
    /// With which status.
    pub status: StatusCode,
    /// In the page's language.
    pub message: String,
    /// The article that the rule comes from.
    pub article: Option<&'static str>,
    /// Wrong fields: name, and what is wrong.
    pub fields: Vec<(String, String)>,
    /// The password is asked for once more.
    pub prove: bool,
    /// The page brings its form back by itself, with what only it knows: more rows than it opens with, a second button.
    pub own: bool,
}

impl Told {
    fn of(lang: Lang, no: &No) -> Self {
        let (status, problem) = error::problem(no);
        let message = if lang == Lang::Zh { problem.message } else { problem.message_en };
        let fields = problem.fields.iter().map(|f| (f.field.clone(), error::field_text(f, lang))).collect();
        Self { status, message, article: problem.article, fields, prove: false, own: false }
    }
}

#[derive(Template)]
#[template(path = "no.html", config = "src/web/askama.toml")]
struct NoPage {
    page: Page,
    title: String,
    message: String,
    article: Option<&'static str>,
    next: String,
}

/// A no as a page: what was wrong, the article, and what to do.
pub fn refused(web: &Web, headers: &HeaderMap, no: &No) -> Response {
    no_page(Page::plain(web, headers), no)
}

/// A page that brings its refused form back by itself: what was wrong is said in it as in every other (`web::refusals`).
pub fn brought_back(mut page: Response, lang: Lang, refusal: &Refusal) -> Response {
    if page.status() != StatusCode::OK {
        return page;
    }
    let mut told = Told { own: true, ..Told::of(lang, &refusal.clone().into()) };
    // A thing that is not there was typed into a field of this form.
    if let Refusal::NoSuch { what, .. } = refusal {
        told.status = StatusCode::UNPROCESSABLE_ENTITY;
        told.fields = vec![((*what).to_owned(), told.message.clone())];
    }
    *page.status_mut() = told.status;
    page.extensions_mut().insert(told);
    page
}

/// The same for somebody who is signed in, with the navigation.
pub fn no_page(page: Page, no: &No) -> Response {
    let told = Told::of(page.lang, no);
    told_page(page, told)
}

/// What is told, on a page of its own.
pub fn told_page(page: Page, told: Told) -> Response {
    let kind = match told.status {
        StatusCode::NOT_FOUND => "not-found",
        StatusCode::INTERNAL_SERVER_ERROR => "fault",
        StatusCode::FORBIDDEN => "refused",
        _ => "cannot",
    };
    let (title, next) = (page.word("no-title", kind), page.word("no-next", kind));
    let mut response = html_with(told.status, &NoPage { page, title, message: told.message.clone(), article: told.article, next });
    response.extensions_mut().insert(told);
    response
}

/// A page for what failed before any handler could say why: a time that is over, a body too large, a panic.
pub fn failed(web: &Web, headers: &HeaderMap, status: StatusCode) -> Response {
    let page = Page::plain(web, headers);
    let kind = match status {
        StatusCode::SERVICE_UNAVAILABLE | StatusCode::GATEWAY_TIMEOUT | StatusCode::REQUEST_TIMEOUT => "slow",
        StatusCode::PAYLOAD_TOO_LARGE => "large",
        s if s.is_server_error() => "fault",
        _ => "unread",
    };
    let title = page.t(if status.is_server_error() { "no-title-fault" } else { "no-title-cannot" });
    let (message, next) = (page.word("failed", kind), page.t("no-next-fault"));
    html_with(status, &NoPage { page, title, message, article: None, next })
}

/// Nothing has that address. Who is signed in keeps their navigation.
pub async fn not_found(State(web): State<Web>, guard::From(place): guard::From, headers: HeaderMap, uri: axum::http::Uri) -> Response {
    let no = No::from(Refusal::no_such("page", uri.path()));
    if uri.path().starts_with("/api/") {
        return error::ApiError(no).into_response();
    }
    let token = guard::token(&web, &headers).map(ToOwned::to_owned);
    match token {
        Some(token) => match web.desks.signed_in_as(&token, &place).await {
            Ok(who) => no_page(Page::of(&web, &headers, who, "").await, &no),
            Err(_) => refused(&web, &headers, &no),
        },
        None => refused(&web, &headers, &no),
    }
}

/// The address is there, but not for this method.
pub async fn wrong_method(State(web): State<Web>, headers: HeaderMap, uri: axum::http::Uri) -> Response {
    let no = No::from(Refusal::no_such("method", uri.path()));
    let mut response = if uri.path().starts_with("/api/") { error::ApiError(no).into_response() } else { refused(&web, &headers, &no) };
    *response.status_mut() = StatusCode::METHOD_NOT_ALLOWED;
    response
}

#[derive(Embed)]
#[folder = "src/web/assets"]
struct Assets;

/// Styles and scripts, from inside the binary: the console works without any network but this one. A browser asks each time whether it
/// has the newest (after an upgrade no page runs with yesterday's scripts), and is sent again only what changed (RFC 9110, 13.1.2).
pub async fn asset(Path(file): Path<String>, headers: HeaderMap) -> Response {
    let Some(found) = Assets::get(&file) else { return StatusCode::NOT_FOUND.into_response() };
    let tag = format!("\"{}\"", digest::hex(&found.metadata.sha256_hash()));
    let known = headers.get_all(header::IF_NONE_MATCH).iter().filter_map(|all| all.to_str().ok());
    if known.flat_map(|all| all.split(',')).any(|one| one.trim().trim_start_matches("W/") == tag) {
        return (StatusCode::NOT_MODIFIED, [(header::ETAG, tag.as_str()), (header::CACHE_CONTROL, "no-cache")]).into_response();
    }
    let kind = match file.rsplit('.').next() {
        Some("css") => "text/css; charset=utf-8",
        Some("js") => "text/javascript; charset=utf-8",
        Some("svg") => "image/svg+xml",
        Some("html") => "text/html; charset=utf-8",
        _ => "application/octet-stream",
    };
    let told = [(header::CONTENT_TYPE, kind), (header::ETAG, tag.as_str()), (header::CACHE_CONTROL, "no-cache")];
    let mut answer = (told, found.data).into_response();
    if file == "reach.js" {
        // It stands in for every page, not only for what lies beside it.
        answer.headers_mut().insert("service-worker-allowed", HeaderValue::from_static("/"));
    }
    answer
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    fn sources() -> Vec<(String, String)> {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src/web/pages");
        let files = std::fs::read_dir(folder).unwrap().map(|e| e.unwrap().path());
        files.map(|p| (p.display().to_string(), std::fs::read_to_string(&p).unwrap())).collect()
    }

    /// What stands in quotation marks in a text, without what is no word.
    fn words(text: &str) -> impl Iterator<Item = &str> {
        let is_word = |w: &&str| !w.is_empty() && w.bytes().all(|b| b.is_ascii_lowercase() || b == b'-');
        text.split('"').skip(1).step_by(2).filter(is_word)
    }

    #[test]
    fn every_word_of_what_was_done_is_said_on_the_next_page_in_both_languages() {
        let known: BTreeSet<&str> = DONE.iter().copied().collect();
        for (lang, text) in [("zh-CN", include_str!("../i18n/zh-CN/console.ftl")), ("en", include_str!("../i18n/en/console.ftl"))] {
            let told: BTreeSet<&str> =
                text.lines().filter_map(|l| l.strip_prefix("done-")?.split_once(" =").map(|(word, _)| word)).collect();
            assert_eq!(told, known, "{lang}");
        }
        for (path, source) in sources() {
            for call in [" done(", ".after(", ".act("] {
                for (at, _) in source.match_indices(call) {
                    let line = source[at..].split([';', '|']).next().unwrap().lines().take(3).collect::<Vec<_>>().join(" ");
                    let line = line.split("Err(").next().unwrap();
                    words(line).for_each(|word| assert!(known.contains(word), "{path}: {word:?} is said nowhere"));
                }
            }
        }
    }
}
