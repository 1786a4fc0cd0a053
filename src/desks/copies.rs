//! Viewing copies (derived, with the viewer's name burnt in): ordered under a grant, made one at a time in a process of the lowest
//! priority, fetched while the grant lives, gone with it. What was made of a copy stays when it is stopped, and is not made again.

use crate::catalog::{copies, requests, retention};
use crate::desks::viewing::{Footage, bounds, send_part};
use crate::desks::{Answer, Desks, No, blocking};
use crate::machine::worker::{Stop, Worker};
use crate::machine::{durable, fault::Fault, randomness, volume};
use crate::model::access::Grant;
use crate::model::content_key::Keys;
use crate::model::copy::{COPY_FILE, Copy, CopyState, Layout, NO_ROOM, NOT_MADE, Order, Piece, Track, Work};
use crate::model::digest;
use crate::model::entry::{Draft, EntryKind};
use crate::model::ids::{CameraId, CopyId, SessionId, ViewingId};
use crate::model::people::Person;
use crate::model::refusal::Refusal;
use crate::model::session::Session;
use crate::model::time;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// The hidden subcommand that makes copies.
pub const MAKER: &str = "make-copy";
/// Copies of one person that wait or run.
const WAITING_MAX: usize = 5;
/// Rows of a person's list.
const ROWS_MAX: u32 = 100;

/// What runs now.
#[derive(Default)]
pub(crate) struct Copies {
    running: Mutex<BTreeMap<CopyId, Now>>,
    turn: tokio::sync::Mutex<()>,
}

#[derive(Clone, Default)]
struct Now {
    done: u32,
    stop: Option<Stop>,
    cancelled: bool,
    no_room: bool,
}

