//! Who was signed in when the catalog last answered. A session that runs is conducted through a catalog that hangs or fails: its officer
//! sets marks, pauses and ends it by the login that was good a moment ago (promise 1). Nothing else is: looking fails closed.
//!
//! In memory alone, by the digest of the cookie's value; whatever ends a login ends it here too.

use crate::desks::logins::{Place, SignedIn};
use crate::desks::{Answer, Desks, No};
use crate::model::digest;
use crate::model::ids::AccountId;
use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// How long an act on a running session waits for the catalog where it can go on without.
pub(super) const PATIENCE: Duration = Duration::from_secs(1);
/// Most logins that are remembered; a bureau has some dozens.
const LOGINS_MAX: usize = 1_000;

struct Known {
    who: SignedIn,
    /// When the catalog last said so, or it was last gone by, ms since 1970.
    seen_ms: i64,
    /// When the login ends whatever is done with it.
    until_ms: i64,
}

/// The logins.
#[derive(Default)]
pub(crate) struct LastKnown(Mutex<BTreeMap<String, Known>>);

impl LastKnown {
    fn with<T>(&self, work: impl FnOnce(&mut BTreeMap<String, Known>) -> T) -> T {
        work(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// The catalog knows this login now.
    pub(super) fn keep(&self, digest: &str, who: &SignedIn, seen_ms: i64, until_ms: i64) {
        self.with(|all| {
            if all.len() >= LOGINS_MAX && !all.contains_key(digest) {
                let oldest = all.iter().min_by_key(|(_, k)| k.seen_ms).map(|(digest, _)| digest.clone());
                oldest.map(|digest| all.remove(&digest));
            }
            all.insert(digest.to_owned(), Known { who: who.clone(), seen_ms, until_ms });
        });
    }

    /// It is none any more.
    pub(super) fn forget(&self, digest: &str) {
        self.with(|all| drop(all.remove(digest)));
    }

    /// Somebody's logins ended, or what they may do changed.
    fn forget_person(&self, person: &AccountId) {
        self.with(|all| all.retain(|_, k| k.who.person.id != *person));
    }

    /// Who it was, as long as it would still be good; using it is a use.
    fn of(&self, digest: &str, now_ms: i64, idle_ms: i64) -> Option<SignedIn> {
        self.with(|all| {
            let known = all.get_mut(digest).filter(|k| now_ms - k.seen_ms < idle_ms && now_ms < k.until_ms)?;
            known.seen_ms = now_ms;
            Some(known.who.clone())
        })
    }
}

impl Desks {
    /// Who a cookie belongs to, for conducting a session and nothing else: as [`Desks::signed_in_as`], but a catalog that does not
    /// answer is gone by as it last answered.
    pub async fn conducting_as(&self, token: &str, place: &Place) -> Answer<SignedIn> {
        let asked = self.signed_in_as(token, place);
        let before = self.last_known.of(&digest::sha256(token.as_bytes()), self.now_ms(), self.settings.idle_min * 60_000);
        let Some(before) = before else { return asked.await };
        match tokio::time::timeout(PATIENCE, asked).await {
            Ok(Err(No::Fault(inside))) => tracing::error!("a session is conducted by the login as it was last known: {inside}"),
            Err(_) => tracing::error!("a session is conducted by the login as it was last known: the catalog does not answer"),
            Ok(answer) => return answer,
        }
        Ok(before)
    }

    /// Ends what somebody has open, here and in their streams: their logins ended, or what they may do changed.
    pub(super) fn cut_person(&self, person: &AccountId) {
        self.last_known.forget_person(person);
        self.streams.cut_person(person);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::people::Person;

    #[test]
    fn a_login_is_remembered_no_longer_than_it_would_be_good() {
        let id = |name: &str| AccountId::new(name).unwrap();
        let who = |name: &str| SignedIn {
            person: Person::new(id(name), name, name, &[]),
            csrf: String::new(),
            login: None,
            must_change: false,
            must_enrol: false,
            has_code: false,
        };
        let known = LastKnown::default();
        known.keep("a", &who("wang"), 0, 1_000);
        known.keep("b", &who("li"), 0, 1_000);
        let is = |digest: &str, now_ms| known.of(digest, now_ms, 300).map(|w| w.person.username);
        assert_eq!((is("a", 299).as_deref(), is("c", 0)), (Some("wang"), None));
        assert_eq!((is("a", 598).as_deref(), is("b", 598)), (Some("wang"), None), "one was used, the other idle");
        known.forget_person(&id("wang"));
        assert_eq!(is("a", 600), None);
        known.keep("a", &who("wang"), 900, 1_000);
        assert_eq!((is("a", 999).as_deref(), is("a", 1_000)), (Some("wang"), None), "the day ends");
        known.forget("a");
        assert_eq!(is("a", 950), None);
        (0..2_000).for_each(|n| known.keep(&n.to_string(), &who("wang"), n, 9_999));
        assert_eq!((known.with(|all| all.len()), is("1999", 1_999).is_some(), is("0", 1)), (LOGINS_MAX, true, None));
    }
}
