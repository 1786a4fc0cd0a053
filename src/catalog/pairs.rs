//! Text as pairs of characters, for full-text search: FTS5's own trigrams miss Chinese names of two characters.
//!
//! 200,000 rows of pairs answer in 0.1 ms where `LIKE` took 33 ms (measured in the trial of crates).

/// The text for the index: every run of letters and digits as its overlapping pairs, and behind them its characters, for who searches
/// by one: `张三丰` → `张三 三丰 张 三 丰`, `D-101` → `d 10 01 1 0`.
pub fn index(text: &str) -> String {
    let mut words = Vec::new();
    for run in runs(text) {
        words.extend(pairs(&run));
        let is_first = |at: &usize| !run[..*at].contains(&run[*at]);
        words.extend((0..run.len()).filter(is_first).filter(|_| run.len() > 1).map(|at| run[at].to_string()));
    }
    words.join(" ")
}

/// The FTS5 query for "contains this": each run a phrase of its pairs in one of these columns. `None` when the text has no
/// letter or digit.
pub fn query(columns: &str, text: &str) -> Option<String> {
    let phrases: Vec<String> = runs(text).iter().map(|run| format!("{{{columns}}} : \"{}\"", pairs(run).join(" "))).collect();
    (!phrases.is_empty()).then(|| phrases.join(" AND "))
}

fn runs(text: &str) -> Vec<Vec<char>> {
    let lower: Vec<char> = text.chars().flat_map(char::to_lowercase).collect();
    lower.split(|c| !c.is_alphanumeric()).filter(|run| !run.is_empty()).map(<[char]>::to_vec).collect()
}

fn pairs(run: &[char]) -> Vec<String> {
    match run.len() {
        1 => vec![run[0].to_string()],
        _ => run.windows(2).map(|w| w.iter().collect()).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finds(text: &str, search: &str) -> bool {
        let c = rusqlite::Connection::open_in_memory().unwrap();
        c.execute_batch("CREATE VIRTUAL TABLE t USING fts5 (a, content = '', tokenize = 'unicode61')").unwrap();
        c.execute("INSERT INTO t (rowid, a) VALUES (1, ?)", [index(text)]).unwrap();
        let Some(query) = query("a", search) else { return false };
        c.query_row("SELECT count(*) FROM t WHERE t MATCH ?", [query], |r| r.get::<_, i64>(0)).unwrap() == 1
    }

    #[test]
    fn a_chinese_name_of_two_characters_is_found_whole_and_in_part() {
        for (text, search) in [
            ("张三", "张三"),
            ("张三", "张"),
            ("张三", "三"),
            ("欧阳修文", "阳修"),
            ("威自然资罚〔2026〕12号", "2026〕12"),
            ("D-101", "d-101"),
            ("Wang Wu", "wang"),
        ] {
            assert!(finds(text, search), "{text} / {search}");
        }
    }

    #[test]
    fn what_is_not_there_is_not_found_and_no_search_can_break_the_query() {
        for (text, search) in [("张三", "李四"), ("张三李", "张李"), ("张三", "\" OR a:*"), ("张三", "*"), ("张三", "")] {
            assert!(!finds(text, search), "{text} / {search}");
        }
    }
}
