//! The rooms as they are, and starting a session.

use crate::desks::No;
use crate::desks::conduct::NewSession;
use crate::desks::plans::PlanRow;
use crate::desks::walkthrough::Walkthrough;
use crate::model::alarm::{AlarmKind, AlarmRow, Severity};
use crate::model::facts::{Facts, Officer};
use crate::model::ids::{PlanId, RoomId};
use crate::model::people::Act;
use crate::model::plan::PlanState;
use crate::model::readiness::Readiness;
use crate::model::refusal::Refusal;
use crate::model::session::SessionKind;
use crate::model::status::{Lamp, Status, VolumeStatus};
use crate::model::walkthrough::{Step, StepState, StepWord};
use crate::model::words::BadField;
use crate::web::asked;
use crate::web::pages::agenda::{self, Line};
use crate::web::pages::form::{self, FactsForm, Form, one};
use crate::web::pages::shown::{Devices, Media, Part};
use crate::web::pages::visit::Visit;
use crate::web::pages::{Page, brought_back, done, html, no_page};
use askama::Template;
use axum::extract::{Path, Query};
use axum::response::Response;
use axum::response::sse::{Event, KeepAlive, Sse};
use chrono::DateTime;
use futures::Stream;
use serde::Deserialize;
use std::convert::Infallible;
use std::time::Duration;

#[derive(Template)]
#[template(path = "home.html", config = "src/web/askama.toml")]
struct HomePage {
    page: Page,
    /// What needs them, the most pressing first.
    things: Vec<Line>,
    /// The rooms, for who sees their status.
    status: Option<Status>,
    alarms: Vec<AlarmRow>,
    watch: bool,
    /// The first run, for who administers, as long as something of it is open.
    walkthrough: Option<Walkthrough>,
}

#[derive(Template)]
#[template(path = "rooms_now.html", config = "src/web/askama.toml")]
struct RoomsNow<'a> {
    page: &'a Page,
    status: Status,
    alarms: Vec<AlarmRow>,
}

impl HomePage {
    fn now(&self) -> String {
        let now = |status: &Status| RoomsNow { page: &self.page, status: status.clone(), alarms: self.alarms.clone() }.render();
        self.status.as_ref().and_then(|s| now(s).ok()).unwrap_or_default()
    }
    /// How many of the steps are done or not wanted.
    fn walk_count(&self, list: &Walkthrough) -> String {
        format!("{} / {}", list.steps.iter().filter(|(_, s)| *s != StepState::Open).count(), list.steps.len())
    }
    /// The page on which a step is done.
    fn step_link(&self, step: &Step) -> Option<&'static str> {
        match step {
            Step::Cameras => Some("/cameras"),
            Step::Screens => Some("/screens"),
            Step::Officers | Step::Custodians | Step::Leader | Step::Head | Step::LegalUnit | Step::Inspector => Some("/accounts#account"),
            Step::AlarmChannel => Some("/alarms"),
            _ => None,
        }
    }
    /// The command that helps with it, on the recorder itself.
    fn step_command(&self, step: &Step) -> Option<&'static str> {
        match step {
            Step::Volume | Step::Mirror | Step::AlarmChannel => Some("shilu check"),
            Step::Clock => Some("apt-get install chrony"),
            Step::Backup => Some("shilu backup"),
            Step::Verified => Some("shilu-verify"),
            _ => None,
        }
    }
}

