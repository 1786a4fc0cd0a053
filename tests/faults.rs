//! Cameras that misbehave in the ways that cameras do. Each picture carries its number, so what is kept is counted, not guessed.

use crate::support;

use shilu::capture::{self, CameraSettings, Capture, CaptureThread, Front, Transport};
use shilu::machine::clock::SystemClock;
use shilu::model::fragment::{CaptureEvent, Fragment};
use shilu::model::ids::CameraId;
use std::sync::Arc;
use std::time::{Duration, Instant};
use support::replay::Replay;
use support::stored;
use tokio::sync::mpsc;

struct Watched {
    events: mpsc::UnboundedReceiver<CaptureEvent>,
    capture: Capture,
    _thread: CaptureThread,
    fragments: Vec<Arc<Fragment>>,
    downs: Vec<String>,
    notes: Vec<String>,
}

fn watch(url: &str, transport: Transport) -> Watched {
    capture::init().unwrap();
    let settings = CameraSettings {
        id: CameraId::new("c0").unwrap(),
        url: url.parse().unwrap(),
        user: None,
        password: None,
        front: Front::Retina,
        transport,
        stall_s: 2,
        preroll_s: 0,
    };
    let (tell, events) = mpsc::unbounded_channel();
    let thread = CaptureThread::start().unwrap();
    let capture = Capture::start(settings, &thread, Arc::new(SystemClock), Box::new(move |e| drop(tell.send(e))));
    Watched { events, capture, _thread: thread, fragments: vec![], downs: vec![], notes: vec![] }
}

impl Watched {
    /// Listens for so long.
    async fn goes_on(&mut self, seconds: f64) {
        let until = Instant::now() + Duration::from_secs_f64(seconds);
        while let Ok(Some(event)) = tokio::time::timeout(until.saturating_duration_since(Instant::now()), self.events.recv()).await {
            match event {
                CaptureEvent::Fragment(f) => self.fragments.push(f),
                CaptureEvent::Down { detail, .. } => self.downs.push(detail),
                CaptureEvent::Note { detail, .. } => self.notes.push(detail),
                CaptureEvent::Up => {}
            }
        }
    }

    /// Listens until it is as wanted, at most 30 s.
    async fn until(&mut self, what: impl Fn(&Self) -> bool) {
        let deadline = Instant::now() + Duration::from_secs(30);
        while !what(self) {
            assert!(Instant::now() < deadline, "downs {:?}, notes {:?}, {} fragments", self.downs, self.notes, self.fragments.len());
            self.goes_on(0.1).await;
        }
    }

    /// The numbers of all pictures that were kept.
    async fn numbers(mut self) -> Vec<u64> {
        self.goes_on(0.05).await;
        self.fragments.iter().flat_map(|f| stored::frames(&f.bytes)).map(|(n, _)| n).collect()
    }

    /// Presentation times go on evenly: no fragment begins before the one before it has ended, within a picture's length.
    fn is_monotonic(&self) -> bool {
        let same_run = |p: &&[Arc<Fragment>]| Arc::ptr_eq(&p[0].header, &p[1].header);
        self.fragments.windows(2).filter(same_run).all(|p| p[1].pts + Duration::from_millis(50) >= p[0].pts + p[0].duration)
    }
}

