//! `shilu check`, the doctor: everything that is wrong with the configuration and on this machine, all at once, each with its cure.
//! It makes nothing: what root made while looking, the recorder's own user could not use.

use crate::capture;
use crate::catalog::backup;
use crate::cli::Ended;
use crate::config::{self, Parts, Tls, TlsFiles};
use crate::custody::keys::Signer;
use crate::desks::backups;
use crate::footage::envelope::Identities;
use crate::machine::clock::{Clock, SystemClock};
use crate::machine::terminal::say;
use crate::machine::{certificate, disc, durable, host, openssl, volume};
use std::fmt;
use std::path::Path;
use std::process::ExitCode;
use std::thread;
use std::time::Duration;

/// Memory of one camera with ten seconds of pre-roll (measured: 8.5 to 10.1 MB), rounded up; and of everything else.
const CAMERA_BYTES: u64 = 12_000_000;
const REST_BYTES: u64 = 512_000_000;
/// Files open at once: cameras, volumes, the catalog's readers, and people's connections.
const OPEN_FILES: u64 = 4096;
/// A certificate is warned of so many days before it ends.
const CERTIFICATE_DAYS: u32 = 30;
/// What to do where this user may not look or write.
const AS_WHOM: &str =
    "ask as the user that runs shilu (runuser -u shilu -- shilu check); if it is that user, give it the data folder (chown -R)";
/// How long a camera has to take a connection.
const CAMERA_WAIT: Duration = Duration::from_secs(2);

/// How bad.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Level {
    /// As it should be.
    Ok,
    /// Recording works; something else will not, or not for long.
    Warning,
    /// Stands in the way of recording, or of proof.
    Wrong,
}

/// One thing that was looked at.
#[derive(Debug)]
pub struct Finding {
    /// How bad.
    pub level: Level,
    /// What is, and what to do.
    pub text: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let level = match self.level {
            Level::Ok => "ok",
            Level::Warning => "warning",
            Level::Wrong => "WRONG",
        };
        write!(f, "{level:9} {}", self.text)
    }
}

#[derive(Default)]
struct Findings(Vec<Finding>);

impl Findings {
    fn ok(&mut self, text: impl Into<String>) {
        self.0.push(Finding { level: Level::Ok, text: text.into() });
    }
    fn warn(&mut self, text: impl Into<String>) {
        self.0.push(Finding { level: Level::Warning, text: text.into() });
    }
    fn wrong(&mut self, text: impl Into<String>) {
        self.0.push(Finding { level: Level::Wrong, text: text.into() });
    }
}

