//! Keeping, holding and giving up, end to end (第十八条, 第十九条): on real recordings, with a mirror, by a clock that is months ahead.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)] // a test may fail loudly

mod support;

use reqwest::StatusCode;
use serde_json::{Value, json};
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};
use support::bureau::{Bureau, Person};

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

/// A session that was recorded, sealed, handed over and received.
async fn kept(bureau: &Bureau) -> (Person, String) {
    let (officer, session) = bureau.records(200_000).await;
    officer.ends(&session).await;
    let custodian = bureau.sign_in("custodian").await;
    let to = custodian.get("/api/v1/me").await.1["person"]["id"].clone();
    let handed = officer.does("/api/v1/handovers", json!({ "sessions": [session], "to": to })).await;
    custodian.does(&format!("/api/v1/handovers/{}/receive", handed["id"].as_str().unwrap()), json!({})).await;
    waits(&custodian, &format!("/api/v1/sessions/{session}"), |s| s["session"]["state"] == "kept").await;
    (officer, session)
}

fn files(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> =
        std::fs::read_dir(folder).unwrap().map(|e| e.unwrap().file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

/// Signed by the key that lies beside it, as `openssl` sees it.
fn is_signed(folder: &Path, name: &str) -> bool {
    let out = Command::new("openssl")
        .args(["pkeyutl", "-verify", "-pubin", "-inkey", "signer.pem", "-rawin", "-in", name, "-sigfile", &format!("{name}.sig")])
        .current_dir(folder)
        .output()
        .unwrap();
    out.status.success()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_is_given_up_by_two_people_after_its_period_from_every_volume_and_a_certificate_stays() {
    let dir = tempfile::tempdir().unwrap();
    let mirror = dir.path().join("mirror");
    let mut bureau = Bureau::open_in(dir, None, &format!("mirror = \"{}\"", mirror.display()), "").await;
    let (_, session) = kept(&bureau).await;
    let (custodian, leader) = (bureau.sign_in("custodian").await, bureau.sign_in("leader_in_charge").await);
    let (at, wanted) = (format!("/api/v1/sessions/{session}"), json!({ "sessions": [session], "reason": "期限已满，无保存价值" }));
    // Its case is in no register: what is not known is kept, without a date, until the custodian says what it is.
    let keeping = custodian.get(&format!("{at}/retention")).await.1;
    assert_eq!((&keeping["retention"]["class"], &keeping["retention"]["earliest"]), (&json!("unclassified"), &Value::Null));
    assert_eq!(bureau.sign_in("officer").await.post(&format!("{at}/routine"), json!({ "reason": "咨询" })).await.0, StatusCode::FORBIDDEN);
    assert_eq!(custodian.post(&format!("{at}/routine"), json!({ "reason": "来访咨询" })).await.0, StatusCode::NO_CONTENT);
    let keeping = custodian.get(&format!("{at}/retention")).await.1;
    assert_eq!(keeping["obstacles"], json!(["not_over"]), "{keeping}");
    assert_eq!(custodian.post("/api/v1/disposals", wanted.clone()).await.0, StatusCode::CONFLICT, "six months are not over");
    let folder = bureau.folder(&session);
    let below = folder.strip_prefix(bureau.data()).unwrap().to_owned();
    assert!(files(&mirror.join(&below)).iter().any(|f| f.ends_with(".mp4")));

    // Eight months on, by the clock of the machine alone: nothing is given up until somebody has looked at it.
    assert!(bureau.terminate());
    bureau.moved = Some("+240d");
    bureau.start().await;
    let (custodian, legal) = (bureau.sign_in("custodian").await, bureau.sign_in("legal_unit").await);
    let due = waits(&custodian, "/api/v1/retention", |r| r["total"] == 1).await;
    assert_eq!(due["clock"]["doubts"][0]["kind"], "away", "{due}");
    let (status, told) = custodian.post("/api/v1/disposals", wanted.clone()).await;
    assert_eq!((status, told["code"].as_str()), (StatusCode::CONFLICT, Some("not-disposable")), "{told}");
    legal.does("/api/v1/clock/confirm", json!({ "reason": "与授时中心比对" })).await;
    let disposal = custodian.does("/api/v1/disposals", wanted).await["id"].as_str().unwrap().to_owned();
    let decide = format!("/api/v1/disposals/{disposal}/decide");
    for role in ["custodian", "officer", "legal_unit", "administrator", "office", "reviewer", "inspector"] {
        let who = bureau.sign_in(role).await;
        assert_eq!(who.post(&decide, json!({ "approved": true })).await.0, StatusCode::FORBIDDEN, "{role}");
    }
    drop(leader);
    let leader = bureau.sign_in("leader_in_charge").await;
    let reviewer = bureau.sign_in("reviewer").await;
    reviewer.gets_grant(&leader, &session, "copy").await;
    assert!(folder.join("session.json").exists());
    let seal = std::fs::read(folder.join("session.json")).unwrap();
    leader.does(&decide, json!({ "approved": true })).await;
    let done = waits(&leader, &format!("/api/v1/disposals/{disposal}"), |d| d["disposal"]["state"] == "executed").await;
    let outcome = &done["disposal"]["items"][0]["outcome"];
    assert_eq!((&outcome["outcome"], &outcome["gone_from"]), (&json!("gone"), &json!(["primary", "mirror"])), "{done}");

    // Gone from both volumes; what stays is signed, names nobody, and holds the digest of what was there.
    for volume in [bureau.data(), mirror.clone()] {
        let folder = volume.join(&below);
        assert_eq!(files(&folder), ["disposed.json", "disposed.json.sig", "signer.pem"]);
        assert!(is_signed(&folder, "disposed.json"));
        let stays = std::fs::read_to_string(folder.join("disposed.json")).unwrap();
        assert!(!stays.contains("张三") && !stays.contains("王建国"), "{stays}");
        assert!(stays.contains(&shilu::model::digest::sha256(&seal)));
    }
    let certificate = bureau.data().join("disposals").join(&disposal);
    assert!(is_signed(&certificate, "certificate.json"));
    assert_eq!(done["certificate_sha256"].as_str().map(str::len), Some(64));
    let log = bureau.sign_in("inspector").await.get("/api/v1/log").await.1;
    for kind in [
        "clock_doubted",
        "clock_confirmed",
        "declared_routine",
        "disposal_proposed",
        "disposal_approved",
        "session_disposed",
        "disposal_executed",
    ] {
        assert!(log.as_array().unwrap().iter().any(|r| r["entry"]["kind"] == kind), "{kind}");
    }
    assert!(log.as_array().unwrap().iter().all(|r| r["entry"]["kind"] != "damage_found"), "what was given up is no damage");
    // An approval opens nothing that is gone; a name finds nothing any more.
    assert_eq!(reviewer.post(&format!("{at}/viewings"), json!({})).await.0, StatusCode::CONFLICT);
    let found = async |query: &str| custodian.get(&format!("/api/v1/sessions?{query}")).await.1["total"].clone();
    assert_eq!((found("party=张三").await, found(&format!("text={session}")).await), (json!(0), json!(1)));

    // A restart takes it for no session of its own; an index made anew still knows that it was given up.
    assert!(bureau.terminate());
    for tail in ["", "-wal", "-shm"] {
        drop(std::fs::remove_file(bureau.data().join(format!("catalog.db{tail}"))));
    }
    let rebuilt = Command::new(env!("CARGO_BIN_EXE_shilu")).args(["rebuild", "--config"]).arg(bureau.config()).output().unwrap();
    assert!(rebuilt.status.success(), "{}", String::from_utf8_lossy(&rebuilt.stdout));
    bureau.add_account("custodian-again", "custodian", "land-use");
    bureau.start().await;
    let gone = bureau.sign_in("custodian-again").await.get("/api/v1/retention?list=gone").await.1;
    assert_eq!((&gone["total"], &gone["rows"][0]["session"]["id"]), (&json!(1), &json!(session)), "{gone}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hold_bites_at_once_takes_two_to_lift_and_comes_by_itself_with_a_lawsuit_or_a_provision() {
    let bureau = Bureau::open().await;
    let (officer, session) = bureau.records(200_000).await;
    officer.ends(&session).await;
    let (leader, legal) = (bureau.sign_in("leader_in_charge").await, bureau.sign_in("legal_unit").await);
    let at = format!("/api/v1/sessions/{session}");
    let holds = async |who: &Person| who.get(&format!("{at}/retention")).await.1["holds"].as_array().unwrap().clone();
    for role in ["office", "administrator", "inspector", "live_viewer"] {
        let who = bureau.sign_in(role).await;
        assert_eq!(
            who.post(&format!("{at}/holds"), json!({ "ground": "objection", "reason": "x" })).await.0,
            StatusCode::FORBIDDEN,
            "{role}"
        );
    }
    let empty = officer.post(&format!("{at}/holds"), json!({ "ground": "objection", "reason": " " })).await;
    assert_eq!(empty.0, StatusCode::UNPROCESSABLE_ENTITY);
    let automatic = officer.post(&format!("{at}/holds"), json!({ "ground": "litigation", "reason": "x" })).await;
    assert_eq!(automatic.0, StatusCode::CONFLICT, "comes by itself alone");
    assert_eq!(
        officer.post(&format!("{at}/holds"), json!({ "ground": "objection", "reason": "当事人有异议" })).await.0,
        StatusCode::CREATED
    );
    let keeping = officer.get(&format!("{at}/retention")).await.1;
    assert!(keeping["obstacles"].as_array().unwrap().contains(&json!("held")), "{keeping}");
    let say = |say: &str| json!({ "ground": "objection", "about": "1", "say": say, "reason": "已办结" });
    let to = format!("{at}/holds/say");
    assert_eq!(officer.post(&to, say("confirm")).await.0, StatusCode::FORBIDDEN);
    assert_eq!(leader.post(&to, say("lift")).await.0, StatusCode::CONFLICT, "nobody asked");
    assert_eq!(leader.post(&to, say("confirm")).await.0, StatusCode::NO_CONTENT);
    assert_eq!(legal.post(&to, say("ask")).await.0, StatusCode::NO_CONTENT);
    let own = legal.post(&to, say("lift")).await;
    assert_eq!((own.0, own.1["article"].as_str()), (StatusCode::FORBIDDEN, Some("第十九条")), "nobody lifts alone");
    assert_eq!(holds(&officer).await[0]["state"], "lift_proposed");
    assert_eq!(leader.post(&to, say("lift")).await.0, StatusCode::NO_CONTENT);
    assert_eq!(holds(&officer).await[0]["state"], "lifted");

    // A provision and a lawsuit hold by themselves, until they are over.
    let letter = json!({ "letter_no": "（2026）冀0533行初1号", "receiving_body": "威县人民法院", "kind": "litigation", "received": "2026-11-20", "sessions": [session] });
    let provision = legal.does("/api/v1/provisions", letter).await["id"].clone();
    let new = json!({ "origin": "own_initiative", "number": "威自然资罚〔2026〕12号", "kind": "penalty", "procedure": "ordinary", "cause": "未经批准占用土地" });
    let case = officer.does("/api/v1/cases", new).await["id"].as_str().unwrap().to_owned();
    let sued = json!({ "change": "record", "kind": "litigation", "fields": { "court": "威县人民法院", "document_no": "（2026）冀0533行初1号" }, "stated_at": "2026-11-20T08:00:00Z" });
    officer.does(&format!("/api/v1/cases/{case}/changes"), sued).await;
    let all = holds(&officer).await;
    let grounds: Vec<&str> = all.iter().map(|h| h["hold"]["ground"].as_str().unwrap()).collect();
    assert!(grounds.contains(&"provision") && grounds.contains(&"litigation"), "{all:?}");
    let pending = json!({ "ground": "provision", "about": provision, "say": "ask", "reason": "不需要了" });
    assert_eq!(legal.post(&to, pending).await.1["code"], "hold-pending");
    let keeping = officer.get(&format!("{at}/retention")).await.1;
    assert_eq!((&keeping["retention"]["class"], &keeping["retention"]["earliest"]), (&json!("evidence"), &Value::Null), "{keeping}");
    assert_eq!(legal.get("/api/v1/holds").await.1.as_array().map(Vec::len), Some(1));
}
