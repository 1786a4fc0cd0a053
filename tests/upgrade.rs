//! Stores as earlier releases left them, people, footage and log, taken over by this one: nothing is lost, nothing is altered, all of it is used on.
//! `tests/support/store.py` made each with the `shilu` of its release; `catalog::upgrade` holds every row of every table.

use crate::support;

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use support::bureau::{Bureau, ROLES, verify};

fn files(folder: &Path) -> Vec<PathBuf> {
    let of = |path: PathBuf| if path.is_dir() { files(&path) } else { vec![path] };
    std::fs::read_dir(folder).unwrap().flat_map(|entry| of(entry.unwrap().path())).collect()
}

/// Everything that was sealed: each file of each session by its bytes.
fn sealed(data: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    files(&data.join("footage/land-use")).into_iter().map(|path| (path.clone(), std::fs::read(path).unwrap())).collect()
}

/// The log checks, and every seal is in it: `shilu-verify` over the whole store.
fn is_whole(data: &Path, sessions: usize) {
    let (keys, log) = (data.join("keys"), data.join("custody/log"));
    let out = Command::new(env!("CARGO_BIN_EXE_shilu-verify"))
        .arg(data)
        .arg("--key")
        .arg(&keys)
        .arg("--log")
        .arg(log)
        .arg("--log-key")
        .arg(keys.join("log.pub.pem"))
        .output()
        .unwrap();
    let said = String::from_utf8(out.stdout).unwrap();
    assert!(out.status.code() == Some(0) && said.trim().ends_with("intact"), "{said}");
    assert_eq!(said.matches("sealed by entry").count(), sessions, "{said}");
}

/// How many schema steps a catalog has seen.
fn steps(catalog: &Path) -> i64 {
    rusqlite::Connection::open(catalog).unwrap().query_row("PRAGMA user_version", [], |r| r.get(0)).unwrap()
}

async fn is_taken_over(store: &str, schema: i64) {
    let dir = tempfile::tempdir().unwrap();
    let archive = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(store);
    assert!(Command::new("tar").arg("-xJf").arg(archive).arg("-C").arg(dir.path()).status().unwrap().success());
    let known: Value = serde_json::from_slice(&std::fs::read(dir.path().join("store.json")).unwrap()).unwrap();
    let its = |name: &str| known[name].as_str().unwrap().to_owned();
    let people = known["people"].as_object().unwrap().iter().map(|(who, word)| (who.clone(), word.as_str().unwrap().to_owned())).collect();
    let mut bureau = Bureau::takes_over(dir, people);
    // The same afternoon: approvals that were given then run a day.
    let library = format!("/usr/lib/{}-linux-gnu/faketime/libfaketimeMT.so.1", std::env::consts::ARCH);
    let clock =
        [("LD_PRELOAD", library), ("FAKETIME", format!("@{}", its("at"))), ("DONT_FAKE_MONOTONIC", "1".into()), ("TZ", "UTC".into())];
    bureau.environment = clock.into();
    let before = sealed(&bureau.data());
    assert_eq!(before.len(), 3 * 6, "three sessions of two files, journal, manifest, signature and key");
    bureau.start().await;
    let kept = files(&bureau.data()).into_iter().find(|p| p.to_string_lossy().contains("catalog-before-"));
    let is_older = schema < steps(&bureau.data().join("catalog.db"));
    assert_eq!(kept.map(|catalog| steps(&catalog)), is_older.then_some(schema), "the old catalog is kept, where it was another");

    // Everybody comes in with the password that they had.
    let mut all = BTreeMap::new();
    for role in ROLES {
        all.insert(*role, bureau.sign_in(role).await);
    }
    let (officer, reviewer, custodian, legal) = (&all["officer"], &all["reviewer"], &all["custodian"], &all["legal_unit"]);
    let found = officer.get("/api/v1/sessions?party=%E5%BC%A0%E4%B8%89").await.1;
    assert_eq!((found["total"].as_u64(), found["rows"][0]["id"].as_str()), (Some(1), Some(&*its("linked"))), "{found}");
    let case = officer.get(&format!("/api/v1/cases/{}", its("case"))).await.1;
    assert!(case["case"]["intake_no"].is_string() && case.to_string().contains(&its("linked")), "{case}");
    assert_eq!(officer.get("/api/v1/plans").await.1[0]["plan"]["facts"]["party"], "赵六");
    // What was approved is shown, as it was sealed; what was not is refused.
    let (linked, asked, held) = (its("linked"), its("asked"), its("held"));
    let looks = async |session: &str| reviewer.post(&format!("/api/v1/sessions/{session}/viewings"), json!({})).await;
    assert_eq!(looks(&asked).await.0, StatusCode::FORBIDDEN);
    let is_shown = async |session: &str| {
        let (status, viewing) = looks(session).await;
        assert_eq!(status, StatusCode::CREATED, "{viewing}");
        let path = format!("/api/v1/viewings/{}/face/1", viewing["id"].as_str().unwrap());
        let shown = reviewer.ask(Method::GET, &path, None).await.bytes().await.unwrap();
        assert!(before.iter().any(|(file, bytes)| file.to_string_lossy().contains(session) && *bytes == shown), "{session}");
    };
    is_shown(&linked).await;
    // What was asked for then is decided now, by the deputy who was named then.
    custodian.does(&format!("/api/v1/access-requests/{}/approve", its("pending")), json!({})).await;
    is_shown(&asked).await;
    // What a court asked for is held, and on its way.
    let holds = custodian.get("/api/v1/holds").await.1;
    assert!(
        holds.as_array().unwrap().iter().any(|h| h["session"]["id"] == *held && h["holds"][0]["hold"]["ground"] == "provision"),
        "{holds}"
    );
    let retention = custodian.get(&format!("/api/v1/sessions/{held}/retention")).await.1;
    assert!(retention["obstacles"].as_array().unwrap().contains(&json!("held")), "{retention}");
    assert_eq!(legal.get(&format!("/api/v1/provisions/{}", its("provision"))).await.1["provision"]["state"], "received");
    // Other systems and the room's screen come in as before; who oversees sees who looked then.
    let token = reqwest::Client::new().get(format!("{}/api/v1/status", bureau.url)).bearer_auth(its("token")).send().await.unwrap();
    let screen = reqwest::get(format!("{}{}", bureau.url, its("screen"))).await.unwrap();
    assert_eq!((token.status(), screen.status()), (StatusCode::OK, StatusCode::OK));
    let seen = all["inspector"].get("/api/v1/oversight?what=viewings").await.1;
    let under = seen["rows"].as_array().unwrap().iter().filter(|row| row["request"] == *its("grant")).count();
    assert_eq!(under, 2, "the viewing of then and that of now: {seen}");

    // It records on; nothing that was sealed has changed, and the log is one from its first entry to its last.
    officer.waits_for_pictures().await;
    let new = officer.starts().await;
    officer.records(100_000).await;
    officer.ends(&new).await;
    assert_eq!(verify(&bureau.folder(&new)).0, 0);
    assert!(bureau.terminate());
    let after = sealed(&bureau.data());
    assert!(before.iter().all(|(path, bytes)| after.get(path) == Some(bytes)), "nothing that was sealed has changed");
    is_whole(&bureau.data(), 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_of_the_release_with_four_steps_is_taken_over_with_all_that_is_in_it() {
    is_taken_over("store-0004.tar.xz", 4).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_of_1_0_0_is_taken_over_with_all_that_is_in_it() {
    is_taken_over("store-0015.tar.xz", 15).await;
}
