//! `ffmpeg -c copy`, a process a camera, segments of a minute; no sync, no digest.

use crate::cameras::Cameras;
use crate::{Options, Outcome, process, stored};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

pub fn record(cameras: &Cameras, at: &Path, options: &Options) -> Outcome {
    // Its MP4 takes no G.711; Matroska does.
    let (form, ending): (&[&str], _) = if options.pictures {
        (&["-segment_format", "mp4", "-segment_format_options", "movflags=frag_keyframe+empty_moov"], "mp4")
    } else {
        (&["-segment_format", "matroska"], "mkv")
    };
    let start = |n: usize| -> Child {
        let folder = at.join(format!("c{n}"));
        std::fs::create_dir_all(&folder).unwrap();
        Command::new("ffmpeg")
            .args(["-v", "error", "-nostdin", "-rtsp_transport", "tcp", "-i", &cameras.address(n), "-c", "copy", "-f", "segment"])
            .args(["-segment_time", "60", "-reset_timestamps", "1"])
            .args(form)
            .arg(folder.join(format!("%04d.{ending}")))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap()
    };
    let mut children: Vec<Child> = (0..options.cameras).map(start).collect();
    std::thread::sleep(Duration::from_secs(10));
    let pids: Vec<u32> = children.iter().map(Child::id).collect();
    let used = process::measure(&pids, options.seconds);
    for child in &mut children {
        nix::sys::signal::kill(nix::unistd::Pid::from_raw(child.id() as i32), nix::sys::signal::Signal::SIGINT).unwrap();
        let _ = child.wait();
    }
    let mut kept = stored::Kept::default();
    (0..options.cameras).for_each(|n| kept.add(&stored::files(&at.join(format!("c{n}")), ending)));
    Outcome { used, kept, not_durable_ms: None }
}
