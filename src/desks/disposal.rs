//! Disposal (第十八条): proposed by the custodian, agreed to by another person, carried out here and nowhere else. A disposal is a file of its
//! own, `disposals/<id>/disposal.json`; once it is done it is the certificate, signed beside it.
//!
//! Carrying out, for each session: what stays of it is decided from journal, cases and provisions at that very moment; the entry is
//! durable; the disposal's file says that it is going; then the files go from each volume; then the index forgets the names. A crash
//! anywhere is finished by the same function at the next start or minute. A volume that is away is asked again each minute.

use crate::catalog::retention::{self as index, Around};
use crate::catalog::{Writing, archive, disposals, documents, entries, media, provisions, sessions, timestamps};
use crate::custody::keys::Signer;
use crate::desks::closing::fates;
use crate::desks::sessions::SessionRow;
use crate::desks::{Answer, Desks, No, blocking};
use crate::footage::disposal::{self as footage, Papers};
use crate::footage::tree;
use crate::machine::{durable, fault::Fault, randomness};
use crate::model::closing::CopyFate;
use crate::model::digest;
use crate::model::disposal::{self, ArchiveCopy, Disposal, DisposalState, Item, Obstacle, Order, Outcome, Standing};
use crate::model::entry::{Draft, EntryKind};
use crate::model::hold::Word;
use crate::model::ids::{DisposalId, SessionId};
use crate::model::people::{Act, Person};
use crate::model::refusal::Refusal;
use crate::model::retention::Retention;
use crate::model::session::Session;
use crate::model::time;
use crate::model::words;
use serde::Serialize;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Most sessions of one disposal.
const SESSIONS_MAX: usize = 500;
/// Rows of the list.
const ROWS_MAX: u32 = 500;
/// The largest file of a disposal that is read.
pub(super) const FILE_BYTES_MAX: u64 = 256 * 1024 * 1024;

/// A disposal's files, each in its folder. It itself:
pub(super) const DISPOSAL: &str = "disposal.json";
/// The certificate: what was given up here, and until when the archive's copies are locked. Its key is `tree::SIGNER`.
const CERTIFICATE: &str = "certificate.json";
/// The supplement: nothing of it lies in the archive any more.
const SUPPLEMENT: &str = "certificate-archive.json";
/// The key that the supplement is signed by, which may be another than the certificate's.
const SUPPLEMENT_SIGNER: &str = "certificate-archive.signer.pem";
/// How it was closed ([`closing`](crate::desks::closing)).
pub(super) const CLOSING: &str = "closing.json";
/// The key that signed it: the certificate's may have been another.
pub(super) const CLOSING_SIGNER: &str = "closing.signer.pem";

/// A disposal with what this person may do about it.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct DisposalView {
    /// It.
    pub disposal: Disposal,
    /// The unit's name.
    pub unit_name: String,
    /// This person may decide on it.
    pub may_decide: bool,
    /// SHA-256 of the certificate, once it is signed.
    pub certificate_sha256: Option<String>,
    /// Copies on discs and disks that hold something of it: as they stand, or as they stood when it was closed.
    pub copies: Vec<CopyFate>,
    /// This person has to close it.
    pub may_close: bool,
    /// SHA-256 of the paper that says how it was closed.
    pub closing_sha256: Option<String>,
    /// SHA-256 of its supplement, once the archive's copies are gone too.
    pub supplement_sha256: Option<String>,
    /// Its sessions that are still here, for who decides; only where one disposal is asked for.
    pub sessions: Vec<DisposalSession>,
}

/// A session of a disposal that is still here, as the catalog has it now: what goes if it is agreed to.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct DisposalSession {
    /// Party, cause, time of use, length.
    pub session: SessionRow,
    /// How many files it has.
    pub files: usize,
    /// Their size.
    pub bytes: u64,
    /// As what it is kept, and until when.
    pub retention: Retention,
    /// What keeps it from being given up now.
    pub obstacles: Vec<Obstacle>,
}

