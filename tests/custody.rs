//! Custody: what a court's expert finds who trusts neither the bureau nor this program (第二十条, 第二十三条).

use crate::support;

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use shilu::custody::note::{Checkpoint, Note};
use std::io::BufRead;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use support::authority::{Authority, openssl};
use support::bureau::{Bureau, verify};
use support::package::{VERIFY, bend, copy, fetches_package, first, outsider, records_one, text, until};
use support::replay::Replay;

const SHILU: &str = env!("CARGO_BIN_EXE_shilu");

fn shilu(arguments: &[&str]) -> (bool, String) {
    let out = Command::new(SHILU).args(arguments).output().unwrap();
    (out.status.success(), text(&out))
}

fn log_folder(bureau: &Bureau) -> PathBuf {
    bureau.data().join("custody/log")
}

fn log_key(bureau: &Bureau) -> String {
    let (ok, key) =
        shilu(&["log", "key", log_folder(bureau).to_str().unwrap(), "--key", bureau.data().join("keys/log.pub.pem").to_str().unwrap()]);
    assert!(ok, "{key}");
    key.trim().into()
}

/// An outside cosigner.
struct Cosigner {
    process: Child,
    address: String,
    key: String,
}

impl Cosigner {
    fn start(folder: &Path, log: &str) -> Self {
        let mut process = Command::new(SHILU)
            .args(["witness", "--name", "legal-unit", "--listen", "127.0.0.1:0", "--log", log, "--data"])
            .arg(folder)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut lines = std::io::BufReader::new(process.stdout.take().unwrap()).lines().map(Result::unwrap);
        let mut word = || lines.next().unwrap().split_whitespace().last().unwrap().to_owned();
        let (address, key) = (word(), word());
        Self { process, address, key }
    }
}

