//! `shilu archive`: makes the bucket, tells how it stands, reads everything in it, and brings a store or an index back from it alone.

use crate::acts::Acts;
use crate::catalog::Catalog;
use crate::catalog::archive as queue;
use crate::cli::{ConfigArgument, Ended, rebuild, runtime, serve, store};
use crate::config::{self, Parts};
use crate::desks::archive::ArchiveSettings;
use crate::desks::retrieval::{Trouble, each, fetch, indexes, restore};
use crate::footage::archive::{Store, StoreFault};
use crate::footage::envelope::Identities;
use crate::footage::tree;
use crate::machine::clock::{Clock, SystemClock};
use crate::machine::terminal::say;
use crate::machine::{durable, volume};
use crate::model::archive::{Index, StoredFile, is_below};
use crate::model::disposal::Disposal;
use clap::{Args, Subcommand};
use indicatif::ProgressBar;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

/// What to do.
#[derive(Debug, Args)]
pub struct Options {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Makes the configured bucket, with Object Lock.
    MakeBucket(ConfigArgument),
    /// What waits, what is there. Reads the index alone; the recorder may run.
    Status(ConfigArgument),
    /// Reads everything that the bucket's own indexes list: exit 0 whole, 1 altered or incomplete.
    Verify(ConfigArgument),
    /// Brings a whole store back to a bare machine, or one session of it.
    Restore {
        #[command(flatten)]
        config: ConfigArgument,
        /// Where to: an empty data folder, by default the configured one.
        #[arg(long)]
        to: Option<PathBuf>,
        /// One session alone.
        #[arg(long)]
        session: Option<String>,
        /// Papers, journals and manifests alone; the footage stays in the archive and is looked at from there.
        #[arg(long)]
        without_footage: bool,
    },
    /// Makes the index anew from the bucket alone; the footage stays there.
    Rebuild(ConfigArgument),
}

/// The bucket of a configuration, and what opens what lies there.
pub struct Bucket {
    /// It.
    pub store: Store,
    /// The identities.
    pub opens: Option<Identities>,
    /// The site.
    pub settings: ArchiveSettings,
}

impl Bucket {
    /// Of a configuration.
    pub fn of(parts: &Parts) -> Result<Self, String> {
        let settings = parts.desks.archive.clone().ok_or("no [archive] is configured")?;
        let store = Store::new(settings.store.clone(), Arc::new(SystemClock));
        let opens = settings.identity_file.as_deref().map(Identities::read).transpose().map_err(|e| e.to_string())?;
        Ok(Self { store, opens, settings })
    }

    fn indexes(&self) -> Result<(Vec<Index>, Vec<String>), StoreFault> {
        indexes(&self.store, self.opens.as_ref(), &self.settings.site, "")
    }
}

/// Does it.
pub fn run(options: Options) -> Ended {
    match options.what {
        What::MakeBucket(c) => {
            let bucket = Bucket::of(&config::load_beside(&c.config).map_err(|e| e.to_string())?)?;
            bucket.store.make_bucket().and_then(|()| bucket.store.check()).map_err(|e| e.to_string())?;
            Ok(ExitCode::SUCCESS)
        }
        What::Status(c) => status(&config::load_beside(&c.config).map_err(|e| e.to_string())?),
        What::Verify(c) => verify(&Bucket::of(&config::load_beside(&c.config).map_err(|e| e.to_string())?)?),
        What::Restore { config, to, session, without_footage } => {
            let parts = config::load_beside(&config.config).map_err(|e| e.to_string())?;
            let to = to.unwrap_or_else(|| parts.data.clone());
            store::is_ours(&to)?;
            from_bucket(&Bucket::of(&parts)?, &to, session.as_deref(), without_footage)
        }
        What::Rebuild(c) => rebuild_from_bucket(&c.config),
    }
}

