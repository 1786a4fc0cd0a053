//! The custody log, indexed for reading.

use crate::catalog::{COUNT_MAX, bad_doc};
use crate::machine::fault::Fault;
use crate::model::entry::{Entry, EntryKind};
use chrono::{DateTime, SecondsFormat, Utc};
use rusqlite::{Connection, OptionalExtension, params};

/// Adds an entry of a log, and gives its number here; one that is there stays as it is. Numbers go on from one log to the next.
pub fn add(c: &Connection, origin: &str, entry: &Entry) -> Result<u64, Fault> {
    let number = base(c, origin)? + entry.index as i64;
    let doc = serde_json::to_string(entry).map_err(|e| Fault::of("encode", "a log entry", e))?;
    c.prepare_cached("INSERT OR IGNORE INTO entries (number, at, kind, actor, session, doc) VALUES (?1, ?2, ?3, ?4, ?5, ?6)")?
        .execute(params![number, entry.at, entry.kind.as_str(), entry.actor, entry.session, doc])?;
    Ok(number as u64)
}

/// The number of a log's first entry.
fn base(c: &Connection, origin: &str) -> Result<i64, Fault> {
    let mut known = c.prepare_cached("SELECT base FROM logs WHERE origin = ?1")?;
    if let Some(base) = known.query_row([origin], |r| r.get(0)).optional()? {
        return Ok(base);
    }
    let base = c.query_row("SELECT coalesce(max(number) + 1, 0) FROM entries", [], |r| r.get(0))?;
    c.execute("INSERT INTO logs (origin, base) VALUES (?1, ?2)", params![origin, base])?;
    Ok(base)
}

/// Adds a text that an entry binds.
pub fn bind(c: &Connection, entry: u64, name: &str, salt: &str, text: &str) -> Result<(), Fault> {
    c.execute(
        "INSERT OR IGNORE INTO bound_texts (entry, name, salt, text) VALUES (?1, ?2, ?3, ?4)",
        params![entry as i64, name, salt, text],
    )?;
    Ok(())
}

/// Forgets the texts that entries about a session bind: the entries stay, and prove nothing less (第十八条).
pub fn forget_texts(c: &Connection, session: &str) -> Result<(), Fault> {
    c.execute("DELETE FROM bound_texts WHERE entry IN (SELECT number FROM entries WHERE session = ?1)", [session])?;
    Ok(())
}

/// The time of the newest entry before the recorder's last start, not later than a moment.
pub fn latest(c: &Connection, until: DateTime<Utc>) -> Result<Option<DateTime<Utc>>, Fault> {
    let newest = "SELECT at FROM entries WHERE kind <> 'recorder_started' AND at <= ?1 ORDER BY number DESC LIMIT 1";
    let at: Option<String> = c.query_row(newest, [until.to_rfc3339_opts(SecondsFormat::Millis, true)], |r| r.get(0)).optional()?;
    Ok(at.and_then(|at| DateTime::parse_from_rfc3339(&at).ok()).map(|at| at.to_utc()))
}

/// The entries of a log about a session, by their index in that log.
pub fn of_session(c: &Connection, origin: &str, session: &str) -> Result<Vec<u64>, Fault> {
    let mut statement = c.prepare_cached(
        "SELECT number - base FROM entries, logs WHERE origin = ?1 AND session = ?2 AND number >= base
         AND number < coalesce((SELECT min(l.base) FROM logs l WHERE l.base > logs.base), 9223372036854775807) ORDER BY number",
    )?;
    let rows = statement.query_map([origin, session], |r| r.get::<_, i64>(0))?;
    rows.map(|row| Ok(row? as u64)).collect()
}

/// The first moment of the year 9999, seconds since 1970.
const YEAR_9999_S: i64 = 253_370_764_800;

/// Entries of some kinds within a time, oldest first.
pub fn between(c: &Connection, from: DateTime<Utc>, until: DateTime<Utc>, kinds: &[EntryKind], rows_max: u32) -> Result<Vec<Entry>, Fault> {
    let mut statement = c.prepare_cached("SELECT doc FROM entries WHERE kind = ?1 AND at >= ?2 AND at < ?3 ORDER BY number LIMIT ?4")?;
    // Moments are compared as they are written, with a year of four digits.
    let last = DateTime::from_timestamp(YEAR_9999_S, 0).unwrap_or(DateTime::<Utc>::MAX_UTC);
    let text = |at: DateTime<Utc>| at.min(last).to_rfc3339_opts(SecondsFormat::Millis, true);
    let mut all: Vec<Entry> = Vec::new();
    for kind in kinds {
        let docs = statement.query_map(params![kind.as_str(), text(from), text(until), rows_max], |r| r.get::<_, String>(0))?;
        for doc in docs {
            all.push(serde_json::from_str(&doc?).map_err(bad_doc("entries"))?);
        }
    }
    all.sort_by(|a, b| (&a.at, a.index).cmp(&(&b.at, b.index)));
    Ok(all)
}

