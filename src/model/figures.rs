//! Figures of a month, a quarter or a year (第三条): how sessions are counted there. A session counts in the month in which it began, by the
//! same [`Tally`] as the supervision report, so that the two cannot say different things.

use crate::model::completeness::Tally;
use crate::model::people::words;
use crate::model::session::Session;
use crate::model::time;
use crate::model::words::BadField;
use chrono::{DateTime, Datelike, Months, NaiveDate, Utc};
use std::collections::BTreeMap;
use std::fmt;

words!(
    /// How long a period is.
    Span {
        /// A month.
        Month = "month",
        /// A quarter.
        Quarter = "quarter",
        /// A year.
        Year = "year",
    }
);

impl Span {
    fn months(self) -> u32 {
        match self {
            Self::Month => 1,
            Self::Quarter => 3,
            Self::Year => 12,
        }
    }
}

/// A period, as it stands in an address: `2026-11`, `2026-Q4`, `2026`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Period {
    first: NaiveDate,
    span: Span,
}

impl Period {
    /// The period of a length that a day lies in.
    pub fn around(day: NaiveDate, span: Span) -> Self {
        let month = day.month0() / span.months() * span.months() + 1;
        Self { first: NaiveDate::from_ymd_opt(day.year(), month, 1).unwrap_or(day), span }
    }

    /// What stands in an address; none where it is no period of this century or the next.
    pub fn parse(text: &str) -> Option<Self> {
        let (year, rest) = text.split_once('-').map_or((text, None), |(year, rest)| (year, Some(rest)));
        let year: i32 = year.parse().ok().filter(|y| (2000..2200).contains(y) && year.len() == 4)?;
        let (month, span) = match rest {
            None => (1, Span::Year),
            Some(rest) => match rest.strip_prefix('Q') {
                Some(quarter) => (quarter.parse::<u32>().ok().filter(|q| (1..=4).contains(q))? * 3 - 2, Span::Quarter),
                None => (rest.parse().ok().filter(|_| rest.len() == 2)?, Span::Month),
            },
        };
        Some(Self { first: NaiveDate::from_ymd_opt(year, month, 1)?, span })
    }

    /// A month as it stands in an address; without one, that of today.
    pub fn month(text: Option<&str>, today: NaiveDate) -> Result<Self, BadField> {
        let Some(text) = text else { return Ok(Self::around(today, Span::Month)) };
        let month = Self::parse(text).filter(|p| p.span == Span::Month);
        month.ok_or_else(|| BadField::form("month", "is no month; 2026-11 would be right"))
    }

    /// A quarter as the review of approvals names it, `2026-4`; none where it is no quarter.
    pub fn parse_quarter(text: &str) -> Option<Self> {
        let (year, number) = text.split_once('-')?;
        Self::parse(&format!("{year}-Q{number}"))
    }

    /// The same as text.
    pub fn quarter_text(self) -> String {
        format!("{}-{}", self.first.year(), self.first.month().div_ceil(3))
    }

    /// How long it is.
    pub fn span(self) -> Span {
        self.span
    }

    /// Its first day.
    pub fn first(self) -> NaiveDate {
        self.first
    }

    /// The one before.
    #[must_use]
    pub fn before(self) -> Self {
        Self { first: self.first.checked_sub_months(Months::new(self.span.months())).unwrap_or(self.first), ..self }
    }

    /// The one after.
    #[must_use]
    pub fn after(self) -> Self {
        Self { first: self.first.checked_add_months(Months::new(self.span.months())).unwrap_or(self.first), ..self }
    }

    /// The one after, where it has begun by today: there is nothing to count before.
    pub fn next(self, today: NaiveDate) -> Option<Self> {
        Some(self.after()).filter(|next| next.first <= today)
    }

    /// Its months.
    pub fn months(self) -> Vec<Self> {
        let month = |n| Some(Self { first: self.first.checked_add_months(Months::new(n))?, span: Span::Month });
        (0..self.span.months()).filter_map(month).collect()
    }

    /// Its first moment, and the first after it, ms since 1970.
    pub fn bounds_ms(self) -> (i64, i64) {
        let at = |p: Self| time::shanghai_midnight(p.first).timestamp_millis();
        (at(self), at(self.after()))
    }
}

impl fmt::Display for Period {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.span {
            Span::Month => write!(f, "{}", self.first.format("%Y-%m")),
            Span::Quarter => write!(f, "{}-Q{}", self.first.year(), self.first.month().div_ceil(3)),
            Span::Year => write!(f, "{}", self.first.year()),
        }
    }
}

/// Sessions by the unit that made them.
pub type ByUnit = BTreeMap<String, Tally>;

/// Counts sessions by unit.
pub fn by_unit<'a>(sessions: impl Iterator<Item = &'a Session>, now: DateTime<Utc>) -> ByUnit {
    let mut units = ByUnit::new();
    sessions.for_each(|s| units.entry(s.unit.to_string()).or_default().add(s, now));
    units
}

