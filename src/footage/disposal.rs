//! Giving up a session's files, under an order and never without one (第十八条). What stays goes in first, signed; then everything else of
//! the folder goes. Run again after a crash, it finishes what it began.

use crate::footage::tree::{self, TOMBSTONE, TOMBSTONE_SIGNATURE};
use crate::machine::{durable, fault::Fault};
use crate::model::disposal::Order;
use std::path::Path;

/// What stays, in the form in which it is signed.
#[derive(Debug, Clone)]
pub struct Papers {
    /// `disposed.json` (RFC 8785).
    pub tombstone: Vec<u8>,
    /// Its signature.
    pub signature: Vec<u8>,
    /// The key of who signed, PEM.
    pub signer: Vec<u8>,
}

/// Removes a session's files from a volume. A folder that the volume never had is made for what stays.
pub fn remove(order: &Order, root: &Path, papers: &Papers) -> Result<(), Fault> {
    let folder = root.join(order.folder());
    durable::make_folder(&folder)?;
    durable::write_whole(&folder.join(tree::SIGNER), &papers.signer)?;
    durable::write_whole(&folder.join(TOMBSTONE_SIGNATURE), &papers.signature)?;
    // A crash before this line leaves the session as it was; after it, the folder says that it is going, and nothing brings a file back.
    durable::write_whole(&folder.join(TOMBSTONE), &papers.tombstone)?;
    let stays = [TOMBSTONE, TOMBSTONE_SIGNATURE, tree::SIGNER];
    // The journal last: a folder with one is a session, and recovery would look at it.
    let mut names: Vec<String> = durable::names(&folder)?.into_iter().filter(|n| !stays.contains(&n.as_str())).collect();
    names.sort_by_key(|n| n == tree::JOURNAL);
    for name in names {
        durable::remove_disposed(&folder.join(name))?;
    }
    durable::sync_folder(&folder)
}

/// Whether a folder says that its session was given up.
pub fn is_disposed(folder: &Path) -> bool {
    durable::exists(&folder.join(TOMBSTONE))
}
