//! Accounts and signing in.

use crate::acts::Acts;
use crate::catalog::Writing;
use crate::catalog::accounts::{self, Account};
use crate::desks::logins::Place;
use crate::desks::notices::Change;
use crate::desks::{Answer, Desks, blocking, passwords};
use crate::machine::clock::Clock;
use crate::machine::randomness;
use crate::model::entry::{Draft, EntryKind};
use crate::model::ids::{AccountId, UnitId};
use crate::model::people::{Act, Person, Role};
use crate::model::refusal::Refusal;
use crate::model::time;
use crate::model::words::{self, BadField};
use chrono::NaiveDate;
use secrecy::SecretString;
use std::sync::Arc;

/// For how many days a password is good that somebody else chose, if its owner does not change it.
pub const FIRST_DAYS: i64 = 14;

/// A password, and who chose it.
#[derive(Debug, Clone)]
pub struct NewPassword {
    text: SecretString,
    is_first: bool,
}

impl NewPassword {
    /// Its owner chose it.
    pub fn own(text: impl Into<SecretString>) -> Self {
        Self { text: text.into(), is_first: false }
    }

    /// Somebody else did, or the machine: its owner has to change it at the first sign-in.
    pub fn first(text: impl Into<SecretString>) -> Self {
        Self { text: text.into(), is_first: true }
    }

    fn until(&self, now_ms: i64) -> Option<i64> {
        self.is_first.then_some(now_ms + FIRST_DAYS * 86_400_000)
    }
}

/// A new account.
#[derive(Debug, Clone, Default)]
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
    /// First day on which the account can be used.
    pub valid_from: Option<NaiveDate>,
    /// Last day.
    pub valid_until: Option<NaiveDate>,
    /// Where notices go.
    pub email: Option<String>,
    /// What the single sign-on calls this person.
    pub sso_name: Option<String>,
}

/// An account in the list.
#[derive(Debug, Clone, serde::Serialize)]
pub struct AccountRow {
    /// The person.
    pub person: Person,
    /// Not ended.
    pub active: bool,
    /// Can be used today.
    pub open: bool,
    /// First day on which it can be used.
    pub valid_from: Option<NaiveDate>,
    /// Last day.
    pub valid_until: Option<NaiveDate>,
    /// Where notices go.
    pub email: Option<String>,
    /// What the single sign-on calls this person.
    pub sso_name: Option<String>,
    /// Has a second factor by code.
    pub second_factor: bool,
    /// The owner has not changed yet what somebody else chose.
    pub first_password: bool,
}

impl Desks {
    /// All accounts (administrator).
    pub async fn accounts(&self, who: &Person) -> Answer<Vec<AccountRow>> {
        self.need(who, Act::ManageAccounts)?;
        let all = self.read(accounts::all).await?;
        let today = time::shanghai_day(self.now().utc);
        let row = |a: Account| AccountRow {
            open: a.is_open(today),
            active: a.active,
            valid_from: a.valid.0,
            valid_until: a.valid.1,
            email: a.email,
            sso_name: a.sso_name,
            second_factor: a.totp.is_some(),
            first_password: a.first_until.is_some(),
            person: a.person,
        };
        Ok(all.into_iter().map(row).collect())
    }

    /// Makes an account (administrator).
    pub async fn make_account(&self, who: &Person, account: NewAccount, password: SecretString) -> Answer<AccountId> {
        self.need(who, Act::ManageAccounts)?;
        self.proved(who)?;
        self.register().add(Some(who), account, NewPassword::first(password)).await
    }

    /// Changes an account's roles, unit, days and addresses (administrator; not their own). What it may do changes at once.
    pub async fn change_account(&self, who: &Person, id: &AccountId, change: NewAccount) -> Answer<()> {
        self.need(who, Act::ManageAccounts)?;
        self.proved(who)?;
        if *id == who.id {
            return Err(Refusal::from(BadField::form("account", "is your own; another administrator has to end it")).into());
        }
        let before = self.active_account(id).await?;
        let change = NewAccount { username: before.person.username.clone(), name: before.person.name.clone(), ..change };
        let mut after = self.register().check(change)?;
        after.person.id = id.clone();
        self.register().apart(&after).await?;
        let roles: Vec<&str> = after.person.roles.iter().map(|r| r.as_str()).collect();
        let draft = Draft::new(EntryKind::AccountChanged).by(&who.id).about("account", id).about("roles", roles.join(" "));
        self.acts.log_then_do(draft, move |t| accounts::change(t, &after)).await?;
        self.cut_person(id);
        self.tell_owner(&before, Change::Rights);
        Ok(())
    }

