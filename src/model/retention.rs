//! Retention (第十八条): how long a session is kept at the least, and why. Pure: a session, the cases that any of its links names, the
//! table of periods in; a class, a date or none, and the reasons with their articles out.
//!
//! Three rules decide: six calendar months are the floor of everything; what is linked to an ordinary-procedure penalty or a compulsory
//! measure is evidence and follows the case file, without a date until that is closed and its period entered; what is not known is
//! kept. Every link that a session ever had counts, and the longest wins: a link that was changed shortens nothing.

use crate::model::case::{ActKind, Case, Procedure};
use crate::model::people::words;
use crate::model::session::Session;
use crate::model::time;
use chrono::{DateTime, Datelike, Days, Months, NaiveDate, Utc};
use serde::{Deserialize, Serialize};

/// The floor, in calendar months (第十八条第二款). In code, not in configuration.
pub const FLOOR_MONTHS: u32 = 6;

/// The last day of so many calendar months that follow a day: the day itself is not counted, and where the month has no such day it is
/// its last (《民法典》 第二百零一条, 第二百零二条).
pub fn months_after(day: NaiveDate, months: u32) -> NaiveDate {
    // The calendar of chrono ends 260,000 years from now.
    day.checked_add_months(Months::new(months)).unwrap_or(NaiveDate::MAX)
}

/// The first moment at which something that must be kept through a day, and so many more, need not be kept: the period ends at 24:00
/// in Shanghai.
pub fn over(last: NaiveDate, margin_days: u32) -> DateTime<Utc> {
    let next = last.checked_add_days(Days::new(u64::from(margin_days) + 1)).unwrap_or(NaiveDate::MAX);
    time::shanghai_midnight(next)
}

/// A class of case files (案卷保存期限).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "recorder", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct Class {
    /// What is stored.
    pub id: String,
    /// What people choose.
    pub name: String,
    /// Years from 1 January after the closing; none: 永久.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub years: Option<u32>,
}

/// A version of the table of periods, as it was approved (第二十四条).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "recorder", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct Version {
    /// Its number.
    pub number: String,
    /// First day on which it is in force.
    pub in_force_from: NaiveDate,
    /// When it was approved; none: not yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approved_on: Option<NaiveDate>,
    /// By whom.
    #[serde(default)]
    pub approved_by: String,
    /// By which document.
    #[serde(default)]
    pub document: String,
    /// Months for 日常执法 material: [`FLOOR_MONTHS`] or more.
    pub routine_months: u32,
    /// Classes of case files.
    #[serde(rename = "class")]
    pub classes: Vec<Class>,
}

/// The table of periods with all its versions.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Table {
    /// In the order of their coming into force.
    #[serde(rename = "version")]
    pub versions: Vec<Version>,
    /// Days added to every period, for rest days.
    #[serde(default)]
    pub margin_days: u32,
}

impl Table {
    /// What is wrong with it, in words for whoever wrote it.
    pub fn problems(&self) -> Vec<String> {
        let mut wrong = Vec::new();
        if self.versions.is_empty() {
            wrong.push("has no version".into());
        }
        for pair in self.versions.windows(2) {
            if pair[0].in_force_from >= pair[1].in_force_from {
                wrong.push(format!("version {} does not come into force after {}", pair[1].number, pair[0].number));
            }
        }
        for version in &self.versions {
            let number = &version.number;
            if version.routine_months < FLOOR_MONTHS {
                wrong.push(format!(
                    "version {number}: routine_months is {}; 第十八条 asks for {FLOOR_MONTHS} at the least",
                    version.routine_months
                ));
            }
            for (at, class) in version.classes.iter().enumerate() {
                if class.id.is_empty() || class.name.is_empty() || class.years == Some(0) {
                    wrong.push(format!("version {number}: class {:?} needs id, name, and years of 1 or more (none: 永久)", class.id));
                }
                if version.classes[..at].iter().any(|c| c.id == class.id || c.name == class.name) {
                    wrong.push(format!("version {number}: two classes are called {:?} or {:?}", class.id, class.name));
                }
            }
        }
        wrong
    }

    /// The version in force on a day; before the first, the first.
    pub fn on(&self, day: NaiveDate) -> Option<&Version> {
        self.versions.iter().rev().find(|v| v.in_force_from <= day).or(self.versions.first())
    }

