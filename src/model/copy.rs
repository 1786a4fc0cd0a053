//! Viewing copies: derived from the originals for looking, labelled, with the viewer's name burnt in; bystanders masked and sound
//! muted where that was ordered. What was ordered is fixed, and so is what comes of it.

use crate::model::content_key::Keys;
use crate::model::ids::{AccountId, CameraId, CopyId, RequestId, SessionId};
use crate::model::people::words;
use crate::model::refusal::Refusal;
use crate::model::words::BadField;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

words!(
    /// Where a copy stands.
    CopyState {
        /// In the queue.
        Waiting = "waiting",
        /// Being made.
        Running = "running",
        /// Can be fetched.
        Ready = "ready",
        /// Stopped by whoever ordered it; can go on.
        Cancelled = "cancelled",
        /// Could not be made.
        Failed = "failed",
        /// Its time is over; the file is gone.
        Expired = "expired",
    }
);

words!(
    /// How a copy shows its cameras.
    Layout {
        /// One camera.
        Single = "single",
        /// The first camera large, another small in its corner.
        PictureInPicture = "picture_in_picture",
        /// Two side by side.
        SideBySide = "side_by_side",
    }
);

/// A part of the picture that is covered for a while.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "recorder", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct Mask {
    /// In whose picture.
    pub camera: CameraId,
    /// Left edge, percent of the picture.
    pub x: u32,
    /// Upper edge.
    pub y: u32,
    /// Width.
    pub width: u32,
    /// Height.
    pub height: u32,
    /// From, ms on the session's time line.
    pub from_ms: u64,
    /// Until.
    pub to_ms: u64,
}

/// A stretch without sound.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "recorder", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct Mute {
    /// From, ms on the session's time line.
    pub from_ms: u64,
    /// Until.
    pub to_ms: u64,
}

/// What somebody wants.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "recorder", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct Order {
    /// How.
    pub layout: Layout,
    /// Which cameras, the main one first.
    pub cameras: Vec<CameraId>,
    /// Whose sound; none: silent.
    #[serde(default)]
    pub sound: Option<CameraId>,
    /// What is covered.
    #[serde(default)]
    pub masks: Vec<Mask>,
    /// What is silent.
    #[serde(default)]
    pub mutes: Vec<Mute>,
}

/// Most masks and mutes in an order.
const PARTS_MAX: usize = 50;

impl Order {
    /// Whether it can be made of a session with these cameras; `masked`: the approval asks for masks.
    pub fn check(&self, cameras: &[CameraId], masked: bool) -> Result<(), Refusal> {
        let mut fields = Vec::new();
        let wanted = if self.layout == Layout::Single { 1 } else { 2 };
        let known = |c: &CameraId| cameras.contains(c);
        if self.cameras.len() != wanted || !self.cameras.iter().all(known) || (wanted == 2 && self.cameras[0] == self.cameras[1]) {
            fields.push(BadField::form("cameras", "one for a single picture, two different ones otherwise, of this session"));
        }
        if self.sound.as_ref().is_some_and(|c| !known(c)) {
            fields.push(BadField::form("sound", "is no camera of this session"));
        }
        let inside = |m: &Mask| {
            m.width > 0 && m.height > 0 && m.x.saturating_add(m.width) <= 100 && m.y.saturating_add(m.height) <= 100 && m.from_ms < m.to_ms
        };
        if self.masks.len() > PARTS_MAX || !self.masks.iter().all(|m| inside(m) && self.cameras.contains(&m.camera)) {
            fields.push(BadField::form("masks", "lie inside the picture of a chosen camera, in percent, and end after they begin"));
        }
        if self.mutes.len() > PARTS_MAX || self.mutes.iter().any(|m| m.from_ms >= m.to_ms) {
            fields.push(BadField::form("mutes", "end after they begin"));
        }
        if masked && self.masks.is_empty() {
            fields.push(BadField::form("masks", "the approval asks for masks; draw at least one"));
        }
        if fields.is_empty() { Ok(()) } else { Err(Refusal::BadFields { fields }) }
    }
}

