//! The cameras: the `replay` example in a process of its own, with a recording made once.

use crate::Options;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// Ten seconds of 1080p25 at about 4 Mbit/s, a key frame a second, as cameras make it.
pub fn source(folder: &Path) -> PathBuf {
    let path = folder.join("1080p25-4M.h264");
    if !path.exists() {
        let part = folder.join("part.h264");
        let made = Command::new("ffmpeg")
            .args(["-v", "error", "-y", "-f", "lavfi", "-i", "testsrc2=size=1920x1080:rate=25:duration=10,noise=alls=12:allf=t"])
            .args([
                "-c:v", "libx264", "-preset", "veryfast", "-bf", "0", "-b:v", "4M", "-minrate", "4M", "-maxrate", "4M", "-bufsize", "4M",
            ])
            .args(["-pix_fmt", "yuv420p", "-x264-params", "keyint=25:min-keyint=25:scenecut=0:aud=1:repeat-headers=1", "-f", "h264"])
            .arg(&part)
            .status()
            .unwrap();
        assert!(made.success(), "ffmpeg makes the recording");
        std::fs::rename(part, &path).unwrap();
    }
    path
}

pub struct Cameras {
    child: Child,
    url: String,
}

impl Cameras {
    pub fn start(source: &Path, options: &Options) -> Self {
        let program = std::env::current_exe().unwrap().parent().unwrap().parent().unwrap().join("examples/replay");
        let mut command = Command::new(program);
        command.arg("--source").arg(source).args(["--cameras", &options.cameras.to_string()]);
        if !options.pictures {
            command.arg("--audio");
        }
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        Self { child, url: line.trim().strip_prefix("ready ").unwrap().into() }
    }

    pub fn address(&self, n: usize) -> String {
        format!("{}/c{n}", self.url)
    }
}

impl Drop for Cameras {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
