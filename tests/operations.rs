//! Running it for years: the console's certificate, systemd, the doctor, the bundle for support, figures and alerts.

use crate::support;

use reqwest::StatusCode;
use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};
use support::bureau::Bureau;

const ALERTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/deploy/monitoring/alerts.yml");
const DASHBOARD: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/deploy/monitoring/dashboard.json");

fn shilu(arguments: &[&str], config: &Path) -> (i32, String) {
    let out = Command::new(env!("CARGO_BIN_EXE_shilu")).args(arguments).arg("--config").arg(config).output().unwrap();
    (out.status.code().unwrap(), format!("{}{}", String::from_utf8_lossy(&out.stdout), String::from_utf8_lossy(&out.stderr)))
}

/// What another program answers; waits for it to be `wanted`.
fn waits_for(what: &str, mut look: impl FnMut() -> Option<String>) -> String {
    let deadline = Instant::now() + Duration::from_secs(30);
    loop {
        if let Some(seen) = look() {
            return seen;
        }
        assert!(Instant::now() < deadline, "never came: {what}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// The console by `curl`, with this certificate as the only one that is trusted: the version of HTTP, where it is trusted.
fn curl(url: &str, trusted: &Path) -> Option<String> {
    let out = Command::new("curl")
        .args(["--silent", "--http2", "--output", "/dev/null", "--write-out", "%{http_version} %{http_code}", "--cacert"])
        .arg(trusted)
        .arg(format!("{url}/setup"))
        .output()
        .unwrap();
    out.status.success().then(|| String::from_utf8(out.stdout).unwrap())
}

/// The fingerprint of what the console shows.
fn shown(port: &str) -> String {
    let script = format!("openssl s_client -connect 127.0.0.1:{port} </dev/null 2>/dev/null | openssl x509 -noout -fingerprint -sha256");
    let out = Command::new("sh").args(["-c", &script]).output().unwrap();
    String::from_utf8(out.stdout).unwrap().trim().rsplit('=').next().unwrap().to_owned()
}

#[tokio::test]
async fn a_console_without_files_makes_its_own_certificate_once_tells_its_fingerprint_and_takes_another_without_a_pause() {
    let mut bureau = Bureau::open_empty().await;
    bureau.terminate();
    bureau.console("own_certificate = true");
    let url = bureau.url.replace("http://", "https://");
    let port = url.rsplit(':').next().unwrap().to_owned();
    let certificate = bureau.data().join("tls/console.pem");
    for _ in 0..2 {
        bureau.spawn();
        let answer = waits_for("an answer over TLS", || certificate.exists().then(|| curl(&url, &certificate))?);
        assert_eq!(answer, "2 200", "HTTP/2, and trusted by its own certificate");
        let print = shown(&port);
        assert!(print.len() == 95 && bureau.log().matches(&print).count() > 0, "{print} is told: {}", bureau.log());
        assert!(shilu(&["check"], &bureau.config()).1.contains(&print), "and by the doctor");
        bureau.terminate();
    }
    let first: BTreeSet<String> =
        bureau.log().lines().filter_map(|l| l.split_once("fingerprint ")).map(|(_, print)| print.to_owned()).collect();
    assert_eq!(first.len(), 1, "it is made once: {first:?}");

    // The bureau's authority sends a new one; the connection that is open stays open, the next one has it.
    bureau.spawn();
    waits_for("an answer over TLS", || curl(&url, &certificate));
    let made = Command::new("openssl")
        .args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "9", "-subj", "/CN=shilu"])
        .args(["-addext", "subjectAltName=IP:127.0.0.1", "-keyout"])
        .arg(bureau.data().join("tls/console.key"))
        .arg("-out")
        .arg(&certificate)
        .output()
        .unwrap();
    assert!(made.status.success());
    bureau.reload();
    waits_for("the new certificate", || curl(&url, &certificate));
    let (code, said) = shilu(&["check"], &bureau.config());
    assert!(said.contains("runs out within 30 days") && code == 0, "{said}");
    // What is no certificate is told, and the one before it is served on.
    let good = std::fs::read(&certificate).unwrap();
    std::fs::write(&certificate, "nothing").unwrap();
    bureau.reload();
    waits_for("the complaint", || bureau.log().contains("the earlier one is served on").then(String::new));
    let kept = bureau.dir.path().join("kept.pem");
    std::fs::write(&kept, good).unwrap();
    assert_eq!(curl(&url, &kept).unwrap(), "2 200");
}

#[tokio::test(flavor = "multi_thread")]
async fn systemd_hears_that_it_is_ready_lives_reloads_and_ends_and_a_reload_leaves_the_recording_alone() {
    let mut bureau = Bureau::open().await;
    bureau.terminate();
    let place = bureau.dir.path().join("notify");
    let socket = UnixDatagram::bind(&place).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    let hears = |wanted: &str| {
        let mut all = Vec::new();
        loop {
            let mut said = [0; 4096];
            let bytes = socket.recv(&mut said).unwrap_or_else(|e| panic!("{wanted}: {e}; heard {all:?}"));
            let said = String::from_utf8_lossy(&said[..bytes]).into_owned();
            if said.lines().any(|line| line == wanted) {
                return all;
            }
            all.push(said);
        }
    };
    bureau.environment = vec![("NOTIFY_SOCKET", place.display().to_string()), ("WATCHDOG_USEC", "600000".into())];
    bureau.spawn();
    hears("READY=1");
    hears("WATCHDOG=1");
    hears("WATCHDOG=1");
    let (officer, session) = bureau.records(20_000).await;
    // Wrong lines change nothing, and are told with their place.
    let right = std::fs::read_to_string(bureau.config()).unwrap();
    std::fs::write(bureau.config(), right.replace("segment_s = 10", "segment_s = 1")).unwrap();
    bureau.reload();
    hears("RELOADING=1");
    hears("READY=1");
    assert!(bureau.log().contains("everything goes on as it was") && bureau.log().contains("recording.segment_s"), "{}", bureau.log());
    std::fs::write(bureau.config(), right).unwrap();
    bureau.reload();
    hears("RELOADING=1");
    hears("READY=1");
    officer.records(40_000).await;
    officer.ends(&session).await;
    let view = officer.get(&format!("/api/v1/sessions/{session}")).await.1;
    assert_eq!(view["session"]["gaps"].as_array().map_or(0, Vec::len), 0, "{view}");
    bureau.terminate();
    hears("STOPPING=1");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reload_takes_what_it_can_at_once_a_busy_room_when_it_is_free_and_says_what_waits() {
    let mut bureau = Bureau::open().await;
    let admin = bureau.sign_in("administrator").await;
    let (officer, session) = bureau.records(20_000).await;
    let changes = |pairs: &[(&str, &str)]| {
        let text = std::fs::read_to_string(bureau.config()).unwrap();
        let text = pairs.iter().fold(text, |text, (from, to)| {
            assert!(text.contains(from), "{from}: {text}");
            text.replacen(from, to, 1)
        });
        std::fs::write(bureau.config(), text).unwrap();
        bureau.reload();
    };
    changes(&[
        ("bureau = \"", "contact = \"值班室 110\"\nbureau = \"新"),
        ("[console]", "[console]\nsecond_factor = [\"administrator\"]"),
        ("segment_s = 10", "segment_s = 20"),
        ("name = \"全景\"", "name = \"全景机位\""),
    ]);
    let line = waits_for("the words of the reload", || {
        bureau.log().lines().find(|l| l.contains("the configuration was read again")).map(str::to_owned)
    });
    let (taken, waits) = line.split_once("at_next_start").unwrap();
    for name in ["bureau", "console.second_factor", "contact", "rooms.room-1.cameras"] {
        assert!(taken.contains(name) && !waits.contains(name), "{name}: {line}");
    }
    assert!(waits.contains("recording.segment_s"), "{line}");
    assert!(bureau.log().contains("when the session that is open there is over"), "{}", bureau.log());
    // At once for who is signed in already; the entry names what changed.
    let (status, told) = admin.get("/api/v1/status").await;
    assert_eq!((status.as_u16(), told["code"].as_str()), (403, Some("factor-needed")));
    let log = bureau.sign_in("inspector").await.get("/api/v1/log").await.1;
    assert!(log.to_string().contains("recording.segment_s"), "{log}");
    // The session goes on as it was, without a gap; then its room changes.
    officer.records(60_000).await;
    let cameras = |status: &serde_json::Value| status["rooms"][0]["cameras"].to_string();
    assert!(!cameras(&officer.get("/api/v1/status").await.1).contains("全景机位"));
    officer.ends(&session).await;
    let view = officer.get(&format!("/api/v1/sessions/{session}")).await.1;
    assert_eq!(view["session"]["gaps"].as_array().map_or(0, Vec::len), 0, "{view}");
    let deadline = Instant::now() + Duration::from_secs(30);
    while !cameras(&officer.get("/api/v1/status").await.1).contains("全景机位") {
        assert!(Instant::now() < deadline, "{}", bureau.log());
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let (_, second) = bureau.records(20_000).await;
    officer.ends(&second).await;
    // What waits is said again each time, until a restart; a room that was changed is changed no second time.
    bureau.reload();
    waits_for("the second reload", || (bureau.log().matches("the configuration was read again").count() == 2).then(String::new));
    let last = bureau.log().lines().rfind(|l| l.contains("the configuration was read again")).unwrap().to_owned();
    assert!(!last.contains("contact") && last.contains("recording.segment_s"), "{last}");
    assert!(bureau.terminate());
}

#[tokio::test]
async fn the_doctor_finds_everything_that_is_wrong_each_with_its_cure() {
    let mut bureau = Bureau::open_empty().await;
    bureau.terminate();
    let (code, said) = shilu(&["check"], &bureau.config());
    assert_eq!(code, 0, "warnings stop nobody: {said}");
    assert!(said.contains("camera face does not answer at 127.0.0.1:9: look at its power, cable and address"), "{said}");
    assert!(said.contains("there is no storage.mirror"), "{said}");
    let text = std::fs::read_to_string(bureau.config()).unwrap();
    let mirror = format!("reserve_gb = 1000000\nmirror = \"{}\"", bureau.dir.path().join("mirror").display());
    std::fs::write(bureau.config(), text.replace("reserve_gb = 1", &mirror)).unwrap();
    std::fs::set_permissions(bureau.data().join("keys"), std::fs::Permissions::from_mode(0o755)).unwrap();
    let catalog = bureau.data().join("catalog.db");
    let mut data = std::fs::read(&catalog).unwrap();
    let middle = data.len() / 2;
    data[middle..].fill(0x5A);
    std::fs::write(&catalog, data).unwrap();
    let _ = std::fs::remove_file(bureau.data().join("catalog.db-wal"));
    let (code, said) = shilu(&["check"], &bureau.config());
    assert_eq!(code, 1);
    for wrong in [
        "WRONG     everybody on this machine may read",
        "chmod o=",
        "WRONG     the catalog cannot be read",
        "`shilu restore` brings a backup",
        "1000000 GB should be (storage.reserve_gb)",
        "storage.mirror lies on the same volume as storage.data",
        "backups of the catalog lie on the volume of the catalog itself",
    ] {
        assert!(said.contains(wrong), "{wrong} is missing in\n{said}");
    }
    assert!(said.starts_with("WRONG"), "what is wrong comes first: {said}");
    assert!(!said.contains("belongs to another user"), "{said}");
    // Looking makes nothing.
    let fresh = bureau.dir.path().join("fresh");
    let old = bureau.data();
    bureau.moves_to(&fresh);
    let (code, said) = shilu(&["check"], &bureau.config());
    assert!(code == 0 && said.contains("will be made at the first run") && !fresh.exists(), "{said}");
    bureau.moves_to(&old);
    // A credential that systemd hands over is found by its name, and missed in words.
    let text = std::fs::read_to_string(bureau.config()).unwrap();
    std::fs::write(
        bureau.config(),
        text.replacen(
            "[[rooms.cameras]]\nid = \"face\"",
            "[[rooms.cameras]]\nuser = \"recorder\"\npassword_file = \"credential:face\"\nid = \"face\"",
            1,
        ),
    )
    .unwrap();
    let (_, said) = shilu(&["check"], &bureau.config());
    assert!(said.contains("ok        the configuration") && said.contains("credential:) were not looked at"), "{said}");
    let (code, said) = shilu(&["serve"], &bureau.config());
    assert!(code != 0 && said.contains("systemd started nothing here"), "{said}");
    // Whoever sits at the machine has no need of it: accounts and backups sign in at no camera.
    bureau.moves_to(&fresh);
    let (code, said) = shilu(&["user", "add", "--username", "wei", "--name", "卫东升", "--role", "administrator"], &bureau.config());
    assert!(code == 0 && said.contains("password "), "{said}");
    let (code, said) = shilu(&["backup"], &bureau.config());
    assert_eq!(code, 0, "{said}");
    bureau.moves_to(&old);
    std::fs::write(bureau.dir.path().join("face"), "secret-word\n").unwrap();
    let mut check = Command::new(env!("CARGO_BIN_EXE_shilu"));
    let said = check.args(["check", "--config"]).arg(bureau.config()).env("CREDENTIALS_DIRECTORY", bureau.dir.path()).output().unwrap();
    let said = String::from_utf8(said.stdout).unwrap();
    assert!(said.contains("ok        the configuration") && !said.contains("secret-word"), "{said}");
    // A password in a file of its own leaves nothing in the configuration that nobody may read.
    std::fs::set_permissions(bureau.config(), std::fs::Permissions::from_mode(0o644)).unwrap();
    let open = format!("everybody on this machine may read {}", bureau.config().display());
    assert!(!said.contains(&open), "{said}");
    let text = std::fs::read_to_string(bureau.config()).unwrap();
    std::fs::write(bureau.config(), text.replace("password_file = \"credential:face\"", "password = \"secret-word\"")).unwrap();
    let (_, said) = shilu(&["check"], &bureau.config());
    assert!(said.contains(&open), "{said}");
}

#[tokio::test]
async fn root_writes_into_nobody_elses_store_and_is_told_the_command_that_does() {
    let mut bureau = Bureau::open_empty().await;
    bureau.terminate();
    // Only root can give files away; whoever else runs the tests has no such store to spoil.
    if !rustix::process::geteuid().is_root() {
        return;
    }
    let (data, dir) = (bureau.data(), bureau.dir.path().to_owned());
    let gives = |to: &str, path: &Path| {
        assert!(Command::new("chown").arg("-R").arg(to).arg(path).status().unwrap().success());
    };
    let roots = || {
        let out = Command::new("find").arg(&data).args(["-uid", "0"]).output().unwrap();
        String::from_utf8(out.stdout).unwrap()
    };
    gives("65534:65534", &data);
    let backup = dir.join("backup.db").display().to_string();
    let nothing: &[&[&str]] = &[
        &["key", "rotate"],
        &["key", "rewrap", "--identity", "/nowhere"],
        &["restore", "--from", &backup],
        &["rebuild"],
        &["backup", "--to", &backup],
        &["user", "add", "--username", "wei", "--name", "卫 东升", "--role", "administrator"],
        &["serve"],
    ];
    for words in nothing {
        let (code, said) = shilu(words, &bureau.config());
        assert!(code != 0 && said.contains("Nothing was done") && said.contains(" -- ") && said.contains(words[0]), "{words:?}: {said}");
        assert_eq!(roots(), "", "{words:?} left something of root's");
    }
    let (_, said) = shilu(&["user", "add", "--username", "wei", "--name", "卫 东升", "--role", "administrator"], &bureau.config());
    assert!(said.contains("--name '卫 东升' --role administrator --config"), "it can be typed as it stands: {said}");
    assert!(!Path::new(&backup).exists());
    // What root wrote there before is found.
    gives("0:0", &data.join("keys/signing.pem"));
    let (code, said) = shilu(&["check"], &bureau.config());
    assert!(code == 1 && said.contains("signing.pem (of 1 such) belongs to another user") && said.contains("chown -R"), "{said}");
    gives("0:0", &data);
}

#[tokio::test]
async fn what_people_type_wrong_is_told_with_a_way_out() {
    let mut bureau = Bureau::open_empty().await;
    bureau.terminate();
    let dir = bureau.dir.path().to_owned();
    // Whoever reads an answer may stop: no command panics, and its work is done.
    for words in ["check", "backup", "rebuild", "archive status"] {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let mut command = Command::new(env!("CARGO_BIN_EXE_shilu"));
        command.args(words.split(' ')).arg("--config").arg(bureau.config()).stdout(writer.try_clone().unwrap()).stderr(writer);
        let code = command.status().unwrap().code();
        assert!(matches!(code, Some(0 | 1)), "{words}: {code:?}");
    }
    let (code, said) = shilu(&["archive", "status"], &bureau.config());
    assert!(code == 1 && said.contains("no archive is configured"), "{said}");
    let (code, said) = shilu(&["user", "add", "--username", "wei", "--name", "卫", "--role", "boss"], &bureau.config());
    assert!(code == 1 && said.contains("there are: officer, custodian,"), "{said}");
    // A drill with the wrong key fails, also where nothing is recorded yet.
    let mut public = Vec::new();
    for name in ["machine", "safe", "other"] {
        let (_, said) = shilu_alone(&["key", "footage", "--to", dir.join(name).to_str().unwrap()]);
        public.push(said.trim().strip_prefix("recipient ").unwrap().to_owned());
    }
    let text = std::fs::read_to_string(bureau.config()).unwrap();
    std::fs::write(bureau.config(), format!("{text}\n[footage]\nrecipient = {:?}\nescrow = [{:?}]\n", public[0], public[1])).unwrap();
    for (name, wanted, well) in
        [("nope", "cannot read", false), ("other", "is the key of no recipient", false), ("safe", "is the key of recipient 2", true)]
    {
        let (code, said) = shilu(&["key", "rewrap", "--identity", dir.join(name).to_str().unwrap()], &bureau.config());
        assert!((code == 0) == well && said.contains(wanted), "{name}: {said}");
    }
}

fn shilu_alone(arguments: &[&str]) -> (i32, String) {
    let out = Command::new(env!("CARGO_BIN_EXE_shilu")).args(arguments).output().unwrap();
    (out.status.code().unwrap(), String::from_utf8_lossy(&out.stdout).into_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bundle_for_support_says_how_the_machine_is_and_nothing_of_anybody() {
    let mut bureau = Bureau::open().await;
    let (officer, session) = bureau.records(20_000).await;
    officer.ends(&session).await;
    bureau.terminate();
    let journal = bureau.dir.path().join("journal");
    let folder = "/var/lib/shilu/footage/land-use/2026/威自然资罚〔2026〕12号";
    let lines = format!("{}WARN cannot read {folder}/{session}/face-1.mp4 of 张三, 13912345678\n", bureau.log());
    std::fs::write(&journal, lines).unwrap();
    let bundle = bureau.dir.path().join("bundle.tar");
    let (code, said) = shilu(&["support", "--to", bundle.to_str().unwrap(), "--journal", journal.to_str().unwrap()], &bureau.config());
    assert_eq!(code, 0, "{said}");
    assert_eq!(std::fs::metadata(&bundle).unwrap().permissions().mode() & 0o777, 0o600);
    let out = Command::new("tar").arg("-xOf").arg(&bundle).output().unwrap();
    let text = String::from_utf8(out.stdout).unwrap();
    for wanted in ["segment_s = 10", "the console is at", &format!("footage/…/{session}/face-1.mp4"), "ok        GStreamer"] {
        assert!(text.contains(wanted), "{wanted} is missing in\n{text}");
    }
    for hidden in ["张三", "2026〕12", "139123", "试用局", "XW-101", bureau.password("officer")] {
        assert!(!text.contains(hidden), "{hidden} is in\n{text}");
    }
}

/// Names of figures in a text.
fn names(text: &str) -> BTreeSet<String> {
    let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    let base = |word: &str| ["_bucket", "_sum", "_count"].iter().find_map(|end| word.strip_suffix(end)).unwrap_or(word).to_owned();
    words.filter(|word| word.starts_with("shilu_")).map(base).collect()
}

fn runs(program: &str, arguments: &[&str], input: &str) {
    let mut child = Command::new(program)
        .args(arguments)
        .current_dir(Path::new(ALERTS).parent().unwrap())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let out = child.wait_with_output().unwrap();
    let said = format!("{}{}", String::from_utf8_lossy(&out.stdout), String::from_utf8_lossy(&out.stderr));
    assert!(out.status.success(), "{program} {arguments:?}: {said}\n{input}");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_figure_that_an_alert_or_the_dashboard_names_is_told_and_the_alerts_fire_when_they_should() {
    let bureau = Bureau::open().await;
    let (officer, session) = bureau.records(50_000).await;
    let told = reqwest::get(format!("{}/metrics", bureau.url)).await.unwrap().text().await.unwrap();
    officer.ends(&session).await;
    runs("promtool", &["check", "metrics"], &told);
    runs("promtool", &["check", "rules", "alerts.yml"], "");
    runs("promtool", &["test", "rules", "alerts.test.yml", "alerts-weeks.test.yml"], "");
    // What only an archive tells is written where the archive is.
    let known: BTreeSet<String> = told.lines().filter_map(|l| l.strip_prefix("# TYPE ")?.split(' ').next()).map(Into::into).collect();
    let known: BTreeSet<String> = known.union(&names(include_str!("../src/desks/archive.rs"))).cloned().collect();
    for file in [ALERTS, DASHBOARD] {
        let mut text = String::new();
        std::fs::File::open(PathBuf::from(file)).unwrap().read_to_string(&mut text).unwrap();
        let wanted = names(&text);
        assert!(wanted.len() > 10, "{file}: {wanted:?}");
        assert!(wanted.is_subset(&known), "{file} names what is not told: {:?}", wanted.difference(&known).collect::<Vec<_>>());
    }
    for person in ["张三", "officer"] {
        assert!(!told.contains(person), "a figure names nobody: {told}");
    }
    let value = |name: &str| {
        let line = told.lines().find(|l| l.starts_with(name)).unwrap_or_else(|| panic!("{name}: {told}"));
        line.rsplit(' ').next().unwrap().parse::<f64>().unwrap()
    };
    assert!(value("shilu_sync_seconds_count{volume=\"primary\"}") > 0.0);
    assert!(value("shilu_session_open{room=\"room-1\"}") > 0.0 && value("shilu_log_entries") > 0.0 && value("shilu_memory_bytes") > 1e6);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_browser_is_sent_styles_and_scripts_again_only_when_they_changed() {
    let bureau = Bureau::open_empty().await;
    let client = reqwest::Client::new();
    let ask = |known: &str| client.get(format!("{}/assets/console.css", bureau.url)).header("If-None-Match", known).send();
    let first = ask("\"another\"").await.unwrap();
    let tag = first.headers()["etag"].to_str().unwrap().to_owned();
    assert_eq!((first.status(), first.headers()["cache-control"].to_str().unwrap()), (StatusCode::OK, "no-cache"));
    assert!(first.text().await.unwrap().len() > 1_000);
    for known in [tag.clone(), format!("\"another\", W/{tag}")] {
        let again = ask(&known).await.unwrap();
        assert_eq!((again.status(), again.headers()["etag"].to_str().unwrap()), (StatusCode::NOT_MODIFIED, &*tag));
        assert!(again.headers().contains_key("content-security-policy") && again.bytes().await.unwrap().is_empty());
    }
}
