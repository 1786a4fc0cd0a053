//! The viewing log (调用登记).

use crate::machine::fault::Fault;
use crate::model::access::Grant;
use crate::model::ids::ViewingId;
use rusqlite::{Connection, params};

/// A viewing began.
pub fn open(c: &Connection, id: &ViewingId, grant: &Grant, at_ms: i64) -> Result<(), Fault> {
    c.execute(
        "INSERT INTO viewings (id, account, session, request, opened_at) VALUES (?1, ?2, ?3, ?4, ?5)",
        params![id.as_str(), grant.person().as_str(), grant.session().as_str(), grant.request().as_str(), at_ms],
    )?;
    Ok(())
}

/// A viewing ended after this many seconds of picture.
pub fn close(c: &Connection, id: &ViewingId, seconds: u64, at_ms: i64) -> Result<(), Fault> {
    c.execute("UPDATE viewings SET closed_at = ?2, seconds = ?3 WHERE id = ?1", params![id.as_str(), at_ms, seconds as i64])?;
    Ok(())
}
