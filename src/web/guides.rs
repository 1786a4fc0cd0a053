//! The guides, inside the binary: which there are, for whom, and their Markdown as a page. What is written lies in `deploy/guides`
//! and beside it, so that it can be read and printed without this program too.
//!
//! Nothing that a text could hold becomes a script: raw HTML is shown as it is typed, a heading keeps its name alone, and the only
//! addresses that come out lead to another guide, to a heading, or to a picture from the binary.

use crate::model::people::Role;
use crate::web::i18n::Lang;
use pulldown_cmark::{CowStr, Event, HeadingLevel, Options, Parser, Tag, TagEnd, html};
use std::collections::BTreeSet;

/// A text as it lies in the repository.
#[derive(Debug, Clone, Copy)]
pub struct Text {
    /// Its path there.
    pub file: &'static str,
    /// What it says.
    pub markdown: &'static str,
}

/// A guide: one subject, in one or two languages.
#[derive(Debug, Clone, Copy)]
pub struct Guide {
    /// Its address below `/help/`, and its title among the console's texts (`help-…`).
    pub id: &'static str,
    /// Whose daily work it is; nobody's: a document to look things up in.
    pub roles: &'static [Role],
    /// 中文.
    pub zh: Option<Text>,
    /// English.
    pub en: Option<Text>,
}

macro_rules! text {
    ($file:literal) => {
        Some(Text { file: $file, markdown: include_str!(concat!("../../", $file)) })
    };
}

/// All of them, in the order in which they are listed.
///
/// Everybody who is signed in may read every one of them, what is said of attacks too: it says nothing that is secret, and what
/// is not stopped is to be known by who relies on it.
pub const ALL: &[Guide] = &[
    Guide { id: "officer", roles: &[Role::Officer], zh: text!("deploy/guides/officer.zh-CN.md"), en: None },
    Guide { id: "custodian", roles: &[Role::Custodian], zh: text!("deploy/guides/custodian.zh-CN.md"), en: None },
    Guide { id: "office", roles: &[Role::Office], zh: text!("deploy/guides/office.zh-CN.md"), en: None },
    Guide { id: "leader", roles: &[Role::LeaderInCharge, Role::BureauHead], zh: text!("deploy/guides/leader.zh-CN.md"), en: None },
    Guide { id: "reviewer", roles: &[Role::Reviewer, Role::LiveViewer], zh: text!("deploy/guides/reviewer.zh-CN.md"), en: None },
    Guide { id: "legal", roles: &[Role::LegalUnit, Role::Inspector], zh: text!("deploy/guides/legal.zh-CN.md"), en: None },
    Guide { id: "technician", roles: &[Role::Administrator], zh: text!("deploy/guides/technician.zh-CN.md"), en: None },
    Guide {
        id: "verification",
        roles: &[],
        zh: text!("deploy/guides/verification.zh-CN.md"),
        en: text!("deploy/guides/verification.en.md"),
    },
    Guide { id: "install", roles: &[], zh: text!("deploy/INSTALL.zh-CN.md"), en: None },
    Guide { id: "restore", roles: &[], zh: None, en: text!("deploy/RESTORE.md") },
    Guide { id: "alarms", roles: &[], zh: None, en: text!("deploy/ALARMS.md") },
    Guide { id: "format", roles: &[], zh: None, en: text!("src/custody/FORMAT.md") },
    Guide { id: "security", roles: &[], zh: None, en: text!("deploy/SECURITY.md") },
    Guide { id: "asvs", roles: &[], zh: None, en: text!("deploy/ASVS.md") },
];

/// The guide at an address.
pub fn find(id: &str) -> Option<&'static Guide> {
    ALL.iter().find(|g| g.id == id)
}

impl Guide {
    /// The text for a reader of a language, and the language that it is in: the reader's where there is one.
    pub fn text(&self, lang: Lang) -> Option<(Text, Lang)> {
        let (zh, en) = (self.zh.map(|t| (t, Lang::Zh)), self.en.map(|t| (t, Lang::En)));
        if lang == Lang::Zh { zh.or(en) } else { en.or(zh) }
    }

