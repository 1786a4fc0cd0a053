//! Second factors: codes (RFC 6238) and passkeys (WebAuthn). The bureau says which roles have to have one.

use crate::catalog::Writing;
use crate::catalog::accounts::{self, Account};
use crate::catalog::passkeys::{self, PasskeyRow};
use crate::desks::factor_secrets::FactorKey;
use crate::desks::logins::{Login, Place, SignedIn};
use crate::desks::notices::Change;
use crate::desks::{Answer, Desks, No};
use crate::machine::{fault::Fault, randomness};
use crate::model::digest;
use crate::model::entry::{Draft, EntryKind};
use crate::model::ids::AccountId;
use crate::model::refusal::Refusal;
use crate::model::time;
use crate::model::words::{self, BadField};
use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use totp_rs::{Algorithm, Builder, Secret, Totp};
use url::Url;
use webauthn_rs::prelude::{
    CreationChallengeResponse, DiscoverableAuthentication, Passkey, PasskeyRegistration, PublicKeyCredential, RegisterPublicKeyCredential,
    RequestChallengeResponse, Uuid,
};
use webauthn_rs::{Webauthn, WebauthnBuilder};

/// How long a browser may take over a challenge, ms.
const CHALLENGE_MS: i64 = 5 * 60_000;
/// Challenges that are open at a time.
const CHALLENGES_MAX: usize = 1000;
/// Most passkeys of one person.
const KEYS_MAX: usize = 10;

/// A second factor that is to be confirmed by a code.
#[derive(Debug, Clone)]
pub struct NewFactor {
    /// What an authenticator reads (otpauth), for a QR code.
    pub address: String,
    /// The secret for typing, in groups of four.
    pub secret: String,
}

/// A passkey in its owner's list.
#[derive(Debug, Clone)]
pub struct KeySeen {
    /// The credential's number.
    pub id: String,
    /// What its owner calls it.
    pub name: String,
}

enum Challenge {
    Registration(AccountId, PasskeyRegistration),
    Authentication(DiscoverableAuthentication),
}

/// Challenges that browsers have not answered yet.
#[derive(Default)]
pub(crate) struct Challenges(Mutex<BTreeMap<String, (i64, Challenge)>>);

impl Challenges {
    fn put(&self, id: String, now_ms: i64, challenge: Challenge) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.retain(|_, (until, _)| *until > now_ms);
        if all.len() < CHALLENGES_MAX {
            all.insert(id, (now_ms + CHALLENGE_MS, challenge));
        }
    }

    /// A challenge is answered once.
    fn take(&self, id: &str, now_ms: i64) -> Option<Challenge> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.remove(id).filter(|(until, _)| *until > now_ms).map(|(_, c)| c)
    }
}

fn totp(secret: &str, username: &str, bureau: &str) -> Option<Totp> {
    let secret = Secret::try_from_base32(secret).ok()?;
    let issuer = format!("实录 {bureau}").replace(':', " ");
    let all = Builder::new().with_algorithm(Algorithm::SHA1).with_digits(6).with_skew(1).with_step_duration(30).with_secret(secret);
    all.with_account_name(username.to_owned()).with_issuer(Some(issuer)).build().ok()
}

fn no_passkeys() -> No {
    Refusal::from(BadField::form("passkey", "needs console.address in the configuration, a name and not a number")).into()
}

fn bad_key(e: impl std::fmt::Display) -> No {
    tracing::info!("a passkey was not accepted: {e}");
    Refusal::WrongCredentials.into()
}

impl Desks {
    /// Whether a code is right now; each is good once.
    pub(super) async fn code_fits(&self, account: &Account, code: &str) -> Answer<bool> {
        let code: String = code.chars().filter(char::is_ascii_digit).take(8).collect();
        let Some(kept) = account.totp.as_deref() else { return Ok(false) };
        let secret = self.factor_key.open(&account.person.id, kept)?;
        let Some(totp) = totp(&secret, &account.person.username, &self.settings.bureau) else { return Ok(false) };
        let Some(step) = totp.check(&code, (self.now_ms() / 1000).max(0) as u64) else { return Ok(false) };
        let id = account.person.id.clone();
        Ok(self.acts.keep(move |t| accounts::use_totp_step(t, &id, step)).await?)
    }

