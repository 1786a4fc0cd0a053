//! Figures for Prometheus, in its text format: numbers with labels of rooms, cameras and volumes; no name of a person or a case.
//! `deploy/monitoring/` has alert rules and a dashboard over them; `tests/operations.rs` holds their names together.

use crate::catalog::figures;
use crate::desks::Desks;
use crate::machine::host;
use crate::model::status::{CameraStatus, Status};
use crate::recorder::sync_times::TIMES_MS;
use crate::recorder::view::AGES_MS;
use std::fmt::{Display, Write};

/// Writes figures one under the other. Writing to a `String` cannot fail.
#[derive(Default)]
struct Text(String);

impl Text {
    fn head(&mut self, name: &str, kind: &str, help: &str) {
        let _ = writeln!(self.0, "# HELP {name} {help}\n# TYPE {name} {kind}");
    }

    fn rows<V: Display>(&mut self, name: &str, help: &str, rows: impl IntoIterator<Item = (String, V)>) {
        self.head(name, "gauge", help);
        for (labels, value) in rows {
            let _ = writeln!(self.0, "{name}{{{labels}}} {value}");
        }
    }

    fn one(&mut self, name: &str, help: &str, value: impl Display) {
        self.head(name, "gauge", help);
        let _ = writeln!(self.0, "{name} {value}");
    }

    /// Bounds and sum in milliseconds, written as seconds.
    fn histogram(&mut self, name: &str, labels: &str, bounds_ms: &[u64], (at_most, count, sum_ms): (&[u64], u64, u64)) {
        for (bound, below) in bounds_ms.iter().zip(at_most) {
            let _ = writeln!(self.0, "{name}_bucket{{{labels},le=\"{}\"}} {below}", seconds(*bound));
        }
        let _ = writeln!(self.0, "{name}_bucket{{{labels},le=\"+Inf\"}} {count}");
        let _ = writeln!(self.0, "{name}_sum{{{labels}}} {}", seconds(sum_ms));
        let _ = writeln!(self.0, "{name}_count{{{labels}}} {count}");
    }
}

fn seconds(ms: u64) -> f64 {
    ms as f64 / 1000.0
}

impl Desks {
    /// All figures.
    pub async fn metrics(&self) -> String {
        let status = self.look();
        let mut text = Text::default();
        text.rows("shilu_build_info", "The release that runs.", [(format!("version=\"{}\"", env!("CARGO_PKG_VERSION")), 1)]);
        cameras(&mut text, &status);
        let rooms = status.rooms.iter().map(|r| (format!("room=\"{}\"", r.id), u8::from(r.session.is_some())));
        text.rows("shilu_session_open", "A session is open in the room.", rooms);
        let gaps = self.recorder.rooms().filter_map(|r| Some((format!("room=\"{}\"", r.view().id), r.view().session()?.gaps.len())));
        text.rows("shilu_session_gaps", "Gaps of the open session.", gaps.collect::<Vec<_>>());
        let alive = self.recorder.rooms().map(|r| (format!("room=\"{}\"", r.view().id), u8::from(r.is_alive())));
        text.rows("shilu_room_alive", "The room's loop runs.", alive.collect::<Vec<_>>());
        self.durability(&mut text);
        self.volumes(&mut text, &status);
        let clock = &status.machine.clock;
        text.one("shilu_clock_synchronised", "The clock is disciplined.", u8::from(clock.synchronised));
        text.one("shilu_faults", "Things that are wrong with the machine, as the status page has them.", status.machine.faults.len());
        text.one("shilu_log_spooled", "Acts whose log entry is not durable yet.", status.machine.log_spooled);
        text.one("shilu_log_entries", "Entries of the custody log.", self.acts.log().state().size);
        let needed = status.machine.needed.iter().map(|n| (format!("need=\"{}\"", n.need.as_str()), n.count));
        text.rows("shilu_needed", "Things that people have to do.", needed);
        text.one("shilu_devices_out_of_use", "Devices that are out of use or faulty.", status.machine.devices_ill);
        text.one("shilu_maintenance_due", "Devices to be maintained.", status.machine.devices_due);
        self.alarm_figures(&mut text);
        self.what_waits(&mut text).await;
        if let Some(bytes) = host::memory_of_this() {
            text.one("shilu_memory_bytes", "Memory of this process.", bytes);
        }
        let mut text = text.0;
        self.archive_figures(&mut text);
        self.backup_metrics(&mut text);
        text
    }

    /// How old the oldest byte was each time that a camera's bytes became durable: the promise is two seconds.
    fn durability(&self, text: &mut Text) {
        let name = "shilu_not_durable_seconds";
        text.head(name, "histogram", "Age of the oldest byte when it became durable.");
        let rooms: Vec<_> = self.recorder.rooms().collect();
        let all = || rooms.iter().flat_map(|r| r.view().cameras.iter()).map(|c| (format!("camera=\"{}\"", c.id), c.gauge.ages()));
        for (labels, ages) in all() {
            text.histogram(name, &labels, &AGES_MS, (&ages.at_most, ages.count, ages.sum_ms));
        }
        let longest = all().map(|(labels, ages)| (labels, seconds(ages.max_ms)));
        text.rows("shilu_not_durable_max_seconds", "The largest such age since the recorder started.", longest.collect::<Vec<_>>());
    }