    /// Whether it is the daily work of somebody with these roles.
    pub fn is_for(&self, roles: &[Role]) -> bool {
        self.roles.iter().any(|r| roles.contains(r))
    }

    fn is_at(&self, file_name: &str) -> bool {
        [self.zh, self.en].into_iter().flatten().any(|t| t.file.rsplit('/').next() == Some(file_name))
    }
}

/// A text as a page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rendered {
    /// Safe to put into a page as it is.
    pub html: String,
    /// Its headings, in order.
    pub contents: Vec<Heading>,
}

/// A heading that can be linked to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Heading {
    /// 1 for the title.
    pub level: u8,
    /// Behind the `#` of an address.
    pub id: String,
    /// Its words.
    pub text: String,
}

/// Markdown as HTML.
pub fn render(markdown: &str) -> Rendered {
    let options = Options::ENABLE_TABLES | Options::ENABLE_HEADING_ATTRIBUTES;
    let events: Vec<Event<'_>> = Parser::new_ext(markdown, options).map(shown).collect();
    let contents = headings(&events);
    let mut named = contents.iter();
    let mut kept = Vec::with_capacity(events.len());
    let mut led = false;
    for event in events {
        match event {
            Event::Start(Tag::Heading { level, .. }) => {
                let id = named.next().map(|h| CowStr::from(h.id.clone()));
                kept.push(Event::Start(Tag::Heading { level, id, classes: vec![], attrs: vec![] }));
            }
            Event::Start(Tag::Link { link_type, dest_url, .. }) => {
                if let Some(to) = leads_to(&dest_url) {
                    led = true;
                    kept.push(Event::Start(Tag::Link { link_type, dest_url: to.into(), title: "".into(), id: "".into() }));
                }
            }
            Event::End(TagEnd::Link) => {
                if std::mem::take(&mut led) {
                    kept.push(Event::End(TagEnd::Link));
                }
            }
            Event::Start(Tag::Image { link_type, dest_url, .. }) => {
                let to = dest_url.strip_prefix("pictures/").filter(|n| is_plain(n)).map(|n| format!("/help/pictures/{n}"));
                kept.push(Event::Start(Tag::Image { link_type, dest_url: to.unwrap_or_default().into(), title: "".into(), id: "".into() }));
            }
            other => kept.push(other),
        }
    }
    let mut page = String::new();
    html::push_html(&mut page, kept.into_iter());
    Rendered { html: page, contents }
}

