//! Lists: one way to put them in order, to page them, and to keep what was asked in the address.
//!
//! `?sort=party` goes up, `?sort=-party` down; a word that the list does not have leaves the desk's own order. Small lists are put
//! in order and cut here; large ones come cut by the catalog, and this only writes their addresses.

use crate::web::Web;
use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderMap, Method, Uri, header};
use std::cmp::Reverse;
use std::convert::Infallible;
use url::form_urlencoded;

/// Rows of a page.
pub const PAGE_ROWS: usize = 50;

/// What was asked for, as it stands in the address.
#[derive(Debug, Clone, Default)]
pub struct Asked {
    path: String,
    pairs: Vec<(String, String)>,
}

impl Asked {
    /// Of an address.
    pub fn of(uri: &Uri) -> Self {
        let pairs = form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes()).into_owned().take(40).collect();
        Self { path: uri.path().into(), pairs }
    }

    /// A list as it is opened.
    pub fn list(path: &str) -> Self {
        Self { path: path.into(), pairs: vec![] }
    }

    /// Which part of the list is asked for, by a word of that list (`?show=`): what a line of the first page leads to.
    pub fn shows(&self) -> &str {
        self.one("show").unwrap_or_default()
    }

    fn one(&self, name: &str) -> Option<&str> {
        self.pairs.iter().find(|(n, _)| n == name).map(|(_, v)| v.trim()).filter(|v| !v.is_empty())
    }

    /// The same question with one more answer; empty fields are left out.
    fn with(&self, changes: &[(&str, &str)]) -> String {
        let stays = self.pairs.iter().filter(|(n, v)| !v.trim().is_empty() && !changes.iter().any(|(c, _)| c == n));
        let mut query = form_urlencoded::Serializer::new(String::new());
        for (name, value) in stays.map(|(n, v)| (n.as_str(), v.as_str())).chain(changes.iter().copied().filter(|(_, v)| !v.is_empty())) {
            query.append_pair(name, value);
        }
        let query = query.finish();
        if query.is_empty() { self.path.clone() } else { format!("{}?{query}", self.path) }
    }
}

/// After a form that was refused its page is shown at the form's address, which no list has: then the list stands as it is opened.
impl FromRequestParts<Web> for Asked {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &Web) -> Result<Self, Infallible> {
        Ok(if parts.method == Method::GET { Self::of(&parts.uri) } else { Self::list(parts.uri.path()) })
    }
}

/// The page of this console that a request came from, with what it asks for; none where the browser does not say, or says another's.
pub fn came_from(headers: &HeaderMap) -> Option<String> {
    let said: Uri = headers.get(header::REFERER)?.to_str().ok()?.parse().ok()?;
    let here = headers.get(header::HOST).and_then(|h| h.to_str().ok());
    let same = said.authority().is_some_and(|a| Some(a.as_str()) == here);
    said.path_and_query().filter(|_| same).map(|p| p.as_str().to_owned()).filter(|p| !p.starts_with("//"))
}

/// What rows are put in order by: what is not there comes last.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Key {
    /// A figure, a moment in ms.
    Number(i64),
    /// A text.
    Text(String),
    /// Nothing.
    Absent,
}

impl Key {
    /// A text that may be absent.
    pub fn text(text: Option<impl Into<String>>) -> Self {
        text.map_or(Self::Absent, |t| Self::Text(t.into()))
    }

    /// A moment.
    pub fn at(at: chrono::DateTime<chrono::Utc>) -> Self {
        Self::Number(at.timestamp_millis())
    }

    /// How many.
    pub fn count(count: usize) -> Self {
        Self::Number(count as i64)
    }
}

