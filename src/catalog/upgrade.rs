//! A newer schema on a database that is there: never in place. A backup first, then the steps on a copy, and only a copy that they all
//! went well on takes the database's name. Whatever fails or is cut off on the way leaves the old one as it was.

use crate::catalog::{backup, check, search};
use crate::machine::{durable, fault::Fault};
use rusqlite::Connection;
use rusqlite_migration::{M, Migrations};
use std::path::{Path, PathBuf};

/// Brings a database of an earlier release to the newest schema; one that is new or is not there is left alone.
pub(super) fn before_opening(path: &Path, steps: &[M<'static>]) -> Result<(), Fault> {
    let newest = steps.len() as i64;
    match backup::schema_of(path)? {
        Some(schema) if schema > 0 && schema < newest => upgrade(path, steps),
        Some(schema) if schema > newest => {
            let why = format!("it is of a newer release (schema {schema}, and this one knows {newest})");
            Err(Fault::of("use", path.display().to_string(), why))
        }
        _ => Ok(()),
    }
}

fn upgrade(path: &Path, steps: &[M<'static>]) -> Result<(), Fault> {
    let kept = free_name(path, steps.len());
    backup::make(path, &kept)?;
    let next = path.with_extension("next");
    // What an earlier try left was never used.
    for tail in ["next", "next-wal", "next-shm", "next-journal"] {
        durable::remove_marker(&path.with_extension(tail))?;
    }
    durable::copy_whole(&kept, &next)?;
    if let Err(fault) = go_through(&next, steps) {
        drop(durable::remove_marker(&next));
        return Err(fault);
    }
    durable::sync_file(&next)?;
    // The old one's log of writes is worked in and gone before another file has its name: it would be taken for that one's.
    let old = Connection::open(path)?;
    old.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))?;
    old.close().map_err(|(_, e)| Fault::from(e))?;
    if durable::length(&path.with_extension("db-wal")).is_ok_and(|bytes| bytes > 0) {
        return Err(Fault::of("upgrade", path.display().to_string(), "another process uses it"));
    }
    // A crash before this line leaves the old database, after it the new one.
    durable::rename(&next, path)?;
    tracing::info!(before = %kept.display(), "the catalog was brought to a newer schema");
    Ok(())
}

