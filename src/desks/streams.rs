//! What runs under an approval: each stream of pictures, of a copy or of a package ends with it, in the middle of a piece.

use crate::machine::clock::Clock;
use crate::model::access::Grant;
use crate::model::ids::AccountId;
use chrono::{DateTime, Utc};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::watch;

/// The streams that run now, by what allows them; and what was taken back, which is never given again.
#[derive(Default)]
pub(crate) struct Streams {
    running: Mutex<BTreeMap<String, (AccountId, watch::Sender<bool>)>>,
    over: Mutex<BTreeSet<String>>,
}

/// Whether a stream may go on.
#[derive(Clone)]
pub struct Live {
    cut: watch::Receiver<bool>,
    until: DateTime<Utc>,
    clock: Arc<dyn Clock>,
}

impl Live {
    /// At this moment.
    pub fn is(&self) -> bool {
        !*self.cut.borrow() && self.clock.now().utc < self.until
    }

    /// Returns when it may not go on any more.
    pub async fn over(&mut self) {
        while self.is() {
            let left = (self.until - self.clock.now().utc).to_std().unwrap_or_default();
            // The wall clock may be stepped: it is looked at again each second.
            let wait = left.min(Duration::from_secs(1)).max(Duration::from_millis(10));
            let _ = tokio::time::timeout(wait, self.cut.wait_for(|cut| *cut)).await;
        }
    }
}

impl Streams {
    fn with<T>(&self, work: impl FnOnce(&mut BTreeMap<String, (AccountId, watch::Sender<bool>)>) -> T) -> T {
        work(&mut self.running.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// A stream under a grant.
    pub(crate) fn under(&self, grant: &Grant, clock: &Arc<dyn Clock>) -> Live {
        self.of(grant.request().as_str(), grant.person(), grant.until(), clock)
    }

    /// A stream of somebody's until a moment, under something else that allows it.
    pub(crate) fn of(&self, about: &str, person: &AccountId, until: DateTime<Utc>, clock: &Arc<dyn Clock>) -> Live {
        let cut = self.with(|all| {
            all.retain(|_, (_, cut)| cut.receiver_count() > 0);
            all.entry(about.to_owned()).or_insert_with(|| (person.clone(), watch::channel(false).0)).1.subscribe()
        });
        // It may have been taken back between the question whether it lives and this moment.
        if self.over.lock().unwrap_or_else(PoisonError::into_inner).contains(about) {
            self.cut(about);
        }
        Live { cut, until, clock: clock.clone() }
    }

    /// Ends all that runs under it.
    pub(crate) fn cut(&self, about: &str) {
        self.over.lock().unwrap_or_else(PoisonError::into_inner).insert(about.to_owned());
        if let Some((_, cut)) = self.with(|all| all.remove(about)) {
            cut.send_replace(true);
        }
    }

    /// Ends all of somebody's.
    pub(crate) fn cut_person(&self, person: &AccountId) {
        let theirs: Vec<_> = self.with(|all| all.extract_if(.., |_, (of, _)| of == person).collect());
        for (_, (_, cut)) in theirs {
            cut.send_replace(true);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::machine::clock::SystemClock;

    #[tokio::test]
    async fn what_was_taken_back_begins_no_stream_any_more_and_ends_those_that_run() {
        let (streams, clock): (Streams, Arc<dyn Clock>) = (Streams::default(), Arc::new(SystemClock));
        let (me, until) = (AccountId::new("me").unwrap(), clock.now().utc + chrono::TimeDelta::hours(1));
        let (mut running, other) = (streams.of("r-1", &me, until, &clock), streams.of("r-2", &me, until, &clock));
        assert!(running.is() && other.is());
        streams.cut("r-1");
        running.over().await;
        assert!(!running.is() && other.is());
        assert!(!streams.of("r-1", &me, until, &clock).is(), "asked for before it was taken back, begun after");
        streams.cut_person(&me);
        assert!(!other.is());
        assert!(streams.of("r-2", &me, until, &clock).is(), "the approval itself still lives");
        assert!(!streams.of("r-3", &me, until - chrono::TimeDelta::hours(2), &clock).is());
    }
}