    /// Gives somebody a new password who lost theirs, or is locked out: an administrator, who has seen the person. It is to be changed
    /// at the first sign-in.
    pub async fn give_password(&self, who: &Person, of: &AccountId, password: SecretString) -> Answer<()> {
        self.need(who, Act::ManageAccounts)?;
        self.proved(who)?;
        if *of == who.id {
            return Err(Refusal::from(BadField::form("account", "is your own; change your password on your own page")).into());
        }
        let account = self.active_account(of).await?;
        self.register().renew(Some(who), &account, NewPassword::first(password)).await?;
        self.cut_person(of);
        self.tell_owner(&account, Change::Password);
        Ok(())
    }

    async fn active_account(&self, id: &AccountId) -> Answer<Account> {
        let wanted = id.clone();
        let found = self.read(move |c| accounts::by_id(c, &wanted)).await?.filter(|a| a.active);
        Ok(found.ok_or_else(|| Refusal::no_such("account", id.as_str()))?)
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
        let (draft, ended, at) = (Draft::new(EntryKind::AccountEnded).by(&who.id).about("account", id), id.clone(), self.now_ms());
        self.acts.log_then_do(draft, move |t| accounts::end(t, &ended, at)).await?;
        self.cut_person(id);
        Ok(())
    }

    /// Changes one's own password; every login of the account ends.
    pub async fn change_password(&self, who: &Person, old: SecretString, new: SecretString) -> Answer<()> {
        let id = who.id.clone();
        let account = self.read(move |c| accounts::by_id(c, &id)).await?.ok_or(Refusal::NotSignedIn)?;
        let place = Place { address: who.address.clone(), agent: None };
        // Who found a console open guesses no password here: the tries are those of signing in.
        let last = self.take_try(Some(&account), "", &place).await?;
        if !passwords::fits(old, Some(account.password_hash.clone())).await? {
            return Err(self.turn_away(Some(&account), last, &place).into());
        }
        let (id, failures) = (who.id.clone(), account.failures);
        self.acts.keep(move |t| accounts::give_back_try(t, &id, last, failures)).await?;
        passwords::check(&new, &who.username).map_err(Refusal::from)?;
        if passwords::fits(new.clone(), Some(account.password_hash.clone())).await? {
            return Err(Refusal::from(BadField::form("password", "is the old one; choose another")).into());
        }
        let (hash, id) = (passwords::hash(new).await?, who.id.clone());
        let draft = Draft::new(EntryKind::PasswordChanged).by(&who.id);
        self.acts.log_then_do(draft, move |t| accounts::set_password(t, &id, &hash, None)).await?;
        self.cut_person(&who.id);
        self.tell_owner(&account, Change::Password);
        Ok(())
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
    pub async fn add(&self, by: Option<&Person>, account: NewAccount, password: NewPassword) -> Answer<AccountId> {
        let mut account = self.check(account)?;
        passwords::check(&password.text, &account.person.username).map_err(Refusal::from)?;
        let username = account.person.username.clone();
        if self.named(&username).await?.is_some() {
            return Err(Refusal::from(BadField::form("username", "is taken; choose another")).into());
        }
        self.apart(&account).await?;
        let id = account.person.id.clone();
        let roles: Vec<&str> = account.person.roles.iter().map(|r| r.as_str()).collect();
        let mut draft = Draft::new(EntryKind::AccountMade).about("account", &id).about("roles", roles.join(" "));
        draft = draft.text("name", Some(&account.person.name));
        draft.actor = by.map(|p| p.id.to_string());
        let at = self.clock.now().utc.timestamp_millis();
        account.first_until = password.until(at);
        account.password_hash = passwords::hash(password.text).await?;
        self.acts.log_then_do(draft, move |t| accounts::add(t, &account, at)).await?;
        Ok(id)
    }

    /// Who administers and who inspects are two people, also where one person asks for two accounts: name, certificate, address and
    /// the provider's name tell. Namesakes are written apart.
    async fn apart(&self, account: &Account) -> Answer<()> {
        let other = match (account.person.is(Role::Administrator), account.person.is(Role::Inspector)) {
            (true, _) => Role::Inspector,
            (_, true) => Role::Administrator,
            _ => return Ok(()),
        };
        let catalog = self.acts.catalog().clone();
        let all = blocking("looking for a person", move || catalog.read(accounts::all)).await??;
        let same = |a: &Option<String>, b: &Option<String>| a.is_some() && a == b;
        let one = |a: &&Account| {
            a.person.name == account.person.name
                || same(&a.person.certificate_no, &account.person.certificate_no)
                || same(&a.email, &account.email)
                || same(&a.sso_name, &account.sso_name)
        };
        let there = all.iter().filter(|a| a.active && a.person.id != account.person.id && a.person.is(other)).any(|a| one(&a));
        let told = "administrator and inspector cannot be one person";
        if there { Err(Refusal::from(BadField::form("roles", told)).into()) } else { Ok(()) }
    }

    /// The account, without its password, or everything that is wrong with it.
    fn check(&self, account: NewAccount) -> Result<Account, Refusal> {
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
        let email = account.email.as_deref().map_or(Ok(None), |e| words::line("email", e));
        let email = email.map_err(|e| fields.push(e)).unwrap_or_default();
        if email.as_ref().is_some_and(|e| e.parse::<lettre::Address>().is_err()) {
            fields.push(BadField::form("email", "is no address; name@bureau.example would be right"));
        }
        let sso_name = account.sso_name.as_deref().map_or(Ok(None), |n| words::line("sso_name", n));
        let sso_name = sso_name.map_err(|e| fields.push(e)).unwrap_or_default();
        if account.valid_from.zip(account.valid_until).is_some_and(|(from, until)| until < from) {
            fields.push(BadField::form("valid_until", "is before the beginning"));
        }
        let id = randomness::hex::<6>().ok().and_then(|hex| AccountId::new(&format!("a-{hex}")).ok());
        match id.filter(|_| fields.is_empty()) {
            Some(id) => {
                let person = Person {
                    unit: account.unit,
                    certificate_no,
                    certificate_until: account.certificate_until,
                    leads: account.leads,
                    ..Person::new(id, &username, &name, &account.roles)
                };
                let valid = (account.valid_from, account.valid_until);
                Ok(Account { valid, email, sso_name, ..Account::new(person, String::new()) })
            }
            None => Err(Refusal::BadFields { fields }),
        }
    }

    /// Gives an account a new password; its logins end, and it is locked no longer.
    pub async fn renew(&self, by: Option<&Person>, account: &Account, password: NewPassword) -> Answer<()> {
        passwords::check(&password.text, &account.person.username).map_err(Refusal::from)?;
        let until = password.until(self.clock.now().utc.timestamp_millis());
        let (id, hash) = (account.person.id.clone(), passwords::hash(password.text).await?);
        let mut draft = Draft::new(EntryKind::PasswordChanged).about("account", &id);
        draft.actor = by.map(|p| p.id.to_string());
        let work = move |t: &Writing<'_>| {
            accounts::set_failures(t, &id, 0, 0)?;
            accounts::set_password(t, &id, &hash, until)
        };
        Ok(self.acts.log_then_do(draft, work).await?)
    }

    /// The account of a sign-in name.
    pub async fn named(&self, username: &str) -> Answer<Option<Account>> {
        let (catalog, username) = (self.acts.catalog().clone(), username.to_owned());
        Ok(blocking("looking for a name", move || catalog.read(|c| accounts::by_username(c, &username))).await??)
    }

    /// Makes an account, or gives the one of this name a new password: a demo that is started again in its old folder.
    pub async fn add_or_renew(&self, account: NewAccount, password: SecretString) -> Answer<()> {
        match self.named(&account.username).await? {
            None => self.add(None, account, NewPassword::own(password)).await.map(drop),
            Some(known) => self.renew(None, &known, NewPassword::own(password)).await,
        }
    }

    /// Takes every second factor of an account away, from the machine's own command line: where the only administrator lost theirs.
    pub async fn take_factors(&self, of: &AccountId) -> Answer<()> {
        let (id, draft) = (of.clone(), Draft::new(EntryKind::FactorRemoved).about("account", of).about("way", "all"));
        Ok(self.acts.log_then_do(draft, move |t| accounts::take_factors(t, &id)).await?)
    }
}
