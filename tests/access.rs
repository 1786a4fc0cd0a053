//! Nobody looks without approval (第二十二条): every door, every role, console, API and file address alike.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)] // a test may fail loudly

mod support;

use reqwest::{Method, StatusCode};
use serde_json::json;
use support::bureau::{Bureau, Person, ROLES};

/// Every address under which a picture, a sound or a copy of one could be had.
fn doors(session: &str, segment: &str, viewing: &str) -> Vec<(Method, String)> {
    let mut doors = vec![(Method::POST, format!("/api/v1/sessions/{session}/viewings"))];
    for path in [
        format!("/api/v1/viewings/{viewing}/face/1"),
        format!("/api/v1/sessions/{session}/copy/face/1"),
        format!("/api/v1/sessions/{session}/copy/face/joined"),
        format!("/api/v1/sessions/{session}/copy/papers/session.json"),
        "/api/v1/rooms/room-1/cameras/face/live".into(),
        format!("/footage/{segment}"),
        format!("/assets/..%2F..%2Ffootage%2F{segment}"),
        format!("/sessions/{session}/{segment}"),
        "/data/catalog.db".into(),
    ] {
        doors.push((Method::GET, path));
    }
    doors
}

/// Whether an answer holds MP4 boxes.
async fn shows_pictures(answer: reqwest::Response) -> bool {
    let bytes = answer.bytes().await.unwrap_or_default();
    bytes.windows(4).any(|w| w == b"moof" || w == b"mdat")
}

