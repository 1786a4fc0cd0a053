//! What goes onto a medium, put together in its folder; and copies read and compared with its list.

use crate::custody::package::{Member, Source};
use crate::desks::discs::{IMAGE, Jobs, Step, TREE};
use crate::machine::disc::{self, PARITY, Watching};
use crate::machine::{durable, fault::Fault, volume};
use crate::model::digest;
use crate::model::ids::MediumId;
use crate::model::medium::Medium;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// The list of everything on the medium, in the form of `sha256sum`.
const LIST: &str = "contents.sha256";
/// The largest list.
const LIST_BYTES_MAX: u64 = 256 * 1024 * 1024;

/// What was put together.
pub(super) struct Made {
    pub(super) list: Vec<(String, String)>,
    pub(super) bytes: u64,
    pub(super) image_sha256: Option<String>,
}

/// Files, parity, image; each step is said, and stops when it was stopped.
pub(super) fn put_together(jobs: &Jobs, medium: &Medium, folder: &Path, members: Vec<Member>, percent: u64) -> Result<Made, Fault> {
    let (id, tree) = (&medium.id, folder.join(TREE));
    durable::remove_derived_folder(&tree)?;
    let count = members.len().max(1);
    let mut list: Vec<(String, String)> = Vec::new();
    for (n, member) in members.into_iter().enumerate() {
        jobs.watched(id, |w| {
            (w.told)((n * 1000 / count) as u32);
            put_member(&tree, &member, w)
        })?;
        if jobs.cancelled(id) {
            return Err(Fault::of("go on with", id.to_string(), "it was stopped"));
        }
        list.push((member.path, member.sha256));
    }
    let contents = list_text(&list);
    durable::write_derived(&tree.join(LIST), contents.as_bytes())?;
    list.push((LIST.into(), digest::sha256(contents.as_bytes())));
    jobs.step(id, Step::Parity)?;
    let files: Vec<String> = list.iter().map(|(path, _)| path.clone()).collect();
    jobs.watched(id, |w| disc::make_parity(&tree, &files, percent, w))?;
    for name in durable::names(&tree.join(PARITY))? {
        let path = format!("{PARITY}/{name}");
        let sha256 = jobs.watched(id, |w| disc::digest(&tree.join(&path), w))?;
        list.push((path, sha256));
    }
    let mut bytes = 0;
    for (path, _) in &list {
        bytes += durable::length(&tree.join(path))?;
    }
    let image_sha256 = if medium.kind.is_disc() { Some(make_image(jobs, medium, folder, &list)?) } else { None };
    if image_sha256.is_none() {
        jobs.step(id, Step::Comparing)?;
        let paths: Vec<String> = list.iter().map(|(path, _)| path.clone()).collect();
        let found = jobs.watched(id, |w| digests_of(&tree, &paths, jobs, id, w))?;
        no_difference(&compare(&list, &found)?)?;
    } else {
        durable::remove_derived_folder(&tree)?;
    }
    durable::write_whole(&folder.join(LIST), list_text(&list).as_bytes())?;
    Ok(Made { list, bytes, image_sha256 })
}

fn make_image(jobs: &Jobs, medium: &Medium, folder: &Path, list: &[(String, String)]) -> Result<String, Fault> {
    let (id, part) = (&medium.id, folder.join("image.part"));
    durable::remove_marker(&part)?;
    jobs.step(id, Step::Image)?;
    let volume_id = id.as_str().to_uppercase().replace('-', "_");
    jobs.watched(id, |w| disc::make_image(&folder.join(TREE), &part, &volume_id, medium.ordered_at, w))?;
    let (size, room) = (durable::length(&part)?, medium.kind.bytes().unwrap_or(u64::MAX));
    if size > room {
        return Err(Fault::of("make", "an image", format!("it has {size} bytes, and the disc holds {room}")));
    }
    durable::sync_file(&part)?;
    jobs.step(id, Step::Comparing)?;
    let files: Vec<String> = list.iter().map(|(path, _)| path.clone()).collect();
    let drive = format!("stdio:{}", part.display());
    let found = jobs.watched(id, |w| disc::digests(&drive, &files, &folder.join("reading.options"), w))?;
    // A recording that is damaged where it lies is found here: nothing is put onto a medium that is not what was sealed.
    no_difference(&compare(list, &found)?)?;
    let sha256 = jobs.watched(id, |w| disc::digest(&part, w))?;
    durable::rename(&part, &folder.join(IMAGE))?;
    Ok(sha256)
}

