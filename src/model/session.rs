//! A session (一次录制): what is known of it, and what happened in it. The journal in its folder is the list of its
//! [`Happening`]s; `model::step` turns them into this.

use crate::model::content_key::SessionKey;
use crate::model::facts::{Facts, Link};
use crate::model::gap::{CauseFrom, Gap, GapCause};
use crate::model::handover::{CustodianReceipt, Handover};
use crate::model::hold::{Ground, Hold, HoldChange, Word};
use crate::model::ids::{AccountId, CameraId, PlanId, RoomId, SessionId, UnitId};
use crate::model::import::{Imported, UseCorrection, UsedFrom};
use crate::model::mark::{Mark, MarkKind};
use crate::model::missing::{Answer, AnswerKind};
use crate::model::people::words;
use crate::model::readiness::Noted;
use crate::model::record::{InterviewRecord, RecordChange};
use crate::model::retention::Extension;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

words!(
    /// What a room session is for (第三条: 受理、办理过程).
    SessionKind {
        /// 询问.
        Interview = "interview",
        /// 受理.
        Intake = "intake",
        /// 办理.
        Handling = "handling",
        /// 送达.
        Service = "service",
        /// 听取陈述申辩.
        HearingTheParty = "hearing_the_party",
    }
);

words!(
    /// Where a session stands. There is no cancelling: a mistaken start is ended as a mistake, sealed and kept.
    State {
        /// Announced. No session is so: what is announced is a plan (`model::plan`). The word stays for who reads the API.
        Planned = "planned",
        /// Readiness checked. No session is so: the check stands in its start. The word stays for who reads the API.
        Checked = "checked",
        /// Recording.
        Recording = "recording",
        /// Paused with a cause.
        Interrupted = "interrupted",
        /// Ended; files are being closed.
        Ended = "ended",
        /// Manifest signed.
        Sealed = "sealed",
        /// Handed to the custodian (第十四条).
        HandedOver = "handed_over",
        /// Kept.
        Kept = "kept",
        /// Given up by the rules, with a certificate.
        Disposed = "disposed",
    }
);

words!(
    /// Why people interrupted.
    InterruptionCause {
        /// 人员离开.
        Vacated = "vacated",
        /// 设备故障 (第十六条).
        Fault = "fault",
        /// 停电.
        Power = "power",
        /// 其他.
        Other = "other",
    }
);

/// A device of the session (第十七条: 执法记录设备编号).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "recorder", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "recorder", schema(as = SessionDevice))]
pub struct Device {
    /// The camera.
    pub camera: CameraId,
    /// Its number in the bureau's register.
    pub device_no: String,
    /// Its name on screen.
    pub name: String,
    /// Where its stream came from: host and port, nothing that opens it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
}

/// A closed segment file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "recorder", derive(utoipa::ToSchema))]
pub struct Segment {
    /// Whose picture.
    pub camera: CameraId,
    /// 1 for the camera's first in this session.
    pub sequence: u32,
    /// File name inside the session's folder.
    pub file: String,
    /// Wall clock of the first picture's arrival.
    pub started_at: DateTime<Utc>,
    /// Milliseconds since the session's start; negative for pre-roll.
    pub offset_ms: i64,
    /// Media length in milliseconds.
    pub duration_ms: u64,
    /// File size.
    pub bytes: u64,
    /// Whole fragments inside.
    pub fragments: u32,
    /// SHA-256 of the file, lower-case hex.
    pub sha256: String,
    /// RFC 6381 codecs.
    pub codecs: String,
    /// Picture size, e.g. `1280x720`.
    pub resolution: String,
    /// Camera's clock minus the server's at the first picture, where RTCP gave it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub camera_clock_offset_ms: Option<i64>,
    /// The file was not closed in good order (kill, power cut, failing volume) and was sealed as it lay. `bytes` and `sha256` are of the whole file;
    /// `whole_bytes` says up to where it is whole fragments.
    #[serde(default, skip_serializing_if = "is_false")]
    pub recovered: bool,
    /// See `recovered`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub whole_bytes: Option<u64>,
    /// From which byte on the file was brought over from the mirror, because the first volume had lost it; 0: all of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from_mirror: Option<u64>,
    /// SM3 of the file, lower-case hex.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sm3: Option<String>,
    /// The camera's own signatures that were seen in it (signed video), and are still in it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signed_video: Option<SignedVideo>,
}

/// How a camera signs what it sends, in SEI messages of its own (ITU-T H.264, D.1.6).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "recorder", derive(utoipa::ToSchema))]
#[serde(rename_all = "lowercase")]
pub enum SignedVideo {
    /// ONVIF Media Signing.
    Onvif,
    /// Axis signed video.
    Axis,
}

