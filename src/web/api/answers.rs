//! What the description of every operation says alike: how one signs in, and how a no looks. A handler names the answers that are its own;
//! any of them may also refuse (a `Problem`), and any may find the machine too busy.

use crate::model::refusal::Refusal;
use crate::model::words::BadField;
use crate::web::error::{self, ApiError};
use axum::body::to_bytes;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response as Answer};
use utoipa::Modify;
use utoipa::openapi::path::{Operation, PathItem};
use utoipa::openapi::security::{ApiKey, ApiKeyValue, Http, HttpAuthScheme, SecurityRequirement, SecurityScheme};
use utoipa::openapi::{ContentBuilder, OpenApi, Ref, RefOr, Response, ResponseBuilder};

/// Adds it to every operation.
pub struct Alike;

/// Those that everybody may ask.
const OPEN: &[&str] = &["/api/v1/login", "/api/v1/passkey/begin", "/api/v1/passkey/login", "/healthz", "/metrics"];

impl Modify for Alike {
    fn modify(&self, all: &mut OpenApi) {
        let schemes = &mut all.components.get_or_insert_default().security_schemes;
        let cookie = ApiKeyValue::with_description("shilu", "From `POST /api/v1/login`; over TLS it is called `__Host-shilu`.");
        schemes.insert("login".into(), SecurityScheme::ApiKey(ApiKey::Cookie(cookie)).into());
        let csrf = ApiKeyValue::with_description("X-Csrf-Token", "The login's `csrf`; with every request that changes something.");
        schemes.insert("csrf".into(), SecurityScheme::ApiKey(ApiKey::Header(csrf)).into());
        let mut token = Http::new(HttpAuthScheme::Bearer);
        token.description = Some("Of another system, with the scopes that an administrator gave it.".into());
        schemes.insert("token".into(), SecurityScheme::Http(token).into());
        for (path, item) in &mut all.paths.paths {
            let open = OPEN.contains(&path.as_str());
            for (changes, operation) in operations(item) {
                if !open {
                    let login = SecurityRequirement::new("login", Vec::<String>::new());
                    let login = if changes { login.add("csrf", Vec::<String>::new()) } else { login };
                    operation.security = Some(vec![login, SecurityRequirement::new("token", Vec::<String>::new())]);
                }
                let answers = &mut operation.responses.responses;
                answers.entry("4XX".into()).or_insert_with(|| problem("a rule says no, or what was sent cannot be read").into());
                answers.entry("503".into()).or_insert_with(|| problem("the machine is too busy, or cannot seal").into());
            }
        }
    }
}

/// What the framework itself refuses (an address that is no text or no number, a time that is over) as a `Problem` of the same status.
pub async fn described(answer: Answer) -> Answer {
    let status = answer.status();
    let is_ours = answer.headers().get(header::CONTENT_TYPE).is_some_and(|kind| kind.as_bytes().starts_with(b"application/json"));
    if is_ours || !(status.is_client_error() || status == StatusCode::SERVICE_UNAVAILABLE) {
        return answer;
    }
    let mut told = if status == StatusCode::SERVICE_UNAVAILABLE {
        error::broken()
    } else {
        let text = to_bytes(answer.into_body(), 4096).await.unwrap_or_default();
        let why: String = String::from_utf8_lossy(&text).chars().take(300).collect();
        ApiError::from(Refusal::from(BadField::form("path", &why))).into_response()
    };
    *told.status_mut() = status;
    told
}

/// Each with whether it changes something.
fn operations(item: &mut PathItem) -> impl Iterator<Item = (bool, &mut Operation)> {
    let changing = [&mut item.post, &mut item.put, &mut item.patch, &mut item.delete].into_iter().flatten().map(|o| (true, o));
    item.get.iter_mut().map(|o| (false, o)).chain(changing)
}

fn problem(when: &str) -> Response {
    let content = ContentBuilder::new().schema(Some(RefOr::Ref(Ref::from_schema_name("Problem")))).build();
    ResponseBuilder::new().description(when).content("application/json", content).build()
}