    /// A class by its identifier or its name, as it stood on a day; one that is only in another version is found there.
    pub fn class(&self, day: NaiveDate, word: &str) -> Option<&Class> {
        let fits = |c: &&Class| c.id == word || c.name == word;
        let on = self.on(day)?;
        on.classes.iter().find(fits).or_else(|| self.versions.iter().flat_map(|v| &v.classes).find(fits))
    }
}

words!(
    /// What a session is for the purpose of keeping it.
    RetentionClass {
        /// 未分类: kept, without a date.
        Unclassified = "unclassified",
        /// 日常执法.
        Routine = "routine",
        /// 作为证据使用: as long as the case file.
        Evidence = "evidence",
    }
);

words!(
    /// One reason.
    Reason {
        /// It has not ended yet.
        NotEnded = "not_ended",
        /// 不少于六个月.
        Floor = "floor",
        /// Linked to nothing, and nobody said what it is.
        Unlinked = "unlinked",
        /// Linked to nothing that is known, and a custodian said that it is routine.
        DeclaredRoutine = "declared_routine",
        /// The number is in no register of ours.
        CaseUnknown = "case_unknown",
        /// The case does not say what kind of act and procedure it is.
        ActUnknown = "act_unknown",
        /// The case is none that makes evidence of it.
        RoutineCase = "routine_case",
        /// Evidence in a case that is not closed.
        CaseOpen = "case_open",
        /// The case is closed, and its period is none of the table.
        PeriodUnknown = "period_unknown",
        /// 永久.
        Permanent = "permanent",
        /// As long as the case file.
        Period = "period",
        /// Somebody who appraised it keeps it longer.
        Extended = "extended",
        /// It was taken in on a later day than it was used on: the period runs from then.
        TakenIn = "taken_in",
    }
);

impl Reason {
    /// The article that it comes from.
    pub fn article(self) -> &'static str {
        match self {
            Self::CaseOpen | Self::PeriodUnknown | Self::Permanent | Self::Period => "第十八条第三款",
            Self::Unlinked | Self::CaseUnknown | Self::ActUnknown => "第十七条",
            Self::NotEnded | Self::Floor | Self::DeclaredRoutine | Self::RoutineCase | Self::Extended | Self::TakenIn => "第十八条第二款",
        }
    }
}

/// Why something is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "recorder", derive(utoipa::ToSchema))]
pub struct Why {
    /// In a word; the console has the sentence.
    pub reason: Reason,
    /// The case, the period, or what was said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub about: Option<String>,
    /// Until when, by this reason alone; none: without a date.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<DateTime<Utc>>,
}

/// How long a session is kept, leaving holds aside.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "recorder", derive(utoipa::ToSchema))]
pub struct Retention {
    /// As what.
    pub class: RetentionClass,
    /// The first moment at which the rules do not ask for it any more; none: there is no such moment yet.
    pub earliest: Option<DateTime<Utc>>,
    /// Every reason.
    pub why: Vec<Why>,
}

impl Retention {
    /// Whether its period is over.
    pub fn is_over(&self, now: DateTime<Utc>) -> bool {
        self.earliest.is_some_and(|at| at <= now)
    }
}

/// A custodian's word, at its appraisal (鉴定), that something is kept longer than the rules ask.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "recorder", derive(utoipa::ToSchema))]
pub struct Extension {
    /// Kept through this day at the least.
    pub until: NaiveDate,
    /// Why.
    pub reason: String,
}

/// When a session was taken in, where that is a later day than the one on which its use ended. 第十八条 asks for six months of keeping, and
/// nobody keeps what has not come yet: the period runs from then. A device whose clock is months slow makes nothing due.
pub fn taken_in_later(session: &Session) -> Option<DateTime<Utc>> {
    let (ended, taken_in) = (session.ended_at?, session.imported.as_ref()?.taken_in_at);
    (time::shanghai_day(taken_in) > time::shanghai_day(ended)).then_some(taken_in)
}

