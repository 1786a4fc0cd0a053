//! Where a camera's fragments come out: to the recorder, to the ring, to viewers; and what is known of the camera now.

use crate::capture::{CaptureStatus, Events};
use crate::machine::clock::Clock;
use crate::model::fragment::{CaptureEvent, Fragment, Header};
use crate::model::gap::GapCause;
use crate::model::time::Moment;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::broadcast;

/// Fragments that a viewer may lag behind before it skips.
const LIVE_FRAGMENTS: usize = 32;
/// Over how long bit rate and picture rate are measured, ms.
const RATE_MS: u64 = 5_000;
/// Most bytes in a pre-roll ring.
const RING_BYTES_MAX: usize = 64 * 1024 * 1024;

struct State {
    ring: VecDeque<Arc<Fragment>>,
    ring_bytes: usize,
    header: Option<Arc<Header>>,
    /// (arrival ms, bytes, pictures)
    recent: VecDeque<(u64, usize, u32)>,
    connected: bool,
    since: Moment,
    down: Option<(GapCause, String)>,
    last_media: Option<Moment>,
    connections: u64,
    lost_packets: u64,
}

pub(super) struct Hub {
    state: Mutex<State>,
    preroll_ms: u64,
    live: broadcast::Sender<Arc<Fragment>>,
    events: Events,
    clock: Arc<dyn Clock>,
}

impl Hub {
    pub(super) fn new(preroll_s: u32, clock: Arc<dyn Clock>, events: Events) -> Self {
        let state = State {
            ring: VecDeque::new(),
            ring_bytes: 0,
            header: None,
            recent: VecDeque::new(),
            connected: false,
            since: clock.now(),
            down: None,
            last_media: None,
            connections: 0,
            lost_packets: 0,
        };
        Self {
            state: Mutex::new(state),
            preroll_ms: u64::from(preroll_s) * 1000,
            live: broadcast::channel(LIVE_FRAGMENTS).0,
            events,
            clock,
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A fragment came out of the muxer.
    pub(super) fn fragment(&self, fragment: Arc<Fragment>) {
        let first = {
            let mut s = self.lock();
            let first = !s.connected;
            if first {
                s.connected = true;
                s.connections += 1;
                s.since = fragment.arrived;
                s.down = None;
            }
            s.header = Some(fragment.header.clone());
            s.last_media = Some(self.clock.now());
            s.recent.push_back((fragment.arrived.mono_ms, fragment.bytes.len(), fragment.frames));
            while s.recent.front().is_some_and(|(at, ..)| at + RATE_MS < fragment.arrived.mono_ms) {
                s.recent.pop_front();
            }
            if self.preroll_ms > 0 {
                remember(&mut s, &fragment, self.preroll_ms);
            }
            first
        };
        if first {
            (self.events)(CaptureEvent::Up);
        }
        (self.events)(CaptureEvent::Fragment(fragment.clone()));
        // Nobody watching is no error.
        drop(self.live.send(fragment));
    }

    /// The stream ended, or never came; told once each time.
    pub(super) fn down(&self, cause: GapCause, detail: &str) {
        let detail: String = detail.chars().filter(|c| !c.is_control()).take(200).collect();
        let since = {
            let mut s = self.lock();
            let known = !s.connected && s.down.is_some();
            let since = if s.connected { s.last_media.unwrap_or(s.since) } else { s.since };
            if s.connected {
                s.since = self.clock.now();
            }
            s.connected = false;
            s.ring.clear();
            s.ring_bytes = 0;
            s.recent.clear();
            s.down = Some((cause, detail.clone()));
            (!known).then_some(since)
        };
        if let Some(since) = since {
            (self.events)(CaptureEvent::Down { cause, detail, since });
        }
    }

    pub(super) fn note(&self, detail: String) {
        (self.events)(CaptureEvent::Note { detail, at: self.clock.now() });
    }

    pub(super) fn lost_packets(&self, count: u64) {
        self.lock().lost_packets += count;
    }

    pub(super) fn live(&self) -> broadcast::Receiver<Arc<Fragment>> {
        self.live.subscribe()
    }

    pub(super) fn latest_header(&self) -> Option<Arc<Header>> {
        self.lock().header.clone()
    }

    pub(super) fn preroll(&self) -> Vec<Arc<Fragment>> {
        self.lock().ring.iter().cloned().collect()
    }

    pub(super) fn status(&self) -> CaptureStatus {
        let s = self.lock();
        let span_ms = match (s.recent.front(), s.recent.back()) {
            (Some((first, ..)), Some((last, ..))) if last > first => last - first,
            _ => 0,
        };
        // The newest fragment's own length is not in the span, so its content is not counted either.
        let counted = s.recent.len().saturating_sub(1);
        let bytes: usize = s.recent.iter().take(counted).map(|(_, b, _)| b).sum();
        let frames: u32 = s.recent.iter().take(counted).map(|(.., f)| f).sum();
        let rate = |n: f64| if span_ms == 0 { 0.0 } else { n * 1000.0 / span_ms as f64 };
        CaptureStatus {
            connected: s.connected,
            since: s.since,
            cause: s.down.as_ref().map(|(cause, _)| *cause),
            detail: s.down.as_ref().map(|(_, detail)| detail.clone()),
            bitrate_bps: rate(bytes as f64 * 8.0) as u64,
            fps: (rate(f64::from(frames)) * 10.0).round() / 10.0,
            codecs: s.header.as_ref().map(|h| h.codecs.clone()).unwrap_or_default(),
            resolution: s.header.as_ref().map(|h| format!("{}x{}", h.width, h.height)).unwrap_or_default(),
            last_media: s.last_media,
            reconnects: s.connections.saturating_sub(1),
            lost_packets: s.lost_packets,
        }
    }
}

/// Keeps the newest stretch that begins with a key frame, has one header, and reaches back at most the pre-roll's length.
fn remember(s: &mut State, fragment: &Arc<Fragment>, preroll_ms: u64) {
    if s.ring.back().is_some_and(|last| !Arc::ptr_eq(&last.header, &fragment.header)) {
        s.ring.clear();
        s.ring_bytes = 0;
    }
    if s.ring.is_empty() && !fragment.key {
        return;
    }
    s.ring_bytes += fragment.bytes.len();
    s.ring.push_back(fragment.clone());
    let oldest = fragment.arrived.mono_ms.saturating_sub(preroll_ms);
    // Drop from the front, a whole key-frame stretch at a time.
    while let Some(next_key) = s.ring.iter().skip(1).position(|f| f.key).map(|at| at + 1) {
        let over = s.ring_bytes > RING_BYTES_MAX || s.ring[0].arrived.mono_ms < oldest;
        if !over {
            break;
        }
        s.ring_bytes -= s.ring.drain(..next_key).map(|f| f.bytes.len()).sum::<usize>();
    }
}
