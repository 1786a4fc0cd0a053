//! Cases, indexed by number, party and cause; and which sessions are linked to which number.

use crate::catalog::order::Column::{self, Text, Value as Kept};
use crate::catalog::order::Order;
use crate::catalog::{archive, bad_doc, pairs, retention, sessions};
use crate::machine::fault::Fault;
use crate::model::case::Case;
use crate::model::ids::CaseId;
use crate::model::session::Session;
use rusqlite::types::Value;
use rusqlite::{Connection, OptionalExtension, params, params_from_iter};

/// What to look for; `None` does not narrow.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// Only these units.
    pub units: Vec<String>,
    /// A number, a party, a cause, or a part.
    pub text: Option<String>,
    /// A state.
    pub state: Option<String>,
    /// Of restricted ones, only what this account opened or is named on by its certificate number; `None`: all.
    pub restricted_to: Option<(String, Option<String>)>,
    /// In which order of [`COLUMNS`]; `None`: the newest first.
    pub order: Option<Order>,
}

/// Writes a case as it stands now.
pub fn put(c: &Connection, case: &Case) -> Result<(), Fault> {
    let doc = serde_json::to_string(case).map_err(|e| Fault::of("encode", "a case", e))?;
    let facts = case.facts();
    let officers: String = facts.officers.iter().filter_map(|o| Some(format!("（{}）", o.certificate_no.as_ref()?))).collect();
    let first = case.versions.first();
    let row: i64 = c.query_row(
        "INSERT INTO cases (id, intake_no, unit, state, restricted, officers, opened_by, opened_at, doc) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)
         ON CONFLICT (id) DO UPDATE SET state = excluded.state, restricted = excluded.restricted, officers = excluded.officers, doc = excluded.doc
         RETURNING row",
        params![
            case.id.as_str(),
            case.intake_no,
            case.unit.as_str(),
            case.state.as_str(),
            facts.restricted,
            officers,
            first.map(|v| v.by.as_str()).unwrap_or_default(),
            first.map_or(0, |v| v.at.timestamp_millis()),
            doc
        ],
        |r| r.get(0),
    )?;
    for number in case.numbers() {
        c.execute("INSERT OR IGNORE INTO case_numbers (number, id) VALUES (?1, ?2)", params![number, case.id.as_str()])?;
    }
    put_search(c, row, case)?;
    // What is linked to it is kept as long, and listed as narrowly, as it says now.
    for number in case.numbers() {
        let mut linked = c.prepare_cached("SELECT session FROM session_cases WHERE case_no = ?1")?;
        let found: Vec<String> = linked.query_map([number], |r| r.get(0))?.collect::<Result<_, _>>()?;
        if facts.restricted {
            found.iter().try_for_each(|s| sessions::inherit(c, s))?;
        }
        found.iter().try_for_each(|s| retention::refresh(c, s))?;
    }
    let changed = case.versions.last().map_or(0, |v| v.at.timestamp_millis());
    archive::want(c, "case", case.id.as_str(), &format!("cases/{}", case.id), changed)
}

/// Notes every case number that a session is or was linked to.
pub fn link(c: &Connection, session: &Session) -> Result<(), Fault> {
    for number in session.links.iter().filter_map(|l| l.facts.case_no.as_deref()) {
        c.prepare_cached("INSERT OR IGNORE INTO session_cases (case_no, session) VALUES (?1, ?2)")?
            .execute(params![number, session.id.as_str()])?;
    }
    Ok(())
}

/// Writes what a case is found by; what it was called before still finds it.
pub(super) fn put_search(c: &Connection, row: i64, case: &Case) -> Result<(), Fault> {
    let parties: Vec<&str> = case.versions.iter().flat_map(|v| v.facts.parties.iter().map(String::as_str)).collect();
    let causes: Vec<&str> = case.versions.iter().filter_map(|v| v.facts.cause.as_deref()).collect();
    c.prepare_cached("DELETE FROM case_search WHERE rowid = ?1")?.execute([row])?;
    c.prepare_cached("INSERT INTO case_search (rowid, numbers, parties, cause) VALUES (?1, ?2, ?3, ?4)")?.execute(params![
        row,
        pairs::index(&case.numbers().join(" / ")),
        pairs::index(&parties.join(" / ")),
        pairs::index(&causes.join(" / "))
    ])?;
    Ok(())
}

/// One case.
pub fn by_id(c: &Connection, id: &CaseId) -> Result<Option<Case>, Fault> {
    let mut statement = c.prepare_cached("SELECT doc FROM cases WHERE id = ?1")?;
    let doc: Option<String> = statement.query_row([id.as_str()], |r| r.get(0)).optional()?;
    doc.map(|doc| serde_json::from_str(&doc).map_err(bad_doc("cases"))).transpose()
}

