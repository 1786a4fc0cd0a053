//! The register of equipment (第十五条): every device with its particulars, its maintenance and its history. A device is a file of its
//! own, `devices/<id>/device.json`; the catalog is its index. What decides on a start is in memory: no file and no database is asked.

use crate::catalog::{devices as index, imports};
use crate::desks::check_outs::CheckOut;
use crate::desks::{Answer, Desks, No, blocking, rebuild};
use crate::machine::fault::Fault;
use crate::machine::{durable, randomness};
use crate::model::device::{Description, Device, DeviceChange, DeviceChangeKind, DeviceKind, Due, Maintenance, Standing};
use crate::model::device_fault::FaultState;
use crate::model::entry::{Draft, EntryKind};
use crate::model::ids::{CameraId, DeviceId, RoomId, SessionId};
use crate::model::people::{Act, Person};
use crate::model::refusal::Refusal;
use crate::model::time;
use crate::model::words::{self, BadField};
use chrono::NaiveDate;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// Where the register's files lie, one a device.
pub(super) const FOLDER: &str = "devices";
/// The file of one.
pub(super) const FILE: &str = "device.json";

/// Largest file of a device.
const BYTES_MAX: u64 = 64 * 1024 * 1024;
/// Check-outs that a device's page shows.
const CHECK_OUTS_MAX: usize = 50;

/// What looking after the equipment needs to know.
#[derive(Debug, Clone)]
pub struct EquipmentSettings {
    /// How often each room's cameras are looked at; zero: never.
    pub look: Duration,
    /// How often cameras and disks are asked how they are; zero: never.
    pub ask: Duration,
    /// From which address cameras are looked for; none: the system's choice.
    pub discover_from: Option<Ipv4Addr>,
    /// Networks in which cameras may lie: address and bits.
    pub networks: Vec<(std::net::IpAddr, u8)>,
}

/// The register in memory, and what is under way with it.
#[derive(Default)]
pub(crate) struct Equipment {
    devices: Mutex<BTreeMap<DeviceId, Device>>,
    /// One change of a device at a time.
    pub(super) turn: tokio::sync::Mutex<()>,
    /// Rooms that wait for the end of their session to get another camera.
    pub(super) waiting: Mutex<BTreeSet<RoomId>>,
    pub(super) trials: super::cameras::Trials,
}

impl Equipment {
    pub(super) fn with<T>(&self, work: impl FnOnce(&mut BTreeMap<DeviceId, Device>) -> T) -> T {
        work(&mut self.devices.lock().unwrap_or_else(PoisonError::into_inner))
    }

    pub(super) fn all(&self) -> Vec<Device> {
        let mut all: Vec<Device> = self.with(|d| d.values().cloned().collect());
        all.sort_by(|a, b| a.known.number.cmp(&b.known.number));
        all
    }
}

/// A device with what follows from it.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct DeviceView {
    /// It.
    pub device: Device,
    /// Whether it may be used.
    pub standing: Standing,
    /// The day of its next maintenance.
    pub next_maintenance: Option<NaiveDate>,
    /// How far that is.
    pub due: Due,
    /// Unit's name.
    pub unit_name: Option<String>,
    /// Room's name.
    pub room_name: Option<String>,
    /// The session that runs on it.
    pub running: Option<SessionId>,
    /// Check-outs of a portable one, newest first: who, when, battery and free memory (第十五条).
    pub check_outs: Vec<CheckOut>,
}

impl Desks {
    fn device_file(&self, id: &DeviceId) -> PathBuf {
        self.settings.data.join(FOLDER).join(id.as_str()).join(FILE)
    }

    /// Reads the register from its files, and takes up what the configuration names. Nothing of it keeps a recorder from starting.
    pub async fn begin_equipment(&self) {
        let data = self.settings.data.clone();
        match blocking("the register of equipment", move || files(&data)).await {
            Ok(Ok((devices, unread))) => {
                unread.iter().for_each(|why| tracing::error!("a device's file cannot be read: {why}"));
                self.equipment.with(|all| all.extend(devices.into_iter().map(|d| (d.id.clone(), d))));
            }
            Ok(Err(fault)) => tracing::error!("the register of equipment cannot be read: {fault}"),
            Err(no) => tracing::error!("the register of equipment cannot be read: {no}"),
        }
        if let Err(no) = self.take_up_configured().await {
            tracing::error!("the configuration's devices are not in the register: {no}");
        }
    }