/// Of the entries of a kind, the newest about each thing that they name by `about`, however many came before it.
pub fn newest_of_each(c: &Connection, kind: EntryKind, about: &str) -> Result<Vec<Entry>, Fault> {
    let mut statement = c.prepare_cached(
        "SELECT doc FROM entries WHERE number IN
         (SELECT max(number) FROM entries WHERE kind = ?1 GROUP BY json_extract(doc, '$.about.' || ?2)) ORDER BY number",
    )?;
    let docs = statement.query_map(params![kind.as_str(), about], |r| r.get::<_, String>(0))?;
    docs.map(|doc| serde_json::from_str(&doc?).map_err(bad_doc("entries"))).collect()
}

/// How many entries of a kind there are since a moment, the moment itself not counted, and when the first of them was; counted up to 10,001.
pub fn since(c: &Connection, kind: EntryKind, from: DateTime<Utc>) -> Result<(u64, Option<DateTime<Utc>>), Fault> {
    let text = "SELECT count(*), min(at) FROM (SELECT at FROM entries WHERE kind = ?1 AND at > ?2 ORDER BY at DESC LIMIT ?3)";
    let values = params![kind.as_str(), from.to_rfc3339_opts(SecondsFormat::Millis, true), COUNT_MAX as i64 + 1];
    let (count, first): (i64, Option<String>) = c.prepare_cached(text)?.query_row(values, |r| Ok((r.get(0)?, r.get(1)?)))?;
    Ok((count as u64, first.and_then(|at| at.parse().ok())))
}

/// How many entries of a log are here.
pub fn count(c: &Connection, origin: &str) -> Result<u64, Fault> {
    let count = "SELECT count(*) FROM entries, logs WHERE origin = ?1 AND number >= base
                 AND number < coalesce((SELECT min(l.base) FROM logs l WHERE l.base > logs.base), 9223372036854775807)";
    Ok(c.query_row(count, [origin], |r| r.get::<_, i64>(0))? as u64)
}

/// An entry as it is listed.
#[derive(Debug, Clone)]
pub struct Row {
    /// Its number through all logs.
    pub number: u64,
    /// The entry.
    pub entry: Entry,
    /// The actor's name.
    pub actor_name: Option<String>,
}

/// Oldest first, after a number, of one session or of all; with the actors' names.
pub fn later(c: &Connection, after: Option<u64>, session: Option<&str>, rows_max: u32) -> Result<Vec<Row>, Fault> {
    let mut statement = c.prepare_cached(
        "SELECT number, doc, accounts.name FROM entries LEFT JOIN accounts ON accounts.id = entries.actor
         WHERE number > ?1 AND (?2 IS NULL OR session = ?2) ORDER BY number LIMIT ?3",
    )?;
    let after = after.map_or(-1, |n| i64::try_from(n).unwrap_or(i64::MAX));
    let rows = statement.query_map(params![after, session, rows_max], |r| Ok((r.get(0)?, r.get(1)?, r.get(2)?)))?;
    rows.map(|row| listed(row?)).collect()
}

/// The numbers of the first and the last entry, of one session or of all.
pub fn ends(c: &Connection, session: Option<&str>) -> Result<Option<(u64, u64)>, Fault> {
    let read = |r: &rusqlite::Row<'_>| Ok((r.get::<_, Option<i64>>(0)?, r.get::<_, Option<i64>>(1)?));
    let (first, last) = match session {
        Some(session) => c.prepare_cached("SELECT min(number), max(number) FROM entries WHERE session = ?1")?.query_row([session], read)?,
        // Each by itself: both at once would walk through the whole log.
        None => c.prepare_cached("SELECT (SELECT min(number) FROM entries), (SELECT max(number) FROM entries)")?.query_row([], read)?,
    };
    Ok(first.zip(last).map(|(first, last)| (first as u64, last as u64)))
}

fn listed((number, doc, actor_name): (i64, String, Option<String>)) -> Result<Row, Fault> {
    Ok(Row { number: number as u64, entry: serde_json::from_str(&doc).map_err(bad_doc("entries"))?, actor_name })
}

/// Newest first, before a number, of one session or of all; with the actors' names.
pub fn page(c: &Connection, before: Option<u64>, session: Option<&str>, rows_max: u32) -> Result<Vec<Row>, Fault> {
    let mut statement = c.prepare_cached(
        "SELECT number, doc, accounts.name FROM entries LEFT JOIN accounts ON accounts.id = entries.actor
         WHERE number < ?1 AND (?2 IS NULL OR session = ?2) ORDER BY number DESC LIMIT ?3",
    )?;
    let before = before.map_or(i64::MAX, |n| i64::try_from(n).unwrap_or(i64::MAX));
    let rows = statement.query_map(params![before, session, rows_max], |r| Ok((r.get(0)?, r.get(1)?, r.get(2)?)))?;
    rows.map(|row| listed(row?)).collect()
}

