//! The check that an outsider runs on a session: files alone, no database, no network.
//!
//! What it finds is of two kinds: what is wrong (altered or incomplete), and what it cannot tell (no seal, an unreadable
//! file). An expert can do the same by hand with `sha256sum` and `openssl pkeyutl -verify`; this only does it faster.

use crate::custody::files::{Digested, Files, Progress};
use crate::custody::keys::PublicKey;
use crate::footage::continuity::Continuity;
use crate::footage::tree;
use crate::machine::fault::Fault;
use crate::model::content_key::kid_of;
use crate::model::digest;
use crate::model::gap::GapCause;
use crate::model::import::{Imported, is_footage};
use crate::model::manifest::{FORMAT, Manifest};
use crate::model::minute_code;
use crate::model::session::Segment;
use chrono::{DateTime, SecondsFormat, Utc};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;

/// What a check found.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize)]
pub struct Report {
    /// The session, where its manifest could be read.
    pub session: Option<String>,
    /// Files that were digested and agree.
    pub intact: usize,
    /// Bytes in them.
    pub bytes: u64,
    /// Gaps that the manifest declares.
    pub gaps: usize,
    /// The seal code: SHA-256 of the manifest as it lies there.
    pub seal_code: Option<String>,
    /// Seals in the middle whose manifests are as they were: number and seal code, which a record bears that was signed then.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub interim: Vec<String>,
    /// The signer's fingerprint.
    pub signer: Option<String>,
    /// Whether the signer is one that the caller trusts; `None` when no trusted key was given.
    pub trusted: Option<bool>,
    /// The entry of the custody log that holds the seal; `None` when no log was given.
    pub log_entry: Option<u64>,
    /// Timestamps from outside, each verified: `2026-11-23T09:31:02Z session.json.tsr`.
    pub timestamps: Vec<String>,
    /// Files that are not here because the archive holds them: neither missing nor verified.
    #[serde(skip_serializing_if = "is_none")]
    pub released: usize,
    /// Since when, as the mark beside them says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub released_since: Option<String>,
    /// Altered or incomplete: which file, and how.
    pub wrong: Vec<String>,
    /// What could not be told.
    pub unknown: Vec<String>,
}

impl Report {
    /// 0 intact, 1 altered or incomplete, 2 cannot tell: also what was released to the archive and is not here to be read.
    pub fn exit_code(&self) -> u8 {
        match (self.wrong.is_empty(), self.unknown.is_empty() && self.released == 0) {
            (false, _) => 1,
            (true, false) => 2,
            (true, true) => 0,
        }
    }
}

#[allow(clippy::trivially_copy_pass_by_ref)] // as serde calls it
fn is_none(count: &usize) -> bool {
    *count == 0
}

/// What the one who checks brings along.
#[derive(Default)]
pub struct Trust {
    /// Public keys from elsewhere (the bureau's notice, an anchor sheet); without one the signature only proves that whoever
    /// holds the key beside the manifest signed it.
    pub keys: Vec<PublicKey>,
    /// Seal codes and the entries of the custody log that hold them.
    pub sealed: Option<BTreeMap<String, u64>>,
    /// Whether SM3 is checked too.
    pub sm3: bool,
    /// How many files are read at a time; 0: as many as there are processors.
    pub jobs: usize,
}

impl Trust {
    /// That one key.
    pub fn key(key: &PublicKey) -> Self {
        Self { keys: vec![key.clone()], ..Self::default() }
    }
}

/// Checks a session's folder.
pub fn verify(files: &Files, trust: &Trust, progress: &dyn Progress) -> Report {
    let mut report = Report::default();
    let Some(manifest) = manifest(files, trust, &mut report) else { return report };
    let digests = digest_all(files, &manifest.segments, trust, progress);
    check_segments(files, &manifest, &digests, trust, progress, &mut report);
    check_sequence(&manifest, &mut report);
    check_dates(&manifest, &mut report);
    match &manifest.imported {
        None => check_continuity(files, &manifest, &mut report),
        Some(imported) => check_imported(&manifest, imported, &mut report),
    }
    check_interim(files, &manifest, &mut report);
    check_keys(files, &manifest, &mut report);
    check_log(trust, &mut report);
    report
}

