//! How long sessions are kept, indexed: a row a session, made again whenever the session, a case of it, a provision of it or the table of
//! periods changes.

use crate::catalog::{COUNT_MAX, archive, bad_doc, cases, disposals, provisions, sessions};
use crate::machine::fault::Fault;
use crate::model::case::Case;
use crate::model::hold::{self, Hold};
use crate::model::provision::Provision;
use crate::model::retention::{self, Retention, RetentionClass, Table};
use crate::model::session::{Session, State};
use rusqlite::types::Value;
use rusqlite::{Connection, OptionalExtension, params, params_from_iter};

/// What a session's period depends on besides the session itself.
#[derive(Debug, Clone)]
pub struct Around {
    /// Every case that any link of it names.
    pub cases: Vec<Case>,
    /// Every provision that holds it.
    pub provisions: Vec<Provision>,
    /// The table of periods.
    pub table: Table,
}

impl Around {
    /// Its period.
    pub fn retention(&self, session: &Session) -> Retention {
        retention::of(session, &self.cases, &self.table)
    }
    /// Its holds.
    pub fn holds(&self, session: &Session) -> Vec<Hold> {
        hold::of(session, &self.cases, &self.provisions)
    }
}

/// The table of periods that is in force here.
pub fn table(c: &Connection) -> Result<Table, Fault> {
    let doc: Option<String> = c.prepare_cached("SELECT doc FROM retention_table")?.query_row([], |r| r.get(0)).optional()?;
    doc.map_or(Ok(Table { versions: vec![], margin_days: 0 }), |doc| serde_json::from_str(&doc).map_err(bad_doc("retention_table")))
}

/// Puts another table in force. The rows are made again by [`refresh_some`], a few at a time.
pub fn set_table(c: &Connection, table: &Table) -> Result<(), Fault> {
    let doc = serde_json::to_string(table).map_err(|e| Fault::of("encode", "the table of periods", e))?;
    c.execute("INSERT INTO retention_table (one, doc) VALUES (1, ?1) ON CONFLICT (one) DO UPDATE SET doc = excluded.doc", [doc])?;
    Ok(())
}

/// All that decides about a session.
pub fn around(c: &Connection, session: &Session) -> Result<Around, Fault> {
    let mut linked: Vec<Case> = Vec::new();
    for number in session.links.iter().filter_map(|l| l.facts.case_no.as_deref()) {
        for case in cases::by_number(c, number)? {
            if !linked.iter().any(|known| known.id == case.id) {
                linked.push(case);
            }
        }
    }
    Ok(Around { cases: linked, provisions: provisions::of_session(c, session.id.as_str())?, table: table(c)? })
}

/// Writes a session's row and its holds.
pub fn put(c: &Connection, session: &Session) -> Result<(), Fault> {
    let around = around(c, session)?;
    let (kept, holds) = (around.retention(session), around.holds(session));
    c.prepare_cached(
        "INSERT INTO retention (session, unit, class, earliest, held, gone, started_at, restricted) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
         ON CONFLICT (session) DO UPDATE SET class = excluded.class, earliest = excluded.earliest, held = excluded.held, gone = excluded.gone,
             started_at = excluded.started_at, restricted = excluded.restricted",
    )?
    .execute(params![
        session.id.as_str(),
        session.unit.as_str(),
        kept.class.as_str(),
        kept.earliest.map(|at| at.timestamp_millis()),
        hold::in_effect(&holds),
        session.state == State::Disposed,
        session.used_at().timestamp_millis(),
        session.facts().restricted,
    ])?;
    c.prepare_cached("DELETE FROM holds WHERE session = ?1")?.execute([session.id.as_str()])?;
    let mut add = c.prepare_cached("INSERT INTO holds (session, ground, about, since, state) VALUES (?1, ?2, ?3, ?4, ?5)")?;
    for h in &holds {
        add.execute(params![session.id.as_str(), h.ground.as_str(), h.about, h.since.timestamp_millis(), h.state().as_str()])?;
    }
    Ok(())
}

