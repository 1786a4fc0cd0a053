//! Keeping and giving up (第十八条, 第十九条): the lists, the register of holds, disposals and their certificates.

use crate::desks::No;
use crate::desks::disposal::{DisposalSession, DisposalView};
use crate::desks::holds::HeldSession;
use crate::desks::retention::{LISTS, RetentionPage, RetentionRow, RetentionSearch};
use crate::desks::sessions::SessionRow;
use crate::model::closing::CopyFate;
use crate::model::digest;
use crate::model::disposal::{ArchiveCopy, DisposalState, Item, Outcome};
use crate::model::hold::{Ground, HoldRules, HoldState};
use crate::model::ids::{DisposalId, SessionId};
use crate::model::refusal::Refusal;
use crate::model::retention::{Retention, Table, Version, Why};
use crate::model::time;
use crate::model::tombstone::Tombstone;
use crate::model::words::BadField;
use crate::web::asked;
use crate::web::i18n::Lang;
use crate::web::pages::form::{Form, all, one};
use crate::web::pages::shown::{Disposals, Holds};
use crate::web::pages::table::{Asked, Key, Table as Listed};
use crate::web::pages::visit::Visit;
use crate::web::pages::{Page, html, no_page};
use askama::Template;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query};
use axum::response::Response;
use chrono::{DateTime, Utc};

type Fields = Vec<(String, String)>;

/// What is more is only called more.
const COUNT_MAX: u64 = 10_000;

/// One reason in words, with what it is about, its date and its article.
pub fn why_text(page: &Page, why: &Why) -> String {
    let about = why.about.clone().unwrap_or_default();
    let sentence = page.with(&format!("why-{}", why.reason.as_str().replace('_', "-")), "about", about);
    match why.until {
        Some(until) => format!("{sentence} · {}", page.with("kept-until", "at", page.at(until))),
        None => format!("{sentence} · {}", page.t("kept-undated")),
    }
}

/// A device by its name and its number in the register.
fn device_text(page: &Page, name: &str, no: &str) -> String {
    match (name == no || name.is_empty(), no.is_empty(), page.lang) {
        (true, _, _) => no.to_owned(),
        (_, true, _) => name.to_owned(),
        (_, _, Lang::Zh) => format!("{name}（{no}）"),
        (_, _, Lang::En) => format!("{name} ({no})"),
    }
}

#[derive(Template)]
#[template(path = "retention.html", config = "src/web/askama.toml")]
struct ListPage {
    page: Page,
    table: Listed,
    found: RetentionPage,
    rules: Table,
}

impl ListPage {
    fn lists(&self) -> [&'static str; 6] {
        LISTS
    }
    fn is_gone(&self) -> bool {
        self.found.list == "gone"
    }
    fn is_due(&self) -> bool {
        self.found.list == "due"
    }
    /// How many a list has; 到期待鉴定: that wait to be appraised.
    fn count(&self, list: &str) -> String {
        let count = self.found.counts.iter().find(|c| c.list == list).map_or(0, |c| c.count);
        if count > COUNT_MAX { format!("{COUNT_MAX}+") } else { count.to_string() }
    }
    /// Those of the list that are in a disposal already.
    fn proposed(&self) -> u64 {
        let due = self.found.counts.iter().find(|c| c.list == "due").map_or(0, |c| c.count);
        if self.is_due() { self.found.total.saturating_sub(due) } else { 0 }
    }
    /// Devices, by name and number.
    fn devices(&self, row: &RetentionRow) -> String {
        let all = row.device_names.iter().map(|(name, no)| device_text(&self.page, name, no));
        self.page.listed(all.collect::<Vec<_>>())
    }
    fn day(&self, at: &DateTime<Utc>) -> String {
        time::shanghai_day(*at).to_string()
    }
    fn version(&self) -> Option<&Version> {
        self.rules.versions.last()
    }
}

/// The columns of the six by which a list of sessions is put in order.
const SESSION_COLUMNS: &[&str] = &["at", "party", "cause", "case"];

fn session_key(row: &SessionRow, column: &str) -> Key {
    match column {
        "at" => Key::at(row.started_at),
        "party" => Key::text(row.party.as_deref()),
        "cause" => Key::text(row.cause.as_deref()),
        _ => Key::text(row.case_no.as_deref()),
    }
}

