//! `[console]`, `[sso]` and `[mail]`: where people sign in, and how.

use crate::config::{Checks, read_password};
use crate::desks::mail::{MailSettings, MailTls};
use crate::desks::sso::SsoSettings;
use crate::model::people::Role;
use secrecy::SecretString;
use serde::Deserialize;
use std::path::PathBuf;
use url::Url;

/// Where the console is, and how people sign in.
#[derive(Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Console {
    pub(super) listen: String,
    pub(super) tls_certificate: Option<PathBuf>,
    pub(super) tls_key: Option<PathBuf>,
    pub(super) own_certificate: bool,
    pub(super) idle_min: i64,
    pub(super) lock_after: u32,
    pub(super) lock_min: i64,
    pub(super) address: Option<String>,
    pub(super) prove_min: i64,
    pub(super) second_factor: Vec<String>,
    pub(super) factor_key_file: Option<PathBuf>,
}

impl Default for Console {
    fn default() -> Self {
        Self {
            listen: "127.0.0.1:8040".into(),
            tls_certificate: None,
            tls_key: None,
            own_certificate: false,
            idle_min: 30,
            lock_after: 5,
            lock_min: 15,
            address: None,
            prove_min: 15,
            second_factor: vec![],
            factor_key_file: None,
        }
    }
}

/// The bureau's provider of single sign-on (OpenID Connect).
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SsoFile {
    issuer: String,
    client_id: String,
    client_secret_file: PathBuf,
}

/// A server for notices by e-mail.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct MailFile {
    host: String,
    port: u16,
    tls: String,
    from: String,
    user: Option<String>,
    password_file: Option<PathBuf>,
}

/// What was checked.
pub(super) struct Access {
    pub(super) second_factor: Vec<Role>,
    pub(super) address: Option<String>,
    pub(super) sso: Option<SsoSettings>,
    pub(super) mail: Option<MailSettings>,
}

/// Over TLS, or to this machine itself.
pub(super) fn is_safe(url: &Url) -> bool {
    url.scheme() == "https" || (url.scheme() == "http" && matches!(url.host_str(), Some("127.0.0.1" | "localhost" | "[::1]")))
}

pub(super) fn check(c: &mut Checks, console: &Console, sso: Option<SsoFile>, mail: Option<MailFile>) -> Access {
    let role = |word: &String| Role::from_word(word).ok_or_else(|| format!("holds what is no role; {} would be right", Role::words()));
    let second_factor = console.second_factor.iter().filter_map(|word| c.ok("console.second_factor", role(word))).collect();
    if let Some(address) = &console.address {
        let right = Url::parse(address).is_ok_and(|u| is_safe(&u) && u.path() == "/" && u.username().is_empty() && u.query().is_none());
        c.that(right, "console.address", || "is no address of a console; https://shilu.bureau.example would be right".into());
    }
    let sso = sso.and_then(|s| {
        c.that(console.address.is_some(), "sso", || "needs console.address, where the provider sends people back to".into());
        let right = Url::parse(&s.issuer).is_ok_and(|u| is_safe(&u));
        c.that(right, "sso.issuer", || "is no https address; https://login.bureau.example would be right".into());
        let secret = c.ok("sso.client_secret_file", read_password(&s.client_secret_file))?;
        Some(SsoSettings { issuer: s.issuer, client: s.client_id, secret })
    });
    let mail = mail.and_then(|m| {
        let tls = match m.tls.as_str() {
            "tls" => Some(MailTls::Tls),
            "starttls" => Some(MailTls::Starttls),
            "none" if matches!(m.host.as_str(), "127.0.0.1" | "localhost") => Some(MailTls::None),
            _ => None,
        };
        c.that(tls.is_some(), "mail.tls", || "is tls or starttls; none only to a server on this machine".into());
        c.that(m.from.parse::<lettre::Address>().is_ok(), "mail.from", || "is no address; shilu@bureau.example would be right".into());
        let login: Option<(String, SecretString)> = match (m.user, m.password_file) {
            (Some(user), Some(path)) => c.ok("mail.password_file", read_password(&path)).map(|password| (user, password)),
            (None, None) => None,
            _ => c.ok("mail", Err("user and password_file belong together; give both or none")),
        };
        Some(MailSettings { host: m.host, port: m.port, tls: tls?, from: m.from, login })
    });
    Access { second_factor, address: console.address.clone(), sso, mail }
}
