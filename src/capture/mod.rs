//! Cameras → fragments. The only part that knows GStreamer.
//!
//! ```text
//! retina ──┐ access units                       ┌─ pre-roll ring
//!          ├──► feed ──► muxer (GStreamer) ──► hub ─ live viewers
//! rtspsrc ─┘    time, formats, restarts          └─ events ──► recorder's cutter
//! ```
//!
//! A capture runs from start to stop of the recorder, whether a session is open or not: recording is a valve behind it, not a
//! pipeline that starts late. It reconnects for ever. Retina is the usual front (a quarter of `rtspsrc`'s CPU on the same
//! streams); `rtspsrc` serves what retina does not: RTSPS, and odd servers.
//!
//! Every byte from a camera is untrusted: bounded, and never printed longer than a line. A reader that panics on it takes its connection
//! with it, which is made anew like any other.

mod camera;
mod codecs;
pub mod copies;
pub mod examine;
mod feed;
mod hub;
mod frames;
pub mod look;
mod loudness;
mod mux;
pub mod onvif;
mod order;
mod pipelines;
mod retina_front;
mod rtspsrc_front;
mod timeline;
pub mod trial;

use crate::machine::clock::Clock;
use crate::model::fragment::{CaptureEvent, Fragment, Header};
use crate::model::gap::GapCause;
use crate::model::ids::CameraId;
use crate::model::time::Moment;
use secrecy::{ExposeSecret, SecretString};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{broadcast, oneshot, watch};
use tokio::task::JoinHandle;
use url::Url;

/// Which RTSP client connects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Front {
    /// The `retina` crate.
    Retina,
    /// GStreamer's `rtspsrc`.
    Rtspsrc,
}

/// How media travels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transport {
    /// Interleaved in the RTSP connection.
    Tcp,
    /// RTP and RTCP over UDP.
    Udp,
}

/// One camera's settings.
#[derive(Debug, Clone)]
pub struct CameraSettings {
    /// Which.
    pub id: CameraId,
    /// `rtsp://` or `rtsps://`, without name and password.
    pub url: Url,
    /// Sign-in name.
    pub user: Option<String>,
    /// Its password.
    pub password: Option<SecretString>,
    /// The client; `rtsps://` always goes by `rtspsrc`.
    pub front: Front,
    /// The transport.
    pub transport: Transport,
    /// No media for this long is a stall, seconds.
    pub stall_s: u32,
    /// Pre-roll kept in memory, seconds; 0: none.
    pub preroll_s: u32,
}

impl PartialEq for CameraSettings {
    /// The password too: one that was changed is another way to the camera.
    fn eq(&self, other: &Self) -> bool {
        let parts = |c: &Self| (c.id.clone(), c.url.clone(), c.user.clone(), c.front, c.transport, c.stall_s, c.preroll_s);
        let password = |c: &Self| c.password.as_ref().map(|p| p.expose_secret().to_owned());
        parts(self) == parts(other) && password(self) == password(other)
    }
}

/// Why capturing cannot work on this machine.
#[derive(Debug, thiserror::Error)]
pub enum CaptureError {
    /// GStreamer itself.
    #[error("GStreamer does not start: {0}")]
    GStreamer(String),
    /// An element is not installed.
    #[error("GStreamer lacks {element}; Debian has it in {package}")]
    Missing {
        /// The element.
        element: &'static str,
        /// The package.
        package: &'static str,
    },
    /// A text in `pipelines/` is not right.
    #[error("pipelines/{name}.gst: {problem}")]
    Pipeline {
        /// Which.
        name: &'static str,
        /// What.
        problem: String,
    },
}

/// Registers what GStreamer needs; once a process.
pub fn init() -> Result<(), CaptureError> {
    pipelines::init()?;
    match missing_elements().first() {
        Some((element, package)) => Err(CaptureError::Missing { element, package }),
        None => Ok(()),
    }
}

/// Elements that are not installed, with the Debian packages that have them.
pub fn missing_elements() -> Vec<(&'static str, &'static str)> {
    pipelines::missing()
}

