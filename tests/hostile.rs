//! Bytes that nobody meant well: cameras and uploads that send anything.

use crate::support;

use reqwest::StatusCode;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};
use support::bureau::{Bureau, Person, verify};
use support::camera::Cameras;
use support::spoil::{Dice, spoil};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// Stands between a camera and the recorder and spoils what the camera says: each connection from another byte on.
struct Meddler {
    url: String,
    spoiled: Arc<AtomicU64>,
}

impl Meddler {
    async fn before(camera: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let rest = camera.strip_prefix("rtsp://").unwrap();
        let (address, path) = rest.split_once('/').unwrap();
        let url = format!("rtsp://{}/{path}", listener.local_addr().unwrap());
        let (address, spoiled) = (address.to_owned(), Arc::new(AtomicU64::new(0)));
        let counted = spoiled.clone();
        tokio::spawn(async move {
            for connection in 0.. {
                let Ok((recorder, _)) = listener.accept().await else { return };
                let (address, counted) = (address.clone(), counted.clone());
                tokio::spawn(async move { meddle(recorder, &address, connection, &counted).await });
            }
        });
        Self { url, spoiled }
    }
}

async fn meddle(recorder: TcpStream, address: &str, connection: u64, spoiled: &AtomicU64) {
    let Ok(camera) = TcpStream::connect(address).await else { return };
    let (mut asks, mut hears) = recorder.into_split();
    let (mut says, mut takes) = camera.into_split();
    tokio::spawn(async move { tokio::io::copy(&mut asks, &mut takes).await });
    let mut dice = Dice::new(connection + 1);
    // The answers to OPTIONS, DESCRIBE, SETUP and PLAY are some two thousand bytes; pictures follow.
    let mut clean = [0, 150, 400, 900, 1_600, 2_500, 20_000, 200_000][(connection % 8) as usize];
    let mut piece = vec![0; 8192];
    while let Ok(bytes) = says.read(&mut piece).await {
        if bytes == 0 {
            break;
        }
        let mut data = piece[..bytes].to_vec();
        if clean >= bytes {
            clean -= bytes;
        } else if dice.below(3) == 0 {
            let mut bad = data.split_off(clean);
            clean = 0;
            spoil(&mut bad, &mut dice);
            data.extend(bad);
            spoiled.fetch_add(1, Ordering::Relaxed);
        }
        if hears.write_all(&data).await.is_err() {
            break;
        }
    }
}

/// Nothing of the recorder fell over. The libraries that read a camera's bytes may (retina 0.4.21 does, by two faults in one packet): that
/// takes the connection with it, and is told.
fn is_well(bureau: &Bureau) {
    let log = bureau.log();
    let reads = |line: &&str| line.contains("'cameras'") && (line.contains("/retina-") || line.contains("/sdp-types-"));
    let (readers, others): (Vec<&str>, Vec<&str>) = log.lines().filter(|l| l.contains("panicked at")).partition(reads);
    assert!(others.is_empty() && !log.contains("overflow"), "{log}");
    assert!(readers.len() <= log.matches("what its reader cannot bear").count(), "{log}");
    assert!(bureau.memory_mb() < 700, "{} MB", bureau.memory_mb());
}

