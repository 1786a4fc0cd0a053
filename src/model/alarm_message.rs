//! What is told of alarms outside the console, and how fast: one message an alarm, and one for all of them when many come at once. No case,
//! no person and no secret stands in one: room, camera, what, since when, and where to look.

use crate::model::alarm::{AlarmKind, AlarmRow, Happening, Severity, Told};
use crate::model::people::words;
use crate::model::time;
use chrono::DateTime;
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;

/// So many messages with one alarm each go through a channel within a minute; what is more goes in one.
pub const SINGLES_MAX: usize = 10;
const MINUTE_MS: u64 = 60_000;
/// Alarms that one message names; it counts the rest.
pub const NAMED_MAX: usize = 50;

words!(
    /// A way by which alarms are told.
    Channel {
        /// E-mail.
        Mail = "mail",
        /// HTTPS to another system.
        Webhook = "webhook",
        /// A broker of messages.
        Mqtt = "mqtt",
    }
);

/// What waits for a channel.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Payload {
    /// What became of an alarm.
    Alarm(Told),
    /// A notice to somebody that something waits.
    Letter {
        /// Their address.
        to: String,
        /// What it is about.
        subject: String,
        /// The whole of it.
        text: String,
    },
}

impl From<Told> for Payload {
    fn from(told: Told) -> Self {
        Self::Alarm(told)
    }
}

/// An alarm as others outside are told of it: what people said to it stays inside.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Line {
    /// The alarm's number.
    pub id: String,
    /// What became of it.
    pub event: Happening,
    /// What is wrong.
    pub kind: AlarmKind,
    /// In Chinese.
    pub title: &'static str,
    /// In English.
    pub title_en: &'static str,
    /// How much it matters.
    pub severity: Severity,
    /// Which room, by its number.
    pub room: Option<String>,
    /// Which room, as people call it.
    pub room_name: Option<String>,
    /// Of what, by its number.
    pub subject: String,
    /// Of what, as people call it.
    pub name: String,
    /// It comes and goes.
    pub unsteady: bool,
    /// How often it came.
    pub count: u32,
    /// RFC 3339.
    pub began_at: String,
    /// RFC 3339; none while it goes on.
    pub ended_at: Option<String>,
    /// Somebody has acknowledged it.
    pub acknowledged: bool,
}

impl Line {
    /// What is told. `rooms`: numbers and names.
    pub fn of(told: &Told, rooms: &[(String, String)]) -> Self {
        let AlarmRow { id, kind, severity, room, subject, name, unsteady, count, began_at, ended_at, acknowledged_at, .. } =
            told.alarm.clone();
        let (title, title_en) = title(kind);
        let room_name = room.as_ref().map(|id| rooms.iter().find(|(r, _)| r == id).map_or_else(|| id.clone(), |(_, name)| name.clone()));
        Self {
            id,
            event: told.what,
            kind,
            title,
            title_en,
            severity,
            room,
            room_name,
            subject,
            name,
            unsteady,
            count,
            began_at: rfc3339(began_at),
            ended_at: ended_at.map(rfc3339),
            acknowledged: acknowledged_at.is_some(),
        }
    }

    /// One line for people, in Chinese.
    pub fn text(&self) -> String {
        let at = |text: &str| DateTime::parse_from_rfc3339(text).map(|at| time::shanghai_text(at.to_utc())).unwrap_or_default();
        let mut place: Vec<&str> =
            [self.room_name.as_deref(), Some(self.name.as_str())].into_iter().flatten().filter(|p| !p.is_empty()).collect();
        place.dedup();
        let unsteady = if self.unsteady { format!("（时断时续，{} 次）", self.count) } else { String::new() };
        let until = self.ended_at.as_deref().map(|end| format!("，{} 恢复", at(end))).unwrap_or_default();
        format!(
            "【{}·{}】{} {}{unsteady} / {}，自 {} 起{until}",
            severity_word(self.severity),
            happening_word(self.event),
            place.join(" "),
            self.title,
            self.title_en,
            at(&self.began_at),
        )
    }
}

fn rfc3339(ms: i64) -> String {
    DateTime::from_timestamp_millis(ms).map(|at| at.to_rfc3339_opts(chrono::SecondsFormat::Millis, true)).unwrap_or_default()
}

/// A severity in Chinese.
pub fn severity_word(severity: Severity) -> &'static str {
    match severity {
        Severity::Notice => "提示",
        Severity::Warning => "警告",
        Severity::Urgent => "紧急",
    }
}

/// What became of an alarm, in Chinese.
pub fn happening_word(what: Happening) -> &'static str {
    match what {
        Happening::Raised | Happening::Counted => "发生",
        Happening::Worsened => "升级",
        Happening::Unsteady => "时断时续",
        Happening::Reminder => "未确认",
        Happening::Acknowledged => "已确认",
        Happening::Cleared => "恢复",
    }
}

