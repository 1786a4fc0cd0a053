//! Telling alarms outside the console. Each channel has a queue, a task and a pace of its own: one that hangs or is away delays no other,
//! and nothing of it stands in the way of a recording. What waits stands in the catalog too, so that a restart sends it; what was tried and
//! not confirmed is sent again under the same number. A channel that does not get through is itself an alarm, on the others.

pub mod journal;
pub mod mail;
pub mod mqtt;
pub mod webhook;

use crate::acts::Acts;
use crate::catalog::alarm_messages::{self as kept, Waiting};
use crate::desks::Desks;
use crate::desks::mail::MailSettings;
use crate::machine::randomness;
use crate::model::alarm::{AlarmKind, Happening, Severity, Told};
use crate::model::alarm_message::{Channel, Go, Line, Message, NAMED_MAX, Pace, Payload};
use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;
use tokio::sync::Notify;

/// Messages that may wait for a channel; beyond that the oldest go, and are counted.
const WAITING_MAX: usize = 500;
/// How long one try may take.
const PATIENCE: Duration = Duration::from_secs(20);
/// The pause after a try that failed; it doubles up to the longest.
const PAUSE_FIRST: Duration = Duration::from_secs(1);
const PAUSE_MAX: Duration = Duration::from_mins(5);
/// What comes at once goes together.
const GATHER: Duration = Duration::from_millis(300);
/// How often an idle channel looks whether there still are desks.
const IDLE: Duration = Duration::from_secs(5);

/// What is told by which channel.
#[derive(Debug, Clone)]
pub struct AlarmSettings {
    /// To whom e-mails go, and from which severity on.
    pub mail: mail::Recipients,
    /// Where to post.
    pub webhook: Option<webhook::WebhookSettings>,
    /// The broker.
    pub mqtt: Option<mqtt::MqttSettings>,
    /// The host's journal has alarms from this severity on.
    pub journal: Severity,
}

/// Why something was not sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Trouble {
    /// It will never be taken, however often it is tried.
    pub(super) is_final: bool,
    /// In words, without an address.
    pub(super) why: String,
}

impl From<String> for Trouble {
    fn from(why: String) -> Self {
        Self { is_final: false, why }
    }
}

/// What a channel sends at once.
#[derive(Debug, Clone)]
pub(super) enum Outgoing {
    /// Alarms.
    Alarms(Message),
    /// A notice to one person.
    Letter { id: String, to: String, subject: String, text: String },
}

/// What waits for a channel, and how it does.
pub(super) struct Queue {
    channel: Channel,
    least: Severity,
    waiting: Mutex<VecDeque<Waiting>>,
    come: Notify,
    /// Monotonic ms since when it does not get through, plus one; 0: it does.
    failing_since: AtomicU64,
    failures: AtomicU64,
    sent: AtomicU64,
    left_out: AtomicU64,
}

/// What to do next.
enum Next {
    Nothing,
    Wait(Duration),
    Send(Go, Vec<Waiting>),
}

impl Queue {
    fn new(channel: Channel, least: Severity) -> Arc<Self> {
        let zero = AtomicU64::default;
        let (waiting, come) = (Mutex::default(), Notify::new());
        Arc::new(Self { channel, least, waiting, come, failing_since: zero(), failures: zero(), sent: zero(), left_out: zero() })
    }

