//! Reading again what was written: each file once right after it was closed, from the volume and not from memory, and every
//! file of every sealed session once more within the configured days. One thread, slow on purpose: it reads a piece and rests
//! four times as long.
//!
//! A file that is not what was sealed is told at once, logged, and brought back from the other volume if that has it whole; the
//! damaged one is kept beside it under another name. The custody log is read whole with every pass.

use crate::acts::Acts;
use crate::footage::{disposal, tree};
use crate::machine::clock::{Clock, Due};
use crate::machine::durable::{self, Appending};
use crate::machine::fault::Fault;
use crate::machine::volume;
use crate::model::digest::Running;
use crate::model::entry::{Draft, EntryKind};
use crate::model::manifest::Manifest;
use crate::model::session::Segment;
use crate::recorder::volume::Volume;
use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::thread;
use std::time::Duration;

/// Read at a time.
const PIECE: usize = 1 << 20;
/// How much longer than it reads it rests.
const REST: u32 = 4;
/// How often a thread with nothing to do looks whether a pass is due.
const LOOK: Duration = Duration::from_secs(2);
/// The largest manifest.
const MANIFEST_BYTES_MAX: u64 = 256 * 1024 * 1024;

/// A file that is not what was sealed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Damage {
    /// Which volume.
    pub volume: String,
    /// The file, below the volume's root.
    pub file: PathBuf,
    /// What is wrong with it.
    pub what: String,
    /// Whether the other volume had it whole, and it was brought back.
    pub repaired: bool,
}

impl std::fmt::Display for Damage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let then = if self.repaired { "brought back from the other volume" } else { "no other copy is whole" };
        write!(f, "{} volume: {} {}; {then}", self.volume, self.file.display(), self.what)
    }
}

struct Closed {
    volume: usize,
    folder: PathBuf,
    segment: Segment,
}

/// How far it is, over restarts.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pass {
    /// When the pass began that runs, or that ran last.
    pub began: Option<DateTime<Utc>>,
    /// The last session folder that it read, below the root; none when it is through.
    pub at: Option<PathBuf>,
    /// When a pass was through last.
    pub completed: Option<DateTime<Utc>>,
}

/// The thread that reads.
pub struct Scrub {
    closed: mpsc::Sender<Closed>,
    damage: Arc<Mutex<Vec<Damage>>>,
    pass: Arc<Mutex<Pass>>,
    stop: Arc<AtomicBool>,
}

impl Scrub {
    /// Starts it. `state` remembers how far it is.
    pub fn start(volumes: &[Arc<Volume>], state: &Path, days: u32, acts: Acts, clock: Arc<dyn Clock>) -> Result<Self, Fault> {
        let (closed, inbox) = mpsc::channel();
        let (damage, stop) = (Arc::<Mutex<Vec<Damage>>>::default(), Arc::<AtomicBool>::default());
        let known: Pass = durable::read_whole(state, 65536).ok().and_then(|data| serde_json::from_slice(&data).ok()).unwrap_or_default();
        let pass = Arc::new(Mutex::new(known));
        let reader = Reader {
            volumes: volumes.to_vec(),
            state: state.to_owned(),
            every: TimeDelta::days(i64::from(days)) / 2,
            acts,
            clock,
            damage: damage.clone(),
            pass: pass.clone(),
            stop: stop.clone(),
        };
        let run = move || reader.run(&inbox);
        thread::Builder::new().name("scrub".into()).spawn(run).map_err(|e| Fault::of("start", "the scrub", e))?;
        Ok(Self { closed, damage, pass, stop })
    }

    /// A file was closed on a volume.
    pub fn closed(&self, volume: usize, folder: &Path, segment: &Segment) {
        drop(self.closed.send(Closed { volume, folder: folder.to_owned(), segment: segment.clone() }));
    }

