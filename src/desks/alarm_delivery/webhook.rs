//! Alarms to another system: a POST of JSON over HTTPS. Who gets it can tell by `Shilu-Signature` that it came from here and is whole, by
//! `Shilu-Timestamp` that it is new, and by `Shilu-Id` whether it has it already. Anything but a 2xx is tried again.

use crate::model::alarm::Severity;
use crate::model::alarm_message::Message;
use chrono::{DateTime, Utc};
use hmac::{Hmac, KeyInit, Mac};
use reqwest::redirect::Policy;
use secrecy::{ExposeSecret, SecretString};
use sha2::Sha256;
use std::time::Duration;

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// Where to post.
#[derive(Debug, Clone)]
pub struct WebhookSettings {
    /// The address.
    pub url: String,
    /// The key that both sides know.
    pub secret: SecretString,
    /// From this severity on.
    pub least: Severity,
}

/// `v1=` and the HMAC-SHA-256, in lower-case hex, of the timestamp, a dot, and the body.
fn signature(secret: &SecretString, timestamp: &str, body: &[u8]) -> Result<String, String> {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.expose_secret().as_bytes()).map_err(|e| e.to_string())?;
    for piece in [timestamp.as_bytes(), b".", body] {
        mac.update(piece);
    }
    let digest = mac.finalize().into_bytes();
    Ok(format!("v1={}", digest.iter().map(|b| format!("{b:02x}")).collect::<String>()))
}

/// Posts a message.
pub(super) async fn send(settings: &WebhookSettings, message: &Message, now: DateTime<Utc>) -> Result<(), String> {
    let body = serde_json::to_vec(message).map_err(|e| e.to_string())?;
    let timestamp = now.timestamp().to_string();
    let signature = signature(&settings.secret, &timestamp, &body)?;
    let client = reqwest::Client::builder().redirect(Policy::none()).timeout(PATIENCE).no_proxy().build();
    let post = client.map_err(|e| plain(&e))?.post(&settings.url).header("Content-Type", "application/json");
    let post = post.header("Shilu-Id", &message.id).header("Shilu-Timestamp", timestamp).header("Shilu-Signature", signature);
    let answer = post.body(body).send().await.map_err(|e| plain(&e))?;
    if answer.status().is_success() { Ok(()) } else { Err(format!("answers {}", answer.status())) }
}

/// What went wrong, without the address: it may hold a token.
fn plain(e: &reqwest::Error) -> String {
    match (e.is_timeout(), e.is_connect()) {
        (true, _) => "does not answer in time".into(),
        (_, true) => "cannot be reached, or its certificate is not trusted".into(),
        _ => "breaks off its answer".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_signature_is_the_one_that_openssl_makes() {
        // printf '1795639300.{}' | openssl dgst -sha256 -hmac geheim
        let made = signature(&"geheim".to_owned().into(), "1795639300", b"{}").unwrap();
        assert_eq!(made, "v1=1dcf21835e99f9ea87e8dadbe711aae48eccd9f628279763661cd530db1ee49d");
    }
}
