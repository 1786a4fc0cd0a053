//! The list of cases, and a case's page: what it is, what it lacks, its time line.

use crate::desks::cases::{CasePage, CaseRow, CaseSearch, CaseView, Happened};
use crate::desks::sessions::SessionRow;
use crate::model::case::{CaseState, Closing, Origin};
use crate::model::case_missing;
use crate::model::initiation::Standing;
use crate::model::missing::{Answer, AnswerKind, Missing};
use crate::model::retention::Table as Periods;
use crate::model::text_record::{Field, RecordKind, Takes, TextRecord};
use crate::model::time;
use crate::web::asked;
use crate::web::pages::table::{Asked, Table};
use crate::web::pages::visit::Visit;
use crate::web::pages::{Page, html, no_page};
use askama::Template;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query};
use axum::response::Response;
use serde::Deserialize;

/// Where an initiation stands, in words, with the badge that says how pressing it is.
pub(super) fn standing_text(page: &Page, standing: &Standing, late: bool) -> (String, &'static str) {
    let late_word = || format!(" · {}", page.t("late-for-ever"));
    let (text, class) = match standing {
        Standing::Open => (page.t("standing-open"), ""),
        Standing::Running { due, warnings } => {
            let class = if *warnings == 0 { "" } else { "warn" };
            return (page.with("standing-running", "at", page.at(due)), class);
        }
        Standing::Overdue { due } => return (page.with("standing-overdue", "at", page.at(due)), "bad"),
        Standing::Pending => (page.t("standing-pending"), "warn"),
        Standing::Approved => (page.t("standing-approved"), "good"),
        Standing::Rejected => (page.t("standing-rejected"), "bad"),
    };
    if late { (text + &late_word(), "bad") } else { (text, class) }
}

#[derive(Template)]
#[template(path = "cases.html", config = "src/web/askama.toml")]
struct ListPage {
    page: Page,
    table: Table,
    search: CaseSearch,
    found: CasePage,
}

impl ListPage {
    fn standing(&self, row: &CaseRow) -> Option<(String, &'static str)> {
        (row.standing != Standing::Open).then(|| standing_text(&self.page, &row.standing, row.late))
    }

    fn is_state(&self, state: &CaseState) -> bool {
        self.search.state.as_deref() == Some(state.as_str())
    }
}

/// The list, with the search in its address.
pub async fn list(visit: Visit, asked: Asked, query: Result<Query<CaseSearch>, QueryRejection>) -> Response {
    let page = visit.page("/cases").await;
    let search = query.map(|Query(s)| s).unwrap_or_default();
    match visit.desks().cases(visit.person(), &search).await {
        Ok(found) => {
            let table = Table::cut(asked, CaseSearch::ORDERS, (found.page, found.pages, found.total));
            html(&ListPage { page, table, search, found })
        }
        Err(no) => no_page(page, &no),
    }
}

/// Which form a case's page shows.
#[derive(Default, Deserialize)]
pub struct CaseQuery {
    add: Option<String>,
    corrects: Option<u32>,
}

#[derive(Template)]
#[template(path = "case.html", config = "src/web/askama.toml")]
struct OneCase {
    page: Page,
    view: CaseView,
    add: Option<RecordKind>,
    corrects: Option<u32>,
    now: String,
    table: Periods,
}

impl OneCase {
    /// What can be entered now: in an archived file, what comes after that.
    fn addable(&self) -> impl Iterator<Item = RecordKind> {
        RecordKind::ALL.iter().copied().filter(|k| self.view.may_keep || k.may_follow_archive())
    }

    /// Classes of the table in force, for the closing.
    fn periods(&self) -> Vec<(String, String)> {
        self.table.versions.last().map(|v| v.classes.iter().map(|c| (c.id.clone(), c.name.clone())).collect()).unwrap_or_default()
    }

    /// A period as people call it; what was entered before there was a table stands as it was entered.
    fn period_name(&self, closing: &Closing) -> String {
        self.table.class(closing.on, &closing.period).map_or_else(|| closing.period.clone(), |c| c.name.clone())
    }

    fn standing(&self) -> (String, &'static str) {
        standing_text(&self.page, &self.view.standing, self.view.late)
    }

