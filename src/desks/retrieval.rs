//! What is read back from the bucket: parts, whole files, indexes. Everything is checked against the digest that it was put under.

use crate::catalog::archive::Object;
use crate::footage::archive::{Store, StoreFault};
use crate::footage::envelope::Identities;
use crate::machine::durable::{self, Appending};
use crate::machine::fault::Fault;
use crate::model::archive::{Index, PART_BYTES, StoredFile, StoredPart, is_below, parse_index_key};
use crate::model::digest;
use bytes::Bytes;
use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;

/// A piece on its way to a browser.
const PIECE_BYTES: usize = 256 * 1024;
/// What encryption adds at most to a part.
const ENVELOPE_BYTES: u64 = PART_BYTES / 1024 + 65536;
/// Exchanges with the bucket at a time, where many things are fetched.
const AT_A_TIME: usize = 4;
/// The largest index.
const INDEX_BYTES_MAX: u64 = 64 * 1024 * 1024;

/// Why something was not done.
#[derive(Debug, thiserror::Error)]
pub enum Trouble {
    /// The bucket.
    #[error(transparent)]
    Store(#[from] StoreFault),
    /// This machine.
    #[error(transparent)]
    Machine(#[from] Fault),
    /// A file here, or an object there, is not what it has to be.
    #[error("{0}")]
    Altered(String),
}

/// A part's content: fetched, opened, and checked against what was put.
pub fn fetch(store: &Store, opens: Option<&Identities>, part: &StoredPart) -> Result<Vec<u8>, Trouble> {
    let data = store.get(&part.key, Some(&part.version), part.stored_bytes.max(PART_BYTES + ENVELOPE_BYTES))?;
    let data = if part.key.ends_with(".age") {
        let opens = opens.ok_or_else(|| Trouble::Altered("it is encrypted, and no identity file is given".into()))?;
        opens.decrypt(&data)?
    } else {
        data
    };
    if digest::sha256(&data) == part.sha256 { Ok(data) } else { Err(Trouble::Altered(format!("{} is not what was put", part.key))) }
}

/// Makes a file anew from its parts, below a folder; whole, or not at all.
pub fn restore(store: &Store, opens: Option<&Identities>, file: &StoredFile, folder: &Path) -> Result<(), String> {
    if !is_below(&file.name) {
        return Err(format!("{:?} is no name of a file", file.name));
    }
    let path = folder.join(&file.name);
    let told = |e: &dyn std::fmt::Display| format!("{}: {e}", path.display());
    durable::make_folder(path.parent().unwrap_or(folder)).map_err(|e| told(&e))?;
    // Its whole name and more: two files that differ in their endings alone come back at the same time.
    let part_path = path.with_added_extension("restoring");
    durable::remove_marker(&part_path).map_err(|e| told(&e))?;
    let mut to = Appending::create(&part_path).map_err(|e| told(&e))?;
    let mut running = digest::Running::default();
    for part in &file.parts {
        let data = fetch(store, opens, part).map_err(|e| told(&e))?;
        running.update(&data);
        to.append(&data).map_err(|e| told(&e))?;
    }
    to.sync().map_err(|e| told(&e))?;
    if running.hex() != file.sha256 {
        return Err(told(&"its parts do not make it up"));
    }
    // A crash before this line leaves a part that the next restore begins anew.
    durable::rename(&part_path, &path).map_err(|e| told(&e))
}

/// Does work on each of many, a few at a time: a bucket is far away, and each answer is waited for. In their order.
pub fn each<T: Sync, R: Send>(all: &[T], work: impl Fn(&T) -> R + Sync) -> Vec<R> {
    let (next, done) = (AtomicUsize::new(0), Mutex::new(Vec::with_capacity(all.len())));
    let take = || {
        while let Some((at, one)) = Some(next.fetch_add(1, Ordering::Relaxed)).and_then(|at| Some((at, all.get(at)?))) {
            let result = work(one);
            done.lock().unwrap_or_else(PoisonError::into_inner).push((at, result));
        }
    };
    thread::scope(|scope| {
        (1..AT_A_TIME.min(all.len())).for_each(|_| drop(scope.spawn(take)));
        take();
    });
    let mut done = done.into_inner().unwrap_or_else(PoisonError::into_inner);
    done.sort_by_key(|(at, _)| *at);
    done.into_iter().map(|(_, result)| result).collect()
}

/// Number, name and version of an index.
type Numbered = (u64, String, String);

/// The newest index of each item under a site that can be read, and what cannot.
pub fn indexes(store: &Store, opens: Option<&Identities>, site: &str, below: &str) -> Result<(Vec<Index>, Vec<String>), StoreFault> {
    let mut newest: BTreeMap<(String, String), Vec<Numbered>> = BTreeMap::new();
    // Every version is listed: a marker or a later version under the same name hides nothing.
    for version in store.versions(&format!("{site}/index/{below}"))?.into_iter().filter(|v| !v.is_marker) {
        if let Some((kind, id, number)) = parse_index_key(site, &version.key) {
            newest.entry((kind.into(), id.into())).or_default().push((number, version.key.clone(), version.version));
        }
    }
    let newest: Vec<_> = newest.into_iter().collect();
    let read = each(&newest, |((kind, id), all)| {
        let (mut all, mut why) = (all.clone(), String::new());
        all.sort_by_key(|(number, ..)| Reverse(*number));
        let read = all.iter().find_map(|(number, key, version)| match read_index(store, opens, key, version) {
            Ok(index) if index.number == *number && index.kind == *kind && index.id == *id => Some(index),
            Ok(_) => None,
            Err(trouble) => {
                why = trouble.to_string();
                None
            }
        });
        read.ok_or_else(|| format!("{kind} {id}: {why}"))
    });
    let (mut found, mut unread) = (Vec::new(), Vec::new());
    for one in read {
        match one {
            Ok(index) => found.push(index),
            Err(why) => unread.push(why),
        }
    }
    Ok((found, unread))
}

/// One index.
pub fn read_index(store: &Store, opens: Option<&Identities>, key: &str, version: &str) -> Result<Index, Trouble> {
    let data = store.get(key, Some(version), INDEX_BYTES_MAX)?;
    let data = match opens {
        Some(opens) if key.ends_with(".age") => opens.decrypt(&data)?,
        None if key.ends_with(".age") => return Err(Trouble::Altered("it is encrypted, and no identity file is given".into())),
        _ => data,
    };
    serde_json::from_slice(&data).map_err(|e| Trouble::Altered(format!("{key} is no index: {e}")))
}

/// Sends what lies in parts, from a byte up to another. An encrypted part is opened whole: its digest is checked before a byte is given.
pub(super) fn send_parts(
    store: &Store,
    opens: Option<&Identities>,
    parts: &[Object],
    from: u64,
    to: u64,
    give: impl Fn(Result<Bytes, String>) -> bool,
) {
    use std::io::Read;
    let mut at = 0;
    for part in parts {
        let (begin, end) = (at, at + part.stored.bytes);
        at = end;
        let (first, last) = (from.max(begin), to.min(end));
        if first >= last {
            continue;
        }
        let (key, version) = (&part.stored.key, Some(part.stored.version.as_str()));
        let mut left = last - first;
        let opened: Result<Box<dyn Read>, String> = if key.ends_with(".age") {
            fetch(store, opens, &part.stored).map_err(|e| e.to_string()).map(|plain| {
                let wanted = plain[(first - begin) as usize..(last - begin) as usize].to_vec();
                Box::new(std::io::Cursor::new(wanted)) as Box<dyn Read>
            })
        } else {
            let range = Some((first - begin, last - begin));
            store.read(key, version, range).map(|r| Box::new(r) as Box<dyn Read>).map_err(|e| e.to_string())
        };
        let mut reader = match opened {
            Ok(reader) => reader,
            Err(why) => {
                tracing::error!(%key, "cannot be given from the archive: {why}");
                give(Err(why));
                return;
            }
        };
        while left > 0 {
            let mut piece = vec![0; PIECE_BYTES.min(left as usize)];
            let read = reader.read_exact(&mut piece).map_err(|e| e.to_string());
            left -= piece.len() as u64;
            if !give(read.map(|()| Bytes::from(piece))) {
                return;
            }
        }
    }
}
