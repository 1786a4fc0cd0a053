//! A week, compressed: each day something else misbehaves while a session runs: a camera, the switch, a disk, the power, the clock,
//! the people at the console. Nothing is lost beyond what the sessions declare, every alarm is raised once and cleared, and memory stays.

use crate::support;
use crate::volume;

use reqwest::Method;
use serde_json::{Value, json};
use std::io::Write;
use std::net::TcpStream;
use std::time::{Duration, Instant};
use support::accounting::account;
use support::bureau::{Bureau, Person, verify};
use support::replay::Replay;
use volume::BadVolume;

/// What an alarm may take to come or to go, with the time that its kind settles.
const COMES: Duration = Duration::from_mins(2);

/// What comes and goes with a session's length and the C library's habits, MB.
const GROWS_MB: u64 = 40;

struct Week {
    bureau: Bureau,
    cameras: Replay,
    officer: Person,
    office: Person,
    sessions: Vec<Value>,
    /// Kind, subject, and how often it should have been raised by now.
    expected: Vec<(&'static str, &'static str, usize)>,
}

impl Week {
    async fn of(&self, kind: &str, subject: &str) -> Vec<Value> {
        let (status, all) = self.office.get(&format!("/api/v1/alarms?kind={kind}")).await;
        assert!(status.is_success(), "{all}");
        all.as_array().unwrap().iter().filter(|a| subject.is_empty() || a["subject"] == subject).cloned().collect()
    }

