//! `shilu rebuild`: the database is an index; this makes it anew from the footage tree and the other files (promise 7).

use crate::acts::Acts;
use crate::catalog::{Catalog, retention};
use crate::cli::{ConfigArgument, Ended, runtime, store};
use crate::config::Parts;
use crate::desks::rebuild;
use crate::machine::clock::{Clock, SystemClock};
use crate::machine::terminal::say;
use crate::machine::volume;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

/// From what.
#[derive(Debug, clap::Args)]
pub struct Options {
    #[command(flatten)]
    pub(super) config: ConfigArgument,
    /// From the configured archive alone; the footage stays there and is looked at from there.
    #[arg(long)]
    pub(super) from_bucket: bool,
}

/// Reads every file into the catalog; accounts and requests, which live there alone, stay.
pub fn run(config: &Path) -> Ended {
    let parts = store::parts(config)?;
    runtime()?.block_on(async {
        let _lock = volume::lock(&parts.data.join("lock")).map_err(|e| format!("{e}; stop it first"))?;
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let catalog = Catalog::open(&parts.data.join("catalog.db")).map_err(|e| e.to_string())?;
        let acts = Acts::open(crate::cli::serve::opening(&parts).map_err(|e| e.to_string())?, catalog, clock).map_err(|e| e.to_string())?;
        read_all(&acts, &parts).await
    })
}

/// Reads every file, waits until the rows are there, and tells what was read.
pub(super) async fn read_all(acts: &Acts, parts: &Parts) -> Ended {
    // What is read is dated by the table of periods that is configured (第十八条).
    let table = parts.desks.retention.clone();
    acts.index_only(move |t| retention::set_table(t, &table));
    let read = rebuild::all(acts, &parts.recorder.footage, &parts.data);
    // An empty write behind the others: when it is done, they are.
    acts.keep(|_| Ok(())).await.map_err(|e| e.to_string())?;
    let mut is_whole = true;
    for r in read {
        let (done, unread) = r.result.map_err(|e| e.to_string())?;
        say!("{done} {}", r.what);
        is_whole &= unread.is_empty();
        unread.iter().for_each(|u| say!("UNREAD    {u}"));
    }
    Ok(if is_whole { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
