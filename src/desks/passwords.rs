//! Passwords: argon2id, on a thread of its own, and the same work for a name that is not there.

use crate::desks::{Answer, No};
use crate::model::words::BadField;
use argon2::{Argon2, PasswordHasher, PasswordVerifier, password_hash::phc::PasswordHash};
use secrecy::{ExposeSecret, SecretString};
use std::sync::{OnceLock, mpsc};
use std::thread;
use tokio::sync::oneshot;

/// Fewest characters (NIST SP 800-63B asks for 8 or more where there is a second factor, 15 where there is none).
pub const CHARS_MIN: usize = 12;
/// Most characters: hashing is bounded.
const CHARS_MAX: usize = 200;

/// Whether a new password will do.
pub fn check(password: &SecretString, username: &str) -> Result<(), BadField> {
    let text = password.expose_secret();
    let chars = text.chars().count();
    if !(CHARS_MIN..=CHARS_MAX).contains(&chars) {
        return Err(BadField::form("password", &format!("has {chars} characters; {CHARS_MIN} to {CHARS_MAX} would be right")));
    }
    let known: Vec<&str> = OWN.iter().copied().chain([username]).collect();
    if zxcvbn::zxcvbn(text, &known).guesses() < GUESSES_MIN || text.to_lowercase().contains(&username.to_lowercase()) {
        let told = "is easy to guess; several words that have nothing to do with each other are good, the user name is not";
        return Err(BadField::form("password", told));
    }
    Ok(())
}

/// Fewest guesses until somebody finds it who has the lists of stolen passwords, keyboard rows, dates and names: three words that have
/// nothing to do with each other stand ten thousand times as many.
const GUESSES_MIN: u64 = 100_000_000_000;

/// What those lists lack and people here begin with.
const OWN: &[&str] =
    &["shilu", "ziranziyuan", "zhifa", "weixian", "woaini", "zhangsan", "lisi", "wangwu", "5201314", "1314520", "147258369", "changeme"];

type Job = Box<dyn FnOnce() + Send>;

/// The one thread that works on passwords. Each takes 19 MiB, which the C library keeps for every thread that ever asked for them: whoever
/// sends sixty at once shall not get half a gigabyte for good.
static WORKER: OnceLock<Option<mpsc::Sender<Job>>> = OnceLock::new();

fn start() -> Option<mpsc::Sender<Job>> {
    let (jobs, inbox) = mpsc::channel::<Job>();
    let work = move || inbox.into_iter().for_each(|job| job());
    let started = thread::Builder::new().name("passwords".into()).spawn(work);
    started.inspect_err(|error| tracing::error!(%error, "nobody can sign in by password")).ok().map(|_| jobs)
}

/// Work on a password, in its turn.
async fn in_turn<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Answer<T> {
    let (tell, told) = oneshot::channel();
    let job: Job = Box::new(move || drop(tell.send(work())));
    let ended = || No::Fault("the thread that works on passwords has ended".into());
    let sent = WORKER.get_or_init(start).as_ref().is_some_and(|worker| worker.send(job).is_ok());
    if sent { told.await.map_err(|_| ended()) } else { Err(ended()) }
}

/// The PHC string of a password.
pub async fn hash(password: SecretString) -> Answer<String> {
    let work = move || {
        Argon2::default().hash_password(password.expose_secret().as_bytes()).map(|h| h.to_string()).map_err(|e| No::Fault(e.to_string()))
    };
    in_turn(work).await?
}

/// Whether a password is the one of a hash. Without a hash the same work is done, so that the time does not tell which names exist.
pub async fn fits(password: SecretString, hash: Option<String>) -> Answer<bool> {
    let work = move || {
        let against = hash.clone().unwrap_or_else(|| NOBODYS.into());
        let Ok(parsed) = PasswordHash::new(&against) else { return false };
        let right = Argon2::default().verify_password(password.expose_secret().as_bytes(), &parsed).is_ok();
        right && hash.is_some()
    };
    in_turn(work).await
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
