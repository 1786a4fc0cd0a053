//! A bureau: simulated cameras, the `shilu` process with a configuration of its own, and people who use the public API.

use crate::support::{self, camera::Cameras};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

pub const SHILU: &str = env!("CARGO_BIN_EXE_shilu");

/// Role words with what their accounts are called.
pub const ROLES: &[&str] = &[
    "officer",
    "custodian",
    "office",
    "leader_in_charge",
    "bureau_head",
    "legal_unit",
    "reviewer",
    "inspector",
    "administrator",
    "live_viewer",
];

pub struct Bureau {
    pub dir: tempfile::TempDir,
    cameras: Option<Cameras>,
    pub url: String,
    passwords: Vec<(String, String)>,
    process: Option<Child>,
    port: u16,
    /// The authority whose certificates this machine trusts; else Debian's.
    pub trusts: Option<PathBuf>,
    /// By how much the recorder's wall clock is off, as `faketime` writes it (`+240d`).
    pub moved: Option<&'static str>,
    /// What else the recorder finds in its environment.
    pub environment: Vec<(&'static str, String)>,
    /// A folder of programs that are found before the system's.
    pub programs: Option<PathBuf>,
}

/// Addresses of two cameras that are not there.
pub fn nowhere() -> [String; 2] {
    ["a", "b"].map(|path| format!("rtsp://127.0.0.1:9/{path}"))
}

impl Bureau {
    /// A bureau with one room of two cameras, and an account for each role.
    pub async fn open() -> Self {
        Self::open_in(tempfile::tempdir().unwrap(), None, "", "").await
    }

    /// The same with its data elsewhere (a small volume), and with more lines for `[storage]` and `[recording]`.
    pub async fn open_in(dir: tempfile::TempDir, data: Option<&Path>, storage: &str, recording: &str) -> Self {
        let cameras = Cameras::start(&["face,size=320x180", "overview,size=320x180,pattern=smpte,audio=none"]);
        let addresses = [cameras.address("face"), cameras.address("overview")];
        let mut bureau = Self::open_at(dir, data, storage, recording, &addresses).await;
        bureau.cameras = Some(cameras);
        bureau
    }

    /// A bureau in which nobody has an account yet.
    pub async fn open_empty() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let mut bureau = Self::furnish(dir, None, "", "", &nowhere());
        bureau.start().await;
        bureau
    }

    /// A bureau on a store that is there already, in `data`, with the accounts that it has. Not started yet.
    pub fn takes_over(dir: tempfile::TempDir, passwords: Vec<(String, String)>) -> Self {
        let cameras = Cameras::start(&["face,size=320x180", "overview,size=320x180,pattern=smpte,audio=none"]);
        let addresses = [cameras.address("face"), cameras.address("overview")];
        let mut bureau = Self::furnish(dir, None, "", "", &addresses);
        (bureau.cameras, bureau.passwords) = (Some(cameras), passwords);
        bureau
    }

    /// The same with other cameras.
    pub async fn open_at(dir: tempfile::TempDir, data: Option<&Path>, storage: &str, recording: &str, addresses: &[String; 2]) -> Self {
        let mut bureau = Self::furnish(dir, data, storage, recording, addresses);
        bureau.takes_on_everybody();
        bureau.start().await;
        bureau
    }

    /// Everybody who works here has an account, as the product's own command makes it: once an hour for all tests, since ten of them take
    /// longer than many a test. Each bureau begins on a copy.
    fn takes_on_everybody(&mut self) {
        let made = |p: &Path| p.metadata().and_then(|m| m.modified());
        let all = Path::new(env!("CARGO_TARGET_TMPDIR"));
        let (staff, lock) = (all.join("staff"), std::fs::File::create(all.join("staff.lock")).unwrap());
        lock.lock().unwrap();
        let hour = Duration::from_hours(1);
        if !made(&staff).is_ok_and(|at| at > made(Path::new(SHILU)).unwrap() && at.elapsed().is_ok_and(|age| age < hour)) {
            let _ = std::fs::remove_dir_all(&staff);
            let mut office = Self::furnish(tempfile::tempdir_in(all).unwrap(), None, "", "", &nowhere());
            for role in ROLES {
                office.add_account(role, role, "land-use");
            }
            std::fs::write(office.dir.path().join("passwords.json"), json!(office.passwords).to_string()).unwrap();
            std::fs::rename(office.dir.path(), &staff).unwrap();
        }
        let data = self.data();
        std::fs::create_dir_all(&data).unwrap();
        let copied = Command::new("cp").args(["--archive", "--no-target-directory"]).arg(staff.join("data")).arg(&data).status();
        // As durable as the product makes it: some volumes here lose what is not.
        let durable = Command::new("find").arg(&data).args(["-exec", "sync"]).arg(data.parent().unwrap()).args(["{}", "+"]).status();
        assert!(copied.unwrap().success() && durable.unwrap().success());
        self.passwords = serde_json::from_slice(&std::fs::read(staff.join("passwords.json")).unwrap()).unwrap();
    }

