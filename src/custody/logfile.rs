//! The custody log's files while they grow, and how they are taken up again: after a power cut, after somebody changed them,
//! after a backup was put back.
//!
//! Nothing is ever signed that contradicts what was signed before. A log whose files do not lead to its own signed head, or
//! that is shorter than a head that another volume remembers, is set aside whole (`log-1`, `log-2`, …), and a new log begins
//! whose first entry cites the head of the old one and says why.

use crate::custody::keys::Signer;
use crate::custody::note::{Checkpoint, NOTE_BYTES_MAX, Note, VerifierKey, hash_text};
use crate::custody::tiles::{self, Tiles, WIDTH};
use crate::machine::durable::{self, Appending};
use crate::machine::{fault::Fault, randomness};
use crate::model::merkle::{self, Hash, Subtrees};
use std::path::{Path, PathBuf};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::Duration;

/// How long a volume may take to say which head it remembers.
const PATIENCE: Duration = Duration::from_secs(2);
/// The largest file of entries that are in no whole bundle yet.
const WRITING_BYTES_MAX: u64 = 64 * 1024 * 1024;

/// What an open log needs.
#[derive(Clone)]
pub struct Opening {
    /// Its folder; logs that were set aside lie beside it.
    pub folder: PathBuf,
    /// Signs its heads.
    pub key: Arc<Signer>,
    /// Files elsewhere that remember the newest head: on the volumes, on a stick. A backup that is put back does not reach them.
    pub remembered: Vec<PathBuf>,
}

/// Why a log goes on as another one, and after which.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Broken {
    /// In a word, for the entry.
    pub why: &'static str,
    /// What was found.
    pub what: String,
    /// The newest head that is known of it.
    pub head: Option<Checkpoint>,
}

/// A log that grows.
#[derive(Debug)]
pub struct LogFile {
    folder: PathBuf,
    key: Arc<Signer>,
    remembered: Vec<PathBuf>,
    origin: Arc<str>,
    size: u64,
    /// The hashes of each level's tile that is not whole yet.
    edge: Vec<Vec<Hash>>,
    writing: Option<Appending>,
    /// The head that was signed last.
    signed: u64,
}

enum Found {
    Whole(Box<LogFile>),
    Broken(Broken),
}

impl LogFile {
    /// Takes up the log of a folder, or begins one; with the log that it follows, if it follows one.
    pub fn open(opening: &Opening) -> Result<(Self, Option<Broken>), Fault> {
        let folder = &opening.folder;
        durable::make_folder(folder)?;
        let found = if durable::exists(&folder.join("origin")) {
            Self::take_up(opening)?
        } else if durable::names(folder)?.is_empty() {
            let mut log = Self::begin(opening)?;
            // A bare machine to which keys and catalog were restored: the head that a volume remembers is cited, not passed over.
            let forgotten = log.forgotten().map(|(what, head)| Broken { why: "restored", what, head: Some(head) });
            return Ok((log, forgotten));
        } else {
            Found::Broken(Broken { why: "older_form", what: "its files are of an older form".into(), head: None })
        };
        match found {
            Found::Whole(log) => Ok((*log, None)),
            Found::Broken(broken) => {
                set_aside(folder)?;
                durable::make_folder(folder)?;
                Ok((Self::begin(opening)?, Some(broken)))
            }
        }
    }

    fn begin(opening: &Opening) -> Result<Self, Fault> {
        let origin = format!("shilu/{}/{}", &opening.key.public().fingerprint()[..16], randomness::hex::<4>()?);
        durable::write_whole(&opening.folder.join("origin"), origin.as_bytes())?;
        Ok(Self::empty(opening, &origin))
    }

    fn empty(opening: &Opening, origin: &str) -> Self {
        let Opening { folder, key, remembered } = opening.clone();
        Self { folder, key, remembered, origin: origin.into(), size: 0, edge: vec![vec![]], writing: None, signed: 0 }
    }

