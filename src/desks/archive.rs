//! The archive (归档存储) as people see it: how it stands, what was found, what lies there alone. The work itself is done by
//! `archiving`, on a thread of its own; nothing here waits for the bucket but a viewing of what lies there alone.

use crate::catalog::archive::{self, Figures, Item};
use crate::catalog::{Reading, retention, sessions};
use crate::desks::archiving::Archivist;
use crate::desks::retrieval::{restore, send_parts};
use crate::desks::streams::Live;
use crate::desks::viewing::Footage;
use crate::desks::{Answer, Desks, No, blocking};
use crate::footage::archive::{Store, StoreFault, StoreSettings};
use crate::footage::envelope::{Identities, Recipients};
use crate::footage::tree;
use crate::machine::{durable, fault::Fault};
use crate::model::archive::{Keep, SignedStatus, SiteStatus};
use crate::model::completeness::Tally;
use crate::model::digest;
use crate::model::disposal::ArchiveCopy;
use crate::model::entry::{Draft, EntryKind};
use crate::model::hold;
use crate::model::ids::SessionId;
use crate::model::people::{Act, Person};
use crate::model::session::{Segment, Session};
use crate::model::time;
use bytes::Bytes;
use chrono::{DateTime, Datelike, NaiveTime, Utc};
use serde::Serialize;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::mpsc;

/// Lines of the queue that are shown.
const QUEUE_ROWS: u32 = 500;

/// What the configuration says of it.
#[derive(Debug, Clone)]
pub struct ArchiveSettings {
    /// The site's name in the bucket.
    pub site: String,
    /// The bucket.
    pub store: StoreSettings,
    /// When it may put and read, Shanghai; none: always.
    pub window: Option<(NaiveTime, NaiveTime)>,
    /// Everything there is read again within so many days.
    pub verify_days: u32,
    /// To whom it is encrypted; empty: not at all.
    pub encrypt_to: Vec<String>,
    /// What opens it here: for viewings of what lies there alone.
    pub identity_file: Option<PathBuf>,
    /// The copy here may go after so many days in the archive; none: never.
    pub release_after_days: Option<u32>,
    /// The mirror's copy goes with it; else it stays.
    pub release_mirror: bool,
    /// Minutes between two status objects.
    pub status_min: u32,
    /// Days added to the six calendar months.
    pub margin_days: u32,
}

/// What the thread is doing, for the page.
#[derive(Debug, Clone, Default, Serialize, utoipa::ToSchema)]
pub struct Doing {
    /// What is put or read now.
    pub what: Option<String>,
    /// Why nothing goes on.
    pub problem: Option<String>,
    /// It waits for its hours.
    pub outside_window: bool,
    /// Objects that were found damaged since the start.
    pub damaged: u64,
}

/// How the archive stands.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct ArchiveView {
    /// It is configured.
    pub configured: bool,
    /// Where: endpoint and bucket.
    pub place: String,
    /// The site's name there.
    pub site: String,
    /// It is encrypted before it leaves.
    pub encrypted: bool,
    /// What the thread is doing.
    pub doing: Doing,
    /// Items that wait.
    pub waiting: u64,
    /// Since when the oldest does.
    #[schema(value_type = Option<String>)]
    pub waiting_since: Option<DateTime<Utc>>,
    /// Sessions there.
    pub sessions: u64,
    /// Sessions whose footage lies there alone.
    pub released: u64,
    /// Given up, waiting for the end of their locks.
    pub disposing: u64,
    /// Objects.
    pub objects: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Everything was read again since.
    #[schema(value_type = Option<String>)]
    pub verified_since: Option<DateTime<Utc>>,
    /// What waits, longest first.
    pub queue: Vec<Queued>,
}

/// A line of the queue.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct Queued {
    /// `session`, `case`, `provision`, `log`, `keys`.
    pub kind: String,
    /// Which.
    pub id: String,
    /// Since when.
    #[schema(value_type = String)]
    pub since: DateTime<Utc>,
    /// Why not yet.
    pub problem: Option<String>,
}

