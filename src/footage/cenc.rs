//! Footage that is encrypted as it is written: MPEG Common Encryption, scheme `cenc` (ISO/IEC 23001-7, AES-128 in counter mode), a
//! sample at a time. Boxes stay in the clear, so that a file is found, cut, recovered and sought in as ever; of a picture the lengths and
//! types of its NAL units, its parameter sets and its SEI stay too (9.5.2), and all of its slices is encrypted but what is left over
//! from whole blocks at their beginning. Sound is encrypted whole.
//!
//! A key is one session's, and no counter is used twice under it: see [`Vectors`]. `ffmpeg -fflags +ignidx -decryption_key` opens what comes out.

use crate::footage::fragment::{Found, Malformed, box_at, boxes, first, inside, u32_at};
use crate::model::content_key::ContentKey;
use aes::Aes128;
use aes::cipher::{InnerIvInit, KeyInit, StreamCipher};
use bytes::Bytes;
use std::ops::Range;

/// Bytes of a vector as files tell it; the other half of the counter counts a sample's blocks.
pub(super) const IV_BYTES: usize = 8;
/// Subsamples of which a sample's entry can tell: its length is one byte (ISO/IEC 14496-12, 8.7.8).
const SUBSAMPLES_MAX: usize = (255 - IV_BYTES - 2) / 6;
/// Sample entries of pictures and of sound that the recorder's own muxer writes.
const PICTURES: [&[u8; 4]; 4] = [b"avc1", b"avc3", b"hvc1", b"hev1"];
const SOUND: [&[u8; 4]; 3] = [b"mp4a", b"fLaC", b"Opus"];

/// Encrypts or decrypts stretches of one sample, which are one stream of the cipher.
pub(super) fn cipher(key: &Aes128, iv: [u8; IV_BYTES]) -> ctr::Ctr64BE<Aes128> {
    let mut counter = [0; 16];
    counter[..IV_BYTES].copy_from_slice(&iv);
    ctr::Ctr64BE::from_core(ctr::CtrCore::inner_iv_init(key.clone(), &counter.into()))
}

/// The vectors of one file. Camera (16 bits), number of the file (20 bits) and sample (28 bits) make one up: a key is one process's and
/// one session's, a number is used once by a camera, and a sample counts on. So no two samples ever have the same.
#[derive(Debug)]
pub struct Vectors {
    base: u64,
    next: u64,
}

/// Numbers of files of one camera under one key.
const FILES_MAX: u32 = 1 << 20;
/// Samples of one file.
const SAMPLES_MAX: u64 = 1 << 28;

impl Vectors {
    /// Of a file: which camera of its room, and its number.
    pub fn of_file(camera: u16, sequence: u32) -> Result<Self, Malformed> {
        if sequence >= FILES_MAX {
            return Err(Malformed::Lacking("number for another encrypted file"));
        }
        Ok(Self { base: u64::from(camera) << 48 | u64::from(sequence) << 28, next: 0 })
    }

    fn take(&mut self) -> Result<[u8; IV_BYTES], Malformed> {
        if self.next >= SAMPLES_MAX {
            return Err(Malformed::Lacking("vector for another sample"));
        }
        let iv = self.base | self.next;
        self.next += 1;
        Ok(iv.to_be_bytes())
    }
}

/// How NAL units lie in a track's samples.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Nal {
    length_bytes: usize,
    is_h265: bool,
}

#[derive(Debug)]
struct Plan {
    track: u32,
    /// `None`: sound, encrypted whole.
    nal: Option<Nal>,
    /// The size of samples that say none.
    size: u32,
}

/// Encrypts the fragments of one file.
pub struct Sealing {
    key: Aes128,
    vectors: Vectors,
    plans: Vec<Plan>,
}

impl std::fmt::Debug for Sealing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Sealing({:?})", self.vectors)
    }
}

impl Sealing {
    /// Begins a file: its header as it says that it is encrypted, and by which key.
    pub fn begin(header: &[u8], key: &ContentKey, kid: &[u8; 16], vectors: Vectors) -> Result<(Self, Bytes), Malformed> {
        let plans = plans(header)?;
        let path: [&[u8; 4]; 6] = [b"moov", b"trak", b"mdia", b"minf", b"stbl", b"stsd"];
        let sealed = rebuilt(header, 0..header.len(), &path, &|entries| sealed_entries(header, entries, kid))?;
        Ok((Self { key: Aes128::new(key.bytes().into()), vectors, plans }, sealed.into()))
    }

