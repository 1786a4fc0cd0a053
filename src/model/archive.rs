//! The archive (归档存储): what lies in the bucket, under which names, locked for how long.
//!
//! ```text
//! <site>/<kind>/<id>/<sha256 of what it holds>            a file, or a part of a large one; `.age` behind it where it is encrypted
//! <site>/index/<kind>/<id>/<number>.json                  which files make the item up; the greatest number is the newest
//! <site>/status.json                                      how the site is, signed, every few minutes
//! ```
//!
//! Names hold identifiers and digests alone. The folder below the data root holds case numbers, and stands inside the index.

use crate::model::retention;
use crate::model::session::Session;
use crate::model::time;
use chrono::{DateTime, NaiveTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

/// The form of index that this version writes.
pub const FORMAT: &str = "shilu-archive/1";
/// What a footage file's part holds at most, bytes: a part is put, checked and put again as a whole.
pub const PART_BYTES: u64 = 64 * 1024 * 1024;
/// A lock that ends sooner than this is renewed.
const RENEW: TimeDelta = TimeDelta::days(30);
/// The shortest lock: what is put has to stay at least until somebody looks.
const SHORTEST: TimeDelta = TimeDelta::days(1);

/// How long something has to be kept, as the retention rules say (第十八条, 第十九条).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Keep {
    /// No earlier than this; none: undated evidence, or not known.
    pub until: Option<DateTime<Utc>>,
    /// A hold is on it.
    pub held: bool,
}

/// A lock on an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lock {
    /// Nobody deletes it before (COMPLIANCE).
    pub until: DateTime<Utc>,
    /// Nor while this is on (legal hold).
    pub held: bool,
}

/// The floor of every lock: six calendar months and a margin (第十八条).
pub fn floor(end: DateTime<Utc>, margin_days: u32) -> DateTime<Utc> {
    retention::over(retention::months_after(time::shanghai_day(end), retention::FLOOR_MONTHS), margin_days)
}

/// The lock that an object gets now, given the one that it has. Never shortened. What has no date is locked to the floor, and for
/// another year whenever that runs out.
pub fn lock(keep: Keep, floor: DateTime<Utc>, has: Option<Lock>, now: DateTime<Utc>) -> Lock {
    let least = has.map_or((now + SHORTEST).max(floor), |l| l.until);
    let until = match keep.until {
        Some(date) => least.max(date),
        None if least - now < RENEW => least.max(now + TimeDelta::days(365)),
        None => least,
    };
    // A service keeps whole seconds; rounded up, never down.
    let until = DateTime::from_timestamp(until.timestamp() + i64::from(until.timestamp_subsec_nanos() > 0), 0).unwrap_or(until);
    Lock { until, held: keep.held }
}

/// Whether a time of day lies in a window of Shanghai's clock; one that ends before it begins goes over midnight.
pub fn is_open(window: Option<(NaiveTime, NaiveTime)>, now: DateTime<Utc>) -> bool {
    let at = now.with_timezone(&time::shanghai()).time();
    match window {
        None => true,
        Some((from, to)) if from <= to => from <= at && at < to,
        Some((from, to)) => at >= from || at < to,
    }
}

/// `19:00-07:00`.
pub fn window(text: &str) -> Option<(NaiveTime, NaiveTime)> {
    let (from, to) = text.split_once('-')?;
    let time = |t: &str| NaiveTime::parse_from_str(t.trim(), "%H:%M").ok();
    Some((time(from)?, time(to)?))
}

/// The kinds of things that are archived. A tombstone is what stays of a session that was given up.
pub const KINDS: &[&str] = &["session", "case", "provision", "log", "keys", "tombstone", "disposal", "medium", "device", "check_out"];