/// The desk's part of the archive.
#[derive(Default)]
pub(crate) struct Archive {
    pub(super) doing: Arc<Mutex<Doing>>,
    open: Option<(Arc<Store>, Option<Arc<Identities>>)>,
    problem: Option<String>,
}

impl Archive {
    /// Nothing is asked of the bucket yet.
    pub(crate) fn open(settings: Option<&ArchiveSettings>, clock: Arc<dyn crate::machine::clock::Clock>) -> Self {
        let Some(settings) = settings else { return Self::default() };
        let store = Arc::new(Store::new(settings.store.clone(), clock));
        match settings.identity_file.as_deref().map(Identities::read).transpose() {
            Ok(opens) => Self { open: Some((store, opens.map(Arc::new))), ..Self::default() },
            Err(problem) => Self { problem: Some(problem.to_string()), ..Self::default() },
        }
    }

    pub(super) fn doing(&self) -> Doing {
        self.doing.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// What is wrong, for the status page.
    pub(super) fn trouble(&self) -> Option<String> {
        self.problem.clone().or_else(|| self.doing().problem)
    }
}

/// How long a session has to be kept, as the rules say now.
pub(super) fn keep_of(c: &Reading, session: &Session) -> Result<Keep, Fault> {
    let around = retention::around(c, session)?;
    Ok(Keep { until: around.retention(session).earliest, held: hold::in_effect(&around.holds(session)) })
}

fn at(ms: i64) -> DateTime<Utc> {
    DateTime::from_timestamp_millis(ms).unwrap_or_default()
}

impl Desks {
    /// Starts the thread that archives, where an archive is configured.
    pub fn begin_archiving(self: &Arc<Self>) {
        let (Some(settings), Some((store, opens))) = (self.settings.archive.clone(), self.archive.open.clone()) else { return };
        let Ok(to) = Recipients::parse(&settings.encrypt_to) else { return };
        let weak = Arc::downgrade(self);
        let runtime = tokio::runtime::Handle::current();
        let on = runtime.clone();
        let gone = move |session: &SessionId, objects: u64| {
            let desks = weak.upgrade().ok_or_else(|| No::Fault("the desks are closed".into()))?;
            on.block_on(desks.gone_from_archive(session, objects))
        };
        let archivist = Archivist {
            store,
            to,
            opens,
            acts: self.acts.clone(),
            clock: self.clock.clone(),
            data: self.settings.data.clone(),
            mirror: self.recorder.shared().mirror().map(|m| m.place().root().to_owned()),
            runtime,
            doing: self.archive.doing.clone(),
            gone: Box::new(gone),
            settings,
        };
        let desks = Arc::downgrade(self);
        let run = move || archivist.run(&|due| desks.upgrade().map(|d| due.then(|| d.signed_status())));
        if let Err(error) = std::thread::Builder::new().name("archive".into()).spawn(run) {
            tracing::error!(%error, "nothing is archived");
        }
    }

    /// How it stands.
    pub async fn archive_view(&self, who: &Person) -> Answer<ArchiveView> {
        self.need(who, Act::SeeArchive)?;
        let (figures, queue) = self.read(|c| Ok((archive::figures(c)?, archive::waiting(c, QUEUE_ROWS, true)?))).await?;
        let (settings, mut doing) = (self.settings.archive.as_ref(), self.archive.doing());
        doing.problem = self.archive.trouble();
        let Figures { waiting, waiting_since, sessions, released, disposing, objects, bytes, verified_since } = figures;
        let queued = |i: Item| Queued { kind: i.kind, id: i.id, since: at(i.since.unwrap_or_default()), problem: i.problem };
        Ok(ArchiveView {
            configured: settings.is_some(),
            place: settings.map(|s| format!("{} {}", s.store.endpoint, s.store.bucket)).unwrap_or_default(),
            site: settings.map(|s| s.site.clone()).unwrap_or_default(),
            encrypted: settings.is_some_and(|s| !s.encrypt_to.is_empty()),
            doing,
            waiting,
            waiting_since: waiting_since.map(at),
            sessions,
            released,
            disposing,
            objects,
            bytes,
            verified_since: verified_since.map(at),
            queue: queue.into_iter().map(queued).collect(),
        })
    }