impl Desks {
    pub(super) fn disposal_folder(&self, id: &DisposalId) -> PathBuf {
        self.settings.data.join("disposals").join(id.as_str())
    }

    fn view_disposal(&self, who: &Person, disposal: Disposal, now: Vec<CopyFate>) -> DisposalView {
        let copies = disposal.closed.as_ref().map_or(now, |c| c.copies.clone());
        DisposalView {
            unit_name: self.unit_name(&disposal.unit),
            may_decide: disposal.state == DisposalState::Proposed && disposal.may_decide(who).is_ok(),
            may_close: disposal.may_close(who) && !copies.is_empty(),
            copies,
            certificate_sha256: None,
            closing_sha256: None,
            supplement_sha256: None,
            sessions: vec![],
            disposal,
        }
    }

    /// All disposals of the units that this person lists, newest first.
    pub async fn disposals(&self, who: &Person) -> Answer<Vec<DisposalView>> {
        self.need(who, Act::ReadRetention)?;
        let all = self.read(|c| {
            let copies = |d: &Disposal| if d.is_open() { fates(c, d) } else { Ok(vec![]) };
            disposals::newest(c, ROWS_MAX)?.into_iter().map(|d| Ok((copies(&d)?, d))).collect::<Result<Vec<_>, Fault>>()
        });
        let mine = all.await?.into_iter().filter(|(_, d)| who.lists_unit(&d.unit));
        Ok(mine.map(|(copies, d)| self.view_disposal(who, d, copies)).collect())
    }

    pub(super) async fn known_disposal(&self, who: &Person, id: &DisposalId) -> Answer<Disposal> {
        self.need(who, Act::ReadRetention)?;
        let wanted = id.clone();
        let found = self.read(move |c| disposals::by_id(c, &wanted)).await?;
        found.filter(|d| who.lists_unit(&d.unit)).ok_or_else(|| Refusal::no_such("disposal", id.as_str()).into())
    }

    /// One, with the digest of its certificate.
    pub async fn disposal(&self, who: &Person, id: &DisposalId) -> Answer<DisposalView> {
        let disposal = self.known_disposal(who, id).await?;
        let folder = self.disposal_folder(id);
        let digest = move |name: &str| Some(digest::sha256(&durable::read_whole(&folder.join(name), FILE_BYTES_MAX).ok()?));
        let read = blocking("reading a certificate", move || (digest(CERTIFICATE), digest(SUPPLEMENT))).await?;
        let (certificate_sha256, supplement_sha256) = read;
        let closing_sha256 = self.closing_sha256(id).await.filter(|_| disposal.closed.is_some());
        let seen = disposal.clone();
        let copies = self.read(move |c| fates(c, &seen)).await?;
        let sessions = self.still_here(who, &disposal).await?;
        Ok(DisposalView { certificate_sha256, closing_sha256, supplement_sha256, sessions, ..self.view_disposal(who, disposal, copies) })
    }

    /// Its sessions that are still here, as far as this person may know of them.
    async fn still_here(&self, who: &Person, disposal: &Disposal) -> Answer<Vec<DisposalSession>> {
        let ids: Vec<SessionId> = disposal.items.iter().filter(|i| !i.is_gone()).map(|i| i.session.clone()).collect();
        let all = self.read(move |c| {
            let here = ids.iter().filter_map(|id| sessions::by_id(c, id).transpose());
            here.map(|doc| doc.and_then(|doc| Ok((index::around(c, &doc.session)?, doc.session)))).collect::<Result<Vec<_>, Fault>>()
        });
        let (clock, now) = (self.clock_trust(), self.now().utc);
        let mine = all.await?.into_iter().filter(|(_, session)| who.lists(session));
        let shown = |(around, session): (Around, Session)| {
            let (retention, holds) = (around.retention(&session), around.holds(&session));
            let at = Standing { session: &session, retention: &retention, holds: &holds, clock: &clock, now };
            DisposalSession {
                files: session.segments.len(),
                bytes: session.segments.iter().map(|s| s.bytes).sum(),
                obstacles: disposal::obstacles(at),
                session: self.row(&session),
                retention,
            }
        };
        Ok(mine.map(shown).collect())
    }

