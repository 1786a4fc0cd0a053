//! The thread of one volume: bytes in, durable files out, for all cameras together.
//!
//! Syncs are grouped: every 0.8 s each file that grew is made durable, one after the other, so that sixteen cameras cost the
//! disk one burst a second. What a fault keeps from being written waits in memory, in order, and is written when the volume
//! is well again; nothing is lost until the memory for it is full. A failed sync is taken at its word: what was appended since
//! the last good one is cut off and written anew, since the kernel may have forgotten it (fsync(2), "EIO").

use crate::footage::keyring::WrappedKey;
use crate::machine::clock::Clock;
use crate::machine::fault::Fault;
use crate::machine::volume::Place;
use crate::model::gap::GapCause;
use crate::model::session::Segment;
use crate::model::time::Moment;
use crate::recorder::lane::{Lane, LaneState, Waiting};
use crate::recorder::lines::Lines;
use crate::recorder::sync_times::SyncTimes;
use crate::recorder::view::Gauge;
use bytes::Bytes;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::thread;
use std::time::Duration;

/// How often what grew is synced: with a chunk's length before and a sync's after it, the promise of two seconds holds.
const SYNC: Duration = Duration::from_millis(800);
/// How long the thread rests before it looks what came.
const REST: Duration = Duration::from_millis(50);
/// How long the end of the process waits for what is unwritten.
const LAST: Duration = Duration::from_secs(5);

/// What a camera's files are made of, in order.
#[derive(Debug, Clone)]
pub enum Order {
    /// A new file, with the bytes that come before its first fragment.
    Begin(Arc<FileHead>),
    /// A fragment: boxes and samples.
    Piece {
        /// Up to the samples.
        boxes: Bytes,
        /// The samples.
        samples: Bytes,
        /// When its first picture arrived.
        arrived: Moment,
    },
    /// The file is whole.
    End(Box<Segment>),
    /// The file goes no further here; what it lacks is brought over or taken up before sealing.
    Leave,
    /// Answer with [`Wrote::Idle`] when everything before this is done.
    Flush,
}

/// How a file begins.
#[derive(Debug)]
pub struct FileHead {
    /// The session's folder, below the volume's root.
    pub folder: PathBuf,
    /// As far as it is known.
    pub segment: Segment,
    /// Header, and what the file says of itself.
    pub head: Bytes,
    /// Arrival of its first picture.
    pub first: Moment,
    /// The key that it is encrypted by; its file lies beside it before its first byte does.
    pub key: Option<Arc<WrappedKey>>,
}

/// What is told to a camera's room.
#[derive(Debug)]
pub enum Wrote {
    /// A file was begun and its first fragment is durable.
    Opened(Arc<FileHead>),
    /// A file is whole and durable.
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
    /// Everything that was asked for is done: no file is open.
    Idle,
}

/// Hears of a camera's files; must not wait.
pub type Tell = Box<dyn Fn(Wrote) + Send>;

/// What the thread hears.
pub(super) enum Message {
    Lane(LaneState),
    Order(usize, Order),
    Line(PathBuf, Vec<u8>),
    Stop,
}

impl Order {
    /// Bytes that it keeps in memory.
    pub(super) fn bytes(&self) -> u64 {
        match self {
            Self::Piece { boxes, samples, .. } => (boxes.len() + samples.len()) as u64,
            _ => 0,
        }
    }
}

/// A volume that is written to.
pub struct Volume {
    /// `primary` or `mirror`.
    name: &'static str,
    place: Place,
    messages: mpsc::Sender<Message>,
    thread: Mutex<Option<thread::JoinHandle<()>>>,
    lanes: AtomicUsize,
    waiting: Waiting,
    times: Arc<SyncTimes>,
    trouble: Arc<Mutex<Option<String>>>,
    camera_max: u64,
}

/// Hears that a volume fails (in words) or is well again.
pub type OnTrouble = Box<dyn Fn(Option<&str>) + Send>;

impl Volume {
    /// Starts its thread. `camera_max`: bytes of one camera that may wait for it; eight times as much for all cameras.
    pub fn start(
        name: &'static str,
        place: Place,
        camera_max: u64,
        clock: Arc<dyn Clock>,
        on_trouble: OnTrouble,
    ) -> Result<Arc<Self>, Fault> {
        let (messages, inbox) = mpsc::channel();
        let trouble = Arc::<Mutex<Option<String>>>::default();
        let writer = Writer {
            name,
            place: place.clone(),
            clock,
            lanes: Vec::new(),
            lines: Lines::default(),
            sync_at: None,
            trouble: trouble.clone(),
            on_trouble,
        };
        let run = move || writer.run(&inbox);
        let thread =
            thread::Builder::new().name(format!("volume-{name}")).spawn(run).map_err(|e| Fault::of("start", "a volume's thread", e))?;
        let (thread, lanes) = (Mutex::new(Some(thread)), AtomicUsize::new(0));
        Ok(Arc::new(Self { name, place, messages, thread, lanes, waiting: Waiting::default(), times: Arc::default(), trouble, camera_max }))
    }

