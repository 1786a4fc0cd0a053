//! The writer of one camera: fragments in, durable segments out. A thread of its own, so that a slow volume holds nobody else.

use crate::footage::segment::{NotKept, OpenSegment};
use crate::machine::clock::Clock;
use crate::machine::{durable, fault::Fault};
use crate::model::fragment::Fragment;
use crate::model::gap::GapCause;
use crate::model::ids::CameraId;
use crate::model::session::Segment;
use crate::model::time::Moment;
use crate::recorder::view::{Gauge, SessionClock};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::Duration;

/// Fragments that may wait for a slow volume, bytes: two minutes of a camera of 4 Mbit/s. More are let go, as a gap with the
/// cause *disk*: memory is bounded, and the other cameras go on.
const WAITING_BYTES_MAX: u64 = 64 * 1024 * 1024;
/// What the first picture needs to be decoded: fragments since the last key frame, bytes.
const LEAD_IN_BYTES_MAX: usize = 16 * 1024 * 1024;
/// How long to wait after a volume failed before trying again.
const RETRY_MS: u64 = 1_000;
/// How long the fragment that holds the last moment may take to come out of the muxer, ms.
const LAST_MS_MAX: u64 = 2_500;
/// How often a closing valve looks at the clock.
const LOOK: Duration = Duration::from_millis(100);

/// What a writer records into.
#[derive(Debug, Clone)]
pub struct Target {
    /// The session's folder.
    pub folder: PathBuf,
    /// Session time.
    pub clock: SessionClock,
    /// Number of the next segment.
    pub sequence: u32,
    /// Pre-roll to begin with, where the room is told of it.
    pub preroll: Vec<Arc<Fragment>>,
}

enum Message {
    Fragment(Arc<Fragment>),
    Down,
    Open(Box<Target>),
    Close(Moment),
    Stop,
}

/// What a writer tells its room.
#[derive(Debug)]
pub enum Wrote {
    /// A file was begun and its first fragment is durable.
    Opened {
        /// Its number.
        sequence: u32,
        /// Its name.
        file: String,
        /// Session time of its first picture.
        offset_ms: i64,
        /// Arrival of its first picture.
        first: Moment,
    },
    /// A file was closed and digested.
    Closed(Box<Segment>),
    /// Something could not be kept, since when and why.
    Lost {
        /// Since.
        since: Moment,
        /// Why.
        cause: GapCause,
        /// In words.
        detail: String,
    },
    /// The valve is closed: no file is open.
    Idle,
}

/// Sends to a writer; never waits.
#[derive(Clone)]
pub struct ToWriter {
    messages: mpsc::Sender<Message>,
    waiting: Arc<AtomicU64>,
    let_go: Arc<AtomicU64>,
}

impl ToWriter {
    /// A fragment, unless too much already waits.
    pub fn fragment(&self, fragment: Arc<Fragment>) {
        let bytes = fragment.bytes.len() as u64;
        if self.waiting.load(Ordering::Relaxed) + bytes > WAITING_BYTES_MAX {
            self.let_go.fetch_add(1, Ordering::Relaxed);
            return;
        }
        self.waiting.fetch_add(bytes, Ordering::Relaxed);
        self.send(Message::Fragment(fragment));
    }
    /// The stream ended; what is open is closed, what comes next begins a new file.
    pub fn down(&self) {
        self.send(Message::Down);
    }
    /// Opens the valve.
    pub fn open(&self, target: Target) {
        self.send(Message::Open(Box::new(target)));
    }
    /// Closes the valve once everything up to this moment is written; answered by [`Wrote::Idle`].
    pub fn close(&self, until: Moment) {
        self.send(Message::Close(until));
    }
    /// Closes the valve and ends the thread.
    pub fn stop(&self) {
        self.send(Message::Stop);
    }
    fn send(&self, message: Message) {
        if self.messages.send(message).is_err() {
            tracing::error!("a camera's writer has ended");
        }
    }
}

