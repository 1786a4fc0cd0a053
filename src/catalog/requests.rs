//! Access requests.

use crate::catalog::bad_doc;
use crate::machine::fault::Fault;
use crate::model::access::AccessRequest;
use crate::model::ids::{AccountId, RequestId, SessionId};
use rusqlite::{Connection, Params, params};

/// Adds or replaces a request.
pub fn put(c: &Connection, r: &AccessRequest) -> Result<(), Fault> {
    let doc = serde_json::to_string(r).map_err(|e| Fault::of("encode", "a request", e))?;
    c.execute(
        "INSERT INTO requests (id, requester, unit, state, submitted_at, doc) VALUES (?1, ?2, ?3, ?4, ?5, ?6)
         ON CONFLICT (id) DO UPDATE SET state = excluded.state, doc = excluded.doc",
        params![r.id.as_str(), r.requester.as_str(), r.unit.as_str(), r.state.as_str(), r.submitted_at.timestamp_millis(), doc],
    )?;
    let mut add = c.prepare_cached("INSERT OR IGNORE INTO request_sessions (session, request) VALUES (?1, ?2)")?;
    r.sessions.iter().try_for_each(|s| add.execute([s.as_str(), r.id.as_str()]).map(drop))?;
    Ok(())
}

fn some(c: &Connection, tail: &str, values: impl Params) -> Result<Vec<AccessRequest>, Fault> {
    let mut statement = c.prepare_cached(&format!("SELECT doc FROM requests {tail}"))?;
    let docs = statement.query_map(values, |r| r.get::<_, String>(0))?;
    docs.map(|doc| serde_json::from_str(&doc?).map_err(bad_doc("requests"))).collect()
}

/// By number.
pub fn by_id(c: &Connection, id: &RequestId) -> Result<Option<AccessRequest>, Fault> {
    Ok(some(c, "WHERE id = ?1", [id.as_str()])?.pop())
}

/// A person's for one session, newest first.
pub fn of_person_for(c: &Connection, person: &AccountId, session: &SessionId) -> Result<Vec<AccessRequest>, Fault> {
    some(
        c,
        "WHERE requester = ?1 AND id IN (SELECT request FROM request_sessions WHERE session = ?2) ORDER BY submitted_at DESC",
        [person.as_str(), session.as_str()],
    )
}

/// A person's newest.
pub fn of_person(c: &Connection, person: &AccountId, rows_max: u32) -> Result<Vec<AccessRequest>, Fault> {
    some(c, "WHERE requester = ?1 ORDER BY submitted_at DESC LIMIT ?2", params![person.as_str(), rows_max])
}

/// Of a state, oldest first.
pub fn in_state(c: &Connection, state: &str, rows_max: u32) -> Result<Vec<AccessRequest>, Fault> {
    some(c, "WHERE state = ?1 ORDER BY submitted_at LIMIT ?2", params![state, rows_max])
}

/// Approved and not over at a moment, newest first. That an approval ran out is no state of its row: most approved ones have.
pub fn live(c: &Connection, now_ms: i64, rows_max: u32) -> Result<Vec<AccessRequest>, Fault> {
    let tail = "WHERE state = 'approved' AND unixepoch(json_extract(doc, '$.until')) >= ?1 / 1000 ORDER BY submitted_at DESC LIMIT ?2";
    some(c, tail, params![now_ms, rows_max])
}

/// Submitted or decided within a time, newest first.
pub fn between(c: &Connection, from_ms: i64, until_ms: i64, rows_max: u32) -> Result<Vec<AccessRequest>, Fault> {
    some(c, "WHERE submitted_at >= ?1 AND submitted_at < ?2 ORDER BY submitted_at DESC LIMIT ?3", params![from_ms, until_ms, rows_max])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::access::RequestState;
    use crate::model::access::tests::request;
    use crate::model::people::{Person, Role};
    use chrono::{DateTime, TimeDelta};

    #[test]
    fn a_live_grant_is_found_behind_any_number_that_ran_out() {
        let c = crate::catalog::tests::connection();
        c.execute(
            "INSERT INTO accounts (id, username, name, roles, leads, password_hash, made_at) VALUES ('he', 'he', '何', '[]', '[]', '', 0)",
            [],
        )
        .unwrap();
        let at = |minutes: i64| DateTime::UNIX_EPOCH + TimeDelta::minutes(minutes);
        let he = Person::new(AccountId::new("he").unwrap(), "he", "何", &[Role::Reviewer]);
        let asked = |n: i64, until: i64, state| AccessRequest {
            id: RequestId::new(&format!("r-{n}")).unwrap(),
            from: at(n),
            until: at(until),
            state,
            submitted_at: at(n),
            ..request(&he)
        };
        (0..300).for_each(|n| put(&c, &asked(n, n + 1, RequestState::Approved)).unwrap());
        put(&c, &asked(300, 9_000, RequestState::Revoked)).unwrap();
        put(&c, &asked(5, 9_000, RequestState::Approved)).unwrap();
        put(&c, &asked(301, 9_000, RequestState::Approved)).unwrap();
        let found = live(&c, at(1_000).timestamp_millis(), 200).unwrap();
        assert_eq!(found.iter().map(|r| r.id.as_str()).collect::<Vec<_>>(), ["r-301", "r-5"]);
    }
}
