//! Reading the custody log.

use crate::catalog::entries;
use crate::desks::{Answer, Desks};
use crate::model::entry::Entry;
use crate::model::people::{Act, Person};
use serde::Serialize;

/// Lines on a page.
const PAGE_ROWS: u32 = 100;

/// An entry with its name from the catalog.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct LogRow {
    /// Its number through all logs of this machine.
    pub number: u64,
    /// The entry.
    pub entry: Entry,
    /// The actor's name.
    pub actor_name: Option<String>,
}

/// Which page of the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogPlace {
    /// Its end.
    Newest,
    /// Its beginning.
    Oldest,
    /// What comes before a number.
    Before(u64),
    /// What comes after one.
    After(u64),
}

/// A page of it.
#[derive(Debug, Clone, Default)]
pub struct LogPart {
    /// Newest first.
    pub rows: Vec<LogRow>,
    /// There is more before it: before this number.
    pub older: Option<u64>,
    /// There is more behind it: after this number.
    pub newer: Option<u64>,
}

impl Desks {
    /// 100 entries, of one session or of all; a place beyond an end is that end.
    pub async fn log(&self, who: &Person, place: LogPlace, session: Option<&str>) -> Answer<LogPart> {
        self.need(who, Act::ReadLog)?;
        let session = session.map(str::to_owned);
        let (found, ends) = self
            .read(move |c| {
                let session = session.as_deref();
                let up = |after| {
                    let mut rows = entries::later(c, after, session, PAGE_ROWS)?;
                    rows.reverse();
                    Ok(rows)
                };
                let down = |before| entries::page(c, before, session, PAGE_ROWS);
                let mut rows = match place {
                    LogPlace::Newest => down(None),
                    LogPlace::Oldest => up(None),
                    LogPlace::Before(number) => down(Some(number)),
                    LogPlace::After(number) => up(Some(number)),
                }?;
                if rows.is_empty() {
                    rows = if matches!(place, LogPlace::Before(_)) { up(None) } else { down(None) }?;
                }
                Ok((rows, entries::ends(c, session)?))
            })
            .await?;
        let (first, last) = ends.unwrap_or_default();
        let rows: Vec<LogRow> = found.into_iter().map(|r| LogRow { number: r.number, entry: r.entry, actor_name: r.actor_name }).collect();
        let older = rows.last().map(|r| r.number).filter(|n| *n > first);
        let newer = rows.first().map(|r| r.number).filter(|n| *n < last);
        Ok(LogPart { rows, older, newer })
    }
}
