//! The boxes of a fragment (ISO/IEC 14496-12), as far as a recorder needs them: where boxes end, what is whole, and shifting
//! decode times so that a segment begins at zero.

use bytes::{Bytes, BytesMut};
use std::ops::Range;

/// Why bytes are no fragment.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// A box says it is longer than what holds it, or shorter than its own head.
    #[error("a box at byte {at} has an impossible length")]
    Length {
        /// Offset.
        at: usize,
    },
    /// Not `moof` + `mdat`.
    #[error("expected {expected}, found {found:?}")]
    Unexpected {
        /// What has to be there.
        expected: &'static str,
        /// What is there.
        found: String,
    },
    /// A box that has to be there is not.
    #[error("there is no {0}")]
    Lacking(&'static str),
}

/// A box: its four letters, and where its content lies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) kind: [u8; 4],
    pub(super) content: Range<usize>,
    pub(super) end: usize,
}

pub(super) fn u32_at(data: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_be_bytes(data.get(at..at + 4)?.try_into().ok()?))
}

fn u64_at(data: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_be_bytes(data.get(at..at + 8)?.try_into().ok()?))
}

/// The box that begins at `at`, which must end at or before `end`.
pub(super) fn box_at(data: &[u8], at: usize, end: usize) -> Result<Found, Malformed> {
    let bad = Malformed::Length { at };
    let head = data.get(at..at + 8).filter(|_| at + 8 <= end).ok_or_else(|| bad.clone())?;
    let kind = [head[4], head[5], head[6], head[7]];
    let (length, skip) = match u32_at(data, at) {
        Some(1) => (u64_at(data, at + 8).ok_or_else(|| bad.clone())?, 16),
        Some(length) => (u64::from(length), 8),
        None => return Err(bad),
    };
    let stop = usize::try_from(length).ok().and_then(|l| at.checked_add(l)).filter(|stop| *stop <= end && *stop >= at + skip);
    stop.map(|stop| Found { kind, content: at + skip..stop, end: stop }).ok_or(bad)
}

pub(super) fn boxes(data: &[u8], within: Range<usize>) -> Result<Vec<Found>, Malformed> {
    let mut found = Vec::new();
    let mut at = within.start;
    while at < within.end {
        let one = box_at(data, at, within.end)?;
        at = one.end;
        found.push(one);
    }
    Ok(found)
}

pub(super) fn inside(data: &[u8], of: &Found, kind: &[u8; 4]) -> Result<Vec<Found>, Malformed> {
    Ok(boxes(data, of.content.clone())?.into_iter().filter(|b| &b.kind == kind).collect())
}

/// A track's identifier and timescale, from a header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Track {
    /// `track_ID`.
    pub id: u32,
    /// Units a second.
    pub timescale: u32,
}

/// The tracks that a header (`ftyp` + `moov`) declares.
pub fn tracks(header: &[u8]) -> Result<Vec<Track>, Malformed> {
    let moov = boxes(header, 0..header.len())?.into_iter().find(|b| &b.kind == b"moov").ok_or(Malformed::Lacking("moov"))?;
    let mut tracks = Vec::new();
    for trak in inside(header, &moov, b"trak")? {
        let tkhd = first(header, &trak, b"tkhd", "tkhd")?;
        let mdia = first(header, &trak, b"mdia", "mdia")?;
        let mdhd = first(header, &mdia, b"mdhd", "mdhd")?;
        // Both are full boxes; version 1 has 64-bit times before the field.
        let field = |of: &Found, v0: usize, v1: usize| {
            let at = of.content.start;
            u32_at(header, at + if header.get(at) == Some(&1) { v1 } else { v0 })
        };
        let id = field(&tkhd, 12, 20).ok_or(Malformed::Lacking("track_ID"))?;
        let timescale = field(&mdhd, 12, 20).filter(|t| *t > 0).ok_or(Malformed::Lacking("timescale"))?;
        tracks.push(Track { id, timescale });
    }
    if tracks.is_empty() { Err(Malformed::Lacking("trak")) } else { Ok(tracks) }
}

pub(super) fn first(data: &[u8], of: &Found, kind: &[u8; 4], name: &'static str) -> Result<Found, Malformed> {
    inside(data, of, kind)?.into_iter().next().ok_or(Malformed::Lacking(name))
}

/// Where a decode time stands in a fragment, and what it says.
#[derive(Debug, Clone, PartialEq, Eq)]
struct DecodeTime {
    track: u32,
    at: usize,
    wide: bool,
    value: u64,
}