/// Raw HTML is words, like any other.
fn shown(event: Event<'_>) -> Event<'_> {
    match event {
        Event::Html(text) | Event::InlineHtml(text) => Event::Text(text),
        other => other,
    }
}

fn headings(events: &[Event<'_>]) -> Vec<Heading> {
    let mut found: Vec<Heading> = Vec::new();
    let mut taken = BTreeSet::new();
    let mut open: Option<(HeadingLevel, Option<String>, String)> = None;
    for event in events {
        match (event, &mut open) {
            (Event::Start(Tag::Heading { level, id, .. }), _) => {
                let id = id.as_ref().filter(|i| is_plain(i)).map(ToString::to_string);
                open = Some((*level, id, String::new()));
            }
            (Event::Text(text) | Event::Code(text), Some((_, _, words))) => words.push_str(text),
            (Event::End(TagEnd::Heading(_)), _) => {
                if let Some((level, id, text)) = open.take() {
                    let wanted = id.unwrap_or_else(|| name_of(&text));
                    let free = (1..=found.len() + 1)
                        .map(|n| if n == 1 { wanted.clone() } else { format!("{wanted}-{n}") })
                        .find(|i| !taken.contains(i));
                    let id = free.unwrap_or_default();
                    taken.insert(id.clone());
                    found.push(Heading { level: level as u8, id, text });
                }
            }
            _ => {}
        }
    }
    found
}

/// Letters of any script, figures, and lines between them.
fn name_of(words: &str) -> String {
    let name: String = words
        .to_lowercase()
        .chars()
        .filter_map(|c| {
            if c.is_alphanumeric() {
                Some(c)
            } else if c.is_whitespace() || c == '-' {
                Some('-')
            } else {
                None
            }
        })
        .collect();
    if name.is_empty() { "section".into() } else { name }
}

/// What needs no escaping anywhere.
fn is_plain(name: &str) -> bool {
    !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'))
}

/// Where a link of a text leads inside the console; none for what only a reader of the files can follow.
fn leads_to(address: &str) -> Option<String> {
    let (file, heading) = address.split_once('#').map_or((address, None), |(f, h)| (f, Some(h)));
    let heading = match heading {
        Some(h) if h.chars().all(|c| c.is_alphanumeric() || c == '-') => format!("#{h}"),
        Some(_) => return None,
        None => String::new(),
    };
    if file.is_empty() {
        return (heading.len() > 1).then_some(heading);
    }
    if let Some(id) = file.strip_prefix("/help/") {
        return (id == "api" || find(id).is_some()).then(|| address.to_owned());
    }
    if file.contains(':') || file.starts_with('/') {
        return None;
    }
    let name = file.rsplit('/').next()?;
    let guide = ALL.iter().find(|g| g.is_at(name))?;
    Some(format!("/help/{}{heading}", guide.id))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn headings_have_names_that_stay_and_links_lead_to_guides() {
        let r = render(
            "# 指南\n\n## 开始 {#start}\n\n### 常见问题\n\n### 常见问题\n\n[保管人](custodian.zh-CN.md#receive) [这里](#start) [安装](../INSTALL.zh-CN.md)",
        );
        let ids: Vec<&str> = r.contents.iter().map(|h| h.id.as_str()).collect();
        assert_eq!(ids, ["指南", "start", "常见问题", "常见问题-2"]);
        assert!(r.html.contains(r#"<h2 id="start">开始</h2>"#), "{}", r.html);
        for link in [r#"href="/help/custodian#receive""#, r##"href="#start""##, r#"href="/help/install""#] {
            assert!(r.html.contains(link), "{}", r.html);
        }
    }

    #[test]
    fn what_could_run_or_lead_away_is_words() {
        let r = render(
            "<script>alert(1)</script>\n\nx [a](javascript:alert(1)) [b](https://example.org) ![c](//example.org/x.png) <img src=x onerror=y>\n\n\
             ## x {#a\" onclick=\"b .c onclick=d}\n\n[d](/accounts) <https://example.org>",
        );
        for word in ["<script", "<img src=x", "\"javascript:", "\"https://", " onclick=", "\"//example", "\"/accounts"] {
            assert!(!r.html.contains(word), "{word}: {}", r.html);
        }
    }

    #[test]
    fn every_guide_begins_with_its_title() {
        for guide in ALL {
            for lang in [Lang::Zh, Lang::En] {
                let (text, _) = guide.text(lang).unwrap();
                assert_eq!(render(text.markdown).contents[0].level, 1, "{}", text.file);
            }
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_a_tag_that_is_not_ours(text in r#"([a-z<>/"'=:#!\[\](){}`* \n-]|<script>|javascript:|onerror=|\]\(){0,60}"#) {
            let page = render(&text).html;
            for tag in page.split('<').skip(1).map(|t| t.trim_start_matches('/')) {
                let name: String = tag.chars().take_while(char::is_ascii_alphanumeric).collect();
                let ours = ["p", "a", "h1", "h2", "h3", "h4", "h5", "h6", "em", "strong", "code", "pre", "ul", "ol", "li", "hr", "br", "blockquote", "img", "table", "thead", "tbody", "tr", "th", "td"];
                prop_assert!(ours.contains(&name.as_str()), "{page}");
            }
            for address in page.split("href=\"").skip(1) {
                prop_assert!(address.starts_with('#') || address.starts_with("/help/"), "{page}");
            }
            for address in page.split("src=\"").skip(1) {
                prop_assert!(address.starts_with('"') || address.starts_with("/help/pictures/"), "{page}");
            }
        }
    }
}
