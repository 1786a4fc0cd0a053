//! A device's fault (第十六条): seen by the machine or reported by a person, out of use, repaired by somebody named, tested again, and
//! back in service or gone. What the machine sees and what goes away by itself ends by itself; what a person reported does not.

use crate::model::ids::{AccountId, SessionId};
use crate::model::people::words;
use crate::model::readiness::{BLACK, DEAF_DBFS, Look, STILL};
use crate::model::refusal::Refusal;
use crate::model::session::Session;
use crate::model::words;
use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

/// What the machine sees again within so long is the same fault: one that flaps is told once.
pub const SAME: TimeDelta = TimeDelta::minutes(10);

/// How a camera's fronts tell that it refuses name or password.
pub const PASSWORD_REFUSED: &str = "the camera refuses user or password";

words!(
    /// What is wrong.
    FaultKind {
        /// No pictures come.
        StreamDown = "stream_down",
        /// The picture does not move.
        Frozen = "frozen",
        /// The picture is black.
        Dark = "dark",
        /// There is no sound where there was some.
        Muted = "muted",
        /// The camera refuses name or password.
        PasswordRefused = "password_refused",
        /// Its clock is off.
        ClockOff = "clock_off",
        /// It has another serial number than the register: it is another device.
        SerialChanged = "serial_changed",
        /// The disk says that it is failing (SMART).
        DiskFailing = "disk_failing",
        /// 损坏.
        Damaged = "damaged",
        /// 电池故障.
        Battery = "battery",
        /// 图像异常.
        Picture = "picture",
        /// 声音异常.
        Sound = "sound",
        /// 其他.
        Other = "other",
    }
);

impl FaultKind {
    /// What people can report.
    pub const REPORTED: &'static [Self] = &[Self::Picture, Self::Sound, Self::Damaged, Self::Battery, Self::Other];

    /// Whether it is seen in what a room's camera sends. Of a device that is no camera of a room nothing more of it is seen, ever.
    pub fn is_of_stream(self) -> bool {
        matches!(self, Self::StreamDown | Self::PasswordRefused | Self::Frozen | Self::Dark | Self::Muted)
    }
}

words!(
    /// Where a fault stands.
    FaultState {
        /// The machine sees it now.
        Seen = "seen",
        /// It went away by itself.
        Over = "over",
        /// 停止使用.
        OutOfUse = "out_of_use",
        /// 已报告.
        Reported = "reported",
        /// 维修中.
        InRepair = "in_repair",
        /// 复检合格.
        Retested = "retested",
        /// 恢复使用.
        Back = "back",
        /// 报废.
        Retired = "retired",
        /// Its camera is no camera of a room any more: nothing looks at it.
        CameraGone = "camera_gone",
    }
);

impl FaultState {
    /// No session starts on the device while one of its faults stands so.
    pub fn stops_use(self) -> bool {
        matches!(self, Self::OutOfUse | Self::Reported | Self::InRepair | Self::Retested)
    }

    /// Nothing more comes of it.
    pub fn is_over(self) -> bool {
        matches!(self, Self::Over | Self::Back | Self::Retired | Self::CameraGone)
    }
}

/// A step of a fault.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FaultStep {
    /// The machine does not see it any more.
    EndByItself,
    /// The camera in which the machine saw it was taken away.
    TakeAway,
    /// Somebody stops the use of a device of which the machine sees a fault.
    StopUse {
        /// Why.
        text: String,
    },
    /// It is reported (及时报告).
    Report {
        /// To whom.
        to: String,
    },
    /// It goes to be repaired (专业部门).
    Repair {
        /// By which service.
        service: String,
        /// More.
        text: Option<String>,
    },
    /// It was tested again.
    Retest {
        /// Everything was well.
        passed: bool,
        /// What was tested.
        text: String,
    },
    /// It is used again.
    Return,
    /// It is used no more.
    Retire {
        /// Why.
        text: String,
    },
}

/// A step that was made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "recorder", derive(utoipa::ToSchema))]
pub struct StepMade {
    /// When.
    pub at: DateTime<Utc>,
    /// Where the fault stood afterwards.
    pub state: FaultState,
    /// By whom; none: the machine.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<AccountId>,
    /// Their name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by_name: Option<String>,
    /// To whom it was reported, which service repairs it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub party: Option<String>,
    /// More.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// A retest did not pass.
    #[serde(default, skip_serializing_if = "is_false")]
    pub failed: bool,
}

