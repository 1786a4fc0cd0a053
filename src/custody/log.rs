//! The custody log (监管日志): an append-only file of entries, each bound to the one before by its digest.
//!
//! Entries lie in `entries.log` as tlog-tiles bundles hold them (a 16-bit big-endian length, then RFC 8785 JSON), so that
//! tiles and a Merkle tree can be laid over the same bytes without rewriting one of them. One thread writes; what came while it
//! synced is written and synced together.

use crate::machine::durable::{self, Appending};
use crate::machine::{fault::Fault, randomness};
use crate::model::digest;
use crate::model::entry::{Draft, Entry, EntryKind};
use chrono::{DateTime, SecondsFormat, Utc};
use std::collections::{BTreeMap, VecDeque};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::Duration;

/// The largest log that is read at the start: some ten million entries.
const BYTES_MAX: u64 = 4 * 1024 * 1024 * 1024;

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
    /// The entry.
    pub entry: Entry,
    /// The texts that it binds.
    pub texts: Vec<BoundText>,
}

/// The log's file and head.
#[derive(Debug)]
struct LogFile {
    file: Appending,
    next: u64,
    head: String,
}

impl LogFile {
    fn open(folder: &Path) -> Result<(Self, Vec<Entry>), Fault> {
        durable::make_folder(folder)?;
        let path = folder.join("entries.log");
        let entries = if durable::exists(&path) { read(&path)? } else { (vec![], 0) };
        let mut file = Appending::open(&path)?;
        let (entries, whole) = entries;
        if file.bytes() > whole {
            // A torn end was never acknowledged to anyone. It is kept aside, not thrown away, and the log goes on before it.
            let data = durable::read_whole(&path, BYTES_MAX)?;
            durable::write_whole(&folder.join(format!("torn-{}", entries.len())), &data[whole as usize..])?;
            file = Appending::open_cut(&path, whole)?;
        }
        let head = entries.last().map(digest_of).transpose()?.unwrap_or_default();
        Ok((Self { file, next: entries.len() as u64, head }, entries))
    }

    /// Puts an entry behind the last one; durable after the next sync.
    fn put(&mut self, at: DateTime<Utc>, draft: &Draft) -> Result<Logged, Fault> {
        let mut texts = Vec::new();
        let mut bound = BTreeMap::new();
        for (name, text) in &draft.texts {
            let salt = randomness::hex::<16>()?;
            bound.insert(name.clone(), digest::sha256(format!("{salt}{text}").as_bytes()));
            texts.push(BoundText { name: name.clone(), salt, text: text.clone() });
        }
        let entry = Entry {
            index: self.next,
            at: at.to_rfc3339_opts(SecondsFormat::Millis, true),
            kind: draft.kind,
            actor: draft.actor.clone(),
            session: draft.session.clone(),
            about: draft.about.clone(),
            bound,
            before: self.head.clone(),
        };
        let canonical = canonical(&entry)?;
        let length = u16::try_from(canonical.len()).map_err(|e| Fault::of("log", draft.kind.as_str(), e))?;
        if let Err(fault) = self.file.append(&[&length.to_be_bytes()[..], &canonical].concat()) {
            self.file.drop_torn_tail()?;
            return Err(fault);
        }
        self.head = digest::sha256(&canonical);
        self.next += 1;
        Ok(Logged { entry, texts })
    }
}

fn canonical(entry: &Entry) -> Result<Vec<u8>, Fault> {
    serde_json_canonicalizer::to_vec(entry).map_err(|e| Fault::of("encode", "a log entry", e))
}

fn digest_of(entry: &Entry) -> Result<String, Fault> {
    Ok(digest::sha256(&canonical(entry)?))
}