/// Makes a session's row again; one that is not indexed, or that runs, has none.
pub fn refresh(c: &Connection, session: &str) -> Result<(), Fault> {
    let doc: Option<String> = c.prepare_cached("SELECT doc FROM sessions WHERE id = ?1")?.query_row([session], |r| r.get(0)).optional()?;
    let Some(doc) = doc else { return Ok(()) };
    let session: Session = serde_json::from_str(&doc).map_err(bad_doc("sessions"))?;
    if session.ended_at.is_none() {
        return Ok(());
    }
    put(c, &session)?;
    archive::look_again(c, session.id.as_str())
}

/// Whether a session was given up.
pub fn is_gone(c: &Connection, session: &str) -> Result<bool, Fault> {
    let gone: Option<bool> =
        c.prepare_cached("SELECT gone FROM retention WHERE session = ?1")?.query_row([session], |r| r.get(0)).optional()?;
    Ok(gone.unwrap_or(false))
}

/// How many sessions that have ended have no row: of a catalog from before there were any.
pub fn unmade(c: &Connection) -> Result<u64, Fault> {
    let (sessions, rows) = ("SELECT count(*) FROM sessions WHERE length_ms IS NOT NULL", "SELECT count(*) FROM retention");
    let count = |query: &str| Ok::<i64, Fault>(c.query_row(query, [], |r| r.get(0))?);
    Ok((count(sessions)? - count(rows)?).max(0) as u64)
}

/// Makes so many rows again, those behind a session in the order of their numbers; gives the last one, or none when all are done.
pub fn refresh_some(c: &Connection, behind: &str, rows_max: u32) -> Result<Option<String>, Fault> {
    let mut next = c.prepare_cached("SELECT id FROM sessions WHERE id > ?1 ORDER BY id LIMIT ?2")?;
    let ids: Vec<String> = next.query_map(params![behind, rows_max], |r| r.get(0))?.collect::<Result<_, _>>()?;
    ids.iter().try_for_each(|id| refresh(c, id))?;
    Ok(ids.into_iter().next_back())
}

/// What a list shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wanted {
    /// Period over, held by nothing.
    Over,
    /// The same without what somebody has proposed to give up: to be appraised.
    Due,
    /// Of a class.
    Class(RetentionClass),
    /// Held by something.
    Held,
    /// Given up.
    Gone,
}

/// Whose rows, and which.
#[derive(Debug, Clone)]
pub struct Filter {
    /// Only these units.
    pub units: Vec<String>,
    /// Which.
    pub wanted: Wanted,
    /// Now, ms since 1970.
    pub now_ms: i64,
    /// As in `catalog::sessions::Filter`.
    pub restricted_to: Option<(String, Option<String>)>,
}

/// A row of a list.
#[derive(Debug, Clone)]
pub struct Row {
    /// The session.
    pub session: Session,
    /// As what.
    pub class: RetentionClass,
    /// Held.
    pub held: bool,
    /// The first moment at which it may go, ms since 1970.
    pub earliest_ms: Option<i64>,
}

/// Those that fit; the longest overdue first, else the newest. Also how many there are, counted up to [`COUNT_MAX`] and one more.
pub fn find(c: &Connection, filter: &Filter, skip: u32, rows_max: u32) -> Result<(Vec<Row>, u64), Fault> {
    let fitting = fitting(c, filter, u64::from(skip) + u64::from(rows_max))?;
    let mut one = c.prepare_cached(
        "SELECT s.doc, r.class, r.held, r.earliest FROM retention r JOIN sessions s ON s.id = r.session WHERE r.session = ?1",
    )?;
    let rows = fitting.iter().skip(skip as usize).take(rows_max as usize).map(|id| {
        one.query_row([id], |r| Ok((r.get::<_, String>(0)?, r.get::<_, String>(1)?, r.get::<_, bool>(2)?, r.get::<_, Option<i64>>(3)?)))
    });
    let row = |(doc, class, held, earliest_ms): (String, String, bool, Option<i64>)| {
        let class = RetentionClass::from_word(&class).unwrap_or(RetentionClass::Unclassified);
        Ok(Row { session: serde_json::from_str(&doc).map_err(bad_doc("sessions"))?, class, held, earliest_ms })
    };
    Ok((rows.map(|r| row(r?)).collect::<Result<_, Fault>>()?, (fitting.len() as u64).min(COUNT_MAX + 1)))
}