    fn take_up(opening: &Opening) -> Result<Found, Fault> {
        let folder = &opening.folder;
        let origin = String::from_utf8_lossy(&durable::read_whole(&folder.join("origin"), 1024)?).into_owned();
        let mut log = Self::empty(opening, &origin);
        let head = match Tiles::of(folder).head(false) {
            Ok((note, head)) => {
                let own = VerifierKey::of_log(&origin, log.key.public());
                if head.origin != origin || note.signed_by(&own).is_err() {
                    let what = "its head is not signed by this machine's key".into();
                    return Ok(Found::Broken(Broken { why: "other_key", what, head: Some(head) }));
                }
                Some(head)
            }
            Err(fault) if fault.is_absent() => None,
            Err(fault) => return Ok(Found::Broken(Broken { why: "damaged", what: fault.to_string(), head: None })),
        };
        let broken = |why, what: String| Ok(Found::Broken(Broken { why, what, head: head.clone() }));
        match log.load(head.as_ref().map_or(0, |h| h.size)) {
            Ok(()) => {}
            // A file that is there and cannot be read is the disk's trouble, and may pass; nothing is set aside for it.
            Err(Trouble::Machine(fault)) => return Err(fault),
            Err(Trouble::Altered(what)) => return broken("damaged", what),
        }
        if let Some(head) = &head {
            match log.root_at(head.size) {
                Ok(root) if root == head.root => {}
                Ok(_) => return broken("damaged", "its files do not lead to its signed head: they were altered".into()),
                Err(fault) => return broken("damaged", fault.to_string()),
            }
            log.signed = head.size;
        }
        if let Some((what, newer)) = log.forgotten() {
            return Ok(Found::Broken(Broken { why: "restored", what, head: Some(newer) }));
        }
        Ok(Found::Whole(Box::new(log)))
    }

    /// Reads the right edge: whole bundles from their tiles, the rest from the file that grows.
    fn load(&mut self, signed: u64) -> Result<(), Trouble> {
        let mut whole = signed / WIDTH;
        if whole > 0 && !durable::exists(&tiles::bundle(&self.folder, whole - 1)) {
            return Err(Trouble::Altered(format!("entries before {} are missing", whole * WIDTH)));
        }
        while durable::exists(&tiles::bundle(&self.folder, whole)) {
            whole += 1;
        }
        let mut disk = Tiles::of(&self.folder);
        if whole > 0 {
            self.check_last_bundle(&mut disk, whole - 1)?;
        }
        let mut tiles_below = whole;
        let mut level = 0;
        while tiles_below > 0 {
            let (first, count) = (tiles_below / WIDTH * WIDTH, tiles_below % WIDTH);
            let roots = (first..first + count).map(|n| Ok(tiles::perfect(disk.tile(level, n, WIDTH as usize)?)));
            self.edge.push(roots.collect::<Result<_, Fault>>().map_err(Trouble::of_files)?);
            tiles_below /= WIDTH;
            level += 1;
        }
        self.size = whole * WIDTH;
        self.load_writing(whole)?;
        if self.size < signed {
            return Err(Trouble::Altered(format!("it has {} entries, and {signed} were signed", self.size)));
        }
        Ok(())
    }

    /// The last whole bundle is the one that a power cut may have met; all of them are read by `shilu log check`.
    fn check_last_bundle(&self, disk: &mut Tiles, n: u64) -> Result<(), Trouble> {
        let leaves: Vec<Hash> = disk.entries(n).map_err(Trouble::of_files)?.iter().map(|e| merkle::leaf(e)).collect();
        let tile = disk.tile(0, n, WIDTH as usize).map_err(Trouble::of_files)?;
        if tile == leaves { Ok(()) } else { Err(Trouble::Altered(format!("bundle {n} and its tile differ"))) }
    }

