//! Who asks, and whether the request came from a page of this console. Every route passes through [`enforce`].

use crate::desks::logins::{Place, SignedIn};
use crate::model::people::Act;
use crate::model::refusal::Refusal;
use crate::model::time::Moment;
use crate::web::api::answers::described;
use crate::web::error::ApiError;
use crate::web::i18n;
use crate::web::pages::Page;
use crate::web::{BODY_BYTES_MAX, Web, pages};
use axum::body::{Body, to_bytes};
use axum::extract::{ConnectInfo, FromRequestParts, MatchedPath, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, Method, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Redirect, Response};
use std::net::SocketAddr;

/// Who may use a route. A desk decides again, on what is asked for; this is the first door.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Who {
    /// Everybody: sign-in, assets, health.
    Anyone,
    /// Whoever is signed in; the desk decides on the thing itself.
    SignedIn,
    /// Whoever has a role that holds the act.
    May(Act),
}

/// The cookie's name: bound to the host where TLS allows it.
pub fn cookie_name(web: &Web) -> &'static str {
    if web.settings.secure { "__Host-shilu" } else { "shilu" }
}

/// The cookie's value.
pub fn token<'a>(web: &Web, headers: &'a HeaderMap) -> Option<&'a str> {
    i18n::cookie(headers, cookie_name(web)).filter(|t| t.len() == 64)
}

/// `Set-Cookie` for a login; without a value it ends one.
pub fn set_cookie(web: &Web, token: Option<&str>) -> String {
    set_cookie_text(cookie_name(web), token, web.settings.secure)
}

pub(super) fn set_cookie_text(name: &str, token: Option<&str>, secure: bool) -> String {
    let secure = if secure { "; Secure" } else { "" };
    let age = if token.is_some() { "" } else { "; Max-Age=0" };
    format!("{name}={}; Path=/; HttpOnly; SameSite=Strict{secure}{age}", token.unwrap_or_default())
}

/// Where a request comes from: the address of its connection, and what the browser calls itself.
pub fn place(extensions: &axum::http::Extensions, headers: &HeaderMap) -> Place {
    let address = extensions.get::<ConnectInfo<SocketAddr>>().map(|ConnectInfo(a)| a.ip().to_string());
    let agent = headers.get(header::USER_AGENT).and_then(|a| a.to_str().ok()).map(|a| a.chars().take(200).collect());
    Place { address, agent }
}

/// The same, for handlers.
pub struct From(pub Place);

impl<S: Sync> FromRequestParts<S> for From {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        Ok(Self(place(&parts.extensions, &parts.headers)))
    }
}

/// The token of another system.
fn bearer(request: &Request) -> Option<String> {
    let said = request.headers().get(header::AUTHORIZATION)?.to_str().ok()?;
    said.strip_prefix("Bearer ")
        .filter(|t| t.starts_with("shilu_") && t.len() < 100 && request.uri().path().starts_with("/api/"))
        .map(Into::into)
}

/// The moment at which a request came, before anybody was asked who sent it. Every handler may take it.
#[derive(Debug, Clone, Copy)]
pub struct Received(pub Moment);

/// Lets a request through to its handler, or says no.
pub async fn enforce(State((web, who)): State<(Web, Who)>, mut request: Request, next: Next) -> Response {
    let received = Received(web.desks.now());
    request.extensions_mut().insert(received);
    let api = request.uri().path().starts_with("/api/");
    let headers = request.headers().clone();
    let place = place(request.extensions(), &headers);
    let route = request.extensions().get::<MatchedPath>().map(|p| p.as_str().to_owned()).unwrap_or_default();
    let tried = format!("{} {route}", request.method());
    // Nothing to tell of a browser that merely has no login yet.
    let showed_a_key = token(&web, &headers).is_some() || headers.contains_key(header::AUTHORIZATION);
    let mut signed_in = None;
    let passed = pass(&web, who, request, &mut signed_in).await;
    if let Err(refusal) = &passed
        && (*refusal != Refusal::NotSignedIn || showed_a_key)
    {
        web.desks.refused_at_the_door(signed_in.as_ref().map(|s| &s.person), &place, refusal, &tried);
    }
    match passed {
        Ok(request) if api => described(next.run(request).await).await,
        Ok(request) => next.run(request).await,
        Err(refusal) if api => ApiError(refusal.into()).into_response(),
        Err(Refusal::NotSignedIn) => Redirect::to("/login").into_response(),
        Err(Refusal::FactorNeeded | Refusal::PasswordDue) => Redirect::to("/me").into_response(),
        Err(refusal) => match signed_in {
            Some(who) => pages::no_page(Page::of(&web, &headers, who, "").await, &refusal.into()),
            None => pages::refused(&web, &headers, &refusal.into()),
        },
    }
}