fn no_difference(wrong: &[String]) -> Result<(), Fault> {
    match wrong.first() {
        None => Ok(()),
        Some(first) => {
            Err(Fault::of("put", "a medium together", format!("{} files are not what was sealed, the first: {first}", wrong.len())))
        }
    }
}

fn put_member(tree: &Path, member: &Member, watching: &Watching<'_>) -> Result<(), Fault> {
    let to = tree.join(&member.path);
    match &member.source {
        Source::File(path) => disc::put_file(path, &to, watching),
        Source::Made(data) => {
            if let Some(parent) = to.parent() {
                durable::make_folder(parent)?;
            }
            durable::write_derived(&to, data)
        }
        Source::Copy(_) => Err(Fault::of("put", member.path.clone(), "a joined copy does not go onto a medium")),
    }
}

/// Copies a tree's files onto a disk that is plugged in, each durable before the next.
pub(super) fn copy_tree(tree: &Path, to: &Path, files: &[String], mount: &Path, watching: &Watching<'_>) -> Result<(), Fault> {
    if !durable::exists(mount) {
        return Err(Fault::of("write to", mount.display().to_string(), "it is not there; is the disk plugged in?"));
    }
    let mut bytes = 0;
    for file in files {
        bytes += durable::length(&tree.join(file))?;
    }
    let free = volume::room(mount)?.free;
    if free < bytes {
        return Err(Fault::of("write to", mount.display().to_string(), format!("{bytes} bytes are needed, and {free} are free")));
    }
    // What an earlier try left there is nobody's: its copy is void.
    durable::remove_derived_folder(to)?;
    for (n, file) in files.iter().enumerate() {
        let at = to.join(file);
        disc::copy_file(&tree.join(file), &at, watching)?;
        durable::sync_file(&at)?;
        (watching.told)((n * 1000 / files.len().max(1)) as u32);
    }
    Ok(())
}

/// Digests of files as the disk has them, not the memory. What is missing has none.
pub(super) fn digests_of(
    root: &Path,
    files: &[String],
    jobs: &Jobs,
    id: &MediumId,
    watching: &Watching<'_>,
) -> Result<BTreeMap<String, String>, Fault> {
    if !durable::exists(root) {
        return Err(Fault::of("read", root.display().to_string(), "it is not there; is the disk plugged in?"));
    }
    let mut found = BTreeMap::new();
    for (n, file) in files.iter().enumerate() {
        if jobs.cancelled(id) {
            return Err(Fault::of("read", root.display().to_string(), "it was stopped"));
        }
        if let Ok(sha256) = disc::digest(&root.join(file), watching) {
            found.insert(file.clone(), sha256);
        }
        (watching.told)((n * 1000 / files.len().max(1)) as u32);
    }
    Ok(found)
}

pub(super) fn list_text(list: &[(String, String)]) -> String {
    list.iter().map(|(path, sha256)| format!("{sha256}  {path}\n")).collect()
}

pub(super) fn read_list(folder: &Path, sha256: &str) -> Result<Vec<(String, String)>, Fault> {
    let path: PathBuf = folder.join(LIST);
    let data = durable::read_whole(&path, LIST_BYTES_MAX)?;
    if digest::sha256(&data) != sha256 {
        return Err(Fault::of("use", path.display().to_string(), "it is not the list that was logged"));
    }
    let text = String::from_utf8_lossy(&data).into_owned();
    Ok(text.lines().filter_map(|l| l.split_once("  ").map(|(sha256, path)| (path.to_owned(), sha256.to_owned()))).collect())
}

/// The files that are not what the list says. If not one is, something else lies in the drive, and nothing is said of the copy.
pub(super) fn compare(list: &[(String, String)], found: &BTreeMap<String, String>) -> Result<Vec<String>, Fault> {
    let wrong: Vec<String> = list.iter().filter(|(path, sha256)| found.get(path) != Some(sha256)).map(|(path, _)| path.clone()).collect();
    if wrong.len() == list.len() {
        return Err(Fault::of("read", "the medium", "not one of its files is there: is it another one?"));
    }
    Ok(wrong)
}
