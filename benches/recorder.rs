//! The recorder beside `ffmpeg -c copy`, in turns, on the same cameras: see `benches/recorder --help`; results in `RESULTS.md`.
//!
//! Both are whole processes that a user would start: `shilu serve` with a session in every room, its files sealed at the end;
//! one `ffmpeg` a camera. What they cost is the operating system's accounting over the same stretch of seconds, start and end
//! left out. What they kept is read from their files: each picture carries its number.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout, missing_docs)] // a tool: may fail loudly

#[path = "parts/cameras.rs"]
mod cameras;
#[path = "parts/ffmpeg.rs"]
mod ffmpeg;
#[path = "parts/process.rs"]
mod process;
#[path = "parts/shilu.rs"]
mod shilu;
#[path = "../tests/support/stored.rs"]
mod stored;

use clap::Parser;
use std::path::PathBuf;

/// Measures Shilu's recorder beside ffmpeg, in turns, on the same simulated cameras (1080p25, about 4 Mbit/s, RTSP/TCP).
#[derive(Parser, Clone)]
pub struct Options {
    /// Cameras.
    #[arg(long, default_value_t = 16)]
    cameras: usize,
    /// Seconds that are measured, after the first five.
    #[arg(long, default_value_t = 60)]
    seconds: u64,
    /// Pictures alone: no sound, no live viewers.
    #[arg(long)]
    pictures: bool,
    /// Measures how old a live picture is when Chromium shows it, instead: one camera, 20 s.
    #[arg(long)]
    live: bool,
    /// Only this recorder: shilu or ffmpeg.
    #[arg(long)]
    only: Option<String>,
    /// Where recordings go; a folder of its own below the build's otherwise.
    #[arg(long)]
    dir: Option<PathBuf>,
    /// Leave the recordings there.
    #[arg(long)]
    keep: bool,
    /// End with one line of JSON.
    #[arg(long)]
    json: bool,
    /// Given by cargo.
    #[arg(long, hide = true)]
    bench: bool,
}

/// What a run of a recorder came to.
pub struct Outcome {
    pub used: process::Used,
    pub kept: stored::Kept,
    /// p50, p99, max of the age of the oldest byte not yet durable, ms; the recorder's own measure.
    pub not_durable_ms: Option<(f64, f64, f64)>,
}

fn main() {
    let options = Options::parse();
    let folder = options.dir.clone().unwrap_or_else(|| PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("bench"));
    std::fs::create_dir_all(&folder).unwrap();
    let source = cameras::source(&folder);
    if options.live {
        return shilu::live(&cameras::Cameras::start(&source, &Options { cameras: 2, ..options.clone() }), &folder.join("live"));
    }
    let run = |name: &str| options.only.as_deref().is_none_or(|only| only == name);
    let measure = |name: &str, recorder: &dyn Fn(&cameras::Cameras, &PathBuf) -> Outcome| {
        let at = folder.join(name);
        let _ = std::fs::remove_dir_all(&at);
        std::fs::create_dir_all(&at).unwrap();
        let cameras = cameras::Cameras::start(&source, &options);
        let outcome = recorder(&cameras, &at);
        tell(name, &options, &outcome);
        if !options.keep {
            let _ = std::fs::remove_dir_all(&at);
        }
        outcome
    };
    println!(
        "{} cameras, {} s, {}\n{:8} {:>12} {:>9} {:>9} {:>11} {:>8} {:>6} {:>7}  not durable p50/p99/max ms",
        options.cameras,
        options.seconds,
        if options.pictures { "pictures alone" } else { "pictures and sound, pre-roll, a live viewer a camera" },
        "",
        "CPU s/cam-min",
        "MB/camera",
        "threads",
        "switches/s",
        "sent",
        "lost",
        "bytes"
    );
    let beside = run("ffmpeg").then(|| measure("ffmpeg", &|c, at| ffmpeg::record(c, at, &options)));
    let ours = run("shilu").then(|| measure("shilu", &|c, at| shilu::record(c, at, &options)));
    let (Some(beside), Some(ours)) = (beside, ours) else { return };
    let per_minute = |o: &Outcome| o.used.cpu_s_per_minute() / options.cameras as f64;
    let ratio = per_minute(&ours) / per_minute(&beside);
    println!("shilu takes {ratio:.2} of ffmpeg's processor time");
    if options.json {
        let (p50, p99, max) = ours.not_durable_ms.unwrap_or_default();
        println!(
            "{}",
            serde_json::json!({
                "cameras": options.cameras, "seconds": options.seconds, "pictures_alone": options.pictures,
                "cpu_s_per_camera_minute": per_minute(&ours), "ffmpeg_cpu_s_per_camera_minute": per_minute(&beside), "ratio_vs_ffmpeg": ratio,
                "sent_frames": ours.kept.expected, "lost_frames": ours.kept.lost, "ffmpeg_lost_frames": beside.kept.lost,
                "rss_mb_per_camera": ours.used.memory_mb / options.cameras as f64, "ffmpeg_rss_mb_per_camera": beside.used.memory_mb / options.cameras as f64,
                "switches_per_s": ours.used.switches_per_s(), "ffmpeg_switches_per_s": beside.used.switches_per_s(),
                "threads": ours.used.threads, "disk_to_media_bytes": ours.kept.overhead(),
                "not_durable_ms_p50": p50, "not_durable_ms_p99": p99, "not_durable_ms_max": max,
            })
        );
    }
}

fn tell(name: &str, options: &Options, o: &Outcome) {
    let durable = o.not_durable_ms.map_or_else(|| "never synced".into(), |(p50, p99, max)| format!("{p50:.0}/{p99:.0}/{max:.0}"));
    println!(
        "{name:8} {:>12.3} {:>9.1} {:>9} {:>11.0} {:>8} {:>6} {:>7.4}  {durable}",
        o.used.cpu_s_per_minute() / options.cameras as f64,
        o.used.memory_mb / options.cameras as f64,
        o.used.threads,
        o.used.switches_per_s(),
        o.kept.expected,
        o.kept.lost,
        if name == "shilu" || options.pictures { o.kept.overhead() } else { f64::NAN },
    );
}
