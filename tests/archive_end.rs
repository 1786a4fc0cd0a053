//! What ends in the archive, on a real one-node Ceph whose clock is moved with the recorder's: locks that are renewed, versions that were
//! superseded, sessions that were given up; a machine that is lost with its keys; hours, rates and large files.

use crate::support;

use chrono::{DateTime, TimeDelta, Utc};
use reqwest::Method;
use serde_json::{Value, json};
use shilu::footage::archive::StoreFault;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};
use support::bureau::{Bureau, Person, nowhere};
use support::ceph::{Ceph, is_done, off, shilu, waits, waits_at, waits_for_entry};

/// A session that was recorded, sealed, handed over and received.
async fn kept(bureau: &Bureau) -> String {
    let (officer, session) = bureau.records(200_000).await;
    officer.ends(&session).await;
    let custodian = bureau.sign_in("custodian").await;
    let to = custodian.get("/api/v1/me").await.1["person"]["id"].clone();
    let handed = officer.does("/api/v1/handovers", json!({ "sessions": [session], "to": to })).await;
    custodian.does(&format!("/api/v1/handovers/{}/receive", handed["id"].as_str().unwrap()), json!({})).await;
    waits_at(&custodian, &format!("/api/v1/sessions/{session}"), "received", |s| s["session"]["state"] == "kept").await;
    session
}

/// Years pass: for the recorder, and for the gateway that keeps the locks.
fn pass(bureau: &mut Bureau, ceph: &Ceph, days: i64, moved: &'static str) {
    ceph.away();
    ceph.back_later(days);
    bureau.moved = Some(moved);
}

fn ahead(days: i64) -> DateTime<Utc> {
    Utc::now() + TimeDelta::days(days)
}

/// A marker that hides an object, as whoever has the keys can put one; by a client that is not ours.
fn hide(ceph: &Ceph, key: &str) {
    // The older signature of S3: a line of text and an HMAC.
    const ASK: &str = r#"now=$(LC_ALL=C date -u '+%a, %d %b %Y %H:%M:%S GMT')
        sum=$(printf 'DELETE\n\n\n%s\n/shilu/%s' "$now" "$2" | openssl dgst -sha1 -hmac testtest -binary | base64)
        curl -s -S --fail-with-body -X DELETE -H "Date: $now" -H "Authorization: AWS test:$sum" "$1/shilu/$2""#;
    let out = Command::new("bash").args(["-c", ASK, "bash", &ceph.endpoint(), key]).output().unwrap();
    assert!(out.status.success(), "{}{}", String::from_utf8_lossy(&out.stdout), String::from_utf8_lossy(&out.stderr));
}

/// The disposal's page in a browser.
fn plays(bureau: &Bureau, disposal: &str, words: &str, shot: &str) {
    let played = json!({ "url": bureau.url, "accounts": [{ "role": "custodian", "username": "custodian", "password": bureau.password("custodian") }],
        "more": { "disposal": disposal, "words": words, "shot": shot } });
    let told = bureau.dir.path().join("played.json");
    std::fs::write(&told, played.to_string()).unwrap();
    let mut script = Command::new("node");
    script.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/console/gone.mjs")).arg(&told);
    if let Some(shots) = option_env!("SHILU_SCREENSHOTS") {
        script.arg(shots);
    }
    let out = off(|| script.output().unwrap());
    let said = format!("{}{}", String::from_utf8_lossy(&out.stdout), String::from_utf8_lossy(&out.stderr));
    assert!(out.status.success() && said.contains("done"), "{said}");
}

/// `shilu-verify` under keys from elsewhere.
fn verify(folder: &Path, keys: &Path) -> (i32, String) {
    let out = Command::new(env!("CARGO_BIN_EXE_shilu-verify")).arg(folder).arg("--key").arg(keys).output().unwrap();
    (out.status.code().unwrap(), String::from_utf8(out.stdout).unwrap())
}

fn is_signed(folder: &Path, name: &str, signer: &str) -> bool {
    let out = Command::new("openssl")
        .args(["pkeyutl", "-verify", "-pubin", "-inkey", signer, "-rawin", "-in", name, "-sigfile", &format!("{name}.sig")])
        .current_dir(folder)
        .output()
        .unwrap();
    out.status.success()
}

