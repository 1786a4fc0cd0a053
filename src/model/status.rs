//! What the status page shows. Green means bytes were durably written in the last two seconds, never merely that a process
//! is alive (promise 5).

use crate::model::gap::GapCause;
use crate::model::ids::{CameraId, RoomId, SessionId, UnitId};
use crate::model::people::words;
use crate::model::session::{SessionKind, State};
use crate::model::time::ClockState;
use chrono::{DateTime, Utc};
use serde::Serialize;

/// How old the newest durable byte may be while the lamp is on, ms (promise 4).
pub const DURABLE_MS_MAX: u64 = 2_000;

words!(
    /// A recording lamp.
    Lamp {
        /// No session.
        Idle = "idle",
        /// Every camera's bytes are durable within two seconds.
        Recording = "recording",
        /// At least one camera records and another does not.
        Partly = "partly",
        /// A session is open and nothing becomes durable.
        NotRecording = "not_recording",
        /// People paused the session.
        Interrupted = "interrupted",
    }
);

/// A camera, without its picture.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "recorder", derive(utoipa::ToSchema))]
pub struct CameraStatus {
    /// Which.
    pub id: CameraId,
    /// Its name.
    pub name: String,
    /// 执法记录设备编号.
    pub device_no: String,
    /// Why no session starts on it (第十六条).
    pub out_of_use: Option<String>,
    /// Media is coming.
    pub connected: bool,
    /// Why not.
    pub cause: Option<GapCause>,
    /// Why not, in words.
    pub detail: Option<String>,
    /// Since when it is so.
    pub since: DateTime<Utc>,
    /// Bits a second over the last seconds.
    pub bitrate_bps: u64,
    /// Pictures a second.
    pub fps: f64,
    /// `1280x720`.
    pub resolution: String,
    /// Codecs.
    pub codecs: String,
    /// Age of the newest durable byte of the open session, ms.
    pub durable_age_ms: Option<u64>,
    /// Bytes of the open session that are durable.
    pub durable_bytes: u64,
    /// Reconnections since the recorder started.
    pub reconnects: u64,
}

/// A room.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "recorder", derive(utoipa::ToSchema))]
pub struct RoomStatus {
    /// Which.
    pub id: RoomId,
    /// Its name.
    pub name: String,
    /// The unit that uses it by default.
    pub unit: UnitId,
    /// The lamp.
    pub lamp: Lamp,
    /// The open session.
    pub session: Option<OpenSession>,
    /// Its cameras.
    pub cameras: Vec<CameraStatus>,
}

/// What the status page may say of an open session: no name, no case (第二十二条: case lists are records too).
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "recorder", derive(utoipa::ToSchema))]
pub struct OpenSession {
    /// Its number.
    pub id: SessionId,
    /// What for.
    pub kind: SessionKind,
    /// Where it stands.
    pub state: State,
    /// Since when.
    pub started_at: DateTime<Utc>,
    /// Length so far, ms.
    pub elapsed_ms: u64,
    /// How many demands are open.
    pub missing: usize,
}

/// A volume.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
#[cfg_attr(feature = "recorder", derive(utoipa::ToSchema))]
pub struct VolumeStatus {
    /// `primary` or `mirror`.
    pub name: String,
    /// Bytes in all.
    pub total: u64,
    /// Bytes free.
    pub free: u64,
    /// Whether free room is under the reserve.
    pub low: bool,
    /// Days until only the reserve is left, at what days lately added or plans will; none while nothing is added.
    pub days_left: Option<u64>,
    /// Whether that is less than the weeks that a new disk takes.
    pub soon_full: bool,
    /// What is wrong with it.
    pub fault: Option<String>,
}

/// The machine.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "recorder", derive(utoipa::ToSchema))]
pub struct MachineStatus {
    /// Server time.
    pub now: DateTime<Utc>,
    /// The clock.
    #[cfg_attr(feature = "recorder", schema(value_type = Object))]
    pub clock: ClockState,
    /// Volumes.
    pub volumes: Vec<VolumeStatus>,
    /// What is wrong now, in words, newest first.
    pub faults: Vec<String>,
    /// Acts whose log entry is not durable yet.
    pub log_spooled: usize,
    /// What people have to do that is no fault of the machine.
    pub needed: Vec<Needed>,
    /// Devices that are out of use or of which a fault is seen (第十六条).
    pub devices_ill: usize,
    /// Devices that are to be maintained within two weeks, or should have been (第十五条).
    pub devices_due: usize,
    /// Alarms that are open.
    pub alarms_open: usize,
    /// Those of them that are urgent.
    pub alarms_urgent: usize,
}

words!(
    /// Something that people have to do.
    Need {
        /// A copy of a medium is to be read again by now (第十九条).
        MediaDue = "media_due",
    }
);

/// How much of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "recorder", derive(utoipa::ToSchema))]
pub struct Needed {
    /// What.
    pub need: Need,
    /// How many.
    pub count: usize,
}

/// Everything on the status page.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "recorder", derive(utoipa::ToSchema))]
pub struct Status {
    /// Rooms in the order of the configuration.
    pub rooms: Vec<RoomStatus>,
    /// The machine.
    pub machine: MachineStatus,
}

/// A link to a room's screen, without its token.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "recorder", derive(utoipa::ToSchema))]
pub struct ScreenRow {
    /// Its number.
    pub id: String,
    /// Which room.
    pub room: String,
    /// Ms since 1970.
    pub made_at: i64,
    /// By whom.
    pub made_by: String,
    /// Ms since 1970; none while it holds.
    pub ended_at: Option<i64>,
}

/// The lamp of a room from what its cameras' durable bytes say.
pub fn lamp(state: Option<State>, durable_ages_ms: &[Option<u64>]) -> Lamp {
    let fresh = durable_ages_ms.iter().flatten().filter(|age| **age <= DURABLE_MS_MAX).count();
    match state {
        Some(State::Interrupted) => Lamp::Interrupted,
        Some(State::Recording) if fresh == 0 => Lamp::NotRecording,
        Some(State::Recording) if fresh == durable_ages_ms.len() => Lamp::Recording,
        Some(State::Recording) => Lamp::Partly,
        _ => Lamp::Idle,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn green_means_durable_bytes_of_every_camera_in_the_last_two_seconds() {
        let rec = Some(State::Recording);
        assert_eq!(lamp(rec, &[Some(900), Some(1_999)]), Lamp::Recording);
        assert_eq!(lamp(rec, &[Some(900), Some(2_001)]), Lamp::Partly);
        assert_eq!(lamp(rec, &[None, Some(2_001)]), Lamp::NotRecording);
        assert_eq!(lamp(rec, &[]), Lamp::NotRecording);
        assert_eq!(lamp(None, &[Some(1)]), Lamp::Idle);
        assert_eq!(lamp(Some(State::Interrupted), &[Some(1)]), Lamp::Interrupted);
    }
}
