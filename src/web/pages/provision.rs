//! Provision (第二十一条): the legal unit's letters, what is built and handed over for them, and the list for paper.

use crate::desks::No;
use crate::desks::provision::{Letter, ProvisionView};
use crate::model::ids::{ProvisionId, SessionId};
use crate::model::provision::{Clip, ProvisionKind, ProvisionState};
use crate::model::refusal::Refusal;
use crate::model::words::BadField;
use crate::web::asked;
use crate::web::pages::form::{Form, one};
use crate::web::pages::shown::Provisions;
use crate::web::pages::table::{Asked, Key, Table};
use crate::web::pages::visit::Visit;
use crate::web::pages::{Page, brought_back, done, html, no_page};
use askama::Template;
use axum::extract::Path;
use axum::response::Response;

type Fields = Vec<(String, String)>;

#[derive(Template)]
#[template(path = "provisions.html", config = "src/web/askama.toml")]
struct ListPage {
    page: Page,
    table: Table,
    rows: Vec<ProvisionView>,
    draft: Fields,
}

impl ListPage {
    fn typed(&self, name: &str) -> String {
        one(&self.draft, name).unwrap_or_default()
    }
    fn days(&self, row: &ProvisionView) -> String {
        days(&self.page, row)
    }
}

fn days(page: &Page, row: &ProvisionView) -> String {
    match row.days_left {
        Some(left) if left < 0 => page.with("days-over", "days", -left),
        Some(left) => page.with("days-left", "days", left),
        None => "—".into(),
    }
}

/// All of them, and the form for a new letter.
pub async fn list(visit: Visit, asked: Asked) -> Response {
    list_page(&visit, asked, vec![]).await
}

async fn list_page(visit: &Visit, asked: Asked, draft: Fields) -> Response {
    let only = asked.shows::<Provisions>();
    let page = visit.page("/provisions").await.narrowed(only);
    match visit.desks().provisions(visit.person()).await {
        Ok(mut rows) => {
            rows.retain(|r| match only {
                Some(Provisions::Due) => r.days_left.is_some(),
                Some(Provisions::Agree) => r.may_approve,
                Some(Provisions::Close) => r.provision.state == ProvisionState::HandedOver,
                None => true,
            });
            let mut table = Table::new(asked, &["no", "letter", "body", "kind", "received", "due", "state"]);
            let rows = table.rows(rows, |r, column| match column {
                "no" => Key::text(Some(r.provision.id.as_str())),
                "letter" => Key::text(Some(&r.provision.letter_no)),
                "body" => Key::text(Some(&r.provision.body)),
                "kind" => Key::text(Some(page.word("provision-kind", r.provision.kind.as_str()))),
                "received" => Key::text(Some(r.provision.received.to_string())),
                "due" => Key::text(Some(r.provision.due.to_string())),
                _ => Key::text(Some(page.word("provision-state", r.provision.state.as_str()))),
            });
            html(&ListPage { page, table, rows, draft })
        }
        Err(no) => no_page(page, &no),
    }
}

/// `0:01:30`, `1:30` or `90` as ms.
pub fn moment_ms(text: &str) -> Option<u64> {
    let mut seconds = 0_u64;
    for part in text.split(':') {
        seconds = seconds.checked_mul(60)?.checked_add(part.trim().parse().ok()?)?;
    }
    seconds.checked_mul(1000)
}

/// A line for each session; behind its number, the stretches that the letter names: `room-1-20261123-141502 0:01:00-0:02:30`.
fn sessions(text: &str) -> Result<(Vec<SessionId>, Vec<Clip>), Refusal> {
    let (mut sessions, mut clips) = (Vec::new(), Vec::new());
    for line in text.lines().map(str::trim).filter(|l| !l.is_empty()) {
        let mut words = line.split_whitespace();
        let session = asked::id("session", words.next().unwrap_or_default(), SessionId::new)?;
        for stretch in words {
            let read = stretch.split_once(['-', '–']).and_then(|(a, b)| Some((moment_ms(a)?, moment_ms(b)?)));
            let (from_ms, to_ms) = read.ok_or_else(|| Refusal::from(BadField::form("sessions", "end after they begin")))?;
            clips.push(Clip { session: session.clone(), from_ms, to_ms });
        }
        sessions.push(session);
    }
    Ok((sessions, clips))
}