impl RoomsNow<'_> {
    /// The register of media, or of devices, narrowed to what needs somebody.
    fn media_due(&self) -> String {
        Media::Due.link()
    }
    fn devices_ill(&self) -> String {
        Devices::Ill.link()
    }
    fn devices_due(&self) -> String {
        Devices::Due.link()
    }
    fn used_percent(&self, volume: &VolumeStatus) -> u64 {
        ((volume.total - volume.free.min(volume.total)) * 100).checked_div(volume.total).unwrap_or(100)
    }
    fn megabits(&self, bps: &u64) -> String {
        format!("{:.1} Mbit/s", *bps as f64 / 1e6)
    }
    fn ago(&self, ms: &Option<u64>) -> String {
        ms.map_or_else(|| "—".into(), |ms| self.page.with("ago", "seconds", format!("{:.1}", ms as f64 / 1000.0)))
    }
    /// The gravest of the open alarms; the page of alarms has all.
    fn gravest(&self) -> &[AlarmRow] {
        &self.alarms[..self.alarms.len().min(5)]
    }
    fn alarm_at(&self, ms: &i64) -> String {
        DateTime::from_timestamp_millis(*ms).map(|at| self.page.at(at).to_string()).unwrap_or_default()
    }
    fn alarm_badge(&self, severity: &Severity) -> &'static str {
        match severity {
            Severity::Notice => "",
            Severity::Warning => "warn",
            Severity::Urgent => "bad",
        }
    }
    /// The alarm of a room that nobody has answered: since when.
    fn alarm(&self, room: &RoomId) -> Option<String> {
        let found = self.alarms.iter().find(|a| a.kind == AlarmKind::RoomInUse && a.subject == room.as_str() && a.is_unanswered())?;
        DateTime::from_timestamp_millis(found.began_at).map(|at| self.page.at(at).to_string())
    }
    /// Late: the newest durable byte of an open session is older than the promise allows.
    fn late(&self, lamp: &Lamp, ms: &Option<u64>) -> bool {
        matches!(lamp, Lamp::Partly | Lamp::NotRecording) && ms.is_none_or(|ms| ms > crate::model::status::DURABLE_MS_MAX)
    }
}

/// Where a person begins: what needs them now, and the rooms for who sees their status. Where sessions are started the rooms come
/// first: a party is waiting at the door.
pub async fn home(visit: Visit) -> Response {
    let page = visit.page("/").await;
    let person = visit.person();
    let things = agenda::lines(&page, &visit.desks().agenda(person).await, visit.desks().wall_clock());
    let walkthrough = visit.desks().walkthrough(person).await.unwrap_or_else(|no| {
        tracing::error!("how the first run stands cannot be told: {no}");
        None
    });
    let (status, watch) = (person.may(Act::SeeStatus).then(|| visit.desks().status(person)), person.may(Act::WatchLive));
    match status.transpose() {
        Ok(status) => html(&HomePage { page, things, status, alarms: visit.desks().open_alarms(), watch, walkthrough }),
        Err(no) => no_page(page, &no),
    }
}

/// Says that a step of the first run, or all of it, is not wanted here, or that it is.
pub async fn say_to_step(visit: Visit, Form(fields): Form<Vec<(String, String)>>) -> Response {
    let step = one(&fields, "step").unwrap_or_default();
    let said = one(&fields, "said").and_then(|s| StepWord::from_word(&s)).unwrap_or(StepWord::Wanted);
    let desks = &visit.desks();
    visit.act(("/", "step-said"), None, |person| async move { desks.say_to_step(&person, &step, said).await }).await
}

/// The rooms as they are, each second, as a piece of the page.
pub async fn events(visit: Visit) -> Sse<impl Stream<Item = Result<Event, Infallible>>> {
    let page = visit.page("/").await;
    let pushes = futures::stream::unfold((visit, page), |(visit, page)| async move {
        tokio::time::sleep(Duration::from_secs(1)).await;
        let person = visit.desks().is_still(&visit.who).await.ok()?;
        let status = visit.desks().status(&person).ok()?;
        let text = RoomsNow { page: &page, status, alarms: visit.desks().open_alarms() }.render().unwrap_or_default();
        Some((Ok(Event::default().event("now").data(text)), (visit, page)))
    });
    Sse::new(pushes).keep_alive(KeepAlive::default())
}

#[derive(Template)]
#[template(path = "start.html", config = "src/web/askama.toml")]
struct StartPage {
    page: Page,
    room: String,
    room_name: String,
    kind: SessionKind,
    form: FactsForm,
    /// The plan that this is.
    plan: Option<PlanId>,
    /// Plans of this room that wait.
    plans: Vec<PlanRow>,
    /// The newest check of the room, if it is fresh.
    readiness: Option<Readiness>,
}

impl StartPage {
    fn is_kind(&self, kind: &SessionKind) -> bool {
        self.kind == *kind
    }
}

/// What a start page begins with.
#[derive(Deserialize)]
pub struct StartQuery {
    plan: Option<String>,
}

