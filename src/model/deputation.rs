//! Deputies: a leader names, by a written authorisation and for a while, who decides in their place.

use crate::model::ids::AccountId;
use crate::model::people::{Person, Role, words};
use crate::model::refusal::Refusal;
use crate::model::words::BadField;
use chrono::{DateTime, NaiveDate, Utc};
use serde::{Deserialize, Serialize};

/// A written authorisation by which somebody decides in a leader's place for a while.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "recorder", derive(utoipa::ToSchema))]
pub struct Deputation {
    /// Its number.
    pub id: String,
    /// Whose place.
    pub leader: AccountId,
    /// Their name.
    pub leader_name: String,
    /// Who decides.
    pub deputy: AccountId,
    /// Their name.
    pub deputy_name: String,
    /// First day, Shanghai.
    pub from: NaiveDate,
    /// Last day.
    pub until: NaiveDate,
    /// Number of the written authorisation.
    pub basis: String,
    /// When it was ended early.
    pub ended_at: Option<DateTime<Utc>>,
}

/// Longest authorisation, days: a quarter, after which it is written anew.
pub const DEPUTATION_DAYS_MAX: i64 = 92;

words!(
    /// Where an authorisation stands on a day.
    DeputationStanding {
        /// Its first day has not come.
        NotYet = "not_yet",
        /// It holds.
        Holds = "holds",
        /// Its last day is over.
        Over = "over",
        /// It was ended before that.
        Ended = "ended",
    }
);

impl Deputation {
    /// Where it stands on a day. One that was ended before its first day never held.
    pub fn standing(&self, today: NaiveDate) -> DeputationStanding {
        match () {
            () if self.ended_at.is_some() => DeputationStanding::Ended,
            () if today < self.from => DeputationStanding::NotYet,
            () if today <= self.until => DeputationStanding::Holds,
            () => DeputationStanding::Over,
        }
    }

    /// Whether it holds on a day.
    pub fn holds(&self, today: NaiveDate) -> bool {
        self.standing(today) == DeputationStanding::Holds
    }

    /// Whether there is something left to end: up to the end of its last day, also before its first.
    pub fn can_end(&self, today: NaiveDate) -> bool {
        matches!(self.standing(today), DeputationStanding::NotYet | DeputationStanding::Holds)
    }
}

/// Whether a leader may name this person. Who keeps accounts or reads logs cannot also decide: they would hold both ends.
pub fn may_stand_in(leader: &Person, deputy: &Person, from: NaiveDate, until: NaiveDate) -> Result<(), Refusal> {
    let mut fields = Vec::new();
    if deputy.id == leader.id || deputy.is(Role::Administrator) || deputy.is(Role::Inspector) {
        fields.push(BadField::form("deputy", "cannot be yourself, an administrator or an inspector"));
    }
    if until < from || (until - from).num_days() >= DEPUTATION_DAYS_MAX {
        fields.push(BadField::form("until", "is 1 to 92 days after the first day"));
    }
    if fields.is_empty() { Ok(()) } else { Err(Refusal::BadFields { fields }) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn person(id: &str, roles: &[Role]) -> Person {
        Person::new(AccountId::new(id).unwrap(), id, id, roles)
    }

    #[test]
    fn an_authorisation_can_be_ended_from_its_naming_to_its_last_day() {
        let day = |day: u32| NaiveDate::from_ymd_opt(2026, 11, day).unwrap();
        let named = Deputation {
            id: "d-1".into(),
            leader: AccountId::new("zhou").unwrap(),
            leader_name: "周".into(),
            deputy: AccountId::new("zhao").unwrap(),
            deputy_name: "赵".into(),
            from: day(10),
            until: day(12),
            basis: "9号".into(),
            ended_at: None,
        };
        for (today, stands, can_end) in [
            (9, DeputationStanding::NotYet, true),
            (10, DeputationStanding::Holds, true),
            (12, DeputationStanding::Holds, true),
            (13, DeputationStanding::Over, false),
        ] {
            assert_eq!((named.standing(day(today)), named.can_end(day(today))), (stands, can_end), "{today}");
            assert_eq!(named.holds(day(today)), stands == DeputationStanding::Holds, "{today}");
            let ended = Deputation { ended_at: Some(DateTime::UNIX_EPOCH), ..named.clone() };
            assert_eq!((ended.standing(day(today)), ended.can_end(day(today))), (DeputationStanding::Ended, false), "{today}");
        }
    }

    #[test]
    fn a_deputy_is_named_for_a_quarter_at_most_and_keeps_no_accounts() {
        let leader = person("l", &[Role::LeaderInCharge]);
        let day = |text: &str| text.parse::<NaiveDate>().unwrap();
        let named = |who: &Person, until| may_stand_in(&leader, who, day("2026-11-23"), day(until));
        assert!(named(&person("d", &[Role::Custodian]), "2026-12-01").is_ok());
        assert!(named(&person("d", &[Role::Custodian]), "2027-11-23").is_err());
        assert!(named(&person("d", &[Role::Custodian]), "2026-11-22").is_err());
        for role in [Role::Administrator, Role::Inspector] {
            assert!(named(&person("d", &[role]), "2026-12-01").is_err());
        }
        assert!(named(&leader, "2026-12-01").is_err());
    }
}