    /// Whether the form is asked for, or already there.
    fn has_standing(&self) -> bool {
        self.view.case.needs_form() || self.view.standing != Standing::Open
    }

    fn record(&self, number: &u32) -> Option<&TextRecord> {
        self.view.case.records.iter().find(|r| r.number == *number)
    }

    fn session(&self, at: &usize) -> Option<&SessionRow> {
        self.view.sessions.get(*at)
    }

    fn number_of<'a>(&self, happened: &'a Happened) -> Option<&'a u32> {
        if let Happened::Record { number } = happened { Some(number) } else { None }
    }

    fn at_of<'a>(&self, happened: &'a Happened) -> Option<&'a usize> {
        if let Happened::Session { at } = happened { Some(at) } else { None }
    }

    /// A field's value in words.
    fn value(&self, kind: &RecordKind, name: &str, value: &str) -> String {
        match kind.fields().iter().find(|f| f.name == name).map(|f| f.takes) {
            Some(Takes::One(_)) => self.page.word("choice", value),
            _ => value.to_owned(),
        }
    }

    fn choices(&self, field: &Field) -> Vec<&'static str> {
        if let Takes::One(words) = field.takes { words.to_vec() } else { vec![] }
    }

    fn is_text(&self, field: &Field) -> bool {
        field.takes == Takes::Text
    }

    fn is_day(&self, field: &Field) -> bool {
        field.takes == Takes::Day
    }

    /// The form to correct a record begins with what it says.
    fn typed(&self, name: &str) -> String {
        let of = self.corrects.and_then(|n| self.view.case.records.iter().find(|r| r.number == n));
        of.and_then(|r| r.fields.get(name).cloned()).unwrap_or_default()
    }

    fn about(&self, missing: &Missing) -> String {
        missing.about.clone().unwrap_or_default()
    }

    fn may_answer(&self, missing: &Missing, kind: &AnswerKind) -> bool {
        case_missing::may_answer(&missing.demand(), *kind, Some("…")).is_ok()
    }

    fn demand(&self, answer: &Answer) -> String {
        let (what, about) = answer.demand.split_once(':').unwrap_or((&answer.demand, ""));
        format!("{} {about}", self.page.word("missing", what)).trim().to_owned()
    }

    fn is_moved(&self, session: &SessionRow) -> bool {
        self.view.moved.iter().any(|id| id == session.id.as_str())
    }

    fn may_begin(&self) -> bool {
        self.view.may_keep
            && self.view.case.state == CaseState::Intake
            && !self.view.case.needs_form()
            && self.view.case.origin != Origin::Application
    }

    fn may_hurry(&self) -> bool {
        self.view.may_keep && self.view.case.state == CaseState::Intake && self.view.case.needs_form()
    }

    fn may_close(&self) -> bool {
        let open = [CaseState::Initiated, CaseState::NotInitiated, CaseState::Rejected, CaseState::Decided];
        self.view.may_keep && open.contains(&self.view.case.state)
    }

    fn may_archive(&self) -> bool {
        self.view.may_keep && self.view.case.state == CaseState::Closed
    }

    fn officers(&self) -> String {
        let one =
            |o: &crate::model::facts::Officer| o.certificate_no.as_ref().map_or_else(|| o.name.clone(), |no| format!("{}（{no}）", o.name));
        self.view.case.facts().officers.iter().map(one).collect::<Vec<_>>().join("、")
    }
}

/// A case's page.
pub async fn show(visit: Visit, Path(id): Path<String>, query: Result<Query<CaseQuery>, QueryRejection>) -> Response {
    let page = visit.page(&format!("/cases/{id}")).await;
    let query = query.map(|Query(q)| q).unwrap_or_default();
    let found = async { visit.desks().case(visit.person(), &asked::case(&id)?).await }.await;
    match found {
        Ok(view) => {
            let add = query.add.as_deref().and_then(RecordKind::from_word);
            let now = time::shanghai_field(visit.desks().wall_clock());
            html(&OneCase { page, view, add, corrects: query.corrects, now, table: visit.desks().retention_table().clone() })
        }
        Err(no) => no_page(page, &no),
    }
}
