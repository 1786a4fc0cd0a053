//! Rooms, cameras and machine, without pictures.

use crate::desks::{Answer, Desks};
use crate::machine::clock::Clock;
use crate::machine::volume;
use crate::model::people::{Act, Person};
use crate::model::status::{MachineStatus, Status, VolumeStatus};
use crate::model::time::ClockState;
use std::path::PathBuf;
use std::sync::{Arc, PoisonError, RwLock, Weak};
use std::thread;
use std::time::Duration;

/// How often volume and clock are looked at. Both may hang (a dead disk, a daemon that does not answer), so a thread of its own
/// looks, and pages show what it last saw.
const LOOK: Duration = Duration::from_secs(5);

struct Seen {
    clock: ClockState,
    volumes: Vec<VolumeStatus>,
}

/// Looks at the machine every few seconds.
pub(crate) struct Watch(Arc<RwLock<Seen>>);

impl Watch {
    pub(crate) fn start(footage: PathBuf, reserve_bytes: u64, clock: Arc<dyn Clock>) -> Self {
        let seen = Arc::new(RwLock::new(look(&footage, reserve_bytes, &*clock)));
        let weak: Weak<RwLock<Seen>> = Arc::downgrade(&seen);
        let run = move || {
            while let Some(seen) = weak.upgrade() {
                let now = look(&footage, reserve_bytes, &*clock);
                *seen.write().unwrap_or_else(PoisonError::into_inner) = now;
                drop(seen);
                thread::sleep(LOOK);
            }
        };
        if let Err(error) = thread::Builder::new().name("machine-watch".into()).spawn(run) {
            tracing::error!(%error, "nobody watches the machine");
        }
        Self(seen)
    }
}

fn look(footage: &std::path::Path, reserve_bytes: u64, clock: &dyn Clock) -> Seen {
    let name = "primary".to_owned();
    let volume = match volume::room(footage) {
        Ok(room) => VolumeStatus { name, total: room.total, free: room.free, low: room.free < reserve_bytes, fault: None },
        Err(fault) => VolumeStatus { name, total: 0, free: 0, low: true, fault: Some(fault.to_string()) },
    };
    Seen { clock: clock.state(), volumes: vec![volume] }
}

impl Desks {
    /// The status now.
    pub fn status(&self, who: &Person) -> Answer<Status> {
        self.need(who, Act::SeeStatus)?;
        Ok(self.look())
    }

    fn look(&self) -> Status {
        let now = self.now();
        let rooms: Vec<_> = self.recorder.rooms().map(|r| r.view().status(now)).collect();
        let seen = self.machine.0.read().unwrap_or_else(PoisonError::into_inner);
        let faults = self.faults();
        Status {
            rooms,
            machine: MachineStatus {
                now: now.utc,
                clock: seen.clock.clone(),
                volumes: seen.volumes.clone(),
                faults,
                log_spooled: self.acts.spooled(),
            },
        }
    }

    /// What is wrong with the process itself; cameras stand with their rooms.
    fn faults(&self) -> Vec<String> {
        let mut faults: Vec<String> =
            self.recorder.rooms().filter(|r| !r.is_alive()).map(|r| format!("room {}: its loop has ended", r.view().id)).collect();
        let seen = self.machine.0.read().unwrap_or_else(PoisonError::into_inner);
        faults.extend(seen.volumes.iter().filter_map(|v| v.fault.clone()));
        if self.acts.spooled() > 100 {
            faults.push(format!("{} acts wait to be logged", self.acts.spooled()));
        }
        faults
    }

    /// Whether the process is well: rooms' loops alive, log durable, volumes there. For `/healthz`.
    pub fn health(&self) -> Result<(), Vec<String>> {
        let faults = self.faults();
        if faults.is_empty() { Ok(()) } else { Err(faults) }
    }

    /// Figures by name for Prometheus: gauges with labels, no name of a person or case.
    pub fn metrics(&self) -> String {
        use std::fmt::Write;
        let status = self.look();
        let mut text = String::new();
        // Writing to a String cannot fail.
        let mut gauge = |name: &str, help: &str, rows: Vec<(String, f64)>| {
            let _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} gauge");
            for (labels, value) in rows {
                let _ = writeln!(text, "{name}{{{labels}}} {value}");
            }
        };
        let cameras =
            || status.rooms.iter().flat_map(|r| r.cameras.iter().map(move |c| (format!("room=\"{}\",camera=\"{}\"", r.id, c.id), c)));
        let of = |f: &dyn Fn(&crate::model::status::CameraStatus) -> Option<f64>| cameras().filter_map(|(l, c)| Some((l, f(c)?))).collect();
        gauge("shilu_camera_connected", "Media is coming from the camera.", of(&|c| Some(f64::from(u8::from(c.connected)))));
        gauge("shilu_camera_bitrate_bps", "Bits a second from the camera.", of(&|c| Some(c.bitrate_bps as f64)));
        gauge("shilu_camera_reconnects", "Reconnections since start.", of(&|c| Some(c.reconnects as f64)));
        gauge(
            "shilu_durable_age_seconds",
            "Age of the newest durable byte of the open session.",
            of(&|c| c.durable_age_ms.map(|ms| ms as f64 / 1000.0)),
        );
        gauge("shilu_durable_bytes", "Durable bytes of the open session.", of(&|c| Some(c.durable_bytes as f64)));
        let rooms = status.rooms.iter().map(|r| (format!("room=\"{}\"", r.id), f64::from(u8::from(r.session.is_some())))).collect();
        gauge("shilu_session_open", "A session is open in the room.", rooms);
        let volumes = |f: &dyn Fn(&VolumeStatus) -> u64| {
            status.machine.volumes.iter().map(|v| (format!("volume=\"{}\"", v.name), f(v) as f64)).collect()
        };
        gauge("shilu_volume_free_bytes", "Free bytes on a volume.", volumes(&|v| v.free));
        gauge("shilu_volume_total_bytes", "Bytes of a volume.", volumes(&|v| v.total));
        gauge(
            "shilu_clock_synchronised",
            "The clock is disciplined.",
            vec![(String::new(), f64::from(u8::from(status.machine.clock.synchronised)))],
        );
        gauge("shilu_log_spooled", "Acts whose log entry is not durable yet.", vec![(String::new(), status.machine.log_spooled as f64)]);
        text
    }

    /// Server time.
    pub fn wall_clock(&self) -> chrono::DateTime<chrono::Utc> {
        self.now().utc
    }

    /// Units, id and name, in the order of the configuration.
    pub fn units(&self) -> Vec<(String, String)> {
        self.settings.units.iter().map(|(id, name)| (id.to_string(), name.clone())).collect()
    }

    /// Rooms, id and name.
    pub fn rooms(&self) -> Vec<(String, String)> {
        self.recorder.rooms().map(|r| (r.view().id.to_string(), r.view().name.clone())).collect()
    }

    /// The bureau's name, for headings.
    pub fn bureau(&self) -> &str {
        &self.settings.bureau
    }
}
