//! Passkeys (WebAuthn credentials): public keys alone.

use crate::machine::fault::Fault;
use crate::model::ids::AccountId;
use rusqlite::{Connection, OptionalExtension, params};

/// A passkey.
#[derive(Debug, Clone)]
pub struct PasskeyRow {
    /// The credential's, base64url.
    pub id: String,
    /// Whose, an account.
    pub account: String,
    /// What its owner calls it.
    pub name: String,
    /// The credential, as the library writes it.
    pub doc: String,
    /// Ms since 1970.
    pub made_at: i64,
    /// The same.
    pub used_at: Option<i64>,
}

fn some(c: &Connection, condition: &str, value: &str) -> Result<Vec<PasskeyRow>, Fault> {
    let mut statement =
        c.prepare_cached(&format!("SELECT id, account, name, doc, made_at, used_at FROM passkeys WHERE {condition} ORDER BY made_at"))?;
    let rows = statement.query_map([value], |r| {
        Ok(PasskeyRow { id: r.get(0)?, account: r.get(1)?, name: r.get(2)?, doc: r.get(3)?, made_at: r.get(4)?, used_at: r.get(5)? })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Somebody's.
pub fn of_account(c: &Connection, account: &AccountId) -> Result<Vec<PasskeyRow>, Fault> {
    some(c, "account = ?1", account.as_str())
}

/// How many somebody has; asked on each request.
pub fn count(c: &Connection, account: &AccountId) -> Result<u64, Fault> {
    let mut statement = c.prepare_cached("SELECT count(*) FROM passkeys WHERE account = ?1")?;
    Ok(statement.query_row([account.as_str()], |r| r.get::<_, i64>(0))? as u64)
}

/// By the credential's own number.
pub fn by_id(c: &Connection, id: &str) -> Result<Option<PasskeyRow>, Fault> {
    Ok(some(c, "id = ?1", id)?.pop())
}

/// Adds one.
pub fn add(c: &Connection, row: &PasskeyRow) -> Result<(), Fault> {
    c.execute(
        "INSERT INTO passkeys (id, account, name, doc, made_at) VALUES (?1, ?2, ?3, ?4, ?5)",
        params![row.id, row.account, row.name, row.doc, row.made_at],
    )?;
    Ok(())
}

/// Notes its use, with its counter.
pub fn used(c: &Connection, id: &str, doc: &str, at_ms: i64) -> Result<(), Fault> {
    c.execute("UPDATE passkeys SET doc = ?2, used_at = ?3 WHERE id = ?1", params![id, doc, at_ms])?;
    Ok(())
}

/// Takes one of somebody's away; its name, if there was one.
pub fn remove(c: &Connection, account: &AccountId, id: &str) -> Result<Option<String>, Fault> {
    let name = c
        .query_row("DELETE FROM passkeys WHERE account = ?1 AND id = ?2 RETURNING name", params![account.as_str(), id], |r| r.get(0))
        .optional()?;
    Ok(name)
}
