//! `shilu support`: a bundle for whoever helps, without secrets and without personal data.
//!
//! What people typed is Chinese, and what the recorder says of itself is not: so whatever is not ASCII in its journal is left out, and
//! long numbers with it. Folders below the footage root are named after cases; of them only sessions' numbers stay.

use crate::cli::{Ended, check};
use crate::machine::clock::{Clock, SystemClock};
use crate::machine::{durable, host};
use clap::Args;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// The newest lines of the journal, at most so many bytes.
const JOURNAL_BYTES: usize = 2_000_000;
/// Tables and values of the configuration that say nothing of a person and open nothing.
const SHOWN: &[&str] =
    &["storage", "recording", "custody", "console", "retention", "imports", "media", "backup", "archive", "rooms", "lamp"];
/// Of these only whether they are set.
const HIDDEN: &[&str] = &["password", "user", "name", "contact", "mqtt_user", "client_id", "device_no", "out_of_use", "address", "from"];

/// What to bundle.
#[derive(Debug, Args)]
pub struct Options {
    /// The configuration.
    #[command(flatten)]
    config: super::ConfigArgument,
    /// The file that is made (a tar archive).
    #[arg(long, default_value = "shilu-support.tar")]
    to: PathBuf,
    /// A journal to take in instead of the machine's own.
    #[arg(long)]
    journal: Option<PathBuf>,
}

/// Makes the bundle and says what is in it.
#[allow(clippy::print_stdout)]
pub fn run(options: &Options) -> Ended {
    let config = &options.config.config;
    let text = durable::read_whole(config, 1 << 20).map_err(|e| e.to_string())?;
    let journal = match &options.journal {
        Some(path) => String::from_utf8_lossy(&durable::read_whole(path, 1 << 30).map_err(|e| e.to_string())?).into_owned(),
        None => host::said_by("journalctl", &["--unit", "shilu", "--lines", "20000", "--no-pager", "--output", "short-iso"], JOURNAL_BYTES),
    };
    let found = check::examine(config).iter().map(|f| format!("{f}\n")).collect::<String>();
    let parts = [
        ("version.txt", format!("shilu {}\nmade {}\n", env!("CARGO_PKG_VERSION"), SystemClock.now().utc.to_rfc3339())),
        ("configuration.toml", configuration(&String::from_utf8_lossy(&text))),
        ("check.txt", without_data(&found)),
        ("machine.txt", without_data(&machine())),
        ("journal.txt", without_data(&journal)),
    ];
    let mut archive = tar::Builder::new(Vec::new());
    for (name, text) in &parts {
        let mut header = tar::Header::new_gnu();
        header.set_size(text.len() as u64);
        header.set_mode(0o600);
        header.set_cksum();
        archive.append_data(&mut header, format!("shilu-support/{name}"), text.as_bytes()).map_err(|e| e.to_string())?;
        println!("{name:20} {} bytes", text.len());
    }
    let data = archive.into_inner().map_err(|e| e.to_string())?;
    durable::write_secret(&options.to, &data).map_err(|e| e.to_string())?;
    println!("{}: without passwords, names, case numbers; look into it before you send it", options.to.display());
    Ok(ExitCode::SUCCESS)
}

fn machine() -> String {
    let asked: [(&str, &[&str]); 5] = [
        ("uname", &["-srm"]),
        ("df", &["--output=size,used,avail,pcent,fstype", "-h"]),
        ("free", &["-m"]),
        ("chronyc", &["tracking"]),
        ("gst-inspect-1.0", &["--version"]),
    ];
    asked.iter().map(|(program, arguments)| format!("== {program}\n{}\n", host::said_by(program, arguments, 20_000))).collect()
}

/// The configuration's shape: tables that are shown, values that open nothing.
fn configuration(text: &str) -> String {
    let Ok(mut table) = text.parse::<toml::Table>() else { return "it is no TOML: see check.txt\n".into() };
    table.retain(|key, _| SHOWN.contains(&key));
    table.iter_mut().for_each(|(key, value)| hide(key, value));
    without_data(&toml::to_string_pretty(&table).unwrap_or_default())
}

