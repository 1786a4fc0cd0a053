//! Tokens of other systems.

use crate::catalog::bad_doc;
use crate::machine::fault::Fault;
use crate::model::ids::AccountId;
use crate::model::people::Act;
use rusqlite::{Connection, Row, params};

/// A token, without what opens it.
#[derive(Debug, Clone)]
pub struct TokenRow {
    /// Its number.
    pub id: String,
    /// In whose name it acts.
    pub account: AccountId,
    /// The system's name.
    pub name: String,
    /// What it is good for.
    pub scopes: Vec<Act>,
    /// Ms since 1970.
    pub made_at: i64,
    /// The same.
    pub until: i64,
    /// The same.
    pub ended_at: Option<i64>,
    /// The same.
    pub used_at: Option<i64>,
}

const COLUMNS: &str = "id, account, name, scopes, made_at, until, ended_at, used_at";

fn token(row: &Row<'_>) -> Result<TokenRow, Fault> {
    let account: String = row.get(1)?;
    Ok(TokenRow {
        id: row.get(0)?,
        account: AccountId::new(&account).map_err(|e| Fault::of("read a row of", "tokens", e))?,
        name: row.get(2)?,
        scopes: serde_json::from_str(&row.get::<_, String>(3)?).map_err(bad_doc("tokens"))?,
        made_at: row.get(4)?,
        until: row.get(5)?,
        ended_at: row.get(6)?,
        used_at: row.get(7)?,
    })
}

/// By the digest of what opens it.
pub fn by_token(c: &Connection, token_sha256: &str) -> Result<Option<TokenRow>, Fault> {
    let mut statement = c.prepare_cached(&format!("SELECT {COLUMNS} FROM tokens WHERE token_sha256 = ?1"))?;
    let mut rows = statement.query([token_sha256])?;
    rows.next()?.map(token).transpose()
}

/// All, newest first.
pub fn all(c: &Connection) -> Result<Vec<TokenRow>, Fault> {
    let mut statement = c.prepare_cached(&format!("SELECT {COLUMNS} FROM tokens ORDER BY made_at DESC"))?;
    let mut rows = statement.query([])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        found.push(token(row)?);
    }
    Ok(found)
}

/// Adds one.
pub fn add(c: &Connection, token_sha256: &str, t: &TokenRow) -> Result<(), Fault> {
    let scopes = serde_json::to_string(&t.scopes).map_err(|e| Fault::of("encode", "a token", e))?;
    c.execute(
        "INSERT INTO tokens (id, token_sha256, account, name, scopes, made_at, until) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        params![t.id, token_sha256, t.account.as_str(), t.name, scopes, t.made_at, t.until],
    )?;
    Ok(())
}

/// Ends one; whether there was one.
pub fn end(c: &Connection, id: &str, at_ms: i64) -> Result<bool, Fault> {
    Ok(c.execute("UPDATE tokens SET ended_at = ?2 WHERE id = ?1 AND ended_at IS NULL", params![id, at_ms])? > 0)
}

/// Notes its use.
pub fn touch(c: &Connection, id: &str, at_ms: i64) -> Result<(), Fault> {
    c.execute("UPDATE tokens SET used_at = ?2 WHERE id = ?1", params![id, at_ms])?;
    Ok(())
}
