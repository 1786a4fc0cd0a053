//! Backups of the catalog: made every so often by a process of the lowest priority, restored on trial, rotated. One that failed is seen
//! on the status page and in the figures. What is in one: `catalog::backup`.

use crate::catalog::backup::Made;
use crate::desks::{Answer, Desks, blocking};
use crate::machine::worker::Worker;
use crate::machine::{durable, fault::Fault};
use crate::model::backup::{Keep, staying};
use crate::model::entry::{Draft, EntryKind};
use chrono::{DateTime, NaiveDateTime, TimeDelta, Utc};
use serde_json::json;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

/// The hidden subcommand that makes them.
const MAKER: &str = "make-backup";
/// The largest description of one.
const DESCRIPTION_BYTES_MAX: u64 = 1024 * 1024;

/// How backups are made.
#[derive(Debug, Clone)]
pub struct BackupSettings {
    /// Where they lie.
    pub folder: PathBuf,
    /// It lies elsewhere than the data: it is not made, so that nothing is written beside a volume that is away.
    pub elsewhere: bool,
    /// Hours from one to the next.
    pub every_h: i64,
    /// How many stay.
    pub keep: Keep,
}

/// How backups stand.
#[derive(Debug, Clone, Default)]
pub struct BackupStanding {
    /// When the last good one was made.
    pub last: Option<DateTime<Utc>>,
    /// Its length.
    pub bytes: u64,
    /// Why the last try failed.
    pub trouble: Option<String>,
}

/// What the desk remembers of them.
#[derive(Default)]
pub(crate) struct Backups {
    standing: Mutex<BackupStanding>,
    turn: tokio::sync::Mutex<()>,
}

