//! Cases and text records (第二条, 第四条 – 第十一条), through the public API.

use crate::support;

use chrono::{TimeDelta, Utc};
use reqwest::StatusCode;
use serde_json::{Value, json};
use std::process::Command;
use support::bureau::{Bureau, Person};

async fn opens(person: &Person, case: Value) -> String {
    person.does("/api/v1/cases", case).await["id"].as_str().unwrap().to_owned()
}

async fn changes(person: &Person, id: &str, change: Value) -> Value {
    person.does(&format!("/api/v1/cases/{id}/changes"), change).await
}

async fn refused(person: &Person, id: &str, change: Value) -> (StatusCode, String) {
    let (status, no) = person.post(&format!("/api/v1/cases/{id}/changes"), change).await;
    (status, no["code"].as_str().unwrap_or_default().to_owned())
}

async fn view(person: &Person, id: &str) -> Value {
    let (status, view) = person.get(&format!("/api/v1/cases/{id}")).await;
    assert_eq!(status, StatusCode::OK, "{view}");
    view
}

fn missing(view: &Value) -> Vec<&str> {
    view["missing"].as_array().unwrap().iter().map(|m| m["what"].as_str().unwrap()).collect()
}

fn record(kind: &str, fields: Value) -> Value {
    json!({ "change": "record", "kind": kind, "fields": fields })
}

fn form() -> Value {
    json!({ "change": "submit", "fields": {
        "source": "巡查发现", "party": "张三", "cause": "未经批准占用土地", "officers": "王建国、李红",
        "summary": "动工建房", "basis": "土地管理法第七十七条", "opinion": "建议启动" } })
}

