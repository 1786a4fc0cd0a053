//! Provision, end to end (第二十一条).

use crate::support;

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use std::process::Command;
use support::bureau::Bureau;

#[tokio::test(flavor = "multi_thread")]
async fn a_court_gets_whole_sessions_from_the_legal_unit_and_an_identical_copy_stays() {
    let bureau = Bureau::open().await;
    let (_, session) = bureau.recorded().await;
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
    let prepared = legal.waits_at(&at, |p| p["provision"]["state"] == "prepared" || !p["problem"].is_null()).await;
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
    let kinds: Vec<Value> = bureau.entries().await.iter().map(|r| r["entry"]["kind"].clone()).collect();
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
