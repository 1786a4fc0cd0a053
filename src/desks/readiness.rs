//! Readiness before a session (第十五条): measured when somebody asks. The newest check of a room lands on the session that is
//! started soon after it, with the reason why it was started all the same.

use crate::catalog::plans;
use crate::desks::{Answer, Desks};
use crate::model::ids::{CameraId, RoomId};
use crate::model::people::{Act, Person};
use crate::model::readiness::{self, Camera, Measured, Noted, Readiness};
use crate::model::refusal::Refusal;
use crate::model::time;
use crate::recorder::looking;
use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

/// A check is of use for the session that starts within so long.
const FRESH: TimeDelta = TimeDelta::minutes(15);
/// What a camera sends at most where nothing was measured yet, bits a second.
const BPS_MAX: u64 = 8_000_000;
/// Plans of the day to come reserve room, and those of the last hours for which nobody has come yet.
const PLAN_AHEAD_MS: i64 = 24 * 3_600_000;
const PLAN_LATE_MS: i64 = 2 * 3_600_000;

/// What the configuration says of a room beyond its cameras' addresses.
#[derive(Debug, Clone)]
pub struct RoomCare {
    /// Quieter than this is no room with people in it, dBFS.
    pub sound_floor_dbfs: f64,
    /// Louder than this is talk, dBFS.
    pub talk_dbfs: f64,
    /// Whether talk without a session is an alarm.
    pub in_use_alarm: bool,
    /// For how long people have to talk, s.
    pub in_use_after_s: u64,
    /// Seconds of pre-roll that the room is told of; 0: none (第十三条).
    pub preroll_s: u32,
    /// Of each camera.
    pub cameras: BTreeMap<CameraId, CameraCare>,
}

/// What the configuration says of a device.
#[derive(Debug, Clone, Default)]
pub struct CameraCare {
    /// 停止使用, with the reason (第十六条).
    pub out_of_use: Option<String>,
    /// 维护保养 until when (第十五条).
    pub maintained_until: Option<NaiveDate>,
}

/// The newest check of each room.
#[derive(Default)]
pub(crate) struct Checked(Mutex<BTreeMap<RoomId, (DateTime<Utc>, Readiness)>>);

impl Desks {
    /// Measures a room: some three seconds, for as long as a key frame and two seconds take to come.
    pub async fn readiness(&self, who: &Person, room: &RoomId) -> Answer<Readiness> {
        self.need(who, Act::SeeStatus)?;
        let place = self.recorder.room(room).ok_or_else(|| Refusal::no_such("room", room.as_str()))?;
        let view = place.view().clone();
        let looks = looking::look_at(&view).await;
        self.judge_looks(&view, &looks, true).await;
        let care = self.settings.rooms.get(room);
        let cameras = view.cameras.iter().zip(looks).map(|(c, look)| {
            let (out_of_use, maintained_until) = self.care_of(room, &c.id);
            Camera { name: c.name.clone(), look, out_of_use, maintained_until }
        });
        let cameras: Vec<Camera> = cameras.collect();
        let bps: u64 = view.cameras.iter().map(|c| c.capture.status().bitrate_bps).map(|bps| if bps == 0 { BPS_MAX } else { bps }).sum();
        let longest_bytes = (bps / 8).max(1) * self.settings.longest_session_h * 3600;
        let status = self.look();
        let fits = |v: &crate::model::status::VolumeStatus| {
            let free = v.free.saturating_sub(self.settings.reserve_bytes);
            (v.name.clone(), v.fault.is_none().then_some(free as f64 / longest_bytes as f64))
        };
        let now = self.now().utc;
        let measured = Measured {
            cameras,
            floor_dbfs: care.map_or(-60.0, |c| c.sound_floor_dbfs),
            synchronised: status.machine.clock.synchronised,
            clock_us: status.machine.clock.error_us,
            room_for: status.machine.volumes.iter().map(fits).collect(),
            reserved: self.reserved(room).await?,
            signs: self.recorder.shared().signer.works(),
            screens: self.screens_connected(room).await,
            today: time::shanghai_day(now),
        };
        let found = readiness::of(&measured);
        self.checked.0.lock().unwrap_or_else(PoisonError::into_inner).insert(room.clone(), (now, found.clone()));
        Ok(found)
    }

    /// Sessions besides the one that would begin here now: open in other rooms, or planned within a day. The first plan of this room
    /// is taken to be the one that begins.
    async fn reserved(&self, room: &RoomId) -> Answer<usize> {
        let open = self.recorder.rooms().filter(|r| r.view().id != *room && r.view().session().is_some()).count();
        let now_ms = self.now_ms();
        let day = self.read(move |c| plans::between(c, now_ms - PLAN_LATE_MS, now_ms + PLAN_AHEAD_MS)).await?;
        let waiting: Vec<_> = day.into_iter().filter(|p| p.session.is_none() && p.called_off.is_none()).collect();
        let own = usize::from(waiting.iter().any(|p| p.room == *room));
        Ok(open + waiting.len() - own)
    }

    /// The newest check of a room, if it is fresh.
    pub fn last_readiness(&self, room: &RoomId) -> Option<(DateTime<Utc>, Readiness)> {
        let now = self.now().utc;
        let found = self.checked.0.lock().unwrap_or_else(PoisonError::into_inner).get(room).cloned();
        found.filter(|(at, _)| now - *at <= FRESH)
    }

    /// What lands on the session that starts now.
    pub(super) fn noted(&self, room: &RoomId, reason: Option<String>) -> Option<Noted> {
        let (at, readiness) = self.last_readiness(room)?;
        self.checked.0.lock().unwrap_or_else(PoisonError::into_inner).remove(room);
        Some(Noted { at, readiness, reason })
    }
}