    /// A camera's way to it. `counts`: whether its bytes are those that the gauge counts; a mirror's only show freshness.
    pub fn lane(&self, gauge: Arc<Gauge>, counts: bool, tell: Tell) -> Lane {
        let waiting = Waiting { own: Arc::default(), all: self.waiting.all.clone() };
        let at = self.lanes.fetch_add(1, Ordering::Relaxed);
        drop(self.messages.send(Message::Lane(LaneState::new(gauge, counts, tell, waiting.clone(), self.times.clone()))));
        let (camera_max, all_max) = (self.camera_max, self.camera_max.saturating_mul(8));
        Lane::new(at, self.messages.clone(), waiting, self.name, (camera_max, all_max))
    }

    /// Bytes that wait for it in memory.
    pub fn waiting_bytes(&self) -> u64 {
        self.waiting.all.load(Ordering::Relaxed)
    }

    /// How long its syncs take.
    pub fn sync_times(&self) -> &SyncTimes {
        &self.times
    }

    /// A line for the journal of a session's folder, below the root.
    pub fn line(&self, folder: &Path, line: Vec<u8>) {
        drop(self.messages.send(Message::Line(folder.to_owned(), line)));
    }

    /// What is wrong with it.
    pub fn trouble(&self) -> Option<String> {
        self.trouble.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Its name.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// Where it is.
    pub fn place(&self) -> &Place {
        &self.place
    }

    /// Writes what waits, and ends. Blocks.
    pub fn stop(&self) {
        drop(self.messages.send(Message::Stop));
        if let Some(thread) = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take() {
            drop(thread.join());
        }
    }
}

/// What the thread has.
struct Writer {
    name: &'static str,
    place: Place,
    clock: Arc<dyn Clock>,
    lanes: Vec<LaneState>,
    lines: Lines,
    sync_at: Option<u64>,
    trouble: Arc<Mutex<Option<String>>>,
    on_trouble: OnTrouble,
}

impl Writer {
    fn run(mut self, inbox: &mpsc::Receiver<Message>) {
        loop {
            let got = match self.wait_ms() {
                None => inbox.recv().map_err(|_| mpsc::RecvTimeoutError::Disconnected),
                Some(ms) => inbox.recv_timeout(Duration::from_millis(ms)),
            };
            let mut stop = matches!(got, Err(mpsc::RecvTimeoutError::Disconnected));
            let more = std::iter::from_fn(|| inbox.try_recv().ok());
            for message in got.ok().into_iter().chain(more).collect::<Vec<_>>() {
                match message {
                    Message::Lane(lane) => self.lanes.push(lane),
                    Message::Order(at, order) => self.take(at, order),
                    Message::Line(folder, line) => self.lines.push(folder, line),
                    Message::Stop => stop = true,
                }
            }
            self.work();
            if stop {
                return self.end();
            }
            // One wake-up for what several cameras send meanwhile.
            thread::sleep(REST);
        }
    }

    fn take(&mut self, at: usize, order: Order) {
        let now = self.clock.now();
        if let Some(lane) = self.lanes.get_mut(at) {
            lane.take(order, now);
        }
    }

    /// Until when nothing has to be done unasked; `None`: for ever.
    fn wait_ms(&self) -> Option<u64> {
        let now = self.clock.now().mono_ms;
        let rests = self.lanes.iter().filter_map(LaneState::rests).chain(self.lines.rests());
        rests.chain(self.sync_at).min().map(|at| at.saturating_sub(now))
    }

    fn work(&mut self) {
        let now = self.clock.now();
        let mut fault = None;
        for lane in &mut self.lanes {
            if let Err(f) = lane.work(&self.place, &*self.clock, now) {
                fault = Some(f);
            }
        }
        if let Err(f) = self.lines.work(&self.place, now) {
            fault = Some(f);
        }
        let grew = self.lanes.iter().any(LaneState::is_unsynced) || self.lines.unsynced;
        match self.sync_at {
            None if grew => self.sync_at = Some(now.mono_ms + SYNC.as_millis() as u64),
            Some(at) if at <= now.mono_ms => {
                self.sync_at = None;
                for lane in self.lanes.iter_mut().filter(|l| l.is_unsynced()) {
                    if let Err(f) = lane.sync(&*self.clock) {
                        fault = Some(f);
                    }
                }
                if let Err(f) = self.lines.sync() {
                    fault = Some(f);
                }
            }
            _ => {}
        }
        self.note(fault);
    }

    fn note(&self, fault: Option<Fault>) {
        let text = fault.map(|f| if f.is_full() { "the volume is full".into() } else { f.to_string() });
        // Well again only when nobody rests any more.
        let resting = self.lanes.iter().any(|l| l.rests().is_some()) || self.lines.rests().is_some();
        let mut trouble = self.trouble.lock().unwrap_or_else(PoisonError::into_inner);
        match (&text, trouble.is_some()) {
            (Some(text), false) => {
                tracing::error!(volume = self.name, "{text}; what is recorded waits in memory");
                (self.on_trouble)(Some(text));
                *trouble = Some(text.clone());
            }
            (None, true) if !resting => {
                tracing::info!(volume = self.name, "the volume takes what is recorded again");
                (self.on_trouble)(None);
                *trouble = None;
            }
            _ => {}
        }
    }

    fn end(mut self) {
        let until = self.clock.now().mono_ms + LAST.as_millis() as u64;
        loop {
            self.work();
            self.lanes.iter_mut().for_each(|l| drop(l.sync(&*self.clock)));
            drop(self.lines.sync());
            let idle = self.lanes.iter().all(LaneState::is_done);
            if idle || self.clock.now().mono_ms > until {
                return;
            }
            thread::sleep(Duration::from_millis(100));
        }
    }
}
