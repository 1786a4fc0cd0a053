//! The register of media (第十九条): discs and removable disks on which recordings are kept besides the machine. A medium is a file of its
//! own, `media/<number>/medium.json`; the catalog is its index. How media are made and read: [`crate::desks::discs`].
//!
//! Decided by the regulation: 第十九条 orders the burning itself, as preservation, so that making a medium is the custodian's or the legal
//! unit's own duty and needs no approval for viewing. It gives nobody a look: the product never hands an image to a browser, a medium
//! lies in the bureau's cabinet, and a look at one is a viewing by the same approval as any other (第二十二条). Every medium is logged
//! before a file is read for it. The media are not encrypted: whoever has the cabinet's key can read them, and a court can without one.

use crate::catalog::media;
use crate::desks::discs::Step;
use crate::desks::{Answer, Desks, No, blocking};
use crate::footage::tree;
use crate::machine::{disc, durable, fault::Fault, volume};
use crate::model::disc_plan::{self, Disc, Item};
use crate::model::entry::{Draft, EntryKind};
use crate::model::ids::{MediumId, SessionId, UnitId};
use crate::model::medium::{self, ChangeKind, CopyStanding, Medium, MediumKind, MediumState, SecondMedium};
use crate::model::people::{Act, Person};
use crate::model::refusal::Refusal;
use crate::model::session::Session;
use crate::model::time;
use crate::model::words::{self, BadField};
use chrono::{DateTime, Datelike, Utc};
use serde::Serialize;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// Rows of the register.
const ROWS_MAX: u32 = 1000;
/// Most sessions of one order.
const SESSIONS_MAX: usize = 500;
/// What instructions, keys, log and lists of a session take at most, besides its own files.
const ALLOWANCE_BYTES: u64 = 2 * 1024 * 1024;
/// What a log entry with its proof takes.
const ENTRY_BYTES: u64 = 8 * 1024;
/// Days before its day on which a check is listed.
const SOON_DAYS: u64 = 14;
/// Removable disks, from the smallest to the largest.
const DISK_BYTES: std::ops::RangeInclusive<u64> = 100_000_000..=100_000_000_000_000;

/// Where media are written, and how.
#[derive(Debug, Clone)]
pub struct MediaSettings {
    /// The burner, as xorriso names it.
    pub drive: String,
    /// Where removable disks are mounted.
    pub removable: Vec<PathBuf>,
    /// Parity data, percent.
    pub parity_percent: u64,
    /// Months until a copy is read again.
    pub check_months: u32,
}

/// What somebody wants to have on media.
#[derive(Debug, Clone)]
pub struct Wanted {
    /// Of one unit.
    pub sessions: Vec<SessionId>,
    /// What they shall be.
    pub kind: MediumKind,
    /// For removable disks: bytes of one.
    pub disk_bytes: Option<u64>,
    /// The medium whose place they take.
    pub replaces: Option<MediumId>,
}

/// What would be made.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct MediaPlan {
    /// Each medium with what is on it.
    pub media: Vec<Disc>,
    /// Bytes of sessions that fit onto one.
    pub room: u64,
    /// Bytes that are needed on this machine meanwhile.
    pub needed: u64,
    /// Bytes that are free beside the reserve.
    pub free: u64,
    /// Programs that are not on this machine.
    pub missing_programs: Vec<&'static str>,
}

/// A medium with what is to be done about it.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct MediumView {
    /// It.
    pub medium: Medium,
    /// Its unit's name.
    pub unit_name: String,
    /// The earliest check is due by now.
    pub due: bool,
    /// It is due soon.
    pub due_soon: bool,
    /// A copy is damaged, and none that is right is left.
    pub needs_new_copy: bool,
    /// What runs on it now.
    pub step: Option<Step>,
    /// How much of that is done, thousandths.
    pub done: u32,
    /// The burner and the folders of removable disks: by number.
    pub targets: Vec<String>,
}

/// A held session and its second medium.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct HeldSession {
    /// Which.
    pub session: SessionId,
    /// Since when it is held.
    pub since: DateTime<Utc>,
    /// How it stands.
    pub second: SecondMedium,
    /// Party, cause: what lists show.
    pub party: Option<String>,
    /// The same.
    pub cause: Option<String>,
    /// When it was recorded.
    pub started_at: DateTime<Utc>,
    /// Its unit.
    pub unit: UnitId,
    /// It is on a medium that is being made, or waits to be burnt.
    pub begun: bool,
}

