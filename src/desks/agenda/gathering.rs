//! What the other desks list for this person, for the first page alone. Nobody is asked for a list that is not theirs, so that no refusal is
//! logged for looking at one's own first page.

use crate::catalog::{accounts, archive, entries, plans, requests};
use crate::desks::agenda::{FIRST_LOOK, Look};
use crate::desks::oversight::{OversightSearch, REVIEWED_MAX};
use crate::desks::{Answer, Desks};
use crate::model::access::RequestState;
use crate::model::agenda::{self, Concern, Fact};
use crate::model::alarm::AlarmRow;
use crate::model::copy::CopyState;
use crate::model::entry::EntryKind;
use crate::model::figures::{Period, Span};
use crate::model::handover::{CheckOutState, midnight_after};
use crate::model::medium::SecondMedium;
use crate::model::people::{Act, Person};
use crate::model::plan::PlanState;
use crate::model::provision::ProvisionState;
use crate::model::readiness::Level;
use crate::model::time;
use chrono::{DateTime, Days, SecondsFormat, Utc};
use std::collections::BTreeMap;

fn at(ms: i64) -> Option<DateTime<Utc>> {
    DateTime::from_timestamp_millis(ms)
}

impl Desks {
    pub(super) async fn plan_facts(&self, who: &Person) -> Answer<Vec<Fact>> {
        if !who.may(Act::ConductSession) || !who.may(Act::LinkSession) {
            return Ok(vec![]);
        }
        let now = self.now().utc;
        let rows = self.plans(who).await?;
        let of = |state, today_only: bool| {
            let today = move |at| time::shanghai_day(at) == time::shanghai_day(now);
            rows.iter().filter(move |r| r.state == state && (!today_only || today(r.plan.at))).map(|r| r.plan.at).collect::<Vec<_>>()
        };
        let (today, missed) = (of(PlanState::Planned, true), of(PlanState::Missed, false));
        Ok(vec![
            Fact::of(Concern::PlansToday, today.len()).until(today.into_iter().min()),
            Fact::of(Concern::PlansMissed, missed.len()).since(missed.into_iter().min()),
        ])
    }

    pub(super) async fn handover_facts(&self, who: &Person) -> Answer<Vec<Fact>> {
        if !who.may(Act::HandOver) && !who.may(Act::SeeOverdue) {
            return Ok(vec![]);
        }
        let desk = self.handover_desk(who).await?;
        let out: Vec<_> = desk.check_outs.iter().filter(|o| o.state == CheckOutState::Overdue).collect();
        Ok(vec![
            Fact::of(Concern::HandoverDue, desk.mine.len()).until(desk.mine.iter().map(|r| r.due).min()),
            Fact::of(Concern::HandoverOverdue, desk.overdue.len()).since(desk.overdue.iter().map(|r| r.due).min()),
            Fact::of(Concern::CheckOutsOverdue, out.len()).since(out.iter().map(|o| midnight_after(o.at)).min()),
        ])
    }

