//! What an address, a form or a body asks for, as words of the model: read alike for pages and for the API. What cannot be read names nothing.

use crate::model::hold::HoldChange;
use crate::model::ids::{CaseId, DeviceId, MediumId, NotAnId};
use crate::model::refusal::Refusal;
use axum::extract::Multipart;
use bytes::Bytes;

/// An identifier; what cannot be one names nothing.
pub fn id<T>(what: &'static str, text: &str, parse: impl Fn(&str) -> Result<T, NotAnId>) -> Result<T, Refusal> {
    parse(text).map_err(|_| Refusal::no_such(what, text))
}

/// The file of a form: its name without folders, and its content.
pub async fn upload(mut form: Multipart) -> Result<(String, Bytes), Refusal> {
    let bad = |problem: String| Refusal::BadUpload { problem };
    while let Some(field) = form.next_field().await.map_err(|e| bad(e.body_text()))? {
        if field.name() == Some("file") {
            let name = field.file_name().unwrap_or("document").rsplit(['/', '\\']).next().unwrap_or_default().to_owned();
            return Ok((name, field.bytes().await.map_err(|e| bad(e.body_text()))?));
        }
    }
    Err(bad("there is no field named file".into()))
}

/// A case's identifier from an address.
pub fn case(text: &str) -> Result<CaseId, Refusal> {
    id("case", text, CaseId::new)
}

/// The name of a device, from an address.
pub fn device(text: &str) -> Result<DeviceId, Refusal> {
    id("device", text, DeviceId::new)
}

/// The number of a fault, from an address.
pub fn fault_number(text: &str) -> Result<u32, Refusal> {
    text.parse().map_err(|_| Refusal::no_such("fault", text))
}

/// The number of a medium, from an address.
pub fn medium(text: &str) -> Result<MediumId, Refusal> {
    id("medium", text, MediumId::new)
}

/// The word of a form or of a body as a change.
pub fn hold_change(word: &str, reason: String) -> Result<HoldChange, Refusal> {
    Ok(match word {
        "confirm" => HoldChange::Confirmed,
        "ask" => HoldChange::LiftProposed { reason },
        "refuse" => HoldChange::LiftRefused { reason },
        "lift" => HoldChange::Lifted,
        other => return Err(Refusal::no_such("word", other)),
    })
}
