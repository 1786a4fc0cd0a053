//! The custody log, for who supervises.

use crate::desks::accounts::SignedIn;
use crate::desks::reports::LogRow;
use crate::web::Web;
use crate::web::pages::{Page, html, no_page};
use askama::Template;
use axum::Extension;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::HeaderMap;
use axum::response::Response;
use chrono::{DateTime, Utc};
use serde::Deserialize;

/// Which part.
#[derive(Default, Deserialize)]
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
    /// Figures in words where there are words for them; a digest is cut, the log itself has the whole.
    fn figures(&self, row: &LogRow) -> Vec<(String, String)> {
        row.entry.about.iter().map(|(name, value)| (self.name(name), self.value(name, value))).collect()
    }
    fn name(&self, name: &str) -> String {
        Some(self.page.word("about", name)).filter(|w| !w.starts_with('⟨')).unwrap_or_else(|| name.to_owned())
    }
    fn value(&self, name: &str, value: &str) -> String {
        let prefix = match name {
            "roles" => return value.split(' ').map(|role| self.page.word("role", role)).collect::<Vec<_>>().join("、"),
            "mark" => "mark",
            "mode" => "mode",
            "kind" => "kind",
            "cause" => "cause",
            "code" => "refused",
            "at_ms" | "since_ms" => return value.parse::<u64>().map_or_else(|_| value.to_owned(), |ms| self.page.length(ms)),
            "bytes" => return value.parse::<u64>().map_or_else(|_| value.to_owned(), |bytes| self.page.size(bytes)),
            _ if value.len() == 64 => return format!("{}…", &value.chars().take(16).collect::<String>()),
            _ => return value.to_owned(),
        };
        let words = [prefix, "interruption"].map(|p| self.page.word(p, value));
        words.into_iter().find(|w| !w.starts_with('⟨')).unwrap_or_else(|| value.to_owned())
    }
    /// Looking, copying and refusals stand out: they are what a supervisor looks for.
    fn class(&self, row: &LogRow) -> &'static str {
        use crate::model::entry::EntryKind::{
            AccessRevoked, CameraLost, ClockStepped, CopyTaken, LiveOpened, Refused, SignInFailed, ViewingOpened,
        };
        match row.entry.kind {
            Refused | SignInFailed | CameraLost | ClockStepped | AccessRevoked => "badge warn",
            ViewingOpened | CopyTaken | LiveOpened => "badge",
            _ => "",
        }
    }
    fn older(&self) -> Option<u64> {
        self.rows.last().map(|r| r.entry.index).filter(|index| *index > 0)
    }
}

/// A page of the log.
pub async fn show(
    State(web): State<Web>,
    Extension(who): Extension<SignedIn>,
    headers: HeaderMap,
    query: Result<Query<LogQuery>, QueryRejection>,
) -> Response {
    let page = Page::of(&web, &headers, who.clone(), "/log").await;
    // An address that was typed by hand and cannot be read shows the newest.
    let q = query.map(|Query(q)| q).unwrap_or_default();
    let session = q.session.map(|s| s.trim().to_owned()).filter(|s| !s.is_empty());
    match web.desks.log(&who.person, q.before, session.as_deref()).await {
        Ok(rows) => html(&LogPage { page, rows, session: session.unwrap_or_default() }),
        Err(no) => no_page(page, &no),
    }
}
