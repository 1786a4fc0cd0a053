//! The HTTP interface against its own description (`/api/openapi.json`): schemathesis makes requests from it, right ones and wrong ones,
//! in the name of one role after the other. No answer is a fault of the server, every answer is one that the description names, in the
//! form that it names, and nothing that a role may not do succeeds.

use crate::support;

use serde_json::Value;
use std::path::Path;
use std::process::Command;
use support::bureau::{Bureau, Person};

const HOUSE: &str = env!("CARGO_MANIFEST_DIR");
/// What would end the login that asks, never ends, or goes to addresses outside this machine.
const LEFT_OUT: &str =
    "/logout$|/me/password$|/me/logins/|/me/factor|/me/passkeys|/api/v1/events$|/live$|/cameras/(try|find)$|/devices/.*/(ask|clock)$";
/// Requests an operation and role; `SHILU_FUZZ_HTTP=200` goes on for longer.
const EXAMPLES: &str = "4";

/// The table of doors: method and path as the routes have them, and the letter of each caller that finds them open.
fn doors() -> (Vec<String>, Vec<(String, String, String)>) {
    let text = std::fs::read_to_string(Path::new(HOUSE).join("tests/golden/doors.txt")).unwrap();
    let callers = text.lines().nth(1).unwrap().split_whitespace().filter_map(|word| Some(word.split_once('=')?.1.to_owned())).collect();
    let row = |line: &str| {
        let mut words = line.split_whitespace();
        Some((words.next()?.to_owned(), words.next()?.to_owned(), words.next()?.to_owned()))
    };
    (callers, text.lines().skip(3).filter_map(row).map(|(method, open, path)| (method, path, open)).collect())
}

/// Whether an address is of a route.
fn is_of(route: &str, path: &str) -> bool {
    let (mut parts, mut given) = (route.split('/'), path.split('/'));
    loop {
        match (parts.next(), given.next()) {
            (None, None) => return true,
            (Some(part), Some(_)) if part.starts_with('{') => {}
            (Some(part), Some(said)) if part == said => {}
            _ => return false,
        }
    }
}

/// What schemathesis finds in the name of somebody, or nothing; and every request that it made with its answer.
async fn asks(bureau: &Bureau, name: &str, who: Option<&Person>, known: &[(&str, String)]) -> (Option<String>, Vec<(String, String, u16)>) {
    let program = Path::new(HOUSE).join("target/schemathesis/bin/st");
    assert!(program.exists(), "schemathesis is not installed: deploy/setup tests");
    let dir = tempfile::tempdir().unwrap();
    // Some things by their real numbers: a number that names nothing comes no further than the first door.
    let rows = known.iter().map(|(path, id)| {
        let operations = format!("[[operations]]\ninclude-path-regex = \"^/api/v1/{path}/\"\nparameters = {{ \"path.id\" = \"{id}\" }}\n");
        operations
    });
    std::fs::write(dir.path().join("schemathesis.toml"), rows.collect::<String>()).unwrap();
    let mut command = tokio::process::Command::new(program);
    command
        .current_dir(dir.path())
        .arg("--config-file")
        .arg("schemathesis.toml")
        .arg("run")
        .arg(format!("{}/api/openapi.json", bureau.url));
    command.args(["--phases", "examples,fuzzing", "--seed", "2026", "--generation-deterministic"]);
    command.arg("--max-examples").arg(std::env::var("SHILU_FUZZ_HTTP").unwrap_or_else(|_| EXAMPLES.into()));
    command.args(["--checks", "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance"]);
    command.args(["--exclude-path-regex", LEFT_OUT, "--request-timeout", "60", "--no-shrink", "--no-color", "--continue-on-failure"]);
    // One worker: Python 3.11 falls over where two threads read code at the same time ("AST constructor recursion depth mismatch").
    command.args(["--warnings", "off", "--suppress-health-check", "all", "--max-redirects", "0", "--workers", "1"]);
    command.args(["--report", "har", "--report-har-path", "asked.har", "--output-sanitize", "true"]);
    if let Some(who) = who {
        command.args(["--header", &format!("Cookie: {}", who.cookie), "--header", &format!("X-Csrf-Token: {}", who.csrf)]);
    }
    let out = command.output().await.unwrap();
    let said = String::from_utf8_lossy(&out.stdout).into_owned();
    let asked: Value = serde_json::from_slice(&std::fs::read(dir.path().join("asked.har")).unwrap_or_default())
        .unwrap_or_else(|e| panic!("{name}: {e}: {said}{}", String::from_utf8_lossy(&out.stderr)));
    let all = asked["log"]["entries"].as_array().unwrap().iter().map(|entry| {
        let url = entry["request"]["url"].as_str().unwrap().strip_prefix(&bureau.url).unwrap_or_default();
        let path = url.split(['?', '#']).next().unwrap().to_owned();
        (entry["request"]["method"].as_str().unwrap().to_owned(), path, entry["response"]["status"].as_u64().unwrap_or_default() as u16)
    });
    ((!out.status.success()).then_some(said), all.collect())
}

#[tokio::test(flavor = "multi_thread")]
async fn every_answer_is_as_described_and_nothing_succeeds_that_a_role_may_not_do() {
    let bureau = Bureau::open().await;
    let (officer, session) = bureau.records(20_000).await;
    officer.ends(&session).await;
    let case = officer.get("/api/v1/cases").await.1["cases"][0]["id"].as_str().map(str::to_owned);
    let request =
        officer.does("/api/v1/access-requests", serde_json::json!({ "session": session, "purpose": "复核", "mode": "view", "hours": 2 }));
    let request = request.await["id"].as_str().unwrap().to_owned();
    let mut known = vec![("sessions", session.clone()), ("access-requests", request)];
    known.extend(case.map(|id| ("cases", id)));
    let (callers, doors) = doors();
    let (mut wrong, mut count) = (vec![], 0);
    for (name, known) in [
        ("nobody", &known[..]),
        ("officer", &known[..]),
        ("leader_in_charge", &known[..]),
        ("custodian", &[][..]),
        ("inspector", &known[..]),
        ("administrator", &[][..]),
    ] {
        let who = if name == "nobody" { None } else { Some(bureau.sign_in(name).await) };
        let (found, asked) = asks(&bureau, name, who.as_ref(), known).await;
        wrong.extend(found.map(|said| format!("== {name}\n{said}")));
        count += asked.len();
        let letter = callers.iter().position(|c| c == name).unwrap();
        for (method, path, status) in asked.iter().filter(|(.., status)| (200..300).contains(status)) {
            let door = doors.iter().find(|(m, route, _)| m == method && is_of(route, path));
            let open = door.map_or("", |(.., open)| open.as_str());
            if open.as_bytes().get(letter) != Some(&b'+') {
                wrong.push(format!("== {name}: {method} {path} answered {status}, and the table of doors says {open:?}"));
            }
        }
        let succeeded = asked.iter().filter(|(.., status)| (200..300).contains(status)).count();
        println!("{name}: {} requests, {succeeded} succeeded", asked.len());
        assert!(name == "nobody" || succeeded > 10, "{name}: of {} requests only {succeeded} succeeded", asked.len());
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(count > 1_000, "only {count} requests");
    let log = bureau.log();
    assert!(!log.contains("panicked"), "{log}");
    assert!(Command::new(env!("CARGO_BIN_EXE_shilu-verify")).arg(bureau.folder(&session)).output().unwrap().status.success());
}