    fn load_writing(&mut self, n: u64) -> Result<(), Trouble> {
        let path = tiles::writing(&self.folder, n);
        if !durable::exists(&path) {
            return Ok(());
        }
        let data = durable::read_whole(&path, WRITING_BYTES_MAX).map_err(Trouble::Machine)?;
        let (entries, whole) = tiles::split(&data);
        self.edge[0] = entries.iter().map(|e| merkle::leaf(e)).collect();
        self.size += entries.len() as u64;
        if entries.len() as u64 > WIDTH {
            return Err(Trouble::Altered(format!("{} holds more than a bundle", path.display())));
        }
        let torn = &data[whole..];
        let file = if torn.is_empty() {
            Appending::open(&path)
        } else {
            // A torn end was never acknowledged to anyone. It is kept aside, not thrown away, and the log goes on before it.
            let aside = self.folder.join(format!("torn-{}", self.size));
            durable::write_whole(&aside, torn).and_then(|()| Appending::open_cut(&path, whole as u64))
        };
        self.writing = Some(file.map_err(Trouble::Machine)?);
        // A crash after the write and before the acknowledgement: what is taken up now is made durable before it is signed.
        self.sync().and_then(|()| self.finish_bundle()).map_err(Trouble::Machine)
    }

    /// What other volumes remember of this machine's log, and this log has forgotten.
    fn forgotten(&mut self) -> Option<(String, Checkpoint)> {
        for path in self.remembered.clone() {
            let Some(data) = read_patiently(&path) else { continue };
            let Ok(note) = Note::parse(&data) else { continue };
            let Ok(head) = Checkpoint::parse(&note.text) else { continue };
            // Only what this key really signed counts: a file that somebody put there cannot make a log begin anew.
            if note.signed_by(&VerifierKey::of_log(&head.origin, self.key.public())).is_err() {
                continue;
            }
            let here = path.display();
            if head.origin != *self.origin {
                if !set_aside_logs(&self.folder).iter().any(|f| origin_of(f).is_some_and(|o| o == head.origin)) {
                    return Some((format!("{here} remembers another log of this machine, {}", head.origin), head));
                }
            } else if head.size > self.size {
                return Some((format!("it has {} entries, and {here} remembers {}", self.size, head.size), head));
            } else if self.root_at(head.size).is_ok_and(|root| root != head.root) {
                return Some((format!("its first {} entries are not those that {here} remembers", head.size), head));
            }
        }
        None
    }

    /// Which log.
    pub fn origin(&self) -> &Arc<str> {
        &self.origin
    }

    /// How many entries, signed or not.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// How many of them the newest head has.
    pub fn signed(&self) -> u64 {
        self.signed
    }

    /// The root of the first entries.
    pub fn root_at(&self, size: u64) -> Result<Hash, Fault> {
        merkle::root(&mut Known { log: self, disk: Tiles::of(&self.folder) }, size)
    }

    /// Puts an entry behind the last one; durable after the next sync.
    pub fn put(&mut self, entry: &[u8]) -> Result<(), Fault> {
        self.finish_bundle()?;
        let length = u16::try_from(entry.len()).map_err(|e| Fault::of("log", "an entry", e))?;
        if self.writing.is_none() {
            durable::make_folder(&self.folder.join("writing"))?;
            self.writing = Some(Appending::open(&tiles::writing(&self.folder, self.size / WIDTH))?);
        }
        let Some(file) = &mut self.writing else { return Ok(()) };
        if let Err(fault) = file.append_both(&length.to_be_bytes(), entry) {
            file.drop_torn_tail()?;
            return Err(fault);
        }
        self.edge[0].push(merkle::leaf(entry));
        self.size += 1;
        Ok(())
    }

    /// Makes all entries durable.
    pub fn sync(&mut self) -> Result<(), Fault> {
        self.writing.as_mut().map_or(Ok(()), Appending::sync)
    }