/// A list's head and foot: which column it is in the order of, which page it is, and the addresses of the others.
pub struct Table {
    asked: Asked,
    sort: Option<(&'static str, bool)>,
    /// From 1 on.
    pub page: u32,
    /// How many.
    pub pages: u32,
    /// Rows in all.
    pub total: u64,
}

impl Table {
    /// A list that has these columns to be put in order by.
    pub fn new(asked: Asked, columns: &[&'static str]) -> Self {
        let said = asked.one("sort").unwrap_or_default();
        let (word, down) = said.strip_prefix('-').map_or((said, false), |word| (word, true));
        let sort = columns.iter().find(|c| **c == word).map(|c| (*c, down));
        let page = asked.one("page").and_then(|p| p.parse().ok()).unwrap_or(1).max(1);
        Self { asked, sort, page, pages: 1, total: 0 }
    }

    /// The same where the catalog has cut the list.
    pub fn cut(asked: Asked, columns: &[&'static str], (page, pages, total): (u32, u32, u64)) -> Self {
        Self { page, pages, total, ..Self::new(asked, columns) }
    }

    /// Puts rows in order and cuts them to the page; the order is stable, and without a column the desk's.
    pub fn rows<T>(&mut self, mut rows: Vec<T>, key: impl Fn(&T, &str) -> Key) -> Vec<T> {
        match self.sort {
            Some((column, false)) => rows.sort_by_cached_key(|r| key(r, column)),
            // What is absent stays at the end both ways.
            Some((column, true)) => {
                rows.sort_by_cached_key(|r| {
                    Some(key(r, column)).filter(|k| *k != Key::Absent).map_or((1, None), |k| (0, Some(Reverse(k))))
                });
            }
            None => {}
        }
        self.total = rows.len() as u64;
        self.pages = rows.len().div_ceil(PAGE_ROWS).max(1) as u32;
        self.page = self.page.min(self.pages);
        rows.into_iter().skip((self.page as usize - 1) * PAGE_ROWS).take(PAGE_ROWS).collect()
    }

    /// `aria-sort` of a column.
    pub fn sorted(&self, column: &str) -> &'static str {
        match self.sort {
            Some((by, down)) if by == column => ["ascending", "descending"][usize::from(down)],
            _ => "none",
        }
    }

    /// The list in the order of a column: first up, then down; the first page of it.
    pub fn by(&self, column: &str) -> String {
        let word = if self.sorted(column) == "ascending" { format!("-{column}") } else { column.to_owned() };
        self.asked.with(&[("sort", &word), ("page", "")])
    }

    /// Another page of it.
    pub fn at(&self, page: u32) -> String {
        self.asked.with(&[("page", &page.to_string())])
    }

    /// The page before, and the one after.
    pub fn before(&self) -> String {
        self.at(self.page.saturating_sub(1))
    }

    /// The page after.
    pub fn after(&self) -> String {
        self.at(self.page.saturating_add(1))
    }

    /// The order, for the form that narrows the list: it stays.
    pub fn order(&self) -> String {
        self.sort.map(|(by, down)| format!("{}{by}", if down { "-" } else { "" })).unwrap_or_default()
    }

    /// How many in all; a count that stops at ten thousand says so.
    pub fn count(&self) -> String {
        if self.total > 10_000 { "10000+".into() } else { self.total.to_string() }
    }

    /// Whether more is asked for than an order or a page.
    pub fn narrowed(&self) -> bool {
        self.asked.pairs.iter().any(|(n, v)| !["sort", "page"].contains(&n.as_str()) && !v.trim().is_empty())
    }

    /// All of it.
    pub fn clear(&self) -> &str {
        &self.asked.path
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(address: &'static str) -> Table {
        Table::new(Asked::of(&Uri::from_static(address)), &["party", "at"])
    }

    #[test]
    fn an_order_that_the_list_does_not_have_leaves_the_desks_own() {
        for address in ["/x", "/x?sort=", "/x?sort=password", "/x?sort=--party", "/x?page=nonsense"] {
            let mut table = table(address);
            assert_eq!(table.rows(vec![3, 1, 2], |n, _| Key::Number(*n)), [3, 1, 2], "{address}");
            assert_eq!((table.sorted("party"), table.page, table.pages, table.total), ("none", 1, 1, 3));
        }
    }

    #[test]
    fn rows_go_up_and_down_and_what_is_absent_stays_at_the_end() {
        let rows = || vec![("乙", 1), ("", 2), ("甲", 3), ("乙", 4)];
        let key = |r: &(&str, i32), _: &str| Key::text(Some(r.0).filter(|t| !t.is_empty()));
        let order = |address| table(address).rows(rows(), key).into_iter().map(|r| r.1).collect::<Vec<_>>();
        assert_eq!(order("/x?sort=party"), [1, 4, 3, 2]);
        assert_eq!(order("/x?sort=-party"), [3, 1, 4, 2]);
    }

    #[test]
    fn addresses_keep_the_question() {
        let table = table("/x?text=%E7%8E%8B&unit=&sort=party&page=3");
        assert_eq!(table.by("party"), "/x?text=%E7%8E%8B&sort=-party");
        assert_eq!(table.by("at"), "/x?text=%E7%8E%8B&sort=at");
        assert_eq!(table.after(), "/x?text=%E7%8E%8B&sort=party&page=4");
        assert!(table.narrowed() && table.clear() == "/x");
    }

    #[test]
    fn a_page_beyond_the_last_is_the_last() {
        let mut table = table("/x?page=99");
        assert_eq!(table.rows((0..120).collect(), |n, _| Key::Number(*n)), (100..120).collect::<Vec<_>>());
        assert_eq!((table.page, table.pages), (3, 3));
    }

    #[test]
    fn only_a_page_of_this_console_is_where_a_request_came_from() {
        let from = |referer: &'static str| {
            let headers = [(header::HOST, "shilu.example".parse().unwrap()), (header::REFERER, referer.parse().unwrap())];
            came_from(&headers.into_iter().collect())
        };
        assert_eq!(from("https://shilu.example/cases?text=x").as_deref(), Some("/cases?text=x"));
        for other in ["https://evil.example/cases", "https://shilu.example//evil.example", "nonsense", "/cases"] {
            assert_eq!(from(other), None, "{other}");
        }
    }
}
