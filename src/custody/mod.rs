//! What proves: keys, seals, the custody log, and the check that an outsider runs.
//!
//! ```text
//! seal ─ keys            the manifest, signed           timestamp   time from outside over it (RFC 3161)
//! log ─ logfile ─ tiles  entries, durable in groups; the files; their layout (C2SP tlog-tiles), and proofs
//! note                   signed heads, cosigners' lines, keys and proofs as text (C2SP)
//! package ─ instructions a hand-over: a BagIt bag as a tar, and what stands in it for its reader
//! verify ─ bag ─ audit   checking a session, a package, a log; files: wherever they lie; tell: for the terminal
//! ```
//!
//! The formats stand in `FORMAT.md` beside this file, for whoever writes another checker; `tests/outsider.py` is one.
//!
//! `custody` works without the catalog. [`verify`] and what it uses need files alone; `shilu-verify` is built from them
//! without GStreamer and without a database.

pub mod audit;
pub mod bag;
pub mod files;
#[cfg(feature = "recorder")]
pub mod instructions;
pub mod keys;
#[cfg(feature = "recorder")]
pub mod log;
#[cfg(feature = "recorder")]
pub mod logfile;
pub mod note;
#[cfg(feature = "recorder")]
pub mod package;
#[cfg(feature = "recorder")]
pub mod seal;
pub mod tell;
pub mod tiles;
pub mod timestamp;
pub mod verify;
