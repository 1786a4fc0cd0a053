//! What a header (`ftyp` + `moov`) says of its streams, as Media Source Extensions want it (RFC 6381).
//!
//! Read from the header itself and not from the camera's words, so that it is true of the file whichever front made it.

/// What a header says.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Said {
    /// E.g. `avc1.4D4028,flac`.
    pub(super) codecs: String,
    /// Pixels.
    pub(super) width: u32,
    /// Pixels.
    pub(super) height: u32,
    /// There is sound.
    pub(super) sound: bool,
}

/// Boxes that hold boxes, and how many bytes lie before those.
const CONTAINERS: &[(&[u8; 4], usize)] = &[
    (b"moov", 0),
    (b"trak", 0),
    (b"mdia", 0),
    (b"minf", 0),
    (b"stbl", 0),
    (b"stsd", 8),
    (b"avc1", 78),
    (b"avc3", 78),
    (b"hvc1", 78),
    (b"hev1", 78),
    (b"mp4a", 28),
];

/// Reads a header.
pub(super) fn read(header: &[u8]) -> Said {
    let mut said = Said::default();
    let mut names = Vec::new();
    walk(header, 0, &mut |kind, content| match kind {
        b"avc1" | b"avc3" | b"hvc1" | b"hev1" => {
            said.width = u32::from(u16_at(content, 24));
            said.height = u32::from(u16_at(content, 26));
        }
        b"avcC" => names.push(format!("avc1.{:02X}{:02X}{:02X}", byte(content, 1), byte(content, 2), byte(content, 3))),
        b"hvcC" => names.push(hevc(content)),
        b"esds" => names.push(aac(content)),
        b"fLaC" => names.push("flac".into()),
        b"Opus" => names.push("opus".into()),
        _ => {}
    });
    // Pictures first, as everybody writes it.
    names.sort_by_key(|n| !(n.starts_with("avc") || n.starts_with("hvc")));
    said.sound = names.iter().any(|n| !(n.starts_with("avc") || n.starts_with("hvc")));
    said.codecs = names.join(",");
    said
}

fn walk(data: &[u8], depth: u32, see: &mut impl FnMut(&[u8; 4], &[u8])) {
    let mut at = 0;
    while let Some(head) = data.get(at..at + 8) {
        let length = u32::from_be_bytes([head[0], head[1], head[2], head[3]]) as usize;
        let kind = [head[4], head[5], head[6], head[7]];
        let Some(content) = data.get(at + 8..at + length.max(8)).filter(|_| length >= 8) else { return };
        see(&kind, content);
        if let Some((_, skip)) = CONTAINERS.iter().find(|(k, _)| **k == kind)
            && let Some(inner) = content.get(*skip..).filter(|_| depth < 12)
        {
            walk(inner, depth + 1, see);
        }
        at += length;
    }
}

fn byte(data: &[u8], at: usize) -> u8 {
    data.get(at).copied().unwrap_or(0)
}

fn u16_at(data: &[u8], at: usize) -> u16 {
    u16::from_be_bytes([byte(data, at), byte(data, at + 1)])
}

/// ISO/IEC 14496-15, annex E: `hvc1.1.6.L93.B0`.
fn hevc(c: &[u8]) -> String {
    let head = byte(c, 1);
    let space = ["", "A", "B", "C"][usize::from(head >> 6)];
    let tier = if head & 0x20 == 0 { 'L' } else { 'H' };
    let compatible = u32::from_be_bytes([byte(c, 2), byte(c, 3), byte(c, 4), byte(c, 5)]).reverse_bits();
    let mut name = format!("hvc1.{space}{}.{compatible:X}.{tier}{}", head & 0x1F, byte(c, 12));
    let constraints: Vec<u8> = (6..12).map(|at| byte(c, at)).collect();
    let used = constraints.iter().rposition(|b| *b != 0).map_or(0, |at| at + 1);
    for b in &constraints[..used] {
        name.push_str(&format!(".{b:X}"));
    }
    name
}

/// The audio object type, from the decoder's specific info (ISO/IEC 14496-3): `mp4a.40.2`.
fn aac(esds: &[u8]) -> String {
    // Tag 5 is DecoderSpecificInfo; its length may be written in up to four bytes.
    let tag = esds.windows(2).enumerate().skip(4).find(|(at, w)| w[0] == 5 && esds[..*at].contains(&4)).map(|(at, _)| at);
    let first = tag.and_then(|at| esds[at + 1..].iter().position(|b| b & 0x80 == 0).map(|skip| byte(esds, at + 2 + skip)));
    format!("mp4a.40.{}", first.map_or(2, |b| b >> 3).max(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hevc_is_written_as_annex_e_says() {
        let config = [1, 0x01, 0x60, 0, 0, 0, 0xB0, 0, 0, 0, 0, 0, 93];
        assert_eq!(hevc(&config), "hvc1.1.6.L93.B0");
    }

    proptest::proptest! {
        #[test]
        fn no_header_makes_the_reader_panic(data in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..300)) {
            let _ = read(&data);
            let moov = [&((data.len() + 8) as u32).to_be_bytes()[..], b"moov", &data].concat();
            let _ = read(&moov);
        }
    }
}