fn manifest(files: &Files, trust: &Trust, report: &mut Report) -> Option<Manifest> {
    if let Files::Folder(path) = files
        && !path.is_dir()
    {
        report.unknown.push(format!("{} is no folder", path.display()));
        return None;
    }
    if !files.has(tree::MANIFEST) {
        match (files.has(tree::SIGNATURE), files.has(tree::JOURNAL)) {
            (true, _) => report.wrong.push("session.json: missing, though its signature is there".into()),
            (_, true) => {
                report.unknown.push("session.json: not there; the session is not sealed (yet)".into());
                chain_without_manifest(files, report);
            }
            _ => report.unknown.push("this is no session's folder: it has no session.json".into()),
        }
        return None;
    }
    let data = read(files, tree::MANIFEST, report)?;
    report.seal_code = Some(digest::sha256(&data));
    check_signature(files, &data, trust, report);
    let manifest: Manifest = match serde_json::from_slice(&data) {
        Ok(manifest) => manifest,
        Err(e) => {
            report.wrong.push(format!("session.json: is no manifest of the form {FORMAT}: {e}"));
            return None;
        }
    };
    if manifest.format != FORMAT {
        report.unknown.push(format!("session.json: form {:?}; this program knows {FORMAT}", manifest.format));
    }
    if report.signer.as_ref().is_some_and(|s| *s != manifest.signer) {
        report.wrong.push("signer.pem: is not the key that the manifest names".into());
    }
    report.session = Some(manifest.session.to_string());
    report.gaps = manifest.gaps.len();
    Some(manifest)
}

/// What a room screen showed in a minute.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MinuteCode {
    /// The six characters.
    pub code: String,
    /// In which session.
    pub session: String,
    /// From when until when it ran.
    pub ran: (DateTime<Utc>, DateTime<Utc>),
    /// Whether any of that minute lies within it: else the characters stand in none of its pictures.
    pub within: bool,
}

/// The code that the room screen showed at a moment, of the key in the manifest; or why it cannot be told.
pub fn minute_code(files: &Files, at: DateTime<Utc>) -> Result<MinuteCode, String> {
    let data = files.read(tree::MANIFEST).map_err(|fault| fault.to_string())?;
    let manifest: Manifest = serde_json::from_slice(&data).map_err(|e| e.to_string())?;
    let code = minute_code::code(&manifest.screen_key, at);
    if code.is_empty() {
        return Err("the manifest has no key".into());
    }
    let ran = (manifest.started_at, manifest.ended_at.unwrap_or(manifest.sealed_at));
    let minute = |at: DateTime<Utc>| at.timestamp().div_euclid(60);
    let within = (minute(ran.0)..=minute(ran.1)).contains(&minute(at));
    Ok(MinuteCode { code, session: manifest.session.to_string(), ran, within })
}

fn check_signature(files: &Files, data: &[u8], trust: &Trust, report: &mut Report) {
    let Some(signature) = read(files, tree::SIGNATURE, report) else { return };
    let Some(pem) = read(files, tree::SIGNER, report) else { return };
    let key = match PublicKey::from_pem(&String::from_utf8_lossy(&pem), tree::SIGNER) {
        Ok(key) => key,
        Err(e) => return report.wrong.push(e.to_string()),
    };
    if !key.verifies(data, &signature) {
        report.wrong.push("session.json: its signature does not verify: altered after sealing".into());
    }
    if !trust.keys.is_empty() {
        let is_trusted = trust.keys.contains(&key);
        report.trusted = Some(is_trusted);
        if !is_trusted {
            report.wrong.push("signer.pem: is not the trusted key: sealed by somebody else".into());
        }
    }
    report.signer = Some(key.fingerprint());
}