    /// A file that has as many entries as a bundle becomes one: its tiles first, then its name.
    fn finish_bundle(&mut self) -> Result<(), Fault> {
        if self.edge[0].len() < WIDTH as usize {
            return Ok(());
        }
        self.sync()?;
        let mut edge = self.edge.clone();
        let mut level = 0;
        while edge[level].len() == WIDTH as usize {
            let n = (self.size >> (8 * (level + 1))) - 1;
            write(&tiles::hash_tile(&self.folder, level as u32, n), &edge[level].concat(), true)?;
            let root = tiles::perfect(&edge[level]);
            edge[level].clear();
            level += 1;
            if edge.len() == level {
                edge.push(vec![]);
            }
            edge[level].push(root);
        }
        let n = self.size / WIDTH - 1;
        let (from, to) = (tiles::writing(&self.folder, n), tiles::bundle(&self.folder, n));
        if let Some(parent) = to.parent() {
            durable::make_folder(parent)?;
        }
        durable::rename(&from, &to)?;
        durable::sync_folder(&self.folder.join("writing"))?;
        (self.edge, self.writing) = (edge, None);
        Ok(())
    }

    /// Signs what is durable, if there is anything new; call it after a sync.
    pub fn publish(&mut self) -> Result<Option<Note>, Fault> {
        self.finish_bundle()?;
        if self.signed == self.size {
            return Ok(None);
        }
        let mut partials = Vec::new();
        for (level, hashes) in self.edge.iter().enumerate().filter(|(_, hashes)| !hashes.is_empty()) {
            let n = self.size >> (8 * (level + 1));
            partials.push((tiles::hash_tile(&self.folder, level as u32, n), hashes.len(), hashes.concat()));
        }
        if !self.edge[0].is_empty() {
            let n = self.size / WIDTH;
            let entries = durable::read_whole(&tiles::writing(&self.folder, n), WRITING_BYTES_MAX)?;
            partials.push((tiles::bundle(&self.folder, n), self.edge[0].len(), entries));
        }
        for (whole, width, data) in &partials {
            write(&tiles::partial(whole).join(width.to_string()), data, false)?;
        }
        let head = Checkpoint { origin: self.origin.to_string(), size: self.size, root: self.root_at(self.size)? };
        let note = Note::of_checkpoint(&head, &self.key);
        durable::write_whole(&self.folder.join("checkpoint"), note.to_text().as_bytes())?;
        self.signed = self.size;
        for (whole, width, _) in &partials {
            forget_narrower(&tiles::partial(whole), *width);
        }
        Ok(Some(note))
    }

    /// Keeps a head with its cosigners' lines.
    pub fn keep_cosigned(&self, note: &Note) -> Result<(), Fault> {
        durable::write_whole(&self.folder.join("cosigned"), note.to_text().as_bytes())
    }
}

/// Reads what a volume remembers. One that hangs is not waited for: the recorder starts without its word.
fn read_patiently(path: &Path) -> Option<Vec<u8>> {
    let (tell, told) = mpsc::channel();
    let wanted = path.to_owned();
    let read = move || drop(tell.send(durable::read_whole(&wanted, NOTE_BYTES_MAX)));
    thread::Builder::new().name("remembered-head".into()).spawn(read).ok()?;
    match told.recv_timeout(PATIENCE) {
        Ok(Ok(data)) => Some(data),
        Ok(Err(fault)) if fault.is_absent() => None,
        Ok(Err(fault)) => {
            tracing::warn!(%fault, "what a volume remembers of the log cannot be read");
            None
        }
        Err(_) => {
            tracing::warn!("{} does not answer; what it remembers of the log is not compared", path.display());
            None
        }
    }
}

/// The log's own edge, and its tiles for what lies before.
struct Known<'a> {
    log: &'a LogFile,
    disk: Tiles,
}

impl Subtrees for Known<'_> {
    type Error = Fault;

    fn subtree(&mut self, level: u32, index: u64) -> Result<Hash, Fault> {
        let (tile_level, within) = (level / 8, level % 8);
        let first = index << within;
        let is_edge = first / WIDTH == self.log.size.checked_shr(8 * (tile_level + 1)).unwrap_or(0);
        match self.log.edge.get(tile_level as usize).filter(|_| is_edge) {
            Some(edge) => {
                let at = (first % WIDTH) as usize;
                let part = edge.get(at..at + (1 << within));
                part.map(tiles::perfect).ok_or_else(|| Fault::of("read", "the log's edge", "it has fewer entries"))
            }
            None => self.disk.subtree(level, index),
        }
    }
}

