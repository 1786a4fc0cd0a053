//! Links to room screens.

use crate::machine::fault::Fault;
use crate::model::status::ScreenRow;
use rusqlite::{Connection, OptionalExtension, Row, params};

fn row(r: &Row<'_>) -> rusqlite::Result<ScreenRow> {
    Ok(ScreenRow { id: r.get(0)?, room: r.get(1)?, made_at: r.get(2)?, made_by: r.get(3)?, ended_at: r.get(4)? })
}

const COLUMNS: &str = "id, room, made_at, made_by, ended_at";

/// Adds one.
pub fn add(c: &Connection, s: &ScreenRow, token_sha256: &str) -> Result<(), Fault> {
    c.execute(
        "INSERT INTO screens (id, room, token_sha256, made_at, made_by) VALUES (?1, ?2, ?3, ?4, ?5)",
        params![s.id, s.room, token_sha256, s.made_at, s.made_by],
    )?;
    Ok(())
}

/// Ends one.
pub fn end(c: &Connection, id: &str, at_ms: i64) -> Result<(), Fault> {
    c.execute("UPDATE screens SET ended_at = ?2 WHERE id = ?1 AND ended_at IS NULL", params![id, at_ms])?;
    Ok(())
}

/// All, newest first.
pub fn all(c: &Connection) -> Result<Vec<ScreenRow>, Fault> {
    let mut statement = c.prepare_cached(&format!("SELECT {COLUMNS} FROM screens ORDER BY made_at DESC LIMIT 500"))?;
    Ok(statement.query_map([], row)?.collect::<Result<_, _>>()?)
}

/// The one that holds and has a token of this digest.
pub fn by_token(c: &Connection, token_sha256: &str) -> Result<Option<ScreenRow>, Fault> {
    let mut statement = c.prepare_cached(&format!("SELECT {COLUMNS} FROM screens WHERE token_sha256 = ?1 AND ended_at IS NULL"))?;
    Ok(statement.query_row([token_sha256], row).optional()?)
}
