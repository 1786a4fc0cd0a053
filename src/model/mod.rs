//! Words and rules: plain data and pure functions, with no clock, disk, network or async inside.
//!
//! Every noun of the vocabulary has its type here, and every "may they?" and "what is missing?" of the regulation is a
//! function from data to data. Time comes in as an argument; randomness never comes in.
//!
//! Three kinds of "no", never mixed: [`refusal::Refusal`] (a rule, shown to a person, with its article),
//! [`missing::Missing`] (shown and asked for later; stops nothing) and `machine::fault::Fault` (the machine failed).

pub mod access;
pub mod agenda;
pub mod alarm;
pub mod alarm_book;
pub mod alarm_message;
pub mod backup;
pub mod archive;
pub mod case;
pub mod case_missing;
pub mod check_out;
pub mod clock_trust;
pub mod closing;
pub mod completeness;
pub mod copy;
pub mod device;
pub mod device_fault;
pub mod device_tally;
pub mod digest;
pub mod disposal;
pub mod disc_plan;
pub mod entry;
pub mod facts;
#[cfg(feature = "recorder")]
pub mod fragment;
pub mod forecast;
pub mod figures;
pub mod gap;
pub mod hold;
pub mod handover;
pub mod ids;
pub mod import;
pub mod in_use;
pub mod initiation;
pub mod manifest;
pub mod mark;
pub mod medium;
pub mod merkle;
pub mod minute_code;
pub mod missing;
pub mod patterns;
pub mod people;
pub mod plan;
pub mod prompts;
pub mod provision;
pub mod readiness;
pub mod record;
pub mod refusal;
pub mod retention;
pub mod session;
pub mod status;
pub mod step;
pub mod text_record;
pub mod time;
pub mod trial;
pub mod walkthrough;
pub mod words;
pub mod content_key;
#[cfg(feature = "recorder")]
pub mod pinyin;
