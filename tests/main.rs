//! Every test of the product that drives it from outside, one module a subject, in one program: it is linked once.
//!
//! `cargo nextest run --test suite access::` runs one subject.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout, clippy::print_stderr, missing_docs)] // tests may fail loudly

#[path = "support/onvif.rs"]
mod onvif;
mod support;
#[path = "support/volume.rs"]
mod volume;

mod access;
mod alarms;
mod architecture;
mod archive;
mod archive_end;
mod at_rest;
mod attacks;
mod backup;
mod capture;
mod cases;
mod console;
mod copies;
mod custody;
mod decade;
mod dependencies;
mod desk;
mod devices;
mod disk;
mod faults;
mod fuzz;
mod guides;
mod handover;
mod home;
mod hostile;
mod imports;
mod long_day;
mod look;
mod media;
mod neighbours;
mod openapi;
mod operations;
mod oversight;
mod package;
mod people;
mod player;
mod preservation;
mod provision;
mod room;
mod sessions;
mod soak;
mod tampering;
mod unreachable;
mod upgrade;
mod volumes;
mod week;
mod pauses;
mod catalog_away;
