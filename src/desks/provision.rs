//! Handing material to courts and other bodies (第二十一条): by the legal unit alone, whole, agreed to by somebody who leads, with a
//! receipt; an identical copy stays. A provision is a file of its own, `provisions/<id>/provision.json`; the catalog is its index.

use crate::catalog::provisions;
use crate::custody::package::Package;
use crate::desks::documents;
use crate::desks::viewing::{Footage, bounds, send_part, send_pieces};
use crate::desks::{Answer, Desks, No, blocking};
use crate::footage::envelope::Recipients;
use crate::footage::wrapped::Wrapping;
use crate::machine::durable::{self, Appending};
use crate::machine::{fault::Fault, randomness, volume};
use crate::model::digest::{self, Running};
use crate::model::entry::{Draft, EntryKind};
use crate::model::ids::{ProvisionId, SessionId};
use crate::model::people::{Act, Person};
use crate::model::provision::{Clip, Lacks, Provision, ProvisionKind, ProvisionState, Receipt, Retained};
use crate::model::refusal::Refusal;
use crate::model::time;
use crate::model::words::{self, BadField};
use bytes::Bytes;
use chrono::{NaiveDate, TimeDelta};
use serde::Serialize;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

/// Rows of the list.
const ROWS_MAX: u32 = 500;
/// Most sessions of one provision.
const SESSIONS_MAX: usize = 50;

/// A letter as it is entered.
#[derive(Debug, Clone)]
pub struct Letter {
    /// Its number.
    pub letter_no: String,
    /// Who asks.
    pub body: String,
    /// What kind of proceeding.
    pub kind: ProvisionKind,
    /// When it came.
    pub received: NaiveDate,
    /// By when it asks to be answered; needed where the law says nothing.
    pub due: Option<NaiveDate>,
    /// What it asks for.
    pub wanted: Option<String>,
    /// Whole sessions.
    pub sessions: Vec<SessionId>,
    /// Stretches that it names.
    pub clips: Vec<Clip>,
}

/// A provision with what is to be done about it.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct ProvisionView {
    /// It.
    pub provision: Provision,
    /// Days that are left; negative: overdue.
    pub days_left: Option<i64>,
    /// What it cannot be closed without.
    pub lacks: Vec<Lacks>,
    /// How much of the work on it that runs now is done, thousandths.
    pub working: Option<u32>,
    /// Why the last work on it failed.
    pub problem: Option<String>,
    /// This person may agree to it, or not.
    pub may_approve: bool,
    /// This person may withdraw it.
    pub may_withdraw: bool,
}

/// Work on provisions that runs now, and what became of the last.
#[derive(Default)]
pub(crate) struct Work {
    running: Mutex<BTreeMap<ProvisionId, Result<u32, String>>>,
    /// One step of a provision at a time: each begins from what the one before it left.
    turn: tokio::sync::Mutex<()>,
}

impl Work {
    fn with<T>(&self, work: impl FnOnce(&mut BTreeMap<ProvisionId, Result<u32, String>>) -> T) -> T {
        work(&mut self.running.lock().unwrap_or_else(std::sync::PoisonError::into_inner))
    }
}

impl Desks {
    pub(super) fn provision_folder(&self, id: &ProvisionId) -> PathBuf {
        self.settings.data.join("provisions").join(id.as_str())
    }

    async fn provision_of(&self, id: &ProvisionId) -> Answer<Provision> {
        let wanted = id.clone();
        let found = self.read(move |c| provisions::by_id(c, &wanted)).await?;
        found.ok_or_else(|| Refusal::no_such("provision", id.as_str()).into())
    }

    /// Whether somebody may see provisions: the legal unit, and who agrees to them.
    fn sees(&self, who: &Person) -> Answer<()> {
        if who.may(Act::Provide) || who.may(Act::DecideAccess) { Ok(()) } else { Err(self.refused(who, Refusal::NotYourRole, "provide")) }
    }

    fn view_of(&self, who: &Person, provision: Provision) -> ProvisionView {
        let now = self.now().utc;
        let work = self.provisions.with(|all| all.get(&provision.id).cloned());
        ProvisionView {
            days_left: provision.days_left(now),
            lacks: provision.lacks(),
            working: work.as_ref().and_then(|w| w.as_ref().ok().copied()),
            problem: work.and_then(Result::err),
            may_approve: provision.approve(who, now).is_ok(),
            may_withdraw: provision.withdraw(who, "-", now).is_ok(),
            provision,
        }
    }

