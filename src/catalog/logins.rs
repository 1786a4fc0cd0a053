//! Logins on the console. The cookie's value is not here, only its digest.

use crate::machine::fault::Fault;
use crate::model::ids::AccountId;
use rusqlite::{Connection, OptionalExtension, Row, params};

/// A login.
#[derive(Debug, Clone)]
pub struct LoginRow {
    /// Named in lists; opens nothing.
    pub id: String,
    /// Whose.
    pub account: AccountId,
    /// Its CSRF token.
    pub csrf: String,
    /// Ms since 1970.
    pub made_at: i64,
    /// Of the last request.
    pub seen_at: i64,
    /// When it last showed password or key.
    pub proved_at: i64,
    /// Where from.
    pub address: Option<String>,
    /// What the browser calls itself.
    pub agent: Option<String>,
    /// How it was signed in: `password`, `code`, `passkey`, `sso`.
    pub way: String,
}

const COLUMNS: &str = "id, account, csrf, made_at, seen_at, proved_at, address, agent, way";

fn login(row: &Row<'_>) -> rusqlite::Result<Result<LoginRow, Fault>> {
    let account: String = row.get(1)?;
    let account = AccountId::new(&account).map_err(|e| Fault::of("read a row of", "logins", e));
    let (id, csrf, made_at, seen_at, proved_at) = (row.get(0)?, row.get(2)?, row.get(3)?, row.get(4)?, row.get(5)?);
    let (address, agent, way) = (row.get(6)?, row.get(7)?, row.get(8)?);
    Ok(account.map(|account| LoginRow { id, account, csrf, made_at, seen_at, proved_at, address, agent, way }))
}

/// Adds a login.
pub fn add(c: &Connection, token_sha256: &str, login: &LoginRow) -> Result<(), Fault> {
    c.execute(
        &format!("INSERT INTO logins (token_sha256, {COLUMNS}) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)"),
        params![
            token_sha256,
            login.id,
            login.account.as_str(),
            login.csrf,
            login.made_at,
            login.seen_at,
            login.proved_at,
            login.address,
            login.agent,
            login.way
        ],
    )?;
    Ok(())
}

/// A login by the digest of its token.
pub fn by_token(c: &Connection, token_sha256: &str) -> Result<Option<LoginRow>, Fault> {
    let mut statement = c.prepare_cached(&format!("SELECT {COLUMNS} FROM logins WHERE token_sha256 = ?1"))?;
    statement.query_row([token_sha256], login).optional()?.transpose()
}

/// Somebody's, newest first.
pub fn of_account(c: &Connection, account: &AccountId) -> Result<Vec<LoginRow>, Fault> {
    let mut statement = c.prepare_cached(&format!("SELECT {COLUMNS} FROM logins WHERE account = ?1 ORDER BY seen_at DESC"))?;
    statement.query_map([account.as_str()], login)?.map(|row| row?).collect()
}

/// Notes that a login was used.
pub fn touch(c: &Connection, token_sha256: &str, at_ms: i64) -> Result<(), Fault> {
    c.execute("UPDATE logins SET seen_at = ?2 WHERE token_sha256 = ?1", params![token_sha256, at_ms])?;
    Ok(())
}

/// Notes that a login showed its password or key again.
pub fn prove(c: &Connection, id: &str, at_ms: i64) -> Result<(), Fault> {
    c.execute("UPDATE logins SET proved_at = ?2 WHERE id = ?1", params![id, at_ms])?;
    Ok(())
}

/// Ends a login.
pub fn end(c: &Connection, token_sha256: &str) -> Result<(), Fault> {
    c.execute("DELETE FROM logins WHERE token_sha256 = ?1", [token_sha256])?;
    Ok(())
}

/// Ends a login of somebody's by its name in the list; whether there was one.
pub fn end_by_id(c: &Connection, account: &AccountId, id: &str) -> Result<bool, Fault> {
    Ok(c.execute("DELETE FROM logins WHERE account = ?1 AND id = ?2", params![account.as_str(), id])? > 0)
}

/// Ends all of somebody's but one.
pub fn end_others(c: &Connection, account: &AccountId, but: Option<&str>) -> Result<(), Fault> {
    c.execute("DELETE FROM logins WHERE account = ?1 AND id IS NOT ?2", params![account.as_str(), but])?;
    Ok(())
}

/// Forgets logins that nobody used since a moment.
pub fn forget(c: &Connection, seen_before_ms: i64) -> Result<(), Fault> {
    c.execute("DELETE FROM logins WHERE seen_at < ?1", [seen_before_ms])?;
    Ok(())
}
