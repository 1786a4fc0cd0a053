//! One camera's files on one volume: orders in ([`Lane`], from the cutter), a file that is written, synced, repaired after faults, told of
//! (`LaneState`, on the thread of `recorder::volume`).

use crate::machine::clock::Clock;
use crate::machine::durable::{self, Appending};
use crate::machine::fault::Fault;
use crate::machine::volume::Place;
use crate::model::gap::GapCause;
use crate::model::time::Moment;
use crate::recorder::sync_times::SyncTimes;
use crate::recorder::view::Gauge;
use crate::recorder::volume::{FileHead, Message, Order, Tell, Wrote};
use bytes::Bytes;
use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, mpsc};

/// How long a camera's orders rest after a fault, ms.
const REST_MS: u64 = 1_000;
/// How long the end of a session waits for a volume that takes nothing, ms.
const PATIENCE_MS: u64 = 10_000;

/// Bytes that wait for a volume: of one camera, and of all.
#[derive(Debug, Clone, Default)]
pub(super) struct Waiting {
    pub(super) own: Arc<AtomicU64>,
    pub(super) all: Arc<AtomicU64>,
}

impl Waiting {
    pub(super) fn add(&self, order: &Order) {
        self.own.fetch_add(order.bytes(), Ordering::Relaxed);
        self.all.fetch_add(order.bytes(), Ordering::Relaxed);
    }
    fn take(&self, order: &Order) {
        self.own.fetch_sub(order.bytes(), Ordering::Relaxed);
        self.all.fetch_sub(order.bytes(), Ordering::Relaxed);
    }
}

/// A file that is being written.
struct OpenFile {
    file: Appending,
    /// Up to where it is durable.
    durable: u64,
    /// What was appended since, for writing it anew after a failed sync.
    unsynced: Vec<Order>,
    /// Arrival of the oldest byte of it.
    oldest: Option<Moment>,
    /// Not told yet.
    opened: Option<Arc<FileHead>>,
    /// A fault left something behind this length, which has to go first.
    torn: Option<u64>,
}

/// One camera's way to a volume; sending never waits.
pub struct Lane {
    at: usize,
    messages: mpsc::Sender<Message>,
    waiting: Waiting,
    name: &'static str,
    camera_max: u64,
    all_max: u64,
}

impl Lane {
    /// `at`: its number on the volume. `(camera_max, all_max)`: bytes that may wait, of this camera and of all.
    pub(super) fn new(
        at: usize,
        messages: mpsc::Sender<Message>,
        waiting: Waiting,
        name: &'static str,
        (camera_max, all_max): (u64, u64),
    ) -> Self {
        Self { at, messages, waiting, name, camera_max, all_max }
    }

    /// Whether so many bytes more may wait. Memory is bounded, for a camera and for all together.
    pub fn has_room(&self, bytes: u64) -> bool {
        let all = self.waiting.all.load(Ordering::Relaxed) + bytes <= self.all_max;
        all && self.waiting.own.load(Ordering::Relaxed) + bytes <= self.camera_max
    }

    /// Whether what waits is down to half of what may.
    pub fn is_relieved(&self) -> bool {
        self.waiting.own.load(Ordering::Relaxed) <= self.camera_max / 2 && self.waiting.all.load(Ordering::Relaxed) <= self.all_max / 2
    }

    /// The volume's name.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// An order, behind all earlier ones.
    pub fn send(&self, order: Order) {
        self.waiting.add(&order);
        if self.messages.send(Message::Order(self.at, order)).is_err() {
            tracing::error!(volume = self.name, "the volume's thread has ended");
        }
    }
}

/// The volume's side of it: what one camera's files on the volume have come to.
pub(super) struct LaneState {
    tell: Tell,
    gauge: Arc<Gauge>,
    counts: bool,
    queue: VecDeque<Order>,
    open: Option<OpenFile>,
    /// The file that was last made here: met again after a fault, it is ours.
    begun: Option<PathBuf>,
    rest_until: Option<u64>,
    /// Orders that the last failed sync put back.
    resent: usize,
    flush_by: Option<u64>,
    waiting: Waiting,
    times: Arc<SyncTimes>,
}

impl LaneState {
    pub(super) fn new(gauge: Arc<Gauge>, counts: bool, tell: Tell, waiting: Waiting, times: Arc<SyncTimes>) -> Self {
        let queue = VecDeque::new();
        Self { tell, gauge, counts, queue, open: None, begun: None, rest_until: None, resent: 0, flush_by: None, waiting, times }
    }

    pub(super) fn take(&mut self, order: Order, now: Moment) {
        if matches!(order, Order::Flush) {
            self.flush_by = Some(now.mono_ms + PATIENCE_MS);
        }
        self.queue.push_back(order);
    }

    /// Until when it rests, if something waits.
    pub(super) fn rests(&self) -> Option<u64> {
        self.rest_until.filter(|_| !self.queue.is_empty())
    }

    pub(super) fn is_done(&self) -> bool {
        self.queue.is_empty() && !self.is_unsynced()
    }

    pub(super) fn is_unsynced(&self) -> bool {
        self.rest_until.is_none() && self.open.as_ref().is_some_and(|o| !o.unsynced.is_empty())
    }