fn read(files: &Files, name: &str, report: &mut Report) -> Option<Vec<u8>> {
    match files.read(name) {
        Ok(data) => Some(data),
        Err(fault) if fault.is_absent() => {
            report.wrong.push(format!("{name}: missing"));
            None
        }
        Err(fault) => {
            report.unknown.push(fault.to_string());
            None
        }
    }
}

/// A manifest could name a file outside; a forged one must not make an expert's program read there.
fn is_inside(segment: &Segment) -> bool {
    !segment.file.contains('/') && !segment.file.starts_with('.')
}

type Digests = Vec<Option<Result<Digested, Fault>>>;

/// The digests of all segments, by as many threads as are wanted.
fn digest_all(files: &Files, segments: &[Segment], trust: &Trust, progress: &dyn Progress) -> Digests {
    // A forged manifest may name more bytes than there are numbers for.
    let named = segments.iter().fold(0_u64, |sum, s| sum.saturating_add(s.bytes));
    progress.expect(if matches!(files, Files::Folder(_)) { named } else { 0 });
    let processors = thread::available_parallelism().map_or(1, usize::from);
    let jobs = if trust.jobs == 0 { processors } else { trust.jobs }.min(segments.len()).max(1);
    let (next, done) = (AtomicUsize::new(0), Mutex::new(segments.iter().map(|_| None).collect::<Digests>()));
    let work = || {
        while let Some((at, segment)) = Some(next.fetch_add(1, Ordering::Relaxed)).and_then(|at| Some((at, segments.get(at)?))) {
            if is_inside(segment) {
                let digested = files.digest(&segment.file, trust.sm3 && segment.sm3.is_some(), progress);
                done.lock().unwrap_or_else(PoisonError::into_inner)[at] = Some(digested);
            }
        }
    };
    thread::scope(|scope| {
        (1..jobs).for_each(|_| drop(scope.spawn(work)));
        work();
    });
    done.into_inner().unwrap_or_else(PoisonError::into_inner)
}

fn check_segments(files: &Files, manifest: &Manifest, digests: &Digests, trust: &Trust, progress: &dyn Progress, report: &mut Report) {
    let mut gone: BTreeMap<&str, &str> = BTreeMap::new();
    for (segment, digested) in manifest.segments.iter().zip(digests) {
        let name = &segment.file;
        match digested {
            None => report.wrong.push(format!("session.json: names a file outside the folder: {name:?}")),
            Some(Ok(d)) if d.bytes < segment.bytes => {
                report.wrong.push(format!("{name}: cut short: {} of {} bytes", d.bytes, segment.bytes));
            }
            Some(Ok(d)) if d.bytes > segment.bytes => report.wrong.push(format!("{name}: {} bytes were added", d.bytes - segment.bytes)),
            Some(Ok(d)) if d.sha256 != segment.sha256 => report.wrong.push(format!("{name}: altered: its SHA-256 differs")),
            Some(Ok(d)) if trust.sm3 && d.sm3.is_some() && d.sm3 != segment.sm3 => {
                report.wrong.push(format!("{name}: its SM3 differs, and its SHA-256 does not: the manifest contradicts itself"));
            }
            Some(Ok(d)) => {
                report.intact += 1;
                report.bytes += d.bytes;
            }
            Some(Err(fault)) if fault.is_absent() => drop(gone.insert(&segment.sha256, name)),
            Some(Err(fault)) => report.unknown.push(fault.to_string()),
        }
    }
    check_unlisted(files, manifest, &mut gone, progress, report);
    // The mark is not signed: it explains, and proves nothing.
    if let Some(since) = released_since(files) {
        (report.released, report.released_since) = (gone.len(), Some(since).filter(|_| !gone.is_empty()));
        return;
    }
    report.wrong.extend(gone.values().map(|name| format!("{name}: missing")));
}