/// A viewing copy.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "recorder", derive(utoipa::ToSchema))]
pub struct Copy {
    /// Its number.
    pub id: CopyId,
    /// Who ordered it.
    pub by: AccountId,
    /// Of which session.
    pub session: SessionId,
    /// Under which request.
    pub request: RequestId,
    /// What was ordered.
    pub order: Order,
    /// Made for a browser that cannot show the original: only shown in the player, never given out.
    #[serde(default)]
    pub for_player: bool,
    /// Where it stands.
    pub state: CopyState,
    /// How much of it is made, thousandths.
    pub done: u32,
    /// Its size, when ready.
    pub bytes: Option<u64>,
    /// Its SHA-256, when ready; the log has it too.
    pub sha256: Option<String>,
    /// Why it failed, in a word: [`NO_ROOM`] or [`NOT_MADE`].
    pub problem: Option<String>,
    /// When it was ordered.
    pub ordered_at: DateTime<Utc>,
    /// When its file goes, with the approval.
    pub until: DateTime<Utc>,
}

impl Copy {
    /// Whether its time is over.
    pub fn is_over(&self, now: DateTime<Utc>) -> bool {
        now >= self.until
    }
}

/// Pictures a second of a copy.
pub const COPY_FPS: u64 = 15;
/// A copy is made in stretches of so many ms; one that is made is not made again.
pub const PART_MS: u64 = 60_000;

/// A segment as the maker of a copy needs it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Piece {
    /// Where it lies.
    pub path: PathBuf,
    /// Up to where it is whole.
    pub bytes: u64,
    /// On the session's time line, ms.
    pub offset_ms: i64,
    /// Length, ms.
    pub duration_ms: u64,
    /// RFC 6381.
    pub codecs: String,
    /// It was taken in: any container, of any length.
    #[serde(default)]
    pub taken_in: bool,
}

/// A camera's segments.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Track {
    /// Whose.
    pub camera: CameraId,
    /// In order.
    pub pieces: Vec<Piece>,
    /// The keys of what of it is encrypted.
    #[serde(default)]
    pub keys: Keys,
}

/// Everything that the maker of a copy needs; handed to a process of its own.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub enum Work {
    /// A viewing copy.
    Copy {
        /// Its cameras, in the order of the order.
        tracks: Vec<Track>,
        /// What was ordered.
        order: Order,
        /// Length of the session, ms.
        length_ms: u64,
        /// Start of the session.
        started_at: DateTime<Utc>,
        /// Burnt into every picture: who, under which request.
        words: String,
        /// Burnt into every picture: that it is a copy.
        label: String,
        /// The folder that it is made in.
        folder: PathBuf,
    },
    /// One picture.
    Still {
        /// The camera.
        track: Track,
        /// On the session's time line, ms.
        at_ms: u64,
        /// Burnt in.
        words: String,
        /// Burnt in.
        label: String,
        /// Where it goes.
        to: PathBuf,
    },
    /// How loud a camera's sound is, over the whole session.
    Loudness {
        /// The camera.
        track: Track,
        /// Length of the session, ms.
        length_ms: u64,
        /// Where it goes, as JSON.
        to: PathBuf,
    },
}

/// Why a copy could not be made: the volume has no more room than recordings may need.
pub const NO_ROOM: &str = "no_room";
/// Why a copy could not be made: what makes it failed; the log of the machine says on what.
pub const NOT_MADE: &str = "not_made";

/// The quietest level that is told apart from silence, dB below the loudest that can be recorded.
pub const QUIETEST_DB: f64 = 60.0;
/// Most levels of a time line: as many as the widest screen has columns.
const LEVELS_MAX: u64 = 4_000;
/// The shortest stretch that a level stands for, ms.
const STEP_MS_MIN: u64 = 200;