/// The cases that have or had a number.
pub fn by_number(c: &Connection, number: &str) -> Result<Vec<Case>, Fault> {
    let mut statement = c.prepare_cached("SELECT doc FROM cases JOIN case_numbers USING (id) WHERE number = ?1")?;
    let docs = statement.query_map([number], |r| r.get::<_, String>(0))?;
    docs.map(|doc| serde_json::from_str(&doc?).map_err(bad_doc("cases"))).collect()
}

/// How many intake numbers begin so; the next one is one more.
pub fn intakes(c: &Connection, begins: &str) -> Result<u64, Fault> {
    let count: i64 = c.query_row("SELECT count(*) FROM cases WHERE substr(intake_no, 1, length(?1)) = ?1", [begins], |r| r.get(0))?;
    Ok(count as u64)
}

/// What the list can be put in order by.
pub const COLUMNS: [(&str, Column); 5] = [
    ("number", Text("coalesce(json_extract(doc, '$.versions[#-1].facts.number'), intake_no)")),
    ("cause", Text("json_extract(doc, '$.versions[#-1].facts.cause')")),
    ("unit", Kept("unit")),
    ("state", Kept("state")),
    ("opened", Kept("opened_at")),
];

/// Those that fit, newest first, and how many there are in all.
pub fn find(c: &Connection, filter: &Filter, skip: u32, rows_max: u32) -> Result<(Vec<Case>, u64), Fault> {
    let mut all = vec![format!("unit IN ({})", vec!["?"; filter.units.len()].join(", "))];
    let mut values: Vec<Value> = filter.units.iter().cloned().map(Value::from).collect();
    if let Some(state) = &filter.state {
        all.push("state = ?".into());
        values.push(Value::from(state.clone()));
    }
    if let Some((account, certificate_no)) = &filter.restricted_to {
        all.push("(restricted = 0 OR opened_by = ? OR instr(officers, ?) > 0)".into());
        let number = certificate_no.as_ref().map_or_else(|| "\u{0}".to_owned(), |no| format!("（{no}）"));
        values.extend([Value::from(account.clone()), Value::from(number)]);
    }
    if let Some(text) = &filter.text {
        let Some(query) = pairs::query("numbers parties cause", text) else { return Ok((vec![], 0)) };
        all.push("row IN (SELECT rowid FROM case_search WHERE case_search MATCH ?)".into());
        values.push(Value::from(query));
    }
    let condition = all.join(" AND ");
    let total: i64 =
        c.prepare_cached(&format!("SELECT count(*) FROM cases WHERE {condition}"))?.query_row(params_from_iter(&values), |r| r.get(0))?;
    values.extend([Value::from(i64::from(rows_max)), Value::from(i64::from(skip))]);
    let order = filter.order.map(|order| format!("{}, ", order.sql())).unwrap_or_default();
    let mut statement =
        c.prepare_cached(&format!("SELECT doc FROM cases WHERE {condition} ORDER BY {order}opened_at DESC LIMIT ? OFFSET ?"))?;
    let docs = statement.query_map(params_from_iter(&values), |r| r.get::<_, String>(0))?;
    let cases = docs.map(|doc| serde_json::from_str(&doc?).map_err(bad_doc("cases"))).collect::<Result<_, Fault>>()?;
    Ok((cases, total as u64))
}

/// The sessions that are or were linked to any of these numbers, oldest first.
pub fn sessions(c: &Connection, numbers: &[String]) -> Result<Vec<Session>, Fault> {
    let marks = vec!["?"; numbers.len()].join(", ");
    let mut statement = c.prepare_cached(&format!(
        "SELECT doc FROM sessions WHERE id IN (SELECT session FROM session_cases WHERE case_no IN ({marks})) ORDER BY started_at LIMIT 1000"
    ))?;
    let docs = statement.query_map(params_from_iter(numbers), |r| r.get::<_, String>(0))?;
    docs.map(|doc| serde_json::from_str(&doc?).map_err(bad_doc("sessions"))).collect()
}

/// Those that were opened in a span (ms since 1970, the end not included).
pub fn between(c: &Connection, from_ms: i64, until_ms: i64) -> Result<Vec<Case>, Fault> {
    let mut statement = c.prepare_cached("SELECT doc FROM cases WHERE opened_at >= ?1 AND opened_at < ?2")?;
    let docs = statement.query_map([from_ms, until_ms], |r| r.get::<_, String>(0))?;
    docs.map(|doc| serde_json::from_str(&doc?).map_err(bad_doc("cases"))).collect()
}