    /// A fragment encrypted: whole `moof` + `mdat`, as [`crate::footage::fragment::check`] takes it.
    pub fn fragment(&mut self, data: &[u8]) -> Result<Bytes, Malformed> {
        let mut sealed = Vec::with_capacity(data.len() + 1024);
        let mut moof: Option<Range<usize>> = None;
        let mut at = 0;
        while at < data.len() {
            let one = box_at(data, at, data.len())?;
            match (&one.kind, &moof) {
                (b"moof", _) => moof = Some(at..one.end),
                (b"mdat", Some(begun)) => {
                    self.pair(data, begun.clone(), at..one.end, &mut sealed)?;
                    moof = None;
                }
                _ => sealed.extend_from_slice(&data[at..one.end]),
            }
            at = one.end;
        }
        Ok(sealed.into())
    }

    /// One `moof` and the `mdat` right behind it.
    fn pair(&mut self, data: &[u8], moof: Range<usize>, mdat: Range<usize>, to: &mut Vec<u8>) -> Result<(), Malformed> {
        let begun = to.len();
        let mut offsets = Vec::new();
        let mut samples: Vec<Encrypted> = Vec::new();
        to.extend_from_slice(&data[moof.start..moof.start + 8]);
        let mut at = moof.start + 8;
        while at < moof.end {
            let child = box_at(data, at, moof.end)?;
            if &child.kind == b"traf" {
                self.track(data, &moof, &child, to, begun, (&mut offsets, &mut samples))?;
            } else {
                to.extend_from_slice(&data[at..child.end]);
            }
            at = child.end;
        }
        let grown = to.len() - begun - moof.len();
        let length = (to.len() - begun) as u32;
        patch(to, begun, length);
        for offset in offsets {
            let was = u32_at(to, offset).ok_or(Malformed::Lacking("data offset"))?;
            patch(to, offset, was.wrapping_add(grown as u32));
        }
        let from = to.len();
        to.extend_from_slice(&data[mdat.clone()]);
        for sample in samples {
            let at = (sample.at.start as i64 - mdat.start as i64) as usize + from;
            let mut cipher = cipher(&self.key, sample.iv);
            let whole = to.get_mut(at..at + sample.at.len()).ok_or(Malformed::Length { at: sample.at.start })?;
            apply(&mut cipher, whole, sample.parts.as_deref())?;
        }
        Ok(())
    }

    /// A track's part of a `moof`, with what tells how its samples are encrypted.
    fn track(
        &mut self,
        data: &[u8],
        moof: &Range<usize>,
        traf: &Found,
        to: &mut Vec<u8>,
        begun: usize,
        (offsets, all): (&mut Vec<usize>, &mut Vec<Encrypted>),
    ) -> Result<(), Malformed> {
        let tfhd = first(data, traf, b"tfhd", "tfhd")?.content;
        let track = u32_at(data, tfhd.start + 4).ok_or(Malformed::Lacking("track_ID"))?;
        let plan = self.plans.iter().find(|p| p.track == track).ok_or(Malformed::Lacking("track"))?;
        let head = to.len();
        let delta = to.len() as i64 - (traf.content.start - 8) as i64;
        to.extend_from_slice(&data[traf.content.start - 8..traf.end]);
        let mut samples = Vec::new();
        for trun in inside(data, traf, b"trun")? {
            offsets.push((trun.content.start as i64 + 8 + delta) as usize);
            for at in run(data, moof.start, &tfhd, &trun.content, plan.size)? {
                let whole = data.get(at.clone()).ok_or(Malformed::Length { at: at.start })?;
                samples.push(Encrypted { iv: self.vectors.take()?, parts: plan.nal.map(|nal| subsamples(whole, nal)), at });
            }
        }
        tell(&samples, plan.nal.is_some(), to, begun);
        let length = to.len() - head;
        patch(to, head, length as u32);
        all.append(&mut samples);
        Ok(())
    }
}

