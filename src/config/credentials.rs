//! What systemd hands over: passwords that stand in no file that the configuration names. The service has them, a command by hand may not.

use crate::config::{Parts, Wrong, read, unread};
use crate::machine::{durable, systemd};
use secrecy::SecretString;
use std::path::Path;

/// Reads and checks a file for a recorder that starts: what systemd hands over has to be there.
pub fn load(path: &Path) -> Result<Parts, Wrong> {
    read(path, |text| with_credentials(text, systemd::credentials().as_deref()))
}

/// The same for a command by hand that signs in somewhere: what systemd hands over is taken from the service where that runs.
pub fn load_beside(path: &Path) -> Result<Parts, Wrong> {
    read(path, |text| with_credentials(text, systemd::credentials().or_else(systemd::credentials_of_the_service).as_deref()))
}

/// The same for a command by hand that signs in nowhere: what systemd hands over and cannot be had has a stand-in.
pub fn load_by_hand(path: &Path) -> Result<Parts, Wrong> {
    load_beside(path).or_else(|_| read(path, Ok))
}

/// How a file that systemd hands over is named: `password_file = "credential:room-1-face"` (`LoadCredential=room-1-face:…`).
const CREDENTIAL: &str = "\"credential:";

/// What stands in for a credential that is not here: two lines, as keys of the archive have, and as long as a secret has to be.
const STAND_IN: &str = "handed over by systemd\nwhen the service starts";

/// Whether something is left to systemd to hand over.
pub fn names_credentials(text: &str) -> bool {
    text.lines().filter(|line| !line.trim_start().starts_with('#')).any(|line| line.contains(CREDENTIAL))
}

/// The text with the paths of what systemd handed over.
fn with_credentials(text: String, folder: Option<&Path>) -> Result<String, String> {
    match folder {
        Some(folder) => Ok(text.replace(CREDENTIAL, &format!("\"{}/", folder.display()))),
        None if names_credentials(&text) => {
            Err("credential: names a file that systemd hands over, and systemd started nothing here; write a path".into())
        }
        None => Ok(text),
    }
}

/// Whether a path is a credential's name that nothing stands for.
pub(super) fn is_credential(file: &Path) -> bool {
    file.to_str().is_some_and(|name| name.starts_with("credential:"))
}

/// A password from its file.
pub(super) fn read_password(file: &Path) -> Result<SecretString, String> {
    if is_credential(file) {
        return Ok(STAND_IN.to_owned().into());
    }
    let bytes = durable::read_whole(file, 4096).map_err(|fault| unread(&fault))?;
    let text = String::from_utf8(bytes).map_err(|_| "the file that it names is not UTF-8 text")?;
    Ok(text.trim_end_matches(['\r', '\n']).to_owned().into())
}