/// The register as a page shows it.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct Register {
    /// Media, newest first.
    pub media: Vec<MediumView>,
    /// Held sessions without a second medium, the longest held first.
    pub without: Vec<HeldSession>,
}

impl Desks {
    pub(super) fn medium_folder(&self, id: &MediumId) -> PathBuf {
        self.settings.data.join("media").join(id.as_str())
    }

    /// A medium of a unit that this person lists.
    pub(super) async fn medium_of(&self, who: &Person, id: &MediumId) -> Answer<Medium> {
        self.need(who, Act::KeepMedia)?;
        let wanted = id.clone();
        let found = self.read(move |c| media::by_id(c, &wanted)).await?;
        found.filter(|m| who.lists_unit(&m.unit)).ok_or_else(|| Refusal::no_such("medium", id.as_str()).into())
    }

    fn medium_view(&self, m: Medium) -> MediumView {
        let now = self.now().utc;
        let running = self.media.of(&m.id);
        MediumView {
            unit_name: self.unit_name(&m.unit),
            due: m.is_due(now),
            due_soon: m.next_check().is_some_and(|day| day <= medium::due_by(now, SOON_DAYS)),
            needs_new_copy: m.needs_new_copy(),
            step: running.as_ref().map(|r| r.0),
            done: running.map_or(0, |r| r.1),
            targets: self.targets(m.kind),
            medium: m,
        }
    }

    /// Where a medium of a kind can be written to, by the words of the configuration.
    pub(super) fn targets(&self, kind: MediumKind) -> Vec<String> {
        let of_disks = || self.settings.media.removable.iter().map(|p| p.display().to_string()).collect();
        if kind.is_disc() { vec![self.settings.media.drive.clone()] } else { of_disks() }
    }

    /// The register of the units that this person lists.
    pub async fn media_register(&self, who: &Person) -> Answer<Register> {
        self.need(who, Act::KeepMedia)?;
        let all = self.read(|c| media::newest(c, ROWS_MAX)).await?;
        let mine = all.into_iter().filter(|m| who.lists_unit(&m.unit)).map(|m| self.medium_view(m)).collect();
        let without = self.held_sessions(who).await?.into_iter().filter(|h| h.second != SecondMedium::There).collect();
        Ok(Register { media: mine, without })
    }

    /// Held sessions of the units that this person lists.
    pub async fn held_sessions(&self, who: &Person) -> Answer<Vec<HeldSession>> {
        self.need(who, Act::KeepMedia)?;
        let now = self.now().utc;
        let units: Vec<String> = self.settings.units.iter().filter(|(u, _)| who.lists_unit(u)).map(|(u, _)| u.to_string()).collect();
        let rows = self.read(move |c| {
            let mut rows = Vec::new();
            for held in media::held(c, Some(&units))? {
                let Some(doc) = crate::catalog::sessions::by_id(c, &held.session)? else { continue };
                let open = |m: &Medium| matches!(m.state, MediumState::Making | MediumState::Ready);
                let begun = media::of_session(c, &held.session)?.iter().any(open);
                rows.push((held, doc.session, begun));
            }
            Ok(rows)
        });
        let row = |(held, session, begun): (media::Held, Session, bool)| {
            let verified: Vec<_> = held.verified_at.into_iter().collect();
            HeldSession {
                second: medium::needs_medium(held.since, &verified, now),
                session: held.session,
                since: held.since,
                party: session.facts().party.clone(),
                cause: session.facts().cause.clone(),
                started_at: session.started_at,
                unit: session.unit.clone(),
                begun,
            }
        };
        Ok(rows.await?.into_iter().filter(|(_, session, _)| who.lists(session)).map(row).collect())
    }

    /// One medium.
    pub async fn medium(&self, who: &Person, id: &MediumId) -> Answer<MediumView> {
        let medium = self.medium_of(who, id).await?;
        Ok(self.medium_view(medium))
    }

