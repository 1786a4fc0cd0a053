//! The check that an outsider runs on a session's folder: files alone, no database, no network.
//!
//! What it finds is of two kinds: what is wrong (altered or incomplete), and what it cannot tell (no seal, an unreadable
//! file). An expert can do the same by hand with `sha256sum` and `openssl pkeyutl -verify`; this only does it faster.

use crate::custody::keys::PublicKey;
use crate::footage::continuity::Continuity;
use crate::footage::tree;
use crate::machine::{durable, fault::Fault};
use crate::model::digest::{self, Running};
use crate::model::gap::GapCause;
use crate::model::manifest::{FORMAT, Manifest};
use crate::model::minute_code;
use crate::model::session::Segment;
use chrono::{DateTime, Utc};
use std::collections::BTreeSet;
use std::io::Read;
use std::path::Path;

/// The largest manifest that is read.
const MANIFEST_BYTES_MAX: u64 = 256 * 1024 * 1024;

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
    /// The signer's fingerprint.
    pub signer: Option<String>,
    /// Whether the signer is the one that the caller trusts; `None` when no trusted key was given.
    pub trusted: Option<bool>,
    /// Altered or incomplete: which file, and how.
    pub wrong: Vec<String>,
    /// What could not be told.
    pub unknown: Vec<String>,
}

impl Report {
    /// 0 intact, 1 altered or incomplete, 2 cannot tell.
    pub fn exit_code(&self) -> u8 {
        match (self.wrong.is_empty(), self.unknown.is_empty()) {
            (false, _) => 1,
            (true, false) => 2,
            (true, true) => 0,
        }
    }
}

/// Checks a session's folder. `trusted` is a public key from elsewhere (the bureau's notice, an anchor sheet); without it the
/// signature only proves that whoever holds the key beside the manifest signed it.
pub fn verify(folder: &Path, trusted: Option<&PublicKey>) -> Report {
    let mut report = Report::default();
    let Some(manifest) = manifest(folder, trusted, &mut report) else { return report };
    for segment in &manifest.segments {
        check_segment(folder, segment, &mut report);
    }
    check_sequence(&manifest, &mut report);
    check_continuity(folder, &manifest, &mut report);
    check_unlisted(folder, &manifest, &mut report);
    check_interim(folder, &manifest, &mut report);
    report
}

