//! The queue to the archive, and what lies there.

use crate::machine::fault::Fault;
use crate::model::archive::{Index, Lock, StoredFile, StoredPart};
use chrono::DateTime;
use rusqlite::{Connection, Row, params};

/// Something that is archived as one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    /// One of `model::archive::KINDS`.
    pub kind: String,
    /// Which.
    pub id: String,
    /// Below the data root.
    pub folder: String,
    /// Waits since, ms since 1970.
    pub since: Option<i64>,
    /// Of its newest index.
    pub number: u64,
    /// When it was archived, ms since 1970.
    pub archived_at: Option<i64>,
    /// Its footage lies in the archive alone since.
    pub released_at: Option<i64>,
    /// Given up since.
    pub dispose_at: Option<i64>,
    /// Why it is not there.
    pub problem: Option<String>,
}

/// An object in the bucket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Object {
    /// What it is part of.
    pub kind: String,
    /// Which.
    pub id: String,
    /// File below the item's folder; empty: an index.
    pub name: String,
    /// SHA-256 of the whole file.
    pub file_sha256: String,
    /// Its size.
    pub file_bytes: u64,
    /// Which part, from 0.
    pub part: u32,
    /// As it was put.
    pub stored: StoredPart,
    /// Its lock.
    pub lock: Lock,
}

/// Figures for a page.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Figures {
    /// Items that wait, and since when the oldest does.
    pub waiting: u64,
    /// See `waiting`.
    pub waiting_since: Option<i64>,
    /// Sessions in the archive.
    pub sessions: u64,
    /// Sessions whose footage lies there alone.
    pub released: u64,
    /// Given up, waiting for the end of their locks.
    pub disposing: u64,
    /// Objects that are in use.
    pub objects: u64,
    /// Their bytes.
    pub bytes: u64,
    /// When the one that was read least lately was read.
    pub verified_since: Option<i64>,
}

const ITEM: &str = "kind, id, folder, since, number, archived_at, released_at, dispose_at, problem";
const OBJECT: &str =
    "key, version, kind, id, name, file_sha256, file_bytes, part, bytes, sha256, stored_bytes, stored_sha256, locked_until, held";

fn item(r: &Row<'_>) -> rusqlite::Result<Item> {
    Ok(Item {
        kind: r.get(0)?,
        id: r.get(1)?,
        folder: r.get(2)?,
        since: r.get(3)?,
        number: r.get::<_, i64>(4)? as u64,
        archived_at: r.get(5)?,
        released_at: r.get(6)?,
        dispose_at: r.get(7)?,
        problem: r.get(8)?,
    })
}

fn object(r: &Row<'_>) -> rusqlite::Result<Object> {
    let size = |at: usize| r.get::<_, i64>(at).map(|n| n as u64);
    Ok(Object {
        kind: r.get(2)?,
        id: r.get(3)?,
        name: r.get(4)?,
        file_sha256: r.get(5)?,
        file_bytes: size(6)?,
        part: r.get(7)?,
        stored: StoredPart {
            key: r.get(0)?,
            version: r.get(1)?,
            bytes: size(8)?,
            sha256: r.get(9)?,
            stored_bytes: size(10)?,
            stored_sha256: r.get(11)?,
        },
        lock: Lock { until: DateTime::from_timestamp_millis(r.get(12)?).unwrap_or_default(), held: r.get(13)? },
    })
}

/// Something is to be archived, or again: it has changed. Each change moves `since`, so that one that comes while the item is being put
/// is not taken for done.
pub fn want(c: &Connection, kind: &str, id: &str, folder: &str, since: i64) -> Result<(), Fault> {
    c.prepare_cached(
        "INSERT INTO archive_items (kind, id, folder, since) VALUES (?1, ?2, ?3, ?4)
         ON CONFLICT (kind, id) DO UPDATE SET folder = excluded.folder, since = coalesce(since + 1, excluded.since), problem = NULL",
    )?
    .execute(params![kind, id, folder, since])?;
    Ok(())
}

/// Something is to be archived if it never was: what stays as it is once it is there.
pub fn want_once(c: &Connection, kind: &str, id: &str, folder: &str, since: i64) -> Result<(), Fault> {
    c.prepare_cached("INSERT OR IGNORE INTO archive_items (kind, id, folder, since) VALUES (?1, ?2, ?3, ?4)")?
        .execute(params![kind, id, folder, since])?;
    Ok(())
}

/// A session that is known has changed: a paper came beside it.
pub fn changed(c: &Connection, session: &str, since: i64) -> Result<(), Fault> {
    c.prepare_cached("UPDATE archive_items SET since = coalesce(since + 1, ?2) WHERE kind = 'session' AND id = ?1")?
        .execute(params![session, since])?;
    Ok(())
}

