//! Room screens and lamps: what a second monitor shows to the person questioned (第十三条), and what a light outside the door
//! follows. Who has a room's link sees that, and nothing else, ever; the link is no login.

use crate::catalog::screens;
use crate::desks::{Answer, Desks};
use crate::machine::randomness;
use crate::model::digest;
use crate::model::entry::{Draft, EntryKind};
use crate::model::ids::RoomId;
use crate::model::minute_code;
use crate::model::people::{Act, Person};
use crate::model::record::LineKind;
use crate::model::refusal::Refusal;
use crate::model::session::{SessionKind, State};
use crate::model::status::Lamp;
use crate::model::status::ScreenRow;
use chrono::{DateTime, Utc};
use serde::Serialize;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

/// Lines of the record that fit on a screen in large type.
const LINES: usize = 6;

/// Screens that are connected now, by room.
#[derive(Clone, Default)]
pub(crate) struct Connected(Arc<Mutex<BTreeMap<RoomId, usize>>>);

/// A screen, for as long as it is connected.
pub struct Screen {
    room: RoomId,
    connected: Connected,
}

impl Drop for Screen {
    fn drop(&mut self) {
        let mut all = self.connected.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.entry(self.room.clone()).and_modify(|n| *n = n.saturating_sub(1));
    }
}

/// Who asks, as the screen names them (第六条).
#[derive(Debug, Clone)]
pub struct Named {
    /// 姓名.
    pub name: String,
    /// 执法证件编号.
    pub certificate_no: Option<String>,
}

/// What is recorded, as the screen shows it: no case, no cause.
#[derive(Debug, Clone)]
pub struct Shown {
    /// What for.
    pub kind: SessionKind,
    /// Paused.
    pub interrupted: bool,
    /// Since when.
    pub started_at: DateTime<Utc>,
    /// Length so far, ms.
    pub elapsed_ms: u64,
    /// Who asks.
    pub officers: Vec<Named>,
    /// The code of this minute.
    pub code: String,
    /// The newest lines of the record.
    pub lines: Vec<(LineKind, String)>,
}

/// A room, as its screen shows it.
#[derive(Debug, Clone)]
pub struct ScreenView {
    /// Which.
    pub room: RoomId,
    /// Its name.
    pub room_name: String,
    /// The lamp: what durable bytes say.
    pub lamp: Lamp,
    /// Server time.
    pub now: DateTime<Utc>,
    /// Seconds of pre-roll that the room is told of; 0: none.
    pub preroll_s: u32,
    /// Whom people may ask.
    pub contact: String,
    /// What is recorded.
    pub session: Option<Shown>,
}

/// The lamp of a room, for a light outside its door.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct LampState {
    /// Which room.
    pub room: RoomId,
    /// The word of the lamp.
    pub lamp: Lamp,
    /// Whether the light is to be on: something is durably recorded now.
    pub on: bool,
    /// When this was so.
    pub at: DateTime<Utc>,
}

impl Desks {
    /// Makes a link; it is told once, and only its digest is kept.
    pub async fn make_screen(&self, who: &Person, room: &RoomId) -> Answer<String> {
        self.need(who, Act::ManageScreens)?;
        self.recorder.room(room).ok_or_else(|| Refusal::no_such("room", room.as_str()))?;
        self.make_link(who, room.as_str()).await
    }

    /// A link that shows a room, or what stands in a room's place.
    pub(super) async fn make_link(&self, who: &Person, room: &str) -> Answer<String> {
        let (token, id) = (randomness::hex::<32>()?, format!("sc-{}", randomness::hex::<4>()?));
        let row = ScreenRow { id, room: room.into(), made_at: self.now_ms(), made_by: who.name.clone(), ended_at: None };
        let draft = Draft::new(EntryKind::ScreenLinkMade).by(&who.id).about("room", room).about("screen", &row.id);
        let sha256 = digest::sha256(token.as_bytes());
        self.acts.log_then_do(draft, move |t| screens::add(t, &row, &sha256)).await?;
        Ok(token)
    }

    /// All links, without their tokens.
    pub async fn screens(&self, who: &Person) -> Answer<Vec<ScreenRow>> {
        self.need(who, Act::ManageScreens)?;
        self.read(screens::all).await
    }

