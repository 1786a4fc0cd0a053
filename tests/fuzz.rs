//! Bytes of strangers against everything that reads them: the committed corpus (what libFuzzer found, and good examples of each form), and
//! a fixed number of mutations of it. `tests/fuzz/run` goes on from there with coverage; what it found is in `deploy/SECURITY.md`.

use crate::support;
#[path = "fuzz/targets.rs"]
mod targets;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};
use support::bureau::Bureau;
use support::spoil::{Dice, spoil};
use targets::{SLOW, TARGETS, Target};

/// No bytes take longer, however loaded the machine is.
const PATIENCE: Duration = Duration::from_secs(90);

fn corpus(name: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz/corpus").join(name);
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder).unwrap().map(|e| e.unwrap().path()).collect();
    files.sort();
    assert!(!files.is_empty(), "{name} has no corpus");
    files
}

/// Gives these bytes to a target, each in turn, on a thread that is watched.
fn withstands(target: &Target, all: Vec<(String, Vec<u8>)>) {
    let (name, run) = *target;
    let (tells, told) = mpsc::channel();
    let thread = std::thread::spawn(move || {
        for (what, data) in all {
            let copy = data.clone();
            tells.send((what, copy)).unwrap();
            run(&data);
        }
    });
    let mut now = (String::new(), vec![]);
    loop {
        match told.recv_timeout(PATIENCE) {
            Ok(next) => now = next,
            Err(mpsc::RecvTimeoutError::Disconnected) => break,
            Err(mpsc::RecvTimeoutError::Timeout) => panic!("{name} does not end: {}", kept(name, &now)),
        }
    }
    assert!(thread.join().is_ok(), "{name} panics: {}", kept(name, &now));
}

/// Where the bytes lie that broke something, so that it can be looked at again.
fn kept(name: &str, (what, data): &(String, Vec<u8>)) -> String {
    let path = std::env::temp_dir().join(format!("shilu-fuzz-{name}"));
    std::fs::write(&path, data).unwrap();
    format!("{what}, kept as {}", path.display())
}

fn read(path: &Path) -> (String, Vec<u8>) {
    (path.display().to_string(), std::fs::read(path).unwrap())
}

#[test]
fn every_byte_that_was_ever_found_is_read_without_harm() {
    for target in TARGETS {
        withstands(target, corpus(target.0).iter().map(|p| read(p)).collect());
    }
}

#[test]
fn what_is_spoiled_by_chance_is_read_without_harm() {
    for target in TARGETS {
        let good: Vec<_> = corpus(target.0).iter().map(|p| read(p)).collect();
        let times = if target.0 == "rtsp" { 300 } else { 1_500 };
        let spoiled = (0..times).map(|seed| {
            let mut dice = Dice::new(seed + 1);
            let (from, mut data) = good[dice.below(good.len() as u64) as usize].clone();
            (0..=dice.below(4)).for_each(|_| spoil(&mut data, &mut dice));
            (format!("{from}, spoiled by seed {seed}"), data)
        });
        withstands(target, spoiled.collect());
    }
}

#[test]
fn a_camera_that_hangs_up_after_anything_is_told_as_an_outage() {
    for target in SLOW {
        // What was found is tried each time, of the rest an even choice.
        let all = corpus(target.0);
        let step = all.len().div_ceil(12);
        let found = all.iter().filter(|p| p.file_name().unwrap().to_string_lossy().starts_with("found-"));
        withstands(target, all.iter().step_by(step).chain(found).map(|p| read(p)).collect());
    }
}

/// What the process that looks at uploads said of a file, and how it ended.
fn examined(path: &Path) -> (String, std::process::ExitStatus) {
    let mut worker = Command::new(env!("CARGO_BIN_EXE_shilu"));
    worker.arg("examine").stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut worker = worker.spawn().unwrap();
    let work = serde_json::json!({ "path": path, "sm3": false });
    worker.stdin.take().unwrap().write_all(work.to_string().as_bytes()).unwrap();
    let began = Instant::now();
    let out = worker.wait_with_output().unwrap();
    assert!(began.elapsed() < PATIENCE, "{}: looked at for {:?}", path.display(), began.elapsed());
    (String::from_utf8(out.stdout).unwrap(), out.status)
}

