//! Making viewing copies and stills: pictures are decoded, put together, covered where that was ordered, and encoded with words burnt
//! in. Runs in a process of its own (`shilu make-copy`), a minute of the session at a time; a minute that is made stays.

use crate::capture::frames::{Pictures, RATE, Running, Size, failed, sound};
use crate::capture::{CaptureError, loudness, pipelines};
use crate::footage::copy;
use crate::machine::durable::{self, Appending};
use crate::model::content_key::Keys;
use crate::model::copy::{COPY_FILE, COPY_FPS, Layout, Mask, Order, PART_MS, Track, Work};
use crate::model::ids::CameraId;
use crate::model::session::Segment;
use crate::model::time;
use chrono::{DateTime, TimeDelta, Utc};
use gst::prelude::*;
use gstreamer as gst;
use gstreamer_app as gst_app;
use std::path::{Path, PathBuf};

/// How long a minute may take to encode.
const PATIENCE: gst::ClockTime = gst::ClockTime::from_seconds(1200);
/// Grey of a stretch without a picture.
const SLATE: u8 = 0x40;
/// Black of what is covered.
const COVER: u8 = 0x10;

/// Does the work; `told` hears thousandths, and says whether to go on.
pub fn make(work: &Work, told: &dyn Fn(u32) -> bool) -> Result<(), CaptureError> {
    match work {
        Work::Loudness { track, length_ms, to } => loudness::measure(track, *length_ms, to, told),
        Work::Still { track, at_ms, words, label, to } => still(track, *at_ms, words, label, to),
        Work::Copy { tracks, order, length_ms, started_at, words, label, folder } => {
            let job = Job { tracks, order, length_ms: *length_ms, started_at: *started_at, words, label, folder };
            job.run(told)
        }
    }
}

struct Job<'a> {
    tracks: &'a [Track],
    order: &'a Order,
    length_ms: u64,
    started_at: DateTime<Utc>,
    words: &'a str,
    label: &'a str,
    folder: &'a Path,
}

/// Where a camera's picture stands in the whole.
struct Place {
    size: Size,
    x: usize,
    y: usize,
}

fn layout(layout: Layout) -> (Size, Vec<Place>) {
    let place = |width, height, x, y| Place { size: Size { width, height }, x, y };
    match layout {
        Layout::Single => (Size { width: 1280, height: 720 }, vec![place(1280, 720, 0, 0)]),
        Layout::PictureInPicture => (Size { width: 1280, height: 720 }, vec![place(1280, 720, 0, 0), place(384, 216, 880, 456)]),
        Layout::SideBySide => (Size { width: 1920, height: 540 }, vec![place(960, 540, 0, 0), place(960, 540, 960, 0)]),
    }
}

