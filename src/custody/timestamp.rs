//! Time from outside (RFC 3161): a timestamp authority signs that a digest existed at a moment.
//!
//! ```text
//! session.json.tsr       over SHA-256 of session.json
//! session.json.tsr.2     over SHA-256 of session.json ‖ session.json.tsr, made before the first one's certificate ran out
//! session.json.tsr.3     over all of these, and so on (RFC 4998 in spirit)
//! ```
//!
//! Each token was verified when it came; later, the newest is verified by today's clock, and each earlier one by the time of the
//! one that follows it.

use crate::machine::{durable, fault::Fault, openssl};
use crate::model::digest;
use chrono::{DateTime, NaiveDateTime, Utc};
use std::path::Path;

/// The largest token that is taken.
pub const TOKEN_BYTES_MAX: u64 = 1024 * 1024;

/// The name of the n-th token of a file, from 1.
pub fn token_name(file: &str, n: usize) -> String {
    if n == 1 { format!("{file}.tsr") } else { format!("{file}.tsr.{n}") }
}

/// The digest that the next token is over: the file and every token so far, one behind the other.
pub fn covered(file: &[u8], tokens: &[Vec<u8>]) -> String {
    let all: Vec<&[u8]> = std::iter::once(file).chain(tokens.iter().map(Vec::as_slice)).collect();
    digest::hex(&digest::sha256_raw(&all))
}

/// A request for a digest, with a nonce, and asking for the authority's certificate.
pub fn request(sha256: &str) -> Result<Vec<u8>, Fault> {
    done(openssl::run(&["ts", "-query", "-digest", sha256, "-sha256", "-cert"], &[])?, "a timestamp request")
}

/// Checks an answer against its request; `scratch` is a folder for the program's files.
pub fn check_answer(answer: &[u8], request: &[u8], authority: &Path, scratch: &Path) -> Result<(), Fault> {
    durable::make_folder(scratch)?;
    let query = scratch.join("query.tsq");
    durable::write_derived(&query, request)?;
    let (query, authority) = (query.display().to_string(), authority.display().to_string());
    done(openssl::run(&["ts", "-verify", "-queryfile", &query, "-in", "/dev/stdin", "-CAfile", &authority], answer)?, "a timestamp")
        .map(drop)
}

/// Checks a token over a digest, as of a moment (now if none).
pub fn check(token: &[u8], sha256: &str, authority: &Path, at: Option<DateTime<Utc>>) -> Result<(), Fault> {
    let authority = authority.display().to_string();
    let at = at.map(|at| at.timestamp().to_string());
    let mut arguments = vec!["ts", "-verify", "-digest", sha256, "-in", "/dev/stdin", "-CAfile", &authority];
    if let Some(at) = &at {
        arguments.extend(["-attime", at]);
    }
    done(openssl::run(&arguments, token)?, "a timestamp").map(drop)
}

/// When a token says that it was made.
pub fn made_at(token: &[u8]) -> Result<DateTime<Utc>, Fault> {
    let text = done(openssl::run(&["ts", "-reply", "-in", "/dev/stdin", "-text"], token)?, "a timestamp")?;
    let text = String::from_utf8_lossy(&text).into_owned();
    let line = text.lines().find_map(|l| l.strip_prefix("Time stamp: "));
    line.and_then(openssl_time).ok_or_else(|| Fault::of("read", "a timestamp", "it says no time"))
}

/// When the first of its certificates runs out: after that it proves nothing by itself.
pub fn certified_until(token: &[u8]) -> Result<DateTime<Utc>, Fault> {
    let whole = done(openssl::run(&["ts", "-reply", "-in", "/dev/stdin", "-token_out"], token)?, "a timestamp")?;
    let pems = done(openssl::run(&["pkcs7", "-inform", "DER", "-print_certs"], &whole)?, "a timestamp's certificates")?;
    let pems = String::from_utf8_lossy(&pems).into_owned();
    let mut first: Option<DateTime<Utc>> = None;
    for pem in pems.split_inclusive("-----END CERTIFICATE-----").filter(|p| p.contains("BEGIN CERTIFICATE")) {
        let said = done(openssl::run(&["x509", "-noout", "-enddate"], pem.as_bytes())?, "a certificate")?;
        let until = String::from_utf8_lossy(&said).trim().strip_prefix("notAfter=").and_then(openssl_time);
        first = first.into_iter().chain(until).min();
    }
    first.ok_or_else(|| Fault::of("read", "a timestamp", "it brings no certificate"))
}

/// `Nov 23 09:31:02 2026 GMT`, with or without a fraction of the second.
fn openssl_time(text: &str) -> Option<DateTime<Utc>> {
    NaiveDateTime::parse_from_str(text.trim(), "%b %e %H:%M:%S%.f %Y GMT").ok().map(|at| at.and_utc())
}

/// What the tokens of a file prove: when each was made, oldest first; or which one does not hold.
pub fn check_chain(file: &[u8], tokens: &[Vec<u8>], authority: &Path) -> Result<Vec<DateTime<Utc>>, Fault> {
    let times: Vec<DateTime<Utc>> = tokens.iter().map(|t| made_at(t)).collect::<Result<_, _>>()?;
    for (n, token) in tokens.iter().enumerate() {
        check(token, &covered(file, &tokens[..n]), authority, times.get(n + 1).copied())?;
    }
    Ok(times)
}

fn done(said: openssl::Said, what: &'static str) -> Result<Vec<u8>, Fault> {
    if said.well { Ok(said.out) } else { Err(Fault::of("verify", what, said.complaint)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_programs_times_are_read() {
        let at = openssl_time("Nov  3 09:31:02 2026 GMT").unwrap();
        assert_eq!(at.to_rfc3339(), "2026-11-03T09:31:02+00:00");
        assert!(openssl_time("Nov 23 09:31:02.337 2026 GMT").is_some());
        assert!(openssl_time("yesterday").is_none());
    }
}
