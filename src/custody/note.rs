//! Signed notes (C2SP signed-note) and the checkpoints that they carry (C2SP tlog-checkpoint): the head of the log, signed so
//! that it can be compared with what was shown earlier or elsewhere.
//!
//! ```text
//! shilu/4be3f07a91c25d08/5e1f90aa     origin: which log
//! 1342                                how many entries
//! Vj2…=                               their Merkle root, base64
//!
//! — shilu/4be3f07a91c25d08/5e1f90aa 0Gk2…=    by the log's key
//! — legal.example/witness q3Lr…=              by an outside cosigner (C2SP tlog-cosignature)
//! ```

use crate::custody::keys::PublicKey;
use crate::model::digest;
use crate::model::merkle::Hash;
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;

/// Signature type of a log's own Ed25519 signature.
const TYPE_LOG: u8 = 1;
/// Signature type of a cosigner's timestamped Ed25519 signature.
const TYPE_COSIGNER: u8 = 4;
/// The largest note that is read.
pub const NOTE_BYTES_MAX: u64 = 64 * 1024;

/// What is wrong with a note.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoteFault {
    /// Not the form of a note, a checkpoint or a key.
    #[error("is no {what} (C2SP {spec})")]
    Form {
        /// Which it should be.
        what: &'static str,
        /// The specification.
        spec: &'static str,
    },
    /// No signature of the key that is asked for, or one that does not verify.
    #[error("carries no valid signature of {name}")]
    Unsigned {
        /// The key's name.
        name: String,
    },
}

const NOT_A_NOTE: NoteFault = NoteFault::Form { what: "signed note", spec: "signed-note" };
const NOT_A_CHECKPOINT: NoteFault = NoteFault::Form { what: "checkpoint", spec: "tlog-checkpoint" };
const NOT_A_KEY: NoteFault = NoteFault::Form { what: "verifier key", spec: "signed-note" };

/// One signature line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// The key's name.
    pub name: String,
    id: [u8; 4],
    signature: Vec<u8>,
}

impl Line {
    fn parse(line: &str) -> Result<Self, NoteFault> {
        let (name, signature) = line.strip_prefix("— ").and_then(|rest| rest.split_once(' ')).ok_or(NOT_A_NOTE)?;
        let bytes = BASE64.decode(signature).map_err(|_| NOT_A_NOTE)?;
        let (id, signature) = bytes.split_first_chunk::<4>().ok_or(NOT_A_NOTE)?;
        if name.is_empty() || name.contains('+') || signature.is_empty() {
            return Err(NOT_A_NOTE);
        }
        Ok(Self { name: name.into(), id: *id, signature: signature.into() })
    }

    fn text(&self) -> String {
        format!("— {} {}\n", self.name, BASE64.encode([&self.id[..], &self.signature].concat()))
    }
}

/// A text with its signatures.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    /// What is signed, with its last newline.
    pub text: String,
    /// By whom.
    pub lines: Vec<Line>,
}

impl Note {
    /// Reads one; signatures are not checked yet.
    pub fn parse(data: &[u8]) -> Result<Self, NoteFault> {
        let whole = std::str::from_utf8(data).map_err(|_| NOT_A_NOTE)?;
        let (text, lines) = whole.rsplit_once("\n\n").ok_or(NOT_A_NOTE)?;
        let lines = lines.strip_suffix('\n').ok_or(NOT_A_NOTE)?;
        let lines = lines.split('\n').map(Line::parse).collect::<Result<_, _>>()?;
        Ok(Self { text: format!("{text}\n"), lines })
    }

    /// As it is stored and sent.
    pub fn to_text(&self) -> String {
        let lines: String = self.lines.iter().map(Line::text).collect();
        format!("{}\n{lines}", self.text)
    }

    /// Whether this key signed it; a cosigner's signature also says when (seconds since 1970).
    pub fn signed_by(&self, key: &VerifierKey) -> Result<Option<u64>, NoteFault> {
        let unsigned = || NoteFault::Unsigned { name: key.name.clone() };
        let mine = self.lines.iter().filter(|l| l.name == key.name && l.id == key.id());
        for line in mine {
            if !key.is_cosigner {
                if key.key.verifies(self.text.as_bytes(), &line.signature) {
                    return Ok(None);
                }
            } else if let Some((at, signature)) = line.signature.split_first_chunk::<8>() {
                let at = u64::from_be_bytes(*at);
                if key.key.verifies(cosigned(&self.text, at).as_bytes(), signature) {
                    return Ok(Some(at));
                }
            }
        }
        Err(unsigned())
    }

