//! The custody log (监管日志): one thread writes, and what came while it synced is written and synced together, so that a
//! thousand acts a second cost as many syncs as the disk does, and no more.
//!
//! ```text
//! put ───────┐                                        ┌─► reply, once the entry is durable
//! spool ─────┴─► thread: a batch ─► files ─► one sync ┴─► index
//!                        every second, if there is anything new: tiles, signed head ─► volumes, cosigners, timestamps
//! ```

use crate::custody::audit::{self, Audit};
use crate::custody::keys::PublicKey;
use crate::custody::logfile::{Broken, LogFile, Opening};
use crate::custody::note::Note;
use crate::custody::tiles::Tiles;
use crate::machine::clock::Due;
use crate::machine::{durable, fault::Fault, randomness};
use crate::model::digest;
use crate::model::entry::{Draft, Entry, EntryKind};
use chrono::{DateTime, SecondsFormat, Utc};
use std::collections::{BTreeMap, VecDeque};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::thread;
use std::time::Duration;

/// How often the head is signed while entries come.
const SIGN_EVERY: Duration = Duration::from_secs(1);
/// How often a log that cannot be opened is tried again.
const OPEN_EVERY: Duration = Duration::from_secs(2);

/// A text that an entry binds: its name, its salt, and the text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BoundText {
    /// As the entry names it.
    pub name: String,
    /// Hex.
    pub salt: String,
    /// For the catalog alone.
    pub text: String,
}

/// An entry that is durable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Logged {
    /// In which log.
    pub origin: Arc<str>,
    /// The entry.
    pub entry: Entry,
    /// The texts that it binds.
    pub texts: Vec<BoundText>,
}

/// That a log goes on as another one, as its first entry has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Anew {
    /// In a word.
    pub why: String,
    /// Entries of the one before it, as far as is known.
    pub after_size: u64,
    /// What was found, in words.
    pub what: String,
}

impl Anew {
    fn of(broken: &Broken) -> Self {
        Self { why: broken.why.into(), after_size: broken.head.as_ref().map_or(0, |h| h.size), what: broken.what.clone() }
    }

    /// From the log's files: `shilu restore` may have begun it, and ended.
    fn read(folder: &Path) -> Option<Self> {
        let first = Tiles::of(folder).entries(0).ok()?;
        let entry: Entry = serde_json::from_slice(first.first()?).ok()?;
        let said = |name: &str| entry.about.get(name).cloned();
        let why = said("why").filter(|_| entry.kind == EntryKind::LogOpened)?;
        let after_size = said("after_size").and_then(|size| size.parse().ok()).unwrap_or(0);
        let what =
            said("after_log").map_or_else(|| why.clone(), |log| format!("it follows {log}, of which {after_size} entries are known"));
        Some(Self { why, after_size, what })
    }
}

/// How the log stands.
#[derive(Debug, Clone, Default)]
pub struct LogState {
    /// Which log; empty while none can be opened.
    pub origin: Option<Arc<str>>,
    /// Entries that are durable.
    pub size: u64,
    /// The head that was signed last.
    pub head: Option<Note>,
    /// The log that this one follows, if one was set aside at this start.
    pub follows: Option<Broken>,
    /// How this log came after another one, also where another process began it.
    pub anew: Option<Anew>,
    /// Why nothing can be logged now.
    pub trouble: Option<String>,
}

type Reply = Box<dyn FnOnce(Result<Logged, Fault>) + Send>;
type HeadReply = Box<dyn FnOnce(Result<Note, Fault>) + Send>;

struct Act {
    at: DateTime<Utc>,
    draft: Draft,
    reply: Option<Reply>,
}

enum Job {
    Act(Box<Act>),
    Sign(HeadReply),
    Cosigned(Note),
}

/// Puts entries into the log from anywhere.
#[derive(Clone)]
pub struct CustodyLog {
    jobs: mpsc::Sender<Job>,
    spooled: Arc<AtomicUsize>,
    state: Arc<Mutex<LogState>>,
    folder: PathBuf,
    key: PublicKey,
}

