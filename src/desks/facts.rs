//! Facts as people type them: bounded, numbers without a path, officers completed from the register; every error at once.

use crate::catalog::accounts;
use crate::desks::{Answer, Desks};
use crate::model::facts::{Attendee, Facts, Officer};
use crate::model::people::{Act, Person, Role};
use crate::model::refusal::Refusal;
use crate::model::words::{self, BadField};
use chrono::NaiveDate;
use serde::Serialize;
use std::time::Duration;

/// How long a start waits for the register.
const PATIENCE: Duration = Duration::from_millis(150);
/// Most officers on a session.
const OFFICERS_MAX: usize = 20;
/// Most other people in a room.
const ATTENDEES_MAX: usize = 30;

/// An officer of the register: an account that is one.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct Registered {
    /// 姓名.
    pub name: String,
    /// 股室.
    pub unit_name: String,
    /// 执法证件编号.
    pub certificate_no: Option<String>,
    /// Last day on which it is valid.
    pub valid_until: Option<NaiveDate>,
    /// It is not valid any more.
    pub expired: bool,
}

impl Desks {
    /// The officers whom a session can name, by name. Not secret: their numbers are shown to whoever is questioned (第六条).
    pub async fn officers_of_register(&self, who: &Person) -> Answer<Vec<Registered>> {
        self.need(who, Act::LinkSession)?;
        let today = crate::model::time::shanghai_day(self.now().utc);
        let all = self.read(accounts::all).await?;
        let officers = all.into_iter().filter(|a| a.active && a.person.is(Role::Officer)).map(|a| a.person);
        let mut found: Vec<Registered> = officers
            .map(|p| Registered {
                unit_name: p.unit.as_ref().map(|u| self.unit_name(u)).unwrap_or_default(),
                expired: p.certificate_until.is_some_and(|until| until < today),
                name: p.name,
                certificate_no: p.certificate_no,
                valid_until: p.certificate_until,
            })
            .collect();
        found.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(found)
    }

    /// What was typed, checked, and completed from the register and the cases. A catalog that does not answer at once adds
    /// nothing: a session's start does not wait for it.
    pub(super) async fn complete(&self, given: Facts) -> Answer<Facts> {
        let facts = check(given)?;
        let Ok(filled) = tokio::time::timeout(PATIENCE, self.fill_in(facts.clone())).await else {
            tracing::warn!("the register does not answer; officers stay as they were typed");
            return Ok(facts);
        };
        Ok(filled)
    }

    async fn fill_in(&self, mut facts: Facts) -> Facts {
        let register: Vec<Person> = self.read(accounts::all).await.unwrap_or_default().into_iter().map(|a| a.person).collect();
        for officer in &mut facts.officers {
            fill_in(officer, &register);
        }
        if let Some(number) = &facts.case_no {
            facts.restricted |= self.is_restricted(number).await;
        }
        facts
    }
}

/// The number and its validity from the register, where the name (or the number) names exactly one officer there.
fn fill_in(officer: &mut Officer, register: &[Person]) {
    let is = |p: &&Person| match &officer.certificate_no {
        Some(no) => p.certificate_no.as_ref() == Some(no),
        None => p.name == officer.name && p.is(Role::Officer),
    };
    let mut fitting = register.iter().filter(is);
    if let (Some(person), None) = (fitting.next(), fitting.next()) {
        officer.certificate_no = officer.certificate_no.take().or_else(|| person.certificate_no.clone());
        officer.valid_until = officer.valid_until.or(person.certificate_until);
    }
}

/// Checks what was typed.
pub(super) fn check(given: Facts) -> Result<Facts, Refusal> {
    let mut fields: Vec<BadField> = Vec::new();
    let mut keep = |result: Result<Option<String>, BadField>| result.map_err(|e| fields.push(e)).unwrap_or_default();
    let optional = |text: Option<String>| text.unwrap_or_default();
    let mut checked = Facts {
        case_no: keep(words::number("case_no", &optional(given.case_no))),
        record_no: keep(words::number("record_no", &optional(given.record_no))),
        party: keep(words::line("party", &optional(given.party))),
        cause: keep(words::line("cause", &optional(given.cause))),
        restricted: given.restricted,
        ..Facts::default()
    };
    let (officers, attendees) = (given.officers.len(), given.attendees.len());
    for officer in given.officers.into_iter().take(OFFICERS_MAX) {
        let certificate_no = keep(words::line("certificate_no", &optional(officer.certificate_no)));
        match keep(words::line("officer", &officer.name)) {
            Some(name) => checked.officers.push(Officer { name, certificate_no, ..officer }),
            None if certificate_no.is_some() => drop(keep(words::needed_line("officer", "").map(Some))),
            None => {}
        }
    }
    for attendee in given.attendees.into_iter().take(ATTENDEES_MAX) {
        if let Some(name) = keep(words::line("attendee", &attendee.name)) {
            checked.attendees.push(Attendee { name, role: attendee.role });
        }
    }
    for (field, many, max) in [("officers", officers, OFFICERS_MAX), ("attendees", attendees, ATTENDEES_MAX)] {
        if many > max {
            fields.push(BadField::form(field, &format!("are {many}; at most {max} fit")));
        }
    }
    if fields.is_empty() { Ok(checked) } else { Err(Refusal::BadFields { fields }) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::ids::AccountId;

    #[test]
    fn every_bad_field_is_told_at_once() {
        let given = Facts { case_no: Some("../x".into()), party: Some("张".repeat(10_000)), ..Facts::default() };
        let Err(Refusal::BadFields { fields }) = check(given) else { panic!("not refused") };
        assert_eq!(fields.iter().map(|f| f.field.as_str()).collect::<Vec<_>>(), ["case_no", "party"]);
    }

    #[test]
    fn an_empty_row_of_officers_is_no_officer() {
        let row = |name: &str| Officer { name: name.into(), ..Officer::default() };
        let checked = check(Facts { officers: vec![row("王某"), row(" ")], ..Facts::default() }).unwrap();
        assert_eq!(checked.officers.len(), 1);
    }

    #[test]
    fn a_name_that_two_officers_have_is_not_completed() {
        let person = |id: &str, no: &str| Person {
            certificate_no: Some(no.into()),
            certificate_until: Some("2030-01-01".parse().unwrap()),
            ..Person::new(AccountId::new(id).unwrap(), id, "王伟", &[Role::Officer])
        };
        let named = || Officer { name: "王伟".into(), ..Officer::default() };
        let mut one = named();
        fill_in(&mut one, &[person("a", "冀E-1")]);
        assert_eq!((one.certificate_no.as_deref(), one.valid_until.is_some()), (Some("冀E-1"), true));
        let mut two = named();
        fill_in(&mut two, &[person("a", "冀E-1"), person("b", "冀E-2")]);
        assert_eq!(two, named());
        two.certificate_no = Some("冀E-2".into());
        fill_in(&mut two, &[person("a", "冀E-1"), person("b", "冀E-2")]);
        assert!(two.valid_until.is_some(), "the number tells them apart");
    }
}