impl Job<'_> {
    fn run(&self, told: &dyn Fn(u32) -> bool) -> Result<(), CaptureError> {
        let done = self.folder.join(COPY_FILE);
        let parts = self.length_ms.div_ceil(PART_MS).max(1);
        for number in 0..parts {
            let path = self.part(number);
            if !durable::exists(&path) {
                self.make_part(number, &path)?;
            }
            if !told((number + 1).saturating_mul(990).checked_div(parts).unwrap_or(0) as u32) {
                return Ok(());
            }
        }
        self.join(parts, &done)?;
        for number in 0..parts {
            durable::remove_derived(&self.part(number)).map_err(|e| failed("copy", &e))?;
        }
        told(1000);
        Ok(())
    }

    fn part(&self, number: u64) -> PathBuf {
        self.folder.join(format!("part-{number:05}.mp4"))
    }

    /// A minute, written aside and then renamed.
    fn make_part(&self, number: u64, path: &Path) -> Result<(), CaptureError> {
        let name = if self.order.sound.is_some() { "copy-part" } else { "copy-part-silent" };
        let aside = path.with_extension("aside");
        let bin = pipelines::whole(name)?;
        let pictures: gst_app::AppSrc = pipelines::named(&bin, "pictures")?;
        let said: gst_app::AppSrc = pipelines::named(&bin, "said")?;
        let label: gst::Element = pipelines::named(&bin, "label")?;
        let out: gst::Element = pipelines::named(&bin, "out")?;
        label.set_property("text", self.label);
        out.set_property("location", aside.display().to_string());
        let (size, places) = layout(self.order.layout);
        pictures.set_caps(Some(&size.caps(Some(COPY_FPS as i32))));
        let pipeline = Running::of(name, &bin)?;
        pipeline.play(name)?;
        let (from, to) = (number * PART_MS, ((number + 1) * PART_MS).min(self.length_ms.max(1)));
        self.say(name, &said, from, to)?;
        if let Some(camera) = &self.order.sound {
            self.sound(name, &bin, camera, from, to)?;
        }
        self.show(name, &pictures, size, &places, from, to)?;
        pipeline.ends(name, PATIENCE)?;
        drop(pipeline);
        durable::rename(&aside, path).map_err(|e| failed(name, &e))
    }

    /// Who looks and what time it was, second by second.
    fn say(&self, name: &'static str, said: &gst_app::AppSrc, from: u64, to: u64) -> Result<(), CaptureError> {
        for second in 0..(to - from).div_ceil(1000) {
            let at = self.started_at + TimeDelta::milliseconds((from + second * 1000) as i64);
            let text = format!("{}  {}", self.words, time::shanghai_text(at));
            let mut buffer = gst::Buffer::from_mut_slice(text.into_bytes());
            if let Some(b) = buffer.get_mut() {
                b.set_pts(gst::ClockTime::from_seconds(second));
                b.set_duration(gst::ClockTime::from_seconds(1));
            }
            said.push_buffer(buffer).map_err(|e| failed(name, &e))?;
        }
        said.end_of_stream().map(drop).map_err(|e| failed(name, &e))
    }

    fn sound(&self, name: &'static str, bin: &gst::Bin, camera: &CameraId, from: u64, to: u64) -> Result<(), CaptureError> {
        let source: gst_app::AppSrc = pipelines::named(bin, "sound")?;
        let caps = gst::Caps::builder("audio/x-raw")
            .field("format", "S16LE")
            .field("rate", RATE as i32)
            .field("channels", 1)
            .field("layout", "interleaved")
            .build();
        source.set_caps(Some(&caps));
        let silent = || vec![0; (to - from) as usize * RATE / 1000];
        let mut samples = self.tracks.iter().find(|t| t.camera == *camera).map_or_else(|| Ok(silent()), |t| sound(t, from, to))?;
        for mute in self.order.mutes.iter().filter(|m| m.from_ms < to && from < m.to_ms) {
            let at = |ms: u64| (ms.clamp(from, to) - from) as usize * RATE / 1000;
            let (begin, end) = (at(mute.from_ms).min(samples.len()), at(mute.to_ms).min(samples.len()));
            samples[begin..end].fill(0);
        }
        // A tenth of a second at a time, each with its time.
        for (n, piece) in samples.chunks(RATE / 10).enumerate() {
            let bytes: Vec<u8> = piece.iter().flat_map(|s| s.to_le_bytes()).collect();
            let mut buffer = gst::Buffer::from_mut_slice(bytes);
            if let Some(b) = buffer.get_mut() {
                b.set_pts(gst::ClockTime::from_mseconds(n as u64 * 100));
                b.set_duration(gst::ClockTime::from_nseconds(piece.len() as u64 * 1_000_000_000 / RATE as u64));
            }
            source.push_buffer(buffer).map_err(|e| failed(name, &e))?;
        }
        source.end_of_stream().map(drop).map_err(|e| failed(name, &e))
    }

    fn show(
        &self,
        name: &'static str,
        out: &gst_app::AppSrc,
        size: Size,
        places: &[Place],
        from: u64,
        to: u64,
    ) -> Result<(), CaptureError> {
        let shown = self.order.cameras.iter().zip(places);
        let mut cameras: Vec<_> = shown
            .filter_map(|(camera, place)| {
                let track = self.tracks.iter().find(|t| t.camera == *camera)?;
                Some((camera, place, Pictures::of(track, place.size)))
            })
            .collect();
        let frame = gst::ClockTime::from_nseconds(1_000_000_000 / COPY_FPS);
        let mut number = 0;
        loop {
            let at = from + number * 1000 / COPY_FPS;
            if at >= to {
                break;
            }
            let mut whole = slate(size, SLATE);
            for (camera, place, pictures) in &mut cameras {
                let mut picture = pictures.at(at as i64)?.map_or_else(|| slate(place.size, SLATE), <[u8]>::to_vec);
                let masks = self.order.masks.iter().filter(|m| m.camera == **camera && m.from_ms <= at && at < m.to_ms);
                masks.for_each(|mask| cover(&mut picture, place.size, mask));
                put(&mut whole, size, &picture, place);
            }
            let mut buffer = gst::Buffer::from_mut_slice(whole);
            if let Some(b) = buffer.get_mut() {
                b.set_pts(gst::ClockTime::from_nseconds(number * 1_000_000_000 / COPY_FPS));
                b.set_duration(frame);
            }
            out.push_buffer(buffer).map_err(|e| failed(name, &e))?;
            number += 1;
        }
        out.end_of_stream().map(drop).map_err(|e| failed(name, &e))
    }

    /// All minutes as one file that can be sought in.
    fn join(&self, parts: u64, done: &Path) -> Result<(), CaptureError> {
        let fault = |e: &dyn std::fmt::Display| failed("copy", e);
        let segments: Vec<Segment> = (0..parts).map(|n| segment(n, &self.part(n))).collect();
        let plan = copy::plan(self.folder, &segments, &Keys::default()).map_err(|e| fault(&e))?;
        let joined = self.folder.join("joined.mp4");
        if durable::exists(&joined) {
            durable::remove_derived(&joined).map_err(|e| fault(&e))?;
        }
        let mut file = Appending::create(&joined).map_err(|e| fault(&e))?;
        let mut problem = None;
        plan.send(|piece| match piece.and_then(|p| file.append(&p)) {
            Ok(()) => true,
            Err(e) => {
                problem = Some(e);
                false
            }
        });
        if let Some(e) = problem {
            return Err(fault(&e));
        }
        let name = if self.order.sound.is_some() { "copy-whole" } else { "copy-whole-silent" };
        let bin = pipelines::whole(name)?;
        let (input, out, mux): (gst::Element, gst::Element, gst::Element) =
            (pipelines::named(&bin, "in")?, pipelines::named(&bin, "out")?, pipelines::named(&bin, "mux")?);
        let aside = done.with_extension("aside");
        input.set_property("location", joined.display().to_string());
        out.set_property("location", aside.display().to_string());
        if let Some(tags) = mux.dynamic_cast_ref::<gst::TagSetter>() {
            tags.add_tag::<gst::tags::Title>(&self.label, gst::TagMergeMode::Replace);
        }
        let pipeline = Running::of(name, &bin)?;
        pipeline.play(name)?;
        pipeline.ends(name, PATIENCE)?;
        drop(pipeline);
        durable::rename(&aside, done).map_err(|e| fault(&e))?;
        durable::remove_derived(&joined).map_err(|e| fault(&e))
    }
}

