//! One run of the muxer: access units in, whole fragments out, from a key frame until the format changes or the stream ends.

use crate::capture::codecs;
use crate::capture::feed::Format;
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
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// Room before the first key frame for pictures that are shown earlier and come later (open GOP).
const LEAD: Duration = Duration::from_secs(1);
/// Pictures whose arrival is remembered until their fragment comes out: 20 s at 60 a second, more is not waited for.
const ARRIVALS_MAX: usize = 1_200;
/// How long the last fragment may take to come out.
const END: Duration = Duration::from_secs(2);

#[derive(Clone, Copy)]
struct Arrival {
    pts: Duration,
    at: Moment,
    camera_utc: Option<DateTime<Utc>>,
}

/// A running muxer.
pub(super) struct Mux {
    pipeline: gst::Pipeline,
    video: gst_app::AppSrc,
    sound: Option<gst_app::AppSrc>,
    arrivals: Arc<Mutex<VecDeque<Arrival>>>,
    ended: tokio::sync::oneshot::Receiver<()>,
    start_ns: i64,
}

impl Mux {
    /// Starts a run whose first picture has this presentation time.
    pub(super) fn start(video: &Format, sound: Option<&Format>, start_ns: i64, hub: Arc<Hub>) -> Result<Self, CaptureError> {
        let pipeline = gst::Pipeline::new();
        let failed = |problem: &dyn std::fmt::Display| CaptureError::Pipeline { name: "mux", problem: problem.to_string() };
        let muxer = pipelines::piece("mux")?;
        let mux: gst::Element = pipelines::named(&muxer, "mux")?;
        pipeline.add(&muxer).map_err(|e| failed(&e))?;
        let mut sources = Vec::new();
        for format in std::iter::once(video).chain(sound) {
            let bin = pipelines::piece(format.piece)?;
            let source: gst_app::AppSrc = pipelines::named(&bin, "in")?;
            source.set_caps(Some(&format.caps));
            pipeline.add(&bin).map_err(|e| failed(&e))?;
            let outer = mux.request_pad_simple("sink_%u").ok_or_else(|| failed(&"the muxer takes no further stream"))?;
            let ghost = gst::GhostPad::with_target(&outer).map_err(|e| failed(&e))?;
            ghost.set_active(true).map_err(|e| failed(&e))?;
            muxer.add_pad(&ghost).map_err(|e| failed(&e))?;
            let inner = bin.static_pad("src").ok_or_else(|| failed(&"a piece without an end"))?;
            inner.link(&ghost).map_err(|e| failed(&e))?;
            sources.push(source);
        }
        let sink: gst_app::AppSink = pipelines::named(&muxer, "fragments")?;
        let arrivals = Arc::new(Mutex::new(VecDeque::new()));
        let (tell, ended) = tokio::sync::oneshot::channel();
        sink.set_callbacks(outlet(hub, arrivals.clone(), tell));
        // No clock: fragments come out when they are full, however late or early the camera is.
        pipeline.use_clock(None::<&gst::Clock>);
        pipeline.set_state(gst::State::Playing).map_err(|e| failed(&e))?;
        let mut sources = sources.into_iter();
        let video = sources.next().ok_or_else(|| failed(&"no pictures"))?;
        Ok(Self { pipeline, video, sound: sources.next(), arrivals, ended, start_ns })
    }

    pub(super) fn has_sound(&self) -> bool {
        self.sound.is_some()
    }

    /// Running time of a presentation time; `None` before the lead.
    fn running(&self, pts_ns: i64) -> Option<Duration> {
        let ns = pts_ns.checked_sub(self.start_ns)?.checked_add(LEAD.as_nanos() as i64)?;
        u64::try_from(ns).ok().map(Duration::from_nanos)
    }

    /// A picture.
    pub(super) fn picture(
        &self,
        data: Vec<u8>,
        pts_ns: i64,
        key: bool,
        at: Moment,
        camera_utc: Option<DateTime<Utc>>,
    ) -> Result<(), String> {
        let Some(pts) = self.running(pts_ns) else { return Ok(()) };
        {
            let mut arrivals = self.arrivals.lock().unwrap_or_else(PoisonError::into_inner);
            arrivals.push_back(Arrival { pts, at, camera_utc });
            if arrivals.len() > ARRIVALS_MAX {
                arrivals.pop_front();
            }
        }
        let flags = if key { gst::BufferFlags::empty() } else { gst::BufferFlags::DELTA_UNIT };
        push(&self.video, data, pts, None, flags)
    }

    /// Sound.
    pub(super) fn sound(&self, data: Vec<u8>, pts_ns: i64, duration: Option<Duration>) -> Result<(), String> {
        match (&self.sound, self.running(pts_ns)) {
            // Sound from before the first picture would make the file begin without one.
            (Some(source), Some(pts)) if pts >= LEAD => push(source, data, pts, duration, gst::BufferFlags::empty()),
            _ => Ok(()),
        }
    }

