//! What was taken in, what was handed over, and portable devices that are out (第十四条): an index of the sessions and of the check-outs.

use crate::catalog::{archive, bad_doc};
use crate::machine::fault::Fault;
use crate::model::check_out::{CheckedOut, NothingCame};
use crate::model::handover;
use crate::model::ids::{AccountId, CheckOutId, HandoverId, SessionId, UnitId};
use crate::model::session::{Session, State};
use chrono::DateTime;
use rusqlite::types::Value;
use rusqlite::{Connection, OptionalExtension, Params, params, params_from_iter};

/// Indexes a session as it stands now.
pub fn index(c: &Connection, s: &Session) -> Result<(), Fault> {
    if let Some(i) = &s.imported {
        c.prepare_cached(
            "INSERT INTO imported (session, sha256, unit, account, device_no, taken_in_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6)
             ON CONFLICT (session) DO UPDATE SET device_no = excluded.device_no",
        )?
        .execute(params![
            s.id.as_str(),
            i.sha256,
            s.unit.as_str(),
            i.handed_in_by.as_str(),
            s.device_numbers().join(","),
            i.taken_in_at.timestamp_millis()
        ])?;
    }
    if let Some(h) = &s.handover {
        c.prepare_cached(
            "INSERT INTO handed_over (session, handover, unit, at, received) VALUES (?1, ?2, ?3, ?4, ?5)
             ON CONFLICT (session) DO UPDATE SET handover = excluded.handover, at = excluded.at, received = excluded.received",
        )?
        .execute(params![s.id.as_str(), h.id.as_str(), s.unit.as_str(), h.at.timestamp_millis(), handover::is_received(s)])?;
    }
    Ok(())
}

/// The session that a file with this SHA-256 became.
pub fn by_digest(c: &Connection, sha256: &str) -> Result<Option<SessionId>, Fault> {
    let mut statement = c.prepare_cached("SELECT session FROM imported WHERE sha256 = ?1 LIMIT 1")?;
    let found: Option<String> = statement.query_row([sha256], |r| r.get(0)).optional()?;
    Ok(found.and_then(|id| SessionId::new(&id).ok()))
}

fn sessions(c: &Connection, text: &str, values: impl Params) -> Result<Vec<Session>, Fault> {
    let mut statement = c.prepare_cached(text)?;
    let docs = statement.query_map(values, |r| r.get::<_, String>(0))?;
    docs.map(|doc| serde_json::from_str(&doc?).map_err(bad_doc("sessions"))).collect()
}

/// What a unit took in since a moment, newest first.
pub fn since(c: &Connection, unit: &str, since_ms: i64, rows_max: u32) -> Result<Vec<Session>, Fault> {
    let text = "SELECT doc FROM imported JOIN sessions ON sessions.id = imported.session
        WHERE imported.unit = ?1 AND taken_in_at >= ?2 ORDER BY taken_in_at DESC LIMIT ?3";
    sessions(c, text, params![unit, since_ms, rows_max])
}

/// Sessions of these units that are sealed or wait for a receipt, oldest first.
pub fn not_received(c: &Connection, units: &[String], state: State, rows_max: u32) -> Result<Vec<Session>, Fault> {
    let marks = vec!["?"; units.len()].join(", ");
    let text = format!(
        "SELECT doc FROM sessions WHERE state IN ('sealed', 'handed_over') AND state = ? AND unit IN ({marks}) ORDER BY started_at LIMIT ?"
    );
    let mut values = vec![Value::from(state.as_str().to_owned())];
    values.extend(units.iter().cloned().map(Value::from));
    values.push(Value::from(i64::from(rows_max)));
    sessions(c, &text, params_from_iter(values))
}

/// How many of a unit's sessions wait for a receipt.
pub fn count_waiting(c: &Connection, unit: &str) -> Result<usize, Fault> {
    let text = "SELECT count(*) FROM sessions WHERE state IN ('sealed', 'handed_over') AND state = 'handed_over' AND unit = ?1";
    Ok(c.prepare_cached(text)?.query_row([unit], |r| r.get::<_, i64>(0))? as usize)
}

/// The sessions of a handover.
pub fn of_handover(c: &Connection, id: &HandoverId) -> Result<Vec<Session>, Fault> {
    let text = "SELECT doc FROM handed_over JOIN sessions ON sessions.id = handed_over.session WHERE handover = ?1 ORDER BY started_at";
    sessions(c, text, [id.as_str()])
}

/// A handover in the register.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HandoverRow {
    /// Its number.
    pub id: HandoverId,
    /// When, ms since 1970.
    pub at_ms: i64,
    /// How many sessions.
    pub sessions: u64,
    /// How many of them with a receipt.
    pub received: u64,
    /// Who handed over; none where only sessions are left of which that is not known any more.
    pub from: Option<AccountId>,
}

