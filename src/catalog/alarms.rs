//! Alarms, and what people said to them.

use crate::machine::fault::Fault;
use crate::model::alarm::{AlarmKind, AlarmRow, Severity};
use rusqlite::{Connection, Row, params};

const COLUMNS: &str =
    "id, kind, severity, subject, name, room, text, count, unsteady, began_at, ended_at, acknowledged_at, acknowledged_by,
     reason, told_at, reminders";

/// Of what stays, so many that were acknowledged are remembered.
const DONE_MAX: u32 = 10_000;

fn row(r: &Row<'_>) -> rusqlite::Result<AlarmRow> {
    Ok(AlarmRow {
        id: r.get(0)?,
        kind: kind(&r.get::<_, String>(1)?),
        severity: Severity::from_word(&r.get::<_, String>(2)?).unwrap_or(Severity::Urgent),
        subject: r.get(3)?,
        name: r.get(4)?,
        room: r.get::<_, Option<String>>(5)?.filter(|room| !room.is_empty()),
        text: r.get(6)?,
        count: r.get(7)?,
        unsteady: r.get(8)?,
        began_at: r.get(9)?,
        ended_at: r.get(10)?,
        acknowledged_at: r.get(11)?,
        acknowledged_by: r.get(12)?,
        reason: r.get(13)?,
        told_at: r.get(14)?,
        reminders: r.get(15)?,
    })
}

/// A kind of an earlier or a later release is still an alarm.
fn kind(word: &str) -> AlarmKind {
    AlarmKind::from_word(word).unwrap_or(AlarmKind::RoomInUse)
}

/// Writes one as it stands now. What somebody said to it is never taken back: the two are written by different hands.
pub fn put(c: &Connection, a: &AlarmRow) -> Result<(), Fault> {
    c.execute(
        "INSERT INTO alarms (id, kind, severity, subject, name, room, text, count, unsteady, began_at, ended_at, acknowledged_at,
             acknowledged_by, reason, told_at, reminders)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16)
         ON CONFLICT (id) DO UPDATE SET severity = excluded.severity, count = excluded.count, unsteady = excluded.unsteady,
             ended_at = excluded.ended_at, told_at = excluded.told_at, reminders = excluded.reminders,
             acknowledged_at = coalesce(excluded.acknowledged_at, acknowledged_at),
             acknowledged_by = coalesce(excluded.acknowledged_by, acknowledged_by), reason = coalesce(excluded.reason, reason)",
        params![
            a.id,
            a.kind.as_str(),
            a.severity.as_str(),
            a.subject,
            a.name,
            a.room.as_deref().unwrap_or_default(),
            a.text,
            a.count,
            a.unsteady,
            a.began_at,
            a.ended_at,
            a.acknowledged_at,
            a.acknowledged_by,
            a.reason,
            a.told_at,
            a.reminders,
        ],
    )?;
    Ok(())
}

/// Writes down what somebody said, and nothing else.
pub fn acknowledge(c: &Connection, id: &str, at_ms: i64, by: &str, reason: Option<&str>) -> Result<(), Fault> {
    let text = "UPDATE alarms SET acknowledged_at = ?2, acknowledged_by = ?3, reason = ?4 WHERE id = ?1 AND acknowledged_at IS NULL";
    c.execute(text, params![id, at_ms, by, reason])?;
    Ok(())
}

/// What is looked for in the history.
#[derive(Debug, Clone, Default)]
pub struct Wanted {
    /// Those that are open alone.
    pub open: bool,
    /// Of one kind.
    pub kind: Option<AlarmKind>,
    /// Of one room.
    pub room: Option<String>,
    /// Which had not ended before, ms since 1970.
    pub from_ms: Option<i64>,
    /// Which had begun by then, ms since 1970.
    pub until_ms: Option<i64>,
}

/// What is wanted, newest first.
pub fn find(c: &Connection, wanted: &Wanted, rows_max: u32) -> Result<Vec<AlarmRow>, Fault> {
    let mut statement = c.prepare_cached(&format!(
        "SELECT {COLUMNS} FROM alarms
         WHERE (NOT ?1 OR ended_at IS NULL OR (acknowledged_at IS NULL AND kind = 'room_in_use'))
             AND (?2 IS NULL OR kind = ?2) AND (?3 IS NULL OR room = ?3)
             AND (?4 IS NULL OR ended_at IS NULL OR ended_at >= ?4) AND (?5 IS NULL OR began_at < ?5)
         ORDER BY began_at DESC, id DESC LIMIT ?6"
    ))?;
    let values = params![wanted.open, wanted.kind.map(AlarmKind::as_str), wanted.room, wanted.from_ms, wanted.until_ms, rows_max];
    Ok(statement.query_map(values, row)?.collect::<Result<_, _>>()?)
}

/// The newest, newest first.
pub fn newest(c: &Connection, rows_max: u32) -> Result<Vec<AlarmRow>, Fault> {
    find(c, &Wanted::default(), rows_max)
}

/// Those that are open.
pub fn open(c: &Connection) -> Result<Vec<AlarmRow>, Fault> {
    find(c, &Wanted { open: true, ..Wanted::default() }, DONE_MAX)
}

/// Of what stays: kinds and subjects that somebody acknowledged.
pub fn done(c: &Connection) -> Result<Vec<(AlarmKind, String)>, Fault> {
    let mut all = Vec::new();
    let mut statement =
        c.prepare_cached("SELECT subject FROM alarms WHERE kind = ?1 AND acknowledged_at IS NOT NULL ORDER BY began_at DESC LIMIT ?2")?;
    for kind in AlarmKind::ALL.iter().filter(|k| k.rule().stays) {
        for subject in statement.query_map(params![kind.as_str(), DONE_MAX], |r| r.get::<_, String>(0))? {
            all.push((*kind, subject?));
        }
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::alarm::Observed;
    use crate::model::alarm_book::Book;
    use crate::model::time::Moment;

    #[test]
    fn an_alarm_is_found_as_it_was_put_and_what_somebody_said_to_it_stays() {
        let c = crate::catalog::tests::connection();
        let now = Moment { utc: chrono::DateTime::UNIX_EPOCH, mono_ms: 0 };
        let mut book = Book::default();
        let seen = Observed::new(AlarmKind::Dark, "dv-1", "XW-101 面部").in_room(&"room-1").saying(Some("black".into()));
        let first = book.look(now, &[seen]).remove(0).alarm;
        put(&c, &first).unwrap();
        assert_eq!(open(&c).unwrap(), std::slice::from_ref(&first));
        acknowledge(&c, &first.id, 5, "孙丽", None).unwrap();
        // The other hand knows nothing of it yet.
        put(&c, &AlarmRow { ended_at: Some(9), ..first.clone() }).unwrap();
        let wanted = Wanted { kind: Some(AlarmKind::Dark), room: Some("room-1".into()), from_ms: Some(9), ..Wanted::default() };
        let found = find(&c, &wanted, 10).unwrap();
        assert_eq!((found[0].ended_at, found[0].acknowledged_by.as_deref()), (Some(9), Some("孙丽")));
        assert!(open(&c).unwrap().is_empty());
        assert!(find(&c, &Wanted { from_ms: Some(10), ..wanted.clone() }, 10).unwrap().is_empty());
        assert!(find(&c, &Wanted { until_ms: Some(0), ..Wanted::default() }, 10).unwrap().is_empty());
        assert!(done(&c).unwrap().is_empty(), "what goes away by itself may come again");
    }
}
