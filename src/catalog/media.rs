//! The register of media (第十九条), indexed; and which held sessions have no second medium yet.

use crate::catalog::{archive, bad_doc};
use crate::machine::fault::Fault;
use crate::model::ids::{MediumId, SessionId};
use crate::model::medium::{Medium, verified_whole};
use chrono::{DateTime, NaiveDate, Utc};
use rusqlite::{Connection, OptionalExtension, Params, params, params_from_iter};

/// Adds or replaces one.
pub fn put(c: &Connection, m: &Medium) -> Result<(), Fault> {
    let doc = serde_json::to_string(m).map_err(|e| Fault::of("encode", "a medium", e))?;
    let next_check = m.next_check().map(|day| day.to_string());
    c.execute(
        "INSERT INTO media (id, unit, kind, state, ordered_at, next_check, doc) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
         ON CONFLICT (id) DO UPDATE SET state = excluded.state, next_check = excluded.next_check, doc = excluded.doc",
        params![m.id.as_str(), m.unit.as_str(), m.kind.as_str(), m.state.as_str(), m.ordered_at.timestamp_millis(), next_check, doc],
    )?;
    let verified_at = m.verified_at().map(|at| at.timestamp_millis());
    let mut part = c.prepare_cached(
        "INSERT INTO media_sessions (session, medium, part, parts, verified_at) VALUES (?1, ?2, ?3, ?4, ?5)
         ON CONFLICT (session, medium, part) DO UPDATE SET verified_at = excluded.verified_at",
    )?;
    m.parts.iter().try_for_each(|p| part.execute(params![p.session.as_str(), m.id.as_str(), p.part, p.parts, verified_at]).map(drop))?;
    let changed = m.history.last().map_or(m.ordered_at, |change| change.at);
    archive::want(c, "medium", m.id.as_str(), &format!("media/{}", m.id), changed.timestamp_millis())
}

fn some(c: &Connection, tail: &str, values: impl Params) -> Result<Vec<Medium>, Fault> {
    let mut statement = c.prepare_cached(&format!("SELECT doc FROM media {tail}"))?;
    let docs = statement.query_map(values, |r| r.get::<_, String>(0))?;
    docs.map(|doc| serde_json::from_str(&doc?).map_err(bad_doc("media"))).collect()
}

/// By number.
pub fn by_id(c: &Connection, id: &MediumId) -> Result<Option<Medium>, Fault> {
    Ok(some(c, "WHERE id = ?1", [id.as_str()])?.pop())
}

/// Newest first.
pub fn newest(c: &Connection, rows_max: u32) -> Result<Vec<Medium>, Fault> {
    some(c, "ORDER BY ordered_at DESC, id DESC LIMIT ?1", [rows_max])
}

/// Those of which a copy is to be read by a day, the longest due first.
pub fn due(c: &Connection, by: NaiveDate) -> Result<Vec<Medium>, Fault> {
    some(c, "WHERE next_check <= ?1 ORDER BY next_check", [by.to_string()])
}

/// How many of these units (none: of all) have a copy that is to be read by a day.
pub fn count_due(c: &Connection, units: Option<&[String]>, by: NaiveDate) -> Result<usize, Fault> {
    let marks = units.map_or_else(|| "1".to_owned(), |units| format!("unit IN ({})", vec!["?"; units.len()].join(", ")));
    let text = format!("SELECT count(*) FROM media WHERE next_check <= ? AND {marks}");
    let values = std::iter::once(by.to_string()).chain(units.unwrap_or_default().iter().cloned());
    Ok(c.prepare_cached(&text)?.query_row(params_from_iter(values), |r| r.get::<_, i64>(0))? as usize)
}

/// Those that hold a session or a part of it.
pub fn of_session(c: &Connection, session: &SessionId) -> Result<Vec<Medium>, Fault> {
    some(c, "WHERE id IN (SELECT medium FROM media_sessions WHERE session = ?1) ORDER BY id", [session.as_str()])
}

/// A held session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Held {
    /// Which.
    pub session: SessionId,
    /// The earliest of its holds.
    pub since: DateTime<Utc>,
    /// When all of it was last found right on media.
    pub verified_at: Option<DateTime<Utc>>,
}

fn moment(ms: i64) -> DateTime<Utc> {
    DateTime::from_timestamp_millis(ms).unwrap_or(DateTime::UNIX_EPOCH)
}

/// Every held session of these units (none: all), the longest held first.
pub fn held(c: &Connection, units: Option<&[String]>) -> Result<Vec<Held>, Fault> {
    let marks = units.map_or_else(|| "1".to_owned(), |units| format!("unit IN ({})", vec!["?"; units.len()].join(", ")));
    let mut statement = c.prepare(&format!(
        "SELECT h.session, min(h.since) FROM holds h JOIN sessions s ON s.id = h.session WHERE h.state <> 'lifted' AND {marks} GROUP BY h.session ORDER BY 2"
    ))?;
    let rows = statement.query_map(params_from_iter(units.unwrap_or_default()), |r| Ok((r.get::<_, String>(0)?, r.get::<_, i64>(1)?)))?;
    let mut held = Vec::new();
    for row in rows {
        let (session, since) = row?;
        let Ok(session) = SessionId::new(&session) else { continue };
        held.push(Held { verified_at: verified(c, &session)?, session, since: moment(since) });
    }
    Ok(held)
}

/// When all of a session was last found right on media.
pub fn verified(c: &Connection, session: &SessionId) -> Result<Option<DateTime<Utc>>, Fault> {
    let mut statement = c.prepare_cached("SELECT part, parts, verified_at FROM media_sessions WHERE session = ?1")?;
    let rows = statement.query_map([session.as_str()], |r| Ok((r.get(0)?, r.get(1)?, r.get::<_, Option<i64>>(2)?.map(moment))))?;
    Ok(verified_whole(&rows.collect::<Result<Vec<_>, _>>()?))
}

/// The highest number of a year, by its beginning: `d-2026-`.
pub fn last_number(c: &Connection, begins: &str) -> Result<Option<String>, Fault> {
    let mut statement =
        c.prepare_cached("SELECT id FROM media WHERE substr(id, 1, length(?1)) = ?1 ORDER BY length(id) DESC, id DESC LIMIT 1")?;
    Ok(statement.query_row([begins], |r| r.get(0)).optional()?)
}