/// How loud a camera's sound is, stretch by stretch: of a recording, so it is looked at like one (第二十二条).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "recorder", derive(utoipa::ToSchema))]
pub struct Loudness {
    /// How long a stretch is, ms.
    pub step_ms: u64,
    /// The loudest moment of each stretch from the session's zero, percent: 0 is silence (60 dB below full scale or less), 100 is
    /// full scale. Nothing where no sound was recorded.
    pub levels: Vec<Option<u8>>,
}

impl Loudness {
    /// Of a session so long, of which nothing is known yet.
    pub fn unknown(length_ms: u64) -> Self {
        let step_ms = length_ms.div_ceil(LEVELS_MAX).next_multiple_of(STEP_MS_MIN).max(STEP_MS_MIN);
        Self { step_ms, levels: vec![None; length_ms.div_ceil(step_ms) as usize] }
    }

    /// Takes up a moment of sound: where it lies, ms, and how loud it is, dB below full scale (negative).
    pub fn hear(&mut self, at_ms: u64, dbfs: f64) {
        let percent = ((dbfs + QUIETEST_DB) / QUIETEST_DB * 100.0).round().clamp(0.0, 100.0) as u8;
        if let Some(level) = self.levels.get_mut((at_ms / self.step_ms) as usize) {
            *level = Some(level.map_or(percent, |l| l.max(percent)));
        }
    }
}

/// The name of a copy's file in its folder.
pub const COPY_FILE: &str = "copy.mp4";

#[cfg(test)]
mod tests {
    use super::*;

    fn cameras() -> Vec<CameraId> {
        ["face", "overview"].map(|c| CameraId::new(c).unwrap()).to_vec()
    }

    fn order() -> Order {
        Order { layout: Layout::Single, cameras: cameras()[..1].to_vec(), sound: None, masks: vec![], mutes: vec![] }
    }

    fn mask() -> Mask {
        Mask { camera: cameras()[0].clone(), x: 10, y: 10, width: 20, height: 20, from_ms: 0, to_ms: 1000 }
    }

    #[test]
    fn an_approval_for_masked_copies_takes_no_order_without_a_mask() {
        assert!(order().check(&cameras(), false).is_ok());
        assert!(order().check(&cameras(), true).is_err());
        assert!(Order { masks: vec![mask()], ..order() }.check(&cameras(), true).is_ok());
    }

    #[test]
    fn a_time_line_of_any_length_has_a_few_thousand_levels_and_keeps_the_loudest() {
        for (length_ms, step_ms) in [(0, 200), (1, 200), (60_000, 200), (800_000, 200), (800_001, 400), (28_800_000, 7_200)] {
            let line = Loudness::unknown(length_ms);
            assert_eq!(line.step_ms, step_ms, "{length_ms}");
            assert!(line.levels.len() <= 4_000 && line.levels.len() as u64 * step_ms >= length_ms);
        }
        let mut line = Loudness::unknown(1_000);
        [(0, -60.0), (100, -30.0), (199, -45.0), (400, -90.0), (600, 3.0), (5_000, 0.0)].into_iter().for_each(|(at, db)| line.hear(at, db));
        assert_eq!(line.levels, [Some(50), None, Some(0), Some(100), None]);
    }

    #[test]
    fn an_order_that_cannot_be_made_is_refused_with_what_would_be_right() {
        let both = Order { layout: Layout::SideBySide, cameras: cameras(), ..order() };
        assert!(both.check(&cameras(), false).is_ok());
        for bad in [
            Order { cameras: vec![], ..order() },
            Order { cameras: cameras(), ..order() },
            Order { cameras: vec![cameras()[0].clone(); 2], ..both.clone() },
            Order { sound: Some(CameraId::new("else").unwrap()), ..order() },
            Order { masks: vec![Mask { x: 90, ..mask() }], ..order() },
            Order { masks: vec![Mask { camera: cameras()[1].clone(), ..mask() }], ..order() },
            Order { masks: vec![mask(); 51], ..order() },
            Order { mutes: vec![Mute { from_ms: 5, to_ms: 5 }], ..order() },
        ] {
            assert!(bad.check(&cameras(), false).is_err(), "{bad:?}");
        }
    }
}
