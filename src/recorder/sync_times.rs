//! How long a volume takes to make bytes durable: counted as they come, read by the metrics.

use std::sync::atomic::{AtomicU64, Ordering};

/// Upper bounds of the times that are counted, ms.
pub const TIMES_MS: [u64; 13] = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000, 30_000];

/// Counts by [`TIMES_MS`], how many in all, and their sum.
#[derive(Debug, Default)]
pub struct SyncTimes {
    at_most: [AtomicU64; TIMES_MS.len()],
    count: AtomicU64,
    sum_ms: AtomicU64,
}

impl SyncTimes {
    /// A sync took so long.
    pub fn took(&self, ms: u64) {
        for (_, count) in TIMES_MS.iter().zip(&self.at_most).filter(|(bound, _)| ms <= **bound) {
            count.fetch_add(1, Ordering::Relaxed);
        }
        self.count.fetch_add(1, Ordering::Relaxed);
        self.sum_ms.fetch_add(ms, Ordering::Relaxed);
    }

    /// The counts by bound, how many in all, and the sum, ms.
    pub fn read(&self) -> (Vec<u64>, u64, u64) {
        let at_most = self.at_most.iter().map(|c| c.load(Ordering::Relaxed)).collect();
        (at_most, self.count.load(Ordering::Relaxed), self.sum_ms.load(Ordering::Relaxed))
    }
}
