//! `shilu support`: a bundle for whoever helps, without secrets and without personal data.
//!
//! What people typed is Chinese, and what the recorder says of itself is not: so whatever is not ASCII in its journal is left out, and
//! long numbers with it. Folders below the footage root are named after cases; of them only sessions' numbers stay.

use crate::cli::{Ended, check};
use crate::machine::clock::{Clock, SystemClock};
use crate::machine::terminal::say;
use crate::machine::{durable, host};
use clap::Args;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// The newest lines of the journal, at most so many bytes.
const JOURNAL_BYTES: usize = 2_000_000;
/// Tables of the configuration whose values are looked at one by one; of the others nothing is told.
const TABLES: &[&str] = &[
    "storage",
    "recording",
    "custody",
    "console",
    "retention",
    "imports",
    "media",
    "backup",
    "archive",
    "equipment",
    "footage",
    "alarms",
    "rooms",
    "lamp",
];
/// Options whose values say nothing of a person and open nothing. Whatever is not named here, a name that was misspelt above all, is told
/// as set or not set, and never shown.
const SHOWN: &[&str] = &[
    "algorithm",
    "ask_min",
    "bucket",
    "check_months",
    "daily",
    "drive",
    "encrypt",
    "every_h",
    "front",
    "hourly",
    "id",
    "idle_min",
    "important_by",
    "in_use_after_s",
    "in_use_alarm",
    "journal_severity",
    "listen",
    "lock_after",
    "lock_min",
    "longest_session_h",
    "look_s",
    "mail_roles",
    "mail_severity",
    "maintained_until",
    "margin_days",
    "mbit_max",
    "monthly",
    "mqtt_severity",
    "own_certificate",
    "own_volume",
    "parity_percent",
    "preroll_s",
    "preroll_told",
    "prove_min",
    "region",
    "release_after_days",
    "release_mirror",
    "reserve_gb",
    "scrub_days",
    "second_factor",
    "segment_s",
    "site",
    "sm3",
    "sound_floor_dbfs",
    "stall_s",
    "status_min",
    "talk_dbfs",
    "topic",
    "transport",
    "unit",
    "verify_days",
    "waiting_mb",
    "webhook_severity",
    "window",
    "discover_from",
    "networks",
];
/// Paths: shown where they are one.
const PATHS: &[&str] = &[
    "access_key_file",
    "cms_certificate",
    "cms_key",
    "client_secret_file",
    "data",
    "factor_key_file",
    "folder",
    "head_file",
    "identity_file",
    "mirror",
    "mqtt_password_file",
    "password_file",
    "path",
    "removable",
    "table",
    "tls_certificate",
    "tls_key",
    "tsa_ca",
    "webhook_secret_file",
];
/// Addresses: shown without what opens them.
const ADDRESSES: &[&str] = &["endpoint", "mqtt", "tile_url", "tsa", "url", "webhook_url"];
/// What is nobody's secret, and not for a stranger: of these only whether they are set.
const PRIVATE: &[&str] = &[
    "address",
    "bureau",
    "client_id",
    "clock",
    "contact",
    "device_no",
    "encrypt_to",
    "escrow",
    "from",
    "host",
    "important_document",
    "issuer",
    "key",
    "mail_to",
    "mqtt_user",
    "name",
    "number",
    "out_of_use",
    "port",
    "recipient",
    "rules",
    "tls",
    "user",
    "witnesses",
];
/// What stands under any other name may be a password: so much of it is enough to be looked for in the other parts.
const SECRET_CHARS_MIN: usize = 4;

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
pub fn run(options: &Options) -> Ended {
    let config = &options.config.config;
    let text = durable::read_whole(config, 1 << 20).map_err(|e| e.to_string())?;
    let text = String::from_utf8_lossy(&text);
    let secrets = secrets(&text);
    let journal = match &options.journal {
        Some(path) => String::from_utf8_lossy(&durable::read_whole(path, 1 << 30).map_err(|e| e.to_string())?).into_owned(),
        None => host::said_by("journalctl", &["--unit", "shilu", "--lines", "20000", "--no-pager", "--output", "short-iso"], JOURNAL_BYTES),
    };
    let found = check::examine(config).iter().map(|f| format!("{f}\n")).collect::<String>();
    let parts = [
        ("version.txt", format!("shilu {}\nmade {}\n", env!("CARGO_PKG_VERSION"), SystemClock.now().utc.to_rfc3339())),
        ("configuration.toml", configuration(&text)),
        ("check.txt", without_data(&without(&secrets, &found))),
        ("machine.txt", without_data(&without(&secrets, &machine()))),
        ("journal.txt", without_data(&without(&secrets, &journal))),
    ];
    let mut archive = tar::Builder::new(Vec::new());
    for (name, text) in &parts {
        let mut header = tar::Header::new_gnu();
        header.set_size(text.len() as u64);
        header.set_mode(0o600);
        header.set_cksum();
        archive.append_data(&mut header, format!("shilu-support/{name}"), text.as_bytes()).map_err(|e| e.to_string())?;
        say!("{name:20} {} bytes", text.len());
    }
    let data = archive.into_inner().map_err(|e| e.to_string())?;
    durable::write_secret(&options.to, &data).map_err(|e| e.to_string())?;
    say!("{}: without passwords, names, case numbers; look into it before you send it", options.to.display());
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

/// The configuration's shape: tables that are looked at, values that open nothing.
fn configuration(text: &str) -> String {
    let Ok(mut table) = text.parse::<toml::Table>() else { return "it is no TOML: see check.txt\n".into() };
    table.retain(|key, _| TABLES.contains(&key));
    table.iter_mut().for_each(|(key, value)| hide(key, value));
    without_data(&toml::to_string_pretty(&table).unwrap_or_default())
}

fn hide(key: &str, value: &mut toml::Value) {
    match value {
        toml::Value::Table(table) => table.iter_mut().for_each(|(key, value)| hide(key, value)),
        toml::Value::Array(all) => all.iter_mut().for_each(|value| hide(key, value)),
        _ if SHOWN.contains(&key) => {}
        toml::Value::String(text) if text.is_empty() => {}
        toml::Value::String(text) if PATHS.contains(&key) && (text.starts_with('/') || text.starts_with("credential:")) => {}
        toml::Value::String(text) if ADDRESSES.contains(&key) => *text = address(text),
        other => *other = toml::Value::String("(set)".into()),
    }
}

/// Of an address its scheme, host and port: everything else of it may open something.
fn address(text: &str) -> String {
    let Ok(url) = url::Url::parse(text) else { return "(no address)".into() };
    // A password with a stroke in it ends what is read as the host.
    let Some(host) = url.host_str().filter(|host| !host.is_empty() && !url.path().contains('@')) else { return "(no address)".into() };
    let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
    format!("{}://{host}{port}", url.scheme())
}

/// What may be a password in a configuration, also in one that is no TOML: the values under names that are no option's, or a password's.
fn secrets(text: &str) -> Vec<String> {
    let known = |key: &str| [SHOWN, PATHS, ADDRESSES, PRIVATE].iter().any(|names| names.contains(&key));
    let lines = text.lines().map(str::trim).filter(|line| !line.starts_with('#')).filter_map(|line| line.split_once('='));
    let values = lines.filter(|(key, _)| !known(key.trim())).map(|(_, value)| {
        let value = value.trim();
        let quote = value.chars().next().filter(|c| "\"'".contains(*c));
        let bare = || value.split('#').next().unwrap_or_default().trim();
        quote.map_or_else(bare, |quote| value[1..].split(quote).next().unwrap_or_default()).to_owned()
    });
    let mut all: Vec<String> = values.filter(|value| value.chars().count() >= SECRET_CHARS_MIN).collect();
    // The longest first: one may begin as another does.
    all.sort_by_key(|value| std::cmp::Reverse(value.len()));
    all
}

fn without(secrets: &[String], text: &str) -> String {
    secrets.iter().fold(text.to_owned(), |text, secret| text.replace(secret.as_str(), "(hidden)"))
}

/// Lines without what people typed: see the head of this file.
fn without_data(text: &str) -> String {
    text.lines().map(|line| format!("{}\n", line.split(' ').map(word).collect::<Vec<_>>().join(" "))).collect()
}

fn word(word: &str) -> String {
    if word.to_ascii_uppercase().contains("AGE-SECRET-KEY-") {
        return "…".into();
    }
    let word = below_footage(&without_address(word));
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

/// An address in a line, without what opens it. Quotation marks and the like behind it are the line's.
fn without_address(word: &str) -> String {
    let Some((before, after)) = word.split_once("://") else { return word.into() };
    let scheme = before.len() - before.bytes().rev().take_while(u8::is_ascii_alphanumeric).count();
    let of_host = |c: char| c.is_alphanumeric() || "-._~%:@[]!$&*+=".contains(c);
    let (host, rest) = after.split_at(after.find(|c| !of_host(c)).unwrap_or(after.len()));
    // A name or a password goes on behind what looks like the end of the host.
    let host = if rest.contains('@') { "" } else { host.trim_end_matches([':', '.']) };
    let closing = if rest.chars().all(|c| c.is_ascii_punctuation() && c != '/') { rest } else { "" };
    format!("{}{}{closing}", &before[..scheme], address(&format!("{}://{host}", &before[scheme..])))
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
            ("cannot play \"rtsp://10.0.0.9:554/user=admin&password=geheim\": 401", "cannot play \"rtsp://10.0.0.9:554 401"),
            ("the console is at https://127.0.0.1:8443", "the console is at https://127.0.0.1:8443"),
            ("\"http://127.0.0.1:8040\", http://[::1]:81: gone", "\"http://127.0.0.1:8040\", http://[::1]:81 gone"),
            ("rtsp://who:12,34@10.0.0.9/x", "(no address)"),
            ("\"AGE-SECRET-KEY-1QQQ\" is no recipient", "… is no recipient"),
        ] {
            assert_eq!(without_data(line), format!("{is}\n"));
        }
    }

    #[test]
    fn the_configuration_is_shown_without_what_opens_anything() {
        let text = include_str!("../../config/shilu.toml")
            .replace("# user = \"recorder\"", "user = \"recorder\"")
            .replace("# password = \"…\"", "password = \"hunter2-hunter2\"\npasword = \"misspelt9\"\nPassword = 87654321")
            .replace("# recipient = \"age1…\"", "recipient = \"AGE-SECRET-KEY-1QQQ\"\nidentity_file = \"pasted9\"")
            .replace("url = \"rtsp://192.168.10.11:554/stream1", "url = \"rtsp://who:secret9@192.168.10.11:554/user=who9&password=secret9")
            .replace("url = \"rtsp://192.168.10.12", "url = \"rtsp://who:12/secret9@192.168.10.12");
        let shown = configuration(&text);
        let hidden = ["hunter2", "misspelt9", "87654321", "SECRET-KEY", "pasted9", "recorder", "secret9", "who", "自然资源", "XW-101"];
        for secret in hidden {
            assert!(!shown.contains(secret), "{secret} in {shown}");
        }
        for wanted in ["segment_s = 60", "\"rtsp://192.168.10.11:554\"", "pasword = \"(set)\"", "data = \"/var/lib/shilu\""] {
            assert!(shown.contains(wanted), "{wanted} in {shown}");
        }
    }

    #[test]
    fn what_may_be_a_password_is_in_no_other_part_also_where_the_configuration_is_no_toml() {
        let text = "data = \"/srv/data\"\npassword = 12345678 # lens\n  pasword = 'geheim#1'\nPassword = \"a b c d\nuser = \"admin\"\n# x = \"shilu\"\n";
        let said = without(&secrets(text), "12345678 geheim#1 a b c d admin /srv/data shilu");
        assert_eq!(said, "(hidden) (hidden) (hidden) admin /srv/data shilu");
    }

    #[test]
    fn every_option_stands_in_one_list_and_a_password_in_none() {
        let text = include_str!("../../config/shilu.toml");
        let keys = text.lines().filter_map(|line| Some(line.trim_start_matches(['#', ' ']).split_once(" = ")?.0));
        for key in keys.filter(|key| !key.contains(' ')) {
            let lists = [SHOWN, PATHS, ADDRESSES, PRIVATE].iter().filter(|names| names.contains(&key)).count();
            assert_eq!(lists, usize::from(key != "password"), "{key}");
        }
    }
}