    /// Begins to set up a second factor by code: shown once, good only after a code of it was entered.
    pub async fn begin_factor(&self, who: &SignedIn) -> Answer<NewFactor> {
        self.proved(&who.person)?;
        let secret = Secret::from(randomness::bytes::<20>()?.to_vec()).to_base32();
        let factor = self.new_factor(&who.person.username, &secret)?;
        let (id, kept) = (who.person.id.clone(), self.factor_key.seal(&who.person.id, &secret)?);
        self.acts.keep(move |t| accounts::set_totp_new(t, &id, Some(&kept))).await?;
        Ok(factor)
    }

    /// The one that was begun and waits for its first code: a wrong code makes no new one, which the authenticator would not know.
    pub async fn begun_factor(&self, who: &SignedIn) -> Answer<Option<NewFactor>> {
        self.proved(&who.person)?;
        let id = who.person.id.clone();
        let account = self.read(move |c| accounts::by_id(c, &id)).await?.ok_or(Refusal::NotSignedIn)?;
        let Some(kept) = account.totp_new else { return Ok(None) };
        let secret = self.factor_key.open(&account.person.id, &kept)?;
        Ok(Some(self.new_factor(&account.person.username, &secret)?))
    }

    fn new_factor(&self, username: &str, secret: &str) -> Answer<NewFactor> {
        let made = totp(secret, username, &self.settings.bureau);
        let address = made.and_then(|t| t.to_url().ok()).ok_or_else(|| No::Fault("a second factor could not be made".into()))?;
        let grouped: Vec<String> = secret.as_bytes().chunks(4).map(|g| String::from_utf8_lossy(g).into_owned()).collect();
        Ok(NewFactor { address, secret: grouped.join(" ") })
    }

    /// Puts it to use, by its first code.
    pub async fn confirm_factor(&self, who: &SignedIn, code: &str) -> Answer<()> {
        let id = who.person.id.clone();
        let account = self.read(move |c| accounts::by_id(c, &id)).await?.ok_or(Refusal::NotSignedIn)?;
        let wrong = || No::from(Refusal::from(BadField::form("code", "is not the one that the authenticator shows now")));
        let kept = account.totp_new.clone().ok_or_else(wrong)?;
        let secret = self.factor_key.open(&account.person.id, &kept)?;
        let code: String = code.chars().filter(char::is_ascii_digit).take(8).collect();
        let totp = totp(&secret, &account.person.username, &self.settings.bureau).ok_or_else(wrong)?;
        let step = totp.check(&code, (self.now_ms() / 1000).max(0) as u64).ok_or_else(wrong)?;
        let id = who.person.id.clone();
        let draft = Draft::new(EntryKind::FactorAdded).by(&id).about("account", &id).about("way", "code");
        self.acts.log_then_do(draft, move |t| accounts::set_totp(t, &id, Some(&kept), step)).await?;
        self.tell_owner(&account, Change::FactorAdded);
        Ok(())
    }

    /// Seals what an earlier release kept as it is. At start.
    pub async fn seal_factors(&self) -> Answer<()> {
        let plain = |s: &Option<String>| s.as_deref().is_some_and(FactorKey::is_plain);
        for account in self.read(accounts::all).await?.into_iter().filter(|a| plain(&a.totp) || plain(&a.totp_new)) {
            let id = account.person.id;
            let seal =
                |s: Option<String>| s.map(|s| if FactorKey::is_plain(&s) { self.factor_key.seal(&id, &s) } else { Ok(s) }).transpose();
            let (totp, fresh) = (seal(account.totp)?, seal(account.totp_new)?);
            self.acts.keep(move |t| accounts::reseal(t, &id, totp.as_deref(), fresh.as_deref())).await?;
        }
        Ok(())
    }

    /// Takes one's own away.
    pub async fn remove_factor(&self, who: &SignedIn) -> Answer<()> {
        self.proved(&who.person)?;
        self.take_factor(who, &who.person.id).await
    }

