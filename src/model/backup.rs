//! Which backups of the catalog stay: the newest of each of so many hours, days and months that have one.

use crate::model::time;
use chrono::{DateTime, Utc};
use std::collections::BTreeSet;

/// How many stay.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Keep {
    /// Hours.
    pub hourly: usize,
    /// Days, as Shanghai has them.
    pub daily: usize,
    /// Months.
    pub monthly: usize,
}

/// Those that stay, of backups made at these times.
pub fn staying(made: &[DateTime<Utc>], keep: Keep) -> BTreeSet<DateTime<Utc>> {
    let mut newest_first = made.to_vec();
    newest_first.sort_unstable_by(|a, b| b.cmp(a));
    let mut stay = BTreeSet::new();
    // The newest of all stays whatever the figures say: a rotation never leaves nothing.
    stay.extend(newest_first.first());
    for (count, form) in [(keep.hourly, "%Y%m%d%H"), (keep.daily, "%Y%m%d"), (keep.monthly, "%Y%m")] {
        let mut seen = BTreeSet::new();
        for at in &newest_first {
            let span = at.with_timezone(&time::shanghai()).format(form).to_string();
            if seen.len() < count && seen.insert(span) {
                stay.insert(*at);
            }
        }
    }
    stay
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::TimeDelta;
    use proptest::prelude::*;

    const KEEP: Keep = Keep { hourly: 24, daily: 14, monthly: 12 };

    #[test]
    fn a_year_of_hourly_backups_leaves_a_day_of_hours_two_weeks_of_days_and_a_year_of_months() {
        let end: DateTime<Utc> = "2026-11-25T12:30:00Z".parse().unwrap();
        let made: Vec<_> = (0..24 * 400).map(|h| end - TimeDelta::hours(h)).collect();
        let stay = staying(&made, KEEP);
        // 24 hours reach into two days; their newest is the day's and the month's.
        assert_eq!(stay.len(), 24 + 12 + 11);
        assert!(stay.contains(&end));
        assert_eq!(stay.first().unwrap().format("%Y-%m").to_string(), "2025-12");
    }

    proptest! {
        #[test]
        fn the_newest_always_stays_and_rotating_twice_changes_nothing(
            hours in proptest::collection::vec(0_i64..20_000, 1..200), hourly in 0_usize..30, daily in 0_usize..20, monthly in 0_usize..15,
        ) {
            let keep = Keep { hourly, daily, monthly };
            let made: Vec<_> = hours.iter().map(|h| DateTime::UNIX_EPOCH + TimeDelta::hours(*h)).collect();
            let stay = staying(&made, keep);
            prop_assert!(stay.contains(made.iter().max().unwrap()));
            prop_assert!(stay.len() <= 1 + hourly + daily + monthly);
            let again = staying(&stay.iter().copied().collect::<Vec<_>>(), keep);
            prop_assert_eq!(again, stay);
        }
    }
}
