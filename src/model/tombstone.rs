//! What stays of a session that was given up (处置, 第十八条): what it was, its digests, why it could go and who decided; no name of anyone
//! in it, no word that was said.

use crate::model::facts::{Facts, Link};
use crate::model::handover::CameIn;
use crate::model::ids::{AccountId, DisposalId, RoomId, SessionId, UnitId};
use crate::model::record::InterviewRecord;
use crate::model::retention::Reason;
use crate::model::session::{Device, Seal, Session, SessionKind, State};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The form of what stays in the place of a session.
pub const TOMBSTONE_FORMAT: &str = "shilu-disposed/1";

/// A file that is given up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "recorder", derive(utoipa::ToSchema))]
pub struct DisposedFile {
    /// Its name in the session's folder.
    pub file: String,
    /// Size.
    pub bytes: u64,
    /// SHA-256, as it was sealed.
    pub sha256: String,
}

/// Why a session's period was over, without what people wrote.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "recorder", derive(utoipa::ToSchema))]
pub struct Ended {
    /// The reason.
    pub reason: Reason,
    /// Until when it kept.
    pub until: Option<DateTime<Utc>>,
}

/// What stays of a session. Written in its place, signed, on every volume; and on the certificate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "recorder", derive(utoipa::ToSchema))]
pub struct Tombstone {
    /// [`TOMBSTONE_FORMAT`].
    pub format: String,
    /// Its number.
    pub session: SessionId,
    /// Where.
    pub room: RoomId,
    /// Whose.
    pub unit: UnitId,
    /// What for.
    pub kind: SessionKind,
    /// Start.
    pub started_at: DateTime<Utc>,
    /// End.
    pub ended_at: Option<DateTime<Utc>>,
    /// Length, ms.
    pub length_ms: u64,
    /// Devices.
    pub devices: Vec<Device>,
    /// Every case number that it was linked to.
    pub case_nos: Vec<String>,
    /// SHA-256 of its manifest: its seal code.
    pub seal_code: String,
    /// SHA-256 of the signer's public key.
    pub signer: String,
    /// When it was sealed.
    pub sealed_at: DateTime<Utc>,
    /// Its recordings.
    pub files: Vec<DisposedFile>,
    /// How it came to its custodian (第十四条): the handover's list goes on naming it. Absent in papers of an earlier version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub came_in: Option<CameIn>,
    /// Why it could go.
    pub why: Vec<Ended>,
    /// By which disposal.
    pub disposal: DisposalId,
    /// Who proposed.
    pub proposed_by: AccountId,
    /// Who agreed.
    pub approved_by: AccountId,
    /// When it was given up.
    pub disposed_at: DateTime<Utc>,
}

impl Tombstone {
    /// The session as lists still know it: no name of anyone, no word that was said.
    pub fn session(&self) -> Session {
        let link = |(n, no): (usize, Option<&String>)| Link {
            version: n as u32 + 1,
            at: self.started_at,
            by: self.proposed_by.clone(),
            reason: None,
            facts: Facts { case_no: no.cloned(), ..Facts::NONE },
        };
        let numbers: Vec<Option<&String>> = if self.case_nos.is_empty() { vec![None] } else { self.case_nos.iter().map(Some).collect() };
        Session {
            id: self.session.clone(),
            room: self.room.clone(),
            unit: self.unit.clone(),
            kind: self.kind,
            state: State::Disposed,
            started_at: self.started_at,
            started_by: self.proposed_by.clone(),
            ended_at: self.ended_at,
            length_ms: Some(self.length_ms),
            mistake: None,
            links: numbers.into_iter().enumerate().map(link).collect(),
            devices: self.devices.clone(),
            marks: vec![],
            record: InterviewRecord::default(),
            answers: vec![],
            interim: vec![],
            plan: None,
            readiness: None,
            screen_key: String::new(),
            segments: vec![],
            interruptions: vec![],
            causes: BTreeMap::new(),
            gaps: vec![],
            clock: vec![],
            restarts: 0,
            restarted_ms: vec![],
            seal: Some(Seal { code: self.seal_code.clone(), signer: self.signer.clone(), at: self.sealed_at }),
            rules: String::new(),
            holds: vec![],
            declared_routine: None,
            extension: None,
            imported: None,
            corrections: vec![],
            handover: self.came_in.as_ref().map(|c| c.handed_over(self.files.iter().map(|f| (&f.file, &f.sha256)))),
            receipt: self.came_in.as_ref().map(CameIn::receipt),
            keys: vec![],
        }
    }
}
