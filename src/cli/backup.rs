//! `shilu backup`: a backup of the catalog now, also while the recorder runs.

use crate::acts::Acts;
use crate::catalog::{Catalog, backup};
use crate::cli::{ConfigArgument, Ended, runtime, store};
use crate::desks::{backups, key_backup};
use crate::footage::envelope::Recipients;
use crate::machine::clock::{Clock, SystemClock};
use crate::machine::terminal::{complain, say};
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
pub fn run(options: Options) -> Ended {
    let parts = store::parts(&options.config.config)?;
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let catalog = parts.data.join("catalog.db");
    if !durable::exists(&catalog) {
        return Err(format!("there is no catalog at {}", catalog.display()));
    }
    let to = match options.to {
        Some(to) => within_a_folder(std::path::absolute(&to).map_err(|e| e.to_string())?)?,
        None => {
            durable::make_folder(&parts.desks.backup.folder).map_err(|e| e.to_string())?;
            parts.desks.backup.folder.join(backups::name(clock.now().utc))
        }
    };
    // What is wrong with a recipient is told before anything is made.
    let recipients = Recipients::parse(&options.encrypt_to)?;
    let made = backup::make(&catalog, &to).map_err(|e| e.to_string())?;
    backups::describe(&to, &made).map_err(|e| e.to_string())?;
    say!("{}\nsha256 {}", to.display(), made.sha256);
    made.holding.rows.iter().for_each(|(table, rows)| say!("{rows:>10} {table}"));
    let mut entry = backups::entry(&made, &to);
    if options.keys {
        let file = key_backup::beside(&to);
        let sha256 = key_backup::write(&parts.data.join("keys"), &recipients, &file).map_err(|e| e.to_string())?;
        say!("{}\nsha256 {sha256}", file.display());
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
        Err(_) => complain!("shilu: the recorder runs; this backup is not in the custody log"),
    }
    Ok(ExitCode::SUCCESS)
}

/// A folder that is named by hand is there: else it is misspelt, or its disk is not mounted, and the backup would lie where nobody looks.
fn within_a_folder(to: PathBuf) -> Result<PathBuf, String> {
    match to.parent().filter(|folder| !folder.is_dir()) {
        Some(folder) => Err(format!("there is no folder {}; make it first, or mount its disk", folder.display())),
        None => Ok(to),
    }
}