fn hide(key: &str, value: &mut toml::Value) {
    match value {
        toml::Value::Table(table) => table.iter_mut().for_each(|(key, value)| hide(key, value)),
        toml::Value::Array(all) => all.iter_mut().for_each(|value| hide(key, value)),
        toml::Value::String(text) if HIDDEN.contains(&key) => *text = if text.is_empty() { String::new() } else { "(set)".into() },
        toml::Value::String(text) if key.ends_with("url") => *text = address(text),
        _ => {}
    }
}

/// An address without what opens it.
fn address(text: &str) -> String {
    let Ok(mut url) = url::Url::parse(text) else { return "(no address)".into() };
    // Fails only for addresses that can have neither.
    let _ = url.set_username("");
    let _ = url.set_password(None);
    url.set_query(None);
    url.to_string()
}

/// Lines without what people typed: see the head of this file.
fn without_data(text: &str) -> String {
    text.lines().map(|line| format!("{}\n", line.split(' ').map(word).collect::<Vec<_>>().join(" "))).collect()
}

fn word(word: &str) -> String {
    let word = below_footage(word);
    let mut kept = String::with_capacity(word.len());
    let mut hidden = false;
    for c in word.chars() {
        if c.is_ascii() {
            kept.push(c);
            hidden = false;
        } else if !hidden {
            kept.push('…');
            hidden = true;
        }
    }
    without_long_numbers(&kept)
}

/// A path below a footage root, as `footage/…/` and its last two parts: a session and a file.
fn below_footage(word: &str) -> String {
    let Some((before, below)) = word.split_once("footage/") else { return word.into() };
    let parts: Vec<&str> = Path::new(below).iter().filter_map(|p| p.to_str()).collect();
    let last = &parts[parts.len().saturating_sub(2)..];
    if parts.len() > last.len() { format!("{before}footage/…/{}", last.join("/")) } else { word.into() }
}

/// Telephone and identity numbers: eleven digits and more in a row.
fn without_long_numbers(word: &str) -> String {
    let mut kept = String::with_capacity(word.len());
    let mut run = String::new();
    for c in word.chars().chain(['\0']) {
        if c.is_ascii_digit() {
            run.push(c);
            continue;
        }
        kept.push_str(if run.len() >= 11 { "…" } else { &run });
        run.clear();
        kept.extend(Some(c).filter(|c| *c != '\0'));
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_people_typed_stays_in_a_bundle() {
        for (line, is) in [
            ("WARN cannot link 张三 (威自然资罚〔2026〕12号)", "WARN cannot link … (…2026…12…)"),
            ("open /data/footage/land-use/wei-12/room-1-x/face-1.mp4: gone", "open /data/footage/…/room-1-x/face-1.mp4: gone"),
            ("call 13912345678 or 130102199001011234", "call … or …"),
            ("2026-11-25T23:17:03.557123Z room room-1", "2026-11-25T23:17:03.557123Z room room-1"),
        ] {
            assert_eq!(without_data(line), format!("{is}\n"));
        }
    }

    #[test]
    fn the_configuration_is_shown_without_what_opens_anything() {
        let text = include_str!("../../config/shilu.toml")
            .replace("# user = \"recorder\"", "user = \"recorder\"")
            .replace("# password = \"…\"", "password = \"hunter2-hunter2\"")
            .replace("url = \"rtsp://", "url = \"rtsp://who:secret9@");
        let shown = configuration(&text);
        for secret in ["hunter2", "recorder", "secret9", "who:", "自然资源", "XW-101"] {
            assert!(!shown.contains(secret), "{secret} in {shown}");
        }
        assert!(shown.contains("segment_s = 60") && shown.contains("rtsp://192.168.10.11"), "{shown}");
    }
}
