//! Everything that reads bytes of strangers, each as a function of bytes. `tests/fuzz.rs` gives them the corpus and its mutations at every
//! run of the tests; `tests/fuzz/run` gives them to libFuzzer, which looks for bytes that take ways that no bytes took before.
//!
//! A function returns whatever the bytes are. A panic, an overflow, a wait or a promise broken below is a finding; what was found stays
//! in the corpus.

use chrono::DateTime;
use std::path::Path;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// A target: its name, which is its corpus's folder, and what it does with bytes.
pub type Target = (&'static str, fn(&[u8]));

/// Those that take microseconds to milliseconds.
pub const TARGETS: &[Target] = &[
    ("fragment", fragment),
    ("recovery", recovery),
    ("journal", journal),
    ("folder", folder),
    ("package", package),
    ("log", log),
    ("notes", notes),
    ("onvif", onvif),
    ("bucket", bucket),
    ("config", config),
    ("words", words),
    ("rtsp", rtsp),
];

/// Those that take tenths of a second: the whole way of a camera's bytes, with GStreamer behind it.
pub const SLOW: &[Target] = &[("camera", camera)];

/// The boxes of our own files, which a power cut, a bad disk or somebody's editor may have changed.
fn fragment(data: &[u8]) {
    use shilu::footage::{continuity::Continuity, fragment};
    drop(Continuity::read(data));
    let extent = fragment::extent(data);
    assert!(extent.header <= extent.whole && extent.whole <= data.len());
    assert!(extent.fragments.windows(2).all(|w| w[0].end <= w[1].start), "fragments lie in order");
    let header = &data[..extent.header];
    let Ok(tracks) = fragment::tracks(header) else { return };
    drop(fragment::timeless(header).map(|plain| assert_eq!(plain.len(), header.len())));
    let video = fragment::video(header).ok().flatten();
    for piece in extent.fragments.into_iter().map(|f| &data[f]) {
        drop((fragment::check(piece), fragment::start_ns(piece, &tracks)));
        drop(video.map(|v| (fragment::end_ns(piece, v), fragment::entrance_ns(piece, v))));
        let piece = bytes::Bytes::copy_from_slice(piece);
        for shift_ns in [0, -1_000_000_000, 1 << 40] {
            drop(fragment::shifted(&piece, &tracks, shift_ns).map(|moved| assert_eq!(moved.len(), piece.len())));
            drop(fragment::shifted_apart(&piece, &tracks, shift_ns).map(|(head, rest)| assert_eq!(head.len() + rest.len(), piece.len())));
        }
    }
}

/// A folder that all executions share; what one wrote, the next overwrites.
fn place() -> &'static Path {
    static PLACE: OnceLock<tempfile::TempDir> = OnceLock::new();
    PLACE.get_or_init(|| tempfile::tempdir().unwrap()).path()
}

/// A segment that a power cut left open.
fn recovery(data: &[u8]) {
    use shilu::footage::{entrance, segment};
    std::fs::write(place().join("face-1.mp4"), data).unwrap();
    let left = segment::Left {
        camera: shilu::model::ids::CameraId::new("face").unwrap(),
        sequence: 1,
        file: "face-1.mp4".into(),
        offset_ms: 0,
        started_at: DateTime::UNIX_EPOCH,
    };
    let taken_up = segment::recover(place(), left).unwrap();
    assert_eq!(taken_up.bytes, data.len() as u64, "nothing of it is given up");
    let whole = taken_up.whole_bytes.unwrap();
    assert!(whole <= taken_up.bytes);
    for from_ms in [0, 1_500, u64::MAX] {
        drop(entrance::find(&place().join("face-1.mp4"), whole, from_ms));
    }
    assert_eq!(std::fs::read(place().join("face-1.mp4")).unwrap(), data, "not a byte was altered");
}

/// A session's journal, told again.
fn journal(data: &[u8]) {
    use shilu::footage::{journal, tree};
    std::fs::write(place().join(tree::JOURNAL), data).unwrap();
    drop((journal::read(place()), journal::is_sealed(place())));
    if let Ok(Some(session)) = journal::session(place()) {
        drop(shilu::model::step::gaps(&session));
        drop(shilu::model::manifest::of(&session, "signer", DateTime::UNIX_EPOCH));
    }
}