async fn given_up(bureau: &Bureau, session: &str) -> String {
    bureau.sign_in("legal_unit").await.does("/api/v1/clock/confirm", json!({ "reason": "与授时中心比对" })).await;
    let custodian = bureau.sign_in("custodian").await;
    custodian.does(&format!("/api/v1/sessions/{session}/routine"), json!({ "reason": "来访咨询" })).await;
    let wanted = json!({ "sessions": [session], "reason": "期限已满，无保存价值" });
    let disposal = custodian.does("/api/v1/disposals", wanted).await["id"].as_str().unwrap().to_owned();
    let leader = bureau.sign_in("leader_in_charge").await;
    leader.does(&format!("/api/v1/disposals/{disposal}/decide"), json!({ "approved": true })).await;
    disposal
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_given_up_stays_in_the_bucket_until_its_lock_ends_is_brought_back_by_nothing_and_then_every_version_goes() {
    let ceph = Ceph::up();
    off(|| ceph.store(0).make_bucket().unwrap());
    let mut bureau = Bureau::open_in(tempfile::tempdir().unwrap(), None, "", &ceph.configuration("site-a", "")).await;
    let (first, second) = (kept(&bureau).await, kept(&bureau).await);
    waits(&bureau.sign_in("inspector").await, "archived", is_done).await;
    let manifest = shilu::model::digest::sha256(&std::fs::read(bureau.folder(&first).join("session.json")).unwrap());
    hide(&ceph, &format!("site-a/session/{first}/{manifest}"));
    let of = |session: &str, days: i64| {
        off(|| {
            let (store, mut all) = (ceph.store(days), Vec::new());
            for below in [format!("site-a/session/{session}/"), format!("site-a/index/session/{session}/")] {
                all.extend(store.versions(&below).unwrap());
            }
            all
        })
    };
    assert!(of(&first, 0).iter().any(|v| v.is_marker));
    // Another link makes the journal longer: versions of journal and index that others took the place of.
    let versions = of(&second, 0).len();
    let link = json!({ "case_no": "威自然资罚〔2026〕13号", "party": "张三", "reason": "案号更正" });
    bureau.sign_in("officer").await.does(&format!("/api/v1/sessions/{second}/link"), link).await;
    let inspector = bureau.sign_in("inspector").await;
    while waits(&inspector, "archived", is_done).await["objects"] == 0 || of(&second, 0).len() < versions + 2 {
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    let before = of(&second, 0).len();

    // Eight months on. The locks ran out while nobody looked: what counts is locked anew, for what has no date for a year; what does not
    // count any more goes.
    assert!(bureau.terminate());
    pass(&mut bureau, &ceph, 240, "+240d");
    bureau.start().await;
    let inspector = bureau.sign_in("inspector").await;
    waits_for_entry(&inspector, "archive_relocked").await;
    let swept = waits_for_entry(&inspector, "archive_superseded").await;
    assert!(swept["about"]["objects"].as_str().unwrap().parse::<u32>().unwrap() > 0, "{swept}");
    let left = of(&second, 240);
    let files = std::fs::read_dir(bureau.folder(&second)).unwrap().count();
    assert!(left.len() == files + 1 && left.len() < before, "one version of each, and one index: {left:?}");
    off(|| {
        let store = ceph.store(240);
        for v in &left {
            let lock = store.lock_of(&v.key, &v.version).unwrap();
            assert!(lock.until > ahead(240 + 360), "{lock:?}");
            assert!(matches!(store.delete(&v.key, &v.version), Err(StoreFault::Refused)));
        }
    });

    // Given up by two people: gone here, locked there, and the page says until when.
    let disposal = given_up(&bureau, &first).await;
    let at = format!("/api/v1/disposals/{disposal}");
    let custodian = bureau.sign_in("custodian").await;
    let done = waits_at(&custodian, &at, "executed", |d| d["disposal"]["state"] == "executed").await;
    let copy = &done["disposal"]["items"][0]["archive"];
    assert_eq!(copy["standing"], "locked", "{done}");
    assert!(copy["until"].as_str().unwrap().parse::<DateTime<Utc>>().unwrap() > ahead(240 + 360));
    assert!(!bureau.folder(&first).join("session.json").exists());
    plays(&bureau, &disposal, "归档存储副本：锁定至", "locked");
    let due = waits_for_entry(&inspector, "archive_disposal_due").await;
    assert_eq!(due["session"], first);
    waits(&inspector, "archived with its disposal", |a| is_done(a) && a["disposing"] == 1).await;
    let locked = of(&first, 240).into_iter().filter(|v| !v.is_marker).count();
    assert!(locked > 3, "{locked}");
    let certificate = bureau.data().join("disposals").join(&disposal);
    assert!(is_signed(&certificate, "certificate.json", "signer.pem"));
    assert!(std::fs::read_to_string(certificate.join("certificate.json")).unwrap().contains("\"locked\""));

    the_machine_is_lost(&mut bureau, &first, &second).await;

    // On the new machine, which knows of the old one's disposals from the bucket alone: the lock ends, and everything goes.
    let fourth = kept(&bureau).await;
    waits(&bureau.sign_in("inspector").await, "archived", is_done).await;
    assert!(bureau.terminate());
    let (code, said) = verify(&bureau.folder(&fourth), &bureau.data().join("keys"));
    assert_eq!((code, said.contains("the trusted key")), (0, true), "sealed by the new key: {said}");
    assert!(!of(&first, 240).is_empty());
    pass(&mut bureau, &ceph, 640, "+640d");
    bureau.start().await;
    let custodian = bureau.sign_in("custodian").await;
    let gone = waits_at(&custodian, &at, "gone from the archive", |d| d["disposal"]["items"][0]["archive"]["standing"] == "deleted").await;
    assert_eq!(gone["supplement_sha256"].as_str().map(str::len), Some(64), "{gone}");
    assert_eq!(of(&first, 640), [], "every version, and every marker");
    assert!(!of(&second, 640).is_empty(), "what was not given up stays");
    // A marker hides and holds nothing: it went when the new machine first looked.
    let entry = waits_for_entry(&bureau.sign_in("inspector").await, "archive_disposed").await;
    assert_eq!((entry["session"].as_str(), entry["about"]["objects"].as_str()), (Some(&*first), Some(&*locked.to_string())));
    let folder = bureau.data().join("disposals").join(&disposal);
    assert!(is_signed(&folder, "certificate-archive.json", "certificate-archive.signer.pem"));
    plays(&bureau, &disposal, "归档存储副本：已于", "deleted");
}

/// The bucket is what is left: no catalog, no footage, no private key.
async fn the_machine_is_lost(bureau: &mut Bureau, first: &str, second: &str) {
    let inspector = bureau.sign_in("inspector").await;
    let entries = inspector.get("/api/v1/log").await.1.as_array().unwrap().len();
    assert!(bureau.terminate());
    let (old_keys, old_key) = (bureau.data().join("keys"), std::fs::read(bureau.data().join("keys/signing.pub.pem")).unwrap());
    let old_head = std::fs::read_to_string(bureau.data().join("custody/log/origin")).unwrap();

    // Restored whole: all but what was given up, and it verifies under the keys that came with it.
    let bare = bureau.dir.path().join("bare");
    let (well, said) = shilu(bureau, &["archive", "restore", "--to", &bare.display().to_string()]);
    assert!(well && said.contains("1 sessions were given up"), "{said}");
    let folder = |root: &Path, session: &str| -> PathBuf {
        let found = Command::new("find").arg(root).args(["-type", "d", "-name", session]).output().unwrap();
        PathBuf::from(String::from_utf8(found.stdout).unwrap().trim())
    };
    let mut stays: Vec<String> =
        std::fs::read_dir(folder(&bare, first)).unwrap().map(|e| e.unwrap().file_name().to_string_lossy().into_owned()).collect();
    stays.sort();
    assert_eq!(stays, ["disposed.json", "disposed.json.sig", "signer.pem"]);
    assert!(!bare.join("keys/signing.pem").exists() && !bare.join("keys/log.pem").exists(), "no secret was ever there");
    let (code, said) = verify(&folder(&bare, second), &bare.join("keys"));
    assert_eq!((code, said.contains("the trusted key")), (0, true), "{said}");
    let (well, said) = shilu(bureau, &["archive", "restore", "--session", first, "--to", &bare.display().to_string()]);
    assert!(!well && said.contains("given up"), "{said}");

    // The index alone, new keys: the old public ones stay beside them, and the new log cites the old one's head.
    bureau.moves_to(&bureau.dir.path().join("rebuilt"));
    std::fs::create_dir_all(bureau.data()).unwrap();
    let (well, said) = shilu(bureau, &["rebuild", "--from-bucket"]);
    assert!(well, "{said}");
    let keys = bureau.data().join("keys");
    assert_eq!(
        std::fs::read(keys.join("lost/signing-1.pem")).unwrap_or_else(|_| std::fs::read(keys.join("signing.pub.pem")).unwrap()),
        old_key
    );
    // Accounts are in no file: they are made anew.
    bureau.forgets_accounts();
    for role in support::bureau::ROLES {
        bureau.add_account(role, role, "land-use");
    }
    bureau.start().await;
    assert_eq!(std::fs::read(keys.join("lost/signing-1.pem")).unwrap(), old_key);
    assert_ne!(std::fs::read(keys.join("signing.pub.pem")).unwrap(), old_key);
    assert!(keys.join("lost/log-1.pem").exists() && old_keys.join("log.pem").exists());
    let (code, said) = verify(&bureau.folder(second), &keys);
    assert!(code == 2 && said.contains("RELEASED") && said.contains("released to the archive") && !said.contains("missing"), "{said}");
    assert!(said.contains("the trusted key"), "{said}");
    let log = bureau.sign_in("inspector").await.get("/api/v1/log").await.1;
    let rows = log.as_array().unwrap();
    let opened = rows.iter().find(|r| r["entry"]["kind"] == "log_opened" && !r["entry"]["about"]["after_log"].is_null()).unwrap();
    assert_eq!(
        (opened["entry"]["about"]["why"].as_str(), opened["entry"]["about"]["after_log"].as_str()),
        (Some("other_key"), Some(&*old_head))
    );
    assert!(opened["entry"]["about"]["after_size"].as_str().unwrap().parse::<usize>().unwrap() > entries / 2);
    assert!(rows.iter().any(|r| r["entry"]["kind"] == "session_sealed"), "entries of the old log are still read");
    let custodian = bureau.sign_in("custodian").await;
    let gone = custodian.get("/api/v1/retention?list=gone").await.1;
    assert_eq!((&gone["total"], &gone["rows"][0]["session"]["id"]), (&json!(1), &json!(first)), "{gone}");
}

/// Real sound, larger than a part: a device's recording of some minutes.
fn large_recording(dir: &Path) -> PathBuf {
    let path = dir.join("large.wav");
    let out = Command::new("ffmpeg")
        .args(["-v", "error", "-y", "-f", "lavfi", "-i", "anoisesrc=duration=380:sample_rate=48000", "-ac", "2"])
        .arg(&path)
        .output()
        .unwrap();
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    path
}

async fn takes_in(officer: &Person, path: &Path) -> String {
    let data = std::fs::read(path).unwrap();
    let form = json!({ "device_no": "XW-J07", "facts": { "case_no": "威自然资罚〔2026〕12号", "party": "张三", "cause": "未经批准占用土地",
        "officers": [{ "name": "王建国", "certificate_no": "冀E-017" }, { "name": "李红", "certificate_no": "冀E-022" }] } });
    let begun = officer
        .does(
            "/api/v1/imports",
            json!({ "name": "large.wav", "bytes": data.len(), "modified_ms": Utc::now().timestamp_millis(), "form": form }),
        )
        .await;
    let id = begun["id"].as_str().unwrap();
    for (n, piece) in data.chunks(4 << 20).enumerate() {
        let to = format!("{}/api/v1/imports/{id}?offset={}", officer.url, n * (4 << 20));
        let answer = officer.client.patch(to).header("X-Csrf-Token", &officer.csrf).body(piece.to_vec()).send().await.unwrap();
        assert!(answer.status().is_success(), "{}", answer.text().await.unwrap());
    }
    let over = |a: &Value| ["taken_in", "known", "refused", "failed"].contains(&a["state"].as_str().unwrap_or_default());
    let told = waits_at(officer, &format!("/api/v1/imports/{id}"), "taken in", over).await;
    assert_eq!(told["state"], "taken_in", "{told}");
    told["session"].as_str().unwrap().to_owned()
}

/// Hours of Shanghai's clock, from so many hours from now on, three of them.
fn hours(from: i64) -> String {
    let at = |hours| (Utc::now() + TimeDelta::hours(8 + hours)).format("%H:%M");
    format!("{}-{}", at(from), at(from + 3))
}

/// The nice value of a thread of the recorder.
fn nice_of(pid: u32, thread: &str) -> i64 {
    let tasks = std::fs::read_dir(format!("/proc/{pid}/task")).unwrap().map(|t| t.unwrap().path());
    let named = |t: &PathBuf| std::fs::read_to_string(t.join("comm")).is_ok_and(|c| c.trim() == thread);
    let stat = std::fs::read_to_string(tasks.into_iter().find(named).unwrap().join("stat")).unwrap();
    stat.rsplit(')').next().unwrap().split_whitespace().nth(16).unwrap().parse().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_large_file_waits_for_its_hours_goes_no_faster_than_it_may_and_comes_back_across_its_parts() {
    const MBIT: u64 = 80;
    let ceph = Ceph::up();
    off(|| ceph.store(0).make_bucket().unwrap());
    let configuration =
        ceph.configuration("site-a", "release_after_days = 0").replace("window = \"\"", &format!("window = \"{}\"", hours(2)));
    let mut bureau = Bureau::open_at(tempfile::tempdir().unwrap(), None, "", &configuration, &nowhere()).await;
    let path = large_recording(bureau.dir.path());
    let (bytes, sha256) = (std::fs::metadata(&path).unwrap().len(), shilu::machine::volume::digest(&path).unwrap().1);
    assert!(bytes > shilu::model::archive::PART_BYTES);
    let session = takes_in(&bureau.sign_in("officer").await, &path).await;

    // Outside its hours: told, and nothing of it there but how the site is.
    let inspector = bureau.sign_in("inspector").await;
    waits(&inspector, "waiting for its hours", |a| a["doing"]["outside_window"] == true && a["waiting"].as_u64() > Some(0)).await;
    let status = |all: &[shilu::footage::archive::Version]| all.iter().any(|v| v.key == "site-a/status.json");
    let deadline = Instant::now() + Duration::from_mins(1);
    loop {
        let there = off(|| ceph.store(0).versions("site-a/").unwrap());
        assert!(there.iter().all(|v| v.key == "site-a/status.json"), "{there:?}");
        if status(&there) {
            break;
        }
        assert!(Instant::now() < deadline, "no status");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    assert_eq!(nice_of(bureau.pid(), "archive"), 19, "it gives way to every recording");

    // In its hours, and no faster than it may: put and read back.
    assert!(bureau.terminate());
    let text = std::fs::read_to_string(bureau.config()).unwrap();
    let text =
        text.replace(&configuration.lines().find(|l| l.starts_with("window")).unwrap().to_owned(), &format!("window = \"{}\"", hours(-1)));
    std::fs::write(bureau.config(), text.replace("mbit_max = 0", &format!("mbit_max = {MBIT}"))).unwrap();
    let began = Instant::now();
    bureau.start().await;
    let inspector = bureau.sign_in("inspector").await;
    waits(&inspector, "archived", is_done).await;
    let (took, least) = (began.elapsed(), Duration::from_secs_f64(2.0 * bytes as f64 * 8.0 / (MBIT as f64 * 1e6)));
    println!("{bytes} bytes at {MBIT} Mbit/s, there and back: {:.1} s, {:.1} s at the least", took.as_secs_f64(), least.as_secs_f64());
    assert!(took > least.mul_f64(0.95), "{took:?} {least:?}");

    // It lies there in parts, and what is asked for across their border comes from both, when the copy here was released.
    bureau.sign_in("custodian").await.does(&format!("/api/v1/sessions/{session}/routine"), json!({ "reason": "来访咨询" })).await;
    waits(&inspector, "released", |a| is_done(a) && a["released"] == 1).await;
    let (reviewer, leader) = (bureau.sign_in("reviewer").await, bureau.sign_in("leader_in_charge").await);
    let camera = reviewer_camera(&bureau, &session).await;
    reviewer.gets_grant(&leader, &session, "view").await;
    let viewing = reviewer.does(&format!("/api/v1/sessions/{session}/viewings"), json!({})).await["id"].as_str().unwrap().to_owned();
    let at = format!("{}/api/v1/viewings/{viewing}/{camera}/1", reviewer.url);
    let from = shilu::model::archive::PART_BYTES as usize - 1000;
    let part = reviewer.client.get(&at).header("Range", format!("bytes={from}-{}", from + 1999)).send().await.unwrap();
    let part = part.error_for_status().unwrap().bytes().await.unwrap();
    assert!(part == std::fs::read(&path).unwrap()[from..from + 2000], "across the border of two parts");
    assert_eq!(reviewer.ask(Method::GET, "/api/v1/archive", None).await.status(), 403);

    assert!(bureau.terminate());
    let bare = bureau.dir.path().join("bare");
    let (well, said) = shilu(&bureau, &["archive", "restore", "--session", &session, "--to", &bare.display().to_string()]);
    assert!(well, "{said}");
    let back = support::stored::files(&bare, "wav");
    assert_eq!(shilu::machine::volume::digest(&back[0]).unwrap(), (bytes, sha256));
}

async fn reviewer_camera(bureau: &Bureau, session: &str) -> String {
    let seen = bureau.sign_in("custodian").await.get(&format!("/api/v1/sessions/{session}")).await.1;
    seen["session"]["segments"][0]["camera"].as_str().unwrap().to_owned()
}
