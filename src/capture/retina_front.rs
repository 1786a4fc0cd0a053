//! The usual front: the `retina` crate, RTSP over TCP or UDP, digest and basic authentication.

use crate::capture::camera::Ended;
use crate::capture::feed::{Feed, Format, IN_ORDER, Picture, REORDERED, Sound};
use crate::capture::hub::Hub;
use crate::capture::{CameraSettings, Transport, order};
use crate::machine::clock::Clock;
use crate::model::device_fault::PASSWORD_REFUSED;
use chrono::{DateTime, TimeDelta, Utc};
use futures::StreamExt;
use gstreamer as gst;
use retina::client::{self, Credentials, Demuxed, PlayOptions, SessionOptions, SetupOptions, Stream};
use retina::codec::{CodecItem, FrameFormat, ParametersRef};
use secrecy::ExposeSecret;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::timeout;

/// How long a camera may take to answer one request.
const ANSWER: Duration = Duration::from_secs(10);
/// Packets in a row that fit nothing until the connection is given up: joining a running stream in the middle of a key
/// frame of 4K gives some two thousand.
const BAD_PACKETS_MAX: u32 = 5_000;
/// The highest sampling rate, Hz, and most channels that a camera's sound has.
const RATE_MAX: u32 = 192_000;
const CHANNELS_MAX: u16 = 8;
/// Seconds between 1900 (NTP, RFC 3550) and 1970.
const NTP_TO_UNIX_S: i64 = 2_208_988_800;

/// Connects and feeds until the connection ends, and says why it did.
pub(super) async fn run(settings: &CameraSettings, feed: &mut Feed, hub: &Hub, clock: &Arc<dyn Clock>) -> Ended {
    match connect(settings, hub).await {
        Ok((demuxed, streams)) => {
            let ended = play(settings, demuxed, streams, feed, hub, clock).await;
            Ended { other_front: !feed.has_begun(), ..ended }
        }
        Err(ended) => ended,
    }
}

/// Which of the camera's streams are pictures and sound.
#[derive(Debug, Clone, Copy)]
struct Chosen {
    video: usize,
    sound: Option<usize>,
}

async fn connect(settings: &CameraSettings, hub: &Hub) -> Result<(Demuxed, Chosen), Ended> {
    let creds = settings.user.as_ref().map(|user| Credentials {
        username: user.clone(),
        password: settings.password.as_ref().map(|p| p.expose_secret().to_owned()).unwrap_or_default(),
    });
    let options = SessionOptions::default()
        .creds(creds)
        .user_agent(concat!("shilu/", env!("CARGO_PKG_VERSION")).into())
        .unassigned_channel_data(client::UnassignedChannelDataPolicy::Ignore)
        .session_id(client::SessionIdPolicy::UseFirst)
        .teardown(client::TeardownPolicy::Auto);
    let mut session = within("DESCRIBE", client::Session::describe(settings.url.clone(), options)).await?;
    let chosen = choose(session.streams(), hub)?;
    for at in std::iter::once(chosen.video).chain(chosen.sound) {
        let transport = match settings.transport {
            Transport::Tcp => client::Transport::Tcp(client::TcpTransportOptions::default()),
            Transport::Udp => client::Transport::Udp(client::UdpTransportOptions::default()),
        };
        let options = SetupOptions::default().transport(transport).frame_format(FrameFormat::MP4);
        within("SETUP", session.setup(at, options)).await?;
    }
    let options = PlayOptions::default()
        .initial_timestamp(client::InitialTimestampPolicy::Permissive)
        .unknown_rtcp_ssrc(client::UnknownRtcpSsrcPolicy::DropPackets)
        .initial_seq(client::InitialSequenceNumberPolicy::IgnoreSuspiciousValues);
    let playing = within("PLAY", session.play(options)).await?;
    Ok((playing.demuxed().map_err(|e| ended(&e))?, chosen))
}

async fn within<T>(request: &str, work: impl Future<Output = Result<T, retina::Error>>) -> Result<T, Ended> {
    match timeout(ANSWER, work).await {
        Ok(result) => result.map_err(|e| ended(&e)),
        Err(_) => Err(Ended::network(format!("no answer to {request} within {} s", ANSWER.as_secs()))),
    }
}

