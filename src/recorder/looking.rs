//! Looking and listening beside the recording, for readiness and for a room that is in use with nothing recorded. It takes what
//! viewers get; the way of a fragment to the disk does not know of it.

use crate::capture::look;
use crate::model::readiness::Look;
use crate::recorder::view::{CameraView, RoomView};
use futures::future::join_all;
use std::time::Duration;

/// How much of a camera is looked at.
const LOOKED: Duration = Duration::from_secs(2);
/// How much is listened to.
const HEARD: Duration = Duration::from_secs(1);

/// What each camera of a room sends now, in their order; `None` for one from which nothing comes.
pub async fn look_at(room: &RoomView) -> Vec<Option<Look>> {
    join_all(room.cameras.iter().map(|c| one(c, LOOKED, true))).await
}

/// How loud it is in a room: the loudest of its cameras, dBFS; `None` where there is no sound.
pub async fn listen_to(room: &RoomView) -> Option<f64> {
    let heard = join_all(room.cameras.iter().map(|c| one(c, HEARD, false))).await;
    heard.into_iter().flatten().filter_map(|l| l.heard).map(|h| h.rms_dbfs).reduce(f64::max)
}

async fn one(camera: &CameraView, length: Duration, pictures: bool) -> Option<Look> {
    if !camera.capture.status().connected || (!pictures && camera.capture.latest_header().is_some_and(|h| !h.sound)) {
        return None;
    }
    let fragments = look::gather(&camera.capture, length, pictures).await?;
    let looked = tokio::task::spawn_blocking(move || look::look(&fragments, pictures)).await.ok()?;
    tracing::debug!(camera = %camera.id, ?looked, "looked at");
    looked.inspect_err(|e| tracing::warn!(camera = %camera.id, "cannot be looked at: {e}")).ok()
}
