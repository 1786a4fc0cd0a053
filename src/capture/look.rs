//! Looking at what a camera sends, only when somebody asks: is the picture lit, does it move, is there sound. The fragments are those
//! that are recorded and shown; they are decoded once, beside the recording, and nothing of them is kept.

use crate::capture::frames::{Running, failed};
use crate::capture::{CaptureError, CaptureHandle, pipelines};
use crate::model::fragment::Fragment;
use crate::model::readiness::{Heard, Look, Seen};
use gstreamer as gst;
use gstreamer_app as gst_app;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::broadcast::error::RecvError;

/// How long it may take to decode what was gathered.
const DECODE: gst::ClockTime = gst::ClockTime::from_seconds(8);
/// How long a camera may be silent before nothing is seen of it.
const PATIENCE: Duration = Duration::from_secs(6);

/// The next stretch of a camera's fragments, at least so long; with pictures it begins at a key frame. `None` if it does not come.
pub async fn gather(camera: &CaptureHandle, length: Duration, pictures: bool) -> Option<Vec<Arc<Fragment>>> {
    let mut live = camera.live();
    let mut gathered: Vec<Arc<Fragment>> = Vec::new();
    let all = async {
        loop {
            match live.recv().await {
                Ok(fragment) => {
                    if gathered.last().is_some_and(|last| !Arc::ptr_eq(&last.header, &fragment.header)) {
                        gathered.clear();
                    }
                    if gathered.is_empty() && pictures && !fragment.key {
                        continue;
                    }
                    gathered.push(fragment);
                    if gathered.iter().map(|f| f.duration).sum::<Duration>() >= length {
                        return;
                    }
                }
                Err(RecvError::Lagged(_)) => gathered.clear(),
                Err(RecvError::Closed) => return,
            }
        }
    };
    let came = tokio::time::timeout(PATIENCE + length, all).await.is_ok();
    (came && !gathered.is_empty()).then_some(gathered)
}

/// Decodes a stretch. Blocks for as long as a software decoder needs for it: call it beside, never on, the way to the disk.
pub fn look(fragments: &[Arc<Fragment>], pictures: bool) -> Result<Look, CaptureError> {
    let Some(first) = fragments.first() else { return Ok(Look::default()) };
    let has = |codec: &str| first.header.codecs.contains(codec);
    let mut whole = first.header.bytes.to_vec();
    fragments.iter().for_each(|f| whole.extend_from_slice(&f.bytes));
    let see_by = if has("avc") { "see-h264" } else { "see-h265" };
    let hear_by = ["flac", "mp4a", "opus"].into_iter().zip(["hear-flac", "hear-aac", "hear-opus"]);
    let hear_by = hear_by.filter(|(codec, _)| first.header.codecs.to_ascii_lowercase().contains(codec)).map(|(_, by)| by).next();
    let seen = if pictures { run(see_by, whole.clone(), see)? } else { None };
    let heard = hear_by.map(|by| run(by, whole, hear)).transpose()?.flatten();
    Ok(Look { seen, heard })
}

/// One pipeline over the whole stretch, and what comes out of it.
pub(super) fn run<T>(name: &'static str, whole: Vec<u8>, read: impl Fn(&gst_app::AppSink) -> Option<T>) -> Result<Option<T>, CaptureError> {
    let bin = pipelines::whole(name)?;
    let source: gst_app::AppSrc = pipelines::named(&bin, "in")?;
    let sink: gst_app::AppSink = pipelines::named(&bin, "out")?;
    let pipeline = Running::of(name, &bin)?;
    pipeline.play(name)?;
    source.push_buffer(gst::Buffer::from_mut_slice(whole)).map_err(|e| failed(name, &e))?;
    source.end_of_stream().map_err(|e| failed(name, &e))?;
    pipeline.ends(name, DECODE)?;
    Ok(read(&sink))
}

fn see(sink: &gst_app::AppSink) -> Option<Seen> {
    let (mut before, mut pictures): (Option<Vec<u8>>, u32) = (None, 0);
    let (mut light, mut change_max) = (0_u64, 0_u8);
    while let Ok(sample) = sink.pull_sample() {
        let Some(map) = sample.buffer().and_then(|b| b.map_readable().ok()) else { continue };
        let now = map.to_vec();
        light += now.iter().map(|p| u64::from(*p)).sum::<u64>() / now.len().max(1) as u64;
        pictures += 1;
        if let Some(before) = &before {
            change_max = change_max.max(before.iter().zip(&now).map(|(a, b)| a.abs_diff(*b)).max().unwrap_or(0));
        }
        before = Some(now);
    }
    (pictures > 0).then(|| Seen { pictures, light: (light / u64::from(pictures)) as u8, change_max })
}

fn hear(sink: &gst_app::AppSink) -> Option<Heard> {
    let (mut sum, mut power, mut count, mut peak) = (0.0_f64, 0.0_f64, 0_u64, 0_i32);
    while let Ok(sample) = sink.pull_sample() {
        let Some(map) = sample.buffer().and_then(|b| b.map_readable().ok()) else { continue };
        for s in map.chunks_exact(2) {
            let value = i32::from(i16::from_le_bytes([s[0], s[1]]));
            sum += f64::from(value);
            power += f64::from(value) * f64::from(value);
            peak = peak.max(value.abs());
            count += 1;
        }
    }
    let dbfs = |level: f64| (20.0 * (level / 32768.0).max(1e-6).log10() * 10.0).round() / 10.0;
    // G.711 has no zero: its silence is a constant. What does not change is not heard.
    let mean = sum / count.max(1) as f64;
    let rms = (power / count.max(1) as f64 - mean * mean).max(0.0).sqrt();
    (count > 0).then(|| Heard { rms_dbfs: dbfs(rms), peak_dbfs: dbfs(f64::from(peak)) })
}
