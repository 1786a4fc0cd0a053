//! Files that were taken in, on their way into the tree: bit for bit, and slowly, since nothing waits for them.

use crate::machine::clock::Due;
use crate::machine::durable::{self, Appending};
use crate::machine::fault::Fault;
use crate::model::digest::Running;
use std::io::Read;
use std::path::Path;
use std::thread;
use std::time::Duration;

/// Read at a time.
const PIECE_BYTES: usize = 1 << 20;
/// Made durable at a time.
const SYNC_BYTES: u64 = 8 << 20;
/// The longest rest after a piece.
const REST_MAX: Duration = Duration::from_millis(200);

/// Puts a file that arrived into a session's folder under its name there. What lies on the same volume is only renamed.
pub fn place(from: &Path, to: &Path, sha256: &str) -> Result<(), Fault> {
    // A crash right behind the renaming leaves the file where it belongs.
    if durable::exists(to) {
        return Ok(());
    }
    durable::rename(from, to).or_else(|_| copy(from, to, Some(sha256)).map(drop))
}

/// Copies a file, and gives its length. Where the digest is known, a copy with another one is none. It rests as long as it works: what
/// is recorded meanwhile comes first.
pub fn copy(from: &Path, to: &Path, sha256: Option<&str>) -> Result<u64, Fault> {
    let mut name = to.file_name().unwrap_or_default().to_owned();
    name.push(".part");
    let part = to.with_file_name(name);
    // A part that a crash left was never announced.
    durable::remove_marker(&part)?;
    let (mut source, mut file) = (durable::open(from)?, Appending::create(&part)?);
    let (mut digest, mut piece) = (Running::default(), vec![0; PIECE_BYTES]);
    loop {
        let began = Due::now();
        let read = source.read(&mut piece).map_err(|e| Fault::file("read", from, e))?;
        if read == 0 {
            break;
        }
        digest.update(&piece[..read]);
        file.append(&piece[..read])?;
        // Little by little, so that the volume never has much of it to write at once.
        if file.bytes().is_multiple_of(SYNC_BYTES) {
            file.sync()?;
        }
        thread::sleep(began.since().min(REST_MAX));
    }
    if sha256.is_some_and(|wanted| digest.hex() != wanted) {
        durable::remove_marker(&part)?;
        return Err(Fault::of("copy", from.display().to_string(), "what was read is not what arrived"));
    }
    file.sync()?;
    let bytes = file.bytes();
    durable::rename(&part, to)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::digest;

    #[test]
    fn a_copy_that_is_not_what_arrived_is_none() {
        let dir = tempfile::tempdir().unwrap();
        let (from, to) = (dir.path().join("a"), dir.path().join("b.mov"));
        durable::write_whole(&from, b"bytes").unwrap();
        assert!(copy(&from, &to, Some(&digest::sha256(b"others"))).is_err());
        assert_eq!(durable::names(dir.path()).unwrap(), ["a"]);
        assert_eq!(copy(&from, &to, Some(&digest::sha256(b"bytes"))).unwrap(), 5);
        place(&from, &to, "").unwrap();
        assert!(durable::exists(&from), "it lies there already; nothing is touched");
    }
}