#[allow(clippy::trivially_copy_pass_by_ref)] // serde's signature
fn is_false(b: &bool) -> bool {
    !b
}

/// A fault of a device.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "recorder", derive(utoipa::ToSchema))]
pub struct DeviceFault {
    /// 1 for the device's first.
    pub number: u32,
    /// What is wrong.
    pub kind: FaultKind,
    /// The machine saw it; else a person reported it.
    pub by_machine: bool,
    /// When it began.
    pub began: DateTime<Utc>,
    /// When it was over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended: Option<DateTime<Utc>>,
    /// How often it came, where it came back at once.
    #[serde(default = "once")]
    pub times: u32,
    /// Where it stands.
    pub state: FaultState,
    /// In words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// The session during which a person reported it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<SessionId>,
    /// What was done.
    #[serde(default)]
    pub steps: Vec<StepMade>,
}

fn once() -> u32 {
    1
}

/// What a look at a camera says of each fault that can be seen in it: it is there, it is not, or nothing is concluded. A picture is to be
/// lit while somebody needs it; at night an empty room is dark.
pub fn judged(look: &Look, is_needed: bool) -> [(FaultKind, Option<bool>); 3] {
    let dark = look.seen.map(|s| s.light < BLACK);
    let frozen = look.seen.filter(|s| s.light >= BLACK).map(|s| s.change_max <= STILL);
    let muted = look.heard.map(|h| h.rms_dbfs <= DEAF_DBFS);
    [(FaultKind::Frozen, frozen), (FaultKind::Dark, dark.filter(|dark| is_needed || !dark)), (FaultKind::Muted, muted)]
}

/// Who makes a step.
pub type By<'a> = Option<(&'a AccountId, &'a str)>;

impl DeviceFault {
    /// One that the machine sees.
    pub fn seen(number: u32, at: DateTime<Utc>, kind: FaultKind, text: Option<String>) -> Self {
        let state = FaultState::Seen;
        let made = StepMade { at, state, by: None, by_name: None, party: None, text: text.clone(), failed: false };
        Self { number, kind, by_machine: true, began: at, ended: None, times: 1, state, text, session: None, steps: vec![made] }
    }

    /// One that a person reports: the device is out of use from this moment on.
    pub fn reported(
        number: u32,
        at: DateTime<Utc>,
        by: &AccountId,
        by_name: &str,
        kind: FaultKind,
        text: &str,
        session: Option<SessionId>,
    ) -> Self {
        let (state, text) = (FaultState::OutOfUse, Some(text.to_owned()));
        let made =
            StepMade { at, state, by: Some(by.clone()), by_name: Some(by_name.into()), party: None, text: text.clone(), failed: false };
        Self { number, kind, by_machine: false, began: at, ended: None, times: 1, state, text, session, steps: vec![made] }
    }

    /// The same fault that came back: it goes on, and is counted.
    #[must_use]
    pub fn again(mut self) -> Self {
        self.state = FaultState::Seen;
        self.ended = None;
        self.times += 1;
        self
    }

    /// Whether what is seen now is this one, come back.
    pub fn is_back(&self, kind: FaultKind, now: DateTime<Utc>) -> bool {
        self.kind == kind && self.state == FaultState::Over && self.ended.is_some_and(|ended| now - ended <= SAME)
    }

