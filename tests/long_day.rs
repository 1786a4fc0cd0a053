//! Eight hours in a few seconds: a camera whose clock runs fast, jitter, a wall clock that is stepped to and fro over a leap day.

use bytes::Bytes;
use chrono::{DateTime, TimeDelta, Utc};
use shilu::machine::clock::SystemClock;
use shilu::machine::volume::Place;
use shilu::model::fragment::{Fragment, Header};
use shilu::model::ids::{CameraId, SessionId};
use shilu::model::session::Segment;
use shilu::model::time::Moment;
use shilu::recorder::cutter::{Chain, Cutter, Target};
use shilu::recorder::view::{Gauge, SessionClock};
use shilu::recorder::volume::{Volume, Wrote};
use std::sync::{Arc, mpsc};
use std::time::Duration;

/// The camera's clock is this much too fast: two seconds in five and a half hours.
const DRIFT: f64 = 1.0001;
const HOURS: u64 = 8;

fn boxed(kind: &[u8; 4], content: &[u8]) -> Vec<u8> {
    [&((content.len() + 8) as u32).to_be_bytes()[..], kind, content].concat()
}

fn header() -> Arc<Header> {
    let tkhd = boxed(b"tkhd", &[&[0; 12][..], &1_u32.to_be_bytes(), &[0; 68]].concat());
    let mdhd = boxed(b"mdhd", &[&[0; 12][..], &90_000_u32.to_be_bytes(), &[0; 8]].concat());
    let trak = boxed(b"trak", &[tkhd, boxed(b"mdia", &mdhd)].concat());
    let bytes = Bytes::from([boxed(b"ftyp", b"iso6"), boxed(b"moov", &trak)].concat());
    Arc::new(Header { bytes, codecs: "avc1.42C01E".into(), width: 640, height: 360, sound: false })
}

fn fragment(header: &Arc<Header>, pts: Duration, key: bool, arrived: Moment) -> Arc<Fragment> {
    let tfhd = boxed(b"tfhd", &[0, 0, 0, 0, 0, 0, 0, 1]);
    let time = (pts.as_millis() as u64 * 90).to_be_bytes();
    let tfdt = boxed(b"tfdt", &[&[1, 0, 0, 0][..], &time].concat());
    let moof = boxed(b"moof", &boxed(b"traf", &[tfhd, tfdt].concat()));
    let bytes = Bytes::from([moof, boxed(b"mdat", b"picture")].concat());
    let duration = Duration::from_millis(200);
    Arc::new(Fragment { header: header.clone(), bytes, key, pts, duration, arrived, camera_utc: None, frames: 5 })
}

/// Closed segments of a long session; `stepped_s` is what the wall clock is off by at a second of the session.
fn record(stepped_s: impl Fn(u64) -> i64) -> (Vec<Segment>, Moment, u64) {
    let dir = tempfile::tempdir().unwrap();
    let place = Place::new(dir.path().to_owned(), false);
    let volume = Volume::start("primary", place, u64::MAX / 16, Arc::new(SystemClock), Box::new(|_| ())).unwrap();
    let (tell, told) = mpsc::channel();
    let lane = volume.lane(Arc::<Gauge>::default(), true, Box::new(move |w| drop(tell.send(w))));
    let camera = CameraId::new("face").unwrap();
    let mut cutter = Cutter::new(camera, (Duration::from_mins(1), true), vec![lane], Box::new(|_| ()));
    // Half past eight in Shanghai on a leap day.
    let utc: DateTime<Utc> = "2028-02-29T00:30:00Z".parse().unwrap();
    let start = Moment { utc, mono_ms: 5_000_000 };
    let session = SessionId::new("room-1-20280229-083000").unwrap();
    let clock = SessionClock::new(start, 0);
    cutter.open(Target { session, folder: "s".into(), clock, chain: Chain::default(), opened: start, preroll: vec![], key: None });
    let header = header();
    let count = HOURS * 3600 * 5;
    let mut chance = 1_u64;
    for n in 0..count {
        chance = chance.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        // The network adds up to 40 ms; the camera counts faster than time goes.
        let real_ms = (n as f64 * 200.0 / DRIFT) as u64 + (chance >> 33) % 40;
        let wall = utc + TimeDelta::milliseconds(real_ms as i64) + TimeDelta::seconds(stepped_s(real_ms / 1000));
        let arrived = Moment { utc: wall, mono_ms: start.mono_ms + real_ms };
        cutter.fragment(fragment(&header, Duration::from_millis(n * 200), n.is_multiple_of(5), arrived));
    }
    let length_ms = (count as f64 * 200.0 / DRIFT) as u64;
    cutter.close_valve();
    let mut segments = Vec::new();
    loop {
        match told.recv_timeout(Duration::from_mins(1)).unwrap() {
            Wrote::Closed(segment) => segments.push(*segment),
            Wrote::Idle => break,
            Wrote::Lost { detail, .. } => panic!("{detail}"),
            Wrote::Opened(_) => {}
        }
    }
    volume.stop();
    let names = std::fs::read_dir(dir.path().join("s")).unwrap().count();
    assert_eq!(names, segments.len(), "each segment has a file of its own name");
    (segments, start, length_ms)
}

fn agrees(segments: &[Segment], length_ms: u64) {
    let end = |s: &Segment| s.offset_ms + s.duration_ms as i64;
    for pair in segments.windows(2) {
        assert!((pair[1].offset_ms - end(&pair[0])).abs() <= 100, "{} then {}", end(&pair[0]), pair[1].offset_ms);
        assert_eq!(pair[1].sequence, pair[0].sequence + 1);
    }
    let last = end(segments.last().unwrap());
    assert!((last - length_ms as i64).abs() <= 100, "recorded {last} ms of {length_ms}");
}

#[test]
fn what_is_recorded_in_eight_hours_agrees_with_the_wall_within_a_tenth_of_a_second() {
    let (segments, _, length_ms) = record(|_| 0);
    assert!(segments.len() >= 470, "{}", segments.len());
    agrees(&segments, length_ms);
    let files: std::collections::BTreeSet<_> = segments.iter().map(|s| &s.file).collect();
    assert_eq!(files.len(), segments.len());
}

#[test]
fn a_wall_clock_that_is_stepped_by_hours_moves_no_footage_and_overwrites_none() {
    // An hour on after two hours, two back after four: the hour is lived through twice.
    let (segments, ..) = record(|s| {
        if s < 7_200 {
            0
        } else if s < 14_400 {
            3_600
        } else {
            -3_600
        }
    });
    agrees(&segments, (HOURS as f64 * 3_600_000.0 / DRIFT) as u64);
}
