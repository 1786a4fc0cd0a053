//! `shilu make-copy`: makes a viewing copy or a still, or measures loudness, in a process of its own. The recorder starts it; its work comes on standard
//! input as JSON, and it says on standard output how far it is.

use crate::capture::{self, copies};
use crate::cli::Ended;
use crate::machine::worker;
use crate::model::copy::Work;
use std::io::{Read, Write};
use std::process::ExitCode;

/// Memory for what was taken in.
const MEMORY_BYTES: u64 = 6 << 30;
/// Seconds of a processor for it: a week.
const CPU_S: u64 = 7 * 86_400;

/// Does it.
pub fn run() -> Ended {
    worker::end_with_parent().map_err(|e| e.to_string())?;
    let mut data = Vec::new();
    std::io::stdin().lock().read_to_end(&mut data).map_err(|e| e.to_string())?;
    let work: Work = serde_json::from_slice(&data).map_err(|e| e.to_string())?;
    // What was taken in is bytes from outside.
    let from_outside = match &work {
        Work::Copy { tracks, .. } => tracks.iter().flat_map(|t| &t.pieces).any(|p| p.taken_in),
        Work::Still { track, .. } | Work::Loudness { track, .. } => track.pieces.iter().any(|p| p.taken_in),
    };
    if from_outside {
        worker::limit(MEMORY_BYTES, CPU_S).map_err(|fault| fault.to_string())?;
    }
    // Who started it may have ended: then nobody hears it, and it ends too.
    let told = |share: u32| writeln!(std::io::stdout(), "done {share}").is_ok();
    let made = capture::init().and_then(|()| copies::make(&work, &told));
    match made {
        Ok(()) => Ok(ExitCode::SUCCESS),
        Err(why) => {
            let _ = writeln!(std::io::stdout(), "failed {}", why.to_string().replace('\n', " "));
            Err(why.to_string())
        }
    }
}