impl Copies {
    fn with<T>(&self, work: impl FnOnce(&mut BTreeMap<CopyId, Now>) -> T) -> T {
        work(&mut self.running.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// What is left on the volume is for recordings: the maker ends, and the copy says why.
    fn no_room(&self, id: &CopyId) {
        let stop = self.with(|all| {
            all.get_mut(id).and_then(|now| {
                now.no_room = true;
                now.stop.clone()
            })
        });
        if let Some(stop) = stop {
            stop.now();
        }
    }

    fn cancel(&self, id: &CopyId) {
        let stop = self.with(|all| {
            all.get_mut(id).and_then(|now| {
                now.cancelled = true;
                now.stop.clone()
            })
        });
        if let Some(stop) = stop {
            stop.now();
        }
    }
}

impl Desks {
    fn copy_folder(&self, id: &CopyId) -> PathBuf {
        self.settings.data.join("copies").join(id.as_str())
    }

    /// Orders a copy that can be taken away; needs a grant for copies.
    pub async fn order_copy(self: &Arc<Self>, who: &Person, session: &SessionId, order: Order) -> Answer<Copy> {
        let (grant, session, folder) = self.may_copy(who, session, false).await?;
        self.proved(who)?;
        self.order(who, &grant, &session, &folder, order, false).await
    }

    /// Orders a copy for a browser that cannot show the original: only shown in the player that asks, never given out.
    pub async fn order_for_player(self: &Arc<Self>, who: &Person, viewing: &ViewingId, camera: &CameraId) -> Answer<Copy> {
        let (grant, session, folder) = self.looked_at(who, viewing).await?;
        let order =
            Order { layout: Layout::Single, cameras: vec![camera.clone()], sound: Some(camera.clone()), masks: vec![], mutes: vec![] };
        let own = self.copies(who).await?;
        let same = |c: &&Copy| c.session == session.id && c.order == order && c.request == *grant.request() && c.for_player;
        let usable = |c: &&Copy| matches!(c.state, CopyState::Waiting | CopyState::Running | CopyState::Ready);
        match own.iter().filter(same).find(usable) {
            Some(there) => Ok(there.clone()),
            None => self.order(who, &grant, &session, &folder, order, true).await,
        }
    }

    async fn order(
        self: &Arc<Self>,
        who: &Person,
        grant: &Grant,
        session: &Session,
        folder: &Path,
        order: Order,
        for_player: bool,
    ) -> Answer<Copy> {
        if session.seal.is_none() {
            return Err(Refusal::SessionState { state: session.state.as_str().into() }.into());
        }
        // A photograph has no length to make a copy of; the original can be taken.
        if session.imported.is_some() && session.length_ms.unwrap_or(0) == 0 {
            return Err(Refusal::no_such("copy", session.id.as_str()).into());
        }
        let cameras: Vec<CameraId> = session.devices.iter().map(|d| d.camera.clone()).collect();
        order.check(&cameras, grant.masked() && !for_player)?;
        // Told now, not when its turn comes.
        drop(self.keys_for(who, folder, "copy").await?);
        let busy = self.copies(who).await?.iter().filter(|c| matches!(c.state, CopyState::Waiting | CopyState::Running)).count();
        if busy >= WAITING_MAX {
            return Err(Refusal::TooMany { running: busy }.into());
        }
        let id = CopyId::new(&format!("c-{}", randomness::hex::<8>()?)).map_err(|e| No::Fault(e.to_string()))?;
        let copy = Copy {
            id,
            by: who.id.clone(),
            session: session.id.clone(),
            request: grant.request().clone(),
            order,
            for_player,
            state: CopyState::Waiting,
            done: 0,
            bytes: None,
            sha256: None,
            problem: None,
            ordered_at: self.now().utc,
            until: grant.until(),
        };
        let ordered = serde_json::to_string(&copy.order).map_err(|e| No::Fault(e.to_string()))?;
        let draft = about(EntryKind::CopyOrdered, &copy)
            .about("request", &copy.request)
            .about("layout", copy.order.layout.as_str())
            .about("masks", copy.order.masks.len())
            .about("order_sha256", digest::sha256(ordered.as_bytes()));
        let kept = copy.clone();
        self.acts.log_then_do(draft, move |t| copies::put(t, &kept)).await?;
        self.begin_copy(copy.clone(), session.clone(), folder.to_owned(), who.name.clone());
        Ok(copy)
    }

    /// Puts a copy into the queue. A failure of what makes it is told to whoever ordered it, in their list.
    fn begin_copy(self: &Arc<Self>, copy: Copy, session: Session, folder: PathBuf, name: String) {
        let desks = self.clone();
        desks.copies.with(|all| all.insert(copy.id.clone(), Now::default()));
        tokio::spawn(async move {
            let _turn = desks.copies.turn.lock().await;
            let cancelled = || desks.copies.with(|all| all.get(&copy.id).is_none_or(|now| now.cancelled));
            if !cancelled() {
                let running = Copy { state: CopyState::Running, ..copy.clone() };
                let kept = running.clone();
                desks.acts.index_only(move |t| copies::put(t, &kept));
                let ended = desks.make_copy(&running, &session, &folder, &name).await;
                if !cancelled() {
                    desks.copy_ended(running, ended).await;
                }
            }
            desks.copies.with(|all| all.remove(&copy.id));
        });
    }

    async fn make_copy(self: &Arc<Self>, copy: &Copy, session: &Session, folder: &Path, name: &str) -> Answer<(u64, String)> {
        self.bring_back(session, folder).await?;
        let mut cameras: Vec<&CameraId> = copy.order.cameras.iter().chain(&copy.order.sound).collect();
        cameras.dedup();
        let made_in = self.copy_folder(&copy.id);
        // Its order is in the log.
        let keys = self.keys_of(folder).await?;
        let work = Work::Copy {
            tracks: cameras.into_iter().map(|c| track(session, folder, c, &keys)).collect(),
            order: copy.order.clone(),
            length_ms: session.length_ms.unwrap_or(0),
            started_at: session.started_at,
            words: format!("{name}  {}", copy.request),
            label: label(session),
            folder: made_in.clone(),
        };
        let (desks, id) = (self.clone(), copy.id.clone());
        // It ends with its approval, not with the login of whoever ordered it: people go home while a long copy is made.
        let grant_over = {
            let (desks, copy) = (self.clone(), copy.clone());
            async move {
                loop {
                    tokio::time::sleep(Duration::from_secs(1)).await;
                    let (request, now) = (copy.request.clone(), desks.now().utc);
                    let live = desks.read(move |c| Ok(requests::by_id(c, &request)?.is_some_and(|r| r.is_live(now)))).await;
                    if matches!(live, Ok(false)) {
                        desks.copies.cancel(&copy.id);
                        return;
                    }
                    let asked = desks.clone();
                    if let Ok(true) = blocking("looking at the volume", move || asked.is_short()).await {
                        desks.copies.no_room(&copy.id);
                        return;
                    }
                }
            }
        };
        let watching = tokio::spawn(grant_over);
        let made = blocking("a copy", move || {
            if desks.is_short() {
                desks.copies.no_room(&id);
                return Err(Fault::of("make", "a copy", "the volume has only room for recordings"));
            }
            durable::make_folder(&made_in)?;
            let data = serde_json::to_vec(&work).map_err(|e| Fault::of("encode", "a copy's work", e))?;
            let mut worker = Worker::start(MAKER, &data)?;
            let stop = worker.stop();
            let go_on = desks.copies.with(|all| {
                all.get_mut(&id).is_some_and(|now| {
                    now.stop = Some(stop.clone());
                    !now.cancelled && !now.no_room
                })
            });
            if !go_on {
                stop.now();
            }
            let mut problem = None;
            while let Some(line) = worker.line() {
                match line.split_once(' ') {
                    Some(("done", share)) => desks.copies.with(|all| {
                        if let (Some(now), Ok(share)) = (all.get_mut(&id), share.parse()) {
                            now.done = share;
                        }
                    }),
                    Some(("failed", why)) => {
                        // As GStreamer and the system say it.
                        if why.contains("o space left") {
                            desks.copies.no_room(&id);
                        }
                        problem = Some(why.to_owned());
                    }
                    _ => {}
                }
            }
            if !worker.ended()? {
                return Err(Fault::of("make", "a copy", problem.unwrap_or_else(|| "its maker was ended".into())));
            }
            volume::digest(&made_in.join(COPY_FILE))
        })
        .await;
        watching.abort();
        Ok(made??)
    }

    async fn copy_ended(&self, copy: Copy, ended: Answer<(u64, String)>) {
        let kept = match ended {
            Ok((bytes, sha256)) => {
                let draft = about(EntryKind::CopyMade, &copy).about("sha256", &sha256).about("bytes", bytes);
                let ready = Copy { state: CopyState::Ready, done: 1000, bytes: Some(bytes), sha256: Some(sha256), ..copy.clone() };
                let row = ready.clone();
                // A copy whose digest is not in the log is not given out.
                match self.acts.log_then_do(draft, move |t| copies::put(t, &row)).await {
                    Ok(()) => return,
                    Err(fault) => {
                        tracing::error!(copy = %copy.id, "is not in the log: {fault}");
                        Copy { state: CopyState::Failed, problem: Some(NOT_MADE.into()), ..copy }
                    }
                }
            }
            Err(no) => {
                tracing::error!(copy = %copy.id, "could not be made: {no}");
                self.drop_unfinished(&copy.id).await;
                let no_room = self.copies.with(|all| all.get(&copy.id).is_some_and(|now| now.no_room));
                let problem = if no_room { NO_ROOM } else { NOT_MADE };
                Copy { state: CopyState::Failed, problem: Some(problem.into()), ..copy }
            }
        };
        self.acts.index_only(move |t| copies::put(t, &kept));
    }

    /// Whether the volume has no more room than recordings may need.
    fn is_short(&self) -> bool {
        volume::room(&self.settings.data).is_ok_and(|room| room.free < self.settings.reserve_bytes)
    }

    /// Minutes that are made stay, so that it can go on; what was only begun takes room for nothing.
    async fn drop_unfinished(&self, id: &CopyId) {
        let folder = self.copy_folder(id);
        let removed = blocking("removing what was begun of a copy", move || {
            let names = durable::names(&folder)?;
            names
                .iter()
                .filter(|n| !n.starts_with("part-") || n.ends_with(".aside"))
                .try_for_each(|n| durable::remove_derived(&folder.join(n)))
        });
        if let Err(no) = removed.await.and_then(|r| r.map_err(No::from)) {
            tracing::error!(copy = %id, "what was begun of it stays: {no}");
        }
    }

    /// One's own copies, newest first, with how far each is now.
    pub async fn copies(&self, who: &Person) -> Answer<Vec<Copy>> {
        let id = who.id.clone();
        let all = self.read(move |c| copies::of_account(c, &id, ROWS_MAX)).await?;
        let now = |c: Copy| match self.copies.with(|all| all.get(&c.id).cloned()) {
            Some(now) if c.state == CopyState::Running => Copy { done: now.done, ..c },
            _ => c,
        };
        Ok(all.into_iter().map(now).collect())
    }

    async fn own_copy(&self, who: &Person, id: &CopyId) -> Answer<Copy> {
        let all = self.copies(who).await?;
        all.into_iter().find(|c| c.id == *id).ok_or_else(|| Refusal::no_such("copy", id.as_str()).into())
    }

    /// One of one's own, as long as the approval lives; the list tells of it after that.
    pub async fn copy(&self, who: &Person, id: &CopyId) -> Answer<Copy> {
        let copy = self.own_copy(who, id).await?;
        self.granted(who, &copy.session, "copy").await?;
        Ok(copy)
    }

    /// Stops one; what is made of it stays.
    pub async fn cancel_copy(&self, who: &Person, id: &CopyId) -> Answer<Copy> {
        let copy = self.own_copy(who, id).await?;
        if !matches!(copy.state, CopyState::Waiting | CopyState::Running) {
            return Err(Refusal::RequestState { state: copy.state.as_str().into() }.into());
        }
        self.copies.cancel(id);
        let kept = Copy { state: CopyState::Cancelled, ..copy };
        let row = kept.clone();
        self.acts.log_then_do(about(EntryKind::CopyCancelled, &kept), move |t| copies::put(t, &row)).await?;
        Ok(kept)
    }

    /// Goes on with one that was stopped or failed.
    pub async fn resume_copy(self: &Arc<Self>, who: &Person, id: &CopyId) -> Answer<Copy> {
        let copy = self.own_copy(who, id).await?;
        if !matches!(copy.state, CopyState::Cancelled | CopyState::Failed) || self.copies.with(|all| all.contains_key(id)) {
            return Err(Refusal::RequestState { state: copy.state.as_str().into() }.into());
        }
        let (_, session, folder) = if copy.for_player {
            self.granted(who, &copy.session, "copy").await?
        } else {
            self.may_copy(who, &copy.session, false).await?
        };
        let waiting = Copy { state: CopyState::Waiting, problem: None, ..copy };
        let row = waiting.clone();
        self.acts.keep(move |t| copies::put(t, &row)).await?;
        self.begin_copy(waiting.clone(), session, folder, who.name.clone());
        Ok(waiting)
    }

    /// A copy's file, or a part of it: under a live grant, asked for anew each time. Gives whether it is for looking only.
    pub async fn copy_file(&self, who: &Person, id: &CopyId, range: Option<(u64, Option<u64>)>) -> Answer<(Footage, u64, u64, bool)> {
        let copy = self.own_copy(who, id).await?;
        let grant = if copy.for_player {
            self.granted(who, &copy.session, "copy").await?.0
        } else {
            let (grant, ..) = self.may_copy(who, &copy.session, false).await?;
            if grant.masked() && copy.order.masks.is_empty() {
                return Err(self.refused(who, Refusal::MaskedOnly, "copy"));
            }
            grant
        };
        let Some(whole) = copy.bytes.filter(|_| copy.state == CopyState::Ready) else {
            return Err(Refusal::RequestState { state: copy.state.as_str().into() }.into());
        };
        let (from, to) = bounds(range, whole, "byte of the copy")?;
        if !copy.for_player && from == 0 {
            let sha256 = copy.sha256.clone().unwrap_or_default();
            let draft =
                about(EntryKind::CopyTaken, &copy).about("request", grant.request()).about("what", "viewing_copy").about("sha256", sha256);
            self.acts.log_then_do(draft, |_| Ok(())).await?;
        }
        let live = self.streams.under(&grant, &self.clock);
        let name = format!("{}-copy-{}.mp4", copy.session, copy.id);
        let footage = send_part(&self.copy_folder(id).join(COPY_FILE), from, to, name, live)?;
        Ok((Footage { sha256: copy.sha256, ..footage }, from, whole, copy.for_player))
    }

    /// At start: goes on with what a restart broke off.
    pub async fn resume_copies(self: &Arc<Self>) {
        let open = self.read(copies::open).await.unwrap_or_default();
        for copy in open.into_iter().filter(|c| matches!(c.state, CopyState::Waiting | CopyState::Running)) {
            let (id, session) = (copy.by.clone(), copy.session.clone());
            let name = self.read(move |c| Ok(crate::catalog::accounts::by_id(c, &id)?.map(|a| a.person.name))).await.ok().flatten();
            if let (Ok((session, folder)), Some(name)) = (self.session_doc(&session).await, name) {
                self.begin_copy(copy, session, folder, name);
            }
        }
    }

    /// Every minute: what is over goes, and its file with it.
    pub async fn end_copies(&self) {
        let now = self.now().utc;
        let over = self.read(move |c| {
            let mut over = Vec::new();
            for copy in copies::open(c)? {
                let live = requests::by_id(c, &copy.request)?.is_some_and(|r| r.is_live(now));
                // A session that was given up takes its copies with it.
                let gone = retention::is_gone(c, copy.session.as_str())?;
                if copy.is_over(now) || !live || gone {
                    over.push(copy);
                }
            }
            Ok(over)
        });
        for copy in over.await.unwrap_or_default() {
            self.copies.cancel(&copy.id);
            let folder = self.copy_folder(&copy.id);
            let removed = blocking("removing a copy", move || {
                for name in durable::names(&folder)? {
                    durable::remove_derived(&folder.join(name))?;
                }
                Ok::<_, Fault>(())
            });
            if let Ok(Err(fault)) = removed.await
                && !fault.is_absent()
            {
                tracing::error!(copy = %copy.id, %fault, "its file stays");
                continue;
            }
            let expired = Copy { state: CopyState::Expired, ..copy };
            self.acts.index_only(move |t| copies::put(t, &expired));
        }
    }
}

fn about(kind: EntryKind, copy: &Copy) -> Draft {
    Draft::new(kind).by(&copy.by).in_session(&copy.session).about("copy", &copy.id)
}

/// A camera's segments, for what makes copies, with the keys of what is encrypted.
pub(super) fn track(session: &Session, folder: &Path, camera: &CameraId, keys: &Keys) -> Track {
    let mut of: Vec<_> = session.segments.iter().filter(|s| s.camera == *camera && s.duration_ms > 0).collect();
    of.sort_by_key(|s| s.sequence);
    let piece = |s: &&crate::model::session::Segment| Piece {
        path: folder.join(&s.file),
        bytes: s.whole_bytes.unwrap_or(s.bytes),
        offset_ms: s.offset_ms,
        duration_ms: s.duration_ms,
        codecs: s.codecs.clone(),
        taken_in: session.imported.is_some(),
    };
    Track { camera: camera.clone(), pieces: of.iter().map(piece).collect(), keys: keys.clone() }
}

/// What is burnt in below: that it is a copy, of what.
pub(super) fn label(session: &Session) -> String {
    let seal = session.seal.as_ref().map(|s| digest::short(&s.code)).unwrap_or_default();
    format!("查看用副本，非原件  {}  封存码 {seal}  {}", session.id, time::shanghai_day(session.started_at))
}
