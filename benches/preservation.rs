//! How long a search, the lists of what is due and a page of a session take with a million sessions in the index. See
//! `benches/preservation --help`; results in `RESULTS.md`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout, missing_docs)] // a tool: may fail loudly

use chrono::{DateTime, TimeDelta, Utc};
use clap::Parser;
use shilu::catalog::retention::{self, Wanted};
use shilu::catalog::{Catalog, sessions};
use shilu::model::facts::{Facts, Officer};
use shilu::model::hold::Word;
use shilu::model::ids::{AccountId, CameraId, RoomId, SessionId, UnitId};
use shilu::model::retention::{RetentionClass, Table};
use shilu::model::session::{Device, Happening, Seal, Segment, Session, SessionKind, Stamp, Start, State};
use shilu::model::step;
use std::time::Instant;

/// Measures what a clerk waits for in a full catalog.
#[derive(Parser)]
struct Options {
    /// Sessions in the index.
    #[arg(long, default_value_t = 1_000_000)]
    sessions: usize,
    /// How often each thing is done.
    #[arg(long, default_value_t = 40)]
    times: usize,
    /// Given by cargo.
    #[arg(long, hide = true)]
    bench: bool,
}

const SURNAMES: [&str; 20] =
    ["王", "李", "张", "刘", "陈", "杨", "赵", "黄", "周", "吴", "徐", "孙", "胡", "朱", "高", "林", "何", "郭", "马", "罗"];
const UNITS: [&str; 5] = ["land-use", "mines", "survey", "planning", "forest"];

/// A session of ten minutes of two cameras, of five minutes a file.
fn session(n: usize, first: DateTime<Utc>) -> Session {
    let at = first + TimeDelta::minutes(n as i64 * 5);
    let (face, officer) = (CameraId::new("face").unwrap(), AccountId::new("wang").unwrap());
    let name = |n: usize| format!("{}{}{}", SURNAMES[n % 20], SURNAMES[n / 20 % 20], SURNAMES[n / 400 % 20]);
    let start = Start {
        id: SessionId::new(&format!("room-1-x{n}")).unwrap(),
        room: RoomId::new("room-1").unwrap(),
        unit: UnitId::new(UNITS[n % 5]).unwrap(),
        kind: SessionKind::Interview,
        by: officer.clone(),
        facts: Facts {
            case_no: None,
            party: Some(name(n * 7919)),
            cause: Some("未经批准占用土地".into()),
            officers: vec![Officer { name: name(n % 40), certificate_no: Some(format!("冀E-{:03}", n % 40)), ..Officer::default() }],
            ..Facts::default()
        },
        devices: vec![Device { camera: face.clone(), device_no: format!("XW-{}", n % 60), name: "面部".into(), address: None }],
        plan: None,
        readiness: None,
        screen_key: String::new(),
        rules: "1".into(),
        imported: None,
    };
    let segment = |k: u32| Segment {
        camera: face.clone(),
        sequence: k,
        file: format!("face-{k}.mp4"),
        started_at: at,
        offset_ms: i64::from(k) * 300_000,
        duration_ms: 300_000,
        bytes: 150_000_000,
        fragments: 1500,
        sha256: "0".repeat(64),
        codecs: "avc1.4d4028,flac".into(),
        resolution: "1920x1080".into(),
        camera_clock_offset_ms: None,
        recovered: false,
        whole_bytes: None,
        from_mirror: None,
        sm3: None,
        signed_video: None,
    };
    let stamp = |ms: u64| Stamp { at: at + TimeDelta::milliseconds(ms as i64), at_ms: ms };
    let (mut s, _) = step::begin(&start, stamp(0));
    for happening in [
        Happening::SegmentClosed(segment(1)),
        Happening::SegmentClosed(segment(2)),
        Happening::Ended { by: Some(officer), mistake: None },
        Happening::Sealed(Seal { code: format!("{n:064x}"), signer: "k".repeat(64), at }),
    ] {
        s = step::step(&s, &happening, stamp(600_000)).unwrap().0;
    }
    // Half of them are routine, so that there is something to be due.
    s.declared_routine = n.is_multiple_of(2).then(|| Word { at, by: AccountId::new("li").unwrap(), reason: Some("来访咨询".into()) });
    s.state = State::Kept;
    s
}

