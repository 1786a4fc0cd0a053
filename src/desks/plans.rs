//! Planning sessions ahead, and calling plans off.

use crate::catalog::plans;
use crate::desks::{Answer, Desks, No};
use crate::machine::randomness;
use crate::model::entry::{Draft, EntryKind};
use crate::model::facts::Facts;
use crate::model::ids::{PlanId, RoomId, SessionId};
use crate::model::people::{Act, Person};
use crate::model::plan::{Plan, PlanState};
use crate::model::refusal::Refusal;
use crate::model::session::SessionKind;
use crate::model::time;
use crate::model::words::{self, BadField};
use chrono::{DateTime, TimeDelta, Utc};
use serde::Serialize;

/// How far ahead plans are listed, days.
const AHEAD_DAYS: i64 = 60;
/// How far back plans that nobody kept are listed, days.
const BACK_DAYS: i64 = 31;

/// A plan with where it stands now.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct PlanRow {
    /// The plan.
    pub plan: Plan,
    /// The room's name.
    pub room_name: String,
    /// Where it stands.
    pub state: PlanState,
}

/// A plan as somebody fills it in.
#[derive(Debug, Clone)]
pub struct NewPlan {
    /// Where.
    pub room: RoomId,
    /// When.
    pub at: DateTime<Utc>,
    /// What for.
    pub kind: SessionKind,
    /// What is known.
    pub facts: Facts,
}

impl Desks {
    /// Plans a session. Nothing starts by itself: a person presses the button.
    pub async fn plan(&self, who: &Person, new: NewPlan) -> Answer<Plan> {
        self.need(who, Act::ConductSession)?;
        let room = self.recorder.room(&new.room).ok_or_else(|| Refusal::no_such("room", new.room.as_str()))?;
        let unit = who.unit.clone().unwrap_or_else(|| room.view().unit.clone());
        let facts = self.complete(new.facts).await?;
        let now = self.now().utc;
        if new.at < now - TimeDelta::hours(1) || new.at > now + TimeDelta::days(AHEAD_DAYS) {
            return Err(Refusal::from(BadField::form("at", "is not within the next 60 days")).into());
        }
        let day = time::shanghai_stamp(new.at)[..8].to_owned();
        let id = PlanId::new(&format!("p-{day}-{}", randomness::hex::<3>()?)).map_err(|e| No::Fault(e.to_string()))?;
        let plan =
            Plan { id, room: new.room, unit, at: new.at, kind: new.kind, facts, by: who.id.clone(), session: None, called_off: None };
        let draft = Draft::new(EntryKind::SessionPlanned)
            .by(&who.id)
            .about("plan", &plan.id)
            .about("room", &plan.room)
            .about("at", plan.at.to_rfc3339());
        let kept = plan.clone();
        self.acts.log_then_do(draft, move |t| plans::put(t, &kept)).await?;
        Ok(plan)
    }

    /// Plans of this person's unit: what is to come, and what nobody kept.
    pub async fn plans(&self, who: &Person) -> Answer<Vec<PlanRow>> {
        self.need(who, Act::LinkSession)?;
        let now = self.now().utc;
        let span = move |days| (now + TimeDelta::days(days)).timestamp_millis();
        let found = self.read(move |c| plans::between(c, span(-BACK_DAYS), span(AHEAD_DAYS + 1))).await?;
        let listed = found.into_iter().filter(|p| self.may_know(who, p)).map(|plan| self.plan_row(plan, now));
        // What is over in good order needs nobody any more.
        Ok(listed.filter(|r| matches!(r.state, PlanState::Planned | PlanState::Missed)).collect())
    }

    /// One plan that this person may use.
    pub async fn plan_of(&self, who: &Person, id: &PlanId) -> Answer<PlanRow> {
        self.need(who, Act::LinkSession)?;
        let wanted = id.clone();
        let plan = self.read(move |c| plans::by_id(c, &wanted)).await?.filter(|p| self.may_know(who, p));
        let plan = plan.ok_or_else(|| Refusal::no_such("plan", id.as_str()))?;
        Ok(self.plan_row(plan, self.now().utc))
    }

    /// Calls a plan off, or says why it was not kept.
    pub async fn call_off(&self, who: &Person, id: &PlanId, reason: &str) -> Answer<Plan> {
        self.need(who, Act::ConductSession)?;
        let reason = words::needed_text("reason", reason).map_err(Refusal::from)?;
        let row = self.plan_of(who, id).await?;
        if !matches!(row.state, PlanState::Planned | PlanState::Missed) {
            return Err(Refusal::SessionState { state: row.state.as_str().into() }.into());
        }
        let plan = Plan { called_off: Some(reason.clone()), ..row.plan };
        let draft = Draft::new(EntryKind::PlanCalledOff).by(&who.id).about("plan", id).text("reason", Some(&reason));
        let kept = plan.clone();
        self.acts.log_then_do(draft, move |t| plans::put(t, &kept)).await?;
        Ok(plan)
    }

    /// Notes which session a plan became. The session's journal has the plan's number; this is only the list catching up.
    pub(super) fn keep_plan(&self, id: PlanId, session: SessionId) {
        self.acts.index_only(move |t| match plans::by_id(t, &id)? {
            Some(plan) => plans::put(t, &Plan { session: Some(session), ..plan }),
            None => Ok(()),
        });
    }

    fn may_know(&self, who: &Person, plan: &Plan) -> bool {
        plan.by == who.id || (who.lists_unit(&plan.unit) && (!plan.facts.restricted || who.lists_restricted()))
    }

    fn plan_row(&self, plan: Plan, now: DateTime<Utc>) -> PlanRow {
        let room_name = self.recorder.room(&plan.room).map_or_else(|| plan.room.to_string(), |r| r.view().name.clone());
        PlanRow { room_name, state: plan.state(now), plan }
    }
}
