//! Gaps (缺录): every second between a session's start and end is recorded, or is a gap with a cause (第十二条).
//!
//! Where causes are born: *camera* and *network* in `capture::camera` (how a stream ended), *camera* also in `recorder::cutter` (what
//! cannot be used); *disk* in `recorder::cutter` (no room for what waits) and `recorder::lane` (given up at the end); *restart* and
//! *power* in `recorder::recovery`; *interruption* in `model::step`. *Unknown* is what fits none of them. *Clock* is given by no code: a
//! step of the clock moves no footage; old journals may hold it.

use crate::model::ids::CameraId;
use crate::model::people::words;
use serde::{Deserialize, Serialize};

words!(
    /// Why something was not recorded, as the machine classified it.
    GapCause {
        /// The camera: away, rebooting, stalled, refusing the password, sending what cannot be used.
        Camera = "camera",
        /// The network between camera and recorder.
        Network = "network",
        /// A volume: full, failing, too slow.
        Disk = "disk",
        /// The recorder was restarted or killed.
        Restart = "restart",
        /// The machine lost power or was rebooted.
        Power = "power",
        /// The clock was stepped.
        Clock = "clock",
        /// People interrupted the session.
        Interruption = "interruption",
        /// The machine cannot tell.
        Unknown = "unknown",
    }
);

/// A stretch of a session that one camera did not record. Milliseconds since the session's start.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "recorder", derive(utoipa::ToSchema))]
pub struct Gap {
    /// Whose picture is missing.
    pub camera: CameraId,
    /// First missing millisecond.
    pub from_ms: u64,
    /// First millisecond that is there again, or the session's end.
    pub to_ms: u64,
    /// Why.
    pub cause: GapCause,
    /// More, for people.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub detail: Option<String>,
}

/// From when on a cause held, for one camera.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CauseFrom {
    /// Milliseconds since the session's start.
    pub at_ms: u64,
    /// The cause.
    pub cause: GapCause,
    /// More, for people.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub detail: Option<String>,
}

/// What is shorter than this is the jitter of arrival times and no gap: five pictures at 10 a second.
pub const TOLERANCE_MS: u64 = 500;

/// The gaps of one camera in `0..length_ms`: what `recorded` (any order, may overlap) leaves open, each with the last cause
/// that began before the gap ended, preferring one that began inside or just before it.
pub fn find(camera: &CameraId, length_ms: u64, recorded: &[(u64, u64)], causes: &[CauseFrom]) -> Vec<Gap> {
    let mut spans: Vec<(u64, u64)> = recorded.iter().copied().filter(|(from, to)| from < to).collect();
    spans.sort_unstable();
    let mut gaps = Vec::new();
    let mut at = 0;
    for (from, to) in spans.into_iter().chain([(length_ms, length_ms)]) {
        let from = from.min(length_ms);
        if from > at + TOLERANCE_MS {
            gaps.push(gap(camera, at, from, causes));
        }
        at = at.max(to);
    }
    gaps
}

fn gap(camera: &CameraId, from_ms: u64, to_ms: u64, causes: &[CauseFrom]) -> Gap {
    // A cause is noticed at most a stall's length after it began, and until the gap is over.
    let slack = 6_000;
    let fits = |c: &&CauseFrom| c.at_ms + slack >= from_ms && c.at_ms <= to_ms;
    // The first that fits began the gap; what came later (the restart's own reconnecting) only prolonged it.
    let earlier = causes.iter().rev().find(|c| c.at_ms < from_ms);
    let found = causes.iter().find(fits).or(earlier);
    Gap {
        camera: camera.clone(),
        from_ms,
        to_ms,
        cause: found.map_or(GapCause::Unknown, |c| c.cause),
        detail: found.and_then(|c| c.detail.clone()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn face() -> CameraId {
        CameraId::new("face").unwrap()
    }

    #[test]
    fn what_is_not_recorded_is_a_gap_with_the_cause_that_began_it() {
        let causes = [CauseFrom { at_ms: 12_000, cause: GapCause::Camera, detail: None }];
        let gaps = find(&face(), 60_000, &[(0, 10_000), (30_000, 60_000)], &causes);
        assert_eq!(gaps, [Gap { camera: face(), from_ms: 10_000, to_ms: 30_000, cause: GapCause::Camera, detail: None }]);
    }

    #[test]
    fn a_camera_that_never_came_is_one_gap_of_the_whole_session() {
        let causes = [CauseFrom { at_ms: 0, cause: GapCause::Camera, detail: None }];
        assert_eq!(find(&face(), 5_000, &[], &causes).len(), 1);
    }

    #[test]
    fn jitter_is_no_gap() {
        assert!(find(&face(), 60_000, &[(0, 30_000), (30_200, 60_100)], &[]).is_empty());
    }

    proptest! {
        #[test]
        fn every_millisecond_is_recorded_or_in_a_gap_or_within_tolerance(
            length in 0u64..100_000,
            spans in prop::collection::vec((0u64..100_000, 0u64..5_000), 0..20),
        ) {
            let spans: Vec<_> = spans.into_iter().map(|(from, len)| (from, from + len)).collect();
            let gaps = find(&face(), length, &spans, &[]);
            let covered = |ms: u64| spans.iter().any(|(f, t)| (*f..*t).contains(&ms));
            for gap in &gaps {
                prop_assert!(gap.from_ms < gap.to_ms && gap.to_ms <= length);
                prop_assert!(!covered(gap.from_ms) && !covered(gap.to_ms - 1));
            }
            let mut open = 0;
            for ms in (0..length).step_by(50) {
                let accounted = covered(ms) || gaps.iter().any(|g| (g.from_ms..g.to_ms).contains(&ms));
                open = if accounted { 0 } else { open + 50 };
                prop_assert!(open <= TOLERANCE_MS + 50);
            }
        }
    }
}