    fn furnish(dir: tempfile::TempDir, data: Option<&Path>, storage: &str, recording: &str, addresses: &[String; 2]) -> Self {
        drop(rustls::crypto::ring::default_provider().install_default()); // as `shilu` does for itself
        let port = support::free_port();
        let data = data.map_or_else(|| dir.path().join("data"), Path::to_owned);
        let text = format!(
            "bureau = \"试用局\"\n[storage]\ndata = \"{}\"\nreserve_gb = 1\n{storage}\n[recording]\nsegment_s = 10\n{recording}\n[console]\nlisten = \"127.0.0.1:{port}\"\n\
             [[units]]\nid = \"land-use\"\nname = \"用途管制股\"\n[[units]]\nid = \"mines\"\nname = \"矿产资源股\"\n\
             [[rooms]]\nid = \"room-1\"\nname = \"第一询问室\"\nunit = \"land-use\"\n\
             [[rooms.cameras]]\nid = \"face\"\nname = \"面部\"\ndevice_no = \"XW-101\"\nurl = \"{}\"\n\
             [[rooms.cameras]]\nid = \"overview\"\nname = \"全景\"\ndevice_no = \"XW-102\"\nurl = \"{}\"\n",
            data.display(),
            addresses[0],
            addresses[1],
        );
        std::fs::write(dir.path().join("shilu.toml"), text).unwrap();
        Self {
            dir,
            cameras: None,
            url: format!("http://127.0.0.1:{port}"),
            passwords: vec![],
            process: None,
            port,
            trusts: None,
            moved: None,
            environment: vec![],
            programs: None,
        }
    }

    /// The good cameras.
    pub fn cameras(&mut self) -> &mut Cameras {
        self.cameras.as_mut().unwrap()
    }

    pub fn config(&self) -> PathBuf {
        self.dir.path().join("shilu.toml")
    }

    pub fn add_account(&mut self, username: &str, role: &str, unit: &str) {
        let config = self.config();
        let out = Command::new(SHILU)
            .args(["user", "add", "--lasting", "--username", username, "--name", username, "--role", role, "--unit", unit, "--config"])
            .arg(&config)
            .output()
            .unwrap();
        let text = String::from_utf8(out.stdout).unwrap();
        let password = text.trim().strip_prefix("password ").unwrap_or_else(|| panic!("{text}{}", String::from_utf8_lossy(&out.stderr)));
        self.passwords.push((username.into(), password.into()));
    }

