//! The viewing log (调用登记).

use crate::machine::fault::Fault;
use crate::model::access::Grant;
use crate::model::ids::ViewingId;
use rusqlite::{Connection, params};

/// A viewing began.
pub fn open(c: &Connection, id: &ViewingId, grant: &Grant, address: Option<&str>, at_ms: i64) -> Result<(), Fault> {
    c.execute(
        "INSERT INTO viewings (id, account, session, request, opened_at, address) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        params![id.as_str(), grant.person().as_str(), grant.session().as_str(), grant.request().as_str(), at_ms, address],
    )?;
    Ok(())
}

/// A viewing ended after this many seconds of picture.
pub fn close(c: &Connection, id: &ViewingId, seconds: u64, at_ms: i64) -> Result<(), Fault> {
    c.execute("UPDATE viewings SET closed_at = ?2, seconds = ?3 WHERE id = ?1", params![id.as_str(), at_ms, seconds as i64])?;
    Ok(())
}

/// A viewing as it is listed.
#[derive(Debug, Clone)]
pub struct ViewingRow {
    /// Its number.
    pub id: String,
    /// Who looked.
    pub account: String,
    /// Their name.
    pub name: String,
    /// At which session.
    pub session: String,
    /// Under which request.
    pub request: String,
    /// Ms since 1970.
    pub opened_at: i64,
    /// The same; none while it is open.
    pub closed_at: Option<i64>,
    /// Seconds of picture that were shown.
    pub seconds: u64,
    /// Where from.
    pub address: Option<String>,
}

/// Within a time, newest first.
pub fn between(c: &Connection, from_ms: i64, until_ms: i64, rows_max: u32) -> Result<Vec<ViewingRow>, Fault> {
    let mut statement = c.prepare_cached(
        "SELECT viewings.id, account, name, session, request, opened_at, closed_at, seconds, address
         FROM viewings JOIN accounts ON accounts.id = account
         WHERE opened_at >= ?1 AND opened_at < ?2 ORDER BY opened_at DESC LIMIT ?3",
    )?;
    let rows = statement.query_map(params![from_ms, until_ms, rows_max], |r| {
        Ok(ViewingRow {
            id: r.get(0)?,
            account: r.get(1)?,
            name: r.get(2)?,
            session: r.get(3)?,
            request: r.get(4)?,
            opened_at: r.get(5)?,
            closed_at: r.get(6)?,
            seconds: r.get::<_, i64>(7)? as u64,
            address: r.get(8)?,
        })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}
