//! A page with what somebody typed into one of its forms, after the form was refused: values and choices stand as they were, what is
//! wrong is said above the form and at its fields, and what was folded around it is open. Works without any script.
//!
//! The page is one of our own templates and is read tag by tag, twice: first to find the form (its address, and what it holds hidden,
//! which tells several of one address apart), then to write it. Passwords, codes and files are never filled in.

use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};
use std::collections::HashMap;

/// What is said of a form, in the page's language.
pub struct Said {
    /// Above the list of fields, or alone.
    pub title: String,
    /// Where the rule comes from.
    pub source: Option<String>,
    /// Wrong fields: name, and what is wrong with it.
    pub fields: Vec<(String, String)>,
}

/// A form as it was posted.
pub struct Posted<'a> {
    /// Where to.
    pub action: &'a str,
    /// What was typed.
    pub typed: &'a [(String, String)],
    /// The page that it stood on: goes along, so that a second refusal finds it again.
    pub page: &'a str,
    /// Only a form that asks for the password will do.
    pub needs_secret: bool,
    /// The page has its rows as they were typed, without those that were empty: what repeats stands as it is.
    pub own: bool,
}

/// The field in which a form carries its page.
pub const PAGE: &str = "form_page";
/// Kinds of fields that are never written back.
const NEVER: &[&str] = &["password", "file", "hidden", "submit", "button", "image", "reset"];

#[derive(Default)]
struct Found {
    action: String,
    id: Option<String>,
    hidden: Vec<(String, String)>,
    names: Vec<String>,
    secret: bool,
    /// The `<details>` around it, by their number in the page.
    folded: Vec<usize>,
}

/// The page with the form filled in; none when the form is not on it, or the page cannot be read.
pub fn refill(html: &str, posted: &Posted<'_>, said: &Said) -> Option<String> {
    let forms = forms(html)?;
    let same =
        |(name, value): &(String, String)| name == "csrf" || name == PAGE || posted.typed.iter().any(|(n, v)| n == name && v == value);
    let fits = |form: &Found| form.action == posted.action && form.hidden.iter().all(same) && (form.secret || !posted.needs_secret);
    let score = |form: &Found| form.names.iter().filter(|n| posted.typed.iter().any(|(t, _)| t == *n)).count();
    let (number, form) = forms.iter().enumerate().rev().filter(|(_, f)| fits(f)).max_by_key(|(_, f)| score(f))?;
    let mut pen = Pen { posted, said, form, taken: HashMap::new(), chosen: None, focused: false, named: vec![] };
    let mut page = String::with_capacity(html.len() + 4096);
    // A text field's old text is passed over until its end.
    let mut skips = false;
    walk(html, |tag, at| match tag {
        Piece::Opens(tag) => {
            let within = at.form == Some(number);
            let of_it = within || form.id.is_some() && tag.get("form") == form.id;
            match tag.name.as_str() {
                "details" if within || form.folded.contains(&(at.details - 1)) => tag.set("open", ""),
                "form" if within => {
                    page += &tag.text();
                    page += &pen.summary();
                    return;
                }
                "textarea" if of_it => {
                    let typed = pen.field(tag);
                    page += &tag.text();
                    if let Some(typed) = typed {
                        // A line break that opens the text is taken for markup.
                        page += &format!("\n{}", escaped(&typed));
                        skips = true;
                    }
                    return;
                }
                "input" | "select" | "option" if of_it => drop(pen.field(tag)),
                _ => {}
            }
            page += &tag.text();
        }
        Piece::Ends(name, raw) => {
            skips &= name != "textarea";
            page += raw;
        }
        Piece::Other(raw) => page += if skips { "" } else { raw },
    })?;
    Some(page)
}

/// Every form of a page, in its order.
fn forms(html: &str) -> Option<Vec<Found>> {
    let mut found: Vec<Found> = vec![];
    walk(html, |piece, at| {
        let Piece::Opens(tag) = piece else { return };
        if tag.name == "form" {
            let folded = at.open.clone();
            found.push(Found { action: tag.get("action").unwrap_or_default(), id: tag.get("id"), folded, ..Found::default() });
        }
        if !["input", "select", "textarea"].contains(&tag.name.as_str()) {
            return;
        }
        let of = tag.get("form").and_then(|id| found.iter().position(|f| f.id.as_ref() == Some(&id))).or(at.form);
        let name = tag.get("name").unwrap_or_default();
        if let Some(form) = of.and_then(|n| found.get_mut(n)).filter(|_| !name.is_empty()) {
            let kind = tag.get("type").unwrap_or_default();
            form.secret |= kind == "password";
            if kind == "hidden" {
                form.hidden.push((name, tag.get("value").unwrap_or_default()));
            } else {
                form.names.push(name);
            }
        }
    })?;
    Some(found)
}

