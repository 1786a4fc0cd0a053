//! The list of sessions, and a session's page for who may know of it: what it is, its time line, its footage under a grant.

use crate::desks::No;
use crate::desks::retention::RetentionView;
use crate::desks::sessions::{Lacking, Search, SessionPage, SessionRow, SessionView};
use crate::model::digest;
use crate::model::facts::Link;
use crate::model::gap::Gap;
use crate::model::hold::Ground;
use crate::model::ids::{CameraId, SessionId};
use crate::model::missing::{Answer, AnswerKind, Missing};
use crate::model::people::Act;
use crate::model::retention::Why;
use crate::model::session::{Interruption, Segment};
use crate::web::asked;
use crate::web::pages::form::{self, FactsForm, Form, one};
use crate::web::pages::retention::why_text;
use crate::web::pages::running::{self, RunningPage};
use crate::web::pages::table::{Asked, Table};
use crate::web::pages::visit::Visit;
use crate::web::pages::{Page, html, no_page, record};
use askama::Template;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query};
use axum::response::Response;

#[derive(Template)]
#[template(path = "sessions.html", config = "src/web/askama.toml")]
struct ListPage {
    page: Page,
    table: Table,
    search: Search,
    found: SessionPage,
    units: Vec<(String, String)>,
}

impl ListPage {
    fn value(&self, field: &Option<String>) -> String {
        field.clone().unwrap_or_default()
    }

    fn length(&self, row: &SessionRow) -> String {
        row.length_ms.map_or_else(|| "—".into(), |ms| self.page.length(ms))
    }

    fn fields(&self) -> [(&'static str, &Option<String>); 9] {
        let s = &self.search;
        [
            ("unit", &s.unit),
            ("device_no", &s.device_no),
            ("officer", &s.officer),
            ("from", &s.from),
            ("until", &s.until),
            ("party", &s.party),
            ("cause", &s.cause),
            ("text", &s.text),
            ("lacking", &s.lacking),
        ]
    }
}

/// The list, with the search in its address.
pub async fn list(visit: Visit, asked: Asked, query: Result<Query<Search>, QueryRejection>) -> Response {
    let page = visit.page("/sessions").await;
    // An address that was typed by hand and cannot be read is a search for everything.
    let search = query.map(|Query(s)| s).unwrap_or_default();
    match visit.desks().sessions(visit.person(), &search).await {
        Ok(found) => {
            let page = page.narrowed(asked.shows::<Lacking>());
            let table = Table::cut(asked, Search::ORDERS, (found.page, found.pages, found.total));
            html(&ListPage { page, table, search, found, units: visit.desks().units() })
        }
        Err(no) => no_page(page, &no),
    }
}

#[derive(Template)]
#[template(path = "session.html", config = "src/web/askama.toml")]
struct SessionPageView {
    page: Page,
    view: SessionView,
    form: FactsForm,
    keeping: RetentionView,
}

/// Steps of the time line's axis, ms.
const STEPS_MS: &[u64] = &[5_000, 10_000, 30_000, 60_000, 300_000, 600_000, 1_800_000, 3_600_000, 7_200_000, 21_600_000];

/// A stretch of a time line in percent: `left width`, for the script that places it (the policy forbids styles in the page).
fn place(all_ms: u64, from_ms: u64, to_ms: u64) -> String {
    let all = all_ms.max(1) as f64;
    let left = from_ms as f64 * 100.0 / all;
    let width = (to_ms.saturating_sub(from_ms) as f64 * 100.0 / all).clamp(0.15, 100.0);
    format!("{left:.3} {width:.3}")
}

/// At most eleven moments of an axis.
fn ticks(all_ms: u64) -> Vec<u64> {
    let step = STEPS_MS.iter().copied().find(|step| all_ms / step <= 10).unwrap_or(all_ms.max(1));
    // One that stands at the very end has no room for its words.
    (0..=all_ms / step).map(|n| n * step).filter(|at| *at == 0 || at * 100 < all_ms * 96).collect()
}

impl SessionPageView {
    fn seal_short(&self) -> String {
        self.view.session.seal.as_ref().map(|s| digest::short(&s.code)).unwrap_or_default()
    }

    fn place(&self, from_ms: u64, to_ms: u64) -> String {
        place(self.view.length_ms, from_ms, to_ms)
    }

    fn ticks(&self) -> Vec<u64> {
        ticks(self.view.length_ms)
    }

    fn segment_place(&self, segment: &Segment) -> String {
        let (from, to) = segment.span_ms();
        self.place(from, to)
    }

    fn gap_place(&self, gap: &Gap) -> String {
        self.place(gap.from_ms, gap.to_ms)
    }

    fn gap_length(&self, gap: &Gap) -> u64 {
        gap.to_ms.saturating_sub(gap.from_ms)
    }

    fn pause_end(&self, pause: &Interruption) -> u64 {
        pause.to_ms.unwrap_or(self.view.length_ms)
    }

    fn camera_name(&self, camera: &CameraId) -> String {
        self.view.session.devices.iter().find(|d| d.camera == *camera).map_or_else(|| camera.to_string(), |d| d.name.clone())
    }

    fn officers(&self, link: &Link) -> String {
        link.facts.officers.iter().map(|o| o.name.as_str()).collect::<Vec<_>>().join("、")
    }

    /// 使用时间, as it was last corrected.
    fn used_at(&self) -> chrono::DateTime<chrono::Utc> {
        self.view.session.used_at()
    }

