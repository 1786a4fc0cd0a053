//! `shilu serve`: a room of two cameras each, a session in every room, a live viewer a camera over its WebSocket.

use crate::cameras::Cameras;
use crate::{Options, Outcome, process, stored};
use clap::Parser;
use futures::StreamExt;
use serde_json::{Value, json};
use std::fmt::Write;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;

const SHILU: &str = env!("CARGO_BIN_EXE_shilu");

pub fn record(cameras: &Cameras, at: &Path, options: &Options) -> Outcome {
    // Viewers run on threads of this process; what they cost is not the recorder's.
    tokio::runtime::Runtime::new().unwrap().block_on(run(cameras, at, options))
}

fn configure(cameras: &Cameras, at: &Path, options: &Options) -> (std::path::PathBuf, u16) {
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let mut text = format!(
        "bureau = \"bench\"\n[storage]\ndata = \"{}\"\nreserve_gb = 1\n[console]\nlisten = \"127.0.0.1:{port}\"\n[[units]]\nid = \"u\"\nname = \"u\"\n",
        at.join("data").display()
    );
    for n in 0..options.cameras {
        if n % 2 == 0 {
            let told = !options.pictures;
            write!(text, "[[rooms]]\nid = \"r{}\"\nname = \"r\"\nunit = \"u\"\npreroll_told = {told}\n", n / 2).unwrap();
        }
        let url = cameras.address(n);
        write!(text, "[[rooms.cameras]]\nid = \"c{n}\"\nname = \"c\"\ndevice_no = \"D-{n}\"\nurl = \"{url}\"\n").unwrap();
    }
    let path = at.join("shilu.toml");
    std::fs::write(&path, text).unwrap();
    (path, port)
}

/// A recorder with a session in every room.
struct Running {
    child: Child,
    officer: Officer,
    sessions: Vec<String>,
}

async fn start(cameras: &Cameras, at: &Path, options: &Options) -> Running {
    let (config, port) = configure(cameras, at, options);
    let added = Command::new(SHILU)
        .args([
            "user",
            "add",
            "--username",
            "bench",
            "--name",
            "bench",
            "--role",
            "officer",
            "--role",
            "live_viewer",
            "--unit",
            "u",
            "--config",
        ])
        .arg(&config)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&added.stdout).into_owned();
    let password = said.trim().strip_prefix("password ").unwrap_or_else(|| panic!("{said}{}", String::from_utf8_lossy(&added.stderr)));
    let log = std::fs::File::create(at.join("log")).unwrap();
    let child = Command::new(SHILU).args(["serve", "--config"]).arg(&config).stdout(Stdio::null()).stderr(log).spawn().unwrap();
    let officer = Officer::sign_in(format!("127.0.0.1:{port}"), password).await;
    tokio::time::sleep(Duration::from_secs(5)).await;
    let mut sessions = Vec::new();
    for room in 0..options.cameras.div_ceil(2) {
        let started = officer.post("/api/v1/sessions", json!({ "room": format!("r{room}") })).await;
        sessions.push(started["session"]["id"].as_str().unwrap_or_else(|| panic!("{started}")).to_owned());
    }
    Running { child, officer, sessions }
}

impl Running {
    async fn end(mut self) {
        let ends = self.sessions.iter().map(|id| self.officer.post(format!("/api/v1/sessions/{id}/end"), json!({})));
        futures::future::join_all(ends).await;
        nix::sys::signal::kill(nix::unistd::Pid::from_raw(self.child.id() as i32), nix::sys::signal::Signal::SIGTERM).unwrap();
        let _ = self.child.wait();
    }
}

async fn run(cameras: &Cameras, at: &Path, options: &Options) -> Outcome {
    let running = start(cameras, at, options).await;
    let viewers = if options.pictures { 0 } else { options.cameras };
    let viewers: Vec<_> = (0..viewers).map(|n| tokio::spawn(watch(running.officer.live(n)))).collect();
    tokio::time::sleep(Duration::from_secs(5)).await;
    let (pid, seconds) = (running.child.id(), options.seconds);
    let used = tokio::task::spawn_blocking(move || process::measure(&[pid], seconds)).await.unwrap();
    let not_durable_ms = ages(&running.officer.get("/metrics").await);
    assert!(viewers.iter().all(|v| !v.is_finished()), "every viewer still watches");
    running.end().await;
    let mut kept = stored::Kept::default();
    let files = stored::files(&at.join("data/footage"), "mp4");
    (0..options.cameras).for_each(|n| {
        let prefix = format!("c{n}-");
        let of: Vec<_> = files.iter().filter(|f| f.file_name().unwrap().to_string_lossy().starts_with(&prefix)).cloned().collect();
        kept.add(&of);
    });
    Outcome { used, kept, not_durable_ms }
}

