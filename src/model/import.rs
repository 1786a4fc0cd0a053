//! Taking in (第十四条): recordings of body-worn recorders, cameras and camcorders, kept bit for bit. What is taken in is a session of
//! its own, so that access, retention, provision and proof hold for it as for any other.

use crate::model::digest;
use crate::model::facts::Facts;
use crate::model::ids::{AccountId, CameraId, ImportId, RoomId, SessionId, UnitId};
use crate::model::people::words;
use crate::model::session::SessionKind;
use chrono::{DateTime, NaiveDateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

words!(
    /// How a file came.
    ImportWay {
        /// In the browser.
        Browser = "browser",
        /// Found in a watched folder or on a device that was mounted.
        Folder = "folder",
        /// By `shilu import`.
        Command = "command",
    }
);

words!(
    /// What a file is for eyes and ears.
    FootageKind {
        /// 录像.
        Video = "video",
        /// 录音.
        Audio = "audio",
        /// 照片.
        Picture = "picture",
        /// No player here knows what it is: kept as it came, and sealed like any other.
        Unknown = "unknown",
    }
);

words!(
    /// Where the time of use (使用时间) of something that was taken in comes from, best first.
    UsedFrom {
        /// Typed by hand, with a reason.
        Corrected = "corrected",
        /// The device wrote it into the file.
        Device = "device",
        /// Only when the file was last written is known.
        File = "file",
        /// Nothing is known but that it came.
        Arrival = "arrival",
    }
);

words!(
    /// Where something on its way in stands.
    ArrivalState {
        /// Bytes are coming.
        Receiving = "receiving",
        /// It is digested and looked at.
        Examining = "examining",
        /// It is being put into the footage tree and sealed.
        Storing = "storing",
        /// It is a session.
        TakenIn = "taken_in",
        /// The same file had been taken in before.
        Known = "known",
        /// There is nothing in it.
        Refused = "refused",
        /// The machine failed; it is tried again at the next start, or on demand.
        Failed = "failed",
    }
);

/// Where a recording that was taken in came from; part of its manifest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "recorder", derive(utoipa::ToSchema))]
pub struct Imported {
    /// The file's name at its source.
    pub file_name: String,
    /// Its media type, as its bytes say; never as its name says.
    pub media_type: String,
    /// For eyes or ears.
    pub footage: FootageKind,
    /// SHA-256 of what arrived, lower-case hex, made before anything else was done with it.
    pub sha256: String,
    /// How it came.
    pub way: ImportWay,
    /// Who handed it in; `watched-folder` for what no person handed in.
    pub handed_in_by: AccountId,
    /// When it was taken in, by the recorder's clock.
    pub taken_in_at: DateTime<Utc>,
    /// 使用时间 as the device wrote it into the file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device_time: Option<DateTime<Utc>>,
    /// What the device wrote, without a zone; and in which zone its clock runs, where that was said: `device_time` is made of both.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device_shown: Option<NaiveDateTime>,
    /// `+08:00`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device_clock: Option<String>,
    /// When the file was last written, as its source said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file_time: Option<DateTime<Utc>>,
    /// Which of them `started_at` follows.
    pub used_from: UsedFrom,
    /// Why the time was typed by hand.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub used_reason: Option<String>,
}

/// A correction of what was sealed about something that was taken in; both stay.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "recorder", derive(utoipa::ToSchema))]
pub struct UseCorrection {
    /// When it was entered.
    pub at: DateTime<Utc>,
    /// 执法记录设备编号.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device_no: Option<String>,
    /// 使用时间.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub used_at: Option<DateTime<Utc>>,
    /// Why.
    pub reason: String,
    /// By whom.
    pub by: AccountId,
}

/// What is said of a file that comes. Everything may be missing: it is asked for later, and nothing waits for it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "recorder", derive(utoipa::ToSchema))]
pub struct ImportForm {
    /// 执法记录设备编号.
    #[serde(default)]
    pub device_no: Option<String>,
    /// What was recorded.
    #[serde(default = "handling")]
    pub kind: SessionKind,
    /// Case, cause, party, officers.
    #[serde(default)]
    pub facts: Facts,
    /// The zone in which the device's clock runs, where it is neither the file's own nor in the register: `UTC`, `+08:00`.
    #[serde(default)]
    pub device_clock: Option<String>,
    /// 使用时间, where the device's clock was wrong.
    #[serde(default)]
    pub used_at: Option<DateTime<Utc>>,
    /// Why it was typed by hand.
    #[serde(default)]
    pub used_reason: Option<String>,
}

fn handling() -> SessionKind {
    SessionKind::Handling
}

impl Default for ImportForm {
    fn default() -> Self {
        Self { device_no: None, kind: handling(), facts: Facts::default(), device_clock: None, used_at: None, used_reason: None }
    }
}

/// Something on its way in: `arrival.json` beside the bytes, until it is a session.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "recorder", derive(utoipa::ToSchema))]
pub struct Arrival {
    /// Its number.
    pub id: ImportId,
    /// Who hands it in.
    pub by: AccountId,
    /// Whose it will be (谁制作谁保存, 第三条).
    pub unit: UnitId,
    /// How it comes.
    pub way: ImportWay,
    /// Its name at its source.
    pub file_name: String,
    /// How many bytes it has.
    pub bytes: u64,
    /// How many have arrived and are durable.
    #[serde(default)]
    pub received: u64,
    /// When the file was last written, as its source says.
    #[serde(default)]
    pub file_time: Option<DateTime<Utc>>,
    /// What is said of it.
    pub form: ImportForm,
    /// When it began to come.
    pub begun_at: DateTime<Utc>,
    /// Where it stands.
    pub state: ArrivalState,
    /// How much of it is examined, thousandths.
    #[serde(default)]
    pub done: u32,
    /// SHA-256 of what arrived.
    #[serde(default)]
    pub sha256: Option<String>,
    /// The session that it became, or that it had been before.
    #[serde(default)]
    pub session: Option<SessionId>,
    /// Why it was refused or failed: a word (`import-problem-…`).
    #[serde(default)]
    pub problem: Option<String>,
    /// When that was told.
    #[serde(default)]
    pub ended_at: Option<DateTime<Utc>>,
    /// The order of `shilu import` that waits for an answer.
    #[serde(default)]
    pub order: Option<String>,
}

impl Arrival {
    /// Whether it came to an end.
    pub fn is_over(&self) -> bool {
        matches!(self.state, ArrivalState::TakenIn | ArrivalState::Known | ArrivalState::Refused)
    }

    /// Whether somebody offers the same file once more, so that it goes on where it broke off.
    pub fn is_same_upload(&self, by: &AccountId, name: &str, bytes: u64, file_time: Option<DateTime<Utc>>) -> bool {
        self.state == ArrivalState::Receiving
            && self.by == *by
            && self.file_name == name
            && self.bytes == bytes
            && self.file_time == file_time
    }
}

/// What was found in a file's bytes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Examined {
    /// Media type of the container, or of the stream where there is none.
    pub media_type: String,
    /// How the file's name ends in the footage tree.
    pub ending: String,
    /// For eyes or ears.
    pub footage: FootageKind,
    /// Length, ms; 0 for a picture.
    pub duration_ms: u64,
    /// RFC 6381, as far as it is known.
    pub codecs: String,
    /// Picture size, `1280x720`; empty without pictures.
    pub resolution: String,
    /// What the device wrote: a moment, or what its clock showed in Shanghai.
    pub device_time: Option<DateTime<Utc>>,
    /// What its clock showed, where the file says no zone of its own: by its format's rule that is UTC, or Shanghai's for a photograph, and
    /// many a device keeps to neither.
    #[serde(default)]
    pub device_shown: Option<NaiveDateTime>,
}

