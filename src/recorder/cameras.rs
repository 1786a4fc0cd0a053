//! Cameras that were added at the console: files of their own beside the configuration (`cameras/<id>.json`), each password in a file
//! that its owner alone can read. The configuration's own cameras go first; a saved one that meets one of them is left out.

use crate::capture::onvif::{self, OnvifError};
use crate::capture::{CameraSettings, Front, Transport, trial};
use crate::machine::durable;
use crate::machine::fault::Fault;
use crate::model::ids::{CameraId, RoomId};
use crate::model::trial::{Carrier, Client, Found, Said, SavedCamera, Trial};
use crate::recorder::{CameraPlace, Recorder, RoomSettings};
use secrecy::{ExposeSecret, SecretString};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::PoisonError;
use url::Url;

/// Where a camera is asked, and by which name.
pub type Door = onvif::Door;

/// Largest file of a camera.
const BYTES_MAX: u64 = 64 * 1024;

/// How a camera is reached, as somebody typed it.
#[derive(Clone)]
pub struct Reach {
    /// Its stream, without name and password.
    pub url: Url,
    /// Sign-in name.
    pub user: Option<String>,
    /// Its password.
    pub password: Option<SecretString>,
    /// How media travels.
    pub transport: Carrier,
    /// Which client connects.
    pub front: Client,
}

fn is_configured(camera: &CameraPlace) -> bool {
    !camera.capture.id.as_str().starts_with(SAVED)
}

fn folder(data: &Path) -> PathBuf {
    data.join("cameras")
}

fn of_transport(carrier: Carrier) -> Transport {
    match carrier {
        Carrier::Tcp => Transport::Tcp,
        Carrier::Udp => Transport::Udp,
    }
}

fn settings(id: CameraId, reach: &Reach, stall_s: u32, preroll_s: u32) -> CameraSettings {
    let front = match reach.front {
        Client::Retina => Front::Retina,
        Client::Rtspsrc => Front::Rtspsrc,
    };
    let (user, password, transport) = (reach.user.clone(), reach.password.clone(), of_transport(reach.transport));
    CameraSettings { id, url: reach.url.clone(), user, password, front, transport, stall_s, preroll_s }
}

/// A saved camera as a room takes it; what is common to a room's cameras is as with its first.
fn place(saved: &SavedCamera, password: Option<SecretString>, room: &RoomSettings) -> Result<CameraPlace, String> {
    let url = Url::parse(&saved.url).map_err(|e| e.to_string())?;
    let reach = Reach { url, user: saved.user.clone(), password, transport: saved.transport, front: saved.front };
    let (stall_s, preroll_s) = room.cameras.first().map_or((5, 0), |c| (c.capture.stall_s, c.capture.preroll_s));
    let capture = settings(saved.id.clone(), &reach, stall_s, preroll_s);
    let tile = saved.tile_url.as_deref().and_then(|url| Url::parse(url).ok());
    Ok(CameraPlace {
        tile: tile.map(|url| CameraSettings { url, preroll_s: 0, ..capture.clone() }),
        capture,
        name: saved.name.clone(),
        device_no: saved.device_no.clone(),
    })
}

/// Every saved camera. One that cannot be read is told and left out.
pub fn saved(data: &Path) -> Vec<SavedCamera> {
    let names = durable::names(&folder(data)).unwrap_or_default();
    let read = |name: String| {
        let data = durable::read_whole(&folder(data).join(&name), BYTES_MAX).map_err(|f| f.to_string());
        let read = data.and_then(|d| serde_json::from_slice(&d).map_err(|e| format!("{name}: {e}")));
        read.inspect_err(|why| tracing::error!("a saved camera cannot be read: {why}")).ok()
    };
    names.into_iter().filter(|n| n.ends_with(".json")).filter_map(read).collect()
}

fn password_of(data: &Path, id: &CameraId) -> Option<SecretString> {
    let bytes = durable::read_whole(&folder(data).join(format!("{id}.password")), BYTES_MAX).ok()?;
    Some(String::from_utf8(bytes).ok()?.into())
}

/// Puts the saved cameras into their rooms, before anything starts.
pub fn join(rooms: &mut [RoomSettings], data: &Path) {
    for saved in saved(data) {
        let taken = |c: &CameraPlace| c.capture.id == saved.id || c.device_no == saved.device_no;
        if rooms.iter().any(|r| r.cameras.iter().any(taken)) {
            tracing::error!(camera = %saved.id, "stands in the configuration too; the one that was saved at the console is left out");
            continue;
        }
        let Some(room) = rooms.iter_mut().find(|r| r.id == saved.room) else {
            tracing::error!(camera = %saved.id, room = %saved.room, "is saved for a room that is no more");
            continue;
        };
        match place(&saved, password_of(data, &saved.id), room) {
            Ok(place) => room.cameras.push(place),
            Err(why) => tracing::error!(camera = %saved.id, "cannot be taken up: {why}"),
        }
    }
}

