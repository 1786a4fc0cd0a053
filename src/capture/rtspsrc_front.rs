//! The second front: GStreamer's `rtspsrc`, for RTSPS, multicast and odd servers. It costs four times retina's CPU.

use crate::capture::camera::Ended;
use crate::capture::feed::{Feed, Format, Picture, Sound};
use crate::capture::hub::Hub;
use crate::capture::{CameraSettings, Transport, pipelines};
use crate::machine::clock::Clock;
use crate::model::device_fault::PASSWORD_REFUSED;
use crate::model::time::Moment;
use gstreamer as gst;
use gstreamer::prelude::*;
use gstreamer_app as gst_app;
use secrecy::ExposeSecret;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::timeout;

/// Units that may wait for the feed; the front waits beyond them, and the camera is told by TCP.
const UNITS_WAITING: usize = 256;
/// How long until the first unit.
const FIRST: Duration = Duration::from_secs(10);

enum Unit {
    Picture(Format, Picture),
    Sound(Format, Sound),
}

/// Connects and feeds until the connection ends, and says why it did.
pub(super) async fn run(settings: &CameraSettings, feed: &mut Feed, hub: &Arc<Hub>, clock: &Arc<dyn Clock>) -> Ended {
    let ended = play(settings, feed, hub, clock).await;
    Ended { other_front: !feed.has_begun(), ..ended }
}

async fn play(settings: &CameraSettings, feed: &mut Feed, hub: &Arc<Hub>, clock: &Arc<dyn Clock>) -> Ended {
    let (tell, mut units) = mpsc::channel(UNITS_WAITING);
    let pipeline = match start(settings, &tell, hub, clock) {
        Ok(pipeline) => Running(pipeline),
        Err(problem) => return Ended::camera(problem),
    };
    drop(tell);
    let Some(bus) = pipeline.0.bus() else { return Ended::camera("no bus") };
    let mut messages = bus.stream();
    let stall = Duration::from_secs(u64::from(settings.stall_s));
    let began = clock.now();
    let mut patience = FIRST;
    loop {
        let next = tokio::select! {
            unit = timeout(patience, units.recv()) => unit,
            Some(message) = futures::StreamExt::next(&mut messages) => match told(&message) {
                Some(ended) => return ended,
                None => continue,
            },
        };
        let fed = match next {
            Err(_) => return Ended::camera(format!("no media for {} s", patience.as_secs())),
            Ok(None) => return Ended::camera("the camera ended the stream"),
            Ok(Some(Unit::Picture(format, picture))) => {
                patience = stall;
                feed.set_video(format);
                feed.picture(picture).await
            }
            Ok(Some(Unit::Sound(format, sound))) => {
                feed.set_sound(format);
                feed.sound(sound)
            }
        };
        let quiet_ms = clock.now().mono_ms.saturating_sub(feed.last_picture().mono_ms.max(began.mono_ms));
        if quiet_ms > patience.as_millis() as u64 {
            return Ended::camera(format!("no pictures for {} s though the connection is open", settings.stall_s));
        }
        if let Err(problem) = fed {
            return Ended::camera(format!("what the camera sends cannot be used: {problem}"));
        }
    }
}

/// Ends its pipeline however the front ends.
struct Running(gst::Pipeline);

impl Drop for Running {
    fn drop(&mut self) {
        // Closing RTSP waits for the camera's answer; that must not hold an async thread.
        let pipeline = self.0.clone();
        tokio::task::spawn_blocking(move || pipeline.set_state(gst::State::Null).is_ok());
    }
}

fn start(settings: &CameraSettings, tell: &mpsc::Sender<Unit>, hub: &Arc<Hub>, clock: &Arc<dyn Clock>) -> Result<gst::Pipeline, String> {
    let front = pipelines::piece("rtsp").map_err(|e| e.to_string())?;
    let source: gst::Element = pipelines::named(&front, "source").map_err(|e| e.to_string())?;
    source.set_property("location", settings.url.as_str());
    source.set_property_from_str("protocols", if settings.transport == Transport::Udp { "udp+udp-mcast" } else { "tcp" });
    source.set_property("user-agent", concat!("shilu/", env!("CARGO_PKG_VERSION")));
    if settings.url.scheme() == "rtsps" {
        // Cameras sign their own certificates. The channel is encrypted; who is at its end is not proven, and that is told.
        source.set_property_from_str("tls-validation-flags", "0");
        hub.note("the camera's certificate is accepted unchecked (rtsps)".into());
    }
    if let Some(user) = &settings.user {
        source.set_property("user-id", user);
        source.set_property("user-pw", settings.password.as_ref().map_or("", |p| p.expose_secret()));
    }
    let pipeline = gst::Pipeline::new();
    pipeline.add(&front).map_err(|e| e.to_string())?;
    let (tell, hub, clock, inside) = (tell.clone(), hub.clone(), clock.clone(), front.downgrade());
    source.connect_pad_added(move |_, pad| {
        let Some(bin) = inside.upgrade() else { return };
        if let Err(problem) = branch(&bin, pad, &tell, &clock) {
            hub.note(problem);
        }
    });
    pipeline.set_state(gst::State::Playing).map_err(|e| e.to_string())?;
    Ok(pipeline)
}

