//! Taking in recordings of portable devices, end to end (第十四条).

use crate::support;

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use std::path::Path;
use std::process::Command;
use support::bureau::{Bureau, nowhere, verify};
use support::portable::{H264, begins, recording, sends, takes_in, uploads, whole_form};

/// Nobody's cameras: what comes here comes by other ways.
async fn without_cameras(lines: &str) -> Bureau {
    let mut bureau = Bureau::open_at(tempfile::tempdir().unwrap(), None, "", "", &nowhere()).await;
    if !lines.is_empty() {
        bureau.terminate();
        bureau.configure(lines);
        bureau.start().await;
    }
    bureau
}

fn sum(path: &Path) -> String {
    let out = Command::new("sha256sum").arg(path).output().unwrap();
    String::from_utf8(out.stdout).unwrap()[..64].to_owned()
}

/// Whether a sealed folder's manifest is of the form that is published.
fn conforms(folder: &Path) -> bool {
    let schema = Command::new("python3")
        .args(["-c", "import json, sys, jsonschema; jsonschema.validate(json.load(open(sys.argv[2])), json.load(open(sys.argv[1])))"])
        .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/src/custody/manifest.schema.json"))
        .arg(folder.join("session.json"))
        .output()
        .unwrap();
    eprint!("{}", String::from_utf8_lossy(&schema.stderr));
    schema.status.success()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_format_is_kept_bit_for_bit_sealed_proved_and_found_again_without_the_database() {
    let mut bureau = without_cameras("").await;
    let officer = bureau.sign_in("officer").await;
    let dir = tempfile::tempdir().unwrap();
    let used = chrono::Utc::now() - chrono::TimeDelta::hours(3);
    let stamped = format!("{H264} -metadata creation_time={}", used.format("%Y-%m-%dT%H:%M:%SZ"));
    let mut sessions = Vec::new();
    for (name, arguments, media_type, ending) in [
        ("BWC_0001.MP4.mp4", stamped.as_str(), "video/mp4", "mp4"),
        ("camcorder.mov", H264, "video/quicktime", "mov"),
        ("old.avi", "-c:v mpeg4 -c:a libmp3lame", "video/x-msvideo", "avi"),
        ("stream.ts", H264, "video/mpegts", "ts"),
        ("drone.mkv", H264, "video/x-matroska", "mkv"),
        ("photo.jpg", "-frames:v 1 -update 1", "image/jpeg", "jpg"),
        ("pen.wav", "-c:a pcm_s16le", "audio/x-wav", "wav"),
    ] {
        let file = recording(dir.path(), name, arguments);
        let told = uploads(&officer, &file, json!({ "device_no": "BWC-017" })).await;
        assert_eq!(
            (told["state"].as_str(), told["sha256"].as_str()),
            (Some("taken_in"), Some(&*sum(&file))),
            "{name}: {told}\n{}",
            bureau.log()
        );
        let session = told["session"].as_str().unwrap().to_owned();
        let folder = bureau.folder(&session);
        assert!(folder.to_str().unwrap().contains("/land-use/device-bwc-017/"), "{}", folder.display());
        let (_, seen) = officer.get(&format!("/api/v1/sessions/{session}")).await;
        let segment = &seen["session"]["segments"][0];
        assert!(segment["file"].as_str().unwrap().ends_with(ending), "{segment}");
        assert_eq!(seen["session"]["imported"]["media_type"], media_type, "{name}");
        assert_eq!(seen["session"]["state"], "sealed");
        assert_eq!(std::fs::read(folder.join(segment["file"].as_str().unwrap())).unwrap(), std::fs::read(&file).unwrap(), "{name}");
        let (code, words) = verify(&folder);
        assert_eq!(code, 0, "{name}: {words}");
        assert!(conforms(&folder), "{name}");
        sessions.push((session, folder, file));
    }
    // The device's clock is taken at its word, and both times stay when somebody knows better.
    let (first, folder, file) = &sessions[0];
    let at = format!("/api/v1/sessions/{first}");
    let seen = officer.get(&at).await.1["session"].clone();
    assert_eq!(seen["imported"]["used_from"], "device");
    let device_time: chrono::DateTime<chrono::Utc> = seen["imported"]["device_time"].as_str().unwrap().parse().unwrap();
    assert_eq!(device_time.timestamp(), used.timestamp());
    assert_eq!(
        officer.post(&format!("{at}/correction"), json!({ "used_at": "2099-01-01T00:00:00Z", "reason": "x" })).await.0,
        StatusCode::UNPROCESSABLE_ENTITY
    );
    assert_eq!(
        officer.post(&format!("{at}/correction"), json!({ "device_no": "BWC-018" })).await.0,
        StatusCode::UNPROCESSABLE_ENTITY,
        "no reason"
    );
    let right = used - chrono::TimeDelta::minutes(20);
    let corrected =
        officer.does(&format!("{at}/correction"), json!({ "device_no": "BWC-018", "used_at": right, "reason": "设备时钟快20分钟" })).await;
    assert_eq!(
        (corrected["started_at"].clone(), corrected["corrections"][0]["device_no"].as_str()),
        (seen["started_at"].clone(), Some("BWC-018"))
    );
    assert_eq!(verify(folder).0, 0, "what was sealed stays");
    assert_eq!(officer.get("/api/v1/sessions?device_no=BWC-018").await.1["total"], 1);
    // The database is an index: it is made anew from the tree, and the file is known again.
    bureau.terminate();
    let data = bureau.data();
    for name in ["catalog.db", "catalog.db-wal", "catalog.db-shm"] {
        let _ = std::fs::rename(data.join(name), bureau.dir.path().join(name));
    }
    let rebuilt = Command::new(env!("CARGO_BIN_EXE_shilu")).args(["rebuild", "--config"]).arg(bureau.config()).output().unwrap();
    assert!(rebuilt.status.success() && String::from_utf8_lossy(&rebuilt.stdout).starts_with("7 sessions"), "{rebuilt:?}");
    bureau.add_account("officer-2", "officer", "land-use");
    bureau.start().await;
    let officer = bureau.sign_in("officer-2").await;
    assert_eq!(officer.get(&at).await.1["session"]["corrections"][0]["reason"], "设备时钟快20分钟");
    let again = uploads(&officer, file, json!({})).await;
    assert_eq!((again["state"].as_str(), again["session"].as_str()), (Some("known"), Some(first.as_str())));
    // One bit, and what was added beside it.
    let (_, folder, _) = &sessions[2];
    std::fs::write(folder.join("added.mov"), b"x").unwrap();
    assert!(verify(folder).1.contains("added.mov: is not in the manifest"));
    std::fs::remove_file(folder.join("added.mov")).unwrap();
    let avi = std::fs::read_dir(folder).unwrap().flatten().map(|e| e.path()).find(|p| p.extension().is_some_and(|e| e == "avi")).unwrap();
    let mut bytes = std::fs::read(&avi).unwrap();
    bytes[5000] ^= 1;
    std::fs::write(&avi, bytes).unwrap();
    let (code, words) = verify(folder);
    assert!(code == 1 && words.contains("altered"), "{words}");
}

/// A photograph with what a camera writes into it (EXIF, DateTimeOriginal).
fn dated(photo: &Path, at: &str) {
    let entry = |tag: u16, kind: u16, count: u32, value: u32| {
        [&1_u16.to_le_bytes()[..], &tag.to_le_bytes(), &kind.to_le_bytes(), &count.to_le_bytes(), &value.to_le_bytes(), &[0; 4]].concat()
    };
    let tiff = [b"II*\0\x08\0\0\0", &entry(0x8769, 4, 1, 26)[..], &entry(0x9003, 2, 20, 44), at.as_bytes(), b"\0"].concat();
    let length = (tiff.len() as u16 + 8).to_be_bytes();
    let data = std::fs::read(photo).unwrap();
    std::fs::write(photo, [&data[..2], &[0xFF, 0xE1], &length, b"Exif\0\0", &tiff, &data[2..]].concat()).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_photographs_clock_is_read_as_shanghais() {
    let bureau = without_cameras("").await;
    let officer = bureau.sign_in("officer").await;
    let dir = tempfile::tempdir().unwrap();
    let photo = recording(dir.path(), "IMG_0001.jpg", "-frames:v 1 -update 1");
    dated(&photo, "2026:11:20 09:08:07");
    let session = takes_in(&officer, &photo, json!({})).await;
    let seen = officer.get(&format!("/api/v1/sessions/{session}")).await.1["session"].clone();
    assert_eq!((seen["imported"]["used_from"].as_str(), seen["started_at"].as_str()), (Some("device"), Some("2026-11-20T01:08:07Z")));
    assert!(session.ends_with("-20261120-090807"), "{session}");
    assert!(bureau.folder(&session).to_str().unwrap().contains("/device-unknown/2026-11-20/unlinked/"));
    // What nobody said is asked for: the device above all.
    let asked = officer.get(&format!("/api/v1/sessions/{session}")).await.1["missing"].to_string();
    assert!(asked.contains("device-number") && asked.contains("cause") && !asked.contains("use-time"), "{asked}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_goes_on_where_it_was_after_kill_minus_nine() {
    let mut bureau = without_cameras("").await;
    let dir = tempfile::tempdir().unwrap();
    let file = recording(dir.path(), "long.mp4", H264);
    let data = std::fs::read(&file).unwrap();
    let half = data.len() / 2;
    let officer = bureau.sign_in("officer").await;
    let begun = begins(&officer, &file, json!({})).await;
    let id = begun["id"].as_str().unwrap().to_owned();
    assert_eq!(sends(&officer, &id, 0, data[..half].to_vec()).await.1["received"], half);
    bureau.kill();
    // A power cut may leave more than was answered; it does not count.
    let part = bureau.data().join(format!("imports/{id}/data"));
    std::fs::write(&part, [&data[..half], b"torn"].concat()).unwrap();
    bureau.start().await;
    let officer = bureau.sign_in("officer").await;
    // The same file once more is the same upload.
    let again = officer.waits_at(&format!("/api/v1/imports/{id}"), |a| a["received"] == half).await;
    assert_eq!(again["state"], "receiving");
    assert_eq!(begins(&officer, &file, json!({})).await["id"], id.as_str());
    for wrong in [0, half - 1, half + 1] {
        let (status, told) = sends(&officer, &id, wrong, data[half..].to_vec()).await;
        assert_eq!((status, told["code"].as_str()), (StatusCode::CONFLICT, Some("wrong-offset")));
    }
    assert_eq!(sends(&officer, &id, half, [&data[half..], b"more"].concat()).await.0, StatusCode::UNPROCESSABLE_ENTITY);
    // Nobody else's.
    let custodian = bureau.sign_in("custodian").await;
    assert_eq!(sends(&custodian, &id, half, vec![1]).await.0, StatusCode::NOT_FOUND);
    sends(&officer, &id, half, data[half..].to_vec()).await;
    // Killed in the middle of examining or sealing, whichever it is by now: it is done once.
    bureau.kill();
    bureau.start().await;
    let officer = bureau.sign_in("officer").await;
    let told = officer.waits_at(&format!("/api/v1/imports/{id}"), |a| a["state"] == "taken_in").await;
    assert_eq!(told["sha256"].as_str().unwrap(), sum(&file));
    assert_eq!(officer.get("/api/v1/sessions").await.1["total"], 1);
    assert_eq!(verify(&bureau.folder(told["session"].as_str().unwrap())).0, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_no_player_knows_is_kept_what_is_empty_or_came_before_is_told() {
    let bureau = without_cameras("").await;
    let officer = bureau.sign_in("officer").await;
    let dir = tempfile::tempdir().unwrap();
    let good = recording(dir.path(), "good.mp4", H264);
    let session = takes_in(&officer, &good, json!({ "device_no": "BWC-017" })).await;
    // Words in an MP4's clothes, a recording that was cut off before its index, a picture of nothing: no player knows them, and each may be
    // known by another one. Kept bit for bit, sealed, and said to be so.
    let lies = [
        ("lie.mp4", b"I am a recording, honestly. ".repeat(2000)),
        ("cut.mp4", std::fs::read(&good).unwrap()[..20_000].to_vec()),
        ("empty.jpg", [&[0xFF, 0xD8, 0xFF, 0xE0][..], &[0; 3000]].concat()),
    ];
    for (name, bytes) in lies {
        let path = dir.path().join(name);
        std::fs::write(&path, &bytes).unwrap();
        let told = uploads(&officer, &path, json!({})).await;
        assert_eq!((told["state"].as_str(), told["problem"].as_str()), (Some("taken_in"), Some("unreadable")), "{name}: {told}");
        assert_eq!(told["sha256"].as_str().unwrap(), sum(&path));
        let kept = told["session"].as_str().unwrap();
        let seen = officer.get(&format!("/api/v1/sessions/{kept}")).await.1["session"].clone();
        assert_eq!((seen["state"].as_str(), seen["imported"]["footage"].as_str()), (Some("sealed"), Some("unknown")), "{name}");
        let file = seen["segments"][0]["file"].as_str().unwrap();
        assert!(file.ends_with(".media") && std::fs::read(bureau.folder(kept).join(file)).unwrap() == bytes, "{name}: {file}");
        let (code, words) = verify(&bureau.folder(kept));
        assert_eq!(code, 0, "{name}: {words}");
        assert!(conforms(&bureau.folder(kept)), "{name}");
        let page = officer.ask(Method::GET, &format!("/sessions/{kept}"), None).await.text().await.unwrap();
        assert!(page.contains("没有播放器能识别"), "{name}");
    }
    // The same file under another name.
    let twin = dir.path().join("copy of good.mp4");
    std::fs::copy(&good, &twin).unwrap();
    let told = uploads(&officer, &twin, json!({})).await;
    assert_eq!((told["state"].as_str(), told["session"].as_str()), (Some("known"), Some(&*session)));
    assert_eq!(officer.get("/api/v1/imports").await.1["today"].as_array().unwrap().len(), 4);
    assert_eq!(verify(&bureau.folder(&session)).0, 0);
    // Fields that are not right are told at once; missing ones stop nothing.
    let ask = |body: Value| {
        let officer = &officer;
        async move { officer.post("/api/v1/imports", body).await.0 }
    };
    let bad = StatusCode::UNPROCESSABLE_ENTITY;
    assert_eq!(ask(json!({ "name": "a.mp4", "bytes": 0 })).await, bad);
    assert_eq!(ask(json!({ "name": "a\u{202e}.mp4", "bytes": 9 })).await, bad);
    for zone in ["Asia/Shanghai", "+8", "+15:00"] {
        assert_eq!(ask(json!({ "name": "a.mp4", "bytes": 9, "form": { "device_clock": zone } })).await, bad, "{zone}");
    }
    assert_eq!(ask(json!({ "name": "a.mp4", "bytes": u64::MAX / 2 })).await, bad, "no room for it");
    assert_eq!(ask(json!({ "name": "a.mp4", "bytes": 9, "form": { "used_at": "2026-01-01T00:00:00Z" } })).await, bad, "no reason");
    assert_eq!(ask(json!({ "name": "a.mp4", "bytes": 9, "form": { "facts": { "case_no": "../../etc" } } })).await, bad);
    // Who may not, may not.
    for role in ["office", "leader_in_charge", "bureau_head", "legal_unit", "reviewer", "inspector", "administrator", "live_viewer"] {
        let who = bureau.sign_in(role).await;
        assert_eq!(who.post("/api/v1/imports", json!({ "name": "a.mp4", "bytes": 9 })).await.0, StatusCode::FORBIDDEN, "{role}");
        assert_eq!(who.get("/api/v1/imports").await.0, StatusCode::FORBIDDEN, "{role}");
    }
    let kinds: Vec<Value> = bureau.entries().await.iter().map(|r| r["entry"]["kind"].clone()).collect();
    for kind in ["recording_taken_in", "session_sealed", "import_known"] {
        assert!(kinds.contains(&json!(kind)), "{kind}");
    }
    // Names of files are people's words: they stand in the catalog, not in the log.
    let log_text: String = bureau.entries().await.iter().map(|r| r["entry"].to_string()).collect();
    assert!(!log_text.contains("copy of good"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_watched_folder_and_the_command_line_hand_in_too_and_nothing_twice() {
    let dir = tempfile::tempdir().unwrap();
    let card = dir.path().join("card");
    std::fs::create_dir_all(card.join("DCIM")).unwrap();
    let watch =
        format!("[imports]\nlook_s = 1\n[[imports.folders]]\npath = \"{}\"\nunit = \"land-use\"\ndevice_no = \"BWC-031\"", card.display());
    let mut bureau = without_cameras(&watch).await;
    let officer = bureau.sign_in("officer").await;
    let file = recording(dir.path(), "a.mp4", H264);
    std::fs::write(card.join("DCIM/INDEX.LOG"), b"not for us").unwrap();
    std::fs::copy(&file, card.join("DCIM/MOV_0001.mp4")).unwrap();
    let today = officer.waits_at("/api/v1/imports", |v| v["today"].as_array().is_some_and(|t| !t.is_empty())).await;
    let row = &today["today"][0];
    assert_eq!(
        (row["way"].as_str(), row["device"].as_str(), row["sha256"].as_str()),
        (Some("folder"), Some("BWC-031"), Some(&*sum(&file)))
    );
    assert_eq!(sum(&card.join("DCIM/MOV_0001.mp4")), sum(&file), "it stays where it is");
    assert_eq!(verify(&bureau.folder(row["session"].as_str().unwrap())).0, 0);
    // By command, while the recorder runs.
    let second = recording(dir.path(), "b.wav", "-c:a pcm_s16le");
    let hand_in = |by: &str, path: &Path| {
        let out = Command::new(env!("CARGO_BIN_EXE_shilu"))
            .args(["import", "--by", by, "--device", "PEN-1", "--party", "张三", "--config"])
            .arg(bureau.config())
            .arg(path)
            .output()
            .unwrap();
        (out.status.code(), format!("{}{}", String::from_utf8_lossy(&out.stdout), String::from_utf8_lossy(&out.stderr)))
    };
    let (code, words) = hand_in("officer", &second);
    assert!(code == Some(0) && words.contains("taken in as device-pen-1-") && words.contains(&sum(&second)), "{words}");
    let (code, words) = hand_in("officer", &file);
    assert!(code == Some(0) && words.contains("was taken in before"), "{words}");
    let (code, words) = hand_in("reviewer", &second);
    assert!(code == Some(1) && words.contains("nobody of that name"), "{words}");
    // What is handed in by name is taken for what it is said to be; a watched folder passes over what cameras write for themselves.
    let (code, words) = hand_in("officer", &card.join("DCIM/INDEX.LOG"));
    assert!(code == Some(0) && words.contains("no player knows what it is"), "{words}");
    let nothing = dir.path().join("nothing.mp4");
    std::fs::write(&nothing, b"").unwrap();
    let (code, words) = hand_in("officer", &nothing);
    assert!(code == Some(1) && words.contains("there is nothing in it"), "{words}");
    let (code, words) = hand_in("officer", &card);
    assert!(code == Some(1) && words.contains("is a folder"), "{words}");
    // A restart takes nothing twice, and what is left for one that does not run waits for it.
    bureau.terminate();
    let third = recording(dir.path(), "c.mkv", H264);
    let (code, words) = {
        let out = Command::new(env!("CARGO_BIN_EXE_shilu"))
            .args(["import", "--by", "officer", "--config"])
            .arg(bureau.config())
            .arg(&third)
            .output()
            .unwrap();
        (out.status.code(), String::from_utf8_lossy(&out.stdout).into_owned())
    };
    assert!(code == Some(0) && words.contains("when the recorder runs"), "{words}");
    bureau.start().await;
    let officer = bureau.sign_in("officer").await;
    let today = officer.waits_at("/api/v1/imports", |v| v["today"].as_array().is_some_and(|t| t.len() == 4)).await;
    let ways: Vec<&str> = today["today"].as_array().unwrap().iter().map(|r| r["way"].as_str().unwrap()).collect();
    assert_eq!(ways, ["command", "command", "command", "folder"]);
    assert!(today["arrivals"].as_array().unwrap().iter().all(|a| a["way"] != "folder"), "{today}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_taken_in_is_seen_under_a_live_approval_alone() {
    let bureau = without_cameras("").await;
    let officer = bureau.sign_in("officer").await;
    let dir = tempfile::tempdir().unwrap();
    let photo = recording(dir.path(), "photo.jpg", "-frames:v 1 -update 1");
    let avi = recording(dir.path(), "old.avi", "-c:v mpeg4 -c:a libmp3lame");
    let (picture, film) = (takes_in(&officer, &photo, whole_form("CAM-1")).await, takes_in(&officer, &avi, whole_form("CAM-2")).await);
    let (leader, reviewer) = (bureau.sign_in("leader_in_charge").await, bureau.sign_in("reviewer").await);
    // Not even for who handed it in.
    for who in [&officer, &reviewer, &leader] {
        for session in [&picture, &film] {
            let camera = session.split("-20").next().unwrap();
            assert_eq!(who.post(&format!("/api/v1/sessions/{session}/viewings"), json!({})).await.0, StatusCode::FORBIDDEN);
            assert_eq!(who.get(&format!("/api/v1/sessions/{session}/copy/{camera}/1")).await.0, StatusCode::FORBIDDEN);
        }
    }
    let request = reviewer.gets_grant(&leader, &picture, "view").await;
    let viewing = reviewer.does(&format!("/api/v1/sessions/{picture}/viewings"), json!({})).await;
    let (id, camera) = (viewing["id"].as_str().unwrap(), viewing["cameras"][0]["camera"].as_str().unwrap());
    assert!(viewing["watermark"].as_str().unwrap().contains(&request));
    let at = format!("/api/v1/viewings/{id}/{camera}/1");
    let seen = reviewer.ask(Method::GET, &at, None).await;
    assert_eq!(seen.headers()["content-type"], "image/jpeg");
    assert_eq!(seen.bytes().await.unwrap(), std::fs::read(&photo).unwrap());
    let part = reviewer.client.get(format!("{}{at}", bureau.url)).header("Range", "bytes=10-19").send().await.unwrap();
    assert_eq!(part.status(), StatusCode::PARTIAL_CONTENT);
    assert_eq!(part.bytes().await.unwrap(), std::fs::read(&photo).unwrap()[10..20]);
    assert_eq!(leader.get(&at).await.0, StatusCode::NOT_FOUND, "a viewing is one person's");
    assert_eq!(reviewer.get(&format!("/api/v1/sessions/{picture}/copy/{camera}/1")).await.0, StatusCode::FORBIDDEN, "for looking only");
    leader.does(&format!("/api/v1/access-requests/{request}/revoke"), json!({ "reason": "误批" })).await;
    assert_eq!(reviewer.get(&at).await.0, StatusCode::FORBIDDEN);
    // What no browser plays is shown as a derived copy, and a still can be taken of it.
    reviewer.gets_grant(&leader, &film, "copy").await;
    let viewing = reviewer.does(&format!("/api/v1/sessions/{film}/viewings"), json!({})).await;
    let (id, camera) = (viewing["id"].as_str().unwrap(), viewing["cameras"][0]["camera"].as_str().unwrap());
    let copy = reviewer.does(&format!("/api/v1/viewings/{id}/{camera}/derive"), json!({})).await["id"].as_str().unwrap().to_owned();
    let ready = reviewer.waits_at(&format!("/api/v1/copies/{copy}"), |c| c["state"] == "ready" || c["state"] == "failed").await;
    assert_eq!(ready["state"], "ready", "{ready}\n{}", bureau.log());
    let file = reviewer.ask(Method::GET, &format!("/api/v1/copies/{copy}/file"), None).await.bytes().await.unwrap();
    std::fs::write(dir.path().join("copy.mp4"), &file).unwrap();
    let probe = Command::new("ffprobe")
        .args(["-v", "error", "-show_entries", "stream=codec_name:format=duration", "-of", "default=nk=1:nw=1"])
        .arg(dir.path().join("copy.mp4"))
        .output()
        .unwrap();
    let said = String::from_utf8(probe.stdout).unwrap();
    assert!(said.contains("h264") && said.contains("aac"), "{said}");
    assert!(said.lines().last().unwrap().parse::<f64>().unwrap() > 3.5, "{said}");
    let heard = Command::new("ffmpeg")
        .arg("-i")
        .arg(dir.path().join("copy.mp4"))
        .args(["-af", "volumedetect", "-f", "null", "-"])
        .output()
        .unwrap();
    let heard = String::from_utf8_lossy(&heard.stderr).into_owned();
    let loudest = heard.split("max_volume: ").nth(1).and_then(|t| t.split(' ').next()?.parse::<f64>().ok());
    assert!(loudest.is_some_and(|db| db > -40.0), "its sound is there: {heard}");
    // Its pictures are there: a slate is one grey.
    let light = Command::new("ffmpeg")
        .args(["-v", "error", "-ss", "2", "-i"])
        .arg(dir.path().join("copy.mp4"))
        .args(["-vf", "crop=500:300:390:200,scale=16:16,format=gray", "-frames:v", "1", "-f", "rawvideo", "-"])
        .output()
        .unwrap();
    let (darkest, lightest) = (light.stdout.iter().min().unwrap(), light.stdout.iter().max().unwrap());
    assert!(lightest - darkest > 40, "{:?}", light.stdout);
    let still = reviewer.ask(Method::GET, &format!("/api/v1/viewings/{id}/{camera}/still?at_ms=2000"), None).await;
    assert!(still.bytes().await.unwrap().starts_with(&[0xFF, 0xD8, 0xFF]));
    // A package is made of it like of any session, and checked by the expert's tool.
    let made = reviewer.does(&format!("/api/v1/sessions/{film}/package"), json!({})).await;
    let tar = reviewer.ask(Method::GET, &format!("/api/v1/packages/{}", made["id"].as_str().unwrap()), None).await.bytes().await.unwrap();
    std::fs::write(dir.path().join("film.tar"), &tar).unwrap();
    let (code, words) = verify(&dir.path().join("film.tar"));
    assert_eq!(code, 0, "{words}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_devices_clock_is_read_in_its_own_zone_both_times_stay_and_the_mirror_has_what_was_taken_in() {
    let dir = tempfile::tempdir().unwrap();
    let mirror = dir.path().join("mirror");
    let mut bureau =
        Bureau::open_at(tempfile::tempdir().unwrap(), None, &format!("mirror = \"{}\"", mirror.display()), "", &nowhere()).await;
    bureau.terminate();
    let device = |number: &str, more: &str| format!("[[devices]]\nnumber = \"{number}\"\nunit = \"land-use\"\nname = \"{number}\"\n{more}");
    bureau.configure(&(device("BWC-017", "clock = \"+08:00\"\n") + &device("CAM-1", "clock = \"UTC\"\n") + &device("BWC-018", "")));
    bureau.start().await;
    let officer = bureau.sign_in("officer").await;
    // One writes Shanghai's time as if it were UTC, as many do; one photographs by UTC.
    let stamped = format!("{H264} -metadata creation_time=2026-11-20T16:08:07Z");
    let film = recording(dir.path(), "a.mp4", &stamped);
    let photo = recording(dir.path(), "b.jpg", "-frames:v 1 -update 1");
    dated(&photo, "2026:11:20 09:08:07");
    let plain = recording(dir.path(), "c.mov", &stamped);
    for (file, form, used, shown, zone) in [
        (&film, json!({ "device_no": "BWC-017" }), "2026-11-20T08:08:07Z", Some("2026-11-20T16:08:07"), Some("+08:00")),
        (&photo, json!({ "device_no": "CAM-1" }), "2026-11-20T09:08:07Z", Some("2026-11-20T09:08:07"), Some("+00:00")),
        (&plain, json!({ "device_no": "BWC-018" }), "2026-11-20T16:08:07Z", None, None),
    ] {
        let session = takes_in(&officer, file, form).await;
        let seen = officer.get(&format!("/api/v1/sessions/{session}")).await.1["session"].clone();
        let imported = &seen["imported"];
        assert_eq!((seen["started_at"].as_str(), imported["used_from"].as_str()), (Some(used), Some("device")), "{imported}");
        assert_eq!((imported["device_shown"].as_str(), imported["device_clock"].as_str()), (shown, zone), "{imported}");
        assert!(conforms(&bureau.folder(&session)));
        // On the mirror by the time that it is said to be taken in, bit for bit, with every paper.
        let folder = bureau.folder(&session);
        let there = mirror.join(folder.strip_prefix(bureau.data()).unwrap());
        let (code, words) = verify(&there);
        assert_eq!(code, 0, "{words}");
        assert_eq!(std::fs::read(there.join(seen["segments"][0]["file"].as_str().unwrap())).unwrap(), std::fs::read(file).unwrap());
    }
    // Who hands it in knows it better than the register.
    let other = recording(dir.path(), "d.mp4", &format!("{stamped} -t 2"));
    let session = takes_in(&officer, &other, json!({ "device_no": "BWC-017", "device_clock": "utc" })).await;
    let seen = officer.get(&format!("/api/v1/sessions/{session}")).await.1["session"].clone();
    assert_eq!((seen["started_at"].as_str(), seen["imported"]["device_clock"].as_str()), (Some("2026-11-20T16:08:07Z"), Some("+00:00")));
    // A zone that is none is told before the recorder starts.
    let wrong = std::fs::read_to_string(bureau.config()).unwrap().replace("clock = \"UTC\"", "clock = \"Beijing\"");
    let config = dir.path().join("wrong.toml");
    std::fs::write(&config, wrong).unwrap();
    let out = Command::new(env!("CARGO_BIN_EXE_shilu")).args(["check", "--config"]).arg(&config).output().unwrap();
    let said = format!("{}{}", String::from_utf8_lossy(&out.stdout), String::from_utf8_lossy(&out.stderr));
    assert!(!out.status.success() && said.contains("devices[1].clock") && said.contains("+08:00"), "{said}");
}