/// What a connection's error means. Only its first line is told: the rest is addresses and hex.
fn ended(e: &retina::Error) -> Ended {
    use std::error::Error;
    match e.status_code() {
        Some(401 | 403) => return Ended::camera(PASSWORD_REFUSED),
        Some(404) => return Ended::camera("the camera has no stream at this address (404)"),
        Some(code @ 400..) => return Ended::camera(format!("the camera answers {code}")),
        _ => {}
    }
    let io = e.source().and_then(|s| s.downcast_ref::<std::io::Error>());
    if let Some(io) = io {
        return match io.kind() {
            std::io::ErrorKind::ConnectionRefused => Ended::camera("the camera refuses the connection"),
            std::io::ErrorKind::ConnectionReset | std::io::ErrorKind::UnexpectedEof | std::io::ErrorKind::BrokenPipe => {
                Ended::camera("the camera closed the connection")
            }
            _ => Ended::network(format!("the connection failed: {io}")),
        };
    }
    let text = e.to_string();
    // Retina 0.4 has no Opus; it says so of the whole DESCRIBE.
    if text.contains("no depacketizer") {
        return Ended { other_front: true, ..Ended::camera("retina does not know one of the camera's formats") };
    }
    let line = text.lines().next().unwrap_or("error");
    let line =
        if line.contains("authentic") || line.contains("redential") || line.contains("Unauthorized") { PASSWORD_REFUSED } else { line };
    Ended::camera(line)
}

/// Whether an error is about one packet (a stream joined in mid-frame, a hole) and the connection goes on.
fn is_of_a_packet(e: &retina::Error) -> bool {
    e.to_string().contains("\nssrc: ")
}

fn choose(streams: &[Stream], hub: &Hub) -> Result<Chosen, Ended> {
    let all = |media: &str| streams.iter().enumerate().filter(|(_, s)| s.media() == media).collect::<Vec<_>>();
    let videos = all("video");
    let Some((video, _)) = videos.iter().find(|(_, s)| matches!(s.encoding_name(), "h264" | "h265")) else {
        let names: Vec<&str> = videos.iter().map(|(_, s)| s.encoding_name()).collect();
        return Err(Ended::camera(if names.is_empty() {
            "the camera sends no pictures".into()
        } else {
            format!("the camera sends {}; set it to H.264 or H.265", names.join(", "))
        }));
    };
    let sounds = all("audio");
    let sound = sounds.iter().find(|(_, s)| matches!(s.encoding_name(), "pcma" | "pcmu" | "l16" | "mpeg4-generic" | "opus"));
    if sound.is_none()
        && let Some((_, s)) = sounds.first()
    {
        hub.note(format!("sound in {} cannot be kept; set the camera to G.711, AAC or Opus", s.encoding_name()));
    }
    Ok(Chosen { video: *video, sound: sound.map(|(at, _)| *at) })
}

/// The camera's clock, from its newest sender report: RTP media time and what the camera called it.
type Report = Option<(i64, DateTime<Utc>)>;

async fn play(
    settings: &CameraSettings,
    mut demuxed: Demuxed,
    chosen: Chosen,
    feed: &mut Feed,
    hub: &Hub,
    clock: &Arc<dyn Clock>,
) -> Ended {
    let stall = Duration::from_secs(u64::from(settings.stall_s));
    let mut report: Report = None;
    let mut bad = 0;
    let began = clock.now();
    formats(&demuxed, chosen, feed);
    loop {
        let item = match timeout(stall, demuxed.next()).await {
            Err(_) => return stalled(settings),
            Ok(None) => return Ended::camera("the camera ended the stream"),
            Ok(Some(Err(e))) if is_of_a_packet(&e) && bad < BAD_PACKETS_MAX => {
                bad += 1;
                hub.lost_packets(1);
                continue;
            }
            Ok(Some(Err(e))) => return ended(&e),
            Ok(Some(Ok(item))) => item,
        };
        let now = clock.now();
        if now.mono_ms > feed.last_picture().mono_ms.max(began.mono_ms) + stall.as_millis() as u64 {
            return stalled(settings);
        }
        let fed = match item {
            CodecItem::VideoFrame(frame) => {
                bad = 0;
                hub.lost_packets(u64::from(frame.loss()));
                if frame.has_new_parameters() {
                    formats(&demuxed, chosen, feed);
                }
                let media_ns = nanoseconds(frame.timestamp());
                let camera_utc = report.and_then(|(at, utc)| utc.checked_add_signed(TimeDelta::nanoseconds(media_ns.saturating_sub(at))));
                let key = frame.is_random_access_point();
                feed.picture(Picture { data: frame.into_data(), media_ns, key, at: now, camera_utc }).await
            }
            CodecItem::AudioFrame(frame) => {
                hub.lost_packets(u64::from(frame.loss()));
                feed.sound(Sound { data: frame.data().to_vec(), media_ns: nanoseconds(frame.timestamp()), at: now })
            }
            CodecItem::Rtcp(packet) if packet.stream_id() == chosen.video => {
                report = sender_report(&packet, now.utc).or(report);
                Ok(())
            }
            _ => Ok(()),
        };
        if let Err(problem) = fed {
            return Ended::camera(format!("what the camera sends cannot be used: {problem}"));
        }
    }
}

fn stalled(settings: &CameraSettings) -> Ended {
    Ended::camera(format!("no pictures for {} s though the connection is open", settings.stall_s))
}

