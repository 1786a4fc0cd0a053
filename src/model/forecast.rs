//! How long a volume lasts, weeks ahead: never full by surprise (promise 9).

/// Days that are looked back at, for what a day adds.
pub const LOOKED_BACK_DAYS: u32 = 28;
/// Days of plans that are looked ahead at.
pub const LOOKED_AHEAD_DAYS: u32 = 14;
/// A volume that lasts less is warned of: a disk has to be ordered, and put in.
pub const WARN_DAYS: u64 = 28;

/// What was recorded lately, and what is planned.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Load {
    /// Bytes of the last [`LOOKED_BACK_DAYS`].
    pub bytes: u64,
    /// In so many sessions.
    pub sessions: u64,
    /// Days since the first of them, at most [`LOOKED_BACK_DAYS`]: a recorder that is a week old has a week to go by.
    pub days: u32,
    /// Sessions that are planned for the next [`LOOKED_AHEAD_DAYS`].
    pub planned: u64,
}

/// Bytes that a day adds: what it lately did, or what the plans will make it at the size of lately's sessions, whichever is more.
pub fn bytes_a_day(load: &Load) -> u64 {
    let lately = load.bytes / u64::from(load.days.clamp(1, LOOKED_BACK_DAYS));
    let a_session = load.bytes.checked_div(load.sessions).unwrap_or(0);
    lately.max(a_session.saturating_mul(load.planned) / u64::from(LOOKED_AHEAD_DAYS))
}

/// Days until only the reserve is left; none while nothing is added.
pub fn days_left(free: u64, reserve: u64, bytes_a_day: u64) -> Option<u64> {
    free.saturating_sub(reserve).checked_div(bytes_a_day)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const GB: u64 = 1_000_000_000;

    #[test]
    fn a_volume_lasts_as_long_as_days_like_lately_or_like_the_plans_let_it() {
        let lately = Load { bytes: 280 * GB, sessions: 56, days: 28, planned: 0 };
        assert_eq!(bytes_a_day(&lately), 10 * GB);
        assert_eq!(days_left(1020 * GB, 20 * GB, 10 * GB), Some(100));
        // Two weeks full of plans: 56 sessions of 5 GB in 14 days are 20 GB a day.
        assert_eq!(bytes_a_day(&Load { planned: 56, ..lately }), 20 * GB);
        // Fewer plans than usual make no promise.
        assert_eq!(bytes_a_day(&Load { planned: 2, ..lately }), 10 * GB);
        // A recorder that is two days old has two days to go by.
        assert_eq!(bytes_a_day(&Load { days: 2, ..lately }), 140 * GB);
        assert_eq!(bytes_a_day(&Load::default()), 0);
        assert_eq!(days_left(100 * GB, 20 * GB, 0), None);
        assert_eq!(days_left(10 * GB, 20 * GB, GB), Some(0), "the reserve is not for filling");
    }

    proptest! {
        #[test]
        fn more_of_anything_never_makes_a_volume_last_longer(
            bytes in 0..1u64 << 50, sessions in 0..5_000u64, days in 0..40u32, planned in 0..5_000u64, free in 0..1u64 << 50, more in 0..1u64 << 40,
        ) {
            let load = Load { bytes, sessions, days, planned };
            let lasts = |load: &Load, free| days_left(free, GB, bytes_a_day(load)).unwrap_or(u64::MAX);
            let now = lasts(&load, free);
            let (with_plans, with_bytes) = (Load { planned: planned + more % 100, ..load }, Load { bytes: bytes + more, ..load });
            prop_assert!(lasts(&with_plans, free) <= now && lasts(&with_bytes, free) <= now);
            prop_assert!(lasts(&load, free.saturating_sub(more)) <= now);
        }
    }
}
