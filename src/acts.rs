//! One act = custody entry + catalog rows, in the right order. Two doors for acts, with the promises in their names:
//!
//! * [`Acts::log_then_do`]: looking, handing over, disposing, accounts. The entry is durable first, or nothing happens
//!   (promise 2).
//! * [`Acts::do_and_log`]: recording. It has already happened and cannot fail; an entry that could not be written is spooled
//!   (promise 1).
//!
//! Two hatches for rows that are no act, or no longer:
//!
//! * [`Acts::index_only`]: nobody waits. The index catches up with a file or a journal, or notes what is made anew when it is lost.
//! * [`Acts::keep`]: awaited. The act's entry is durable already (a file had to be written between the two), or it needs none.

use crate::catalog::{Catalog, Writing, entries};
use crate::custody::log::{CustodyLog, Logged};
use crate::custody::logfile::{self, Opening};
use crate::custody::note::Note;
use crate::custody::tiles::{Tiles, WIDTH};
use crate::machine::clock::Clock;
use crate::machine::fault::Fault;
use crate::model::entry::{Draft, Entry};
use std::path::Path;
use std::sync::Arc;
use tokio::sync::oneshot;

/// The two doors.
#[derive(Clone)]
pub struct Acts {
    log: CustodyLog,
    catalog: Catalog,
    clock: Arc<dyn Clock>,
}

impl Acts {
    /// Opens the log, and indexes what it holds beyond the catalog's last entry: a crash between entry and row is finished here
    /// by the same function that runs live.
    pub fn open(opening: Opening, catalog: Catalog, clock: Arc<dyn Clock>) -> Result<Self, Fault> {
        let index = catalog.clone();
        let seen = move |logged: &Logged| {
            let logged = logged.clone();
            index.begin_write(move |t| put(t, &logged), lagging);
        };
        let folder = opening.folder.clone();
        let log = CustodyLog::open(opening, clock.now().utc, Box::new(seen))?;
        let acts = Self { log, catalog, clock };
        for earlier in logfile::set_aside_logs(&folder) {
            if let Some(origin) = logfile::origin_of(&earlier) {
                acts.index(&earlier, &origin);
            }
        }
        if let Some(origin) = acts.log.state().origin {
            acts.index(&folder, &origin);
        }
        Ok(acts)
    }

    /// Entries of a log that the catalog lacks, a bundle at a time. What cannot be read of a log that was set aside is why it was.
    fn index(&self, folder: &Path, origin: &str) {
        let known = origin.to_owned();
        let mut next = match self.catalog.read(move |c| entries::count(c, &known)) {
            Ok(next) => next,
            Err(fault) => return lagging(Err(fault)),
        };
        let tiles = Tiles::of(folder);
        while let Ok(bundle) = tiles.entries(next / WIDTH) {
            let whole = bundle.len() as u64 == WIDTH;
            let read = bundle.iter().filter_map(|e| serde_json::from_slice::<Entry>(e).ok());
            let missing: Vec<Entry> = read.filter(|e| e.index >= next).collect();
            let origin = origin.to_owned();
            self.catalog.begin_write(move |t| missing.iter().try_for_each(|e| entries::add(t, &origin, e).map(drop)), lagging);
            if !whole {
                return;
            }
            next = (next / WIDTH + 1) * WIDTH;
        }
    }

    /// Logs, then does: `work` runs in one transaction with the entry's row, after the entry is durable. If the entry cannot be
    /// made durable, `work` does not run. A crash between the two leaves an entry without its act, which counts as not done.
    pub async fn log_then_do<T: Send + 'static>(
        &self,
        draft: Draft,
        work: impl FnOnce(&Writing<'_>) -> Result<T, Fault> + Send + 'static,
    ) -> Result<T, Fault> {
        let (tell, told) = oneshot::channel();
        self.log.put(self.clock.now().utc, draft, Box::new(move |r| drop(tell.send(r))));
        let gone = |_| Fault::of("log", "an act", "the log's thread has ended");
        let logged = told.await.map_err(gone)??;
        let (tell, told) = oneshot::channel();
        let both = move |t: &Writing<'_>| {
            put(t, &logged)?;
            work(t)
        };
        self.catalog.begin_write(both, move |r| drop(tell.send(r)));
        told.await.map_err(gone)?
    }

    /// Does (writes rows), and logs; neither waits, neither can stop what has already happened.
    pub fn do_and_log(&self, draft: Draft, work: impl FnOnce(&Writing<'_>) -> Result<(), Fault> + Send + 'static) {
        self.log.spool(self.clock.now().utc, draft);
        self.index_only(work);
    }

    /// Rows that are no act of anyone: the index catching up with what a journal or a file already holds, a login's last use. A fault is
    /// told in the machine's own journal.
    pub fn index_only(&self, work: impl FnOnce(&Writing<'_>) -> Result<(), Fault> + Send + 'static) {
        self.catalog.begin_write(work, lagging);
    }

    /// Rows whose entry is durable already (a register's file was written in between; what a disposal took), or that need none (counted
    /// failures, a code that is used up, the archive's queue): in order, and awaited. A crash before it leaves entry and file, and what
    /// calls this is done once more, or the row is read again from its file.
    pub async fn keep<T: Send + 'static>(&self, work: impl FnOnce(&Writing<'_>) -> Result<T, Fault> + Send + 'static) -> Result<T, Fault> {
        let (tell, told) = oneshot::channel();
        self.catalog.begin_write(work, move |r| drop(tell.send(r)));
        told.await.map_err(|_| Fault::of("write to", "the catalog", "its writer has ended"))?
    }

    /// The index, for reading.
    pub fn catalog(&self) -> &Catalog {
        &self.catalog
    }

    /// Signs the log's head over everything that is durable now.
    pub async fn sign_head(&self) -> Result<Note, Fault> {
        let (tell, told) = oneshot::channel();
        self.log.sign(Box::new(move |r| drop(tell.send(r))));
        told.await.map_err(|_| Fault::of("sign", "the log's head", "the log's thread has ended"))?
    }

    /// The log itself: its state and its head.
    pub fn log(&self) -> &CustodyLog {
        &self.log
    }

    /// Acts whose entry is not durable yet.
    pub fn spooled(&self) -> usize {
        self.log.spooled()
    }
}

fn put(t: &Writing<'_>, logged: &Logged) -> Result<(), Fault> {
    let number = entries::add(t, &logged.origin, &logged.entry)?;
    logged.texts.iter().try_for_each(|b| entries::bind(t, number, &b.name, &b.salt, &b.text))
}

fn lagging(written: Result<(), Fault>) {
    if let Err(fault) = written {
        tracing::error!(%fault, "the catalog lags behind");
    }
}