    /// Proposes to give up sessions of one unit whose period is over.
    pub async fn propose_disposal(&self, who: &Person, sessions: &[SessionId], reason: &str) -> Answer<Disposal> {
        self.need(who, Act::Appraise)?;
        let reason = words::needed_text("reason", reason).map_err(Refusal::from)?;
        let unit = who.unit.clone().ok_or(Refusal::NotYourRole)?;
        if sessions.is_empty() || sessions.len() > SESSIONS_MAX {
            return Err(Refusal::from(words::BadField::form("sessions", "are 1 to 500")).into());
        }
        let now = self.now().utc;
        let mut items: Vec<Item> = Vec::new();
        for id in sessions {
            let doc = self.known(who, id).await?;
            if doc.session.unit != unit {
                return Err(self.refused(who, Refusal::NotYourRole, "propose_disposal"));
            }
            let (session, around) = self.stands(&doc.folder, &doc.session).await?;
            let (retention, holds, clock) = (around.retention(&session), around.holds(&session), self.clock_trust());
            let mut found = disposal::obstacles(Standing { session: &session, retention: &retention, holds: &holds, clock: &clock, now });
            let wanted = id.to_string();
            if self.read(move |c| disposals::open_for(c, &wanted)).await?.is_some() {
                found.push(Obstacle::Gone);
            }
            if !found.is_empty() {
                let obstacles = found.iter().map(|o| o.as_str().into()).collect();
                return Err(self.refused(who, Refusal::NotDisposable { session: id.to_string(), obstacles }, "propose_disposal"));
            }
            if !items.iter().any(|i| i.session == *id) {
                let wanted = id.clone();
                let media = self.read(move |c| media::of_session(c, &wanted)).await?.into_iter().map(|m| m.id).collect();
                items.push(Item { session: id.clone(), folder: doc.folder, retention, outcome: None, media, archive: None });
            }
        }
        let id = format!("d-{}-{}", &time::shanghai_stamp(now)[..8], randomness::hex::<3>()?);
        let proposed = Disposal {
            id: DisposalId::new(&id).map_err(|e| No::Fault(e.to_string()))?,
            state: DisposalState::Proposed,
            unit,
            items,
            reason: reason.clone(),
            proposed: Word { at: now, by: who.id.clone(), reason: Some(reason) },
            proposed_name: who.name.clone(),
            decided: None,
            decided_name: None,
            executed_at: None,
            closed: None,
        };
        let draft = entry(EntryKind::DisposalProposed, &proposed).by(&who.id).about("sessions", proposed.items.len());
        self.keep_disposal(draft, proposed.clone()).await?;
        Ok(proposed)
    }

    /// Decides; a yes is carried out at once, behind the answer.
    pub async fn decide_disposal(&self, who: &Person, id: &DisposalId, approved: bool, reason: Option<&str>) -> Answer<Disposal> {
        let _turn = self.disposals_turn.lock().await;
        let disposal = self.known_disposal(who, id).await?;
        let reason = reason.map_or(Ok(None), |r| words::text("reason", r)).map_err(Refusal::from)?;
        let decided =
            disposal.decide(who, approved, reason, self.now().utc).map_err(|refusal| self.refused(who, refusal, "decide_disposal"))?;
        self.proved(who)?;
        let kind = if approved { EntryKind::DisposalApproved } else { EntryKind::DisposalRefused };
        let said = decided.decided.as_ref().and_then(|w| w.reason.clone());
        self.keep_disposal(entry(kind, &decided).by(&who.id).text("reason", said.as_deref()), decided.clone()).await?;
        self.disposal_agreed.notify_one();
        Ok(decided)
    }

    /// Tells when somebody has decided: what they agreed to is carried out without waiting for the minute.
    pub fn disposal_agreed(&self) -> Arc<tokio::sync::Notify> {
        self.disposal_agreed.clone()
    }

