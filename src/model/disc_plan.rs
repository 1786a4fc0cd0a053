//! Which files go onto which disc (第十九条): a session stays on one disc where it fits, and is spread over several, whole files each,
//! where it does not. First fit, the largest first.

use crate::model::ids::SessionId;
use serde::{Deserialize, Serialize};

/// A session that shall go onto discs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    /// Which.
    pub session: SessionId,
    /// Bytes of everything but its segments: manifest, papers, log, keys, instructions. They go with its first part.
    pub papers_bytes: u64,
    /// Bytes of its segments, in order.
    pub segments: Vec<u64>,
}

impl Item {
    fn bytes(&self) -> u64 {
        self.papers_bytes + self.segments.iter().sum::<u64>()
    }
}

/// A part of a session on one disc.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "recorder", derive(utoipa::ToSchema))]
pub struct Part {
    /// Of which session.
    pub session: SessionId,
    /// 1 for the first.
    pub part: u32,
    /// Of how many.
    pub parts: u32,
    /// Its first segment, counted from 0.
    pub from: usize,
    /// Behind its last one.
    pub to: usize,
    /// Bytes.
    pub bytes: u64,
}

/// What a disc holds.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "recorder", derive(utoipa::ToSchema))]
pub struct Disc {
    /// In the order of writing.
    pub parts: Vec<Part>,
    /// Bytes of all of them.
    pub bytes: u64,
}

/// Why there is no plan.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a file of {session} has {bytes} bytes, and a disc holds {room}")]
pub struct TooLarge {
    /// Of which session.
    pub session: SessionId,
    /// Of the file.
    pub bytes: u64,
    /// Of a disc.
    pub room: u64,
}

/// Discs of `room` bytes each.
pub fn plan(mut items: Vec<Item>, room: u64) -> Result<Vec<Disc>, TooLarge> {
    items.sort_by_key(|i| std::cmp::Reverse(i.bytes()));
    let mut discs: Vec<Disc> = Vec::new();
    for item in items {
        let parts = split(&item, room)?;
        let count = parts.len() as u32;
        for (n, (from, to, bytes)) in parts.into_iter().enumerate() {
            let part = Part { session: item.session.clone(), part: n as u32 + 1, parts: count, from, to, bytes };
            // Parts of a session that is spread get discs of their own, so that its set is in order; only the last leaves room.
            let fits = |d: &Disc| count == 1 && d.bytes + bytes <= room;
            let at = discs.iter().position(fits).unwrap_or(discs.len());
            if at == discs.len() {
                discs.push(Disc::default());
            }
            discs[at].bytes += bytes;
            discs[at].parts.push(part);
        }
    }
    Ok(discs)
}

/// Whole files, in order, as many as fit each time.
fn split(item: &Item, room: u64) -> Result<Vec<(usize, usize, u64)>, TooLarge> {
    let too_large = |bytes| TooLarge { session: item.session.clone(), bytes, room };
    if item.papers_bytes > room {
        return Err(too_large(item.papers_bytes));
    }
    let (mut parts, mut from, mut bytes) = (Vec::new(), 0, item.papers_bytes);
    for (at, segment) in item.segments.iter().enumerate() {
        if *segment > room {
            return Err(too_large(*segment));
        }
        if bytes + segment > room {
            parts.push((from, at, bytes));
            (from, bytes) = (at, 0);
        }
        bytes += segment;
    }
    parts.push((from, item.segments.len(), bytes));
    Ok(parts)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn item(name: &str, papers_bytes: u64, segments: &[u64]) -> Item {
        Item { session: SessionId::new(name).unwrap(), papers_bytes, segments: segments.to_vec() }
    }

    fn told(discs: &[Disc]) -> Vec<String> {
        let part = |p: &Part| format!("{} {}/{} {}..{}", p.session, p.part, p.parts, p.from, p.to);
        discs.iter().map(|d| d.parts.iter().map(part).collect::<Vec<_>>().join(", ")).collect()
    }

    #[test]
    fn a_session_stays_on_one_disc_where_it_fits_and_is_spread_in_order_where_it_does_not() {
        let discs = plan(vec![item("a", 1, &[4]), item("b", 2, &[8, 8, 8]), item("c", 1, &[2])], 10).unwrap();
        assert_eq!(told(&discs), ["b 1/3 0..1", "b 2/3 1..2", "b 3/3 2..3", "a 1/1 0..1, c 1/1 0..1"]);
        let discs = plan(vec![item("b", 2, &[8, 5]), item("a", 1, &[4])], 10).unwrap();
        assert_eq!(told(&discs), ["b 1/2 0..1", "b 2/2 1..2, a 1/1 0..1"], "the last disc of a set takes others");
        assert_eq!(plan(vec![], 10).unwrap(), []);
    }

    #[test]
    fn a_file_that_no_disc_holds_is_told_and_never_cut() {
        assert_eq!(plan(vec![item("a", 1, &[11])], 10).unwrap_err().bytes, 11);
        assert_eq!(plan(vec![item("a", 12, &[1])], 10).unwrap_err().bytes, 12);
    }

    proptest! {
        #[test]
        fn every_file_is_on_exactly_one_disc_and_no_disc_is_over_full(
            sizes in proptest::collection::vec((0_u64..200, proptest::collection::vec(1_u64..1000, 0..20)), 0..20),
        ) {
            let items: Vec<Item> = sizes.iter().enumerate().map(|(n, (p, s))| item(&format!("s-{n}"), *p, s)).collect();
            let discs = plan(items.clone(), 1000).unwrap();
            prop_assert!(discs.iter().all(|d| d.bytes <= 1000 && d.bytes == d.parts.iter().map(|p| p.bytes).sum::<u64>()));
            for item in items {
                let parts: Vec<&Part> = discs.iter().flat_map(|d| &d.parts).filter(|p| p.session == item.session).collect();
                let ends: Vec<(usize, usize)> = parts.iter().map(|p| (p.from, p.to)).collect();
                prop_assert_eq!(ends.first().map(|e| e.0), Some(0));
                prop_assert_eq!(ends.last().map(|e| e.1), Some(item.segments.len()));
                prop_assert!(ends.windows(2).all(|w| w[0].1 == w[1].0));
                prop_assert_eq!(parts.iter().map(|p| p.bytes).sum::<u64>(), item.bytes());
                prop_assert!(item.bytes() > 1000 || parts.len() == 1);
            }
        }
    }
}
