//! How long an officer and a clerk wait: a session's start and a mark with sixteen cameras connected, and the case page with ten
//! thousand cases and a hundred thousand sessions in the index. See `benches/desk --help`; results in `RESULTS.md`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout, missing_docs)] // a tool: may fail loudly

#[path = "../tests/support/mod.rs"]
mod support;

use clap::Parser;
use serde_json::{Value, json};
use shilu::catalog::{cases, sessions};
use shilu::model::case::Case;
use shilu::model::ids::{CaseId, SessionId};
use shilu::model::session::Session;
use std::fmt::Write;
use std::time::Instant;
use support::bureau::{Bureau, Person};
use support::replay::Replay;

/// Measures what people at the console wait for.
#[derive(Parser)]
struct Options {
    /// Cameras, two a room.
    #[arg(long, default_value_t = 16)]
    cameras: usize,
    /// Cases in the index.
    #[arg(long, default_value_t = 10_000)]
    cases: usize,
    /// Sessions in the index.
    #[arg(long, default_value_t = 100_000)]
    sessions: usize,
    /// How often each thing is done.
    #[arg(long, default_value_t = 40)]
    times: usize,
    /// End with one line of JSON.
    #[arg(long)]
    json: bool,
    /// Given by cargo.
    #[arg(long, hide = true)]
    bench: bool,
}

#[tokio::main]
async fn main() {
    let options = Options::parse();
    let cameras = Replay::start(options.cameras, true);
    let mut bureau = Bureau::open_at(tempfile::tempdir().unwrap(), None, "", "", &[cameras.address(0), cameras.address(1)]).await;
    let (session, case) = patterns(&bureau).await;
    bureau.terminate();
    let rooms = options.cameras / 2;
    more_rooms(&bureau, &cameras, rooms);
    let case = fill(&bureau, &options, &session, &case);
    bureau.start().await;
    let officer = bureau.sign_in("officer").await;
    all_connected(&officer, options.cameras).await;

    let (mut starts, mut marks) = (Vec::new(), Vec::new());
    while starts.len() < options.times {
        let mut open = Vec::new();
        for room in 1..=rooms {
            let at = Instant::now();
            let started = officer.does("/api/v1/sessions", json!({ "room": format!("room-{room}"), "case_no": "受理-1" })).await;
            starts.push(at.elapsed());
            assert_eq!(started["session"]["state"], "recording");
            open.push(started["session"]["id"].as_str().unwrap().to_owned());
        }
        for id in &open {
            let at = Instant::now();
            officer.does(&format!("/api/v1/sessions/{id}/marks"), json!({ "kind": "note", "text": "量" })).await;
            let (_, view) = officer.get(&format!("/api/v1/sessions/{id}")).await;
            marks.push(at.elapsed());
            assert_eq!(view["session"]["marks"].as_array().unwrap().len(), 1);
        }
        for id in &open {
            officer.ends(id).await;
        }
    }
    let page = async |address: String, holds: &'static str| {
        let mut took = Vec::new();
        for _ in 0..options.times {
            let at = Instant::now();
            let text = officer.client.get(format!("{}{address}", officer.url)).send().await.unwrap().text().await.unwrap();
            took.push(at.elapsed());
            assert!(text.contains(holds), "{address}");
        }
        took
    };
    let all = [
        ("start, until Recording", starts, 300),
        ("mark, durable and on the time line", marks, 200),
        ("case page", page(format!("/cases/{case}"), "全过程记录").await, 100),
        ("list of cases", page("/cases".into(), "受理-").await, 100),
        ("cases by party", page("/cases?text=%E5%BC%A0%E4%B8%89".into(), "受理-").await, 100),
        ("list of sessions", page("/sessions".into(), "room-1").await, 100),
    ];
    println!(
        "{} cameras, {} cases, {} sessions; ms\n{:38} {:>7} {:>7} {:>7} {:>7}",
        options.cameras, options.cases, options.sessions, "", "p50", "p95", "max", "asked"
    );
    let mut told = serde_json::Map::new();
    for (what, mut took, asked) in all {
        took.sort();
        let ms = |share: f64| took[((took.len() - 1) as f64 * share) as usize].as_secs_f64() * 1000.0;
        println!("{what:38} {:>7.1} {:>7.1} {:>7.1} {asked:>7}", ms(0.5), ms(0.95), ms(1.0));
        told.insert(what.into(), json!({ "p50_ms": ms(0.5), "p95_ms": ms(0.95), "max_ms": ms(1.0), "asked_ms": asked }));
    }
    if options.json {
        println!("{}", Value::Object(told));
    }
}

