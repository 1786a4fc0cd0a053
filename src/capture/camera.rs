//! One camera for ever: connect, feed, and after an end or an error wait and connect again.

use crate::capture::feed::Feed;
use crate::capture::hub::Hub;
use crate::capture::{CameraSettings, Front, retina_front, rtspsrc_front};
use crate::machine::clock::Clock;
use crate::machine::randomness;
use crate::model::gap::GapCause;
use futures::FutureExt;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

/// First and longest wait between two tries.
const WAIT_MIN: Duration = Duration::from_millis(500);
const WAIT_MAX: Duration = Duration::from_secs(10);
/// Media for this long makes the next wait short again, ms.
const GOOD_MS: u64 = 30_000;

/// A client that fails within this time is swapped for the other without counting as an outage, ms.
const AT_ONCE_MS: u64 = 2_000;

/// Why a connection ended.
#[derive(Debug)]
pub(super) struct Ended {
    pub(super) cause: GapCause,
    /// In words; never a password or an address with one.
    pub(super) detail: String,
    /// Nothing usable came by this front; the other may do better.
    pub(super) other_front: bool,
}

impl Ended {
    pub(super) fn camera(detail: impl Into<String>) -> Self {
        Self { cause: GapCause::Camera, detail: detail.into(), other_front: false }
    }
    fn fell_over() -> Self {
        Self { other_front: true, ..Self::camera("the camera sends what its reader cannot bear") }
    }
    pub(super) fn network(detail: impl Into<String>) -> Self {
        Self { cause: GapCause::Network, detail: detail.into(), other_front: false }
    }
}

/// Runs until told to stop.
pub(super) async fn run(settings: CameraSettings, hub: Arc<Hub>, clock: Arc<dyn Clock>, mut stop: watch::Receiver<bool>) {
    let mut wait = WAIT_MIN;
    let mut by_rtspsrc = settings.front == Front::Rtspsrc || settings.url.scheme() == "rtsps";
    loop {
        let began = clock.now();
        let mut feed = Feed::new(hub.clone(), &*clock);
        let connection = async {
            if by_rtspsrc {
                rtspsrc_front::run(&settings, &mut feed, &hub, &clock).await
            } else {
                retina_front::run(&settings, &mut feed, &hub, &clock).await
            }
        };
        let ended = tokio::select! {
            // A parser that falls over (sdp-types 0.1.8 does, by a stray line) takes this connection with it, and not the camera for good.
            ended = AssertUnwindSafe(connection).catch_unwind() => Some(ended.unwrap_or_else(|_| Ended::fell_over())),
            _ = stop.changed() => None,
        };
        feed.end_run().await;
        let Some(ended) = ended else { return };
        if ended.other_front && settings.front == Front::Retina && settings.url.scheme() != "rtsps" {
            by_rtspsrc = !by_rtspsrc;
            hub.note(format!("{}; the next try is by {}", ended.detail, if by_rtspsrc { "rtspsrc" } else { "retina" }));
            // Told by the camera's own description, before a second is lost: no outage yet.
            if by_rtspsrc && clock.now().mono_ms < began.mono_ms + AT_ONCE_MS {
                continue;
            }
        }
        tracing::warn!(camera = %settings.id, cause = ended.cause.as_str(), "{}", ended.detail);
        hub.down(ended.cause, &ended.detail);
        if feed.last_picture().mono_ms > began.mono_ms + GOOD_MS {
            wait = WAIT_MIN;
        }
        // A quarter of chance: sixteen cameras that fell together do not come back together.
        let chance = randomness::bytes::<1>().map_or(128, |b| b[0]);
        let pause = wait.mul_f64(0.875 + f64::from(chance) / 1024.0);
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            _ = stop.changed() => return,
        }
        wait = (wait * 2).min(WAIT_MAX);
    }
}
