//! Asking, deciding, revoking.

use crate::desks::No;
use crate::desks::access::{Inbox, NewRequest};
use crate::desks::deputies::NewDeputation;
use crate::desks::sessions::{Search, SessionRow};
use crate::model::access::{AccessMode, AccessRequest, Decision, Deputation, DeputationStanding, Narrowing, RequestState, Scope};
use crate::model::agenda;
use crate::model::ids::{RequestId, SessionId};
use crate::model::people::Act;
use crate::model::refusal::Refusal;
use crate::model::time;
use crate::model::words::BadField;
use crate::web::asked;
use crate::web::pages::form::{Form, all, one};
use crate::web::pages::shown::Requests;
use crate::web::pages::table::{Asked, Key, Table};
use crate::web::pages::visit::Visit;
use crate::web::pages::{Page, html, no_page};
use askama::Template;
use axum::extract::{Path, Query};
use axum::response::Response;
use chrono::{DateTime, Utc};
use std::collections::BTreeMap;

#[derive(Template)]
#[template(path = "access.html", config = "src/web/askama.toml")]
struct InboxPage {
    page: Page,
    table: Table,
    own: usize,
    inbox: Inbox,
    deputies: Vec<Deputation>,
    /// What the sessions are that are asked for.
    known: BTreeMap<SessionId, SessionRow>,
    now: DateTime<Utc>,
}

impl InboxPage {
    /// The state in words; a grant whose window is over says so.
    fn state(&self, r: &AccessRequest) -> String {
        let over = r.state == RequestState::Approved && r.until <= self.now;
        if over { self.page.t("request-expired") } else { self.page.word("request", r.state.as_str()) }
    }

    /// A session as somebody knows it who has never heard its number.
    fn about(&self, id: &SessionId) -> String {
        let Some(row) = self.known.get(id) else { return String::new() };
        let parts = [
            Some(self.page.at(row.started_at).to_string()),
            Some(row.room_name.clone()),
            row.party.clone(),
            row.cause.clone(),
            row.case_no.clone(),
        ];
        parts.into_iter().flatten().filter(|p| !p.is_empty()).collect::<Vec<_>>().join(" · ")
    }

    /// What an approval opens, in a sentence.
    fn means(&self, r: &AccessRequest) -> String {
        let values = [("name", r.requester_name.clone()), ("hours", self.hours(r).to_string())];
        self.page.lang.with(if r.mode == AccessMode::Copy { "approve-means-copy" } else { "approve-means-view" }, &values)
    }

    fn hours(&self, r: &AccessRequest) -> u32 {
        r.scope().hours
    }

    fn scope(&self, r: &AccessRequest) -> Scope {
        r.scope()
    }

    fn sessions(&self, r: &AccessRequest) -> Vec<SessionId> {
        r.scope().sessions
    }

    fn standing(&self, d: &Deputation) -> DeputationStanding {
        d.standing(time::shanghai_day(self.now))
    }

    fn standing_badge(&self, d: &Deputation) -> &'static str {
        match self.standing(d) {
            DeputationStanding::Holds => " good",
            DeputationStanding::NotYet => " warn",
            DeputationStanding::Over | DeputationStanding::Ended => "",
        }
    }

    /// One's own, while there is something left to end.
    fn may_end(&self, d: &Deputation) -> bool {
        d.can_end(time::shanghai_day(self.now)) && self.page.person().is_some_and(|p| p.id == d.leader)
    }

    fn may_close(&self, r: &AccessRequest) -> bool {
        r.state == RequestState::Submitted || r.is_live(self.now)
    }
}

/// Requests: to decide, open, one's own.
pub async fn inbox(visit: Visit, asked: Asked) -> Response {
    let only = asked.shows::<Requests>();
    let page = visit.page("/access").await.narrowed(only);
    let now = visit.desks().wall_clock();
    let found = async {
        let mut inbox = visit.desks().inbox(visit.person()).await?;
        inbox.own.retain(|r| match only {
            Some(Requests::Live) => r.is_live(now),
            Some(Requests::Refused) => {
                matches!(r.state, RequestState::Rejected | RequestState::Revoked)
                    && r.decided_at.is_some_and(|at| agenda::is_still_told(at, now))
            }
            None => true,
        });
        let known = visit.desks().asked_for(visit.person(), &inbox).await?;
        Ok::<_, No>((inbox, known, visit.desks().deputies(visit.person()).await?))
    };
    match found.await {
        Ok((mut inbox, known, deputies)) => {
            visit.desks().inbox_shown(&inbox);
            let (mut table, own) = (Table::new(asked, &["at", "purpose", "until", "state"]), inbox.own.len());
            inbox.own = table.rows(std::mem::take(&mut inbox.own), |r, column| match column {
                "at" => Key::at(r.submitted_at),
                "purpose" => Key::text(Some(&r.purpose)),
                "until" => Key::at(r.until),
                _ => Key::text(Some(page.word("request", r.state.as_str()))),
            });
            html(&InboxPage { page, table, own, inbox, deputies, known, now })
        }
        Err(no) => no_page(page, &no),
    }
}

#[derive(Template)]
#[template(path = "access_new.html", config = "src/web/askama.toml")]
struct NewPage {
    page: Page,
    rows: Vec<SessionRow>,
}

