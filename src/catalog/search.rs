//! The search of sessions by the six fields of 第十七条: one full-text index that leads.
//!
//! A session's number is the second in which it began, times [`A_SECOND`], and which of that second it is. The index walks by number,
//! so it gives the newest first without looking at a session, and a span of time is a span of numbers. Units and the right to list
//! (第四条) are words of the index as well: what somebody may not list is neither found nor counted, in the same walk.

use crate::catalog::sessions::{Filter, devices_text, officers_text};
use crate::catalog::{COUNT_MAX, bad_doc, cases, pairs};
use crate::machine::fault::Fault;
use crate::model::facts::Facts;
use crate::model::session::Session;
use rusqlite::types::Value;
use rusqlite::{Connection, OptionalExtension, params, params_from_iter};
use std::fmt::Write;

/// Numbers that a second has: so many sessions may begin in it; what is more goes on into the next.
const A_SECOND: i64 = 256;
/// Of a session that everybody of its unit may list.
const OPEN: &str = "open";

/// The number of a session: the one that it has if that still says when it began, otherwise a free one.
pub(super) fn number(c: &Connection, session: &Session) -> Result<i64, Fault> {
    let began_ms = session.used_at().timestamp_millis();
    let has: Option<(i64, i64)> = c
        .prepare_cached("SELECT number, started_at FROM sessions WHERE id = ?1")?
        .query_row([session.id.as_str()], |r| Ok((r.get(0)?, r.get(1)?)))
        .optional()?;
    if let Some((number, was_ms)) = has
        && first_of(was_ms) == first_of(began_ms)
    {
        return Ok(number);
    }
    let free = "SELECT CASE WHEN NOT EXISTS (SELECT 1 FROM sessions WHERE number = ?1) THEN ?1 ELSE
        (SELECT s.number + 1 FROM sessions s WHERE s.number >= ?1 AND NOT EXISTS (SELECT 1 FROM sessions n WHERE n.number = s.number + 1)
         ORDER BY s.number LIMIT 1) END";
    let free = c.prepare_cached(free)?.query_row([first_of(began_ms)], |r| r.get(0))?;
    if let Some((number, _)) = has {
        c.prepare_cached("DELETE FROM session_search WHERE rowid = ?1")?.execute([number])?;
    }
    Ok(free)
}

/// The first number of the second that a moment (ms since 1970) lies in.
fn first_of(ms: i64) -> i64 {
    ms.div_euclid(1000) * A_SECOND
}

/// Writes what a session is found by. All versions of its link stay findable: a link that was changed to bury a case still finds it.
pub(super) fn put(c: &Connection, number: i64, s: &Session) -> Result<(), Fault> {
    let every = |of: &dyn Fn(&Facts) -> String| pairs::index(&s.links.iter().map(|l| of(&l.facts)).collect::<Vec<_>>().join(" / "));
    let text = |t: &Option<String>| t.clone().unwrap_or_default();
    let numbers = s.links.iter().map(|l| format!("{} / {}", text(&l.facts.case_no), text(&l.facts.record_no))).collect::<String>();
    c.prepare_cached("DELETE FROM session_search WHERE rowid = ?1")?.execute([number])?;
    c.prepare_cached(
        "INSERT INTO session_search (rowid, party, cause, officers, devices, numbers, scope) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
    )?
    .execute(params![
        number,
        every(&|f| text(&f.party)),
        every(&|f| text(&f.cause)),
        every(&officers_text),
        pairs::index(&devices_text(s)),
        pairs::index(&format!("{} / {numbers}", s.id)),
        scope(s),
    ])?;
    Ok(())
}

/// Makes the whole index from the sessions that are there, and that of cases from the cases; for a schema step that made them anew.
pub(super) fn fill(c: &Connection) -> Result<(), Fault> {
    let mut all = c.prepare("SELECT row, doc FROM cases")?;
    let mut rows = all.query([])?;
    while let Some(row) = rows.next()? {
        cases::put_search(c, row.get(0)?, &serde_json::from_str(&row.get::<_, String>(1)?).map_err(bad_doc("cases"))?)?;
    }
    let mut all = c.prepare("SELECT number, doc FROM sessions ORDER BY number")?;
    let mut rows = all.query([])?;
    while let Some(row) = rows.next()? {
        let session: Session = serde_json::from_str(&row.get::<_, String>(1)?).map_err(bad_doc("sessions"))?;
        put(c, row.get(0)?, &session)?;
    }
    Ok(())
}