/// A sample, where it lies in the fragment as it came, and how it is encrypted.
struct Encrypted {
    at: Range<usize>,
    iv: [u8; IV_BYTES],
    /// Bytes in the clear and bytes encrypted behind them, again and again; `None`: all of it is.
    parts: Option<Vec<(u16, u32)>>,
}

/// Runs the cipher over a sample.
pub(super) fn apply(cipher: &mut impl StreamCipher, sample: &mut [u8], parts: Option<&[(u16, u32)]>) -> Result<(), Malformed> {
    let short = || Malformed::Lacking("sample as long as it is told");
    let Some(parts) = parts else { return cipher.try_apply_keystream(sample).map_err(|_| short()) };
    let mut at = 0;
    for (clear, hidden) in parts {
        let from = at + usize::from(*clear);
        at = from + *hidden as usize;
        cipher.try_apply_keystream(sample.get_mut(from..at).ok_or_else(short)?).map_err(|_| short())?;
    }
    Ok(())
}

/// `senc`, `saiz` and `saio` (7.2.2; ISO/IEC 14496-12, 8.7.8 and 8.7.9), behind what a `traf` holds. `begun`: where its `moof` is.
fn tell(samples: &[Encrypted], has_parts: bool, to: &mut Vec<u8>, begun: usize) {
    let of = |s: &Encrypted| {
        let mut one = s.iv.to_vec();
        if let Some(parts) = &s.parts {
            one.extend((parts.len() as u16).to_be_bytes());
            parts.iter().for_each(|(clear, hidden)| {
                one.extend(clear.to_be_bytes());
                one.extend(hidden.to_be_bytes());
            });
        }
        one
    };
    let entries: Vec<Vec<u8>> = samples.iter().map(of).collect();
    let count = (samples.len() as u32).to_be_bytes();
    let flags = if has_parts { 2_u32 } else { 0 };
    // Offsets count from the `moof`: every `tfhd` says so.
    let at = (to.len() - begun + 16) as u32;
    full_box(to, b"senc", flags, &[&count[..], &entries.concat()].concat());
    let sizes: Vec<u8> = entries.iter().map(|e| e.len() as u8).collect();
    let same = sizes.first().copied().filter(|f| sizes.iter().all(|s| s == f));
    let sizes = if let Some(same) = same { [&[same][..], &count].concat() } else { [&[0][..], &count, &sizes].concat() };
    full_box(to, b"saiz", 0, &sizes);
    full_box(to, b"saio", 0, &[1_u32.to_be_bytes(), at.to_be_bytes()].concat());
}

fn full_box(to: &mut Vec<u8>, kind: &[u8; 4], flags: u32, content: &[u8]) {
    to.extend((content.len() as u32 + 12).to_be_bytes());
    to.extend(kind);
    to.extend(flags.to_be_bytes());
    to.extend(content);
}

fn patch(data: &mut [u8], at: usize, value: u32) {
    if let Some(field) = data.get_mut(at..at + 4) {
        field.copy_from_slice(&value.to_be_bytes());
    }
}

/// Where the samples of a `trun` lie (8.8.8). Offsets have to count from the `moof`, and each run has to tell its own.
pub(super) fn run(data: &[u8], moof: usize, tfhd: &Range<usize>, trun: &Range<usize>, size: u32) -> Result<Vec<Range<usize>>, Malformed> {
    let word = |at: usize| u32_at(data.get(..trun.end).unwrap_or_default(), at).ok_or(Malformed::Lacking("samples of a run"));
    let head = u32_at(data, tfhd.start).ok_or(Malformed::Lacking("tfhd"))?;
    let (flags, count) = (word(trun.start)?, word(trun.start + 4)?);
    if head & 1 != 0 || flags & 1 == 0 {
        return Err(Malformed::Lacking("data offset from the moof"));
    }
    let before = [2, 8].iter().filter(|b| head & **b != 0).count() * 4;
    let each = if head & 0x10 != 0 { u32_at(data, tfhd.start + 8 + before).ok_or(Malformed::Lacking("tfhd"))? } else { size };
    let fields = 4 * (flags >> 8 & 0xf).count_ones() as usize;
    let own = 4 * usize::from(flags & 0x100 != 0);
    let mut entry = trun.start + 12 + usize::from(flags & 4 != 0) * 4;
    let mut at = moof as i64 + i64::from(word(trun.start + 8)? as i32);
    // A run of so many samples that it cannot be there would fill the memory: each has at least a byte.
    if count as usize > data.len() {
        return Err(Malformed::Lacking("samples of a run"));
    }
    let mut found = Vec::with_capacity(count as usize);
    for _ in 0..count {
        let length = if flags & 0x200 != 0 { word(entry + own)? } else { each };
        let start = usize::try_from(at).map_err(|_| Malformed::Lacking("samples of a run"))?;
        at += i64::from(length);
        found.push(start..start + length as usize);
        entry += fields;
    }
    Ok(found)
}

