//! The only way to a recorded picture: a live grant, a durable log entry, then bytes (第二十二条).
//!
//! Each step adds a proof to the one before: `grant` → `granted` (and the session) → `may_copy` (and what the grant is for) → `copying` (and
//! that it is still the same person, and the entry). Looking stops at `granted`: `open_viewing` makes its entry, and each file asks `grant`
//! anew; `looked_at` is where stills and loudness of an open viewing begin. `send_pieces` is what sends; `send_part`, `send_stretches` and `send_segment` say from where.

use crate::catalog::{requests, viewings};
use crate::desks::streams::Live;
use crate::desks::{Answer, Desks, No, blocking};
use crate::footage::clear::ClearFile;
use crate::footage::{copy, entrance, tree};
use crate::machine::{durable, fault::Fault, randomness};
use crate::model::access::{AccessRequest, Grant};
use crate::model::content_key::Keys;
use crate::model::entry::{Draft, EntryKind};
use crate::model::ids::{AccountId, CameraId, SessionId, ViewingId};
use crate::model::import::media_type;
use crate::model::people::Person;
use crate::model::refusal::Refusal;
use crate::model::session::{Segment, Session, State};
use bytes::Bytes;
use chrono::SecondsFormat;
use serde::Serialize;
use std::collections::BTreeMap;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::mpsc;

/// A player tells every ten seconds what it showed; one that was not heard for so long has gone, ms. A paused one is opened anew.
const QUIET_MS: i64 = 30 * 60_000;
/// The largest signed paper that is given out.
const PAPER_BYTES_MAX: u64 = 256 * 1024 * 1024;

/// A file that a player can ask for.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct PlayableSegment {
    /// Number.
    pub sequence: u32,
    /// Where it lies on the session's time line, ms; negative: pre-roll.
    pub offset_ms: i64,
    /// Length, ms.
    pub duration_ms: u64,
    /// RFC 6381.
    pub codecs: String,
    /// Size.
    pub bytes: u64,
}

/// A camera's files.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct PlayableCamera {
    /// Which.
    pub camera: CameraId,
    /// Its name.
    pub name: String,
    /// In order.
    pub segments: Vec<PlayableSegment>,
}

/// An open viewing.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct Viewing {
    /// Its number; part of every address below it.
    pub id: ViewingId,
    /// Printed over the picture: name, request number (the player adds the running time).
    pub watermark: String,
    /// Session length, ms.
    pub length_ms: u64,
    /// Session start, RFC 3339 UTC.
    pub started_at: String,
    /// Cameras.
    pub cameras: Vec<PlayableCamera>,
}

/// Bytes on their way: read in pieces; each piece is given only while the grant lives.
pub struct Footage {
    /// Whole length.
    pub bytes: u64,
    /// SHA-256 as the manifest has it, for originals.
    pub sha256: Option<String>,
    /// A file name for a download.
    pub name: String,
    /// The pieces.
    pub pieces: tokio::sync::mpsc::Receiver<Result<Bytes, std::io::Error>>,
    /// What they are given under; the stream ends with it.
    pub live: Live,
}

/// What is known of a viewing while it is open.
struct OpenViewing {
    session: SessionId,
    person: AccountId,
    folder: PathBuf,
    segments: Vec<Segment>,
    /// Of what is encrypted; gone with the viewing.
    keys: Keys,
    seconds: AtomicU64,
    /// When the player last asked or told something, ms since 1970.
    heard: AtomicI64,
}

/// The viewings that are open now.
#[derive(Default)]
pub(crate) struct Open(Mutex<BTreeMap<ViewingId, Arc<OpenViewing>>>);

