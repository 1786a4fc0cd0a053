//! Lists: one way to put them in order, to page them, and to keep what was asked in the address.
//!
//! `?sort=party` goes up, `?sort=-party` down; a word that the list does not have leaves the desk's own order. Small lists are put
//! in order and cut here; large ones come cut by the catalog, and this only writes their addresses. Where a page has several, each
//! has a name before its fields, `?mine_sort=party`.

use crate::model::pinyin;
use crate::web::Web;
use crate::web::pages::shown::Part;
use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderMap, Method, Uri, header};
use std::cmp::{Ordering, Reverse};
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

    /// A list that brings back its form when that is refused: as it stood when the form was sent.
    pub fn before(headers: &HeaderMap, path: &str) -> Self {
        let stood = came_from(headers).and_then(|from| from.parse::<Uri>().ok()).filter(|from| from.path() == path);
        stood.map_or_else(|| Self::list(path), |from| Self::of(&from))
    }

    /// Which part of the list is asked for; none: all of it.
    pub fn shows<P: Part>(&self) -> Option<P> {
        let said = self.one(P::FIELD)?;
        P::all().into_iter().find(|part| part.word() == said)
    }

    /// What is searched for.
    pub fn text(&self) -> String {
        self.one("text").unwrap_or_default().to_owned()
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

/// What rows are put in order by: texts by pinyin, as the catalog does; what is not there comes last.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Key {
    /// A figure, a moment in ms.
    Number(i64),
    /// A text.
    Text(String),
    /// Nothing.
    Absent,
}

impl Ord for Key {
    fn cmp(&self, other: &Self) -> Ordering {
        let place = |key: &Self| match key {
            Self::Number(_) => 0,
            Self::Text(_) => 1,
            Self::Absent => 2,
        };
        match (self, other) {
            (Self::Number(a), Self::Number(b)) => a.cmp(b),
            (Self::Text(a), Self::Text(b)) => pinyin::compare(a, b),
            _ => place(self).cmp(&place(other)),
        }
    }
}

impl PartialOrd for Key {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
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
    /// Its name, where a page has several; also its place on the page.
    name: &'static str,
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
        Self::named("", &asked, columns)
    }

    /// One of several on a page.
    pub fn named(name: &'static str, asked: &Asked, columns: &[&'static str]) -> Self {
        let said = asked.one(&field(name, "sort")).unwrap_or_default();
        let (word, down) = said.strip_prefix('-').map_or((said, false), |word| (word, true));
        let sort = columns.iter().find(|c| **c == word).map(|c| (*c, down));
        let page = asked.one(&field(name, "page")).and_then(|p| p.parse().ok()).unwrap_or(1).max(1);
        Self { asked: asked.clone(), name, sort, page, pages: 1, total: 0 }
    }

    /// The same where the catalog has cut the list.
    pub fn cut(asked: Asked, columns: &[&'static str], (page, pages, total): (u32, u32, u64)) -> Self {
        Self { page, pages, total, ..Self::new(asked, columns) }
    }

    /// Puts rows in order, all of them on one page; the order is stable, and without a column the desk's.
    pub fn whole<T>(&mut self, mut rows: Vec<T>, key: impl Fn(&T, &str) -> Key) -> Vec<T> {
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
        (self.total, self.page, self.pages) = (rows.len() as u64, 1, 1);
        rows
    }

    /// The same, cut to the page.
    pub fn rows<T>(&mut self, rows: Vec<T>, key: impl Fn(&T, &str) -> Key) -> Vec<T> {
        let page = self.page;
        let rows = self.whole(rows, key);
        self.pages = rows.len().div_ceil(PAGE_ROWS).max(1) as u32;
        self.page = page.min(self.pages);
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
        self.place(&[(&field(self.name, "sort"), &word), (&field(self.name, "page"), "")])
    }

    /// Another page of it.
    pub fn at(&self, page: u32) -> String {
        self.place(&[(&field(self.name, "page"), &page.to_string())])
    }

    /// An address of it: a list that has others beside it says where it stands.
    fn place(&self, changes: &[(&str, &str)]) -> String {
        let address = self.asked.with(changes);
        if self.name.is_empty() { address } else { format!("{address}#{}", self.name) }
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
        let orders = |name: &str| ["sort", "page"].contains(&name.rsplit('_').next().unwrap_or_default());
        self.asked.pairs.iter().any(|(n, v)| !orders(n) && !v.trim().is_empty())
    }

    /// All of it.
    pub fn clear(&self) -> &str {
        &self.asked.path
    }
}

/// A field of a list in the address.
fn field(name: &str, of: &str) -> String {
    if name.is_empty() { of.to_owned() } else { format!("{name}_{of}") }
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
        assert_eq!(order("/x?sort=party"), [3, 1, 4, 2]);
        assert_eq!(order("/x?sort=-party"), [1, 4, 3, 2]);
    }

    #[test]
    fn texts_come_by_pinyin_as_the_catalog_has_them_and_equals_stay_as_they_came() {
        let rows = vec![("张", 1), ("王", 2), ("安", 3), ("陈", 4), ("白", 5), ("李", 6), ("10", 7), ("9", 8), ("b", 9), ("王", 10)];
        let order = |address| table(address).rows(rows.clone(), |r, _| Key::text(Some(r.0))).into_iter().map(|r| r.1).collect::<Vec<_>>();
        assert_eq!(order("/x?sort=party"), [8, 7, 9, 3, 5, 4, 6, 2, 10, 1], "9 10 b 安 白 陈 李 王 王 张");
        assert_eq!(order("/x?sort=-party"), [1, 2, 10, 6, 4, 5, 3, 9, 7, 8]);
    }

    #[test]
    fn several_lists_of_a_page_do_not_disturb_each_other() {
        let asked = Asked::of(&Uri::from_static("/x?month=2026-11&sort=at&mine_sort=-party&mine_page=2&other_page=3"));
        let mut mine = Table::named("mine", &asked, &["party", "at"]);
        assert_eq!((mine.sorted("party"), mine.sorted("at"), mine.page), ("descending", "none", 2));
        assert_eq!(mine.by("party"), "/x?month=2026-11&sort=at&other_page=3&mine_sort=party#mine");
        assert_eq!(mine.whole((0..120).collect(), |n, _| Key::Number(*n)).len(), 120, "all of it, in one piece");
        assert_eq!((mine.page, mine.pages), (1, 1));
        let other = Table::named("other", &Asked::of(&Uri::from_static("/x?mine_sort=-party&mine_page=2")), &["party"]);
        assert!(other.sorted("party") == "none" && other.page == 1 && !other.narrowed());
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
