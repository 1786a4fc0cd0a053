//! The forms of a case: opening it, and every change that is no initiation form.

use crate::desks::No;
use crate::desks::cases::NewCase;
use crate::model::case::{ActKind, CaseChange, CaseFacts, Origin, Procedure};
use crate::model::facts::Facts;
use crate::model::missing::AnswerKind;
use crate::model::refusal::Refusal;
use crate::model::text_record::RecordKind;
use crate::model::time;
use crate::model::words::BadField;
use crate::web::asked;
use crate::web::pages::form::{self, Form, one};
use crate::web::pages::visit::Visit;
use crate::web::pages::{Page, brought_back, done, html};
use askama::Template;
use axum::extract::Path;
use axum::response::Response;
use chrono::{DateTime, Utc};

#[derive(Template)]
#[template(path = "case_new.html", config = "src/web/askama.toml")]
struct NewPage {
    page: Page,
    origin: Origin,
    named: bool,
    facts: CaseFacts,
}

impl NewPage {
    fn is_origin(&self, origin: &Origin) -> bool {
        self.origin == *origin
    }
}

/// The form.
pub async fn new_page(visit: Visit) -> Response {
    let page = visit.page("/cases/new").await;
    html(&NewPage { page, origin: Origin::OwnInitiative, named: false, facts: CaseFacts::default() })
}

/// What a case is, as its form gives it. Parties stand one a line.
fn facts(fields: &[(String, String)]) -> CaseFacts {
    let Facts { officers, restricted, .. } = form::facts(fields);
    CaseFacts {
        number: one(fields, "number"),
        kind: one(fields, "kind").and_then(|k| ActKind::from_word(&k)),
        procedure: one(fields, "procedure").and_then(|p| Procedure::from_word(&p)),
        cause: one(fields, "cause"),
        parties: one(fields, "parties").unwrap_or_default().lines().map(|l| l.trim().to_owned()).filter(|l| !l.is_empty()).collect(),
        officers,
        restricted,
    }
}

/// Opens a case, or shows the form again with what was typed.
pub async fn open(visit: Visit, Form(fields): Form<Vec<(String, String)>>) -> Response {
    let origin = one(&fields, "origin").and_then(|o| Origin::from_word(&o)).unwrap_or(Origin::OwnInitiative);
    let (named, facts) = (one(&fields, "named").is_some(), facts(&fields));
    match visit.desks().open_case(visit.person(), NewCase { origin, named, facts: facts.clone() }).await {
        Ok(case) => done(&format!("/cases/{}", case.id), "case-opened"),
        Err(No::Refusal(refusal)) => {
            let page = visit.page("/cases/new").await;
            let lang = page.lang;
            brought_back(html(&NewPage { page, origin, named, facts }), lang, &refusal)
        }
        Err(no) => visit.no("/cases", &no).await,
    }
}

/// A moment of a form; empty is now.
fn moment(fields: &[(String, String)], name: &str, now: DateTime<Utc>) -> Result<DateTime<Utc>, Refusal> {
    match one(fields, name) {
        None => Ok(now),
        Some(text) => time::shanghai_typed(&text).ok_or_else(|| BadField::form(name, "is no day; 2026-11-23 would be right").into()),
    }
}

/// A change as a form gives it, and the word that is said when it is done.
fn read(fields: &[(String, String)], now: DateTime<Utc>) -> Result<(CaseChange, &'static str), Refusal> {
    let text = |name: &str| one(fields, name).unwrap_or_default();
    let unknown = || Refusal::no_such("change", &text("change"));
    Ok(match text("change").as_str() {
        "facts" => (CaseChange::Facts { facts: facts(fields), reason: text("reason") }, "linked"),
        "record" => {
            let kind = RecordKind::from_word(&text("kind")).ok_or_else(unknown)?;
            let given = kind.fields().iter().filter_map(|f| Some((f.name.to_owned(), one(fields, &format!("field:{}", f.name))?)));
            let corrects = one(fields, "corrects").and_then(|n| n.parse().ok());
            (CaseChange::Record { kind, fields: given.collect(), stated_at: moment(fields, "stated_at", now)?, corrects }, "record-added")
        }
        "urgent" => (CaseChange::Urgent { stated_at: moment(fields, "stated_at", now)?, reason: text("reason") }, "urgent"),
        "begin" => (CaseChange::Begun, "begun"),
        "answer" => {
            let kind = AnswerKind::from_word(&text("kind")).unwrap_or(AnswerKind::NotDone);
            (CaseChange::Answered { demand: text("demand"), kind, reason: one(fields, "reason") }, "answered")
        }
        "close" => {
            let on = text("on").parse().map_err(|_| BadField::form("on", "is no day; 2026-11-23 would be right"))?;
            (CaseChange::Closed { on, period: text("period") }, "case-closed")
        }
        "archive" => (CaseChange::Archived, "archived"),
        _ => return Err(unknown()),
    })
}

/// Changes a case.
pub async fn change(visit: Visit, Path(id): Path<String>, Form(fields): Form<Vec<(String, String)>>) -> Response {
    let back = format!("/cases/{id}");
    let (change, word) = match read(&fields, visit.desks().wall_clock()) {
        Ok(read) => read,
        Err(refusal) => return visit.no(&back, &refusal.into()).await,
    };
    let changed = async { visit.desks().change_case(visit.person(), &asked::case(&id)?, change).await.map(drop) };
    let changed: Result<(), No> = changed.await;
    visit.after(&back, word, changed).await
}
