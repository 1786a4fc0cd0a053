//! Bytes at rest: the tree that a person can read (第十七条), segments made of whole fragments, and the journal beside them.
//!
//! ```text
//! footage/<unit>/<room>/<date>/<case or unlinked>/<session>/
//!     journal.jsonl            what happened, a line each, durable before anyone is told
//!     session.json             the manifest, signed: session.json.sig, signer.pem
//!     <camera>-<utc>.mp4       segments, about a minute each; of what was taken in, the file as it arrived, under its own ending
//!     key-<kid>.age            a key of encrypted segments, encrypted to its recipients
//!     documents/<sha256>.<ext> scans and photographs
//! ```
//!
//! Nothing here rewrites a closed file, and only [`disposal`] removes one, under an order that two people made. The journal is the truth of a session; the catalog is an index of it (promise 7).
//!
//! Footage may lie encrypted: [`cenc`] encrypts it on its way to the disk, [`keyring`] keeps its keys, [`clear`] reads it. Boxes stay as they are,
//! so that everything else here works on either, and digests are those of what lies there.
//!
//! The expert's tool needs [`continuity`] and [`tree`] alone, and is built with them alone.

#[cfg(feature = "recorder")]
pub mod archive;
pub mod continuity;
#[cfg(feature = "recorder")]
pub mod copy;
#[cfg(feature = "recorder")]
pub mod disposal;
#[cfg(feature = "recorder")]
pub mod entrance;
#[cfg(feature = "recorder")]
pub mod envelope;
#[cfg(feature = "recorder")]
pub mod fragment;
#[cfg(feature = "recorder")]
pub mod import;
#[cfg(feature = "recorder")]
pub mod journal;
#[cfg(feature = "recorder")]
pub mod cenc;
#[cfg(feature = "recorder")]
pub mod clear;
#[cfg(feature = "recorder")]
pub mod keyring;
#[cfg(feature = "recorder")]
pub mod wrapped;
#[cfg(feature = "recorder")]
pub mod segment;
pub mod tree;
