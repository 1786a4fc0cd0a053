//! Accounts and signing in.

use crate::acts::Acts;
use crate::catalog::Writing;
use crate::catalog::accounts::{self, Account};
use crate::desks::{Answer, Desks, blocking, passwords};
use crate::machine::clock::Clock;
use crate::machine::randomness;
use crate::model::digest;
use crate::model::entry::{Draft, EntryKind};
use crate::model::ids::{AccountId, UnitId};
use crate::model::people::{Act, Person, Role};
use crate::model::refusal::Refusal;
use crate::model::words::{self, BadField};
use chrono::NaiveDate;
use secrecy::SecretString;
use std::sync::Arc;

/// How often a login's last use is written down, ms: a write for each request would be a write for each picture.
const TOUCH_MS: i64 = 30_000;

/// Somebody who is signed in.
#[derive(Debug, Clone)]
pub struct SignedIn {
    /// Who.
    pub person: Person,
    /// The token that forms and API calls of this login must carry (CSRF).
    pub csrf: String,
}

/// A fresh login.
pub struct Login {
    /// The cookie's value; stored only as its digest.
    pub token: String,
    /// Who.
    pub signed_in: SignedIn,
}

/// A new account.
#[derive(Debug, Clone)]
pub struct NewAccount {
    /// Sign-in name: letters, digits, `.`, `-`, `_`.
    pub username: String,
    /// The person's name.
    pub name: String,
    /// Their roles.
    pub roles: Vec<Role>,
    /// Their unit.
    pub unit: Option<UnitId>,
    /// 执法证件编号.
    pub certificate_no: Option<String>,
    /// Last day on which the certificate is valid.
    pub certificate_until: Option<NaiveDate>,
    /// Units they lead; empty: all.
    pub leads: Vec<UnitId>,
}

/// An account in the list.
#[derive(Debug, Clone, serde::Serialize)]
pub struct AccountRow {
    /// The person.
    pub person: Person,
    /// Still valid.
    pub active: bool,
}

impl Desks {
    /// Signs in. A name that is not there and a wrong password answer alike, and as slowly.
    pub async fn sign_in(&self, username: &str, password: SecretString) -> Answer<Login> {
        let wanted: String = username.chars().take(100).collect();
        let account = self.read(move |c| accounts::by_username(c, &wanted)).await?;
        let now_ms = self.now_ms();
        if let Some(locked) = account.as_ref().map(|a| a.locked_until).filter(|until| *until > now_ms) {
            return Err(Refusal::LockedOut { minutes: (locked - now_ms) / 60_000 + 1 }.into());
        }
        let hash = account.as_ref().filter(|a| a.active).map(|a| a.password_hash.clone());
        let right = passwords::fits(password, hash).await?;
        match account {
            Some(account) if right => self.let_in(account).await,
            account => self.turn_away(account).await,
        }
    }

