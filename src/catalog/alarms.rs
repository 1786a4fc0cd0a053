//! Alarms, and what people said to them.

use crate::machine::fault::Fault;
use crate::model::in_use::AlarmRow;
use rusqlite::{Connection, Row, params};

const COLUMNS: &str = "id, room, began_at, ended_at, acknowledged_at, acknowledged_by, reason";

fn row(r: &Row<'_>) -> rusqlite::Result<AlarmRow> {
    Ok(AlarmRow {
        id: r.get(0)?,
        room: r.get(1)?,
        began_at: r.get(2)?,
        ended_at: r.get(3)?,
        acknowledged_at: r.get(4)?,
        acknowledged_by: r.get(5)?,
        reason: r.get(6)?,
    })
}

/// Writes one as it stands now.
pub fn put(c: &Connection, a: &AlarmRow) -> Result<(), Fault> {
    c.execute(
        "INSERT INTO alarms (id, room, began_at, ended_at, acknowledged_at, acknowledged_by, reason) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
         ON CONFLICT (id) DO UPDATE SET ended_at = excluded.ended_at, acknowledged_at = excluded.acknowledged_at,
             acknowledged_by = excluded.acknowledged_by, reason = excluded.reason",
        params![a.id, a.room, a.began_at, a.ended_at, a.acknowledged_at, a.acknowledged_by, a.reason],
    )?;
    Ok(())
}

/// The newest, newest first.
pub fn newest(c: &Connection, rows_max: u32) -> Result<Vec<AlarmRow>, Fault> {
    let mut statement = c.prepare_cached(&format!("SELECT {COLUMNS} FROM alarms ORDER BY began_at DESC LIMIT ?1"))?;
    Ok(statement.query_map([rows_max], row)?.collect::<Result<_, _>>()?)
}

/// Those that nobody has answered.
pub fn unanswered(c: &Connection) -> Result<Vec<AlarmRow>, Fault> {
    let mut statement = c.prepare_cached(&format!("SELECT {COLUMNS} FROM alarms WHERE acknowledged_at IS NULL ORDER BY began_at"))?;
    Ok(statement.query_map([], row)?.collect::<Result<_, _>>()?)
}