/// A form for several sessions: chosen ones, or a search that is frozen into a list.
pub async fn new_page(visit: Visit, Query(fields): Query<Vec<(String, String)>>) -> Response {
    let page = visit.page("/access").await;
    let chosen: Vec<&str> = all(&fields, "session").collect();
    let mut rows = Vec::new();
    let search = |page: u32| Search {
        unit: one(&fields, "unit"),
        device_no: one(&fields, "device_no"),
        officer: one(&fields, "officer"),
        from: one(&fields, "from"),
        until: one(&fields, "until"),
        party: one(&fields, "party"),
        cause: one(&fields, "cause"),
        text: one(&fields, "text"),
        lacking: one(&fields, "lacking"),
        page: Some(page),
        sort: None,
    };
    // Four pages of fifty: what one request may hold.
    for number in 1..=4 {
        match visit.desks().sessions(visit.person(), &search(number)).await {
            Ok(found) => {
                let last = found.pages <= number;
                rows.extend(found.rows.into_iter().filter(|r| chosen.is_empty() || chosen.contains(&r.id.as_str())));
                if last {
                    break;
                }
            }
            Err(no) => return no_page(page, &no),
        }
    }
    html(&NewPage { page, rows })
}

/// Asks to look at sessions; at one from its own page, at several from the form.
pub async fn request(visit: Visit, Form(fields): Form<Vec<(String, String)>>) -> Response {
    let line = |name| one(&fields, name).unwrap_or_default();
    let sessions: Vec<&str> = all(&fields, "session").collect();
    let back = if let [only] = sessions.as_slice() { format!("/sessions/{only}") } else { "/access".into() };
    let result: Result<(), No> = async {
        let request = NewRequest {
            sessions: sessions.iter().map(|s| asked::id("session", s, SessionId::new)).collect::<Result<_, _>>()?,
            purpose: line("purpose"),
            basis: one(&fields, "basis"),
            mode: AccessMode::from_word(&line("mode")).unwrap_or(AccessMode::View),
            masked: one(&fields, "masked").is_some(),
            hours: line("hours").parse().unwrap_or(0),
        };
        visit.desks().request_access(visit.person(), request).await.map(drop)
    }
    .await;
    visit.after(&back, "requested", result).await
}

/// Decides or revokes.
pub async fn decide(mut visit: Visit, Path(id): Path<String>, Form(fields): Form<Vec<(String, String)>>) -> Response {
    let reason = one(&fields, "reason").unwrap_or_default();
    let chosen: Vec<&str> = all(&fields, "session").collect();
    let result: Result<&str, No> = async {
        let id = asked::id("request", &id, RequestId::new)?;
        if !visit.who.person.may(Act::DecideAccess) {
            return Err(Refusal::NotYourRole.into());
        }
        visit.prove(&fields).await?;
        let (decision, word) = match one(&fields, "decision").as_deref() {
            Some("approve") => {
                let sessions = chosen.iter().map(|s| asked::id("session", s, SessionId::new)).collect::<Result<Vec<_>, _>>()?;
                let narrowing = Narrowing {
                    // A form for one session has no boxes.
                    sessions: Some(sessions).filter(|s| !s.is_empty() || one(&fields, "chosen").is_some()),
                    view_only: one(&fields, "view_only").is_some(),
                    masked: one(&fields, "masked").is_some(),
                    hours: one(&fields, "hours").and_then(|h| h.parse().ok()),
                };
                (Decision::Approve(narrowing), "approved")
            }
            Some("revoke") => (Decision::Revoke { reason }, "revoked"),
            _ => (Decision::Reject { reason }, "rejected"),
        };
        visit.desks().decide_access(visit.person(), &id, decision).await?;
        Ok(word)
    }
    .await;
    let word = result.as_ref().copied().unwrap_or_default();
    visit.after("/access", word, result.map(drop)).await
}

/// Withdraws one's own request, or gives a grant back.
pub async fn close(visit: Visit, Path(id): Path<String>) -> Response {
    let result: Result<(), No> = async {
        let id = asked::id("request", &id, RequestId::new)?;
        visit.desks().close_request(visit.person(), &id).await.map(drop)
    }
    .await;
    visit.after("/access", "closed", result).await
}

/// Names a deputy.
pub async fn name_deputy(mut visit: Visit, Form(fields): Form<Vec<(String, String)>>) -> Response {
    let line = |name: &str| one(&fields, name).unwrap_or_default();
    let result: Result<(), No> = async {
        visit.prove(&fields).await?;
        let day = |name: &str| line(name).parse().map_err(|_| Refusal::from(BadField::form(name, "is no day; 2026-11-23 would be right")));
        let new = NewDeputation { deputy: line("deputy"), from: day("from")?, until: day("until")?, basis: line("basis") };
        visit.desks().name_deputy(visit.person(), new).await.map(drop)
    }
    .await;
    visit.after("/access", "deputy-named", result).await
}

/// Ends an authorisation.
pub async fn end_deputy(visit: Visit, Path(id): Path<String>) -> Response {
    let ended = visit.desks().end_deputy(visit.person(), &id).await;
    visit.after("/access", "deputy-ended", ended).await
}
