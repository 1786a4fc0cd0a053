//! `shilu user`: the first administrator, and accounts without a browser. No account exists by default.

use crate::acts::Acts;
use crate::catalog::Catalog;
use crate::cli::{ConfigArgument, Ended, runtime, store};
use crate::desks::accounts::{NewAccount, NewPassword, Register};
use crate::machine::clock::{Clock, SystemClock};
use crate::machine::terminal::say;
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
    /// Makes an account with a random password, which is printed once and changed at the first sign-in. The recorder must not be
    /// running; while it is, the console makes accounts.
    Add(Add),
    /// Gives somebody a new random password and takes their second factors away: where no other administrator can. The recorder must
    /// not be running.
    Reset(Reset),
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
    /// The password need not be changed: it is kept where only its user reads it.
    #[arg(long)]
    lasting: bool,
}

#[derive(Debug, Args)]
struct Reset {
    #[command(flatten)]
    config: ConfigArgument,
    /// Sign-in name.
    #[arg(long)]
    username: String,
}

/// Runs it.
pub fn run(options: Options) -> Ended {
    match options.command {
        UserCommand::Add(add) => make(add),
        UserCommand::Reset(reset) => renew(reset),
    }
}

fn make(add: Add) -> Ended {
    let role = |word: &String| Role::from_word(word).ok_or_else(|| format!("there is no role {word:?}; there are: {}", Role::words()));
    let account = NewAccount {
        username: add.username,
        name: add.name,
        roles: add.roles.iter().map(role).collect::<Result<_, _>>()?,
        unit: add.unit.as_deref().map(UnitId::new).transpose().map_err(|e| e.to_string())?,
        certificate_no: add.certificate_no,
        certificate_until: add.certificate_until,
        ..NewAccount::default()
    };
    let kept = if add.lasting { NewPassword::own } else { NewPassword::first };
    with_register(&add.config, async |register, password| {
        register.add(None, account, kept(password)).await.map(drop).map_err(|e| e.to_string())
    })
}

fn renew(reset: Reset) -> Ended {
    with_register(&reset.config, async |register, password| {
        let found = register.named(&reset.username).await.map_err(|e| e.to_string())?.filter(|a| a.active);
        let account = found.ok_or_else(|| format!("there is no account {:?}; `shilu user add` makes one", reset.username))?;
        register.renew(None, &account, NewPassword::first(password)).await.map_err(|e| e.to_string())?;
        register.take_factors(&account.person.id).await.map_err(|e| e.to_string())
    })
}

/// Does something with a register of its own and a new password, and prints that.
fn with_register(config: &ConfigArgument, work: impl AsyncFnOnce(Register, String) -> Result<(), String>) -> Ended {
    let parts = store::parts(&config.config)?;
    runtime()?.block_on(async {
        durable::make_folder(&parts.data).map_err(|e| e.to_string())?;
        // The log has one writer: while the recorder runs, accounts are made in its console.
        let _lock =
            crate::machine::volume::lock(&parts.data.join("lock")).map_err(|e| format!("{e}; use the console, or stop the recorder"))?;
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let catalog = Catalog::open(&parts.data.join("catalog.db")).map_err(|e| e.to_string())?;
        let acts = Acts::open(crate::cli::serve::opening(&parts).map_err(|e| e.to_string())?, catalog, clock.clone())
            .map_err(|e| e.to_string())?;
        let password = randomness::password().map_err(|e| e.to_string())?;
        work(Register { acts, clock, units: parts.desks.units }, password.clone()).await?;
        told(&password);
        Ok(ExitCode::SUCCESS)
    })
}

fn told(password: &str) {
    say!("password {password}");
}
