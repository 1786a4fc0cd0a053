//! The layer around every page: a form that is refused comes back as it was typed, on the page that it stood on, with what was wrong;
//! and whatever fails without a page of its own (a time that is over, a body too large, a panic) gets one.

use crate::model::refusal::Refusal;
use crate::web::article;
use crate::web::i18n::Lang;
use crate::web::pages::table::came_from;
use crate::web::pages::{self, Page, Told};
use crate::web::refill::{self, Posted, Said, refill};
use crate::web::{BODY_BYTES_MAX, Web};
use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{ConnectInfo, Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, header};
use axum::middleware::Next;
use axum::response::{Html, IntoResponse, Response};
use std::net::SocketAddr;
use tower::ServiceExt;

/// Largest page that is filled in again.
const PAGE_BYTES_MAX: usize = 8 * 1024 * 1024;

/// What the layer asks for pages: the console without the layer.
#[derive(Clone)]
pub struct Around {
    /// What pages need.
    pub web: Web,
    /// Every route.
    pub inner: Router,
}

/// The layer.
pub async fn keep(State(around): State<Around>, request: Request, next: Next) -> Response {
    let api = request.uri().path().starts_with("/api/");
    let headers = request.headers().clone();
    if api {
        return next.run(request).await;
    }
    let form = headers.get(header::CONTENT_TYPE).is_some_and(|t| t.as_bytes().starts_with(b"application/x-www-form-urlencoded"));
    if request.method() != Method::POST || !form {
        return looked_after(&around.web, &headers, next.run(request).await);
    }
    let (parts, body) = request.into_parts();
    let Ok(bytes) = to_bytes(body, BODY_BYTES_MAX).await else {
        return looked_after(&around.web, &headers, StatusCode::PAYLOAD_TOO_LARGE.into_response());
    };
    // Where from, and nothing else of this request: what its own route was found by would be read as the page's.
    let (path, place) = (parts.uri.path().to_owned(), parts.extensions.get::<ConnectInfo<SocketAddr>>().copied());
    let response = next.run(Request::from_parts(parts, Body::from(bytes.clone()))).await;
    let Some(told) = response.extensions().get::<Told>().cloned() else { return looked_after(&around.web, &headers, response) };
    let typed: Vec<(String, String)> = url::form_urlencoded::parse(&bytes).into_owned().collect();
    // The page goes along with the form once it was refused: the browser then stands at the form's address.
    let from = typed.iter().find(|(n, _)| n == refill::PAGE).map(|(_, v)| v.clone()).or_else(|| came_from(&headers));
    let from = from.and_then(|page| Some((page.parse::<Uri>().ok().filter(|u| u.authority().is_none() && page.starts_with('/'))?, page)));
    if told.own {
        let page = from.map_or_else(|| path.clone(), |(_, page)| page);
        let shown = to_bytes(response.into_body(), PAGE_BYTES_MAX).await.ok();
        let filled = shown.and_then(|html| {
            fill(&html, &Posted { action: &path, typed: &typed, page: &page, needs_secret: false, own: true }, &told, &headers)
        });
        return filled.unwrap_or_else(|| pages::told_page(Page::plain(&around.web, &headers), told));
    }
    let Some((uri, page)) = from else { return response };
    let mut again = Request::new(Body::empty());
    *again.uri_mut() = uri;
    *again.headers_mut() = asking(&headers);
    if let Some(place) = place {
        again.extensions_mut().insert(place);
    }
    let Ok(shown) = around.inner.oneshot(again).await;
    if shown.status() != StatusCode::OK || !is_page(&shown) {
        return response;
    }
    let Ok(html) = to_bytes(shown.into_body(), PAGE_BYTES_MAX).await else { return response };
    let posted = Posted { action: &path, typed: &typed, page: &page, needs_secret: told.prove, own: false };
    fill(&html, &posted, &told, &headers).unwrap_or(response)
}

/// The page with the form filled in, and what is told of it; none when the form is not on it.
fn fill(html: &[u8], posted: &Posted<'_>, told: &Told, headers: &HeaderMap) -> Option<Response> {
    let lang = Lang::of(headers);
    let source = told.article.map(|a| lang.with("rule-from", &[("article", article::cited(lang, a).into_owned())]));
    let title = if told.fields.is_empty() { told.message.clone() } else { lang.t("told-fields") };
    let said = Said { title, source, fields: told.fields.clone() };
    let page = refill(std::str::from_utf8(html).ok()?, posted, &said)?;
    Some((told.status, Html(page)).into_response())
}

/// Who asks, and in which language; not what was just done: nothing was.
fn asking(headers: &HeaderMap) -> HeaderMap {
    let kept = [header::HOST, header::USER_AGENT, header::ACCEPT, header::ACCEPT_LANGUAGE];
    let mut all: HeaderMap = kept.into_iter().filter_map(|name| Some((name.clone(), headers.get(&name)?.clone()))).collect();
    let cookies = headers.get_all(header::COOKIE).iter().filter_map(|v| v.to_str().ok()).flat_map(|v| v.split(';'));
    let cookies: Vec<&str> = cookies.map(str::trim).filter(|c| !c.starts_with("done=")).collect();
    if let Ok(cookie) = HeaderValue::from_str(&cookies.join("; ")) {
        all.insert(header::COOKIE, cookie);
    }
    all
}

/// Whether a person looks at what comes, and no program.
pub fn wants_page(headers: &HeaderMap) -> bool {
    headers.get(header::ACCEPT).and_then(|a| a.to_str().ok()).is_some_and(|a| a.contains("text/html"))
}

fn is_page(response: &Response) -> bool {
    response.headers().get(header::CONTENT_TYPE).is_some_and(|t| t.as_bytes().starts_with(b"text/html"))
}

/// A failure that has no page gets one, where a person looks at it.
fn looked_after(web: &Web, headers: &HeaderMap, response: Response) -> Response {
    let status = response.status();
    let person = wants_page(headers);
    if !person || is_page(&response) || !(status.is_client_error() || status.is_server_error()) {
        return response;
    }
    match status {
        StatusCode::NOT_FOUND => pages::refused(web, headers, &Refusal::no_such("page", "").into()),
        _ => pages::failed(web, headers, status),
    }
}