/// What can be wrong with files that are taken up.
enum Trouble {
    /// They are not what was written.
    Altered(String),
    /// They cannot be read now.
    Machine(Fault),
}

impl Trouble {
    fn of_files(fault: Fault) -> Self {
        if fault.is_absent() { Self::Altered(fault.to_string()) } else { Self::Machine(fault) }
    }
}

fn write(path: &Path, data: &[u8], durably: bool) -> Result<(), Fault> {
    if let Some(parent) = path.parent() {
        durable::make_folder(parent)?;
    }
    if durably { durable::write_whole(path, data) } else { durable::write_derived(path, data) }
}

/// Partial tiles that a wider one replaces.
fn forget_narrower(folder: &Path, width: usize) {
    for name in durable::names(folder).unwrap_or_default().into_iter().filter(|n| *n != width.to_string()) {
        drop(durable::remove_derived(&folder.join(name)));
    }
}

fn set_aside(folder: &Path) -> Result<(), Fault> {
    let next = set_aside_logs(folder).len() + 1;
    durable::rename(folder, &aside(folder, next))
}

fn aside(folder: &Path, n: usize) -> PathBuf {
    folder.with_file_name(format!("log-{n}"))
}

/// Logs that were set aside, oldest first.
pub fn set_aside_logs(folder: &Path) -> Vec<PathBuf> {
    (1..=u16::MAX as usize).map(|n| aside(folder, n)).take_while(|path| durable::exists(path)).collect()
}

/// Which log lies in a folder.
pub fn origin_of(folder: &Path) -> Option<String> {
    String::from_utf8(durable::read_whole(&folder.join("origin"), 1024).ok()?).ok()
}

