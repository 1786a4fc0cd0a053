//! Alarms (第十五条, 第二十三条): what is wrong, how much it matters, and how long it has to be so before anybody is told. When one begins
//! and ends: [`crate::model::alarm_book`].

use crate::model::people::words;
use serde::{Deserialize, Serialize};

words!(
    /// How much it matters.
    Severity {
        /// 提示: to be done by and by.
        Notice = "notice",
        /// 警告: to be looked at today.
        Warning = "warning",
        /// 紧急: what is recorded now, or what proves it, is in danger.
        Urgent = "urgent",
    }
);

words!(
    /// What is wrong. Kinds are added, never changed.
    AlarmKind {
        /// People are talking in a room and nothing is recorded (第二十三条（一）).
        RoomInUse = "room_in_use",
        /// A session is open and nothing of it becomes durable.
        NotRecording = "not_recording",
        /// A room's loop has ended: no session of it can be started or ended.
        RoomLoopEnded = "room_loop_ended",
        /// A camera sends no pictures.
        StreamDown = "stream_down",
        /// A camera refuses name or password.
        PasswordRefused = "password_refused",
        /// A camera's picture does not move.
        Frozen = "frozen",
        /// A camera's picture is black.
        Dark = "dark",
        /// A camera has no sound where it had some.
        Muted = "muted",
        /// A camera's clock is off.
        CameraClockOff = "camera_clock_off",
        /// A camera has another serial number than the register.
        SerialChanged = "serial_changed",
        /// A disk says that it is failing.
        DiskFailing = "disk_failing",
        /// A volume is not there.
        VolumeAway = "volume_away",
        /// A volume does not take what it is given.
        VolumeFailing = "volume_failing",
        /// A volume is full.
        VolumeFull = "volume_full",
        /// Less is free on a volume than the reserve.
        VolumeLow = "volume_low",
        /// A volume is slower than the cameras.
        VolumeSlow = "volume_slow",
        /// A volume will be full within weeks.
        VolumeSoonFull = "volume_soon_full",
        /// The mirror is behind the first volume.
        MirrorBehind = "mirror_behind",
        /// The custody log cannot be written.
        LogTrouble = "log_trouble",
        /// The custody log was begun anew.
        LogAnew = "log_anew",
        /// Acts wait to be logged.
        LogSpooled = "log_spooled",
        /// Nothing disciplines the clock.
        ClockUnsynchronised = "clock_unsynchronised",
        /// The clock was stepped: nothing is given up until somebody says that it is right (第十八条).
        ClockDoubted = "clock_doubted",
        /// A file is not what was sealed, and no other copy is whole.
        DamageFound = "damage_found",
        /// The last backup of the catalog failed.
        BackupFailed = "backup_failed",
        /// There is no backup as new as there should be.
        BackupOverdue = "backup_overdue",
        /// What is to go to the archive does not get there.
        ArchiveBehind = "archive_behind",
        /// The timestamp authority does not answer, or not as it should.
        TimestampAway = "timestamp_away",
        /// A cosigner of the log does not answer, or contradicts it.
        WitnessAway = "witness_away",
        /// The recorder was not ended in good order, and went on.
        Recovered = "recovered",
        /// A copy of a medium is to be read again by now (第十九条).
        MediaDue = "media_due",
        /// A device is to be maintained (第十五条).
        MaintenanceDue = "maintenance_due",
        /// A way by which alarms are told is not open.
        ChannelDown = "channel_down",
    }
);

/// How a kind of alarm behaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rule {
    /// How much it matters, where the watch does not say more.
    pub severity: Severity,
    /// Seen for so long before it begins, ms.
    pub raise_ms: u64,
    /// Not seen for so long before it ends, ms.
    pub clear_ms: u64,
    /// It has happened and does not go away by itself: it ends when somebody acknowledges it, and the same is never told twice.
    pub stays: bool,
    /// Somebody has to say why, also when it is over (第二十三条).
    pub asks: bool,
    /// After a start of the recorder it takes a while until it can be seen again.
    pub seen_late: bool,
}

