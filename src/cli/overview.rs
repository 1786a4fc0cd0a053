//! `shilu overview`: a console that only reads, over the archive of many sites.

use crate::cli::{Ended, console, runtime, serve};
use crate::config::overview::{self, Said};
use crate::desks::overview::Overview;
use crate::desks::passwords;
use crate::machine::clock::SystemClock;
use crate::machine::terminal::say;
use crate::web;
use clap::Args;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

/// The overview.
#[derive(Debug, Args)]
pub struct Options {
    /// Its own configuration file.
    #[arg(long, default_value = "/etc/shilu/overview.toml")]
    config: PathBuf,
    /// The bucket, instead of the file's.
    #[arg(long)]
    bucket: Option<String>,
    /// The bucket's address, instead of the file's.
    #[arg(long)]
    endpoint: Option<String>,
    /// The bucket's region, instead of the file's.
    #[arg(long)]
    region: Option<String>,
    /// Reads a password from the first line of standard input, and prints the hash that an account's line takes.
    #[arg(long)]
    hash_password: bool,
}

/// Runs until told to end.
pub fn run(options: Options) -> Ended {
    if options.hash_password {
        let mut line = String::new();
        std::io::stdin().read_line(&mut line).map_err(|e| e.to_string())?;
        let password = secrecy::SecretString::from(line.trim_end_matches(['\r', '\n']).to_owned());
        passwords::check(&password, "overview").map_err(|e| e.to_string())?;
        let hash = runtime()?.block_on(passwords::hash(password)).map_err(|e| e.to_string())?;
        say!("{hash}");
        return Ok(ExitCode::SUCCESS);
    }
    let said = Said { endpoint: options.endpoint, bucket: options.bucket, region: options.region };
    let (listen, tls, settings) = overview::load(&options.config, said).map_err(|e| e.to_string())?;
    let overview = Overview::open(settings, Arc::new(SystemClock)).map_err(|e| e.to_string())?;
    overview.keep_looking().map_err(|e| e.to_string())?;
    runtime()?.block_on(async {
        let listener = std::net::TcpListener::bind(listen).map_err(|e| format!("cannot listen on {listen}: {e}"))?;
        listener.set_nonblocking(true).map_err(|e| e.to_string())?;
        let service = web::overview::router(overview, tls.is_some()).into_make_service();
        let failed = |e: &std::io::Error| tracing::error!("the overview ended: {e}");
        if let Some(tls) = &tls {
            let server = axum_server::from_tcp_rustls(listener, console::served(tls).await?).map_err(|e| e.to_string())?;
            tokio::spawn(async move { server.serve(service).await.inspect_err(failed) });
        } else {
            let server = axum_server::from_tcp(listener).map_err(|e| e.to_string())?;
            tokio::spawn(async move { server.serve(service).await.inspect_err(failed) });
        }
        tracing::info!("the overview is at {}://{listen}", if tls.is_some() { "https" } else { "http" });
        serve::wait_for_the_end().await;
        Ok(ExitCode::SUCCESS)
    })
}
