//! A real one-node Ceph with an S3 gateway and Object Lock.

use crate::support::bureau::{Bureau, Person};
use crate::support::free_port;
use serde_json::Value;
use shilu::footage::archive::{Store, StoreSettings};
use shilu::machine::clock::{Clock, SystemClock};
use shilu::model::time::{ClockState, Moment};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

pub struct Ceph {
    dir: tempfile::TempDir,
    port: u16,
}

impl Ceph {
    pub fn up() -> Self {
        let ceph = Self { dir: tempfile::tempdir().unwrap(), port: free_port() };
        let mon = free_port();
        ceph.script(&["up", &ceph.root(), &ceph.port.to_string(), &mon.to_string()]);
        std::fs::write(ceph.dir.path().join("key"), "test\ntesttest\n").unwrap();
        ceph
    }

    fn root(&self) -> String {
        self.dir.path().join("ceph").display().to_string()
    }

    fn script(&self, arguments: &[&str]) {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/support/ceph-one-node.sh");
        // To a file: daemons keep what they are given, and a pipe would never end.
        let said = std::fs::File::create(self.dir.path().join("said")).unwrap();
        let status = Command::new("bash").arg(script).args(arguments).stdout(said.try_clone().unwrap()).stderr(said).status().unwrap();
        assert!(status.success(), "{}", std::fs::read_to_string(self.dir.path().join("said")).unwrap());
    }

    pub fn away(&self) {
        self.script(&["away", &self.root()]);
    }

    pub fn back(&self) {
        self.script(&["back", &self.root(), &self.port.to_string()]);
    }

    /// The gateway alone, by a clock that is so many days ahead: the locks that it keeps end by it.
    pub fn back_later(&self, days: i64) {
        self.script(&["back", &self.root(), &self.port.to_string(), &format!("+{days}d")]);
    }

    /// The bucket, for a test's own questions, by the gateway's clock.
    pub fn store(&self, days_ahead: i64) -> Store {
        drop(rustls::crypto::ring::default_provider().install_default()); // as `shilu` does for itself
        let settings = StoreSettings {
            endpoint: self.endpoint().parse().unwrap(),
            region: "us-east-1".into(),
            bucket: "shilu".into(),
            access_key: "test".into(),
            secret_key: "testtest".to_owned().into(),
            bits_per_s_max: None,
        };
        Store::new(settings, Arc::new(Ahead(days_ahead)))
    }

    pub fn endpoint(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    pub fn key_file(&self) -> PathBuf {
        self.dir.path().join("key")
    }

    /// Lines of configuration for a site.
    pub fn configuration(&self, site: &str, more: &str) -> String {
        format!(
            "[archive]\nsite = \"{site}\"\nendpoint = \"{}\"\nbucket = \"shilu\"\naccess_key_file = \"{}\"\nwindow = \"\"\nmbit_max = 0\n{more}\n",
            self.endpoint(),
            self.key_file().display()
        )
    }

    fn rados(&self, arguments: &[&str]) -> String {
        let conf = format!("{}/ceph.conf", self.root());
        let out = Command::new("rados").args(["-c", &conf, "-p", "default.rgw.buckets.data"]).args(arguments).output().unwrap();
        assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
        String::from_utf8(out.stdout).unwrap()
    }

    /// Turns a bit of an object over, below the gateway and all its locks.
    pub fn damage(&self, key: &str) {
        let all = self.rados(&["ls"]);
        let name = all.lines().find(|l| l.contains("__:") && l.ends_with(key)).unwrap_or_else(|| panic!("no {key} in {all}"));
        let file = self.dir.path().join("object");
        self.rados(&["get", name, &file.display().to_string()]);
        let mut data = std::fs::read(&file).unwrap();
        assert!(!data.is_empty());
        data[0] ^= 1;
        std::fs::write(&file, data).unwrap();
        self.rados(&["put", name, &file.display().to_string()]);
    }
}

struct Ahead(i64);

impl Clock for Ahead {
    fn now(&self) -> Moment {
        let now = SystemClock.now();
        Moment { utc: now.utc + chrono::TimeDelta::days(self.0), ..now }
    }
    fn state(&self) -> ClockState {
        SystemClock.state()
    }
}

/// Blocking work beside a test that is async.
pub fn off<T: Send>(work: impl FnOnce() -> T + Send) -> T {
    std::thread::scope(|s| s.spawn(work).join().unwrap())
}

/// `shilu …` by the bureau's own clock: how it ended, and its words.
pub fn shilu(bureau: &Bureau, arguments: &[&str]) -> (bool, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_shilu"));
    command.args(arguments).arg("--config").arg(bureau.config());
    if let Some(moved) = bureau.moved {
        let library = format!("/usr/lib/{}-linux-gnu/faketime/libfaketimeMT.so.1", std::env::consts::ARCH);
        command.envs([("LD_PRELOAD", library.as_str()), ("FAKETIME", moved), ("DONT_FAKE_MONOTONIC", "1")]);
    }
    let out = command.output().unwrap();
    (out.status.success(), format!("{}{}", String::from_utf8_lossy(&out.stdout), String::from_utf8_lossy(&out.stderr)))
}

/// Waits until the archive stands as wanted.
pub async fn waits(who: &Person, what: &str, until: impl Fn(&Value) -> bool) -> Value {
    waits_at(who, "/api/v1/archive", what, until).await
}

/// Waits until something at an address is as wanted; as long as it changes, however slowly: the archive's thread gives way to everything.
pub async fn waits_at(who: &Person, path: &str, what: &str, until: impl Fn(&Value) -> bool) -> Value {
    let (at_last, mut before) = (Instant::now() + Duration::from_mins(15), Value::Null);
    let mut deadline = Instant::now();
    loop {
        let (_, now) = who.get(path).await;
        if until(&now) {
            return now;
        }
        if now != before {
            (deadline, before) = (Instant::now() + Duration::from_mins(3), now.clone());
        }
        assert!(Instant::now() < deadline.min(at_last), "not {what}: {now}");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

/// Nothing waits, nothing is wrong, and something is there.
pub fn is_done(now: &Value) -> bool {
    now["waiting"] == 0 && now["sessions"].as_u64() > Some(0) && now["doing"]["problem"].is_null()
}

/// Waits until an entry of a kind is in the log, and gives it.
pub async fn waits_for_entry(who: &Person, kind: &str) -> Value {
    let found = |log: &Value| log.as_array().and_then(|rows| rows.iter().find(|r| r["entry"]["kind"] == kind).cloned());
    let log = waits_at(who, "/api/v1/log", kind, |log| found(log).is_some()).await;
    found(&log).unwrap()["entry"].clone()
}

impl Drop for Ceph {
    fn drop(&mut self) {
        self.script(&["down", &self.root()]);
    }
}