/// What a kind is called, in Chinese and English. The console says the same; a test there holds the two together.
pub fn title(kind: AlarmKind) -> (&'static str, &'static str) {
    match kind {
        AlarmKind::RoomInUse => ("有人在用，没有录制", "In use, but not recorded"),
        AlarmKind::NotRecording => ("录制未落盘", "Session running, but nothing reaches the disk"),
        AlarmKind::RoomLoopEnded => ("询问室录制程序已停止", "The room's recording loop has ended"),
        AlarmKind::StreamDown => ("摄像机无画面", "Camera sends no pictures"),
        AlarmKind::PasswordRefused => ("摄像机拒绝用户名或密码", "Camera refuses user name or password"),
        AlarmKind::Frozen => ("画面静止", "Picture frozen"),
        AlarmKind::Dark => ("画面全黑", "Picture black"),
        AlarmKind::Muted => ("没有声音", "No sound"),
        AlarmKind::CameraClockOff => ("摄像机时钟不准", "Camera clock deviates"),
        AlarmKind::SerialChanged => ("摄像机序列号与登记不符", "Camera serial number differs from the register"),
        AlarmKind::DiskFailing => ("磁盘即将损坏", "Disk failing"),
        AlarmKind::VolumeAway => ("存储卷不可用", "Volume not available"),
        AlarmKind::VolumeFailing => ("存储卷写入失败", "Volume cannot be written to"),
        AlarmKind::VolumeFull => ("存储卷已满", "Volume full"),
        AlarmKind::VolumeLow => ("存储卷剩余空间低于预留", "Free space on the volume below its reserve"),
        AlarmKind::VolumeSlow => ("存储卷写入过慢", "Volume writes too slowly"),
        AlarmKind::VolumeSoonFull => ("存储卷数周内将满", "Volume will be full within weeks"),
        AlarmKind::MirrorBehind => ("镜像存储落后", "Mirror storage behind"),
        AlarmKind::LogTrouble => ("监管日志无法写入", "Custody log cannot be written"),
        AlarmKind::LogAnew => ("监管日志已另起", "Custody log was started anew"),
        AlarmKind::LogSpooled => ("有操作等待写入监管日志", "Acts are waiting to be logged"),
        AlarmKind::ClockUnsynchronised => ("时钟未同步", "Clock not synchronised"),
        AlarmKind::ClockDoubted => ("时钟存疑", "Clock in doubt"),
        AlarmKind::DamageFound => ("发现录像文件损坏", "Damaged footage file found"),
        AlarmKind::BackupFailed => ("目录库备份失败", "Catalog backup failed"),
        AlarmKind::BackupOverdue => ("目录库备份逾期", "Catalog backup overdue"),
        AlarmKind::ArchiveBehind => ("归档中断", "Archiving interrupted"),
        AlarmKind::TimestampAway => ("时间戳服务不可用", "Timestamp authority not reachable"),
        AlarmKind::WitnessAway => ("日志见证方不可用", "Log witness not reachable"),
        AlarmKind::Recovered => ("录制系统曾异常中断，已自动恢复", "The recorder stopped unexpectedly and recovered by itself"),
        AlarmKind::MediaDue => ("介质到期待查", "Media due for a check"),
        AlarmKind::MaintenanceDue => ("设备到期待保养", "Devices due for maintenance"),
        AlarmKind::ChannelDown => ("告警通道不通", "Alarm channel not reachable"),
    }
}

/// A message as a channel takes it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Message {
    /// Its number: the same however often it is sent, so that who gets it twice can tell.
    pub id: String,
    /// Whose alarms.
    pub bureau: String,
    /// Where to look.
    pub console: Option<String>,
    /// Alarms that it names, in order.
    pub alarms: Vec<Line>,
    /// Further ones that it only counts.
    pub more: usize,
}

impl Message {
    /// What it is about, in a line.
    pub fn subject(&self) -> String {
        match self.alarms.as_slice() {
            [one] if self.more == 0 => {
                let place = one.room_name.as_deref().filter(|r| !r.is_empty()).unwrap_or(&one.name);
                format!("【{}】{} {}：{}", severity_word(one.severity), happening_word(one.event), place, one.title)
            }
            all => format!("【{}】告警汇总：{} 条", severity_word(self.worst()), all.len() + self.more),
        }
    }

    /// The gravest that it names.
    pub fn worst(&self) -> Severity {
        self.alarms.iter().map(|a| a.severity).max().unwrap_or(Severity::Notice)
    }

