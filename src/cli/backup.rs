//! `shilu backup`: a backup of the catalog now, also while the recorder runs.

use crate::acts::Acts;
use crate::catalog::{Catalog, backup};
use crate::cli::{ConfigArgument, Ended, runtime};
use crate::config;
use crate::desks::{backups, key_backup};
use crate::footage::envelope::Recipients;
use crate::machine::clock::{Clock, SystemClock};
use crate::machine::{durable, volume};
use clap::Args;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

/// Where to.
#[derive(Debug, Args)]
pub struct Options {
    #[command(flatten)]
    config: ConfigArgument,
    /// A new file; else one in the folder of backups. Beside it a .json says what is in it.
    #[arg(long)]
    to: Option<PathBuf>,
    /// The keys besides, encrypted, in a file beside the backup: catalog-….keys.age.
    #[arg(long, requires = "encrypt_to")]
    keys: bool,
    /// Who can open the keys: age1…, as `age-keygen` shows it. Several, each of whom opens them alone.
    #[arg(long, requires = "keys", value_name = "AGE1…")]
    encrypt_to: Vec<String>,
}

/// Makes it, tries it, and tells what is in it.
#[allow(clippy::print_stdout, clippy::print_stderr)]
pub fn run(options: Options) -> Ended {
    let parts = config::load_by_hand(&options.config.config).map_err(|e| e.to_string())?;
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let catalog = parts.data.join("catalog.db");
    if !durable::exists(&catalog) {
        return Err(format!("there is no catalog at {}", catalog.display()));
    }
    let to = options.to.unwrap_or_else(|| parts.desks.backup.folder.join(backups::name(clock.now().utc)));
    let to = std::path::absolute(&to).map_err(|e| e.to_string())?;
    if let Some(folder) = to.parent() {
        durable::make_folder(folder).map_err(|e| e.to_string())?;
    }
    // What is wrong with a recipient is told before anything is made.
    let recipients = Recipients::parse(&options.encrypt_to)?;
    let made = backup::make(&catalog, &to).map_err(|e| e.to_string())?;
    backups::describe(&to, &made).map_err(|e| e.to_string())?;
    println!("{}\nsha256 {}", to.display(), made.sha256);
    made.holding.rows.iter().for_each(|(table, rows)| println!("{rows:>10} {table}"));
    let mut entry = backups::entry(&made, &to);
    if options.keys {
        let file = key_backup::beside(&to);
        let sha256 = key_backup::write(&parts.data.join("keys"), &recipients, &file).map_err(|e| e.to_string())?;
        println!("{}\nsha256 {sha256}", file.display());
        entry = entry.about("keys_sha256", sha256);
    }
    // The log has one writer: while the recorder runs, only what it makes itself is logged.
    match volume::lock(&parts.data.join("lock")) {
        Ok(_lock) => runtime()?.block_on(async {
            let opened = Catalog::open(&catalog).map_err(|e| e.to_string())?;
            let acts =
                Acts::open(crate::cli::serve::opening(&parts).map_err(|e| e.to_string())?, opened, clock).map_err(|e| e.to_string())?;
            acts.log_then_do(entry, |_| Ok(())).await.map_err(|e| e.to_string())
        })?,
        Err(_) => eprintln!("shilu: the recorder runs; this backup is not in the custody log"),
    }
    Ok(ExitCode::SUCCESS)
}