    /// Devices of the configuration and of the console appear by themselves, to be completed.
    pub(super) async fn take_up_configured(&self) -> Answer<()> {
        let _turn = self.equipment.turn.lock().await;
        let mut there: Vec<(Description, Option<CameraId>)> = Vec::new();
        for room in self.recorder.rooms() {
            let view = room.view();
            let described = |c: &crate::recorder::view::CameraView| {
                let name = format!("{} {}", view.name, c.name);
                let known = described(&c.device_no, DeviceKind::Camera, name);
                (Description { unit: Some(view.unit.clone()), room: Some(view.id.clone()), ..known }, Some(c.id.clone()))
            };
            there.extend(view.cameras.iter().map(described));
        }
        for device in &self.settings.imports.devices {
            let known = described(&device.number, DeviceKind::BodyWorn, device.name.clone());
            there.push((Description { unit: Some(device.unit.clone()), ..known }, None));
        }
        let cameras: Vec<CameraId> = there.iter().filter_map(|(_, c)| c.clone()).collect();
        for (known, camera) in there {
            let found = self.equipment.with(|all| all.values().find(|d| d.known.number == known.number).cloned());
            let (device, is_new) = match found {
                Some(device) if camera.is_none() || (device.camera == camera && device.known.room == known.room) => continue,
                Some(mut device) => {
                    (device.camera, device.known.room) = (camera, known.room);
                    (device, false)
                }
                None => {
                    let id = DeviceId::new(&format!("dv-{}", randomness::hex::<5>()?)).map_err(|e| No::Fault(e.to_string()))?;
                    (Device { camera, ..Device::new(id, known, self.now().utc) }, true)
                }
            };
            let kind = if is_new { EntryKind::DeviceRegistered } else { EntryKind::DeviceChanged };
            let change = if is_new { DeviceChangeKind::Found } else { DeviceChangeKind::Described };
            let device = device.noted(self.change(change, None, None));
            self.note_device(entry(kind, &device), device).await?;
        }
        // What is no camera of a room any more stays in the register, and says so.
        let gone = |d: &&Device| d.camera.as_ref().is_some_and(|c| !cameras.contains(c));
        let gone: Vec<Device> = self.equipment.with(|all| all.values().filter(gone).cloned().collect());
        for mut device in gone {
            (device.camera, device.known.room) = (None, None);
            let device = device.noted(self.change(DeviceChangeKind::Described, None, None));
            self.note_device(entry(EntryKind::DeviceChanged, &device), device).await?;
        }
        // Also what was left open before this was done: such a device has been no camera for long.
        let no_camera: Vec<Device> = self.equipment.with(|all| all.values().filter(|d| d.camera.is_none()).cloned().collect());
        for device in no_camera {
            self.close_seen_of(device).await?;
        }
        Ok(())
    }

    pub(super) fn change(&self, kind: DeviceChangeKind, who: Option<&Person>, text: Option<String>) -> DeviceChange {
        let (by, by_name) = who.map_or((None, None), |w| (Some(w.id.clone()), Some(w.name.clone())));
        DeviceChange { at: self.now().utc, kind, by, by_name, text, fault: None, state: None, fields: vec![] }
    }

    /// What counts at once: in memory, in its file, logged behind. For faults: a log that does not answer keeps no device in use.
    pub(super) async fn note_device(&self, draft: Draft, device: Device) -> Answer<()> {
        self.equipment.with(|all| all.insert(device.id.clone(), device.clone()));
        let kept = device.clone();
        self.acts.do_and_log(draft, move |t| index::put(t, &kept));
        self.write_device(device).await
    }

