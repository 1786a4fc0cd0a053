//! Pauses and what is lost beside them: a reason for a pause explains the pause, and nothing else (第十二条, 第十六条).

use crate::support;
use crate::volume;

use serde_json::{Value, json};
use std::time::{Duration, Instant};
use support::bureau::{Bureau, Person, verify};
use volume::BadVolume;

/// Causes of a camera's gaps, in order.
fn causes<'a>(session: &'a Value, camera: &str) -> Vec<&'a str> {
    let of = session["gaps"].as_array().unwrap().iter().filter(|g| g["camera"] == camera);
    of.map(|g| g["cause"].as_str().unwrap()).collect()
}

/// Which gaps want a reason.
async fn asked_for(person: &Person, id: &str) -> Vec<String> {
    let (_, view) = person.get(&format!("/api/v1/sessions/{id}")).await;
    let gaps = view["missing"].as_array().unwrap().iter().filter(|m| m["what"] == "gap");
    gaps.map(|m| m["about"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_camera_that_falls_away_in_a_pause_and_stays_away_is_lost_from_its_end_on_and_asked_for() {
    let mut bureau = Bureau::open().await;
    let (officer, id) = bureau.records(100_000).await;
    officer.does(&format!("/api/v1/sessions/{id}/interrupt"), json!({ "cause": "vacated", "reason": "午饭" })).await;
    bureau.cameras().kill();
    let paused = Instant::now();
    let are_lost = |room: &Value| room["cameras"].as_array().unwrap().iter().all(|c| c["connected"] == false);
    officer.waits("lost cameras, well into the pause", |room| are_lost(room) && paused.elapsed() > Duration::from_secs(2)).await;
    officer.does(&format!("/api/v1/sessions/{id}/resume"), json!({})).await;
    let went_on = Instant::now();
    officer.waits("a while without pictures", |_| went_on.elapsed() > Duration::from_secs(2)).await;
    let sealed = officer.ends(&id).await;
    let resumed_ms = sealed["interruptions"][0]["to_ms"].as_u64().unwrap();
    for camera in ["face", "overview"] {
        assert_eq!(causes(&sealed, camera), ["interruption", "camera"], "{sealed:#}");
        let asked = asked_for(&officer, &id).await;
        let own: Vec<&String> = asked.iter().filter(|about| about.starts_with(camera)).collect();
        assert_eq!(own, [&format!("{camera}@{resumed_ms}")], "the pause has its reason; what follows it wants one");
    }
    let manifest: Value = serde_json::from_slice(&std::fs::read(bureau.folder(&id).join("session.json")).unwrap()).unwrap();
    assert_eq!(causes(&manifest, "face"), ["interruption", "camera"], "{manifest:#}");
    let (_, log) = bureau.sign_in("inspector").await.get("/api/v1/log").await;
    let lost: Vec<&Value> = log.as_array().unwrap().iter().filter(|r| r["entry"]["kind"] == "camera_lost").collect();
    assert_eq!(lost.len(), 2, "each camera once: {log:#}");
    assert_eq!(verify(&bureau.folder(&id)).0, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_volume_gives_up_only_after_a_pause_or_an_end_is_still_the_disks() {
    let dir = tempfile::tempdir().unwrap();
    let Some(disk) = BadVolume::mount(dir.path().join("disk")) else { return };
    let bureau = Bureau::open_in(dir, Some(&disk.at.join("data")), "", "").await;
    let (officer, id) = bureau.records(100_000).await;
    let at = |what: &str| format!("/api/v1/sessions/{id}/{what}");
    // Three seconds wait in memory, and are given up ten seconds after the valve closed.
    disk.fails(true);
    tokio::time::sleep(Duration::from_secs(3)).await;
    officer.does(&at("interrupt"), json!({ "cause": "vacated", "reason": "午饭" })).await;
    tokio::time::sleep(Duration::from_secs(15)).await;
    disk.fails(false);
    officer.does(&at("resume"), json!({})).await;
    officer.waits_for_pictures().await;
    disk.fails(true);
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert_eq!(officer.ends(&id).await["state"], "ended", "the journal waits, and the end is told");
    tokio::time::sleep(Duration::from_secs(6)).await;
    disk.fails(false);
    let deadline = Instant::now() + Duration::from_secs(40);
    let sealed = loop {
        let (_, view) = officer.get(&format!("/api/v1/sessions/{id}")).await;
        if view["session"]["state"] == "sealed" {
            break view["session"].clone();
        }
        assert!(Instant::now() < deadline, "{view:#}");
        tokio::time::sleep(Duration::from_millis(200)).await;
    };
    for camera in ["face", "overview"] {
        assert_eq!(causes(&sealed, camera), ["disk", "interruption", "disk"], "{sealed:#}");
    }
    let (code, words) = verify(&bureau.folder(&id));
    assert_eq!(code, 0, "{words}");
}
