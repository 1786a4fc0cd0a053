//! The journal: one JSON line a happening, durable before anyone is told.

use crate::footage::tree;
use crate::machine::durable::{self, Appending};
use crate::machine::fault::Fault;
use crate::model::session::{Happening, Session, Stamp};
use crate::model::step;
use serde::{Deserialize, Serialize};
use std::path::Path;

/// The longest journal that is read: 8 h of two cameras make some 0.5 MB.
const BYTES_MAX: u64 = 256 * 1024 * 1024;

/// A line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Line {
    /// When.
    #[serde(flatten)]
    pub stamp: Stamp,
    /// What.
    #[serde(rename = "event")]
    pub happening: Happening,
}

/// A journal that is being written.
#[derive(Debug)]
pub struct Journal {
    file: Appending,
}

impl Journal {
    /// Opens or makes the journal of a session's folder, to go on at its end.
    pub fn open(folder: &Path) -> Result<Self, Fault> {
        let path = folder.join(tree::JOURNAL);
        let mut file = Appending::open(&path)?;
        // A power cut may have torn the last line. A line break ends it; readers skip what is no whole line.
        if file.bytes() > 0 && durable::read_whole(&path, BYTES_MAX)?.last() != Some(&b'\n') {
            file.append(b"\n")?;
        }
        Ok(Self { file })
    }

    /// Writes a line and makes it durable. After a fault the line may or may not be there: replay tolerates both.
    pub fn write(&mut self, stamp: Stamp, happening: &Happening) -> Result<(), Fault> {
        let text = line(stamp, happening);
        if let Err(fault) = self.file.append(&text) {
            // A full disk leaves half a line; it is taken back so that the next one begins on its own.
            self.file.drop_torn_tail()?;
            return Err(fault);
        }
        self.file.sync()
    }
}

/// A line as it stands in the file.
pub fn line(stamp: Stamp, happening: &Happening) -> Vec<u8> {
    // Plain data with text keys: it cannot fail.
    let mut text = serde_json::to_vec(&Line { stamp, happening: happening.clone() }).unwrap_or_default();
    text.push(b'\n');
    text
}

/// The lines of a folder's journal, in order. What is no whole line (a torn end) is left out and counted.
pub fn read(folder: &Path) -> Result<(Vec<Line>, usize), Fault> {
    let data = durable::read_whole(&folder.join(tree::JOURNAL), BYTES_MAX)?;
    let lines = data.split(|b| *b == b'\n').filter(|l| !l.is_empty());
    let parsed: Vec<Option<Line>> = lines.map(|l| serde_json::from_slice(l).ok()).collect();
    let torn = parsed.iter().filter(|l| l.is_none()).count();
    Ok((parsed.into_iter().flatten().collect(), torn))
}

/// Whether a folder's journal says that the session was sealed.
pub fn is_sealed(folder: &Path) -> Result<bool, Fault> {
    let (lines, _) = read(folder)?;
    Ok(lines.iter().any(|l| matches!(l.happening, Happening::Sealed(_))))
}

/// The session that a folder's journal tells.
pub fn session(folder: &Path) -> Result<Option<Session>, Fault> {
    let (lines, _) = read(folder)?;
    Ok(step::replay(lines.iter().map(|l| (&l.happening, l.stamp))))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::gap::GapCause;
    use chrono::DateTime;

    #[test]
    fn a_torn_last_line_is_left_out_and_the_journal_goes_on() {
        let dir = tempfile::tempdir().unwrap();
        let stamp = Stamp { at: DateTime::UNIX_EPOCH, at_ms: 1 };
        let line = Happening::Restarted { cause: GapCause::Restart, since_ms: 0 };
        Journal::open(dir.path()).unwrap().write(stamp, &line).unwrap();
        Appending::open(&dir.path().join(tree::JOURNAL)).unwrap().append(b"{\"at\":\"20").unwrap();
        Journal::open(dir.path()).unwrap().write(stamp, &line).unwrap();
        let (lines, torn) = read(dir.path()).unwrap();
        assert_eq!((lines.len(), torn), (2, 1));
    }
}
