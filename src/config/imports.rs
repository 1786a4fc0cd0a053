//! `[imports]` and `[[devices]]`: watched folders, and portable devices (第十四条).

use crate::config::Checks;
use crate::desks::folders::WatchedFolder;
use crate::desks::imports::{DevicePlace, ImportSettings};
use crate::model::ids::UnitId;
use crate::model::import::DeviceClock;
use serde::Deserialize;
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::Duration;

/// How recordings of portable devices come in.
#[derive(Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct ImportsFile {
    look_s: u64,
    folders: Vec<FolderFile>,
}

impl Default for ImportsFile {
    fn default() -> Self {
        Self { look_s: 10, folders: vec![] }
    }
}

/// A watched folder.
#[derive(Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
struct FolderFile {
    path: PathBuf,
    unit: String,
    device_no: Option<String>,
}

/// A portable device.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct DeviceFile {
    number: String,
    unit: String,
    name: String,
    clock: Option<String>,
}

pub(super) fn check(c: &mut Checks, file: ImportsFile, devices: Vec<DeviceFile>, units: &[(UnitId, String)]) -> ImportSettings {
    c.within("imports.look_s", file.look_s as i64, 1, 3600);
    let known = |unit: &str| units.iter().find(|(id, _)| id.as_str() == unit).map(|(id, _)| id.clone());
    let mut folders = Vec::new();
    for (at, folder) in file.folders.into_iter().enumerate() {
        let place = format!("imports.folders[{at}]");
        c.that(folder.path.is_absolute(), &format!("{place}.path"), || "is relative; write a path that begins with /".into());
        let unit = known(&folder.unit);
        c.that(unit.is_some(), &format!("{place}.unit"), || "there is no such unit".into());
        folders.extend(unit.map(|unit| WatchedFolder { path: folder.path, unit, device_no: folder.device_no }));
    }
    let (mut seen, mut places) = (BTreeSet::new(), Vec::new());
    for (at, device) in devices.into_iter().enumerate() {
        let place = format!("devices[{at}]");
        c.that(!device.number.trim().is_empty(), &format!("{place}.number"), || {
            "is empty; the register's number belongs here (第十七条)".into()
        });
        c.that(seen.insert(device.number.clone()), &format!("{place}.number"), || "is there twice".into());
        let unit = known(&device.unit);
        c.that(unit.is_some(), &format!("{place}.unit"), || "there is no such unit".into());
        let clock = device.clock.as_deref().and_then(DeviceClock::parse);
        c.that(device.clock.is_none() || clock.is_some(), &format!("{place}.clock"), || {
            "is no zone; \"UTC\" or \"+08:00\" would be right".into()
        });
        places.extend(unit.map(|unit| DevicePlace { number: device.number, unit, name: device.name, clock }));
    }
    ImportSettings { devices: places, folders, look: Duration::from_secs(file.look_s) }
}