/// Starts a camera's writer. `tell` must not wait.
pub fn start(
    camera: CameraId,
    segment: Duration,
    clock: Arc<dyn Clock>,
    gauge: Arc<Gauge>,
    tell: Box<dyn Fn(Wrote) + Send>,
) -> Result<(ToWriter, thread::JoinHandle<()>), Fault> {
    let (messages, inbox) = mpsc::channel();
    let to = ToWriter { messages, waiting: Arc::default(), let_go: Arc::default() };
    let writer = Writer {
        name: camera.to_string(),
        camera,
        segment,
        clock,
        gauge,
        tell,
        target: None,
        open: None,
        lead_in: Vec::new(),
        before: Vec::new(),
        closing: None,
        owed: 0,
        last: None,
        failed: None,
        waiting: to.waiting.clone(),
        let_go: to.let_go.clone(),
    };
    let name = format!("write-{}", writer.name);
    let thread =
        thread::Builder::new().name(name).spawn(move || writer.run(&inbox)).map_err(|e| Fault::of("start", "a camera's writer", e))?;
    Ok((to, thread))
}

struct Writer {
    name: String,
    camera: CameraId,
    segment: Duration,
    clock: Arc<dyn Clock>,
    gauge: Arc<Gauge>,
    tell: Box<dyn Fn(Wrote) + Send>,
    target: Option<Target>,
    open: Option<OpenSegment>,
    /// Fragments since the last key frame.
    lead_in: Vec<Arc<Fragment>>,
    /// What to begin with, should the first fragment after opening be no key frame.
    before: Vec<Arc<Fragment>>,
    /// Up to when to go on writing.
    closing: Option<Moment>,
    /// Closings that were asked for and not answered yet.
    owed: u32,
    last: Option<Arc<Fragment>>,
    failed: Option<Moment>,
    waiting: Arc<AtomicU64>,
    let_go: Arc<AtomicU64>,
}

impl Writer {
    fn run(mut self, inbox: &mpsc::Receiver<Message>) {
        loop {
            let message = match self.closing {
                None => inbox.recv().map_err(|_| mpsc::RecvTimeoutError::Disconnected),
                Some(_) => inbox.recv_timeout(LOOK),
            };
            match message {
                Ok(Message::Fragment(fragment)) => {
                    self.waiting.fetch_sub(fragment.bytes.len() as u64, Ordering::Relaxed);
                    self.fragment(fragment);
                }
                Ok(Message::Down) => self.down(),
                Ok(Message::Open(target)) => self.open_valve(*target),
                Ok(Message::Close(until)) => self.close_at(until),
                Ok(Message::Stop) | Err(mpsc::RecvTimeoutError::Disconnected) => return self.close_valve(),
                Err(mpsc::RecvTimeoutError::Timeout) => {}
            }
            if self.closing.is_some_and(|until| self.clock.now().mono_ms > until.mono_ms + LAST_MS_MAX) {
                self.close_valve();
            }
        }
    }

    fn down(&mut self) {
        self.close_file();
        self.lead_in.clear();
        self.before.clear();
        if self.closing.is_some() {
            self.close_valve();
        }
    }

    fn open_valve(&mut self, mut target: Target) {
        let preroll = std::mem::take(&mut target.preroll);
        if self.closing.is_some() {
            self.close_valve();
        }
        self.target = Some(target);
        self.last = None;
        self.failed = None;
        self.before = self.lead_in.clone();
        for fragment in preroll {
            self.before.clear();
            self.keep(&fragment);
        }
    }

    /// The last moment lies in a fragment that the muxer still fills: the valve stays open until it is out.
    fn close_at(&mut self, until: Moment) {
        self.owed += 1;
        if self.open.is_none() {
            self.close_valve();
        } else if self.closing.is_none() {
            // An end that follows a pause at once does not reach past the pause.
            self.closing = Some(until);
        }
    }

    fn close_valve(&mut self) {
        self.close_file();
        self.target = None;
        self.closing = None;
        for _ in 0..std::mem::take(&mut self.owed) {
            (self.tell)(Wrote::Idle);
        }
    }

