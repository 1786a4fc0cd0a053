//! A room's loop: commands and events in, happenings into the journal, effects out.

use crate::custody::seal;
use crate::footage::journal::Journal;
use crate::footage::keyring::{CameraKey, WrappedKey};
use crate::footage::tree;
use crate::machine::{durable, randomness};
use crate::model::entry::{Draft, EntryKind};
use crate::model::fragment::CaptureEvent;
use crate::model::gap::GapCause;
use crate::model::ids::{AccountId, CameraId, SessionId};
use crate::model::mark::{Mark, MarkKind};
use crate::model::record::RecordChange;
use crate::model::refusal::Refusal;
use crate::model::session::{ClockSeen, Device, Happening, Segment, Session, Stamp, Start, State};
use crate::model::step::{self, Effect};
use crate::model::time::{self, Moment};
use crate::recorder::after_end::{answer_entry, link_entry};
use crate::recorder::cutter::{Chain, Cutter, Target};
use crate::recorder::recovery::Resumed;
use crate::recorder::room::{Act, Begin, Message, Reply, lock};
use crate::recorder::view::{CameraView, RoomView, SessionClock};
use crate::recorder::volume::Wrote;
use crate::recorder::{Shared, mirror};
use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;

/// How often the loop looks at the clock and at what waits.
const TICK: Duration = Duration::from_millis(500);
/// A difference of the two clocks over one tick that is a step and no slewing, ms.
const STEP_MS: i64 = 500;
/// How long to wait before sealing is tried again, ms.
const SEAL_RETRY_MS: u64 = 5_000;
/// How long the end of the process waits for the volumes' last words.
const LAST: Duration = Duration::from_secs(6);

/// The open session, with what only the loop knows of it.
struct Open {
    session: Session,
    folder: PathBuf,
    clock: SessionClock,
    journal: Option<Journal>,
    /// Lines that could not be written yet.
    unwritten: VecDeque<(Stamp, Happening)>,
    /// Where each camera's chain of segments goes on.
    chains: Vec<Chain>,
    /// Cameras that have a file in this session.
    begun: Vec<bool>,
    /// Files that are whole on the mirror.
    mirrored: Vec<Segment>,
    /// Closings of valves that are not answered yet.
    busy: usize,
    /// Waiting for the seal.
    waiting: Vec<Reply>,
    seal_at: Option<u64>,
    /// With what its footage is encrypted from this start of the recorder on.
    key: Option<Arc<WrappedKey>>,
}

pub(super) struct Loop {
    view: Arc<RoomView>,
    shared: Arc<Shared>,
    cutters: Vec<Arc<Mutex<Cutter>>>,
    open: Option<Open>,
    last: Moment,
    stopping: bool,
}

impl Loop {
    pub(super) fn new(view: Arc<RoomView>, shared: Arc<Shared>, cutters: Vec<Arc<Mutex<Cutter>>>) -> Self {
        let last = shared.clock.now();
        Self { view, shared, cutters, open: None, last, stopping: false }
    }

    pub(super) fn run(mut self, inbox: &mpsc::Receiver<Message>, resumed: Option<Resumed>) {
        if let Some(resumed) = resumed {
            self.resume_left(resumed);
        }
        loop {
            match inbox.recv_timeout(TICK) {
                Ok(Message::Begin(begin, at, reply)) => drop(reply.send(self.begin(*begin, at))),
                Ok(Message::Act(session, by, act, at, reply)) => self.act(&session, &by, act, at, reply),
                Ok(Message::Capture(camera, event)) => self.captured(camera, event),
                Ok(Message::Wrote(camera, volume, wrote)) => self.wrote(camera, volume, wrote),
                Ok(Message::Retire(reply)) => {
                    let is_free = self.open.is_none();
                    // Nobody there to take its place: the room goes on.
                    if reply.send(is_free).is_ok() && is_free {
                        return;
                    }
                }
                Ok(Message::Stop) => return self.stop(inbox),
                Err(mpsc::RecvTimeoutError::Timeout) => {}
                Err(mpsc::RecvTimeoutError::Disconnected) => return,
            }
            self.tick();
        }
    }

