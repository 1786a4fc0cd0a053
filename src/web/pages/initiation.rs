//! 《行政执法全过程记录程序启动审批表》: filled in, decided, printed.

use crate::desks::No;
use crate::desks::cases::CaseView;
use crate::model::case::{CaseChange, CaseState};
use crate::model::initiation::{FormFields, InitiationForm};
use crate::model::time;
use crate::web::asked;
use crate::web::pages::cases::standing_text;
use crate::web::pages::form::{Form, one};
use crate::web::pages::visit::Visit;
use crate::web::pages::{Page, brought_back, done, html, no_page};
use askama::Template;
use axum::extract::Path;
use axum::response::Response;
use chrono::{DateTime, Utc};

/// The form's fields, in its order: name, and whether it is long.
const FIELDS: &[(&str, bool)] =
    &[("source", false), ("party", false), ("cause", false), ("officers", false), ("summary", true), ("basis", true), ("opinion", true)];

#[derive(Template)]
#[template(path = "initiation.html", config = "src/web/askama.toml")]
struct InitiationPage {
    page: Page,
    view: CaseView,
    typed: FormFields,
}

impl InitiationPage {
    fn fields(&self) -> Vec<(&'static str, bool, String)> {
        FIELDS.iter().map(|(name, long)| (*name, *long, value(&self.typed, name))).collect()
    }

    fn shown(&self, form: &InitiationForm) -> Vec<(&'static str, String)> {
        FIELDS.iter().map(|(name, _)| (*name, value(&form.fields, name))).collect()
    }

    fn standing(&self) -> (String, &'static str) {
        standing_text(&self.page, &self.view.standing, self.view.late)
    }

    fn may_submit(&self) -> bool {
        let open = [CaseState::Intake, CaseState::UrgentInitiated, CaseState::Rejected];
        self.view.may_keep && open.contains(&self.view.case.state)
    }
}

fn value(fields: &FormFields, name: &str) -> String {
    match name {
        "source" => &fields.source,
        "party" => &fields.party,
        "cause" => &fields.cause,
        "officers" => &fields.officers,
        "summary" => &fields.summary,
        "basis" => &fields.basis,
        _ => &fields.opinion,
    }
    .clone()
}

/// The form, as it stands or to be filled in.
pub async fn show(visit: Visit, Path(id): Path<String>) -> Response {
    page_of(&visit, &id, None).await
}

async fn page_of(visit: &Visit, id: &str, typed: Option<FormFields>) -> Response {
    let page = visit.page(&format!("/cases/{id}/initiation")).await;
    let found = async { visit.desks().case(visit.person(), &asked::case(id)?).await }.await;
    match found {
        Ok(view) => {
            let facts = view.case.facts();
            // What the case knows is there; a form that was refused begins with what it said.
            let known = || FormFields {
                party: facts.parties.join("、"),
                cause: facts.cause.clone().unwrap_or_default(),
                officers: facts.officers.iter().map(|o| o.name.as_str()).collect::<Vec<_>>().join("、"),
                source: page.word("origin", view.case.origin.as_str()),
                ..FormFields::default()
            };
            let typed = typed.or_else(|| view.case.forms.last().map(|f| f.fields.clone())).unwrap_or_else(known);
            html(&InitiationPage { page, view, typed })
        }
        Err(no) => no_page(page, &no),
    }
}

/// Hands it in, or shows it again with what was typed.
pub async fn submit(visit: Visit, Path(id): Path<String>, Form(fields): Form<Vec<(String, String)>>) -> Response {
    let text = |name: &str| one(&fields, name).unwrap_or_default();
    let typed = FormFields {
        source: text("source"),
        party: text("party"),
        cause: text("cause"),
        summary: text("summary"),
        basis: text("basis"),
        opinion: text("opinion"),
        officers: text("officers"),
    };
    let handed_in = async { visit.desks().change_case(visit.person(), &asked::case(&id)?, CaseChange::Submitted(typed.clone())).await };
    match handed_in.await {
        Ok(_) => done(&format!("/cases/{id}/initiation"), "submitted"),
        Err(No::Refusal(refusal)) => {
            let page = page_of(&visit, &id, Some(typed)).await;
            brought_back(page, visit.lang(), &refusal)
        }
        Err(no) => visit.no("/cases", &no).await,
    }
}

/// The bureau head's decision.
pub async fn decide(visit: Visit, Path(id): Path<String>, Form(fields): Form<Vec<(String, String)>>) -> Response {
    let approved = one(&fields, "decision").as_deref() == Some("approve");
    let change = CaseChange::Ruled { approved, reason: one(&fields, "reason") };
    let ruled = async { visit.desks().change_case(visit.person(), &asked::case(&id)?, change).await.map(drop) };
    let ruled: Result<(), No> = ruled.await;
    let word = if approved { "approved" } else { "rejected" };
    visit.after(&format!("/cases/{id}/initiation"), word, ruled).await
}

/// The form on A4; Chinese in both languages.
#[derive(Template)]
#[template(path = "initiation_print.html", config = "src/web/askama.toml")]
struct PrintPage {
    page: Page,
    view: CaseView,
    form: Option<InitiationForm>,
}

impl PrintPage {
    fn time(&self, at: &DateTime<Utc>) -> String {
        at.with_timezone(&time::shanghai()).format("%Y年%m月%d日%H时%M分").to_string()
    }

    fn day(&self, at: &DateTime<Utc>) -> String {
        at.with_timezone(&time::shanghai()).format("%Y年%m月%d日").to_string()
    }

    fn field(&self, name: &str) -> String {
        self.form.as_ref().map(|f| value(&f.fields, name)).unwrap_or_default()
    }
}

/// For paper.
pub async fn print(visit: Visit, Path(id): Path<String>) -> Response {
    let page = visit.page("/cases").await;
    let found = async { visit.desks().case(visit.person(), &asked::case(&id)?).await }.await;
    match found {
        Ok(view) => {
            let form = view.case.forms.last().cloned();
            html(&PrintPage { page, view, form })
        }
        Err(no) => no_page(page, &no),
    }
}
