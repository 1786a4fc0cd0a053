//! One run of the muxer: access units in, whole fragments out, from a key frame until the format changes or the stream ends.

use crate::capture::codecs;
use crate::capture::feed::{Format, IN_ORDER};
use crate::capture::hub::Hub;
use crate::capture::{CaptureError, pipelines};
use crate::model::fragment::{Fragment, Header};
use crate::model::time::Moment;
use bytes::Bytes;
use chrono::{DateTime, Utc};
use gstreamer as gst;
use gstreamer::prelude::*;
use gstreamer_app as gst_app;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Room before the first key frame for pictures that are shown earlier and come later (open GOP).
const LEAD: Duration = Duration::from_secs(1);
/// A fragment's length: long enough to cost little, short enough for live pictures within a second.
pub(super) const CHUNK: Duration = Duration::from_millis(200);
/// RTP times are rounded.
const SLACK: Duration = Duration::from_millis(1);
/// Fragments that may be inside the muxer; it waits for sound at most some seven tenths of a second.
const INSIDE_MAX: usize = 256;
/// How long the last fragment may take to come out.
const END: Duration = Duration::from_secs(2);

/// Pictures that come out together.
#[derive(Clone, Copy)]
struct Chunk {
    /// Of the first picture to be shown, and of the last.
    first: Duration,
    last: Duration,
    key: bool,
    frames: u32,
    at: Moment,
    camera_utc: Option<DateTime<Utc>>,
}

/// Times at which a stream is cut, and whether a key frame begins there.
type Cuts = Arc<Mutex<VecDeque<(Duration, bool)>>>;

/// A running muxer.
pub(super) struct Mux {
    pipeline: gst::Pipeline,
    video: gst_app::AppSrc,
    sound: Option<gst_app::AppSrc>,
    /// What is inside, in the order in which it comes out; the last one is still being filled.
    chunks: Arc<Mutex<VecDeque<Chunk>>>,
    /// Where each stream is still to be cut: pictures, and sound.
    cuts: Vec<Cuts>,
    ended: tokio::sync::oneshot::Receiver<()>,
    start_ns: i64,
    /// Pictures that are pushed together.
    gathered: Vec<gst::Buffer>,
    /// Decode times are presentation times.
    in_order: bool,
    /// There was a picture.
    begun: bool,
    /// Up to where there is sound, or silence in its place.
    sound_until: Duration,
    /// Up to where there is silence.
    silent_until: Duration,
    /// Something inside fell over, or does not end.
    is_stuck: bool,
}

impl Mux {
    /// Starts a run whose first picture has this presentation time.
    pub(super) fn start(video: &Format, sound: Option<&Format>, start_ns: i64, hub: Arc<Hub>) -> Result<Self, CaptureError> {
        let in_order = video.piece == IN_ORDER;
        let pipeline = gst::Pipeline::new();
        let failed = |problem: &dyn std::fmt::Display| CaptureError::Pipeline { name: "mux", problem: problem.to_string() };
        let muxer = pipelines::piece("mux")?;
        let mux: gst::Element = pipelines::named(&muxer, "mux")?;
        pipeline.add(&muxer).map_err(|e| failed(&e))?;
        let mut sources = Vec::new();
        let mut cuts = Vec::new();
        for format in std::iter::once(video).chain(sound) {
            let bin = pipelines::piece(format.piece)?;
            let source: gst_app::AppSrc = pipelines::named(&bin, "in")?;
            source.set_caps(Some(&format.caps));
            pipeline.add(&bin).map_err(|e| failed(&e))?;
            let outer = mux.request_pad_simple("sink_%u").ok_or_else(|| failed(&"the muxer takes no further stream"))?;
            let of_this = Cuts::default();
            let through = match (cuts.is_empty(), in_order) {
                (true, true) => Through::Pictures,
                (true, false) => Through::PicturesOutOfOrder,
                (false, _) => Through::Sound,
            };
            cut_at_the_door(&outer, of_this.clone(), through);
            cuts.push(of_this);
            let ghost = gst::GhostPad::with_target(&outer).map_err(|e| failed(&e))?;
            ghost.set_active(true).map_err(|e| failed(&e))?;
            muxer.add_pad(&ghost).map_err(|e| failed(&e))?;
            let inner = bin.static_pad("src").ok_or_else(|| failed(&"a piece without an end"))?;
            inner.link(&ghost).map_err(|e| failed(&e))?;
            sources.push(source);
        }
        let sink: gst_app::AppSink = pipelines::named(&muxer, "fragments")?;
        let chunks = Arc::new(Mutex::new(VecDeque::new()));
        let (tell, ended) = tokio::sync::oneshot::channel();
        sink.set_callbacks(outlet(hub, chunks.clone(), tell));
        // No clock: fragments come out when they are full, however late or early the camera is.
        pipeline.use_clock(None::<&gst::Clock>);
        pipeline.set_state(gst::State::Playing).map_err(|e| failed(&e))?;
        let mut sources = sources.into_iter();
        let video = sources.next().ok_or_else(|| failed(&"no pictures"))?;
        Ok(Self {
            pipeline,
            video,
            sound: sources.next(),
            chunks,
            cuts,
            ended,
            start_ns,
            gathered: Vec::new(),
            in_order,
            begun: false,
            sound_until: LEAD,
            silent_until: Duration::ZERO,
            is_stuck: false,
        })
    }

