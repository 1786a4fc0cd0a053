//! The player and the copies, under an approval: loudness, seeking, cameras in step across a gap, full screen, stills, H.265, masks that
//! are drawn, and copies that outlive the recorder's death.

use crate::support;

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use std::process::Command;
use std::time::{Duration, Instant};
use support::bureau::{Bureau, Person};
use support::camera::Cameras;

/// A recorded session of two cameras, of which the second was away for a while in its middle.
async fn recorded_with_a_gap(face: &str, overview: &str) -> (Bureau, String, [Cameras; 2]) {
    let (face, mut other) = (Cameras::start(&[face]), Cameras::start(&[overview]));
    let addresses = [face.address("face"), other.address("overview")];
    let bureau = Bureau::open_at(tempfile::tempdir().unwrap(), None, "", "", &addresses).await;
    let (officer, id) = bureau.records(200_000).await;
    let bytes =
        async |camera: usize| officer.get("/api/v1/status").await.1["rooms"][0]["cameras"][camera]["durable_bytes"].as_u64().unwrap();
    other.kill();
    let so_far = bytes(0).await;
    officer.waits("a gap", |room| room["cameras"][0]["durable_bytes"].as_u64().unwrap() > so_far + 300_000).await;
    other.restart();
    let before = bytes(1).await;
    officer.waits("the second camera again", |room| room["cameras"][1]["durable_bytes"].as_u64().unwrap() > before + 400_000).await;
    let sealed = officer.ends(&id).await;
    let of = |camera: &str| sealed["gaps"].as_array().unwrap().iter().filter(|g| g["camera"] == camera).count();
    assert_eq!((of("face"), of("overview")), (0, 1), "{sealed:#}");
    (bureau, id, [face, other])
}

