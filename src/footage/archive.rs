//! The bucket: the only place that speaks S3. Every put carries its lock (Object Lock, COMPLIANCE), and both object and lock are read
//! back: there are services that say yes to a lock and then delete. Names are never used twice for different contents, and versions
//! are told apart, because not every service honours a conditional put.
//!
//! Blocking, for a thread of its own; what goes over the line is paced.

use crate::machine::clock::{Clock, Due};
use crate::model::archive::{Lock, PART_BYTES};
use crate::model::digest;
use aws_credential_types::Credentials;
use aws_sigv4::http_request::{
    PayloadChecksumKind, PercentEncodingMode, SignableBody, SignableRequest, SigningSettings, UriPathNormalizationMode, sign,
};
use aws_sigv4::sign::v4;
use base64::Engine;
use bytes::Bytes;
use chrono::{DateTime, SecondsFormat, Utc};
use reqwest::Method;
use reqwest::blocking::{Body, Client, Response};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use std::io::Read;
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use url::Url;

/// How long a connection may take to come about.
const CONNECT: Duration = Duration::from_secs(10);
/// What an exchange may take besides its bytes.
const PATIENCE: Duration = Duration::from_mins(1);
/// Slower than this is away, bytes a second, where nothing is limited.
const SLOWEST: u64 = 64 * 1024;
/// Sent or read at a time.
const PIECE: usize = 64 * 1024;
/// The largest answer that is no object.
const ANSWER_BYTES_MAX: u64 = 16 * 1024 * 1024;

/// Where the bucket is.
#[derive(Debug, Clone)]
pub struct StoreSettings {
    /// The service's address.
    pub endpoint: Url,
    /// Its region.
    pub region: String,
    /// The bucket.
    pub bucket: String,
    /// Who asks.
    pub access_key: String,
    /// By what.
    pub secret_key: SecretString,
    /// Bits a second, at most; none: as fast as it goes.
    pub bits_per_s_max: Option<u64>,
}

/// What the bucket could not do.
#[derive(Debug, thiserror::Error)]
pub enum StoreFault {
    /// It is away, and may come back.
    #[error("the archive {0}")]
    Away(String),
    /// It has no such thing.
    #[error("the archive has no such object")]
    Absent,
    /// A lock or a hold is on it.
    #[error("the archive refuses: the object is locked, or these keys may not")]
    Refused,
    /// It is not what the configuration needs; waiting does not help.
    #[error("{0}")]
    Unfit(String),
}

/// A version of an object, from a listing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Version {
    /// Name.
    pub key: String,
    /// Version.
    pub version: String,
    /// It hides others: nothing lies under it.
    pub is_marker: bool,
}