/// Whether there are sessions or cases that the index knows nothing of.
pub(super) fn is_unmade(c: &Connection) -> Result<bool, Fault> {
    let text = "SELECT (EXISTS (SELECT 1 FROM sessions) AND NOT EXISTS (SELECT 1 FROM session_search_docsize))
        OR (EXISTS (SELECT 1 FROM cases) AND NOT EXISTS (SELECT 1 FROM case_search_docsize))";
    Ok(c.query_row(text, [], |r| r.get(0))?)
}

/// Numbers of those that fit, newest first, cut to what a page needs and to what is counted at all.
pub(super) fn numbers(c: &Connection, filter: &Filter, skip: u32, rows_max: u32) -> Result<Vec<i64>, Fault> {
    let Some(query) = query(filter) else { return Ok(vec![]) };
    let from = filter.from_ms.map_or(i64::MIN, first_of);
    // A bound within a second takes the whole second: what is asked for are days.
    let until = filter.until_ms.map_or(i64::MAX, |ms| first_of(ms + 999));
    let rows = i64::from(skip).saturating_add(i64::from(rows_max)).max(COUNT_MAX as i64 + 1);
    let mut values = vec![Value::from(from), Value::from(until), Value::from(rows)];
    let text = if query.is_empty() {
        "SELECT number FROM sessions WHERE number >= ?1 AND number < ?2 ORDER BY number DESC LIMIT ?3"
    } else {
        values.push(Value::from(query));
        "SELECT rowid FROM session_search WHERE session_search MATCH ?4 AND rowid >= ?1 AND rowid < ?2 ORDER BY rowid DESC LIMIT ?3"
    };
    let mut statement = c.prepare_cached(text)?;
    Ok(statement.query_map(params_from_iter(values), |r| r.get(0))?.collect::<Result<_, _>>()?)
}

/// The words that say whose a session is and who may list it.
fn scope(s: &Session) -> String {
    let facts = s.facts();
    let mut words = vec![word('u', s.unit.as_str()), word('a', s.started_by.as_str())];
    if !facts.restricted {
        words.push(OPEN.into());
    }
    words.extend(facts.officers.iter().filter_map(|o| o.certificate_no.as_deref()).map(|no| word('c', no)));
    words.join(" ")
}

/// A text as one word that no tokenizer takes apart or folds.
fn word(kind: char, text: &str) -> String {
    text.bytes().fold(String::from(kind), |mut word, byte| {
        let _ = write!(word, "{byte:02x}");
        word
    })
}

