//! Start-up recovery: sessions that were open when the recorder last ended, however it ended.
//!
//! The file that was open stays as it is: digested whole, sealed as *recovered*, cut only in words. The time until recording
//! goes on is a gap with the cause *restart*, or *power* when the machine itself was started since.

use crate::custody::seal;
use crate::footage::disposal;
use crate::footage::journal::{self, Journal};
use crate::footage::keyring;
use crate::footage::segment::{self, Left};
use crate::footage::tree;
use crate::machine::{clock, durable, fault::Fault};
use crate::model::entry::{Draft, EntryKind};
use crate::model::gap::GapCause;
use crate::model::ids::CameraId;
use crate::model::session::{Happening, Segment, Session, Stamp, State};
use crate::model::step;
use crate::recorder::{Shared, mirror};
use chrono::{DateTime, NaiveDateTime, TimeDelta, Utc};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// A session that was left open.
#[derive(Debug)]
pub struct Resumed {
    /// As its journal and its files tell it.
    pub session: Session,
    /// Its folder.
    pub folder: PathBuf,
    /// Session time up to which something is recorded.
    pub since_ms: u64,
    /// Why it stopped.
    pub cause: GapCause,
    /// Files taken up, not in the journal yet.
    pub unwritten: Vec<(Stamp, Happening)>,
    /// The highest number of any file in the folder.
    pub sequence_max: u32,
}

/// Every session of the tree that is not sealed, the newest first: [`Recorder::start`](crate::recorder::Recorder::start) gives a room the
/// first that it finds. A folder that cannot be read is told and left alone: one broken session must not keep the others from going on.
pub fn open_sessions(shared: &Shared) -> Result<Vec<Resumed>, Fault> {
    let mut open = Vec::new();
    for (id, folder) in tree::sessions(&shared.footage)? {
        match left_open(shared, &folder) {
            Ok(Some(resumed)) => open.push(resumed),
            Ok(None) => {}
            Err(fault) => tracing::error!(session = %id, %fault, "cannot be taken up"),
        }
    }
    // A room goes on with the first of its own here; the others are orphans.
    open.sort_by_key(|r| std::cmp::Reverse(r.session.started_at));
    Ok(open)
}

fn left_open(shared: &Shared, folder: &Path) -> Result<Option<Resumed>, Fault> {
    // One that is being given up is nobody's to go on with.
    if disposal::is_disposed(folder) {
        return Ok(None);
    }
    // Most are sealed: two looks instead of a replay.
    if durable::exists(&folder.join(tree::SIGNATURE)) && journal::is_sealed(folder)? {
        return Ok(None);
    }
    let Some(mut session) = journal::session(folder)? else {
        return Err(Fault::of("take up", folder.display().to_string(), "its journal has no first line"));
    };
    // What is being taken in goes on where it broke off (`recorder::imports`); no room waits for it.
    if !session.is_open() || session.imported.is_some() {
        return Ok(None);
    }
    let now = shared.clock.now();
    let stamp = Stamp { at: now.utc, at_ms: (now.utc - session.started_at).num_milliseconds().max(0) as u64 };
    let mut unwritten = Vec::new();
    for happening in mirror::take_up(shared, folder, &session, &[]) {
        if let Ok((next, _)) = step::step(&session, &happening, stamp) {
            session = next;
            unwritten.push((stamp, happening));
        }
    }
    let since_ms = session.segments.iter().map(|s| s.span_ms().1).max().unwrap_or(0);
    let last_recorded = session.started_at + TimeDelta::milliseconds(since_ms as i64);
    let rebooted = clock::booted_at(now.utc).is_some_and(|at| at > last_recorded);
    let cause = if rebooted { GapCause::Power } else { GapCause::Restart };
    let sequence_max = session.segments.iter().map(|s| s.sequence).max().unwrap_or(0);
    Ok(Some(Resumed { session, folder: folder.to_owned(), since_ms, cause, unwritten, sequence_max }))
}

