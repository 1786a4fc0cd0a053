//! Forms as pages take them: what cannot be read is told on a page, in the person's language, like every other no.

use crate::desks::facts::Registered;
use crate::desks::logins::SignedIn;
use crate::model::facts::{Attendee, AttendeeRole, Duty, Facts, Officer, Presentation};
use crate::model::people::Act;
use crate::model::refusal::Refusal;
use crate::model::words::BadField;
use crate::web::i18n::Lang;
use crate::web::pages::visit::Visit;
use crate::web::pages::{self, Page};
use crate::web::{Web, error};
use axum::extract::{FromRequest, Request};
use axum::response::Response;
use serde::de::DeserializeOwned;

/// The fields of a form that was posted.
pub struct Form<T>(pub T);

impl<T: DeserializeOwned + Send> FromRequest<Web> for Form<T> {
    type Rejection = Response;

    async fn from_request(request: Request, web: &Web) -> Result<Self, Response> {
        let headers = request.headers().clone();
        let who = request.extensions().get::<SignedIn>().cloned();
        let read = axum::Form::<T>::from_request(request, web).await.map_err(|rejection| rejection.body_text());
        let why: String = match read.map(|axum::Form(fields)| Self(fields)) {
            Ok(form) => return Ok(form),
            Err(why) => why.chars().take(300).collect(),
        };
        let no = Refusal::from(BadField::form("form", &why)).into();
        Err(match who {
            Some(who) => pages::no_page(Page::of(web, &headers, who, "/").await, &no),
            None => pages::refused(web, &headers, &no),
        })
    }
}

/// The first field of a name, trimmed; empty is none.
pub fn one(fields: &[(String, String)], name: &str) -> Option<String> {
    fields.iter().find(|(n, _)| n == name).map(|(_, v)| v.trim().to_owned()).filter(|v| !v.is_empty())
}

/// Every field of a name, as it came.
pub fn all<'a>(fields: &'a [(String, String)], name: &'a str) -> impl Iterator<Item = &'a str> {
    fields.iter().filter(move |(n, _)| n == name).map(|(_, v)| v.as_str())
}

/// Facts from a form: officers and other people are repeated rows.
pub fn facts(fields: &[(String, String)]) -> Facts {
    let given = |text: &str| Some(text.trim().to_owned()).filter(|t| !t.is_empty());
    let nth = |name: &str, at: usize| all(fields, name).nth(at).unwrap_or_default().to_owned();
    let officer = |(at, name): (usize, &str)| Officer {
        name: name.into(),
        certificate_no: given(&nth("certificate_no", at)),
        valid_until: None,
        presentation: Presentation::from_word(&nth("presentation", at)),
        duty: Duty::from_word(&nth("duty", at)),
    };
    let attendee = |(at, name): (usize, &str)| Attendee {
        name: name.into(),
        role: AttendeeRole::from_word(&nth("attendee_role", at)).unwrap_or(AttendeeRole::Other),
    };
    let officers = all(fields, "officer").enumerate().map(officer);
    Facts {
        case_no: one(fields, "case_no"),
        record_no: one(fields, "record_no"),
        party: one(fields, "party"),
        cause: one(fields, "cause"),
        officers: officers.filter(|o| !o.name.trim().is_empty() || o.certificate_no.is_some()).collect(),
        attendees: all(fields, "attendee").enumerate().map(attendee).filter(|a| !a.name.trim().is_empty()).collect(),
        restricted: one(fields, "restricted").is_some(),
    }
}

/// The part of a form in which facts are typed (`facts_fields.html`): what was typed stays, and what is wrong stands beside it.
pub(super) struct FactsForm {
    lang: Lang,
    pub(super) facts: Facts,
    pub(super) fields: Vec<BadField>,
    pub(super) register: Vec<Registered>,
    /// Numbers of open cases, with what tells them apart.
    pub(super) cases: Vec<(String, String)>,
}

impl FactsForm {
    /// With the register, where the person may read it.
    pub(super) async fn new(visit: &Visit, facts: Facts, fields: Vec<BadField>) -> Self {
        let (desks, person) = (visit.desks(), visit.person());
        // Asked only where the answer can be yes: a page that is merely opened tries nothing that is refused and logged.
        let may = person.may(Act::LinkSession);
        let register = if may { desks.officers_of_register(person).await.unwrap_or_default() } else { vec![] };
        let cases = desks.case_numbers(person).await;
        Self { lang: visit.lang(), facts, fields, register, cases }
    }

    /// The single lines: name, text, what was typed.
    pub(super) fn lines(&self) -> [(&'static str, &'static str, String); 4] {
        let f = &self.facts;
        let typed = |text: &Option<String>| text.clone().unwrap_or_default();
        [
            ("case_no", "field-case-no", typed(&f.case_no)),
            ("record_no", "field-record-no", typed(&f.record_no)),
            ("party", "field-party", typed(&f.party)),
            ("cause", "field-cause", typed(&f.cause)),
        ]
    }

    /// Those that are known, and empty ones up to two.
    pub(super) fn officers(&self) -> Vec<Officer> {
        let mut rows = self.facts.officers.clone();
        rows.resize(rows.len().max(2), Officer::default());
        rows
    }

    /// Those that are known, and one empty row for the person questioned.
    pub(super) fn attendees(&self) -> Vec<Attendee> {
        let mut rows = self.facts.attendees.clone();
        if rows.is_empty() {
            rows.push(Attendee { name: String::new(), role: AttendeeRole::Interviewee });
        }
        rows
    }

    pub(super) fn wrong(&self, field: &str) -> Option<String> {
        self.fields.iter().find(|f| f.field == field).map(|f| error::problem_text(f, self.lang))
    }

    /// How the register tells an officer apart: number, unit, validity.
    pub(super) fn label(&self, r: &Registered) -> String {
        let until =
            r.valid_until.map(|day| self.lang.with(if r.expired { "expired-on" } else { "valid-until" }, &[("day", day.to_string())]));
        let parts = [r.certificate_no.clone(), Some(r.unit_name.clone()), until];
        parts.into_iter().flatten().filter(|p| !p.is_empty()).collect::<Vec<_>>().join(" · ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(all: &[(&str, &str)]) -> Vec<(String, String)> {
        all.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect()
    }

    #[test]
    fn a_form_that_is_empty_is_a_session_without_facts() {
        let empty = fields(&[
            ("kind", "interview"),
            ("case_no", " "),
            ("officer", ""),
            ("certificate_no", ""),
            ("presentation", ""),
            ("duty", ""),
            ("attendee", ""),
            ("attendee_role", "interviewee"),
        ]);
        assert_eq!(facts(&empty), Facts::default());
    }

    #[test]
    fn rows_stay_together_when_one_between_them_is_empty() {
        let typed = fields(&[
            ("officer", ""),
            ("certificate_no", ""),
            ("presentation", "shown"),
            ("duty", ""),
            ("officer", "李红"),
            ("certificate_no", "冀E-022"),
            ("presentation", "not_shown"),
            ("duty", "recording"),
        ]);
        let officers = facts(&typed).officers;
        assert_eq!(officers.len(), 1);
        assert_eq!((officers[0].presentation, officers[0].duty), (Some(Presentation::NotShown), Some(Duty::Recording)));
    }
}
