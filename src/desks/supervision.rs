//! The supervision report (第三条, 第二十三条): a month by unit and by officer, computed from the sessions themselves.

use crate::catalog::{Reading, cases, plans, sessions};
use crate::desks::{Answer, Desks};
use crate::model::case::Case;
use crate::model::completeness::{self, Tally};
use crate::model::figures::Period;
use crate::model::ids::SessionId;
use crate::model::initiation;
use crate::model::people::{Act, Person};
use crate::model::plan::PlanState;
use crate::model::refusal::Refusal;
use crate::model::time;
use chrono::{DateTime, Utc};
use serde::Serialize;
use std::collections::BTreeMap;

/// A line: a unit or an officer.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct TallyRow {
    /// Unit's name.
    pub unit: String,
    /// Officer, as named on the sessions; none in the lines of units.
    pub officer: Option<String>,
    /// The figures.
    pub tally: Tally,
}

/// Something that somebody has to look after.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct Open {
    /// Which.
    pub session: SessionId,
    /// Its unit.
    pub unit: String,
    /// Its start.
    pub started_at: DateTime<Utc>,
    /// How many demands are open.
    pub missing: usize,
    /// It has neither case nor intake after one working day (第四条).
    pub unlinked_late: bool,
}

/// A month.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct Supervision {
    /// `2026-11`.
    pub month: String,
    /// The month before.
    pub before: String,
    /// The month after; none while this one is not over.
    pub after: Option<String>,
    /// When it was computed.
    pub at: DateTime<Utc>,
    /// All of it.
    pub total: Tally,
    /// By unit.
    pub units: Vec<TallyRow>,
    /// By officer; a session counts for each officer that it names.
    pub officers: Vec<TallyRow>,
    /// Sessions with open demands, oldest first.
    pub open: Vec<Open>,
}

impl Desks {
    /// The report of a month (`2026-11`; none: this one), of the units that this person lists.
    pub async fn supervision(&self, who: &Person, month: Option<&str>) -> Answer<Supervision> {
        self.need(who, Act::Supervise)?;
        let now = self.now().utc;
        let today = time::shanghai_day(now);
        let month = Period::month(month, today).map_err(Refusal::from)?;
        let (from_ms, until_ms) = month.bounds_ms();
        let of_month = move |c: &Reading| {
            Ok((sessions::between(c, from_ms, until_ms)?, plans::between(c, from_ms, until_ms)?, cases::between(c, from_ms, until_ms)?))
        };
        let (all, plans, cases) = self.read(of_month).await?;
        let mut total = Tally::default();
        let mut units: BTreeMap<String, Tally> = BTreeMap::new();
        let mut officers: BTreeMap<(String, String), Tally> = BTreeMap::new();
        let mut open = Vec::new();
        for session in all.iter().filter(|s| who.lists_unit(&s.unit)) {
            let unit = self.unit_name(&session.unit);
            total.add(session, now);
            units.entry(unit.clone()).or_default().add(session, now);
            for officer in &session.facts().officers {
                let named = officer.certificate_no.as_ref().map_or_else(|| officer.name.clone(), |no| format!("{}（{no}）", officer.name));
                officers.entry((unit.clone(), named)).or_default().add(session, now);
            }
            let missing = crate::model::missing::of(session).len();
            // The report counts what is restricted; it does not say which it is.
            if missing > 0 && session.mistake.is_none() && who.lists(session) {
                let unlinked_late = completeness::is_unlinked_late(session, now);
                open.push(Open { session: session.id.clone(), unit, started_at: session.started_at, missing, unlinked_late });
            }
        }
        for plan in plans.iter().filter(|p| who.lists_unit(&p.unit) && p.state(now) == PlanState::Missed) {
            total.plans_missed += 1;
            units.entry(self.unit_name(&plan.unit)).or_default().plans_missed += 1;
        }
        let late = |c: &Case| initiation::is_late(c.urgent.as_ref(), &c.forms, now);
        for case in cases.iter().filter(|c| who.lists_unit(&c.unit) && late(c)) {
            total.initiation_late += 1;
            units.entry(self.unit_name(&case.unit)).or_default().initiation_late += 1;
        }
        Ok(Supervision {
            month: month.to_string(),
            before: month.before().to_string(),
            after: month.next(today).map(|after| after.to_string()),
            at: now,
            total,
            units: units.into_iter().map(|(unit, tally)| TallyRow { unit, officer: None, tally }).collect(),
            officers: officers.into_iter().map(|((unit, officer), tally)| TallyRow { unit, officer: Some(officer), tally }).collect(),
            open,
        })
    }
}
