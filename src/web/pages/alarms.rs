//! Alarms: those that are open, the history, and the bell that every page has.

use crate::desks::No;
use crate::desks::alarms::AlarmSearch;
use crate::model::alarm::{AlarmKind, AlarmRow, Severity};
use crate::model::time;
use crate::web::i18n::Lang;
use crate::web::pages::csv::{self, cell};
use crate::web::pages::form::{Form, one};
use crate::web::pages::table::{Asked, Key, Table};
use crate::web::pages::visit::Visit;
use crate::web::pages::{Page, html, no_page};
use askama::Template;
use axum::extract::{Path, Query};
use axum::response::Response;
use axum::response::sse::{Event, KeepAlive, Sse};
use chrono::DateTime;
use futures::Stream;
use serde::Deserialize;
use serde_json::json;
use std::convert::Infallible;
use std::time::Duration;

/// How often the bell looks.
const LOOK: Duration = Duration::from_secs(1);
/// Looks after which it is asked whether the login still is one.
const ASK_AFTER: u32 = 5;

/// What of the history, as it stands in the address.
#[derive(Debug, Default, Clone, Deserialize)]
pub struct AlarmQuery {
    kind: Option<String>,
    room: Option<String>,
    from: Option<String>,
    until: Option<String>,
}

impl AlarmQuery {
    fn search(&self) -> Result<AlarmSearch, No> {
        let given = |text: &Option<String>| text.as_deref().map(str::trim).filter(|t| !t.is_empty()).map(ToOwned::to_owned);
        Ok(AlarmSearch::typed(given(&self.kind), given(&self.room), given(&self.from), given(&self.until))?)
    }

    /// The same as an address has it.
    fn address(&self) -> String {
        let fields = [("kind", &self.kind), ("room", &self.room), ("from", &self.from), ("until", &self.until)];
        let mut text = url::form_urlencoded::Serializer::new(String::new());
        for (name, value) in fields {
            if let Some(value) = value.as_deref().filter(|v| !v.is_empty()) {
                text.append_pair(name, value);
            }
        }
        text.finish()
    }
}

#[derive(Template)]
#[template(path = "alarms.html", config = "src/web/askama.toml")]
struct AlarmsPage {
    page: Page,
    table: Table,
    open: Vec<AlarmRow>,
    rows: Vec<AlarmRow>,
    query: AlarmQuery,
    rooms: Vec<(String, String)>,
}

impl AlarmsPage {
    fn at(&self, ms: &i64) -> String {
        at(&self.page, *ms)
    }

    fn room(&self, id: &str) -> String {
        self.rooms.iter().find(|(room, _)| room == id).map_or_else(|| id.to_owned(), |(_, name)| name.clone())
    }

    /// Of what: what people call it, and the room.
    fn place(&self, a: &AlarmRow) -> String {
        let room = a.room.as_deref().map(|id| self.room(id));
        let parts = [room, Some(name(self.page.lang, a)).filter(|n| !n.is_empty())];
        let mut parts: Vec<String> = parts.into_iter().flatten().collect();
        parts.dedup();
        parts.join(" · ")
    }

    fn badge(&self, severity: &Severity) -> &'static str {
        match severity {
            Severity::Notice => "",
            Severity::Warning => "warn",
            Severity::Urgent => "bad",
        }
    }

    fn kinds(&self) -> &'static [AlarmKind] {
        AlarmKind::ALL
    }

    fn is_kind(&self, kind: &AlarmKind) -> bool {
        self.query.kind.as_deref() == Some(kind.as_str())
    }

    fn is_room(&self, room: &str) -> bool {
        self.query.room.as_deref() == Some(room)
    }

    fn asks(&self, a: &AlarmRow) -> bool {
        a.kind.rule().asks
    }
}

fn at(page: &Page, ms: i64) -> String {
    DateTime::from_timestamp_millis(ms).map(|at| page.at(at).to_string()).unwrap_or_default()
}

/// What a subject is called: a volume has a word of its own in each language.
fn name(lang: Lang, a: &AlarmRow) -> String {
    match a.subject.as_str() {
        "primary" | "mirror" => lang.of_word("volume", &a.subject),
        _ => a.name.clone(),
    }
}

