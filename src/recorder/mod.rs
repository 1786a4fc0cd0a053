//! One loop a room; nothing else changes a running session.
//!
//! ```text
//! camera ─ capture ─┬─ pre-roll ring, live viewers
//!                   └─ cutter (memory only): what is kept, where a file ends, its digest
//!                          └─ volume, and mirror if there is one (a thread each): orders → lane → files, durable
//!                                 │ opened, closed, lost
//! desk ── command ──► room's loop (a thread a room): happening → model::step → journal, then effects
//!                          └─ acts: log entry, catalog row: queued, never waited for
//! ```
//!
//! What a fragment needs on its way to the disk is the cutter and the volume, nothing else: the room's loop, the journal, the
//! log, the catalog and the console may all hang, and fragments still reach the disk (promise 1).
//!
//! Threads, not tasks: every step of a volume and of a room's loop is a file operation, and may hang. A volume that hangs holds
//! its own thread; what is recorded waits in memory, and goes to the mirror meanwhile.

pub mod cutter;
pub mod imports;
mod lane;
mod lines;
pub mod links;
pub mod looking;
pub mod mirror;
pub mod recovery;
pub mod room;
mod running;
pub mod scrub;
pub mod sync_times;
pub mod view;
pub mod volume;

use crate::acts::Acts;
use crate::capture::{CameraSettings, CaptureThread};
use crate::custody::keys::Signer;
use crate::machine::clock::Clock;
use crate::machine::fault::Fault;
use crate::machine::volume::Place;
use crate::model::entry::{Draft, EntryKind};
use crate::model::ids::{CameraId, RoomId, SessionId, UnitId};
use crate::model::session::Session;
use room::Room;
use scrub::Scrub;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use volume::Volume;

/// A camera of a room.
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
}

impl Shared {
    /// A session's folder as it lies below every volume's root.
    pub fn below<'a>(&self, folder: &'a Path) -> &'a Path {
        folder.strip_prefix(&self.footage).unwrap_or(folder)
    }

    /// The second volume.
    pub fn mirror(&self) -> Option<&Arc<Volume>> {
        self.volumes.get(1)
    }
}

/// All rooms.
pub struct Recorder {
    rooms: BTreeMap<RoomId, Room>,
    order: Vec<RoomId>,
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
        let shared = Arc::new(Shared { footage, segment, sm3, rules, acts, signer, clock, volumes, captures, scrub });
        let mut left = recovery::open_sessions(&shared)?;
        let mut rooms = BTreeMap::new();
        let mut order = Vec::new();
        for settings in settings.rooms {
            let id = settings.id.clone();
            let resumed = left.iter().position(|s| s.session.room == id).map(|at| left.remove(at));
            order.push(id.clone());
            rooms.insert(id, Room::start(settings, shared.clone(), resumed)?);
        }
        for orphan in left {
            // Its room is no longer configured (or has a newer open session): it cannot go on, but it is ended and sealed.
            recovery::end_orphan(&shared, orphan);
        }
        Ok(Self { rooms, order, shared })
    }

    /// A room.
    pub fn room(&self, id: &RoomId) -> Option<&Room> {
        self.rooms.get(id)
    }

    /// All rooms, in the order of the configuration.
    pub fn rooms(&self) -> impl Iterator<Item = &Room> {
        self.order.iter().filter_map(|id| self.rooms.get(id))
    }

    /// An open session and its room.
    pub fn open_session(&self, id: &SessionId) -> Option<(&Room, Arc<Session>)> {
        self.rooms.values().find_map(|room| room.view().session().filter(|s| s.id == *id).map(|s| (room, s)))
    }

    /// A camera's room.
    pub fn room_of(&self, camera: &CameraId) -> Option<&Room> {
        self.rooms.values().find(|r| r.view().cameras.iter().any(|c| c.id == *camera))
    }

    /// What rooms share.
    pub fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    /// Closes every open file and ends every loop, in good order; open sessions stay open and go on at the next start.
    pub async fn stop(self) {
        let stops: Vec<_> = self.rooms.into_values().map(Room::stop).collect();
        futures::future::join_all(stops).await;
        let volumes = self.shared.volumes.clone();
        drop(tokio::task::spawn_blocking(move || volumes.iter().for_each(|v| v.stop())).await);
        self.shared.scrub.stop();
    }
}
