//! One target under libFuzzer: the one that `SHILU_FUZZ` names.
#![no_main]

mod targets;

use std::sync::OnceLock;
use targets::{SLOW, TARGETS, Target};

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    static TARGET: OnceLock<&Target> = OnceLock::new();
    let target = TARGET.get_or_init(|| {
        let name = std::env::var("SHILU_FUZZ").unwrap_or_default();
        TARGETS.iter().chain(SLOW).find(|(known, _)| *known == name).unwrap_or_else(|| panic!("SHILU_FUZZ={name:?} is no target"))
    });
    (target.1)(data);
});
