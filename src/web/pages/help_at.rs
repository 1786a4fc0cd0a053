//! Help at the place: beside a page's heading, what it is for, what is decided there and by which article, and the guide's chapter that
//! says more. Which guide depends on who reads.

use crate::model::people::{Person, Role};
use crate::web::pages::Page;
use askama::Template;

#[derive(Template)]
#[template(path = "help_at.html", config = "src/web/askama.toml")]
struct HelpAt<'a> {
    page: &'a Page,
    about: &'a str,
    guide: String,
}

impl Page {
    /// The control with the help about a page, by its word.
    pub fn help(&self, about: &str) -> String {
        let guide = self.person().and_then(|person| chapter(about, person)).map(|(guide, anchor)| format!("/help/{guide}#{anchor}"));
        HelpAt { page: self, about, guide: guide.unwrap_or_default() }.render().unwrap_or_default()
    }
}

/// The guide and its chapter about a page.
fn chapter(about: &str, who: &Person) -> Option<(&'static str, &'static str)> {
    let is = |role| who.is(role);
    let leads = is(Role::LeaderInCharge) || is(Role::BureauHead);
    Some(match about {
        "home" => home(who)?,
        "readiness" if is(Role::Office) && !is(Role::Officer) => ("office", "devices"),
        "readiness" => ("officer", "readiness"),
        "start" => ("officer", "start"),
        "running" => ("officer", "marks"),
        "record" => ("officer", "record"),
        "session" | "sessions" | "handover" if is(Role::Officer) => ("officer", "after"),
        "session" | "sessions" if is(Role::Custodian) => ("custodian", "retention"),
        "plans" => ("officer", "plan"),
        "initiation" if leads => ("leader", "initiation"),
        "cases" | "case" | "initiation" => ("officer", "case"),
        "imports" if is(Role::Custodian) && !is(Role::Officer) => ("custodian", "import"),
        "imports" => ("officer", "import"),
        "handover" => ("custodian", "receive"),
        "access" | "disposals" if leads => ("leader", "decide"),
        "access" | "session" | "sessions" => ("reviewer", "request"),
        "provisions" => ("legal", "provision"),
        "oversight" => ("legal", "oversight"),
        "log" => ("legal", "log"),
        "figures" if is(Role::Office) => ("office", "storage"),
        "supervision" | "figures" => ("legal", "supervision"),
        "retention" => ("custodian", "retention"),
        "holds" => ("custodian", "hold"),
        "disposals" => ("custodian", "disposal"),
        "media" => ("custodian", "media"),
        "archive" => ("technician", "archive"),
        "devices" if is(Role::Officer) => ("officer", "fault"),
        "devices" => ("office", "devices"),
        "cameras" => ("technician", "cameras"),
        "screens" => ("office", "screens"),
        "accounts" => ("technician", "accounts"),
        "alarms" => ("technician", "alarms"),
        _ => return None,
    })
}

fn home(who: &Person) -> Option<(&'static str, &'static str)> {
    let chapters = [
        (Role::Officer, ("officer", "start")),
        (Role::Custodian, ("custodian", "receive")),
        (Role::LeaderInCharge, ("leader", "decide")),
        (Role::BureauHead, ("leader", "decide")),
        (Role::LegalUnit, ("legal", "oversight")),
        (Role::Inspector, ("legal", "log")),
        (Role::Office, ("office", "devices")),
        (Role::Administrator, ("technician", "accounts")),
        (Role::Reviewer, ("reviewer", "request")),
    ];
    chapters.into_iter().find(|(role, _)| who.is(*role)).map(|(_, chapter)| chapter)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::ids::AccountId;
    use std::collections::BTreeSet;

    /// Every word of a page's help, from the texts themselves.
    fn words() -> BTreeSet<&'static str> {
        let texts = include_str!("../i18n/en/console.ftl");
        let keys = texts.lines().filter_map(|l| l.strip_prefix("here-")?.split_once(" =").map(|(word, _)| word));
        keys.filter(|w| !matches!(*w, "control" | "guide")).collect()
    }

    #[test]
    fn every_page_that_has_help_has_a_chapter_and_every_template_asks_for_help_that_is_there() {
        let who = |role| Person::new(AccountId::new("x").unwrap(), "x", "某", &[role]);
        for word in words() {
            // Who only watches live pictures has no page of their own to be helped with.
            for role in Role::ALL.iter().filter(|r| word != "home" || **r != Role::LiveViewer) {
                let (guide, anchor) = chapter(word, &who(*role)).unwrap();
                let path = format!("{}/deploy/guides/{guide}.zh-CN.md", env!("CARGO_MANIFEST_DIR"));
                assert!(std::fs::read_to_string(&path).unwrap().contains(&format!("{{#{anchor}}}")), "{word}: {path} #{anchor}");
            }
        }
        let mut asked = BTreeSet::new();
        for entry in std::fs::read_dir(std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src/web/templates")).unwrap() {
            let text = std::fs::read_to_string(entry.unwrap().path()).unwrap();
            asked.extend(text.split("page.help(\"").skip(1).map(|rest| rest.split('"').next().unwrap().to_owned()));
        }
        assert_eq!(asked, words().into_iter().map(ToOwned::to_owned).collect());
    }
}
