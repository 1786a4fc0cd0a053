//! Signing in and out, and who a request is from. A login is a cookie whose value is stored only as a digest; it ends by itself after
//! some idle minutes and at the end of the day, and everything that it has open ends with it.

use crate::catalog::accounts::{self, Account};
use crate::catalog::logins::{self, LoginRow};
use crate::catalog::{Writing, deputations, passkeys, tokens};
use crate::desks::{Answer, Desks, passwords};
use crate::machine::randomness;
use crate::model::digest;
use crate::model::entry::{Draft, EntryKind};
use crate::model::ids::AccountId;
use crate::model::people::{Act, Person};
use crate::model::refusal::Refusal;
use crate::model::time;
use chrono::{DateTime, TimeZone, Utc};
use secrecy::SecretString;
use serde::Serialize;
use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

/// How often a login's last use is written down, ms: a write for each request would be a write for each picture.
const TOUCH_MS: i64 = 30_000;
/// A login ends after a working day, however busy it is, ms.
const LOGIN_MS_MAX: i64 = 12 * 3_600_000;
/// How long the second step of a sign-in may take, ms.
const STEP_MS: i64 = 5 * 60_000;
/// Second steps that are waited for at a time.
const STEPS_MAX: usize = 1000;
/// Names that nobody has, of which wrong passwords are counted.
const STRANGERS_MAX: usize = 10_000;

/// Where a request comes from.
#[derive(Debug, Clone, Default)]
pub struct Place {
    /// The address.
    pub address: Option<String>,
    /// What the browser calls itself.
    pub agent: Option<String>,
}

/// Somebody who is signed in.
#[derive(Debug, Clone)]
pub struct SignedIn {
    /// Who.
    pub person: Person,
    /// The token that forms and API calls of this login must carry (CSRF); empty for another system's token, which no browser sends by itself.
    pub csrf: String,
    /// The login's name in lists; none for a token.
    pub login: Option<String>,
    /// Somebody else chose the password: it has to be changed before anything else.
    pub must_change: bool,
    /// Their role asks for a second factor, and they have none yet: nothing else opens before.
    pub must_enrol: bool,
    /// They have a second factor by code.
    pub has_code: bool,
}

/// A fresh login.
pub struct Login {
    /// The cookie's value.
    pub token: String,
    /// Who.
    pub signed_in: SignedIn,
}

/// How far a sign-in has come.
pub enum Entry {
    /// All the way.
    In(Box<Login>),
    /// The password was right; the code of the second factor is asked for, under this word.
    Code(String),
}

/// A login in a list.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct LoginSeen {
    /// Its name here; opens nothing.
    pub id: String,
    /// Since when.
    pub made_at: DateTime<Utc>,
    /// Last used.
    pub seen_at: DateTime<Utc>,
    /// Where from.
    pub address: Option<String>,
    /// What the browser calls itself.
    pub agent: Option<String>,
    /// How it was signed in.
    pub way: String,
    /// It is the one that asks.
    pub own: bool,
}

struct Step {
    account: AccountId,
    until_ms: i64,
}

/// Sign-ins of which the second step is waited for.
#[derive(Default)]
pub(crate) struct Steps(Mutex<BTreeMap<String, Step>>);

