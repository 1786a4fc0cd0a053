//! The viewing log, for the inspector and the legal unit: on screen, as CSV, on paper; each row with its proof.

use crate::desks::agenda::Look;
use crate::desks::logins::SignedIn;
use crate::desks::oversight::{Oversight, OversightRow, OversightSearch, Reviewed, Watch};
use crate::model::time;
use crate::web::Web;
use crate::web::i18n::Lang;
use crate::web::pages::csv::{self, cell};
use crate::web::pages::table::{Asked, Key, Table};
use crate::web::pages::visit::Visit;
use crate::web::pages::{Page, html, log, no_page};
use askama::Template;
use axum::extract::Query;
use axum::extract::rejection::QueryRejection;
use axum::response::Response;
use chrono::{DateTime, Utc};
use serde::Deserialize;

#[derive(Template)]
#[template(path = "oversight.html", config = "src/web/askama.toml")]
struct OversightPage {
    page: Page,
    search: OversightSearch,
    found: Oversight,
    table: Table,
}

fn at(text: &str) -> String {
    text.parse::<DateTime<Utc>>().map_or_else(|_| text.to_owned(), time::shanghai_text)
}

fn figures(page: &Page, row: &OversightRow) -> String {
    let all = row.about.iter().filter(|(name, _)| !matches!(name.as_str(), "viewing" | "sessions_sha256" | "order_sha256"));
    let told = all.map(|(name, value)| log::figure(page, row.kind, name, value)).map(|(name, value)| format!("{name} {value}"));
    told.collect::<Vec<_>>().join(if page.lang == Lang::Zh { "；" } else { "; " })
}

impl OversightPage {
    fn kinds(&self) -> &'static [Watch] {
        Watch::ALL
    }
    fn value(&self, field: &Option<String>) -> String {
        field.clone().unwrap_or_default()
    }
    fn at(&self, row: &OversightRow) -> String {
        at(&row.at)
    }
    fn figures(&self, row: &OversightRow) -> String {
        figures(&self.page, row)
    }
    fn seconds(&self, row: &OversightRow) -> String {
        row.seconds.map(|s| time::length_text(s * 1000)).unwrap_or_default()
    }
    /// What the form asks for, by the names of its fields.
    fn fields(&self) -> [(&'static str, &Option<String>); 5] {
        let s = &self.search;
        [("what", &s.what), ("from", &s.from), ("until", &s.until), ("person", &s.person), ("session", &s.session)]
    }
    /// The same question, as CSV.
    fn csv(&self) -> String {
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        for (name, value) in self.fields().into_iter().chain([("since", &self.search.since)]) {
            if let Some(value) = value.as_ref().filter(|v| !v.is_empty()) {
                query.append_pair(name, value);
            }
        }
        format!("/oversight.csv?{}", query.finish())
    }
}

fn row_key(page: &Page, row: &OversightRow, column: &str) -> Key {
    match column {
        // The number through all logs: an index begins anew with each.
        "index" => Key::Number(row.number as i64),
        "at" => row.at.parse::<DateTime<Utc>>().map_or(Key::Absent, Key::at),
        "act" => Key::text(Some(page.word("entry", row.kind.as_str()))),
        "who" => Key::text(Some(&row.who)),
        "session" => Key::text(row.session.as_deref()),
        "request" => Key::text(row.request.as_deref()),
        "seconds" => row.seconds.map_or(Key::Absent, |s| Key::Number(s as i64)),
        _ => Key::text(row.from.as_deref()),
    }
}

/// Who saw what: rows taken from the log, put in order to be compared, with the index by which each is proved. All of them on one
/// page, which prints; the file keeps the order of the log.
pub async fn show(visit: Visit, asked: Asked, query: Result<Query<OversightSearch>, QueryRejection>) -> Response {
    let mut page = visit.page("/oversight").await;
    let search = query.map(|Query(q)| q).unwrap_or_default();
    match visit.desks().oversight(visit.person(), &search).await {
        Ok(mut found) => {
            looked(&visit.web, &visit.who, &search);
            page.narrowed = search.since.as_ref().map(|_| page.t("shown-only"));
            let mut table = Table::new(asked, &["index", "at", "act", "who", "session", "request", "seconds", "from"]);
            found.rows = table.whole(found.rows, |r, column| row_key(&page, r, column));
            html(&OversightPage { page, search, found, table })
        }
        Err(no) => no_page(page, &no),
    }
}

/// Notes what was before somebody's eyes: all of a list up to now, of everybody.
fn looked(web: &Web, who: &SignedIn, search: &OversightSearch) {
    let given = |field: &Option<String>| field.as_ref().is_some_and(|f| !f.trim().is_empty());
    if given(&search.until) || given(&search.person) || given(&search.session) {
        return;
    }
    let what = search.what.as_deref().filter(|w| !w.is_empty());
    let seen = [(Watch::Refusals, Look::Refusals), (Watch::SignIns, Look::SignIns)];
    for (_, look) in seen.iter().filter(|(watch, _)| what.is_none_or(|w| w == watch.as_str())) {
        web.desks.looked(&who.person, look);
    }
    web.desks.looked(&who.person, &Look::Patterns);
}

/// The same as CSV.
pub async fn csv(visit: Visit, query: Result<Query<OversightSearch>, QueryRejection>) -> Response {
    let page = visit.page("/oversight").await;
    let search = query.map(|Query(q)| q).unwrap_or_default();
    let found = match visit.desks().oversight(visit.person(), &search).await {
        Ok(found) => found,
        Err(no) => return no_page(page, &no),
    };
    let heads = ["log-index", "time", "act", "actor", "session", "request-no", "approved-by-whom", "seen-length", "from-where", "figures"];
    let mut text = format!("{}\r\n", heads.map(|h| cell(&page.t(h))).join(","));
    for r in &found.rows {
        let index = r.index.map(|i| i.to_string()).unwrap_or_default();
        let seconds = r.seconds.map(|s| s.to_string()).unwrap_or_default();
        let optional = |o: &Option<String>| o.clone().unwrap_or_default();
        let row = [
            index,
            at(&r.at),
            page.word("entry", r.kind.as_str()),
            r.who.clone(),
            optional(&r.session),
            optional(&r.request),
            optional(&r.approved_by),
            seconds,
            optional(&r.from),
            figures(&page, r),
        ];
        text.push_str(&(row.iter().map(|c| cell(c)).collect::<Vec<_>>().join(",") + "\r\n"));
    }
    csv::file("oversight", &text)
}

/// Which quarter.
#[derive(Default, Deserialize)]
#[serde(default)]
pub struct Quarter {
    quarter: Option<String>,
}

#[derive(Template)]
#[template(path = "review.html", config = "src/web/askama.toml")]
struct ReviewPage {
    page: Page,
    quarter: String,
    rows: Vec<Reviewed>,
}

impl ReviewPage {
    fn seconds(&self, row: &Reviewed) -> String {
        time::length_text(row.seconds * 1000)
    }
}

/// A quarter's approvals, with what came of each.
pub async fn review(visit: Visit, query: Result<Query<Quarter>, QueryRejection>) -> Response {
    let page = visit.page("/oversight").await;
    let quarter = query.map(|Query(q)| q).unwrap_or_default().quarter;
    match visit.desks().review(visit.person(), quarter.as_deref()).await {
        Ok((quarter, rows)) => {
            visit.desks().looked(visit.person(), &Look::Review(quarter.clone()));
            html(&ReviewPage { page, quarter, rows })
        }
        Err(no) => no_page(page, &no),
    }
}
