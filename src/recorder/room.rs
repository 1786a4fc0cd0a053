//! A room's loop: commands and events in, happenings into the journal, effects out.

use crate::capture::{Capture, CaptureHandle};
use crate::custody::seal;
use crate::footage::{journal::Journal, tree};
use crate::machine::{durable, fault::Fault};
use crate::model::entry::{Draft, EntryKind};
use crate::model::fragment::CaptureEvent;
use crate::model::gap::GapCause;
use crate::model::ids::{AccountId, CameraId, SessionId, UnitId};
use crate::model::refusal::Refusal;
use crate::model::session::{
    ClockSeen, Device, Facts, Happening, InterruptionCause, Mark, MarkKind, Session, SessionKind, Stamp, Start, State,
};
use crate::model::step::{self, Effect};
use crate::model::time::{self, Moment};
use crate::recorder::recovery::{self, Resumed};
use crate::recorder::view::{CameraView, Gauge, RoomView, SessionClock};
use crate::recorder::writer::{self, Target, ToWriter, Wrote};
use crate::recorder::{RoomSettings, Shared};
use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::Duration;
use tokio::sync::oneshot;

/// How often the loop looks at the clock and at what waits.
const TICK: Duration = Duration::from_millis(500);
/// A difference of the two clocks over one tick that is a step and no slewing, ms.
const STEP_MS: i64 = 500;
/// How long to wait before sealing is tried again, ms.
const SEAL_RETRY_MS: u64 = 5_000;

/// How an officer starts a session.
#[derive(Debug, Clone)]
pub struct Begin {
    /// Who.
    pub by: AccountId,
    /// Whose footage; the room's unit if the officer has none.
    pub unit: Option<UnitId>,
    /// What for.
    pub kind: SessionKind,
    /// What is known.
    pub facts: Facts,
}

/// What people do to a running session.
#[derive(Debug, Clone)]
pub enum Act {
    /// Sets a mark.
    Mark {
        /// What it says.
        kind: MarkKind,
        /// More.
        text: Option<String>,
    },
    /// Pauses.
    Interrupt {
        /// Why.
        cause: InterruptionCause,
        /// In words.
        reason: Option<String>,
    },
    /// Goes on.
    Resume,
    /// Ends.
    End {
        /// As a mistaken start, with the reason.
        mistake: Option<String>,
    },
    /// Links anew.
    Link {
        /// To what.
        facts: Facts,
        /// Why.
        reason: String,
    },
}

type Reply = oneshot::Sender<Result<Arc<Session>, Refusal>>;

enum Message {
    Begin(Box<Begin>, Moment, Reply),
    Act(SessionId, AccountId, Act, Moment, Reply),
    Capture(usize, CaptureEvent),
    Wrote(usize, Wrote),
    Stop,
}

/// A room that runs.
pub struct Room {
    view: Arc<RoomView>,
    messages: mpsc::Sender<Message>,
    captures: Vec<Capture>,
    thread: thread::JoinHandle<()>,
    clock: Arc<dyn crate::machine::clock::Clock>,
}

impl Room {
    /// Starts captures, writers and loop; a session that was left open goes on.
    pub fn start(settings: RoomSettings, shared: Arc<Shared>, resumed: Option<Resumed>) -> Result<Self, Fault> {
        let (messages, inbox) = mpsc::channel();
        let mut captures = Vec::new();
        let mut cameras = Vec::new();
        let mut writers = Vec::new();
        for (at, place) in settings.cameras.into_iter().enumerate() {
            let id = place.capture.id.clone();
            let gauge = Arc::<Gauge>::default();
            let told = messages.clone();
            let tell = Box::new(move |wrote| drop(told.send(Message::Wrote(at, wrote))));
            let (to, thread) = writer::start(id.clone(), shared.segment, shared.clock.clone(), gauge.clone(), tell)?;
            let (told, fragments) = (messages.clone(), to.clone());
            let events = Box::new(move |event| match event {
                CaptureEvent::Fragment(fragment) => fragments.fragment(fragment),
                other => {
                    if matches!(other, CaptureEvent::Down { .. }) {
                        fragments.down();
                    }
                    drop(told.send(Message::Capture(at, other)));
                }
            });
            let capture =
                Capture::start(place.capture, shared.clock.clone(), events).map_err(|e| Fault::of("start", format!("camera {id}"), e))?;
            cameras.push(CameraView { id, name: place.name, device_no: place.device_no, capture: capture.handle(), gauge });
            captures.push(capture);
            writers.push(CameraWriter { to, thread });
        }
        let view = Arc::new(RoomView::new(settings.id, settings.name, settings.unit, cameras));
        let clock = shared.clock.clone();
        let running = Loop { view: view.clone(), shared, writers, open: None, last: clock.now(), stopping: false };
        let name = format!("room-{}", view.id);
        let thread = thread::Builder::new()
            .name(name)
            .spawn(move || running.run(&inbox, resumed))
            .map_err(|e| Fault::of("start", "a room's loop", e))?;
        Ok(Self { view, messages, captures, thread, clock })
    }

