//! What a day adds to the volumes, counted once an hour, so that the status page can say how long they last.

use crate::catalog::{plans, sessions};
use crate::desks::{Answer, Desks};
use crate::model::forecast::{self, LOOKED_AHEAD_DAYS, LOOKED_BACK_DAYS, Load};
use crate::model::status::VolumeStatus;
use chrono::TimeDelta;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

/// Milliseconds from one count to the next.
const EVERY_MS: i64 = 3_600_000;
const DAY_MS: i64 = 86_400_000;

/// What was counted last, and when.
#[derive(Default)]
pub(crate) struct Forecast {
    bytes_a_day: AtomicU64,
    planned: AtomicU64,
    counted_at_ms: AtomicI64,
}

impl Desks {
    /// Counts what a day adds, where the last count is old enough.
    pub async fn forecast_when_due(&self) -> Answer<()> {
        let now_ms = self.now_ms();
        if (now_ms - self.forecast.counted_at_ms.load(Ordering::Relaxed)).abs() < EVERY_MS {
            return Ok(());
        }
        let from_ms = now_ms - TimeDelta::days(i64::from(LOOKED_BACK_DAYS)).num_milliseconds();
        let until_ms = now_ms + TimeDelta::days(i64::from(LOOKED_AHEAD_DAYS)).num_milliseconds();
        let counted = self.read(move |c| {
            let lately = sessions::between(c, from_ms, now_ms)?;
            let planned = plans::between(c, now_ms, until_ms)?;
            let first_ms = lately.first().map_or(now_ms, |s| s.used_at().timestamp_millis());
            Ok(Load {
                bytes: lately.iter().flat_map(|s| &s.segments).map(|s| s.bytes).sum(),
                sessions: lately.len() as u64,
                days: ((now_ms - first_ms) / DAY_MS + 1) as u32,
                planned: planned.iter().filter(|p| p.session.is_none() && p.called_off.is_none()).count() as u64,
            })
        });
        let load = counted.await?;
        self.forecast.bytes_a_day.store(forecast::bytes_a_day(&load), Ordering::Relaxed);
        self.forecast.planned.store(load.planned, Ordering::Relaxed);
        self.forecast.counted_at_ms.store(now_ms, Ordering::Relaxed);
        Ok(())
    }

    /// What a day adds to each volume, bytes.
    pub(super) fn bytes_a_day(&self) -> u64 {
        self.forecast.bytes_a_day.load(Ordering::Relaxed)
    }

    /// Sessions that are planned for the days that are looked ahead at.
    pub(super) fn sessions_planned(&self) -> u64 {
        self.forecast.planned.load(Ordering::Relaxed)
    }

    /// A volume with how long it lasts.
    pub(super) fn with_forecast(&self, volume: &VolumeStatus) -> VolumeStatus {
        let days = || forecast::days_left(volume.free, self.settings.reserve_bytes, self.bytes_a_day());
        let days_left = if volume.fault.is_none() { days() } else { None };
        VolumeStatus { days_left, soon_full: days_left.is_some_and(|d| d < forecast::WARN_DAYS), ..volume.clone() }
    }
}
