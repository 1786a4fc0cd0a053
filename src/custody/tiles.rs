//! The custody log as it lies in its folder: C2SP tlog-tiles, readable by any client of it, and by hand.
//!
//! ```text
//! origin                    which log this is
//! checkpoint                its head, signed          cosigned: the newest head with cosigners' lines
//! tile/entries/000          256 entries: 16-bit length (big-endian), then the entry, RFC 8785 JSON
//! tile/entries/000.p/17     as many as there are yet
//! tile/0/000                256 leaf hashes; tile/1/000: the roots of 256 such tiles; …
//! writing/000000000000      the entries behind the last whole bundle: the file that grows; bundles are its end
//! ```
//!
//! Whole tiles are durable before their bundle has its name; those in `.p` can be made anew from `writing` at any time.

use crate::custody::note::{Checkpoint, NOTE_BYTES_MAX, Note, Proof};
use crate::machine::{durable, fault::Fault};
use crate::model::merkle::{self, Hash, Subtrees};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Hashes in a tile, entries in a bundle.
pub const WIDTH: u64 = 256;
/// The largest bundle: 256 entries of 65,535 bytes.
const BUNDLE_BYTES_MAX: u64 = WIDTH * (2 + 65_535);
/// Tiles that are kept in memory while a proof is made or a log is checked.
const TILES_MAX: usize = 64;

/// `x001/x234/067`: the path of a tile by its number.
pub fn number(n: u64) -> String {
    let mut path = format!("{:03}", n % 1000);
    let mut rest = n / 1000;
    while rest > 0 {
        path = format!("x{:03}/{path}", rest % 1000);
        rest /= 1000;
    }
    path
}

/// A whole tile of hashes.
pub fn hash_tile(folder: &Path, level: u32, n: u64) -> PathBuf {
    folder.join(format!("tile/{level}/{}", number(n)))
}

/// A whole bundle of entries.
pub fn bundle(folder: &Path, n: u64) -> PathBuf {
    folder.join(format!("tile/entries/{}", number(n)))
}

/// The folder of what there is yet of a tile or bundle.
pub fn partial(whole: &Path) -> PathBuf {
    let mut name = whole.file_name().unwrap_or_default().to_owned();
    name.push(".p");
    whole.with_file_name(name)
}

/// The file that grows, by the number of the bundle that it becomes.
pub fn writing(folder: &Path, n: u64) -> PathBuf {
    folder.join(format!("writing/{n:012}"))
}

/// Entries one behind the other, and how many bytes the whole ones take.
pub fn split(data: &[u8]) -> (Vec<&[u8]>, usize) {
    let (mut entries, mut at) = (Vec::new(), 0);
    while let Some(length) = data.get(at..at + 2) {
        let length = usize::from(u16::from_be_bytes([length[0], length[1]]));
        let Some(entry) = data.get(at + 2..at + 2 + length) else { break };
        entries.push(entry);
        at += 2 + length;
    }
    (entries, at)
}

/// The root of 2^n hashes.
pub fn perfect(hashes: &[Hash]) -> Hash {
    if let [one] = hashes {
        *one
    } else {
        let (left, right) = hashes.split_at(hashes.len() / 2);
        merkle::node(&perfect(left), &perfect(right))
    }
}

/// Hashes as they lie in a tile.
pub fn hashes(data: &[u8]) -> Vec<Hash> {
    data.as_chunks::<32>().0.to_vec()
}

/// Reading a log's folder.
#[derive(Debug)]
pub struct Tiles {
    folder: PathBuf,
    kept: BTreeMap<(u32, u64), Vec<Hash>>,
}

impl Tiles {
    /// Of a log's folder.
    pub fn of(folder: &Path) -> Self {
        Self { folder: folder.to_owned(), kept: BTreeMap::new() }
    }

    /// The hashes of a tile, at least so many.
    pub fn tile(&mut self, level: u32, n: u64, least: usize) -> Result<&[Hash], Fault> {
        let key = (level, n);
        if self.kept.get(&key).is_none_or(|kept| kept.len() < least) {
            if self.kept.len() >= TILES_MAX {
                self.kept.clear();
            }
            let data = whole_or_partial(&hash_tile(&self.folder, level, n), least, WIDTH * 32)?;
            self.kept.insert(key, hashes(&data));
        }
        let kept = self.kept.get(&key).filter(|k| k.len() >= least);
        kept.map(Vec::as_slice).ok_or_else(|| Fault::of("read", format!("tile {level}/{n}"), "is cut short"))
    }

