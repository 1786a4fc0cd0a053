//! How long the catalog takes to come back: from a footage tree alone, and from a backup. See `benches/rebuild --help`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout, missing_docs)] // a tool: may fail loudly

#[path = "../tests/support/mod.rs"]
mod support;

use clap::Parser;
use serde_json::json;
use std::process::Command;
use std::time::{Duration, Instant};
use support::bureau::Bureau;
use support::many::{Many, fill};

/// Measures `shilu backup`, `shilu restore` and `shilu rebuild`.
#[derive(Parser)]
struct Options {
    /// Sessions in the store.
    #[arg(long, default_value_t = 20_000)]
    sessions: usize,
    /// Given by cargo.
    #[arg(long, hide = true)]
    bench: bool,
}

#[tokio::main]
async fn main() {
    let options = Options::parse();
    let mut bureau = Bureau::open().await;
    let (officer, session) = bureau.records(50_000).await;
    officer.ends(&session).await;
    officer
        .does("/api/v1/cases", json!({ "origin": "own_initiative", "kind": "penalty", "procedure": "ordinary", "parties": ["张三"] }))
        .await;
    let legal = bureau.sign_in("legal_unit").await;
    let letter =
        json!({ "letter_no": "1", "receiving_body": "法院", "kind": "litigation", "received": "2026-11-20", "sessions": [session] });
    legal.does("/api/v1/provisions", letter).await;
    legal.does("/api/v1/media", json!({ "sessions": [session], "kind": "dvd" })).await;
    while legal.get("/api/v1/media").await.1["media"][0]["medium"]["state"] != "ready" {
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    bureau.terminate();
    let n = options.sessions;
    fill(&bureau, &session, Many { sessions: n, cases: n / 10, provisions: n / 100, media: n / 100 });
    let backup = bureau.dir.path().join("backup.db");
    let timed = |what: &str, arguments: &[&str]| {
        let at = Instant::now();
        let out = Command::new(env!("CARGO_BIN_EXE_shilu")).args(arguments).arg("--config").arg(bureau.config()).output().unwrap();
        assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
        let seconds = at.elapsed().as_secs_f64();
        println!("{what:40} {seconds:>7.1} s {:>9.0} sessions/s", n as f64 / seconds);
    };
    timed("backup, restored on trial", &["backup", "--to", backup.to_str().unwrap()]);
    timed("restore, with the files read over it", &["restore", "--over-newer", "--from", backup.to_str().unwrap()]);
    for name in ["catalog.db", "catalog.db-wal", "catalog.db-shm"] {
        let _ = std::fs::remove_file(bureau.data().join(name));
    }
    timed("rebuild, from the files alone", &["rebuild"]);
}
