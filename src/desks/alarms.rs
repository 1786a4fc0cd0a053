//! Alarms (第十五条, 第二十三条): what is wrong, since when, who has acknowledged it, and until when it was. What is seen comes from
//! `desks::alarm_watch`, when one begins and ends is said by [`crate::model::alarm_book`], and `desks::alarm_delivery` tells it.

use crate::catalog::{Writing, alarm_messages, alarms};
use crate::desks::alarm_delivery::{self, journal};
use crate::desks::{Answer, Desks, blocking};
use crate::machine::durable;
use crate::model::alarm::{AlarmKind, AlarmRow, Happening, Observed, Severity, Told};
use crate::model::alarm_book::Book;
use crate::model::entry::{Draft, EntryKind};
use crate::model::ids::RoomId;
use crate::model::in_use::{self, Watch};
use crate::model::people::{Act, Person};
use crate::model::refusal::Refusal;
use crate::model::time;
use crate::model::words::{self, BadField};
use crate::recorder::looking;
use chrono::NaiveDate;
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

/// How often a room is listened to: a second of every five tells talk from a door, and only sound is decoded for it.
const EVERY: Duration = Duration::from_secs(5);
/// How often all that is wrong is looked at.
const LOOK: Duration = Duration::from_secs(2);
/// Rows of the history.
const ROWS_MAX: u32 = 500;

/// The alarms that are open, and what is heard in rooms: pages show them without asking the catalog.
#[derive(Default)]
pub(crate) struct Alarms {
    book: Mutex<Book>,
    /// Rooms in which people talk and nothing is recorded.
    in_use: Mutex<BTreeSet<RoomId>>,
    /// When the run began that was not ended in good order.
    cut_off: Mutex<Option<String>>,
}

impl Alarms {
    fn with<T>(&self, work: impl FnOnce(&mut Book) -> T) -> T {
        work(&mut self.book.lock().unwrap_or_else(PoisonError::into_inner))
    }

    pub(super) fn rooms_in_use(&self) -> Vec<RoomId> {
        self.in_use.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect()
    }

    pub(super) fn cut_off(&self) -> Option<String> {
        self.cut_off.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// What is looked for in the history, as people type it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AlarmSearch {
    /// Those that are open alone.
    pub open: bool,
    /// Of one kind.
    pub kind: Option<AlarmKind>,
    /// Of one room.
    pub room: Option<String>,
    /// From this day on, in Shanghai.
    pub from: Option<NaiveDate>,
    /// Until the end of this day.
    pub until: Option<NaiveDate>,
}

impl AlarmSearch {
    /// From what was typed.
    pub fn typed(kind: Option<String>, room: Option<String>, from: Option<String>, until: Option<String>) -> Result<Self, Refusal> {
        let bad = |field: &str, problem: &str| Refusal::from(BadField::form(field, problem));
        let day = |field: &str, text: Option<String>| {
            let read = text.map(|t| t.parse::<NaiveDate>().map_err(|_| bad(field, "is no day; 2026-11-23 would be right")));
            read.transpose()
        };
        let kind = kind.map(|word| AlarmKind::from_word(&word).ok_or_else(|| bad("kind", "is none of the choices")));
        Ok(Self { open: false, kind: kind.transpose()?, room, from: day("from", from)?, until: day("until", until)? })
    }
}

impl Desks {
    /// Takes up what was open before the start, and watches for as long as there are desks.
    pub async fn watch_alarms(self: &Arc<Self>) {
        match self.read(|c| Ok((alarms::open(c)?, alarms::done(c)?))).await {
            Ok((open, done)) => self.alarms.with(|book| *book = Book::resume(open, done, self.now())),
            Err(no) => tracing::error!("earlier alarms cannot be read: {no}"),
        }
        if let Err(no) = self.mark_running().await {
            tracing::error!("an unclean end of this run will not be seen: {no}");
        }
        alarm_delivery::start(self).await;
        self.listen();
        let desks = Arc::downgrade(self);
        tokio::spawn(async move {
            while let Some(desks) = desks.upgrade() {
                desks.tell_alarms(&desks.observed());
                drop(desks);
                tokio::time::sleep(LOOK).await;
            }
        });
    }