fn decode_times(data: &[u8]) -> Result<Vec<DecodeTime>, Malformed> {
    let mut found = Vec::new();
    for moof in boxes(data, 0..data.len())?.iter().filter(|b| &b.kind == b"moof") {
        for traf in inside(data, moof, b"traf")? {
            let tfhd = first(data, &traf, b"tfhd", "tfhd")?;
            let tfdt = first(data, &traf, b"tfdt", "tfdt")?;
            let at = tfdt.content.start + 4;
            let wide = data.get(tfdt.content.start) == Some(&1);
            let value = if wide { u64_at(data, at) } else { u32_at(data, at).map(u64::from) };
            let track = u32_at(data, tfhd.content.start + 4).ok_or(Malformed::Lacking("track_ID"))?;
            found.push(DecodeTime { track, at, wide, value: value.ok_or(Malformed::Lacking("baseMediaDecodeTime"))? });
        }
    }
    if found.is_empty() { Err(Malformed::Lacking("tfdt")) } else { Ok(found) }
}

/// Whether bytes are one or more whole `moof` + `mdat` (with `styp`, `sidx`, `prft`, `emsg` between allowed), and nothing else.
pub fn check(data: &[u8]) -> Result<(), Malformed> {
    let mut open = false;
    for b in boxes(data, 0..data.len())? {
        match (&b.kind, open) {
            (b"moof", false) => open = true,
            (b"mdat", true) => open = false,
            (b"styp" | b"sidx" | b"prft" | b"emsg" | b"free", false) => {}
            (kind, _) => {
                let expected = if open { "mdat" } else { "moof" };
                return Err(Malformed::Unexpected { expected, found: String::from_utf8_lossy(&kind[..]).into_owned() });
            }
        }
    }
    if open {
        return Err(Malformed::Lacking("mdat"));
    }
    decode_times(data).map(drop)
}

/// The earliest decode time of a fragment, in nanoseconds.
pub fn start_ns(data: &[u8], tracks: &[Track]) -> Result<u64, Malformed> {
    let scale = |id| tracks.iter().find(|t| t.id == id).map(|t| u128::from(t.timescale));
    let times = decode_times(data)?;
    let ns = times.iter().filter_map(|t| Some((u128::from(t.value) * 1_000_000_000 / scale(t.track)?) as u64));
    ns.min().ok_or(Malformed::Lacking("track"))
}

/// Where the last sample of a track ends, in nanoseconds: its decode time and the durations that follow it. A fragment without
/// that track has none.
pub fn end_ns(data: &[u8], track: Track) -> Result<Option<u64>, Malformed> {
    let mut ends = Vec::new();
    for moof in boxes(data, 0..data.len())?.iter().filter(|b| &b.kind == b"moof") {
        for traf in inside(data, moof, b"traf")? {
            let tfhd = first(data, &traf, b"tfhd", "tfhd")?.content;
            if u32_at(data, tfhd.start + 4) != Some(track.id) {
                continue;
            }
            let tfdt = first(data, &traf, b"tfdt", "tfdt")?.content.start;
            let start = if data.get(tfdt) == Some(&1) { u64_at(data, tfdt + 4) } else { u32_at(data, tfdt + 4).map(u64::from) };
            let mut end = start.ok_or(Malformed::Lacking("baseMediaDecodeTime"))?;
            for trun in inside(data, &traf, b"trun")? {
                let length = run_length(data, &tfhd, &trun.content).ok_or(Malformed::Lacking("sample durations"))?;
                end = end.saturating_add(length);
            }
            ends.push(end);
        }
    }
    Ok(ends.into_iter().max().map(|end| (u128::from(end) * 1_000_000_000 / u128::from(track.timescale)) as u64))
}

/// How long the samples of a `trun` are together (8.8.8), by their own durations or by the default of their `tfhd` (8.8.7).
fn run_length(data: &[u8], tfhd: &Range<usize>, trun: &Range<usize>) -> Option<u64> {
    let (head, flags, count) = (u32_at(data, tfhd.start)?, u32_at(data, trun.start)?, u32_at(data, trun.start + 4)?);
    if flags & 0x100 == 0 {
        let before = usize::from(head & 1 != 0) * 8 + usize::from(head & 2 != 0) * 4;
        let each = if head & 8 != 0 { u32_at(data, tfhd.start + 8 + before)? } else { 0 };
        return Some(u64::from(each) * u64::from(count));
    }
    let first = trun.start + 8 + usize::from(flags & 1 != 0) * 4 + usize::from(flags & 4 != 0) * 4;
    let each = 4 * (flags >> 8 & 0xf).count_ones() as usize;
    let sample = |n: usize| u32_at(data.get(..trun.end)?, first + n * each).map(u64::from);
    (0..count as usize).map(sample).sum()
}

