//! Cameras, people and faults by a seeded schedule, for hours (`tests/soak --hours 8`) or, as a part of every run, for a minute.
//! At the end every picture is accounted for: kept, or inside a gap or an interruption that the session declares.

use crate::support;

use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};
use support::accounting::account;
use support::bureau::{Bureau, Person, verify};
use support::replay::Replay;
use support::stored;

struct Soak {
    bureau: Bureau,
    cameras: Replay,
    officer: Person,
    chance: u64,
    sessions: Vec<Value>,
    open: Option<String>,
    /// Unix ms.
    kills: Vec<i64>,
    done: BTreeMap<&'static str, u32>,
}

fn now_ms() -> i64 {
    chrono::Utc::now().timestamp_millis()
}

impl Soak {
    async fn open(seed: u64) -> Self {
        let cameras = Replay::start(2, true);
        let dir = tempfile::tempdir().unwrap();
        let mirror = format!("mirror = \"{}\"", dir.path().join("mirror").display());
        let bureau = Bureau::open_at(dir, None, &mirror, "", &[cameras.address(0), cameras.address(1)]).await;
        let officer = bureau.sign_in("officer").await;
        officer.waits_for_pictures().await;
        Self { bureau, cameras, officer, chance: seed | 1, sessions: vec![], open: None, kills: vec![], done: BTreeMap::new() }
    }

    fn below(&mut self, n: u64) -> u64 {
        self.chance ^= self.chance << 13;
        self.chance ^= self.chance >> 7;
        self.chance ^= self.chance << 17;
        (self.chance >> 16) % n
    }

    async fn rests(&mut self, least_ms: u64, more_ms: u64) {
        let ms = least_ms + self.below(more_ms);
        tokio::time::sleep(Duration::from_millis(ms)).await;
    }

    async fn begins(&mut self) {
        self.open = Some(self.officer.starts().await);
    }

    async fn ends(&mut self) {
        let Some(id) = self.open.take() else { return };
        let sealed = self.officer.ends(&id).await;
        let (code, words) = verify(&self.bureau.folder(&id));
        assert_eq!(code, 0, "{id}: {words}");
        self.sessions.push(sealed);
    }

    async fn is_killed(&mut self, kindly: bool) {
        self.kills.push(now_ms());
        if kindly {
            assert!(self.bureau.terminate());
        } else {
            self.bureau.kill();
        }
        self.bureau.start().await;
    }

    /// One thing that happens.
    async fn step(&mut self) {
        let camera = self.below(2);
        let what = ["stall", "close", "mute", "blind", "jump", "source", "reports", "uneven", "kill", "term", "pause", "end"];
        let what = what[self.below(what.len() as u64) as usize];
        *self.done.entry(what).or_default() += 1;
        match what {
            "stall" | "mute" | "blind" | "uneven" => {
                self.cameras.order(&format!("c{camera} {what} on"));
                self.rests(500, 9_000).await;
                self.cameras.order(&format!("c{camera} {what} off"));
            }
            "close" => self.cameras.order(&format!("c{camera} close")),
            "jump" => self.cameras.order(&format!("c{camera} jump_s 3600")),
            "source" => {
                let other = self.below(2);
                self.cameras.order(&format!("c{camera} source {other}"));
            }
            "reports" => self.cameras.order(&format!("c{camera} clock_off_s -86400")),
            "kill" => self.is_killed(false).await,
            "term" => self.is_killed(true).await,
            "pause" => {
                let id = self.open.clone().unwrap();
                self.officer.does(&format!("/api/v1/sessions/{id}/interrupt"), json!({ "cause": "vacated" })).await;
                self.rests(500, 3_000).await;
                self.officer.does(&format!("/api/v1/sessions/{id}/resume"), json!({})).await;
            }
            _ => {
                self.ends().await;
                self.begins().await;
            }
        }
        self.rests(1_000, 4_000).await;
    }

    /// Every picture's place is known.
    fn account(&self) -> (u64, u64) {
        let of = |session: &Value| account(&self.bureau.folder(session["id"].as_str().unwrap()), session);
        self.sessions.iter().map(of).fold((0, 0), |(kept, gaps), (k, g)| (kept + k, gaps + g))
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_happens_every_picture_is_kept_or_its_gap_declared() {
    let hours: f64 = std::env::var("SHILU_SOAK_HOURS").ok().and_then(|h| h.parse().ok()).unwrap_or(0.02);
    let seed: u64 = std::env::var("SHILU_SOAK_SEED").ok().and_then(|h| h.parse().ok()).unwrap_or(20_261_123);
    let mut soak = Soak::open(seed).await;
    soak.begins().await;
    let until = Instant::now() + Duration::from_secs_f64(hours * 3600.0);
    let mut reported = Instant::now();
    while Instant::now() < until {
        soak.step().await;
        if reported.elapsed() > Duration::from_mins(5) {
            reported = Instant::now();
            eprintln!(
                "{:.1} h left; {:?}; {} MB of memory",
                (until - Instant::now()).as_secs_f64() / 3600.0,
                soak.done,
                soak.bureau.memory_mb()
            );
        }
    }
    soak.cameras.order("all well");
    tokio::time::sleep(Duration::from_secs(2)).await;
    soak.ends().await;
    let (kept, gaps) = soak.account();
    eprintln!(
        "seed {seed}, {hours} h: {} sessions, {kept} pictures kept, {gaps} gaps, all declared; {:?}; {} MB",
        soak.sessions.len(),
        soak.done,
        soak.bureau.memory_mb()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_again_and_again_it_loses_at_most_two_seconds_each_time() {
    let times: usize = std::env::var("SHILU_KILLS").ok().and_then(|n| n.parse().ok()).unwrap_or(25);
    let mut soak = Soak::open(7).await;
    soak.begins().await;
    for _ in 0..times {
        soak.rests(300, 2_500).await;
        soak.is_killed(false).await;
    }
    tokio::time::sleep(Duration::from_secs(2)).await;
    soak.ends().await;
    let session = &soak.sessions[0];
    assert_eq!(session["restarts"].as_u64(), Some(times as u64));
    soak.account();
    let folder = soak.bureau.folder(session["id"].as_str().unwrap());
    for camera in ["face", "overview"] {
        let files = stored::files(&folder, "mp4").into_iter().filter(|f| f.file_name().unwrap().to_string_lossy().starts_with(camera));
        let times: Vec<i64> = files.flat_map(|f| stored::frames(&std::fs::read(f).unwrap())).map(|(_, ms)| ms).collect();
        let mut worst = 0;
        for pair in soak.kills.windows(2) {
            // Only where recording had begun again before the next kill.
            let before = times.iter().rfind(|ms| **ms <= pair[1]).unwrap();
            if *before > pair[0] {
                worst = worst.max(pair[1] - before);
            }
        }
        eprintln!("{camera}: at most {worst} ms lost before a kill, of {}", soak.kills.len());
        assert!(worst <= 2_000, "{worst} ms");
    }
}