/// Lays out files that stand one behind the other, each after a line `#### NAME`.
fn lay_out(data: &[u8], folder: &Path) {
    drop(std::fs::remove_dir_all(folder));
    std::fs::create_dir_all(folder).unwrap();
    let mut rest = data;
    while let Some(at) = memchr::memmem::find(rest, b"#### ") {
        let (name, content) = rest[at + 5..].split_at(memchr::memchr(b'\n', &rest[at + 5..]).unwrap_or(rest.len() - at - 5));
        let content = content.get(1..).unwrap_or_default();
        let end = memchr::memmem::find(content, b"\n#### ").unwrap_or(content.len());
        rest = content.get(end + 1..).unwrap_or_default();
        let name = String::from_utf8_lossy(name);
        let is_name =
            |part: &str| !part.is_empty() && part.len() < 60 && part.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._".contains(&b));
        if name.split('/').all(|part| is_name(part) && !part.starts_with("..")) && name.split('/').count() < 7 {
            let path = folder.join(&*name);
            drop(std::fs::create_dir_all(path.parent().unwrap()));
            drop(std::fs::write(path, &content[..end]));
        }
    }
}

/// A session's folder that somebody hands to an expert.
fn folder(data: &[u8]) {
    use shilu::custody::files::{Files, Silent};
    use shilu::custody::verify::{self, Trust};
    let folder = place().join("session");
    lay_out(data, &folder);
    let files = Files::Folder(folder);
    let report = verify::verify(&files, &Trust { sm3: true, jobs: 1, ..Trust::default() }, &Silent);
    drop(verify::minute_code(&files, DateTime::UNIX_EPOCH));
    assert!(report.exit_code() != 0 || report.seal_code.is_some(), "nothing is intact without a seal");
}

/// A package that somebody hands to an expert.
fn package(data: &[u8]) {
    use shilu::custody::files::{Files, Silent};
    use shilu::custody::{bag, verify};
    let path = place().join("package.tar");
    std::fs::write(&path, data).unwrap();
    let trust = verify::Trust { sm3: true, jobs: 1, ..verify::Trust::default() };
    let Ok(files) = Files::open(&path, true, &Silent) else { return };
    match bag::find(&files) {
        Some(found) => drop(bag::check(&found, &trust, None, &Silent)),
        None => drop(verify::verify(&files, &trust, &Silent)),
    }
}

/// A custody log's folder.
fn log(data: &[u8]) {
    use shilu::custody::{audit, logfile, tiles::Tiles};
    let folder = place().join("log");
    lay_out(data, &folder);
    drop(audit::audit(&folder, None, &[audit::Anchor { size: 3, root: [0; 32] }]));
    drop((logfile::origin_of(&folder), logfile::set_aside_logs(&folder)));
    let mut disk = Tiles::of(&folder);
    for index in [0, 1, 255, 256, u64::MAX] {
        drop((disk.proof(index), disk.entry(index)));
    }
}

/// Heads, proofs, keys and anchor sheets: what witnesses answer and what experts are given.
fn notes(data: &[u8]) {
    use shilu::custody::keys::{PublicKey, Succession};
    use shilu::custody::note::{Checkpoint, Note, Proof, VerifierKey};
    use shilu::custody::{audit::Anchor, tiles};
    use shilu::model::merkle;
    let text = String::from_utf8_lossy(data);
    let key = VerifierKey::parse("PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW").unwrap();
    if let Ok(mut note) = Note::parse(data) {
        assert_eq!(Note::parse(note.to_text().as_bytes()).as_ref(), Ok(&note), "what is read is written so");
        drop((note.signed_by(&key), note.take_over(&text, &key)));
    }
    if let Ok(head) = Checkpoint::parse(&text) {
        assert!(text.starts_with(&head.text()), "what is read is written so; extensions may follow");
    }
    if let Ok(proof) = Proof::parse(data)
        && let Ok(head) = Checkpoint::parse(&proof.note.text)
    {
        let leaf = merkle::leaf(b"entry");
        merkle::is_included(&leaf, proof.index, head.size, &proof.hashes, &head.root);
        merkle::is_consistent(proof.index, &leaf, head.size, &head.root, &proof.hashes);
    }
    if let Ok(key) = PublicKey::from_pem(&text, "a key") {
        key.verifies(data, &data[..data.len().min(64)]);
        drop((key.fingerprint(), Succession::follow(data, &[0; 64], &key)));
    }
    drop((VerifierKey::parse(&text), Anchor::parse(&text)));
    let (entries, used) = tiles::split(data);
    assert!(used <= data.len() && entries.iter().map(|e| e.len() + 2).sum::<usize>() == used);
    drop(tiles::hashes(data));
}

