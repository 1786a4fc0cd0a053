//! Completeness: how much of a session was recorded, and what a month of sessions lacks by unit and by officer
//! (第三条: 监督检查, 第二十三条). Computed; nobody edits it.

use crate::model::gap::GapCause;
use crate::model::missing::{self, AnswerKind};
use crate::model::people::words;
use crate::model::session::{Session, State};
use crate::model::time;
use chrono::{DateTime, Datelike, Days, Utc, Weekday};
use serde::Serialize;
use std::collections::BTreeMap;

words!(
    /// How much of a session was recorded (第十二条).
    Coverage {
        /// 全程记录.
        Whole = "whole",
        /// 部分记录.
        Part = "part",
        /// 未记录.
        None = "none",
    }
);

/// How much of an ended session was recorded.
pub fn coverage(session: &Session) -> Coverage {
    if session.segments.iter().all(|s| s.duration_ms == 0) {
        Coverage::None
    } else if session.gaps.is_empty() {
        Coverage::Whole
    } else {
        Coverage::Part
    }
}

/// The end of the first working day after a moment: 24:00 of the next Monday to Friday, Shanghai. Public holidays are not known
/// here, so that a session may be told late a little early; never too late.
pub fn first_working_day_ends(at: DateTime<Utc>) -> DateTime<Utc> {
    let mut day = time::shanghai_day(at);
    loop {
        day = day.checked_add_days(Days::new(1)).unwrap_or(day);
        if !matches!(day.weekday(), Weekday::Sat | Weekday::Sun) {
            break;
        }
    }
    time::shanghai_midnight(day.checked_add_days(Days::new(1)).unwrap_or(day))
}

/// Whether a session has neither case nor intake, and nobody said why (第四条).
pub fn is_unlinked(session: &Session) -> bool {
    let gone = session.state == State::Disposed;
    !gone && session.facts().case_no.is_none() && missing::answer(session, "case").is_none()
}

/// Whether it still has neither after one working day.
pub fn is_unlinked_late(session: &Session, now: DateTime<Utc>) -> bool {
    is_unlinked(session) && now >= first_working_day_ends(session.started_at)
}

/// Figures of some sessions.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "recorder", derive(utoipa::ToSchema))]
pub struct Tally {
    /// Sessions; mistaken starts are counted apart.
    pub sessions: u64,
    /// 误操作.
    pub mistakes: u64,
    /// 全程记录.
    pub whole: u64,
    /// 部分记录, every gap explained.
    pub part_explained: u64,
    /// 部分记录, some gap not explained.
    pub part_unexplained: u64,
    /// 未记录.
    pub none: u64,
    /// Plans that nobody kept or explained.
    pub plans_missed: u64,
    /// Without case or intake after one working day.
    pub unlinked_late: u64,
    /// Linked only after one working day.
    pub linked_late: u64,
    /// Cases begun urgently whose form came late, or has not come (第五条).
    pub initiation_late: u64,
    /// Open demands.
    pub missing: u64,
    /// Demands answered 原因未说明.
    pub unexplained: u64,
    /// Rights that were not told, with a reason.
    pub rights_not_told: u64,
    /// Length of the sessions, ms.
    pub length_ms: u64,
    /// Length of gaps by cause, ms: the longest of the cameras.
    pub gap_ms: BTreeMap<String, u64>,
}

impl Tally {
    /// Adds the figures of others.
    pub fn merge(&mut self, other: &Self) {
        self.sessions += other.sessions;
        self.mistakes += other.mistakes;
        self.whole += other.whole;
        self.part_explained += other.part_explained;
        self.part_unexplained += other.part_unexplained;
        self.none += other.none;
        self.plans_missed += other.plans_missed;
        self.unlinked_late += other.unlinked_late;
        self.linked_late += other.linked_late;
        self.initiation_late += other.initiation_late;
        self.missing += other.missing;
        self.unexplained += other.unexplained;
        self.rights_not_told += other.rights_not_told;
        self.length_ms += other.length_ms;
        other.gap_ms.iter().for_each(|(cause, ms)| *self.gap_ms.entry(cause.clone()).or_default() += ms);
    }