/// How long a session is kept. `cases`: all that any of its links names, by any of their numbers.
pub fn of(session: &Session, cases: &[Case], table: &Table) -> Retention {
    let Some(ended_at) = session.ended_at else {
        return Retention { class: RetentionClass::Unclassified, earliest: None, why: vec![why(Reason::NotEnded, None, None)] };
    };
    let ended = time::shanghai_day(ended_at);
    let months = table.on(time::shanghai_day(session.started_at)).map_or(FLOOR_MONTHS, |v| v.routine_months.max(FLOOR_MONTHS));
    let floor_after = |day| over(months_after(day, months), table.margin_days);
    let mut floor = floor_after(ended);
    let mut reasons = vec![why(Reason::Floor, Some(months.to_string()), Some(floor))];
    if let Some(day) = taken_in_later(session).map(time::shanghai_day) {
        floor = floor_after(day);
        reasons.push(why(Reason::TakenIn, Some(day.to_string()), Some(floor)));
    }
    let mut class = RetentionClass::Routine;
    let numbers = session.case_numbers();
    let declared = session.declared_routine.as_ref().and_then(|w| w.reason.clone());
    if numbers.is_empty() {
        match &declared {
            Some(said) => reasons.push(why(Reason::DeclaredRoutine, Some(said.clone()), Some(floor))),
            None => reasons.push(why(Reason::Unlinked, None, None)),
        }
    }
    for number in numbers {
        let linked: Vec<&Case> = cases.iter().filter(|c| c.numbers().contains(&number)).collect();
        if linked.is_empty() {
            match &declared {
                Some(said) => reasons.push(why(Reason::DeclaredRoutine, Some(format!("{number}：{said}")), Some(floor))),
                None => reasons.push(why(Reason::CaseUnknown, Some(number.into()), None)),
            }
        }
        for case in linked {
            let (evidence, reason) = by_case(case, floor, table);
            if evidence {
                class = RetentionClass::Evidence;
            }
            reasons.push(reason);
        }
    }
    if let Some(extension) = &session.extension {
        reasons.push(why(Reason::Extended, Some(extension.reason.clone()), Some(over(extension.until, 0))));
    }
    let undated = |w: &Why| w.until.is_none();
    if class == RetentionClass::Routine && reasons.iter().any(undated) {
        class = RetentionClass::Unclassified;
    }
    let earliest = if reasons.iter().any(undated) { None } else { reasons.iter().filter_map(|w| w.until).max() };
    Retention { class, earliest, why: reasons }
}

/// What one case asks for, and whether it makes evidence of what is linked to it.
fn by_case(case: &Case, floor: DateTime<Utc>, table: &Table) -> (bool, Why) {
    let number = case.number().to_owned();
    // What it was once entered as counts too: a correction does not shorten what was evidence.
    let ever = |of: &dyn Fn(Option<ActKind>, Option<Procedure>) -> bool| case.versions.iter().any(|v| of(v.facts.kind, v.facts.procedure));
    let evidence = ever(&|kind, procedure| {
        kind == Some(ActKind::Compulsion) || (kind == Some(ActKind::Penalty) && procedure == Some(Procedure::Ordinary))
    });
    let facts = case.facts();
    let unknown = facts.kind.is_none() || (facts.kind == Some(ActKind::Penalty) && facts.procedure.is_none());
    if !evidence {
        let reason =
            if unknown { why(Reason::ActUnknown, Some(number), None) } else { why(Reason::RoutineCase, Some(number), Some(floor)) };
        return (false, reason);
    }
    let Some(closing) = &case.closing else { return (true, why(Reason::CaseOpen, Some(number), None)) };
    let reason = match table.class(closing.on, &closing.period) {
        None => why(Reason::PeriodUnknown, Some(format!("{number}：{}", closing.period)), None),
        Some(Class { years: None, .. }) => why(Reason::Permanent, Some(number), None),
        // Files are counted from 1 January after they were closed.
        Some(Class { years: Some(years), name, .. }) => {
            let last = NaiveDate::from_ymd_opt(closing.on.year().saturating_add(*years as i32), 12, 31).unwrap_or(NaiveDate::MAX);
            why(Reason::Period, Some(format!("{number}：{name}")), Some(over(last, table.margin_days).max(floor)))
        }
    };
    (true, reason)
}

