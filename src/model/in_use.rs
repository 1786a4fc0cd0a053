//! A room in use with nothing recorded (第二十三条（一）): sound tells that people are talking. One alarm an occurrence; nothing of the sound
//! is kept but whether it was loud.

use std::collections::VecDeque;

/// Of the samples of the window, this share has to be loud: talk has its pauses.
const SHARE: f64 = 0.6;
/// So much of the window has to be covered by samples, or nothing is concluded.
const COVERED: f64 = 0.8;
/// So long without talk ends an occurrence, ms.
const QUIET_MS: u64 = 10 * 60_000;

/// What a sample makes of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Told {
    /// People are talking, for the whole window: the alarm begins.
    Begins,
    /// It has been quiet for ten minutes, or a session began: the occurrence is over.
    Ends,
}

/// What is remembered of a room: of the last samples, when, and whether it was loud.
#[derive(Debug, Clone)]
pub struct Watch {
    window_ms: u64,
    samples: VecDeque<(u64, bool)>,
    since_loud_ms: Option<u64>,
    alarmed: bool,
}

impl Watch {
    /// `window_ms`: how long people have to talk.
    pub fn new(window_ms: u64) -> Self {
        Self { window_ms, samples: VecDeque::new(), since_loud_ms: None, alarmed: false }
    }

    /// A sample at a time of the monotonic clock; `None` while a session is open: what is recorded is no alarm.
    pub fn hear(&mut self, now_ms: u64, loud: Option<bool>) -> Option<Told> {
        let Some(loud) = loud else {
            let ends = self.alarmed.then_some(Told::Ends);
            *self = Self::new(self.window_ms);
            return ends;
        };
        self.samples.push_back((now_ms, loud));
        while self.samples.front().is_some_and(|(at, _)| at + self.window_ms < now_ms) {
            self.samples.pop_front();
        }
        if loud {
            self.since_loud_ms = Some(now_ms);
        }
        if self.alarmed {
            let quiet = self.since_loud_ms.is_none_or(|at| at + QUIET_MS <= now_ms);
            self.alarmed = !quiet;
            return quiet.then_some(Told::Ends);
        }
        let covered = self.samples.front().map_or(0, |(first, _)| now_ms - first);
        let share = self.samples.iter().filter(|(_, l)| *l).count() as f64 / self.samples.len() as f64;
        self.alarmed = covered as f64 >= self.window_ms as f64 * COVERED && share >= SHARE;
        self.alarmed.then_some(Told::Begins)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Samples of every five seconds; what was told, and when, s.
    fn play(samples: impl IntoIterator<Item = Option<bool>>) -> Vec<(u64, Told)> {
        let mut watch = Watch::new(120_000);
        samples.into_iter().enumerate().filter_map(|(n, loud)| Some((n as u64 * 5, watch.hear(n as u64 * 5_000, loud)?))).collect()
    }

    #[test]
    fn two_minutes_of_talk_alarm_once_and_ten_quiet_minutes_end_it() {
        let talk = std::iter::repeat_n(Some(true), 60);
        let quiet = std::iter::repeat_n(Some(false), 125);
        let told = play(talk.clone().chain(quiet).chain(talk));
        assert_eq!(told.iter().map(|(_, t)| *t).collect::<Vec<_>>(), [Told::Begins, Told::Ends, Told::Begins]);
        assert!((95..=120).contains(&told[0].0), "{told:?}");
        assert_eq!(told[1].0, 295 + 600);
    }

    #[test]
    fn pauses_of_talk_do_not_hide_it_and_a_slammed_door_is_no_talk() {
        let with_pauses = (0..40).map(|n| Some(n % 3 != 0));
        assert_eq!(play(with_pauses).len(), 1);
        let doors = (0..400).map(|n| Some(n % 4 == 0));
        assert_eq!(play(doors), []);
    }

    #[test]
    fn a_session_ends_the_alarm_and_begins_the_watch_anew() {
        let talk = || std::iter::repeat_n(Some(true), 30);
        let told = play(talk().chain([None, None]).chain(talk()));
        assert_eq!(told.iter().map(|(_, t)| *t).collect::<Vec<_>>(), [Told::Begins, Told::Ends, Told::Begins]);
    }

    proptest! {
        #[test]
        fn begins_and_ends_take_turns_whatever_is_heard(samples in proptest::collection::vec(proptest::option::weighted(0.98, any::<bool>()), 0..600)) {
            let told = play(samples);
            for (n, (_, t)) in told.iter().enumerate() {
                prop_assert_eq!(*t, if n % 2 == 0 { Told::Begins } else { Told::Ends });
            }
        }
    }
}
