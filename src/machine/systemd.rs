//! What the recorder and systemd tell each other; without systemd nothing is told.

use sd_notify::NotifyState;
use std::env;
use std::path::PathBuf;
use std::time::Duration;

/// Recording, and the console answers.
pub fn ready(status: &str) {
    tell(&[NotifyState::Ready, NotifyState::Status(status)]);
}

/// The configuration is read again; `ready` follows.
pub fn reloading() {
    tell(&[NotifyState::Reloading]);
}

/// It ends in good order.
pub fn stopping() {
    tell(&[NotifyState::Stopping]);
}

/// It lives.
pub fn alive() {
    tell(&[NotifyState::Watchdog]);
}

/// How often [`alive`] has to be said at least, where systemd watches.
pub fn watched_every() -> Option<Duration> {
    sd_notify::watchdog_enabled()
}

/// Where systemd put the secrets of `LoadCredential=`.
pub fn credentials() -> Option<PathBuf> {
    env::var_os("CREDENTIALS_DIRECTORY").map(PathBuf::from)
}

/// Where the running service has them, if who asks may read there: root and the recorder's own user.
pub fn credentials_of_the_service() -> Option<PathBuf> {
    let folder = PathBuf::from("/run/credentials/shilu.service");
    std::fs::read_dir(&folder).is_ok().then_some(folder)
}

fn tell(states: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        tracing::warn!(%error, "systemd is not told");
    }
}

/// Whether systemd has connected standard error with its journal: then it reads a line's priority.
pub fn stderr_is_the_journal() -> bool {
    use std::os::unix::fs::MetadataExt;
    let Ok(told) = std::env::var("JOURNAL_STREAM") else { return false };
    std::fs::metadata("/proc/self/fd/2").is_ok_and(|at| told == format!("{}:{}", at.dev(), at.ino()))
}
