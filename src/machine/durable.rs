//! Files that survive a power cut: what is written is synced before anyone is told, and a new name is synced with its folder.
//!
//! Known hole: a disk that acknowledges `FLUSH` and forgets. No program sees that.

use crate::machine::fault::Fault;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{IoSlice, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// Folders and files are for the recorder's own user; its group may read folders' names no more than anyone else.
const FOLDER_MODE: u32 = 0o750;
const FILE_MODE: u32 = 0o640;
const SECRET_MODE: u32 = 0o600;

/// Makes a folder and those above it, each durable in its parent.
pub fn make_folder(path: &Path) -> Result<(), Fault> {
    if path.is_dir() {
        return Ok(());
    }
    if let Some(parent) = path.parent().filter(|p| !p.as_os_str().is_empty()) {
        make_folder(parent)?;
        match DirBuilder::new().mode(FOLDER_MODE).create(path) {
            Ok(()) => sync_folder(parent)?,
            Err(e) if e.kind() == std::io::ErrorKind::AlreadyExists => {}
            Err(e) => return Err(Fault::file("make folder", path, e)),
        }
    }
    Ok(())
}

/// Makes a folder's names durable.
pub fn sync_folder(path: &Path) -> Result<(), Fault> {
    // The parent of a name alone is the folder where the process is.
    let path = if path.as_os_str().is_empty() { Path::new(".") } else { path };
    File::open(path).and_then(|f| f.sync_all()).map_err(|e| Fault::file("sync folder", path, e))
}

/// A file that only grows.
#[derive(Debug)]
pub struct Appending {
    file: File,
    path: PathBuf,
    bytes: u64,
}

impl Appending {
    /// Makes a new file; its name is durable when this returns. An existing file is a fault: nothing is ever overwritten.
    pub fn create(path: &Path) -> Result<Self, Fault> {
        let fault = |e| Fault::file("create", path, e);
        let file = OpenOptions::new().write(true).create_new(true).mode(FILE_MODE).open(path).map_err(fault)?;
        if let Some(parent) = path.parent() {
            sync_folder(parent)?;
        }
        Ok(Self { file, path: path.to_owned(), bytes: 0 })
    }

    /// Opens a file to go on at its end, or makes it.
    pub fn open(path: &Path) -> Result<Self, Fault> {
        if !path.exists() {
            return Self::create(path);
        }
        let fault = |e| Fault::file("open", path, e);
        let file = OpenOptions::new().append(true).open(path).map_err(fault)?;
        let bytes = file.metadata().map_err(fault)?.len();
        Ok(Self { file, path: path.to_owned(), bytes })
    }

    /// Opens a file to go on at `bytes`, leaving out what lies behind: the torn end of a file of records, never of footage.
    pub fn open_cut(path: &Path, bytes: u64) -> Result<Self, Fault> {
        let fault = |e| Fault::file("cut", path, e);
        let file = OpenOptions::new().append(true).open(path).map_err(fault)?;
        file.set_len(bytes).map_err(fault)?;
        file.sync_all().map_err(fault)?;
        Ok(Self { file, path: path.to_owned(), bytes })
    }

    /// Appends, not yet durable. After an error the length is what the file system says it is.
    pub fn append(&mut self, data: &[u8]) -> Result<(), Fault> {
        self.append_both(data, &[])
    }

    /// Appends two pieces by one call to the kernel, as a rule.
    pub fn append_both(&mut self, first: &[u8], second: &[u8]) -> Result<(), Fault> {
        let mut write = || {
            let written = self.file.write_vectored(&[IoSlice::new(first), IoSlice::new(second)])?;
            self.file.write_all(first.get(written..).unwrap_or_default())?;
            self.file.write_all(second.get(written.saturating_sub(first.len())..).unwrap_or_default())
        };
        write().map_err(|e| Fault::file("write", &self.path, e))?;
        self.bytes += (first.len() + second.len()) as u64;
        Ok(())
    }

    /// Makes all that was appended durable (`fdatasync`).
    pub fn sync(&mut self) -> Result<(), Fault> {
        self.file.sync_data().map_err(|e| Fault::file("sync", &self.path, e))
    }

    /// Bytes that were appended whole.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Takes back what a failed append left behind the last whole one. The file was never announced past that point, so
    /// nothing that anyone was told of is changed.
    pub fn drop_torn_tail(&mut self) -> Result<(), Fault> {
        self.cut_to(self.bytes)
    }

    /// The same, back to an earlier length: what a failed sync leaves behind may or may not be on the disk, and whoever appended
    /// it has it still.
    pub fn cut_to(&mut self, bytes: u64) -> Result<(), Fault> {
        let fault = |e| Fault::file("cut", &self.path, e);
        self.file.set_len(bytes).map_err(fault)?;
        self.file.seek(SeekFrom::Start(bytes)).map_err(fault)?;
        self.bytes = bytes;
        Ok(())
    }
}

/// Writes a whole file under its name, or not at all: temporary name, sync, rename, sync the folder.
pub fn write_whole(path: &Path, data: &[u8]) -> Result<(), Fault> {
    write_with_mode(path, data, FILE_MODE)
}

/// The same, for a key or a password: only the owner can read it, from the first byte on.
pub fn write_secret(path: &Path, data: &[u8]) -> Result<(), Fault> {
    write_with_mode(path, data, SECRET_MODE)
}

fn write_with_mode(path: &Path, data: &[u8], mode: u32) -> Result<(), Fault> {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".part");
    let part = path.with_file_name(name);
    let write = || {
        // A part file left by a crash was never announced; it is made anew with the right mode.
        match fs::remove_file(&part) {
            Err(e) if e.kind() != std::io::ErrorKind::NotFound => return Err(e),
            _ => {}
        }
        let mut file = OpenOptions::new().write(true).create_new(true).mode(mode).open(&part)?;
        file.write_all(data)?;
        file.sync_all()?;
        fs::rename(&part, path)
    };
    write().map_err(|e| Fault::file("write", path, e))?;
    // A crash before this line leaves either no file or the whole one.
    path.parent().map_or(Ok(()), sync_folder)
}

