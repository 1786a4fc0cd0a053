//! A session's key, and the file that holds it beside the footage: encrypted to the recipients of the configuration (age), each of whom
//! opens it alone. To make one needs no secret: recording goes on where nothing can be opened. To open one needs the machine's identity,
//! which lies outside the volumes and is read anew each time: a token that was taken out opens nothing more.

use crate::footage::cenc::{Sealing, Vectors};
use crate::footage::envelope::{Identities, Recipients};
use crate::footage::fragment::Malformed;
use crate::machine::{durable, fault::Fault, randomness};
use crate::model::content_key::{ContentKey, Keys, SessionKey, file_name, kid_of};
use crate::model::digest;
use bytes::Bytes;
use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use zeroize::Zeroizing;

/// The largest file of a key: hundreds of recipients.
const BYTES_MAX: u64 = 65536;

/// A key with which a session is recorded, and the same wrapped for its recipients.
#[derive(Debug)]
pub struct WrappedKey {
    key: ContentKey,
    kid: [u8; 16],
    said: SessionKey,
    /// Its file.
    wrapped: Vec<u8>,
}

impl WrappedKey {
    /// A new one that these can open. No file is touched.
    pub fn make(to: &Recipients) -> Result<Self, Fault> {
        let (key, kid) = (ContentKey::new(randomness::bytes()?), randomness::bytes()?);
        let text = Zeroizing::new(format!("{}\n", *key.to_hex()));
        let wrapped = to.encrypt(text.as_bytes())?;
        let name = digest::hex(&kid);
        let said = SessionKey { file: file_name(&name), kid: name, sha256: digest::sha256(&wrapped) };
        Ok(Self { key, kid, said, wrapped })
    }

    /// What the session says of it.
    pub fn said(&self) -> &SessionKey {
        &self.said
    }

    /// Writes its file into a folder, unless it is there.
    pub fn keep(&self, folder: &Path) -> Result<(), Fault> {
        let path = folder.join(&self.said.file);
        if durable::exists(&path) { Ok(()) } else { durable::write_whole(&path, &self.wrapped) }
    }
}

/// With what one camera's files are encrypted.
#[derive(Debug, Clone)]
pub struct CameraKey {
    /// The session's key.
    pub session: Arc<WrappedKey>,
    /// Which camera of the room, so that no two use one vector.
    pub camera: u16,
}

impl CameraKey {
    /// Begins a file: its encrypted header, and what encrypts its fragments.
    pub fn begin(&self, header: &[u8], sequence: u32) -> Result<(Sealing, Bytes), Malformed> {
        Sealing::begin(header, &self.session.key, &self.session.kid, Vectors::of_file(self.camera, sequence)?)
    }
}

/// Why a session's keys cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum Shut {
    /// The identity is not there, or cannot be read.
    #[error("the footage identity is not there: {0}")]
    Absent(String),
    /// It opens none of the files of a key.
    #[error("the footage identity does not open key {0}")]
    NotOurs(String),
    /// The machine.
    #[error(transparent)]
    Machine(#[from] Fault),
}

/// The files of keys in a folder, by name.
pub fn files(folder: &Path) -> Result<Vec<String>, Fault> {
    Ok(durable::names(folder)?.into_iter().filter(|name| kid_of(name).is_some()).collect())
}

/// What the session says of a file of a key that lies in its folder.
pub fn said_of(folder: &Path, name: &str) -> Result<SessionKey, Fault> {
    let data = durable::read_whole(&folder.join(name), BYTES_MAX)?;
    Ok(SessionKey { kid: kid_of(name).unwrap_or_default().into(), file: name.into(), sha256: digest::sha256(&data) })
}

