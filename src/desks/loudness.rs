//! How loud each camera's sound is over a session, for the time line of the player: measured when it is first asked for in an open
//! viewing, in a process of the lowest priority, kept as long as the approval lives, and refused like a picture (第二十二条).

use crate::catalog::requests;
use crate::desks::copies::{MAKER, track};
use crate::desks::streams::Live;
use crate::desks::{Answer, Desks, No, blocking};
use crate::machine::worker::Worker;
use crate::machine::{durable, fault::Fault};
use crate::model::copy::{Loudness, Work};
use crate::model::ids::{CameraId, RequestId, SessionId, ViewingId};
use crate::model::people::Person;
use crate::model::refusal::Refusal;
use serde::Serialize;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

/// Largest file of levels.
const BYTES_MAX: u64 = 1024 * 1024;

/// What is known of a camera's loudness.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case", tag = "state")]
pub enum Measured {
    /// Still being measured; to be asked for again.
    Measuring {
        /// How much of it, thousandths.
        done: u32,
    },
    /// The whole line.
    Ready(Loudness),
    /// Could not be measured; pictures and sound are not touched by that.
    Failed,
}

/// What is being measured, and what could not be.
#[derive(Default)]
pub(crate) struct Measuring {
    now: Mutex<BTreeMap<PathBuf, Measured>>,
    turn: tokio::sync::Mutex<()>,
}

impl Measuring {
    fn with<T>(&self, work: impl FnOnce(&mut BTreeMap<PathBuf, Measured>) -> T) -> T {
        work(&mut self.now.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Desks {
    fn loudness_folder(&self) -> PathBuf {
        self.settings.data.join("copies/loudness")
    }

    /// Levels belong to the approval under which they were measured, and go with it.
    fn loudness_file(&self, request: &RequestId, session: &SessionId, camera: &CameraId) -> PathBuf {
        self.loudness_folder().join(format!("{request}~{session}~{camera}.json"))
    }

    /// How loud a camera of an open viewing is, or how far the measuring of it is.
    pub async fn loudness(self: &Arc<Self>, who: &Person, viewing: &ViewingId, camera: &CameraId) -> Answer<Measured> {
        let (grant, session, folder) = self.looked_at(who, viewing).await?;
        if session.seal.is_none() {
            return Err(Refusal::SessionState { state: session.state.as_str().into() }.into());
        }
        if !session.devices.iter().any(|d| d.camera == *camera) {
            return Err(Refusal::no_such("camera", camera.as_str()).into());
        }
        let to = self.loudness_file(grant.request(), &session.id, camera);
        let begun = self.measuring.with(|all| {
            let begun = all.get(&to).cloned();
            all.entry(to.clone()).or_insert(Measured::Measuring { done: 0 });
            begun
        });
        if let Some(begun) = begun {
            return Ok(begun);
        }
        let wanted = to.clone();
        let kept = blocking("reading levels", move || durable::read_whole(&wanted, BYTES_MAX)).await?;
        if let Some(line) = kept.ok().and_then(|data| serde_json::from_slice(&data).ok()) {
            self.measuring.with(|all| all.remove(&to));
            return Ok(Measured::Ready(line));
        }
        let keys = match self.keys_for(who, &folder, "viewing").await {
            Ok(keys) => keys,
            Err(no) => {
                self.measuring.with(|all| all.remove(&to));
                return Err(no);
            }
        };
        let work =
            Work::Loudness { track: track(&session, &folder, camera, &keys), length_ms: session.length_ms.unwrap_or(0), to: to.clone() };
        let live = self.streams.under(&grant, &self.clock);
        let desks = self.clone();
        tokio::spawn(async move {
            let _turn = desks.measuring.turn.lock().await;
            let (mine, at) = (desks.clone(), to.clone());
            let made = blocking("loudness", move || mine.measure(&work, &at, &live)).await;
            match made {
                Ok(Ok(())) => desks.measuring.with(|all| drop(all.remove(&to))),
                Ok(Err(fault)) => desks.not_measured(to, &fault),
                Err(no) => desks.not_measured(to, &no),
            }
        });
        Ok(Measured::Measuring { done: 0 })
    }

    fn not_measured(&self, to: PathBuf, why: &dyn std::fmt::Display) {
        tracing::error!(file = %to.display(), "loudness could not be measured: {why}");
        self.measuring.with(|all| all.insert(to, Measured::Failed));
    }

    /// Ends with the approval: then nothing is kept, and nothing is wrong.
    fn measure(&self, work: &Work, to: &Path, live: &Live) -> Result<(), Fault> {
        if !live.is() {
            return Ok(());
        }
        durable::make_folder(&self.loudness_folder())?;
        let data = serde_json::to_vec(work).map_err(|e| Fault::of("encode", "the work of measuring", e))?;
        let mut worker = Worker::start(MAKER, &data)?;
        let stop = worker.stop();
        let mut problem = "its process was ended".to_owned();
        while let Some(line) = worker.line() {
            if !live.is() {
                stop.now();
                worker.ended()?;
                return Ok(());
            }
            match line.split_once(' ') {
                Some(("done", share)) => {
                    let done = share.parse().unwrap_or(0);
                    self.measuring.with(|all| all.insert(to.to_owned(), Measured::Measuring { done }));
                }
                Some(("failed", why)) => why.clone_into(&mut problem),
                _ => {}
            }
        }
        if worker.ended()? { Ok(()) } else { Err(Fault::of("measure", "loudness", problem)) }
    }

    /// Every minute: levels whose approval is over go.
    pub async fn end_loudness(&self) {
        let folder = self.loudness_folder();
        let listed = folder.clone();
        let names = blocking("listing levels", move || durable::names(&listed)).await;
        for name in names.and_then(|n| n.map_err(No::from)).unwrap_or_default() {
            let Some(request) = name.split_once('~').and_then(|(id, _)| RequestId::new(id).ok()) else { continue };
            let now = self.now().utc;
            let live = self.read(move |c| Ok(requests::by_id(c, &request)?.is_some_and(|r| r.is_live(now)))).await;
            let path = folder.join(name);
            if matches!(live, Ok(false)) {
                self.measuring.with(|all| all.remove(&path));
                if let Err(fault) =
                    blocking("removing levels", move || durable::remove_derived(&path)).await.and_then(|r| r.map_err(No::from))
                {
                    tracing::error!("levels stay: {fault}");
                }
            }
        }
    }
}
