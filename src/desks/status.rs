//! Rooms, cameras and machine, without pictures.

use crate::desks::{Answer, Desks};
use crate::machine::clock::Clock;
use crate::machine::volume;
use crate::model::people::{Act, Person};
use crate::model::status::{MachineStatus, Status, VolumeStatus};
use crate::model::time::ClockState;
use crate::recorder::view::AGES_MS;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock, Weak};
use std::thread;
use std::time::Duration;

/// How often volumes and clock are looked at. Each may hang (a dead disk, a daemon that does not answer), so each has a thread
/// of its own that looks, and pages show what it last saw.
const LOOK: Duration = Duration::from_secs(5);

struct Seen {
    clock: ClockState,
    volumes: Vec<VolumeStatus>,
}

/// Looks at the machine every few seconds.
pub(crate) struct Watch(Arc<RwLock<Seen>>);

impl Watch {
    /// `volumes`: names and folders.
    pub(crate) fn start(volumes: Vec<(String, PathBuf)>, reserve_bytes: u64, clock: Arc<dyn Clock>) -> Self {
        let unseen = |(name, _): &(String, PathBuf)| VolumeStatus { name: name.clone(), total: 0, free: 0, low: false, fault: None };
        let seen = Seen { clock: clock.state(), volumes: volumes.iter().map(unseen).collect() };
        let seen = Arc::new(RwLock::new(seen));
        for (at, (name, folder)) in volumes.into_iter().enumerate() {
            keep_looking(&seen, format!("watch-{name}"), move |seen| {
                let now = look(&name, &folder, reserve_bytes);
                seen.write().unwrap_or_else(PoisonError::into_inner).volumes[at] = now;
            });
        }
        keep_looking(&seen, "watch-clock".into(), move |seen| {
            let now = clock.state();
            seen.write().unwrap_or_else(PoisonError::into_inner).clock = now;
        });
        Self(seen)
    }
}

/// As long as anybody asks.
fn keep_looking(seen: &Arc<RwLock<Seen>>, name: String, look: impl Fn(&RwLock<Seen>) + Send + 'static) {
    let weak: Weak<RwLock<Seen>> = Arc::downgrade(seen);
    let run = move || {
        while let Some(seen) = weak.upgrade() {
            look(&seen);
            drop(seen);
            thread::sleep(LOOK);
        }
    };
    if let Err(error) = thread::Builder::new().name(name).spawn(run) {
        tracing::error!(%error, "nobody watches the machine");
    }
}

fn look(name: &str, folder: &Path, reserve_bytes: u64) -> VolumeStatus {
    let name = name.to_owned();
    match volume::room(folder) {
        Ok(room) => VolumeStatus { name, total: room.total, free: room.free, low: room.free < reserve_bytes, fault: None },
        Err(fault) => VolumeStatus { name, total: 0, free: 0, low: true, fault: Some(fault.to_string()) },
    }
}

impl Desks {
    /// The status now.
    pub fn status(&self, who: &Person) -> Answer<Status> {
        self.need(who, Act::SeeStatus)?;
        Ok(self.look())
    }

    pub(super) fn look(&self) -> Status {
        let now = self.now();
        let mut rooms: Vec<_> = self.recorder.rooms().map(|r| r.view().status(now)).collect();
        for room in &mut rooms {
            room.cameras.iter_mut().for_each(|c| c.out_of_use = self.care_of(&room.id, &c.id).0);
        }
        let seen = self.machine.0.read().unwrap_or_else(PoisonError::into_inner);
        let faults = self.faults();
        let (devices_ill, devices_due) = self.equipment_waiting();
        Status {
            rooms,
            machine: MachineStatus {
                now: now.utc,
                clock: seen.clock.clone(),
                volumes: seen.volumes.clone(),
                faults,
                log_spooled: self.acts.spooled(),
                devices_ill,
                devices_due,
            },
        }
    }

    /// What is wrong with the process itself; cameras stand with their rooms.
    fn faults(&self) -> Vec<String> {
        let mut faults: Vec<String> =
            self.recorder.rooms().filter(|r| !r.is_alive()).map(|r| format!("room {}: its loop has ended", r.view().id)).collect();
        let seen = self.machine.0.read().unwrap_or_else(PoisonError::into_inner);
        faults.extend(seen.volumes.iter().filter_map(|v| v.fault.clone()));
        let troubled = self.recorder.shared().volumes.iter().filter_map(|v| Some(format!("{} volume: {}", v.name(), v.trouble()?)));
        faults.extend(troubled);
        let log = self.acts.log().state();
        faults.extend(log.trouble.map(|why| format!("custody log: {why}")));
        faults.extend(log.follows.map(|b| format!("custody log: a new one was begun ({}): {}", b.why, b.what)));
        faults.extend(self.recorder.shared().scrub.damage().into_iter().filter(|d| !d.repaired).map(|d| d.to_string()));
        let outside = self.outside();
        faults.extend(outside.troubles.iter().map(|(who, what)| format!("{who}: {what}")));
        faults.extend(self.backup_fault());
        faults.extend(self.archive.trouble().map(|what| format!("archive: {what}")));
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
        gauge(
            "shilu_devices_out_of_use",
            "Devices that are out of use or faulty.",
            vec![(String::new(), status.machine.devices_ill as f64)],
        );
        gauge("shilu_maintenance_due", "Devices to be maintained.", vec![(String::new(), status.machine.devices_due as f64)]);
        self.archive_figures(&mut text);
        self.not_durable(&mut text);
        self.backup_metrics(&mut text);
        text
    }

    /// How old the oldest byte was each time that a camera's bytes became durable.
    fn not_durable(&self, text: &mut String) {
        use std::fmt::Write;
        let name = "shilu_not_durable_seconds";
        let _ = writeln!(text, "# HELP {name} Age of the oldest byte when it became durable.\n# TYPE {name} histogram");
        let rooms: Vec<_> = self.recorder.rooms().collect();
        let cameras = || rooms.iter().flat_map(|r| r.view().cameras.iter());
        let mut longest = String::new();
        for camera in cameras() {
            let (ages, id) = (camera.gauge.ages(), &camera.id);
            for (bound, count) in AGES_MS.iter().zip(&ages.at_most) {
                let _ = writeln!(text, "{name}_bucket{{camera=\"{id}\",le=\"{}\"}} {count}", *bound as f64 / 1000.0);
            }
            let _ = writeln!(text, "{name}_bucket{{camera=\"{id}\",le=\"+Inf\"}} {}", ages.count);
            let _ = writeln!(text, "{name}_sum{{camera=\"{id}\"}} {}", ages.sum_ms as f64 / 1000.0);
            let _ = writeln!(text, "{name}_count{{camera=\"{id}\"}} {}", ages.count);
            let _ = writeln!(longest, "shilu_not_durable_max_seconds{{camera=\"{id}\"}} {}", ages.max_ms as f64 / 1000.0);
        }
        let name = "shilu_not_durable_max_seconds";
        let _ = write!(text, "# HELP {name} The largest such age since the recorder started.\n# TYPE {name} gauge\n{longest}");
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
