//! Signing keys: Ed25519 (RFC 8032) in PEM that `openssl` reads.

use crate::model::digest;
use ed25519_dalek::pkcs8::spki::{DecodePublicKey, EncodePublicKey};
use ed25519_dalek::{Signature, Verifier, VerifyingKey};

/// What is wrong with a key.
#[derive(Debug, thiserror::Error)]
pub enum KeyFault {
    /// The file is no key of ours.
    #[error("{what} is no Ed25519 key in PEM")]
    NotAKey {
        /// Which file.
        what: String,
    },
    /// The file cannot be read or made.
    #[cfg(feature = "recorder")]
    #[error(transparent)]
    Machine(#[from] crate::machine::fault::Fault),
}

/// The public half.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicKey(VerifyingKey);

impl PublicKey {
    /// From PEM (`-----BEGIN PUBLIC KEY-----`); `what` names it in errors.
    pub fn from_pem(pem: &str, what: &str) -> Result<Self, KeyFault> {
        VerifyingKey::from_public_key_pem(pem.trim()).map(Self).map_err(|_| KeyFault::NotAKey { what: what.into() })
    }

    /// SHA-256 of the SPKI DER, hex: what `openssl pkey -pubin -outform DER | sha256sum` prints.
    pub fn fingerprint(&self) -> String {
        self.0.to_public_key_der().map(|der| digest::sha256(der.as_bytes())).unwrap_or_default()
    }

    /// Whether the signature is this key's over these bytes.
    pub fn verifies(&self, data: &[u8], signature: &[u8]) -> bool {
        Signature::from_slice(signature).is_ok_and(|s| self.0.verify(data, &s).is_ok())
    }
}

#[cfg(feature = "recorder")]
mod signing {
    use super::{KeyFault, PublicKey};
    use crate::machine::{durable, fault::Fault, randomness};
    use ed25519_dalek::pkcs8::spki::{EncodePublicKey, der::pem::LineEnding};
    use ed25519_dalek::pkcs8::{DecodePrivateKey, EncodePrivateKey};
    use ed25519_dalek::{Signer as _, SigningKey};
    use std::path::Path;

    /// The private half; it cannot be printed.
    pub struct Signer {
        key: SigningKey,
        pem: String,
    }

    impl std::fmt::Debug for Signer {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            write!(f, "Signer({})", self.public().fingerprint())
        }
    }

    impl Signer {
        /// The key of a folder (`signing.pem`, `signing.pub.pem`); made at the first run, readable by its owner alone.
        pub fn open_or_make(folder: &Path) -> Result<Self, KeyFault> {
            let path = folder.join("signing.pem");
            if !durable::exists(&path) {
                durable::make_folder(folder)?;
                let key = SigningKey::from_bytes(&randomness::bytes()?);
                let pem = key.to_pkcs8_pem(LineEnding::LF).map_err(|e| Fault::of("encode", "a new signing key", e.to_string()))?;
                durable::write_secret(&path, pem.as_bytes())?;
            }
            let pem = durable::read_whole(&path, 4096)?;
            let not = || KeyFault::NotAKey { what: path.display().to_string() };
            let text = String::from_utf8(pem).map_err(|_| not())?;
            let key = SigningKey::from_pkcs8_pem(&text).map_err(|_| not())?;
            let pem = key.verifying_key().to_public_key_pem(LineEnding::LF).map_err(|_| not())?;
            // A crash before this line leaves a key without its public file; the next start writes it.
            durable::write_whole(&folder.join("signing.pub.pem"), pem.as_bytes())?;
            Ok(Self { key, pem })
        }

        /// 64 bytes.
        pub fn sign(&self, data: &[u8]) -> [u8; 64] {
            self.key.sign(data).to_bytes()
        }

        /// Whether a signature made now verifies under the public half.
        pub fn works(&self) -> bool {
            let text = b"readiness";
            self.public().verifies(text, &self.sign(text))
        }

        /// The public half.
        pub fn public(&self) -> PublicKey {
            PublicKey(self.key.verifying_key())
        }

        /// The public half in PEM.
        pub fn public_pem(&self) -> &str {
            &self.pem
        }
    }
}
#[cfg(feature = "recorder")]
pub use signing::Signer;
