//! The custody log, for who supervises. It is evidence, and stands in its own order: from its end or from its beginning, and in no other.

use crate::desks::custody::{AnchorSheet, Standing};
use crate::desks::reports::{LogPart, LogPlace, LogRow};
use crate::desks::wall::WALL;
use crate::model::entry::{Entry, EntryKind};
use crate::model::time;
use crate::web::i18n::Lang;
use crate::web::pages::measures;
use crate::web::pages::record::qr;
use crate::web::pages::visit::Visit;
use crate::web::pages::{Page, html, no_page};
use askama::Template;
use axum::extract::Query;
use axum::extract::rejection::QueryRejection;
use axum::response::Response;
use chrono::{DateTime, NaiveDate, Utc};
use serde::Deserialize;

/// Which part.
#[derive(Default, Deserialize)]
pub struct LogQuery {
    before: Option<u64>,
    after: Option<u64>,
    session: Option<String>,
    order: Option<String>,
}

/// The word of the order that begins with the oldest.
const OLDEST: &str = "oldest";

#[derive(Template)]
#[template(path = "log.html", config = "src/web/askama.toml")]
struct LogPage {
    page: Page,
    rows: Vec<LogRow>,
    older: Option<u64>,
    newer: Option<u64>,
    session: String,
    oldest_first: bool,
    standing: Standing,
}

impl LogPage {
    fn time(&self, row: &LogRow) -> String {
        row.entry.at.parse::<DateTime<Utc>>().map(|at| self.page.at(at).to_string()).unwrap_or_default()
    }
    fn figures(&self, row: &LogRow) -> Vec<(String, String)> {
        figures(&self.page, &row.entry)
    }
    /// Looking, copying and refusals stand out: they are what a supervisor looks for.
    fn class(&self, row: &LogRow) -> &'static str {
        use crate::model::entry::EntryKind::{
            AccessRevoked, CameraLost, ClockStepped, CopyTaken, LiveOpened, Refused, SignInFailed, ViewingOpened,
        };
        match row.entry.kind {
            Refused | SignInFailed | CameraLost | ClockStepped | AccessRevoked => "badge warn",
            ViewingOpened | CopyTaken | LiveOpened => "badge",
            _ => "",
        }
    }
    /// The same entries asked for, in one order or the other, from an end or from a number.
    fn address(&self, oldest_first: bool, place: Option<(&str, u64)>) -> String {
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        if !self.session.is_empty() {
            query.append_pair("session", &self.session);
        }
        if oldest_first {
            query.append_pair("order", OLDEST);
        }
        if let Some((side, number)) = place {
            query.append_pair(side, &number.to_string());
        }
        let query = query.finish();
        if query.is_empty() { "/log".into() } else { format!("/log?{query}") }
    }
    /// The two orders: their words, where they are, and whether it is this one.
    fn orders(&self) -> [(&'static str, String, bool); 2] {
        let one = |word, oldest_first| (word, self.address(oldest_first, None), oldest_first == self.oldest_first);
        [one("log-newest-first", false), one("log-oldest-first", true)]
    }
    /// The pages beside this one, as one reads on: relation, word, address.
    fn beside(&self) -> Vec<(&'static str, &'static str, String)> {
        let older = self.older.map(|n| ("older", self.address(self.oldest_first, Some(("before", n)))));
        let newer = self.newer.map(|n| ("newer", self.address(self.oldest_first, Some(("after", n)))));
        let (back, on) = if self.oldest_first { (older, newer) } else { (newer, older) };
        back.map(|(word, to)| ("prev", word, to)).into_iter().chain(on.map(|(word, to)| ("next", word, to))).collect()
    }
    /// All sessions, in this order.
    fn clear(&self) -> &'static str {
        if self.oldest_first { "/log?order=oldest" } else { "/log" }
    }
}

/// Figures in words where there are words for them; a digest is cut, the log itself has the whole.
fn figures(page: &Page, entry: &Entry) -> Vec<(String, String)> {
    entry.about.iter().map(|(about, text)| figure(page, entry.kind, about, text)).collect()
}

/// One of them.
pub(super) fn figure(page: &Page, kind: EntryKind, about: &str, text: &str) -> (String, String) {
    (name(page.lang, about).unwrap_or_else(|| about.to_owned()), value(page.lang, kind, about, text))
}

