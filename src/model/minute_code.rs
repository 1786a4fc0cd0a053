//! The minute code of a room screen: six characters that change each minute and stand in the picture. The key is drawn at the
//! session's start and stands in the manifest from the seal on: whoever has `session.json` recomputes every minute's code and
//! finds it in the pictures; before the seal nobody outside the machine can know it.

use crate::model::digest;
use chrono::{DateTime, Utc};

/// Without look-alikes: no 0 O 1 I L 2 Z 5 S 8 B.
const LETTERS: &[u8; 22] = b"34679ACDEFGHJKMNPQRTUV";
/// How many characters: 22^6 is more than a hundred million.
const LENGTH: usize = 6;

/// The code of the minute of a moment: of SHA-256(key ‖ ":" ‖ minutes since 1970) each of the first six bytes, modulo 22, is a
/// letter. Empty without a key.
pub fn code(key: &str, at: DateTime<Utc>) -> String {
    if key.is_empty() {
        return String::new();
    }
    let hex = digest::sha256(format!("{key}:{}", at.timestamp().div_euclid(60)).as_bytes());
    let byte = |n: usize| u8::from_str_radix(&hex[2 * n..2 * n + 2], 16).unwrap_or(0);
    (0..LENGTH).map(|n| char::from(LETTERS[usize::from(byte(n)) % LETTERS.len()])).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_code_holds_for_its_minute_and_is_another_in_the_next_and_under_another_key(s in 0_i64..4_000_000_000, key in "[0-9a-f]{32}") {
            let at = |s| DateTime::from_timestamp(s, 0).unwrap();
            let minute = s - s.rem_euclid(60);
            prop_assert_eq!(code(&key, at(minute)), code(&key, at(minute + 59)));
            prop_assert_eq!(code(&key, at(s)).len(), LENGTH);
            // One in a hundred million may fall together.
            prop_assert!(code(&key, at(minute)) != code(&key, at(minute + 60)) || code(&key, at(minute)) != code(&key, at(minute + 120)));
            prop_assert!(!code(&key, at(s)).contains(['0', 'O', '1', 'I', 'L', '2', 'Z', '5', 'S', '8', 'B']));
        }
    }

    #[test]
    fn an_expert_gets_the_same_code_by_hand() {
        // printf '00112233445566778899aabbccddeeff:0' | sha256sum → 8a 57 …
        let by_hand = digest::sha256(b"00112233445566778899aabbccddeeff:0");
        let first = u8::from_str_radix(&by_hand[..2], 16).unwrap();
        assert_eq!(code("00112233445566778899aabbccddeeff", DateTime::UNIX_EPOCH).as_bytes()[0], LETTERS[usize::from(first) % 22]);
        assert_eq!(code("", DateTime::UNIX_EPOCH), "");
    }
}
