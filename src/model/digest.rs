//! SHA-256 (FIPS 180-4) and SM3 (GB/T 32905) as the house writes them: lower-case hex.

use sha2::{Digest as _, Sha256};
use sm3::Sm3;

/// A digest that grows as bytes are written; SM3 beside it where it is asked for.
#[derive(Debug, Clone, Default)]
pub struct Running {
    sha256: Sha256,
    sm3: Option<Sm3>,
}

impl Running {
    /// Both digests.
    pub fn with_sm3() -> Self {
        Self { sha256: Sha256::default(), sm3: Some(Sm3::default()) }
    }

    /// Both, or SHA-256 alone.
    pub fn new(with_sm3: bool) -> Self {
        if with_sm3 { Self::with_sm3() } else { Self::default() }
    }

    /// Takes more bytes.
    pub fn update(&mut self, data: &[u8]) {
        self.sha256.update(data);
        if let Some(sm3) = &mut self.sm3 {
            sm3.update(data);
        }
    }

    /// SHA-256 of all bytes so far, in hex.
    pub fn hex(self) -> String {
        hex(&self.sha256.finalize())
    }

    /// SHA-256 and SM3 of all bytes so far, in hex.
    pub fn both(self) -> (String, Option<String>) {
        (hex(&self.sha256.finalize()), self.sm3.map(|sm3| hex(&sm3.finalize())))
    }
}

/// The SHA-256 of pieces one behind the other, raw.
pub fn sha256_raw(pieces: &[&[u8]]) -> [u8; 32] {
    let mut running = Sha256::new();
    pieces.iter().for_each(|piece| running.update(piece));
    running.finalize().into()
}

/// The SHA-256 of bytes, in hex.
pub fn sha256(data: &[u8]) -> String {
    hex(&Sha256::digest(data))
}

/// Bytes in lower-case hex.
pub fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, b| {
        // Writing to a String cannot fail.
        let _ = write!(text, "{b:02x}");
        text
    })
}

/// A seal code for print and for reading aloud: the first 20 hex digits in groups of four.
pub fn short(code: &str) -> String {
    let head: Vec<char> = code.chars().take(20).collect();
    head.chunks(4).map(|c| c.iter().collect::<String>()).collect::<Vec<_>>().join("-").to_uppercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sm3_is_that_of_the_standard() {
        let mut running = Running::with_sm3();
        running.update(b"abc");
        let sm3 = running.both().1.unwrap();
        assert_eq!(sm3, "66c7f0f462eeedd9d1f2d46bdc10e4e24167c4875cf2f7a2297da02b8f4ba8e0", "GB/T 32905, A.1");
    }

    #[test]
    fn the_digest_is_what_sha256sum_prints() {
        assert_eq!(sha256(b""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
        assert_eq!(short(&sha256(b"")), "E3B0-C442-98FC-1C14-9AFB");
    }
}
