//! Reading a whole custody log again: every entry, every tile, the signed head, and what was shown of it earlier.

use crate::custody::keys::PublicKey;
use crate::custody::note::{Checkpoint, VerifierKey, hash_of, hash_text};
use crate::custody::tiles::{self, Tiles, WIDTH};
use crate::machine::fault::Fault;
use crate::model::merkle::{self, Hash};
use std::collections::BTreeMap;
use std::path::Path;

/// A head that was printed on an anchor sheet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Anchor {
    /// How many entries the log had.
    pub size: u64,
    /// Their root.
    pub root: Hash,
}

impl Anchor {
    /// From `SIZE ROOT`, as the sheet has it, or from the text of a checkpoint (what the sheet's QR holds).
    pub fn parse(text: &str) -> Option<Self> {
        if let Ok(head) = Checkpoint::parse(&format!("{}\n", text.trim())) {
            return Some(Self { size: head.size, root: head.root });
        }
        let mut words = text.split_whitespace();
        let (size, root) = (words.next()?.parse().ok()?, words.next()?);
        Some(Self { size, root: hash_of(root)? })
    }
}

/// What was found.
#[derive(Debug, Clone, Default, serde::Serialize)]
pub struct Audit {
    /// Which log.
    pub origin: String,
    /// Entries read.
    pub entries: u64,
    /// Entries under the signed head.
    pub signed: u64,
    /// The root that the entries lead to, base64.
    pub root: String,
    /// Cosigners whose lines are under the newest cosigned head, by name.
    pub cosigners: Vec<String>,
    /// What is wrong.
    pub wrong: Vec<String>,
    /// Seal codes and the entries that hold them.
    #[serde(skip)]
    pub sealed: BTreeMap<String, u64>,
}

/// Reads the log of a folder whole. `key`: the log's public key from elsewhere. `anchors`: heads that were printed earlier.
pub fn audit(folder: &Path, key: Option<&PublicKey>, anchors: &[Anchor]) -> Result<Audit, Fault> {
    let mut disk = Tiles::of(folder);
    let (note, head) = disk.head(false)?;
    let mut found = Audit { origin: head.origin.clone(), signed: head.size, ..Audit::default() };
    if let Some(key) = key
        && let Err(e) = note.signed_by(&VerifierKey::of_log(&head.origin, key.clone()))
    {
        found.wrong.push(format!("checkpoint: {e}"));
    }
    let leaves = read_entries(&mut disk, &mut found);
    let size = leaves.iter().map(|l| l.len() as u64).sum::<u64>();
    found.entries = size;
    if size < head.size {
        found.wrong.push(format!("{size} entries are there, and the signed head has {}: the end is missing", head.size));
    }
    let mut tree = Leaves { bundles: leaves, roots: BTreeMap::new() };
    let root_at = |tree: &mut Leaves, at: u64| (at <= size).then(|| merkle::root(tree, at).unwrap_or_else(|never| match never {}));
    found.root = root_at(&mut tree, size).map(|r| hash_text(&r)).unwrap_or_default();
    if root_at(&mut tree, head.size).is_some_and(|root| root != head.root) {
        found.wrong.push("checkpoint: its root is not that of the entries: one was altered, added or removed".into());
    }
    for anchor in anchors {
        match root_at(&mut tree, anchor.size) {
            None => {
                found.wrong.push(format!("anchor sheet: {} entries were there once, and {size} are now: the end is missing", anchor.size));
            }
            Some(root) if root != anchor.root => {
                found.wrong.push(format!("anchor sheet: the first {} entries are not those that it was made over", anchor.size));
            }
            Some(_) => {}
        }
    }
    if let Ok((note, cosigned)) = disk.head(true) {
        if root_at(&mut tree, cosigned.size).is_none_or(|root| root != cosigned.root) {
            found.wrong.push("cosigned: outside cosigners saw another history".into());
        }
        found.cosigners = note.lines.iter().map(|l| l.name.clone()).filter(|name| *name != head.origin).collect();
    }
    Ok(found)
}

/// The leaf hashes of every bundle, each compared with its tile; and what the entries say of themselves.
fn read_entries(disk: &mut Tiles, found: &mut Audit) -> Vec<Vec<Hash>> {
    #[derive(serde::Deserialize)]
    struct Said {
        index: u64,
        #[serde(default)]
        kind: String,
        #[serde(default)]
        about: BTreeMap<String, String>,
    }
    let mut bundles = Vec::new();
    for n in 0.. {
        let entries = match disk.entries(n) {
            Ok(entries) => entries,
            Err(fault) if fault.is_absent() => break,
            Err(fault) => {
                found.wrong.push(fault.to_string());
                break;
            }
        };
        let leaves: Vec<Hash> = entries.iter().map(|e| merkle::leaf(e)).collect();
        if leaves.len() as u64 == WIDTH && disk.tile(0, n, WIDTH as usize).is_ok_and(|tile| tile != leaves) {
            found.wrong.push(format!("tile/0/{}: is not of its entries", tiles::number(n)));
        }
        for (at, entry) in entries.iter().enumerate() {
            let index = n * WIDTH + at as u64;
            match serde_json::from_slice::<Said>(entry) {
                Ok(said) if said.index != index => found.wrong.push(format!("entry {index}: says of itself that it is {}", said.index)),
                Ok(said) if said.kind == "session_sealed" => {
                    found.sealed.extend(said.about.get("seal_code").map(|code| (code.clone(), index)));
                }
                Ok(_) => {}
                Err(e) => found.wrong.push(format!("entry {index}: is no entry: {e}")),
            }
        }
        if leaves.len() as u64 > WIDTH {
            found.wrong.push(format!("tile/entries/{}: holds more than {WIDTH} entries", tiles::number(n)));
            break;
        }
        let is_last = (leaves.len() as u64) < WIDTH;
        bundles.push(leaves);
        if is_last {
            break;
        }
    }
    bundles
}

/// All leaf hashes, with the roots of whole bundles kept.
struct Leaves {
    bundles: Vec<Vec<Hash>>,
    roots: BTreeMap<(u32, u64), Hash>,
}

impl merkle::Subtrees for Leaves {
    type Error = std::convert::Infallible;

    fn subtree(&mut self, level: u32, index: u64) -> Result<Hash, Self::Error> {
        if level <= 8 {
            let (first, n) = ((index << level) as usize, 1_usize << level);
            return Ok(tiles::perfect(&self.bundles[first / WIDTH as usize][first % WIDTH as usize..][..n]));
        }
        if let Some(known) = self.roots.get(&(level, index)) {
            return Ok(*known);
        }
        let hash = merkle::node(&self.subtree(level - 1, index * 2)?, &self.subtree(level - 1, index * 2 + 1)?);
        self.roots.insert((level, index), hash);
        Ok(hash)
    }
}
