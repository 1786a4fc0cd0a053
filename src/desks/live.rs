//! Live pictures: for the officers of the open session, and for those with the role (off by default); logged.

use crate::desks::{Answer, Desks};
use crate::model::entry::{Draft, EntryKind};
use crate::model::fragment::Fragment;
use crate::model::ids::{CameraId, RoomId};
use crate::model::people::Person;
use crate::model::refusal::Refusal;
use crate::recorder::room;
use std::sync::Arc;
use tokio::sync::broadcast;

impl Desks {
    /// The fragments of a camera as they come. A viewer that lags is told so by the receiver and goes on with the newest.
    /// `small`: the camera's small stream will do, where it has one.
    pub async fn live(&self, who: &Person, room: &RoomId, camera: &CameraId, small: bool) -> Answer<broadcast::Receiver<Arc<Fragment>>> {
        let no_such = || Refusal::no_such("camera", camera.as_str());
        let place = self.recorder.room(room).ok_or_else(no_such)?;
        let capture = room::capture_of(place.view(), camera, small).ok_or_else(no_such)?;
        if !self.may_watch(who, room) {
            return Err(self.refused(who, Refusal::NoGrant, "live"));
        }
        let mut draft = Draft::new(EntryKind::LiveOpened).by(&who.id).about("room", room).about("camera", camera);
        draft.session = place.view().session().map(|s| s.id.to_string());
        // Looking fails closed: without a durable entry there is no picture (promise 2).
        self.acts.log_then_do(draft, |_| Ok(())).await?;
        Ok(capture.live())
    }

    /// Whether this person may still watch; asked every few seconds while the socket is open.
    pub fn may_watch(&self, who: &Person, room: &RoomId) -> bool {
        let session = self.recorder.room(room).and_then(|r| r.view().session());
        who.watches(session.as_deref())
    }
}
