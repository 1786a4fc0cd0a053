//! `shilu serve`: records, and serves the console, until SIGTERM or Ctrl-C.

use crate::acts::Acts;
use crate::capture;
use crate::catalog::{Catalog, Opened};
use crate::cli::console::Console;
use crate::cli::{Ended, runtime, store};
use crate::config::reload::changes;
use crate::config::{self, Parts, Source};
use crate::custody::keys::{KeyFault, Signer};
use crate::custody::logfile::Opening;
use crate::desks::{Desks, backups, lamp, rebuild};
use crate::machine::clock::{Clock, SystemClock};
use crate::machine::volume::Place;
use crate::machine::{durable, systemd, volume};
use crate::model::entry::{Draft, EntryKind};
use crate::recorder::{Recorder, cameras};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;
use tokio::signal::unix::{SignalKind, signal};

/// Runs until told to end.
pub fn run(config: &Path) -> Ended {
    let parts = config::load(config).map_err(|e| e.to_string())?;
    store::is_ours(&parts.data)?;
    runtime()?.block_on(async {
        // Heard from the first moment on: who stops a recorder that has just come up stops it in good order.
        let (end, mut again) = (wait_for_the_end(), signal(SignalKind::hangup()).map_err(|e| e.to_string())?);
        let running = start(parts).await?;
        tracing::info!("the console is at {}", running.url());
        systemd::ready(running.url());
        tokio::pin!(end);
        loop {
            tokio::select! {
                () = &mut end => break,
                _ = again.recv() => running.reload(config).await,
            }
        }
        systemd::stopping();
        running.stop().await;
        Ok(ExitCode::SUCCESS)
    })
}

/// Everything that runs.
pub struct Running {
    /// The desks.
    pub desks: Arc<Desks>,
    recorder: Arc<Recorder>,
    acts: Acts,
    console: Console,
    /// The configuration of the start, and the last that was taken.
    sources: (Source, tokio::sync::Mutex<Source>),
    _lock: volume::StoreLock,
}

/// Starts recorder, desks and console, in this order: recording never waits for the console.
pub async fn start(parts: Parts) -> Result<Running, String> {
    start_at(parts, Arc::new(SystemClock)).await
}

/// The same by another clock.
pub async fn start_at(mut parts: Parts, clock: Arc<dyn Clock>) -> Result<Running, String> {
    let told = |e: &dyn std::fmt::Display| e.to_string();
    capture::init().map_err(|e| told(&e))?;
    Place::new(parts.data.clone(), parts.recorder.own_volume).check().map_err(|e| told(&e))?;
    durable::make_folder(&parts.data).map_err(|e| told(&e))?;
    let lock = volume::lock(&parts.data.join("lock")).map_err(|e| told(&e))?;
    durable::make_folder(&parts.recorder.footage).map_err(|e| told(&e))?;
    if let Some(mirror) = &parts.recorder.mirror {
        // A mirror that is not there stops nothing: it is told as any volume that is away.
        let there = Place::new(mirror.clone(), parts.recorder.own_volume).check().and_then(|()| durable::make_folder(mirror));
        if let Err(fault) = there {
            tracing::error!(%fault, "the mirror is not there");
        }
    }
    let keys = parts.data.join("keys");
    let signer = Arc::new(Signer::open_or_make(&keys, "signing", parts.custody.algorithm).map_err(|e| told(&e))?);
    let aside = format!(".broken-{}", clock.now().utc.format("%Y%m%dT%H%M%SZ"));
    let there = backups::all(&parts.desks.backup.folder).unwrap_or_default().into_iter().map(|(_, path)| path).collect::<Vec<_>>();
    // A log without a catalog beside it: the catalog was lost.
    let was_there = durable::exists(&parts.data.join("custody/log/origin"));
    let opened = Catalog::open_or_begin_anew(&parts.data.join("catalog.db"), &aside, &there, was_there);
    let (catalog, from) = opened.map_err(|e| told(&e))?;
    let acts = Acts::open(opening(&parts).map_err(|e| told(&e))?, catalog, clock.clone()).map_err(|e| told(&e))?;
    acts.do_and_log(
        Draft::new(EntryKind::RecorderStarted)
            .about("version", env!("CARGO_PKG_VERSION"))
            .about("signer", signer.public().fingerprint())
            .about("configuration", &parts.source.sha256),
        |_| Ok(()),
    );
    let footage = parts.recorder.footage.clone();
    cameras::join(&mut parts.recorder.rooms, &parts.data);
    let recorder = Arc::new(Recorder::start(parts.recorder, acts.clone(), signer, clock).map_err(|e| told(&e))?);
    if from != Opened::Whole {
        made_anew(&acts, from, footage, parts.data.clone());
    }
    let desks = Arc::new(Desks::new(parts.desks, recorder.clone()));
    if let Err(no) = desks.watch_clock().await {
        tracing::error!("the clock is not watched: {no}");
    }
    desks.begin_equipment().await;
    desks.watch_equipment();
    look_after(&desks);
    desks.watch_alarms().await;
    desks.ask_outside();
    if let Err(no) = desks.seal_factors().await {
        tracing::error!("second factors of an earlier release are not sealed: {no}");
    }
    if let Err(no) = desks.begin_setup().await {
        tracing::error!("the first account cannot be made in the browser: {no}");
    }
    if let Err(no) = desks.file_check_outs().await {
        tracing::error!("check-outs have no files: {no}");
    }
    desks.resume_copies().await;
    desks.resume_media().await;
    desks.begin_archiving();
    if let Some(settings) = &parts.lamp {
        lamp::start(&desks, settings);
    }
    let console = Console::open(&desks, parts.listen, parts.tls.as_ref()).await?;
    say_it_lives(&recorder);
    let last = Source { sha256: parts.source.sha256.clone(), table: parts.source.table.clone() };
    let sources = (parts.source, tokio::sync::Mutex::new(last));
    Ok(Running { desks, recorder, acts, console, sources, _lock: lock })
}

