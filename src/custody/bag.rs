//! Checking a package for hand-over: a BagIt 1.0 bag (RFC 8493) with sessions, their log entries, proofs and tokens inside. A
//! bag whose manifests somebody made anew still validates as a bag; only signatures, proofs and timestamps tell.

use crate::custody::files::{Files, Progress};
use crate::custody::keys::PublicKey;
use crate::custody::note::{Checkpoint, Proof, VerifierKey};
use crate::custody::verify::{self, Report, Trust};
use crate::model::merkle;
use std::collections::{BTreeMap, BTreeSet};

/// The bag's folder of sessions.
pub const SESSIONS: &str = "data/sessions";
/// The bag's folder of log entries and proofs.
pub const LOG: &str = "data/log";

/// Where the bag begins: here, or in the only folder of a tar.
pub fn find(files: &Files) -> Option<Files> {
    if files.has("bagit.txt") {
        return Some(files.clone());
    }
    let all = if matches!(files, Files::Tar(..)) { files.all().ok()? } else { return None };
    let root = all.iter().find_map(|name| name.strip_suffix("/bagit.txt").filter(|root| !root.contains('/')))?;
    Some(files.below(root))
}

/// Checks a bag: its lists, each session in it, and each log entry's proof. `log`: the log's public key from elsewhere.
pub fn check(bag: &Files, trust: &Trust, log: Option<&PublicKey>, progress: &dyn Progress) -> (Vec<String>, Vec<Report>) {
    let mut wrong = Vec::new();
    check_lists(bag, progress, &mut wrong);
    let sealed = check_log(bag, log, &mut wrong);
    let all = bag.all().unwrap_or_default();
    let below = format!("{SESSIONS}/");
    let sessions: BTreeSet<&str> =
        all.iter().filter_map(|name| name.strip_prefix(&below)?.split_once('/').map(|(session, _)| session)).collect();
    if sessions.is_empty() {
        wrong.push(format!("{SESSIONS}: holds no session"));
    }
    // What the bag's own proofs show is enough where no whole log was given.
    let with = Trust { keys: trust.keys.clone(), sealed: trust.sealed.clone().or(Some(sealed)), sm3: trust.sm3, jobs: trust.jobs };
    let mut reports: Vec<Report> =
        sessions.iter().map(|session| verify::verify(&bag.below(SESSIONS).below(session), &with, progress)).collect();
    // A package holds its files: a mark that they lie in an archive explains nothing here.
    for report in reports.iter_mut().filter(|r| r.released > 0) {
        report.wrong.push(format!("{} files: missing", report.released));
        (report.released, report.released_since) = (0, None);
    }
    (wrong, reports)
}

/// The lines of a manifest: digest, two blanks, path.
fn lines(data: &[u8]) -> impl Iterator<Item = (String, String)> {
    let text = String::from_utf8_lossy(data).into_owned();
    let pairs: Vec<_> = text
        .lines()
        .filter_map(|l| l.split_once(char::is_whitespace))
        .map(|(d, p)| (p.trim().to_owned(), d.to_ascii_lowercase()))
        .collect();
    pairs.into_iter()
}

fn check_lists(bag: &Files, progress: &dyn Progress, wrong: &mut Vec<String>) {
    let mut payload = BTreeMap::new();
    for (list, is_payload) in [("manifest-sha256.txt", true), ("tagmanifest-sha256.txt", false)] {
        let Ok(data) = bag.read(list) else {
            wrong.push(format!("{list}: missing"));
            continue;
        };
        for (path, sha256) in lines(&data) {
            if path.starts_with('/') || path.split('/').any(|part| part == "..") {
                wrong.push(format!("{list}: names a file outside the package: {path:?}"));
                continue;
            }
            // Segments are digested once, when their session is checked; their line has to agree with that.
            match bag.digest(&path, false, progress) {
                Ok(d) if d.sha256 == sha256 => {}
                Ok(_) => wrong.push(format!("{path}: altered: its SHA-256 is not that of {list}")),
                Err(fault) if fault.is_absent() => wrong.push(format!("{path}: missing")),
                Err(fault) => wrong.push(fault.to_string()),
            }
            if is_payload {
                payload.insert(path, sha256);
            }
        }
    }
    let all = bag.all().unwrap_or_default();
    wrong.extend(
        all.iter().filter(|name| name.starts_with("data/") && !payload.contains_key(*name)).map(|name| format!("{name}: was added")),
    );
}

/// Every entry with its proof under one signed head; gives the seal codes that are proved.
fn check_log(bag: &Files, key: Option<&PublicKey>, wrong: &mut Vec<String>) -> BTreeMap<String, u64> {
    let mut sealed = BTreeMap::new();
    let log = bag.below(LOG);
    let said = log.read("log-key.txt").ok().and_then(|text| VerifierKey::parse(&String::from_utf8_lossy(&text)).ok());
    match (&said, key) {
        (None, _) => wrong.push(format!("{LOG}/log-key.txt: is no key")),
        (Some(said), Some(key)) if *said != VerifierKey::of_log(&said.name, key.clone()) => {
            wrong.push(format!("{LOG}/log-key.txt: is not the trusted key of the log"));
        }
        _ => {}
    }
    for name in log.names().unwrap_or_default().iter().filter_map(|name| name.strip_suffix(".tlog-proof")) {
        let mut tell = |what: String| wrong.push(format!("{LOG}/{name}.tlog-proof: {what}"));
        let (Ok(proof), Ok(entry)) = (log.read(&format!("{name}.tlog-proof")), log.read(&format!("{name}.json"))) else {
            tell("the entry that it proves is missing".into());
            continue;
        };
        let (proof, head) = match Proof::parse(&proof).and_then(|proof| Checkpoint::parse(&proof.note.text).map(|head| (proof, head))) {
            Ok(both) => both,
            Err(e) => {
                tell(e.to_string());
                continue;
            }
        };
        let verifier = match (key, &said) {
            (Some(key), _) => Some(VerifierKey::of_log(&head.origin, key.clone())),
            (None, said) => said.clone(),
        };
        match verifier.map(|verifier| proof.note.signed_by(&verifier)) {
            Some(Ok(_)) => {}
            Some(Err(e)) => tell(e.to_string()),
            None => tell("there is no key to check its head by".into()),
        }
        if !merkle::is_included(&merkle::leaf(&entry), proof.index, head.size, &proof.hashes, &head.root) {
            tell("does not lead from the entry to the signed head".into());
            continue;
        }
        let value: serde_json::Value = serde_json::from_slice(&entry).unwrap_or_default();
        if value["kind"] == "session_sealed"
            && let Some(code) = value["about"]["seal_code"].as_str()
        {
            sealed.insert(code.to_owned(), proof.index);
        }
    }
    sealed
}
