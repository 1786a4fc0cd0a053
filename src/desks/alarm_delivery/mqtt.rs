//! Alarms to a broker, for displays and building control: `<topic>/alarms/<number>` holds an open alarm (retained, QoS 1) and is emptied when
//! it is over; many at once come as one message at `<topic>/alarms/summary`. A connection a message: what the broker confirmed it has.

use crate::model::alarm::{Happening, Severity};
use crate::model::alarm_message::Message;
use rumqttc::{AsyncClient, Event, MqttOptions, Packet, QoS};
use secrecy::{ExposeSecret, SecretString};
use std::time::Duration;

/// Bytes of a message; a summary has tens of alarms.
const BYTES_MAX: usize = 1 << 20;

/// The broker.
#[derive(Debug, Clone)]
pub struct MqttSettings {
    /// Its host.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// Sign-in name and password.
    pub login: Option<(String, SecretString)>,
    /// What topics begin with.
    pub prefix: String,
    /// From this severity on.
    pub least: Severity,
}

/// Topic, whether it stays, and what.
type Publish = (String, bool, Vec<u8>);

fn publishes(prefix: &str, message: &Message) -> Result<Vec<Publish>, String> {
    let whole = serde_json::to_vec(message).map_err(|e| e.to_string())?;
    let [one] = message.alarms.as_slice() else { return Ok(vec![(format!("{prefix}/alarms/summary"), false, whole)]) };
    let topic = format!("{prefix}/alarms/{}", one.id);
    let is_over = one.event == Happening::Cleared || one.ended_at.is_some();
    Ok(if is_over { vec![(topic.clone(), false, whole), (topic, true, vec![])] } else { vec![(topic, true, whole)] })
}

/// Hands a message over, and waits until the broker has it.
pub(super) async fn send(settings: &MqttSettings, message: &Message) -> Result<(), String> {
    let mut options = MqttOptions::new(format!("shilu-alarms-{}", std::process::id()), &settings.host, settings.port);
    options.set_keep_alive(Duration::from_secs(5)).set_max_packet_size(BYTES_MAX, BYTES_MAX);
    if let Some((user, password)) = &settings.login {
        options.set_credentials(user, password.expose_secret());
    }
    let all = publishes(&settings.prefix, message)?;
    let mut open = all.len();
    let (client, mut events) = AsyncClient::new(options, all.len() + 1);
    for (topic, stays, body) in all {
        client.try_publish(topic, QoS::AtLeastOnce, stays, body).map_err(|e| e.to_string())?;
    }
    while open > 0 {
        if let Event::Incoming(Packet::PubAck(_)) = events.poll().await.map_err(|e| e.to_string())? {
            open -= 1;
        }
    }
    // In good order, where there is still somebody to tell.
    if client.try_disconnect().is_ok() {
        drop(events.poll().await);
    }
    Ok(())
}
