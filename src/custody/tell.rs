//! What a check found, for the person at the terminal: `shilu verify` and `shilu-verify` are this.

use crate::custody::keys::PublicKey;
use crate::custody::verify::{self, Report};
use crate::machine::durable;
use chrono::{DateTime, FixedOffset};
use clap::Parser;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Checks a session's folder: exit 0 intact, 1 altered or incomplete, 2 cannot tell.
#[derive(Debug, Parser)]
#[command(version)]
pub struct Options {
    /// The session's folder, with session.json inside.
    pub path: PathBuf,
    /// The bureau's public key in PEM, obtained elsewhere; without it only inner agreement is checked.
    #[arg(long)]
    pub key: Option<PathBuf>,
    /// Also the code that the room screen showed at this moment, 2026-11-24T14:15:00+08:00.
    #[arg(long)]
    pub code_at: Option<DateTime<FixedOffset>>,
    /// One JSON object instead of words.
    #[arg(long)]
    pub json: bool,
}

/// Checks and tells.
pub fn run(options: &Options) -> ExitCode {
    let trusted = match options.key.as_ref().map(|key| trusted_key(key)).transpose() {
        Ok(key) => key,
        Err(why) => return told(options, &Report { unknown: vec![why], ..Report::default() }),
    };
    let report = verify::verify(&options.path, trusted.as_ref());
    if let Some(at) = options.code_at {
        tell_code(&verify::minute_code(&options.path, at.to_utc()).unwrap_or_else(|why| why));
    }
    told(options, &report)
}

#[allow(clippy::print_stdout)]
fn tell_code(code: &str) {
    println!("code      {code}");
}

fn trusted_key(path: &Path) -> Result<PublicKey, String> {
    let pem = durable::read_whole(path, 4096).map_err(|fault| fault.to_string())?;
    PublicKey::from_pem(&String::from_utf8_lossy(&pem), &path.display().to_string()).map_err(|e| e.to_string())
}

#[allow(clippy::print_stdout)] // a command's answer is what it prints
fn told(options: &Options, report: &Report) -> ExitCode {
    if options.json {
        println!("{}", serde_json::to_string(report).unwrap_or_default());
        return ExitCode::from(report.exit_code());
    }
    if let Some(session) = &report.session {
        println!("session   {session}");
    }
    if let Some(code) = &report.seal_code {
        println!("seal code {code}");
    }
    if let Some(signer) = &report.signer {
        let whose = match report.trusted {
            Some(true) => "the trusted key",
            Some(false) => "NOT the trusted key",
            None => "not compared: give the bureau's key with --key",
        };
        println!("signer    {signer} ({whose})");
    }
    println!("files     {} intact, {} bytes; {} declared gaps", report.intact, report.bytes, report.gaps);
    report.wrong.iter().for_each(|w| println!("WRONG     {w}"));
    report.unknown.iter().for_each(|u| println!("UNKNOWN   {u}"));
    println!("{}", ["intact", "altered or incomplete", "cannot tell"][usize::from(report.exit_code())]);
    ExitCode::from(report.exit_code())
}
