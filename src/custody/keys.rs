//! Keys in PEM that `openssl` reads: Ed25519 (RFC 8032) by default, SM2 (GB/T 32918) where the bureau has to use it.
//!
//! ```text
//! keys/signing.pem        signs manifests; its owner alone can read it      signing.pub.pem
//! keys/log.pem            signs the custody log's heads, always Ed25519     log.pub.pem
//! keys/retired/<n>.pem    public halves of earlier signing keys, for ever
//! keys/lost/<name>-<n>.pem     public halves of keys whose private half went with a machine: nothing could sign for their followers
//! keys/succession-<n>.json, .sig   "this key follows that one", signed by that one
//! ```
//!
//! A key in hardware (PKCS#11) is another arm of [`Signer`]: nothing else sees a private half.

use crate::model::digest;
use ed25519_dalek::pkcs8::spki::{DecodePublicKey, EncodePublicKey};
use ed25519_dalek::{Signature, Verifier, VerifyingKey};
use serde::{Deserialize, Serialize};
use sm2::dsa;

/// The identity that SM2 signatures are made under where none is agreed on: the default of GM/T 0009, and of `openssl`.
const SM2_IDENTITY: &str = "1234567812345678";

/// What is wrong with a key.
#[derive(Debug, thiserror::Error)]
pub enum KeyFault {
    /// The file is no key of ours.
    #[error("{what} is no Ed25519 or SM2 key in PEM")]
    NotAKey {
        /// Which file.
        what: String,
    },
    /// The other half was given.
    #[error("{what} is a private key, which belongs nowhere outside the machine that signs; the public one is wanted (….pub.pem)")]
    Private {
        /// Which file.
        what: String,
    },
    /// The file cannot be read or made.
    #[cfg(feature = "recorder")]
    #[error(transparent)]
    Machine(#[from] crate::machine::fault::Fault),
}

/// How manifests are signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Algorithm {
    /// RFC 8032: 64 raw bytes.
    #[default]
    Ed25519,
    /// GB/T 32918 with SM3: DER, as GM/T 0009 writes it.
    Sm2,
}

/// The public half.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PublicKey {
    /// Ed25519.
    Ed25519(VerifyingKey),
    /// SM2.
    Sm2(Box<sm2::PublicKey>),
}

impl PublicKey {
    /// From PEM (`-----BEGIN PUBLIC KEY-----`); `what` names it in errors.
    pub fn from_pem(pem: &str, what: &str) -> Result<Self, KeyFault> {
        let pem = pem.trim();
        if pem.contains("PRIVATE KEY-----") {
            return Err(KeyFault::Private { what: what.into() });
        }
        let ed25519 = VerifyingKey::from_public_key_pem(pem).map(Self::Ed25519);
        let either = ed25519.or_else(|_| sm2::PublicKey::from_public_key_pem(pem).map(|k| Self::Sm2(Box::new(k))));
        either.map_err(|_| KeyFault::NotAKey { what: what.into() })
    }

    /// From the 32 bytes of an Ed25519 key.
    pub fn from_raw(raw: &[u8; 32]) -> Option<Self> {
        VerifyingKey::from_bytes(raw).ok().map(Self::Ed25519)
    }

    /// The 32 bytes of an Ed25519 key; none of another.
    pub fn raw(&self) -> Vec<u8> {
        if let Self::Ed25519(key) = self { key.to_bytes().into() } else { vec![] }
    }

    /// Which kind.
    pub fn algorithm(&self) -> Algorithm {
        if matches!(self, Self::Ed25519(_)) { Algorithm::Ed25519 } else { Algorithm::Sm2 }
    }

    /// SHA-256 of the SPKI DER, hex: what `openssl pkey -pubin -outform DER | sha256sum` prints.
    pub fn fingerprint(&self) -> String {
        let der = match self {
            Self::Ed25519(key) => key.to_public_key_der(),
            Self::Sm2(key) => key.to_public_key_der(),
        };
        der.map(|der| digest::sha256(der.as_bytes())).unwrap_or_default()
    }

