//! `shilu log`: checking the custody log, proving an entry, and the key that both are checked by. Reads files alone; the recorder may
//! run meanwhile.

use crate::cli::Ended;
use crate::custody::audit::{self, Anchor};
use crate::custody::keys::PublicKey;
use crate::custody::logfile;
use crate::custody::note::VerifierKey;
use crate::custody::tiles::Tiles;
use crate::machine::durable;
use crate::machine::terminal::say;
use clap::{Args, Subcommand};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// What to do.
#[derive(Debug, Args)]
pub struct Options {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Reads every entry again: exit 0 intact, 1 altered or incomplete.
    Check {
        /// The log's folder: custody/log below the data folder.
        folder: PathBuf,
        /// The log's public key in PEM, obtained elsewhere.
        #[arg(long)]
        key: Option<PathBuf>,
        /// The size and the root of an anchor sheet, in quotes, or the text of its QR; may be given several times.
        #[arg(long)]
        anchor: Vec<String>,
        /// One JSON object instead of words.
        #[arg(long)]
        json: bool,
    },
    /// An entry with its proof, for somebody who has nothing else of the log: writes INDEX.json and INDEX.tlog-proof.
    Proof {
        /// The log's folder.
        folder: PathBuf,
        /// Which entry.
        index: u64,
        /// Where to write them.
        #[arg(long, default_value = ".")]
        out: PathBuf,
    },
    /// The log's key as C2SP writes it for those who verify, cosign or watch.
    Key {
        /// The log's folder.
        folder: PathBuf,
        /// keys/log.pub.pem below the data folder.
        #[arg(long)]
        key: PathBuf,
    },
}

/// Does it.
pub fn run(options: Options) -> Ended {
    match options.what {
        What::Check { folder, key, anchor, json } => check(&folder, key.as_deref(), &anchor, json),
        What::Proof { folder, index, out } => {
            let (entry, proof) = Tiles::of(&folder).proof(index).map_err(|fault| fault.to_string())?;
            durable::make_folder(&out).map_err(|fault| fault.to_string())?;
            for (ending, data) in [("json", entry), ("tlog-proof", proof.to_text().into_bytes())] {
                durable::write_whole(&out.join(format!("{index}.{ending}")), &data).map_err(|fault| fault.to_string())?;
            }
            say!("{0}/{index}.json\n{0}/{index}.tlog-proof", out.display());
            Ok(ExitCode::SUCCESS)
        }
        What::Key { folder, key } => {
            let origin = logfile::origin_of(&folder).ok_or_else(|| format!("{} is no log's folder", folder.display()))?;
            say!("{}", VerifierKey::of_log(&origin, public(&key)?).to_text());
            Ok(ExitCode::SUCCESS)
        }
    }
}

fn public(path: &Path) -> Result<PublicKey, String> {
    let pem = durable::read_whole(path, 4096).map_err(|fault| fault.to_string())?;
    PublicKey::from_pem(&String::from_utf8_lossy(&pem), &path.display().to_string()).map_err(|e| e.to_string())
}

fn check(folder: &Path, key: Option<&Path>, anchors: &[String], json: bool) -> Ended {
    let key = key.map(public).transpose()?;
    let parsed = anchors.iter().map(|text| Anchor::parse(text).ok_or_else(|| format!("{text:?} is no size and root of an anchor sheet")));
    let anchors = parsed.collect::<Result<Vec<_>, _>>()?;
    let found = audit::audit(folder, key.as_ref(), &anchors).map_err(|fault| fault.to_string())?;
    let code = if found.wrong.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE };
    if json {
        say!("{}", serde_json::to_string(&found).unwrap_or_default());
        return Ok(code);
    }
    say!("log       {}", found.origin);
    say!("entries   {} ({} under the signed head)", found.entries, found.signed);
    say!("root      {}", found.root);
    say!("key       {}", if key.is_some() { "compared" } else { "not compared: give the log's key with --key" });
    found.cosigners.iter().for_each(|name| say!("cosigned  {name}"));
    anchors.iter().for_each(|a| say!("anchor    {} entries", a.size));
    found.wrong.iter().for_each(|w| say!("WRONG     {w}"));
    say!("{}", if found.wrong.is_empty() { "intact" } else { "altered or incomplete" });
    Ok(code)
}