    /// All provisions, newest first.
    pub async fn provisions(&self, who: &Person) -> Answer<Vec<ProvisionView>> {
        self.sees(who)?;
        let all = self.read(|c| provisions::newest(c, ROWS_MAX)).await?;
        Ok(all.into_iter().map(|p| self.view_of(who, p)).collect())
    }

    /// One.
    pub async fn provision(&self, who: &Person, id: &ProvisionId) -> Answer<ProvisionView> {
        self.sees(who)?;
        let provision = self.provision_of(id).await?;
        Ok(self.view_of(who, provision))
    }

    /// Enters a letter. What it asks for is held from this moment on (第十九条).
    pub async fn open_provision(&self, who: &Person, letter: Letter) -> Answer<Provision> {
        self.need(who, Act::Provide)?;
        let now = self.now().utc;
        let mut fields = Vec::new();
        let mut line = |name: &str, text: &str| words::needed_line(name, text).map_err(|e| fields.push(e)).unwrap_or_default();
        let (letter_no, body) = (line("letter_no", &letter.letter_no), line("receiving_body", &letter.body));
        let wanted =
            letter.wanted.as_deref().map_or(Ok(None), |w| words::text("wanted", w)).map_err(|e| fields.push(e)).unwrap_or_default();
        if letter.received > time::shanghai_day(now) {
            fields.push(BadField::form("received", "lies ahead"));
        }
        let due = letter.due.or_else(|| letter.kind.due(letter.received));
        if due.is_none_or(|due| due < letter.received) {
            fields.push(BadField::form("due", "is the last day, not before the letter came"));
        }
        let mut sessions: Vec<SessionId> = Vec::new();
        letter.sessions.into_iter().chain(letter.clips.iter().map(|c| c.session.clone())).for_each(|s| {
            if !sessions.contains(&s) {
                sessions.push(s);
            }
        });
        if sessions.is_empty() || sessions.len() > SESSIONS_MAX {
            fields.push(BadField::form("sessions", "are 1 to 50"));
        }
        if letter.clips.iter().any(|c| c.from_ms >= c.to_ms) {
            fields.push(BadField::form("clips", "end after they begin"));
        }
        let Some(due) = due.filter(|_| fields.is_empty()) else { return Err(Refusal::BadFields { fields }.into()) };
        let mut units = Vec::new();
        for session in &sessions {
            let doc = self.known(who, session).await?;
            if doc.session.seal.is_none() {
                return Err(Refusal::SessionState { state: doc.session.state.as_str().into() }.into());
            }
            if !units.contains(&doc.session.unit) {
                units.push(doc.session.unit);
            }
        }
        let day = time::shanghai_stamp(now)[..8].to_owned();
        let id = ProvisionId::new(&format!("p-{day}-{}", randomness::hex::<3>()?)).map_err(|e| No::Fault(e.to_string()))?;
        let provision = Provision {
            id,
            state: ProvisionState::Received,
            kind: letter.kind,
            letter_no,
            body,
            received: letter.received,
            due,
            wanted,
            sessions,
            units,
            clips: letter.clips,
            retained: vec![],
            approved_by: None,
            approved_by_name: None,
            approved_at: None,
            receipt: None,
            handed_at: None,
            by: who.id.clone(),
            by_name: who.name.clone(),
            entered_at: now,
            closed_at: None,
            not_provided: None,
        };
        let draft = entry(EntryKind::ProvisionReceived, who, &provision)
            .about("kind", provision.kind.as_str())
            .about("due", provision.due)
            .about("sessions", provision.sessions.len())
            .text("letter_no", Some(&provision.letter_no))
            .text("receiving_body", Some(&provision.body));
        self.keep_provision(draft, provision.clone()).await?;
        for session in &provision.sessions {
            let held =
                Draft::new(EntryKind::Held).by(&who.id).in_session(session).about("ground", "provision").about("about", &provision.id);
            self.acts.log_then_do(held, |_| Ok(())).await?;
        }
        Ok(provision)
    }

    /// Logs, then puts it into its file and the catalog.
    pub(super) async fn keep_provision(&self, draft: Draft, provision: Provision) -> Answer<()> {
        self.acts.log_then_do(draft, |_| Ok(())).await?;
        let (folder, kept) = (self.provision_folder(&provision.id), provision.clone());
        blocking("a provision's file", move || {
            durable::make_folder(&folder)?;
            let data = serde_json::to_vec_pretty(&kept).map_err(|e| Fault::of("encode", "a provision", e))?;
            durable::write_whole(&folder.join("provision.json"), &data)
        })
        .await??;
        Ok(self.acts.keep(move |t| provisions::put(t, &provision)).await?)
    }

