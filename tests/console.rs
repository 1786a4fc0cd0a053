//! The console in Debian's Chromium, against the demo: each script in `tests/console` plays a day.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

struct Demo(Child);

impl Drop for Demo {
    fn drop(&mut self) {
        let _ = nix::sys::signal::kill(nix::unistd::Pid::from_raw(self.0.id() as i32), nix::sys::signal::Signal::SIGTERM);
        let _ = self.0.wait();
    }
}

fn cameras() -> std::path::PathBuf {
    let mut path = std::env::current_exe().unwrap();
    path.pop();
    path.parent().unwrap().join("examples/cameras")
}

#[test]
fn a_day_at_the_console_from_sign_in_to_revocation() {
    plays("day.mjs");
}

#[test]
fn an_officers_day_from_the_plan_to_the_signed_record_and_its_paper() {
    plays("desk.mjs");
}

#[test]
fn a_case_from_its_intake_to_the_approved_form_and_a_room_with_its_screen() {
    plays("cases.mjs");
}

#[test]
fn the_anchor_sheet_and_a_package_whose_own_page_tells_a_single_bit() {
    plays("custody.mjs");
}

#[test]
fn a_request_for_several_sessions_its_copy_a_letter_from_a_court_and_who_oversees_it() {
    plays("access.mjs");
}

#[test]
fn a_passkey_signs_in_until_it_is_taken_away() {
    plays("passkey.mjs");
}

#[test]
fn a_body_worn_recorders_card_from_the_drop_zone_to_the_custodians_receipt() {
    plays("imports.mjs");
}

#[test]
fn media_from_the_hold_to_the_label() {
    plays("media.mjs");
}

#[test]
fn a_hold_from_its_proposal_to_the_two_who_lift_it() {
    plays("keeping.mjs");
}

#[test]
fn equipment_from_the_fault_to_the_retest_and_a_camera_that_is_tried() {
    plays("devices.mjs");
}

#[test]
fn an_alarm_from_the_bell_to_its_acknowledgement_by_keyboard_and_its_end() {
    plays("alarms.mjs");
}

fn plays(day: &str) {
    let port = crate::support::free_port();
    let dir = tempfile::tempdir().unwrap();
    let log = std::fs::File::create(dir.path().join("log")).unwrap();
    let demo = Command::new(env!("CARGO_BIN_EXE_shilu"))
        .args(["demo", "--small", "--listen", &format!("127.0.0.1:{port}"), "--cameras"])
        .arg(cameras())
        .arg("--data")
        .arg(dir.path().join("data"))
        .stdout(Stdio::null())
        .stderr(log)
        .spawn()
        .unwrap();
    let _demo = Demo(demo);
    let json = dir.path().join("data/demo.json");
    let deadline = Instant::now() + Duration::from_mins(1);
    while !json.exists() {
        assert!(Instant::now() < deadline, "{}", std::fs::read_to_string(dir.path().join("log")).unwrap());
        std::thread::sleep(Duration::from_millis(100));
    }
    let mut script = Command::new("node");
    script.env("CAMERAS", cameras()).arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/console").join(day)).arg(&json);
    if let Some(shots) = option_env!("SHILU_SCREENSHOTS") {
        script.arg(shots);
    }
    let out = script.output().unwrap();
    let words = format!("{}{}", String::from_utf8_lossy(&out.stdout), String::from_utf8_lossy(&out.stderr));
    assert!(out.status.success() && words.contains("done"), "{words}\n{}", std::fs::read_to_string(dir.path().join("log")).unwrap());
}
