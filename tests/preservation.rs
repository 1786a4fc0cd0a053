//! Keeping, holding and giving up, end to end (第十八条, 第十九条): on real recordings, with a mirror, by a clock that is months ahead.

use crate::support;

use reqwest::StatusCode;
use serde_json::{Value, json};
use std::path::Path;
use std::process::Command;
use std::time::Duration;
use support::bureau::{Bureau, Person};

/// A session that was recorded, sealed, handed over and received.
async fn kept(bureau: &Bureau) -> (Person, String) {
    let (officer, session) = bureau.records(200_000).await;
    officer.ends(&session).await;
    let custodian = bureau.sign_in("custodian").await;
    let to = custodian.get("/api/v1/me").await.1["person"]["id"].clone();
    let handed = officer.does("/api/v1/handovers", json!({ "sessions": [session], "to": to })).await;
    custodian.does(&format!("/api/v1/handovers/{}/receive", handed["id"].as_str().unwrap()), json!({})).await;
    custodian.waits_at(&format!("/api/v1/sessions/{session}"), |s| s["session"]["state"] == "kept").await;
    (officer, session)
}

fn files(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> =
        std::fs::read_dir(folder).unwrap().map(|e| e.unwrap().file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

/// Signed by the key that lies beside it, as `openssl` sees it.
fn is_signed(folder: &Path, name: &str, signer: &str) -> bool {
    let out = Command::new("openssl")
        .args(["pkeyutl", "-verify", "-pubin", "-inkey", signer, "-rawin", "-in", name, "-sigfile", &format!("{name}.sig")])
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
    let due = custodian.waits_at("/api/v1/retention", |r| r["total"] == 1).await;
    assert_eq!(due["clock"]["doubts"][0]["kind"], "away", "{due}");
    let (status, told) = custodian.post("/api/v1/disposals", wanted.clone()).await;
    assert_eq!((status, told["code"].as_str()), (StatusCode::CONFLICT, Some("not-disposable")), "{told}");
    let by_its_word = |log: &Value| log.as_array().is_some_and(|all| all.iter().any(|r| r["entry"]["about"]["code"] == "not_disposable"));
    legal.waits_at("/api/v1/log", by_its_word).await;
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
    let done = leader.waits_at(&format!("/api/v1/disposals/{disposal}"), |d| d["disposal"]["state"] == "executed").await;
    let outcome = &done["disposal"]["items"][0]["outcome"];
    assert_eq!((&outcome["outcome"], &outcome["gone_from"]), (&json!("gone"), &json!(["primary", "mirror"])), "{done}");

    // To its handover it stays what was received: with its row, its receiver, and nothing to receive any more.
    let handed = custodian.get("/api/v1/handover").await.1["handovers"][0].clone();
    assert_eq!((&handed["received"], &handed["sessions"]), (&json!(1), &json!(1)), "{handed}");
    let handed = handed["id"].as_str().unwrap().to_owned();
    let stays_received = async |who: &Person| {
        let view = who.get(&format!("/api/v1/handovers/{handed}")).await.1;
        let row = &view["sessions"][0];
        assert_eq!((&view["received"], &row["standing"], &row["session"]), (&json!(1), &json!("disposed"), &json!(session)), "{view}");
        assert_eq!((&view["may_receive"], &row["lacks"]), (&json!(false), &json!([])), "{view}");
        assert!(row["received_at"].is_string() && row["received_by"].is_string() && row["files"].as_u64() > Some(0), "{view}");
        let paper = who.ask(reqwest::Method::GET, &format!("/handover/{handed}/receipt"), None).await.text().await.unwrap();
        assert!(paper.contains("暨接收回执") && !paper.contains("待接收") && paper.contains("保存期满后已处置"), "{paper}");
        let page = who.ask(reqwest::Method::GET, &format!("/handover/{handed}"), None).await.text().await.unwrap();
        assert!(page.contains("已接收，现已处置") && !page.contains("核对无误"), "{page}");
    };
    stays_received(&custodian).await;

    // Gone from both volumes; what stays is signed, names nobody, and holds the digest of what was there.
    for volume in [bureau.data(), mirror.clone()] {
        let folder = volume.join(&below);
        assert_eq!(files(&folder), ["disposed.json", "disposed.json.sig", "signer.pem"]);
        assert!(is_signed(&folder, "disposed.json", "signer.pem"));
        let stays = std::fs::read_to_string(folder.join("disposed.json")).unwrap();
        assert!(!stays.contains("张三") && !stays.contains("王建国"), "{stays}");
        assert!(stays.contains(&shilu::model::digest::sha256(&seal)));
    }
    let certificate = bureau.data().join("disposals").join(&disposal);
    assert!(is_signed(&certificate, "certificate.json", "signer.pem"));
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
    let again = bureau.sign_in("custodian-again").await;
    stays_received(&again).await;
    let gone = again.get("/api/v1/retention?list=gone").await.1;
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

/// A burner that is a file, and checks twice a year.
async fn with_a_burner() -> Bureau {
    let mut bureau = Bureau::open().await;
    bureau.terminate();
    let drive = bureau.dir.path().join("drive.iso");
    bureau.configure(&format!("[media]\ndrive = \"stdio:{}\"\ncheck_months = 6\n", drive.display()));
    bureau.start().await;
    bureau
}

/// Hands a session to a court and closes that; the hold that came with it is lifted by two.
async fn provided(bureau: &Bureau, session: &str) -> String {
    let (legal, leader) = (bureau.sign_in("legal_unit").await, bureau.sign_in("leader_in_charge").await);
    let letter = json!({ "letter_no": "（2026）冀0533行初1号", "receiving_body": "威县人民法院", "kind": "litigation", "received": "2026-11-20", "sessions": [session] });
    let id = legal.does("/api/v1/provisions", letter).await["id"].as_str().unwrap().to_owned();
    let at = format!("/api/v1/provisions/{id}");
    legal.does(&format!("{at}/prepare"), json!({})).await;
    legal.waits_at(&at, |p| p["provision"]["state"] == "prepared").await;
    leader.does(&format!("{at}/approve"), json!({})).await;
    let today = chrono::Utc::now().with_timezone(&chrono::FixedOffset::east_opt(8 * 3600).unwrap()).date_naive();
    let form = reqwest::multipart::Form::new()
        .text("taken_by", "书记员 李某")
        .text("day", today.to_string())
        .part("file", reqwest::multipart::Part::bytes(b"%PDF-1.7 receipt".to_vec()).file_name("回执.pdf"));
    let handed = legal.client.post(format!("{}{at}/hand-over", bureau.url)).header("X-Csrf-Token", &legal.csrf).multipart(form).send();
    assert_eq!(handed.await.unwrap().status(), StatusCode::OK);
    legal.does(&format!("{at}/verify"), json!({})).await;
    legal.does(&format!("{at}/close"), json!({})).await;
    let to = format!("/api/v1/sessions/{session}/holds/say");
    let say = |say: &str| json!({ "ground": "provision", "about": id, "say": say, "reason": "已办结" });
    assert_eq!(legal.post(&to, say("ask")).await.0, StatusCode::NO_CONTENT);
    assert_eq!(leader.post(&to, say("lift")).await.0, StatusCode::NO_CONTENT);
    id
}

/// Puts sessions onto a disc in two copies; what was put together stays on the machine.
async fn on_two_discs(who: &Person, sessions: &[&str]) -> String {
    let ordered = who.does("/api/v1/media", json!({ "sessions": sessions, "kind": "dvd" })).await;
    let id = ordered[0]["id"].as_str().unwrap().to_owned();
    let at = format!("/api/v1/media/{id}");
    who.waits_at(&at, |m| m["medium"]["state"] == "ready" && m["step"].is_null()).await;
    for copy in 0..2 {
        who.does(&format!("{at}/copies"), json!({ "place": format!("档案室{}号柜", copy + 3) })).await;
        who.waits_at(&at, |m| m["step"].is_null() && m["medium"]["copies"][copy]["standing"] == "verified").await;
    }
    id
}

/// A day at the console, on this bureau.
pub fn console(bureau: &Bureau, script: &str, more: &[(&str, &str)]) {
    let accounts: Vec<Value> =
        support::bureau::ROLES.iter().map(|role| json!({ "role": role, "username": role, "password": bureau.password(role) })).collect();
    let mut told = json!({ "url": bureau.url, "accounts": accounts });
    more.iter().for_each(|(name, value)| told[*name] = json!(value));
    let file = bureau.dir.path().join("console.json");
    std::fs::write(&file, told.to_string()).unwrap();
    let mut node = Command::new("node");
    node.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/console").join(script)).arg(&file);
    if let Some(shots) = option_env!("SHILU_SCREENSHOTS") {
        node.arg(shots);
    }
    let out = node.output().unwrap();
    let words = format!("{}{}", String::from_utf8_lossy(&out.stdout), String::from_utf8_lossy(&out.stderr));
    assert!(out.status.success() && words.contains("done"), "{words}\n{}", bureau.log());
}

#[tokio::test(flavor = "multi_thread")]
async fn copies_that_no_program_can_remove_keep_a_disposal_open_until_each_is_destroyed_or_named() {
    let mut bureau = with_a_burner().await;
    let (_, session) = kept(&bureau).await;
    let (officer, other) = bureau.records(100_000).await;
    officer.ends(&other).await;
    let custodian = bureau.sign_in("custodian").await;
    custodian.post(&format!("/api/v1/sessions/{session}/routine"), json!({ "reason": "来访咨询" })).await;
    let provision = provided(&bureau, &session).await;
    let medium = on_two_discs(&custodian, &[&session, &other]).await;
    let image = bureau.data().join(format!("media/{medium}/image.iso"));
    let retained = bureau.data().join(format!("provisions/{provision}/{session}.tar"));
    assert!(image.exists() && retained.exists());
    let (_, before) = custodian.get("/api/v1/status").await;
    assert_eq!(before["machine"]["needed"], json!([]), "nothing is due yet");

    assert!(bureau.terminate());
    bureau.moved = Some("+240d");
    bureau.start().await;
    let (custodian, leader) = (bureau.sign_in("custodian").await, bureau.sign_in("leader_in_charge").await);
    let needed = json!([{ "need": "media_due", "count": 1 }]);
    custodian.waits_at("/api/v1/status", |s| s["machine"]["needed"] == needed).await;
    custodian.waits_at("/api/v1/retention", |r| r["total"] == 1).await;
    bureau.sign_in("legal_unit").await.does("/api/v1/clock/confirm", json!({ "reason": "与授时中心比对" })).await;
    let wanted = json!({ "sessions": [session], "reason": "期限已满，无保存价值" });
    let count = |page: &Value, list: &str| page["counts"].as_array().unwrap().iter().find(|c| c["list"] == list).unwrap()["count"].clone();
    let due = custodian.get("/api/v1/retention").await.1;
    assert_eq!((count(&due, "due"), &due["rows"][0]["disposal"]), (json!(1), &Value::Null), "{due}");
    let disposal = custodian.does("/api/v1/disposals", wanted).await["id"].as_str().unwrap().to_owned();
    let at = format!("/api/v1/disposals/{disposal}");
    // It is named where it was due, and waits for nobody's appraisal any more.
    let due = custodian.get("/api/v1/retention").await.1;
    assert_eq!((count(&due, "due"), &due["total"], &due["rows"][0]["disposal"]), (json!(0), &json!(1), &json!(disposal)), "{due}");
    // Who decides sees what it is that goes.
    let waits = leader.get(&at).await.1;
    let (party, files, why) =
        (&waits["sessions"][0]["session"]["party"], &waits["sessions"][0]["files"], &waits["sessions"][0]["retention"]);
    assert_eq!((party, &waits["sessions"][0]["obstacles"]), (&json!("张三"), &json!([])), "{waits}");
    assert!(files.as_u64() > Some(0) && why["class"] == "routine" && !why["earliest"].is_null(), "{waits}");
    console(&bureau, "decide.mjs", &[("session", &session), ("disposal", &disposal)]);
    let done = custodian.waits_at(&at, |d| d["disposal"]["state"] == "executed").await;
    assert_eq!(done["sessions"], json!([]), "nothing of it is here any more");
    assert_eq!(done["disposal"]["items"][0]["media"], json!([medium]), "named on the certificate");
    let left: Vec<&str> = done["copies"].as_array().unwrap().iter().map(|c| c["standing"].as_str().unwrap()).collect();
    assert_eq!((left, &done["copies"][0]["also_holds"]), (vec!["verified", "verified"], &json!([other])), "{done}");

    // What lay on this machine went: what was put together for the disc, and the copy that stayed of what the court got.
    assert!(!image.exists() && !retained.exists());
    let told: Value = serde_json::from_slice(&std::fs::read(retained.with_file_name("provision.json")).unwrap()).unwrap();
    assert_eq!(told["retained"][0]["disposed"]["disposal"], json!(disposal), "{told}");
    let legal = bureau.sign_in("legal_unit").await;
    legal.does(&format!("/api/v1/provisions/{provision}/verify"), json!({})).await;

    // Closed by a custodian of the unit, and not while a copy is neither destroyed nor left for a reason.
    let close = format!("{at}/close");
    for role in ["leader_in_charge", "legal_unit", "officer", "administrator"] {
        assert_eq!(bureau.sign_in(role).await.post(&close, json!({ "reason": "x" })).await.0, StatusCode::FORBIDDEN, "{role}");
    }
    let (status, no) = custodian.post(&close, json!({})).await;
    assert_eq!((status, no["code"].as_str(), no["article"].as_str()), (StatusCode::CONFLICT, Some("copies-left"), Some("第十八条")));
    assert!(no["message"].as_str().unwrap().contains(&format!("{medium}-1、{medium}-2")), "{no}");
    let copy = format!("/api/v1/media/{medium}/copies/1");
    for (how, witness) in [("粉碎", "custodian"), ("", "冯静"), ("粉碎", " ")] {
        let (status, _) = custodian.post(&copy, json!({ "change": "destroy", "how": how, "seen_by": witness })).await;
        assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{how} {witness}");
    }
    console(&bureau, "disposal.mjs", &[("session", &session), ("disposal", &disposal), ("provision", &provision)]);
    assert_eq!(custodian.post(&copy, json!({ "change": "move", "place": "他处" })).await.1["code"], "copy-standing");
    assert_eq!(custodian.post(&close, json!({})).await.1["code"], "disposal-state", "once");
    let folder = bureau.data().join("disposals").join(&disposal);
    assert!(is_signed(&folder, "certificate.json", "signer.pem"));
    assert!(is_signed(&folder, "closing.json", "closing.signer.pem"), "by the key of its own day");
    let paper = std::fs::read_to_string(folder.join("closing.json")).unwrap();
    assert!(paper.contains("机械粉碎") && paper.contains("同盘另有尚未到期的录制"), "{paper}");

    // An index made anew knows all of it.
    let before = (custodian.get(&at).await.1, legal.get(&format!("/api/v1/provisions/{provision}")).await.1);
    assert!(!before.0["closing_sha256"].is_null());
    assert!(bureau.terminate());
    for tail in ["", "-wal", "-shm"] {
        drop(std::fs::remove_file(bureau.data().join(format!("catalog.db{tail}"))));
    }
    let rebuilt = Command::new(env!("CARGO_BIN_EXE_shilu")).args(["rebuild", "--config"]).arg(bureau.config()).output().unwrap();
    assert!(rebuilt.status.success(), "{}", String::from_utf8_lossy(&rebuilt.stdout));
    bureau.add_account("legal-again", "legal_unit", "mines");
    bureau.start().await;
    let again = bureau.sign_in("legal-again").await;
    let after = (again.get(&at).await.1, again.get(&format!("/api/v1/provisions/{provision}")).await.1);
    assert_eq!(
        (&after.0["disposal"], &after.0["copies"], &after.1["provision"]),
        (&before.0["disposal"], &before.0["copies"], &before.1["provision"])
    );

    // A folder that cannot be listed is told, and not taken for an empty one.
    assert!(bureau.terminate());
    std::fs::rename(bureau.data().join("cases"), bureau.data().join("cases-aside")).ok();
    std::fs::write(bureau.data().join("cases"), b"no folder").unwrap();
    let rebuilt = Command::new(env!("CARGO_BIN_EXE_shilu")).args(["rebuild", "--config"]).arg(bureau.config()).output().unwrap();
    assert!(!rebuilt.status.success() && String::from_utf8_lossy(&rebuilt.stderr).contains("cases"), "{rebuilt:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disposal_that_cannot_be_carried_out_holds_up_no_other() {
    let mut bureau = Bureau::open().await;
    let (_, broken) = kept(&bureau).await;
    let (_, whole) = kept(&bureau).await;
    let custodian = bureau.sign_in("custodian").await;
    for session in [&broken, &whole] {
        let said = custodian.post(&format!("/api/v1/sessions/{session}/routine"), json!({ "reason": "来访咨询" })).await;
        assert_eq!(said.0, StatusCode::NO_CONTENT);
    }
    assert!(bureau.terminate());
    bureau.moved = Some("+240d");
    bureau.start().await;
    let (custodian, leader) = (bureau.sign_in("custodian").await, bureau.sign_in("leader_in_charge").await);
    custodian.waits_at("/api/v1/retention", |r| r["total"] == 2).await;
    bureau.sign_in("legal_unit").await.does("/api/v1/clock/confirm", json!({ "reason": "与授时中心比对" })).await;
    let mut proposed = Vec::new();
    for session in [&broken, &whole] {
        let wanted = json!({ "sessions": [session], "reason": "期限已满，无保存价值" });
        proposed.push(custodian.does("/api/v1/disposals", wanted).await["id"].as_str().unwrap().to_owned());
    }
    // A row of the register of discs that nobody can read: what the first of them needs to know, it never learns.
    let catalog = rusqlite::Connection::open(bureau.data().join("catalog.db")).unwrap();
    catalog.busy_timeout(Duration::from_secs(10)).unwrap();
    let unread = "INSERT INTO media (id, unit, kind, state, ordered_at, doc) VALUES ('m-x', 'land-use', 'dvd', 'kept', 0, '{}')";
    catalog.execute(unread, []).unwrap();
    catalog.execute("INSERT INTO media_sessions (session, medium, part, parts) VALUES (?1, 'm-x', 1, 1)", [&broken]).unwrap();
    for id in &proposed {
        leader.does(&format!("/api/v1/disposals/{id}/decide"), json!({ "approved": true })).await;
    }
    let done = leader.waits_at(&format!("/api/v1/disposals/{}", proposed[1]), |d| d["disposal"]["state"] == "executed").await;
    assert_eq!(done["disposal"]["items"][0]["outcome"]["outcome"], "gone", "{done}");
    assert!(bureau.folder(&broken).join("session.json").exists(), "and of the other nothing went");
    // Once what was wrong is mended it goes on by itself, at the next decision or minute.
    catalog.execute("DELETE FROM media_sessions WHERE medium = 'm-x'", []).unwrap();
    let done = leader.waits_at(&format!("/api/v1/disposals/{}", proposed[0]), |d| d["disposal"]["state"] == "executed").await;
    assert_eq!(done["disposal"]["items"][0]["outcome"]["outcome"], "gone", "{done}");
}