impl AlarmKind {
    /// How it behaves.
    pub fn rule(self) -> Rule {
        use AlarmKind::{
            ArchiveBehind, BackupFailed, BackupOverdue, CameraClockOff, ChannelDown, ClockDoubted, ClockUnsynchronised, DamageFound, Dark,
            DiskFailing, Frozen, LogAnew, LogSpooled, LogTrouble, MaintenanceDue, MediaDue, MirrorBehind, Muted, NotRecording,
            PasswordRefused, Recovered, RoomInUse, RoomLoopEnded, SerialChanged, StreamDown, TimestampAway, VolumeAway, VolumeFailing,
            VolumeFull, VolumeLow, VolumeSlow, VolumeSoonFull, WitnessAway,
        };
        use Severity::{Notice, Urgent, Warning};
        let (severity, raise_s, clear_s) = match self {
            RoomInUse | RoomLoopEnded | DiskFailing | ClockDoubted | LogAnew | DamageFound => (Urgent, 0, 0),
            NotRecording | VolumeAway | VolumeFailing | VolumeFull | LogTrouble => (Urgent, 4, 10),
            StreamDown | PasswordRefused => (Warning, 10, 5),
            // What was settled before, by the register of devices or by itself.
            Frozen | Dark | Muted | CameraClockOff | SerialChanged | BackupFailed | Recovered => (Warning, 0, 0),
            VolumeLow | VolumeSlow | MirrorBehind => (Warning, 10, 60),
            VolumeSoonFull => (Warning, 60, 600),
            LogSpooled => (Warning, 30, 10),
            ClockUnsynchronised => (Warning, 600, 60),
            BackupOverdue => (Warning, 60, 0),
            ArchiveBehind => (Warning, 300, 30),
            TimestampAway | WitnessAway => (Warning, 120, 30),
            ChannelDown => (Warning, 30, 5),
            MediaDue | MaintenanceDue => (Notice, 60, 60),
        };
        Rule {
            severity,
            raise_ms: raise_s * 1000,
            clear_ms: clear_s * 1000,
            stays: matches!(self, LogAnew | DamageFound | Recovered),
            asks: self == RoomInUse,
            seen_late: matches!(
                self,
                VolumeFailing
                    | VolumeSlow
                    | VolumeSoonFull
                    | MirrorBehind
                    | LogSpooled
                    | BackupFailed
                    | BackupOverdue
                    | ArchiveBehind
                    | TimestampAway
                    | WitnessAway
                    | MediaDue
                    | MaintenanceDue
                    | ChannelDown
            ),
        }
    }
}

/// Something that is wrong now. The same thing is told by the same kind and subject; the text is for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Observed {
    /// What.
    pub kind: AlarmKind,
    /// Of what: a camera, a device, a volume, a room, a channel; never a case, never a person.
    pub subject: String,
    /// The room that it is in.
    pub room: Option<String>,
    /// What people call the subject.
    pub name: String,
    /// More, for the console.
    pub text: Option<String>,
    /// How much it matters now.
    pub severity: Severity,
}

impl Observed {
    /// One that matters as much as its kind does.
    pub fn new(kind: AlarmKind, subject: &str, name: &str) -> Self {
        Self { kind, subject: subject.into(), room: None, name: name.into(), text: None, severity: kind.rule().severity }
    }

    /// In a room.
    #[must_use]
    pub fn in_room(self, room: &impl ToString) -> Self {
        Self { room: Some(room.to_string()), ..self }
    }

    /// With more.
    #[must_use]
    pub fn saying(self, text: Option<String>) -> Self {
        Self { text, ..self }
    }

    /// It matters more than its kind does, where `is_urgent`.
    #[must_use]
    pub fn urgent_if(self, is_urgent: bool) -> Self {
        if is_urgent { Self { severity: Severity::Urgent, ..self } } else { self }
    }
}

/// An alarm, and what people said to it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "recorder", derive(utoipa::ToSchema))]
pub struct AlarmRow {
    /// Its number.
    pub id: String,
    /// What is wrong.
    pub kind: AlarmKind,
    /// How much it matters.
    pub severity: Severity,
    /// Of what.
    pub subject: String,
    /// What people call that.
    pub name: String,
    /// Which room, where it is in one.
    pub room: Option<String>,
    /// More, in words.
    pub text: Option<String>,
    /// How often it came while it was open.
    pub count: u32,
    /// It comes and goes: told once, until it has been quiet.
    pub unsteady: bool,
    /// Ms since 1970.
    pub began_at: i64,
    /// Ms since 1970; none while it goes on.
    pub ended_at: Option<i64>,
    /// Ms since 1970.
    pub acknowledged_at: Option<i64>,
    /// By whom.
    pub acknowledged_by: Option<String>,
    /// What they said.
    pub reason: Option<String>,
    /// When it was last told, ms since 1970.
    pub told_at: i64,
    /// How often it was told again.
    pub reminders: u32,
}

impl AlarmRow {
    /// It goes on, or somebody still has to say why it was.
    pub fn is_open(&self) -> bool {
        self.ended_at.is_none() || (self.kind.rule().asks && self.acknowledged_at.is_none())
    }

    /// Nobody has acknowledged it yet.
    pub fn is_unanswered(&self) -> bool {
        self.is_open() && self.acknowledged_at.is_none()
    }
}

words!(
    /// What became of an alarm.
    Happening {
        /// It began.
        Raised = "raised",
        /// It matters more than it did.
        Worsened = "worsened",
        /// It comes and goes.
        Unsteady = "unsteady",
        /// It is urgent, and nobody has acknowledged it.
        Reminder = "reminder",
        /// Somebody has.
        Acknowledged = "acknowledged",
        /// It is over.
        Cleared = "cleared",
        /// It was counted once more: written down, and told to nobody.
        Counted = "counted",
    }
);

/// What became of an alarm, and how it stands now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Told {
    /// What.
    pub what: Happening,
    /// The alarm.
    pub alarm: AlarmRow,
}

impl Told {
    /// Its number: the same however often it is sent.
    pub fn id(&self) -> String {
        match self.what {
            Happening::Reminder => format!("{}-{}-{}", self.alarm.id, self.what.as_str(), self.alarm.reminders),
            what => format!("{}-{}", self.alarm.id, what.as_str()),
        }
    }
}
