//! The bureau's own services beside the recorder: its single sign-on, and its mail.

use crate::support;

use serde_json::json;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use support::authority::certificate;
use support::bureau::Bureau;
use support::free_port;

fn browser_tests() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/console")
}

#[tokio::test(flavor = "multi_thread")]
async fn who_the_bureaus_provider_names_is_let_in_if_an_account_knows_them_and_nobody_else() {
    let mut bureau = Bureau::open().await;
    let admin = bureau.sign_in("administrator").await;
    let inspector =
        json!({ "username": "watching", "name": "监察员", "roles": ["inspector"], "unit": "land-use", "password": "wheat river 47 lamp" });
    admin.does("/api/v1/accounts", inspector).await;
    bureau.knows("watching", "wheat river 47 lamp").await;
    let wang = json!({ "username": "wangjg", "name": "王建国", "roles": ["officer"], "unit": "land-use", "password": "wheat river 47 lamp", "sso_name": "wang.jianguo" });
    admin.does("/api/v1/accounts", wang).await;
    assert!(bureau.terminate());
    let at = bureau.dir.path().to_owned();
    let ((ca, certificate, key), port, secret) = (certificate(&at), free_port(), "5d2f-provider-secret");
    std::fs::write(at.join("sso.secret"), secret).unwrap();
    let url = bureau.url.replace("127.0.0.1", "localhost");
    bureau.configure(&format!(
        "[sso]\nissuer = \"https://localhost:{port}\"\nclient_id = \"shilu\"\nclient_secret_file = \"{}\"",
        at.join("sso.secret").display()
    ));
    bureau.console(&format!("address = \"{url}\""));
    bureau.trusts = Some(ca.clone());
    bureau.start().await;
    let given = json!({ "url": url, "port": port, "client": "shilu", "secret": secret, "certificate": certificate, "key": key, "ca": ca });
    std::fs::write(at.join("sso.json"), given.to_string()).unwrap();
    let mut script = Command::new("node");
    script.arg(browser_tests().join("sso.mjs")).arg(at.join("sso.json"));
    script.args(option_env!("SHILU_SCREENSHOTS"));
    let out = tokio::task::spawn_blocking(move || script.output().unwrap()).await.unwrap();
    let words = format!("{}{}", String::from_utf8_lossy(&out.stdout), String::from_utf8_lossy(&out.stderr));
    assert!(out.status.success() && words.contains("done"), "{words}\n{}", bureau.log());
    // Both are in the log: who came, and that somebody was turned away.
    let log = bureau.sign_in("watching").await.get("/api/v1/log").await.1.to_string();
    assert!(log.contains("\"sso\"") && log.contains("sign_in_failed"), "{log}");
    assert!(!log.contains(secret) && !bureau.log().contains(secret), "a secret was written down");
}

/// A mail server, and what it took.
struct Post(Child, PathBuf);

impl Drop for Post {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_decides_and_who_asked_are_told_by_mail_that_something_waits_and_never_what() {
    let mut bureau = Bureau::open().await;
    let admin = bureau.sign_in("administrator").await;
    for (name, role, unit) in
        [("zhao", "leader_in_charge", "land-use"), ("qian", "leader_in_charge", "mines"), ("sun", "reviewer", "land-use")]
    {
        let email = format!("{name}@bureau.example");
        let leads = if role == "reviewer" { json!([]) } else { json!([unit]) };
        let account = json!({ "username": name, "name": name, "roles": [role], "unit": unit, "leads": leads, "password": "wheat river 47 lamp", "email": email });
        admin.does("/api/v1/accounts", account).await;
        bureau.knows(name, "wheat river 47 lamp").await;
    }
    let (officer, session) = bureau.records(100_000).await;
    officer.ends(&session).await;
    assert!(bureau.terminate());
    let at = bureau.dir.path().to_owned();
    let ((ca, certificate, key), port, password) = (certificate(&at), free_port(), "post-office-93");
    let taken = at.join("taken");
    let server = Command::new("/usr/bin/python3") // where Debian's packages are
        .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/support/post.py"))
        .arg(port.to_string())
        .args([&certificate, &key])
        .args(["shilu", password])
        .stdout(std::fs::File::create(&taken).unwrap())
        .stderr(Stdio::inherit())
        .spawn()
        .unwrap();
    let post = Post(server, taken);
    let deadline = Instant::now() + Duration::from_secs(30);
    while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
        assert!(Instant::now() < deadline, "the post office does not open");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    std::fs::write(at.join("mail.secret"), password).unwrap();
    bureau.configure(&format!(
        "[mail]\nhost = \"localhost\"\nport = {port}\ntls = \"starttls\"\nfrom = \"shilu@bureau.example\"\nuser = \"shilu\"\npassword_file = \"{}\"",
        at.join("mail.secret").display()
    ));
    bureau.console("address = \"https://shilu.bureau.example\"");
    bureau.trusts = Some(ca);
    bureau.start().await;
    let sun = bureau.sign_in("sun").await;
    let request =
        sun.does("/api/v1/access-requests", json!({ "session": session, "purpose": "复核张三案", "mode": "view", "hours": 2 })).await;
    let id = request["id"].as_str().unwrap().to_owned();
    let to_zhao = post.takes("to zhao@bureau.example by shilu tls True", &bureau).await;
    let zhao = bureau.sign_in("zhao").await;
    zhao.does(&format!("/api/v1/access-requests/{id}/approve"), json!({})).await;
    let all = post.takes("to sun@bureau.example by shilu tls True", &bureau).await;
    assert!(!all.contains("qian@"), "the leader of another unit has nothing to decide");
    // Who owns an account hears of what is changed on it, also when an administrator did it.
    let admin = bureau.sign_in("administrator").await;
    let qian =
        admin.get("/api/v1/accounts").await.1.as_array().unwrap().iter().find(|a| a["person"]["username"] == "qian").unwrap().clone();
    let account = format!("/api/v1/accounts/{}", qian["person"]["id"].as_str().unwrap());
    admin.does(&format!("{account}/password"), json!({ "password": "barley hill 58 door" })).await;
    post.takes("to qian@bureau.example by shilu tls True", &bureau).await;
    for mail in [&to_zhao, &all] {
        assert!(mail.contains("From: shilu@bureau.example"), "{mail}");
        assert!(!mail.contains("张三") && !mail.contains("5byg5LiJ"), "what it is about stays inside: {mail}");
    }
    // Without the server, deciding goes on; the journal says why, and nobody's address.
    drop(post);
    let second = sun.does("/api/v1/access-requests", json!({ "session": session, "purpose": "复核", "mode": "view", "hours": 2 })).await;
    zhao.does(&format!("/api/v1/access-requests/{}/approve", second["id"].as_str().unwrap()), json!({})).await;
    let deadline = Instant::now() + Duration::from_secs(40);
    while !bureau.log().contains("a notice by e-mail was not sent") {
        assert!(Instant::now() < deadline, "{}", bureau.log());
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert!(!bureau.log().contains("@bureau.example") && !bureau.log().contains(password), "{}", bureau.log());
}

impl Post {
    /// Waits for such a message, and gives all that came.
    async fn takes(&self, wanted: &str, bureau: &Bureau) -> String {
        let deadline = Instant::now() + Duration::from_secs(40);
        loop {
            let taken = std::fs::read_to_string(&self.1).unwrap();
            if taken.contains(wanted) && taken.trim_end().ends_with(|c: char| c.is_ascii_alphanumeric() || c == '=') {
                return taken;
            }
            assert!(Instant::now() < deadline, "{taken}\n{}", bureau.log());
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
}