/// What is due, unclassified, held, …
pub async fn list(visit: Visit, asked: Asked, query: Result<Query<RetentionSearch>, QueryRejection>) -> Response {
    let page = visit.page("/retention").await;
    let search = query.map(|Query(s)| s).unwrap_or_default();
    match visit.desks().retention_list(visit.person(), &search).await {
        Ok(found) => {
            let table = Listed::cut(asked, &[], (found.page, found.pages, found.total));
            html(&ListPage { page, table, found, rules: visit.desks().retention_table().clone() })
        }
        Err(no) => no_page(page, &no),
    }
}

/// Says that the date is right.
pub async fn confirm_clock(visit: Visit, Form(fields): Form<Fields>) -> Response {
    let reason = one(&fields, "reason").unwrap_or_default();
    let desks = &visit.desks();
    visit
        .act(
            ("/retention", "clock-confirmed"),
            Some(&fields),
            |person| async move { desks.confirm_clock(&person, &reason).await.map(drop) },
        )
        .await
}

#[derive(Template)]
#[template(path = "holds.html", config = "src/web/askama.toml")]
struct HoldsPage {
    page: Page,
    table: Listed,
    rows: Vec<HeldSession>,
    rules: HoldRules,
}

impl HoldsPage {
    /// Who confirms a hold of ground （四） here, in words.
    fn important_by(&self) -> String {
        self.page.listed(self.rules.important_by.iter().map(|r| self.page.word("role", r.as_str())).collect::<Vec<_>>())
    }
}

/// The register of holds.
pub async fn holds(visit: Visit, asked: Asked) -> Response {
    let only = asked.shows::<Holds>();
    let page = visit.page("/holds").await.narrowed(only);
    match visit.desks().held(visit.person(), &[HoldState::Proposed, HoldState::Confirmed, HoldState::LiftProposed]).await {
        Ok(mut rows) => {
            if only == Some(Holds::Mine) {
                rows.iter_mut().for_each(|r| r.holds.retain(|h| h.may_confirm || h.may_lift));
                rows.retain(|r| !r.holds.is_empty());
            }
            let mut table = Listed::new(asked, SESSION_COLUMNS);
            let rows = table.rows(rows, |r, column| session_key(&r.session, column));
            html(&HoldsPage { page, table, rows, rules: visit.desks().hold_rules().clone() })
        }
        Err(no) => no_page(page, &no),
    }
}

/// What a session's page says of its keeping: `routine`, `extend`, `hold`, or a word to a hold.
pub async fn say(visit: Visit, Path(id): Path<String>, Form(fields): Form<Fields>) -> Response {
    let text = |name: &str| one(&fields, name).unwrap_or_default();
    let what = text("say");
    let word = match what.as_str() {
        "routine" => "routine",
        "extend" => "extended",
        "hold" => "held",
        "confirm" => "hold-confirmed",
        "ask" => "hold-lift-asked",
        "refuse" => "hold-kept",
        _ => "hold-lifted",
    };
    let back = if text("back") == "holds" { "/holds".to_owned() } else { format!("/sessions/{id}#keeping") };
    // A word to a hold that stands is somebody's decision; what keeps longer needs no proof.
    let proof = (!matches!(what.as_str(), "routine" | "extend" | "hold")).then_some(fields.as_slice());
    let (desks, text, what) = (&visit.desks(), &text, what.as_str());
    visit
        .act((&back, word), proof, |person| async move {
            let id: SessionId = asked::id("session", &id, SessionId::new)?;
            let ground = || Ground::from_word(&text("ground")).ok_or_else(|| Refusal::from(BadField::form("ground", "is no ground")));
            match what {
                "routine" => desks.declare_routine(&person, &id, &text("reason")).await.map(drop),
                "extend" => {
                    let until = text("until")
                        .parse()
                        .map_err(|_| Refusal::from(BadField::form("until", "is no day; 2026-11-23 would be right")))?;
                    desks.extend_retention(&person, &id, until, &text("reason")).await.map(drop)
                }
                "hold" => desks.propose_hold(&person, &id, ground()?, &text("reason")).await.map(drop),
                word => {
                    desks.say_to_hold(&person, &id, ground()?, &text("about"), asked::hold_change(word, text("reason"))?).await.map(drop)
                }
            }
        })
        .await
}