/// `found` is who asks, also where the answer is no: the page that says so keeps their navigation.
async fn pass(web: &Web, who: Who, mut request: Request, found: &mut Option<SignedIn>) -> Result<Request, Refusal> {
    same_site(request.headers(), request.method())?;
    if who == Who::Anyone {
        return Ok(request);
    }
    let place = place(request.extensions(), request.headers());
    let other_system = bearer(&request);
    let asked = if let Some(token) = &other_system {
        web.desks.token_of(token, &place).await
    } else {
        let token = token(web, request.headers()).ok_or(Refusal::NotSignedIn)?.to_owned();
        match who {
            Who::May(Act::ConductSession) if !request.method().is_safe() => web.desks.conducting_as(&token, &place).await,
            _ => web.desks.signed_in_as(&token, &place).await,
        }
    };
    let signed_in = match asked {
        Ok(signed_in) => signed_in,
        Err(crate::desks::No::Refusal(refusal)) => return Err(refusal),
        Err(crate::desks::No::Fault(inside)) => {
            tracing::error!("{inside}");
            return Err(Refusal::NotSignedIn);
        }
    };
    *found = Some(signed_in.clone());
    // No browser sends another system's token by itself: it needs no second one.
    if !request.method().is_safe() && other_system.is_none() {
        request = with_token(request, &signed_in).await?;
    }
    // A password that somebody else chose is changed, and a second factor that a role has to have is set up, before anything else.
    let own = ["/me", "/api/v1/me", "/logout", "/api/v1/logout", "/prove"];
    let is_own = own.iter().any(|p| request.uri().path().starts_with(p));
    match signed_in {
        _ if is_own => {}
        SignedIn { must_change: true, .. } => return Err(Refusal::PasswordDue),
        SignedIn { must_enrol: true, .. } => return Err(Refusal::FactorNeeded),
        _ => {}
    }
    let held = match who {
        Who::May(act) => signed_in.person.may(act),
        // What everybody does for themselves, no other system does in their name.
        _ => other_system.is_none() || request.method().is_safe(),
    };
    if !held {
        return Err(Refusal::NotYourRole);
    }
    request.extensions_mut().insert(signed_in);
    Ok(request)
}

/// A browser says where a request comes from; what comes from another site is not let in, whatever its cookies.
pub(super) fn same_site(headers: &HeaderMap, method: &Method) -> Result<(), Refusal> {
    let site = headers.get("sec-fetch-site").and_then(|v| v.to_str().ok());
    // An old browser says only where its page is from; `null` where it does not tell.
    let text = |name| headers.get(name).and_then(|v| v.to_str().ok());
    let elsewhere = |origin: &str| origin != "null" && origin.split_once("://").map(|(_, host)| host) != text(header::HOST);
    let foreign = matches!(site, Some("cross-site" | "same-site")) || (site.is_none() && text(header::ORIGIN).is_some_and(elsewhere));
    // A link from elsewhere may open a page; it may not change anything.
    if foreign && !method.is_safe() { Err(Refusal::CrossSite) } else { Ok(()) }
}