/// What of a picture is in the clear and what is not (9.5.2.2).
fn subsamples(sample: &[u8], nal: Nal) -> Vec<(u16, u32)> {
    let (mut parts, mut clear, mut at) = (Vec::new(), 0, 0);
    while at < sample.len() {
        let length = sample.get(at..at + nal.length_bytes).map(|b| b.iter().fold(0_usize, |n, b| n << 8 | usize::from(*b)));
        let unit = length.and_then(|length| sample.get(at + nal.length_bytes..)?.get(..length));
        let is_full = parts.len() + 1 + clear / usize::from(u16::MAX) >= SUBSAMPLES_MAX;
        let Some(unit) = unit.filter(|_| !is_full) else {
            // No unit, or one too many to tell of: the rest is encrypted as it is.
            hide(&mut parts, clear + (sample.len() - at) % 16, (sample.len() - at) / 16 * 16);
            return parts;
        };
        let head = if nal.is_h265 { 2 } else { 1 };
        let hidden = if is_slice(unit, nal.is_h265) { unit.len().saturating_sub(head) / 16 * 16 } else { 0 };
        clear += nal.length_bytes + unit.len() - hidden;
        if hidden > 0 {
            hide(&mut parts, clear, hidden);
            clear = 0;
        }
        at += nal.length_bytes + unit.len();
    }
    if clear > 0 {
        hide(&mut parts, clear, 0);
    }
    parts
}

/// So many bytes in the clear, and so many encrypted behind them.
fn hide(parts: &mut Vec<(u16, u32)>, mut clear: usize, hidden: usize) {
    while clear > usize::from(u16::MAX) {
        parts.push((u16::MAX, 0));
        clear -= usize::from(u16::MAX);
    }
    parts.push((clear as u16, hidden as u32));
}

/// Whether a NAL unit holds a part of the picture (ITU-T H.264, table 7-1; H.265, table 7-1).
fn is_slice(unit: &[u8], is_h265: bool) -> bool {
    let Some(head) = unit.first() else { return false };
    if is_h265 { head >> 1 & 0x3f < 32 } else { matches!(head & 0x1f, 1..=5 | 19..=21) }
}

/// Each track of a header, with how its samples are encrypted.
fn plans(header: &[u8]) -> Result<Vec<Plan>, Malformed> {
    let moov = boxes(header, 0..header.len())?.into_iter().find(|b| &b.kind == b"moov").ok_or(Malformed::Lacking("moov"))?;
    let extends = inside(header, &moov, b"mvex")?.first().map_or(Ok(vec![]), |mvex| inside(header, mvex, b"trex"))?;
    let mut plans = Vec::new();
    for trak in inside(header, &moov, b"trak")? {
        let tkhd = first(header, &trak, b"tkhd", "tkhd")?.content;
        let at = tkhd.start + if header.get(tkhd.start) == Some(&1) { 20 } else { 12 };
        let track = u32_at(header, at).ok_or(Malformed::Lacking("track_ID"))?;
        let trex = extends.iter().find(|t| u32_at(header, t.content.start + 4) == Some(track));
        let size = trex.and_then(|t| u32_at(header, t.content.start + 16)).unwrap_or(0);
        let entries = entries_of(header, &trak)?;
        let entry = boxes(header, entries)?.into_iter().next().ok_or(Malformed::Lacking("sample entry"))?;
        let nal = if PICTURES.contains(&&entry.kind) { Some(nal(header, &entry)?) } else { None };
        plans.push(Plan { track, nal, size });
    }
    Ok(plans)
}