    /// Writes a disposal: entry, then file, then row.
    pub(super) async fn keep_disposal(&self, draft: Draft, disposal: Disposal) -> Answer<()> {
        let folder = self.disposal_folder(&disposal.id);
        Ok(self.acts.log_then_do(draft, move |t| write(t, &folder, &disposal)).await?)
    }

    /// Carries out what was agreed to, as far as it can be now. Called each minute, and after a decision.
    pub async fn carry_out_disposals(&self) -> Answer<()> {
        let _turn = self.disposals_turn.lock().await;
        for disposal in self.read(|c| disposals::in_state(c, DisposalState::Approved)).await? {
            // One that cannot go on holds up no other, and is tried again the next minute.
            let id = disposal.id.clone();
            if let Err(no) = self.carry_out(disposal).await {
                tracing::error!(disposal = %id, "is not carried out yet: {no}");
            }
        }
        Ok(())
    }

    async fn carry_out(&self, mut disposal: Disposal) -> Answer<()> {
        for item in disposal.items.clone() {
            if matches!(item.outcome, Some(Outcome::Kept { .. } | Outcome::Gone { .. })) {
                continue;
            }
            match self.disposal_order(&disposal, &item).await? {
                Ok(order) => {
                    if item.outcome.is_none() {
                        disposal = self.begin_going(self.with_media(disposal, &item.session).await?, &order).await?;
                    }
                    disposal = self.let_go(disposal, &order).await?;
                }
                // It waits for somebody to look at the clock: by a wrong date nothing goes, and nothing is kept for good either.
                Err(obstacles) if !disposal::is_settled_by(&obstacles) => return Ok(()),
                Err(obstacles) => {
                    let at = self.now().utc;
                    disposal = disposal.with(&item.session, Outcome::Kept { obstacles, at }, at);
                    self.certify_executed(&disposal).await?;
                    let (folder, kept) = (self.disposal_folder(&disposal.id), disposal.clone());
                    self.acts.keep(move |t| write(t, &folder, &kept)).await?;
                }
            }
        }
        Ok(())
    }

    /// The order for a session, as everything stands now.
    async fn disposal_order(&self, disposal: &Disposal, item: &Item) -> Answer<Result<Order, Vec<Obstacle>>> {
        let known = item.session.clone();
        let doc = self.read(move |c| sessions::by_id(c, &known)).await?;
        let indexed = match (doc, &item.outcome) {
            (Some(doc), _) => doc.session,
            (None, Some(Outcome::Going { stays, .. })) => stays.session(),
            (None, _) => return Ok(Err(vec![Obstacle::Gone])),
        };
        let (session, around) = self.stands(&item.folder, &indexed).await?;
        let (retention, holds, clock) = (around.retention(&session), around.holds(&session), self.clock_trust());
        Ok(disposal.order(item, Standing { session: &session, retention: &retention, holds: &holds, clock: &clock, now: self.now().utc }))
    }

    /// With the media that hold a session as they are now: some may have been made since it was proposed.
    async fn with_media(&self, mut disposal: Disposal, session: &SessionId) -> Answer<Disposal> {
        let wanted = session.clone();
        let found = self.read(move |c| media::of_session(c, &wanted)).await?;
        if let Some(item) = disposal.items.iter_mut().find(|i| i.session == *session) {
            item.media = found.into_iter().map(|m| m.id).collect();
        }
        Ok(disposal)
    }

    /// The entry, and the disposal's file that says what is going. From here on there is no way back.
    async fn begin_going(&self, disposal: Disposal, order: &Order) -> Answer<Disposal> {
        let stays = order.stays();
        let tombstone = canonical(stays)?;
        let draft = entry(EntryKind::SessionDisposed, &disposal)
            .in_session(order.session())
            .about("seal_code", &stays.seal_code)
            .about("files", stays.files.len())
            .about("sha256", digest::sha256(&tombstone));
        let going = Outcome::Going { stays: Box::new(stays.clone()), gone_from: vec![] };
        let next = disposal.with(order.session(), going, self.now().utc);
        self.keep_disposal(draft, next.clone()).await?;
        Ok(next)
    }

