//! The programs that make and read discs: `xorriso` (ISO 9660 level 3 with Rock Ridge and Joliet; it writes no UDF) and `par2`. Each runs
//! as a process of the lowest priority that ends with this one, so that nothing of it slows a recording.

use crate::machine::fault::Fault;
use crate::machine::worker::{Stop, Worker};
use crate::machine::{durable, volume, worker};
use chrono::{DateTime, Utc};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Where the parity data lies on a medium.
pub const PARITY: &str = "parity";
/// What they are called.
pub const PARITY_FILE: &str = "disc.par2";
/// Blocks that `par2` cuts the files into, at most and at least; each is repaired whole, and each costs time.
const BLOCKS: (u64, u64) = (100, 2000);
/// So much may stand in a program's arguments; what is smallest goes without parity data before that is passed.
const ARGUMENT_BYTES_MAX: usize = 1_200_000;
/// A block is not smaller than this where there are few: a lost sector is lost with its neighbours.
const BLOCK_BYTES: u64 = 64 * 1024;

/// Told how far it is (thousandths), and handed what ends a program that runs.
pub struct Watching<'a> {
    /// Thousandths of this program's work.
    pub told: &'a dyn Fn(u32),
    /// What ends it.
    pub stop: &'a dyn Fn(Stop),
}

/// Puts a file of the machine under a name in a folder: the same bytes by a second name where both lie on one volume, else a copy.
pub fn put_file(from: &Path, to: &Path, watching: &Watching<'_>) -> Result<(), Fault> {
    if let Some(parent) = to.parent() {
        durable::make_folder(parent)?;
    }
    if durable::link(from, to).is_ok() { Ok(()) } else { copy_file(from, to, watching) }
}

/// Copies a file, by a process of the lowest priority.
pub fn copy_file(from: &Path, to: &Path, watching: &Watching<'_>) -> Result<(), Fault> {
    if let Some(parent) = to.parent() {
        durable::make_folder(parent)?;
    }
    let (from, to) = (from.display().to_string(), to.display().to_string());
    run("cp", &["--sparse=never".into(), "--".into(), from, to], watching, |_| None).map(drop)
}

/// Reed–Solomon parity over these files of a folder, so many percent of their blocks.
pub fn make_parity(tree: &Path, files: &[String], percent: u64, watching: &Watching<'_>) -> Result<(), Fault> {
    durable::make_folder(&tree.join(PARITY))?;
    // The largest first: video is what a bad sector meets.
    let mut sized = files
        .iter()
        .map(|f| Ok((durable::length(&tree.join(f))?, tree.join(f).display().to_string())))
        .collect::<Result<Vec<_>, Fault>>()?;
    sized.sort_unstable_by(|a, b| b.cmp(a));
    let mut told = 0;
    sized.retain(|(bytes, path)| {
        told += path.len() + 1;
        *bytes > 0 && told < ARGUMENT_BYTES_MAX
    });
    let bytes: u64 = sized.iter().map(|(bytes, _)| bytes).sum();
    let blocks = (bytes / BLOCK_BYTES).clamp(BLOCKS.0, BLOCKS.1).max(sized.len() as u64 * 2);
    // A basis that does not end in a slash is taken for the beginning of a name.
    let mut arguments = vec!["create".into(), "-q".into(), "-n1".into(), format!("-r{percent}"), format!("-b{blocks}")];
    arguments.extend(["-B".into(), format!("{}/", tree.display())]);
    arguments.push(tree.join(PARITY).join(PARITY_FILE).display().to_string());
    arguments.extend(sized.into_iter().map(|(_, path)| path));
    run("par2", &arguments, watching, |line| line.strip_prefix("Processing: ").and_then(share)).map(drop)
}

/// An image of a folder. The same folder gives the same image: every date in it is `at`.
pub fn make_image(tree: &Path, image: &Path, volume: &str, at: DateTime<Utc>, watching: &Watching<'_>) -> Result<(), Fault> {
    let date = at.format("%Y%m%d%H%M%S00").to_string();
    let options = [
        "-return_with SORRY 32".to_owned(),
        "-abort_on FATAL".into(),
        format!("-outdev {}", quoted(&format!("stdio:{}", image.display()))?),
        "-compliance iso_9660_level=3:joliet_long_names".into(),
        "-joliet on".into(),
        "-rockridge on".into(),
        format!("-volid {}", quoted(volume)?),
        format!("-volume_date uuid {date}"),
        format!("-volume_date c {date}"),
        format!("-volume_date m {date}"),
        format!("-volume_date all_file_dates {date}"),
        "-uid 0".into(),
        "-gid 0".into(),
        format!("-map {} /", quoted(&tree.display().to_string())?),
        "-find / -type d -exec chmod 0555 --".into(),
        "-find / -type f -exec chmod 0444 --".into(),
        "-commit".into(),
        "-end".into(),
    ];
    xorriso(&options, &image.with_extension("options"), watching).map(drop)
}

