//! Volumes that fail: power cut, hang, input/output errors, a mirror that dies or saves the day, a mount point without its volume.

use crate::support;
use crate::volume;

use serde_json::Value;
use std::path::Path;
use std::time::{Duration, Instant};
use support::bureau::{Bureau, verify};
use volume::BadVolume;

fn gaps(session: &Value) -> Vec<(&str, &str, u64)> {
    let of = |g: &'_ Value| g["to_ms"].as_u64().unwrap() - g["from_ms"].as_u64().unwrap();
    session["gaps"].as_array().unwrap().iter().map(|g| (g["camera"].as_str().unwrap(), g["cause"].as_str().unwrap(), of(g))).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_power_cut_loses_at_most_two_seconds_and_nothing_that_was_told() {
    let dir = tempfile::tempdir().unwrap();
    let Some(disk) = BadVolume::mount(dir.path().join("disk")) else { return };
    let left = dir.path().join("left");
    let mut bureau = Bureau::open_in(dir, Some(&disk.at.join("data")), "", "").await;
    let officer = bureau.sign_in("officer").await;
    officer.waits_for_pictures().await;
    let id = officer.starts().await;
    officer.does(&format!("/api/v1/sessions/{id}/marks"), serde_json::json!({ "kind": "notice_given" })).await;
    let began = Instant::now();
    officer.records(400_000).await;
    disk.after_power_cut(&left);
    let cut_ms = began.elapsed().as_millis() as u64;
    bureau.kill();
    bureau.moves_to(&left.join("data"));
    bureau.start().await;
    // What the log had told anyone of is still in it, and it is the same log: nothing had to be set aside.
    let log = left.join("data/custody/log");
    let kept: Vec<String> =
        shilu::custody::tiles::Tiles::of(&log).entries(0).unwrap().iter().map(|e| String::from_utf8_lossy(e).into_owned()).collect();
    assert!(kept.iter().any(|e| e.contains("signed_in")), "{kept:?}");
    assert!(kept.iter().any(|e| e.contains("mark_set")), "{kept:?}");
    assert!(!left.join("data/custody/log-1").exists());
    let officer = bureau.sign_in("officer").await;
    officer.waits_for_pictures().await;
    let sealed = officer.ends(&id).await;
    assert_eq!(sealed["marks"][0]["kind"], "notice_given", "a mark that was answered is there: {sealed:#}");
    for gap in sealed["gaps"].as_array().unwrap() {
        let from = gap["from_ms"].as_u64().unwrap();
        assert!(from + 2_000 >= cut_ms, "cut at {cut_ms} ms: {gap}");
    }
    // So short that one of them may be within the tolerance.
    assert!(gaps(&sealed).iter().all(|(_, cause, _)| *cause == "restart"), "{sealed:#}");
    assert_eq!(sealed["restarts"], 1);
    let (code, words) = verify(&bureau.folder(&id));
    assert_eq!(code, 0, "{words}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_volume_that_hangs_for_half_a_minute_loses_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let Some(disk) = BadVolume::mount(dir.path().join("disk")) else { return };
    let bureau = Bureau::open_in(dir, Some(&disk.at.join("data")), "", "").await;
    let (officer, id) = bureau.records(100_000).await;
    disk.hangs(Duration::from_secs(30));
    tokio::time::sleep(Duration::from_secs(31)).await;
    officer.waits("a lamp that says so", |room| room["lamp"] == "recording").await;
    let sealed = officer.ends(&id).await;
    assert!(gaps(&sealed).is_empty(), "{sealed:#}");
    assert!(sealed["length_ms"].as_u64().unwrap() > 30_000);
    let (code, words) = verify(&bureau.folder(&id));
    assert_eq!(code, 0, "{words}");
}

async fn with_mirror(dir: tempfile::TempDir, data: &Path, mirror: &Path) -> Bureau {
    Bureau::open_in(dir, Some(data), &format!("mirror = \"{}\"", mirror.display()), "waiting_mb = 1").await
}

/// Footage of a session, by name, on a volume.
fn footage(bureau: &Bureau, id: &str, root: &Path) -> Vec<(String, Vec<u8>)> {
    let folder = bureau.folder(id);
    let there = root.join("footage").join(folder.strip_prefix(bureau.data().join("footage")).unwrap());
    let mut files: Vec<_> = std::fs::read_dir(there)
        .unwrap()
        .flatten()
        .map(|e| (e.file_name().into_string().unwrap(), std::fs::read(e.path()).unwrap_or_default()))
        .filter(|(name, _)| !name.starts_with("documents"))
        .collect();
    files.sort();
    files
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_first_volume_loses_is_brought_over_from_the_mirror_and_both_are_the_same() {
    let dir = tempfile::tempdir().unwrap();
    let (data, mirror) = (dir.path().join("disk/data"), dir.path().join("mirror"));
    let Some(disk) = BadVolume::mount(dir.path().join("disk")) else { return };
    let bureau = with_mirror(dir, &data, &mirror).await;
    let (officer, id) = bureau.records(200_000).await;
    disk.fails(true);
    // Longer than memory may hold, so that the volume is left behind.
    tokio::time::sleep(Duration::from_secs(14)).await;
    let (_, status) = officer.get("/api/v1/status").await;
    assert!(status["machine"]["faults"].to_string().contains("primary volume"), "{status}");
    assert_eq!(status["rooms"][0]["lamp"], "recording", "the mirror records: {status}");
    disk.fails(false);
    tokio::time::sleep(Duration::from_secs(4)).await;
    let sealed = officer.ends(&id).await;
    assert!(gaps(&sealed).is_empty(), "{sealed:#}");
    let brought = |s: &Value| s["from_mirror"].is_u64();
    assert!(sealed["segments"].as_array().unwrap().iter().any(brought), "where it came from stays written down: {sealed:#}");
    let (code, words) = verify(&bureau.folder(&id));
    assert_eq!(code, 0, "{words}");
    let (here, there) = (footage(&bureau, &id, &data), footage(&bureau, &id, &mirror));
    let names = |files: &[(String, Vec<u8>)]| files.iter().map(|(n, d)| format!("{n} {}", d.len())).collect::<Vec<_>>();
    assert!(here == there, "{:#?}\n{:#?}", names(&here), names(&there));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mirror_that_dies_and_comes_back_stops_nothing_and_gets_what_it_lacks() {
    let dir = tempfile::tempdir().unwrap();
    let (data, mirror) = (dir.path().join("data"), dir.path().join("disk/mirror"));
    let Some(disk) = BadVolume::mount(dir.path().join("disk")) else { return };
    let bureau = with_mirror(dir, &data, &mirror).await;
    let (officer, id) = bureau.records(200_000).await;
    disk.hangs(Duration::from_secs(12));
    tokio::time::sleep(Duration::from_secs(14)).await;
    let sealed = officer.ends(&id).await;
    assert!(gaps(&sealed).is_empty(), "{sealed:#}");
    assert_eq!(verify(&bureau.folder(&id)).0, 0);
    let footage_of = |root| footage(&bureau, &id, root).into_iter().filter(|(n, _)| n.ends_with(".mp4")).collect::<Vec<_>>();
    assert!(footage_of(&data) == footage_of(&mirror));
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_written_to_a_mount_point_without_its_volume() {
    let dir = tempfile::tempdir().unwrap();
    let Some(disk) = BadVolume::mount(dir.path().join("disk")) else { return };
    let (at, data) = (disk.at.clone(), disk.at.join("data"));
    let mut bureau = Bureau::open_in(dir, Some(&data), "own_volume = true", "").await;
    let officer = bureau.sign_in("officer").await;
    officer.waits_for_pictures().await;
    assert!(bureau.terminate());
    drop(disk);
    let (worked, words) = bureau.second_instance();
    assert!(!worked && words.contains("no volume is mounted there"), "{words}");
    assert_eq!(std::fs::read_dir(at).unwrap().count(), 0, "the mount point stays empty");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_on_a_volume_that_becomes_full_ends_in_a_clear_word_and_takes_nothing_from_a_recording() {
    let dir = tempfile::tempdir().unwrap();
    let Some(disk) = BadVolume::mount(dir.path().join("disk")) else { return };
    let bureau = Bureau::open_in(dir, Some(&disk.at.join("data")), "", "").await;
    let (officer, first) = bureau.records(100_000).await;
    officer.ends(&first).await;
    bureau.grows_to(&first, 130_000);
    let (leader, reviewer) = (bureau.sign_in("leader_in_charge").await, bureau.sign_in("reviewer").await);
    reviewer.gets_grant(&leader, &first, "copy").await;
    let running = officer.starts().await;
    officer.records(50_000).await;
    // Less is left than the gigabyte that the configuration keeps for recordings.
    disk.has_free(Some(900_000_000));
    let order = serde_json::json!({ "layout": "single", "cameras": ["face"], "sound": "face" });
    let copy = reviewer.does(&format!("/api/v1/sessions/{first}/copies"), order).await["id"].as_str().unwrap().to_owned();
    let becomes = async |state: &str| {
        let deadline = Instant::now() + Duration::from_secs(90);
        loop {
            let (_, now) = reviewer.get(&format!("/api/v1/copies/{copy}")).await;
            if now["state"] == state {
                return now;
            }
            assert!(Instant::now() < deadline, "{now}");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    assert_eq!(becomes("failed").await["problem"], "no_room");
    // With room again it goes on; the room goes while it is made, and it ends and leaves nothing that was only begun.
    disk.has_free(None);
    reviewer.does(&format!("/api/v1/copies/{copy}/resume"), Value::Null).await;
    becomes("running").await;
    disk.has_free(Some(900_000_000));
    let ended = becomes("failed").await;
    assert_eq!(ended["problem"], "no_room", "{ended}");
    // Where the room was gone before anything was begun there is no folder either.
    let left = std::fs::read_dir(bureau.data().join("copies").join(&copy)).into_iter().flatten();
    let left: Vec<_> = left.map(|e| e.unwrap().file_name()).collect();
    assert!(left.iter().all(|name| name.to_string_lossy().ends_with(".mp4") && name != "copy.mp4"), "{left:?}");
    disk.has_free(None);
    reviewer.does(&format!("/api/v1/copies/{copy}/resume"), Value::Null).await;
    assert!(becomes("ready").await["sha256"].is_string());
    officer.waits("a lamp that says so", |room| room["lamp"] == "recording").await;
    let sealed = officer.ends(&running).await;
    assert!(gaps(&sealed).is_empty(), "{sealed:#}");
    let (code, words) = verify(&bureau.folder(&running));
    assert_eq!(code, 0, "{words}");
}
