//! `shilu witness`: an outside cosigner of other machines' logs, for instance on the legal unit's PC.

use crate::cli::{Ended, runtime, serve};
use crate::custody::note::VerifierKey;
use crate::desks::witness::Witness;
use crate::machine::clock::SystemClock;
use crate::machine::terminal::say;
use crate::web;
use clap::Args;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

/// The cosigner.
#[derive(Debug, Args)]
pub struct Options {
    /// Its name, under each of its lines.
    #[arg(long, default_value = "legal-unit")]
    name: String,
    /// Where it keeps its key and the heads that it has confirmed.
    #[arg(long)]
    data: PathBuf,
    /// Where it listens; heads and signatures are no secret.
    #[arg(long, default_value = "127.0.0.1:8060")]
    listen: SocketAddr,
    /// A log that it confirms: what `shilu log key` prints; may be given several times.
    #[arg(long, required = true)]
    log: Vec<String>,
}

/// Runs until told to end.
pub fn run(options: Options) -> Ended {
    let logs = options.log.iter().map(|text| VerifierKey::parse(text).map_err(|e| format!("{text:?} {e}")));
    let logs = logs.collect::<Result<Vec<_>, _>>()?;
    let witness = Witness::open(options.name, options.data, logs, Arc::new(SystemClock)).map_err(|e| e.to_string())?;
    runtime()?.block_on(async {
        let listener = std::net::TcpListener::bind(options.listen).map_err(|e| format!("cannot listen on {}: {e}", options.listen))?;
        listener.set_nonblocking(true).map_err(|e| e.to_string())?;
        let at = listener.local_addr().map_err(|e| e.to_string())?;
        say!("listens   http://{at}\nkey       {}", witness.verifier_key());
        let service = web::witness::router(Arc::new(witness)).into_make_service();
        let server = axum_server::from_tcp(listener).map_err(|e| e.to_string())?;
        tokio::spawn(async move { server.serve(service).await });
        serve::wait_for_the_end().await;
        Ok(ExitCode::SUCCESS)
    })
}