    /// What a medium's label says besides its number: the sessions on it that this person lists (第十七条).
    pub async fn label(&self, who: &Person, id: &MediumId) -> Answer<(MediumView, Vec<Session>)> {
        let medium = self.medium_of(who, id).await?;
        let mut sessions = Vec::new();
        for part in &medium.parts {
            sessions.push(self.known(who, &part.session).await?.session);
        }
        sessions.dedup_by(|a, b| a.id == b.id);
        Ok((self.medium_view(medium), sessions))
    }

    /// Sealed sessions of one unit that this person lists, as they would be put onto media.
    async fn items(&self, who: &Person, wanted: &Wanted) -> Answer<(UnitId, Vec<Item>)> {
        if wanted.sessions.is_empty() || wanted.sessions.len() > SESSIONS_MAX {
            return Err(Refusal::from(BadField::form("sessions", "are 1 to 500")).into());
        }
        let (mut unit, mut items): (Option<UnitId>, Vec<Item>) = (None, Vec::new());
        for id in &wanted.sessions {
            let doc = self.known(who, id).await?;
            let session = doc.session;
            if session.seal.is_none() {
                return Err(Refusal::SessionState { state: session.state.as_str().into() }.into());
            }
            if *unit.get_or_insert_with(|| session.unit.clone()) != session.unit {
                return Err(Refusal::from(BadField::form("sessions", "belong to several units")).into());
            }
            if items.iter().any(|i| i.session == session.id) {
                continue;
            }
            let folder = self.footage().join(&doc.folder);
            let (of, segments) = (session.id.to_string(), session.segments.iter().map(|s| s.bytes).collect());
            let entries = self.read(move |c| crate::catalog::entries::page(c, None, Some(&of), 5_000)).await?.len() as u64;
            let papers = blocking("measuring a session", move || papers_bytes(&folder)).await??;
            items.push(Item { session: session.id, papers_bytes: papers + ALLOWANCE_BYTES + entries * ENTRY_BYTES, segments });
        }
        let unit = unit.ok_or_else(|| Refusal::from(BadField::form("sessions", "are 1 to 500")))?;
        Ok((unit, items))
    }

    /// What would be made of this, and whether there is room for it.
    pub async fn plan_media(&self, who: &Person, wanted: &Wanted) -> Answer<MediaPlan> {
        self.need(who, Act::KeepMedia)?;
        let (_, items) = self.items(who, wanted).await?;
        self.planned(wanted, items)
    }

    fn planned(&self, wanted: &Wanted, items: Vec<Item>) -> Answer<MediaPlan> {
        let parity = self.settings.media.parity_percent;
        let bytes = match wanted.kind.bytes() {
            Some(bytes) => bytes,
            None => wanted
                .disk_bytes
                .filter(|b| DISK_BYTES.contains(b))
                .ok_or_else(|| Refusal::from(BadField::form("disk_gb", "is not 0.1 to 100000")))?,
        };
        let room = medium::room(bytes, parity);
        let media = disc_plan::plan(items, room).map_err(|_| Refusal::from(BadField::form("kind", "is a file that no such disc holds")))?;
        let footage: u64 = media.iter().map(|d| d.bytes).sum();
        // Names are second names of the files that are there; parity lies in the folder, and once more in the image.
        let image = if wanted.kind.is_disc() { footage * (100 + parity) / 100 } else { 0 };
        let needed = image + footage * parity / 100 + media.len() as u64 * medium::OVERHEAD_BYTES;
        let free = volume::room(&self.settings.data)?.free.saturating_sub(self.settings.reserve_bytes);
        Ok(MediaPlan { media, room, needed, free, missing_programs: disc::missing_programs() })
    }