    async fn let_in(&self, account: Account) -> Answer<Login> {
        let (token, csrf) = (randomness::hex::<32>()?, randomness::hex::<32>()?);
        let (digest, kept, id, at) = (digest::sha256(token.as_bytes()), csrf.clone(), account.person.id.clone(), self.now_ms());
        let draft = Draft::new(EntryKind::SignedIn).by(&id);
        let work = move |t: &Writing<'_>| {
            accounts::set_failures(t, &id, 0, 0)?;
            accounts::add_login(t, &digest, &id, &kept, at)
        };
        self.acts.log_then_do(draft, work).await?;
        Ok(Login { token, signed_in: SignedIn { person: account.person, csrf } })
    }

    async fn turn_away(&self, account: Option<Account>) -> Answer<Login> {
        let draft = Draft::new(EntryKind::SignInFailed);
        let Some(account) = account else {
            self.acts.do_and_log(draft.about("account", "unknown"), |_| Ok(()));
            return Err(Refusal::WrongCredentials.into());
        };
        let failures = account.failures + 1;
        let locks = failures >= self.settings.lock_after;
        let until = if locks { self.now_ms() + self.settings.lock_min * 60_000 } else { 0 };
        let id = account.person.id.clone();
        let kept = if locks { 0 } else { failures };
        self.acts.do_and_log(draft.about("account", &id).about("failures", failures), |_| Ok(()));
        self.acts.keep(move |t| accounts::set_failures(t, &id, kept, until)).await?;
        if locks {
            return Err(Refusal::LockedOut { minutes: self.settings.lock_min }.into());
        }
        Err(Refusal::WrongCredentials.into())
    }

    /// Who a cookie belongs to; refuses after idle logout.
    pub async fn signed_in(&self, token: &str) -> Answer<SignedIn> {
        let digest = digest::sha256(token.as_bytes());
        let wanted = digest.clone();
        let found = self
            .read(move |c| {
                let Some(login) = accounts::login(c, &wanted)? else { return Ok(None) };
                Ok(accounts::by_id(c, &login.account)?.map(|account| (login, account)))
            })
            .await?;
        let now_ms = self.now_ms();
        let idle_ms = self.settings.idle_min * 60_000;
        let Some((login, account)) = found.filter(|(l, a)| a.active && now_ms - l.seen_at < idle_ms) else {
            return Err(Refusal::NotSignedIn.into());
        };
        if now_ms - login.seen_at > TOUCH_MS {
            self.acts.index_only(move |t| accounts::touch_login(t, &digest, now_ms));
        }
        Ok(SignedIn { person: account.person, csrf: login.csrf })
    }

    /// The person as they are now: streams that outlive a request ask again and again, and end with the account.
    pub async fn fresh(&self, who: &Person) -> Answer<Person> {
        let id = who.id.clone();
        let account = self.read(move |c| accounts::by_id(c, &id)).await?.filter(|a| a.active);
        Ok(account.ok_or(Refusal::NotSignedIn)?.person)
    }

    /// Signs out.
    pub async fn sign_out(&self, token: &str) -> Answer<()> {
        let who = self.signed_in(token).await?.person;
        let digest = digest::sha256(token.as_bytes());
        Ok(self.acts.log_then_do(Draft::new(EntryKind::SignedOut).by(&who.id), move |t| accounts::end_login(t, &digest)).await?)
    }

    /// All accounts (administrator).
    pub async fn accounts(&self, who: &Person) -> Answer<Vec<AccountRow>> {
        self.need(who, Act::ManageAccounts)?;
        let all = self.read(accounts::all).await?;
        Ok(all.into_iter().map(|a| AccountRow { person: a.person, active: a.active }).collect())
    }

    /// Makes an account (administrator).
    pub async fn make_account(&self, who: &Person, account: NewAccount, password: SecretString) -> Answer<AccountId> {
        self.need(who, Act::ManageAccounts)?;
        self.register().add(Some(who), account, password).await
    }

    /// Where accounts are made without anybody signed in: for setting up a machine from its own command line.
    pub fn register_for_setup(&self) -> Register {
        self.register()
    }

    fn register(&self) -> Register {
        Register { acts: self.acts.clone(), clock: self.clock.clone(), units: self.settings.units.clone() }
    }

    /// Ends an account: its logins end at once; what it did stays.
    pub async fn end_account(&self, who: &Person, id: &AccountId) -> Answer<()> {
        self.need(who, Act::ManageAccounts)?;
        if *id == who.id {
            return Err(Refusal::from(BadField::form("account", "is your own; another administrator has to end it")).into());
        }
        let wanted = id.clone();
        if self.read(move |c| accounts::by_id(c, &wanted)).await?.is_none() {
            return Err(Refusal::no_such("account", id.as_str()).into());
        }
        let (draft, ended) = (Draft::new(EntryKind::AccountEnded).by(&who.id).about("account", id), id.clone());
        Ok(self.acts.log_then_do(draft, move |t| accounts::end(t, &ended)).await?)
    }

    /// Changes one's own password; every login of the account ends.
    pub async fn change_password(&self, who: &Person, old: SecretString, new: SecretString) -> Answer<()> {
        let id = who.id.clone();
        let hash = self.read(move |c| accounts::by_id(c, &id)).await?.map(|a| a.password_hash);
        if !passwords::fits(old, hash).await? {
            return Err(Refusal::WrongCredentials.into());
        }
        passwords::check(&new, &who.username).map_err(Refusal::from)?;
        let (hash, id) = (passwords::hash(new).await?, who.id.clone());
        let draft = Draft::new(EntryKind::PasswordChanged).by(&who.id);
        Ok(self.acts.log_then_do(draft, move |t| accounts::set_password(t, &id, &hash)).await?)
    }
}

