//! Cameras at the console: found on the room's network, tried before they are saved, asked for their particulars, their clocks set.
//! A password is never shown again, and goes to the host that was typed and to no other.

use crate::desks::equipment::entry;
use crate::desks::{Answer, Desks, No, blocking};
use crate::machine::randomness;
use crate::model::device::{Device, DeviceChange, DeviceChangeKind, DeviceKind};
use crate::model::device_fault::FaultKind;
use crate::model::entry::{Draft, EntryKind};
use crate::model::ids::{CameraId, DeviceId, RoomId};
use crate::model::people::{self, Act, Person};
use crate::model::refusal::Refusal;
use crate::model::trial::{CLOCK_MS, Carrier, Client, Found, Said, SavedCamera, Trial};
use crate::model::words::{self, BadField};
use crate::recorder::cameras::{self, Reach};
use base64::{Engine, prelude::BASE64_STANDARD};
use chrono::{DateTime, TimeDelta, Utc};
use secrecy::SecretString;
use serde::Serialize;
use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Mutex, PoisonError};
use url::Url;

/// A trial may be saved for so long.
const TRIAL_LIVES: TimeDelta = TimeDelta::minutes(15);
/// Trials that are kept.
const TRIALS_MAX: usize = 20;
/// RTSP's usual port.
const RTSP_PORT: u16 = 554;
/// ONVIF's usual port.
const ONVIF_PORT: u16 = 80;

/// A camera as somebody types it.
#[derive(Clone)]
pub struct NewCamera {
    /// In which room.
    pub room: RoomId,
    /// Its name on screen.
    pub name: String,
    /// 执法记录设备编号.
    pub device_no: String,
    /// `rtsp://…`, or host and port of its ONVIF service.
    pub address: String,
    /// Sign-in name.
    pub user: Option<String>,
    /// Its password.
    pub password: Option<SecretString>,
    /// How media travels.
    pub transport: Carrier,
    /// Which client connects.
    pub front: Client,
}

/// What came of a trial.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct TrialView {
    /// By which it can be saved for a quarter of an hour.
    pub id: String,
    /// What the stream showed.
    pub trial: Trial,
    /// What the camera said over ONVIF, where it was asked.
    pub said: Option<Said>,
    /// The stream's address, without name and password.
    pub url: String,
    /// One small picture, JPEG in base64.
    pub still: Option<String>,
    /// Why there is none (第二十二条).
    pub withheld: Option<Withheld>,
}

people::words!(
    /// Why a trial shows no picture (第二十二条).
    Withheld {
        /// A session is open in the room.
        Session = "session",
        /// A camera of a room lies at this address: who has no approval sees none of it, by whatever path.
        Host = "host",
    }
);

/// A camera of a room, for the page of cameras.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct CameraRow {
    /// Which.
    pub id: CameraId,
    /// Its room's name.
    pub room_name: String,
    /// Its name.
    pub name: String,
    /// Its number.
    pub device_no: String,
    /// Host and port.
    pub address: Option<String>,
    /// It was added at the console; else it stands in the configuration.
    pub added: bool,
    /// It is in use; else it waits for the end of its room's session.
    pub in_use: bool,
}

/// What became of a camera that was saved.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct Saved {
    /// Its identifier.
    pub id: CameraId,
    /// It is in use; else it waits for the end of its room's session.
    pub in_use: bool,
}

struct Held {
    at: DateTime<Utc>,
    by: Person,
    camera: NewCamera,
    reach: Reach,
    tile: Option<String>,
    trial: Trial,
    said: Option<Said>,
}

/// Trials that can be saved.
#[derive(Default)]
pub(crate) struct Trials {
    held: Mutex<BTreeMap<String, Held>>,
    /// One at a time: each decodes.
    turn: tokio::sync::Mutex<()>,
}

