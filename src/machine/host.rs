//! What this machine is like, as far as `shilu check` asks. Nothing here is on the way of a recording.

use crate::machine::fault::Fault;
use std::net::{TcpStream, ToSocketAddrs};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

/// Bytes of memory that programs can still have; none where the kernel does not say.
pub fn memory_available() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/meminfo").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    Some(line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()? * 1024)
}

/// Files that this process may have open at once.
pub fn open_files_max() -> Option<u64> {
    nix::sys::resource::getrlimit(nix::sys::resource::Resource::RLIMIT_NOFILE).ok().map(|(_, hard)| hard)
}

/// Whether every user of this machine may read a file.
pub fn everybody_reads(path: &Path) -> Result<bool, Fault> {
    let mode = std::fs::metadata(path).map_err(|e| Fault::file("look at", path, e))?.permissions().mode();
    Ok(mode & 0o004 != 0)
}

/// User and group that a path belongs to, or the folder in which it would be made.
pub fn owner(path: &Path) -> Option<(u32, u32)> {
    path.ancestors().find_map(|p| std::fs::metadata(p).ok()).map(|found| (found.uid(), found.gid()))
}

/// Whether this is root.
pub fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// The name of a user.
pub fn name_of(user: u32) -> Option<String> {
    let said = said_by("getent", &["passwd", &user.to_string()], 4096);
    said.split_once(':').map(|(name, _)| name.to_owned()).filter(|name| !name.is_empty() && !name.contains(char::is_whitespace))
}

/// Whether this process may write to a file or folder.
pub fn may_write(path: &Path) -> bool {
    nix::unistd::access(path, nix::unistd::AccessFlags::W_OK).is_ok()
}

/// Whether two paths lie on one volume, so that one disk failing takes both.
pub fn on_one_volume(a: &Path, b: &Path) -> bool {
    let device = |path: &Path| path.ancestors().find_map(|p| std::fs::metadata(p).ok()).map(|m| m.dev());
    matches!((device(a), device(b)), (Some(a), Some(b)) if a == b)
}

/// Whether something takes a connection there.
pub fn answers(host: &str, port: u16, wait: Duration) -> bool {
    let Ok(mut addresses) = (host, port).to_socket_addrs() else { return false };
    addresses.any(|address| TcpStream::connect_timeout(&address, wait).is_ok())
}

/// Whether a font has Chinese characters: what is burnt into copies and stills needs one.
pub fn has_chinese_font() -> bool {
    Command::new("fc-list").args([":lang=zh", "family"]).output().is_ok_and(|said| !said.stdout.is_empty())
}

/// What a program of the machine says, cut; its complaint where it could not.
pub fn said_by(program: &str, arguments: &[&str], bytes_max: usize) -> String {
    match Command::new(program).args(arguments).output() {
        Ok(said) => {
            let text = String::from_utf8_lossy(if said.stdout.is_empty() { &said.stderr } else { &said.stdout }).into_owned();
            // The newest lines count.
            let from = (text.len().saturating_sub(bytes_max)..=text.len()).find(|at| text.is_char_boundary(*at)).unwrap_or(0);
            text[from..].to_owned()
        }
        Err(e) => format!("{program}: {e}"),
    }
}

/// Memory of this process (resident), bytes.
pub fn memory_of_this() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    Some(line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()? * 1024)
}
