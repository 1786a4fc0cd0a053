//! Help: the list of guides, a guide, its pictures.

use crate::model::refusal::Refusal;
use crate::web::guides::{self, Guide, Heading, Rendered};
use crate::web::i18n::Lang;
use crate::web::pages::visit::Visit;
use crate::web::pages::{Page, html, no_page};
use askama::Template;
use axum::extract::Path;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use rust_embed::Embed;

type Guides = Vec<&'static Guide>;

#[derive(Template)]
#[template(path = "help.html", config = "src/web/askama.toml")]
struct HelpPage {
    page: Page,
    /// One's own, with what is told in them.
    own: Vec<(&'static Guide, Vec<Heading>)>,
    others: Guides,
    documents: Guides,
}

impl HelpPage {
    fn title(&self, guide: &Guide) -> String {
        self.page.word("help", guide.id)
    }
    /// The language that it is in, where that is not the reader's.
    fn only_in(&self, guide: &Guide) -> Option<String> {
        other_language(&self.page, guide).map(|lang| self.page.t(if lang == Lang::Zh { "help-in-chinese" } else { "help-in-english" }))
    }
}

#[derive(Template)]
#[template(path = "guide.html", config = "src/web/askama.toml")]
struct GuidePage {
    page: Page,
    guide: &'static Guide,
    rendered: Rendered,
    /// What it is written in.
    lang: Lang,
}

impl GuidePage {
    fn title(&self) -> String {
        self.page.word("help", self.guide.id)
    }
    /// A line for who reads another language.
    fn only_in(&self) -> Option<String> {
        other_language(&self.page, self.guide)
            .map(|lang| self.page.t(if lang == Lang::Zh { "help-only-chinese" } else { "help-only-english" }))
    }
    /// What stands in the table of contents: the sections, and what is below them where there are few.
    fn contents(&self) -> impl Iterator<Item = &Heading> {
        self.rendered.contents.iter().filter(|h| h.level == 2)
    }
}

/// The language that a guide is in, where its reader's is another.
fn other_language(page: &Page, guide: &Guide) -> Option<Lang> {
    guide.text(page.lang).map(|(_, lang)| lang).filter(|lang| *lang != page.lang)
}

/// The list, one's own work first.
pub async fn list(visit: Visit) -> Response {
    let page = visit.page("/help").await;
    let roles = page.person().map(|p| p.roles.clone()).unwrap_or_default();
    let (own, rest): (Guides, Guides) = guides::ALL.iter().partition(|g| g.is_for(&roles));
    let (documents, others): (Guides, Guides) = rest.into_iter().partition(|g| g.roles.is_empty());
    let told = |guide: &'static Guide| {
        let all = guide.text(page.lang).map(|(text, _)| guides::render(text.markdown).contents).unwrap_or_default();
        (guide, all.into_iter().filter(|h| h.level == 2).collect())
    };
    let own = own.into_iter().map(told).collect();
    html(&HelpPage { page, own, others, documents })
}

/// One guide.
pub async fn show(visit: Visit, Path(id): Path<String>) -> Response {
    let page = visit.page(&format!("/help/{id}")).await;
    let Some((guide, (text, lang))) = guides::find(&id).and_then(|g| Some((g, g.text(page.lang)?))) else {
        return no_page(page, &Refusal::no_such("page", &id).into());
    };
    html(&GuidePage { page, guide, rendered: guides::render(text.markdown), lang })
}

#[derive(Embed)]
#[folder = "deploy/guides/pictures"]
struct Pictures;

/// A picture of a guide.
pub async fn picture(Path(file): Path<String>) -> Response {
    let Some(found) = Pictures::get(&file) else { return StatusCode::NOT_FOUND.into_response() };
    ([(header::CONTENT_TYPE, "image/png"), (header::CACHE_CONTROL, "private, max-age=300")], found.data).into_response()
}
