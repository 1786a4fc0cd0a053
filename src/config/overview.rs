//! The overview's own file: which bucket, which sites, who may look.

use crate::config::{Checks, TlsFiles, Wrong, archive, named, place, tls_files};
use crate::desks::overview::{Account, OverviewSettings, Site};
use crate::machine::durable;
use crate::model::ids::UnitId;
use serde::Deserialize;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct OverviewFile {
    name: String,
    #[serde(default = "listen")]
    listen: String,
    tls_certificate: Option<PathBuf>,
    tls_key: Option<PathBuf>,
    endpoint: Option<String>,
    bucket: Option<String>,
    region: Option<String>,
    access_key_file: PathBuf,
    identity_file: Option<PathBuf>,
    #[serde(default = "refresh_s")]
    refresh_s: u64,
    sites: Vec<SiteFile>,
    accounts: Vec<AccountFile>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SiteFile {
    id: String,
    name: String,
    console: Option<String>,
    key: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AccountFile {
    username: String,
    name: String,
    password_hash: String,
}

fn listen() -> String {
    "127.0.0.1:8050".into()
}

fn refresh_s() -> u64 {
    60
}

/// What the command line says of the bucket; it goes before the file.
#[derive(Debug, Clone, Default)]
pub struct Said {
    /// Its address.
    pub endpoint: Option<String>,
    /// Its name.
    pub bucket: Option<String>,
    /// Its region.
    pub region: Option<String>,
}

/// Reads and checks a file; every error at once.
pub fn load(path: &Path, said: Said) -> Result<(SocketAddr, Option<TlsFiles>, OverviewSettings), Wrong> {
    let file = path.display().to_string();
    let wrong = |wrong: Vec<String>| Wrong { file: file.clone(), wrong };
    let bytes = durable::read_whole(path, 1 << 20).map_err(|fault| wrong(vec![fault.to_string()]))?;
    let text = String::from_utf8(bytes).map_err(|_| wrong(vec!["is not UTF-8 text".into()]))?;
    let read: OverviewFile = toml::from_str(&text).map_err(|e| wrong(vec![place(&text, &e)]))?;
    let mut c = Checks::default();
    let at: Option<SocketAddr> = c.ok("listen", read.listen.parse().map_err(|_| "is no address; 127.0.0.1:8050 would be right"));
    let tls = tls_files(&mut c, "", (&read.tls_certificate, &read.tls_key));
    c.that(at.is_none_or(|a| a.ip().is_loopback()) || tls.is_some(), "listen", || {
        "can be reached from outside; give tls_certificate and tls_key, or listen on 127.0.0.1".into()
    });
    if let Some(file) = &read.identity_file {
        c.that(durable::exists(file), "identity_file", || "there is no such file".into());
    }
    c.within("refresh_s", read.refresh_s as i64, 1, 86_400);
    c.that(!read.sites.is_empty(), "sites", || "there is none; write at least one [[sites]]".into());
    c.that(!read.accounts.is_empty(), "accounts", || "there is none; `shilu overview --hash-password` makes the hash for one".into());
    for account in &read.accounts {
        c.that(account.password_hash.starts_with("$argon2id$"), "accounts.password_hash", || {
            "is none; `shilu overview --hash-password` makes one".into()
        });
    }
    for site in &read.sites {
        c.ok("sites.id", named(UnitId::new(&site.id)));
    }
    let keys = Some(&read.access_key_file);
    let (endpoint, bucket) = (said.endpoint.or(read.endpoint), said.bucket.or(read.bucket));
    for (what, given) in [("endpoint", &endpoint), ("bucket", &bucket)] {
        c.that(given.is_some(), what, || format!("is missing; write it here, or give --{what}"));
    }
    let region = said.region.or(read.region).unwrap_or_else(|| "us-east-1".into());
    let store = endpoint.zip(bucket).and_then(|(endpoint, bucket)| archive::store(&mut c, (&endpoint, &bucket, &region), keys, 0));
    let (Some(at), Some(store)) = (at, store.filter(|_| c.wrong.is_empty())) else { return Err(wrong(c.wrong)) };
    let site = |s: SiteFile| Site { id: s.id, name: s.name, console: s.console, key: s.key };
    let account = |a: AccountFile| Account { username: a.username, name: a.name, password_hash: a.password_hash };
    let settings = OverviewSettings {
        name: read.name,
        store,
        identity_file: read.identity_file,
        refresh_s: read.refresh_s,
        sites: read.sites.into_iter().map(site).collect(),
        accounts: read.accounts.into_iter().map(account).collect(),
    };
    Ok((at, tls, settings))
}
