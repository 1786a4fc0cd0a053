//! Taking in (第十四条): a file that arrived becomes a session of its own, sealed like any other. Everything that is done is written down
//! before it is begun (`storing.json`), so that a crash at any moment is gone on from by the same function.

use crate::catalog::entries;
use crate::custody::seal;
use crate::footage::journal::{self, Journal};
use crate::footage::{import, tree};
use crate::machine::{durable, fault::Fault};
use crate::model::entry::{Draft, EntryKind};
use crate::model::ids::{CameraId, RoomId, SessionId};
use crate::model::import::{self as rule, Arrival, DeviceClock, Examined, ImportWay, Imported};
use crate::model::session::{Device, Happening, Seal, Segment, Session, Stamp, Start, State};
use crate::model::{step, time};
use crate::recorder::{Shared, mirror};
use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::time::Duration;

/// Entries of a session that was just taken in.
const ENTRIES_MAX: u32 = 50;

/// What a file that arrived is to become.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Storing {
    /// Its folder below the footage root.
    pub folder: PathBuf,
    /// The session's first line.
    pub start: Start,
    /// The file.
    pub segment: Segment,
    /// When it was recorded.
    pub used_at: DateTime<Utc>,
}

/// Digests of what arrived.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Digests {
    /// How many bytes.
    pub bytes: u64,
    /// Hex.
    pub sha256: String,
    /// Hex.
    pub sm3: Option<String>,
}

/// What it is to become. `device`: what the register calls the device, and the zone in which its clock runs.
pub fn plan(
    shared: &Shared,
    arrival: &Arrival,
    found: &Examined,
    digests: &Digests,
    device: Option<(&str, Option<DeviceClock>)>,
) -> Result<Storing, Fault> {
    let form = &arrival.form;
    // Who hands it in knows it better than the register.
    let clock = form.device_clock.as_deref().and_then(DeviceClock::parse).or(device.and_then(|(_, clock)| clock));
    let device_time = found.device_time_by(clock);
    let shown = found.device_shown.filter(|_| clock.is_some());
    let ids = rule::device_ids(form.device_no.as_deref());
    let (room, camera) = ids.ok_or_else(|| Fault::of("name", "a device", "its number makes no name"))?;
    let now = shared.clock.now().utc;
    let (used_at, used_from) = rule::placed(form.used_at, device_time, arrival.file_time, found.duration_ms, now);
    let imported = Imported {
        file_name: arrival.file_name.clone(),
        media_type: found.media_type.clone(),
        footage: found.footage,
        sha256: digests.sha256.clone(),
        way: arrival.way,
        handed_in_by: arrival.by.clone(),
        taken_in_at: now,
        device_time,
        device_clock: clock.filter(|_| shown.is_some()).map(|c| c.to_string()),
        device_shown: shown,
        file_time: arrival.file_time,
        used_from,
        used_reason: form.used_reason.clone().filter(|_| used_from == rule::UsedFrom::Corrected),
    };
    let name = device.map(|(name, _)| name.to_owned()).or_else(|| form.device_no.clone()).unwrap_or_else(|| arrival.file_name.clone());
    let device = Device { camera: camera.clone(), device_no: form.device_no.clone().unwrap_or_default(), name, address: None };
    let start = Start {
        id: fresh_id(shared, &room, used_at)?,
        room,
        unit: arrival.unit.clone(),
        kind: form.kind,
        by: arrival.by.clone(),
        facts: form.facts.clone(),
        devices: vec![device],
        plan: None,
        readiness: None,
        screen_key: String::new(),
        rules: shared.rules.clone(),
        imported: Some(imported),
    };
    let whole = tree::session_folder(&shared.footage, &start, used_at);
    let segment = segment(camera, found, digests, used_at);
    Ok(Storing { folder: shared.below(&whole).to_owned(), start, segment, used_at })
}

fn segment(camera: CameraId, found: &Examined, digests: &Digests, used_at: DateTime<Utc>) -> Segment {
    Segment {
        file: tree::imported_name(&camera, &found.ending, used_at),
        camera,
        sequence: 1,
        started_at: used_at,
        offset_ms: 0,
        duration_ms: found.duration_ms,
        bytes: digests.bytes,
        fragments: 0,
        sha256: digests.sha256.clone(),
        codecs: found.codecs.clone(),
        resolution: found.resolution.clone(),
        camera_clock_offset_ms: None,
        recovered: false,
        whole_bytes: None,
        from_mirror: None,
        sm3: digests.sm3.clone(),
        signed_video: None,
    }
}

/// Two files of one second (photographs) have two numbers.
fn fresh_id(shared: &Shared, room: &RoomId, at: DateTime<Utc>) -> Result<SessionId, Fault> {
    let base = format!("{room}-{}", time::shanghai_stamp(at));
    let mut candidates = std::iter::once(base.clone()).chain((2..10_000).map(|n| format!("{base}-{n}")));
    let free = candidates.find_map(|c| SessionId::new(&c).ok().filter(|id| !tree::is_taken(&shared.footage, room, at, id)));
    free.ok_or_else(|| Fault::of("number", base, "every number is taken"))
}