/// The token of the login, from the header or from the form.
async fn with_token(request: Request, signed_in: &SignedIn) -> Result<Request, Refusal> {
    if request.headers().get("x-csrf-token").is_some_and(|t| t.as_bytes() == signed_in.csrf.as_bytes()) {
        return Ok(request);
    }
    let form = request.headers().get(header::CONTENT_TYPE).is_some_and(|t| t.as_bytes().starts_with(b"application/x-www-form-urlencoded"));
    if !form {
        return Err(Refusal::CrossSite);
    }
    let (parts, body) = request.into_parts();
    let bytes = to_bytes(body, BODY_BYTES_MAX).await.map_err(|_| Refusal::BadUpload { problem: "the form is too large".into() })?;
    // The token is hex: it looks the same encoded.
    let given = bytes.split(|b| *b == b'&').find_map(|pair| pair.strip_prefix(b"csrf="));
    if given != Some(signed_in.csrf.as_bytes()) {
        return Err(Refusal::CrossSite);
    }
    Ok(Request::from_parts(parts, Body::from(bytes)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::people::Person;

    #[test]
    fn another_site_cannot_change_anything() {
        let from = |site: &'static str| HeaderMap::from_iter([("sec-fetch-site".parse().unwrap(), site.parse().unwrap())]);
        assert!(same_site(&from("cross-site"), &Method::POST).is_err());
        assert!(same_site(&from("cross-site"), &Method::GET).is_ok());
        assert!(same_site(&from("same-origin"), &Method::POST).is_ok());
        let old = |origin: &'static str| {
            HeaderMap::from_iter([(header::ORIGIN, origin.parse().unwrap()), (header::HOST, "shilu.bureau.example".parse().unwrap())])
        };
        assert!(same_site(&old("https://evil.example"), &Method::POST).is_err());
        assert!(same_site(&old("https://shilu.bureau.example"), &Method::POST).is_ok());
        assert!(same_site(&HeaderMap::new(), &Method::POST).is_ok(), "no browser, no cookie jar to ride on; the token is still asked for");
    }

    fn signed_in() -> SignedIn {
        let id = crate::model::ids::AccountId::new("wang").unwrap();
        let person = Person::new(id, "wang", "王某", &[]);
        SignedIn { person, csrf: "5e".repeat(32), login: None, must_change: false, must_enrol: false, has_code: false }
    }

    async fn asked(kind: &str, token: Option<&str>, body: &str) -> Result<Request, Refusal> {
        let mut request = Request::post("/api/v1/sessions").header(header::CONTENT_TYPE, kind);
        if let Some(token) = token {
            request = request.header("x-csrf-token", token);
        }
        with_token(request.body(Body::from(body.to_owned())).unwrap(), &signed_in()).await
    }

    #[tokio::test]
    async fn a_change_needs_the_token_of_its_login() {
        let (right, form, json) = (signed_in().csrf, "application/x-www-form-urlencoded", "application/json");
        for (kind, token, body) in [
            (json, None, "{}".to_owned()),
            (json, Some("5e"), "{}".into()),
            (form, None, "party=x".into()),
            (form, None, "csrf=5e".into()),
            (json, None, format!("csrf={right}")),
        ] {
            assert_eq!(asked(kind, token, &body).await.err(), Some(Refusal::CrossSite), "{kind} {body}");
        }
        assert!(asked(json, Some(&right), "{}").await.is_ok());
        let passed = asked(form, None, &format!("party=x&csrf={right}")).await.unwrap();
        let body = to_bytes(passed.into_body(), BODY_BYTES_MAX).await.unwrap();
        assert!(body.starts_with(b"party=x"), "the handler still gets the form");
    }

    #[test]
    fn a_cookie_is_out_of_reach_of_scripts_and_of_other_sites() {
        let cookie = set_cookie_text("__Host-shilu", Some("t"), true);
        for part in ["HttpOnly", "SameSite=Strict", "Path=/", "Secure"] {
            assert!(cookie.contains(part), "{cookie}");
        }
        assert!(!set_cookie_text("shilu", None, false).contains("Secure"));
    }
}
