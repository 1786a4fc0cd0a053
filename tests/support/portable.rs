//! What portable devices bring, and how it is handed in.

use crate::support::bureau::Person;
use reqwest::StatusCode;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::process::Command;

/// A real recording of this name, as a device would write it; `arguments` choose what is in it.
pub fn recording(dir: &Path, name: &str, arguments: &str) -> PathBuf {
    let path = dir.join(name);
    let picture = ["-f", "lavfi", "-i", "testsrc=size=320x240:rate=15:duration=4"];
    let sound = ["-f", "lavfi", "-i", "sine=frequency=440:duration=4"];
    let inputs: Vec<&str> = match name.rsplit('.').next().unwrap() {
        "wav" => sound.to_vec(),
        "jpg" => picture.to_vec(),
        _ => [picture, sound].concat(),
    };
    let out =
        Command::new("ffmpeg").args(["-v", "error", "-y"]).args(inputs).args(arguments.split_whitespace()).arg(&path).output().unwrap();
    assert!(out.status.success(), "{name}: {}", String::from_utf8_lossy(&out.stderr));
    path
}

pub const H264: &str = "-c:v libx264 -pix_fmt yuv420p -g 15 -c:a aac";

pub async fn begins(who: &Person, path: &Path, form: Value) -> Value {
    let (name, file) = (path.file_name().unwrap().to_str().unwrap(), std::fs::metadata(path).unwrap());
    let written = file.modified().unwrap().duration_since(std::time::UNIX_EPOCH).unwrap().as_millis() as u64;
    who.does("/api/v1/imports", json!({ "name": name, "bytes": file.len(), "modified_ms": written, "form": form })).await
}

pub async fn sends(who: &Person, id: &str, offset: usize, piece: Vec<u8>) -> (StatusCode, Value) {
    let to = format!("{}/api/v1/imports/{id}?offset={offset}", who.url);
    let answer = who.client.patch(to).header("X-Csrf-Token", &who.csrf).body(piece).send().await.unwrap();
    (answer.status(), answer.json().await.unwrap_or(Value::Null))
}

pub async fn ends(who: &Person, id: &str) -> Value {
    let over = |a: &Value| ["taken_in", "known", "refused", "failed"].contains(&a["state"].as_str().unwrap_or_default());
    who.waits_at(&format!("/api/v1/imports/{id}"), over).await
}

/// Uploads a file in pieces, and gives what became of it.
pub async fn uploads(who: &Person, path: &Path, form: Value) -> Value {
    let id = begins(who, path, form).await["id"].as_str().unwrap().to_owned();
    let data = std::fs::read(path).unwrap();
    for (n, piece) in data.chunks(50_000).enumerate() {
        let (status, answer) = sends(who, &id, n * 50_000, piece.to_vec()).await;
        assert_eq!(status, StatusCode::OK, "{answer}");
    }
    ends(who, &id).await
}

pub async fn takes_in(who: &Person, path: &Path, form: Value) -> String {
    let told = uploads(who, path, form).await;
    assert_eq!(told["state"], "taken_in", "{told}");
    told["session"].as_str().unwrap().to_owned()
}

/// All that the six fields want.
pub fn whole_form(device: &str) -> Value {
    json!({ "device_no": device, "facts": { "case_no": "威自然资罚〔2026〕12号", "party": "张三", "cause": "未经批准占用土地",
        "officers": [{ "name": "王建国", "certificate_no": "冀E-017" }, { "name": "李红", "certificate_no": "冀E-022" }] } })
}
