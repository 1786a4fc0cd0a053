//! A volume that is really full: what was written stays, the gap has its cause, and recording comes back with the room.

use crate::support;

use serde_json::Value;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;
use support::bureau::{Bureau, verify};
use support::replay::Replay;

/// A small volume in memory; `None` where this user may not mount one.
struct Volume(PathBuf);

impl Volume {
    fn mount(at: PathBuf, megabytes: u32) -> Option<Self> {
        std::fs::create_dir_all(&at).unwrap();
        let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", &format!("size={megabytes}m"), "tmpfs"]).arg(&at).status();
        mounted.is_ok_and(|s| s.success()).then_some(Self(at))
    }
}

impl Drop for Volume {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

/// A session on a volume that is full for some seconds.
async fn session_on_a_full_volume(recording: &str, seconds: u64) -> Option<Value> {
    let dir = tempfile::tempdir().unwrap();
    let volume = Volume::mount(dir.path().join("volume"), 32)?;
    let data = volume.0.join("data");
    let cameras = Replay::start(2, false);
    let bureau = Bureau::open_at(dir, Some(&data), "", recording, &[cameras.address(0), cameras.address(1)]).await;
    let (officer, id) = bureau.records(200_000).await;
    let ballast = volume.0.join("ballast");
    // Fills what is left; dd ends with an error, as it should.
    let _ = Command::new("dd").args(["if=/dev/zero", "bs=64k", &format!("of={}", ballast.display())]).output();
    officer.waits("a lamp that says so", |room| room["lamp"] == "not_recording").await;
    tokio::time::sleep(Duration::from_secs(seconds)).await;
    std::fs::remove_file(&ballast).unwrap();
    officer.waits("a lamp that says so", |room| room["lamp"] == "recording").await;
    let sealed = officer.ends(&id).await;
    let (code, words) = verify(&bureau.folder(&id));
    assert_eq!(code, 0, "{words}");
    drop(bureau);
    drop(volume);
    Some(sealed)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disk_that_is_full_for_a_while_loses_nothing_while_memory_holds_it() {
    let Some(sealed) = session_on_a_full_volume("", 5).await else {
        return eprintln!("not tried: this user may not mount a volume");
    };
    assert_eq!(sealed["gaps"].as_array().unwrap().len(), 0, "{sealed:#}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disk_that_is_full_for_longer_is_a_gap_with_its_cause_and_recording_comes_back_with_the_room() {
    let Some(sealed) = session_on_a_full_volume("waiting_mb = 1", 15).await else {
        return eprintln!("not tried: this user may not mount a volume");
    };
    let gaps: Vec<_> = sealed["gaps"].as_array().unwrap().iter().filter(|g| g["camera"] == "face").collect();
    assert_eq!((gaps.len(), gaps[0]["cause"].as_str()), (1, Some("disk")), "{sealed:#}");
}
