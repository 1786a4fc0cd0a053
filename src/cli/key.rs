//! `shilu key`: the signing key is followed by a new one.

use crate::cli::Ended;
use crate::config;
use crate::custody::keys::{Algorithm, rotate};
use crate::machine::clock::{Clock, SystemClock};
use clap::{Args, Subcommand, ValueEnum};
use std::path::PathBuf;
use std::process::ExitCode;

/// What to do.
#[derive(Debug, Args)]
pub struct Options {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Kind {
    Ed25519,
    Sm2,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Makes a new signing key that the old one vouches for. Takes hold when the recorder is started anew; what was signed
    /// before stays valid.
    Rotate {
        /// The configuration file.
        #[arg(long, default_value = "/etc/shilu/shilu.toml")]
        config: PathBuf,
        /// By default the one of the configuration.
        #[arg(long)]
        algorithm: Option<Kind>,
    },
}

/// Does it.
#[allow(clippy::print_stdout)] // a command's answer is what it prints
pub fn run(options: Options) -> Ended {
    let What::Rotate { config, algorithm } = options.what;
    let parts = config::load(&config).map_err(|wrong| wrong.to_string())?;
    let algorithm = match algorithm {
        Some(Kind::Ed25519) => Algorithm::Ed25519,
        Some(Kind::Sm2) => Algorithm::Sm2,
        None => parts.custody.algorithm,
    };
    let keys = parts.data.join("keys");
    let (old, new) = rotate(&keys, algorithm, SystemClock.now().utc).map_err(|e| e.to_string())?;
    println!("old key   {}\nnew key   {}", old.fingerprint(), new.fingerprint());
    println!("publish   {}", keys.join("signing.pub.pem").display());
    println!("Start the recorder anew; until then it seals with the old key.");
    Ok(ExitCode::SUCCESS)
}
