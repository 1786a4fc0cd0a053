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

/// A pause that people made, of every camera alike. Milliseconds since the session's start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pause {
    /// Its first millisecond.
    pub from_ms: u64,
    /// When the session went on, or ended.
    pub to_ms: u64,
    /// Why, in words.
    pub reason: Option<String>,
}

/// What is shorter than this is the jitter of arrival times and no gap: five pictures at 10 a second.
pub const TOLERANCE_MS: u64 = 500;
/// What is missing beside a pause for no longer than this, and by no cause of its own, belongs to the pause: a valve closes and opens
/// with the pictures that come.
const BESIDE_PAUSE_MS: u64 = 2_000;

/// The gaps of one camera in `0..length_ms`: what `recorded` (any order, may overlap) leaves open. A pause is its own cause, and a gap is
/// cut where one begins and ends: a reason for the pause explains nothing that was lost before or after it (第十二条). The rest has the
/// earliest cause that began inside or just before it, or else the last one that began before.
pub fn find(camera: &CameraId, length_ms: u64, recorded: &[(u64, u64)], causes: &[CauseFrom], pauses: &[Pause]) -> Vec<Gap> {
    let mut spans: Vec<(u64, u64)> = recorded.iter().copied().filter(|(from, to)| from < to).collect();
    spans.sort_unstable();
    let mut gaps = Vec::new();
    let mut at = 0;
    for (from, to) in spans.into_iter().chain([(length_ms, length_ms)]) {
        let from = from.min(length_ms);
        if from > at + TOLERANCE_MS {
            gaps.extend(cut(camera, (at, from), causes, pauses));
        }
        at = at.max(to);
    }
    gaps
}

/// One stretch without pictures, cut at the pauses in it.
fn cut(camera: &CameraId, (from_ms, to_ms): (u64, u64), causes: &[CauseFrom], pauses: &[Pause]) -> Vec<Gap> {
    let stands_alone = |from: u64, to: u64| {
        let told = |c: &CauseFrom| c.cause != GapCause::Interruption && (from..to).contains(&c.at_ms);
        to > from + BESIDE_PAUSE_MS || (to > from + TOLERANCE_MS && causes.iter().any(told))
    };
    let mut gaps: Vec<Gap> = Vec::new();
    let mut at = from_ms;
    for pause in pauses {
        let (begins, ends) = (pause.from_ms.max(from_ms), pause.to_ms.min(to_ms));
        // A moment's pause explains what is lost in it and beside it, unless that has a length or a cause of its own.
        if ends <= begins || (ends <= begins + TOLERANCE_MS && stands_alone(at, to_ms)) {
            continue;
        }
        if stands_alone(at, begins) {
            gaps.push(gap(camera, at, begins, causes));
            at = begins;
        }
        let (cause, detail) = (GapCause::Interruption, pause.reason.clone());
        gaps.push(Gap { camera: camera.clone(), from_ms: at, to_ms: ends, cause, detail });
        at = ends;
    }
    match gaps.last_mut() {
        Some(pause) if !stands_alone(at, to_ms) => pause.to_ms = to_ms,
        _ => gaps.push(gap(camera, at, to_ms, causes)),
    }
    gaps
}