/// What a figure is called. Those of a row of files have a number behind: `sha256_1`.
fn name(lang: Lang, about: &str) -> Option<String> {
    let (plain, number) = match about.rsplit_once('_') {
        Some((plain, number)) if number.parse::<u32>().is_ok() => (plain, Some(number)),
        _ => (about, None),
    };
    let word = |about: &str| Some(lang.of_word("about", about)).filter(|w| !w.starts_with('⟨'));
    word(about).or_else(|| Some(format!("{} {}", word(plain)?, number?)))
}

/// Where the words of a figure are, the nearest first; none: it is a number, a name or a digest, and shown as it stands.
fn prefixes(kind: EntryKind, name: &str) -> &'static [&'static str] {
    use EntryKind as K;
    match (name, kind) {
        ("kind", K::ClockDoubted) => &["doubt"],
        ("kind", K::ProvisionReceived) => &["provision-kind"],
        ("kind", K::TextRecordAdded) => &["text-record"],
        ("kind", K::Archived | K::ArchiveRelocked | K::ArchiveDamaged | K::ArchiveRepaired | K::ArchiveDisposed) => &["archive-kind"],
        ("kind", _) => &["kind", "archive-kind"],
        ("state", K::FaultStep) => &["fault-state"],
        ("state", K::MediumNotMade) => &["medium-state"],
        ("state", _) => &["case-state", "fault-state", "medium-state"],
        ("change", K::DeviceChanged) => &["device-change"],
        ("change", _) => &["medium-change"],
        ("way", _) => &["way"],
        ("layout", _) => &["layout"],
        ("mark", _) => &["mark"],
        ("mode", _) => &["mode"],
        ("alarm_kind", _) => &["alarm-kind"],
        ("fault_kind", _) => &["fault-kind"],
        ("medium_kind", _) => &["medium-kind"],
        ("cause", _) => &["cause", "interruption"],
        ("code", _) => &["refused"],
        ("why", _) => &["broken"],
        ("ground", _) => &["ground"],
        ("answer", _) => &["answer"],
        ("signature", _) => &["signature"],
        ("footage", _) => &["footage"],
        ("volume" | "subject", _) => &["volume"],
        ("tried", _) => &["tried", "act"],
        ("result", _) => &["result"],
        ("what", _) => &["what"],
        ("how", _) => &["brought"],
        ("from", _) => &["taken-from"],
        ("rule", _) => &["rule"],
        ("said", _) => &["step-state", "said"],
        ("step", _) => &["step"],
        ("demand", _) => &["missing"],
        ("roles", _) => &["role"],
        ("scopes", _) => &["act"],
        _ => &[],
    }
}

fn value(lang: Lang, kind: EntryKind, name: &str, value: &str) -> String {
    let prefixes = prefixes(kind, name);
    let word = |word: &str| prefixes.iter().map(|p| lang.of_word(p, &word.replace(' ', "-"))).find(|w| !w.starts_with('⟨'));
    match name {
        "roles" | "scopes" => {
            let words: Vec<String> = value.split(' ').map(|w| word(w).unwrap_or_else(|| w.to_owned())).collect();
            return words.join(if lang == Lang::Zh { "、" } else { ", " });
        }
        // A demand may say which one of its kind: `right-told:defence`.
        "demand" => {
            let (what, about) = value.split_once(':').unwrap_or((value, ""));
            return format!("{} {about}", word(what).unwrap_or_else(|| what.to_owned())).trim().to_owned();
        }
        "room" if value == WALL => return lang.t("every-room"),
        _ if value == "true" || value == "false" => return lang.t(if value == "true" { "yes" } else { "no" }),
        "at_ms" | "since_ms" => return value.parse::<u64>().map_or_else(|_| value.to_owned(), time::length_text),
        "bytes" => return value.parse::<u64>().map_or_else(|_| value.to_owned(), measures::size),
        "made_at" => return value.parse::<DateTime<Utc>>().map_or_else(|_| value.to_owned(), time::shanghai_text),
        _ => {}
    }
    word(value)
        .unwrap_or_else(|| if value.len() == 64 { format!("{}…", value.chars().take(16).collect::<String>()) } else { value.to_owned() })
}

