//! What others may see of a room while its loop runs: never a lock that the way of a fragment waits for.

use crate::capture::CaptureHandle;
use crate::model::ids::{CameraId, RoomId, UnitId};
use crate::model::session::Session;
use crate::model::status::{self, CameraStatus, OpenSession, RoomStatus};
use crate::model::time::Moment;
use crate::model::{missing, session::State};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

/// Session time: milliseconds since the session's start, on the monotonic clock. A step of the wall clock does not move it.
#[derive(Debug, Clone, Copy)]
pub struct SessionClock {
    anchor: Moment,
    anchor_ms: u64,
}

impl SessionClock {
    /// Session time `anchor_ms` was at `anchor`.
    pub fn new(anchor: Moment, anchor_ms: u64) -> Self {
        Self { anchor, anchor_ms }
    }

    /// Session time of a moment; negative before the start.
    pub fn signed_ms(&self, at: Moment) -> i64 {
        self.anchor_ms as i64 + at.mono_ms as i64 - self.anchor.mono_ms as i64
    }

    /// Session time of a moment; 0 before the start.
    pub fn ms(&self, at: Moment) -> u64 {
        self.signed_ms(at).max(0) as u64
    }
}

/// Upper bounds of the ages that are counted, ms: by tenths of a second up to two, the promise; then coarser.
pub const AGES_MS: [u64; 24] = [
    100, 200, 300, 400, 500, 600, 700, 800, 900, 1_000, 1_100, 1_200, 1_300, 1_400, 1_500, 1_600, 1_700, 1_800, 1_900, 2_000, 3_000, 5_000,
    10_000, 60_000,
];

/// How fresh a camera's durable bytes are.
#[derive(Debug, Default)]
pub struct Gauge {
    /// Monotonic ms of the newest sync, plus one; 0: nothing durable in this session.
    at: AtomicU64,
    bytes: AtomicU64,
    /// How old the oldest byte was when it became durable, since the recorder started: counts by [`AGES_MS`], sum and largest.
    ages: [AtomicU64; AGES_MS.len()],
    synced: AtomicU64,
    age_sum_ms: AtomicU64,
    age_max_ms: AtomicU64,
}

/// What a gauge counted: how old the oldest byte was at each sync.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Ages {
    /// Syncs at an age of at most each of [`AGES_MS`].
    pub at_most: Vec<u64>,
    /// Syncs.
    pub count: u64,
    /// Of all ages, ms.
    pub sum_ms: u64,
    /// Largest, ms.
    pub max_ms: u64,
}

impl Gauge {
    /// Bytes became durable: how many, and how old the oldest was, ms; neither, where it was on a mirror.
    pub fn durable(&self, at: Moment, counted: Option<(u64, Option<u64>)>) {
        self.at.store(at.mono_ms + 1, Ordering::Relaxed);
        let Some((bytes, age_ms)) = counted else { return };
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
        let Some(age_ms) = age_ms else { return };
        for (_, count) in AGES_MS.iter().zip(&self.ages).filter(|(bound, _)| age_ms <= **bound) {
            count.fetch_add(1, Ordering::Relaxed);
        }
        self.synced.fetch_add(1, Ordering::Relaxed);
        self.age_sum_ms.fetch_add(age_ms, Ordering::Relaxed);
        self.age_max_ms.fetch_max(age_ms, Ordering::Relaxed);
    }

    /// How old the oldest byte was at each sync since the recorder started.
    pub fn ages(&self) -> Ages {
        Ages {
            at_most: self.ages.iter().map(|c| c.load(Ordering::Relaxed)).collect(),
            count: self.synced.load(Ordering::Relaxed),
            sum_ms: self.age_sum_ms.load(Ordering::Relaxed),
            max_ms: self.age_max_ms.load(Ordering::Relaxed),
        }
    }

    /// A new session begins.
    pub fn reset(&self) {
        self.at.store(0, Ordering::Relaxed);
        self.bytes.store(0, Ordering::Relaxed);
    }

