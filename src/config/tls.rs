//! TLS: a certificate that was given, or the console's own.

use crate::config::Checks;
use crate::config::access::Console;
use crate::machine::durable;
use std::path::{Path, PathBuf};

/// A certificate that was given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsFiles {
    /// PEM chain.
    pub certificate: PathBuf,
    /// PEM key.
    pub key: PathBuf,
}

/// TLS for the console.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Tls {
    /// By PEM files.
    Files(TlsFiles),
    /// By a certificate that is made at the first run.
    Own {
        /// Where it lies.
        folder: PathBuf,
    },
}

/// Without files, whatever can be reached from `outside` has a certificate of its own: nothing is ever served there in the clear.
pub(super) fn check(c: &mut Checks, console: &Console, outside: bool, data: &Path) -> Option<Tls> {
    let files = (&console.tls_certificate, &console.tls_key);
    let is_given = files.0.is_some() || files.1.is_some();
    c.that(!is_given || !console.own_certificate, "console.own_certificate", || "is not needed where tls_certificate is given".into());
    match tls_files(c, "console.", files) {
        Some(files) => Some(Tls::Files(files)),
        None => (!is_given && (outside || console.own_certificate)).then(|| Tls::Own { folder: data.join("tls") }),
    }
}

/// The two files of a certificate, which belong together.
pub(super) fn tls_files(c: &mut Checks, part: &str, files: (&Option<PathBuf>, &Option<PathBuf>)) -> Option<TlsFiles> {
    match files {
        (Some(certificate), Some(key)) => {
            for (name, path) in [("tls_certificate", certificate), ("tls_key", key)] {
                c.that(durable::exists(path), &format!("{part}{name}"), || "there is no such file".into());
            }
            Some(TlsFiles { certificate: certificate.clone(), key: key.clone() })
        }
        (None, None) => None,
        _ => {
            let place = if part.is_empty() { "" } else { "console: " };
            c.wrong.push(format!("{place}tls_certificate and tls_key belong together; give both or none"));
            None
        }
    }
}