    /// Takes somebody's second factors away who lost theirs: an administrator, who has seen the person.
    pub async fn reset_factors(&self, who: &SignedIn, of: &AccountId) -> Answer<()> {
        self.need(&who.person, crate::model::people::Act::ManageAccounts)?;
        self.proved(&who.person)?;
        let account = of.clone();
        let found = self.read(move |c| Ok(accounts::by_id(c, &account)?.is_some())).await?;
        if !found {
            return Err(Refusal::no_such("account", of.as_str()).into());
        }
        self.take_factor(who, of).await
    }

    async fn take_factor(&self, who: &SignedIn, of: &AccountId) -> Answer<()> {
        let draft = Draft::new(EntryKind::FactorRemoved).by(&who.person.id).about("account", of).about("way", "code");
        let (id, others) = (of.clone(), *of != who.person.id);
        let work = move |t: &Writing<'_>| if others { accounts::take_factors(t, &id) } else { accounts::set_totp(t, &id, None, 0) };
        self.acts.log_then_do(draft, work).await?;
        self.tell_owner_of(of, Change::FactorRemoved).await;
        Ok(())
    }

    /// Whether browsers can use passkeys here: they are bound to the console's name.
    pub fn has_passkeys(&self) -> bool {
        self.webauthn().is_some()
    }

    fn webauthn(&self) -> Option<Webauthn> {
        let origin = Url::parse(self.settings.address.as_deref()?).ok()?;
        let name = origin.domain()?.to_owned();
        WebauthnBuilder::new(&name, &origin).ok()?.rp_name(&self.settings.bureau).build().ok()
    }

    /// One's own passkeys.
    pub async fn passkeys(&self, who: &SignedIn) -> Answer<Vec<KeySeen>> {
        Ok(self.key_rows(who).await?.into_iter().map(|k| KeySeen { id: k.id, name: k.name }).collect())
    }

    async fn key_rows(&self, who: &SignedIn) -> Answer<Vec<PasskeyRow>> {
        let id = who.person.id.clone();
        self.read(move |c| passkeys::of_account(c, &id)).await
    }

    /// Begins to set up a passkey.
    pub async fn begin_passkey(&self, who: &SignedIn) -> Answer<(String, CreationChallengeResponse)> {
        self.proved(&who.person)?;
        let webauthn = self.webauthn().ok_or_else(no_passkeys)?;
        let known = self.key_rows(who).await?;
        if known.len() >= KEYS_MAX {
            return Err(Refusal::TooMany { running: known.len() }.into());
        }
        let exclude = known.iter().filter_map(|k| serde_json::from_str::<Passkey>(&k.doc).ok()).map(|k| k.cred_id().clone()).collect();
        let person = &who.person;
        let (mut asked, state) =
            webauthn.start_passkey_registration(person_uuid(&person.id), &person.username, &person.name, Some(exclude)).map_err(bad_key)?;
        // It is found without a name being typed: the authenticator has to remember whose it is.
        if let Some(wanted) = asked.public_key.authenticator_selection.as_mut() {
            (wanted.resident_key, wanted.require_resident_key) = (None, true);
        }
        let id = randomness::hex::<16>()?;
        self.challenges.put(id.clone(), self.now_ms(), Challenge::Registration(person.id.clone(), state));
        Ok((id, asked))
    }

    /// Keeps it.
    pub async fn add_passkey(&self, who: &SignedIn, challenge: &str, name: &str, answer: &RegisterPublicKeyCredential) -> Answer<()> {
        let webauthn = self.webauthn().ok_or_else(no_passkeys)?;
        let name = words::needed_line("name", name).map_err(Refusal::from)?;
        let Some(Challenge::Registration(account, state)) = self.challenges.take(challenge, self.now_ms()) else {
            return Err(Refusal::no_such("challenge", challenge).into());
        };
        if account != who.person.id {
            return Err(Refusal::no_such("challenge", challenge).into());
        }
        let key = webauthn.finish_passkey_registration(answer, &state).map_err(bad_key)?;
        let doc = serde_json::to_string(&key).map_err(|e| No::Fault(e.to_string()))?;
        let row = PasskeyRow {
            id: number(key.cred_id().as_ref()),
            account: account.to_string(),
            name,
            doc,
            made_at: self.now_ms(),
            used_at: None,
        };
        let draft = Draft::new(EntryKind::FactorAdded).by(&account).about("account", &account).about("way", "passkey");
        self.acts.log_then_do(draft, move |t| passkeys::add(t, &row)).await?;
        self.tell_owner_of(&account, Change::FactorAdded).await;
        Ok(())
    }

