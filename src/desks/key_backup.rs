//! The keys, carried away encrypted (age-encryption.org/v1), and put back. A backup of the catalog may lie where keys must not; what is made
//! here may lie beside it, since nothing but an identity opens it, and Debian's `age` and `tar` can, without this program.

use crate::footage::envelope::{Identities, Recipients};
use crate::machine::{durable, fault::Fault};
use crate::model::digest;
use std::io::{Cursor, Read};
use std::path::{Component, Path, PathBuf};

/// The largest key, and the largest envelope.
const KEY_BYTES_MAX: u64 = 1024 * 1024;
const ENVELOPE_BYTES_MAX: u64 = 64 * 1024 * 1024;
/// Their folder in the archive, as below the data.
const FOLDER: &str = "keys";

/// Where the keys lie that belong to a backup: `catalog-….keys.age`.
pub fn beside(backup: &Path) -> PathBuf {
    backup.with_extension("keys.age")
}

/// Writes the key folder, encrypted to each of these, into a new file; gives its SHA-256.
pub fn write(keys: &Path, to: &Recipients, file: &Path) -> Result<String, Fault> {
    if durable::exists(file) {
        return Err(Fault::of("write", file.display().to_string(), "it is there already"));
    }
    let mut plain = tar::Builder::new(Vec::new());
    let fault = |e: std::io::Error| Fault::of("pack", "the keys", e);
    let all = files(keys, Path::new(""))?;
    if all.is_empty() {
        return Err(Fault::of("pack", keys.display().to_string(), "there are no keys yet; the recorder makes them at its first start"));
    }
    for below in all {
        let data = durable::read_whole(&keys.join(&below), KEY_BYTES_MAX)?;
        let mut header = tar::Header::new_gnu();
        header.set_size(data.len() as u64);
        // Whoever opens it with `tar` gets files that nobody else can read.
        header.set_mode(0o600);
        plain.append_data(&mut header, Path::new(FOLDER).join(&below), data.as_slice()).map_err(fault)?;
    }
    let sealed = to.encrypt(&plain.into_inner().map_err(fault)?)?;
    durable::write_whole(file, &sealed)?;
    Ok(digest::sha256(&sealed))
}

/// Files below a folder: retired keys lie in one of their own.
fn files(root: &Path, below: &Path) -> Result<Vec<PathBuf>, Fault> {
    let mut found = Vec::new();
    for name in durable::names(&root.join(below))? {
        let path = below.join(name);
        let plain = durable::plain(&root.join(&path))?;
        if plain.is_folder {
            found.extend(files(root, &path)?);
        } else if plain.bytes.is_some() {
            found.push(path);
        }
    }
    Ok(found)
}

/// Puts keys back that were written by [`write()`]; gives how many. Nothing is written over: where another key lies, nothing is put back.
pub fn restore(file: &Path, opens: &Identities, keys: &Path) -> Result<usize, Fault> {
    let told = |e: std::io::Error| Fault::of("unpack", file.display().to_string(), e);
    let plain = opens.decrypt(&durable::read_whole(file, ENVELOPE_BYTES_MAX)?)?;
    let mut archive = tar::Archive::new(Cursor::new(plain));
    let mut found = Vec::new();
    for entry in archive.entries().map_err(told)? {
        let mut entry = entry.map_err(told)?;
        let path = entry.path().map_err(told)?.into_owned();
        let below = path.strip_prefix(FOLDER).unwrap_or(&path).to_owned();
        // It says where to write: only what lies inside the folder is believed.
        if !entry.header().entry_type().is_file() || below.components().any(|c| !matches!(c, Component::Normal(_))) {
            return Err(Fault::of("unpack", file.display().to_string(), format!("{} is no key", path.display())));
        }
        let mut data = Vec::new();
        entry.by_ref().take(KEY_BYTES_MAX).read_to_end(&mut data).map_err(told)?;
        found.push((below, data));
    }
    let differs = |(below, data): &&(PathBuf, Vec<u8>)| {
        let there = keys.join(below);
        durable::exists(&there) && durable::read_whole(&there, KEY_BYTES_MAX).ok().as_ref() != Some(data)
    };
    if let Some((below, _)) = found.iter().find(differs) {
        let there = keys.join(below).display().to_string();
        return Err(Fault::of("put back", there, "another key lies there; move that folder away first"));
    }
    for (below, data) in found.iter().filter(|(below, _)| !durable::exists(&keys.join(below))) {
        let path = keys.join(below);
        path.parent().map_or(Ok(()), durable::make_folder)?;
        durable::write_secret(&path, data)?;
    }
    Ok(found.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pair() -> (Recipients, Identities, tempfile::TempDir) {
        let dir = tempfile::tempdir().unwrap();
        let out = std::process::Command::new("age-keygen").output().unwrap();
        let text = String::from_utf8(out.stdout).unwrap();
        std::fs::write(dir.path().join("identity"), &text).unwrap();
        let public = text.lines().find_map(|l| l.split("public key: ").nth(1)).unwrap().to_owned();
        (Recipients::parse(&[public]).unwrap(), Identities::read(&dir.path().join("identity")).unwrap(), dir)
    }

    #[test]
    fn keys_come_back_as_they_were_and_over_no_other_key() {
        let (to, opens, dir) = pair();
        let keys = dir.path().join("keys");
        durable::make_folder(&keys.join("retired")).unwrap();
        for (name, data) in [("signing.pem", "secret"), ("signing.pub.pem", "public"), ("retired/1.pem", "old")] {
            durable::write_secret(&keys.join(name), data.as_bytes()).unwrap();
        }
        let file = dir.path().join("a.keys.age");
        write(&keys, &to, &file).unwrap();
        assert!(!String::from_utf8_lossy(&std::fs::read(&file).unwrap()).contains("secret"));
        assert!(write(&keys, &to, &file).is_err(), "nothing is overwritten");
        let there = dir.path().join("elsewhere/keys");
        assert_eq!(restore(&file, &opens, &there).unwrap(), 3);
        assert_eq!(std::fs::read(there.join("retired/1.pem")).unwrap(), b"old");
        assert_eq!(restore(&file, &opens, &there).unwrap(), 3, "once more is no harm");
        std::fs::write(there.join("signing.pem"), b"another").unwrap();
        std::fs::remove_file(there.join("signing.pub.pem")).unwrap();
        assert!(restore(&file, &opens, &there).is_err());
        assert!(!there.join("signing.pub.pem").exists(), "then nothing is put back");
        let (_, others, _dir) = pair();
        assert!(restore(&file, &others, &dir.path().join("x")).is_err(), "another identity opens nothing");
    }

    #[test]
    fn an_archive_that_climbs_out_of_its_folder_is_no_archive_of_keys() {
        let (to, opens, dir) = pair();
        let mut header = tar::Header::new_gnu();
        header.set_size(1);
        // `tar` refuses to write such a name by itself.
        header.as_old_mut().name[..15].copy_from_slice(b"keys/../../evil");
        header.set_cksum();
        let mut plain = tar::Builder::new(Vec::new());
        plain.append(&header, &b"x"[..]).unwrap();
        let file = dir.path().join("evil.age");
        durable::write_whole(&file, &to.encrypt(&plain.into_inner().unwrap()).unwrap()).unwrap();
        assert!(restore(&file, &opens, &dir.path().join("data/keys")).is_err());
        assert!(!dir.path().join("evil").exists() && !dir.path().join("data").exists());
    }
}
