//! The settings in force: a configuration that is read again replaces what may change while everything runs.

use crate::desks::{Answer, Desks, Settings};
use crate::model::entry::{Draft, EntryKind};
use crate::model::ids::RoomId;
use crate::recorder::RoomSettings;
use std::ops::Deref;

/// Settings, and those that replaced them. Nothing of an earlier one is let go while somebody may be reading it: a few kilobytes for
/// each time that a technician changes something.
pub(crate) struct InForce {
    first: Settings,
    later: elsa::sync::FrozenVec<Box<Settings>>,
}

impl InForce {
    pub(crate) fn new(first: Settings) -> Self {
        Self { first, later: elsa::sync::FrozenVec::new() }
    }
}

impl Deref for InForce {
    type Target = Settings;
    fn deref(&self) -> &Settings {
        self.later.len().checked_sub(1).and_then(|last| self.later.get(last)).unwrap_or(&self.first)
    }
}

impl Desks {
    /// Takes up what may change while everything runs (`config::reload` names it); the rest stays as it was at the start.
    pub async fn take_settings(&self, new: Settings) -> Answer<()> {
        let now = (*self.settings).clone();
        self.settings.later.push(Box::new(Settings {
            bureau: new.bureau,
            units: new.units,
            contact: new.contact,
            idle_min: new.idle_min,
            lock_after: new.lock_after,
            lock_min: new.lock_min,
            prove_min: new.prove_min,
            second_factor: new.second_factor,
            address: new.address,
            sso: new.sso,
            retention: new.retention,
            holds: new.holds,
            media: new.media,
            backup: new.backup,
            unit_certificate: new.unit_certificate,
            rooms: now.rooms.iter().map(|(id, care)| (id.clone(), new.rooms.get(id).unwrap_or(care).clone())).collect(),
            ..now
        }));
        self.begin_retention().await
    }

    /// Gives rooms other cameras, names or units: at once, or when the session that is open there is over. Gives the rooms that wait.
    pub async fn take_rooms(&self, wanted: Vec<RoomSettings>) -> Answer<Vec<RoomId>> {
        let mut waiting = Vec::new();
        for room in wanted {
            let id = room.id.clone();
            if self.recorder.want(room) && !self.follow_room(&id).await? {
                waiting.push(id);
            }
        }
        Ok(waiting)
    }

    /// Writes down which configuration is in force, by its digest and the names of what it changed.
    pub fn note_configuration(&self, sha256: &str, taken: &str, at_next_start: &str) {
        let draft = Draft::new(EntryKind::ConfigurationTaken).about("sha256", sha256);
        self.acts.do_and_log(draft.about("taken", taken).about("at_next_start", at_next_start), |_| Ok(()));
    }
}
