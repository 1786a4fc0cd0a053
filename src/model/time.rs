//! Time as data: a moment on two clocks, and how Shanghai writes it.

use chrono::{DateTime, FixedOffset, NaiveDate, NaiveDateTime, TimeZone, Utc};
use serde::{Deserialize, Serialize};

/// A moment read from both clocks at once.
///
/// `utc` is what people and courts use; it can be stepped. `mono_ms` is the machine's monotonic clock in milliseconds since
/// some start of its own: it only runs forward, and says how long things took.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Moment {
    /// Wall clock, UTC.
    pub utc: DateTime<Utc>,
    /// Monotonic clock, milliseconds.
    pub mono_ms: u64,
}

impl Moment {
    /// By how many milliseconds the wall clock moved more (or less) than the monotonic clock since `earlier`: 0 unless the
    /// clock was stepped or slewed.
    pub fn stepped_since(&self, earlier: Moment) -> i64 {
        let wall = (self.utc - earlier.utc).num_milliseconds();
        let mono = self.mono_ms as i64 - earlier.mono_ms as i64;
        wall - mono
    }
}

/// Asia/Shanghai: UTC+8 the whole year since 1991.
pub fn shanghai() -> FixedOffset {
    // 8 h is always in range; east_opt only refuses a day or more.
    FixedOffset::east_opt(8 * 3600).unwrap_or_else(|| FixedOffset::east_opt(0).unwrap_or_else(|| unreachable!()))
}

/// `2026-11-23 22:15:02`, in Shanghai.
pub fn shanghai_text(at: DateTime<Utc>) -> String {
    at.with_timezone(&shanghai()).format("%Y-%m-%d %H:%M:%S").to_string()
}

/// The day that it is in Shanghai.
pub fn shanghai_day(at: DateTime<Utc>) -> NaiveDate {
    at.with_timezone(&shanghai()).date_naive()
}

/// `20261123-221502`, in Shanghai; sorts as time does, and is safe in a path.
pub fn shanghai_stamp(at: DateTime<Utc>) -> String {
    at.with_timezone(&shanghai()).format("%Y%m%d-%H%M%S").to_string()
}

/// What a form's field for date and time says (`2026-11-23T22:15`), as Shanghai's clock has it.
pub fn shanghai_typed(text: &str) -> Option<DateTime<Utc>> {
    let typed = NaiveDateTime::parse_from_str(text, "%Y-%m-%dT%H:%M").or_else(|_| NaiveDateTime::parse_from_str(text, "%Y-%m-%dT%H:%M:%S"));
    shanghai().from_local_datetime(&typed.ok()?).single().map(|at| at.to_utc())
}

/// The same as that field wants it.
pub fn shanghai_field(at: DateTime<Utc>) -> String {
    at.with_timezone(&shanghai()).format("%Y-%m-%dT%H:%M").to_string()
}

/// The first moment of a day in Shanghai.
pub fn shanghai_midnight(day: NaiveDate) -> DateTime<Utc> {
    // Shanghai has no summer time: every midnight is there, once.
    shanghai().from_local_datetime(&day.and_time(chrono::NaiveTime::MIN)).single().map_or(DateTime::UNIX_EPOCH, |at| at.to_utc())
}

/// `1:02:03` of a length in milliseconds, rounded down to seconds.
pub fn length_text(ms: u64) -> String {
    let s = ms / 1000;
    format!("{}:{:02}:{:02}", s / 3600, s / 60 % 60, s % 60)
}

/// How well the machine's clock is known, as the daemon that disciplines it tells.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClockState {
    /// A daemon says that it disciplines the clock.
    pub synchronised: bool,
    /// Offset from its source in microseconds, where known.
    pub error_us: Option<i64>,
    /// What disciplines it: `chrony`, `timesyncd`, or `none`.
    pub source: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_of_the_clock_shows_as_the_difference_of_the_two_clocks() {
        let start = Moment { utc: DateTime::UNIX_EPOCH, mono_ms: 5_000 };
        let later = Moment { utc: DateTime::UNIX_EPOCH + chrono::TimeDelta::seconds(3610), mono_ms: 15_000 };
        assert_eq!(later.stepped_since(start), 3_600_000);
    }

    #[test]
    fn shanghai_is_eight_hours_ahead() {
        assert_eq!(shanghai_text(DateTime::UNIX_EPOCH), "1970-01-01 08:00:00");
        assert_eq!(length_text(3_723_999), "1:02:03");
    }
}
