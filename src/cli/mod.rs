//! The command line: one file a subcommand. Logs go to stderr, so that what a subcommand prints can be piped.

pub mod archive;
pub mod backup;
pub mod check;
mod console;
pub mod demo;
pub mod drive;
pub mod examine;
pub mod import;
mod journal;
pub mod key;
pub mod log;
pub mod make_backup;
pub mod make_copy;
pub mod overview;
pub mod rebuild;
pub mod restore;
pub mod serve;
mod store;
mod support;
pub mod user;
pub mod witness;

use crate::custody::tell;
use crate::machine::terminal::complain;
use clap::{Parser, Subcommand};
use std::path::PathBuf;
use std::process::ExitCode;
use tracing_subscriber::EnvFilter;

/// Shilu (实录): evidence-grade recorder for questioning rooms.
#[derive(Debug, Parser)]
#[command(version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Records, and serves the console.
    Serve(ConfigArgument),
    /// Checks a configuration, and tells what this machine lacks.
    Check(ConfigArgument),
    /// Makes accounts.
    User(user::Options),
    /// Checks a session's folder, a package or a whole footage tree: exit 0 intact, 1 altered or incomplete, 2 cannot tell.
    Verify(tell::Options),
    /// The custody log: checks it, proves an entry.
    Log(log::Options),
    /// The signing key.
    Key(key::Options),
    /// An outside cosigner of other machines' logs.
    Witness(witness::Options),
    /// Makes the index anew from the footage tree.
    Rebuild(rebuild::Options),
    /// A backup of the catalog, restored on trial; also while the recorder runs.
    Backup(backup::Options),
    /// The catalog from a backup, with what the files and the custody log know beyond it.
    Restore(restore::Options),
    /// Makes a backup of the catalog; the recorder starts it.
    #[command(hide = true)]
    MakeBackup,
    /// The bucket: makes it, reads it, brings everything back from it.
    Archive(archive::Options),
    /// A console that only reads, over the archive of many sites.
    Overview(overview::Options),
    /// Makes a viewing copy; the recorder starts it.
    #[command(hide = true)]
    MakeCopy,
    /// Takes in recordings of portable devices: exit 0 all taken in or known, 1 some not.
    Import(import::Options),
    /// Looks at a file that arrived; the recorder starts it.
    #[command(hide = true)]
    Examine,
    /// A bundle for whoever helps, without secrets and personal data.
    Support(support::Options),
    /// Two simulated rooms, recorder and console; run by deploy/demo.
    Demo(demo::Options),
}

/// Where the configuration is.
#[derive(Debug, clap::Args)]
pub struct ConfigArgument {
    /// The configuration file.
    #[arg(long, default_value = "/etc/shilu/shilu.toml")]
    pub config: PathBuf,
}

/// What a subcommand ends with: its exit code, or words for the person at the terminal.
pub type Ended = Result<ExitCode, String>;

/// Runs what the arguments say.
pub fn run() -> ExitCode {
    let arguments = Arguments::parse();
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info,retina=warn"));
    journal::begin(filter);
    // The one TLS for everything, both ways; nothing else has chosen before.
    drop(rustls::crypto::ring::default_provider().install_default());
    let ended = match arguments.command {
        Command::Serve(c) => serve::run(&c.config),
        Command::Check(c) => check::run(&c.config),
        Command::Support(o) => support::run(&o),
        Command::User(o) => user::run(o),
        Command::Verify(o) => return tell::run(&o),
        Command::Log(o) => log::run(o),
        Command::Key(o) => key::run(o),
        Command::Witness(o) => witness::run(o),
        Command::Backup(o) => backup::run(o),
        Command::Restore(o) => restore::run(o),
        Command::MakeBackup => make_backup::run(),
        Command::Rebuild(o) if o.from_bucket => archive::rebuild_from_bucket(&o.config.config),
        Command::Rebuild(o) => rebuild::run(&o.config.config),
        Command::Archive(o) => archive::run(o),
        Command::Overview(o) => overview::run(o),
        Command::MakeCopy => make_copy::run(),
        Command::Import(o) => import::run(&o),
        Command::Examine => examine::run(),
        Command::Demo(o) => demo::run(o),
    };
    ended.unwrap_or_else(|why| {
        complain!("shilu: {why}");
        ExitCode::FAILURE
    })
}

/// The async runtime of subcommands that need one: two workers are plenty beside the writers' own threads.
pub fn runtime() -> Result<tokio::runtime::Runtime, String> {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(|e| format!("the runtime does not start: {e}"))
}
