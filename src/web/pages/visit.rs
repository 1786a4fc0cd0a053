//! A request to a page by somebody who is signed in: what a page's handler takes first, and the ways in which it answers.

use crate::desks::logins::SignedIn;
use crate::desks::{Desks, No};
use crate::model::people::Person;
use crate::model::refusal::Refusal;
use crate::web::Web;
use crate::web::i18n::Lang;
use crate::web::pages::form::{all, one};
use crate::web::pages::{Page, Told, done, no_page, see};
use axum::Extension;
use axum::extract::FromRequestParts;
use axum::extract::rejection::ExtensionRejection;
use axum::http::request::Parts;
use axum::http::{HeaderMap, header};
use axum::response::Response;
use std::sync::Arc;

/// Who asks the console for a page, and how they want it.
#[derive(Clone)]
pub struct Visit {
    /// The console.
    pub web: Web,
    /// Who is signed in.
    pub who: SignedIn,
    /// Language, looks, and what the form before has to say.
    pub headers: HeaderMap,
}

/// Only behind `guard`, which says who it is.
impl FromRequestParts<Web> for Visit {
    type Rejection = ExtensionRejection;

    async fn from_request_parts(parts: &mut Parts, web: &Web) -> Result<Self, ExtensionRejection> {
        let Extension(who) = Extension::<SignedIn>::from_request_parts(parts, web).await?;
        let mut headers = parts.headers.clone();
        // HTTP/2 names the host in the address.
        if let Some(host) = parts.uri.authority().and_then(|a| a.as_str().parse().ok()) {
            headers.entry(header::HOST).or_insert(host);
        }
        Ok(Self { web: web.clone(), who, headers })
    }
}

impl Visit {
    /// Who decides.
    pub fn desks(&self) -> &Arc<Desks> {
        &self.web.desks
    }

    /// Who asks.
    pub fn person(&self) -> &Person {
        &self.who.person
    }

    /// The page's language.
    pub fn lang(&self) -> Lang {
        Lang::of(&self.headers)
    }

    /// What every page has, for the page at `path`.
    pub async fn page(&self, path: &str) -> Page {
        Page::of(&self.web, &self.headers, self.who.clone(), path).await
    }

    /// The whole address of a path, to be opened on another machine: below the console's configured address, else as this request
    /// names the recorder.
    pub fn whole_address(&self, path: &str) -> String {
        let host = self.headers.get(header::HOST).and_then(|h| h.to_str().ok());
        whole_address(self.desks().address(), host, self.web.settings.secure, path)
    }

    /// A no, as the page at `path` tells it.
    pub async fn no(&self, path: &str, no: &No) -> Response {
        no_page(self.page(path).await, no)
    }

    /// Shows password and code again, where a form holds them.
    pub async fn prove(&mut self, fields: &[(String, String)]) -> Result<(), No> {
        let password = all(fields, "prove_password").next().unwrap_or_default().to_owned();
        if !password.is_empty() {
            self.desks().prove(&self.who, password.into(), &one(fields, "prove_code").unwrap_or_default()).await?;
            self.who.person.proved_at = Some(self.desks().wall_clock());
        }
        Ok(())
    }

    /// After a form: the page that shows what came of it with a word that says so, or why nothing did.
    pub async fn after(&self, to: &str, word: &str, result: Result<(), No>) -> Response {
        match result {
            Ok(()) => done(to, word),
            // Asked for once more, and then back to where it was.
            Err(No::Refusal(Refusal::ProveAgain)) => {
                let back = url::form_urlencoded::byte_serialize(to.as_bytes()).collect::<String>();
                let mut asked = see(&format!("/prove?back={back}"));
                let told = Told { prove: true, ..Told::of(self.lang(), &Refusal::ProveAgain.into()) };
                asked.extensions_mut().insert(told);
                asked
            }
            Err(no) => self.no(to, &no).await,
        }
    }

    /// A form's act: whoever sent it shows the password where `proof` has the form's fields, the act is done, and [`Self::after`] leads
    /// back.
    pub async fn act<F: Future<Output = Result<(), No>>>(
        &self,
        (to, word): (&str, &str),
        proof: Option<&[(String, String)]>,
        work: impl FnOnce(Person) -> F,
    ) -> Response {
        let mut visit = self.clone();
        let proved = match proof {
            Some(fields) => visit.prove(fields).await,
            None => Ok(()),
        };
        let result = match proved {
            Ok(()) => work(visit.person().clone()).await,
            Err(no) => Err(no),
        };
        visit.after(to, word, result).await
    }
}

/// By the configuration; without it by the host that was asked; the path alone where that is not known either.
fn whole_address(configured: Option<&str>, host: Option<&str>, secure: bool, path: &str) -> String {
    let scheme = if secure { "https" } else { "http" };
    let base = configured.map(|c| c.trim_end_matches('/').to_owned()).or_else(|| host.map(|h| format!("{scheme}://{h}")));
    format!("{}{path}", base.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::whole_address;

    #[test]
    fn an_address_is_whole_by_the_configuration_or_by_the_host_that_was_asked() {
        let ours = Some("https://shilu.bureau.example/");
        for (configured, host, secure, whole) in [
            (ours, Some("127.0.0.1:8040"), false, "https://shilu.bureau.example/wall/1"),
            (None, Some("192.168.10.5:8040"), false, "http://192.168.10.5:8040/wall/1"),
            (None, Some("recorder"), true, "https://recorder/wall/1"),
            (None, None, true, "/wall/1"),
        ] {
            assert_eq!(whole_address(configured, host, secure, "/wall/1"), whole);
        }
    }
}
