//! Keys of footage are released here and nowhere else: for what a grant allows (a viewing, a still, loudness, a copy, a package), after the
//! entry of that act is durable. The machine's identity is read from where it lies outside the volumes each time, and let go at once; a
//! session's keys are in memory as long as what they were released for.
//!
//! Recording needs none of this, and goes on without it; so do seals, scrubbing, the archive and every check of digests.

use crate::desks::{Answer, Desks, No, blocking};
use crate::footage::envelope::Identities;
use crate::footage::keyring::{self, Shut};
use crate::footage::wrapped::Unwrapped;
use crate::model::content_key::Keys;
use crate::model::people::Person;
use crate::model::refusal::Refusal;
use std::path::Path;

impl Desks {
    /// The keys of a session's footage, for what a person was granted; none of what lies in the clear. A no is logged.
    pub(super) async fn keys_for(&self, who: &Person, folder: &Path, tried: &str) -> Answer<Keys> {
        match self.keys_of(folder).await {
            Err(No::Refusal(refusal)) => Err(self.refused(who, refusal, tried)),
            other => other,
        }
    }

    /// A file that lies encrypted to the recipients of footage, opened for what a person may fetch. A no is logged.
    pub(super) async fn wrapped_for(&self, who: &Person, path: &Path, tried: &str) -> Answer<Unwrapped> {
        let (path, identity) = (path.to_owned(), self.settings.footage_identity.clone());
        let opened = blocking("opening a file", move || {
            let opens =
                identity.ok_or_else(|| "none is configured".to_owned()).and_then(|i| Identities::read(&i).map_err(|f| f.to_string()))?;
            Unwrapped::open(&path, &opens).map_err(|fault| fault.to_string())
        });
        opened.await?.map_err(|shut| {
            tracing::error!("what was provided stays shut: {shut}");
            self.refused(who, Refusal::FootageShut, tried)
        })
    }

    /// The keys of a session's footage for work that was granted before and is gone on with.
    pub(super) async fn keys_of(&self, folder: &Path) -> Answer<Keys> {
        let (folder, identity) = (folder.to_owned(), self.settings.footage_identity.clone());
        let opened = blocking("opening keys", move || keyring::open(&folder, identity.as_deref())).await?;
        opened.map_err(|shut| match shut {
            Shut::Machine(fault) => fault.into(),
            shut => {
                // Which of the two it is the technician reads in the journal; a person cannot do anything but tell them.
                tracing::error!("footage stays shut: {shut}");
                Refusal::FootageShut.into()
            }
        })
    }
}