    /// Does what waits, until a fault.
    pub(super) fn work(&mut self, place: &Place, clock: &dyn Clock, now: Moment) -> Result<(), Fault> {
        if self.rest_until.is_some_and(|at| at > now.mono_ms) {
            self.give_up_when_due(now);
            return Ok(());
        }
        self.rest_until = None;
        while let Some(order) = self.queue.pop_front() {
            self.resent = 0;
            match self.obey(&order, place, clock) {
                Ok(()) => self.waiting.take(&order),
                Err(fault) => {
                    self.again(order);
                    self.rest_until = Some(now.mono_ms + REST_MS);
                    // Here too: nothing else may come that wakes it while it rests.
                    self.give_up_when_due(now);
                    return Err(fault);
                }
            }
        }
        Ok(())
    }

    fn give_up_when_due(&mut self, now: Moment) {
        if self.flush_by.is_some_and(|at| at <= now.mono_ms) {
            self.give_up();
        }
    }

    fn obey(&mut self, order: &Order, place: &Place, clock: &dyn Clock) -> Result<(), Fault> {
        match order {
            Order::Begin(begin) => self.begin(begin, place),
            Order::Piece { boxes, samples, arrived } => {
                let Some(open) = &mut self.open else { return Ok(()) };
                if let Some(good) = open.torn {
                    open.file.cut_to(good)?;
                    open.torn = None;
                }
                let good = open.file.bytes();
                open.file.append_both(boxes, samples).inspect_err(|_| open.torn = Some(good))?;
                open.oldest = open.oldest.or(Some(*arrived));
                open.unsynced.push(order.clone());
                // The first fragment at once: the lamp turns green on it.
                if open.opened.is_some() { self.sync(clock) } else { Ok(()) }
            }
            Order::End(segment) => {
                self.sync(clock)?;
                if self.open.take().is_some() {
                    (self.tell)(Wrote::Closed(segment.clone()));
                }
                Ok(())
            }
            Order::Leave => {
                self.sync(clock)?;
                self.open = None;
                Ok(())
            }
            Order::Flush => {
                self.flush_by = None;
                (self.tell)(Wrote::Idle);
                Ok(())
            }
        }
    }

    /// Puts back what could not be done. After a failed sync the open file's pieces are queued again already; a piece is among them and is
    /// not queued twice. Anything else goes behind them.
    fn again(&mut self, order: Order) {
        match order {
            Order::Piece { .. } if self.resent > 0 => self.waiting.take(&order),
            order => self.queue.insert(self.resent, order),
        }
    }

    fn begin(&mut self, begin: &Arc<FileHead>, place: &Place) -> Result<(), Fault> {
        place.check()?;
        let folder = place.root().join(&begin.folder);
        durable::make_folder(&folder)?;
        // A crash behind this line leaves a key without footage; there is never footage without its key.
        if let Some(key) = &begin.key {
            key.keep(&folder)?;
        }
        let path = folder.join(&begin.segment.file);
        let again = self.begun.as_ref() == Some(&path) && durable::exists(&path);
        self.begun = Some(path.clone());
        let mut file = if again { Appending::open_cut(&path, 0)? } else { Appending::create(&path)? };
        file.append(&begin.head)?;
        let head = Order::Piece { boxes: begin.head.clone(), samples: Bytes::new(), arrived: begin.first };
        self.open = Some(OpenFile { file, durable: 0, unsynced: vec![head], oldest: None, opened: Some(begin.clone()), torn: None });
        Ok(())
    }

    /// Makes what was appended durable, and tells.
    pub(super) fn sync(&mut self, clock: &dyn Clock) -> Result<(), Fault> {
        let Some(open) = self.open.as_mut().filter(|o| !o.unsynced.is_empty()) else { return Ok(()) };
        let began = clock.now();
        if let Err(fault) = open.file.sync() {
            let again = std::mem::take(&mut open.unsynced);
            open.torn = Some(open.durable);
            open.oldest = None;
            self.resent = again.len();
            for order in again.into_iter().rev() {
                self.waiting.add(&order);
                self.queue.push_front(order);
            }
            self.rest_until = Some(clock.now().mono_ms + REST_MS);
            return Err(fault);
        }
        self.resent = 0;
        let now = clock.now();
        self.times.took(now.mono_ms.saturating_sub(began.mono_ms));
        let bytes = open.file.bytes() - open.durable;
        open.durable = open.file.bytes();
        open.unsynced.clear();
        let age_ms = open.oldest.take().map(|at| now.mono_ms.saturating_sub(at.mono_ms));
        self.gauge.durable(now, if self.counts { Some((bytes, age_ms)) } else { None });
        // Nothing but the head yet: not worth telling.
        if age_ms.is_some()
            && let Some(begin) = open.opened.take()
        {
            (self.tell)(Wrote::Opened(begin));
        }
        Ok(())
    }

    /// The session ended and the volume takes nothing: what waits is lost here.
    fn give_up(&mut self) {
        self.flush_by = None;
        self.open = None;
        self.rest_until = None;
        let mut since = None;
        while let Some(order) = self.queue.pop_front() {
            self.waiting.take(&order);
            match order {
                Order::Piece { arrived, .. } => since = since.or(Some(arrived)),
                Order::Flush => {
                    if let Some(since) = since {
                        let detail = "the volume took nothing until the session's end".into();
                        (self.tell)(Wrote::Lost { since, cause: GapCause::Disk, detail });
                    }
                    (self.tell)(Wrote::Idle);
                    // A second end that waits behind the first has waited long enough too.
                    self.flush_by = self.queue.iter().any(|o| matches!(o, Order::Flush)).then_some(0);
                    return;
                }
                _ => {}
            }
        }
    }
}