/// Writes a camera down: the password first, so that a crash never leaves one that cannot sign in.
pub fn keep(data: &Path, camera: &SavedCamera, password: Option<&SecretString>) -> Result<(), Fault> {
    let folder = folder(data);
    durable::make_folder(&folder)?;
    if let Some(password) = password {
        durable::write_secret(&folder.join(format!("{}.password", camera.id)), password.expose_secret().as_bytes())?;
    }
    let text = serde_json::to_vec_pretty(camera).map_err(|e| Fault::of("encode", "a camera", e))?;
    durable::write_secret(&folder.join(format!("{}.json", camera.id)), &text)
}

/// Forgets it.
pub fn forget(data: &Path, id: &CameraId) -> Result<(), Fault> {
    durable::remove_marker(&folder(data).join(format!("{id}.json")))?;
    durable::remove_marker(&folder(data).join(format!("{id}.password")))
}

impl Recorder {
    /// Says what a room is to be by its configuration; false: it is so already, or there is no such room. [`Self::follow_saved`] makes it so.
    pub fn want(&self, room: RoomSettings) -> bool {
        let mut wanted = self.wanted.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(mut plan) = self.plan(&room.id) else { return false };
        plan.cameras.retain(is_configured);
        // What was wanted before and is taken back is wanted no more.
        wanted.remove(&room.id);
        let differs = plan != room;
        if differs {
            wanted.insert(room.id.clone(), room);
        }
        differs
    }

    /// Brings a room to its configuration and what is saved for it: whether it is so now, or waits for the session that is open there.
    pub async fn follow_saved(&self, data: &Path, room: &RoomId) -> Result<bool, Fault> {
        let all: Vec<(SavedCamera, Option<SecretString>)> =
            saved(data).into_iter().filter(|s| s.room == *room).map(|s| (password_of(data, &s.id), s)).map(|(p, s)| (s, p)).collect();
        let wanted = self.wanted.lock().unwrap_or_else(PoisonError::into_inner).get(room).cloned();
        let done = self.change_room(room, |plan| {
            if let Some(wanted) = wanted.clone() {
                *plan = wanted;
            }
            let mut cameras: Vec<CameraPlace> = plan.cameras.iter().filter(|c| is_configured(c)).cloned().collect();
            for (saved, password) in all {
                match place(&saved, password, plan) {
                    Ok(place) => cameras.push(place),
                    Err(why) => tracing::error!(camera = %saved.id, "cannot be taken up: {why}"),
                }
            }
            plan.cameras = cameras;
        });
        let done = done.await?;
        let mut all = self.wanted.lock().unwrap_or_else(PoisonError::into_inner);
        if done && all.get(room) == wanted.as_ref() {
            all.remove(room);
        }
        Ok(done)
    }

    /// Tries a camera that is no camera of a room yet; and one small picture of it.
    pub async fn try_camera(&self, reach: &Reach) -> (Trial, Option<Vec<u8>>) {
        let Ok(id) = CameraId::new("trial") else { return (Trial::default(), None) };
        let shared = self.shared();
        trial::run(settings(id, reach, 5, 0), &shared.captures, shared.clock.clone()).await
    }

    /// The streams of all rooms' cameras.
    pub fn streams(&self) -> Vec<Url> {
        let plans = self.rooms().filter_map(|r| self.plan(&r.view().id)).flat_map(|p| p.cameras);
        plans.flat_map(|c| std::iter::once(c.capture.url).chain(c.tile.map(|t| t.url))).collect()
    }

    /// The door of a room's camera: its ONVIF address, with the name and password of its stream.
    pub fn door(&self, camera: &CameraId, address: SocketAddr) -> Option<Door> {
        let plan = self.plan(&self.room_of(camera)?.view().id)?;
        let settings = plan.cameras.into_iter().find(|c| c.capture.id == *camera)?.capture;
        Some(Door { address, user: settings.user, password: settings.password })
    }

    /// What a camera says of itself.
    pub async fn ask_camera(&self, door: &Door) -> Result<Said, OnvifError> {
        onvif::ask(door, &self.shared().clock).await
    }

    /// Sets a camera's clock; what it is apart afterwards, ms.
    pub async fn set_camera_clock(&self, door: &Door) -> Result<Option<i64>, OnvifError> {
        onvif::set_clock(door, &self.shared().clock).await?;
        onvif::clock_of(door, &self.shared().clock).await
    }

    /// Which cameras there are on the network of an interface.
    pub async fn find_cameras(&self, from: Option<Ipv4Addr>) -> Result<Vec<Found>, Fault> {
        onvif::discover(from).await.map_err(|e| Fault::of("look for", "cameras on the network", e))
    }
}

/// How the identifiers of cameras begin that were added at the console.
pub const SAVED: &str = "added-";

/// A door by what somebody typed.
pub fn door(address: SocketAddr, user: Option<String>, password: Option<SecretString>) -> Door {
    Door { address, user, password }
}
