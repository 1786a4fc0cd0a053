//! The viewing log, for who oversees (第二十二条, 第二十三条).

use crate::support;

use reqwest::{Method, StatusCode};
use serde_json::json;
use support::bureau::Bureau;

#[tokio::test(flavor = "multi_thread")]
async fn who_oversees_sees_who_looked_for_how_long_and_what_deserves_a_question() {
    let bureau = Bureau::open().await;
    let (_, session) = bureau.recorded().await;
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
