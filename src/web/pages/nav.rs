//! The head's navigation: what a person's roles open, on one line; what does not fit stands behind "更多".

use crate::web::i18n::Lang;
use crate::web::pages::Page;

/// Pixels of a line at 1366 that neither the brand nor what stands at its end takes.
const LINE_PX: usize = 1366 - 20 - 40 - 2 * 18;

/// A place in the navigation.
pub struct Place {
    /// Its address.
    pub href: &'static str,
    /// What it is called.
    pub name: String,
    /// Whether the page is one of it.
    pub current: bool,
    /// What waits there.
    pub count: usize,
    /// What the count is of; empty where the name says it.
    pub title: String,
}

impl Place {
    /// What it takes of the line.
    fn px(&self) -> usize {
        width(&self.name) + 22 + 2 + if self.count > 0 { 14 + width(&self.count.to_string()) + 10 } else { 0 }
    }
}

/// About how wide a text is at 15 px: a Chinese character takes its square, a letter half of it and a little.
fn width(text: &str) -> usize {
    text.chars().map(|c| if c.is_ascii() { 8 } else { 15 }).sum()
}

/// Which acts open a place (any of them), its address, its text, and what its count is of.
type Row = (&'static [&'static str], &'static str, &'static str, &'static str);

const PLACES: &[Row] = &[
    (&["see_status"], "/", "nav-rooms", ""),
    (&["read_cases"], "/cases", "nav-cases", ""),
    (&["link_session"], "/plans", "nav-plans", ""),
    (&["list_unit_sessions"], "/sessions", "nav-sessions", ""),
    (&["import_recording"], "/imports", "nav-imports", ""),
    (&["hand_over", "see_overdue"], "/handover", "nav-handover", "to-receive"),
    (&["request_access", "decide_access"], "/access", "nav-access", "to-decide"),
    (&["read_retention"], "/retention", "nav-retention", ""),
    (&["supervise"], "/supervision", "nav-supervision", ""),
    (&["provide", "decide_access"], "/provisions", "nav-provisions", ""),
    (&["read_log"], "/oversight", "nav-oversight", ""),
    (&["read_log"], "/log", "nav-log", ""),
    (&["see_archive"], "/archive", "nav-archive", ""),
    (&["report_fault", "keep_devices", "add_camera"], "/devices", "nav-devices", "devices-waiting"),
    (&["keep_devices", "manage_accounts"], "/figures", "nav-figures", ""),
    (&["manage_screens"], "/screens", "nav-screens", ""),
    (&["manage_accounts"], "/accounts", "nav-accounts", ""),
];

impl Page {
    fn places(&self) -> Vec<Place> {
        let opens = |(acts, href, _, _): &&Row| {
            // Who keeps recordings finds the archive among their tabs, and who supervises the figures beside the report.
            let elsewhere = (*href == "/archive" && self.may("read_retention")) || (*href == "/figures" && self.may("supervise"));
            acts.iter().any(|act| self.may(act)) && !elsewhere
        };
        PLACES.iter().filter(opens).map(|row| self.place(row)).collect()
    }

    fn place(&self, (_, href, text, title): &Row) -> Place {
        let count = match *href {
            "/cases" => self.cases_waiting,
            "/handover" => self.receipts_waiting,
            "/access" => self.waiting,
            "/retention" => self.keeping_waiting(),
            "/devices" => self.devices_waiting,
            _ => 0,
        };
        let current = match *href {
            "/" => self.path == "/",
            "/retention" => self.keeps_here(),
            "/supervision" => self.path == "/supervision" || self.path.starts_with("/figures"),
            "/devices" => self.path.starts_with("/devices") || self.path == "/cameras",
            href => self.path == href || self.path.starts_with(&format!("{href}/")),
        };
        Place { href, name: self.t(text), current, count, title: if title.is_empty() { String::new() } else { self.t(title) } }
    }

    /// What stands on the line, and what behind "更多": both languages on one line at 1366 px, whatever a person's roles.
    pub fn navigation(&self) -> (Vec<Place>, Vec<Place>) {
        let mut shown = self.places();
        let name = self.person().map_or(0, |p| width(&p.name));
        let brand = 44 + width(&self.t("product")).max(width(&self.bureau));
        let ends = 64
            + 34
            + name
            + width(&self.t("help"))
            + width(&self.t("sign-out"))
            + width(if self.lang == Lang::En { "中文" } else { "English" })
            + 5 * 14;
        let line = LINE_PX.saturating_sub(brand + ends);
        if shown.iter().map(Place::px).sum::<usize>() <= line {
            return (shown, vec![]);
        }
        let mut left = line.saturating_sub(width(&self.t("nav-more")) + 22 + 20 + 34);
        let fit = shown.iter().take_while(|p| left.checked_sub(p.px()).inspect(|rest| left = *rest).is_some()).count();
        let folded = shown.split_off(fit);
        (shown, folded)
    }

    /// Whether the page stands behind "更多".
    pub fn folds_current(&self, folded: &[Place]) -> bool {
        folded.iter().any(|p| p.current)
    }

    /// What waits behind "更多".
    pub fn folded_count(&self, folded: &[Place]) -> usize {
        folded.iter().map(|p| p.count).sum()
    }
}
