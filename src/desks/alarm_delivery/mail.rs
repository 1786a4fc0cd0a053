//! Alarms and notices by e-mail. Each recipient gets a letter of their own; who has got it is not written to again because of another.

use crate::catalog::accounts;
use crate::desks::Desks;
use crate::desks::alarm_delivery::{Outgoing, Trouble};
use crate::desks::mail::{self, MailSettings};
use crate::model::alarm::Severity;
use crate::model::people::Role;
use crate::model::time;
use std::collections::BTreeSet;
use std::sync::Weak;

/// Tries after which who does not get an alarm that others got is given up.
const TRIES_MAX: u32 = 6;

/// To whom alarms go.
#[derive(Debug, Clone)]
pub struct Recipients {
    /// Addresses.
    pub to: Vec<String>,
    /// Everybody of these roles whose account has an address.
    pub roles: Vec<Role>,
    /// From this severity on.
    pub least: Severity,
}

/// Writes to them.
pub(super) struct Post {
    settings: MailSettings,
    recipients: Recipients,
    /// Of the message that is tried: its number, who has it, and how often it was tried.
    tried: (String, BTreeSet<String>, u32),
}

impl Post {
    pub(super) fn new(settings: MailSettings, recipients: Recipients) -> Self {
        Self { settings, recipients, tried: Default::default() }
    }

    pub(super) async fn send(&mut self, desks: &Weak<Desks>, outgoing: &Outgoing) -> Result<(), Trouble> {
        let message = match outgoing {
            Outgoing::Letter { id, to, subject, text } => return mail::send(&self.settings, id, to, subject, text.clone()).await,
            Outgoing::Alarms(message) => message,
        };
        if self.tried.0 != message.id {
            self.tried = (message.id.clone(), BTreeSet::new(), 0);
        }
        self.tried.2 += 1;
        let mut failed = None;
        for to in self.everybody(desks).await {
            if self.tried.1.contains(&to) {
                continue;
            }
            match mail::send(&self.settings, &message.id, &to, &message.subject(), message.text()).await {
                Ok(()) => drop(self.tried.1.insert(to)),
                Err(no) if no.is_final => {
                    tracing::warn!("an alarm by e-mail is not taken for one of its recipients: {}", no.why);
                    self.tried.1.insert(to);
                }
                Err(no) => failed = Some(no),
            }
        }
        match failed {
            Some(_) if self.tried.2 >= TRIES_MAX && !self.tried.1.is_empty() => Ok(()),
            Some(no) => Err(no),
            None => Ok(()),
        }
    }

    /// While the catalog cannot be read, those of the configuration.
    async fn everybody(&self, desks: &Weak<Desks>) -> Vec<String> {
        let mut all = self.recipients.to.clone();
        if let (Some(desks), false) = (desks.upgrade(), self.recipients.roles.is_empty()) {
            let today = time::shanghai_day(desks.now().utc);
            for account in desks.read(accounts::all).await.unwrap_or_default() {
                let is_meant = account.is_open(today) && self.recipients.roles.iter().any(|role| account.person.is(*role));
                all.extend(account.email.filter(|_| is_meant));
            }
        }
        all.sort();
        all.dedup();
        all
    }
}