    /// Has everything in the archive read again, now.
    pub async fn verify_archive(&self, who: &Person) -> Answer<()> {
        self.need(who, Act::SeeArchive)?;
        Ok(self.acts.keep(|t| archive::verify_all(t)).await?)
    }

    /// Marks a session's objects to be deleted, every version of them, when their locks end; where its copy there stands, if one is known.
    /// For disposal: whoever calls it has decided, and logged why.
    pub(super) async fn archive_dispose(&self, session: &SessionId) -> Answer<Option<ArchiveCopy>> {
        let (id, at) = (session.to_string(), self.now_ms());
        let wanted = id.clone();
        let locked = self.read(move |c| archive::locked_until(c, "session", &wanted)).await?;
        if locked.is_none() && self.settings.archive.is_none() {
            // It never was in any archive.
            self.acts.keep(move |t| archive::forget_item(t, "session", &id)).await?;
            return Ok(None);
        }
        let until = locked.and_then(DateTime::from_timestamp_millis);
        let draft = Draft::new(EntryKind::ArchiveDisposalDue).in_session(session);
        let draft = if let Some(until) = until { draft.about("until", until.to_rfc3339()) } else { draft };
        // Where no lock is known (the catalog was made anew) the bucket is asked at once.
        self.acts.log_then_do(draft, move |t| archive::dispose(t, &id, at, locked.unwrap_or_default())).await?;
        Ok(until.map(|until| ArchiveCopy::Locked { until }))
    }

    /// A segment that lies in the archive, if it does: whoever calls it has the grant, and the entry is durable.
    pub(super) async fn send_archived(
        &self,
        session: &SessionId,
        segment: &Segment,
        (from, to): (u64, u64),
        live: Live,
    ) -> Answer<Option<Footage>> {
        let Some((store, opens)) = self.archive.open.clone() else { return Ok(None) };
        let (id, name, sha256) = (session.to_string(), segment.file.clone(), segment.sha256.clone());
        let mut parts = self.read(move |c| archive::of_item(c, "session", &id)).await?;
        parts.retain(|o| o.name == name && o.file_sha256 == sha256);
        if parts.is_empty() {
            return Ok(None);
        }
        let (tx, pieces) = mpsc::channel(2);
        let under = live.clone();
        tokio::task::spawn_blocking(move || {
            let give = |piece: Result<Bytes, String>| {
                let failed = piece.is_err();
                let piece =
                    if under.is() { piece.map_err(std::io::Error::other) } else { Err(std::io::Error::other("the approval has ended")) };
                tx.blocking_send(piece).is_ok() && !failed && under.is()
            };
            send_parts(&store, opens.as_deref(), &parts, from, to, give);
        });
        Ok(Some(Footage { bytes: to - from, sha256: None, name: segment.file.clone(), pieces, live }))
    }

