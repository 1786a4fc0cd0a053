//! Moments, lengths, sizes and days as every page writes them: Shanghai's time, `1:02:03`, powers of ten. Here and nowhere else.

use crate::model::time;
use askama::filters::HtmlSafe;
use askama::{FastWritable, Values};
use chrono::{DateTime, SecondsFormat, Utc};
use std::fmt::{self, Display, Write};

/// A moment: on a page a `<time>` that machines read too, in a sentence its text alone.
#[derive(Debug, Clone, Copy)]
pub struct When(pub DateTime<Utc>);

impl Display for When {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&time::shanghai_text(self.0))
    }
}

impl HtmlSafe for When {}

impl FastWritable for When {
    fn write_into(&self, page: &mut dyn Write, _: &dyn Values) -> askama::Result<()> {
        let machine = self.0.with_timezone(&time::shanghai()).to_rfc3339_opts(SecondsFormat::Secs, false);
        write!(page, "<time datetime=\"{machine}\">{self}</time>")?;
        Ok(())
    }
}

/// Bytes, as people read them.
pub fn size(bytes: u64) -> String {
    match bytes {
        b if b >= 1_000_000_000 => format!("{:.1} GB", b as f64 / 1e9),
        b if b >= 1_000_000 => format!("{:.1} MB", b as f64 / 1e6),
        b => format!("{} kB", b.div_ceil(1000)),
    }
}

/// How a page looks: by day, by night, or as the desk's own system does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Theme {
    /// As the system does.
    Auto,
    /// By day.
    Light,
    /// For the duty room at night.
    Dark,
}

impl Theme {
    /// All, in the order in which the switch goes.
    pub const ALL: &'static [Self] = &[Self::Auto, Self::Light, Self::Dark];

    /// Its word, for the cookie and for `<html data-theme>`.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Light => "light",
            Self::Dark => "dark",
        }
    }

    /// By its word; every other word is the system's.
    pub fn from_word(word: &str) -> Self {
        Self::ALL.iter().copied().find(|t| t.as_str() == word).unwrap_or(Self::Auto)
    }

    /// What the switch leads to.
    #[must_use]
    pub fn next(self) -> Self {
        match self {
            Self::Auto => Self::Light,
            Self::Light => Self::Dark,
            Self::Dark => Self::Auto,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_a_time_on_a_page_and_a_text_in_a_sentence() {
        let when = When(DateTime::UNIX_EPOCH);
        let mut page = String::new();
        when.write_into(&mut page, askama::NO_VALUES).unwrap();
        assert_eq!(page, "<time datetime=\"1970-01-01T08:00:00+08:00\">1970-01-01 08:00:00</time>");
        assert_eq!(when.to_string(), "1970-01-01 08:00:00");
    }

    #[test]
    fn sizes_are_powers_of_ten() {
        assert_eq!([1, 999_999, 1_500_000, 2_340_000_000].map(size), ["1 kB", "1000 kB", "1.5 MB", "2.3 GB"]);
    }
}