    /// Running time of a presentation time; `None` before the lead.
    fn running(&self, pts_ns: i64) -> Option<Duration> {
        let ns = pts_ns.checked_sub(self.start_ns)?.checked_add(LEAD.as_nanos() as i64)?;
        u64::try_from(ns).ok().map(Duration::from_nanos)
    }

    /// A picture.
    pub(super) fn picture(
        &mut self,
        data: Vec<u8>,
        pts_ns: i64,
        key: bool,
        at: Moment,
        camera_utc: Option<DateTime<Utc>>,
    ) -> Result<(), String> {
        let Some(pts) = self.running(pts_ns) else { return Ok(()) };
        let cut = self.opens_chunk(pts, key, at, camera_utc)?;
        if cut {
            self.cuts.iter().for_each(|c| lock(c).push_back((pts, key)));
        }
        let flags = if key { gst::BufferFlags::empty() } else { gst::BufferFlags::DELTA_UNIT };
        let mut picture = buffer(data, pts, None, flags)?;
        if let Some(picture) = picture.get_mut().filter(|_| self.in_order) {
            picture.set_dts(picture.pts());
        }
        self.gathered.push(picture);
        // The first picture behind a cut completes the fragment before it, and is pushed together with what that still lacks.
        if cut { self.push_gathered() } else { Ok(()) }
    }

    /// Counts a picture to the fragment that it belongs to; whether it begins another than the first.
    fn opens_chunk(&mut self, pts: Duration, key: bool, at: Moment, camera_utc: Option<DateTime<Utc>>) -> Result<bool, String> {
        let mut chunks = lock(&self.chunks);
        let goes_on = chunks.back_mut().filter(|c| !key && pts.saturating_sub(c.first) + SLACK < CHUNK);
        if let Some(chunk) = goes_on {
            chunk.first = chunk.first.min(pts);
            chunk.last = chunk.last.max(pts);
            chunk.frames += 1;
            return Ok(false);
        }
        if chunks.len() >= INSIDE_MAX {
            return Err("the muxer does not keep up".into());
        }
        let follows = std::mem::replace(&mut self.begun, true);
        chunks.push_back(Chunk { first: pts, last: pts, key, frames: 1, at, camera_utc });
        Ok(follows)
    }

    fn push_gathered(&mut self) -> Result<(), String> {
        if self.gathered.is_empty() {
            return Ok(());
        }
        room(&self.video)?;
        let list: gst::BufferList = std::mem::take(&mut self.gathered).into_iter().collect();
        self.video.push_buffer_list(list).map(drop).map_err(|e| refused(&e))?;
        let problem = self.problem();
        self.is_stuck |= problem.is_some();
        problem.map_or(Ok(()), Err)
    }

