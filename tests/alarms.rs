//! Alarms with the real thing: cameras that are unplugged, a volume that fails, a mail server, a broker and a receiver that is away, hangs
//! or comes back, a recorder that is killed between the alarm and its delivery.

use crate::support;
use crate::volume;

use reqwest::StatusCode;
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use support::authority::certificate;
use support::bureau::{Bureau, Person, nowhere, verify};
use support::camera::Cameras;
use support::free_port;
use volume::BadVolume;

const SECRET: &str = "a key that both sides know";

/// A program of its own that ends with the test.
struct Service(Child);

impl Drop for Service {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

fn listens(port: u16) {
    let deadline = Instant::now() + Duration::from_secs(30);
    while TcpStream::connect(("127.0.0.1", port)).is_err() {
        assert!(Instant::now() < deadline, "nobody listens at {port}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// A system that takes alarms: it checks each signature with `openssl`, and keeps what it took in order.
struct Receiver(Arc<Mutex<Vec<Value>>>);

impl Receiver {
    fn start(port: u16) -> Self {
        let taken = Arc::<Mutex<Vec<Value>>>::default();
        let listener = TcpListener::bind(("127.0.0.1", port)).unwrap();
        let into = taken.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = BufReader::new(stream.unwrap());
                let (mut head, mut length) = (std::collections::BTreeMap::new(), 0);
                for line in stream.by_ref().lines().map_while(Result::ok).take_while(|l| !l.is_empty()) {
                    if let Some((name, value)) = line.split_once(": ") {
                        head.insert(name.to_lowercase(), value.to_owned());
                    }
                }
                if let Some(bytes) = head.get("content-length") {
                    length = bytes.parse().unwrap();
                }
                let mut body = vec![0; length];
                stream.read_exact(&mut body).unwrap();
                let signed = [head["shilu-timestamp"].as_bytes(), b".", &body].concat();
                let mut mac = Command::new("openssl")
                    .args(["dgst", "-sha256", "-hmac", SECRET])
                    .stdin(Stdio::piped())
                    .stdout(Stdio::piped())
                    .spawn()
                    .unwrap();
                mac.stdin.take().unwrap().write_all(&signed).unwrap();
                let made = String::from_utf8(mac.wait_with_output().unwrap().stdout).unwrap();
                assert_eq!(head["shilu-signature"], format!("v1={}", made.split_whitespace().last().unwrap()));
                let message: Value = serde_json::from_slice(&body).unwrap();
                assert_eq!(message["id"], head["shilu-id"]);
                into.lock().unwrap().push(message);
                stream.get_mut().write_all(b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n").unwrap();
            }
        });
        Self(taken)
    }

    fn all(&self) -> Vec<Value> {
        self.0.lock().unwrap().clone()
    }

    /// `raised stream_down face`, in the order in which it came; the same number is the same message.
    fn told(&self) -> Vec<String> {
        let mut seen = std::collections::BTreeSet::new();
        let all = self.all();
        let news = all.iter().filter(|m| seen.insert(m["id"].as_str().unwrap().to_owned()));
        let text = |a: &Value| format!("{} {} {}", a["event"], a["kind"], a["subject"]).replace('"', "");
        news.flat_map(|m| m["alarms"].as_array().unwrap().iter().map(text).collect::<Vec<_>>()).collect()
    }

    async fn takes(&self, bureau: &Bureau, what: &str, until: impl Fn(&[String]) -> bool) -> Vec<String> {
        let deadline = Instant::now() + Duration::from_secs(90);
        loop {
            let told = self.told();
            if until(&told) {
                return told;
            }
            assert!(Instant::now() < deadline, "{what}: {told:#?}\n{}", bureau.log());
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
}

/// Somebody who takes a connection and never says a word.
fn silence() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || listener.incoming().flatten().collect::<Vec<TcpStream>>());
    port
}

fn webhook(bureau: &Bureau, port: u16) -> String {
    let secret = bureau.dir.path().join("webhook.secret");
    std::fs::write(&secret, SECRET).unwrap();
    format!("webhook_url = \"http://127.0.0.1:{port}/alarms\"\nwebhook_secret_file = \"{}\"\n", secret.display())
}

async fn alarms(person: &Person, query: &str) -> Vec<Value> {
    let (status, all) = person.get(&format!("/api/v1/alarms{query}")).await;
    assert_eq!(status, StatusCode::OK, "{all}");
    all.as_array().unwrap().clone()
}

/// Waits for what the history says.
async fn waits_for(person: &Person, query: &str, what: &str, until: impl Fn(&[Value]) -> bool) -> Vec<Value> {
    let deadline = Instant::now() + Duration::from_secs(100);
    loop {
        let all = alarms(person, query).await;
        if until(&all) {
            return all;
        }
        assert!(Instant::now() < deadline, "no {what}: {all:#?}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// A mail server with a certificate of the bureau's own authority; what it took.
fn post_office(bureau: &mut Bureau, port: u16) -> (Service, PathBuf, String) {
    let at = bureau.dir.path().to_owned();
    let (ca, certificate, key) = certificate(&at);
    std::fs::write(at.join("mail.secret"), "post-office-93").unwrap();
    bureau.trusts = Some(ca);
    let taken = at.join("taken");
    let server = Command::new("/usr/bin/python3") // where Debian's packages are
        .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/support/post.py"))
        .arg(port.to_string())
        .args([certificate, key])
        .args(["shilu", "post-office-93"])
        .stdout(std::fs::File::create(&taken).unwrap())
        .stderr(Stdio::inherit())
        .spawn()
        .unwrap();
    listens(port);
    let lines = format!(
        "[mail]\nhost = \"localhost\"\nport = {port}\ntls = \"starttls\"\nfrom = \"shilu@bureau.example\"\nuser = \"shilu\"\npassword_file = \"{}\"\n",
        at.join("mail.secret").display()
    );
    (Service(server), taken, lines)
}

/// What came by mail: the decoded subjects and texts are in it.
fn mails(taken: &Path) -> String {
    use base64::Engine;
    let raw = std::fs::read_to_string(taken).unwrap();
    let decoded = raw.lines().filter_map(|l| base64::engine::general_purpose::STANDARD.decode(l.trim()).ok());
    let texts: Vec<u8> = decoded.flatten().collect();
    // Where a letter is quoted-printable instead.
    let (mut quoted, mut rest) = (Vec::new(), raw.replace("=\r\n", "").replace("=\n", "").into_bytes().into_iter());
    while let Some(byte) = rest.next() {
        let hex = (byte == b'=').then(|| rest.as_slice().get(..2).and_then(|h| u8::from_str_radix(std::str::from_utf8(h).ok()?, 16).ok()));
        quoted.push(hex.flatten().unwrap_or(byte));
        if hex.flatten().is_some() {
            rest.nth(1);
        }
    }
    format!("{raw}\n{}\n{}", String::from_utf8_lossy(&texts), String::from_utf8_lossy(&quoted))
}

fn stored_on(port: u16) -> Vec<String> {
    let out =
        Command::new("mosquitto_sub").args(["-p", &port.to_string(), "-t", "shilu/alarms/#", "--retained-only", "-W", "2", "-v"]).output();
    String::from_utf8(out.unwrap().stdout).unwrap().lines().map(ToOwned::to_owned).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unplugged_camera_is_told_once_by_every_way_through_a_kill_and_its_end_too() {
    let (mail_port, hook_port, broker_port) = (free_port(), free_port(), free_port());
    let broker = Command::new("mosquitto").args(["-p", &broker_port.to_string()]).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
    let _broker = Service(broker.unwrap());
    listens(broker_port);
    let mut bureau = Bureau::open().await;
    assert!(bureau.terminate());
    let (_post, taken, mail) = post_office(&mut bureau, mail_port);
    let hook = webhook(&bureau, hook_port);
    bureau.configure(&format!("{mail}[alarms]\nmail_to = [\"duty@bureau.example\"]\n{hook}mqtt = \"mqtt://127.0.0.1:{broker_port}\""));
    bureau.console("address = \"https://shilu.bureau.example\"");
    bureau.start().await;
    let office = bureau.sign_in("office").await;
    let (_officer, session) = bureau.records(50_000).await;

    // Both cameras lose their power while the receiver is away; the recorder is killed before it comes.
    bureau.cameras().kill();
    let down = |all: &[Value]| all.iter().filter(|a| a["kind"] == "stream_down").count() == 2;
    let open = waits_for(&office, "?open=true&kind=stream_down", "alarm of each camera", down).await;
    assert!(open.iter().all(|a| a["severity"] == "urgent" && a["room"] == "room-1" && a["ended_at"].is_null()), "{open:#?}");
    bureau.kill();
    let receiver = Receiver::start(hook_port);
    bureau.start().await;
    let office = bureau.sign_in("office").await;
    let raised = |told: &[String], camera: &str| told.iter().filter(|t| **t == format!("raised stream_down {camera}")).count();
    let told = receiver.takes(&bureau, "both cameras", |t| raised(t, "face") + raised(t, "overview") >= 2).await;
    assert_eq!((raised(&told, "face"), raised(&told, "overview")), (1, 1), "{told:#?}");
    // What was there before the kill is the same alarm after it; that it was cut off is one more, and one that people acknowledge.
    let again = alarms(&office, "?kind=stream_down").await;
    assert_eq!(again.iter().map(|a| &a["id"]).collect::<Vec<_>>(), open.iter().map(|a| &a["id"]).collect::<Vec<_>>());
    let cut_off = waits_for(&office, "?open=true&kind=recovered", "alarm of the unclean end", |all| all.len() == 1).await;

    // Somebody acknowledges, and it is told that somebody did, not who.
    let face = open.iter().find(|a| a["subject"] == "face").unwrap()["id"].as_str().unwrap().to_owned();
    let leader = bureau.sign_in("leader_in_charge").await;
    let at = format!("/api/v1/alarms/{face}/acknowledge");
    assert_eq!(leader.post(&at, json!({})).await.0, StatusCode::FORBIDDEN);
    office.does(&at, json!({ "reason": "张三案现场停电" })).await;
    assert_eq!(office.post(&at, json!({})).await.0, StatusCode::NOT_FOUND, "once");
    office.does(&format!("/api/v1/alarms/{}/acknowledge", cut_off[0]["id"].as_str().unwrap()), json!({})).await;
    let retained = stored_on(broker_port);
    assert!(retained.iter().any(|line| line.starts_with(&format!("shilu/alarms/{face} {{"))), "{retained:#?}");

    // The power is back.
    bureau.cameras().restart();
    let ended = |all: &[Value]| all.iter().all(|a| a["ended_at"].is_i64());
    let history = waits_for(&office, "?kind=stream_down", "end of both", ended).await;
    assert_eq!(history.len(), 2, "{history:#?}");
    let of_face = history.iter().find(|a| a["subject"] == "face").unwrap();
    assert_eq!((&of_face["acknowledged_by"], &of_face["reason"]), (&json!("office"), &json!("张三案现场停电")));
    let cleared = |t: &[String]| t.iter().filter(|t| t.starts_with("cleared stream_down")).count() == 2;
    let told = receiver.takes(&bureau, "the end of both", cleared).await;
    let of = |camera: &str| told.iter().filter(|t| t.ends_with(&format!("stream_down {camera}"))).map(String::as_str).collect::<Vec<_>>();
    assert_eq!(of("face"), ["raised stream_down face", "acknowledged stream_down face", "cleared stream_down face"]);
    assert_eq!(of("overview"), ["raised stream_down overview", "cleared stream_down overview"]);
    let deadline = Instant::now() + Duration::from_secs(40);
    let said = |text: &str| mails(&taken).matches(text).count();
    while said("发生】第一询问室 XW-101 面部 摄像机无画面") < 1 || said("恢复】第一询问室 XW-101 面部 摄像机无画面") < 1
    {
        assert!(Instant::now() < deadline, "{}\n{}", mails(&taken), bureau.log());
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    let mails = mails(&taken);
    assert!(mails.contains("to duty@bureau.example by shilu tls True") && mails.contains("https://shilu.bureau.example/alarms"), "{mails}");
    let deadline = Instant::now() + Duration::from_secs(40);
    while !stored_on(broker_port).iter().all(|line| !line.contains(&face)) {
        assert!(Instant::now() < deadline, "what is over is retained no more");
    }
    // Nothing that was sent names a person or a case.
    let sent = format!("{mails}{:?}", receiver.all());
    assert!(!sent.contains("张三") && !sent.contains("王建国") && !sent.contains("12号"), "{sent}");
    assert!(!bureau.log().contains(SECRET) && !bureau.log().contains("duty@"), "{}", bureau.log());
    // The log tells each beginning and each end once, and who acknowledged.
    let inspector = bureau.sign_in("inspector").await;
    let (_, log) = inspector.get("/api/v1/log").await;
    let of = |kind: &str| {
        log.as_array().unwrap().iter().filter(|r| r["entry"]["kind"] == kind && r["entry"]["about"].to_string().contains(&face)).count()
    };
    assert_eq!((of("alarm_raised"), of("alarm_cleared"), of("alarm_acknowledged")), (1, 1, 1));
    let csv = office.client.get(format!("{}/alarms.csv?kind=stream_down", bureau.url)).send().await.unwrap().text().await.unwrap();
    assert_eq!(csv.matches("摄像机无画面").count(), 2, "{csv}");
    bureau.sign_in("officer").await.ends(&session).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn while_every_way_hangs_the_recording_goes_on_and_the_console_tells_that_they_do() {
    let (first, mut second) = (Cameras::start(&["face,size=640x360"]), Cameras::start(&["overview,size=640x360,audio=none"]));
    let addresses = [first.address("face"), second.address("overview")];
    let mut bureau = Bureau::open_at(tempfile::tempdir().unwrap(), None, "", "", &addresses).await;
    assert!(bureau.terminate());
    let (hook, broker, mail) = (webhook(&bureau, silence()), silence(), silence());
    bureau.configure(&format!(
        "[mail]\nhost = \"127.0.0.1\"\nport = {mail}\ntls = \"none\"\nfrom = \"shilu@bureau.example\"\n[alarms]\nmail_to = [\"duty@bureau.example\"]\n{hook}mqtt = \"mqtt://127.0.0.1:{broker}\""
    ));
    // As systemd starts it, with its standard error in the journal.
    let log = std::fs::metadata(bureau.dir.path().join("log")).unwrap();
    bureau.environment.push(("JOURNAL_STREAM", format!("{}:{}", log.dev(), log.ino())));
    bureau.start().await;
    let office = bureau.sign_in("office").await;
    let (officer, session) = bureau.records(50_000).await;
    second.kill();
    let of = |all: &[Value], subject: &str| all.iter().any(|a| a["subject"] == subject);
    let all = waits_for(&office, "?open=true", "alarms of the camera and of every channel", |all| {
        ["overview", "mail", "webhook", "mqtt"].iter().all(|s| of(all, s))
    });
    let all = all.await;
    assert!(all.iter().filter(|a| a["kind"] == "channel_down").count() == 3, "{all:#?}");
    let metrics = reqwest::get(format!("{}/metrics", bureau.url)).await.unwrap().text().await.unwrap();
    assert!(metrics.contains("shilu_alarms_open{kind=\"stream_down\",severity=\"urgent\"} 1"), "{metrics}");
    assert!(metrics.contains("shilu_alarms_open{kind=\"channel_down\",severity=\"warning\"} 3"), "{metrics}");
    let (_, status) = officer.get("/api/v1/status").await;
    let fresh = |camera: &Value| camera["durable_age_ms"].as_u64().is_some_and(|ms| ms < 2_000);
    assert!(fresh(&status["rooms"][0]["cameras"][0]), "{status}");
    let has_it =
        |line: &str| line.starts_with("<3>") && line.contains("alarm: Camera sends no pictures") && line.contains("subject=\"overview\"");
    assert!(bureau.log().lines().any(has_it), "the journal has it with its priority: {}", bureau.log());
    let sealed = officer.ends(&session).await;
    let gap_of = |camera: &str| sealed["gaps"].as_array().unwrap().iter().any(|g| g["camera"] == camera);
    assert!(!gap_of("face") && gap_of("overview"), "{sealed:#}");
    let (code, words) = verify(&bureau.folder(&session));
    assert_eq!(code, 0, "{words}");
    assert!(bureau.terminate(), "nor does the end wait for any of them");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_camera_that_comes_and_goes_is_one_alarm_however_often_it_does() {
    let mut bureau = Bureau::open().await;
    let office = bureau.sign_in("office").await;
    let flaps = async |bureau: &mut Bureau| {
        bureau.cameras().kill();
        // Away for a look or two: no fault by itself.
        tokio::time::sleep(Duration::from_millis(4_500)).await;
        bureau.cameras().restart();
        let is_back = |room: &Value| room["cameras"].as_array().unwrap().iter().any(|c| c["id"] == "face" && c["connected"] == true);
        office.waits("the camera again", is_back).await;
        tokio::time::sleep(Duration::from_millis(4_500)).await;
    };
    let of_face = |all: Vec<Value>| all.into_iter().filter(|a| a["subject"] == "face").collect::<Vec<_>>();
    let deadline = Instant::now() + Duration::from_secs(170);
    let unsteady = loop {
        flaps(&mut bureau).await;
        if let Some(found) = of_face(alarms(&office, "?open=true&kind=stream_down").await).into_iter().find(|a| a["unsteady"] == true) {
            break found;
        }
        assert!(Instant::now() < deadline, "{}", bureau.log());
    };
    let so_far = of_face(alarms(&office, "?kind=stream_down").await).len();
    assert!(so_far <= 5, "{so_far} alarms until it was called unsteady");
    for _ in 0..2 {
        flaps(&mut bureau).await;
    }
    let now = of_face(alarms(&office, "?kind=stream_down").await);
    assert_eq!(now.len(), so_far, "{now:#?}");
    assert!(now.iter().any(|a| a["id"] == unsteady["id"] && a["ended_at"].is_null()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_date_that_jumped_while_the_recorder_was_off_is_an_alarm_until_somebody_says_that_it_is_right() {
    let mut bureau = Bureau::open().await;
    assert!(bureau.terminate());
    bureau.moved = Some("+240d");
    bureau.start().await;
    let office = bureau.sign_in("office").await;
    let open = waits_for(&office, "?open=true&kind=clock_doubted", "alarm of the clock", |all| all.len() == 1).await;
    assert_eq!(open[0]["severity"], "urgent");
    let head = bureau.sign_in("bureau_head").await;
    head.does("/api/v1/clock/confirm", json!({ "reason": "与电话报时核对" })).await;
    let ended = |all: &[Value]| all.len() == 1 && all[0]["ended_at"].is_i64();
    waits_for(&office, "?kind=clock_doubted", "its end", ended).await;
    // It was ended in good order: nothing says that it was cut off.
    assert_eq!(alarms(&office, "?kind=recovered").await, Vec::<Value>::new());
    let bad = office.get("/api/v1/alarms?kind=flood").await;
    assert_eq!(bad.0, StatusCode::UNPROCESSABLE_ENTITY, "{}", bad.1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_switch_that_is_dead_is_one_message_with_every_camera_in_it() {
    let port = free_port();
    let mut bureau = Bureau::open_at(tempfile::tempdir().unwrap(), None, "", "", &nowhere()).await;
    assert!(bureau.terminate());
    let receiver = Receiver::start(port);
    let hook = webhook(&bureau, port);
    bureau.configure(&format!("[alarms]\n{hook}"));
    let mut text = std::fs::read_to_string(bureau.config()).unwrap();
    text += "[[rooms]]\nid = \"room-2\"\nname = \"第二询问室\"\nunit = \"land-use\"\n";
    for n in 0..14 {
        text += &format!("[[rooms.cameras]]\nid = \"c{n}\"\nname = \"{n}\"\ndevice_no = \"D-{n}\"\nurl = \"rtsp://127.0.0.1:9/{n}\"\n");
    }
    std::fs::write(bureau.config(), text).unwrap();
    bureau.start().await;
    receiver.takes(&bureau, "its cameras", |told| told.iter().filter(|t| t.starts_with("raised stream_down c")).count() == 14).await;
    let messages = receiver.all();
    assert_eq!(messages.iter().filter(|m| m.to_string().contains("\"c13\"")).count(), 1, "{messages:#?}");
    let of_many = messages.iter().find(|m| m.to_string().contains("\"c13\"")).unwrap()["alarms"].as_array().unwrap();
    assert!(of_many.len() >= 14, "{messages:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_volume_that_fails_under_the_catalog_itself_is_told_all_the_same_and_so_is_its_end() {
    let dir = tempfile::tempdir().unwrap();
    let Some(disk) = BadVolume::mount(dir.path().join("disk")) else { return };
    let mut bureau = Bureau::open_in(dir, Some(&disk.at.join("data")), "", "").await;
    assert!(bureau.terminate());
    let port = free_port();
    let receiver = Receiver::start(port);
    let hook = webhook(&bureau, port);
    bureau.configure(&format!("[alarms]\n{hook}"));
    bureau.start().await;
    let (officer, session) = bureau.records(50_000).await;
    disk.has_free(Some(500_000_000));
    let told = |event: &'static str, kind: &'static str| move |all: &[String]| all.contains(&format!("{event} {kind} primary"));
    receiver.takes(&bureau, "less than the reserve", told("raised", "volume_low")).await;
    disk.has_free(None);
    disk.fails(true);
    receiver.takes(&bureau, "a volume that fails", told("raised", "volume_failing")).await;
    disk.fails(false);
    receiver.takes(&bureau, "its end", told("cleared", "volume_failing")).await;
    let all = receiver.takes(&bureau, "the other's end", told("cleared", "volume_low")).await;
    for what in ["raised volume_low primary", "cleared volume_low primary", "raised volume_failing primary"] {
        assert_eq!(all.iter().filter(|t| *t == what).count(), 1, "{all:#?}");
    }
    officer.ends(&session).await;
}