    /// Takes a session's files from every volume that is there.
    async fn let_go(&self, disposal: Disposal, order: &Order) -> Answer<Disposal> {
        let shared = self.recorder.shared().clone();
        let tombstone = canonical(order.stays())?;
        let papers =
            Papers { signature: shared.signer.sign(&tombstone), signer: shared.signer.public_pem().as_bytes().to_vec(), tombstone };
        let mut gone_from = Vec::new();
        for volume in &shared.volumes {
            let place = volume.place();
            // A volume that is away keeps its files until it is back; the disposal is not done before.
            let removed = place.check().and_then(|()| footage::remove(order, place.root(), &papers));
            match removed {
                Ok(()) => gone_from.push(volume.name().to_owned()),
                Err(fault) => tracing::error!(session = %order.session(), volume = volume.name(), %fault, "is not given up there yet"),
            }
        }
        let whole = gone_from.len() == shared.volumes.len()
            && self.remove_retained(order.session(), &disposal.id).await?
            && self.remove_images(order.session(), &disposal.id).await?;
        // The bucket lets go when its lock ends; until then nothing opens what lies there.
        let copy = if whole { self.archive_dispose(order.session()).await? } else { None };
        let (stays, at) = (Box::new(order.stays().clone()), self.now().utc);
        let outcome = if whole { Outcome::Gone { stays, gone_from, at } } else { Outcome::Going { stays, gone_from } };
        let next = disposal.with(order.session(), outcome, at).with_archive(order.session(), copy);
        self.certify_executed(&next).await?;
        let (folder, kept) = (self.disposal_folder(&next.id), next.clone());
        let (session, below) = (order.stays().session(), order.folder().to_owned());
        self.acts
            .keep(move |t| {
                write(t, &folder, &kept)?;
                forget(t, &session, &below)
            })
            .await?;
        Ok(next)
    }

    /// The identical copies that stayed of what was provided (第二十一条) go with it: a provision holds until it is over. Its own file
    /// says so from then on. A crash between the two leaves the word to the next minute.
    async fn remove_retained(&self, session: &SessionId, disposal: &DisposalId) -> Answer<bool> {
        let (wanted, mut whole) = (session.to_string(), true);
        for provision in self.read(move |c| provisions::of_session(c, &wanted)).await? {
            let Some(without) = provision.without_copy(session, disposal, self.now().utc) else { continue };
            let folder = self.provision_folder(&provision.id);
            let packages: Vec<PathBuf> =
                provision.retained.iter().filter(|r| r.session == *session).map(|r| folder.join(&r.file)).collect();
            let remove = move || {
                packages.iter().try_for_each(|p| durable::remove_disposed(p))?;
                durable::sync_folder(&folder)
            };
            match blocking("removing a retained copy", remove).await? {
                Ok(()) => {
                    let draft = Draft::new(EntryKind::RetainedDisposed).in_session(session).about("provision", &provision.id);
                    self.keep_provision(draft.about("disposal", disposal), without).await?;
                }
                Err(fault) => {
                    tracing::error!(%session, provision = %provision.id, %fault, "a retained copy is not given up yet");
                    whole = false;
                }
            }
        }
        Ok(whole)
    }

