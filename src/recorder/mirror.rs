//! Two volumes that should hold the same: what one lost is brought over from the other before the session is sealed, and where
//! each byte came from stays written down.
//!
//! Files that both volumes closed with one digest are taken as the same: both were written and synced from the same bytes. All
//! others are compared byte by byte.

use crate::footage::{keyring, tree};
use crate::machine::durable::{self, Appending};
use crate::machine::fault::Fault;
use crate::model::entry::{Draft, EntryKind};
use crate::model::import::is_footage;
use crate::model::session::{Happening, Reconciled, Segment, Session};
use crate::recorder::{Shared, recovery};
use std::collections::BTreeSet;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;

/// Read at a time.
const PIECE: usize = 1 << 20;
/// The largest paper that is brought to the mirror.
const PAPER_BYTES_MAX: u64 = 256 * 1024 * 1024;

/// What a folder holds that its session does not know yet: first completed from the mirror, then taken up as it lies.
/// `mirrored`: files that the mirror is known to have closed.
pub fn take_up(shared: &Shared, folder: &Path, session: &Session, mirrored: &[Segment]) -> Vec<Happening> {
    let mut done = Vec::new();
    if let Some(mirror) = shared.mirror() {
        let there = mirror.place().root().join(shared.below(folder));
        match mirror.place().check() {
            Ok(()) => {
                bring_keys(folder, &there);
                done = reconcile(folder, &there, session, mirrored);
            }
            Err(fault) => tracing::error!(session = %session.id, %fault, "the mirror is not compared"),
        }
    }
    let brought = |file: &str| {
        done.iter().find_map(|(of, how)| match how {
            Reconciled::FromMirror { from_byte } if of == file => Some(*from_byte),
            _ => None,
        })
    };
    let taken = recovery::take_up(folder, session).into_iter().map(|taken| {
        let known = mirrored.iter().find(|m| m.file == taken.file && m.sha256 == taken.sha256).cloned();
        Segment { from_mirror: brought(&taken.file), ..known.unwrap_or(taken) }
    });
    let taken: Vec<_> = taken.map(Happening::SegmentClosed).collect();
    let told = done.into_iter().map(|(file, how)| Happening::Reconciled { file, how });
    recovery::keys_left(folder, session).into_iter().chain(told).chain(taken).collect()
}

/// Keys that the mirror alone has: what it recorded meanwhile is encrypted by them.
fn bring_keys(here: &Path, there: &Path) {
    for name in keyring::files(there).unwrap_or_default().iter().filter(|n| !durable::exists(&here.join(n))) {
        let brought = durable::make_folder(here).and_then(|()| durable::copy_whole(&there.join(name), &here.join(name)));
        if let Err(fault) = brought {
            tracing::error!(%fault, "a key stays on the mirror alone");
        }
    }
}

/// The log entry of a file that was brought over.
pub fn entry(happening: &Happening) -> Option<Draft> {
    let Happening::Reconciled { file, how } = happening else { return None };
    let (how, at) = match how {
        Reconciled::FromMirror { from_byte } => ("from_mirror", from_byte),
        Reconciled::ToMirror { from_byte } => ("to_mirror", from_byte),
        Reconciled::Differs { at_byte } => ("differs", at_byte),
    };
    Some(Draft::new(EntryKind::VolumesReconciled).about("file", file).about("how", how).about("at_byte", at))
}

fn reconcile(here: &Path, there: &Path, session: &Session, mirrored: &[Segment]) -> Vec<(String, Reconciled)> {
    let names = |folder: &Path| durable::names(folder).unwrap_or_default().into_iter().filter(|n| n.ends_with(".mp4"));
    let all: BTreeSet<String> = names(here).chain(names(there)).collect();
    let mut done = Vec::new();
    for name in all {
        let closed = session.segments.iter().find(|s| s.file == name);
        if closed.is_some_and(|s| mirrored.iter().any(|m| m.file == s.file && m.sha256 == s.sha256)) {
            continue;
        }
        match reconcile_file(&here.join(&name), &there.join(&name), closed.is_some()) {
            Ok(None) => {}
            Ok(Some(how)) => {
                tracing::warn!(session = %session.id, file = name, ?how, "the volumes differed");
                done.push((name, how));
            }
            Err(fault) => tracing::error!(session = %session.id, %fault, "a file is not reconciled"),
        }
    }
    done
}

fn reconcile_file(here: &Path, there: &Path, closed: bool) -> Result<Option<Reconciled>, Fault> {
    let length = |path: &Path| if durable::exists(path) { durable::length(path).map(Some) } else { Ok(None) };
    let (mine, other) = (length(here)?, length(there)?);
    let common = mine.unwrap_or(0).min(other.unwrap_or(0));
    if let Some(at_byte) = first_difference(here, there, common)? {
        return Ok(Some(Reconciled::Differs { at_byte }));
    }
    match mine.unwrap_or(0).cmp(&other.unwrap_or(0)) {
        std::cmp::Ordering::Equal => Ok(None),
        // What was closed is never touched again, not even to make it longer.
        std::cmp::Ordering::Less if closed => Ok(Some(Reconciled::Differs { at_byte: common })),
        std::cmp::Ordering::Less => bring(there, here, common).map(|()| Some(Reconciled::FromMirror { from_byte: common })),
        std::cmp::Ordering::Greater => bring(here, there, common).map(|()| Some(Reconciled::ToMirror { from_byte: common })),
    }
}

