//! When an alarm begins and when it ends, from what is seen now and what stands. One alarm an occurrence; what comes and goes becomes one
//! alarm that says so; what is urgent and not acknowledged is told again, ever more rarely. However much is seen, little is told.

use crate::model::alarm::{AlarmKind, AlarmRow, Happening, Observed, Severity, Told};
use crate::model::time::Moment;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// What comes so often within an hour is unsteady.
pub const FLAPS: usize = 5;
const HOUR_MS: u64 = 3_600_000;
/// What is unsteady ends when it has been away for so long.
pub const QUIET_MS: u64 = 15 * 60_000;
/// After a start, what takes a while to be seen again is not taken for over until then.
pub const GRACE_MS: u64 = 60_000;
/// When what is urgent is told again, minutes after it was told last; the last for ever.
const REMIND_MIN: [i64; 5] = [15, 60, 240, 720, 1440];

/// What is known of one kind and subject.
#[derive(Debug, Clone, Default)]
struct Track {
    /// Since when it is seen, ms of the monotonic clock.
    seen_since: Option<u64>,
    /// Since when it is not seen, while an alarm of it is open.
    gone_since: Option<u64>,
    /// It counts as gone from then on only.
    grace_until: u64,
    /// When it came, within the last hour.
    comes: VecDeque<u64>,
    open: Option<AlarmRow>,
    /// Of what stays: somebody has acknowledged it.
    is_done: bool,
}

/// All alarms that are open, and what is needed to tell the next.
#[derive(Debug, Clone, Default)]
pub struct Book {
    tracks: BTreeMap<(AlarmKind, String), Track>,
    made: u32,
}

impl Book {
    /// After a start: what was open stays open, and what was acknowledged stays so. `done`: of what stays, what was acknowledged.
    pub fn resume(open: Vec<AlarmRow>, done: Vec<(AlarmKind, String)>, now: Moment) -> Self {
        let mut book = Self::default();
        for key in done {
            book.tracks.entry(key).or_default().is_done = true;
        }
        for row in open {
            let late = if row.kind.rule().seen_late { GRACE_MS } else { 0 };
            let track = Track { seen_since: Some(0), grace_until: now.mono_ms + late, open: Some(row.clone()), ..Track::default() };
            book.tracks.insert((row.kind, row.subject), track);
        }
        book
    }

    /// The alarms that are open, the gravest and oldest first.
    pub fn open(&self) -> Vec<AlarmRow> {
        let mut open: Vec<AlarmRow> = self.tracks.values().filter_map(|t| t.open.clone()).collect();
        open.sort_by_key(|r| (r.acknowledged_at.is_some(), std::cmp::Reverse(r.severity), r.began_at));
        open
    }

    /// A look: all that is wrong now. What is there twice counts once.
    pub fn look(&mut self, now: Moment, observed: &[Observed]) -> Vec<Told> {
        let (mut told, mut seen) = (Vec::new(), BTreeSet::new());
        for o in observed {
            let key = (o.kind, o.subject.clone());
            if seen.insert(key.clone()) {
                let id = format!("al-{:x}{:02x}", now.utc.timestamp_millis(), self.made % 256);
                let track = self.tracks.entry(key).or_default();
                let was_open = track.open.is_some();
                told.extend(track.seen(now, o, id));
                self.made = self.made.wrapping_add(u32::from(!was_open && track.open.is_some()));
            }
        }
        for (key, track) in &mut self.tracks {
            if !seen.contains(key) {
                told.extend(track.gone(now));
            }
            told.extend(track.remind(now));
        }
        self.tracks.retain(|_, t| t.is_of_use(now));
        told
    }

    /// The open alarm of a number.
    pub fn find(&self, id: &str) -> Option<&AlarmRow> {
        self.tracks.values().filter_map(|t| t.open.as_ref()).find(|r| r.id == id)
    }

