//! What tests share: cameras, people, and looking at files. The product's own API is hidden here.
#![allow(dead_code)]

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

/// A port that nobody listens at.
pub fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}
