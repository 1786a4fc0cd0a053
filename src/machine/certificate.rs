//! The console's own certificate, for a bureau that has no authority of its own: made at the first run, told by its fingerprint.

use crate::machine::durable;
use crate::machine::fault::Fault;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, Datelike, Utc};
use rcgen::{CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, KeyPair, date_time_ymd};
use sha2::{Digest, Sha256};
use std::path::{Path, PathBuf};

/// Years for which it is good: people compare the fingerprint once, and would have to again.
const YEARS: i32 = 10;
/// The largest file that is taken for a certificate.
const PEM_BYTES_MAX: u64 = 1024 * 1024;

/// Certificate and key below a folder, made where they are not there; good for these host names and addresses.
pub fn open_or_make(folder: &Path, names: &[String], now: DateTime<Utc>) -> Result<(PathBuf, PathBuf), Fault> {
    let (certificate, key) = (folder.join("console.pem"), folder.join("console.key"));
    if !durable::exists(&certificate) || !durable::exists(&key) {
        let fault = |e: rcgen::Error| Fault::of("make", "the console's certificate", e);
        let mut wanted = CertificateParams::new(names.to_vec()).map_err(fault)?;
        wanted.distinguished_name = DistinguishedName::new();
        wanted.distinguished_name.push(DnType::CommonName, names.first().map_or("shilu", String::as_str));
        wanted.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        // Whole days around now, so that a clock that is some hours off takes it.
        let day = |of: DateTime<Utc>, years: i32| date_time_ymd(of.year() + years, of.month() as u8, (of.day() as u8).min(28));
        wanted.not_before = day(now - chrono::TimeDelta::days(2), 0);
        wanted.not_after = day(now, YEARS);
        let pair = KeyPair::generate().map_err(fault)?;
        let made = wanted.self_signed(&pair).map_err(fault)?;
        durable::make_folder(folder)?;
        durable::write_secret(&key, pair.serialize_pem().as_bytes())?;
        durable::write_whole(&certificate, made.pem().as_bytes())?;
    }
    Ok((certificate, key))
}

/// The SHA-256 of a PEM file's first certificate, as browsers show it: `AB:CD:…`.
pub fn fingerprint(path: &Path) -> Result<String, Fault> {
    let text = durable::read_whole(path, PEM_BYTES_MAX)?;
    let text = String::from_utf8_lossy(&text);
    let body = text.split_once("-----BEGIN CERTIFICATE-----").and_then(|(_, rest)| rest.split_once("-----END CERTIFICATE-----"));
    let der = body.and_then(|(body, _)| STANDARD.decode(body.split_whitespace().collect::<String>()).ok());
    let der = der.ok_or_else(|| Fault::of("read", path.display().to_string(), "there is no certificate in it"))?;
    Ok(Sha256::digest(der).iter().map(|byte| format!("{byte:02X}")).collect::<Vec<_>>().join(":"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;

    #[test]
    fn the_certificate_is_made_once_and_is_what_openssl_reads() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("tls");
        let names = ["shilu.local".to_owned(), "127.0.0.1".to_owned()];
        let (certificate, key) = open_or_make(&folder, &names, Utc::now()).unwrap();
        let first = fingerprint(&certificate).unwrap();
        open_or_make(&folder, &names, Utc::now()).unwrap();
        assert_eq!(fingerprint(&certificate).unwrap(), first);
        let words = ["x509", "-noout", "-fingerprint", "-sha256", "-ext", "subjectAltName", "-in"];
        let said = Command::new("openssl").args(words).arg(&certificate).output().unwrap();
        let said = String::from_utf8(said.stdout).unwrap();
        assert!(said.contains(&first) && said.contains("DNS:shilu.local") && said.contains("IP Address:127.0.0.1"), "{said}");
        let mode = std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(key).unwrap().permissions());
        assert_eq!(mode & 0o777, 0o600);
        std::fs::write(&certificate, "nothing").unwrap();
        assert!(fingerprint(&certificate).is_err());
    }
}
