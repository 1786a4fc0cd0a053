//! A segment: header, what it says of itself, and whole fragments; digested as it is filled, never touched once closed.

use crate::footage::cenc::Sealing;
use crate::footage::continuity::Continuity;
use crate::footage::fragment::{self, Malformed, Track};
use crate::footage::keyring::CameraKey;
use crate::footage::tree;
use crate::machine::{durable, fault::Fault};
use crate::model::digest::Running;
use crate::model::fragment::{Fragment, Header};
use crate::model::ids::{CameraId, SessionId};
use crate::model::session::{Segment, SignedVideo};
use crate::model::time::Moment;
use bytes::Bytes;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// The largest file that is read whole to find its fragments: a minute at 100 Mbit/s.
pub const BYTES_MAX: u64 = 1024 * 1024 * 1024;

/// A segment that is being filled: what its bytes are, wherever they are then written. No file is touched here, so that two
/// volumes get the same bytes and one digest serves both.
#[derive(Debug)]
pub struct Filling {
    segment: Segment,
    header: Arc<Header>,
    tracks: Vec<Track>,
    base_ns: i64,
    digest: Running,
    /// What encrypts it, where footage is encrypted.
    sealing: Option<Sealing>,
    first: Moment,
    first_pts: Duration,
    end_pts: Duration,
}

impl Filling {
    /// Begins a segment with this fragment as its first, which is not added yet; gives the bytes that come before it.
    /// `previous` is the digest of the camera's segment before this one. What the standard cannot encrypt is recorded in the clear, and
    /// told: recording comes first.
    pub fn begin(
        session: &SessionId,
        camera: &CameraId,
        sequence: u32,
        previous: Option<String>,
        first: &Fragment,
        offset_ms: i64,
        (sm3, key): (bool, Option<&CameraKey>),
    ) -> Result<(Self, Bytes), Malformed> {
        let tracks = fragment::tracks(&first.header.bytes)?;
        let base_ns = fragment::start_ns(&first.bytes, &tracks)? as i64;
        let (session, utc) = (session.clone(), first.arrived.utc);
        let said = Continuity { session, camera: camera.clone(), sequence, previous, first_frame: utc };
        let (sealing, header) = match key.map(|key| key.begin(&first.header.bytes, sequence)) {
            None => (None, first.header.bytes.clone()),
            Some(Ok((sealing, header))) => (Some(sealing), header),
            Some(Err(why)) => {
                tracing::error!(camera = %said.camera, %why, "a file is NOT encrypted");
                (None, first.header.bytes.clone())
            }
        };
        let head = Bytes::from([&header[..], &said.boxes(tracks.first().map_or(1, |t| t.id))].concat());
        let mut digest = Running::new(sm3);
        digest.update(&head);
        let segment = Segment {
            camera: camera.clone(),
            sequence,
            file: tree::segment_name(camera, sequence, utc),
            started_at: utc,
            offset_ms,
            duration_ms: 0,
            bytes: head.len() as u64,
            fragments: 0,
            sha256: String::new(),
            codecs: first.header.codecs.clone(),
            resolution: format!("{}x{}", first.header.width, first.header.height),
            camera_clock_offset_ms: first.camera_utc.map(|c| (c - utc).num_milliseconds()),
            recovered: false,
            whole_bytes: None,
            from_mirror: None,
            sm3: None,
            signed_video: None,
        };
        let (header, first_pts) = (first.header.clone(), first.pts);
        Ok((Self { segment, header, tracks, base_ns, digest, sealing, first: first.arrived, first_pts, end_pts: first_pts }, head))
    }

    /// What is known of it so far; without a digest.
    pub fn segment(&self) -> &Segment {
        &self.segment
    }
    /// Arrival of its first picture.
    pub fn first(&self) -> Moment {
        self.first
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

    /// Adds a fragment: decode times moved so that the file begins at zero, all else byte for byte. Gives the bytes to append:
    /// boxes, and samples.
    pub fn add(&mut self, next: &Fragment) -> Result<(Bytes, Bytes), Malformed> {
        fragment::check(&next.bytes)?;
        let (boxes, samples) = fragment::shifted_apart(&next.bytes, &self.tracks, -self.base_ns)?;
        // One look until a signature is found: a camera that signs does so all the time.
        if self.segment.signed_video.is_none() {
            self.segment.signed_video = signed_video(&samples);
        }
        let (boxes, samples) = match &mut self.sealing {
            None => (boxes, samples),
            Some(sealing) => (sealing.fragment(&[&boxes[..], &samples].concat())?, Bytes::new()),
        };
        self.digest.update(&boxes);
        self.digest.update(&samples);
        self.segment.bytes += (boxes.len() + samples.len()) as u64;
        self.segment.fragments += 1;
        self.end_pts = next.pts + next.duration;
        Ok((boxes, samples))
    }

    /// What is in it, with its digest.
    pub fn close(self) -> Segment {
        self.so_far()
    }

    /// What would be in it if it were closed now.
    pub fn so_far(&self) -> Segment {
        let (sha256, sm3) = self.digest.clone().both();
        Segment { duration_ms: self.length().as_millis() as u64, sha256, sm3, ..self.segment.clone() }
    }
}

/// What marks the SEI messages of cameras that sign: ONVIF's UUID stands in its Media Signing Specification, Axis' spells
/// "Signed Video...0".
const SIGNED_VIDEO: [([u8; 16], SignedVideo); 2] = [
    ([0x00, 0x5b, 0xc9, 0x3f, 0x2d, 0x71, 0x5e, 0x95, 0xad, 0xa4, 0x79, 0x6f, 0x90, 0x87, 0x7a, 0x6f], SignedVideo::Onvif),
    (*b"Signed Video...0", SignedVideo::Axis),
];

/// Whether signatures of the camera's own are in these bytes. Sixteen given bytes do not come up by chance.
fn signed_video(data: &[u8]) -> Option<SignedVideo> {
    SIGNED_VIDEO.iter().find(|(uuid, _)| memchr::memmem::find(data, uuid).is_some()).map(|(_, how)| *how)
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

/// Takes up a file as it lies: digested whole, cut only in words (`whole_bytes`), never altered.
pub fn recover(folder: &Path, left: Left) -> Result<Segment, Fault> {
    let data = durable::read_whole(&folder.join(&left.file), BYTES_MAX)?;
    let extent = fragment::extent(&data);
    let mut digest = Running::with_sm3();
    digest.update(&data);
    let (sha256, sm3) = digest.both();
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
        sha256,
        codecs: String::new(),
        resolution: String::new(),
        camera_clock_offset_ms: None,
        recovered: true,
        whole_bytes: Some(extent.whole as u64),
        from_mirror: None,
        sm3,
        signed_video: signed_video(&data),
    })
}

/// Where the pictures of the last whole fragment end; without pictures, where the last fragment begins.
fn recovered_length_ms(data: &[u8], extent: &fragment::Extent, tracks: &[Track]) -> u64 {
    let whole = || extent.fragments.iter().map(|f| &data[f.clone()]);
    let end = tracks.first().and_then(|t| whole().filter_map(|f| fragment::end_ns(f, *t).ok().flatten()).max());
    let start = || whole().filter_map(|f| fragment::start_ns(f, tracks).ok()).max();
    end.or_else(start).unwrap_or(0) / 1_000_000
}
