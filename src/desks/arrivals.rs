//! Files on their way in (第十四条): what has arrived of each, and the one thread that examines, stores and seals them, takes up what
//! `shilu import` left, and looks into watched folders. Nothing waits for it, and it waits for nothing that records.
//!
//! ```text
//! imports/<id>/arrival.json   who, how, what is said of it, where it stands
//! imports/<id>/data           its bytes, as many as have arrived
//! imports/<id>/storing.json   what it is to become; from then on a crash is gone on from
//! imports/inbox/<n>/          what `shilu import` hands in: data, order.json; answered by answer.json
//! imports/folders.json        what was taken from watched folders
//! ```

use crate::catalog::imports as index;
use crate::desks::folders::Folders;
use crate::desks::imports::DevicePlace;
use crate::desks::orders::{self, Told};
use crate::machine::clock::Due;
use crate::machine::worker::Worker;
use crate::machine::{durable, fault::Fault, randomness};
use crate::model::entry::{Draft, EntryKind};
use crate::model::ids::{AccountId, ImportId};
use crate::model::import::{Arrival, ArrivalState, Examine, Examined, FootageKind, ImportForm, ImportWay};
use crate::model::time;
use crate::recorder::{Shared, imports};
use chrono::{DateTime, TimeDelta, Utc};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::thread;
use std::time::Duration;

/// The hidden subcommand that looks at files.
const EXAMINER: &str = "examine";
/// How long it may look, once the digests are made.
const PATIENCE: Duration = Duration::from_secs(90);
/// The largest paper in the folder of arrivals.
const PAPER_BYTES_MAX: u64 = 16 * 1024 * 1024;
/// Hours for which it is told what became of a file.
const TOLD_H: i64 = 48;
/// How often the inbox is looked into.
const LOOK: Duration = Duration::from_secs(1);

/// Names in the folder of something that comes.
pub(super) const DATA: &str = "data";
const ARRIVAL: &str = "arrival.json";
const STORING: &str = "storing.json";
/// What arrives now. The thread ends with the last one who holds it.
#[derive(Clone)]
pub(crate) struct Arrivals {
    inner: Arc<Inner>,
    wake: mpsc::Sender<ImportId>,
}

struct Inner {
    root: PathBuf,
    shared: Arc<Shared>,
    devices: Vec<DevicePlace>,
    all: Mutex<BTreeMap<ImportId, Arrival>>,
    /// Those of which a piece is being written.
    writing: Mutex<BTreeSet<ImportId>>,
}

impl Arrivals {
    /// Takes up what was on its way when the recorder last ended, and starts the thread.
    pub(super) fn start(data: &Path, shared: Arc<Shared>, devices: Vec<DevicePlace>, mut folders: Folders) -> Self {
        let (wake, inbox) = mpsc::channel();
        let inner = Inner { root: data.join("imports"), shared, devices, all: Mutex::default(), writing: Mutex::default() };
        let arrivals = Self { inner: Arc::new(inner), wake };
        let (weak, again) = (Arc::downgrade(&arrivals.inner), arrivals.wake.clone());
        let first = arrivals.inner.clone();
        let run = move || {
            first.take_up(&again);
            drop((first, again));
            loop {
                let next = inbox.recv_timeout(LOOK);
                let Some(inner) = weak.upgrade() else { return };
                match next {
                    Ok(id) => inner.take_in(&id),
                    Err(mpsc::RecvTimeoutError::Timeout) => {
                        inner.orders();
                        inner.folders(&mut folders);
                        inner.forget();
                    }
                    Err(mpsc::RecvTimeoutError::Disconnected) => return,
                }
            }
        };
        if let Err(e) = thread::Builder::new().name("imports".into()).spawn(run) {
            tracing::error!("nothing can be taken in: {e}");
        }
        arrivals
    }

    /// All that come or have come lately.
    pub(super) fn all(&self) -> Vec<Arrival> {
        self.inner.with(|all| all.values().cloned().collect())
    }

    /// One.
    pub(super) fn get(&self, id: &ImportId) -> Option<Arrival> {
        self.inner.with(|all| all.get(id).cloned())
    }

