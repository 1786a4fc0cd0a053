//! Footage that lies encrypted: what the disk shows, what its keys give back, who looks, and that recording needs none of them.

use crate::support;

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use support::bureau::{Bureau, Person, verify};
use support::camera::Cameras;

/// H.264 with AAC, and H.265 without sound.
const CAMERAS: [&str; 2] = ["face,size=640x360,audio=aac", "overview,size=640x360,pattern=smpte,codec=h265,audio=none"];

fn text(out: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&out.stdout), String::from_utf8_lossy(&out.stderr))
}

/// What a program says, which has to end well.
fn said(command: &mut Command) -> String {
    let out = command.output().unwrap();
    assert!(out.status.success(), "{command:?}: {}", text(&out));
    String::from_utf8(out.stdout).unwrap()
}

/// A bureau whose footage is encrypted to the machine and to a key in a safe.
struct Encrypted {
    bureau: Bureau,
    /// The machine's, outside the data.
    identity: PathBuf,
    /// From the safe, made by Debian's `age-keygen`.
    escrow: PathBuf,
    _cameras: Cameras,
}

async fn opens(cameras: &[&str; 2], storage: &str) -> Encrypted {
    let cameras = Cameras::start(cameras);
    let dir = tempfile::tempdir().unwrap();
    let (token, safe) = (dir.path().join("token"), dir.path().join("safe"));
    std::fs::create_dir_all(&token).unwrap();
    std::fs::create_dir_all(&safe).unwrap();
    let (identity, escrow) = (token.join("identity"), safe.join("escrow.key"));
    let made = said(Command::new(env!("CARGO_BIN_EXE_shilu")).args(["key", "footage", "--to"]).arg(&identity));
    let recipient = made.trim().strip_prefix("recipient ").unwrap().to_owned();
    said(Command::new("age-keygen").arg("-o").arg(&escrow));
    let public = said(Command::new("age-keygen").arg("-y").arg(&escrow));
    let footage = format!(
        "[footage]\nencrypt = true\nrecipient = \"{recipient}\"\nescrow = [\"{}\"]\nidentity_file = \"{}\"\n",
        public.trim(),
        identity.display()
    );
    let storage = storage.replace("DIR", dir.path().to_str().unwrap());
    let bureau = Bureau::open_at(dir, None, &storage, &footage, &[cameras.address("face"), cameras.address("overview")]).await;
    Encrypted { bureau, identity, escrow, _cameras: cameras }
}

async fn recorded(bureau: &Bureau, bytes: u64) -> (String, Value) {
    let (officer, id) = bureau.records(bytes).await;
    let sealed = officer.ends(&id).await;
    (id, sealed)
}

fn segments<'a>(sealed: &'a Value, camera: &str) -> Vec<&'a str> {
    let all = sealed["segments"].as_array().unwrap();
    all.iter().filter(|s| s["camera"] == camera).map(|s| s["file"].as_str().unwrap()).collect()
}

/// The key of a session, as somebody gets it who has its folder, Debian's `age` and one of the identities.
fn key(folder: &Path, name: &str, identity: &Path) -> String {
    said(Command::new("age").arg("-d").arg("-i").arg(identity).arg(folder.join(name))).trim().to_owned()
}

/// The digest of every decoded picture, then of every stretch of sound, as ffmpeg finds them.
fn frames(file: &Path) -> Vec<String> {
    let mut command = Command::new("ffmpeg");
    command.args(["-v", "error", "-i"]).arg(file).args(["-map", "0", "-f", "framemd5", "-"]);
    let told = said(&mut command);
    let mut all: Vec<(&str, &str)> = told
        .lines()
        .filter(|l| !l.starts_with('#'))
        .map(|l| (l.split(',').next().unwrap(), l.rsplit(',').next().unwrap().trim()))
        .collect();
    all.sort_by_key(|(stream, _)| *stream);
    all.into_iter().map(|(_, digest)| digest.to_owned()).collect()
}