impl Steps {
    fn with<T>(&self, work: impl FnOnce(&mut BTreeMap<String, Step>) -> T) -> T {
        work(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Names that nobody has, with their wrong passwords: they lock like those that somebody has, so that locking tells no name.
#[derive(Default)]
pub(crate) struct Strangers(Mutex<BTreeMap<String, (u32, i64)>>);

impl Strangers {
    /// Counts a try under a name; refuses while it is locked. Gives whether this try was the last.
    fn take(&self, name: &str, now_ms: i64, lock_after: u32, lock_ms: i64) -> Result<bool, Refusal> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if all.len() >= STRANGERS_MAX {
            all.retain(|_, (_, until)| *until > now_ms);
        }
        if all.len() >= STRANGERS_MAX {
            all.pop_first();
        }
        let (failures, until) = all.entry(name.to_lowercase()).or_default();
        not_locked(*until, now_ms)?;
        *failures += 1;
        let last = *failures >= lock_after;
        if last {
            (*failures, *until) = (0, now_ms + lock_ms);
        }
        Ok(last)
    }
}

pub(super) fn moment(ms: i64) -> DateTime<Utc> {
    Utc.timestamp_millis_opt(ms).single().unwrap_or_default()
}

/// Whether a way to sign in shows the account's password; single sign-on and passkeys do not.
fn by_password(way: &str) -> bool {
    matches!(way, "password" | "code")
}

/// Refuses while an account is locked after wrong passwords or codes.
fn not_locked(until_ms: i64, now_ms: i64) -> Result<(), Refusal> {
    let left_ms = until_ms - now_ms;
    if left_ms > 0 { Err(Refusal::LockedOut { minutes: left_ms / 60_000 + 1 }) } else { Ok(()) }
}

/// The entry of a sign-in that failed.
fn failed(account: Option<&Account>, place: &Place) -> Draft {
    let draft = Draft::new(EntryKind::SignInFailed).about("account", account.map_or("unknown", |a| a.person.id.as_str()));
    match &place.address {
        Some(address) => draft.about("from", address),
        None => draft,
    }
}

impl Desks {
    /// Signs in by password. A name that is not there and a wrong password answer alike, and as slowly.
    pub async fn sign_in(&self, username: &str, password: SecretString, place: &Place) -> Answer<Entry> {
        let wanted: String = username.chars().take(100).collect();
        let account = self.read(move |c| accounts::by_username(c, &wanted)).await?;
        let now_ms = self.now_ms();
        let today = time::shanghai_day(self.now().utc);
        let last = self.take_try(account.as_ref(), username, place).await?;
        let hash = account.as_ref().filter(|a| a.is_open(today)).map(|a| a.password_hash.clone());
        let right = passwords::fits(password, hash).await?;
        match account {
            Some(account) if right && account.totp.is_some() => {
                // The password was no wrong try; the code is one of its own.
                let (id, failures) = (account.person.id.clone(), account.failures);
                let work = move |t: &Writing<'_>| accounts::give_back_try(t, &id, last, failures);
                self.acts.keep(work).await?;
                let step = randomness::hex::<32>()?;
                let waits = Step { account: account.person.id, until_ms: now_ms + STEP_MS };
                self.steps.with(|all| {
                    all.retain(|_, s| s.until_ms > now_ms);
                    if all.len() < STEPS_MAX {
                        all.insert(step.clone(), waits);
                    }
                });
                Ok(Entry::Code(step))
            }
            Some(account) if right => Ok(Entry::In(Box::new(self.let_in(account, "password", place).await?))),
            account => Err(self.turn_away(account.as_ref(), last, place).into()),
        }
    }

    /// Takes one of the tries that an account has before it is locked; before the password is looked at, so that many at once are no
    /// more than so many. Gives whether it was the last.
    pub(super) async fn take_try(&self, account: Option<&Account>, username: &str, place: &Place) -> Answer<bool> {
        let (now_ms, lock_after, lock_ms) = (self.now_ms(), self.settings.lock_after, self.settings.lock_min * 60_000);
        let taken = match account {
            None => self.strangers.take(username, now_ms, lock_after, lock_ms),
            Some(account) => {
                let id = account.person.id.clone();
                let taken = self.acts.keep(move |t| accounts::take_try(t, &id, now_ms, lock_after, now_ms + lock_ms)).await?;
                match taken {
                    accounts::Try::Taken { last } => Ok(last),
                    accounts::Try::Locked { until } => not_locked(until, now_ms).map(|()| false),
                }
            }
        };
        if let Err(refusal) = &taken {
            self.log_refusal(failed(account, place).about("code", "locked_out"));
            return Err(refusal.clone().into());
        }
        Ok(taken?)
    }

    /// The second step of a sign-in.
    pub async fn sign_in_by_code(&self, step: &str, code: &str, place: &Place) -> Answer<Login> {
        let now_ms = self.now_ms();
        let found = self.steps.with(|all| all.get(step).filter(|s| s.until_ms > now_ms).map(|s| s.account.clone()));
        let id = found.ok_or(Refusal::NotSignedIn)?;
        let today = time::shanghai_day(self.now().utc);
        let account = self.read(move |c| accounts::by_id(c, &id)).await?.filter(|a| a.is_open(today)).ok_or(Refusal::NotSignedIn)?;
        let last = self.take_try(Some(&account), "", place).await?;
        if !self.code_fits(&account, code).await? {
            return Err(self.turn_away(Some(&account), last, place).into());
        }
        self.steps.with(|all| all.remove(step));
        self.let_in(account, "code", place).await
    }

    /// Lets somebody in who was recognised; nobody is, before the entry is durable.
    pub(super) async fn let_in(&self, account: Account, way: &str, place: &Place) -> Answer<Login> {
        if by_password(way) && account.first_until.is_some_and(|until| until < self.now_ms()) {
            self.log_refusal(failed(Some(&account), place).about("code", "first_password_over"));
            return Err(Refusal::FirstPasswordOver.into());
        }
        let (token, csrf, id) = (randomness::hex::<32>()?, randomness::hex::<32>()?, randomness::hex::<6>()?);
        let at = self.now_ms();
        let row = LoginRow {
            id: id.clone(),
            account: account.person.id.clone(),
            csrf: csrf.clone(),
            made_at: at,
            seen_at: at,
            proved_at: at,
            address: place.address.clone(),
            agent: place.agent.clone(),
            way: way.into(),
        };
        let mut draft = Draft::new(EntryKind::SignedIn).by(&row.account).about("way", way);
        if let Some(address) = &place.address {
            draft = draft.about("from", address);
        }
        let (digest, one) = (digest::sha256(token.as_bytes()), account.one_login);
        let person = row.account.clone();
        let work = move |t: &Writing<'_>| {
            accounts::set_failures(t, &row.account, 0, 0)?;
            if one {
                logins::end_others(t, &row.account, None)?;
            }
            logins::forget(t, at - LOGIN_MS_MAX)?;
            logins::add(t, &digest, &row)
        };
        self.acts.log_then_do(draft, work).await?;
        if one {
            self.cut_person(&person);
        }
        let signed_in = self.signed_in_as(&token, place).await?;
        Ok(Login { token, signed_in })
    }

    /// Logs a wrong password or code; what to tell. `last`: it was the last try.
    pub(super) fn turn_away(&self, account: Option<&Account>, last: bool, place: &Place) -> Refusal {
        self.log_refusal(failed(account, place));
        if last { Refusal::LockedOut { minutes: self.settings.lock_min } } else { Refusal::WrongCredentials }
    }

    /// Who a cookie belongs to; refuses after idle logout and after a day.
    pub async fn signed_in_as(&self, token: &str, place: &Place) -> Answer<SignedIn> {
        let digest = digest::sha256(token.as_bytes());
        let (wanted, today) = (digest.clone(), time::shanghai_day(self.now().utc));
        let found = self
            .read(move |c| {
                let Some(login) = logins::by_token(c, &wanted)? else { return Ok(None) };
                let Some(account) = accounts::by_id(c, &login.account)?.filter(|a| a.is_open(today)) else { return Ok(None) };
                let stands_in = deputations::stand_ins(c, &login.account, today)?;
                let keys = passkeys::count(c, &login.account)?;
                Ok(Some((login, account, stands_in, keys)))
            })
            .await?;
        let now_ms = self.now_ms();
        let Some((login, account, stands_in, keys)) = found.filter(|(l, ..)| self.is_fresh(l)) else {
            self.last_known.forget(&digest);
            return Err(Refusal::NotSignedIn.into());
        };
        let has_code = account.totp.is_some();
        let asked = self.settings.second_factor.iter().any(|role| account.person.is(*role)) || !stands_in.is_empty();
        let must_change = account.first_until.is_some() && by_password(&login.way);
        let must_enrol = asked && !self.settings.second_factor.is_empty() && !has_code && keys == 0 && login.way != "sso";
        let person = Person { stands_in, proved_at: Some(moment(login.proved_at)), address: place.address.clone(), ..account.person };
        let signed_in = SignedIn { person, csrf: login.csrf, login: Some(login.id), must_change, must_enrol, has_code };
        self.last_known.keep(&digest, &signed_in, now_ms, login.made_at + LOGIN_MS_MAX);
        if now_ms - login.seen_at > TOUCH_MS {
            self.acts.index_only(move |t| logins::touch(t, &digest, now_ms));
        }
        Ok(signed_in)
    }

    /// Neither idle for too long nor older than 12 hours.
    fn is_fresh(&self, login: &LoginRow) -> bool {
        let now_ms = self.now_ms();
        now_ms - login.seen_at < self.settings.idle_min * 60_000 && now_ms - login.made_at < LOGIN_MS_MAX
    }

    /// Who a token of another system acts for, narrowed to what the token is good for.
    pub async fn token_of(&self, token: &str, place: &Place) -> Answer<SignedIn> {
        let digest = digest::sha256(token.as_bytes());
        let (today, now_ms) = (time::shanghai_day(self.now().utc), self.now_ms());
        let found = self
            .read(move |c| {
                let Some(token) = tokens::by_token(c, &digest)? else { return Ok(None) };
                Ok(accounts::by_id(c, &token.account)?.filter(|a| a.is_open(today)).map(|account| (token, account)))
            })
            .await?;
        let Some((token, account)) = found.filter(|(t, _)| t.ended_at.is_none() && now_ms < t.until) else {
            return Err(Refusal::NotSignedIn.into());
        };
        if token.used_at.is_none_or(|at| now_ms - at > TOUCH_MS) {
            let id = token.id.clone();
            self.acts.index_only(move |t| tokens::touch(t, &id, now_ms));
        }
        let person = Person { scopes: Some(token.scopes), address: place.address.clone(), ..account.person };
        Ok(SignedIn { person, csrf: String::new(), login: None, must_change: false, must_enrol: false, has_code: false })
    }

    /// The person as they are now: streams that outlive a request ask again and again, and end with the account.
    pub async fn fresh(&self, who: &Person) -> Answer<Person> {
        let (id, today) = (who.id.clone(), time::shanghai_day(self.now().utc));
        let person = self.read(move |c| deputations::person(c, &id, today)).await?.ok_or(Refusal::NotSignedIn)?;
        Ok(Person { scopes: who.scopes.clone(), proved_at: who.proved_at, address: who.address.clone(), ..person })
    }

    /// The same, of a login: ends with it too, and at the end of its day.
    pub async fn is_still(&self, who: &SignedIn) -> Answer<Person> {
        if let Some(id) = who.login.clone() {
            let account = who.person.id.clone();
            let found = self.read(move |c| Ok(logins::of_account(c, &account)?.into_iter().find(|l| l.id == id))).await?;
            // Who watches a running interview presses nothing for an hour, and is not idle; the day ends for them too.
            if found.is_none_or(|l| self.now_ms() - l.made_at >= LOGIN_MS_MAX) {
                return Err(Refusal::NotSignedIn.into());
            }
        }
        self.fresh(&who.person).await
    }

    /// Signs out; what the login had open ends.
    pub async fn sign_out(&self, token: &str, place: &Place) -> Answer<()> {
        let who = self.signed_in_as(token, place).await?.person;
        let digest = digest::sha256(token.as_bytes());
        let ended = digest.clone();
        self.acts.log_then_do(Draft::new(EntryKind::SignedOut).by(&who.id), move |t| logins::end(t, &ended)).await?;
        // This login alone: at another desk the same officer may be conducting a session.
        self.last_known.forget(&digest);
        self.streams.cut_person(&who.id);
        Ok(())
    }

    /// Shows that it is still the same person: password, and code where there is one. Approvals and exports ask for it.
    pub async fn prove(&self, who: &SignedIn, password: SecretString, code: &str) -> Answer<()> {
        let id = who.person.id.clone();
        let account = self.read(move |c| accounts::by_id(c, &id)).await?.ok_or(Refusal::NotSignedIn)?;
        let place = Place { address: who.person.address.clone(), agent: None };
        let last = self.take_try(Some(&account), "", &place).await?;
        let right = passwords::fits(password, Some(account.password_hash.clone())).await?;
        if !right || (account.totp.is_some() && !self.code_fits(&account, code).await?) {
            return Err(self.turn_away(Some(&account), last, &place).into());
        }
        self.prove_login(who).await
    }

    /// Notes that a login showed what it had to show.
    pub(super) async fn prove_login(&self, who: &SignedIn) -> Answer<()> {
        let Some(login) = who.login.clone() else { return Err(Refusal::NotYourRole.into()) };
        let (id, at) = (who.person.id.clone(), self.now_ms());
        let work = move |t: &Writing<'_>| {
            accounts::set_failures(t, &id, 0, 0)?;
            logins::prove(t, &login, at)
        };
        Ok(self.acts.log_then_do(Draft::new(EntryKind::ProvedAgain).by(&who.person.id), work).await?)
    }