impl Backups {
    fn with<T>(&self, work: impl FnOnce(&mut BackupStanding) -> T) -> T {
        work(&mut self.standing.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// The backups of a folder, newest first. Databases from before an upgrade are none of them: they are never rotated.
pub fn all(folder: &Path) -> Result<Vec<(DateTime<Utc>, PathBuf)>, Fault> {
    let made_at = |name: &str| {
        let stamp = name.strip_prefix("catalog-")?.strip_suffix(".db")?;
        NaiveDateTime::parse_from_str(stamp, "%Y%m%dT%H%M%SZ").ok().map(|at| at.and_utc())
    };
    let names = durable::names(folder)?;
    let mut found: Vec<_> = names.iter().filter_map(|name| Some((made_at(name)?, folder.join(name)))).collect();
    found.sort_unstable_by(|a, b| b.cmp(a));
    Ok(found)
}

/// The name of one that is made now.
pub fn name(at: DateTime<Utc>) -> String {
    format!("catalog-{}.db", at.format("%Y%m%dT%H%M%SZ"))
}

/// Where it is said what is in one.
pub fn description(backup: &Path) -> PathBuf {
    backup.with_extension("json")
}

/// Writes down what is in one.
pub fn describe(backup: &Path, made: &Made) -> Result<(), Fault> {
    let data = serde_json::to_vec_pretty(made).map_err(|e| Fault::of("encode", "a backup's description", e))?;
    durable::write_whole(&description(backup), &data)
}

/// What was written down of one; none where nothing was.
pub fn described(backup: &Path) -> Option<Made> {
    serde_json::from_slice(&durable::read_whole(&description(backup), DESCRIPTION_BYTES_MAX).ok()?).ok()
}

/// The log entry of one.
pub fn entry(made: &Made, backup: &Path) -> Draft {
    let file = backup.file_name().unwrap_or_default().display().to_string();
    Draft::new(EntryKind::BackupMade)
        .about("file", file)
        .about("sha256", &made.sha256)
        .about("bytes", made.bytes)
        .about("entries", made.holding.entries())
}

impl Desks {
    /// Makes one where the last is old enough; never fails, what went wrong is seen.
    pub async fn back_up_when_due(&self) {
        let Ok(_turn) = self.backups.turn.try_lock() else { return };
        let settings = self.settings.backup.clone();
        let now = self.now().utc;
        let folder = settings.folder.clone();
        let newest = blocking("looking for backups", move || all(&folder)).await;
        let newest = newest.and_then(|found| Ok(found?)).unwrap_or_default().first().cloned();
        let due = newest.as_ref().is_none_or(|(at, _)| now - *at >= TimeDelta::hours(settings.every_h) || *at > now);
        if let (Some((at, path)), false) = (&newest, due) {
            let bytes = durable::length(path).unwrap_or(0);
            self.backups.with(|s| *s = BackupStanding { last: Some(*at), bytes, trouble: s.trouble.take() });
            return;
        }
        match self.back_up(now).await {
            Ok(made) => self.backups.with(|s| *s = BackupStanding { last: Some(now), bytes: made.bytes, trouble: None }),
            Err(no) => {
                let why = no.to_string();
                tracing::error!("the catalog is not backed up: {why}");
                let is_new = self.backups.with(|s| s.trouble.replace(why.clone()).as_ref() != Some(&why));
                if is_new {
                    self.acts.do_and_log(Draft::new(EntryKind::BackupFailed).text("what", Some(&why)), |_| Ok(()));
                }
            }
        }
    }

    async fn back_up(&self, now: DateTime<Utc>) -> Answer<Made> {
        let settings = self.settings.backup.clone();
        let catalog = self.settings.data.join("catalog.db");
        let made = blocking("a backup", move || {
            if !settings.elsewhere {
                durable::make_folder(&settings.folder)?;
            } else if !durable::exists(&settings.folder) {
                let why = "it is not there; is its volume mounted?";
                return Err(Fault::of("write to", settings.folder.display().to_string(), why));
            }
            let to = settings.folder.join(name(now));
            let made = made_by_worker(&catalog, &to)?;
            describe(&to, &made)?;
            rotate(&settings)?;
            Ok((to, made))
        });
        let (to, made) = made.await??;
        self.acts.do_and_log(entry(&made, &to), |_| Ok(()));
        Ok(made)
    }

    /// How backups stand.
    pub fn backup_standing(&self) -> BackupStanding {
        self.backups.with(|s| s.clone())
    }

    /// What is wrong with them, for the status page.
    pub(super) fn backup_fault(&self) -> Option<String> {
        self.backup_standing().trouble.map(|why| format!("backup of the catalog: {why}"))
    }

    /// Their figures for Prometheus.
    pub(super) fn backup_metrics(&self, text: &mut String) {
        use std::fmt::Write;
        let standing = self.backup_standing();
        let age = standing.last.map(|at| (self.now().utc - at).num_seconds());
        let _ = writeln!(text, "# HELP shilu_backup_failed The last backup of the catalog failed.\n# TYPE shilu_backup_failed gauge");
        let _ = writeln!(text, "shilu_backup_failed {}", u8::from(standing.trouble.is_some()));
        let _ = writeln!(text, "# HELP shilu_backup_age_seconds Age of the last good backup.\n# TYPE shilu_backup_age_seconds gauge");
        if let Some(age) = age {
            let _ = writeln!(text, "shilu_backup_age_seconds {age}");
        }
        let _ = writeln!(text, "# HELP shilu_backup_bytes Length of the last good backup.\n# TYPE shilu_backup_bytes gauge");
        let _ = writeln!(text, "shilu_backup_bytes {}", standing.bytes);
    }
}

fn made_by_worker(catalog: &Path, to: &Path) -> Result<Made, Fault> {
    let work = serde_json::to_vec(&json!({ "catalog": catalog, "to": to })).map_err(|e| Fault::of("encode", "a backup's work", e))?;
    let mut worker = Worker::start(MAKER, &work)?;
    let mut said = Err("its maker was ended".to_owned());
    while let Some(line) = worker.line() {
        match line.split_once(' ') {
            Some(("made", made)) => said = serde_json::from_str(made).map_err(|e| e.to_string()),
            Some(("failed", why)) => said = Err(why.to_owned()),
            _ => {}
        }
    }
    worker.ended()?;
    said.map_err(|why| Fault::of("make", "a backup", why))
}

/// Lets go of those that need not stay.
fn rotate(settings: &BackupSettings) -> Result<(), Fault> {
    let found = all(&settings.folder)?;
    let stay = staying(&found.iter().map(|(at, _)| *at).collect::<Vec<_>>(), settings.keep);
    for (_, path) in found.iter().filter(|(at, _)| !stay.contains(at)) {
        durable::remove_marker(path)?;
        durable::remove_marker(&description(path))?;
    }
    Ok(())
}
