//! Readiness before a session, and the links to room screens.

use crate::desks::No;
use crate::desks::wall::WALL;
use crate::model::ids::RoomId;
use crate::model::readiness::{Check, Level, Readiness};
use crate::model::status::ScreenRow;
use crate::web::asked;
use crate::web::pages::form::{Form, one};
use crate::web::pages::visit::Visit;
use crate::web::pages::{Page, html, no_page};
use askama::Template;
use axum::extract::Path;
use axum::response::Response;
use chrono::DateTime;

#[derive(Template)]
#[template(path = "readiness.html", config = "src/web/askama.toml")]
struct ReadinessPage {
    page: Page,
    room: String,
    room_name: String,
    readiness: Readiness,
}

impl ReadinessPage {
    /// The least ready first.
    fn checks(&self) -> Vec<&Check> {
        let mut all: Vec<&Check> = self.readiness.checks.iter().collect();
        all.sort_by_key(|c| std::cmp::Reverse(c.level));
        all
    }

    fn any_out_of_use(&self) -> bool {
        self.readiness.checks.iter().any(|c| c.what == "out-of-use")
    }

    fn of(&self, of: &str) -> String {
        match of {
            "primary" | "mirror" => self.page.word("volume", of),
            name => name.to_owned(),
        }
    }

    fn worst(&self) -> &'static str {
        self.badge(&self.readiness.worst())
    }

    fn badge(&self, level: &Level) -> &'static str {
        match level {
            Level::Ready => "good",
            Level::Amber => "warn",
            Level::Red => "bad",
        }
    }
}

/// A room, measured now.
pub async fn show(visit: Visit, Path(room): Path<String>) -> Response {
    let page = visit.page(&format!("/rooms/{room}/readiness")).await;
    let measured = async { visit.desks().readiness(visit.person(), &asked::id("room", &room, RoomId::new)?).await };
    match measured.await {
        Ok(readiness) => {
            let room_name = visit.desks().rooms().into_iter().find(|(id, _)| *id == room).map(|(_, name)| name).unwrap_or_default();
            html(&ReadinessPage { page, room, room_name, readiness })
        }
        Err(no) => no_page(page, &no),
    }
}

#[derive(Template)]
#[template(path = "screens.html", config = "src/web/askama.toml")]
struct ScreensPage {
    page: Page,
    rows: Vec<ScreenRow>,
    rooms: Vec<(String, String)>,
    /// The addresses that were just made: told once.
    made: Vec<Made>,
}

/// What an address shows, and the address as it is typed into a browser.
type Made = (&'static str, String);

impl ScreensPage {
    fn at(&self, ms: &i64) -> String {
        DateTime::from_timestamp_millis(*ms).map(|at| self.page.at(at).to_string()).unwrap_or_default()
    }

    fn room(&self, id: &str) -> String {
        if id == WALL {
            return self.page.t("wall");
        }
        self.rooms.iter().find(|(room, _)| room == id).map_or_else(|| id.to_owned(), |(_, name)| name.clone())
    }
}

/// Links to screens.
pub async fn screens(visit: Visit) -> Response {
    screens_page(&visit, vec![]).await
}

async fn screens_page(visit: &Visit, made: Vec<Made>) -> Response {
    let page = visit.page("/screens").await;
    match visit.desks().screens(visit.person()).await {
        Ok(rows) => html(&ScreensPage { page, rows, rooms: visit.desks().rooms(), made }),
        Err(no) => no_page(page, &no),
    }
}

/// Makes a link, and shows it.
pub async fn make_screen(visit: Visit, Form(fields): Form<Vec<(String, String)>>) -> Response {
    let made = async {
        let wanted = one(&fields, "room").unwrap_or_default();
        if wanted == WALL {
            let token = visit.desks().make_wall(visit.person()).await?;
            return Ok(vec![("wall", visit.whole_address(&format!("/wall/{token}")))]);
        }
        let token = visit.desks().make_screen(visit.person(), &asked::id("room", &wanted, RoomId::new)?).await?;
        let whole = |path: &str| visit.whole_address(&format!("/{path}/{token}"));
        Ok(vec![("screen-link-room", whole("screen")), ("screen-link-lamp", whole("lamp"))])
    };
    let made: Result<Vec<Made>, No> = made.await;
    match made {
        Ok(made) => screens_page(&visit, made).await,
        Err(no) => visit.no("/screens", &no).await,
    }
}

/// Ends one.
pub async fn end_screen(visit: Visit, Path(id): Path<String>) -> Response {
    let ended = visit.desks().end_screen(visit.person(), &id).await;
    visit.after("/screens", "screen-ended", ended).await
}
