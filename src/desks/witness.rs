//! An outside cosigner (C2SP tlog-witness): on the legal unit's PC, say. It keeps the newest head of each log that it was given
//! the key of, and confirms a newer one only if that grew from the head it keeps. A log that forgot, or that tells two histories,
//! gets no line from it.

use crate::custody::keys::{KeyFault, Signer};
use crate::custody::note::{Checkpoint, NOTE_BYTES_MAX, Note, VerifierKey, hash_of};
use crate::machine::clock::Clock;
use crate::machine::durable;
use crate::model::digest;
use crate::model::merkle::{self, Hash, PROOF_HASHES_MAX};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

/// Why a head is not confirmed; each is one of the protocol's answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NotConfirmed {
    /// 400: not the form of a request.
    Form,
    /// 403: not signed by the log.
    NotSigned,
    /// 404: a log that this cosigner was not told of.
    UnknownLog,
    /// 409: this cosigner has confirmed so many entries already.
    Conflict(u64),
    /// 422: did not grow from the head that was confirmed last.
    NotConsistent,
    /// 500: the machine failed; nothing is confirmed that is not kept.
    Machine(String),
}

/// A cosigner.
pub struct Witness {
    name: String,
    key: Signer,
    logs: Vec<VerifierKey>,
    folder: PathBuf,
    clock: Arc<dyn Clock>,
    /// Looking at the kept head and keeping a newer one is one step.
    one_at_a_time: Mutex<()>,
}

impl Witness {
    /// Keeps heads and its key below `folder`.
    pub fn open(name: String, folder: PathBuf, logs: Vec<VerifierKey>, clock: Arc<dyn Clock>) -> Result<Self, KeyFault> {
        durable::make_folder(&folder)?;
        let key = Signer::of_log(&folder)?;
        Ok(Self { name, key, logs, folder, clock, one_at_a_time: Mutex::default() })
    }

    /// Its key, for the log's configuration.
    pub fn verifier_key(&self) -> String {
        VerifierKey::of_cosigner(&self.name, self.key.public()).to_text()
    }

    fn kept(&self, origin: &str) -> PathBuf {
        self.folder.join(format!("{}.checkpoint", &digest::sha256(origin.as_bytes())[..16]))
    }

    /// `add-checkpoint`: the cosigner's line, or why there is none.
    pub fn add_checkpoint(&self, body: &[u8]) -> Result<String, NotConfirmed> {
        let request = Request::parse(body).ok_or(NotConfirmed::Form)?;
        let Request { old, proof, note, head } = request;
        let log = self.logs.iter().find(|log| log.name == head.origin).ok_or(NotConfirmed::UnknownLog)?;
        note.signed_by(log).map_err(|_| NotConfirmed::NotSigned)?;
        if old > head.size {
            return Err(NotConfirmed::Form);
        }
        let _alone = self.one_at_a_time.lock().unwrap_or_else(PoisonError::into_inner);
        let path = self.kept(&head.origin);
        let kept = match durable::read_whole(&path, NOTE_BYTES_MAX) {
            Ok(data) => Note::parse(&data).ok().and_then(|note| Checkpoint::parse(&note.text).ok()).map(Some),
            Err(fault) if fault.is_absent() => Some(None),
            Err(fault) => return Err(NotConfirmed::Machine(fault.to_string())),
        };
        // A kept head that cannot be read must not count as none: that would confirm any history.
        let kept = kept.ok_or_else(|| NotConfirmed::Machine(format!("{} cannot be read", path.display())))?;
        let (known, known_root) = kept.map_or((0, merkle::empty()), |head| (head.size, head.root));
        if old != known || (old == head.size && old > 0 && known_root != head.root) {
            return Err(NotConfirmed::Conflict(known));
        }
        if !merkle::is_consistent(old, &known_root, head.size, &head.root, &proof) {
            return Err(NotConfirmed::NotConsistent);
        }
        durable::write_whole(&path, note.to_text().as_bytes()).map_err(|fault| NotConfirmed::Machine(fault.to_string()))?;
        Ok(note.cosign(&self.name, &self.key, self.clock.now().utc.timestamp().max(0) as u64))
    }
}

