//! Nobody gets in: every route by everybody, what an attacker tries with real requests, and the hunt for secrets in what the recorder says.
//! `deploy/ASVS.md` cites these tests.

use crate::support;

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::process::Command;
use support::bureau::{Bureau, Person, ROLES};
use support::camera::Cameras;

/// What a token for another system may be good for.
const SCOPES: &[&str] = &["see_status", "list_unit_sessions", "list_all_sessions", "link_session", "read_cases", "keep_cases", "supervise"];

/// Every method and route that the program has, from the one screen on which they stand.
fn routes() -> Vec<(Method, String)> {
    let text = include_str!("../src/web/routes.rs");
    let body = text.split("r.router\n").next().unwrap();
    let mut found = Vec::new();
    for call in body.split("r.add").skip(1) {
        let path = call.split('"').nth(1).unwrap().to_owned();
        let rest = &call[call.find('"').unwrap()..];
        for (word, method) in [("get(", Method::GET), ("post(", Method::POST)] {
            if rest.contains(&format!(" {word}")) || rest.contains(&format!(".{word}")) || rest.contains(&format!("\n        {word}")) {
                found.push((method, path.clone()));
            }
        }
    }
    found
}

/// An address of a route about something that is not there.
fn address(route: &str) -> String {
    let named = [("{index}", "999999999"), ("{sequence}", "1"), ("{record}", "1"), ("{file}", "console.css")];
    let mut path = route.to_owned();
    for (name, value) in named {
        path = path.replace(name, value);
    }
    while let (Some(from), Some(to)) = (path.find('{'), path.find('}')) {
        path.replace_range(from..=to, "nothing");
    }
    path
}

/// Somebody with a key of their own.
struct Caller {
    name: String,
    person: Person,
    bearer: Option<String>,
}

fn client() -> reqwest::Client {
    reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap()
}

/// A cookie that is shown as it is, whatever the console answers.
fn with_cookie(of: &Person) -> Person {
    let headers = [("cookie".parse().unwrap(), of.cookie.parse().unwrap())].into_iter().collect();
    let client = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).default_headers(headers).build().unwrap();
    Person { client, url: of.url.clone(), csrf: of.csrf.clone(), cookie: of.cookie.clone() }
}

/// `+`: the door is open, whatever lies behind it; `-`: not for this person; `?`: sign in first; `2`: a second factor first.
async fn tries(who: &Caller, method: &Method, path: &str) -> char {
    let mut request = who.person.client.request(method.clone(), format!("{}{path}", who.person.url));
    request = match &who.bearer {
        Some(bearer) => request.header("Authorization", bearer),
        None => request.header("X-Csrf-Token", &who.person.csrf),
    };
    let answer = request.send().await.unwrap();
    let (status, to) = (answer.status(), answer.headers().get("location").map(|l| l.to_str().unwrap().to_owned()));
    assert!(status != StatusCode::INTERNAL_SERVER_ERROR, "{method} {path} broke for {}", who.name);
    match (status, to.as_deref()) {
        (StatusCode::UNAUTHORIZED, _) | (StatusCode::SEE_OTHER, Some("/login")) if path != "/logout" => '?',
        (StatusCode::SEE_OTHER, Some("/me")) => '2',
        (StatusCode::FORBIDDEN, _) => {
            let text = answer.text().await.unwrap();
            if text.contains("factor-needed") { '2' } else { '-' }
        }
        _ => '+',
    }
}

fn moves_back(bureau: &Bureau, sql: &str, account: &str) {
    let catalog = rusqlite::Connection::open(bureau.data().join("catalog.db")).unwrap();
    catalog.busy_timeout(std::time::Duration::from_secs(10)).unwrap();
    assert!(catalog.execute(sql, [account]).unwrap() > 0);
}

const IDLE: &str = "UPDATE logins SET seen_at = seen_at - 31 * 60000 WHERE account = (SELECT id FROM accounts WHERE username = ?1)";
const YESTERDAY: &str = "UPDATE logins SET made_at = made_at - 13 * 3600000 WHERE account = (SELECT id FROM accounts WHERE username = ?1)";