#[tokio::test(flavor = "multi_thread")]
async fn two_cameras_stay_in_step_across_a_gap_and_the_watermark_stays_wherever_the_picture_goes() {
    let (bureau, session, _cameras) =
        recorded_with_a_gap("face,size=640x360,fps=15", "overview,size=640x360,fps=15,pattern=smpte,audio=none").await;
    let (leader, reviewer) = (bureau.sign_in("leader_in_charge").await, bureau.sign_in("reviewer").await);
    let request = reviewer.gets_grant(&leader, &session, "copy").await;
    // What the camera sent before and after it was away is one file.
    let joined = reviewer.ask(Method::GET, &format!("/api/v1/sessions/{session}/copy/overview/joined"), None).await;
    assert_eq!(joined.status(), StatusCode::OK, "{}", bureau.log());
    bureau.plays("player.mjs", json!({ "session": session, "request": request })).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn h265_that_the_browser_cannot_show_is_said_so_and_shown_as_a_derived_copy() {
    let cameras = Cameras::start(&["face,size=640x360,codec=h265", "overview,size=640x360,pattern=smpte,audio=none"]);
    let addresses = [cameras.address("face"), cameras.address("overview")];
    let bureau = Bureau::open_at(tempfile::tempdir().unwrap(), None, "", "", &addresses).await;
    let (officer, session) = bureau.records(100_000).await;
    let sealed = officer.ends(&session).await;
    let codecs = |s: &Value| s["codecs"].as_str().unwrap().to_owned();
    let face = sealed["segments"].as_array().unwrap().iter().find(|s| s["camera"] == "face").map(codecs).unwrap();
    assert!(face.starts_with("hvc1") || face.starts_with("hev1"), "{face}");
    let (leader, reviewer) = (bureau.sign_in("leader_in_charge").await, bureau.sign_in("reviewer").await);
    reviewer.gets_grant(&leader, &session, "view").await;
    bureau.plays("h265.mjs", json!({ "session": session })).await;
}

async fn recorded(bureau: &Bureau) -> String {
    let (officer, id) = bureau.records(700_000).await;
    officer.ends(&id).await;
    id
}

async fn opens(reviewer: &Person, session: &str) -> Value {
    reviewer.does(&format!("/api/v1/sessions/{session}/viewings"), json!({})).await
}

#[tokio::test(flavor = "multi_thread")]
async fn loudness_tells_sound_from_silence_and_goes_with_the_approval() {
    let bureau = Bureau::open().await;
    let session = recorded(&bureau).await;
    let (leader, reviewer) = (bureau.sign_in("leader_in_charge").await, bureau.sign_in("reviewer").await);
    let request = reviewer.gets_grant(&leader, &session, "view").await;
    let viewing = opens(&reviewer, &session).await;
    let door = |camera: &str| format!("/api/v1/viewings/{}/{camera}/loudness", viewing["id"].as_str().unwrap());
    let deadline = Instant::now() + Duration::from_mins(1);
    let mut lines = Vec::new();
    for camera in ["face", "overview"] {
        loop {
            let (status, line) = reviewer.get(&door(camera)).await;
            assert_eq!(status, StatusCode::OK, "{line}");
            if line["state"] == "ready" {
                lines.push(line);
                break;
            }
            assert!(line["state"] == "measuring" && Instant::now() < deadline, "{line}");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
    // The camera's sound is a tick a second: loud moments with silence between; the other camera has none.
    let levels = lines[0]["levels"].as_array().unwrap();
    let count = |is: &dyn Fn(u64) -> bool| levels.iter().filter(|l| l.as_u64().is_some_and(is)).count();
    assert!(count(&|l| l > 40) >= 2 && count(&|l| l == 0) >= 2, "{levels:?}");
    assert!(lines[1]["levels"].as_array().unwrap().iter().all(Value::is_null), "{}", lines[1]);
    assert_eq!(reviewer.get(&door("else")).await.0, StatusCode::NOT_FOUND);
    assert_eq!(bureau.sign_in("legal_unit").await.get(&door("face")).await.0, StatusCode::NOT_FOUND, "another person's viewing");
    leader.does(&format!("/api/v1/access-requests/{request}/revoke"), json!({ "reason": "误批" })).await;
    let (status, told) = reviewer.get(&door("face")).await;
    assert_eq!((status, told["code"].as_str()), (StatusCode::FORBIDDEN, Some("no-grant")));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_seek_into_a_file_gets_what_it_needs_and_not_the_whole() {
    let bureau = Bureau::open().await;
    let session = recorded(&bureau).await;
    let (leader, reviewer) = (bureau.sign_in("leader_in_charge").await, bureau.sign_in("reviewer").await);
    reviewer.gets_grant(&leader, &session, "view").await;
    let viewing = opens(&reviewer, &session).await;
    let segment = &viewing["cameras"][0]["segments"][0];
    let length_ms = segment["duration_ms"].as_u64().unwrap();
    let door = format!("/api/v1/viewings/{}/face/{}", viewing["id"].as_str().unwrap(), segment["sequence"]);
    let get = async |query: &str| reviewer.ask(Method::GET, &format!("{door}{query}"), None).await.bytes().await.unwrap();
    let (whole, part) = (get("").await, get(&format!("?from_ms={}", length_ms - 1_500)).await);
    assert!(part.len() < whole.len() / 2, "{} of {}", part.len(), whole.len());
    // A file of its own: the same header, and from a key picture on the very same bytes.
    let header = whole.windows(4).position(|w| w == b"moof").unwrap() - 4;
    assert_eq!(part[4..8], whole[4..8]);
    let moof = part.windows(4).position(|w| w == b"moof").unwrap() - 4;
    assert!(moof <= header && whole.ends_with(&part[moof..]));
    let path = bureau.dir.path().join("part.mp4");
    std::fs::write(&path, &part).unwrap();
    let probe =
        ["-v", "error", "-select_streams", "v", "-show_entries", "packet=pts_time,flags", "-of", "csv=p=0", "-read_intervals", "%+#4"];
    let said = Command::new("ffprobe").args(probe).arg(&path).output().unwrap();
    let said = String::from_utf8_lossy(&said.stdout).into_owned();
    // A key picture lies somewhere in its fragment of three; what comes before it is left out by the player.
    let key = said.lines().take(3).find(|l| l.contains(",K")).unwrap_or_else(|| panic!("{said}"));
    let (at, flags) = key.split_once(',').unwrap();
    let at_ms = (at.parse::<f64>().unwrap() * 1000.0) as u64;
    assert!(flags.starts_with('K') && at_ms <= length_ms - 1_500 && at_ms + 2_600 > length_ms - 1_500, "{said} of {length_ms} ms");
    assert_eq!(get("?from_ms=0").await, whole);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_goes_on_after_a_kill_and_no_minute_is_made_twice() {
    use std::os::unix::fs::MetadataExt;
    let mut bureau = Bureau::open().await;
    let session = recorded(&bureau).await;
    bureau.grows_to(&session, 130_000);
    let (leader, reviewer) = (bureau.sign_in("leader_in_charge").await, bureau.sign_in("reviewer").await);
    reviewer.gets_grant(&leader, &session, "copy").await;
    let order = json!({ "layout": "single", "cameras": ["face"], "sound": "face" });
    let copy = reviewer.does(&format!("/api/v1/sessions/{session}/copies"), order).await["id"].as_str().unwrap().to_owned();
    let folder = bureau.data().join("copies").join(&copy);
    let deadline = Instant::now() + Duration::from_mins(3);
    let waits = async |what: &str| {
        while !folder.join(what).exists() {
            assert!(Instant::now() < deadline, "no {what}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    waits("part-00001.aside").await;
    let first = std::fs::metadata(folder.join("part-00000.mp4")).unwrap();
    bureau.kill();
    // Whoever made it has died with the recorder: two makers on the same files would spoil both.
    let open = || {
        std::fs::read_dir("/proc").unwrap().flatten().any(|process| {
            let files = std::fs::read_dir(process.path().join("fd")).into_iter().flatten().flatten();
            files.filter_map(|f| std::fs::read_link(f.path()).ok()).any(|f| f.starts_with(&folder))
        })
    };
    while open() {
        assert!(Instant::now() < deadline, "its maker lives on");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let begun = std::fs::metadata(folder.join("part-00001.aside")).unwrap().mtime_nsec();
    bureau.start().await;
    // The second minute is made anew, or made already; the first is the one that it was.
    loop {
        let again = std::fs::metadata(folder.join("part-00001.aside")).is_ok_and(|m| m.mtime_nsec() != begun);
        if again || folder.join("part-00001.mp4").exists() {
            break;
        }
        assert!(Instant::now() < deadline, "it does not go on: {}", bureau.log());
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let now = std::fs::metadata(folder.join("part-00000.mp4")).unwrap();
    assert_eq!((first.ino(), first.mtime(), first.mtime_nsec()), (now.ino(), now.mtime(), now.mtime_nsec()));
    let reviewer = bureau.sign_in("reviewer").await;
    loop {
        let (_, now) = reviewer.get(&format!("/api/v1/copies/{copy}")).await;
        if now["state"] == "ready" {
            break;
        }
        assert!(Instant::now() < deadline && now["state"] != "failed", "{now}");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    let path = bureau.dir.path().join("copy.mp4");
    std::fs::write(&path, reviewer.ask(Method::GET, &format!("/api/v1/copies/{copy}/file"), None).await.bytes().await.unwrap()).unwrap();
    let asked = ["-v", "error", "-show_entries", "format=duration", "-of", "csv=p=0"];
    let said = Command::new("ffprobe").args(asked).arg(&path).output().unwrap();
    let seconds: f64 = String::from_utf8_lossy(&said.stdout).trim().parse().unwrap();
    assert!((seconds - 130.0).abs() < 1.0, "{seconds}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_to_an_original_whose_password_is_due_leads_to_where_it_is_asked_for_and_back() {
    let bureau = Bureau::open().await;
    let session = recorded(&bureau).await;
    let (leader, reviewer) = (bureau.sign_in("leader_in_charge").await, bureau.sign_in("reviewer").await);
    reviewer.gets_grant(&leader, &session, "copy").await;
    // It was shown long ago: no test can wait for that.
    let catalog = rusqlite::Connection::open(bureau.data().join("catalog.db")).unwrap();
    catalog.busy_timeout(Duration::from_secs(10)).unwrap();
    assert!(catalog.execute("UPDATE logins SET proved_at = 0", []).unwrap() > 0);
    let (status, told) = reviewer.get(&format!("/api/v1/sessions/{session}/copy/face/1")).await;
    assert_eq!((status, told["code"].as_str()), (StatusCode::FORBIDDEN, Some("prove-again")), "a program is told in its own words");
    bureau.plays("prove.mjs", json!({ "session": session, "cookie": reviewer.cookie })).await;
}