    /// What was found since the start.
    pub fn damage(&self) -> Vec<Damage> {
        self.damage.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// How far it is.
    pub fn pass(&self) -> Pass {
        self.pass.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Ends at the next piece.
    pub fn stop(&self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}

struct Reader {
    volumes: Vec<Arc<Volume>>,
    state: PathBuf,
    every: TimeDelta,
    acts: Acts,
    clock: Arc<dyn Clock>,
    damage: Arc<Mutex<Vec<Damage>>>,
    pass: Arc<Mutex<Pass>>,
    stop: Arc<AtomicBool>,
}

impl Reader {
    fn run(self, inbox: &mpsc::Receiver<Closed>) {
        while !self.stop.load(Ordering::Relaxed) {
            match inbox.recv_timeout(LOOK) {
                Ok(closed) => self.check_closed(&closed),
                Err(mpsc::RecvTimeoutError::Timeout) if self.is_due() => self.pass(inbox),
                Err(mpsc::RecvTimeoutError::Timeout) => {}
                Err(mpsc::RecvTimeoutError::Disconnected) => return,
            }
        }
    }

    fn is_due(&self) -> bool {
        let pass = self.pass.lock().unwrap_or_else(PoisonError::into_inner);
        // Begun in the future: the clock was set back, and a pass too many does no harm.
        let now = self.clock.now().utc;
        pass.at.is_some() || pass.began.is_none_or(|began| began + self.every < now || began > now)
    }

    fn check_closed(&self, closed: &Closed) {
        self.check(closed.volume, &closed.folder, &closed.segment);
    }

    /// One pass over every sealed session of every volume; files that are closed meanwhile come first.
    fn pass(&self, inbox: &mpsc::Receiver<Closed>) {
        let Some(first) = self.volumes.first() else { return };
        let from = self.keep(|pass| {
            if pass.at.is_none() {
                pass.began = Some(self.clock.now().utc);
            }
            pass.at.clone()
        });
        let sessions = match tree::sessions(first.place().root()) {
            Ok(sessions) => sessions,
            Err(fault) => return tracing::error!(%fault, "the volumes are not read again"),
        };
        let below = |folder: &Path| folder.strip_prefix(first.place().root()).map(Path::to_owned).unwrap_or_default();
        for folder in sessions.iter().map(|(_, folder)| below(folder)).filter(|folder| from.as_ref().is_none_or(|at| folder > at)) {
            self.check_session(&folder, inbox);
            if self.stop.load(Ordering::Relaxed) {
                return;
            }
            self.keep(|pass| pass.at = Some(folder));
        }
        self.check_log();
        let now = self.clock.now().utc;
        self.keep(|pass| (pass.at, pass.completed) = (None, Some(now)));
        let draft = Draft::new(EntryKind::ScrubCompleted).about("sessions", sessions.len()).about("damaged", self.count_damaged());
        self.acts.do_and_log(draft, |_| Ok(()));
    }

    /// The custody log is read again with the files; what is wrong with it cannot be brought back, and is told.
    fn check_log(&self) {
        let wrong = match self.acts.log().audit() {
            Ok(audit) => audit.wrong,
            // A log that has no head yet, or is not open, is told elsewhere.
            Err(fault) => return tracing::warn!(%fault, "the custody log is not read again"),
        };
        for what in wrong {
            tracing::error!("custody log: {what}");
            self.acts.do_and_log(Draft::new(EntryKind::DamageFound).about("volume", "log").about("what", &what), |_| Ok(()));
            let damage = Damage { volume: "log".into(), file: "custody/log".into(), what, repaired: false };
            let mut all = self.damage.lock().unwrap_or_else(PoisonError::into_inner);
            all.retain(|d| *d != damage);
            all.push(damage);
        }
    }

    fn count_damaged(&self) -> usize {
        self.damage.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    fn keep<T>(&self, change: impl FnOnce(&mut Pass) -> T) -> T {
        let mut pass = self.pass.lock().unwrap_or_else(PoisonError::into_inner);
        let told = change(&mut pass);
        let data = serde_json::to_vec(&*pass).unwrap_or_default();
        if let Err(fault) = durable::write_whole(&self.state, &data) {
            tracing::warn!(%fault, "a restart will read again what was read");
        }
        told
    }

    fn check_session(&self, folder: &Path, inbox: &mpsc::Receiver<Closed>) {
        let Some(first) = self.volumes.first() else { return };
        let here = first.place().root().join(folder);
        // What is not sealed yet is still being written, or taken up; the signature is the last thing that a seal writes.
        if !durable::exists(&here.join(tree::SIGNATURE)) || disposal::is_disposed(&here) {
            return;
        }
        let manifest = durable::read_whole(&here.join(tree::MANIFEST), MANIFEST_BYTES_MAX);
        let Some(manifest) = manifest.ok().and_then(|data| serde_json::from_slice::<Manifest>(&data).ok()) else {
            return self.found(0, folder.join(tree::MANIFEST), "cannot be read".into(), None);
        };
        for segment in &manifest.segments {
            for volume in 0..self.volumes.len() {
                self.check(volume, folder, segment);
            }
            if self.stop.load(Ordering::Relaxed) {
                return;
            }
            inbox.try_iter().for_each(|closed| self.check_closed(&closed));
        }
    }

    fn check(&self, volume: usize, folder: &Path, segment: &Segment) {
        let place = self.volumes[volume].place();
        if place.check().is_err() || segment.file.contains('/') {
            return;
        }
        let file = folder.join(&segment.file);
        let what = match self.digest(&place.root().join(&file)) {
            Ok((_, sha256)) if sha256 == segment.sha256 => return,
            Ok((bytes, _)) if bytes != segment.bytes => format!("has {bytes} of {} bytes", segment.bytes),
            Ok(_) => "is altered".to_owned(),
            // The archive has it, and reads it again in its own time.
            Err(fault) if fault.is_absent() && durable::exists(&place.root().join(folder).join(tree::RELEASED)) => return,
            Err(fault) if fault.is_absent() => "is gone".to_owned(),
            Err(fault) => format!("cannot be read: {}", fault.source),
        };
        // A stop in the middle of a file says nothing of the file.
        if !self.stop.load(Ordering::Relaxed) {
            self.found(volume, file, what, Some(segment));
        }
    }

    fn digest(&self, path: &Path) -> Result<(u64, String), Fault> {
        let mut file = volume::open_cold(path)?;
        let (mut digest, mut bytes, mut piece) = (Running::default(), 0, vec![0; PIECE]);
        loop {
            let began = Due::now();
            let n = file.read(&mut piece).map_err(|e| Fault::file("read", path, e))?;
            if n == 0 || self.stop.load(Ordering::Relaxed) {
                return Ok((bytes, digest.hex()));
            }
            digest.update(&piece[..n]);
            bytes += n as u64;
            thread::sleep((began.since() * REST).min(LOOK));
        }
    }

    fn found(&self, volume: usize, file: PathBuf, what: String, segment: Option<&Segment>) {
        // Given up while it was being read: it is gone, and nothing brings it back.
        let gone = |v: &Arc<Volume>| file.parent().is_some_and(|folder| disposal::is_disposed(&v.place().root().join(folder)));
        if self.volumes.iter().any(gone) {
            return;
        }
        let name = self.volumes[volume].name().to_owned();
        let session = file.parent().and_then(Path::file_name).unwrap_or_default().display().to_string();
        let entry = |kind| Draft::new(kind).in_session(&session).about("volume", &name).about("file", file.display()).about("what", &what);
        let known = self.damage.lock().unwrap_or_else(PoisonError::into_inner).iter().any(|d| d.volume == name && d.file == file);
        if !known {
            tracing::error!(volume = name, file = %file.display(), "{what}");
            self.acts.do_and_log(entry(EntryKind::DamageFound), |_| Ok(()));
        }
        let repaired = segment.is_some_and(|segment| match self.repair(volume, &file, segment) {
            Ok(repaired) => repaired,
            Err(fault) => {
                tracing::error!(%fault, "a damaged file is not brought back");
                false
            }
        });
        if repaired {
            self.acts.do_and_log(entry(EntryKind::DamageRepaired), |_| Ok(()));
        }
        let mut all = self.damage.lock().unwrap_or_else(PoisonError::into_inner);
        all.retain(|d| d.volume != name || d.file != file);
        all.push(Damage { volume: name, file, what, repaired });
    }

    /// Brings a file back from another volume that has it whole. The damaged one stays, under another name.
    fn repair(&self, volume: usize, file: &Path, segment: &Segment) -> Result<bool, Fault> {
        for other in (0..self.volumes.len()).filter(|n| *n != volume) {
            let (from, to) = (self.volumes[other].place().root().join(file), self.volumes[volume].place().root().join(file));
            if self.volumes[other].place().check().is_err() || !self.digest(&from).is_ok_and(|(_, sha256)| sha256 == segment.sha256) {
                continue;
            }
            let part = to.with_extension("part");
            if durable::exists(&part) {
                durable::remove_marker(&part)?;
            }
            copy(&from, &part)?;
            if self.digest(&part)?.1 != segment.sha256 {
                durable::remove_marker(&part)?;
                return Err(Fault::of("bring back", to.display().to_string(), "the volume gives back something else than was written"));
            }
            if durable::exists(&to) {
                let stamp = self.clock.now().utc.format("%Y%m%dT%H%M%SZ");
                durable::rename(&to, &to.with_extension(format!("damaged-{stamp}")))?;
            }
            // A crash before this line leaves the file under its other names; the next pass finds it gone and brings it back.
            durable::rename(&part, &to)?;
            return Ok(true);
        }
        Ok(false)
    }
}

fn copy(from: &Path, to: &Path) -> Result<(), Fault> {
    if let Some(parent) = to.parent() {
        durable::make_folder(parent)?;
    }
    let (mut source, mut file, mut piece) = (durable::open(from)?, Appending::create(to)?, vec![0; PIECE]);
    loop {
        match source.read(&mut piece).map_err(|e| Fault::file("read", from, e))? {
            0 => return file.sync(),
            n => file.append(&piece[..n])?,
        }
    }
}
