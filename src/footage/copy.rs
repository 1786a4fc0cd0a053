//! A camera's segments as one file: a derived copy for looking, never the original. Decode times are moved to where each
//! segment lies in the session, so that a gap stays as long as it was.

use crate::footage::segment::BYTES_MAX;
use crate::footage::{clear, fragment};
use crate::machine::{durable, fault::Fault};
use crate::model::content_key::Keys;
use crate::model::session::Segment;
use bytes::Bytes;
use std::path::{Path, PathBuf};

/// What of which file goes into the copy.
struct Part {
    path: PathBuf,
    header: usize,
    whole: usize,
    shift_ns: i64,
}

/// How a copy is put together; made before the first byte is sent, so that its length is known.
pub struct Plan {
    header: Bytes,
    parts: Vec<Part>,
    keys: Keys,
}

/// Plans the copy of segments in their order. Segments whose format differs from the first's (the camera changed resolution)
/// cannot stand in one file and are a fault: the originals are to be taken. `keys`: of what is encrypted; the copy is in the clear.
pub fn plan(folder: &Path, segments: &[Segment], keys: &Keys) -> Result<Plan, Fault> {
    let (mut header, mut format) = (Bytes::new(), Vec::new());
    let mut parts = Vec::new();
    let start_ms = segments.first().map_or(0, |s| s.offset_ms);
    for segment in segments {
        let path = folder.join(&segment.file);
        let mut data = durable::read_whole(&path, BYTES_MAX)?;
        let extent = fragment::extent(&data);
        clear::header(&mut data[..extent.header], keys).map_err(|e| Fault::of("join", segment.file.clone(), e))?;
        if extent.fragments.is_empty() {
            continue;
        }
        let plain = fragment::timeless(&data[..extent.header]).map_err(|e| Fault::of("join", segment.file.clone(), e))?;
        if header.is_empty() {
            header = Bytes::copy_from_slice(&data[..extent.header]);
            format = plain;
        } else if format != plain {
            return Err(Fault::of("join", segment.file.clone(), "the camera changed its picture format; take the original files"));
        }
        let shift_ns = (segment.offset_ms - start_ms) * 1_000_000;
        parts.push(Part { path, header: extent.header, whole: extent.whole, shift_ns });
    }
    Ok(Plan { header, parts, keys: keys.clone() })
}

impl Plan {
    /// Length of the copy.
    pub fn bytes(&self) -> u64 {
        self.header.len() as u64 + self.parts.iter().map(|p| (p.whole - p.header) as u64).sum::<u64>()
    }

    /// Sends the copy piece by piece, until `give` says no.
    pub fn send(&self, give: impl FnMut(Result<Bytes, Fault>) -> bool) {
        self.send_range(0, self.bytes(), give);
    }

    /// Sends its bytes from `from` up to `to`; whether all of them were taken.
    pub fn send_range(&self, from: u64, to: u64, mut give: impl FnMut(Result<Bytes, Fault>) -> bool) -> bool {
        let mut at = 0;
        // What lies at `at` and is so long, cut to what is asked for; `None`: nothing of it.
        let mut wanted = |length: usize| {
            let begin = at;
            at += length as u64;
            let (first, end) = (from.max(begin), to.min(at));
            (first < end).then(|| (first - begin) as usize..(end - begin) as usize)
        };
        if let Some(range) = wanted(self.header.len())
            && !give(Ok(self.header.slice(range)))
        {
            return false;
        }
        for part in &self.parts {
            let Some(range) = wanted(part.whole - part.header) else { continue };
            let piece = self.read(part).map(|piece| piece.slice(range));
            let failed = piece.is_err();
            if !give(piece) || failed {
                return false;
            }
        }
        true
    }

    fn read(&self, part: &Part) -> Result<Bytes, Fault> {
        let object = || part.path.display().to_string();
        let mut data = durable::read_whole(&part.path, BYTES_MAX)?;
        if data.len() < part.whole {
            return Err(Fault::of("join", object(), "the file became shorter"));
        }
        clear::whole(&mut data[..part.whole], &self.keys).map_err(|e| Fault::of("join", object(), e))?;
        let tracks = fragment::tracks(&self.header).map_err(|e| Fault::of("join", object(), e))?;
        let data = Bytes::from(data);
        fragment::shifted(&data.slice(part.header..part.whole), &tracks, part.shift_ns).map_err(|e| Fault::of("join", object(), e))
    }
}