/// Gives a new stream its branch; a stream that cannot be kept flows into nothing and is told.
fn branch(front: &gst::Bin, pad: &gst::Pad, tell: &mpsc::Sender<Unit>, clock: &Arc<dyn Clock>) -> Result<(), String> {
    let caps = pad.current_caps().ok_or("a stream without a format")?;
    let rtp = caps.structure(0).ok_or("a stream without a format")?;
    let name = rtp.get::<String>("encoding-name").unwrap_or_default().to_ascii_uppercase();
    let piece = match name.as_str() {
        "H264" => "rtsp-h264",
        "H265" => "rtsp-h265",
        "PCMA" => "rtsp-alaw",
        "PCMU" => "rtsp-mulaw",
        "MPEG4-GENERIC" => "rtsp-aac",
        "OPUS" => "rtsp-opus",
        other => return Err(format!("a stream in {other} cannot be kept")),
    };
    let bin = pipelines::piece(piece).map_err(|e| e.to_string())?;
    let sink: gst_app::AppSink = pipelines::named(&bin, "units").map_err(|e| e.to_string())?;
    sink.set_callbacks(outlet(tell.clone(), clock.clone()));
    front.add(&bin).map_err(|e| e.to_string())?;
    bin.sync_state_with_parent().map_err(|e| e.to_string())?;
    let inlet = bin.static_pad("sink").ok_or("a piece without a beginning")?;
    pad.link(&inlet).map(drop).map_err(|e| e.to_string())
}

fn outlet(tell: mpsc::Sender<Unit>, clock: Arc<dyn Clock>) -> gst_app::AppSinkCallbacks {
    gst_app::AppSinkCallbacks::builder()
        .new_sample(move |sink| {
            let sample = sink.pull_sample().map_err(|_| gst::FlowError::Eos)?;
            match unit(&sample, clock.now()) {
                Some(unit) => tell.blocking_send(unit).map(|()| gst::FlowSuccess::Ok).map_err(|_| gst::FlowError::Eos),
                None => Ok(gst::FlowSuccess::Ok),
            }
        })
        .build()
}

fn unit(sample: &gst::Sample, at: Moment) -> Option<Unit> {
    let (buffer, caps) = (sample.buffer()?, sample.caps()?);
    let media_ns = buffer.pts().or(buffer.dts())?.nseconds() as i64;
    let data = buffer.map_readable().ok()?.to_vec();
    let s = caps.structure(0)?;
    let picture = |piece| {
        let format = Format { piece, caps: bare(s), gathers: None };
        let key = !buffer.flags().contains(gst::BufferFlags::DELTA_UNIT);
        Some(Unit::Picture(format, Picture { data: data.clone(), media_ns, key, at, camera_utc: None }))
    };
    let rate = s.get::<i32>("rate").unwrap_or(8_000);
    let channels = s.get::<i32>("channels").unwrap_or(1);
    let sound =
        |piece, gathers| Some(Unit::Sound(Format { piece, caps: caps.to_owned(), gathers }, Sound { data: data.clone(), media_ns, at }));
    match s.name().as_str() {
        "video/x-h264" => picture("h264-reordered"),
        "video/x-h265" => picture("h265"),
        "audio/x-alaw" => sound("alaw", Some((rate * channels) as u32)),
        "audio/x-mulaw" => sound("mulaw", Some((rate * channels) as u32)),
        "audio/mpeg" => sound("aac", None),
        "audio/x-opus" => sound("opus", None),
        _ => None,
    }
}

/// The caps that make a format, without those that a parser may refine from picture to picture.
fn bare(s: &gst::StructureRef) -> gst::Caps {
    let mut caps = gst::Caps::builder(s.name().as_str());
    for field in ["stream-format", "alignment", "codec_data", "width", "height"] {
        if let Ok(value) = s.value(field) {
            caps = caps.field(field, value.clone());
        }
    }
    caps.build()
}

/// What a message of the pipeline means for the connection.
fn told(message: &gst::Message) -> Option<Ended> {
    match message.view() {
        gst::MessageView::Eos(_) => Some(Ended::camera("the camera ended the stream")),
        gst::MessageView::Error(e) => {
            let error = e.error();
            if error.matches(gst::ResourceError::NotAuthorized) {
                return Some(Ended::camera(PASSWORD_REFUSED));
            }
            if error.matches(gst::ResourceError::NotFound) {
                return Some(Ended::camera("the camera has no stream at this address"));
            }
            if error.matches(gst::ResourceError::OpenRead) || error.matches(gst::ResourceError::OpenReadWrite) {
                return Some(Ended::camera("the camera cannot be reached"));
            }
            // GStreamer's own words may hold an address; its general sentence does not.
            Some(Ended::camera(format!(
                "the connection failed: {}",
                error.kind::<gst::ResourceError>().map_or("stream error", |_| "resource error")
            )))
        }
        _ => None,
    }
}
