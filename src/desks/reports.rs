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

impl Desks {
    /// Newest first, 100 a page, before the index given.
    pub async fn log(&self, who: &Person, before: Option<u64>, session: Option<&str>) -> Answer<Vec<LogRow>> {
        self.need(who, Act::ReadLog)?;
        let session = session.map(str::to_owned);
        let page = self.read(move |c| entries::page(c, before, session.as_deref(), PAGE_ROWS)).await?;
        Ok(page.into_iter().map(|r| LogRow { number: r.number, entry: r.entry, actor_name: r.actor_name }).collect())
    }
}
