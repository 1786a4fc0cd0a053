//! What it costs to encrypt footage and to read it in the clear: processor time of a camera-minute, of each fragment on its way to the
//! disk, and of a player's requests; results in `RESULTS.md`. Recorder, disk and network are left out: the figures are those of the
//! work that encryption adds.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout, missing_docs)] // a tool: may fail loudly

use clap::Parser;
use shilu::footage::cenc::{Sealing, Vectors};
use shilu::footage::clear::ClearFile;
use shilu::footage::fragment;
use shilu::model::content_key::{ContentKey, Keys};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

/// Encrypts a camera-minute (1080p25, 4 Mbit/s, fragments of a fifth of a second) again and again, and reads it in the clear.
#[derive(Parser)]
struct Options {
    /// How many times.
    #[arg(long, default_value_t = 20)]
    rounds: u32,
    /// Given by cargo.
    #[arg(long, hide = true)]
    bench: bool,
}

fn minute(folder: &Path) -> PathBuf {
    let path = folder.join("minute.mp4");
    if !path.exists() {
        let made = Command::new("ffmpeg")
            .args(["-v", "error", "-y", "-f", "lavfi", "-i", "testsrc2=size=1920x1080:rate=25:duration=60", "-c:v", "libx264"])
            .args(["-preset", "ultrafast", "-g", "25", "-bf", "0", "-b:v", "4M", "-minrate", "4M", "-maxrate", "4M", "-bufsize", "4M"])
            .args(["-movflags", "empty_moov+default_base_moof", "-frag_duration", "200000"])
            .arg(&path)
            .status()
            .unwrap();
        assert!(made.success());
    }
    path
}

/// Processor time of this thread so far, s.
fn cpu_s() -> f64 {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    text.split(' ').next().unwrap().parse::<f64>().unwrap() / 1e9
}

fn main() {
    let options = Options::parse();
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("at-rest");
    std::fs::create_dir_all(&folder).unwrap();
    let data = std::fs::read(minute(&folder)).unwrap();
    let (extent, key, kid) = (fragment::extent(&data), ContentKey::new([7; 16]), [9; 16]);
    let (mut sealed, mut each, began) = (Vec::new(), Vec::new(), cpu_s());
    for round in 0..options.rounds {
        let (mut sealing, head) = Sealing::begin(&data[..extent.header], &key, &kid, Vectors::of_file(0, round).unwrap()).unwrap();
        sealed = head.to_vec();
        for at in &extent.fragments {
            let one = Instant::now();
            let fragment = sealing.fragment(&data[at.clone()]).unwrap();
            each.push(one.elapsed().as_secs_f64() * 1e3);
            sealed.extend(fragment);
        }
    }
    each.sort_by(f64::total_cmp);
    println!("encrypting: {:.4} CPU s a camera-minute of {:.1} MB", (cpu_s() - began) / f64::from(options.rounds), data.len() as f64 / 1e6);
    println!("a fragment: p50 {:.3} ms, p99 {:.3} ms", each[each.len() / 2], each[each.len() * 99 / 100]);
    println!("bytes: {:.4} of what they were", sealed.len() as f64 / data.len() as f64);
    let path = folder.join("sealed.mp4");
    std::fs::write(&path, &sealed).unwrap();
    let mut keys = Keys::default();
    keys.add(&"09".repeat(16), key);
    let (whole, began) = (sealed.len() as u64, cpu_s());
    for _ in 0..options.rounds {
        let (mut file, mut at) = (ClearFile::open(&path, whole, &keys).unwrap(), 0);
        while at < whole {
            at += file.piece(at, whole).unwrap().len() as u64;
        }
    }
    println!("reading in the clear: {:.4} CPU s a camera-minute", (cpu_s() - began) / f64::from(options.rounds));
    let began = Instant::now();
    for _ in 0..options.rounds {
        ClearFile::open(&path, whole, &keys).unwrap().piece(whole * 2 / 3, whole).unwrap();
    }
    println!("first bytes of a range in its middle: {:.2} ms", began.elapsed().as_secs_f64() * 1e3 / f64::from(options.rounds));
}