impl Broken {
    /// What the first entry of the next log says of it.
    pub fn about(&self) -> Vec<(&'static str, String)> {
        let mut about = vec![("why", self.why.to_owned())];
        if let Some(head) = &self.head {
            about.extend([
                ("after_log", head.origin.clone()),
                ("after_size", head.size.to_string()),
                ("after_root", hash_text(&head.root)),
            ]);
        }
        about
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::custody::keys::Algorithm;

    struct Place {
        dir: tempfile::TempDir,
        opening: Opening,
    }

    fn place() -> Place {
        let dir = tempfile::tempdir().unwrap();
        let key = Arc::new(Signer::open_or_make(&dir.path().join("keys"), "log", Algorithm::Ed25519).unwrap());
        let opening = Opening { folder: dir.path().join("log"), key, remembered: vec![dir.path().join("remembered")] };
        Place { dir, opening }
    }

    fn grow(log: &mut LogFile, to: u64) {
        while log.size() < to {
            log.put(format!("entry {}", log.size()).as_bytes()).unwrap();
        }
        log.sync().unwrap();
    }

    #[test]
    fn a_log_is_taken_up_as_it_was_and_every_entry_is_proved() {
        let p = place();
        // Around a bundle's end, and signed or not.
        for (to, publish) in [(1, true), (255, false), (256, true), (300, false), (700, true), (701, false)] {
            let (mut log, broken) = LogFile::open(&p.opening).unwrap();
            assert_eq!(broken, None);
            grow(&mut log, to);
            if publish {
                log.publish().unwrap();
            }
        }
        let (mut log, _) = LogFile::open(&p.opening).unwrap();
        assert_eq!((log.size(), log.signed()), (701, 700));
        log.publish().unwrap();
        let mut tiles = Tiles::of(&p.opening.folder);
        let (note, head) = tiles.head(false).unwrap();
        assert_eq!(note.signed_by(&VerifierKey::of_log(log.origin(), p.opening.key.public())), Ok(None));
        for index in 0..701 {
            let (entry, proof) = tiles.proof(index).unwrap();
            assert_eq!(entry, format!("entry {index}").as_bytes());
            assert_eq!(Ok(&proof), crate::custody::note::Proof::parse(proof.to_text().as_bytes()).as_ref());
            assert!(merkle::is_included(&merkle::leaf(&entry), index, 701, &proof.hashes, &head.root));
        }
        for old in 0..=701 {
            let (before, now) = (merkle::root(&mut tiles, old).unwrap(), head.root);
            let proof = merkle::consistency(&mut tiles, old, 701).unwrap();
            assert!(merkle::is_consistent(old, &before, 701, &now, &proof));
        }
    }

    /// Copies a tree, as a backup does.
    fn copy(from: &Path, to: &Path) {
        durable::make_folder(to).unwrap();
        for name in durable::names(from).unwrap() {
            let (a, b) = (from.join(&name), to.join(&name));
            if a.is_dir() {
                copy(&a, &b);
            } else {
                std::fs::copy(a, b).unwrap();
            }
        }
    }

    #[test]
    fn a_backup_that_was_put_back_begins_a_new_log_that_cites_the_head_it_forgot() {
        let p = place();
        let (mut log, _) = LogFile::open(&p.opening).unwrap();
        grow(&mut log, 10);
        log.publish().unwrap();
        let backup = p.dir.path().join("backup");
        copy(&p.opening.folder, &backup);
        grow(&mut log, 600);
        let newest = log.publish().unwrap().unwrap();
        std::fs::write(&p.opening.remembered[0], newest.to_text()).unwrap();
        let origin = log.origin().clone();
        drop(log);
        std::fs::remove_dir_all(&p.opening.folder).unwrap();
        copy(&backup, &p.opening.folder);
        let (log, broken) = LogFile::open(&p.opening).unwrap();
        let broken = broken.unwrap();
        assert_eq!((broken.why, broken.head), ("restored", Some(Checkpoint::parse(&newest.text).unwrap())));
        assert_eq!(log.size(), 0);
        assert_ne!(*log.origin(), origin);
        assert_eq!(origin_of(&p.dir.path().join("log-1")).unwrap(), *origin, "the old one is kept whole");
    }

    type Alter<'a> = Box<dyn Fn(&Path) + 'a>;

    #[test]
    fn whatever_is_altered_in_a_log_ends_it_and_is_never_signed_over() {
        let bend = |path: PathBuf| {
            let mut data = std::fs::read(&path).unwrap();
            let at = data.len() / 2;
            data[at] ^= 1;
            std::fs::write(path, data).unwrap();
        };
        let alterations: Vec<(&str, Alter<'_>)> = vec![
            ("an entry of the last bundle", Box::new(|f| bend(f.join("tile/entries/001")))),
            ("an entry behind it", Box::new(|f| bend(f.join("writing/000000000002")))),
            ("a tile of hashes", Box::new(|f| bend(f.join("tile/0/000")))),
            ("a bundle is gone", Box::new(|f| std::fs::remove_file(f.join("tile/entries/001")).unwrap())),
            ("the end is gone", Box::new(|f| std::fs::remove_file(f.join("writing/000000000002")).unwrap())),
            ("the head", Box::new(|f| bend(f.join("checkpoint")))),
        ];
        for (what, alter) in alterations {
            let p = place();
            let (mut log, _) = LogFile::open(&p.opening).unwrap();
            grow(&mut log, 600);
            log.publish().unwrap();
            drop(log);
            alter(&p.opening.folder);
            let (log, broken) = LogFile::open(&p.opening).unwrap();
            assert!(broken.is_some(), "{what}");
            assert_eq!(log.size(), 0, "{what}");
        }
    }

    #[test]
    fn a_torn_end_is_kept_aside_and_the_log_goes_on() {
        let p = place();
        let (mut log, _) = LogFile::open(&p.opening).unwrap();
        grow(&mut log, 3);
        drop(log);
        let path = p.opening.folder.join("writing/000000000000");
        let whole = durable::length(&path).unwrap();
        Appending::open(&path).unwrap().append(b"\x00\x80half").unwrap();
        let (log, broken) = LogFile::open(&p.opening).unwrap();
        assert_eq!((log.size(), broken), (3, None));
        assert_eq!(durable::length(&path).unwrap(), whole);
        assert!(durable::exists(&p.opening.folder.join("torn-3")));
    }
}
