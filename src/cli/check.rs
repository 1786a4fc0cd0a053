//! `shilu check`: what is wrong with the configuration, and what this machine lacks, all at once, each with its cure.

use crate::capture;
use crate::cli::Ended;
use crate::config::{self, Parts};
use crate::custody::keys::Signer;
use crate::machine::clock::{Clock, SystemClock};
use crate::machine::{disc, durable, volume};
use std::path::Path;
use std::process::ExitCode;

/// Checks; 0 when nothing stands in the way of recording.
#[allow(clippy::print_stdout)]
pub fn run(config: &Path) -> Ended {
    let parts = match config::load(config) {
        Ok(parts) => parts,
        Err(wrong) => {
            println!("{wrong}");
            return Ok(ExitCode::FAILURE);
        }
    };
    println!("ok        {}", config.display());
    let mut wrong = machine();
    wrong.extend(store(&parts));
    for w in &wrong {
        println!("WRONG     {w}");
    }
    for w in warnings(&parts) {
        println!("warning   {w}");
    }
    Ok(if wrong.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn machine() -> Vec<String> {
    match capture::init() {
        Err(e @ capture::CaptureError::GStreamer(_)) => vec![e.to_string()],
        _ => capture::missing_elements()
            .into_iter()
            .map(|(element, package)| format!("GStreamer lacks {element}: apt-get install {package}"))
            .collect(),
    }
}

fn store(parts: &Parts) -> Vec<String> {
    let mut wrong = Vec::new();
    if let Err(fault) = durable::make_folder(&parts.data) {
        wrong.push(format!("{fault}: make it, and give it to the user that runs shilu"));
        return wrong;
    }
    let trial = parts.data.join("trial");
    if let Err(fault) = durable::write_whole(&trial, b"trial").and_then(|()| durable::remove_marker(&trial)) {
        wrong.push(format!("{fault}: the user that runs shilu has to be able to write there"));
    }
    if let Err(fault) = Signer::open_or_make(&parts.data.join("keys"), "signing", parts.custody.algorithm) {
        wrong.push(format!("the signing key is not usable: {fault}"));
    }
    wrong
}

fn warnings(parts: &Parts) -> Vec<String> {
    let mut warnings = Vec::new();
    match volume::room(&parts.data) {
        Ok(room) if room.free < parts.reserve_bytes => {
            warnings.push(format!(
                "{} GB are free under {}; {} GB should be (storage.reserve_gb)",
                room.free / 1_000_000_000,
                parts.data.display(),
                parts.reserve_bytes / 1_000_000_000
            ));
        }
        Ok(_) => {}
        Err(fault) => warnings.push(fault.to_string()),
    }
    let missing = disc::missing_programs();
    if !missing.is_empty() {
        warnings.push(format!("no media can be made without {}: apt-get install xorriso par2 openssl", missing.join(", ")));
    }
    if !SystemClock.state().synchronised {
        warnings.push("nothing disciplines the clock: apt-get install chrony, and point it at the bureau's time server".into());
    }
    warnings
}
