//! What stored files hold, by the number that each picture of a `replay` camera carries.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

const MARK: &[u8] = b"SHILU-FRAME-NO: ";

/// Pictures that were kept and that were not.
#[derive(Debug, Default, Clone)]
pub struct Kept {
    /// From each camera's first picture to its last.
    pub expected: u64,
    /// Of these, not there.
    pub lost: u64,
    /// There more than once.
    pub twice: u64,
    /// Bytes of the files, and of the media in them.
    pub file_bytes: u64,
    pub media_bytes: u64,
}

impl Kept {
    /// Adds one camera's files.
    pub fn add(&mut self, files: &[PathBuf]) {
        let mut numbers = BTreeSet::new();
        for file in files {
            let data = std::fs::read(file).unwrap();
            self.file_bytes += data.len() as u64;
            self.media_bytes += media(&data);
            for (number, _) in frames(&data) {
                self.twice += u64::from(!numbers.insert(number));
            }
        }
        if let (Some(first), Some(last)) = (numbers.first(), numbers.last()) {
            let expected = last - first + 1;
            self.expected += expected;
            self.lost += expected - numbers.len() as u64;
        }
    }

    /// Bytes on disk to bytes of media.
    pub fn overhead(&self) -> f64 {
        self.file_bytes as f64 / self.media_bytes.max(1) as f64
    }
}

/// Every file of that ending below a folder, sorted.
pub fn files(folder: &Path, ending: &str) -> Vec<PathBuf> {
    let mut all = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap().flatten() {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|e| e == ending) {
                all.push(path);
            }
        }
    }
    all.sort();
    all
}

/// Numbers of the pictures in a file and the camera's clock for each, Unix ms, in the order in which they stand there.
pub fn frames(data: &[u8]) -> Vec<(u64, i64)> {
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(next) = data[at..].windows(MARK.len()).position(|w| w == MARK) {
        let text = data.get(at + next + MARK.len()..at + next + MARK.len() + 24).and_then(|t| std::str::from_utf8(t).ok());
        found.extend(text.and_then(|t| t.split_once('@')).and_then(|(n, ms)| Some((n.parse().ok()?, ms.parse().ok()?))));
        at += next + MARK.len();
    }
    found
}

/// Bytes inside `mdat` boxes.
fn media(data: &[u8]) -> u64 {
    let (mut at, mut sum) = (0, 0);
    while let Some(head) = data.get(at..at + 8) {
        let length = u32::from_be_bytes(head[..4].try_into().unwrap()) as usize;
        if &head[4..] == b"mdat" {
            sum += length.saturating_sub(8) as u64;
        }
        at += length.max(8);
    }
    sum
}
