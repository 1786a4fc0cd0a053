//! What is said of a session that no longer runs (another link, an answer to a demand): a line behind its journal, a log entry, a
//! row. The seal stays what it was.

use crate::acts::Acts;
use crate::catalog::sessions;
use crate::footage::journal::{self, Journal};
use crate::footage::tree;
use crate::machine::durable;
use crate::machine::fault::Fault;
use crate::model::disposal::Tombstone;
use crate::model::entry::{Draft, EntryKind};
use crate::model::facts::Facts;
use crate::model::ids::AccountId;
use crate::model::missing::AnswerKind;
use crate::model::refusal::Refusal;
use crate::model::session::{Happening, Session, Stamp};
use crate::model::step;
use crate::recorder::{Shared, mirror, recovery};
use std::path::Path;
use std::sync::{Mutex, PoisonError};

/// The largest tombstone that is read: a session of 8 h and sixteen cameras has some 8,000 files.
const TOMBSTONE_BYTES_MAX: u64 = 16 * 1024 * 1024;

/// Sessions of one transaction when the catalog is made anew.
const BATCH: usize = 256;

/// One at a time: two links of one session must not both become its version 2.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

/// The log entry of an answer to a demand.
pub(super) fn answer_entry(demand: &str, kind: AnswerKind, reason: Option<&str>) -> Draft {
    Draft::new(EntryKind::DemandAnswered).about("demand", demand).about("answer", kind.as_str()).text("reason", reason)
}

/// Links a session that has ended. Blocks on the disk.
pub fn link(shared: &Shared, folder: &Path, by: &AccountId, facts: Facts, reason: String) -> Result<Result<Session, Refusal>, Fault> {
    let entry = recovery::link_entry(&facts, &reason).by(by);
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
            recovery::index(shared, &next, folder, entry.into());
            mirror::copy_papers(shared, folder);
            Ok(Ok(next))
        }
    }
}

/// Reads every journal of the tree into the catalog; gives how many, and which could not be read (promise 7).
pub fn rebuild(acts: &Acts, root: &Path) -> Result<(usize, Vec<String>), Fault> {
    let mut done = 0;
    let mut unread = Vec::new();
    let mut batch: Vec<(Session, String)> = Vec::new();
    for (id, folder) in tree::sessions(root)? {
        match journal::session(&folder) {
            Ok(Some(session)) => {
                let below = folder.strip_prefix(root).unwrap_or(&folder).display().to_string();
                batch.push((session, below));
                done += 1;
                if batch.len() == BATCH {
                    index_all(acts, std::mem::take(&mut batch));
                }
            }
            Ok(None) => unread.push(format!("{id}: its journal has no first line")),
            Err(fault) => unread.push(fault.to_string()),
        }
    }
    for (id, folder) in tree::disposed(root)? {
        let read = durable::read_whole(&folder.join(tree::TOMBSTONE), TOMBSTONE_BYTES_MAX).map_err(|fault| fault.to_string());
        match read.and_then(|data| serde_json::from_slice::<Tombstone>(&data).map_err(|e| format!("{id}: {e}"))) {
            Ok(stays) => {
                let below = folder.strip_prefix(root).unwrap_or(&folder).display().to_string();
                batch.push((stays.session(), below));
                done += 1;
            }
            Err(why) => unread.push(why),
        }
    }
    index_all(acts, batch);
    Ok((done, unread))
}

/// Many in one transaction: each would be synced by itself. One that cannot be written is told, and takes no other with it.
fn index_all(acts: &Acts, batch: Vec<(Session, String)>) {
    acts.index_only(move |t| {
        for (session, below) in &batch {
            if let Err(fault) = sessions::put(t, session, below) {
                tracing::error!(session = %session.id, %fault, "not in the catalog");
            }
        }
        Ok(())
    });
}
