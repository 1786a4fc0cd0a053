//! Reading encrypted footage with its key: the same file in the clear, byte for byte as long. What tells of the encryption becomes
//! `free` boxes of the same length, so that a range, an index and a seek of the player mean the same in both. Nothing is written.
//!
//! The one place at which samples are decrypted. What the clear bytes are for, and for whom, is decided before (`desks::unsealing`).

use crate::footage::cenc::{self, IV_BYTES};
use crate::footage::fragment::{Found, Malformed, box_at, boxes, first, inside, u32_at};
use crate::machine::{durable, fault::Fault};
use crate::model::content_key::{ContentKey, Keys};
use crate::model::digest;
use aes::Aes128;
use aes::cipher::KeyInit;
use std::io::{Read, Seek, SeekFrom};
use std::ops::Range;
use std::path::{Path, PathBuf};

/// The largest header or fragment that is read whole.
const BYTES_MAX: u64 = 64 * 1024 * 1024;
/// Within so many bytes a file says how it is encrypted.
const HEAD_BYTES: u64 = 64 * 1024;
/// A piece of what is not encrypted.
const PIECE_BYTES: u64 = 256 * 1024;

/// Why footage cannot be read in the clear.
#[derive(Debug, thiserror::Error)]
pub enum Locked {
    /// Its key is not at hand.
    #[error("its key {kid} is not at hand")]
    NoKey {
        /// Which.
        kid: String,
    },
    /// It is no file of ours.
    #[error(transparent)]
    Malformed(#[from] Malformed),
}

struct Track {
    id: u32,
    key: Aes128,
    size: u32,
}

/// The encrypted tracks of a file, with their keys.
pub struct Opener(Vec<Track>);

/// Makes a header clear, in place; none: nothing in the file is encrypted.
pub fn header(head: &mut [u8], keys: &Keys) -> Result<Option<Opener>, Locked> {
    let data = &*head;
    let Some(moov) = boxes(data, 0..data.len())?.into_iter().find(|b| &b.kind == b"moov") else { return Ok(None) };
    let extends = inside(data, &moov, b"mvex")?.first().map_or(Ok(vec![]), |mvex| inside(data, mvex, b"trex"))?;
    let (mut tracks, mut change) = (Vec::new(), Vec::new());
    for trak in inside(data, &moov, b"trak")? {
        let tkhd = first(data, &trak, b"tkhd", "tkhd")?.content;
        let id = u32_at(data, tkhd.start + if data.get(tkhd.start) == Some(&1) { 20 } else { 12 }).ok_or(Malformed::Lacking("track_ID"))?;
        let trex = extends.iter().find(|t| u32_at(data, t.content.start + 4) == Some(id));
        let size = trex.and_then(|t| u32_at(data, t.content.start + 16)).unwrap_or(0);
        for entry in boxes(data, cenc::entries_of(data, &trak)?)?.into_iter().filter(|e| matches!(&e.kind, b"encv" | b"enca")) {
            let (was, sinf, kid) = protection(data, &entry)?;
            let kid: String = digest::hex(&kid);
            let key: &ContentKey = keys.get(&kid).ok_or(Locked::NoKey { kid })?;
            tracks.push(Track { id, key: Aes128::new(key.bytes().into()), size });
            change.push((entry.content.start - 4, was, sinf));
        }
    }
    for (at, was, sinf) in change {
        head[at..at + 4].copy_from_slice(&was);
        free(head, &sinf);
    }
    Ok(if tracks.is_empty() { None } else { Some(Opener(tracks)) })
}

/// By which key a file is encrypted; none: it lies in the clear, or has no whole header.
pub fn kid_of(path: &Path) -> Result<Option<String>, Fault> {
    let mut file = durable::open(path)?;
    let mut head = Vec::new();
    Read::by_ref(&mut file).take(HEAD_BYTES).read_to_end(&mut head).map_err(|e| Fault::file("read", path, e))?;
    let mut at = 0;
    while let Ok(one) = box_at(&head, at, head.len()) {
        at = one.end;
        if &one.kind == b"moov" {
            let none = header(&mut head[..at], &Keys::default());
            return Ok(if let Err(Locked::NoKey { kid }) = none { Some(kid) } else { None });
        }
    }
    Ok(None)
}

/// What an entry was before, where that is told, and the key's identifier.
fn protection(data: &[u8], entry: &Found) -> Result<([u8; 4], Found, [u8; 16]), Malformed> {
    let sinf = boxes(data, cenc::inner(entry, &entry.kind == b"encv")?)?.into_iter().find(|b| &b.kind == b"sinf");
    let sinf = sinf.ok_or(Malformed::Lacking("sinf"))?;
    let (frma, schm) = (first(data, &sinf, b"frma", "frma")?.content, first(data, &sinf, b"schm", "schm")?.content);
    let schi = first(data, &sinf, b"schi", "schi")?;
    let tenc = first(data, &schi, b"tenc", "tenc")?.content;
    let was = data.get(frma.clone()).and_then(|b| b.try_into().ok()).ok_or(Malformed::Lacking("frma"))?;
    let tenc = data.get(tenc).filter(|t| t.len() >= 24 && t[6] == 1 && usize::from(t[7]) == IV_BYTES);
    let kid = tenc.and_then(|t| t[8..24].try_into().ok()).ok_or(Malformed::Lacking("tenc of our form"))?;
    if data.get(schm.start + 4..schm.start + 8) != Some(b"cenc") {
        return Err(Malformed::Lacking("scheme cenc"));
    }
    Ok((was, sinf, kid))
}

/// A box becomes one that says nothing.
fn free(data: &mut [u8], of: &Found) {
    data[of.content.start - 4..of.content.start].copy_from_slice(b"free");
    data[of.content.clone()].fill(0);
}

impl Opener {
    /// Makes whole fragments clear, in place.
    pub fn fragments(&self, data: &mut [u8]) -> Result<(), Malformed> {
        let mut at = 0;
        while at < data.len() {
            let one = box_at(data, at, data.len())?;
            if &one.kind == b"moof" {
                for traf in inside(data, &one, b"traf")? {
                    self.track(data, at, &traf)?;
                }
            }
            at = one.end;
        }
        Ok(())
    }

