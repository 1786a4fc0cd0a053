//! A package for hand-over: a BagIt 1.0 bag (RFC 8493) as one tar, made while it is sent. Footage is read from where it lies, once;
//! nothing is copied aside. Since every length is known before the first byte is sent, any part can be sent again.

use crate::footage::copy::Plan;
use crate::machine::{durable, fault::Fault};
use crate::model::digest::Running;
use bytes::Bytes;
use std::collections::BTreeSet;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A tar's block.
const BLOCK: u64 = 512;
/// Read at a time.
const PIECE: u64 = 256 * 1024;

/// Where a file of the package comes from.
#[derive(Clone)]
pub enum Source {
    /// Made for the package.
    Made(Bytes),
    /// A file that lies on a volume.
    File(PathBuf),
    /// A camera's segments as one file, joined while it is sent: for looking, never the original.
    Copy(Arc<Plan>),
}

/// A file of the package.
#[derive(Clone)]
pub struct Member {
    /// Below the bag.
    pub path: String,
    /// Its bytes.
    pub source: Source,
    /// How many.
    pub bytes: u64,
    /// Their SHA-256, hex.
    pub sha256: String,
    /// Their SM3, hex, where it is known.
    pub sm3: Option<String>,
}

impl Member {
    /// Something that was made for the package.
    pub fn made(path: impl Into<String>, data: impl Into<Bytes>) -> Self {
        let data = data.into();
        let sha256 = crate::model::digest::sha256(&data);
        Self { path: path.into(), bytes: data.len() as u64, sha256, sm3: None, source: Source::Made(data) }
    }

    /// A file whose digest is known: of a manifest, or just made.
    pub fn file(path: impl Into<String>, file: PathBuf, bytes: u64, sha256: &str, sm3: Option<&str>) -> Self {
        Self { path: path.into(), source: Source::File(file), bytes, sha256: sha256.into(), sm3: sm3.map(Into::into) }
    }

    /// A joined copy, read through once for its digest.
    pub fn copy(path: impl Into<String>, plan: Plan) -> Result<Self, Fault> {
        let (mut digest, mut failed) = (Running::default(), None);
        plan.send(|piece| match piece {
            Ok(piece) => {
                digest.update(&piece);
                true
            }
            Err(fault) => {
                failed = Some(fault);
                false
            }
        });
        if let Some(fault) = failed {
            return Err(fault);
        }
        let (bytes, sha256) = (plan.bytes(), digest.hex());
        Ok(Self { path: path.into(), source: Source::Copy(Arc::new(plan)), bytes, sha256, sm3: None })
    }
}

/// `bagit.txt`, `bag-info.txt` and the manifests of payload and tag files. `sign`: makes a CMS signature of the payload's manifest.
pub fn into_bag(
    payload: Vec<Member>,
    tags: Vec<Member>,
    info: &[(&str, String)],
    sign: impl FnOnce(&[u8]) -> Result<Option<Vec<u8>>, Fault>,
) -> Result<Vec<Member>, Fault> {
    let octets: u64 = payload.iter().map(|m| m.bytes).sum();
    let oxum = format!("Payload-Oxum: {octets}.{}\n", payload.len());
    let info: String = info.iter().map(|(name, value)| format!("{name}: {}\n", value.replace(['\r', '\n'], " "))).collect();
    let manifest: String = payload.iter().map(|m| format!("{}  {}\n", m.sha256, m.path)).collect();
    // BagIt's tools do not know SM3 and would pass it over in a manifest: its sums are a file of their own.
    let sm3: String = payload.iter().filter_map(|m| Some(format!("{}  {}\n", m.sm3.as_ref()?, m.path))).collect();
    let mut all_tags = vec![
        Member::made("bagit.txt", "BagIt-Version: 1.0\nTag-File-Character-Encoding: UTF-8\n"),
        Member::made("bag-info.txt", info + &oxum),
        Member::made("manifest-sha256.txt", manifest.clone()),
    ];
    if !sm3.is_empty() {
        all_tags.push(Member::made("sm3sums.txt", sm3));
    }
    if let Some(signature) = sign(manifest.as_bytes())? {
        all_tags.push(Member::made("manifest-sha256.txt.p7s", signature));
    }
    all_tags.extend(tags);
    let of_tags: String = all_tags.iter().map(|m| format!("{}  {}\n", m.sha256, m.path)).collect();
    all_tags.push(Member::made("tagmanifest-sha256.txt", of_tags));
    all_tags.extend(payload);
    Ok(all_tags)
}

struct Part {
    begin: u64,
    bytes: u64,
    source: Source,
}

/// A tar that is not there: its parts, and where each begins.
pub struct Package {
    parts: Vec<Part>,
    bytes: u64,
}