    fn is_corrected(&self) -> bool {
        self.view.session.corrections.iter().any(|c| c.used_at.is_some())
    }

    /// What the device wrote is not what the session goes by.
    fn is_apart(&self) -> bool {
        crate::desks::imports::apart(&self.view.session).is_some()
    }

    fn about(&self, about: &str) -> String {
        running::about_text(&self.view.session, about)
    }

    fn may_answer(&self, missing: &Missing, kind: &AnswerKind) -> bool {
        running::offers(missing, *kind)
    }

    fn apart(&self) -> Vec<(String, i64)> {
        record::apart(&self.page, &self.view)
    }

    /// What was answered, in words.
    fn demand(&self, answer: &Answer) -> String {
        let (what, about) = answer.demand.split_once(':').unwrap_or((&answer.demand, ""));
        format!("{} {}", self.page.word("missing", what), self.about(about)).trim().to_owned()
    }

    fn why(&self, why: &Why) -> String {
        why_text(&self.page, why)
    }

    /// Grounds that people propose.
    fn grounds(&self) -> impl Iterator<Item = Ground> {
        Ground::ALL.iter().copied().filter(|g| !g.is_automatic())
    }

    fn may_request(&self) -> bool {
        self.page.who.as_ref().is_some_and(|w| w.person.may(Act::RequestAccess)) && self.view.session.seal.is_some()
    }

    /// In the order of cameras and files.
    fn sorted_segments(&self) -> Vec<Segment> {
        let mut all = self.view.session.segments.clone();
        all.sort_by(|a, b| (&a.camera, a.sequence).cmp(&(&b.camera, b.sequence)));
        all
    }

    /// Words for the list of copies, as JSON in a data attribute.
    fn copy_words(&self) -> String {
        let mut words = serde_json::Map::new();
        for state in crate::model::copy::CopyState::ALL {
            words.insert(state.as_str().into(), self.page.word("copy-state", state.as_str()).into());
        }
        let keys =
            ["copy-cancel", "copy-resume", "copy-fetch", "copy-bad-line", "copy-derived", "copy-problem-no-room", "copy-problem-not-made"];
        let masks =
            ["mask", "mask-left", "mask-top", "mask-width", "mask-height", "mask-from", "mask-to", "mask-from-here", "mask-to-here"];
        let more = ["mask-remove", "mask-not-open", "mask-no-picture", "board-at", "mute", "mask-moves"];
        for key in keys.into_iter().chain(masks).chain(more) {
            words.insert(key.into(), self.page.t(key).into());
        }
        serde_json::Value::Object(words).to_string()
    }

    /// Gaps for the player, as JSON in a data attribute.
    fn for_player(&self) -> String {
        let cause = |g: &Gap| match &g.detail {
            Some(detail) => format!("{} · {detail}", self.page.word("cause", g.cause.as_str())),
            None => self.page.word("cause", g.cause.as_str()),
        };
        let gaps: Vec<_> = self
            .view
            .session
            .gaps
            .iter()
            .map(|g| serde_json::json!({ "camera": g.camera, "from": g.from_ms, "to": g.to_ms, "cause": cause(g) }))
            .collect();
        let spoken = self.view.session.record.lines.iter().map(|l| {
            let text = format!("{}{}", self.page.word("line", l.kind.as_str()), l.text);
            serde_json::json!({ "at": l.at_ms, "text": text })
        });
        serde_json::json!({ "gaps": gaps, "lines": spoken.collect::<Vec<_>>() }).to_string()
    }
}

/// A session's page: running, for who conducts it; else its record.
pub async fn show(visit: Visit, Path(id): Path<String>) -> Response {
    let page = visit.page(&format!("/sessions/{id}")).await;
    let found = async { visit.desks().session(visit.person(), &asked::id("session", &id, SessionId::new)?).await }.await;
    match found {
        Ok(view) if view.conducts => html(&RunningPage::new(&visit, page, view).await),
        Ok(view) => {
            let form = FactsForm::new(&visit, view.session.facts().clone(), vec![]).await;
            match visit.desks().retention(visit.person(), &view.session.id).await {
                Ok(keeping) => html(&SessionPageView { page, view, form, keeping }),
                Err(no) => no_page(page, &no),
            }
        }
        Err(no) => no_page(page, &no),
    }
}

/// Links a session anew.
pub async fn link(visit: Visit, Path(id): Path<String>, Form(fields): Form<Vec<(String, String)>>) -> Response {
    let reason = one(&fields, "reason").unwrap_or_default();
    let linked: Result<(), No> = async {
        let id: SessionId = asked::id("session", &id, SessionId::new)?;
        visit.desks().link(visit.person(), &id, form::facts(&fields), reason).await.map(drop)
    }
    .await;
    visit.after(&format!("/sessions/{id}"), "linked", linked).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_axis_of_any_length_has_a_few_moments() {
        for ms in [0, 1, 4_000, 96_000, 3_600_000, 8 * 3_600_000, 900 * 3_600_000] {
            assert!((1..=11).contains(&ticks(ms).len()), "{ms}: {:?}", ticks(ms));
        }
        assert_eq!(ticks(96_000)[..3], [0, 10_000, 20_000]);
    }

    #[test]
    fn a_gap_of_a_moment_in_eight_hours_can_still_be_seen() {
        assert_eq!(place(8 * 3_600_000, 14_400_000, 14_400_700), "50.000 0.150");
    }
}