/// The entries of a log file whose chain holds, and up to which byte they reach. A break in the chain is a fault: the log was
/// altered, and must not be signed on.
fn read(path: &Path) -> Result<(Vec<Entry>, u64), Fault> {
    let data = durable::read_whole(path, BYTES_MAX)?;
    let broken = |index: usize, why: &str| Fault::of("follow", path.display().to_string(), format!("entry {index}: {why}"));
    let mut entries: Vec<Entry> = Vec::new();
    let mut head = String::new();
    let mut at = 0;
    while let Some(length) = data.get(at..at + 2) {
        let length = usize::from(u16::from_be_bytes([length[0], length[1]]));
        let Some(bytes) = data.get(at + 2..at + 2 + length) else { break };
        let entry: Entry = serde_json::from_slice(bytes).map_err(|e| broken(entries.len(), &e.to_string()))?;
        if entry.before != head || entry.index != entries.len() as u64 {
            return Err(broken(entries.len(), "does not follow the entry before it: the log was altered"));
        }
        head = digest::sha256(bytes);
        entries.push(entry);
        at += 2 + length;
    }
    Ok((entries, at as u64))
}

/// All entries of a log's folder whose chain holds.
pub fn entries(folder: &Path) -> Result<Vec<Entry>, Fault> {
    let path = folder.join("entries.log");
    if durable::exists(&path) { Ok(read(&path)?.0) } else { Ok(vec![]) }
}

type Reply = Box<dyn FnOnce(Result<Logged, Fault>) + Send>;

struct Job {
    at: DateTime<Utc>,
    draft: Draft,
    reply: Option<Reply>,
}

/// Puts entries into the log from anywhere.
#[derive(Clone)]
pub struct CustodyLog {
    jobs: mpsc::Sender<Job>,
    spooled: Arc<AtomicUsize>,
}

impl CustodyLog {
    /// Opens the log and starts its thread; gives the entries that are already there. `seen` is told of every
    /// entry that nobody waited for.
    pub fn open(folder: PathBuf, at: DateTime<Utc>, seen: Box<dyn Fn(&Logged) + Send>) -> Result<(Self, Vec<Entry>), Fault> {
        let (file, entries) = LogFile::open(&folder)?;
        let (jobs, inbox) = mpsc::channel();
        let spooled = Arc::new(AtomicUsize::new(0));
        let writer = Writer { file, spool: VecDeque::new(), seen, spooled: spooled.clone() };
        thread::Builder::new()
            .name("custody-log".into())
            .spawn(move || writer.run(&inbox))
            .map_err(|e| Fault::of("start", "the log's thread", e))?;
        let log = Self { jobs, spooled };
        if entries.is_empty() {
            log.spool(at, Draft::new(EntryKind::LogOpened));
        }
        Ok((log, entries))
    }

    /// Logs, and calls back once the entry is durable or cannot be. For acts that must not happen without their entry.
    pub fn put(&self, at: DateTime<Utc>, draft: Draft, reply: Reply) {
        if let Err(mpsc::SendError(job)) = self.jobs.send(Job { at, draft, reply: Some(reply) })
            && let Some(reply) = job.reply
        {
            reply(Err(Fault::of("log", "an act", "the log's thread has ended")));
        }
    }

    /// Logs what has already happened and cannot be refused: returns at once; what cannot be written is kept and tried again.
    pub fn spool(&self, at: DateTime<Utc>, draft: Draft) {
        self.spooled.fetch_add(1, Ordering::Relaxed);
        if self.jobs.send(Job { at, draft, reply: None }).is_err() {
            tracing::error!("the log's thread has ended; an act is not logged");
        }
    }

    /// Acts whose entry is not durable yet.
    pub fn spooled(&self) -> usize {
        self.spooled.load(Ordering::Relaxed)
    }
}

struct Writer {
    file: LogFile,
    spool: VecDeque<(DateTime<Utc>, Draft)>,
    seen: Box<dyn Fn(&Logged) + Send>,
    spooled: Arc<AtomicUsize>,
}

impl Writer {
    fn run(mut self, inbox: &mpsc::Receiver<Job>) {
        loop {
            let first = match inbox.recv_timeout(Duration::from_secs(1)) {
                Ok(job) => Some(job),
                Err(mpsc::RecvTimeoutError::Timeout) if self.spool.is_empty() => continue,
                Err(mpsc::RecvTimeoutError::Timeout) => None,
                Err(mpsc::RecvTimeoutError::Disconnected) => break,
            };
            let batch: Vec<Job> = first.into_iter().chain(std::iter::from_fn(|| inbox.try_recv().ok())).collect();
            self.write(batch);
        }
        self.write(vec![]);
    }

