//! Refusals in the log (第二十三条: what was tried is seen), bounded: somebody who tries without end fills no disk. Of each person, or of
//! each address where nobody is known, the first of a minute stand there one by one, and the rest as one entry with their number.

use crate::desks::logins::Place;
use crate::desks::{Desks, No};
use crate::model::entry::{Draft, EntryKind};
use crate::model::people::Person;
use crate::model::refusal::Refusal;
use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

/// Entries of one kind, of one person or address, that a minute may have.
const EACH_MAX: u32 = 400;
/// People and addresses that are counted apart; those beyond are counted together.
const APART_MAX: usize = 1000;
const MINUTE_MS: i64 = 60_000;

struct Minute {
    /// On the clock that only goes forward.
    began_ms: u64,
    told: u32,
    more: u64,
    actor: Option<String>,
    from: Option<String>,
}

/// What was refused in this minute.
#[derive(Default)]
pub(crate) struct Refusals(Mutex<BTreeMap<(EntryKind, String), Minute>>);

impl Refusals {
    /// Whether this one is told by itself; and the sum of the minute before, where there is one.
    fn count(&self, draft: &Draft, now_ms: u64) -> (bool, Option<Draft>) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let from = draft.about.get("from").cloned();
        let mut who = draft.actor.clone().or_else(|| from.clone()).unwrap_or_default();
        if all.len() >= APART_MAX && !all.contains_key(&(draft.kind, who.clone())) {
            who = "others".into();
        }
        let fresh = || Minute { began_ms: now_ms, told: 0, more: 0, actor: draft.actor.clone(), from: from.clone() };
        let minute = all.entry((draft.kind, who)).or_insert_with(fresh);
        let mut before = None;
        if now_ms.saturating_sub(minute.began_ms) >= MINUTE_MS as u64 {
            before = sum(draft.kind, minute);
            *minute = fresh();
        }
        let told = minute.told < EACH_MAX;
        if told {
            minute.told += 1;
        } else {
            minute.more += 1;
        }
        (told, before)
    }

    /// The sums of minutes that are over; with `all`, of this one too.
    fn over(&self, now_ms: u64, all: bool) -> Vec<Draft> {
        let mut minutes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let is_over = |m: &Minute| all || now_ms.saturating_sub(m.began_ms) >= MINUTE_MS as u64;
        minutes.extract_if(.., |_, m| is_over(m)).filter_map(|((kind, _), minute)| sum(kind, &minute)).collect()
    }
}

/// One entry for what was not told one by one.
fn sum(kind: EntryKind, minute: &Minute) -> Option<Draft> {
    let mut draft = Draft::new(kind).about("code", "repeated").about("more", minute.more);
    draft.actor.clone_from(&minute.actor);
    if let Some(from) = &minute.from {
        draft = draft.about("from", from);
    }
    (minute.more > 0).then_some(draft)
}

impl Desks {
    /// Logs a refusal, and gives it back to be told.
    pub(super) fn refused(&self, who: &Person, refusal: Refusal, tried: &str) -> No {
        self.log_refusal(Draft::new(EntryKind::Refused).by(&who.id).about("code", refusal.word()).about("tried", tried));
        refusal.into()
    }

    /// One at the first door: of somebody who is signed in, or of an address that showed a key that fits nothing. `tried`: the
    /// route, as the program writes it.
    pub fn refused_at_the_door(&self, who: Option<&Person>, place: &Place, refusal: &Refusal, tried: &str) {
        let mut draft = Draft::new(EntryKind::Refused).about("code", refusal.word()).about("tried", tried);
        if let Some(who) = who {
            draft = draft.by(&who.id);
        }
        if let Some(address) = &place.address {
            draft = draft.about("from", address);
        }
        self.log_refusal(draft);
    }

    /// Logs a refusal or a failed sign-in, or counts it.
    pub(super) fn log_refusal(&self, draft: Draft) {
        let (told, before) = self.refusals.count(&draft, self.clock.now().mono_ms);
        for draft in before.into_iter().chain(told.then_some(draft)) {
            self.acts.do_and_log(draft, |_| Ok(()));
        }
    }

    /// Every minute, and with `all` at the end: the number of what was not told one by one.
    pub fn tell_refusals(&self, all: bool) {
        for draft in self.refusals.over(self.clock.now().mono_ms, all) {
            self.acts.do_and_log(draft, |_| Ok(()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tries(refusals: &Refusals, who: &str, at_ms: u64) -> (bool, Option<Draft>) {
        refusals.count(&Draft::new(EntryKind::Refused).by(&who), at_ms)
    }

    #[test]
    fn a_minute_of_refusals_is_so_many_entries_and_a_number() {
        let refusals = Refusals::default();
        let told = (0..1000).filter(|n| tries(&refusals, "a", *n).0).count();
        assert_eq!(told, EACH_MAX as usize);
        assert!(tries(&refusals, "b", 5).0, "somebody else is counted apart");
        assert!(refusals.over(59_000, false).is_empty());
        let (told, before) = tries(&refusals, "a", 61_000);
        let before = before.unwrap();
        assert!(told && before.about["more"] == (1000 - EACH_MAX).to_string() && before.actor.as_deref() == Some("a"));
        assert!(refusals.over(200_000, false).is_empty(), "nothing more, nothing to tell");
    }

    #[test]
    fn a_thousand_addresses_are_told_apart_and_no_more() {
        let refusals = Refusals::default();
        let told = (0..5000).filter(|n| tries(&refusals, &n.to_string(), 0).0).count();
        assert_eq!(told, APART_MAX + EACH_MAX as usize);
        assert_eq!(refusals.over(0, true).iter().map(|d| d.about["more"].parse::<usize>().unwrap()).sum::<usize>(), 5000 - told);
    }
}
