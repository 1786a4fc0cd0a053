//! The RTSP side (RFC 2326): as much of it as a recorder asks for, over TCP and UDP.

use crate::faults::Faults;
use crate::packets::{self, Track};
use crate::source::Source;
use gstreamer::glib;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpStream, UdpSocket};
use tokio::sync::{broadcast, watch};

/// Sound comes in packets of 20 ms.
const SOUND_MS: u64 = 20;

pub(crate) struct Camera {
    pub(crate) name: String,
    sources: Vec<Arc<Source>>,
    fps: u32,
    audio: bool,
    /// Ticks of the picture clock: the number of the picture that is due.
    ticks: broadcast::Sender<u64>,
    faults: watch::Sender<Faults>,
    sent: AtomicU64,
    chance: Mutex<u64>,
}

impl Camera {
    pub(crate) fn start(name: String, sources: Vec<Arc<Source>>, fps: u32, audio: bool, at: usize, of: usize) -> Arc<Self> {
        let camera = Self {
            name,
            sources,
            fps,
            audio,
            ticks: broadcast::channel(64).0,
            faults: watch::channel(Faults::default()).0,
            sent: AtomicU64::new(0),
            chance: Mutex::new(0x9E37_79B9_7F4A_7C15 ^ at as u64),
        };
        let camera = Arc::new(camera);
        let running = camera.clone();
        tokio::spawn(async move {
            // Cameras are not in step with one another.
            tokio::time::sleep(Duration::from_secs_f64(at as f64 / (of as f64 * f64::from(running.fps)))).await;
            let mut clock = tokio::time::interval(Duration::from_secs_f64(1.0 / f64::from(running.fps)));
            // Key frames of several cameras do not fall together either.
            let mut number = (at as u64 * 7) % 250;
            loop {
                clock.tick().await;
                number += 1;
                let _ = running.ticks.send(number);
            }
        });
        camera
    }

    pub(crate) fn order(&self, order: &str) {
        self.faults.send_modify(|f| f.order(order));
    }

    /// Pictures sent to somebody.
    pub(crate) fn sent(&self) -> u64 {
        self.sent.load(Ordering::Relaxed)
    }

    /// Whether something of this chance, of a thousand, happens now: the same sequence in every run (xorshift).
    fn happens(&self, of_thousand: u32) -> bool {
        let mut state = self.chance.lock().unwrap();
        *state ^= *state << 13;
        *state ^= *state >> 7;
        *state ^= *state << 17;
        *state % 1000 < u64::from(of_thousand)
    }

    fn sdp(&self) -> String {
        let source = &self.sources[self.faults.borrow().source];
        let (sps, pps) = (glib::base64_encode(&source.sps), glib::base64_encode(&source.pps));
        let mut sdp = format!(
            "v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=replay\r\nc=IN IP4 0.0.0.0\r\nt=0 0\r\na=control:*\r\nm=video 0 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\n\
             a=fmtp:96 packetization-mode=1;sprop-parameter-sets={sps},{pps}\r\na=control:video\r\n"
        );
        if self.audio {
            sdp.push_str("m=audio 0 RTP/AVP 8\r\na=rtpmap:8 PCMA/8000\r\na=control:audio\r\n");
        }
        sdp
    }
}

/// Where a track's packets go.
enum Way {
    Interleaved(u8),
    Udp(UdpSocket, UdpSocket),
}

type Writer = Arc<tokio::sync::Mutex<OwnedWriteHalf>>;