/// What a camera answers to questions about itself, and to a probe of the network.
fn onvif(data: &[u8]) {
    use shilu::capture::onvif;
    drop(onvif::matched(data, "84ede3de-7dec-11d0-c360-f01234567890"));
    if let Ok(told) = onvif::texts(data) {
        let held: usize = told.iter().map(|(at, text)| at.len() + text.len()).sum();
        assert!(held <= 5 << 20, "an answer of {} bytes is held in {held}", data.len());
        let now = DateTime::UNIX_EPOCH + chrono::TimeDelta::days(20_000);
        if let Some(ms) = onvif::clock_told(&told, now) {
            let _ = now + chrono::TimeDelta::milliseconds(ms);
        }
    }
}

/// What the bucket answers, what lies in it, and what it is called there.
fn bucket(data: &[u8]) {
    use shilu::footage::{archive, envelope::Recipients};
    use shilu::model::archive as rule;
    static KEYS: OnceLock<shilu::footage::envelope::Identities> = OnceLock::new();
    let text = String::from_utf8_lossy(data);
    drop(archive::listed(&text));
    drop((serde_json::from_slice::<rule::Index>(data), serde_json::from_slice::<rule::SignedStatus>(data)));
    drop((rule::parse_index_key("site", &text).is_some(), rule::is_below(&text), rule::window(&text), rule::unhex(&text)));
    drop(serde_json::from_slice::<shilu::model::tombstone::Tombstone>(data));
    drop(Recipients::parse(&[text.clone().into_owned()]));
    let keys = KEYS.get_or_init(|| {
        let path = place().join("key");
        std::fs::write(&path, include_str!("age.key")).unwrap();
        shilu::footage::envelope::Identities::read(&path).unwrap()
    });
    drop(keys.decrypt(data));
}

/// The configuration, as somebody may have written it.
fn config(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    if let Err(wrong) = shilu::config::parse(&text) {
        assert!(!wrong.is_empty() && wrong.iter().all(|w| !w.is_empty()), "what is refused is told why");
    }
}

/// What people and other programs type: names, numbers, times, forms.
fn words(data: &[u8]) {
    use shilu::model::{ids, import, minute_code, text_record, time, words};
    let text = String::from_utf8_lossy(data);
    for made in [words::line("a", &text), words::text("a", &text), words::number("a", &text)].into_iter().flatten().flatten() {
        assert!(!made.trim().is_empty(), "nothing is not something");
    }
    let folder = words::folder_name(&text);
    assert!(!folder.contains('/') && folder != ".." && folder != "." && folder.len() < 256, "{folder:?} is a folder's name");
    drop((ids::SessionId::new(&text), ids::RoomId::new(&text), ids::CameraId::new(&text)));
    if let Some(at) = time::shanghai_typed(&text) {
        drop((time::shanghai_text(at), time::shanghai_day(at), minute_code::code("key", at)));
    }
    let _ = (import::DeviceClock::parse(&text), import::media_type(&text), import::looks_like_footage(&text));
    drop((import::device_slug(Some(&text)), import::device_ids(Some(&text))));
    if let Ok(given) = serde_json::from_slice::<std::collections::BTreeMap<String, String>>(data) {
        text_record::RecordKind::ALL.iter().for_each(|kind| drop(text_record::check(*kind, &given)));
    }
    drop(serde_json::from_slice::<import::Examined>(data).map(|found| (import::ending(&found.media_type), found.device_time)));
}

/// One thread for the sockets of the targets below.
fn runtime() -> &'static tokio::runtime::Runtime {
    static RUNTIME: OnceLock<tokio::runtime::Runtime> = OnceLock::new();
    RUNTIME.get_or_init(|| tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap())
}