fn go_through(path: &Path, steps: &[M<'static>]) -> Result<(), Fault> {
    let mut c = Connection::open(path)?;
    c.pragma_update(None, "foreign_keys", "ON")?;
    Migrations::from_slice(steps).to_latest(&mut c).map_err(|e| Fault::of("bring to the newest schema", path.display().to_string(), e))?;
    if search::is_unmade(&c)? {
        let filling = c.transaction()?;
        search::fill(&filling)?;
        filling.commit()?;
    }
    check(&c)?;
    c.close().map_err(|(_, e)| Fault::from(e))
}

/// `catalog-before-0005.db`, or `-2`, `-3` behind it: an earlier one is never overwritten.
fn free_name(path: &Path, schema: usize) -> PathBuf {
    let name = |n: u32| {
        path.with_file_name(if n == 1 { format!("catalog-before-{schema:04}.db") } else { format!("catalog-before-{schema:04}-{n}.db") })
    };
    (1..u32::MAX).map(name).find(|p| !durable::exists(p)).unwrap_or_else(|| name(0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::{Catalog, STEPS};
    use rusqlite::types::Value;
    use std::collections::BTreeMap;

    const GOLDEN: &str = include_str!("../../tests/golden/catalog-0004.sql");
    /// Steps of the release that the golden database is of.
    const RELEASED: usize = 4;

    fn earlier(dir: &Path) -> PathBuf {
        let path = dir.join("catalog.db");
        let mut c = Connection::open(&path).unwrap();
        c.pragma_update(None, "journal_mode", "WAL").unwrap();
        Migrations::from_slice(&STEPS[..RELEASED]).to_latest(&mut c).unwrap();
        c.execute_batch(GOLDEN).unwrap();
        path
    }

    /// Every row of every table by its columns' names.
    fn rows(c: &Connection) -> BTreeMap<String, Vec<BTreeMap<String, Value>>> {
        let names = "SELECT name FROM sqlite_schema WHERE type = 'table' AND sql LIKE '%STRICT%' ORDER BY name";
        let names: Vec<String> = c.prepare(names).unwrap().query_map([], |r| r.get(0)).unwrap().map(Result::unwrap).collect();
        let table = |name: String| {
            let mut statement = c.prepare(&format!("SELECT * FROM \"{name}\"")).unwrap();
            let columns: Vec<String> = statement.column_names().into_iter().map(Into::into).collect();
            let row = |r: &rusqlite::Row<'_>| columns.iter().enumerate().map(|(n, c)| Ok((c.clone(), r.get(n)?))).collect();
            let all = statement.query_map([], row).unwrap().map(Result::unwrap).collect();
            (name, all)
        };
        names.into_iter().map(table).collect()
    }

    #[test]
    fn the_last_releases_database_is_upgraded_with_every_row_and_a_backup_from_before() {
        let dir = tempfile::tempdir().unwrap();
        let path = earlier(dir.path());
        let before = rows(&Connection::open(&path).unwrap());
        let empty: Vec<&String> = before.iter().filter(|(_, rows)| rows.is_empty()).map(|(name, _)| name).collect();
        assert!(empty.is_empty(), "the golden database has rows of every table: {empty:?}");
        let catalog = Catalog::open(&path).unwrap();
        let after = catalog.read(|c| Ok(rows(c))).unwrap();
        for (name, was) in &before {
            let is = &after[name];
            assert_eq!(is.len(), was.len(), "{name}");
            // A session's number became the order of time.
            let by_id = |rows: &[BTreeMap<String, Value>]| {
                let mut rows = rows.to_vec();
                rows.sort_by_key(|row| (name == "sessions").then(|| format!("{:?}", row["id"])));
                rows
            };
            for (was, is) in by_id(was).iter().zip(&by_id(is)) {
                for (column, value) in was.iter().filter(|(column, _)| (name.as_str(), column.as_str()) != ("sessions", "number")) {
                    assert_eq!(is.get(column), Some(value), "{name}.{column}");
                }
            }
        }
        let kept = dir.path().join(format!("catalog-before-{:04}.db", STEPS.len()));
        assert_eq!(rows(&Connection::open(kept).unwrap()), before);
        // And once more is nothing to do.
        drop(catalog);
        Catalog::open(&path).unwrap();
        assert!(!dir.path().join(format!("catalog-before-{:04}-2.db", STEPS.len())).exists());
    }

    #[test]
    fn everything_in_an_upgraded_database_is_still_read_by_the_catalogs_own_means() {
        use crate::catalog::{
            accounts, alarms, cases, copies, deputations, documents, entries, logins, passkeys, plans, provisions, requests, screens,
            sessions, tokens, viewings,
        };
        let dir = tempfile::tempdir().unwrap();
        let catalog = Catalog::open(&earlier(dir.path())).unwrap();
        catalog
            .read(|c| {
                let one = |sql: &str| c.query_row(sql, [], |r| r.get::<_, String>(0)).unwrap();
                assert!(!accounts::all(c)?.is_empty());
                let session = crate::model::ids::SessionId::new(&one("SELECT session FROM holds")).unwrap();
                assert!(sessions::by_id(c, &session)?.unwrap().session.seal.is_some());
                let found = |text: &str| sessions::find(c, &sessions::Filter { text: Some(text.into()), ..Default::default() }, 0, 10);
                assert!(found("张三")?.1 > 0 && found("赵六")?.1 == 0, "the search index came with it");
                assert!(!documents::of_session(c, session.as_str())?.is_empty());
                let case = crate::model::ids::CaseId::new(&one("SELECT id FROM cases")).unwrap();
                assert!(cases::by_id(c, &case)?.is_some());
                let number = one("SELECT case_no FROM session_cases");
                assert!(!cases::sessions(c, &[number])?.is_empty());
                assert!(!entries::page(c, None, None, 10)?.is_empty());
                assert!(!provisions::newest(c, 10)?.is_empty() && !provisions::of_session(c, session.as_str())?.is_empty());
                let id = crate::model::ids::RequestId::new(&one("SELECT id FROM requests")).unwrap();
                assert!(requests::by_id(c, &id)?.is_some());
                assert!(
                    !copies::open(c)?.is_empty()
                        || !copies::of_account(c, &crate::model::ids::AccountId::new(&one("SELECT account FROM copies")).unwrap(), 10)?
                            .is_empty()
                );
                assert!(!screens::all(c)?.is_empty() && !tokens::all(c)?.is_empty());
                assert!(!plans::between(c, 0, i64::MAX)?.is_empty());
                let account = crate::model::ids::AccountId::new(&one("SELECT account FROM logins")).unwrap();
                assert!(!logins::of_account(c, &account)?.is_empty());
                let account = crate::model::ids::AccountId::new(&one("SELECT account FROM passkeys")).unwrap();
                assert!(!passkeys::of_account(c, &account)?.is_empty());
                assert!(!alarms::newest(c, 10)?.is_empty() && !deputations::all(c)?.is_empty());
                assert!(!viewings::between(c, 0, i64::MAX, 10)?.is_empty());
                Ok(())
            })
            .unwrap();
    }

    #[test]
    fn a_step_that_fails_leaves_the_database_as_it_was() {
        let dir = tempfile::tempdir().unwrap();
        let path = earlier(dir.path());
        let before = rows(&Connection::open(&path).unwrap());
        let mut steps = STEPS.to_vec();
        steps.push(M::up("CREATE TABLE half (a TEXT) STRICT; INSERT INTO half SELECT no_such_column FROM sessions;"));
        assert!(before_opening(&path, &steps).is_err());
        let c = Connection::open(&path).unwrap();
        assert_eq!(rows(&c), before);
        assert_eq!(backup::schema_of(&path).unwrap(), Some(RELEASED as i64));
        assert!(!path.with_extension("next").exists());
        drop(c);
        Catalog::open(&path).unwrap();
    }

    #[test]
    fn a_database_of_a_newer_release_is_not_touched() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("catalog.db");
        Connection::open(&path).unwrap().pragma_update(None, "user_version", 900).unwrap();
        assert!(Catalog::open(&path).is_err_and(|f| f.to_string().contains("newer release")));
    }
}