/// Where accounts are made: the console's desk and the command line alike.
pub struct Register {
    /// The doors.
    pub acts: Acts,
    /// The clocks.
    pub clock: Arc<dyn Clock>,
    /// Units that may be named.
    pub units: Vec<(UnitId, String)>,
}

impl Register {
    /// Makes an account; `by` is nobody on the machine's own command line (`shilu user add`).
    pub async fn add(&self, by: Option<&Person>, account: NewAccount, password: SecretString) -> Answer<AccountId> {
        let person = self.check(account)?;
        passwords::check(&password, &person.username).map_err(Refusal::from)?;
        let username = person.username.clone();
        let catalog = self.acts.catalog().clone();
        if blocking("looking for a name", move || catalog.read(|c| accounts::by_username(c, &username))).await??.is_some() {
            return Err(Refusal::from(BadField::form("username", "is taken; choose another")).into());
        }
        let id = person.id.clone();
        let roles: Vec<&str> = person.roles.iter().map(|r| r.as_str()).collect();
        let mut draft = Draft::new(EntryKind::AccountMade).about("account", &id).about("roles", roles.join(" "));
        draft = draft.text("name", Some(&person.name));
        draft.actor = by.map(|p| p.id.to_string());
        let account = Account { person, password_hash: passwords::hash(password).await?, active: true, failures: 0, locked_until: 0 };
        let at = self.clock.now().utc.timestamp_millis();
        self.acts.log_then_do(draft, move |t| accounts::add(t, &account, at)).await?;
        Ok(id)
    }

    fn check(&self, account: NewAccount) -> Result<Person, Refusal> {
        let mut fields = Vec::new();
        let username = account.username.trim().to_owned();
        if !(2..=40).contains(&username.len()) || !username.bytes().all(|b| b.is_ascii_alphanumeric() || b".-_".contains(&b)) {
            fields.push(BadField::form("username", "is 2 to 40 letters, digits, '.', '-' or '_'"));
        }
        if account.roles.is_empty() {
            fields.push(BadField::form("roles", "choose at least one"));
        }
        if account.roles.contains(&Role::Administrator) && account.roles.contains(&Role::Inspector) {
            fields.push(BadField::form("roles", "administrator and inspector cannot be one person"));
        }
        let known = |u: &UnitId| self.units.iter().any(|(id, _)| id == u);
        if account.unit.iter().chain(&account.leads).any(|u| !known(u)) {
            fields.push(BadField::form("unit", "is not in the configuration"));
        }
        let name = words::needed_line("name", &account.name).map_err(|e| fields.push(e)).unwrap_or_default();
        let certificate_no = account.certificate_no.as_deref().map_or(Ok(None), |c| words::line("certificate_no", c));
        let certificate_no = certificate_no.map_err(|e| fields.push(e)).unwrap_or_default();
        let id = randomness::hex::<6>().ok().and_then(|hex| AccountId::new(&format!("a-{hex}")).ok());
        match id.filter(|_| fields.is_empty()) {
            Some(id) => Ok(Person {
                id,
                username,
                name,
                unit: account.unit,
                certificate_no,
                certificate_until: account.certificate_until,
                roles: account.roles,
                leads: account.leads,
            }),
            None => Err(Refusal::BadFields { fields }),
        }
    }

    /// Makes an account, or gives the one of this name a new password: a demo that is started again in its old folder.
    pub async fn add_or_renew(&self, account: NewAccount, password: SecretString) -> Answer<()> {
        let (catalog, username) = (self.acts.catalog().clone(), account.username.clone());
        let known = blocking("looking for a name", move || catalog.read(|c| accounts::by_username(c, &username))).await??;
        let Some(known) = known else { return self.add(None, account, password).await.map(drop) };
        let (id, hash) = (known.person.id, passwords::hash(password).await?);
        let draft = Draft::new(EntryKind::PasswordChanged).about("account", &id);
        Ok(self.acts.log_then_do(draft, move |t| accounts::set_password(t, &id, &hash)).await?)
    }
}
