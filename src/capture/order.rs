//! Whether pictures are shown in the order in which they come: then decode times are presentation times, and finding them costs
//! nothing (a tenth of what the muxer takes, `benches/RESULTS.md`).

use h264_reader::avcc::AvcDecoderConfigurationRecord;
use h264_reader::nal::sps::{PicOrderCntType, ProfileIdc, SeqParameterSet};
use h264_reader::rbsp::{BitReader, decode_nal};

/// Baseline profile has no pictures out of order (ITU-T H.264, A.2.1).
const BASELINE: u8 = 66;

/// Whether every parameter set of an `avcC` says so; what cannot be read says nothing.
pub(super) fn is_shown_as_it_comes(avcc: &[u8]) -> bool {
    let Ok(record) = AvcDecoderConfigurationRecord::try_from(avcc) else { return false };
    let mut sets = record.sequence_parameter_sets().peekable();
    sets.peek().is_some() && sets.all(|nal| nal.ok().and_then(said).unwrap_or(false))
}

fn said(nal: &[u8]) -> Option<bool> {
    let rbsp = decode_nal(nal).ok()?;
    let sps = SeqParameterSet::from_bits(BitReader::new(&rbsp[..])).ok()?;
    let limits = sps.vui_parameters.as_ref().and_then(|v| v.bitstream_restrictions.as_ref());
    let declared = limits.is_some_and(|l| l.max_num_reorder_frames == 0);
    Some(declared || sps.pic_order_cnt == PicOrderCntType::TypeTwo || sps.profile_idc == ProfileIdc::from(BASELINE))
}

#[cfg(test)]
mod tests {
    use super::*;

    proptest::proptest! {
        #[test]
        fn no_parameter_set_makes_the_reader_panic(data in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..80)) {
            let _ = is_shown_as_it_comes(&data);
            let head = [1, 100, 0, 31, 0xFF, 0xE1, 0, data.len() as u8];
            let _ = is_shown_as_it_comes(&[&head[..], &data, &[0]].concat());
        }
    }
}
