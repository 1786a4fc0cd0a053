//! The lamps outside the doors, over MQTT: a retained message a room, on every change and every thirty seconds. Each room has a
//! connection of its own, whose last will takes its lamp to `unknown`: no lamp stays lit for a recorder that is gone. Nothing
//! waits for the broker.

use crate::desks::Desks;
use crate::model::ids::RoomId;
use crate::model::status::Lamp;
use rumqttc::{AsyncClient, Event, EventLoop, LastWill, MqttOptions, Packet, QoS};
use secrecy::{ExposeSecret, SecretString};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

/// How often a lamp is looked at.
const LOOK: Duration = Duration::from_millis(500);
/// A message at least so often: who listens can tell a quiet room from a dead recorder.
const AGAIN: Duration = Duration::from_secs(30);
/// How long to wait before the broker is tried again.
const RETRY: Duration = Duration::from_secs(2);
/// Messages that may wait for the broker; when it is away, older ones are worth nothing.
const WAITING: usize = 8;

/// Where the lamps listen.
#[derive(Debug, Clone)]
pub struct LampSettings {
    /// The broker.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// Sign-in name and password.
    pub login: Option<(String, SecretString)>,
    /// What topics begin with.
    pub prefix: String,
}

/// Tells the lamps for as long as there are desks.
pub fn start(desks: &Arc<Desks>, settings: &LampSettings) {
    for lamp in desks.lamps() {
        let topic = format!("{}/{}/lamp", settings.prefix, lamp.room);
        let mut options = MqttOptions::new(format!("shilu-{}-{}", lamp.room, std::process::id()), &settings.host, settings.port);
        options.set_keep_alive(Duration::from_secs(5));
        options.set_last_will(LastWill::new(&topic, "unknown", QoS::AtLeastOnce, true));
        if let Some((user, password)) = &settings.login {
            options.set_credentials(user, password.expose_secret());
        }
        let (client, events) = AsyncClient::new(options, WAITING);
        let connections = Arc::<AtomicU64>::default();
        tokio::spawn(drive(events, connections.clone(), Arc::downgrade(desks)));
        tokio::spawn(tell(client, topic, lamp.room, connections, Arc::downgrade(desks)));
    }
}

/// Lets the client work, and counts how often it got through to the broker.
async fn drive(mut events: EventLoop, connections: Arc<AtomicU64>, desks: Weak<Desks>) {
    while desks.strong_count() > 0 {
        match events.poll().await {
            Ok(Event::Incoming(Packet::ConnAck(_))) => drop(connections.fetch_add(1, Ordering::Relaxed)),
            Ok(_) => {}
            Err(e) => {
                tracing::debug!("the lamps' broker: {e}");
                tokio::time::sleep(RETRY).await;
            }
        }
    }
}

/// Says what the lamp is: at a change, after each new connection, and every so often.
async fn tell(client: AsyncClient, topic: String, room: RoomId, connections: Arc<AtomicU64>, desks: Weak<Desks>) {
    let mut told: Option<(Lamp, u64)> = None;
    let mut since = Duration::ZERO;
    loop {
        tokio::time::sleep(LOOK).await;
        let Some(desks) = desks.upgrade() else { return };
        let Some(lamp) = desks.lamps().into_iter().find(|l| l.room == room).map(|l| l.lamp) else { return };
        since += LOOK;
        let connection = connections.load(Ordering::Relaxed);
        let now = Some((lamp, connection));
        if connection > 0 && (now != told || since >= AGAIN) && client.try_publish(&topic, QoS::AtLeastOnce, true, lamp.as_str()).is_ok() {
            (told, since) = (now, Duration::ZERO);
        }
    }
}
