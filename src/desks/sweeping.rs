//! What the archive's thread takes away: from the bucket what was given up (第十八条) and what others took the place of, once the locks have
//! ended and never before; from here the copies that the bucket holds verified, where the configuration says so.

use crate::catalog::archive::{self, Item};
use crate::desks::archiving::{Archivist, BATCH, is_complete};
use crate::desks::retrieval::Trouble;
use crate::footage::archive::{StoreFault, Version};
use crate::footage::tree;
use crate::machine::durable;
use crate::machine::fault::Fault;
use crate::model::archive::{Lock, is_below, is_open};
use crate::model::entry::{Draft, EntryKind};
use crate::model::ids::SessionId;
use crate::model::session::{Segment, Session};
use chrono::{DateTime, TimeDelta, Utc};

/// When what is refused although its lock should have ended is tried again: the bucket's clock decides, or these keys may not.
const AGAIN: TimeDelta = TimeDelta::hours(1);
/// Versions that are looked at in one go.
const VERSIONS: u32 = 500;

impl Archivist {
    /// Deletes what is given up: every version and marker of a session, once its locks have ended. The bucket itself is asked which there
    /// are: a version that no row names goes with the others.
    pub fn dispose_due(&self) -> Result<(), Trouble> {
        let now = self.now();
        for item in self.read(|c| archive::disposing(c, now.timestamp_millis(), BATCH))? {
            let Ok(session) = SessionId::new(&item.id) else { continue };
            let (site, mut went, mut locked) = (&self.settings.site, 0, None);
            for below in [format!("{site}/{}/{}/", item.kind, item.id), format!("{site}/index/{}/{}/", item.kind, item.id)] {
                for version in self.store.versions(&below)? {
                    match self.delete(&version)? {
                        None => went += 1,
                        until => locked = locked.max(until),
                    }
                }
            }
            match locked {
                Some(until) => {
                    let after = until.max(now + AGAIN).timestamp_millis();
                    self.keep(move |t| archive::dispose_later(t, &item, after))?;
                }
                None => self.tell_gone(&session, went)?,
            }
        }
        Ok(())
    }

    /// The desk of disposals writes it down, entry and certificate, and the rows go with that.
    fn tell_gone(&self, session: &SessionId, objects: u64) -> Result<(), Trouble> {
        (self.gone)(session, objects).map_err(|no| Fault::of("note", "what is gone from the archive", no).into())
    }

    /// Deletes a version; or until when it is locked. A hold that is still on it is taken off: whoever gave it up has lifted it.
    fn delete(&self, version: &Version) -> Result<Option<DateTime<Utc>>, Trouble> {
        let (key, number) = (&version.key, &version.version);
        let delete = || match self.store.delete(key, number) {
            Ok(()) => Ok(true),
            Err(StoreFault::Refused) => Ok(false),
            Err(other) => Err(other),
        };
        if delete()? {
            return Ok(None);
        }
        let lock = match self.store.lock_of(key, number) {
            Ok(lock) => lock,
            Err(StoreFault::Absent) => return Ok(Some(self.now() + AGAIN)),
            Err(other) => return Err(other.into()),
        };
        if lock.held {
            self.store.relock(key, number, lock, Lock { held: false, ..lock })?;
            if lock.until <= self.now() && delete()? {
                return Ok(None);
            }
        }
        Ok(Some(lock.until))
    }

    /// Deletes versions that others took the place of, of nothing that is held. What no row names (of before the catalog was made anew)
    /// stays until its item is given up.
    pub fn sweep_superseded(&self) -> Result<(), Trouble> {
        let mut went = 0_u64;
        loop {
            let now = self.now();
            let due = self.read(|c| archive::superseded(c, now.timestamp_millis(), VERSIONS))?;
            let mut looked = Vec::new();
            for object in &due {
                let version = Version { key: object.stored.key.clone(), version: object.stored.version.clone(), is_marker: false };
                looked.push((object.clone(), self.delete(&version)?));
            }
            went += looked.iter().filter(|(_, locked)| locked.is_none()).count() as u64;
            self.keep(move |t| {
                looked.iter().try_for_each(|(object, locked)| match locked {
                    None => archive::forget(t, object),
                    Some(until) => archive::locked(t, object, Lock { until: (*until).max(now + AGAIN), held: false }),
                })
            })?;
            if due.len() < VERSIONS as usize || !is_open(self.settings.window, self.now()) {
                break;
            }
        }
        if went > 0 {
            self.acts.do_and_log(Draft::new(EntryKind::ArchiveSuperseded).about("objects", went), |_| Ok(()));
        }
        Ok(())
    }

    /// Gives up copies here that the archive holds, verified and locked: never of what is held or undated.
    pub(super) fn release_due(&self) -> Result<(), Trouble> {
        let Some(days) = self.settings.release_after_days else { return Ok(()) };
        let before = (self.now() - TimeDelta::days(i64::from(days))).timestamp_millis();
        let mut behind = (i64::MIN, String::new());
        // All of them, a batch at a time: those that stay must not stand in the way of the others.
        while is_open(self.settings.window, self.now()) {
            let batch = self.read(|c| archive::releasable(c, before, (behind.0, &behind.1), BATCH))?;
            let Some(last) = batch.last() else { break };
            behind = (last.archived_at.unwrap_or_default(), last.id.clone());
            for item in &batch {
                let Some(session) = self.session(item)? else { continue };
                if self.may_release(item, &session)? {
                    self.release(item, &session)?;
                }
            }
        }
        Ok(())
    }

    fn may_release(&self, item: &Item, session: &Session) -> Result<bool, Trouble> {
        let (keep, _) = self.keeping(Some(session))?;
        if keep.held || keep.until.is_none() || session.seal.is_none() {
            return Ok(false);
        }
        let objects = self.read(|c| archive::of_item(c, "session", &item.id))?;
        let files = archive::files(&objects);
        let is_there = |s: &Segment| files.iter().any(|f| f.name == s.file && f.sha256 == s.sha256 && is_complete(f));
        Ok(objects.iter().all(|o| o.lock.until > self.now()) && session.segments.iter().all(is_there))
    }

    fn release(&self, item: &Item, session: &Session) -> Result<(), Trouble> {
        let (now, id) = (self.now(), item.id.clone());
        let bytes: u64 = session.segments.iter().map(|s| s.bytes).sum();
        let draft = Draft::new(EntryKind::LocalCopyReleased).in_session(&item.id).about("bytes", bytes).about("rule", "release_after_days");
        self.runtime.block_on(self.acts.log_then_do(draft, move |t| archive::released(t, &id, Some(now.timestamp_millis()))))?;
        let below = item.folder.strip_prefix("footage/").unwrap_or(&item.folder);
        let mirror = self.mirror.as_ref().filter(|_| self.settings.release_mirror).map(|root| root.join(below));
        for folder in [Some(self.data.join(&item.folder)), mirror].into_iter().flatten().filter(|f| durable::exists(f)) {
            // The mark comes first: a crash after it leaves files that nobody needs, never a gap that nobody can explain.
            durable::write_whole(&folder.join(tree::RELEASED), format!("{{\"since\":\"{}\"}}\n", now.to_rfc3339()).as_bytes())?;
            for segment in session.segments.iter().filter(|s| is_below(&s.file)) {
                durable::remove_released(&folder.join(&segment.file))?;
            }
            durable::sync_folder(&folder)?;
        }
        Ok(())
    }
}