impl Examined {
    /// What is known of a file that no player knows.
    pub fn unknown() -> Self {
        Self {
            media_type: "application/octet-stream".into(),
            ending: "media".into(),
            footage: FootageKind::Unknown,
            duration_ms: 0,
            codecs: String::new(),
            resolution: String::new(),
            device_time: None,
            device_shown: None,
        }
    }

    /// When the device says that it was recorded, by a clock that runs in this zone.
    pub fn device_time_by(&self, clock: Option<DeviceClock>) -> Option<DateTime<Utc>> {
        match (clock, self.device_shown) {
            (Some(DeviceClock(minutes)), Some(shown)) => shown.and_utc().checked_sub_signed(TimeDelta::minutes(i64::from(minutes))),
            _ => self.device_time,
        }
    }
}

/// The zone in which a device's clock runs: minutes ahead of UTC. A device knows no summer time that its file does not tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DeviceClock(i32);

impl DeviceClock {
    /// `UTC`, `+08:00`, `-03:30`; from twelve hours behind to fourteen ahead.
    pub fn parse(text: &str) -> Option<Self> {
        if text.eq_ignore_ascii_case("utc") {
            return Some(Self(0));
        }
        let (sign, rest) = match text.split_at_checked(1)? {
            ("+", rest) => (1, rest),
            ("-", rest) => (-1, rest),
            _ => return None,
        };
        let (hours, minutes) = rest.split_once(':').filter(|(h, m)| h.len() == 2 && m.len() == 2)?;
        let digits = |t: &str| t.bytes().all(|b| b.is_ascii_digit()).then(|| t.parse::<i32>().ok()).flatten();
        let all = sign * (digits(hours)? * 60 + digits(minutes).filter(|m| *m < 60)?);
        (-720..=840).contains(&all).then_some(Self(all))
    }
}

