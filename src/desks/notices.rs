//! Notices to a person of what changed on their own account (ASVS 2.2.3): whoever changed it in their name is not the only one to know.

use crate::catalog::accounts::{self, Account};
use crate::desks::Desks;
use crate::model::ids::AccountId;

/// What changed.
#[derive(Debug, Clone, Copy)]
pub(super) enum Change {
    /// The password.
    Password,
    /// A second factor or passkey came.
    FactorAdded,
    /// One went.
    FactorRemoved,
    /// Roles, unit, days of validity or address.
    Rights,
}

impl Change {
    fn subject(self) -> &'static str {
        match self {
            Self::Password => "账号密码已更改",
            Self::FactorAdded => "账号已添加验证方式",
            Self::FactorRemoved => "账号验证方式已移除",
            Self::Rights => "账号信息或权限已变更",
        }
    }
}

impl Desks {
    /// Writes to whom an account belongs, at the address that it had before the change.
    pub(super) fn tell_owner(&self, account: &Account, what: Change) {
        if let Some(email) = &account.email {
            let text = "您的账号有上述变更。如非本人操作，请立即联系系统管理员。";
            self.write_to(email, what.subject(), text, "me");
        }
    }

    /// The same, where only the account's number is at hand.
    pub(super) async fn tell_owner_of(&self, id: &AccountId, what: Change) {
        if self.settings.mail.is_none() {
            return;
        }
        let id = id.clone();
        if let Some(account) = self.read(move |c| accounts::by_id(c, &id)).await.ok().flatten() {
            self.tell_owner(&account, what);
        }
    }
}