/// A minute of the copy, as the joiner of segments knows files.
fn segment(number: u64, path: &Path) -> Segment {
    let file = path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
    Segment {
        camera: CameraId::new("copy").unwrap_or_else(|_| unreachable!()),
        sequence: number as u32 + 1,
        file,
        started_at: DateTime::UNIX_EPOCH,
        offset_ms: (number * PART_MS) as i64,
        duration_ms: PART_MS,
        bytes: 0,
        fragments: 0,
        sha256: String::new(),
        codecs: String::new(),
        resolution: String::new(),
        camera_clock_offset_ms: None,
        recovered: false,
        whole_bytes: None,
        from_mirror: None,
        sm3: None,
        signed_video: None,
    }
}

fn slate(size: Size, light: u8) -> Vec<u8> {
    let mut picture = vec![light; size.width * size.height];
    picture.resize(size.bytes(), 0x80);
    picture
}

/// The planes of a picture: where each begins, its width and its height.
fn planes(size: Size) -> [(usize, usize, usize); 3] {
    let (whole, quarter) = (size.width * size.height, size.width * size.height / 4);
    [(0, size.width, size.height), (whole, size.width / 2, size.height / 2), (whole + quarter, size.width / 2, size.height / 2)]
}

/// Covers a part of a picture; nothing under it is kept.
fn cover(picture: &mut [u8], size: Size, mask: &Mask) {
    for (n, (begin, width, height)) in planes(size).into_iter().enumerate() {
        // Rounded outward: an edge is covered rather than shown.
        let edge = |percent: u32, all: usize| all * percent.min(100) as usize / 100;
        let far = |percent: u32, all: usize| (all * percent.min(100) as usize).div_ceil(100);
        let (left, right) = (edge(mask.x, width), far(mask.x.saturating_add(mask.width), width));
        let (top, bottom) = (edge(mask.y, height), far(mask.y.saturating_add(mask.height), height));
        for row in top..bottom {
            picture[begin + row * width + left..begin + row * width + right].fill(if n == 0 { COVER } else { 0x80 });
        }
    }
}

