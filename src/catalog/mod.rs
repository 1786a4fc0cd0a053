//! The index (SQLite): a file an aggregate, rebuildable from the footage tree, never needed to go on recording (promise 7).
//!
//! One writer thread, many readers (WAL, `synchronous=FULL`). Only `acts` opens a writing transaction, through
//! [`Catalog::begin_write`]; `tests/architecture.rs` holds that.

pub mod accounts;
pub mod alarm_messages;
pub mod alarms;
pub mod backup;
pub mod archive;
pub mod cases;
pub mod copies;
pub mod deputations;
pub mod devices;
pub mod disposals;
pub mod documents;
pub mod entries;
pub mod figures;
pub mod figures_viewing;
pub mod imports;
pub mod lacking;
pub mod logins;
pub mod looks;
pub mod media;
pub mod order;
pub mod pairs;
pub mod passkeys;
pub mod plans;
pub mod provisions;
pub mod requests;
pub mod retention;
pub mod screens;
mod search;
pub mod sessions;
pub mod timestamps;
pub mod tokens;
mod upgrade;
pub mod viewings;

use crate::machine::{durable, fault::Fault};
use rusqlite::{Connection, OpenFlags, Transaction, TransactionBehavior};
use rusqlite_migration::{M, Migrations};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::thread;
use std::time::Duration;

/// Schema steps, in order; a step that was released is never changed.
const STEPS: &[M<'static>] = &[
    M::up(include_str!("schema/0001-spine.sql")),
    M::up(include_str!("schema/0002-desk.sql")),
    M::up(include_str!("schema/0003-custody.sql")),
    M::up(include_str!("schema/0004-access.sql")),
    M::up(include_str!("schema/0005-retention.sql")),
    M::up(include_str!("schema/0006-imports.sql")),
    M::up(include_str!("schema/0007-archive.sql")),
    M::up(include_str!("schema/0008-media.sql")),
    M::up(include_str!("schema/0009-archive.sql")),
    M::up(include_str!("schema/0010-check-outs.sql")),
    M::up(include_str!("schema/0011-devices.sql")),
    M::up(include_str!("schema/0012-search.sql")),
    M::up(include_str!("schema/0013-first-passwords.sql")),
    M::up(include_str!("schema/0014-alarms.sql")),
    M::up(include_str!("schema/0015-first-page.sql")),
    M::up(include_str!("schema/0016-taken-in.sql")),
];

/// Counts of lists stop here: a longer list is told as "more than".
pub const COUNT_MAX: u64 = 10_000;

/// How long an end in good order waits for the catalog.
const SETTLES: Duration = Duration::from_secs(10);

/// Readers kept open when idle.
const READERS_KEPT: usize = 4;

impl From<rusqlite::Error> for Fault {
    fn from(e: rusqlite::Error) -> Self {
        Self::of("use", "the catalog", e)
    }
}

/// A transaction that writes; only `acts` begins one.
pub type Writing<'a> = Transaction<'a>;
/// A connection that reads.
pub type Reading = Connection;

type Job = Box<dyn FnOnce(&mut Connection) + Send>;

/// Where a catalog that was opened comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Opened {
    /// It was there, and whole.
    Whole,
    /// It was gone or could not be used, and this backup took its place: what came later is read from the files over it.
    FromBackup(PathBuf),
    /// The same without a backup: accounts, requests and what else is in no file are gone.
    Anew,
}

/// A handle on the catalog.
#[derive(Clone)]
pub struct Catalog {
    jobs: mpsc::Sender<Job>,
    readers: Arc<Mutex<Vec<Connection>>>,
    path: PathBuf,
}

impl Catalog {
    /// Opens or makes the catalog and brings it to the newest schema.
    pub fn open(path: &Path) -> Result<Self, Fault> {
        if let Some(folder) = path.parent() {
            durable::make_folder(folder)?;
        }
        upgrade::before_opening(path, STEPS)?;
        let mut connection = Connection::open(path)?;
        prepare(&connection)?;
        Migrations::from_slice(STEPS)
            .to_latest(&mut connection)
            .map_err(|e| Fault::of("bring to the newest schema", path.display().to_string(), e))?;
        let (jobs, inbox) = mpsc::channel::<Job>();
        let write = move || {
            while let Ok(job) = inbox.recv() {
                job(&mut connection);
            }
        };
        thread::Builder::new().name("catalog-writer".into()).spawn(write).map_err(|e| Fault::of("start", "the catalog's writer", e))?;
        Ok(Self { jobs, readers: Arc::default(), path: path.to_owned() })
    }

