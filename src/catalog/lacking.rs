//! Sessions that have ended and lack something, for those who have to look after them: one's own, or those of the units that one
//! supervises. The first page counts and the list shows by the same conditions. A mistaken start lacks nothing.

use crate::catalog::{COUNT_MAX, bad_doc, sessions};
use crate::machine::fault::Fault;
use crate::model::session::Session;
use rusqlite::types::Value;
use rusqlite::{Connection, params_from_iter};

/// Whose.
#[derive(Debug, Clone)]
pub struct Filter {
    /// Only these units.
    pub units: Vec<String>,
    /// Only what this account started or is named on by its certificate number; `None`: all of the units.
    pub own: Option<(String, Option<String>)>,
    /// As in `catalog::sessions::Filter`.
    pub restricted_to: Option<(String, Option<String>)>,
}

fn condition(filter: &Filter) -> (String, Vec<Value>) {
    let mut text = format!(
        "missing > 0 AND json_extract(doc, '$.mistake') IS NULL AND length_ms IS NOT NULL AND unit IN ({})",
        vec!["?"; filter.units.len()].join(", ")
    );
    let mut values: Vec<Value> = filter.units.iter().cloned().map(Value::from).collect();
    if let Some((account, certificate_no)) = &filter.own {
        text += " AND (json_extract(doc, '$.started_by') = ? OR instr(officers, ?) > 0)";
        values.extend(sessions::unrestricted(account, certificate_no.as_ref()));
    }
    if let Some((account, certificate_no)) = &filter.restricted_to {
        text += &format!(" AND {}", sessions::UNRESTRICTED);
        values.extend(sessions::unrestricted(account, certificate_no.as_ref()));
    }
    (text, values)
}

/// How many there are, counted up to 10,001, and when the first of them began, ms since 1970.
pub fn count(c: &Connection, filter: &Filter) -> Result<(u64, Option<i64>), Fault> {
    let (condition, values) = condition(filter);
    let text = format!(
        "SELECT count(*), min(started_at) FROM (SELECT started_at FROM sessions WHERE {condition} ORDER BY number DESC LIMIT {})",
        COUNT_MAX + 1
    );
    Ok(c.prepare_cached(&text)?.query_row(params_from_iter(values), |r| Ok((r.get::<_, i64>(0)? as u64, r.get(1)?)))?)
}

/// They, newest first.
pub fn find(c: &Connection, filter: &Filter, skip: u32, rows_max: u32) -> Result<Vec<Session>, Fault> {
    let (condition, mut values) = condition(filter);
    values.extend([Value::from(i64::from(rows_max)), Value::from(i64::from(skip))]);
    let mut statement = c.prepare_cached(&format!("SELECT doc FROM sessions WHERE {condition} ORDER BY number DESC LIMIT ? OFFSET ?"))?;
    let docs = statement.query_map(params_from_iter(values), |r| r.get::<_, String>(0))?;
    docs.map(|doc| serde_json::from_str(&doc?).map_err(bad_doc("sessions"))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::facts::Facts;
    use crate::model::session::{Happening, SessionKind};
    use crate::model::step;

    #[test]
    fn what_lacks_something_is_found_by_whose_it_is_and_a_mistake_lacks_nothing() {
        let c = crate::catalog::tests::connection();
        let running = step::tests::started_with(SessionKind::Interview, Facts::default());
        sessions::put(&c, &running, "x").unwrap();
        let of = |own: Option<&str>| Filter {
            units: vec![running.unit.to_string()],
            own: own.map(|account| (account.to_owned(), None)),
            restricted_to: None,
        };
        assert_eq!(count(&c, &of(None)).unwrap().0, 0, "it still runs");
        let end = |mistake: Option<&str>| {
            let happening = Happening::Ended { by: None, mistake: mistake.map(Into::into) };
            step::step(&running, &happening, step::tests::at(60_000)).unwrap().0
        };
        sessions::put(&c, &end(None), "x").unwrap();
        let me = running.started_by.to_string();
        assert_eq!(count(&c, &of(None)).unwrap(), (1, Some(running.started_at.timestamp_millis())));
        assert_eq!((count(&c, &of(Some(&me))).unwrap().0, find(&c, &of(Some(&me)), 0, 9).unwrap().len()), (1, 1));
        assert!(find(&c, &of(Some("somebody-else")), 0, 9).unwrap().is_empty());
        assert!(find(&c, &Filter { units: vec![], ..of(None) }, 0, 9).unwrap().is_empty());
        sessions::put(&c, &end(Some("误操作")), "x").unwrap();
        assert_eq!(count(&c, &of(None)).unwrap().0, 0);
    }

    #[test]
    fn counting_looks_at_no_session() {
        let c = crate::catalog::tests::connection();
        let filter = Filter { units: vec!["a".into()], own: Some(("me".into(), None)), restricted_to: None };
        let (condition, values) = condition(&filter);
        let plan = format!("EXPLAIN QUERY PLAN SELECT started_at FROM sessions WHERE {condition} ORDER BY number DESC");
        let mut statement = c.prepare(&plan).unwrap();
        let said: Vec<String> = statement.query_map(params_from_iter(values), |r| r.get(3)).unwrap().map(Result::unwrap).collect();
        assert!(said.iter().any(|l| l.contains("sessions_lacking")), "{said:?}");
    }
}