/// Where the entries of a track's `stsd` lie.
pub(super) fn entries_of(header: &[u8], trak: &Found) -> Result<Range<usize>, Malformed> {
    let mdia = first(header, trak, b"mdia", "mdia")?;
    let minf = first(header, &mdia, b"minf", "minf")?;
    let stbl = first(header, &minf, b"stbl", "stbl")?;
    let stsd = first(header, &stbl, b"stsd", "stsd")?.content;
    if stsd.len() < 8 { Err(Malformed::Length { at: stsd.start }) } else { Ok(stsd.start + 8..stsd.end) }
}

/// Where the boxes inside a sample entry begin (ISO/IEC 14496-12, 12.1.3 and 12.2.3).
pub(super) fn inner(entry: &Found, is_picture: bool) -> Result<Range<usize>, Malformed> {
    let from = entry.content.start + if is_picture { 78 } else { 28 };
    if from > entry.end { Err(Malformed::Length { at: entry.content.start }) } else { Ok(from..entry.end) }
}

/// How long the lengths of NAL units are, by the decoder's configuration (ISO/IEC 14496-15).
fn nal(header: &[u8], entry: &Found) -> Result<Nal, Malformed> {
    let found = boxes(header, inner(entry, true)?)?;
    let is_h265 = matches!(&entry.kind, b"hvc1" | b"hev1");
    let (kind, at) = if is_h265 { (b"hvcC", 21) } else { (b"avcC", 4) };
    let config = found.iter().find(|b| &b.kind == kind).ok_or(Malformed::Lacking("decoder configuration"))?;
    let byte =
        header.get(config.content.start + at).filter(|_| config.content.len() > at).ok_or(Malformed::Lacking("length of lengths"))?;
    Ok(Nal { length_bytes: usize::from(byte & 3) + 1, is_h265 })
}

/// Sample entries as those of encrypted tracks: `encv` or `enca`, and behind what they hold `sinf` (8.1 to 8.3, ISO/IEC 14496-12, 8.12).
fn sealed_entries(header: &[u8], stsd: Range<usize>, kid: &[u8; 16]) -> Result<Vec<u8>, Malformed> {
    if stsd.len() < 8 {
        return Err(Malformed::Length { at: stsd.start });
    }
    let mut sealed = header[stsd.start..stsd.start + 8].to_vec();
    for entry in boxes(header, stsd.start + 8..stsd.end)? {
        let kind: &[u8; 4] = match &entry.kind {
            kind if PICTURES.contains(&kind) => b"encv",
            kind if SOUND.contains(&kind) => b"enca",
            kind => {
                let found = String::from_utf8_lossy(&kind[..]).into_owned();
                return Err(Malformed::Unexpected { expected: "pictures or sound that can be encrypted", found });
            }
        };
        let sinf = sinf(&entry.kind, kid);
        sealed.extend(((8 + entry.content.len() + sinf.len()) as u32).to_be_bytes());
        sealed.extend(kind);
        sealed.extend_from_slice(&header[entry.content.clone()]);
        sealed.extend(sinf);
    }
    Ok(sealed)
}

fn sinf(was: &[u8; 4], kid: &[u8; 16]) -> Vec<u8> {
    let mut inside = [&12_u32.to_be_bytes()[..], b"frma", was].concat();
    full_box(&mut inside, b"schm", 0, &[&b"cenc"[..], &0x1_0000_u32.to_be_bytes()].concat());
    let mut tenc = Vec::new();
    full_box(&mut tenc, b"tenc", 0, &[&[0, 0, 1, IV_BYTES as u8][..], kid].concat());
    inside.extend((tenc.len() as u32 + 8).to_be_bytes());
    inside.extend(b"schi");
    inside.extend(tenc);
    [&(inside.len() as u32 + 8).to_be_bytes()[..], b"sinf", &inside].concat()
}

/// What makes the new content of a box.
type Change<'a> = &'a dyn Fn(Range<usize>) -> Result<Vec<u8>, Malformed>;

