//! `shilu import`: hands files in on the command line. They are copied into the running recorder's inbox, which alone writes footage, and
//! the answer is waited for. Run it as the recorder's own user.

use crate::cli::{Ended, store};
use crate::desks::orders::{ANSWER, ORDER, Order, Told, inbox};
use crate::footage::import;
use crate::machine::terminal::say;
use crate::machine::{durable, randomness, volume};
use crate::model::facts::Facts;
use crate::model::import::{ArrivalState, ImportForm};
use clap::Args;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

/// What is handed in, and what is said of it.
#[derive(Debug, Args)]
pub struct Options {
    /// The configuration file.
    #[arg(long, default_value = "/etc/shilu/shilu.toml")]
    config: PathBuf,
    /// Sign-in name of who hands it in: an officer or custodian.
    #[arg(long)]
    by: String,
    /// 执法记录设备编号.
    #[arg(long)]
    device: Option<String>,
    /// The zone in which the device's clock runs, where it is not in the register: UTC, +08:00.
    #[arg(long)]
    clock: Option<String>,
    /// 案号.
    #[arg(long)]
    case: Option<String>,
    /// 案件当事人.
    #[arg(long)]
    party: Option<String>,
    /// 案由名称.
    #[arg(long)]
    cause: Option<String>,
    /// Recordings.
    #[arg(required = true)]
    files: Vec<PathBuf>,
}

/// Does it, a file after the other.
pub fn run(options: &Options) -> Ended {
    let parts = store::parts(&options.config)?;
    let mut all_well = true;
    for file in &options.files {
        let name = file.display();
        match hand_in(options, &parts.data, file)? {
            None => say!("{name}: left in the inbox; it is taken in when the recorder runs"),
            Some(told) => {
                let session = told.session.unwrap_or_default();
                let sha256 = told.sha256.unwrap_or_default();
                match told.state {
                    ArrivalState::TakenIn => {
                        say!("{name}: taken in as {session}\n  SHA-256 {sha256}");
                        if told.problem.is_some() {
                            say!("  no player knows what it is; it is kept and sealed as it came");
                        }
                    }
                    ArrivalState::Known => say!("{name}: the same file was taken in before, as {session}\n  SHA-256 {sha256}"),
                    _ => {
                        all_well = false;
                        say!("{name}: NOT taken in: {}", words(told.problem.as_deref().unwrap_or_default()));
                    }
                }
            }
        }
    }
    Ok(if all_well { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn words(problem: &str) -> &str {
    match problem {
        "empty" => "there is nothing in it; an empty file is no recording",
        other => other,
    }
}

/// Leaves a file in the inbox and waits for the answer; none while no recorder runs.
fn hand_in(options: &Options, data: &Path, file: &Path) -> Result<Option<Told>, String> {
    let told = |fault: crate::machine::fault::Fault| fault.to_string();
    let plain = durable::plain(file).map_err(told)?;
    if plain.bytes.is_none() {
        return Err(format!("{}: is a folder or no file; name the recordings in it", file.display()));
    }
    let folder = inbox(data).join(randomness::hex::<8>().map_err(told)?);
    durable::make_folder(&folder).map_err(told)?;
    import::copy(file, &folder.join("data"), None).map_err(told)?;
    let facts = Facts { case_no: options.case.clone(), party: options.party.clone(), cause: options.cause.clone(), ..Facts::default() };
    let order = Order {
        by: options.by.clone(),
        file_name: file.file_name().unwrap_or_default().to_string_lossy().into_owned(),
        file_time: Some(plain.changed_at),
        form: ImportForm { device_no: options.device.clone(), device_clock: options.clock.clone(), facts, ..ImportForm::default() },
    };
    let order = serde_json::to_vec_pretty(&order).map_err(|e| e.to_string())?;
    // The order comes last: what lies there without one is not taken up.
    durable::write_whole(&folder.join(ORDER), &order).map_err(told)?;
    loop {
        if durable::exists(&folder.join(ANSWER)) {
            let answer = durable::read_whole(&folder.join(ANSWER), 65536).map_err(told)?;
            for name in ["data", ORDER, ANSWER] {
                durable::remove_marker(&folder.join(name)).map_err(told)?;
            }
            durable::remove_empty_folder(&folder).map_err(told)?;
            return serde_json::from_slice(&answer).map(Some).map_err(|e| e.to_string());
        }
        // The store is free: nobody is there to answer.
        if volume::lock(&data.join("lock")).is_ok() {
            return Ok(None);
        }
        std::thread::sleep(Duration::from_millis(200));
    }
}