/// Which files of an item's folder belong to it: a medium's folder holds its image while it is made, a keys' folder the secret halves.
pub fn belongs(kind: &str, name: &str) -> bool {
    match kind {
        "keys" => name.ends_with(".pub.pem") || ["succession-", "retired/", "lost/"].iter().any(|begin| name.starts_with(begin)),
        "medium" => name == "medium.json",
        "device" => name == "device.json",
        _ => true,
    }
}

/// Where something lies in the bucket, by what it holds.
pub fn object_key(site: &str, kind: &str, id: &str, sha256: &str, encrypted: bool) -> String {
    format!("{site}/{kind}/{id}/{sha256}{}", ending(encrypted))
}

/// Where an index lies.
pub fn index_key(site: &str, kind: &str, id: &str, number: u64, encrypted: bool) -> String {
    format!("{site}/index/{kind}/{id}/{number:015}.json{}", ending(encrypted))
}

/// Kind, id and number of an index's name.
pub fn parse_index_key<'a>(site: &str, key: &'a str) -> Option<(&'a str, &'a str, u64)> {
    let mut parts = key.strip_prefix(site)?.strip_prefix("/index/")?.split('/');
    let (kind, id, file) = (parts.next()?, parts.next()?, parts.next()?);
    let number = file.split('.').next()?.parse().ok()?;
    KINDS.contains(&kind).then_some((kind, id, number))
}

/// Where a site's status lies.
pub fn status_key(site: &str, encrypted: bool) -> String {
    format!("{site}/status.json{}", ending(encrypted))
}

fn ending(encrypted: bool) -> &'static str {
    if encrypted { ".age" } else { "" }
}

/// A part of a file, as it was put.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredPart {
    /// Its name in the bucket.
    pub key: String,
    /// Its version there.
    pub version: String,
    /// Bytes of the file that it holds.
    pub bytes: u64,
    /// SHA-256 of them.
    pub sha256: String,
    /// Bytes of the object: more where it is encrypted.
    pub stored_bytes: u64,
    /// SHA-256 of the object.
    pub stored_sha256: String,
}

/// A file, as it was put.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredFile {
    /// Below the item's folder.
    pub name: String,
    /// Size.
    pub bytes: u64,
    /// SHA-256 of the whole.
    pub sha256: String,
    /// One behind the other.
    pub parts: Vec<StoredPart>,
}

/// What makes up an item: enough to make its folder and its rows anew.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Index {
    /// [`FORMAT`].
    pub format: String,
    /// Whose.
    pub site: String,
    /// One of [`KINDS`].
    pub kind: String,
    /// Which.
    pub id: String,
    /// Below the data root; holds case numbers.
    pub folder: String,
    /// Greater than that of the index before.
    pub number: u64,
    /// When it was made.
    pub at: DateTime<Utc>,
    /// A session, as it is searched for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<Box<Session>>,
    /// The files.
    pub files: Vec<StoredFile>,
}

/// Whether a path of an index stays below the folder that it is put in.
pub fn is_below(path: &str) -> bool {
    !path.is_empty() && !path.starts_with('/') && path.split('/').all(|p| !p.is_empty() && p != "." && p != "..")
}

/// What a site tells of itself: no names of people or cases.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SiteStatus {
    /// Whose.
    pub site: String,
    /// The bureau's name.
    pub bureau: String,
    /// When.
    pub at: DateTime<Utc>,
    /// The recorder's version.
    pub version: String,
    /// The console's address, where it is known.
    pub console: Option<String>,
    /// Rooms: name, and whether a session is open.
    pub rooms: Vec<(String, bool)>,
    /// Faults of the machine; how many.
    pub faults: usize,
    /// Units by identifier, and their names.
    pub units: Vec<(String, String)>,
    /// Items that wait for the archive.
    pub waiting: u64,
    /// This month's figures by their words: sessions, whole, missing and so on.
    pub figures: Vec<(String, u64)>,
}

/// The same, signed by the site's key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignedStatus {
    /// The status, JSON, byte for byte as it was signed.
    pub status: String,
    /// Hex.
    pub signature: String,
    /// PEM.
    pub signer: String,
}