#[allow(clippy::trivially_copy_pass_by_ref)] // serde's signature
fn is_false(b: &bool) -> bool {
    !b
}

impl Segment {
    /// The stretch of the session that it covers; pre-roll lies before 0 and covers nothing.
    pub fn span_ms(&self) -> (u64, u64) {
        let from = self.offset_ms.max(0) as u64;
        let to = (self.offset_ms + self.duration_ms as i64).max(0) as u64;
        (from, to)
    }
}

/// A pause that people made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "recorder", derive(utoipa::ToSchema))]
pub struct Interruption {
    /// Milliseconds since the session's start.
    pub from_ms: u64,
    /// Open while the pause lasts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to_ms: Option<u64>,
    /// Why.
    pub cause: InterruptionCause,
    /// In the officer's words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Who.
    pub by: AccountId,
}

/// The clock as it was found, at start, end and every change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "recorder", derive(utoipa::ToSchema))]
pub struct ClockSeen {
    /// Milliseconds since the session's start.
    pub at_ms: u64,
    /// Something disciplines the clock.
    pub synchronised: bool,
    /// By how much the wall clock was stepped since it was last seen, where it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stepped_ms: Option<i64>,
}

/// The seal (封存).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "recorder", derive(utoipa::ToSchema))]
pub struct Seal {
    /// 封存码: SHA-256 of `session.json`, lower-case hex.
    pub code: String,
    /// SHA-256 of the signer's public key (SPKI DER), lower-case hex.
    pub signer: String,
    /// When it was signed.
    pub at: DateTime<Utc>,
}

/// A seal in the middle of a session (中间封存码), to be written on the record that the party signs: it vouches for everything that
/// was known and closed by then.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "recorder", derive(utoipa::ToSchema))]
pub struct InterimSeal {
    /// 1 for the first; its manifest is `interim-<number>.json` in the session's folder.
    pub number: u32,
    /// SHA-256 of that manifest, lower-case hex.
    pub code: String,
    /// Session time, ms.
    pub at_ms: u64,
    /// Wall clock.
    pub at: DateTime<Utc>,
}

/// A session, as its journal tells it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "recorder", derive(utoipa::ToSchema))]
pub struct Session {
    /// Its number.
    pub id: SessionId,
    /// Where.
    pub room: RoomId,
    /// Whose footage it is (谁制作谁保存, 第三条).
    pub unit: UnitId,
    /// What for.
    pub kind: SessionKind,
    /// Where it stands.
    pub state: State,
    /// Start, wall clock.
    pub started_at: DateTime<Utc>,
    /// By whom.
    pub started_by: AccountId,
    /// End, once it has one.
    pub ended_at: Option<DateTime<Utc>>,
    /// Length on the monotonic clock, once it has ended.
    pub length_ms: Option<u64>,
    /// Ended as a mistaken start, with the reason.
    pub mistake: Option<String>,
    /// Versions of the link, oldest first; never empty.
    pub links: Vec<Link>,
    /// Devices of the room at the start.
    pub devices: Vec<Device>,
    /// Marks, oldest first.
    pub marks: Vec<Mark>,
    /// 询问笔录, as it was typed.
    #[serde(default)]
    pub record: InterviewRecord,
    /// Answers to demands, oldest first.
    #[serde(default)]
    pub answers: Vec<Answer>,
    /// Seals in the middle, oldest first.
    #[serde(default)]
    pub interim: Vec<InterimSeal>,
    /// What it was planned as.
    #[serde(default)]
    pub plan: Option<PlanId>,
    /// The check before it (第十五条).
    #[serde(default)]
    pub readiness: Option<Noted>,
    /// Of which the minute codes on the room screen are made; told to nobody before the seal.
    #[serde(default, skip_serializing)]
    #[cfg_attr(feature = "recorder", schema(ignore))]
    pub screen_key: String,
    /// Closed files, in the order of their closing.
    pub segments: Vec<Segment>,
    /// Pauses.
    pub interruptions: Vec<Interruption>,
    /// From when on which cause kept which camera from being recorded.
    #[cfg_attr(feature = "recorder", schema(value_type = std::collections::BTreeMap<String, Vec<serde_json::Value>>))]
    pub causes: BTreeMap<CameraId, Vec<CauseFrom>>,
    /// Found at the end.
    pub gaps: Vec<Gap>,
    /// The clock as found.
    pub clock: Vec<ClockSeen>,
    /// Restarts of the recorder during the session.
    pub restarts: u32,
    /// At which session times it went on after them.
    #[serde(default)]
    pub restarted_ms: Vec<u64>,
    /// Once sealed.
    pub seal: Option<Seal>,
    /// Version of the rules in force at the start (第二十四条).
    pub rules: String,
    /// Holds that people said something to (第十九条); those that come by themselves are derived (`model::hold`).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub holds: Vec<Hold>,
    /// A custodian's word that it is 日常执法 (第十八条).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub declared_routine: Option<Word>,
    /// It is kept longer than the rules ask.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub extension: Option<Extension>,
    /// It was not recorded here but taken in (第十四条): from where, and how.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub imported: Option<Imported>,
    /// Corrections of the device's number and of the time of use, oldest first; what was sealed stays.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub corrections: Vec<UseCorrection>,
    /// The newest handover to a custodian (第十四条).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub handover: Option<Handover>,
    /// The custodian's receipt for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub receipt: Option<CustodianReceipt>,
    /// The keys that its footage is encrypted by, one for each start of the recorder; none where it lies in the clear.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub keys: Vec<SessionKey>,
}

