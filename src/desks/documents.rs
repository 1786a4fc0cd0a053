//! Scans and photographs attached to a session: sniffed, bounded, stored by digest, never executed.

use crate::catalog::documents::{self, DocumentRow};
use crate::desks::sessions::Document;
use crate::desks::{Answer, Desks, blocking};
use crate::footage::tree;
use crate::machine::durable;
use crate::model::digest;
use crate::model::entry::{Draft, EntryKind};
use crate::model::ids::SessionId;
use crate::model::people::{Act, Person};
use crate::model::refusal::Refusal;
use crate::model::words;
use bytes::Bytes;

/// Largest document.
pub const BYTES_MAX: usize = 20 * 1024 * 1024;

impl Desks {
    /// Attaches a PNG, JPEG or PDF of at most 20 MB.
    pub async fn attach(&self, who: &Person, session: &SessionId, name: &str, content: Bytes) -> Answer<Document> {
        self.need(who, Act::LinkSession)?;
        let doc = self.known(who, session).await?;
        let name = words::needed_line("name", name).map_err(Refusal::from)?;
        let (media_type, ending) = sniff(&content)?;
        let sha256 = digest::sha256(&content);
        let folder = self.footage().join(&doc.folder).join(tree::DOCUMENTS);
        let (path, bytes) = (folder.join(format!("{sha256}.{ending}")), content.len() as u64);
        blocking("storing a document", move || {
            durable::make_folder(&folder)?;
            // The same content twice is one file; a crash here leaves a file that no row names, and no harm.
            if durable::exists(&path) { Ok(()) } else { durable::write_whole(&path, &content) }
        })
        .await??;
        let row = DocumentRow {
            sha256: sha256.clone(),
            name: name.clone(),
            media_type: media_type.into(),
            bytes,
            at_ms: self.now_ms(),
            by: who.id.to_string(),
        };
        let draft = Draft::new(EntryKind::DocumentAttached)
            .by(&who.id)
            .in_session(session)
            .about("sha256", &sha256)
            .about("bytes", bytes)
            .text("name", Some(&name));
        let (kept, to) = (row.clone(), session.to_string());
        self.acts.log_then_do(draft, move |t| documents::add(t, &to, &kept)).await?;
        Ok(Document { by: who.name.clone(), ..Document::from(row) })
    }
}

/// The same, and office documents, which are stored and given out for saving, never opened here.
pub(super) fn sniff_any(content: &[u8]) -> Result<(&'static str, &'static str), Refusal> {
    let holds = |name: &[u8]| content.windows(name.len()).take(64 * 1024).any(|w| w == name);
    match content {
        _ if content.len() > BYTES_MAX => sniff(content),
        [b'P', b'K', 3, 4, ..] if holds(b"word/") => Ok((DOCX, "docx")),
        [b'P', b'K', 3, 4, ..] if holds(b"xl/") => Ok((XLSX, "xlsx")),
        [0xD0, 0xCF, 0x11, 0xE0, 0xA1, 0xB1, 0x1A, 0xE1, ..] => Ok(("application/x-ole-storage", "doc")),
        _ => sniff(content),
    }
}

/// How the file of a media type ends on disk.
pub(super) fn ending_of(media_type: &str) -> &'static str {
    match media_type {
        "image/png" => "png",
        "image/jpeg" => "jpg",
        "application/pdf" => "pdf",
        DOCX => "docx",
        XLSX => "xlsx",
        _ => "doc",
    }
}

const DOCX: &str = "application/vnd.openxmlformats-officedocument.wordprocessingml.document";
const XLSX: &str = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet";

/// The type that the bytes themselves show; what the browser says is not believed.
pub(super) fn sniff(content: &[u8]) -> Result<(&'static str, &'static str), Refusal> {
    let bad = |problem: &str| Refusal::BadUpload { problem: problem.into() };
    if content.len() > BYTES_MAX {
        return Err(bad("it is larger than 20 MB"));
    }
    match content {
        [0x89, b'P', b'N', b'G', 0x0D, 0x0A, 0x1A, 0x0A, ..] => Ok(("image/png", "png")),
        [0xFF, 0xD8, 0xFF, ..] => Ok(("image/jpeg", "jpg")),
        [b'%', b'P', b'D', b'F', b'-', ..] => Ok(("application/pdf", "pdf")),
        [] => Err(bad("it is empty")),
        _ => Err(bad("it is no PNG, JPEG or PDF; scan or export it as one of these")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_upload_that_is_no_image_is_refused_whatever_its_name() {
        assert!(sniff(b"<script>").is_err());
        assert!(sniff(b"").is_err());
        assert_eq!(sniff(b"%PDF-1.7").unwrap().1, "pdf");
        let zipped = [&b"PK\x03\x04............word/document.xml"[..], b"..."].concat();
        assert!(sniff(&zipped).is_err() && sniff_any(&zipped).unwrap().1 == "docx");
        assert!(sniff_any(b"PK\x03\x04 anything else").is_err());
    }
}
