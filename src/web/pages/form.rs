//! Forms as pages take them: what cannot be read is told on a page, in the person's language, like every other no.

use crate::desks::accounts::SignedIn;
use crate::model::refusal::Refusal;
use crate::model::session::Session;
use crate::model::words::BadField;
use crate::web::Web;
use crate::web::i18n::Lang;
use crate::web::pages::{self, Page};
use axum::extract::{FromRequest, Request};
use axum::response::Response;
use serde::de::DeserializeOwned;

/// The fields of a form that was posted.
pub struct Form<T>(pub T);

impl<T: DeserializeOwned + Send> FromRequest<Web> for Form<T> {
    type Rejection = Response;

    async fn from_request(request: Request, web: &Web) -> Result<Self, Response> {
        let headers = request.headers().clone();
        let who = request.extensions().get::<SignedIn>().cloned();
        let read = axum::Form::<T>::from_request(request, web).await.map_err(|rejection| rejection.body_text());
        let why: String = match read.map(|axum::Form(fields)| Self(fields)) {
            Ok(form) => return Ok(form),
            Err(why) => why.chars().take(300).collect(),
        };
        let no = Refusal::from(BadField::form("form", &why)).into();
        Err(match who {
            Some(who) => pages::no_page(Page::of(web, &headers, who, "/").await, &no),
            None => pages::refused(web, Lang::of(&headers), &no),
        })
    }
}

/// The first field of a name, trimmed; empty is none.
pub fn one(fields: &[(String, String)], name: &str) -> Option<String> {
    fields.iter().find(|(n, _)| n == name).map(|(_, v)| v.trim().to_owned()).filter(|v| !v.is_empty())
}

/// Every field of a name, as it came.
pub fn all<'a>(fields: &'a [(String, String)], name: &'a str) -> impl Iterator<Item = &'a str> {
    fields.iter().filter(move |(n, _)| n == name).map(|(_, v)| v.as_str())
}

/// An officer of a session's newest link, for the fields of a form: name and certificate number; empty where there is none.
pub(super) fn officer(session: &Session, at: usize) -> (String, String) {
    let officer = session.facts().officers.get(at);
    officer.map(|o| (o.name.clone(), o.certificate_no.clone().unwrap_or_default())).unwrap_or_default()
}