/// A page of the log.
pub async fn show(visit: Visit, query: Result<Query<LogQuery>, QueryRejection>) -> Response {
    let page = visit.page("/log").await;
    // An address that was typed by hand and cannot be read shows the newest.
    let q = query.map(|Query(q)| q).unwrap_or_default();
    let session = q.session.map(|s| s.trim().to_owned()).filter(|s| !s.is_empty());
    let oldest_first = q.order.as_deref() == Some(OLDEST);
    let begins = if oldest_first { LogPlace::Oldest } else { LogPlace::Newest };
    let place = q.before.map(LogPlace::Before).or(q.after.map(LogPlace::After)).unwrap_or(begins);
    let found = async {
        let part = visit.desks().log(visit.person(), place, session.as_deref()).await?;
        Ok((part, visit.desks().standing(visit.person()).await?))
    };
    match found.await {
        Ok((LogPart { mut rows, older, newer }, standing)) => {
            if oldest_first {
                rows.reverse();
            }
            html(&LogPage { page, rows, older, newer, session: session.unwrap_or_default(), oldest_first, standing })
        }
        Err(no) => no_page(page, &no),
    }
}

/// Which day.
#[derive(Default, Deserialize)]
pub struct DayQuery {
    day: Option<NaiveDate>,
}

#[derive(Template)]
#[template(path = "anchor.html", config = "src/web/askama.toml")]
struct AnchorPage {
    page: Page,
    sheet: AnchorSheet,
    qr: Option<String>,
}

impl AnchorPage {
    fn time(&self, entry: &Entry) -> String {
        entry.at.parse::<DateTime<Utc>>().map(|at| self.page.at(at).to_string()).unwrap_or_default()
    }
    /// A fault's figures, in words where there are words for them.
    fn figures(&self, entry: &Entry) -> String {
        figures(&self.page, entry).into_iter().map(|(name, value)| format!("{name} {value}")).collect::<Vec<_>>().join("；")
    }
}

