//! The files that are checked, wherever they lie: a folder, or a package that nobody has unpacked.

use crate::machine::{durable, fault::Fault};
use crate::model::digest::Running;
use crate::model::import::is_footage;
use std::collections::{BTreeMap, VecDeque};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Read at a time; with SHA-NI the disk is waited for, not the processor.
const PIECE: usize = 1 << 20;
/// The largest paper: a manifest, a token, a proof.
pub const PAPER_BYTES_MAX: u64 = 256 * 1024 * 1024;
/// Enough of a segment to hold what it says of itself.
const HEAD_BYTES: usize = 64 * 1024;
/// Papers of a package that are kept in memory.
const KEPT_BYTES_MAX: u64 = 512 * 1024 * 1024;

/// Who wants to know how far a check is.
pub trait Progress: Sync {
    /// So many bytes are to be read.
    fn expect(&self, bytes: u64);
    /// So many were.
    fn advance(&self, bytes: u64);
}

/// Nobody.
pub struct Silent;

impl Progress for Silent {
    fn expect(&self, _: u64) {}
    fn advance(&self, _: u64) {}
}

/// What a file holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Digested {
    /// Its length.
    pub bytes: u64,
    /// SHA-256, hex.
    pub sha256: String,
    /// SM3, hex, where it was asked for.
    pub sm3: Option<String>,
}

/// Files below one folder.
#[derive(Debug, Clone)]
pub enum Files {
    /// On a volume.
    Folder(PathBuf),
    /// In a tar that was read once from its beginning to its end; the prefix ends in `/` or is empty.
    Tar(Arc<Tar>, String),
}

impl Files {
    /// Of a folder, or of a `.tar` file.
    pub fn open(path: &Path, sm3: bool, progress: &dyn Progress) -> Result<Self, Fault> {
        if path.is_file() {
            Ok(Self::Tar(Arc::new(Tar::read(path, sm3, progress)?), String::new()))
        } else {
            Ok(Self::Folder(path.to_owned()))
        }
    }

    /// Those of a folder below.
    #[must_use]
    pub fn below(&self, folder: &str) -> Self {
        match self {
            Self::Folder(path) => Self::Folder(path.join(folder)),
            Self::Tar(tar, prefix) => Self::Tar(tar.clone(), format!("{prefix}{folder}/")),
        }
    }

    /// Whether there is one of this name.
    pub fn has(&self, name: &str) -> bool {
        match self {
            Self::Folder(path) => durable::exists(&path.join(name)),
            Self::Tar(tar, prefix) => tar.digests.contains_key(&format!("{prefix}{name}")),
        }
    }

    /// A paper, whole.
    pub fn read(&self, name: &str) -> Result<Vec<u8>, Fault> {
        match self {
            Self::Folder(path) => durable::read_whole(&plain_file(&path.join(name))?, PAPER_BYTES_MAX),
            Self::Tar(tar, prefix) => tar.papers.get(&format!("{prefix}{name}")).cloned().ok_or_else(|| absent(name)),
        }
    }

    /// The beginning of a segment.
    pub fn head(&self, name: &str) -> Option<Vec<u8>> {
        match self {
            Self::Folder(path) => {
                let mut head = Vec::new();
                durable::open(&plain_file(&path.join(name)).ok()?).ok()?.take(HEAD_BYTES as u64).read_to_end(&mut head).ok()?;
                Some(head)
            }
            Self::Tar(tar, prefix) => tar.heads.get(&format!("{prefix}{name}")).cloned(),
        }
    }

    /// The digest of a file.
    pub fn digest(&self, name: &str, sm3: bool, progress: &dyn Progress) -> Result<Digested, Fault> {
        match self {
            Self::Folder(path) => {
                let path = plain_file(&path.join(name))?;
                let mut file = durable::open(&path)?;
                digest(&mut file, sm3, progress, |_| ()).map_err(|e| Fault::file("read", &path, e))
            }
            Self::Tar(tar, prefix) => tar.digests.get(&format!("{prefix}{name}")).cloned().ok_or_else(|| absent(name)),
        }
    }

    /// Names in this folder alone.
    pub fn names(&self) -> Result<Vec<String>, Fault> {
        match self {
            Self::Folder(path) => durable::names(path),
            Self::Tar(..) => Ok(self.all()?.into_iter().filter(|name| !name.contains('/')).collect()),
        }
    }

    /// Names of all files in this folder and those below.
    pub fn all(&self) -> Result<Vec<String>, Fault> {
        match self {
            Self::Folder(root) => {
                let (mut found, mut folders) = (Vec::new(), VecDeque::from([String::new()]));
                while let Some(folder) = folders.pop_front() {
                    for name in durable::names(&root.join(&folder))? {
                        let name = if folder.is_empty() { name } else { format!("{folder}/{name}") };
                        // A link to the folder itself would be walked for ever.
                        if durable::plain(&root.join(&name))?.is_folder { folders.push_back(name) } else { found.push(name) }
                    }
                }
                found.sort_unstable();
                Ok(found)
            }
            Self::Tar(tar, prefix) => {
                Ok(tar.digests.keys().filter_map(|name| Some(name.strip_prefix(prefix.as_str())?.to_owned())).collect())
            }
        }
    }
}