/// Since when a session's footage lies in the archive alone, as the mark in its folder says.
fn released_since(files: &Files) -> Option<String> {
    let mark: serde_json::Value = serde_json::from_slice(&files.read(tree::RELEASED).ok()?).ok()?;
    Some(mark["since"].as_str().unwrap_or("?").to_owned())
}

/// Footage in the folder that the manifest does not list: a missing file under another name, or one that was added.
fn check_unlisted(files: &Files, manifest: &Manifest, gone: &mut BTreeMap<&str, &str>, progress: &dyn Progress, report: &mut Report) {
    let listed: BTreeSet<&str> = manifest.segments.iter().map(|s| s.file.as_str()).collect();
    let names = match files.names() {
        Ok(names) => names,
        Err(fault) => return report.unknown.push(fault.to_string()),
    };
    for name in names.iter().filter(|n| is_footage(n) && !listed.contains(n.as_str())) {
        let is = files.digest(name, false, progress).ok().and_then(|d| gone.remove(d.sha256.as_str()));
        report.wrong.push(match is {
            Some(was) => format!("{was}: renamed to {name}"),
            None => format!("{name}: is not in the manifest"),
        });
    }
}

fn check_sequence(manifest: &Manifest, report: &mut Report) {
    for device in &manifest.devices {
        let of: Vec<u32> = manifest.segments.iter().filter(|s| s.camera == device.camera).map(|s| s.sequence).collect();
        if of.windows(2).any(|w| w[1] <= w[0]) {
            report.wrong.push(format!("session.json: {}: segments are out of order", device.camera));
        }
    }
}

/// What comes later is dated later, unless the manifest itself says that the clock was set back.
fn check_dates(manifest: &Manifest, report: &mut Report) {
    if manifest.clock.iter().any(|c| c.stepped_ms.is_some_and(|ms| ms < 0)) {
        return;
    }
    let when = |at: DateTime<Utc>| at.to_rfc3339_opts(SecondsFormat::Millis, true);
    for device in &manifest.devices {
        let of: Vec<&Segment> = manifest.segments.iter().filter(|s| s.camera == device.camera).collect();
        for pair in of.windows(2).filter(|w| w[1].started_at < w[0].started_at) {
            report.wrong.push(format!("{}: dated {}, before its predecessor", pair[1].file, when(pair[1].started_at)));
        }
    }
    if manifest.ended_at.is_some_and(|ended| manifest.sealed_at < ended || ended < manifest.started_at) {
        report.wrong.push("session.json: sealed before it ended, or ended before it began".into());
    }
}

/// The manifests of seals in the middle, whose codes stand on paper that a party has signed.
fn check_interim(files: &Files, manifest: &Manifest, report: &mut Report) {
    for seal in &manifest.interim {
        let name = tree::interim_name(seal.number);
        if let Some(data) = read(files, &name, report)
            && digest::sha256(&data) != seal.code
        {
            report.wrong.push(format!("{name}: altered: its SHA-256 is not the interim seal code"));
        } else if files.has(&name) {
            report.interim.push(format!("{} {}", seal.number, seal.code));
        }
    }
}

/// The files of keys: without them what is encrypted stays shut. No key is needed to check them, or anything else here.
fn check_keys(files: &Files, manifest: &Manifest, report: &mut Report) {
    for key in &manifest.keys {
        if kid_of(&key.file) != Some(&key.kid) {
            report.wrong.push(format!("session.json: names a key that is none: {:?}", key.file));
        } else if let Some(data) = read(files, &key.file, report)
            && digest::sha256(&data) != key.sha256
        {
            report.wrong.push(format!("{}: altered: its SHA-256 is not that in the manifest", key.file));
        }
    }
}

fn check_log(trust: &Trust, report: &mut Report) {
    let (Some(sealed), Some(code)) = (&trust.sealed, &report.seal_code) else { return };
    match sealed.get(code) {
        Some(index) => report.log_entry = Some(*index),
        None => report.wrong.push("session.json: its seal is not in the custody log".into()),
    }
}

