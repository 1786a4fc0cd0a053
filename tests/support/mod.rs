//! What tests share: cameras, people, and looking at files. The product's own API is hidden here.
#![allow(dead_code)]

use std::net::TcpListener;
use std::sync::atomic::{AtomicU32, Ordering};

pub mod accounting;
pub mod authority;
pub mod bureau;
pub mod camera;
pub mod many;
pub mod ceph;
#[path = "replay.rs"]
pub mod replay;
pub mod stored;
pub mod spoil;
pub mod package;
pub mod portable;

/// A port that nobody listens at, and that is given to nobody else meanwhile: it lies below those that the kernel hands out by itself,
/// among the hundred of this test. What serves there may go away and come back.
pub fn free_port() -> u16 {
    static GIVEN: AtomicU32 = AtomicU32::new(0);
    let own = std::env::var("NEXTEST_TEST_GLOBAL_SLOT").ok().and_then(|slot| slot.parse().ok()).unwrap_or_else(std::process::id);
    let at = |n: u32| u16::try_from(20_000 + own % 100 * 100 + n % 100).unwrap();
    let mut ports = (0..100).map(|_| at(GIVEN.fetch_add(1, Ordering::Relaxed)));
    ports.find(|port| TcpListener::bind(("127.0.0.1", *port)).is_ok()).expect("a free one of a hundred")
}