struct Request {
    old: u64,
    proof: Vec<Hash>,
    note: Note,
    head: Checkpoint,
}

impl Request {
    fn parse(body: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(body).ok()?;
        let (before, note) = text.split_once("\n\n")?;
        let mut lines = before.split('\n');
        let said = lines.next()?.strip_prefix("old ")?;
        let old: u64 = said.parse().ok().filter(|n: &u64| n.to_string() == said)?;
        let proof = lines.map(hash_of).collect::<Option<Vec<Hash>>>().filter(|p| p.len() <= PROOF_HASHES_MAX)?;
        let note = Note::parse(note.as_bytes()).ok()?;
        let head = Checkpoint::parse(&note.text).ok()?;
        Some(Self { old, proof, note, head })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::custody::logfile::{LogFile, Opening};
    use crate::custody::note::hash_text;
    use crate::custody::tiles::Tiles;
    use crate::machine::clock::SystemClock;

    #[test]
    fn a_head_is_confirmed_only_if_it_grew_from_the_one_that_is_kept() {
        let dir = tempfile::tempdir().unwrap();
        let key = Arc::new(Signer::of_log(&dir.path().join("keys")).unwrap());
        let open = |name: &str| {
            let opening = Opening { folder: dir.path().join(name), key: key.clone(), remembered: vec![] };
            LogFile::open(&opening).unwrap().0
        };
        let mut log = open("log");
        let log_key = VerifierKey::of_log(log.origin(), key.public());
        let witness = || Witness::open("legal".into(), dir.path().join("w"), vec![log_key.clone()], Arc::new(SystemClock)).unwrap();
        let grow = |log: &mut LogFile, by: u64| {
            (0..by).for_each(|n| log.put(format!("{n}").as_bytes()).unwrap());
            log.sync().unwrap();
            log.publish().unwrap().unwrap()
        };
        let request = |folder: &str, old: u64, note: &Note| {
            let size = Checkpoint::parse(&note.text).unwrap().size;
            let proof = merkle::consistency(&mut Tiles::of(&dir.path().join(folder)), old, size).unwrap();
            let hashes: String = proof.iter().map(|h| hash_text(h) + "\n").collect();
            format!("old {old}\n{hashes}\n{}", note.to_text()).into_bytes()
        };
        let mut first = grow(&mut log, 5);
        let line = witness().add_checkpoint(&request("log", 0, &first)).unwrap();
        let cosigner = VerifierKey::parse(&witness().verifier_key()).unwrap();
        first.take_over(&line, &cosigner).unwrap();
        assert!(first.signed_by(&cosigner).unwrap().is_some_and(|at| at > 1_700_000_000));
        assert!(first.signed_by(&log_key).is_ok(), "the log's own line stays");

        let second = grow(&mut log, 300);
        assert_eq!(witness().add_checkpoint(&request("log", 0, &second)), Err(NotConfirmed::Conflict(5)));
        let bare = format!("old 5\n\n{}", second.to_text());
        assert_eq!(witness().add_checkpoint(bare.as_bytes()), Err(NotConfirmed::NotConsistent));
        assert!(witness().add_checkpoint(&request("log", 5, &second)).is_ok());

        // The same key and name, another history.
        let mut other = open("other");
        std::fs::write(dir.path().join("other/origin"), log.origin().as_bytes()).unwrap();
        grow(&mut other, 1);
        drop(other);
        std::fs::remove_file(dir.path().join("other/checkpoint")).unwrap();
        let mut other = open("other");
        let forged = grow(&mut other, 400);
        assert_eq!(witness().add_checkpoint(&request("other", 305, &forged)), Err(NotConfirmed::NotConsistent));
        assert_eq!(witness().add_checkpoint(b"old 05\n\nx"), Err(NotConfirmed::Form));
        let strange = Witness::open("w2".into(), dir.path().join("w2"), vec![], Arc::new(SystemClock)).unwrap();
        assert_eq!(strange.add_checkpoint(&request("log", 0, &second)), Err(NotConfirmed::UnknownLog));
        let unsigned = second.to_text().replace("\n305\n", "\n306\n");
        assert_eq!(witness().add_checkpoint(format!("old 305\n\n{unsigned}").as_bytes()), Err(NotConfirmed::NotSigned));
    }
}
