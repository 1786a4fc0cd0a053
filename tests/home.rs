//! The first page and the figures: everybody finds what needs them now, and nothing else; the charts say what the supervision report says.

use crate::support::bureau::{Bureau, Person};
use reqwest::StatusCode;
use serde_json::{Value, json};

#[tokio::test(flavor = "multi_thread")]
async fn everybody_finds_what_needs_them_with_a_link_to_exactly_that_and_what_is_done_is_gone() {
    let bureau = {
        let mut bureau = Bureau::open().await;
        assert!(bureau.terminate());
        bureau.add_account("miner", "officer", "mines");
        bureau.start().await;
        // The first reading again is over before there is a session: no step of the first run is done by it, however slow it was.
        let inspector = bureau.sign_in("inspector").await;
        inspector.waits_at("/api/v1/log", |all| all.as_array().unwrap().iter().any(|e| e["entry"]["kind"] == "scrub_completed")).await;
        bureau
    };
    // One session with a case and one without; a plan for this very hour; a request; a refusal.
    let (officer, linked) = bureau.records(20_000).await;
    officer.ends(&linked).await;
    let unlinked = officer.does("/api/v1/sessions", json!({ "room": "room-1", "party": "李四" })).await;
    let unlinked = unlinked["session"]["id"].as_str().unwrap().to_owned();
    officer.records(20_000).await;
    officer.ends(&unlinked).await;
    let now = chrono::Utc::now().to_rfc3339();
    officer.does("/api/v1/plans", json!({ "room": "room-1", "at": now, "kind": "interview", "party": "王五" })).await;
    let reviewer = bureau.sign_in("reviewer").await;
    reviewer.does("/api/v1/access-requests", json!({ "session": linked, "purpose": "复核", "mode": "view", "hours": 2 })).await;
    let miner = bureau.sign_in("miner").await;
    assert_eq!(miner.get(&format!("/api/v1/sessions/{linked}")).await.0, StatusCode::NOT_FOUND);
    let more = json!({ "linked": linked, "unlinked": unlinked, "miner": { "username": "miner", "password": bureau.password("miner") } });
    bureau.plays("home.mjs", more).await;
}

/// What a page says, as text.
async fn page(who: &Person, path: &str) -> (StatusCode, String) {
    let answer = who.client.get(format!("{}{path}", who.url)).header("Cookie", &who.cookie).send().await.unwrap();
    (answer.status(), answer.text().await.unwrap())
}

/// The values of a chart in the CSV: what, part, value.
fn values(csv: &str, chart: &str) -> Vec<(String, String, f64)> {
    let of = csv.lines().map(|l| l.split(',').map(|c| c.trim_matches('"').to_owned()).collect::<Vec<_>>());
    of.filter(|cells| cells[0] == chart).map(|c| (c[1].clone(), c[2].clone(), c[4].parse().unwrap())).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_charts_say_what_the_supervision_report_says_and_to_whom_it_may_be_said() {
    let bureau = Bureau::open().await;
    let (officer, whole) = bureau.records(20_000).await;
    officer.ends(&whole).await;
    let part = officer.starts().await;
    officer.records(20_000).await;
    officer.does(&format!("/api/v1/sessions/{part}/interrupt"), json!({ "cause": "vacated" })).await;
    let elapsed = |room: &Value| room["session"]["elapsed_ms"].as_u64().unwrap_or(0);
    let begun = elapsed(&officer.get("/api/v1/status").await.1["rooms"][0]);
    officer.waits("an interruption that is a gap", |room| elapsed(room) > begun + 3_000).await;
    officer.does(&format!("/api/v1/sessions/{part}/resume"), json!({})).await;
    officer.records(40_000).await;
    officer.ends(&part).await;
    let (reviewer, leader) = (bureau.sign_in("reviewer").await, bureau.sign_in("leader_in_charge").await);
    reviewer.gets_grant(&leader, &whole, "view").await;
    let viewing = reviewer.does(&format!("/api/v1/sessions/{whole}/viewings"), json!({})).await;
    let viewing = viewing["id"].as_str().unwrap();
    reviewer.does(&format!("/api/v1/viewings/{viewing}/seen"), json!({ "seconds": 1 })).await;

    let legal = bureau.sign_in("legal_unit").await;
    let (_, report) = legal.get("/api/v1/supervision").await;
    let month = report["month"].as_str().unwrap();
    let (status, csv) = page(&legal, &format!("/figures.csv?period={month}")).await;
    assert_eq!(status, StatusCode::OK, "{csv}");
    let tally = &report["units"][0]["tally"];
    let number = |of: &Value| of.as_f64().unwrap();
    let hours = values(&csv, "各股室录制时长");
    assert_eq!((hours.len(), hours[0].0.as_str()), (1, "用途管制股"), "{csv}");
    assert!((hours[0].2 - number(&tally["length_ms"]) / 3_600_000.0).abs() < 0.001, "{csv}\n{report}");
    let counts: Vec<f64> = values(&csv, "全程记录情况").into_iter().map(|(_, _, value)| value).collect();
    let wanted: Vec<f64> = ["whole", "part_explained", "part_unexplained", "none"].iter().map(|k| number(&tally[k])).collect();
    assert_eq!(counts, wanted);
    assert_eq!(counts.iter().sum::<f64>() as u64, 2, "{report}");
    let gaps: f64 = values(&csv, "缺录原因").iter().map(|(_, _, seconds)| seconds).sum();
    let told: f64 = tally["gap_ms"].as_object().unwrap().values().map(number).sum();
    assert!(told > 0.0 && (gaps - told / 1000.0).abs() < 0.01, "{csv}\n{report}");
    assert_eq!(values(&csv, "查阅目的"), [("复核".into(), "查阅次数".into(), 1.0)], "{csv}");

    // A year has the same, month by month; its drawing asks for nothing that the policy forbids.
    let (_, csv) = page(&legal, &format!("/figures.csv?period={}", &month[..4])).await;
    let months = values(&csv, "各月录制时长");
    assert_eq!(months.len(), 12);
    assert!((months.iter().map(|m| m.2).sum::<f64>() - hours[0].2).abs() < 0.002, "{csv}");
    let (_, html) = page(&legal, &format!("/figures?period={month}")).await;
    assert!(html.contains("<svg class=\"chart\"") && !html.contains("style=") && html.contains("<details>"), "{html}");
    assert_eq!(page(&legal, "/figures?period=soon").await.0, StatusCode::UNPROCESSABLE_ENTITY);

    // Who keeps the unit's recordings sees its figures, not what for others looked; the office sees the volumes; an officer nothing.
    let (_, of_custodian) = page(&bureau.sign_in("custodian").await, "/figures").await;
    assert!(of_custodian.contains("id=\"coverage\"") && !of_custodian.contains("id=\"purposes\""));
    let (_, of_office) = page(&bureau.sign_in("office").await, "/figures").await;
    assert!(of_office.contains("id=\"storage\"") && !of_office.contains("id=\"coverage\""));
    assert_eq!(page(&officer, "/figures").await.0, StatusCode::FORBIDDEN);
}