    /// Sound.
    pub(super) fn sound(&mut self, data: Vec<u8>, pts_ns: i64, duration: Option<Duration>) -> Result<(), String> {
        match (&self.sound, self.running(pts_ns)) {
            // Sound from before the first picture would make the file begin without one.
            // Nor can sound come after the silence that stands in its place.
            (Some(source), Some(pts)) if pts >= LEAD && pts + SLACK >= self.silent_until => {
                room(source)?;
                self.sound_until = self.sound_until.max(pts + duration.unwrap_or_default());
                source.push_buffer(buffer(data, pts, duration, gst::BufferFlags::empty())?).map(drop).map_err(|e| refused(&e))
            }
            _ => Ok(()),
        }
    }

    /// Whether sound ends so far before this time.
    pub(super) fn lacks_sound(&self, pts_ns: i64, by: Duration) -> bool {
        self.sound.is_some() && self.running(pts_ns).is_some_and(|pts| pts > self.sound_until + by)
    }

    /// Puts silence in the place of sound up to this time: pictures no longer wait for it.
    pub(super) fn bridge_silence(&mut self, pts_ns: i64) {
        if let Some(until) = self.running(pts_ns) {
            self.silence(until);
        }
    }

    fn silence(&mut self, until: Duration) {
        let Some(sound) = self.sound.as_ref().filter(|_| until > self.sound_until) else { return };
        let time = |d: Duration| gst::ClockTime::from_nseconds(d.as_nanos() as u64);
        let gap = gst::event::Gap::builder(time(self.sound_until)).duration(time(until.saturating_sub(self.sound_until))).build();
        if !sound.send_event(gap) {
            tracing::warn!("the muxer was not told of silence");
        }
        self.sound_until = until;
        self.silent_until = until;
    }

    /// What went wrong inside, if anything did.
    fn problem(&self) -> Option<String> {
        let bus = self.pipeline.bus()?;
        let message = bus.pop_filtered(&[gst::MessageType::Error])?;
        match message.view() {
            gst::MessageView::Error(e) => Some(format!("{}: {}", e.src().map(|s| s.name().to_string()).unwrap_or_default(), e.error())),
            _ => None,
        }
    }

    /// Lets what is inside come out, and ends.
    pub(super) async fn end(mut self) {
        let _ = self.push_gathered();
        // Every cut has to come to sound as well before its end does: the muxer cannot cut a stream that has ended.
        let last = lock(&self.chunks).back().map(|c| c.last);
        if let Some(last) = last {
            self.silence(last + CHUNK);
        }
        for source in std::iter::once(&self.video).chain(&self.sound) {
            let _ = source.end_of_stream();
        }
        if tokio::time::timeout(END, &mut self.ended).await.is_err() {
            tracing::warn!("a muxer did not end in good order");
            self.is_stuck = true;
        }
    }
}

impl Drop for Mux {
    fn drop(&mut self) {
        // An element that falls over says so on the bus, and its stream ends all the same, as if in good order.
        if self.is_stuck || self.problem().is_some() {
            // What fell over (gst-plugin-fmp4 0.14.5 does now and then, where a stream ends with its camera) may hold its
            // neighbours for ever: a thread of GStreamer's own waits for them, and the camera connects anew.
            self.pipeline.call_async(|pipeline| {
                let _ = pipeline.set_state(gst::State::Null);
            });
        } else {
            let _ = self.pipeline.set_state(gst::State::Null);
        }
    }
}

fn lock<T>(of: &Mutex<T>) -> MutexGuard<'_, T> {
    of.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What comes through one of the muxer's doors.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Through {
    Pictures,
    /// In the order in which they are decoded, not shown.
    PicturesOutOfOrder,
    Sound,
}

/// So far behind a cut its picture was dropped by the parser: cuts do not wait for what never comes.
const DROPPED: Duration = Duration::from_secs(1);

