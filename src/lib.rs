//! Shilu (实录): the veritable record of a questioning room. This page is the map; read it first.
//!
//! One process beside the room pulls RTSP from its cameras, writes what they send to disk unaltered, binds each session to a
//! case and an interview record, seals it so that an outsider can prove it later, and lets people look only when the person in
//! charge has approved. The regulation's articles (第…条) are cited where a rule comes from them.
//!
//! ```text
//!             cli ─ config          arguments and settings
//!              │
//!             web                   requests → desk calls → pages; knows no rule and no table
//!              │
//!            desks                  what people do: may they, is it right, log, do
//!              │
//!           recorder                one loop a room; nothing else changes a running session
//!         ┌────┴────┐
//!       acts      capture           log and rows, in order │ cameras → fragments, the only GStreamer
//!      ┌──┴───┐     │
//!   custody catalog │               what proves │ the index (SQLite), rebuildable
//!      │      │     │
//!   footage   │     │               bytes at rest: tree, segments, journal
//!      └──────┴──┬──┘
//!             machine               whatever can fail under us
//!              │
//!             model                 words and rules: no I/O, no clock, no async
//! ```
//!
//! An arrow points down, always; `tests/architecture.rs` holds the table and fails on an arrow that it does not grant.
//!
//! # The walks
//!
//! **Button to seal.** `web::pages::rooms::start` (API: `web::api::sessions::start`) → `desks::conduct` `start` → `recorder::Recorder::begin`
//! → the room's loop, `recorder::room_loop`: it makes the session ([`model::step::begin`]), opens the valves first, then writes the
//! journal's first line ([`footage::journal`]), then queues log entry and row. From then on each fragment (a fifth of a second) comes out of
//! `capture::hub` into the closure that `recorder::room::Room::start` ties to the camera's `recorder::cutter`. That decides in memory where a
//! file ends, encrypts it where that is wanted ([`footage::cenc`]), and digests it ([`footage::segment::Filling`]); `recorder::lane` writes
//! it, on the thread of its `recorder::volume` (the mirror has one of its own), which syncs what grew every 0.8 s; the gauge that it moves
//! feeds the lamp.
//!
//! `desks::conduct` `end` asks the loop for the end: the valves close once the last moment's fragment is out. When the volumes have said
//! that they are done, the loop (its `seal`) brings over what one volume lost and takes up whatever lies in the folder (`recorder::mirror`),
//! finds the gaps ([`model::gap::find`]) and signs the manifest ([`model::manifest`], `custody::seal`). The seal code goes back to the officer.
//! What is said of a session later (another link, a hold, a handover) is `recorder::after_end`: a line behind the same journal.
//!
//! **A mark.** `assets/running.js` → `web::api::sessions::mark` (without script `web::pages::running::mark`) → `desks::conduct` `mark`, which
//! asks whether this person may → `recorder::room::Room` → the loop, `recorder::room_loop` → [`model::step::step`] → [`footage::journal`],
//! durable before the answer → queued, waited for by nobody: `custody::log`, `catalog::sessions`.
//!
//! **Request to picture.** `desks::access` files the request; [`model::access::decide`] lets the leader in charge decide, never the
//! requester. `desks::viewing` asks [`model::access::Grant::live`] for the proof at every door, makes the log entry durable
//! (`acts::Acts::log_then_do`), and only then opens a file; each piece of it is sent only while the grant lives (`desks::streams`). A refusal
//! is logged by its word (`desks::refusals`, [`model::refusal::Refusal::word`]).
//! Footage that lies encrypted is opened by keys that `desks::unsealing` releases, and read in the clear by `footage::clear`.
//! Copies and stills with the viewer's name in them are made by `capture::copies` in a process of its own (`machine::worker`), and so is
//! loudness measured (`desks::loudness`), so that nothing of it can slow or end a recording. A seek gets a file from its last key picture
//! on (`footage::entrance`). `desks::provision` hands material to courts; `desks::oversight` shows who looked.
//!
//! **A typed answer to the signed page.** `web::pages::record` → `desks::records` checks what was typed → the room's loop takes it as a
//! happening like any other ([`model::record::InterviewRecord::after`]), so the line is in the journal before it is on the screen
//! (`desks::screens`). The mark *reading back* or *signing* makes the loop seal what is known so far (`custody::seal::seal_interim`);
//! the code is printed on the page that the party signs, and the final manifest holds both.
//!
//! **A demand to the archive.** [`model::missing`] computes what a session lacks by which article, [`model::case_missing`] the same of a
//! case; each is met by its datum or by an answer, and `desks::cases` archives a file only when nothing is open.
//!
//! **A seal to a court.** The room's loop queues *session sealed*; `custody::log` writes it with whatever else came, syncs once, and signs
//! a head each second ([`custody::tiles`] is the layout, [`model::merkle`] the tree). `desks::outside` takes heads to cosigners, and
//! digests to the timestamp authority. `desks::packages` makes a hand-over of it under a grant for copies: `custody::package` lays out
//! a bag as a tar that is made while it is sent. [`custody::bag`], [`custody::verify`] and [`custody::audit`] check what came out, and
//! `src/custody/FORMAT.md` says how anyone else can. `recorder::scrub` reads every file again and brings back what fell over. `desks::media` and
//! `desks::discs` put held sessions onto discs in the cabinet, each read back before it counts ([`model::medium`], [`model::disc_plan`]).
//!
//! **A body-worn recorder's card to the custodian.** `desks::imports` takes a file in pieces (`desks::arrivals` keeps them, and takes from
//! watched folders and `shilu import`); a process of its own digests and looks at it (`capture::examine`); `recorder::imports` makes a
//! sealed session of it ([`model::import`]), whatever moment a crash comes at. `desks::handover` brings it, and the day's room sessions,
//! from the officer to the custodian, who reads every file again ([`model::handover`]).
//!
//! **A broken camera to its retest.** `desks::equipment` holds the register (a file a device), `desks::device_faults` takes a report: in
//! memory first, so that `desks::conduct` leaves the camera out of the next session, or refuses one that would have none ([`model::device`],
//! [`model::device_fault`]). `desks::device_watch` sees what people do not. `desks::cameras` tries a camera before it is saved
//! (`capture::trial`, `capture::onvif`); `recorder::Recorder::change_room` makes its room anew while the others record.
//!
//! **What waits to the person it waits for.** `desks::agenda` counts and dates what the other desks list for somebody; [`model::agenda`] says
//! what of it is theirs and how pressing it is. The first page and the navigation's counts are made of the same. `desks::figures` counts a
//! period by the supervision report's rule ([`model::figures`]), and `web::charts` draws it.
//!
//! **Something that is wrong to somebody who knows.** `desks::alarm_watch` gathers what others have seen; [`model::alarm_book`] says what of it
//! begins, ends, or merely flickers; `desks::alarms` writes it down and takes the word of who acknowledges it. `desks::alarm_delivery` tells it,
//! each channel by itself: [`model::alarm_message`] says how much at once, and what stands in it.
//!
//! **A seal to the bucket, and back.** Whatever writes a session's row puts it in the queue ([`model::archive`], `catalog::archive`).
//! `desks::archiving`, a thread, puts each file under a lock, reads object and lock back (`footage::archive`, the only S3), and last an
//! index that names all of them: from the indexes alone `shilu archive restore` makes a store anew, and `desks::overview` sees many
//! sites. Where footage was released here, `desks::archive` gives it from the bucket, under the same grants.
//!
//! **Power cut to resumed session.** `recorder::recovery::open_sessions` finds folders whose journal has no seal, takes up the files
//! that were open as they lie (`footage::segment::recover`: digested whole, cut only in words), and gives the session back to its
//! room, which writes [`model::session::Happening::Restarted`] and opens the valves again. The time between is a gap with its cause.
//! A catalog that is gone comes from its newest good backup (`desks::backups`), with the files read over it (`desks::rebuild`).
//!
//! **A period that is over.** [`model::retention::of`] says of every session as what it is kept, until when, and why; [`model::hold::of`] what
//! holds it, whether people proposed that or it came by itself with a lawsuit; `catalog::retention` lists both. `desks::disposal` lets a
//! custodian propose and another person agree, looks at each session once more ([`model::disposal::Disposal::order`]: no order, no
//! removal), and has [`footage::disposal`] put what stays in its place before the files go from every volume. What was agreed to is carried out by a task
//! of `cli::serve` (its `look_after`), at once and again each minute: a volume that was away may be back. By a clock that is in doubt
//! ([`model::clock_trust`]) nothing goes. Copies on discs no program removes: `desks::closing` keeps the disposal open until each is
//! destroyed by hand or stays for a reason ([`model::closing`]).
//!
//! # What is deliberately absent
//!
//! 1. [`model`] has no I/O, clock or async.
//! 2. A page reaches a recorded picture only through `desks::viewing`; no role can (see [`model::people::may`]).
//! 3. Only `acts` opens a writing transaction.
//! 4. Only `recorder` changes a running session.
//! 5. Nothing rewrites a closed file; nothing but `desks::disposal` has footage given up, and nothing but its release takes it from here,
//!    once the archive holds it verified and locked; `recorder::scrub` alone puts a file's own bytes back, from a copy that has the
//!    sealed digest, and keeps the damaged one aside.
//! 6. [`custody::verify`] needs files alone: `shilu-verify` is built without GStreamer and without a database.
//! 7. `web`, `catalog` and the log may all fail, and fragments still reach the disk.

#[cfg(feature = "recorder")]
pub mod cli;
#[cfg(feature = "recorder")]
pub mod config;
#[cfg(feature = "recorder")]
pub mod web;
#[cfg(feature = "recorder")]
pub mod desks;
#[cfg(feature = "recorder")]
pub mod recorder;
#[cfg(feature = "recorder")]
pub mod acts;
#[cfg(feature = "recorder")]
pub mod capture;
pub mod custody;
#[cfg(feature = "recorder")]
pub mod catalog;
pub mod footage;
pub mod machine;
pub mod model;