    fn running_marker(&self) -> PathBuf {
        self.settings.data.join("running")
    }

    /// A file that stands while the recorder runs: one that is there at a start was left by a run that was cut off.
    async fn mark_running(&self) -> Answer<()> {
        let (marker, now) = (self.running_marker(), self.now().utc.to_rfc3339());
        let left = blocking("marking that the recorder runs", move || {
            let left = durable::read_whole(&marker, 1024).ok().map(|data| String::from_utf8_lossy(&data).into_owned());
            durable::write_whole(&marker, now.as_bytes()).map(|()| left)
        });
        let left = left.await??;
        *self.alarms.cut_off.lock().unwrap_or_else(PoisonError::into_inner) = left;
        Ok(())
    }

    /// The recorder ends in good order.
    pub fn end_watch(&self) {
        if let Err(fault) = durable::remove_marker(&self.running_marker()) {
            tracing::warn!(%fault, "the next start takes this end for an unclean one");
        }
    }

    /// Compares what is seen with what stands, and tells what came of it. Waits for nothing.
    fn tell_alarms(&self, observed: &[Observed]) {
        let now = self.now();
        for told in self.alarms.with(|book| book.look(now, observed)) {
            self.note_alarm(told);
        }
    }

    /// Into the log, the catalog, the journal and every channel: each by itself, none waits for another.
    fn note_alarm(&self, told: Told) {
        journal::tell(&told, self.settings.alarms.journal);
        let (row, channels) = (told.alarm.clone(), self.delivery.takes(&told));
        let waiting = alarm_messages::Waiting { id: told.id(), batch: None, payload: told.clone().into() };
        let (kept, names): (_, Vec<_>) = (waiting.clone(), channels.iter().map(|q| q.channel()).collect());
        // In one transaction: a crash after it sends what waits, a crash before it sees the same again and begins it then.
        let work = move |t: &Writing<'_>| {
            alarms::put(t, &row)?;
            names.iter().try_for_each(|channel| alarm_messages::put(t, *channel, &kept))
        };
        match entry(&told) {
            Some(draft) => self.acts.do_and_log(draft, work),
            None => self.acts.index_only(work),
        }
        for queue in channels {
            queue.push(waiting.clone(), &self.acts);
        }
    }

    /// The alarms that are open, for pages: those that nobody has acknowledged first.
    pub fn open_alarms(&self) -> Vec<AlarmRow> {
        self.alarms.with(|book| book.open())
    }

    /// How many of them nobody has acknowledged, and the gravest of these.
    pub fn alarms_waiting(&self) -> (usize, Option<Severity>) {
        let waiting: Vec<AlarmRow> = self.open_alarms().into_iter().filter(AlarmRow::is_unanswered).collect();
        (waiting.len(), waiting.iter().map(|r| r.severity).max())
    }

    /// The history, newest first.
    pub async fn alarms(&self, who: &Person, search: &AlarmSearch) -> Answer<Vec<AlarmRow>> {
        self.need(who, Act::SeeStatus)?;
        let midnight = |day: NaiveDate| time::shanghai_midnight(day).timestamp_millis();
        let wanted = alarms::Wanted {
            open: search.open,
            kind: search.kind,
            room: search.room.clone(),
            from_ms: search.from.map(midnight),
            until_ms: search.until.and_then(|day| day.succ_opt()).map(midnight),
        };
        self.read(move |c| alarms::find(c, &wanted, ROWS_MAX)).await
    }

