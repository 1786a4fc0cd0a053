//! `[archive]`: the bucket, and when and how footage goes there.

use crate::config::{Checks, is_credential, named, read_password};
use crate::desks::archive::ArchiveSettings;
use crate::footage::archive::StoreSettings;
use crate::footage::envelope::Recipients;
use crate::machine::durable;
use crate::model::archive::window;
use crate::model::ids::UnitId;
use secrecy::ExposeSecret;
use serde::Deserialize;
use std::path::PathBuf;
use url::Url;

/// The archive as it is written.
#[derive(Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct ArchiveFile {
    pub(super) site: Option<String>,
    pub(super) endpoint: Option<String>,
    pub(super) bucket: Option<String>,
    pub(super) region: String,
    pub(super) access_key_file: Option<PathBuf>,
    pub(super) window: String,
    pub(super) mbit_max: u64,
    pub(super) verify_days: u32,
    pub(super) encrypt_to: Vec<String>,
    pub(super) identity_file: Option<PathBuf>,
    pub(super) release_after_days: Option<u32>,
    pub(super) release_mirror: bool,
    pub(super) status_min: u32,
}

impl Default for ArchiveFile {
    fn default() -> Self {
        Self {
            site: None,
            endpoint: None,
            bucket: None,
            region: "us-east-1".into(),
            access_key_file: None,
            window: "19:00-07:00".into(),
            mbit_max: 50,
            verify_days: 90,
            encrypt_to: vec![],
            identity_file: None,
            release_after_days: None,
            release_mirror: false,
            status_min: 5,
        }
    }
}

/// A bucket's address and keys.
pub(super) fn store(
    c: &mut Checks,
    (endpoint, bucket, region): (&str, &str, &str),
    access_key_file: Option<&PathBuf>,
    mbit_max: u64,
) -> Option<StoreSettings> {
    let right = "https://s3.bureau.example would be right";
    let url = c.ok("archive.endpoint", Url::parse(endpoint).map_err(|_| format!("is no address; {right}")));
    if let Some(url) = &url {
        let here = matches!(url.host_str(), Some("127.0.0.1" | "localhost" | "[::1]"));
        let safe = url.scheme() == "https" || (url.scheme() == "http" && here);
        let bare = url.path() == "/" && url.username().is_empty() && url.password().is_none() && url.query().is_none();
        c.that(safe && bare, "archive.endpoint", || format!("is no https address without path and password; {right}"));
    }
    let named =
        (3..=63).contains(&bucket.len()) && bucket.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"-.".contains(&b));
    c.that(named, "archive.bucket", || "is no bucket's name; 3 to 63 of a–z, 0–9, - and . would be right".into());
    let Some(file) = access_key_file else {
        return c.ok("archive.access_key_file", Err("is missing; a file with two lines, key and secret"));
    };
    let lines = c.ok("archive.access_key_file", read_password(file))?;
    let keys = lines.expose_secret().split_once('\n').map(|(key, secret)| (key.trim().to_owned(), secret.trim().to_owned()));
    c.that(keys.is_some(), "archive.access_key_file", || "holds no two lines; key in the first, secret in the second".into());
    let (access_key, secret) = keys?;
    Some(StoreSettings {
        endpoint: url?,
        region: region.into(),
        bucket: bucket.into(),
        access_key,
        secret_key: secret.into(),
        bits_per_s_max: (mbit_max > 0).then_some(mbit_max * 1_000_000),
    })
}

pub(super) fn check(c: &mut Checks, file: ArchiveFile, has_mirror: bool, margin_days: u32) -> Option<ArchiveSettings> {
    c.within("archive.verify_days", i64::from(file.verify_days), 1, 3660);
    c.within("archive.status_min", i64::from(file.status_min), 1, 1440);
    c.within("archive.mbit_max", file.mbit_max as i64, 0, 100_000);
    c.ok("archive.encrypt_to", Recipients::parse(&file.encrypt_to));
    let hours = if file.window.is_empty() { None } else { window(&file.window) };
    c.that(file.window.is_empty() || hours.is_some(), "archive.window", || {
        "is no window; \"19:00-07:00\" would be right, \"\" is always".into()
    });
    if let Some(path) = &file.identity_file {
        c.that(durable::exists(path) || is_credential(path), "archive.identity_file", || "there is no such file".into());
    }
    let (site, endpoint, bucket) = match (file.site, file.endpoint, file.bucket) {
        (Some(site), Some(endpoint), Some(bucket)) => (site, endpoint, bucket),
        (None, None, None) => {
            c.that(file.release_after_days.is_none(), "archive.release_after_days", || "needs an archive".into());
            return None;
        }
        _ => return c.ok("archive", Err("site, endpoint and bucket belong together; give all or none")),
    };
    c.ok("archive.site", named(UnitId::new(&site)));
    let opened = file.encrypt_to.is_empty() || file.identity_file.is_some();
    c.that(file.release_after_days.is_none() || opened, "archive.release_after_days", || {
        "needs identity_file where it is encrypted: what lies there alone could not be looked at".into()
    });
    c.that(!file.release_mirror || has_mirror, "archive.release_mirror", || "needs storage.mirror".into());
    let store = store(c, (&endpoint, &bucket, &file.region), file.access_key_file.as_ref(), file.mbit_max)?;
    Some(ArchiveSettings {
        site,
        store,
        window: hours,
        verify_days: file.verify_days,
        encrypt_to: file.encrypt_to,
        identity_file: file.identity_file,
        release_after_days: file.release_after_days,
        release_mirror: file.release_mirror,
        status_min: file.status_min,
        margin_days,
    })
}