impl std::fmt::Display for DeviceClock {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (sign, all) = (if self.0 < 0 { '-' } else { '+' }, self.0.abs());
        write!(f, "{sign}{:02}:{:02}", all / 60, all % 60)
    }
}

/// What a worker has to look at.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Examine {
    /// The file.
    pub path: PathBuf,
    /// SM3 beside SHA-256.
    pub sm3: bool,
}

/// Media types with how the files are called in the footage tree. What is in no line is called `media`.
const ENDINGS: &[(&str, &str)] = &[
    ("video/mp4", "mp4"),
    ("video/quicktime", "mov"),
    ("video/x-msvideo", "avi"),
    ("video/mpegts", "ts"),
    ("video/mpeg", "mpg"),
    ("video/x-matroska", "mkv"),
    ("audio/x-matroska", "mka"),
    ("video/webm", "webm"),
    ("audio/webm", "webm"),
    ("video/x-flv", "flv"),
    ("video/x-ms-asf", "asf"),
    ("audio/mp4", "m4a"),
    ("audio/x-wav", "wav"),
    ("audio/mpeg", "mp3"),
    ("audio/ogg", "ogg"),
    ("audio/x-flac", "flac"),
    ("image/jpeg", "jpg"),
    ("image/png", "png"),
];

/// How a file of this media type is called in the footage tree.
pub fn ending(media_type: &str) -> &'static str {
    ENDINGS.iter().find(|(kind, _)| *kind == media_type).map_or("media", |(_, ending)| ending)
}

/// The media type under which a file of the footage tree is shown.
pub fn media_type(name: &str) -> &'static str {
    let end = name.rsplit_once('.').map_or("", |(_, end)| end);
    ENDINGS.iter().find(|(_, ending)| *ending == end).map_or("application/octet-stream", |(kind, _)| kind)
}

/// Whether a name in a session's folder is that of footage, ours or taken in.
pub fn is_footage(name: &str) -> bool {
    let lower = name.to_ascii_lowercase();
    lower.rsplit_once('.').is_some_and(|(_, end)| end == "media" || ENDINGS.iter().any(|(_, ending)| *ending == end))
}

/// Names that a watched folder takes for recordings; cameras write indexes and logs beside them.
pub fn looks_like_footage(name: &str) -> bool {
    const MORE: &[&str] = &["jpeg", "m2ts", "mts", "m4v", "3gp", "mpeg", "wmv", "dav", "aac", "amr"];
    let lower = name.to_ascii_lowercase();
    !name.starts_with('.') && (is_footage(name) || lower.rsplit_once('.').is_some_and(|(_, end)| MORE.contains(&end)))
}