#[tokio::test(flavor = "multi_thread")]
async fn every_route_is_opened_by_those_whom_the_table_of_doors_names_and_by_nobody_else() {
    let mut bureau = Bureau::open_empty().await;
    assert!(bureau.terminate());
    for role in ROLES {
        bureau.add_account(role, role, "land-use");
    }
    for (name, role) in [("idle", "officer"), ("ended", "officer"), ("no-factor", "legal_unit")] {
        bureau.add_account(name, role, "land-use");
    }
    bureau.start().await;
    let admin = bureau.sign_in("administrator").await;
    let nobody = Person { client: client(), url: bureau.url.clone(), csrf: String::new(), cookie: String::new() };
    let mut callers = vec![Caller { name: "nobody".into(), person: nobody, bearer: None }];
    for role in ROLES {
        callers.push(Caller { name: (*role).into(), person: with_cookie(&bureau.sign_in(role).await), bearer: None });
    }
    for scope in SCOPES {
        let account = if *scope == "list_all_sessions" { "legal_unit" } else { "custodian" };
        let wanted = json!({ "name": "案件系统", "username": account, "scopes": [scope], "days": 3 });
        let token = admin.does("/api/v1/tokens", wanted).await["token"].as_str().unwrap().to_owned();
        let person = Person { client: client(), url: bureau.url.clone(), csrf: String::new(), cookie: String::new() };
        callers.push(Caller { name: format!("token:{scope}"), person, bearer: Some(format!("Bearer {token}")) });
    }
    for name in ["idle", "ended"] {
        callers.push(Caller { name: name.into(), person: with_cookie(&bureau.sign_in(name).await), bearer: None });
    }
    moves_back(&bureau, IDLE, "idle");
    let accounts = admin.get("/api/v1/accounts").await.1;
    let ended = accounts.as_array().unwrap().iter().find(|a| a["person"]["username"] == "ended").unwrap()["person"]["id"].clone();
    admin.does(&format!("/api/v1/accounts/{}/end", ended.as_str().unwrap()), json!({})).await;
    let mut table = String::from("# + open, - not for them, ? sign in first, 2 set up a second factor first\n#");
    for (at, caller) in callers.iter().enumerate() {
        table += &format!(" {}={}", (b'a' + at as u8) as char, caller.name);
    }
    table += "\n#     ";
    table += &(0..callers.len()).map(|at| (b'a' + at as u8) as char).collect::<String>();
    table.push('\n');
    for (method, route) in routes().into_iter().filter(|(_, r)| !r.ends_with("/logout")) {
        let mut line = format!("{:<5} ", method.as_str());
        for caller in &callers {
            line.push(tries(caller, &method, &address(&route)).await);
        }
        table += &format!("{line} {route}\n");
    }
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/doors.txt");
    if option_env!("SHILU_UPDATE").is_some() {
        std::fs::write(&path, &table).unwrap();
    }
    assert_eq!(std::fs::read_to_string(&path).unwrap_or_default(), table, "\n{table}");
    // A role that has to have a second factor opens nothing but what sets it up.
    assert!(bureau.terminate());
    bureau.console("second_factor = [\"legal_unit\"]");
    bureau.start().await;
    let caller = Caller { name: "no-factor".into(), person: with_cookie(&bureau.sign_in("no-factor").await), bearer: None };
    let free = |r: &str| r.starts_with("/me") || r.starts_with("/api/v1/me") || r.ends_with("/logout") || r == "/prove";
    let open_to_all: Vec<&str> =
        table.lines().filter(|l| l.as_bytes().get(6) == Some(&b'+')).map(|l| l.rsplit(' ').next().unwrap()).collect();
    for (method, route) in routes().into_iter().filter(|(_, r)| !free(r) && !r.starts_with("/login") && !open_to_all.contains(&r.as_str()))
    {
        assert_eq!(tries(&caller, &method, &address(&route)).await, '2', "{method} {route}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_login_ends_when_idle_and_after_its_day_and_its_cookie_opens_nothing_any_more() {
    let mut bureau = Bureau::open_empty().await;
    assert!(bureau.terminate());
    bureau.add_account("officer", "officer", "land-use");
    bureau.start().await;
    for sql in [IDLE, YESTERDAY] {
        let officer = bureau.sign_in("officer").await;
        assert_eq!(officer.get("/api/v1/me").await.0, StatusCode::OK);
        moves_back(&bureau, sql, "officer");
        assert_eq!(officer.get("/api/v1/me").await.0, StatusCode::UNAUTHORIZED, "{sql}");
    }
    // Signing in takes no key that somebody brought along.
    let (first, second) = (bureau.sign_in("officer").await, bureau.sign_in("officer").await);
    assert_ne!(first.cookie, second.cookie);
    let old = with_cookie(&first);
    first.does("/api/v1/logout", json!({})).await;
    assert_eq!(old.get("/api/v1/me").await.0, StatusCode::UNAUTHORIZED);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_that_nobody_has_locks_like_one_that_somebody_has_and_many_tries_at_once_are_no_more_than_five() {
    let mut bureau = Bureau::open_empty().await;
    assert!(bureau.terminate());
    bureau.add_account("officer", "officer", "land-use");
    bureau.add_account("inspector", "inspector", "land-use");
    bureau.start().await;
    let login = async |name: &str| {
        let wrong = json!({ "username": name, "password": "wrong wrong wrong" });
        let answer = client().post(format!("{}/api/v1/login", bureau.url)).json(&wrong).send().await.unwrap();
        (answer.status(), answer.text().await.unwrap())
    };
    for _ in 0..6 {
        assert_eq!(login("officer").await, login("nobody-at-all").await);
    }
    let at_once = futures::future::join_all((0..20).map(|_| login("inspector"))).await;
    let looked_at = at_once.iter().filter(|(status, _)| *status == StatusCode::UNAUTHORIZED).count();
    assert_eq!(looked_at, 4, "the fifth is told that it locks");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_loop_of_refused_requests_is_in_the_log_and_does_not_fill_it() {
    let mut bureau = Bureau::open_empty().await;
    assert!(bureau.terminate());
    for role in ["officer", "inspector"] {
        bureau.add_account(role, role, "land-use");
    }
    bureau.start().await;
    let officer = bureau.sign_in("officer").await;
    for _ in 0..700 {
        assert_eq!(officer.get("/api/v1/accounts").await.0, StatusCode::FORBIDDEN);
    }
    assert!(bureau.terminate());
    bureau.start().await;
    let catalog = rusqlite::Connection::open(bureau.data().join("catalog.db")).unwrap();
    let docs = "SELECT doc FROM entries WHERE kind = 'refused' ORDER BY number";
    let refused: Vec<Value> = catalog
        .prepare(docs)
        .unwrap()
        .query_map([], |r| r.get::<_, String>(0))
        .unwrap()
        .map(|doc| serde_json::from_str(&doc.unwrap()).unwrap())
        .collect();
    let more: usize = refused.iter().filter_map(|e| e["about"]["more"].as_str()?.parse::<usize>().ok()).sum();
    let told = refused.iter().filter(|e| e["about"]["more"].is_null()).count();
    assert_eq!(told + more, 700);
    assert!(told < 700, "{told} one by one");
    assert_eq!(refused[0]["about"]["tried"], "GET /api/v1/accounts");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_person_does_not_administer_and_inspect_by_two_accounts() {
    let mut bureau = Bureau::open_empty().await;
    assert!(bureau.terminate());
    bureau.add_account("administrator", "administrator", "land-use");
    bureau.start().await;
    let admin = bureau.sign_in("administrator").await;
    let account = |name: &str| json!({ "username": "second", "name": name, "roles": ["inspector"], "password": "wheat river 47 lamp" });
    assert_eq!(admin.post("/api/v1/accounts", account("administrator")).await.0, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(admin.post("/api/v1/accounts", account("褚明")).await.0, StatusCode::CREATED);
}

#[tokio::test(flavor = "multi_thread")]
async fn no_address_leads_out_of_the_console_and_every_answer_carries_its_headers() {
    let mut bureau = Bureau::open_empty().await;
    assert!(bureau.terminate());
    bureau.add_account("officer", "officer", "land-use");
    bureau.start().await;
    for back in ["//evil.example", "/%5Cevil.example", "https://evil.example", "%2F%2Fevil.example", "/%09/evil.example"] {
        let answer = client().get(format!("{}/language?to=en&back={back}", bureau.url)).send().await.unwrap();
        let to = answer.headers()["location"].to_str().unwrap().to_owned();
        assert!(to.starts_with('/') && !to.starts_with("//") && !to.contains(['\\', '\t']), "{back} → {to}");
    }
    let officer = bureau.sign_in("officer").await;
    for path in ["/", "/sessions", "/api/v1/me", "/api/v1/accounts", "/nothing", "/login"] {
        let answer = officer.ask(Method::GET, path, None).await;
        let head = |name: &str| answer.headers().get(name).map(|v| v.to_str().unwrap().to_owned()).unwrap_or_default();
        assert_eq!((head("cache-control"), head("x-content-type-options")), ("no-store".into(), "nosniff".into()), "{path}");
        assert_eq!((head("x-frame-options"), head("cross-origin-resource-policy")), ("DENY".into(), "same-origin".into()), "{path}");
        assert!(head("content-security-policy").contains("default-src 'self'") && !head("content-security-policy").contains("unsafe"));
        assert!(head("access-control-allow-origin").is_empty(), "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_secret_stands_in_a_log_an_answer_a_figure_an_entry_or_the_process_list() {
    let words = tempfile::tempdir().unwrap();
    let camera_secret = "Kamera-Wort-4711";
    let file = words.path().join("camera");
    std::fs::write(&file, camera_secret).unwrap();
    let cameras =
        Cameras::with(&["--user", "recorder", "--password-file", file.to_str().unwrap()], &["face,size=320x240", "overview,size=320x240"]);
    let mut bureau =
        Bureau::open_at(tempfile::tempdir().unwrap(), None, "", "", &[cameras.address("face"), cameras.address("overview")]).await;
    bureau.terminate();
    let text = std::fs::read_to_string(bureau.config()).unwrap();
    let signed_in = format!("user = \"recorder\"\npassword = \"{camera_secret}\"\nid = \"face\"\n");
    let refused = "user = \"recorder\"\npassword = \"Falsches-Wort-0815\"\nid = \"overview\"\n";
    std::fs::write(bureau.config(), text.replace("id = \"face\"\n", &signed_in).replace("id = \"overview\"\n", refused)).unwrap();
    bureau.start().await;
    let officer = bureau.sign_in("officer").await;
    officer.waits("the camera", |room| room["cameras"][0]["connected"] == true).await;
    officer.waits("the refusal", |room| room["cameras"][1]["connected"] == false).await;
    let session = officer.starts().await;
    officer.waits("footage", |room| room["cameras"][0]["durable_bytes"].as_u64().is_some_and(|b| b > 10_000)).await;
    officer.ends(&session).await;
    let admin = bureau.sign_in("administrator").await;
    let token =
        admin.does("/api/v1/tokens", json!({ "name": "办案系统", "username": "officer", "scopes": ["read_cases"], "days": 1 })).await;
    let token = token["token"].as_str().unwrap_or_else(|| panic!("{token}")).to_owned();
    // What goes wrong says so without what it was given.
    let wrong = json!({ "username": "officer", "password": "Geratenes-Wort-99" });
    let mut said = admin.ask(Method::POST, "/api/v1/login", Some(wrong)).await.text().await.unwrap();
    let inspector = bureau.sign_in("inspector").await;
    for (who, paths) in [
        (
            &admin,
            &["/", "/people", "/account", "/screens", "/api/v1/tokens", "/api/v1/status", "/api/v1/accounts", "/api/openapi.json"][..],
        ),
        (&officer, &["/", "/sessions", "/alarms", "/api/v1/sessions", "/api/v1/status"][..]),
        (&inspector, &["/log", "/oversight", "/api/v1/log"][..]),
        (&admin, &["/metrics", "/healthz", "/no-such-page"][..]),
    ] {
        for path in paths {
            said += &who.ask(Method::GET, path, None).await.text().await.unwrap();
        }
    }
    said += &bureau.log();
    let list = Command::new("ps").args(["-eo", "args", "ww"]).output().unwrap();
    said += &String::from_utf8_lossy(&list.stdout);
    for folder in ["custody", "footage"] {
        for file in all_files(&bureau.data().join(folder)) {
            said += &String::from_utf8_lossy(&std::fs::read(file).unwrap());
        }
    }
    let cookie = officer.cookie.split_once('=').unwrap().1;
    let secrets = [
        camera_secret,
        "Falsches-Wort-0815",
        "Geratenes-Wort-99",
        cookie,
        &token,
        bureau.password("officer"),
        bureau.password("administrator"),
    ];
    for secret in secrets {
        let at = said.find(secret).map(|at| said[at.saturating_sub(200)..].chars().take(500).collect::<String>());
        assert!(at.is_none(), "{secret}: {}", at.unwrap_or_default());
    }
    assert!(!bureau.log().contains("panicked"), "{}", bureau.log());
}

fn all_files(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap().map(|e| e.unwrap().path());
    entries.flat_map(|p| if p.is_dir() { all_files(&p) } else { vec![p] }).collect()
}