fn nanoseconds(t: retina::Timestamp) -> i64 {
    let ns = i128::from(t.elapsed()) * 1_000_000_000 / i128::from(t.clock_rate().get());
    // A clock of one tick a second that leaps is soon beyond what fits.
    ns.clamp(i128::from(i64::MIN), i128::from(i64::MAX)) as i64
}

fn sender_report(packet: &retina::rtcp::ReceivedCompoundPacket, now: DateTime<Utc>) -> Report {
    let at = nanoseconds(packet.rtp_timestamp()?);
    let report = packet.pkts().find_map(|p| p.as_sender_report().ok().flatten())?;
    let ntp = report.ntp_timestamp().0;
    // 32 bits of seconds begin anew in 2036: of all eras the one that is nearest to now is meant (RFC 5905, 6).
    let in_first_era = (ntp >> 32) as i64 - NTP_TO_UNIX_S;
    let eras = (now.timestamp() - in_first_era + (1 << 31)).div_euclid(1 << 32);
    let utc = DateTime::from_timestamp(in_first_era + (eras << 32), (((ntp & 0xFFFF_FFFF) * 1_000_000_000) >> 32) as u32)?;
    Some((at, utc))
}

/// Tells the feed what the streams are now.
fn formats(demuxed: &Demuxed, chosen: Chosen, feed: &mut Feed) {
    let streams = demuxed.streams();
    if let Some(format) = streams.get(chosen.video).and_then(video_format) {
        feed.set_video(format);
    }
    if let Some(format) = chosen.sound.and_then(|at| streams.get(at)).and_then(sound_format) {
        feed.set_sound(format);
    }
}

fn video_format(stream: &Stream) -> Option<Format> {
    let Some(ParametersRef::Video(p)) = stream.parameters() else { return None };
    let (piece, name, form) = match stream.encoding_name() {
        "h264" if order::is_shown_as_it_comes(p.extra_data()) => (IN_ORDER, "video/x-h264", "avc"),
        "h264" => (REORDERED, "video/x-h264", "avc"),
        _ => ("h265", "video/x-h265", "hvc1"),
    };
    let (width, height) = p.pixel_dimensions();
    let mut caps = gst::Caps::builder(name)
        .field("stream-format", form)
        .field("alignment", "au")
        .field("codec_data", gst::Buffer::from_slice(p.extra_data().to_vec()))
        .field("width", width as i32)
        .field("height", height as i32);
    // A rate in the picture parameters helps to find decode times; absent or absurd, the parser finds its own.
    if let Some((num, denom)) = p.frame_rate().filter(|(num, denom)| *num > 0 && *denom > 0) {
        let fraction = (i32::try_from(denom).ok(), i32::try_from(num).ok());
        if let (Some(n), Some(d)) = fraction {
            caps = caps.field("framerate", gst::Fraction::new(n, d));
        }
    }
    Some(Format { piece, caps: caps.build(), gathers: None })
}

fn sound_format(stream: &Stream) -> Option<Format> {
    // What no microphone sends is no sound: the numbers are the camera's own words.
    let rate = stream.clock_rate_hz().min(RATE_MAX) as i32;
    let channels = stream.channels().map_or(1, |c| i32::from(c.get().min(CHANNELS_MAX)));
    let law = |piece, name: &str| Format {
        piece,
        caps: gst::Caps::builder(name).field("rate", rate).field("channels", channels).build(),
        gathers: Some((rate * channels) as u32),
    };
    match stream.encoding_name() {
        "pcma" => Some(law("alaw", "audio/x-alaw")),
        "pcmu" => Some(law("mulaw", "audio/x-mulaw")),
        "l16" => {
            let caps = gst::Caps::builder("audio/x-raw")
                .field("format", "S16BE")
                .field("layout", "interleaved")
                .field("rate", rate)
                .field("channels", channels)
                .build();
            Some(Format { piece: "pcm", caps, gathers: Some((rate * channels * 2) as u32) })
        }
        "opus" => {
            let caps = gst::Caps::builder("audio/x-opus")
                .field("channel-mapping-family", 0i32)
                .field("rate", 48_000i32)
                .field("channels", channels)
                .build();
            Some(Format { piece: "opus", caps, gathers: None })
        }
        _ => {
            let Some(ParametersRef::Audio(p)) = stream.parameters() else { return None };
            let caps = gst::Caps::builder("audio/mpeg")
                .field("mpegversion", 4i32)
                .field("stream-format", "raw")
                .field("framed", true)
                .field("codec_data", gst::Buffer::from_slice(p.extra_data().to_vec()))
                .field("rate", p.clock_rate() as i32)
                .field("channels", i32::from(p.channels().get()))
                .build();
            Some(Format { piece: "aac", caps, gathers: None })
        }
    }
}