impl CustodyLog {
    /// Opens the log and starts its thread. A log that cannot be opened now is tried again: what may not happen without its entry
    /// is refused meanwhile, what has happened waits. `seen` is told of every entry that nobody waited for.
    pub fn open(opening: Opening, at: DateTime<Utc>, seen: Box<dyn Fn(&Logged) + Send>) -> Result<Self, Fault> {
        let (folder, key) = (opening.folder.clone(), opening.key.public());
        let remembered = opening.remembered.clone();
        let remembering = move || remembered.into_iter().filter_map(remember).collect();
        let (jobs, inbox) = mpsc::channel();
        let (spooled, state) = (Arc::new(AtomicUsize::new(0)), Arc::<Mutex<LogState>>::default());
        let mut writer = Writer {
            opening,
            file: None,
            opened_at: at,
            spool: VecDeque::new(),
            seen,
            spooled: spooled.clone(),
            state: state.clone(),
            remembering: remembering(),
            sign_at: Due::now(),
            open_at: Due::now(),
        };
        writer.open();
        thread::Builder::new()
            .name("custody-log".into())
            .spawn(move || writer.run(&inbox))
            .map_err(|e| Fault::of("start", "the log's thread", e))?;
        Ok(Self { jobs, spooled, state, folder, key })
    }

    /// Logs, and calls back once the entry is durable or cannot be. For acts that must not happen without their entry.
    pub fn put(&self, at: DateTime<Utc>, draft: Draft, reply: Reply) {
        if let Err(mpsc::SendError(Job::Act(act))) = self.jobs.send(Job::Act(Box::new(Act { at, draft, reply: Some(reply) })))
            && let Some(reply) = act.reply
        {
            reply(Err(ended()));
        }
    }

    /// Logs what has already happened and cannot be refused: returns at once; what cannot be written is kept and tried again.
    pub fn spool(&self, at: DateTime<Utc>, draft: Draft) {
        self.spooled.fetch_add(1, Ordering::Relaxed);
        if self.jobs.send(Job::Act(Box::new(Act { at, draft, reply: None }))).is_err() {
            tracing::error!("the log's thread has ended; an act is not logged");
        }
    }

    /// Signs a head over everything that is durable now, and gives it.
    pub fn sign(&self, reply: HeadReply) {
        if let Err(mpsc::SendError(Job::Sign(reply))) = self.jobs.send(Job::Sign(reply)) {
            reply(Err(ended()));
        }
    }

    /// Reads the whole log again, while it grows: every entry, every tile, the signed head.
    pub fn audit(&self) -> Result<Audit, Fault> {
        audit::audit(&self.folder, Some(&self.key), &[])
    }

    /// Keeps a head with its cosigners' lines.
    pub fn cosigned(&self, note: Note) {
        drop(self.jobs.send(Job::Cosigned(note)));
    }

    /// Acts whose entry is not durable yet.
    pub fn spooled(&self) -> usize {
        self.spooled.load(Ordering::Relaxed)
    }

