//! Equipment: the register, faults from the report to the retest, what the machine sees by itself, and cameras that are added at the
//! console (第十五条, 第十六条).

use crate::onvif;
use crate::support;

use onvif::{Onvif, Says};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::{Duration, Instant};
use support::bureau::{Bureau, Person, verify};
use support::camera::Cameras;

async fn device(who: &Person, number: &str) -> Value {
    let all = who.get("/api/v1/devices").await.1;
    let found = all.as_array().unwrap().iter().find(|d| d["device"]["known"]["number"] == number);
    found.unwrap_or_else(|| panic!("no {number} in {all}")).clone()
}

/// The address of a device in the API.
async fn at(who: &Person, number: &str) -> String {
    format!("/api/v1/devices/{}", device(who, number).await["device"]["id"].as_str().unwrap())
}

/// Where the newest fault of a kind stands.
fn state_of(view: &Value, kind: &str) -> String {
    let faults = view["device"]["faults"].as_array().unwrap();
    faults.iter().rfind(|f| f["kind"] == kind).map_or_else(String::new, |f| f["state"].as_str().unwrap().to_owned())
}

async fn waits(who: &Person, number: &str, what: &str, until: impl Fn(&Value) -> bool) -> Value {
    let deadline = Instant::now() + Duration::from_mins(1);
    loop {
        let view = device(who, number).await;
        if until(&view) {
            return view;
        }
        assert!(Instant::now() < deadline, "no {what}: {view}");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

fn has(view: &Value, kind: &str, state: &str) -> bool {
    view["device"]["faults"].as_array().unwrap().iter().any(|f| f["kind"] == kind && f["state"] == state)
}

async fn kinds(bureau: &Bureau) -> Vec<String> {
    let rows = bureau.sign_in("inspector").await.get("/api/v1/log").await.1;
    rows.as_array().unwrap().iter().map(|r| r["entry"]["kind"].as_str().unwrap().to_owned()).collect()
}

/// Waits until these cameras of the room, and no others, have so many durable bytes.
async fn records_by(who: &Person, cameras: &[&str], bytes: u64) {
    who.waits("durable bytes", |room| {
        room["cameras"]
            .as_array()
            .unwrap()
            .iter()
            .filter(|c| cameras.contains(&c["id"].as_str().unwrap()))
            .all(|c| c["durable_bytes"].as_u64().unwrap() > bytes)
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reported_camera_takes_no_session_until_its_retest_while_the_running_one_goes_on_and_the_healthy_one_records() {
    let mut bureau = Bureau::open().await;
    let (officer, session) = bureau.records(30_000).await;
    let (face, overview) = (at(&officer, "XW-101").await, at(&officer, "XW-102").await);
    // Reported in the middle of a session: it goes on, and is told.
    let broken = json!({ "kind": "picture", "what": "镜头松动" });
    assert_eq!(officer.post(&format!("{face}/faults"), broken.clone()).await.0, StatusCode::CREATED);
    let view = officer.get(&format!("/api/v1/sessions/{session}")).await.1;
    assert_eq!((&view["faults"][0]["number"], &view["faults"][0]["fault"]["state"]), (&json!("XW-101"), &json!("out_of_use")));
    officer.records(120_000).await;
    officer.ends(&session).await;
    let (code, said) = verify(&bureau.folder(&session));
    assert_eq!(code, 0, "{said}");

    // The next one starts on the other camera alone; the check before it says why.
    let readiness = officer.get("/api/v1/rooms/room-1/readiness").await.1;
    let told = readiness["checks"].as_array().unwrap().iter().find(|c| c["what"] == "out-of-use").unwrap().clone();
    assert_eq!((&told["of"], &told["level"], &told["detail"]), (&json!("面部"), &json!("red"), &json!("镜头松动")));
    let second = officer.starts().await;
    records_by(&officer, &["overview"], 30_000).await;
    officer.waits("a lamp that is on", |room| room["lamp"] == "recording").await;
    let sealed = officer.ends(&second).await;
    let devices: Vec<&str> = sealed["devices"].as_array().unwrap().iter().map(|d| d["device_no"].as_str().unwrap()).collect();
    assert_eq!(devices, ["XW-102"]);
    let names = std::fs::read_dir(bureau.folder(&second)).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap());
    assert!(names.filter(|n| n.ends_with(".mp4")).all(|n| n.starts_with("overview")), "nothing of a camera that is out of use");
    let (code, said) = verify(&bureau.folder(&second));
    assert_eq!(code, 0, "{said}");

    // With none left, none starts: told with the article and the reason, and logged.
    officer.does(&format!("{overview}/faults"), json!({ "kind": "damaged", "what": "支架断裂" })).await;
    let start = json!({ "room": "room-1" });
    let (status, no) = officer.post("/api/v1/sessions", start.clone()).await;
    assert_eq!((status, &no["code"], &no["article"]), (StatusCode::CONFLICT, &json!("out-of-use"), &json!("第十六条")), "{no}");
    let message = no["message"].as_str().unwrap();
    assert!(message.contains("XW-101（镜头松动）") && message.contains("XW-102（支架断裂）"), "{message}");
    assert!(kinds(&bureau).await.iter().any(|k| k == "refused"));

    // From the report to the retest, by those whose work it is, and in no other order.
    let office = bureau.sign_in("office").await;
    let fault = format!("{face}/faults/1");
    let repair = json!({ "step": "repair", "service": "邢台某安防公司" });
    assert_eq!(officer.post(&fault, repair.clone()).await.0, StatusCode::FORBIDDEN);
    assert_eq!(office.post(&fault, repair.clone()).await.1["code"], "fault-state", "not reported yet");
    officer.does(&fault, json!({ "step": "report", "to": "办公室 孙丽" })).await;
    assert_eq!(office.post(&fault, json!({ "step": "repair", "service": " " })).await.0, StatusCode::UNPROCESSABLE_ENTITY);
    office.does(&fault, repair.clone()).await;
    office.does(&fault, json!({ "step": "retest", "passed": false, "tested": "仍有松动" })).await;
    assert_eq!(office.post(&fault, json!({ "step": "return" })).await.0, StatusCode::CONFLICT);
    office.does(&fault, repair).await;
    // A restart forgets nothing of it.
    bureau.kill();
    bureau.start().await;
    let (officer, office) = (bureau.sign_in("officer").await, bureau.sign_in("office").await);
    assert_eq!(officer.post("/api/v1/sessions", start).await.1["code"], "out-of-use");
    office.does(&fault, json!({ "step": "retest", "passed": true, "tested": "图像、声音正常" })).await;
    let back = office.does(&fault, json!({ "step": "return" })).await;
    let steps: Vec<&str> = back["faults"][0]["steps"].as_array().unwrap().iter().map(|s| s["state"].as_str().unwrap()).collect();
    assert_eq!(steps, ["out_of_use", "reported", "in_repair", "reported", "in_repair", "retested", "back"]);
    assert_eq!(back["faults"][0]["steps"][4]["party"], "邢台某安防公司");
    officer.waits_for_pictures().await;
    let third = officer.starts().await;
    records_by(&officer, &["face"], 30_000).await;
    let sealed = officer.ends(&third).await;
    assert_eq!(sealed["devices"][0]["device_no"], "XW-101");

    // What it cost, by device and by officer, as a page and as a table.
    let figures = office.get("/api/v1/device-figures").await.1;
    let of = |number: &str| figures["devices"].as_array().unwrap().iter().find(|d| d["number"] == number).unwrap().clone();
    assert_eq!((&of("XW-101")["reported"], &of("XW-101")["sessions"], &of("XW-102")["sessions"]), (&json!(1), &json!(2), &json!(2)));
    assert!(of("XW-101")["out_of_use_ms"].as_u64().unwrap() > 0 && of("XW-101")["used_ms"].as_u64().unwrap() > 0);
    let officers = figures["officers"].as_array().unwrap();
    assert!(officers.iter().any(|o| o["officer"] == "王建国（冀E-017）" && o["sessions"] == 3 && o["faults"].as_u64().unwrap() >= 1));
    let table = office.ask(Method::GET, "/devices/figures.csv", None).await.text().await.unwrap();
    assert!(table.starts_with('\u{feff}') && table.contains("\"XW-101\"") && table.contains("\"王建国（冀E-017）\""), "{table}");
    assert_eq!(officer.get("/api/v1/device-figures").await.0, StatusCode::FORBIDDEN);
    let log = kinds(&bureau).await;
    for kind in ["device_registered", "fault_reported", "fault_step"] {
        assert!(log.iter().any(|k| k == kind), "{kind}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_machine_sees_begins_and_ends_by_itself_and_one_that_flaps_is_one_fault() {
    let dead = [
        "face,size=320x180,pattern=black,background=0xff000000,overlay=none,wave=silence",
        "overview,size=320x180,pattern=checkers-8,overlay=none,audio=none",
    ];
    let good = ["face,size=320x180", "overview,size=320x180,audio=none"];
    let mut cameras = Cameras::start(&dead);
    let addresses = [cameras.address("face"), cameras.address("overview")];
    let bureau = Bureau::open_at(tempfile::tempdir().unwrap(), None, "", "", &addresses).await;
    let officer = bureau.sign_in("officer").await;
    officer.waits_for_pictures().await;
    officer.get("/api/v1/rooms/room-1/readiness").await;
    let face = device(&officer, "XW-101").await;
    assert!(has(&face, "dark", "seen") && has(&face, "muted", "seen") && face["standing"] == "faulty", "{face}");
    assert!(has(&device(&officer, "XW-102").await, "frozen", "seen"));
    assert_eq!(officer.get("/api/v1/status").await.1["machine"]["devices_ill"], 2);

    // Gone in the middle of a session: the session has it on its page, and so has the register.
    let session = officer.starts().await;
    officer.records(5_000).await;
    cameras.kill();
    waits(&officer, "XW-101", "lost stream", |d| has(d, "stream_down", "seen")).await;
    cameras.restart_as(&good);
    let view = waits(&officer, "XW-101", "stream again", |d| has(d, "stream_down", "over")).await;
    assert_eq!(view["standing"], "faulty", "dark and mute are not looked at again yet: {view}");
    let faults = officer.get(&format!("/api/v1/sessions/{session}")).await.1["faults"].clone();
    assert!(faults.as_array().unwrap().iter().any(|f| f["fault"]["kind"] == "stream_down" && f["number"] == "XW-101"), "{faults}");
    officer.get("/api/v1/rooms/room-1/readiness").await;
    waits(&officer, "XW-101", "service", |d| d["standing"] == "in_service").await;
    waits(&officer, "XW-102", "service", |d| d["standing"] == "in_service").await;
    officer.ends(&session).await;

    // The same again at once is the same fault; the camera that asks for a password is another.
    cameras.kill();
    let view = waits(&officer, "XW-101", "lost stream", |d| has(d, "stream_down", "seen")).await;
    let of = |view: &Value, kind: &str| {
        view["device"]["faults"].as_array().unwrap().iter().filter(|f| f["kind"] == kind).cloned().collect::<Vec<_>>()
    };
    assert_eq!((of(&view, "stream_down").len(), &of(&view, "stream_down")[0]["times"]), (1, &json!(2)));
    let secret = bureau.dir.path().join("camera-password");
    std::fs::write(&secret, "wheat river lamp").unwrap();
    let port = cameras.url.rsplit(':').next().unwrap().to_owned();
    let _locked = Cameras::with(&["--port", &port, "--user", "u", "--password-file", secret.to_str().unwrap()], &good);
    let view = waits(&officer, "XW-101", "refusal", |d| has(d, "password_refused", "seen")).await;
    assert!(has(&view, "stream_down", "over"), "{view}");
    let log = kinds(&bureau).await;
    assert!(log.iter().any(|k| k == "fault_seen") && log.iter().any(|k| k == "fault_over"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_register_keeps_calendars_check_outs_and_disks_and_a_portable_device_out_of_use_stays_in_its_drawer() {
    let mut bureau = Bureau::open_empty().await;
    assert!(bureau.terminate());
    for role in ["officer", "office", "custodian", "reviewer"] {
        bureau.add_account(role, role, "land-use");
    }
    bureau.configure("[[devices]]\nnumber = \"BWC-017\"\nunit = \"land-use\"\nname = \"执法记录仪 17\"");
    // A disk that says that it fails: the program is one of ours, what it says is smartctl's.
    let programs = bureau.dir.path().join("programs");
    std::fs::create_dir(&programs).unwrap();
    let smartctl = programs.join("smartctl");
    std::fs::write(&smartctl, "#!/bin/sh\necho '{\"smart_status\":{\"passed\":false}}'\nexit 8\n").unwrap();
    std::fs::set_permissions(&smartctl, std::fs::Permissions::from_mode(0o755)).unwrap();
    bureau.programs = Some(programs);
    bureau.start().await;
    let (officer, office) = (bureau.sign_in("officer").await, bureau.sign_in("office").await);
    assert_eq!(device(&officer, "BWC-017").await["device"]["known"]["kind"], "body_worn", "it is there by itself");

    let disk = json!({ "number": "DSK-1", "kind": "disk", "name": "主存储盘", "asked_at": "/dev/sda", "purchased": "2024-05-01",
        "serial": "WD-1", "maintenance": { "every_days": 90, "last": "2026-01-10" } });
    for (wrong, why) in [
        (json!({ "number": "BWC-017" }), "已在设备清单中"),
        (json!({ "number": " " }), "设备编号"),
        (json!({ "purchased": "2999-01-01" }), "购置日期"),
        (json!({ "maintenance": { "every_days": 0 } }), "1 至 3650"),
        (json!({ "unit": "nobody" }), "股室"),
    ] {
        let mut body = disk.clone();
        for (key, value) in wrong.as_object().unwrap() {
            body[key] = value.clone();
        }
        let (status, no) = office.post("/api/v1/devices", body).await;
        assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{wrong}");
        assert!(no["message"].as_str().unwrap().contains(why), "{no}");
    }
    assert_eq!(officer.post("/api/v1/devices", disk.clone()).await.0, StatusCode::FORBIDDEN);
    assert_eq!(bureau.sign_in("reviewer").await.get("/api/v1/devices").await.0, StatusCode::FORBIDDEN);
    office.does("/api/v1/devices", disk).await;
    let view = device(&office, "DSK-1").await;
    assert_eq!((&view["due"], &view["next_maintenance"]), (&json!("over"), &json!("2026-04-10")));
    assert_eq!(office.get("/api/v1/status").await.1["machine"]["devices_due"], 1);
    let disk = at(&office, "DSK-1").await;
    let today = view["device"]["registered_at"].as_str().unwrap();
    let today = chrono::DateTime::parse_from_rfc3339(today).unwrap().with_timezone(&chrono::FixedOffset::east_opt(8 * 3600).unwrap());
    let day = today.format("%Y-%m-%d").to_string();
    office.does(&format!("{disk}/maintained"), json!({ "day": day, "what": "除尘，检查接口" })).await;
    assert_eq!(device(&office, "DSK-1").await["due"], "not");
    let mut known = device(&office, "DSK-1").await["device"]["known"].clone();
    known["serial"] = json!("WD-2");
    let history = office.does(&disk, known).await["history"].clone();
    assert_eq!(history.as_array().unwrap().last().unwrap()["fields"], json!([{ "field": "serial", "was": "WD-1", "is": "WD-2" }]));
    let asked = office.does(&format!("{disk}/ask"), json!({})).await;
    assert_eq!((&asked["faults"][0]["kind"], &asked["faults"][0]["by_machine"]), (&json!("disk_failing"), &json!(true)));

    // Battery and memory at the check-out stand on the device's page; out of use, it is not taken along.
    let out = json!({ "device_no": "BWC-017", "battery": 83, "free_gb": 41 });
    let id = officer.does("/api/v1/check-outs", out.clone()).await["id"].as_str().unwrap().to_owned();
    let worn = at(&officer, "BWC-017").await;
    let view = officer.get(&worn).await.1;
    assert_eq!((&view["check_outs"][0]["battery"], &view["check_outs"][0]["free_gb"]), (&json!(83), &json!(41)));
    officer.post(&format!("/api/v1/check-outs/{id}/nothing"), json!({ "reason": "未使用" })).await;
    officer.does(&format!("{worn}/faults"), json!({ "kind": "battery", "what": "半小时即没电" })).await;
    assert_eq!(officer.post("/api/v1/check-outs", out).await.1["code"], "out-of-use");
    office.does(&format!("{worn}/faults/1"), json!({ "step": "retire", "reason": "电池无法更换" })).await;
    assert_eq!(device(&office, "BWC-017").await["standing"], "retired");

    // The register outlives the database.
    let before = office.get("/api/v1/devices").await.1;
    bureau.terminate();
    for name in ["catalog.db", "catalog.db-wal", "catalog.db-shm"] {
        let _ = std::fs::remove_file(bureau.data().join(name));
    }
    let said = shilu(&["rebuild"], &bureau.config());
    assert!(said.contains("4 devices") && before.as_array().unwrap().len() == 4, "{said}");
}

fn shilu(arguments: &[&str], config: &Path) -> String {
    let out = std::process::Command::new(env!("CARGO_BIN_EXE_shilu")).args(arguments).arg("--config").arg(config).output().unwrap();
    format!("{}{}", String::from_utf8_lossy(&out.stdout), String::from_utf8_lossy(&out.stderr))
}

/// Every file below a folder that holds a text.
fn holds(folder: &Path, text: &str) -> Vec<String> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap().filter_map(Result::ok) {
        let path = entry.path();
        if path.is_dir() {
            found.extend(holds(&path, text));
        } else if std::fs::read(&path).is_ok_and(|data| data.windows(text.len()).any(|w| w == text.as_bytes())) {
            found.push(path.display().to_string());
        }
    }
    found
}

#[tokio::test(flavor = "multi_thread")]
async fn a_camera_is_found_tried_saved_and_recorded_without_a_word_of_its_password_and_no_other_room_notices() {
    const PASSWORD: &str = "geheim-7-Fluss";
    let secret = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(secret.path(), PASSWORD).unwrap();
    let locked = ["--user", "recorder", "--password-file", secret.path().to_str().unwrap()];
    let mut third = Cameras::with(&locked, &["third,size=640x360", "fourth,size=320x180"]);
    let other = Cameras::start(&["other,size=320x180"]);
    let stream = third.address("third").replace("127.0.0.1", "evil.example");
    let says = Says { serial: "SN-1".into(), firmware: "5.7.1".into(), clock_off_s: 0, stream };
    let onvif = Onvif::serve("recorder", PASSWORD, says).await;
    onvif.is_found();
    let mut bureau = Bureau::open().await;
    bureau.terminate();
    let text = std::fs::read_to_string(bureau.config()).unwrap();
    let more = format!(
        "[[rooms]]\nid = \"room-2\"\nname = \"第二询问室\"\nunit = \"land-use\"\n[[rooms.cameras]]\nid = \"other\"\nname = \"全景\"\ndevice_no = \"XW-201\"\nurl = \"{}\"\n",
        other.address("other")
    );
    std::fs::write(bureau.config(), format!("{text}{more}")).unwrap();
    bureau.configure("[equipment]\ndiscover_from = \"127.0.0.1\"");
    bureau.start().await;
    let (officer, office, admin) = (bureau.sign_in("officer").await, bureau.sign_in("office").await, bureau.sign_in("administrator").await);
    officer.waits_for_pictures().await;
    // A session in the other room runs all the time.
    let beside = officer.does("/api/v1/sessions", json!({ "room": "room-2" })).await["session"]["id"].as_str().unwrap().to_owned();

    let found = admin.does("/api/v1/cameras/find", json!({})).await;
    assert!(found.as_array().unwrap().iter().any(|f| f["host"] == onvif.address.to_string()), "{found}");
    let camera = |address: &str, password: &str| json!({ "room": "room-1", "name": "证物台", "device_no": "XW-103", "address": address, "user": "recorder", "password": password });
    let host = onvif.address.to_string();
    for (address, password, status, code) in [
        (host.as_str(), "falsch", StatusCode::CONFLICT, "camera-fails"),
        ("8.8.8.8:80", PASSWORD, StatusCode::UNPROCESSABLE_ENTITY, "bad-fields"),
        ("rtsp://recorder:geheim-7-Fluss@127.0.0.1/x", PASSWORD, StatusCode::UNPROCESSABLE_ENTITY, "bad-fields"),
        (&other.address("other"), PASSWORD, StatusCode::UNPROCESSABLE_ENTITY, "bad-fields"),
        (&other.address("/OTHER/"), PASSWORD, StatusCode::UNPROCESSABLE_ENTITY, "bad-fields"),
        ("127.0.0.1:1/../x", PASSWORD, StatusCode::UNPROCESSABLE_ENTITY, "bad-fields"),
    ] {
        let (got, no) = admin.post("/api/v1/cameras/try", camera(address, password)).await;
        assert_eq!((got, &no["code"]), (status, &json!(code)), "{address}: {no}");
        assert!(!no.to_string().contains(PASSWORD));
    }
    let nothing = admin.does("/api/v1/cameras/try", camera(&third.address("nothing"), PASSWORD)).await;
    assert!(nothing["trial"]["problem"].as_str().unwrap().contains("404") && nothing["still"].is_null(), "{nothing}");
    let unsaved = admin.post("/api/v1/cameras", json!({ "trial": nothing["id"] })).await;
    assert_eq!((unsaved.0, &unsaved.1["code"]), (StatusCode::CONFLICT, &json!("camera-fails")));

    let tried = admin.does("/api/v1/cameras/try", camera(&host, PASSWORD)).await;
    assert_eq!(
        (&tried["trial"]["resolution"], &tried["trial"]["sound"], &tried["trial"]["moves"]),
        (&json!("640x360"), &json!(true), &json!(true)),
        "{tried}"
    );
    assert_eq!(
        (&tried["said"]["serial"], &tried["said"]["firmware"], &tried["said"]["clock_ms"]),
        (&json!("SN-1"), &json!("5.7.1"), &json!(0))
    );
    assert_eq!(tried["url"], third.address("third"), "the camera's own host, whatever it says");
    assert!(tried["still"].as_str().unwrap().starts_with("/9j/"), "a JPEG");
    assert_eq!(
        office.post("/api/v1/cameras", json!({ "trial": tried["id"] })).await.0,
        StatusCode::UNPROCESSABLE_ENTITY,
        "another's trial"
    );
    let saved = admin.does("/api/v1/cameras", json!({ "trial": tried["id"] })).await;
    assert_eq!(saved["in_use"], true);
    officer.waits("a third camera", |room| room["cameras"].as_array().unwrap().len() == 3).await;
    officer.waits_for_pictures().await;
    let view = device(&office, "XW-103").await;
    assert_eq!((&view["device"]["known"]["serial"], &view["device"]["known"]["firmware"]), (&json!("SN-1"), &json!("5.7.1")));
    // Where a room's camera lies, no trial shows a picture, by whatever path.
    let mut fourth = camera(&third.address("fourth"), PASSWORD);
    fourth["device_no"] = json!("XW-104");
    let beside_it = admin.does("/api/v1/cameras/try", fourth).await;
    assert_eq!(
        (&beside_it["trial"]["resolution"], &beside_it["still"], &beside_it["withheld"]),
        (&json!("320x180"), &Value::Null, &json!("host"))
    );
    let password = bureau.data().join(format!("cameras/{}.password", saved["id"].as_str().unwrap()));
    assert_eq!(std::fs::metadata(&password).unwrap().permissions().mode() & 0o777, 0o600);

    // It outlives a restart, and records; taken away in a session, it stays to the end of it.
    bureau.kill();
    bureau.start().await;
    let (officer, office, admin) = (bureau.sign_in("officer").await, bureau.sign_in("office").await, bureau.sign_in("administrator").await);
    officer.waits_for_pictures().await;
    let session = officer.starts().await;
    officer.records(30_000).await;
    let remove = format!("/api/v1/cameras/{}/remove", saved["id"].as_str().unwrap());
    assert_eq!(admin.post(&remove, json!({})).await.0, StatusCode::NO_CONTENT);
    officer.records(90_000).await;
    let sealed = officer.ends(&session).await;
    assert_eq!(sealed["devices"].as_array().unwrap().len(), 3);
    let (code, said) = verify(&bureau.folder(&session));
    assert_eq!(code, 0, "{said}");
    officer.waits("two cameras", |room| room["cameras"].as_array().unwrap().len() == 2).await;
    assert!(!password.exists());
    let (_, list) = admin.get("/api/v1/cameras").await;
    assert!(list.as_array().unwrap().iter().all(|c| c["added"] == false));
    let tried = admin.does("/api/v1/cameras/try", camera(&host, PASSWORD)).await;
    admin.does("/api/v1/cameras", json!({ "trial": tried["id"] })).await;

    // Another serial number at the same address is another camera, and stays a fault until somebody looked; a clock that is off is set.
    let third_device = at(&office, "XW-103").await;
    onvif.says.lock().unwrap().serial = "SN-2".into();
    onvif.says.lock().unwrap().clock_off_s = -90;
    let asked = office.does(&format!("{third_device}/ask"), json!({})).await;
    let of = |kind: &str| asked["faults"].as_array().unwrap().iter().find(|f| f["kind"] == kind).unwrap().clone();
    assert_eq!((&of("serial_changed")["text"], &of("clock_off")["state"]), (&json!("SN-1 → SN-2"), &json!("seen")));
    let set = office.does(&format!("{third_device}/clock"), json!({})).await;
    assert!(onvif.says.lock().unwrap().clock_off_s.abs() <= 1);
    let state = |kind: &str| set["faults"].as_array().unwrap().iter().find(|f| f["kind"] == kind).unwrap()["state"].clone();
    assert_eq!((state("clock_off"), state("serial_changed")), (json!("over"), json!("seen")));

    // The room beside has no gap but the one that the restart made; the password stands in its own file alone.
    let ended = officer.ends(&beside).await;
    let gaps = ended["gaps"].as_array().unwrap();
    assert!(gaps.iter().all(|g| g["cause"] == "restart" || g["cause"] == "power"), "{gaps:?}");
    let kept = holds(bureau.dir.path(), PASSWORD);
    assert_eq!(kept.len(), 1, "{kept:?}");
    assert!(kept[0].ends_with(".password"), "{kept:?}");
    let log = kinds(&bureau).await;
    for kind in ["camera_tried", "camera_added", "camera_removed", "camera_asked", "camera_clock_set"] {
        assert!(log.iter().any(|k| k == kind), "{kind}");
    }

    // Its stream is lost, and then it is taken away: nothing looks at it any more, so nothing stays open of it.
    third.kill();
    waits(&office, "XW-103", "lost stream", |d| d["standing"] == "faulty" && state_of(d, "stream_down") == "seen").await;
    let (_, list) = admin.get("/api/v1/cameras").await;
    let added = list.as_array().unwrap().iter().find(|c| c["added"] == true).unwrap();
    let remove = format!("/api/v1/cameras/{}/remove", added["id"].as_str().unwrap());
    assert_eq!(admin.post(&remove, json!({})).await.0, StatusCode::NO_CONTENT);
    let view = waits(&office, "XW-103", "closed fault", |d| state_of(d, "stream_down") == "camera_gone").await;
    let last = view["device"]["history"].as_array().unwrap().iter().rfind(|h| h["kind"] == "fault_step").unwrap();
    assert_eq!((&last["state"], &view["device"]["camera"]), (&json!("camera_gone"), &Value::Null), "{view}");
    let page = office.ask(reqwest::Method::GET, &format!("/devices/{}", view["device"]["id"].as_str().unwrap()), None).await;
    assert!(page.text().await.unwrap().contains("摄像机已撤除，故障随之关闭"));
}
