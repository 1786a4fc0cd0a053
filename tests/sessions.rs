//! Sessions from button to seal on real RTSP, with the faults that really happen.

use crate::support;

use reqwest::StatusCode;
use serde_json::{Value, json};
use support::bureau::{Bureau, verify};

fn gaps_of<'a>(session: &'a Value, camera: &str) -> Vec<&'a Value> {
    session["gaps"].as_array().unwrap().iter().filter(|g| g["camera"] == camera).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_is_recorded_marked_sealed_and_found_by_the_party_of_two_characters() {
    let bureau = Bureau::open().await;
    let officer = bureau.sign_in("officer").await;
    officer.waits_for_pictures().await;
    let id = officer.starts().await;
    officer.does(&format!("/api/v1/sessions/{id}/marks"), json!({ "kind": "notice_given", "text": "口头告知" })).await;
    officer.records(400_000).await;
    let sealed = officer.ends(&id).await;
    assert_eq!((sealed["state"].as_str(), sealed["gaps"].as_array().unwrap().len()), (Some("sealed"), 0), "{sealed:#}");
    assert_eq!(sealed["marks"][0]["kind"], "notice_given");
    let (code, words) = verify(&bureau.folder(&id));
    assert_eq!(code, 0, "{words}");
    assert!(words.contains(sealed["seal"]["code"].as_str().unwrap()));
    for query in ["party=张三", "officer=李红", "cause=占用", "device_no=XW-101", "text=12号", "unit=land-use"] {
        let (_, page) = officer.get(&format!("/api/v1/sessions?{query}")).await;
        assert_eq!(page["total"], 1, "{query}: {page}");
    }
    let (_, none) = officer.get("/api/v1/sessions?party=李四").await;
    assert_eq!(none["total"], 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_in_mid_session_it_goes_on_by_itself_and_the_gap_has_its_cause() {
    let mut bureau = Bureau::open().await;
    let (officer, id) = bureau.records(150_000).await;
    bureau.kill();
    // A restart within half a second is no gap but in name: see `model::gap::TOLERANCE_MS`.
    tokio::time::sleep(std::time::Duration::from_secs(1)).await;
    bureau.start().await;
    officer.waits_for_pictures().await;
    let sealed = officer.ends(&id).await;
    for camera in ["face", "overview"] {
        let gaps = gaps_of(&sealed, camera);
        assert_eq!(gaps.len(), 1, "{sealed:#}");
        assert_eq!(gaps[0]["cause"], "restart");
        let recovered: Vec<_> =
            sealed["segments"].as_array().unwrap().iter().filter(|s| s["camera"] == camera && s["recovered"] == true).collect();
        assert_eq!(recovered.len(), 1);
        assert!(recovered[0]["duration_ms"].as_u64().unwrap() >= 1_000, "{:#}", recovered[0]);
    }
    assert_eq!(verify(&bureau.folder(&id)).0, 0);
    let (code, words) = (sealed["restarts"].as_u64(), bureau.log());
    assert_eq!(code, Some(1), "{words}");
}

#[tokio::test(flavor = "multi_thread")]
async fn ended_in_good_order_and_started_again_it_goes_on_and_nothing_is_torn() {
    let mut bureau = Bureau::open().await;
    let (officer, id) = bureau.records(200_000).await;
    assert!(bureau.terminate(), "{}", bureau.log());
    bureau.start().await;
    officer.waits_for_pictures().await;
    let sealed = officer.ends(&id).await;
    assert!(sealed["segments"].as_array().unwrap().iter().all(|s| s["recovered"] != true), "{sealed:#}");
    assert_eq!(verify(&bureau.folder(&id)).0, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unplugged_camera_leaves_a_gap_and_comes_back_into_the_session() {
    let mut bureau = Bureau::open().await;
    let (officer, id) = bureau.records(200_000).await;
    bureau.cameras().kill();
    officer.waits("a lamp that says so", |room| room["lamp"] == "not_recording").await;
    bureau.cameras().restart();
    officer.waits("a lamp that says so", |room| room["lamp"] == "recording").await;
    let sealed = officer.ends(&id).await;
    let gaps = gaps_of(&sealed, "face");
    assert_eq!((gaps.len(), gaps[0]["cause"].as_str()), (1, Some("camera")), "{sealed:#}");
    assert_eq!(verify(&bureau.folder(&id)).0, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_camera_that_comes_back_with_another_resolution_begins_a_new_file_and_never_touches_its_neighbour() {
    let mut bureau = Bureau::open().await;
    let (officer, id) = bureau.records(100_000).await;
    bureau.cameras().kill();
    bureau.cameras().restart_as(&["face,size=480x270", "overview,size=320x180,pattern=smpte,audio=none"]);
    officer.waits("the lamp", |room| room["lamp"] == "recording" && room["cameras"][0]["resolution"] == "480x270").await;
    let sealed = officer.ends(&id).await;
    let sizes = |camera: &str| -> Vec<String> {
        let of = |s: &&Value| s["camera"] == camera;
        sealed["segments"].as_array().unwrap().iter().filter(of).map(|s| s["resolution"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!((sizes("face"), sizes("overview")), (vec!["320x180".into(), "480x270".into()], vec!["320x180".to_owned(); 2]), "{sealed:#}");
    assert_eq!(verify(&bureau.folder(&id)).0, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_interruption_pauses_and_a_resumption_goes_on() {
    let bureau = Bureau::open().await;
    let (officer, id) = bureau.records(100_000).await;
    let paused = officer.does(&format!("/api/v1/sessions/{id}/interrupt"), json!({ "cause": "vacated", "reason": "午饭" })).await;
    let since = paused["interruptions"][0]["from_ms"].as_u64().unwrap_or_else(|| panic!("{paused:#}"));
    officer
        .waits("the pause", |room| room["lamp"] == "interrupted" && room["session"]["elapsed_ms"].as_u64().unwrap() > since + 3_000)
        .await;
    officer.does(&format!("/api/v1/sessions/{id}/resume"), json!({})).await;
    officer.waits("pictures", |room| room["lamp"] == "recording").await;
    let sealed = officer.ends(&id).await;
    assert_eq!(gaps_of(&sealed, "face")[0]["cause"], "interruption", "{sealed:#}");
    assert_eq!(sealed["interruptions"][0]["reason"], "午饭");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_starts_on_nothing_but_a_room_and_is_linked_later_with_its_earlier_link_kept() {
    let bureau = Bureau::open().await;
    let officer = bureau.sign_in("officer").await;
    officer.waits_for_pictures().await;
    let started = officer.does("/api/v1/sessions", json!({ "room": "room-1" })).await;
    assert!(started["missing"].as_array().unwrap().len() > 5);
    let id = started["session"]["id"].as_str().unwrap();
    officer.ends(id).await;
    let linked =
        officer.does(&format!("/api/v1/sessions/{id}/link"), json!({ "reason": "立案", "case_no": "2026-33", "party": "李四" })).await;
    assert_eq!(linked["links"].as_array().unwrap().len(), 2);
    assert_eq!(linked["links"][0]["facts"]["case_no"], Value::Null);
    assert_eq!(officer.get("/api/v1/sessions?party=李四").await.1["total"], 1);
    assert_eq!(verify(&bureau.folder(id)).0, 0, "the seal stays what it was");
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_input_gets_a_clear_answer_and_loses_nothing() {
    let bureau = Bureau::open().await;
    let officer = bureau.sign_in("officer").await;
    officer.waits_for_pictures().await;
    let start = |body: Value| officer.post("/api/v1/sessions", body);
    let (status, answer) = start(json!({ "room": "room-9" })).await;
    assert_eq!((status, answer["code"].as_str()), (StatusCode::NOT_FOUND, Some("no-such")));
    let (status, answer) = start(json!({ "room": "../etc" })).await;
    assert_eq!((status, answer["code"].as_str()), (StatusCode::NOT_FOUND, Some("no-such")));
    let (status, answer) = start(json!({ "room": "room-1", "case_no": "../../x", "party": "张".repeat(10_000) })).await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(answer["fields"].as_array().unwrap().len(), 2, "{answer}");
    let (status, answer) = start(json!({ "room": "room-1", "kind": "interrogation" })).await;
    assert_eq!((status, answer["code"].as_str()), (StatusCode::UNPROCESSABLE_ENTITY, Some("bad-fields")));
    let id = officer.starts().await;
    let (status, answer) = start(json!({ "room": "room-1" })).await;
    assert_eq!((status, answer["code"].as_str()), (StatusCode::CONFLICT, Some("room-busy")));
    assert!(answer["message"].as_str().unwrap().contains(&id));
    officer.ends(&id).await;
    let (status, answer) = officer.post(&format!("/api/v1/sessions/{id}/marks"), json!({ "kind": "note" })).await;
    assert_eq!((status, answer["code"].as_str()), (StatusCode::CONFLICT, Some("session-state")));
    let form = reqwest::multipart::Form::new().part("file", reqwest::multipart::Part::text("<script>alert(1)</script>").file_name("x.png"));
    let answer = officer
        .client
        .post(format!("{}/api/v1/sessions/{id}/documents", officer.url))
        .header("X-Csrf-Token", &officer.csrf)
        .multipart(form)
        .send()
        .await
        .unwrap();
    assert_eq!(answer.status(), StatusCode::UNPROCESSABLE_ENTITY);
    let png = [&[0x89, b'P', b'N', b'G', 0x0D, 0x0A, 0x1A, 0x0A][..], &[0; 100]].concat();
    let form = reqwest::multipart::Form::new().part("file", reqwest::multipart::Part::bytes(png).file_name("签字页.png"));
    let answer = officer
        .client
        .post(format!("{}/api/v1/sessions/{id}/documents", officer.url))
        .header("X-Csrf-Token", &officer.csrf)
        .multipart(form)
        .send()
        .await
        .unwrap();
    assert_eq!(answer.status(), StatusCode::CREATED);
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_is_altered_in_a_sealed_session_is_told_by_file_and_kind() {
    let bureau = Bureau::open().await;
    let officer = bureau.sign_in("officer").await;
    officer.waits_for_pictures().await;
    let id = officer.starts().await;
    officer.waits("two files of each camera", |room| room["session"]["elapsed_ms"].as_u64().unwrap() > 13_000).await;
    let sealed = officer.ends(&id).await;
    let folder = bureau.folder(&id);
    let camera = sealed["segments"][0]["camera"].as_str().unwrap();
    let file = folder.join(sealed["segments"][0]["file"].as_str().unwrap());
    let name = file.file_name().unwrap().to_str().unwrap();
    let original = std::fs::read(&file).unwrap();
    let told = |what: &str| {
        let (code, words) = verify(&folder);
        assert!(code == 1 && words.contains(what), "{what}: {code} {words}");
    };
    let mut altered = original.clone();
    altered[original.len() / 2] ^= 1;
    std::fs::write(&file, &altered).unwrap();
    told(&format!("{name}: altered"));
    std::fs::write(&file, &original[..original.len() - 9]).unwrap();
    told(&format!("{name}: cut short"));
    std::fs::remove_file(&file).unwrap();
    told(&format!("{name}: missing"));
    std::fs::write(&file, &original).unwrap();
    assert_eq!(verify(&folder).0, 0);
    std::fs::write(folder.join("extra.mp4"), &original).unwrap();
    told("extra.mp4: is not in the manifest");
    std::fs::remove_file(folder.join("extra.mp4")).unwrap();
    let manifest = std::fs::read_to_string(folder.join("session.json")).unwrap();
    std::fs::write(folder.join("session.json"), manifest.replace("\"gaps\":[]", "\"gaps\":[] ")).unwrap();
    told("signature does not verify");
    assert_eq!(verify(folder.parent().unwrap()).0, 2);
    // From the files alone: how many there are by what they say of themselves, and that none was changed for another.
    for name in ["session.json", "session.json.sig"] {
        std::fs::rename(folder.join(name), folder.join(format!("{name}.away"))).unwrap();
    }
    let (code, words) = verify(&folder);
    assert!(code == 2 && words.contains(&format!("{camera}: 2 files 1 to 2")), "{words}");
    std::fs::remove_file(&file).unwrap();
    told("names a file before it that is not there");
    std::fs::write(&file, &altered).unwrap();
    told("a file between them is missing, or one was altered");
    std::fs::write(&file, &original).unwrap();
    std::fs::rename(folder.join("session.json.sig.away"), folder.join("session.json.sig")).unwrap();
    // What an expert does without this program.
    std::fs::write(folder.join("session.json"), manifest).unwrap();
    let openssl = std::process::Command::new("openssl")
        .current_dir(&folder)
        .args(["pkeyutl", "-verify", "-pubin", "-inkey", "signer.pem", "-rawin", "-in", "session.json", "-sigfile", "session.json.sig"])
        .output()
        .unwrap();
    assert!(openssl.status.success(), "{}", String::from_utf8_lossy(&openssl.stderr));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_whose_room_is_no_more_ends_with_what_is_known_of_it_and_its_manifest_says_one_thing() {
    let mut bureau = Bureau::open().await;
    let (officer, id) = bureau.records(100_000).await;
    officer.does(&format!("/api/v1/sessions/{id}/marks"), json!({ "kind": "note", "text": "最后一句" })).await;
    bureau.kill();
    let text = std::fs::read_to_string(bureau.config()).unwrap();
    std::fs::write(bureau.config(), text.replace("id = \"room-1\"", "id = \"room-2\"")).unwrap();
    let found = chrono::Utc::now();
    tokio::time::sleep(std::time::Duration::from_secs(2)).await;
    bureau.start().await;
    let folder = bureau.folder(&id);
    let (code, words) = verify(&folder);
    assert_eq!(code, 0, "{words}");
    let manifest: Value = serde_json::from_slice(&std::fs::read(folder.join("session.json")).unwrap()).unwrap();
    let at = |field: &str| manifest[field].as_str().unwrap().parse::<chrono::DateTime<chrono::Utc>>().unwrap();
    let length = (at("ended_at") - at("started_at")).num_milliseconds() as u64;
    assert_eq!(Some(length), manifest["length_ms"].as_u64(), "{manifest:#}");
    assert!(at("ended_at") <= found && at("sealed_at") > found, "it ended when it ended, and was sealed when it was found");
    assert!(length >= manifest["marks"][0]["at_ms"].as_u64().unwrap(), "{manifest:#}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_recorder_on_the_same_store_is_refused() {
    let bureau = Bureau::open().await;
    let (started, words) = bureau.second_instance();
    assert!(!started && words.contains("another shilu uses this store"), "{words}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tile_shows_the_cameras_small_stream_and_the_recording_is_the_large_one() {
    let mut bureau = Bureau::open().await;
    assert!(bureau.terminate());
    let text = std::fs::read_to_string(bureau.config()).unwrap();
    let small = support::camera::Cameras::start(&["tile,size=160x90,audio=none"]);
    let tile = format!("device_no = \"XW-101\"\ntile_url = \"{}\"", small.address("tile"));
    std::fs::write(bureau.config(), text.replace("device_no = \"XW-101\"", &tile)).unwrap();
    bureau.start().await;
    let viewer = bureau.sign_in("live_viewer").await;
    viewer.waits_for_pictures().await;
    for (query, width) in [("?small=true", 160), ("", 320)] {
        assert_eq!(viewer.sees_live("room-1", "face", query).await["width"], width);
    }
}
