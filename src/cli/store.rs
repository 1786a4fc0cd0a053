//! The store that a command by hand writes into. As root it would leave files there that the recorder cannot read, the signing key among
//! them, and the recorder would not start: so root is sent away from a store that is somebody else's, before anything is written.

use crate::config::{self, Parts};
use crate::machine::host;
use std::path::Path;

/// The parts of a configuration, for a command that signs in nowhere.
pub fn parts(config: &Path) -> Result<Parts, String> {
    let parts = config::load_by_hand(config).map_err(|wrong| wrong.to_string())?;
    is_ours(&parts.data).map(|()| parts)
}

/// The same for a command that signs in somewhere.
pub fn parts_beside(config: &Path) -> Result<Parts, String> {
    let parts = config::load_beside(config).map_err(|wrong| wrong.to_string())?;
    is_ours(&parts.data).map(|()| parts)
}

/// Whether what this process writes below a folder is its owner's; if not, the command that would do it.
pub fn is_ours(folder: &Path) -> Result<(), String> {
    let Some((owner, group)) = host::owner(folder).filter(|(owner, _)| host::is_root() && *owner != 0) else { return Ok(()) };
    let name = host::name_of(owner);
    let by = match &name {
        Some(name) => format!("runuser -u {name} --"),
        None => format!("setpriv --reuid={owner} --regid={group} --clear-groups"),
    };
    let words: Vec<String> = std::env::args().map(|word| quoted(&word)).collect();
    Err(format!(
        "{} belongs to {}, and what root writes there the recorder cannot read. Nothing was done. Run it as that user:\n  {by} {}",
        folder.display(),
        name.unwrap_or_else(|| format!("user {owner}")),
        words.join(" ")
    ))
}

/// A word as a shell takes it. What is a secret is not repeated.
fn quoted(word: &str) -> String {
    if word.to_ascii_uppercase().contains("AGE-SECRET-KEY-") {
        return "…".into();
    }
    let is_plain = !word.is_empty() && word.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_./:=,+@".contains(&b));
    if is_plain { word.into() } else { format!("'{}'", word.replace('\'', "'\\''")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_repeated_as_a_shell_takes_it_and_without_a_secret() {
        for (word, is) in [
            ("--config", "--config"),
            ("/srv/a b", "'/srv/a b'"),
            ("卫东升", "'卫东升'"),
            ("it's", "'it'\\''s'"),
            ("", "''"),
            ("AGE-SECRET-KEY-1QQQ", "…"),
        ] {
            assert_eq!(quoted(word), is);
        }
    }
}
