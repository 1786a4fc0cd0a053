//! `Missing`: what the regulation demands and a session does not have yet. Shown, counted, asked for later; it never stops a
//! recording (promise 1). A demand is met by the datum itself or by an [`Answer`]; 原因未说明 is an answer too, and is counted.

use crate::model::facts::{AttendeeRole, Presentation};
use crate::model::gap::GapCause;
use crate::model::ids::AccountId;
use crate::model::mark::MarkKind;
use crate::model::people::words;
use crate::model::record::Signature;
use crate::model::refusal::Refusal;
use crate::model::session::{Session, SessionKind, State};
use crate::model::time;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

/// A demand without its datum.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "recorder", derive(utoipa::ToSchema))]
pub struct Missing {
    /// What, as the console's texts call it (`missing-…`).
    pub what: &'static str,
    /// The article that demands it.
    pub article: &'static str,
    /// Of which thing, where a session can have several: `face@13500` for the gap of that camera at that session time, ms.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub about: Option<String>,
}

impl Missing {
    /// A demand that a session or case can have once.
    pub const fn once(what: &'static str, article: &'static str) -> Self {
        Self { what, article, about: None }
    }

    /// The name by which it is answered: `right-hearing`, `gap:face@13500`.
    pub fn demand(&self) -> String {
        self.about.as_ref().map_or_else(|| self.what.to_owned(), |about| format!("{}:{about}", self.what))
    }

    /// Whether it is a right that nobody has marked as told (第七条); how one was told is a demand of its own.
    pub fn is_right(&self) -> bool {
        MarkKind::RIGHTS.iter().any(|right| right.as_str().replace('_', "-") == self.what)
    }
}

words!(
    /// How a demand is answered when its datum will not come.
    AnswerKind {
        /// 已做，未打点: it was done, and no mark was set.
        Done = "done",
        /// 不适用.
        NotApplicable = "not_applicable",
        /// 未做，写明原因.
        NotDone = "not_done",
        /// 原因未说明.
        Unexplained = "unexplained",
    }
);

/// An answer. Answers stay; the newest of a demand counts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "recorder", derive(utoipa::ToSchema))]
pub struct Answer {
    /// To what: [`Missing::demand`].
    pub demand: String,
    /// How.
    pub kind: AnswerKind,
    /// In words: how it was told, why it was not done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// By whom.
    pub by: AccountId,
    /// When.
    pub at: DateTime<Utc>,
}

/// What can only be given as a datum once it is said to be there: nothing is signed without a signer (第六条), and a number that
/// exists can be typed.
const NEEDS_DATUM: &[&str] = &[
    "signature",
    "case",
    "second-officer",
    "certificate-number",
    "party",
    "cause",
    "record-number",
    "interviewee",
    "gap",
    "device-number",
    "use-time",
];

/// Whether a demand may be answered so.
pub fn may_answer(demand: &str, kind: AnswerKind, reason: Option<&str>) -> Result<(), Refusal> {
    let what = demand.split(':').next().unwrap_or_default();
    if !DEMANDS.iter().any(|(w, _)| *w == what) {
        return Err(Refusal::no_such("demand", demand));
    }
    let needs_reason = match kind {
        AnswerKind::NotDone => true,
        AnswerKind::Done if NEEDS_DATUM.contains(&what) => return Err(Refusal::DatumNeeded),
        // How a right was told is what 第七条 asks for.
        AnswerKind::Done => what.starts_with("right-"),
        AnswerKind::NotApplicable | AnswerKind::Unexplained => false,
    };
    if needs_reason && reason.is_none() { Err(Refusal::ReasonNeeded) } else { Ok(()) }
}

/// Every demand that a session can have, with its article, in the order of the articles.
pub const DEMANDS: &[(&str, &str)] = &[
    ("record-number", "第二条"),
    ("case", "第四条"),
    ("second-officer", "第六条"),
    ("certificate-number", "第六条"),
    ("certificate-expired", "第六条"),
    ("certificate-shown", "第六条"),
    ("interviewee", "第六条"),
    ("signature", "第六条"),
    ("refusal-reason", "第六条"),
    ("right-statement", "第七条"),
    ("right-defence", "第七条"),
    ("right-recusal", "第七条"),
    ("right-hearing", "第七条"),
    ("right-manner", "第七条"),
    ("gap", "第十二条"),
    ("notice", "第十三条"),
    ("explanation", "第十六条"),
    ("party", "第十七条"),
    ("cause", "第十七条"),
    ("guardian", "未成年人保护法"),
    ("device-number", "第十七条"),
    ("use-time", "第十七条"),
];

/// Everything that is missing from a session and not answered, in the order of the articles.
pub fn of(session: &Session) -> Vec<Missing> {
    all(session).into_iter().filter(|m| answer(session, &m.demand()).is_none()).collect()
}

