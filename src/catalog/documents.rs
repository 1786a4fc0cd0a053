//! Documents attached to sessions.

use crate::catalog::archive;
use crate::machine::fault::Fault;
use rusqlite::{Connection, params};

/// A row.
#[derive(Debug, Clone)]
pub struct DocumentRow {
    /// SHA-256 of its content.
    pub sha256: String,
    /// As uploaded.
    pub name: String,
    /// Sniffed.
    pub media_type: String,
    /// Size.
    pub bytes: u64,
    /// Ms since 1970.
    pub at_ms: i64,
    /// The account.
    pub by: String,
}

/// Adds one; the same content twice is one row.
pub fn add(c: &Connection, session: &str, d: &DocumentRow) -> Result<(), Fault> {
    c.execute(
        "INSERT OR IGNORE INTO documents (session, sha256, name, media_type, bytes, at, by_account) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        params![session, d.sha256, d.name, d.media_type, d.bytes as i64, d.at_ms, d.by],
    )?;
    archive::changed(c, session, d.at_ms)
}

/// Those of a session, oldest first, with the name of who attached them.
pub fn of_session(c: &Connection, session: &str) -> Result<Vec<DocumentRow>, Fault> {
    let mut statement = c.prepare_cached(
        "SELECT sha256, documents.name, media_type, bytes, at, coalesce(accounts.name, by_account)
         FROM documents LEFT JOIN accounts ON accounts.id = by_account WHERE session = ?1 ORDER BY at",
    )?;
    let rows = statement.query_map([session], |r| {
        Ok(DocumentRow {
            sha256: r.get(0)?,
            name: r.get(1)?,
            media_type: r.get(2)?,
            bytes: r.get::<_, i64>(3)? as u64,
            at_ms: r.get(4)?,
            by: r.get(5)?,
        })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Forgets those of a session that was given up.
pub fn forget(c: &Connection, session: &str) -> Result<(), Fault> {
    c.execute("DELETE FROM documents WHERE session = ?1", [session])?;
    Ok(())
}