/// A tag whose attributes can be changed.
struct Tag {
    name: String,
    raw: String,
    /// Values as they stand in the page.
    attributes: Vec<(String, String)>,
    changed: bool,
    closed: bool,
}

impl Tag {
    fn read(start: &BytesStart<'_>, raw: &str, closed: bool) -> Self {
        let attributes =
            start.html_attributes().with_checks(false).flatten().map(|a| (a.key.as_ref().to_owned(), a.value.into_owned())).collect();
        Self { name: start.name().as_ref().to_owned(), raw: raw.into(), attributes, changed: false, closed }
    }

    fn get(&self, name: &str) -> Option<String> {
        self.attributes.iter().find(|(n, _)| n == name).map(|(_, v)| plain(v))
    }

    fn set(&mut self, name: &str, value: &str) {
        self.remove(name);
        self.attributes.push((name.into(), escaped(value)));
    }

    fn remove(&mut self, name: &str) {
        self.changed = true;
        self.attributes.retain(|(n, _)| n != name);
    }

    fn text(&self) -> String {
        if !self.changed {
            return self.raw.clone();
        }
        let attributes: String = self.attributes.iter().map(|(n, v)| format!(" {n}=\"{}\"", v.replace('"', "&quot;"))).collect();
        format!("<{}{attributes}{}>", self.name, if self.closed { "/" } else { "" })
    }
}

