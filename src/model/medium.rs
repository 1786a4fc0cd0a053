//! The register of media (第十九条): discs and removable disks on which recordings are kept besides the machine. What a medium is, what
//! becomes of its copies, and when one is due.

use crate::model::disc_plan::Part;
use crate::model::ids::{AccountId, MediumId, UnitId};
use crate::model::people::words;
use crate::model::refusal::Refusal;
use crate::model::time;
use chrono::{DateTime, Days, Months, NaiveDate, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

/// Days after which a held session without a verified second medium is warned of (第十九条).
pub const SECOND_MEDIUM_DAYS: i64 = 7;
/// Bytes kept free on every medium: the file system itself, contents list, instructions.
pub const OVERHEAD_BYTES: u64 = 16 * 1024 * 1024;
/// Most copies of one medium.
pub const COPIES_MAX: u32 = 9;

words!(
    /// What it is, by the words on its wrapping.
    MediumKind {
        /// DVD-R, DVD+R, one layer.
        Dvd = "dvd",
        /// DVD+R DL.
        DvdDl = "dvd_dl",
        /// BD-R.
        Bd25 = "bd25",
        /// BD-R DL.
        Bd50 = "bd50",
        /// BD-R XL.
        Bd100 = "bd100",
        /// M-DISC of one layer, BD size.
        MDisc = "m_disc",
        /// A disk that is plugged in and put away.
        RemovableDisk = "removable_disk",
    }
);

impl MediumKind {
    /// Bytes that fit, as the makers count sectors of 2048; none where the disk itself says.
    pub fn bytes(self) -> Option<u64> {
        match self {
            Self::Dvd => Some(2_295_104 * 2048),
            Self::DvdDl => Some(4_173_824 * 2048),
            Self::Bd25 | Self::MDisc => Some(12_219_392 * 2048),
            Self::Bd50 => Some(24_438_784 * 2048),
            Self::Bd100 => Some(48_878_592 * 2048),
            Self::RemovableDisk => None,
        }
    }

    /// Whether it is burnt, and not copied to.
    pub fn is_disc(self) -> bool {
        self != Self::RemovableDisk
    }
}

/// Bytes of sessions that fit onto a medium beside their parity data and what goes with them.
pub fn room(bytes: u64, parity_percent: u64) -> u64 {
    // Divided first: what a person typed as a disk's size may be anything.
    bytes.saturating_sub(OVERHEAD_BYTES) / (102 + parity_percent) * 100
}

words!(
    /// Where a medium stands.
    MediumState {
        /// What goes onto it is being put together.
        Making = "making",
        /// That is there, and can be burnt or copied.
        Ready = "ready",
        /// It could not be put together.
        Failed = "failed",
        /// Somebody stopped that.
        Cancelled = "cancelled",
        /// Copies are there; what was put together is removed from the machine.
        Kept = "kept",
    }
);

words!(
    /// Where a copy stands.
    CopyStanding {
        /// It is being burnt or copied, or read back.
        Working = "working",
        /// Burning or reading back failed; the disc is void.
        Failed = "failed",
        /// It was read back and is what it has to be.
        Verified = "verified",
        /// A check found that it is not any more.
        Damaged = "damaged",
        /// Another copy took its place.
        Replaced = "replaced",
        /// Taken out of the register, with a reason.
        Retired = "retired",
        /// Destroyed by hand, before a second person.
        Destroyed = "destroyed",
    }
);

words!(
    /// What happened to a medium or one of its copies.
    ChangeKind {
        /// Somebody ordered it.
        Ordered = "ordered",
        /// What goes onto it was put together.
        Made = "made",
        /// That failed.
        NotMade = "not_made",
        /// It was stopped.
        Cancelled = "cancelled",
        /// A copy was begun.
        Begun = "begun",
        /// A copy was not written, or not read back as it has to be.
        NotWritten = "not_written",
        /// A copy was read back and is right.
        Verified = "verified",
        /// A check found it right.
        Checked = "checked",
        /// A check found damage.
        Damaged = "damaged",
        /// A check did not come about: nothing is said of the copy.
        NotChecked = "not_checked",
        /// It lies elsewhere now.
        Moved = "moved",
        /// Another took its place.
        Replaced = "replaced",
        /// It was taken out of the register.
        Retired = "retired",
        /// What was put together was removed from the machine.
        ImageRemoved = "image_removed",
        /// A copy was destroyed by hand.
        Destroyed = "destroyed",
    }
);

/// One line of a medium's history; lines are only ever added.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "recorder", derive(utoipa::ToSchema))]
pub struct Change {
    /// When.
    pub at: DateTime<Utc>,
    /// By whom; none: the machine.
    pub by: Option<AccountId>,
    /// Their name.
    pub by_name: Option<String>,
    /// What.
    pub kind: ChangeKind,
    /// Which copy.
    pub copy: Option<u32>,
    /// A place, a reason, what was found.
    pub text: Option<String>,
}

/// A disc or disk in the cabinet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "recorder", derive(utoipa::ToSchema))]
pub struct MediumCopy {
    /// 1 for the first; stands on its label behind the medium's number.
    pub number: u32,
    /// Where it stands.
    pub standing: CopyStanding,
    /// Where it lies: cabinet, shelf.
    pub place: String,
    /// Who made it.
    pub by_name: String,
    /// When it was begun.
    pub at: DateTime<Utc>,
    /// When it was last read and found right.
    pub verified_at: Option<DateTime<Utc>>,
    /// How: `read_back` after writing, or `check` later.
    pub verified_how: Option<String>,
    /// The day on which it is to be read again.
    pub next_check: Option<NaiveDate>,
    /// How it was destroyed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub destroyed: Option<Destruction>,
}

/// How a copy was destroyed: by hand, since no program can do it, and before a second person (销毁, 监销).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "recorder", derive(utoipa::ToSchema))]
pub struct Destruction {
    /// When it was entered.
    pub at: DateTime<Utc>,
    /// Who entered it.
    pub by: AccountId,
    /// Their name.
    pub by_name: String,
    /// In what way: shredded, melted.
    pub how: String,
    /// Who saw it (监销人).
    pub witness: String,
}

/// A medium: one content, as many copies as were made of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "recorder", derive(utoipa::ToSchema))]
pub struct Medium {
    /// Its number, written on every copy.
    pub id: MediumId,
    /// What it is.
    pub kind: MediumKind,
    /// The unit whose recordings it holds (谁制作谁保存).
    pub unit: UnitId,
    /// The media that were ordered together: number of the first.
    pub set: MediumId,
    /// Its place among them, from 1.
    pub number: u32,
    /// How many they are.
    pub of: u32,
    /// Where it stands.
    pub state: MediumState,
    /// What is on it.
    pub parts: Vec<Part>,
    /// Bytes of all files on it, parity data and instructions with them.
    pub bytes: Option<u64>,
    /// How many files.
    pub files: Option<u64>,
    /// SHA-256 of its list of contents, `contents.sha256`.
    pub list_sha256: Option<String>,
    /// SHA-256 of its image, where it is a disc.
    pub image_sha256: Option<String>,
    /// The medium whose place it takes.
    pub replaces: Option<MediumId>,
    /// Its copies.
    pub copies: Vec<MediumCopy>,
    /// Who ordered it.
    pub by: AccountId,
    /// Their name.
    pub by_name: String,
    /// When.
    pub ordered_at: DateTime<Utc>,
    /// Everything that happened, oldest first.
    pub history: Vec<Change>,
}

impl Medium {
    /// Refuses where it is not in one of these states.
    pub fn need(&self, states: &[MediumState]) -> Result<(), Refusal> {
        if states.contains(&self.state) { Ok(()) } else { Err(Refusal::MediumState { state: self.state.as_str().into() }) }
    }

    /// The copy of a number.
    pub fn copy(&self, number: u32) -> Result<&MediumCopy, Refusal> {
        self.copies.iter().find(|c| c.number == number).ok_or_else(|| Refusal::no_such("copy", &number.to_string()))
    }

    /// With a line of history.
    #[must_use]
    pub fn noted(
        mut self,
        at: DateTime<Utc>,
        by: Option<(&AccountId, &str)>,
        kind: ChangeKind,
        copy: Option<u32>,
        text: Option<&str>,
    ) -> Self {
        let (by, by_name) = (by.map(|(id, _)| id.clone()), by.map(|(_, name)| name.to_owned()));
        self.history.push(Change { at, by, by_name, kind, copy, text: text.map(Into::into) });
        self
    }

    /// With one more copy, which is being made.
    pub fn with_copy(mut self, by_name: &str, place: &str, at: DateTime<Utc>) -> Result<(Self, u32), Refusal> {
        self.need(&[MediumState::Ready])?;
        let number = self.copies.len() as u32 + 1;
        if number > COPIES_MAX || self.copies.iter().any(|c| c.standing == CopyStanding::Working) {
            return Err(Refusal::TooMany { running: self.copies.len() });
        }
        self.copies.push(MediumCopy {
            number,
            standing: CopyStanding::Working,
            place: place.into(),
            by_name: by_name.into(),
            at,
            verified_at: None,
            verified_how: None,
            next_check: None,
            destroyed: None,
        });
        Ok((self, number))
    }

    /// A copy was read and is right: it is due again after so many months.
    #[must_use]
    pub fn found_right(mut self, number: u32, how: &str, at: DateTime<Utc>, check_months: u32) -> Self {
        if let Some(copy) = self.copies.iter_mut().find(|c| c.number == number) {
            copy.standing = CopyStanding::Verified;
            copy.verified_at = Some(at);
            copy.verified_how = Some(how.into());
            copy.next_check = time::shanghai_day(at).checked_add_months(Months::new(check_months));
        }
        self
    }

    /// A copy stands otherwise now; what is no good is not due for a check.
    #[must_use]
    pub fn standing(mut self, number: u32, standing: CopyStanding) -> Self {
        if let Some(copy) = self.copies.iter_mut().find(|c| c.number == number) {
            copy.standing = standing;
            copy.next_check = None;
        }
        self
    }

    /// A copy was destroyed by hand. What is being written or read is not, and nothing is destroyed twice.
    pub fn with_destroyed(mut self, number: u32, destruction: Destruction) -> Result<Self, Refusal> {
        let standing = self.copy(number)?.standing;
        if matches!(standing, CopyStanding::Working | CopyStanding::Destroyed) {
            return Err(Refusal::CopyStanding { standing: standing.as_str().into() });
        }
        if let Some(copy) = self.copies.iter_mut().find(|c| c.number == number) {
            (copy.standing, copy.next_check, copy.destroyed) = (CopyStanding::Destroyed, None, Some(destruction));
        }
        Ok(self)
    }

    /// Whether a copy of it is verified.
    pub fn is_verified(&self) -> bool {
        self.copies.iter().any(|c| c.standing == CopyStanding::Verified)
    }

    /// When a copy was last found right; of copies that are no good any more, never.
    pub fn verified_at(&self) -> Option<DateTime<Utc>> {
        self.copies.iter().filter(|c| c.standing == CopyStanding::Verified).filter_map(|c| c.verified_at).max()
    }

    /// The earliest day on which a copy is to be read again.
    pub fn next_check(&self) -> Option<NaiveDate> {
        self.copies.iter().filter_map(|c| c.next_check).min()
    }

    /// Whether a copy is to be read by now.
    pub fn is_due(&self, now: DateTime<Utc>) -> bool {
        self.next_check().is_some_and(|day| day <= time::shanghai_day(now))
    }

    /// A copy is damaged, and none that is right is left.
    pub fn needs_new_copy(&self) -> bool {
        self.copies.iter().any(|c| c.standing == CopyStanding::Damaged) && !self.is_verified()
    }

    /// `d-2026-0001 · 2/3`: how people call one among several.
    pub fn title(&self) -> String {
        if self.of > 1 { format!("{} ({}/{})", self.id, self.number, self.of) } else { self.id.to_string() }
    }
}

/// How a held session stands with its second medium (第十九条).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "recorder", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case", tag = "is", content = "days")]
pub enum SecondMedium {
    /// It has a verified one.
    There,
    /// It has none yet; so many days are left.
    Within(i64),
    /// It has none, and is so many days over.
    Over(i64),
}

/// Whether a session needs a second medium: held since when, and when media that hold all of it were verified.
pub fn needs_medium(hold_since: DateTime<Utc>, verified_media: &[DateTime<Utc>], now: DateTime<Utc>) -> SecondMedium {
    if !verified_media.is_empty() {
        return SecondMedium::There;
    }
    let due = hold_since + TimeDelta::days(SECOND_MEDIUM_DAYS);
    // A day that has begun counts: after seven days to the second it is over.
    let left = (due - now).num_seconds();
    if left >= 0 { SecondMedium::Within(left.div_euclid(86_400)) } else { SecondMedium::Over((-left).div_euclid(86_400) + 1) }
}

/// When all of a session is verified on media: the latest of its parts, if every part has one. `parts`: part, of how many, verified when.
pub fn verified_whole(parts: &[(u32, u32, Option<DateTime<Utc>>)]) -> Option<DateTime<Utc>> {
    // Sets of different sizes are different ways of spreading it; each has to be whole by itself.
    let mut sizes: Vec<u32> = parts.iter().map(|p| p.1).collect();
    sizes.sort_unstable();
    sizes.dedup();
    let whole = |of: u32| {
        let newest = |n: u32| parts.iter().filter(|p| p.0 == n && p.1 == of).filter_map(|p| p.2).max();
        (1..=of).map(newest).collect::<Option<Vec<_>>>().and_then(|all| all.into_iter().min())
    };
    sizes.into_iter().filter_map(whole).max()
}

/// The first day of a list of what is due soon.
pub fn due_by(now: DateTime<Utc>, days: u64) -> NaiveDate {
    let today = time::shanghai_day(now);
    today.checked_add_days(Days::new(days)).unwrap_or(today)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::model::ids::SessionId;

    pub(crate) fn medium(id: &str) -> Medium {
        let id = MediumId::new(id).unwrap();
        Medium {
            set: id.clone(),
            id,
            kind: MediumKind::Dvd,
            unit: UnitId::new("land-use").unwrap(),
            number: 1,
            of: 1,
            state: MediumState::Ready,
            parts: vec![Part { session: SessionId::new("s-1").unwrap(), part: 1, parts: 1, from: 0, to: 2, bytes: 10 }],
            bytes: None,
            files: None,
            list_sha256: None,
            image_sha256: None,
            replaces: None,
            copies: vec![],
            by: AccountId::new("a").unwrap(),
            by_name: "赵敏".into(),
            ordered_at: DateTime::UNIX_EPOCH,
            history: vec![],
        }
    }

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    #[test]
    fn a_held_session_without_a_verified_second_medium_is_warned_of_after_seven_days() {
        let since = at("2026-11-01T08:00:00Z");
        for (now, verified, wanted) in [
            ("2026-11-01T08:00:00Z", false, SecondMedium::Within(7)),
            ("2026-11-07T20:00:00Z", false, SecondMedium::Within(0)),
            ("2026-11-08T08:00:00Z", false, SecondMedium::Within(0)),
            ("2026-11-08T08:00:01Z", false, SecondMedium::Over(1)),
            ("2026-11-10T08:00:01Z", false, SecondMedium::Over(3)),
            ("2026-11-10T08:00:01Z", true, SecondMedium::There),
        ] {
            let media: Vec<_> = verified.then(|| at("2026-11-02T00:00:00Z")).into_iter().collect();
            assert_eq!(needs_medium(since, &media, at(now)), wanted, "{now} {verified}");
        }
    }

    #[test]
    fn a_session_on_several_discs_is_verified_when_each_of_them_is() {
        let (a, b) = (Some(at("2026-11-01T00:00:00Z")), Some(at("2026-11-02T00:00:00Z")));
        assert_eq!(verified_whole(&[(1, 2, a), (2, 2, b)]), a);
        assert_eq!(verified_whole(&[(1, 2, a), (2, 2, None)]), None);
        assert_eq!(verified_whole(&[(1, 2, a), (2, 3, b)]), None, "parts of different sets are not a whole");
        assert_eq!(verified_whole(&[(1, 2, a), (1, 1, b)]), b);
        assert_eq!(verified_whole(&[]), None);
    }

    #[test]
    fn a_copy_counts_from_its_reading_back_until_a_check_finds_damage() {
        let (m, number) = medium("d-2026-0001").with_copy("赵敏", "三号柜", at("2026-11-25T00:00:00Z")).unwrap();
        assert!(!m.is_verified() && m.clone().with_copy("赵敏", "三号柜", at("2026-11-25T00:00:00Z")).is_err(), "one at a time");
        let m = m.found_right(number, "read_back", at("2026-11-25T01:00:00Z"), 12);
        assert_eq!((m.is_verified(), m.next_check()), (true, Some("2027-11-25".parse().unwrap())));
        assert!(!m.is_due(at("2027-11-24T10:00:00Z")) && m.is_due(at("2027-11-24T16:00:00Z")), "by Shanghai's day");
        let m = m.standing(number, CopyStanding::Damaged);
        assert!(m.needs_new_copy() && m.verified_at().is_none() && m.next_check().is_none());
        let (m, second) = m.with_copy("赵敏", "三号柜", at("2027-11-25T00:00:00Z")).unwrap();
        let m = m.found_right(second, "read_back", at("2027-11-25T00:00:00Z"), 12);
        assert!(!m.needs_new_copy() && second == 2);
    }

    #[test]
    fn a_copy_is_destroyed_once_and_counts_for_nothing_from_then_on() {
        let (m, number) = medium("d-2026-0001").with_copy("赵敏", "三号柜", at("2026-11-25T00:00:00Z")).unwrap();
        let how = Destruction {
            at: at("2027-11-25T00:00:00Z"),
            by: AccountId::new("a").unwrap(),
            by_name: "赵敏".into(),
            how: "粉碎".into(),
            witness: "冯静".into(),
        };
        let working = m.clone().with_destroyed(number, how.clone());
        assert_eq!(working, Err(Refusal::CopyStanding { standing: "working".into() }), "it is being written");
        let m = m.found_right(number, "read_back", at("2026-11-25T01:00:00Z"), 12);
        assert!(m.clone().with_destroyed(7, how.clone()).is_err(), "there is no such copy");
        let m = m.with_destroyed(number, how.clone()).unwrap();
        assert!(!m.is_verified() && m.next_check().is_none() && m.verified_at().is_none());
        assert_eq!(m.with_destroyed(number, how), Err(Refusal::CopyStanding { standing: "destroyed".into() }));
    }

    #[test]
    fn parity_and_contents_fit_onto_every_kind_of_disc() {
        for kind in MediumKind::ALL.iter().filter(|k| k.is_disc()) {
            let all = kind.bytes().unwrap();
            let room = room(all, 10);
            assert!(room + room / 10 + OVERHEAD_BYTES < all && room > all * 8 / 10, "{kind:?}");
        }
    }
}