    /// Adds the lines of a cosigner's answer that its key really made.
    pub fn take_over(&mut self, answer: &str, key: &VerifierKey) -> Result<(), NoteFault> {
        let lines: Vec<Line> = answer.lines().filter_map(|l| Line::parse(l).ok()).collect();
        let with = Self { text: self.text.clone(), lines };
        with.signed_by(key)?;
        let (name, id) = (&key.name, key.id());
        self.lines.retain(|l| l.name != *name || l.id != id);
        self.lines.extend(with.lines.into_iter().filter(|l| l.name == *name && l.id == id).take(1));
        Ok(())
    }
}

fn cosigned(text: &str, at: u64) -> String {
    format!("cosignature/v1\ntime {at}\n{text}")
}

/// A key as C2SP writes it for those who verify: `name+id+base64`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifierKey {
    /// Its name.
    pub name: String,
    key: PublicKey,
    is_cosigner: bool,
}

impl VerifierKey {
    /// A log's key; its name is the log's origin.
    pub fn of_log(origin: &str, key: PublicKey) -> Self {
        Self { name: origin.into(), key, is_cosigner: false }
    }

    /// A cosigner's key.
    pub fn of_cosigner(name: &str, key: PublicKey) -> Self {
        Self { name: name.into(), key, is_cosigner: true }
    }

    /// Reads `name+id+base64`.
    pub fn parse(text: &str) -> Result<Self, NoteFault> {
        let mut parts = text.trim().splitn(3, '+');
        let (Some(name), Some(id), Some(key)) = (parts.next(), parts.next(), parts.next()) else { return Err(NOT_A_KEY) };
        let bytes = BASE64.decode(key).map_err(|_| NOT_A_KEY)?;
        let (kind, raw) = bytes.split_first().ok_or(NOT_A_KEY)?;
        let raw: [u8; 32] = raw.try_into().map_err(|_| NOT_A_KEY)?;
        let key = PublicKey::from_raw(&raw).ok_or(NOT_A_KEY)?;
        let is_cosigner = match *kind {
            TYPE_LOG => false,
            TYPE_COSIGNER => true,
            _ => return Err(NOT_A_KEY),
        };
        let read = Self { name: name.into(), key, is_cosigner };
        if name.is_empty() || digest::hex(&read.id()) != id { Err(NOT_A_KEY) } else { Ok(read) }
    }

    /// `name+id+base64`.
    pub fn to_text(&self) -> String {
        let key = [&[self.kind()][..], &self.key.raw()].concat();
        format!("{}+{}+{}", self.name, digest::hex(&self.id()), BASE64.encode(key))
    }

    fn kind(&self) -> u8 {
        if self.is_cosigner { TYPE_COSIGNER } else { TYPE_LOG }
    }

    fn id(&self) -> [u8; 4] {
        let whole = digest::sha256_raw(&[self.name.as_bytes(), b"\n", &[self.kind()], &self.key.raw()]);
        [whole[0], whole[1], whole[2], whole[3]]
    }
}

/// The head of a log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    /// Which log.
    pub origin: String,
    /// How many entries.
    pub size: u64,
    /// Their root.
    pub root: Hash,
}

impl Checkpoint {
    /// The text that is signed.
    pub fn text(&self) -> String {
        format!("{}\n{}\n{}\n", self.origin, self.size, BASE64.encode(self.root))
    }

    /// Reads the text of a note.
    pub fn parse(text: &str) -> Result<Self, NoteFault> {
        let mut lines = text.strip_suffix('\n').ok_or(NOT_A_CHECKPOINT)?.split('\n');
        let (Some(origin), Some(size), Some(root)) = (lines.next(), lines.next(), lines.next()) else { return Err(NOT_A_CHECKPOINT) };
        let number: u64 = size.parse().map_err(|_| NOT_A_CHECKPOINT)?;
        let root = hash_of(root).ok_or(NOT_A_CHECKPOINT)?;
        if origin.is_empty() || number.to_string() != size || number > i64::MAX as u64 {
            return Err(NOT_A_CHECKPOINT);
        }
        Ok(Self { origin: origin.into(), size: number, root })
    }
}

