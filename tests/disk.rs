//! A volume that is really full: what was written stays, the gap has its cause, and recording comes back with the room.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)] // a test may fail loudly

mod support;

use std::path::PathBuf;
use std::process::Command;
use support::bureau::{Bureau, verify};

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

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_is_a_gap_with_its_cause_and_recording_comes_back_with_the_room() {
    let dir = tempfile::tempdir().unwrap();
    let Some(volume) = Volume::mount(dir.path().join("volume"), 24) else {
        eprintln!("not tried: this user may not mount a volume");
        return;
    };
    let data = volume.0.join("data");
    let bureau = Bureau::open_in(dir, Some(&data)).await;
    let officer = bureau.sign_in("officer").await;
    officer.waits_for_pictures().await;
    let id = officer.starts().await;
    officer.records(200_000).await;
    let ballast = volume.0.join("ballast");
    // Fills what is left; dd ends with an error, as it should.
    let _ = Command::new("dd").args(["if=/dev/zero", "bs=64k", &format!("of={}", ballast.display())]).output();
    officer.waits("a lamp that says so", |room| room["lamp"] == "not_recording").await;
    std::fs::remove_file(&ballast).unwrap();
    officer.waits("a lamp that says so", |room| room["lamp"] == "recording").await;
    let sealed = officer.ends(&id).await;
    let gaps: Vec<_> = sealed["gaps"].as_array().unwrap().iter().filter(|g| g["camera"] == "face").collect();
    assert_eq!((gaps.len(), gaps[0]["cause"].as_str()), (1, Some("disk")), "{sealed:#}");
    let (code, words) = verify(&bureau.folder(&id));
    assert_eq!(code, 0, "{words}");
    drop(bureau);
    drop(volume);
}
