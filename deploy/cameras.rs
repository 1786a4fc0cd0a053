//! Simulated cameras of one questioning room: a real RTSP server in a process of its own, for the demo and the tests.
//!
//! Pictures move, carry a label and the wall clock (Shanghai) burnt in; sound is a quiet tone. Loopback only.
//!
//! ```text
//! cameras --port 8554 --camera face,size=1280x720,fps=15 --camera overview,audio=none
//! ```

use clap::Parser;
use gstreamer::glib;
use gstreamer_rtsp_server::gio;
use gstreamer_rtsp_server::prelude::*;
use gstreamer_rtsp_server::{RTSP_TOKEN_MEDIA_FACTORY_ROLE, RTSPAuth, RTSPMediaFactory, RTSPServer, RTSPToken};
use std::collections::BTreeMap;
use std::error::Error;
use std::path::PathBuf;

/// Serves simulated cameras over RTSP on 127.0.0.1 until it is ended.
#[derive(Parser)]
struct Options {
    /// Port; 0 takes a free one.
    #[arg(long, default_value_t = 0)]
    port: u16,
    /// Sign-in name; without it everybody may watch.
    #[arg(long)]
    user: Option<String>,
    /// File that holds the password.
    #[arg(long)]
    password_file: Option<PathBuf>,
    /// Ask for the password in the open (basic) instead of by digest.
    #[arg(long)]
    basic: bool,
    /// PEM file with certificate and key: serve RTSPS instead.
    #[arg(long)]
    certificate: Option<PathBuf>,
    /// PATH[,key=value…]: size=1280x720 fps=15 gop=15 codec=h264|h265 audio=alaw|ulaw|aac|opus|none wave=ticks|silence|sine volume=0.2 bframes=0 kbps=1500 pattern=ball background=0xff34495e overlay=yes|none label=…
    #[arg(long = "camera", required = true)]
    cameras: Vec<String>,
}

struct Camera {
    path: String,
    keys: BTreeMap<String, String>,
}

impl Camera {
    fn parse(text: &str) -> Result<Self, String> {
        let mut parts = text.split(',');
        let path = parts.next().unwrap_or_default().to_owned();
        let pair = |p: &str| p.split_once('=').map(|(k, v)| (k.to_owned(), v.to_owned())).ok_or_else(|| format!("{p:?} is no key=value"));
        Ok(Self { path, keys: parts.map(pair).collect::<Result<_, _>>()? })
    }

    fn key<'a>(&'a self, name: &str, default: &'a str) -> &'a str {
        self.keys.get(name).map_or(default, String::as_str)
    }

