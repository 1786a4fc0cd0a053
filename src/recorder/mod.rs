//! One loop a room; nothing else changes a running session.
//!
//! ```text
//! camera ─ capture ─┬─ pre-roll ring, live viewers
//!                   └─ cutter (memory only): what is kept, where a file ends, its digest
//!                          └─ volume, and mirror if there is one (a thread each): orders → lane → files, durable
//!                                 │ opened, closed, lost
//! desk ── command ──► room's loop (a thread a room): happening → model::step → journal, then effects (a start: valves first)
//!                          └─ acts: log entry, catalog row: queued, never waited for
//! ```
//!
//! [`room`] is a room as others have it, `room_loop` its loop, [`view`] what it shows. [`recovery`] takes up at the start what was open,
//! [`mirror`] brings over what one volume lost, [`scrub`] reads again what was closed; [`after_end`] says what comes later, [`imports`] makes
//! sessions of what was recorded elsewhere, [`reindex`] reads all of it into a new catalog.
//!
//! What a fragment needs on its way to the disk is the cutter and the volume, nothing else: the room's loop, the journal, the
//! log, the catalog and the console may all hang, and fragments still reach the disk (promise 1).
//!
//! Threads, not tasks: every step of a volume and of a room's loop is a file operation, and may hang. A volume that hangs holds
//! its own thread; what is recorded waits in memory, and goes to the mirror meanwhile.

pub mod after_end;
pub mod cameras;
pub mod cutter;
pub mod imports;
pub mod lane;
mod lines;
pub mod looking;
pub mod mirror;
pub mod recovery;
pub mod reindex;
pub mod room;
mod room_loop;
pub mod scrub;
pub mod sync_times;
pub mod view;
pub mod volume;

use crate::acts::Acts;
use crate::capture::{CameraSettings, CaptureThread};
use crate::catalog::{Writing, sessions};
use crate::custody::keys::Signer;
use crate::footage::envelope::Recipients;
use crate::machine::clock::Clock;
use crate::machine::fault::Fault;
use crate::machine::volume::Place;
use crate::model::entry::{Draft, EntryKind};
use crate::model::ids::{CameraId, RoomId, SessionId, UnitId};
use crate::model::refusal::Refusal;
use crate::model::session::Session;
use room::{Begin, Room};
use scrub::Scrub;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;
use volume::Volume;

/// How often, and how many times, a room that is being changed is asked again: a second in all.
const CHANGE_LOOK: Duration = Duration::from_millis(25);
const CHANGE_LOOKS: u32 = 40;

/// A camera of a room.
#[derive(PartialEq, Clone)]
pub struct CameraPlace {
    /// How to reach it.
    pub capture: CameraSettings,
    /// Its small stream, for tiles; never recorded.
    pub tile: Option<CameraSettings>,
    /// Its name on screen.
    pub name: String,
    /// 执法记录设备编号.
    pub device_no: String,
}

/// A room.
#[derive(Clone, PartialEq)]
pub struct RoomSettings {
    /// Which.
    pub id: RoomId,
    /// Its name.
    pub name: String,
    /// The unit whose footage is made here unless the officer's unit is another.
    pub unit: UnitId,
    /// Its cameras.
    pub cameras: Vec<CameraPlace>,
}

/// What the recorder needs.
pub struct Settings {
    /// Root of the footage tree.
    pub footage: PathBuf,
    /// Root of the same tree on a second volume.
    pub mirror: Option<PathBuf>,
    /// Both have to lie on volumes other than the system's.
    pub own_volume: bool,
    /// Bytes of one camera that may wait for a volume.
    pub waiting_bytes_max: u64,
    /// When a segment is closed.
    pub segment: Duration,
    /// SM3 of every segment beside SHA-256.
    pub sm3: bool,
    /// Where the scrub remembers how far it is.
    pub state: PathBuf,
    /// Every file is read once more within so many days.
    pub scrub_days: u32,
    /// Version of the rules in force (第二十四条).
    pub rules: String,
    /// The rooms.
    pub rooms: Vec<RoomSettings>,
    /// Who can open what is recorded; none: footage lies in the clear.
    pub recipients: Option<Recipients>,
}