fn manifest(folder: &Path, trusted: Option<&PublicKey>, report: &mut Report) -> Option<Manifest> {
    if !folder.is_dir() {
        report.unknown.push(format!("{} is no folder", folder.display()));
        return None;
    }
    let has = |name: &str| folder.join(name).exists();
    if !has("session.json") {
        match (has("session.json.sig"), has("journal.jsonl")) {
            (true, _) => report.wrong.push("session.json: missing, though its signature is there".into()),
            (_, true) => {
                report.unknown.push("session.json: not there; the session is not sealed (yet)".into());
                chain_without_manifest(folder, report);
            }
            _ => report.unknown.push(format!("{} is no session's folder: it has no session.json", folder.display())),
        }
        return None;
    }
    let data = read(folder, "session.json", report)?;
    report.seal_code = Some(digest::sha256(&data));
    check_signature(folder, &data, trusted, report);
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

/// The code that the room screen showed at a moment, of the key in the manifest; or why it cannot be told.
pub fn minute_code(folder: &Path, at: DateTime<Utc>) -> Result<String, String> {
    let data = durable::read_whole(&folder.join(tree::MANIFEST), MANIFEST_BYTES_MAX).map_err(|fault| fault.to_string())?;
    let manifest: Manifest = serde_json::from_slice(&data).map_err(|e| e.to_string())?;
    let code = minute_code::code(&manifest.screen_key, at);
    if code.is_empty() { Err("the manifest has no key".into()) } else { Ok(code) }
}

fn check_signature(folder: &Path, data: &[u8], trusted: Option<&PublicKey>, report: &mut Report) {
    let Some(signature) = read(folder, "session.json.sig", report) else { return };
    let Some(pem) = read(folder, "signer.pem", report) else { return };
    let key = match PublicKey::from_pem(&String::from_utf8_lossy(&pem), "signer.pem") {
        Ok(key) => key,
        Err(e) => return report.wrong.push(e.to_string()),
    };
    if !key.verifies(data, &signature) {
        report.wrong.push("session.json: its signature does not verify: altered after sealing".into());
    }
    report.trusted = trusted.map(|t| *t == key);
    if report.trusted == Some(false) {
        report.wrong.push("signer.pem: is not the trusted key: sealed by somebody else".into());
    }
    report.signer = Some(key.fingerprint());
}

fn read(folder: &Path, name: &str, report: &mut Report) -> Option<Vec<u8>> {
    match durable::read_whole(&folder.join(name), MANIFEST_BYTES_MAX) {
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

fn check_segment(folder: &Path, segment: &Segment, report: &mut Report) {
    // A manifest could name a file outside; a forged one must not make an expert's program read there.
    if segment.file.contains('/') || segment.file.starts_with('.') {
        return report.wrong.push(format!("session.json: names a file outside the folder: {:?}", segment.file));
    }
    match digest_file(&folder.join(&segment.file)) {
        Ok((bytes, _)) if bytes < segment.bytes => {
            report.wrong.push(format!("{}: cut short: {bytes} of {} bytes", segment.file, segment.bytes));
        }
        Ok((bytes, _)) if bytes > segment.bytes => {
            report.wrong.push(format!("{}: {} bytes were added", segment.file, bytes - segment.bytes));
        }
        Ok((_, digest)) if digest != segment.sha256 => report.wrong.push(format!("{}: altered: its SHA-256 differs", segment.file)),
        Ok((bytes, _)) => {
            report.intact += 1;
            report.bytes += bytes;
        }
        Err(fault) if fault.is_absent() => report.wrong.push(format!("{}: missing", segment.file)),
        Err(fault) => report.unknown.push(fault.to_string()),
    }
}

/// SHA-256 and length of a file.
fn digest_file(path: &Path) -> Result<(u64, String), Fault> {
    let mut file = durable::open(path)?;
    let mut digest = Running::default();
    let mut buffer = vec![0; 1 << 20];
    let mut bytes = 0;
    loop {
        let n = file.read(&mut buffer).map_err(|e| Fault::file("read", path, e))?;
        if n == 0 {
            return Ok((bytes, digest.hex()));
        }
        digest.update(&buffer[..n]);
        bytes += n as u64;
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

/// The manifests of seals in the middle, whose codes stand on paper that a party has signed.
fn check_interim(folder: &Path, manifest: &Manifest, report: &mut Report) {
    for seal in &manifest.interim {
        let name = tree::interim_name(seal.number);
        if let Some(data) = read(folder, &name, report)
            && digest::sha256(&data) != seal.code
        {
            report.wrong.push(format!("{name}: altered: its SHA-256 is not the interim seal code"));
        }
    }
}

/// What the files say of themselves: each names its session, its number and the digest of the one before it.
fn check_continuity(folder: &Path, manifest: &Manifest, report: &mut Report) {
    for device in &manifest.devices {
        // Where the signed manifest itself declares that a disk lost something, a file may name one that never came to be.
        let lost = manifest.gaps.iter().any(|g| g.camera == device.camera && g.cause == GapCause::Disk);
        let mut previous: Option<&Segment> = None;
        for segment in manifest.segments.iter().filter(|s| s.camera == device.camera && !s.file.contains('/')) {
            // A file that was cut off before its head was whole says nothing of itself, and holds no picture.
            let said = head_of(&folder.join(&segment.file)).and_then(|head| Continuity::read(&head));
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

/// Enough of a file to hold what it says of itself.
fn head_of(path: &Path) -> Option<Vec<u8>> {
    let mut head = Vec::new();
    durable::open(path).ok()?.take(64 * 1024).read_to_end(&mut head).ok()?;
    Some(head)
}

/// What the files of an unsealed session say of themselves, by camera: how many follow one another, and where the chain breaks.
fn chain_without_manifest(folder: &Path, report: &mut Report) {
    let mut files: Vec<(Continuity, String)> = Vec::new();
    for name in durable::names(folder).unwrap_or_default().into_iter().filter(|n| n.ends_with(".mp4")) {
        files.extend(head_of(&folder.join(&name)).and_then(|head| Continuity::read(&head)).map(|said| (said, name)));
    }
    files.sort_by(|(a, _), (b, _)| (&a.camera, a.sequence).cmp(&(&b.camera, b.sequence)));
    for pair in files.windows(2).filter(|p| p[0].0.camera == p[1].0.camera) {
        let ((_, before), (said, name)) = (&pair[0], &pair[1]);
        match (digest_file(&folder.join(before)), &said.previous) {
            (Ok((_, digest)), Some(named)) if digest != *named => {
                report.wrong.push(format!("{name}: does not follow {before}: a file between them is missing, or one was altered"));
            }
            (Err(fault), _) => report.unknown.push(fault.to_string()),
            _ => {}
        }
    }
    for pair in files.chunk_by(|a, b| a.0.camera == b.0.camera) {
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

/// Footage in the folder that the manifest does not list.
fn check_unlisted(folder: &Path, manifest: &Manifest, report: &mut Report) {
    let listed: BTreeSet<&str> = manifest.segments.iter().map(|s| s.file.as_str()).collect();
    let names = match durable::names(folder) {
        Ok(names) => names,
        Err(fault) => return report.unknown.push(fault.to_string()),
    };
    for name in names {
        if name.to_ascii_lowercase().ends_with(".mp4") && !listed.contains(name.as_str()) {
            report.wrong.push(format!("{name}: is not in the manifest"));
        }
    }
}
