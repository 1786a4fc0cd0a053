//! One whole session through the public API, as a script of the bureau would do it: start → notice → end → seal → request →
//! approval by another person → retrieval → verification.

use crate::cli::Ended;
use crate::cli::demo::Made;
use crate::custody::files::{Files, Silent};
use crate::custody::keys::PublicKey;
use crate::custody::verify::{self, Trust};
use crate::machine::durable;
use crate::machine::terminal::say;
use crate::model::digest;
use reqwest::{Client, Method};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

/// Somebody who is signed in by the API.
struct Caller {
    client: Client,
    url: String,
    csrf: String,
}

impl Caller {
    async fn sign_in(made: &Made, role: &str) -> Result<Self, String> {
        let account = made.accounts.iter().find(|a| a.role == role).ok_or("no such role")?;
        let client = Client::builder().cookie_store(true).timeout(Duration::from_mins(2)).build().map_err(|e| e.to_string())?;
        let mut caller = Self { client, url: made.url.clone(), csrf: String::new() };
        let me = caller.post("/api/v1/login", json!({ "username": account.username, "password": account.password })).await?;
        caller.csrf = text(&me, "csrf")?;
        Ok(caller)
    }

    async fn send(&self, method: Method, path: &str, body: Option<Value>) -> Result<reqwest::Response, String> {
        let mut request = self.client.request(method, format!("{}{path}", self.url)).header("X-Csrf-Token", &self.csrf);
        if let Some(body) = body {
            request = request.json(&body);
        }
        let answer = request.send().await.map_err(|e| format!("{path}: {e}"))?;
        if answer.status().is_success() {
            return Ok(answer);
        }
        let status = answer.status();
        Err(format!("{path}: {status}: {}", answer.text().await.unwrap_or_default()))
    }

    async fn post(&self, path: &str, body: Value) -> Result<Value, String> {
        self.send(Method::POST, path, Some(body)).await?.json().await.map_err(|e| format!("{path}: {e}"))
    }

    async fn get(&self, path: &str) -> Result<Value, String> {
        self.send(Method::GET, path, None).await?.json().await.map_err(|e| format!("{path}: {e}"))
    }

    async fn download(&self, path: &str) -> Result<Vec<u8>, String> {
        self.send(Method::GET, path, None).await?.bytes().await.map(|b| b.to_vec()).map_err(|e| format!("{path}: {e}"))
    }
}

fn text(value: &Value, field: &str) -> Result<String, String> {
    value[field].as_str().map(str::to_owned).ok_or_else(|| format!("the answer has no {field}"))
}

