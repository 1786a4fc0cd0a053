//! Orders of lists, by the word of a column: no other text ever becomes SQL.

/// What a list can be put in order by: words, and the columns that they stand for.
pub type Columns = [(&'static str, &'static str)];

/// Only the words.
pub const fn words<const N: usize>(columns: &[(&'static str, &'static str); N]) -> [&'static str; N] {
    let mut words = [""; N];
    let mut n = 0;
    while n < N {
        words[n] = columns[n].0;
        n += 1;
    }
    words
}

/// An order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Order {
    column: &'static str,
    down: bool,
}

impl Order {
    /// By its word, `party` or `-party`.
    pub fn from_word(word: &str, columns: &Columns) -> Option<Self> {
        let (name, down) = word.strip_prefix('-').map_or((word, false), |name| (name, true));
        columns.iter().find(|(word, _)| *word == name).map(|(_, column)| Self { column, down })
    }

    /// As SQL; what is absent comes last both ways.
    pub fn sql(self) -> String {
        let Self { column, down } = self;
        format!("{column} IS NULL, {column} {}", if down { "DESC" } else { "ASC" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_that_is_no_column_is_no_order() {
        const COLUMNS: [(&str, &str); 2] = [("at", "started_at"), ("party", "party")];
        assert_eq!(words(&COLUMNS), ["at", "party"]);
        assert_eq!(Order::from_word("-at", &COLUMNS).unwrap().sql(), "started_at IS NULL, started_at DESC");
        assert_eq!(Order::from_word("party", &COLUMNS).unwrap().sql(), "party IS NULL, party ASC");
        for word in ["", "-", "--at", "started_at", "at; DROP TABLE cases"] {
            assert_eq!(Order::from_word(word, &COLUMNS), None, "{word}");
        }
    }
}
