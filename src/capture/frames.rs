//! A camera's recorded pictures and sound, decoded in the order of the session's time: for copies, never beside a recording in the same
//! process.

use crate::capture::{CaptureError, pipelines};
use crate::footage::clear;
use crate::footage::segment::BYTES_MAX;
use crate::machine::durable;
use crate::model::content_key::Keys;
use crate::model::copy::{Piece, Track};
use gst::prelude::*;
use gstreamer as gst;
use gstreamer_app as gst_app;
use std::collections::VecDeque;

/// Between two files a picture stands so long before it counts as gone (model::gap::TOLERANCE_MS), ms.
const SEAM_MS: i64 = 600;
/// Samples a second of a copy's sound.
pub const RATE: usize = 48_000;

/// Uncompressed pictures of one size (I420).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Size {
    /// Even.
    pub width: usize,
    /// Even.
    pub height: usize,
}

impl Size {
    /// Bytes of a picture.
    pub fn bytes(self) -> usize {
        self.width * self.height * 3 / 2
    }

    /// As GStreamer writes it.
    pub fn caps(self, fps: Option<i32>) -> gst::Caps {
        let caps = gst::Caps::builder("video/x-raw")
            .field("format", "I420")
            .field("width", self.width as i32)
            .field("height", self.height as i32)
            .field("pixel-aspect-ratio", gst::Fraction::new(1, 1));
        match fps {
            Some(fps) => caps.field("framerate", gst::Fraction::new(fps, 1)).build(),
            None => caps.build(),
        }
    }
}

pub(super) fn failed(name: &'static str, problem: &dyn std::fmt::Display) -> CaptureError {
    CaptureError::Pipeline { name, problem: problem.to_string() }
}

/// A pipeline that ends with whoever holds it.
pub(super) struct Running(gst::Pipeline);

impl Running {
    pub(super) fn of(name: &'static str, bin: &gst::Bin) -> Result<Self, CaptureError> {
        let pipeline = gst::Pipeline::new();
        pipeline.add(bin).map_err(|e| failed(name, &e))?;
        Ok(Self(pipeline))
    }

    pub(super) fn play(&self, name: &'static str) -> Result<(), CaptureError> {
        self.0.set_state(gst::State::Playing).map(drop).map_err(|e| failed(name, &e))
    }

    /// Goes to a moment before it plays.
    fn seek(&self, name: &'static str, to: gst::ClockTime) -> Result<(), CaptureError> {
        self.0.set_state(gst::State::Paused).map_err(|e| failed(name, &e))?;
        self.0.state(gst::ClockTime::from_seconds(30)).0.map_err(|e| failed(name, &e))?;
        self.0.seek_simple(gst::SeekFlags::FLUSH | gst::SeekFlags::KEY_UNIT | gst::SeekFlags::SNAP_BEFORE, to).map_err(|e| failed(name, &e))
    }

    /// Waits until everything has run through.
    pub(super) fn ends(&self, name: &'static str, patience: gst::ClockTime) -> Result<(), CaptureError> {
        let bus = self.0.bus().ok_or_else(|| failed(name, &"no bus"))?;
        let told = bus.timed_pop_filtered(patience, &[gst::MessageType::Eos, gst::MessageType::Error]);
        match told.as_ref().map(|m| m.view()) {
            Some(gst::MessageView::Eos(_)) => Ok(()),
            Some(gst::MessageView::Error(e)) => Err(failed(name, &e.error())),
            _ => Err(failed(name, &"took too long")),
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.set_state(gst::State::Null);
    }
}

/// One segment that is being decoded.
struct Decoding {
    at: usize,
    sink: gst_app::AppSink,
    first_ns: Option<u64>,
    /// Times are those of the whole file, which may be sought in.
    sought: bool,
    ahead: VecDeque<(i64, Vec<u8>)>,
    ended: bool,
    _pipeline: Running,
}

/// A camera's pictures, asked for in the order of time.
pub struct Pictures<'a> {
    track: &'a Track,
    size: Size,
    now: Option<Decoding>,
    shown: Option<(i64, Vec<u8>)>,
}

fn whole(piece: &Piece, keys: &Keys) -> Result<Vec<u8>, CaptureError> {
    let mut data = durable::read_whole(&piece.path, BYTES_MAX).map_err(|e| failed("copy", &e))?;
    data.truncate(piece.bytes as usize);
    clear::whole(&mut data, keys).map_err(|e| failed("copy", &e))?;
    Ok(data)
}

