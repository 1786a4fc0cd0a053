//! Words and rules: plain data and pure functions, with no clock, disk, network or async inside.
//!
//! Every noun of the vocabulary has its type here, and every "may they?" and "what is missing?" of the regulation is a
//! function from data to data. Time comes in as an argument; randomness never comes in.
//!
//! Three kinds of "no", never mixed: [`refusal::Refusal`] (a rule, shown to a person, with its article),
//! [`missing::Missing`] (shown and asked for later; stops nothing) and `machine::fault::Fault` (the machine failed).
//!
//! | | |
//! |---|---|
//! | sessions | [`session`] and what happens in it · [`step`] how that changes it · [`mark`] · [`record`] what is typed · [`facts`] · [`plan`] · [`readiness`] · [`prompts`] · [`missing`] what it lacks · [`completeness`] · [`gap`] · [`minute_code`] · [`in_use`] a room without one · `fragment` |
//! | cases | [`case`] · [`case_missing`] · [`text_record`] · [`initiation`] |
//! | looking | [`access`] request, decision, grant · [`deputation`] · [`copy`] · [`provision`] · [`patterns`] of who looked |
//! | keeping | [`retention`] · [`hold`] · [`disposal`], its [`tombstone`] · [`closing`] · [`clock_trust`] · [`medium`] · [`disc_plan`] · [`archive`] |
//! | taking in | [`import`] · [`handover`] · [`check_out`] |
//! | equipment | [`device`] · [`device_fault`] · [`device_tally`] · [`trial`] of a camera |
//! | people | [`people`]: roles, acts, and the table of who may |
//! | proof | [`entry`] of the log · [`manifest`] · [`merkle`] · [`digest`] · [`content_key`] |
//! | house | [`status`] · [`alarm`], [`alarm_book`], [`alarm_message`] · [`agenda`] · [`walkthrough`] · [`figures`] · [`forecast`] · [`backup`] |
//! | words | [`ids`] · [`time`] · [`words`] that people type, in the order of `pinyin` · [`refusal`] |

// sessions
pub mod session;
pub mod step;
pub mod mark;
pub mod record;
pub mod facts;
pub mod plan;
pub mod readiness;
pub mod prompts;
pub mod missing;
pub mod completeness;
pub mod gap;
pub mod minute_code;
pub mod in_use;
#[cfg(feature = "recorder")]
pub mod fragment;

// cases
pub mod case;
pub mod case_missing;
pub mod text_record;
pub mod initiation;

// looking
pub mod access;
pub mod copy;
pub mod provision;
pub mod patterns;
pub mod deputation;

// keeping
pub mod retention;
pub mod hold;
pub mod disposal;
pub mod tombstone;
pub mod closing;
pub mod clock_trust;
pub mod medium;
pub mod disc_plan;
pub mod archive;

// taking in
pub mod import;
pub mod handover;
pub mod check_out;

// equipment
pub mod device;
pub mod device_fault;
pub mod device_tally;
pub mod trial;

// people
pub mod people;

// proof
pub mod entry;
pub mod manifest;
pub mod merkle;
pub mod digest;
pub mod content_key;

// house
pub mod status;
pub mod alarm;
pub mod alarm_book;
pub mod alarm_message;
pub mod agenda;
pub mod walkthrough;
pub mod figures;
pub mod forecast;
pub mod backup;

// words
pub mod ids;
pub mod time;
pub mod words;
pub mod refusal;
#[cfg(feature = "recorder")]
pub mod pinyin;