/// A path, unless something lies there that is no file: of a pipe one would wait for ever.
fn plain_file(path: &Path) -> Result<PathBuf, Fault> {
    if path.exists() && !path.is_file() {
        return Err(Fault::of("read", path.display().to_string(), "is no file"));
    }
    Ok(path.to_owned())
}

fn absent(name: &str) -> Fault {
    Fault::of("read", name, std::io::Error::from(std::io::ErrorKind::NotFound))
}

fn digest(file: &mut dyn Read, sm3: bool, progress: &dyn Progress, mut seen: impl FnMut(&[u8])) -> std::io::Result<Digested> {
    let (mut running, mut bytes, mut piece) = (Running::new(sm3), 0, vec![0; PIECE]);
    loop {
        let n = file.read(&mut piece)?;
        if n == 0 {
            let (sha256, sm3) = running.both();
            return Ok(Digested { bytes, sha256, sm3 });
        }
        running.update(&piece[..n]);
        seen(&piece[..n]);
        bytes += n as u64;
        progress.advance(n as u64);
    }
}

/// Why a tar cannot be read, for whoever copied it: the archive's own words are about its inside.
fn unreadable(path: &Path, e: std::io::Error) -> Fault {
    let said = e.to_string();
    if e.raw_os_error().is_some() {
        return Fault::file("read", path, e);
    }
    let is_short = e.kind() == std::io::ErrorKind::UnexpectedEof || said.contains("unexpected EOF") || said.contains("entire block");
    let what = if is_short {
        "it is cut short: copy it again, and compare its SHA-256 with the provision list".into()
    } else {
        format!("it is no .tar, or damaged ({said})")
    };
    Fault::of("read", path.display().to_string(), what)
}

/// What a file is compressed by, if it is.
fn compressed(path: &Path) -> Result<Option<&'static str>, Fault> {
    let mut begins = Vec::new();
    durable::open(path)?.take(6).read_to_end(&mut begins).map_err(|e| Fault::file("read", path, e))?;
    let kinds: [(&[u8], _); 5] =
        [(b"\x1f\x8b", "gzip"), (b"PK\x03\x04", "zip"), (b"\xfd7zXZ", "xz"), (b"\x28\xb5\x2f\xfd", "zstd"), (b"7z\xbc\xaf", "7z")];
    Ok(kinds.into_iter().find(|(magic, _)| begins.starts_with(magic)).map(|(_, kind)| kind))
}

/// What was read of a tar.
#[derive(Debug, Default)]
pub struct Tar {
    digests: BTreeMap<String, Digested>,
    papers: BTreeMap<String, Vec<u8>>,
    heads: BTreeMap<String, Vec<u8>>,
}

impl Tar {
    fn read(path: &Path, sm3: bool, progress: &dyn Progress) -> Result<Self, Fault> {
        let fault = |e| unreadable(path, e);
        if let Some(kind) = compressed(path)? {
            let what = format!("is compressed ({kind}); unpack it first, and give the .tar or the folder that comes out of it");
            return Err(Fault::of("read", path.display().to_string(), what));
        }
        progress.expect(durable::length(path)?);
        let mut archive = tar::Archive::new(durable::open(path)?);
        let (mut read, mut kept_bytes) = (Self::default(), 0);
        for entry in archive.entries().map_err(fault)? {
            let mut entry = entry.map_err(fault)?;
            if !entry.header().entry_type().is_file() {
                continue;
            }
            let name = entry.path().map_err(fault)?.display().to_string();
            // Video is known by its beginning, all else is kept: a package holds some hundred papers.
            let is_video = is_footage(&name) && !name.contains("/documents/");
            let keep = if is_video { HEAD_BYTES as u64 } else { PAPER_BYTES_MAX.min(KEPT_BYTES_MAX.saturating_sub(kept_bytes)) };
            let mut kept = Vec::new();
            let digested = digest(&mut entry, sm3, progress, |piece| {
                let room = (keep as usize).saturating_sub(kept.len()).min(piece.len());
                kept.extend_from_slice(&piece[..room]);
            })
            .map_err(fault)?;
            kept_bytes += kept.len() as u64;
            let whole = kept.len() as u64 == digested.bytes;
            if is_video {
                read.heads.insert(name.clone(), kept);
            } else if whole {
                read.papers.insert(name.clone(), kept);
            }
            if read.digests.insert(name.clone(), digested).is_some() {
                return Err(Fault::of("read", path.display().to_string(), format!("{name} is in it twice")));
            }
        }
        Ok(read)
    }
}
