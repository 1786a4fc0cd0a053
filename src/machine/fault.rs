//! `Fault`: the machine failed. Names the act and the object, keeps its source, becomes a recorded event.

use std::path::Path;

/// What failed, on what, and why.
#[derive(Debug, thiserror::Error)]
#[error("cannot {act} {object}: {source}")]
pub struct Fault {
    /// `write`, `read`, `open`, …
    pub act: &'static str,
    /// The file, table or device; never a secret.
    pub object: String,
    /// Why.
    #[source]
    pub source: Box<dyn std::error::Error + Send + Sync>,
}

impl Fault {
    /// A fault of a file.
    pub fn file(act: &'static str, path: &Path, source: std::io::Error) -> Self {
        Self { act, object: path.display().to_string(), source: source.into() }
    }

    /// A fault of anything else.
    pub fn of(act: &'static str, object: impl Into<String>, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self { act, object: object.into(), source: source.into() }
    }

    /// Whether the thing is not there (`ENOENT`).
    pub fn is_absent(&self) -> bool {
        self.source.downcast_ref::<std::io::Error>().is_some_and(|e| e.kind() == std::io::ErrorKind::NotFound)
    }

    /// Whether the volume is full (`ENOSPC`, `EDQUOT`): room may come back.
    pub fn is_full(&self) -> bool {
        self.source
            .downcast_ref::<std::io::Error>()
            .is_some_and(|e| matches!(e.kind(), std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded))
    }
}