    fn launch(&self) -> Result<String, Box<dyn Error>> {
        let (width, height) = self.key("size", "1280x720").split_once('x').ok_or("size is WIDTHxHEIGHT")?;
        let (fps, gop, kbps) = (self.key("fps", "15"), self.key("gop", self.key("fps", "15")), self.key("kbps", "1500"));
        let bframes: u32 = self.key("bframes", "0").parse()?;
        let (tune, label) = (if bframes == 0 { "tune=zerolatency" } else { "" }, self.key("label", &self.path));
        let encode = match self.key("codec", "h264") {
            "h264" => format!(
                "x264enc speed-preset=ultrafast {tune} bitrate={kbps} key-int-max={gop} bframes={bframes} b-adapt=false threads=1 ! video/x-h264,profile={} ! h264parse ! rtph264pay name=pay0 pt=96 config-interval=-1",
                if bframes == 0 { "baseline" } else { "main" }
            ),
            "h265" => format!(
                "x265enc speed-preset=ultrafast {tune} bitrate={kbps} key-int-max={gop} option-string=bframes={bframes}:pools=1:frame-threads=1:log-level=none ! h265parse ! rtph265pay name=pay0 pt=96 config-interval=-1"
            ),
            other => return Err(format!("codec {other:?} is unknown").into()),
        };
        let tone =
            format!("audiotestsrc is-live=true wave={} volume={} ! audio/x-raw", self.key("wave", "ticks"), self.key("volume", "0.2"));
        let sound = match self.key("audio", "alaw") {
            "alaw" => format!("{tone},rate=8000,channels=1 ! alawenc ! rtppcmapay name=pay1 pt=8"),
            "ulaw" => format!("{tone},rate=8000,channels=1 ! mulawenc ! rtppcmupay name=pay1 pt=0"),
            "aac" => format!("{tone},rate=48000,channels=2 ! avenc_aac ! aacparse ! rtpmp4gpay name=pay1 pt=97"),
            "opus" => format!("{tone},rate=48000,channels=2 ! opusenc ! rtpopuspay name=pay1 pt=97"),
            _ => String::new(),
        };
        let overlay = format!(
            "! clockoverlay time-format=\"%Y-%m-%d %H:%M:%S\" valignment=top halignment=right shaded-background=true \
             ! textoverlay text=\"{label}\" valignment=top halignment=left shaded-background=true"
        );
        let overlay = if self.key("overlay", "yes") == "none" { "" } else { &overlay };
        Ok(format!(
            "( videotestsrc is-live=true pattern={} background-color={} ! video/x-raw,format=I420,width={width},height={height},framerate={fps}/1 \
             {overlay} ! {encode}  {sound} )",
            self.key("pattern", "ball"),
            self.key("background", "0xff34495e"),
        ))
    }
}

#[allow(clippy::print_stdout)] // its one line is how others learn the port
fn main() -> Result<(), Box<dyn Error>> {
    let options = Options::parse();
    gstreamer::init()?;
    let server = RTSPServer::new();
    server.set_address("127.0.0.1");
    server.set_service(&options.port.to_string());
    let mounts = server.mount_points().ok_or("no mount points")?;
    for text in &options.cameras {
        let camera = Camera::parse(text)?;
        let factory = RTSPMediaFactory::new();
        factory.set_launch(&camera.launch()?);
        factory.set_shared(true);
        if options.user.is_some() || options.certificate.is_some() {
            factory.add_role_from_structure(
                &gstreamer::Structure::builder("viewer").field("media.factory.access", true).field("media.factory.construct", true).build(),
            );
        }
        mounts.add_factory(&format!("/{}", camera.path), factory);
    }
    protect(&server, &options)?;
    let attached = server.attach(None)?;
    let scheme = if options.certificate.is_some() { "rtsps" } else { "rtsp" };
    println!("ready {scheme}://127.0.0.1:{}", server.bound_port());
    glib::MainLoop::new(None, false).run();
    attached.remove();
    Ok(())
}

/// Password and TLS, where they are asked for.
fn protect(server: &RTSPServer, options: &Options) -> Result<(), Box<dyn Error>> {
    if options.user.is_none() && options.certificate.is_none() {
        return Ok(());
    }
    let auth = RTSPAuth::new();
    let viewer = || RTSPToken::builder().field(RTSP_TOKEN_MEDIA_FACTORY_ROLE, "viewer").build();
    if let Some(pem) = &options.certificate {
        auth.set_tls_certificate(Some(&gio::TlsCertificate::from_file(pem)?));
    }
    match &options.user {
        Some(user) => {
            let file = options.password_file.as_ref().ok_or("--user needs --password-file")?;
            let password = std::fs::read_to_string(file)?;
            if options.basic {
                auth.set_supported_methods(gstreamer_rtsp::RTSPAuthMethod::Basic);
                auth.add_basic(&RTSPAuth::make_basic(user, password.trim_end()), &viewer());
            } else {
                auth.set_supported_methods(gstreamer_rtsp::RTSPAuthMethod::Digest);
                auth.add_digest(user, password.trim_end(), &viewer());
            }
        }
        None => auth.set_default_token(Some(&mut viewer())),
    }
    server.set_auth(Some(&auth));
    Ok(())
}
