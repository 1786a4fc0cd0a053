//! All that is wrong now, gathered from what others have seen already: nothing here waits for a disk, a network or the catalog.

use crate::desks::Desks;
use crate::model::alarm::{AlarmKind, Observed};
use crate::model::device_fault::{FaultKind, FaultState, PASSWORD_REFUSED};
use crate::model::digest;
use crate::model::status::{Lamp, VolumeStatus};
use chrono::TimeDelta;
use std::sync::PoisonError;
use std::sync::atomic::Ordering;

/// Less than this is no room at all: a few seconds of a room's cameras.
const FULL_BYTES: u64 = 64_000_000;
/// So much footage that waits in memory is a volume that is slower than the cameras.
const SLOW_BYTES: u64 = 32_000_000;
/// Files whose damage is told one by one; a disk that dies has thousands, and its other alarms tell of it.
const DAMAGE_MAX: usize = 20;
/// Acts that may wait to be logged.
const SPOOLED_MAX: usize = 100;

impl Desks {
    /// All that is wrong now.
    pub(super) fn observed(&self) -> Vec<Observed> {
        let mut all = Vec::new();
        self.rooms_seen(&mut all);
        self.devices_seen(&mut all);
        self.volumes_seen(&mut all);
        self.proof_seen(&mut all);
        self.copies_seen(&mut all);
        all.extend(self.alarms.rooms_in_use().iter().map(|room| Observed::new(AlarmKind::RoomInUse, room.as_str(), "").in_room(room)));
        all.extend(self.delivery.down().map(|(channel, name)| Observed::new(AlarmKind::ChannelDown, channel, name)));
        all.extend(self.alarms.cut_off().map(|began| Observed::new(AlarmKind::Recovered, &began, "")));
        all
    }

    fn rooms_seen(&self, all: &mut Vec<Observed>) {
        let now = self.now();
        for room in self.recorder.rooms() {
            let (view, id) = (room.view(), &room.view().id);
            if !room.is_alive() {
                all.push(Observed::new(AlarmKind::RoomLoopEnded, id.as_str(), &view.name).in_room(id));
            }
            let status = view.status(now);
            if status.lamp == Lamp::NotRecording {
                all.push(Observed::new(AlarmKind::NotRecording, id.as_str(), &view.name).in_room(id));
            }
            for camera in &view.cameras {
                let seen = camera.capture.status();
                // What is out of use is known to be away (第十六条).
                if seen.connected || self.care_of(id, &camera.id).0.is_some() {
                    continue;
                }
                let refused = seen.detail.as_deref() == Some(PASSWORD_REFUSED);
                let kind = if refused { AlarmKind::PasswordRefused } else { AlarmKind::StreamDown };
                let name = format!("{} {}", camera.device_no, camera.name);
                let observed = Observed::new(kind, camera.id.as_str(), name.trim()).in_room(id).saying(seen.detail);
                all.push(observed.urgent_if(status.session.is_some()));
            }
        }
    }

    fn devices_seen(&self, all: &mut Vec<Observed>) {
        for device in self.equipment.all().iter().filter(|d| d.retired_at.is_none()) {
            for fault in device.faults.iter().filter(|f| f.state == FaultState::Seen) {
                let kind = match fault.kind {
                    FaultKind::Frozen => AlarmKind::Frozen,
                    FaultKind::Dark => AlarmKind::Dark,
                    FaultKind::Muted => AlarmKind::Muted,
                    FaultKind::ClockOff => AlarmKind::CameraClockOff,
                    FaultKind::SerialChanged => AlarmKind::SerialChanged,
                    FaultKind::DiskFailing => AlarmKind::DiskFailing,
                    // Streams are asked themselves; what people report is no alarm of the machine.
                    _ => continue,
                };
                let name = format!("{} {}", device.known.number, device.known.name);
                let observed = Observed::new(kind, device.id.as_str(), name.trim()).saying(fault.text.clone());
                let room = device.camera.as_ref().and_then(|c| self.recorder.room_of(c)).map(|r| r.view().id.clone());
                all.push(match room {
                    Some(room) => observed.in_room(&room),
                    None => observed,
                });
            }
        }
        let (_, due) = self.equipment_waiting();
        if due > 0 {
            all.push(Observed::new(AlarmKind::MaintenanceDue, "devices", ""));
        }
        if self.media_due.load(Ordering::Relaxed) > 0 {
            all.push(Observed::new(AlarmKind::MediaDue, "media", ""));
        }
    }