fn begin(name: &'static str, data: Vec<u8>, size: Option<Size>) -> Result<(Running, gst_app::AppSink), CaptureError> {
    let bin = pipelines::whole(name)?;
    let source: gst_app::AppSrc = pipelines::named(&bin, "in")?;
    let sink: gst_app::AppSink = pipelines::named(&bin, "out")?;
    if let Some(size) = size {
        let filter: gst::Element = pipelines::named(&bin, "size")?;
        filter.set_property("caps", size.caps(None));
    }
    let pipeline = Running::of(name, &bin)?;
    pipeline.play(name)?;
    source.push_buffer(gst::Buffer::from_mut_slice(data)).map_err(|e| failed(name, &e))?;
    source.end_of_stream().map_err(|e| failed(name, &e))?;
    Ok((pipeline, sink))
}

/// Decodes a file of any container from a moment of the session on: at the key frame before it.
fn begin_file(name: &'static str, piece: &Piece, size: Option<Size>, from_ms: i64) -> Result<(Running, gst_app::AppSink), CaptureError> {
    let bin = pipelines::whole(name)?;
    let source: gst::Element = pipelines::named(&bin, "in")?;
    let sink: gst_app::AppSink = pipelines::named(&bin, "out")?;
    source.set_property("location", piece.path.display().to_string());
    if let Some(size) = size {
        let filter: gst::Element = pipelines::named(&bin, "size")?;
        filter.set_property("caps", size.caps(None));
    }
    let pipeline = Running::of(name, &bin)?;
    let into = (from_ms - piece.offset_ms).max(0) as u64;
    if into > 0 {
        pipeline.seek(name, gst::ClockTime::from_mseconds(into))?;
    }
    pipeline.play(name)?;
    Ok((pipeline, sink))
}

/// Where a sample stands in its file.
fn file_time_ns(sample: &gst::Sample) -> u64 {
    let pts = sample.buffer().and_then(gst::BufferRef::pts);
    let segment = sample.segment().and_then(|s| s.downcast_ref::<gst::ClockTime>());
    segment.and_then(|s| s.to_stream_time(pts)).or(pts).map_or(0, gst::ClockTime::nseconds)
}

/// Whether a file that was taken in has sound, by its codecs.
fn has_sound(codecs: &str) -> bool {
    let sounds = ["audio/", "mp4a", "opus", "flac", "vorbis", "mp3", "ac-3", "ec-3", "alac"];
    codecs.split(',').any(|c| sounds.iter().any(|s| c.starts_with(s)))
}

/// The next sample; an error of the pipeline counts as its end: what could be decoded is shown.
fn pull(sink: &gst_app::AppSink) -> Option<gst::Sample> {
    sink.try_pull_sample(gst::ClockTime::from_seconds(10))
}

impl<'a> Pictures<'a> {
    /// Of a camera.
    pub fn of(track: &'a Track, size: Size) -> Self {
        Self { track, size, now: None, shown: None }
    }

    /// The picture that stood at a moment of the session, ms; none in a gap. Moments are asked for forward.
    pub fn at(&mut self, at_ms: i64) -> Result<Option<&[u8]>, CaptureError> {
        let begun = self.track.pieces.iter().rposition(|p| p.offset_ms <= at_ms);
        if let Some(wanted) = begun
            && self.now.as_ref().is_none_or(|d| d.at != wanted)
        {
            let piece = &self.track.pieces[wanted];
            // One that is over by now need not be decoded to know that there is a gap; its last picture bridges a seam alone.
            if at_ms < piece.offset_ms + piece.duration_ms as i64 + SEAM_MS {
                self.now = Some(self.decode(wanted, piece, at_ms)?);
            }
        }
        if let Some(decoding) = &mut self.now {
            let offset = self.track.pieces[decoding.at].offset_ms;
            decoding.fill(offset, at_ms, self.size.bytes());
            while decoding.ahead.front().is_some_and(|(at, _)| *at <= at_ms) {
                self.shown = decoding.ahead.pop_front();
            }
        }
        let covered =
            self.track.pieces.iter().any(|p| p.offset_ms - SEAM_MS <= at_ms && at_ms < p.offset_ms + p.duration_ms as i64 + SEAM_MS);
        let until = self.shown.as_ref().filter(|_| covered);
        Ok(until.map(|(_, picture)| picture.as_slice()))
    }

