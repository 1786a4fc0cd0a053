//! The supervision report: a page that prints, and a table for a spreadsheet.

use crate::desks::logins::SignedIn;
use crate::desks::supervision::{Supervision, TallyRow};
use crate::model::gap::GapCause;
use crate::web::Web;
use crate::web::i18n::Lang;
use crate::web::pages::csv::{self, cell};
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

    fn tables(&self) -> [(&'static str, &[TallyRow]); 2] {
        [("tally-by-unit", &self.report.units), ("tally-by-officer", &self.report.officers)]
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
    Query(query): Query<MonthQuery>,
) -> Response {
    let page = Page::of(&web, &headers, who.clone(), "/supervision").await;
    match web.desks.supervision(&who.person, query.month.as_deref().filter(|m| !m.is_empty())).await {
        Ok(report) => html(&SupervisionPage { page, report }),
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

/// The figures' names, in the order of the columns.
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
        let figures = [
            t.sessions,
            t.whole,
            t.part_explained,
            t.part_unexplained,
            t.none,
            t.plans_missed,
            t.unlinked_late,
            t.linked_late,
            t.initiation_late,
            t.missing,
            t.unexplained,
            t.rights_not_told,
            t.mistakes,
        ];
        let cells = [cell(&row.unit), cell(row.officer.as_deref().unwrap_or_default())].into_iter();
        let figures = figures.iter().map(u64::to_string).chain([format!("{:.2}", t.length_ms as f64 / 3_600_000.0)]);
        let gaps = GapCause::ALL.iter().map(|c| (t.gap_ms.get(c.as_str()).copied().unwrap_or(0) / 1000).to_string());
        lines.push(cells.chain(figures).chain(gaps).collect::<Vec<_>>().join(","));
    }
    lines.join("\r\n") + "\r\n"
}