impl Trials {
    fn with<T>(&self, work: impl FnOnce(&mut BTreeMap<String, Held>) -> T) -> T {
        work(&mut self.held.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// What a stream's name leads to.
async fn addresses(url: &Url) -> Vec<SocketAddr> {
    let Some(host) = url.host_str() else { return vec![] };
    let found = tokio::net::lookup_host((host.trim_matches(['[', ']']), url.port().unwrap_or(RTSP_PORT))).await;
    found.map(Iterator::collect).unwrap_or_default()
}

/// Whether a text names a disk of this machine.
pub(super) fn is_disk(text: &str) -> bool {
    let name = text.strip_prefix("/dev/").unwrap_or_default();
    !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || "-_/".contains(c)) && !name.contains("//")
}

/// Whether an address lies in a network.
fn is_within(address: IpAddr, network: (IpAddr, u8)) -> bool {
    let bits = |ip: IpAddr| match ip {
        IpAddr::V4(v4) => (u128::from(u32::from(v4)) << 96, 32),
        IpAddr::V6(v6) => (u128::from(v6), 128),
    };
    let ((a, size), (n, other)) = (bits(address), bits(network.0));
    let shift = 128_u32.saturating_sub(u32::from(network.1));
    size == other && (network.1 == 0 || a >> shift == n >> shift)
}

impl Desks {
    /// Where a host is, as long as it lies in a network of cameras: what somebody types leads nowhere else.
    async fn camera_address(&self, host: &str, port: u16) -> Answer<SocketAddr> {
        let bad = |problem| No::from(Refusal::from(BadField::form("address", problem)));
        let found = tokio::net::lookup_host((host.trim_matches(['[', ']']), port)).await;
        let found: Vec<SocketAddr> = found.map_err(|_| bad("is no camera's address"))?.collect();
        let inside = |a: &&SocketAddr| self.settings.equipment.networks.iter().any(|n| is_within(a.ip(), *n));
        found.iter().find(inside).copied().ok_or_else(|| bad("lies outside the cameras' networks"))
    }

    async fn onvif_address(&self, text: &str) -> Answer<SocketAddr> {
        let bad = || No::from(Refusal::from(BadField::form("address", "is no camera's address")));
        let url = Url::parse(&format!("http://{text}/")).map_err(|_| bad())?;
        let host = url.host_str().filter(|_| url.username().is_empty() && url.path() == "/").ok_or_else(bad)?;
        self.camera_address(host, url.port().unwrap_or(ONVIF_PORT)).await
    }

    /// Which cameras answer on the room's network.
    pub async fn find_cameras(&self, who: &Person) -> Answer<Vec<Found>> {
        self.need(who, Act::AddCamera)?;
        let _turn = self.equipment.trials.turn.lock().await;
        self.acts.log_then_do(Draft::new(EntryKind::CameraAsked).by(&who.id).about("what", "discovery"), |_| Ok(())).await?;
        let found = self.recorder.find_cameras(self.settings.equipment.discover_from).await?;
        let inside = |f: &Found| {
            let host = f.host.rsplit_once(':').map_or(f.host.as_str(), |(host, _)| host);
            host.trim_matches(['[', ']']).parse().is_ok_and(|ip| self.settings.equipment.networks.iter().any(|n| is_within(ip, *n)))
        };
        Ok(found.into_iter().filter(inside).collect())
    }

    /// The cameras of all rooms.
    pub fn cameras(&self, who: &Person) -> Answer<Vec<CameraRow>> {
        self.need(who, Act::AddCamera)?;
        let saved = cameras::saved(&self.settings.data);
        let mut rows = Vec::new();
        for room in self.recorder.rooms() {
            let view = room.view();
            let row = |id: &CameraId, name: &str, device_no: &str, address: Option<String>, in_use| CameraRow {
                id: id.clone(),
                room_name: view.name.clone(),
                name: name.into(),
                device_no: device_no.into(),
                address,
                added: saved.iter().any(|s| s.id == *id),
                in_use,
            };
            rows.extend(view.cameras.iter().map(|c| row(&c.id, &c.name, &c.device_no, c.address.clone(), true)));
            let waits = saved.iter().filter(|s| s.room == view.id && !view.cameras.iter().any(|c| c.id == s.id));
            rows.extend(waits.map(|s| row(&s.id, &s.name, &s.device_no, None, false)));
        }
        Ok(rows)
    }

    /// Tries a camera: connects, looks at three seconds of it, and keeps nothing but what it found.
    pub async fn try_camera(&self, who: &Person, camera: NewCamera) -> Answer<TrialView> {
        self.need(who, Act::AddCamera)?;
        self.proved(who)?;
        let camera = self.camera_as_typed(camera)?;
        let room = self.recorder.room(&camera.room).ok_or_else(|| Refusal::no_such("room", camera.room.as_str()))?;
        let _turn = self.equipment.trials.turn.try_lock().map_err(|_| Refusal::TooMany { running: 1 })?;
        let (url, tile, said) = self.stream_of(&camera).await?;
        let (is_used, shares_host) = self.used(&url).await;
        if is_used {
            return Err(self.refused(who, BadField::form("address", "is a camera of a room already").into(), "try_camera"));
        }
        let draft = Draft::new(EntryKind::CameraTried).by(&who.id).about("room", &camera.room);
        let host = url.host_str().map(|h| format!("{h}:{}", url.port().unwrap_or(RTSP_PORT)));
        self.acts.log_then_do(draft.about("address", host.unwrap_or_default()), |_| Ok(())).await?;
        let (user, password, transport, front) = (camera.user.clone(), camera.password.clone(), camera.transport, camera.front);
        let reach = Reach { url: url.clone(), user, password, transport, front };
        let (trial, still) = self.recorder.try_camera(&reach).await;
        let withheld = match (room.view().session(), shares_host) {
            (Some(_), _) => Some(Withheld::Session),
            (None, true) => Some(Withheld::Host),
            (None, false) => None,
        };
        let still = still.filter(|_| withheld.is_none()).map(|jpeg| BASE64_STANDARD.encode(jpeg));
        let (id, at) = (randomness::hex::<12>()?, self.now().utc);
        let held = Held { at, by: who.clone(), camera, reach, tile, trial: trial.clone(), said: said.clone() };
        self.equipment.trials.with(|all| {
            all.retain(|_, h| at - h.at < TRIAL_LIVES);
            while all.len() >= TRIALS_MAX {
                all.pop_first();
            }
            all.insert(id.clone(), held);
        });
        Ok(TrialView { id, trial, said, url: url.into(), still, withheld })
    }

    /// Whether a stream is one of a room's cameras, and whether one of them lies on the same host: by the addresses that names lead to,
    /// for a camera has many names and many paths. Loopback holds many hosts; there, the port tells them apart.
    async fn used(&self, url: &Url) -> (bool, bool) {
        let own = addresses(url).await;
        let (mut is_used, mut shares_host) = (false, false);
        for stream in self.recorder.streams() {
            let same = |a: &SocketAddr, b: &SocketAddr| a.ip() == b.ip() && (!a.ip().is_loopback() || a.port() == b.port());
            let theirs = addresses(&stream).await;
            let shares = own.iter().any(|a| theirs.iter().any(|b| same(a, b)));
            shares_host |= shares;
            is_used |= shares && stream.path().trim_matches('/').eq_ignore_ascii_case(url.path().trim_matches('/'));
        }
        (is_used, shares_host)
    }

    fn camera_as_typed(&self, camera: NewCamera) -> Result<NewCamera, Refusal> {
        let mut fields = Vec::new();
        let mut line = |name: &str, text: &str| words::needed_line(name, text).map_err(|e| fields.push(e)).unwrap_or_default();
        let (name, device_no) = (line("camera_name", &camera.name), line("device_no", &camera.device_no));
        let address = line("address", &camera.address);
        let saved = cameras::saved(&self.settings.data);
        let taken = self.recorder.rooms().any(|r| r.view().cameras.iter().any(|c| c.device_no == device_no));
        if taken || saved.iter().any(|s| s.device_no == device_no) {
            fields.push(BadField::form("device_no", "is in the register already"));
        }
        if camera.password.is_some() && camera.user.is_none() {
            fields.push(BadField { field: "user".into(), problem: words::FieldProblem::Empty });
        }
        if fields.is_empty() { Ok(NewCamera { name, device_no, address, ..camera }) } else { Err(Refusal::BadFields { fields }) }
    }

    /// The stream that a camera gives: the one that was typed, or the first that it names over ONVIF, with a second one for tiles.
    async fn stream_of(&self, camera: &NewCamera) -> Answer<(Url, Option<String>, Option<Said>)> {
        let bad = |problem| No::from(Refusal::from(BadField::form("address", problem)));
        if camera.address.starts_with("rtsp://") || camera.address.starts_with("rtsps://") {
            let url = Url::parse(&camera.address).map_err(|_| bad("is no camera's address"))?;
            if !url.username().is_empty() || url.password().is_some() {
                return Err(bad("holds a name or password: type them into their own fields"));
            }
            let host = url.host_str().ok_or_else(|| bad("is no camera's address"))?;
            self.camera_address(host, url.port().unwrap_or(RTSP_PORT)).await?;
            return Ok((url, None, None));
        }
        let address = self.onvif_address(&camera.address).await?;
        let door = cameras::door(address, camera.user.clone(), camera.password.clone());
        let fails = |problem: String| No::from(Refusal::CameraFails { problem });
        let said = self.recorder.ask_camera(&door).await.map_err(|e| fails(e.to_string()))?;
        let mut streams = said.streams.iter().filter_map(|(_, url)| Url::parse(url).ok());
        let url = streams.next().ok_or_else(|| fails("it names no stream".into()))?;
        let tile = streams.next().map(Into::into);
        Ok((url, tile, Some(said)))
    }

    /// Saves a camera that was tried well; it is in use at once, or when its room's session is over.
    pub async fn save_camera(&self, who: &Person, trial: &str) -> Answer<Saved> {
        self.need(who, Act::AddCamera)?;
        self.proved(who)?;
        let now = self.now().utc;
        let lives = |h: &Held| now - h.at < TRIAL_LIVES && h.by.id == who.id;
        let fails = self.equipment.trials.with(|all| match all.get(trial).filter(|h| lives(h)) {
            None => Some(Refusal::from(BadField::form("trial", "is over: try the camera again"))),
            Some(h) if !h.trial.works() => Some(Refusal::CameraFails { problem: h.trial.problem.clone().unwrap_or_default() }),
            Some(_) => None,
        });
        if let Some(refusal) = fails {
            return Err(refusal.into());
        }
        let Some(held) = self.equipment.trials.with(|all| all.remove(trial)) else {
            return Err(Refusal::from(BadField::form("trial", "is over: try the camera again")).into());
        };
        let camera = self.camera_as_typed(held.camera)?;
        let id = format!("{}{}", cameras::SAVED, randomness::hex::<4>()?);
        let id = CameraId::new(&id).map_err(|e| No::Fault(e.to_string()))?;
        let saved = SavedCamera {
            id: id.clone(),
            room: camera.room.clone(),
            name: camera.name,
            device_no: camera.device_no,
            url: held.reach.url.to_string(),
            tile_url: held.tile,
            user: held.reach.user,
            transport: held.reach.transport,
            front: held.reach.front,
            by: who.name.clone(),
            at: now,
        };
        let draft = Draft::new(EntryKind::CameraAdded).by(&who.id).about("camera", &id).about("room", &saved.room);
        self.acts.log_then_do(draft.about("device_no", &saved.device_no), |_| Ok(())).await?;
        let (data, kept) = (self.settings.data.clone(), saved.clone());
        blocking("a camera's file", move || cameras::keep(&data, &kept, held.reach.password.as_ref())).await??;
        let in_use = self.follow_room(&saved.room).await?;
        if in_use {
            self.note_particulars(&saved.device_no, held.said, &camera.address).await?;
        }
        Ok(Saved { id, in_use })
    }

    /// Takes away a camera that was added at the console; what it recorded stays.
    pub async fn remove_camera(&self, who: &Person, id: &CameraId) -> Answer<()> {
        self.need(who, Act::AddCamera)?;
        self.proved(who)?;
        let saved = cameras::saved(&self.settings.data).into_iter().find(|s| s.id == *id);
        let saved = saved.ok_or_else(|| Refusal::no_such("camera", id.as_str()))?;
        let draft = Draft::new(EntryKind::CameraRemoved).by(&who.id).about("camera", id).about("room", &saved.room);
        self.acts.log_then_do(draft.about("device_no", &saved.device_no), |_| Ok(())).await?;
        let (data, gone) = (self.settings.data.clone(), id.clone());
        blocking("a camera's file", move || cameras::forget(&data, &gone)).await??;
        self.follow_room(&saved.room).await.map(drop)
    }

    /// Makes a room what is saved for it, now or when its session is over.
    pub(super) async fn follow_room(&self, room: &RoomId) -> Answer<bool> {
        // In a task of its own: a request that is given up must not leave a room without its loop.
        let (recorder, data, of) = (self.recorder.clone(), self.settings.data.clone(), room.clone());
        let changed = tokio::spawn(async move { recorder.follow_saved(&data, &of).await }).await;
        let done = changed.map_err(|_| No::Fault(format!("room {room} could not be made anew")))??;
        {
            let mut waiting = self.equipment.waiting.lock().unwrap_or_else(PoisonError::into_inner);
            if done {
                waiting.remove(room)
            } else {
                waiting.insert(room.clone())
            };
        }
        if done {
            self.take_up_configured().await?;
        }
        Ok(done)
    }

    /// Rooms that waited for the end of their session.
    pub(super) async fn follow_waiting(&self) {
        let waiting: Vec<RoomId> = self.equipment.waiting.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect();
        for room in waiting {
            if let Err(no) = self.follow_room(&room).await {
                tracing::error!(%room, "its cameras are not what is saved: {no}");
            }
        }
    }

    async fn note_particulars(&self, number: &str, said: Option<Said>, address: &str) -> Answer<()> {
        let device = self.equipment.with(|all| all.values().find(|d| d.known.number == number).cloned());
        let (Some(mut device), Some(said)) = (device, said) else { return Ok(()) };
        device.known.asked_at = Some(address.to_owned());
        self.take_said(None, device, said).await.map(drop)
    }

    /// Asks a device how it is: a camera for its particulars and its clock, a disk whether it fails.
    pub async fn ask_device(&self, who: &Person, id: &DeviceId) -> Answer<Device> {
        self.need(who, Act::KeepDevices)?;
        let device = self.device_of(id)?;
        let draft = entry(EntryKind::CameraAsked, &device).by(&who.id);
        self.acts.log_then_do(draft, |_| Ok(())).await?;
        if device.known.kind == DeviceKind::Disk {
            let said = self.ask_disk(&device).await;
            return match said {
                Some(_) => Ok(self.device_of(id)?),
                None => Err(Refusal::CameraFails { problem: "the disk says nothing, or there is no smartctl".into() }.into()),
            };
        }
        self.take_particulars(Some(who), &device).await
    }

    /// A camera's particulars, compared with the register: another serial number is a fault that stays until somebody looked at it.
    pub(super) async fn take_particulars(&self, who: Option<&Person>, device: &Device) -> Answer<Device> {
        let door = self.door_of(device).await?;
        match self.recorder.ask_camera(&door).await {
            Ok(said) => self.take_said(who, device.clone(), said).await,
            Err(e) => Err(Refusal::CameraFails { problem: e.to_string() }.into()),
        }
    }

    async fn door_of(&self, device: &Device) -> Answer<crate::recorder::cameras::Door> {
        let unasked = || Refusal::from(BadField::form("asked_at", "has no address at which it is asked"));
        let address = self.onvif_address(device.known.asked_at.as_deref().ok_or_else(unasked)?).await?;
        let camera = device.camera.as_ref().ok_or_else(unasked)?;
        Ok(self.recorder.door(camera, address).ok_or_else(unasked)?)
    }

    async fn take_said(&self, who: Option<&Person>, device: Device, said: Said) -> Answer<Device> {
        let off = said.clock_ms.filter(|ms| ms.abs() > CLOCK_MS);
        self.machine_sees(&device.id, FaultKind::ClockOff, off.is_some(), off.map(|ms| format!("{ms} ms"))).await?;
        if device.is_another(&said.serial) {
            let text = format!("{} → {}", device.known.serial.as_deref().unwrap_or_default(), said.serial);
            self.machine_sees(&device.id, FaultKind::SerialChanged, true, Some(text)).await?;
            return Ok(self.device_of(&device.id)?);
        }
        // The camera that is known is back, or somebody has entered the new one: the history keeps what was seen.
        self.machine_sees(&device.id, FaultKind::SerialChanged, false, None).await?;
        let _turn = self.equipment.turn.lock().await;
        let mut now = self.device_of(&device.id)?;
        let told = |text: &str| Some(text.to_owned()).filter(|t| !t.is_empty());
        let before = now.known.clone();
        now.known.asked_at = device.known.asked_at;
        now.known.firmware = told(&said.firmware).or(now.known.firmware);
        now.known.serial = now.known.serial.or_else(|| told(&said.serial));
        now.known.maker = now.known.maker.or_else(|| told(&said.maker));
        now.known.model = now.known.model.or_else(|| told(&said.model));
        if now.known == before {
            return Ok(now);
        }
        let fields = now.known.otherwise(&before);
        let now = now.noted(DeviceChange { fields, ..self.change(DeviceChangeKind::Read, who, None) });
        self.note_device(entry(EntryKind::DeviceChanged, &now).about("change", "read"), now.clone()).await?;
        Ok(now)
    }

    /// Sets a camera's clock to the recorder's; not while a session runs on it: its times would jump.
    pub async fn set_camera_clock(&self, who: &Person, id: &DeviceId) -> Answer<Device> {
        self.need(who, Act::KeepDevices)?;
        let device = self.device_of(id)?;
        if let Some(session) = self.device_view(device.clone()).running {
            return Err(Refusal::RoomBusy { session: session.to_string() }.into());
        }
        let door = self.door_of(&device).await?;
        self.acts.log_then_do(entry(EntryKind::CameraClockSet, &device).by(&who.id), |_| Ok(())).await?;
        let apart = self.recorder.set_camera_clock(&door).await.map_err(|e| Refusal::CameraFails { problem: e.to_string() })?;
        let off = apart.filter(|ms| ms.abs() > CLOCK_MS);
        self.machine_sees(id, FaultKind::ClockOff, off.is_some(), off.map(|ms| format!("{ms} ms"))).await?;
        let _turn = self.equipment.turn.lock().await;
        let device = self.device_of(id)?.noted(self.change(DeviceChangeKind::ClockSet, Some(who), None));
        self.note_device_quietly(device.clone()).await?;
        Ok(device)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_lies_in_a_network_or_not_and_a_disk_is_no_path_elsewhere() {
        let net = |text: &str, bits| (text.parse().unwrap(), bits);
        for (address, network, within) in [
            ("192.168.10.11", net("192.168.0.0", 16), true),
            ("192.169.10.11", net("192.168.0.0", 16), false),
            ("10.1.2.3", net("10.0.0.0", 8), true),
            ("fd00::5", net("fc00::", 7), true),
            ("2001:db8::1", net("fc00::", 7), false),
            ("10.1.2.3", net("::", 0), false),
            ("8.8.8.8", net("0.0.0.0", 0), true),
        ] {
            assert_eq!(is_within(address.parse().unwrap(), network), within, "{address}");
        }
        assert!(is_disk("/dev/sda") && is_disk("/dev/disk/by-id/ata-X_1"));
        assert!(!is_disk("/dev/../etc/passwd") && !is_disk("sda") && !is_disk("/dev/") && !is_disk("/dev/sda -d"));
    }
}
