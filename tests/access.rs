//! Nobody looks without approval (第二十二条): every door, every role, console, API and file address alike.

use crate::support;

use reqwest::{Method, StatusCode};
use serde_json::json;
use std::time::{Duration, Instant};
use support::bureau::{Bureau, Person, ROLES};

/// What a reviewer with a grant for copies has opened: what others might try to open as well.
struct Opened {
    session: String,
    segment: String,
    viewing: String,
    copy: String,
    package: String,
}

/// Every address under which a picture, a sound or a copy of one could be had.
fn doors(of: &Opened) -> Vec<(Method, String)> {
    let Opened { session, segment, viewing, copy, package } = of;
    let post = ["viewings", "package", "copies"].map(|door| (Method::POST, format!("/api/v1/sessions/{session}/{door}")));
    let get = [
        format!("/api/v1/viewings/{viewing}/face/1"),
        format!("/api/v1/viewings/{viewing}/face/still?at_ms=1000"),
        format!("/api/v1/viewings/{viewing}/face/1?from_ms=500"),
        format!("/api/v1/viewings/{viewing}/face/loudness"),
        format!("/api/v1/sessions/{session}/copy/face/1"),
        format!("/api/v1/sessions/{session}/copy/face/joined"),
        format!("/api/v1/sessions/{session}/copy/papers/session.json"),
        format!("/api/v1/copies/{copy}"),
        format!("/api/v1/copies/{copy}/file"),
        format!("/api/v1/packages/{package}"),
        format!("/api/v1/provisions/P-2026-0001/packages/{session}"),
        "/api/v1/rooms/room-1/cameras/face/live".into(),
        format!("/footage/{segment}"),
        format!("/assets/..%2F..%2Ffootage%2F{segment}"),
        format!("/sessions/{session}/{segment}"),
        format!("/data/copies/{copy}.mp4"),
        "/data/catalog.db".into(),
    ];
    let more = [format!("/api/v1/viewings/{viewing}/face/derive"), format!("/api/v1/copies/{copy}/resume")];
    post.into_iter().chain(more.map(|p| (Method::POST, p))).chain(get.map(|p| (Method::GET, p))).collect()
}

/// Whether an answer holds MP4 boxes, a picture or an archive.
async fn shows_pictures(answer: reqwest::Response) -> bool {
    let bytes = answer.bytes().await.unwrap_or_default();
    let begins = |magic: &[u8]| bytes.starts_with(magic);
    begins(b"\x89PNG") || begins(b"\xff\xd8\xff") || begins(b"PK\x03\x04") || bytes.windows(4).any(|w| w == b"moof" || w == b"mdat")
}

/// Tries every door; none may open.
async fn finds_all_shut(who: &str, person: &Person, opened: &Opened) {
    for (method, door) in doors(opened) {
        let answer = person.ask(method, &door, Some(json!({ "layout": "single", "cameras": ["face"] }))).await;
        assert!(!answer.status().is_success() || answer.url().path() == "/login", "{who} got {} from {door}", answer.status());
        assert!(!shows_pictures(answer).await, "{who} saw pictures at {door}");
    }
}

/// A reviewer who was allowed to take copies, and has used every door.
async fn opens_everything(reviewer: &Person, leader: &Person, session: &str, segment: &str) -> (String, Opened) {
    let request = reviewer.gets_grant(leader, session, "copy").await;
    let id = |answer: serde_json::Value| answer["id"].as_str().unwrap().to_owned();
    let viewing = id(reviewer.does(&format!("/api/v1/sessions/{session}/viewings"), json!({})).await);
    let order = json!({ "layout": "single", "cameras": ["face"] });
    let copy = id(reviewer.does(&format!("/api/v1/sessions/{session}/copies"), order).await);
    let package = id(reviewer.does(&format!("/api/v1/sessions/{session}/package"), json!({})).await);
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(90);
    while reviewer.get(&format!("/api/v1/copies/{copy}")).await.1["state"] != "ready" {
        assert!(std::time::Instant::now() < deadline, "{:?}", reviewer.get(&format!("/api/v1/copies/{copy}")).await);
        tokio::time::sleep(std::time::Duration::from_millis(200)).await;
    }
    (request, Opened { session: session.into(), segment: segment.into(), viewing, copy, package })
}