    /// The whole of it, for people.
    pub fn text(&self) -> String {
        let mut text: String = self.alarms.iter().map(|line| line.text() + "\n").collect();
        if self.more > 0 {
            text += &format!("另有 {} 条，请登录查看。\n", self.more);
        }
        if let Some(console) = &self.console {
            text += &format!("\n请登录 {console} 查看。\n");
        }
        text + &format!("\n{} 实录\n{}\n", self.bureau, self.id)
    }
}

/// How fast a channel is told.
#[derive(Debug, Clone, Default)]
pub struct Pace {
    singles: VecDeque<u64>,
    summary: Option<u64>,
}

/// What may be sent now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Go {
    /// The first alone.
    One,
    /// All that wait, in one message.
    All,
    /// Nothing for so many ms.
    Wait(u64),
}

impl Pace {
    /// With so many waiting. Times are of the monotonic clock.
    pub fn next(&mut self, now_ms: u64, waiting: usize) -> Go {
        self.singles.retain(|at| at + MINUTE_MS > now_ms);
        if self.singles.len() + waiting <= SINGLES_MAX {
            return Go::One;
        }
        match self.summary.map(|at| (at + MINUTE_MS).saturating_sub(now_ms)) {
            Some(left) if left > 0 => Go::Wait(left),
            _ => Go::All,
        }
    }

    /// It was sent.
    pub fn sent(&mut self, now_ms: u64, go: Go) {
        match go {
            Go::One => self.singles.push_back(now_ms),
            Go::All => self.summary = Some(now_ms),
            Go::Wait(_) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::alarm::Observed;
    use crate::model::alarm_book::Book;
    use crate::model::time::Moment;
    use proptest::prelude::*;

    fn told() -> Told {
        let now = Moment { utc: DateTime::UNIX_EPOCH, mono_ms: 0 };
        let observed = Observed::new(AlarmKind::DiskFailing, "dv-1", "录像盘").in_room(&"room-1").saying(Some("张三案".into()));
        let mut book = Book::default();
        let raised = book.look(now, &[observed]).remove(0);
        let by = book.acknowledge(&raised.alarm.id, "孙丽", Some("张三案的盘".into()), 1).unwrap();
        Told { what: raised.what, ..by }
    }

    fn line() -> Line {
        Line::of(&told(), &[("room-1".into(), "第一询问室".into())])
    }

    #[test]
    fn a_message_says_where_what_and_since_when_and_no_persons_or_cases_name() {
        let message =
            Message { id: "x".into(), bureau: "试用局".into(), console: Some("https://a/alarms".into()), alarms: vec![line()], more: 0 };
        assert_eq!(message.subject(), "【紧急】发生 第一询问室：磁盘即将损坏");
        assert!(message.text().starts_with("【紧急·发生】第一询问室 录像盘 磁盘即将损坏 / Disk failing，自 1970-01-01 08:00:00 起\n"));
        let json = serde_json::to_string(&message).unwrap();
        for text in [message.text(), json] {
            assert!(!text.contains("张三") && !text.contains("孙丽"), "{text}");
        }
        let many = Message { alarms: vec![line(); 3], more: 40, ..message };
        assert_eq!(many.subject(), "【紧急】告警汇总：43 条");
    }

    #[test]
    fn a_few_go_alone_and_many_at_once_go_in_one() {
        let mut pace = Pace::default();
        for n in 0..SINGLES_MAX {
            assert_eq!(pace.next(n as u64, 1), Go::One);
            pace.sent(n as u64, Go::One);
        }
        assert_eq!(pace.next(20, 6), Go::All);
        pace.sent(20, Go::All);
        assert_eq!(pace.next(30, 1), Go::Wait(59_990));
        assert_eq!(pace.next(70_000, 1), Go::One);
        assert_eq!(Pace::default().next(0, 16), Go::All, "a switch that is dead is one message");
    }

    proptest! {
        #[test]
        fn however_many_come_a_channel_gets_eleven_a_minute(comes in proptest::collection::vec((0..5_000u64, 0..40usize), 1..300)) {
            let (mut pace, mut now, mut waiting, mut sent) = (Pace::default(), 0, 0, Vec::<u64>::new());
            for (pause, more) in comes {
                now += pause;
                waiting += more;
                while waiting > 0 {
                    let go = pace.next(now, waiting);
                    match go {
                        Go::One => waiting -= 1,
                        Go::All => waiting = 0,
                        Go::Wait(_) => break,
                    }
                    pace.sent(now, go);
                    sent.push(now);
                }
            }
            for (at, first) in sent.iter().enumerate() {
                let within = sent[at..].iter().take_while(|s| **s < first + MINUTE_MS).count();
                prop_assert!(within <= SINGLES_MAX + 1, "{within} within a minute of {first}");
            }
        }
    }
}
