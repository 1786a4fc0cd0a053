//! A room that runs: its captures, its cutters, its loop, and how people act on it.

use crate::capture::{Capture, CaptureHandle};
use crate::machine::clock::Clock;
use crate::machine::fault::Fault;
use crate::model::facts::Facts;
use crate::model::fragment::CaptureEvent;
use crate::model::ids::{AccountId, CameraId, PlanId, SessionId, UnitId};
use crate::model::mark::{Manner, MarkKind};
use crate::model::missing::AnswerKind;
use crate::model::readiness::Noted;
use crate::model::record::RecordChange;
use crate::model::refusal::Refusal;
use crate::model::session::{InterruptionCause, Session, SessionKind};
use crate::model::time::Moment;
use crate::recorder::cutter::Cutter;
use crate::recorder::recovery::Resumed;
use crate::recorder::room_loop::Loop;
use crate::recorder::view::{CameraView, Gauge, RoomView};
use crate::recorder::volume::{Tell, Wrote};
use crate::recorder::{RoomSettings, Shared};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc};
use std::thread;
use tokio::sync::oneshot;

/// How an officer starts a session.
#[derive(Debug, Clone)]
pub struct Begin {
    /// Who.
    pub by: AccountId,
    /// Whose footage; the room's unit if the officer has none.
    pub unit: Option<UnitId>,
    /// What for.
    pub kind: SessionKind,
    /// What is known.
    pub facts: Facts,
    /// What it was planned as.
    pub plan: Option<PlanId>,
    /// The check before it.
    pub readiness: Option<Noted>,
    /// Cameras of the room that take no part: they are out of use (第十六条).
    pub without: Vec<CameraId>,
}

/// What people do to a running session.
#[derive(Debug, Clone)]
pub enum Act {
    /// Sets a mark.
    Mark {
        /// What it says.
        kind: MarkKind,
        /// How it was told.
        manner: Option<Manner>,
        /// More.
        text: Option<String>,
        /// 见证人 of a refusal to sign.
        witness: Option<String>,
    },
    /// Writes on the interview record.
    Record(RecordChange),
    /// Answers a demand.
    Answer {
        /// Which.
        demand: String,
        /// How.
        kind: AnswerKind,
        /// In words.
        reason: Option<String>,
    },
    /// Seals what is known and closed so far.
    InterimSeal,
    /// Pauses.
    Interrupt {
        /// Why.
        cause: InterruptionCause,
        /// In words.
        reason: Option<String>,
    },
    /// Goes on.
    Resume,
    /// Ends.
    End {
        /// As a mistaken start, with the reason.
        mistake: Option<String>,
    },
    /// Links anew.
    Link {
        /// To what.
        facts: Facts,
        /// Why.
        reason: String,
    },
}

/// Where an answer goes.
pub(super) type Reply = oneshot::Sender<Result<Arc<Session>, Refusal>>;

/// What a room's loop hears.
pub(super) enum Message {
    Begin(Box<Begin>, Moment, Reply),
    Act(SessionId, AccountId, Act, Moment, Reply),
    Capture(usize, CaptureEvent),
    /// Of which camera, on which volume.
    Wrote(usize, usize, Wrote),
    /// Ends the loop if no session is open; answers whether it did.
    Retire(oneshot::Sender<bool>),
    Stop,
}

/// A room that runs.
pub struct Room {
    view: Arc<RoomView>,
    messages: mpsc::Sender<Message>,
    captures: Mutex<Vec<Capture>>,
    thread: Mutex<Option<thread::JoinHandle<()>>>,
    retired: AtomicBool,
    clock: Arc<dyn Clock>,
}

