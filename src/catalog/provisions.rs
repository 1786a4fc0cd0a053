//! Provisions (第二十一条), and the holds that they bring (第十九条).

use crate::catalog::{archive, bad_doc, retention};
use crate::machine::fault::Fault;
use crate::model::ids::ProvisionId;
use crate::model::provision::Provision;
use rusqlite::{Connection, Params, params};

/// Adds or replaces one.
pub fn put(c: &Connection, p: &Provision) -> Result<(), Fault> {
    let doc = serde_json::to_string(p).map_err(|e| Fault::of("encode", "a provision", e))?;
    let at = p.entered_at.timestamp_millis();
    c.execute(
        "INSERT INTO provisions (id, state, entered_at, doc) VALUES (?1, ?2, ?3, ?4)
         ON CONFLICT (id) DO UPDATE SET state = excluded.state, doc = excluded.doc",
        params![p.id.as_str(), p.state.as_str(), at, doc],
    )?;
    let mut of = c.prepare_cached("INSERT OR IGNORE INTO provision_sessions (session, provision) VALUES (?1, ?2)")?;
    p.sessions.iter().try_for_each(|s| of.execute([s.as_str(), p.id.as_str()]).map(drop))?;
    // What is provided is held from this moment on (第十九条).
    p.sessions.iter().try_for_each(|s| retention::refresh(c, s.as_str()))?;
    archive::want(c, "provision", p.id.as_str(), &format!("provisions/{}", p.id), at)
}

/// Those that hold a session.
pub fn of_session(c: &Connection, session: &str) -> Result<Vec<Provision>, Fault> {
    some(c, "WHERE id IN (SELECT provision FROM provision_sessions WHERE session = ?1)", [session])
}

fn some(c: &Connection, tail: &str, values: impl Params) -> Result<Vec<Provision>, Fault> {
    let mut statement = c.prepare_cached(&format!("SELECT doc FROM provisions {tail}"))?;
    let docs = statement.query_map(values, |r| r.get::<_, String>(0))?;
    docs.map(|doc| serde_json::from_str(&doc?).map_err(bad_doc("provisions"))).collect()
}

/// By number.
pub fn by_id(c: &Connection, id: &ProvisionId) -> Result<Option<Provision>, Fault> {
    Ok(some(c, "WHERE id = ?1", [id.as_str()])?.pop())
}

/// Newest first.
pub fn newest(c: &Connection, rows_max: u32) -> Result<Vec<Provision>, Fault> {
    some(c, "ORDER BY entered_at DESC LIMIT ?1", [rows_max])
}
