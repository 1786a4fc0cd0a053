//! Who decides in whose place.

use crate::catalog::{accounts, bad_doc};
use crate::machine::fault::Fault;
use crate::model::deputation::Deputation;
use crate::model::ids::AccountId;
use crate::model::people::{Person, Role, StandIn};
use chrono::NaiveDate;
use rusqlite::{Connection, Params, params};

/// Adds or replaces one.
pub fn put(c: &Connection, d: &Deputation) -> Result<(), Fault> {
    let doc = serde_json::to_string(d).map_err(|e| Fault::of("encode", "a deputation", e))?;
    c.execute(
        "INSERT INTO deputations (id, leader, deputy, doc) VALUES (?1, ?2, ?3, ?4) ON CONFLICT (id) DO UPDATE SET doc = excluded.doc",
        params![d.id, d.leader.as_str(), d.deputy.as_str(), doc],
    )?;
    Ok(())
}

fn some(c: &Connection, tail: &str, values: impl Params) -> Result<Vec<Deputation>, Fault> {
    let mut statement = c.prepare_cached(&format!("SELECT doc FROM deputations {tail}"))?;
    let docs = statement.query_map(values, |r| r.get::<_, String>(0))?;
    docs.map(|doc| serde_json::from_str(&doc?).map_err(bad_doc("deputations"))).collect()
}

/// Newest first.
pub fn all(c: &Connection) -> Result<Vec<Deputation>, Fault> {
    some(c, "ORDER BY rowid DESC LIMIT 500", [])
}

/// For whom somebody decides on a day: of leaders whose own account is open and who still lead.
pub fn stand_ins(c: &Connection, deputy: &AccountId, today: NaiveDate) -> Result<Vec<StandIn>, Fault> {
    let mut found = Vec::new();
    for d in some(c, "WHERE deputy = ?1", [deputy.as_str()])?.into_iter().filter(|d| d.holds(today)) {
        let Some(leader) = accounts::by_id(c, &d.leader)?.filter(|a| a.is_open(today)).map(|a| a.person) else { continue };
        if leader.is(Role::LeaderInCharge) || leader.is(Role::BureauHead) {
            found.push(StandIn { leader: d.leader, leader_name: d.leader_name, head: leader.is(Role::BureauHead), leads: leader.leads });
        }
    }
    Ok(found)
}

/// The person of an account that is open, with whom they stand in for.
pub fn person(c: &Connection, id: &AccountId, today: NaiveDate) -> Result<Option<Person>, Fault> {
    let Some(account) = accounts::by_id(c, id)?.filter(|a| a.is_open(today)) else { return Ok(None) };
    let stands_in = stand_ins(c, id, today)?;
    Ok(Some(Person { stands_in, ..account.person }))
}
