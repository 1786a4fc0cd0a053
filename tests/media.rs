//! Media, end to end (第十九条): planned, made, burnt into a drive's stead, read back, checked, damaged, repaired, made anew.

use crate::support;

use reqwest::StatusCode;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};
use support::bureau::{Bureau, Person};

/// A bureau whose burner is a file, with a removable disk that is a folder; and a sealed session that the legal unit's letter holds.
async fn held() -> (Bureau, Person, Person, String) {
    let mut bureau = Bureau::open().await;
    bureau.terminate();
    let disk = bureau.dir.path().join("disk");
    std::fs::create_dir(&disk).unwrap();
    bureau.configure(&format!("[media]\ndrive = \"stdio:{}\"\nremovable = [\"{}\"]\n", drive(&bureau).display(), disk.display()));
    bureau.start().await;
    let (officer, session) = bureau.records(300_000).await;
    officer.ends(&session).await;
    let legal = bureau.sign_in("legal_unit").await;
    let letter = json!({ "letter_no": "（2026）冀0533行初1号", "receiving_body": "威县人民法院", "kind": "litigation", "received": "2026-11-20", "sessions": [session] });
    legal.does("/api/v1/provisions", letter).await;
    let custodian = bureau.sign_in("custodian").await;
    (bureau, custodian, legal, session)
}

fn drive(bureau: &Bureau) -> PathBuf {
    bureau.dir.path().join("drive.iso")
}