fn gap(camera: &CameraId, from_ms: u64, to_ms: u64, causes: &[CauseFrom]) -> Gap {
    // A cause is noticed at most a stall's length after it began, and until the gap is over.
    let slack = 6_000;
    let fits = |c: &&CauseFrom| c.at_ms + slack >= from_ms && c.at_ms <= to_ms;
    let of_its_own = || causes.iter().filter(|c| c.cause != GapCause::Interruption);
    // The earliest that fits began the gap, whenever it was told (a volume gives up late); what came later (the restart's own
    // reconnecting) only prolonged it.
    let earlier = of_its_own().rev().find(|c| c.at_ms < from_ms);
    let found = of_its_own().filter(fits).min_by_key(|c| c.at_ms).or(earlier);
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
        let gaps = find(&face(), 60_000, &[(0, 10_000), (30_000, 60_000)], &causes, &[]);
        assert_eq!(gaps, [Gap { camera: face(), from_ms: 10_000, to_ms: 30_000, cause: GapCause::Camera, detail: None }]);
    }

    #[test]
    fn a_camera_that_never_came_is_one_gap_of_the_whole_session() {
        let causes = [CauseFrom { at_ms: 0, cause: GapCause::Camera, detail: None }];
        assert_eq!(find(&face(), 5_000, &[], &causes, &[]).len(), 1);
    }

    #[test]
    fn jitter_is_no_gap() {
        assert!(find(&face(), 60_000, &[(0, 30_000), (30_200, 60_100)], &[], &[]).is_empty());
    }

    #[test]
    fn a_pause_explains_what_was_paused_and_nothing_beside_it() {
        use GapCause::{Camera, Disk, Interruption, Unknown};
        let pause = Pause { from_ms: 10_000, to_ms: 40_000, reason: Some("午饭".into()) };
        let is = |spans: &[(u64, u64)], told: &[(u64, GapCause)], wanted: &[(u64, u64, GapCause)]| {
            let paused = CauseFrom { at_ms: 10_000, cause: Interruption, detail: Some("午饭".into()) };
            let told = told.iter().map(|(at_ms, cause)| CauseFrom { at_ms: *at_ms, cause: *cause, detail: None });
            let causes: Vec<_> = std::iter::once(paused).chain(told).collect();
            let gaps = find(&face(), 60_000, spans, &causes, std::slice::from_ref(&pause));
            assert_eq!(gaps.iter().map(|g| (g.from_ms, g.to_ms, g.cause)).collect::<Vec<_>>(), wanted, "{spans:?}");
            assert!(gaps.iter().all(|g| g.detail.is_some() == (g.cause == Interruption)), "{gaps:?}");
        };
        // As it should be; the valve's own moment is the pause's.
        is(&[(0, 9_900), (40_200, 60_000)], &[], &[(9_900, 40_200, Interruption)]);
        // A camera that is away when the session goes on.
        is(&[(0, 10_000)], &[(40_000, Camera)], &[(10_000, 40_000, Interruption), (40_000, 60_000, Camera)]);
        is(&[(0, 10_000), (41_000, 60_000)], &[(40_000, Camera)], &[(10_000, 40_000, Interruption), (40_000, 41_000, Camera)]);
        is(&[(0, 10_000), (50_000, 60_000)], &[], &[(10_000, 40_000, Interruption), (40_000, 50_000, Unknown)]);
        // A volume that gave up in the pause, and says since when.
        is(&[(0, 8_000), (40_000, 60_000)], &[(8_000, Disk)], &[(8_000, 10_000, Disk), (10_000, 40_000, Interruption)]);
        is(&[(0, 5_000), (40_000, 60_000)], &[], &[(5_000, 10_000, Unknown), (10_000, 40_000, Interruption)]);
        // A camera that was away before the pause, in it, and after it.
        is(&[(0, 4_000)], &[(4_000, Camera)], &[(4_000, 10_000, Camera), (10_000, 40_000, Interruption), (40_000, 60_000, Camera)]);
    }

    #[test]
    fn a_moments_pause_is_the_cause_of_the_moment_and_of_nothing_more() {
        use GapCause::{Camera, Interruption, Unknown};
        let pause = Pause { from_ms: 5_405, to_ms: 6_043, reason: None };
        let told = CauseFrom { at_ms: 5_700, cause: Camera, detail: None };
        for ((from_ms, to_ms), causes, wanted) in [
            // Pressed and pressed again, seen on a busy machine: half a second without pictures, all but the valve's moment in the pause.
            ((5_547, 6_052), &[][..], Interruption),
            ((5_547, 7_500), &[], Interruption),
            ((5_547, 7_600), &[], Unknown),
            ((5_547, 7_500), std::slice::from_ref(&told), Camera),
        ] {
            let gaps = find(&face(), 60_000, &[(0, from_ms), (to_ms, 60_000)], causes, std::slice::from_ref(&pause));
            assert_eq!(gaps, [Gap { camera: face(), from_ms, to_ms, cause: wanted, detail: None }]);
        }
    }

    #[test]
    fn what_is_told_late_began_the_gap_all_the_same() {
        let cause = |at_ms, cause| CauseFrom { at_ms, cause, detail: None };
        let gaps = find(&face(), 60_000, &[(0, 50_000)], &[cause(58_000, GapCause::Camera), cause(50_100, GapCause::Disk)], &[]);
        assert_eq!(gaps[0].cause, GapCause::Disk);
    }

    proptest! {
        #[test]
        fn every_millisecond_is_recorded_or_in_a_gap_or_within_tolerance(
            length in 0u64..100_000,
            spans in prop::collection::vec((0u64..100_000, 0u64..5_000), 0..20),
            breaks in prop::collection::btree_set(0u64..100_000, 0..6),
        ) {
            let spans: Vec<_> = spans.into_iter().map(|(from, len)| (from, from + len)).collect();
            let breaks: Vec<u64> = breaks.into_iter().map(|ms| ms.min(length)).collect();
            let pause = |p: &[u64]| (p.len() == 2).then(|| Pause { from_ms: p[0], to_ms: p[1], reason: None });
            let pauses: Vec<Pause> = breaks.chunks(2).filter_map(pause).collect();
            let gaps = find(&face(), length, &spans, &[], &pauses);
            prop_assert!(gaps.windows(2).all(|g| g[0].to_ms <= g[1].from_ms));
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
