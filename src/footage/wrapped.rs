//! A file that is encrypted to recipients on its way to the disk, and read in the clear from anywhere with one of their identities: what
//! stays here of a provision, which would else open what its sessions' encryption shuts.

use crate::footage::envelope::{Identities, Recipients};
use crate::machine::durable::{self, Appending};
use crate::machine::fault::Fault;
use crate::model::digest::Running;
use age::stream::{StreamReader, StreamWriter};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

/// A piece at a time.
const PIECE_BYTES: u64 = 256 * 1024;

struct Digested {
    file: Appending,
    digest: Running,
}

impl Write for Digested {
    fn write(&mut self, data: &[u8]) -> std::io::Result<usize> {
        self.file.append(data).map_err(std::io::Error::other)?;
        self.digest.update(data);
        Ok(data.len())
    }
    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// One that is written.
pub struct Wrapping {
    stream: StreamWriter<Digested>,
    path: PathBuf,
}

impl Wrapping {
    /// Makes it.
    pub fn create(path: &Path, to: &Recipients) -> Result<Self, Fault> {
        let inner = Digested { file: Appending::create(path)?, digest: Running::default() };
        let stream = to.stream(inner)?;
        Ok(Self { stream, path: path.to_owned() })
    }

    /// Appends; not yet durable.
    pub fn append(&mut self, data: &[u8]) -> Result<(), Fault> {
        self.stream.write_all(data).map_err(|e| Fault::file("write", &self.path, e))
    }

    /// Ends it, durably; gives the SHA-256 of what lies there.
    pub fn finish(self) -> Result<String, Fault> {
        let mut inner = self.stream.finish().map_err(|e| Fault::file("write", &self.path, e))?;
        inner.file.sync()?;
        Ok(inner.digest.hex())
    }
}

/// One that is read.
pub struct Unwrapped {
    stream: StreamReader<durable::Reading>,
    path: PathBuf,
    at: u64,
}

impl Unwrapped {
    /// Opens it by one of these.
    pub fn open(path: &Path, opens: &Identities) -> Result<Self, Fault> {
        Ok(Self { stream: opens.stream(durable::open(path)?)?, path: path.to_owned(), at: 0 })
    }

    /// Bytes from `from` on, at most up to `to`, at least one.
    pub fn piece(&mut self, from: u64, to: u64) -> Result<Vec<u8>, Fault> {
        let mut data = vec![0; (to - from).min(PIECE_BYTES) as usize];
        let sought = if self.at == from { Ok(from) } else { self.stream.seek(SeekFrom::Start(from)) };
        sought.and_then(|_| self.stream.read_exact(&mut data)).map_err(|e| Fault::file("read", &self.path, e))?;
        self.at = from + data.len() as u64;
        Ok(data)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::footage::envelope;

    #[test]
    fn what_is_wrapped_is_read_from_anywhere_by_its_identity_alone() {
        let dir = tempfile::tempdir().unwrap();
        let identity = |name: &str| {
            let (secret, public) = envelope::make_identity();
            durable::write_secret(&dir.path().join(name), secret.as_bytes()).unwrap();
            (Identities::read(&dir.path().join(name)).unwrap(), public)
        };
        let ((opens, public), (other, _)) = (identity("a"), identity("b"));
        let data: Vec<u8> = (0..700_000_u32).map(|n| (n % 251) as u8).collect();
        let path = dir.path().join("x.tar.age");
        let mut file = Wrapping::create(&path, &Recipients::parse(&[public]).unwrap()).unwrap();
        data.chunks(10_007).for_each(|piece| file.append(piece).unwrap());
        let sha256 = file.finish().unwrap();
        assert_eq!(sha256, crate::model::digest::sha256(&durable::read_whole(&path, 1 << 20).unwrap()));
        let mut read = Unwrapped::open(&path, &opens).unwrap();
        for (from, to) in [(0_u64, 1_u64), (65_535, 65_537), (300_000, 700_000), (5, 20), (699_999, 700_000)] {
            let mut got = Vec::new();
            while from + (got.len() as u64) < to {
                got.extend(read.piece(from + got.len() as u64, to).unwrap());
            }
            assert_eq!(got, data[from as usize..to as usize], "{from}..{to}");
        }
        assert!(Unwrapped::open(&path, &other).is_err());
    }
}