/// Boxes with another content in those at the end of `path`; the lengths of all above them follow.
fn rebuilt(data: &[u8], within: Range<usize>, path: &[&[u8; 4]], change: Change<'_>) -> Result<Vec<u8>, Malformed> {
    let Some((wanted, below)) = path.split_first() else { return change(within) };
    let (mut built, mut at) = (Vec::new(), within.start);
    while at < within.end {
        let one = box_at(data, at, within.end)?;
        if one.kind == **wanted {
            let content = rebuilt(data, one.content.clone(), below, change)?;
            built.extend((content.len() as u32 + 8).to_be_bytes());
            built.extend(one.kind);
            built.extend(content);
        } else {
            built.extend_from_slice(&data[at..one.end]);
        }
        at = one.end;
    }
    Ok(built)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    const AVC: Nal = Nal { length_bytes: 4, is_h265: false };

    fn unit(kind: u8, length: usize) -> Vec<u8> {
        let mut unit = (length as u32).to_be_bytes().to_vec();
        unit.push(kind);
        unit.resize(4 + length, 7);
        unit
    }

    #[test]
    fn parameter_sets_and_sei_stay_in_the_clear_and_of_slices_no_whole_block_does() {
        // SPS, PPS, SEI, then two slices of 1 + 40 and 1 + 32 bytes.
        let sample = [unit(7, 20), unit(8, 5), unit(6, 30), unit(5, 41), unit(5, 33)].concat();
        let clear = 24 + 9 + 34 + 4 + 1 + 8;
        assert_eq!(subsamples(&sample, AVC), [(clear as u16, 32), (5, 32)]);
        // A large SEI in front needs entries of its own; a picture that ends in one, too.
        assert_eq!(subsamples(&[unit(6, 70_000), unit(1, 17), unit(6, 3)].concat(), AVC), [(65_535, 0), (4_474, 16), (7, 0)]);
        // H.265: types up to 31 are slices, their head has two bytes.
        let hevc = Nal { length_bytes: 4, is_h265: true };
        assert_eq!(subsamples(&[unit(32 << 1, 20), unit(19 << 1, 34)].concat(), hevc), [(24 + 6, 32)]);
    }

    proptest! {
        #[test]
        fn whatever_a_sample_holds_all_of_it_is_told_of_and_its_entry_has_room(kinds in prop::collection::vec((any::<u8>(), 0_usize..90), 0..120), torn in prop::collection::vec(any::<u8>(), 0..50)) {
            let mut sample: Vec<u8> = kinds.iter().flat_map(|(kind, length)| unit(*kind, *length + 1)).collect();
            sample.extend(torn);
            let parts = subsamples(&sample, AVC);
            let told: usize = parts.iter().map(|(c, h)| usize::from(*c) + *h as usize).sum();
            prop_assert_eq!(told, sample.len());
            prop_assert!(parts.len() <= SUBSAMPLES_MAX && parts.iter().all(|(_, h)| h % 16 == 0));
        }

        #[test]
        fn no_vector_is_ever_used_twice_under_a_key(files in prop::collection::btree_set((0_u16..40, 0_u32..FILES_MAX), 1..20), samples in 1_u64..60) {
            let mut seen = BTreeSet::new();
            for (camera, sequence) in files {
                let mut vectors = Vectors::of_file(camera, sequence).unwrap();
                for _ in 0..samples {
                    prop_assert!(seen.insert(vectors.take().unwrap()));
                }
                // Also the last one that a file may use is no other file's.
                vectors.next = SAMPLES_MAX - 1;
                prop_assert!(seen.insert(vectors.take().unwrap()) && vectors.take().is_err());
            }
        }

        #[test]
        fn no_bytes_make_the_encryption_panic(data in prop::collection::vec(any::<u8>(), 0..400)) {
            let key = ContentKey::new([1; 16]);
            drop(Sealing::begin(&data, &key, &[2; 16], Vectors::of_file(0, 1).unwrap()));
            let plans = vec![Plan { track: 1, nal: Some(AVC), size: 0 }];
            let mut sealing = Sealing { key: Aes128::new(key.bytes().into()), vectors: Vectors::of_file(0, 1).unwrap(), plans };
            drop(sealing.fragment(&data));
        }
    }

    #[test]
    fn numbers_that_would_repeat_a_vector_are_refused() {
        assert!(Vectors::of_file(0, FILES_MAX).is_err());
    }
}
