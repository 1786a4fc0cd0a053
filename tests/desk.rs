//! The questioning desk: what the regulation wants around a session (第二条 – 第十三条), through the public API.

use crate::support;

use reqwest::StatusCode;
use serde_json::{Value, json};
use support::bureau::{Bureau, Person, verify};

fn missing(view: &Value) -> Vec<String> {
    view["missing"].as_array().unwrap().iter().map(|m| m["what"].as_str().unwrap().to_owned()).collect()
}

async fn view(person: &Person, id: &str) -> Value {
    let (status, view) = person.get(&format!("/api/v1/sessions/{id}")).await;
    assert_eq!(status, StatusCode::OK, "{view}");
    view
}

#[tokio::test(flavor = "multi_thread")]
async fn an_interview_from_door_to_signature_lacks_nothing_and_its_codes_are_on_the_paper() {
    let bureau = Bureau::open().await;
    let officer = bureau.sign_in("officer").await;
    officer.waits_for_pictures().await;
    let started = officer
        .does(
            "/api/v1/sessions",
            json!({
                "room": "room-1", "kind": "interview", "case_no": "威自然资罚〔2026〕12号", "record_no": "笔录-1", "party": "张三", "cause": "未经批准占用土地",
                "officers": [
                    { "name": "王建国", "certificate_no": "冀E-017", "presentation": "shown", "duty": "asking", "valid_until": "2030-01-01" },
                    { "name": "李红", "certificate_no": "冀E-022", "presentation": "examined", "duty": "recording" }
                ],
                "attendees": [{ "name": "张三", "role": "interviewee" }, { "name": "周明", "role": "lawyer" }],
            }),
        )
        .await;
    let id = started["session"]["id"].as_str().unwrap().to_owned();
    let at = |what: &str| format!("/api/v1/sessions/{id}/{what}");
    let mark = async |body: Value| officer.does(&at("marks"), body).await;
    mark(json!({ "kind": "notice_given", "manner": "both" })).await;
    mark(json!({ "kind": "prior_talk", "text": "没有" })).await;
    for right in ["right_statement", "right_defence", "right_recusal"] {
        mark(json!({ "kind": right, "manner": "oral" })).await;
    }
    officer.records(300_000).await;

    // The record: typed, corrected by the party, read back.
    let write = async |body: Value| officer.does(&at("record"), body).await;
    write(json!({ "change": "line", "kind": "question", "text": "你占用了多少土地？", "at_ms": 1000 })).await;
    write(json!({ "change": "line", "kind": "answer", "text": "两亩。" })).await;
    write(json!({ "change": "corrected", "number": 2, "text": "一亩半。", "by_party": true })).await;
    write(json!({ "change": "read_back", "manner": "read_aloud" })).await;
    let (status, no) = officer.post(&at("record"), json!({ "change": "corrected", "number": 9, "text": "x" })).await;
    assert_eq!(status, StatusCode::NOT_FOUND, "{no}");
    let (status, no) = officer.post(&at("record"), json!({ "change": "page", "page": 1, "signer": " ", "signature": "signed" })).await;
    assert_eq!((status, no["code"].as_str()), (StatusCode::UNPROCESSABLE_ENTITY, Some("bad-fields")), "nothing is signed without a signer");

    // Reading back gives the code that goes onto the paper.
    mark(json!({ "kind": "reading_back" })).await;
    let running = view(&officer, &id).await;
    let interim = running["session"]["interim"][0]["code"].as_str().unwrap().to_owned();
    let page = officer.client.get(format!("{}/sessions/{id}/record/print", officer.url)).send().await.unwrap().text().await.unwrap();
    let short = &interim[..4];
    assert!(
        page.to_lowercase().contains(short) && page.contains("<svg") && page.contains("一亩半") && page.contains("原记：两亩"),
        "{page}"
    );
    write(json!({ "change": "page", "page": 1, "signer": "张三", "signature": "signed" })).await;

    // At the end one right is left, and is answered.
    assert_eq!(missing(&view(&officer, &id).await), ["right-hearing"]);
    let (status, no) = officer.post(&at("answers"), json!({ "demand": "right-hearing", "kind": "not_done" })).await;
    assert_eq!((status, no["code"].as_str()), (StatusCode::UNPROCESSABLE_ENTITY, Some("reason-needed")));
    officer.does(&at("answers"), json!({ "demand": "right-hearing", "kind": "not_applicable", "reason": "不属于听证范围" })).await;
    assert_eq!(missing(&view(&officer, &id).await), [""; 0]);

    let sealed = officer.ends(&id).await;
    assert_eq!(sealed["record"]["lines"][1]["corrections"][0]["by_party"], true);
    let folder = bureau.folder(&id);
    let (code, words) = verify(&folder);
    assert_eq!(code, 0, "{words}");
    let manifest: Value = serde_json::from_slice(&std::fs::read(folder.join("session.json")).unwrap()).unwrap();
    assert_eq!(manifest["record"]["lines"][0]["at_ms"], 1000, "a line belongs to its moment");
    assert_eq!(manifest["interim"][0]["code"], interim.as_str());
    // The interim manifest is what its code says, and an expert is told if it is not.
    let paper = folder.join("interim-1.json");
    let original = std::fs::read(&paper).unwrap();
    std::fs::write(&paper, [&original[..], b" "].concat()).unwrap();
    let (code, words) = verify(&folder);
    assert!(code == 1 && words.contains("interim-1.json: altered"), "{words}");
    std::fs::write(&paper, original).unwrap();

    // Who took no part reads the record under an approval only (第二十二条).
    let reviewer = bureau.sign_in("reviewer").await;
    let closed = view(&reviewer, &id).await;
    assert_eq!((closed["record_closed"].as_bool(), closed["session"]["record"]["lines"].as_array()), (Some(true), None));
    let leader = bureau.sign_in("leader_in_charge").await;
    reviewer.gets_grant(&leader, &id, "view").await;
    assert_eq!(view(&reviewer, &id).await["session"]["record"]["lines"].as_array().unwrap().len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_of_one_officer_and_no_paper_is_recorded_all_the_same_and_every_gap_in_it_is_asked_for() {
    let mut bureau = Bureau::open().await;
    let (officer, id) = {
        let officer = bureau.sign_in("officer").await;
        officer.waits_for_pictures().await;
        let started = officer.does("/api/v1/sessions", json!({ "room": "room-1", "officers": [{ "name": "王建国" }] })).await;
        (officer, started["session"]["id"].as_str().unwrap().to_owned())
    };
    officer.records(200_000).await;
    let at = |what: &str| format!("/api/v1/sessions/{id}/{what}");
    officer.does(&at("interrupt"), json!({ "cause": "fault", "reason": null })).await;
    officer.does(&at("resume"), json!({})).await;
    assert!(view(&officer, &id).await["prompts"].as_array().unwrap().iter().any(|p| p["what"] == "explanation"), "第十六条");
    officer.does(&at("marks"), json!({ "kind": "explanation" })).await;
    assert!(!view(&officer, &id).await["prompts"].as_array().unwrap().iter().any(|p| p["what"] == "explanation"));
    officer.does(&at("marks"), json!({ "kind": "signature_refusal" })).await;
    bureau.cameras().kill();
    let lost = std::time::Instant::now();
    officer.waits("lost cameras", |room| room["cameras"][0]["connected"] == false && lost.elapsed().as_secs() >= 2).await;
    let sealed = officer.ends(&id).await;
    assert_eq!(sealed["state"], "sealed", "no demand stops an end");
    let after = view(&officer, &id).await;
    let lacking = missing(&after);
    for what in ["case", "second-officer", "refusal-reason", "right-hearing", "notice", "party", "gap"] {
        assert!(lacking.iter().any(|m| m == what), "{what}: {lacking:?}");
    }
    assert_eq!(after["coverage"], "part");
    // Each is answered a week later; what can only be entered is not answered by saying so.
    for m in after["missing"].as_array().unwrap() {
        let demand = match m["about"].as_str() {
            Some(about) => format!("{}:{about}", m["what"].as_str().unwrap()),
            None => m["what"].as_str().unwrap().to_owned(),
        };
        officer.does(&at("answers"), json!({ "demand": demand, "kind": "unexplained" })).await;
    }
    assert_eq!(missing(&view(&officer, &id).await), [""; 0]);
    let (status, no) = officer.post(&at("answers"), json!({ "demand": "second-officer", "kind": "done", "reason": "有" })).await;
    assert_eq!((status, no["code"].as_str()), (StatusCode::UNPROCESSABLE_ENTITY, Some("datum-needed")));
    // The seal vouches for what it sealed, and answers lie behind it in the journal.
    assert_eq!(verify(&bureau.folder(&id)).0, 0);

    // The legal unit counts what was not explained.
    let legal = bureau.sign_in("legal_unit").await;
    let (_, report) = legal.get("/api/v1/supervision").await;
    assert_eq!((report["total"]["sessions"].as_u64(), report["total"]["missing"].as_u64()), (Some(1), Some(0)), "{report}");
    assert!(report["total"]["unexplained"].as_u64().unwrap() >= 7, "{report}");
    assert_eq!(report["officers"][0]["officer"], "王建国");
    let csv = legal.client.get(format!("{}/supervision.csv", legal.url)).send().await.unwrap();
    assert!(csv.headers()["content-type"].to_str().unwrap().starts_with("text/csv"));
    assert!(csv.text().await.unwrap().contains("\"用途管制股\",\"王建国\",1,"));
    let (status, _) = officer.get("/api/v1/supervision").await;
    assert_eq!(status, StatusCode::FORBIDDEN);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_informants_session_is_listed_for_its_own_people_and_counted_for_nobody_else() {
    let mut bureau = Bureau::open().await;
    bureau.terminate();
    bureau.add_account("colleague", "officer", "land-use");
    bureau.start().await;
    let officer = bureau.sign_in("officer").await;
    officer.waits_for_pictures().await;
    let started =
        officer.does("/api/v1/sessions", json!({ "room": "room-1", "kind": "intake", "party": "举报人", "restricted": true })).await;
    let id = started["session"]["id"].as_str().unwrap().to_owned();
    officer.records(100_000).await;
    // Nor does anybody see it live who may not know of it.
    let colleague = bureau.sign_in("colleague").await;
    assert!(officer.opens_live("room-1", "face", "").await.is_ok());
    assert_eq!(colleague.opens_live("room-1", "face", "").await, Err(403));
    officer.ends(&id).await;
    let total = async |who: &str| bureau.sign_in(who).await.get("/api/v1/sessions").await.1["total"].as_u64();
    assert_eq!((total("officer").await, total("colleague").await, total("custodian").await), (Some(1), Some(0), Some(0)));
    assert_eq!((total("leader_in_charge").await, total("legal_unit").await), (Some(1), Some(1)));
    assert_eq!(colleague.get(&format!("/api/v1/sessions/{id}")).await.0, StatusCode::NOT_FOUND);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_fills_in_the_start_and_one_that_nobody_kept_is_asked_for() {
    let bureau = Bureau::open().await;
    let officer = bureau.sign_in("officer").await;
    officer.waits_for_pictures().await;
    let soon = (chrono::Utc::now() + chrono::TimeDelta::minutes(30)).to_rfc3339();
    let plan =
        async |at: &str| officer.post("/api/v1/plans", json!({ "room": "room-1", "at": at, "kind": "service", "party": "张三" })).await;
    let (status, planned) = plan(&soon).await;
    assert_eq!(status, StatusCode::CREATED, "{planned}");
    assert_eq!(plan("2020-01-01T00:00:00Z").await.0, StatusCode::UNPROCESSABLE_ENTITY);
    let id = planned["id"].as_str().unwrap();
    let form = officer.client.get(format!("{}/rooms/room-1/start?plan={id}", officer.url)).send().await.unwrap().text().await.unwrap();
    assert!(form.contains("value=\"张三\"") && form.contains("value=\"service\" checked"), "{form}");
    let started = officer.does("/api/v1/sessions", json!({ "room": "room-1", "kind": "service", "party": "张三", "plan": id })).await;
    assert_eq!(started["session"]["plan"], id);
    officer.ends(started["session"]["id"].as_str().unwrap()).await;
    assert_eq!(officer.get("/api/v1/plans").await.1, json!([]), "a plan that was kept waits for nobody");
    let (_, other) = plan(&soon).await;
    let (status, _) = officer.post(&format!("/api/v1/plans/{}/call-off", other["id"].as_str().unwrap()), json!({ "reason": " " })).await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "with a reason only");
    officer.does(&format!("/api/v1/plans/{}/call-off", other["id"].as_str().unwrap()), json!({ "reason": "当事人未到" })).await;
    assert_eq!(officer.get("/api/v1/plans").await.1, json!([]));
}