    /// Counts a session.
    pub fn add(&mut self, session: &Session, now: DateTime<Utc>) {
        if session.mistake.is_some() {
            self.mistakes += 1;
            return;
        }
        self.sessions += 1;
        self.length_ms += session.length_ms.unwrap_or(0);
        // Of what was given up nothing more is known.
        if session.state == State::Disposed {
            return;
        }
        let open = missing::of(session);
        self.missing += open.len() as u64;
        let answers = missing::all(session).into_iter().filter_map(|m| missing::answer(session, &m.demand()));
        for answer in answers {
            self.unexplained += u64::from(answer.kind == AnswerKind::Unexplained);
            self.rights_not_told += u64::from(answer.kind == AnswerKind::NotDone && answer.demand.starts_with("right-"));
        }
        let late = first_working_day_ends(session.started_at);
        self.unlinked_late += u64::from(is_unlinked_late(session, now));
        let linked = session.links.iter().find(|l| l.facts.case_no.is_some());
        self.linked_late += u64::from(linked.is_some_and(|l| l.at >= late));
        // Whether a file that was taken in shows the whole course, no machine can tell.
        if session.is_open() || session.imported.is_some() {
            return;
        }
        match coverage(session) {
            Coverage::Whole => self.whole += 1,
            Coverage::None => self.none += 1,
            Coverage::Part if open.iter().any(|m| m.what == "gap") => self.part_unexplained += 1,
            Coverage::Part => self.part_explained += 1,
        }
        for cause in GapCause::ALL {
            let of = |camera| {
                session
                    .gaps
                    .iter()
                    .filter(|g| g.camera == camera && g.cause == *cause)
                    .map(|g| g.to_ms.saturating_sub(g.from_ms))
                    .sum::<u64>()
            };
            let longest = session.devices.iter().map(|d| of(d.camera.clone())).max().unwrap_or(0);
            if longest > 0 {
                *self.gap_ms.entry(cause.as_str().into()).or_default() += longest;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::facts::Facts;
    use crate::model::session::SessionKind;
    use crate::model::step;
    use proptest::prelude::*;

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    #[test]
    fn one_working_day_ends_at_midnight_and_a_weekend_does_not_count() {
        // A Monday morning in Shanghai: the whole of Tuesday is left.
        assert_eq!(first_working_day_ends(at("2026-11-23T02:00:00Z")), at("2026-11-24T16:00:00Z"));
        // A Friday evening: until Monday's end.
        assert_eq!(first_working_day_ends(at("2026-11-27T12:00:00Z")), at("2026-11-30T16:00:00Z"));
        // Saturday 00:30 in Shanghai is still Friday in London; Shanghai counts.
        assert_eq!(first_working_day_ends(at("2026-11-27T16:30:00Z")), at("2026-11-30T16:00:00Z"));
    }

    #[test]
    fn a_session_without_a_case_is_late_only_after_its_working_day() {
        let mut s = step::tests::started_with(SessionKind::Interview, Facts::default());
        let late = first_working_day_ends(s.started_at);
        assert!(!is_unlinked_late(&s, late - chrono::TimeDelta::seconds(1)) && is_unlinked_late(&s, late));
        s.links[0].facts.case_no = Some("受理-1".into());
        assert!(!is_unlinked_late(&s, late));
    }

    proptest! {
        #[test]
        fn at_least_one_whole_working_day_is_always_given(s in 0_i64..4_000_000_000) {
            let from = DateTime::from_timestamp(s, 0).unwrap();
            let left = first_working_day_ends(from) - from;
            prop_assert!(left >= chrono::TimeDelta::hours(24) && left <= chrono::TimeDelta::hours(24 * 4));
        }
    }
}