/// A camera that says these bytes to whoever comes first, and hangs up; to others it says nothing. Each time at another address of
/// loopback, so that the kernel's memory of ended connections does not fill.
async fn hostile_camera(data: Vec<u8>) -> String {
    static NEXT: Mutex<u32> = Mutex::new(0);
    let n = {
        *NEXT.lock().unwrap() += 1;
        *NEXT.lock().unwrap()
    };
    let host = format!("127.{}.{}.{}", 1 + n / 62_500 % 250, 1 + n / 250 % 250, 1 + n % 250);
    let listener = tokio::net::TcpListener::bind((host.as_str(), 0)).await.unwrap();
    let url = format!("rtsp://{}/a", listener.local_addr().unwrap());
    tokio::spawn(async move {
        let Ok((mut asks, _)) = listener.accept().await else { return };
        drop(listener);
        drop(asks.write_all(&data).await);
        drop(asks.shutdown().await);
        let mut heard = [0; 4096];
        while asks.read(&mut heard).await.is_ok_and(|n| n > 0) {}
    });
    url
}

/// RTSP, SDP, RTP and RTCP, as `capture` has them read: by retina, with the same options. Where it panics the camera's connection ends and
/// is made anew (`capture/camera.rs`), which `camera` below holds; here it has to end, within its memory.
fn rtsp(data: &[u8]) {
    use futures::{FutureExt, StreamExt};
    use retina::client::{self, PlayOptions, Session, SessionOptions, SetupOptions};
    let talk = async {
        let url = hostile_camera(data.to_vec()).await.parse().unwrap();
        let options = SessionOptions::default()
            .unassigned_channel_data(client::UnassignedChannelDataPolicy::Ignore)
            .session_id(client::SessionIdPolicy::UseFirst)
            .teardown(client::TeardownPolicy::Auto);
        let mut session = Session::describe(url, options).await.ok()?;
        for at in 0..session.streams().len().min(3) {
            session.setup(at, SetupOptions::default().frame_format(retina::codec::FrameFormat::MP4)).await.ok()?;
        }
        let options = PlayOptions::default()
            .initial_timestamp(client::InitialTimestampPolicy::Permissive)
            .unknown_rtcp_ssrc(client::UnknownRtcpSsrcPolicy::DropPackets)
            .initial_seq(client::InitialSequenceNumberPolicy::IgnoreSuspiciousValues);
        let mut playing = session.play(options).await.ok()?.demuxed().ok()?;
        let mut bad = 0;
        while let Some(item) = playing.next().await {
            bad += u32::from(item.is_err());
            if bad > 50 {
                break;
            }
        }
        Some(())
    };
    let caught = std::panic::AssertUnwindSafe(talk).catch_unwind();
    let within = async { tokio::time::timeout(Duration::from_secs(20), caught).await };
    assert!(runtime().block_on(within).is_ok(), "a camera that has hung up is waited for");
}

/// The same bytes on their whole way: client, time line, muxer, ring, with the second client behind the first.
fn camera(data: &[u8]) {
    use shilu::capture::{self, CameraSettings, Capture, CaptureThread, Front, Transport};
    use shilu::model::fragment::CaptureEvent;
    static THREAD: OnceLock<CaptureThread> = OnceLock::new();
    let thread = THREAD.get_or_init(|| {
        capture::init().unwrap();
        CaptureThread::start().unwrap()
    });
    runtime().block_on(async {
        let settings = CameraSettings {
            id: shilu::model::ids::CameraId::new("face").unwrap(),
            url: hostile_camera(data.to_vec()).await.parse().unwrap(),
            user: None,
            password: None,
            front: if data.len().is_multiple_of(4) { Front::Rtspsrc } else { Front::Retina },
            transport: Transport::Tcp,
            stall_s: 1,
            preroll_s: 2,
        };
        let (told, mut heard) = tokio::sync::mpsc::unbounded_channel();
        let events = Box::new(move |event| {
            if let CaptureEvent::Down { detail, .. } = event {
                drop(told.send(detail));
            }
        });
        let capture = Capture::start(settings, thread, Arc::new(shilu::machine::clock::SystemClock), events);
        let down = tokio::time::timeout(Duration::from_secs(40), heard.recv()).await;
        let said = down.expect("an outage is told in time").unwrap();
        assert!(!said.is_empty() && said.len() < 2_000 && !said.contains('\n'), "in one line: {said:?}");
        drop(capture.handle().preroll());
        capture.stop().await;
    });
}
