//! When somebody last looked at a list, so that what came since is new to them.

use crate::machine::fault::Fault;
use chrono::{DateTime, Utc};
use rusqlite::{Connection, OptionalExtension, params};

/// They look now.
pub fn note(c: &Connection, account: &str, list: &str, at_ms: i64) -> Result<(), Fault> {
    let text =
        "INSERT INTO looks (account, list, at) VALUES (?1, ?2, ?3) ON CONFLICT (account, list) DO UPDATE SET at = max(at, excluded.at)";
    c.prepare_cached(text)?.execute(params![account, list, at_ms])?;
    Ok(())
}

/// When they last did.
pub fn last(c: &Connection, account: &str, list: &str) -> Result<Option<DateTime<Utc>>, Fault> {
    let mut statement = c.prepare_cached("SELECT at FROM looks WHERE account = ?1 AND list = ?2")?;
    let at: Option<i64> = statement.query_row([account, list], |r| r.get(0)).optional()?;
    Ok(at.and_then(DateTime::from_timestamp_millis))
}