/// Burns an image: onto a drive's disc, or into a file as `stdio:/path`.
pub fn burn(image: &Path, drive: &str, watching: &Watching<'_>) -> Result<(), Fault> {
    let (drive, image) = (format!("dev={drive}"), image.display().to_string());
    // The padding keeps a kernel that reads ahead from running off the end of a disc that was written track at once.
    let arguments = ["-as", "cdrecord", "-v", &drive, "blank=as_needed", "padsize=300k", &image].map(ToOwned::to_owned);
    run("xorriso", &arguments, watching, written).map(drop)
}

/// SHA-256 of each of these files as they are read from the disc itself: xorriso reads a drive by SCSI commands, past the system's
/// memory of what was written. A file that is missing has none. `scratch`: a name for the list of commands.
pub fn digests(drive: &str, files: &[String], scratch: &Path, watching: &Watching<'_>) -> Result<BTreeMap<String, String>, Fault> {
    if let Some(path) = drive.strip_prefix("stdio:") {
        // What a file's pages in memory say is no reading of it.
        drop(volume::open_cold(Path::new(path)));
    }
    let mut options = vec!["-abort_on FATAL".to_owned(), "-osirrox on".into(), format!("-indev {}", quoted(drive)?)];
    for (n, file) in files.iter().enumerate() {
        // Each answer says which file it is of: one that is not there has none, and shifts no other.
        options.push(format!("-concat pipe + /bin/sh -c 'echo file {n} $(openssl dgst -sha256 -r)' + {} --", quoted(&format!("/{file}"))?));
    }
    options.push("-end".into());
    durable::write_derived(scratch, (options.join("\n") + "\n").as_bytes())?;
    let arguments = ["-options_from_file".to_owned(), scratch.display().to_string()];
    let mut found = BTreeMap::new();
    let read = run("xorriso", &arguments, watching, |line| {
        let mut words = line.strip_prefix("file ")?.split(' ');
        let (n, hex) = (words.next()?.parse::<usize>().ok()?, words.next()?);
        found.insert(files.get(n)?.clone(), hex.to_owned());
        Some((found.len() * 1000 / files.len().max(1)) as u32)
    });
    drop(durable::remove_derived(scratch));
    // A file that cannot be read whole makes the program end badly; which one it is, is told by its digest.
    match read {
        Err(fault) if found.is_empty() => Err(fault),
        _ => Ok(found),
    }
}

/// SHA-256 of a file as its volume has it, by a process of the lowest priority: images are large.
pub fn digest(path: &Path, watching: &Watching<'_>) -> Result<String, Fault> {
    drop(volume::open_cold(path)?);
    let arguments = ["dgst", "-sha256", "-r", &path.display().to_string()].map(ToOwned::to_owned);
    let said = run("openssl", &arguments, watching, |_| None)?;
    let hex = said.last().and_then(|line| line.split(' ').next()).filter(|hex| hex.len() == 64);
    hex.map(ToOwned::to_owned).ok_or_else(|| Fault::of("digest", path.display().to_string(), "openssl said nothing"))
}

/// Which of these programs are not on this machine.
pub fn missing_programs() -> Vec<&'static str> {
    let there = |name: &&str| ["/usr/bin", "/usr/local/bin", "/bin"].iter().any(|folder| Path::new(folder).join(name).exists());
    ["xorriso", "par2", "openssl", "setpriv"].into_iter().filter(|name| !there(name)).collect()
}

fn xorriso(options: &[String], file: &Path, watching: &Watching<'_>) -> Result<Vec<String>, Fault> {
    durable::write_derived(file, (options.join("\n") + "\n").as_bytes())?;
    let done = run("xorriso", &["-options_from_file".to_owned(), file.display().to_string()], watching, written);
    drop(durable::remove_derived(file));
    done
}

/// `Writing:  1234s  12.3%` or `12 of 345 MB written`.
fn written(line: &str) -> Option<u32> {
    if let Some((_, rest)) = line.split_once("Writing:") {
        return rest.split_whitespace().find(|word| word.ends_with('%')).and_then(share);
    }
    let (before, after) = line.split_once(" of ")?;
    let whole: u64 = after.split_once(" MB written")?.0.trim().parse().ok()?;
    let done: u64 = before.rsplit(' ').next()?.parse().ok()?;
    Some((done * 1000 / whole.max(1)).min(1000) as u32)
}

/// `12.3%` in thousandths.
fn share(text: &str) -> Option<u32> {
    let percent: f64 = text.trim().strip_suffix('%')?.parse().ok()?;
    Some((percent * 10.0).clamp(0.0, 1000.0) as u32)
}

/// A text as xorriso's command language takes it. What would end the quotation is no name of ours.
fn quoted(text: &str) -> Result<String, Fault> {
    if text.contains(['\'', '\n', '\r', '\0']) {
        return Err(Fault::of("name", "a file on a disc", format!("{text:?} cannot be written there")));
    }
    Ok(format!("'{text}'"))
}

