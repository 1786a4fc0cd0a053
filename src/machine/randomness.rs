//! Randomness from the operating system.

use crate::machine::fault::Fault;

/// `n` random bytes.
pub fn bytes<const N: usize>() -> Result<[u8; N], Fault> {
    let mut buffer = [0; N];
    getrandom::fill(&mut buffer).map_err(|e| Fault::of("read", "the system's randomness", e.to_string()))?;
    Ok(buffer)
}

/// Random lower-case hex, `2 * N` characters.
pub fn hex<const N: usize>() -> Result<String, Fault> {
    Ok(bytes::<N>()?.iter().map(|b| format!("{b:02x}")).collect())
}

/// A password that a person can copy from a screen: 20 characters without look-alikes, about 98 bits.
pub fn password() -> Result<String, Fault> {
    // 32 letters and digits: no 0/O, 1/l/I. A power of two, so that no letter is likelier than another.
    const LETTERS: &[u8; 32] = b"abcdefghjkmnpqrstuvwxyz23456789A";
    let random = bytes::<20>()?;
    Ok(random.iter().map(|b| LETTERS[usize::from(b % 32)] as char).collect())
}
