//! The custody log, for who supervises.

use crate::desks::accounts::SignedIn;
use crate::desks::reports::LogRow;
use crate::web::Web;
use crate::web::pages::{Page, html, no_page};
use askama::Template;
use axum::Extension;
use axum::extract::{Query, State};
use axum::http::HeaderMap;
use axum::response::Response;
use chrono::{DateTime, Utc};
use serde::Deserialize;

/// Which part.
#[derive(Deserialize)]
pub struct LogQuery {
    before: Option<u64>,
    session: Option<String>,
}

#[derive(Template)]
#[template(path = "log.html", config = "src/web/askama.toml")]
struct LogPage {
    page: Page,
    rows: Vec<LogRow>,
    session: String,
}

impl LogPage {
    fn time(&self, row: &LogRow) -> String {
        row.entry.at.parse::<DateTime<Utc>>().map(|at| self.page.at(at)).unwrap_or_default()
    }
    fn figures(&self, row: &LogRow) -> String {
        row.entry.about.iter().map(|(name, value)| format!("{name} {value}")).collect::<Vec<_>>().join(" · ")
    }
    fn older(&self) -> Option<u64> {
        self.rows.last().map(|r| r.entry.index).filter(|index| *index > 0)
    }
}

/// A page of the log.
pub async fn show(State(web): State<Web>, Extension(who): Extension<SignedIn>, headers: HeaderMap, Query(q): Query<LogQuery>) -> Response {
    let page = Page::of(&web, &headers, who.clone(), "/log").await;
    let session = q.session.map(|s| s.trim().to_owned()).filter(|s| !s.is_empty());
    match web.desks.log(&who.person, q.before, session.as_deref()).await {
        Ok(rows) => html(&LogPage { page, rows, session: session.unwrap_or_default() }),
        Err(no) => no_page(page, &no),
    }
}
