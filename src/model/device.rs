//! Equipment (办案设备): what it is, when it is to be maintained (第十五条), and whether it may be used (第十六条). One file a device;
//! everything that was done to it stays in its history.

use crate::model::device_fault::{DeviceFault, FaultKind, FaultState};
use crate::model::ids::{AccountId, CameraId, DeviceId, RoomId, UnitId};
use crate::model::people::words;
use crate::model::refusal::Refusal;
use crate::model::time;
use chrono::{DateTime, Days, NaiveDate, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

/// Maintenance is told so long before it is due.
const SOON: TimeDelta = TimeDelta::days(14);
/// Lines of a history that are kept; what is older stands in the custody log.
const HISTORY_MAX: usize = 2_000;
/// Faults that are kept: a camera that flaps for years must not make its file grow without end. Open ones always stay.
const FAULTS_MAX: usize = 2_000;

words!(
    /// What a device is.
    DeviceKind {
        /// 摄像机.
        Camera = "camera",
        /// 拾音器.
        Microphone = "microphone",
        /// 执法记录仪.
        BodyWorn = "body_worn",
        /// 存储盘.
        Disk = "disk",
        /// 不间断电源.
        Ups = "ups",
        /// 其他.
        Other = "other",
    }
);

words!(
    /// Whether a device may be used.
    Standing {
        /// 正常.
        InService = "in_service",
        /// The machine sees a fault now; it is used all the same, for it may come back any moment.
        Faulty = "faulty",
        /// 停止使用 (第十六条): no session starts on it.
        OutOfUse = "out_of_use",
        /// 报废.
        Retired = "retired",
    }
);

words!(
    /// What happened to a device.
    DeviceChangeKind {
        /// It was entered into the register.
        Registered = "registered",
        /// It came into the register by the configuration.
        Found = "found",
        /// What is known of it was changed.
        Described = "described",
        /// It was maintained.
        Maintained = "maintained",
        /// A fault began, or went a step further.
        FaultStep = "fault_step",
        /// It told its firmware and serial number.
        Read = "read",
        /// Its clock was set.
        ClockSet = "clock_set",
        /// It was taken out of the register for ever.
        Retired = "retired",
    }
);

/// A line of the history.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "recorder", derive(utoipa::ToSchema))]
pub struct DeviceChange {
    /// When.
    pub at: DateTime<Utc>,
    /// What.
    pub kind: DeviceChangeKind,
    /// By whom; none: the machine.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<AccountId>,
    /// Their name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by_name: Option<String>,
    /// More.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// Which fault.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fault: Option<u32>,
    /// Where that fault stood then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<FaultState>,
    /// What is known otherwise than before.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub fields: Vec<FieldChange>,
}

/// A particular that says something else than before.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "recorder", derive(utoipa::ToSchema))]
pub struct FieldChange {
    /// As the forms name it.
    pub field: String,
    /// What it said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub was: Option<String>,
    /// What it says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub is: Option<String>,
}

/// When it is to be maintained (维护保养计划).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "recorder", derive(utoipa::ToSchema))]
pub struct Maintenance {
    /// Days from one to the next; none: it has no calendar.
    pub every_days: Option<u32>,
    /// The last one.
    pub last: Option<NaiveDate>,
}

impl Maintenance {
    /// The day of the next one: so many days after the last, or after the device came.
    pub fn next(&self, since: NaiveDate) -> Option<NaiveDate> {
        self.last.unwrap_or(since).checked_add_days(Days::new(u64::from(self.every_days?)))
    }
}

words!(
    /// How far maintenance is.
    Due {
        /// No calendar, or not soon.
        Not = "not",
        /// Within two weeks.
        Soon = "soon",
        /// Over.
        Over = "over",
    }
);

/// What people know of a device, and may change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "recorder", derive(utoipa::ToSchema))]
pub struct Description {
    /// 执法记录设备编号 or the number of the bureau's register; unique.
    pub number: String,
    /// What it is.
    pub kind: DeviceKind,
    /// What people call it.
    pub name: String,
    /// Whose it is; none: the bureau's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unit: Option<UnitId>,
    /// The room in which it hangs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub room: Option<RoomId>,
    /// Its maker.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub maker: Option<String>,
    /// Its model.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// Its firmware.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub firmware: Option<String>,
    /// Its serial number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub serial: Option<String>,
    /// When it was bought.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub purchased: Option<NaiveDate>,
    /// Where the machine asks it how it is: a camera's ONVIF host (`192.168.10.11:80`), a disk's device (`/dev/sda`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asked_at: Option<String>,
    /// When it is to be maintained.
    #[serde(default)]
    pub maintenance: Maintenance,
}

impl Description {
    /// Every particular as text, by the name that the forms give it.
    fn texts(&self) -> [(&'static str, Option<String>); 13] {
        let day = |day: Option<NaiveDate>| day.map(|d| d.to_string());
        [
            ("device_number", Some(self.number.clone())),
            ("kind", Some(self.kind.as_str().to_owned())),
            ("device_name", Some(self.name.clone())),
            ("unit", self.unit.as_ref().map(ToString::to_string)),
            ("room", self.room.as_ref().map(ToString::to_string)),
            ("maker", self.maker.clone()),
            ("model", self.model.clone()),
            ("firmware", self.firmware.clone()),
            ("serial", self.serial.clone()),
            ("purchased", day(self.purchased)),
            ("asked_at", self.asked_at.clone()),
            ("every_days", self.maintenance.every_days.map(|d| d.to_string())),
            ("maintained", day(self.maintenance.last)),
        ]
    }

    /// What it says otherwise than one before it.
    pub fn otherwise(&self, before: &Self) -> Vec<FieldChange> {
        let pairs = before.texts().into_iter().zip(self.texts());
        pairs.filter(|((_, was), (_, is))| was != is).map(|((field, was), (_, is))| FieldChange { field: field.into(), was, is }).collect()
    }
}

/// A device, as its file has it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "recorder", derive(utoipa::ToSchema))]
pub struct Device {
    /// Its name in addresses and paths.
    pub id: DeviceId,
    /// What is known of it.
    pub known: Description,
    /// The camera of a room that it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub camera: Option<CameraId>,
    /// Since when it is in the register.
    pub registered_at: DateTime<Utc>,
    /// Out of the register, for ever.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retired_at: Option<DateTime<Utc>>,
    /// Its faults, oldest first.
    #[serde(default)]
    pub faults: Vec<DeviceFault>,
    /// What happened to it, oldest first.
    #[serde(default)]
    pub history: Vec<DeviceChange>,
}

impl Device {
    /// One that is new in the register.
    pub fn new(id: DeviceId, known: Description, at: DateTime<Utc>) -> Self {
        Self { id, known, camera: None, registered_at: at, retired_at: None, faults: vec![], history: vec![] }
    }

    /// Whether it may be used.
    pub fn standing(&self) -> Standing {
        if self.retired_at.is_some() {
            Standing::Retired
        } else if self.faults.iter().any(|f| f.state.stops_use()) {
            Standing::OutOfUse
        } else if self.faults.iter().any(|f| f.state == FaultState::Seen) {
            Standing::Faulty
        } else {
            Standing::InService
        }
    }

    /// Why no session starts on it (第十六条); none: one may.
    pub fn out_of_use(&self) -> Option<&str> {
        let fault = self.faults.iter().find(|f| f.state.stops_use());
        match (fault, self.retired_at) {
            (Some(fault), _) => Some(fault.text.as_deref().unwrap_or(fault.kind.as_str())),
            (None, Some(_)) => Some("已报废"),
            (None, None) => None,
        }
    }

    /// Refuses what begins on a device that is out of use.
    pub fn usable(&self) -> Result<(), Refusal> {
        match self.out_of_use() {
            Some(reason) => Err(Refusal::OutOfUse { devices: vec![format!("{}（{reason}）", self.known.number)] }),
            None => Ok(()),
        }
    }

    /// The day of its next maintenance.
    pub fn next_maintenance(&self) -> Option<NaiveDate> {
        self.known.maintenance.next(time::shanghai_day(self.registered_at))
    }

    /// How far its maintenance is; a retired device has none.
    pub fn maintenance_due(&self, today: NaiveDate) -> Due {
        match self.next_maintenance().filter(|_| self.retired_at.is_none()) {
            Some(next) if next < today => Due::Over,
            Some(next) if next - today <= SOON => Due::Soon,
            _ => Due::Not,
        }
    }

    /// Faults that are not over.
    pub fn open_faults(&self) -> impl Iterator<Item = &DeviceFault> {
        self.faults.iter().filter(|f| !f.state.is_over())
    }

    /// One of its faults.
    pub fn fault(&self, number: u32) -> Result<&DeviceFault, Refusal> {
        self.faults.iter().find(|f| f.number == number).ok_or_else(|| Refusal::no_such("fault", &number.to_string()))
    }

    /// The fault that the machine sees of a kind now.
    pub fn seen(&self, kind: FaultKind) -> Option<&DeviceFault> {
        self.faults.iter().rfind(|f| f.kind == kind && f.state == FaultState::Seen)
    }

    /// The same device with a line more in its history.
    #[must_use]
    pub fn noted(mut self, change: DeviceChange) -> Self {
        self.history.push(change);
        let over = self.history.len().saturating_sub(HISTORY_MAX);
        self.history.drain(..over);
        self
    }

    /// The same device with this fault as it stands now, in its place or behind the others.
    #[must_use]
    pub fn with_fault(mut self, fault: DeviceFault) -> Self {
        match self.faults.iter_mut().find(|f| f.number == fault.number) {
            Some(there) => *there = fault,
            None => self.faults.push(fault),
        }
        while self.faults.len() > FAULTS_MAX {
            let Some(oldest) = self.faults.iter().position(|f| f.state.is_over()) else { break };
            self.faults.remove(oldest);
        }
        self
    }

    /// The number of the next fault.
    pub fn next_fault(&self) -> u32 {
        self.faults.iter().map(|f| f.number).max().unwrap_or(0) + 1
    }

    /// What a device itself told of its serial number, against what is known: another one is another device (第十七条: its number
    /// stands on every recording).
    pub fn is_another(&self, serial: &str) -> bool {
        self.known.serial.as_deref().is_some_and(|known| known != serial && !serial.is_empty())
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::model::device_fault::FaultStep;
    use proptest::prelude::*;

    pub(crate) fn at(minutes: i64) -> DateTime<Utc> {
        DateTime::UNIX_EPOCH + TimeDelta::days(20_000) + TimeDelta::minutes(minutes)
    }

    pub(crate) fn camera() -> Device {
        let known = Description {
            number: "XW-101".into(),
            kind: DeviceKind::Camera,
            name: "面部".into(),
            unit: None,
            room: None,
            maker: None,
            model: None,
            firmware: None,
            serial: Some("SN-1".into()),
            purchased: None,
            asked_at: None,
            maintenance: Maintenance::default(),
        };
        Device::new(DeviceId::new("dv-1").unwrap(), known, at(0))
    }

    #[test]
    fn maintenance_is_due_by_its_calendar_and_a_device_without_one_is_never_due() {
        let day = |text: &str| text.parse::<NaiveDate>().unwrap();
        let due = |every: Option<u32>, last: &str, today: &str| {
            let mut device = camera();
            device.known.maintenance = Maintenance { every_days: every, last: Some(day(last)) };
            device.maintenance_due(day(today))
        };
        for (every, last, today, expected) in [
            (None, "2020-01-01", "2026-11-25", Due::Not),
            (Some(90), "2026-11-01", "2026-11-25", Due::Not),
            (Some(90), "2026-09-01", "2026-11-15", Due::Not),
            (Some(90), "2026-09-01", "2026-11-16", Due::Soon),
            (Some(90), "2026-09-01", "2026-11-30", Due::Soon),
            (Some(90), "2026-09-01", "2026-12-01", Due::Over),
        ] {
            assert_eq!(due(every, last, today), expected, "{every:?} {last} {today}");
        }
        let mut device = camera();
        device.known.maintenance.every_days = Some(1);
        device.retired_at = Some(at(1));
        assert_eq!(device.maintenance_due(day("2099-01-01")), Due::Not);
    }

    #[test]
    fn a_change_of_particulars_says_what_each_was_and_is() {
        let (before, mut now) = (camera().known, camera().known);
        assert_eq!(now.otherwise(&before), []);
        now.serial = None;
        now.maintenance.every_days = Some(90);
        let change = |field: &str, was: Option<&str>, is: Option<&str>| FieldChange {
            field: field.into(),
            was: was.map(Into::into),
            is: is.map(Into::into),
        };
        assert_eq!(now.otherwise(&before), [change("serial", Some("SN-1"), None), change("every_days", None, Some("90"))]);
    }

    #[test]
    fn another_serial_number_is_another_device_and_an_unknown_one_is_none() {
        let mut device = camera();
        assert!(device.is_another("SN-2") && !device.is_another("SN-1") && !device.is_another(""));
        device.known.serial = None;
        assert!(!device.is_another("SN-2"));
    }

    proptest! {
        /// Whatever the machine sees and people do, in any order: a device that a person reported takes no session until a retest
        /// passed, or it is gone for ever.
        #[test]
        fn nothing_but_a_passed_retest_brings_a_reported_device_back(steps in proptest::collection::vec(0_u8..9, 0..40)) {
            let reported = DeviceFault::reported(1, at(0), &AccountId::new("a").unwrap(), "王", FaultKind::Damaged, "镜头破裂", None);
            let mut device = camera().with_fault(reported);
            let mut passed = false;
            for (n, step) in steps.into_iter().enumerate() {
                let now = at(n as i64 + 1);
                let (number, who) = (1, (AccountId::new("b").unwrap(), "孙".to_owned()));
                let step = match step {
                    0 => FaultStep::Report { to: "办公室".into() },
                    1 => FaultStep::Repair { service: "某公司".into(), text: None },
                    2 => FaultStep::Retest { passed: false, text: "仍无图像".into() },
                    3 => FaultStep::Retest { passed: true, text: "图像声音正常".into() },
                    4 => FaultStep::Return,
                    5 => FaultStep::EndByItself,
                    _ => {
                        let seen = DeviceFault::seen(device.next_fault(), now, FaultKind::StreamDown, None);
                        device = device.with_fault(seen);
                        continue;
                    }
                };
                let is_pass = matches!(step, FaultStep::Retest { passed: true, .. });
                if let Ok(next) = device.fault(number).unwrap().after(&step, now, Some((&who.0, &who.1))) {
                    passed |= is_pass;
                    device = device.with_fault(next);
                }
                let back = device.fault(number).unwrap().state == FaultState::Back;
                prop_assert_eq!(device.out_of_use().is_none(), back);
                prop_assert!(!back || passed);
            }
        }
    }
}
