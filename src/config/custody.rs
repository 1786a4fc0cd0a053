//! `[custody]`: digests, signatures, the log, time from outside.

use crate::config::Checks;
use crate::custody::keys::Algorithm;
use crate::custody::note::VerifierKey;
use crate::desks::outside::OutsideSettings;
use serde::Deserialize;
use std::path::PathBuf;
use url::Url;

/// What proves.
#[derive(Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Custody {
    /// Of a signing key that is made at the first run, or by `shilu key rotate`.
    pub algorithm: Algorithm,
    /// SM3 beside SHA-256.
    pub sm3: bool,
    /// Where the log's head is remembered besides the volumes.
    pub head_file: Option<PathBuf>,
    /// Everything is read once more within so many days.
    pub scrub_days: u32,
    /// A timestamp authority (RFC 3161), and whom it is certified by.
    pub tsa: Option<String>,
    /// PEM certificates that its tokens are verified under.
    pub tsa_ca: Option<PathBuf>,
    /// Outside cosigners.
    pub witnesses: Vec<Witness>,
    /// The unit's own certificate and key, for a CMS signature in packages; both or none.
    pub cms_certificate: Option<PathBuf>,
    /// Its key.
    pub cms_key: Option<PathBuf>,
}

/// An outside cosigner.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Witness {
    /// Before `/add-checkpoint`.
    pub url: String,
    /// `name+id+base64`.
    pub key: String,
}

impl Default for Custody {
    fn default() -> Self {
        Self {
            algorithm: Algorithm::Ed25519,
            sm3: true,
            head_file: None,
            scrub_days: 30,
            tsa: None,
            tsa_ca: None,
            witnesses: vec![],
            cms_certificate: None,
            cms_key: None,
        }
    }
}

impl Custody {
    /// Whom to ask for proof from outside.
    pub(super) fn outside(&self) -> OutsideSettings {
        let cosigner = |w: &Witness| Some((w.url.clone(), VerifierKey::parse(&w.key).ok()?));
        OutsideSettings {
            authority: self.tsa.clone().zip(self.tsa_ca.clone()),
            cosigners: self.witnesses.iter().filter_map(cosigner).collect(),
        }
    }

    /// The unit's certificate and key.
    pub(super) fn unit_certificate(&self) -> Option<(PathBuf, PathBuf)> {
        self.cms_certificate.clone().zip(self.cms_key.clone())
    }
}

pub(super) fn check(c: &mut Checks, custody: &Custody) {
    c.within("custody.scrub_days", i64::from(custody.scrub_days), 1, 366);
    let mut http = |place: &str, url: &str| {
        // Digests go out, signed answers come back, and each is checked: TLS would add nothing.
        let right = Url::parse(url).is_ok_and(|u| u.scheme() == "http" && u.password().is_none());
        c.that(right, place, || "is no http:// address without a password".into());
    };
    if let Some(tsa) = &custody.tsa {
        http("custody.tsa", tsa);
    }
    custody.witnesses.iter().for_each(|w| http("custody.witnesses.url", &w.url));
    for witness in &custody.witnesses {
        c.ok("custody.witnesses.key", VerifierKey::parse(&witness.key));
    }
    c.that(custody.tsa.is_some() == custody.tsa_ca.is_some(), "custody.tsa", || "needs tsa_ca beside it, and the other way round".into());
    let pair = custody.cms_certificate.is_some() == custody.cms_key.is_some();
    c.that(pair, "custody.cms_certificate", || "needs cms_key beside it, and the other way round".into());
}
