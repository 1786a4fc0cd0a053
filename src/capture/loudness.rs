//! How loud a camera's recorded sound is over a session, so that silence and talk are seen before anything plays. Runs in the process
//! that makes copies (`shilu make-copy`), a segment at a time; nothing but levels is kept.

use crate::capture::CaptureError;
use crate::capture::frames::{RATE, failed, sound};
use crate::machine::durable;
use crate::model::copy::{Loudness, Track};
use std::path::Path;

/// A level is that of so long a moment, ms: shorter than a syllable.
const MOMENT_MS: u64 = 100;

/// Measures; `told` hears thousandths, and says whether to go on.
pub(super) fn measure(track: &Track, length_ms: u64, to: &Path, told: &dyn Fn(u32) -> bool) -> Result<(), CaptureError> {
    let mut line = Loudness::unknown(length_ms);
    for (n, piece) in track.pieces.iter().enumerate() {
        let (from, until) = (piece.offset_ms.max(0) as u64, (piece.offset_ms + piece.duration_ms as i64).max(0) as u64);
        if from < until && has_sound(&piece.codecs) {
            let one = Track { camera: track.camera.clone(), pieces: vec![piece.clone()], keys: track.keys.clone() };
            let samples = sound(&one, from, until)?;
            for (n, moment) in samples.chunks(RATE * MOMENT_MS as usize / 1000).enumerate() {
                line.hear(from + n as u64 * MOMENT_MS, dbfs(moment));
            }
        }
        if !told(((n + 1) * 1000 / track.pieces.len()) as u32) {
            return Ok(());
        }
    }
    let data = serde_json::to_vec(&line).map_err(|e| failed("loudness", &e))?;
    durable::write_derived(to, &data).map_err(|e| failed("loudness", &e))
}

fn has_sound(codecs: &str) -> bool {
    let codecs = codecs.to_ascii_lowercase();
    ["flac", "mp4a", "opus"].into_iter().any(|codec| codecs.contains(codec))
}

/// The level of a moment. G.711 has no zero: its silence is a constant, and what does not change is not heard.
fn dbfs(moment: &[i16]) -> f64 {
    let count = moment.len().max(1) as f64;
    let mean = moment.iter().map(|s| f64::from(*s)).sum::<f64>() / count;
    let power = moment.iter().map(|s| (f64::from(*s) - mean).powi(2)).sum::<f64>() / count;
    20.0 * (power.sqrt() / 32768.0).max(1e-6).log10()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_change_is_silent_and_a_full_tone_is_three_decibels_below_full_scale() {
        assert!(dbfs(&[8; 4800]) < -100.0 && dbfs(&[]) < -100.0);
        let tone: Vec<i16> = (0..4800).map(|n| (f64::from(n) * 0.1).sin().mul_add(32767.0, 0.0) as i16).collect();
        assert!((dbfs(&tone) + 3.0).abs() < 0.1, "{}", dbfs(&tone));
    }
}