    /// Takes one of one's own away.
    pub async fn remove_passkey(&self, who: &SignedIn, id: &str) -> Answer<()> {
        self.proved(&who.person)?;
        let (account, key) = (who.person.id.clone(), id.to_owned());
        let draft = Draft::new(EntryKind::FactorRemoved).by(&account).about("account", &account).about("way", "passkey");
        let removed = self.acts.log_then_do(draft, move |t| passkeys::remove(t, &account, &key)).await?;
        removed.ok_or_else(|| Refusal::no_such("passkey", id))?;
        self.tell_owner_of(&who.person.id, Change::FactorRemoved).await;
        Ok(())
    }

    /// Asks any passkey of this console to show itself.
    pub fn ask_passkey(&self) -> Answer<(String, RequestChallengeResponse)> {
        let webauthn = self.webauthn().ok_or_else(no_passkeys)?;
        let (mut asked, state) = webauthn.start_discoverable_authentication().map_err(bad_key)?;
        // The person pressed a button for it: the browser shows its own window, not a line under a field.
        asked.mediation = None;
        let id = randomness::hex::<16>()?;
        self.challenges.put(id.clone(), self.now_ms(), Challenge::Authentication(state));
        Ok((id, asked))
    }

    /// Whose passkey answered.
    async fn shown(&self, challenge: &str, answer: &PublicKeyCredential) -> Answer<Account> {
        let webauthn = self.webauthn().ok_or_else(no_passkeys)?;
        let Some(Challenge::Authentication(state)) = self.challenges.take(challenge, self.now_ms()) else {
            return Err(Refusal::no_such("challenge", challenge).into());
        };
        let (_, credential) = webauthn.identify_discoverable_authentication(answer).map_err(bad_key)?;
        let wanted = number(credential);
        let (id, today) = (wanted.clone(), time::shanghai_day(self.now().utc));
        let found = self
            .read(move |c| {
                let Some(row) = passkeys::by_id(c, &id)? else { return Ok(None) };
                let account = AccountId::new(&row.account).map_err(|e| Fault::of("read a row of", "passkeys", e))?;
                Ok(accounts::by_id(c, &account)?.filter(|a| a.is_open(today)).map(|a| (row, a)))
            })
            .await?;
        let (row, account) = found.ok_or(Refusal::WrongCredentials)?;
        let mut key: Passkey = serde_json::from_str(&row.doc).map_err(|e| No::Fault(e.to_string()))?;
        let result = webauthn.finish_discoverable_authentication_v2(answer, state, &key).map_err(bad_key)?;
        key.update_credential(&result);
        let (doc, at) = (serde_json::to_string(&key).map_err(|e| No::Fault(e.to_string()))?, self.now_ms());
        self.acts.keep(move |t| passkeys::used(t, &wanted, &doc, at)).await?;
        Ok(account)
    }

    /// Signs in by a passkey: possession and the person's own finger or PIN in one.
    pub async fn sign_in_by_passkey(&self, challenge: &str, answer: &PublicKeyCredential, place: &Place) -> Answer<Login> {
        let account = self.shown(challenge, answer).await?;
        self.let_in(account, "passkey", place).await
    }

    /// Shows by a passkey that it is still the same person.
    pub async fn prove_by_passkey(&self, who: &SignedIn, challenge: &str, answer: &PublicKeyCredential) -> Answer<()> {
        let account = self.shown(challenge, answer).await?;
        if account.person.id != who.person.id {
            return Err(Refusal::WrongCredentials.into());
        }
        self.prove_login(who).await
    }
}

/// Authenticators know people by sixteen bytes.
fn person_uuid(id: &AccountId) -> Uuid {
    let digest = digest::sha256_raw(&[id.as_str().as_bytes()]);
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&digest[..16]);
    Uuid::from_bytes(bytes)
}

/// A credential's number, as it stands in the catalog.
fn number(credential: &[u8]) -> String {
    use base64::Engine;
    base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(credential)
}
