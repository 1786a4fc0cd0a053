//! The texts in `pipelines/`, whole and readable by `gst-launch-1.0` but for their comments.

use crate::capture::CaptureError;
use gst::prelude::*;
use gstreamer as gst;

/// Every text, by name.
pub(super) const TEXTS: &[(&str, &str)] = &[
    ("h264", include_str!("../../pipelines/h264.gst")),
    ("h264-reordered", include_str!("../../pipelines/h264-reordered.gst")),
    ("h265", include_str!("../../pipelines/h265.gst")),
    ("alaw", include_str!("../../pipelines/alaw.gst")),
    ("mulaw", include_str!("../../pipelines/mulaw.gst")),
    ("pcm", include_str!("../../pipelines/pcm.gst")),
    ("aac", include_str!("../../pipelines/aac.gst")),
    ("opus", include_str!("../../pipelines/opus.gst")),
    ("see-h264", include_str!("../../pipelines/see-h264.gst")),
    ("see-h265", include_str!("../../pipelines/see-h265.gst")),
    ("hear-flac", include_str!("../../pipelines/hear-flac.gst")),
    ("hear-aac", include_str!("../../pipelines/hear-aac.gst")),
    ("hear-opus", include_str!("../../pipelines/hear-opus.gst")),
    ("mux", include_str!("../../pipelines/mux.gst")),
    ("rtsp", include_str!("../../pipelines/rtsp.gst")),
    ("rtsp-h264", include_str!("../../pipelines/rtsp-h264.gst")),
    ("rtsp-h265", include_str!("../../pipelines/rtsp-h265.gst")),
    ("rtsp-alaw", include_str!("../../pipelines/rtsp-alaw.gst")),
    ("rtsp-mulaw", include_str!("../../pipelines/rtsp-mulaw.gst")),
    ("rtsp-aac", include_str!("../../pipelines/rtsp-aac.gst")),
    ("rtsp-opus", include_str!("../../pipelines/rtsp-opus.gst")),
    ("copy-see-h264", include_str!("../../pipelines/copy-see-h264.gst")),
    ("copy-see-h265", include_str!("../../pipelines/copy-see-h265.gst")),
    ("copy-hear-flac", include_str!("../../pipelines/copy-hear-flac.gst")),
    ("copy-hear-aac", include_str!("../../pipelines/copy-hear-aac.gst")),
    ("copy-hear-opus", include_str!("../../pipelines/copy-hear-opus.gst")),
    ("copy-part", include_str!("../../pipelines/copy-part.gst")),
    ("copy-part-silent", include_str!("../../pipelines/copy-part-silent.gst")),
    ("copy-whole", include_str!("../../pipelines/copy-whole.gst")),
    ("copy-whole-silent", include_str!("../../pipelines/copy-whole-silent.gst")),
    ("still", include_str!("../../pipelines/still.gst")),
    ("copy-see-any", include_str!("../../pipelines/copy-see-any.gst")),
    ("copy-hear-any", include_str!("../../pipelines/copy-hear-any.gst")),
    ("trial-h264", include_str!("../../pipelines/trial-h264.gst")),
    ("trial-h265", include_str!("../../pipelines/trial-h265.gst")),
];

