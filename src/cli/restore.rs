//! `shilu restore`: the catalog from a backup, on the same machine or a bare one; what is newer than the backup is read from the files
//! and the custody log over it.

use crate::acts::Acts;
use crate::catalog::{self, Catalog, backup};
use crate::cli::{ConfigArgument, Ended, rebuild, runtime, store};
use crate::desks::{backups, key_backup};
use crate::footage::envelope::Identities;
use crate::machine::clock::{Clock, SystemClock};
use crate::machine::terminal::say;
use crate::machine::{durable, volume};
use crate::model::entry::{Draft, EntryKind};
use clap::Args;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// From where.
#[derive(Debug, Args)]
pub struct Options {
    #[command(flatten)]
    config: ConfigArgument,
    /// The backup.
    #[arg(long)]
    from: PathBuf,
    /// The keys besides, from the file that `shilu backup --keys` wrote. Over no other keys.
    #[arg(long, requires = "identity", value_name = "FILE.keys.age")]
    keys: Option<PathBuf>,
    /// What opens it: a file as `age-keygen` writes it.
    #[arg(long, requires = "keys")]
    identity: Option<PathBuf>,
    /// Also where the catalog that is there is newer than the backup. It is kept beside the restored one in any case.
    #[arg(long)]
    over_newer: bool,
}

/// Puts it back.
pub fn run(options: Options) -> Ended {
    let parts = store::parts(&options.config.config)?;
    let told = |e: &dyn std::fmt::Display| e.to_string();
    durable::make_folder(&parts.data).map_err(|e| told(&e))?;
    let lock = volume::lock(&parts.data.join("lock")).map_err(|e| format!("{e}; stop the recorder first"));
    let _lock = lock?;
    // The keys first: without them the recorder would make new ones.
    if let (Some(file), Some(identity)) = (&options.keys, &options.identity) {
        let opens = Identities::read(identity).map_err(|e| told(&e))?;
        let count = key_backup::restore(file, &opens, &parts.data.join("keys")).map_err(|e| told(&e))?;
        say!("{count} files of keys from {}", file.display());
    }
    let made = backup::tried(&options.from).map_err(|e| told(&e))?;
    if let Some(was) = backups::described(&options.from)
        && was.sha256 != made.sha256
    {
        return Err(format!("{} is not what was written: its digest is {}, and was {}", options.from.display(), made.sha256, was.sha256));
    }
    let path = parts.data.join("catalog.db");
    if !options.over_newer {
        refuse_over_newer(&path, &made)?;
    }
    durable::make_folder(&parts.recorder.footage).map_err(|e| told(&e))?;
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let aside = format!(".replaced-{}", clock.now().utc.format("%Y%m%dT%H%M%SZ"));
    runtime()?.block_on(async {
        catalog::put_aside(&path, &aside).map_err(|e| told(&e))?;
        let restored = Catalog::from_backup(&path, &options.from).map_err(|e| told(&e))?;
        let opening = crate::cli::serve::opening(&parts).map_err(|e| told(&e))?;
        let acts = Acts::open(opening, restored, clock).map_err(|e| told(&e))?;
        let mut draft = Draft::new(EntryKind::CatalogRestored)
            .about("sha256", &made.sha256)
            .about("bytes", made.bytes)
            .about("entries", made.holding.entries());
        if let Some((origin, size)) = &made.holding.log {
            draft = draft.about("of_log", origin).about("of_size", size);
        }
        acts.log_then_do(draft, |_| Ok(())).await.map_err(|e| told(&e))?;
        say!("restored from {}", options.from.display());
        made.holding.rows.iter().filter(|(table, _)| OF_BACKUPS.contains(&table.as_str())).for_each(|(table, rows)| {
            say!("{rows} {table} (from the backup alone)");
        });
        let ended = rebuild::read_all(&acts, &parts).await;
        acts.sign_head().await.map_err(|e| told(&e))?;
        ended
    })
}

/// What no file tells.
const OF_BACKUPS: &[&str] = &["accounts", "deputations", "documents", "passkeys", "plans", "requests", "screens", "tokens", "viewings"];

/// A catalog that knows more of its log than the backup does is newer: putting the backup over it would forget accounts and decisions.
fn refuse_over_newer(path: &Path, made: &backup::Made) -> Result<(), String> {
    // One that cannot be read is no catalog any more, and stands in nobody's way.
    let Ok(there) = backup::holding_of(path) else { return Ok(()) };
    let newer = there.entries() > made.holding.entries() || there.schema > made.holding.schema;
    if there.is_empty() || !newer {
        return Ok(());
    }
    Err(format!(
        "{} is newer than the backup ({} log entries, the backup has {}); accounts and decisions made since would be lost. \
         --over-newer does it all the same, and keeps the present one beside it",
        path.display(),
        there.entries(),
        made.holding.entries()
    ))
}
