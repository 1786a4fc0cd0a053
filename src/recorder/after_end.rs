//! What is said of a session that no longer runs (another link, an answer to a demand, a hold, what the log has already): a line behind
//! its journal, a log entry, a row. The seal stays what it was.

use crate::footage::journal::{self, Journal};
use crate::machine::fault::Fault;
use crate::model::digest;
use crate::model::entry::{Draft, EntryKind};
use crate::model::facts::Facts;
use crate::model::ids::AccountId;
use crate::model::missing::AnswerKind;
use crate::model::refusal::Refusal;
use crate::model::session::{Happening, Session, Stamp};
use crate::model::step;
use crate::recorder::{Shared, mirror};
use std::path::Path;
use std::sync::{Mutex, PoisonError};

/// One at a time: two links of one session must not both become its version 2.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

/// The log entry of a link: what it says stands in the catalog, bound by digests.
pub(super) fn link_entry(facts: &Facts, reason: &str) -> Draft {
    let whole = serde_json::to_string(facts).unwrap_or_default();
    Draft::new(EntryKind::SessionLinked)
        .about("facts_sha256", digest::sha256(whole.as_bytes()))
        .text("facts", Some(&whole))
        .text("reason", Some(reason))
}

/// The log entry of an answer to a demand.
pub(super) fn answer_entry(demand: &str, kind: AnswerKind, reason: Option<&str>) -> Draft {
    Draft::new(EntryKind::DemandAnswered).about("demand", demand).about("answer", kind.as_str()).text("reason", reason)
}

/// Links a session that has ended. Blocks on the disk.
pub fn link(shared: &Shared, folder: &Path, by: &AccountId, facts: Facts, reason: String) -> Result<Result<Session, Refusal>, Fault> {
    let entry = link_entry(&facts, &reason).by(by);
    add(shared, folder, &Happening::Linked { by: by.clone(), reason, facts }, entry)
}

/// Answers a demand of a session that has ended. Blocks on the disk.
pub fn answer(
    shared: &Shared,
    folder: &Path,
    by: &AccountId,
    demand: String,
    kind: AnswerKind,
    reason: Option<String>,
) -> Result<Result<Session, Refusal>, Fault> {
    let entry = answer_entry(&demand, kind, reason.as_deref()).by(by);
    add(shared, folder, &Happening::Answered { demand, kind, reason, by: by.clone() }, entry)
}

/// Writes what keeps a session: before its entry, which cannot hold it up (第十九条: a hold bites at once). Blocks on the disk.
pub fn hold(shared: &Shared, folder: &Path, happening: &Happening, entry: Draft) -> Result<Result<Session, Refusal>, Fault> {
    add(shared, folder, happening, entry)
}

/// Writes behind the journal what is already in the log: a correction, a handover, a receipt. Blocks on the disk.
pub fn logged(shared: &Shared, folder: &Path, happening: &Happening) -> Result<Result<Session, Refusal>, Fault> {
    add(shared, folder, happening, None)
}

fn add(shared: &Shared, folder: &Path, happening: &Happening, entry: impl Into<Option<Draft>>) -> Result<Result<Session, Refusal>, Fault> {
    let _turn = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let Some(session) = journal::session(folder)? else {
        return Err(Fault::of("write behind", folder.display().to_string(), "its journal has no first line"));
    };
    if session.is_open() {
        return Ok(Err(Refusal::SessionState { state: session.state.as_str().into() }));
    }
    let now = shared.clock.now();
    let at_ms = (now.utc - session.started_at).num_milliseconds().max(0) as u64;
    let stamp = Stamp { at: now.utc, at_ms };
    match step::step(&session, happening, stamp) {
        Err(refusal) => Ok(Err(refusal)),
        Ok((next, _)) => {
            Journal::open(folder)?.write(stamp, happening)?;
            // A crash here leaves the line without its entry and row: `rebuild` finds the line.
            shared.index(&next, folder, entry.into());
            mirror::copy_papers(shared, folder);
            Ok(Ok(next))
        }
    }
}