    /// Age of the newest durable byte, ms.
    pub fn age_ms(&self, now: Moment) -> Option<u64> {
        self.at.load(Ordering::Relaxed).checked_sub(1).map(|at| now.mono_ms.saturating_sub(at))
    }

    /// Durable bytes of this session since the recorder started.
    pub fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }
}

/// A camera as others see it.
pub struct CameraView {
    /// Which.
    pub id: CameraId,
    /// Its name.
    pub name: String,
    /// 执法记录设备编号.
    pub device_no: String,
    /// Host and port of its stream.
    pub address: Option<String>,
    /// Reading its live fragments and state.
    pub capture: CaptureHandle,
    /// Its small stream, for tiles.
    pub tile: Option<CaptureHandle>,
    /// Its durable bytes.
    pub gauge: Arc<Gauge>,
}

/// A room as others see it.
pub struct RoomView {
    /// Which.
    pub id: RoomId,
    /// Its name.
    pub name: String,
    /// Its unit.
    pub unit: UnitId,
    /// Its cameras.
    pub cameras: Vec<CameraView>,
    open: RwLock<Option<(Arc<Session>, SessionClock)>>,
}

impl RoomView {
    /// A room without a session.
    pub fn new(id: RoomId, name: String, unit: UnitId, cameras: Vec<CameraView>) -> Self {
        Self { id, name, unit, cameras, open: RwLock::new(None) }
    }

    /// The open session.
    pub fn session(&self) -> Option<Arc<Session>> {
        self.open.read().unwrap_or_else(PoisonError::into_inner).as_ref().map(|(s, _)| s.clone())
    }

    /// The open session's time at a moment.
    pub fn elapsed_ms(&self, now: Moment) -> Option<u64> {
        self.open.read().unwrap_or_else(PoisonError::into_inner).as_ref().map(|(_, clock)| clock.ms(now))
    }

    /// The room's loop tells what it has now.
    pub fn show(&self, open: Option<(Arc<Session>, SessionClock)>) {
        *self.open.write().unwrap_or_else(PoisonError::into_inner) = open;
    }

    /// The room's status, without a picture and without a name.
    pub fn status(&self, now: Moment) -> RoomStatus {
        let session = self.session();
        let cameras: Vec<CameraStatus> = self.cameras.iter().map(|c| camera_status(c, now, session.is_some())).collect();
        // What takes no part in the session says nothing of its lamp; see `room_loop::Loop::takes_part`.
        let of = |c: &CameraStatus| session.as_ref().is_some_and(|s| s.devices.iter().any(|d| d.camera == c.id));
        let any = cameras.iter().any(of);
        let ages: Vec<Option<u64>> = cameras.iter().filter(|c| !any || of(c)).map(|c| c.durable_age_ms).collect();
        let open = session.as_ref().map(|s| OpenSession {
            id: s.id.clone(),
            kind: s.kind,
            state: s.state,
            started_at: s.started_at,
            elapsed_ms: self.elapsed_ms(now).unwrap_or(0),
            missing: missing::of(s).len(),
        });
        RoomStatus {
            id: self.id.clone(),
            name: self.name.clone(),
            unit: self.unit.clone(),
            lamp: status::lamp(session.map(|s: Arc<Session>| s.state).filter(|s| *s != State::Sealed), &ages),
            session: open,
            cameras,
        }
    }
}

fn camera_status(camera: &CameraView, now: Moment, in_session: bool) -> CameraStatus {
    let seen = camera.capture.status();
    CameraStatus {
        id: camera.id.clone(),
        name: camera.name.clone(),
        device_no: camera.device_no.clone(),
        out_of_use: None,
        connected: seen.connected,
        cause: seen.cause,
        detail: seen.detail,
        since: seen.since.utc,
        bitrate_bps: seen.bitrate_bps,
        fps: seen.fps,
        resolution: seen.resolution,
        codecs: seen.codecs,
        durable_age_ms: in_session.then(|| camera.gauge.age_ms(now)).flatten(),
        durable_bytes: camera.gauge.bytes(),
        reconnects: seen.reconnects,
    }
}
