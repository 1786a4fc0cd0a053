//! The safety of the catalog: it is deleted, damaged, backed up, put back; on this machine and on a bare one.

use crate::support;

use reqwest::StatusCode;
use rusqlite::types::Value as Cell;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};
use support::bureau::{Bureau, verify};
use support::ceph::{Ceph, is_done, off, waits, waits_for_entry};
use support::many::{Many, fill, fill_with};

fn shilu(arguments: &[&str], config: &Path) -> (bool, String) {
    let out = Command::new(env!("CARGO_BIN_EXE_shilu")).args(arguments).arg("--config").arg(config).output().unwrap();
    (out.status.success(), format!("{}{}", String::from_utf8_lossy(&out.stdout), String::from_utf8_lossy(&out.stderr)))
}

/// The backups of a bureau that are described, so whole; oldest first.
fn backups(bureau: &Bureau) -> Vec<PathBuf> {
    let mut all = support::stored::files(&bureau.data().join("backups"), "db");
    all.retain(|p| p.with_extension("json").exists());
    all
}

async fn waits_for_a_backup(bureau: &Bureau) {
    let deadline = Instant::now() + Duration::from_mins(1);
    while backups(bureau).is_empty() {
        assert!(Instant::now() < deadline, "{}", bureau.log());
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

fn damage(path: &Path) {
    let mut data = std::fs::read(path).unwrap();
    let from = 4096.min(data.len() / 2);
    data[from..].fill(0x5A);
    std::fs::write(path, data).unwrap();
}

type Rows = Vec<BTreeMap<String, Cell>>;

/// Rows of tables that are made from files alone, without the columns that cannot be equal.
fn made_from_files(data: &Path) -> BTreeMap<&'static str, Rows> {
    // number and row: the order in which rows came; nothing outside the catalog names them.
    const TABLES: &[(&str, &[&str])] = &[
        ("sessions", &["number"]),
        ("session_cases", &[]),
        ("cases", &["row"]),
        ("case_numbers", &[]),
        ("provisions", &[]),
        ("holds", &[]),
        ("media", &[]),
        ("media_sessions", &[]),
        ("retention", &[]),
        ("retention_table", &[]),
        ("provision_sessions", &[]),
        ("disposals", &[]),
        ("devices", &[]),
        ("disposal_sessions", &[]),
        ("imported", &[]),
        ("handed_over", &[]),
        ("check_outs", &[]),
        ("entries", &[]),
        ("logs", &[]),
    ];
    let c = rusqlite::Connection::open(data.join("catalog.db")).unwrap();
    let mut all = BTreeMap::new();
    for (table, without) in TABLES {
        let mut statement = c.prepare(&format!("SELECT * FROM {table}")).unwrap();
        let columns: Vec<String> = statement.column_names().into_iter().map(Into::into).collect();
        let row = |r: &rusqlite::Row<'_>| {
            let kept = columns.iter().enumerate().filter(|(_, c)| !without.contains(&c.as_str()));
            kept.map(|(n, c)| Ok((c.clone(), r.get::<_, Cell>(n)?))).collect::<Result<BTreeMap<_, _>, _>>()
        };
        let mut rows: Rows = statement.query_map([], row).unwrap().map(Result::unwrap).collect();
        rows.sort_by_cached_key(|r| format!("{r:?}"));
        all.insert(*table, rows);
    }
    all
}

/// Tables that no file tells, each with why. A new table is in one of the two lists.
const OF_BACKUPS: &[(&str, &str)] = &[
    ("accounts", "people and their passwords stand in no file"),
    ("logins", "a login ends with its database"),
    ("requests", "approvals: the log tells that there was one, not what it said"),
    ("request_sessions", "the same"),
    ("viewings", "who looked stands in the log; the seconds' running count does not"),
    ("documents", "the files lie in their session's folder; their names and who brought them are here"),
    ("bound_texts", "texts that entries bind are kept out of the log on purpose"),
    ("plans", "a plan is no record"),
    ("alarms", "the log tells them; what people answered is here"),
    ("alarm_messages", "what is on its way to somebody is no record"),
    ("screens", "links are made anew"),
    ("timestamps", "what waits is found by its session; tokens lie beside the manifests"),
    ("passkeys", "keys of people"),
    ("deputations", "the log tells them; their terms are here"),
    ("tokens", "keys of systems"),
    ("copies", "copies end with their approval"),
    ("archive_items", "what lies in the bucket is read from the bucket; what waits is found by its session"),
    ("archive_objects", "the same"),
    ("looks", "when somebody last looked is no record"),
];

