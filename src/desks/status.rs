//! Rooms, cameras and machine, without pictures.

use crate::desks::{Answer, Desks};
use crate::machine::clock::Clock;
use crate::machine::volume;
use crate::model::alarm::Severity;
use crate::model::people::{Act, Person};
use crate::model::status::{MachineStatus, Need, Needed, Status, VolumeStatus};
use crate::model::time::ClockState;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError, RwLock, Weak};
use std::thread;
use std::time::Duration;

/// How often volumes and clock are looked at. Each may hang (a dead disk, a daemon that does not answer), so each has a thread
/// of its own that looks, and pages show what it last saw.
const LOOK: Duration = Duration::from_secs(5);

/// What was last seen of it.
pub(super) struct Seen {
    pub(super) clock: ClockState,
    pub(super) volumes: Vec<VolumeStatus>,
}

/// Looks at the machine every few seconds.
pub(crate) struct Watch(pub(super) Arc<RwLock<Seen>>);

impl Watch {
    /// `volumes`: names and folders.
    pub(crate) fn start(volumes: Vec<(String, PathBuf)>, reserve_bytes: u64, clock: Arc<dyn Clock>) -> Self {
        let unseen = |(name, _): &(String, PathBuf)| VolumeStatus { name: name.clone(), ..VolumeStatus::default() };
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
        Ok(room) => VolumeStatus { name, total: room.total, free: room.free, low: room.free < reserve_bytes, ..VolumeStatus::default() },
        Err(fault) => VolumeStatus { name, low: true, fault: Some(fault.to_string()), ..VolumeStatus::default() },
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
        let open: Vec<_> = self.open_alarms().into_iter().filter(|a| a.ended_at.is_none()).collect();
        Status {
            rooms,
            machine: MachineStatus {
                now: now.utc,
                clock: seen.clock.clone(),
                volumes: seen.volumes.iter().map(|v| self.with_forecast(v)).collect(),
                faults,
                log_spooled: self.acts.spooled(),
                needed: self.needed(),
                devices_ill,
                devices_due,
                alarms_open: open.len(),
                alarms_urgent: open.iter().filter(|a| a.severity == Severity::Urgent).count(),
            },
        }
    }

    /// What people have to do: counted before, so that nobody waits for it here.
    fn needed(&self) -> Vec<Needed> {
        let media = Needed { need: Need::MediaDue, count: self.media_due.load(Ordering::Relaxed) };
        [media].into_iter().filter(|n| n.count > 0).collect()
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

    /// The console's address as people write it.
    pub fn address(&self) -> Option<&str> {
        self.settings.address.as_deref()
    }

    /// The bureau's name, for headings.
    pub fn bureau(&self) -> &str {
        &self.settings.bureau
    }
}
