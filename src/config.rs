//! The configuration: one TOML file, checked whole. Every error is told at once, each with its place and what would be right;
//! none shows a password.

use crate::capture::{CameraSettings, Front, Transport};
use crate::desks;
use crate::desks::lamp::LampSettings;
use crate::desks::readiness::{CameraCare, RoomCare};
use crate::machine::durable;
use crate::model::digest;
use crate::model::hold::HoldRules;
use crate::model::ids::{CameraId, RoomId, UnitId};
use crate::recorder::cameras::SAVED;
use crate::recorder::{self, CameraPlace, RoomSettings};
use chrono::NaiveDate;
use secrecy::SecretString;
use serde::Deserialize;
use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;
use url::Url;

mod access;
mod alarms;
mod archive;
mod backup;
mod credentials;
mod custody;
mod equipment;
pub mod footage;
mod imports;
mod lamp;
mod media;
pub mod overview;
pub mod reload;
mod retention;
mod tls;
mod told;

use access::Console;
use credentials::{is_credential, read_password};
pub use credentials::{load, load_beside, load_by_hand, names_credentials};
pub use custody::Custody;
pub use reload::Source;
use retention::MARGIN_DAYS_MIN;
use tls::tls_files;
pub use tls::{Tls, TlsFiles};
use told::{named, place, unread};

/// The file as it is written; its check makes the parts' settings of it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    bureau: String,
    #[serde(default = "rules")]
    rules: String,
    #[serde(default)]
    contact: String,
    #[serde(default)]
    lamp: lamp::LampFile,
    storage: Storage,
    #[serde(default)]
    recording: Recording,
    #[serde(default)]
    custody: Custody,
    #[serde(default)]
    console: Console,
    #[serde(default)]
    sso: Option<access::SsoFile>,
    #[serde(default)]
    mail: Option<access::MailFile>,
    #[serde(default)]
    retention: Retention,
    #[serde(default)]
    imports: imports::ImportsFile,
    #[serde(default)]
    devices: Vec<imports::DeviceFile>,
    #[serde(default)]
    media: media::MediaFile,
    #[serde(default)]
    backup: backup::BackupFile,
    #[serde(default)]
    archive: archive::ArchiveFile,
    #[serde(default)]
    equipment: equipment::EquipmentFile,
    #[serde(default)]
    footage: footage::FootageFile,
    #[serde(default)]
    alarms: alarms::AlarmsFile,
    #[serde(default)]
    units: Vec<Unit>,
    #[serde(default)]
    rooms: Vec<Room>,
}

fn rules() -> String {
    "2026-01".into()
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Storage {
    data: PathBuf,
    mirror: Option<PathBuf>,
    #[serde(default)]
    own_volume: bool,
    #[serde(default = "reserve_gb")]
    reserve_gb: u64,
}

fn reserve_gb() -> u64 {
    20
}

#[derive(Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Recording {
    segment_s: u64,
    preroll_s: u32,
    stall_s: u32,
    waiting_mb: u64,
    longest_session_h: u64,
}

impl Default for Recording {
    fn default() -> Self {
        Self { segment_s: 60, preroll_s: 10, stall_s: 5, waiting_mb: 64, longest_session_h: 8 }
    }
}

#[derive(Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Retention {
    margin_days: u32,
    table: Option<PathBuf>,
    important_by: Vec<String>,
    important_document: String,
}

