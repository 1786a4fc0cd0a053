//! Sessions, indexed by the six fields of 第十七条.

use crate::catalog::order::Column::{self, Text, Value as Kept};
use crate::catalog::order::Order;
use crate::catalog::{COUNT_MAX, archive, bad_doc, cases, imports, retention, search, timestamps};
use crate::machine::fault::Fault;
use crate::model::facts::Facts;
use crate::model::ids::SessionId;
use crate::model::manifest::FILE;
use crate::model::missing;
use crate::model::session::{Session, State};
use rusqlite::types::Value;
use rusqlite::{Connection, OptionalExtension, params};
use std::borrow::Cow;

/// What to look for; `None` does not narrow.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// Only these units; `None`: all.
    pub units: Option<Vec<String>>,
    /// Device number, or a part.
    pub device_no: Option<String>,
    /// Officer's name or certificate number, or a part.
    pub officer: Option<String>,
    /// From this ms since 1970.
    pub from_ms: Option<i64>,
    /// Before this ms since 1970.
    pub until_ms: Option<i64>,
    /// Party, or a part.
    pub party: Option<String>,
    /// Cause of action, or a part.
    pub cause: Option<String>,
    /// Anything of the six, or a number.
    pub text: Option<String>,
    /// Of restricted ones, only what this account started or is named on by its certificate number; `None`: all.
    pub restricted_to: Option<(String, Option<String>)>,
    /// In which order of [`COLUMNS`]; `None`: the newest first.
    pub order: Option<Order>,
}

/// What the list can be put in order by.
pub const COLUMNS: [(&str, Column); 7] = [
    ("at", Kept("started_at")),
    ("length", Kept("length_ms")),
    ("kind", Kept("kind")),
    ("party", Text("party")),
    ("cause", Text("cause")),
    ("case", Text("case_no")),
    ("state", Kept("state")),
];

/// The same sessions in another order; what is absent comes last, equals the newest first.
fn ordered(c: &Connection, numbers: &[i64], order: Order) -> Result<Vec<i64>, Fault> {
    let text =
        format!("SELECT number FROM sessions WHERE number IN (SELECT value FROM json_each(?1)) ORDER BY {}, number DESC", order.sql());
    let list = format!("[{}]", numbers.iter().map(ToString::to_string).collect::<Vec<_>>().join(","));
    Ok(c.prepare_cached(&text)?.query_map([list], |r| r.get(0))?.collect::<Result<_, _>>()?)
}

/// A session with where its folder lies.
#[derive(Debug, Clone)]
pub struct SessionDoc {
    /// The session.
    pub session: Session,
    /// Below the footage root.
    pub folder: String,
}

/// Officers as a list shows them: `王某（A-001）、李某`.
pub fn officers_text(facts: &Facts) -> String {
    let one =
        |o: &crate::model::facts::Officer| o.certificate_no.as_ref().map_or_else(|| o.name.clone(), |no| format!("{}（{no}）", o.name));
    facts.officers.iter().map(one).collect::<Vec<_>>().join("、")
}

/// Device numbers as a list shows them.
pub fn devices_text(session: &Session) -> String {
    session.device_numbers().join("、")
}

/// Writes a session as it stands now. A session of a case that is listed narrowly is so too (第四条), whether or not that was known when
/// it began: the start does not wait for an answer from here.
pub fn put(c: &Connection, session: &Session, folder: &str) -> Result<(), Fault> {
    let s = &inherited(c, session)?;
    let doc = serde_json::to_string(s).map_err(|e| Fault::of("encode", "a session", e))?;
    let (facts, number) = (s.facts(), search::number(c, s)?);
    c.prepare_cached(
        "INSERT INTO sessions (number, id, folder, unit, room, kind, state, started_at, length_ms, case_no, party, cause, officers, devices, gaps, missing, doc, restricted)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18)
         ON CONFLICT (id) DO UPDATE SET number = excluded.number, folder = excluded.folder, state = excluded.state,
             started_at = excluded.started_at, length_ms = excluded.length_ms, case_no = excluded.case_no, party = excluded.party,
             cause = excluded.cause, officers = excluded.officers, devices = excluded.devices, gaps = excluded.gaps,
             missing = excluded.missing, doc = excluded.doc, restricted = excluded.restricted",
    )?
    .execute(params![
        number, s.id.as_str(), folder, s.unit.as_str(), s.room.as_str(), s.kind.as_str(), s.state.as_str(),
        s.used_at().timestamp_millis(), s.length_ms.map(|ms| ms as i64), facts.case_no, facts.party, facts.cause, officers_text(facts),
        devices_text(s), s.gaps.len() as i64, missing::of(s).len() as i64, doc, facts.restricted,
    ])?;
    search::put(c, number, s)?;
    cases::link(c, s)?;
    imports::index(c, s)?;
    // What was given up is neither stamped nor archived any more.
    if let Some(seal) = s.seal.as_ref().filter(|_| s.state != State::Disposed) {
        timestamps::want(c, "footage", &format!("{folder}/{FILE}"), seal.at.timestamp_millis())?;
        archive::want(c, "session", s.id.as_str(), &format!("footage/{folder}"), seal.at.timestamp_millis())?;
    }
    // A session that runs has no period yet.
    if s.ended_at.is_some() { retention::put(c, s) } else { Ok(()) }
}