    /// The same without an entry: what was told already came back, or went again.
    pub(super) async fn note_device_quietly(&self, device: Device) -> Answer<()> {
        self.equipment.with(|all| all.insert(device.id.clone(), device.clone()));
        let kept = device.clone();
        self.acts.index_only(move |t| index::put(t, &kept));
        self.write_device(device).await
    }

    /// Logs, then puts it into its file, the catalog and memory.
    async fn keep_device(&self, draft: Draft, device: Device) -> Answer<()> {
        self.acts.log_then_do(draft, |_| Ok(())).await?;
        self.write_device(device.clone()).await?;
        self.equipment.with(|all| all.insert(device.id.clone(), device.clone()));
        Ok(self.acts.keep(move |t| index::put(t, &device)).await?)
    }

    async fn write_device(&self, device: Device) -> Answer<()> {
        let path = self.device_file(&device.id);
        blocking("a device's file", move || {
            path.parent().map_or(Ok(()), durable::make_folder)?;
            let data = serde_json::to_vec_pretty(&device).map_err(|e| Fault::of("encode", "a device", e))?;
            durable::write_whole(&path, &data)
        })
        .await??;
        Ok(())
    }

    pub(super) fn device_of(&self, id: &DeviceId) -> Result<Device, Refusal> {
        self.equipment.with(|all| all.get(id).cloned()).ok_or_else(|| Refusal::no_such("device", id.as_str()))
    }

    pub(super) fn device_view(&self, device: Device) -> DeviceView {
        let room = device.known.room.as_ref().and_then(|r| self.recorder.room(r));
        let on_it =
            |s: &std::sync::Arc<crate::model::session::Session>| s.devices.iter().any(|d| Some(&d.camera) == device.camera.as_ref());
        DeviceView {
            standing: device.standing(),
            next_maintenance: device.next_maintenance(),
            due: device.maintenance_due(time::shanghai_day(self.now().utc)),
            unit_name: device.known.unit.as_ref().map(|u| self.unit_name(u)),
            running: room.as_ref().and_then(|r| r.view().session()).filter(on_it).map(|s| s.id.clone()),
            room_name: room.map(|r| r.view().name.clone()),
            check_outs: vec![],
            device,
        }
    }

    /// The register, by number.
    pub fn equipment_register(&self, who: &Person) -> Answer<Vec<DeviceView>> {
        self.need(who, Act::SeeDevices)?;
        Ok(self.equipment.all().into_iter().map(|d| self.device_view(d)).collect())
    }

    /// One device, with its check-outs.
    pub async fn equipment_device(&self, who: &Person, id: &DeviceId) -> Answer<DeviceView> {
        self.need(who, Act::SeeDevices)?;
        let device = self.device_of(id)?;
        let (number, units) = (device.known.number.clone(), self.units().into_iter().map(|(id, _)| id).collect::<Vec<_>>());
        let rows = self.read(move |c| imports::check_outs(c, &units, 0, 100_000)).await?;
        let mut view = self.device_view(device);
        view.check_outs =
            rows.into_iter().filter(|r| r.out.device_no == number).take(CHECK_OUTS_MAX).map(|r| self.check_out_of(r)).collect();
        Ok(view)
    }

    /// What the navigation and the first page say: devices that are out of use or faulty, and those that are to be maintained.
    pub fn equipment_waiting(&self) -> (usize, usize) {
        let today = time::shanghai_day(self.now().utc);
        let ill = |d: &Device| matches!(d.standing(), Standing::OutOfUse | Standing::Faulty);
        self.equipment
            .with(|all| (all.values().filter(|d| ill(d)).count(), all.values().filter(|d| d.maintenance_due(today) != Due::Not).count()))
    }

