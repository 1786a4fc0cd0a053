//! What the machine sees of its devices: streams every few seconds, pictures and sound now and then, clocks, serial numbers and disks
//! every few hours. It reads what is there for others; nothing of it stands in the way of a recording.

use crate::desks::{Desks, cameras};
use crate::machine::smart;
use crate::model::device::{Device, DeviceKind};
use crate::model::device_fault::{self, FaultKind, PASSWORD_REFUSED};
use crate::model::ids::{CameraId, DeviceId};
use crate::model::readiness::Look;
use crate::recorder::looking;
use crate::recorder::view::RoomView;
use std::sync::{Arc, Weak};
use std::time::Duration;

/// How often streams are asked after.
const TICK: Duration = Duration::from_secs(2);
/// A stream has to be away so long before it is a fault: a camera that connects anew is none. And there so long before it is over.
const AWAY_MS: u64 = 10_000;
const THERE_MS: u64 = 5_000;

impl Desks {
    /// Watches the equipment for as long as there are desks.
    pub fn watch_equipment(self: &Arc<Self>) {
        let desks = Arc::downgrade(self);
        tokio::spawn(async move {
            while let Some(desks) = desks.upgrade() {
                desks.watch_streams().await;
                desks.follow_waiting().await;
                drop(desks);
                tokio::time::sleep(TICK).await;
            }
        });
        let settings = &self.settings.equipment;
        if !settings.look.is_zero() {
            tokio::spawn(every(Arc::downgrade(self), settings.look, async |desks: &Desks| desks.look_at_cameras().await));
        }
        if !settings.ask.is_zero() {
            tokio::spawn(every(Arc::downgrade(self), settings.ask, async |desks: &Desks| desks.ask_devices().await));
        }
    }

    fn device_of_camera(&self, camera: &CameraId) -> Option<DeviceId> {
        self.equipment.with(|all| all.values().find(|d| d.camera.as_ref() == Some(camera)).map(|d| d.id.clone()))
    }

    async fn note_seen(&self, device: &DeviceId, kind: FaultKind, is_there: bool, text: Option<String>) {
        if let Err(no) = self.machine_sees(device, kind, is_there, text).await {
            tracing::error!(%device, kind = kind.as_str(), "what is seen of a device is not written down: {no}");
        }
    }

    async fn watch_streams(&self) {
        let now = self.now();
        for room in self.recorder.rooms() {
            for camera in &room.view().cameras {
                let (status, Some(device)) = (camera.capture.status(), self.device_of_camera(&camera.id)) else { continue };
                let for_ms = now.mono_ms.saturating_sub(status.since.mono_ms);
                if status.connected && for_ms >= THERE_MS {
                    self.note_seen(&device, FaultKind::StreamDown, false, None).await;
                    self.note_seen(&device, FaultKind::PasswordRefused, false, None).await;
                } else if !status.connected && for_ms >= AWAY_MS {
                    let refused = status.detail.as_deref() == Some(PASSWORD_REFUSED);
                    let (there, gone) = (FaultKind::StreamDown, FaultKind::PasswordRefused);
                    let (there, gone) = if refused { (gone, there) } else { (there, gone) };
                    self.note_seen(&device, gone, false, None).await;
                    self.note_seen(&device, there, true, status.detail).await;
                }
            }
        }
    }

    /// What a look at a room's cameras says of their faults; `is_needed`: somebody needs the pictures now.
    pub(super) async fn judge_looks(&self, room: &RoomView, looks: &[Option<Look>], is_needed: bool) {
        for (camera, look) in room.cameras.iter().zip(looks) {
            let (Some(look), Some(device)) = (look, self.device_of_camera(&camera.id)) else { continue };
            for (kind, told) in device_fault::judged(look, is_needed) {
                if let Some(is_there) = told {
                    self.note_seen(&device, kind, is_there, None).await;
                }
            }
        }
    }

    async fn look_at_cameras(&self) {
        for room in self.recorder.rooms() {
            let view = room.view().clone();
            let is_needed = view.session().is_some();
            let looks = looking::look_at(&view).await;
            self.judge_looks(&view, &looks, is_needed).await;
        }
    }

    async fn ask_devices(&self) {
        let asked = |d: &Device| d.known.asked_at.is_some() && d.retired_at.is_none();
        for device in self.equipment.all().into_iter().filter(asked) {
            let done = match device.known.kind {
                DeviceKind::Camera => self.take_particulars(None, &device).await.map(drop),
                DeviceKind::Disk => {
                    self.ask_disk(&device).await;
                    Ok(())
                }
                _ => Ok(()),
            };
            if let Err(no) = done {
                tracing::warn!(device = %device.known.number, "cannot be asked: {no}");
            }
        }
    }

    /// What a disk says of itself; none: it does not say.
    pub(super) async fn ask_disk(&self, device: &Device) -> Option<bool> {
        let path = device.known.asked_at.clone().filter(|p| cameras::is_disk(p))?;
        let failing = tokio::task::spawn_blocking(move || smart::is_failing(&path)).await.ok()?;
        let failing = failing.inspect_err(|fault| tracing::warn!("{fault}")).ok().flatten()?;
        self.note_seen(&device.id, FaultKind::DiskFailing, failing, None).await;
        Some(failing)
    }
}

async fn every(desks: Weak<Desks>, pause: Duration, work: impl AsyncFn(&Desks)) {
    loop {
        tokio::time::sleep(pause).await;
        let Some(desks) = desks.upgrade() else { return };
        work(&desks).await;
    }
}
