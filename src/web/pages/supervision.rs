//! The supervision report: a page that prints, and a table for a spreadsheet.

use crate::desks::supervision::{Supervision, TallyRow};
use crate::model::completeness::Tally;
use crate::model::gap::GapCause;
use crate::web::i18n::Lang;
use crate::web::pages::csv::{self, cell};
use crate::web::pages::table::{Asked, Key, Table};
use crate::web::pages::visit::Visit;
use crate::web::pages::{Page, html, no_page};
use askama::Template;
use axum::extract::Query;
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
        let figures = FIGURES.iter().map(|f| (f.name, (f.of)(&self.report.total), f.headline));
        figures.filter_map(|(name, count, headline)| Some((name, count, headline? && count > 0))).collect()
    }

    fn tables(&self) -> [(&'static str, &Table, &[TallyRow]); 2] {
        [("tally-by-unit", &self.units, &self.report.units), ("tally-by-officer", &self.officers, &self.report.officers)]
    }

    fn columns(&self) -> Vec<&'static str> {
        shown().map(|f| f.name).collect()
    }

    fn figures(&self, row: &TallyRow) -> Vec<u64> {
        shown().map(|f| (f.of)(&row.tally)).collect()
    }

    fn gaps(&self, row: &TallyRow) -> String {
        let one = |(cause, ms): (&String, &u64)| format!("{} {}", self.page.word("cause", cause), self.page.length(ms));
        let all: Vec<String> = row.tally.gap_ms.iter().map(one).collect();
        if all.is_empty() { "—".into() } else { all.join("、") }
    }
}

/// A month.
pub async fn show(visit: Visit, asked: Asked, Query(query): Query<MonthQuery>) -> Response {
    let page = visit.page("/supervision").await;
    match visit.desks().supervision(visit.person(), query.month.as_deref().filter(|m| !m.is_empty())).await {
        Ok(mut report) => {
            // A month is printed whole: nothing of it stands on another page.
            let columns: Vec<&'static str> = ["unit", "officer", "length", "gaps"].into_iter().chain(shown().map(|f| f.name)).collect();
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
pub async fn csv(visit: Visit, Query(query): Query<MonthQuery>) -> Response {
    let report = match visit.desks().supervision(visit.person(), query.month.as_deref().filter(|m| !m.is_empty())).await {
        Ok(report) => report,
        Err(no) => return visit.no("/supervision", &no).await,
    };
    csv::file(&format!("supervision-{}", report.month), &table(&report, visit.lang()))
}

/// A figure of a line: its name (`tally-…`) and where it stands.
struct Figure {
    name: &'static str,
    of: fn(&Tally) -> u64,
    /// Whether the page has a column for it; the file has them all.
    on_page: bool,
    /// Whether it should be nought, where it is one of those above the lists.
    headline: Option<bool>,
}

/// The figures, in the order of their columns.
const FIGURES: &[Figure] = &[
    Figure { name: "sessions", of: |t| t.sessions, on_page: true, headline: Some(false) },
    Figure { name: "whole", of: |t| t.whole, on_page: true, headline: Some(false) },
    Figure { name: "part-explained", of: |t| t.part_explained, on_page: true, headline: Some(false) },
    Figure { name: "part-unexplained", of: |t| t.part_unexplained, on_page: true, headline: Some(true) },
    Figure { name: "none", of: |t| t.none, on_page: true, headline: Some(true) },
    Figure { name: "plans-missed", of: |t| t.plans_missed, on_page: false, headline: Some(true) },
    Figure { name: "unlinked-late", of: |t| t.unlinked_late, on_page: true, headline: Some(true) },
    Figure { name: "linked-late", of: |t| t.linked_late, on_page: true, headline: None },
    Figure { name: "initiation-late", of: |t| t.initiation_late, on_page: true, headline: Some(true) },
    Figure { name: "missing", of: |t| t.missing, on_page: true, headline: Some(true) },
    Figure { name: "unexplained", of: |t| t.unexplained, on_page: true, headline: Some(true) },
    Figure { name: "rights-not-told", of: |t| t.rights_not_told, on_page: true, headline: None },
    Figure { name: "mistakes", of: |t| t.mistakes, on_page: false, headline: None },
];

fn shown() -> impl Iterator<Item = &'static Figure> {
    FIGURES.iter().filter(|f| f.on_page)
}

fn tally_key(row: &TallyRow, column: &str) -> Key {
    match column {
        "unit" => Key::text(Some(&row.unit)),
        "officer" => Key::text(row.officer.as_deref()),
        "length" => Key::Number(row.tally.length_ms as i64),
        "gaps" => Key::Number(row.tally.gap_ms.values().sum::<u64>() as i64),
        figure => Key::Number(FIGURES.iter().find(|f| f.name == figure).map_or(0, |f| (f.of)(&row.tally) as i64)),
    }
}

fn table(report: &Supervision, lang: Lang) -> String {
    let head = [lang.t("unit"), lang.t("officers")]
        .into_iter()
        .chain(FIGURES.iter().map(|f| f.name).chain(["hours"]).map(|name| lang.of_word("tally", name)));
    let causes = GapCause::ALL.iter().map(|c| format!("{} {}", lang.t("gap-seconds"), lang.of_word("cause", c.as_str())));
    let mut lines = vec![head.chain(causes).map(|h| cell(&h)).collect::<Vec<_>>().join(",")];
    for row in report.units.iter().chain(&report.officers) {
        let t = &row.tally;
        let figures = FIGURES.iter().map(|f| (f.of)(t).to_string());
        let cells = [cell(&row.unit), cell(row.officer.as_deref().unwrap_or_default())].into_iter();
        let figures = figures.chain([format!("{:.2}", t.length_ms as f64 / 3_600_000.0)]);
        let gaps = GapCause::ALL.iter().map(|c| (t.gap_ms.get(c.as_str()).copied().unwrap_or(0) / 1000).to_string());
        lines.push(cells.chain(figures).chain(gaps).collect::<Vec<_>>().join(","));
    }
    lines.join("\r\n") + "\r\n"
}