    /// Somebody acknowledges one; none where it is not open any more, or somebody has.
    pub fn acknowledge(&mut self, id: &str, by: &str, reason: Option<String>, at_ms: i64) -> Option<Told> {
        let track = self.tracks.values_mut().find(|t| t.open.as_ref().is_some_and(|r| r.id == id && r.acknowledged_at.is_none()))?;
        let mut row = track.open.take()?;
        (row.acknowledged_at, row.acknowledged_by, row.reason) = (Some(at_ms), Some(by.to_owned()), reason);
        if row.kind.rule().stays {
            row.ended_at = Some(at_ms);
            track.is_done = true;
        }
        if row.ended_at.is_none() {
            track.open = Some(row.clone());
        }
        Some(Told { what: Happening::Acknowledged, alarm: row })
    }
}

impl Track {
    fn seen(&mut self, now: Moment, o: &Observed, id: String) -> Option<Told> {
        let (rule, at) = (o.kind.rule(), now.mono_ms);
        if self.is_done {
            return None;
        }
        let comes = self.seen_since.is_none();
        let since = *self.seen_since.get_or_insert(at);
        self.gone_since = None;
        if comes {
            self.comes.push_back(at);
            self.comes.retain(|came| came + HOUR_MS > at);
            while self.comes.len() > FLAPS {
                self.comes.pop_front();
            }
        }
        let flaps = !rule.stays && !rule.asks && self.comes.len() >= FLAPS;
        let Some(row) = &mut self.open else {
            return (flaps || at.saturating_sub(since) >= rule.raise_ms).then(|| self.begin(now, o, id, flaps));
        };
        let mut what = None;
        if comes {
            row.count += 1;
            row.ended_at = None;
            // Counted on paper now and then only: what flaps for a night does not fill a disk.
            what = row.count.is_power_of_two().then_some(Happening::Counted);
        }
        if flaps && !row.unsteady {
            row.unsteady = true;
            what = Some(Happening::Unsteady);
        }
        if o.severity > row.severity {
            row.severity = o.severity;
            what = Some(Happening::Worsened);
        }
        let what = what?;
        if what != Happening::Counted {
            row.told_at = now.utc.timestamp_millis();
        }
        Some(Told { what, alarm: row.clone() })
    }

    fn begin(&mut self, now: Moment, o: &Observed, id: String, unsteady: bool) -> Told {
        let at_ms = now.utc.timestamp_millis();
        let row = AlarmRow {
            id,
            kind: o.kind,
            severity: o.severity,
            subject: o.subject.clone(),
            name: o.name.clone(),
            room: o.room.clone(),
            text: o.text.clone(),
            count: if unsteady { FLAPS as u32 } else { 1 },
            unsteady,
            began_at: at_ms,
            ended_at: None,
            acknowledged_at: None,
            acknowledged_by: None,
            reason: None,
            told_at: at_ms,
            reminders: 0,
        };
        self.open = Some(row.clone());
        Told { what: Happening::Raised, alarm: row }
    }

    fn gone(&mut self, now: Moment) -> Option<Told> {
        self.seen_since = None;
        let row = self.open.as_mut()?;
        let rule = row.kind.rule();
        if rule.stays || row.ended_at.is_some() {
            return None;
        }
        let since = *self.gone_since.get_or_insert(now.mono_ms.max(self.grace_until));
        let clear_ms = if row.unsteady { QUIET_MS } else { rule.clear_ms };
        if now.mono_ms < since + clear_ms {
            return None;
        }
        row.ended_at = Some(now.utc.timestamp_millis());
        let told = Told { what: Happening::Cleared, alarm: row.clone() };
        if row.unsteady {
            self.comes.clear();
        }
        if !row.is_open() {
            self.open = None;
        }
        self.gone_since = None;
        Some(told)
    }

    fn remind(&mut self, now: Moment) -> Option<Told> {
        let row = self.open.as_mut().filter(|r| r.acknowledged_at.is_none() && r.ended_at.is_none())?;
        let at_ms = now.utc.timestamp_millis();
        // By a clock that was set back it was told just now.
        row.told_at = row.told_at.min(at_ms);
        let after_min = REMIND_MIN[(row.reminders as usize).min(REMIND_MIN.len() - 1)];
        if row.severity < Severity::Urgent || at_ms - row.told_at < after_min * 60_000 {
            return None;
        }
        row.reminders += 1;
        row.told_at = at_ms;
        Some(Told { what: Happening::Reminder, alarm: row.clone() })
    }