fn status(parts: &Parts) -> Ended {
    if parts.desks.archive.is_none() {
        return Err("no archive is configured, so nothing waits for one; see [archive] in shilu.toml".into());
    }
    let catalog = Catalog::open(&parts.data.join("catalog.db")).map_err(|e| e.to_string())?;
    let (f, waiting) = catalog.read(|c| Ok((queue::figures(c)?, queue::waiting(c, 1000, true)?))).map_err(|e| e.to_string())?;
    say!("sessions  {}\nobjects   {}\nbytes     {}\nreleased  {}\nwaiting   {}", f.sessions, f.objects, f.bytes, f.released, f.waiting);
    for item in waiting {
        say!("WAITS     {} {} {}", item.kind, item.id, item.problem.unwrap_or_default());
    }
    Ok(if f.waiting == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn verify(bucket: &Bucket) -> Ended {
    let (found, mut wrong) = bucket.indexes().map_err(|e| e.to_string())?;
    let bar = ProgressBar::new(found.iter().flat_map(|i| &i.files).map(|f| f.bytes).sum());
    for index in &found {
        for (file, part) in index.files.iter().flat_map(|f| f.parts.iter().map(move |p| (f, p))) {
            match fetch(&bucket.store, bucket.opens.as_ref(), part) {
                Ok(_) => {}
                Err(Trouble::Store(StoreFault::Away(why))) => return Err(format!("the archive {why}")),
                Err(trouble) => wrong.push(format!("{} {} {}: {trouble}", index.kind, index.id, file.name)),
            }
            bar.inc(part.bytes);
        }
    }
    bar.finish_and_clear();
    say!("{} items", found.len());
    wrong.iter().for_each(|w| say!("WRONG     {w}"));
    say!("{}", if wrong.is_empty() { "whole" } else { "altered or incomplete" });
    Ok(if wrong.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// What was brought back.
struct Brought {
    found: Vec<Index>,
    /// Sessions that were given up: what still lies there of them, because it is locked, stays there.
    given_up: BTreeSet<String>,
    items: usize,
    files: usize,
    wrong: Vec<String>,
}

/// Makes folders anew from the bucket alone. A file that is there already stays: nothing is overwritten.
pub fn from_bucket(bucket: &Bucket, to: &Path, session: Option<&str>, without_footage: bool) -> Ended {
    Ok(tell(&bring(bucket, to, session, without_footage)?))
}

fn tell(brought: &Brought) -> ExitCode {
    say!("{} items\n{} files", brought.items, brought.files);
    if !brought.given_up.is_empty() {
        say!("{} sessions were given up: what stays of them came back, and no footage", brought.given_up.len());
    }
    brought.wrong.iter().for_each(|w| say!("WRONG     {w}"));
    if brought.wrong.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn bring(bucket: &Bucket, to: &Path, session: Option<&str>, without_footage: bool) -> Result<Brought, String> {
    let (found, mut wrong) = bucket.indexes().map_err(|e| e.to_string())?;
    let given_up = given_up(bucket, &found, &mut wrong);
    if let Some(gone) = session.filter(|s| given_up.contains(*s)) {
        return Err(format!("session {gone} was given up (第十八条); nothing of it is brought back"));
    }
    durable::make_folder(to).map_err(|e| e.to_string())?;
    let _lock = volume::lock(&to.join("lock")).map_err(|e| format!("{e}; stop it first"))?;
    let (mut items, mut jobs): (usize, Vec<(&StoredFile, PathBuf)>) = (0, Vec::new());
    for index in found.iter().filter(|i| session.is_none_or(|s| i.kind == "session" && i.id == s)) {
        if index.kind == "session" && given_up.contains(&index.id) {
            continue;
        }
        if !is_below(&index.folder) {
            wrong.push(format!("{} {}: {:?} is no folder", index.kind, index.id, index.folder));
            continue;
        }
        let folder = to.join(&index.folder);
        let is_footage = |name: &str| index.session.as_ref().is_some_and(|s| s.segments.iter().any(|s| s.file == name));
        let left_out = without_footage && index.kind == "session";
        if left_out {
            let mark = format!("{{\"since\":\"{}\"}}\n", index.at.to_rfc3339());
            durable::make_folder(&folder).map_err(|e| e.to_string())?;
            durable::write_whole(&folder.join(tree::RELEASED), mark.as_bytes()).map_err(|e| e.to_string())?;
        }
        let wanted = index.files.iter().filter(|f| !(left_out && is_footage(&f.name)));
        let is_here = |f: &StoredFile| is_below(&f.name) && durable::exists(&folder.join(&f.name));
        jobs.extend(wanted.filter(|f| !is_here(f)).map(|f| (f, folder.clone())));
        items += 1;
    }
    let done = each(&jobs, |(file, folder)| restore(&bucket.store, bucket.opens.as_ref(), file, folder));
    let files = done.iter().filter(|d| d.is_ok()).count();
    wrong.extend(done.into_iter().filter_map(Result::err));
    Ok(Brought { found, given_up, items, files, wrong })
}

/// Sessions of which a tombstone lies in the bucket, or a disposal that says so: no restore brings back what two people gave up.
fn given_up(bucket: &Bucket, found: &[Index], wrong: &mut Vec<String>) -> BTreeSet<String> {
    let mut all: BTreeSet<String> = found.iter().filter(|i| i.kind == "tombstone").map(|i| i.id.clone()).collect();
    for index in found.iter().filter(|i| i.kind == "disposal") {
        let Some(file) = index.files.iter().find(|f| f.name == "disposal.json") else { continue };
        let fetched: Result<Vec<_>, _> = file.parts.iter().map(|part| fetch(&bucket.store, bucket.opens.as_ref(), part)).collect();
        let read = fetched.map_err(|e| e.to_string()).map(|parts| serde_json::from_slice::<Disposal>(&parts.concat()));
        match read {
            Ok(Ok(disposal)) => all.extend(disposal.items.iter().filter(|i| i.stays().is_some()).map(|i| i.session.to_string())),
            Ok(Err(why)) => wrong.push(format!("disposal {}: {why}", index.id)),
            Err(why) => wrong.push(format!("disposal {}: {why}", index.id)),
        }
    }
    all
}

/// `shilu rebuild --from-bucket`, too: papers come back, footage stays in the archive, and the index is made of them.
pub fn rebuild_from_bucket(path: &Path) -> Ended {
    let parts = store::parts_beside(path)?;
    let brought = bring(&Bucket::of(&parts)?, &parts.data, None, true)?;
    let told = tell(&brought);
    let made = rebuild::run(path)?;
    runtime()?.block_on(async {
        let _lock = volume::lock(&parts.data.join("lock")).map_err(|e| format!("{e}; stop it first"))?;
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let catalog = Catalog::open(&parts.data.join("catalog.db")).map_err(|e| e.to_string())?;
        let acts = Acts::open(serve::opening(&parts).map_err(|e| e.to_string())?, catalog, clock).map_err(|e| e.to_string())?;
        let away = |index: &Index| index.kind == "session" && durable::exists(&parts.data.join(&index.folder).join(tree::RELEASED));
        let Brought { found, given_up, .. } = brought;
        let indexes: Vec<(bool, Index)> = found.into_iter().map(|index| (away(&index), index)).collect();
        let take_over = move |t: &crate::catalog::Writing<'_>| {
            indexes.iter().try_for_each(|(away, index)| {
                queue::adopt(t, index)?;
                let at = index.at.timestamp_millis();
                match (index.kind == "session" && given_up.contains(&index.id), away) {
                    // It goes when the bucket lets it go; until when its locks last is asked there.
                    (true, _) => queue::dispose(t, &index.id, at, 0),
                    (false, true) => queue::released(t, &index.id, Some(at)),
                    (false, false) => Ok(()),
                }
            })
        };
        acts.keep(take_over).await.map_err(|e| e.to_string())
    })?;
    Ok(if told == ExitCode::SUCCESS { made } else { told })
}