/// Tells the muxer to end a fragment before what comes through this door next, where a cut is due: at that very picture, or the
/// first that is no earlier; sound likewise.
fn cut_at_the_door(door: &gst::Pad, cuts: Cuts, through: Through) {
    door.add_probe(gst::PadProbeType::BUFFER | gst::PadProbeType::EVENT_DOWNSTREAM, move |door, info| {
        // The piece before it may count from elsewhere (decode times below zero): running time is what both sides mean.
        let segment = door.sticky_event::<gst::event::Segment>(0);
        let segment = segment.as_ref().and_then(|s| s.segment().downcast_ref::<gst::ClockTime>());
        let silence = |event: &gst::Event| match event.view() {
            gst::EventView::Gap(gap) => Some(gap.get().0 + gap.get().1.unwrap_or_default()),
            _ => None,
        };
        let pts = info.buffer().and_then(|b| b.pts()).or_else(|| info.event().and_then(silence));
        let running = pts.and_then(|pts| segment?.to_running_time(pts));
        let Some(pts) = running.map(|t| Duration::from_nanos(t.nseconds())) else { return gst::PadProbeReturn::Ok };
        let due = |(at, _): &(Duration, bool)| match through {
            Through::PicturesOutOfOrder => pts.abs_diff(*at) < SLACK || pts > *at + DROPPED,
            Through::Pictures | Through::Sound => *at <= pts + SLACK,
        };
        while let Some((_, key)) = lock(&cuts).pop_front_if(|c| due(c)) {
            // A whole fragment begins with a key frame; sound has none of its own.
            let structure = gst::Structure::builder("FMP4MuxSplitNow").field("chunk", !key || through == Through::Sound).build();
            door.send_event(gst::event::CustomDownstream::new(structure));
        }
        gst::PadProbeReturn::Ok
    });
}

fn room(source: &gst_app::AppSrc) -> Result<(), String> {
    if source.current_level_bytes() > source.max_bytes() { Err("the muxer does not keep up".into()) } else { Ok(()) }
}

fn refused(e: &gst::FlowError) -> String {
    format!("the muxer refuses data: {e}")
}

fn buffer(data: Vec<u8>, pts: Duration, duration: Option<Duration>, flags: gst::BufferFlags) -> Result<gst::Buffer, String> {
    let mut whole = gst::Buffer::from_mut_slice(data);
    let Some(buffer) = whole.get_mut() else { return Err("a buffer is shared".into()) };
    let time = |d: Duration| gst::ClockTime::from_nseconds(d.as_nanos() as u64);
    buffer.set_pts(time(pts));
    buffer.set_duration(duration.map(time));
    buffer.set_flags(flags);
    Ok(whole)
}

/// What happens at the muxer's end: header kept, fragments given to the hub.
fn outlet(hub: Arc<Hub>, chunks: Arc<Mutex<VecDeque<Chunk>>>, ended: tokio::sync::oneshot::Sender<()>) -> gst_app::AppSinkCallbacks {
    let mut header: Option<Arc<Header>> = None;
    let mut ended = Some(ended);
    gst_app::AppSinkCallbacks::builder()
        .new_sample(move |sink| {
            let sample = sink.pull_sample().map_err(|_| gst::FlowError::Eos)?;
            if let Some(list) = sample.buffer_list() {
                out(list, &mut header, &chunks, &hub);
            }
            Ok(gst::FlowSuccess::Ok)
        })
        .eos(move |_| {
            if let Some(tell) = ended.take() {
                let _ = tell.send(());
            }
        })
        .build()
}

fn out(list: &gst::BufferListRef, header: &mut Option<Arc<Header>>, chunks: &Mutex<VecDeque<Chunk>>, hub: &Hub) {
    let mut bytes = Vec::with_capacity(list.calculate_size());
    for buffer in list {
        let Ok(map) = buffer.map_readable() else { return };
        if map.get(4..8) == Some(b"ftyp") {
            *header = Some(Arc::new(make_header(&map)));
            continue;
        }
        bytes.extend_from_slice(&map);
    }
    let (chunk, next) = {
        let mut chunks = lock(chunks);
        (chunks.pop_front(), chunks.front().copied())
    };
    let (Some(header), Some(chunk)) = (header.clone(), chunk) else {
        return hub.note("the muxer gave more than it was given".into());
    };
    // The last of a run ends a picture's length behind its last picture.
    let own = chunk.last.saturating_sub(chunk.first) * (chunk.frames + 1) / chunk.frames.max(1);
    let duration = next.map_or(own, |next| next.first.saturating_sub(chunk.first));
    let Chunk { first, key, frames, at, camera_utc, .. } = chunk;
    hub.fragment(Arc::new(Fragment { header, bytes: Bytes::from(bytes), key, pts: first, duration, arrived: at, camera_utc, frames }));
}