    /// Orders media: they are in the register at once, and what goes onto them is put together behind.
    pub async fn order_media(self: &Arc<Self>, who: &Person, wanted: Wanted) -> Answer<Vec<Medium>> {
        self.need(who, Act::KeepMedia)?;
        self.proved(who)?;
        let replaced = match &wanted.replaces {
            Some(id) => Some(self.medium_of(who, id).await?.id),
            None => None,
        };
        let (unit, items) = self.items(who, &wanted).await?;
        let plan = self.planned(&wanted, items)?;
        if plan.needed > plan.free {
            let mb = |bytes: u64| bytes.div_ceil(1_000_000);
            return Err(Refusal::NoRoom { needed_mb: mb(plan.needed), free_mb: mb(plan.free) }.into());
        }
        if !plan.missing_programs.is_empty() {
            return Err(No::Fault(format!("not on this machine: {}", plan.missing_programs.join(", "))));
        }
        let (now, of) = (self.now().utc, plan.media.len() as u32);
        let turn = self.media.numbers.lock().await;
        let (year, first) = (time::shanghai_day(now).year(), self.next_number(now).await?);
        let id = |n: u32| MediumId::new(&format!("d-{year}-{:04}", first + n)).map_err(|e| No::Fault(e.to_string()));
        let (set, mut ordered) = (id(0)?, Vec::new());
        for (n, disc) in plan.media.into_iter().enumerate() {
            let medium = Medium {
                id: id(n as u32)?,
                kind: wanted.kind,
                unit: unit.clone(),
                set: set.clone(),
                number: n as u32 + 1,
                of,
                state: MediumState::Making,
                parts: disc.parts,
                bytes: None,
                files: None,
                list_sha256: None,
                image_sha256: None,
                replaces: replaced.clone(),
                copies: vec![],
                by: who.id.clone(),
                by_name: who.name.clone(),
                ordered_at: now,
                history: vec![],
            };
            let medium = medium.noted(now, Some((&who.id, &who.name)), ChangeKind::Ordered, None, None);
            self.keep_medium(
                entry(EntryKind::MediumOrdered, &medium).by(&who.id).about("medium_kind", medium.kind.as_str()),
                medium.clone(),
            )
            .await?;
            // Each session's own part of the log tells that it was put onto a medium, before a file of it is read.
            for part in &medium.parts {
                let draft = entry(EntryKind::MediumOrdered, &medium).by(&who.id).in_session(&part.session);
                self.acts.log_then_do(draft.about("part", format!("{}/{}", part.part, part.parts)), |_| Ok(())).await?;
            }
            ordered.push(medium);
        }
        drop(turn);
        ordered.iter().for_each(|m| self.begin_medium(m.clone()));
        Ok(ordered)
    }

    /// The next number of the year, by the folders and the index: a number is never given twice.
    async fn next_number(&self, now: DateTime<Utc>) -> Answer<u32> {
        let begins = format!("d-{}-", time::shanghai_day(now).year());
        let (root, of_files) = (self.settings.data.join("media"), begins.clone());
        let names = blocking("the media's folders", move || durable::names(&root)).await??;
        let asked = begins.clone();
        let indexed = self.read(move |c| media::last_number(c, &asked)).await?;
        let number = |name: &String| name.strip_prefix(&of_files)?.parse::<u32>().ok();
        Ok(names.iter().chain(&indexed).filter_map(number).max().unwrap_or(0) + 1)
    }

    /// Logs, then puts it into its file and the catalog.
    pub(super) async fn keep_medium(&self, draft: Draft, medium: Medium) -> Answer<()> {
        self.acts.log_then_do(draft, |_| Ok(())).await?;
        let (folder, kept) = (self.medium_folder(&medium.id), medium.clone());
        blocking("a medium's file", move || {
            durable::make_folder(&folder)?;
            let data = serde_json::to_vec_pretty(&kept).map_err(|e| Fault::of("encode", "a medium", e))?;
            durable::write_whole(&folder.join("medium.json"), &data)
        })
        .await??;
        self.acts.keep(move |t| media::put(t, &medium)).await?;
        // The count is a comfort, and made anew each minute: what was kept is kept.
        if let Err(no) = self.count_media_due().await {
            tracing::warn!("media that are due are not counted: {no}");
        }
        Ok(())
    }

    /// Counts of how many media a copy is to be read by now: for the status page, where nobody waits for the catalog.
    pub async fn count_media_due(&self) -> Answer<()> {
        let today = time::shanghai_day(self.now().utc);
        let due = self.read(move |c| media::count_due(c, None, today)).await?;
        self.media_due.store(due, Ordering::Relaxed);
        Ok(())
    }