    fn volumes(&self, text: &mut Text, status: &Status) {
        let seen = || status.machine.volumes.iter().map(|v| (format!("volume=\"{}\"", v.name), v));
        text.rows("shilu_volume_free_bytes", "Free bytes on a volume.", seen().map(|(l, v)| (l, v.free)));
        text.rows("shilu_volume_total_bytes", "Bytes of a volume.", seen().map(|(l, v)| (l, v.total)));
        text.rows("shilu_volume_low", "Less is free than the reserve.", seen().map(|(l, v)| (l, u8::from(v.low))));
        let lasts = seen().filter_map(|(l, v)| Some((l, v.days_left?)));
        text.rows("shilu_volume_days_left", "Days until only the reserve is left, at lately's or the plans' rate.", lasts);
        text.one("shilu_recorded_bytes_a_day", "What a day adds to each volume.", self.bytes_a_day());
        let own = || self.recorder.shared().volumes.iter().map(|v| (format!("volume=\"{}\"", v.name()), v));
        text.rows("shilu_volume_well", "The volume takes what it is given.", own().map(|(l, v)| (l, u8::from(v.trouble().is_none()))));
        text.rows("shilu_volume_waiting_bytes", "Footage in memory that waits for the volume.", own().map(|(l, v)| (l, v.waiting_bytes())));
        let name = "shilu_sync_seconds";
        text.head(name, "histogram", "Time that a sync of footage took (fsync).");
        for (labels, volume) in own() {
            let (at_most, count, sum_ms) = volume.sync_times().read();
            text.histogram(name, &labels, &TIMES_MS, (&at_most, count, sum_ms));
        }
    }

    /// Alarms that are open, and how telling them goes.
    fn alarm_figures(&self, text: &mut Text) {
        let mut open = std::collections::BTreeMap::<_, usize>::new();
        for alarm in self.open_alarms().iter().filter(|a| a.ended_at.is_none()) {
            *open.entry((alarm.kind, alarm.severity)).or_default() += 1;
        }
        let rows =
            open.into_iter().map(|((kind, severity), n)| (format!("kind=\"{}\",severity=\"{}\"", kind.as_str(), severity.as_str()), n));
        text.rows("shilu_alarms_open", "Alarms that are open.", rows);
        text.one("shilu_alarms_unacknowledged", "Open alarms that nobody has acknowledged.", self.alarms_waiting().0);
        let all: Vec<_> = self
            .delivery
            .figures()
            .map(|(channel, waiting, failed, sent)| (format!("channel=\"{channel}\""), waiting, failed, sent))
            .collect();
        let waiting = all.iter().map(|(l, waiting, ..)| (l.clone(), *waiting));
        text.rows("shilu_alarm_messages_waiting", "Messages that a channel has not taken yet.", waiting);
        for (name, help, pick) in [
            ("shilu_alarm_failures_total", "Tries to send through a channel that failed.", true),
            ("shilu_alarm_messages_total", "Messages that a channel has taken.", false),
        ] {
            text.head(name, "counter", help);
            for (labels, _, failed, sent) in &all {
                let _ = writeln!(text.0, "{name}{{{labels}}} {}", if pick { failed } else { sent });
            }
        }
    }

    /// What waits for somebody; nothing of it while the catalog cannot be read.
    async fn what_waits(&self, text: &mut Text) {
        let now_ms = self.now_ms();
        let read = self.read(move |c| figures::read(c, now_ms)).await;
        text.one("shilu_catalog_readable", "The catalog can be read.", u8::from(read.is_ok()));
        let Ok(f) = read else { return };
        for (name, help, value) in [
            ("shilu_sessions_unsealed", "Sessions that ended and are not sealed yet.", f.unsealed),
            ("shilu_sessions_to_hand_over", "Sealed sessions that the custodian has not received.", f.to_hand_over),
            ("shilu_requests_waiting", "Requests that nobody has decided.", f.requests),
            ("shilu_grants_live", "Approvals in force.", f.grants),
            ("shilu_disposal_due", "Sessions whose period is over, up to 10,001.", f.due),
            ("shilu_sessions_held", "Sessions under a hold, up to 10,001.", f.held),
            ("shilu_holds_unconfirmed", "Holds that nobody has confirmed.", f.holds_unconfirmed),
            ("shilu_disposals_waiting", "Proposed disposals that nobody has decided.", f.disposals),
            ("shilu_alarms_unanswered", "Alarms of rooms in use that nobody has answered.", f.alarms),
            ("shilu_timestamps_waiting", "Seals and heads without their first timestamp, up to 10,001.", f.unstamped),
        ] {
            text.one(name, help, value);
        }
    }
}

fn cameras(text: &mut Text, status: &Status) {
    let mut of = |name: &str, help: &str, value: &dyn Fn(&CameraStatus) -> Option<f64>| {
        let all = status.rooms.iter().flat_map(|r| r.cameras.iter().map(move |c| (format!("room=\"{}\",camera=\"{}\"", r.id, c.id), c)));
        text.rows(name, help, all.filter_map(|(labels, c)| Some((labels, value(c)?))));
    };
    of("shilu_camera_connected", "Media is coming from the camera.", &|c| Some(f64::from(u8::from(c.connected))));
    of("shilu_camera_bitrate_bps", "Bits a second from the camera.", &|c| Some(c.bitrate_bps as f64));
    of("shilu_camera_reconnects", "Reconnections since start.", &|c| Some(c.reconnects as f64));
    of("shilu_durable_age_seconds", "Age of the newest durable byte of the open session.", &|c| c.durable_age_ms.map(seconds));
    of("shilu_durable_bytes", "Durable bytes of the open session.", &|c| Some(c.durable_bytes as f64));
}
