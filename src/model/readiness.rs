//! Readiness before a session (第十五条): from what was measured to green, amber and red. Nothing here keeps a session from starting.

use crate::model::people::words;
use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

/// Darker than this on average is black: in the range in which cameras send, black itself is 16 of 255.
pub(crate) const BLACK: u8 = 20;
/// Darker than this is dim.
const DIM: u8 = 36;
/// The largest change of any point while nothing at all comes from the sensor, of 255: an encoder's own key frames give 1.
pub(crate) const STILL: u8 = 1;
/// Digital silence: a live microphone in the quietest room gives more than this, dBFS.
pub(crate) const DEAF_DBFS: f64 = -80.0;
/// A clock may be so far off before it is told, µs.
const CLOCK_US: i64 = 500_000;
/// Maintenance is told so long before it is due.
const SOON: TimeDelta = TimeDelta::days(14);

words!(
    /// How ready something is.
    Level {
        /// 就绪.
        Ready = "ready",
        /// 注意.
        Amber = "amber",
        /// 不就绪.
        Red = "red",
    }
);

/// What was seen of a camera in about two seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seen {
    /// Pictures.
    pub pictures: u32,
    /// Mean light, 0 to 255.
    pub light: u8,
    /// The largest change of any point from one picture to the next, 0 to 255.
    pub change_max: u8,
}

/// What was heard.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Heard {
    /// Mean level, dB below full scale.
    pub rms_dbfs: f64,
    /// Largest level.
    pub peak_dbfs: f64,
}

/// Both.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Look {
    /// Pictures; none if there were none.
    pub seen: Option<Seen>,
    /// Sound; none if there is none.
    pub heard: Option<Heard>,
}

/// A camera, measured.
#[derive(Debug, Clone)]
pub struct Camera {
    /// Its name.
    pub name: String,
    /// What was seen and heard; none if nothing came.
    pub look: Option<Look>,
    /// Out of use (第十六条), with the reason.
    pub out_of_use: Option<String>,
    /// Until when it is maintained.
    pub maintained_until: Option<NaiveDate>,
}

/// Everything that was measured.
#[derive(Debug, Clone)]
pub struct Measured {
    /// The room's cameras.
    pub cameras: Vec<Camera>,
    /// Quieter than this is no room with people in it, dBFS.
    pub floor_dbfs: f64,
    /// Something disciplines the clock.
    pub synchronised: bool,
    /// Its offset, µs, where known.
    pub clock_us: Option<i64>,
    /// Of each volume: its name, and how many of the longest sessions fit besides the reserve; none if it cannot be looked at.
    pub room_for: Vec<(String, Option<f64>)>,
    /// Sessions of other people that the volumes have to hold too: open elsewhere, or planned within a day.
    pub reserved: usize,
    /// The signing key signs.
    pub signs: bool,
    /// Room screens that are connected; none where the room has none.
    pub screens: Option<usize>,
    /// Today, in Shanghai.
    pub today: NaiveDate,
}

/// One thing that was checked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "recorder", derive(utoipa::ToSchema))]
pub struct Check {
    /// What, as the console's texts call it (`ready-…`).
    pub what: String,
    /// Of which device or volume.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub of: Option<String>,
    /// How ready.
    pub level: Level,
    /// The figure or word behind it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
}

/// Everything that was checked.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "recorder", derive(utoipa::ToSchema))]
pub struct Readiness {
    /// In the order in which people look.
    pub checks: Vec<Check>,
}