    /// Checks what was typed of a device; every error at once.
    fn described(&self, known: Description, own: Option<&DeviceId>) -> Result<Description, Refusal> {
        let mut fields = Vec::new();
        let mut line = |name: &str, text: &Option<String>| {
            words::line(name, text.as_deref().unwrap_or_default()).map_err(|e| fields.push(e)).unwrap_or_default()
        };
        let (maker, model, firmware) = (line("maker", &known.maker), line("model", &known.model), line("firmware", &known.firmware));
        let (serial, asked_at) = (line("serial", &known.serial), line("asked_at", &known.asked_at));
        let mut needed = |name: &str, text: &str| words::needed_line(name, text).map_err(|e| fields.push(e)).unwrap_or_default();
        let (number, name) = (needed("device_number", &known.number), needed("device_name", &known.name));
        if self.equipment.with(|all| all.values().any(|d| d.known.number == number && Some(&d.id) != own)) {
            fields.push(BadField::form("device_number", "is in the register already"));
        }
        if known.unit.as_ref().is_some_and(|unit| !self.settings.units.iter().any(|(u, _)| u == unit)) {
            fields.push(BadField::form("unit", "is not in the configuration"));
        }
        if known.room.as_ref().is_some_and(|room| self.recorder.room(room).is_none()) {
            fields.push(BadField::form("room", "is no room of this recorder"));
        }
        if known.maintenance.every_days.is_some_and(|days| !(1..=3650).contains(&days)) {
            fields.push(BadField::form("every_days", "is 1 to 3650 days"));
        }
        let today = time::shanghai_day(self.now().utc);
        let ahead = |day: Option<NaiveDate>| day.is_some_and(|day| day > today);
        for (name, day) in [("purchased", known.purchased), ("maintained", known.maintenance.last)] {
            if ahead(day) {
                fields.push(BadField::form(name, "lies ahead"));
            }
        }
        if fields.is_empty() {
            Ok(Description { number, name, maker, model, firmware, serial, asked_at, ..known })
        } else {
            Err(Refusal::BadFields { fields })
        }
    }

    /// Puts a device into the register.
    pub async fn register_device(&self, who: &Person, known: Description) -> Answer<Device> {
        self.need(who, Act::KeepDevices)?;
        let _turn = self.equipment.turn.lock().await;
        let known = self.described(known, None)?;
        let id = DeviceId::new(&format!("dv-{}", randomness::hex::<5>()?)).map_err(|e| No::Fault(e.to_string()))?;
        let device = Device::new(id, known, self.now().utc).noted(self.change(DeviceChangeKind::Registered, Some(who), None));
        self.keep_device(entry(EntryKind::DeviceRegistered, &device).by(&who.id), device.clone()).await?;
        Ok(device)
    }

    /// Changes what is known of a device. Number and room of a room's camera are those of the configuration.
    pub async fn describe_device(&self, who: &Person, id: &DeviceId, known: Description) -> Answer<Device> {
        self.need(who, Act::KeepDevices)?;
        let _turn = self.equipment.turn.lock().await;
        let mut device = self.device_of(id)?;
        let mut known = self.described(known, Some(id))?;
        if device.camera.is_some() {
            known.number.clone_from(&device.known.number);
            known.room.clone_from(&device.known.room);
            known.kind = DeviceKind::Camera;
        }
        let fields = known.otherwise(&device.known);
        if fields.is_empty() {
            return Ok(device);
        }
        device.known = known;
        let device = device.noted(DeviceChange { fields, ..self.change(DeviceChangeKind::Described, Some(who), None) });
        self.keep_device(entry(EntryKind::DeviceChanged, &device).by(&who.id).about("change", "described"), device.clone()).await?;
        Ok(device)
    }

    /// A device was maintained (第十五条): its calendar goes on from that day.
    pub async fn maintain_device(&self, who: &Person, id: &DeviceId, day: NaiveDate, text: &str) -> Answer<Device> {
        self.need(who, Act::KeepDevices)?;
        let text = words::needed_text("what", text).map_err(Refusal::from)?;
        if day > time::shanghai_day(self.now().utc) {
            return Err(Refusal::from(BadField::form("maintained", "lies ahead")).into());
        }
        let _turn = self.equipment.turn.lock().await;
        let mut device = self.device_of(id)?;
        // One that is entered late does not set the calendar back.
        device.known.maintenance = Maintenance { last: device.known.maintenance.last.max(Some(day)), ..device.known.maintenance };
        let draft = entry(EntryKind::DeviceChanged, &device).by(&who.id).about("change", "maintained").about("day", day);
        let device = device.noted(self.change(DeviceChangeKind::Maintained, Some(who), Some(format!("{day} {text}"))));
        self.keep_device(draft.text("what", Some(&text)), device.clone()).await?;
        Ok(device)
    }

