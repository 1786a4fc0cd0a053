//! How much room a volume has, and whether somebody else already writes to it.

use crate::machine::fault::Fault;
use nix::fcntl::{Flock, FlockArg};
use std::fs::{File, OpenOptions};
use std::path::Path;

/// Room on a volume, bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Room {
    /// In all.
    pub total: u64,
    /// Free for us.
    pub free: u64,
}

/// The room on the volume that holds a path.
pub fn room(path: &Path) -> Result<Room, Fault> {
    let s = nix::sys::statvfs::statvfs(path).map_err(|e| Fault::file("measure", path, e.into()))?;
    let unit = s.fragment_size();
    Ok(Room { total: s.blocks() * unit, free: s.blocks_available() * unit })
}

/// Held while this process may write to a store; a second one is refused.
#[derive(Debug)]
pub struct StoreLock(#[allow(dead_code)] Flock<File>);

/// Takes the store's lock, or tells that another process has it. The kernel lets go of it however this process ends.
pub fn lock(path: &Path) -> Result<StoreLock, Fault> {
    let file = OpenOptions::new().create(true).truncate(false).write(true).open(path).map_err(|e| Fault::file("open", path, e))?;
    Flock::lock(file, FlockArg::LockExclusiveNonblock)
        .map(StoreLock)
        .map_err(|(_, e)| Fault::of("lock", path.display().to_string(), format!("another shilu uses this store ({e})")))
}
