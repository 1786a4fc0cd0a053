//! What a disk says of itself (SMART), by the `smartctl` program where it is; a machine without it knows nothing of its disks.

use crate::machine::fault::Fault;
use std::process::{Command, Stdio};

/// Whether a disk (`/dev/sda`) says that it is failing; none: it does not say, or there is no `smartctl`.
pub fn is_failing(device: &str) -> Result<Option<bool>, Fault> {
    let asked = Command::new("smartctl").args(["--health", "--json", "--", device]).stdin(Stdio::null()).stderr(Stdio::null()).output();
    match asked {
        Ok(said) => Ok(verdict(&said.stdout)),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(e) => Err(Fault::of("run", "smartctl", e)),
    }
}

/// Its exit code mixes many things; the document says it plainly.
fn verdict(said: &[u8]) -> Option<bool> {
    let document: serde_json::Value = serde_json::from_slice(said).ok()?;
    document["smart_status"]["passed"].as_bool().map(|passed| !passed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_document_says_whether_a_disk_fails_and_nonsense_says_nothing() {
        for (said, failing) in [
            (r#"{"smart_status":{"passed":true}}"#, Some(false)),
            (r#"{"smart_status":{"passed":false}}"#, Some(true)),
            (r#"{"smartctl":{"exit_status":2}}"#, None),
            ("smartctl 7.3", None),
        ] {
            assert_eq!(verdict(said.as_bytes()), failing, "{said}");
        }
    }
}