    /// What others may see of it.
    pub fn view(&self) -> &Arc<RoomView> {
        &self.view
    }

    /// Starts a session. It cannot fail on a form: what is missing is found by `model::missing` and asked for later.
    pub async fn begin(&self, begin: Begin) -> Result<Arc<Session>, Refusal> {
        let (reply, told) = oneshot::channel();
        self.ask(Message::Begin(Box::new(begin), self.clock.now(), reply), told).await
    }

    /// Acts on the open session. An end is answered when the session is sealed.
    pub async fn act(&self, session: &SessionId, by: &AccountId, act: Act) -> Result<Arc<Session>, Refusal> {
        let (reply, told) = oneshot::channel();
        self.ask(Message::Act(session.clone(), by.clone(), act, self.clock.now(), reply), told).await
    }

    async fn ask(&self, message: Message, told: oneshot::Receiver<Result<Arc<Session>, Refusal>>) -> Result<Arc<Session>, Refusal> {
        let gone = || Refusal::SessionState { state: "stopping".into() };
        self.messages.send(message).map_err(|_| gone())?;
        told.await.unwrap_or_else(|_| Err(gone()))
    }

    /// Whether its loop still runs.
    pub fn is_alive(&self) -> bool {
        !self.thread.is_finished()
    }

    /// Closes files and ends; an open session stays open.
    pub async fn stop(self) {
        for capture in self.captures {
            capture.stop().await;
        }
        drop(self.messages.send(Message::Stop));
        drop(tokio::task::spawn_blocking(move || drop(self.thread.join())).await);
    }
}

struct CameraWriter {
    to: ToWriter,
    thread: thread::JoinHandle<()>,
}

/// The open session, with what only the loop knows of it.
struct Open {
    session: Session,
    folder: PathBuf,
    clock: SessionClock,
    journal: Option<Journal>,
    /// Lines that could not be written yet.
    unwritten: VecDeque<(Stamp, Happening)>,
    /// Numbers of the next segments.
    sequences: Vec<u32>,
    /// Closings of valves that are not answered yet.
    busy: usize,
    /// Waiting for the seal.
    waiting: Vec<Reply>,
    seal_at: Option<u64>,
}

struct Loop {
    view: Arc<RoomView>,
    shared: Arc<Shared>,
    writers: Vec<CameraWriter>,
    open: Option<Open>,
    last: Moment,
    stopping: bool,
}

impl Loop {
    fn run(mut self, inbox: &mpsc::Receiver<Message>, resumed: Option<Resumed>) {
        if let Some(resumed) = resumed {
            self.resume_left(resumed);
        }
        loop {
            match inbox.recv_timeout(TICK) {
                Ok(Message::Begin(begin, at, reply)) => drop(reply.send(self.begin(*begin, at))),
                Ok(Message::Act(session, by, act, at, reply)) => self.act(&session, &by, act, at, reply),
                Ok(Message::Capture(camera, event)) => self.captured(camera, event),
                Ok(Message::Wrote(camera, wrote)) => self.wrote(camera, wrote),
                Ok(Message::Stop) => {
                    self.stopping = true;
                    self.writers.iter().for_each(|w| w.to.stop());
                    // Their last words are in the inbox by now or will be before their threads end.
                    for writer in std::mem::take(&mut self.writers) {
                        drop(writer.thread.join());
                    }
                    while let Ok(message) = inbox.try_recv() {
                        if let Message::Wrote(camera, wrote) = message {
                            self.wrote(camera, wrote);
                        }
                    }
                    return;
                }
                Err(mpsc::RecvTimeoutError::Timeout) => {}
                Err(mpsc::RecvTimeoutError::Disconnected) => return,
            }
            self.tick();
        }
    }

