//! Watched folders and devices that are mounted there: a file is taken once it has stopped growing, and never twice.

use crate::machine::clock::Due;
use crate::machine::durable;
use crate::model::ids::UnitId;
use crate::model::import::looks_like_footage;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Folders below folders; cameras have three or four.
const DEPTH_MAX: usize = 8;
/// Files that are looked at in a turn.
const FILES_MAX: usize = 20_000;

/// A folder of the configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WatchedFolder {
    /// Where; a device may be mounted there later.
    pub path: PathBuf,
    /// Whose its recordings are.
    pub unit: UnitId,
    /// 执法记录设备编号, where only one device is ever mounted there.
    pub device_no: Option<String>,
}

/// A file that has stopped growing.
#[derive(Debug, Clone)]
pub(super) struct Ready {
    pub path: PathBuf,
    pub unit: UnitId,
    pub device_no: Option<String>,
    pub changed_at: DateTime<Utc>,
    bytes: u64,
}

/// How a file looked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Look {
    bytes: u64,
    changed_ms: i64,
}

/// The folders, what was taken from them, and what grows there.
pub(super) struct Folders {
    folders: Vec<WatchedFolder>,
    every: Duration,
    state: PathBuf,
    taken: BTreeMap<PathBuf, Look>,
    last: BTreeMap<PathBuf, Look>,
    looked: Option<Due>,
}

impl Folders {
    /// `state`: where it is remembered what was taken.
    pub(super) fn open(folders: Vec<WatchedFolder>, every: Duration, state: PathBuf) -> Self {
        let known = durable::read_whole(&state, 64 * 1024 * 1024).ok();
        let taken = known.and_then(|data| serde_json::from_slice(&data).ok()).unwrap_or_default();
        Self { folders, every, state, taken, last: BTreeMap::new(), looked: None }
    }

    /// What looks as it did the last time, and was not taken; nothing before the next look is due.
    pub(super) fn ready(&mut self) -> Vec<Ready> {
        if self.folders.is_empty() || self.looked.is_some_and(|at| at.since() < self.every) {
            return vec![];
        }
        self.looked = Some(Due::now());
        let (mut now, mut ready) = (BTreeMap::new(), Vec::new());
        for folder in &self.folders {
            let mut files = Vec::new();
            files_below(&folder.path, DEPTH_MAX, &mut files);
            for (path, look, changed_at) in files {
                let known = self.taken.get(&path) == Some(&look);
                if !known && self.last.get(&path) == Some(&look) {
                    let (unit, device_no) = (folder.unit.clone(), folder.device_no.clone());
                    ready.push(Ready { path: path.clone(), unit, device_no, changed_at, bytes: look.bytes });
                }
                now.insert(path, look);
            }
        }
        // What is gone needs no memory, as long as its folder is there: a device that is away may come back.
        let is_there = |path: &Path| self.folders.iter().any(|f| path.starts_with(&f.path) && durable::exists(&f.path));
        self.taken.retain(|path, _| now.contains_key(path) || !is_there(path) || path.parent().is_some_and(|p| !durable::exists(p)));
        self.last = now;
        ready
    }

    /// It was taken.
    pub(super) fn taken(&mut self, ready: &Ready) {
        let look = Look { bytes: ready.bytes, changed_ms: ready.changed_at.timestamp_millis() };
        self.taken.insert(ready.path.clone(), look);
        let data = serde_json::to_vec(&self.taken).unwrap_or_default();
        // Forgotten after a crash, it is read again and known by its digest.
        if let Err(fault) = durable::write_whole(&self.state, &data) {
            tracing::warn!(%fault, "what was taken from watched folders is not remembered");
        }
    }
}

/// Recordings below a folder, with their looks. Links are not followed: a device is not trusted to say where to read.
fn files_below(folder: &Path, depth: usize, found: &mut Vec<(PathBuf, Look, DateTime<Utc>)>) {
    for name in durable::names(folder).unwrap_or_default() {
        let path = folder.join(&name);
        let Ok(plain) = durable::plain(&path) else { continue };
        if found.len() >= FILES_MAX {
            return;
        }
        match plain.bytes {
            None if depth > 0 && plain.is_folder && !name.starts_with('.') => files_below(&path, depth - 1, found),
            Some(bytes) if bytes > 0 && looks_like_footage(&name) => {
                let look = Look { bytes, changed_ms: plain.changed_at.timestamp_millis() };
                found.push((path, look, plain.changed_at));
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_taken_when_it_has_stopped_growing_and_never_twice() {
        let dir = tempfile::tempdir().unwrap();
        let (card, state) = (dir.path().join("card/DCIM/100"), dir.path().join("folders.json"));
        let unit = UnitId::new("land").unwrap();
        let watched = vec![WatchedFolder { path: dir.path().join("card"), unit, device_no: None }];
        let open = || Folders::open(watched.clone(), Duration::ZERO, state.clone());
        let mut folders = open();
        assert!(folders.ready().is_empty(), "nothing is mounted");
        durable::make_folder(&card).unwrap();
        durable::write_whole(&card.join("A.MP4"), b"1").unwrap();
        durable::write_whole(&card.join("A.LOG"), b"1").unwrap();
        std::os::unix::fs::symlink("/etc", card.join("else")).unwrap();
        assert!(folders.ready().is_empty(), "seen for the first time");
        durable::write_whole(&card.join("A.MP4"), b"12").unwrap();
        assert!(folders.ready().is_empty(), "it grew");
        let ready = folders.ready();
        assert_eq!(ready.len(), 1);
        folders.taken(&ready[0]);
        assert!(folders.ready().is_empty());
        // Nor after a restart, nor when the card was away.
        let mut folders = open();
        assert!(folders.ready().is_empty() && folders.ready().is_empty());
        std::fs::rename(dir.path().join("card"), dir.path().join("away")).unwrap();
        assert!(folders.ready().is_empty());
        std::fs::rename(dir.path().join("away"), dir.path().join("card")).unwrap();
        assert!(folders.ready().is_empty() && folders.ready().is_empty());
    }
}