/// `SHILU_FUZZ_UPLOADS=5000 cargo test --test suite fuzz::uploads` goes on for longer.
#[test]
fn uploads_of_anything_end_in_time_and_in_a_clear_word() {
    let times = std::env::var("SHILU_FUZZ_UPLOADS").map_or(60, |n| n.parse().unwrap());
    let dir = tempfile::tempdir().unwrap();
    let good: Vec<_> = corpus("uploads").iter().map(|p| read(p)).collect();
    let (mut found, mut refused, mut ended) = (0, 0, 0);
    for seed in 0..good.len() as u64 + times {
        let mut dice = Dice::new(seed + 1);
        let (from, mut data) = match good.get(seed as usize) {
            Some(whole) => whole.clone(),
            None => good[dice.below(good.len() as u64) as usize].clone(),
        };
        if seed >= good.len() as u64 {
            // The head has the numbers; the rest is pictures.
            let rest = data.split_off(data.len().min(3_000));
            (0..=dice.below(8)).for_each(|_| spoil(&mut data, &mut dice));
            data.extend(if dice.below(4) == 0 { vec![] } else { rest });
        }
        let path = dir.path().join(Path::new(&from).file_name().unwrap());
        std::fs::write(&path, &data).unwrap();
        let (said, status) = examined(&path);
        let last = said.lines().last().unwrap_or_default();
        let what = || format!("{from} by seed {seed}: {status}, {said:?}");
        assert!(said.starts_with(&format!("digests {} ", data.len())), "its digest comes first, whatever follows: {}", what());
        match (status.code(), last) {
            (Some(0), word) if word.starts_with("found {") => found += 1,
            (Some(0), word) if word.len() > "refused ".len() && word.starts_with("refused ") => refused += 1,
            // A decoder fell over: its process is gone, and the recorder says of the file that it cannot be looked at.
            (None, word) if word.starts_with("digests ") => ended += 1,
            _ => panic!("{}", what()),
        }
    }
    println!("{found} found, {refused} refused, {ended} ended the process that looked");
    assert!(found > 0 && refused > 0);
}