    fn is_of_use(&self, now: Moment) -> bool {
        let came_lately = self.comes.back().is_some_and(|came| came + HOUR_MS > now.mono_ms);
        self.is_done || self.open.is_some() || self.seen_since.is_some() || came_lately
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::{DateTime, TimeDelta};
    use proptest::prelude::*;

    fn at(s: u64) -> Moment {
        Moment { utc: DateTime::UNIX_EPOCH + TimeDelta::days(20_000) + TimeDelta::seconds(s as i64), mono_ms: s * 1000 }
    }

    /// `face` is looked at every two seconds: from–to, away in between; what was told, and when.
    fn play(book: &mut Book, kind: AlarmKind, seen: &[(u64, u64)], until: u64) -> Vec<(u64, &'static str)> {
        let mut all = Vec::new();
        for s in (0..until).step_by(2) {
            let is_there = seen.iter().any(|(from, to)| (*from..*to).contains(&s));
            let observed: Vec<Observed> = is_there.then(|| Observed::new(kind, "face", "面部")).into_iter().collect();
            all.extend(book.look(at(s), &observed).into_iter().map(|t| (s, t.what.as_str())));
        }
        all
    }

    #[test]
    fn what_settles_begins_once_and_ends_once_and_what_passes_is_told_to_nobody() {
        let kind = AlarmKind::StreamDown;
        for (seen, told) in [
            (&[(0, 100)][..], &[(10, "raised"), (106, "cleared")][..]),
            (&[(0, 8)], &[]),
            (&[(0, 30), (32, 100)], &[(10, "raised"), (32, "counted"), (106, "cleared")]),
            (&[(0, 30), (100, 130)], &[(10, "raised"), (36, "cleared"), (110, "raised"), (136, "cleared")]),
        ] {
            assert_eq!(play(&mut Book::default(), kind, seen, 200), told, "{seen:?}");
        }
    }

    #[test]
    fn what_comes_and_goes_is_one_alarm_that_ends_when_it_has_been_quiet() {
        let flaps: Vec<(u64, u64)> = (0..300).map(|n| (n * 8, n * 8 + 4)).collect();
        let mut book = Book::default();
        let told = play(&mut book, AlarmKind::StreamDown, &flaps, 4000);
        let said: Vec<&str> = told.iter().map(|(_, w)| *w).filter(|w| *w != "counted").collect();
        assert_eq!(said, ["raised", "cleared"], "{told:?}");
        assert!(told.len() < 12, "counted on paper now and then only: {told:?}");
        assert_eq!(told[0].0, 32, "the fifth time");
        assert_eq!(told.last().unwrap().0, 299 * 8 + 4 + QUIET_MS / 1000);
        assert!(book.open().is_empty());
    }

    #[test]
    fn an_urgent_alarm_is_told_again_ever_more_rarely_until_somebody_acknowledges_it() {
        let mut book = Book::default();
        let observed = [Observed::new(AlarmKind::LogTrouble, "log", "")];
        let mut told = Vec::new();
        for minute in 0..60 * 24 * 3 {
            told.extend(book.look(at(minute * 60), &observed).into_iter().map(|t| (minute, t)));
        }
        let when: Vec<u64> = told.iter().map(|(m, _)| *m).collect();
        assert_eq!(when, [1, 16, 76, 316, 1036, 2476, 3916]);
        let id = told[0].1.alarm.id.clone();
        let told = book.acknowledge(&id, "王", Some("换盘".into()), 1).unwrap();
        assert_eq!((told.what, told.alarm.ended_at), (Happening::Acknowledged, None));
        assert!(book.acknowledge(&id, "李", None, 2).is_none(), "once");
        assert!(book.look(at(60 * 60 * 24 * 30), &observed).is_empty());
        assert_eq!(book.look(at(60 * 60 * 24 * 30 + 60), &[]).len() + book.look(at(60 * 60 * 24 * 30 + 120), &[]).len(), 1);
        assert!(book.open().is_empty());
    }

    #[test]
    fn what_matters_more_than_it_did_is_told_once() {
        let mut book = Book::default();
        let calm = Observed::new(AlarmKind::StreamDown, "face", "面部");
        let in_session = calm.clone().urgent_if(true);
        let mut said = Vec::new();
        for (s, o) in [(0, &calm), (10, &calm), (20, &in_session), (30, &in_session), (40, &calm)] {
            said.extend(book.look(at(s), std::slice::from_ref(o)).into_iter().map(|t| t.what));
        }
        assert_eq!(said, [Happening::Raised, Happening::Worsened]);
        assert_eq!(book.open()[0].severity, Severity::Urgent);
    }

    #[test]
    fn after_a_start_the_open_ones_are_open_and_nothing_is_told_twice() {
        let mut book = Book::default();
        let stays = Observed::new(AlarmKind::DamageFound, "x", "");
        let down = Observed::new(AlarmKind::StreamDown, "face", "面部");
        let backup = Observed::new(AlarmKind::BackupFailed, "backup", "");
        let all = [stays.clone(), down.clone(), backup];
        assert_eq!(book.look(at(0), &all).len() + book.look(at(10), &all).len(), 3);
        let damage = book.open().into_iter().find(|r| r.kind == AlarmKind::DamageFound).unwrap();
        assert!(book.acknowledge(&damage.id, "王", None, 1).unwrap().alarm.ended_at.is_some());
        assert!(book.look(at(12), &all).is_empty());
        let mut book = Book::resume(book.open(), vec![(AlarmKind::DamageFound, "x".into())], at(0));
        assert_eq!(book.look(at(2), &[stays.clone(), down.clone()]), []);
        assert_eq!(book.open().len(), 2, "what is seen late is not over yet");
        assert_eq!(book.look(at(70), &[stays, down]).iter().map(|t| t.what).collect::<Vec<_>>(), [Happening::Cleared]);
    }

    #[test]
    fn a_room_in_use_is_asked_about_until_somebody_answers_also_when_it_is_quiet_again() {
        let mut book = Book::default();
        let told = play(&mut book, AlarmKind::RoomInUse, &[(0, 20), (100, 120)], 200);
        let said: Vec<&str> = told.iter().map(|(_, w)| *w).collect();
        assert_eq!(said, ["raised", "cleared", "counted", "cleared"]);
        let open = book.open();
        assert!(open.len() == 1 && open[0].is_unanswered() && open[0].count == 2);
        book.acknowledge(&open[0].id, "孙", Some("开会".into()), 1).unwrap();
        assert!(book.open().is_empty());
    }

    proptest! {
        #[test]
        fn whatever_is_seen_alarms_begin_and_end_in_turn_and_what_is_told_is_bounded(
            looks in proptest::collection::vec(proptest::collection::vec((0..AlarmKind::ALL.len(), 0..3u8), 0..6), 1..400), step in 1..90u64,
        ) {
            let mut book = Book::default();
            let mut open: BTreeMap<(AlarmKind, String), String> = BTreeMap::new();
            let mut ids = BTreeSet::new();
            let (mut told, mut keys) = (0u64, BTreeSet::new());
            for (n, look) in looks.iter().enumerate() {
                let observed: Vec<Observed> = look.iter().map(|(k, s)| Observed::new(AlarmKind::ALL[*k], &s.to_string(), "")).collect();
                keys.extend(look.iter().copied());
                for t in book.look(at(n as u64 * step), &observed) {
                    let key = (t.alarm.kind, t.alarm.subject.clone());
                    match t.what {
                        Happening::Raised => {
                            prop_assert!(ids.insert(t.alarm.id.clone()), "a number is used once");
                            prop_assert!(open.insert(key, t.alarm.id.clone()).is_none(), "never two of the same");
                        }
                        Happening::Cleared if t.alarm.is_open() => {}
                        Happening::Cleared => prop_assert_eq!(open.remove(&key), Some(t.alarm.id.clone())),
                        _ => prop_assert_eq!(open.get(&key), Some(&t.alarm.id)),
                    }
                    told += u64::from(t.what != Happening::Counted && !t.alarm.kind.rule().asks);
                }
                let now: BTreeSet<String> = book.open().into_iter().map(|r| r.id).collect();
                prop_assert_eq!(&now, &open.values().cloned().collect::<BTreeSet<_>>());
            }
            // Of each thing in an hour, at most thrice: four that begin and end, and one that is unsteady; and what reminds.
            let hours = looks.len() as u64 * step / 3600 + 1;
            prop_assert!(told <= keys.len() as u64 * hours * 40, "{told} of {} in {hours} h", keys.len());
        }
    }
}
