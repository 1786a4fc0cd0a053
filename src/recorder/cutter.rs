//! The valve and the scissors of one camera: which fragments are kept, and where one file ends and the next begins.
//!
//! Called by the camera's own thread for each fragment; touches memory only, so it holds nobody up. What it decides goes to
//! every volume alike: the same bytes in files of the same name, digested once.

use crate::footage::fragment::Malformed;
use crate::footage::keyring::CameraKey;
use crate::footage::segment::Filling;
use crate::model::fragment::Fragment;
use crate::model::gap::GapCause;
use crate::model::ids::{CameraId, SessionId};
use crate::model::time::Moment;
use crate::recorder::lane::Lane;
use crate::recorder::view::SessionClock;
use crate::recorder::volume::{FileHead, Order, Tell, Wrote};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// What the first picture needs to be decoded: fragments since the last key frame, bytes.
const LEAD_IN_BYTES_MAX: usize = 16 * 1024 * 1024;
/// How long the fragment that holds the last moment may take to come out of the muxer, ms.
const LAST_MS_MAX: u64 = 2_500;

/// What a camera records into.
#[derive(Debug, Clone)]
pub struct Target {
    /// The session.
    pub session: SessionId,
    /// Its folder, below a volume's root.
    pub folder: PathBuf,
    /// Session time.
    pub clock: SessionClock,
    /// Where the camera's chain of segments goes on, unless this cutter knows better.
    pub chain: Chain,
    /// When the valve opens.
    pub opened: Moment,
    /// Pre-roll to begin with, where the room is told of it.
    pub preroll: Vec<Arc<Fragment>>,
    /// With what it is encrypted, where footage is.
    pub key: Option<CameraKey>,
}

/// Where a camera's chain of segments in one session goes on.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Chain {
    /// Number of the last segment; 0: none yet.
    pub last: u32,
    /// Its digest.
    pub digest: Option<String>,
}

/// A camera's way to one volume.
struct Way {
    lane: Lane,
    /// It has no room for more: it gets nothing until it is relieved, and then begins with a new file.
    behind: bool,
    /// It has the open file.
    has_file: bool,
}

/// One camera's valve and scissors.
pub struct Cutter {
    camera: CameraId,
    segment: Duration,
    sm3: bool,
    ways: Vec<Way>,
    tell: Tell,
    target: Option<Target>,
    filling: Option<Filling>,
    /// Fragments since the last key frame.
    lead_in: Vec<Arc<Fragment>>,
    /// What to begin with, should the first fragment after opening be no key frame.
    before: Vec<Arc<Fragment>>,
    /// Up to when to go on.
    closing: Option<Moment>,
    last: Option<Arc<Fragment>>,
    /// The newest chain, of the session that the valve was last open for.
    chain: Option<(SessionId, Chain)>,
    /// A volume wants a new file as soon as there can be one.
    cut: bool,
}

impl Cutter {
    /// For one camera: when a file ends, and whether SM3 is digested too; `lanes` are its ways to the volumes, the first volume first. `tell` hears what could not be kept.
    pub fn new(camera: CameraId, (segment, sm3): (Duration, bool), lanes: Vec<Lane>, tell: Tell) -> Self {
        Self {
            camera,
            segment,
            sm3,
            ways: lanes.into_iter().map(|lane| Way { lane, behind: false, has_file: false }).collect(),
            tell,
            target: None,
            filling: None,
            lead_in: Vec::new(),
            before: Vec::new(),
            closing: None,
            last: None,
            chain: None,
            cut: false,
        }
    }

    /// The stream ended; what comes next begins a new file.
    pub fn down(&mut self) {
        self.close_file();
        self.lead_in.clear();
        self.before.clear();
        if self.closing.is_some() {
            self.close_valve();
        }
    }

    /// Opens the valve.
    pub fn open(&mut self, mut target: Target) {
        let preroll = std::mem::take(&mut target.preroll);
        if self.closing.is_some() {
            self.close_valve();
        }
        if self.chain.as_ref().is_none_or(|(of, _)| *of != target.session) {
            self.chain = Some((target.session.clone(), target.chain.clone()));
        }
        self.target = Some(target);
        self.last = None;
        self.before = self.lead_in.clone();
        for fragment in preroll {
            self.before.clear();
            self.keep(&fragment);
        }
    }

    /// Closes the valve once everything up to this moment is there: the last moment lies in a fragment that the muxer still
    /// fills. Gives how many volumes will answer with [`Wrote::Idle`]; a second closing before that is answered by the first.
    pub fn close_at(&mut self, until: Moment) -> usize {
        if self.target.is_none() || self.closing.is_some() {
            return 0;
        }
        if self.filling.is_none() {
            self.close_valve();
        } else {
            self.closing = Some(until);
        }
        self.ways.len()
    }