fn why(reason: Reason, about: Option<String>, until: Option<DateTime<Utc>>) -> Why {
    Why { reason, about, until }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::model::case::tests::{by, opened};
    use crate::model::case::{CaseChange, CaseFacts, CaseState, Closing, Origin};
    use crate::model::facts::{Facts, Link};
    use crate::model::hold::Word;
    use crate::model::ids::AccountId;
    use crate::model::session::SessionKind;
    use crate::model::step::tests::started_with;
    use proptest::prelude::*;

    fn day(text: &str) -> NaiveDate {
        text.parse().unwrap()
    }

    pub(crate) fn table() -> Table {
        let class = |id: &str, years| Class { id: id.into(), name: format!("class {id}"), years };
        let version = Version {
            number: "1".into(),
            in_force_from: day("2020-01-01"),
            approved_on: None,
            approved_by: String::new(),
            document: String::new(),
            routine_months: 6,
            classes: vec![class("10y", Some(10)), class("30y", Some(30)), class("ever", None)],
        };
        Table { versions: vec![version], margin_days: 14 }
    }

    /// A session that was linked to these numbers, one after the other, and ended on this day.
    fn linked(numbers: &[&str], ended: &str) -> Session {
        let mut s = started_with(SessionKind::Interview, Facts::default());
        let link = |(at, no): (usize, &&str)| Link {
            version: at as u32 + 1,
            at: s.started_at,
            by: s.started_by.clone(),
            reason: None,
            facts: Facts { case_no: Some((*no).into()), ..Facts::default() },
        };
        if !numbers.is_empty() {
            s.links = numbers.iter().enumerate().map(link).collect();
        }
        s.ended_at = Some(format!("{ended}T04:00:00Z").parse().unwrap());
        s
    }

    fn case(number: &str, kind: Option<ActKind>, procedure: Option<Procedure>, closing: Option<(&str, &str)>) -> Case {
        let facts = CaseFacts { number: Some(number.into()), kind, procedure, ..CaseFacts::default() };
        let mut case = opened(Origin::OwnInitiative, Procedure::Summary);
        case.versions.last_mut().unwrap().facts = facts;
        if let Some((on, period)) = closing {
            let closing = Closing { on: day(on), period: period.into(), at: DateTime::UNIX_EPOCH, by: AccountId::new("wang").unwrap() };
            case = Case { state: CaseState::Closed, closing: Some(closing), ..case };
        }
        case
    }

    /// Class, the last day on which it has to be kept (in Shanghai), and the reasons.
    fn check(session: &Session, cases: &[Case], class: RetentionClass, last: Option<&str>, reasons: &[Reason]) {
        let found = of(session, cases, &table());
        assert_eq!(found.class, class, "{found:?}");
        assert_eq!(found.earliest, last.map(|d| over(day(d), 14)), "{found:?}");
        assert_eq!(found.why.iter().map(|w| w.reason).collect::<Vec<_>>(), reasons);
    }

    const PENALTY: Option<ActKind> = Some(ActKind::Penalty);
    const ORDINARY: Option<Procedure> = Some(Procedure::Ordinary);

    #[test]
    fn six_calendar_months_end_with_their_last_day_where_the_month_is_short() {
        for (from, last) in [
            ("2026-08-31", "2027-02-28"), // 180 days would end on 2027-02-27
            ("2027-08-31", "2028-02-29"),
            ("2026-08-28", "2027-02-28"),
            ("2026-11-25", "2027-05-25"),
            ("2026-12-31", "2027-06-30"),
        ] {
            assert_eq!(months_after(day(from), FLOOR_MONTHS), day(last), "{from}");
        }
        assert_eq!(over(day("2027-02-28"), 0).to_rfc3339(), "2027-02-28T16:00:00+00:00", "24:00 in Shanghai");
    }

    #[test]
    fn every_day_of_a_century_keeps_for_six_months_of_the_calendar() {
        // Told a second time, by counting on one's fingers.
        let length = |year: i32, month: u32| match month {
            4 | 6 | 9 | 11 => 30,
            2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
            2 => 28,
            _ => 31,
        };
        let (mut at, mut before) = (day("2000-01-01"), day("2000-06-30"));
        while at < day("2100-01-01") {
            let (year, month) = if at.month() > 6 { (at.year() + 1, at.month() - 6) } else { (at.year(), at.month() + 6) };
            let last = months_after(at, FLOOR_MONTHS);
            assert_eq!((last.year(), last.month(), last.day()), (year, month, at.day().min(length(year, month))), "{at}");
            assert!(last >= before && (last - at).num_days() >= 181, "{at}");
            (before, at) = (last, at.succ_opt().unwrap());
        }
    }

    #[test]
    fn what_is_not_known_is_kept_without_a_date() {
        use RetentionClass::Unclassified;
        check(&linked(&[], "2026-03-02"), &[], Unclassified, None, &[Reason::Floor, Reason::Unlinked]);
        check(&linked(&["12号"], "2026-03-02"), &[], Unclassified, None, &[Reason::Floor, Reason::CaseUnknown]);
        check(
            &linked(&["12号"], "2026-03-02"),
            &[case("12号", None, None, None)],
            Unclassified,
            None,
            &[Reason::Floor, Reason::ActUnknown],
        );
        check(
            &linked(&["12号"], "2026-03-02"),
            &[case("12号", PENALTY, None, None)],
            Unclassified,
            None,
            &[Reason::Floor, Reason::ActUnknown],
        );
        let running = Session { ended_at: None, ..linked(&[], "2026-03-02") };
        check(&running, &[], Unclassified, None, &[Reason::NotEnded]);
    }

    #[test]
    fn routine_material_is_kept_for_the_floor_and_what_a_custodian_calls_routine_too() {
        use RetentionClass::Routine;
        let license = case("12号", Some(ActKind::License), None, None);
        check(&linked(&["12号"], "2026-03-02"), &[license], Routine, Some("2026-09-02"), &[Reason::Floor, Reason::RoutineCase]);
        let summary = case("12号", PENALTY, Some(Procedure::Summary), None);
        check(&linked(&["12号"], "2026-03-02"), &[summary], Routine, Some("2026-09-02"), &[Reason::Floor, Reason::RoutineCase]);
        let word = Word { at: DateTime::UNIX_EPOCH, by: AccountId::new("li").unwrap(), reason: Some("来访咨询".into()) };
        let declared = Session { declared_routine: Some(word), ..linked(&[], "2026-03-02") };
        check(&declared, &[], Routine, Some("2026-09-02"), &[Reason::Floor, Reason::DeclaredRoutine]);
    }

    #[test]
    fn what_came_late_is_kept_from_the_day_on_which_it_was_taken_in() {
        let license = [case("12号", Some(ActKind::License), None, None)];
        let (late, by_day) = ([Reason::Floor, Reason::TakenIn, Reason::RoutineCase], [Reason::Floor, Reason::RoutineCase]);
        for (ended, taken_in, last, reasons) in [
            ("2026-03-02", "2026-11-26T02:00:00Z", "2027-05-26", &late[..]), // a clock that is eight months slow
            ("2026-03-02", "2026-03-02T15:59:59Z", "2026-09-02", &by_day[..]), // handed in on the day (第十四条)
            ("2026-03-02", "2026-03-02T16:00:00Z", "2026-09-03", &late[..]), // in Shanghai it is the next one
            ("2026-11-30", "2026-11-26T02:00:00Z", "2027-05-30", &by_day[..]), // a clock that is fast
        ] {
            let taken_in_at = taken_in.parse().unwrap();
            let came = Session { imported: Some(crate::model::import::tests::imported(taken_in_at)), ..linked(&["12号"], ended) };
            check(&came, &license, RetentionClass::Routine, Some(last), reasons);
        }
        // It stays evidence with its case file, which is longer, and undated while nobody knows what it is.
        let came = |no: &str| Session {
            imported: Some(crate::model::import::tests::imported("2026-11-26T02:00:00Z".parse().unwrap())),
            ..linked(&[no], "2026-03-02")
        };
        let closed = [case("12号", PENALTY, ORDINARY, Some(("2026-05-06", "10y")))];
        check(&came("12号"), &closed, RetentionClass::Evidence, Some("2036-12-31"), &[Reason::Floor, Reason::TakenIn, Reason::Period]);
        check(&came("13号"), &closed, RetentionClass::Unclassified, None, &[Reason::Floor, Reason::TakenIn, Reason::CaseUnknown]);
    }

    #[test]
    fn evidence_has_no_date_until_the_file_is_closed_and_its_period_is_one_of_the_table() {
        use RetentionClass::Evidence;
        let s = linked(&["12号"], "2026-03-02");
        let of = |kind, procedure, closing| [case("12号", kind, procedure, closing)];
        check(&s, &of(PENALTY, ORDINARY, None), Evidence, None, &[Reason::Floor, Reason::CaseOpen]);
        check(&s, &of(Some(ActKind::Compulsion), None, None), Evidence, None, &[Reason::Floor, Reason::CaseOpen]);
        let closed = |period| of(PENALTY, ORDINARY, Some(("2026-05-06", period)));
        check(&s, &closed("10y"), Evidence, Some("2036-12-31"), &[Reason::Floor, Reason::Period]);
        check(&s, &closed("class 30y"), Evidence, Some("2056-12-31"), &[Reason::Floor, Reason::Period]);
        check(&s, &closed("ever"), Evidence, None, &[Reason::Floor, Reason::Permanent]);
        check(&s, &closed("五十年"), Evidence, None, &[Reason::Floor, Reason::PeriodUnknown]);
    }

    #[test]
    fn a_link_that_was_changed_and_a_case_that_was_corrected_shorten_nothing() {
        use RetentionClass::Evidence;
        let long = case("12号", PENALTY, ORDINARY, Some(("2026-05-06", "30y")));
        let routine = case("13号", Some(ActKind::License), None, None);
        let cases = [long.clone(), routine];
        for numbers in [["12号", "13号"], ["13号", "12号"]] {
            assert_eq!(of(&linked(&numbers, "2026-03-02"), &cases, &table()).earliest, Some(over(day("2056-12-31"), 14)), "{numbers:?}");
        }
        let now_summary = CaseFacts { procedure: Some(Procedure::Summary), ..long.facts().clone() };
        let corrected = long.after(&CaseChange::Facts { facts: now_summary, reason: "录错".into() }, &by("wang", 9)).unwrap();
        check(&linked(&["12号"], "2026-03-02"), &[corrected], Evidence, Some("2056-12-31"), &[Reason::Floor, Reason::Period]);
    }

    #[test]
    fn an_appraisal_can_keep_longer_and_never_shorter() {
        let license = [case("12号", Some(ActKind::License), None, None)];
        let kept = |until: &str| Session {
            extension: Some(Extension { until: day(until), reason: "有参考价值".into() }),
            ..linked(&["12号"], "2026-03-02")
        };
        assert_eq!(of(&kept("2030-01-01"), &license, &table()).earliest, Some(over(day("2030-01-01"), 0)));
        assert_eq!(of(&kept("2026-03-03"), &license, &table()).earliest, Some(over(day("2026-09-02"), 14)));
    }

    #[test]
    fn a_table_below_the_floor_or_out_of_order_is_refused_with_every_reason() {
        let mut bad = table();
        bad.versions.push(Version { number: "2".into(), in_force_from: day("2019-01-01"), routine_months: 3, ..bad.versions[0].clone() });
        bad.versions[1].classes[0].years = Some(0);
        assert_eq!(bad.problems().len(), 3, "{:?}", bad.problems());
        assert!(table().problems().is_empty());
        assert_eq!(Table { versions: vec![], margin_days: 0 }.problems(), ["has no version"]);
    }

    proptest! {
        #[test]
        fn nothing_is_over_before_the_floor_and_more_links_never_shorten(
            ended in 0_i64..40_000, picks in proptest::collection::vec(0_usize..6, 0..4), extra in 0_usize..6, margin in 0_u32..400,
        ) {
            let cases = [
                case("0", Some(ActKind::License), None, None),
                case("1", PENALTY, ORDINARY, Some(("2031-05-06", "10y"))),
                case("2", PENALTY, ORDINARY, Some(("1990-05-06", "30y"))),
                case("3", PENALTY, ORDINARY, None),
                case("4", Some(ActKind::Compulsion), None, Some(("2031-05-06", "ever"))),
            ]; // 5 is in no register
            let table = Table { margin_days: margin, ..table() };
            let numbers: Vec<String> = picks.iter().map(ToString::to_string).collect();
            let text: Vec<&str> = numbers.iter().map(String::as_str).collect();
            let mut s = linked(&text, "2026-03-02");
            s.ended_at = Some(DateTime::UNIX_EPOCH + chrono::TimeDelta::days(ended));
            let floor = over(months_after(time::shanghai_day(s.ended_at.unwrap()), FLOOR_MONTHS), margin);
            let found = of(&s, &cases, &table);
            prop_assert!(found.earliest.is_none_or(|at| at >= floor));
            let more = extra.to_string();
            let mut longer = s.clone();
            if !text.is_empty() {
                longer.links.push(Link { version: 9, facts: Facts { case_no: Some(more), ..Facts::default() }, ..s.links[0].clone() });
                let later = of(&longer, &cases, &table);
                prop_assert!(later.earliest.is_none_or(|at| found.earliest.is_some_and(|before| at >= before)));
            }
        }
    }
}