/// Enters a letter, or shows the form again with what was typed.
pub async fn open(visit: Visit, Form(fields): Form<Fields>) -> Response {
    let line = |name: &str| one(&fields, name).unwrap_or_default();
    let opened: Result<ProvisionId, No> = async {
        let day = |name: &str| line(name).parse().map_err(|_| Refusal::from(BadField::form(name, "is no day; 2026-11-23 would be right")));
        let (sessions, clips) = sessions(&line("sessions"))?;
        let letter = Letter {
            letter_no: line("letter_no"),
            body: line("receiving_body"),
            kind: ProvisionKind::from_word(&line("kind")).unwrap_or(ProvisionKind::Other),
            received: day("received")?,
            due: if line("due").is_empty() { None } else { Some(day("due")?) },
            wanted: one(&fields, "wanted"),
            sessions,
            clips,
        };
        Ok(visit.desks().open_provision(visit.person(), letter).await?.id)
    }
    .await;
    match opened {
        Ok(id) => done(&format!("/provisions/{id}"), "provision-entered"),
        Err(No::Refusal(refusal)) => {
            let page = list_page(&visit, Asked::before(&visit.headers, "/provisions"), fields).await;
            brought_back(page, visit.lang(), &refusal)
        }
        Err(no) => visit.no("/provisions", &no).await,
    }
}

#[derive(Template)]
#[template(path = "provision.html", config = "src/web/askama.toml")]
struct ShowPage {
    page: Page,
    view: ProvisionView,
}

impl ShowPage {
    fn days(&self) -> String {
        days(&self.page, &self.view)
    }
    fn is(&self, state: &str) -> bool {
        self.view.provision.state.as_str() == state
    }
    /// It came to its end without a hand-over.
    fn is_off(&self) -> bool {
        self.is("rejected") || self.is("withdrawn")
    }
    /// Packages can be fetched once they are agreed to.
    fn fetched(&self) -> bool {
        self.page.may("provide") && (self.is("approved") || self.is("handed_over"))
    }
    fn percent(&self, thousandths: &u32) -> u32 {
        thousandths / 10
    }
}

fn id_of(id: &str) -> Result<ProvisionId, Refusal> {
    asked::id("provision", id, ProvisionId::new)
}

/// One.
pub async fn show(visit: Visit, Path(id): Path<String>) -> Response {
    let page = visit.page(&format!("/provisions/{id}")).await;
    match async { visit.desks().provision(visit.person(), &id_of(&id)?).await }.await {
        Ok(view) => html(&ShowPage { page, view }),
        Err(no) => no_page(page, &no),
    }
}

/// Its next step: `prepare`, `approve`, `reject`, `withdraw`, `verify` or `close`.
pub async fn step(visit: Visit, Path(id): Path<String>, Form(fields): Form<Fields>) -> Response {
    let step = one(&fields, "step").unwrap_or_default();
    let word = match step.as_str() {
        "prepare" => "provision-preparing",
        "approve" => "provision-approved",
        "reject" => "provision-rejected",
        "withdraw" => "provision-withdrawn",
        "verify" => "provision-verified",
        _ => "provision-closed",
    };
    let (desks, step, reason) = (&visit.desks(), step.as_str(), one(&fields, "reason").unwrap_or_default());
    visit
        .act((&format!("/provisions/{id}"), word), Some(&fields), |person| async move {
            let id = id_of(&id)?;
            match step {
                "prepare" => desks.prepare_provision(&person, &id).await,
                "approve" => desks.approve_provision(&person, &id).await.map(drop),
                "reject" => desks.reject_provision(&person, &id, &reason).await.map(drop),
                "withdraw" => desks.withdraw_provision(&person, &id, &reason).await.map(drop),
                "verify" => desks.verify_retained(&person, &id).await.map(drop),
                _ => desks.close_provision(&person, &id).await.map(drop),
            }
        })
        .await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_letters_lines_name_sessions_and_stretches() {
        let (sessions, clips) = sessions("room-1-20261123-141502 0:01:00-0:02:30 90-95\n\n room-2-x ").unwrap();
        assert_eq!((sessions.len(), clips.len()), (2, 2));
        assert_eq!((clips[0].from_ms, clips[0].to_ms, clips[1].from_ms), (60_000, 150_000, 90_000));
        assert!(super::sessions("room-1 nonsense").is_err() && super::sessions("../x").is_err());
    }
}