    /// Starts the recorder and waits until it answers.
    pub async fn start(&mut self) {
        self.spawn();
        let deadline = Instant::now() + Duration::from_secs(30);
        while reqwest::get(format!("{}/healthz", self.url)).await.is_err() {
            assert!(Instant::now() < deadline, "not up: {}", self.log());
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Starts the recorder.
    pub fn spawn(&mut self) {
        let log = std::fs::File::options().create(true).append(true).open(self.dir.path().join("log")).unwrap();
        let mut command = Command::new(SHILU);
        command.args(["serve", "--config"]).arg(self.config()).stdout(Stdio::null()).stderr(log);
        command.envs(self.trusts.as_ref().map(|ca| ("SSL_CERT_FILE", ca)));
        if let Some(programs) = &self.programs {
            command.env("PATH", format!("{}:{}", programs.display(), std::env::var("PATH").unwrap_or_default()));
        }
        if let Some(moved) = self.moved {
            let library = format!("/usr/lib/{}-linux-gnu/faketime/libfaketimeMT.so.1", std::env::consts::ARCH);
            command.envs([("LD_PRELOAD", library.as_str()), ("FAKETIME", moved), ("DONT_FAKE_MONOTONIC", "1")]);
        }
        command.envs(self.environment.iter().map(|(name, value)| (*name, value)));
        self.process = Some(command.spawn().unwrap());
    }

    /// SIGHUP: reads its configuration again.
    pub fn reload(&self) {
        let process = nix::unistd::Pid::from_raw(self.process.as_ref().unwrap().id() as i32);
        nix::sys::signal::kill(process, nix::sys::signal::Signal::SIGHUP).unwrap();
    }

    /// More lines of configuration, from the next start on.
    pub fn configure(&self, lines: &str) {
        let text = std::fs::read_to_string(self.config()).unwrap();
        std::fs::write(self.config(), text.replacen("[console]", &format!("{lines}\n[console]"), 1)).unwrap();
    }

    /// More lines for `[console]`, from the next start on.
    pub fn console(&self, lines: &str) {
        let text = std::fs::read_to_string(self.config()).unwrap();
        std::fs::write(self.config(), text.replacen("[console]", &format!("[console]\n{lines}"), 1)).unwrap();
    }

    /// Whoever had an account has none any more: the catalog was lost.
    pub fn forgets_accounts(&mut self) {
        self.passwords.clear();
    }

    /// Whoever got an account at the console changes the password that was chosen for them.
    pub async fn knows(&mut self, username: &str, password: &str) {
        self.passwords.push((username.into(), password.into()));
        let person = self.sign_in(username).await;
        let own = format!("{password}, my own");
        person.does("/api/v1/me/password", json!({ "old": password, "new": own })).await;
        self.passwords.retain(|(u, _)| u != username);
        self.passwords.push((username.into(), own));
    }

    /// The next start is on data that lie elsewhere.
    pub fn moves_to(&self, data: &Path) {
        let text = std::fs::read_to_string(self.config()).unwrap();
        let now = format!("data = \"{}\"", self.data().display());
        std::fs::write(self.config(), text.replace(&now, &format!("data = \"{}\"", data.display()))).unwrap();
    }

    /// The recorder's process.
    pub fn pid(&self) -> u32 {
        self.process.as_ref().unwrap().id()
    }

    /// Resident memory of the recorder.
    pub fn memory_mb(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.process.as_ref().unwrap().id())).unwrap();
        let kb = status.lines().find_map(|l| l.strip_prefix("VmRSS:")?.trim().strip_suffix(" kB")?.parse::<u64>().ok());
        kb.unwrap() / 1024
    }

    pub fn log(&self) -> String {
        std::fs::read_to_string(self.dir.path().join("log")).unwrap_or_default()
    }

    /// A session becomes so long, as far as copies of it are concerned: no test can wait for one. What was not recorded is a slate.
    pub fn grows_to(&self, session: &str, length_ms: i64) {
        let catalog = rusqlite::Connection::open(self.data().join("catalog.db")).unwrap();
        catalog.busy_timeout(Duration::from_secs(10)).unwrap();
        let longer = "UPDATE sessions SET doc = json_set(doc, '$.length_ms', ?2) WHERE id = ?1";
        assert_eq!(catalog.execute(longer, rusqlite::params![session, length_ms]).unwrap(), 1);
    }

    /// The wall clock of the next start is a file's: what stands there is how far it is off (`+90m`). Gives the file.
    pub fn has_a_clock_of_its_own(&mut self) -> PathBuf {
        let file = self.dir.path().join("clock");
        std::fs::write(&file, "+0").unwrap();
        let library = format!("/usr/lib/{}-linux-gnu/faketime/libfaketimeMT.so.1", std::env::consts::ARCH);
        let pairs = [("LD_PRELOAD", library.as_str()), ("FAKETIME_CACHE_DURATION", "1"), ("DONT_FAKE_MONOTONIC", "1")];
        self.environment.extend(pairs.map(|(name, value)| (name, value.to_owned())));
        self.environment.push(("FAKETIME_TIMESTAMP_FILE", file.display().to_string()));
        file
    }

    /// kill -9.
    pub fn kill(&mut self) {
        let mut process = self.process.take().unwrap();
        process.kill().unwrap();
        process.wait().unwrap();
    }

    /// SIGTERM, and waits for the end.
    pub fn terminate(&mut self) -> bool {
        let mut process = self.process.take().unwrap();
        nix::sys::signal::kill(nix::unistd::Pid::from_raw(process.id() as i32), nix::sys::signal::Signal::SIGTERM).unwrap();
        process.wait().unwrap().success()
    }

    /// Another recorder on the same store.
    pub fn second_instance(&self) -> (bool, String) {
        let text = std::fs::read_to_string(self.config()).unwrap().replace(&format!(":{}\"", self.port), ":0\"");
        let config = self.dir.path().join("second.toml");
        std::fs::write(&config, text).unwrap();
        let out = Command::new(SHILU).args(["serve", "--config"]).arg(config).output().unwrap();
        (out.status.success(), String::from_utf8_lossy(&out.stderr).into_owned())
    }