    /// Whether the signature is this key's over these bytes.
    pub fn verifies(&self, data: &[u8], signature: &[u8]) -> bool {
        match self {
            Self::Ed25519(key) => Signature::from_slice(signature).is_ok_and(|s| key.verify(data, &s).is_ok()),
            Self::Sm2(key) => {
                let signature = dsa::Signature::from_der(signature);
                let key = dsa::VerifyingKey::new(SM2_IDENTITY, **key);
                key.is_ok_and(|key| signature.is_ok_and(|s| dsa::signature::Verifier::verify(&key, data, &s).is_ok()))
            }
        }
    }
}

/// "This key follows that one": signed by the key that is followed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Succession {
    /// Fingerprint of the key that is followed.
    pub old: String,
    /// The new public key in PEM.
    pub new: String,
    /// When, UTC.
    pub at: chrono::DateTime<chrono::Utc>,
}

impl Succession {
    /// The new key, if `old` says so.
    pub fn follow(data: &[u8], signature: &[u8], old: &PublicKey) -> Option<PublicKey> {
        let said: Self = serde_json::from_slice(data).ok()?;
        let is_told = said.old == old.fingerprint() && old.verifies(data, signature);
        if is_told { PublicKey::from_pem(&said.new, "a succession").ok() } else { None }
    }
}

#[cfg(feature = "recorder")]
mod signing {
    use super::{Algorithm, KeyFault, PublicKey, SM2_IDENTITY, Succession};
    use crate::machine::{durable, fault::Fault, randomness};
    use chrono::{DateTime, Utc};
    use ed25519_dalek::pkcs8::spki::{EncodePublicKey, der::pem::LineEnding};
    use ed25519_dalek::pkcs8::{DecodePrivateKey, EncodePrivateKey};
    use ed25519_dalek::{Signer as _, SigningKey};
    use sm2::dsa;
    use std::path::Path;

    enum Private {
        Ed25519(Box<SigningKey>),
        Sm2(Box<sm2::SecretKey>),
    }

    /// The private half; it cannot be printed.
    pub struct Signer {
        key: Private,
        public: PublicKey,
        pem: String,
    }