    /// Begins one, or says anew what is said of one that has begun.
    pub(super) fn put(&self, arrival: Arrival) -> Result<(), Fault> {
        self.inner.keep(arrival)
    }

    /// Its bytes.
    pub(super) fn data(&self, id: &ImportId) -> PathBuf {
        self.inner.folder(id).join(DATA)
    }

    /// Writes a piece where it belongs and makes it durable; gives how many bytes there are now. One piece at a time: `None` while
    /// another is written.
    pub(super) fn append(&self, id: &ImportId, offset: u64, piece: &[u8]) -> Result<Option<u64>, Fault> {
        if !self.inner.writing.lock().unwrap_or_else(PoisonError::into_inner).insert(id.clone()) {
            return Ok(None);
        }
        let write = || -> Result<Option<u64>, Fault> {
            let mut file = durable::Appending::open(&self.data(id))?;
            if file.bytes() != offset {
                return Ok(None);
            }
            // After a fault nothing behind `offset` counts, whatever of it the disk took.
            let put = file.append(piece).and_then(|()| file.sync());
            put.inspect_err(|_| drop(file.cut_to(offset)))?;
            let bytes = file.bytes();
            // A crash before this line is as if the piece had not come: it is sent again.
            if let Some(arrival) = self.inner.change(id, |a| a.received = bytes) {
                self.inner.keep(arrival)?;
            }
            Ok(Some(bytes))
        };
        let written = write();
        self.inner.writing.lock().unwrap_or_else(PoisonError::into_inner).remove(id);
        written
    }

    /// All of it is there: it is examined when its turn comes.
    pub(super) fn arrived(&self, id: &ImportId) -> Result<(), Fault> {
        self.inner.stand(id, ArrivalState::Examining)?;
        drop(self.wake.send(id.clone()));
        Ok(())
    }

    /// Gives one up; its bytes go.
    pub(super) fn give_up(&self, id: &ImportId) -> Result<(), Fault> {
        self.inner.with(|all| all.remove(id));
        self.inner.remove(id)
    }
}

/// What a look at a file told.
struct Seen {
    digests: imports::Digests,
    found: Result<Examined, &'static str>,
}