    /// The fault after a step, or why there is none.
    pub fn after(&self, step: &FaultStep, at: DateTime<Utc>, by: By<'_>) -> Result<Self, Refusal> {
        use FaultState::{Back, CameraGone, InRepair, OutOfUse, Over, Reported, Retested, Retired, Seen};
        let needed_line = |field: &str, text: &str| words::needed_line(field, text).map_err(Refusal::from);
        let needed_text = |field: &str, text: &str| words::needed_text(field, text).map_err(Refusal::from);
        let (mut party, mut text, mut failed) = (None, None, false);
        let state = match (step, self.state) {
            (FaultStep::EndByItself, Seen) => Over,
            (FaultStep::TakeAway, Seen) if self.kind.is_of_stream() => CameraGone,
            (FaultStep::StopUse { text: why }, Seen) => {
                text = Some(needed_text("reason", why)?);
                OutOfUse
            }
            (FaultStep::Report { to }, OutOfUse) => {
                party = Some(needed_line("reported_to", to)?);
                Reported
            }
            (FaultStep::Repair { service, text: more }, Reported | Retested) => {
                party = Some(needed_line("service", service)?);
                text = more.as_deref().map_or(Ok(None), |t| words::text("text", t))?;
                InRepair
            }
            (FaultStep::Retest { passed, text: tested }, OutOfUse | Reported | InRepair) => {
                text = Some(needed_text("tested", tested)?);
                failed = !passed;
                // What did not pass has to be looked after again, from the report on.
                if *passed { Retested } else { Reported }
            }
            (FaultStep::Return, Retested) => Back,
            (FaultStep::Retire { text: why }, Seen | OutOfUse | Reported | InRepair | Retested) => {
                text = Some(needed_text("reason", why)?);
                Retired
            }
            _ => return Err(Refusal::FaultState { state: self.state.as_str().into() }),
        };
        let mut next = self.clone();
        next.state = state;
        next.ended = state.is_over().then_some(at);
        // Why it is out of use is told at every start that it takes no part in.
        if state == OutOfUse {
            next.text.clone_from(&text);
        }
        // What the machine sees and forgets needs no line each time: it is counted.
        if state != Over {
            let (by, by_name) = by.map_or((None, None), |(id, name)| (Some(id.clone()), Some(name.to_owned())));
            next.steps.push(StepMade { at, state, by, by_name, party, text, failed });
        }
        Ok(next)
    }

    /// Whether it overlaps a stretch of time.
    pub fn overlaps(&self, from: DateTime<Utc>, to: DateTime<Utc>) -> bool {
        self.began < to && self.ended.is_none_or(|ended| ended > from)
    }

    /// Whether it is one of a session's own: it held while the session ran.
    pub fn is_of(&self, session: &Session, now: DateTime<Utc>) -> bool {
        self.session.as_ref() == Some(&session.id) || self.overlaps(session.started_at, session.ended_at.unwrap_or(now))
    }