/// Makes it so. Whatever of it is already done (a crash, a power cut) is not done again.
pub fn store(shared: &Shared, storing: &Storing, from: &Path) -> Result<Session, Fault> {
    let folder = shared.footage.join(&storing.folder);
    durable::make_folder(&folder)?;
    let length = storing.segment.duration_ms;
    let began = Stamp { at: storing.used_at, at_ms: 0 };
    let mut session = if let Some(session) = journal::session(&folder).ok().flatten() {
        session
    } else {
        Journal::open(&folder)?.write(began, &Happening::Started(Box::new(storing.start.clone())))?;
        step::begin(&storing.start, began).0
    };
    let mut journal = Journal::open(&folder)?;
    let mut go = |session: &mut Session, at: DateTime<Utc>, happening: Happening| -> Result<(), Fault> {
        let stamp = Stamp { at, at_ms: length };
        let (next, _) =
            step::step(session, &happening, stamp).map_err(|no| Fault::of("take in", session.id.to_string(), no.to_string()))?;
        journal.write(stamp, &happening)?;
        *session = next;
        Ok(())
    };
    if session.segments.is_empty() {
        import::place(from, &folder.join(&storing.segment.file), &storing.segment.sha256)?;
        go(&mut session, shared.clock.now().utc, Happening::SegmentClosed(storing.segment.clone()))?;
    }
    if session.state == State::Recording {
        let ended = storing.used_at + TimeDelta::milliseconds(length as i64);
        go(&mut session, ended, Happening::Ended { by: Some(storing.start.by.clone()), mistake: None })?;
        shared.index(&session, &folder, Some(entry(&session)));
    }
    if session.state == State::Ended {
        let now = shared.clock.now().utc;
        let sealed = seal::seal(&folder, &session, &shared.signer, now)?;
        let entry = sealed_entry(&sealed);
        go(&mut session, now, Happening::Sealed(sealed))?;
        shared.index(&session, &folder, Some(entry));
    } else {
        // Sealed before a crash: the row may be missing, and the log's entries with it.
        let sealed = session.seal.as_ref().map(sealed_entry);
        for entry in [Some(entry(&session)), sealed].into_iter().flatten().filter(|e| !is_logged(shared, &session, e.kind)) {
            shared.index(&session, &folder, Some(entry));
        }
        shared.index(&session, &folder, None);
    }
    to_mirror(shared, storing, &folder);
    for volume in 0..shared.volumes.len() {
        shared.scrub.closed(volume, &storing.folder, &storing.segment);
    }
    Ok(session)
}

/// Whether the log has an entry of this kind about a session; asked behind what is still being indexed.
fn is_logged(shared: &Shared, session: &Session, kind: EntryKind) -> bool {
    let (tell, told) = mpsc::channel();
    shared.acts.index_only(move |_| {
        let _ = tell.send(());
        Ok(())
    });
    let _ = told.recv_timeout(Duration::from_secs(30));
    let found = shared.acts.catalog().read(|c| entries::page(c, None, Some(session.id.as_str()), ENTRIES_MAX));
    found.is_ok_and(|rows| rows.iter().any(|r| r.entry.kind == kind))
}

fn sealed_entry(seal: &Seal) -> Draft {
    Draft::new(EntryKind::SessionSealed).about("seal_code", &seal.code).about("signer", &seal.signer)
}

fn entry(session: &Session) -> Draft {
    let draft = Draft::new(EntryKind::RecordingTakenIn).about("unit", &session.unit).about("devices", session.device_numbers().join(","));
    let Some(i) = &session.imported else { return draft };
    let draft = draft
        .about("sha256", &i.sha256)
        .about("way", i.way.as_str())
        .about("footage", i.footage.as_str())
        .text("file_name", Some(&i.file_name));
    if i.way == ImportWay::Folder { draft } else { draft.by(&i.handed_in_by) }
}

/// A mirror that is away gets it from the scrub, which finds it missing there.
fn to_mirror(shared: &Shared, storing: &Storing, folder: &Path) {
    let Some(mirror) = shared.mirror() else { return };
    let there = mirror.place().root().join(&storing.folder);
    let file = &storing.segment.file;
    let copied = mirror.place().check().and_then(|()| durable::make_folder(&there)).and_then(|()| {
        if durable::exists(&there.join(file)) {
            return Ok(());
        }
        import::copy(&folder.join(file), &there.join(file), Some(&storing.segment.sha256)).map(drop)
    });
    if let Err(fault) = copied {
        tracing::error!(%fault, "the mirror lacks a file that was taken in");
    }
    mirror::copy_papers(shared, folder);
}
