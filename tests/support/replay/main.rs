//! Cameras that play a recording: an RTSP server of next to no cost, which misbehaves on demand.
//!
//! For the benchmark and for faults that a good server never shows; `deploy/cameras.rs` is the good server. Every picture
//! carries its number and the wall clock in an SEI message of its own, so that a stored file tells by itself what is missing.
//!
//! ```text
//! replay --source a.h264 --cameras 16 --audio        then, on standard input: c0 stall on | count | …
//! ```
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout, missing_docs)] // a tool of the tests: may fail loudly

mod faults;
mod packets;
mod rtsp;
mod source;

use clap::Parser;
use std::path::PathBuf;
use std::sync::Arc;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::net::TcpListener;

#[derive(Parser)]
struct Options {
    /// Port; 0 takes a free one.
    #[arg(long, default_value_t = 0)]
    port: u16,
    /// H.264 in Annex B form with access unit delimiters and no B-frames; several can be changed between.
    #[arg(long = "source", required = true)]
    sources: Vec<PathBuf>,
    /// Pictures a second.
    #[arg(long, default_value_t = 25)]
    fps: u32,
    /// How many cameras: c0, c1, …
    #[arg(long, default_value_t = 1)]
    cameras: usize,
    /// With G.711 sound.
    #[arg(long)]
    audio: bool,
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let options = Options::parse();
    let sources: Vec<_> = options.sources.iter().map(|p| Arc::new(source::Source::read(p))).collect();
    let listener = TcpListener::bind(("127.0.0.1", options.port)).await.unwrap();
    println!("ready rtsp://{}", listener.local_addr().unwrap());
    let cameras: Vec<_> = (0..options.cameras)
        .map(|n| rtsp::Camera::start(format!("c{n}"), sources.clone(), options.fps, options.audio, n, options.cameras))
        .collect();
    let cameras = Arc::new(cameras);
    let told = cameras.clone();
    tokio::spawn(async move {
        let mut lines = BufReader::new(tokio::io::stdin()).lines();
        while let Ok(Some(line)) = lines.next_line().await {
            match line.split_once(' ') {
                Some((name, order)) => {
                    for camera in told.iter().filter(|c| c.name == name || name == "all") {
                        camera.order(order);
                    }
                    println!("done");
                }
                None => println!("{}", told.iter().map(|c| c.sent().to_string()).collect::<Vec<_>>().join(" ")),
            }
        }
        // Whoever started this is gone.
        std::process::exit(0);
    });
    loop {
        let (socket, _) = listener.accept().await.unwrap();
        tokio::spawn(rtsp::serve(socket, cameras.clone()));
    }
}