impl Inner {
    fn with<T>(&self, work: impl FnOnce(&mut BTreeMap<ImportId, Arrival>) -> T) -> T {
        work(&mut self.all.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn folder(&self, id: &ImportId) -> PathBuf {
        self.root.join(id.as_str())
    }

    fn now(&self) -> DateTime<Utc> {
        self.shared.clock.now().utc
    }

    fn change(&self, id: &ImportId, change: impl FnOnce(&mut Arrival)) -> Option<Arrival> {
        self.with(|all| {
            let arrival = all.get_mut(id)?;
            change(arrival);
            Some(arrival.clone())
        })
    }

    fn keep(&self, arrival: Arrival) -> Result<(), Fault> {
        let folder = self.folder(&arrival.id);
        durable::make_folder(&folder)?;
        let data = serde_json::to_vec_pretty(&arrival).map_err(|e| Fault::of("encode", "an arrival", e))?;
        durable::write_whole(&folder.join(ARRIVAL), &data)?;
        self.with(|all| all.insert(arrival.id.clone(), arrival));
        Ok(())
    }

    fn stand(&self, id: &ImportId, state: ArrivalState) -> Result<(), Fault> {
        match self.change(id, |a| (a.state, a.problem) = (state, None)) {
            Some(arrival) => self.keep(arrival),
            None => Ok(()),
        }
    }

    fn remove(&self, id: &ImportId) -> Result<(), Fault> {
        let folder = self.folder(id);
        for name in [DATA, STORING, ARRIVAL] {
            durable::remove_marker(&folder.join(name))?;
        }
        durable::remove_empty_folder(&folder)
    }

    /// At start: what arrives goes on where it was; what had arrived is examined or stored.
    fn take_up(&self, wake: &mpsc::Sender<ImportId>) {
        for name in durable::names(&self.root).unwrap_or_default() {
            let folder = self.root.join(&name);
            let read = durable::read_whole(&folder.join(ARRIVAL), PAPER_BYTES_MAX);
            let Some(mut arrival) = read.ok().and_then(|data| serde_json::from_slice::<Arrival>(&data).ok()) else { continue };
            if arrival.state == ArrivalState::Receiving && arrival.way == ImportWay::Browser {
                // What lies behind the last piece that was answered may be torn.
                let data = folder.join(DATA);
                arrival.received = arrival.received.min(durable::length(&data).unwrap_or(0));
                if durable::exists(&data)
                    && let Err(fault) = durable::Appending::open_cut(&data, arrival.received)
                {
                    tracing::error!(%fault, "an upload cannot go on");
                    continue;
                }
            }
            let (id, state) = (arrival.id.clone(), arrival.state);
            let whole = state == ArrivalState::Receiving && arrival.received == arrival.bytes && arrival.way == ImportWay::Browser;
            self.with(|all| all.insert(id.clone(), arrival));
            if whole || matches!(state, ArrivalState::Examining | ArrivalState::Storing | ArrivalState::Failed) {
                drop(wake.send(id));
            }
        }
    }

    fn take_in(&self, id: &ImportId) {
        let Some(arrival) = self.with(|all| all.get(id).cloned()).filter(|a| !a.is_over()) else { return };
        if let Err(fault) = self.try_take_in(&arrival) {
            tracing::error!(import = %id, %fault, "is not taken in yet; its bytes are kept");
            self.end(&arrival, ArrivalState::Failed, Some("machine"));
        }
    }

    fn try_take_in(&self, arrival: &Arrival) -> Result<(), Fault> {
        let folder = self.folder(&arrival.id);
        let path = folder.join(STORING);
        let storing: imports::Storing = if durable::exists(&path) {
            let data = durable::read_whole(&path, PAPER_BYTES_MAX)?;
            serde_json::from_slice(&data).map_err(|e| Fault::of("read", path.display().to_string(), e))?
        } else {
            let seen = self.examine(arrival)?;
            self.change(&arrival.id, |a| a.sha256 = Some(seen.digests.sha256.clone()));
            let sha256 = seen.digests.sha256.clone();
            if let Some(known) = self.shared.acts.catalog().read(|c| index::by_digest(c, &sha256))? {
                self.change(&arrival.id, |a| a.session = Some(known.clone()));
                self.note(arrival, EntryKind::ImportKnown, &sha256, Some(known.as_str()));
                self.end(arrival, ArrivalState::Known, None);
                return durable::remove_marker(&folder.join(DATA));
            }
            // What no player knows may be known by another one, or by an expert: it is kept as it came.
            let found = seen.found.unwrap_or_else(|problem| {
                tracing::warn!(import = %arrival.id, problem, "no player knows it; it is kept and sealed as it came");
                Examined::unknown()
            });
            let number = arrival.form.device_no.as_deref();
            let device = self.devices.iter().find(|d| Some(d.number.as_str()) == number).map(|d| (d.name.as_str(), d.clock));
            let storing = imports::plan(&self.shared, arrival, &found, &seen.digests, device)?;
            let data = serde_json::to_vec_pretty(&storing).map_err(|e| Fault::of("encode", "what a file becomes", e))?;
            durable::write_whole(&path, &data)?;
            storing
        };
        self.stand(&arrival.id, ArrivalState::Storing)?;
        let session = imports::store(&self.shared, &storing, &folder.join(DATA))?;
        // The next file may be the same one: it is known only when the row is there.
        let (tell, told) = mpsc::channel();
        self.shared.acts.index_only(move |_| {
            let _ = tell.send(());
            Ok(())
        });
        let _ = told.recv_timeout(Duration::from_secs(30));
        let sha256 = storing.segment.sha256.clone();
        self.change(&arrival.id, |a| (a.session, a.sha256) = (Some(session.id.clone()), Some(sha256)));
        let unknown = session.imported.as_ref().is_some_and(|i| i.footage == FootageKind::Unknown);
        self.end(arrival, ArrivalState::TakenIn, unknown.then_some("unreadable"));
        // A crash before this line stores nothing twice: the session is sealed, and found so.
        durable::remove_marker(&folder.join(DATA))?;
        durable::remove_marker(&path)
    }

    /// Digests it and looks at it, in a process of its own.
    fn examine(&self, arrival: &Arrival) -> Result<Seen, Fault> {
        let work = Examine { path: self.folder(&arrival.id).join(DATA), sm3: self.shared.sm3 };
        let work = serde_json::to_vec(&work).map_err(|e| Fault::of("encode", "a look at a file", e))?;
        let mut worker = Worker::start(EXAMINER, &work)?;
        let stop = worker.stop();
        let (mut digests, mut found, mut begun) = (None, None, None);
        while let Some(line) = worker.line() {
            match line.split_once(' ') {
                Some(("done", share)) => drop(self.change(&arrival.id, |a| a.done = share.parse().unwrap_or(a.done))),
                Some(("digests", said)) => {
                    digests = parse_digests(said);
                    let (over, hung) = mpsc::channel::<()>();
                    let stop = stop.clone();
                    // A file that makes the look hang ends it.
                    thread::spawn(move || {
                        if hung.recv_timeout(PATIENCE) == Err(mpsc::RecvTimeoutError::Timeout) {
                            stop.now();
                        }
                    });
                    begun = Some((over, Due::now()));
                }
                Some(("found", json)) => found = serde_json::from_str(json).ok(),
                Some(("refused", why)) => tracing::info!(import = %arrival.id, "cannot be read: {why}"),
                _ => {}
            }
        }
        drop(begun);
        let ended = worker.ended()?;
        let digests = digests.ok_or_else(|| Fault::of("examine", "a file", "its digests were not made"))?;
        let problem = if ended { "unreadable" } else { "limits" };
        Ok(Seen { digests, found: found.ok_or(problem) })
    }

    fn note(&self, arrival: &Arrival, kind: EntryKind, sha256: &str, session: Option<&str>) {
        let draft = Draft::new(kind).about("sha256", sha256).about("way", arrival.way.as_str()).text("file_name", Some(&arrival.file_name));
        let draft = if arrival.way == ImportWay::Folder { draft } else { draft.by(&arrival.by) };
        let draft = if let Some(session) = session { draft.in_session(&session) } else { draft };
        self.shared.acts.do_and_log(draft, |_| Ok(()));
    }

    fn end(&self, arrival: &Arrival, state: ArrivalState, problem: Option<&str>) {
        let now = self.now();
        let ended = self.change(&arrival.id, |a| (a.state, a.problem, a.ended_at) = (state, problem.map(Into::into), Some(now)));
        let Some(ended) = ended else { return };
        if let Some(order) = &ended.order
            && state != ArrivalState::Failed
        {
            let told = Told {
                state,
                session: ended.session.as_ref().map(ToString::to_string),
                sha256: ended.sha256.clone(),
                problem: ended.problem.clone(),
            };
            orders::answer(&self.root.join("inbox").join(order), &told);
        }
        if let Err(fault) = self.keep(ended) {
            tracing::error!(%fault, "where a file stands is not written down");
        }
    }

    /// What became of a file is told for two days.
    fn forget(&self) {
        let before = self.now() - TimeDelta::hours(TOLD_H);
        let old: Vec<ImportId> = self.with(|all| {
            let is_old = |a: &&Arrival| a.is_over() && a.ended_at.is_none_or(|at| at < before);
            all.values().filter(is_old).map(|a| a.id.clone()).collect()
        });
        for id in old {
            self.with(|all| all.remove(&id));
            drop(self.remove(&id));
        }
    }

    /// Takes up what `shilu import` left.
    fn orders(&self) {
        let inbox = self.root.join("inbox");
        for name in durable::names(&inbox).unwrap_or_default() {
            let folder = inbox.join(&name);
            if durable::exists(&folder.join(orders::ORDER)) && !durable::exists(&folder.join(orders::ANSWER)) {
                let under_way =
                    self.with(|all| all.values().any(|a| a.order.as_deref() == Some(&name) && a.state != ArrivalState::Receiving));
                if under_way {
                    continue;
                }
                if let Err(problem) = self.order(&name, &folder) {
                    orders::answer(&folder, &Told { state: ArrivalState::Refused, session: None, sha256: None, problem: Some(problem) });
                }
            }
        }
    }

    fn order(&self, name: &str, folder: &Path) -> Result<(), String> {
        let (who, unit, order) = orders::read(&self.shared, folder)?;
        let known = self.with(|all| all.values().find(|a| a.order.as_deref() == Some(name)).map(|a| a.id.clone()));
        let id = known.map_or_else(|| new_id(self.now()), Ok).map_err(|fault| fault.to_string())?;
        let (from, to) = (folder.join(DATA), self.folder(&id).join(DATA));
        let bytes = durable::length(&from).or_else(|_| durable::length(&to)).map_err(|fault| fault.to_string())?;
        if bytes == 0 {
            return Err("empty".into());
        }
        let from_command = (order.file_name, bytes, order.file_time);
        let arrival = arrival(id.clone(), who, unit, ImportWay::Command, from_command, order.form, self.now());
        let taken = self.keep(Arrival { order: Some(name.to_owned()), ..arrival });
        let taken = taken.and_then(|()| if durable::exists(&to) { Ok(()) } else { durable::rename(&from, &to) });
        taken.and_then(|()| self.stand(&id, ArrivalState::Examining)).map_err(|fault| fault.to_string())?;
        self.take_in(&id);
        Ok(())
    }

    /// Takes from watched folders what has stopped growing. Files stay where they are.
    fn folders(&self, folders: &mut Folders) {
        for ready in folders.ready() {
            let Ok(by) = AccountId::new("watched-folder") else { return };
            let taken = new_id(self.now()).and_then(|id| {
                let to = self.folder(&id).join(DATA);
                durable::make_folder(&self.folder(&id))?;
                let bytes = crate::footage::import::copy(&ready.path, &to, None)?;
                let name = ready.path.file_name().unwrap_or_default().to_string_lossy().into_owned();
                let form = ImportForm { device_no: ready.device_no.clone(), ..ImportForm::default() };
                let what = (name, bytes, Some(ready.changed_at));
                let arrival = arrival(id.clone(), by, ready.unit.clone(), ImportWay::Folder, what, form, self.now());
                self.keep(Arrival { state: ArrivalState::Examining, received: bytes, ..arrival })?;
                Ok(id)
            });
            match taken {
                Ok(id) => {
                    folders.taken(&ready);
                    self.take_in(&id);
                }
                // A device that was pulled out: it is taken when it is there again.
                Err(fault) => tracing::warn!(%fault, "a file of a watched folder is not taken yet"),
            }
        }
    }
}

fn parse_digests(said: &str) -> Option<imports::Digests> {
    let mut words = said.split(' ');
    let bytes = words.next()?.parse().ok()?;
    let sha256 = words.next().filter(|w| w.len() == 64)?.to_owned();
    let sm3 = words.next().filter(|w| w.len() == 64).map(Into::into);
    Some(imports::Digests { bytes, sha256, sm3 })
}

/// A number for something that comes.
pub(super) fn new_id(now: DateTime<Utc>) -> Result<ImportId, Fault> {
    let id = format!("i-{}-{}", &time::shanghai_stamp(now)[..8], randomness::hex::<5>()?);
    ImportId::new(&id).map_err(|e| Fault::of("number", "an import", e))
}

/// Something of which nothing has arrived yet: its name, its length, and when it was last written.
pub(super) fn arrival(
    id: ImportId,
    by: AccountId,
    unit: crate::model::ids::UnitId,
    way: ImportWay,
    (file_name, bytes, file_time): (String, u64, Option<DateTime<Utc>>),
    form: ImportForm,
    begun_at: DateTime<Utc>,
) -> Arrival {
    Arrival {
        id,
        by,
        unit,
        way,
        file_name,
        bytes,
        received: 0,
        file_time,
        form,
        begun_at,
        state: ArrivalState::Receiving,
        done: 0,
        sha256: None,
        session: None,
        problem: None,
        ended_at: None,
        order: None,
    }
}