#[tokio::test(flavor = "multi_thread")]
async fn an_urgent_start_is_warned_of_then_overdue_and_its_late_form_stays_late_though_it_is_approved() {
    let bureau = Bureau::open().await;
    let officer = bureau.sign_in("officer").await;
    let start = async |hours_ago: i64| {
        let id = opens(
            &officer,
            json!({ "origin": "own_initiative", "kind": "penalty", "procedure": "ordinary", "cause": "占地", "parties": ["张三"] }),
        )
        .await;
        let stated_at = (Utc::now() - TimeDelta::hours(hours_ago)).to_rfc3339();
        changes(&officer, &id, json!({ "change": "urgent", "stated_at": stated_at, "reason": "正在浇筑" })).await;
        (view(&officer, &id).await["standing"].clone(), id)
    };
    for (hours, warnings) in [(1, 0), (13, 1), (21, 2)] {
        let (standing, _) = start(hours).await;
        assert_eq!((standing["standing"].as_str(), standing["warnings"].as_u64()), (Some("running"), Some(warnings)), "{hours} h");
    }
    let (standing, id) = start(25).await;
    assert_eq!(standing["standing"], "overdue");
    assert!(missing(&view(&officer, &id).await).contains(&"case-initiation-late"));
    // A later stated time cannot be invented: the start is once.
    assert_eq!(refused(&officer, &id, json!({ "change": "urgent", "reason": "x" })).await, (StatusCode::CONFLICT, "case-state".into()));
    changes(&officer, &id, form()).await;
    // The form waits for the bureau head, and for nobody else.
    for other in ["leader_in_charge", "legal_unit", "custodian", "administrator"] {
        let person = bureau.sign_in(other).await;
        let (status, _) = refused(&person, &id, json!({ "change": "decide", "approved": true })).await;
        assert_eq!(status, StatusCode::FORBIDDEN, "{other}");
    }
    let head = bureau.sign_in("bureau_head").await;
    assert_eq!(refused(&head, &id, json!({ "change": "decide", "approved": false })).await.1, "reason-needed");
    changes(&head, &id, json!({ "change": "decide", "approved": true })).await;
    let after = view(&officer, &id).await;
    assert_eq!(
        (after["case"]["state"].as_str(), after["late"].as_bool(), after["standing"]["standing"].as_str()),
        (Some("initiated"), Some(true), Some("approved"))
    );
    let (_, report) = bureau.sign_in("legal_unit").await.get("/api/v1/supervision").await;
    assert_eq!(report["total"]["initiation_late"], 1, "the supervisor counts it");
    assert!(missing(&after).contains(&"case-initiation-late"), "late for ever, until somebody says why: and then it is still shown");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_case_holds_its_sessions_and_its_papers_in_one_order_and_is_archived_only_when_every_demand_is_answered() {
    let bureau = Bureau::open().await;
    let officer = bureau.sign_in("officer").await;
    officer.waits_for_pictures().await;
    let id = opens(
        &officer,
        json!({ "origin": "own_initiative", "kind": "penalty", "procedure": "ordinary", "cause": "占地", "parties": ["张三"] }),
    )
    .await;
    let intake = view(&officer, &id).await["case"]["intake_no"].as_str().unwrap().to_owned();
    assert!(intake.starts_with("受理-"), "{intake}");
    assert_eq!(refused(&officer, &id, json!({ "change": "begin" })).await, (StatusCode::CONFLICT, "form-needed".into()));
    // A session under the intake's number, before the case has its own.
    let started = officer.does("/api/v1/sessions", json!({ "room": "room-1", "kind": "interview", "case_no": intake })).await;
    let session = started["session"]["id"].as_str().unwrap().to_owned();
    officer.records(200_000).await;
    officer.ends(&session).await;
    changes(&officer, &id, form()).await;
    let head = bureau.sign_in("bureau_head").await;
    changes(&head, &id, json!({ "change": "decide", "approved": true })).await;
    let facts =
        json!({ "number": "威自然资罚〔2026〕12号", "kind": "penalty", "procedure": "ordinary", "cause": "占地", "parties": ["张三"] });
    changes(&officer, &id, json!({ "change": "facts", "facts": facts, "reason": "立案" })).await;

    // A record lacks a field that its article names: each is told.
    let (status, no) = officer.post(&format!("/api/v1/cases/{id}/changes"), record("service", json!({ "document_no": "1" }))).await;
    assert_eq!((status, no["fields"].as_array().unwrap().len()), (StatusCode::UNPROCESSABLE_ENTITY, 3), "{no}");
    let yesterday = (Utc::now() - TimeDelta::days(1)).to_rfc3339();
    let mut notice = record("rights_notice", json!({ "rights": "陈述、申辩、听证", "method": "direct", "given_to": "张三" }));
    notice["stated_at"] = yesterday.into();
    changes(&officer, &id, notice).await;
    changes(&officer, &id, record("decision_approval", json!({ "approved_by": "局长", "approved_on": "2026-11-20", "opinion": "同意" })))
        .await;
    changes(&officer, &id, record("decision", json!({ "document_no": "决1", "decided_on": "2026-11-20", "content": "责令退还" }))).await;
    let seen = view(&officer, &id).await;
    assert_eq!(missing(&seen), ["case-service", "case-session"]);
    let order: Vec<&str> = seen["timeline"].as_array().unwrap().iter().map(|e| e[1]["what"].as_str().unwrap()).collect();
    assert_eq!(order, ["record", "session", "record", "record"], "by when it happened, not by when it was entered");

    // Papers: sniffed, stored by digest, given out for saving only.
    let upload = async |content: &[u8], name: &str| {
        let part = reqwest::multipart::Part::bytes(content.to_vec()).file_name(name.to_owned());
        let address = format!("{}/api/v1/cases/{id}/records/1/documents", officer.url);
        let asked = officer
            .client
            .post(address)
            .header("X-Csrf-Token", &officer.csrf)
            .multipart(reqwest::multipart::Form::new().part("file", part));
        asked.send().await.unwrap()
    };
    assert_eq!(upload(b"<html><script>", "告知书.pdf").await.status(), StatusCode::UNPROCESSABLE_ENTITY);
    let kept: Value = upload(b"%PDF-1.7 the notice", "告知书.pdf").await.json().await.unwrap();
    let sha = kept["sha256"].as_str().unwrap();
    let given = officer.client.get(format!("{}/api/v1/cases/{id}/documents/{sha}", officer.url)).send().await.unwrap();
    let header = |name: &str| given.headers()[name].to_str().unwrap().to_owned();
    assert!(header("content-disposition").starts_with("attachment") && header("content-type") == "application/octet-stream");
    assert_eq!(header("x-content-type-options"), "nosniff");
    assert_eq!(given.bytes().await.unwrap().as_ref(), b"%PDF-1.7 the notice");

    // The session is linked elsewhere: both cases list it from then on.
    let other = opens(&officer, json!({ "origin": "complaint", "named": true, "procedure": "summary" })).await;
    let other_no = view(&officer, &other).await["case"]["intake_no"].as_str().unwrap().to_owned();
    officer.does(&format!("/api/v1/sessions/{session}/link"), json!({ "case_no": other_no, "reason": "并案" })).await;
    for (case, moved) in [(&id, json!([session])), (&other, json!([]))] {
        let seen = view(&officer, case).await;
        assert_eq!((seen["sessions"].as_array().unwrap().len(), &seen["moved"]), (1, &moved));
    }
    assert!(missing(&view(&officer, &other).await).contains(&"case-complainant"), "第四条: a named complainant is answered");

    // Closed, but not archived while something is unanswered.
    changes(&officer, &id, json!({ "change": "close", "on": "2026-11-23", "period": "30年" })).await;
    assert_eq!(refused(&officer, &id, json!({ "change": "archive" })).await, (StatusCode::CONFLICT, "demands-open".into()));
    assert_eq!(refused(&officer, &id, json!({ "change": "answer", "demand": "case-service", "kind": "done" })).await.1, "datum-needed");
    for m in view(&officer, &id).await["missing"].as_array().unwrap() {
        changes(&officer, &id, json!({ "change": "answer", "demand": m["what"], "kind": "unexplained" })).await;
    }
    changes(&officer, &id, json!({ "change": "archive" })).await;
    assert_eq!(refused(&officer, &id, record("other", json!({ "title": "补充" }))).await.1, "case-state");

    // The list finds it by an old number, by the party of two characters; who keeps no cases sees none.
    for query in ["text=张三", "text=12号", &format!("text={intake}"), "state=archived"] {
        assert_eq!(officer.get(&format!("/api/v1/cases?{query}")).await.1["total"], 1, "{query}");
    }
    for outside in ["reviewer", "administrator", "office", "inspector"] {
        assert_eq!(bureau.sign_in(outside).await.get("/api/v1/cases").await.0, StatusCode::FORBIDDEN, "{outside}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_complainants_case_is_listed_narrowly_and_makes_its_sessions_so() {
    let mut bureau = Bureau::open().await;
    bureau.terminate();
    bureau.add_account("colleague", "officer", "land-use");
    bureau.add_account("miner", "officer", "mines");
    bureau.start().await;
    let officer = bureau.sign_in("officer").await;
    officer.waits_for_pictures().await;
    let id = opens(&officer, json!({ "origin": "complaint", "restricted": true, "cause": "举报占地" })).await;
    let number = view(&officer, &id).await["case"]["intake_no"].as_str().unwrap().to_owned();
    let started = officer.does("/api/v1/sessions", json!({ "room": "room-1", "kind": "intake", "case_no": number })).await;
    let session = started["session"]["id"].as_str().unwrap().to_owned();
    officer.ends(&session).await;
    for (who, listed) in [("officer", 1), ("colleague", 0), ("miner", 0), ("custodian", 0), ("legal_unit", 1), ("bureau_head", 1)] {
        let person = bureau.sign_in(who).await;
        assert_eq!(person.get("/api/v1/cases").await.1["total"], listed, "{who}");
        let expected = if listed == 1 { StatusCode::OK } else { StatusCode::NOT_FOUND };
        assert_eq!(person.get(&format!("/api/v1/cases/{id}")).await.0, expected, "{who}");
        assert_eq!(person.get(&format!("/api/v1/sessions/{session}")).await.0, expected, "{who}");
    }
    // Another unit writes in nobody's file.
    let open = opens(&officer, json!({ "origin": "application" })).await;
    let miner = bureau.sign_in("miner").await;
    assert_eq!(refused(&miner, &open, record("accepted", json!({ "document_no": "1" }))).await.0, StatusCode::NOT_FOUND);
    let legal = bureau.sign_in("legal_unit").await;
    assert_eq!(refused(&legal, &open, record("accepted", json!({ "document_no": "1" }))).await.0, StatusCode::FORBIDDEN);
}

#[tokio::test(flavor = "multi_thread")]
async fn cases_outlive_their_index() {
    let mut bureau = Bureau::open().await;
    let officer = bureau.sign_in("officer").await;
    let id = opens(&officer, json!({ "origin": "application", "parties": ["张三"] })).await;
    changes(&officer, &id, record("application", json!({ "applicant": "张三", "items": "宅基地审批" }))).await;
    changes(&officer, &id, record("accepted", json!({ "document_no": "受1" }))).await;
    bureau.terminate();
    let catalog = rusqlite::Connection::open(bureau.data().join("catalog.db")).unwrap();
    catalog.execute_batch("DELETE FROM case_numbers; DELETE FROM cases; DELETE FROM case_search;").unwrap();
    drop(catalog);
    let out = Command::new(env!("CARGO_BIN_EXE_shilu")).args(["rebuild", "--config"]).arg(bureau.config()).output().unwrap();
    assert!(out.status.success() && String::from_utf8_lossy(&out.stdout).contains("1 cases"), "{}", String::from_utf8_lossy(&out.stderr));
    bureau.start().await;
    let officer = bureau.sign_in("officer").await;
    let seen = view(&officer, &id).await;
    assert_eq!((seen["case"]["state"].as_str(), seen["case"]["records"].as_array().unwrap().len()), (Some("initiated"), 2));
    assert_eq!(officer.get("/api/v1/cases?text=张三").await.1["total"], 1);
}
