//! The room itself: readiness (第十五条), a room in use with nothing recorded (第二十三条（一）), the room screen (第十三条) and the lamp.

use crate::support;

use futures::StreamExt;
use reqwest::StatusCode;
use serde_json::{Value, json};
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use support::bureau::{Bureau, Person};
use support::camera::Cameras;

async fn bureau_of(cameras: &[&str; 2], more: &str) -> (Cameras, Bureau) {
    let server = Cameras::start(cameras);
    let addresses = [server.address("face"), server.address("overview")];
    let bureau = Bureau::open_at(tempfile::tempdir().unwrap(), None, "", "", &addresses).await;
    if more.is_empty() {
        return (server, bureau);
    }
    let text = std::fs::read_to_string(bureau.config()).unwrap();
    let mut bureau = bureau;
    bureau.terminate();
    std::fs::write(
        bureau.config(),
        text.replace("unit = \"land-use\"\n[[rooms.cameras]]", &format!("unit = \"land-use\"\n{more}\n[[rooms.cameras]]")),
    )
    .unwrap();
    bureau.start().await;
    (server, bureau)
}

/// What is not ready, by word and device.
async fn not_ready(person: &Person) -> Vec<String> {
    let (status, r) = person.get("/api/v1/rooms/room-1/readiness").await;
    assert_eq!(status, StatusCode::OK, "{r}");
    let word = |c: &Value| format!("{} {}", c["what"].as_str().unwrap(), c["of"].as_str().unwrap_or("")).trim().to_owned();
    let all = r["checks"].as_array().unwrap().iter().filter(|c| c["level"] != "ready").map(word);
    // This machine's clock may run free, and its disk is what it is; neither is what is asked here.
    all.filter(|w| !w.starts_with("clock") && !w.starts_with("room") && w != "screen-none").collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_black_and_a_frozen_camera_and_a_dead_microphone_are_told_before_a_session_and_stop_none() {
    let dead = [
        "face,size=320x180,pattern=black,background=0xff000000,overlay=none,wave=silence",
        "overview,size=320x180,pattern=checkers-8,overlay=none,audio=none",
    ];
    let (_cameras, bureau) = bureau_of(&dead, "").await;
    let officer = bureau.sign_in("officer").await;
    officer.waits_for_pictures().await;
    assert_eq!(not_ready(&officer).await, ["picture-black 面部", "picture-frozen 全景", "sound-silent"]);
    // It is started all the same, with a reason that lands on the session together with what was found.
    let started = officer.does("/api/v1/sessions", json!({ "room": "room-1", "readiness_reason": "当事人已到，设备随后更换" })).await;
    let noted = &started["session"]["readiness"];
    assert_eq!(noted["reason"], "当事人已到，设备随后更换");
    assert!(noted["readiness"]["checks"].as_array().unwrap().iter().any(|c| c["what"] == "picture-black" && c["level"] == "red"));
    officer.records(10_000).await;
    officer.ends(started["session"]["id"].as_str().unwrap()).await;

    let (_cameras, bureau) = bureau_of(&["face,size=320x180", "overview,size=320x180,audio=none"], "").await;
    let officer = bureau.sign_in("officer").await;
    officer.waits_for_pictures().await;
    assert_eq!(not_ready(&officer).await, [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn talk_in_a_room_that_records_nothing_alarms_once_and_is_answered_with_a_reason() {
    let loud = ["face,size=320x180,wave=sine,volume=0.3", "overview,size=320x180,audio=none"];
    let (_cameras, bureau) = bureau_of(&loud, "in_use_after_s = 5").await;
    let office = bureau.sign_in("office").await;
    let alarms = async || office.get("/api/v1/alarms").await.1.as_array().unwrap().clone();
    let deadline = Instant::now() + Duration::from_secs(40);
    while alarms().await.is_empty() {
        assert!(Instant::now() < deadline, "no alarm");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    let id = alarms().await[0]["id"].as_str().unwrap().to_owned();
    // The same talk goes on: it is the same alarm.
    tokio::time::sleep(Duration::from_secs(8)).await;
    assert_eq!(alarms().await.len(), 1);
    let rooms = office.client.get(format!("{}/", office.url)).send().await.unwrap().text().await.unwrap();
    assert!(rooms.contains("有人在用，没有录制"), "the office sees it where it sees the rooms");
    let at = format!("/api/v1/alarms/{id}/acknowledge");
    assert_eq!(office.post(&at, json!({ "reason": " " })).await.0, StatusCode::UNPROCESSABLE_ENTITY);
    let leader = bureau.sign_in("leader_in_charge").await;
    assert_eq!(leader.post(&at, json!({ "reason": "x" })).await.0, StatusCode::FORBIDDEN);
    office.does(&at, json!({ "reason": "借用开会" })).await;
    assert_eq!(alarms().await[0]["reason"], "借用开会");
    let inspector = bureau.sign_in("inspector").await;
    let (_, log) = inspector.get("/api/v1/log").await;
    let kinds: Vec<&str> = log.as_array().unwrap().iter().filter_map(|r| r["entry"]["kind"].as_str()).collect();
    assert!(kinds.contains(&"room_in_use") && kinds.contains(&"alarm_acknowledged"), "{kinds:?}");

    // What is recorded is no alarm, however loud.
    let (_cameras, bureau) = bureau_of(&loud, "in_use_after_s = 5").await;
    let officer = bureau.sign_in("officer").await;
    officer.waits_for_pictures().await;
    let id = officer.starts().await;
    tokio::time::sleep(Duration::from_secs(9)).await;
    assert_eq!(officer.get("/api/v1/alarms").await.1, json!([]));
    officer.ends(&id).await;
}

/// What a screen shows, as its stream pushes it, until it is as wanted.
async fn screen_shows(url: &str, path: &str, what: &str, wanted: impl Fn(&str) -> bool) {
    let answer = reqwest::get(format!("{url}{path}/events")).await.unwrap();
    assert_eq!(answer.status(), StatusCode::OK);
    let mut stream = answer.bytes_stream();
    let mut seen = String::new();
    let deadline = Instant::now() + Duration::from_secs(30);
    while Instant::now() < deadline {
        seen.push_str(&String::from_utf8_lossy(&stream.next().await.unwrap().unwrap()));
        let last = seen.rsplit("event: now").next().unwrap_or_default();
        if wanted(last) {
            return;
        }
    }
    panic!("{what}: {seen}");
}

/// A link that was ended tells whoever stands before it, in both languages, and leads nowhere.
async fn says_that_it_was_ended(url: &str, path: &str) {
    let answer = reqwest::Client::new().get(format!("{url}{path}")).header("Accept", "text/html").send().await.unwrap();
    let status = answer.status();
    let told = answer.text().await.unwrap();
    assert_eq!(status, StatusCode::NOT_FOUND, "{told}");
    assert!(told.contains("本屏幕链接已停用") && told.contains("请办公室"), "{told}");
    assert!(told.contains("This screen link has been ended") && told.contains("ask the office"), "{told}");
    assert!(!told.contains("“”") && !told.contains("<a ") && !told.contains("http-equiv"), "{told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_room_screen_shows_that_room_and_nothing_else_and_its_code_can_be_recomputed_from_the_manifest() {
    let bureau = Bureau::open().await;
    let (officer, office) = (bureau.sign_in("officer").await, bureau.sign_in("office").await);
    assert_eq!(officer.post("/api/v1/screens", json!({ "room": "room-1" })).await.0, StatusCode::FORBIDDEN);
    let made = office.does("/api/v1/screens", json!({ "room": "room-1" })).await;
    let path = made["path"].as_str().unwrap().to_owned();
    let get = async |path: &str| reqwest::get(format!("{}{path}", bureau.url)).await.unwrap();
    // A token that does not hold shows nothing; neither does anything else without a login.
    assert_eq!(get(&format!("/screen/{}", "0".repeat(64))).await.status(), StatusCode::NOT_FOUND);
    let idle = get(&path).await.text().await.unwrap();
    assert!(idle.contains("本室办理案件时全程录音录像") && !idle.contains("/sessions") && !idle.contains("csrf"), "{idle}");
    let english = get(&format!("{path}?lang=en")).await.text().await.unwrap();
    assert!(english.contains("recorded throughout"), "{english}");
    assert!(not_ready(&office).await.iter().any(|w| w == "screen-away"), "it has a link, and nobody shows it");

    officer.waits_for_pictures().await;
    let id = officer.starts().await;
    screen_shows(&bureau.url, &path, "recording", |now| now.contains("正在录音录像") && now.contains("冀E-017")).await;
    let shown = get(&path).await.text().await.unwrap();
    assert!(!shown.contains("张三") && !shown.contains("12号") && !shown.contains("未经批准"), "no case and no party: {shown}");
    let code = shown.split("class=\"code\">").nth(1).unwrap().split('<').next().unwrap().to_owned();
    assert_eq!(code.len(), 6);
    officer.does(&format!("/api/v1/sessions/{id}/record"), json!({ "change": "line", "kind": "question", "text": "你叫什么名字？" })).await;
    screen_shows(&bureau.url, &path, "the record as it is typed", |now| now.contains("你叫什么名字？")).await;
    let (_, running) = officer.get(&format!("/api/v1/sessions/{id}")).await;
    assert!(!running.to_string().contains("screen_key"), "told to nobody before the seal");
    officer.does(&format!("/api/v1/sessions/{id}/interrupt"), json!({ "cause": "vacated" })).await;
    screen_shows(&bureau.url, &path, "interrupted", |now| now.contains("录音录像已中断")).await;
    officer.does(&format!("/api/v1/sessions/{id}/resume"), json!({})).await;
    officer.records(10_000).await;
    officer.ends(&id).await;
    screen_shows(&bureau.url, &path, "idle again", |now| now.contains("本室办理案件时")).await;

    // The expert: the code of that minute, from the sealed folder alone.
    let minutes = [0, 1].map(|back| (chrono::Utc::now() - chrono::TimeDelta::minutes(back)).to_rfc3339());
    let told = minutes.map(|at| {
        let out = Command::new(env!("CARGO_BIN_EXE_shilu-verify")).arg(bureau.folder(&id)).args(["--code-at", &at]).output().unwrap();
        String::from_utf8(out.stdout).unwrap()
    });
    assert!(told.iter().any(|t| t.contains(&code)), "{code}: {told:?}");

    // A link that was ended is dark, also where it is shown.
    let screens = office.get("/api/v1/screens").await.1;
    let stream = reqwest::get(format!("{}{path}/events", bureau.url)).await.unwrap();
    office.does(&format!("/api/v1/screens/{}/end", screens[0]["id"].as_str().unwrap()), json!({})).await;
    let ended = tokio::time::timeout(Duration::from_secs(10), stream.bytes()).await;
    assert!(ended.is_ok(), "its stream ends");
    says_that_it_was_ended(&bureau.url, &path).await;
    let lamp = path.replace("/screen/", "/lamp/");
    says_that_it_was_ended(&bureau.url, &lamp).await;
    let told: Value = get(&lamp).await.json().await.unwrap();
    assert_eq!(told["code"], "screen-link-over", "{told}");
}

struct Broker(Child, u16);

impl Broker {
    fn start(port: u16) -> Self {
        let child = Command::new("mosquitto").args(["-p", &port.to_string()]).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let deadline = Instant::now() + Duration::from_secs(10);
        while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(Instant::now() < deadline, "the broker does not listen");
            std::thread::sleep(Duration::from_millis(20));
        }
        Self(child, port)
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// What is heard on a topic, each word once while it lasts.
struct Listener(Child, std::sync::mpsc::Receiver<String>);

impl Listener {
    fn on(broker: &Broker, topic: &str) -> Self {
        let port = broker.1.to_string();
        let mut child = Command::new("mosquitto_sub").args(["-p", &port, "-t", topic]).stdout(Stdio::piped()).spawn().unwrap();
        let out = BufReader::new(child.stdout.take().unwrap());
        let (tell, told) = std::sync::mpsc::channel();
        std::thread::spawn(move || out.lines().map_while(Result::ok).for_each(|line| drop(tell.send(line))));
        Self(child, told)
    }

    fn hears(&self, word: &str) {
        let deadline = Instant::now() + Duration::from_secs(40);
        while let Ok(heard) = self.1.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
            if heard == word {
                return;
            }
        }
        panic!("never heard {word}");
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_lamp_outside_the_door_follows_durable_bytes_and_goes_unknown_with_a_dead_recorder() {
    let port = support::free_port();
    let broker = Broker::start(port);
    let mut bureau = Bureau::open().await;
    bureau.terminate();
    let text = std::fs::read_to_string(bureau.config()).unwrap();
    std::fs::write(bureau.config(), text.replace("[console]", &format!("[lamp]\nmqtt = \"mqtt://127.0.0.1:{port}\"\n[console]"))).unwrap();
    bureau.start().await;
    let office = bureau.sign_in("office").await;
    let path = office.does("/api/v1/screens", json!({ "room": "room-1" })).await["path"].as_str().unwrap().replace("/screen/", "/lamp/");
    let word = async || reqwest::get(format!("{}{path}?format=text", bureau.url)).await.unwrap().text().await.unwrap();
    assert_eq!(word().await, "idle");

    let listener = Listener::on(&broker, "shilu/room-1/lamp");
    listener.hears("idle");
    let (officer, id) = bureau.records(10_000).await;
    listener.hears("recording");
    assert_eq!(word().await, "recording");
    let state: Value = reqwest::get(format!("{}{path}", bureau.url)).await.unwrap().json().await.unwrap();
    assert_eq!((state["on"].as_bool(), state.as_object().unwrap().len()), (Some(true), 4), "no name and no case: {state}");
    officer.does(&format!("/api/v1/sessions/{id}/interrupt"), json!({ "cause": "vacated" })).await;
    listener.hears("interrupted");
    officer.does(&format!("/api/v1/sessions/{id}/resume"), json!({})).await;
    listener.hears("recording");

    // The broker goes and comes back; nothing else notices.
    drop((listener, broker));
    let broker = Broker::start(port);
    let listener = Listener::on(&broker, "shilu/room-1/lamp");
    listener.hears("recording");
    // The recorder is killed: its last will speaks for it; and it comes back into its session.
    bureau.kill();
    listener.hears("unknown");
    bureau.start().await;
    listener.hears("recording");
    let officer = bureau.sign_in("officer").await;
    officer.ends(&id).await;
    listener.hears("idle");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_wall_shows_every_room_in_words_and_no_name_no_case_and_no_way_in() {
    let mut bureau = Bureau::open().await;
    let (officer, office) = (bureau.sign_in("officer").await, bureau.sign_in("office").await);
    assert_eq!(officer.post("/api/v1/screens", json!({ "room": "*" })).await.0, StatusCode::FORBIDDEN);
    let path = office.does("/api/v1/screens", json!({ "room": "*" })).await["path"].as_str().unwrap().to_owned();
    assert!(path.starts_with("/wall/"), "{path}");
    let get = async |path: &str| reqwest::get(format!("{}{path}", bureau.url)).await.unwrap();
    // A room's link opens no wall, and the wall's link no room.
    let room = office.does("/api/v1/screens", json!({ "room": "room-1" })).await["path"].as_str().unwrap().to_owned();
    for strange in [room.replace("/screen/", "/wall/"), path.replace("/wall/", "/screen/"), path.replace("/wall/", "/lamp/")] {
        assert_eq!(get(&strange).await.status(), StatusCode::NOT_FOUND, "{strange}");
    }
    officer.waits_for_pictures().await;
    let id = officer.starts().await;
    screen_shows(&bureau.url, &path, "the room that records", |now| now.contains("第一询问室") && now.contains("录制中")).await;
    let shown = get(&path).await.text().await.unwrap();
    for hidden in ["张三", "12号", "王建国", "冀E-017", &id, "csrf", "rtsp://", "127.0.0.1", "/sessions"] {
        assert!(!shown.contains(hidden), "{hidden} in {shown}");
    }
    let url = bureau.url.clone();
    bureau.cameras().kill();
    screen_shows(&url, &path, "cameras that are away", |now| now.contains("无画面") && now.contains("未在录制")).await;
    officer.ends(&id).await;
    let screens = office.get("/api/v1/screens").await.1;
    let wall = screens.as_array().unwrap().iter().find(|s| s["room"] == "*").unwrap();
    office.does(&format!("/api/v1/screens/{}/end", wall["id"].as_str().unwrap()), json!({})).await;
    says_that_it_was_ended(&url, &path).await;
}
