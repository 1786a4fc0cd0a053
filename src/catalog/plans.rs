//! Planned sessions.

use crate::catalog::bad_doc;
use crate::machine::fault::Fault;
use crate::model::ids::PlanId;
use crate::model::plan::Plan;
use rusqlite::{Connection, OptionalExtension, params};

/// Writes a plan as it stands now.
pub fn put(c: &Connection, plan: &Plan) -> Result<(), Fault> {
    let doc = serde_json::to_string(plan).map_err(|e| Fault::of("encode", "a plan", e))?;
    c.execute(
        "INSERT INTO plans (id, room, unit, at, doc) VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT (id) DO UPDATE SET doc = excluded.doc",
        params![plan.id.as_str(), plan.room.as_str(), plan.unit.as_str(), plan.at.timestamp_millis(), doc],
    )?;
    Ok(())
}

/// One plan.
pub fn by_id(c: &Connection, id: &PlanId) -> Result<Option<Plan>, Fault> {
    let mut statement = c.prepare_cached("SELECT doc FROM plans WHERE id = ?1")?;
    let doc: Option<String> = statement.query_row([id.as_str()], |r| r.get(0)).optional()?;
    doc.map(|doc| serde_json::from_str(&doc).map_err(bad_doc("plans"))).transpose()
}

/// Those whose time lies in a span (ms since 1970, the end not included), earliest first.
pub fn between(c: &Connection, from_ms: i64, until_ms: i64) -> Result<Vec<Plan>, Fault> {
    let mut statement = c.prepare_cached("SELECT doc FROM plans WHERE at >= ?1 AND at < ?2 ORDER BY at LIMIT 2000")?;
    let docs = statement.query_map([from_ms, until_ms], |r| r.get::<_, String>(0))?;
    docs.map(|doc| serde_json::from_str(&doc?).map_err(bad_doc("plans"))).collect()
}