/// Elements that the texts name, with Debian's packages.
const ELEMENTS: &[(&str, &str)] = &[
    ("appsrc", "gstreamer1.0-plugins-base"),
    ("audioconvert", "gstreamer1.0-plugins-base"),
    ("opusdec", "gstreamer1.0-plugins-base"),
    ("videoscale", "gstreamer1.0-plugins-base"),
    ("qtdemux", "gstreamer1.0-plugins-good"),
    ("avdec_h264", "gstreamer1.0-libav"),
    ("avdec_h265", "gstreamer1.0-libav"),
    ("avdec_aac", "gstreamer1.0-libav"),
    ("flacparse", "gstreamer1.0-plugins-good"),
    ("rtspsrc", "gstreamer1.0-plugins-good"),
    ("rtph264depay", "gstreamer1.0-plugins-good"),
    ("aacparse", "gstreamer1.0-plugins-good"),
    ("flacenc", "gstreamer1.0-plugins-good"),
    ("capssetter", "gstreamer1.0-plugins-good"),
    ("alawdec", "gstreamer1.0-plugins-good"),
    ("mulawdec", "gstreamer1.0-plugins-good"),
    ("h264parse", "gstreamer1.0-plugins-bad"),
    ("h265parse", "gstreamer1.0-plugins-bad"),
    ("opusparse", "gstreamer1.0-plugins-bad"),
    ("h264timestamper", "gstreamer1.0-plugins-bad"),
    ("h265timestamper", "gstreamer1.0-plugins-bad"),
    ("audioresample", "gstreamer1.0-plugins-base"),
    ("textoverlay", "gstreamer1.0-plugins-base"),
    ("jpegenc", "gstreamer1.0-plugins-good"),
    ("mp4mux", "gstreamer1.0-plugins-good"),
    ("openh264enc", "gstreamer1.0-plugins-bad"),
    ("voaacenc", "gstreamer1.0-plugins-bad"),
    ("decodebin", "gstreamer1.0-plugins-base"),
    ("avidemux", "gstreamer1.0-plugins-good"),
    ("matroskademux", "gstreamer1.0-plugins-good"),
    ("wavparse", "gstreamer1.0-plugins-good"),
    ("jpegdec", "gstreamer1.0-plugins-good"),
    ("tsdemux", "gstreamer1.0-plugins-bad"),
];

/// Starts GStreamer and registers the fragmented muxer, which Debian does not ship.
pub(super) fn init() -> Result<(), CaptureError> {
    let failed = |e: &dyn std::fmt::Display| CaptureError::GStreamer(e.to_string());
    gst::init().map_err(|e| failed(&e))?;
    gstfmp4::plugin_register_static().map_err(|e| failed(&e))
}

/// Elements that are not there.
pub(super) fn missing() -> Vec<(&'static str, &'static str)> {
    ELEMENTS.iter().copied().filter(|(element, _)| gst::ElementFactory::find(element).is_none()).collect()
}

fn text(name: &str) -> String {
    let whole = TEXTS.iter().find(|(n, _)| *n == name).map_or("", |(_, t)| *t);
    // GStreamer 1.22's parser rejects '#'.
    whole.lines().filter(|l| !l.starts_with('#')).collect::<Vec<_>>().join("\n")
}

/// A piece as a bin, its open ends as ghost pads.
pub(super) fn piece(name: &'static str) -> Result<gst::Bin, CaptureError> {
    bin(name, true)
}

/// A whole as a bin: what looks like an open end is linked later, when a stream is found.
pub(super) fn whole(name: &'static str) -> Result<gst::Bin, CaptureError> {
    bin(name, false)
}

fn bin(name: &'static str, open_ends: bool) -> Result<gst::Bin, CaptureError> {
    gst::parse::bin_from_description_with_name(&text(name), open_ends, name)
        .map_err(|e| CaptureError::Pipeline { name, problem: e.to_string() })
}

/// An element of a piece by its name.
pub(super) fn named<T: IsA<gst::Object> + glib::object::IsA<gst::Element>>(bin: &gst::Bin, name: &'static str) -> Result<T, CaptureError> {
    let problem = || CaptureError::Pipeline { name, problem: "has no such element".into() };
    bin.by_name(name).ok_or_else(problem)?.downcast::<T>().map_err(|_| problem())
}

use gst::glib;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_pipeline_parses_and_every_file_is_used() {
        init().unwrap();
        assert_eq!(missing(), []);
        for (name, _) in TEXTS {
            piece(name).unwrap();
        }
        let files = std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/pipelines")).unwrap().count();
        assert_eq!(files, TEXTS.len());
    }
}
