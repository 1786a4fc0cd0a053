//! The day's material, from officer to custodian by two people (第十四条).

use crate::support::bureau::{Bureau, verify};
use crate::support::portable::{H264, recording, takes_in, whole_form};
use reqwest::StatusCode;
use serde_json::{Value, json};

#[tokio::test(flavor = "multi_thread")]
async fn the_days_material_goes_from_officer_to_custodian_by_two_people_and_is_read_again() {
    let mut bureau = Bureau::open().await;
    bureau.terminate();
    bureau.add_account("custodian-2", "custodian", "land-use");
    bureau.add_account("other-unit", "custodian", "mines");
    std::fs::write(
        bureau.config(),
        std::fs::read_to_string(bureau.config()).unwrap().replacen(
            "[[units]]",
            "[[devices]]\nnumber = \"BWC-017\"\nunit = \"land-use\"\nname = \"执法记录仪 17\"\n[[units]]",
            1,
        ),
    )
    .unwrap();
    bureau.start().await;
    // A room session, and what the officer's own recorder brought.
    let (officer, room) = bureau.records(200_000).await;
    officer.ends(&room).await;
    let dir = tempfile::tempdir().unwrap();
    let file = recording(dir.path(), "bwc.mp4", H264);
    officer.does("/api/v1/check-outs", json!({ "device_no": "BWC-017", "battery": 95, "free_gb": 60 })).await;
    assert_eq!(
        officer.post("/api/v1/check-outs", json!({ "device_no": "BWC-017" })).await.0,
        StatusCode::UNPROCESSABLE_ENTITY,
        "it is out"
    );
    assert_eq!(officer.post("/api/v1/check-outs", json!({ "device_no": "X" })).await.0, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(officer.get("/api/v1/handover").await.1["check_outs"][0]["state"], "out");
    let brought = takes_in(&officer, &file, json!({ "device_no": "BWC-017" })).await;
    let desk = officer.get("/api/v1/handover").await.1;
    assert_eq!(desk["check_outs"][0]["state"], "came");
    let mine: Vec<&str> = desk["mine"].as_array().unwrap().iter().map(|r| r["session"].as_str().unwrap()).collect();
    assert!(mine.len() == 2 && mine.contains(&&*room) && mine.contains(&&*brought), "{desk}");
    let names: Vec<&str> = desk["custodians"].as_array().unwrap().iter().map(|c| c["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["custodian", "custodian-2"], "of the unit");
    let to = desk["custodians"][0]["id"].as_str().unwrap().to_owned();
    // Handed over as it is; the receipt waits for the six fields.
    for role in ["office", "leader_in_charge", "legal_unit", "reviewer", "administrator"] {
        let who = bureau.sign_in(role).await;
        assert_eq!(who.post("/api/v1/handovers", json!({ "sessions": [brought], "to": to })).await.0, StatusCode::FORBIDDEN, "{role}");
    }
    let handed = officer.does("/api/v1/handovers", json!({ "sessions": [room, brought], "to": to })).await;
    let at = format!("/api/v1/handovers/{}", handed["id"].as_str().unwrap());
    let received = format!("{at}/receive");
    assert_eq!(officer.post("/api/v1/handovers", json!({ "sessions": [room], "to": to })).await.0, StatusCode::CONFLICT, "once");
    let custodian = bureau.sign_in("custodian").await;
    let (status, told) = custodian.post(&received, json!({})).await;
    assert_eq!((status, told["code"].as_str(), told["article"].as_str()), (StatusCode::CONFLICT, Some("fields-open"), Some("第十七条")));
    assert_eq!(officer.post(&received, json!({})).await.0, StatusCode::FORBIDDEN, "nobody receives what they handed over");
    assert_eq!(bureau.sign_in("other-unit").await.post(&received, json!({})).await.0, StatusCode::NOT_FOUND);
    // The inbox says whose it is. Nothing ticked is nothing chosen: the form says so, and nothing is read or received.
    let inbox = custodian.get("/api/v1/handover").await.1["handovers"][0].clone();
    assert_eq!((inbox["id"].as_str(), inbox["from_name"].as_str()), (handed["id"].as_str(), Some("officer")), "{inbox}");
    let page = at.replace("/api/v1/handovers/", "/handover/");
    let nothing = custodian.client.post(format!("{}{page}/receive", bureau.url)).header("Referer", format!("{}{page}", bureau.url));
    let nothing = nothing.form(&[("csrf", &custodian.csrf)]).send().await.unwrap();
    assert_eq!(nothing.status(), StatusCode::UNPROCESSABLE_ENTITY);
    let told = nothing.text().await.unwrap();
    assert!(told.contains("请至少选择一次录制") && told.contains(&format!("action=\"{page}/receive\"")), "{told}");
    assert_eq!(custodian.post(&received, json!({ "sessions": [] })).await.0, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(custodian.get(&at).await.1["working"], Value::Null);
    officer
        .does(&format!("/api/v1/sessions/{brought}/link"), {
            let mut facts = whole_form("")["facts"].clone();
            facts["reason"] = json!("补充");
            facts
        })
        .await;
    // A file that is not what was sealed gets no receipt; the other does.
    let stored =
        std::fs::read_dir(bureau.folder(&brought)).unwrap().flatten().map(|e| e.path()).find(|p| p.extension().is_some_and(|e| e == "mp4"));
    let stored = stored.unwrap();
    let good = std::fs::read(&stored).unwrap();
    let mut bad = good.clone();
    bad[2000] ^= 1;
    std::fs::write(&stored, bad).unwrap();
    assert_eq!(custodian.post(&received, json!({})).await.0, StatusCode::ACCEPTED);
    let row = |v: &Value, id: &str| v["sessions"].as_array().unwrap().iter().find(|s| s["session"] == id).cloned().unwrap();
    let after = custodian.waits_at(&at, |v| v["working"].is_null() && row(v, &room)["standing"] == "received").await;
    assert_eq!(row(&after, &brought)["standing"], "waiting");
    assert!(row(&after, &brought)["problem"].as_str().unwrap().ends_with(".mp4") && after["received_by"].is_null(), "{after}");
    // For the part that was received the paper is a receipt: by whom and when, session by session.
    assert_eq!((&after["received"], &row(&after, &room)["received_by"]), (&json!(1), &json!("custodian")), "{after}");
    let paper = custodian.ask(reqwest::Method::GET, &format!("{page}/receipt"), None).await.text().await.unwrap();
    let (of_brought, of_room) =
        (paper.split("录制编号").find(|p| p.contains(&*brought)), paper.split("录制编号").find(|p| p.contains(&*room)));
    assert!(of_room.unwrap().contains("custodian，20") && of_brought.unwrap().contains("待接收"), "{paper}");
    assert!(paper.contains("暨部分接收回执") && !paper.contains("不是回执"), "{paper}");
    std::fs::write(&stored, good).unwrap();
    custodian.does(&received, json!({ "sessions": [brought] })).await;
    let after = custodian.waits_at(&at, |v| !v["received_by"].is_null()).await;
    assert_eq!((after["received_by"].as_str(), after["from_name"].as_str()), (Some("custodian"), Some("officer")));
    let state = officer.get(&format!("/api/v1/sessions/{brought}")).await.1["session"].clone();
    assert_eq!((state["state"].as_str(), state["receipt"]["by"].as_str()), (Some("kept"), Some(&*to)));
    for session in [&room, &brought] {
        let journal = std::fs::read_to_string(bureau.folder(session).join("journal.jsonl")).unwrap();
        assert!(journal.contains("handed_over") && journal.contains("received"), "{journal}");
        let (code, words) = verify(&bureau.folder(session));
        assert_eq!(code, 0, "{words}");
    }
    // The one who takes in and the one who keeps are two, also among custodians.
    let own = recording(dir.path(), "own.wav", "-c:a pcm_s16le");
    let own = takes_in(&custodian, &own, whole_form("PEN-1")).await;
    assert_eq!(custodian.post("/api/v1/handovers", json!({ "sessions": [own], "to": to })).await.1["code"], "same-person");
    let other = desk["custodians"][1]["id"].as_str().unwrap();
    let handed = custodian.does("/api/v1/handovers", json!({ "sessions": [own], "to": other })).await;
    let at = format!("/api/v1/handovers/{}", handed["id"].as_str().unwrap());
    assert_eq!(custodian.post(&format!("{at}/receive"), json!({})).await.1["code"], "same-person");
    let second = bureau.sign_in("custodian-2").await;
    second.does(&format!("{at}/receive"), json!({})).await;
    second.waits_at(&at, |v| v["received_by"] == "custodian-2").await;
    let kinds: Vec<Value> = bureau.entries().await.iter().map(|r| r["entry"]["kind"].clone()).collect();
    for kind in ["device_checked_out", "session_handed_over", "session_received", "damage_found"] {
        assert!(kinds.contains(&json!(kind)), "{kind}");
    }
    // Those who supervise see the lists; what was handed over in time is on none of them.
    for role in ["leader_in_charge", "bureau_head", "legal_unit"] {
        let desk = bureau.sign_in(role).await.get("/api/v1/handover").await.1;
        assert_eq!((desk["overdue"].as_array().unwrap().len(), desk["check_outs"].as_array().unwrap().len()), (0, 1), "{role}: {desk}");
    }
    for role in ["office", "reviewer", "inspector", "administrator"] {
        assert_eq!(bureau.sign_in(role).await.get("/api/v1/handover").await.0, StatusCode::FORBIDDEN, "{role}");
    }
}
