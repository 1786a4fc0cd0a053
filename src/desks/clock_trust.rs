//! The clock is watched: by one that is in doubt nothing is given up (第十八条), until somebody has compared it with something outside.

use crate::catalog::entries;
use crate::desks::{Answer, Desks, No, blocking};
use crate::machine::durable;
use crate::model::clock_trust::ClockTrust;
use crate::model::entry::{Draft, EntryKind};
use crate::model::hold::Word;
use crate::model::people::{Act, Person};
use crate::model::refusal::Refusal;
use crate::model::time::Moment;
use crate::model::words;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

/// What the recorder saw of the clock in this run, and what is known of it from run to run.
#[derive(Default)]
pub(crate) struct ClockWatch(Mutex<(Option<Moment>, ClockTrust)>);

impl Desks {
    fn clock_file(&self) -> PathBuf {
        self.settings.data.join("custody/clock.json")
    }

    /// What is known of the clock.
    pub fn clock_trust(&self) -> ClockTrust {
        self.clock_watch.0.lock().unwrap_or_else(PoisonError::into_inner).1.clone()
    }

    /// Looks at the clock; each minute, and once at the start, with what was seen before then.
    pub async fn watch_clock(&self) -> Answer<()> {
        let (file, now) = (self.clock_file(), self.now());
        let (before, known) = self.clock_watch.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let known = if before.is_some() {
            known
        } else {
            let read = blocking("reading the clock's file", move || durable::read_whole(&file, 1 << 20)).await?;
            let kept: ClockTrust = read.ok().and_then(|data| serde_json::from_slice(&data).ok()).unwrap_or_default();
            // Where that file is lost, the log still says how late it was.
            let logged = self.read(move |c| entries::latest(c, now.utc)).await?;
            ClockTrust { seen: kept.seen.max(logged), ..kept }
        };
        let next = known.after(before, now);
        if let Some(doubt) = next.doubts.get(known.doubts.len()) {
            tracing::error!(kind = doubt.kind.as_str(), from = %doubt.from, to = %doubt.to, "the clock is in doubt: nothing is given up");
            let draft =
                Draft::new(EntryKind::ClockDoubted).about("kind", doubt.kind.as_str()).about("was", doubt.from).about("shown", doubt.to);
            self.acts.do_and_log(draft, |_| Ok(()));
        }
        self.keep_clock(Some(now), next).await
    }

    async fn keep_clock(&self, seen: Option<Moment>, next: ClockTrust) -> Answer<()> {
        let data = serde_json::to_vec(&next).map_err(|e| No::Fault(e.to_string()))?;
        let file = self.clock_file();
        {
            let mut watch = self.clock_watch.0.lock().unwrap_or_else(PoisonError::into_inner);
            *watch = (seen.or(watch.0), next);
        }
        Ok(blocking("keeping the clock's file", move || durable::write_whole(&file, &data)).await??)
    }

    /// Says that the date is right, after it was compared with something outside.
    pub async fn confirm_clock(&self, who: &Person, reason: &str) -> Answer<ClockTrust> {
        self.need(who, Act::ConfirmClock)?;
        self.proved(who)?;
        let reason = words::needed_text("reason", reason).map_err(Refusal::from)?;
        let now = self.now();
        let draft = Draft::new(EntryKind::ClockConfirmed).by(&who.id).about("shown", now.utc).text("reason", Some(&reason));
        self.acts.log_then_do(draft, |_| Ok(())).await?;
        let word = Word { at: now.utc, by: who.id.clone(), reason: Some(reason) };
        let next = self.clock_trust().confirmed(word);
        self.keep_clock(Some(now), next.clone()).await?;
        Ok(next)
    }
}
