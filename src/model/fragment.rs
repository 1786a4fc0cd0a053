//! A fragment: a fifth of a second of one camera, as it goes to the disk, the pre-roll ring and the live viewers alike.

use crate::model::time::Moment;
use bytes::Bytes;
use chrono::{DateTime, Utc};
use std::sync::Arc;
use std::time::Duration;

/// What every segment and every live viewer begins with: `ftyp` + `moov`, and what it says.
///
/// A camera that changes resolution or codec gives a new header; a segment holds fragments of one header only.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header {
    /// `ftyp` + `moov` (ISO/IEC 14496-12).
    pub bytes: Bytes,
    /// RFC 6381, as Media Source Extensions take it, e.g. `avc1.4D4028,flac`.
    pub codecs: String,
    /// Picture width in pixels.
    pub width: u32,
    /// Picture height in pixels.
    pub height: u32,
    /// Whether there is sound.
    pub sound: bool,
}

/// One `moof` + `mdat`, complete.
#[derive(Debug, Clone)]
pub struct Fragment {
    /// The header that it belongs to; a change of this pointer's content means a new segment.
    pub header: Arc<Header>,
    /// `moof` + `mdat`, untouched; `tfdt` counts from the start of the muxer.
    pub bytes: Bytes,
    /// Whether the first picture is a key frame, so that a segment or a viewer can begin here.
    pub key: bool,
    /// Media time of the first picture since the start of the muxer.
    pub pts: Duration,
    /// Media length.
    pub duration: Duration,
    /// When the first picture's last byte arrived here, on both clocks.
    pub arrived: Moment,
    /// The camera's own time of the first picture, where RTCP sender reports give it (RFC 3550, 6.4.1).
    pub camera_utc: Option<DateTime<Utc>>,
    /// Pictures inside.
    pub frames: u32,
}

/// What a capture tells its recorder, in the order in which it happens.
#[derive(Debug, Clone)]
pub enum CaptureEvent {
    /// The stream is there: connected, and the first fragment is out.
    Up,
    /// A fragment.
    Fragment(Arc<Fragment>),
    /// The stream ended or never came. Told once each time, with the cause; reconnection goes on by itself.
    Down {
        /// Whose fault it looks like.
        cause: crate::model::gap::GapCause,
        /// What happened, for people; never holds a password or an address with one.
        detail: String,
        /// When the last media arrived, or when trying began.
        since: Moment,
    },
    /// Something worth writing down that is no gap: lost RTP packets, a jump of the camera's timestamps.
    Note {
        /// What happened.
        detail: String,
        /// When.
        at: Moment,
    },
}