    /// Closes the files and writes down what the volumes say of them.
    fn stop(&mut self, inbox: &mpsc::Receiver<Message>) {
        self.stopping = true;
        self.close_valves();
        self.cutters.iter().for_each(|c| lock(c).close_valve());
        let until = self.shared.clock.now().mono_ms + LAST.as_millis() as u64;
        while self.open.as_ref().is_some_and(|o| o.busy > 0) && self.shared.clock.now().mono_ms < until {
            if let Ok(Message::Wrote(camera, volume, wrote)) = inbox.recv_timeout(TICK) {
                self.wrote(camera, volume, wrote);
            }
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
            devices: self.devices(&begin.without),
            plan: begin.plan,
            readiness: begin.readiness,
            // Without randomness the screen has no code; the session starts all the same.
            screen_key: randomness::hex::<16>().unwrap_or_default(),
            rules: self.shared.rules.clone(),
            imported: None,
        };
        let stamp = Stamp { at: at.utc, at_ms: 0 };
        let folder = tree::session_folder(&self.shared.footage, &start, at.utc);
        let (session, effects) = step::begin(&start, stamp);
        let clock = SessionClock::new(at, 0);
        let key = self.make_key();
        self.open = Some(Open {
            session,
            folder,
            clock,
            journal: None,
            unwritten: VecDeque::new(),
            chains: vec![Chain::default(); self.cutters.len()],
            begun: vec![false; self.cutters.len()],
            mirrored: vec![],
            busy: 0,
            waiting: vec![],
            seal_at: None,
            key,
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

    /// A new key for what is recorded from now on, where footage is encrypted. Recording does not fail on it: without one it goes on in
    /// the clear, and the log says so.
    fn make_key(&self) -> Option<Arc<WrappedKey>> {
        let made = WrappedKey::make(self.shared.recipients.as_ref()?);
        if let Err(fault) = &made {
            tracing::error!(room = %self.view.id, %fault, "footage is NOT encrypted");
            self.shared.acts.do_and_log(Draft::new(EntryKind::NotEncrypted).about("room", &self.view.id), |_| Ok(()));
        }
        made.ok().map(Arc::new)
    }

    fn fresh_id(&self, at: Moment) -> SessionId {
        let base = format!("{}-{}", self.view.id, time::shanghai_stamp(at.utc));
        let taken = |id: &SessionId| tree::is_taken(&self.shared.footage, &self.view.id, at.utc, id);
        let mut candidates = std::iter::once(base.clone()).chain((2..).map(|n| format!("{base}-{n}")));
        // A clock that was set back can meet its own past: the number is taken once, whoever had it.
        let found = candidates.find_map(|c| SessionId::new(&c).ok().filter(|id| !taken(id)));
        found.unwrap_or_else(|| unreachable!("room identifiers have at most 40 characters"))
    }

    fn devices(&self, without: &[CameraId]) -> Vec<Device> {
        let device = |c: &CameraView| Device {
            camera: c.id.clone(),
            device_no: c.device_no.clone(),
            name: c.name.clone(),
            address: c.address.clone(),
        };
        self.view.cameras.iter().filter(|c| !without.contains(&c.id)).map(device).collect()
    }

    /// Whether a camera takes part in the open session: one that was out of use when it began does not (第十六条). A session of which the
    /// room has no camera any more is recorded by those that it has.
    fn takes_part(&self, camera: usize) -> bool {
        let of = |c: &CameraView| self.open.as_ref().is_some_and(|o| o.session.devices.iter().any(|d| d.camera == c.id));
        of(&self.view.cameras[camera]) || !self.view.cameras.iter().any(of)
    }

    fn act(&mut self, session: &SessionId, by: &AccountId, act: Act, at: Moment, reply: Reply) {
        let Some(open) = self.open.as_ref().filter(|o| o.session.id == *session) else {
            return drop(reply.send(Err(Refusal::no_such("open session", session.as_str()))));
        };
        let stamp = Stamp { at: at.utc, at_ms: open.clock.ms(at) };
        let (ends, resumes) = (matches!(act, Act::End { .. }), matches!(act, Act::Resume));
        // What the party is about to sign gets its code by itself: nobody has to think of it.
        let wants_code = matches!(act, Act::Mark { kind: MarkKind::ReadingBack | MarkKind::Signing, .. });
        let Some((happening, entry)) = told(act, by, stamp) else {
            return drop(reply.send(self.seal_interim(by, stamp)));
        };
        match step::step(&open.session, &happening, stamp) {
            Err(refusal) => drop(reply.send(Err(refusal))),
            Ok((next, effects)) => {
                self.follow(next, stamp, happening, entry.map(|e| e.by(by)));
                if wants_code && let Err(refusal) = self.seal_interim(by, stamp) {
                    tracing::error!(%refusal, "no interim seal");
                }
                if ends && let Some(open) = &mut self.open {
                    open.waiting.push(reply);
                } else {
                    drop(reply.send(Ok(self.shown())));
                }
                self.apply(effects);
                if resumes {
                    self.note_absent(at);
                }
            }
        }
    }

    /// Signs everything that is known and closed so far; the session goes on.
    fn seal_interim(&mut self, by: &AccountId, stamp: Stamp) -> Result<Arc<Session>, Refusal> {
        let Some(open) = &self.open else { return Err(Refusal::SessionState { state: "ended".into() }) };
        let number = open.session.interim.len() as u32 + 1;
        let sealed = seal::seal_interim(&open.folder, &open.session, number, &self.shared.signer, stamp).map_err(|fault| {
            tracing::error!(session = %open.session.id, %fault, "no interim seal");
            Refusal::NotSealable
        })?;
        let happening = Happening::InterimSealed(sealed.clone());
        let (next, _) = step::step(&open.session, &happening, stamp)?;
        let entry = Draft::new(EntryKind::InterimSealed).by(by).about("seal_code", &sealed.code).about("at_ms", stamp.at_ms);
        self.follow(next, stamp, happening, Some(entry));
        Ok(self.shown())
    }

    fn captured(&mut self, camera: usize, event: CaptureEvent) {
        match event {
            CaptureEvent::Down { cause, detail, since } => self.lost(camera, since, cause, detail),
            CaptureEvent::Note { detail, .. } => tracing::warn!(camera = %self.view.cameras[camera].id, "{detail}"),
            CaptureEvent::Up | CaptureEvent::Fragment(_) => {}
        }
    }

    fn lost(&mut self, camera: usize, since: Moment, cause: GapCause, detail: String) {
        if !self.takes_part(camera) {
            return;
        }
        let Some(open) = &self.open else { return };
        let since_ms = open.clock.ms(since);
        // In a pause nothing is recorded that could be lost. What was lost before it, or before the end, counts whenever it is told: a
        // volume gives up ten seconds later.
        if open.session.stopped_ms().is_some_and(|stopped| since_ms >= stopped) {
            return;
        }
        let camera = self.view.cameras[camera].id.clone();
        let entry = Draft::new(EntryKind::CameraLost).about("camera", &camera).about("cause", cause.as_str());
        let happening = Happening::Lost { camera, since_ms, cause, detail: Some(detail) };
        self.happen(happening, Some(entry));
    }

    fn wrote(&mut self, camera: usize, volume: usize, wrote: Wrote) {
        let Some(open) = &mut self.open else { return };
        if let Wrote::Closed(segment) = &wrote {
            self.shared.scrub.closed(volume, self.shared.below(&open.folder), segment);
        }
        match wrote {
            Wrote::Idle => open.busy = open.busy.saturating_sub(1),
            // What a mirror has is only needed when the first volume does not have it: see `mirror::reconcile`.
            Wrote::Closed(segment) if volume > 0 => open.mirrored.push(*segment),
            Wrote::Opened(_) | Wrote::Lost { .. } if volume > 0 => {}
            Wrote::Opened(begin) => {
                open.begun[camera] = true;
                let key =
                    begin.key.as_ref().map(|key| key.said().clone()).filter(|said| open.session.keys.iter().all(|k| k.kid != said.kid));
                if let Some(said) = key {
                    let entry = Draft::new(EntryKind::SessionKeyMade).about("kid", &said.kid).about("sha256", &said.sha256);
                    self.happen(Happening::KeyMade(said), Some(entry));
                }
                let Segment { camera, sequence, file, offset_ms, started_at, .. } = begin.segment.clone();
                self.happen(Happening::SegmentOpened { camera, sequence, file, offset_ms, started_at }, None);
            }
            Wrote::Closed(segment) => self.happen(Happening::SegmentClosed(*segment), None),
            Wrote::Lost { since, cause, detail } => self.lost(camera, since, cause, detail),
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
        if let Some(mirror) = self.shared.mirror() {
            mirror.line(self.shared.below(&open.folder), crate::footage::journal::line(stamp, &happening));
        }
        open.unwritten.push_back((stamp, happening));
        // A crash before this returns leaves a happening that nobody was told of.
        write_journal(open);
        self.view.show(Some((Arc::new(open.session.clone()), open.clock)));
        self.shared.index(&open.session, &open.folder, entry);
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
        let opened = self.shared.clock.now();
        let part: Vec<bool> = (0..self.cutters.len()).map(|at| self.takes_part(at)).collect();
        let Some(open) = &mut self.open else { return };
        for (at, cutter) in self.cutters.iter().enumerate().filter(|(at, _)| part[*at]) {
            // Pre-roll only before the first picture: after an interruption the room was promised that nothing is recorded.
            let first = open.chains[at].last == 0 && !open.begun[at] && open.session.interruptions.is_empty();
            let preroll = if first { self.view.cameras[at].capture.preroll() } else { vec![] };
            let (session, folder) = (open.session.id.clone(), self.shared.below(&open.folder).to_owned());
            let key = open.key.as_ref().map(|key| CameraKey { session: key.clone(), camera: at as u16 });
            lock(cutter).open(Target { session, folder, clock: open.clock, chain: open.chains[at].clone(), opened, preroll, key });
        }
    }

    fn close_valves(&mut self) {
        let now = self.shared.clock.now();
        let Some(open) = &mut self.open else { return };
        open.busy += self.cutters.iter().map(|c| lock(c).close_at(now)).sum::<usize>();
    }

    fn tick(&mut self) {
        let now = self.shared.clock.now();
        let stepped = now.stepped_since(self.last);
        if stepped.abs() >= STEP_MS && self.open.is_some() {
            self.note_clock(now, Some(stepped));
        }
        self.last = now;
        self.cutters.iter().for_each(|c| lock(c).tick(now));
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

    /// Cameras that are away when a session starts or goes on are a gap from that moment: that they fell away was told only once.
    fn note_absent(&mut self, now: Moment) {
        for at in 0..self.cutters.len() {
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
        let Some(open) = &self.open else { return };
        for happening in mirror::take_up(&self.shared, &open.folder, &open.session, &open.mirrored) {
            let entry = mirror::entry(&happening);
            self.happen(happening, entry);
        }
        let Some(open) = self.open.as_mut().filter(|o| o.unwritten.is_empty()) else { return };
        match seal::seal(&open.folder, &open.session, &self.shared.signer, now.utc) {
            Ok(sealed) => {
                let entry = Draft::new(EntryKind::SessionSealed).about("seal_code", &sealed.code).about("signer", &sealed.signer);
                open.seal_at = None;
                let folder = open.folder.clone();
                self.happen(Happening::Sealed(sealed), Some(entry));
                mirror::copy_papers(&self.shared, &folder);
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
        let chain = |c: &CameraView| {
            let last = left.session.segments.iter().filter(|s| s.camera == c.id).max_by_key(|s| s.sequence);
            Chain { last: last.map_or(0, |s| s.sequence).max(left.sequence_max), digest: last.map(|s| s.sha256.clone()) }
        };
        let chains = self.view.cameras.iter().map(chain).collect();
        let ended = left.session.state == State::Ended;
        let (cause, since_ms) = (left.cause, left.since_ms);
        // A key of its own: nothing here can open the one before.
        let key = if ended { None } else { self.make_key() };
        self.open = Some(Open {
            session: left.session,
            folder: left.folder,
            clock,
            journal: None,
            unwritten: left.unwritten.into(),
            chains,
            begun: vec![true; self.cutters.len()],
            mirrored: vec![],
            busy: 0,
            waiting: vec![],
            seal_at: ended.then_some(0),
            key,
        });
        if ended {
            return;
        }
        let entry = Draft::new(EntryKind::SessionRecovered).about("cause", cause.as_str()).about("since_ms", since_ms);
        self.happen(Happening::Restarted { cause, since_ms }, Some(entry));
    }
}

/// What an act is in the journal and in the log. A typed line is no entry of its own: seals and signatures vouch for the record.
/// `None` for a seal in the middle, which is made first and then told.
fn told(act: Act, by: &AccountId, stamp: Stamp) -> Option<(Happening, Option<Draft>)> {
    let by = by.clone();
    Some(match act {
        Act::Mark { kind, manner, text, witness } => {
            let entry = Draft::new(EntryKind::MarkSet)
                .about("mark", kind.as_str())
                .about("at_ms", stamp.at_ms)
                .text("text", text.as_deref())
                .text("witness", witness.as_deref());
            (Happening::Marked(Mark { at_ms: stamp.at_ms, at: stamp.at, kind, manner, text, witness, by }), Some(entry))
        }
        Act::Record(change) => {
            let entry = match &change {
                RecordChange::Page { page, signer, signature, .. } => Some(
                    Draft::new(EntryKind::RecordSigned)
                        .about("page", page)
                        .about("signature", signature.as_str())
                        .text("signer", Some(signer)),
                ),
                RecordChange::Corrected { number, text, by_party } => {
                    Some(Draft::new(EntryKind::RecordCorrected).about("line", number).about("by_party", by_party).text("text", Some(text)))
                }
                _ => None,
            };
            (Happening::Recorded { change, by }, entry)
        }
        Act::Answer { demand, kind, reason } => {
            let entry = answer_entry(&demand, kind, reason.as_deref());
            (Happening::Answered { demand, kind, reason, by }, Some(entry))
        }
        Act::Interrupt { cause, reason } => {
            let entry = Draft::new(EntryKind::SessionInterrupted).about("cause", cause.as_str()).text("reason", reason.as_deref());
            (Happening::Interrupted { cause, reason, by }, Some(entry))
        }
        Act::InterimSeal => return None,
        Act::Resume => (Happening::Resumed { by }, Some(Draft::new(EntryKind::SessionResumed))),
        Act::End { mistake } => {
            let entry = Draft::new(EntryKind::SessionEnded).about("mistake", mistake.is_some()).text("mistake", mistake.as_deref());
            (Happening::Ended { by: Some(by), mistake }, Some(entry))
        }
        Act::Link { facts, reason } => {
            let entry = link_entry(&facts, &reason);
            (Happening::Linked { by, reason, facts }, Some(entry))
        }
    })
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
