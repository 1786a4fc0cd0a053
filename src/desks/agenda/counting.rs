//! What the catalog counts: one look into it a page. For the first page it says since when and until when as well.

use crate::catalog::retention::{self as index, Wanted};
use crate::catalog::{Reading, cases, disposals, imports, lacking, media, requests};
use crate::desks::cases::CaseSearch;
use crate::desks::sessions::OWN_MAX;
use crate::desks::{Answer, Desks, closing};
use crate::machine::fault::Fault;
use crate::model::access;
use crate::model::agenda::{Concern, Fact};
use crate::model::completeness;
use crate::model::disposal::DisposalState;
use crate::model::hold::{self, HoldChange, HoldRules, HoldState};
use crate::model::initiation::WITHIN;
use crate::model::people::{Act, Person};
use crate::model::time;
use chrono::DateTime;

/// Rows of one kind that are looked at.
const ROWS_MAX: u32 = 500;

impl Desks {
    /// Whose sessions lack something: one's own, or those of the units that one lists.
    pub(in crate::desks) fn lacking_filter(&self, who: &Person, own: bool) -> lacking::Filter {
        let me = || (who.id.to_string(), who.certificate_no.clone());
        lacking::Filter {
            units: self.settings.units.iter().filter(|(u, _)| who.lists_unit(u)).map(|(u, _)| u.to_string()).collect(),
            own: own.then(me),
            restricted_to: (!who.lists_restricted()).then(me),
        }
    }

    /// `whole`: with what the first page shows besides.
    pub(super) async fn counted(&self, who: &Person, whole: bool) -> Answer<Vec<Fact>> {
        let of_cases = |state: &str| self.case_filter(who, &CaseSearch { state: Some(state.into()), ..CaseSearch::default() });
        let (urgent, pending) = (of_cases("urgent_initiated"), of_cases("initiation_pending"));
        let of_due = self.retention_filter(who, Wanted::Due);
        let (own, units) = (self.lacking_filter(who, true), self.lacking_filter(who, false));
        let (person, rules, today) = (who.clone(), self.settings.holds.clone(), time::shanghai_day(self.now().utc));
        let mut facts = Vec::new();
        if who.may(Act::AddCamera) {
            let (ill, due) = self.equipment_waiting();
            facts.extend([Fact::of(Concern::DevicesIll, ill), Fact::of(Concern::DevicesDue, due)]);
        }
        let found = self.read(move |c| {
            let may = |act| person.may(act);
            let mut found = Vec::new();
            if may(Act::DecideAccess) {
                found.push(asked(c, &person)?);
            }
            if may(Act::ReadCases) {
                found.push(urgent_reports(c, &urgent, whole)?);
            }
            if may(Act::ApproveInitiation) {
                found.push(initiations(c, &pending, whole)?);
            }
            if may(Act::Appraise) {
                found.push(periods_over(c, &of_due, whole)?);
            }
            if may(Act::DecideHold) {
                found.push(holds(c, &person, &of_due, &rules)?);
            }
            if may(Act::DecideDisposal) || may(Act::Appraise) {
                found.extend(of_disposals(c, &person)?);
            }
            if let Some(unit) = person.unit.as_ref().filter(|_| may(Act::ReceiveHandover)) {
                found.push(Fact::of(Concern::Receipts, imports::count_waiting(c, unit.as_str())?));
            }
            if may(Act::KeepMedia) {
                found.push(Fact::of(Concern::MediaDue, media::count_due(c, Some(&of_due.units), today)?));
            }
            if whole && may(Act::ConductSession) {
                found.extend(own_sessions(c, &own)?);
            }
            if whole && may(Act::Supervise) {
                let (count, first) = lacking::count(c, &units)?;
                let first = first.and_then(DateTime::from_timestamp_millis);
                found.push(Fact::of(Concern::UnitsLacking, count as usize).since(first));
            }
            Ok(found)
        });
        facts.extend(found.await?);
        Ok(facts)
    }
}

/// Requests that this person may decide on.
fn asked(c: &Reading, who: &Person) -> Result<Fact, Fault> {
    let asked = requests::in_state(c, "submitted", ROWS_MAX)?;
    let mine: Vec<_> = asked.iter().filter(|r| access::may_decide(r, who).is_ok()).collect();
    Ok(Fact::of(Concern::Requests, mine.len()).since(mine.iter().map(|r| r.submitted_at).min()))
}