/// A check as it lands on the session that was started after it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "recorder", derive(utoipa::ToSchema))]
pub struct Noted {
    /// When it was made.
    pub at: DateTime<Utc>,
    /// What it found.
    pub readiness: Readiness,
    /// Why the session was started all the same, where not all was ready.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

impl Readiness {
    /// The least ready of all.
    pub fn worst(&self) -> Level {
        self.checks.iter().map(|c| c.level).max().unwrap_or(Level::Ready)
    }
}

/// From what was measured to what is told.
pub fn of(m: &Measured) -> Readiness {
    let mut checks = Vec::new();
    let mut add = |what: &str, of: Option<&str>, level, detail: Option<String>| {
        checks.push(Check { what: what.into(), of: of.map(Into::into), level, detail });
    };
    for camera in &m.cameras {
        let name = Some(camera.name.as_str());
        let (what, level, detail) = picture(camera.look.as_ref());
        add(what, name, level, detail);
        if let Some(reason) = &camera.out_of_use {
            add("out-of-use", name, Level::Red, Some(reason.clone()));
        }
        match camera.maintained_until {
            Some(until) if until < m.today => add("maintenance-over", name, Level::Amber, Some(until.to_string())),
            Some(until) if until - m.today <= SOON => add("maintenance-soon", name, Level::Amber, Some(until.to_string())),
            _ => {}
        }
    }
    let (what, level, detail) = sound(m);
    add(what, None, level, detail);
    let seconds = m.clock_us.map(|us| format!("{:+.3} s", us as f64 / 1e6));
    match (m.synchronised, m.clock_us) {
        (true, Some(us)) if us.abs() > CLOCK_US => add("clock-off", None, Level::Amber, seconds),
        (true, _) => add("clock", None, Level::Ready, seconds),
        (false, _) => add("clock-free", None, Level::Amber, seconds),
    }
    for (volume, fit) in &m.room_for {
        let detail = fit.map(|n| format!("{n:.1}"));
        match fit {
            Some(n) if *n >= 1.0 && *n < 1.0 + m.reserved as f64 => {
                add("room-reserved", Some(volume), Level::Amber, fit.map(|n| format!("{n:.1} / {}", m.reserved + 1)));
            }
            Some(n) if *n >= 2.0 => add("room", Some(volume), Level::Ready, detail),
            Some(n) if *n >= 1.0 => add("room-low", Some(volume), Level::Amber, detail),
            Some(_) => add("room-none", Some(volume), Level::Red, detail),
            None => add("room-unknown", Some(volume), Level::Red, None),
        }
    }
    add(if m.signs { "key" } else { "key-fails" }, None, if m.signs { Level::Ready } else { Level::Red }, None);
    match m.screens {
        Some(0) => add("screen-away", None, Level::Amber, None),
        Some(n) => add("screen", None, Level::Ready, Some(n.to_string())),
        None => add("screen-none", None, Level::Amber, None),
    }
    Readiness { checks }
}

fn picture(look: Option<&Look>) -> (&'static str, Level, Option<String>) {
    match look.and_then(|l| l.seen) {
        None => ("picture-none", Level::Red, None),
        Some(s) if s.light < BLACK => ("picture-black", Level::Red, Some(s.light.to_string())),
        // A sensor's noise alone changes more than this from one picture to the next, also in a room where nothing moves.
        Some(s) if s.change_max <= STILL => ("picture-frozen", Level::Red, None),
        Some(s) if s.light < DIM => ("picture-dim", Level::Amber, Some(s.light.to_string())),
        Some(_) => ("picture", Level::Ready, None),
    }
}

/// One camera with sound is enough for a room; the loudest speaks for it.
fn sound(m: &Measured) -> (&'static str, Level, Option<String>) {
    let heard = m
        .cameras
        .iter()
        .filter_map(|c| c.look.as_ref()?.heard)
        .map(|h| h.rms_dbfs)
        .fold(None, |loudest: Option<f64>, db| Some(loudest.map_or(db, |l| l.max(db))));
    let detail = heard.map(|db| format!("{db:.0} dBFS"));
    match heard {
        None => ("sound-none", Level::Red, None),
        Some(db) if db <= DEAF_DBFS => ("sound-silent", Level::Red, detail),
        Some(db) if db < m.floor_dbfs => ("sound-low", Level::Amber, detail),
        Some(_) => ("sound", Level::Ready, detail),
    }
}

/// Every word that a check can have, for its texts.
pub const WORDS: &[&str] = &[
    "picture",
    "picture-none",
    "picture-black",
    "picture-frozen",
    "picture-dim",
    "out-of-use",
    "maintenance-over",
    "maintenance-soon",
    "sound",
    "sound-none",
    "sound-silent",
    "sound-low",
    "clock",
    "clock-off",
    "clock-free",
    "room",
    "room-low",
    "room-none",
    "room-reserved",
    "room-unknown",
    "key",
    "key-fails",
    "screen",
    "screen-away",
    "screen-none",
];

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn good() -> Measured {
        let look =
            Look { seen: Some(Seen { pictures: 50, light: 100, change_max: 9 }), heard: Some(Heard { rms_dbfs: -45.0, peak_dbfs: -20.0 }) };
        Measured {
            cameras: vec![Camera { name: "面部".into(), look: Some(look), out_of_use: None, maintained_until: None }],
            floor_dbfs: -60.0,
            synchronised: true,
            clock_us: Some(1_200),
            room_for: vec![("primary".into(), Some(9.0))],
            reserved: 0,
            signs: true,
            screens: Some(1),
            today: "2026-11-23".parse().unwrap(),
        }
    }