/// Its locks are to be compared with what retention says, soon.
pub fn look_again(c: &Connection, session: &str) -> Result<(), Fault> {
    c.prepare_cached("UPDATE archive_items SET looked_at = 0 WHERE kind = 'session' AND id = ?1")?.execute([session])?;
    Ok(())
}

fn items(c: &Connection, tail: &str, values: impl rusqlite::Params) -> Result<Vec<Item>, Fault> {
    let mut statement = c.prepare_cached(&format!("SELECT {ITEM} FROM archive_items {tail}"))?;
    let rows = statement.query_map(values, item)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

fn objects(c: &Connection, tail: &str, values: impl rusqlite::Params) -> Result<Vec<Object>, Fault> {
    let mut statement = c.prepare_cached(&format!("SELECT {OBJECT} FROM archive_objects {tail}"))?;
    let rows = statement.query_map(values, object)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// One.
pub fn by_id(c: &Connection, kind: &str, id: &str) -> Result<Option<Item>, Fault> {
    Ok(items(c, "WHERE kind = ?1 AND id = ?2", [kind, id])?.pop())
}

/// What waits, longest first; what has a problem of its own comes last, or not at all.
pub fn waiting(c: &Connection, rows_max: u32, with_problems: bool) -> Result<Vec<Item>, Fault> {
    let tail = "WHERE since IS NOT NULL AND dispose_at IS NULL AND (problem IS NULL OR ?2) ORDER BY problem IS NOT NULL, since LIMIT ?1";
    items(c, tail, params![rows_max, with_problems])
}

/// Those whose locks were compared longest ago, before a moment.
pub fn to_look_at(c: &Connection, before: i64, rows_max: u32) -> Result<Vec<Item>, Fault> {
    let tail = "WHERE looked_at < ?1 AND archived_at IS NOT NULL AND dispose_at IS NULL ORDER BY looked_at LIMIT ?2";
    items(c, tail, params![before, rows_max])
}

/// They were compared.
pub fn looked(c: &Connection, kind: &str, id: &str, at: i64) -> Result<(), Fault> {
    c.execute("UPDATE archive_items SET looked_at = ?3 WHERE kind = ?1 AND id = ?2", params![kind, id, at])?;
    Ok(())
}

/// Those that are given up and whose locks should have ended by a moment.
pub fn disposing(c: &Connection, by: i64, rows_max: u32) -> Result<Vec<Item>, Fault> {
    items(c, "WHERE dispose_at IS NOT NULL AND dispose_after <= ?1 ORDER BY dispose_after LIMIT ?2", params![by, rows_max])
}

/// One that is given up is locked until then.
pub fn dispose_later(c: &Connection, item: &Item, after: i64) -> Result<(), Fault> {
    c.execute("UPDATE archive_items SET dispose_after = ?3 WHERE kind = ?1 AND id = ?2", params![item.kind, item.id, after])?;
    Ok(())
}

/// Archived sessions with footage here that have a date and no hold, oldest first, behind one that was looked at. What may not be released
/// is none of them: it would stand in the way of the others.
pub fn releasable(c: &Connection, archived_before: i64, behind: (i64, &str), rows_max: u32) -> Result<Vec<Item>, Fault> {
    let tail = "JOIN retention ON retention.session = id
                WHERE kind = 'session' AND since IS NULL AND released_at IS NULL AND dispose_at IS NULL AND archived_at < ?1
                    AND held = 0 AND gone = 0 AND earliest IS NOT NULL AND (archived_at, id) > (?2, ?3)
                ORDER BY archived_at, id LIMIT ?4";
    items(c, tail, params![archived_before, behind.0, behind.1, rows_max])
}

/// Versions that others took the place of, whose locks have ended by a moment; of nothing that is held.
pub fn superseded(c: &Connection, by: i64, rows_max: u32) -> Result<Vec<Object>, Fault> {
    let tail = "WHERE current = 0 AND locked_until <= ?1
                    AND NOT EXISTS (SELECT 1 FROM retention r WHERE kind = 'session' AND r.session = id AND r.held = 1)
                    AND NOT EXISTS (SELECT 1 FROM archive_items i WHERE i.kind = archive_objects.kind AND i.id = archive_objects.id
                        AND i.dispose_at IS NOT NULL)
                ORDER BY locked_until LIMIT ?2";
    objects(c, tail, params![by, rows_max])
}

/// Files that an item's newest index no longer names.
pub fn no_longer(c: &Connection, item: &Item, names: &[String]) -> Result<(), Fault> {
    let mut set = c.prepare_cached("UPDATE archive_objects SET current = 0 WHERE kind = ?1 AND id = ?2 AND name = ?3")?;
    names.iter().try_for_each(|name| set.execute([&item.kind, &item.id, name]).map(drop))?;
    Ok(())
}

/// An item lies in the archive whole; it waits no more, unless it changed since `began`.
pub fn archived(c: &Connection, item: &Item, number: u64, at: i64, began: Option<i64>) -> Result<(), Fault> {
    c.execute(
        "UPDATE archive_items SET number = ?3, archived_at = coalesce(archived_at, ?4), looked_at = ?4, problem = NULL,
             since = CASE WHEN since IS ?5 THEN NULL ELSE since END WHERE kind = ?1 AND id = ?2",
        params![item.kind, item.id, number as i64, at, began],
    )?;
    Ok(())
}

/// Why an item is not archived.
pub fn problem(c: &Connection, item: &Item, what: &str) -> Result<(), Fault> {
    c.execute("UPDATE archive_items SET problem = ?3 WHERE kind = ?1 AND id = ?2", params![item.kind, item.id, what])?;
    Ok(())
}

/// An object was put and read back; what held the same part before gives way.
pub fn put(c: &Connection, o: &Object, at: i64) -> Result<(), Fault> {
    if o.name.is_empty() {
        c.prepare_cached("UPDATE archive_objects SET current = 0 WHERE kind = ?1 AND id = ?2 AND name = ''")?
            .execute(params![o.kind, o.id])?;
    } else {
        let text = "UPDATE archive_objects SET current = 0 WHERE kind = ?1 AND id = ?2 AND name = ?3 AND (part = ?4 OR file_sha256 <> ?5)";
        c.prepare_cached(text)?.execute(params![o.kind, o.id, o.name, o.part, o.file_sha256])?;
    }
    c.prepare_cached(
        "INSERT OR REPLACE INTO archive_objects (key, version, kind, id, name, file_sha256, file_bytes, part, bytes, sha256, stored_bytes,
             stored_sha256, locked_until, held, verified_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15)",
    )?
    .execute(params![
        o.stored.key,
        o.stored.version,
        o.kind,
        o.id,
        o.name,
        o.file_sha256,
        o.file_bytes as i64,
        o.part,
        o.stored.bytes as i64,
        o.stored.sha256,
        o.stored.stored_bytes as i64,
        o.stored.stored_sha256,
        o.lock.until.timestamp_millis(),
        o.lock.held,
        at
    ])?;
    Ok(())
}

/// The objects of an item that are in use, by file and part; indexes too.
pub fn of_item(c: &Connection, kind: &str, id: &str) -> Result<Vec<Object>, Fault> {
    objects(c, "WHERE kind = ?1 AND id = ?2 AND current = 1 ORDER BY name, part", [kind, id])
}

/// Every version that was ever put of an item.
pub fn all_of_item(c: &Connection, kind: &str, id: &str) -> Result<Vec<Object>, Fault> {
    objects(c, "WHERE kind = ?1 AND id = ?2", [kind, id])
}

/// The files of an item as an index lists them.
pub fn files(objects: &[Object]) -> Vec<StoredFile> {
    let mut files: Vec<StoredFile> = Vec::new();
    for o in objects.iter().filter(|o| !o.name.is_empty()) {
        match files.last_mut() {
            Some(file) if file.name == o.name => file.parts.push(o.stored.clone()),
            _ => files.push(StoredFile {
                name: o.name.clone(),
                bytes: o.file_bytes,
                sha256: o.file_sha256.clone(),
                parts: vec![o.stored.clone()],
            }),
        }
    }
    files
}

/// What was read again longest ago, before a moment.
pub fn to_verify(c: &Connection, before: i64, rows_max: u32) -> Result<Vec<Object>, Fault> {
    objects(c, "WHERE current = 1 AND verified_at < ?1 ORDER BY verified_at LIMIT ?2", params![before, rows_max])
}

/// Everything is to be read again.
pub fn verify_all(c: &Connection) -> Result<(), Fault> {
    c.execute("UPDATE archive_objects SET verified_at = 0 WHERE current = 1", [])?;
    Ok(())
}

/// It was read again and is what was put.
pub fn verified(c: &Connection, o: &Object, at: i64) -> Result<(), Fault> {
    let set = "UPDATE archive_objects SET verified_at = ?3 WHERE key = ?1 AND version = ?2";
    c.prepare_cached(set)?.execute(params![o.stored.key, o.stored.version, at])?;
    Ok(())
}

/// Its lock is another now.
pub fn locked(c: &Connection, o: &Object, lock: Lock) -> Result<(), Fault> {
    c.prepare_cached("UPDATE archive_objects SET locked_until = ?3, held = ?4 WHERE key = ?1 AND version = ?2")?.execute(params![
        o.stored.key,
        o.stored.version,
        lock.until.timestamp_millis(),
        lock.held
    ])?;
    Ok(())
}

/// A file of an item is to be put again: what lies there of it is not what was put.
pub fn lost(c: &Connection, o: &Object, since: i64) -> Result<(), Fault> {
    c.execute("UPDATE archive_objects SET current = 0 WHERE key = ?1 AND version = ?2", [&o.stored.key, &o.stored.version])?;
    let again = "UPDATE archive_items SET since = coalesce(since, ?3) WHERE kind = ?1 AND id = ?2";
    c.execute(again, params![o.kind, o.id, since])?;
    Ok(())
}

/// It is gone from the bucket.
pub fn forget(c: &Connection, o: &Object) -> Result<(), Fault> {
    c.execute("DELETE FROM archive_objects WHERE key = ?1 AND version = ?2", [&o.stored.key, &o.stored.version])?;
    Ok(())
}

/// Nothing of an item is left in the bucket.
pub fn forget_item(c: &Connection, kind: &str, id: &str) -> Result<(), Fault> {
    c.execute("DELETE FROM archive_objects WHERE kind = ?1 AND id = ?2", [kind, id])?;
    c.execute("DELETE FROM archive_items WHERE kind = ?1 AND id = ?2", [kind, id])?;
    Ok(())
}

/// The footage of a session lies in the archive alone from now on; none: here again.
pub fn released(c: &Connection, session: &str, at: Option<i64>) -> Result<(), Fault> {
    c.execute("UPDATE archive_items SET released_at = ?2 WHERE kind = 'session' AND id = ?1", params![session, at])?;
    if at.is_none() {
        let count_anew = "UPDATE archive_items SET archived_at = unixepoch() * 1000 WHERE kind = 'session' AND id = ?1";
        c.execute(count_anew, [session])?;
    }
    Ok(())
}

/// The end of the last lock on anything of an item, ms since 1970; none: no object of it is known.
pub fn locked_until(c: &Connection, kind: &str, id: &str) -> Result<Option<i64>, Fault> {
    let text = "SELECT max(locked_until) FROM archive_objects WHERE kind = ?1 AND id = ?2";
    Ok(c.prepare_cached(text)?.query_row([kind, id], |r| r.get(0))?)
}

/// A session is given up: its objects go when their locks end, not before `after`.
pub fn dispose(c: &Connection, session: &str, at: i64, after: i64) -> Result<(), Fault> {
    let set = "UPDATE archive_items SET dispose_at = ?2, dispose_after = ?3, since = NULL WHERE kind = 'session' AND id = ?1";
    c.execute(set, params![session, at, after])?;
    Ok(())
}

/// What the bucket's own index says of an item is taken over: what it lists lies there, and is read again soon. Its locks are read when
/// they are compared next.
pub fn adopt(c: &Connection, index: &Index) -> Result<(), Fault> {
    let at = index.at.timestamp_millis();
    c.execute(
        "INSERT INTO archive_items (kind, id, folder, number, archived_at) VALUES (?1, ?2, ?3, ?4, ?5)
         ON CONFLICT (kind, id) DO UPDATE SET number = excluded.number, archived_at = excluded.archived_at",
        params![index.kind, index.id, index.folder, index.number as i64, at],
    )?;
    for file in &index.files {
        for (part, stored) in file.parts.iter().enumerate() {
            let lock = Lock { until: index.at, held: false };
            let object = Object {
                kind: index.kind.clone(),
                id: index.id.clone(),
                name: file.name.clone(),
                file_sha256: file.sha256.clone(),
                file_bytes: file.bytes,
                part: part as u32,
                stored: stored.clone(),
                lock,
            };
            put(c, &object, 0)?;
        }
    }
    Ok(())
}

/// Figures for a page.
pub fn figures(c: &Connection) -> Result<Figures, Fault> {
    let count = |text: &str| c.prepare_cached(text)?.query_row([], |r| r.get::<_, i64>(0)).map(|n| n as u64);
    let (waiting, waiting_since) = c
        .prepare_cached("SELECT count(*), min(since) FROM archive_items WHERE since IS NOT NULL")?
        .query_row([], |r| Ok((r.get::<_, i64>(0)? as u64, r.get(1)?)))?;
    let (objects, bytes, verified_since) = c
        .prepare_cached("SELECT count(*), coalesce(sum(stored_bytes), 0), min(verified_at) FROM archive_objects WHERE current = 1")?
        .query_row([], |r| Ok((r.get::<_, i64>(0)? as u64, r.get::<_, i64>(1)? as u64, r.get(2)?)))?;
    Ok(Figures {
        waiting,
        waiting_since,
        sessions: count("SELECT count(*) FROM archive_items WHERE kind = 'session' AND archived_at IS NOT NULL")?,
        released: count("SELECT count(*) FROM archive_items WHERE released_at IS NOT NULL")?,
        disposing: count("SELECT count(*) FROM archive_items WHERE dispose_at IS NOT NULL")?,
        objects,
        bytes,
        verified_since,
    })
}