async fn recorded(bureau: &Bureau) -> (Person, String, String) {
    let (officer, id) = bureau.records(100_000).await;
    let sealed = officer.ends(&id).await;
    (officer, id, sealed["segments"][0]["file"].as_str().unwrap().to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_viewing_without_grant_is_refused_to_every_role_by_every_door_and_the_refusal_is_logged() {
    let bureau = Bureau::open().await;
    let (_, session, segment) = recorded(&bureau).await;
    let (leader, reviewer) = (bureau.sign_in("leader_in_charge").await, bureau.sign_in("reviewer").await);
    reviewer.gets_grant(&leader, &session, "copy").await;
    let viewing = reviewer.does(&format!("/api/v1/sessions/{session}/viewings"), json!({})).await;
    let viewing = viewing["id"].as_str().unwrap().to_owned();
    let anyone = Person { client: reqwest::Client::new(), url: bureau.url.clone(), csrf: String::new(), cookie: String::new() };
    let mut people = vec![("nobody", anyone)];
    for role in ROLES.iter().filter(|r| **r != "reviewer") {
        people.push((role, bureau.sign_in(role).await));
    }
    for (role, person) in &people {
        for (method, door) in doors(&session, &segment, &viewing) {
            let answer = person.ask(method, &door, Some(json!({}))).await;
            assert!(!answer.status().is_success() || answer.url().path() == "/login", "{role} got {} from {door}", answer.status());
            assert!(!shows_pictures(answer).await, "{role} saw pictures at {door}");
        }
    }
    let (_, log) = bureau.sign_in("inspector").await.get("/api/v1/log").await;
    let refused = log.as_array().unwrap().iter().filter(|r| r["entry"]["kind"] == "refused").count();
    assert!(refused > 10, "{refused} refusals in the log");
    // The one who was granted sees.
    let answer = reviewer.ask(Method::GET, &format!("/api/v1/viewings/{viewing}/face/1"), None).await;
    assert!(shows_pictures(answer).await);
    // And the log has for how long.
    reviewer.ask(Method::POST, &format!("/api/v1/viewings/{viewing}/seen"), Some(json!({ "seconds": 7 }))).await;
    reviewer.ask(Method::POST, &format!("/api/v1/viewings/{viewing}/close"), Some(json!({}))).await;
    let (_, log) = bureau.sign_in("inspector").await.get(&format!("/api/v1/log?session={session}")).await;
    let closed = log.as_array().unwrap().iter().find(|r| r["entry"]["kind"] == "viewing_closed").unwrap();
    assert_eq!(closed["entry"]["about"]["seconds"], "7");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_grant_is_for_one_person_one_session_and_its_mode_and_ends_with_its_revocation() {
    let bureau = Bureau::open().await;
    let (officer, session, _) = recorded(&bureau).await;
    let second = officer.starts().await;
    officer.records(50_000).await;
    officer.ends(&second).await;
    let (leader, reviewer) = (bureau.sign_in("leader_in_charge").await, bureau.sign_in("reviewer").await);
    // Not before the decision.
    let asked = json!({ "session": session, "purpose": "复核", "mode": "view", "hours": 2 });
    let request = reviewer.does("/api/v1/access-requests", asked.clone()).await["id"].as_str().unwrap().to_owned();
    let open = format!("/api/v1/sessions/{session}/viewings");
    assert_eq!(reviewer.post(&open, json!({})).await.0, StatusCode::FORBIDDEN);
    // Never by the requester, nor by somebody without the role.
    let own = leader.does("/api/v1/access-requests", asked).await["id"].as_str().unwrap().to_owned();
    let (status, answer) = leader.post(&format!("/api/v1/access-requests/{own}/approve"), json!({})).await;
    assert_eq!(
        (status, answer["code"].as_str(), answer["article"].as_str()),
        (StatusCode::FORBIDDEN, Some("own-request"), Some("第二十二条"))
    );
    for role in ["officer", "reviewer", "administrator", "office", "inspector", "legal_unit", "custodian"] {
        let (status, _) = bureau.sign_in(role).await.post(&format!("/api/v1/access-requests/{request}/approve"), json!({})).await;
        assert_eq!(status, StatusCode::FORBIDDEN, "{role}");
    }
    leader.does(&format!("/api/v1/access-requests/{request}/approve"), json!({})).await;
    let viewing = reviewer.does(&open, json!({})).await;
    let segment = format!("/api/v1/viewings/{}/face/1", viewing["id"].as_str().unwrap());
    assert!(viewing["watermark"].as_str().unwrap().contains(&request));
    assert_eq!(reviewer.ask(Method::GET, &segment, None).await.status(), StatusCode::OK);
    // For looking, not for a copy; for this session, not the next.
    let (status, answer) = reviewer.get(&format!("/api/v1/sessions/{session}/copy/face/1")).await;
    assert_eq!((status, answer["code"].as_str()), (StatusCode::FORBIDDEN, Some("view-only")));
    assert_eq!(reviewer.post(&format!("/api/v1/sessions/{second}/viewings"), json!({})).await.0, StatusCode::FORBIDDEN);
    leader.does(&format!("/api/v1/access-requests/{request}/revoke"), json!({ "reason": "误批" })).await;
    assert_eq!(reviewer.ask(Method::GET, &segment, None).await.status(), StatusCode::FORBIDDEN);
    assert_eq!(reviewer.post(&open, json!({})).await.0, StatusCode::FORBIDDEN);
}

#[tokio::test(flavor = "multi_thread")]
async fn accounts_lock_after_repeated_wrong_passwords_and_another_unit_hears_of_nothing() {
    let mut bureau = Bureau::open().await;
    let (_, session, _) = recorded(&bureau).await;
    assert!(bureau.terminate());
    bureau.add_account("miner", "officer", "mines");
    bureau.start().await;
    let miner = bureau.sign_in("miner").await;
    assert_eq!(miner.get(&format!("/api/v1/sessions/{session}")).await.0, StatusCode::NOT_FOUND);
    assert_eq!(miner.get("/api/v1/sessions?text=张三").await.1["total"], 0);
    let stranger = Person { client: reqwest::Client::new(), url: bureau.url.clone(), csrf: String::new(), cookie: String::new() };
    let mut last = StatusCode::OK;
    for _ in 0..5 {
        last = stranger.post("/api/v1/login", json!({ "username": "miner", "password": "wrong wrong wrong" })).await.0;
    }
    assert_eq!(last, StatusCode::TOO_MANY_REQUESTS);
    let right = json!({ "username": "miner", "password": bureau.password("miner") });
    assert_eq!(stranger.post("/api/v1/login", right).await.0, StatusCode::TOO_MANY_REQUESTS, "locked means locked");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_without_the_logins_own_token_changes_nothing() {
    let bureau = Bureau::open().await;
    let mut officer = bureau.sign_in("officer").await;
    officer.csrf = "0".repeat(64);
    let (status, answer) = officer.post("/api/v1/sessions", json!({ "room": "room-1" })).await;
    assert_eq!((status, answer["code"].as_str()), (StatusCode::FORBIDDEN, Some("cross-site")));
    let login = json!({ "username": "officer", "password": bureau.password("officer") });
    let answer = officer
        .client
        .post(format!("{}/api/v1/login", bureau.url))
        .header("Sec-Fetch-Site", "cross-site")
        .json(&login)
        .send()
        .await
        .unwrap();
    assert_eq!(answer.status(), StatusCode::FORBIDDEN);
    let healthy = reqwest::get(format!("{}/metrics", bureau.url)).await.unwrap().text().await.unwrap();
    assert!(healthy.contains("shilu_camera_connected{room=\"room-1\",camera=\"face\"}") && !healthy.contains("张"));
}

#[tokio::test(flavor = "multi_thread")]
async fn no_password_stands_in_a_log_a_list_of_processes_or_a_status() {
    let bureau = Bureau::open().await;
    let officer = bureau.sign_in("officer").await;
    officer.waits_for_pictures().await;
    let secret = bureau.password("officer").to_owned();
    let mut seen = bureau.log();
    seen.push_str(&officer.ask(Method::GET, "/api/v1/status", None).await.text().await.unwrap());
    for entry in std::fs::read_dir("/proc").unwrap().filter_map(Result::ok) {
        seen.push_str(&String::from_utf8_lossy(&std::fs::read(entry.path().join("cmdline")).unwrap_or_default()));
    }
    seen.extend(
        shilu::custody::tiles::Tiles::of(&bureau.data().join("custody/log"))
            .entries(0)
            .unwrap()
            .iter()
            .map(|e| String::from_utf8_lossy(e).into_owned()),
    );
    assert!(!seen.contains(&secret));
}