impl Session {
    /// 使用时间: when it was recorded, as it was last corrected.
    pub fn used_at(&self) -> DateTime<Utc> {
        self.corrections.iter().rev().find_map(|c| c.used_at).unwrap_or(self.started_at)
    }

    /// 执法记录设备编号, as they were last corrected. What was taken in without one has none.
    pub fn device_numbers(&self) -> Vec<&str> {
        let corrected = self.corrections.iter().rev().find_map(|c| c.device_no.as_deref());
        let sealed = || self.devices.iter().map(|d| d.device_no.as_str()).filter(|no| !no.is_empty()).collect();
        corrected.map_or_else(sealed, |no| vec![no])
    }

    /// Whether nobody and nothing trustworthy says when something was recorded that was taken in.
    pub fn is_undated(&self) -> bool {
        let guessed = |i: &Imported| i.used_from == UsedFrom::Arrival;
        self.imported.as_ref().is_some_and(guessed) && self.corrections.iter().all(|c| c.used_at.is_none())
    }

    /// The facts in force: those of the newest link.
    pub fn facts(&self) -> &Facts {
        static NONE: Facts = Facts::NONE;
        self.links.last().map_or(&NONE, |l| &l.facts)
    }

    /// Every case number that any link of it names, each once, in the order in which they came.
    pub fn case_numbers(&self) -> Vec<&str> {
        let mut seen = std::collections::BTreeSet::new();
        self.links.iter().filter_map(|l| l.facts.case_no.as_deref()).filter(|number| seen.insert(*number)).collect()
    }

    /// The session time at which it went on after a pause or a restart, as long as nobody has said on the recording why it was
    /// interrupted (第十六条); `None` if that was said, or never needed.
    pub fn unexplained_break_ms(&self) -> Option<u64> {
        let resumed = self.interruptions.iter().filter_map(|i| i.to_ms);
        let restarted = self.restarted_ms.iter().copied();
        let last = resumed.chain(restarted).max().filter(|_| self.state != State::Interrupted)?;
        // A pause that lasted to the end was not resumed.
        let went_on = self.length_ms != Some(last);
        let explained = self.marks.iter().any(|m| m.kind == MarkKind::Explanation && m.at_ms >= last);
        (went_on && !explained).then_some(last)
    }

    /// The session time at which it stopped being recorded: where the pause began, or the end; `None` while it is recorded.
    pub fn stopped_ms(&self) -> Option<u64> {
        match self.state {
            State::Interrupted => self.interruptions.last().map(|i| i.from_ms),
            _ => self.length_ms,
        }
    }

    /// The session time of the last thing that is known to have been recorded or done in it.
    pub fn last_known_ms(&self) -> u64 {
        let recorded = self.segments.iter().map(|s| s.span_ms().1);
        let marked = self.marks.iter().map(|m| m.at_ms);
        let paused = self.interruptions.iter().map(|i| i.to_ms.unwrap_or(i.from_ms));
        recorded.chain(marked).chain(paused).max().unwrap_or(0)
    }

    /// The same, listed narrowly (第四条): its case is, whatever was known of that when the session began.
    #[must_use]
    pub fn narrowed(mut self) -> Self {
        if let Some(link) = self.links.last_mut() {
            link.facts.restricted = true;
        }
        self
    }

    /// Whether a running recorder owns it.
    pub fn is_open(&self) -> bool {
        matches!(self.state, State::Recording | State::Interrupted | State::Ended)
    }
}

