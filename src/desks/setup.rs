//! The first administrator. No account exists by default: who can read the recorder's own journal or its data has a word that lets
//! them make one in the browser, once.

use crate::catalog::accounts;
use crate::desks::accounts::{NewAccount, NewPassword};
use crate::desks::{Answer, Desks};
use crate::machine::{durable, randomness};
use crate::model::people::Role;
use crate::model::refusal::Refusal;
use crate::model::words::BadField;
use secrecy::SecretString;
use std::path::PathBuf;
use std::sync::OnceLock;

/// The word, while it is asked for.
#[derive(Default)]
pub(crate) struct Setup {
    word: OnceLock<String>,
    turn: tokio::sync::Mutex<()>,
}

impl Desks {
    fn setup_file(&self) -> PathBuf {
        self.settings.data.join("setup-code")
    }

    /// Whether the first account is still to be made. Asked at start; then the word is made, written and told to the journal.
    pub async fn needs_setup(&self) -> Answer<bool> {
        Ok(self.read(accounts::count).await? == 0)
    }

    /// Makes the word where no account exists.
    pub async fn begin_setup(&self) -> Answer<()> {
        if self.needs_setup().await? {
            let word = randomness::password()?;
            durable::write_secret(&self.setup_file(), word.as_bytes())?;
            tracing::warn!("there is no account yet: open /setup in a browser; its code stands in {}", self.setup_file().display());
            let _ = self.setup.word.set(word);
        }
        Ok(())
    }

    /// Makes the first administrator.
    pub async fn set_up(&self, word: &str, account: NewAccount, password: SecretString) -> Answer<()> {
        // Two browsers at once: the second finds the first one's account.
        let _turn = self.setup.turn.lock().await;
        if !self.needs_setup().await? {
            return Err(Refusal::no_such("page", "/setup").into());
        }
        if self.setup.word.get().is_none_or(|w| w != word.trim()) {
            // A guess costs a second; 98 bits are not guessed.
            tokio::time::sleep(std::time::Duration::from_secs(1)).await;
            return Err(Refusal::from(BadField::form("setup_code", "is not the one in the recorder's data folder")).into());
        }
        self.register_for_setup().add(None, NewAccount { roles: vec![Role::Administrator], ..account }, NewPassword::own(password)).await?;
        durable::remove_derived(&self.setup_file())?;
        Ok(())
    }
}