async fn recorded(bureau: &Bureau) -> (Person, String, String) {
    let (officer, id) = bureau.records(100_000).await;
    let sealed = officer.ends(&id).await;
    (officer, id, sealed["segments"][0]["file"].as_str().unwrap().to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_viewing_without_grant_is_refused_to_every_role_by_every_door_and_the_refusal_is_logged() {
    let bureau = Bureau::open().await;
    let (officer, session, segment) = recorded(&bureau).await;
    let (leader, reviewer) = (bureau.sign_in("leader_in_charge").await, bureau.sign_in("reviewer").await);
    let (_, opened) = opens_everything(&reviewer, &leader, &session, &segment).await;
    let viewing = &opened.viewing;
    let anyone = Person { client: reqwest::Client::new(), url: bureau.url.clone(), csrf: String::new(), cookie: String::new() };
    let mut people = vec![("nobody", anyone)];
    for role in ROLES.iter().filter(|r| **r != "reviewer") {
        people.push((role, bureau.sign_in(role).await));
    }
    // One who may look at another session has nothing of this one; nor has a reader of another program.
    let other = officer.starts().await;
    officer.records(50_000).await;
    officer.ends(&other).await;
    people.iter().find(|(role, _)| *role == "custodian").unwrap().1.gets_grant(&leader, &other, "copy").await;
    for (who, person) in &people {
        finds_all_shut(who, person, &opened).await;
    }
    let (_, log) = bureau.sign_in("inspector").await.get("/api/v1/log").await;
    let refused = log.as_array().unwrap().iter().filter(|r| r["entry"]["kind"] == "refused").count();
    assert!(refused > 10, "{refused} refusals in the log");
    // The one who was granted sees.
    let answer = reviewer.ask(Method::GET, &format!("/api/v1/viewings/{viewing}/face/1"), None).await;
    assert!(shows_pictures(answer).await);
    // And the log has for how long.
    reviewer.ask(Method::POST, &format!("/api/v1/viewings/{viewing}/seen"), Some(json!({ "seconds": 7 }))).await;
    reviewer.ask(Method::POST, &format!("/api/v1/viewings/{viewing}/close"), Some(json!({}))).await;
    let (_, log) = bureau.sign_in("inspector").await.get(&format!("/api/v1/log?session={session}")).await;
    let closed = log.as_array().unwrap().iter().find(|r| r["entry"]["kind"] == "viewing_closed").unwrap();
    assert_eq!(closed["entry"]["about"]["seconds"], "7");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_open_shuts_with_the_revocation_the_last_hour_and_the_login() {
    let bureau = Bureau::open().await;
    let (_, session, segment) = recorded(&bureau).await;
    let (leader, reviewer) = (bureau.sign_in("leader_in_charge").await, bureau.sign_in("reviewer").await);
    let (revoked, opened) = opens_everything(&reviewer, &leader, &session, &segment).await;
    leader.does(&format!("/api/v1/access-requests/{revoked}/revoke"), json!({ "reason": "误批" })).await;
    finds_all_shut("one whose approval was taken back", &reviewer, &opened).await;
    // The last hour has passed: its end is moved back in the catalog, since no test can wait for it.
    let (expired, opened) = opens_everything(&reviewer, &leader, &session, &segment).await;
    let catalog = rusqlite::Connection::open(bureau.data().join("catalog.db")).unwrap();
    catalog.busy_timeout(std::time::Duration::from_secs(10)).unwrap();
    let past = "UPDATE requests SET doc = json_set(doc, '$.until', '2026-01-01T00:00:00Z') WHERE id = ?1";
    assert_eq!(catalog.execute(past, [&expired]).unwrap(), 1);
    finds_all_shut("one whose approval has run out", &reviewer, &opened).await;
    // The cookie of a login that was ended.
    let (_, opened) = opens_everything(&reviewer, &leader, &session, &segment).await;
    let old = reviewer.cookie.clone();
    reviewer.does("/api/v1/logout", json!({})).await;
    let client = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none());
    let headers = [("cookie".parse().unwrap(), old.parse().unwrap())];
    let client = client.default_headers(headers.into_iter().collect()).build().unwrap();
    let thief = Person { client, url: bureau.url.clone(), csrf: reviewer.csrf.clone(), cookie: old };
    finds_all_shut("an old cookie", &thief, &opened).await;
    // Whoever tried with a name is in the log.
    let (_, log) = bureau.sign_in("inspector").await.get("/api/v1/log").await;
    let refused = log.as_array().unwrap().iter().filter(|r| r["entry"]["kind"] == "refused").count();
    assert!(refused > 10, "{refused} refusals in the log");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_grant_is_for_one_person_one_session_and_its_mode_and_ends_with_its_revocation() {
    let bureau = Bureau::open().await;
    let (officer, session, _) = recorded(&bureau).await;
    let second = officer.starts().await;
    officer.records(50_000).await;
    officer.ends(&second).await;
    let (leader, reviewer) = (bureau.sign_in("leader_in_charge").await, bureau.sign_in("reviewer").await);
    // Not before the decision.
    let asked = json!({ "session": session, "purpose": "复核", "mode": "view", "hours": 2 });
    let request = reviewer.does("/api/v1/access-requests", asked.clone()).await["id"].as_str().unwrap().to_owned();
    let open = format!("/api/v1/sessions/{session}/viewings");
    assert_eq!(reviewer.post(&open, json!({})).await.0, StatusCode::FORBIDDEN);
    // Never by the requester, nor by somebody without the role.
    let own = leader.does("/api/v1/access-requests", asked).await["id"].as_str().unwrap().to_owned();
    let (status, answer) = leader.post(&format!("/api/v1/access-requests/{own}/approve"), json!({})).await;
    assert_eq!(
        (status, answer["code"].as_str(), answer["article"].as_str()),
        (StatusCode::FORBIDDEN, Some("own-request"), Some("第二十二条"))
    );
    for role in ["officer", "reviewer", "administrator", "office", "inspector", "legal_unit", "custodian"] {
        let (status, _) = bureau.sign_in(role).await.post(&format!("/api/v1/access-requests/{request}/approve"), json!({})).await;
        assert_eq!(status, StatusCode::FORBIDDEN, "{role}");
    }
    leader.does(&format!("/api/v1/access-requests/{request}/approve"), json!({})).await;
    let viewing = reviewer.does(&open, json!({})).await;
    let segment = format!("/api/v1/viewings/{}/face/1", viewing["id"].as_str().unwrap());
    assert!(viewing["watermark"].as_str().unwrap().contains(&request));
    assert_eq!(reviewer.ask(Method::GET, &segment, None).await.status(), StatusCode::OK);
    // For looking, not for a copy; for this session, not the next.
    let (status, answer) = reviewer.get(&format!("/api/v1/sessions/{session}/copy/face/1")).await;
    assert_eq!((status, answer["code"].as_str()), (StatusCode::FORBIDDEN, Some("view-only")));
    assert_eq!(reviewer.post(&format!("/api/v1/sessions/{second}/viewings"), json!({})).await.0, StatusCode::FORBIDDEN);
    leader.does(&format!("/api/v1/access-requests/{request}/revoke"), json!({ "reason": "误批" })).await;
    assert_eq!(reviewer.ask(Method::GET, &segment, None).await.status(), StatusCode::FORBIDDEN);
    assert_eq!(reviewer.post(&open, json!({})).await.0, StatusCode::FORBIDDEN);
}

#[tokio::test(flavor = "multi_thread")]
async fn accounts_lock_after_repeated_wrong_passwords_and_another_unit_hears_of_nothing() {
    let mut bureau = Bureau::open().await;
    let (_, session, _) = recorded(&bureau).await;
    assert!(bureau.terminate());
    bureau.add_account("miner", "officer", "mines");
    bureau.start().await;
    let miner = bureau.sign_in("miner").await;
    assert_eq!(miner.get(&format!("/api/v1/sessions/{session}")).await.0, StatusCode::NOT_FOUND);
    assert_eq!(miner.get("/api/v1/sessions?text=张三").await.1["total"], 0);
    let stranger = Person { client: reqwest::Client::new(), url: bureau.url.clone(), csrf: String::new(), cookie: String::new() };
    let mut last = StatusCode::OK;
    for _ in 0..5 {
        last = stranger.post("/api/v1/login", json!({ "username": "miner", "password": "wrong wrong wrong" })).await.0;
    }
    assert_eq!(last, StatusCode::TOO_MANY_REQUESTS);
    let right = json!({ "username": "miner", "password": bureau.password("miner") });
    assert_eq!(stranger.post("/api/v1/login", right).await.0, StatusCode::TOO_MANY_REQUESTS, "locked means locked");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_without_the_logins_own_token_changes_nothing() {
    let bureau = Bureau::open().await;
    let mut officer = bureau.sign_in("officer").await;
    officer.csrf = "0".repeat(64);
    let (status, answer) = officer.post("/api/v1/sessions", json!({ "room": "room-1" })).await;
    assert_eq!((status, answer["code"].as_str()), (StatusCode::FORBIDDEN, Some("cross-site")));
    let login = json!({ "username": "officer", "password": bureau.password("officer") });
    let answer = officer
        .client
        .post(format!("{}/api/v1/login", bureau.url))
        .header("Sec-Fetch-Site", "cross-site")
        .json(&login)
        .send()
        .await
        .unwrap();
    assert_eq!(answer.status(), StatusCode::FORBIDDEN);
    let healthy = reqwest::get(format!("{}/metrics", bureau.url)).await.unwrap().text().await.unwrap();
    assert!(healthy.contains("shilu_camera_connected{room=\"room-1\",camera=\"face\"}") && !healthy.contains("张"));
}

#[tokio::test(flavor = "multi_thread")]
async fn no_password_stands_in_a_log_a_list_of_processes_or_a_status() {
    let bureau = Bureau::open().await;
    let officer = bureau.sign_in("officer").await;
    officer.waits_for_pictures().await;
    let secret = bureau.password("officer").to_owned();
    let mut seen = bureau.log();
    seen.push_str(&officer.ask(Method::GET, "/api/v1/status", None).await.text().await.unwrap());
    for entry in std::fs::read_dir("/proc").unwrap().filter_map(Result::ok) {
        seen.push_str(&String::from_utf8_lossy(&std::fs::read(entry.path().join("cmdline")).unwrap_or_default()));
    }
    seen.extend(
        shilu::custody::tiles::Tiles::of(&bureau.data().join("custody/log"))
            .entries(0)
            .unwrap()
            .iter()
            .map(|e| String::from_utf8_lossy(e).into_owned()),
    );
    assert!(!seen.contains(&secret));
}

/// A download over a connection that takes little at a time: what is still to come, byte by byte.
fn takes_slowly(bureau: &Bureau, who: &Person, path: &str) -> impl Iterator<Item = u8> + use<> {
    use std::io::{Read, Write};
    let address: std::net::SocketAddr = bureau.url.trim_start_matches("http://").parse().unwrap();
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4096).unwrap();
    let connect = socket.connect(address);
    let stream = tokio::task::block_in_place(|| tokio::runtime::Handle::current().block_on(connect)).unwrap();
    let mut stream = stream.into_std().unwrap();
    stream.set_nonblocking(false).unwrap();
    write!(stream, "GET {path} HTTP/1.1\r\nHost: {address}\r\nCookie: {}\r\nConnection: close\r\n\r\n", who.cookie).unwrap();
    std::io::BufReader::new(stream).bytes().map_while(Result::ok)
}

#[tokio::test(flavor = "multi_thread")]
async fn several_sessions_are_asked_for_at_once_granted_in_part_by_a_deputy_and_cut_while_they_run() {
    let bureau = Bureau::open().await;
    let (officer, first) = bureau.records(100_000).await;
    officer.ends(&first).await;
    let second = officer.starts().await;
    officer.records(600_000).await;
    officer.ends(&second).await;
    let (leader, custodian, reviewer) =
        (bureau.sign_in("leader_in_charge").await, bureau.sign_in("custodian").await, bureau.sign_in("reviewer").await);
    let asked = json!({ "sessions": [first, second], "purpose": "复核", "basis": "威自然资函〔2026〕3号", "mode": "copy", "hours": 8 });
    let request = reviewer.does("/api/v1/access-requests", asked).await["id"].as_str().unwrap().to_owned();
    let approve = format!("/api/v1/access-requests/{request}/approve");
    let part = json!({ "sessions": [second], "hours": 2 });
    assert_eq!(custodian.post(&approve, part.clone()).await.0, StatusCode::FORBIDDEN, "not yet a deputy");
    let today = chrono::Utc::now().with_timezone(&chrono::FixedOffset::east_opt(8 * 3600).unwrap()).date_naive();
    let named =
        |who: &str| json!({ "deputy": who, "from": today, "until": today + chrono::Days::new(7), "basis": "威自然资办〔2026〕9号" });
    assert_eq!(leader.post("/api/v1/deputies", named("administrator")).await.0, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(custodian.post("/api/v1/deputies", named("reviewer")).await.0, StatusCode::FORBIDDEN);
    // Named for tomorrow: not yet in force, told as such, and the leader can take it back.
    let (from, until) = (today + chrono::Days::new(1), today + chrono::Days::new(2));
    let tomorrow = json!({ "deputy": "custodian", "from": from, "until": until, "basis": "威自然资办〔2026〕8号" });
    let tomorrow = leader.does("/api/v1/deputies", tomorrow).await["id"].as_str().unwrap().to_owned();
    assert_eq!(custodian.post(&approve, part.clone()).await.0, StatusCode::FORBIDDEN, "tomorrow's");
    let page = async || leader.ask(reqwest::Method::GET, "/access", None).await.text().await.unwrap();
    let (told, end) = (page().await, format!("/deputies/{tomorrow}/end"));
    assert!(told.contains("尚未生效") && told.contains(&end), "{told}");
    let ended = leader.client.post(format!("{}{end}", bureau.url)).form(&[("csrf", &leader.csrf)]).send().await.unwrap();
    assert!(ended.status().is_success() || ended.status().is_redirection(), "{}", ended.status());
    let told = page().await;
    assert!(told.contains("已提前终止") && !told.contains(&end), "{told}");
    leader.does("/api/v1/deputies", named("custodian")).await;
    assert_eq!(custodian.post(&approve, json!({ "hours": 9 })).await.0, StatusCode::UNPROCESSABLE_ENTITY, "never more");
    let granted = custodian.does(&approve, part).await;
    assert_eq!(granted["decided_for"], "leader_in_charge");
    assert_eq!(reviewer.post(&format!("/api/v1/sessions/{first}/viewings"), json!({})).await.0, StatusCode::FORBIDDEN);
    reviewer.does(&format!("/api/v1/sessions/{second}/viewings"), json!({})).await;
    // A copy that is being taken slowly ends within two seconds of the revocation.
    let mut slow = takes_slowly(&bureau, &reviewer, &format!("/api/v1/sessions/{second}/copy/overview/joined"));
    let head = slow.by_ref().take(1000).collect::<Vec<u8>>();
    let head = String::from_utf8_lossy(&head).to_lowercase();
    assert!(head.starts_with("http/1.1 200"), "{head}");
    let whole: usize = head.split("content-length: ").nth(1).unwrap().split("\r\n").next().unwrap().parse().unwrap();
    custodian.does(&format!("/api/v1/access-requests/{request}/revoke"), json!({ "reason": "误批" })).await;
    let cut = Instant::now();
    let got = 1000 + slow.count();
    assert!(got < whole && cut.elapsed() < Duration::from_secs(2), "{got} of {whole} after {:?}", cut.elapsed());
    // Withdrawn by who asked: it does not wait for anybody any more.
    let asked = json!({ "session": first, "purpose": "复核", "mode": "view", "hours": 2 });
    let own = reviewer.does("/api/v1/access-requests", asked).await["id"].as_str().unwrap().to_owned();
    assert_eq!(leader.post(&format!("/api/v1/access-requests/{own}/close"), json!({})).await.0, StatusCode::NOT_FOUND);
    assert_eq!(reviewer.does(&format!("/api/v1/access-requests/{own}/close"), json!({})).await["state"], "closed");
    assert_eq!(leader.get("/api/v1/access-requests").await.1["to_decide"].as_array().unwrap().len(), 0);
}