    /// Takes a device out of the register for ever; its history stays.
    pub async fn retire_device(&self, who: &Person, id: &DeviceId, reason: &str) -> Answer<Device> {
        self.need(who, Act::KeepDevices)?;
        let reason = words::needed_text("reason", reason).map_err(Refusal::from)?;
        let _turn = self.equipment.turn.lock().await;
        let mut device = self.device_of(id)?;
        if device.retired_at.is_some() {
            return Err(Refusal::FaultState { state: FaultState::Retired.as_str().into() }.into());
        }
        device.retired_at = Some(self.now().utc);
        let device = device.noted(self.change(DeviceChangeKind::Retired, Some(who), Some(reason.clone())));
        let draft = entry(EntryKind::DeviceChanged, &device).by(&who.id).about("change", "retired").text("reason", Some(&reason));
        self.keep_device(draft, device.clone()).await?;
        Ok(device)
    }

    /// Why a camera takes no session (第十六条), by the configuration or the register; and until when it is maintained.
    pub(super) fn care_of(&self, room: &RoomId, camera: &CameraId) -> (Option<String>, Option<NaiveDate>) {
        let configured = self.settings.rooms.get(room).and_then(|r| r.cameras.get(camera)).cloned().unwrap_or_default();
        let device = self.equipment.with(|all| all.values().find(|d| d.camera.as_ref() == Some(camera)).cloned());
        let reason = device.as_ref().and_then(|d| d.out_of_use().map(ToOwned::to_owned));
        let until = device.and_then(|d| d.next_maintenance());
        (configured.out_of_use.or(reason), configured.maintained_until.or(until))
    }

    /// The cameras of a room on which no session starts (第十六条). Where none is left, none starts at all: the refusal says why, and a
    /// room or a portable device that is well records instead.
    pub(super) fn cameras_out_of_use(&self, who: &Person, room: &RoomId) -> Answer<Vec<CameraId>> {
        let Some(place) = self.recorder.room(room) else { return Ok(vec![]) };
        let cameras = &place.view().cameras;
        let mut out = Vec::new();
        for camera in cameras {
            if let (Some(reason), _) = self.care_of(room, &camera.id) {
                out.push((camera.id.clone(), format!("{}（{reason}）", camera.device_no)));
            }
        }
        if !out.is_empty() && out.len() == cameras.len() {
            let devices = out.into_iter().map(|(_, device)| device).collect();
            return Err(self.refused(who, Refusal::OutOfUse { devices }, "start"));
        }
        Ok(out.into_iter().map(|(id, _)| id).collect())
    }

    /// Refuses to take along a portable device that is out of use.
    pub(super) fn usable(&self, number: &str) -> Result<(), Refusal> {
        self.equipment.with(|all| all.values().find(|d| d.known.number == number).map_or(Ok(()), Device::usable))
    }
}

fn described(number: &str, kind: DeviceKind, name: String) -> Description {
    Description {
        number: number.into(),
        kind,
        name,
        unit: None,
        room: None,
        maker: None,
        model: None,
        firmware: None,
        serial: None,
        purchased: None,
        asked_at: None,
        maintenance: Maintenance::default(),
    }
}

/// A log entry about a device.
pub(super) fn entry(kind: EntryKind, device: &Device) -> Draft {
    Draft::new(kind).about("device", &device.id).about("device_no", &device.known.number)
}

/// Every device's file, and what could not be read.
fn files(data: &Path) -> Result<(Vec<Device>, Vec<String>), Fault> {
    let mut devices = Vec::new();
    let unread = rebuild::read_each(&data.join(FOLDER), FILE, BYTES_MAX, |device| devices.push(device))?;
    Ok((devices, unread))
}
