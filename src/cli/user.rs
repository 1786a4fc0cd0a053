//! `shilu user add`: the first administrator, and accounts without a browser. No account exists by default.

use crate::acts::Acts;
use crate::catalog::Catalog;
use crate::cli::{ConfigArgument, Ended, runtime};
use crate::config;
use crate::desks::accounts::{NewAccount, Register};
use crate::machine::clock::{Clock, SystemClock};
use crate::machine::{durable, randomness};
use crate::model::ids::UnitId;
use crate::model::people::Role;
use chrono::NaiveDate;
use clap::{Args, Subcommand};
use std::process::ExitCode;
use std::sync::Arc;

/// Accounts.
#[derive(Debug, Args)]
pub struct Options {
    #[command(subcommand)]
    command: UserCommand,
}

#[derive(Debug, Subcommand)]
enum UserCommand {
    /// Makes an account with a random password, which is printed once. The recorder must not be running; while it is, the console makes accounts.
    Add(Add),
}

#[derive(Debug, Args)]
struct Add {
    #[command(flatten)]
    config: ConfigArgument,
    /// Sign-in name.
    #[arg(long)]
    username: String,
    /// The person's name.
    #[arg(long)]
    name: String,
    /// A role; may be repeated: officer custodian office leader_in_charge bureau_head legal_unit reviewer inspector administrator live_viewer
    #[arg(long = "role", required = true)]
    roles: Vec<String>,
    /// The person's unit, as the configuration names it.
    #[arg(long)]
    unit: Option<String>,
    /// 执法证件编号.
    #[arg(long)]
    certificate_no: Option<String>,
    /// Last day on which the certificate is valid, 2027-06-30.
    #[arg(long)]
    certificate_until: Option<NaiveDate>,
}

/// Runs it.
pub fn run(options: Options) -> Ended {
    let UserCommand::Add(add) = options.command;
    let parts = config::load(&add.config.config).map_err(|e| e.to_string())?;
    let role = |word: &String| Role::from_word(word).ok_or_else(|| format!("there is no role {word:?}"));
    let account = NewAccount {
        username: add.username,
        name: add.name,
        roles: add.roles.iter().map(role).collect::<Result<_, _>>()?,
        unit: add.unit.as_deref().map(UnitId::new).transpose().map_err(|e| e.to_string())?,
        certificate_no: add.certificate_no,
        certificate_until: add.certificate_until,
        ..NewAccount::default()
    };
    runtime()?.block_on(async {
        durable::make_folder(&parts.data).map_err(|e| e.to_string())?;
        // The log has one writer: while the recorder runs, accounts are made in its console.
        let _lock = crate::machine::volume::lock(&parts.data.join("lock")).map_err(|e| format!("{e}; make the account in the console"))?;
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let catalog = Catalog::open(&parts.data.join("catalog.db")).map_err(|e| e.to_string())?;
        let acts = Acts::open(crate::cli::serve::opening(&parts).map_err(|e| e.to_string())?, catalog, clock.clone())
            .map_err(|e| e.to_string())?;
        let password = randomness::password().map_err(|e| e.to_string())?;
        let register = Register { acts, clock, units: parts.desks.units };
        register.add(None, account, password.clone().into()).await.map_err(|e| e.to_string())?;
        told(&password);
        Ok(ExitCode::SUCCESS)
    })
}

#[allow(clippy::print_stdout)]
fn told(password: &str) {
    println!("password {password}");
}