impl Default for Retention {
    fn default() -> Self {
        let important_by = HoldRules::IMPORTANT_BY.iter().map(|r| r.as_str().into()).collect();
        Self { margin_days: MARGIN_DAYS_MIN, table: None, important_by, important_document: String::new() }
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Unit {
    id: String,
    name: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Room {
    id: String,
    name: String,
    unit: String,
    #[serde(default)]
    preroll_told: bool,
    #[serde(default = "sound_floor_dbfs")]
    sound_floor_dbfs: i64,
    #[serde(default = "talk_dbfs")]
    talk_dbfs: i64,
    #[serde(default = "yes")]
    in_use_alarm: bool,
    #[serde(default = "in_use_after_s")]
    in_use_after_s: u64,
    #[serde(default)]
    cameras: Vec<Camera>,
}

fn sound_floor_dbfs() -> i64 {
    -60
}

fn talk_dbfs() -> i64 {
    -40
}

fn yes() -> bool {
    true
}

fn in_use_after_s() -> u64 {
    120
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Camera {
    id: String,
    name: String,
    device_no: String,
    out_of_use: Option<String>,
    maintained_until: Option<NaiveDate>,
    url: String,
    tile_url: Option<String>,
    user: Option<String>,
    password: Option<SecretString>,
    password_file: Option<PathBuf>,
    #[serde(default = "tcp")]
    transport: String,
    #[serde(default = "retina")]
    front: String,
}

fn tcp() -> String {
    "tcp".into()
}

fn retina() -> String {
    "retina".into()
}

/// What the parts need, checked.
pub struct Parts {
    /// Root of everything that is written.
    pub data: PathBuf,
    /// Bytes that should stay free.
    pub reserve_bytes: u64,
    /// Where the console listens.
    pub listen: SocketAddr,
    /// Its TLS.
    pub tls: Option<Tls>,
    /// For the recorder.
    pub recorder: recorder::Settings,
    /// For the desks.
    pub desks: desks::Settings,
    /// What proves.
    pub custody: Custody,
    /// For the lamps outside the doors.
    pub lamp: Option<LampSettings>,
    /// How footage is encrypted, for whoever looks at the configuration.
    pub footage: footage::Told,
    /// What it was made of.
    pub source: Source,
}

/// Everything that is wrong with a configuration.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{file} is not right:\n{}", wrong.iter().map(|w| format!("  - {w}")).collect::<Vec<_>>().join("\n"))]
pub struct Wrong {
    /// Which file.
    pub file: String,
    /// Each with its place and what would be right.
    pub wrong: Vec<String>,
}

/// Reads and checks a file whose text was completed.
fn read(path: &Path, complete: impl FnOnce(String) -> Result<String, String>) -> Result<Parts, Wrong> {
    let file = path.display().to_string();
    let one = |w: String| Wrong { file: file.clone(), wrong: vec![w] };
    let bytes = durable::read_whole(path, 1 << 20).map_err(|fault| one(fault.to_string()))?;
    let text = String::from_utf8(bytes).map_err(|_| one("is not UTF-8 text".into()))?;
    let text = complete(text).map_err(one)?;
    parse(&text).map_err(|wrong| Wrong { file, wrong })
}

/// Checks a text; every error at once.
pub fn parse(text: &str) -> Result<Parts, Vec<String>> {
    let config: Config = toml::from_str(text).map_err(|e| vec![place(text, &e)])?;
    let table = text.parse().map_err(|e| vec![place(text, &e)])?;
    Ok(Parts { source: Source { sha256: digest::sha256(text.as_bytes()), table }, ..config.check()? })
}

#[derive(Default)]
struct Checks {
    wrong: Vec<String>,
}

impl Checks {
    fn that(&mut self, right: bool, place: &str, wrong: impl FnOnce() -> String) {
        if !right {
            self.wrong.push(format!("{place}: {}", wrong()));
        }
    }
    fn within(&mut self, place: &str, value: i64, from: i64, to: i64) {
        self.that((from..=to).contains(&value), place, || format!("is out of range; {from} to {to} would be right"));
    }
    fn ok<T, E: std::fmt::Display>(&mut self, place: &str, result: Result<T, E>) -> Option<T> {
        result.map_err(|e| self.wrong.push(format!("{place}: {e}"))).ok()
    }
}

impl Config {
    fn check(self) -> Result<Parts, Vec<String>> {
        let mut c = Checks::default();
        c.that(!self.bureau.trim().is_empty(), "bureau", || "is empty; write the bureau's name".into());
        c.that(self.storage.data.is_absolute(), "storage.data", || "is relative; write a path that begins with /".into());
        if let Some(mirror) = &self.storage.mirror {
            c.that(mirror.is_absolute(), "storage.mirror", || "is relative; write a path that begins with /".into());
            let apart = !mirror.starts_with(&self.storage.data) && !self.storage.data.starts_with(mirror);
            c.that(apart, "storage.mirror", || "lies inside storage.data or around it; give it a volume of its own".into());
        }
        c.within("recording.waiting_mb", self.recording.waiting_mb as i64, 1, 4096);
        c.within("recording.longest_session_h", self.recording.longest_session_h as i64, 1, 48);
        c.within("recording.segment_s", self.recording.segment_s as i64, 10, 600);
        c.within("recording.preroll_s", i64::from(self.recording.preroll_s), 0, 60);
        c.within("recording.stall_s", i64::from(self.recording.stall_s), 2, 60);
        c.within("console.idle_min", self.console.idle_min, 1, 720);
        c.within("console.lock_after", i64::from(self.console.lock_after), 3, 20);
        c.within("console.lock_min", self.console.lock_min, 1, 1440);
        c.within("retention.margin_days", i64::from(self.retention.margin_days), i64::from(MARGIN_DAYS_MIN), 3650);
        let holds = retention::hold_rules(&mut c, &self.retention);
        let retention = retention::check(&mut c, &self.retention);
        c.within("console.prove_min", self.console.prove_min, 1, 720);
        custody::check(&mut c, &self.custody);
        let media = media::check(&mut c, self.media);
        let backup = backup::check(&mut c, self.backup, &self.storage.data);
        let access = access::check(&mut c, &self.console, self.sso, self.mail);
        let archive = archive::check(&mut c, self.archive, self.storage.mirror.is_some(), self.retention.margin_days);
        let equipment = equipment::check(&mut c, self.equipment);
        let footage = footage::check(&mut c, self.footage, [Some(&self.storage.data), self.storage.mirror.as_ref()]);
        let alarms = alarms::check(&mut c, self.alarms);
        let listen: Option<SocketAddr> =
            c.ok("console.listen", self.console.listen.parse().map_err(|_| "is no address; 127.0.0.1:8040 would be right"));
        let outside = listen.is_some_and(|listen| !listen.ip().is_loopback());
        let tls = tls::check(&mut c, &self.console, outside, &self.storage.data);
        let units = units(&mut c, self.units);
        let imports = imports::check(&mut c, self.imports, self.devices, &units);
        let cared = self.rooms.iter().enumerate().map(|(at, room)| (RoomId::new(&room.id).ok(), care(&mut c, at, room, &self.recording)));
        let care = cared.collect::<Vec<_>>().into_iter().filter_map(|(id, care)| Some((id?, care))).collect();
        let lamp = lamp::check(&mut c, self.lamp);
        let rooms = rooms(&mut c, self.rooms, &units, &self.recording);
        let Some(listen) = listen.filter(|_| c.wrong.is_empty()) else { return Err(c.wrong) };
        let data = self.storage.data;
        let reserve_bytes = self.storage.reserve_gb * 1_000_000_000;
        Ok(Parts {
            reserve_bytes,
            listen,
            tls,
            recorder: recorder::Settings {
                footage: data.join("footage"),
                mirror: self.storage.mirror.map(|m| m.join("footage")),
                own_volume: self.storage.own_volume,
                waiting_bytes_max: self.recording.waiting_mb * 1_000_000,
                segment: Duration::from_secs(self.recording.segment_s),
                sm3: self.custody.sm3,
                state: data.join("custody/scrub.json"),
                scrub_days: self.custody.scrub_days,
                rules: self.rules,
                rooms,
                recipients: footage.recipients,
            },
            desks: desks::Settings {
                bureau: self.bureau,
                units,
                reserve_bytes,
                data: data.clone(),
                idle_min: self.console.idle_min,
                lock_after: self.console.lock_after,
                lock_min: self.console.lock_min,
                rooms: care,
                longest_session_h: self.recording.longest_session_h,
                contact: self.contact,
                outside: self.custody.outside(),
                unit_certificate: self.custody.unit_certificate(),
                prove_min: self.console.prove_min,
                second_factor: access.second_factor,
                factor_key: self.console.factor_key_file,
                address: access.address,
                sso: access.sso,
                mail: access.mail,
                retention,
                imports,
                media,
                backup,
                archive,
                holds,
                equipment,
                footage_identity: footage.identity_file,
                alarms,
            },
            footage: footage.told,
            custody: self.custody,
            lamp,
            data,
            source: Source::default(),
        })
    }
}

/// What a room wants besides its cameras' addresses.
fn care(c: &mut Checks, at: usize, room: &Room, recording: &Recording) -> RoomCare {
    let place = |field: &str| format!("rooms[{at}].{field}");
    c.within(&place("sound_floor_dbfs"), room.sound_floor_dbfs, -100, -10);
    c.within(&place("talk_dbfs"), room.talk_dbfs, -90, 0);
    c.within(&place("in_use_after_s"), room.in_use_after_s as i64, 5, 3600);
    let of = |camera: &Camera| {
        let care = CameraCare { out_of_use: camera.out_of_use.clone(), maintained_until: camera.maintained_until };
        Some((CameraId::new(&camera.id).ok()?, care))
    };
    RoomCare {
        sound_floor_dbfs: room.sound_floor_dbfs as f64,
        talk_dbfs: room.talk_dbfs as f64,
        in_use_alarm: room.in_use_alarm,
        in_use_after_s: room.in_use_after_s,
        preroll_s: if room.preroll_told { recording.preroll_s } else { 0 },
        cameras: room.cameras.iter().filter_map(of).collect(),
    }
}

fn units(c: &mut Checks, units: Vec<Unit>) -> Vec<(UnitId, String)> {
    c.that(!units.is_empty(), "units", || "there is none; write at least one [[units]]".into());
    let mut seen = BTreeSet::new();
    let mut checked = Vec::new();
    for (at, unit) in units.into_iter().enumerate() {
        let place = format!("units[{at}].id");
        c.that(seen.insert(unit.id.clone()), &place, || "is there twice".into());
        if let Some(id) = c.ok(&place, named(UnitId::new(&unit.id))) {
            checked.push((id, unit.name));
        }
    }
    checked
}

fn rooms(c: &mut Checks, rooms: Vec<Room>, units: &[(UnitId, String)], recording: &Recording) -> Vec<RoomSettings> {
    c.that(!rooms.is_empty(), "rooms", || "there is none; write at least one [[rooms]]".into());
    let (mut room_ids, mut camera_ids, mut device_nos) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
    let mut checked = Vec::new();
    for (at, room) in rooms.into_iter().enumerate() {
        let place = format!("rooms[{at}]");
        c.that(room_ids.insert(room.id.clone()), &format!("{place}.id"), || "is there twice".into());
        c.that(room.id.len() <= 40, &format!("{place}.id"), || "is longer than 40 characters".into());
        c.that(!room.cameras.is_empty(), &place, || "has no camera; write at least one [[rooms.cameras]]".into());
        c.that(units.iter().any(|(id, _)| id.as_str() == room.unit), &format!("{place}.unit"), || "there is no such unit".into());
        let preroll_s = if room.preroll_told { recording.preroll_s } else { 0 };
        let mut cameras = Vec::new();
        for (n, camera) in room.cameras.into_iter().enumerate() {
            let place = format!("{place}.cameras[{n}]");
            c.that(camera_ids.insert(camera.id.clone()), &format!("{place}.id"), || "is there twice".into());
            c.that(device_nos.insert(camera.device_no.clone()), &format!("{place}.device_no"), || "is there twice".into());
            cameras.extend(check_camera(c, &place, camera, preroll_s, recording.stall_s));
        }
        let (id, unit) = (c.ok(&format!("{place}.id"), named(RoomId::new(&room.id))), UnitId::new(&room.unit).ok());
        if let (Some(id), Some(unit)) = (id, unit) {
            checked.push(RoomSettings { id, name: room.name, unit, cameras });
        }
    }
    checked
}

fn check_camera(c: &mut Checks, place: &str, camera: Camera, preroll_s: u32, stall_s: u32) -> Option<CameraPlace> {
    let id = c.ok(&format!("{place}.id"), named(CameraId::new(&camera.id)));
    c.that(!camera.id.starts_with(SAVED), &format!("{place}.id"), || {
        format!("begins with {SAVED:?}, as those do that are added at the console")
    });
    let url = check_url(c, &format!("{place}.url"), &camera.url);
    let transport = match camera.transport.as_str() {
        "tcp" => Some(Transport::Tcp),
        "udp" => Some(Transport::Udp),
        _ => c.ok(&format!("{place}.transport"), Err("is unknown; \"tcp\" or \"udp\" would be right")),
    };
    let front = match camera.front.as_str() {
        "retina" => Some(Front::Retina),
        "rtspsrc" => Some(Front::Rtspsrc),
        _ => c.ok(&format!("{place}.front"), Err("is unknown; \"retina\" or \"rtspsrc\" would be right")),
    };
    let password = match (camera.password, camera.password_file) {
        (Some(_), Some(_)) => c.ok(place, Err("password and password_file: give one of them")),
        (Some(password), None) => Some(password),
        (None, Some(file)) => c.ok(&format!("{place}.password_file"), read_password(&file)),
        (None, None) => None,
    };
    c.that(camera.user.is_some() || password.is_none(), place, || "there is a password and no user; give both or none".into());
    c.that(!camera.device_no.trim().is_empty(), &format!("{place}.device_no"), || {
        "is empty; the register's number belongs here (第十七条)".into()
    });
    let tile = camera.tile_url.as_deref().and_then(|url| check_url(c, &format!("{place}.tile_url"), url));
    let capture =
        CameraSettings { id: id?, url: url?, user: camera.user, password, front: front?, transport: transport?, stall_s, preroll_s };
    Some(CameraPlace {
        tile: tile.map(|url| CameraSettings { url, preroll_s: 0, ..capture.clone() }),
        capture,
        name: camera.name,
        device_no: camera.device_no,
    })
}

fn check_url(c: &mut Checks, place: &str, text: &str) -> Option<Url> {
    let right = "rtsp://192.168.10.11:554/stream1 would be right";
    // Never show the text itself: people write passwords into addresses.
    let Ok(url) = Url::parse(text) else { return c.ok(place, Err(format!("is no address; {right}"))) };
    c.that(matches!(url.scheme(), "rtsp" | "rtsps"), place, || format!("does not begin with rtsp:// or rtsps://; {right}"));
    c.that(url.host_str().is_some_and(|h| !h.is_empty()), place, || format!("names no host; {right}"));
    c.that(url.username().is_empty() && url.password().is_none(), place, || {
        "holds a name or password; write them as user and password_file, so that they are never printed".into()
    });
    Some(url)
}

#[cfg(test)]
mod tests {
    use super::*;

    const EXAMPLE: &str = include_str!("../config/shilu.toml");

    #[test]
    fn the_commented_file_is_right_and_equals_the_defaults() {
        let config: Config = toml::from_str(EXAMPLE).unwrap();
        assert_eq!(config.recording, Recording::default());
        assert_eq!(config.console, Console::default());
        assert_eq!(config.custody, Custody::default());
        assert_eq!(config.retention, Retention::default());
        assert_eq!(config.archive, archive::ArchiveFile::default());
        assert_eq!(config.imports, imports::ImportsFile::default());
        assert_eq!(config.lamp, lamp::LampFile::default());
        assert_eq!(config.media, media::MediaFile::default());
        assert_eq!(config.backup, backup::BackupFile::default());
        assert_eq!(config.equipment, equipment::EquipmentFile::default());
        assert_eq!(config.alarms, alarms::AlarmsFile::default());
        let room = &config.rooms[0];
        let said = (room.sound_floor_dbfs, room.talk_dbfs, room.in_use_alarm, room.in_use_after_s);
        assert_eq!(said, (sound_floor_dbfs(), talk_dbfs(), yes(), in_use_after_s()));
        assert_eq!(config.storage.reserve_gb, reserve_gb());
        assert_eq!(config.rules, rules());
        assert!(parse(EXAMPLE).is_ok());
    }

    #[test]
    fn every_option_of_the_code_stands_in_the_commented_file() {
        let source = [
            include_str!("config.rs"),
            include_str!("config/access.rs"),
            include_str!("config/media.rs"),
            include_str!("config/backup.rs"),
            include_str!("config/archive.rs"),
            include_str!("config/equipment.rs"),
            include_str!("config/alarms.rs"),
        ]
        .concat();
        let options = source.lines().filter_map(|l| l.trim().strip_suffix(',')?.split_once(": ")).filter(|(name, kind)| {
            name.bytes().all(|b| b.is_ascii_lowercase() || b == b'_')
                && ["String", "u32", "u64", "i64", "bool", "PathBuf", "Option<"].iter().any(|t| kind.starts_with(t))
        });
        for (name, _) in options.filter(|(name, _)| !["file", "wrong", "reserve_bytes", "certificate", "key", "sso", "mail"].contains(name))
        {
            assert!(EXAMPLE.contains(&format!("{name} = ")), "{name} is not in config/shilu.toml");
        }
    }

    #[test]
    fn every_error_is_told_at_once_with_its_place() {
        let text = EXAMPLE
            .replace("segment_s = 60", "segment_s = 5")
            .replace("unit = \"land-use\"", "unit = \"nobody\"")
            .replace("rtsp://192.168.10.11:554/stream1", "rtsp:///stream1")
            .replace("rtsp://192.168.10.12:554/stream1", "rtsp://admin:geheim@192.168.10.12/")
            .replace("\"XW-102\"", "\"XW-101\"");
        let wrong = parse(&text).err().unwrap();
        for place in
            ["recording.segment_s", "rooms[0].unit", "rooms[0].cameras[0].url", "rooms[0].cameras[1].url", "rooms[0].cameras[1].device_no"]
        {
            assert!(wrong.iter().any(|w| w.starts_with(place)), "{place} in {wrong:#?}");
        }
        assert!(!wrong.join("\n").contains("geheim"), "{wrong:#?}");
    }

    #[test]
    fn a_password_is_in_no_error_of_any_kind() {
        for broken in [
            "password = \"geheim\n",
            "password = \"geheim\"\nbogus = 1",
            "password = [\"geheim\"]",
            "password = \"geheim\"\npassword_file = \"/x\"",
        ] {
            let text = EXAMPLE.replacen("transport = \"tcp\"", broken, 1);
            let wrong = parse(&text).err().unwrap().join("\n");
            assert!(!wrong.contains("geheim"), "{wrong}");
        }
    }
}
