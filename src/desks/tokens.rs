//! Tokens with which another system (the bureau's case management) uses the API, in the name of an account and never beyond its
//! scopes. No token looks at footage, decides, or makes accounts.

use crate::catalog::accounts;
use crate::catalog::tokens::{self, TokenRow};
use crate::desks::logins::moment;
use crate::desks::{Answer, Desks};
use crate::machine::randomness;
use crate::model::digest;
use crate::model::entry::{Draft, EntryKind};
use crate::model::people::{Act, Person, SCOPES};
use crate::model::refusal::Refusal;
use crate::model::words::{self, BadField};
use chrono::{DateTime, TimeDelta, Utc};
use serde::Serialize;

/// Longest life, days.
const DAYS_MAX: i64 = 366;

/// A token in the list.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct TokenSeen {
    /// Its number.
    pub id: String,
    /// The system.
    pub name: String,
    /// In whose name, a sign-in name.
    pub account: String,
    /// What it is good for.
    pub scopes: Vec<Act>,
    /// Until when.
    pub until: DateTime<Utc>,
    /// Ended early.
    pub ended_at: Option<DateTime<Utc>>,
    /// Last used.
    pub used_at: Option<DateTime<Utc>>,
    /// Good now.
    pub live: bool,
}

impl Desks {
    /// Makes a token; it is told once.
    pub async fn make_token(&self, who: &Person, name: &str, username: &str, scopes: Vec<Act>, days: i64) -> Answer<(String, String)> {
        self.need(who, Act::ManageAccounts)?;
        self.proved(who)?;
        let name = words::needed_line("name", name).map_err(Refusal::from)?;
        let mut fields = Vec::new();
        if scopes.is_empty() || scopes.iter().any(|s| !SCOPES.contains(s)) {
            fields.push(BadField::form("scopes", "is none of the choices"));
        }
        if !(1..=DAYS_MAX).contains(&days) {
            fields.push(BadField::form("days", "is 1 to 366"));
        }
        let wanted = username.trim().to_owned();
        let account = self.read(move |c| accounts::by_username(c, &wanted)).await?.filter(|a| a.active);
        let Some(account) = account.filter(|_| fields.is_empty()) else {
            if fields.is_empty() {
                fields.push(BadField::form("username", "is no account"));
            }
            return Err(Refusal::BadFields { fields }.into());
        };
        let (id, token) = (format!("t-{}", randomness::hex::<6>()?), format!("shilu_{}", randomness::hex::<32>()?));
        let now = self.now().utc;
        let row = TokenRow {
            id: id.clone(),
            account: account.person.id,
            name,
            scopes,
            made_at: now.timestamp_millis(),
            until: (now + TimeDelta::days(days)).timestamp_millis(),
            ended_at: None,
            used_at: None,
        };
        let words: Vec<&str> = row.scopes.iter().map(|s| s.as_str()).collect();
        let draft = Draft::new(EntryKind::TokenMade)
            .by(&who.id)
            .about("token", &id)
            .about("account", &row.account)
            .about("scopes", words.join(" "))
            .text("name", Some(&row.name));
        let digest = digest::sha256(token.as_bytes());
        self.acts.log_then_do(draft, move |t| tokens::add(t, &digest, &row)).await?;
        Ok((id, token))
    }

    /// Ends a token.
    pub async fn end_token(&self, who: &Person, id: &str) -> Answer<()> {
        self.need(who, Act::ManageAccounts)?;
        let (token, at) = (id.to_owned(), self.now_ms());
        let known = self.read(tokens::all).await?.iter().any(|t| t.id == id && t.ended_at.is_none());
        if !known {
            return Err(Refusal::no_such("token", id).into());
        }
        let draft = Draft::new(EntryKind::TokenEnded).by(&who.id).about("token", id);
        self.acts.log_then_do(draft, move |t| tokens::end(t, &token, at).map(drop)).await?;
        Ok(())
    }

    /// All tokens.
    pub async fn tokens(&self, who: &Person) -> Answer<Vec<TokenSeen>> {
        self.need(who, Act::ManageAccounts)?;
        let now = self.now_ms();
        let (rows, people) = self.read(|c| Ok((tokens::all(c)?, accounts::all(c)?))).await?;
        let seen = |t: TokenRow| TokenSeen {
            account: people.iter().find(|a| a.person.id == t.account).map(|a| a.person.username.clone()).unwrap_or_default(),
            live: t.ended_at.is_none() && now < t.until,
            id: t.id,
            name: t.name,
            scopes: t.scopes,
            until: moment(t.until),
            ended_at: t.ended_at.map(moment),
            used_at: t.used_at.map(moment),
        };
        Ok(rows.into_iter().map(seen).collect())
    }
}