    pub fn password(&self, username: &str) -> &str {
        &self.passwords.iter().find(|(u, _)| u == username).unwrap().1
    }

    pub async fn sign_in(&self, username: &str) -> Person {
        let client = reqwest::Client::builder().cookie_store(true).redirect(reqwest::redirect::Policy::none()).build().unwrap();
        let mut person = Person { client, url: self.url.clone(), csrf: String::new(), cookie: String::new() };
        let password = json!({ "username": username, "password": self.password(username) });
        let answer = person.ask(Method::POST, "/api/v1/login", Some(password)).await;
        let cookie = answer.headers().get("set-cookie").and_then(|c| c.to_str().ok()?.split(';').next()).unwrap_or_default();
        cookie.clone_into(&mut person.cookie);
        let (status, me) = (answer.status(), answer.json::<Value>().await.unwrap_or(Value::Null));
        assert_eq!(status, StatusCode::OK, "{me}");
        me["csrf"].as_str().unwrap().clone_into(&mut person.csrf);
        person
    }

    /// A session that was recorded and has ended; with its officer.
    pub async fn recorded(&self) -> (Person, String) {
        let (officer, id) = self.records(300_000).await;
        officer.ends(&id).await;
        (officer, id)
    }

    /// The newest entries of the custody log.
    pub async fn entries(&self) -> Vec<Value> {
        self.sign_in("inspector").await.get("/api/v1/log").await.1.as_array().unwrap().clone()
    }

    /// An officer with a running session, of which so many bytes of each camera are durable; and its number.
    pub async fn records(&self, bytes: u64) -> (Person, String) {
        let officer = self.sign_in("officer").await;
        officer.waits_for_pictures().await;
        let id = officer.starts().await;
        officer.records(bytes).await;
        (officer, id)
    }

    /// Plays a script of `tests/console` against this bureau.
    pub async fn plays(&self, script: &str, more: Value) {
        let accounts: Vec<_> = ROLES.iter().map(|r| json!({ "role": r, "username": r, "password": self.password(r) })).collect();
        let json = self.dir.path().join("demo.json");
        std::fs::write(&json, json!({ "url": self.url, "accounts": accounts, "more": more }).to_string()).unwrap();
        let mut command = Command::new("node");
        command.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/console").join(script)).arg(&json);
        if let Some(shots) = option_env!("SHILU_SCREENSHOTS") {
            command.arg(shots);
        }
        let out = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
        let words = format!("{}{}", String::from_utf8_lossy(&out.stdout), String::from_utf8_lossy(&out.stderr));
        assert!(out.status.success() && words.contains("done"), "{words}\n{}", self.log());
    }

    /// Where a session lies.
    pub fn folder(&self, session: &str) -> PathBuf {
        fn find(dir: &Path, name: &str) -> Option<PathBuf> {
            std::fs::read_dir(dir)
                .ok()?
                .filter_map(Result::ok)
                .map(|e| e.path())
                .filter(|p| p.is_dir())
                .find_map(|p| if p.file_name().unwrap() == name { Some(p) } else { find(&p, name) })
        }
        find(&self.data().join("footage"), session).expect("the session's folder")
    }

    pub fn data(&self) -> PathBuf {
        let text = std::fs::read_to_string(self.config()).unwrap();
        text.lines().find_map(|l| l.strip_prefix("data = \"")?.strip_suffix('"')).unwrap().into()
    }
}

impl Drop for Bureau {
    fn drop(&mut self) {
        if let Some(mut process) = self.process.take() {
            let _ = process.kill();
            let _ = process.wait();
        }
        if std::thread::panicking() {
            eprintln!("{}", self.log());
        }
    }
}

/// `shilu verify`, by its exit code and words.
pub fn verify(folder: &Path) -> (i32, String) {
    let out = Command::new(env!("CARGO_BIN_EXE_shilu-verify")).arg(folder).output().unwrap();
    (out.status.code().unwrap(), String::from_utf8(out.stdout).unwrap())
}

/// Somebody who is signed in.
pub struct Person {
    pub client: reqwest::Client,
    pub url: String,
    pub csrf: String,
    /// For what is no HTTP client: a WebSocket.
    pub cookie: String,
}

impl Person {
    pub async fn ask(&self, method: Method, path: &str, body: Option<Value>) -> reqwest::Response {
        let mut request = self.client.request(method, format!("{}{path}", self.url)).header("X-Csrf-Token", &self.csrf);
        if let Some(body) = body {
            request = request.json(&body);
        }
        request.send().await.unwrap()
    }

