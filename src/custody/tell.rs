//! What a check found, for the person at the terminal: `shilu verify` and `shilu-verify` are this.

use crate::custody::audit;
use crate::custody::bag;
use crate::custody::files::{Files, Progress, Silent};
use crate::custody::keys::{PublicKey, Succession};
use crate::custody::timestamp;
use crate::custody::verify::{self, Report, Trust};
use crate::footage::tree;
use crate::machine::durable;
use crate::machine::terminal::say;
use chrono::{DateTime, FixedOffset, SecondsFormat};
use clap::Parser;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde::Serialize;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Checks a session's folder, a package or a whole footage tree: exit 0 intact, 1 altered or incomplete, 2 cannot tell.
#[derive(Debug, Parser)]
#[command(version)]
pub struct Options {
    /// A session's folder, with session.json inside; a package, as a folder or as .tar; or the folder of a footage tree.
    pub path: PathBuf,
    /// A public key of the bureau in PEM, obtained elsewhere; may be given several times, and as a folder of keys with their
    /// successions. Without it only inner agreement is checked.
    #[arg(long)]
    pub key: Vec<PathBuf>,
    /// The folder of the custody log: every seal has to be in it.
    #[arg(long)]
    pub log: Option<PathBuf>,
    /// The log's public key in PEM, obtained elsewhere.
    #[arg(long)]
    pub log_key: Option<PathBuf>,
    /// Certificates in PEM that timestamps from outside are verified under; needs the openssl program.
    #[arg(long)]
    pub tsa_ca: Option<PathBuf>,
    /// Check SM3 besides SHA-256.
    #[arg(long)]
    pub sm3: bool,
    /// Files that are read at a time; by default as many as there are processors.
    #[arg(long, default_value_t = 0)]
    pub jobs: usize,
    /// Also the code that the room screen showed at this moment, 2026-11-24T14:15:00+08:00.
    #[arg(long)]
    pub code_at: Option<DateTime<FixedOffset>>,
    /// One JSON object instead of words.
    #[arg(long, conflicts_with = "code_at")]
    pub json: bool,
}

/// All that was found; of a single session, its report alone.
#[derive(Debug, Default, Serialize)]
struct Found {
    sessions: Vec<Report>,
    wrong: Vec<String>,
    unknown: Vec<String>,
    #[serde(skip)]
    single: bool,
    /// Where the sessions lie, in the same order.
    #[serde(skip)]
    folders: Vec<Files>,
}

impl Found {
    fn exit_code(&self) -> u8 {
        let mut whole = Report { wrong: self.wrong.clone(), unknown: self.unknown.clone(), ..Report::default() };
        for report in &self.sessions {
            whole.wrong.extend(report.wrong.iter().cloned());
            whole.unknown.extend(report.unknown.iter().cloned());
            whole.released += report.released;
        }
        whole.exit_code()
    }
}

/// Checks and tells.
pub fn run(options: &Options) -> ExitCode {
    let bar = Bar::new(options.json);
    let progress: &dyn Progress = if options.json { &Silent } else { &bar };
    let mut found = check(options, progress).unwrap_or_else(|why| Found { unknown: vec![why], ..Found::default() });
    bar.0.finish_and_clear();
    if let Some(at) = options.code_at {
        tell_code(&mut found, at);
    }
    told(options, &found)
}

fn check(options: &Options, progress: &dyn Progress) -> Result<Found, String> {
    let mut trust = Trust { sm3: options.sm3, jobs: options.jobs, ..Trust::default() };
    if !durable::exists(&options.path) {
        return Err(format!("{}: there is nothing of that name", options.path.display()));
    }
    for path in &options.key {
        trust.keys.extend(trusted_keys(path)?);
    }
    let log_key = options.log_key.as_ref().map(|path| key(path)).transpose()?;
    let mut found = Found::default();
    if let Some(log) = &options.log {
        let audit = audit::audit(log, log_key.as_ref(), &[]).map_err(|fault| fault.to_string())?;
        found.wrong.extend(audit.wrong.into_iter().map(|w| format!("custody log: {w}")));
        trust.sealed = Some(audit.sealed);
    }
    let files = Files::open(&options.path, options.sm3, progress).map_err(|fault| fault.to_string())?;
    if let Some(bag) = bag::find(&files) {
        let (wrong, reports) = bag::check(&bag, &trust, log_key.as_ref(), progress);
        found.wrong.extend(wrong);
        for mut report in reports {
            let folder = bag.below(bag::SESSIONS).below(report.session.as_deref().unwrap_or_default());
            check_timestamps(options, &folder, &mut report);
            found.sessions.push(report);
            found.folders.push(folder);
        }
        return Ok(found);
    }
    let sessions = sessions(&options.path, &files);
    if sessions.is_empty() {
        let mut report = verify::verify(&files, &trust, progress);
        check_timestamps(options, &files, &mut report);
        found.sessions.push(report);
        found.folders.push(files);
        found.single = found.wrong.is_empty();
        return Ok(found);
    }
    for folder in sessions {
        let files = Files::Folder(folder.clone());
        let mut report = verify::verify(&files, &trust, progress);
        check_timestamps(options, &files, &mut report);
        if report.session.is_none() {
            let name = folder.file_name().unwrap_or_default().display().to_string();
            [&mut report.wrong, &mut report.unknown].into_iter().flatten().for_each(|line| *line = format!("{name}: {line}"));
        }
        found.sessions.push(report);
        found.folders.push(files);
    }
    Ok(found)
}

