//! Sealing (封存): the manifest in RFC 8785 form, signed, beside the footage.

use crate::custody::keys::Signer;
use crate::footage::tree;
use crate::machine::{durable, fault::Fault};
use crate::model::digest;
use crate::model::manifest;
use crate::model::session::{InterimSeal, Seal, Session, Stamp};
use chrono::{DateTime, Utc};
use std::path::Path;

/// Signs an ended session's manifest and makes it durable: signer, then manifest, then signature. A crash between them leaves
/// a session that is ended and not sealed; recovery seals it anew, over the same journal.
pub fn seal(folder: &Path, session: &Session, signer: &Signer, now: DateTime<Utc>) -> Result<Seal, Fault> {
    let fingerprint = signer.public().fingerprint();
    let manifest = manifest::of(session, &fingerprint, now);
    let canonical = serde_json_canonicalizer::to_vec(&manifest).map_err(|e| Fault::of("encode", "a manifest", e))?;
    durable::write_whole(&folder.join(tree::SIGNER), signer.public_pem().as_bytes())?;
    durable::write_whole(&folder.join(tree::MANIFEST), &canonical)?;
    durable::write_whole(&folder.join(tree::SIGNATURE), &signer.sign(&canonical))?;
    Ok(Seal { code: digest::sha256(&canonical), signer: fingerprint, at: now })
}

/// Signs what is known of a session that still runs: `interim-<number>.json` and its signature.
pub fn seal_interim(folder: &Path, session: &Session, number: u32, signer: &Signer, stamp: Stamp) -> Result<InterimSeal, Fault> {
    let manifest = manifest::of(session, &signer.public().fingerprint(), stamp.at);
    let canonical = serde_json_canonicalizer::to_vec(&manifest).map_err(|e| Fault::of("encode", "a manifest", e))?;
    let name = tree::interim_name(number);
    durable::write_whole(&folder.join(tree::SIGNER), signer.public_pem().as_bytes())?;
    durable::write_whole(&folder.join(&name), &canonical)?;
    durable::write_whole(&folder.join(format!("{name}.sig")), &signer.sign(&canonical))?;
    Ok(InterimSeal { number, code: digest::sha256(&canonical), at_ms: stamp.at_ms, at: stamp.at })
}