impl Room {
    /// Starts captures, writers and loop; a session that was left open goes on.
    pub fn start(settings: RoomSettings, shared: Arc<Shared>, resumed: Option<Resumed>) -> Result<Self, Fault> {
        let (messages, inbox) = mpsc::channel();
        let mut captures = Vec::new();
        let mut cameras = Vec::new();
        let mut cutters = Vec::new();
        for (at, place) in settings.cameras.into_iter().enumerate() {
            let id = place.capture.id.clone();
            let gauge = Arc::<Gauge>::default();
            let tell = |volume: usize| -> Tell {
                let told = messages.clone();
                Box::new(move |wrote| drop(told.send(Message::Wrote(at, volume, wrote))))
            };
            let lanes = shared.volumes.iter().enumerate().map(|(n, v)| v.lane(gauge.clone(), n == 0, tell(n))).collect();
            let cutter = Arc::new(Mutex::new(Cutter::new(id.clone(), (shared.segment, shared.sm3), lanes, tell(0))));
            let (told, cuts) = (messages.clone(), cutter.clone());
            let events = Box::new(move |event| match event {
                CaptureEvent::Fragment(fragment) => lock(&cuts).fragment(fragment),
                other => {
                    if matches!(other, CaptureEvent::Down { .. }) {
                        lock(&cuts).down();
                    }
                    drop(told.send(Message::Capture(at, other)));
                }
            });
            let url = &place.capture.url;
            let address = url.host_str().map(|host| format!("{host}:{}", url.port().unwrap_or(554)));
            let capture = Capture::start(place.capture, &shared.captures, shared.clock.clone(), events);
            // Nobody records what the tile shows.
            let small = place.tile.map(|tile| Capture::start(tile, &shared.captures, shared.clock.clone(), Box::new(drop)));
            let tile = small.as_ref().map(Capture::handle);
            cameras.push(CameraView { id, name: place.name, device_no: place.device_no, address, capture: capture.handle(), tile, gauge });
            captures.push(capture);
            captures.extend(small);
            cutters.push(cutter);
        }
        let view = Arc::new(RoomView::new(settings.id, settings.name, settings.unit, cameras));
        let clock = shared.clock.clone();
        let running = Loop::new(view.clone(), shared, cutters);
        let name = format!("room-{}", view.id);
        let thread = thread::Builder::new()
            .name(name)
            .spawn(move || running.run(&inbox, resumed))
            .map_err(|e| Fault::of("start", "a room's loop", e))?;
        let (captures, thread, retired) = (Mutex::new(captures), Mutex::new(Some(thread)), AtomicBool::new(false));
        Ok(Self { view, messages, captures, thread, retired, clock })
    }

    /// What others may see of it.
    pub fn view(&self) -> &Arc<RoomView> {
        &self.view
    }

    /// Starts a session. It cannot fail on a form: what is missing is found by `model::missing` and asked for later.
    pub async fn begin(&self, begin: Begin) -> Result<Arc<Session>, Refusal> {
        let (reply, told) = oneshot::channel();
        self.ask(Message::Begin(Box::new(begin), self.clock.now(), reply), told).await
    }

    /// Acts on the open session. An end is answered when the session is sealed.
    pub async fn act(&self, session: &SessionId, by: &AccountId, act: Act) -> Result<Arc<Session>, Refusal> {
        self.act_at(session, by, act, self.clock.now()).await
    }

    /// The same, of an earlier moment: that at which somebody pressed the button.
    pub async fn act_at(&self, session: &SessionId, by: &AccountId, act: Act, at: Moment) -> Result<Arc<Session>, Refusal> {
        let (reply, told) = oneshot::channel();
        self.ask(Message::Act(session.clone(), by.clone(), act, at, reply), told).await
    }

    async fn ask(&self, message: Message, told: oneshot::Receiver<Result<Arc<Session>, Refusal>>) -> Result<Arc<Session>, Refusal> {
        let gone = || Refusal::SessionState { state: "stopping".into() };
        self.messages.send(message).map_err(|_| gone())?;
        told.await.unwrap_or_else(|_| Err(gone()))
    }

    /// Whether its loop still runs.
    pub fn is_alive(&self) -> bool {
        self.thread.lock().unwrap_or_else(PoisonError::into_inner).as_ref().is_some_and(|t| !t.is_finished())
    }

    /// Whether another one has taken its place, or is about to.
    pub fn is_retired(&self) -> bool {
        self.retired.load(Ordering::Acquire)
    }

    /// Ends its loop if no session is open; whether it did.
    pub async fn retire(&self) -> bool {
        let (reply, told) = oneshot::channel();
        self.retired.store(true, Ordering::Release);
        let retired = self.messages.send(Message::Retire(reply)).is_ok() && told.await.unwrap_or(false);
        self.retired.store(retired, Ordering::Release);
        retired
    }

    /// Closes files and ends; an open session stays open.
    pub async fn stop(&self) {
        let captures = std::mem::take(&mut *self.captures.lock().unwrap_or_else(PoisonError::into_inner));
        for capture in captures {
            capture.stop().await;
        }
        drop(self.messages.send(Message::Stop));
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        drop(tokio::task::spawn_blocking(move || thread.map(thread::JoinHandle::join)).await);
    }
}

/// A poisoned lock is taken all the same: recording goes on.
pub(super) fn lock(cutter: &Mutex<Cutter>) -> MutexGuard<'_, Cutter> {
    cutter.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Reading a camera of a room, for those who may; its small stream, where it has one and that will do.
pub fn capture_of<'a>(view: &'a RoomView, camera: &CameraId, small: bool) -> Option<&'a CaptureHandle> {
    let camera = view.cameras.iter().find(|c| c.id == *camera)?;
    Some(camera.tile.as_ref().filter(|_| small).unwrap_or(&camera.capture))
}