/// The anchor sheet (存证单): printed on A4, always in Chinese, as it is filed.
pub async fn anchor(visit: Visit, query: Result<Query<DayQuery>, QueryRejection>) -> Response {
    let page = visit.page("/log").await;
    let q = query.map(|Query(q)| q).unwrap_or_default();
    match visit.desks().anchor_sheet(visit.person(), q.day).await {
        Ok(sheet) => {
            let qr = qr(&sheet.head);
            html(&AnchorPage { page, sheet, qr })
        }
        Err(no) => no_page(page, &no),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::case::CaseState;
    use crate::model::clock_trust::DoubtKind;
    use crate::model::device::DeviceChangeKind;
    use crate::model::device_fault::{FaultKind, FaultState};
    use crate::model::hold::Ground;
    use crate::model::import::{FootageKind, ImportWay};
    use crate::model::medium::{ChangeKind, MediumKind, MediumState};
    use crate::model::missing::AnswerKind;
    use crate::model::people::{Act, Role};
    use crate::model::provision::ProvisionKind;
    use crate::model::record::Signature;
    use crate::model::text_record::RecordKind;

    /// The words that code writes itself: by entry and figure.
    const WRITTEN: &[(EntryKind, &str, &[&str])] = &[
        (EntryKind::CopyTaken, "what", &["package", "viewing_copy"]),
        (EntryKind::CameraAsked, "what", &["discovery"]),
        (EntryKind::ArchiveDamaged, "what", &["is altered", "is gone"]),
        (EntryKind::DamageFound, "volume", &["primary", "mirror", "log"]),
        (EntryKind::MediumChecked, "result", &["right", "damaged", "not_read"]),
        (EntryKind::VolumesReconciled, "how", &["from_mirror", "to_mirror", "differs"]),
        (EntryKind::CatalogRestored, "from", &["backup", "files"]),
        (EntryKind::LocalCopyReleased, "rule", &["release_after_days"]),
        (EntryKind::FactorRemoved, "way", &["code", "passkey", "all"]),
        (EntryKind::SignedIn, "way", &["password", "code", "passkey", "sso"]),
        (EntryKind::WalkthroughSaid, "said", &["not_wanted", "wanted", "seen"]),
        (EntryKind::WalkthroughSaid, "step", &["clock", "alarm_channel", "all"]),
        (EntryKind::ScreenLinkMade, "room", &[WALL]),
        (EntryKind::DeviceChanged, "change", &["described", "maintained", "retired", "read"]),
        (EntryKind::MediumChanged, "change", &["cancelled", "image_removed"]),
        (
            EntryKind::Refused,
            "tried",
            &[
                "session",
                "case",
                "viewing",
                "copy",
                "still",
                "package",
                "live",
                "start",
                "receive",
                "figures",
                "handover",
                "provision",
                "propose_disposal",
                "close_disposal",
                "approve_provision",
                "reject_provision",
                "withdraw_provision",
                "say_to_hold",
                "declare_routine",
                "extend_retention",
                "decide_access",
                "try_camera",
            ],
        ),
    ];

    #[test]
    fn no_word_of_the_model_is_shown_raw() {
        let all = |words: &mut dyn Iterator<Item = &'static str>| words.collect::<Vec<_>>();
        let mut known: Vec<(EntryKind, &str, Vec<&str>)> = WRITTEN.iter().map(|(k, n, w)| (*k, *n, w.to_vec())).collect();
        known.extend([
            (EntryKind::CaseChanged, "state", all(&mut CaseState::ALL.iter().map(|w| w.as_str()))),
            (EntryKind::FaultStep, "state", all(&mut FaultState::ALL.iter().map(|w| w.as_str()))),
            (EntryKind::MediumNotMade, "state", all(&mut MediumState::ALL.iter().map(|w| w.as_str()))),
            (EntryKind::FaultReported, "fault_kind", all(&mut FaultKind::ALL.iter().map(|w| w.as_str()))),
            (EntryKind::ClockDoubted, "kind", all(&mut DoubtKind::ALL.iter().map(|w| w.as_str()))),
            (EntryKind::ProvisionReceived, "kind", all(&mut ProvisionKind::ALL.iter().map(|w| w.as_str()))),
            (EntryKind::TextRecordAdded, "kind", all(&mut RecordKind::ALL.iter().map(|w| w.as_str()))),
            (EntryKind::MediumOrdered, "medium_kind", all(&mut MediumKind::ALL.iter().map(|w| w.as_str()))),
            (EntryKind::MediumChanged, "change", all(&mut ChangeKind::ALL.iter().map(|w| w.as_str()))),
            (EntryKind::DeviceChanged, "change", all(&mut DeviceChangeKind::ALL.iter().map(|w| w.as_str()))),
            (EntryKind::Held, "ground", all(&mut Ground::ALL.iter().map(|w| w.as_str()))),
            (EntryKind::DemandAnswered, "answer", all(&mut AnswerKind::ALL.iter().map(|w| w.as_str()))),
            (EntryKind::RecordSigned, "signature", all(&mut Signature::ALL.iter().map(|w| w.as_str()))),
            (EntryKind::RecordingTakenIn, "footage", all(&mut FootageKind::ALL.iter().map(|w| w.as_str()))),
            (EntryKind::RecordingTakenIn, "way", all(&mut ImportWay::ALL.iter().map(|w| w.as_str()))),
            (EntryKind::AccountMade, "roles", all(&mut Role::ALL.iter().map(|w| w.as_str()))),
            (EntryKind::Refused, "tried", all(&mut Act::ALL.iter().map(|w| w.as_str()))),
        ]);
        let mut raw = Vec::new();
        for lang in [Lang::Zh, Lang::En] {
            for (kind, about, words) in &known {
                raw.extend(words.iter().filter(|w| value(lang, *kind, about, w) == **w).map(|w| format!("{lang:?} {kind:?} {about} {w}")));
            }
        }
        assert!(raw.is_empty(), "{raw:#?}");
    }

    #[test]
    fn every_figure_that_code_writes_has_a_name_in_both_languages() {
        let mut names = std::collections::BTreeSet::new();
        let mut folders = vec![std::path::PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/src"))];
        while let Some(folder) = folders.pop() {
            for at in std::fs::read_dir(folder).unwrap().map(|e| e.unwrap().path()) {
                if at.is_dir() {
                    folders.push(at);
                } else if at.extension().is_some_and(|e| e == "rs") {
                    let text = std::fs::read_to_string(&at).unwrap();
                    let of_entry = |rest: &str| rest.split_once('"').map(|(name, _)| name.to_owned());
                    names.extend(text.split(".about(\"").skip(1).filter_map(of_entry));
                }
            }
        }
        assert!(names.len() > 50, "{names:?}");
        names.insert("sha256_1".into());
        for lang in [Lang::Zh, Lang::En] {
            let raw: Vec<&String> = names.iter().filter(|n| name(lang, n).is_none()).collect();
            assert!(raw.is_empty(), "{lang:?} {raw:?}");
        }
    }
}
