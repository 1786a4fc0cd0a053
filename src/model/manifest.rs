//! The manifest: what a seal signs. `session.json` in the session's folder is its RFC 8785 form, byte for byte.

use crate::model::content_key::SessionKey;
use crate::model::facts::Link;
use crate::model::gap::Gap;
use crate::model::ids::{AccountId, PlanId, RoomId, SessionId, UnitId};
use crate::model::import::Imported;
use crate::model::mark::Mark;
use crate::model::missing::Answer;
use crate::model::readiness::Noted;
use crate::model::record::InterviewRecord;
use crate::model::session::{ClockSeen, Device, InterimSeal, Interruption, Segment, Session, SessionKind, State};
use crate::model::step;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

/// Its name in the session's folder.
pub const FILE: &str = "session.json";

/// The form of manifest that this version writes.
pub const FORMAT: &str = "shilu-session/1";

/// The form of what an interim seal vouches for: the same, of a session that still runs; files that are still being written are
/// not in it.
pub const INTERIM_FORMAT: &str = "shilu-session/1-interim";

/// Everything that the seal vouches for. People stand here by account; names of officers and party as they were entered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// [`FORMAT`].
    pub format: String,
    /// The session's number.
    pub session: SessionId,
    /// Where.
    pub room: RoomId,
    /// Whose.
    pub unit: UnitId,
    /// What for.
    pub kind: SessionKind,
    /// Start, UTC.
    pub started_at: DateTime<Utc>,
    /// Who started.
    pub started_by: AccountId,
    /// End, UTC.
    pub ended_at: Option<DateTime<Utc>>,
    /// Length on the monotonic clock, ms.
    pub length_ms: u64,
    /// Ended as a mistaken start.
    pub mistake: Option<String>,
    /// Links up to the seal.
    pub links: Vec<Link>,
    /// Devices.
    pub devices: Vec<Device>,
    /// Files with their digests, by camera and sequence.
    pub segments: Vec<Segment>,
    /// Gaps with their causes.
    pub gaps: Vec<Gap>,
    /// Pauses.
    pub interruptions: Vec<Interruption>,
    /// Marks.
    pub marks: Vec<Mark>,
    /// 询问笔录, as it was typed.
    #[serde(default, skip_serializing_if = "InterviewRecord::is_empty")]
    pub record: InterviewRecord,
    /// Answers to demands up to the seal.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub answers: Vec<Answer>,
    /// Seals in the middle.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub interim: Vec<InterimSeal>,
    /// What it was planned as.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plan: Option<PlanId>,
    /// The check before it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub readiness: Option<Noted>,
    /// Of which the minute codes on the room screen were made (`model::minute_code`); not in an interim manifest.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub screen_key: String,
    /// Clock states.
    pub clock: Vec<ClockSeen>,
    /// Restarts during the session.
    pub restarts: u32,
    /// Version of the rules in force.
    pub rules: String,
    /// SHA-256 of the signer's public key (SPKI DER).
    pub signer: String,
    /// When the manifest was made.
    pub sealed_at: DateTime<Utc>,
    /// It was taken in, not recorded here: one segment, the file as it arrived.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub imported: Option<Imported>,
    /// The keys that files of it are encrypted by, each with the digest of the file that holds it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub keys: Vec<SessionKey>,
}

/// The manifest of a session as it stands; of one that has not ended, the interim one.
pub fn of(session: &Session, signer: &str, now: DateTime<Utc>) -> Manifest {
    let runs = matches!(session.state, State::Recording | State::Interrupted);
    let mut segments = session.segments.clone();
    segments.sort_by(|a, b| (&a.camera, a.sequence).cmp(&(&b.camera, b.sequence)));
    Manifest {
        format: if runs { INTERIM_FORMAT } else { FORMAT }.into(),
        session: session.id.clone(),
        room: session.room.clone(),
        unit: session.unit.clone(),
        kind: session.kind,
        started_at: session.started_at,
        started_by: session.started_by.clone(),
        ended_at: session.ended_at,
        length_ms: session.length_ms.unwrap_or(0),
        mistake: session.mistake.clone(),
        links: session.links.clone(),
        devices: session.devices.clone(),
        segments,
        gaps: step::gaps(session),
        interruptions: session.interruptions.clone(),
        marks: session.marks.clone(),
        record: session.record.clone(),
        answers: session.answers.clone(),
        interim: session.interim.clone(),
        plan: session.plan.clone(),
        readiness: session.readiness.clone(),
        screen_key: if runs { String::new() } else { session.screen_key.clone() },
        clock: session.clock.clone(),
        restarts: session.restarts,
        rules: session.rules.clone(),
        signer: signer.into(),
        sealed_at: now,
        imported: session.imported.clone(),
        keys: session.keys.clone(),
    }
}
