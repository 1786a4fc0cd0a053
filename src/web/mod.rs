//! Requests → desk calls → pages. Knows no rule and no table: what a person may do is decided by `desks`, here it is only
//! asked and shown.
//!
//! [`routes`] has every route on one screen, each with who may use it. Pages are rendered on the server and work with forms
//! alone; the scripts in `assets/` add live pictures, the player and updates, and `assets/reach.js` stands in for pages while the
//! recorder does not answer. The JSON API under `/api/v1` calls the same desks.

pub mod api;
mod article;
pub mod asked;
mod charts;
pub mod error;
pub mod guard;
pub mod guides;
pub mod i18n;
pub mod overview;
pub mod pages;
pub mod refill;
pub mod refusals;
pub mod routes;
pub mod witness;

use crate::desks::Desks;
use axum::http::{HeaderName, HeaderValue, header};
use axum::{Router, middleware};
use std::sync::Arc;
use std::time::Duration;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::set_header::SetResponseHeaderLayer;

/// What the console needs to know.
#[derive(Debug, Clone, Copy)]
pub struct Settings {
    /// Served over TLS: cookies are `Secure` and bound to the host.
    pub secure: bool,
}

/// What handlers share.
#[derive(Clone)]
pub struct Web {
    /// The desks.
    pub desks: Arc<Desks>,
    /// Settings.
    pub settings: Settings,
}

/// Largest body of a form or a JSON request.
pub const BODY_BYTES_MAX: usize = 64 * 1024;
/// Largest upload.
pub const UPLOAD_BYTES_MAX: usize = 21 * 1024 * 1024;
/// Nothing from elsewhere, nothing inside a page's own text.
const POLICY: &str = "default-src 'self'; img-src 'self' data:; media-src 'self' blob:; connect-src 'self'; object-src 'none'; base-uri 'none'; \
                      form-action 'self'; frame-ancestors 'none'";
/// How long a request may take that is no stream.
pub const REQUEST: Duration = Duration::from_secs(30);

/// The console and the API.
pub fn router(desks: Arc<Desks>, settings: Settings) -> Router {
    let web = Web { desks, settings };
    let fixed = |name: HeaderName, value: &'static str| SetResponseHeaderLayer::overriding(name, HeaderValue::from_static(value));
    // A browser that was here once comes by TLS alone; without TLS the header is not understood, and not sent.
    let inner = routes::all(web.clone()).layer(CatchPanicLayer::custom(|_| error::broken()));
    let all = inner.clone().layer(middleware::from_fn_with_state(refusals::Around { web, inner }, refusals::keep));
    let all = if settings.secure { all.layer(fixed(header::STRICT_TRANSPORT_SECURITY, "max-age=31536000")) } else { all };
    all.layer(CatchPanicLayer::custom(|_| error::broken()))
        .layer(fixed(header::CONTENT_SECURITY_POLICY, POLICY))
        .layer(fixed(header::X_CONTENT_TYPE_OPTIONS, "nosniff"))
        // To this console alone: a form that is refused, and a switch of language, lead back to where they were.
        .layer(fixed(header::REFERRER_POLICY, "same-origin"))
        .layer(fixed(header::X_FRAME_OPTIONS, "DENY"))
        .layer(fixed(HeaderName::from_static("cross-origin-resource-policy"), "same-origin"))
        .layer(fixed(HeaderName::from_static("cross-origin-opener-policy"), "same-origin"))
        .layer(SetResponseHeaderLayer::if_not_present(header::CACHE_CONTROL, HeaderValue::from_static("no-store")))
}