/// The FTS5 query; `None` when nothing can fit (a search text without a letter, no unit), empty when everything does.
fn query(filter: &Filter) -> Option<String> {
    let any = |words: &[String]| format!("{{scope}} : ({})", words.join(" OR "));
    let mut all = Vec::new();
    if let Some(units) = &filter.units {
        if units.is_empty() {
            return None;
        }
        all.push(any(&units.iter().map(|unit| word('u', unit)).collect::<Vec<_>>()));
    }
    if let Some((account, certificate_no)) = &filter.restricted_to {
        let own = certificate_no.iter().map(|no| word('c', no));
        all.push(any(&[OPEN.to_owned(), word('a', account)].into_iter().chain(own).collect::<Vec<_>>()));
    }
    let searches = [
        ("devices", &filter.device_no),
        ("officers", &filter.officer),
        ("party", &filter.party),
        ("cause", &filter.cause),
        ("party cause officers devices numbers", &filter.text),
    ];
    for (columns, text) in searches {
        if let Some(text) = text {
            all.push(format!("({})", pairs::query(columns, text)?));
        }
    }
    Some(all.join(" AND "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::{sessions, tests::connection};
    use crate::model::facts::Officer;
    use crate::model::ids::{AccountId, SessionId, UnitId};
    use crate::model::session::SessionKind;
    use crate::model::step::tests::started_with;
    use chrono::{DateTime, TimeDelta};
    use proptest::prelude::*;

    const PARTIES: [&str; 4] = ["张三", "张三丰", "李四", "Wang Wu"];
    const CAUSES: [&str; 2] = ["未经批准占用土地", "越界采矿"];

    fn session(n: usize, (second, kind): (i64, usize)) -> Session {
        let officer = Officer { name: "王某".into(), certificate_no: Some(format!("A-{}", kind % 3)), ..Officer::default() };
        let facts = Facts {
            party: Some(PARTIES[kind % 4].into()),
            cause: Some(CAUSES[kind / 4 % 2].into()),
            officers: vec![officer],
            restricted: kind.is_multiple_of(5),
            ..Facts::default()
        };
        let mut s = started_with(SessionKind::Interview, facts);
        s.id = SessionId::new(&format!("s-{n}")).unwrap();
        s.unit = UnitId::new(["land", "mines"][kind / 8 % 2]).unwrap();
        s.started_by = AccountId::new(["li", "wang"][kind / 16 % 2]).unwrap();
        s.started_at = DateTime::UNIX_EPOCH + TimeDelta::milliseconds(1_790_000_000_000 + second * 1000 + n as i64 % 1000);
        s
    }

    /// The same by looking at each.
    fn fits(s: &Session, filter: &Filter) -> bool {
        let facts = s.facts();
        let has =
            |part: &Option<String>, whole: &Option<String>| part.as_ref().is_none_or(|p| whole.as_ref().is_some_and(|w| w.contains(p)));
        filter.units.as_ref().is_none_or(|units| units.iter().any(|u| u == s.unit.as_str()))
            && filter.from_ms.is_none_or(|ms| s.started_at.timestamp_millis() >= ms)
            && filter.until_ms.is_none_or(|ms| s.started_at.timestamp_millis() < ms)
            && has(&filter.party, &facts.party)
            && has(&filter.cause, &facts.cause)
            && filter.restricted_to.as_ref().is_none_or(|(account, no)| {
                !facts.restricted || s.started_by.as_str() == account || no.is_some() && facts.officers[0].certificate_no == *no
            })
    }

    fn some<T: Clone + std::fmt::Debug + 'static>(values: &[T]) -> impl Strategy<Value = Option<T>> + use<T> {
        proptest::option::of(proptest::sample::select(values.to_vec()))
    }

    fn filters() -> impl Strategy<Value = Filter> {
        let text = |t: &[&str]| some(&t.iter().map(|t| (*t).to_owned()).collect::<Vec<_>>());
        let units = some(&[vec![], vec!["land".to_owned()], vec!["land".to_owned(), "mines".to_owned()]]);
        let who =
            some(&[("li".to_owned(), None), ("wang".to_owned(), Some("A-1".to_owned())), ("nobody".to_owned(), Some("A".to_owned()))]);
        let seconds = (some(&[0, 2, 4]), some(&[3, 5]));
        (units, who, seconds, text(&["张", "张三", "三丰", "四"]), text(&["土地", "采矿"])).prop_map(
            |(units, restricted_to, (from, until), party, cause)| Filter {
                units,
                restricted_to,
                from_ms: from.map(|s| 1_790_000_000_000 + s * 1000),
                until_ms: until.map(|s| 1_790_000_000_000 + s * 1000),
                party,
                cause,
                ..Filter::default()
            },
        )
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(96))]
        #[test]
        fn a_search_finds_what_fits_and_what_may_be_listed_newest_first_page_by_page(
            made in proptest::collection::vec((0i64..6, 0usize..64), 0..40), moved in 0i64..6, filter in filters(),
        ) {
            let c = connection();
            let mut all: Vec<Session> = made.iter().enumerate().map(|(n, of)| session(n, *of)).collect();
            all.iter().for_each(|s| sessions::put(&c, s, "x").unwrap());
            // The time of the first is corrected, and every second one is written once more.
            if let (Some(first), Some((_, kind))) = (all.first_mut(), made.first()) {
                *first = session(0, (moved, *kind));
            }
            all.iter().step_by(2).for_each(|s| sessions::put(&c, s, "x").unwrap());
            let mut asked: Vec<&str> = all.iter().filter(|s| fits(s, &filter)).map(|s| s.id.as_str()).collect();
            let (mut found, mut seconds) = (vec![], vec![]);
            for skip in (0..).step_by(7) {
                let (page, total) = sessions::find(&c, &filter, skip, 7).unwrap();
                prop_assert_eq!(total as usize, asked.len());
                seconds.extend(page.iter().map(|s| s.started_at.timestamp()));
                found.extend(page.iter().map(|s| s.id.as_str().to_owned()));
                if page.len() < 7 {
                    break;
                }
            }
            prop_assert!(seconds.is_sorted_by(|a, b| a >= b), "newest first: {seconds:?}");
            found.sort_unstable();
            asked.sort_unstable();
            prop_assert_eq!(found, asked);
            // An index that was lost is made again and finds the same.
            let before = numbers(&c, &filter, 0, 50).unwrap();
            c.execute("INSERT INTO session_search (session_search) VALUES ('delete-all')", []).unwrap();
            prop_assert!(is_unmade(&c).unwrap() || all.is_empty());
            fill(&c).unwrap();
            prop_assert_eq!(numbers(&c, &filter, 0, 50).unwrap(), before);
        }
    }

    #[test]
    fn more_sessions_than_a_second_has_numbers_for_are_all_found() {
        let c = connection();
        (0..600).for_each(|n| sessions::put(&c, &session(n, (0, 1)), "x").unwrap());
        assert_eq!(sessions::find(&c, &Filter { units: Some(vec!["land".into()]), ..Filter::default() }, 0, 10).unwrap().1, 600);
    }
}
