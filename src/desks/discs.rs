//! Making, burning and reading media (第十九条). One at a time, by programs of the lowest priority that can be stopped at any moment; a
//! copy is *verified* only once every file was read back from it and has the digest of its list. What fails is told, stands in the
//! medium's history, and loses nothing: the recordings lie where they lay.
//!
//! ```text
//! order ─► tree/ (second names of the footage, papers, instructions) ─► parity/ ─► image.iso, read and compared ─► ready
//! ready ─► burn, or copy to a disk ─► read back, compared ─► verified ─► months later: read again
//! ```

use crate::custody::package::{Member, Source};
use crate::desks::discs::gathering::{Made, compare, copy_tree, digests_of, list_text, put_together, read_list};
use crate::desks::media::entry;
use crate::desks::{Answer, Desks, No, blocking};
use crate::machine::disc::{self, Watching};
use crate::machine::worker::Stop;
use crate::machine::{durable, fault::Fault};
use crate::model::digest;
use crate::model::entry::EntryKind;
use crate::model::ids::MediumId;
use crate::model::medium::{ChangeKind, CopyStanding, Medium, MediumState};
use crate::model::people::{Act, Person};
use crate::model::refusal::Refusal;
use crate::model::words::{self, BadField};
use serde::Serialize;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

mod gathering;
mod instructions;

/// The image in a medium's folder.
pub(super) const IMAGE: &str = "image.iso";
/// What is put together in it.
pub(super) const TREE: &str = "tree";

/// Removes what was put together of a medium from this machine.
pub(super) fn remove_put_together(folder: &Path) -> Result<(), Fault> {
    durable::remove_marker(&folder.join(IMAGE))?;
    durable::remove_derived_folder(&folder.join(TREE))
}

/// What runs on a medium.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Step {
    /// It waits for its turn.
    Waiting,
    /// Its files are put together.
    Gathering,
    /// Parity data is computed.
    Parity,
    /// The image is written.
    Image,
    /// What was put together is read and compared.
    Comparing,
    /// A copy is burnt or copied.
    Writing,
    /// A copy is read and compared.
    Reading,
}

impl Step {
    /// Its word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Gathering => "gathering",
            Self::Parity => "parity",
            Self::Image => "image",
            Self::Comparing => "comparing",
            Self::Writing => "writing",
            Self::Reading => "reading",
        }
    }
}

struct Now {
    step: Step,
    done: u32,
    stop: Option<Stop>,
    cancelled: bool,
}

/// What runs on media.
#[derive(Default)]
pub(crate) struct Jobs {
    running: Mutex<BTreeMap<MediumId, Now>>,
    /// One medium at a time, so that recording keeps the machine.
    turn: tokio::sync::Mutex<()>,
    /// One number at a time.
    pub(super) numbers: tokio::sync::Mutex<()>,
    /// One change of a medium at a time: each begins from what the one before it left.
    pub(super) changes: tokio::sync::Mutex<()>,
}

