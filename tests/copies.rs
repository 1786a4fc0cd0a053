//! Copies and stills, end to end (第二十二条).

use crate::support;

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use std::process::Command;
use support::bureau::Bureau;

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_is_masked_muted_and_marked_and_goes_with_its_approval() {
    let bureau = Bureau::open().await;
    let (_, session) = bureau.recorded().await;
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
    let ready = reviewer.waits_at(&format!("/api/v1/copies/{copy}"), |c| c["state"] == "ready" || c["state"] == "failed").await;
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
    let kinds: Vec<Value> = bureau.entries().await.iter().map(|r| r["entry"]["kind"].clone()).collect();
    for kind in ["copy_ordered", "copy_made", "copy_taken"] {
        assert!(kinds.contains(&json!(kind)), "{kind}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_still_has_the_viewers_name_in_it_and_is_logged() {
    let bureau = Bureau::open().await;
    let (_, session) = bureau.recorded().await;
    let (leader, reviewer) = (bureau.sign_in("leader_in_charge").await, bureau.sign_in("reviewer").await);
    reviewer.gets_grant(&leader, &session, "view").await;
    let viewing = reviewer.does(&format!("/api/v1/sessions/{session}/viewings"), json!({})).await["id"].as_str().unwrap().to_owned();
    let still = reviewer.ask(Method::GET, &format!("/api/v1/viewings/{viewing}/face/still?at_ms=500"), None).await;
    assert_eq!(still.status(), StatusCode::OK);
    assert!(still.bytes().await.unwrap().starts_with(&[0xFF, 0xD8, 0xFF]));
    assert_eq!(reviewer.get(&format!("/api/v1/viewings/{viewing}/face/still?at_ms=99999999")).await.0, StatusCode::NOT_FOUND);
    assert_eq!(leader.get(&format!("/api/v1/viewings/{viewing}/face/still?at_ms=500")).await.0, StatusCode::NOT_FOUND);
    assert!(bureau.entries().await.iter().any(|r| r["entry"]["kind"] == "still_taken" && r["entry"]["about"]["camera"] == "face"));
}