/// Urgent starts whose form has not come; due when the first of their twenty-four hours end.
fn urgent_reports(c: &Reading, filter: &cases::Filter, whole: bool) -> Result<Fact, Fault> {
    let (found, total) = cases::find(c, filter, 0, if whole { ROWS_MAX } else { 1 })?;
    let due = found.iter().filter_map(|case| case.urgent.as_ref()).map(|u| u.stated_at + WITHIN).min();
    Ok(Fact::of(Concern::UrgentReport, total as usize).until(due.filter(|_| whole)))
}

fn initiations(c: &Reading, filter: &cases::Filter, whole: bool) -> Result<Fact, Fault> {
    let (found, total) = cases::find(c, filter, 0, if whole { ROWS_MAX } else { 1 })?;
    let since = found.iter().filter_map(|case| case.forms.last()).map(|f| f.at).min();
    Ok(Fact::of(Concern::Initiations, total as usize).since(since.filter(|_| whole)))
}

fn periods_over(c: &Reading, filter: &index::Filter, whole: bool) -> Result<Fact, Fault> {
    let count = index::count(c, filter)? as usize;
    let first = if whole && count > 0 { index::find(c, filter, 0, 1)?.0.first().and_then(|r| r.earliest_ms) } else { None };
    Ok(Fact::of(Concern::PeriodsOver, count).since(first.and_then(DateTime::from_timestamp_millis)))
}

/// Holds that this person may confirm or lift.
fn holds(c: &Reading, who: &Person, filter: &index::Filter, rules: &HoldRules) -> Result<Fact, Fault> {
    let (proposed, asked) = (HoldState::Proposed, HoldState::LiftProposed);
    let (mut count, mut since) = (0, None);
    for session in index::held(c, filter, &[proposed.as_str(), asked.as_str()], ROWS_MAX)? {
        let all = index::around(c, &session)?.holds(&session);
        let may = |h: &&hold::Hold, change: &HoldChange| hold::may(who, &session, Some(*h), change, rules).is_ok();
        let waits = |h: &&hold::Hold| match h.state() {
            HoldState::Proposed => may(h, &HoldChange::Confirmed),
            HoldState::LiftProposed => may(h, &HoldChange::Lifted),
            _ => false,
        };
        for hold in all.iter().filter(waits) {
            count += 1;
            since = Some(since.map_or(hold.since, |s: DateTime<_>| s.min(hold.since)));
        }
    }
    Ok(Fact::of(Concern::Holds, count).since(since))
}

/// Disposals that this person may decide on, and those that they have to close.
fn of_disposals(c: &Reading, who: &Person) -> Result<[Fact; 2], Fault> {
    let proposed = disposals::in_state(c, DisposalState::Proposed)?;
    let mine: Vec<_> = proposed.iter().filter(|d| d.may_decide(who).is_ok()).collect();
    let mut to_close = Vec::new();
    for disposal in disposals::with_media(c)?.into_iter().filter(|d| d.may_close(who)) {
        if !closing::fates(c, &disposal)?.is_empty() {
            to_close.push(disposal);
        }
    }
    Ok([
        Fact::of(Concern::DisposalsToDecide, mine.len()).since(mine.iter().map(|d| d.proposed.at).min()),
        Fact::of(Concern::DisposalsToClose, to_close.len()).since(to_close.iter().filter_map(|d| d.executed_at).min()),
    ])
}

/// What one's own sessions lack, and those without a case: each has one working day (第四条).
fn own_sessions(c: &Reading, filter: &lacking::Filter) -> Result<[Fact; 2], Fault> {
    let own = lacking::find(c, filter, 0, OWN_MAX)?;
    let unlinked: Vec<_> = own.iter().filter(|s| completeness::is_unlinked(s)).collect();
    let due = unlinked.iter().map(|s| completeness::first_working_day_ends(s.started_at)).min();
    Ok([
        Fact::of(Concern::OwnLacking, own.len()).since(own.iter().map(|s| s.started_at).min()),
        Fact::of(Concern::OwnUnlinked, unlinked.len()).until(due),
    ])
}