/// The device as a folder's name and as a camera: of its number what a path takes; a number without a letter or digit of ours is told
/// apart by its digest.
pub fn device_slug(device_no: Option<&str>) -> String {
    let Some(number) = device_no.filter(|n| !n.is_empty()) else { return "device-unknown".into() };
    let plain: String = number.to_lowercase().chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).take(24).collect();
    let plain = plain.trim_matches('-');
    if plain == number.to_lowercase() {
        format!("device-{plain}")
    } else {
        // What was left out must not make two devices one.
        format!("device-{plain}-{}", &digest::sha256(number.as_bytes())[..6]).replace("--", "-")
    }
}

/// The same as a room's and as a camera's identifier.
pub fn device_ids(device_no: Option<&str>) -> Option<(RoomId, CameraId)> {
    let slug = device_slug(device_no);
    Some((RoomId::new(&slug).ok()?, CameraId::new(&slug).ok()?))
}

/// Before that no digital recorder wrote a true time; a clock that lost its power says 1970, 1980 or 2000.
const FIRST_YEAR_S: i64 = 1_104_537_600; // 2005-01-01

/// When it was recorded (使用时间), and by whose word. What lies ahead of its own arrival is no word to go by: a clock that runs ahead
/// is told, and the time is asked for.
pub fn placed(
    corrected: Option<DateTime<Utc>>,
    device_time: Option<DateTime<Utc>>,
    file_time: Option<DateTime<Utc>>,
    duration_ms: u64,
    taken_in_at: DateTime<Utc>,
) -> (DateTime<Utc>, UsedFrom) {
    let length = TimeDelta::try_milliseconds(duration_ms as i64).unwrap_or_default();
    let fits = |at: &DateTime<Utc>| at.timestamp() >= FIRST_YEAR_S && at.checked_add_signed(length).is_some_and(|end| end <= taken_in_at);
    let written = file_time.and_then(|at| at.checked_sub_signed(length));
    let choices = [(corrected, UsedFrom::Corrected), (device_time, UsedFrom::Device), (written, UsedFrom::File)];
    let found = choices.into_iter().find_map(|(at, from)| Some((at.filter(fits)?, from)));
    found.unwrap_or_else(|| (taken_in_at.checked_sub_signed(length).unwrap_or(taken_in_at), UsedFrom::Arrival))
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Something that was taken in at a moment.
    pub(crate) fn imported(taken_in_at: DateTime<Utc>) -> Imported {
        Imported {
            file_name: "a.mp4".into(),
            media_type: "video/mp4".into(),
            footage: FootageKind::Video,
            sha256: "0".repeat(64),
            way: ImportWay::Browser,
            handed_in_by: AccountId::new("wang").unwrap(),
            taken_in_at,
            device_time: None,
            device_shown: None,
            device_clock: None,
            file_time: None,
            used_from: UsedFrom::Device,
            used_reason: None,
        }
    }

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    #[test]
    fn the_devices_clock_is_believed_unless_it_cannot_be_true() {
        let (came, hour) = (at("2026-11-25T10:00:00Z"), 3_600_000);
        let device = Some(at("2026-11-25T08:00:00Z"));
        assert_eq!(placed(None, device, None, hour, came), (at("2026-11-25T08:00:00Z"), UsedFrom::Device));
        let typed = Some(at("2026-11-25T07:30:00Z"));
        assert_eq!(placed(typed, device, None, hour, came), (at("2026-11-25T07:30:00Z"), UsedFrom::Corrected));
        // It runs ahead, as one does that writes Shanghai's time as if it were UTC; or lost its power.
        for wrong in ["2026-11-25T16:00:00Z", "2026-11-25T09:30:00Z", "1970-01-01T00:00:07Z", "2000-01-01T00:10:00Z"] {
            let file = Some(at("2026-11-25T09:00:00Z"));
            assert_eq!(placed(None, Some(at(wrong)), file, hour, came), (at("2026-11-25T08:00:00Z"), UsedFrom::File), "{wrong}");
            assert_eq!(placed(None, Some(at(wrong)), None, hour, came), (at("2026-11-25T09:00:00Z"), UsedFrom::Arrival), "{wrong}");
        }
    }

    #[test]
    fn a_devices_time_is_read_in_the_zone_in_which_its_clock_runs() {
        let clock = |text: &str| DeviceClock::parse(text);
        let shown: NaiveDateTime = "2026-11-20T16:08:07".parse().unwrap();
        let written = Examined { device_time: Some(shown.and_utc()), device_shown: Some(shown), ..Examined::unknown() };
        for (zone, wanted) in [
            (None, "2026-11-20T16:08:07Z"),
            (clock("utc"), "2026-11-20T16:08:07Z"),
            (clock("+08:00"), "2026-11-20T08:08:07Z"),
            (clock("-03:30"), "2026-11-20T19:38:07Z"),
        ] {
            assert_eq!(written.device_time_by(zone), Some(at(wanted)), "{zone:?}");
        }
        // A file that says its own zone is not read in another one.
        let told = Examined { device_shown: None, ..written };
        assert_eq!(told.device_time_by(clock("+08:00")), told.device_time);
        for bad in ["", "8", "+8:00", "+08", "08:00", "+15:00", "-12:30", "+08:60", "+0a:00", "Asia/Shanghai", "＋08:00"] {
            assert!(clock(bad).is_none(), "{bad:?}");
        }
        assert_eq!(["UTC", "+08:00", "-03:30"].map(|t| clock(t).unwrap().to_string()), ["+00:00", "+08:00", "-03:30"]);
    }

    #[test]
    fn two_devices_never_share_a_folder() {
        assert_eq!(device_slug(Some("BWC-017")), "device-bwc-017");
        assert_eq!(device_slug(None), "device-unknown");
        let slugs = ["执法仪一号", "执法仪二号", "A/B", "A-B", "a b", &"9".repeat(60), "../..", "-x-"].map(|n| device_slug(Some(n)));
        for (n, slug) in slugs.iter().enumerate() {
            assert!(RoomId::new(slug).is_ok() && slug.len() <= 40, "{slug}");
            assert!(slugs[..n].iter().all(|s| s != slug), "{slugs:?}");
        }
    }

    #[test]
    fn a_name_is_footage_by_its_ending_and_papers_are_not() {
        for name in ["a-20261125T080000000Z-0001.mov", "x.JPG", "y.media", "z.mp4"] {
            assert!(is_footage(name), "{name}");
        }
        for name in ["session.json", "session.json.sig", "journal.jsonl", "signer.pem", "session.json.tsr.2", "documents"] {
            assert!(!is_footage(name) && !looks_like_footage(name), "{name}");
        }
        assert!(looks_like_footage("M2U00001.MTS") && !looks_like_footage("._M2U00001.MP4"));
    }

    proptest! {
        #[test]
        fn nothing_is_ever_placed_behind_its_own_arrival(
            corrected in prop::option::of(-1_000_000_000_i64..5_000_000_000),
            device in prop::option::of(-1_000_000_000_i64..5_000_000_000),
            file in prop::option::of(-1_000_000_000_i64..5_000_000_000),
            length in 0_u64..400_000_000,
        ) {
            let came = at("2026-11-25T10:00:00Z");
            let of = |s: Option<i64>| s.and_then(|s| DateTime::from_timestamp(s, 0));
            let (used, _) = placed(of(corrected), of(device), of(file), length, came);
            prop_assert!(used + TimeDelta::milliseconds(length as i64) <= came);
        }

        #[test]
        fn every_device_number_is_a_name(number in ".*") {
            let slug = device_slug(Some(&number));
            prop_assert!(RoomId::new(&slug).is_ok() && slug.len() <= 40, "{}", slug);
        }
    }
}