    /// The same; what cannot be opened or is corrupt is put aside (never deleted) under a name that ends in `aside`, and the newest of
    /// `backups` that is good takes its place, or a new one is begun. Recording does not wait for an index. `was_there`: there was a
    /// catalog once, so that none is a loss and not a beginning.
    pub fn open_or_begin_anew(path: &Path, aside: &str, backups: &[PathBuf], was_there: bool) -> Result<(Self, Opened), Fault> {
        // A file without a single step of the schema is none either: what it held was in a write-ahead log that is gone.
        let is_there = || backup::schema_of(path).map_or(true, |steps| steps.is_some_and(|n| n > 0));
        if !was_there || is_there() {
            match Self::open(path).and_then(|catalog| catalog.read(check).map(|()| catalog)) {
                Ok(catalog) => return Ok((catalog, Opened::Whole)),
                Err(fault) => tracing::error!(%fault, "the catalog cannot be used; it is put aside"),
            }
        } else {
            tracing::error!("there is no catalog any more");
        }
        put_aside(path, aside)?;
        for backup in backups {
            match Self::from_backup(path, backup) {
                Ok(catalog) => return Ok((catalog, Opened::FromBackup(backup.clone()))),
                Err(fault) => {
                    tracing::error!(%fault, "a backup cannot be used");
                    put_aside(path, &format!("{aside}-backup"))?;
                }
            }
        }
        Ok((Self::open(path)?, Opened::Anew))
    }

    /// Takes a backup as the catalog, where there is none.
    pub fn from_backup(path: &Path, backup: &Path) -> Result<Self, Fault> {
        backup::tried(backup)?;
        durable::copy_whole(backup, path)?;
        let catalog = Self::open(path)?;
        catalog.read(check)?;
        Ok(catalog)
    }

    /// Queues a writing transaction: everything in `work` becomes durable together, or nothing does. `done` hears which, on
    /// the writer's thread. Never waits. For `acts` alone.
    pub fn begin_write<T: 'static>(
        &self,
        work: impl FnOnce(&Transaction<'_>) -> Result<T, Fault> + Send + 'static,
        done: impl FnOnce(Result<T, Fault>) + Send + 'static,
    ) {
        let job: Job = Box::new(move |connection| {
            let run = || {
                let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
                let result = work(&transaction)?;
                transaction.commit()?;
                Ok(result)
            };
            done(run());
        });
        if self.jobs.send(job).is_err() {
            tracing::error!("the catalog's writer has ended");
        }
    }

    /// Works what lies in the write-ahead log into the database itself, so that the file alone is the catalog; for an end in good
    /// order. Waits for what was queued before.
    pub fn settle(&self) -> Result<(), Fault> {
        let (tell, told) = mpsc::channel();
        let job: Job = Box::new(move |connection| {
            let settled = connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()));
            let _ = tell.send(settled.map_err(Fault::from));
        });
        let late = "its writer has ended, or has no time";
        self.jobs.send(job).map_err(|_| Fault::of("settle", "the catalog", late))?;
        told.recv_timeout(SETTLES).map_err(|_| Fault::of("settle", "the catalog", late))?
    }

    /// Reads, on the caller's thread.
    pub fn read<T>(&self, work: impl FnOnce(&Connection) -> Result<T, Fault>) -> Result<T, Fault> {
        let kept = self.readers.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let connection = if let Some(connection) = kept {
            connection
        } else {
            let connection = Connection::open_with_flags(&self.path, OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
            connection.busy_timeout(Duration::from_secs(5))?;
            order::teach(&connection)?;
            connection
        };
        let result = work(&connection);
        let mut readers = self.readers.lock().unwrap_or_else(PoisonError::into_inner);
        if readers.len() < READERS_KEPT {
            readers.push(connection);
        }
        result
    }
}

/// Gives a catalog and what belongs to it another name.
pub fn put_aside(path: &Path, aside: &str) -> Result<(), Fault> {
    for tail in ["", "-wal", "-shm"] {
        let with = |end: &str| path.with_file_name(format!("{}{tail}{end}", path.file_name().unwrap_or_default().display()));
        if durable::exists(&with("")) {
            durable::rename(&with(""), &with(aside))?;
        }
    }
    Ok(())
}

fn check(connection: &Connection) -> Result<(), Fault> {
    let said: String = connection.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))?;
    if said == "ok" { Ok(()) } else { Err(Fault::of("use", "the catalog", said)) }
}

fn prepare(connection: &Connection) -> Result<(), Fault> {
    connection.busy_timeout(Duration::from_secs(5))?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "foreign_keys", "ON")?;
    connection.pragma_update(None, "trusted_schema", "OFF")?;
    Ok(())
}

