//! How much room a volume has, and whether somebody else already writes to it.

use crate::machine::fault::Fault;
use crate::model::digest::Running;
use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg, PosixFadviseAdvice, posix_fadvise};
use std::fs::{File, OpenOptions};
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

/// How much of a file is read at a time.
const PIECE_BYTES: usize = 1024 * 1024;

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

/// Where a volume belongs: nothing is written to a mount point while its volume is away.
#[derive(Debug, Clone)]
pub struct Place {
    root: PathBuf,
    own: bool,
    device: Arc<OnceLock<u64>>,
}

impl Place {
    /// A place that shall lie on another volume than the system's (`own`), or wherever it is found at first.
    pub fn new(root: PathBuf, own: bool) -> Self {
        Self { root, own, device: Arc::default() }
    }

    /// Its folder.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Whether the volume is there, and still the one that it was when it was first asked for.
    pub fn check(&self) -> Result<(), Fault> {
        let device = device(&self.root)?;
        if self.own && device == device_of(Path::new("/"))? {
            return Err(self.away("no volume is mounted there"));
        }
        if *self.device.get_or_init(|| device) != device {
            return Err(self.away("its volume is no longer mounted there"));
        }
        Ok(())
    }

    fn away(&self, why: &'static str) -> Fault {
        Fault::of("use", self.root.display().to_string(), why)
    }
}

/// The device that a path lies on, or would lie on once its folders are made.
fn device(path: &Path) -> Result<u64, Fault> {
    let there = path.ancestors().find(|p| p.exists()).unwrap_or(Path::new("/"));
    device_of(there)
}

fn device_of(path: &Path) -> Result<u64, Fault> {
    std::fs::metadata(path).map(|m| m.dev()).map_err(|e| Fault::file("look at", path, e))
}

/// Opens a file whose bytes are to come from the volume and not from memory: pages that are clean are let go of first. A check
/// of what was just written would otherwise check the kernel's copy.
pub fn open_cold(path: &Path) -> Result<File, Fault> {
    let file = File::open(path).map_err(|e| Fault::file("open", path, e))?;
    // Advice only: where it is not taken, the file is read all the same.
    let _ = posix_fadvise(&file, 0, 0, PosixFadviseAdvice::POSIX_FADV_DONTNEED);
    Ok(file)
}

/// Size and SHA-256 of a file, read from the disk and not from memory.
pub fn digest(path: &Path) -> Result<(u64, String), Fault> {
    let (mut file, mut digest, mut bytes, mut piece) = (open_cold(path)?, Running::default(), 0, vec![0; PIECE_BYTES]);
    loop {
        let read = file.read(&mut piece).map_err(|e| Fault::file("read", path, e))?;
        if read == 0 {
            return Ok((bytes, digest.hex()));
        }
        digest.update(&piece[..read]);
        bytes += read as u64;
    }
}

/// Held while this process may write to a store; a second one is refused.
#[derive(Debug)]
pub struct StoreLock(#[allow(dead_code)] Flock<File>);

/// Takes the store's lock, or tells that another process has it. The kernel lets go of it however this process ends.
pub fn lock(path: &Path) -> Result<StoreLock, Fault> {
    let file = OpenOptions::new().create(true).truncate(false).write(true).open(path).map_err(|e| Fault::file("open", path, e))?;
    Flock::lock(file, FlockArg::LockExclusiveNonblock).map(StoreLock).map_err(|(_, e)| {
        Fault::of(
            "lock",
            path.display().to_string(),
            match e {
                Errno::EWOULDBLOCK => "another shilu uses this store: the recorder, or another command".into(),
                other => other.to_string(),
            },
        )
    })
}
