//! `shilu key`: the signing key is followed by a new one; a key that opens footage is made, and keys of sessions are wrapped for others.

use crate::cli::{Ended, store};
use crate::custody::keys::{Algorithm, rotate};
use crate::footage::envelope::{self, Identities, Recipients};
use crate::footage::{keyring, tree};
use crate::machine::clock::{Clock, SystemClock};
use crate::machine::durable;
use crate::machine::terminal::say;
use clap::{Args, Subcommand, ValueEnum};
use std::path::{Path, PathBuf};
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
    /// Makes a key that opens encrypted footage, in a file that lies outside the disks of the footage, and says its recipient.
    Footage {
        /// Where; nothing is ever overwritten.
        #[arg(long)]
        to: PathBuf,
    },
    /// Wraps the keys of all sessions for the recipients of the configuration: after a recipient was added. What is sealed stays.
    Rewrap {
        /// The configuration file.
        #[arg(long, default_value = "/etc/shilu/shilu.toml")]
        config: PathBuf,
        /// A key that opens them: the machine's, or one from the safe.
        #[arg(long)]
        identity: PathBuf,
    },
}

/// Does it.
pub fn run(options: Options) -> Ended {
    let (config, algorithm) = match options.what {
        What::Rotate { config, algorithm } => (config, algorithm),
        What::Footage { to } => return footage(&to),
        What::Rewrap { config, identity } => return rewrap(&config, &identity),
    };
    let parts = store::parts(&config)?;
    let algorithm = match algorithm {
        Some(Kind::Ed25519) => Algorithm::Ed25519,
        Some(Kind::Sm2) => Algorithm::Sm2,
        None => parts.custody.algorithm,
    };
    let keys = parts.data.join("keys");
    let (old, new) = rotate(&keys, algorithm, SystemClock.now().utc).map_err(|e| e.to_string())?;
    say!("old key   {}\nnew key   {}", old.fingerprint(), new.fingerprint());
    say!("publish   {}", keys.join("signing.pub.pem").display());
    say!("Start the recorder anew; until then it seals with the old key.");
    Ok(ExitCode::SUCCESS)
}

fn footage(to: &Path) -> Ended {
    if durable::exists(to) {
        return Err(format!("{} is there already; another name would be right", to.display()));
    }
    let (secret, recipient) = envelope::make_identity();
    durable::write_secret(to, secret.as_bytes()).map_err(|fault| fault.to_string())?;
    say!("recipient {recipient}");
    Ok(ExitCode::SUCCESS)
}

/// Adds files beside those that are sealed; may run while it records: sessions that are open have the new recipients with their next key.
fn rewrap(config: &Path, identity: &Path) -> Ended {
    let parts = store::parts(config)?;
    if parts.footage.recipients.is_empty() {
        return Err("there are no recipients in [footage]; recipient and escrow would be right".into());
    }
    let to = Recipients::parse(&parts.footage.recipients)?;
    let opens = Identities::read(identity).map_err(|fault| fault.to_string())?;
    let known = parts.footage.recipients.iter().position(|r| opens.recipients().contains(r));
    let (mut keys, mut shut) = (0, 0);
    for (id, folder) in tree::sessions(&parts.recorder.footage).map_err(|fault| fault.to_string())? {
        match keyring::rewrap(&folder, identity, &to) {
            Ok(count) => keys += count,
            Err(why) => {
                say!("{id}: {why}");
                shut += 1;
            }
        }
    }
    say!("{keys} keys wrapped for {} recipients", parts.footage.recipients.len());
    match known {
        Some(at) => say!("{} is the key of recipient {} of [footage]: {}", identity.display(), at + 1, parts.footage.recipients[at]),
        // An earlier key of the machine opens what was recorded for it; one that opens nothing is the wrong one, which a drill has to tell.
        None if keys == 0 => return Err(format!("{} is the key of no recipient of [footage], and opens nothing here", identity.display())),
        None => say!("{} is the key of no recipient of [footage]: of an earlier one", identity.display()),
    }
    Ok(if shut == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
