//! The two clocks, behind a trait so that tests can step them.

use crate::model::time::{ClockState, Moment};
use chrono::{DateTime, TimeDelta, Utc};
use std::path::Path;
use std::process::Command;
use std::sync::OnceLock;
use std::time::{Duration, Instant, SystemTime};

/// Reads both clocks.
pub trait Clock: Send + Sync {
    /// Now, on both clocks.
    fn now(&self) -> Moment;
    /// How well the wall clock is known. May take some milliseconds: never call it on the way of a fragment.
    fn state(&self) -> ClockState;
}

/// The machine's own clocks.
#[derive(Debug, Default, Clone, Copy)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Moment {
        static START: OnceLock<Instant> = OnceLock::new();
        let start = *START.get_or_init(Instant::now);
        Moment { utc: SystemTime::now().into(), mono_ms: start.elapsed().as_millis() as u64 }
    }

    fn state(&self) -> ClockState {
        chrony().unwrap_or_else(timesyncd)
    }
}

/// A moment that something waits for, on the monotonic clock.
#[derive(Debug, Clone, Copy)]
pub struct Due(Instant);

impl Due {
    /// Now.
    pub fn now() -> Self {
        Self(Instant::now())
    }
    /// So long from now.
    pub fn after(wait: Duration) -> Self {
        Self(Instant::now() + wait)
    }
    /// Whether it has come.
    pub fn is_past(self) -> bool {
        self.0 <= Instant::now()
    }
    /// How long it is since then.
    pub fn since(self) -> Duration {
        self.0.elapsed()
    }
}

/// When the machine was started, where the kernel tells (`/proc/uptime`).
pub fn booted_at(now: DateTime<Utc>) -> Option<DateTime<Utc>> {
    let text = std::fs::read_to_string("/proc/uptime").ok()?;
    let up_s: f64 = text.split(' ').next()?.parse().ok()?;
    Some(now - TimeDelta::milliseconds((up_s * 1000.0) as i64))
}

/// chrony tells its own view in one line of comma-separated values: field 5 is the offset in seconds, the last the leap state.
fn chrony() -> Option<ClockState> {
    let output = Command::new("chronyc").args(["-c", "tracking"]).output().ok().filter(|o| o.status.success())?;
    let line = String::from_utf8(output.stdout).ok()?;
    let fields: Vec<&str> = line.trim().split(',').collect();
    let offset_s: f64 = fields.get(4)?.parse().ok()?;
    let synchronised = *fields.last()? != "Not synchronised";
    Some(ClockState { synchronised, error_us: Some((offset_s * 1e6) as i64), source: "chrony".into() })
}

/// systemd-timesyncd leaves this file once it has disciplined the clock since boot.
fn timesyncd() -> ClockState {
    let synchronised = Path::new("/run/systemd/timesync/synchronized").exists();
    ClockState { synchronised, error_us: None, source: if synchronised { "timesyncd" } else { "none" }.into() }
}