/// The sessions of a footage tree, or of a store whose `footage` is one; none if this is a session itself.
fn sessions(path: &Path, files: &Files) -> Vec<PathBuf> {
    if files.has(tree::MANIFEST) || files.has(tree::JOURNAL) || files.has(tree::SIGNATURE) || path.is_file() {
        return vec![];
    }
    let of = |root: &Path| tree::sessions(root).unwrap_or_default().into_iter().map(|(_, folder)| folder).collect::<Vec<_>>();
    let here = of(path);
    if here.is_empty() { of(&path.join("footage")) } else { here }
}

fn check_timestamps(options: &Options, files: &Files, report: &mut Report) {
    let Some(authority) = &options.tsa_ca else { return };
    let tokens: Vec<Vec<u8>> = (1..).map_while(|n| files.read(&timestamp::token_name(tree::MANIFEST, n)).ok()).collect();
    let Ok(manifest) = files.read(tree::MANIFEST) else { return };
    match timestamp::check_chain(&manifest, &tokens, authority) {
        Ok(times) => {
            let told = |(n, at): (usize, &DateTime<chrono::Utc>)| {
                format!("{} {}", at.to_rfc3339_opts(SecondsFormat::Secs, true), timestamp::token_name(tree::MANIFEST, n + 1))
            };
            report.timestamps = times.iter().enumerate().map(told).collect();
        }
        Err(fault) => report.wrong.push(format!("{}: {fault}", timestamp::token_name(tree::MANIFEST, 1))),
    }
}

fn key(path: &Path) -> Result<PublicKey, String> {
    let pem = durable::read_whole(path, 4096).map_err(|fault| fault.to_string())?;
    PublicKey::from_pem(&String::from_utf8_lossy(&pem), &path.display().to_string()).map_err(|e| e.to_string())
}

/// One key, or a folder's: its oldest, and whatever follows it by successions that verify. Where a private half was lost with its machine
/// nothing could sign for the next one: who trusts the folder trusts that it says so.
fn trusted_keys(path: &Path) -> Result<Vec<PublicKey>, String> {
    if !path.is_dir() {
        return Ok(vec![key(path)?]);
    }
    let mut lost = Vec::new();
    for name in durable::names(&path.join("lost")).unwrap_or_default().into_iter().filter(|n| n.starts_with("signing-")) {
        lost.push(key(&path.join("lost").join(name))?);
    }
    let first = path.join("retired/1.pem");
    let mut keys = vec![key(&if durable::exists(&first) { first } else { path.join("signing.pub.pem") })?];
    for n in 1.. {
        let name = path.join(format!("succession-{n}.json"));
        let Ok(said) = durable::read_whole(&name, 65536) else { break };
        let signature = durable::read_whole(&name.with_extension("json.sig"), 4096).map_err(|fault| fault.to_string())?;
        let mut next = keys.last().and_then(|old| Succession::follow(&said, &signature, old));
        if next.is_none() && keys.last().is_some_and(|old| lost.contains(old)) {
            let begins = key(&path.join(format!("retired/{n}.pem")))?;
            next = Succession::follow(&said, &signature, &begins);
            keys.push(begins);
        }
        keys.push(next.ok_or_else(|| format!("{}: is not signed by the key before it", name.display()))?);
    }
    if !lost.is_empty() {
        keys.push(key(&path.join("signing.pub.pem"))?);
        keys.extend(lost);
    }
    Ok(keys)
}

/// A progress bar on a terminal, and nothing elsewhere.
struct Bar(ProgressBar);

impl Bar {
    fn new(quiet: bool) -> Self {
        let target = if quiet { ProgressDrawTarget::hidden() } else { ProgressDrawTarget::stderr() };
        let style = ProgressStyle::with_template("{bar:32} {bytes} / {total_bytes}  {bytes_per_sec}  {eta}");
        let bar = ProgressBar::with_draw_target(Some(0), target);
        Self(style.map_or_else(|_| bar.clone(), |style| bar.clone().with_style(style)))
    }
}