    /// How long the device was out of use by it within a stretch of time, ms.
    pub fn out_of_use_ms(&self, from: DateTime<Utc>, to: DateTime<Utc>) -> u64 {
        let Some(since) = self.steps.iter().find(|s| s.state == FaultState::OutOfUse).map(|s| s.at) else { return 0 };
        let until = self.ended.unwrap_or(to).min(to);
        (until - since.max(from)).num_milliseconds().max(0) as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::device::tests::at;

    fn who() -> AccountId {
        AccountId::new("a").unwrap()
    }

    fn step(word: &str) -> FaultStep {
        match word {
            "over" => FaultStep::EndByItself,
            "away" => FaultStep::TakeAway,
            "stop" => FaultStep::StopUse { text: "停用".into() },
            "report" => FaultStep::Report { to: "办公室".into() },
            "repair" => FaultStep::Repair { service: "某安防公司".into(), text: None },
            "pass" => FaultStep::Retest { passed: true, text: "图像、声音正常".into() },
            "fail" => FaultStep::Retest { passed: false, text: "无声音".into() },
            "return" => FaultStep::Return,
            _ => FaultStep::Retire { text: "无法修复".into() },
        }
    }

    fn goes(seen: bool, steps: &str) -> String {
        let mut fault = if seen {
            DeviceFault::seen(1, at(0), FaultKind::StreamDown, None)
        } else {
            DeviceFault::reported(1, at(0), &who(), "王", FaultKind::Damaged, "坏", None)
        };
        for (n, word) in steps.split_whitespace().enumerate() {
            match fault.after(&step(word), at(n as i64 + 1), Some((&who(), "孙"))) {
                Ok(next) => fault = next,
                Err(Refusal::FaultState { state }) => return format!("{state}: no {word}"),
                Err(other) => return other.to_string(),
            }
        }
        fault.state.as_str().into()
    }

    #[test]
    fn a_fault_goes_from_its_report_to_the_retest_and_no_other_way() {
        for (seen, steps, ends) in [
            (false, "report repair pass return", "back"),
            (false, "report repair fail repair pass return", "back"),
            (false, "pass return", "back"),
            (false, "return", "out_of_use: no return"),
            (false, "repair", "out_of_use: no repair"),
            (false, "over", "out_of_use: no over"),
            (false, "report repair return", "in_repair: no return"),
            (false, "report repair pass repair pass return", "back"),
            (false, "report retire", "retired"),
            (false, "report retire pass", "retired: no pass"),
            (true, "over", "over"),
            (true, "over over", "over: no over"),
            (true, "away", "camera_gone"),
            (true, "away over", "camera_gone: no over"),
            (true, "stop away", "out_of_use: no away"),
            (false, "away", "out_of_use: no away"),
            (true, "report", "seen: no report"),
            (true, "stop over", "out_of_use: no over"),
            (true, "stop report repair pass return", "back"),
        ] {
            assert_eq!(goes(seen, steps), ends, "{seen} {steps}");
        }
    }

    #[test]
    fn a_step_says_who_when_and_by_whom_it_is_repaired_and_an_empty_one_is_refused() {
        let fault = DeviceFault::reported(1, at(0), &who(), "王", FaultKind::Damaged, "坏", None);
        assert!(fault.after(&FaultStep::Report { to: " ".into() }, at(1), None).is_err());
        let reported = fault.after(&step("report"), at(1), Some((&who(), "王"))).unwrap();
        assert!(reported.after(&FaultStep::Repair { service: String::new(), text: None }, at(2), None).is_err());
        let repaired = reported.after(&step("repair"), at(2), Some((&who(), "孙"))).unwrap();
        let last = repaired.steps.last().unwrap();
        assert_eq!((last.party.as_deref(), last.by_name.as_deref(), last.at), (Some("某安防公司"), Some("孙"), at(2)));
        assert!(repaired.after(&FaultStep::Retest { passed: true, text: String::new() }, at(3), None).is_err());
    }

    #[test]
    fn what_flaps_is_one_fault_and_what_comes_back_later_is_another() {
        let seen = DeviceFault::seen(1, at(0), FaultKind::StreamDown, None);
        let over = seen.after(&FaultStep::EndByItself, at(1), None).unwrap();
        assert!(over.is_back(FaultKind::StreamDown, at(5)) && !over.is_back(FaultKind::Dark, at(5)));
        assert!(!over.is_back(FaultKind::StreamDown, at(12)) && !seen.is_back(FaultKind::StreamDown, at(1)));
        let away = seen.after(&FaultStep::TakeAway, at(1), None).unwrap();
        assert_eq!((away.ended, away.steps.last().unwrap().state), (Some(at(1)), FaultState::CameraGone));
        assert!(!away.is_back(FaultKind::StreamDown, at(2)), "a camera that is put back begins anew");
        assert!(DeviceFault::seen(1, at(0), FaultKind::SerialChanged, None).after(&FaultStep::TakeAway, at(1), None).is_err());
        let again = over.again();
        assert_eq!((again.times, again.state, again.began), (2, FaultState::Seen, at(0)));
    }

    #[test]
    fn a_look_tells_what_is_wrong_and_an_empty_room_at_night_is_no_fault() {
        use crate::model::readiness::{Heard, Seen};
        let look = |light, change_max, db: Option<f64>| Look {
            seen: Some(Seen { pictures: 50, light, change_max }),
            heard: db.map(|rms_dbfs| Heard { rms_dbfs, peak_dbfs: rms_dbfs }),
        };
        let told = |l: &Look, needed| judged(l, needed).map(|(_, there)| there);
        assert_eq!(told(&look(100, 9, Some(-40.0)), true), [Some(false); 3]);
        assert_eq!(told(&look(100, 1, None), true), [Some(true), Some(false), None]);
        assert_eq!(told(&look(3, 1, Some(-120.0)), true), [None, Some(true), Some(true)]);
        assert_eq!(told(&look(3, 1, None), false), [None, None, None]);
        assert_eq!(told(&Look::default(), true), [None; 3]);
    }

    #[test]
    fn hours_out_of_use_count_from_the_stop_to_the_return_within_the_stretch() {
        let mut fault = DeviceFault::reported(1, at(60), &who(), "王", FaultKind::Damaged, "坏", None);
        let minutes = |ms: u64| ms / 60_000;
        assert_eq!(minutes(fault.out_of_use_ms(at(0), at(120))), 60);
        assert_eq!(minutes(fault.out_of_use_ms(at(90), at(120))), 30);
        for (n, word) in ["report", "repair", "pass", "return"].into_iter().enumerate() {
            fault = fault.after(&step(word), at(70 + n as i64 * 10), None).unwrap();
        }
        assert_eq!(minutes(fault.out_of_use_ms(at(0), at(1000))), 40);
        assert_eq!(DeviceFault::seen(1, at(0), FaultKind::Dark, None).out_of_use_ms(at(0), at(10)), 0);
    }
}