    /// One batch, one sync.
    fn write(&mut self, batch: Vec<Job>) {
        let mut done: Vec<(Logged, Option<Reply>)> = Vec::new();
        // What was spooled comes first: the log keeps the order in which things happened.
        let spooled = std::mem::take(&mut self.spool).into_iter().map(|(at, draft)| Job { at, draft, reply: None });
        for job in spooled.chain(batch) {
            let blocked = !self.spool.is_empty() && job.reply.is_none();
            match if blocked { Err(Fault::of("log", "an act", "earlier acts wait")) } else { self.file.put(job.at, &job.draft) } {
                Ok(logged) => done.push((logged, job.reply)),
                Err(fault) => self.failed(job, fault),
            }
        }
        if let Err(fault) = self.file.file.sync() {
            // Written and perhaps durable, perhaps not. Acts that hang on it are refused; the entries stand: an entry
            // without its act is void, never the other way round.
            tracing::error!(%fault, "the custody log cannot be made durable");
            for (_, reply) in &mut done {
                if let Some(reply) = reply.take() {
                    reply(Err(Fault::of("sync", "the custody log", fault.to_string())));
                }
            }
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

    fn failed(&mut self, job: Job, fault: Fault) {
        tracing::error!(%fault, kind = job.draft.kind.as_str(), "an act could not be logged");
        match job.reply {
            Some(reply) => reply(Err(fault)),
            None => self.spool.push_back((job.at, job.draft)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn put(log: &CustodyLog, kind: EntryKind) -> Logged {
        let (tx, rx) = mpsc::channel();
        let draft = Draft::new(kind).text("reason", Some("因为"));
        log.put(DateTime::UNIX_EPOCH, draft, Box::new(move |r| tx.send(r).unwrap()));
        rx.recv().unwrap().unwrap()
    }

    #[test]
    fn an_entry_follows_the_one_before_it_and_holds_no_text() {
        let dir = tempfile::tempdir().unwrap();
        let (log, before) = CustodyLog::open(dir.path().to_owned(), DateTime::UNIX_EPOCH, Box::new(|_| ())).unwrap();
        assert!(before.is_empty());
        let logged = put(&log, EntryKind::Refused);
        assert_eq!(logged.entry.index, 1, "entry 0 opens the log");
        let text = &logged.texts[0];
        assert_eq!(logged.entry.bound["reason"], digest::sha256(format!("{}{}", text.salt, text.text).as_bytes()));
        let file = std::fs::read(dir.path().join("entries.log")).unwrap();
        assert!(!String::from_utf8_lossy(&file).contains("因为"));
        assert_eq!(entries(dir.path()).unwrap().len(), 2);
    }

    #[test]
    fn an_altered_log_is_not_gone_on_with() {
        let dir = tempfile::tempdir().unwrap();
        let (log, _) = CustodyLog::open(dir.path().to_owned(), DateTime::UNIX_EPOCH, Box::new(|_| ())).unwrap();
        put(&log, EntryKind::SignedIn);
        put(&log, EntryKind::SignedOut);
        let path = dir.path().join("entries.log");
        let mut bytes = std::fs::read(&path).unwrap();
        let at = bytes.windows(9).position(|w| w == b"signed_in").unwrap();
        bytes[at..at + 9].copy_from_slice(b"mark_set!");
        std::fs::write(&path, bytes).unwrap();
        assert!(entries(dir.path()).is_err());
    }

    #[test]
    fn a_torn_end_is_set_aside_and_the_log_goes_on() {
        let dir = tempfile::tempdir().unwrap();
        let (log, _) = CustodyLog::open(dir.path().to_owned(), DateTime::UNIX_EPOCH, Box::new(|_| ())).unwrap();
        put(&log, EntryKind::SignedIn);
        drop(log);
        Appending::open(&dir.path().join("entries.log")).unwrap().append(&[0, 200, b'{']).unwrap();
        let (log, before) = CustodyLog::open(dir.path().to_owned(), DateTime::UNIX_EPOCH, Box::new(|_| ())).unwrap();
        assert_eq!(before.len(), 2);
        assert_eq!(put(&log, EntryKind::SignedOut).entry.index, 2);
        assert!(dir.path().join("torn-2").exists());
    }
}