/// What is asked, in how many milliseconds, and how.
type Asked = (&'static str, u32, Box<dyn Fn(&rusqlite::Connection) -> u64>);

fn main() {
    let options = Options::parse();
    let dir = tempfile::tempdir().unwrap();
    let catalog = Catalog::open(&dir.path().join("catalog.db")).unwrap();
    let write = |work: Box<dyn FnOnce(&rusqlite::Connection) + Send>| {
        let (tell, told) = std::sync::mpsc::channel();
        catalog.begin_write(
            move |t| {
                work(t);
                Ok(())
            },
            move |r| tell.send(r).unwrap(),
        );
        told.recv().unwrap().unwrap();
    };
    let table: Table = toml::from_str(include_str!("../config/retention.toml")).unwrap();
    write(Box::new(move |c| retention::set_table(c, &table).unwrap()));
    let (at, now) = (Instant::now(), Utc::now());
    let first = now - TimeDelta::minutes(options.sessions as i64 * 5);
    for begin in (0..options.sessions).step_by(10_000) {
        let end = (begin + 10_000).min(options.sessions);
        write(Box::new(move |c| (begin..end).for_each(|n| sessions::put(c, &session(n, first), "land-use/x").unwrap())));
    }
    let took = at.elapsed().as_secs_f64();
    let bytes = std::fs::metadata(dir.path().join("catalog.db")).unwrap().len();
    println!("{} sessions written in {took:.0} s, {:.1} GB", options.sessions, bytes as f64 / 1e9);
    let units = || Some(UNITS[..2].iter().map(|u| (*u).to_owned()).collect::<Vec<_>>());
    let search = |filter: sessions::Filter, skip: u32| {
        // As an officer asks, who may not list what is restricted.
        let who = Some(("li".to_owned(), Some("冀E-016".to_owned())));
        let filter = sessions::Filter { units: units(), restricted_to: who, ..filter };
        move |c: &rusqlite::Connection| sessions::find(c, &filter, skip, 50).unwrap().1
    };
    let text = |t: &str| Some(t.to_owned());
    let none = sessions::Filter::default;
    let due = |wanted, skip| {
        let filter = retention::Filter { units: units().unwrap(), wanted, now_ms: now.timestamp_millis(), restricted_to: None };
        move |c: &rusqlite::Connection| retention::find(c, &filter, skip, 50).unwrap().1
    };
    let year = now - TimeDelta::days(1000);
    let all: Vec<Asked> = vec![
        ("newest sessions", 50, Box::new(search(none(), 0))),
        ("the hundredth page", 50, Box::new(search(none(), 5000))),
        ("by party", 50, Box::new(search(sessions::Filter { party: text("王李张"), ..none() }, 0))),
        ("by a surname", 50, Box::new(search(sessions::Filter { party: text("王"), ..none() }, 0))),
        ("by officer", 50, Box::new(search(sessions::Filter { officer: text("冀E-016"), ..none() }, 0))),
        ("by an officer of another unit", 50, Box::new(search(sessions::Filter { officer: text("冀E-017"), ..none() }, 0))),
        ("by cause, which all have", 50, Box::new(search(sessions::Filter { cause: text("占用土地"), ..none() }, 0))),
        ("by party and cause", 50, Box::new(search(sessions::Filter { party: text("王李张"), cause: text("土地"), ..none() }, 0))),
        (
            "by device in a month of long ago",
            50,
            Box::new(search(
                sessions::Filter {
                    device_no: text("XW-16"),
                    from_ms: Some((year - TimeDelta::days(30)).timestamp_millis()),
                    until_ms: Some(year.timestamp_millis()),
                    ..none()
                },
                0,
            )),
        ),
        ("by number", 50, Box::new(search(sessions::Filter { text: text("room-1-x777"), ..none() }, 0))),
        ("what is due", 200, Box::new(due(Wanted::Due, 0))),
        ("what is due, the hundredth page", 200, Box::new(due(Wanted::Due, 5000))),
        ("what is unclassified", 200, Box::new(due(Wanted::Class(RetentionClass::Unclassified), 0))),
        ("what is held", 200, Box::new(due(Wanted::Held, 0))),
    ];
    println!("{:36} {:>8} {:>8} {:>8} {:>8} {:>8}", "ms", "found", "p50", "p95", "max", "asked");
    for (what, asked, run) in all {
        let mut found = 0;
        let mut took: Vec<f64> = (0..options.times)
            .map(|_| {
                let at = Instant::now();
                found = catalog.read(|c| Ok(run(c))).unwrap();
                at.elapsed().as_secs_f64() * 1000.0
            })
            .collect();
        took.sort_by(f64::total_cmp);
        let ms = |share: f64| took[((took.len() - 1) as f64 * share) as usize];
        println!("{what:36} {found:>8} {:>8.1} {:>8.1} {:>8.1} {asked:>8}", ms(0.5), ms(0.95), ms(1.0));
    }
}
