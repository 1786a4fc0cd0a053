//! Captures from real RTSP servers: what comes out plays, what goes wrong is told with its cause.

use crate::support;

use shilu::capture::{self, CameraSettings, Capture, CaptureThread, Front, Transport};
use shilu::machine::clock::SystemClock;
use shilu::model::fragment::{CaptureEvent, Fragment};
use shilu::model::gap::GapCause;
use shilu::model::ids::CameraId;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;
use support::camera::Cameras;
use tokio::sync::mpsc;

struct Heard {
    events: mpsc::UnboundedReceiver<CaptureEvent>,
    capture: Capture,
    _thread: CaptureThread,
}

fn settings(url: &str, front: Front) -> CameraSettings {
    CameraSettings {
        id: CameraId::new("face").unwrap(),
        url: url.parse().unwrap(),
        user: None,
        password: None,
        front,
        transport: Transport::Tcp,
        stall_s: 5,
        preroll_s: 0,
    }
}

fn capture(settings: CameraSettings) -> Heard {
    capture::init().unwrap();
    let (tell, events) = mpsc::unbounded_channel();
    let thread = CaptureThread::start().unwrap();
    let capture = Capture::start(settings, &thread, Arc::new(SystemClock), Box::new(move |e| drop(tell.send(e))));
    Heard { events, capture, _thread: thread }
}

impl Heard {
    async fn next(&mut self) -> CaptureEvent {
        tokio::time::timeout(Duration::from_secs(30), self.events.recv()).await.expect("something within 30 s").unwrap()
    }

    async fn fragments(&mut self, count: usize) -> Vec<Arc<Fragment>> {
        let mut all = Vec::new();
        while all.len() < count {
            match self.next().await {
                CaptureEvent::Fragment(f) => all.push(f),
                CaptureEvent::Down { detail, .. } => panic!("down: {detail}"),
                _ => {}
            }
        }
        all
    }

    async fn down(&mut self) -> (GapCause, String) {
        loop {
            if let CaptureEvent::Down { cause, detail, .. } = self.next().await {
                return (cause, detail);
            }
        }
    }
}

/// Streams as ffprobe sees them, and that ffmpeg decodes all of it without a word.
fn probe(fragments: &[Arc<Fragment>]) -> String {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.mp4");
    let mut data = fragments[0].header.bytes.to_vec();
    fragments.iter().for_each(|f| data.extend_from_slice(&f.bytes));
    std::fs::write(&path, data).unwrap();
    let decoded = Command::new("ffmpeg").args(["-v", "error", "-i"]).arg(&path).args(["-f", "null", "-"]).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&decoded.stderr), "", "ffmpeg complains");
    let probed = Command::new("ffprobe")
        .args(["-v", "error", "-show_entries", "stream=codec_name,width,height,has_b_frames", "-of", "csv=p=0"])
        .arg(&path)
        .output()
        .unwrap();
    String::from_utf8(probed.stdout).unwrap()
}

async fn kept(camera: &str, front: Front, codecs: &str) -> String {
    let cameras = Cameras::start(&[camera]);
    let mut heard = capture(settings(&cameras.address("c"), front));
    let mut fragments = heard.fragments(16).await;
    // The second front learns of the sound a moment after the pictures; from then on the header is another.
    if front == Front::Rtspsrc {
        let header = fragments[15].header.clone();
        fragments.retain(|f| Arc::ptr_eq(&f.header, &header));
        fragments.extend(heard.fragments(8).await);
    }
    let (name, has) = (&fragments[0].header.codecs, codecs);
    assert!(name.starts_with(has) || has.is_empty(), "{name} is not {has}");
    for pair in fragments.windows(2) {
        assert!(pair[1].pts > pair[0].pts && pair[0].duration <= Duration::from_millis(400), "{:?} {:?}", pair[0].pts, pair[0].duration);
        assert!(pair[1].pts.abs_diff(pair[0].pts + pair[0].duration) < Duration::from_millis(200));
    }
    assert!(fragments[0].key && fragments[0].frames >= 3);
    let said = probe(&fragments);
    if fragments[0].header.sound {
        let (pictures, sound) = (end_of(&fragments, "v"), end_of(&fragments, "a"));
        assert!(sound > 1.0 && (pictures - sound).abs() < 0.8, "pictures end at {pictures} s, sound at {sound} s");
    }
    heard.capture.stop().await;
    said
}

/// Time of a stream's last packet since the first picture, s.
fn end_of(fragments: &[Arc<Fragment>], stream: &str) -> f64 {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.mp4");
    let mut data = fragments[0].header.bytes.to_vec();
    fragments.iter().for_each(|f| data.extend_from_slice(&f.bytes));
    std::fs::write(&path, data).unwrap();
    let probed = Command::new("ffprobe")
        .args(["-v", "error", "-select_streams", stream, "-show_entries", "packet=pts_time", "-of", "csv=p=0"])
        .arg(&path)
        .output()
        .unwrap();
    let text = String::from_utf8(probed.stdout).unwrap();
    let times: Vec<f64> = text.lines().filter_map(|l| l.trim_end_matches(',').parse().ok()).collect();
    times.last().copied().unwrap_or(0.0) - times.first().copied().unwrap_or(0.0)
}

