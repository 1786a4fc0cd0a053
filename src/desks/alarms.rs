//! A room in use with nothing recorded (第二十三条（一）): heard, told once, and answered by somebody with a reason.

use crate::catalog::alarms;
use crate::desks::{Answer, Desks};
use crate::machine::randomness;
use crate::model::entry::{Draft, EntryKind};
use crate::model::ids::RoomId;
use crate::model::in_use::AlarmRow;
use crate::model::in_use::{Told, Watch};
use crate::model::people::{Act, Person};
use crate::model::refusal::Refusal;
use crate::model::words;
use crate::recorder::looking;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

/// How often a room is listened to: a second of every five tells talk from a door, and only sound is decoded for it.
const EVERY: Duration = Duration::from_secs(5);
/// Rows of the history.
const ROWS_MAX: u32 = 200;

/// The alarms that nobody has answered, by room: pages show them without asking the catalog.
#[derive(Default)]
pub(crate) struct Unanswered(Mutex<BTreeMap<RoomId, AlarmRow>>);

impl Unanswered {
    fn with<T>(&self, work: impl FnOnce(&mut BTreeMap<RoomId, AlarmRow>) -> T) -> T {
        work(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Desks {
    /// Listens to every room that wants it, for as long as there are desks.
    pub async fn listen(self: &Arc<Self>) {
        match self.read(alarms::unanswered).await {
            Ok(rows) => self.alarms.with(|all| all.extend(rows.into_iter().filter_map(|r| Some((RoomId::new(&r.room).ok()?, r))))),
            Err(no) => tracing::error!("earlier alarms cannot be read: {no}"),
        }
        for (room, care) in self.settings.rooms.iter().filter(|(_, c)| c.in_use_alarm) {
            let (desks, room, care) = (Arc::downgrade(self), room.clone(), care.clone());
            tokio::spawn(async move {
                let mut watch = Watch::new(care.in_use_after_s * 1000);
                loop {
                    tokio::time::sleep(EVERY.min(Duration::from_secs(care.in_use_after_s) / 4)).await;
                    let Some(heard) = hear(&desks, &room, care.talk_dbfs, &mut watch).await else { return };
                    let Some(desks) = desks.upgrade() else { return };
                    if let Some(told) = heard
                        && let Err(no) = desks.tell(&room, told).await
                    {
                        tracing::error!(%room, "an alarm is not written down: {no}");
                    }
                }
            });
        }
    }

    /// Alarms that nobody has answered, for pages.
    pub fn unanswered_alarms(&self) -> Vec<AlarmRow> {
        self.alarms.with(|all| all.values().cloned().collect())
    }

    async fn tell(&self, room: &RoomId, told: Told) -> Answer<()> {
        let now = self.now_ms();
        let open = self.alarms.with(|all| all.get(room).cloned());
        match (told, open) {
            (Told::Begins, None) => {
                let id = format!("al-{}", randomness::hex::<5>()?);
                let row = AlarmRow { id, room: room.to_string(), began_at: now, ..AlarmRow::default() };
                tracing::warn!(%room, "people are talking and nothing is recorded");
                self.alarms.with(|all| all.insert(room.clone(), row.clone()));
                let draft = Draft::new(EntryKind::RoomInUse).about("room", room).about("alarm", &row.id);
                Ok(self.acts.log_then_do(draft, move |t| alarms::put(t, &row)).await?)
            }
            (Told::Ends, Some(mut row)) if row.ended_at.is_none() => {
                row.ended_at = Some(now);
                self.alarms.with(|all| all.insert(room.clone(), row.clone()));
                Ok(self.acts.keep(move |t| alarms::put(t, &row)).await?)
            }
            // Nobody has answered the last one: it is still the same question.
            (Told::Begins | Told::Ends, _) => Ok(()),
        }
    }

    /// The history, newest first.
    pub async fn alarms(&self, who: &Person) -> Answer<Vec<AlarmRow>> {
        self.need(who, Act::SeeStatus)?;
        self.read(|c| alarms::newest(c, ROWS_MAX)).await
    }

    /// Answers an alarm: what the room was used for, and why it was not recorded.
    pub async fn acknowledge_alarm(&self, who: &Person, id: &str, reason: &str) -> Answer<AlarmRow> {
        self.need(who, Act::AcknowledgeAlarm)?;
        let reason = words::needed_text("reason", reason).map_err(Refusal::from)?;
        let open = self.alarms.with(|all| all.values().find(|r| r.id == id).cloned());
        let mut row = open.ok_or_else(|| Refusal::no_such("alarm", id))?;
        row.acknowledged_at = Some(self.now_ms());
        row.acknowledged_by = Some(who.name.clone());
        row.reason = Some(reason.clone());
        let draft = Draft::new(EntryKind::AlarmAcknowledged).by(&who.id).about("alarm", id).text("reason", Some(&reason));
        let kept = row.clone();
        self.acts.log_then_do(draft, move |t| alarms::put(t, &kept)).await?;
        self.alarms.with(|all| all.retain(|_, r| r.id != id));
        Ok(row)
    }
}

/// One look at a room; `None` when the desks are gone.
async fn hear(desks: &Weak<Desks>, room: &RoomId, talk_dbfs: f64, watch: &mut Watch) -> Option<Option<Told>> {
    let view = desks.upgrade()?.recorder.room(room)?.view().clone();
    let recording = view.session().is_some();
    let loud = if recording { None } else { Some(looking::listen_to(&view).await.is_some_and(|db| db >= talk_dbfs)) };
    // A session may have begun meanwhile.
    let loud = loud.filter(|_| view.session().is_none());
    let now = desks.upgrade()?.now().mono_ms;
    Some(watch.hear(now, loud))
}