/// Which entries somebody looks for.
#[derive(Debug, Clone)]
pub struct Wanted {
    /// From.
    pub from: DateTime<Utc>,
    /// Until, exclusive.
    pub until: DateTime<Utc>,
    /// Of these kinds.
    pub kinds: Vec<EntryKind>,
    /// Of this session.
    pub session: Option<String>,
    /// Of somebody whose name or sign-in name has this in it, or about whose account they are.
    pub person: Option<String>,
    /// How many.
    pub rows_max: u32,
}

/// Newest first.
pub fn watched(c: &Connection, wanted: &Wanted) -> Result<Vec<Row>, Fault> {
    let text = |at: DateTime<Utc>| at.to_rfc3339_opts(SecondsFormat::Millis, true);
    let mut statement = c.prepare_cached(
        "SELECT number, doc, accounts.name FROM entries LEFT JOIN accounts ON accounts.id = coalesce(entries.actor, json_extract(doc, '$.about.account'))
         WHERE kind = ?1 AND at >= ?2 AND at < ?3 AND (?4 IS NULL OR session = ?4)
         AND (?5 IS NULL OR instr(accounts.name, ?5) > 0 OR instr(accounts.username, ?5) > 0) ORDER BY at DESC, number DESC LIMIT ?6",
    )?;
    let mut all = Vec::new();
    for kind in &wanted.kinds {
        let values = params![kind.as_str(), text(wanted.from), text(wanted.until), wanted.session, wanted.person, wanted.rows_max];
        let rows = statement.query_map(values, |r| Ok((r.get::<_, i64>(0)?, r.get::<_, String>(1)?, r.get(2)?)))?;
        for row in rows {
            let (number, doc, actor_name) = row?;
            all.push(Row { number: number as u64, entry: serde_json::from_str(&doc).map_err(bad_doc("entries"))?, actor_name });
        }
    }
    all.sort_by_key(|r| std::cmp::Reverse(r.number));
    all.dedup_by_key(|r| r.number);
    all.truncate(wanted.rows_max as usize);
    Ok(all)
}

/// The number of a log's first entry, if it has one here.
pub fn base_of(c: &Connection, origin: &str) -> Result<Option<u64>, Fault> {
    let base = c.query_row("SELECT base FROM logs WHERE origin = ?1", [origin], |r| r.get::<_, i64>(0)).optional()?;
    Ok(base.map(|b| b as u64))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::tests::connection;
    use crate::model::entry::Draft;

    fn say(c: &Connection, index: u64, step: &str, said: &str) {
        let draft = Draft::new(EntryKind::WalkthroughSaid).about("step", step).about("said", said);
        let doc = serde_json::json!({ "index": index, "at": "2026-11-26T08:00:00.000Z", "kind": "walkthrough_said", "about": draft.about });
        let entry: Entry = serde_json::from_value(doc).unwrap();
        add(c, "shilu.example", &entry).unwrap();
    }

    #[test]
    fn the_newest_word_to_each_step_is_found_however_much_was_said_before() {
        let c = connection();
        say(&c, 0, "mirror", "not_wanted");
        (1..2_500).for_each(|n| say(&c, n, "clock", "wanted"));
        say(&c, 2_500, "clock", "not_wanted");
        let said = newest_of_each(&c, EntryKind::WalkthroughSaid, "step").unwrap();
        let words: Vec<_> = said.iter().map(|e| (e.about["step"].as_str(), e.about["said"].as_str())).collect();
        assert_eq!(words, [("mirror", "not_wanted"), ("clock", "not_wanted")]);
    }

    #[test]
    fn the_log_is_paged_both_ways_and_knows_its_ends() {
        let c = connection();
        assert_eq!(ends(&c, None).unwrap(), None);
        (0..10).for_each(|n| say(&c, n, "clock", "wanted"));
        let numbers = |rows: Vec<Row>| rows.iter().map(|r| r.number).collect::<Vec<_>>();
        assert_eq!(numbers(page(&c, Some(4), None, 3).unwrap()), [3, 2, 1]);
        assert_eq!(numbers(later(&c, Some(4), None, 3).unwrap()), [5, 6, 7]);
        assert_eq!(numbers(later(&c, None, None, 2).unwrap()), [0, 1]);
        assert_eq!(ends(&c, None).unwrap(), Some((0, 9)));
        assert!(ends(&c, Some("room-1-x")).unwrap().is_none() && later(&c, Some(u64::MAX), None, 2).unwrap().is_empty());
    }
}
