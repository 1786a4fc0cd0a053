//! The interview record: typed beside the running recording, printed in the bureau's form, and what is answered to demands.

use crate::desks::No;
use crate::desks::sessions::SessionView;
use crate::model::digest;
use crate::model::facts::{AttendeeRole, Duty, Officer};
use crate::model::missing::AnswerKind;
use crate::model::record::{Header, LineKind, ReadBackManner, RecordChange, Signature, apart_s};
use crate::model::time;
use crate::web::pages::form::{Form, all, one};
use crate::web::pages::running::{now, session_id};
use crate::web::pages::visit::Visit;
use crate::web::pages::{Page, html, no_page, see};
use askama::Template;
use axum::extract::Path;
use axum::response::Response;
use chrono::{DateTime, Utc};
use qrcode::QrCode;
use qrcode::render::svg;

#[derive(Template)]
#[template(path = "record.html", config = "src/web/askama.toml")]
struct RecordPage {
    page: Page,
    view: SessionView,
    now: String,
}

impl RecordPage {
    /// What the next line is, most likely: an answer follows a question.
    fn next_kind(&self) -> LineKind {
        match self.view.session.record.lines.last().map(|l| l.kind) {
            Some(LineKind::Question) => LineKind::Answer,
            _ => LineKind::Question,
        }
    }

    fn is_next(&self, kind: &LineKind) -> bool {
        self.next_kind() == *kind
    }

    fn field(&self, at: &Option<DateTime<Utc>>) -> String {
        at.map(time::shanghai_field).unwrap_or_default()
    }

    fn apart(&self) -> Vec<(String, i64)> {
        apart(&self.page, &self.view)
    }

    fn next_page(&self) -> usize {
        self.view.session.record.pages.len() + 1
    }

    fn signer(&self) -> String {
        interviewee(&self.view)
    }
}

/// Who is questioned: as named, or the party.
fn interviewee(view: &SessionView) -> String {
    let facts = view.session.facts();
    facts.interviewees().next().map(|a| a.name.clone()).or_else(|| facts.party.clone()).unwrap_or_default()
}

/// The record; while the session runs, for who conducts it; afterwards it stands on the session's page.
pub async fn show(visit: Visit, Path(id): Path<String>) -> Response {
    let page = visit.page(&format!("/sessions/{id}/record")).await;
    let found = async { visit.desks().session(visit.person(), &session_id(&id)?).await }.await;
    match found {
        Ok(view) if view.conducts => {
            let now = now(&visit, &page, &view);
            html(&RecordPage { page, view, now })
        }
        Ok(_) => see(&format!("/sessions/{id}#record")),
        Err(no) => no_page(page, &no),
    }
}

/// A change as a form gives it.
fn change(fields: &[(String, String)]) -> Option<RecordChange> {
    let text = |name: &str| all(fields, name).next().unwrap_or_default().to_owned();
    let moment = |name: &str| one(fields, name).and_then(|t| time::shanghai_typed(&t));
    Some(match one(fields, "change")?.as_str() {
        "line" => RecordChange::Line {
            kind: LineKind::from_word(&text("kind"))?,
            text: text("text"),
            at_ms: one(fields, "at_ms").and_then(|ms| ms.parse().ok()),
        },
        "corrected" => RecordChange::Corrected {
            number: one(fields, "number")?.parse().ok()?,
            text: text("text"),
            by_party: one(fields, "by_party").is_some(),
        },
        "head" => RecordChange::Head(Header { from: moment("from"), until: moment("until"), particulars: one(fields, "particulars") }),
        "read_back" => RecordChange::ReadBack { manner: ReadBackManner::from_word(&text("manner"))? },
        "page" => RecordChange::Page {
            page: one(fields, "page")?.parse().ok()?,
            signer: text("signer"),
            signature: Signature::from_word(&text("signature"))?,
            reason: one(fields, "reason"),
            witness: one(fields, "witness"),
        },
        _ => return None,
    })
}

/// Writes on the record.
pub async fn write(visit: Visit, Path(id): Path<String>, Form(fields): Form<Vec<(String, String)>>) -> Response {
    let result = async {
        let change = change(&fields).ok_or_else(|| crate::model::refusal::Refusal::no_such("change", "record"))?;
        visit.desks().write_record(visit.person(), &session_id(&id)?, change).await.map(drop)
    };
    let result: Result<(), No> = result.await;
    visit.after(&format!("/sessions/{id}/record"), "recorded", result).await
}

/// Seals in the middle.
pub async fn seal_interim(visit: Visit, Path(id): Path<String>) -> Response {
    let result = async { visit.desks().seal_interim(visit.person(), &session_id(&id)?).await.map(drop) }.await;
    visit.after(&format!("/sessions/{id}/record"), "interim-sealed", result).await
}

