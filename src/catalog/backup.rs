//! Backups of the catalog: made while it is written to, restored on trial before they count, and put back.
//!
//! What a backup brings back that no file tells: accounts with their factors and tokens, requests and their decisions, deputies,
//! logins, plans, screens, the names of attached documents, and the texts that log entries bind. Keys are not in it.

use crate::catalog::check;
use crate::machine::{durable, fault::Fault, volume};
use rusqlite::{Connection, OpenFlags, OptionalExtension};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::Path;

/// What a database holds, as a trial of it found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holding {
    /// Steps of its schema.
    pub schema: i64,
    /// Rows of each table.
    pub rows: BTreeMap<String, u64>,
    /// The newest log that it knows, and how many of its entries: how far it goes.
    pub log: Option<(String, u64)>,
}

impl Holding {
    /// Entries of all logs.
    pub fn entries(&self) -> u64 {
        self.rows.get("entries").copied().unwrap_or(0)
    }

    /// Whether it holds nothing that anyone made.
    pub fn is_empty(&self) -> bool {
        self.rows.values().all(|rows| *rows == 0)
    }
}

/// A backup that was tried.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Made {
    /// Its length.
    pub bytes: u64,
    /// Its SHA-256.
    pub sha256: String,
    /// What is in it.
    pub holding: Holding,
}

/// Makes a backup under a new name, and tries it: it is opened, every page is checked, its rows are counted. Only then it has its name.
/// The catalog goes on being written to meanwhile; the backup is the state of one moment.
pub fn make(catalog: &Path, to: &Path) -> Result<Made, Fault> {
    if durable::exists(to) {
        return Err(Fault::of("write", to.display().to_string(), "there is a file of that name"));
    }
    let part = to.with_extension("part");
    durable::remove_marker(&part)?;
    let before = holding(&reading(catalog)?)?;
    copy(catalog, &part)?;
    let made = tried(&part)?;
    // A log only grows: a backup that knows less of it than its catalog knew before is no copy of that.
    if made.holding.entries() < before.entries() || made.holding.schema != before.schema {
        return Err(Fault::of("back up", catalog.display().to_string(), "what was written is not what is there"));
    }
    durable::rename(&part, to)?;
    Ok(made)
}

/// Writes a database as it is now under another name: durable, and not yet tried.
pub fn copy(from: &Path, to: &Path) -> Result<(), Fault> {
    // SQLite takes an empty file, and would make one that everybody reads.
    drop(durable::Appending::create(to)?);
    // Not the stepwise way, which never ends while another connection writes.
    reading(from)?.execute("VACUUM INTO ?1", [to.display().to_string()])?;
    durable::sync_file(to)
}

/// Restores a backup on trial: opens it, checks every page, and counts.
pub fn tried(backup: &Path) -> Result<Made, Fault> {
    let c = reading(backup)?;
    let said: String = c.query_row("PRAGMA integrity_check(1)", [], |r| r.get(0))?;
    if said != "ok" {
        return Err(Fault::of("use", backup.display().to_string(), said));
    }
    let holding = holding(&c)?;
    drop(c);
    let (bytes, sha256) = volume::digest(backup)?;
    Ok(Made { bytes, sha256, holding })
}

/// What a database holds.
pub fn holding_of(path: &Path) -> Result<Holding, Fault> {
    holding(&reading(path)?)
}

/// How many steps of the schema a database has; none where there is no database.
pub fn schema_of(path: &Path) -> Result<Option<i64>, Fault> {
    if !durable::exists(path) || durable::length(path)? == 0 {
        return Ok(None);
    }
    Ok(Some(reading(path)?.query_row("PRAGMA user_version", [], |r| r.get(0))?))
}

/// Whether a database can be read: every page is where it belongs. None at all is sound too.
pub fn sound(path: &Path) -> Result<(), Fault> {
    match schema_of(path)? {
        Some(_) => check(&reading(path)?),
        None => Ok(()),
    }
}

fn reading(path: &Path) -> Result<Connection, Fault> {
    let c = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX)
        .map_err(|e| Fault::of("open", path.display().to_string(), e))?;
    c.busy_timeout(std::time::Duration::from_secs(10))?;
    Ok(c)
}

fn holding(c: &Connection) -> Result<Holding, Fault> {
    let schema = c.query_row("PRAGMA user_version", [], |r| r.get(0))?;
    // What the search index keeps in tables of its own follows from the others.
    let mut names = c.prepare(
        "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%' AND name NOT LIKE '%\\_search%' ESCAPE '\\' ORDER BY name",
    )?;
    let names: Vec<String> = names.query_map([], |r| r.get(0))?.collect::<Result<_, _>>()?;
    let mut rows = BTreeMap::new();
    for name in &names {
        let count: i64 = c.query_row(&format!("SELECT count(*) FROM \"{name}\""), [], |r| r.get(0))?;
        rows.insert(name.clone(), count as u64);
    }
    let log = if names.iter().any(|n| n == "logs") {
        let newest = "SELECT origin, (SELECT coalesce(max(number) + 1, 0) FROM entries) - base FROM logs ORDER BY base DESC LIMIT 1";
        c.query_row(newest, [], |r| Ok((r.get(0)?, r.get::<_, i64>(1)?.max(0) as u64))).optional()?
    } else {
        None
    };
    Ok(Holding { schema, rows, log })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::Catalog;

    #[test]
    fn a_backup_is_made_while_the_catalog_is_written_to_and_one_that_lost_a_bit_is_told() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("catalog.db");
        let catalog = Catalog::open(&path).unwrap();
        let (tx, rx) = std::sync::mpsc::channel();
        for n in 0..2000 {
            let tx = tx.clone();
            let put = move |t: &crate::catalog::Writing<'_>| {
                Ok(t.execute("INSERT INTO entries (number, at, kind, doc) VALUES (?1, 'x', 'log_opened', '{}')", [n])?)
            };
            catalog.begin_write(put, move |r| tx.send(r.is_ok()).unwrap());
        }
        for _ in 0..100 {
            assert!(rx.recv().unwrap());
        }
        let to = dir.path().join("backup.db");
        let made = make(&path, &to).unwrap();
        assert!((100..=2000).contains(&made.holding.entries()));
        assert!(make(&path, &to).is_err(), "nothing is overwritten");
        let mut data = std::fs::read(&to).unwrap();
        let at = data.len() - 4096 * 2 + 5;
        data[at..at + 40].fill(0xFF);
        std::fs::write(&to, data).unwrap();
        assert!(tried(&to).map_or(true, |now| now.sha256 != made.sha256));
    }
}