    /// Looks at the time: the last fragment may never come.
    pub fn tick(&mut self, now: Moment) {
        if self.closing.is_some_and(|until| now.mono_ms > until.mono_ms + LAST_MS_MAX) {
            self.close_valve();
        }
    }

    /// Closes the valve now.
    pub fn close_valve(&mut self) {
        self.close_file();
        let was_open = self.target.take().is_some();
        self.closing = None;
        if was_open {
            self.ways.iter().for_each(|w| w.lane.send(Order::Flush));
        }
    }

    /// A fragment came.
    pub fn fragment(&mut self, fragment: Arc<Fragment>) {
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
        // Pre-roll and live may both hold a fragment; each is kept once.
        if self.last.as_ref().is_some_and(|l| {
            Arc::ptr_eq(&l.header, &fragment.header) && fragment.pts <= l.pts && fragment.arrived.mono_ms <= l.arrived.mono_ms
        }) {
            return;
        }
        self.look_at_volumes();
        let due = |f: &Filling| fragment.key && (self.cut || f.length() + Duration::from_millis(100) >= self.segment);
        if self.filling.as_ref().is_some_and(|f| !f.continues(fragment) || due(f)) {
            self.close_file();
        }
        match self.add(fragment) {
            Ok(()) => self.last = Some(fragment.clone()),
            Err(why) => {
                self.close_file();
                let detail = format!("malformed fragment: {why}");
                (self.tell)(Wrote::Lost { since: fragment.arrived, cause: GapCause::Camera, detail });
            }
        }
    }

    fn add(&mut self, fragment: &Fragment) -> Result<(), Malformed> {
        let Some(target) = &self.target else { return Ok(()) };
        if self.filling.is_none() {
            if !fragment.key {
                return Ok(());
            }
            let offset_ms = target.clock.signed_ms(fragment.arrived);
            let Some((_, chain)) = &mut self.chain else { return Ok(()) };
            // A number is used once, whether its file came to be or not.
            chain.last += 1;
            let previous = chain.digest.clone();
            let (filling, head) =
                Filling::begin(&target.session, &self.camera, chain.last, previous, fragment, offset_ms, (self.sm3, target.key.as_ref()))?;
            let (folder, segment, first) = (target.folder.clone(), filling.segment().clone(), filling.first());
            let key = target.key.as_ref().map(|key| key.session.clone());
            let begin = Arc::new(FileHead { folder, segment, head, first, key });
            self.cut = false;
            for way in self.ways.iter_mut().filter(|w| !w.behind) {
                way.has_file = true;
                way.lane.send(Order::Begin(begin.clone()));
            }
            self.filling = Some(filling);
        }
        let Some(filling) = &mut self.filling else { return Ok(()) };
        let (boxes, samples) = filling.add(fragment)?;
        // Nobody was promised pre-roll on the disk before the button.
        let arrived = if fragment.arrived.mono_ms < target.opened.mono_ms { target.opened } else { fragment.arrived };
        for way in self.ways.iter().filter(|w| w.has_file) {
            way.lane.send(Order::Piece { boxes: boxes.clone(), samples: samples.clone(), arrived });
        }
        self.leave_behind(fragment);
        Ok(())
    }

    /// A volume that does not keep up gets no more: what waits for it stays in order, and the others go on.
    fn leave_behind(&mut self, fragment: &Fragment) {
        let Some(filling) = &self.filling else { return };
        let several = self.ways.iter().filter(|w| !w.behind).count() > 1;
        let bytes = fragment.bytes.len() as u64;
        for (at, way) in self.ways.iter_mut().enumerate().filter(|(_, w)| w.has_file && !w.lane.has_room(bytes)) {
            (way.behind, way.has_file) = (true, false);
            // With the whole of it elsewhere the file is left to be completed; alone it ends here, digested.
            way.lane.send(if several { Order::Leave } else { Order::End(Box::new(filling.so_far())) });
            let detail = format!("the {} volume does not keep up; what came then is not kept there", way.lane.name());
            tracing::error!(camera = %self.camera, "{detail}");
            if at == 0 || !several {
                (self.tell)(Wrote::Lost { since: fragment.arrived, cause: GapCause::Disk, detail });
            }
        }
        if self.ways.iter().all(|w| !w.has_file) {
            self.close_file();
        }
    }

    fn look_at_volumes(&mut self) {
        for way in self.ways.iter_mut().filter(|w| w.behind && w.lane.is_relieved()) {
            way.behind = false;
            self.cut = true;
        }
    }

    fn close_file(&mut self) {
        let Some(filling) = self.filling.take() else { return };
        let segment = filling.close();
        if let Some((_, chain)) = &mut self.chain {
            chain.digest = Some(segment.sha256.clone());
        }
        for way in self.ways.iter_mut().filter(|w| w.has_file) {
            way.has_file = false;
            way.lane.send(Order::End(Box::new(segment.clone())));
        }
    }
}