    pub(super) async fn access_facts(&self, who: &Person) -> Answer<Vec<Fact>> {
        let (now, mut facts) = (self.now().utc, Vec::new());
        if who.may(Act::RequestAccess) {
            let own = self.inbox(who).await?.own;
            let live: Vec<_> = own.iter().filter(|r| r.is_live(now)).collect();
            facts.push(Fact::of(Concern::GrantsLive, live.len()).until(live.iter().map(|r| r.until).min()));
            let told = |state| matches!(state, RequestState::Rejected | RequestState::Revoked);
            let refused: Vec<_> = own.iter().filter(|r| told(r.state)).filter_map(|r| r.decided_at).collect();
            let lately: Vec<_> = refused.into_iter().filter(|decided| agenda::is_still_told(*decided, now)).collect();
            facts.push(Fact::of(Concern::RequestsRefused, lately.len()).since(lately.into_iter().min()));
            // A copy is fetched where its session is: a line each.
            let mut ready: BTreeMap<_, Vec<DateTime<Utc>>> = BTreeMap::new();
            let copies = self.copies(who).await?;
            for copy in copies.into_iter().filter(|c| c.state == CopyState::Ready && !c.for_player && !c.is_over(now)) {
                ready.entry(copy.session).or_default().push(copy.until);
            }
            let fact = |(session, until): (_, Vec<_>)| {
                Fact::of(Concern::CopiesReady, until.len())
                    .until(until.into_iter().min())
                    .about(&session, Some(ToString::to_string(&session)))
            };
            facts.extend(ready.into_iter().map(fact));
        }
        if who.may(Act::AppointDeputy) {
            let today = time::shanghai_day(now);
            let own = self.deputies(who).await?.into_iter().filter(|d| d.leader == who.id && d.holds(today));
            let soon: Vec<_> = own.filter_map(|d| agenda::ends_soon(d.until, now)).collect();
            facts.push(Fact::of(Concern::DeputiesEnding, soon.len()).until(soon.into_iter().min()));
        }
        Ok(facts)
    }

    pub(super) async fn provision_facts(&self, who: &Person) -> Answer<Vec<Fact>> {
        if !who.may(Act::Provide) && !who.may(Act::DecideAccess) {
            return Ok(vec![]);
        }
        let all = self.provisions(who).await?;
        let open: Vec<_> = all.iter().filter(|v| v.days_left.is_some()).map(|v| agenda::day_ends(v.provision.due)).collect();
        let agree: Vec<_> = all.iter().filter(|v| v.may_approve).map(|v| agenda::day_ends(v.provision.due)).collect();
        let close = all.iter().filter(|v| v.provision.state == ProvisionState::HandedOver);
        let handed: Vec<_> = close.map(|v| v.provision.handed_at.unwrap_or(v.provision.entered_at)).collect();
        Ok(vec![
            Fact::of(Concern::ProvisionsDue, open.len()).until(open.into_iter().min()),
            Fact::of(Concern::ProvisionsToAgree, agree.len()).until(agree.into_iter().min()),
            Fact::of(Concern::ProvisionsToClose, handed.len()).since(handed.into_iter().min()),
        ])
    }

    pub(super) async fn media_facts(&self, who: &Person) -> Answer<Vec<Fact>> {
        if !who.may(Act::KeepMedia) {
            return Ok(vec![]);
        }
        let held = self.held_sessions(who).await?;
        let over: Vec<_> = held.into_iter().filter(|h| matches!(h.second, SecondMedium::Over(_))).map(|h| h.since).collect();
        Ok(vec![Fact::of(Concern::SecondMediumDue, over.len()).since(over.into_iter().min())])
    }

    pub(super) async fn oversight_facts(&self, who: &Person) -> Answer<Vec<Fact>> {
        if !who.may(Act::ReadLog) {
            return Ok(vec![]);
        }
        let (now, mut facts) = (self.now().utc, Vec::new());
        for (look, concern, kind) in
            [(Look::Refusals, Concern::Refusals, EntryKind::Refused), (Look::SignIns, Concern::SignInsFailed, EntryKind::SignInFailed)]
        {
            let since = self.last_look(who, &look).await?.unwrap_or(now - FIRST_LOOK);
            let (count, first) = self.read(move |c| entries::since(c, kind, since)).await?;
            facts.push(Fact::of(concern, count as usize).since(first).about(since.to_rfc3339_opts(SecondsFormat::Millis, true), None));
        }
        let since = self.last_look(who, &Look::Patterns).await?.unwrap_or(now - FIRST_LOOK);
        let questions = self.oversight(who, &OversightSearch::default()).await?.questions;
        let new: Vec<_> = questions.into_iter().map(|q| q.at).filter(|at| *at > since).collect();
        facts.push(Fact::of(Concern::Patterns, new.len()).since(new.into_iter().min()));
        if who.may(Act::Provide) {
            facts.extend(self.review_due(who).await?);
        }
        Ok(facts)
    }

