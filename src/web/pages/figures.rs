//! Figures of a period: charts that are also tables, on screen, on paper and as CSV.

use crate::desks::figures::{Counted, Figures, Storage};
use crate::model::completeness::Tally;
use crate::model::figures::{ByUnit, Period};
use crate::model::gap::GapCause;
use crate::model::time;
use crate::web::charts::{Bar, Chart};
use crate::web::pages::csv::{self, cell};
use crate::web::pages::visit::Visit;
use crate::web::pages::{Page, html, no_page};
use askama::Template;
use axum::extract::Query;
use axum::response::Response;
use serde::Deserialize;

/// Units that have a look of their own in a bar; the rest are one.
const UNITS_MAX: usize = 5;

/// Which period.
#[derive(Default, Deserialize)]
#[serde(default)]
pub struct PeriodQuery {
    period: Option<String>,
}

impl PeriodQuery {
    fn given(&self) -> Option<&str> {
        self.period.as_deref().map(str::trim).filter(|p| !p.is_empty())
    }
}

#[derive(Template)]
#[template(path = "figures.html", config = "src/web/askama.toml")]
struct FiguresPage {
    page: Page,
    figures: Figures,
    charts: Vec<Chart>,
}

impl FiguresPage {
    /// The one after, where there is anything to count.
    fn next(&self) -> Option<Period> {
        self.figures.period.next(time::shanghai_day(self.figures.at))
    }

    /// The month, quarter and year that this period belongs to, and which of them it is.
    fn spans(&self) -> Vec<(&'static str, String, bool)> {
        let period = self.figures.period;
        let of = |now: &Period| {
            // A shorter one within a longer: today's, if it lies in it, else its first.
            let (from, until) = period.bounds_ms();
            let first = now.bounds_ms().0;
            let within = from <= first && first < until;
            let shown = if within { *now } else { Period::around(period.first(), now.span()) };
            (now.span().as_str(), shown.to_string(), now.span() == period.span())
        };
        self.figures.today.iter().map(of).collect()
    }
    fn headline(&self) -> Vec<(&'static str, String)> {
        let Some(counted) = &self.figures.counted else { return vec![] };
        let t = &counted.total;
        let counts = [
            ("tally-sessions", t.sessions.to_string()),
            ("tally-hours", hours(t.length_ms)),
            ("tally-whole", t.whole.to_string()),
            ("tally-part-explained", t.part_explained.to_string()),
            ("tally-part-unexplained", t.part_unexplained.to_string()),
            ("tally-none", t.none.to_string()),
        ];
        counts.into()
    }
}

fn hours(ms: u64) -> String {
    format!("{:.2}", ms as f64 / 3_600_000.0)
}

/// A bar of hours, one part.
fn hours_bar(page: &Page, label: String, ms: u64) -> Bar {
    let said = page.with("figures-said-hours", "hours", hours(ms));
    Bar { label, values: vec![ms as f64 / 3_600_000.0], sum: said.clone(), said: vec![said] }
}

fn of_units(page: &Page, counted: &Counted) -> Chart {
    let bars = counted.units.iter().map(|(unit, t)| hours_bar(page, unit.clone(), t.length_ms)).collect();
    chart(page, "units", vec![page.t("tally-hours")], bars)
}

/// A bar a month; its parts are the units with the most hours, and the rest.
fn of_months(page: &Page, counted: &Counted) -> Chart {
    let mut order: Vec<(&String, &Tally)> = counted.units.iter().collect();
    order.sort_by_key(|(_, t)| std::cmp::Reverse(t.length_ms));
    let named: Vec<&String> = order.iter().take(UNITS_MAX).map(|(unit, _)| *unit).collect();
    let rest = order.len() > UNITS_MAX;
    let bar = |(month, units): &(Period, ByUnit)| {
        let of = |unit: &&String| units.get(*unit).map_or(0, |t| t.length_ms);
        let mut parts: Vec<u64> = named.iter().map(of).collect();
        let all: u64 = units.values().map(|t| t.length_ms).sum();
        if rest {
            parts.push(all - parts.iter().sum::<u64>());
        }
        let said = parts.iter().map(|ms| hours(*ms)).collect();
        let values = parts.iter().map(|ms| *ms as f64 / 3_600_000.0).collect();
        Bar { label: month.to_string(), values, said, sum: page.with("figures-said-hours", "hours", hours(all)) }
    };
    let parts = named.iter().map(|unit| (*unit).clone()).chain(rest.then(|| page.t("figures-others"))).collect();
    chart(page, "months", parts, counted.months.iter().map(bar).collect())
}

fn of_coverage(page: &Page, counted: &Counted) -> Chart {
    let bar = |(unit, t): (&String, &Tally)| {
        let counts = [t.whole, t.part_explained, t.part_unexplained, t.none];
        let sum = counts.iter().sum::<u64>();
        Bar {
            label: unit.clone(),
            values: counts.iter().map(|n| *n as f64).collect(),
            said: counts.iter().map(ToString::to_string).collect(),
            sum: page.with("figures-said-sessions", "count", sum),
        }
    };
    let parts = ["tally-whole", "tally-part-explained", "tally-part-unexplained", "tally-none"].map(|k| page.t(k)).into();
    chart(page, "coverage", parts, counted.units.iter().map(bar).collect())
}