    /// Waits until so many alarms of it have been raised, and all but `open` have ended.
    async fn waits(&self, kind: &str, subject: &str, raised: usize, open: usize) {
        let deadline = Instant::now() + COMES;
        loop {
            let all = self.of(kind, subject).await;
            let going_on = all.iter().filter(|a| a["ended_at"].is_null()).count();
            if all.len() == raised && going_on == open {
                return;
            }
            let rest = self.office.get("/api/v1/alarms").await.1;
            assert!(
                Instant::now() < deadline,
                "{kind} {subject}, {raised} raised and {open} open: {all:#?}\n{rest:#}\n{}",
                self.bureau.log()
            );
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }

    /// It comes, is cured, and goes.
    async fn comes_and_goes(
        &mut self,
        alarms: &[(&'static str, &'static str)],
        breaks: impl FnOnce(&mut Self),
        mends: impl FnOnce(&mut Self),
    ) {
        let before =
            |week: &Self, kind, subject| week.expected.iter().filter(|(k, s, _)| (*k, *s) == (kind, subject)).map(|e| e.2).sum::<usize>();
        breaks(self);
        for (kind, subject) in alarms {
            self.waits(kind, subject, before(self, *kind, *subject) + 1, 1).await;
        }
        mends(self);
        for (kind, subject) in alarms {
            self.waits(kind, subject, before(self, *kind, *subject) + 1, 0).await;
            self.expected.push((kind, subject, 1));
        }
    }

    async fn begins(&self) -> String {
        self.officer.waits_for_pictures().await;
        let id = self.officer.starts().await;
        self.officer.records(60_000).await;
        id
    }

    async fn ends(&mut self, id: &str) {
        let sealed = self.officer.ends(id).await;
        let folder = self.bureau.folder(id);
        let (code, words) = verify(&folder);
        assert_eq!(code, 0, "{id}: {words}");
        account(&folder, &sealed);
        self.sessions.push(sealed);
    }

    /// People and programs that mean no good, for a while: half a request and no more, a body without an end, wrong passwords, and
    /// many who ask at once.
    async fn console_is_beset(&self) {
        let address = self.bureau.url.trim_start_matches("http://").to_owned();
        let slow: Vec<TcpStream> = (0..150)
            .filter_map(|_| {
                let mut stream = TcpStream::connect(&address).ok()?;
                stream.write_all(b"POST /api/v1/login HTTP/1.1\r\nHost: x\r\nContent-Length: 999999999\r\n").ok()?;
                Some(stream)
            })
            .collect();
        let client = reqwest::Client::new();
        let wrong = |n: usize| {
            let login = client.post(format!("{}/api/v1/login", self.bureau.url));
            let body = json!({ "username": format!("nobody{n}"), "password": "x".repeat(60_000) });
            async move { login.json(&body).send().await.map(|a| a.status().as_u16()).unwrap_or_default() }
        };
        let refused = futures::future::join_all((0..60).map(wrong)).await;
        assert!(refused.iter().all(|status| *status != 200 && *status < 500), "{refused:?}");
        let pages = ["/", "/sessions", "/api/v1/sessions?limit=100", "/api/v1/status", "/wall/nothing", "/metrics", "/api/v1/log"];
        for _ in 0..10 {
            let asked = (0..40).map(|n| self.officer.ask(Method::GET, pages[n % pages.len()], None));
            for answer in futures::future::join_all(asked).await {
                assert!(answer.status().as_u16() < 500, "{}: {}", answer.url(), answer.status());
            }
        }
        drop(slow);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn in_a_week_of_faults_nothing_is_lost_undeclared_every_alarm_comes_once_and_goes_and_memory_stays() {
    let dir = tempfile::tempdir().unwrap();
    let Some(disk) = BadVolume::mount(dir.path().join("mirror")) else { return };
    let cameras = Replay::start(2, true);
    let mirror = format!("mirror = \"{}\"", disk.at.join("copy").display());
    let mut bureau = Bureau::open_at(dir, None, &mirror, "", &[cameras.address(0), cameras.address(1)]).await;
    assert!(bureau.terminate());
    bureau.console("idle_min = 720");
    let clock = bureau.has_a_clock_of_its_own();
    bureau.start().await;
    let (officer, office) = (bureau.sign_in("officer").await, bureau.sign_in("office").await);
    let mut week = Week { bureau, cameras, officer, office, sessions: vec![], expected: vec![] };

    // Monday: a camera is unplugged, and plugged in again.
    let monday = week.begins().await;
    let out = |week: &mut Week| week.cameras.order("c0 stall on");
    let back = |week: &mut Week| week.cameras.order("c0 stall off");
    week.comes_and_goes(&[("stream_down", "face")], out, back).await;
    week.ends(&monday).await;
    eprintln!("monday: {} MB", week.bureau.memory_mb());
    let memory = week.bureau.memory_mb();

    // Tuesday: the switch loses its power.
    let tuesday = week.begins().await;
    let all = [("stream_down", "face"), ("stream_down", "overview")];
    week.comes_and_goes(&all, |w| w.cameras.order("all stall on"), |w| w.cameras.order("all stall off")).await;
    week.ends(&tuesday).await;
    eprintln!("tuesday: {} MB", week.bureau.memory_mb());

    // Wednesday: the mirror's disk gives errors; what it missed comes to it afterwards.
    let wednesday = week.begins().await;
    week.comes_and_goes(&[("volume_failing", "mirror")], |_| disk.fails(true), |_| disk.fails(false)).await;
    week.ends(&wednesday).await;
    eprintln!("wednesday: {} MB", week.bureau.memory_mb());

    // Thursday: the power goes in the middle of a session, which goes on by itself. That it did is acknowledged.
    let thursday = week.begins().await;
    week.bureau.kill();
    week.bureau.start().await;
    eprintln!("anew: {} MB", week.bureau.memory_mb());
    week.waits("recovered", "", 1, 1).await;
    let alarm = week.of("recovered", "").await[0]["id"].as_str().unwrap().to_owned();
    week.office.does(&format!("/api/v1/alarms/{alarm}/acknowledge"), json!({ "reason": "停电" })).await;
    week.expected.push(("recovered", "", 1));
    week.officer.waits_for_pictures().await;
    week.officer.records(60_000).await;
    week.ends(&thursday).await;
    eprintln!("thursday: {} MB", week.bureau.memory_mb());

    // Friday: the wall clock is set forward and back; the session's time does not notice.
    let friday = week.begins().await;
    std::fs::write(&clock, "+90m").unwrap();
    week.waits("clock_doubted", "clock", 1, 1).await;
    std::fs::write(&clock, "+0").unwrap();
    tokio::time::sleep(Duration::from_secs(65)).await;
    // By the clock that is right: a password that was shown an hour ahead of it counts for nothing.
    let head = week.bureau.sign_in("bureau_head").await;
    head.does("/api/v1/clock/confirm", json!({ "reason": "与电话报时核对" })).await;
    week.waits("clock_doubted", "clock", 1, 0).await;
    week.expected.push(("clock_doubted", "clock", 1));
    week.ends(&friday).await;
    eprintln!("friday: {} MB", week.bureau.memory_mb());
    assert!(week.bureau.memory_mb() < memory + GROWS_MB, "{} MB, {memory} on Monday", week.bureau.memory_mb());

    // Saturday: the console is beset; the cameras do not notice.
    let saturday = week.begins().await;
    week.console_is_beset().await;
    let beset = week.bureau.memory_mb();
    // What a hundred people at once took is there for the next hundred, and no more comes to it.
    week.console_is_beset().await;
    let again = week.bureau.memory_mb();
    eprintln!("beset: {beset} MB, and again: {again} MB");
    assert!(again < beset + GROWS_MB, "{again} MB, {beset} before");
    week.officer.records(60_000).await;
    week.ends(&saturday).await;
    eprintln!("saturday: {} MB", week.bureau.memory_mb());
    let gaps = week.sessions.last().unwrap()["gaps"].as_array().unwrap().clone();
    assert!(gaps.is_empty(), "recording comes first: {gaps:?}");

    // Sunday: as Monday, and the books are looked at.
    let sunday = week.begins().await;
    week.comes_and_goes(&[("stream_down", "face")], out, back).await;
    week.ends(&sunday).await;
    eprintln!("sunday: {} MB", week.bureau.memory_mb());
    let every = week.office.get("/api/v1/alarms").await.1;
    let every = every.as_array().unwrap();
    let count =
        |kind: &str, subject: &str| every.iter().filter(|a| a["kind"] == kind && (subject.is_empty() || a["subject"] == subject)).count();
    for (kind, subject, _) in &week.expected {
        let times: usize = week.expected.iter().filter(|(k, s, _)| (k, s) == (kind, subject)).map(|e| e.2).sum();
        assert_eq!(count(kind, subject), times, "{kind} {subject}: {every:#?}");
    }
    let others = every.iter().filter(|a| a["kind"] == "volume_away").count();
    assert_eq!(others, 0, "what was never broken is not told: {every:#?}");
    assert!(every.iter().all(|a| a["ended_at"].is_i64() || a["kind"] == "clock_unsynchronised"), "everything is over: {every:#?}");
    let (kept, gaps) = week
        .sessions
        .iter()
        .map(|s| account(&week.bureau.folder(s["id"].as_str().unwrap()), s))
        .fold((0, 0), |a, b| (a.0 + b.0, a.1 + b.1));
    eprintln!(
        "{} sessions, {kept} pictures, {gaps} gaps declared; memory {memory} MB on Monday, {} on Sunday",
        week.sessions.len(),
        week.bureau.memory_mb()
    );
    assert!(week.bureau.memory_mb() < again + GROWS_MB, "{} MB, {again} on Saturday", week.bureau.memory_mb());
    assert!(week.bureau.terminate());
}
