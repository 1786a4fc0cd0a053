//! Accounts and logins.

use crate::catalog::bad_doc;
use crate::machine::fault::Fault;
use crate::model::ids::{AccountId, UnitId};
use crate::model::people::{Person, Role};
use chrono::NaiveDate;
use rusqlite::{Connection, Row, params};

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
    /// First and last day on which it can be used, where it has them.
    pub valid: (Option<NaiveDate>, Option<NaiveDate>),
    /// Where notices go.
    pub email: Option<String>,
    /// What the single sign-on calls this person.
    pub sso_name: Option<String>,
    /// Signing in ends the person's other logins.
    pub one_login: bool,
    /// Somebody else chose the password: its owner has to change it before this moment, ms since 1970.
    pub first_until: Option<i64>,
    /// Secret of the second factor, sealed to this account.
    pub totp: Option<String>,
    /// One that was shown and is not confirmed yet.
    pub totp_new: Option<String>,
    /// The last step of it that was used.
    pub totp_step: u64,
}

impl Account {
    /// One that can be used, for a person with a password.
    pub fn new(person: Person, password_hash: String) -> Self {
        Self {
            person,
            password_hash,
            active: true,
            failures: 0,
            locked_until: 0,
            valid: (None, None),
            email: None,
            sso_name: None,
            one_login: false,
            first_until: None,
            totp: None,
            totp_new: None,
            totp_step: 0,
        }
    }

    /// Whether it can be used on a day.
    pub fn is_open(&self, today: NaiveDate) -> bool {
        self.active && self.valid.0.is_none_or(|from| from <= today) && self.valid.1.is_none_or(|until| today <= until)
    }
}

const COLUMNS: &str = "id, username, name, unit, certificate_no, certificate_until, roles, leads, password_hash, active, failures, locked_until, \
                       valid_from, valid_until, email, sso_name, one_login, first_until, totp, totp_new, totp_step";

fn account(row: &Row<'_>) -> Result<Account, Fault> {
    let words: Vec<String> = serde_json::from_str(&row.get::<_, String>("roles")?).map_err(bad_doc("accounts"))?;
    let leads: Vec<UnitId> = serde_json::from_str(&row.get::<_, String>("leads")?).map_err(bad_doc("accounts"))?;
    let id = |e| Fault::of("read a row of", "accounts", e);
    let day = |name: &str| Ok::<_, Fault>(row.get::<_, Option<String>>(name)?.and_then(|d| d.parse().ok()));
    let (unit, username, name): (Option<String>, String, String) = (row.get("unit")?, row.get("username")?, row.get("name")?);
    let roles: Vec<Role> = words.iter().filter_map(|w| Role::from_word(w)).collect();
    let person = Person {
        unit: unit.map(|u| UnitId::new(&u)).transpose().map_err(id)?,
        certificate_no: row.get("certificate_no")?,
        certificate_until: day("certificate_until")?,
        leads,
        ..Person::new(AccountId::new(&row.get::<_, String>("id")?).map_err(id)?, &username, &name, &roles)
    };
    Ok(Account {
        active: row.get("active")?,
        failures: row.get("failures")?,
        locked_until: row.get("locked_until")?,
        valid: (day("valid_from")?, day("valid_until")?),
        email: row.get("email")?,
        sso_name: row.get("sso_name")?,
        one_login: row.get("one_login")?,
        first_until: row.get("first_until")?,
        totp: row.get("totp")?,
        totp_new: row.get("totp_new")?,
        totp_step: row.get::<_, i64>("totp_step")? as u64,
        ..Account::new(person, row.get("password_hash")?)
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

/// By what the single sign-on calls them.
pub fn by_sso_name(c: &Connection, name: &str) -> Result<Option<Account>, Fault> {
    one(c, "sso_name = ?1", name)
}

/// How many there are, ended ones too.
pub fn count(c: &Connection) -> Result<u64, Fault> {
    Ok(c.query_row("SELECT count(*) FROM accounts", [], |r| r.get::<_, i64>(0))? as u64)
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
        "INSERT INTO accounts (id, username, name, unit, certificate_no, roles, leads, password_hash, made_at, certificate_until,
         valid_from, valid_until, email, sso_name, first_until)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15)",
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
            account.valid.0.map(|d| d.to_string()),
            account.valid.1.map(|d| d.to_string()),
            account.email,
            account.sso_name,
            account.first_until,
        ],
    )?;
    Ok(())
}

/// Ends one, and with it its logins, its tokens and what it was named to.
pub fn end(c: &Connection, id: &AccountId, at_ms: i64) -> Result<(), Fault> {
    c.execute("UPDATE accounts SET active = 0, sso_name = NULL WHERE id = ?1", [id.as_str()])?;
    c.execute("DELETE FROM logins WHERE account = ?1", [id.as_str()])?;
    c.execute("UPDATE tokens SET ended_at = ?2 WHERE account = ?1 AND ended_at IS NULL", params![id.as_str(), at_ms])?;
    Ok(())
}

