//! What proves: keys, seals, the custody log, and the check that an outsider runs.
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