/// The sum of figures.
pub fn sum<'a>(of: impl Iterator<Item = &'a Tally>) -> Tally {
    of.fold(Tally::default(), |mut all, t| {
        all.merge(t);
        all
    })
}

/// What was looked at for one purpose.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Seen {
    /// Viewings.
    pub viewings: u64,
    /// Seconds of picture that were shown.
    pub seconds: u64,
}

/// The most frequent purposes, and the rest of them as one under no name.
pub fn purposes(all: BTreeMap<String, Seen>, most: usize) -> Vec<(Option<String>, Seen)> {
    let mut all: Vec<_> = all.into_iter().collect();
    all.sort_by(|(a, x), (b, y)| y.viewings.cmp(&x.viewings).then_with(|| a.cmp(b)));
    let rest = all.split_off(all.len().min(most));
    let mut shown: Vec<_> = all.into_iter().map(|(purpose, seen)| (Some(purpose), seen)).collect();
    if !rest.is_empty() {
        let (viewings, seconds) = rest.iter().fold((0, 0), |(v, s), (_, seen)| (v + seen.viewings, s + seen.seconds));
        shown.push((None, Seen { viewings, seconds }));
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn an_address_says_a_period_and_nothing_else_does() {
        for text in ["2026-11", "2026-Q4", "2026", "2000-01", "2199"] {
            assert_eq!(Period::parse(text).unwrap().to_string(), text);
        }
        for text in ["", "26", "2026-13", "2026-1", "2026-Q5", "2026-Q0", "1999", "2200-01", "2026-11-26", "二〇二六", "-1", "2026-Q"] {
            assert_eq!(Period::parse(text), None, "{text}");
        }
        assert_eq!(Period::parse_quarter("2026-4").unwrap(), Period::parse("2026-Q4").unwrap());
        assert_eq!(Period::parse_quarter("2026-4").unwrap().quarter_text(), "2026-4");
        for text in ["", "2026", "2026-", "2026-0", "2026-5", "2026-Q4", "2026-4-1", "1999-4"] {
            assert_eq!(Period::parse_quarter(text), None, "{text}");
        }
        let months = |text: &str| Period::parse(text).unwrap().months().iter().map(ToString::to_string).collect::<Vec<_>>();
        assert_eq!(months("2026-Q4"), ["2026-10", "2026-11", "2026-12"]);
        assert_eq!(Period::parse("2026-Q1").unwrap().before().to_string(), "2025-Q4");
        assert_eq!(Period::parse("2026-12").unwrap().after().to_string(), "2027-01");
    }

    #[test]
    fn a_month_without_address_is_todays_and_what_has_not_begun_is_not_offered() {
        let day = |text: &str| text.parse::<NaiveDate>().unwrap();
        let month = |text| Period::month(text, day("2026-11-26")).map(|m| m.to_string());
        assert_eq!((month(None).unwrap(), month(Some("2026-02")).unwrap()), ("2026-11".to_owned(), "2026-02".to_owned()));
        for text in ["", "2026", "2026-Q1", "2026-13", "nonsense"] {
            assert!(month(Some(text)).is_err(), "{text}");
        }
        let next = |text, today| Period::parse(text).unwrap().next(day(today)).map(|p| p.to_string());
        let cases = [
            ("2026-11", "2026-11-30", None),
            ("2026-11", "2026-12-01", Some("2026-12")),
            ("2026-Q3", "2026-10-01", Some("2026-Q4")),
            ("2026", "2026-12-31", None),
        ];
        for (text, today, then) in cases {
            assert_eq!(next(text, today).as_deref(), then, "{text} on {today}");
        }
    }

    proptest! {
        #[test]
        fn every_moment_lies_in_one_month_of_its_period(days in 0..70_000_i64, span in 0..3_usize) {
            let day = NaiveDate::from_ymd_opt(2000, 1, 1).unwrap() + chrono::TimeDelta::days(days);
            let period = Period::around(day, Span::ALL[span]);
            let at = time::shanghai_midnight(day).timestamp_millis();
            let within = |p: &Period| { let (from, until) = p.bounds_ms(); from <= at && at < until };
            prop_assert!(within(&period));
            prop_assert_eq!(period.months().iter().filter(|m| within(m)).count(), 1);
            prop_assert_eq!(period.after().before(), period);
        }

        #[test]
        fn no_viewing_is_lost_when_purposes_are_put_together(counts in proptest::collection::vec(1..50_u64, 0..20), most in 1..8_usize) {
            let all: BTreeMap<_, _> = counts.iter().enumerate().map(|(n, v)| (n.to_string(), Seen { viewings: *v, seconds: v * 2 })).collect();
            let shown = purposes(all, most);
            prop_assert!(shown.len() <= most + 1);
            prop_assert_eq!(shown.iter().map(|(_, s)| s.viewings).sum::<u64>(), counts.iter().sum::<u64>());
        }
    }
}
