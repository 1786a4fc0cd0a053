//! Provision, end to end (第二十一条).

use crate::preservation::console;
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
    // One that was entered by mistake is withdrawn by who entered it, and by nobody else.
    let mistaken = legal.does("/api/v1/provisions", letter.clone()).await["id"].as_str().unwrap().to_owned();
    let withdraw = format!("/api/v1/provisions/{mistaken}/withdraw");
    assert_eq!(leader.post(&withdraw, json!({ "reason": "登记有误" })).await.0, StatusCode::FORBIDDEN);
    assert_eq!(legal.post(&withdraw, json!({ "reason": " " })).await.1["code"], "reason-needed");
    assert_eq!(legal.does(&withdraw, json!({ "reason": "登记有误" })).await["state"], "withdrawn");
    assert_eq!(legal.post(&format!("/api/v1/provisions/{mistaken}/prepare"), json!({})).await.1["code"], "provision-state");
    let id = legal.does("/api/v1/provisions", letter.clone()).await["id"].as_str().unwrap().to_owned();
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
    assert_eq!(legal.post(&format!("{at}/reject"), json!({ "reason": "范围不清" })).await.0, StatusCode::FORBIDDEN);
    leader.does(&format!("{at}/approve"), json!({})).await;
    assert_eq!(leader.post(&format!("{at}/reject"), json!({ "reason": "范围不清" })).await.1["code"], "provision-state", "decided");
    assert_eq!(legal.post(&format!("{at}/withdraw"), json!({ "reason": "登记有误" })).await.1["code"], "provision-state", "too late");
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
    let received = legal.does("/api/v1/provisions", letter.clone()).await["id"].as_str().unwrap().to_owned();
    console(&bureau, "provision.mjs", &[("approved", &id), ("received", &received)]);
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
    // Another is not agreed to, with a reason: nothing of it leaves.
    let other = legal.does("/api/v1/provisions", letter).await["id"].as_str().unwrap().to_owned();
    let at = format!("/api/v1/provisions/{other}");
    legal.does(&format!("{at}/prepare"), json!({})).await;
    legal.waits_at(&at, |p| p["provision"]["state"] == "prepared").await;
    assert_eq!(leader.post(&format!("{at}/reject"), json!({ "reason": "" })).await.1["code"], "reason-needed");
    assert_eq!(leader.does(&format!("{at}/reject"), json!({ "reason": "来函范围不清" })).await["state"], "rejected");
    let told = legal.get(&at).await.1;
    assert_eq!((&told["provision"]["not_provided"]["reason"], &told["days_left"]), (&json!("来函范围不清"), &Value::Null), "{told}");
    assert_eq!(legal.get(&format!("{at}/packages/{session}")).await.0, StatusCode::CONFLICT);
    let kinds: Vec<Value> = bureau.entries().await.iter().map(|r| r["entry"]["kind"].clone()).collect();
    for kind in [
        "provision_received",
        "held",
        "provision_prepared",
        "provision_approved",
        "copy_taken",
        "provision_handed_over",
        "provision_closed",
        "provision_withdrawn",
        "provision_rejected",
    ] {
        assert!(kinds.contains(&json!(kind)), "{kind}");
    }
}