    fn decode(&self, at: usize, piece: &Piece, from_ms: i64) -> Result<Decoding, CaptureError> {
        if piece.taken_in {
            let (pipeline, sink) = begin_file("copy-see-any", piece, Some(self.size), from_ms)?;
            return Ok(Decoding { at, sink, first_ns: Some(0), sought: true, ahead: VecDeque::new(), ended: false, _pipeline: pipeline });
        }
        let name = if piece.codecs.contains("avc") { "copy-see-h264" } else { "copy-see-h265" };
        let (pipeline, sink) = begin(name, whole(piece, &self.track.keys)?, Some(self.size))?;
        Ok(Decoding { at, sink, first_ns: None, sought: false, ahead: VecDeque::new(), ended: false, _pipeline: pipeline })
    }
}

impl Decoding {
    /// Decodes until one picture lies behind a moment.
    fn fill(&mut self, offset_ms: i64, at_ms: i64, bytes: usize) {
        while !self.ended && self.ahead.back().is_none_or(|(at, _)| *at <= at_ms) {
            let Some(sample) = pull(&self.sink) else {
                self.ended = true;
                return;
            };
            let Some(buffer) = sample.buffer() else { continue };
            let pts = if self.sought { file_time_ns(&sample) } else { buffer.pts().map_or(0, gst::ClockTime::nseconds) };
            let first = *self.first_ns.get_or_insert(pts);
            let at = offset_ms + (pts.saturating_sub(first) / 1_000_000) as i64;
            let Some(picture) = buffer.map_readable().ok().filter(|m| m.len() >= bytes).map(|m| m[..bytes].to_vec()) else { continue };
            // Pictures before the moment are passed over, but for the last.
            while self.ahead.front().is_some_and(|_| at <= at_ms) {
                self.ahead.pop_front();
            }
            self.ahead.push_back((at, picture));
        }
    }
}

/// A stretch of a camera's sound: as many samples as it is long, silence where there is none.
pub fn sound(track: &Track, from_ms: u64, to_ms: u64) -> Result<Vec<i16>, CaptureError> {
    let at = |ms: i64| (ms * RATE as i64 / 1000).max(0) as usize;
    let length = at((to_ms - from_ms) as i64);
    let mut samples = vec![0_i16; length];
    for piece in &track.pieces {
        let begins = piece.offset_ms - from_ms as i64;
        if begins >= (to_ms - from_ms) as i64 || begins + piece.duration_ms as i64 <= 0 {
            continue;
        }
        let codecs = piece.codecs.to_ascii_lowercase();
        if piece.taken_in {
            if has_sound(&codecs) {
                sound_of_file(piece, from_ms, &mut samples)?;
            }
            continue;
        }
        let ways = [("flac", "copy-hear-flac"), ("mp4a", "copy-hear-aac"), ("opus", "copy-hear-opus")];
        let Some((_, name)) = ways.into_iter().find(|(codec, _)| codecs.contains(codec)) else { continue };
        let (_pipeline, sink) = begin(name, whole(piece, &track.keys)?, None)?;
        // Where in the stretch the next sample goes; negative: before it.
        let mut next = begins * RATE as i64 / 1000;
        while let Some(sample) = pull(&sink) {
            let Some(map) = sample.buffer().and_then(|b| b.map_readable().ok()) else { continue };
            for pair in map.chunks_exact(2) {
                if let Some(slot) = usize::try_from(next).ok().and_then(|n| samples.get_mut(n)) {
                    *slot = i16::from_le_bytes([pair[0], pair[1]]);
                }
                next += 1;
            }
        }
    }
    Ok(samples)
}

fn sound_of_file(piece: &Piece, from_ms: u64, samples: &mut [i16]) -> Result<(), CaptureError> {
    let (_pipeline, sink) = begin_file("copy-hear-any", piece, None, from_ms as i64)?;
    let mut next: Option<i64> = None;
    while let Some(sample) = pull(&sink) {
        let Some(map) = sample.buffer().and_then(|b| b.map_readable().ok()) else { continue };
        let begins = || piece.offset_ms - from_ms as i64 + (file_time_ns(&sample) / 1_000_000) as i64;
        let mut at = next.unwrap_or_else(|| begins() * RATE as i64 / 1000);
        for pair in map.chunks_exact(2) {
            if let Some(slot) = usize::try_from(at).ok().and_then(|n| samples.get_mut(n)) {
                *slot = i16::from_le_bytes([pair[0], pair[1]]);
            }
            at += 1;
        }
        if at >= samples.len() as i64 {
            break;
        }
        next = Some(at);
    }
    Ok(())
}