impl Progress for Bar {
    fn expect(&self, bytes: u64) {
        self.0.inc_length(bytes);
    }
    fn advance(&self, bytes: u64) {
        self.0.inc(bytes);
    }
}

/// What stood on the room's screen at a moment; of many sessions, in those that ran then.
fn tell_code(found: &mut Found, at: DateTime<FixedOffset>) {
    let all: Vec<_> = found.folders.iter().map(|files| verify::minute_code(files, at.to_utc())).collect();
    let known: Vec<_> = all.iter().flatten().collect();
    let within: Vec<_> = known.iter().filter(|c| c.within).collect();
    for code in &within {
        let of = if all.len() > 1 { format!(" ({})", code.session) } else { String::new() };
        say!("code      {}{of}", code.code);
    }
    if !within.is_empty() {
        return;
    }
    let outside = match (&known[..], all.iter().find_map(|code| code.as_ref().err())) {
        ([], Some(why)) => format!("the code at {at}: {why}"),
        ([], None) => format!("the code at {at}: there is no session"),
        ([one], _) => {
            let ran = [one.ran.0, one.ran.1].map(|at_end| at_end.with_timezone(&at.timezone()).to_rfc3339_opts(SecondsFormat::Secs, true));
            say!("code      {}", one.code);
            say!("OUTSIDE   {at} is no time of this session, which ran from {} to {}: the code is in none of its pictures", ran[0], ran[1]);
            return;
        }
        _ => format!("the code at {at}: no session here ran then"),
    };
    found.unknown.push(outside);
}

fn told(options: &Options, found: &Found) -> ExitCode {
    let code = found.exit_code();
    if options.json {
        let single = found.sessions.first().filter(|_| found.single).map(serde_json::to_string);
        say!("{}", single.unwrap_or_else(|| serde_json::to_string(found)).unwrap_or_default());
        return ExitCode::from(code);
    }
    for (n, report) in found.sessions.iter().enumerate() {
        if n > 0 {
            say!();
        }
        tell_session(report, options.log_key.is_some());
    }
    found.wrong.iter().for_each(|w| say!("WRONG     {w}"));
    found.unknown.iter().for_each(|u| say!("UNKNOWN   {u}"));
    let released = code == 2 && found.unknown.is_empty() && found.sessions.iter().all(|r| r.unknown.is_empty());
    let open = not_compared(options, found);
    match code {
        _ if released => say!("released to the archive"),
        0 if !open.is_empty() => say!("intact in itself; not compared: {}", open.join(", ")),
        0 => say!("intact"),
        1 => say!("altered or incomplete"),
        _ => say!("cannot tell"),
    }
    ExitCode::from(code)
}

/// What whoever made everything anew would have exchanged as well, and nobody compared.
fn not_compared(options: &Options, found: &Found) -> Vec<&'static str> {
    let mut open = Vec::new();
    if found.sessions.iter().any(|r| r.signer.is_some() && r.trusted.is_none()) {
        open.push("the signer, with the bureau's key (--key)");
    }
    if options.log_key.is_none() && found.sessions.iter().any(|r| r.log_entry.is_some()) {
        open.push("the log, with its own key (--log-key)");
    }
    open
}

fn tell_session(report: &Report, has_log_key: bool) {
    if let Some(session) = &report.session {
        say!("session   {session}");
    }
    if let Some(code) = &report.seal_code {
        say!("seal code {code}");
    }
    report.interim.iter().for_each(|seal| say!("interim   {seal}"));
    if let Some(signer) = &report.signer {
        let whose = match report.trusted {
            Some(true) => "the trusted key",
            Some(false) => "NOT the trusted key",
            None => "not compared: give the bureau's key with --key",
        };
        say!("signer    {signer} ({whose})");
    }
    if let Some(index) = report.log_entry {
        let whose = if has_log_key { "the trusted key" } else { "not compared: give the log's key with --log-key" };
        say!("log       sealed by entry {index} ({whose})");
    }
    report.timestamps.iter().for_each(|t| say!("time      {t}"));
    say!("files     {} intact, {} bytes; {} declared gaps", report.intact, report.bytes, report.gaps);
    if let Some(since) = &report.released_since {
        say!("RELEASED  {} files to the archive since {since}: not here, and not verified here", report.released);
    }
    report.wrong.iter().for_each(|w| say!("WRONG     {w}"));
    report.unknown.iter().for_each(|u| say!("UNKNOWN   {u}"));
}
