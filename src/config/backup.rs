//! `[backup]`: backups of the catalog.

use crate::config::Checks;
use crate::desks::backups::BackupSettings;
use crate::model::backup::Keep;
use serde::Deserialize;
use std::path::{Path, PathBuf};

/// Where backups lie, and how many.
#[derive(Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct BackupFile {
    folder: Option<PathBuf>,
    every_h: i64,
    hourly: u32,
    daily: u32,
    monthly: u32,
}

impl Default for BackupFile {
    fn default() -> Self {
        Self { folder: None, every_h: 1, hourly: 24, daily: 14, monthly: 12 }
    }
}

pub(super) fn check(c: &mut Checks, file: BackupFile, data: &Path) -> BackupSettings {
    if let Some(folder) = &file.folder {
        c.that(folder.is_absolute(), "backup.folder", || "is relative; write a path that begins with /".into());
    }
    c.within("backup.every_h", file.every_h, 1, 168);
    c.within("backup.hourly", i64::from(file.hourly), 1, 1000);
    c.within("backup.daily", i64::from(file.daily), 0, 1000);
    c.within("backup.monthly", i64::from(file.monthly), 0, 1000);
    BackupSettings {
        elsewhere: file.folder.is_some(),
        folder: file.folder.unwrap_or_else(|| data.join("backups")),
        every_h: file.every_h,
        keep: Keep { hourly: file.hourly as usize, daily: file.daily as usize, monthly: file.monthly as usize },
    }
}
