//! One target under libFuzzer: the one that `SHILU_FUZZ` names.
#![no_main]

mod targets;

use std::sync::OnceLock;
use targets::{SLOW, TARGETS, Target};

/// Panics of others that are known and caught where they come up: what lies behind them is looked for as well.
const KNOWN: &[&str] = &[
    // A line behind a media section that is neither its own nor the next one's (0.1.8).
    "sdp-types-0.1.8/src/parser.rs:374",
    // A packet after one that was wrong (0.4.21).
    "retina-0.4.21/src/codec/h264.rs:387",
    // A GStreamer element that panics tells its pipeline, which ends (0.14.5).
    "gst-plugin-fmp4-0.14.5/src/fmp4mux/imp.rs:2000",
];

fn target() -> &'static Target {
    static TARGET: OnceLock<&Target> = OnceLock::new();
    TARGET.get_or_init(|| {
        std::panic::set_hook(Box::new(|told| {
            let at = told.location().map(|l| format!("{}:{}", l.file(), l.line())).unwrap_or_default();
            if !KNOWN.iter().any(|known| at.ends_with(known)) {
                eprintln!("{told}");
                std::process::abort();
            }
        }));
        let name = std::env::var("SHILU_FUZZ").unwrap_or_default();
        TARGETS.iter().chain(SLOW).find(|(known, _)| *known == name).unwrap_or_else(|| panic!("SHILU_FUZZ={name:?} is no target"))
    })
}

libfuzzer_sys::fuzz_target!(|data: &[u8]| (target().1)(data));