#[derive(Template)]
#[template(path = "disposals.html", config = "src/web/askama.toml")]
struct DisposalsPage {
    page: Page,
    table: Listed,
    rows: Vec<DisposalView>,
}

/// All disposals.
pub async fn disposals(visit: Visit, asked: Asked) -> Response {
    let only = asked.shows::<Disposals>();
    let page = visit.page("/disposals").await.narrowed(only);
    match visit.desks().disposals(visit.person()).await {
        Ok(mut rows) => {
            rows.retain(|r| match only {
                Some(Disposals::Decide) => r.may_decide,
                Some(Disposals::Close) => r.may_close,
                None => true,
            });
            let mut table = Listed::new(asked, &["no", "unit", "sessions", "proposed", "state"]);
            let rows = table.rows(rows, |r, column| match column {
                "no" => Key::text(Some(r.disposal.id.as_str())),
                "unit" => Key::text(Some(&r.unit_name)),
                "sessions" => Key::count(r.disposal.items.len()),
                "proposed" => Key::at(r.disposal.proposed.at),
                _ => Key::text(Some(page.word("disposal-state", r.disposal.state.as_str()))),
            });
            html(&DisposalsPage { page, table, rows })
        }
        Err(no) => no_page(page, &no),
    }
}

/// Proposes to give up what was ticked.
pub async fn propose(visit: Visit, Form(fields): Form<Fields>) -> Response {
    let proposed: Result<DisposalId, No> = async {
        let sessions = all(&fields, "session").map(|s| asked::id("session", s, SessionId::new)).collect::<Result<Vec<_>, _>>()?;
        Ok(visit.desks().propose_disposal(visit.person(), &sessions, &one(&fields, "reason").unwrap_or_default()).await?.id)
    }
    .await;
    match proposed {
        Ok(id) => visit.after(&format!("/disposals/{id}"), "disposal-proposed", Ok(())).await,
        Err(no) => visit.after("/retention", "", Err(no)).await,
    }
}

#[derive(Template)]
#[template(path = "disposal.html", config = "src/web/askama.toml")]
struct DisposalPage {
    page: Page,
    view: DisposalView,
}

