//! Copies that were ordered.

use crate::catalog::bad_doc;
use crate::machine::fault::Fault;
use crate::model::copy::Copy;
use crate::model::ids::{AccountId, CopyId};
use rusqlite::{Connection, Params, params};

/// Adds or replaces one.
pub fn put(c: &Connection, copy: &Copy) -> Result<(), Fault> {
    let doc = serde_json::to_string(copy).map_err(|e| Fault::of("encode", "a copy", e))?;
    c.execute(
        "INSERT INTO copies (id, account, session, made_at, doc) VALUES (?1, ?2, ?3, ?4, ?5)
         ON CONFLICT (id) DO UPDATE SET doc = excluded.doc",
        params![copy.id.as_str(), copy.by.as_str(), copy.session.as_str(), copy.ordered_at.timestamp_millis(), doc],
    )?;
    Ok(())
}

fn some(c: &Connection, tail: &str, values: impl Params) -> Result<Vec<Copy>, Fault> {
    let mut statement = c.prepare_cached(&format!("SELECT doc FROM copies {tail}"))?;
    let docs = statement.query_map(values, |r| r.get::<_, String>(0))?;
    docs.map(|doc| serde_json::from_str(&doc?).map_err(bad_doc("copies"))).collect()
}

/// By number.
pub fn by_id(c: &Connection, id: &CopyId) -> Result<Option<Copy>, Fault> {
    Ok(some(c, "WHERE id = ?1", [id.as_str()])?.pop())
}

/// Somebody's, newest first.
pub fn of_account(c: &Connection, account: &AccountId, rows_max: u32) -> Result<Vec<Copy>, Fault> {
    some(c, "WHERE account = ?1 ORDER BY made_at DESC LIMIT ?2", params![account.as_str(), rows_max])
}

/// All that still take room or time, oldest first.
pub fn open(c: &Connection) -> Result<Vec<Copy>, Fault> {
    some(c, "WHERE json_extract(doc, '$.state') IN ('waiting', 'running', 'ready', 'cancelled', 'failed') ORDER BY made_at", [])
}
