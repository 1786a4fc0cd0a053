//! Planning sessions ahead.

use crate::desks::No;
use crate::desks::plans::{NewPlan, PlanRow};
use crate::model::facts::{Facts, Officer};
use crate::model::ids::{PlanId, RoomId};
use crate::model::plan::PlanState;
use crate::model::refusal::Refusal;
use crate::model::session::SessionKind;
use crate::model::time;
use crate::model::words::BadField;
use crate::web::asked;
use crate::web::pages::form::{self, FactsForm, Form, one};
use crate::web::pages::shown::Plans;
use crate::web::pages::table::{Asked, Key, Table};
use crate::web::pages::visit::Visit;
use crate::web::pages::{Page, brought_back, done, html, no_page};
use askama::Template;
use axum::extract::Path;
use axum::response::Response;

#[derive(Template)]
#[template(path = "plans.html", config = "src/web/askama.toml")]
struct PlansPage {
    page: Page,
    table: Table,
    rows: Vec<PlanRow>,
}

impl PlansPage {
    fn missed(&self, row: &PlanRow) -> bool {
        row.state == PlanState::Missed
    }
}

/// What is planned, and what nobody kept.
pub async fn list(visit: Visit, asked: Asked) -> Response {
    let only = asked.shows::<Plans>();
    let page = visit.page("/plans").await.narrowed(only);
    match visit.desks().plans(visit.person()).await {
        Ok(mut rows) => {
            let today = time::shanghai_day(visit.desks().wall_clock());
            rows.retain(|r| match only {
                Some(Plans::Today) => r.state == PlanState::Planned && time::shanghai_day(r.plan.at) == today,
                Some(Plans::Missed) => r.state == PlanState::Missed,
                None => true,
            });
            let mut table = Table::new(asked, &["at", "room", "kind", "party", "cause", "case", "state"]);
            let rows = table.rows(rows, |r, column| match column {
                "at" => Key::at(r.plan.at),
                "room" => Key::text(Some(&r.room_name)),
                "kind" => Key::text(Some(page.word("kind", r.plan.kind.as_str()))),
                "party" => Key::text(r.plan.facts.party.as_deref()),
                "cause" => Key::text(r.plan.facts.cause.as_deref()),
                "case" => Key::text(r.plan.facts.case_no.as_deref()),
                _ => Key::text(Some(page.word("plan", r.state.as_str()))),
            });
            html(&PlansPage { page, table, rows })
        }
        Err(no) => no_page(page, &no),
    }
}

#[derive(Template)]
#[template(path = "plan_new.html", config = "src/web/askama.toml")]
struct NewPage {
    page: Page,
    rooms: Vec<(String, String)>,
    room: String,
    at: String,
    kind: SessionKind,
    form: FactsForm,
}

impl NewPage {
    fn is_kind(&self, kind: &SessionKind) -> bool {
        self.kind == *kind
    }
}

/// The form.
pub async fn new_page(visit: Visit) -> Response {
    let me = Officer {
        name: visit.who.person.name.clone(),
        certificate_no: visit.who.person.certificate_no.clone(),
        valid_until: visit.who.person.certificate_until,
        ..Officer::default()
    };
    let facts = Facts { officers: vec![me], ..Facts::default() };
    new_form(&visit, vec![], facts, None).await
}

async fn new_form(visit: &Visit, typed: Vec<(String, String)>, facts: Facts, refusal: Option<Refusal>) -> Response {
    let page = visit.page("/plans/new").await;
    let lang = page.lang;
    let fields = if let Some(Refusal::BadFields { fields }) = &refusal { fields.clone() } else { vec![] };
    let form = FactsForm::new(visit, facts, fields).await;
    let kind = one(&typed, "kind").and_then(|v| SessionKind::from_word(&v)).unwrap_or(SessionKind::Interview);
    let (room, at) = (one(&typed, "room").unwrap_or_default(), one(&typed, "at").unwrap_or_default());
    let shown = html(&NewPage { page, rooms: visit.desks().rooms(), room, at, kind, form });
    match refusal {
        Some(refusal) => brought_back(shown, lang, &refusal),
        None => shown,
    }
}

/// Plans, or shows the form again with what was typed.
pub async fn make(visit: Visit, Form(fields): Form<Vec<(String, String)>>) -> Response {
    let facts = form::facts(&fields);
    let planned = async {
        let room = asked::id("room", &one(&fields, "room").unwrap_or_default(), RoomId::new)?;
        let at = one(&fields, "at").and_then(|t| time::shanghai_typed(&t));
        let at = at.ok_or_else(|| Refusal::from(BadField::form("at", "is not within the next 60 days")))?;
        let kind = one(&fields, "kind").and_then(|v| SessionKind::from_word(&v)).unwrap_or(SessionKind::Interview);
        visit.desks().plan(visit.person(), NewPlan { room, at, kind, facts: facts.clone() }).await
    };
    match planned.await {
        Ok(_) => done("/plans", "planned"),
        Err(No::Refusal(refusal)) => new_form(&visit, fields, facts, Some(refusal)).await,
        Err(no) => visit.no("/plans", &no).await,
    }
}

/// Calls one off, or says why it was not kept.
pub async fn call_off(visit: Visit, Path(id): Path<String>, Form(fields): Form<Vec<(String, String)>>) -> Response {
    let result = async {
        let id = asked::id("plan", &id, PlanId::new)?;
        visit.desks().call_off(visit.person(), &id, &one(&fields, "reason").unwrap_or_default()).await.map(drop)
    };
    let result: Result<(), No> = result.await;
    visit.after("/plans", "called-off", result).await
}