    pub async fn post(&self, path: &str, body: Value) -> (StatusCode, Value) {
        let answer = self.ask(Method::POST, path, Some(body)).await;
        (answer.status(), answer.json().await.unwrap_or(Value::Null))
    }

    pub async fn get(&self, path: &str) -> (StatusCode, Value) {
        let answer = self.ask(Method::GET, path, None).await;
        (answer.status(), answer.json().await.unwrap_or(Value::Null))
    }

    /// Posts what has to succeed.
    pub async fn does(&self, path: &str, body: Value) -> Value {
        let (status, answer) = self.post(path, body).await;
        assert!(status.is_success(), "{path}: {status} {answer}");
        answer
    }

    /// Starts a session with everything that a diligent officer fills in.
    pub async fn starts(&self) -> String {
        let started = self
            .does(
                "/api/v1/sessions",
                json!({
                    "room": "room-1", "case_no": "威自然资罚〔2026〕12号", "party": "张三", "cause": "未经批准占用土地",
                    "officers": [{ "name": "王建国", "certificate_no": "冀E-017" }, { "name": "李红", "certificate_no": "冀E-022" }],
                }),
            )
            .await;
        started["session"]["id"].as_str().unwrap().to_owned()
    }

    pub async fn ends(&self, session: &str) -> Value {
        self.does(&format!("/api/v1/sessions/{session}/end"), json!({})).await
    }

    /// Waits until every camera of the room has durable bytes of the open session (or is merely connected, without one).
    pub async fn waits_for_pictures(&self) {
        self.waits("pictures", |room| {
            let cameras = room["cameras"].as_array().unwrap();
            let fresh = |c: &Value| {
                c["connected"] == true && (room["session"].is_null() || c["durable_age_ms"].as_u64().is_some_and(|ms| ms < 2_000))
            };
            cameras.iter().all(fresh)
        })
        .await;
    }

    /// Waits until something at an address is as wanted.
    pub async fn waits_at(&self, path: &str, until: impl Fn(&Value) -> bool) -> Value {
        let deadline = Instant::now() + Duration::from_secs(90);
        loop {
            let (_, now) = self.get(path).await;
            if until(&now) {
                return now;
            }
            assert!(Instant::now() < deadline, "{path}: {now}");
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }

    /// Waits until the room's status is as wanted.
    pub async fn waits(&self, what: &str, until: impl Fn(&Value) -> bool) {
        let deadline = Instant::now() + Duration::from_secs(40);
        loop {
            let (_, status) = self.get("/api/v1/status").await;
            if until(&status["rooms"][0]) {
                return;
            }
            assert!(Instant::now() < deadline, "no {what}: {status}");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// Records until this many bytes of each camera are durable.
    pub async fn records(&self, bytes: u64) {
        self.waits("durable bytes", |room| {
            room["cameras"].as_array().unwrap().iter().all(|c| c["durable_bytes"].as_u64().unwrap() > bytes)
        })
        .await;
    }

    /// What the live pictures of a camera say of themselves; the answer of whoever may not watch.
    pub async fn opens_live(&self, room: &str, camera: &str, query: &str) -> Result<Value, u16> {
        use futures::StreamExt;
        use tokio_tungstenite::tungstenite::{Error, Message, client::IntoClientRequest};
        let address = self.url.replace("http://", "ws://");
        let mut request = format!("{address}/api/v1/rooms/{room}/cameras/{camera}/live{query}").into_client_request().unwrap();
        request.headers_mut().insert("Cookie", self.cookie.parse().unwrap());
        let mut socket = match tokio_tungstenite::connect_async(request).await {
            Ok((socket, _)) => socket,
            Err(Error::Http(answer)) => return Err(answer.status().as_u16()),
            Err(e) => panic!("{e}"),
        };
        loop {
            if let Message::Text(text) = socket.next().await.unwrap().unwrap() {
                return Ok(serde_json::from_str(&text).unwrap());
            }
        }
    }

    /// The same, of somebody who may.
    pub async fn sees_live(&self, room: &str, camera: &str, query: &str) -> Value {
        self.opens_live(room, camera, query).await.unwrap()
    }

    /// Asks for access, has it approved, and gives the request's number.
    pub async fn gets_grant(&self, leader: &Self, session: &str, mode: &str) -> String {
        let request =
            self.does("/api/v1/access-requests", json!({ "session": session, "purpose": "复核", "mode": mode, "hours": 2 })).await;
        let id = request["id"].as_str().unwrap().to_owned();
        leader.does(&format!("/api/v1/access-requests/{id}/approve"), json!({})).await;
        id
    }
}
