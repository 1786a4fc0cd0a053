//! What a case lacks by which article, and whether its file can be archived.

use crate::model::case::{ActKind, Case, CaseState, Origin};
use crate::model::initiation::{self, Standing};
use crate::model::missing::{AnswerKind, Missing};
use crate::model::refusal::Refusal;
use crate::model::text_record::RecordKind;
use chrono::{DateTime, Utc};

/// What a case needs to know of a session that is linked to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionBrief {
    /// Its number.
    pub id: String,
    /// How many of its own demands are open.
    pub missing: usize,
    /// All four rights were told or answered.
    pub rights: bool,
}

/// Every demand that a case can have, with its article.
pub const DEMANDS: &[(&str, &str)] = &[
    ("case-kind", "第二条"),
    ("case-procedure", "第二条"),
    ("case-acceptance", "第四条"),
    ("case-receipt", "第四条"),
    ("case-complainant", "第四条"),
    ("case-initiation", "第五条"),
    ("case-initiation-late", "第五条"),
    ("case-investigation", "第六条"),
    ("case-rights", "第七条"),
    ("case-approval", "第八条"),
    ("case-service", "第九条"),
    ("case-service-receipt", "第九条"),
    ("case-performance", "第十条"),
    ("case-reminder", "第十一条"),
    ("case-court-result", "第十一条"),
    ("case-session", "第十二条"),
    ("case-number", "第十七条"),
    ("case-party", "第十七条"),
    ("case-cause", "第十七条"),
];

/// Everything that is missing and not answered, in the order of the articles.
pub fn of(case: &Case, sessions: &[SessionBrief], now: DateTime<Utc>) -> Vec<Missing> {
    let answered = |m: &Missing| case.answers.iter().any(|a| a.demand == m.demand());
    all(case, sessions, now).into_iter().filter(|m| !answered(m)).collect()
}

/// Everything that is missing, answered or not.
pub fn all(case: &Case, sessions: &[SessionBrief], now: DateTime<Utc>) -> Vec<Missing> {
    let mut found = Vec::new();
    for (what, article) in DEMANDS {
        if *what == "case-session" {
            let open = sessions.iter().filter(|s| s.missing > 0);
            found.extend(open.map(|s| Missing { what, article, about: Some(s.id.clone()) }));
        } else if lacks(case, sessions, now, what) {
            found.push(Missing::once(what, article));
        }
    }
    found
}

fn lacks(case: &Case, sessions: &[SessionBrief], now: DateTime<Utc>, what: &str) -> bool {
    let facts = case.facts();
    let begun = !matches!(case.state, CaseState::Intake | CaseState::InitiationPending | CaseState::Rejected | CaseState::NotInitiated);
    let declined = case.has(RecordKind::NotAccepted) || case.has(RecordKind::ComplaintAnswered);
    // A refused or declined case that was closed has no course to be recorded.
    let course = begun && !(matches!(case.state, CaseState::Closed | CaseState::Archived) && (declined || refused(case)));
    let decided = case.has(RecordKind::Decision) && course;
    let penal = matches!(facts.kind, Some(ActKind::Penalty | ActKind::Compulsion));
    let over = matches!(case.state, CaseState::Closed | CaseState::Archived);
    let standing = initiation::standing(case.urgent.as_ref(), &case.forms, now);
    match what {
        "case-kind" => facts.kind.is_none() && course,
        "case-procedure" => facts.procedure.is_none() && course,
        "case-acceptance" => case.origin == Origin::Application && !case.has(RecordKind::Accepted) && !case.has(RecordKind::NotAccepted),
        "case-receipt" => case.origin == Origin::Application && !case.has(RecordKind::Receipt),
        "case-complainant" => case.origin == Origin::Complaint && case.named && !case.has(RecordKind::ComplaintAnswered) && !begun,
        "case-initiation" => case.needs_form() && begun && standing != Standing::Approved && !declined,
        "case-initiation-late" => initiation::is_late(case.urgent.as_ref(), &case.forms, now),
        "case-investigation" => penal && course && sessions.is_empty() && !case.has(RecordKind::Investigation),
        "case-rights" => penal && course && !case.has(RecordKind::RightsNotice) && !sessions.iter().any(|s| s.rights),
        "case-approval" => decided && !case.has(RecordKind::DecisionApproval),
        "case-service" => decided && !case.has(RecordKind::Service),
        "case-service-receipt" => {
            let served = case.records.iter().filter(|r| r.kind == RecordKind::Service);
            course && served.clone().count() > 0 && served.clone().all(|r| !r.fields.contains_key("receipt_no"))
        }
        "case-performance" => decided && over && !case.has(RecordKind::Performance) && !case.has(RecordKind::CourtResult),
        "case-reminder" => case.has(RecordKind::CourtApplication) && !case.has(RecordKind::Reminder),
        "case-court-result" => over && case.has(RecordKind::CourtApplication) && !case.has(RecordKind::CourtResult),
        "case-number" => course && facts.number.is_none(),
        "case-party" => facts.parties.is_empty() && course,
        "case-cause" => facts.cause.is_none() && course,
        _ => false,
    }
}

fn refused(case: &Case) -> bool {
    case.forms.last().and_then(|f| f.decision.as_ref()).is_some_and(|d| !d.approved)
}

/// Whether a demand of a case may be answered so. What was done is entered as its record, and not said to be done.
pub fn may_answer(demand: &str, kind: AnswerKind, reason: Option<&str>) -> Result<(), Refusal> {
    let what = demand.split(':').next().unwrap_or_default();
    if !DEMANDS.iter().any(|(w, _)| *w == what) {
        return Err(Refusal::no_such("demand", demand));
    }
    match (kind, reason) {
        (AnswerKind::Done, _) => Err(Refusal::DatumNeeded),
        (AnswerKind::NotDone, None) => Err(Refusal::ReasonNeeded),
        _ => Ok(()),
    }
}

