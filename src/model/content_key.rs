//! Keys of encrypted footage: what a session's journal and manifest say of one (never the key), and the key itself, which cannot be
//! printed and is wiped from memory when it is let go.

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::collections::BTreeMap;
use std::fmt;
use zeroize::Zeroize;

/// What a session says of a key that footage of it is encrypted by.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "recorder", derive(utoipa::ToSchema))]
pub struct SessionKey {
    /// Key identifier (ISO/IEC 23001-7), 32 hex digits; stands in the header of each file that it opens.
    pub kid: String,
    /// The file beside the footage that holds the key, encrypted to its recipients (age-encryption.org/v1).
    pub file: String,
    /// SHA-256 of that file.
    pub sha256: String,
}

/// How the file of a key is named, before its identifier.
const BEFORE: &str = "key-";
/// And behind it.
const BEHIND: &str = ".age";

/// The name of the file that holds a key.
pub fn file_name(kid: &str) -> String {
    format!("{BEFORE}{kid}{BEHIND}")
}

/// Of which key a file is, by its name: `key-<kid>.age`, or `key-<kid>.<n>.age` where it was wrapped anew.
pub fn kid_of(name: &str) -> Option<&str> {
    let kid = name.strip_prefix(BEFORE)?.strip_suffix(BEHIND)?.split('.').next()?;
    (kid.len() == 32 && kid.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))).then_some(kid)
}

/// 128 bits that open footage.
#[derive(Clone, PartialEq, Eq)]
pub struct ContentKey([u8; 16]);

impl ContentKey {
    /// Of its bytes.
    pub fn new(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// Of 32 hex digits, as they stand in a file of a key.
    pub fn from_hex(text: &str) -> Option<Self> {
        let text = text.trim();
        if text.len() != 32 || !text.bytes().all(|b| b.is_ascii_hexdigit()) {
            return None;
        }
        let mut key = Self([0; 16]);
        for (n, byte) in key.0.iter_mut().enumerate() {
            *byte = u8::from_str_radix(text.get(2 * n..2 * n + 2)?, 16).ok()?;
        }
        Some(key)
    }

    /// Its bytes, for the cipher.
    pub fn bytes(&self) -> &[u8; 16] {
        &self.0
    }

    /// 32 hex digits, for the file that is encrypted and for whoever is handed the footage.
    pub fn to_hex(&self) -> zeroize::Zeroizing<String> {
        zeroize::Zeroizing::new(self.0.iter().map(|b| format!("{b:02x}")).collect())
    }
}

impl Drop for ContentKey {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl fmt::Debug for ContentKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ContentKey")
    }
}

impl Serialize for ContentKey {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&self.to_hex())
    }
}

impl<'de> Deserialize<'de> for ContentKey {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = zeroize::Zeroizing::new(String::deserialize(from)?);
        Self::from_hex(&text).ok_or_else(|| serde::de::Error::custom("is no key"))
    }
}

/// The keys at hand, by their identifiers. Goes to the process that makes copies on its standard input, and nowhere else.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Keys(BTreeMap<String, ContentKey>);

impl Keys {
    /// Adds one.
    pub fn add(&mut self, kid: &str, key: ContentKey) {
        self.0.insert(kid.into(), key);
    }

    /// One by its identifier.
    pub fn get(&self, kid: &str) -> Option<&ContentKey> {
        self.0.get(kid)
    }

    /// All of them, in the order of their identifiers.
    pub fn all(&self) -> impl Iterator<Item = (&str, &ContentKey)> {
        self.0.iter().map(|(kid, key)| (kid.as_str(), key))
    }

    /// Whether there is none: the footage lies in the clear.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_read_back_and_never_printed() {
        let key = ContentKey::from_hex("000102030405060708090a0b0c0d0e0f\n").unwrap();
        assert_eq!((key.bytes()[15], key.to_hex().as_str()), (15, "000102030405060708090a0b0c0d0e0f"));
        let mut keys = Keys::default();
        keys.add("k", key);
        let said = format!("{keys:?}");
        assert!(!said.contains("0102") && !said.contains("15"), "{said}");
        let json = serde_json::to_string(&keys).unwrap();
        assert_eq!(serde_json::from_str::<Keys>(&json).unwrap(), keys);
        for wrong in ["", "00", "000102030405060708090a0b0c0d0e0g", "000102030405060708090a0b0c0d0e0f00", "ä00102030405060708090a0b0c0d0e0"]
        {
            assert!(ContentKey::from_hex(wrong).is_none(), "{wrong}");
        }
    }

    #[test]
    fn a_file_of_a_key_is_known_by_its_name() {
        let kid = "0f".repeat(16);
        assert_eq!(kid_of(&file_name(&kid)), Some(kid.as_str()));
        assert_eq!(kid_of(&format!("key-{kid}.2.age")), Some(kid.as_str()));
        for other in ["key-.age", "key-00.age", "session.json", "key-../x.age"] {
            assert_eq!(kid_of(other), None);
        }
    }
}