/// Waits until a medium is as wanted and nothing runs on it.
async fn waits(bureau: &Bureau, who: &Person, id: &str, until: impl Fn(&Value) -> bool) -> Value {
    let deadline = Instant::now() + Duration::from_mins(3);
    loop {
        let (_, view) = who.get(&format!("/api/v1/media/{id}")).await;
        if view["step"].is_null() && until(&view["medium"]) {
            return view;
        }
        assert!(Instant::now() < deadline && view["medium"]["state"] != "failed", "{view}\n{}", bureau.log());
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

async fn orders(bureau: &Bureau, who: &Person, order: Value) -> String {
    let ordered = who.does("/api/v1/media", order).await;
    let id = ordered[0]["id"].as_str().unwrap().to_owned();
    waits(bureau, who, &id, |m| m["state"] == "ready").await;
    id
}

async fn burns(bureau: &Bureau, who: &Person, id: &str, place: &str) -> Value {
    let begun = who.does(&format!("/api/v1/media/{id}/copies"), json!({ "place": place })).await;
    let copy = begun["copies"].as_array().unwrap().len() - 1;
    waits(bureau, who, id, |m| m["copies"][copy]["standing"] != "working").await
}

fn run(program: &str, arguments: &[&str], folder: &Path) -> String {
    let out = Command::new(program).args(arguments).current_dir(folder).output().unwrap();
    let said = format!("{}{}", String::from_utf8_lossy(&out.stdout), String::from_utf8_lossy(&out.stderr));
    assert!(out.status.success(), "{program} {arguments:?}: {said}");
    said
}

/// Takes a disc out on another machine: an empty folder, and nothing of the product.
fn extracted(image: &Path, to: &Path) {
    std::fs::create_dir(to).unwrap();
    run("bsdtar", &["-xf", image.to_str().unwrap()], to);
    run("chmod", &["-R", "u+w", "."], to);
}

async fn kinds(bureau: &Bureau) -> Vec<String> {
    let rows = bureau.sign_in("inspector").await.get("/api/v1/log").await.1;
    rows.as_array().unwrap().iter().map(|r| r["entry"]["kind"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disc_is_verified_by_reading_it_back_and_an_outsider_checks_it_on_another_machine() {
    let (bureau, custodian, _, session) = held().await;
    let register = custodian.get("/api/v1/media").await.1;
    assert_eq!((register["without"][0]["session"].as_str(), &register["without"][0]["second"]["is"]), (Some(&*session), &json!("within")));
    let order = json!({ "sessions": [session], "kind": "dvd" });
    let plan = custodian.does("/api/v1/media/plan", order.clone()).await;
    assert_eq!((plan["media"].as_array().unwrap().len(), &plan["missing_programs"]), (1, &json!([])));
    let id = orders(&bureau, &custodian, order).await;
    let view = custodian.get(&format!("/api/v1/media/{id}")).await.1;
    assert!(view["medium"]["bytes"].as_u64().unwrap() > 600_000 && view["medium"]["copies"] == json!([]), "{view}");
    assert_eq!(custodian.get("/api/v1/media").await.1["without"][0]["begun"], true);
    assert!(!bureau.data().join(format!("media/{id}/tree")).exists(), "second names are gone");
    let view = burns(&bureau, &custodian, &id, "档案室三号柜").await;
    let copy = &view["medium"]["copies"][0];
    assert_eq!(
        (copy["standing"].as_str(), copy["verified_how"].as_str()),
        (Some("verified"), Some("read_back")),
        "{view}\n{}",
        bureau.log()
    );
    assert!(copy["next_check"].as_str().unwrap() > "2027");
    assert_eq!(custodian.get("/api/v1/media").await.1["without"], json!([]), "it has its second medium");

    let there = bureau.dir.path().join("elsewhere");
    extracted(&drive(&bureau), &there);
    run("sha256sum", &["--quiet", "-c", "contents.sha256"], &there);
    let checked = Command::new(env!("CARGO_BIN_EXE_shilu-verify")).arg(there.join(&session)).output().unwrap();
    assert_eq!(checked.status.code(), Some(0), "{}", String::from_utf8_lossy(&checked.stdout));
    let outsider = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/outsider.py");
    run("python3", &[outsider.to_str().unwrap(), there.join(&session).to_str().unwrap()], &there);
    for (file, words) in [
        ("README.zh-CN.txt", "第十九条"),
        ("README.en.txt", "par2 repair -p"),
        ("index.html", "核验"),
        ("label.txt", "案由名称：未经批准占用土地"),
    ] {
        assert!(std::fs::read_to_string(there.join(file)).unwrap().contains(words), "{file}");
    }

    // A range of sectors is lost: the check tells it, and the parity data brings it back.
    let video = run("find", &[&session, "-name", "*.mp4", "-size", "+100k"], &there).lines().next().unwrap().to_owned();
    let whole = std::fs::read(there.join(&video)).unwrap();
    let mut image = std::fs::read(drive(&bureau)).unwrap();
    let at = image.windows(4096).position(|w| w == &whole[40_960..45_056]).expect("the video in the image");
    image[at..at + 20_480].fill(0);
    std::fs::write(drive(&bureau), image).unwrap();
    custodian.post(&format!("/api/v1/media/{id}/copies/1"), json!({ "change": "check" })).await;
    let view = waits(&bureau, &custodian, &id, |m| m["copies"][0]["standing"] == "damaged").await;
    assert_eq!((&view["needs_new_copy"], view["medium"]["state"].as_str()), (&json!(true), Some("ready")));
    assert!(
        view["medium"]["history"].as_array().unwrap().iter().any(|h| h["kind"] == "damaged" && h["text"].as_str().unwrap().contains("mp4"))
    );
    assert_eq!(custodian.get("/api/v1/media").await.1["without"][0]["session"], json!(session), "it has none any more");
    let rescued = bureau.dir.path().join("rescued");
    extracted(&drive(&bureau), &rescued);
    assert!(std::fs::read(rescued.join(&video)).unwrap() != whole);
    run("par2", &["repair", "-q", "-p", "-B", rescued.to_str().unwrap(), rescued.join("parity/disc.par2").to_str().unwrap()], &rescued);
    assert!(std::fs::read(rescued.join(&video)).unwrap() == whole);
    let checked = Command::new(env!("CARGO_BIN_EXE_shilu-verify")).arg(rescued.join(&session)).output().unwrap();
    assert_eq!(checked.status.code(), Some(0));

    // Another copy of the same image takes its place.
    let view = burns(&bureau, &custodian, &id, "档案室四号柜").await;
    let standings: Vec<&str> = view["medium"]["copies"].as_array().unwrap().iter().map(|c| c["standing"].as_str().unwrap()).collect();
    assert_eq!((standings, &view["needs_new_copy"]), (vec!["replaced", "verified"], &json!(false)));
    let kinds = kinds(&bureau).await;
    for kind in ["medium_ordered", "medium_made", "medium_copy_begun", "medium_copy_verified", "medium_checked", "damage_found"] {
        assert!(kinds.iter().any(|k| k == kind), "{kind}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn only_who_keeps_a_units_recordings_makes_media_of_them_and_nobody_gets_an_image() {
    let (bureau, custodian, legal, session) = held().await;
    let order = json!({ "sessions": [session], "kind": "bd25" });
    for role in ["officer", "office", "leader_in_charge", "bureau_head", "reviewer", "inspector", "administrator", "live_viewer"] {
        let person = bureau.sign_in(role).await;
        assert_eq!(person.post("/api/v1/media", order.clone()).await.0, StatusCode::FORBIDDEN, "{role}");
        assert_eq!(person.get("/api/v1/media").await.0, StatusCode::FORBIDDEN, "{role}");
    }
    for (wrong, status) in [
        (json!({ "sessions": [], "kind": "dvd" }), StatusCode::UNPROCESSABLE_ENTITY),
        (json!({ "sessions": ["room-1-20200101-000000"], "kind": "dvd" }), StatusCode::NOT_FOUND),
        (json!({ "sessions": [session], "kind": "removable_disk" }), StatusCode::UNPROCESSABLE_ENTITY),
        (json!({ "sessions": [session], "kind": "removable_disk", "disk_gb": 1e9 }), StatusCode::UNPROCESSABLE_ENTITY),
        (json!({ "sessions": [session], "kind": "papyrus" }), StatusCode::UNPROCESSABLE_ENTITY),
    ] {
        assert_eq!(custodian.post("/api/v1/media", wrong.clone()).await.0, status, "{wrong}");
    }
    let id = orders(&bureau, &legal, order).await;
    let at = format!("/api/v1/media/{id}");
    // Nothing is handed to a browser, by whatever name.
    for path in ["image", "image.iso", "contents.sha256", "tree", "copies/1"] {
        let (status, _) = legal.get(&format!("{at}/{path}")).await;
        assert!(matches!(status, StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED), "{path}: {status}");
    }
    // A burner that is not there: told, kept in the history, and nothing is lost.
    std::fs::create_dir(drive(&bureau)).unwrap();
    let view = burns(&bureau, &legal, &id, "柜").await;
    assert_eq!((view["medium"]["copies"][0]["standing"].as_str(), view["medium"]["state"].as_str()), (Some("failed"), Some("ready")));
    assert!(view["medium"]["history"].as_array().unwrap().iter().any(|h| h["kind"] == "not_written" && !h["text"].is_null()));
    std::fs::remove_dir(drive(&bureau)).unwrap();
    let view = burns(&bureau, &legal, &id, "柜").await;
    assert_eq!(view["medium"]["copies"][1]["standing"], "verified", "{view}");
    // Another disc in the drive is no damage of this one.
    run(
        "xorriso",
        &["-outdev", &format!("stdio:{}", drive(&bureau).display()), "-blank", "as_needed", "-map", "/etc/hostname", "/x", "-commit"],
        bureau.dir.path(),
    );
    legal.post(&format!("{at}/copies/2"), json!({ "change": "check" })).await;
    let view = waits(&bureau, &legal, &id, |m| m["history"].as_array().unwrap().last().unwrap()["kind"] == "not_checked").await;
    assert_eq!(view["medium"]["copies"][1]["standing"], "verified");
    // Out of the register with a reason; the history stays.
    assert_eq!(
        legal.post(&format!("{at}/copies/2"), json!({ "change": "retire", "reason": " " })).await.0,
        StatusCode::UNPROCESSABLE_ENTITY
    );
    legal.post(&format!("{at}/copies/2"), json!({ "change": "move", "place": "异地档案库" })).await;
    legal.post(&format!("{at}/copies/2"), json!({ "change": "retire", "reason": "到期" })).await;
    let medium = legal.get(&at).await.1["medium"].clone();
    assert_eq!((medium["copies"][1]["place"].as_str(), medium["copies"][1]["standing"].as_str()), (Some("异地档案库"), Some("retired")));
    legal.does(&format!("{at}/remove-image"), json!({})).await;
    assert!(!bureau.data().join(format!("media/{id}/image.iso")).exists());
    assert_eq!(legal.post(&format!("{at}/copies"), json!({ "place": "柜" })).await.0, StatusCode::CONFLICT);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_removable_disk_is_copied_to_and_read_again_and_the_register_outlives_the_database() {
    let (mut bureau, custodian, _, session) = held().await;
    let id = orders(&bureau, &custodian, json!({ "sessions": [session], "kind": "removable_disk", "disk_gb": 500 })).await;
    let view = burns(&bureau, &custodian, &id, "移动硬盘一号").await;
    assert_eq!(view["medium"]["copies"][0]["standing"], "verified", "{view}\n{}", bureau.log());
    let on_disk = bureau.dir.path().join("disk").join(&id);
    run("sha256sum", &["--quiet", "-c", "contents.sha256"], &on_disk);
    let checked = Command::new(env!("CARGO_BIN_EXE_shilu-verify")).arg(on_disk.join(&session)).output().unwrap();
    assert_eq!(checked.status.code(), Some(0), "{}", String::from_utf8_lossy(&checked.stdout));
    custodian.post(&format!("/api/v1/media/{id}/copies/1"), json!({ "change": "check" })).await;
    waits(&bureau, &custodian, &id, |m| m["copies"][0]["verified_how"] == "check").await;
    let before = custodian.get("/api/v1/media").await.1;
    // The footage has not become shorter by a second name that went, and the register is files.
    bureau.terminate();
    let (code, said) = support::bureau::verify(&bureau.folder(&session));
    assert_eq!(code, 0, "{said}");
    for name in ["catalog.db", "catalog.db-wal", "catalog.db-shm"] {
        let _ = std::fs::remove_file(bureau.data().join(name));
    }
    bureau.start().await;
    let custodian = bureau.sign_in("custodian").await;
    let deadline = Instant::now() + Duration::from_secs(30);
    while custodian.get("/api/v1/media").await.1 != before {
        assert!(Instant::now() < deadline, "{}\n{before}", custodian.get("/api/v1/media").await.1);
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_on_two_discs_is_whole_again_when_their_folders_are_joined_and_what_a_restart_broke_off_goes_on() {
    let (mut bureau, custodian, _, session) = held().await;
    let order = json!({ "sessions": [session], "kind": "dvd" });
    let id = custodian.does("/api/v1/media", order.clone()).await[0]["id"].as_str().unwrap().to_owned();
    // One that waits for its turn is stopped.
    let second = custodian.does("/api/v1/media", order).await[0]["id"].as_str().unwrap().to_owned();
    custodian.post(&format!("/api/v1/media/{second}/cancel"), json!({})).await;
    waits(&bureau, &custodian, &second, |m| m["state"] == "cancelled").await;
    waits(&bureau, &custodian, &id, |m| m["state"] == "ready").await;
    assert_eq!(custodian.post(&format!("/api/v1/media/{id}/cancel"), json!({})).await.0, StatusCode::CONFLICT, "nothing runs");
    bureau.terminate();
    // As if both had been ordered as a set of two and the power had gone: their rows say that they are being made.
    let c = rusqlite::Connection::open(bureau.data().join("catalog.db")).unwrap();
    for (n, name) in [&id, &second].into_iter().enumerate() {
        let number = shilu::model::ids::MediumId::new(name).unwrap();
        let mut medium = shilu::catalog::media::by_id(&c, &number).unwrap().unwrap();
        (medium.state, medium.number, medium.of) = (shilu::model::medium::MediumState::Making, n as u32 + 1, 2);
        medium.set = shilu::model::ids::MediumId::new(&id).unwrap();
        let part = &mut medium.parts[0];
        (part.part, part.parts) = (n as u32 + 1, 2);
        (part.from, part.to) = if n == 0 { (0, 1) } else { (1, part.to) };
        c.execute("DELETE FROM media_sessions WHERE medium = ?1", [name]).unwrap();
        shilu::catalog::media::put(&c, &medium).unwrap();
    }
    drop(c);
    bureau.start().await;
    let custodian = bureau.sign_in("custodian").await;
    let joined = bureau.dir.path().join("joined");
    std::fs::create_dir(&joined).unwrap();
    for (name, whole) in [(&id, false), (&second, true)] {
        waits(&bureau, &custodian, name, |m| m["state"] == "ready").await;
        let view = burns(&bureau, &custodian, name, "柜").await;
        assert_eq!(view["medium"]["copies"][0]["standing"], "verified", "{view}");
        let one = bureau.dir.path().join(name);
        extracted(&drive(&bureau), &one);
        run("sha256sum", &["--quiet", "-c", "contents.sha256"], &one);
        assert!(std::fs::read_to_string(one.join("README.zh-CN.txt")).unwrap().contains("分盘"));
        run("cp", &["-a", one.join(&session).to_str().unwrap(), joined.to_str().unwrap()], bureau.dir.path());
        let checked = Command::new(env!("CARGO_BIN_EXE_shilu-verify")).arg(joined.join(&session)).output().unwrap();
        assert_eq!(checked.status.code() == Some(0), whole, "{}", String::from_utf8_lossy(&checked.stdout));
        let without = custodian.get("/api/v1/media").await.1["without"].as_array().unwrap().len();
        assert_eq!(without, usize::from(!whole), "a half is no second medium");
    }
}