    fn begin(&mut self, begin: Begin, at: Moment) -> Result<Arc<Session>, Refusal> {
        if let Some(open) = &self.open {
            return Err(Refusal::RoomBusy { session: open.session.id.to_string() });
        }
        let id = self.fresh_id(at);
        let start = Start {
            id,
            room: self.view.id.clone(),
            unit: begin.unit.unwrap_or_else(|| self.view.unit.clone()),
            kind: begin.kind,
            by: begin.by.clone(),
            facts: begin.facts,
            devices: self.devices(),
            rules: self.shared.rules.clone(),
        };
        let stamp = Stamp { at: at.utc, at_ms: 0 };
        let folder = tree::session_folder(&self.shared.footage, &start, at.utc);
        let (session, effects) = step::begin(&start, stamp);
        let sequences = vec![1; self.writers.len()];
        let clock = SessionClock::new(at, 0);
        self.open = Some(Open {
            session,
            folder,
            clock,
            journal: None,
            unwritten: VecDeque::new(),
            sequences,
            busy: 0,
            waiting: vec![],
            seal_at: None,
        });
        self.view.cameras.iter().for_each(|c| c.gauge.reset());
        // Valves first: not even the journal's first line is worth a lost picture.
        self.apply(effects);
        let entry = Draft::new(EntryKind::SessionStarted).by(&begin.by).about("room", &self.view.id).about("kind", begin.kind.as_str());
        self.record(stamp, Happening::Started(Box::new(start)), Some(entry));
        self.note_clock(at, None);
        self.note_absent(at);
        Ok(self.shown())
    }

    fn fresh_id(&self, at: Moment) -> SessionId {
        let base = format!("{}-{}", self.view.id, time::shanghai_stamp(at.utc));
        let taken = |id: &SessionId| tree::is_taken(&self.shared.footage, &self.view.id, at.utc, id);
        let mut candidates = std::iter::once(base.clone()).chain((2..).map(|n| format!("{base}-{n}")));
        // A clock that was set back can meet its own past: the number is taken once, whoever had it.
        let found = candidates.find_map(|c| SessionId::new(&c).ok().filter(|id| !taken(id)));
        found.unwrap_or_else(|| unreachable!("room identifiers have at most 40 characters"))
    }

    fn devices(&self) -> Vec<Device> {
        self.view.cameras.iter().map(|c| Device { camera: c.id.clone(), device_no: c.device_no.clone(), name: c.name.clone() }).collect()
    }

    fn act(&mut self, session: &SessionId, by: &AccountId, act: Act, at: Moment, reply: Reply) {
        let Some(open) = self.open.as_ref().filter(|o| o.session.id == *session) else {
            return drop(reply.send(Err(Refusal::no_such("open session", session.as_str()))));
        };
        let stamp = Stamp { at: at.utc, at_ms: open.clock.ms(at) };
        let ends = matches!(act, Act::End { .. });
        let (happening, entry) = told(act, by, stamp);
        match step::step(&open.session, &happening, stamp) {
            Err(refusal) => drop(reply.send(Err(refusal))),
            Ok((next, effects)) => {
                self.follow(next, stamp, happening, Some(entry.by(by)));
                if ends && let Some(open) = &mut self.open {
                    open.waiting.push(reply);
                } else {
                    drop(reply.send(Ok(self.shown())));
                }
                self.apply(effects);
            }
        }
    }

    fn captured(&mut self, camera: usize, event: CaptureEvent) {
        match event {
            CaptureEvent::Down { cause, detail, since } => self.lost(camera, since, cause, detail),
            CaptureEvent::Note { detail, .. } => tracing::warn!(camera = %self.view.cameras[camera].id, "{detail}"),
            CaptureEvent::Up { .. } | CaptureEvent::Fragment(_) => {}
        }
    }

    fn lost(&mut self, camera: usize, since: Moment, cause: GapCause, detail: String) {
        let Some(open) = self.open.as_ref().filter(|o| o.session.state == State::Recording) else { return };
        let camera = self.view.cameras[camera].id.clone();
        let entry = Draft::new(EntryKind::CameraLost).about("camera", &camera).about("cause", cause.as_str());
        let happening = Happening::Lost { camera, since_ms: open.clock.ms(since), cause, detail: Some(detail) };
        self.happen(happening, Some(entry));
    }

    fn wrote(&mut self, camera: usize, wrote: Wrote) {
        let Some(open) = &mut self.open else { return };
        match wrote {
            Wrote::Opened { sequence, file, offset_ms, first } => {
                open.sequences[camera] = sequence + 1;
                let camera = self.view.cameras[camera].id.clone();
                self.happen(Happening::SegmentOpened { camera, sequence, file, offset_ms, started_at: first.utc }, None);
            }
            Wrote::Closed(segment) => self.happen(Happening::SegmentClosed(*segment), None),
            Wrote::Lost { since, cause, detail } => self.lost(camera, since, cause, detail),
            Wrote::Idle => open.busy = open.busy.saturating_sub(1),
        }
    }