/// What every room shares.
pub struct Shared {
    /// Root of the footage tree.
    pub footage: PathBuf,
    /// When a segment is closed.
    pub segment: Duration,
    /// SM3 of every segment.
    pub sm3: bool,
    /// Version of the rules.
    pub rules: String,
    /// The two doors.
    pub acts: Acts,
    /// The signing key.
    pub signer: Arc<Signer>,
    /// The clocks.
    pub clock: Arc<dyn Clock>,
    /// The volumes, the first one first.
    pub volumes: Vec<Arc<Volume>>,
    /// The cameras' thread.
    pub captures: CaptureThread,
    /// Reads again what was written.
    pub scrub: Scrub,
    /// To whom the keys of footage are encrypted; none: it lies in the clear.
    pub recipients: Option<Recipients>,
}

impl Shared {
    /// A session's folder as it lies below every volume's root.
    pub fn below<'a>(&self, folder: &'a Path) -> &'a Path {
        folder.strip_prefix(&self.footage).unwrap_or(folder)
    }

    /// Brings log and catalog up to a session's state; never waits.
    pub fn index(&self, session: &Session, folder: &Path, entry: Option<Draft>) {
        let below = self.below(folder).display().to_string();
        let copy = session.clone();
        let put = move |t: &Writing<'_>| sessions::put(t, &copy, &below);
        match entry {
            Some(entry) => self.acts.do_and_log(entry.in_session(&session.id), put),
            None => self.acts.index_only(put),
        }
    }

    /// The second volume.
    pub fn mirror(&self) -> Option<&Arc<Volume>> {
        self.volumes.get(1)
    }
}

/// All rooms.
pub struct Recorder {
    rooms: RwLock<BTreeMap<RoomId, Arc<Room>>>,
    order: Vec<RoomId>,
    /// Of which each room was made.
    plans: Mutex<BTreeMap<RoomId, RoomSettings>>,
    /// What a configuration that was read again wants of rooms, until they are so.
    wanted: Mutex<BTreeMap<RoomId, RoomSettings>>,
    /// One change of a room at a time.
    changing: tokio::sync::Mutex<()>,
    shared: Arc<Shared>,
}

impl Recorder {
    /// Starts every room's loop and every camera's capture; sessions that were open when the recorder last ended go on by
    /// themselves. Needs a tokio runtime.
    pub fn start(settings: Settings, acts: Acts, signer: Arc<Signer>, clock: Arc<dyn Clock>) -> Result<Self, Fault> {
        let mut volumes = Vec::new();
        for (name, root) in [("primary", Some(settings.footage.clone())), ("mirror", settings.mirror)] {
            let Some(root) = root else { continue };
            let logged = acts.clone();
            let on_trouble = Box::new(move |what: Option<&str>| {
                let kind = if what.is_some() { EntryKind::VolumeFailed } else { EntryKind::VolumeBack };
                logged.do_and_log(Draft::new(kind).about("volume", name).text("what", what), |_| Ok(()));
            });
            let place = Place::new(root, settings.own_volume);
            volumes.push(Volume::start(name, place, settings.waiting_bytes_max, clock.clone(), on_trouble)?);
        }
        let scrub = Scrub::start(&volumes, &settings.state, settings.scrub_days, acts.clone(), clock.clone())?;
        let captures = CaptureThread::start().map_err(|e| Fault::of("start", "the cameras' thread", e))?;
        let (footage, segment, sm3, rules) = (settings.footage, settings.segment, settings.sm3, settings.rules);
        let recipients = settings.recipients;
        let shared = Arc::new(Shared { footage, segment, sm3, rules, acts, signer, clock, volumes, captures, scrub, recipients });
        let mut left = recovery::open_sessions(&shared)?;
        let mut rooms = BTreeMap::new();
        let mut order = Vec::new();
        let mut plans = BTreeMap::new();
        for settings in settings.rooms {
            let id = settings.id.clone();
            plans.insert(id.clone(), settings.clone());
            let resumed = left.iter().position(|s| s.session.room == id).map(|at| left.remove(at));
            order.push(id.clone());
            rooms.insert(id, Arc::new(Room::start(settings, shared.clone(), resumed)?));
        }
        for orphan in left {
            // Its room is no longer configured (or has a newer open session): it cannot go on, but it is ended and sealed.
            recovery::end_orphan(&shared, orphan);
        }
        let (rooms, plans) = (RwLock::new(rooms), Mutex::new(plans));
        let wanted = Mutex::default();
        Ok(Self { rooms, order, plans, wanted, changing: tokio::sync::Mutex::default(), shared })
    }

