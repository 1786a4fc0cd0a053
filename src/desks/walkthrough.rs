//! The first run: what the machine knows of each step, and what the bureau said to it. What was said stands in the log alone; the newest
//! entry counts.

use crate::catalog::{accounts, entries, screens};
use crate::desks::{Answer, Desks};
use crate::machine::host;
use crate::model::entry::{Draft, EntryKind};
use crate::model::people::{Act, Person, Role};
use crate::model::refusal::Refusal;
use crate::model::time;
use crate::model::walkthrough::{self, ALL, Step, StepState, StepWord};
use chrono::DateTime;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// The list as it stands.
#[derive(Debug, Clone)]
pub struct Walkthrough {
    /// Steps in their order.
    pub steps: Vec<(Step, StepState)>,
    /// It was put away, and something of it is open.
    pub put_away: bool,
}

impl Desks {
    /// The list, for who administers; none where nothing of it is open.
    pub async fn walkthrough(&self, who: &Person) -> Answer<Option<Walkthrough>> {
        if !who.may(Act::ManageAccounts) {
            return Ok(None);
        }
        let said = self.said_to_steps().await?;
        let mut done = self.steps_done().await?;
        let channel = Step::AlarmChannel;
        if said.get(channel.as_str()) == Some(&StepWord::Seen) {
            done.push(channel);
        } else if done.contains(&channel) {
            let seen = Draft::new(EntryKind::WalkthroughSaid).about("step", channel.as_str()).about("said", StepWord::Seen.as_str());
            self.acts.do_and_log(seen, |_| Ok(()));
        }
        let steps = walkthrough::of(&done, &said);
        let (shown, open) = (walkthrough::is_shown(&steps, &said), steps.iter().any(|(_, state)| *state == StepState::Open));
        Ok(open.then_some(Walkthrough { steps, put_away: !shown }))
    }

    /// Says that a step, or the whole list (`all`), is not wanted, or that it is.
    pub async fn say_to_step(&self, who: &Person, step: &str, word: StepWord) -> Answer<()> {
        self.need(who, Act::ManageAccounts)?;
        if (step != ALL && Step::from_word(step).is_none()) || word == StepWord::Seen {
            return Err(Refusal::no_such("step", step).into());
        }
        let draft = Draft::new(EntryKind::WalkthroughSaid).by(&who.id).about("step", step).about("said", word.as_str());
        Ok(self.acts.log_then_do(draft, |_| Ok(())).await?)
    }

    async fn said_to_steps(&self) -> Answer<BTreeMap<String, StepWord>> {
        let all = self.read(|c| entries::newest_of_each(c, EntryKind::WalkthroughSaid, "step")).await?;
        let word = |name: &str, about: &BTreeMap<String, String>| about.get(name).cloned();
        Ok(all.iter().filter_map(|e| Some((word("step", &e.about)?, StepWord::from_word(&word("said", &e.about)?)?))).collect())
    }

    /// The steps that are done, by what the machine knows.
    async fn steps_done(&self) -> Answer<Vec<Step>> {
        let mut done = self.machine_steps();
        let today = time::shanghai_day(self.now().utc);
        let epoch = DateTime::UNIX_EPOCH;
        let (all, links, sealed, received, scrubbed) = self
            .read(move |c| {
                let since = |kind, from| entries::since(c, kind, from);
                let sealed = since(EntryKind::SessionSealed, epoch)?.1;
                let scrubbed = since(EntryKind::ScrubCompleted, sealed.unwrap_or(epoch))?.0;
                Ok((accounts::all(c)?, screens::all(c)?, sealed, since(EntryKind::SessionReceived, epoch)?.0, scrubbed))
            })
            .await?;
        let open: Vec<Person> = all.into_iter().filter(|a| a.is_open(today)).map(|a| a.person).collect();
        let count = |role| open.iter().filter(|p| p.is(role)).count();
        let units = |role| open.iter().filter(|p| p.is(role)).filter_map(|p| p.unit.clone()).collect::<BTreeSet<_>>();
        let (officers, custodians) = (units(Role::Officer), units(Role::Custodian));
        let has_screen = |room: &str| links.iter().any(|l| l.ended_at.is_none() && l.room == room);
        let rooms = self.rooms();
        let checks = [
            (Step::Screens, !rooms.is_empty() && rooms.iter().all(|(id, _)| has_screen(id))),
            (Step::Officers, count(Role::Officer) >= 2),
            (Step::Custodians, !custodians.is_empty() && officers.is_subset(&custodians)),
            (Step::Leader, count(Role::LeaderInCharge) > 0),
            (Step::Head, count(Role::BureauHead) > 0),
            (Step::LegalUnit, count(Role::LegalUnit) > 0),
            (Step::Inspector, open.iter().any(|p| p.is(Role::Inspector) && !p.is(Role::Administrator))),
            (Step::Sealed, sealed.is_some()),
            (Step::Verified, sealed.is_some() && (received > 0 || scrubbed > 0)),
        ];
        done.extend(checks.into_iter().filter(|(_, well)| *well).map(|(step, _)| step));
        Ok(done)
    }

    /// What `shilu check` looks at too, of the machine that runs.
    fn machine_steps(&self) -> Vec<Step> {
        let status = self.look();
        let data = &self.settings.data;
        let mirrored = self.recorder.shared().mirror().is_some_and(|m| !host::on_one_volume(data, m.place().root()));
        let sends = |room: &crate::model::status::RoomStatus| !room.cameras.is_empty() && room.cameras.iter().all(|c| c.connected);
        let checks = [
            (Step::Volume, !host::on_one_volume(data, Path::new("/"))),
            (Step::Mirror, mirrored),
            (Step::Clock, status.machine.clock.synchronised),
            (Step::Cameras, !status.rooms.is_empty() && status.rooms.iter().all(sends)),
            (Step::Backup, self.backup_standing().last.is_some()),
            (Step::AlarmChannel, self.delivery.has_sent()),
        ];
        checks.into_iter().filter(|(_, well)| *well).map(|(step, _)| step).collect()
    }
}
