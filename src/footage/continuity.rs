//! What each segment says of itself, inside the file: which session, camera and number it is, the digest of the file before it,
//! and the wall clock of its first picture. So completeness can be shown from the files alone, without manifest or database.
//!
//! A `uuid` box (ISO/IEC 14496-12, 11.1) behind `moov`, since no standard box says it; the wall clock also as `prft`
//! (producer reference time, 8.16.5), which players understand. Both are bytes of the file, so the digest covers them.

use crate::model::ids::{CameraId, SessionId};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

/// Extended type of the box: 7f0d3a52-6b1e-4c58-9a41-5e1a7c2d9b60.
pub const TYPE: [u8; 16] = [0x7f, 0x0d, 0x3a, 0x52, 0x6b, 0x1e, 0x4c, 0x58, 0x9a, 0x41, 0x5e, 0x1a, 0x7c, 0x2d, 0x9b, 0x60];
/// Largest content that is read.
const BYTES_MAX: usize = 4096;
/// Seconds between 1900 (NTP) and 1970.
const NTP_TO_UNIX_S: i64 = 2_208_988_800;

/// The box's content, as canonical JSON (RFC 8785).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Continuity {
    /// Which session.
    pub session: SessionId,
    /// Whose picture.
    pub camera: CameraId,
    /// 1 for the camera's first file in this session.
    pub sequence: u32,
    /// SHA-256 of the camera's file before this one; none for the first.
    pub previous: Option<String>,
    /// Arrival of the first picture.
    pub first_frame: DateTime<Utc>,
}

impl Continuity {
    /// The two boxes. `track` is the pictures' `track_ID`.
    pub fn boxes(&self, track: u32) -> Vec<u8> {
        // Plain data with text keys: neither form can fail.
        let json = serde_json_canonicalizer::to_vec(self).unwrap_or_default();
        let mut all = ((24 + json.len()) as u32).to_be_bytes().to_vec();
        all.extend(b"uuid");
        all.extend(TYPE);
        all.extend(json);
        all.extend(32_u32.to_be_bytes());
        all.extend(b"prft");
        // Version 1, flags 1: the time at which the encoder's output was there.
        all.extend([1, 0, 0, 1]);
        all.extend(track.to_be_bytes());
        all.extend(((self.first_frame.timestamp() + NTP_TO_UNIX_S) as u32).to_be_bytes());
        all.extend(((u64::from(self.first_frame.timestamp_subsec_nanos()) << 32) / 1_000_000_000).to_be_bytes()[4..].iter());
        // Media time of that picture: every file begins at zero.
        all.extend(0_u64.to_be_bytes());
        all
    }

    /// Finds it at the head of a file; `None` if it has none, or nothing of this form.
    pub fn read(head: &[u8]) -> Option<Self> {
        let mut at = 0;
        loop {
            let length = u32::from_be_bytes(head.get(at..at + 4)?.try_into().ok()?) as usize;
            match head.get(at + 4..at + 8)? {
                b"moof" | b"mdat" => return None,
                b"uuid" if head.get(at + 8..at + 24)? == TYPE && length <= BYTES_MAX => {
                    return serde_json::from_slice(head.get(at + 24..at + length)?).ok();
                }
                _ => at = at.checked_add(length.max(8))?,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_file_says_of_itself_is_read_back() {
        let said = Continuity {
            session: SessionId::new("room-1-20261123-090000").unwrap(),
            camera: CameraId::new("face").unwrap(),
            sequence: 2,
            previous: Some("ab".repeat(32)),
            first_frame: DateTime::from_timestamp_millis(1_795_000_000_250).unwrap(),
        };
        let head = [&[0, 0, 0, 8][..], b"moov", &said.boxes(1)].concat();
        assert_eq!(Continuity::read(&head), Some(said));
        assert_eq!(head[head.len() - 32..][4..8], *b"prft");
        assert_eq!(head[head.len() - 12..][..4], 0x4000_0000_u32.to_be_bytes(), "a quarter of a second");
    }

    proptest::proptest! {
        #[test]
        fn no_bytes_make_the_reader_panic(data in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..200)) {
            let _ = Continuity::read(&data);
            let _ = Continuity::read(&[&(data.len() as u32 + 24).to_be_bytes()[..], b"uuid", &TYPE, &data].concat());
        }
    }
}