    fn track(&self, data: &mut [u8], moof: usize, traf: &Found) -> Result<(), Malformed> {
        let tfhd = first(data, traf, b"tfhd", "tfhd")?.content;
        let Some(track) = self.0.iter().find(|t| u32_at(data, tfhd.start + 4) == Some(t.id)) else { return Ok(()) };
        let senc = first(data, traf, b"senc", "senc")?;
        let mut told = Told { data: data[senc.content.clone()].to_vec(), at: 8 };
        let has_parts = told.data.get(3).is_some_and(|flags| flags & 2 != 0);
        for trun in inside(data, traf, b"trun")? {
            for at in cenc::run(data, moof, &tfhd, &trun.content, track.size)? {
                let (iv, parts) = told.next(has_parts)?;
                let sample = data.get_mut(at.clone()).ok_or(Malformed::Length { at: at.start })?;
                cenc::apply(&mut cenc::cipher(&track.key, iv), sample, parts.as_deref())?;
            }
        }
        for kind in [b"senc", b"saiz", b"saio"] {
            for one in inside(data, traf, kind)? {
                free(data, &one);
            }
        }
        Ok(())
    }
}

/// The entries of a `senc`.
struct Told {
    data: Vec<u8>,
    at: usize,
}

impl Told {
    fn take<const N: usize>(&mut self) -> Result<[u8; N], Malformed> {
        let some = self.data.get(self.at..self.at + N).and_then(|b| b.try_into().ok()).ok_or(Malformed::Lacking("entry of senc"))?;
        self.at += N;
        Ok(some)
    }

    #[allow(clippy::type_complexity)] // as an entry is written
    fn next(&mut self, has_parts: bool) -> Result<([u8; IV_BYTES], Option<Vec<(u16, u32)>>), Malformed> {
        let iv = self.take()?;
        if !has_parts {
            return Ok((iv, None));
        }
        let count = u16::from_be_bytes(self.take()?);
        let part = |told: &mut Self| Ok((u16::from_be_bytes(told.take()?), u32::from_be_bytes(told.take()?)));
        (0..count).map(|_| part(self)).collect::<Result<_, _>>().map(|parts| (iv, Some(parts)))
    }
}

/// A whole file in memory made clear, in place; a torn end stays as it is.
pub fn whole(data: &mut [u8], keys: &Keys) -> Result<(), Locked> {
    let extent = crate::footage::fragment::extent(data);
    let Some(opener) = header(&mut data[..extent.header], keys)? else { return Ok(()) };
    for fragment in extent.fragments {
        opener.fragments(&mut data[fragment])?;
    }
    Ok(())
}

/// A file that is read in the clear, from anywhere.
pub struct ClearFile {
    file: durable::Reading,
    path: PathBuf,
    head: Vec<u8>,
    opener: Option<Opener>,
    fragments: Vec<Range<u64>>,
}

impl ClearFile {
    /// Opens a file that is whole up to `bytes`; without a key of an encrypted one it is a fault.
    pub fn open(path: &Path, bytes: u64, keys: &Keys) -> Result<Self, Fault> {
        let mut clear = Self { file: durable::open(path)?, path: path.to_owned(), head: vec![], opener: None, fragments: vec![] };
        if keys.is_empty() {
            return Ok(clear);
        }
        let (mut at, mut begun) = (0, None);
        while at + 16 <= bytes {
            let head = clear.read(at, at + 16)?;
            let short = u64::from(u32_at(&head, 0).unwrap_or(0));
            let length =
                if short == 1 { u64::from(u32_at(&head, 8).unwrap_or(0)) << 32 | u64::from(u32_at(&head, 12).unwrap_or(0)) } else { short };
            if length < 8 || at.saturating_add(length) > bytes {
                break;
            }
            match &head[4..8] {
                b"moov" if clear.head.is_empty() => {
                    clear.head = clear.read(0, at + length)?;
                    clear.opener = header(&mut clear.head, keys).map_err(|e| clear.fault(e))?;
                    if clear.opener.is_none() {
                        return Ok(clear);
                    }
                }
                b"moof" => begun = begun.or(Some(at)),
                b"mdat" => clear.fragments.extend(begun.take().map(|begun| begun..at + length)),
                _ => {}
            }
            at += length;
        }
        Ok(clear)
    }