fn make_header(bytes: &[u8]) -> Header {
    let said = codecs::read(bytes);
    Header { bytes: Bytes::copy_from_slice(bytes), codecs: said.codecs, width: said.width, height: said.height, sound: said.sound }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::machine::clock::{Clock, SystemClock};
    use std::time::Instant;

    /// Two seconds of pictures as a camera sends them.
    fn pictures() -> (gst::Caps, Vec<(Vec<u8>, bool)>) {
        let text = "videotestsrc num-buffers=50 ! video/x-raw,width=320,height=180,framerate=25/1 ! x264enc key-int-max=25 bframes=0 \
                    speed-preset=ultrafast tune=zerolatency ! h264parse ! video/x-h264,stream-format=avc,alignment=au ! appsink name=out sync=false";
        let pipeline = gst::parse::launch(text).unwrap().downcast::<gst::Pipeline>().unwrap();
        let out = pipeline.by_name("out").unwrap().downcast::<gst_app::AppSink>().unwrap();
        pipeline.set_state(gst::State::Playing).unwrap();
        let (mut caps, mut all) = (None, Vec::new());
        while let Ok(sample) = out.pull_sample() {
            let buffer = sample.buffer().unwrap();
            all.push((buffer.map_readable().unwrap().to_vec(), !buffer.flags().contains(gst::BufferFlags::DELTA_UNIT)));
            caps = sample.caps_owned();
        }
        pipeline.set_state(gst::State::Null).unwrap();
        (caps.unwrap(), all)
    }

    #[tokio::test]
    async fn an_element_that_falls_over_holds_nobody_who_connects_anew() {
        falls_over(false).await;
    }

    #[tokio::test]
    async fn nor_does_one_whose_stream_ends_as_if_in_good_order() {
        falls_over(true).await;
    }

    async fn falls_over(ends: bool) {
        crate::capture::init().unwrap();
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let (caps, pictures) = pictures();
        let video = Format { piece: IN_ORDER, caps, gathers: None };
        let caps = gst::Caps::builder("audio/x-mulaw").field("rate", 8000i32).field("channels", 1i32).build();
        let sound = Format { piece: "mulaw", caps, gathers: Some(8000) };
        let hub = Arc::new(Hub::new(0, clock.clone(), Box::new(|_| ())));
        let mut mux = Mux::start(&video, Some(&sound), 0, hub).unwrap();
        // What fell over takes nothing more, and gives its neighbours no word.
        let fallen = mux.pipeline.by_name("mux").unwrap();
        for door in fallen.sink_pads() {
            door.add_probe(gst::PadProbeType::BUFFER | gst::PadProbeType::BUFFER_LIST, |_, _| {
                loop {
                    std::thread::park();
                }
            });
        }
        for (n, (data, key)) in pictures.into_iter().enumerate() {
            mux.picture(data, n as i64 * 40_000_000, key, clock.now(), None).unwrap();
        }
        // While the end is waited for.
        if ends {
            let last = mux.pipeline.by_name("fragments").unwrap().static_pad("sink").unwrap();
            std::thread::spawn(move || {
                std::thread::sleep(Duration::from_millis(300));
                gst::element_error!(fallen, gst::LibraryError::Failed, ("Panicked"));
                last.send_event(gst::event::Eos::new());
            });
        }
        let began = Instant::now();
        let (tell, told) = std::sync::mpsc::channel();
        tokio::spawn(async move {
            mux.end().await;
            tell.send(()).unwrap();
        });
        let ended = tokio::task::spawn_blocking(move || told.recv_timeout(Duration::from_secs(30))).await.unwrap();
        assert!(ended.is_ok(), "the camera's task still waits after {:?}", began.elapsed());
    }
}
