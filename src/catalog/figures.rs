//! What waits, in numbers, for the metrics: each from an index, so that a scrape costs nothing.

use crate::catalog::COUNT_MAX;
use crate::machine::fault::Fault;
use rusqlite::{Connection, ToSql};

/// Numbers of what waits; lists that can be long are counted up to 10,001.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Figures {
    /// Sessions that ended and are not sealed yet.
    pub unsealed: u64,
    /// Sealed, and not received by the custodian.
    pub to_hand_over: u64,
    /// Requests that nobody decided.
    pub requests: u64,
    /// Approvals in force.
    pub grants: u64,
    /// Period over, held by nothing.
    pub due: u64,
    /// Held.
    pub held: u64,
    /// Holds that nobody confirmed.
    pub holds_unconfirmed: u64,
    /// Proposed disposals.
    pub disposals: u64,
    /// Alarms of rooms in use that nobody answered.
    pub alarms: u64,
    /// Manifests and heads without their first timestamp.
    pub unstamped: u64,
}

/// Reads them.
pub fn read(c: &Connection, now_ms: i64) -> Result<Figures, Fault> {
    let count = |from: &str, values: &[&dyn ToSql]| {
        let text = format!("SELECT count(*) FROM (SELECT 1 FROM {from} LIMIT {})", COUNT_MAX + 1);
        Ok::<_, Fault>(c.prepare_cached(&text)?.query_row(values, |r| r.get::<_, i64>(0))? as u64)
    };
    let of_state = |table: &str, state: &str| count(&format!("{table} WHERE state = ?1"), &[&state]);
    Ok(Figures {
        unsealed: count("sessions WHERE state = 'ended'", &[])?,
        to_hand_over: count("sessions WHERE state IN ('sealed', 'handed_over') AND state = 'sealed'", &[])?,
        requests: of_state("requests", "submitted")?,
        grants: count("requests WHERE state = 'approved' AND unixepoch(json_extract(doc, '$.until')) * 1000 > ?1", &[&now_ms])?,
        due: count("retention WHERE gone = 0 AND held = 0 AND earliest IS NOT NULL AND earliest <= ?1", &[&now_ms])?,
        held: count("retention WHERE gone = 0 AND held = 1", &[])?,
        holds_unconfirmed: of_state("holds", "proposed")?,
        disposals: of_state("disposals", "proposed")?,
        alarms: count("alarms WHERE acknowledged_at IS NULL AND kind = 'room_in_use'", &[])?,
        unstamped: count("timestamps WHERE good_until IS NULL", &[])?,
    })
}