fn inherited<'a>(c: &Connection, s: &'a Session) -> Result<Cow<'a, Session>, Fault> {
    let narrow = match s.facts().case_no.as_deref().filter(|_| !s.facts().restricted) {
        Some(number) => cases::by_number(c, number)?.iter().any(|case| case.facts().restricted),
        None => false,
    };
    Ok(if narrow { Cow::Owned(s.clone().narrowed()) } else { Cow::Borrowed(s) })
}

/// Writes a session again whose case is listed narrowly: the case may have come after it, or say so only now.
pub fn inherit(c: &Connection, id: &str) -> Result<(), Fault> {
    let find = "SELECT doc, folder FROM sessions WHERE id = ?1 AND restricted = 0";
    let row = c.prepare_cached(find)?.query_row([id], |r| Ok((r.get::<_, String>(0)?, r.get::<_, String>(1)?))).optional()?;
    let Some((doc, folder)) = row else { return Ok(()) };
    put(c, &serde_json::from_str(&doc).map_err(bad_doc("sessions"))?, &folder)
}

/// One session.
pub fn by_id(c: &Connection, id: &SessionId) -> Result<Option<SessionDoc>, Fault> {
    let mut statement = c.prepare_cached("SELECT doc, folder FROM sessions WHERE id = ?1")?;
    let row = statement.query_row([id.as_str()], |r| Ok((r.get::<_, String>(0)?, r.get(1)?))).optional()?;
    row.map(|(doc, folder)| Ok(SessionDoc { session: serde_json::from_str(&doc).map_err(bad_doc("sessions"))?, folder })).transpose()
}

/// Those that fit, newest first, and how many there are, counted up to 10,001: counting a million takes longer than finding them.
pub fn find(c: &Connection, filter: &Filter, skip: u32, rows_max: u32) -> Result<(Vec<Session>, u64), Fault> {
    let mut numbers = search::numbers(c, filter, skip, rows_max)?;
    // What is too many to be counted is too many to be put in another order.
    if let Some(order) = filter.order.filter(|_| numbers.len() as u64 <= COUNT_MAX) {
        numbers = ordered(c, &numbers, order)?;
    }
    let mut one = c.prepare_cached("SELECT doc FROM sessions WHERE number = ?1")?;
    let page = numbers.iter().skip(skip as usize).take(rows_max as usize);
    let docs = page.map(|number| one.query_row([number], |r| r.get::<_, String>(0)));
    let sessions = docs.map(|doc| serde_json::from_str(&doc?).map_err(bad_doc("sessions"))).collect::<Result<_, Fault>>()?;
    Ok((sessions, (numbers.len() as u64).min(COUNT_MAX + 1)))
}

/// What somebody may list of complainants' and informants' sessions (第四条): those that they started or are named on.
pub(super) const UNRESTRICTED: &str = "(restricted = 0 OR json_extract(doc, '$.started_by') = ? OR instr(officers, ?) > 0)";

/// The values of [`UNRESTRICTED`].
pub(super) fn unrestricted(account: &str, certificate_no: Option<&String>) -> [Value; 2] {
    // A number that nobody has is named nowhere.
    let number = certificate_no.map_or_else(|| "\u{0}".to_owned(), |no| format!("（{no}）"));
    [Value::from(account.to_owned()), Value::from(number)]
}

/// Those that started in a span (ms since 1970, the end not included), oldest first.
pub fn between(c: &Connection, from_ms: i64, until_ms: i64) -> Result<Vec<Session>, Fault> {
    let mut statement = c.prepare_cached("SELECT doc FROM sessions WHERE started_at >= ?1 AND started_at < ?2 ORDER BY started_at")?;
    let docs = statement.query_map([from_ms, until_ms], |r| r.get::<_, String>(0))?;
    docs.map(|doc| serde_json::from_str(&doc?).map_err(bad_doc("sessions"))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::case::tests::opened;
    use crate::model::case::{Case, Origin, Procedure};
    use crate::model::session::SessionKind;
    use crate::model::step::tests::started_with;

    #[test]
    fn a_session_of_a_case_that_is_listed_narrowly_is_so_too_whichever_came_first() {
        let started = |case_no: &str| started_with(SessionKind::Intake, Facts { case_no: Some(case_no.into()), ..Facts::default() });
        let session = started("2026-7");
        let case = |restricted| {
            let mut case: Case = opened(Origin::Complaint, Procedure::Ordinary);
            (case.versions[0].facts.number, case.versions[0].facts.restricted) = (Some("2026-7".into()), restricted);
            case
        };
        let others = Filter { restricted_to: Some(("somebody-else".into(), None)), ..Filter::default() };
        let listed = |c: &Connection| {
            let doc = by_id(c, &session.id).unwrap().unwrap().session;
            let total = find(c, &others, 0, 9).unwrap().1;
            assert_eq!(doc.facts().restricted, total == 0, "one word on it, in the list and on its page");
            total
        };
        let c = crate::catalog::tests::connection();
        put(&c, &session, "x").unwrap();
        cases::put(&c, &case(false)).unwrap();
        assert_eq!(listed(&c), 1);
        cases::put(&c, &case(true)).unwrap();
        assert_eq!(listed(&c), 0, "the case says so later");
        put(&c, &session, "x").unwrap();
        assert_eq!(listed(&c), 0, "the room was not told in time");
        put(&c, &Session { links: started("2026-8").links, ..session.clone() }, "x").unwrap();
        assert_eq!(listed(&c), 1, "linked to another case");
    }
}