impl Open {
    fn with<T>(&self, work: impl FnOnce(&mut BTreeMap<ViewingId, Arc<OpenViewing>>) -> T) -> T {
        work(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Desks {
    /// The grant that lets this person look at this session now. Every door to a recorded picture begins here.
    async fn grant(&self, who: &Person, session: &SessionId, tried: &str) -> Answer<Grant> {
        let (person, wanted) = (who.id.clone(), session.clone());
        let own: Vec<AccessRequest> = self.read(move |c| requests::of_person_for(c, &person, &wanted)).await?;
        Grant::live(&own, who, session, self.now().utc).map_err(|refusal| self.refused_at(who, refusal, tried, session))
    }

    fn refused_at(&self, who: &Person, refusal: Refusal, tried: &str, session: &SessionId) -> No {
        let draft = Draft::new(EntryKind::Refused).by(&who.id).in_session(session).about("code", refusal.word()).about("tried", tried);
        self.log_refusal(draft);
        refusal.into()
    }

    /// A session with a grant to it. Without a grant the answer is the same whether or not the session exists.
    pub(super) async fn granted(&self, who: &Person, session: &SessionId, tried: &str) -> Answer<(Grant, Session, PathBuf)> {
        let grant = self.grant(who, session, tried).await?;
        let wanted = session.clone();
        let doc = self
            .read(move |c| crate::catalog::sessions::by_id(c, &wanted))
            .await?
            .ok_or_else(|| Refusal::no_such("session", session.as_str()))?;
        if doc.session.state == State::Disposed {
            return Err(Refusal::SessionState { state: doc.session.state.as_str().into() }.into());
        }
        Ok((grant, doc.session, self.footage().join(doc.folder)))
    }

    /// Opens a viewing; nothing plays before its entry is durable.
    pub async fn open_viewing(&self, who: &Person, session: &SessionId) -> Answer<Viewing> {
        let (grant, session, folder) = self.granted(who, session, "viewing").await?;
        let id = ViewingId::new(&format!("v-{}", randomness::hex::<12>()?)).map_err(|e| No::Fault(e.to_string()))?;
        let draft = Draft::new(EntryKind::ViewingOpened)
            .by(&who.id)
            .in_session(&session.id)
            .about("request", grant.request())
            .about("viewing", &id);
        let (row, kept, at) = (id.clone(), grant.clone(), self.now_ms());
        let address = who.address.clone();
        let draft = if let Some(address) = &address { draft.about("from", address) } else { draft };
        self.acts.log_then_do(draft, move |t| viewings::open(t, &row, &kept, address.as_deref(), at)).await?;
        let keys = match self.keys_for(who, &folder, "viewing").await {
            Ok(keys) => keys,
            // It was opened in the log, and showed nothing: it is closed there too.
            Err(no) => {
                self.close_unseen(who, &session.id, &id).await?;
                return Err(no);
            }
        };
        let viewing = playable(&id, &session, &format!("{} {}", who.name, grant.request()));
        let open = OpenViewing {
            session: session.id,
            person: who.id.clone(),
            folder,
            segments: session.segments,
            keys,
            seconds: AtomicU64::new(0),
            heard: AtomicI64::new(at),
        };
        self.viewings.with(|all| all.insert(id, Arc::new(open)));
        Ok(viewing)
    }

    fn viewing(&self, who: &Person, id: &ViewingId) -> Answer<Arc<OpenViewing>> {
        let found = self.viewings.with(|all| all.get(id).cloned()).filter(|v| v.person == who.id);
        let open = found.ok_or_else(|| Refusal::no_such("viewing", id.as_str()))?;
        open.heard.store(self.now_ms(), Ordering::Relaxed);
        Ok(open)
    }

    /// One file of an open viewing, or a part of it; with where the part begins, how long the whole is, and what it is. With `from_ms`
    /// what of it is needed to show a moment, ms from its beginning, and what comes after.
    pub async fn view_segment(
        &self,
        who: &Person,
        viewing: &ViewingId,
        (camera, sequence): (&CameraId, u32),
        from_ms: u64,
        range: Option<(u64, Option<u64>)>,
    ) -> Answer<(Footage, u64, u64, &'static str)> {
        let open = self.viewing(who, viewing)?;
        // Asked anew for each file: a grant that was revoked or ran out opens no further one.
        let grant = self.grant(who, &open.session, "viewing").await?;
        let segment = find(&open.segments, camera, sequence)?;
        let (path, live, kind) = (open.folder.join(&segment.file), self.streams.under(&grant, &self.clock), media_type(&segment.file));
        if !open.keys.is_empty() && !durable::exists(&path) {
            // What lies in the archive alone is encrypted there too, and is opened from files.
            let (_, session, folder) = self.granted(who, &open.session, "viewing").await?;
            self.bring_back(&session, &folder).await?;
        }
        if from_ms > 0 && durable::exists(&path) {
            let (whole, wanted) = (segment.whole_bytes.unwrap_or(segment.bytes), path.clone());
            let found = blocking("looking for a key picture", move || entrance::find(&wanted, whole, from_ms)).await??;
            if let Some(at) = found {
                let footage = send_stretches(&path, vec![0..at.header, at.at..whole], &segment, live, &open.keys).await?;
                let bytes = footage.bytes;
                return Ok((footage, 0, bytes, kind));
            }
        }
        let (from, to) = bounds(range, segment.bytes, "byte of the file")?;
        if !open.keys.is_empty() {
            // In the clear, byte for byte as long; the manifest's digest is that of what is stored.
            let stretch = std::iter::once(from..to).collect();
            return Ok((send_stretches(&path, stretch, &segment, live, &open.keys).await?, from, segment.bytes, kind));
        }
        let footage = self.send_segment(&open.session, path, &segment, (from, to), live).await?;
        Ok((Footage { sha256: Some(segment.sha256.clone()), ..footage }, from, segment.bytes, kind))
    }

    /// A segment as it is stored, from here or from the archive: whoever calls it has the grant, and the entry is durable.
    async fn send_segment(
        &self,
        session: &SessionId,
        path: PathBuf,
        segment: &Segment,
        (from, to): (u64, u64),
        live: Live,
    ) -> Answer<Footage> {
        let local = path.clone();
        if !blocking("looking for a file", move || durable::exists(&local)).await?
            && let Some(archived) = self.send_archived(session, segment, (from, to), live.clone()).await?
        {
            return Ok(archived);
        }
        // One that lies nowhere is a fault here, which names it.
        send_part(&path, from, to, segment.file.clone(), live)
    }

    /// The player's word on how many seconds were shown since it last told.
    pub async fn viewing_seen(&self, who: &Person, viewing: &ViewingId, seconds: u32) -> Answer<()> {
        let open = self.viewing(who, viewing)?;
        self.grant(who, &open.session, "viewing").await?;
        open.seconds.fetch_add(u64::from(seconds.min(3600)), Ordering::Relaxed);
        Ok(())
    }

    /// Ends a viewing.
    pub async fn close_viewing(&self, who: &Person, viewing: &ViewingId) -> Answer<()> {
        self.viewing(who, viewing)?;
        self.end_viewing(viewing).await
    }

    /// Closes a viewing that could not begin.
    async fn close_unseen(&self, who: &Person, session: &SessionId, viewing: &ViewingId) -> Answer<()> {
        let draft = Draft::new(EntryKind::ViewingClosed).by(&who.id).in_session(session).about("viewing", viewing).about("seconds", 0);
        let (id, at) = (viewing.clone(), self.now_ms());
        Ok(self.acts.log_then_do(draft, move |t| viewings::close(t, &id, 0, at)).await?)
    }

    /// Takes a viewing out and logs what was seen.
    async fn end_viewing(&self, viewing: &ViewingId) -> Answer<()> {
        let Some(open) = self.viewings.with(|all| all.remove(viewing)) else { return Ok(()) };
        let seconds = open.seconds.load(Ordering::Relaxed);
        let draft = Draft::new(EntryKind::ViewingClosed)
            .by(&open.person)
            .in_session(&open.session)
            .about("viewing", viewing)
            .about("seconds", seconds);
        let (id, at) = (viewing.clone(), self.now_ms());
        Ok(self.acts.log_then_do(draft, move |t| viewings::close(t, &id, seconds, at)).await?)
    }

    /// Ends viewings whose browser went away without a word, so that the seconds seen are logged all the same.
    pub async fn end_quiet_viewings(&self) {
        let now_ms = self.now_ms();
        let is_quiet = |v: &OpenViewing| v.heard.load(Ordering::Relaxed) + QUIET_MS < now_ms;
        let quiet: Vec<ViewingId> = self.viewings.with(|all| all.iter().filter(|(_, v)| is_quiet(v)).map(|(id, _)| id.clone()).collect());
        for id in quiet {
            if let Err(no) = self.end_viewing(&id).await {
                tracing::error!(viewing = %id, "cannot be ended: {no}");
            }
        }
    }

    /// A live grant for copies; `original`: of what shows everybody, unmasked.
    pub(super) async fn may_copy(&self, who: &Person, session: &SessionId, original: bool) -> Answer<(Grant, Session, PathBuf)> {
        let (grant, session, folder) = self.granted(who, session, "copy").await?;
        let may = if original { grant.original() } else { grant.copy() };
        may.map_err(|refusal| self.refused(who, refusal, "copy"))?;
        Ok((grant, session, folder))
    }

    /// What an open viewing of this person's looks at, under a grant that lives.
    pub(super) async fn looked_at(&self, who: &Person, viewing: &ViewingId) -> Answer<(Grant, Session, PathBuf)> {
        let open = self.viewing(who, viewing)?;
        self.granted(who, &open.session, "viewing").await
    }

    /// A grant for copies, with its entry already durable.
    async fn copying(&self, who: &Person, session: &SessionId, what: &str) -> Answer<(Session, PathBuf, Live)> {
        let (grant, session, folder) = self.may_copy(who, session, true).await?;
        self.proved(who)?;
        let draft =
            Draft::new(EntryKind::CopyTaken).by(&who.id).in_session(&session.id).about("request", grant.request()).about("what", what);
        self.acts.log_then_do(draft, |_| Ok(())).await?;
        Ok((session, folder, self.streams.under(&grant, &self.clock)))
    }

    /// A copy of one original file, as it is stored: an encrypted one stays so, since the manifest's digest is of that. Needs a grant for
    /// copies.
    pub async fn copy_segment(&self, who: &Person, session: &SessionId, camera: &CameraId, sequence: u32) -> Answer<Footage> {
        let (session, folder, live) = self.copying(who, session, &format!("{camera}/{sequence}")).await?;
        let segment = find(&session.segments, camera, sequence)?;
        let footage = self.send_segment(&session.id, folder.join(&segment.file), &segment, (0, segment.bytes), live).await?;
        Ok(Footage { sha256: Some(segment.sha256), ..footage })
    }

    /// A camera's whole session as one file: a derived, labelled copy; needs a grant for copies.
    pub async fn copy_joined(&self, who: &Person, session: &SessionId, camera: &CameraId) -> Answer<Footage> {
        let (session, folder, live) = self.copying(who, session, &format!("{camera}/joined")).await?;
        // What was taken in is one file already, and not ours to join.
        if session.imported.is_some() {
            return Err(Refusal::no_such("camera", camera.as_str()).into());
        }
        let mut segments: Vec<Segment> = session.segments.iter().filter(|s| s.camera == *camera).cloned().collect();
        segments.sort_by_key(|s| s.sequence);
        if segments.is_empty() {
            return Err(Refusal::no_such("camera", camera.as_str()).into());
        }
        self.bring_back(&session, &folder).await?;
        let keys = self.keys_for(who, &folder, "copy").await?;
        let (tx, pieces) = mpsc::channel(4);
        let (bytes, plan) = blocking("joining", move || copy::plan(&folder, &segments, &keys).map(|p| (p.bytes(), p))).await??;
        tokio::task::spawn_blocking(move || plan.send(|piece| tx.blocking_send(piece.map_err(std::io::Error::other)).is_ok()));
        Ok(Footage { bytes, sha256: None, name: format!("{}-{camera}-copy.mp4", session.id), pieces, live })
    }

    /// `session.json`, `session.json.sig`, `signer.pem` or `journal.jsonl`; needs a grant for copies.
    pub async fn copy_paper(&self, who: &Person, session: &SessionId, name: &str) -> Answer<Footage> {
        let papers = [tree::MANIFEST, tree::SIGNATURE, tree::SIGNER, tree::JOURNAL];
        let Some(name) = papers.into_iter().find(|p| *p == name) else { return Err(Refusal::no_such("paper", name).into()) };
        let (_, folder, live) = self.copying(who, session, name).await?;
        let data = blocking("reading a paper", move || durable::read_whole(&folder.join(name), PAPER_BYTES_MAX)).await??;
        let (tx, pieces) = mpsc::channel(1);
        let bytes = data.len() as u64;
        drop(tx.try_send(Ok(Bytes::from(data))));
        Ok(Footage { bytes, sha256: None, name: name.into(), pieces, live })
    }
}

fn playable(id: &ViewingId, session: &Session, watermark: &str) -> Viewing {
    let of = |camera: &CameraId| {
        let mut segments: Vec<&Segment> =
            session.segments.iter().filter(|s| s.camera == *camera && (s.duration_ms > 0 || session.imported.is_some())).collect();
        segments.sort_by_key(|s| s.sequence);
        let one = |s: &&Segment| PlayableSegment {
            sequence: s.sequence,
            offset_ms: s.offset_ms,
            duration_ms: s.duration_ms,
            codecs: s.codecs.clone(),
            bytes: s.bytes,
        };
        segments.iter().map(one).collect()
    };
    Viewing {
        id: id.clone(),
        watermark: watermark.into(),
        length_ms: session.length_ms.unwrap_or(0),
        started_at: session.started_at.to_rfc3339_opts(SecondsFormat::Millis, true),
        cameras: session
            .devices
            .iter()
            .map(|d| PlayableCamera { camera: d.camera.clone(), name: d.name.clone(), segments: of(&d.camera) })
            .collect(),
    }
}

fn find(segments: &[Segment], camera: &CameraId, sequence: u32) -> Result<Segment, Refusal> {
    let found = segments.iter().find(|s| s.camera == *camera && s.sequence == sequence);
    found.cloned().ok_or_else(|| Refusal::no_such("segment", &format!("{camera}/{sequence}")))
}

/// The bytes that a request for a part means, of so many: from one up to another. `what` they are of, where there are none.
pub(super) fn bounds(range: Option<(u64, Option<u64>)>, whole: u64, what: &'static str) -> Result<(u64, u64), Refusal> {
    let (from, to) = range.map_or((0, whole), |(from, last)| (from, last.map_or(whole, |last| last.saturating_add(1).min(whole))));
    if from < to { Ok((from, to)) } else { Err(Refusal::no_such(what, &from.to_string())) }
}

/// A part of a file, in pieces, as long as `live` says so; a cut ends the stream in an error, never as if it were whole.
pub(super) fn send_part(path: &Path, from: u64, to: u64, name: String, live: Live) -> Answer<Footage> {
    let mut file = ClearFile::open(path, to, &Keys::default())?;
    Ok(send_pieces(move |from, to| file.piece(from, to), std::iter::once(from..to).collect(), name, live))
}

/// Stretches of a segment, one after the other, in pieces; in the clear.
async fn send_stretches(path: &Path, stretches: Vec<Range<u64>>, segment: &Segment, live: Live, keys: &Keys) -> Answer<Footage> {
    let (path, keys, name) = (path.to_owned(), keys.clone(), segment.file.clone());
    let whole = segment.whole_bytes.unwrap_or(segment.bytes);
    let mut file = blocking("opening a file", move || ClearFile::open(&path, whole, &keys)).await??;
    Ok(send_pieces(move |from, to| file.piece(from, to), stretches, name, live))
}

/// What `piece` reads of stretches, as long as `live` says so.
pub(super) fn send_pieces(
    mut piece: impl FnMut(u64, u64) -> Result<Vec<u8>, Fault> + Send + 'static,
    stretches: Vec<Range<u64>>,
    name: String,
    live: Live,
) -> Footage {
    let (tx, pieces) = mpsc::channel(2);
    let (bytes, under) = (stretches.iter().map(|s| s.end - s.start).sum(), live.clone());
    tokio::task::spawn_blocking(move || {
        for Range { start, end } in stretches {
            let mut at = start;
            while at < end {
                let read = if under.is() { Ok(()) } else { Err(std::io::Error::other("the approval has ended")) };
                let read = read.and_then(|()| piece(at, end).map_err(std::io::Error::other));
                at += read.as_ref().map_or(0, |piece| piece.len() as u64);
                let failed = read.is_err();
                if tx.blocking_send(read.map(Bytes::from)).is_err() || failed {
                    return;
                }
            }
        }
    });
    Footage { bytes, sha256: None, name, pieces, live }
}
