//! `shilu demo`: two simulated rooms over real RTSP, recorder and console on loopback. `deploy/demo` builds and calls it.

use crate::cli::serve::{self, Running};
use crate::cli::{Ended, drive, runtime};
use crate::config;
use crate::desks::accounts::{NewAccount, Register};
use crate::machine::terminal::say;
use crate::machine::{durable, randomness};
use crate::model::ids::UnitId;
use crate::model::people::Role;
use clap::Args;
use serde::Serialize;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

/// The demo.
#[derive(Debug, Args)]
pub struct Options {
    /// Where everything is written; by default a new folder.
    #[arg(long)]
    data: PathBuf,
    /// Where the console listens.
    #[arg(long, default_value = "127.0.0.1:8040")]
    listen: SocketAddr,
    /// The camera simulator.
    #[arg(long)]
    cameras: PathBuf,
    /// Smaller pictures, for a slow machine.
    #[arg(long)]
    small: bool,
    /// Drive one whole session through the public API, print one JSON line, and end.
    #[arg(long)]
    once: bool,
    /// How long that session records.
    #[arg(long, default_value_t = 10)]
    seconds: u64,
}

/// What the demo made; the same goes to `demo.json`, readable by its owner alone.
#[derive(Debug, Clone, Serialize)]
pub struct Made {
    /// The console.
    pub url: String,
    /// One account a role.
    pub accounts: Vec<Account>,
    /// The cameras.
    pub cameras: Vec<Camera>,
}

/// An account of the demo.
#[derive(Debug, Clone, Serialize)]
pub struct Account {
    /// Its role.
    pub role: String,
    /// Sign-in name.
    pub username: String,
    /// Random.
    pub password: String,
}

/// A camera of the demo.
#[derive(Debug, Clone, Serialize)]
pub struct Camera {
    /// Its room.
    pub room: String,
    /// Its name.
    pub name: String,
    /// Where it is.
    pub url: String,
}

/// Role, sign-in name, name, unit, certificate number.
type Someone = (Role, &'static str, &'static str, Option<&'static str>, Option<&'static str>);

/// Who there is.
const PEOPLE: &[Someone] = &[
    (Role::Officer, "officer", "王建国", Some("land-use"), Some("冀E-0311-017")),
    (Role::Custodian, "custodian", "赵敏", Some("land-use"), None),
    (Role::Office, "office", "孙丽", None, None),
    (Role::LeaderInCharge, "leader", "周卫东", None, None),
    (Role::BureauHead, "head", "郑国强", None, None),
    (Role::LegalUnit, "legal", "冯静", None, None),
    (Role::Reviewer, "reviewer", "陈晓燕", Some("land-use"), None),
    (Role::Inspector, "inspector", "褚明", None, None),
    (Role::Administrator, "admin", "卫东升", None, None),
    (Role::LiveViewer, "viewer", "蒋涛", None, None),
];

/// Runs it until told to end; with `--once` until the session is verified.
pub fn run(options: Options) -> Ended {
    runtime()?.block_on(async {
        durable::make_folder(&options.data).map_err(|e| e.to_string())?;
        let data = std::path::absolute(&options.data).map_err(|e| e.to_string())?;
        let (_servers, cameras) = start_cameras(&options.cameras, &data, options.small).await?;
        let listen = if options.once { SocketAddr::from(([127, 0, 0, 1], 0)) } else { options.listen };
        let text = configuration(&data, listen, &cameras);
        durable::write_secret(&data.join("shilu.toml"), text.as_bytes()).map_err(|e| e.to_string())?;
        let parts = config::parse(&text).map_err(|wrong| wrong.join("\n"))?;
        let running = serve::start(parts).await?;
        let made = Made { url: running.url().to_owned(), accounts: people(&running).await?, cameras };
        let json = serde_json::to_vec_pretty(&made).map_err(|e| e.to_string())?;
        durable::write_secret(&data.join("demo.json"), &json).map_err(|e| e.to_string())?;
        let ended = if options.once {
            drive::once(&made, &data, options.seconds).await
        } else {
            tell(&made, &data);
            serve::wait_for_the_end().await;
            Ok(ExitCode::SUCCESS)
        };
        running.stop().await;
        ended
    })
}

fn tell(made: &Made, data: &Path) {
    say!("\n  Shilu demo: {}\n", made.url);
    for a in &made.accounts {
        say!("  {:<17} {:<10} {}", a.role, a.username, a.password);
    }
    say!("\n  All of it is in {}. Ctrl-C ends.\n", data.join("demo.json").display());
}