/// Puts a picture into the whole.
fn put(whole: &mut [u8], size: Size, picture: &[u8], place: &Place) {
    for (n, ((to, wide, _), (from, width, height))) in planes(size).into_iter().zip(planes(place.size)).enumerate() {
        let (x, y) = if n == 0 { (place.x, place.y) } else { (place.x / 2, place.y / 2) };
        for row in 0..height {
            let at = to + (y + row) * wide + x;
            whole[at..at + width].copy_from_slice(&picture[from + row * width..from + (row + 1) * width]);
        }
    }
}

/// One picture, as large as the camera's, with words burnt in.
fn still(track: &Track, at_ms: u64, words: &str, label: &str, to: &Path) -> Result<(), CaptureError> {
    let name = "still";
    let size = Size { width: 1280, height: 720 };
    let mut pictures = Pictures::of(track, size);
    let picture = pictures.at(at_ms as i64)?.ok_or_else(|| failed(name, &"there is no picture at this moment"))?.to_vec();
    let bin = pipelines::whole(name)?;
    let source: gst_app::AppSrc = pipelines::named(&bin, "pictures")?;
    let sink: gst_app::AppSink = pipelines::named(&bin, "out")?;
    let (said, labelled): (gst::Element, gst::Element) = (pipelines::named(&bin, "words")?, pipelines::named(&bin, "label")?);
    said.set_property("text", words);
    labelled.set_property("text", label);
    source.set_caps(Some(&size.caps(Some(COPY_FPS as i32))));
    let pipeline = Running::of(name, &bin)?;
    pipeline.play(name)?;
    let mut buffer = gst::Buffer::from_mut_slice(picture);
    if let Some(b) = buffer.get_mut() {
        b.set_pts(gst::ClockTime::ZERO);
    }
    source.push_buffer(buffer).map_err(|e| failed(name, &e))?;
    source.end_of_stream().map_err(|e| failed(name, &e))?;
    let sample = sink.try_pull_sample(gst::ClockTime::from_seconds(20)).ok_or_else(|| failed(name, &"no picture came out"))?;
    let data =
        sample.buffer().and_then(|b| b.map_readable().ok()).map(|m| m.to_vec()).ok_or_else(|| failed(name, &"no picture came out"))?;
    durable::write_derived(to, &data).map_err(|e| failed(name, &e))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_covered_is_gone_from_all_three_planes_and_nothing_else_is() {
        let size = Size { width: 100, height: 100 };
        let mut picture = vec![0xAA; size.bytes()];
        let mask = Mask { camera: CameraId::new("a").unwrap(), x: 10, y: 20, width: 30, height: 40, from_ms: 0, to_ms: 1 };
        cover(&mut picture, size, &mask);
        let count = |plane: &[u8], light: u8| plane.iter().map(|p| usize::from(*p == light)).sum::<usize>();
        assert_eq!((count(&picture[..10_000], COVER), count(&picture[10_000..], 0x80)), (30 * 40, 2 * 15 * 20));
        assert_eq!((picture[20 * 100 + 9], picture[20 * 100 + 10]), (0xAA, COVER));
    }

    #[test]
    fn a_small_picture_stands_where_it_belongs() {
        let (size, places) = layout(Layout::PictureInPicture);
        let mut whole = slate(size, 0);
        put(&mut whole, size, &slate(places[1].size, 9), &places[1]);
        assert_eq!((whole[456 * 1280 + 880], whole[456 * 1280 + 879], whole[455 * 1280 + 880]), (9, 0, 0));
        assert!(places.iter().all(|p| p.x + p.size.width <= size.width && p.y + p.size.height <= size.height));
    }
}