enum Piece<'a> {
    Opens(&'a mut Tag),
    Ends(&'a str, &'a str),
    Other(&'a str),
}

/// Where in the page the reader is.
#[derive(Default)]
struct Place {
    forms: usize,
    /// The form that is open, by its number.
    form: Option<usize>,
    details: usize,
    /// The `<details>` that are open around.
    open: Vec<usize>,
}

/// Reads a page piece by piece; none when it cannot be read.
fn walk(html: &str, mut see: impl FnMut(Piece<'_>, &Place)) -> Option<()> {
    let mut reader = Reader::from_str(html);
    let settings = reader.config_mut();
    (settings.check_end_names, settings.allow_unmatched_ends, settings.allow_dangling_amp) = (false, true, true);
    let mut at = Place::default();
    loop {
        let from = reader.buffer_position() as usize;
        let event = reader.read_event().ok()?;
        let raw = html.get(from..reader.buffer_position() as usize)?;
        let closed = matches!(event, Event::Empty(_));
        match event {
            Event::Eof => return Some(()),
            Event::Start(start) | Event::Empty(start) => {
                let mut tag = Tag::read(&start, raw, closed);
                match tag.name.as_str() {
                    "form" => {
                        at.form = Some(at.forms);
                        at.forms += 1;
                    }
                    "details" => {
                        at.open.push(at.details);
                        at.details += 1;
                    }
                    _ => {}
                }
                see(Piece::Opens(&mut tag), &at);
            }
            Event::End(end) => {
                let name = end.name().as_ref().to_owned();
                see(Piece::Ends(&name, raw), &at);
                match name.as_str() {
                    "form" => at.form = None,
                    "details" => at.open.truncate(at.open.len().saturating_sub(1)),
                    _ => {}
                }
            }
            _ => see(Piece::Other(raw), &at),
        }
    }
}

/// Writes what was typed, field by field.
struct Pen<'a> {
    posted: &'a Posted<'a>,
    said: &'a Said,
    form: &'a Found,
    /// How many fields of a name were written: rows repeat them.
    taken: HashMap<String, usize>,
    /// The value of the select whose options come now.
    chosen: Option<String>,
    /// One wrong field alone gets the focus.
    focused: bool,
    /// Wrong fields that are marked already.
    named: Vec<String>,
}

impl Pen<'_> {
    /// What is wrong, with a link to each field.
    fn summary(&self) -> String {
        let field = |name: &String| self.form.names.iter().find(|field| is_of(name, field));
        let item = |(name, problem): &(String, String)| {
            let text = escaped(problem);
            field(name).map_or_else(|| format!("<li>{text}</li>"), |f| format!("<li><a href=\"#field-{}\">{text}</a></li>", escaped(f)))
        };
        let items: String = self.said.fields.iter().map(item).collect();
        let list = if items.is_empty() { items } else { format!("<ul>{items}</ul>") };
        let source = self.said.source.as_ref().map(|s| format!("<small>{}</small>", escaped(s))).unwrap_or_default();
        let focus = if self.said.fields.iter().any(|(n, _)| field(n).is_some()) { "" } else { " autofocus" };
        let (page, title) = (escaped(self.posted.page), escaped(&self.said.title));
        format!(
            "<div class=\"problem\" id=\"told\" role=\"alert\" tabindex=\"-1\" data-told=\"{page}\"{focus}>{title}{list}{source}</div>\
             <input type=\"hidden\" name=\"{PAGE}\" value=\"{page}\">"
        )
    }

    /// Fills a field in; of a text field, gives the text.
    fn field(&mut self, tag: &mut Tag) -> Option<String> {
        if tag.name == "option" {
            if let Some(chosen) = &self.chosen {
                if tag.get("value").as_ref() == Some(chosen) { tag.set("selected", "") } else { tag.remove("selected") }
            }
            return None;
        }
        self.chosen = None;
        let (name, kind) = (tag.get("name")?, tag.get("type").unwrap_or_default());
        self.mark(tag, &name, &kind);
        if NEVER.contains(&kind.as_str()) {
            return None;
        }
        if kind == "checkbox" || kind == "radio" {
            let value = tag.get("value").unwrap_or_else(|| "on".to_owned());
            let is_set = self.posted.typed.iter().any(|(n, v)| *n == name && *v == value);
            if is_set {
                tag.set("checked", "");
            } else {
                tag.remove("checked");
            }
            return None;
        }
        if self.posted.own && self.posted.typed.iter().filter(|(n, _)| *n == name).count() > 1 {
            return None;
        }
        let number = self.taken.entry(name.clone()).or_default();
        let typed = self.posted.typed.iter().filter(|(n, _)| *n == name).nth(*number).map(|(_, v)| v.clone())?;
        *number += 1;
        match tag.name.as_str() {
            "select" => self.chosen = Some(typed),
            "textarea" => return Some(typed),
            _ => tag.set("value", &typed),
        }
        None
    }

    /// Says of a wrong field that it is wrong, and where that is told.
    fn mark(&mut self, tag: &mut Tag, name: &str, kind: &str) {
        if kind == "hidden" || self.named.iter().any(|n| n == name) || !self.said.fields.iter().any(|(n, _)| is_of(n, name)) {
            return;
        }
        self.named.push(name.to_owned());
        for (attribute, value) in [("id", format!("field-{name}").as_str()), ("aria-invalid", "true"), ("aria-describedby", "told")] {
            tag.set(attribute, value);
        }
        if !std::mem::replace(&mut self.focused, true) {
            tag.set("autofocus", "");
        }
    }
}

/// What the rules for a case call otherwise than its form.
const ALSO: &[(&str, &str)] = &[("case_no", "number"), ("party", "parties")];

/// Whether what is wrong is a field's: rules speak of roles and of a session where forms repeat a role and take sessions.
fn is_of(wrong: &str, field: &str) -> bool {
    let several = wrong.strip_suffix('s') == Some(field) || field.strip_suffix('s') == Some(wrong);
    wrong == field || several || ALSO.contains(&(wrong, field))
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;").replace('\'', "&#39;")
}

