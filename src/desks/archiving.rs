//! The thread that archives: what waits is put, read back and locked; locks are renewed; what lies there is read again, and put again
//! where it is not what it was. What goes, from there and from here, is in `sweeping`. One thing at a time, paced, on a thread of the
//! lowest priority: outside the way of any recording.
//!
//! A crash anywhere leaves an object that no row names: it is put once more, under the same name, as another version.

use crate::acts::Acts;
use crate::catalog::archive::{self, Item, Object};
use crate::catalog::{Reading, Writing, sessions};
use crate::custody::files::Files;
use crate::custody::logfile;
use crate::desks::Answer;
use crate::desks::archive::{ArchiveSettings, Doing, keep_of};
use crate::desks::retrieval::{Trouble, indexes};
use crate::footage::archive::{Store, StoreFault};
use crate::footage::envelope::{Identities, Recipients};
use crate::footage::tree;
use crate::machine::clock::{Clock, Due};
use crate::machine::durable;
use crate::machine::{fault::Fault, volume, worker};
use crate::model::archive::{
    FORMAT, Index, Keep, Lock, PART_BYTES, SignedStatus, StoredFile, StoredPart, belongs, floor, index_key, is_open, lock, object_key,
    status_key,
};
use crate::model::digest;
use crate::model::entry::{Draft, EntryKind};
use crate::model::ids::SessionId;
use crate::model::session::Session;
use bytes::Bytes;
use chrono::{DateTime, TimeDelta, Utc};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::runtime::Handle;

/// How long it rests with nothing to do.
const TICK: Duration = Duration::from_secs(1);
/// How long it rests after the bucket was away: doubled each time, up to the second.
const REST: (Duration, Duration) = (Duration::from_secs(2), Duration::from_mins(2));
/// How often locks are compared with what retention says.
const LOOK_EVERY: TimeDelta = TimeDelta::hours(12);
/// How often the custody log is archived while it grows.
const LOG_EVERY: Duration = Duration::from_mins(10);
/// How often what is given up, or may be released, is looked at.
const DISPOSE_EVERY: Duration = Duration::from_secs(20);
/// How often versions that others took the place of are looked for: an entry in the log tells of them, and the log is archived, too.
const SWEEP_EVERY: Duration = Duration::from_hours(24);
/// How often what has a problem of its own is tried again.
const AGAIN_EVERY: Duration = Duration::from_mins(5);
/// Things that are done in one go.
pub(super) const BATCH: u32 = 20;

/// Takes word of a session of which so many objects went from the bucket, and none is left.
pub(super) type TellGone = Box<dyn Fn(&SessionId, u64) -> Answer<()> + Send>;

/// Who archives.
pub struct Archivist {
    pub(super) settings: ArchiveSettings,
    pub(super) store: Arc<Store>,
    pub(super) to: Recipients,
    pub(super) opens: Option<Arc<Identities>>,
    pub(super) acts: Acts,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) data: PathBuf,
    pub(super) mirror: Option<PathBuf>,
    pub(super) runtime: Handle,
    pub(super) doing: Arc<Mutex<Doing>>,
    /// The desk of disposals.
    pub(super) gone: TellGone,
}

impl Archivist {
    pub(super) fn now(&self) -> DateTime<Utc> {
        self.clock.now().utc
    }

    pub(super) fn read<T>(&self, work: impl FnOnce(&Reading) -> Result<T, Fault>) -> Result<T, Fault> {
        self.acts.catalog().read(work)
    }