    /// Builds a package of each session into the copy that is kept, and verifies it. Runs behind; its progress is in the view.
    pub async fn prepare_provision(self: &std::sync::Arc<Self>, who: &Person, id: &ProvisionId) -> Answer<()> {
        self.need(who, Act::Provide)?;
        self.proved(who)?;
        let _turn = self.provisions.turn.lock().await;
        let provision = self.provision_of(id).await?;
        provision.need(&[ProvisionState::Received])?;
        let begun = self.provisions.with(|all| {
            let busy = all.get(id).is_some_and(Result::is_ok);
            if !busy {
                all.insert(id.clone(), Ok(0));
            }
            !busy
        });
        if !begun {
            return Err(Refusal::TooMany { running: 1 }.into());
        }
        let (desks, who) = (self.clone(), who.clone());
        tokio::spawn(async move {
            let id = provision.id.clone();
            let made = desks.prepare(&who, provision).await;
            desks.provisions.with(|all| match made {
                Ok(()) => drop(all.remove(&id)),
                Err(No::Refusal(refusal)) => drop(all.insert(id, Err(refusal.to_string()))),
                Err(No::Fault(inside)) => {
                    tracing::error!(provision = %id, "could not be prepared: {inside}");
                    all.insert(id, Err("the packages could not be built; the technician finds why in the journal".into()));
                }
            });
        });
        Ok(())
    }

    async fn prepare(&self, who: &Person, mut provision: Provision) -> Answer<()> {
        let (id, folder) = (provision.id.clone(), self.provision_folder(&provision.id));
        let count = provision.sessions.len() as u64;
        let mut retained = Vec::new();
        for (number, session) in provision.sessions.iter().enumerate() {
            let (doc, from) = self.session_doc(session).await?;
            let is_encrypted = !doc.keys.is_empty();
            let clips = provision.clips.iter().filter(|c| c.session == *session).map(|c| (c.from_ms, c.to_ms)).collect();
            let draft = entry(EntryKind::PackageTaken, who, &provision).in_session(session);
            self.acts.log_then_do(draft, |_| Ok(())).await?;
            let (package, manifest_sha256, _) = self.build_package(doc, from, id.to_string(), clips).await?;
            let room = volume::room(&folder)?;
            if room.free < package.bytes() + self.settings.reserve_bytes {
                return Err(No::Fault("there is no room for the copy that is kept".into()));
            }
            // What opens a session would else lie beside it.
            let shared = self.recorder.shared().clone();
            let wraps = is_encrypted && shared.recipients.is_some();
            let file = if wraps { format!("{session}.tar.age") } else { format!("{session}.tar") };
            let (path, bytes) = (folder.join(&file), package.bytes());
            let told = {
                let (desk, id) = (self.provisions.clone(), id.clone());
                move |done: u64| {
                    let share = (number as u64 * 1000 + done * 1000 / bytes.max(1)) / count.max(1);
                    desk.with(|all| drop(all.insert(id.clone(), Ok(share as u32))));
                }
            };
            let write = move || write_package(&package, &path, shared.recipients.as_ref().filter(|_| wraps), &told);
            let (sha256, wrapped_sha256) = blocking("a package", write).await??;
            let (session, verified_at, disposed) = (session.clone(), None, None);
            retained.push(Retained { session, file, bytes, sha256, manifest_sha256, verified_at, disposed, wrapped_sha256 });
        }
        provision.retained = retained;
        self.read_again(&mut provision).await?;
        provision.state = ProvisionState::Prepared;
        let mut draft = entry(EntryKind::ProvisionPrepared, who, &provision);
        for (n, r) in provision.retained.iter().enumerate() {
            draft = draft.about(&format!("sha256_{}", n + 1), &r.sha256);
        }
        self.keep_provision(draft, provision).await
    }

    /// Reads what is kept from the disk, and compares.
    async fn read_again(&self, provision: &mut Provision) -> Answer<()> {
        let folder = self.provision_folder(&provision.id);
        // What went with its session is not there to be read.
        for retained in provision.retained.iter_mut().filter(|r| r.disposed.is_none()) {
            let path = folder.join(&retained.file);
            let (_, found) = blocking("reading what is kept", move || volume::digest(&path)).await??;
            if found != *retained.wrapped_sha256.as_ref().unwrap_or(&retained.sha256) {
                let draft = Draft::new(EntryKind::DamageFound).in_session(&retained.session).about("file", &retained.file);
                self.acts.do_and_log(draft, |_| Ok(()));
                return Err(No::Fault(format!("{}: is not what was written", retained.file)));
            }
            retained.verified_at = Some(self.now().utc);
        }
        Ok(())
    }