/// Stretches of the pictures' own bytes: some of each slice, of which none may lie on the disk.
fn slices(clear: &Path, codec: &str) -> Vec<Vec<u8>> {
    let raw = clear.with_extension(codec);
    said(Command::new("ffmpeg").args(["-v", "error", "-y", "-i"]).arg(clear).args(["-map", "0:v", "-c", "copy", "-f", codec]).arg(&raw));
    let data = std::fs::read(&raw).unwrap();
    std::fs::remove_file(raw).unwrap();
    let starts: Vec<usize> = memchr::memmem::find_iter(&data, b"\x00\x00\x01").map(|at| at + 3).collect();
    let ends = starts.iter().skip(1).map(|s| s - 4).chain([data.len()]);
    let is_slice = |head: u8| if codec == "h264" { matches!(head & 0x1f, 1..=5) } else { head >> 1 & 0x3f < 32 };
    let units = starts.iter().zip(ends).map(|(s, e)| &data[*s..e.max(*s)]).filter(|u| u.len() > 100 && is_slice(u[0]));
    units.map(|u| u[u.len() - 40..u.len() - 8].to_vec()).collect()
}

fn all_files(folder: &Path) -> Vec<PathBuf> {
    let of = |path: PathBuf| if path.is_dir() { all_files(&path) } else { vec![path] };
    std::fs::read_dir(folder).unwrap().flat_map(|e| of(e.unwrap().path())).collect()
}

async fn looks(reviewer: &Person, session: &str) -> Value {
    reviewer.does(&format!("/api/v1/sessions/{session}/viewings"), json!({})).await
}

