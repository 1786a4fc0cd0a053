//! The supervision report: a page that prints, and a table for a spreadsheet.

use crate::desks::logins::SignedIn;
use crate::desks::supervision::{Supervision, TallyRow};
use crate::model::completeness::Tally;
use crate::model::gap::GapCause;
use crate::web::Web;
use crate::web::i18n::Lang;
use crate::web::pages::csv::{self, cell};
use crate::web::pages::table::{Asked, Key, Table};
use crate::web::pages::{Page, html, no_page};
use askama::Template;
use axum::Extension;
use axum::extract::{Query, State};
use axum::http::HeaderMap;
use axum::response::Response;
use serde::Deserialize;

/// Which month.
#[derive(Deserialize)]
pub struct MonthQuery {
    month: Option<String>,
}

#[derive(Template)]
#[template(path = "supervision.html", config = "src/web/askama.toml")]
struct SupervisionPage {
    page: Page,
    report: Supervision,
    units: Table,
    officers: Table,
    open: Table,
}

impl SupervisionPage {
    /// The figures that a supervisor looks at first; whether each is one that should not be.
    fn headline(&self) -> Vec<(&'static str, u64, bool)> {
        let t = &self.report.total;
        let good = [("tally-sessions", t.sessions), ("tally-whole", t.whole), ("tally-part-explained", t.part_explained)];
        let bad = [
            ("tally-part-unexplained", t.part_unexplained),
            ("tally-none", t.none),
            ("tally-plans-missed", t.plans_missed),
            ("tally-unlinked-late", t.unlinked_late),
            ("tally-initiation-late", t.initiation_late),
            ("tally-missing", t.missing),
            ("tally-unexplained", t.unexplained),
        ];
        good.into_iter().map(|(k, v)| (k, v, false)).chain(bad.into_iter().map(|(k, v)| (k, v, v > 0))).collect()
    }

    fn tables(&self) -> [(&'static str, &Table, &[TallyRow]); 2] {
        [("tally-by-unit", &self.units, &self.report.units), ("tally-by-officer", &self.officers, &self.report.officers)]
    }

    fn columns(&self) -> &'static [&'static str] {
        SHOWN
    }

    fn figure(&self, row: &TallyRow, column: &str) -> u64 {
        figure(&row.tally, column)
    }

    fn gaps(&self, row: &TallyRow) -> String {
        let one = |(cause, ms): (&String, &u64)| format!("{} {}", self.page.word("cause", cause), self.page.length(ms));
        let all: Vec<String> = row.tally.gap_ms.iter().map(one).collect();
        if all.is_empty() { "—".into() } else { all.join("、") }
    }
}

/// A month.
pub async fn show(
    State(web): State<Web>,
    Extension(who): Extension<SignedIn>,
    headers: HeaderMap,
    asked: Asked,
    Query(query): Query<MonthQuery>,
) -> Response {
    let page = Page::of(&web, &headers, who.clone(), "/supervision").await;
    match web.desks.supervision(&who.person, query.month.as_deref().filter(|m| !m.is_empty())).await {
        Ok(mut report) => {
            // A month is printed whole: nothing of it stands on another page.
            let columns: Vec<&'static str> = ["unit", "officer", "length", "gaps"].iter().chain(SHOWN).copied().collect();
            let (mut units, mut officers) = (Table::named("units", &asked, &columns), Table::named("officers", &asked, &columns));
            report.units = units.whole(report.units, tally_key);
            report.officers = officers.whole(report.officers, tally_key);
            let mut open = Table::named("open", &asked, &["at", "session", "unit", "missing"]);
            report.open = open.whole(report.open, |o, column| match column {
                "at" => Key::at(o.started_at),
                "session" => Key::text(Some(o.session.as_str())),
                "unit" => Key::text(Some(&o.unit)),
                _ => Key::count(o.missing),
            });
            html(&SupervisionPage { page, report, units, officers, open })
        }
        Err(no) => no_page(page, &no),
    }
}

/// The same as CSV with a byte order mark, so that a spreadsheet reads its Chinese.
pub async fn csv(
    State(web): State<Web>,
    Extension(who): Extension<SignedIn>,
    headers: HeaderMap,
    Query(query): Query<MonthQuery>,
) -> Response {
    let report = match web.desks.supervision(&who.person, query.month.as_deref().filter(|m| !m.is_empty())).await {
        Ok(report) => report,
        Err(no) => return no_page(Page::of(&web, &headers, who, "/supervision").await, &no),
    };
    csv::file(&format!("supervision-{}", report.month), &table(&report, Lang::of(&headers)))
}

/// The figures on the page, in the order of their columns.
const SHOWN: &[&str] = &[
    "sessions",
    "whole",
    "part-explained",
    "part-unexplained",
    "none",
    "unlinked-late",
    "linked-late",
    "initiation-late",
    "missing",
    "unexplained",
    "rights-not-told",
];

fn tally_key(row: &TallyRow, column: &str) -> Key {
    match column {
        "unit" => Key::text(Some(&row.unit)),
        "officer" => Key::text(row.officer.as_deref()),
        "length" => Key::Number(row.tally.length_ms as i64),
        "gaps" => Key::Number(row.tally.gap_ms.values().sum::<u64>() as i64),
        figures => Key::Number(figure(&row.tally, figures) as i64),
    }
}

/// A figure by its name.
fn figure(tally: &Tally, name: &str) -> u64 {
    match name {
        "sessions" => tally.sessions,
        "whole" => tally.whole,
        "part-explained" => tally.part_explained,
        "part-unexplained" => tally.part_unexplained,
        "none" => tally.none,
        "plans-missed" => tally.plans_missed,
        "unlinked-late" => tally.unlinked_late,
        "linked-late" => tally.linked_late,
        "initiation-late" => tally.initiation_late,
        "missing" => tally.missing,
        "unexplained" => tally.unexplained,
        "rights-not-told" => tally.rights_not_told,
        _ => tally.mistakes,
    }
}

/// The figures' names in the file, in the order of its columns; the last is no count.
const COLUMNS: &[&str] = &[
    "sessions",
    "whole",
    "part-explained",
    "part-unexplained",
    "none",
    "plans-missed",
    "unlinked-late",
    "linked-late",
    "initiation-late",
    "missing",
    "unexplained",
    "rights-not-told",
    "mistakes",
    "hours",
];

fn table(report: &Supervision, lang: Lang) -> String {
    let head = [lang.t("unit"), lang.t("officers")].into_iter().chain(COLUMNS.iter().map(|c| lang.of_word("tally", c)));
    let causes = GapCause::ALL.iter().map(|c| format!("{} {}", lang.t("gap-seconds"), lang.of_word("cause", c.as_str())));
    let mut lines = vec![head.chain(causes).map(|h| cell(&h)).collect::<Vec<_>>().join(",")];
    for row in report.units.iter().chain(&report.officers) {
        let t = &row.tally;
        let figures = COLUMNS.iter().filter(|c| **c != "hours").map(|c| figure(t, c).to_string());
        let cells = [cell(&row.unit), cell(row.officer.as_deref().unwrap_or_default())].into_iter();
        let figures = figures.chain([format!("{:.2}", t.length_ms as f64 / 3_600_000.0)]);
        let gaps = GapCause::ALL.iter().map(|c| (t.gap_ms.get(c.as_str()).copied().unwrap_or(0) / 1000).to_string());
        lines.push(cells.chain(figures).chain(gaps).collect::<Vec<_>>().join(","));
    }
    lines.join("\r\n") + "\r\n"
}