impl Jobs {
    fn with<T>(&self, work: impl FnOnce(&mut BTreeMap<MediumId, Now>) -> T) -> T {
        work(&mut self.running.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// What runs on a medium, and how far it is.
    pub(super) fn of(&self, id: &MediumId) -> Option<(Step, u32)> {
        self.with(|all| all.get(id).map(|now| (now.step, now.done)))
    }

    /// Whether it could be begun: nothing else runs on the medium.
    fn begin(&self, id: &MediumId) -> bool {
        self.with(|all| {
            let free = !all.contains_key(id);
            if free {
                all.insert(id.clone(), Now { step: Step::Waiting, done: 0, stop: None, cancelled: false });
            }
            free
        })
    }

    fn step(&self, id: &MediumId, step: Step) -> Result<(), Fault> {
        self.with(|all| match all.get_mut(id) {
            Some(now) if !now.cancelled => {
                (now.step, now.done, now.stop) = (step, 0, None);
                Ok(())
            }
            _ => Err(Fault::of("go on with", id.to_string(), "it was stopped")),
        })
    }

    fn cancelled(&self, id: &MediumId) -> bool {
        self.with(|all| all.get(id).is_none_or(|now| now.cancelled))
    }

    fn cancel(&self, id: &MediumId) {
        let stop = self.with(|all| {
            all.get_mut(id).and_then(|now| {
                now.cancelled = true;
                now.stop.clone()
            })
        });
        if let Some(stop) = stop {
            stop.now();
        }
    }

    /// Runs file work that is watched.
    fn watched<T>(&self, id: &MediumId, work: impl FnOnce(&Watching<'_>) -> Result<T, Fault>) -> Result<T, Fault> {
        let told = |done: u32| {
            self.with(|all| {
                if let Some(now) = all.get_mut(id) {
                    now.done = done;
                }
            });
        };
        let stop = |stop: Stop| {
            let go_on = self.with(|all| {
                all.get_mut(id).is_some_and(|now| {
                    now.stop = Some(stop.clone());
                    !now.cancelled
                })
            });
            if !go_on {
                stop.now();
            }
        };
        work(&Watching { told: &told, stop: &stop })
    }
}

impl Desks {
    /// Puts a medium's content together, behind.
    pub(super) fn begin_medium(self: &Arc<Self>, medium: Medium) {
        if !self.media.begin(&medium.id) {
            return;
        }
        let desks = self.clone();
        tokio::spawn(async move {
            let _turn = desks.media.turn.lock().await;
            let id = medium.id.clone();
            let made = if desks.media.cancelled(&id) { Err(No::Fault("it was stopped".into())) } else { desks.make_medium(&medium).await };
            if let Err(no) = desks.medium_ended(medium, made).await {
                tracing::error!(medium = %id, "its state is not kept: {no}");
            }
            desks.media.with(|all| all.remove(&id));
        });
    }

    async fn make_medium(self: &Arc<Self>, medium: &Medium) -> Answer<Made> {
        self.media.step(&medium.id, Step::Gathering)?;
        let mut members = Vec::new();
        let mut sessions = Vec::new();
        for part in &medium.parts {
            let (session, folder) = self.session_doc(&part.session).await?;
            let of_part: Vec<String> =
                session.segments.get(part.from..part.to).unwrap_or_default().iter().map(|s| s.file.clone()).collect();
            let all_segments: Vec<String> = session.segments.iter().map(|s| s.file.clone()).collect();
            let all = self.package_members(session.clone(), folder, medium.id.to_string()).await?;
            for member in all {
                let name = member.path.rsplit('/').next().unwrap_or_default();
                let is_segment = matches!(member.source, Source::File(_)) && all_segments.iter().any(|s| s == name);
                if (is_segment && of_part.iter().any(|s| s == name)) || (!is_segment && part.part == 1) {
                    members.push(Member { path: format!("{}/{}", part.session, member.path), ..member });
                }
            }
            sessions.push(session);
        }
        members.extend(instructions::members(medium, &sessions, &self.settings.bureau, &self.unit_name(&medium.unit)));
        let (desks, medium, folder) = (self.clone(), medium.clone(), self.medium_folder(&medium.id));
        let percent = self.settings.media.parity_percent;
        Ok(blocking("putting a medium together", move || put_together(&desks.media, &medium, &folder, members, percent)).await??)
    }

    async fn medium_ended(&self, medium: Medium, made: Answer<Made>) -> Answer<()> {
        let _turn = self.media.changes.lock().await;
        let now = self.now().utc;
        match made {
            Ok(made) => {
                let list_sha256 = digest::sha256(list_text(&made.list).as_bytes());
                let mut draft = entry(EntryKind::MediumMade, &medium).about("list_sha256", &list_sha256).about("bytes", made.bytes);
                if let Some(sha256) = &made.image_sha256 {
                    draft = draft.about("image_sha256", sha256);
                }
                let ready = Medium {
                    state: MediumState::Ready,
                    bytes: Some(made.bytes),
                    files: Some(made.list.len() as u64),
                    list_sha256: Some(list_sha256),
                    image_sha256: made.image_sha256,
                    ..medium
                };
                self.keep_medium(draft, ready.noted(now, None, ChangeKind::Made, None, None)).await
            }
            Err(no) => {
                let stopped = self.media.cancelled(&medium.id);
                let why = self.medium_told(&medium.id, no);
                let folder = self.medium_folder(&medium.id);
                // Second names and what can be made again; the recordings are not in it.
                drop(blocking("removing what was begun", move || durable::remove_derived_folder(&folder.join(TREE))).await);
                let (state, kind) =
                    if stopped { (MediumState::Cancelled, ChangeKind::Cancelled) } else { (MediumState::Failed, ChangeKind::NotMade) };
                let draft = entry(EntryKind::MediumNotMade, &medium).about("state", state.as_str()).text("what", Some(&why));
                let text = (!stopped).then_some(why.as_str());
                self.keep_medium(draft, Medium { state, ..medium }.noted(now, None, kind, None, text)).await
            }
        }
    }

    /// A failure in words for the history; the whole of it goes to the journal.
    fn medium_told(&self, id: &MediumId, no: No) -> String {
        match no {
            No::Refusal(refusal) => refusal.to_string(),
            No::Fault(inside) => {
                tracing::error!(medium = %id, "{inside}");
                inside.chars().take(500).collect()
            }
        }
    }

    /// Stops what runs on a medium.
    pub async fn cancel_medium(&self, who: &Person, id: &MediumId) -> Answer<()> {
        let medium = self.medium_of(who, id).await?;
        if self.media.of(id).is_none() {
            return Err(Refusal::MediumState { state: medium.state.as_str().into() }.into());
        }
        self.acts.log_then_do(entry(EntryKind::MediumChanged, &medium).by(&who.id).about("change", "cancelled"), |_| Ok(())).await?;
        self.media.cancel(id);
        Ok(())
    }

    /// Begins a copy: onto the disc in the burner, or into the folder of a removable disk (`target`, by its place in the list).
    pub async fn write_copy(self: &Arc<Self>, who: &Person, id: &MediumId, place: &str, target: usize) -> Answer<Medium> {
        self.need(who, Act::KeepMedia)?;
        self.proved(who)?;
        let place = words::needed_line("place", place).map_err(Refusal::from)?;
        let turn = self.media.changes.lock().await;
        let medium = self.medium_of(who, id).await?;
        let target = self.target(&medium, target)?;
        let now = self.now().utc;
        let (begun, copy) = medium.with_copy(&who.name, &place, now)?;
        let begun = begun.noted(now, Some((&who.id, &who.name)), ChangeKind::Begun, Some(copy), Some(&place));
        if !self.media.begin(id) {
            return Err(Refusal::TooMany { running: 1 }.into());
        }
        let draft = entry(EntryKind::MediumCopyBegun, &begun).by(&who.id).about("copy_no", copy).text("place", Some(&place));
        if let Err(no) = self.keep_medium(draft, begun.clone()).await {
            self.media.with(|all| all.remove(id));
            return Err(no);
        }
        drop(turn);
        let (desks, id) = (self.clone(), id.clone());
        tokio::spawn(async move {
            let _turn = desks.media.turn.lock().await;
            let written = desks.written(&id, &target, true).await;
            desks.copy_read(&id, copy, written, true).await;
            desks.media.with(|all| all.remove(&id));
        });
        Ok(begun)
    }

    /// Reads a copy and compares it with its list, behind.
    pub async fn check_copy(self: &Arc<Self>, who: &Person, id: &MediumId, copy: u32, target: usize) -> Answer<()> {
        let medium = self.medium_of(who, id).await?;
        let target = self.target(&medium, target)?;
        let standing = medium.copy(copy)?.standing;
        if !matches!(standing, CopyStanding::Verified | CopyStanding::Damaged | CopyStanding::Failed) || medium.list_sha256.is_none() {
            return Err(Refusal::MediumState { state: medium.state.as_str().into() }.into());
        }
        if !self.media.begin(id) {
            return Err(Refusal::TooMany { running: 1 }.into());
        }
        let (desks, id) = (self.clone(), id.clone());
        tokio::spawn(async move {
            let _turn = desks.media.turn.lock().await;
            let read = desks.written(&id, &target, false).await;
            desks.copy_read(&id, copy, read, false).await;
            desks.media.with(|all| all.remove(&id));
        });
        Ok(())
    }

    fn target(&self, medium: &Medium, target: usize) -> Answer<String> {
        let found = self.targets(medium.kind).into_iter().nth(target);
        found.ok_or_else(|| Refusal::from(BadField::form("target", "is no target of the configuration")).into())
    }

    /// Writes (`write`) and reads a copy; gives the files that are not what they have to be.
    async fn written(self: &Arc<Self>, id: &MediumId, target: &str, write: bool) -> Answer<Vec<String>> {
        let (desks, id, folder, target) = (self.clone(), id.clone(), self.medium_folder(id), target.to_owned());
        let wanted = id.clone();
        let medium = self.read(move |c| crate::catalog::media::by_id(c, &wanted)).await?;
        let medium = medium.ok_or_else(|| Refusal::no_such("medium", id.as_str()))?;
        let work = move || {
            let jobs = &desks.media;
            let list = read_list(&folder, medium.list_sha256.as_deref().unwrap_or_default())?;
            let files: Vec<String> = list.iter().map(|(path, _)| path.clone()).collect();
            let found = if medium.kind.is_disc() {
                if write {
                    jobs.step(&id, Step::Writing)?;
                    jobs.watched(&id, |w| disc::burn(&folder.join(IMAGE), &target, w))?;
                }
                jobs.step(&id, Step::Reading)?;
                jobs.watched(&id, |w| disc::digests(&target, &files, &folder.join("reading.options"), w))?
            } else {
                let on_disk = Path::new(&target).join(id.as_str());
                if write {
                    jobs.step(&id, Step::Writing)?;
                    jobs.watched(&id, |w| copy_tree(&folder.join(TREE), &on_disk, &files, Path::new(&target), w))?;
                }
                jobs.step(&id, Step::Reading)?;
                jobs.watched(&id, |w| digests_of(&on_disk, &files, jobs, &id, w))?
            };
            compare(&list, &found)
        };
        Ok(blocking("a copy of a medium", work).await??)
    }

    async fn copy_read(&self, id: &MediumId, copy: u32, read: Answer<Vec<String>>, written: bool) {
        let _turn = self.media.changes.lock().await;
        let stopped = self.media.cancelled(id);
        let wanted = id.clone();
        let medium = match self.read(move |c| crate::catalog::media::by_id(c, &wanted)).await {
            Ok(Some(medium)) => medium,
            other => return tracing::error!(medium = %id, "what was read of a copy is not kept: {:?}", other.err()),
        };
        if let Err(no) = self.copy_read_of(medium, copy, read, written, stopped).await {
            tracing::error!(medium = %id, copy, "what was read of a copy is not kept: {no}");
        }
    }

    async fn copy_read_of(&self, medium: Medium, copy: u32, read: Answer<Vec<String>>, written: bool, stopped: bool) -> Answer<()> {
        let (now, months) = (self.now().utc, self.settings.media.check_months);
        let about = |kind| entry(kind, &medium).about("copy_no", copy);
        match read {
            Ok(wrong) if wrong.is_empty() => {
                let (kind, change, how) = if written {
                    (EntryKind::MediumCopyVerified, ChangeKind::Verified, "read_back")
                } else {
                    (EntryKind::MediumChecked, ChangeKind::Checked, "check")
                };
                let draft = about(kind).about("result", "right").about("list_sha256", medium.list_sha256.as_deref().unwrap_or_default());
                let mut right = medium.clone().found_right(copy, how, now, months);
                // A new copy that is right takes the place of those that are damaged.
                if written {
                    for damaged in medium.copies.iter().filter(|c| c.standing == CopyStanding::Damaged) {
                        right = right.standing(damaged.number, CopyStanding::Replaced).noted(
                            now,
                            None,
                            ChangeKind::Replaced,
                            Some(damaged.number),
                            None,
                        );
                    }
                }
                self.keep_medium(draft, right.noted(now, None, change, Some(copy), None)).await?;
                if written { self.replaced(&medium).await } else { Ok(()) }
            }
            Ok(wrong) => {
                let told = format!("{} files: {}", wrong.len(), wrong.iter().take(5).cloned().collect::<Vec<_>>().join(", "));
                let (kind, change, standing) = if written {
                    (EntryKind::MediumCopyFailed, ChangeKind::NotWritten, CopyStanding::Failed)
                } else {
                    // Damage of what had been right is an event of its own kind (第二十三条: badly kept).
                    self.acts.do_and_log(about(EntryKind::DamageFound).about("files", wrong.len()), |_| Ok(()));
                    (EntryKind::MediumChecked, ChangeKind::Damaged, CopyStanding::Damaged)
                };
                let draft = about(kind).about("result", "damaged").about("files", wrong.len()).text("what", Some(&told));
                let bad = medium.clone().standing(copy, standing).noted(now, None, change, Some(copy), Some(&told));
                self.keep_medium(draft, bad).await
            }
            Err(no) => {
                let why = self.medium_told(&medium.id, no);
                // A check that did not come about says nothing of the copy; a copy that was not written is void.
                let (kind, change, after) = if written {
                    (EntryKind::MediumCopyFailed, ChangeKind::NotWritten, medium.clone().standing(copy, CopyStanding::Failed))
                } else {
                    (EntryKind::MediumChecked, ChangeKind::NotChecked, medium.clone())
                };
                let draft = about(kind).about("result", "not_read").about("stopped", stopped).text("what", Some(&why));
                let why = if stopped { "stopped" } else { &why };
                self.keep_medium(draft, after.noted(now, None, change, Some(copy), Some(why))).await
            }
        }
    }

    /// The medium whose place a verified one takes: its copies that are no good are replaced.
    async fn replaced(&self, by: &Medium) -> Answer<()> {
        let Some(id) = by.replaces.clone() else { return Ok(()) };
        let Some(mut old) = self.read(move |c| crate::catalog::media::by_id(c, &id)).await? else { return Ok(()) };
        let (now, damaged) = (self.now().utc, CopyStanding::Damaged);
        let numbers: Vec<u32> = old.copies.iter().filter(|c| c.standing == damaged).map(|c| c.number).collect();
        for number in numbers {
            old = old.standing(number, CopyStanding::Replaced).noted(now, None, ChangeKind::Replaced, Some(number), Some(by.id.as_str()));
        }
        let draft = entry(EntryKind::MediumChanged, &old).about("change", ChangeKind::Replaced.as_str()).about("by_medium", &by.id);
        self.keep_medium(draft, old).await
    }

    /// At start: goes on with what a restart broke off. A disc that was being burnt is void.
    pub async fn resume_media(self: &Arc<Self>) {
        let all = self.read(|c| crate::catalog::media::newest(c, u32::MAX)).await.unwrap_or_default();
        for medium in all {
            if medium.state == MediumState::Making {
                self.begin_medium(medium);
            } else if let Some(copy) = medium.copies.iter().find(|c| c.standing == CopyStanding::Working).map(|c| c.number) {
                let read = Err(No::Fault("the recorder was restarted meanwhile".into()));
                if let Err(no) = self.copy_read_of(medium, copy, read, true, false).await {
                    tracing::error!("a copy that a restart broke off is not kept as such: {no}");
                }
            }
        }
    }
}