/// Fragments with their decode times moved by `shift_ns`; never below zero. Samples stay as they are, byte for byte.
pub fn shifted(data: &Bytes, tracks: &[Track], shift_ns: i64) -> Result<Bytes, Malformed> {
    moved(data, data, tracks, shift_ns).map(BytesMut::freeze)
}

/// The same for one fragment, its samples not copied: what lies before `mdat`, and the rest as it is.
pub fn shifted_apart(data: &Bytes, tracks: &[Track], shift_ns: i64) -> Result<(Bytes, Bytes), Malformed> {
    let mdat = boxes(data, 0..data.len())?.into_iter().rev().find(|b| &b.kind == b"mdat").ok_or(Malformed::Lacking("mdat"))?;
    let from = mdat.content.start - 8;
    Ok((moved(data, &data[..from], tracks, shift_ns)?.freeze(), data.slice(from..)))
}

fn moved(data: &[u8], copied: &[u8], tracks: &[Track], shift_ns: i64) -> Result<BytesMut, Malformed> {
    let times = decode_times(data)?;
    let mut moved = BytesMut::from(copied);
    for time in times {
        let Some(track) = tracks.iter().find(|t| t.id == time.track) else { return Err(Malformed::Lacking("track")) };
        let shift = i128::from(shift_ns) * i128::from(track.timescale) / 1_000_000_000;
        let value = (i128::from(time.value) + shift).max(0);
        let length = if time.wide { 8 } else { 4 };
        let field = moved.get_mut(time.at..time.at + length).ok_or(Malformed::Lacking("tfdt before mdat"))?;
        if time.wide {
            field.copy_from_slice(&(value as u64).to_be_bytes());
        } else {
            let narrow = u32::try_from(value).map_err(|_| Malformed::Lacking("room in a 32-bit tfdt"))?;
            field.copy_from_slice(&narrow.to_be_bytes());
        }
    }
    Ok(moved)
}

/// A stretch of a file: its boxes up to a whole number of fragments.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Extent {
    /// The header's length.
    pub header: usize,
    /// Up to where the file is whole fragments.
    pub whole: usize,
    /// Where each fragment begins and ends.
    pub fragments: Vec<Range<usize>>,
}

/// What of a segment file is whole. A torn end is left out, and a file without a whole header has nothing.
pub fn extent(data: &[u8]) -> Extent {
    let mut extent = Extent { header: 0, whole: 0, fragments: vec![] };
    let mut at = 0;
    let mut start = None;
    while let Ok(b) = box_at(data, at, data.len()) {
        match &b.kind {
            b"moov" if extent.header == 0 => {
                extent.header = b.end;
                extent.whole = b.end;
            }
            b"moof" => start = start.or(Some(at)),
            b"mdat" => {
                if let Some(begin) = start.take() {
                    extent.fragments.push(begin..b.end);
                    extent.whole = b.end;
                }
            }
            _ => {}
        }
        at = b.end;
    }
    extent
}

/// A header without the times at which it was written: two runs of a muxer on the same format differ in nothing else.
pub fn timeless(header: &[u8]) -> Result<Vec<u8>, Malformed> {
    let mut plain = header.to_vec();
    let moov = boxes(header, 0..header.len())?.into_iter().find(|b| &b.kind == b"moov").ok_or(Malformed::Lacking("moov"))?;
    let mut stamped = inside(header, &moov, b"mvhd")?;
    for trak in inside(header, &moov, b"trak")? {
        stamped.push(first(header, &trak, b"tkhd", "tkhd")?);
        let mdia = first(header, &trak, b"mdia", "mdia")?;
        stamped.push(first(header, &mdia, b"mdhd", "mdhd")?);
    }
    for of in stamped {
        // Creation and modification, behind version and flags; version 1 has 64-bit times.
        let from = of.content.start + 4;
        let length = if header.get(of.content.start) == Some(&1) { 16 } else { 8 };
        plain.get_mut(from..(from + length).min(of.end)).ok_or(Malformed::Lacking("times"))?.fill(0);
    }
    Ok(plain)
}

/// The track of pictures in a header, if there is one.
pub fn video(header: &[u8]) -> Result<Option<Track>, Malformed> {
    let moov = boxes(header, 0..header.len())?.into_iter().find(|b| &b.kind == b"moov").ok_or(Malformed::Lacking("moov"))?;
    for (trak, track) in inside(header, &moov, b"trak")?.iter().zip(tracks(header)?) {
        let mdia = first(header, trak, b"mdia", "mdia")?;
        let hdlr = first(header, &mdia, b"hdlr", "hdlr")?.content;
        if header.get(hdlr.start + 8..hdlr.start + 12) == Some(b"vide") {
            return Ok(Some(track));
        }
    }
    Ok(None)
}