/// Files in the folder that the journal does not know as closed, taken up as they lie.
pub fn take_up(folder: &Path, session: &Session) -> Vec<Segment> {
    let opened = opened(folder);
    let known = |name: &String| session.segments.iter().any(|s| s.file == *name);
    let names = durable::names(folder).unwrap_or_default();
    let left = names.into_iter().filter(|n| n.ends_with(".mp4") && !known(n));
    let take = |name: String| {
        let left = opened.get(&name).cloned().or_else(|| from_name(&name, session))?;
        segment::recover(folder, left).inspect_err(|fault| tracing::error!(%fault, "a file cannot be taken up")).ok()
    };
    left.filter_map(take).collect()
}

/// Keys in the folder that the journal does not know: the recorder ended between the key and the line.
pub fn keys_left(folder: &Path, session: &Session) -> Vec<Happening> {
    let names = keyring::files(folder).unwrap_or_default();
    let said = names
        .iter()
        .filter_map(|name| keyring::said_of(folder, name).inspect_err(|fault| tracing::error!(%fault, "a key cannot be taken up")).ok());
    said.filter(|key| session.keys.iter().all(|k| k.kid != key.kid)).map(Happening::KeyMade).collect()
}

/// What the journal says of files that were begun.
fn opened(folder: &Path) -> BTreeMap<String, Left> {
    let lines = journal::read(folder).map(|(lines, _)| lines).unwrap_or_default();
    let left = |line: journal::Line| match line.happening {
        Happening::SegmentOpened { camera, sequence, file, offset_ms, started_at } => {
            Some((file.clone(), Left { camera, sequence, file, offset_ms, started_at }))
        }
        _ => None,
    };
    lines.into_iter().filter_map(left).collect()
}

/// What a file's own name says: `<camera>-<utc>-<sequence>.mp4`.
fn from_name(name: &str, session: &Session) -> Option<Left> {
    let mut parts = name.strip_suffix(".mp4")?.rsplitn(3, '-');
    let sequence = parts.next()?.parse().ok()?;
    let utc = NaiveDateTime::parse_from_str(parts.next()?, "%Y%m%dT%H%M%S%3fZ").ok()?;
    let camera = CameraId::new(parts.next()?).ok()?;
    let started_at: DateTime<Utc> = utc.and_utc();
    let offset_ms = (started_at - session.started_at).num_milliseconds();
    Some(Left { camera, sequence, file: name.into(), offset_ms, started_at })
}

/// Ends and seals a session that no room can go on with.
pub fn end_orphan(shared: &Shared, left: Resumed) {
    let id = left.session.id.clone();
    if let Err(fault) = try_end_orphan(shared, left) {
        tracing::error!(session = %id, %fault, "an orphaned session is not sealed yet");
    }
}

fn try_end_orphan(shared: &Shared, left: Resumed) -> Result<(), Fault> {
    let mut journal = Journal::open(&left.folder)?;
    for (stamp, happening) in &left.unwritten {
        journal.write(*stamp, happening)?;
    }
    let mut session = left.session;
    let now = shared.clock.now().utc;
    // It ended with the last that is known of it, not when somebody found it: days may have passed.
    let end_ms = session.last_known_ms();
    let ended = Stamp { at: session.started_at + TimeDelta::milliseconds(end_ms as i64), at_ms: end_ms };
    let mut go = |session: &mut Session, happening: Happening, stamp: Stamp, entry: Draft| -> Result<(), Fault> {
        let Ok((next, _)) = step::step(session, &happening, stamp) else { return Ok(()) };
        journal.write(stamp, &happening)?;
        *session = next;
        shared.index(session, &left.folder, Some(entry));
        Ok(())
    };
    if session.state != State::Ended {
        go(&mut session, Happening::Ended { by: None, mistake: None }, ended, Draft::new(EntryKind::SessionEnded))?;
    }
    let sealed = seal::seal(&left.folder, &session, &shared.signer, now)?;
    let entry = Draft::new(EntryKind::SessionSealed).about("seal_code", &sealed.code);
    go(&mut session, Happening::Sealed(sealed), Stamp { at: now, at_ms: end_ms }, entry)?;
    mirror::copy_papers(shared, &left.folder);
    Ok(())
}
