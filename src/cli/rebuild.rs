//! `shilu rebuild`: the database is an index; this makes it anew from the footage tree and the cases' files (promise 7).

use crate::acts::Acts;
use crate::catalog::Catalog;
use crate::cli::{ConfigArgument, Ended, runtime};
use crate::config;
use crate::desks::{cases, provision};
use crate::machine::clock::{Clock, SystemClock};
use crate::machine::volume;
use crate::recorder::links;
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

/// Reads every journal into the catalog; accounts and requests, which live there alone, stay.
#[allow(clippy::print_stdout)]
pub fn run(config: &Path) -> Ended {
    let parts = config::load(config).map_err(|e| e.to_string())?;
    runtime()?.block_on(async {
        let _lock = volume::lock(&parts.data.join("lock")).map_err(|e| e.to_string())?;
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let catalog = Catalog::open(&parts.data.join("catalog.db")).map_err(|e| e.to_string())?;
        let acts = Acts::open(crate::cli::serve::opening(&parts).map_err(|e| e.to_string())?, catalog, clock).map_err(|e| e.to_string())?;
        let (done, mut unread) = links::rebuild(&acts, &parts.recorder.footage).map_err(|e| e.to_string())?;
        let (cases_done, cases_unread) = cases::rebuild(&acts, &parts.data).map_err(|e| e.to_string())?;
        unread.extend(cases_unread);
        let (_, provisions_unread) = provision::rebuild(&acts, &parts.data).map_err(|e| e.to_string())?;
        unread.extend(provisions_unread);
        // An empty write behind the others: when it is done, they are.
        acts.keep(|_| Ok(())).await.map_err(|e| e.to_string())?;
        println!("{done} sessions\n{cases_done} cases");
        unread.iter().for_each(|u| println!("UNREAD    {u}"));
        Ok(if unread.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    })
}