/// Writes a whole file under its name, atomically and not durably: for what can be made anew from something durable.
pub fn write_derived(path: &Path, data: &[u8]) -> Result<(), Fault> {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".part");
    let part = path.with_file_name(name);
    fs::write(&part, data).and_then(|()| fs::rename(&part, path)).map_err(|e| Fault::file("write", path, e))
}

/// Removes what [`write_derived`] wrote.
pub fn remove_derived(path: &Path) -> Result<(), Fault> {
    fs::remove_file(path).map_err(|e| Fault::file("remove", path, e))
}

/// A whole file, up to a size; larger is a fault, so that a file put there by somebody cannot fill the memory.
pub fn read_whole(path: &Path, bytes_max: u64) -> Result<Vec<u8>, Fault> {
    let fault = |e| Fault::file("read", path, e);
    let mut file = File::open(path).map_err(fault)?;
    let mut data = Vec::new();
    Read::by_ref(&mut file).take(bytes_max + 1).read_to_end(&mut data).map_err(fault)?;
    if data.len() as u64 > bytes_max {
        return Err(fault(std::io::Error::other(format!("is larger than {bytes_max} bytes"))));
    }
    Ok(data)
}

/// A file that is read.
pub type Reading = File;

/// Opens a file to read.
pub fn open(path: &Path) -> Result<File, Fault> {
    File::open(path).map_err(|e| Fault::file("open", path, e))
}

/// The names inside a folder, sorted; an absent folder has none.
pub fn names(path: &Path) -> Result<Vec<String>, Fault> {
    let fault = |e| Fault::file("list", path, e);
    let entries = match fs::read_dir(path) {
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(vec![]),
        other => other.map_err(fault)?,
    };
    let mut names = Vec::new();
    for entry in entries {
        names.push(entry.map_err(fault)?.file_name().to_string_lossy().into_owned());
    }
    names.sort_unstable();
    Ok(names)
}

/// Removes a file that never held footage (a marker, a spool). Footage goes only through disposal.
pub fn remove_marker(path: &Path) -> Result<(), Fault> {
    match fs::remove_file(path) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => Err(Fault::file("remove", path, e)),
        _ => path.parent().map_or(Ok(()), sync_folder),
    }
}

/// Removes what was disposed of: a file, or a folder with all that is in it. For `footage::disposal` alone. Not synced.
pub fn remove_disposed(path: &Path) -> Result<(), Fault> {
    let removed = if path.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) };
    match removed {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => Err(Fault::file("remove", path, e)),
        _ => Ok(()),
    }
}