    fn fragment(&mut self, fragment: Arc<Fragment>) {
        let let_go = self.let_go.swap(0, Ordering::Relaxed);
        if let_go > 0 {
            self.close_file();
            self.lost(fragment.arrived, GapCause::Disk, format!("the volume is too slow: {let_go} fragments were let go"));
        }
        if self.closing.is_some_and(|until| fragment.arrived.mono_ms >= until.mono_ms) {
            self.close_valve();
        }
        if self.target.is_some() {
            // Without its key frame the first picture cannot be decoded; with one of its own it needs nothing before it.
            for earlier in std::mem::take(&mut self.before) {
                if !fragment.key {
                    self.keep(&earlier);
                }
            }
            self.keep(&fragment);
        }
        self.remember(fragment);
    }

    /// Keeps what a file that begins later needs for its first picture.
    fn remember(&mut self, fragment: Arc<Fragment>) {
        let size: usize = self.lead_in.iter().map(|f| f.bytes.len()).sum();
        if fragment.key || size > LEAD_IN_BYTES_MAX {
            self.lead_in.clear();
        }
        if fragment.key || !self.lead_in.is_empty() {
            self.lead_in.push(fragment);
        }
    }

    fn keep(&mut self, fragment: &Arc<Fragment>) {
        // Pre-roll and queue may both hold a fragment; each is written once.
        if self.last.as_ref().is_some_and(|l| {
            Arc::ptr_eq(&l.header, &fragment.header) && fragment.pts <= l.pts && fragment.arrived.mono_ms <= l.arrived.mono_ms
        }) {
            return;
        }
        let full = |open: &OpenSegment| fragment.key && open.length() + Duration::from_millis(100) >= self.segment;
        if self.open.as_ref().is_some_and(|open| !open.continues(fragment) || full(open)) {
            self.close_file();
        }
        match self.write(fragment) {
            Ok(()) => self.last = Some(fragment.clone()),
            Err(NotKept::Malformed(why)) => {
                self.close_file();
                self.lost(fragment.arrived, GapCause::Camera, format!("malformed fragment: {why}"));
            }
            Err(NotKept::Fault(fault)) => {
                tracing::error!(camera = self.name, %fault, "a fragment is not kept");
                self.close_file();
                let detail = if fault.is_full() { "the volume is full".into() } else { fault.to_string() };
                self.lost(fragment.arrived, GapCause::Disk, detail);
                self.failed = Some(self.clock.now());
            }
        }
    }

    fn write(&mut self, fragment: &Arc<Fragment>) -> Result<(), NotKept> {
        let Some(target) = &mut self.target else { return Ok(()) };
        let now = self.clock.now();
        let resting = self.failed.is_some_and(|at| now.mono_ms < at.mono_ms + RETRY_MS);
        if self.open.is_none() && (!fragment.key || resting) {
            return Ok(());
        }
        let mut opened = None;
        if self.open.is_none() {
            let offset_ms = target.clock.signed_ms(fragment.arrived);
            durable::make_folder(&target.folder)?;
            let open = OpenSegment::begin(&target.folder, &self.camera, target.sequence, fragment, offset_ms);
            // A number is used once, whether its file came to be or not.
            target.sequence += 1;
            let open = open?;
            opened = Some(Wrote::Opened { sequence: open.sequence(), file: open.name().into(), offset_ms, first: open.first() });
            self.open = Some(open);
        }
        let Some(open) = &mut self.open else { return Ok(()) };
        open.append(fragment)?;
        open.sync()?;
        self.failed = None;
        self.gauge.durable(self.clock.now(), fragment.bytes.len() as u64);
        if let Some(opened) = opened {
            (self.tell)(opened);
        }
        Ok(())
    }

    fn close_file(&mut self) {
        let Some(open) = self.open.take() else { return };
        match open.close() {
            Ok(segment) if segment.fragments > 0 => (self.tell)(Wrote::Closed(Box::new(segment))),
            // Nothing in it, or not closed in good order: it lies there, and is taken up before sealing.
            Ok(_) => {}
            Err(fault) => tracing::error!(camera = self.name, %fault, "a segment could not be closed; it is taken up before sealing"),
        }
    }

    fn lost(&self, since: Moment, cause: GapCause, detail: String) {
        (self.tell)(Wrote::Lost { since, cause, detail });
    }
}
