//! Where in a closed segment a player enters for a moment: at the last key picture before it, so that a seek into a minute of
//! pictures does not wait for the whole file. Only boxes' heads are read; no byte is changed.

use crate::footage::fragment::{self, Track};
use crate::machine::{durable, fault::Fault};
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;

/// The largest box before or between pictures that is read whole.
const BOX_BYTES_MAX: u64 = 4 * 1024 * 1024;

/// Two stretches of a file that are a file again: its header, and whole fragments from the entrance on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entrance {
    /// The header's length.
    pub header: u64,
    /// Where the fragment with the key picture begins.
    pub at: u64,
}

/// The entrance for a moment, ms from the segment's first picture, in a file that is whole up to `whole` bytes. None: from its beginning.
pub fn find(path: &Path, whole: u64, from_ms: u64) -> Result<Option<Entrance>, Fault> {
    let fault = |e: std::io::Error| Fault::file("read", path, e);
    let mut file = durable::open(path)?;
    let (mut at, mut video, mut found): (u64, Option<Track>, Option<Entrance>) = (0, None, None);
    let mut header = 0;
    while at + 16 <= whole {
        let mut head = [0; 16];
        file.seek(SeekFrom::Start(at)).and_then(|_| file.read_exact(&mut head)).map_err(fault)?;
        let (short, kind, long) = (u32_of(&head[..4]), &head[4..8], &head[8..]);
        let length = if short == 1 { u64::from(u32_of(&long[..4])) << 32 | u64::from(u32_of(&long[4..])) } else { u64::from(short) };
        if length < 8 || at.saturating_add(length) > whole {
            break;
        }
        if kind == b"moov" || kind == b"moof" {
            // The header counts from the file's beginning: the reader of it finds `moov` among its boxes.
            let from = if kind == b"moov" { 0 } else { at };
            let bytes = (at + length - from).min(BOX_BYTES_MAX);
            let mut data = vec![0; bytes as usize];
            file.seek(SeekFrom::Start(from)).and_then(|_| file.read_exact(&mut data)).map_err(fault)?;
            let malformed = |e| Fault::of("read", path.display().to_string(), e);
            match video {
                None if kind == b"moov" => {
                    video = fragment::video(&data).map_err(malformed)?;
                    header = at + length;
                }
                Some(video) if kind == b"moof" => match fragment::entrance_ns(&data, video).map_err(malformed)? {
                    Some(ns) if ns / 1_000_000 > from_ms => break,
                    Some(_) => found = Some(Entrance { header, at }),
                    None => {}
                },
                _ => {}
            }
        }
        at += length;
    }
    Ok(found)
}

fn u32_of(four: &[u8]) -> u32 {
    four.iter().fold(0, |n, b| n << 8 | u32::from(*b))
}