/// A session with marks and another link, a case, a provision that holds it, and a medium of it.
async fn works(bureau: &Bureau) -> String {
    let (officer, session) = bureau.records(50_000).await;
    for right in ["notice_given", "right_statement"] {
        officer.does(&format!("/api/v1/sessions/{session}/marks"), json!({ "kind": right, "manner": "oral" })).await;
    }
    officer.ends(&session).await;
    officer
        .does(
            &format!("/api/v1/sessions/{session}/link"),
            json!({ "case_no": "威自然资罚〔2026〕13号", "party": "张三", "reason": "案号更正" }),
        )
        .await;
    let case = json!({ "origin": "own_initiative", "kind": "penalty", "procedure": "ordinary", "parties": ["张三"] });
    officer.does("/api/v1/cases", case).await;
    let legal = bureau.sign_in("legal_unit").await;
    let letter = json!({ "letter_no": "（2026）冀0533行初1号", "receiving_body": "威县人民法院", "kind": "litigation", "received": "2026-11-20", "sessions": [session] });
    legal.does("/api/v1/provisions", letter).await;
    legal.does("/api/v1/media", json!({ "sessions": [session], "kind": "dvd" })).await;
    let deadline = Instant::now() + Duration::from_mins(3);
    while legal.get("/api/v1/media").await.1["media"][0]["medium"]["state"] != "ready" {
        assert!(Instant::now() < deadline, "{}", bureau.log());
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    session
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deleted_database_of_thousands_of_sessions_is_made_anew_equal_in_everything_that_files_hold() {
    let mut bureau = Bureau::open().await;
    bureau.terminate();
    bureau.configure("[[devices]]\nnumber = \"BWC-017\"\nunit = \"land-use\"\nname = \"执法记录仪 17\"\n[[devices]]\nnumber = \"BWC-018\"\nunit = \"land-use\"\nname = \"执法记录仪 18\"\n");
    bureau.start().await;
    let session = works(&bureau).await;
    let officer = bureau.sign_in("officer").await;
    // One device is out, and of another it was said that it brought nothing.
    officer.does("/api/v1/check-outs", json!({ "device_no": "BWC-017", "battery": 95, "free_gb": 60 })).await;
    let out = officer.does("/api/v1/check-outs", json!({ "device_no": "BWC-018" })).await["id"].as_str().unwrap().to_owned();
    assert_eq!(officer.post(&format!("/api/v1/check-outs/{out}/nothing"), json!({ "reason": "未使用" })).await.0, StatusCode::NO_CONTENT);
    bureau.terminate();
    fill(&bureau, &session, Many { sessions: 3000, cases: 400, provisions: 100, media: 100 });
    let data = bureau.data();
    let before = made_from_files(&data);
    assert!(before["sessions"].len() == 3001 && before["media"].len() == 101 && before["entries"].len() > 10);
    assert_eq!(before["check_outs"].len(), 2);
    let known: Vec<&str> = before.keys().copied().chain(OF_BACKUPS.iter().map(|(t, _)| *t)).collect();
    let c = rusqlite::Connection::open(data.join("catalog.db")).unwrap();
    let names = "SELECT name FROM sqlite_schema WHERE type = 'table' AND sql LIKE '%STRICT%'";
    let tables: Vec<String> = c.prepare(names).unwrap().query_map([], |r| r.get(0)).unwrap().map(Result::unwrap).collect();
    let strange: Vec<&String> = tables.iter().filter(|t| !known.contains(&t.as_str())).collect();
    assert!(strange.is_empty(), "is it made from files, or does it need its backup? {strange:?}");
    drop(c);
    for name in ["catalog.db", "catalog.db-wal", "catalog.db-shm"] {
        let _ = std::fs::remove_file(data.join(name));
    }
    let at = Instant::now();
    let (well, said) = shilu(&["rebuild"], &bureau.config());
    assert!(well && said.contains("3001 sessions\n"), "{said}");
    println!("3001 sessions, 401 cases, 101 provisions, 101 media in {:.1} s", at.elapsed().as_secs_f64());
    let after = made_from_files(&data);
    for (table, was) in &before {
        assert_eq!(after[table].len(), was.len(), "{table}");
        for (was, is) in was.iter().zip(&after[table]) {
            assert_eq!(is, was, "{table}");
        }
    }
    // And the search finds them.
    let c = rusqlite::Connection::open(data.join("catalog.db")).unwrap();
    let wanted = shilu::catalog::sessions::Filter { party: Some("当事人2977".into()), ..Default::default() };
    assert_eq!(shilu::catalog::sessions::find(&c, &wanted, 0, 10).unwrap().1, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_catalog_comes_back_from_its_newest_good_backup_with_accounts_requests_and_what_came_later() {
    let mut bureau = Bureau::open().await;
    waits_for_a_backup(&bureau).await;
    let (officer, session) = bureau.records(50_000).await;
    officer.ends(&session).await;
    let reviewer = bureau.sign_in("reviewer").await;
    let request = json!({ "session": session, "purpose": "复核", "mode": "view", "hours": 2 });
    let request = reviewer.does("/api/v1/access-requests", request).await["id"].as_str().unwrap().to_owned();
    // By hand, while the recorder runs.
    let good = bureau.dir.path().join("good.db");
    let (well, said) = shilu(&["backup", "--to", good.to_str().unwrap()], &bureau.config());
    assert!(well && said.contains(" accounts") && said.contains("sha256 "), "{said}");
    assert!(!shilu(&["backup", "--to", good.to_str().unwrap()], &bureau.config()).0, "nothing is overwritten");
    // What comes after the backup.
    let (later, second) = bureau.records(50_000).await;
    later.ends(&second).await;
    let (well, said) = shilu(&["restore", "--from", good.to_str().unwrap()], &bureau.config());
    assert!(!well && said.contains("stop the recorder"), "{said}");
    bureau.terminate();
    let folder = bureau.data().join("backups");
    std::fs::copy(&good, folder.join("catalog-20990101T000000Z.db")).unwrap();
    std::fs::copy(&good, folder.join("catalog-20990101T000001Z.db")).unwrap();
    damage(&folder.join("catalog-20990101T000001Z.db"));
    let _ = std::fs::remove_file(bureau.data().join("catalog.db-wal"));
    damage(&bureau.data().join("catalog.db"));
    bureau.start().await;
    let reviewer = bureau.sign_in("reviewer").await;
    let inbox = reviewer.get("/api/v1/access-requests").await.1;
    assert!(inbox.to_string().contains(&request), "{inbox}");
    let officer = bureau.sign_in("officer").await;
    let deadline = Instant::now() + Duration::from_secs(30);
    while officer.get(&format!("/api/v1/sessions/{second}")).await.0 != StatusCode::OK {
        assert!(Instant::now() < deadline, "what came later is not there: {}", bureau.log());
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let log = bureau.sign_in("inspector").await.get("/api/v1/log").await.1;
    let restored = log.as_array().unwrap().iter().find(|r| r["entry"]["kind"] == "catalog_restored").cloned().unwrap();
    assert_eq!(restored["entry"]["about"]["file"], "catalog-20990101T000000Z.db", "the damaged one was passed over");
    let names: Vec<String> =
        std::fs::read_dir(bureau.data()).unwrap().map(|e| e.unwrap().file_name().to_string_lossy().into_owned()).collect();
    assert!(names.iter().any(|n| n.starts_with("catalog.db.broken-")), "kept aside: {names:?}");
}

fn copy_tree(from: &Path, to: &Path) {
    assert!(Command::new("cp").arg("-a").arg(from).arg(to).status().unwrap().success());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bare_machine_gets_its_catalog_back_and_its_new_log_cites_the_head_of_the_old_one() {
    let mut bureau = Bureau::open().await;
    let (officer, session) = bureau.records(50_000).await;
    officer.ends(&session).await;
    bureau.sign_in("inspector").await.get("/api/v1/log/head").await;
    bureau.terminate();
    let backup = bureau.dir.path().join("monday.db");
    let misspelt = bureau.dir.path().join("nowhere/monday.db");
    let (well, said) = shilu(&["backup", "--to", misspelt.to_str().unwrap()], &bureau.config());
    assert!(!well && said.contains("there is no folder") && !misspelt.parent().unwrap().exists(), "{said}");
    let (well, said) = shilu(&["backup", "--to", backup.to_str().unwrap()], &bureau.config());
    assert!(well, "{said}");
    let mode = std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(&backup).unwrap().permissions());
    assert_eq!(mode & 0o137, 0, "no other user of the machine reads it");
    // Another machine: footage and keys were carried over, nothing else.
    let (old, bare) = (bureau.data(), bureau.dir.path().join("bare"));
    std::fs::create_dir(&bare).unwrap();
    copy_tree(&old.join("footage"), &bare);
    copy_tree(&old.join("keys"), &bare);
    bureau.moves_to(&bare);
    let mut altered = std::fs::read(&backup).unwrap();
    let middle = altered.len() / 2;
    altered[middle] ^= 1;
    let other = bureau.dir.path().join("altered.db");
    std::fs::write(&other, altered).unwrap();
    std::fs::copy(backup.with_extension("json"), other.with_extension("json")).unwrap();
    assert!(!shilu(&["restore", "--from", other.to_str().unwrap()], &bureau.config()).0, "one bit of it is another");
    let (well, said) = shilu(&["restore", "--from", backup.to_str().unwrap()], &bureau.config());
    assert!(well && said.contains("10 accounts") && said.contains("1 sessions"), "{said}");
    bureau.start().await;
    let officer = bureau.sign_in("officer").await;
    assert_eq!(officer.get(&format!("/api/v1/sessions/{session}")).await.0, StatusCode::OK);
    let rows = bureau.sign_in("inspector").await.get("/api/v1/log").await.1;
    let rows = rows.as_array().unwrap();
    let opened = rows.iter().find(|r| r["entry"]["kind"] == "log_opened").unwrap();
    assert_eq!(opened["entry"]["about"]["why"], "restored", "{opened}");
    assert!(opened["entry"]["about"]["after_size"].as_str().unwrap().parse::<u64>().unwrap() > 5);
    assert!(rows.iter().any(|r| r["entry"]["kind"] == "catalog_restored" && !r["entry"]["about"]["of_log"].is_null()));
    assert!(rows.iter().any(|r| r["entry"]["kind"] == "session_sealed"), "entries of the old log are still read");
    // `shilu restore` began it and ended; the recorder that goes on with it tells of it all the same.
    let office = bureau.sign_in("office").await;
    office.waits_at("/api/v1/alarms", |alarms| alarms.to_string().contains("log_anew")).await;
    bureau.terminate();
    // An older backup does not go over what is newer, unless that is wanted; then the newer one is kept beside it.
    let (well, said) = shilu(&["restore", "--from", backup.to_str().unwrap()], &bureau.config());
    assert!(!well && said.contains("newer than the backup"), "{said}");
    let (well, said) = shilu(&["restore", "--over-newer", "--from", backup.to_str().unwrap()], &bureau.config());
    assert!(well, "{said}");
    let kept =
        std::fs::read_dir(&bare).unwrap().filter(|e| e.as_ref().unwrap().file_name().to_string_lossy().starts_with("catalog.db.replaced-"));
    assert!(kept.count() > 0);
    bureau.start().await;
    bureau.sign_in("officer").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_that_fails_is_seen_on_the_status_page_and_in_the_figures() {
    let mut bureau = Bureau::open_empty().await;
    waits_for_a_backup(&bureau).await;
    let figures = |text: &str, name: &str| text.lines().find_map(|l| l.strip_prefix(name)?.trim().parse::<f64>().ok());
    let metrics = reqwest::get(format!("{}/metrics", bureau.url)).await.unwrap().text().await.unwrap();
    assert_eq!(figures(&metrics, "shilu_backup_failed "), Some(0.0), "{metrics}");
    let made: Value = serde_json::from_slice(&std::fs::read(backups(&bureau)[0].with_extension("json")).unwrap()).unwrap();
    assert!(made["holding"]["rows"]["entries"].as_u64().unwrap() > 0, "{made}");
    bureau.terminate();
    bureau.configure(&format!("[backup]\nfolder = \"{}\"\n", bureau.dir.path().join("not-mounted").display()));
    bureau.start().await;
    let deadline = Instant::now() + Duration::from_secs(30);
    loop {
        let metrics = reqwest::get(format!("{}/metrics", bureau.url)).await.unwrap().text().await.unwrap();
        if figures(&metrics, "shilu_backup_failed ") == Some(1.0) {
            break;
        }
        assert!(Instant::now() < deadline, "{metrics}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert_eq!(reqwest::get(format!("{}/healthz", bureau.url)).await.unwrap().status(), StatusCode::SERVICE_UNAVAILABLE);
    assert!(!bureau.dir.path().join("not-mounted").exists(), "nothing is written beside a volume that is away");
}

/// A key pair of Debian's `age`: the file that opens, and for whom to encrypt.
fn identity(dir: &Path, name: &str) -> (PathBuf, String) {
    let file = dir.join(name);
    let out = Command::new("age-keygen").arg("-o").arg(&file).output().unwrap();
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    let text = std::fs::read_to_string(&file).unwrap();
    let public = text.lines().find_map(|l| l.split("public key: ").nth(1)).unwrap().to_owned();
    (file, public)
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_lie_encrypted_beside_a_backup_and_make_a_bare_machine_the_same_signer_again() {
    let mut bureau = Bureau::open_empty().await;
    bureau.terminate();
    bureau.add_account("officer", "officer", "land-use");
    let dir = bureau.dir.path().to_owned();
    let (safe, to_safe) = identity(&dir, "safe.txt");
    let (escrow, to_escrow) = identity(&dir, "escrow.txt");
    let (stranger, _) = identity(&dir, "stranger.txt");
    let backup = dir.join("monday.db");
    let at = backup.to_str().unwrap();
    let (well, said) = shilu(&["backup", "--to", at, "--keys"], &bureau.config());
    assert!(!well && said.contains("--encrypt-to"), "keys are never written as they are: {said}");
    let (well, said) = shilu(&["backup", "--to", at, "--keys", "--encrypt-to", "age1nobody"], &bureau.config());
    assert!(!well && said.contains("is no recipient") && !backup.exists() && !said.contains("age1nobody"), "{said}");
    let secret = std::fs::read_to_string(&safe).unwrap().lines().last().unwrap().to_owned();
    let (well, said) = shilu(&["backup", "--to", at, "--keys", "--encrypt-to", &secret], &bureau.config());
    assert!(!well && said.contains("that is the secret half of a key") && !said.contains(&secret), "{said}");
    let (well, said) = shilu(&["backup", "--to", at, "--keys", "--encrypt-to", &to_safe, "--encrypt-to", &to_escrow], &bureau.config());
    let envelope = dir.join("monday.keys.age");
    assert!(well && said.contains("monday.keys.age"), "{said}");
    let keys = bureau.data().join("keys");
    let secret = std::fs::read_to_string(keys.join("signing.pem")).unwrap();
    let sealed = std::fs::read(&envelope).unwrap();
    let line = secret.lines().nth(1).unwrap().as_bytes();
    assert!(!sealed.windows(line.len()).any(|w| w == line), "it is encrypted");
    assert!(!said.contains(std::str::from_utf8(line).unwrap()));

    // Debian's own tools open it with either identity, and with no other.
    for (identity, opens) in [(&safe, true), (&escrow, true), (&stranger, false)] {
        let to = dir.join(format!("by-hand-{}", identity.file_stem().unwrap().to_str().unwrap()));
        std::fs::create_dir(&to).unwrap();
        let run = format!("age -d -i '{}' '{}' | tar x -C '{}'", identity.display(), envelope.display(), to.display());
        let out = Command::new("bash").args(["-o", "pipefail", "-c", &run]).output().unwrap();
        assert_eq!(out.status.success(), opens, "{}", String::from_utf8_lossy(&out.stderr));
        if opens {
            let same = Command::new("diff").arg("-r").arg(&keys).arg(to.join("keys")).output().unwrap();
            assert!(same.status.success(), "{}", String::from_utf8_lossy(&same.stdout));
        }
    }

    // A bare machine: nothing but the backup, what lies beside it, and the identity from the safe.
    let bare = dir.join("bare");
    bureau.moves_to(&bare);
    let (envelope, stranger, safe) = (envelope.to_str().unwrap(), stranger.to_str().unwrap(), safe.to_str().unwrap());
    let (well, said) = shilu(&["restore", "--from", at, "--keys", envelope, "--identity", stranger], &bureau.config());
    assert!(!well && !bare.join("catalog.db").exists() && !bare.join("keys").exists(), "{said}");
    let (well, said) = shilu(&["restore", "--from", at, "--keys", envelope, "--identity", safe], &bureau.config());
    assert!(well && said.contains("files of keys"), "{said}");
    let same = Command::new("diff").arg("-r").arg(&keys).arg(bare.join("keys")).output().unwrap();
    assert!(same.status.success(), "{}", String::from_utf8_lossy(&same.stdout));
    bureau.start().await;
    bureau.sign_in("officer").await;
    bureau.terminate();
    // Over other keys nothing is put.
    std::fs::write(bare.join("keys/signing.pem"), "another").unwrap();
    let again = ["restore", "--over-newer", "--from", at, "--keys", envelope, "--identity", safe];
    let (well, said) = shilu(&again, &bureau.config());
    assert!(!well && said.contains("another key lies there"), "{said}");
    assert_eq!(std::fs::read_to_string(bare.join("keys/signing.pem")).unwrap(), "another");
}

/// Sessions of the test below: what a one-node Ceph takes in a minute or two beside other work.
const IN_THE_BUCKET: usize = 200;

#[tokio::test(flavor = "multi_thread")]
async fn a_bucket_alone_makes_the_index_of_hundreds_of_sessions_anew_and_none_that_is_kept_stands_in_the_way_of_a_release() {
    let ceph = Ceph::up();
    off(|| ceph.store(0).make_bucket().unwrap());
    let configuration = ceph.configuration("site-a", "release_after_days = 0");
    let mut bureau = Bureau::open_in(tempfile::tempdir().unwrap(), None, "", &configuration).await;
    let session = works(&bureau).await;
    bureau.terminate();
    fill_with(&bureau, &session, Many { sessions: IN_THE_BUCKET, cases: 100, provisions: 20, media: 20 }, true);
    let at = Instant::now();
    bureau.start().await;
    let inspector = bureau.sign_in("inspector").await;
    let done = waits(&inspector, "archived", |a| is_done(a) && a["sessions"].as_u64() > Some(IN_THE_BUCKET as u64)).await;
    println!("{} sessions, {} objects put and read back in {:.1} s", done["sessions"], done["objects"], at.elapsed().as_secs_f64());
    // All of them are undated, and were archived before it: the one that may go is released nevertheless.
    let last = format!("room-1-x{}", IN_THE_BUCKET - 1);
    bureau.sign_in("custodian").await.does(&format!("/api/v1/sessions/{last}/routine"), json!({ "reason": "来访咨询" })).await;
    waits(&inspector, "released", |a| is_done(a) && a["released"] == 1).await;
    assert!(bureau.folder(&last).join("released.json").exists());
    // Its newest entries are archived with the next start.
    bureau.terminate();
    bureau.start().await;
    let inspector = bureau.sign_in("inspector").await;
    waits_for_entry(&inspector, "recorder_started").await;
    waits(&inspector, "archived again", is_done).await;
    bureau.terminate();

    let (before, keys) = (made_from_files(&bureau.data()), bureau.data().join("keys"));
    bureau.moves_to(&bureau.dir.path().join("rebuilt"));
    std::fs::create_dir_all(bureau.data()).unwrap();
    copy_tree(&keys, &bureau.data());
    let at = Instant::now();
    let (well, said) = shilu(&["rebuild", "--from-bucket"], &bureau.config());
    assert!(well && said.contains(&format!("{} sessions\n", IN_THE_BUCKET + 1)), "{said}");
    println!("{} sessions made anew from the bucket in {:.1} s", IN_THE_BUCKET + 1, at.elapsed().as_secs_f64());
    let after = made_from_files(&bureau.data());
    let shown = |row: &BTreeMap<String, Cell>| format!("{row:?}");
    for (table, was) in &before {
        if *table == "entries" {
            // What was logged after the log was put last is not there, nor is anything else.
            let was: std::collections::BTreeSet<String> = was.iter().map(shown).collect();
            assert!(after[table].iter().filter(|row| was.contains(&shown(row))).count() > IN_THE_BUCKET, "{table}");
            continue;
        }
        assert_eq!(after[table].len(), was.len(), "{table}");
        for (was, is) in was.iter().zip(&after[table]) {
            assert_eq!(is, was, "{table}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_index_can_be_lost_and_is_made_anew_from_the_tree() {
    let mut bureau = Bureau::open().await;
    let officer = bureau.sign_in("officer").await;
    officer.waits_for_pictures().await;
    let id = officer.starts().await;
    officer.ends(&id).await;
    assert!(bureau.terminate());
    for name in ["catalog.db", "catalog.db-wal", "catalog.db-shm"] {
        let _ = std::fs::remove_file(bureau.data().join(name));
    }
    let out = Command::new(env!("CARGO_BIN_EXE_shilu")).args(["rebuild", "--config"]).arg(bureau.config()).output().unwrap();
    assert_eq!(
        String::from_utf8_lossy(&out.stdout).trim(),
        "1 sessions\n0 cases\n0 provisions\n0 media\n0 check-outs\n0 disposals\n2 devices",
        "{}",
        String::from_utf8_lossy(&out.stderr)
    );
    bureau.add_account("again", "officer", "land-use");
    bureau.start().await;
    let (_, page) = bureau.sign_in("again").await.get("/api/v1/sessions?party=张三").await;
    assert_eq!(page["rows"][0]["id"], id.as_str());
}

/// Bytes of all footage.
fn footage_bytes(bureau: &Bureau) -> u64 {
    support::stored::files(&bureau.data().join("footage"), "mp4").iter().map(|f| f.metadata().unwrap().len()).sum()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_catalog_that_is_locked_or_full_of_rubbish_stops_no_recording_and_no_start() {
    let mut bureau = Bureau::open().await;
    let (_, id) = bureau.records(100_000).await;
    let catalog = bureau.data().join("catalog.db");
    let lock = rusqlite::Connection::open(&catalog).unwrap();
    lock.execute_batch("BEGIN EXCLUSIVE").unwrap();
    let before = footage_bytes(&bureau);
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert!(footage_bytes(&bureau) > before + 50_000, "a locked catalog holds nothing up");
    drop(lock);
    for name in ["catalog.db", "catalog.db-wal"] {
        let length = std::fs::metadata(bureau.data().join(name)).map_or(0, |m| m.len());
        std::fs::write(bureau.data().join(name), vec![0x5A; length as usize]).unwrap();
    }
    let before = footage_bytes(&bureau);
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert!(footage_bytes(&bureau) > before + 50_000, "rubbish in the catalog holds nothing up");
    bureau.kill();
    bureau.start().await;
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert!(bureau.log().contains("put aside"), "{}", bureau.log());
    // Accounts were in the catalog alone; the session was not, and it went on by itself.
    assert!(bureau.terminate());
    bureau.add_account("again", "officer", "land-use");
    bureau.start().await;
    let officer = bureau.sign_in("again").await;
    let sealed = officer.ends(&id).await;
    assert_eq!(sealed["restarts"], 2, "{sealed:#}");
    assert_eq!(verify(&bureau.folder(&id)).0, 0);
    let aside = std::fs::read_dir(bureau.data()).unwrap().flatten().filter(|e| e.file_name().to_string_lossy().contains(".broken-"));
    assert!(aside.count() >= 1, "nothing is deleted");
}
