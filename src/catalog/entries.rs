//! The custody log, indexed for reading.

use crate::catalog::bad_doc;
use crate::machine::fault::Fault;
use crate::model::entry::Entry;
use rusqlite::{Connection, OptionalExtension, params};

/// Adds an entry; one that is there stays as it is.
pub fn add(c: &Connection, entry: &Entry) -> Result<(), Fault> {
    let doc = serde_json::to_string(entry).map_err(|e| Fault::of("encode", "a log entry", e))?;
    c.execute(
        "INSERT OR IGNORE INTO entries (number, at, kind, actor, session, doc) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        params![entry.index as i64, entry.at, entry.kind.as_str(), entry.actor, entry.session, doc],
    )?;
    Ok(())
}

/// Adds a text that an entry binds.
pub fn bind(c: &Connection, entry: u64, name: &str, salt: &str, text: &str) -> Result<(), Fault> {
    c.execute(
        "INSERT OR IGNORE INTO bound_texts (entry, name, salt, text) VALUES (?1, ?2, ?3, ?4)",
        params![entry as i64, name, salt, text],
    )?;
    Ok(())
}

/// The index of the newest one.
pub fn last(c: &Connection) -> Result<Option<u64>, Fault> {
    Ok(c.query_row("SELECT max(number) FROM entries", [], |r| r.get::<_, Option<i64>>(0)).optional()?.flatten().map(|n| n as u64))
}

/// Newest first, before an index, of one session or of all; with the actors' names.
pub fn page(c: &Connection, before: Option<u64>, session: Option<&str>, rows_max: u32) -> Result<Vec<(Entry, Option<String>)>, Fault> {
    let mut statement = c.prepare_cached(
        "SELECT doc, accounts.name FROM entries LEFT JOIN accounts ON accounts.id = entries.actor
         WHERE number < ?1 AND (?2 IS NULL OR session = ?2) ORDER BY number DESC LIMIT ?3",
    )?;
    let before = before.map_or(i64::MAX, |n| n as i64);
    let rows = statement.query_map(params![before, session, rows_max], |r| Ok((r.get::<_, String>(0)?, r.get(1)?)))?;
    rows.map(|row| {
        let (doc, name) = row?;
        Ok((serde_json::from_str(&doc).map_err(bad_doc("entries"))?, name))
    })
    .collect()
}