/// The newest answer to a demand.
pub fn answer<'a>(session: &'a Session, demand: &str) -> Option<&'a Answer> {
    session.answers.iter().rev().find(|a| a.demand == demand)
}

/// Everything that is missing, answered or not.
pub fn all(session: &Session) -> Vec<Missing> {
    let mut found = Vec::new();
    // What was said of it went with it; nothing can be asked for any more.
    if session.state == State::Disposed {
        return found;
    }
    for (what, article) in DEMANDS {
        if *what == "gap" {
            found.extend(gaps(session, article));
        } else if lacks(session, what) {
            found.push(Missing::once(what, article));
        }
    }
    found
}

/// Gaps of an ended session want a reason each (第十二条); what people caused and explained has one.
fn gaps<'a>(session: &'a Session, article: &'static str) -> impl Iterator<Item = Missing> + 'a {
    let explained = |g: &&crate::model::gap::Gap| g.cause == GapCause::Interruption && g.detail.is_some();
    let one = move |g: &crate::model::gap::Gap| Missing { what: "gap", article, about: Some(format!("{}@{}", g.camera, g.from_ms)) };
    session.gaps.iter().filter(move |g| !explained(g)).map(one)
}

fn lacks(session: &Session, what: &str) -> bool {
    let facts = session.facts();
    let marked = |kind| session.marks.iter().any(|m| m.kind == kind);
    let questions = matches!(session.kind, SessionKind::Interview | SessionKind::HearingTheParty);
    let signed = || session.record.pages.iter().any(|p| p.signature != Signature::Refused);
    let day = time::shanghai_day(session.started_at);
    match what {
        "record-number" => questions && facts.record_no.is_none(),
        "case" => facts.case_no.is_none(),
        "second-officer" => facts.officers.len() < 2,
        "certificate-number" => facts.officers.iter().any(|o| o.certificate_no.is_none()),
        "certificate-expired" => facts.officers.iter().any(|o| o.valid_until.is_some_and(|until| until < day)),
        // Somebody who is named as not having shown it is not covered by a mark of the others.
        "certificate-shown" => {
            let not_shown = facts.officers.iter().any(|o| o.presentation == Some(Presentation::NotShown));
            let all_told = !facts.officers.is_empty() && facts.officers.iter().all(|o| o.presentation.is_some());
            questions && (not_shown || !(all_told || marked(MarkKind::CertificateShown)))
        }
        "interviewee" => questions && facts.interviewees().next().is_none() && facts.party.is_none(),
        "signature" => questions && !marked(MarkKind::Signing) && !marked(MarkKind::SignatureRefusal) && session.record.pages.is_empty(),
        "refusal-reason" => {
            let of_mark = |m: &crate::model::mark::Mark| m.kind == MarkKind::SignatureRefusal && (m.text.is_none() || m.witness.is_none());
            let of_page =
                |p: &crate::model::record::SignedPage| p.signature == Signature::Refused && (p.reason.is_none() || p.witness.is_none());
            !signed() && (session.marks.iter().any(of_mark) || session.record.pages.iter().any(of_page))
        }
        "right-statement" => questions && !marked(MarkKind::RightStatement),
        "right-defence" => questions && !marked(MarkKind::RightDefence),
        "right-recusal" => questions && !marked(MarkKind::RightRecusal),
        "right-hearing" => questions && !marked(MarkKind::RightHearing),
        "right-manner" => MarkKind::RIGHTS.iter().any(|right| {
            let mut of = session.marks.iter().filter(|m| m.kind == *right).peekable();
            of.peek().is_some() && of.all(|m| m.manner.is_none())
        }),
        "notice" => !marked(MarkKind::NoticeGiven),
        "explanation" => session.unexplained_break_ms().is_some(),
        "party" => facts.party.is_none(),
        "cause" => facts.cause.is_none(),
        "guardian" => {
            facts.present(&[AttendeeRole::MinorInterviewee]).next().is_some() && facts.present(&[AttendeeRole::Guardian]).next().is_none()
        }
        "device-number" => session.device_numbers().is_empty() && session.imported.is_some(),
        "use-time" => session.is_undated(),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::facts::{Attendee, Facts, Officer};
    use crate::model::mark::{Manner, Mark};
    use crate::model::step;
    use proptest::prelude::*;

    fn session(kind: SessionKind, facts: Facts) -> Session {
        step::tests::started_with(kind, facts)
    }

    fn mark(s: &mut Session, kind: MarkKind, manner: Option<Manner>) {
        let by = AccountId::new("wang").unwrap();
        s.marks.push(Mark { at_ms: 0, at: s.started_at, kind, manner, text: None, witness: None, by });
    }

    fn names(s: &Session) -> Vec<&'static str> {
        of(s).into_iter().map(|m| m.what).collect()
    }

    #[test]
    fn a_session_of_nothing_but_a_button_lacks_what_the_articles_ask_for() {
        let s = session(SessionKind::Interview, Facts::default());
        assert_eq!(
            names(&s),
            [
                "record-number",
                "case",
                "second-officer",
                "certificate-shown",
                "interviewee",
                "signature",
                "right-statement",
                "right-defence",
                "right-recusal",
                "right-hearing",
                "notice",
                "party",
                "cause"
            ]
        );
        let s = session(SessionKind::Intake, Facts::default());
        assert_eq!(names(&s), ["case", "second-officer", "notice", "party", "cause"], "no rights are told at a counter");
    }

    #[test]
    fn one_officer_an_expired_or_unshown_certificate_each_want_a_reason() {
        let officer = |until: &str, presentation| Officer {
            name: "王某".into(),
            certificate_no: Some("冀E-1".into()),
            valid_until: Some(until.parse().unwrap()),
            presentation: Some(presentation),
            duty: None,
        };
        let one = |o| session(SessionKind::Interview, Facts { officers: vec![o], ..Facts::default() });
        let lacking = |s: &Session| names(s).into_iter().filter(|n| n.starts_with("cert") || n.starts_with("second")).collect::<Vec<_>>();
        assert_eq!(lacking(&one(officer("1969-12-31", Presentation::Shown))), ["second-officer", "certificate-expired"]);
        assert_eq!(
            lacking(&one(officer("1970-01-01", Presentation::NotShown))),
            ["second-officer", "certificate-shown"],
            "valid on its last day"
        );
        let mut s = one(officer("2030-01-01", Presentation::NotShown));
        mark(&mut s, MarkKind::CertificateShown, None);
        assert!(names(&s).contains(&"certificate-shown"), "a mark does not cover who did not show it");
    }

    #[test]
    fn a_right_wants_its_manner_and_a_refusal_its_reason_and_witness() {
        let mut s = session(SessionKind::Interview, Facts::default());
        mark(&mut s, MarkKind::RightHearing, None);
        assert!(names(&s).contains(&"right-manner"));
        mark(&mut s, MarkKind::RightHearing, Some(Manner::Both));
        assert!(!names(&s).contains(&"right-manner"));
        mark(&mut s, MarkKind::SignatureRefusal, None);
        assert!(names(&s).contains(&"refusal-reason") && !names(&s).contains(&"signature"));
    }

    #[test]
    fn a_minor_is_not_questioned_without_a_guardian_unasked() {
        let person = |role| Attendee { name: "小明".into(), role };
        let with = |all: &[AttendeeRole]| {
            session(SessionKind::Interview, Facts { attendees: all.iter().map(|r| person(*r)).collect(), ..Facts::default() })
        };
        assert!(names(&with(&[AttendeeRole::MinorInterviewee])).contains(&"guardian"));
        assert!(!names(&with(&[AttendeeRole::MinorInterviewee, AttendeeRole::Guardian])).contains(&"guardian"));
    }

    #[test]
    fn not_told_wants_a_reason_and_nothing_is_signed_by_an_answer() {
        assert_eq!(may_answer("right-hearing", AnswerKind::NotDone, None), Err(Refusal::ReasonNeeded));
        assert_eq!(may_answer("right-hearing", AnswerKind::NotDone, Some("当事人离开")), Ok(()));
        assert_eq!(may_answer("right-hearing", AnswerKind::Done, None), Err(Refusal::ReasonNeeded), "how it was told");
        assert_eq!(may_answer("right-hearing", AnswerKind::NotApplicable, None), Ok(()));
        assert_eq!(may_answer("signature", AnswerKind::Done, Some("已签")), Err(Refusal::DatumNeeded));
        assert_eq!(may_answer("gap:face@100", AnswerKind::Unexplained, None), Ok(()));
        assert!(matches!(may_answer("everything", AnswerKind::NotApplicable, None), Err(Refusal::NoSuch { .. })));
    }

    proptest! {
        #[test]
        fn what_is_answered_is_no_longer_missing_and_nothing_else_changes(which in 0..DEMANDS.len(), kind in 0..4_usize) {
            let mut s = session(SessionKind::Interview, Facts::default());
            let before = of(&s);
            let demand = DEMANDS[which].0.to_owned();
            let by = AccountId::new("wang").unwrap();
            s.answers.push(Answer { demand: demand.clone(), kind: AnswerKind::ALL[kind], reason: None, by, at: s.started_at });
            let left: Vec<Missing> = before.iter().filter(|m| m.demand() != demand).cloned().collect();
            prop_assert_eq!(of(&s), left);
            prop_assert_eq!(all(&s), before);
        }
    }
}