    /// Acknowledges an alarm. What a room was used for, and why it was not recorded, has to be said (第二十三条（一）); of others it may.
    pub async fn acknowledge_alarm(&self, who: &Person, id: &str, reason: &str) -> Answer<AlarmRow> {
        self.need(who, Act::AcknowledgeAlarm)?;
        let open = self.alarms.with(|book| book.find(id).cloned()).filter(|r| r.acknowledged_at.is_none());
        let row = open.ok_or_else(|| Refusal::no_such("alarm", id))?;
        let reason = if row.kind.rule().asks {
            Some(words::needed_text("reason", reason).map_err(Refusal::from)?)
        } else {
            words::text("reason", reason).map_err(Refusal::from)?
        };
        let (at_ms, by) = (self.now_ms(), who.name.clone());
        let draft = Draft::new(EntryKind::AlarmAcknowledged).by(&who.id).about("alarm", id).text("reason", reason.as_deref());
        let (number, said) = (id.to_owned(), reason.clone());
        self.acts.log_then_do(draft, move |t| alarms::acknowledge(t, &number, at_ms, &by, said.as_deref())).await?;
        let told = self.alarms.with(|book| book.acknowledge(id, &who.name, reason.clone(), at_ms));
        if let Some(told) = told {
            self.note_alarm(told.clone());
            return Ok(told.alarm);
        }
        // It ended between the two: what was said stands in its row.
        Ok(AlarmRow { acknowledged_at: Some(at_ms), acknowledged_by: Some(who.name.clone()), reason, ..row })
    }

    /// Listens to every room that wants it, for as long as there are desks.
    fn listen(self: &Arc<Self>) {
        for (room, care) in self.settings.rooms.iter().filter(|(_, c)| c.in_use_alarm) {
            let (desks, room, care) = (Arc::downgrade(self), room.clone(), care.clone());
            tokio::spawn(async move {
                let mut watch = Watch::new(care.in_use_after_s * 1000);
                loop {
                    tokio::time::sleep(EVERY.min(Duration::from_secs(care.in_use_after_s) / 4)).await;
                    let Some(heard) = hear(&desks, &room, care.talk_dbfs, &mut watch).await else { return };
                    let (Some(desks), Some(told)) = (desks.upgrade(), heard) else { continue };
                    let mut in_use = desks.alarms.in_use.lock().unwrap_or_else(PoisonError::into_inner);
                    match told {
                        in_use::Told::Begins => in_use.insert(room.clone()),
                        in_use::Told::Ends => in_use.remove(&room),
                    };
                }
            });
        }
    }
}

/// The log has when one began and ended; what is told in between and how often it is counted would fill it.
fn entry(told: &Told) -> Option<Draft> {
    let alarm = &told.alarm;
    let kind = match (told.what, alarm.kind) {
        (Happening::Raised, AlarmKind::RoomInUse) => EntryKind::RoomInUse,
        (Happening::Raised, _) => EntryKind::AlarmRaised,
        (Happening::Cleared, _) => EntryKind::AlarmCleared,
        _ => return None,
    };
    let draft = Draft::new(kind).about("alarm", &alarm.id).about("alarm_kind", alarm.kind.as_str()).about("subject", &alarm.subject);
    Some(match &alarm.room {
        Some(room) => draft.about("room", room),
        None => draft,
    })
}

/// One look at a room; `None` when the desks are gone.
async fn hear(desks: &Weak<Desks>, room: &RoomId, talk_dbfs: f64, watch: &mut Watch) -> Option<Option<in_use::Told>> {
    let view = desks.upgrade()?.recorder.room(room)?.view().clone();
    let recording = view.session().is_some();
    let loud = if recording { None } else { Some(looking::listen_to(&view).await.is_some_and(|db| db >= talk_dbfs)) };
    // A session may have begun meanwhile.
    let loud = loud.filter(|_| view.session().is_none());
    let now = desks.upgrade()?.now().mono_ms;
    Some(watch.hear(now, loud))
}
