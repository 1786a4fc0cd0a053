//! What needs a person now, from the desks' own lists: the navigation's counts on every page, and the whole list on the first. Both are made
//! of the same counting, so that they agree; a count that cannot be read is none.

mod counting;
mod gathering;

use crate::catalog::looks;
use crate::desks::{Answer, Desks};
use crate::model::agenda::{self, Fact, Thing};
use crate::model::people::{Act, Person};
use chrono::{DateTime, TimeDelta, Utc};

/// Who never looked finds what came within so long, as the viewing log's page shows it.
const FIRST_LOOK: TimeDelta = TimeDelta::days(31);

/// Lists of which it matters when somebody last looked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Look {
    /// Refusals.
    Refusals,
    /// Failed sign-ins.
    SignIns,
    /// What deserves a question.
    Patterns,
    /// A quarter's approvals (`2026-3`).
    Review(String),
}

impl Look {
    fn word(&self) -> String {
        match self {
            Self::Refusals => "refusals".into(),
            Self::SignIns => "sign_ins".into(),
            Self::Patterns => "patterns".into(),
            Self::Review(quarter) => format!("review {quarter}"),
        }
    }
}

impl Desks {
    /// What the navigation counts for somebody.
    pub async fn waiting(&self, who: &Person) -> Vec<Thing> {
        agenda::of(who, self.or_none(self.counted(who, false).await), self.now().utc)
    }

    /// Everything that needs somebody now, the most pressing first.
    pub async fn agenda(&self, who: &Person) -> Vec<Thing> {
        let mut facts = self.or_none(self.counted(who, true).await);
        for found in [
            self.plan_facts(who).await,
            self.handover_facts(who).await,
            self.access_facts(who).await,
            self.provision_facts(who).await,
            self.media_facts(who).await,
            self.oversight_facts(who).await,
            self.room_facts(who).await,
            self.machine_facts(who).await,
        ] {
            facts.extend(self.or_none(found));
        }
        agenda::of(who, facts, self.now().utc)
    }

    fn or_none(&self, found: Answer<Vec<Fact>>) -> Vec<Fact> {
        found.unwrap_or_else(|no| {
            tracing::error!("what waits cannot be counted: {no}");
            vec![]
        })
    }

    /// Somebody looks at a list now: what is on it is not new to them any more.
    pub fn looked(&self, who: &Person, list: &Look) {
        if who.may(Act::ReadLog) {
            let (account, list, at_ms) = (who.id.clone(), list.word(), self.now_ms());
            self.acts.index_only(move |t| looks::note(t, account.as_str(), &list, at_ms));
        }
    }

    /// When they last did.
    async fn last_look(&self, who: &Person, list: &Look) -> Answer<Option<DateTime<Utc>>> {
        let (account, list) = (who.id.clone(), list.word());
        self.read(move |c| looks::last(c, account.as_str(), &list)).await
    }
}