async fn is_recorded_beside_a_hostile_camera(front: &str) {
    let cameras = Cameras::start(&["face,size=640x360", "overview,size=320x240,pattern=smpte"]);
    let meddler = Meddler::before(&cameras.address("overview")).await;
    let addresses = [cameras.address("face"), meddler.url.clone()];
    let mut bureau = Bureau::open_at(tempfile::tempdir().unwrap(), None, "", "stall_s = 2", &addresses).await;
    if front != "retina" {
        bureau.terminate();
        let text = std::fs::read_to_string(bureau.config()).unwrap();
        std::fs::write(bureau.config(), text.replace("id = \"overview\"\n", &format!("id = \"overview\"\nfront = \"{front}\"\n"))).unwrap();
        bureau.start().await;
    }
    let officer = bureau.sign_in("officer").await;
    officer.waits("the good camera", |room| room["cameras"][0]["connected"] == true).await;
    let session = officer.starts().await;
    let deadline = Instant::now() + Duration::from_mins(3);
    while meddler.spoiled.load(Ordering::Relaxed) < 25 {
        assert!(Instant::now() < deadline, "spoiled only {}", meddler.spoiled.load(Ordering::Relaxed));
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    officer
        .waits("fresh footage of the good camera", |room| room["cameras"][0]["durable_age_ms"].as_u64().is_some_and(|ms| ms < 2_000))
        .await;
    officer.ends(&session).await;
    let view = officer.get(&format!("/api/v1/sessions/{session}")).await.1;
    let gaps = view["session"]["gaps"].as_array().unwrap();
    assert!(gaps.iter().all(|g| g["camera"] == "overview"), "the good camera has no gap: {view}");
    let (code, said) = verify(&bureau.folder(&session));
    assert_eq!(code, 0, "what was kept is whole: {said}");
    is_well(&bureau);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_camera_that_sends_anything_harms_neither_the_other_camera_nor_the_recorder() {
    is_recorded_beside_a_hostile_camera("retina").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nor_does_it_by_the_second_front() {
    is_recorded_beside_a_hostile_camera("rtspsrc").await;
}

/// A real recording of this name.
fn recording(dir: &Path, name: &str, arguments: &str) -> PathBuf {
    let path = dir.join(name);
    let inputs = "-v error -y -f lavfi -i testsrc=size=160x120:rate=10:duration=2 -f lavfi -i sine=frequency=440:duration=2";
    let out = Command::new("ffmpeg").args(inputs.split(' ')).args(arguments.split_whitespace()).arg(&path).output().unwrap();
    assert!(out.status.success(), "{name}: {}", String::from_utf8_lossy(&out.stderr));
    path
}

/// Uploads these bytes under a name; how that ended.
async fn uploads(who: &Person, name: &str, data: &[u8]) -> Value {
    let form = json!({ "device_no": "BWC-1" });
    let begun = who.does("/api/v1/imports", json!({ "name": name, "bytes": data.len(), "modified_ms": 0, "form": form })).await;
    let id = begun["id"].as_str().unwrap().to_owned();
    let to = format!("{}/api/v1/imports/{id}?offset=0", who.url);
    let answer = who.client.patch(to).header("X-Csrf-Token", &who.csrf).body(data.to_vec()).send().await.unwrap();
    assert!(!answer.status().is_server_error(), "{name}: {}", answer.status());
    let deadline = Instant::now() + Duration::from_mins(1);
    loop {
        let (_, now) = who.get(&format!("/api/v1/imports/{id}")).await;
        if ["taken_in", "known", "refused", "failed"].contains(&now["state"].as_str().unwrap_or_default()) {
            return now;
        }
        assert!(Instant::now() < deadline, "{name}: {now}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn uploads_of_anything_end_in_a_clear_word_and_leave_the_recorder_well() {
    let bureau = Bureau::open().await;
    let officer = bureau.sign_in("officer").await;
    let dir = tempfile::tempdir().unwrap();
    for (n, (name, arguments)) in [
        ("a.mp4", "-c:v libx264 -pix_fmt yuv420p -c:a aac"),
        ("b.mov", "-c:v libx264 -pix_fmt yuv420p -c:a aac"),
        ("c.avi", "-c:v mpeg4 -c:a libmp3lame"),
        ("d.ts", "-c:v libx264 -pix_fmt yuv420p -c:a aac"),
        ("e.mkv", "-c:v libx264 -pix_fmt yuv420p -c:a aac"),
        ("f.jpg", "-map 0:v -frames:v 1 -update 1"),
        ("g.wav", "-map 1:a -c:a pcm_s16le"),
    ]
    .into_iter()
    .enumerate()
    {
        let good = std::fs::read(recording(dir.path(), name, arguments)).unwrap();
        for seed in 0..3 {
            let mut dice = Dice::new(1 + n as u64 * 100 + seed);
            let mut data = good.clone();
            // The head has the numbers; the rest is pictures.
            let rest = data.split_off(data.len().min(4_000));
            (0..=dice.below(8)).for_each(|_| spoil(&mut data, &mut dice));
            if seed != 1 {
                data.extend(rest);
            }
            uploads(&officer, name, &data).await;
        }
    }
    for (name, data) in [("head.mp4", &b"\x00\x00\x00\x18ftypmp42"[..]), ("noise.mkv", &[0x1A; 5000][..]), ("zero.wav", &[0; 100][..])] {
        uploads(&officer, name, data).await;
    }
    let (status, _) = officer.get("/api/v1/status").await;
    assert_eq!(status, StatusCode::OK);
    is_well(&bureau);
}