impl DisposalPage {
    fn is(&self, state: &str) -> bool {
        self.view.disposal.state.as_str() == state
    }
    fn runs(&self) -> bool {
        self.view.disposal.state == DisposalState::Approved
    }
    /// What is still here of it.
    fn here(&self, item: &Item) -> Option<&DisposalSession> {
        self.view.sessions.iter().find(|s| s.session.id == item.session)
    }
    /// As what it is kept and until when: as it stands now, or stood when it was proposed.
    fn retention<'a>(&'a self, item: &'a Item) -> &'a Retention {
        self.here(item).map_or(&item.retention, |s| &s.retention)
    }
    fn why(&self, item: &Item) -> Vec<String> {
        self.retention(item).why.iter().map(|w| why_text(&self.page, w)).collect()
    }
    /// What keeps it now, while somebody has to decide.
    fn obstacles(&self, item: &Item) -> String {
        let obstacles = self.here(item).map(|s| s.obstacles.as_slice()).unwrap_or_default();
        self.page.listed(obstacles.iter().map(|o| self.page.word("obstacle", o.as_str())).collect::<Vec<_>>())
    }
    /// How many go if it is agreed to now, and how many something keeps.
    fn at_stake(&self) -> (usize, usize) {
        let kept = self.view.sessions.iter().filter(|s| !s.obstacles.is_empty()).count();
        (self.view.disposal.items.len() - kept.min(self.view.disposal.items.len()), kept)
    }
    /// What became of a session: its badge's colour and its words.
    fn outcome(&self, item: &Item) -> (&'static str, String) {
        match &item.outcome {
            None if self.runs() => ("warn", self.page.t("outcome-waits")),
            None => ("", "—".into()),
            Some(Outcome::Kept { obstacles, .. }) => {
                let all: Vec<String> = obstacles.iter().map(|o| self.page.word("obstacle", o.as_str())).collect();
                ("good", format!("{}{}{}", self.page.t("outcome-kept"), self.page.colon(), self.page.listed(&all)))
            }
            Some(Outcome::Going { gone_from, .. }) => ("warn", self.page.with("outcome-going", "volumes", self.volumes(gone_from))),
            Some(Outcome::Gone { gone_from, at, .. }) => {
                ("", format!("{} · {}", self.page.with("outcome-gone", "volumes", self.volumes(gone_from)), self.page.at(at)))
            }
        }
    }
    /// Where the archive's copy of it stands.
    fn archive(&self, item: &Item) -> Option<String> {
        item.archive.map(|copy| match copy {
            ArchiveCopy::Locked { until } => self.page.with("archive-copy-locked", "until", self.page.at(until)),
            ArchiveCopy::Deleted { at } => self.page.with("archive-copy-deleted", "at", self.page.at(at)),
        })
    }
    fn volumes(&self, names: &[String]) -> String {
        self.page.listed(names.iter().map(|n| self.page.word("volume", n)).collect::<Vec<_>>())
    }
    /// What stays of a session, once that is known.
    fn stays<'a>(&self, item: &'a Item) -> Option<&'a Tombstone> {
        match &item.outcome {
            Some(Outcome::Going { stays, .. } | Outcome::Gone { stays, .. }) => Some(stays),
            _ => None,
        }
    }
    fn bytes(&self, stays: &Tombstone) -> u64 {
        stays.files.iter().map(|f| f.bytes).sum()
    }
    fn short(&self, code: &str) -> String {
        digest::short(code)
    }
    fn is_gone(&self, item: &Item) -> bool {
        matches!(item.outcome, Some(Outcome::Gone { .. }))
    }
    fn gone(&self) -> usize {
        self.view.disposal.gone().count()
    }
    /// Copies that are not destroyed.
    fn left(&self) -> usize {
        self.view.copies.iter().filter(|c| c.is_left()).count()
    }
    fn devices(&self, stays: &Tombstone) -> String {
        self.page.listed(stays.devices.iter().map(|d| device_text(&self.page, &d.name, &d.device_no)).collect::<Vec<_>>())
    }
    fn copy_badge(&self, copy: &CopyFate) -> &'static str {
        if copy.is_left() { "warn" } else { "good" }
    }
}

/// The same on paper.
#[derive(Template)]
#[template(path = "disposal_print.html", config = "src/web/askama.toml")]
struct CertificatePage(DisposalPage);

/// One, and its certificate for paper.
pub async fn disposal(visit: Visit, Path(id): Path<String>) -> Response {
    let page = visit.page(&format!("/disposals/{id}")).await;
    let found = async { visit.desks().disposal(visit.person(), &asked::id("disposal", &id, DisposalId::new)?).await }.await;
    match found {
        Ok(view) => html(&DisposalPage { page, view }),
        Err(no) => no_page(page, &no),
    }
}

/// The certificate for paper, always in Chinese, as it is filed; what a page of it cannot hold goes on to the next.
pub async fn certificate(visit: Visit, Path(id): Path<String>) -> Response {
    let mut page = visit.page(&format!("/disposals/{id}")).await;
    let found = async { visit.desks().disposal(visit.person(), &asked::id("disposal", &id, DisposalId::new)?).await }.await;
    match found {
        Ok(view) => {
            page.lang = Lang::Zh;
            html(&CertificatePage(DisposalPage { page, view }))
        }
        Err(no) => no_page(page, &no),
    }
}

/// Decides on one (`approve`, `refuse`), or closes one (`close`).
pub async fn decide(visit: Visit, Path(id): Path<String>, Form(fields): Form<Fields>) -> Response {
    let decision = one(&fields, "decision").unwrap_or_default();
    let word = match decision.as_str() {
        "approve" => "disposal-approved",
        "close" => "disposal-closed",
        _ => "disposal-refused",
    };
    let (desks, reason) = (&visit.desks(), one(&fields, "reason"));
    visit
        .act((&format!("/disposals/{id}"), word), Some(&fields), |person| async move {
            let id = asked::id("disposal", &id, DisposalId::new)?;
            match decision.as_str() {
                "close" => desks.close_disposal(&person, &id, reason.as_deref()).await.map(drop),
                other => desks.decide_disposal(&person, &id, other == "approve", reason.as_deref()).await.map(drop),
            }
        })
        .await
}