/// What happened: one line of the journal each.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "happening")]
pub enum Happening {
    /// The first line of every journal.
    Started(Box<Start>),
    /// A mark was set.
    Marked(Mark),
    /// The interview record was written on.
    Recorded {
        /// What.
        change: RecordChange,
        /// Who.
        by: AccountId,
    },
    /// A demand was answered.
    Answered {
        /// Which: `model::missing::Missing::demand`.
        demand: String,
        /// How.
        kind: AnswerKind,
        /// In words.
        reason: Option<String>,
        /// Who.
        by: AccountId,
    },
    /// Sealed in the middle.
    InterimSealed(InterimSeal),
    /// People paused.
    Interrupted {
        /// Why.
        cause: InterruptionCause,
        /// In words.
        reason: Option<String>,
        /// Who.
        by: AccountId,
    },
    /// People went on.
    Resumed {
        /// Who.
        by: AccountId,
    },
    /// A file was begun.
    SegmentOpened {
        /// Whose picture.
        camera: CameraId,
        /// Its number.
        sequence: u32,
        /// Its name.
        file: String,
        /// Where on the session's time line, ms.
        offset_ms: i64,
        /// Wall clock of its first picture.
        started_at: DateTime<Utc>,
    },
    /// A file was closed and digested.
    SegmentClosed(Segment),
    /// A camera's recording stopped, for this cause.
    Lost {
        /// Whose.
        camera: CameraId,
        /// Since when, ms on the session's time line.
        since_ms: u64,
        /// Why.
        cause: GapCause,
        /// In words.
        detail: Option<String>,
    },
    /// The recorder came back after a kill, a crash or a reboot.
    Restarted {
        /// `restart` or `power`.
        cause: GapCause,
        /// Last moment known to be recorded, ms on the session's time line.
        since_ms: u64,
    },
    /// The clock, as found.
    Clock(ClockSeen),
    /// The two volumes differed, and what was done.
    Reconciled {
        /// Which file.
        file: String,
        /// What was done.
        how: Reconciled,
    },
    /// The session ended.
    Ended {
        /// Who; none: the machine.
        by: Option<AccountId>,
        /// A mistaken start, with its reason.
        mistake: Option<String>,
    },
    /// The manifest was signed.
    Sealed(Seal),
    /// Linked anew.
    Linked {
        /// Who.
        by: AccountId,
        /// Why.
        reason: String,
        /// What to.
        facts: Facts,
    },
    /// Something was said to a hold (第十九条).
    Hold {
        /// Its ground.
        ground: Ground,
        /// Which of its ground.
        about: String,
        /// What was said.
        change: HoldChange,
        /// By whom.
        by: AccountId,
    },
    /// A custodian says that it is 日常执法 (第十八条).
    DeclaredRoutine {
        /// Who.
        by: AccountId,
        /// What it was.
        reason: String,
    },
    /// An appraisal keeps it longer (第十八条).
    Extended {
        /// Who.
        by: AccountId,
        /// Until when and why.
        extension: Extension,
    },
    /// The device's number or the time of use of something that was taken in is another.
    Corrected {
        /// 执法记录设备编号.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        device_no: Option<String>,
        /// 使用时间.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        used_at: Option<DateTime<Utc>>,
        /// Why.
        reason: String,
        /// Who.
        by: AccountId,
    },
    /// Handed to a custodian (第十四条).
    HandedOver(Handover),
    /// The custodian read every file again, and gave the receipt.
    Received(CustodianReceipt),
    /// A key was made, and footage is encrypted by it; its file is durable.
    KeyMade(SessionKey),
}

/// What was done about a file that was not the same on both volumes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "done")]
pub enum Reconciled {
    /// The mirror had more of it; the rest was brought over.
    FromMirror {
        /// From which byte on; 0: all of it.
        from_byte: u64,
    },
    /// The mirror had less of it; the rest was brought there.
    ToMirror {
        /// From which byte on; 0: all of it.
        from_byte: u64,
    },
    /// Neither is the beginning of the other. Both stay as they are; the first volume's is the one that is sealed.
    Differs {
        /// The first byte that is not the same.
        at_byte: u64,
    },
}

/// How a session starts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Start {
    /// Its number.
    pub id: SessionId,
    /// Where.
    pub room: RoomId,
    /// Whose.
    pub unit: UnitId,
    /// What for.
    pub kind: SessionKind,
    /// Who pressed the button.
    pub by: AccountId,
    /// What is known.
    pub facts: Facts,
    /// The room's devices.
    pub devices: Vec<Device>,
    /// What it was planned as.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plan: Option<PlanId>,
    /// The check before it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub readiness: Option<Noted>,
    /// Of which the minute codes are made.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub screen_key: String,
    /// Version of the rules.
    pub rules: String,
    /// It is taken in, not recorded here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub imported: Option<Imported>,
}

/// When a happening happened: wall clock, and milliseconds since the session's start on the monotonic clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stamp {
    /// Wall clock.
    pub at: DateTime<Utc>,
    /// Session time.
    pub at_ms: u64,
}