    /// Something that happened by itself, now.
    fn happen(&mut self, happening: Happening, entry: Option<Draft>) {
        let Some(open) = &self.open else { return };
        let now = self.shared.clock.now();
        let stamp = Stamp { at: now.utc, at_ms: open.clock.ms(now) };
        match step::step(&open.session, &happening, stamp) {
            Ok((next, effects)) => {
                self.follow(next, stamp, happening, entry);
                self.apply(effects);
            }
            Err(refusal) => tracing::error!(session = %open.session.id, %refusal, "a happening does not fit the session"),
        }
    }

    fn follow(&mut self, next: Session, stamp: Stamp, happening: Happening, entry: Option<Draft>) {
        if let Some(open) = &mut self.open {
            open.session = next;
        }
        self.record(stamp, happening, entry);
    }

    /// Journal, view, log, catalog: in this order, none of them able to stop the session.
    fn record(&mut self, stamp: Stamp, happening: Happening, entry: Option<Draft>) {
        let Some(open) = &mut self.open else { return };
        open.unwritten.push_back((stamp, happening));
        // A crash before this returns leaves a happening that nobody was told of.
        write_journal(open);
        self.view.show(Some((Arc::new(open.session.clone()), open.clock)));
        recovery::index(&self.shared, &open.session, &open.folder, entry);
    }

    fn shown(&self) -> Arc<Session> {
        self.view.session().unwrap_or_else(|| unreachable!("shown right after a step of the open session"))
    }

    fn apply(&mut self, effects: Vec<Effect>) {
        for effect in effects {
            match effect {
                Effect::OpenValves => self.open_valves(),
                Effect::CloseValves => self.close_valves(),
                Effect::Seal => {
                    if let Some(open) = &mut self.open {
                        open.seal_at = Some(0);
                    }
                }
            }
        }
    }

    fn open_valves(&mut self) {
        let Some(open) = &mut self.open else { return };
        for (at, writer) in self.writers.iter().enumerate() {
            // Pre-roll only before the first picture: after an interruption the room was promised that nothing is recorded.
            let first = open.sequences[at] == 1 && open.session.interruptions.is_empty();
            let preroll = if first { self.view.cameras[at].capture.preroll() } else { vec![] };
            writer.to.open(Target { folder: open.folder.clone(), clock: open.clock, sequence: open.sequences[at], preroll });
        }
    }

    fn close_valves(&mut self) {
        let now = self.shared.clock.now();
        let Some(open) = &mut self.open else { return };
        for writer in &self.writers {
            open.busy += 1;
            writer.to.close(now);
        }
    }

    fn tick(&mut self) {
        let now = self.shared.clock.now();
        let stepped = now.stepped_since(self.last);
        if stepped.abs() >= STEP_MS && self.open.is_some() {
            self.note_clock(now, Some(stepped));
        }
        self.last = now;
        if let Some(open) = &mut self.open {
            write_journal(open);
        }
        self.seal(now);
    }

    fn note_clock(&mut self, now: Moment, stepped_ms: Option<i64>) {
        let Some(open) = &self.open else { return };
        let seen = ClockSeen { at_ms: open.clock.ms(now), synchronised: self.shared.clock.state().synchronised, stepped_ms };
        let entry = stepped_ms.map(|ms| Draft::new(EntryKind::ClockStepped).about("stepped_ms", ms));
        self.happen(Happening::Clock(seen), entry);
    }

    /// Cameras that are away when a session starts are a gap from its first moment.
    fn note_absent(&mut self, now: Moment) {
        for at in 0..self.writers.len() {
            let status = self.view.cameras[at].capture.status();
            if !status.connected {
                let detail = status.detail.unwrap_or_else(|| "not connected yet".into());
                self.lost(at, now, status.cause.unwrap_or(GapCause::Camera), detail);
            }
        }
    }

