//! Which files have a timestamp from outside, which wait for one, and how long each is good for.

use crate::catalog::archive;
use crate::machine::fault::Fault;
use rusqlite::{Connection, params};

/// A file that gets timestamps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stamped {
    /// `footage` or `log`.
    pub root: String,
    /// Below it.
    pub path: String,
    /// Since when it waits, ms since 1970.
    pub since: i64,
    /// How many tokens it has.
    pub tokens: u32,
}

/// A file that is to be stamped; one that is known stays as it is.
pub fn want(c: &Connection, root: &str, path: &str, since: i64) -> Result<(), Fault> {
    let mut insert = c.prepare_cached("INSERT OR IGNORE INTO timestamps (root, path, since) VALUES (?1, ?2, ?3)")?;
    insert.execute(params![root, path, since])?;
    Ok(())
}

/// Those that wait for their first token, oldest first, then those whose last one ends before `until` (ms since 1970).
pub fn due(c: &Connection, until: i64, rows_max: u32) -> Result<Vec<Stamped>, Fault> {
    let mut statement = c.prepare_cached(
        "SELECT root, path, since, tokens FROM timestamps WHERE good_until IS NULL OR good_until < ?1
         ORDER BY good_until IS NOT NULL, since LIMIT ?2",
    )?;
    let rows = statement.query_map(params![until, rows_max], |r| {
        Ok(Stamped { root: r.get(0)?, path: r.get(1)?, since: r.get(2)?, tokens: r.get::<_, i64>(3)? as u32 })
    })?;
    rows.map(|row| Ok(row?)).collect()
}

/// A file that is no longer there.
pub fn forget(c: &Connection, root: &str, path: &str) -> Result<(), Fault> {
    c.prepare_cached("DELETE FROM timestamps WHERE root = ?1 AND path = ?2")?.execute(params![root, path])?;
    Ok(())
}

/// How many wait for their first token, and since when the oldest does.
pub fn waiting(c: &Connection) -> Result<(u64, Option<i64>), Fault> {
    let count = "SELECT count(*), min(since) FROM timestamps WHERE good_until IS NULL";
    Ok(c.query_row(count, [], |r| Ok((r.get::<_, i64>(0)? as u64, r.get(1)?)))?)
}

/// A file has so many tokens; the last was made at `at`, and is good until `good_until`.
pub fn stamped(c: &Connection, root: &str, path: &str, tokens: u32, (at, good_until): (i64, i64)) -> Result<(), Fault> {
    let set = "UPDATE timestamps SET tokens = ?3, made_at = coalesce(made_at, ?4), good_until = ?5 WHERE root = ?1 AND path = ?2";
    c.prepare_cached(set)?.execute(params![root, path, tokens, at, good_until])?;
    // The token lies beside the manifest, in the session's folder.
    let session = path.rsplit('/').nth(1).filter(|_| root == "footage").unwrap_or_default();
    archive::changed(c, session, at)
}
