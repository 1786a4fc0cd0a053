//! A real RTSP server as the camera: the `cameras` example in a process of its own, ended by its own pid.

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

/// A running server.
pub struct Cameras {
    child: Child,
    /// `rtsp://127.0.0.1:PORT`.
    pub url: String,
    args: Vec<String>,
}

fn program() -> PathBuf {
    let mut path = std::env::current_exe().unwrap();
    path.pop();
    if path.ends_with("deps") {
        path.pop();
    }
    path.join("examples/cameras")
}

fn spawn(args: &[String]) -> (Child, String) {
    let mut child = Command::new(program())
        .args(args)
        .env("TZ", "Asia/Shanghai")
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("the cameras example is built by cargo test");
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let url = line.trim().strip_prefix("ready ").unwrap_or_else(|| panic!("cameras said {line:?}")).to_owned();
    (child, url)
}

fn named(cameras: &[&str]) -> impl Iterator<Item = String> {
    cameras.iter().flat_map(|c| ["--camera".to_owned(), (*c).to_owned()])
}

impl Cameras {
    /// Starts a server with these cameras, e.g. `face,audio=none`.
    pub fn start(cameras: &[&str]) -> Self {
        Self::with(&[], cameras)
    }

    /// The same with options before the cameras.
    pub fn with(options: &[&str], cameras: &[&str]) -> Self {
        let mut args: Vec<String> = options.iter().map(ToString::to_string).collect();
        if !options.contains(&"--port") {
            args.extend(["--port".to_owned(), crate::support::free_port().to_string()]);
        }
        args.extend(named(cameras));
        let (child, url) = spawn(&args);
        Self { child, url, args }
    }

    /// The address of a camera.
    pub fn address(&self, path: &str) -> String {
        format!("{}/{path}", self.url)
    }

    /// Pulls the plug.
    pub fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Comes back at the same address with other cameras.
    pub fn restart_as(&mut self, cameras: &[&str]) {
        let port = self.url.rsplit(':').next().unwrap().to_owned();
        self.args = vec!["--port".to_owned(), port];
        self.args.extend(named(cameras));
        self.restart();
    }

    /// Stops sending, with every connection open.
    pub fn freeze(&self) {
        self.signal(nix::sys::signal::Signal::SIGSTOP);
    }

    /// Goes on.
    pub fn thaw(&self) {
        self.signal(nix::sys::signal::Signal::SIGCONT);
    }

    fn signal(&self, signal: nix::sys::signal::Signal) {
        nix::sys::signal::kill(nix::unistd::Pid::from_raw(self.child.id() as i32), signal).unwrap();
    }

    /// Comes back at the same address.
    pub fn restart(&mut self) {
        (self.child, self.url) = spawn(&self.args);
    }
}

impl Drop for Cameras {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