/// A file is archived with every demand met or answered; 原因未说明 is an answer, and is counted.
pub fn may_archive(case: &Case, sessions: &[SessionBrief], now: DateTime<Utc>) -> Result<(), Refusal> {
    let open = of(case, sessions, now).len();
    if open > 0 { Err(Refusal::DemandsOpen { open }) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::case::tests::{by, opened, record};
    use crate::model::case::{CaseChange, CaseFacts, Procedure};
    use crate::model::initiation::FormFields;
    use proptest::prelude::*;

    fn names(case: &Case, sessions: &[SessionBrief]) -> Vec<&'static str> {
        of(case, sessions, DateTime::UNIX_EPOCH).into_iter().map(|m| m.what).collect()
    }

    fn go(case: &Case, changes: &[CaseChange]) -> Case {
        changes.iter().fold(case.clone(), |c, change| {
            let who = if matches!(change, CaseChange::Ruled { .. }) { "head" } else { "wang" };
            c.after(change, &by(who, 100)).unwrap()
        })
    }

    fn known() -> CaseChange {
        let facts = CaseFacts {
            number: Some("12号".into()),
            kind: Some(ActKind::Penalty),
            procedure: Some(Procedure::Ordinary),
            cause: Some("占地".into()),
            parties: vec!["张三".into()],
            ..CaseFacts::default()
        };
        CaseChange::Facts { facts, reason: "立案".into() }
    }

    #[test]
    fn a_penalty_from_start_to_archive_lacks_each_article_in_its_turn() {
        let approved = CaseChange::Ruled { approved: true, reason: None };
        let case = go(&opened(Origin::OwnInitiative, Procedure::Ordinary), &[known()]);
        assert_eq!(names(&case, &[]), [""; 0], "nothing was begun");
        let case = go(&case, &[CaseChange::Submitted(FormFields::default()), approved]);
        assert_eq!(names(&case, &[]), ["case-investigation", "case-rights"]);
        let session = |missing, rights| SessionBrief { id: "s".into(), missing, rights };
        assert_eq!(names(&case, &[session(2, true)]), ["case-session"]);
        let case = go(&case, &[record(RecordKind::Decision)]);
        assert_eq!(names(&case, &[session(0, true)]), ["case-approval", "case-service"]);
        let case = go(&case, &[record(RecordKind::DecisionApproval), record(RecordKind::Service)]);
        assert_eq!(names(&case, &[session(0, true)]), ["case-service-receipt"]);
        let case = go(&case, &[CaseChange::Closed { on: "2026-11-23".parse().unwrap(), period: "十年".into() }]);
        assert_eq!(names(&case, &[session(0, true)]), ["case-service-receipt", "case-performance"]);
        let case = go(&case, &[record(RecordKind::CourtApplication)]);
        assert_eq!(names(&case, &[session(0, true)]), ["case-service-receipt", "case-performance", "case-reminder", "case-court-result"]);
        let sessions = [session(0, true)];
        assert_eq!(may_archive(&case, &sessions, DateTime::UNIX_EPOCH), Err(Refusal::DemandsOpen { open: 4 }));
        let unexplained = |m: Missing| CaseChange::Answered { demand: m.demand(), kind: AnswerKind::Unexplained, reason: None };
        let answers: Vec<CaseChange> = of(&case, &sessions, DateTime::UNIX_EPOCH).into_iter().map(unexplained).collect();
        assert_eq!(may_archive(&go(&case, &answers), &sessions, DateTime::UNIX_EPOCH), Ok(()));
    }

    #[test]
    fn a_named_complainant_is_answered_or_the_case_is_begun() {
        let mut case = opened(Origin::Complaint, Procedure::Summary);
        assert_eq!(names(&case, &[]), [""; 0]);
        case.named = true;
        assert_eq!(names(&case, &[]), ["case-complainant"]);
        assert_eq!(names(&go(&case, &[record(RecordKind::ComplaintAnswered)]), &[]), [""; 0]);
        assert!(!names(&go(&case, &[CaseChange::Begun]), &[]).contains(&"case-complainant"));
    }

    #[test]
    fn what_was_done_is_entered_and_not_said_to_be_done() {
        assert_eq!(may_answer("case-service", AnswerKind::Done, Some("已送达")), Err(Refusal::DatumNeeded));
        assert_eq!(may_answer("case-service", AnswerKind::NotDone, None), Err(Refusal::ReasonNeeded));
        assert_eq!(may_answer("case-session:s-1", AnswerKind::Unexplained, None), Ok(()));
        assert!(may_answer("right-hearing", AnswerKind::Unexplained, None).is_err());
    }

    proptest! {
        #[test]
        fn an_answer_takes_away_its_demand_alone(which in 0..DEMANDS.len(), steps in 0..5_usize) {
            let approved = CaseChange::Ruled { approved: true, reason: None };
            let course = [known(), CaseChange::Submitted(FormFields::default()), approved, record(RecordKind::Decision), record(RecordKind::CourtApplication)];
            let case = go(&opened(Origin::OwnInitiative, Procedure::Ordinary), &course[..steps]);
            let before = of(&case, &[], DateTime::UNIX_EPOCH);
            let demand = DEMANDS[which].0.to_owned();
            let after = go(&case, &[CaseChange::Answered { demand: demand.clone(), kind: AnswerKind::Unexplained, reason: None }]);
            let left: Vec<Missing> = before.into_iter().filter(|m| m.demand() != demand).collect();
            prop_assert_eq!(of(&after, &[], DateTime::UNIX_EPOCH), left);
        }
    }
}