    /// Ends a link; a screen that shows it goes dark within a second.
    pub async fn end_screen(&self, who: &Person, id: &str) -> Answer<()> {
        self.need(who, Act::ManageScreens)?;
        let at = self.now_ms();
        let draft = Draft::new(EntryKind::ScreenLinkEnded).by(&who.id).about("screen", id);
        let ended = id.to_owned();
        Ok(self.acts.log_then_do(draft, move |t| screens::end(t, &ended, at)).await?)
    }

    /// The room that a link shows, if the link holds.
    async fn room_of_screen(&self, token: &str) -> Answer<RoomId> {
        let room = self.shown_by(token).await?;
        Ok(RoomId::new(&room).map_err(|_| Refusal::ScreenLinkOver)?)
    }

    /// What a link shows, if it holds: a room, or what stands in a room's place.
    pub(super) async fn shown_by(&self, token: &str) -> Answer<String> {
        if token.len() != 64 {
            return Err(Refusal::ScreenLinkOver.into());
        }
        let sha256 = digest::sha256(token.as_bytes());
        let row = self.read(move |c| screens::by_token(c, &sha256)).await?.ok_or(Refusal::ScreenLinkOver)?;
        Ok(row.room)
    }

    /// What a screen shows now.
    pub async fn screen(&self, token: &str) -> Answer<ScreenView> {
        let room = self.room_of_screen(token).await?;
        let place = self.recorder.room(&room).ok_or(Refusal::ScreenLinkOver)?;
        let (view, now) = (place.view(), self.now());
        let session = view.session().filter(|s| matches!(s.state, State::Recording | State::Interrupted));
        let shown = session.map(|s| {
            let named = s.facts().officers.iter().map(|o| Named { name: o.name.clone(), certificate_no: o.certificate_no.clone() });
            let lines = s.record.lines.iter().filter_map(|l| Some((l.kind, l.now()?.to_owned())));
            let lines: Vec<_> = lines.collect();
            Shown {
                kind: s.kind,
                interrupted: s.state == State::Interrupted,
                started_at: s.started_at,
                elapsed_ms: view.elapsed_ms(now).unwrap_or(0),
                officers: named.collect(),
                code: minute_code::code(&s.screen_key, now.utc),
                lines: lines[lines.len().saturating_sub(LINES)..].to_vec(),
            }
        });
        Ok(ScreenView {
            room_name: view.name.clone(),
            lamp: view.status(now).lamp,
            now: now.utc,
            preroll_s: self.settings.rooms.get(&room).map_or(0, |r| r.preroll_s),
            contact: self.settings.contact.clone(),
            session: shown,
            room,
        })
    }

    /// Counts a screen as connected until what is given back is dropped.
    pub async fn connect_screen(&self, token: &str) -> Answer<Screen> {
        let room = self.room_of_screen(token).await?;
        *self.connected.0.lock().unwrap_or_else(PoisonError::into_inner).entry(room.clone()).or_default() += 1;
        Ok(Screen { room, connected: self.connected.clone() })
    }

    /// Screens of a room that are connected; `None` where it has no link at all.
    pub(super) async fn screens_connected(&self, room: &RoomId) -> Option<usize> {
        let now = self.connected.0.lock().unwrap_or_else(PoisonError::into_inner).get(room).copied().unwrap_or(0);
        let links = self.read(screens::all).await.unwrap_or_default();
        let has_one = links.iter().any(|s| s.room == room.as_str() && s.ended_at.is_none());
        (has_one || now > 0).then_some(now)
    }

    /// The lamp that a link shows.
    pub async fn lamp(&self, token: &str) -> Answer<LampState> {
        let room = self.room_of_screen(token).await?;
        self.lamps().into_iter().find(|l| l.room == room).ok_or_else(|| Refusal::ScreenLinkOver.into())
    }

    /// Every room's lamp.
    pub fn lamps(&self) -> Vec<LampState> {
        let now = self.now();
        let one = |room: &crate::recorder::room::Room| {
            let lamp = room.view().status(now).lamp;
            LampState { room: room.view().id.clone(), lamp, on: matches!(lamp, Lamp::Recording | Lamp::Partly), at: now.utc }
        };
        self.recorder.rooms().map(|room| one(&room)).collect()
    }
}