    fn fault(&self, e: impl std::error::Error + Send + Sync + 'static) -> Fault {
        Fault::of("read", self.path.display().to_string(), e)
    }

    fn read(&mut self, from: u64, to: u64) -> Result<Vec<u8>, Fault> {
        if to - from > BYTES_MAX {
            return Err(self.fault(std::io::Error::other("holds a box larger than any of ours")));
        }
        let mut data = vec![0; (to - from) as usize];
        let read = self.file.seek(SeekFrom::Start(from)).and_then(|_| self.file.read_exact(&mut data));
        read.map_err(|e| Fault::file("read", &self.path, e))?;
        Ok(data)
    }

    /// Bytes from `from` on, at most up to `to`, at least one.
    pub fn piece(&mut self, from: u64, to: u64) -> Result<Vec<u8>, Fault> {
        let plain_to = |end: u64| to.min(end).min(from + PIECE_BYTES);
        let Some(opener) = self.opener.take() else { return self.read(from, plain_to(to)) };
        let head = self.head.len() as u64;
        let next = self.fragments.partition_point(|f| f.end <= from);
        let data = match self.fragments.get(next).cloned() {
            _ if from < head => Ok(self.head[from as usize..to.min(head) as usize].to_vec()),
            Some(at) if at.start <= from => self.read(at.start, at.end).and_then(|mut data| {
                opener.fragments(&mut data).map_err(|e| self.fault(e))?;
                Ok(data[(from - at.start) as usize..(to.min(at.end) - at.start) as usize].to_vec())
            }),
            other => self.read(from, plain_to(other.map_or(to, |f| f.start))),
        };
        self.opener = Some(opener);
        data
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::footage::cenc::{Sealing, Vectors};
    use proptest::prelude::*;

    fn boxed(kind: &[u8; 4], content: &[u8]) -> Vec<u8> {
        [&((content.len() + 8) as u32).to_be_bytes()[..], kind, content].concat()
    }

    fn words(all: &[u32]) -> Vec<u8> {
        all.iter().flat_map(|w| w.to_be_bytes()).collect()
    }

    fn trak(id: u32, entry: &[u8]) -> Vec<u8> {
        let stsd = boxed(b"stsd", &[&words(&[0, 1]), entry].concat());
        let mdia = boxed(b"mdia", &boxed(b"minf", &boxed(b"stbl", &stsd)));
        boxed(b"trak", &[boxed(b"tkhd", &words(&[0, 0, 0, id])), mdia].concat())
    }

    fn head() -> Vec<u8> {
        let avc1 = boxed(b"avc1", &[&[0; 78][..], &boxed(b"avcC", &[1, 0x64, 0, 40, 0xff, 0xe0, 0])].concat());
        let flac = boxed(b"fLaC", &[&[0; 28][..], &boxed(b"dfLa", &[0; 8])].concat());
        let trex = |id| boxed(b"trex", &words(&[0, id, 1, 0, 0, 0]));
        let mvex = boxed(b"mvex", &[trex(1), trex(2)].concat());
        [boxed(b"ftyp", b"iso6"), boxed(b"moov", &[trak(1, &avc1), trak(2, &flac), mvex].concat())].concat()
    }

    /// A fragment of two pictures and one packet of sound.
    fn fragment(pictures: [&[u8]; 2], sound: &[u8]) -> Vec<u8> {
        let traf = |id: u32, offset: u32, sizes: &[u32]| {
            let mut run = vec![0x201, sizes.len() as u32, offset];
            run.extend(sizes);
            boxed(
                b"traf",
                &[boxed(b"tfhd", &words(&[0x2_0000, id])), boxed(b"tfdt", &words(&[0, 0])), boxed(b"trun", &words(&run))].concat(),
            )
        };
        let of = |at: u32| {
            let sizes = pictures.map(|p| p.len() as u32);
            boxed(b"moof", &[traf(1, at, &sizes), traf(2, at + sizes[0] + sizes[1], &[sound.len() as u32])].concat())
        };
        let length = of(0).len() as u32;
        [of(length + 8), boxed(b"mdat", &[pictures[0], pictures[1], sound].concat())].concat()
    }

    fn picture(fill: u8, length: usize) -> Vec<u8> {
        [&((length + 1) as u32).to_be_bytes()[..], &[0x65], &vec![fill; length]].concat()
    }

    fn keys() -> Keys {
        let mut keys = Keys::default();
        keys.add(&"02".repeat(16), ContentKey::new([1; 16]));
        keys
    }

    /// A sealed file of some fragments, and where its header ends.
    fn sealed(fragments: &[Vec<u8>]) -> Vec<u8> {
        let (mut sealing, head) = Sealing::begin(&head(), &ContentKey::new([1; 16]), &[2; 16], Vectors::of_file(3, 1).unwrap()).unwrap();
        let all: Vec<_> = fragments.iter().map(|f| sealing.fragment(f).unwrap()).collect();
        [head.to_vec(), all.concat()].concat()
    }

    #[test]
    fn what_was_encrypted_comes_back_as_it_was_and_says_nothing_without_its_key() {
        let (first, second, sound) = (picture(0xaa, 500), picture(0xbb, 47), vec![0xcc; 99]);
        let plain = fragment([&first, &second], &sound);
        let file = sealed(&[plain.clone(), plain]);
        for fill in [0xaa_u8, 0xbb, 0xcc] {
            assert!(!file.windows(24).any(|w| w.iter().all(|b| *b == fill)), "{fill:x} is in the clear");
        }
        let mut clear = file.clone();
        whole(&mut clear, &keys()).unwrap();
        assert_eq!(clear.len(), file.len());
        let mdat = clear.windows(4).rposition(|w| w == b"mdat").unwrap() + 4;
        assert_eq!(clear[mdat..], [first, second, sound].concat());
        for gone in [b"encv", b"enca", b"sinf", b"senc", b"saiz", b"saio"] {
            assert!(!clear.windows(4).any(|w| w == gone), "{}", String::from_utf8_lossy(gone));
        }
        assert!(matches!(whole(&mut file.clone(), &Keys::default()), Err(Locked::NoKey { .. })));
    }

    #[test]
    fn any_part_of_a_file_is_the_same_as_in_the_whole_also_behind_a_torn_end() {
        let plain = fragment([&picture(1, 300), &picture(2, 700)], &[3; 50]);
        let mut file = sealed(&[plain.clone(), plain.clone(), plain, fragment([&picture(1, HEAD_BYTES as usize), &picture(2, 9)], &[])]);
        let bytes = file.len() as u64;
        file.extend(b"\0\0\x10\0moofxx");
        let mut clear = file.clone();
        whole(&mut clear, &keys()).unwrap();
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("f.mp4");
        durable::write_whole(&path, &file).unwrap();
        let mut opened = ClearFile::open(&path, bytes, &keys()).unwrap();
        for (from, to) in [(0, 1), (5, bytes), (700, 1_900), (bytes - 3, file.len() as u64), (0, file.len() as u64)] {
            let mut got = Vec::new();
            while from + (got.len() as u64) < to {
                got.extend(opened.piece(from + got.len() as u64, to).unwrap());
            }
            assert_eq!(got, clear[from as usize..to as usize], "{from}..{to}");
        }
        assert_eq!(kid_of(&path).unwrap(), Some("02".repeat(16)), "also of a file that is longer than what is read of it");
        let mut plain = ClearFile::open(&path, bytes, &Keys::default()).unwrap();
        assert_eq!(plain.piece(0, 50).unwrap(), file[..50]);
        let mut other = Keys::default();
        other.add(&"03".repeat(16), ContentKey::new([1; 16]));
        assert!(ClearFile::open(&path, bytes, &other).is_err(), "another key");
    }

    proptest! {
        #[test]
        fn no_bytes_make_the_reader_panic(data in prop::collection::vec(any::<u8>(), 0..400), at in 0_usize..2000, with in any::<u8>()) {
            let _ = whole(&mut data.clone(), &keys());
            let mut file = sealed(&[fragment([&picture(1, 90), &picture(2, 70)], &[3; 50])]);
            let at = at % file.len();
            file[at] = with;
            let _ = whole(&mut file, &keys());
        }
    }
}
