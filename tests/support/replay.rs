//! Cameras that play a recording and misbehave on demand: the `replay` example in a process of its own.

use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::OnceLock;

/// A running one: cameras `c0`, `c1`, …
pub struct Replay {
    child: Child,
    answers: BufReader<ChildStdout>,
    url: String,
}

/// Ten seconds of pictures, made once: as cameras make them, a key frame a second, no B-frames.
fn source(size: &str) -> PathBuf {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR"));
    let path = folder.join(format!("replay-{size}.h264"));
    if !path.exists() {
        let part = folder.join(format!("replay-{size}-{}.part", std::process::id()));
        let made = Command::new("ffmpeg")
            .args(["-v", "error", "-y", "-f", "lavfi", "-i", &format!("testsrc2=size={size}:rate=25:duration=10")])
            .args(["-c:v", "libx264", "-preset", "veryfast", "-bf", "0", "-b:v", "800k", "-pix_fmt", "yuv420p"])
            .args(["-x264-params", "keyint=25:min-keyint=25:scenecut=0:aud=1:repeat-headers=1", "-f", "h264"])
            .arg(&part)
            .status()
            .unwrap();
        assert!(made.success());
        std::fs::rename(part, &path).unwrap();
    }
    path
}

impl Replay {
    /// Starts so many cameras.
    pub fn start(cameras: usize, audio: bool) -> Self {
        static SOURCES: OnceLock<[PathBuf; 2]> = OnceLock::new();
        let sources = SOURCES.get_or_init(|| [source("640x360"), source("320x180")]);
        let mut program = std::env::current_exe().unwrap();
        program.pop();
        if program.ends_with("deps") {
            program.pop();
        }
        let mut command = Command::new(program.join("examples/replay"));
        for source in sources {
            command.arg("--source").arg(source);
        }
        command.args(["--cameras", &cameras.to_string()]);
        if audio {
            command.arg("--audio");
        }
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let mut answers = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        answers.read_line(&mut line).unwrap();
        let url = line.trim().strip_prefix("ready ").unwrap().into();
        Self { child, answers, url }
    }

    /// A camera's address.
    pub fn address(&self, n: usize) -> String {
        format!("{}/c{n}", self.url)
    }

    /// Tells a camera what to do wrong: `c0 stall on`, `all close`.
    pub fn order(&mut self, order: &str) {
        writeln!(self.child.stdin.as_mut().unwrap(), "{order}").unwrap();
        let mut line = String::new();
        self.answers.read_line(&mut line).unwrap();
        assert_eq!(line.trim(), "done");
    }
}

impl Drop for Replay {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