fn first_difference(here: &Path, there: &Path, length: u64) -> Result<Option<u64>, Fault> {
    if length == 0 {
        return Ok(None);
    }
    let (mut mine, mut other) = (durable::open(here)?.take(length), durable::open(there)?.take(length));
    let (mut piece, mut its) = (vec![0; PIECE], vec![0; PIECE]);
    let mut at = 0;
    loop {
        let n = mine.read(&mut piece).map_err(|e| Fault::file("read", here, e))?;
        if n == 0 {
            return Ok(None);
        }
        other.read_exact(&mut its[..n]).map_err(|e| Fault::file("read", there, e))?;
        if let Some(off) = piece[..n].iter().zip(&its[..n]).position(|(p, q)| p != q) {
            return Ok(Some(at + off as u64));
        }
        at += n as u64;
    }
}

/// Appends what lies behind `from_byte` in one file to the other, durably.
fn bring(source: &Path, to: &Path, from_byte: u64) -> Result<(), Fault> {
    if let Some(folder) = to.parent() {
        durable::make_folder(folder)?;
    }
    let mut file = Appending::open(to)?;
    let mut rest = durable::open(source)?;
    rest.seek(SeekFrom::Start(from_byte)).map_err(|e| Fault::file("read", source, e))?;
    let mut piece = vec![0; PIECE];
    loop {
        match rest.read(&mut piece).map_err(|e| Fault::file("read", source, e))? {
            0 => return file.sync(),
            n => file.append(&piece[..n])?,
        }
    }
}

/// Brings what is no footage (journal, manifest, signature, documents) to the mirror, as it is now. What fails is told, and
/// done again the next time.
pub fn copy_papers(shared: &Shared, folder: &Path) {
    let Some(mirror) = shared.mirror() else { return };
    let there = mirror.place().root().join(shared.below(folder));
    let copy = || -> Result<(), Fault> {
        mirror.place().check()?;
        let documents = (folder.join(tree::DOCUMENTS), there.join(tree::DOCUMENTS));
        for (from, to, is_paper) in [(folder.to_owned(), there.clone(), false), (documents.0, documents.1, true)] {
            // A scan may be a picture; in the session's own folder a picture is footage that was taken in.
            let wanted = |n: &String| (is_paper || !is_footage(n)) && *n != tree::DOCUMENTS && !n.ends_with(".part");
            for name in durable::names(&from)?.into_iter().filter(wanted) {
                let paper = durable::read_whole(&from.join(&name), PAPER_BYTES_MAX)?;
                let same = durable::read_whole(&to.join(&name), PAPER_BYTES_MAX).is_ok_and(|there| there == paper);
                if !same {
                    durable::make_folder(&to)?;
                    durable::write_whole(&to.join(&name), &paper)?;
                }
            }
        }
        Ok(())
    };
    if let Err(fault) = copy() {
        tracing::error!(%fault, "the mirror lacks papers of {}", folder.display());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn case(here: Option<&[u8]>, there: Option<&[u8]>, closed: bool) -> (Option<Reconciled>, Option<Vec<u8>>, Option<Vec<u8>>) {
        let dir = tempfile::tempdir().unwrap();
        let (a, b) = (dir.path().join("here/f.mp4"), dir.path().join("there/f.mp4"));
        for (path, data) in [(&a, here), (&b, there)] {
            durable::make_folder(path.parent().unwrap()).unwrap();
            if let Some(data) = data {
                durable::write_whole(path, data).unwrap();
            }
        }
        let how = reconcile_file(&a, &b, closed).unwrap();
        (how, durable::read_whole(&a, 99).ok(), durable::read_whole(&b, 99).ok())
    }

    #[test]
    fn what_one_volume_lacks_comes_from_the_other_and_a_closed_file_is_never_touched() {
        let some = |text: &str| Some(text.as_bytes().to_vec());
        let from = |from_byte| Some(Reconciled::FromMirror { from_byte });
        assert_eq!(case(Some(b"abc"), Some(b"abc"), true), (None, some("abc"), some("abc")));
        assert_eq!(case(Some(b"ab"), Some(b"abcd"), false), (from(2), some("abcd"), some("abcd")));
        assert_eq!(case(None, Some(b"abcd"), false), (from(0), some("abcd"), some("abcd")));
        assert_eq!(case(Some(b"abcd"), Some(b"a"), true), (Some(Reconciled::ToMirror { from_byte: 1 }), some("abcd"), some("abcd")));
        assert_eq!(case(Some(b"ab"), Some(b"abcd"), true), (Some(Reconciled::Differs { at_byte: 2 }), some("ab"), some("abcd")));
        assert_eq!(case(Some(b"axc"), Some(b"abc"), false), (Some(Reconciled::Differs { at_byte: 1 }), some("axc"), some("abc")));
    }
}