/// How many fit, counted up to [`COUNT_MAX`] and one more, without putting them in order.
pub fn count(c: &Connection, filter: &Filter) -> Result<u64, Fault> {
    let (condition, values, _) = condition(filter);
    let text = format!("SELECT count(*) FROM (SELECT 1 FROM retention r WHERE {condition} LIMIT {})", COUNT_MAX + 1);
    let count: i64 = c.prepare_cached(&text)?.query_row(params_from_iter(&values), |r| r.get(0))?;
    Ok(count as u64)
}

/// The sessions of a list in its order, so many or as many as are counted: from an index alone, but for what is restricted.
fn fitting(c: &Connection, filter: &Filter, rows: u64) -> Result<Vec<String>, Fault> {
    let (condition, mut values, order) = condition(filter);
    values.push(Value::from(rows.max(COUNT_MAX + 1) as i64));
    let mut statement = c.prepare_cached(&format!("SELECT r.session FROM retention r WHERE {condition} ORDER BY {order} LIMIT ?"))?;
    Ok(statement.query_map(params_from_iter(&values), |r| r.get(0))?.collect::<Result<_, _>>()?)
}

/// The `WHERE` text, its values, and the order of a list.
fn condition(filter: &Filter) -> (String, Vec<Value>, &'static str) {
    let mut values: Vec<Value> = Vec::new();
    let (condition, order) = match filter.wanted {
        Wanted::Over | Wanted::Due => {
            values.push(Value::from(filter.now_ms));
            ("r.gone = 0 AND r.held = 0 AND r.earliest IS NOT NULL AND r.earliest <= ?", "r.earliest, r.session")
        }
        Wanted::Class(class) => {
            values.push(Value::from(class.as_str().to_owned()));
            ("r.gone = 0 AND r.class = ?", "r.started_at DESC")
        }
        Wanted::Held => ("r.gone = 0 AND r.held = 1", "r.started_at DESC"),
        Wanted::Gone => ("r.gone = 1", "r.started_at DESC"),
    };
    let mut condition = format!("{condition} AND r.unit IN ({})", vec!["?"; filter.units.len()].join(", "));
    values.extend(filter.units.iter().cloned().map(Value::from));
    if filter.wanted == Wanted::Due {
        condition += &format!(" AND NOT EXISTS ({})", disposals::OPEN_OF_ROW);
    }
    if let Some((account, certificate_no)) = &filter.restricted_to {
        condition +=
            &format!(" AND (r.restricted = 0 OR EXISTS (SELECT 1 FROM sessions WHERE id = r.session AND {}))", sessions::UNRESTRICTED);
        values.extend(sessions::unrestricted(account, certificate_no.as_ref()));
    }
    (condition, values, order)
}

/// Sessions with a hold in one of these states, of these units, newest hold first.
pub fn held(c: &Connection, filter: &Filter, states: &[&str], rows_max: u32) -> Result<Vec<Session>, Fault> {
    let mut values: Vec<Value> =
        states.iter().chain(&filter.units.iter().map(String::as_str).collect::<Vec<_>>()).map(|t| Value::from((*t).to_owned())).collect();
    let marks = |n: usize| vec!["?"; n].join(", ");
    let mut condition = format!("h.state IN ({}) AND s.unit IN ({})", marks(states.len()), marks(filter.units.len()));
    if let Some((account, certificate_no)) = &filter.restricted_to {
        condition += &format!(" AND {}", sessions::UNRESTRICTED);
        values.extend(sessions::unrestricted(account, certificate_no.as_ref()));
    }
    values.push(Value::from(i64::from(rows_max)));
    let mut statement = c.prepare_cached(&format!(
        "SELECT s.doc FROM holds h JOIN sessions s ON s.id = h.session WHERE {condition} GROUP BY s.id ORDER BY max(h.since) DESC LIMIT ?"
    ))?;
    let docs = statement.query_map(params_from_iter(&values), |r| r.get::<_, String>(0))?;
    docs.map(|doc| serde_json::from_str(&doc?).map_err(bad_doc("sessions"))).collect()
}