impl Drop for Cosigner {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// The indented lines of a package's instructions: what its reader types.
fn commands(instructions: &str) -> Vec<String> {
    let lines = instructions.lines().filter_map(|l| l.strip_prefix("    ").map(|l| l.trim_end().to_owned()));
    lines.filter(|l| !l.starts_with("certutil")).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sealed_session_is_proved_to_an_outsider_by_log_cosigner_timestamp_and_package() {
    let authority = Authority::open(3650).await;
    let mut bureau = Bureau::open().await;
    let cosigner = Cosigner::start(&bureau.dir.path().join("cosigner"), &log_key(&bureau));
    assert!(bureau.terminate());
    let unit = bureau.dir.path().to_owned();
    openssl(&unit, "req -x509 -newkey rsa:2048 -nodes -keyout unit.key -out unit-ca.pem -days 30 -subj /CN=Unit");
    bureau.configure(&format!(
        "[custody]\ntsa = \"{}\"\ntsa_ca = \"{}\"\ncms_certificate = \"{4}/unit-ca.pem\"\ncms_key = \"{4}/unit.key\"\n\
         [[custody.witnesses]]\nurl = \"{}\"\nkey = \"{}\"",
        authority.address,
        authority.ca.display(),
        cosigner.address,
        cosigner.key,
        unit.display()
    ));
    bureau.start().await;
    let (_, id, sealed) = records_one(&bureau).await;
    let folder = bureau.folder(&id);
    until("a timestamp beside the seal", || folder.join("session.json.tsr").exists()).await;
    // The head that holds the seal is confirmed outside.
    let cosigned = log_folder(&bureau).join("cosigned");
    let (_, audit) = shilu(&["log", "check", log_folder(&bureau).to_str().unwrap(), "--json"]);
    let size = serde_json::from_str::<Value>(&audit).unwrap()["entries"].as_u64().unwrap();
    until("a cosigned head", || {
        let note = std::fs::read(&cosigned).ok().and_then(|data| Note::parse(&data).ok());
        note.is_some_and(|note| Checkpoint::parse(&note.text).unwrap().size >= size && note.lines.len() == 2)
    })
    .await;

    let leader = bureau.sign_in("leader_in_charge").await;
    let reviewer = bureau.sign_in("reviewer").await;
    let (status, _) = reviewer.post(&format!("/api/v1/sessions/{id}/package"), json!({})).await;
    assert_eq!(status, StatusCode::FORBIDDEN, "nothing is handed over without a grant");
    reviewer.gets_grant(&leader, &id, "copy").await;
    let tar = bureau.dir.path().join("package.tar");
    let made = fetches_package(&reviewer, &id, &tar).await;
    let unpacked = Command::new("tar").arg("-xf").arg(&tar).current_dir(bureau.dir.path()).status().unwrap();
    assert!(unpacked.success());
    let package = bureau.dir.path().join(&id);

    let probe = Command::new("ffprobe")
        .args(["-v", "error", "-count_packets", "-select_streams", "v", "-show_entries", "stream=nb_read_packets", "-of", "csv=p=0"])
        .arg(package.join("data/viewing/face.mp4"))
        .output()
        .unwrap();
    let pictures: u64 = text(&probe).trim().trim_end_matches(',').parse().unwrap();
    assert!(pictures > 10, "the copy for looking plays");

    // As printed, each of them.
    std::fs::copy(unit.join("unit-ca.pem"), package.join("unit-ca.pem")).unwrap();
    let instructions = std::fs::read_to_string(package.join("README.en.txt")).unwrap();
    let typed = commands(&instructions);
    assert_eq!(typed, commands(&std::fs::read_to_string(package.join("README.zh-CN.txt")).unwrap()));
    assert!(typed.len() >= 8, "{instructions}");
    let mut interim = Vec::new();
    for command in &typed {
        let out = Command::new("bash").args(["-c", command]).current_dir(&package).output().unwrap();
        assert!(out.status.success(), "{command}\n{}", text(&out));
        if command.contains("/session.json") && command.starts_with("sha256sum data") {
            assert!(text(&out).starts_with(sealed["seal"]["code"].as_str().unwrap()));
        }
        if command.contains("interim-") {
            let said = std::fs::read_to_string(folder.join("session.json")).unwrap();
            interim.extend(text(&out).split(' ').next().filter(|code| said.contains(*code)).map(str::to_owned));
        }
    }
    assert!(!interim.is_empty(), "the code on the signed record is found by the instructions: {instructions}");
    std::fs::remove_file(package.join("manifest.verified")).unwrap();
    std::fs::remove_file(package.join("unit-ca.pem")).unwrap();
    assert_eq!(made["manifest_sha256"], shilu::model::digest::sha256(&std::fs::read(package.join("manifest-sha256.txt")).unwrap()));

    assert_eq!(outsider(&package), (true, String::new()));
    let schema = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/custody/manifest.schema.json");
    for manifest in ["session.json", "interim-1.json"] {
        let script = "import json, sys, jsonschema; jsonschema.validate(json.load(open(sys.argv[1])), json.load(open(sys.argv[2])))";
        let out = Command::new("python3").args(["-c", script]).arg(folder.join(manifest)).arg(&schema).output().unwrap();
        assert!(out.status.success(), "{manifest}: {}", text(&out));
    }
    let keys = bureau.data().join("keys");
    for path in [&package, &tar] {
        let out = Command::new(VERIFY)
            .arg(path)
            .args(["--sm3", "--key"])
            .arg(&keys)
            .arg("--log-key")
            .arg(keys.join("log.pub.pem"))
            .arg("--tsa-ca")
            .arg(&authority.ca)
            .output()
            .unwrap();
        let words = text(&out);
        assert_eq!(out.status.code(), Some(0), "{words}");
        assert!(words.contains("session.json.tsr") && words.contains("sealed by entry") && words.contains("(the trusted key)"), "{words}");
        assert!(words.trim_end().ends_with("\nintact") && words.contains(&format!("interim   1 {}", interim[0])), "{words}");
    }
    the_tool_says_what_it_did_not_compare_and_why_it_cannot_tell(&bureau, &id, &tar, &package);
    let wrong_key = Command::new(VERIFY).arg(&package).arg("--log-key").arg(keys.join("signing.pub.pem")).output().unwrap();
    assert_eq!(wrong_key.status.code(), Some(1), "{}", text(&wrong_key));
}

/// What an expert does wrong gets words that help.
fn the_tool_says_what_it_did_not_compare_and_why_it_cannot_tell(bureau: &Bureau, id: &str, tar: &Path, package: &Path) {
    let run = |path: &Path, arguments: &[&str]| {
        let out = Command::new(VERIFY).arg(path).args(arguments).output().unwrap();
        (out.status.code().unwrap(), text(&out))
    };
    let keys = bureau.data().join("keys");
    let key = |name: &str| keys.join(name).display().to_string();
    for (arguments, open) in [
        (vec![], &["(--key)", "(--log-key)"][..]),
        (vec!["--key".into(), key("signing.pub.pem")], &["(--log-key)"]),
        (vec!["--log-key".into(), key("log.pub.pem")], &["(--key)"]),
    ] {
        let (code, said) = run(tar, &arguments.iter().map(String::as_str).collect::<Vec<_>>());
        let last = said.trim_end().lines().last().unwrap().to_owned();
        assert!(code == 0 && last.starts_with("intact in itself; not compared: "), "{said}");
        assert_eq!(["(--key)", "(--log-key)"].iter().filter(|o| last.contains(**o)).count(), open.len(), "{said}");
        assert!(open.iter().all(|o| last.contains(o)), "{said}");
    }
    // The code in the picture, of whatever the expert has: the same of each, and outside the session with a word.
    let started = serde_json::from_slice::<Value>(&std::fs::read(bureau.folder(id).join("session.json")).unwrap()).unwrap();
    let started = started["started_at"].as_str().unwrap().to_owned();
    let codes: Vec<String> = [tar, package, &bureau.folder(id)]
        .map(|path| run(path, &["--code-at", &started]).1.lines().find(|l| l.starts_with("code ")).unwrap_or_default().to_owned())
        .into();
    assert!(codes[0].len() == 16 && codes.iter().all(|c| *c == codes[0]), "{codes:?}");
    let (_, said) = run(tar, &["--code-at", "2020-01-01T08:00:00+08:00"]);
    assert!(said.contains("OUTSIDE   2020-01-01"), "{said}");
    // Copies that did not come whole, and what is none.
    let data = std::fs::read(tar).unwrap();
    let other = |name: &str, data: &[u8]| {
        let path = bureau.dir.path().join(name);
        std::fs::write(&path, data).unwrap();
        path
    };
    for (path, arguments, wanted) in [
        (other("short.tar", &data[..data.len() / 2]), vec![], "cut short: copy it again"),
        (other("package.tar.gz", &[&[0x1f, 0x8b, 8, 0][..], &data[..4096]].concat()), vec![], "is compressed (gzip); unpack it first"),
        (bureau.dir.path().join("no-such.tar"), vec![], "there is nothing of that name"),
        (tar.to_owned(), vec!["--key".to_owned(), key("signing.pem")], "is a private key"),
    ] {
        let (code, said) = run(&path, &arguments.iter().map(String::as_str).collect::<Vec<_>>());
        assert!(code == 2 && said.contains(wanted), "{wanted}: {said}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restored_backup_begins_a_new_log_and_an_old_anchor_sheet_tells_it() {
    let mut bureau = Bureau::open().await;
    let inspector = bureau.sign_in("inspector").await;
    let (_, sheet) = inspector.get("/api/v1/log/anchor").await;
    let early = format!("{} {}", sheet["size"], sheet["root"].as_str().unwrap());
    let folder = log_folder(&bureau);
    let check = |anchor: &str| shilu(&["log", "check", folder.to_str().unwrap(), "--anchor", anchor]);
    assert!(check(&early).0, "{}", check(&early).1);
    assert!(bureau.terminate());
    let backup = bureau.dir.path().join("backup");
    std::fs::create_dir(&backup).unwrap();
    copy(&bureau.data().join("custody"), &backup);
    let tails = ["", "-wal", "-shm"].map(|tail| format!("catalog.db{tail}"));
    tails.iter().map(|name| bureau.data().join(name)).filter(|p| p.exists()).for_each(|p| copy(&p, &backup));
    bureau.start().await;
    let (_, id, _) = records_one(&bureau).await;
    let inspector = bureau.sign_in("inspector").await;
    let (_, sheet) = inspector.get("/api/v1/log/anchor").await;
    assert_eq!(sheet["sessions"][0]["id"], id.as_str());
    let late = format!("{} {}", sheet["size"], sheet["root"].as_str().unwrap());
    assert!(check(&late).0 && check(&early).0, "the log only grew");
    assert!(check(sheet["head"].as_str().unwrap()).0, "the text of the QR will do");
    let origin = sheet["origin"].as_str().unwrap().to_owned();
    bureau.kill();

    std::fs::remove_dir_all(bureau.data().join("custody")).unwrap();
    copy(&backup.join("custody"), &bureau.data());
    for name in &tails {
        let _ = std::fs::remove_file(bureau.data().join(name));
        if backup.join(name).exists() {
            copy(&backup.join(name), &bureau.data());
        }
    }
    bureau.start().await;
    let (ok, words) = check(&late);
    assert!(!ok && words.contains("anchor sheet"), "{words}");
    assert!(bureau.data().join("custody/log-1").is_dir(), "the restored log is kept as it was");
    let inspector = bureau.sign_in("inspector").await;
    let (_, rows) = inspector.get("/api/v1/log").await;
    let opened = rows.as_array().unwrap().iter().find(|r| r["entry"]["kind"] == "log_opened").unwrap();
    assert_eq!(opened["entry"]["about"]["why"], "restored");
    assert_eq!(opened["entry"]["about"]["after_log"], origin.as_str());
    let office = bureau.sign_in("office").await;
    let (_, status) = office.get("/api/v1/status").await;
    assert!(status["machine"]["faults"].to_string().contains("restored"), "{status:#}");
    // The office and its officers go on meanwhile.
    let (_, id, _) = records_one(&bureau).await;
    assert_eq!(verify(&bureau.folder(&id)).0, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_that_was_altered_stops_no_recording_and_is_never_signed_over() {
    let mut bureau = Bureau::open().await;
    records_one(&bureau).await;
    assert!(bureau.terminate());
    let folder = log_folder(&bureau);
    let key = bureau.data().join("keys/log.pub.pem");
    let check = |folder: &Path| shilu(&["log", "check", folder.to_str().unwrap(), "--key", key.to_str().unwrap()]);
    assert!(check(&folder).0, "{}", check(&folder).1);
    // An entry in the middle, of the same length.
    let path = first(&folder.join("writing"), "");
    let data = std::fs::read(&path).unwrap();
    let at = data.windows(14).position(|w| w == b"session_sealed").unwrap();
    let mut bent = data.clone();
    bent[at..at + 14].copy_from_slice(b"session_linked");
    std::fs::write(&path, &bent).unwrap();
    let (ok, words) = check(&folder);
    assert!(!ok && words.contains("root is not that of the entries"), "{words}");
    bureau.start().await;
    let (_, id, _) = records_one(&bureau).await;
    assert_eq!(verify(&bureau.folder(&id)).0, 0);
    assert!(!check(&bureau.data().join("custody/log-1")).0, "the altered one is kept as it was found");
    let (ok, words) = check(&folder);
    assert!(ok, "{words}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_authority_that_is_away_delays_the_timestamp_and_one_that_ends_is_renewed() {
    let mut authority = Authority::open(20).await;
    let mut bureau = Bureau::open().await;
    assert!(bureau.terminate());
    bureau.configure(&format!("[custody]\ntsa = \"{}\"\ntsa_ca = \"{}\"", authority.address, authority.ca.display()));
    authority.goes().await;
    bureau.start().await;
    let (_, id, _) = records_one(&bureau).await;
    let folder = bureau.folder(&id);
    let office = bureau.sign_in("office").await;
    let deadline = Instant::now() + Duration::from_secs(30);
    loop {
        let (_, status) = office.get("/api/v1/status").await;
        if status["machine"]["faults"].to_string().contains("timestamp authority") {
            break;
        }
        assert!(Instant::now() < deadline, "the delay is not visible: {status:#}");
        tokio::time::sleep(Duration::from_millis(300)).await;
    }
    assert!(!folder.join("session.json.tsr").exists());
    authority.comes().await;
    until("a first token", || folder.join("session.json.tsr").exists()).await;
    // Its certificate ends within the sixty days that a renewal comes before; the authority has a new one.
    authority.renews(3650);
    until("a renewed token", || folder.join("session.json.tsr.2").exists()).await;
    let out = Command::new(VERIFY).arg(&folder).arg("--tsa-ca").arg(&authority.ca).output().unwrap();
    let words = text(&out);
    assert!(out.status.success() && words.contains("session.json.tsr.2"), "{words}");
    tokio::time::sleep(Duration::from_secs(7)).await;
    let tokens = std::fs::read_dir(&folder).unwrap().filter(|e| e.as_ref().unwrap().file_name().to_str().unwrap().contains(".tsr")).count();
    assert!(tokens <= 4, "renewed without an end: {tokens}");
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_follow_one_another_and_what_was_signed_stays_valid() {
    let mut bureau = Bureau::open().await;
    let (_, first, _) = records_one(&bureau).await;
    let config = bureau.config();
    let (ok, words) = shilu(&["key", "rotate", "--algorithm", "sm2", "--config", config.to_str().unwrap()]);
    assert!(ok, "{words}");
    let (_, during, _) = records_one(&bureau).await;
    assert!(bureau.terminate());
    bureau.start().await;
    let (_, second, _) = records_one(&bureau).await;
    let keys = bureau.data().join("keys");
    for id in [&first, &during, &second] {
        let out = Command::new(VERIFY).arg(bureau.folder(id)).arg("--key").arg(&keys).output().unwrap();
        assert!(out.status.success(), "{id}: {}", text(&out));
    }
    let of_new = keys.join("signing.pub.pem");
    let alone = Command::new(VERIFY).arg(bureau.folder(&first)).arg("--key").arg(&of_new).output().unwrap();
    assert_eq!(alone.status.code(), Some(1), "the new key alone vouches for nothing old");
    let folder = bureau.folder(&second);
    openssl(
        &folder,
        "pkeyutl -verify -pubin -inkey signer.pem -rawin -digest sm3 -pkeyopt distid:1234567812345678 -in session.json -sigfile session.json.sig",
    );
    assert!(std::fs::read_to_string(bureau.data().join("keys/signing.pem")).unwrap().contains("PRIVATE KEY"));
    // All three sessions of the store at once, each with its seal in the log.
    let out = Command::new(VERIFY)
        .arg(bureau.data())
        .arg("--key")
        .arg(&keys)
        .arg("--log")
        .arg(log_folder(&bureau))
        .arg("--json")
        .output()
        .unwrap();
    let found: Value = serde_json::from_slice(&out.stdout).unwrap();
    assert!(out.status.success() && found["sessions"].as_array().unwrap().len() == 3, "{found:#}");
    assert!(found["sessions"].as_array().unwrap().iter().all(|s| s["log_entry"].is_u64()), "{found:#}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bit_that_fell_over_is_found_told_and_brought_back_from_the_mirror() {
    let dir = tempfile::tempdir().unwrap();
    let mirror = dir.path().join("mirror");
    std::fs::create_dir(&mirror).unwrap();
    let mut bureau = Bureau::open_in(dir, None, &format!("mirror = \"{}\"", mirror.display()), "").await;
    let (_, id, sealed) = records_one(&bureau).await;
    let folder = bureau.folder(&id);
    let there = mirror.join("footage").join(folder.strip_prefix(bureau.data().join("footage")).unwrap());
    until("the mirror has the signature", || there.join("session.json.sig").exists()).await;
    assert!(bureau.terminate());
    let _ = std::fs::remove_file(bureau.data().join("custody/scrub.json"));
    let file = sealed["segments"][0]["file"].as_str().unwrap();
    bend(&folder.join(file), 4000);
    let other = sealed["segments"].as_array().unwrap().iter().find(|s| s["camera"] != sealed["segments"][0]["camera"]).unwrap();
    std::fs::remove_file(there.join(other["file"].as_str().unwrap())).unwrap();
    assert_eq!(verify(&folder).0, 1);
    bureau.start().await;
    // And behind the recorder's back, one letter of an entry that was signed long ago.
    {
        use std::os::unix::fs::FileExt;
        let file = std::fs::File::options().write(true).open(log_folder(&bureau).join("writing/000000000000")).unwrap();
        file.write_all_at(b"X", 40).unwrap();
    }
    until("both are whole again", || verify(&folder).0 == 0 && verify(&there).0 == 0).await;
    let kept = std::fs::read_dir(&folder).unwrap().any(|e| e.unwrap().file_name().to_str().unwrap().contains(".damaged-"));
    assert!(kept, "the damaged file is kept aside");
    let inspector = bureau.sign_in("inspector").await;
    let deadline = Instant::now() + Duration::from_secs(20);
    let told = loop {
        let (_, rows) = inspector.get("/api/v1/log").await;
        let is = |r: &&Value| r["entry"]["kind"].as_str().unwrap().starts_with("damage_");
        let told: Vec<(String, String)> = rows
            .as_array()
            .unwrap()
            .iter()
            .filter(is)
            .map(|r| [&r["entry"]["kind"], &r["entry"]["about"]["volume"]].map(|v| v.as_str().unwrap().to_owned()).into())
            .collect();
        if told.iter().any(|(_, volume)| volume == "log") {
            break told;
        }
        assert!(Instant::now() < deadline, "an altered entry is not told: {told:?}");
        tokio::time::sleep(Duration::from_millis(200)).await;
    };
    for volume in ["primary", "mirror"] {
        for kind in ["damage_found", "damage_repaired"] {
            assert_eq!(told.iter().filter(|(k, v)| k == kind && v == volume).count(), 1, "{told:?}");
        }
    }
    let (status, page) = {
        let answer = inspector.ask(Method::GET, "/log", None).await;
        (answer.status(), answer.text().await.unwrap())
    };
    assert!(status.is_success() && page.contains("个文件与封存时不同"), "the log's page counts them");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cameras_own_signatures_stay_in_what_is_stored_and_the_manifest_says_so() {
    let cameras = Replay::start(2, false);
    let dir = tempfile::tempdir().unwrap();
    let bureau = Bureau::open_at(dir, None, "", "", &[cameras.address(0), cameras.address(1)]).await;
    let (_, id, sealed) = records_one(&bureau).await;
    let uuid = [0x00, 0x5b, 0xc9, 0x3f, 0x2d, 0x71, 0x5e, 0x95, 0xad, 0xa4, 0x79, 0x6f, 0x90, 0x87, 0x7a, 0x6f];
    for segment in sealed["segments"].as_array().unwrap() {
        assert_eq!(segment["signed_video"], "onvif", "{segment:#}");
        let data = std::fs::read(bureau.folder(&id).join(segment["file"].as_str().unwrap())).unwrap();
        let whole = [&uuid[..], &[0xa5; 48]].concat();
        let seen = memchr::memmem::find_iter(&data, &whole).count() as u64;
        assert!(seen * 1000 + 1500 > segment["duration_ms"].as_u64().unwrap(), "{seen} in {segment:#}");
    }
}