fn of_gaps(page: &Page, counted: &Counted) -> Chart {
    let ms = |cause: &GapCause| counted.total.gap_ms.get(cause.as_str()).copied().unwrap_or(0);
    let mut causes: Vec<_> = GapCause::ALL.iter().map(|c| (ms(c), c)).filter(|(ms, _)| *ms > 0).collect();
    causes.sort_by_key(|(ms, _)| std::cmp::Reverse(*ms));
    let bar = |(ms, cause): (u64, &GapCause)| {
        let said = page.length(ms);
        Bar { label: page.word("cause", cause.as_str()), values: vec![ms as f64 / 1000.0], sum: said.clone(), said: vec![said] }
    };
    chart(page, "gaps", vec![page.t("figures-gap-length")], causes.into_iter().map(bar).collect())
}

fn of_purposes(page: &Page, counted: &Counted) -> Option<Chart> {
    let bar = |(purpose, seen): &(Option<String>, crate::model::figures::Seen)| {
        let values = [("count", seen.viewings.to_string()), ("length", page.length(seen.seconds * 1000))];
        let said = page.lang.with("figures-viewings", &values);
        let label = purpose.clone().unwrap_or_else(|| page.t("figures-others"));
        Bar { label, values: vec![seen.viewings as f64], sum: said.clone(), said: vec![said] }
    };
    Some(chart(page, "purposes", vec![page.t("figures-viewing-count")], counted.purposes.as_ref()?.iter().map(bar).collect()))
}

fn of_storage(page: &Page, storage: &Storage) -> Chart {
    let bar = |v: &crate::model::status::VolumeStatus| {
        let reserve = storage.reserve.min(v.free);
        let bytes = [v.total.saturating_sub(v.free), v.free - reserve, reserve];
        let sum = match (&v.fault, v.days_left) {
            (Some(_), _) => page.t("figures-volume-away"),
            (None, Some(days)) => page.with("disk-lasts", "days", days),
            (None, None) => page.t("figures-undated"),
        };
        Bar {
            label: page.word("volume", &v.name),
            values: bytes.iter().map(|b| *b as f64 / 1e9).collect(),
            said: bytes.iter().map(|b| page.size(*b)).collect(),
            sum,
        }
    };
    let parts = ["figures-used", "figures-free", "figures-reserve"].map(|k| page.t(k)).into();
    chart(page, "storage", parts, storage.volumes.iter().map(bar).collect())
}

fn chart(page: &Page, id: &'static str, parts: Vec<String>, bars: Vec<Bar>) -> Chart {
    Chart { id, title: page.word("figures", id), description: page.word("figures-about", id), parts, bars }
}

fn charts(page: &Page, figures: &Figures) -> Vec<Chart> {
    let mut charts = Vec::new();
    if let Some(counted) = &figures.counted {
        if counted.months.len() > 1 {
            charts.push(of_months(page, counted));
        }
        charts.extend([of_units(page, counted), of_coverage(page, counted), of_gaps(page, counted)]);
        charts.extend(of_purposes(page, counted));
    }
    charts.push(of_storage(page, &figures.storage));
    charts
}

/// A period.
pub async fn show(visit: Visit, Query(query): Query<PeriodQuery>) -> Response {
    let page = visit.page("/figures").await;
    match visit.desks().figures(visit.person(), query.given()).await {
        Ok(figures) => {
            let charts = charts(&page, &figures);
            // The switch of language comes back to the same period.
            let page = Page { path: format!("/figures?period={}", figures.period), ..page };
            html(&FiguresPage { page, figures, charts })
        }
        Err(no) => no_page(page, &no),
    }
}

/// The same as CSV: a line a value.
pub async fn csv(visit: Visit, Query(query): Query<PeriodQuery>) -> Response {
    let page = visit.page("/figures").await;
    let figures = match visit.desks().figures(visit.person(), query.given()).await {
        Ok(figures) => figures,
        Err(no) => return no_page(page, &no),
    };
    let heads = ["figures-of", "figures-what", "figures-part", "figures-in", "figures-value"];
    let mut text = format!("{}\r\n", heads.map(|h| cell(&page.t(h))).join(","));
    for chart in charts(&page, &figures) {
        let unit = page.word("figures-unit", chart.id);
        for bar in &chart.bars {
            for (part, value) in chart.parts.iter().zip(&bar.values) {
                let value = if value.fract() == 0.0 { format!("{value:.0}") } else { format!("{value:.3}") };
                text += &format!("{}\r\n", [cell(&chart.title), cell(&bar.label), cell(part), cell(&unit), value].join(","));
            }
        }
    }
    csv::file(&format!("figures-{}", figures.period), &text)
}