/// These units' handovers, newest first: all in which something waits for its receipt, and so many of those that are received. Who handed
/// over stands in the sessions alone: it is read of those that are listed, not of all.
pub fn handovers(c: &Connection, units: &[String], received_max: u32) -> Result<Vec<HandoverRow>, Fault> {
    let marks = vec!["?"; units.len()].join(", ");
    let text = format!(
        "WITH all_of_them AS (SELECT handover, max(at) AS at, count(*) AS sessions, sum(received) AS received FROM handed_over
             WHERE unit IN ({marks}) GROUP BY handover),
         ranked AS (SELECT *, row_number() OVER (PARTITION BY received < sessions ORDER BY at DESC) AS place FROM all_of_them)
         SELECT handover, at, sessions, received, (SELECT doc ->> '$.handover.from' FROM handed_over o JOIN sessions ON sessions.id = o.session
             WHERE o.handover = ranked.handover AND doc ->> '$.handover.from' IS NOT NULL LIMIT 1)
         FROM ranked WHERE received < sessions OR place <= ? ORDER BY at DESC"
    );
    let mut values: Vec<Value> = units.iter().cloned().map(Value::from).collect();
    values.push(Value::from(i64::from(received_max)));
    let mut statement = c.prepare_cached(&text)?;
    let rows = statement.query_map(params_from_iter(values), |r| {
        let (id, from) = (r.get::<_, String>(0)?, r.get::<_, Option<String>>(4)?);
        let (sessions, received) = (r.get::<_, i64>(2)? as u64, r.get::<_, i64>(3)? as u64);
        let from = from.and_then(|f| AccountId::new(&f).ok());
        let at_ms = r.get(1)?;
        Ok(HandoverId::new(&id).ok().map(|id| HandoverRow { id, at_ms, sessions, received, from }))
    })?;
    Ok(rows.collect::<Result<Vec<_>, _>>()?.into_iter().flatten().collect())
}

/// A portable device that was taken along, and what came of it.
#[derive(Debug, Clone)]
pub struct CheckOutRow {
    /// It, as its file has it.
    pub out: CheckedOut,
    /// When something of it came in after that, ms since 1970.
    pub came_ms: Option<i64>,
}

/// Adds or replaces one.
pub fn put_check_out(c: &Connection, o: &CheckedOut) -> Result<(), Fault> {
    let nothing = o.nothing.as_ref();
    c.execute(
        "INSERT INTO check_outs (id, device_no, unit, account, name, at, battery, free_gb, ended_by, ended_at, reason)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)
         ON CONFLICT (id) DO UPDATE SET ended_by = excluded.ended_by, ended_at = excluded.ended_at, reason = excluded.reason",
        params![
            o.id.as_str(),
            o.device_no,
            o.unit.as_str(),
            o.by.as_str(),
            o.by_name,
            o.at.timestamp_millis(),
            o.battery,
            o.free_gb,
            nothing.map(|n| n.by.as_str()),
            nothing.map(|n| n.at.timestamp_millis()),
            nothing.map(|n| n.reason.as_str()),
        ],
    )?;
    let changed = nothing.map_or(o.at, |n| n.at);
    archive::want(c, "check_out", o.id.as_str(), &format!("check-outs/{}", o.id), changed.timestamp_millis())
}

/// Check-outs of these units since a moment, newest first; each with what came in of the device after it.
pub fn check_outs(c: &Connection, units: &[String], since_ms: i64, rows_max: u32) -> Result<Vec<CheckOutRow>, Fault> {
    let marks = vec!["?"; units.len()].join(", ");
    let mut values: Vec<Value> = units.iter().cloned().map(Value::from).collect();
    values.push(Value::from(since_ms));
    some_check_outs(c, &format!("o.unit IN ({marks}) AND o.at >= ? ORDER BY o.at DESC LIMIT {rows_max}"), params_from_iter(values))
}

/// One.
pub fn check_out_by_id(c: &Connection, id: &CheckOutId) -> Result<Option<CheckOutRow>, Fault> {
    Ok(some_check_outs(c, "o.id = ?1", [id.as_str()])?.pop())
}

/// Every one: for those that have no file yet.
pub fn all_check_outs(c: &Connection) -> Result<Vec<CheckOutRow>, Fault> {
    some_check_outs(c, "1 ORDER BY o.at", [])
}

