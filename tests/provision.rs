//! Copies, provision and the viewing log, end to end (第二十一条, 第二十二条).

use crate::support;

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use std::process::Command;
use std::time::{Duration, Instant};
use support::bureau::{Bureau, Person};

async fn recorded(bureau: &Bureau) -> (Person, String) {
    let (officer, id) = bureau.records(300_000).await;
    officer.ends(&id).await;
    (officer, id)
}

/// Waits until something at an address is as wanted.
async fn waits(who: &Person, path: &str, until: impl Fn(&Value) -> bool) -> Value {
    let deadline = Instant::now() + Duration::from_secs(90);
    loop {
        let (_, now) = who.get(path).await;
        if until(&now) {
            return now;
        }
        assert!(Instant::now() < deadline, "{path}: {now}");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

async fn log(bureau: &Bureau) -> Vec<Value> {
    bureau.sign_in("inspector").await.get("/api/v1/log").await.1.as_array().unwrap().clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_is_masked_muted_and_marked_and_goes_with_its_approval() {
    let bureau = Bureau::open().await;
    let (_, session) = recorded(&bureau).await;
    let (leader, reviewer) = (bureau.sign_in("leader_in_charge").await, bureau.sign_in("reviewer").await);
    let asked = json!({ "session": session, "purpose": "转交", "mode": "copy", "masked": true, "hours": 2 });
    let request = reviewer.does("/api/v1/access-requests", asked).await["id"].as_str().unwrap().to_owned();
    leader.does(&format!("/api/v1/access-requests/{request}/approve"), json!({})).await;
    // Masked means masked: no original, no package, no still, and no order without a mask.
    for path in [format!("/api/v1/sessions/{session}/copy/face/1"), format!("/api/v1/sessions/{session}/copy/face/joined")] {
        let (status, answer) = reviewer.get(&path).await;
        assert_eq!((status, answer["code"].as_str()), (StatusCode::FORBIDDEN, Some("masked-only")), "{path}");
    }
    assert_eq!(reviewer.post(&format!("/api/v1/sessions/{session}/package"), json!({})).await.0, StatusCode::FORBIDDEN);
    let to = format!("/api/v1/sessions/{session}/copies");
    let mut order = json!({ "layout": "picture_in_picture", "cameras": ["face", "overview"], "sound": "face" });
    assert_eq!(reviewer.post(&to, order.clone()).await.0, StatusCode::UNPROCESSABLE_ENTITY);
    order["masks"] = json!([{ "camera": "face", "x": 0, "y": 50, "width": 50, "height": 50, "from_ms": 0, "to_ms": 86_400_000 }]);
    order["mutes"] = json!([{ "from_ms": 0, "to_ms": 86_400_000 }]);
    let copy = reviewer.does(&to, order).await["id"].as_str().unwrap().to_owned();
    let ready = waits(&reviewer, &format!("/api/v1/copies/{copy}"), |c| c["state"] == "ready" || c["state"] == "failed").await;
    assert_eq!(ready["state"], "ready", "{ready}\n{}", bureau.log());
    let file = reviewer.ask(Method::GET, &format!("/api/v1/copies/{copy}/file"), None).await.bytes().await.unwrap();
    let path = bureau.dir.path().join("copy.mp4");
    std::fs::write(&path, &file).unwrap();
    let sum = Command::new("sha256sum").arg(&path).output().unwrap();
    assert!(String::from_utf8_lossy(&sum.stdout).starts_with(ready["sha256"].as_str().unwrap()));
    // What was covered is black in every picture, and nothing is heard.
    let light = |crop: &str| {
        let out = Command::new("ffmpeg")
            .args(["-v", "error", "-i"])
            .arg(&path)
            .args(["-vf", &format!("crop={crop},scale=1:1,format=gray"), "-f", "rawvideo", "-"])
            .output()
            .unwrap();
        assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
        out.stdout
    };
    let covered = light("600:200:10:420");
    assert!(covered.len() > 10 && covered.iter().all(|p| *p < 40), "{covered:?}");
    let marked = light("400:24:0:0");
    assert!(marked.iter().any(|p| *p > 20), "words are burnt in: {marked:?}");
    let heard = Command::new("ffmpeg").arg("-i").arg(&path).args(["-af", "volumedetect", "-f", "null", "-"]).output().unwrap();
    let heard = String::from_utf8_lossy(&heard.stderr).into_owned();
    assert!(heard.contains("max_volume: -91.0 dB") || heard.contains("max_volume: -inf"), "{heard}");
    // Nobody else's, a part on demand, and gone with the approval.
    assert_eq!(leader.get(&format!("/api/v1/copies/{copy}/file")).await.0, StatusCode::NOT_FOUND);
    let part =
        reviewer.client.get(format!("{}/api/v1/copies/{copy}/file", bureau.url)).header("Range", "bytes=100-199").send().await.unwrap();
    assert_eq!((part.status(), part.bytes().await.unwrap()), (StatusCode::PARTIAL_CONTENT, file.slice(100..200)));
    leader.does(&format!("/api/v1/access-requests/{request}/revoke"), json!({ "reason": "误批" })).await;
    assert_eq!(reviewer.get(&format!("/api/v1/copies/{copy}/file")).await.0, StatusCode::FORBIDDEN);
    let kinds: Vec<Value> = log(&bureau).await.iter().map(|r| r["entry"]["kind"].clone()).collect();
    for kind in ["copy_ordered", "copy_made", "copy_taken"] {
        assert!(kinds.contains(&json!(kind)), "{kind}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_still_has_the_viewers_name_in_it_and_is_logged() {
    let bureau = Bureau::open().await;
    let (_, session) = recorded(&bureau).await;
    let (leader, reviewer) = (bureau.sign_in("leader_in_charge").await, bureau.sign_in("reviewer").await);
    reviewer.gets_grant(&leader, &session, "view").await;
    let viewing = reviewer.does(&format!("/api/v1/sessions/{session}/viewings"), json!({})).await["id"].as_str().unwrap().to_owned();
    let still = reviewer.ask(Method::GET, &format!("/api/v1/viewings/{viewing}/face/still?at_ms=500"), None).await;
    assert_eq!(still.status(), StatusCode::OK);
    assert!(still.bytes().await.unwrap().starts_with(&[0xFF, 0xD8, 0xFF]));
    assert_eq!(reviewer.get(&format!("/api/v1/viewings/{viewing}/face/still?at_ms=99999999")).await.0, StatusCode::NOT_FOUND);
    assert_eq!(leader.get(&format!("/api/v1/viewings/{viewing}/face/still?at_ms=500")).await.0, StatusCode::NOT_FOUND);
    assert!(log(&bureau).await.iter().any(|r| r["entry"]["kind"] == "still_taken" && r["entry"]["about"]["camera"] == "face"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_court_gets_whole_sessions_from_the_legal_unit_and_an_identical_copy_stays() {
    let bureau = Bureau::open().await;
    let (_, session) = recorded(&bureau).await;
    let (legal, leader) = (bureau.sign_in("legal_unit").await, bureau.sign_in("leader_in_charge").await);
    let letter = json!({ "letter_no": "（2026）冀0533行初1号", "receiving_body": "威县人民法院", "kind": "litigation", "received": "2026-11-20",
        "sessions": [session], "clips": [{ "session": session, "from_ms": 0, "to_ms": 1000 }] });
    for role in ["officer", "custodian", "office", "leader_in_charge", "bureau_head", "reviewer", "inspector", "administrator"] {
        assert_eq!(bureau.sign_in(role).await.post("/api/v1/provisions", letter.clone()).await.0, StatusCode::FORBIDDEN, "{role}");
    }
    let id = legal.does("/api/v1/provisions", letter).await["id"].as_str().unwrap().to_owned();
    let at = format!("/api/v1/provisions/{id}");
    assert_eq!(legal.get(&at).await.1["provision"]["due"], "2026-12-05");
    let package = format!("{at}/packages/{session}");
    assert_eq!(legal.get(&package).await.0, StatusCode::CONFLICT, "nothing is built");
    legal.does(&format!("{at}/prepare"), json!({})).await;
    let prepared = waits(&legal, &at, |p| p["provision"]["state"] == "prepared" || !p["problem"].is_null()).await;
    assert!(prepared["problem"].is_null(), "{prepared}\n{}", bureau.log());
    // Not by one person alone.
    assert_eq!(legal.get(&package).await.0, StatusCode::CONFLICT);
    assert_eq!(legal.post(&format!("{at}/approve"), json!({})).await.0, StatusCode::FORBIDDEN);
    leader.does(&format!("{at}/approve"), json!({})).await;
    assert_eq!(leader.get(&package).await.0, StatusCode::FORBIDDEN, "only the legal unit hands over");
    let tar = legal.ask(Method::GET, &package, None).await.bytes().await.unwrap();
    let path = bureau.dir.path().join("court.tar");
    std::fs::write(&path, &tar).unwrap();
    let kept = bureau.data().join(format!("provisions/{id}/{session}.tar"));
    assert_eq!(std::fs::read(&kept).unwrap(), tar, "identical");
    let listed = Command::new("tar").arg("-tf").arg(&path).output().unwrap();
    assert!(String::from_utf8_lossy(&listed.stdout).contains("data/clips/1-face.mp4"));
    let checked = Command::new(env!("CARGO_BIN_EXE_shilu-verify")).arg(&path).output().unwrap();
    assert_eq!(checked.status.code(), Some(0), "{}", String::from_utf8_lossy(&checked.stdout));
    // No closing without receipt and retained copy.
    assert_eq!(legal.post(&format!("{at}/close"), json!({})).await.0, StatusCode::CONFLICT);
    let form = reqwest::multipart::Form::new()
        .text("taken_by", "书记员 李某")
        .text("day", chrono::Utc::now().with_timezone(&chrono::FixedOffset::east_opt(8 * 3600).unwrap()).date_naive().to_string())
        .part("file", reqwest::multipart::Part::bytes(b"%PDF-1.7 receipt".to_vec()).file_name("回执.pdf"));
    let handed =
        legal.client.post(format!("{}{at}/hand-over", bureau.url)).header("X-Csrf-Token", &legal.csrf).multipart(form).send().await;
    assert_eq!(handed.unwrap().status(), StatusCode::OK);
    let (status, told) = legal.post(&format!("{at}/close"), json!({})).await;
    assert_eq!((status, told["article"].as_str()), (StatusCode::CONFLICT, Some("第二十一条")));
    // A retained copy that is not what it was is told, and does not close it.
    let mut damaged = tar.to_vec();
    damaged[5000] ^= 1;
    std::fs::write(&kept, &damaged).unwrap();
    assert!(!legal.post(&format!("{at}/verify"), json!({})).await.0.is_success());
    std::fs::write(&kept, &tar).unwrap();
    legal.does(&format!("{at}/verify"), json!({})).await;
    assert_eq!(legal.does(&format!("{at}/close"), json!({})).await["state"], "closed");
    let kinds: Vec<Value> = log(&bureau).await.iter().map(|r| r["entry"]["kind"].clone()).collect();
    for kind in [
        "provision_received",
        "held",
        "provision_prepared",
        "provision_approved",
        "copy_taken",
        "provision_handed_over",
        "provision_closed",
    ] {
        assert!(kinds.contains(&json!(kind)), "{kind}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_oversees_sees_who_looked_for_how_long_and_what_deserves_a_question() {
    let bureau = Bureau::open().await;
    let (_, session) = recorded(&bureau).await;
    let (leader, reviewer) = (bureau.sign_in("leader_in_charge").await, bureau.sign_in("reviewer").await);
    let request = reviewer.gets_grant(&leader, &session, "view").await;
    let viewing = reviewer.does(&format!("/api/v1/sessions/{session}/viewings"), json!({})).await["id"].as_str().unwrap().to_owned();
    reviewer.post(&format!("/api/v1/viewings/{viewing}/seen"), json!({ "seconds": 9 })).await;
    reviewer.post(&format!("/api/v1/viewings/{viewing}/close"), json!({})).await;
    for role in ["officer", "office", "administrator", "reviewer", "leader_in_charge"] {
        assert_eq!(bureau.sign_in(role).await.get("/api/v1/oversight").await.0, StatusCode::FORBIDDEN, "{role}");
    }
    let inspector = bureau.sign_in("inspector").await;
    let seen = inspector.get("/api/v1/oversight?what=viewings&person=review").await.1;
    let row = &seen["rows"][0];
    assert_eq!((row["session"].as_str(), row["request"].as_str(), row["seconds"].as_u64()), (Some(&*session), Some(&*request), Some(9)));
    assert_eq!((row["approved_by"].as_str(), row["from"].as_str()), (Some("leader_in_charge"), Some("127.0.0.1")));
    let proof = inspector.ask(Method::GET, &format!("/api/v1/log/{}/proof", row["index"]), None).await;
    assert!(proof.text().await.unwrap().starts_with("c2sp.org/tlog-proof"));
    assert!(seen["questions"].as_array().unwrap().iter().any(|q| q["pattern"] == "hasty"), "approved within the moment: {seen}");
    let review = inspector.get("/api/v1/oversight/review").await.1;
    assert_eq!(
        (review[0]["viewings"].as_u64(), review[0]["seconds"].as_u64(), review[0]["hasty"].as_bool()),
        (Some(1), Some(9), Some(true))
    );
    let csv = inspector.ask(Method::GET, "/oversight.csv?what=viewings", None).await.text().await.unwrap();
    assert!(csv.starts_with('\u{feff}') && csv.contains(&session), "{csv}");
}