/// A session and a case as the product itself makes them: what fills the index is copied from these.
async fn patterns(bureau: &Bureau) -> (Session, Case) {
    let (officer, id) = bureau.records(50_000).await;
    for right in ["notice_given", "right_statement", "right_defence", "right_recusal", "right_hearing"] {
        officer.does(&format!("/api/v1/sessions/{id}/marks"), json!({ "kind": right, "manner": "oral" })).await;
    }
    officer.ends(&id).await;
    let opened = officer
        .does("/api/v1/cases", json!({ "origin": "own_initiative", "kind": "penalty", "procedure": "ordinary", "parties": ["张三"] }))
        .await;
    let case = opened["id"].as_str().unwrap();
    let record = json!({ "change": "record", "kind": "investigation", "fields": { "officers": "王建国、李红", "certificate_nos": "1、2", "presentation": "已出示" } });
    for _ in 0..8 {
        officer.does(&format!("/api/v1/cases/{case}/changes"), record.clone()).await;
    }
    let read = |sql: &str| -> String {
        let c = rusqlite::Connection::open(bureau.data().join("catalog.db")).unwrap();
        c.query_row(sql, [], |r| r.get(0)).unwrap()
    };
    let session = serde_json::from_str(&read("SELECT doc FROM sessions")).unwrap();
    (session, serde_json::from_str(&read("SELECT doc FROM cases")).unwrap())
}

fn more_rooms(bureau: &Bureau, cameras: &Replay, rooms: usize) {
    let mut text = std::fs::read_to_string(bureau.config()).unwrap();
    for room in 2..=rooms {
        write!(text, "[[rooms]]\nid = \"room-{room}\"\nname = \"第{room}询问室\"\nunit = \"land-use\"\n").unwrap();
        for n in [2 * room - 2, 2 * room - 1] {
            let url = cameras.address(n);
            write!(text, "[[rooms.cameras]]\nid = \"c{n}\"\nname = \"c{n}\"\ndevice_no = \"D-{n}\"\nurl = \"{url}\"\n").unwrap();
        }
    }
    std::fs::write(bureau.config(), text).unwrap();
}

/// Fills the index by the product's own writing; gives a case in its middle.
fn fill(bureau: &Bureau, options: &Options, session: &Session, case: &Case) -> CaseId {
    let mut c = rusqlite::Connection::open(bureau.data().join("catalog.db")).unwrap();
    let t = c.transaction().unwrap();
    let at = Instant::now();
    for n in 0..options.cases {
        let mut one = case.clone();
        one.id = CaseId::new(&format!("c-x{n}")).unwrap();
        one.intake_no = format!("受理-2025-{n:05}");
        cases::put(&t, &one).unwrap();
    }
    for n in 0..options.sessions {
        let mut one = session.clone();
        one.id = SessionId::new(&format!("room-1-x{n}")).unwrap();
        one.started_at -= chrono::TimeDelta::minutes(n as i64 * 5);
        one.links[0].facts.case_no = Some(format!("受理-2025-{:05}", n % options.cases));
        sessions::put(&t, &one, "land-use/x").unwrap();
    }
    t.commit().unwrap();
    eprintln!("filled in {:.0} s", at.elapsed().as_secs_f64());
    CaseId::new(&format!("c-x{}", options.cases / 2)).unwrap()
}

async fn all_connected(officer: &Person, cameras: usize) {
    loop {
        let (_, status) = officer.get("/api/v1/status").await;
        let on = |room: &Value| room["cameras"].as_array().unwrap().iter().filter(|c| c["connected"] == true).count();
        if status["rooms"].as_array().unwrap().iter().map(on).sum::<usize>() == cameras {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(200)).await;
    }
}