async fn bytes(who: &Person, path: &str) -> Vec<u8> {
    let answer = who.ask(Method::GET, path, None).await;
    assert_eq!(answer.status(), StatusCode::OK, "{path}");
    answer.bytes().await.unwrap().to_vec()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_disk_shows_nothing_and_a_key_from_the_safe_gives_every_frame_back_by_public_tools() {
    let Encrypted { bureau, identity, escrow, _cameras } = opens(&CAMERAS, "").await;
    let (id, sealed) = recorded(&bureau, 300_000).await;
    let folder = bureau.folder(&id);
    // Checked as ever, by somebody who has no key.
    let (code, words) = verify(&folder);
    assert_eq!(code, 0, "{words}");
    let keys = sealed["keys"].as_array().unwrap();
    assert_eq!(keys.len(), 1, "{sealed}");
    let name = keys[0]["file"].as_str().unwrap();
    assert_eq!(key(&folder, name, &escrow), key(&folder, name, &identity));
    let (leader, reviewer) = (bureau.sign_in("leader_in_charge").await, bureau.sign_in("reviewer").await);
    reviewer.gets_grant(&leader, &id, "view").await;
    let viewing = looks(&reviewer, &id).await;
    let (mut all_slices, work) = (Vec::new(), bureau.dir.path().join("work"));
    std::fs::create_dir_all(&work).unwrap();
    for (camera, codec) in [("face", "h264"), ("overview", "hevc")] {
        for (n, file) in segments(&sealed, camera).into_iter().enumerate() {
            let (stored, clear, opened) = (folder.join(file), work.join(format!("{camera}-{n}.mp4")), work.join("opened.mp4"));
            let shown = bytes(&reviewer, &format!("/api/v1/viewings/{}/{camera}/{}", viewing["id"].as_str().unwrap(), n + 1)).await;
            // Ranges and the player's index mean the same in both.
            assert_eq!(shown.len() as u64, std::fs::metadata(&stored).unwrap().len());
            std::fs::write(&clear, &shown).unwrap();
            said(
                Command::new("ffmpeg")
                    .args(["-v", "error", "-y", "-fflags", "+ignidx", "-decryption_key", &key(&folder, name, &escrow), "-i"])
                    .arg(&stored)
                    .args(["-map", "0", "-c", "copy"])
                    .arg(&opened),
            );
            let (by_public_tools, shown) = (frames(&opened), frames(&clear));
            assert!(shown.len() > 20, "{camera}: {} frames", shown.len());
            assert_eq!(by_public_tools, shown, "{camera}");
            let count =
                ["-v", "error", "-fflags", "+ignidx", "-count_packets", "-show_entries", "stream=nb_read_packets", "-of", "csv=p=0"];
            let of = |path: &Path| said(Command::new("ffprobe").args(count).arg(path));
            assert_eq!(of(&stored), of(&clear), "{camera}: no frame more or less");
            // Without the key a decoder finds no picture of those.
            let blind = Command::new("ffmpeg")
                .args(["-v", "quiet", "-i"])
                .arg(&stored)
                .args(["-map", "0", "-f", "framemd5", "-"])
                .output()
                .unwrap();
            let blind = String::from_utf8_lossy(&blind.stdout).into_owned();
            assert!(!shown.iter().any(|frame| blind.contains(frame)), "{camera}: seen without a key");
            all_slices.extend(slices(&clear, codec).into_iter().map(|slice| (clear.clone(), slice)));
        }
    }
    // As it is written for whoever restores: the very commands, in a copy of the folder.
    let copy = work.join("copy");
    said(Command::new("cp").arg("-r").arg(&folder).arg(&copy));
    std::fs::copy(&escrow, copy.join("escrow.key")).unwrap();
    let written = include_str!("../src/custody/FORMAT.md").split_once("### 1.6").unwrap().1;
    let commands = written.split_once("```sh\n").unwrap().1.split_once("```").unwrap().0;
    said(Command::new("bash").args(["-ec", commands]).current_dir(&copy));
    assert_eq!(frames(&copy.join("clear.mp4")), frames(&work.join("face-0.mp4")));
    assert!(all_slices.len() > 40, "{}", all_slices.len());
    let found_in = |path: &Path, slice: &[u8]| memchr::memmem::find(&std::fs::read(path).unwrap(), slice).is_some();
    assert!(all_slices.iter().all(|(clear, slice)| found_in(clear, slice)), "the search would find it");
    let on_disk: Vec<(PathBuf, Vec<u8>)> = all_files(&bureau.data()).into_iter().map(|p| (p.clone(), std::fs::read(&p).unwrap())).collect();
    let hex = key(&folder, name, &escrow);
    for (path, data) in &on_disk {
        assert!(
            all_slices.iter().all(|(_, slice)| memchr::memmem::find(data, slice).is_none()),
            "{}: a picture in the clear",
            path.display()
        );
        assert!(memchr::memmem::find(data, hex.as_bytes()).is_none(), "{}: the key", path.display());
    }
    assert!(!bureau.log().contains(&hex));
    // An altered byte of what is encrypted is told by its digest, and a key that is not the sealed one too.
    let file = folder.join(segments(&sealed, "face")[0]);
    let mut data = std::fs::read(&file).unwrap();
    let at = data.len() - 100;
    data[at] ^= 1;
    std::fs::write(&file, &data).unwrap();
    let (code, words) = verify(&folder);
    assert!(code == 1 && words.contains("altered"), "{words}");
    data[at] ^= 1;
    std::fs::write(&file, &data).unwrap();
    std::fs::remove_file(folder.join(name)).unwrap();
    let (code, words) = verify(&folder);
    assert!(code == 1 && words.contains(name), "{words}");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_granted_it_plays_seeks_and_takes_stills_copies_and_a_package_that_opens_by_its_own_instructions() {
    let cameras = ["face,size=640x360,fps=15", "overview,size=640x360,fps=15,pattern=smpte,audio=none"];
    let Encrypted { bureau, escrow, _cameras, .. } = opens(&cameras, "").await;
    let (id, sealed) = recorded(&bureau, 700_000).await;
    let (leader, reviewer) = (bureau.sign_in("leader_in_charge").await, bureau.sign_in("reviewer").await);
    reviewer.gets_grant(&leader, &id, "copy").await;
    bureau.plays("at_rest.mjs", json!({ "session": id })).await;
    let work = bureau.dir.path().join("work");
    std::fs::create_dir_all(&work).unwrap();
    let viewing = looks(&reviewer, &id).await["id"].as_str().unwrap().to_owned();
    // A part of a file is that part of the whole, and what a seek needs is a file of its own.
    let door = format!("/api/v1/viewings/{viewing}/face/1");
    let whole = bytes(&reviewer, &door).await;
    for (from, last) in [(0, 99), (700, 5_000), (whole.len() / 2, whole.len() - 1)] {
        let part =
            reviewer.client.get(format!("{}{door}", bureau.url)).header("Range", format!("bytes={from}-{last}")).send().await.unwrap();
        assert_eq!((part.status(), &part.bytes().await.unwrap()[..]), (StatusCode::PARTIAL_CONTENT, &whole[from..=last]));
    }
    let sought = work.join("sought.mp4");
    std::fs::write(&sought, bytes(&reviewer, &format!("{door}?from_ms=2000")).await).unwrap();
    assert!(std::fs::metadata(&sought).unwrap().len() < whole.len() as u64 && !frames(&sought).is_empty());
    let still = bytes(&reviewer, &format!("/api/v1/viewings/{viewing}/face/still?at_ms=1500")).await;
    assert!(still.starts_with(&[0xff, 0xd8]), "a picture");
    // The original is given as it is stored: its digest is the sealed one.
    let original = bytes(&reviewer, &format!("/api/v1/sessions/{id}/copy/face/1")).await;
    let first = sealed["segments"].as_array().unwrap().iter().find(|s| s["camera"] == "face" && s["sequence"] == 1).unwrap();
    assert_eq!(first["sha256"], shilu::model::digest::sha256(&original));
    let joined = work.join("joined.mp4");
    std::fs::write(&joined, bytes(&reviewer, &format!("/api/v1/sessions/{id}/copy/overview/joined")).await).unwrap();
    assert!(frames(&joined).len() > 20);
    let copy =
        reviewer.does(&format!("/api/v1/sessions/{id}/copies"), json!({ "layout": "single", "cameras": ["face"], "sound": "face" })).await;
    let copy = copy["id"].as_str().unwrap().to_owned();
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(90);
    loop {
        let (_, now) = reviewer.get(&format!("/api/v1/copies/{copy}")).await;
        if now["state"] == "ready" {
            break;
        }
        assert!(now["state"] != "failed" && std::time::Instant::now() < deadline, "{now}\n{}", bureau.log());
        tokio::time::sleep(std::time::Duration::from_millis(200)).await;
    }
    // The package: originals as they were sealed, their keys, and what to type.
    let made = reviewer.does(&format!("/api/v1/sessions/{id}/package"), json!({})).await;
    let tar = work.join("package.tar");
    std::fs::write(&tar, bytes(&reviewer, &format!("/api/v1/packages/{}", made["id"].as_str().unwrap())).await).unwrap();
    said(Command::new("tar").arg("-xf").arg(&tar).current_dir(&work));
    let package = work.join(&id);
    let (code, words) = verify(&package);
    assert_eq!(code, 0, "{words}");
    let instructions = std::fs::read_to_string(package.join("README.en.txt")).unwrap();
    let typed: Vec<&str> = instructions.lines().filter_map(|l| l.strip_prefix("    ")).filter(|l| !l.starts_with("certutil")).collect();
    assert!(typed.iter().any(|line| line.contains("-decryption_key")), "{instructions}");
    for command in typed {
        let out = Command::new("bash").args(["-c", command]).current_dir(&package).output().unwrap();
        assert!(out.status.success(), "{command}\n{}", text(&out));
    }
    // The example is the first file of the list.
    let (first, example) = (work.join("first.mp4"), &sealed["segments"][0]);
    let example = format!("/api/v1/viewings/{viewing}/{}/{}", example["camera"].as_str().unwrap(), example["sequence"]);
    std::fs::write(&first, bytes(&reviewer, &example).await).unwrap();
    assert_eq!(frames(&package.join("clear.mp4")), frames(&first));
    assert!(frames(&package.join("data/viewing/face.mp4")).len() > 20, "the copy for looking is in the clear");
    std::fs::remove_file(package.join("clear.mp4")).unwrap();
    bureau.plays("at_rest_package.mjs", json!({ "package": package })).await;
    let keys = std::fs::read_to_string(package.join("data/keys/footage-keys.txt")).unwrap();
    assert_eq!(keys.lines().count(), sealed["segments"].as_array().unwrap().len(), "{keys}");
    let hex = keys.split_whitespace().next().unwrap();
    // What stays of a provision holds that key, and lies encrypted itself; a court gets it as it was made.
    let provided = provides(&bureau, &leader, &id).await;
    let kept = all_files(&bureau.data().join("provisions")).into_iter().find(|p| p.extension().is_some_and(|e| e == "age")).unwrap();
    let by_public_tools = Command::new("age").arg("-d").arg("-i").arg(&escrow).arg(&kept).output().unwrap();
    assert!(by_public_tools.status.success() && by_public_tools.stdout == provided, "{}", kept.display());
    assert!(memchr::memmem::find(&provided, hex.as_bytes()).is_some());
    for path in all_files(&bureau.data()) {
        assert!(memchr::memmem::find(&std::fs::read(&path).unwrap(), hex.as_bytes()).is_none(), "{}: the key", path.display());
    }
}

/// The package that a court is provided with.
async fn provides(bureau: &Bureau, leader: &Person, session: &str) -> Vec<u8> {
    let legal = bureau.sign_in("legal_unit").await;
    let letter = json!({ "letter_no": "（2026）冀0533行初1号", "receiving_body": "威县人民法院", "kind": "litigation", "received": "2026-11-20",
        "sessions": [session], "clips": [] });
    let at = format!("/api/v1/provisions/{}", legal.does("/api/v1/provisions", letter).await["id"].as_str().unwrap());
    legal.does(&format!("{at}/prepare"), json!({})).await;
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(90);
    loop {
        let (_, now) = legal.get(&at).await;
        if now["provision"]["state"] == "prepared" {
            break;
        }
        assert!(now["problem"].is_null() && std::time::Instant::now() < deadline, "{now}\n{}", bureau.log());
        tokio::time::sleep(std::time::Duration::from_millis(200)).await;
    }
    leader.does(&format!("{at}/approve"), json!({})).await;
    bytes(&legal, &format!("{at}/packages/{session}")).await
}

#[tokio::test(flavor = "multi_thread")]
async fn recording_goes_on_through_a_kill_and_without_the_key_and_looking_waits_for_it() {
    let Encrypted { mut bureau, identity, escrow, _cameras } = opens(&CAMERAS, "mirror = \"DIR/mirror\"").await;
    let (_, id) = bureau.records(150_000).await;
    let away = identity.with_extension("away");
    std::fs::rename(&identity, &away).unwrap();
    bureau.kill();
    bureau.start().await;
    let officer = bureau.sign_in("officer").await;
    officer
        .waits("recording again", |room| {
            room["session"]["id"] == id.as_str()
                && room["cameras"].as_array().unwrap().iter().all(|c| c["durable_bytes"].as_u64().unwrap() > 150_000)
        })
        .await;
    let sealed = officer.ends(&id).await;
    let folder = bureau.folder(&id);
    let keys: Vec<&str> = sealed["keys"].as_array().unwrap().iter().map(|k| k["file"].as_str().unwrap()).collect();
    assert_eq!(keys.len(), 2, "nothing here could open the first: {sealed}");
    let mirrored = bureau.dir.path().join("mirror/footage").join(folder.strip_prefix(bureau.data().join("footage")).unwrap());
    for folder in [&folder, &mirrored] {
        let (code, words) = verify(folder);
        assert_eq!(code, 0, "{words}");
        assert_ne!(key(folder, keys[0], &escrow), key(folder, keys[1], &escrow));
    }
    // Without what opens it nobody looks, and everybody hears why.
    let (leader, reviewer) = (bureau.sign_in("leader_in_charge").await, bureau.sign_in("reviewer").await);
    reviewer.gets_grant(&leader, &id, "copy").await;
    for (path, body) in [
        (format!("/api/v1/sessions/{id}/viewings"), json!({})),
        (format!("/api/v1/sessions/{id}/copies"), json!({ "layout": "single", "cameras": ["face"] })),
        (format!("/api/v1/sessions/{id}/package"), json!({})),
    ] {
        let (status, told) = reviewer.post(&path, body).await;
        assert_eq!((status, told["code"].as_str()), (StatusCode::SERVICE_UNAVAILABLE, Some("footage-shut")), "{path}: {told}");
    }
    let check = Command::new(env!("CARGO_BIN_EXE_shilu")).args(["check", "--config"]).arg(bureau.config()).output().unwrap();
    assert!(text(&check).contains("nobody can look until it is there"), "{}", text(&check));
    bureau.plays("at_rest_shut.mjs", json!({ "session": id })).await;
    // It is put back; nothing is started anew.
    std::fs::rename(&away, &identity).unwrap();
    let viewing = looks(&reviewer, &id).await["id"].as_str().unwrap().to_owned();
    for camera in ["face", "overview"] {
        let joined = bureau.dir.path().join(format!("{camera}.mp4"));
        // What was recorded under either key stands in one file.
        std::fs::write(&joined, bytes(&reviewer, &format!("/api/v1/sessions/{id}/copy/{camera}/joined")).await).unwrap();
        let parts = segments(&sealed, camera);
        let mut apart = 0;
        for n in 0..parts.len() {
            let part = bureau.dir.path().join("part.mp4");
            std::fs::write(&part, bytes(&reviewer, &format!("/api/v1/viewings/{viewing}/{camera}/{}", n + 1)).await).unwrap();
            apart += packets(&part);
        }
        assert!(parts.len() >= 2 && apart > 20, "{camera}: {parts:?}");
        assert_eq!(packets(&joined), apart, "{camera}");
    }
    // Wrapped for another key of the safe: what is sealed stays as it is, and the new one opens.
    let other = bureau.dir.path().join("safe/other.key");
    said(Command::new("age-keygen").arg("-o").arg(&other));
    let public = said(Command::new("age-keygen").arg("-y").arg(&other));
    let config = std::fs::read_to_string(bureau.config()).unwrap();
    std::fs::write(bureau.config(), config.replace("escrow = [", &format!("escrow = [\"{}\", ", public.trim()))).unwrap();
    said(Command::new(env!("CARGO_BIN_EXE_shilu")).args(["key", "rewrap", "--config"]).arg(bureau.config()).arg("--identity").arg(&escrow));
    assert_eq!(key(&folder, &keys[0].replace(".age", ".2.age"), &other), key(&folder, keys[0], &escrow));
    assert_eq!(verify(&folder).0, 0);
}

/// Pictures in a file that can be decoded, all of them.
fn packets(file: &Path) -> usize {
    let mut command = Command::new("ffmpeg");
    command.args(["-v", "error", "-xerror", "-i"]).arg(file).args(["-map", "0:v", "-fps_mode", "passthrough", "-f", "framemd5", "-"]);
    said(&mut command).lines().filter(|l| !l.starts_with('#')).count()
}
