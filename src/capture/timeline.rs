//! From a camera's media times to presentation times that only make sense: RTP timestamps jump, wrap and start anywhere.

/// A jump of media time against arrival time that is no jitter, ns: 3 s.
const JUMP_NS: i64 = 3_000_000_000;
/// A hole in both that is no low picture rate, ns: 2 s.
const HOLE_NS: i64 = 2_000_000_000;

/// Where a unit lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Placed {
    /// At this time, following what came before.
    Follows(i64),
    /// The media clock jumped; the unit lies where it arrived.
    Jumped(i64),
    /// Nothing came for a while, on both clocks.
    AfterHole(i64),
}

impl Placed {
    pub(super) fn pts_ns(self) -> i64 {
        match self {
            Self::Follows(ns) | Self::Jumped(ns) | Self::AfterHole(ns) => ns,
        }
    }
}

/// One stream's times. Both clocks are in ns from any start.
#[derive(Debug, Default)]
pub(super) struct Timeline {
    /// Added to media time to get presentation time.
    shift_ns: i64,
    last: Option<(i64, i64)>,
}

impl Timeline {
    /// Places a unit by its media time and its arrival.
    pub(super) fn place(&mut self, media_ns: i64, arrived_ns: i64) -> Placed {
        let Some((last_media, last_arrived)) = self.last.replace((media_ns, arrived_ns)) else {
            self.shift_ns = arrived_ns.saturating_sub(media_ns);
            return Placed::Follows(arrived_ns);
        };
        let media = media_ns.saturating_sub(last_media);
        let arrival = arrived_ns.saturating_sub(last_arrived);
        // A stalled connection that bursts afterwards is late, and right: its media time goes on evenly. Only a media clock
        // that itself leaps is not believed.
        if media.saturating_abs() > JUMP_NS && media.saturating_sub(arrival).saturating_abs() > JUMP_NS {
            self.shift_ns = arrived_ns.saturating_sub(media_ns);
            return Placed::Jumped(arrived_ns);
        }
        let pts = media_ns.saturating_add(self.shift_ns);
        if media > HOLE_NS { Placed::AfterHole(pts) } else { Placed::Follows(pts) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const S: i64 = 1_000_000_000;

    #[test]
    fn a_jump_of_149_hours_is_placed_where_it_arrived() {
        let mut t = Timeline::default();
        assert_eq!(t.place(77 * S, 0), Placed::Follows(0));
        assert_eq!(t.place(78 * S, S), Placed::Follows(S));
        assert_eq!(t.place(78 * S + 149 * 3600 * S, 2 * S), Placed::Jumped(2 * S));
        assert_eq!(t.place(79 * S + 149 * 3600 * S, 3 * S), Placed::Follows(3 * S));
        assert_eq!(t.place(0, 4 * S), Placed::Jumped(4 * S));
    }

    #[test]
    fn a_late_burst_keeps_its_media_time() {
        let mut t = Timeline::default();
        t.place(0, 0);
        for n in 1..100 {
            assert_eq!(t.place(n * S / 25, 5 * S + n), Placed::Follows(n * S / 25));
        }
    }

    #[test]
    fn pictures_out_of_order_are_no_jump() {
        let mut t = Timeline::default();
        t.place(4 * S / 25, 0);
        assert!(matches!(t.place(S / 25, 1), Placed::Follows(_)));
    }

    #[test]
    fn a_pause_on_both_clocks_is_a_hole() {
        let mut t = Timeline::default();
        t.place(0, 0);
        assert_eq!(t.place(4 * S, 4 * S), Placed::AfterHole(4 * S));
    }
}
