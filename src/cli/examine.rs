//! `shilu examine`: digests a file that arrived and looks at what it holds, in a process of its own. The recorder starts it; its work
//! comes on standard input as JSON, and it says on standard output what it finds.

use crate::capture::{self, examine};
use crate::cli::Ended;
use crate::machine::{durable, worker};
use crate::model::digest::Running;
use crate::model::import::Examine;
use std::io::{Read, Write};
use std::process::ExitCode;

/// Memory for looking at it; what a file of lies could ask for ends this process alone.
const MEMORY_BYTES: u64 = 4 << 30;
/// Seconds of a processor for looking at it.
const CPU_S: u64 = 60;
/// Read at a time.
const PIECE_BYTES: usize = 1 << 20;

/// Does it: `done N` (thousandths of the digests), `digests BYTES SHA256 SM3`, then `found JSON` or `refused WHY`.
pub fn run() -> Ended {
    let mut data = Vec::new();
    std::io::stdin().lock().read_to_end(&mut data).map_err(|e| e.to_string())?;
    let work: Examine = serde_json::from_slice(&data).map_err(|e| e.to_string())?;
    let (bytes, sha256, sm3) = digests(&work)?;
    say(&format!("digests {bytes} {sha256} {}", sm3.as_deref().unwrap_or("-")))?;
    worker::limit(MEMORY_BYTES, CPU_S).map_err(|fault| fault.to_string())?;
    capture::init().map_err(|e| e.to_string())?;
    match examine::examine(&work.path) {
        Ok(found) => say(&format!("found {}", serde_json::to_string(&found).map_err(|e| e.to_string())?))?,
        Err(why) => say(&format!("refused {}", why.to_string().replace('\n', " ")))?,
    }
    Ok(ExitCode::SUCCESS)
}

/// Who started it may have ended: then nobody hears it, and it ends too.
fn say(line: &str) -> Result<(), String> {
    let mut out = std::io::stdout();
    writeln!(out, "{line}").and_then(|()| out.flush()).map_err(|e| e.to_string())
}

fn digests(work: &Examine) -> Result<(u64, String, Option<String>), String> {
    let whole = durable::length(&work.path).map_err(|fault| fault.to_string())?;
    let mut file = durable::open(&work.path).map_err(|fault| fault.to_string())?;
    let (mut digest, mut piece, mut bytes) = (Running::new(work.sm3), vec![0; PIECE_BYTES], 0_u64);
    loop {
        let read = file.read(&mut piece).map_err(|e| e.to_string())?;
        if read == 0 {
            break;
        }
        digest.update(&piece[..read]);
        bytes += read as u64;
        if bytes.is_multiple_of(64 << 20) {
            say(&format!("done {}", bytes.saturating_mul(1000).checked_div(whole).unwrap_or(0)))?;
        }
    }
    let (sha256, sm3) = digest.both();
    Ok((bytes, sha256, sm3))
}
