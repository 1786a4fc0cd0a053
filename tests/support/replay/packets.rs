//! RTP and RTCP as bytes (RFC 3550).

use crate::source::Unit;

/// Begins close to the end of both counters, so that every recording sees them wrap around within seconds.
const SEQ_START: u16 = 65_400;
const TIME_START: u32 = u32::MAX - 4 * 90_000;

/// Found in a stored file: then ten digits of number, `@`, thirteen of Unix ms.
pub(crate) const MARK: &[u8; 16] = b"SHILU-FRAME-NO: ";

pub(crate) struct Track {
    seq: u16,
    ssrc: u32,
    kind: u8,
    pub(crate) packets: u32,
    pub(crate) octets: u32,
}

impl Track {
    pub(crate) fn new(kind: u8, ssrc: u32) -> Self {
        Self { seq: SEQ_START, ssrc, kind, packets: 0, octets: 0 }
    }

    pub(crate) fn packet(&mut self, payload: &[u8], time: u32, last: bool) -> Vec<u8> {
        let mut p = Vec::with_capacity(payload.len() + 12);
        p.extend([0x80, self.kind | if last { 0x80 } else { 0 }]);
        p.extend(self.seq.to_be_bytes());
        p.extend(time.to_be_bytes());
        p.extend(self.ssrc.to_be_bytes());
        p.extend(payload);
        self.seq = self.seq.wrapping_add(1);
        self.packets += 1;
        self.octets += payload.len() as u32;
        p
    }

    /// A sender report.
    pub(crate) fn report(&self, unix_ms: i64, time: u32) -> Vec<u8> {
        let ntp_s = (unix_ms.div_euclid(1000) + 2_208_988_800) as u32;
        let fraction = (unix_ms.rem_euclid(1000) as u64 * (1 << 32) / 1000) as u32;
        let mut p = vec![0x80, 200, 0, 6];
        for word in [self.ssrc, ntp_s, fraction, time, self.packets, self.octets] {
            p.extend(word.to_be_bytes());
        }
        p
    }
}

/// Type of the messages of ONVIF Media Signing.
const SIGNING: [u8; 16] = [0x00, 0x5b, 0xc9, 0x3f, 0x2d, 0x71, 0x5e, 0x95, 0xad, 0xa4, 0x79, 0x6f, 0x90, 0x87, 0x7a, 0x6f];

/// RTP time of a picture at 90 kHz.
pub(crate) fn time_of(number: u64, fps: u32) -> u32 {
    TIME_START.wrapping_add((number * 90_000 / u64::from(fps)) as u32)
}

/// A picture's packets, its number among them.
pub(crate) fn picture(track: &mut Track, unit: &Unit, number: u64, unix_ms: i64, time: u32) -> Vec<Vec<u8>> {
    let text = format!("{number:010}@{unix_ms:013}");
    let mut sei = vec![0x06, 0x05, (MARK.len() + text.len()) as u8];
    sei.extend(MARK);
    sei.extend(text.as_bytes());
    sei.push(0x80);
    // Once a second what a camera that signs its video sends (ONVIF Media Signing): a message that no decoder shows.
    let mut signature = vec![0x06, 0x05, 16 + 48];
    signature.extend(SIGNING);
    signature.extend([0xa5; 48]);
    signature.push(0x80);
    let signs = number.is_multiple_of(25).then_some(signature.as_slice());
    let payloads: Vec<&[u8]> =
        unit.before.iter().map(Vec::as_slice).chain([sei.as_slice()]).chain(signs).chain(unit.slices.iter().map(Vec::as_slice)).collect();
    let last = payloads.len() - 1;
    payloads.into_iter().enumerate().map(|(n, payload)| track.packet(payload, time, n == last)).collect()
}
