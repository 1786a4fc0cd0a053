//! The archive on a real one-node Ceph with Object Lock: what is put is locked, read back, put again where it was damaged, and brings
//! everything back alone.

use crate::support;

use reqwest::{Method, StatusCode};
use serde_json::json;
use shilu::footage::archive::{Store, StoreFault};
use shilu::machine::clock::{Clock, SystemClock};
use shilu::model::archive::Lock;
use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};
use support::authority::openssl;
use support::bureau::{Bureau, Person};
use support::ceph::{Ceph, is_done, off, shilu, waits, waits_for_entry};
use support::package::until;

const SHILU: &str = env!("CARGO_BIN_EXE_shilu");

async fn recorded(bureau: &Bureau) -> String {
    let (officer, id) = bureau.records(300_000).await;
    officer.ends(&id).await;
    id
}

fn store(ceph: &Ceph) -> Store {
    ceph.store(0)
}

/// Every file below a folder, with its content.
fn tree(root: &Path) -> BTreeMap<String, Vec<u8>> {
    fn walk(root: &Path, dir: &Path, all: &mut BTreeMap<String, Vec<u8>>) {
        for entry in std::fs::read_dir(dir).into_iter().flatten() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                walk(root, &path, all);
            } else {
                all.insert(path.strip_prefix(root).unwrap().display().to_string(), std::fs::read(&path).unwrap());
            }
        }
    }
    let mut all = BTreeMap::new();
    walk(root, root, &mut all);
    all
}