    fn not_ready(change: impl FnOnce(&mut Measured)) -> Vec<(String, Level)> {
        let mut m = good();
        change(&mut m);
        of(&m).checks.into_iter().filter(|c| c.level != Level::Ready).map(|c| (c.what, c.level)).collect()
    }

    fn seen(m: &mut Measured, light: u8, change_max: u8) {
        m.cameras[0].look.as_mut().unwrap().seen = Some(Seen { pictures: 50, light, change_max });
    }

    fn heard(m: &mut Measured, db: Option<f64>) {
        m.cameras[0].look.as_mut().unwrap().heard = db.map(|db| Heard { rms_dbfs: db, peak_dbfs: db });
    }

    #[test]
    fn each_thing_that_can_be_wrong_is_told_by_itself() {
        assert_eq!(of(&good()).worst(), Level::Ready);
        let told = |what: &str, level| vec![(what.to_owned(), level)];
        assert_eq!(not_ready(|m| m.cameras[0].look.as_mut().unwrap().seen = None), told("picture-none", Level::Red));
        assert_eq!(not_ready(|m| seen(m, 3, 9)), told("picture-black", Level::Red));
        assert_eq!(not_ready(|m| seen(m, 25, 9)), told("picture-dim", Level::Amber));
        assert_eq!(not_ready(|m| seen(m, 100, 1)), told("picture-frozen", Level::Red));
        assert_eq!(not_ready(|m| seen(m, 100, 2)), [], "an empty room where nothing moves has its noise");
        assert_eq!(not_ready(|m| heard(m, None)), told("sound-none", Level::Red));
        assert_eq!(not_ready(|m| heard(m, Some(-120.0))), told("sound-silent", Level::Red));
        assert_eq!(not_ready(|m| heard(m, Some(-70.0))), told("sound-low", Level::Amber));
        assert_eq!(not_ready(|m| m.synchronised = false), told("clock-free", Level::Amber));
        assert_eq!(not_ready(|m| m.clock_us = Some(-600_000)), told("clock-off", Level::Amber));
        assert_eq!(not_ready(|m| m.room_for[0].1 = Some(1.5)), told("room-low", Level::Amber));
        assert_eq!(not_ready(|m| m.room_for[0].1 = Some(0.9)), told("room-none", Level::Red));
        assert_eq!(not_ready(|m| m.reserved = 8), []);
        assert_eq!(not_ready(|m| m.reserved = 9), told("room-reserved", Level::Amber));
        assert_eq!(not_ready(|m| (m.room_for[0].1, m.reserved) = (Some(0.9), 3)), told("room-none", Level::Red), "a plan adds no right");
        assert_eq!(not_ready(|m| m.signs = false), told("key-fails", Level::Red));
        assert_eq!(not_ready(|m| m.screens = Some(0)), told("screen-away", Level::Amber));
        assert_eq!(not_ready(|m| m.cameras[0].out_of_use = Some("送修".into())), told("out-of-use", Level::Red));
        assert_eq!(
            not_ready(|m| m.cameras[0].maintained_until = Some("2026-11-22".parse().unwrap())),
            told("maintenance-over", Level::Amber)
        );
        assert_eq!(
            not_ready(|m| m.cameras[0].maintained_until = Some("2026-12-07".parse().unwrap())),
            told("maintenance-soon", Level::Amber)
        );
    }

    proptest! {
        #[test]
        fn whatever_is_measured_each_check_has_its_words_and_a_second_microphone_never_makes_it_worse(
            light: u8, change: u8, db in -120.0_f64..0.0, second in -120.0_f64..0.0, fit in 0.0_f64..5.0
        ) {
            let mut m = good();
            seen(&mut m, light, change);
            heard(&mut m, Some(db));
            m.room_for[0].1 = Some(fit);
            let one = of(&m);
            prop_assert!(one.checks.iter().all(|c| WORDS.contains(&c.what.as_str())));
            let level = |r: &Readiness| r.checks.iter().find(|c| c.what.starts_with("sound")).unwrap().level;
            let mut two = m.clone();
            two.cameras.push(two.cameras[0].clone());
            heard(&mut two, Some(second));
            prop_assert!(level(&of(&two)) <= level(&one).max(level(&of(&two))));
        }
    }
}
