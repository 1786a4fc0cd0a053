//! `[footage]`: whether what is recorded lies encrypted, who opens it, and where the machine's own key comes from.

use crate::config::Checks;
use crate::footage::envelope::Recipients;
use serde::Deserialize;
use std::path::PathBuf;

/// Encryption of footage as it is written.
#[derive(Debug, PartialEq, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct FootageFile {
    pub(super) encrypt: bool,
    pub(super) recipient: Option<String>,
    pub(super) escrow: Vec<String>,
    pub(super) identity_file: Option<PathBuf>,
}

/// What was checked of it.
pub(super) struct Footage {
    pub(super) recipients: Option<Recipients>,
    pub(super) identity_file: Option<PathBuf>,
    pub(super) told: Told,
}

/// For `shilu check` and `shilu key`.
#[derive(Debug, Clone)]
pub struct Told {
    /// New sessions are encrypted.
    pub encrypts: bool,
    /// The machine's own recipient.
    pub recipient: Option<String>,
    /// All recipients, the machine's first.
    pub recipients: Vec<String>,
}

pub(super) fn check(c: &mut Checks, file: FootageFile, volumes: [Option<&PathBuf>; 2]) -> Footage {
    let all: Vec<String> = file.recipient.iter().chain(&file.escrow).cloned().collect();
    // Each by itself first, so that the one that is none is named.
    let own: Vec<String> = file.recipient.iter().cloned().collect();
    let apart = [c.ok("footage.recipient", Recipients::parse(&own)), c.ok("footage.escrow", Recipients::parse(&file.escrow))];
    let recipients = if apart.iter().all(Option::is_some) { Recipients::parse(&all).ok() } else { None };
    if let Some(path) = &file.identity_file {
        c.that(path.is_absolute(), "footage.identity_file", || "is relative; write a path that begins with /".into());
        let inside = volumes.into_iter().flatten().any(|volume| path.starts_with(volume));
        c.that(!inside, "footage.identity_file", || {
            "lies on a volume of footage: whoever takes the disk would have its key; a token, or what systemd hands over, would be right"
                .into()
        });
    }
    if file.encrypt {
        c.that(file.recipient.is_some(), "footage.recipient", || {
            "is missing; `shilu key footage --to FILE` makes a key and says it".into()
        });
        let apart = file.escrow.iter().any(|e| Some(e) != file.recipient.as_ref());
        c.that(apart, "footage.escrow", || {
            "needs at least one recipient whose key lies elsewhere: with the machine's key alone everything would be lost".into()
        });
    }
    let recipients = recipients.filter(|_| file.encrypt);
    let told = Told { encrypts: file.encrypt, recipient: file.recipient, recipients: all };
    Footage { recipients, identity_file: file.identity_file, told }
}
