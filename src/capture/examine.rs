//! What a file that was taken in holds, as GStreamer's discoverer tells it. Every byte of it is untrusted: this runs in a process of its
//! own (`shilu examine`), with limits on time and memory.

use crate::capture::CaptureError;
use crate::capture::frames::failed;
use crate::machine::durable;
use crate::model::import::{Examined, FootageKind, ending};
use crate::model::time;
use chrono::{DateTime, NaiveDate, NaiveDateTime, TimeDelta, TimeZone, Utc};
use gst::prelude::*;
use gst_pbutils::prelude::*;
use gstreamer as gst;
use gstreamer_pbutils as gst_pbutils;
use std::io::{BufReader, Read};
use std::path::Path;

/// When a device says that it was recorded; and what its clock showed, where the file says no zone.
type Written = (DateTime<Utc>, Option<NaiveDateTime>);

/// How long it may look.
const PATIENCE: gst::ClockTime = gst::ClockTime::from_seconds(40);
const NAME: &str = "examine";

/// Looks at it. An error says that it is no recording that anything here can read.
pub fn examine(path: &Path) -> Result<Examined, CaptureError> {
    let uri = gst::glib::filename_to_uri(path, None).map_err(|e| failed(NAME, &e))?;
    let discoverer = gst_pbutils::Discoverer::new(PATIENCE).map_err(|e| failed(NAME, &e))?;
    let info = discoverer.discover_uri(&uri).map_err(|e| failed(NAME, &e))?;
    // A decoder that is not installed does not make a recording less of one.
    if !matches!(info.result(), gst_pbutils::DiscovererResult::Ok | gst_pbutils::DiscovererResult::MissingPlugins) {
        return Err(failed(NAME, &format!("{:?}", info.result())));
    }
    let (pictures, sounds) = (info.video_streams(), info.audio_streams());
    let footage = match (pictures.iter().any(|v| !v.is_image()), !pictures.is_empty(), !sounds.is_empty()) {
        (true, ..) => FootageKind::Video,
        (_, _, true) => FootageKind::Audio,
        (_, true, false) => FootageKind::Picture,
        _ => return Err(failed(NAME, &"it holds neither pictures nor sound")),
    };
    let duration_ms = info.duration().map_or(0, gst::ClockTime::mseconds);
    if footage != FootageKind::Picture && duration_ms == 0 {
        return Err(failed(NAME, &"nothing of it can be played"));
    }
    // A picture without a size is a name and no picture.
    if footage != FootageKind::Audio && pictures.iter().all(|v| v.width() == 0 || v.height() == 0) {
        return Err(failed(NAME, &"its pictures have no size"));
    }
    let media_type = media_type(&info, footage, path);
    let written = if footage == FootageKind::Picture { taken_at(path) } else { device_time(&info) };
    let resolution = pictures.first().map_or_else(String::new, |v| format!("{}x{}", v.width(), v.height()));
    let codecs: Vec<String> = info.stream_list().iter().filter_map(codec).collect();
    Ok(Examined {
        ending: ending(&media_type).into(),
        media_type,
        footage,
        duration_ms: if footage == FootageKind::Picture { 0 } else { duration_ms },
        codecs: codecs.join(","),
        resolution,
        device_time: written.map(|w| w.0),
        device_shown: written.and_then(|w| w.1),
    })
}

/// Of the container, or of the stream that stands alone.
fn media_type(info: &gst_pbutils::DiscovererInfo, footage: FootageKind, path: &Path) -> String {
    let caps = info.stream_info().and_then(|s| s.caps());
    let Some(caps) = caps else { return "application/octet-stream".into() };
    let Some(structure) = caps.structure(0) else { return "application/octet-stream".into() };
    match (structure.name().as_str(), footage) {
        ("video/quicktime" | "audio/x-m4a", FootageKind::Audio) => "audio/mp4".into(),
        ("video/quicktime", _) if !is_quicktime(path) => "video/mp4".into(),
        ("application/ogg", _) => "audio/ogg".into(),
        ("audio/x-raw", _) => "audio/x-wav".into(),
        (name, _) => name.to_owned(),
    }
}

