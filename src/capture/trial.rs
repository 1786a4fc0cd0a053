//! A camera that is tried before it is saved: it is connected like any other, a few seconds of it are looked at, and nothing is kept.

use crate::capture::{CameraSettings, Capture, CaptureHandle, CaptureThread, look};
use crate::machine::clock::Clock;
use crate::model::device_fault::PASSWORD_REFUSED;
use crate::model::fragment::{CaptureEvent, Fragment};
use crate::model::trial::Trial;
use gstreamer_app as gst_app;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;

/// How much of it is looked at.
const LOOKED: Duration = Duration::from_secs(3);
/// How long all of it may take.
const PATIENCE: Duration = Duration::from_secs(18);
/// How long pictures are waited for after an outage: the second client may serve what the first does not.
const AFTER_OUTAGE: Duration = Duration::from_secs(6);

/// Tries a camera; its result, and one small picture (JPEG).
pub async fn run(settings: CameraSettings, thread: &CaptureThread, clock: Arc<dyn Clock>) -> (Trial, Option<Vec<u8>>) {
    let (told, outages) = mpsc::unbounded_channel();
    let events = Box::new(move |event| {
        if let CaptureEvent::Down { detail, .. } = event {
            // Nobody listens any more when the trial is over.
            drop(told.send(detail));
        }
    });
    let capture = Capture::start(settings, thread, clock, events);
    let handle = capture.handle();
    let came = tokio::time::timeout(PATIENCE, watch(&handle, outages)).await;
    capture.stop().await;
    let fragments = match came {
        Ok(Ok(fragments)) => fragments,
        Ok(Err(problem)) => return (Trial { problem: Some(problem), ..Trial::default() }, None),
        Err(_) => return (Trial { problem: Some("no pictures came in time".into()), ..Trial::default() }, None),
    };
    let looked = tokio::task::spawn_blocking(move || {
        let trial = measured(&fragments);
        let look = look::look(&fragments, true).inspect_err(|e| tracing::warn!("a trial cannot be looked at: {e}")).unwrap_or_default();
        (trial.looked(look), picture(&fragments))
    });
    looked.await.unwrap_or_else(|_| (Trial { problem: Some("the pictures cannot be decoded".into()), ..Trial::default() }, None))
}

/// The first stretch that comes, or why none does.
async fn watch(handle: &CaptureHandle, mut outages: mpsc::UnboundedReceiver<String>) -> Result<Vec<Arc<Fragment>>, String> {
    let down = async {
        let Some(detail) = outages.recv().await else { return String::new() };
        // A password that is refused is refused by both, and a lock-out comes nearer with each try.
        if detail != PASSWORD_REFUSED {
            tokio::time::sleep(AFTER_OUTAGE).await;
        }
        detail
    };
    let pictures = async {
        loop {
            if let Some(fragments) = look::gather(handle, LOOKED, true).await {
                return fragments;
            }
        }
    };
    tokio::select! {
        fragments = pictures => Ok(fragments),
        problem = down => Err(problem),
    }
}

fn measured(fragments: &[Arc<Fragment>]) -> Trial {
    let Some(last) = fragments.last() else { return Trial::default() };
    let seconds = fragments.iter().map(|f| f.duration.as_secs_f64()).sum::<f64>().max(0.001);
    let (bytes, frames) = fragments.iter().fold((0, 0), |(b, n), f| (b + f.bytes.len(), n + f.frames));
    Trial {
        problem: None,
        codecs: last.header.codecs.clone(),
        resolution: format!("{}x{}", last.header.width, last.header.height),
        fps: (f64::from(frames) / seconds * 10.0).round() / 10.0,
        bitrate_bps: (bytes as f64 * 8.0 / seconds) as u64,
        sound: last.header.sound,
        clock_ms: last.camera_utc.map(|at| (at - last.arrived.utc).num_milliseconds()),
        ..Trial::default()
    }
}

/// The first picture, small.
fn picture(fragments: &[Arc<Fragment>]) -> Option<Vec<u8>> {
    let first = fragments.first()?;
    let name = if first.header.codecs.contains("avc") { "trial-h264" } else { "trial-h265" };
    let mut whole = first.header.bytes.to_vec();
    whole.extend_from_slice(&first.bytes);
    let one = |sink: &gst_app::AppSink| Some(sink.pull_sample().ok()?.buffer()?.map_readable().ok()?.to_vec());
    look::run(name, whole, one).inspect_err(|e| tracing::warn!("no picture of a trial: {e}")).ok().flatten()
}