/// What a capture says of itself.
#[derive(Debug, Clone)]
pub struct CaptureStatus {
    /// Media is coming.
    pub connected: bool,
    /// Since when it is so.
    pub since: Moment,
    /// Why not.
    pub cause: Option<GapCause>,
    /// Why not, in words.
    pub detail: Option<String>,
    /// Bits a second over the last seconds.
    pub bitrate_bps: u64,
    /// Pictures a second.
    pub fps: f64,
    /// RFC 6381.
    pub codecs: String,
    /// `1280x720`.
    pub resolution: String,
    /// When the newest fragment came.
    pub last_media: Option<Moment>,
    /// Connections after the first.
    pub reconnects: u64,
    /// RTP packets lost since start.
    pub lost_packets: u64,
}

/// What a recorder hears.
pub type Events = Box<dyn Fn(CaptureEvent) + Send + Sync>;

/// Reads a running capture.
#[derive(Clone)]
pub struct CaptureHandle(Arc<hub::Hub>);

impl CaptureHandle {
    /// Fragments as they come; a slow viewer lags and is told so, and is never waited for.
    pub fn live(&self) -> broadcast::Receiver<Arc<Fragment>> {
        self.0.live()
    }
    /// The newest header.
    pub fn latest_header(&self) -> Option<Arc<Header>> {
        self.0.latest_header()
    }
    /// The newest stretch that begins with a key frame and has one header; empty without pre-roll.
    pub fn preroll(&self) -> Vec<Arc<Fragment>> {
        self.0.preroll()
    }
    /// How it is.
    pub fn status(&self) -> CaptureStatus {
        self.0.status()
    }
}

/// How long the cameras' thread rests before it looks who has sent something: sixteen cameras out of step would wake it 400
/// times a second, and waking costs more than reading. What comes meanwhile waits in TCP's own buffers.
const REST: Duration = Duration::from_millis(40);

/// The threads that all cameras' connections share: one wake-up serves whoever has sent something, and nothing that the
/// console does on its own threads can hold them up.
#[derive(Debug)]
pub struct CaptureThread {
    /// Rests between looks.
    tcp: tokio::runtime::Handle,
    /// Does not: a key frame's burst could overflow a socket's buffer.
    udp: tokio::runtime::Handle,
    /// The threads end when these are gone.
    _ends: [oneshot::Sender<()>; 2],
}

impl CaptureThread {
    /// Starts them.
    pub fn start() -> std::io::Result<Self> {
        let (tcp, tcp_end) = thread("cameras", REST)?;
        let (udp, udp_end) = thread("cameras-udp", Duration::ZERO)?;
        Ok(Self { tcp, udp, _ends: [tcp_end, udp_end] })
    }

    fn of(&self, transport: Transport) -> &tokio::runtime::Handle {
        match transport {
            Transport::Tcp => &self.tcp,
            Transport::Udp => &self.udp,
        }
    }
}

fn thread(name: &str, rest: Duration) -> std::io::Result<(tokio::runtime::Handle, oneshot::Sender<()>)> {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    builder.enable_all();
    if !rest.is_zero() {
        builder.on_thread_park(move || std::thread::sleep(rest));
    }
    let runtime = builder.build()?;
    let handle = runtime.handle().clone();
    let (end, ended) = oneshot::channel::<()>();
    std::thread::Builder::new().name(name.into()).spawn(move || drop(runtime.block_on(ended)))?;
    Ok((handle, end))
}

/// A running capture: connects and reconnects until stopped or dropped.
pub struct Capture {
    hub: Arc<hub::Hub>,
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
}

impl Capture {
    /// Starts. `events` hears everything in order, and must not wait.
    pub fn start(settings: CameraSettings, thread: &CaptureThread, clock: Arc<dyn Clock>, events: Events) -> Self {
        let hub = Arc::new(hub::Hub::new(settings.preroll_s, clock.clone(), events));
        let (stop, stopped) = watch::channel(false);
        let task = thread.of(settings.transport).spawn(camera::run(settings, hub.clone(), clock, stopped));
        Self { hub, stop, task }
    }

    /// A handle for reading.
    pub fn handle(&self) -> CaptureHandle {
        CaptureHandle(self.hub.clone())
    }

    /// Ends it; what was received is handed over first.
    pub async fn stop(mut self) {
        let _ = self.stop.send(true);
        // The task closes its pipeline in good order; the muxer has 2 s of it for its end, so three are enough, and nobody waits for a dead camera.
        if tokio::time::timeout(Duration::from_secs(3), &mut self.task).await.is_err() {
            self.task.abort();
        }
    }
}

impl Drop for Capture {
    fn drop(&mut self) {
        let _ = self.stop.send(true);
    }
}
