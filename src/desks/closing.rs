//! Closing a disposal (第十八条): copies of what was given up on discs and disks are destroyed by hand and entered so, or stay by
//! somebody's reason. How one was closed is a signed paper beside the certificate: `disposals/<id>/closing.json`.
//!
//! What was put together for a medium and still lies on this machine is no such copy: it goes with the session, by the machine.

use crate::catalog::{Reading, media, retention};
use crate::desks::disposal::{CLOSING, CLOSING_SIGNER, FILE_BYTES_MAX, canonical, entry, sign};
use crate::desks::{Answer, Desks, No, blocking, discs};
use crate::machine::durable;
use crate::machine::fault::Fault;
use crate::model::closing::CopyFate;
use crate::model::digest;
use crate::model::disposal::Disposal;
use crate::model::entry::EntryKind;
use crate::model::ids::{DisposalId, MediumId, SessionId};
use crate::model::medium::{ChangeKind, CopyStanding, Destruction, Medium, MediumState};
use crate::model::people::Person;
use crate::model::refusal::Refusal;
use crate::model::words::{self, BadField};

/// Every copy on discs and disks that holds something of what a disposal gave up.
pub(super) fn fates(c: &Reading, disposal: &Disposal) -> Result<Vec<CopyFate>, Fault> {
    let mut found: Vec<Medium> = Vec::new();
    for session in disposal.gone() {
        for medium in media::of_session(c, session)? {
            if !found.iter().any(|m| m.id == medium.id) {
                found.push(medium);
            }
        }
    }
    found.sort_by(|a, b| a.id.cmp(&b.id));
    let mut fates = Vec::new();
    for medium in found {
        let mut also_holds: Vec<SessionId> = Vec::new();
        for part in &medium.parts {
            if !also_holds.contains(&part.session) && !retention::is_gone(c, part.session.as_str())? {
                also_holds.push(part.session.clone());
            }
        }
        fates.extend(medium.copies.iter().map(|copy| CopyFate {
            medium: medium.id.clone(),
            kind: medium.kind,
            copy: copy.number,
            place: copy.place.clone(),
            standing: copy.standing,
            destroyed: copy.destroyed.clone(),
            also_holds: also_holds.clone(),
        }));
    }
    Ok(fates)
}

impl Desks {
    /// Closes a disposal that was carried out; `reason` says why copies stay, where some do.
    pub async fn close_disposal(&self, who: &Person, id: &DisposalId, reason: Option<&str>) -> Answer<Disposal> {
        let _turn = self.disposals_turn.lock().await;
        let disposal = self.known_disposal(who, id).await?;
        let reason = reason.map_or(Ok(None), |r| words::text("reason", r)).map_err(Refusal::from)?;
        let seen = disposal.clone();
        let copies = self.read(move |c| fates(c, &seen)).await?;
        let closed = disposal.close(who, copies, reason, self.now().utc).map_err(|refusal| self.refused(who, refusal, "close_disposal"))?;
        self.proved(who)?;
        let (data, folder) = (canonical(&closed)?, self.disposal_folder(id));
        let closing = closed.closed.as_ref();
        let (all, left) = closing.map_or((0, 0), |c| (c.copies.len(), c.left().count()));
        let draft = entry(EntryKind::DisposalClosed, &closed)
            .by(&who.id)
            .about("destroyed", all - left)
            .about("left", left)
            .about("sha256", digest::sha256(&data))
            .text("reason", closing.and_then(|c| c.word.reason.as_deref()));
        let signer = self.recorder.shared().signer.clone();
        // The paper first: a disposal that says that it is closed has one. A crash between them leaves it open, to be closed again. With
        // the key that signs today: the certificate's may have been another.
        blocking("a closing", move || sign(&folder, CLOSING, CLOSING_SIGNER, &data, &signer)).await??;
        self.keep_disposal(draft, closed.clone()).await?;
        Ok(closed)
    }

    /// A copy was destroyed by hand, before a second person (销毁, 监销).
    pub async fn destroy_copy(&self, who: &Person, id: &MediumId, copy: u32, how: &str, witness: &str) -> Answer<Medium> {
        let mut fields = Vec::new();
        let mut line = |name: &str, text: &str| words::needed_line(name, text).map_err(|e| fields.push(e)).unwrap_or_default();
        let (how, witness) = (line("how", how), line("seen_by", witness));
        if fields.is_empty() && (witness == who.name || witness == who.username) {
            fields.push(BadField::form("seen_by", "is somebody else than who enters it"));
        }
        if !fields.is_empty() {
            return Err(Refusal::BadFields { fields }.into());
        }
        self.proved(who)?;
        let said = format!("{how} · {witness}");
        let done = Destruction { at: self.now().utc, by: who.id.clone(), by_name: who.name.clone(), how, witness };
        self.change_copy(who, id, ChangeKind::Destroyed, copy, &said, move |m| m.with_destroyed(copy, done)).await
    }

    /// What was put together of a session for media goes from this machine; no: something runs on one of them, and it is tried again.
    pub(super) async fn remove_images(&self, session: &SessionId, disposal: &DisposalId) -> Answer<bool> {
        let _turn = self.media.changes.lock().await;
        let wanted = session.clone();
        for medium in self.read(move |c| media::of_session(c, &wanted)).await? {
            let busy = medium.state == MediumState::Making || medium.copies.iter().any(|c| c.standing == CopyStanding::Working);
            if busy || self.media.of(&medium.id).is_some() {
                return Ok(false);
            }
            if medium.state == MediumState::Ready {
                let kept = Medium { state: MediumState::Kept, ..medium.clone() };
                let kept = kept.noted(self.now().utc, None, ChangeKind::ImageRemoved, None, Some(disposal.as_str()));
                let draft = crate::desks::media::entry(EntryKind::MediumChanged, &kept).about("change", ChangeKind::ImageRemoved.as_str());
                self.keep_medium(draft.about("disposal", disposal), kept).await?;
            }
            let folder = self.medium_folder(&medium.id);
            // A crash before this leaves it to the next minute: the disposal is not done with the session before.
            let removed = blocking("removing an image", move || discs::remove_put_together(&folder)).await?;
            if let Err(fault) = removed {
                tracing::error!(medium = %medium.id, %fault, "what was put together is not given up yet");
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// The digest of the signed paper about a closing.
    pub(super) async fn closing_sha256(&self, id: &DisposalId) -> Option<String> {
        let path = self.disposal_folder(id).join(CLOSING);
        let read = blocking("reading a closing", move || durable::read_whole(&path, FILE_BYTES_MAX)).await;
        read.and_then(|data| data.map_err(No::from)).ok().map(|data| digest::sha256(&data))
    }
}