/// A JSON column that cannot be read back.
fn bad_doc(table: &'static str) -> impl Fn(serde_json::Error) -> Fault {
    move |e| Fault::of("read a row of", table, e)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A catalog in memory's stead: a file in a folder that goes away.
    pub(crate) fn connection() -> Connection {
        let mut connection = Connection::open_in_memory().unwrap();
        connection.pragma_update(None, "foreign_keys", "ON").unwrap();
        order::teach(&connection).unwrap();
        Migrations::from_slice(STEPS).to_latest(&mut connection).unwrap();
        connection
    }

    #[test]
    fn every_schema_step_applies_and_the_log_index_refuses_changes() {
        let c = connection();
        c.execute("INSERT INTO entries (number, at, kind, doc) VALUES (0, 'x', 'log_opened', '{}')", []).unwrap();
        assert!(c.execute("UPDATE entries SET kind = 'x'", []).is_err());
        assert!(c.execute("DELETE FROM entries", []).is_err());
    }

    /// `schema.sql` is the schema as a person reads it: the steps, all gone through. After a new step, `SHILU_UPDATE=1 cargo test
    /// schema_sql` writes it anew.
    #[test]
    fn schema_sql_is_what_the_steps_make() {
        let c = connection();
        let own = "SELECT sql || ';' FROM sqlite_schema WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite_%' AND name NOT LIKE '%\\_search\\_%' ESCAPE '\\'
             ORDER BY tbl_name, CASE type WHEN 'table' THEN 0 WHEN 'index' THEN 1 ELSE 2 END, name";
        let all: Vec<String> = c.prepare(own).unwrap().query_map([], |r| r.get(0)).unwrap().map(Result::unwrap).collect();
        let head = "-- The whole schema of the catalog, as the steps beside schema/ make it: to be read, never run. A test holds the two equal.\n\n";
        let whole = format!("{head}{}\n", all.join("\n\n"));
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/src/catalog/schema.sql");
        if std::env::var_os("SHILU_UPDATE").is_some() {
            std::fs::write(path, &whole).unwrap();
        }
        assert!(std::fs::read_to_string(path).unwrap() == whole, "SHILU_UPDATE=1 cargo test schema_sql writes it anew");
    }

    #[test]
    fn a_catalog_that_is_opened_twice_keeps_what_was_written() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("catalog.db");
        let catalog = Catalog::open(&path).unwrap();
        let (tx, rx) = mpsc::channel();
        catalog.begin_write(
            |t| Ok(t.execute("INSERT INTO entries (number, at, kind, doc) VALUES (0, 'x', 'log_opened', '{}')", [])?),
            move |r| tx.send(r).unwrap(),
        );
        assert_eq!(rx.recv().unwrap().unwrap(), 1);
        let again = Catalog::open(&path).unwrap();
        let count: i64 = again.read(|c| Ok(c.query_row("SELECT count(*) FROM entries", [], |r| r.get(0))?)).unwrap();
        assert_eq!(count, 1);
    }

    #[test]
    fn a_file_that_lost_what_it_held_counts_as_lost_and_a_backup_takes_its_place() {
        let dir = tempfile::tempdir().unwrap();
        let (path, good) = (dir.path().join("catalog.db"), dir.path().join("good.db"));
        let (tx, rx) = mpsc::channel();
        let first = Catalog::open(&path).unwrap();
        first.begin_write(
            |t| Ok(t.execute("INSERT INTO entries (number, at, kind, doc) VALUES (0, 'x', 'log_opened', '{}')", [])?),
            move |r| tx.send(r).unwrap(),
        );
        rx.recv().unwrap().unwrap();
        backup::make(&path, &good).unwrap();
        let hollow = dir.path().join("hollow.db");
        prepare(&Connection::open(&hollow).unwrap()).unwrap();
        let opened = |was_there| Catalog::open_or_begin_anew(&hollow, ".broken", std::slice::from_ref(&good), was_there).unwrap();
        let (catalog, from) = opened(true);
        assert_eq!(from, Opened::FromBackup(good.clone()));
        assert_eq!(catalog.read(|c| Ok(c.query_row("SELECT count(*) FROM entries", [], |r| r.get::<_, i64>(0))?)).unwrap(), 1);
        assert!(dir.path().join("hollow.db.broken").exists(), "kept aside");
        // What was never there is begun.
        std::fs::remove_file(&hollow).unwrap();
        assert_eq!(opened(false).1, Opened::Whole);
    }
}