impl Package {
    /// Lays out files under one folder. `made_at`: seconds since 1970, on every file.
    pub fn lay_out(root: &str, members: Vec<Member>, made_at: u64) -> Result<Self, Fault> {
        let mut package = Self { parts: vec![], bytes: 0 };
        let unique: BTreeSet<&str> = members.iter().map(|m| m.path.as_str()).collect();
        if unique.len() != members.len() {
            return Err(Fault::of("make", "a package", "two files would have one name"));
        }
        for member in members {
            let path = format!("{root}/{}", member.path);
            let mut header = tar::Header::new_ustar();
            header.set_path(&path).map_err(|e| Fault::of("name in a package", path, e))?;
            header.set_entry_type(tar::EntryType::Regular);
            header.set_size(member.bytes);
            header.set_mode(0o644);
            header.set_mtime(made_at);
            header.set_cksum();
            package.put(Source::Made(Bytes::copy_from_slice(header.as_bytes())), BLOCK);
            package.put(member.source, member.bytes);
            let padding = member.bytes.next_multiple_of(BLOCK) - member.bytes;
            package.put(Source::Made(vec![0; padding as usize].into()), padding);
        }
        package.put(Source::Made(vec![0; 2 * BLOCK as usize].into()), 2 * BLOCK);
        Ok(package)
    }

    fn put(&mut self, source: Source, bytes: u64) {
        if bytes > 0 {
            self.parts.push(Part { begin: self.bytes, bytes, source });
            self.bytes += bytes;
        }
    }

    /// Its length.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Sends the bytes from `from` up to `to`, piece by piece, until `give` says no. A file that became shorter is a fault, never
    /// filled up.
    pub fn send(&self, from: u64, to: u64, mut give: impl FnMut(Result<Bytes, Fault>) -> bool) {
        let first = self.parts.partition_point(|p| p.begin + p.bytes <= from);
        for part in self.parts[first..].iter().take_while(|p| p.begin < to) {
            let (begin, end) = (from.saturating_sub(part.begin), part.bytes.min(to - part.begin));
            let went_on = match &part.source {
                Source::Made(data) => give(Ok(data.slice(begin as usize..end as usize))),
                Source::File(path) => send_file(path, begin, end, &mut give),
                Source::Copy(plan) => plan.send_range(begin, end, &mut give),
            };
            if !went_on {
                return;
            }
        }
    }
}

fn send_file(path: &Path, begin: u64, end: u64, give: &mut impl FnMut(Result<Bytes, Fault>) -> bool) -> bool {
    let opened = durable::open(path).and_then(|mut file| {
        file.seek(SeekFrom::Start(begin)).map_err(|e| Fault::file("read", path, e))?;
        Ok(file)
    });
    let mut file = match opened {
        Ok(file) => file,
        Err(fault) => {
            give(Err(fault));
            return false;
        }
    };
    let mut left = end - begin;
    while left > 0 {
        let mut piece = vec![0; PIECE.min(left) as usize];
        let read = file.read_exact(&mut piece).map_err(|e| Fault::file("read", path, e));
        let failed = read.is_err();
        left -= piece.len() as u64;
        if !give(read.map(|()| Bytes::from(piece))) || failed {
            return false;
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::custody::bag;
    use crate::custody::files::{Files, Silent};
    use crate::custody::verify::Trust;

    fn package(dir: &std::path::Path) -> Package {
        let file = dir.join("x.bin");
        let data: Vec<u8> = (0..700_000_u32).map(|n| (n % 251) as u8).collect();
        std::fs::write(&file, &data).unwrap();
        let payload = vec![
            Member::made("data/a.txt", "a"),
            Member::file("data/x.bin", file, data.len() as u64, &crate::model::digest::sha256(&data), None),
        ];
        let members = into_bag(payload, vec![], &[("External-Identifier", "s-1".into())], |_| Ok(None)).unwrap();
        Package::lay_out("s-1", members, 1_700_000_000).unwrap()
    }

    fn bytes(package: &Package, from: u64, to: u64) -> Vec<u8> {
        let mut all = Vec::new();
        package.send(from, to, |piece| {
            all.extend_from_slice(&piece.unwrap());
            true
        });
        all
    }

    #[test]
    fn any_part_of_a_package_is_the_same_bytes_as_in_the_whole() {
        let dir = tempfile::tempdir().unwrap();
        let package = package(dir.path());
        let whole = bytes(&package, 0, package.bytes());
        assert_eq!(whole.len() as u64, package.bytes());
        for (from, to) in [(0, 1), (511, 513), (1, package.bytes()), (5_000, 600_000), (package.bytes() - 1, package.bytes())] {
            assert_eq!(bytes(&package, from, to), whole[from as usize..to as usize], "{from}..{to}");
        }
    }

    #[test]
    fn what_tar_unpacks_is_a_bag() {
        let dir = tempfile::tempdir().unwrap();
        let package = package(dir.path());
        let tar = dir.path().join("s-1.tar");
        std::fs::write(&tar, bytes(&package, 0, package.bytes())).unwrap();
        assert!(std::process::Command::new("tar").arg("-xf").arg(&tar).current_dir(dir.path()).status().unwrap().success());
        for path in [tar, dir.path().join("s-1")] {
            let files = Files::open(&path, false, &Silent).unwrap();
            let (wrong, _) = bag::check(&bag::find(&files).unwrap(), &Trust::default(), None, &Silent);
            assert_eq!(wrong, ["data/log/log-key.txt: is no key", "data/sessions: holds no session"]);
        }
    }

    #[test]
    fn a_file_that_became_shorter_ends_the_package_in_an_error() {
        let dir = tempfile::tempdir().unwrap();
        let package = package(dir.path());
        std::fs::write(dir.path().join("x.bin"), b"short").unwrap();
        let mut last = None;
        package.send(0, package.bytes(), |piece| {
            last = Some(piece.is_ok());
            true
        });
        assert_eq!(last, Some(false));
    }
}
