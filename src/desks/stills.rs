//! Still pictures: one at a time, out of an open viewing, with the viewer's name and the request burnt in; each is logged.

use crate::desks::copies::{MAKER, label, track};
use crate::desks::{Answer, Desks, blocking};
use crate::machine::worker::Worker;
use crate::machine::{durable, fault::Fault, randomness};
use crate::model::content_key::Keys;
use crate::model::copy::Work;
use crate::model::entry::{Draft, EntryKind};
use crate::model::ids::{CameraId, ViewingId};
use crate::model::people::Person;
use crate::model::refusal::Refusal;
use crate::model::time;
use bytes::Bytes;
use chrono::TimeDelta;

/// Largest still.
const BYTES_MAX: u64 = 16 * 1024 * 1024;

impl Desks {
    /// The picture of a camera at a moment of the session, ms.
    pub async fn still(&self, who: &Person, viewing: &ViewingId, camera: &CameraId, at_ms: u64) -> Answer<(Bytes, String)> {
        let (grant, session, folder) = self.looked_at(who, viewing).await?;
        if grant.masked() {
            return Err(self.refused(who, Refusal::MaskedOnly, "still"));
        }
        let mut track = track(&session, &folder, camera, &Keys::default());
        let (from, at) = (|p: &crate::model::copy::Piece| p.offset_ms, at_ms as i64);
        if !track.pieces.iter().any(|p| from(p) <= at && at < from(p) + p.duration_ms as i64) {
            return Err(Refusal::no_such("picture", &time::length_text(at_ms)).into());
        }
        let draft = Draft::new(EntryKind::StillTaken)
            .by(&who.id)
            .in_session(&session.id)
            .about("request", grant.request())
            .about("viewing", viewing)
            .about("camera", camera)
            .about("at_ms", at_ms);
        self.acts.log_then_do(draft, |_| Ok(())).await?;
        track.keys = self.keys_for(who, &folder, "still").await?;
        self.bring_back(&session, &folder).await?;
        let moment = session.started_at + TimeDelta::milliseconds(at);
        let to = self.settings.data.join("copies").join(format!("still-{}.jpg", randomness::hex::<8>()?));
        let work = Work::Still {
            track,
            at_ms,
            words: format!("{}  {}  {}", who.name, grant.request(), time::shanghai_text(moment)),
            label: label(&session),
            to: to.clone(),
        };
        let data = blocking("a still", move || {
            if let Some(folder) = to.parent() {
                durable::make_folder(folder)?;
            }
            let work = serde_json::to_vec(&work).map_err(|e| Fault::of("encode", "a still's work", e))?;
            let mut worker = Worker::start(MAKER, &work)?;
            let mut problem = "its maker was ended".to_owned();
            while let Some(line) = worker.line() {
                if let Some(why) = line.strip_prefix("failed ") {
                    why.clone_into(&mut problem);
                }
            }
            if !worker.ended()? {
                return Err(Fault::of("make", "a still", problem));
            }
            let data = durable::read_whole(&to, BYTES_MAX);
            durable::remove_derived(&to)?;
            data
        })
        .await??;
        let name = format!("{}-{camera}-{}.jpg", session.id, time::shanghai_stamp(moment));
        Ok((Bytes::from(data), name))
    }
}