/// Where a player can enter: the decode time, ns, of the first picture of a `moof` that needs none before it (8.8.3.1). It need not be
/// the fragment's first: a camera's key pictures do not keep our fifths of a second, and a player leaves out what comes before.
pub fn entrance_ns(moof: &[u8], video: Track) -> Result<Option<u64>, Malformed> {
    for whole in boxes(moof, 0..moof.len())?.iter().filter(|b| &b.kind == b"moof") {
        for traf in inside(moof, whole, b"traf")? {
            let tfhd = first(moof, &traf, b"tfhd", "tfhd")?.content;
            if u32_at(moof, tfhd.start + 4) != Some(video.id) {
                continue;
            }
            let trun = first(moof, &traf, b"trun", "trun")?.content;
            let behind = first_key(moof, &tfhd, &trun)?;
            let at = decode_times(&moof[..whole.end])?.into_iter().find(|t| t.track == video.id).map(|t| t.value);
            let ns = |units: u64| (u128::from(units) * 1_000_000_000 / u128::from(video.timescale)) as u64;
            return Ok(at.zip(behind).map(|(at, behind)| ns(at.saturating_add(behind))));
        }
    }
    Ok(None)
}

/// How far behind a run's beginning its first key picture lies, in units of its track; none: it has no key picture. Flags are a sample's
/// own, the run's for its first, or the track's for all.
fn first_key(data: &[u8], tfhd: &Range<usize>, trun: &Range<usize>) -> Result<Option<u64>, Malformed> {
    let run = data.get(..trun.end).unwrap_or_default();
    let word = |of: &[u8], at: usize| u32_at(of, at).ok_or(Malformed::Lacking("sample flags"));
    let (head, flags, count) = (word(data, tfhd.start)?, word(run, trun.start)?, word(run, trun.start + 4)?);
    // `base_data_offset` has eight bytes; description, duration, size and flags have four each.
    let default = |bit: u32| {
        let before = usize::from(head & 1 != 0) * 8 + [2, 8, 16].iter().filter(|b| **b < bit && head & **b != 0).count() * 4;
        if head & bit != 0 { word(data, tfhd.start + 8 + before) } else { Ok(0) }
    };
    let (each_duration, each_flags) = (default(8)?, default(0x20)?);
    let mut at = trun.start + 8 + usize::from(flags & 1 != 0) * 4;
    let of_first = if flags & 4 != 0 { Some(word(run, at)?) } else { None };
    at += usize::from(flags & 4 != 0) * 4;
    let (length, own_flags) = (4 * (flags >> 8 & 0xf).count_ones() as usize, 4 * (flags >> 8 & 3).count_ones() as usize);
    let mut passed = 0_u64;
    for n in 0..count {
        // A run may say that it has four thousand million samples: none of them lies beyond its end.
        if at + length > run.len() {
            return Err(Malformed::Lacking("samples"));
        }
        let said = match of_first.filter(|_| n == 0) {
            Some(said) => said,
            None if flags & 0x400 != 0 => word(run, at + own_flags)?,
            None => each_flags,
        };
        if said & 0x1_0000 == 0 {
            return Ok(Some(passed));
        }
        // Without fields of their own all that follow are alike.
        if length == 0 && n > 0 {
            return Ok(None);
        }
        passed += u64::from(if flags & 0x100 != 0 { word(run, at)? } else { each_duration });
        at += length;
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn boxed(kind: &[u8; 4], content: &[u8]) -> Vec<u8> {
        let mut b = ((content.len() + 8) as u32).to_be_bytes().to_vec();
        b.extend_from_slice(kind);
        b.extend_from_slice(content);
        b
    }

    fn fragment(time: u64) -> Vec<u8> {
        let tfhd = boxed(b"tfhd", &[0, 0, 0, 0, 0, 0, 0, 1]);
        let tfdt = boxed(b"tfdt", &[&[1, 0, 0, 0][..], &time.to_be_bytes()].concat());
        let moof = boxed(b"moof", &boxed(b"traf", &[tfhd, tfdt].concat()));
        [moof, boxed(b"mdat", b"picture")].concat()
    }

    const TRACK: [Track; 1] = [Track { id: 1, timescale: 90_000 }];

    #[test]
    fn a_shifted_fragment_differs_in_its_decode_time_alone() {
        let data = Bytes::from(fragment(180_000));
        assert_eq!(start_ns(&data, &TRACK).unwrap(), 2_000_000_000);
        let moved = shifted(&data, &TRACK, -2_000_000_000).unwrap();
        assert_eq!(&moved[..], &fragment(0)[..]);
        let (head, rest) = shifted_apart(&data, &TRACK, -2_000_000_000).unwrap();
        assert_eq!([&head[..], &rest[..]].concat(), fragment(0));
    }

    #[test]
    fn a_fragment_ends_where_its_last_sample_does() {
        let words = |all: &[u32]| all.iter().flat_map(|w| w.to_be_bytes()).collect::<Vec<u8>>();
        let whole = |head: &[u32], run: &[u32]| {
            let tfdt = boxed(b"tfdt", &words(&[0, 90_000]));
            let traf = [boxed(b"tfhd", &words(head)), tfdt, boxed(b"trun", &words(run))].concat();
            [boxed(b"moof", &boxed(b"traf", &traf)), boxed(b"mdat", b"picture")].concat()
        };
        // Each sample with its own duration and size behind a data offset; all alike by the default of the track.
        assert_eq!(end_ns(&whole(&[0, 1], &[0x301, 2, 99, 3_600, 10, 5_400, 10]), TRACK[0]), Ok(Some(1_100_000_000)));
        assert_eq!(end_ns(&whole(&[0xa, 1, 1, 9_000], &[0, 3]), TRACK[0]), Ok(Some(1_300_000_000)));
        assert_eq!(end_ns(&whole(&[0, 2], &[0, 3]), TRACK[0]), Ok(None), "another track's");
        assert!(end_ns(&whole(&[0, 1], &[0x301, 1_000_000, 99]), TRACK[0]).is_err());
    }

    #[test]
    fn a_player_enters_at_the_first_key_picture_wherever_in_its_fragment_it_lies() {
        const DELTA: u32 = 0x0101_0000;
        const KEY: u32 = 0x0200_0000;
        let words = |all: &[u32]| all.iter().flat_map(|w| w.to_be_bytes()).collect::<Vec<u8>>();
        let enters = |head: &[u32], run: &[u32]| {
            let tfdt = boxed(b"tfdt", &words(&[0, 90_000]));
            let traf = [boxed(b"tfhd", &words(head)), tfdt, boxed(b"trun", &words(run))].concat();
            entrance_ns(&boxed(b"moof", &boxed(b"traf", &traf)), TRACK[0])
        };
        // By the run's own flags for its first; by each sample's; by the track's for all; and none at all.
        assert_eq!(enters(&[0x28, 1, 9_000, DELTA], &[0x205, 2, 99, KEY, 10, 10]), Ok(Some(1_000_000_000)));
        assert_eq!(enters(&[0x8, 1, 9_000], &[0x601, 3, 99, 10, DELTA, 10, KEY, 10, DELTA]), Ok(Some(1_100_000_000)));
        assert_eq!(enters(&[0x28, 1, 9_000, KEY], &[0x201, 2, 99, 10, 10]), Ok(Some(1_000_000_000)));
        assert_eq!(enters(&[0x28, 1, 9_000, DELTA], &[0x201, 2, 99, 10, 10]), Ok(None));
        assert_eq!(enters(&[0x28, 2, 9_000, KEY], &[0x201, 1, 99, 10]), Ok(None), "another track's");
        assert!(enters(&[0x8, 1, 9_000], &[0x601, 3, 99, 10, DELTA]).is_err(), "cut short");
    }

    #[test]
    fn a_torn_end_is_left_out() {
        let header = [boxed(b"ftyp", b"iso6"), boxed(b"moov", b"")].concat();
        let mut file = [header.clone(), fragment(0), fragment(1)].concat();
        let whole = file.len();
        file.extend_from_slice(&fragment(2)[..20]);
        let found = extent(&file);
        assert_eq!((found.header, found.whole, found.fragments.len()), (header.len(), whole, 2));
    }

    #[test]
    fn what_is_no_fragment_is_told_apart() {
        assert_eq!(check(b"moof"), Err(Malformed::Length { at: 0 }));
        assert!(matches!(check(&boxed(b"mdat", b"x")), Err(Malformed::Unexpected { .. })));
        assert!(check(&fragment(0)).is_ok());
    }

    proptest! {
        #[test]
        fn no_bytes_make_the_reader_panic(data in prop::collection::vec(any::<u8>(), 0..400)) {
            let _ = (entrance_ns(&data, TRACK[0]), check(&data), tracks(&data), extent(&data), start_ns(&data, &TRACK), end_ns(&data, TRACK[0]), shifted(&Bytes::from(data.clone()), &TRACK, -5), shifted_apart(&Bytes::from(data), &TRACK, -5));
        }
    }
}