fn docs(data: &Path) -> Vec<(String, String, String)> {
    let catalog = rusqlite::Connection::open(data.join("catalog.db")).unwrap();
    let mut rows = catalog.prepare("SELECT id, folder, doc FROM sessions ORDER BY id").unwrap();
    rows.query_map([], |r| Ok((r.get(0)?, r.get(1)?, r.get(2)?))).unwrap().map(Result::unwrap).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_archived_is_locked_survives_an_outage_is_put_again_when_damaged_and_brings_everything_back_alone() {
    let ceph = Ceph::up();
    let dir = tempfile::tempdir().unwrap();
    let mut bureau = Bureau::open_in(dir, None, "", &ceph.configuration("site-a", "")).await;
    let inspector = bureau.sign_in("inspector").await;
    // A bucket that is not there, or has no locks, is told as what it is.
    let told = waits(&inspector, "told", |a| !a["doing"]["problem"].is_null()).await;
    assert!(told["doing"]["problem"].as_str().unwrap().contains("Object Lock"), "{told}");
    let (well, said) = shilu(&bureau, &["archive", "make-bucket"]);
    assert!(well, "{said}");
    let first = recorded(&bureau).await;
    waits(&inspector, "archived", is_done).await;

    // Nobody deletes what lies there, whatever keys they have; and no name tells of a case or a person.
    off(|| {
        let store = store(&ceph);
        let all = store.versions("site-a/").unwrap();
        let locked: Vec<_> = all.iter().filter(|v| !v.key.ends_with("status.json")).collect();
        assert!(locked.iter().any(|v| v.key.starts_with(&format!("site-a/session/{first}/"))));
        for kind in ["log", "keys", "index/session", "index/log"] {
            assert!(locked.iter().any(|v| v.key.starts_with(&format!("site-a/{kind}/"))), "{kind}");
        }
        for v in &locked {
            assert!(matches!(store.delete(&v.key, &v.version), Err(StoreFault::Refused)), "{}", v.key);
            assert!(store.lock_of(&v.key, &v.version).unwrap().until > SystemClock.now().utc + chrono::TimeDelta::days(180));
            assert!(v.key.bytes().all(|b| b.is_ascii_alphanumeric() || b"-./".contains(&b)), "{}", v.key);
        }
    });

    // Away in the middle: recording goes on, what waits is told, and goes when the service is back.
    ceph.away();
    let second = recorded(&bureau).await;
    waits(&inspector, "told that it is away", |a| {
        a["waiting"].as_u64() > Some(0) && a["doing"]["problem"].as_str().is_some_and(|p| p.contains("cannot be reached"))
    })
    .await;
    let metrics = reqwest::get(format!("{}/metrics", bureau.url)).await.unwrap().text().await.unwrap();
    assert!(metrics.contains("shilu_archive_well 0"), "{metrics}");
    ceph.back();
    waits(&inspector, "archived after the outage", is_done).await;

    // A bit that falls over there is found, logged, and put again from here.
    let manifest = std::fs::read(bureau.folder(&first).join("session.json")).unwrap();
    ceph.damage(&shilu::model::digest::sha256(&manifest));
    inspector.does("/api/v1/archive/verify", json!({})).await;
    waits(&inspector, "repaired", |a| is_done(a) && a["doing"]["damaged"] == 1 && a["verified_since"] != "1970-01-01T00:00:00Z").await;
    for kind in ["archived", "archive_damaged", "archive_repaired", "archive_verified"] {
        waits_for_entry(&inspector, kind).await;
    }

    // Held: a hold lies on its objects there, too.
    let letter = json!({ "letter_no": "（2026）冀0533行初1号", "receiving_body": "威县人民法院", "kind": "litigation", "received": "2026-11-20",
        "sessions": [second] });
    bureau.sign_in("legal_unit").await.does("/api/v1/provisions", letter).await;
    waits_for_entry(&inspector, "archive_relocked").await;
    waits(&inspector, "archived with the provision", is_done).await;
    off(|| {
        let store = store(&ceph);
        let of_held = store.versions(&format!("site-a/session/{second}/")).unwrap();
        assert!(of_held.iter().all(|v| store.lock_of(&v.key, &v.version).unwrap().held));
    });
    assert!(bureau.terminate());
    let (well, said) = shilu(&bureau, &["archive", "verify"]);
    assert!(well && said.contains("whole"), "{said}");

    // A bare machine: the bucket alone brings back every file of every session, and the same index.
    let (before, rows) = (tree(&bureau.data().join("footage")), docs(&bureau.data()));
    let bare = bureau.dir.path().join("bare");
    let (well, said) = shilu(&bureau, &["archive", "restore", "--to", &bare.display().to_string()]);
    assert!(well, "{said}");
    let is_of_session = |(name, _): &(String, Vec<u8>)| !name.starts_with("custody-head");
    let kept: BTreeMap<_, _> = before.clone().into_iter().filter(is_of_session).collect();
    assert_eq!(tree(&bare.join("footage")).keys().collect::<Vec<_>>(), kept.keys().collect::<Vec<_>>());
    assert!(tree(&bare.join("footage")) == kept, "byte for byte");
    assert!(bare.join("custody/log/checkpoint").exists() && bare.join("provisions").exists());
    assert_eq!(support::bureau::verify(&bare.join("footage")).0, 0);

    // The index alone, footage left there: a grant opens it from there, in parts; without one it stays shut.
    let data = bureau.data();
    bureau.moves_to(&bureau.dir.path().join("rebuilt"));
    std::fs::create_dir_all(bureau.data()).unwrap();
    std::fs::create_dir_all(bureau.data().join("keys")).unwrap();
    for key in ["signing.pem", "log.pem"] {
        std::fs::copy(data.join("keys").join(key), bureau.data().join("keys").join(key)).unwrap();
    }
    let out = Command::new(SHILU).args(["rebuild", "--from-bucket", "--config"]).arg(bureau.config()).output().unwrap();
    assert!(out.status.success(), "{}{}", String::from_utf8_lossy(&out.stdout), String::from_utf8_lossy(&out.stderr));
    assert_eq!(docs(&bureau.data()), rows, "equal in everything that the manifests and journals hold");
    // Accounts are in no file: they are made anew.
    for (username, role) in [("looker", "reviewer"), ("decider", "leader_in_charge")] {
        bureau.add_account(username, role, "land-use");
    }
    bureau.start().await;
    let (reviewer, leader) = (bureau.sign_in("looker").await, bureau.sign_in("decider").await);
    let face = before.iter().find(|(name, _)| name.contains(&first) && name.contains("/face-") && name.ends_with("-0001.mp4")).unwrap();
    let sha256 = shilu::model::digest::sha256(face.1);
    looks_at_what_lies_in_the_archive_alone(&bureau, &reviewer, &leader, &first, &sha256).await;
}

/// Under a grant, whole and in parts; without one, and after its revocation, not at all.
async fn looks_at_what_lies_in_the_archive_alone(bureau: &Bureau, reviewer: &Person, leader: &Person, session: &str, sha256: &str) {
    assert!(!std::fs::read_dir(bureau.folder(session)).unwrap().any(|e| e.unwrap().path().extension().is_some_and(|e| e == "mp4")));
    let viewings = format!("/api/v1/sessions/{session}/viewings");
    assert_eq!(reviewer.post(&viewings, json!({})).await.0, StatusCode::FORBIDDEN);
    let request = reviewer.gets_grant(leader, session, "view").await;
    let viewing = reviewer.does(&viewings, json!({})).await["id"].as_str().unwrap().to_owned();
    let at = format!("/api/v1/viewings/{viewing}/face/1");
    let whole = reviewer.ask(Method::GET, &at, None).await.bytes().await.unwrap();
    assert_eq!(shilu::model::digest::sha256(&whole), sha256, "the bytes that were recorded");
    let part = reviewer.client.get(format!("{}{at}", bureau.url)).header("Range", "bytes=1000-4999").send().await.unwrap();
    assert_eq!((part.status(), part.bytes().await.unwrap()), (StatusCode::PARTIAL_CONTENT, whole.slice(1000..5000)));
    leader.does(&format!("/api/v1/access-requests/{request}/revoke"), json!({ "reason": "误批" })).await;
    assert_eq!(reviewer.ask(Method::GET, &at, None).await.status(), StatusCode::FORBIDDEN);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_encrypted_opens_with_debians_age_and_what_was_released_here_is_looked_at_from_there() {
    let ceph = Ceph::up();
    let dir = tempfile::tempdir().unwrap();
    let key = |name: &str| {
        let path = dir.path().join(name);
        assert!(Command::new("age-keygen").arg("-o").arg(&path).output().unwrap().status.success());
        let out = Command::new("age-keygen").arg("-y").arg(&path).output().unwrap();
        (path, String::from_utf8(out.stdout).unwrap().trim().to_owned())
    };
    let ((own, to_own), (escrow, to_escrow)) = (key("own.age"), key("escrow.age"));
    let more = format!("encrypt_to = [\"{to_own}\", \"{to_escrow}\"]\nidentity_file = \"{}\"\nrelease_after_days = 0", own.display());
    let configuration = ceph.configuration("site-b", &more);
    off(|| store(&ceph).make_bucket().unwrap());
    let bureau = Bureau::open_in(dir, None, "", &configuration).await;
    let (officer, id) = bureau.records(300_000).await;
    let sealed = officer.ends(&id).await;
    let folder = bureau.folder(&id);
    let inspector = bureau.sign_in("inspector").await;
    // What nobody has classified is not released; what is routine may be.
    waits(&inspector, "archived", is_done).await;
    assert!(!folder.join("released.json").exists());
    bureau.sign_in("custodian").await.does(&format!("/api/v1/sessions/{id}/routine"), json!({ "reason": "来访咨询" })).await;
    waits(&inspector, "released", |a| is_done(a) && a["released"] == 1).await;
    // Logged, then done.
    until("what was released is gone here", || {
        let files = std::fs::read_dir(&folder).unwrap().flatten().map(|e| e.file_name().into_string().unwrap());
        folder.join("released.json").exists() && !files.into_iter().any(|name| name.ends_with(".mp4"))
    })
    .await;
    waits_for_entry(&inspector, "local_copy_released").await;

    // The escrow's key alone, and a tool that is not ours.
    let sha256 = sealed["segments"][0]["sha256"].as_str().unwrap().to_owned();
    let object = off(|| {
        let store = store(&ceph);
        for v in store.versions("site-b/").unwrap() {
            assert!(store.get(&v.key, Some(&v.version), 1 << 30).unwrap().starts_with(b"age-encryption.org/v1"), "{}", v.key);
        }
        store.get(&format!("site-b/session/{id}/{sha256}.age"), None, 1 << 30).unwrap()
    });
    let path = bureau.dir.path().join("object.age");
    std::fs::write(&path, object).unwrap();
    let plain = Command::new("age").arg("-d").arg("-i").arg(&escrow).arg(&path).output().unwrap();
    assert!(plain.status.success(), "{}", String::from_utf8_lossy(&plain.stderr));
    assert_eq!(shilu::model::digest::sha256(&plain.stdout), sha256);

    let (reviewer, leader) = (bureau.sign_in("reviewer").await, bureau.sign_in("leader_in_charge").await);
    let face = sealed["segments"].as_array().unwrap().iter().find(|s| s["camera"] == "face" && s["sequence"] == 1).unwrap();
    looks_at_what_lies_in_the_archive_alone(&bureau, &reviewer, &leader, &id, face["sha256"].as_str().unwrap()).await;
    // Work that needs files brings them back, and says so.
    reviewer.gets_grant(&leader, &id, "copy").await;
    reviewer.does(&format!("/api/v1/sessions/{id}/package"), json!({})).await;
    waits_for_entry(&inspector, "local_copy_back").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lock_holds_to_its_last_second_and_then_every_version_goes() {
    let ceph = Ceph::up();
    off(|| {
        let store = store(&ceph);
        store.make_bucket().unwrap();
        store.check().unwrap();
        let until = chrono::DateTime::from_timestamp(SystemClock.now().utc.timestamp() + 8, 0).unwrap();
        let lock = Lock { until, held: true };
        let versions: Vec<String> = (0..2).map(|_| store.put("site-c/session/s-1/aa", "x".into(), Some(lock)).unwrap()).collect();
        let free = Lock { held: false, ..lock };
        for v in &versions {
            store.relock("site-c/session/s-1/aa", v, lock, free).unwrap();
            assert!(matches!(store.delete("site-c/session/s-1/aa", v), Err(StoreFault::Refused)));
        }
        // Nobody makes it shorter.
        let shorter = Lock { until: until - chrono::TimeDelta::seconds(6), held: false };
        assert!(
            store
                .relock(
                    "site-c/session/s-1/aa",
                    &versions[0],
                    Lock { until: shorter.until - chrono::TimeDelta::days(1), held: false },
                    shorter
                )
                .is_err()
        );
        let deadline = Instant::now() + Duration::from_mins(1);
        while !versions.iter().all(|v| store.delete("site-c/session/s-1/aa", v).is_ok()) {
            assert!(Instant::now() < deadline, "still locked");
            std::thread::sleep(Duration::from_millis(500));
        }
        assert!(SystemClock.now().utc >= until && store.versions("site-c/session/s-1/").unwrap().is_empty());
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn an_overview_of_two_sites_is_searched_by_the_six_fields_and_shows_no_picture() {
    let ceph = Ceph::up();
    off(|| store(&ceph).make_bucket().unwrap());
    let mut bureaus = Vec::new();
    for site in ["site-a", "site-b"] {
        let bureau = Bureau::open_in(tempfile::tempdir().unwrap(), None, "", &ceph.configuration(site, "status_min = 1")).await;
        recorded(&bureau).await;
        waits(&bureau.sign_in("inspector").await, "archived", is_done).await;
        bureaus.push(bureau);
    }
    let port = support::free_port();
    let mut hashing = Command::new(SHILU)
        .args(["overview", "--hash-password"])
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    std::io::Write::write_all(&mut hashing.stdin.take().unwrap(), b"wheat river 47 lamp\n").unwrap();
    let hash = String::from_utf8(hashing.wait_with_output().unwrap().stdout).unwrap();
    let pem = std::fs::read_to_string(bureaus[0].data().join("keys/signing.pub.pem")).unwrap();
    let key = shilu::custody::keys::PublicKey::from_pem(&pem, "a key").unwrap().fingerprint();
    let dir = tempfile::tempdir().unwrap();
    let (certificate, at) = (dir.path().join("tls.pem"), dir.path());
    std::fs::write(at.join("ext"), "subjectAltName = IP:127.0.0.1\n").unwrap();
    openssl(at, "req -x509 -newkey rsa:2048 -nodes -keyout ca.key -out ca.pem -days 2 -subj /CN=Test-CA");
    openssl(at, "req -newkey rsa:2048 -nodes -keyout tls.key -out tls.csr -subj /CN=overview");
    openssl(at, "x509 -req -in tls.csr -CA ca.pem -CAkey ca.key -CAcreateserial -out tls.pem -days 2 -extfile ext");
    let text = format!(
        "name = \"试用市局\"\nlisten = \"127.0.0.1:{port}\"\nendpoint = \"http://127.0.0.1:9\"\naccess_key_file = \"{}\"\nrefresh_s = 1\n\
         tls_certificate = \"{}\"\ntls_key = \"{}\"\n\
         [[sites]]\nid = \"site-a\"\nname = \"甲县局\"\nconsole = \"https://a.bureau.example\"\nkey = \"{key}\"\n\
         [[sites]]\nid = \"site-b\"\nname = \"乙县局\"\n\
         [[accounts]]\nusername = \"overseer\"\nname = \"监督员\"\npassword_hash = \"{}\"\n",
        ceph.key_file().display(),
        certificate.display(),
        dir.path().join("tls.key").display(),
        hash.trim()
    );
    let config = dir.path().join("overview.toml");
    std::fs::write(&config, text).unwrap();
    let log = std::fs::File::create(dir.path().join("log")).unwrap();
    // Which bucket, the command line says: it goes before the file.
    let mut overview = Command::new(SHILU)
        .args(["overview", "--bucket", "shilu", "--endpoint", &ceph.endpoint(), "--region", "us-east-1", "--config"])
        .arg(&config)
        .stderr(log)
        .spawn()
        .unwrap();
    let url = format!("https://127.0.0.1:{port}");
    let trusted = reqwest::Certificate::from_pem(&std::fs::read(at.join("ca.pem")).unwrap()).unwrap();
    let client = reqwest::Client::builder().tls_certs_only([trusted]).build().unwrap();
    let deadline = Instant::now() + Duration::from_secs(30);
    while client.get(format!("{url}/login")).send().await.is_err() {
        assert!(Instant::now() < deadline, "{}", std::fs::read_to_string(dir.path().join("log")).unwrap());
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let played = json!({ "url": url, "accounts": [{ "role": "overseer", "username": "overseer", "password": "wheat river 47 lamp" }],
        "bureau": { "url": bureaus[0].url, "password": bureaus[0].password("inspector") } });
    let told = dir.path().join("played.json");
    std::fs::write(&told, played.to_string()).unwrap();
    let mut script = Command::new("node");
    script.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/console/overview.mjs")).arg(&told);
    if let Some(shots) = option_env!("SHILU_SCREENSHOTS") {
        script.arg(shots);
    }
    let out = script.output().unwrap();
    overview.kill().unwrap();
    overview.wait().unwrap();
    let words = format!("{}{}", String::from_utf8_lossy(&out.stdout), String::from_utf8_lossy(&out.stderr));
    assert!(out.status.success() && words.contains("done"), "{words}\n{}", std::fs::read_to_string(dir.path().join("log")).unwrap());
}
