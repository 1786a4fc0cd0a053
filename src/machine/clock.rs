//! The two clocks, behind a trait so that tests can step them.

use crate::model::time::{ClockState, Moment};
use std::sync::OnceLock;
use std::time::{Instant, SystemTime};

/// Reads both clocks.
pub trait Clock: Send + Sync {
    /// Now, on both clocks.
    fn now(&self) -> Moment;
    /// How well the wall clock is known.
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
        crate::machine::adjtime::state()
    }
}