/// Opens all keys of a session's folder. Where there are none, no identity is asked for.
pub fn open(folder: &Path, identity: Option<&Path>) -> Result<Keys, Shut> {
    let names = files(folder)?;
    let mut keys = Keys::default();
    if names.is_empty() {
        return Ok(keys);
    }
    let identity = identity.ok_or_else(|| Shut::Absent("none is configured".into()))?;
    let opens = Identities::read(identity).map_err(|fault| Shut::Absent(fault.to_string()))?;
    let mut shut = BTreeSet::new();
    for name in &names {
        let kid = kid_of(name).unwrap_or_default();
        match opened(&folder.join(name), &opens) {
            Some(key) => keys.add(kid, key),
            None => drop(shut.insert(kid)),
        }
    }
    // Wrapped anew, one file that opens is enough.
    match shut.into_iter().find(|kid| keys.get(kid).is_none()) {
        Some(kid) => Err(Shut::NotOurs(kid.into())),
        None => Ok(keys),
    }
}

fn opened(path: &Path, opens: &Identities) -> Option<ContentKey> {
    let data = durable::read_whole(path, BYTES_MAX).ok()?;
    let text = Zeroizing::new(opens.decrypt(&data).ok()?);
    ContentKey::from_hex(std::str::from_utf8(&text).ok()?)
}

/// Wraps every key of a folder for other recipients, in a file beside the one that was sealed, which stays as it is. Gives how many.
pub fn rewrap(folder: &Path, opens: &Path, to: &Recipients) -> Result<usize, Shut> {
    let (keys, names) = (open(folder, Some(opens))?, files(folder)?);
    for (kid, key) in keys.all() {
        let text = Zeroizing::new(format!("{}\n", *key.to_hex()));
        let wrapped = to.encrypt(text.as_bytes())?;
        // The sealed one is the first.
        let number = names.iter().filter(|name| kid_of(name) == Some(kid)).count() + 1;
        durable::write_whole(&folder.join(format!("key-{kid}.{number}.age")), &wrapped)?;
    }
    Ok(keys.all().count())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::footage::envelope;

    #[test]
    fn each_recipient_opens_a_key_alone_and_nobody_else_does() {
        let dir = tempfile::tempdir().unwrap();
        let people = ["machine", "escrow", "stranger"].map(|who| {
            let path = dir.path().join(who);
            let (secret, public) = envelope::make_identity();
            durable::write_secret(&path, secret.as_bytes()).unwrap();
            (path, public)
        });
        let to = Recipients::parse(&[people[0].1.clone(), people[1].1.clone()]).unwrap();
        let folder = dir.path().join("session");
        durable::make_folder(&folder).unwrap();
        assert!(open(&folder, None).unwrap().is_empty(), "nothing to open, nobody is asked");
        let made = WrappedKey::make(&to).unwrap();
        made.keep(&folder).unwrap();
        for (path, _) in &people[..2] {
            assert_eq!(open(&folder, Some(path)).unwrap().get(&made.said().kid), Some(&made.key));
        }
        assert!(matches!(open(&folder, Some(&people[2].0)), Err(Shut::NotOurs(_))));
        assert!(matches!(open(&folder, None), Err(Shut::Absent(_))));
        assert!(matches!(open(&folder, Some(&dir.path().join("gone"))), Err(Shut::Absent(_))));
        assert_eq!(said_of(&folder, &made.said().file).unwrap(), *made.said());
        // Wrapped anew for the stranger: the sealed file stays, and either opens.
        let sealed = durable::read_whole(&folder.join(&made.said().file), BYTES_MAX).unwrap();
        assert_eq!(rewrap(&folder, &people[1].0, &Recipients::parse(&[people[2].1.clone()]).unwrap()).unwrap(), 1);
        assert_eq!(open(&folder, Some(&people[2].0)).unwrap().get(&made.said().kid), Some(&made.key));
        assert_eq!(open(&folder, Some(&people[0].0)).unwrap().get(&made.said().kid), Some(&made.key));
        assert_eq!(durable::read_whole(&folder.join(&made.said().file), BYTES_MAX).unwrap(), sealed);
    }
}