/// Changes what an administrator may change: roles, units, days, addresses.
pub fn change(c: &Connection, account: &Account) -> Result<(), Fault> {
    let p = &account.person;
    let roles: Vec<&str> = p.roles.iter().map(|r| r.as_str()).collect();
    let json = |e| Fault::of("encode", "an account", e);
    c.execute(
        "UPDATE accounts SET unit = ?2, certificate_no = ?3, roles = ?4, leads = ?5, certificate_until = ?6, valid_from = ?7,
         valid_until = ?8, email = ?9, sso_name = ?10 WHERE id = ?1",
        params![
            p.id.as_str(),
            p.unit.as_ref().map(UnitId::as_str),
            p.certificate_no,
            serde_json::to_string(&roles).map_err(json)?,
            serde_json::to_string(&p.leads).map_err(json)?,
            p.certificate_until.map(|d| d.to_string()),
            account.valid.0.map(|d| d.to_string()),
            account.valid.1.map(|d| d.to_string()),
            account.email,
            account.sso_name,
        ],
    )?;
    Ok(())
}

/// Whether signing in ends the person's other logins.
pub fn set_one_login(c: &Connection, id: &AccountId, one: bool) -> Result<(), Fault> {
    c.execute("UPDATE accounts SET one_login = ?2 WHERE id = ?1", params![id.as_str(), one])?;
    Ok(())
}

/// Secrets of second factors that an earlier release kept as they are: sealed from now on.
pub fn reseal(c: &Connection, id: &AccountId, totp: Option<&str>, totp_new: Option<&str>) -> Result<(), Fault> {
    c.execute("UPDATE accounts SET totp = ?2, totp_new = ?3 WHERE id = ?1", params![id.as_str(), totp, totp_new])?;
    Ok(())
}

/// Shows a second factor that is not confirmed yet, or takes it away.
pub fn set_totp_new(c: &Connection, id: &AccountId, secret: Option<&str>) -> Result<(), Fault> {
    c.execute("UPDATE accounts SET totp_new = ?2 WHERE id = ?1", params![id.as_str(), secret])?;
    Ok(())
}

/// Puts a second factor to use from a step on, or takes it away.
pub fn set_totp(c: &Connection, id: &AccountId, secret: Option<&str>, step: u64) -> Result<(), Fault> {
    c.execute("UPDATE accounts SET totp = ?2, totp_new = NULL, totp_step = ?3 WHERE id = ?1", params![id.as_str(), secret, step as i64])?;
    Ok(())
}

/// Takes every second factor of an account away.
pub fn take_factors(c: &Connection, id: &AccountId) -> Result<(), Fault> {
    c.execute("DELETE FROM passkeys WHERE account = ?1", [id.as_str()])?;
    set_totp(c, id, None, 0)
}

/// Uses a step up; false if it or a later one was used already: a code is good once.
pub fn use_totp_step(c: &Connection, id: &AccountId, step: u64) -> Result<bool, Fault> {
    Ok(c.execute("UPDATE accounts SET totp_step = ?2 WHERE id = ?1 AND totp_step < ?2", params![id.as_str(), step as i64])? == 1)
}

/// Gives a new password; all logins end. `first_until`: until when its owner has to change it, where somebody else chose it.
pub fn set_password(c: &Connection, id: &AccountId, hash: &str, first_until: Option<i64>) -> Result<(), Fault> {
    c.execute("UPDATE accounts SET password_hash = ?2, first_until = ?3 WHERE id = ?1", params![id.as_str(), hash, first_until])?;
    c.execute("DELETE FROM logins WHERE account = ?1", [id.as_str()])?;
    Ok(())
}

/// What became of a try to sign in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Try {
    /// It may be made.
    Taken {
        /// And is the last before the account is locked.
        last: bool,
    },
    /// Not before this moment, ms since 1970.
    Locked {
        /// The moment.
        until: i64,
    },
}

/// Takes one of the tries that an account has; the last one locks it until a moment.
pub fn take_try(c: &Connection, id: &AccountId, now_ms: i64, lock_after: u32, lock_until: i64) -> Result<Try, Fault> {
    let mut statement = c.prepare_cached("SELECT failures, locked_until FROM accounts WHERE id = ?1")?;
    let (failures, until): (u32, i64) = statement.query_row([id.as_str()], |r| Ok((r.get(0)?, r.get(1)?)))?;
    if until > now_ms {
        return Ok(Try::Locked { until });
    }
    let last = failures + 1 >= lock_after;
    if last {
        set_failures(c, id, 0, lock_until)?;
    } else {
        set_failures(c, id, failures + 1, 0)?;
    }
    Ok(Try::Taken { last })
}

/// Gives a try back that was right, and is not the whole of signing in. `failures`: what there were before it.
pub fn give_back_try(c: &Connection, id: &AccountId, last: bool, failures: u32) -> Result<(), Fault> {
    if last {
        return set_failures(c, id, failures, 0);
    }
    c.execute("UPDATE accounts SET failures = max(failures - 1, 0) WHERE id = ?1", [id.as_str()])?;
    Ok(())
}

/// Counts a wrong password, or forgets them after the right one.
pub fn set_failures(c: &Connection, id: &AccountId, failures: u32, locked_until: i64) -> Result<(), Fault> {
    c.execute("UPDATE accounts SET failures = ?2, locked_until = ?3 WHERE id = ?1", params![id.as_str(), failures, locked_until])?;
    Ok(())
}
