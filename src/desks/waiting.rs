//! What waits for a person, counted for the navigation: one look into the catalog a page. A count that cannot be read is none.

use crate::catalog::retention::{self as index, Wanted};
use crate::catalog::{Reading, cases, disposals, imports, media, requests};
use crate::desks::cases::CaseSearch;
use crate::desks::{Desks, closing};
use crate::machine::fault::Fault;
use crate::model::access;
use crate::model::disposal::DisposalState;
use crate::model::hold::{self, HoldChange, HoldRules, HoldState};
use crate::model::people::{Act, Person};
use crate::model::time;

/// Rows of one kind that are looked at.
const ROWS_MAX: u32 = 500;

/// How much of each kind waits for a person.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Waiting {
    /// Requests for their decision.
    pub requests: usize,
    /// Forms for their decision, and urgent starts of their unit that are due.
    pub cases: usize,
    /// Sessions whose period is over; at most 10,001.
    pub due: usize,
    /// Holds for their word.
    pub holds: usize,
    /// Disposals for their decision, and those of which copies on media are not accounted for.
    pub disposals: usize,
    /// Sessions for their receipt.
    pub receipts: usize,
    /// Media of which a copy is to be read by now.
    pub media: usize,
    /// Devices that are out of use, faulty or to be maintained.
    pub devices: usize,
}

impl Desks {
    /// What waits for somebody.
    pub async fn waiting(&self, who: &Person) -> Waiting {
        let state = if who.may(Act::ApproveInitiation) { "initiation_pending" } else { "urgent_initiated" };
        let of_cases = self.case_filter(who, &CaseSearch { state: Some(state.into()), ..CaseSearch::default() });
        let of_due = self.retention_filter(who, Wanted::Due);
        let (person, rules, today) = (who.clone(), self.settings.holds.clone(), time::shanghai_day(self.now().utc));
        let (ill, due) = if who.may(Act::KeepDevices) { self.equipment_waiting() } else { (0, 0) };
        let counted = self.read(move |c| {
            let mut all = Waiting { devices: ill + due, ..Waiting::default() };
            let may = |act| person.may(act);
            if may(Act::DecideAccess) {
                let asked = requests::in_state(c, "submitted", ROWS_MAX)?;
                all.requests = asked.iter().filter(|r| access::may_decide(r, &person).is_ok()).count();
            }
            if may(Act::ReadCases) {
                all.cases = cases::find(c, &of_cases, 0, 1)?.1 as usize;
            }
            if may(Act::Appraise) {
                all.due = index::count(c, &of_due)? as usize;
            }
            if may(Act::DecideHold) {
                all.holds = holds(c, &person, &of_due, &rules)?;
            }
            if may(Act::DecideDisposal) || may(Act::Appraise) {
                all.disposals = of_disposals(c, &person)?;
            }
            if let Some(unit) = person.unit.as_ref().filter(|_| may(Act::ReceiveHandover)) {
                all.receipts = imports::count_waiting(c, unit.as_str())?;
            }
            if may(Act::KeepMedia) {
                all.media = media::count_due(c, Some(&of_due.units), today)?;
            }
            Ok(all)
        });
        counted.await.unwrap_or_else(|no| {
            tracing::error!("what waits cannot be counted: {no}");
            Waiting::default()
        })
    }
}

/// Holds that this person may confirm or lift.
fn holds(c: &Reading, who: &Person, filter: &index::Filter, rules: &HoldRules) -> Result<usize, Fault> {
    let (proposed, asked) = (HoldState::Proposed, HoldState::LiftProposed);
    let mut count = 0;
    for session in index::held(c, filter, &[proposed.as_str(), asked.as_str()], ROWS_MAX)? {
        let all = index::around(c, &session)?.holds(&session);
        let may = |h: &&hold::Hold, change: &HoldChange| hold::may(who, &session, Some(*h), change, rules).is_ok();
        let waits = |h: &&hold::Hold| match h.state() {
            HoldState::Proposed => may(h, &HoldChange::Confirmed),
            HoldState::LiftProposed => may(h, &HoldChange::Lifted),
            _ => false,
        };
        count += all.iter().filter(waits).count();
    }
    Ok(count)
}

/// Disposals that this person may decide on, or has to close.
fn of_disposals(c: &Reading, who: &Person) -> Result<usize, Fault> {
    let proposed = disposals::in_state(c, DisposalState::Proposed)?;
    let mut count = proposed.iter().filter(|d| d.may_decide(who).is_ok()).count();
    for disposal in disposals::with_media(c)?.into_iter().filter(|d| d.may_close(who)) {
        count += usize::from(!closing::fates(c, &disposal)?.is_empty());
    }
    Ok(count)
}
