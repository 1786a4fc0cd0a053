//! Whether the wall clock can be trusted with disposal. A clock that was set forward makes everything look old: nothing is given up
//! while it is in doubt, and a person has to look at it and say so (第十八条).

use crate::model::hold::Word;
use crate::model::people::words;
use crate::model::time::Moment;
use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

/// A step of the running machine's clock beyond this is doubted.
const STEP: TimeDelta = TimeDelta::hours(1);
/// A machine that was off for longer than this may have come back with any date.
const AWAY: TimeDelta = TimeDelta::days(7);

words!(
    /// Why it is in doubt.
    DoubtKind {
        /// It was set forward while the recorder ran.
        SetForward = "set_forward",
        /// It shows less than it showed before.
        SetBack = "set_back",
        /// The recorder did not run for so long that nothing vouches for the date.
        Away = "away",
    }
);

/// A doubt that nobody has answered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "recorder", derive(utoipa::ToSchema))]
pub struct Doubt {
    /// Why.
    pub kind: DoubtKind,
    /// What it showed before.
    pub from: DateTime<Utc>,
    /// What it showed then.
    pub to: DateTime<Utc>,
}

/// What is known of the clock, kept from run to run.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "recorder", derive(utoipa::ToSchema))]
pub struct ClockTrust {
    /// The latest moment that it showed.
    #[serde(default)]
    pub seen: Option<DateTime<Utc>>,
    /// Doubts, oldest first.
    #[serde(default)]
    pub doubts: Vec<Doubt>,
    /// Who last said that the date is right.
    #[serde(default)]
    pub confirmed: Option<Word>,
}

impl ClockTrust {
    /// Whether anything may be given up by this clock.
    pub fn is_sound(&self) -> bool {
        self.doubts.is_empty()
    }

    /// After a look at the clock. `before`: the look before, in this run of the recorder; none at its start.
    #[must_use]
    pub fn after(&self, before: Option<Moment>, now: Moment) -> Self {
        let mut next = self.clone();
        let seen = self.seen.unwrap_or(now.utc);
        let kind = match before {
            Some(before) if now.stepped_since(before) > STEP.num_milliseconds() => Some(DoubtKind::SetForward),
            Some(before) if now.stepped_since(before) < -STEP.num_milliseconds() => Some(DoubtKind::SetBack),
            None if now.utc + STEP < seen => Some(DoubtKind::SetBack),
            None if now.utc - seen > AWAY => Some(DoubtKind::Away),
            _ => None,
        };
        if let Some(kind) = kind {
            next.doubts.push(Doubt { kind, from: before.map_or(seen, |b| b.utc), to: now.utc });
        }
        next.seen = Some(now.utc);
        next
    }

    /// After somebody has compared the clock and said that it is right.
    #[must_use]
    pub fn confirmed(&self, word: Word) -> Self {
        Self { seen: Some(word.at), doubts: vec![], confirmed: Some(word) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::ids::AccountId;

    fn at(day: i64, mono_h: i64) -> Moment {
        Moment { utc: DateTime::UNIX_EPOCH + TimeDelta::days(day), mono_ms: (mono_h * 3_600_000) as u64 }
    }

    #[test]
    fn a_clock_that_is_set_forward_or_back_is_doubted_until_somebody_says_that_it_is_right() {
        let start = ClockTrust::default().after(None, at(100, 0));
        assert!(start.after(Some(at(100, 0)), at(101, 24)).is_sound(), "a day passed on both clocks");
        let forward = start.after(Some(at(100, 0)), at(300, 24));
        assert_eq!(forward.doubts[0].kind, DoubtKind::SetForward);
        assert!(!forward.after(Some(at(300, 24)), at(301, 48)).is_sound(), "it stays in doubt");
        assert_eq!(start.after(Some(at(100, 0)), at(90, 24)).doubts[0].kind, DoubtKind::SetBack);
        let word = Word { at: at(101, 48).utc, by: AccountId::new("feng").unwrap(), reason: None };
        assert!(forward.confirmed(word).is_sound());
    }

    #[test]
    fn a_date_that_changed_while_the_recorder_was_off_is_doubted() {
        let last = ClockTrust::default().after(None, at(100, 0));
        for (day, kind) in
            [(103, None), (106, None), (108, Some(DoubtKind::Away)), (400, Some(DoubtKind::Away)), (99, Some(DoubtKind::SetBack))]
        {
            assert_eq!(last.after(None, at(day, 0)).doubts.first().map(|d| d.kind), kind, "{day}");
        }
    }
}