/// Those that are open, and the history.
pub async fn show(visit: Visit, asked: Asked, Query(query): Query<AlarmQuery>) -> Response {
    let page = visit.page("/alarms").await;
    let found = async { visit.desks().alarms(visit.person(), &query.search()?).await };
    match found.await {
        Ok(rows) => {
            let mut table = Table::new(asked, &["from", "until", "severity", "what", "by"]);
            let rows = table.rows(rows, |a, column| match column {
                "from" => Key::Number(a.began_at),
                "until" => a.ended_at.map_or(Key::Absent, Key::Number),
                "severity" => Key::Number(Severity::ALL.iter().position(|s| *s == a.severity).unwrap_or_default() as i64),
                "what" => Key::text(Some(page.word("alarm-kind", a.kind.as_str()))),
                _ => Key::text(a.acknowledged_by.as_deref()),
            });
            html(&AlarmsPage { page, table, open: visit.desks().open_alarms(), rows, query, rooms: visit.desks().rooms() })
        }
        Err(no) => no_page(page, &no),
    }
}

/// The history as CSV.
pub async fn csv(visit: Visit, Query(query): Query<AlarmQuery>) -> Response {
    let page = visit.page("/alarms").await;
    let found = async { visit.desks().alarms(visit.person(), &query.search()?).await };
    let rows = match found.await {
        Ok(rows) => rows,
        Err(no) => return no_page(page, &no),
    };
    let rooms = visit.desks().rooms();
    let head =
        ["alarm-no", "severity", "alarm-what", "room", "alarm-of", "from", "until-time", "alarm-times", "alarm-by", "time", "alarm-said"];
    let mut lines = vec![head.map(|key| cell(&page.t(key))).join(",")];
    for a in &rows {
        let room = a.room.as_deref().map(|id| rooms.iter().find(|(r, _)| r == id).map_or(id, |(_, name)| name));
        let times = |ms: Option<i64>| ms.map(|ms| at(&page, ms)).unwrap_or_default();
        let cells = [
            a.id.clone(),
            page.word("severity", a.severity.as_str()),
            page.word("alarm-kind", a.kind.as_str()),
            room.unwrap_or_default().to_owned(),
            name(page.lang, a),
            at(&page, a.began_at),
            times(a.ended_at),
            a.count.to_string(),
            a.acknowledged_by.clone().unwrap_or_default(),
            times(a.acknowledged_at),
            a.reason.clone().unwrap_or_default(),
        ];
        lines.push(cells.map(|text| cell(&text)).join(","));
    }
    csv::file(&format!("alarms-{}", time::shanghai_day(visit.desks().wall_clock())), &(lines.join("\r\n") + "\r\n"))
}

/// Acknowledges one.
pub async fn acknowledge(visit: Visit, Path(id): Path<String>, Form(fields): Form<Vec<(String, String)>>) -> Response {
    let reason = one(&fields, "reason").unwrap_or_default();
    let done = visit.desks().acknowledge_alarm(visit.person(), &id, &reason).await.map(drop);
    visit.after("/alarms", "alarm-acknowledged", done).await
}

/// What the bell says: how many alarms nobody has acknowledged, whenever that changes.
pub async fn events(visit: Visit) -> Sse<impl Stream<Item = Result<Event, Infallible>>> {
    let lang = visit.lang();
    let pushes = futures::stream::unfold((visit, None, 0u32), move |(visit, mut said, mut looks)| async move {
        loop {
            if said.is_some() {
                tokio::time::sleep(LOOK).await;
            }
            looks += 1;
            if looks % ASK_AFTER == 1 {
                visit.desks().is_still(&visit.who).await.ok()?;
            }
            let now = visit.desks().alarms_waiting();
            if said != Some(now) {
                said = Some(now);
                let (count, worst) = now;
                let words = lang.with("bell-count", &[("count", count.to_string())]);
                let data = json!({ "count": count, "severity": worst.map(Severity::as_str), "words": words });
                return Some((Ok(Event::default().event("bell").data(data.to_string())), (visit, said, looks)));
            }
        }
    });
    Sse::new(pushes).keep_alive(KeepAlive::default())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::alarm_message::{severity_word, title};

    #[test]
    fn what_is_sent_outside_is_called_as_in_the_console() {
        for kind in AlarmKind::ALL {
            let here = [Lang::Zh, Lang::En].map(|lang| lang.of_word("alarm-kind", kind.as_str()));
            assert_eq!((here[0].as_str(), here[1].as_str()), title(*kind));
        }
        for severity in Severity::ALL {
            assert_eq!(Lang::Zh.of_word("severity", severity.as_str()), severity_word(*severity));
        }
    }
}
