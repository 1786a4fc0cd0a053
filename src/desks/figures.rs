//! Figures of a period for those who supervise (第三条), and how long the volumes last, for who looks after the machine as well.

use crate::catalog::{figures_viewing, sessions};
use crate::desks::{Answer, Desks};
use crate::model::completeness::Tally;
use crate::model::figures::{self, ByUnit, Period, Seen, Span};
use crate::model::ids::UnitId;
use crate::model::people::{Act, Person};
use crate::model::refusal::Refusal;
use crate::model::status::VolumeStatus;
use crate::model::time;
use crate::model::words::BadField;
use chrono::{DateTime, Utc};
use std::collections::BTreeMap;

/// Purposes that are named; the rest are one.
const PURPOSES_MAX: usize = 8;

/// A period's figures, of the units that a person lists.
#[derive(Debug, Clone)]
pub struct Counted {
    /// Each month with its units' figures, by the units' names.
    pub months: Vec<(Period, ByUnit)>,
    /// Units of the whole period.
    pub units: ByUnit,
    /// All of it.
    pub total: Tally,
    /// Viewings by purpose; for who decides on them or reads their log.
    pub purposes: Option<Vec<(Option<String>, Seen)>>,
}

/// How long the volumes last.
#[derive(Debug, Clone)]
pub struct Storage {
    /// They.
    pub volumes: Vec<VolumeStatus>,
    /// Bytes of each that stay free.
    pub reserve: u64,
    /// Bytes that a day adds.
    pub a_day: u64,
    /// Sessions that are planned for the next two weeks.
    pub planned: u64,
}

/// What the page shows.
#[derive(Debug, Clone)]
pub struct Figures {
    /// Of which period.
    pub period: Period,
    /// The period around today of each length.
    pub today: [Period; 3],
    /// When they were counted.
    pub at: DateTime<Utc>,
    /// For who supervises.
    pub counted: Option<Counted>,
    /// Always.
    pub storage: Storage,
}

impl Desks {
    /// The figures of a period (`2026-11`, `2026-Q4`, `2026`; none: this month).
    pub async fn figures(&self, who: &Person, period: Option<&str>) -> Answer<Figures> {
        if ![Act::Supervise, Act::KeepDevices, Act::ManageAccounts].iter().any(|act| who.may(*act)) {
            return Err(self.refused(who, Refusal::NotYourRole, "figures"));
        }
        let now = self.now().utc;
        let around = |span| Period::around(time::shanghai_day(now), span);
        let wrong = || Refusal::from(BadField::form("period", "is no period; 2026-11, 2026-Q4 or 2026 would be right"));
        let period = period.map_or(Ok(around(Span::Month)), |text| Period::parse(text).ok_or_else(wrong))?;
        let counted = if who.may(Act::Supervise) { Some(self.count_period(who, period, now).await?) } else { None };
        self.forecast_when_due().await?;
        let storage = Storage {
            volumes: self.look().machine.volumes,
            reserve: self.settings.reserve_bytes,
            a_day: self.bytes_a_day(),
            planned: self.sessions_planned(),
        };
        Ok(Figures { period, today: [Span::Month, Span::Quarter, Span::Year].map(around), at: now, counted, storage })
    }

    async fn count_period(&self, who: &Person, period: Period, now: DateTime<Utc>) -> Answer<Counted> {
        let (person, sees_viewings) = (who.clone(), who.may(Act::DecideAccess) || who.may(Act::ReadLog));
        let counting = self.read(move |c| {
            let mut months = Vec::new();
            // A month at a time: of a year's sessions no more than a month's lie in memory.
            for month in period.months() {
                let (from_ms, until_ms) = month.bounds_ms();
                let all = sessions::between(c, from_ms, until_ms)?;
                months.push((month, figures::by_unit(all.iter().filter(|s| person.lists_unit(&s.unit)), now)));
            }
            let mut purposes: BTreeMap<String, Seen> = BTreeMap::new();
            let (from_ms, until_ms) = period.bounds_ms();
            let seen = if sees_viewings { figures_viewing::between(c, from_ms, until_ms)? } else { vec![] };
            let listed = |unit: &str| UnitId::new(unit).is_ok_and(|unit| person.lists_unit(&unit));
            for viewing in seen.into_iter().filter(|v| listed(&v.unit)) {
                let of = purposes.entry(viewing.purpose).or_default();
                *of = Seen { viewings: of.viewings + 1, seconds: of.seconds + viewing.seconds };
            }
            Ok((months, purposes))
        });
        let (months, purposes) = counting.await?;
        let named = |units: ByUnit| {
            let name = |id: String| UnitId::new(&id).map_or(id, |unit| self.unit_name(&unit));
            units.into_iter().map(|(id, tally)| (name(id), tally)).collect::<ByUnit>()
        };
        let months: Vec<(Period, ByUnit)> = months.into_iter().map(|(month, units)| (month, named(units))).collect();
        let mut units = ByUnit::new();
        for (unit, tally) in months.iter().flat_map(|(_, units)| units) {
            units.entry(unit.clone()).or_default().merge(tally);
        }
        Ok(Counted {
            total: figures::sum(units.values()),
            purposes: sees_viewings.then(|| figures::purposes(purposes, PURPOSES_MAX)),
            months,
            units,
        })
    }
}
