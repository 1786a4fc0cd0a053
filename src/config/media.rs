//! `[media]`: discs and removable disks (第十九条).

use crate::config::Checks;
use crate::desks::media::MediaSettings;
use serde::Deserialize;
use std::path::PathBuf;

/// Where media are written, and how.
#[derive(Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct MediaFile {
    drive: String,
    removable: Vec<PathBuf>,
    parity_percent: u64,
    check_months: u32,
}

impl Default for MediaFile {
    fn default() -> Self {
        Self { drive: "/dev/sr0".into(), removable: vec![], parity_percent: 10, check_months: 12 }
    }
}

pub(super) fn check(c: &mut Checks, file: MediaFile) -> MediaSettings {
    let path = file.drive.strip_prefix("stdio:").unwrap_or(&file.drive);
    c.that(path.starts_with('/') && !path.contains(['\'', '\n']), "media.drive", || "is no device; /dev/sr0 would be right".into());
    for folder in &file.removable {
        c.that(folder.is_absolute(), "media.removable", || "holds what is relative; write paths that begin with /".into());
    }
    c.within("media.parity_percent", file.parity_percent as i64, 1, 50);
    c.within("media.check_months", i64::from(file.check_months), 1, 60);
    MediaSettings { drive: file.drive, removable: file.removable, parity_percent: file.parity_percent, check_months: file.check_months }
}