    /// A room.
    pub fn room(&self, id: &RoomId) -> Option<Arc<Room>> {
        self.rooms.read().unwrap_or_else(PoisonError::into_inner).get(id).cloned()
    }

    /// All rooms, in the order of the configuration.
    pub fn rooms(&self) -> impl Iterator<Item = Arc<Room>> {
        let rooms = self.rooms.read().unwrap_or_else(PoisonError::into_inner);
        self.order.iter().filter_map(|id| rooms.get(id).cloned()).collect::<Vec<_>>().into_iter()
    }

    /// An open session and its room.
    pub fn open_session(&self, id: &SessionId) -> Option<(Arc<Room>, Arc<Session>)> {
        self.rooms().find_map(|room| room.view().session().filter(|s| s.id == *id).map(|s| (room, s)))
    }

    /// A camera's room.
    pub fn room_of(&self, camera: &CameraId) -> Option<Arc<Room>> {
        self.rooms().find(|r| r.view().cameras.iter().any(|c| c.id == *camera))
    }

    /// Starts a session; none: there is no such room. A room that is being changed at this moment is asked again when it was.
    pub async fn begin(&self, room: &RoomId, begin: Begin) -> Option<Result<Arc<Session>, Refusal>> {
        let mut place = self.room(room)?;
        for _ in 0..CHANGE_LOOKS {
            let begun = place.begin(begin.clone()).await;
            if begun.is_ok() || !place.is_retired() {
                return Some(begun);
            }
            tokio::time::sleep(CHANGE_LOOK).await;
            place = self.room(room)?;
        }
        Some(place.begin(begin).await)
    }

    /// What a room was made of.
    pub fn plan(&self, room: &RoomId) -> Option<RoomSettings> {
        self.plans.lock().unwrap_or_else(PoisonError::into_inner).get(room).cloned()
    }

    /// Makes a room anew with other cameras, if no session is open in it; other rooms do not notice. The new one runs before the old
    /// one ends, and the old one's loop itself says whether it is free: no session is ever between the two.
    pub async fn change_room(&self, id: &RoomId, change: impl FnOnce(&mut RoomSettings)) -> Result<bool, Fault> {
        let _turn = self.changing.lock().await;
        let (Some(old), Some(mut plan)) = (self.room(id), self.plan(id)) else { return Ok(false) };
        if old.view().session().is_some() {
            return Ok(false);
        }
        change(&mut plan);
        let new = Arc::new(Room::start(plan.clone(), self.shared.clone(), None)?);
        if !old.retire().await {
            new.stop().await;
            return Ok(false);
        }
        self.rooms.write().unwrap_or_else(PoisonError::into_inner).insert(id.clone(), new);
        self.plans.lock().unwrap_or_else(PoisonError::into_inner).insert(id.clone(), plan);
        old.stop().await;
        Ok(true)
    }

    /// What rooms share.
    pub fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    /// Closes every open file and ends every loop, in good order; open sessions stay open and go on at the next start.
    pub async fn stop(self) {
        let rooms: Vec<Arc<Room>> = self.rooms().collect();
        futures::future::join_all(rooms.iter().map(|r| r.stop())).await;
        let volumes = self.shared.volumes.clone();
        drop(tokio::task::spawn_blocking(move || volumes.iter().for_each(|v| v.stop())).await);
        self.shared.scrub.stop();
    }
}