/// Answers a demand.
pub async fn answer(visit: Visit, Path(id): Path<String>, Form(fields): Form<Vec<(String, String)>>) -> Response {
    let result = async {
        let demand = one(&fields, "demand").unwrap_or_default();
        let kind = one(&fields, "kind").and_then(|k| AnswerKind::from_word(&k)).unwrap_or(AnswerKind::NotDone);
        visit.desks().answer_demand(visit.person(), &session_id(&id)?, &demand, kind, one(&fields, "reason").as_deref()).await.map(drop)
    };
    let result: Result<(), No> = result.await;
    visit.after(&format!("/sessions/{id}"), "answered", result).await
}

/// 询问笔录 on A4. The form is Chinese in both languages: it is a document of the bureau.
#[derive(Template)]
#[template(path = "record_print.html", config = "src/web/askama.toml")]
struct PrintPage {
    page: Page,
    view: SessionView,
    code: Option<(String, String)>,
    qr: Option<String>,
}

impl PrintPage {
    fn by_duty(&self, duty: Duty) -> Vec<Officer> {
        self.view.session.facts().officers.iter().filter(|o| o.duty == Some(duty)).cloned().collect()
    }

    /// Who asks: those who are named so, else all who do not write.
    fn asking(&self) -> Vec<Officer> {
        let named = self.by_duty(Duty::Asking);
        let others = || self.view.session.facts().officers.iter().filter(|o| o.duty != Some(Duty::Recording)).cloned().collect();
        if named.is_empty() { others() } else { named }
    }

    fn recording(&self) -> Vec<Officer> {
        self.by_duty(Duty::Recording)
    }

    fn names(&self, officers: Vec<Officer>) -> String {
        officers.iter().map(|o| o.name.as_str()).collect::<Vec<_>>().join("、")
    }

    fn numbers(&self, officers: Vec<Officer>) -> String {
        officers.iter().map(|o| o.certificate_no.as_deref().unwrap_or("　　　")).collect::<Vec<_>>().join("、")
    }

    fn interviewee(&self) -> String {
        interviewee(&self.view)
    }

    fn others(&self) -> String {
        let roles = [
            AttendeeRole::Guardian,
            AttendeeRole::Interpreter,
            AttendeeRole::Lawyer,
            AttendeeRole::Witness,
            AttendeeRole::AttestingWitness,
            AttendeeRole::Other,
        ];
        let one = |a: &crate::model::facts::Attendee| format!("{}（{}）", a.name, self.page.word("attendee", a.role.as_str()));
        self.view.session.facts().present(&roles).map(one).collect::<Vec<_>>().join("、")
    }

    /// A time as forms write it: 2026年11月23日22时15分.
    fn time(&self, at: &DateTime<Utc>) -> String {
        at.with_timezone(&time::shanghai()).format("%Y年%m月%d日%H时%M分").to_string()
    }

    /// The typed time where there is one, else the machine's.
    fn from(&self) -> String {
        self.time(&self.view.session.record.header.from.unwrap_or(self.view.session.started_at))
    }

    fn until(&self) -> String {
        let machine = self.view.session.ended_at;
        self.view.session.record.header.until.or(machine).map_or_else(|| "　　　　年　　月　　日　　时　　分".into(), |at| self.time(&at))
    }

    fn apart(&self) -> Vec<(String, i64)> {
        apart(&self.page, &self.view)
    }
}

/// Typed times that lie more than two minutes from the machine's: which, and by how many minutes.
pub(super) fn apart(page: &Page, view: &SessionView) -> Vec<(String, i64)> {
    let (header, session) = (&view.session.record.header, &view.session);
    let apart =
        [("record-from", apart_s(header.from, Some(session.started_at))), ("record-until", apart_s(header.until, session.ended_at))];
    apart.into_iter().filter_map(|(what, s)| Some((page.t(what), s?.div_euclid(60)))).collect()
}

/// The code that goes onto the paper: of the newest seal, with the words that say which.
fn code(view: &SessionView) -> Option<(String, String)> {
    let (what, code) = match (&view.session.seal, view.session.interim.last()) {
        (Some(seal), _) => ("封存码", &seal.code),
        (None, Some(interim)) => ("中间封存码", &interim.code),
        (None, None) => return None,
    };
    Some((what.into(), code.clone()))
}

/// A code as a QR picture; inline, because nothing comes from elsewhere.
pub(in crate::web) fn qr(text: &str) -> Option<String> {
    let drawn = QrCode::new(text.as_bytes()).ok()?.render::<svg::Color<'_>>().min_dimensions(110, 110).quiet_zone(true).build();
    Some(drawn.split_once("?>").map_or(drawn.clone(), |(_, svg)| svg.to_owned()))
}

/// The record for paper.
pub async fn print(visit: Visit, Path(id): Path<String>) -> Response {
    let page = visit.page(&format!("/sessions/{id}/record/print")).await;
    let found = async { visit.desks().session(visit.person(), &session_id(&id)?).await }.await;
    match found {
        Ok(view) if view.record_closed => no_page(page, &crate::model::refusal::Refusal::NoGrant.into()),
        Ok(view) => {
            let code = code(&view);
            let qr = code.as_ref().and_then(|(_, code)| qr(code));
            let code = code.map(|(what, code)| (what, digest::short(&code)));
            html(&PrintPage { page, view, code, qr })
        }
        Err(no) => no_page(page, &no),
    }
}