/// How old a live picture is when it is shown, in a real browser on the running session's own page.
pub fn live(cameras: &Cameras, at: &Path) {
    std::fs::create_dir_all(at).unwrap();
    let options = Options { cameras: 1, ..Options::parse_from(["recorder"]) };
    tokio::runtime::Runtime::new().unwrap().block_on(async {
        let running = start(cameras, at, &options).await;
        let (url, page) = (format!("http://{}", running.officer.host), format!("/sessions/{}", running.sessions[0]));
        let asked = json!({ "url": url, "cookie": running.officer.cookie, "page": page, "seconds": 20 });
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/console/live.mjs");
        let said = Command::new("node").arg(script).arg(asked.to_string()).output().unwrap();
        println!("{}{}", String::from_utf8_lossy(&said.stdout), String::from_utf8_lossy(&said.stderr));
        running.end().await;
    });
    let _ = std::fs::remove_dir_all(at);
}

struct Officer {
    client: reqwest::Client,
    host: String,
    csrf: String,
    cookie: String,
}

impl Officer {
    async fn sign_in(host: String, password: &str) -> Self {
        let client = reqwest::Client::builder().timeout(Duration::from_mins(1)).build().unwrap();
        for _ in 0..200 {
            if client.get(format!("http://{host}/healthz")).send().await.is_ok() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        let body = json!({ "username": "bench", "password": password });
        let answer = client.post(format!("http://{host}/api/v1/login")).json(&body).send().await.unwrap();
        let cookie = answer.headers()["set-cookie"].to_str().unwrap().split(';').next().unwrap().to_owned();
        let me: Value = answer.json().await.unwrap();
        Self { client, host, csrf: me["csrf"].as_str().unwrap().into(), cookie }
    }

    async fn post(&self, path: impl AsRef<str>, body: Value) -> Value {
        let request = self.client.post(format!("http://{}{}", self.host, path.as_ref())).json(&body);
        request.header("X-Csrf-Token", &self.csrf).header("Cookie", &self.cookie).send().await.unwrap().json().await.unwrap()
    }

    async fn get(&self, path: &str) -> String {
        self.client.get(format!("http://{}{path}", self.host)).send().await.unwrap().text().await.unwrap()
    }

    fn live(&self, n: usize) -> tokio_tungstenite::tungstenite::handshake::client::Request {
        let mut request = format!("ws://{}/api/v1/rooms/r{}/cameras/c{n}/live", self.host, n / 2).into_client_request().unwrap();
        request.headers_mut().insert("Cookie", self.cookie.parse().unwrap());
        request
    }
}

async fn watch(request: tokio_tungstenite::tungstenite::handshake::client::Request) {
    let (mut socket, _) = tokio_tungstenite::connect_async(request).await.expect("live pictures");
    while let Some(Ok(_)) = socket.next().await {}
}

/// p50, p99 and the largest of a histogram, all cameras together; within a bucket as if evenly spread.
fn ages(metrics: &str) -> Option<(f64, f64, f64)> {
    let mut buckets: Vec<(f64, f64)> = Vec::new();
    for line in metrics.lines().filter(|l| l.starts_with("shilu_not_durable_seconds_bucket")) {
        let bound: f64 = line.split("le=\"").nth(1)?.split('"').next()?.parse().unwrap_or(f64::INFINITY);
        let count: f64 = line.rsplit(' ').next()?.parse().ok()?;
        match buckets.iter_mut().find(|(b, _)| b.total_cmp(&bound).is_eq()) {
            Some((_, sum)) => *sum += count,
            None => buckets.push((bound, count)),
        }
    }
    buckets.sort_by(|a, b| a.0.total_cmp(&b.0));
    let all = buckets.last()?.1;
    let at = |share: f64| {
        let (mut below, mut from) = (0.0, 0.0);
        for (bound, count) in &buckets {
            if *count >= share * all {
                let inside = (share * all - below) / (count - below).max(1.0);
                return (from + (bound - from) * inside) * 1000.0;
            }
            (below, from) = (*count, *bound);
        }
        f64::INFINITY
    };
    let longest = |l: &str| l.strip_prefix("shilu_not_durable_max_seconds").and_then(|l| l.rsplit(' ').next()?.parse::<f64>().ok());
    let max = metrics.lines().filter_map(longest).fold(0.0, f64::max);
    (all > 0.0).then(|| (at(0.5), at(0.99), max * 1000.0))
}