    /// A change that somebody enters: another place, out of the register.
    pub(super) async fn change_copy(
        &self,
        who: &Person,
        id: &MediumId,
        kind: ChangeKind,
        copy: u32,
        text: &str,
        change: impl FnOnce(Medium) -> Result<Medium, Refusal>,
    ) -> Answer<Medium> {
        let _turn = self.media.changes.lock().await;
        let medium = self.medium_of(who, id).await?;
        match medium.copy(copy)?.standing {
            CopyStanding::Working => return Err(Refusal::TooMany { running: 1 }.into()),
            CopyStanding::Destroyed => return Err(Refusal::CopyStanding { standing: "destroyed".into() }.into()),
            _ => {}
        }
        let changed = change(medium)?.noted(self.now().utc, Some((&who.id, &who.name)), kind, Some(copy), Some(text));
        let draft = entry(EntryKind::MediumChanged, &changed).by(&who.id).about("copy_no", copy).about("change", kind.as_str());
        self.keep_medium(draft.text("what", Some(text)), changed.clone()).await?;
        Ok(changed)
    }

    /// A copy lies elsewhere now.
    pub async fn move_copy(&self, who: &Person, id: &MediumId, copy: u32, place: &str) -> Answer<Medium> {
        let place = words::needed_line("place", place).map_err(Refusal::from)?;
        let to = place.clone();
        let moved = move |mut m: Medium| {
            m.copies.iter_mut().filter(|c| c.number == copy).for_each(|c| c.place.clone_from(&to));
            Ok(m)
        };
        self.change_copy(who, id, ChangeKind::Moved, copy, &place, moved).await
    }

    /// A copy is found damaged or lost by somebody, without a reading.
    pub async fn report_damage(&self, who: &Person, id: &MediumId, copy: u32, reason: &str) -> Answer<Medium> {
        let reason = words::needed_text("reason", reason).map_err(Refusal::from)?;
        self.change_copy(who, id, ChangeKind::Damaged, copy, &reason, |m| Ok(m.standing(copy, CopyStanding::Damaged))).await
    }

    /// A copy is taken out of the register; its history stays.
    pub async fn retire_copy(&self, who: &Person, id: &MediumId, copy: u32, reason: &str) -> Answer<Medium> {
        self.proved(who)?;
        let reason = words::needed_text("reason", reason).map_err(Refusal::from)?;
        self.change_copy(who, id, ChangeKind::Retired, copy, &reason, |m| Ok(m.standing(copy, CopyStanding::Retired))).await
    }

    /// Removes what was put together from the machine, once enough copies are made; further ones are made by a new order.
    pub async fn remove_image(&self, who: &Person, id: &MediumId) -> Answer<Medium> {
        let _turn = self.media.changes.lock().await;
        let medium = self.medium_of(who, id).await?;
        medium.need(&[MediumState::Ready])?;
        if medium.copies.iter().any(|c| c.standing == CopyStanding::Working) {
            return Err(Refusal::TooMany { running: 1 }.into());
        }
        let kept = Medium { state: MediumState::Kept, ..medium };
        let kept = kept.noted(self.now().utc, Some((&who.id, &who.name)), ChangeKind::ImageRemoved, None, None);
        let draft = entry(EntryKind::MediumChanged, &kept).by(&who.id).about("change", ChangeKind::ImageRemoved.as_str());
        self.keep_medium(draft, kept.clone()).await?;
        let folder = self.medium_folder(id);
        // A crash before this leaves an image that nobody needs, and the register right.
        blocking("removing an image", move || super::discs::remove_put_together(&folder)).await??;
        Ok(kept)
    }
}

/// A log entry about a medium.
pub(super) fn entry(kind: EntryKind, medium: &Medium) -> Draft {
    Draft::new(kind).about("medium", &medium.id)
}

/// Bytes of what lies in a session's folder besides its segments.
fn papers_bytes(folder: &Path) -> Result<u64, Fault> {
    let mut bytes = 0;
    for name in durable::names(folder)?.into_iter().filter(|n| !n.ends_with(".mp4") && !n.contains(".damaged-")) {
        let path = folder.join(&name);
        if name == tree::DOCUMENTS || path.is_dir() {
            for document in durable::names(&path)? {
                bytes += durable::length(&path.join(document))?;
            }
        } else {
            bytes += durable::length(&path)?;
        }
    }
    Ok(bytes)
}