/// The bucket.
pub struct Store {
    settings: StoreSettings,
    client: OnceLock<Client>,
    clock: Arc<dyn Clock>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ErrorAnswer {
    code: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Retention {
    mode: String,
    retain_until_date: DateTime<Utc>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct LegalHold {
    status: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct LockConfiguration {
    object_lock_enabled: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Versions {
    #[serde(default)]
    is_truncated: bool,
    next_key_marker: Option<String>,
    next_version_id_marker: Option<String>,
    #[serde(default, rename = "Version")]
    versions: Vec<Listed>,
    #[serde(default, rename = "DeleteMarker")]
    markers: Vec<Listed>,
}

#[derive(Deserialize)]
struct Listed {
    #[serde(rename = "Key")]
    key: String,
    #[serde(rename = "VersionId")]
    version: String,
}

fn read_xml<'a, T: Deserialize<'a>>(text: &'a str) -> Result<T, StoreFault> {
    quick_xml::de::from_str(text).map_err(|_| StoreFault::Away("answers what is no S3".into()))
}

/// Reads no faster than it may.
struct Paced<R> {
    inner: R,
    bytes_per_s: Option<u64>,
}

impl<R: Read> Read for Paced<R> {
    fn read(&mut self, to: &mut [u8]) -> std::io::Result<usize> {
        let began = Due::now();
        let room = to.len().min(PIECE);
        let n = self.inner.read(&mut to[..room])?;
        if let Some(rate) = self.bytes_per_s.filter(|r| *r > 0) {
            std::thread::sleep(Duration::from_secs_f64(n as f64 / rate as f64).saturating_sub(began.since()));
        }
        Ok(n)
    }
}

impl Store {
    /// Nothing is asked yet.
    pub fn new(settings: StoreSettings, clock: Arc<dyn Clock>) -> Self {
        Self { settings, client: OnceLock::new(), clock }
    }

    /// Made at the first use: it blocks, and whoever opens the desks must not.
    fn client(&self) -> Result<&Client, StoreFault> {
        if let Some(client) = self.client.get() {
            return Ok(client);
        }
        let made = Client::builder().connect_timeout(CONNECT).timeout(None).no_proxy().build();
        let made = made.map_err(|_| StoreFault::Unfit("the HTTP client does not start".into()))?;
        Ok(self.client.get_or_init(|| made))
    }

    fn rate(&self) -> Option<u64> {
        self.settings.bits_per_s_max.map(|bits| (bits / 8).max(1))
    }

    fn patience(&self, bytes: u64) -> Duration {
        PATIENCE + Duration::from_secs(bytes / self.rate().map_or(SLOWEST, |r| (r / 3).max(1)))
    }

    /// One exchange; `query` already in its order, empty values for flags.
    fn ask(
        &self,
        method: Method,
        key: &str,
        query: &[(&str, &str)],
        headers: &[(&str, String)],
        body: Bytes,
    ) -> Result<Response, StoreFault> {
        let unfit = |what: String| StoreFault::Unfit(format!("a request cannot be signed: {what}"));
        let mut url = self.settings.endpoint.clone();
        url.set_path(&format!("/{}{}{key}", self.settings.bucket, if key.is_empty() { "" } else { "/" }));
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        let sha256 = digest::sha256(&body);
        let identity = Credentials::new(&self.settings.access_key, self.settings.secret_key.expose_secret(), None, None, "file").into();
        let mut settings = SigningSettings::default();
        settings.percent_encoding_mode = PercentEncodingMode::Single;
        settings.uri_path_normalization_mode = UriPathNormalizationMode::Disabled;
        settings.payload_checksum_kind = PayloadChecksumKind::XAmzSha256;
        let params = v4::SigningParams::builder()
            .identity(&identity)
            .region(&self.settings.region)
            .name("s3")
            .time(self.clock.now().utc.into())
            .settings(settings)
            .build()
            .map_err(|e| unfit(e.to_string()))?
            .into();
        let named = headers.iter().map(|(n, v)| (*n, v.as_str()));
        let signable = SignableRequest::new(method.as_str(), url.as_str(), named, SignableBody::Precomputed(sha256));
        let (signed, _) = sign(signable.map_err(|e| unfit(e.to_string()))?, &params).map_err(|e| unfit(e.to_string()))?.into_parts();
        let puts = method == Method::PUT;
        let mut request = self.client()?.request(method, url).timeout(self.patience(body.len() as u64 + PART_BYTES));
        for (name, value) in headers.iter().map(|(n, v)| (*n, v.as_str())).chain(signed.headers()) {
            request = request.header(name, value);
        }
        let length = body.len() as u64;
        if length > 0 {
            let paced = Paced { inner: std::io::Cursor::new(body), bytes_per_s: self.rate() };
            request = request.body(Body::sized(paced, length));
        } else if puts {
            // An empty file is one, too; without its length said, the service asks for it.
            request = request.header(reqwest::header::CONTENT_LENGTH, 0).body("");
        }
        let answer =
            request.send().map_err(|e| StoreFault::Away(if e.is_connect() { "cannot be reached" } else { "breaks off" }.into()))?;
        if answer.status().is_success() { Ok(answer) } else { Err(told(answer)) }
    }

    fn text(answer: Response) -> Result<String, StoreFault> {
        let mut text = String::new();
        answer.take(ANSWER_BYTES_MAX).read_to_string(&mut text).map_err(|_| StoreFault::Away("breaks off its answer".into()))?;
        Ok(text)
    }

    fn xml(&self, method: Method, key: &str, query: &[(&str, &str)], body: String) -> Result<String, StoreFault> {
        let mut headers = vec![];
        if !body.is_empty() {
            let sum = base64::engine::general_purpose::STANDARD.encode(digest::sha256_raw(&[body.as_bytes()]));
            headers.push(("x-amz-checksum-sha256", sum));
        }
        Self::text(self.ask(method, key, query, &headers, body.into())?)
    }

    /// Whether the bucket is there, and was made with Object Lock.
    pub fn check(&self) -> Result<(), StoreFault> {
        let bucket = &self.settings.bucket;
        let text = match self.xml(Method::GET, "", &[("object-lock", "")], String::new()) {
            Err(StoreFault::Absent) => Err(StoreFault::Unfit(format!(
                "there is no bucket {bucket:?} with Object Lock: `shilu archive make-bucket` makes one, an older one cannot be changed"
            ))),
            other => other,
        }?;
        match read_xml::<LockConfiguration>(&text)?.object_lock_enabled.as_deref() {
            Some("Enabled") => Ok(()),
            _ => Err(StoreFault::Unfit(format!("bucket {bucket:?} was made without Object Lock; nothing in it is safe from deletion"))),
        }
    }

    /// Makes the bucket with Object Lock.
    pub fn make_bucket(&self) -> Result<(), StoreFault> {
        self.ask(Method::PUT, "", &[], &[("x-amz-bucket-object-lock-enabled", "true".into())], Bytes::new()).map(drop)
    }

    /// Puts an object under its lock, and gives its version. The service checks the digest of what came; the lock is read back.
    pub fn put(&self, key: &str, data: Bytes, lock: Option<Lock>) -> Result<String, StoreFault> {
        let version = self.send(key, data, lock)?;
        lock.map_or(Ok(()), |lock| Self::confirm(self.lock_of(key, &version), lock))?;
        Ok(version)
    }

    /// The same, and reads the object back whole: content and lock in one exchange, where the service tells the lock with the content.
    pub fn put_and_read_back(&self, key: &str, data: Bytes, lock: Lock) -> Result<String, StoreFault> {
        let put = (data.len() as u64, digest::sha256(&data));
        let version = self.send(key, data, Some(lock))?;
        let answer = self.ask(Method::GET, key, &[("versionId", &version)], &[], Bytes::new())?;
        let told = lock_in(&answer);
        if Self::digest_of(Paced { inner: answer, bytes_per_s: self.rate() })? != put {
            return Err(StoreFault::Away("gives back something else than was put".into()));
        }
        Self::confirm(told.map_or_else(|| self.lock_of(key, &version), Ok), lock)?;
        Ok(version)
    }

    fn send(&self, key: &str, data: Bytes, lock: Option<Lock>) -> Result<String, StoreFault> {
        let sum = base64::engine::general_purpose::STANDARD.encode(digest::sha256_raw(&[&data]));
        let mut headers = vec![("x-amz-checksum-sha256", sum)];
        if let Some(lock) = lock {
            headers.push(("x-amz-object-lock-mode", "COMPLIANCE".into()));
            headers.push(("x-amz-object-lock-retain-until-date", stamp(lock.until)));
            headers.push(("x-amz-object-lock-legal-hold", if lock.held { "ON" } else { "OFF" }.into()));
        }
        let answer = self.ask(Method::PUT, key, &[], &headers, data)?;
        let version = answer.headers().get("x-amz-version-id").and_then(|v| v.to_str().ok()).map(str::to_owned);
        version.ok_or_else(|| StoreFault::Unfit("the bucket keeps no versions; it has to be made with Object Lock".into()))
    }

    /// Whether a lock is on an object as it was asked for.
    fn confirm(has: Result<Lock, StoreFault>, lock: Lock) -> Result<(), StoreFault> {
        let ignores = || StoreFault::Unfit("the service takes a lock and does not keep it: it is not fit for an archive".into());
        match has {
            Ok(has) if has.until >= lock.until && has.held == lock.held => Ok(()),
            Ok(_) | Err(StoreFault::Absent | StoreFault::Unfit(_)) => Err(ignores()),
            Err(other) => Err(other),
        }
    }

    /// The lock that is on an object.
    pub fn lock_of(&self, key: &str, version: &str) -> Result<Lock, StoreFault> {
        let retention = self.xml(Method::GET, key, &[("retention", ""), ("versionId", version)], String::new())?;
        let retention: Retention = read_xml(&retention)?;
        if retention.mode != "COMPLIANCE" {
            return Err(StoreFault::Unfit(format!("an object has retention {:?}, not COMPLIANCE", retention.mode)));
        }
        let hold = match self.xml(Method::GET, key, &[("legal-hold", ""), ("versionId", version)], String::new()) {
            Ok(text) => read_xml::<LegalHold>(&text)?.status == "ON",
            Err(StoreFault::Absent) => false,
            Err(other) => return Err(other),
        };
        Ok(Lock { until: retention.retain_until_date, held: hold })
    }

    /// Changes a lock, and reads it back. A retention is only ever made longer.
    pub fn relock(&self, key: &str, version: &str, has: Lock, lock: Lock) -> Result<(), StoreFault> {
        if lock.until > has.until {
            let body = format!("<Retention><Mode>COMPLIANCE</Mode><RetainUntilDate>{}</RetainUntilDate></Retention>", stamp(lock.until));
            self.xml(Method::PUT, key, &[("retention", ""), ("versionId", version)], body)?;
        }
        if lock.held != has.held {
            let body = format!("<LegalHold><Status>{}</Status></LegalHold>", if lock.held { "ON" } else { "OFF" });
            self.xml(Method::PUT, key, &[("legal-hold", ""), ("versionId", version)], body)?;
        }
        Self::confirm(self.lock_of(key, version), lock)
    }

    /// Reads an object, paced; `range`: from a byte up to another.
    pub fn read(&self, key: &str, version: Option<&str>, range: Option<(u64, u64)>) -> Result<impl Read + use<>, StoreFault> {
        let headers: Vec<_> = range.iter().map(|(from, to)| ("range", format!("bytes={from}-{}", to.saturating_sub(1)))).collect();
        let query: Vec<_> = version.iter().map(|v| ("versionId", *v)).collect();
        let answer = self.ask(Method::GET, key, &query, &headers, Bytes::new())?;
        Ok(Paced { inner: answer, bytes_per_s: self.rate() })
    }

    /// A whole object in memory, up to a size.
    pub fn get(&self, key: &str, version: Option<&str>, bytes_max: u64) -> Result<Vec<u8>, StoreFault> {
        let mut data = Vec::new();
        let mut from = self.read(key, version, None)?.take(bytes_max + 1);
        from.read_to_end(&mut data).map_err(|_| StoreFault::Away("breaks off an object".into()))?;
        if data.len() as u64 > bytes_max { Err(StoreFault::Away("gives more than was put".into())) } else { Ok(data) }
    }

    /// Size and SHA-256 of an object, read whole.
    pub fn digest(&self, key: &str, version: &str) -> Result<(u64, String), StoreFault> {
        Self::digest_of(self.read(key, Some(version), None)?)
    }

    fn digest_of(mut from: impl Read) -> Result<(u64, String), StoreFault> {
        let mut piece = vec![0; PIECE];
        let (mut running, mut bytes) = (digest::Running::default(), 0);
        loop {
            match from.read(&mut piece).map_err(|_| StoreFault::Away("breaks off an object".into()))? {
                0 => return Ok((bytes, running.hex())),
                n => {
                    running.update(&piece[..n]);
                    bytes += n as u64;
                }
            }
        }
    }

    /// Removes one version; refused while it is locked or held.
    pub fn delete(&self, key: &str, version: &str) -> Result<(), StoreFault> {
        match self.ask(Method::DELETE, key, &[("versionId", version)], &[], Bytes::new()) {
            Ok(_) | Err(StoreFault::Absent) => Ok(()),
            Err(other) => Err(other),
        }
    }

    /// Every version under a prefix, newest first within a name. Never on a person's way.
    pub fn versions(&self, prefix: &str) -> Result<Vec<Version>, StoreFault> {
        let (mut all, mut from): (Vec<Version>, Next) = (Vec::new(), None);
        loop {
            let mut query = vec![];
            if let Some((key, version)) = &from {
                query.extend([("key-marker", key.as_str()), ("version-id-marker", version.as_str())]);
            }
            query.extend([("prefix", prefix), ("versions", "")]);
            let (page, next) = listed(&self.xml(Method::GET, "", &query, String::new())?)?;
            all.extend(page);
            match next {
                None => return Ok(all),
                // It would send the same page for ever.
                next if next == from => return Err(StoreFault::Unfit("the archive's listing comes to no end".into())),
                next => from = next,
            }
        }
    }
}

/// Where a listing goes on: a name and a version.
type Next = Option<(String, String)>;

/// A page of a listing of versions, and where it goes on.
pub fn listed(text: &str) -> Result<(Vec<Version>, Next), StoreFault> {
    let page: Versions = read_xml(text)?;
    let of = |is_marker| move |l: Listed| Version { key: l.key, version: l.version, is_marker };
    let versions = page.versions.into_iter().map(of(false)).chain(page.markers.into_iter().map(of(true))).collect();
    let next = page.next_key_marker.filter(|_| page.is_truncated);
    Ok((versions, next.map(|key| (key, page.next_version_id_marker.unwrap_or_default()))))
}

/// The lock that an answer tells with an object's content.
fn lock_in(answer: &Response) -> Option<Lock> {
    let told = |name: &str| answer.headers().get(name).and_then(|value| value.to_str().ok());
    let until = DateTime::parse_from_rfc3339(told("x-amz-object-lock-retain-until-date")?).ok()?.to_utc();
    let held = told("x-amz-object-lock-legal-hold")? == "ON";
    (told("x-amz-object-lock-mode")? == "COMPLIANCE").then_some(Lock { until, held })
}

fn stamp(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Millis, true)
}

/// What an answer that is no success means.
fn told(answer: Response) -> StoreFault {
    let status = answer.status();
    let text = Store::text(answer).unwrap_or_default();
    let code = quick_xml::de::from_str::<ErrorAnswer>(&text).map(|e| e.code).unwrap_or_default();
    match (status.as_u16(), code.as_str()) {
        (_, "SignatureDoesNotMatch" | "InvalidAccessKeyId") => StoreFault::Unfit("the archive does not know these keys".into()),
        (_, "RequestTimeTooSkewed") => StoreFault::Unfit("this machine's clock is not the archive's".into()),
        (_, "NoSuchBucket" | "NoSuchKey" | "NoSuchVersion" | "ObjectLockConfigurationNotFoundError" | "NoSuchObjectLockConfiguration")
        | (404, _) => StoreFault::Absent,
        (403, _) => StoreFault::Refused,
        (429 | 500.., _) => StoreFault::Away(format!("answers {status}")),
        _ => StoreFault::Unfit(format!("the archive answers {status} {code}")),
    }
}