/// Removes a file of footage that the archive holds, verified and locked; for its release alone.
pub fn remove_released(path: &Path) -> Result<(), Fault> {
    match fs::remove_file(path) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => Err(Fault::file("remove", path, e)),
        _ => Ok(()),
    }
}

/// Gives a file another name in its folder, durably.
pub fn rename(from: &Path, to: &Path) -> Result<(), Fault> {
    fs::rename(from, to).map_err(|e| Fault::file("rename", from, e))?;
    to.parent().map_or(Ok(()), sync_folder)
}

/// A second name for a file's bytes, on the same volume.
pub fn link(from: &Path, to: &Path) -> Result<(), Fault> {
    fs::hard_link(from, to).map_err(|e| Fault::file("link", from, e))
}

/// Makes a file durable that another program wrote.
pub fn sync_file(path: &Path) -> Result<(), Fault> {
    File::open(path).and_then(|f| f.sync_all()).map_err(|e| Fault::file("sync", path, e))?;
    path.parent().map_or(Ok(()), sync_folder)
}

/// Copies a file under a new name: durable, whole or not at all, never over an existing one.
pub fn copy_whole(from: &Path, to: &Path) -> Result<(), Fault> {
    let mut name = to.file_name().unwrap_or_default().to_owned();
    name.push(".part");
    let part = to.with_file_name(name);
    if to.exists() {
        return Err(Fault::file("write", to, std::io::ErrorKind::AlreadyExists.into()));
    }
    fs::copy(from, &part).map_err(|e| Fault::file("copy", from, e))?;
    sync_file(&part)?;
    rename(&part, to)
}

/// Removes a folder of what was put together from elsewhere and can be put together again; an absent one is removed already.
pub fn remove_derived_folder(path: &Path) -> Result<(), Fault> {
    match fs::remove_dir_all(path) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => Err(Fault::file("remove", path, e)),
        _ => Ok(()),
    }
}

/// Whether anything has that name.
pub fn exists(path: &Path) -> bool {
    path.exists()
}

/// Removes a folder that holds nothing any more.
pub fn remove_empty_folder(path: &Path) -> Result<(), Fault> {
    match fs::remove_dir(path) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => Err(Fault::file("remove", path, e)),
        _ => path.parent().map_or(Ok(()), sync_folder),
    }
}

/// What lies under a name, links not followed.
#[derive(Debug, Clone, Copy)]
pub struct Plain {
    /// A folder.
    pub is_folder: bool,
    /// A plain file's length; none of anything else.
    pub bytes: Option<u64>,
    /// When it was last written.
    pub changed_at: chrono::DateTime<chrono::Utc>,
}

/// Looks at a name without following it: for folders that others write to.
pub fn plain(path: &Path) -> Result<Plain, Fault> {
    let fault = |e| Fault::file("look at", path, e);
    let found = fs::symlink_metadata(path).map_err(fault)?;
    let changed_at = found.modified().map_err(fault)?.into();
    Ok(Plain { is_folder: found.is_dir(), bytes: found.is_file().then_some(found.len()), changed_at })
}

/// When a file was last written.
pub fn changed_at(path: &Path) -> Result<chrono::DateTime<chrono::Utc>, Fault> {
    fs::metadata(path).and_then(|m| m.modified()).map(Into::into).map_err(|e| Fault::file("look at", path, e))
}

/// A file's length.
pub fn length(path: &Path) -> Result<u64, Fault> {
    fs::metadata(path).map(|m| m.len()).map_err(|e| Fault::file("look at", path, e))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_alone_lies_where_the_process_is() {
        assert!(sync_folder(Path::new("a-name-alone").parent().unwrap()).is_ok());
        assert!(sync_folder(Path::new("no-such-folder")).is_err());
    }

    #[test]
    fn nothing_is_ever_overwritten_by_an_appending_file() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a");
        Appending::create(&path).unwrap().append(b"1").unwrap();
        assert!(Appending::create(&path).is_err());
        assert_eq!(read_whole(&path, 10).unwrap(), b"1");
    }

    #[test]
    fn a_secret_can_be_read_by_its_owner_alone() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("key");
        write_secret(&path, b"x").unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn a_file_too_large_to_be_ours_is_a_fault_and_no_memory() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("big");
        write_whole(&path, &[0; 100]).unwrap();
        assert!(read_whole(&path, 99).is_err());
    }
}