pub(crate) async fn serve(socket: TcpStream, cameras: Arc<Vec<Arc<Camera>>>) {
    let _ = socket.set_nodelay(true);
    let peer = socket.peer_addr().unwrap().ip();
    let (read, write) = socket.into_split();
    let mut read = BufReader::new(read);
    let write: Writer = Arc::new(tokio::sync::Mutex::new(write));
    let mut ways: [Option<Way>; 2] = [None, None];
    let mut playing = None;
    while let Some(request) = request(&mut read).await {
        let mut parts = request.lines().next().unwrap_or_default().split(' ');
        let (method, url) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
        let header = |name: &str| {
            request.lines().find_map(|l| l.split_once(": ").filter(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, v)| v.to_owned()))
        };
        let cseq = header("CSeq").unwrap_or_default();
        let path = url.strip_prefix("rtsp://").and_then(|u| u.split('/').nth(1)).unwrap_or_default();
        let Some(camera) = cameras.iter().find(|c| c.name == path) else {
            return answer(&write, "404 Not Found", &cseq, "", "").await;
        };
        let faults = camera.faults.borrow().clone();
        if faults.refuse {
            answer(&write, "401 Unauthorized", &cseq, "WWW-Authenticate: Basic realm=\"camera\"\r\n", "").await;
            continue;
        }
        if let Some(to) = faults.redirect.filter(|_| method == "DESCRIBE") {
            answer(&write, "302 Moved Temporarily", &cseq, &format!("Location: {to}\r\n"), "").await;
            continue;
        }
        let session = "Session: 1;timeout=60\r\n";
        match method {
            "OPTIONS" => answer(&write, "200 OK", &cseq, "Public: DESCRIBE, SETUP, PLAY, TEARDOWN, GET_PARAMETER\r\n", "").await,
            "DESCRIBE" => {
                let base = format!("Content-Type: application/sdp\r\nContent-Base: {}/\r\n", url.trim_end_matches('/'));
                answer(&write, "200 OK", &cseq, &base, &camera.sdp()).await;
            }
            "SETUP" => {
                let track = usize::from(url.ends_with("audio"));
                let transport = header("Transport").unwrap_or_default();
                let (way, said) = set_up(&transport, peer, track).await;
                ways[track] = Some(way);
                answer(&write, "200 OK", &cseq, &format!("{session}Transport: {said}\r\n"), "").await;
            }
            "PLAY" => {
                answer(&write, "200 OK", &cseq, session, "").await;
                let (camera, write, ways) = (camera.clone(), write.clone(), std::mem::take(&mut ways));
                playing = Some(tokio::spawn(async move { play(&camera, &write, ways).await }));
            }
            "TEARDOWN" => {
                answer(&write, "200 OK", &cseq, session, "").await;
                break;
            }
            _ => answer(&write, "200 OK", &cseq, session, "").await,
        }
    }
    if let Some(task) = playing {
        task.abort();
    }
}

/// One request's head; what a client sends interleaved (its receiver reports) is skipped.
async fn request(read: &mut BufReader<OwnedReadHalf>) -> Option<String> {
    let mut text = String::new();
    loop {
        if text.is_empty() && *read.fill_buf().await.ok()?.first()? == b'$' {
            let mut head = [0; 4];
            read.read_exact(&mut head).await.ok()?;
            let mut rest = vec![0; usize::from(u16::from_be_bytes([head[2], head[3]]))];
            read.read_exact(&mut rest).await.ok()?;
            continue;
        }
        let before = text.len();
        if read.read_line(&mut text).await.ok()? == 0 {
            return None;
        }
        if text[before..] == *"\r\n" {
            return Some(text);
        }
    }
}

async fn answer(write: &Writer, status: &str, cseq: &str, headers: &str, body: &str) {
    let text = format!("RTSP/1.0 {status}\r\nCSeq: {cseq}\r\n{headers}Content-Length: {}\r\n\r\n{body}", body.len());
    let _ = write.lock().await.write_all(text.as_bytes()).await;
}

async fn set_up(transport: &str, peer: std::net::IpAddr, track: usize) -> (Way, String) {
    let ports = transport.split(';').find_map(|p| p.strip_prefix("client_port="));
    let Some((rtp, rtcp)) = ports.and_then(|p| p.split_once('-')) else {
        let channel = track as u8 * 2;
        return (Way::Interleaved(channel), format!("RTP/AVP/TCP;unicast;interleaved={channel}-{}", channel + 1));
    };
    // RTP wants an even port and the next one for RTCP.
    let (a, b) = loop {
        let a = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let port = a.local_addr().unwrap().port();
        if port % 2 == 0
            && let Ok(b) = UdpSocket::bind(("127.0.0.1", port + 1)).await
        {
            break (a, b);
        }
    };
    a.connect((peer, rtp.parse().unwrap())).await.unwrap();
    b.connect((peer, rtcp.parse().unwrap())).await.unwrap();
    let port = a.local_addr().unwrap().port();
    (Way::Udp(a, b), format!("RTP/AVP;unicast;client_port={rtp}-{rtcp};server_port={port}-{}", port + 1))
}