    /// Whether this login showed password or key lately enough for an approval or an export.
    pub fn is_proved(&self, who: &Person) -> bool {
        let since = |at: DateTime<Utc>| (self.now().utc - at).num_minutes();
        who.proved_at.is_some_and(|at| (0..self.settings.prove_min).contains(&since(at)))
    }

    pub(super) fn proved(&self, who: &Person) -> Answer<()> {
        if self.is_proved(who) { Ok(()) } else { Err(Refusal::ProveAgain.into()) }
    }

    /// One's own logins, newest first.
    pub async fn logins(&self, who: &SignedIn) -> Answer<Vec<LoginSeen>> {
        let id = who.person.id.clone();
        let rows = self.read(move |c| logins::of_account(c, &id)).await?;
        let seen = |l: LoginRow| LoginSeen {
            own: Some(&l.id) == who.login.as_ref(),
            id: l.id,
            made_at: moment(l.made_at),
            seen_at: moment(l.seen_at),
            address: l.address,
            agent: l.agent,
            way: l.way,
        };
        Ok(rows.into_iter().map(seen).collect())
    }

    /// Ends a login of one's own; an administrator ends any of anybody's.
    pub async fn end_login(&self, who: &Person, of: &AccountId, id: &str) -> Answer<()> {
        if *of != who.id {
            self.need(who, Act::ManageAccounts)?;
        }
        let (account, login) = (of.clone(), id.to_owned());
        let draft = Draft::new(EntryKind::LoginEnded).by(&who.id).about("account", of).about("login", id);
        let there = self.read({
            let (account, login) = (account.clone(), login.clone());
            move |c| Ok(logins::of_account(c, &account)?.iter().any(|l| l.id == login))
        });
        if !there.await? {
            return Err(Refusal::no_such("login", id).into());
        }
        self.acts.log_then_do(draft, move |t| logins::end_by_id(t, &account, &login).map(drop)).await?;
        self.cut_person(of);
        Ok(())
    }

    /// Ends all of somebody's logins but this one.
    pub async fn end_other_logins(&self, who: &SignedIn) -> Answer<()> {
        let (account, own) = (who.person.id.clone(), who.login.clone());
        let draft = Draft::new(EntryKind::LoginEnded).by(&who.person.id).about("account", &account).about("login", "others");
        self.acts.log_then_do(draft, move |t| logins::end_others(t, &account, own.as_deref())).await?;
        self.cut_person(&who.person.id);
        Ok(())
    }

    /// Whether signing in ends one's other logins.
    pub async fn set_one_login(&self, who: &Person, one: bool) -> Answer<()> {
        let id = who.id.clone();
        let draft = Draft::new(EntryKind::AccountChanged).by(&who.id).about("account", &who.id).about("one_login", one);
        Ok(self.acts.log_then_do(draft, move |t| accounts::set_one_login(t, &id, one)).await?)
    }
}
