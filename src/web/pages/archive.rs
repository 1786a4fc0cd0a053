//! The archive: how it stands, in words.

use crate::desks::archive::ArchiveView;
use crate::desks::logins::SignedIn;
use crate::web::Web;
use crate::web::pages::table::{Asked, Key, Table};
use crate::web::pages::{Page, after, html, no_page};
use askama::Template;
use axum::Extension;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;

#[derive(Template)]
#[template(path = "archive.html", config = "src/web/askama.toml")]
struct ArchivePage {
    page: Page,
    archive: ArchiveView,
    table: Table,
}

impl ArchivePage {
    /// What is worked on: the kind in words, and which.
    fn working(&self, what: &str) -> (String, String) {
        let (kind, id) = what.split_once(' ').unwrap_or((what, ""));
        (self.page.word("archive-kind", kind), if kind == id { String::new() } else { id.to_owned() })
    }
}

/// The page.
pub async fn show(State(web): State<Web>, Extension(who): Extension<SignedIn>, headers: HeaderMap, asked: Asked) -> Response {
    let page = Page::of(&web, &headers, who.clone(), "/archive").await;
    match web.desks.archive_view(&who.person).await {
        Ok(mut archive) => {
            let mut table = Table::named("queue", &asked, &["kind", "item", "since", "state"]);
            archive.queue = table.rows(archive.queue, |q, column| match column {
                "kind" => Key::text(Some(page.word("archive-kind", &q.kind))),
                "item" => Key::text(Some(&q.id).filter(|id| **id != q.kind)),
                "since" => Key::at(q.since),
                _ => Key::text(q.problem.as_deref()),
            });
            html(&ArchivePage { page, archive, table })
        }
        Err(no) => no_page(page, &no),
    }
}

/// Has everything read again.
pub async fn verify(State(web): State<Web>, Extension(who): Extension<SignedIn>, headers: HeaderMap) -> Response {
    let done = web.desks.verify_archive(&who.person).await;
    after(&web, who, &headers, "/archive", "archive-verifying", done).await
}