    /// Agrees to it.
    pub async fn approve_provision(&self, who: &Person, id: &ProvisionId) -> Answer<Provision> {
        self.sees(who)?;
        let _turn = self.provisions.turn.lock().await;
        let provision = self.provision_of(id).await?;
        let approved = provision.approve(who, self.now().utc).map_err(|refusal| self.refused(who, refusal, "approve_provision"))?;
        self.proved(who)?;
        self.keep_provision(entry(EntryKind::ProvisionApproved, who, &approved), approved.clone()).await?;
        Ok(approved)
    }

    /// Does not agree to it, for a reason.
    pub async fn reject_provision(&self, who: &Person, id: &ProvisionId, reason: &str) -> Answer<Provision> {
        self.sees(who)?;
        let _turn = self.provisions.turn.lock().await;
        let reason = words::text("reason", reason).map_err(Refusal::from)?.unwrap_or_default();
        let provision = self.provision_of(id).await?;
        let rejected = provision.reject(who, &reason, self.now().utc).map_err(|refusal| self.refused(who, refusal, "reject_provision"))?;
        self.keep_provision(entry(EntryKind::ProvisionRejected, who, &rejected).text("reason", Some(&reason)), rejected.clone()).await?;
        Ok(rejected)
    }

    /// Withdraws it, for a reason. What was built stays, and is held until two people lift that (第十九条).
    pub async fn withdraw_provision(&self, who: &Person, id: &ProvisionId, reason: &str) -> Answer<Provision> {
        self.need(who, Act::Provide)?;
        let _turn = self.provisions.turn.lock().await;
        // What is built now would come behind it and say otherwise.
        if self.provisions.with(|all| all.get(id).is_some_and(Result::is_ok)) {
            return Err(Refusal::TooMany { running: 1 }.into());
        }
        let reason = words::text("reason", reason).map_err(Refusal::from)?.unwrap_or_default();
        let provision = self.provision_of(id).await?;
        let withdrawn =
            provision.withdraw(who, &reason, self.now().utc).map_err(|refusal| self.refused(who, refusal, "withdraw_provision"))?;
        self.keep_provision(entry(EntryKind::ProvisionWithdrawn, who, &withdrawn).text("reason", Some(&reason)), withdrawn.clone()).await?;
        Ok(withdrawn)
    }

    /// The package of a session, for the body that asked: after it was agreed to, by the legal unit.
    pub async fn provision_package(
        &self,
        who: &Person,
        id: &ProvisionId,
        session: &SessionId,
        range: Option<(u64, Option<u64>)>,
    ) -> Answer<(Footage, u64, u64)> {
        self.need(who, Act::Provide)?;
        self.proved(who)?;
        let provision = self.provision_of(id).await?;
        provision.need(&[ProvisionState::Approved, ProvisionState::HandedOver])?;
        let retained = provision.retained.iter().find(|r| r.session == *session && r.disposed.is_none()).cloned();
        let retained = retained.ok_or_else(|| Refusal::no_such("session", session.as_str()))?;
        let whole = retained.bytes;
        let (from, to) = bounds(range, whole, "byte of the package")?;
        let draft =
            entry(EntryKind::CopyTaken, who, &provision).in_session(session).about("sha256", &retained.sha256).about("what", "package");
        self.acts.log_then_do(draft, |_| Ok(())).await?;
        let live = self.streams.of(id.as_str(), &who.id, self.now().utc + TimeDelta::hours(12), &self.clock);
        let (path, name) = (self.provision_folder(id).join(&retained.file), format!("{session}.tar"));
        let footage = if retained.wrapped_sha256.is_some() {
            let mut wrapped = self.wrapped_for(who, &path, "provision").await?;
            send_pieces(move |from, to| wrapped.piece(from, to), std::iter::once(from..to).collect(), name, live)
        } else {
            send_part(&path, from, to, name, live)?
        };
        Ok((Footage { sha256: Some(retained.sha256), ..footage }, from, whole))
    }