/// Two servers, one a room; the second asks for a password.
async fn start_cameras(program: &Path, data: &Path, small: bool) -> Result<(Vec<Child>, Vec<Camera>), String> {
    let secret = data.join("room-2.password");
    durable::write_secret(&secret, randomness::password().map_err(|e| e.to_string())?.as_bytes()).map_err(|e| e.to_string())?;
    let secret = secret.display().to_string();
    let rooms: [(&str, Vec<&str>); 2] = [("room-1", vec![]), ("room-2", vec!["--user", "recorder", "--password-file", &secret])];
    let (mut servers, mut cameras) = (Vec::new(), Vec::new());
    for (room, access) in rooms {
        let (face, overview) = if small { ("640x360", "480x270") } else { ("1280x720", "960x540") };
        let face = format!("face,size={face},fps=15,pattern=ball,volume=0.05,label={room} face");
        let overview = format!("overview,size={overview},fps=15,pattern=smpte,kbps=1000,volume=0.05,label={room} overview");
        let mut child = Command::new(program)
            .args(&access)
            .args(["--camera", &face, "--camera", &overview])
            .env("TZ", "Asia/Shanghai")
            .stdout(std::process::Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .map_err(|e| format!("{}: {e}", program.display()))?;
        let out = child.stdout.take().ok_or("the cameras' output is not there")?;
        let line = BufReader::new(out).lines().next_line().await.ok().flatten().unwrap_or_default();
        let url = line.strip_prefix("ready ").ok_or("the simulated cameras did not start")?.to_owned();
        for name in ["face", "overview"] {
            cameras.push(Camera { room: room.into(), name: name.into(), url: format!("{url}/{name}") });
        }
        servers.push(child);
    }
    Ok((servers, cameras))
}

/// A configuration as a technician would write it.
fn configuration(data: &Path, listen: SocketAddr, cameras: &[Camera]) -> String {
    let quoted = |p: &Path| toml::Value::String(p.display().to_string()).to_string();
    let mut text = format!(
        "bureau = \"威县自然资源和规划局\"\n[storage]\ndata = {}\nreserve_gb = 1\n[console]\nlisten = \"{listen}\"\n\
         [[units]]\nid = \"land-use\"\nname = \"用途管制股\"\n[[units]]\nid = \"mines\"\nname = \"矿产资源股\"\n",
        quoted(data)
    );
    if listen.port() != 0 {
        // Passkeys are bound to a name; this machine's own is one.
        let address = format!("[console]\naddress = \"http://localhost:{}\"", listen.port());
        text = text.replacen("[console]", &address, 1);
    }
    for number in ["017", "018"] {
        text.push_str(&format!("[[devices]]\nnumber = \"BWC-{number}\"\nunit = \"land-use\"\nname = \"执法记录仪 {number}\"\n"));
    }
    for (n, (room, name)) in [("room-1", "第一询问室"), ("room-2", "第二询问室")].into_iter().enumerate() {
        text.push_str(&format!("[[rooms]]\nid = \"{room}\"\nname = \"{name}\"\nunit = \"land-use\"\n"));
        for (at, camera) in cameras.iter().filter(|c| c.room == room).enumerate() {
            let (id, number) = (format!("{room}-{}", camera.name), format!("XW-{}0{}", n + 1, at + 1));
            let shown = if camera.name == "face" { "面部" } else { "全景" };
            text.push_str(&format!(
                "[[rooms.cameras]]\nid = \"{id}\"\nname = \"{shown}\"\ndevice_no = \"{number}\"\nurl = \"{}\"\n",
                camera.url
            ));
            if room == "room-2" {
                text.push_str(&format!("user = \"recorder\"\npassword_file = {}\n", quoted(&data.join("room-2.password"))));
            }
        }
    }
    text
}

/// One account a role, each with a random password; those of an earlier run of the same folder get new ones.
async fn people(running: &Running) -> Result<Vec<Account>, String> {
    let register: Register = running.desks.register_for_setup();
    let mut made = Vec::new();
    for (role, username, name, unit, certificate_no) in PEOPLE {
        let password = randomness::password().map_err(|e| e.to_string())?;
        let account = NewAccount {
            username: (*username).into(),
            name: (*name).into(),
            roles: vec![*role],
            unit: unit.and_then(|u| UnitId::new(u).ok()),
            certificate_no: certificate_no.map(Into::into),
            certificate_until: certificate_no.and_then(|_| chrono::NaiveDate::from_ymd_opt(2028, 12, 31)),
            ..NewAccount::default()
        };
        register.add_or_renew(account, password.clone().into()).await.map_err(|e| e.to_string())?;
        made.push(Account { role: role.as_str().into(), username: (*username).into(), password });
    }
    Ok(made)
}