    fn seal(&mut self, now: Moment) {
        let Some(open) = &mut self.open else { return };
        let due = open.seal_at.is_some_and(|at| at <= now.mono_ms);
        if !due || open.busy > 0 || !open.unwritten.is_empty() || self.stopping {
            return;
        }
        self.note_clock(now, None);
        let Some(open) = &mut self.open else { return };
        let lines = recovery::take_up(&open.folder, &open.session);
        let taken = lines.into_iter().map(|segment| (Happening::SegmentClosed(segment), Stamp { at: now.utc, at_ms: open.clock.ms(now) }));
        for (happening, stamp) in taken {
            if let Ok((next, _)) = step::step(&open.session, &happening, stamp) {
                open.session = next;
                open.unwritten.push_back((stamp, happening));
            }
        }
        write_journal(open);
        match seal::seal(&open.folder, &open.session, &self.shared.signer, now.utc) {
            Ok(sealed) => {
                let entry = Draft::new(EntryKind::SessionSealed).about("seal_code", &sealed.code).about("signer", &sealed.signer);
                open.seal_at = None;
                self.happen(Happening::Sealed(sealed), Some(entry));
                self.finish();
            }
            Err(fault) => {
                tracing::error!(session = %open.session.id, %fault, "not sealed yet");
                open.seal_at = Some(now.mono_ms + SEAL_RETRY_MS);
            }
        }
    }

    fn finish(&mut self) {
        let Some(open) = self.open.take() else { return };
        let sealed = Arc::new(open.session);
        self.view.show(None);
        for reply in open.waiting {
            drop(reply.send(Ok(sealed.clone())));
        }
    }

    fn resume_left(&mut self, left: Resumed) {
        let now = self.shared.clock.now();
        let wall_ms = (now.utc - left.session.started_at).num_milliseconds().max(0) as u64;
        // A clock that was set back while the recorder was away must not lay new footage over old.
        let clock = SessionClock::new(now, wall_ms.max(left.since_ms));
        let next = |c: &CameraView| {
            left.session.segments.iter().filter(|s| s.camera == c.id).map(|s| s.sequence).max().unwrap_or(0).max(left.sequence_max) + 1
        };
        let sequences = self.view.cameras.iter().map(next).collect();
        let ended = left.session.state == State::Ended;
        let (cause, since_ms) = (left.cause, left.since_ms);
        self.open = Some(Open {
            session: left.session,
            folder: left.folder,
            clock,
            journal: None,
            unwritten: left.unwritten.into(),
            sequences,
            busy: 0,
            waiting: vec![],
            seal_at: ended.then_some(0),
        });
        if ended {
            return;
        }
        let entry = Draft::new(EntryKind::SessionRecovered).about("cause", cause.as_str()).about("since_ms", since_ms);
        self.happen(Happening::Restarted { cause, since_ms }, Some(entry));
    }
}

/// What an act is in the journal and in the log.
fn told(act: Act, by: &AccountId, stamp: Stamp) -> (Happening, Draft) {
    match act {
        Act::Mark { kind, text } => {
            let entry =
                Draft::new(EntryKind::MarkSet).about("mark", kind.as_str()).about("at_ms", stamp.at_ms).text("text", text.as_deref());
            (Happening::Marked(Mark { at_ms: stamp.at_ms, at: stamp.at, kind, text, by: by.clone() }), entry)
        }
        Act::Interrupt { cause, reason } => {
            let entry = Draft::new(EntryKind::SessionInterrupted).about("cause", cause.as_str()).text("reason", reason.as_deref());
            (Happening::Interrupted { cause, reason, by: by.clone() }, entry)
        }
        Act::Resume => (Happening::Resumed { by: by.clone() }, Draft::new(EntryKind::SessionResumed)),
        Act::End { mistake } => {
            let entry = Draft::new(EntryKind::SessionEnded).about("mistake", mistake.is_some()).text("mistake", mistake.as_deref());
            (Happening::Ended { by: Some(by.clone()), mistake }, entry)
        }
        Act::Link { facts, reason } => {
            let entry = recovery::link_entry(&facts, &reason);
            (Happening::Linked { by: by.clone(), reason, facts }, entry)
        }
    }
}

fn write_journal(open: &mut Open) {
    while let Some((stamp, happening)) = open.unwritten.front() {
        let journal = match &mut open.journal {
            Some(journal) => Ok(journal),
            None => durable::make_folder(&open.folder).and_then(|()| Journal::open(&open.folder)).map(|j| open.journal.insert(j)),
        };
        if let Err(fault) = journal.and_then(|j| j.write(*stamp, happening)) {
            tracing::error!(session = %open.session.id, %fault, "the journal waits");
            return;
        }
        open.unwritten.pop_front();
    }
}

/// Reading a camera of a room, for those who may.
pub fn capture_of<'a>(view: &'a RoomView, camera: &CameraId) -> Option<&'a CaptureHandle> {
    view.cameras.iter().find(|c| c.id == *camera).map(|c| &c.capture)
}