    /// Brings the footage of a session back that lies in the archive alone: for work that needs files.
    pub(super) async fn bring_back(&self, session: &Session, folder: &Path) -> Answer<()> {
        let (marker, id) = (folder.join(tree::RELEASED), session.id.to_string());
        let looked = marker.clone();
        if !blocking("looking for a session", move || durable::exists(&looked)).await? {
            return Ok(());
        }
        let Some((store, opens)) = self.archive.open.clone() else { return Ok(()) };
        let wanted = id.clone();
        let objects = self.read(move |c| archive::of_item(c, "session", &wanted)).await?;
        let to = folder.to_owned();
        blocking("bringing back", move || -> Result<(), No> {
            for file in archive::files(&objects).iter().filter(|f| !durable::exists(&to.join(&f.name))) {
                restore(&store, opens.as_deref(), file, &to).map_err(No::Fault)?;
            }
            Ok(durable::remove_marker(&marker)?)
        })
        .await??;
        let draft = Draft::new(EntryKind::LocalCopyBack).in_session(&session.id);
        Ok(self.acts.log_then_do(draft, move |t| archive::released(t, &id, None)).await?)
    }
}

impl Desks {
    /// How this site is, signed, without a name of a person or a case: for the overview of many sites.
    pub(super) fn signed_status(&self) -> SignedStatus {
        let status = self.look();
        let now = self.now().utc;
        let first = time::shanghai_day(now).with_day(1).unwrap_or_default();
        let (from, until) = (time::shanghai_midnight(first).timestamp_millis(), now.timestamp_millis() + 1);
        let month = self.acts.catalog().read(|c| sessions::between(c, from, until)).unwrap_or_default();
        let mut tally = Tally::default();
        month.iter().for_each(|session| tally.add(session, now));
        let figures = [
            ("sessions", tally.sessions),
            ("whole", tally.whole),
            ("part-explained", tally.part_explained),
            ("part-unexplained", tally.part_unexplained),
            ("none", tally.none),
            ("unlinked-late", tally.unlinked_late),
            ("missing", tally.missing),
            ("unexplained", tally.unexplained),
        ];
        let said = SiteStatus {
            site: self.settings.archive.as_ref().map(|a| a.site.clone()).unwrap_or_default(),
            bureau: self.settings.bureau.clone(),
            at: now,
            version: env!("CARGO_PKG_VERSION").into(),
            console: self.settings.address.clone(),
            rooms: status.rooms.iter().map(|r| (r.name.clone(), r.session.is_some())).collect(),
            faults: status.machine.faults.len(),
            units: self.settings.units.iter().map(|(id, name)| (id.to_string(), name.clone())).collect(),
            waiting: self.acts.catalog().read(archive::figures).map(|f| f.waiting).unwrap_or_default(),
            figures: figures.into_iter().map(|(name, n)| (name.to_owned(), n)).collect(),
        };
        let status = serde_json::to_string(&said).unwrap_or_default();
        let signer = &self.recorder.shared().signer;
        SignedStatus { signature: digest::hex(&signer.sign(status.as_bytes())), signer: signer.public_pem().to_owned(), status }
    }

    /// Figures for Prometheus, where there is an archive.
    pub(super) fn archive_figures(&self, text: &mut String) {
        use std::fmt::Write;
        if self.settings.archive.is_none() {
            return;
        }
        let Ok(f) = self.acts.catalog().read(archive::figures) else { return };
        let well = u64::from(self.archive.trouble().is_none());
        for (name, help, value) in [
            ("shilu_archive_well", "The archive can be reached and does what it is asked to.", well),
            ("shilu_archive_waiting", "Items that wait to be archived.", f.waiting),
            ("shilu_archive_waiting_since_seconds", "Unix time since when the oldest waits.", f.waiting_since.unwrap_or(0) as u64 / 1000),
            ("shilu_archive_objects", "Objects in use in the archive.", f.objects),
            ("shilu_archive_bytes", "Their bytes.", f.bytes),
            (
                "shilu_archive_verified_since_seconds",
                "Unix time since when everything was read again.",
                f.verified_since.unwrap_or(0) as u64 / 1000,
            ),
            ("shilu_archive_damaged", "Objects found damaged since the start.", self.archive.doing().damaged),
        ] {
            let _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} gauge\n{name} {value}");
        }
    }
}

impl From<StoreFault> for No {
    fn from(fault: StoreFault) -> Self {
        Self::Fault(fault.to_string())
    }
}