async fn play(camera: &Camera, write: &Writer, ways: [Option<Way>; 2]) -> std::io::Result<()> {
    let mut ticks = camera.ticks.subscribe();
    let faults = camera.faults.subscribe();
    let closes = faults.borrow().closes;
    let mut video = Track::new(96, 0x5348_494C);
    let mut sound = Track::new(8, 0x5348_494D);
    let mut sounds = 0;
    let sound_of = |number: u64| number * 1000 / (u64::from(camera.fps) * SOUND_MS);
    loop {
        let number = match ticks.recv().await {
            Ok(number) => number,
            Err(broadcast::error::RecvError::Lagged(_)) => continue,
            Err(broadcast::error::RecvError::Closed) => return Ok(()),
        };
        let wrong = faults.borrow().clone();
        if wrong.stall {
            continue;
        }
        let now = chrono::Utc::now().timestamp_millis();
        let time = packets::time_of(number, camera.fps).wrapping_add(wrong.jump);
        let source = &camera.sources[wrong.source];
        let at = (number % source.units.len() as u64) as usize;
        let mut packets: Vec<(usize, bool, Vec<u8>)> = Vec::new();
        if !(wrong.blind || wrong.uneven && number % 25 > 10 && number % 3 == 0) {
            packets.extend(packets::picture(&mut video, &source.units[at], number, now, time).into_iter().map(|p| (0, false, p)));
            camera.sent.fetch_add(1, Ordering::Relaxed);
        }
        if number.is_multiple_of(u64::from(camera.fps)) && !wrong.no_reports {
            packets.push((0, true, video.report(now + wrong.clock_off_s * 1000, time)));
        }
        if camera.audio && !wrong.mute {
            let until = sound_of(number + 1);
            sounds = if sounds == 0 { sound_of(number) } else { sounds.max(until.saturating_sub(5)) };
            while sounds < until {
                let time = 0xFFFF_0000_u32.wrapping_add((sounds * SOUND_MS * 8) as u32);
                // A quiet saw tooth, A-law.
                let tone: Vec<u8> = (0..SOUND_MS * 8).map(|n| 0xD5 ^ ((n + sounds) % 16) as u8).collect();
                packets.push((1, false, sound.packet(&tone, time, false)));
                sounds += 1;
            }
        }
        if wrong.closes != closes {
            packets.truncate(packets.len() / 2);
        }
        send(camera, write, &ways, packets, &wrong).await?;
        if wrong.closes != closes {
            return write.lock().await.shutdown().await;
        }
    }
}

async fn send(
    camera: &Camera,
    write: &Writer,
    ways: &[Option<Way>; 2],
    packets: Vec<(usize, bool, Vec<u8>)>,
    wrong: &Faults,
) -> std::io::Result<()> {
    let mut interleaved = Vec::new();
    let mut held: Option<Vec<u8>> = None;
    for (track, control, packet) in packets {
        match &ways[track] {
            Some(Way::Interleaved(channel)) => {
                interleaved.extend([b'$', channel + u8::from(control)]);
                interleaved.extend((packet.len() as u16).to_be_bytes());
                interleaved.extend(packet);
            }
            Some(Way::Udp(_, rtcp)) if control => drop(rtcp.send(&packet).await),
            Some(Way::Udp(rtp, _)) => {
                if camera.happens(wrong.loss) {
                    continue;
                }
                if held.is_none() && camera.happens(wrong.reorder) {
                    held = Some(packet);
                    continue;
                }
                let _ = rtp.send(&packet).await;
                if let Some(late) = held.take() {
                    let _ = rtp.send(&late).await;
                }
            }
            None => {}
        }
    }
    let mut write = write.lock().await;
    match wrong.dribble {
        None => write.write_all(&interleaved).await,
        Some(bytes_s) => {
            for part in interleaved.chunks(7) {
                write.write_all(part).await?;
                tokio::time::sleep(Duration::from_secs_f64(7.0 / f64::from(bytes_s.max(1)))).await;
            }
            Ok(())
        }
    }
}