fn some_check_outs(c: &Connection, tail: &str, values: impl Params) -> Result<Vec<CheckOutRow>, Fault> {
    let text = format!(
        "SELECT o.id, o.device_no, o.unit, o.account, o.name, o.at, battery, free_gb, ended_by, ended_at, reason,
             (SELECT min(taken_in_at) FROM imported WHERE imported.device_no = o.device_no AND taken_in_at >= o.at)
         FROM check_outs o WHERE {tail}"
    );
    let moment = |ms: i64| DateTime::from_timestamp_millis(ms).unwrap_or_default();
    let mut statement = c.prepare_cached(&text)?;
    let rows = statement.query_map(values, |r| {
        let ids = (r.get::<_, String>(0)?, r.get::<_, String>(2)?, r.get::<_, String>(3)?);
        let ended = (r.get::<_, Option<String>>(8)?, r.get::<_, Option<i64>>(9)?, r.get::<_, Option<String>>(10)?);
        // A number that is none of ours came from nowhere: such a row is passed over.
        let (Ok(id), Ok(unit), Ok(by)) = (CheckOutId::new(&ids.0), UnitId::new(&ids.1), AccountId::new(&ids.2)) else { return Ok(None) };
        let nothing = match ended {
            (said_by, Some(at), reason) => {
                let said_by = said_by.and_then(|b| AccountId::new(&b).ok()).unwrap_or_else(|| by.clone());
                Some(NothingCame { at: moment(at), by: said_by, reason: reason.unwrap_or_default() })
            }
            _ => None,
        };
        let (device_no, by_name, at) = (r.get(1)?, r.get(4)?, moment(r.get(5)?));
        let out = CheckedOut { id, device_no, unit, by, by_name, at, battery: r.get(6)?, free_gb: r.get(7)?, nothing };
        Ok(Some(CheckOutRow { out, came_ms: r.get(11)? }))
    })?;
    Ok(rows.collect::<Result<Vec<_>, _>>()?.into_iter().flatten().collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::sessions as put;
    use crate::model::facts::Facts;
    use crate::model::session::SessionKind;
    use crate::model::step;

    #[test]
    fn every_statement_is_right_and_a_search_of_no_unit_finds_nothing() {
        let c = crate::catalog::tests::connection();
        put::put(&c, &step::tests::started_with(SessionKind::Handling, Facts::default()), "x").unwrap();
        assert!(by_digest(&c, "00").unwrap().is_none());
        for units in [vec![], vec!["land".to_owned()]] {
            assert!(not_received(&c, &units, State::Sealed, 5).unwrap().is_empty(), "it still runs");
            assert!(handovers(&c, &units, 5).unwrap().is_empty() && check_outs(&c, &units, 0, 5).unwrap().is_empty());
        }
        assert!(since(&c, "land", 0, 5).unwrap().is_empty() && of_handover(&c, &HandoverId::new("h-1").unwrap()).unwrap().is_empty());
        assert_eq!(count_waiting(&c, "land").unwrap(), 0);
        let out = CheckedOut {
            id: CheckOutId::new("o-1").unwrap(),
            device_no: "BWC-017".into(),
            unit: UnitId::new("land").unwrap(),
            by: AccountId::new("nobody-here").unwrap(),
            by_name: "王建国".into(),
            at: DateTime::UNIX_EPOCH,
            battery: Some(95),
            free_gb: None,
            nothing: None,
        };
        put_check_out(&c, &out).unwrap();
        assert_eq!(check_out_by_id(&c, &out.id).unwrap().unwrap().out, out, "who took it needs no account");
        let ended = CheckedOut { nothing: Some(NothingCame { at: out.at, by: out.by.clone(), reason: "未使用".into() }), ..out };
        put_check_out(&c, &ended).unwrap();
        assert_eq!(all_check_outs(&c).unwrap()[0].out, ended);
    }

    #[test]
    fn what_waits_for_its_receipt_is_listed_however_much_was_received_since() {
        let c = crate::catalog::tests::connection();
        let put = |session: &str, handover: &str, at: i64, received: bool| {
            let text = "INSERT INTO handed_over (session, handover, unit, at, received) VALUES (?1, ?2, 'land', ?3, ?4)";
            c.execute(text, rusqlite::params![session, handover, at, received]).unwrap();
        };
        put("s-1", "h-old", 1, true);
        put("s-2", "h-old", 1, false);
        (0..9).for_each(|n| put(&format!("s-1{n}"), &format!("h-{n}"), 10 + n, true));
        let listed = handovers(&c, &["land".into()], 3).unwrap();
        let numbers: Vec<&str> = listed.iter().map(|h| h.id.as_str()).collect();
        assert_eq!(numbers, ["h-8", "h-7", "h-6", "h-old"]);
        assert_eq!((listed[3].sessions, listed[3].received), (2, 1));
    }
}
