//! The archive: how it stands, in words.

use crate::desks::archive::ArchiveView;
use crate::web::pages::table::{Asked, Key, Table};
use crate::web::pages::visit::Visit;
use crate::web::pages::{Page, html, no_page};
use askama::Template;
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
pub async fn show(visit: Visit, asked: Asked) -> Response {
    let page = visit.page("/archive").await;
    match visit.desks().archive_view(visit.person()).await {
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
pub async fn verify(visit: Visit) -> Response {
    let done = visit.desks().verify_archive(visit.person()).await;
    visit.after("/archive", "archive-verifying", done).await
}
