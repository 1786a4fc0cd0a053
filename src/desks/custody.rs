//! What the office and the legal unit print, keep and hand out of the custody log: its head, an entry's proof, the day's anchor sheet
//! (存证单), and how proof stands.

use crate::catalog::{entries, sessions, timestamps};
use crate::custody::note::{Checkpoint, VerifierKey, hash_text};
use crate::custody::tiles::Tiles;
use crate::desks::{Answer, Desks, No, blocking};
use crate::machine::durable;
use crate::machine::fault::Fault;
use crate::model::digest;
use crate::model::entry::{Entry, EntryKind};
use crate::model::ids::SessionId;
use crate::model::people::{Act, Person};
use crate::model::session::Session;
use crate::model::time;
use chrono::{DateTime, Days, NaiveDate, Utc};
use serde::Serialize;

/// What is a fault of the day on an anchor sheet.
const FAULTS: &[EntryKind] = &[
    EntryKind::LogOpened,
    EntryKind::RecorderStarted,
    EntryKind::SessionRecovered,
    EntryKind::CameraLost,
    EntryKind::VolumeFailed,
    EntryKind::VolumesReconciled,
    EntryKind::ClockStepped,
    EntryKind::RoomInUse,
    EntryKind::DamageFound,
    EntryKind::DamageRepaired,
];
/// Lines of faults on one sheet.
const FAULTS_MAX: u32 = 200;

/// A session on an anchor sheet.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct AnchoredSession {
    /// Its number.
    pub id: SessionId,
    /// Its start.
    pub started_at: DateTime<Utc>,
    /// Its length, ms; none while it is open.
    pub length_ms: Option<u64>,
    /// Gaps.
    pub gaps: usize,
    /// Its seal code; none until it is sealed.
    pub seal_code: Option<String>,
}

/// An anchor sheet: what is printed, signed by hand and filed, so that nobody can cut the log's end or tell another history later.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct AnchorSheet {
    /// The day, in Asia/Shanghai.
    pub day: NaiveDate,
    /// When it was made.
    pub at: DateTime<Utc>,
    /// Which log.
    pub origin: String,
    /// How many entries.
    pub size: u64,
    /// Their root, base64.
    pub root: String,
    /// The head's text, as the QR holds it.
    pub head: String,
    /// The log's key, as C2SP writes it.
    pub log_key: String,
    /// The signing key's fingerprint.
    pub signer: String,
    /// Outside cosigners of the newest cosigned head.
    pub cosigners: Vec<String>,
    /// The day's sessions.
    pub sessions: Vec<AnchoredSession>,
    /// The day's faults, oldest first.
    pub faults: Vec<Entry>,
}

/// How proof stands, for the log's page.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
#[schema(as = LogStanding)]
pub struct Standing {
    /// Which log.
    pub origin: String,
    /// Entries.
    pub size: u64,
    /// Entries under the signed head.
    pub signed: u64,
    /// Entries that each cosigner has confirmed.
    pub cosigned: Vec<(String, u64)>,
    /// Files that wait for a timestamp.
    pub waiting: u64,
    /// Since when the oldest does.
    pub waiting_since: Option<DateTime<Utc>>,
    /// Whether timestamps are configured.
    pub stamps: bool,
    /// When every file was last read once more.
    pub scrubbed: Option<DateTime<Utc>>,
    /// Files that were not what was sealed, since the start.
    pub damaged: usize,
    /// Of them, those that were brought back.
    pub repaired: usize,
}

impl Desks {
    /// The log's newest head, signed; with cosigners' lines where they are there.
    pub async fn log_head(&self, who: &Person) -> Answer<String> {
        self.need(who, Act::ReadLog)?;
        let note = self.acts.sign_head().await?;
        let folder = self.log_folder();
        let cosigned = blocking("the log's head", move || Tiles::of(&folder).head(true)).await?;
        Ok(cosigned.ok().filter(|(c, _)| c.text == note.text).map_or_else(|| note.to_text(), |(c, _)| c.to_text()))
    }

