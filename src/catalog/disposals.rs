//! Disposals (第十八条), indexed; each is a file of its own, `disposals/<id>/disposal.json`.

use crate::catalog::{archive, bad_doc};
use crate::machine::fault::Fault;
use crate::model::disposal::{Disposal, DisposalState, Outcome};
use crate::model::ids::DisposalId;
use rusqlite::{Connection, Params, params};

/// Whether a row `r` of `retention` is in a disposal that waits for a decision or is being carried out.
pub const OPEN_OF_ROW: &str = "SELECT 1 FROM disposal_sessions o JOIN disposals d ON d.id = o.disposal
    WHERE o.session = r.session AND d.state IN ('proposed', 'approved')";

/// Adds or replaces one.
pub fn put(c: &Connection, d: &Disposal) -> Result<(), Fault> {
    let doc = serde_json::to_string(d).map_err(|e| Fault::of("encode", "a disposal", e))?;
    c.execute(
        "INSERT INTO disposals (id, unit, state, proposed_at, doc) VALUES (?1, ?2, ?3, ?4, ?5)
         ON CONFLICT (id) DO UPDATE SET state = excluded.state, doc = excluded.doc",
        params![d.id.as_str(), d.unit.as_str(), d.state.as_str(), d.proposed.at.timestamp_millis(), doc],
    )?;
    let mut of = c.prepare_cached("INSERT OR IGNORE INTO disposal_sessions (session, disposal) VALUES (?1, ?2)")?;
    d.items.iter().try_for_each(|i| of.execute([i.session.as_str(), d.id.as_str()]).map(drop))?;
    for item in &d.items {
        if let Some(Outcome::Gone { at, .. }) = &item.outcome {
            let folder = format!("footage/{}", item.folder);
            archive::want_once(c, "tombstone", item.session.as_str(), &folder, at.timestamp_millis())?;
        }
    }
    let changed = d.executed_at.or(d.decided.as_ref().map(|w| w.at)).unwrap_or(d.proposed.at);
    archive::want(c, "disposal", d.id.as_str(), &format!("disposals/{}", d.id), changed.timestamp_millis())
}

fn some(c: &Connection, tail: &str, values: impl Params) -> Result<Vec<Disposal>, Fault> {
    let mut statement = c.prepare_cached(&format!("SELECT doc FROM disposals {tail}"))?;
    let docs = statement.query_map(values, |r| r.get::<_, String>(0))?;
    docs.map(|doc| serde_json::from_str(&doc?).map_err(bad_doc("disposals"))).collect()
}

/// By number.
pub fn by_id(c: &Connection, id: &DisposalId) -> Result<Option<Disposal>, Fault> {
    Ok(some(c, "WHERE id = ?1", [id.as_str()])?.pop())
}

/// Newest first.
pub fn newest(c: &Connection, rows_max: u32) -> Result<Vec<Disposal>, Fault> {
    some(c, "ORDER BY proposed_at DESC LIMIT ?1", [rows_max])
}

/// Those in a state, the oldest first.
pub fn in_state(c: &Connection, state: DisposalState) -> Result<Vec<Disposal>, Fault> {
    some(c, "WHERE state = ?1 ORDER BY proposed_at", [state.as_str()])
}

/// Those that were carried out and not closed, with sessions that lie on media besides.
pub fn with_media(c: &Connection) -> Result<Vec<Disposal>, Fault> {
    let tail = "WHERE state = 'executed' AND doc ->> '$.closed' IS NULL AND id IN
        (SELECT disposal FROM disposal_sessions JOIN media_sessions USING (session)) ORDER BY proposed_at";
    some(c, tail, [])
}

/// The one by which a session was given up.
pub fn of_gone(c: &Connection, session: &str) -> Result<Option<Disposal>, Fault> {
    let tail = "WHERE state IN ('approved', 'executed') AND id IN (SELECT disposal FROM disposal_sessions WHERE session = ?1)
        ORDER BY proposed_at";
    let is_gone = |d: &Disposal| d.items.iter().any(|i| i.session.as_str() == session && i.is_gone());
    Ok(some(c, tail, [session])?.into_iter().rfind(is_gone))
}

/// Those that name a session.
pub fn of_session(c: &Connection, session: &str) -> Result<Vec<Disposal>, Fault> {
    some(c, "WHERE id IN (SELECT disposal FROM disposal_sessions WHERE session = ?1) ORDER BY proposed_at", [session])
}

/// One that waits for a decision or is being carried out, of a session.
pub fn open_for(c: &Connection, session: &str) -> Result<Option<Disposal>, Fault> {
    let tail = "WHERE state IN ('proposed', 'approved') AND id IN (SELECT disposal FROM disposal_sessions WHERE session = ?1)";
    Ok(some(c, tail, [session])?.pop())
}