/// Drives it, prints one line of JSON last, and succeeds only if all of it held.
pub async fn once(made: &Made, data: &Path, seconds: u64) -> Ended {
    let officer = Caller::sign_in(made, "officer").await?;
    wait_for_cameras(&officer).await?;
    let facts = json!({
        "room": "room-1", "kind": "interview", "case_no": "威自然资罚〔2026〕12号", "record_no": "2026-0117", "party": "张三", "cause": "未经批准占用土地",
        "officers": [{ "name": "王建国", "certificate_no": "冀E-0311-017" }, { "name": "李红", "certificate_no": "冀E-0311-022" }],
    });
    let session = text(&officer.post("/api/v1/sessions", facts).await?["session"], "id")?;
    officer.post(&format!("/api/v1/sessions/{session}/marks"), json!({ "kind": "notice_given", "text": "口头告知" })).await?;
    tokio::time::sleep(Duration::from_secs(seconds)).await;
    let sealed = officer.post(&format!("/api/v1/sessions/{session}/end"), json!({})).await?;
    let seal_code = sealed["seal"]["code"].as_str().ok_or("the session was not sealed")?.to_owned();

    // Nobody looks without approval: the same person is refused before it and served after it.
    let reviewer = Caller::sign_in(made, "reviewer").await?;
    if reviewer.post(&format!("/api/v1/sessions/{session}/viewings"), json!({})).await.is_ok() {
        return Err("a viewing without a grant was not refused".into());
    }
    let request =
        reviewer.post("/api/v1/access-requests", json!({ "session": session, "purpose": "案件复核", "mode": "copy", "hours": 4 })).await?;
    let leader = Caller::sign_in(made, "leader_in_charge").await?;
    leader.post(&format!("/api/v1/access-requests/{}/approve", text(&request, "id")?), json!({})).await?;

    let segments = sealed["segments"].as_array().cloned().unwrap_or_default();
    let retrieved = data.join("retrieved").join(&session);
    let joined = retrieve(&reviewer, &session, &segments, &retrieved).await?;
    let folder = folder_of(data, &session).ok_or("the session's folder is not in the tree")?;
    let key = durable::read_whole(&data.join("keys/signing.pub.pem"), 4096).map_err(|e| e.to_string())?;
    let key = PublicKey::from_pem(&String::from_utf8_lossy(&key), "signing.pub.pem").map_err(|e| e.to_string())?;
    let trust = Trust::key(&key);
    let reports = [folder.clone(), retrieved.join("originals")].map(|f| verify::verify(&Files::Folder(f), &trust, &Silent));
    for wrong in reports.iter().flat_map(|r| r.wrong.iter().chain(&r.unknown)) {
        tracing::error!("{wrong}");
    }
    let gaps = sealed["gaps"].as_array().map_or(0, Vec::len);
    let verified = reports.iter().all(|r| r.exit_code() == 0 && r.seal_code.as_deref() == Some(&seal_code)) && !segments.is_empty();
    say!(
        "{}",
        json!({
            "session": session, "segments": segments.len(), "gaps": gaps, "bytes": segments.iter().filter_map(|s| s["bytes"].as_u64()).sum::<u64>(),
            "seal_code": seal_code, "folder": folder, "retrieved": joined, "originals": retrieved.join("originals"), "verified": verified,
        })
    );
    Ok(if verified && gaps == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

async fn wait_for_cameras(officer: &Caller) -> Result<(), String> {
    for _ in 0..120 {
        let status = officer.get("/api/v1/status").await?;
        let cameras = status["rooms"][0]["cameras"].as_array().cloned().unwrap_or_default();
        if !cameras.is_empty() && cameras.iter().all(|c| c["connected"] == true) {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    Err("the simulated cameras did not come within a minute".into())
}

/// Takes the originals with their papers, and the face camera as one file; gives that file's path.
async fn retrieve(reviewer: &Caller, session: &str, segments: &[Value], to: &Path) -> Result<PathBuf, String> {
    let originals = to.join("originals");
    durable::make_folder(&originals).map_err(|e| e.to_string())?;
    let save = |path: PathBuf, bytes: Vec<u8>| durable::write_whole(&path, &bytes).map_err(|e| e.to_string());
    for segment in segments {
        let (camera, file) = (text(segment, "camera")?, text(segment, "file")?);
        let bytes = reviewer.download(&format!("/api/v1/sessions/{session}/copy/{camera}/{}", segment["sequence"])).await?;
        if digest::sha256(&bytes) != text(segment, "sha256")? {
            return Err(format!("{file} was not retrieved as it was sealed"));
        }
        save(originals.join(file), bytes)?;
    }
    for paper in ["session.json", "session.json.sig", "signer.pem"] {
        save(originals.join(paper), reviewer.download(&format!("/api/v1/sessions/{session}/copy/papers/{paper}")).await?)?;
    }
    let joined = to.join("room-1-face.mp4");
    save(joined.clone(), reviewer.download(&format!("/api/v1/sessions/{session}/copy/room-1-face/joined")).await?)?;
    Ok(joined)
}

fn folder_of(data: &Path, session: &str) -> Option<PathBuf> {
    let sessions = crate::footage::tree::sessions(&data.join("footage")).ok()?;
    sessions.into_iter().find(|(id, _)| id.as_str() == session).map(|(_, folder)| folder)
}