    fn volumes_seen(&self, all: &mut Vec<Observed>) {
        let seen: Vec<VolumeStatus> = {
            let seen = self.machine.0.read().unwrap_or_else(PoisonError::into_inner);
            seen.volumes.iter().map(|v| self.with_forecast(v)).collect()
        };
        for volume in &seen {
            let of = |kind| Observed::new(kind, &volume.name, volume_name(&volume.name));
            let is_full = volume.total > 0 && volume.free < FULL_BYTES;
            if let Some(fault) = &volume.fault {
                all.push(of(AlarmKind::VolumeAway).saying(Some(fault.clone())));
            } else if is_full {
                all.push(of(AlarmKind::VolumeFull));
            } else if volume.low && volume.total > 0 {
                all.push(of(AlarmKind::VolumeLow));
            }
            if volume.soon_full && !is_full {
                all.push(of(AlarmKind::VolumeSoonFull).urgent_if(volume.days_left.is_some_and(|days| days < 3)));
            }
            let Some(own) = self.recorder.shared().volumes.iter().find(|v| v.name() == volume.name) else { continue };
            if let Some(trouble) = own.trouble() {
                if !is_full && volume.fault.is_none() {
                    all.push(of(AlarmKind::VolumeFailing).saying(Some(trouble)));
                }
            } else if own.waiting_bytes() > SLOW_BYTES {
                all.push(of(if own.name() == "mirror" { AlarmKind::MirrorBehind } else { AlarmKind::VolumeSlow }));
            }
        }
    }

    fn proof_seen(&self, all: &mut Vec<Observed>) {
        let log = self.acts.log().state();
        if let Some(why) = log.trouble {
            all.push(Observed::new(AlarmKind::LogTrouble, "log", "").saying(Some(why)));
        }
        if let Some(anew) = log.anew {
            // Each time that it was begun anew is an alarm of its own, seen at every start and told once.
            let subject = format!("{}-{}", anew.why, anew.after_size);
            all.push(Observed::new(AlarmKind::LogAnew, &subject, "").saying(Some(anew.what)));
        }
        if self.acts.spooled() > SPOOLED_MAX {
            all.push(Observed::new(AlarmKind::LogSpooled, "log", ""));
        }
        let synchronised = self.machine.0.read().unwrap_or_else(PoisonError::into_inner).clock.synchronised;
        if !synchronised {
            all.push(Observed::new(AlarmKind::ClockUnsynchronised, "clock", ""));
        }
        if let Some(doubt) = self.clock_trust().doubts.first() {
            let text = format!("{}: {} → {}", doubt.kind.as_str(), doubt.from.to_rfc3339(), doubt.to.to_rfc3339());
            all.push(Observed::new(AlarmKind::ClockDoubted, "clock", "").saying(Some(text)));
        }
        for damage in self.recorder.shared().scrub.damage().into_iter().filter(|d| !d.repaired).take(DAMAGE_MAX) {
            // The path names a case: it is told by its digest, and by its words in the console alone.
            let subject = digest::sha256(format!("{}/{}", damage.volume, damage.file.display()).as_bytes())[..16].to_owned();
            all.push(Observed::new(AlarmKind::DamageFound, &subject, volume_name(&damage.volume)).saying(Some(damage.what)));
        }
        for (who, what) in self.outside().troubles {
            let kind = if who == "timestamp authority" { AlarmKind::TimestampAway } else { AlarmKind::WitnessAway };
            let name = if kind == AlarmKind::WitnessAway { who.as_str() } else { "" };
            all.push(Observed::new(kind, &who, name).saying(Some(what)));
        }
    }

    fn copies_seen(&self, all: &mut Vec<Observed>) {
        let standing = self.backup_standing();
        if let Some(why) = standing.trouble {
            all.push(Observed::new(AlarmKind::BackupFailed, "backup", "").saying(Some(why)));
        }
        let late = TimeDelta::hours(2 * self.settings.backup.every_h + 1);
        if standing.last.is_some_and(|last| self.now().utc - last > late) {
            all.push(Observed::new(AlarmKind::BackupOverdue, "backup", ""));
        }
        if let Some(why) = self.archive.trouble() {
            all.push(Observed::new(AlarmKind::ArchiveBehind, "archive", "").saying(Some(why)));
        }
    }
}

/// What people call a volume; the console says the same.
fn volume_name(name: &str) -> &'static str {
    if name == "mirror" { "镜像存储" } else { "主存储" }
}
