//! Every picture of a session is accounted for: kept, or inside a gap or an interruption that the session declares. The cameras of
//! `replay` number their pictures.

use crate::support::stored;
use serde_json::Value;
use std::path::Path;

/// Pictures further apart than this have a gap between them: the tolerance of `model::gap`, and a fragment.
const APART_MS: i64 = 1_000;
/// How exactly a gap's ends are known: arrival, and a picture's place in its fragment.
const SLACK_MS: i64 = 700;

/// How many pictures were kept, and how many gaps are declared; fails where a picture is missing and nothing says so.
pub fn account(folder: &Path, session: &Value) -> (u64, u64) {
    let (mut kept, mut gaps) = (0, 0);
    let started: chrono::DateTime<chrono::Utc> = session["started_at"].as_str().unwrap().parse().unwrap();
    let started = started.timestamp_millis();
    let length = session["length_ms"].as_i64().unwrap();
    for camera in ["face", "overview"] {
        let declared = declared(session, camera);
        gaps += declared.len() as u64;
        let mut at = 0;
        let mut last = 0;
        let mut files = stored::files(folder, "mp4");
        files.retain(|f| f.file_name().unwrap().to_string_lossy().starts_with(camera));
        // By their numbers: the wall clock, by which they are named too, may have gone back.
        files.sort_by_key(|f| f.file_stem().unwrap().to_string_lossy().rsplit('-').next().unwrap().parse::<u32>().unwrap());
        for (number, ms) in files.into_iter().flat_map(|f| stored::frames(&std::fs::read(f).unwrap())) {
            let ms = ms - started;
            // What the first picture of a file needs may stand before it a second time; nothing else goes back.
            assert!(number > last || ms < at + APART_MS, "{}: picture {number} after {last}", session["id"]);
            is_declared(session, camera, &declared, at, ms);
            (at, last, kept) = (ms.max(at), number.max(last), kept + 1);
        }
        is_declared(session, camera, &declared, at, length);
    }
    (kept, gaps)
}

/// Gaps and interruptions, ms of session time.
fn declared(session: &Value, camera: &str) -> Vec<(i64, i64)> {
    let span = |g: &Value| (g["from_ms"].as_i64().unwrap(), g["to_ms"].as_i64().unwrap_or(i64::MAX));
    let of = |name: &str| session[name].as_array().unwrap().clone();
    let gaps = of("gaps").into_iter().filter(|g| g["camera"] == camera);
    gaps.chain(of("interruptions")).map(|g| span(&g)).collect()
}

fn is_declared(session: &Value, camera: &str, declared: &[(i64, i64)], from: i64, to: i64) {
    let apart = to - from > APART_MS && to > 0;
    let inside = |(f, t): &(i64, i64)| *f <= from.max(0) + SLACK_MS && *t >= to - SLACK_MS;
    // Neighbouring gaps (a stall, then a kill) may together cover one stretch.
    let covered: i64 = declared.iter().map(|(f, t)| (*t).min(to) - (*f).max(from.max(0))).filter(|ms| *ms > 0).sum();
    let whole = covered + 2 * SLACK_MS >= to - from.max(0);
    assert!(
        !apart || declared.iter().any(inside) || whole,
        "{}: {camera} has nothing from {from} to {to} ms: {declared:?}\n{session:#}",
        session["id"]
    );
}