    /// The quarter before this one, until somebody looked at its review; where nothing was granted there is nothing to review.
    async fn review_due(&self, who: &Person) -> Answer<Option<Fact>> {
        let last = Period::around(time::shanghai_day(self.now().utc), Span::Quarter).before();
        let quarter = last.quarter_text();
        if self.last_look(who, &Look::Review(quarter.clone())).await?.is_some() {
            return Ok(None);
        }
        let (from_ms, until_ms) = last.bounds_ms();
        let asked = self.read(move |c| requests::between(c, from_ms, until_ms, REVIEWED_MAX)).await?;
        let granted = asked.iter().filter(|r| r.granted_at().is_some()).count();
        Ok(Some(Fact::of(Concern::ReviewDue, granted).since(at(until_ms)).about(&quarter, Some(quarter.clone()))))
    }

    /// Rooms that are used today and were not checked lately, or were found not ready. Whose session it is, nobody is told here.
    pub(super) async fn room_facts(&self, who: &Person) -> Answer<Vec<Fact>> {
        if !who.may(Act::KeepDevices) {
            return Ok(vec![]);
        }
        let now = self.now().utc;
        let (from_ms, until_ms) = ((now - crate::model::plan::LATE).timestamp_millis(), midnight_after(now).timestamp_millis());
        let planned = self.read(move |c| plans::between(c, from_ms, until_ms)).await?;
        let mut rooms: BTreeMap<_, (usize, DateTime<Utc>)> = BTreeMap::new();
        for plan in planned.into_iter().filter(|p| p.state(now) == PlanState::Planned) {
            let at = plan.at;
            let entry = rooms.entry(plan.room).or_insert((0, at));
            *entry = (entry.0 + 1, entry.1.min(at));
        }
        let ready = |room: &_| self.last_readiness(room).is_some_and(|(_, found)| found.worst() < Level::Red);
        let name = |room: &_| self.recorder.room(room).map(|r| r.view().name.clone());
        let unready = rooms.into_iter().filter(|(room, _)| !ready(room));
        Ok(unready.map(|(room, (n, first))| Fact::of(Concern::RoomUnready, n).until(Some(first)).about(&room, name(&room))).collect())
    }

    pub(super) async fn machine_facts(&self, who: &Person) -> Answer<Vec<Fact>> {
        let (now, mut facts) = (self.now().utc, Vec::new());
        let alarms: Vec<_> = self.open_alarms().into_iter().filter(AlarmRow::is_unanswered).map(|a| a.began_at).collect();
        facts.push(Fact::of(Concern::Alarms, alarms.len()).since(alarms.into_iter().min().and_then(at)));
        let volumes = self.look().machine.volumes;
        let soon: Vec<_> = volumes.iter().filter(|v| v.soon_full || v.low).collect();
        let days = soon.iter().filter_map(|v| v.days_left).min().and_then(|d| now.checked_add_days(Days::new(d)));
        facts.push(Fact::of(Concern::StorageSoon, soon.len()).until(days));
        if !who.may(Act::ManageAccounts) {
            return Ok(facts);
        }
        facts.push(Fact::of(Concern::BackupTrouble, usize::from(self.backup_standing().trouble.is_some())));
        if self.archive.trouble().is_some() {
            let figures = self.read(archive::figures).await?;
            facts.push(Fact::of(Concern::ArchiveTrouble, 1).since(figures.waiting_since.and_then(at)));
        }
        let today = time::shanghai_day(now);
        let all = self.read(accounts::all).await?;
        let until = all.iter().filter(|a| a.is_open(today)).filter_map(|a| a.valid.1);
        let ending: Vec<_> = until.filter_map(|last| agenda::ends_soon(last, now)).collect();
        facts.push(Fact::of(Concern::AccountsEnding, ending.len()).until(ending.into_iter().min()));
        Ok(facts)
    }
}
