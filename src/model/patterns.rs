//! What in the viewing log deserves a question (第二十三条): counted from plain rows, judged by nobody but people.

use crate::model::people::words;
use chrono::{DateTime, TimeDelta, Timelike, Utc};
use serde::Serialize;
use std::collections::BTreeMap;

words!(
    /// Patterns.
    Pattern {
        /// Approved within three seconds of first being seen.
        Hasty = "hasty",
        /// Ten approvals or more by one person within a minute.
        Bulk = "bulk",
        /// Twenty sessions or more looked at by one person within a day.
        ManySessions = "many_sessions",
        /// Looked at between 22:00 and 06:00.
        AtNight = "at_night",
        /// Five refusals or more of one person within an hour.
        Refusals = "refusals",
        /// Five wrong passwords or more for one account within an hour.
        Passwords = "passwords",
    }
);

words!(
    /// What a row tells.
    Trace {
        /// An approval.
        Approval = "approval",
        /// An approval within three seconds.
        HastyApproval = "hasty_approval",
        /// A viewing began.
        Viewing = "viewing",
        /// A refusal.
        Refusal = "refusal",
        /// A wrong password.
        WrongPassword = "wrong_password",
    }
);

/// A row that patterns are counted from.
#[derive(Debug, Clone)]
pub struct Row {
    /// What happened.
    pub trace: Trace,
    /// Whose act.
    pub who: String,
    /// When.
    pub at: DateTime<Utc>,
    /// On what: a session, a request.
    pub about: String,
}

/// Something that deserves a question.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "recorder", derive(utoipa::ToSchema))]
pub struct Question {
    /// Which pattern.
    pub pattern: Pattern,
    /// Whose.
    pub who: String,
    /// When it began.
    pub at: DateTime<Utc>,
    /// How many.
    pub count: usize,
    /// On what, where it is one thing.
    pub about: Option<String>,
}

/// Patterns in rows, newest first.
pub fn of(rows: &[Row]) -> Vec<Question> {
    let mut found = Vec::new();
    let single = |trace, pattern| {
        move |r: &&Row| -> Option<Question> {
            (r.trace == trace).then(|| Question { pattern, who: r.who.clone(), at: r.at, count: 1, about: Some(r.about.clone()) })
        }
    };
    found.extend(rows.iter().filter_map(|r| single(Trace::HastyApproval, Pattern::Hasty)(&r)));
    let at_night = |r: &&Row| !(6..22).contains(&r.at.with_timezone(&crate::model::time::shanghai()).hour());
    found.extend(rows.iter().filter(at_night).filter_map(|r| single(Trace::Viewing, Pattern::AtNight)(&r)));
    for (traces, within, least, pattern) in [
        (&[Trace::Approval, Trace::HastyApproval][..], TimeDelta::minutes(1), 10, Pattern::Bulk),
        (&[Trace::Viewing][..], TimeDelta::days(1), 20, Pattern::ManySessions),
        (&[Trace::Refusal][..], TimeDelta::hours(1), 5, Pattern::Refusals),
        (&[Trace::WrongPassword][..], TimeDelta::hours(1), 5, Pattern::Passwords),
    ] {
        let mut of: BTreeMap<&str, Vec<&Row>> = BTreeMap::new();
        rows.iter().filter(|r| traces.contains(&r.trace)).for_each(|r| of.entry(&r.who).or_default().push(r));
        for (who, mut theirs) in of {
            theirs.sort_by_key(|r| r.at);
            found.extend(runs(&theirs, within, least, pattern == Pattern::ManySessions).into_iter().map(|(at, count)| Question {
                pattern,
                who: who.to_owned(),
                at,
                count,
                about: None,
            }));
        }
    }
    found.sort_by(|a, b| (b.at, &b.who).cmp(&(a.at, &a.who)));
    found
}

/// Stretches in which so many rows lie within a time; a row is counted in one stretch only. `different`: rows about one thing count once.
fn runs(rows: &[&Row], within: TimeDelta, least: usize, different: bool) -> Vec<(DateTime<Utc>, usize)> {
    let (mut found, mut at) = (Vec::new(), 0);
    while at < rows.len() {
        let run: Vec<_> = rows[at..].iter().take_while(|r| r.at - rows[at].at <= within).collect();
        let things: std::collections::BTreeSet<_> = run.iter().map(|r| &r.about).collect();
        let count = if different { things.len() } else { run.len() };
        if count >= least {
            found.push((rows[at].at, count));
            at += run.len();
        } else {
            at += 1;
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(trace: Trace, who: &str, second: i64, about: usize) -> Row {
        // Noon in Shanghai.
        let at = DateTime::UNIX_EPOCH + TimeDelta::hours(4) + TimeDelta::seconds(second);
        Row { trace, who: who.into(), at, about: format!("s-{about}") }
    }

    #[test]
    fn ten_approvals_within_a_minute_are_one_question_and_nine_are_none() {
        let rows = |n: usize, apart: i64| (0..n).map(|i| row(Trace::Approval, "l", i as i64 * apart, i)).collect::<Vec<_>>();
        assert!(of(&rows(9, 1)).is_empty());
        let found = of(&rows(12, 5));
        assert_eq!((found.len(), found[0].pattern, found[0].count), (1, Pattern::Bulk, 12));
        assert!(of(&rows(12, 20)).is_empty());
    }

    #[test]
    fn one_session_looked_at_often_is_not_many_sessions() {
        let same: Vec<_> = (0..40).map(|i| row(Trace::Viewing, "r", i * 60, 1)).collect();
        assert!(of(&same).is_empty());
        let many: Vec<_> = (0..20).map(|i| row(Trace::Viewing, "r", i * 60, i as usize)).collect();
        assert_eq!(of(&many)[0].pattern, Pattern::ManySessions);
    }

    #[test]
    fn a_look_at_night_a_hasty_approval_and_tries_are_told() {
        let rows = [row(Trace::Viewing, "r", 12 * 3600, 1), row(Trace::HastyApproval, "l", 0, 2)];
        let found: Vec<_> = of(&rows).into_iter().map(|q| q.pattern).collect();
        assert_eq!(found, [Pattern::AtNight, Pattern::Hasty]);
        let tries: Vec<_> = (0..5).map(|i| row(Trace::WrongPassword, "a", i, 0)).collect();
        assert_eq!(of(&tries)[0].pattern, Pattern::Passwords);
    }
}
