//! Heavy work in a process of its own: it runs this same program at the lowest priority, can be ended at any moment, and takes nothing
//! with it when it fails on what it reads.

use crate::machine::fault::Fault;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};

/// Lines of a program that are kept to say why it failed.
pub const LINES_KEPT: usize = 40;

/// A worker that runs.
pub struct Worker {
    child: Stop,
    said: BufReader<ChildStdout>,
}

/// Ends a worker from elsewhere.
#[derive(Clone)]
pub struct Stop(Arc<Mutex<Child>>);

impl Stop {
    /// Ends it; one that has ended stays so.
    pub fn now(&self) {
        let _ = self.0.lock().unwrap_or_else(PoisonError::into_inner).kill();
    }
}

/// Called by a worker at its beginning: it ends with whoever started it, also with one that was killed. Else it would go on beside the
/// one that the next recorder starts, on the same files. What counts is the thread that started it; it waits for the worker's end.
#[cfg(feature = "recorder")]
pub fn end_with_parent() -> Result<(), Fault> {
    nix::sys::prctl::set_pdeathsig(nix::sys::signal::Signal::SIGKILL).map_err(|e| Fault::of("bind", "a worker to its parent", e))
}

/// The thread that calls this gives way to every other from now on: the least of the processor, and of the disk what goes with that.
#[cfg(feature = "recorder")]
pub fn step_back() -> Result<(), Fault> {
    // On Linux it is the calling thread's priority alone.
    rustix::process::setpriority_process(None, 19).map_err(|e| Fault::of("lower", "a thread's priority", e))
}

impl Worker {
    /// Starts this program again with one argument, and hands it its work.
    pub fn start(argument: &str, work: &[u8]) -> Result<Self, Fault> {
        let fault = |e: std::io::Error| Fault::of("start", "a worker", e);
        let program = std::fs::read_link("/proc/self/exe").map_err(fault)?;
        let mut child = Command::new("nice")
            .args(["-n", "19", "ionice", "-c", "3"])
            .arg(program)
            .arg(argument)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .map_err(fault)?;
        let (stdin, stdout) = (child.stdin.take(), child.stdout.take());
        let (Some(mut stdin), Some(stdout)) = (stdin, stdout) else { return Err(Fault::of("start", "a worker", "it has no pipes")) };
        stdin.write_all(work).map_err(fault)?;
        drop(stdin);
        Ok(Self { child: Stop(Arc::new(Mutex::new(child))), said: BufReader::new(stdout) })
    }

    /// Starts another program at the same priority, without input; what it complains of is heard with what it says. It ends with this
    /// process however that ends: a burner that nobody hears any more would go on.
    pub fn of_program(program: &str, arguments: &[String]) -> Result<Self, Fault> {
        let mut child = Command::new("nice")
            .args(["-n", "19", "ionice", "-c", "3", "setpriv", "--pdeathsig", "KILL", "sh", "-c", "exec \"$@\" 2>&1", "sh", program])
            .args(arguments)
            .env("LC_ALL", "C.UTF-8")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|e| Fault::of("start", program.to_owned(), e))?;
        let Some(stdout) = child.stdout.take() else { return Err(Fault::of("start", program.to_owned(), "it has no pipe")) };
        Ok(Self { child: Stop(Arc::new(Mutex::new(child))), said: BufReader::new(stdout) })
    }

    /// What ends it.
    pub fn stop(&self) -> Stop {
        self.child.clone()
    }

    /// Its next line; none when it has ended. A carriage return, by which programs write over their last line, ends one too.
    pub fn line(&mut self) -> Option<String> {
        let mut line = Vec::new();
        while let Ok(piece) = self.said.fill_buf() {
            if piece.is_empty() {
                break;
            }
            let end = piece.iter().position(|b| matches!(b, b'\n' | b'\r'));
            let taken = end.map_or(piece.len(), |at| at + 1);
            line.extend_from_slice(&piece[..taken]);
            self.said.consume(taken);
            // A program that says no line end for so long says nothing.
            if end.is_some() || line.len() > 64 * 1024 {
                return Some(String::from_utf8_lossy(&line).trim_end().to_owned());
            }
        }
        (!line.is_empty()).then(|| String::from_utf8_lossy(&line).trim_end().to_owned())
    }

    /// Waits for its end; whether it ended well.
    pub fn ended(self) -> Result<bool, Fault> {
        let status = self.child.0.lock().unwrap_or_else(PoisonError::into_inner).wait();
        status.map(|s| s.success()).map_err(|e| Fault::of("wait for", "a worker", e))
    }
}

/// Limits this process before it looks at bytes from outside: memory it may have, seconds of a processor it may use from now on. What
/// goes beyond ends it, and nothing else.
#[cfg(feature = "recorder")]
pub fn limit(memory_bytes: u64, cpu_s: u64) -> Result<(), Fault> {
    use nix::sys::resource::{Resource, UsageWho, getrusage, setrlimit};
    use nix::sys::time::TimeValLike;
    let used = getrusage(UsageWho::RUSAGE_SELF).map_or(0, |u| u.user_time().num_seconds() + u.system_time().num_seconds());
    let cpu = used.max(0) as u64 + cpu_s;
    let set = setrlimit(Resource::RLIMIT_AS, memory_bytes, memory_bytes).and_then(|()| setrlimit(Resource::RLIMIT_CPU, cpu, cpu));
    set.map_err(|e| Fault::of("limit", "a worker", e))
}