/// Writes the good examples anew, from a session that is really recorded.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "writes into the corpus"]
async fn good_examples_are_recorded() {
    let into = |target: &str, name: &str, data: &[u8]| {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz/corpus").join(target);
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join(name), data).unwrap();
    };
    let cameras = support::camera::Cameras::start(&[
        "face,size=64x48,fps=5,kbps=60,overlay=none,audio=alaw",
        "overview,size=64x48,fps=5,kbps=60,overlay=none,audio=aac,bframes=1",
        "h265,size=64x64,fps=5,kbps=60,overlay=none,audio=ulaw,codec=h265",
        "opus,size=64x48,fps=5,kbps=60,overlay=none,audio=opus",
    ]);
    for camera in ["face", "overview", "h265", "opus"] {
        let said = heard(&cameras.address(camera), 24_000).await;
        into("rtsp", camera, &said);
        into("camera", camera, &said);
    }
    let addresses = [cameras.address("face"), cameras.address("overview")];
    let bureau = Bureau::open_at(tempfile::tempdir().unwrap(), None, "", "", &addresses).await;
    let (officer, session) = bureau.records(6_000).await;
    officer.ends(&session).await;
    let folder = bureau.folder(&session);
    let names: Vec<PathBuf> = std::fs::read_dir(&folder).unwrap().map(|e| e.unwrap().path()).filter(|p| p.is_file()).collect();
    let mut laid_out = vec![];
    for path in &names {
        let (name, data) = (path.file_name().unwrap().to_string_lossy().into_owned(), std::fs::read(path).unwrap());
        if name.ends_with(".mp4") {
            let camera = name.split('-').next().unwrap();
            into("fragment", camera, &data[..data.len().min(12_000)]);
            into("recovery", camera, &data[..data.len().min(12_000)]);
        } else if name == "journal.jsonl" {
            into("journal", "session", &data);
        }
        laid_out.extend(format!("#### {name}\n").into_bytes());
        laid_out.extend(&data[..data.len().min(if name.ends_with(".mp4") { 3_000 } else { 60_000 })]);
        laid_out.push(b'\n');
    }
    into("folder", "session", &laid_out);
    let leader = bureau.sign_in("leader_in_charge").await;
    let reviewer = bureau.sign_in("reviewer").await;
    reviewer.gets_grant(&leader, &session, "copy").await;
    let made = reviewer.does(&format!("/api/v1/sessions/{session}/package"), serde_json::json!({})).await;
    let path = format!("/api/v1/packages/{}", made["id"].as_str().unwrap());
    let tar = reviewer.ask(reqwest::Method::GET, &path, None).await.bytes().await.unwrap();
    into("package", "session.tar", &tar[..tar.len().min(160_000)]);
    let inspector = bureau.sign_in("inspector").await;
    let proof = inspector.ask(reqwest::Method::GET, "/api/v1/log/1/proof", None).await.text().await.unwrap();
    into("notes", "proof", proof.as_bytes());
    into("notes", "signer", &std::fs::read(folder.join("signer.pem")).unwrap());
    let log = bureau.data().join("custody/log");
    into("notes", "checkpoint", &std::fs::read(log.join("checkpoint")).unwrap());
    let mut laid_out = vec![];
    let out = Command::new("find").args([".", "-type", "f", "-printf", "%P\n"]).current_dir(&log).output().unwrap();
    for name in String::from_utf8(out.stdout).unwrap().lines() {
        laid_out.extend(format!("#### {name}\n").into_bytes());
        laid_out.extend(std::fs::read(log.join(name)).unwrap());
        laid_out.push(b'\n');
    }
    into("log", "log", &laid_out);
    into("config", "bureau", std::fs::read(bureau.config()).unwrap().as_slice());
}

/// What a camera says to a client, up to so many bytes.
async fn heard(camera: &str, bytes: usize) -> Vec<u8> {
    use futures::StreamExt;
    use retina::client::{PlayOptions, Session, SessionOptions, SetupOptions};
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let (address, path) = camera.strip_prefix("rtsp://").unwrap().split_once('/').unwrap();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("rtsp://{}/{path}", listener.local_addr().unwrap());
    let address = address.to_owned();
    let between = tokio::spawn(async move {
        let (client, _) = listener.accept().await.unwrap();
        let (mut asks, mut hears) = client.into_split();
        let (mut says, mut takes) = tokio::net::TcpStream::connect(address).await.unwrap().into_split();
        tokio::spawn(async move { tokio::io::copy(&mut asks, &mut takes).await });
        let (mut all, mut piece) = (vec![], vec![0; 2048]);
        while all.len() < bytes {
            let n = says.read(&mut piece).await.unwrap();
            all.extend_from_slice(&piece[..n]);
            if n == 0 || hears.write_all(&piece[..n]).await.is_err() {
                break;
            }
        }
        all
    });
    let mut session = Session::describe(url.parse().unwrap(), SessionOptions::default()).await;
    if let Ok(session) = &mut session {
        for at in 0..session.streams().len() {
            session.setup(at, SetupOptions::default()).await.unwrap();
        }
    }
    if let Ok(session) = session {
        let mut playing = session.play(PlayOptions::default()).await.unwrap();
        while playing.next().await.is_some_and(|item| item.is_ok()) {}
    }
    between.await.unwrap()
}
