//! A segment: header and whole fragments, digested as they are written, never touched once closed.

use crate::footage::fragment::{self, Malformed, Track};
use crate::footage::tree;
use crate::machine::durable::{self, Appending};
use crate::machine::fault::Fault;
use crate::model::digest::Running;
use crate::model::fragment::{Fragment, Header};
use crate::model::ids::CameraId;
use crate::model::session::Segment;
use crate::model::time::Moment;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// The largest file that is read whole to find its fragments: a minute at 100 Mbit/s.
pub const BYTES_MAX: u64 = 1024 * 1024 * 1024;

/// Why a fragment could not be kept.
#[derive(Debug, thiserror::Error)]
pub enum NotKept {
    /// The machine's fault.
    #[error(transparent)]
    Fault(#[from] Fault),
    /// The bytes are no fragment.
    #[error("malformed fragment: {0}")]
    Malformed(#[from] Malformed),
}

/// A segment that is being written.
#[derive(Debug)]
pub struct OpenSegment {
    file: Appending,
    name: String,
    camera: CameraId,
    sequence: u32,
    header: Arc<Header>,
    tracks: Vec<Track>,
    base_ns: i64,
    digest: Running,
    first: Moment,
    first_pts: Duration,
    end_pts: Duration,
    camera_clock_offset_ms: Option<i64>,
    offset_ms: i64,
    fragments: u32,
}

impl OpenSegment {
    /// Begins a file with this fragment as its first; the header is written, the fragment not yet.
    pub fn begin(folder: &Path, camera: &CameraId, sequence: u32, first: &Fragment, offset_ms: i64) -> Result<Self, NotKept> {
        let tracks = fragment::tracks(&first.header.bytes)?;
        let base_ns = fragment::start_ns(&first.bytes, &tracks)? as i64;
        let name = tree::segment_name(camera, sequence, first.arrived.utc);
        let mut file = Appending::create(&folder.join(&name))?;
        let mut digest = Running::default();
        digest.update(&first.header.bytes);
        if let Err(fault) = file.append(&first.header.bytes) {
            // An empty file is left: footage is never removed here. Recovery lists it as recovered with nothing whole in it.
            file.drop_torn_tail()?;
            return Err(fault.into());
        }
        Ok(Self {
            file,
            name,
            camera: camera.clone(),
            sequence,
            header: first.header.clone(),
            tracks,
            base_ns,
            digest,
            first: first.arrived,
            first_pts: first.pts,
            end_pts: first.pts,
            camera_clock_offset_ms: first.camera_utc.map(|c| (c - first.arrived.utc).num_milliseconds()),
            offset_ms,
            fragments: 0,
        })
    }

    /// The file's name.
    pub fn name(&self) -> &str {
        &self.name
    }
    /// Its number.
    pub fn sequence(&self) -> u32 {
        self.sequence
    }
    /// Where it begins on the session's time line.
    pub fn offset_ms(&self) -> i64 {
        self.offset_ms
    }
    /// Arrival of its first picture.
    pub fn first(&self) -> Moment {
        self.first
    }
    /// Bytes in the file.
    pub fn bytes(&self) -> u64 {
        self.file.bytes()
    }
    /// Media length so far.
    pub fn length(&self) -> Duration {
        self.end_pts.saturating_sub(self.first_pts)
    }

    /// Whether a fragment can go on in this file: same header, and time going on where the last one ended.
    pub fn continues(&self, next: &Fragment) -> bool {
        let same = Arc::ptr_eq(&self.header, &next.header) || *self.header == *next.header;
        // A muxer that was started anew begins at zero again; a jump ahead would stretch a picture over a gap.
        same && next.pts >= self.first_pts && next.pts.abs_diff(self.end_pts) < Duration::from_millis(500)
    }

    /// Appends a fragment: decode times moved so that the file begins at zero, all else byte for byte. Not yet durable.
    pub fn append(&mut self, next: &Fragment) -> Result<(), NotKept> {
        fragment::check(&next.bytes)?;
        let bytes = fragment::shifted(&next.bytes, &self.tracks, -self.base_ns)?;
        if let Err(fault) = self.file.append(&bytes) {
            self.file.drop_torn_tail()?;
            return Err(fault.into());
        }
        self.digest.update(&bytes);
        self.fragments += 1;
        self.end_pts = next.pts + next.duration;
        Ok(())
    }

    /// Makes everything so far durable.
    pub fn sync(&mut self) -> Result<(), Fault> {
        self.file.sync()
    }

    /// Closes the file and says what is in it.
    pub fn close(mut self) -> Result<Segment, Fault> {
        self.file.sync()?;
        Ok(Segment {
            duration_ms: self.length().as_millis() as u64,
            camera: self.camera,
            sequence: self.sequence,
            file: self.name,
            started_at: self.first.utc,
            offset_ms: self.offset_ms,
            bytes: self.file.bytes(),
            fragments: self.fragments,
            sha256: self.digest.hex(),
            codecs: self.header.codecs.clone(),
            resolution: format!("{}x{}", self.header.width, self.header.height),
            camera_clock_offset_ms: self.camera_clock_offset_ms,
            recovered: false,
            whole_bytes: None,
        })
    }
}

/// What is known of a file that was open when the recorder was killed, besides what it holds.
#[derive(Debug, Clone)]
pub struct Left {
    /// Whose.
    pub camera: CameraId,
    /// Its number.
    pub sequence: u32,
    /// Its name.
    pub file: String,
    /// From the journal, or from its name.
    pub offset_ms: i64,
    /// From the journal, or from its name.
    pub started_at: chrono::DateTime<chrono::Utc>,
}

/// Takes up a file as it lies: digested whole, cut only in words (`whole_bytes`), never altered. `None` if nothing in it is whole.
pub fn recover(folder: &Path, left: Left) -> Result<Segment, Fault> {
    let data = durable::read_whole(&folder.join(&left.file), BYTES_MAX)?;
    let extent = fragment::extent(&data);
    let mut digest = Running::default();
    digest.update(&data);
    let header = &data[..extent.header];
    let tracks = fragment::tracks(header).unwrap_or_default();
    Ok(Segment {
        camera: left.camera,
        sequence: left.sequence,
        file: left.file,
        started_at: left.started_at,
        offset_ms: left.offset_ms,
        duration_ms: recovered_length_ms(&data, &extent, &tracks),
        bytes: data.len() as u64,
        fragments: extent.fragments.len() as u32,
        sha256: digest.hex(),
        codecs: String::new(),
        resolution: String::new(),
        camera_clock_offset_ms: None,
        recovered: true,
        whole_bytes: Some(extent.whole as u64),
    })
}

/// The start of the last whole fragment, plus one fragment as long as those before it.
fn recovered_length_ms(data: &[u8], extent: &fragment::Extent, tracks: &[Track]) -> u64 {
    let starts: Vec<u64> = extent.fragments.iter().filter_map(|f| fragment::start_ns(&data[f.clone()], tracks).ok()).collect();
    match (starts.first(), starts.last()) {
        (Some(first), Some(last)) if starts.len() > 1 => {
            let each = last.saturating_sub(*first) / (starts.len() as u64 - 1);
            (last + each) / 1_000_000
        }
        (Some(_), Some(_)) => 1_000,
        _ => 0,
    }
}
