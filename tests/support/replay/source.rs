//! A recording as access units, cut into RTP payloads once.

use std::path::Path;

/// Largest RTP payload.
const PAYLOAD: usize = 1_400;

pub(crate) struct Unit {
    /// Payloads before the pictures' own number: delimiter and parameter sets.
    pub(crate) before: Vec<Vec<u8>>,
    /// Payloads of the slices.
    pub(crate) slices: Vec<Vec<u8>>,
}

pub(crate) struct Source {
    pub(crate) units: Vec<Unit>,
    pub(crate) sps: Vec<u8>,
    pub(crate) pps: Vec<u8>,
}

impl Source {
    pub(crate) fn read(path: &Path) -> Self {
        let data = std::fs::read(path).unwrap();
        let (mut units, mut sps, mut pps): (Vec<Unit>, _, _) = (vec![], vec![], vec![]);
        for nal in nals(&data) {
            let kind = nal[0] & 0x1F;
            if kind == 9 || units.is_empty() {
                units.push(Unit { before: vec![], slices: vec![] });
            }
            match kind {
                7 => sps = nal.to_vec(),
                8 => pps = nal.to_vec(),
                _ => {}
            }
            let unit = units.last_mut().unwrap();
            match kind {
                1..=5 => unit.slices.extend(payloads(nal)),
                9 => {}
                _ => unit.before.extend(payloads(nal)),
            }
        }
        units.retain(|u| !u.slices.is_empty());
        Self { units, sps, pps }
    }
}

fn nals(data: &[u8]) -> Vec<&[u8]> {
    let starts: Vec<usize> = data.windows(3).enumerate().filter(|(_, w)| *w == [0, 0, 1]).map(|(at, _)| at).collect();
    let ends = starts.iter().skip(1).copied().chain([data.len()]);
    let trimmed = |nal: &mut &[u8]| {
        while let Some((0, rest)) = nal.split_last().map(|(l, r)| (*l, r)) {
            *nal = rest;
        }
    };
    starts
        .iter()
        .zip(ends)
        .map(|(start, end)| {
            let mut nal = &data[start + 3..end];
            trimmed(&mut nal);
            nal
        })
        .filter(|n| !n.is_empty())
        .collect()
}

/// RFC 6184: a single NAL unit, or fragmentation units (FU-A).
fn payloads(nal: &[u8]) -> Vec<Vec<u8>> {
    if nal.len() <= PAYLOAD {
        return vec![nal.to_vec()];
    }
    let (head, body) = (nal[0], &nal[1..]);
    let count = body.len().div_ceil(PAYLOAD);
    body.chunks(PAYLOAD)
        .enumerate()
        .map(|(n, part)| {
            let first = if n == 0 { 0x80 } else { 0 };
            let last = if n + 1 == count { 0x40 } else { 0 };
            [&[(head & 0xE0) | 0x1C, first | last | (head & 0x1F)][..], part].concat()
        })
        .collect()
}