/// What was taken in is one file, whatever says what in it, and is what arrived.
fn check_imported(manifest: &Manifest, imported: &Imported, report: &mut Report) {
    match &manifest.segments[..] {
        [one] if one.sha256 == imported.sha256 => {}
        [one] => report.wrong.push(format!("session.json: {}: its SHA-256 is not that of what arrived", one.file)),
        other => report.wrong.push(format!("session.json: says that a file was taken in, and lists {}", other.len())),
    }
    if imported.taken_in_at > manifest.sealed_at {
        report.wrong.push("session.json: sealed before it was taken in".into());
    }
}

/// What the files say of themselves: each names its session, its number and the digest of the one before it.
fn check_continuity(files: &Files, manifest: &Manifest, report: &mut Report) {
    for device in &manifest.devices {
        // Where the signed manifest itself declares that a disk lost something, a file may name one that never came to be.
        let lost = manifest.gaps.iter().any(|g| g.camera == device.camera && g.cause == GapCause::Disk);
        let mut previous: Option<&Segment> = None;
        for segment in manifest.segments.iter().filter(|s| s.camera == device.camera && is_inside(s)) {
            // A file that was cut off before its head was whole says nothing of itself, and holds no picture.
            let said = files.head(&segment.file).and_then(|head| Continuity::read(&head));
            if let Some(said) = said {
                let here = said.session == manifest.session && said.camera == segment.camera && said.sequence == segment.sequence;
                if !here {
                    let of = format!("{} of session {}, camera {}", said.sequence, said.session, said.camera);
                    report.wrong.push(format!("{}: says of itself that it is number {of}", segment.file));
                }
                match (&said.previous, previous) {
                    _ if lost => {}
                    (Some(digest), Some(before)) if *digest != before.sha256 && !before.recovered => {
                        report.wrong.push(format!("{}: does not follow {}: names another file before it", segment.file, before.file));
                    }
                    (Some(_), None) => report.wrong.push(format!("{}: names a file before it that is not there", segment.file)),
                    _ => {}
                }
            }
            previous = Some(segment);
        }
    }
}

/// What the files of an unsealed session say of themselves, by camera: how many follow one another, and where the chain breaks.
fn chain_without_manifest(files: &Files, report: &mut Report) {
    let mut found: Vec<(Continuity, String)> = Vec::new();
    for name in files.names().unwrap_or_default().into_iter().filter(|n| n.ends_with(".mp4")) {
        found.extend(files.head(&name).and_then(|head| Continuity::read(&head)).map(|said| (said, name)));
    }
    found.sort_by(|(a, _), (b, _)| (&a.camera, a.sequence).cmp(&(&b.camera, b.sequence)));
    for pair in found.windows(2).filter(|p| p[0].0.camera == p[1].0.camera) {
        let ((_, before), (said, name)) = (&pair[0], &pair[1]);
        match (files.digest(before, false, &crate::custody::files::Silent), &said.previous) {
            (Ok(d), Some(named)) if d.sha256 != *named => {
                report.wrong.push(format!("{name}: does not follow {before}: a file between them is missing, or one was altered"));
            }
            (Err(fault), _) => report.unknown.push(fault.to_string()),
            _ => {}
        }
    }
    for pair in found.chunk_by(|a, b| a.0.camera == b.0.camera) {
        let (first, last) = (&pair[0].0, &pair[pair.len() - 1].0);
        if first.previous.is_some() {
            report.wrong.push(format!("{}: names a file before it that is not there", pair[0].1));
        }
        let span = format!("files {} to {}", first.sequence, last.sequence);
        report.unknown.push(format!(
            "{}: {} {span} by what they say of themselves; whether more came later cannot be told",
            last.camera,
            pair.len()
        ));
    }
}
