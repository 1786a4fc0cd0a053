//! The console's door: address, TLS, and its certificate taken anew without closing it.

use crate::config::{Tls, TlsFiles};
use crate::desks::Desks;
use crate::machine::certificate;
use crate::web;
use axum_server::Handle;
use axum_server::tls_rustls::RustlsConfig;
use chrono::{DateTime, Utc};
use nix::sys::socket::{setsockopt, sockopt};
use nix::unistd::gethostname;
use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// Bytes on their way to one connection. What lies there cannot be taken back when an approval is revoked: the system's own buffer
/// would hold minutes of a slow copy.
const SEND_BUFFER_BYTES: usize = 128 * 1024;

/// A console that is served.
pub struct Console {
    /// Where.
    pub url: String,
    server: Handle<SocketAddr>,
    certificate: Option<Certificate>,
}

struct Certificate {
    served: RustlsConfig,
    files: TlsFiles,
}

impl Certificate {
    async fn open(tls: &Tls, listen: IpAddr, address: Option<&str>, now: DateTime<Utc>) -> Result<Self, String> {
        let files = match tls {
            Tls::Files(files) => files.clone(),
            Tls::Own { folder } => {
                let made = certificate::open_or_make(folder, &names(listen, address), now);
                let (certificate, key) = made.map_err(|e| format!("the console has no certificate: {e}"))?;
                TlsFiles { certificate, key }
            }
        };
        let served = served(&files).await?;
        tell(&files.certificate);
        Ok(Self { served, files })
    }
}

/// Reads a certificate and its key.
pub(super) async fn served(files: &TlsFiles) -> Result<RustlsConfig, String> {
    let read = RustlsConfig::from_pem_file(&files.certificate, &files.key).await;
    read.map_err(|e| format!("{} and its key: {e}", files.certificate.display()))
}

fn tell(chain: &Path) {
    match certificate::fingerprint(chain) {
        Ok(print) => tracing::info!("the console's certificate has the SHA-256 fingerprint {print}"),
        Err(fault) => tracing::warn!(%fault, "the certificate's fingerprint cannot be told"),
    }
}

/// The names under which browsers reach this machine.
fn names(listen: IpAddr, address: Option<&str>) -> Vec<String> {
    let host = address.and_then(|a| url::Url::parse(a).ok()).and_then(|u| u.host_str().map(str::to_owned));
    let own = gethostname().ok().and_then(|name| name.into_string().ok()).filter(|name| !name.is_empty());
    let mut names: Vec<String> = host.into_iter().chain(own).collect();
    names.push("localhost".into());
    if !listen.is_unspecified() {
        names.push(listen.to_string());
    }
    names.dedup();
    names
}

impl Console {
    /// Opens it.
    pub async fn open(desks: &Arc<Desks>, listen: SocketAddr, tls: Option<&Tls>) -> Result<Self, String> {
        let listener = std::net::TcpListener::bind(listen).map_err(|e| format!("cannot listen on {listen}: {e}"))?;
        listener.set_nonblocking(true).map_err(|e| e.to_string())?;
        setsockopt(&listener, sockopt::SndBuf, &SEND_BUFFER_BYTES).map_err(|e| format!("cannot set the send buffer: {e}"))?;
        let at = listener.local_addr().map_err(|e| e.to_string())?;
        let service =
            web::router(desks.clone(), web::Settings { secure: tls.is_some() }).into_make_service_with_connect_info::<SocketAddr>();
        let server = Handle::new();
        let (mine, url) = (server.clone(), format!("{}://{at}", if tls.is_some() { "https" } else { "http" }));
        let failed = |e: &std::io::Error| tracing::error!("the console ended: {e}");
        let certificate = match tls {
            Some(tls) => Some(Certificate::open(tls, listen.ip(), desks.address(), desks.wall_clock()).await?),
            None => None,
        };
        if let Some(certificate) = &certificate {
            let served = axum_server::from_tcp_rustls(listener, certificate.served.clone()).map_err(|e| e.to_string())?.handle(mine);
            tokio::spawn(async move { served.serve(service).await.inspect_err(failed) });
        } else {
            let served = axum_server::from_tcp(listener).map_err(|e| e.to_string())?.handle(mine);
            tokio::spawn(async move { served.serve(service).await.inspect_err(failed) });
        }
        Ok(Self { url, server, certificate })
    }

    /// Reads the certificate's files again; connections that are open stay.
    pub async fn reload(&self) -> Result<(), String> {
        let Some(certificate) = &self.certificate else { return Ok(()) };
        let TlsFiles { certificate: chain, key } = &certificate.files;
        let taken = certificate.served.reload_from_pem_file(chain, key).await;
        taken.map_err(|e| format!("{} and its key: {e}; the earlier one is served on", chain.display()))?;
        tell(chain);
        Ok(())
    }

    /// Closes it; what is open has a second.
    pub fn close(&self) {
        self.server.graceful_shutdown(Some(Duration::from_secs(1)));
    }
}
