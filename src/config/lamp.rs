//! `[lamp]`: lamps outside the doors, over MQTT.

use crate::config::{Checks, read_password};
use crate::desks::lamp::LampSettings;
use serde::Deserialize;
use std::path::PathBuf;
use url::Url;

/// The broker, and what the lamps are called there.
#[derive(Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LampFile {
    mqtt: Option<String>,
    mqtt_user: Option<String>,
    mqtt_password_file: Option<PathBuf>,
    topic: String,
}

impl Default for LampFile {
    fn default() -> Self {
        Self { mqtt: None, mqtt_user: None, mqtt_password_file: None, topic: "shilu".into() }
    }
}

pub(super) fn check(c: &mut Checks, file: LampFile) -> Option<LampSettings> {
    let right = "mqtt://127.0.0.1:1883 would be right";
    let fits = |t: &str| !t.is_empty() && t.chars().all(|ch| ch.is_ascii_alphanumeric() || "-_/".contains(ch));
    c.that(fits(&file.topic), "lamp.topic", || "holds letters, digits, - _ and / only".into());
    let Ok(url) = Url::parse(file.mqtt.as_deref()?) else { return c.ok("lamp.mqtt", Err(format!("is no address; {right}"))) };
    c.that(url.scheme() == "mqtt", "lamp.mqtt", || format!("does not begin with mqtt://; {right}"));
    c.that(url.username().is_empty() && url.password().is_none(), "lamp.mqtt", || {
        "holds a name or password; write them as mqtt_user and mqtt_password_file, so that they are never printed".into()
    });
    let host = url.host_str().unwrap_or_default().to_owned();
    c.that(!host.is_empty(), "lamp.mqtt", || format!("names no host; {right}"));
    let login = match (file.mqtt_user, file.mqtt_password_file) {
        (Some(user), Some(path)) => c.ok("lamp.mqtt_password_file", read_password(&path)).map(|password| (user, password)),
        (None, None) => None,
        _ => c.ok("lamp", Err("mqtt_user and mqtt_password_file belong together; give both or none")),
    };
    Some(LampSettings { host, port: url.port().unwrap_or(1883), login, prefix: file.topic })
}