/// By its brand (ISO/IEC 14496-12, 4.3); files of QuickTime's first years have none.
fn is_quicktime(path: &Path) -> bool {
    let mut head = [0; 12];
    let read = durable::open(path).ok().and_then(|mut file| file.read_exact(&mut head).ok());
    read.is_some() && (&head[4..8] != b"ftyp" || &head[8..12] == b"qt  ")
}

/// RFC 6381 where it is known, else the media type. Names of codecs are short, whatever a file says.
fn codec(stream: &gst_pbutils::DiscovererStreamInfo) -> Option<String> {
    if stream.is::<gst_pbutils::DiscovererContainerInfo>() {
        return None;
    }
    let caps = stream.caps()?;
    let known = gst_pbutils::functions::codec_utils_caps_get_mime_codec(&caps).ok().map(|c| c.to_string());
    let named = || caps.structure(0).map(|s| s.name().to_string());
    known.or_else(named).map(|c| c.chars().filter(char::is_ascii_graphic).take(40).collect())
}

/// When a photograph says that it was taken (EXIF): what a clock on the wall showed, in Shanghai unless the camera wrote its zone.
fn taken_at(path: &Path) -> Option<Written> {
    let mut file = BufReader::new(durable::open(path).ok()?);
    let read = exif::Reader::new().read_from_container(&mut file).ok()?;
    let text = |tag| match &read.get_field(tag, exif::In::PRIMARY)?.value {
        exif::Value::Ascii(lines) => lines.first().cloned(),
        _ => None,
    };
    let mut at = exif::DateTime::from_ascii(&text(exif::Tag::DateTimeOriginal).or_else(|| text(exif::Tag::DateTime))?).ok()?;
    if let Some(zone) = text(exif::Tag::OffsetTimeOriginal) {
        // A zone that cannot be read is none.
        drop(at.parse_offset(&zone));
    }
    let day = NaiveDate::from_ymd_opt(i32::from(at.year), u32::from(at.month), u32::from(at.day))?;
    let shown = day.and_hms_opt(u32::from(at.hour), u32::from(at.minute), u32::from(at.second))?;
    match at.offset {
        Some(minutes) => Some((shown.and_utc() - TimeDelta::minutes(i64::from(minutes)), None)),
        None => time::shanghai().from_local_datetime(&shown).single().map(|t| (t.to_utc(), Some(shown))),
    }
}

/// When the device says that it was recorded, as its container has it.
fn device_time(info: &gst_pbutils::DiscovererInfo) -> Option<Written> {
    let streams = info.stream_list();
    let container = info.stream_info().and_then(|s| s.downcast::<gst_pbutils::DiscovererContainerInfo>().ok()).and_then(|c| c.tags());
    let all = container.into_iter().chain(streams.iter().filter_map(gst_pbutils::prelude::DiscovererStreamInfoExt::tags));
    all.filter_map(|tags| {
        let at = tags.get::<gst::tags::DateTime>()?.get();
        if !at.has_day() || !at.has_time() {
            return None;
        }
        let second = if at.has_second() { at.second().unwrap_or(0) as u32 } else { 0 };
        let day = NaiveDate::from_ymd_opt(at.year(), at.month()? as u32, at.day()? as u32)?;
        let shown = day.and_hms_opt(at.hour()? as u32, at.minute()? as u32, second)?;
        let zone_s = (f64::from(at.time_zone_offset().unwrap_or(0.0)) * 3600.0) as i64;
        // A container's own time has no zone to tell: its rule is UTC.
        Some((shown.and_utc() - TimeDelta::try_seconds(zone_s)?, (zone_s == 0).then_some(shown)))
    })
    .min_by_key(|written| written.0)
}
