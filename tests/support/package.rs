//! A sealed session and its package, as whoever fetches it has them.

use crate::support::bureau::{Bureau, Person};
use reqwest::StatusCode;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::{Duration, Instant};

pub const VERIFY: &str = env!("CARGO_BIN_EXE_shilu-verify");

pub fn text(out: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&out.stdout), String::from_utf8_lossy(&out.stderr))
}

pub async fn until(what: &str, mut is: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(40);
    while !is() {
        assert!(Instant::now() < deadline, "never: {what}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

pub fn copy(from: &Path, to: &Path) {
    let done = Command::new("cp").arg("-a").arg(from).arg(to).status().unwrap();
    assert!(done.success());
}

pub fn first(folder: &Path, ending: &str) -> PathBuf {
    let mut all: Vec<PathBuf> = std::fs::read_dir(folder).unwrap().map(|e| e.unwrap().path()).collect();
    all.sort();
    all.into_iter().find(|p| p.to_str().unwrap().ends_with(ending)).unwrap()
}

/// A short session, sealed.
pub async fn records_one(bureau: &Bureau) -> (Person, String, Value) {
    let (officer, id) = bureau.records(200_000).await;
    officer.does(&format!("/api/v1/sessions/{id}/marks"), json!({ "kind": "signing" })).await;
    let sealed = officer.ends(&id).await;
    (officer, id, sealed)
}

/// The package, fetched as a browser does whose line broke in the middle.
pub async fn fetches_package(reviewer: &Person, id: &str, to: &Path) -> Value {
    let made = reviewer.does(&format!("/api/v1/sessions/{id}/package"), json!({})).await;
    let address = format!("/api/v1/packages/{}", made["id"].as_str().unwrap());
    let part = |range: String| {
        let request = reviewer.client.get(format!("{}{address}", reviewer.url)).header("Range", range);
        async move {
            let answer = request.send().await.unwrap();
            assert_eq!(answer.status(), StatusCode::PARTIAL_CONTENT);
            answer.bytes().await.unwrap()
        }
    };
    let whole = made["bytes"].as_u64().unwrap();
    let mut data = part("bytes=0-99999".into()).await.to_vec();
    data.extend(part("bytes=100000-".into()).await);
    assert_eq!(data.len() as u64, whole);
    std::fs::write(to, data).unwrap();
    made
}

pub fn outsider(package: &Path) -> (bool, String) {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/outsider.py");
    let out = Command::new("python3").arg(script).arg(package).output().unwrap();
    (out.status.success(), text(&out))
}

pub fn bend(path: &Path, from_end: usize) {
    let mut data = std::fs::read(path).unwrap();
    let at = data.len() - from_end;
    data[at] ^= 1;
    std::fs::write(path, data).unwrap();
}