#[tokio::test(flavor = "multi_thread")]
async fn h264_with_g711_is_kept_with_its_sound_as_flac() {
    let said = kept("c,audio=alaw", Front::Retina, "avc1.42C0").await;
    assert!(said.contains("h264,1280,720") && said.contains("flac"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn h265_with_aac_is_kept_untouched() {
    let said = kept("c,codec=h265,audio=aac,size=320x180", Front::Retina, "hvc1.1.").await;
    assert!(said.contains("hevc,320,180") && said.contains("aac"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_camera_without_sound_and_with_b_frames_is_kept_in_order() {
    let said = kept("c,audio=none,bframes=2,size=640x360,fps=25", Front::Retina, "avc1.4D").await;
    assert!(said.starts_with("h264,640,360"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_frame_every_ten_seconds_still_gives_a_fragment_every_fifth_of_a_second() {
    kept("c,gop=150,audio=opus,size=640x360", Front::Retina, "avc1").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_second_front_keeps_the_same() {
    let said = kept("c,audio=ulaw,size=640x360", Front::Rtspsrc, "avc1").await;
    assert!(said.contains("h264,640,360") && said.contains("flac"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn udp_works_as_tcp_does() {
    let cameras = Cameras::start(&["c,audio=none,size=640x360"]);
    let mut heard = capture(CameraSettings { transport: Transport::Udp, ..settings(&cameras.address("c"), Front::Retina) });
    assert!(probe(&heard.fragments(10).await).starts_with("h264"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_password_is_told_and_not_shown_by_digest_and_basic_on_both_fronts() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("password");
    std::fs::write(&file, "richtig-7").unwrap();
    for method in [&["--basic"][..], &[]] {
        let options = [&["--user", "recorder", "--password-file", file.to_str().unwrap()], method].concat();
        let cameras = Cameras::with(&options, &["c,audio=none,size=640x360"]);
        for front in [Front::Retina, Front::Rtspsrc] {
            let with = |password: &str| CameraSettings {
                user: Some("recorder".into()),
                password: Some(password.to_owned().into()),
                ..settings(&cameras.address("c"), front)
            };
            let (cause, detail) = capture(with("falsch-9")).down().await;
            assert_eq!(cause, GapCause::Camera);
            assert!(detail.contains("refuses user or password") && !detail.contains("falsch"), "{detail}");
            capture(with("richtig-7")).fragments(1).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_camera_that_reboots_is_down_with_its_cause_and_comes_back_by_itself() {
    let mut cameras = Cameras::start(&["c,audio=alaw,size=640x360"]);
    let mut heard = capture(settings(&cameras.address("c"), Front::Retina));
    heard.fragments(6).await;
    cameras.kill();
    let (cause, _) = heard.down().await;
    assert_eq!(cause, GapCause::Camera);
    cameras.restart();
    loop {
        match heard.next().await {
            CaptureEvent::Up => break,
            CaptureEvent::Fragment(_) => panic!("a fragment before Up"),
            _ => {}
        }
    }
    assert!(heard.fragments(1).await[0].key);
    assert_eq!(heard.capture.handle().status().reconnects, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_camera_that_stalls_with_the_connection_open_is_told_after_its_seconds_and_comes_back() {
    let cameras = Cameras::start(&["c,audio=none,size=640x360"]);
    let mut heard = capture(CameraSettings { stall_s: 2, ..settings(&cameras.address("c"), Front::Retina) });
    heard.fragments(6).await;
    cameras.freeze();
    let (cause, detail) = heard.down().await;
    assert_eq!(cause, GapCause::Camera);
    assert!(detail.contains("no pictures for 2 s"), "{detail}");
    cameras.thaw();
    while !matches!(heard.next().await, CaptureEvent::Fragment(_)) {}
}

#[tokio::test(flavor = "multi_thread")]
async fn pre_roll_reaches_back_its_seconds_and_no_further_and_begins_with_a_key_frame() {
    let cameras = Cameras::start(&["c,audio=none,size=640x360"]);
    let mut heard = capture(CameraSettings { preroll_s: 3, ..settings(&cameras.address("c"), Front::Retina) });
    let all = heard.fragments(30).await;
    let kept = heard.capture.handle().preroll();
    assert!(kept[0].key && (8..=20).contains(&kept.len()), "{} fragments", kept.len());
    let last = all.last().unwrap().arrived.mono_ms;
    assert!(last - kept[0].arrived.mono_ms <= 3_000);
    let none = capture(settings(&cameras.address("c"), Front::Retina));
    assert!(none.capture.handle().preroll().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn rtsps_is_kept_by_the_second_front_whatever_front_was_chosen() {
    let dir = tempfile::tempdir().unwrap();
    let (key, certificate, both) = (dir.path().join("key"), dir.path().join("cert"), dir.path().join("both"));
    let made = Command::new("openssl")
        .args(["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj", "/CN=camera", "-keyout"])
        .arg(&key)
        .arg("-out")
        .arg(&certificate)
        .output()
        .unwrap();
    assert!(made.status.success());
    std::fs::write(&both, [std::fs::read(&certificate).unwrap(), std::fs::read(&key).unwrap()].concat()).unwrap();
    let cameras = Cameras::with(&["--certificate", both.to_str().unwrap()], &["c,audio=none,size=640x360"]);
    assert!(cameras.url.starts_with("rtsps://"));
    let mut heard = capture(settings(&cameras.address("c"), Front::Retina));
    assert!(probe(&heard.fragments(10).await).starts_with("h264"));
}
