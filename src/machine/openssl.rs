//! The `openssl` program: for RFC 3161 and CMS, which it reads and checks whole and no crate does. A missing program is a fault like
//! any other.

use crate::machine::fault::Fault;
use std::io::Write;
use std::process::{Command, Stdio};

/// What it said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Said {
    /// Whether it ended well.
    pub well: bool,
    /// What it wrote.
    pub out: Vec<u8>,
    /// The last line of its complaints.
    pub complaint: String,
}

/// Runs it with these arguments on these bytes.
pub fn run(arguments: &[&str], input: &[u8]) -> Result<Said, Fault> {
    let fault = |e: std::io::Error| Fault::of("run", "openssl", e);
    let mut child = Command::new("openssl")
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(fault)?;
    if let Some(mut stdin) = child.stdin.take() {
        // A program that reads no further than it needs closes the pipe; its exit code tells.
        let _ = stdin.write_all(input);
    }
    let done = child.wait_with_output().map_err(fault)?;
    let complaint = String::from_utf8_lossy(&done.stderr).lines().last().unwrap_or_default().to_owned();
    Ok(Said { well: done.status.success(), out: done.stdout, complaint })
}