    impl std::fmt::Debug for Signer {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            write!(f, "Signer({})", self.public.fingerprint())
        }
    }

    impl Private {
        fn make(algorithm: Algorithm) -> Result<Self, KeyFault> {
            match algorithm {
                Algorithm::Ed25519 => Ok(Self::Ed25519(Box::new(SigningKey::from_bytes(&randomness::bytes()?)))),
                Algorithm::Sm2 => loop {
                    // A number that is none of the group's is drawn again (a chance of 2^-32).
                    if let Ok(key) = sm2::SecretKey::from_slice(&randomness::bytes::<32>()?) {
                        return Ok(Self::Sm2(Box::new(key)));
                    }
                },
            }
        }

        fn to_pem(&self) -> Result<String, KeyFault> {
            let pem = match self {
                Self::Ed25519(key) => key.to_pkcs8_pem(LineEnding::LF),
                Self::Sm2(key) => key.to_pkcs8_pem(LineEnding::LF),
            };
            Ok(pem.map_err(|e| Fault::of("encode", "a new key", e.to_string()))?.to_string())
        }

        fn from_pem(pem: &str, what: &Path) -> Result<Self, KeyFault> {
            let ed25519 = SigningKey::from_pkcs8_pem(pem).map(|k| Self::Ed25519(Box::new(k)));
            let either = ed25519.or_else(|_| sm2::SecretKey::from_pkcs8_pem(pem).map(|k| Self::Sm2(Box::new(k))));
            either.map_err(|_| KeyFault::NotAKey { what: what.display().to_string() })
        }

        fn public(&self) -> PublicKey {
            match self {
                Self::Ed25519(key) => PublicKey::Ed25519(key.verifying_key()),
                Self::Sm2(key) => PublicKey::Sm2(Box::new(key.public_key())),
            }
        }

        fn public_pem(&self) -> Result<String, KeyFault> {
            let pem = match self {
                Self::Ed25519(key) => key.verifying_key().to_public_key_pem(LineEnding::LF),
                Self::Sm2(key) => key.public_key().to_public_key_pem(LineEnding::LF),
            };
            Ok(pem.map_err(|e| Fault::of("encode", "a public key", e.to_string()))?)
        }
    }

    impl Signer {
        /// The key `<name>.pem` of a folder; made at the first run, readable by its owner alone. A key that is there is taken
        /// whatever its algorithm: it changes by [`rotate`] alone.
        pub fn open_or_make(folder: &Path, name: &str, algorithm: Algorithm) -> Result<Self, KeyFault> {
            let path = folder.join(format!("{name}.pem"));
            if !durable::exists(&path) {
                durable::make_folder(folder)?;
                keep_lost(folder, name)?;
                durable::write_secret(&path, Private::make(algorithm)?.to_pem()?.as_bytes())?;
            }
            let signer = Self::open(folder, name)?;
            // A crash before this line leaves a key without its public file; the next start writes it.
            durable::write_whole(&folder.join(format!("{name}.pub.pem")), signer.pem.as_bytes())?;
            Ok(signer)
        }

        /// The key of a folder as it lies there, for whoever only looks: nothing is made and nothing is written.
        pub fn open(folder: &Path, name: &str) -> Result<Self, KeyFault> {
            let path = folder.join(format!("{name}.pem"));
            let pem = durable::read_whole(&path, 4096)?;
            let key = Private::from_pem(&String::from_utf8_lossy(&pem), &path)?;
            let pem = key.public_pem()?;
            Ok(Self { public: key.public(), key, pem })
        }

        /// The log's key, always Ed25519: C2SP's notes know no SM2.
        pub fn of_log(folder: &Path) -> Result<Self, KeyFault> {
            let key = Self::open_or_make(folder, "log", Algorithm::Ed25519)?;
            let is_ed25519 = key.public.algorithm() == Algorithm::Ed25519;
            if is_ed25519 { Ok(key) } else { Err(KeyFault::NotAKey { what: folder.join("log.pem").display().to_string() }) }
        }

        /// 64 bytes of Ed25519, or SM2 in DER.
        pub fn sign(&self, data: &[u8]) -> Vec<u8> {
            match &self.key {
                Private::Ed25519(key) => key.sign(data).to_bytes().into(),
                // The identity is a constant that SM2 takes.
                Private::Sm2(key) => dsa::SigningKey::new(SM2_IDENTITY, key)
                    .and_then(|key| dsa::signature::Signer::try_sign(&key, data))
                    .map(|signature| signature.to_der().as_ref().to_vec())
                    .unwrap_or_default(),
            }
        }

        /// Whether a signature made now verifies under the public half.
        pub fn works(&self) -> bool {
            let text = b"readiness";
            self.public.verifies(text, &self.sign(text))
        }

        /// The public half.
        pub fn public(&self) -> PublicKey {
            self.public.clone()
        }

        /// The public half in PEM.
        pub fn public_pem(&self) -> &str {
            &self.pem
        }
    }

    /// On a bare machine to which the public halves came back from the archive: what they verify has to be verified after the new key has
    /// taken their names. A crash behind it finds the half kept already.
    fn keep_lost(folder: &Path, name: &str) -> Result<(), KeyFault> {
        let path = folder.join(format!("{name}.pub.pem"));
        if !durable::exists(&path) {
            return Ok(());
        }
        let pem = durable::read_whole(&path, 4096)?;
        let lost = folder.join("lost");
        durable::make_folder(&lost)?;
        for n in 1.. {
            let kept = lost.join(format!("{name}-{n}.pem"));
            if !durable::exists(&kept) {
                return Ok(durable::write_whole(&kept, &pem)?);
            }
            if durable::read_whole(&kept, 4096)? == pem {
                break;
            }
        }
        Ok(())
    }

    /// Makes a new signing key that follows the one in use: the old one signs for it, its public half stays, its private half
    /// goes. A recorder that runs seals with the old one until it is started anew; both verify.
    pub fn rotate(folder: &Path, algorithm: Algorithm, at: DateTime<Utc>) -> Result<(PublicKey, PublicKey), KeyFault> {
        let old = Signer::open_or_make(folder, "signing", algorithm)?;
        let new = Private::make(algorithm)?;
        let said = Succession { old: old.public.fingerprint(), new: new.public_pem()?, at };
        let data = serde_json_canonicalizer::to_vec(&said).map_err(|e| Fault::of("encode", "a succession", e))?;
        let retired = folder.join("retired");
        durable::make_folder(&retired)?;
        let number = durable::names(&retired)?.len() + 1;
        durable::write_whole(&retired.join(format!("{number}.pem")), old.pem.as_bytes())?;
        durable::write_whole(&folder.join(format!("succession-{number}.json")), &data)?;
        durable::write_whole(&folder.join(format!("succession-{number}.json.sig")), &old.sign(&data))?;
        durable::write_secret(&folder.join("signing.pem"), new.to_pem()?.as_bytes())?;
        durable::write_whole(&folder.join("signing.pub.pem"), said.new.as_bytes())?;
        Ok((old.public, new.public()))
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        #[test]
        fn a_public_half_whose_private_half_is_gone_is_kept_once() {
            let dir = tempfile::tempdir().unwrap();
            let make = || Signer::open_or_make(dir.path(), "signing", Algorithm::Ed25519).unwrap();
            let first = make();
            for _ in 0..2 {
                durable::remove_marker(&dir.path().join("signing.pem")).unwrap();
                durable::write_whole(&dir.path().join("signing.pub.pem"), first.public_pem().as_bytes()).unwrap();
                assert_ne!(make().public(), first.public());
            }
            assert_eq!(durable::names(&dir.path().join("lost")).unwrap(), ["signing-1.pem"]);
            assert_eq!(durable::read_whole(&dir.path().join("lost/signing-1.pem"), 4096).unwrap(), first.public_pem().as_bytes());
        }

        #[test]
        fn either_algorithm_signs_verifies_and_is_followed_by_the_other() {
            let dir = tempfile::tempdir().unwrap();
            for (now, then) in [(Algorithm::Ed25519, Algorithm::Sm2), (Algorithm::Sm2, Algorithm::Ed25519)] {
                let signer = Signer::open_or_make(dir.path(), "signing", now).unwrap();
                assert_eq!(signer.public().algorithm(), now);
                assert!(signer.works());
                assert!(!signer.public().verifies(b"another text", &signer.sign(b"readiness")));
                let (old, new) = rotate(dir.path(), then, DateTime::UNIX_EPOCH).unwrap();
                assert_eq!(old, signer.public());
                assert!(old.verifies(b"x", &signer.sign(b"x")), "old signatures stay valid");
                assert_eq!(Signer::open_or_make(dir.path(), "signing", now).unwrap().public(), new);
            }
            let of = |name: &str| durable::read_whole(&dir.path().join(name), 9999).unwrap();
            let first = PublicKey::from_pem(std::str::from_utf8(&of("retired/1.pem")).unwrap(), "1").unwrap();
            let second = Succession::follow(&of("succession-1.json"), &of("succession-1.json.sig"), &first).unwrap();
            assert_eq!(second.algorithm(), Algorithm::Sm2);
            assert!(Succession::follow(&of("succession-2.json"), &of("succession-2.json.sig"), &first).is_none(), "by another key");
        }
    }
}
#[cfg(feature = "recorder")]
pub use signing::{Signer, rotate};
