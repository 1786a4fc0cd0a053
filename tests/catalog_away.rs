//! A session is conducted through a catalog that answers nobody (promises 1 and 7), by its own people alone.

use crate::support;

use chrono::{DateTime, TimeDelta, Utc};
use nix::fcntl::{FcntlArg, fcntl};
use reqwest::StatusCode;
use serde_json::json;
use std::fs::File;
use support::bureau::{Bureau, verify};

/// While it is there, whoever reads or writes the catalog waits, and fails after some seconds: every lock of its write-ahead index is
/// taken (bytes 120 to 127 of the file, as SQLite's format of it says).
struct Away(File);

impl Away {
    fn take(bureau: &Bureau) -> Self {
        let file = File::options().read(true).write(true).open(bureau.data().join("catalog.db-shm")).unwrap();
        Self::lock(&file, nix::libc::F_WRLCK);
        Self(file)
    }

    fn lock(file: &File, kind: i32) {
        let lock = nix::libc::flock { l_type: kind as i16, l_whence: nix::libc::SEEK_SET as i16, l_start: 120, l_len: 8, l_pid: 0 };
        fcntl(file, FcntlArg::F_SETLKW(&lock)).unwrap();
    }
}

impl Drop for Away {
    fn drop(&mut self) {
        Self::lock(&self.0, nix::libc::F_UNLCK);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_catalog_that_hangs_moves_no_mark_and_keeps_no_officer_from_a_pause_or_the_end_and_lets_nobody_else_in() {
    let mut bureau = Bureau::open().await;
    bureau.terminate();
    bureau.add_account("stranger", "officer", "mines");
    bureau.start().await;
    let (officer, id) = bureau.records(100_000).await;
    let (stranger, custodian) = (bureau.sign_in("stranger").await, bureau.sign_in("custodian").await);
    let gone = bureau.sign_in("officer").await;
    gone.does("/api/v1/logout", json!({})).await;
    let at = |what: &str| format!("/api/v1/sessions/{id}/{what}");

    let away = Away::take(&bureau);
    let asked = Utc::now();
    let mark = officer.does(&at("marks"), json!({ "kind": "notice_given", "text": "口头告知" })).await;
    let (answered, moment) = (Utc::now(), mark["at"].as_str().unwrap().parse::<DateTime<Utc>>().unwrap());
    // Who asks is looked up for a second before it goes on without; the mark is of the moment before.
    assert!(asked <= moment + TimeDelta::milliseconds(1) && answered - moment >= TimeDelta::milliseconds(900), "{asked} {mark} {answered}");
    assert_eq!(officer.does(&at("interrupt"), json!({ "cause": "vacated", "reason": "午饭" })).await["state"], "interrupted");
    assert_eq!(officer.does(&at("resume"), json!({})).await["state"], "recording");
    let (status, no) = stranger.post(&at("marks"), json!({ "kind": "note" })).await;
    assert_eq!((status, no["code"].as_str()), (StatusCode::NOT_FOUND, Some("no-such")), "of another unit: {no}");
    assert_eq!(custodian.post(&at("marks"), json!({ "kind": "note" })).await.0, StatusCode::FORBIDDEN);
    assert_eq!(gone.post(&at("marks"), json!({ "kind": "note" })).await.0, StatusCode::UNAUTHORIZED, "who signed out stays out");
    // Looking fails closed.
    assert!(!officer.get(&format!("/api/v1/sessions/{id}")).await.0.is_success());
    let sealed = officer.ends(&id).await;
    assert_eq!((sealed["state"].as_str(), sealed["marks"].as_array().map(Vec::len)), (Some("sealed"), Some(1)), "{sealed:#}");
    drop(away);

    let (code, words) = verify(&bureau.folder(&id));
    assert_eq!(code, 0, "{words}");
    let found = async || officer.get(&format!("/api/v1/sessions/{id}")).await.1["session"]["state"].clone();
    let deadline = std::time::Instant::now() + std::time::Duration::from_mins(1);
    while found().await != "sealed" {
        assert!(std::time::Instant::now() < deadline, "the index catches up");
        tokio::time::sleep(std::time::Duration::from_millis(200)).await;
    }
}
