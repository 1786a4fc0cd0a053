//! Accounts and logins.

use crate::catalog::bad_doc;
use crate::machine::fault::Fault;
use crate::model::ids::{AccountId, UnitId};
use crate::model::people::{Person, Role};
use rusqlite::{Connection, OptionalExtension, Row, params};

/// An account with what signing in needs.
#[derive(Debug, Clone)]
pub struct Account {
    /// The person.
    pub person: Person,
    /// argon2id, PHC string.
    pub password_hash: String,
    /// Ended accounts stay, and cannot sign in.
    pub active: bool,
    /// Wrong passwords since the last right one.
    pub failures: u32,
    /// Ms since 1970.
    pub locked_until: i64,
}

const COLUMNS: &str =
    "id, username, name, unit, certificate_no, certificate_until, roles, leads, password_hash, active, failures, locked_until";

fn account(row: &Row<'_>) -> Result<Account, Fault> {
    let words: Vec<String> = serde_json::from_str(&row.get::<_, String>("roles")?).map_err(bad_doc("accounts"))?;
    let leads: Vec<UnitId> = serde_json::from_str(&row.get::<_, String>("leads")?).map_err(bad_doc("accounts"))?;
    let id = |e| Fault::of("read a row of", "accounts", e);
    let unit: Option<String> = row.get("unit")?;
    Ok(Account {
        person: Person {
            id: AccountId::new(&row.get::<_, String>("id")?).map_err(id)?,
            username: row.get("username")?,
            name: row.get("name")?,
            unit: unit.map(|u| UnitId::new(&u)).transpose().map_err(id)?,
            certificate_no: row.get("certificate_no")?,
            certificate_until: row.get::<_, Option<String>>("certificate_until")?.and_then(|d| d.parse().ok()),
            roles: words.iter().filter_map(|w| Role::from_word(w)).collect(),
            leads,
        },
        password_hash: row.get("password_hash")?,
        active: row.get("active")?,
        failures: row.get("failures")?,
        locked_until: row.get("locked_until")?,
    })
}

fn one(c: &Connection, condition: &str, value: &str) -> Result<Option<Account>, Fault> {
    let mut statement = c.prepare_cached(&format!("SELECT {COLUMNS} FROM accounts WHERE {condition}"))?;
    let mut rows = statement.query([value])?;
    rows.next()?.map(account).transpose()
}

/// By sign-in name, in any case of letters.
pub fn by_username(c: &Connection, username: &str) -> Result<Option<Account>, Fault> {
    one(c, "username = ?1", username)
}

/// By identifier.
pub fn by_id(c: &Connection, id: &AccountId) -> Result<Option<Account>, Fault> {
    one(c, "id = ?1", id.as_str())
}

/// All, by sign-in name.
pub fn all(c: &Connection) -> Result<Vec<Account>, Fault> {
    let mut statement = c.prepare_cached(&format!("SELECT {COLUMNS} FROM accounts ORDER BY username"))?;
    let mut rows = statement.query([])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        found.push(account(row)?);
    }
    Ok(found)
}

/// Adds one.
pub fn add(c: &Connection, account: &Account, at_ms: i64) -> Result<(), Fault> {
    let p = &account.person;
    let roles: Vec<&str> = p.roles.iter().map(|r| r.as_str()).collect();
    let json = |e| Fault::of("encode", "an account", e);
    c.execute(
        "INSERT INTO accounts (id, username, name, unit, certificate_no, roles, leads, password_hash, made_at, certificate_until)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
        params![
            p.id.as_str(),
            p.username,
            p.name,
            p.unit.as_ref().map(UnitId::as_str),
            p.certificate_no,
            serde_json::to_string(&roles).map_err(json)?,
            serde_json::to_string(&p.leads).map_err(json)?,
            account.password_hash,
            at_ms,
            p.certificate_until.map(|d| d.to_string()),
        ],
    )?;
    Ok(())
}

/// Ends one, and its logins with it.
pub fn end(c: &Connection, id: &AccountId) -> Result<(), Fault> {
    c.execute("UPDATE accounts SET active = 0 WHERE id = ?1", [id.as_str()])?;
    c.execute("DELETE FROM logins WHERE account = ?1", [id.as_str()])?;
    Ok(())
}

/// Gives a new password; all logins end.
pub fn set_password(c: &Connection, id: &AccountId, hash: &str) -> Result<(), Fault> {
    c.execute("UPDATE accounts SET password_hash = ?2 WHERE id = ?1", params![id.as_str(), hash])?;
    c.execute("DELETE FROM logins WHERE account = ?1", [id.as_str()])?;
    Ok(())
}

/// Counts a wrong password, or forgets them after the right one.
pub fn set_failures(c: &Connection, id: &AccountId, failures: u32, locked_until: i64) -> Result<(), Fault> {
    c.execute("UPDATE accounts SET failures = ?2, locked_until = ?3 WHERE id = ?1", params![id.as_str(), failures, locked_until])?;
    Ok(())
}

/// A login.
#[derive(Debug, Clone)]
pub struct LoginRow {
    /// Whose.
    pub account: AccountId,
    /// Its CSRF token.
    pub csrf: String,
    /// Ms since 1970, of the last request.
    pub seen_at: i64,
}

/// Adds a login.
pub fn add_login(c: &Connection, token_sha256: &str, account: &AccountId, csrf: &str, at_ms: i64) -> Result<(), Fault> {
    c.execute(
        "INSERT INTO logins (token_sha256, account, csrf, made_at, seen_at) VALUES (?1, ?2, ?3, ?4, ?4)",
        params![token_sha256, account.as_str(), csrf, at_ms],
    )?;
    Ok(())
}

/// A login by the digest of its token.
pub fn login(c: &Connection, token_sha256: &str) -> Result<Option<LoginRow>, Fault> {
    let mut statement = c.prepare_cached("SELECT account, csrf, seen_at FROM logins WHERE token_sha256 = ?1")?;
    let row = statement.query_row([token_sha256], |r| Ok((r.get::<_, String>(0)?, r.get(1)?, r.get(2)?))).optional()?;
    row.map(|(account, csrf, seen_at)| {
        let account = AccountId::new(&account).map_err(|e| Fault::of("read a row of", "logins", e))?;
        Ok(LoginRow { account, csrf, seen_at })
    })
    .transpose()
}

/// Notes that a login was used.
pub fn touch_login(c: &Connection, token_sha256: &str, at_ms: i64) -> Result<(), Fault> {
    c.execute("UPDATE logins SET seen_at = ?2 WHERE token_sha256 = ?1", params![token_sha256, at_ms])?;
    Ok(())
}

/// Ends a login.
pub fn end_login(c: &Connection, token_sha256: &str) -> Result<(), Fault> {
    c.execute("DELETE FROM logins WHERE token_sha256 = ?1", [token_sha256])?;
    Ok(())
}