    /// The entries of a bundle, as they lie there: a whole one, or what there is yet.
    pub fn entries(&self, n: u64) -> Result<Vec<Vec<u8>>, Fault> {
        let whole = bundle(&self.folder, n);
        let growing = writing(&self.folder, n);
        let read = |path: &Path| durable::read_whole(path, BUNDLE_BYTES_MAX);
        // A bundle that becomes whole between two looks is found by the third.
        let data = match read(&whole) {
            Err(fault) if fault.is_absent() => match read(&growing) {
                Err(fault) if fault.is_absent() => match read(&whole) {
                    Err(fault) if fault.is_absent() => whole_or_partial(&whole, 1, BUNDLE_BYTES_MAX)?,
                    other => other?,
                },
                other => other?,
            },
            other => other?,
        };
        Ok(split(&data).0.into_iter().map(<[u8]>::to_vec).collect())
    }

    /// One entry, as its leaf hash is made of it.
    pub fn entry(&self, index: u64) -> Result<Vec<u8>, Fault> {
        let mut bundle = self.entries(index / WIDTH)?;
        let at = (index % WIDTH) as usize;
        if at < bundle.len() { Ok(bundle.swap_remove(at)) } else { Err(Fault::of("read", format!("entry {index}"), "is not in the log")) }
    }

    /// The head that was signed last; the newest cosigned one if `cosigned`.
    pub fn head(&self, cosigned: bool) -> Result<(Note, Checkpoint), Fault> {
        let path = self.folder.join(if cosigned { "cosigned" } else { "checkpoint" });
        let data = durable::read_whole(&path, NOTE_BYTES_MAX)?;
        let wrong = |e| Fault::of("read", path.display().to_string(), e);
        let note = Note::parse(&data).map_err(wrong)?;
        let head = Checkpoint::parse(&note.text).map_err(wrong)?;
        Ok((note, head))
    }

    /// An entry with its proof: under the newest cosigned head that holds it, else under the newest head.
    pub fn proof(&mut self, index: u64) -> Result<(Vec<u8>, Proof), Fault> {
        let cosigned = self.head(true).ok().filter(|(_, head)| index < head.size);
        let (note, head) = if let Some(cosigned) = cosigned { cosigned } else { self.head(false)? };
        if index >= head.size {
            return Err(Fault::of("prove", format!("entry {index}"), format!("the signed head has {} entries", head.size)));
        }
        let hashes = merkle::inclusion(self, index, head.size)?;
        Ok((self.entry(index)?, Proof { index, hashes, note }))
    }
}

impl Subtrees for Tiles {
    type Error = Fault;

    fn subtree(&mut self, level: u32, index: u64) -> Result<Hash, Fault> {
        let (tile_level, within) = (level / 8, level % 8);
        let first = index << within;
        let at = (first % WIDTH) as usize;
        let tile = self.tile(tile_level, first / WIDTH, at + (1 << within))?;
        Ok(perfect(&tile[at..at + (1 << within)]))
    }
}

/// A whole file, or the widest of its partial ones that has at least so many.
fn whole_or_partial(whole: &Path, least: usize, bytes_max: u64) -> Result<Vec<u8>, Fault> {
    match durable::read_whole(whole, bytes_max) {
        Err(fault) if fault.is_absent() => {
            let folder = partial(whole);
            let widths = durable::names(&folder)?.into_iter().filter_map(|name| name.parse::<usize>().ok());
            match widths.filter(|w| *w >= least).max() {
                Some(width) => durable::read_whole(&folder.join(width.to_string()), bytes_max),
                None => Err(fault),
            }
        }
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tiles_lie_where_the_specification_says() {
        assert_eq!(number(0), "000");
        assert_eq!(number(255), "255");
        assert_eq!(number(1_234_067), "x001/x234/067");
        assert_eq!(partial(Path::new("tile/0/x001/067")), Path::new("tile/0/x001/067.p"));
    }

    #[test]
    fn a_torn_end_is_no_entry() {
        assert_eq!(split(b"\0\x02ab\0\x01c\0\x05de"), (vec![&b"ab"[..], &b"c"[..]], 7));
    }
}