/// A hash in base64.
pub fn hash_of(text: &str) -> Option<Hash> {
    BASE64.decode(text).ok()?.try_into().ok()
}

/// A hash as base64.
pub fn hash_text(hash: &Hash) -> String {
    BASE64.encode(hash)
}

/// An entry's proof for somebody who has nothing else of the log (C2SP tlog-proof).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proof {
    /// Which entry.
    pub index: u64,
    /// From the leaf's sibling upwards.
    pub hashes: Vec<Hash>,
    /// The head, signed.
    pub note: Note,
}

impl Proof {
    const HEAD: &'static str = "c2sp.org/tlog-proof@v1";

    /// As it is stored in a file of the ending `.tlog-proof`.
    pub fn to_text(&self) -> String {
        let hashes: String = self.hashes.iter().map(|h| hash_text(h) + "\n").collect();
        format!("{}\nindex {}\n{hashes}\n{}", Self::HEAD, self.index, self.note.to_text())
    }

    /// Reads one; nothing is checked yet.
    pub fn parse(data: &[u8]) -> Result<Self, NoteFault> {
        const NOT: NoteFault = NoteFault::Form { what: "log proof", spec: "tlog-proof" };
        let text = std::str::from_utf8(data).map_err(|_| NOT)?;
        let (head, note) = text.split_once("\n\n").ok_or(NOT)?;
        let mut lines = head.split('\n').filter(|l| !l.starts_with("extra "));
        let is_proof = lines.next() == Some(Self::HEAD);
        let index = lines.next().and_then(|l| l.strip_prefix("index ")).and_then(|n| n.parse().ok()).ok_or(NOT)?;
        let hashes = lines.map(hash_of).collect::<Option<Vec<Hash>>>().ok_or(NOT)?;
        if is_proof { Ok(Self { index, hashes, note: Note::parse(note.as_bytes())? }) } else { Err(NOT) }
    }
}

#[cfg(feature = "recorder")]
mod signing {
    use super::{Checkpoint, Line, Note, VerifierKey, cosigned};
    use crate::custody::keys::Signer;

    impl Note {
        /// A checkpoint signed by its log.
        pub fn of_checkpoint(checkpoint: &Checkpoint, key: &Signer) -> Self {
            let text = checkpoint.text();
            let verifier = VerifierKey::of_log(&checkpoint.origin, key.public());
            let signature = key.sign(text.as_bytes());
            let line = Line { name: verifier.name.clone(), id: verifier.id(), signature };
            Self { text, lines: vec![line] }
        }

        /// A cosigner's line under it.
        pub fn cosign(&self, name: &str, key: &Signer, at: u64) -> String {
            let verifier = VerifierKey::of_cosigner(name, key.public());
            let signature = [&at.to_be_bytes()[..], &key.sign(cosigned(&self.text, at).as_bytes())].concat();
            Line { name: name.into(), id: verifier.id(), signature }.text()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_public_checkpoint_is_read_and_verified() {
        // The Go checksum database's well-known key and an early head of it.
        let key = VerifierKey::parse("PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW").unwrap();
        let note = "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n\n\
                    — PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n";
        assert_eq!(Note::parse(note.as_bytes()).unwrap().signed_by(&key), Ok(None));
        assert_eq!(key.to_text(), "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW");
        let bent = note.replace("answer", "Answer");
        assert!(Note::parse(bent.as_bytes()).unwrap().signed_by(&key).is_err());
    }

    #[test]
    fn a_head_that_is_not_written_the_one_way_is_none() {
        let good = "a\n10\nVj2aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaA=\n";
        assert_eq!(Checkpoint::parse(good).unwrap().text(), good);
        for bad in ["", "a\n10\n", &good.replace("10", "010"), &good.replace("10", "-1"), &good.replace("Vj2", "Vj"), good.trim_end()] {
            assert!(Checkpoint::parse(bad).is_err(), "{bad:?}");
        }
    }

    proptest::proptest! {
        #[test]
        fn no_bytes_make_the_readers_panic(data in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..300), text in ".*") {
            let _ = Note::parse(&data);
            let _ = Proof::parse(&data);
            let _ = Note::parse(format!("{text}\n\n— {text}\n").as_bytes());
            let _ = Checkpoint::parse(&text);
            let _ = VerifierKey::parse(&text);
        }
    }
}
