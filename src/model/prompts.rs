//! Prompts: what the people in the room should do now. They are shown while a session runs; nothing waits for them.

use crate::model::mark::MarkKind;
use crate::model::session::{Session, SessionKind};
use serde::Serialize;

/// Without a confirmed notice for so long, ms (第十三条: two minutes).
const NOTICE_MS: u64 = 2 * 60_000;
/// Without a rest for so long, ms.
const REST_MS: u64 = 90 * 60_000;

/// What the regulation itself does not say is labelled so.
const OTHER: &str = "制度外";

/// Something to do now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "recorder", derive(utoipa::ToSchema))]
pub struct Prompt {
    /// What, as the console's texts call it (`prompt-…`).
    pub what: &'static str,
    /// Where it comes from.
    pub article: &'static str,
    /// Since when, ms of session time.
    pub since_ms: u64,
}

/// What is to be done at this session time, the most pressing first.
pub fn of(session: &Session, now_ms: u64) -> Vec<Prompt> {
    let marked = |kind| session.marks.iter().any(|m| m.kind == kind);
    let mut found = Vec::new();
    if let Some(since_ms) = session.unexplained_break_ms() {
        found.push(Prompt { what: "explanation", article: "第十六条", since_ms });
    }
    if now_ms >= NOTICE_MS && !marked(MarkKind::NoticeGiven) {
        found.push(Prompt { what: "notice", article: "第十三条", since_ms: NOTICE_MS });
    }
    let rested_ms = last_rest_ms(session);
    if now_ms >= rested_ms + REST_MS {
        found.push(Prompt { what: "rest", article: OTHER, since_ms: rested_ms });
    }
    if session.facts().interviewees().count() > 1 {
        found.push(Prompt { what: "individually", article: OTHER, since_ms: 0 });
    }
    if session.kind == SessionKind::Interview && !marked(MarkKind::PriorTalk) {
        found.push(Prompt { what: "prior-talk", article: OTHER, since_ms: 0 });
    }
    found
}

/// When the person questioned last rested: a mark, the end of a pause, or the start.
fn last_rest_ms(session: &Session) -> u64 {
    let marks = session.marks.iter().filter(|m| m.kind.is_rest()).map(|m| m.at_ms);
    let pauses = session.interruptions.iter().filter_map(|i| i.to_ms);
    marks.chain(pauses).max().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::facts::{Attendee, AttendeeRole, Facts};
    use crate::model::ids::AccountId;
    use crate::model::mark::Mark;
    use crate::model::session::{Happening, InterruptionCause};
    use crate::model::step;

    fn names(s: &Session, min: u64) -> Vec<&'static str> {
        of(s, min * 60_000).into_iter().map(|p| p.what).collect()
    }

    fn mark(s: &Session, kind: MarkKind, min: u64) -> Session {
        let by = AccountId::new("wang").unwrap();
        let stamp = step::tests::at(min * 60_000);
        let mark = Mark { at_ms: stamp.at_ms, at: stamp.at, kind, manner: None, text: None, witness: None, by };
        step::step(s, &Happening::Marked(mark), stamp).unwrap().0
    }

    #[test]
    fn ninety_minutes_without_a_break_are_told_and_any_rest_begins_them_anew() {
        let s = step::tests::started_with(SessionKind::Handling, Facts::default());
        let s = mark(&s, MarkKind::NoticeGiven, 0);
        assert_eq!(names(&s, 89), [""; 0]);
        assert_eq!(names(&s, 90), ["rest"]);
        for rest in [MarkKind::Break, MarkKind::Water, MarkKind::Toilet, MarkKind::Medical] {
            let rested = mark(&s, rest, 91);
            assert_eq!(names(&rested, 180), [""; 0]);
            assert_eq!(names(&rested, 181), ["rest"]);
        }
    }

    #[test]
    fn the_notice_is_asked_for_after_two_minutes() {
        let s = step::tests::started_with(SessionKind::Handling, Facts::default());
        assert_eq!(names(&s, 1), [""; 0]);
        assert_eq!(names(&s, 2), ["notice"]);
    }

    #[test]
    fn after_a_pause_its_reason_is_to_be_spoken() {
        let by = AccountId::new("wang").unwrap();
        let s = mark(&step::tests::started_with(SessionKind::Handling, Facts::default()), MarkKind::NoticeGiven, 0);
        let pause = Happening::Interrupted { cause: InterruptionCause::Vacated, reason: None, by: by.clone() };
        let (s, _) = step::step(&s, &pause, step::tests::at(60_000)).unwrap();
        assert_eq!(names(&s, 1), [""; 0], "not while it lasts");
        let (s, _) = step::step(&s, &Happening::Resumed { by }, step::tests::at(120_000)).unwrap();
        assert_eq!(names(&s, 2), ["explanation"]);
        assert_eq!(names(&mark(&s, MarkKind::Explanation, 3), 3), [""; 0]);
    }

    #[test]
    fn two_persons_are_not_questioned_in_one_session_unasked() {
        let person = |name: &str| Attendee { name: name.into(), role: AttendeeRole::Interviewee };
        let s = step::tests::started_with(
            SessionKind::Interview,
            Facts { attendees: vec![person("张三"), person("李四")], ..Facts::default() },
        );
        assert_eq!(names(&s, 0), ["individually", "prior-talk"]);
    }
}
