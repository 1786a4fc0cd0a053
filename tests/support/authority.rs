//! A real timestamp authority: `openssl ts` behind a small HTTP server, with a certificate of its own.

use axum::Router;
use axum::body::Bytes;
use axum::routing::post;
use std::path::{Path, PathBuf};
use std::process::Command;

pub struct Authority {
    pub address: String,
    pub ca: PathBuf,
    dir: tempfile::TempDir,
    server: Option<tokio::task::JoinHandle<()>>,
    port: u16,
}

/// Runs a line of `openssl` in a folder; it has to end well.
pub fn openssl(folder: &Path, arguments: &str) {
    let out = Command::new("openssl").args(arguments.split(' ')).current_dir(folder).output().unwrap();
    assert!(out.status.success(), "openssl {arguments}: {}", String::from_utf8_lossy(&out.stderr));
}

const SETTINGS: &str = "[tsa]\ndefault_tsa = here\n[here]\nserial = serial\nsigner_cert = tsa.pem\ncerts = ca.pem\nsigner_key = tsa.key\n\
    signer_digest = sha256\ndefault_policy = 1.2.3.4.1\nother_policies = 1.2.3.4.2\ndigests = sha256, sm3\naccuracy = secs:1\n\
    ordering = yes\ntsa_name = yes\ness_cert_id_chain = no\n";

impl Authority {
    /// One whose certificate ends after so many days.
    pub async fn open(days: u32) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let at = dir.path();
        std::fs::write(at.join("tsa.cnf"), SETTINGS).unwrap();
        std::fs::write(at.join("serial"), "01\n").unwrap();
        std::fs::write(at.join("ext"), "extendedKeyUsage = critical,timeStamping\n").unwrap();
        openssl(at, "req -x509 -newkey rsa:2048 -nodes -keyout ca.key -out ca.pem -days 3650 -subj /CN=Test-CA");
        openssl(at, "req -newkey rsa:2048 -nodes -keyout tsa.key -out tsa.csr -subj /CN=Test-TSA");
        let sign = format!("x509 -req -in tsa.csr -CA ca.pem -CAkey ca.key -CAcreateserial -out tsa.pem -days {days} -extfile ext");
        openssl(at, &sign);
        let port = crate::support::free_port();
        let mut authority = Self { address: format!("http://127.0.0.1:{port}/"), ca: at.join("ca.pem"), dir, server: None, port };
        authority.comes().await;
        authority
    }

    /// Answers again.
    pub async fn comes(&mut self) {
        let folder = self.dir.path().to_owned();
        let reply = move |query: Bytes| async move {
            let (q, r) = (folder.join("q.tsq"), folder.join("r.tsr"));
            std::fs::write(&q, &query).unwrap();
            openssl(&folder, "ts -reply -config tsa.cnf -section here -queryfile q.tsq -out r.tsr");
            ([("content-type", "application/timestamp-reply")], std::fs::read(&r).unwrap())
        };
        let listener = tokio::net::TcpListener::bind(("127.0.0.1", self.port)).await.unwrap();
        let app = Router::new().route("/", post(reply));
        self.server = Some(tokio::spawn(async move { axum::serve(listener, app).await.unwrap() }));
    }

    /// Is away.
    pub async fn goes(&mut self) {
        if let Some(server) = self.server.take() {
            server.abort();
            let _ = server.await;
        }
    }

    /// Gets a certificate that ends after so many days.
    pub fn renews(&self, days: u32) {
        openssl(
            self.dir.path(),
            &format!("x509 -req -in tsa.csr -CA ca.pem -CAkey ca.key -CAcreateserial -out tsa.pem -days {days} -extfile ext"),
        );
    }
}

/// A certificate for this machine, of an authority that only this bureau trusts.
pub fn certificate(at: &Path) -> (PathBuf, PathBuf, PathBuf) {
    std::fs::write(at.join("ext"), "subjectAltName = DNS:localhost,IP:127.0.0.1\n").unwrap();
    openssl(at, "req -x509 -newkey rsa:2048 -nodes -keyout ca.key -out ca.pem -days 30 -subj /CN=Bureau-CA");
    openssl(at, "req -newkey rsa:2048 -nodes -keyout server.key -out server.csr -subj /CN=localhost");
    openssl(at, "x509 -req -in server.csr -CA ca.pem -CAkey ca.key -CAcreateserial -out server.pem -days 30 -extfile ext");
    (at.join("ca.pem"), at.join("server.pem"), at.join("server.key"))
}
