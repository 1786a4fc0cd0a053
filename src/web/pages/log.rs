//! The custody log, for who supervises. It is evidence, and stands in its own order: from its end or from its beginning, and in no other.

use crate::desks::custody::{AnchorSheet, Standing};
use crate::desks::reports::{LogPart, LogPlace, LogRow};
use crate::model::entry::Entry;
use crate::web::pages::record::qr;
use crate::web::pages::visit::Visit;
use crate::web::pages::{Page, html, no_page};
use askama::Template;
use axum::extract::Query;
use axum::extract::rejection::QueryRejection;
use axum::response::Response;
use chrono::{DateTime, NaiveDate, Utc};
use serde::Deserialize;

/// Which part.
#[derive(Default, Deserialize)]
pub struct LogQuery {
    before: Option<u64>,
    after: Option<u64>,
    session: Option<String>,
    order: Option<String>,
}

/// The word of the order that begins with the oldest.
const OLDEST: &str = "oldest";

#[derive(Template)]
#[template(path = "log.html", config = "src/web/askama.toml")]
struct LogPage {
    page: Page,
    rows: Vec<LogRow>,
    older: Option<u64>,
    newer: Option<u64>,
    session: String,
    oldest_first: bool,
    standing: Standing,
}

impl LogPage {
    fn time(&self, row: &LogRow) -> String {
        row.entry.at.parse::<DateTime<Utc>>().map(|at| self.page.at(at).to_string()).unwrap_or_default()
    }
    fn figures(&self, row: &LogRow) -> Vec<(String, String)> {
        figures(&self.page, &row.entry)
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
    /// The same entries asked for, in one order or the other, from an end or from a number.
    fn address(&self, oldest_first: bool, place: Option<(&str, u64)>) -> String {
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        if !self.session.is_empty() {
            query.append_pair("session", &self.session);
        }
        if oldest_first {
            query.append_pair("order", OLDEST);
        }
        if let Some((side, number)) = place {
            query.append_pair(side, &number.to_string());
        }
        let query = query.finish();
        if query.is_empty() { "/log".into() } else { format!("/log?{query}") }
    }
    /// The two orders: their words, where they are, and whether it is this one.
    fn orders(&self) -> [(&'static str, String, bool); 2] {
        let one = |word, oldest_first| (word, self.address(oldest_first, None), oldest_first == self.oldest_first);
        [one("log-newest-first", false), one("log-oldest-first", true)]
    }
    /// The pages beside this one, as one reads on: relation, word, address.
    fn beside(&self) -> Vec<(&'static str, &'static str, String)> {
        let older = self.older.map(|n| ("older", self.address(self.oldest_first, Some(("before", n)))));
        let newer = self.newer.map(|n| ("newer", self.address(self.oldest_first, Some(("after", n)))));
        let (back, on) = if self.oldest_first { (older, newer) } else { (newer, older) };
        back.map(|(word, to)| ("prev", word, to)).into_iter().chain(on.map(|(word, to)| ("next", word, to))).collect()
    }
    /// All sessions, in this order.
    fn clear(&self) -> &'static str {
        if self.oldest_first { "/log?order=oldest" } else { "/log" }
    }
}

/// Figures in words where there are words for them; a digest is cut, the log itself has the whole.
fn figures(page: &Page, entry: &Entry) -> Vec<(String, String)> {
    entry.about.iter().map(|(about, text)| figure(page, about, text)).collect()
}

/// One of them.
pub(super) fn figure(page: &Page, about: &str, text: &str) -> (String, String) {
    let name = Some(page.word("about", about)).filter(|w| !w.starts_with('⟨')).unwrap_or_else(|| about.to_owned());
    (name, value(page, about, text))
}

fn value(page: &Page, name: &str, value: &str) -> String {
    let prefix = match name {
        "roles" => return value.split(' ').map(|role| page.word("role", role)).collect::<Vec<_>>().join("、"),
        "scopes" => return value.split(' ').map(|act| page.word("act", act)).collect::<Vec<_>>().join("、"),
        _ if value == "true" || value == "false" => return page.t(if value == "true" { "yes" } else { "no" }),
        "way" => "way",
        "layout" => "layout",
        "mark" => "mark",
        "mode" => "mode",
        "kind" => "kind",
        "alarm_kind" => "alarm-kind",
        "cause" => "cause",
        "code" => "refused",
        "why" => "broken",
        "at_ms" | "since_ms" => return value.parse::<u64>().map_or_else(|_| value.to_owned(), |ms| page.length(ms)),
        "bytes" => return value.parse::<u64>().map_or_else(|_| value.to_owned(), |bytes| page.size(bytes)),
        "made_at" => return value.parse::<DateTime<Utc>>().map_or_else(|_| value.to_owned(), |at| page.at(at).to_string()),
        _ if value.len() == 64 => return format!("{}…", &value.chars().take(16).collect::<String>()),
        _ => return value.to_owned(),
    };
    let words = [prefix, "interruption"].map(|p| page.word(p, value));
    words.into_iter().find(|w| !w.starts_with('⟨')).unwrap_or_else(|| value.to_owned())
}

/// A page of the log.
pub async fn show(visit: Visit, query: Result<Query<LogQuery>, QueryRejection>) -> Response {
    let page = visit.page("/log").await;
    // An address that was typed by hand and cannot be read shows the newest.
    let q = query.map(|Query(q)| q).unwrap_or_default();
    let session = q.session.map(|s| s.trim().to_owned()).filter(|s| !s.is_empty());
    let oldest_first = q.order.as_deref() == Some(OLDEST);
    let begins = if oldest_first { LogPlace::Oldest } else { LogPlace::Newest };
    let place = q.before.map(LogPlace::Before).or(q.after.map(LogPlace::After)).unwrap_or(begins);
    let found = async {
        let part = visit.desks().log(visit.person(), place, session.as_deref()).await?;
        Ok((part, visit.desks().standing(visit.person()).await?))
    };
    match found.await {
        Ok((LogPart { mut rows, older, newer }, standing)) => {
            if oldest_first {
                rows.reverse();
            }
            html(&LogPage { page, rows, older, newer, session: session.unwrap_or_default(), oldest_first, standing })
        }
        Err(no) => no_page(page, &no),
    }
}

/// Which day.
#[derive(Default, Deserialize)]
pub struct DayQuery {
    day: Option<NaiveDate>,
}

#[derive(Template)]
#[template(path = "anchor.html", config = "src/web/askama.toml")]
struct AnchorPage {
    page: Page,
    sheet: AnchorSheet,
    qr: Option<String>,
}

impl AnchorPage {
    fn time(&self, entry: &Entry) -> String {
        entry.at.parse::<DateTime<Utc>>().map(|at| self.page.at(at).to_string()).unwrap_or_default()
    }
    /// A fault's figures, in words where there are words for them.
    fn figures(&self, entry: &Entry) -> String {
        figures(&self.page, entry).into_iter().map(|(name, value)| format!("{name} {value}")).collect::<Vec<_>>().join("；")
    }
}

/// The anchor sheet (存证单): printed on A4, always in Chinese, as it is filed.
pub async fn anchor(visit: Visit, query: Result<Query<DayQuery>, QueryRejection>) -> Response {
    let page = visit.page("/log").await;
    let q = query.map(|Query(q)| q).unwrap_or_default();
    match visit.desks().anchor_sheet(visit.person(), q.day).await {
        Ok(sheet) => {
            let qr = qr(&sheet.head);
            html(&AnchorPage { page, sheet, qr })
        }
        Err(no) => no_page(page, &no),
    }
}
