//! The sessions of the footage tree, read into the catalog anew (promise 7): of each its journal, or what stayed of it when it was given up.

use crate::acts::Acts;
use crate::catalog::sessions;
use crate::footage::{journal, tree};
use crate::machine::{durable, fault::Fault};
use crate::model::session::Session;
use crate::model::tombstone::Tombstone;
use std::path::Path;

/// The largest tombstone that is read: a session of 8 h and sixteen cameras has some 8,000 files.
const TOMBSTONE_BYTES_MAX: u64 = 16 * 1024 * 1024;
/// Sessions of one transaction.
const BATCH: usize = 256;

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
