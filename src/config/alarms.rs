//! `[alarms]`: who is told of what is wrong, by which way, and from which severity on.

use crate::config::{Checks, access, read_password};
use crate::desks::alarm_delivery::AlarmSettings;
use crate::desks::alarm_delivery::mail::Recipients;
use crate::desks::alarm_delivery::mqtt::MqttSettings;
use crate::desks::alarm_delivery::webhook::WebhookSettings;
use crate::model::alarm::Severity;
use crate::model::people::Role;
use secrecy::ExposeSecret;
use serde::Deserialize;
use std::path::PathBuf;
use url::Url;

/// Characters of a key for signatures, at least.
const SECRET_MIN: usize = 16;

/// Where alarms go besides the console.
#[derive(Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AlarmsFile {
    mail_to: Vec<String>,
    mail_roles: Vec<String>,
    mail_severity: String,
    webhook_url: Option<String>,
    webhook_secret_file: Option<PathBuf>,
    webhook_severity: String,
    mqtt: Option<String>,
    mqtt_user: Option<String>,
    mqtt_password_file: Option<PathBuf>,
    mqtt_severity: String,
    topic: String,
    journal_severity: String,
}

impl Default for AlarmsFile {
    fn default() -> Self {
        Self {
            mail_to: vec![],
            mail_roles: vec!["office".into()],
            mail_severity: "warning".into(),
            webhook_url: None,
            webhook_secret_file: None,
            webhook_severity: "notice".into(),
            mqtt: None,
            mqtt_user: None,
            mqtt_password_file: None,
            mqtt_severity: "notice".into(),
            topic: "shilu".into(),
            journal_severity: "notice".into(),
        }
    }
}

pub(super) fn check(c: &mut Checks, file: AlarmsFile) -> AlarmSettings {
    let mut severity = |place: &str, word: &str| {
        let found = Severity::from_word(word);
        c.that(found.is_some(), place, || "is unknown; \"notice\", \"warning\" or \"urgent\" would be right".into());
        found.unwrap_or(Severity::Notice)
    };
    let mail_least = severity("alarms.mail_severity", &file.mail_severity);
    let webhook_least = severity("alarms.webhook_severity", &file.webhook_severity);
    let mqtt_least = severity("alarms.mqtt_severity", &file.mqtt_severity);
    let journal = severity("alarms.journal_severity", &file.journal_severity);
    for to in &file.mail_to {
        c.that(to.parse::<lettre::Address>().is_ok(), "alarms.mail_to", || {
            "holds what is no address; office@bureau.example would be right".into()
        });
    }
    let role = |word: &String| Role::from_word(word).ok_or_else(|| format!("holds what is no role; {} would be right", Role::words()));
    let roles = file.mail_roles.iter().filter_map(|word| c.ok("alarms.mail_roles", role(word))).collect();
    AlarmSettings {
        mail: Recipients { to: file.mail_to.clone(), roles, least: mail_least },
        webhook: webhook(c, &file, webhook_least),
        mqtt: mqtt(c, file, mqtt_least),
        journal,
    }
}

fn webhook(c: &mut Checks, file: &AlarmsFile, least: Severity) -> Option<WebhookSettings> {
    let (url, secret) = match (&file.webhook_url, &file.webhook_secret_file) {
        (Some(url), Some(secret)) => (url, secret),
        (None, None) => return None,
        _ => return c.ok("alarms", Err("webhook_url and webhook_secret_file belong together; give both or none")),
    };
    let right = Url::parse(url).is_ok_and(|u| access::is_safe(&u) && u.username().is_empty() && u.password().is_none());
    // The address itself is not shown: it may hold a token.
    c.that(right, "alarms.webhook_url", || {
        "is no https address without name and password; https://alarms.bureau.example/shilu would be right".into()
    });
    let secret = c.ok("alarms.webhook_secret_file", read_password(secret))?;
    c.that(secret.expose_secret().len() >= SECRET_MIN, "alarms.webhook_secret_file", || {
        format!("holds less than {SECRET_MIN} characters; `openssl rand -hex 32` makes a key")
    });
    Some(WebhookSettings { url: url.clone(), secret, least })
}

fn mqtt(c: &mut Checks, file: AlarmsFile, least: Severity) -> Option<MqttSettings> {
    let right = "mqtt://127.0.0.1:1883 would be right";
    let fits = |t: &str| !t.is_empty() && t.chars().all(|ch| ch.is_ascii_alphanumeric() || "-_/".contains(ch));
    c.that(fits(&file.topic), "alarms.topic", || "holds letters, digits, - _ and / only".into());
    let Ok(url) = Url::parse(file.mqtt.as_deref()?) else { return c.ok("alarms.mqtt", Err(format!("is no address; {right}"))) };
    c.that(url.scheme() == "mqtt", "alarms.mqtt", || format!("does not begin with mqtt://; {right}"));
    c.that(url.username().is_empty() && url.password().is_none(), "alarms.mqtt", || {
        "holds a name or password; write them as mqtt_user and mqtt_password_file, so that they are never printed".into()
    });
    let host = url.host_str().unwrap_or_default().to_owned();
    c.that(!host.is_empty(), "alarms.mqtt", || format!("names no host; {right}"));
    let login = match (file.mqtt_user, file.mqtt_password_file) {
        (Some(user), Some(path)) => c.ok("alarms.mqtt_password_file", read_password(&path)).map(|password| (user, password)),
        (None, None) => None,
        _ => c.ok("alarms", Err("mqtt_user and mqtt_password_file belong together; give both or none")),
    };
    Some(MqttSettings { host, port: url.port().unwrap_or(1883), login, prefix: file.topic, least })
}