    fn with<T>(&self, work: impl FnOnce(&mut VecDeque<Waiting>) -> T) -> T {
        work(&mut self.waiting.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Which.
    pub(super) fn channel(&self) -> Channel {
        self.channel
    }

    /// Puts something behind what waits. Memory is bounded: what is too old to matter makes room.
    pub(super) fn push(&self, waiting: Waiting, acts: &Acts) {
        let too_many = self.with(|all| {
            all.push_back(waiting);
            let more = all.len().saturating_sub(WAITING_MAX);
            // The first may be on its way.
            let ids: Vec<String> = all.iter().skip(1).take(more).map(|w| w.id.clone()).collect();
            all.retain(|w| !ids.contains(&w.id));
            ids
        });
        if !too_many.is_empty() {
            self.left_out.fetch_add(too_many.len() as u64, Ordering::Relaxed);
            let channel = self.channel;
            acts.index_only(move |t| kept::gone(t, channel, &too_many));
        }
        self.come.notify_one();
    }

    /// What is next, by the pace. What goes in one message is marked, so that it is the same message however often it is tried.
    fn next(&self, pace: &mut Pace, now_ms: u64) -> Next {
        self.with(|all| {
            let Some(first) = all.front() else { return Next::Nothing };
            if let Some(batch) = first.batch.clone() {
                return Next::Send(Go::All, all.iter().filter(|w| w.batch.as_ref() == Some(&batch)).cloned().collect());
            }
            if matches!(first.payload, Payload::Letter { .. }) {
                return Next::Send(Go::One, vec![first.clone()]);
            }
            let alarms = |w: &&mut Waiting| w.batch.is_none() && matches!(w.payload, Payload::Alarm(_));
            let count = all.iter_mut().filter(alarms).count();
            match pace.next(now_ms, count) {
                Go::One => Next::Send(Go::One, all.front().cloned().into_iter().collect()),
                Go::Wait(ms) => Next::Wait(Duration::from_millis(ms)),
                Go::All => {
                    let batch = format!("{}-all", all.front().map(|w| w.id.clone()).unwrap_or_default());
                    let marked = all.iter_mut().filter(alarms).map(|w| {
                        w.batch = Some(batch.clone());
                        w.clone()
                    });
                    Next::Send(Go::All, marked.collect())
                }
            }
        })
    }

    fn done(&self, ids: &[String]) {
        self.with(|all| all.retain(|w| !ids.contains(&w.id)));
    }

    /// A letter that was not taken now goes behind the others, so that one box that is full holds nobody up.
    fn put_behind(&self, id: &str) {
        self.with(|all| {
            if let Some(at) = all.iter().position(|w| w.id == id)
                && let Some(letter) = all.remove(at)
            {
                all.push_back(letter);
            }
        });
    }
}

/// All channels.
#[derive(Default)]
pub(crate) struct Delivery {
    queues: Vec<Arc<Queue>>,
    has_mail_alarms: bool,
}

impl Delivery {
    pub(super) fn new(settings: &AlarmSettings, mail: Option<&MailSettings>) -> Self {
        let mail = mail.map(|_| Queue::new(Channel::Mail, settings.mail.least));
        let webhook = settings.webhook.as_ref().map(|w| Queue::new(Channel::Webhook, w.least));
        let mqtt = settings.mqtt.as_ref().map(|m| Queue::new(Channel::Mqtt, m.least));
        let queues = [mail, webhook, mqtt].into_iter().flatten().collect();
        Self { queues, has_mail_alarms: !settings.mail.to.is_empty() || !settings.mail.roles.is_empty() }
    }

    /// The queues that take something.
    pub(super) fn takes(&self, told: &Told) -> Vec<Arc<Queue>> {
        let takes = |queue: &&Arc<Queue>| {
            let is_itself = told.alarm.kind == AlarmKind::ChannelDown && told.alarm.subject == queue.channel.as_str();
            let is_wanted = match queue.channel {
                // People want to know what is wrong and what is well again; that somebody knows stands in the console.
                Channel::Mail => self.has_mail_alarms && told.what != Happening::Acknowledged,
                Channel::Webhook | Channel::Mqtt => true,
            };
            is_wanted && !is_itself && told.what != Happening::Counted && told.alarm.severity >= queue.least
        };
        self.queues.iter().filter(takes).cloned().collect()
    }

    fn queue(&self, channel: Channel) -> Option<&Arc<Queue>> {
        self.queues.iter().find(|q| q.channel == channel)
    }

    /// The channels that do not get through, and what people call them.
    pub(super) fn down(&self) -> impl Iterator<Item = (&'static str, &'static str)> {
        let name = |channel| match channel {
            Channel::Mail => "电子邮件 e-mail",
            Channel::Webhook => "Webhook",
            Channel::Mqtt => "MQTT",
        };
        let down = self.queues.iter().filter(|q| q.failing_since.load(Ordering::Relaxed) > 0);
        down.map(move |q| (q.channel.as_str(), name(q.channel)))
    }

    /// Whether something got through since the start.
    pub(super) fn has_sent(&self) -> bool {
        self.figures().any(|(_, _, _, sent)| sent > 0)
    }

    /// Of each channel: what waits, tries that failed, messages that were taken.
    pub(super) fn figures(&self) -> impl Iterator<Item = (&'static str, usize, u64, u64)> {
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
        self.queues.iter().map(move |q| (q.channel.as_str(), q.with(|all| all.len()), read(&q.failures), read(&q.sent)))
    }
}

/// Takes up what waited before the start, and sends for as long as there are desks.
pub(super) async fn start(desks: &Arc<Desks>) {
    for queue in &desks.delivery.queues {
        let channel = queue.channel;
        match desks.read(move |c| kept::of_channel(c, channel, WAITING_MAX as u32)).await {
            Ok(waiting) => queue.with(|all| all.extend(waiting)),
            Err(no) => tracing::error!(channel = channel.as_str(), "what waited before the start cannot be read: {no}"),
        }
        let settings = &desks.settings;
        let post = match channel {
            Channel::Mail => settings.mail.clone().map(|mail| Post::Mail(mail::Post::new(mail, settings.alarms.mail.clone()))),
            Channel::Webhook => settings.alarms.webhook.clone().map(Post::Webhook),
            Channel::Mqtt => settings.alarms.mqtt.clone().map(Post::Mqtt),
        };
        if let Some(post) = post {
            tokio::spawn(work(Arc::downgrade(desks), queue.clone(), post));
        }
    }
}

enum Post {
    Mail(mail::Post),
    Webhook(webhook::WebhookSettings),
    Mqtt(mqtt::MqttSettings),
}

impl Post {
    async fn send(&mut self, desks: &Weak<Desks>, outgoing: &Outgoing) -> Result<(), Trouble> {
        match (self, outgoing) {
            (Self::Mail(post), outgoing) => post.send(desks, outgoing).await,
            (Self::Webhook(settings), Outgoing::Alarms(message)) => {
                let Some(now) = desks.upgrade().map(|d| d.now().utc) else { return Ok(()) };
                Ok(webhook::send(settings, message, now).await?)
            }
            (Self::Mqtt(settings), Outgoing::Alarms(message)) => Ok(mqtt::send(settings, message).await?),
            (Self::Webhook(_) | Self::Mqtt(_), Outgoing::Letter { .. }) => Ok(()),
        }
    }
}

/// One channel: what comes first goes first, until it is taken. The desks are held for moments only, so that an end never waits for it.
async fn work(desks: Weak<Desks>, queue: Arc<Queue>, mut post: Post) {
    let (mut pace, mut pause) = (Pace::default(), PAUSE_FIRST);
    loop {
        let Some(now_ms) = desks.upgrade().map(|d| d.now().mono_ms) else { return };
        let (go, taken) = match queue.next(&mut pace, now_ms) {
            Next::Nothing => {
                if tokio::time::timeout(IDLE, queue.come.notified()).await.is_ok() {
                    tokio::time::sleep(GATHER).await;
                }
                continue;
            }
            Next::Wait(left) => {
                tokio::time::sleep(left.min(IDLE)).await;
                continue;
            }
            Next::Send(go, taken) => (go, taken),
        };
        let ids: Vec<String> = taken.iter().map(|w| w.id.clone()).collect();
        let Some(outgoing) = desks.upgrade().map(|d| d.put_together(&queue, &taken)) else { return };
        let tried = tokio::time::timeout(PATIENCE, post.send(&desks, &outgoing)).await;
        let tried = tried.unwrap_or_else(|_| Err(Trouble::from("does not answer in time".to_owned())));
        let Some(still) = desks.upgrade() else { return };
        let is_letter = matches!(outgoing, Outgoing::Letter { .. });
        match tried {
            Err(trouble) if !trouble.is_final => {
                queue.failures.fetch_add(1, Ordering::Relaxed);
                let first = queue.failing_since.compare_exchange(0, now_ms + 1, Ordering::Relaxed, Ordering::Relaxed).is_ok();
                if first {
                    tell_trouble(queue.channel, &trouble.why);
                }
                if is_letter {
                    ids.iter().for_each(|id| queue.put_behind(id));
                }
                drop(still);
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(PAUSE_MAX);
                continue;
            }
            Err(trouble) => tell_trouble(queue.channel, &trouble.why),
            Ok(()) => {
                queue.sent.fetch_add(1, Ordering::Relaxed);
            }
        }
        queue.failing_since.store(0, Ordering::Relaxed);
        pause = PAUSE_FIRST;
        pace.sent(now_ms, if is_letter { Go::Wait(0) } else { go });
        queue.done(&ids);
        let channel = queue.channel;
        // A crash before this line sends it once more, under the same number.
        still.acts.index_only(move |t| kept::gone(t, channel, &ids));
    }
}

fn tell_trouble(channel: Channel, why: &str) {
    match channel {
        // The address is a person's: the journal gets the reason alone.
        Channel::Mail => tracing::warn!("a notice by e-mail was not sent: {why}"),
        other => tracing::warn!(channel = other.as_str(), "alarms are not sent: {why}"),
    }
}

impl Desks {
    /// What goes out, of what was taken from a queue.
    fn put_together(&self, queue: &Queue, taken: &[Waiting]) -> Outgoing {
        if let [Waiting { id, payload: Payload::Letter { to, subject, text }, .. }] = taken {
            return Outgoing::Letter { id: id.clone(), to: to.clone(), subject: subject.clone(), text: text.clone() };
        }
        let batch = taken.first().and_then(|w| w.batch.clone());
        if let Some(batch) = &batch {
            let (channel, ids, batch) = (queue.channel, taken.iter().map(|w| w.id.clone()).collect::<Vec<_>>(), batch.clone());
            self.acts.index_only(move |t| kept::batched(t, channel, &ids, &batch));
        }
        let rooms = self.rooms();
        let line = |w: &Waiting| match &w.payload {
            Payload::Alarm(told) => Some(Line::of(told, &rooms)),
            Payload::Letter { .. } => None,
        };
        let mut alarms: Vec<Line> = taken.iter().filter_map(line).collect();
        // What is worst is named; the order of time stays.
        let more = alarms.len().saturating_sub(NAMED_MAX);
        if more > 0 {
            let mut by_weight: Vec<usize> = (0..alarms.len()).collect();
            by_weight.sort_by_key(|at| (std::cmp::Reverse(alarms[*at].severity), *at));
            by_weight.truncate(NAMED_MAX);
            by_weight.sort_unstable();
            alarms = by_weight.into_iter().map(|at| alarms[at].clone()).collect();
        }
        let left_out = if batch.is_some() { queue.left_out.swap(0, Ordering::Relaxed) as usize } else { 0 };
        Outgoing::Alarms(Message {
            id: batch.or_else(|| taken.first().map(|w| w.id.clone())).unwrap_or_default(),
            bureau: self.settings.bureau.clone(),
            console: self.address().map(|a| format!("{}/alarms", a.trim_end_matches('/'))),
            alarms,
            more: more + left_out,
        })
    }

    /// Puts a notice to one person into the queue of e-mails: it is tried until the server has it.
    pub(super) fn write_letter(&self, to: String, subject: String, text: String) {
        let Some(queue) = self.delivery.queue(Channel::Mail) else { return };
        let id = randomness::hex::<8>().map_or_else(|_| format!("letter-{}", self.now().mono_ms), |hex| format!("letter-{hex}"));
        let waiting = Waiting { id, batch: None, payload: Payload::Letter { to, subject, text } };
        let row = waiting.clone();
        self.acts.index_only(move |t| kept::put(t, Channel::Mail, &row));
        queue.push(waiting, &self.acts);
    }
}
