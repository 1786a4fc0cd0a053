//! Orders of lists, by the word of a column: no other text ever becomes SQL. Texts are put in order by pinyin, by a collation that
//! only these statements name: no index and no schema needs it, so that any program that reads SQLite reads the catalog.

use crate::machine::fault::Fault;
use crate::model::pinyin;
use rusqlite::Connection;

/// What a column holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Column {
    /// What people wrote: in order by pinyin.
    Text(&'static str),
    /// Moments, numbers, words of the model: in order as they are kept.
    Value(&'static str),
}

/// What a list can be put in order by: words, and the columns that they stand for.
pub type Columns = [(&'static str, Column)];

/// Only the words.
pub const fn words<const N: usize>(columns: &[(&'static str, Column); N]) -> [&'static str; N] {
    let mut words = [""; N];
    let mut n = 0;
    while n < N {
        words[n] = columns[n].0;
        n += 1;
    }
    words
}

/// Teaches a connection the order of texts.
pub fn teach(connection: &Connection) -> Result<(), Fault> {
    Ok(connection.create_collation(pinyin::NAME, pinyin::compare)?)
}

/// An order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Order {
    column: Column,
    down: bool,
}

impl Order {
    /// By its word, `party` or `-party`.
    pub fn from_word(word: &str, columns: &Columns) -> Option<Self> {
        let (name, down) = word.strip_prefix('-').map_or((word, false), |name| (name, true));
        columns.iter().find(|(word, _)| *word == name).map(|(_, column)| Self { column: *column, down })
    }

    /// As SQL; what is absent comes last both ways.
    pub fn sql(self) -> String {
        let (column, by) = match self.column {
            Column::Text(column) => (column, format!(" COLLATE {}", pinyin::NAME)),
            Column::Value(column) => (column, String::new()),
        };
        format!("{column} IS NULL, {column}{by} {}", if self.down { "DESC" } else { "ASC" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const COLUMNS: [(&str, Column); 2] = [("at", Column::Value("started_at")), ("party", Column::Text("party"))];

    #[test]
    fn a_word_that_is_no_column_is_no_order() {
        assert_eq!(words(&COLUMNS), ["at", "party"]);
        assert_eq!(Order::from_word("-at", &COLUMNS).unwrap().sql(), "started_at IS NULL, started_at DESC");
        assert_eq!(Order::from_word("party", &COLUMNS).unwrap().sql(), "party IS NULL, party COLLATE pinyin ASC");
        for word in ["", "-", "--at", "started_at", "at; DROP TABLE cases"] {
            assert_eq!(Order::from_word(word, &COLUMNS), None, "{word}");
        }
    }

    #[test]
    fn texts_come_by_pinyin_both_ways_and_equals_stay_as_they_came() {
        let c = Connection::open_in_memory().unwrap();
        teach(&c).unwrap();
        c.execute_batch("CREATE TABLE list (started_at INTEGER, party TEXT) STRICT").unwrap();
        let parties =
            [Some("张"), Some("王"), None, Some("安"), Some("陈"), Some("白"), Some("李"), Some("10"), Some("9"), Some("b"), Some("王")];
        for (at, party) in parties.iter().enumerate() {
            c.execute("INSERT INTO list VALUES (?1, ?2)", rusqlite::params![at as i64, party]).unwrap();
        }
        let rows = |word: &str| -> Vec<(String, i64)> {
            let text = format!(
                "SELECT coalesce(party, '—'), started_at FROM list ORDER BY {}, rowid",
                Order::from_word(word, &COLUMNS).unwrap().sql()
            );
            c.prepare(&text).unwrap().query_map([], |r| Ok((r.get(0)?, r.get(1)?))).unwrap().map(Result::unwrap).collect()
        };
        let names = |word| rows(word).into_iter().map(|r| r.0).collect::<Vec<_>>().join(" ");
        assert_eq!(names("party"), "9 10 b 安 白 陈 李 王 王 张 —");
        assert_eq!(names("-party"), "张 王 王 李 陈 白 安 b 10 9 —");
        let kings = |word| rows(word).into_iter().filter(|r| r.0 == "王").map(|r| r.1).collect::<Vec<_>>();
        assert_eq!((kings("party"), kings("-party")), (vec![1, 10], vec![1, 10]));
    }
}