    /// Signs the certificate of a disposal that is about to be executed: as it ends. One that says that it is executed has one; a crash
    /// before it says so leaves its last session to the next minute, which certifies once more.
    async fn certify_executed(&self, disposal: &Disposal) -> Answer<()> {
        if disposal.state != DisposalState::Executed {
            return Ok(());
        }
        let (data, folder) = (canonical(disposal)?, self.disposal_folder(&disposal.id));
        let gone = disposal.items.iter().filter(|i| matches!(i.outcome, Some(Outcome::Gone { .. }))).count();
        let draft = entry(EntryKind::DisposalExecuted, disposal)
            .about("gone", gone)
            .about("kept", disposal.items.len() - gone)
            .about("sha256", digest::sha256(&data));
        let (signer, kept) = (self.recorder.shared().signer.clone(), disposal.clone());
        let signed = move |t: &Writing<'_>| {
            sign(&folder, CERTIFICATE, tree::SIGNER, &data, &signer)?;
            disposals::put(t, &kept) // The archive takes the certificate with the next look.
        };
        Ok(self.acts.log_then_do(draft, signed).await?)
    }

    /// Nothing of a session that was given up lies in the archive any more; so many objects went. Entry, file and row in one; when it was
    /// the last of its disposal, the certificate gets a signed supplement. A crash anywhere is asked of the bucket once more, and finished.
    pub(super) async fn gone_from_archive(&self, session: &SessionId, objects: u64) -> Answer<()> {
        let _turn = self.disposals_turn.lock().await;
        let (wanted, id, at) = (session.to_string(), session.to_string(), self.now().utc);
        let gave_up =
            |d: &Disposal| d.items.iter().any(|i| i.session == *session && i.stays().is_some() && (objects > 0 || i.archive.is_some()));
        let mut gone: Vec<Disposal> = self.read(move |c| disposals::of_session(c, &wanted)).await?;
        gone.retain(gave_up);
        let copy = Some(ArchiveCopy::Deleted { at });
        let next: Vec<(PathBuf, Disposal)> = gone.iter().map(|d| (self.disposal_folder(&d.id), d.with_archive(session, copy))).collect();
        let signer = self.recorder.shared().signer.clone();
        let draft = Draft::new(EntryKind::ArchiveDisposed).in_session(session).about("objects", objects);
        let write_all = move |t: &Writing<'_>| {
            for (folder, disposal) in &next {
                if disposal.is_gone_from_archive() {
                    let data = serde_json_canonicalizer::to_vec(disposal).map_err(|e| Fault::of("encode", "a certificate", e))?;
                    sign(folder, SUPPLEMENT, SUPPLEMENT_SIGNER, &data, &signer)?;
                }
                write(t, folder, disposal)?;
            }
            archive::forget_item(t, "session", &id)
        };
        Ok(self.acts.log_then_do(draft, write_all).await?)
    }
}

pub(super) fn entry(kind: EntryKind, disposal: &Disposal) -> Draft {
    Draft::new(kind).about("disposal", &disposal.id)
}

pub(super) fn canonical<T: Serialize>(value: &T) -> Answer<Vec<u8>> {
    serde_json_canonicalizer::to_vec(value).map_err(|e| No::Fault(e.to_string()))
}

/// Signs a paper of a disposal, and lays signature and key beside it.
pub(super) fn sign(folder: &Path, name: &str, signed_by: &str, data: &[u8], signer: &Signer) -> Result<(), Fault> {
    durable::write_whole(&folder.join(signed_by), signer.public_pem().as_bytes())?;
    durable::write_whole(&folder.join(name), data)?;
    durable::write_whole(&folder.join(format!("{name}.sig")), &signer.sign(data))
}

fn write(t: &Writing<'_>, folder: &Path, disposal: &Disposal) -> Result<(), Fault> {
    let data = serde_json::to_vec_pretty(disposal).map_err(|e| Fault::of("encode", "a disposal", e))?;
    durable::make_folder(folder)?;
    durable::write_whole(&folder.join(DISPOSAL), &data)?;
    disposals::put(t, disposal)
}

/// The index forgets the names: what the session said, its documents, and the texts that entries bind.
fn forget(t: &Writing<'_>, session: &Session, folder: &str) -> Result<(), Fault> {
    sessions::put(t, session, folder)?;
    timestamps::forget(t, "footage", &format!("{folder}/{}", tree::MANIFEST))?;
    documents::forget(t, session.id.as_str())?;
    entries::forget_texts(t, session.id.as_str())
}
