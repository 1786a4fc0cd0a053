//! A camera before it is saved: what it said and what it sent, tried once; and how a saved one is written down.

use crate::model::device_fault::PASSWORD_REFUSED;
use crate::model::ids::{CameraId, RoomId};
use crate::model::people::words;
use crate::model::readiness::Look;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

/// A clock may be so far off before it is a fault, ms.
pub const CLOCK_MS: i64 = 2_000;

words!(
    /// How media travels.
    Carrier {
        /// Interleaved in the RTSP connection.
        Tcp = "tcp",
        /// RTP over UDP.
        Udp = "udp",
    }
);

words!(
    /// Which RTSP client connects.
    Client {
        /// The usual one.
        Retina = "retina",
        /// For what the usual one does not serve.
        Rtspsrc = "rtspsrc",
    }
);

/// What a camera says of itself over ONVIF (GetDeviceInformation).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "recorder", derive(utoipa::ToSchema))]
pub struct Said {
    /// Its maker.
    pub maker: String,
    /// Its model.
    pub model: String,
    /// Its firmware.
    pub firmware: String,
    /// Its serial number.
    pub serial: String,
    /// Its clock minus the server's, ms.
    pub clock_ms: Option<i64>,
    /// Its streams: name, and address without name or password.
    pub streams: Vec<(String, String)>,
}

/// A camera that answered on the room's network (WS-Discovery).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "recorder", derive(utoipa::ToSchema))]
pub struct Found {
    /// Host and port of its ONVIF service.
    pub host: String,
    /// What it calls itself.
    pub name: Option<String>,
    /// Its hardware.
    pub hardware: Option<String>,
}

words!(
    /// Why nothing came, as far as it is known.
    TrialProblem {
        /// Nothing listens there, or it does not want to.
        Refused = "refused",
        /// User or password are wrong.
        Unauthorized = "unauthorized",
        /// It did not answer in time.
        Timeout = "timeout",
        /// There is no such host, or no way to it.
        NoHost = "no_host",
        /// What answers speaks something else.
        NotRtsp = "not_rtsp",
        /// There is no stream at this address.
        NoStream = "no_stream",
        /// It sends nothing that can be kept.
        NoPictures = "no_pictures",
        /// Anything else.
        Other = "other",
    }
);

/// What the capture's sentence says, in a word; the sentence itself is shown beside it.
pub fn problem_of(told: &str) -> TrialProblem {
    const KNOWN: &[(TrialProblem, &[&str])] = &[
        (TrialProblem::Unauthorized, &[PASSWORD_REFUSED]),
        (TrialProblem::NoHost, &["lookup", "resolve", "not known", "unreachable", "No route to host", "cannot be reached"]),
        (TrialProblem::Refused, &["refuses the connection", "Connection refused"]),
        (TrialProblem::Timeout, &["no answer to", "in time", "timed out", "timeout"]),
        (TrialProblem::NoStream, &["no stream at this address"]),
        (TrialProblem::NotRtsp, &["RTSP framing", "Invalid RTSP", "not RTSP", "nvalid response", "nparseable", "closed the connection"]),
        (TrialProblem::NoPictures, &["sends no pictures", "set it to H.264", "cannot be decoded"]),
    ];
    let says = |texts: &&(TrialProblem, &[&str])| texts.1.iter().any(|t| told.contains(t));
    KNOWN.iter().find(says).map_or(TrialProblem::Other, |(word, _)| *word)
}

/// What a trial of a stream showed.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
#[cfg_attr(feature = "recorder", derive(utoipa::ToSchema))]
pub struct Trial {
    /// Why nothing came; none: it did.
    pub problem: Option<String>,
    /// RFC 6381.
    pub codecs: String,
    /// `1280x720`.
    pub resolution: String,
    /// Pictures a second.
    pub fps: f64,
    /// Bits a second.
    pub bitrate_bps: u64,
    /// It has sound.
    pub sound: bool,
    /// Its level, dB below full scale.
    pub sound_dbfs: Option<f64>,
    /// Mean light, 0 to 255.
    pub light: Option<u8>,
    /// The picture moves.
    pub moves: Option<bool>,
    /// The camera's clock minus the server's, ms, where RTCP tells it.
    pub clock_ms: Option<i64>,
}

impl Trial {
    /// With what was seen and heard.
    #[must_use]
    pub fn looked(mut self, look: Look) -> Self {
        self.light = look.seen.map(|s| s.light);
        self.moves = look.seen.map(|s| s.change_max > crate::model::readiness::STILL);
        self.sound_dbfs = look.heard.map(|h| h.rms_dbfs);
        self
    }

    /// Pictures came: it may be saved.
    pub fn works(&self) -> bool {
        self.problem.is_none() && !self.resolution.is_empty()
    }
}

/// A camera that was added at the console, as its file has it; its password lies in a file of its own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SavedCamera {
    /// Which.
    pub id: CameraId,
    /// In which room.
    pub room: RoomId,
    /// Its name on screen.
    pub name: String,
    /// 执法记录设备编号.
    pub device_no: String,
    /// `rtsp://` or `rtsps://`, without name and password.
    pub url: String,
    /// Its small stream.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tile_url: Option<String>,
    /// Sign-in name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// How media travels.
    pub transport: Carrier,
    /// Which client connects.
    pub front: Client,
    /// Who saved it, and when.
    pub by: String,
    /// When.
    pub at: DateTime<Utc>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trials_sentence_is_told_in_a_word() {
        for (told, word) in [
            (PASSWORD_REFUSED, TrialProblem::Unauthorized),
            ("the camera refuses the connection", TrialProblem::Refused),
            ("no answer to DESCRIBE within 5 s", TrialProblem::Timeout),
            ("no pictures came in time", TrialProblem::Timeout),
            ("the connection failed: failed to lookup address information: Name or service not known", TrialProblem::NoHost),
            ("the connection failed: No route to host (os error 113)", TrialProblem::NoHost),
            ("the connection failed: Connection timed out (os error 110)", TrialProblem::Timeout),
            ("the camera has no stream at this address (404)", TrialProblem::NoStream),
            ("RTSP framing error: Invalid RTSP message", TrialProblem::NotRtsp),
            ("the camera sends jpeg; set it to H.264 or H.265", TrialProblem::NoPictures),
            ("the camera answers 503", TrialProblem::Other),
        ] {
            assert_eq!(problem_of(told), word, "{told}");
        }
    }
}