    /// What went wrong inside, if anything did.
    pub(super) fn problem(&self) -> Option<String> {
        let bus = self.pipeline.bus()?;
        let message = bus.pop_filtered(&[gst::MessageType::Error])?;
        match message.view() {
            gst::MessageView::Error(e) => Some(format!("{}: {}", e.src().map(|s| s.name().to_string()).unwrap_or_default(), e.error())),
            _ => None,
        }
    }

    /// Lets what is inside come out, and ends.
    pub(super) async fn end(mut self) {
        for source in std::iter::once(&self.video).chain(&self.sound) {
            let _ = source.end_of_stream();
        }
        if tokio::time::timeout(END, &mut self.ended).await.is_err() {
            tracing::warn!("a muxer did not end in good order");
        }
    }
}

impl Drop for Mux {
    fn drop(&mut self) {
        let _ = self.pipeline.set_state(gst::State::Null);
    }
}

fn push(source: &gst_app::AppSrc, data: Vec<u8>, pts: Duration, duration: Option<Duration>, flags: gst::BufferFlags) -> Result<(), String> {
    if source.current_level_bytes() > source.max_bytes() {
        return Err("the muxer does not keep up".into());
    }
    let mut buffer = gst::Buffer::from_mut_slice(data);
    {
        let Some(buffer) = buffer.get_mut() else { return Err("a buffer is shared".into()) };
        let time = |d: Duration| gst::ClockTime::from_nseconds(d.as_nanos() as u64);
        buffer.set_pts(time(pts));
        buffer.set_duration(duration.map(time));
        buffer.set_flags(flags);
    }
    source.push_buffer(buffer).map(drop).map_err(|e| format!("the muxer refuses data: {e}"))
}

/// What happens at the muxer's end: header kept, fragments given to the hub.
fn outlet(hub: Arc<Hub>, arrivals: Arc<Mutex<VecDeque<Arrival>>>, ended: tokio::sync::oneshot::Sender<()>) -> gst_app::AppSinkCallbacks {
    let mut header: Option<Arc<Header>> = None;
    let mut ended = Some(ended);
    gst_app::AppSinkCallbacks::builder()
        .new_sample(move |sink| {
            let sample = sink.pull_sample().map_err(|_| gst::FlowError::Eos)?;
            if let Some(list) = sample.buffer_list() {
                out(list, sample.segment(), &mut header, &arrivals, &hub);
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

fn out(
    list: &gst::BufferListRef,
    segment: Option<&gst::Segment>,
    header: &mut Option<Arc<Header>>,
    arrivals: &Mutex<VecDeque<Arrival>>,
    hub: &Hub,
) {
    let mut bytes = Vec::with_capacity(list.calculate_size());
    let mut times = None;
    for buffer in list {
        let Ok(map) = buffer.map_readable() else { return };
        if map.get(4..8) == Some(b"ftyp") {
            *header = Some(Arc::new(make_header(&map)));
            continue;
        }
        if times.is_none() && matches!(map.get(4..8), Some(b"styp" | b"moof")) {
            times = Some((buffer.pts(), buffer.duration(), !buffer.flags().contains(gst::BufferFlags::DELTA_UNIT)));
        }
        bytes.extend_from_slice(&map);
    }
    let (Some(header), Some((Some(pts), duration, key))) = (header.clone(), times) else { return };
    // The muxer counts from 1000 h, so that decode times may lie before the first picture; running time takes that off.
    let running = segment.and_then(|s| s.downcast_ref::<gst::ClockTime>()).and_then(|s| s.to_running_time(pts)).unwrap_or(pts);
    let pts = Duration::from_nanos(running.nseconds());
    let duration = duration.map_or(Duration::ZERO, |d| Duration::from_nanos(d.nseconds()));
    let Some((first, frames)) = arrival(arrivals, pts, duration) else { return };
    hub.fragment(Arc::new(Fragment {
        header,
        bytes: Bytes::from(bytes),
        key,
        pts,
        duration,
        arrived: first.at,
        camera_utc: first.camera_utc,
        frames,
    }));
}

fn make_header(bytes: &[u8]) -> Header {
    let said = codecs::read(bytes);
    Header { bytes: Bytes::copy_from_slice(bytes), codecs: said.codecs, width: said.width, height: said.height, sound: said.sound }
}

/// The arrival of a fragment's first picture, and how many pictures it holds; older ones are forgotten.
fn arrival(arrivals: &Mutex<VecDeque<Arrival>>, pts: Duration, duration: Duration) -> Option<(Arrival, u32)> {
    let mut arrivals = arrivals.lock().unwrap_or_else(PoisonError::into_inner);
    let slack = Duration::from_millis(1);
    let inside = |a: &&Arrival| a.pts + slack >= pts && a.pts + slack < pts + duration;
    let frames = arrivals.iter().filter(inside).count() as u32;
    // In order of arrival: pictures out of order make the first to arrive the key frame, which is what counts.
    let first = arrivals.iter().find(inside).or(arrivals.front()).copied();
    arrivals.retain(|a| a.pts + slack >= pts + duration);
    first
        .map(|a| (a, frames))
        // Sound alone: the pictures' queue is empty only if pictures stopped.
        .filter(|_| frames > 0)
}
