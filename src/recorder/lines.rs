//! Journal lines on their way to a mirror: appended there as they come, synced with the rest.

use crate::footage::tree;
use crate::machine::durable::{self, Appending};
use crate::machine::fault::Fault;
use crate::machine::volume::Place;
use crate::model::time::Moment;
use std::collections::VecDeque;
use std::path::{Path, PathBuf};

/// How long they rest after a fault, ms.
const REST_MS: u64 = 1_000;
/// Lines that may wait.
const LINES_MAX: usize = 10_000;

#[derive(Default)]
pub(super) struct Lines {
    queue: VecDeque<(PathBuf, Vec<u8>)>,
    open: Option<(PathBuf, Appending)>,
    pub(super) unsynced: bool,
    rest_until: Option<u64>,
}

impl Lines {
    /// Until when they rest, if any wait.
    pub(super) fn rests(&self) -> Option<u64> {
        self.rest_until.filter(|_| !self.queue.is_empty())
    }

    pub(super) fn push(&mut self, folder: PathBuf, line: Vec<u8>) {
        // Too many: sealing brings the whole journal over.
        if self.queue.len() < LINES_MAX {
            self.queue.push_back((folder, line));
        }
    }

    pub(super) fn work(&mut self, place: &Place, now: Moment) -> Result<(), Fault> {
        if self.rest_until.is_some_and(|at| at > now.mono_ms) {
            return Ok(());
        }
        self.rest_until = None;
        while let Some((folder, line)) = self.queue.front() {
            if let Err(fault) = write_line(&mut self.open, place, folder, line) {
                self.open = None;
                self.rest_until = Some(now.mono_ms + REST_MS);
                return Err(fault);
            }
            self.unsynced = true;
            self.queue.pop_front();
        }
        Ok(())
    }

    pub(super) fn sync(&mut self) -> Result<(), Fault> {
        self.unsynced = false;
        self.open.as_mut().map_or(Ok(()), |(_, file)| file.sync())
    }
}

fn write_line(open: &mut Option<(PathBuf, Appending)>, place: &Place, folder: &Path, line: &[u8]) -> Result<(), Fault> {
    if open.as_ref().is_none_or(|(of, _)| of != folder) {
        place.check()?;
        let whole = place.root().join(folder);
        durable::make_folder(&whole)?;
        *open = Some((folder.to_owned(), Appending::open(&whole.join(tree::JOURNAL))?));
    }
    open.as_mut().map_or(Ok(()), |(_, file)| file.append(line))
}