    /// Enters the receipt: who took it, when, and the scan.
    pub async fn hand_over(
        &self,
        who: &Person,
        id: &ProvisionId,
        taken_by: &str,
        day: NaiveDate,
        name: &str,
        scan: Bytes,
    ) -> Answer<Provision> {
        self.need(who, Act::Provide)?;
        let provision = self.provision_of(id).await?;
        provision.need(&[ProvisionState::Approved])?;
        let taken_by = words::needed_line("taken_by", taken_by).map_err(Refusal::from)?;
        let scan_name = words::needed_line("name", name).map_err(Refusal::from)?;
        let now = self.now().utc;
        if day > time::shanghai_day(now) || day < provision.received {
            return Err(Refusal::from(BadField::form("day", "lies between the letter's day and today")).into());
        }
        let (media_type, ending) = documents::sniff(&scan)?;
        let scan_sha256 = digest::sha256(&scan);
        let path = self.provision_folder(id).join(format!("{scan_sha256}.{ending}"));
        blocking("storing a scan", move || if durable::exists(&path) { Ok(()) } else { durable::write_whole(&path, &scan) }).await??;
        let receipt =
            Receipt { taken_by, day, scan_sha256, scan_name, media_type: media_type.into(), entered_at: now, entered_by: who.id.clone() };
        let draft = entry(EntryKind::ProvisionHandedOver, who, &provision)
            .about("sha256", &receipt.scan_sha256)
            .about("day", day)
            .text("taken_by", Some(&receipt.taken_by));
        let handed = Provision { state: ProvisionState::HandedOver, receipt: Some(receipt), handed_at: Some(now), ..provision };
        self.keep_provision(draft, handed.clone()).await?;
        Ok(handed)
    }

    /// The scan of a receipt.
    pub async fn receipt(&self, who: &Person, id: &ProvisionId) -> Answer<(Vec<u8>, String)> {
        self.sees(who)?;
        let receipt = self.provision_of(id).await?.receipt.ok_or_else(|| Refusal::no_such("receipt", id.as_str()))?;
        let path = self.provision_folder(id).join(format!("{}.{}", receipt.scan_sha256, documents::ending_of(&receipt.media_type)));
        let data = blocking("reading a scan", move || durable::read_whole(&path, documents::BYTES_MAX as u64)).await??;
        Ok((data, receipt.media_type))
    }

    /// Reads what is kept once more, after the hand-over.
    pub async fn verify_retained(&self, who: &Person, id: &ProvisionId) -> Answer<Provision> {
        self.need(who, Act::Provide)?;
        let mut provision = self.provision_of(id).await?;
        provision.need(&[ProvisionState::HandedOver, ProvisionState::Closed])?;
        self.read_again(&mut provision).await?;
        self.keep_provision(entry(EntryKind::RetainedVerified, who, &provision), provision.clone()).await?;
        Ok(provision)
    }

    /// Closes it; not without receipt and retained copy.
    pub async fn close_provision(&self, who: &Person, id: &ProvisionId) -> Answer<Provision> {
        self.need(who, Act::Provide)?;
        let closed = self.provision_of(id).await?.close(self.now().utc)?;
        self.keep_provision(entry(EntryKind::ProvisionClosed, who, &closed), closed.clone()).await?;
        Ok(closed)
    }
}

fn entry(kind: EntryKind, who: &Person, provision: &Provision) -> Draft {
    Draft::new(kind).by(&who.id).about("provision", &provision.id)
}

/// The file of a package that is written.
enum Kept {
    Clear(Appending),
    Wrapped(Box<Wrapping>),
}

/// Writes a package to a file, encrypted to these if there are any, and gives its digest, and that of an encrypted file. What an earlier try
/// left is begun anew.
fn write_package(package: &Package, path: &Path, to: Option<&Recipients>, told: &dyn Fn(u64)) -> Result<(String, Option<String>), Fault> {
    let part = path.with_extension("tar.part");
    if durable::exists(&part) {
        durable::remove_derived(&part)?;
    }
    let mut file = match to {
        Some(to) => Kept::Wrapped(Box::new(Wrapping::create(&part, to)?)),
        None => Kept::Clear(Appending::create(&part)?),
    };
    let mut append = |piece: &[u8]| match &mut file {
        Kept::Clear(file) => file.append(piece),
        Kept::Wrapped(file) => file.append(piece),
    };
    let (mut done, mut digest, mut failed) = (0, Running::default(), None);
    package.send(0, package.bytes(), |piece| match piece.and_then(|piece| append(&piece).map(|()| piece)) {
        Ok(piece) => {
            digest.update(&piece);
            done += piece.len() as u64;
            told(done);
            true
        }
        Err(fault) => {
            failed = Some(fault);
            false
        }
    });
    if let Some(fault) = failed {
        return Err(fault);
    }
    let wrapped = match file {
        Kept::Clear(mut file) => file.sync().map(|()| None)?,
        Kept::Wrapped(file) => Some(file.finish()?),
    };
    durable::rename(&part, path)?;
    Ok((digest.hex(), wrapped))
}
