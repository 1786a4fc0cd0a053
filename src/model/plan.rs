//! A planned session: who is expected when, so that the officer at the door has nothing to type.

use crate::model::facts::Facts;
use crate::model::ids::{AccountId, PlanId, RoomId, SessionId, UnitId};
use crate::model::people::words;
use crate::model::session::SessionKind;
use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

/// A plan that nobody used for so long after its time was not kept: somebody has to say why (第二十三条).
pub const LATE: TimeDelta = TimeDelta::hours(2);

words!(
    /// Where a plan stands.
    PlanState {
        /// 已计划.
        Planned = "planned",
        /// 已录制: a session was started from it.
        Started = "started",
        /// 已取消, with a reason. Only a plan can be called off; a session cannot.
        CalledOff = "called_off",
        /// 未录制: its time has passed, and there is no session.
        Missed = "missed",
    }
);

/// A plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "recorder", derive(utoipa::ToSchema))]
pub struct Plan {
    /// Its number.
    pub id: PlanId,
    /// Where.
    pub room: RoomId,
    /// Whose.
    pub unit: UnitId,
    /// When it should begin.
    pub at: DateTime<Utc>,
    /// What for.
    pub kind: SessionKind,
    /// What is known.
    pub facts: Facts,
    /// Who planned.
    pub by: AccountId,
    /// The session that was started from it.
    #[serde(default)]
    pub session: Option<SessionId>,
    /// Why it was called off.
    #[serde(default)]
    pub called_off: Option<String>,
}

impl Plan {
    /// Where it stands at a moment.
    pub fn state(&self, now: DateTime<Utc>) -> PlanState {
        match (&self.session, &self.called_off) {
            (Some(_), _) => PlanState::Started,
            (None, Some(_)) => PlanState::CalledOff,
            (None, None) if now > self.at + LATE => PlanState::Missed,
            (None, None) => PlanState::Planned,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plan_that_nobody_kept_is_missed_two_hours_later_and_stays_so_until_it_is_explained() {
        let at = DateTime::UNIX_EPOCH;
        let mut plan = Plan {
            id: PlanId::new("p-1").unwrap(),
            room: RoomId::new("room-1").unwrap(),
            unit: UnitId::new("land").unwrap(),
            at,
            kind: SessionKind::Interview,
            facts: Facts::default(),
            by: AccountId::new("wang").unwrap(),
            session: None,
            called_off: None,
        };
        assert_eq!(plan.state(at + LATE), PlanState::Planned);
        assert_eq!(plan.state(at + LATE + TimeDelta::seconds(1)), PlanState::Missed);
        plan.called_off = Some("当事人未到".into());
        assert_eq!(plan.state(at + LATE + TimeDelta::days(1)), PlanState::CalledOff);
    }
}