/// Reads the files over a catalog that came from a backup or from nothing, behind the recording that goes on: the tree may be large.
fn made_anew(acts: &Acts, from: Opened, footage: PathBuf, data: PathBuf) {
    let draft = Draft::new(EntryKind::CatalogRestored);
    let draft = if let Opened::FromBackup(backup) = &from {
        tracing::warn!(backup = %backup.display(), "the catalog is taken from a backup: accounts, requests and decisions are those of its time");
        draft.about("from", "backup").about("file", backup.file_name().unwrap_or_default().display())
    } else {
        tracing::warn!("there is no good backup: accounts and requests are in no file, and are gone");
        draft.about("from", "files")
    };
    acts.do_and_log(draft, |_| Ok(()));
    let acts = acts.clone();
    std::thread::spawn(move || {
        for read in rebuild::all(&acts, &footage, &data) {
            match read.result {
                Ok((done, unread)) => tracing::warn!(what = read.what, done, ?unread, "read from the files into the catalog"),
                Err(fault) => tracing::error!(what = read.what, %fault, "not read into the catalog"),
            }
        }
    });
}

/// The custody log of a configuration. Its head is remembered on every volume that holds footage, and wherever else it is wanted.
pub fn opening(parts: &Parts) -> Result<Opening, KeyFault> {
    let roots = [Some(&parts.recorder.footage), parts.recorder.mirror.as_ref()];
    let heads = roots.into_iter().flatten().map(|root| root.join("custody-head"));
    Ok(Opening {
        folder: parts.data.join("custody/log"),
        key: Arc::new(Signer::of_log(&parts.data.join("keys"))?),
        remembered: heads.chain(parts.custody.head_file.clone()).collect(),
    })
}

/// What has to be done every minute, as long as there are desks.
fn look_after(desks: &Arc<Desks>) {
    let agreed = desks.disposal_agreed();
    let desks = Arc::downgrade(desks);
    let (backed_up, disposing) = (desks.clone(), desks.clone());
    tokio::spawn(async move {
        loop {
            // Also each minute: a volume that was away may be back.
            tokio::select! {
                () = agreed.notified() => {}
                () = tokio::time::sleep(Duration::from_mins(1)) => {}
            }
            let Some(desks) = disposing.upgrade() else { return };
            if let Err(no) = desks.carry_out_disposals().await {
                tracing::error!("a disposal is not carried out: {no}");
            }
        }
    });
    // By itself: a large catalog takes its time.
    tokio::spawn(async move {
        loop {
            let Some(desks) = backed_up.upgrade() else { return };
            desks.back_up_when_due().await;
            drop(desks);
            tokio::time::sleep(Duration::from_mins(1)).await;
        }
    });
    tokio::spawn(async move {
        if let Some(desks) = desks.upgrade()
            && let Err(no) = desks.begin_retention().await
        {
            tracing::error!("how long sessions are kept is not listed anew: {no}");
        }
        if let Some(desks) = desks.upgrade()
            && let Err(no) = desks.count_media_due().await
        {
            tracing::error!("media that are due are not counted: {no}");
        }
        if let Some(desks) = desks.upgrade()
            && let Err(no) = desks.forecast_when_due().await
        {
            tracing::error!("how long the volumes last is not known: {no}");
        }
        loop {
            tokio::time::sleep(Duration::from_mins(1)).await;
            let Some(desks) = desks.upgrade() else { return };
            desks.end_quiet_viewings().await;
            desks.end_copies().await;
            let looked_after = [
                ("the clock", desks.watch_clock().await),
                ("media that are due", desks.count_media_due().await),
                ("the forecast", desks.forecast_when_due().await),
            ];
            for (what, done) in looked_after {
                if let Err(no) = done {
                    tracing::error!("{what} is not looked after: {no}");
                }
            }
            desks.end_loudness().await;
            desks.tell_refusals(false);
        }
    });
}