/// A value as it was before it was escaped: the five characters that templates escape, in both ways of writing.
fn plain(value: &str) -> String {
    let pairs = [
        ("&#60;", "<"),
        ("&lt;", "<"),
        ("&#62;", ">"),
        ("&gt;", ">"),
        ("&#34;", "\""),
        ("&quot;", "\""),
        ("&#39;", "'"),
        ("&#38;", "&"),
        ("&amp;", "&"),
    ];
    pairs.iter().fold(value.to_owned(), |text, (from, to)| text.replace(from, to))
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE_TEXT: &str = r#"<form id="f" action="/a"><input type="hidden" name="csrf" value="x"><input type="hidden" name="change" value="close"><input name="on"></form>
        <details><summary>s</summary><form action="/a"><input type="hidden" name="csrf" value="x"><input type="hidden" name="change" value="facts">
        <input name="party" value="before"><input name="party"><textarea name="text">before</textarea><input type="checkbox" name="yes" checked>
        <select name="kind"><option value="a" selected>A</option><option value="b&#38;c">B</option></select><input type="password" name="password" value=""></form></details>"#;

    fn typed(all: &[(&str, &str)]) -> Vec<(String, String)> {
        all.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect()
    }

    #[test]
    fn the_right_form_has_what_was_typed_and_says_what_is_wrong() {
        let typed = typed(&[
            ("csrf", "y"),
            ("change", "facts"),
            ("party", "王\"某"),
            ("party", "<b>&lt;"),
            ("text", "\nline</textarea>"),
            ("kind", "b&c"),
            ("password", "geheim"),
        ]);
        let posted = Posted { action: "/a", typed: &typed, page: "/a?x=1&y", needs_secret: false, own: false };
        let said = Said { title: "不对".into(), source: None, fields: vec![("party".into(), "当事人：<太长>".into())] };
        let page = refill(PAGE_TEXT, &posted, &said).unwrap();
        for part in [
            "<details open",
            "value=\"王&quot;某\"",
            "value=\"&lt;b&gt;&amp;lt;\"",
            "line&lt;/textarea&gt;",
            "href=\"#field-party\">当事人：&lt;太长&gt;",
            "name=\"form_page\" value=\"/a?x=1&amp;y\"",
            "<option value=\"b&#38;c\" selected=\"\"",
        ] {
            assert!(page.contains(part), "{part} in {page}");
        }
        assert_eq!(page.matches("aria-invalid").count(), 1, "{page}");
        assert_eq!(page.matches("id=\"told\"").count(), 1);
        for part in ["geheim", " checked", "before", "value=\"a\" selected"] {
            assert!(!page.contains(part), "{part} in {page}");
        }
    }

    #[test]
    fn what_is_wrong_with_several_is_told_at_the_field_that_takes_them() {
        let typed = typed(&[("change", "facts"), ("party", "王")]);
        let posted = Posted { action: "/a", typed: &typed, page: "/a", needs_secret: false, own: false };
        let said =
            Said { title: "不对".into(), source: None, fields: vec![("kinds".into(), "一".into()), ("nowhere".into(), "二".into())] };
        let page = refill(PAGE_TEXT, &posted, &said).unwrap();
        assert!(page.contains("<a href=\"#field-kind\">一</a>") && page.contains("<li>二</li>"), "{page}");
        assert!(page.contains("<select name=\"kind\" id=\"field-kind\" aria-invalid=\"true\" aria-describedby=\"told\""), "{page}");
    }

    #[test]
    fn rows_that_a_page_has_of_itself_stand_as_they_are() {
        let typed = typed(&[("change", "facts"), ("party", ""), ("party", "王"), ("kind", "b&c"), ("text", "typed")]);
        let posted = Posted { action: "/a", typed: &typed, page: "/a", needs_secret: false, own: true };
        let said = Said { title: "不对".into(), source: None, fields: vec![("party".into(), "一".into())] };
        let page = refill(PAGE_TEXT, &posted, &said).unwrap();
        assert!(page.contains("name=\"party\" value=\"before\" id=\"field-party\"") && page.contains("typed"), "{page}");
    }

    #[test]
    fn a_form_that_is_not_there_is_not_filled() {
        let said = Said { title: String::new(), source: None, fields: vec![] };
        for (action, change) in [("/b", "facts"), ("/a", "archive")] {
            let typed = typed(&[("change", change)]);
            assert!(refill(PAGE_TEXT, &Posted { action, typed: &typed, page: "/a", needs_secret: false, own: false }, &said).is_none());
        }
        let typed = typed(&[("change", "close")]);
        assert!(refill(PAGE_TEXT, &Posted { action: "/a", typed: &typed, page: "/a", needs_secret: true, own: false }, &said).is_none());
    }
}