/// Runs a program to its end; gives its last lines. What it says goes through `progress` on its way.
fn run(
    program: &str,
    arguments: &[String],
    watching: &Watching<'_>,
    mut progress: impl FnMut(&str) -> Option<u32>,
) -> Result<Vec<String>, Fault> {
    let mut worker = Worker::of_program(program, arguments)?;
    (watching.stop)(worker.stop());
    let mut last: Vec<String> = Vec::new();
    while let Some(line) = worker.line() {
        if let Some(thousandths) = progress(&line) {
            (watching.told)(thousandths);
        } else if !line.trim().is_empty() {
            if last.len() >= worker::LINES_KEPT {
                last.remove(0);
            }
            last.push(line.trim().to_owned());
        }
    }
    if worker.ended()? {
        Ok(last)
    } else {
        let why: Vec<&String> =
            last.iter().filter(|l| l.contains("FAIL") || l.contains("FATAL") || l.contains("SORRY") || l.contains("rror")).collect();
        let why = why.first().map_or_else(|| last.last().cloned().unwrap_or_default(), |l| (*l).clone());
        Err(Fault::of("run", program.to_owned(), if why.is_empty() { "it was ended".to_owned() } else { why }))
    }
}

/// Every file below a folder, as paths below it, sorted.
pub fn files_below(root: &Path) -> Result<Vec<String>, Fault> {
    let (mut found, mut folders) = (Vec::new(), vec![PathBuf::new()]);
    while let Some(below) = folders.pop() {
        for name in durable::names(&root.join(&below))? {
            let path = below.join(name);
            if root.join(&path).is_dir() { folders.push(path) } else { found.push(path.display().to_string()) }
        }
    }
    found.sort_unstable();
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    const QUIET: Watching<'_> = Watching { told: &|_| {}, stop: &|_| {} };

    fn tree(dir: &Path) -> PathBuf {
        let tree = dir.join("tree");
        std::fs::create_dir_all(tree.join("s-1/录像")).unwrap();
        let data: Vec<u8> = (0..3_000_000_u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
        std::fs::write(tree.join("s-1/录像/face.mp4"), data).unwrap();
        std::fs::write(tree.join("README.txt"), "read me").unwrap();
        tree
    }

    #[test]
    fn the_same_folder_gives_the_same_image_and_every_file_is_read_back_from_it() {
        let dir = tempfile::tempdir().unwrap();
        let tree = tree(dir.path());
        let at = "2026-11-25T12:00:00Z".parse().unwrap();
        let image = |name: &str| {
            let image = dir.path().join(name);
            make_image(&tree, &image, "D_2026_0001", at, &QUIET).unwrap();
            std::fs::read(&image).unwrap()
        };
        let first = image("a.iso");
        filetime(&tree.join("README.txt"));
        assert!(first == image("b.iso"));
        let files = files_below(&tree).unwrap();
        let drive = format!("stdio:{}", dir.path().join("drive").display());
        burn(&dir.path().join("a.iso"), &drive, &QUIET).unwrap();
        let wanted = [vec!["not there".to_owned()], files.clone()].concat();
        let found = digests(&drive, &wanted, &dir.path().join("scratch"), &QUIET).unwrap();
        assert!(!found.contains_key("not there"));
        for file in &files {
            assert_eq!(found[file], crate::model::digest::sha256(&std::fs::read(tree.join(file)).unwrap()), "{file}");
        }
    }

    /// Another time of change.
    fn filetime(path: &Path) {
        std::fs::File::options().write(true).open(path).unwrap().set_modified(std::time::SystemTime::UNIX_EPOCH).unwrap();
    }

    #[test]
    fn a_lost_range_of_sectors_is_repaired_from_the_parity_data() {
        let dir = tempfile::tempdir().unwrap();
        let tree = tree(dir.path());
        make_parity(&tree, &files_below(&tree).unwrap(), 10, &QUIET).unwrap();
        let file = tree.join("s-1/录像/face.mp4");
        let whole = std::fs::read(&file).unwrap();
        let mut damaged = whole.clone();
        damaged[1_000_000..1_100_000].fill(0);
        std::fs::write(&file, damaged).unwrap();
        let repair = || {
            std::process::Command::new("par2")
                .args(["repair", "-q"])
                .arg("-B")
                .arg(&tree)
                .arg(tree.join("parity/disc.par2"))
                .output()
                .unwrap()
        };
        assert!(repair().status.success(), "{}", String::from_utf8_lossy(&repair().stdout));
        assert!(std::fs::read(&file).unwrap() == whole);
    }

    #[test]
    fn progress_is_read_from_what_the_programs_say() {
        for (line, wanted) in [
            ("xorriso : UPDATE : Writing:         16s    1.0%   fifo   0%  buf  50%", Some(10)),
            ("xorriso : UPDATE :   12 of   24 MB written (fifo  0%) [buf  50%]", Some(500)),
            ("xorriso : UPDATE :       7 files added in 1 seconds", None),
        ] {
            assert_eq!(written(line), wanted, "{line}");
        }
        assert!(quoted("a'b").is_err() && quoted("a\nb").is_err());
    }
}
