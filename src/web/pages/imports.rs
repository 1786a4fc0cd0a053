//! Taking in: the drop zone with what is said of the files, uploads that are under way, what came in today; and corrections.

use crate::desks::No;
use crate::desks::imports::{ImportRow, ImportsView};
use crate::model::ids::SessionId;
use crate::model::refusal::Refusal;
use crate::model::session::SessionKind;
use crate::model::time;
use crate::model::words::BadField;
use crate::web::asked;
use crate::web::pages::form::{FactsForm, Form, one};
use crate::web::pages::table::{Asked, Key, Table};
use crate::web::pages::visit::Visit;
use crate::web::pages::{Page, html, no_page};
use askama::Template;
use axum::extract::Path;
use axum::response::Response;

#[derive(Template)]
#[template(path = "imports.html", config = "src/web/askama.toml")]
struct ImportsPage {
    page: Page,
    view: ImportsView,
    form: FactsForm,
    table: Table,
}

impl ImportsPage {
    /// What people do with a device outside a room.
    fn is_kind(&self, kind: &SessionKind) -> bool {
        *kind == SessionKind::Handling
    }

    fn lacks(&self, row: &ImportRow) -> String {
        row.lacks.iter().map(|l| self.page.word("six", l)).collect::<Vec<_>>().join("、")
    }

    /// Words for the script, as JSON in a data attribute.
    fn words(&self) -> String {
        let mut words = serde_json::Map::new();
        let states = crate::model::import::ArrivalState::ALL.iter().map(|s| format!("arrival-{}", s.as_str().replace('_', "-")));
        let more = ["unreadable", "empty", "machine"].iter().map(|p| format!("import-problem-{p}"));
        let single = [
            "import-go-on",
            "import-cancel",
            "import-dismiss",
            "import-retry",
            "import-pick-again",
            "import-broken-off",
            "import-elsewhere",
            "import-folder",
        ];
        for key in states.chain(more).chain(single.iter().map(ToString::to_string)) {
            let text = self.page.t(&key);
            words.insert(key, text.into());
        }
        serde_json::Value::Object(words).to_string()
    }

    /// What is under way, for the script.
    fn arrivals(&self) -> String {
        serde_json::to_string(&self.view.arrivals).unwrap_or_else(|_| "[]".into())
    }
}

/// The page.
pub async fn show(visit: Visit, asked: Asked) -> Response {
    let page = visit.page("/imports").await;
    match visit.desks().imports(visit.person()).await {
        Ok(mut view) => {
            let mut table = Table::named("today", &asked, &["session", "file", "device", "used", "length", "size", "lacks"]);
            view.today = table.whole(view.today, |r, column| match column {
                "session" => Key::text(Some(r.session.as_str())),
                "file" => Key::text(Some(&r.file_name)),
                "device" => Key::text(Some(&r.device).filter(|d| !d.is_empty())),
                "used" => Key::at(r.used_at),
                "length" => Key::Number(r.length_ms as i64),
                "size" => Key::Number(r.bytes as i64),
                _ => Key::count(r.lacks.len()),
            });
            let facts = visit.desks().import_defaults(visit.person()).facts;
            let form = FactsForm::new(&visit, facts, vec![]).await;
            html(&ImportsPage { page, view, form, table })
        }
        Err(no) => no_page(page, &no),
    }
}

/// Corrects the device's number or the time of use.
pub async fn correct(visit: Visit, Path(id): Path<String>, Form(fields): Form<Vec<(String, String)>>) -> Response {
    let corrected: Result<(), No> = async {
        let session = asked::id("session", &id, SessionId::new)?;
        let typed = one(&fields, "used_at");
        let used_at =
            typed.as_deref().map(|t| time::shanghai_typed(t).ok_or_else(|| Refusal::from(BadField::form("used_at", "is no day"))));
        let used_at = used_at.transpose()?;
        let reason = one(&fields, "reason").unwrap_or_default();
        visit.desks().correct_import(visit.person(), &session, one(&fields, "device_no").as_deref(), used_at, &reason).await.map(drop)
    }
    .await;
    visit.after(&format!("/sessions/{id}"), "corrected", corrected).await
}
