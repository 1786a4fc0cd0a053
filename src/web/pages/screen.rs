//! The room screen: for the person questioned, on a second monitor, in large type. Its address is its only key.

use crate::desks::No;
use crate::desks::screens::ScreenView;
use crate::model::status::Lamp;
use crate::model::time;
use crate::web::i18n::Lang;
use crate::web::pages::html;
use crate::web::{Web, error};
use askama::Template;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use std::convert::Infallible;
use std::time::Duration;

/// In which language; the address says it, there is no cookie.
#[derive(Deserialize)]
pub struct ScreenQuery {
    lang: Option<String>,
}

impl ScreenQuery {
    /// The language.
    pub fn lang(&self) -> Lang {
        if self.lang.as_deref() == Some("en") { Lang::En } else { Lang::Zh }
    }
}

#[derive(Template)]
#[template(path = "screen.html", config = "src/web/askama.toml")]
struct ScreenPage {
    lang: Lang,
    bureau: String,
    token: String,
    now: String,
}

#[derive(Template)]
#[template(path = "screen_now.html", config = "src/web/askama.toml")]
struct ScreenNow<'a> {
    lang: Lang,
    bureau: &'a str,
    view: &'a ScreenView,
}

impl ScreenNow<'_> {
    fn recording(&self) -> bool {
        matches!(self.view.lamp, Lamp::Recording | Lamp::Partly)
    }

    fn preroll(&self) -> String {
        self.lang.with("screen-preroll", &[("seconds", self.view.preroll_s.to_string())])
    }

    fn time(&self) -> String {
        time::shanghai_text(self.view.now)
    }

    fn since(&self, at: &chrono::DateTime<chrono::Utc>) -> String {
        time::shanghai_text(*at)
    }

    fn length(&self, ms: &u64) -> String {
        time::length_text(*ms)
    }
}

/// What stands where a screen would. A screen has no sign-in and no navigation, and whoever stands before it may read either language:
/// both are there.
#[derive(Template)]
#[template(path = "screen_gone.html", config = "src/web/askama.toml")]
struct GonePage<'a> {
    langs: [Lang; 2],
    bureau: &'a str,
    /// The link holds no more; else the recorder cannot say now, and the page asks again by itself.
    is_over: bool,
}

/// Why a screen shows nothing, as a page.
pub fn gone(web: &Web, no: &No) -> Response {
    let (status, _) = error::problem(no);
    let page = GonePage { langs: [Lang::Zh, Lang::En], bureau: web.desks.bureau(), is_over: status == StatusCode::NOT_FOUND };
    (status, html(&page)).into_response()
}

fn now(web: &Web, lang: Lang, view: &ScreenView) -> String {
    ScreenNow { lang, bureau: web.desks.bureau(), view }.render().unwrap_or_default()
}

/// The screen. A link that does not hold shows nothing of the room, and says so.
pub async fn show(State(web): State<Web>, Path(token): Path<String>, Query(query): Query<ScreenQuery>) -> Response {
    match web.desks.screen(&token).await {
        Ok(view) => {
            let lang = query.lang();
            html(&ScreenPage { lang, bureau: web.desks.bureau().into(), now: now(&web, lang, &view), token })
        }
        Err(no) => gone(&web, &no),
    }
}

/// What it shows, each second; the stream is how a screen counts as connected.
pub async fn events(State(web): State<Web>, Path(token): Path<String>, Query(query): Query<ScreenQuery>) -> Response {
    let lang = query.lang();
    match web.desks.connect_screen(&token).await {
        Ok(screen) => each_second(screen, move || {
            let (web, token) = (web.clone(), token.clone());
            async move { Some(now(&web, lang, &web.desks.screen(&token).await.ok()?)) }
        }),
        Err(no) => error::problem(&no).0.into_response(),
    }
}

/// Pushes what `look` gives, each second, and holds something for as long as the stream lives. Asked anew each time: a link that was
/// ended gives nothing, and ends it.
pub(super) fn each_second<H, F>(held: H, look: impl Fn() -> F + Send + 'static) -> Response
where
    H: Send + 'static,
    F: Future<Output = Option<String>> + Send,
{
    let pushes = futures::stream::unfold((held, look), |(held, look)| async move {
        tokio::time::sleep(Duration::from_secs(1)).await;
        let event = Event::default().event("now").data(look().await?);
        Some((Ok::<_, Infallible>(event), (held, look)))
    });
    Sse::new(pushes).keep_alive(KeepAlive::default()).into_response()
}
