//! Closing a disposal (第十八条): no program takes a recording from a disc in the cabinet. People destroy each copy and enter it, or say
//! why one stays; until every copy is accounted for, the disposal stays open.

use crate::model::disposal::{Disposal, DisposalState, Outcome};
use crate::model::hold::Word;
use crate::model::ids::{MediumId, SessionId};
use crate::model::medium::{CopyStanding, Destruction, MediumKind};
use crate::model::people::{Act, Person};
use crate::model::refusal::Refusal;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

/// A copy of a medium that holds something that was given up, and what became of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "recorder", derive(utoipa::ToSchema))]
pub struct CopyFate {
    /// The medium.
    pub medium: MediumId,
    /// What it is.
    pub kind: MediumKind,
    /// Which copy.
    pub copy: u32,
    /// Where it lay last.
    pub place: String,
    /// How it stands.
    pub standing: CopyStanding,
    /// How it was destroyed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub destroyed: Option<Destruction>,
    /// Sessions on it that are not given up: who destroys it takes a copy from these too.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub also_holds: Vec<SessionId>,
}

impl CopyFate {
    /// Whether it lies somewhere still.
    pub fn is_left(&self) -> bool {
        self.standing != CopyStanding::Destroyed
    }

    /// How people call it.
    pub fn name(&self) -> String {
        format!("{}-{}", self.medium, self.copy)
    }
}

/// How a disposal was closed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "recorder", derive(utoipa::ToSchema))]
pub struct Closing {
    /// Who closed it, and why copies stay where some do.
    pub word: Word,
    /// Their name.
    pub by_name: String,
    /// Every copy, as it stood.
    pub copies: Vec<CopyFate>,
}

impl Closing {
    /// Copies that stay, by the reason that was given.
    pub fn left(&self) -> impl Iterator<Item = &CopyFate> {
        self.copies.iter().filter(|c| c.is_left())
    }
}

impl Disposal {
    /// Whether it is carried out and not closed.
    pub fn is_open(&self) -> bool {
        self.state == DisposalState::Executed && self.closed.is_none()
    }

    /// Whether this person has to close it: a custodian of its unit.
    pub fn may_close(&self, who: &Person) -> bool {
        self.is_open() && who.may(Act::Appraise) && who.unit.as_ref() == Some(&self.unit)
    }

    /// The sessions of it that are gone.
    pub fn gone(&self) -> impl Iterator<Item = &SessionId> {
        self.items.iter().filter(|i| matches!(i.outcome, Some(Outcome::Gone { .. }))).map(|i| &i.session)
    }

    /// Closed: every copy is destroyed, or stays by somebody's reason.
    pub fn close(&self, who: &Person, copies: Vec<CopyFate>, reason: Option<String>, now: DateTime<Utc>) -> Result<Self, Refusal> {
        if !self.is_open() {
            let state = if self.closed.is_some() { "closed" } else { self.state.as_str() };
            return Err(Refusal::DisposalState { state: state.into() });
        }
        if !self.may_close(who) {
            return Err(Refusal::NotYourRole);
        }
        let left: Vec<String> = copies.iter().filter(|c| c.is_left()).map(CopyFate::name).collect();
        if !left.is_empty() && reason.is_none() {
            return Err(Refusal::CopiesLeft { copies: left });
        }
        // Where nothing stays there is nothing to give a reason for.
        let word = Word { at: now, by: who.id.clone(), reason: reason.filter(|_| !left.is_empty()) };
        Ok(Self { closed: Some(Closing { word, by_name: who.name.clone(), copies }), ..self.clone() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::ids::{AccountId, DisposalId, UnitId};
    use crate::model::people::Role;

    fn person(id: &str, role: Role, unit: &str) -> Person {
        Person { unit: Some(UnitId::new(unit).unwrap()), ..Person::new(AccountId::new(id).unwrap(), id, id, &[role]) }
    }

    fn executed() -> Disposal {
        Disposal {
            id: DisposalId::new("d-1").unwrap(),
            state: DisposalState::Executed,
            unit: UnitId::new("land").unwrap(),
            items: vec![],
            reason: "无保存价值".into(),
            proposed: Word { at: DateTime::UNIX_EPOCH, by: AccountId::new("li").unwrap(), reason: None },
            proposed_name: "李敏".into(),
            decided: None,
            decided_name: None,
            executed_at: Some(DateTime::UNIX_EPOCH),
            closed: None,
        }
    }

    fn copy(standing: CopyStanding) -> CopyFate {
        let medium = MediumId::new("d-2026-0001").unwrap();
        CopyFate { medium, kind: MediumKind::Dvd, copy: 2, place: "三号柜".into(), standing, destroyed: None, also_holds: vec![] }
    }

    #[test]
    fn a_disposal_is_closed_when_every_copy_is_destroyed_or_stays_by_somebodys_reason() {
        let (now, custodian) = (DateTime::UNIX_EPOCH, person("li", Role::Custodian, "land"));
        let left = || Err(Refusal::CopiesLeft { copies: vec!["d-2026-0001-2".into()] });
        let reason = || Some("同盘另有未到期资料".to_owned());
        for (copies, why, expected) in [
            (vec![], None, Ok(0)),
            (vec![copy(CopyStanding::Destroyed)], None, Ok(0)),
            (vec![copy(CopyStanding::Verified)], None, left()),
            // What is void, damaged or out of the register lies somewhere all the same.
            (vec![copy(CopyStanding::Failed)], None, left()),
            (vec![copy(CopyStanding::Retired)], None, left()),
            (vec![copy(CopyStanding::Destroyed), copy(CopyStanding::Damaged)], None, left()),
            (vec![copy(CopyStanding::Destroyed), copy(CopyStanding::Damaged)], reason(), Ok(1)),
        ] {
            let closed = executed().close(&custodian, copies, why, now);
            assert_eq!(closed.map(|d| d.closed.map_or(9, |c| c.left().count())), expected);
        }
    }

    #[test]
    fn only_a_custodian_of_the_unit_closes_and_only_once() {
        let now = DateTime::UNIX_EPOCH;
        for who in [person("x", Role::Custodian, "mines"), person("x", Role::LeaderInCharge, "land"), person("x", Role::LegalUnit, "land")]
        {
            assert_eq!(executed().close(&who, vec![], None, now), Err(Refusal::NotYourRole));
        }
        let custodian = person("li", Role::Custodian, "land");
        let closed = executed().close(&custodian, vec![], None, now).unwrap();
        assert_eq!(closed.close(&custodian, vec![], None, now), Err(Refusal::DisposalState { state: "closed".into() }));
        let proposed = Disposal { state: DisposalState::Proposed, ..executed() };
        assert!(proposed.close(&custodian, vec![], None, now).is_err(), "nothing is gone yet");
    }
}