    /// An entry as it stands in the log, and its proof (C2SP tlog-proof).
    pub async fn log_proof(&self, who: &Person, index: u64) -> Answer<(Vec<u8>, String)> {
        self.need(who, Act::ReadLog)?;
        let size = self.acts.log().state().size;
        if index >= size {
            return Err(crate::model::refusal::Refusal::no_such("entry", &index.to_string()).into());
        }
        self.acts.sign_head().await?;
        let folder = self.log_folder();
        let (entry, proof) = blocking("an entry's proof", move || Tiles::of(&folder).proof(index)).await??;
        Ok((entry, proof.to_text()))
    }

    /// The anchor sheet of a day, made now.
    pub async fn anchor_sheet(&self, who: &Person, day: Option<NaiveDate>) -> Answer<AnchorSheet> {
        self.need(who, Act::ReadLog)?;
        let now = self.now().utc;
        let day = day.unwrap_or_else(|| time::shanghai_day(now));
        let note = self.acts.sign_head().await?;
        let head = Checkpoint::parse(&note.text).map_err(|e| No::Fault(e.to_string()))?;
        let (from, until) = (time::shanghai_midnight(day), time::shanghai_midnight(day + Days::new(1)));
        let faults = self.read(move |c| entries::between(c, from, until, FAULTS, FAULTS_MAX)).await?;
        let found = self.read(move |c| sessions::between(c, from.timestamp_millis(), until.timestamp_millis())).await?;
        let keys = self.settings.data.join("keys/log.pub.pem");
        let (origin, folder) = (head.origin.clone(), self.log_folder());
        let (log_key, cosigners) = blocking("the log's key", move || -> Result<_, Fault> {
            let pem = durable::read_whole(&keys, 4096)?;
            let key = crate::custody::keys::PublicKey::from_pem(&String::from_utf8_lossy(&pem), "log.pub.pem")
                .map_err(|e| Fault::of("read", "the log's key", e.to_string()))?;
            let cosigned = Tiles::of(&folder).head(true).ok();
            let names = cosigned.map(|(note, _)| note.lines.into_iter().map(|l| l.name).filter(|name| *name != origin).collect());
            Ok((VerifierKey::of_log(&origin, key).to_text(), names.unwrap_or_default()))
        })
        .await??;
        let anchored = |s: &Session| AnchoredSession {
            id: s.id.clone(),
            started_at: s.started_at,
            length_ms: s.length_ms,
            gaps: s.gaps.len(),
            seal_code: s.seal.as_ref().map(|seal| digest::short(&seal.code)),
        };
        Ok(AnchorSheet {
            day,
            at: now,
            origin: head.origin.clone(),
            size: head.size,
            root: hash_text(&head.root),
            head: note.text.clone(),
            log_key,
            signer: self.recorder.shared().signer.public().fingerprint(),
            cosigners,
            sessions: found.iter().map(anchored).collect(),
            faults,
        })
    }

    /// How proof stands.
    pub async fn standing(&self, who: &Person) -> Answer<Standing> {
        self.need(who, Act::ReadLog)?;
        let (log, outside) = (self.acts.log().state(), self.outside());
        let (scrub, pass) = (self.recorder.shared().scrub.damage(), self.recorder.shared().scrub.pass());
        let signed = log.head.as_ref().and_then(|note| Checkpoint::parse(&note.text).ok()).map_or(0, |head| head.size);
        let stamps = self.settings.outside.authority.is_some();
        let (waiting, since) = if stamps { self.read(timestamps::waiting).await? } else { (0, None) };
        Ok(Standing {
            origin: log.origin.map(|o| o.to_string()).unwrap_or_default(),
            size: log.size,
            signed,
            cosigned: outside.cosigned.into_iter().collect(),
            waiting,
            waiting_since: since.and_then(DateTime::from_timestamp_millis),
            stamps,
            scrubbed: pass.completed,
            damaged: scrub.len(),
            repaired: scrub.iter().filter(|d| d.repaired).count(),
        })
    }
}
