//! How long somebody who looks waits, in real Chromium on two cameras with a gap in one: first pictures after opening, seeks, and how
//! far the cameras drift apart. See `benches/player --help`; results in `RESULTS.md`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout, missing_docs)] // a tool: may fail loudly

#[path = "../tests/support/mod.rs"]
mod support;

use clap::Parser;
use serde_json::{Value, json};
use std::path::Path;
use std::process::Command;
use support::bureau::Bureau;
use support::camera::Cameras;

/// Measures the player.
#[derive(Parser)]
struct Options {
    /// Seconds that are recorded; a third in, the second camera goes away for about a sixth of it.
    #[arg(long, default_value_t = 90)]
    seconds: u64,
    /// How often the recording is opened, and how often it is sought in.
    #[arg(long, default_value_t = 20)]
    times: usize,
    /// Seconds that it plays at each speed.
    #[arg(long, default_value_t = 15)]
    play: u64,
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
    let face = Cameras::start(&["face,size=1280x720,fps=15,kbps=2000"]);
    let mut overview = Cameras::start(&["overview,size=960x540,fps=15,kbps=1000,pattern=smpte,audio=none"]);
    let addresses = [face.address("face"), overview.address("overview")];
    // Files of a minute, as they are without a word in the configuration.
    let bureau = Bureau::open_at(tempfile::tempdir().unwrap(), None, "", "", &addresses).await;
    let mut bureau = in_minutes(bureau).await;
    let officer = bureau.sign_in("officer").await;
    officer.waits_for_pictures().await;
    let session = officer.starts().await;
    let recorded = async |s: u64| tokio::time::sleep(std::time::Duration::from_secs(s)).await;
    recorded(options.seconds / 3).await;
    overview.kill();
    recorded(options.seconds / 6).await;
    overview.restart();
    recorded(options.seconds - options.seconds / 3 - options.seconds / 6).await;
    let sealed = officer.ends(&session).await;
    assert!(!sealed["gaps"].as_array().unwrap().is_empty(), "there is a gap");
    // Nothing but player and recorder has work now.
    drop((face, overview));
    let (leader, reviewer) = (bureau.sign_in("leader_in_charge").await, bureau.sign_in("reviewer").await);
    reviewer.gets_grant(&leader, &session, "view").await;
    let account = json!([{ "role": "reviewer", "username": "reviewer", "password": bureau.password("reviewer") }]);
    let more = json!({ "session": session, "times": options.times, "play": options.play });
    let json = bureau.dir.path().join("demo.json");
    std::fs::write(&json, json!({ "url": bureau.url, "accounts": account, "more": more }).to_string()).unwrap();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/console/figures.mjs");
    let said = Command::new("node").arg(script).arg(&json).output().unwrap();
    let text = String::from_utf8_lossy(&said.stdout);
    eprint!("{}", String::from_utf8_lossy(&said.stderr));
    let figures: Value = serde_json::from_str(text.trim()).unwrap_or_else(|_| panic!("{text}{}", String::from_utf8_lossy(&said.stderr)));
    println!("{:44} {:>7} {:>7} {:>7} {:>7}", "ms", "p50", "p95", "max", "asked");
    for row in figures.as_array().unwrap() {
        let ms = |name: &str| row[name].as_f64().unwrap();
        println!("{:44} {:>7.0} {:>7.0} {:>7.0} {:>7.0}", row["what"].as_str().unwrap(), ms("p50"), ms("p95"), ms("max"), ms("asked"));
    }
    if options.json {
        println!("{figures}");
    }
    bureau.terminate();
}

/// The tests' bureau has files of ten seconds.
async fn in_minutes(mut bureau: Bureau) -> Bureau {
    bureau.terminate();
    let text = std::fs::read_to_string(bureau.config()).unwrap();
    std::fs::write(bureau.config(), text.replace("segment_s = 10\n", "")).unwrap();
    bureau.start().await;
    bureau
}
