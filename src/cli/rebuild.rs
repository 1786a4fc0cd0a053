//! `shilu rebuild`: the database is an index; this makes it anew from the footage tree and the cases' files (promise 7).

use crate::acts::Acts;
use crate::catalog::{Catalog, retention};
use crate::cli::{Ended, runtime};
use crate::config;
use crate::desks::{cases, disposal, provision};
use crate::machine::clock::{Clock, SystemClock};
use crate::machine::volume;
use crate::recorder::links;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

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
        let (disposals_done, disposals_unread) = disposal::rebuild(&acts, &parts.data).map_err(|e| e.to_string())?;
        let (provisions_done, provisions_unread) = provision::rebuild(&acts, &parts.data).map_err(|e| e.to_string())?;
        unread.extend([cases_unread, disposals_unread, provisions_unread].into_iter().flatten());
        let table = parts.desks.retention.clone();
        acts.index_only(move |t| retention::set_table(t, &table));
        let mut behind = String::new();
        while let Some(last) = acts.keep(move |t| retention::refresh_some(t, &behind, 500)).await.map_err(|e| e.to_string())? {
            behind = last;
        }
        // An empty write behind the others: when it is done, they are.
        acts.keep(|_| Ok(())).await.map_err(|e| e.to_string())?;
        println!("{done} sessions\n{cases_done} cases\n{provisions_done} provisions\n{disposals_done} disposals");
        unread.iter().for_each(|u| println!("UNREAD    {u}"));
        Ok(if unread.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    })
}
