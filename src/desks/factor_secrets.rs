//! Secrets of second factors, sealed (XChaCha20-Poly1305) by a key that lies outside the catalog: a backup of the catalog alone, or a copy
//! of it, gives nobody a code. The key is `keys/factors.key`, or a file that the configuration names (a systemd credential, a token).

use crate::machine::{durable, fault::Fault, randomness};
use crate::model::ids::AccountId;
use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

/// What marks a sealed secret; base32 has no colon.
const MARK: &str = "sealed:";
const NONCE_BYTES: usize = 24;
const KEY_BYTES: usize = 32;

/// The key, read or made when it is first needed.
pub(crate) struct FactorKey {
    file: PathBuf,
    /// It is ours to make; what the configuration names is not.
    is_made: bool,
    key: OnceLock<XChaCha20Poly1305>,
}

impl FactorKey {
    /// `named`: the file of the configuration.
    pub(crate) fn new(data: &Path, named: Option<&Path>) -> Self {
        let file = named.map_or_else(|| data.join("keys/factors.key"), Path::to_owned);
        Self { file, is_made: named.is_none(), key: OnceLock::new() }
    }

    fn key(&self) -> Result<&XChaCha20Poly1305, Fault> {
        if let Some(key) = self.key.get() {
            return Ok(key);
        }
        if self.is_made && !durable::exists(&self.file) {
            self.file.parent().map_or(Ok(()), durable::make_folder)?;
            durable::write_secret(&self.file, &randomness::bytes::<KEY_BYTES>()?)?;
        }
        let raw = durable::read_whole(&self.file, 1024)?;
        let told = format!("it has {} bytes; {KEY_BYTES} would be right (openssl rand {KEY_BYTES})", raw.len());
        let key = XChaCha20Poly1305::new_from_slice(&raw).map_err(|_| Fault::of("use", self.file.display().to_string(), told))?;
        Ok(self.key.get_or_init(|| key))
    }

    /// Seals a secret to its account: on another account's row it opens nothing.
    pub(crate) fn seal(&self, of: &AccountId, secret: &str) -> Result<String, Fault> {
        let nonce = randomness::bytes::<NONCE_BYTES>()?;
        let payload = Payload { msg: secret.as_bytes(), aad: of.as_str().as_bytes() };
        let sealed = self.key()?.encrypt(XNonce::from_slice(&nonce), payload);
        let sealed = sealed.map_err(|_| Fault::of("seal", "a second factor", "it is too long"))?;
        Ok(format!("{MARK}{}", STANDARD_NO_PAD.encode([&nonce[..], &sealed].concat())))
    }

    /// Opens one. What another key sealed is a fault that says what to do.
    pub(crate) fn open(&self, of: &AccountId, kept: &str) -> Result<String, Fault> {
        let sealed = kept.strip_prefix(MARK).and_then(|text| STANDARD_NO_PAD.decode(text).ok()).filter(|raw| raw.len() > NONCE_BYTES);
        let told = "this key did not seal it; an administrator has to take the second factor away (shilu user reset)";
        let no = || Fault::of("open", "a second factor", told);
        let raw = sealed.ok_or_else(no)?;
        let (nonce, sealed) = raw.split_at(NONCE_BYTES);
        let plain = self.key()?.decrypt(XNonce::from_slice(nonce), Payload { msg: sealed, aad: of.as_str().as_bytes() });
        plain.ok().and_then(|p| String::from_utf8(p).ok()).ok_or_else(no)
    }

    /// Whether a secret was kept as it is, by an earlier release.
    pub(crate) fn is_plain(kept: &str) -> bool {
        !kept.starts_with(MARK)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_opens_for_its_account_and_its_key_alone() {
        let dir = tempfile::tempdir().unwrap();
        let (key, other) = (FactorKey::new(dir.path(), None), FactorKey::new(&dir.path().join("other"), None));
        let (wang, li) = (AccountId::new("a-wang").unwrap(), AccountId::new("a-li").unwrap());
        let sealed = key.seal(&wang, "JBSWY3DPEHPK3PXP").unwrap();
        assert!(!FactorKey::is_plain(&sealed) && FactorKey::is_plain("JBSWY3DPEHPK3PXP"));
        assert_ne!(sealed, key.seal(&wang, "JBSWY3DPEHPK3PXP").unwrap());
        assert_eq!(FactorKey::new(dir.path(), None).open(&wang, &sealed).unwrap(), "JBSWY3DPEHPK3PXP", "the next start has the same key");
        for (key, of, text) in [(&key, &li, &sealed), (&other, &wang, &sealed), (&key, &wang, &"sealed:AAAA".to_owned())] {
            assert!(key.open(of, text).is_err_and(|f| f.to_string().contains("shilu user reset")));
        }
    }

    #[test]
    fn a_key_that_the_configuration_names_is_not_made() {
        let dir = tempfile::tempdir().unwrap();
        let named = dir.path().join("token/factors");
        let key = FactorKey::new(dir.path(), Some(&named));
        let wang = AccountId::new("a-wang").unwrap();
        assert!(key.seal(&wang, "JBSWY3DPEHPK3PXP").is_err() && !named.exists());
        durable::make_folder(named.parent().unwrap()).unwrap();
        durable::write_secret(&named, &[7; 31]).unwrap();
        assert!(key.seal(&wang, "JBSWY3DPEHPK3PXP").is_err_and(|f| f.to_string().contains("32 would be right")));
    }
}
