//! The catalog made anew from files alone (promise 7): every part that keeps files of its own, in one list.

use crate::acts::Acts;
use crate::catalog::{Writing, cases, devices as index, disposals, imports, media, provisions};
use crate::desks::{check_outs, disposal, equipment};
use crate::machine::{durable, fault::Fault};
use crate::model::case::Case;
use crate::model::check_out::CheckedOut;
use crate::model::device::Device;
use crate::model::disposal::Disposal;
use crate::model::medium::Medium;
use crate::model::provision::Provision;
use crate::recorder::reindex;
use serde::de::DeserializeOwned;
use std::path::Path;

/// The largest file of one case, provision, medium or disposal.
const FILE_BYTES_MAX: u64 = 256 * 1024 * 1024;

/// What was read of one kind of file.
pub struct Read {
    /// Which kind.
    pub what: &'static str,
    /// How many, and which could not be read.
    pub result: Result<(usize, Vec<String>), Fault>,
}

/// Reads everything into the catalog, over what is there. Rows that come from no file stay as they are.
pub fn all(acts: &Acts, footage: &Path, data: &Path) -> Vec<Read> {
    let read = |what, result| Read { what, result };
    vec![
        read("sessions", reindex::rebuild(acts, footage)),
        read("cases", each(acts, &data.join("cases"), "case.json", |t, case: &Case| cases::put(t, case))),
        read("provisions", each(acts, &data.join("provisions"), "provision.json", |t, p: &Provision| provisions::put(t, p))),
        read("media", each(acts, &data.join("media"), "medium.json", |t, m: &Medium| media::put(t, m))),
        read("check-outs", each(acts, &data.join(check_outs::FOLDER), check_outs::FILE, |t, o: &CheckedOut| imports::put_check_out(t, o))),
        read("disposals", each(acts, &data.join("disposals"), disposal::DISPOSAL, |t, d: &Disposal| disposals::put(t, d))),
        read("devices", each(acts, &data.join(equipment::FOLDER), equipment::FILE, |t, d: &Device| index::put(t, d))),
    ]
}

/// Reads the one file of each folder below a root into the catalog.
fn each<T: DeserializeOwned + Send + 'static>(
    acts: &Acts,
    root: &Path,
    file: &str,
    put: impl Fn(&Writing<'_>, &T) -> Result<(), Fault> + Copy + Send + 'static,
) -> Result<(usize, Vec<String>), Fault> {
    let mut done = 0;
    let unread = read_each(root, file, FILE_BYTES_MAX, |one: T| {
        acts.index_only(move |t| put(t, &one));
        done += 1;
    })?;
    Ok((done, unread))
}

/// Reads the one file of each folder below a root, and gives what could not be read. A root that is not there holds nothing yet; one
/// that cannot be listed is a fault, and never taken for empty. What cannot be read keeps nothing else from being read.
pub(super) fn read_each<T: DeserializeOwned>(
    root: &Path,
    file: &str,
    bytes_max: u64,
    mut take: impl FnMut(T),
) -> Result<Vec<String>, Fault> {
    let mut unread = Vec::new();
    for name in durable::names(root)? {
        let path = root.join(&name).join(file);
        let data = durable::read_whole(&path, bytes_max).map_err(|fault| fault.to_string());
        match data.and_then(|data| serde_json::from_slice(&data).map_err(|e| format!("{}: {e}", path.display()))) {
            Ok(one) => take(one),
            Err(why) => unread.push(why),
        }
    }
    Ok(unread)
}
