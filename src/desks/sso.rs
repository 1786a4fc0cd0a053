//! Single sign-on by OpenID Connect: the bureau's provider says who somebody is; what they may do is said here alone. Somebody whom no
//! account names is not let in.

use crate::catalog::accounts;
use crate::desks::logins::{Login, Place};
use crate::desks::outside::bounded;
use crate::desks::{Answer, Desks, No};
use crate::model::refusal::Refusal;
use crate::model::time;
use crate::model::words::BadField;
use openidconnect::core::{CoreAuthenticationFlow, CoreClient, CoreProviderMetadata};
use openidconnect::{
    AuthorizationCode, ClientId, ClientSecret, CsrfToken, HttpRequest, HttpResponse, IssuerUrl, Nonce, PkceCodeChallenge, PkceCodeVerifier,
    RedirectUrl, Scope, TokenResponse,
};
use reqwest::redirect::Policy;
use secrecy::{ExposeSecret, SecretString};
use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// How long somebody may take at the provider, ms.
const AWAY_MS: i64 = 10 * 60_000;
/// Sign-ins that are on their way at a time.
const AWAY_MAX: usize = 1000;
/// How long the provider may take with an answer.
const PATIENCE: Duration = Duration::from_secs(10);
/// How large an answer of it may be: a description or its keys.
const ANSWER_BYTES_MAX: usize = 1 << 20;

/// The bureau's provider.
#[derive(Debug, Clone)]
pub struct SsoSettings {
    /// Its issuer; `/.well-known/openid-configuration` lies below.
    pub issuer: String,
    /// This console's name there.
    pub client: String,
    /// Its secret there.
    pub secret: SecretString,
}

struct Away {
    nonce: Nonce,
    verifier: PkceCodeVerifier,
    until_ms: i64,
}

/// Who is at the provider now.
#[derive(Default)]
pub(crate) struct Sso(Mutex<BTreeMap<String, Away>>);

fn away(what: &str, e: &dyn std::fmt::Display) -> No {
    tracing::warn!("single sign-on: {what}: {e}");
    Refusal::from(BadField::form("sso", "does not work now; sign in by password, and tell the technician")).into()
}

/// What could not be fetched.
#[derive(Debug)]
struct NotFetched(String);

impl std::fmt::Display for NotFetched {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for NotFetched {}

/// Asks the provider, over TLS with what this machine trusts. No redirects: a provider does not send a server elsewhere.
async fn fetch(request: HttpRequest) -> Result<HttpResponse, NotFetched> {
    let told = |e: &dyn std::fmt::Display| NotFetched(e.to_string());
    let client = reqwest::Client::builder().redirect(Policy::none()).timeout(PATIENCE).build().map_err(|e| told(&e))?;
    let request = reqwest::Request::try_from(request).map_err(|e| told(&e))?;
    let answer = client.execute(request).await.map_err(|e| told(&e.without_url()))?;
    let (status, headers) = (answer.status(), answer.headers().clone());
    let mut whole = HttpResponse::new(bounded(answer, ANSWER_BYTES_MAX).await.map_err(|e| told(&e))?);
    *whole.status_mut() = status;
    *whole.headers_mut() = headers;
    Ok(whole)
}

type Client = CoreClient<
    openidconnect::EndpointSet,
    openidconnect::EndpointNotSet,
    openidconnect::EndpointNotSet,
    openidconnect::EndpointNotSet,
    openidconnect::EndpointMaybeSet,
    openidconnect::EndpointMaybeSet,
>;

impl Desks {
    /// Whether there is a provider.
    pub fn has_sso(&self) -> bool {
        self.settings.sso.is_some() && self.settings.address.is_some()
    }

    /// The provider, as it describes itself now: its keys change.
    async fn provider(&self) -> Answer<Client> {
        let (Some(settings), Some(address)) = (&self.settings.sso, &self.settings.address) else {
            return Err(Refusal::no_such("page", "sso").into());
        };
        let issuer = IssuerUrl::new(settings.issuer.clone()).map_err(|e| away("issuer", &e))?;
        let metadata = CoreProviderMetadata::discover_async(issuer, &fetch).await.map_err(|e| away("discovery", &e))?;
        let back = RedirectUrl::new(format!("{}/login/sso/back", address.trim_end_matches('/'))).map_err(|e| away("address", &e))?;
        let secret = ClientSecret::new(settings.secret.expose_secret().to_owned());
        let client = CoreClient::from_provider_metadata(metadata, ClientId::new(settings.client.clone()), Some(secret));
        Ok(client.set_redirect_uri(back))
    }

    /// Where the browser has to go; and the word that it has to bring back.
    pub async fn begin_sso(&self) -> Answer<(String, String)> {
        let client = self.provider().await?;
        let (challenge, verifier) = PkceCodeChallenge::new_random_sha256();
        let (url, state, nonce) = client
            .authorize_url(CoreAuthenticationFlow::AuthorizationCode, CsrfToken::new_random, Nonce::new_random)
            .add_scope(Scope::new("profile".into()))
            .set_pkce_challenge(challenge)
            .url();
        let now_ms = self.now_ms();
        let mut all = self.sso.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.retain(|_, a| a.until_ms > now_ms);
        if all.len() < AWAY_MAX {
            all.insert(state.secret().clone(), Away { nonce, verifier, until_ms: now_ms + AWAY_MS });
        }
        Ok((url.to_string(), state.secret().clone()))
    }

    /// Signs in who comes back. `kept`: the word as this browser kept it.
    pub async fn sign_in_by_sso(&self, code: &str, state: &str, kept: &str, place: &Place) -> Answer<Login> {
        let now_ms = self.now_ms();
        let found = self.sso.0.lock().unwrap_or_else(PoisonError::into_inner).remove(state).filter(|a| a.until_ms > now_ms);
        let Some(on_the_way) = found.filter(|_| state == kept) else { return Err(Refusal::NotSignedIn.into()) };
        let client = self.provider().await?;
        let exchange = client.exchange_code(AuthorizationCode::new(code.to_owned())).map_err(|e| away("provider", &e))?;
        let tokens = exchange.set_pkce_verifier(on_the_way.verifier).request_async(&fetch).await.map_err(|e| away("token", &e))?;
        let id = tokens.id_token().ok_or_else(|| away("token", &"there is no ID token"))?;
        let claims = id.claims(&client.id_token_verifier(), &on_the_way.nonce).map_err(|e| away("ID token", &e))?;
        let names = [claims.preferred_username().map(|n| n.as_str().to_owned()), Some(claims.subject().as_str().to_owned())];
        let today = time::shanghai_day(self.now().utc);
        let found = self
            .read(move |c| {
                for name in names.into_iter().flatten() {
                    if let Some(account) = accounts::by_sso_name(c, &name)?.filter(|a| a.is_open(today)) {
                        return Ok(Some(account));
                    }
                }
                Ok(None)
            })
            .await?;
        if let Some(account) = found {
            return self.let_in(account, "sso", place).await;
        }
        self.turn_away(None, place).await?;
        Err(Refusal::from(BadField::form("sso", "says who you are, and no open account here is yours; ask the administrator")).into())
    }
}