fn holes(numbers: &[u64]) -> Vec<(u64, u64)> {
    numbers.windows(2).filter(|p| p[1] != p[0] + 1).map(|p| (p[0], p[1])).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn timestamps_that_wrap_around_lose_no_picture() {
    let cameras = Replay::start(1, true);
    let mut w = watch(&cameras.address(0), Transport::Tcp);
    // Both counters of this camera wrap within four seconds.
    w.goes_on(7.0).await;
    assert!(w.downs.is_empty() && w.is_monotonic(), "{:?}", w.downs);
    let numbers = w.numbers().await;
    assert!(numbers.len() > 120 && holes(&numbers).is_empty(), "{:?}", holes(&numbers));
}

#[tokio::test(flavor = "multi_thread")]
async fn timestamps_that_jump_by_149_hours_cost_at_most_the_stretch_to_the_next_key_frame() {
    let mut cameras = Replay::start(1, true);
    let mut w = watch(&cameras.address(0), Transport::Tcp);
    w.goes_on(3.0).await;
    cameras.order("c0 jump_s 536400");
    w.goes_on(4.0).await;
    assert!(w.is_monotonic(), "a jump is no gap of 149 hours");
    let length: Duration = w.fragments.iter().map(|f| f.duration).sum();
    assert!(length < Duration::from_secs(8), "{length:?}");
    assert!(w.notes.iter().any(|n| n.contains("jumped")) || !w.downs.is_empty(), "it is told: {:?}", w.notes);
    let numbers = w.numbers().await;
    assert!(holes(&numbers).iter().all(|(a, b)| b - a <= 26), "{:?}", holes(&numbers));
}

#[tokio::test(flavor = "multi_thread")]
async fn sender_reports_that_are_absent_or_years_off_lose_nothing_and_are_only_written_down() {
    let mut cameras = Replay::start(1, false);
    cameras.order("c0 reports off");
    let mut w = watch(&cameras.address(0), Transport::Tcp);
    w.goes_on(2.5).await;
    assert!(w.fragments.iter().all(|f| f.camera_utc.is_none()));
    cameras.order("c0 reports on");
    cameras.order("c0 clock_off_s 315360000");
    w.goes_on(3.0).await;
    let last = w.fragments.last().unwrap();
    let off_s = (last.camera_utc.unwrap() - last.arrived.utc).num_seconds();
    assert!((off_s - 315_360_000).abs() <= 1, "{off_s}");
    assert!(w.downs.is_empty() && w.is_monotonic());
    assert!(holes(&w.numbers().await).is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn sound_that_stops_does_not_hold_the_pictures_and_comes_back() {
    let mut cameras = Replay::start(1, true);
    let mut w = watch(&cameras.address(0), Transport::Tcp);
    w.goes_on(2.0).await;
    cameras.order("c0 mute on");
    w.goes_on(6.0).await;
    assert!(w.notes.iter().any(|n| n.contains("sound stays away")), "{:?}", w.notes);
    let age = |w: &Watched| w.capture.handle().status().last_media.unwrap().mono_ms - w.fragments.last().unwrap().arrived.mono_ms;
    assert!(age(&w) < 2_500, "pictures do not wait for it: {}", age(&w));
    cameras.order("c0 mute off");
    w.until(|w| w.notes.iter().any(|n| n.contains("sound is back"))).await;
    w.goes_on(2.0).await;
    assert!(w.downs.is_empty(), "{:?}", w.downs);
    let numbers = w.numbers().await;
    assert!(holes(&numbers).is_empty(), "{:?}", holes(&numbers));
}

#[tokio::test(flavor = "multi_thread")]
async fn pictures_that_stop_while_sound_goes_on_are_told_as_a_stall() {
    let mut cameras = Replay::start(1, true);
    let mut w = watch(&cameras.address(0), Transport::Tcp);
    w.goes_on(2.0).await;
    cameras.order("c0 blind on");
    w.until(|w| w.downs.iter().any(|d| d.contains("no pictures for 2 s"))).await;
    cameras.order("c0 blind off");
    let before = w.fragments.len();
    w.until(|w| w.fragments.len() > before).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn another_resolution_in_mid_stream_begins_a_new_header_at_its_key_frame() {
    let mut cameras = Replay::start(1, false);
    let mut w = watch(&cameras.address(0), Transport::Tcp);
    w.goes_on(2.0).await;
    cameras.order("c0 source 1");
    w.until(|w| w.fragments.last().is_some_and(|f| f.header.width == 320)).await;
    assert!(w.fragments.iter().any(|f| f.header.width == 640));
    assert!(w.downs.is_empty(), "{:?}", w.downs);
    let numbers = w.numbers().await;
    assert!(holes(&numbers).iter().all(|(a, b)| b - a <= 26), "at most to the next key frame: {:?}", holes(&numbers));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_uneven_picture_rate_is_kept_as_it_is() {
    let mut cameras = Replay::start(1, false);
    cameras.order("c0 uneven on");
    let mut w = watch(&cameras.address(0), Transport::Tcp);
    w.goes_on(4.0).await;
    assert!(w.downs.is_empty() && w.is_monotonic());
    let numbers = w.numbers().await;
    // What the camera left out is all that is missing.
    assert!(holes(&numbers).iter().all(|(a, b)| b - a == 2), "{:?}", holes(&numbers));
    assert!(numbers.len() > 50);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_camera_that_closes_in_mid_picture_loses_no_more_than_up_to_the_next_key_frame() {
    let mut cameras = Replay::start(1, false);
    let mut w = watch(&cameras.address(0), Transport::Tcp);
    w.goes_on(2.0).await;
    cameras.order("c0 close");
    w.goes_on(4.0).await;
    assert_eq!(w.downs.len(), 1, "{:?}", w.downs);
    let numbers = w.numbers().await;
    let lost: Vec<_> = holes(&numbers);
    assert!(lost.len() == 1 && lost[0].1 - lost[0].0 < 50, "half a second to come back, a second to the key frame: {lost:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_camera_that_dribbles_is_a_stall_and_comes_back_when_it_is_well() {
    let mut cameras = Replay::start(1, false);
    let mut w = watch(&cameras.address(0), Transport::Tcp);
    w.goes_on(2.0).await;
    cameras.order("c0 dribble 500");
    w.until(|w| !w.downs.is_empty()).await;
    cameras.order("c0 well");
    let before = w.fragments.len();
    w.until(|w| w.fragments.len() > before + 5).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_password_that_is_refused_after_it_worked_is_told_as_that() {
    let mut cameras = Replay::start(1, false);
    let mut w = watch(&cameras.address(0), Transport::Tcp);
    w.goes_on(2.0).await;
    cameras.order("c0 refuse on");
    cameras.order("c0 close");
    w.until(|w| w.capture.handle().status().detail.is_some_and(|d| d.contains("refuses user or password"))).await;
    cameras.order("c0 refuse off");
    let before = w.fragments.len();
    w.until(|w| w.fragments.len() > before).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_camera_that_sends_elsewhere_is_told_with_its_answer() {
    let mut cameras = Replay::start(1, false);
    cameras.order("c0 redirect rtsp://127.0.0.1:9/other");
    let mut w = watch(&cameras.address(0), Transport::Tcp);
    w.until(|w| !w.downs.is_empty()).await;
    assert!(w.downs[0].contains("302"), "{:?}", w.downs);
    cameras.order("c0 redirect off");
    w.until(|w| !w.fragments.is_empty()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn lost_packets_cost_the_pictures_that_they_belong_to_and_no_connection() {
    let mut cameras = Replay::start(1, false);
    let mut w = watch(&cameras.address(0), Transport::Udp);
    w.goes_on(2.0).await;
    cameras.order("c0 loss 10");
    w.goes_on(5.0).await;
    cameras.order("c0 well");
    w.goes_on(2.0).await;
    assert!(w.downs.is_empty(), "{:?}", w.downs);
    assert!(w.capture.handle().status().lost_packets > 0, "they are counted");
    let numbers = w.numbers().await;
    let kept = numbers.len() as f64 / (numbers.last().unwrap() - numbers[0] + 1) as f64;
    assert!(kept > 0.5, "{kept}");
}

#[tokio::test(flavor = "multi_thread")]
async fn packets_out_of_order_end_no_connection() {
    let mut cameras = Replay::start(1, false);
    let mut w = watch(&cameras.address(0), Transport::Udp);
    w.goes_on(2.0).await;
    cameras.order("c0 reorder 20");
    w.goes_on(4.0).await;
    cameras.order("c0 well");
    w.goes_on(2.0).await;
    assert!(w.downs.is_empty(), "{:?}", w.downs);
    let after = w.fragments.iter().rev().take(5).flat_map(|f| stored::frames(&f.bytes)).count();
    assert!(after > 15, "whole again afterwards: {after}");
}

#[tokio::test(flavor = "multi_thread")]
async fn sixteen_cameras_that_fall_together_do_not_come_back_together() {
    let mut cameras = Replay::start(16, false);
    let mut all: Vec<Watched> = (0..16).map(|n| watch(&cameras.address(n), Transport::Tcp)).collect();
    for w in &mut all {
        w.until(|w| !w.fragments.is_empty()).await;
    }
    cameras.order("all refuse on");
    cameras.order("all close");
    tokio::time::sleep(Duration::from_secs(5)).await;
    cameras.order("all refuse off");
    let mut back: Vec<u64> = Vec::new();
    for w in &mut all {
        w.goes_on(0.01).await;
        let before = w.fragments.len();
        w.until(|w| w.fragments.len() > before + 1).await;
        back.push(w.fragments[before + 1].arrived.mono_ms);
    }
    back.sort_unstable();
    let busiest = back.iter().map(|at| back.iter().filter(|b| **b >= *at && **b < *at + 100).count()).max().unwrap();
    assert!(busiest <= 10, "within a tenth of a second {busiest} of 16: {back:?}");
    assert!(back[15] - back[0] < 12_000, "{back:?}");
}