/// Bytes of hex.
pub fn unhex(text: &str) -> Option<Vec<u8>> {
    let pairs = text.as_bytes().chunks(2);
    pairs.map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    #[test]
    fn the_floor_is_six_calendar_months_to_the_last_moment_of_the_day() {
        assert_eq!(floor(at("2026-08-31T02:00:00Z"), 0), at("2027-02-28T16:00:00Z"));
        assert_eq!(floor(at("2026-08-31T02:00:00Z"), 14), at("2027-03-14T16:00:00Z"));
    }

    #[test]
    fn what_has_no_date_is_locked_to_the_floor_and_renewed_for_a_year() {
        let (now, floor) = (at("2026-11-25T00:00:00Z"), at("2027-06-08T16:00:00Z"));
        let undated = Keep { until: None, held: false };
        let first = lock(undated, floor, None, now);
        assert_eq!(first.until, floor);
        assert_eq!(lock(undated, floor, Some(first), now).until, floor, "long enough yet");
        let late = floor - TimeDelta::days(10);
        assert_eq!(lock(undated, floor, Some(first), late).until, late + TimeDelta::days(365));
        let dated = Keep { until: Some(at("2056-01-01T00:00:00Z")), held: true };
        assert_eq!(lock(dated, floor, Some(first), now), Lock { until: at("2056-01-01T00:00:00Z"), held: true });
    }

    #[test]
    fn a_window_goes_over_midnight_in_shanghai() {
        let night = window("19:00-07:00");
        assert!(is_open(night, at("2026-11-25T11:00:00Z")) && is_open(night, at("2026-11-25T22:59:00Z")));
        assert!(!is_open(night, at("2026-11-25T23:00:00Z")) && !is_open(night, at("2026-11-25T10:59:00Z")));
        assert!(is_open(None, at("2026-11-25T10:59:00Z")) && window("19-7").is_none());
    }

    #[test]
    fn a_name_tells_its_kind_and_no_path_leads_out() {
        let key = index_key("site-a", "session", "room-1-20261123-141502", 7, true);
        assert_eq!(parse_index_key("site-a", &key), Some(("session", "room-1-20261123-141502", 7)));
        assert!(parse_index_key("site-b", &key).is_none());
        for bad in ["", "/etc", "../x", "a/../b", "a//b", "a/."] {
            assert!(!is_below(bad), "{bad:?}");
        }
        assert!(is_below("footage/a/威自然资罚〔2026〕12号/b"));
    }

    #[test]
    fn no_secret_half_and_no_image_belongs_to_the_archive() {
        for (kind, name, is) in [
            ("keys", "signing.pub.pem", true),
            ("keys", "lost/signing-1.pem", true),
            ("keys", "signing.pem", false),
            ("keys", "log.pem", false),
            ("medium", "medium.json", true),
            ("medium", "image.iso", false),
            ("device", "device.json", true),
            ("device", "password", false),
            ("session", "session.json", true),
        ] {
            assert_eq!(belongs(kind, name), is, "{kind} {name}");
        }
    }

    proptest! {
        #[test]
        fn a_lock_is_never_shortened_and_never_ends_before_its_floor(
            floor_s in 0_i64..4_000_000_000, now_s in 0_i64..4_000_000_000, keep_s in proptest::option::of(0_i64..4_000_000_000),
            later_s in 0_i64..400_000_000, held: bool,
        ) {
            let of = |s| DateTime::from_timestamp(s, 0).unwrap();
            let keep = Keep { until: keep_s.map(of), held };
            let first = lock(keep, of(floor_s), None, of(now_s));
            prop_assert!(first.until >= of(floor_s) && first.until > of(now_s));
            let next = lock(keep, of(floor_s), Some(first), of(now_s + later_s));
            prop_assert!(next.until >= first.until && next.held == held);
            prop_assert!(keep.until.is_none_or(|u| next.until >= u));
        }
    }
}
