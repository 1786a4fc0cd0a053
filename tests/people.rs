//! Accounts, factors and tokens, by the public API.

use crate::support;

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use std::time::Duration;
use support::bureau::{Bureau, Person};

fn nobody(bureau: &Bureau) -> Person {
    Person { client: reqwest::Client::new(), url: bureau.url.clone(), csrf: String::new(), cookie: String::new() }
}

/// What an authenticator shows now (RFC 6238), of the secret for typing.
fn code(secret: &str, ahead: u64) -> String {
    let secret = totp_rs::Secret::try_from_base32(secret.replace(' ', "")).unwrap();
    let totp = totp_rs::Builder::new().with_secret(secret).with_account_name("x").with_issuer(Some("x")).build().unwrap();
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    totp.generate(now + ahead * 30).to_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_factor_is_asked_for_and_each_code_is_good_once() {
    let bureau = Bureau::open().await;
    let leader = bureau.sign_in("leader_in_charge").await;
    let secret = leader.does("/api/v1/me/factor", json!({})).await["secret"].as_str().unwrap().to_owned();
    assert_eq!(leader.post("/api/v1/me/factor/confirm", json!({ "code": "000000" })).await.0, StatusCode::UNPROCESSABLE_ENTITY);
    let first = code(&secret, 0);
    leader.does("/api/v1/me/factor/confirm", json!({ "code": first })).await;
    let stranger = nobody(&bureau);
    let login =
        |code: Option<String>| json!({ "username": "leader_in_charge", "password": bureau.password("leader_in_charge"), "code": code });
    let (status, told) = stranger.post("/api/v1/login", login(None)).await;
    assert_eq!((status, told["code"].as_str()), (StatusCode::UNAUTHORIZED, Some("code-needed")));
    assert_eq!(stranger.post("/api/v1/login", login(Some(first))).await.0, StatusCode::UNAUTHORIZED, "that code was used");
    let next = code(&secret, 1);
    assert_eq!(stranger.post("/api/v1/login", login(Some(next.clone()))).await.0, StatusCode::OK);
    assert_eq!(stranger.post("/api/v1/login", login(Some(next))).await.0, StatusCode::UNAUTHORIZED, "a code is good once");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_role_that_has_to_have_a_second_factor_opens_nothing_before() {
    let mut bureau = Bureau::open().await;
    assert!(bureau.terminate());
    let text = std::fs::read_to_string(bureau.config()).unwrap();
    std::fs::write(bureau.config(), text.replacen("[console]", "[console]\nsecond_factor = [\"legal_unit\"]", 1)).unwrap();
    bureau.start().await;
    let legal = bureau.sign_in("legal_unit").await;
    let (status, told) = legal.get("/api/v1/log").await;
    assert_eq!((status, told["code"].as_str()), (StatusCode::FORBIDDEN, Some("factor-needed")));
    let secret = legal.does("/api/v1/me/factor", json!({})).await["secret"].as_str().unwrap().to_owned();
    legal.does("/api/v1/me/factor/confirm", json!({ "code": code(&secret, 0) })).await;
    assert_eq!(legal.get("/api/v1/log").await.0, StatusCode::OK);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_is_good_for_its_days_and_one_login_ends_the_others() {
    let bureau = Bureau::open().await;
    let admin = bureau.sign_in("administrator").await;
    let account = |name: &str, from: &str, until: &str| json!({ "username": name, "name": name, "roles": ["reviewer"], "unit": "land-use", "valid_from": from, "valid_until": until, "password": "wheat river 47 lamp" });
    admin.does("/api/v1/accounts", account("guest", "2026-01-01", "2099-01-01")).await;
    admin.does("/api/v1/accounts", account("former", "2020-01-01", "2020-12-31")).await;
    assert_eq!(admin.post("/api/v1/accounts", account("wrong", "2026-02-01", "2026-01-01")).await.0, StatusCode::UNPROCESSABLE_ENTITY);
    let login = |name: &str| json!({ "username": name, "password": "wheat river 47 lamp" });
    assert_eq!(nobody(&bureau).post("/api/v1/login", login("former")).await.0, StatusCode::UNAUTHORIZED);
    assert_eq!(nobody(&bureau).post("/api/v1/login", login("guest")).await.0, StatusCode::OK);
    // Two logins; one is ended from the other's list.
    let (first, second) = (bureau.sign_in("reviewer").await, bureau.sign_in("reviewer").await);
    let logins = first.get("/api/v1/me/logins").await.1;
    let other = logins.as_array().unwrap().iter().find(|l| l["own"] == false).unwrap()["id"].as_str().unwrap().to_owned();
    assert_eq!(second.get(&format!("/api/v1/me/logins/{other}/end")).await.0, StatusCode::METHOD_NOT_ALLOWED);
    first.does(&format!("/api/v1/me/logins/{other}/end"), json!({})).await;
    assert_eq!(second.get("/api/v1/me").await.0, StatusCode::UNAUTHORIZED);
    assert_eq!(first.get("/api/v1/me").await.0, StatusCode::OK);
    // By choice, signing in ends the others.
    let form = [("csrf", first.csrf.as_str()), ("one", "yes")];
    first.client.post(format!("{}/me/one-login", bureau.url)).form(&form).send().await.unwrap();
    let third = bureau.sign_in("reviewer").await;
    assert_eq!(first.get("/api/v1/me").await.0, StatusCode::UNAUTHORIZED);
    assert_eq!(third.get("/api/v1/me").await.0, StatusCode::OK);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_does_what_its_scopes_say_and_never_looks() {
    let bureau = Bureau::open().await;
    let (officer, session) = bureau.records(100_000).await;
    officer.ends(&session).await;
    let (leader, admin) = (bureau.sign_in("leader_in_charge").await, bureau.sign_in("administrator").await);
    officer.gets_grant(&leader, &session, "copy").await;
    let wanted = |scopes: Value| json!({ "name": "案件系统", "username": "officer", "scopes": scopes, "days": 30 });
    assert_eq!(admin.post("/api/v1/tokens", wanted(json!(["decide_access"]))).await.0, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(officer.post("/api/v1/tokens", wanted(json!(["read_cases"]))).await.0, StatusCode::FORBIDDEN);
    let made = admin.does("/api/v1/tokens", wanted(json!(["read_cases", "list_unit_sessions"]))).await;
    let bearer = format!("Bearer {}", made["token"].as_str().unwrap());
    let ask = async |method: Method, path: String| {
        let request = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap();
        request
            .request(method, format!("{}{path}", bureau.url))
            .header("Authorization", &bearer)
            .json(&json!({}))
            .send()
            .await
            .unwrap()
            .status()
    };
    assert_eq!(ask(Method::GET, "/api/v1/cases".into()).await, StatusCode::OK);
    assert_eq!(ask(Method::GET, format!("/api/v1/sessions/{session}")).await, StatusCode::OK);
    for path in ["/api/v1/accounts", "/api/v1/log", "/api/v1/status", "/api/v1/oversight"] {
        assert_eq!(ask(Method::GET, path.into()).await, StatusCode::FORBIDDEN, "{path}");
    }
    // Its account has a grant, and it is not for another system.
    assert_eq!(ask(Method::POST, format!("/api/v1/sessions/{session}/viewings")).await, StatusCode::FORBIDDEN);
    assert_eq!(ask(Method::GET, format!("/api/v1/sessions/{session}/copy/face/1")).await, StatusCode::FORBIDDEN);
    assert_eq!(ask(Method::GET, "/cases".into()).await, StatusCode::SEE_OTHER, "pages are for people");
    admin.does(&format!("/api/v1/tokens/{}/end", made["id"].as_str().unwrap()), json!({})).await;
    assert_eq!(ask(Method::GET, "/api/v1/cases".into()).await, StatusCode::UNAUTHORIZED);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_administrator_is_made_in_the_browser_with_the_machines_own_word_and_once() {
    let bureau = Bureau::open_empty().await;
    let client = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap();
    let at = |path: &str| format!("{}{path}", bureau.url);
    assert_eq!(client.get(at("/login")).send().await.unwrap().headers()["location"], "/setup");
    let word = std::fs::read_to_string(bureau.data().join("setup-code")).unwrap();
    let form = |code: &str| {
        vec![
            ("setup_code", code.to_owned()),
            ("username", "admin".into()),
            ("name", "卫东升".into()),
            ("password", "wheat river 47 lamp".into()),
        ]
    };
    let wrong = client.post(at("/setup")).form(&form("guess")).send().await.unwrap();
    assert!(wrong.status().is_success() && wrong.text().await.unwrap().contains("设置码"));
    assert_eq!(client.post(at("/setup")).form(&form(&word)).send().await.unwrap().headers()["location"], "/login");
    assert!(!bureau.data().join("setup-code").exists());
    assert_eq!(client.get(at("/setup")).send().await.unwrap().status(), StatusCode::NOT_FOUND);
    assert_eq!(client.post(at("/setup")).form(&form(&word)).send().await.unwrap().status(), StatusCode::NOT_FOUND);
    let login = json!({ "username": "admin", "password": "wheat river 47 lamp" });
    assert_eq!(client.post(at("/api/v1/login")).json(&login).send().await.unwrap().status(), StatusCode::OK);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_password_that_somebody_else_chose_is_changed_before_anything_else_opens() {
    let bureau = Bureau::open().await;
    let admin = bureau.sign_in("administrator").await;
    let account =
        |password: &str| json!({ "username": "wang", "name": "王某", "roles": ["officer"], "unit": "land-use", "password": password });
    for guessable in ["Password123456", "woaini5201314!!", "ziranziyuan2026", "my-wang-2026-11"] {
        let (status, told) = admin.post("/api/v1/accounts", account(guessable)).await;
        assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{guessable}: {told}");
    }
    let id = admin.does("/api/v1/accounts", account("wheat river 47 lamp")).await["id"].as_str().unwrap().to_owned();
    let enters = |password: &'static str| {
        let mut wang = nobody(&bureau);
        wang.client = reqwest::Client::builder().cookie_store(true).redirect(reqwest::redirect::Policy::none()).build().unwrap();
        async move {
            let (status, me) = wang.post("/api/v1/login", json!({ "username": "wang", "password": password })).await;
            me["csrf"].as_str().unwrap_or_default().clone_into(&mut wang.csrf);
            (status, me, wang)
        }
    };
    let (status, me, wang) = enters("wheat river 47 lamp").await;
    assert_eq!((status, me["must_change"].as_bool()), (StatusCode::OK, Some(true)));
    for shut in ["/api/v1/status", "/api/v1/sessions", "/api/v1/me/logins", "/"] {
        let answer = wang.ask(Method::GET, shut, None).await;
        let is_own = shut.starts_with("/api/v1/me");
        assert_eq!(answer.status() == StatusCode::OK, is_own, "{shut}: {}", answer.status());
    }
    assert_eq!(wang.get("/api/v1/status").await.1["code"], "password-due");
    let change = |old: &str, new: &str| json!({ "old": old, "new": new });
    let same = wang.post("/api/v1/me/password", change("wheat river 47 lamp", "wheat river 47 lamp")).await;
    assert_eq!(same.0, StatusCode::UNPROCESSABLE_ENTITY, "{}", same.1);
    wang.does("/api/v1/me/password", change("wheat river 47 lamp", "my own barley 12")).await;
    let (_, me, wang) = enters("my own barley 12").await;
    assert_eq!(me["must_change"].as_bool(), Some(false));
    assert_eq!(wang.get("/api/v1/status").await.0, StatusCode::OK);
    // Whoever forgot theirs and locked themselves out gets another, and their logins end.
    for _ in 0..5 {
        enters("not the right one").await;
    }
    assert_eq!(enters("my own barley 12").await.1["code"], "locked-out");
    admin.does(&format!("/api/v1/accounts/{id}/password"), json!({ "password": "door hill 58 oats" })).await;
    assert_eq!(wang.get("/api/v1/status").await.0, StatusCode::UNAUTHORIZED);
    assert_eq!(enters("door hill 58 oats").await.1["must_change"].as_bool(), Some(true));
    // Nobody finds a slip of paper a month later.
    let catalog = rusqlite::Connection::open(bureau.data().join("catalog.db")).unwrap();
    catalog.busy_timeout(Duration::from_secs(10)).unwrap();
    assert_eq!(catalog.execute("UPDATE accounts SET first_until = first_until - 15 * 86400000 WHERE username = 'wang'", []).unwrap(), 1);
    let (status, told, _) = enters("door hill 58 oats").await;
    assert_eq!((status, told["code"].as_str()), (StatusCode::FORBIDDEN, Some("first-password-over")));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_of_the_catalog_gives_nobody_a_code_and_the_machines_own_user_helps_who_lost_theirs() {
    let mut bureau = Bureau::open().await;
    let admin = bureau.sign_in("administrator").await;
    let secret = admin.does("/api/v1/me/factor", json!({})).await["secret"].as_str().unwrap().replace(' ', "");
    admin.does("/api/v1/me/factor/confirm", json!({ "code": code(&secret, 0) })).await;
    assert!(bureau.terminate());
    let file = bureau.data().join("catalog.db");
    let holds = |secret: &str| std::fs::read(&file).unwrap().windows(secret.len()).any(|w| w == secret.as_bytes());
    assert!(!holds(&secret));
    // What an earlier release kept as it was is sealed at the next start, and goes on being good.
    let kept = |c: &rusqlite::Connection| {
        c.query_row("SELECT totp FROM accounts WHERE username = 'administrator'", [], |r| r.get::<_, String>(0)).unwrap()
    };
    let catalog = rusqlite::Connection::open(&file).unwrap();
    assert!(kept(&catalog).starts_with("sealed:"));
    catalog.execute("UPDATE accounts SET totp = ?1 WHERE username = 'administrator'", [&secret]).unwrap();
    drop(catalog);
    bureau.start().await;
    assert!(kept(&rusqlite::Connection::open(&file).unwrap()).starts_with("sealed:"));
    let stranger = nobody(&bureau);
    let login = |code: Option<String>| json!({ "username": "administrator", "password": bureau.password("administrator"), "code": code });
    assert_eq!(stranger.post("/api/v1/login", login(Some(code(&secret, 1)))).await.0, StatusCode::OK);
    // With the key gone, nobody is let in without the code; the machine's own user makes a new beginning.
    assert!(bureau.terminate());
    std::fs::rename(bureau.data().join("keys/factors.key"), bureau.data().join("factors.gone")).unwrap();
    bureau.start().await;
    let stranger = nobody(&bureau);
    let login = |code: Option<String>| json!({ "username": "administrator", "password": bureau.password("administrator"), "code": code });
    assert!(!stranger.post("/api/v1/login", login(Some(code(&secret, 2)))).await.0.is_success());
    assert!(bureau.log().contains("shilu user reset"), "{}", bureau.log());
    let config = bureau.config();
    let reset = || {
        let mut shilu = std::process::Command::new(support::bureau::SHILU);
        shilu.args(["user", "reset", "--username", "administrator", "--config"]).arg(&config).output().unwrap()
    };
    assert!(!reset().status.success(), "not beside a running recorder");
    assert!(bureau.terminate());
    let out = reset();
    let password = String::from_utf8(out.stdout).unwrap().trim().strip_prefix("password ").unwrap().to_owned();
    bureau.start().await;
    let (status, me) = nobody(&bureau).post("/api/v1/login", json!({ "username": "administrator", "password": password })).await;
    assert_eq!((status, me["must_change"].as_bool()), (StatusCode::OK, Some(true)));
}