    pub(super) fn keep<T: Send + 'static>(&self, work: impl FnOnce(&Writing<'_>) -> Result<T, Fault> + Send + 'static) -> Result<T, Fault> {
        self.runtime.block_on(self.acts.keep(work))
    }

    fn tell(&self, change: impl FnOnce(&mut Doing)) {
        change(&mut self.doing.lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// Goes on as long as there is somebody who tells the site's status, when it is due.
    pub(super) fn run(self, status: &dyn Fn(bool) -> Option<Option<SignedStatus>>) {
        if let Err(fault) = worker::step_back() {
            tracing::warn!(%fault, "the archive's thread runs at the priority of the others");
        }
        let (mut fit, mut rest, mut sweep_due) = (false, REST.0, Due::now());
        let (mut log_due, mut dispose_due, mut status_due, mut again_due) = (Due::now(), Due::now(), Due::now(), Due::now());
        loop {
            let Some(now_is) = status(status_due.is_past()) else { return };
            let open = is_open(self.settings.window, self.now());
            self.tell(|d| d.outside_window = !open);
            let done = (|| {
                if !fit {
                    self.store.check()?;
                    fit = true;
                }
                if let Some(now_is) = &now_is {
                    self.put_status(now_is)?;
                    status_due = Due::after(Duration::from_secs(60 * u64::from(self.settings.status_min)));
                }
                if !open {
                    return Ok(false);
                }
                if log_due.is_past() {
                    self.want_log()?;
                    log_due = Due::after(LOG_EVERY);
                }
                let again = again_due.is_past();
                let mut busy = self.put_waiting(again)?;
                if again {
                    again_due = Due::after(AGAIN_EVERY);
                }
                busy |= self.compare_locks()?;
                busy |= self.read_again()?;
                if dispose_due.is_past() {
                    self.dispose_due()?;
                    self.release_due()?;
                    dispose_due = Due::after(DISPOSE_EVERY);
                }
                if sweep_due.is_past() {
                    self.sweep_superseded()?;
                    sweep_due = Due::after(SWEEP_EVERY);
                }
                Ok::<_, Trouble>(busy)
            })();
            let wait = match done {
                Ok(busy) => {
                    rest = REST.0;
                    self.tell(|d| (d.problem, d.what) = (None, None));
                    if busy { Duration::ZERO } else { TICK }
                }
                Err(trouble) => {
                    let said = trouble.to_string();
                    self.tell(|d| {
                        if d.problem.as_ref() != Some(&said) {
                            tracing::warn!("archive: {said}");
                        }
                        (d.problem, d.what) = (Some(said), None);
                    });
                    fit = false;
                    rest = (rest * 2).min(REST.1);
                    rest
                }
            };
            std::thread::sleep(wait);
        }
    }

    /// The log and the public keys are looked at now and then; nobody tells of each entry. Logs that were set aside are archived once.
    fn want_log(&self) -> Result<(), Trouble> {
        let now = self.now().timestamp_millis();
        let earlier = logfile::set_aside_logs(&self.data.join("custody/log"));
        let names: Vec<String> = earlier.iter().filter_map(|path| Some(path.file_name()?.to_str()?.to_owned())).collect();
        Ok(self.keep(move |t| {
            archive::want(t, "log", "log", "custody/log", now)?;
            names.iter().try_for_each(|name| archive::want_once(t, "log", name, &format!("custody/{name}"), now))?;
            archive::want(t, "keys", "keys", "keys", now)
        })?)
    }

    /// Puts what waits; whether there was something. What had a problem of its own is tried `again` now and then.
    fn put_waiting(&self, again: bool) -> Result<bool, Trouble> {
        let waiting = self.read(|c| archive::waiting(c, BATCH, again))?;
        let mut any = false;
        for item in waiting {
            if !is_open(self.settings.window, self.now()) {
                break;
            }
            any |= item.problem.is_none();
            self.tell(|d| d.what = Some(format!("{} {}", item.kind, item.id)));
            match self.archive(&item) {
                // A store that is made anew from the bucket shall know by its log, too, what was given up.
                Ok(()) if item.kind == "disposal" => self.want_log()?,
                Ok(()) => {}
                Err(Trouble::Store(fault @ (StoreFault::Away(_) | StoreFault::Unfit(_) | StoreFault::Refused))) => return Err(fault.into()),
                Err(trouble) => {
                    let (said, row) = (trouble.to_string(), item.clone());
                    if item.problem.as_ref() != Some(&said) {
                        tracing::warn!(kind = item.kind, id = item.id, "is not archived: {said}");
                        self.keep(move |t| archive::problem(t, &row, &said))?;
                    }
                }
            }
        }
        Ok(any)
    }

    pub(super) fn session(&self, item: &Item) -> Result<Option<Session>, Fault> {
        let Some(id) = Some(&item.id).filter(|_| item.kind == "session").and_then(|id| SessionId::new(id).ok()) else { return Ok(None) };
        Ok(self.read(move |c| sessions::by_id(c, &id))?.map(|doc| doc.session))
    }

    /// How long it is kept, and the floor of its locks.
    pub(super) fn keeping(&self, session: Option<&Session>) -> Result<(Keep, DateTime<Utc>), Fault> {
        let margin = self.settings.margin_days;
        match session {
            Some(session) => {
                let end = session.ended_at.unwrap_or_else(|| self.now());
                Ok((self.read(|c| keep_of(c, session))?, floor(end, margin)))
            }
            None => Ok((Keep { until: None, held: false }, floor(self.now(), margin))),
        }
    }

    /// What lies in an item's folder and is archived: all but what is being written, what is secret and what was damaged.
    fn names(&self, item: &Item) -> Result<Vec<String>, Fault> {
        let root = self.data.join(&item.folder);
        let wanted = |name: &String| {
            let plain = !name.ends_with(".part") && !name.ends_with(".restoring") && !name.contains(".damaged-") && name != tree::RELEASED;
            plain && belongs(&item.kind, name) && !name.contains(".p/")
        };
        Ok(Files::Folder(root).all()?.into_iter().filter(wanted).collect())
    }

    /// Puts an item: its files that are not there yet, then its index.
    pub fn archive(&self, item: &Item) -> Result<(), Trouble> {
        let session = self.session(item)?;
        let (keep, floor) = self.keeping(session.as_ref())?;
        if item.number == 0 {
            self.adopt(item)?;
        }
        let known = archive::files(&self.read(|c| archive::of_item(c, &item.kind, &item.id))?);
        let names = self.names(item)?;
        let sealed = |name: &str| session.as_ref()?.segments.iter().find(|s| s.file == name).map(|s| s.sha256.clone());
        let (mut put, mut repaired) = (0, 0);
        for name in &names {
            // The hours are over: what was put is known, and the item goes on where it is.
            if !is_open(self.settings.window, self.now()) {
                return Ok(());
            }
            let there = known.iter().find(|f| f.name == *name);
            let sealed = sealed(name);
            if sealed.is_some() && there.is_some_and(|f| Some(&f.sha256) == sealed.as_ref() && is_complete(f)) {
                continue;
            }
            let path = self.data.join(&item.folder).join(name);
            if let Some(again) = self.put_file(item, name, &path, sealed.as_deref(), there, lock(keep, floor, None, self.now()))? {
                put += 1;
                repaired += u32::from(again);
            }
        }
        let gone = known.iter().filter(|f| !names.contains(&f.name) && sealed(&f.name).is_none()).count();
        let row = self.read(|c| archive::by_id(c, &item.kind, &item.id))?;
        let number = row.map_or(0, |r| r.number);
        let (now, began) = (self.now(), item.since);
        if put == 0 && gone == 0 && number > 0 {
            let item = item.clone();
            return Ok(self.keep(move |t| archive::archived(t, &item, number, now.timestamp_millis(), began))?);
        }
        self.put_index(item, session, &names, lock(keep, floor, None, now), repaired)
    }

    fn put_index(&self, item: &Item, session: Option<Session>, names: &[String], lock: Lock, repaired: u32) -> Result<(), Trouble> {
        let (now, began) = (self.now(), item.since);
        let files = archive::files(&self.read(|c| archive::of_item(c, &item.kind, &item.id))?);
        let is_segment = |name: &str| session.as_ref().is_some_and(|s| s.segments.iter().any(|s| s.file == name));
        let (kept, left): (Vec<_>, Vec<_>) = files.into_iter().partition(|f| names.contains(&f.name) || is_segment(&f.name));
        let (files, left): (_, Vec<String>) = (kept, left.into_iter().map(|f| f.name).collect());
        if let Some(missing) = session.iter().flat_map(|s| &s.segments).find(|s| !files.iter().any(|f| f.name == s.file)) {
            return Err(Trouble::Altered(format!("{} is neither here nor there", missing.file)));
        }
        let number = (now.timestamp_millis().max(0) as u64).max(item.number + 1);
        let (count, bytes) = (files.len(), files.iter().map(|f| f.bytes).sum::<u64>());
        let index = Index {
            format: FORMAT.into(),
            site: self.settings.site.clone(),
            kind: item.kind.clone(),
            id: item.id.clone(),
            folder: item.folder.clone(),
            number,
            at: now,
            session: session.map(Box::new),
            files,
        };
        let data = serde_json::to_vec(&index).map_err(|e| Fault::of("encode", "an index", e))?;
        let key = index_key(&self.settings.site, &item.kind, &item.id, number, self.to.any());
        let sha256 = digest::sha256(&data);
        let length = data.len() as u64;
        let whole = Part { name: "", file_sha256: &sha256, file_bytes: length, number: 0 };
        self.put_part(item, &whole, key, data, lock)?;
        let entry = |kind| Draft::new(kind).about("kind", &item.kind).about("id", &item.id);
        let draft = entry(EntryKind::Archived)
            .about("files", count)
            .about("bytes", bytes)
            .about("sha256", &sha256)
            .about("until", lock.until.to_rfc3339())
            .about("held", lock.held);
        let row = item.clone();
        let done = move |t: &Writing<'_>| {
            archive::no_longer(t, &row, &left)?;
            archive::archived(t, &row, number, now.timestamp_millis(), began)
        };
        if item.kind == "log" || item.kind == "keys" {
            // An entry for each would make the log grow by being archived.
            return Ok(self.keep(done)?);
        }
        let in_session = |d: Draft| if item.kind == "session" { d.in_session(&item.id) } else { d };
        if repaired > 0 {
            self.acts.do_and_log(in_session(entry(EntryKind::ArchiveRepaired).about("files", repaired)), |_| Ok(()));
        }
        Ok(self.runtime.block_on(self.acts.log_then_do(in_session(draft), done))?)
    }

    /// Puts a file unless it is there already; whether an earlier object of the same content had been lost.
    fn put_file(
        &self,
        item: &Item,
        name: &str,
        path: &Path,
        sealed: Option<&str>,
        there: Option<&StoredFile>,
        lock: Lock,
    ) -> Result<Option<bool>, Trouble> {
        let bytes = durable::length(path)?;
        // A small file may still grow (a link in the journal): it is read once, and what was read is what is put.
        let small = if bytes <= PART_BYTES { Some(durable::read_whole(path, PART_BYTES)?) } else { None };
        let (bytes, sha256) = match &small {
            Some(data) => (data.len() as u64, digest::sha256(data)),
            None => volume::digest(path)?,
        };
        if sealed.is_some_and(|s| s != sha256) {
            return Err(Trouble::Altered(format!("{name} here is not what was sealed")));
        }
        if there.is_some_and(|f| f.sha256 == sha256 && is_complete(f)) {
            return Ok(None);
        }
        let known = self.read(|c| archive::all_of_item(c, &item.kind, &item.id))?;
        let mut again = false;
        let mut put = |number: u32, data: Vec<u8>| -> Result<(), Trouble> {
            let key = object_key(&self.settings.site, &item.kind, &item.id, &digest::sha256(&data), self.to.any());
            again |= known.iter().any(|o| o.stored.key == key && o.name == name);
            let whole = there.filter(|f| f.sha256 == sha256).and_then(|f| f.parts.iter().find(|p| p.key == key));
            if whole.is_some() {
                return Ok(());
            }
            self.put_part(item, &Part { name, file_sha256: &sha256, file_bytes: bytes, number }, key, data, lock)
        };
        if let Some(data) = small {
            put(0, data)?;
            return Ok(Some(again));
        }
        let mut file = durable::open(path)?;
        for number in 0.. {
            let mut data = Vec::new();
            Read::by_ref(&mut file).take(PART_BYTES).read_to_end(&mut data).map_err(|e| Fault::file("read", path, e))?;
            if data.is_empty() {
                break;
            }
            put(number, data)?;
        }
        Ok(Some(again))
    }

    /// Puts an object, reads it back, and keeps its row.
    fn put_part(&self, item: &Item, part: &Part<'_>, key: String, data: Vec<u8>, lock: Lock) -> Result<(), Trouble> {
        let (bytes, sha256) = (data.len() as u64, digest::sha256(&data));
        let sealed = if self.to.any() { self.to.encrypt(&data)? } else { data };
        let (stored_bytes, stored_sha256) = (sealed.len() as u64, digest::sha256(&sealed));
        let version = self.store.put_and_read_back(&key, Bytes::from(sealed), lock)?;
        let object = Object {
            kind: item.kind.clone(),
            id: item.id.clone(),
            name: part.name.into(),
            file_sha256: part.file_sha256.into(),
            file_bytes: part.file_bytes,
            part: part.number,
            stored: StoredPart { key, version, bytes, sha256, stored_bytes, stored_sha256 },
            lock,
        };
        let at = self.now().timestamp_millis();
        Ok(self.keep(move |t| archive::put(t, &object, at))?)
    }

    /// After the catalog was lost: what the bucket's newest index says of an item is taken over, and read again soon.
    fn adopt(&self, item: &Item) -> Result<(), Trouble> {
        if self.to.any() && self.opens.is_none() {
            return Ok(());
        }
        let below = format!("{}/{}/", item.kind, item.id);
        let (found, _) = indexes(&self.store, self.opens.as_deref(), &self.settings.site, &below)?;
        let Some(index) = found.into_iter().next() else { return Ok(()) };
        let mut objects = Vec::new();
        for file in &index.files {
            for (part, stored) in file.parts.iter().enumerate() {
                match self.store.lock_of(&stored.key, &stored.version) {
                    Ok(lock) => objects.push(Object {
                        kind: item.kind.clone(),
                        id: item.id.clone(),
                        name: file.name.clone(),
                        file_sha256: file.sha256.clone(),
                        file_bytes: file.bytes,
                        part: part as u32,
                        stored: stored.clone(),
                        lock,
                    }),
                    // Put anew like what was never there.
                    Err(StoreFault::Absent) => {}
                    Err(other) => return Err(other.into()),
                }
            }
        }
        Ok(self.keep(move |t| objects.iter().try_for_each(|o| archive::put(t, o, 0)))?)
    }

    /// Compares locks with what retention says; whether there was something to do. Only what the newest index names is renewed: a version
    /// that another took the place of (a journal before its next line, a lesser tile) holds nothing that the newer one does not, keeps
    /// the lock that it was put under, at least the floor of 第十八条, and goes when that ends.
    fn compare_locks(&self) -> Result<bool, Trouble> {
        let now = self.now();
        let items = self.read(|c| archive::to_look_at(c, (now - LOOK_EVERY).timestamp_millis(), BATCH))?;
        for item in &items {
            let session = self.session(item)?;
            let (keep, floor) = self.keeping(session.as_ref())?;
            let mut changed = None;
            for object in self.read(|c| archive::of_item(c, &item.kind, &item.id))? {
                // Taken over from an index, or run out: the bucket itself knows.
                let mut object = object;
                if object.lock.until <= now {
                    match self.store.lock_of(&object.stored.key, &object.stored.version) {
                        Ok(has) => object.lock = has,
                        Err(StoreFault::Absent) => {
                            self.found_damaged(&object, "is gone")?;
                            continue;
                        }
                        Err(other) => return Err(other.into()),
                    }
                }
                let wanted = lock(keep, floor.min(object.lock.until), Some(object.lock), now);
                if wanted == object.lock {
                    continue;
                }
                match self.store.relock(&object.stored.key, &object.stored.version, object.lock, wanted) {
                    Ok(()) => {
                        changed = Some(wanted);
                        self.keep(move |t| archive::locked(t, &object, wanted))?;
                    }
                    Err(StoreFault::Absent) => self.found_damaged(&object, "is gone")?,
                    Err(other) => return Err(other.into()),
                }
            }
            let (row, at) = (item.clone(), now.timestamp_millis());
            self.keep(move |t| archive::looked(t, &row.kind, &row.id, at))?;
            if let Some(lock) = changed {
                let draft = Draft::new(EntryKind::ArchiveRelocked).about("kind", &item.kind).about("id", &item.id);
                self.acts.do_and_log(draft.about("until", lock.until.to_rfc3339()).about("held", lock.held), |_| Ok(()));
            }
        }
        Ok(!items.is_empty())
    }

    /// Reads again what was read longest ago; whether there was something.
    fn read_again(&self) -> Result<bool, Trouble> {
        let now = self.now();
        let before = now - TimeDelta::days(i64::from(self.settings.verify_days));
        let due = self.read(|c| archive::to_verify(c, before.timestamp_millis(), BATCH))?;
        let mut well = 0;
        for object in &due {
            self.tell(|d| d.what = Some(format!("{} {}", object.kind, object.id)));
            match self.store.digest(&object.stored.key, &object.stored.version) {
                Ok((bytes, sha256)) if bytes == object.stored.stored_bytes && sha256 == object.stored.stored_sha256 => {
                    let (row, at) = (object.clone(), now.timestamp_millis());
                    self.keep(move |t| archive::verified(t, &row, at))?;
                    well += 1;
                }
                Ok(_) => self.found_damaged(object, "is altered")?,
                Err(StoreFault::Absent) => self.found_damaged(object, "is gone")?,
                Err(other) => return Err(other.into()),
            }
        }
        if !due.is_empty() {
            let draft = Draft::new(EntryKind::ArchiveVerified).about("objects", well).about("damaged", due.len() - well);
            self.acts.do_and_log(draft, |_| Ok(()));
        }
        Ok(!due.is_empty())
    }

    /// Told, logged, and put again from the copy here with the item's next turn.
    fn found_damaged(&self, object: &Object, what: &str) -> Result<(), Trouble> {
        tracing::error!(key = object.stored.key, "an object in the archive {what}");
        self.tell(|d| d.damaged += 1);
        let draft = Draft::new(EntryKind::ArchiveDamaged)
            .about("kind", &object.kind)
            .about("id", &object.id)
            .about("sha256", &object.stored.sha256)
            .about("what", what);
        let draft = if object.kind == "session" { draft.in_session(&object.id) } else { draft };
        self.acts.do_and_log(draft, |_| Ok(()));
        let (row, at) = (object.clone(), self.now().timestamp_millis());
        Ok(self.keep(move |t| archive::lost(t, &row, at))?)
    }

    /// How the site is, for the overview: the newest alone is kept.
    fn put_status(&self, status: &SignedStatus) -> Result<(), Trouble> {
        let data = serde_json::to_vec(status).map_err(|e| Fault::of("encode", "the status", e))?;
        let data = if self.to.any() { self.to.encrypt(&data)? } else { data };
        let key = status_key(&self.settings.site, self.to.any());
        let now = self.store.put(&key, Bytes::from(data), None)?;
        for old in self.store.versions(&key)?.into_iter().filter(|v| v.key == key && v.version != now) {
            match self.store.delete(&old.key, &old.version) {
                // A bucket with a retention of its own keeps them for a while.
                Ok(()) | Err(StoreFault::Refused) => {}
                Err(other) => return Err(other.into()),
            }
        }
        Ok(())
    }
}

struct Part<'a> {
    name: &'a str,
    file_sha256: &'a str,
    file_bytes: u64,
    number: u32,
}

/// Whether every part of a file is there.
pub(super) fn is_complete(file: &StoredFile) -> bool {
    file.parts.iter().map(|p| p.bytes).sum::<u64>() == file.bytes
}