/// Tells systemd that the recorder lives, where it watches: as long as every room's loop runs and there is time to say so.
fn say_it_lives(recorder: &Arc<Recorder>) {
    let Some(watched) = systemd::watched_every() else { return };
    let recorder = Arc::downgrade(recorder);
    tokio::spawn(async move {
        while let Some(recorder) = recorder.upgrade() {
            if recorder.rooms().all(|room| room.is_alive()) {
                systemd::alive();
            }
            drop(recorder);
            tokio::time::sleep(watched / 3).await;
        }
    });
}

impl Running {
    /// Where the console is.
    pub fn url(&self) -> &str {
        &self.console.url
    }

    /// Reads the configuration again. What is wrong with it is told, and nothing changes; what cannot change while everything runs is
    /// told too, and waits for the next start.
    async fn reload(&self, config: &Path) {
        systemd::reloading();
        let waiting = match config::load(config) {
            Ok(parts) => self.take(parts).await,
            Err(wrong) => Err(format!("the configuration is not taken, everything goes on as it was: {wrong}")),
        };
        match waiting {
            Ok(waiting) if waiting.is_empty() => systemd::ready(self.url()),
            Ok(waiting) => systemd::ready(&format!("{}; a restart will change {waiting}", self.url())),
            Err(wrong) => {
                tracing::error!("{wrong}");
                systemd::ready(self.url());
            }
        }
    }

    /// Takes up a configuration; gives the names of what waits for the next start.
    async fn take(&self, parts: Parts) -> Result<String, String> {
        self.console.reload().await?;
        let told = |e: &dyn std::fmt::Display| format!("the configuration is not taken whole: {e}");
        self.desks.take_settings(parts.desks).await.map_err(|e| told(&e))?;
        let rooms = self.desks.take_rooms(parts.recorder.rooms).await.map_err(|e| told(&e))?;
        let mut last = self.sources.1.lock().await;
        let names = |all: std::collections::BTreeSet<String>| all.into_iter().collect::<Vec<_>>().join(" ");
        let taken = names(changes(&last.table, &parts.source.table).live);
        let waiting = names(changes(&self.sources.0.table, &parts.source.table).at_next_start);
        self.desks.note_configuration(&parts.source.sha256, &taken, &waiting);
        for room in rooms {
            tracing::info!(%room, "changes when the session that is open there is over");
        }
        tracing::info!(taken, at_next_start = waiting, "the configuration was read again");
        *last = parts.source;
        Ok(waiting)
    }

    /// Ends in good order: the console first, then every open file is closed. Open sessions go on at the next start.
    pub async fn stop(self) {
        self.console.close();
        self.desks.tell_refusals(true);
        self.desks.end_watch();
        drop(self.desks);
        // Requests that still hold the recorder end within a second; a socket that does not is let go with the process.
        let mut recorder = self.recorder;
        for _ in 0..30 {
            match Arc::try_unwrap(recorder) {
                Ok(alone) => {
                    alone.stop().await;
                    break;
                }
                Err(shared) => recorder = shared,
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        drop(self.acts.log_then_do(Draft::new(EntryKind::RecorderStopped), |_| Ok(())).await);
        drop(self.acts.sign_head().await);
        let catalog = self.acts.catalog().clone();
        if let Ok(Err(fault)) = tokio::task::spawn_blocking(move || catalog.settle()).await {
            tracing::warn!(%fault, "what the catalog wrote last stays in its write-ahead log");
        }
    }
}

/// SIGTERM, SIGINT; heard from this call on, whenever it is awaited. Needs a tokio runtime.
pub fn wait_for_the_end() -> impl Future<Output = ()> {
    let term = signal(SignalKind::terminate());
    async move {
        let Ok(mut term) = term else {
            let _ = tokio::signal::ctrl_c().await;
            return;
        };
        tokio::select! {
            _ = term.recv() => {}
            _ = tokio::signal::ctrl_c() => {}
        }
    }
}
