//! Many sessions, cases, provisions and media from one of each that the product itself made: written by the product's own means, into files
//! and catalog alike, as years of work would leave them. The files are small: no video.

use crate::support::bureau::Bureau;
use chrono::TimeDelta;
use shilu::catalog::{cases, media, provisions, sessions};
use shilu::footage::{journal, tree};
use shilu::model::digest;
use shilu::model::ids::{CaseId, MediumId, ProvisionId, SessionId};
use shilu::model::session::Happening;
use shilu::model::{case::Case, medium::Medium, provision::Provision};
use std::path::Path;

/// How many of each.
#[derive(Debug, Clone, Copy)]
pub struct Many {
    pub sessions: usize,
    pub cases: usize,
    pub provisions: usize,
    pub media: usize,
}

fn read<T: serde::de::DeserializeOwned>(c: &rusqlite::Connection, table: &str) -> T {
    let doc: String = c.query_row(&format!("SELECT doc FROM {table} LIMIT 1"), [], |r| r.get(0)).unwrap();
    serde_json::from_str(&doc).unwrap()
}

fn write(folder: &Path, name: &str, doc: &impl serde::Serialize) {
    std::fs::create_dir_all(folder).unwrap();
    std::fs::write(folder.join(name), serde_json::to_vec_pretty(doc).unwrap()).unwrap();
}

/// Fills the store of a bureau that is at rest.
pub fn fill(bureau: &Bureau, pattern: &str, many: Many) {
    fill_with(bureau, pattern, many, false);
}

/// The same; `tiny`: with a file of footage for each session, of a few bytes.
pub fn fill_with(bureau: &Bureau, pattern: &str, many: Many, tiny: bool) {
    let data = bureau.data();
    let mut c = rusqlite::Connection::open(data.join("catalog.db")).unwrap();
    let (lines, _) = journal::read(&bureau.folder(pattern)).unwrap();
    let (case, provision, medium): (Case, Provision, Medium) = (read(&c, "cases"), read(&c, "provisions"), read(&c, "media"));
    let t = c.transaction().unwrap();
    let root = data.join("footage");
    let id = |n: usize| SessionId::new(&format!("room-1-x{n}")).unwrap();
    for n in 0..many.sessions {
        let mut text = Vec::new();
        let (mut place, mut footage) = (None, None);
        for line in &lines {
            let (mut stamp, mut happening) = (line.stamp, line.happening.clone());
            stamp.at -= TimeDelta::minutes(n as i64 * 7);
            if let Happening::Started(start) = &mut happening {
                start.id = id(n);
                start.facts.party = Some(format!("当事人{n}"));
                start.facts.case_no = Some(format!("威自然资罚〔2025〕{}号", n % many.cases.max(1)));
                place = Some(tree::session_folder(&root, start, stamp.at));
            }
            if let Happening::SegmentClosed(segment) = &mut happening
                && tiny
            {
                if footage.is_some() {
                    continue;
                }
                let bytes = format!("picture {n}").into_bytes();
                (segment.bytes, segment.sha256, segment.whole_bytes) = (bytes.len() as u64, digest::sha256(&bytes), None);
                footage = Some((segment.file.clone(), bytes));
            }
            text.extend(journal::line(stamp, &happening));
        }
        let folder = place.unwrap();
        std::fs::create_dir_all(&folder).unwrap();
        if let Some((file, bytes)) = footage {
            std::fs::write(folder.join(file), bytes).unwrap();
        }
        std::fs::write(folder.join(tree::JOURNAL), text).unwrap();
        std::fs::write(folder.join(tree::SIGNATURE), b"").unwrap();
        let session = journal::session(&folder).unwrap().unwrap();
        sessions::put(&t, &session, &folder.strip_prefix(&root).unwrap().display().to_string()).unwrap();
    }
    for n in 0..many.cases {
        let mut one = case.clone();
        one.id = CaseId::new(&format!("c-x{n}")).unwrap();
        one.intake_no = format!("受理-2025-{n:05}");
        write(&data.join("cases").join(one.id.as_str()), "case.json", &one);
        cases::put(&t, &one).unwrap();
    }
    for n in 0..many.provisions {
        let mut one = provision.clone();
        one.id = ProvisionId::new(&format!("p-x{n}")).unwrap();
        one.sessions = vec![id(n % many.sessions.max(1))];
        write(&data.join("provisions").join(one.id.as_str()), "provision.json", &one);
        provisions::put(&t, &one).unwrap();
    }
    for n in 0..many.media {
        let mut one = medium.clone();
        one.id = MediumId::new(&format!("d-2025-{n:04}")).unwrap();
        one.set = one.id.clone();
        one.parts[0].session = id(n % many.sessions.max(1));
        write(&data.join("media").join(one.id.as_str()), "medium.json", &one);
        media::put(&t, &one).unwrap();
    }
    t.commit().unwrap();
}