/// Checks; 0 when nothing stands in the way of recording.
pub fn run(config: &Path) -> Ended {
    let found = examine(config);
    for finding in &found {
        say!("{finding}");
    }
    let wrong = found.iter().any(|f| f.level == Level::Wrong);
    Ok(if wrong { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// Looks at everything; what is wrong comes first.
pub fn examine(config: &Path) -> Vec<Finding> {
    let mut found = Findings::default();
    match config::load_by_hand(config) {
        Ok(parts) => {
            found.ok(format!("the configuration {}", config.display()));
            machine(&mut found, &parts);
            store(&mut found, &parts);
            secrets(&mut found, config, &parts);
            console(&mut found, &parts);
            backups_of(&mut found, &parts);
            footage(&mut found, &parts);
            cameras(&mut found, &parts);
        }
        Err(wrong) => found.wrong(wrong.to_string()),
    }
    found.0.sort_by_key(|f| match f.level {
        Level::Wrong => 0,
        Level::Warning => 1,
        Level::Ok => 2,
    });
    found.0
}

fn machine(found: &mut Findings, parts: &Parts) {
    if let Err(e @ capture::CaptureError::GStreamer(_)) = capture::init() {
        found.wrong(e.to_string());
    } else {
        let missing = capture::missing_elements();
        for (element, package) in &missing {
            found.wrong(format!("GStreamer lacks {element}: apt-get install {package}"));
        }
        if missing.is_empty() {
            found.ok("GStreamer has every element");
        }
    }
    let cameras = parts.recorder.rooms.iter().map(|r| r.cameras.len() as u64).sum::<u64>();
    let needed = cameras * CAMERA_BYTES + parts.recorder.waiting_bytes_max * 8 + REST_BYTES;
    match host::memory_available() {
        Some(free) if free < needed => found.warn(format!(
            "{} MB of memory are free, and {cameras} cameras with a volume that hangs may need {} MB: add memory, or lower recording.waiting_mb",
            free / 1_000_000,
            needed / 1_000_000
        )),
        Some(free) => found.ok(format!("memory: {} MB free, {} MB needed at most", free / 1_000_000, needed / 1_000_000)),
        None => {}
    }
    if let Some(files) = host::open_files_max().filter(|files| *files < OPEN_FILES) {
        found.warn(format!("only {files} files may be open at once: LimitNOFILE={OPEN_FILES} in the unit, or ulimit -n"));
    }
    let missing = disc::missing_programs();
    if !missing.is_empty() {
        found.warn(format!("no media can be made without {}: apt-get install xorriso par2 openssl", missing.join(", ")));
    }
    if !host::has_chinese_font() {
        found.warn("no font has Chinese characters, so copies and stills bear none: apt-get install fonts-noto-cjk fontconfig");
    }
    if SystemClock.state().synchronised {
        found.ok("the clock is disciplined");
    } else {
        found.warn("nothing disciplines the clock: apt-get install chrony, and point it at the bureau's time server");
    }
}

fn store(found: &mut Findings, parts: &Parts) {
    for (what, root, own) in [
        ("storage.data", Some(parts.data.as_path()), parts.recorder.own_volume),
        ("storage.mirror", parts.recorder.mirror.as_deref(), parts.recorder.own_volume),
    ] {
        let Some(root) = root else { continue };
        if let Err(fault) = volume::Place::new(root.to_owned(), own).check() {
            found.wrong(format!("{what}: {fault}: mount it, and see that it is mounted at boot (/etc/fstab)"));
            continue;
        }
        if !durable::exists(root) {
            found.ok(format!("{what}: {} will be made at the first run, by the user that runs shilu", root.display()));
            continue;
        }
        let trial = root.join("trial");
        if let Err(fault) = durable::write_whole(&trial, b"trial").and_then(|()| durable::remove_marker(&trial)) {
            found.wrong(format!("{what}: {fault}: the user that runs shilu has to be able to write there"));
        }
        match volume::room(root) {
            Ok(room) if room.free < parts.reserve_bytes => found.warn(format!(
                "{what}: {} GB are free under {}; {} GB should be (storage.reserve_gb): a larger disk, or what is due given up by the rules",
                room.free / 1_000_000_000,
                root.display(),
                parts.reserve_bytes / 1_000_000_000
            )),
            Ok(room) => found.ok(format!("{what}: {} GB free under {}", room.free / 1_000_000_000, root.display())),
            Err(fault) => found.warn(fault.to_string()),
        }
    }
    match &parts.recorder.mirror {
        Some(mirror) if host::on_one_volume(&parts.data, mirror) => {
            found.warn("storage.mirror lies on the same volume as storage.data: one disk failing takes both; give it a disk of its own");
        }
        Some(_) => {}
        None => found.warn("there is no storage.mirror: a disk that fails takes the footage since the last archive with it"),
    }
    let keys = parts.data.join("keys");
    match durable::plain(&keys.join("signing.pem")) {
        Err(fault) if fault.is_absent() => found.ok("the signing key will be made at the first run"),
        // It may well be there: a folder that is shut is no folder that is empty.
        Err(fault) => found.wrong(format!("the signing key cannot be looked at: {fault}: {AS_WHOM}")),
        Ok(_) => {
            if let Err(fault) = Signer::open(&keys, "signing") {
                found.wrong(format!("the signing key is not usable: {fault}"));
            }
        }
    }
    strangers(found, &parts.data);
    catalog(found, parts);
}

/// What somebody else wrote into the store, as root does who forgets `runuser`: the recorder cannot write to it, or not even read it.
fn strangers(found: &mut Findings, data: &Path) {
    let Some((owner, _)) = host::owner(data).filter(|_| durable::exists(data)) else { return };
    let below = ["", "keys", "custody", "custody/log", "footage"].map(|folder| data.join(folder));
    let all = below.iter().flat_map(|folder| durable::names(folder).unwrap_or_default().into_iter().map(|name| folder.join(name)));
    let strange: Vec<_> = all.filter(|path| host::owner(path).is_some_and(|(of, _)| of != owner)).collect();
    if let Some(first) = strange.first() {
        let name = host::name_of(owner).unwrap_or_else(|| owner.to_string());
        found.wrong(format!(
            "{} (of {} such) belongs to another user than {}, who runs shilu: chown -R {name}: {}",
            first.display(),
            strange.len(),
            data.display(),
            data.display()
        ));
    }
}

fn catalog(found: &mut Findings, parts: &Parts) {
    let catalog = parts.data.join("catalog.db");
    let is_hollow = || backup::schema_of(&catalog).is_ok_and(|steps| steps.is_none_or(|n| n == 0));
    if durable::exists(&parts.data.join("custody/log/origin")) && is_hollow() {
        found.wrong("the catalog is gone, though there is a custody log: at the next start its newest backup takes its place");
    }
    let files = ["", "-wal", "-shm"].map(|tail| parts.data.join(format!("catalog.db{tail}")));
    // No damage: what SQLite may not write it cannot even read, and a backup would not help.
    if let Some(shut) = files.iter().find(|file| durable::exists(file) && !host::may_write(file)) {
        found.wrong(format!("{} may not be written: {AS_WHOM}", shut.display()));
    } else if let Err(fault) = backup::sound(&catalog) {
        found.wrong(format!("the catalog cannot be read: {fault}: `shilu restore` brings a backup, `shilu rebuild` reads the files"));
    }
}

/// Whether a password stands in the configuration itself, and not in a file that it names.
fn has_password(table: &toml::Table) -> bool {
    let of = |value: &toml::Value, name: &str| value.get(name).and_then(toml::Value::as_array).cloned().unwrap_or_default();
    let rooms = table.get("rooms").and_then(toml::Value::as_array).cloned().unwrap_or_default();
    rooms.iter().flat_map(|room| of(room, "cameras")).any(|camera| camera.get("password").is_some())
}

/// Files that only the recorder may read.
fn secrets(found: &mut Findings, config: &Path, parts: &Parts) {
    if config::names_credentials(&parts.source.table.to_string()) {
        found.warn(
            "passwords that systemd hands over (credential:) were not looked at: they come with the service; ask while it runs, as root",
        );
    }
    let inline = has_password(&parts.source.table);
    let mut secret = vec![parts.data.join("keys")];
    if inline {
        secret.push(config.to_owned());
    }
    if let Some(Tls::Files(TlsFiles { key, .. })) = &parts.tls {
        secret.push(key.clone());
    }
    for path in secret {
        if host::everybody_reads(&path).unwrap_or(false) {
            found.wrong(format!("everybody on this machine may read {}: chmod o= {0}", path.display()));
        }
    }
}

fn console(found: &mut Findings, parts: &Parts) {
    let chain = match &parts.tls {
        Some(Tls::Files(TlsFiles { certificate, .. })) => certificate.clone(),
        Some(Tls::Own { folder }) => folder.join("console.pem"),
        None => return,
    };
    if !durable::exists(&chain) {
        return found.ok("the console's certificate will be made at the first run");
    }
    let ends_within = |days: u32| {
        let seconds = (u64::from(days) * 86_400).to_string();
        let asked = ["x509", "-noout", "-checkend", &seconds, "-in", &chain.to_string_lossy()];
        openssl::run(&asked, b"").is_ok_and(|said| !said.well)
    };
    let renew = "put a new one there and `systemctl reload shilu`";
    let print = match certificate::fingerprint(&chain) {
        Ok(print) => print,
        Err(fault) => return found.wrong(format!("the console's certificate: {fault}")),
    };
    if ends_within(0) {
        found.wrong(format!("{} has run out: {renew}", chain.display()));
    } else if ends_within(CERTIFICATE_DAYS) {
        found.warn(format!("{} runs out within {CERTIFICATE_DAYS} days: {renew}", chain.display()));
    } else {
        found.ok(format!("the console's certificate, SHA-256 {print}"));
    }
}

fn backups_of(found: &mut Findings, parts: &Parts) {
    let settings = &parts.desks.backup;
    if host::on_one_volume(&settings.folder, &parts.data) {
        found.warn("backups of the catalog lie on the volume of the catalog itself: give backup.folder another disk");
    }
    let newest = backups::all(&settings.folder).ok().and_then(|all| all.into_iter().next());
    let Some((at, path)) = newest else { return };
    let age_h = (SystemClock.now().utc - at).num_hours();
    if age_h > settings.every_h * 3 {
        found.warn(format!("the newest backup of the catalog is {age_h} hours old ({}): see the status page for why", path.display()));
    } else {
        found.ok(format!("the newest backup of the catalog is {age_h} hours old"));
    }
}

/// Whether footage lies encrypted, and whether what opens it is at hand and is what it has to be.
fn footage(found: &mut Findings, parts: &Parts) {
    if !parts.footage.encrypts {
        return found.warn("footage lies in the clear: whoever takes a disk can look at it; see [footage] encrypt in shilu.toml");
    }
    found.ok(format!("new sessions are encrypted to {} recipients", parts.footage.recipients.len()));
    let nobody = "recording goes on, but nobody can look";
    let Some(path) = &parts.desks.footage_identity else {
        return found.warn(format!("footage.identity_file is not given: {nobody}"));
    };
    let opens = match Identities::read(path) {
        Ok(opens) => opens,
        Err(fault) => return found.warn(format!("the footage identity: {fault}: {nobody} until it is there")),
    };
    if !opens.recipients().iter().any(|r| Some(r) == parts.footage.recipient.as_ref()) {
        found.wrong(format!("{} is not the key of footage.recipient: {nobody}", path.display()));
    }
    if host::everybody_reads(path).unwrap_or(false) {
        found.wrong(format!("everybody on this machine may read {}: chmod o= {0}", path.display()));
    }
    if path.parent().is_some_and(|folder| host::on_one_volume(folder, &parts.data)) {
        found.wrong(format!("{} lies on the disk of the footage: whoever takes the disk has its key", path.display()));
    }
}

/// Whether every camera takes a connection; each in a thread, so that ten that are away take no longer than one.
fn cameras(found: &mut Findings, parts: &Parts) {
    let all: Vec<_> = parts.recorder.rooms.iter().flat_map(|r| &r.cameras).collect();
    let answers = thread::scope(|scope| {
        let asked: Vec<_> = all
            .iter()
            .map(|c| {
                let (host, port) = (c.capture.url.host_str().unwrap_or_default(), c.capture.url.port_or_known_default().unwrap_or(554));
                scope.spawn(move || (host.to_owned(), port, host::answers(host, port, CAMERA_WAIT)))
            })
            .collect();
        asked.into_iter().map(|a| a.join().unwrap_or_default()).collect::<Vec<_>>()
    });
    for (camera, (host, port, well)) in all.iter().zip(answers) {
        let id = &camera.capture.id;
        if well {
            found.ok(format!("camera {id} answers at {host}:{port}"));
        } else {
            found.warn(format!("camera {id} does not answer at {host}:{port}: look at its power, cable and address"));
        }
    }
}