    /// How the log stands.
    pub fn state(&self) -> LogState {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

fn ended() -> Fault {
    Fault::of("log", "an act", "the log's thread has ended")
}

/// Writes the newest head to one place, as long as there are heads; what came meanwhile is skipped.
fn remember(path: PathBuf) -> Option<mpsc::Sender<Note>> {
    let (heads, inbox) = mpsc::channel::<Note>();
    let write = move || {
        while let Ok(first) = inbox.recv() {
            let newest = inbox.try_iter().last().unwrap_or(first);
            // A volume that is away remembers the head before.
            drop(durable::write_derived(&path, newest.to_text().as_bytes()));
        }
    };
    let started = thread::Builder::new().name("remember-head".into()).spawn(write);
    started.inspect_err(|e| tracing::error!("a volume will not remember the log's head: {e}")).ok().map(|_| heads)
}

struct Writer {
    opening: Opening,
    file: Option<LogFile>,
    opened_at: DateTime<Utc>,
    spool: VecDeque<(DateTime<Utc>, Draft)>,
    seen: Box<dyn Fn(&Logged) + Send>,
    spooled: Arc<AtomicUsize>,
    state: Arc<Mutex<LogState>>,
    /// Takes newest heads to the volumes, a thread each: one that hangs holds nobody else.
    remembering: Vec<mpsc::Sender<Note>>,
    sign_at: Due,
    open_at: Due,
}

impl Writer {
    fn tell(&self, change: impl FnOnce(&mut LogState)) {
        change(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner));
    }

    fn open(&mut self) {
        self.open_at = Due::after(OPEN_EVERY);
        match LogFile::open(&self.opening) {
            Ok((file, follows)) => {
                if let Some(broken) = &follows {
                    tracing::error!(why = broken.why, "a new custody log begins: {}", broken.what);
                }
                let (origin, size) = (file.origin().clone(), file.size());
                let head = Tiles::of(&self.opening.folder).head(false).ok().map(|(note, _)| note);
                if size == 0 {
                    let mut draft = Draft::new(EntryKind::LogOpened);
                    for (name, value) in follows.iter().flat_map(Broken::about) {
                        draft = draft.about(name, value);
                    }
                    self.spooled.fetch_add(1, Ordering::Relaxed);
                    self.spool.push_front((self.opened_at, draft));
                }
                let anew = follows.as_ref().map(Anew::of).or_else(|| Anew::read(&self.opening.folder));
                self.tell(|s| {
                    let (follows, anew) = (follows.or(s.follows.take()), anew.or(s.anew.take()));
                    *s = LogState { origin: Some(origin), size, head, follows, anew, trouble: None };
                });
                self.file = Some(file);
            }
            Err(fault) => {
                tracing::error!(%fault, "the custody log cannot be opened");
                self.tell(|s| s.trouble = Some(fault.to_string()));
            }
        }
    }

    fn run(mut self, inbox: &mpsc::Receiver<Job>) {
        loop {
            if self.file.is_none() && self.open_at.is_past() {
                self.open();
            }
            let first = match inbox.recv_timeout(SIGN_EVERY / 4) {
                Ok(job) => Some(job),
                Err(mpsc::RecvTimeoutError::Timeout) => None,
                Err(mpsc::RecvTimeoutError::Disconnected) => break,
            };
            let (mut acts, mut heads) = (Vec::new(), Vec::new());
            for job in first.into_iter().chain(std::iter::from_fn(|| inbox.try_recv().ok())) {
                match job {
                    Job::Act(act) => acts.push(*act),
                    Job::Sign(reply) => heads.push(reply),
                    Job::Cosigned(note) => self.keep_cosigned(&note),
                }
            }
            if !acts.is_empty() || !self.spool.is_empty() {
                self.write(acts);
            }
            if !heads.is_empty() || self.sign_at.is_past() {
                self.sign(heads);
            }
        }
        self.write(vec![]);
        self.sign(vec![]);
    }

    /// One batch, one sync.
    fn write(&mut self, batch: Vec<Act>) {
        let mut done: Vec<(Logged, Option<Reply>)> = Vec::new();
        // What was spooled comes first: the log keeps the order in which things happened.
        let spooled = std::mem::take(&mut self.spool).into_iter().map(|(at, draft)| Act { at, draft, reply: None });
        for act in spooled.chain(batch) {
            let blocked = !self.spool.is_empty() && act.reply.is_none();
            match if blocked { Err(Fault::of("log", "an act", "earlier acts wait")) } else { self.put(act.at, &act.draft) } {
                Ok(logged) => done.push((logged, act.reply)),
                Err(fault) => self.failed(act, fault),
            }
        }
        let synced = self.file.as_mut().map_or(Ok(()), LogFile::sync);
        if let Err(fault) = &synced {
            // Written and perhaps durable, perhaps not. Acts that hang on it are refused; the entries stand: an entry
            // without its act is void, never the other way round.
            tracing::error!(%fault, "the custody log cannot be made durable");
            for (_, reply) in &mut done {
                if let Some(reply) = reply.take() {
                    reply(Err(Fault::of("sync", "the custody log", fault.to_string())));
                }
            }
        }
        let trouble = synced.err().map(|fault| fault.to_string());
        if let Some(size) = self.file.as_ref().map(LogFile::size).filter(|_| trouble.is_some() || self.spool.is_empty()) {
            self.tell(|s| (s.size, s.trouble) = (size, trouble));
        }
        for (logged, reply) in done {
            if let Some(reply) = reply {
                reply(Ok(logged));
            } else {
                (self.seen)(&logged);
                self.spooled.fetch_sub(1, Ordering::Relaxed);
            }
        }
    }

    fn put(&mut self, at: DateTime<Utc>, draft: &Draft) -> Result<Logged, Fault> {
        let Some(file) = &mut self.file else { return Err(Fault::of("log", draft.kind.as_str(), "the log is not open")) };
        let mut texts = Vec::new();
        let mut bound = BTreeMap::new();
        for (name, text) in &draft.texts {
            let salt = randomness::hex::<16>()?;
            bound.insert(name.clone(), digest::sha256(format!("{salt}{text}").as_bytes()));
            texts.push(BoundText { name: name.clone(), salt, text: text.clone() });
        }
        let entry = Entry {
            index: file.size(),
            at: at.to_rfc3339_opts(SecondsFormat::Millis, true),
            kind: draft.kind,
            actor: draft.actor.clone(),
            session: draft.session.clone(),
            about: draft.about.clone(),
            bound,
        };
        let canonical = serde_json_canonicalizer::to_vec(&entry).map_err(|e| Fault::of("encode", "a log entry", e))?;
        file.put(&canonical)?;
        Ok(Logged { origin: file.origin().clone(), entry, texts })
    }

    fn failed(&mut self, act: Act, fault: Fault) {
        if act.reply.is_some() || self.spool.is_empty() {
            tracing::error!(%fault, kind = act.draft.kind.as_str(), "an act could not be logged");
            let trouble = fault.to_string();
            self.tell(|s| s.trouble = Some(trouble));
        }
        match act.reply {
            Some(reply) => reply(Err(fault)),
            None => self.spool.push_back((act.at, act.draft)),
        }
    }

    fn sign(&mut self, wanted: Vec<HeadReply>) {
        self.sign_at = Due::after(SIGN_EVERY);
        let Some(file) = &mut self.file else {
            return wanted.into_iter().for_each(|reply| reply(Err(Fault::of("sign", "the log's head", "the log is not open"))));
        };
        // Nothing new costs no sync.
        let signed = if file.signed() == file.size() { Ok(None) } else { file.sync().and_then(|()| file.publish()) };
        match &signed {
            Ok(Some(note)) => {
                self.remembering.iter().for_each(|volume| drop(volume.send(note.clone())));
                self.tell(|s| s.head = Some(note.clone()));
            }
            Ok(None) => {}
            Err(fault) => tracing::error!(%fault, "the custody log's head is not signed"),
        }
        let newest = self.state.lock().unwrap_or_else(PoisonError::into_inner).head.clone();
        for reply in wanted {
            reply(match (&signed, &newest) {
                (Ok(_), Some(note)) => Ok(note.clone()),
                (Ok(_), None) => Err(Fault::of("sign", "the log's head", "the log is empty")),
                (Err(fault), _) => Err(Fault::of("sign", "the log's head", fault.to_string())),
            });
        }
    }

    fn keep_cosigned(&self, note: &Note) {
        if let Some(file) = &self.file
            && let Err(fault) = file.keep_cosigned(note)
        {
            tracing::error!(%fault, "a cosigned head is not kept");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::custody::keys::{Algorithm, Signer};
    use crate::custody::tiles::Tiles;
    use std::path::Path;
    use std::time::Instant;

    fn open(dir: &Path) -> CustodyLog {
        let key = Arc::new(Signer::open_or_make(&dir.join("keys"), "log", Algorithm::Ed25519).unwrap());
        let opening = Opening { folder: dir.join("log"), key, remembered: vec![] };
        CustodyLog::open(opening, DateTime::UNIX_EPOCH, Box::new(|_| ())).unwrap()
    }

    fn put(log: &CustodyLog, kind: EntryKind) -> Result<Logged, Fault> {
        let (tx, rx) = mpsc::channel();
        let draft = Draft::new(kind).text("reason", Some("因为"));
        log.put(DateTime::UNIX_EPOCH, draft, Box::new(move |r| tx.send(r).unwrap()));
        rx.recv().unwrap()
    }

    #[test]
    fn an_entry_is_durable_when_it_is_told_and_holds_no_text() {
        let dir = tempfile::tempdir().unwrap();
        let log = open(dir.path());
        let logged = put(&log, EntryKind::Refused).unwrap();
        assert_eq!(logged.entry.index, 1, "entry 0 opens the log");
        let text = &logged.texts[0];
        assert_eq!(logged.entry.bound["reason"], digest::sha256(format!("{}{}", text.salt, text.text).as_bytes()));
        let stored = Tiles::of(&dir.path().join("log")).entry(1).unwrap();
        assert_eq!(serde_json::from_slice::<Entry>(&stored).unwrap(), logged.entry);
        assert!(!String::from_utf8_lossy(&stored).contains("因为"));
    }

    #[test]
    fn the_head_is_signed_by_itself_within_two_seconds() {
        let dir = tempfile::tempdir().unwrap();
        let log = open(dir.path());
        put(&log, EntryKind::SignedIn).unwrap();
        let until = Instant::now() + Duration::from_secs(10);
        while Instant::now() < until && log.state().head.is_none_or(|h| !h.text.contains("\n2\n")) {
            thread::sleep(Duration::from_millis(20));
        }
        assert!(log.state().head.unwrap().text.contains("\n2\n"));
    }

    #[test]
    fn a_log_that_cannot_be_opened_refuses_what_needs_it_and_keeps_what_has_happened() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("log"), b"in the way").unwrap();
        let log = open(dir.path());
        log.spool(DateTime::UNIX_EPOCH, Draft::new(EntryKind::SessionStarted));
        assert!(put(&log, EntryKind::ViewingOpened).is_err());
        assert!(log.state().trouble.is_some());
        std::fs::remove_file(dir.path().join("log")).unwrap();
        let until = Instant::now() + Duration::from_secs(20);
        while Instant::now() < until && log.spooled() > 0 {
            thread::sleep(Duration::from_millis(20));
        }
        let logged = put(&log, EntryKind::ViewingOpened).unwrap();
        assert_eq!(logged.entry.index, 2, "the opening, the session that had started, and now this");
    }
}