/// The start form: the officer's own name is there, or what was planned; all else may stay empty.
pub async fn start_page(visit: Visit, Path(room): Path<String>, Query(query): Query<StartQuery>) -> Response {
    let me = Officer {
        name: visit.who.person.name.clone(),
        certificate_no: visit.who.person.certificate_no.clone(),
        valid_until: visit.who.person.certificate_until,
        ..Officer::default()
    };
    let mut given = Given { kind: SessionKind::Interview, facts: Facts { officers: vec![me], ..Facts::default() }, plan: None };
    if let Some(id) = query.plan.as_deref().and_then(|p| PlanId::new(p).ok())
        && let Ok(row) = visit.desks().plan_of(visit.person(), &id).await
    {
        given = Given { kind: row.plan.kind, facts: row.plan.facts, plan: Some(id) };
    }
    start_form(&visit, room, given, None).await
}

/// What stands in the form.
#[derive(Clone)]
struct Given {
    kind: SessionKind,
    facts: Facts,
    plan: Option<PlanId>,
}

async fn start_form(visit: &Visit, room: String, given: Given, refusal: Option<Refusal>) -> Response {
    let page = visit.page(&format!("/rooms/{room}/start")).await;
    let Some((room, room_name)) = visit.desks().rooms().into_iter().find(|(id, _)| *id == room) else {
        return no_page(page, &Refusal::no_such("room", &room).into());
    };
    let lang = page.lang;
    let fields = if let Some(Refusal::BadFields { fields }) = &refusal { fields.clone() } else { vec![] };
    let plans = visit.desks().plans(visit.person()).await.unwrap_or_default();
    let plans = plans.into_iter().filter(|p| p.plan.room.as_str() == room && p.state == PlanState::Planned).collect();
    let form = FactsForm::new(visit, given.facts, fields).await;
    let readiness = RoomId::new(&room).ok().and_then(|id| visit.desks().last_readiness(&id)).map(|(_, r)| r);
    let shown = html(&StartPage { page, room, room_name, kind: given.kind, form, plan: given.plan, plans, readiness });
    match refusal {
        Some(refusal) => brought_back(shown, lang, &refusal),
        None => shown,
    }
}

/// Starts a session, or shows the form again with what was typed.
pub async fn start(visit: Visit, Path(room): Path<String>, Form(fields): Form<Vec<(String, String)>>) -> Response {
    let given = Given {
        facts: form::facts(&fields),
        kind: one(&fields, "kind").and_then(|v| SessionKind::from_word(&v)).unwrap_or(SessionKind::Interview),
        plan: one(&fields, "plan").and_then(|p| PlanId::new(&p).ok()),
    };
    let begin = async |facts: Facts| match asked::id("room", &room, RoomId::new) {
        Ok(room) => {
            visit
                .desks()
                .start(
                    visit.person(),
                    NewSession {
                        room,
                        kind: given.kind,
                        facts,
                        plan: given.plan.clone(),
                        readiness_reason: one(&fields, "readiness_reason"),
                    },
                )
                .await
        }
        Err(refusal) => Err(refusal.into()),
    };
    let mut started = begin(given.facts.clone()).await;
    // Nothing that was typed may keep a recording from starting: the second button leaves out what is not right (promise 1).
    if let (Err(No::Refusal(Refusal::BadFields { fields: bad })), Some(_)) = (&started, one(&fields, "anyway")) {
        let without = without(given.facts.clone(), bad);
        started = begin(without).await;
    }
    match started {
        Ok((session, _)) => done(&format!("/sessions/{}", session.id), "started"),
        Err(No::Refusal(refusal)) => start_form(&visit, room, given, Some(refusal)).await,
        Err(no) => visit.no("/", &no).await,
    }
}

/// What was typed, without what is not right.
fn without(mut facts: Facts, bad: &[BadField]) -> Facts {
    for field in bad {
        match field.field.as_str() {
            "case_no" => facts.case_no = None,
            "record_no" => facts.record_no = None,
            "party" => facts.party = None,
            "cause" => facts.cause = None,
            "attendee" | "attendees" => facts.attendees.clear(),
            _ => facts.officers.clear(),
        }
    }
    facts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_right_is_left_out_and_the_rest_stays() {
        let typed = Facts { case_no: Some("../x".into()), party: Some("张三".into()), ..Facts::default() };
        let left = without(typed, &[BadField::form("case_no", "no path")]);
        assert_eq!((left.case_no, left.party.as_deref()), (None, Some("张三")));
    }
}
