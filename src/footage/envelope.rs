//! Encryption of what leaves the building (age-encryption.org/v1): Debian's `age` opens it without this program. Several recipients
//! are an escrow: each of their keys opens everything alone.

use crate::machine::{durable, fault::Fault};
use age::x25519;
use std::io::{Read, Write};
use std::path::Path;
use zeroize::Zeroizing;

/// To whom it is encrypted.
pub struct Recipients(Vec<x25519::Recipient>);

/// What opens it; it cannot be printed.
pub struct Identities(Vec<x25519::Identity>);

impl Recipients {
    /// `age1…` each; what is none is told.
    pub fn parse(texts: &[String]) -> Result<Self, String> {
        // What was given is never told: people paste the other half.
        let one = |(at, text): (usize, &String)| {
            let number = at + 1;
            text.parse::<x25519::Recipient>().map_err(|_| {
                if text.trim().to_ascii_uppercase().starts_with("AGE-SECRET-KEY-") {
                    return format!(
                        "number {number} is no recipient: that is the secret half of a key, which belongs in the safe; its recipient begins \
                         with age1, and `age-keygen -y` says it"
                    );
                }
                format!("number {number} is no recipient; age1… would be right")
            })
        };
        texts.iter().enumerate().map(one).collect::<Result<_, _>>().map(Self)
    }

    /// Whether there is anybody.
    pub fn any(&self) -> bool {
        !self.0.is_empty()
    }

    /// What is written to it each of them can open.
    pub fn stream<W: Write>(&self, to: W) -> Result<age::stream::StreamWriter<W>, Fault> {
        let fault = |e: String| Fault::of("encrypt", "for its recipients", e);
        let recipients = self.0.iter().map(|r| r as &dyn age::Recipient);
        let encryptor = age::Encryptor::with_recipients(recipients).map_err(|e| fault(e.to_string()))?;
        encryptor.wrap_output(to).map_err(|e| fault(e.to_string()))
    }

    /// Bytes that each of them can open.
    pub fn encrypt(&self, data: &[u8]) -> Result<Vec<u8>, Fault> {
        let fault = |e: String| Fault::of("encrypt", "for its recipients", e);
        let mut sealed = Vec::with_capacity(data.len() + data.len() / 4096 + 512);
        let mut writer = self.stream(&mut sealed)?;
        writer.write_all(data).map_err(|e| fault(e.to_string()))?;
        writer.finish().map_err(|e| fault(e.to_string()))?;
        Ok(sealed)
    }
}

impl Identities {
    /// A file as `age-keygen` writes it.
    pub fn read(path: &Path) -> Result<Self, Fault> {
        let text = Zeroizing::new(durable::read_whole(path, 65536)?);
        let text = Zeroizing::new(String::from_utf8_lossy(&text).into_owned());
        let keys: Vec<x25519::Identity> = text.lines().filter_map(|l| l.trim().parse().ok()).collect();
        if keys.is_empty() {
            return Err(Fault::of("read", path.display().to_string(), "there is no AGE-SECRET-KEY-1… in it"));
        }
        Ok(Self(keys))
    }

    /// To whom one encrypts for them: `age1…` each.
    pub fn recipients(&self) -> Vec<String> {
        self.0.iter().map(|key| key.to_public().to_string()).collect()
    }

    /// What was encrypted to one of them, read as it comes.
    pub fn stream<R: Read>(&self, from: R) -> Result<age::stream::StreamReader<R>, Fault> {
        let fault = |e: String| Fault::of("decrypt", "what was encrypted to others", e);
        let decryptor = age::Decryptor::new(from).map_err(|e| fault(e.to_string()))?;
        let keys = self.0.iter().map(|k| k as &dyn age::Identity);
        decryptor.decrypt(keys).map_err(|e| fault(e.to_string()))
    }

    /// What was encrypted to one of them.
    pub fn decrypt(&self, data: &[u8]) -> Result<Vec<u8>, Fault> {
        let fault = |e: String| Fault::of("decrypt", "what was encrypted to others", e);
        let mut reader = self.stream(data)?;
        let mut plain = Vec::with_capacity(data.len());
        reader.read_to_end(&mut plain).map_err(|e| fault(e.to_string()))?;
        Ok(plain)
    }
}

/// A new identity as `age-keygen` would write it, and its recipient.
pub fn make_identity() -> (Zeroizing<String>, String) {
    use age::secrecy::ExposeSecret;
    let identity = x25519::Identity::generate();
    let public = identity.to_public().to_string();
    (Zeroizing::new(format!("# public key: {public}\n{}\n", identity.to_string().expose_secret())), public)
}
