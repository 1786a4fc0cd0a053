//! Where a session's folder lies, and finding all of them.

use crate::machine::{durable, fault::Fault};
use crate::model::ids::{CameraId, RoomId, SessionId};
use crate::model::session::Start;
use crate::model::{time, words};
use chrono::{DateTime, Utc};
use std::path::{Path, PathBuf};

/// The name of the journal in a session's folder.
pub const JOURNAL: &str = "journal.jsonl";
/// The name of the manifest.
pub const MANIFEST: &str = crate::model::manifest::FILE;
/// The name of its signature: 64 raw bytes (RFC 8032), as `openssl pkeyutl -verify -rawin` takes it.
pub const SIGNATURE: &str = "session.json.sig";
/// The name of the signer's public key.
pub const SIGNER: &str = "signer.pem";
/// The name of the manifest of a seal in the middle of a session.
pub fn interim_name(number: u32) -> String {
    format!("interim-{number}.json")
}
/// The name of what stays of a session that was given up.
pub const TOMBSTONE: &str = "disposed.json";
/// The name of its signature.
pub const TOMBSTONE_SIGNATURE: &str = "disposed.json.sig";
/// Beside a session whose footage lies in the archive alone: since when.
pub const RELEASED: &str = "released.json";
/// The folder of attached documents.
pub const DOCUMENTS: &str = "documents";

/// The folder of a session that starts now. The case is the one known at the start: a later link does not move footage.
pub fn session_folder(root: &Path, start: &Start, at: DateTime<Utc>) -> PathBuf {
    let date = at.with_timezone(&time::shanghai()).format("%Y-%m-%d").to_string();
    let case = start.facts.case_no.as_deref().map_or_else(|| "unlinked".into(), words::folder_name);
    root.join(start.unit.as_str()).join(start.room.as_str()).join(date).join(case).join(start.id.as_str())
}

/// Whether a session of this number already lies in the tree, whatever its unit and case.
pub fn is_taken(root: &Path, room: &RoomId, at: DateTime<Utc>, id: &SessionId) -> bool {
    let date = at.with_timezone(&time::shanghai()).format("%Y-%m-%d").to_string();
    let names = |folder: &Path| durable::names(folder).unwrap_or_default();
    names(root).iter().any(|unit| {
        let day = root.join(unit).join(room.as_str()).join(&date);
        names(&day).iter().any(|case| durable::exists(&day.join(case).join(id.as_str())))
    })
}

/// The name of a camera's segment: UTC with milliseconds, so that a stepped clock or daylight saving cannot make two alike
/// in one session without their sequence telling them apart.
pub fn segment_name(camera: &CameraId, sequence: u32, at: DateTime<Utc>) -> String {
    format!("{camera}-{}-{sequence:04}.mp4", at.format("%Y%m%dT%H%M%S%3fZ"))
}

/// The name of a file that was taken in: the same, with the ending of what it is.
pub fn imported_name(camera: &CameraId, ending: &str, at: DateTime<Utc>) -> String {
    format!("{camera}-{}-0001.{ending}", at.format("%Y%m%dT%H%M%S%3fZ"))
}

/// Every session folder under a root, in the order of the tree. A folder without a journal is none.
pub fn sessions(root: &Path) -> Result<Vec<(SessionId, PathBuf)>, Fault> {
    folders_with(root, JOURNAL)
}

/// Every folder whose session was given up.
pub fn disposed(root: &Path) -> Result<Vec<(SessionId, PathBuf)>, Fault> {
    folders_with(root, TOMBSTONE)
}

fn folders_with(root: &Path, file: &str) -> Result<Vec<(SessionId, PathBuf)>, Fault> {
    let mut level = vec![root.to_owned()];
    for _ in ["unit", "room", "date", "case", "session"] {
        let mut below = Vec::new();
        for folder in level {
            below.extend(durable::names(&folder)?.into_iter().map(|name| folder.join(name)).filter(|p| p.is_dir()));
        }
        level = below;
    }
    let named = |folder: PathBuf| {
        let id = SessionId::new(folder.file_name()?.to_str()?).ok()?;
        durable::exists(&folder.join(file)).then_some((id, folder))
    };
    Ok(level.into_iter().filter_map(named).collect())
}
