//! Passwords: argon2id, off the async threads, and the same work for a name that is not there.

use crate::desks::{Answer, No, blocking};
use crate::model::words::BadField;
use argon2::{Argon2, PasswordHasher, PasswordVerifier, password_hash::phc::PasswordHash};
use secrecy::{ExposeSecret, SecretString};

/// Fewest characters (NIST SP 800-63B asks for 8 or more where there is a second factor, 15 where there is none).
pub const CHARS_MIN: usize = 12;
/// Most characters: hashing is bounded.
const CHARS_MAX: usize = 200;

/// Whether a new password will do.
pub fn check(password: &SecretString, username: &str) -> Result<(), BadField> {
    let text = password.expose_secret();
    let chars = text.chars().count();
    let distinct = text.chars().collect::<std::collections::BTreeSet<_>>().len();
    if !(CHARS_MIN..=CHARS_MAX).contains(&chars) {
        return Err(BadField::form("password", &format!("has {chars} characters; {CHARS_MIN} to {CHARS_MAX} would be right")));
    }
    if distinct < 5 || is_common(text) || text.to_lowercase().contains(&username.to_lowercase()) {
        return Err(BadField::form("password", "is easy to guess; do not repeat few characters, and leave the user name out"));
    }
    Ok(())
}

/// What lists of stolen passwords begin with, and this bureau's own words: what is left without them has to be a password too.
const COMMON: &[&str] = &[
    "password",
    "passw0rd",
    "p@ssw0rd",
    "p@ssword",
    "woaini",
    "iloveyou",
    "welcome",
    "letmein",
    "qwertyuiop",
    "qwerty",
    "asdfghjkl",
    "asdfgh",
    "zxcvbnm",
    "1qaz2wsx",
    "qazwsx",
    "1q2w3e4r",
    "123456789",
    "12345678",
    "1234567",
    "123456",
    "12345",
    "987654321",
    "654321",
    "0123456789",
    "5201314",
    "1314520",
    "147258369",
    "112233",
    "123123",
    "123321",
    "abcdef",
    "abc123",
    "abcd1234",
    "a123456",
    "admin",
    "administrator",
    "root",
    "shilu",
    "changeme",
    "default",
    "dragon",
    "monkey",
    "sunshine",
    "princess",
    "football",
    "ziranziyuan",
    "weixian",
    "zhifa",
];

/// Whether hardly anything is left of it without the words that everybody tries first.
fn is_common(text: &str) -> bool {
    let mut rest = text.to_lowercase();
    for word in COMMON {
        rest = rest.replace(word, "");
    }
    rest.chars().filter(|c| c.is_alphabetic()).count() < 6 && rest.len() < text.len()
}

/// The PHC string of a password.
pub async fn hash(password: SecretString) -> Answer<String> {
    let work = move || {
        Argon2::default().hash_password(password.expose_secret().as_bytes()).map(|h| h.to_string()).map_err(|e| No::Fault(e.to_string()))
    };
    blocking("hashing", work).await?
}

/// Whether a password is the one of a hash. Without a hash the same work is done, so that the time does not tell which names exist.
pub async fn fits(password: SecretString, hash: Option<String>) -> Answer<bool> {
    let work = move || {
        let against = hash.clone().unwrap_or_else(|| NOBODYS.into());
        let Ok(parsed) = PasswordHash::new(&against) else { return false };
        let right = Argon2::default().verify_password(password.expose_secret().as_bytes(), &parsed).is_ok();
        right && hash.is_some()
    };
    blocking("checking a password", work).await
}

/// A hash of nobody's password, with the default parameters.
const NOBODYS: &str = "$argon2id$v=19$m=19456,t=2,p=1$c2hpbHUtbm9ib2R5LXNhbHQ$6UmSLtJ6bWvYkJGTQbSlAqYAl2cEnb0m2+CJAxSnmCc";

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_password_fits_its_own_hash_and_no_other() {
        let hash = hash("correct horse battery".to_owned().into()).await.unwrap();
        assert!(hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{hash}");
        assert!(fits("correct horse battery".to_owned().into(), Some(hash.clone())).await.unwrap());
        assert!(!fits("correct horse batterx".to_owned().into(), Some(hash)).await.unwrap());
        assert!(!fits("anything".to_owned().into(), None).await.unwrap());
        assert!(PasswordHash::new(NOBODYS).is_ok());
    }

    #[test]
    fn a_short_or_guessable_password_is_refused() {
        for bad in
            ["short", "Password123456", "qwertyuiop12345", "admin@20261234", "woaini5201314!!", "aaaaaaaaaaaaaaa", "my-Zhangsan-2026"]
        {
            assert!(check(&bad.to_owned().into(), "zhangsan").is_err(), "{bad}");
        }
        assert!(check(&"wheat river 47 lamp".to_owned().into(), "zhangsan").is_ok());
    }
}
