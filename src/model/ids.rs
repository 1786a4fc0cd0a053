//! Identifiers: short, printable, safe in a path and in an address.

use serde::{Deserialize, Serialize};
use std::fmt;

/// Why a text cannot be an identifier.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is no identifier: 1 to 64 of a–z, 0–9 and '-', beginning with a letter or digit")]
pub struct NotAnId {
    /// What was given, cut to 80 characters.
    pub text: String,
}

fn checked(text: &str) -> Result<&str, NotAnId> {
    let fits = (1..=64).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
        && !text.starts_with('-');
    if fits { Ok(text) } else { Err(NotAnId { text: text.chars().take(80).collect() }) }
}

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[cfg_attr(feature = "recorder", derive(utoipa::ToSchema))]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// Takes the text if it can be an identifier.
            pub fn new(text: &str) -> Result<Self, NotAnId> {
                checked(text).map(|t| Self(t.to_owned()))
            }
            /// The text itself: safe in a path and in an address.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }
        impl TryFrom<String> for $name {
            type Error = NotAnId;
            fn try_from(text: String) -> Result<Self, NotAnId> {
                Self::new(&text)
            }
        }
        impl From<$name> for String {
            fn from(id: $name) -> String {
                id.0
            }
        }
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

id!(
    /// A room as the configuration names it.
    RoomId
);
id!(
    /// A camera as the configuration names it; unique in the whole configuration.
    CameraId
);
id!(
    /// A unit (股室) as the configuration names it.
    UnitId
);
id!(
    /// A session: room, Shanghai date and time of its start, e.g. `room-1-20261123-141502`.
    SessionId
);
id!(
    /// An account.
    AccountId
);
id!(
    /// An access request (查阅审批), e.g. `r-20261123-3f9a2c`; printed over every picture it opens.
    RequestId
);
id!(
    /// A case; its numbers are another thing, and change.
    CaseId
);
id!(
    /// A planned session.
    PlanId
);
id!(
    /// One viewing under a grant.
    ViewingId
);
id!(
    /// A copy that was ordered under a grant.
    CopyId
);
id!(
    /// A hand-over to a court or another body (第二十一条), e.g. `p-20261123-3f9a2c`.
    ProvisionId
);
id!(
    /// A disposal (第十八条), e.g. `d-20261123-3f9a2c`.
    DisposalId
);
id!(
    /// Something on its way in, until it is a session, e.g. `i-20261123-3f9a2c`.
    ImportId
);
id!(
    /// A handover from an officer to a custodian (第十四条), e.g. `h-20261123-3f9a2c`.
    HandoverId
);
id!(
    /// A medium of the register (第十九条), e.g. `d-2026-0001`; written on every copy of it.
    MediumId
);
id!(
    /// A portable device that was taken along (第十四条), e.g. `o-3f9a2c0d1e2f`.
    CheckOutId
);
id!(
    /// A device of the register (办案设备), e.g. `dv-3f9a2c5b`; its number is another thing, and may be corrected.
    DeviceId
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_identifier_cannot_leave_its_folder() {
        for bad in ["", ".", "..", "../etc", "a/b", "A", "室", "-a", "a b", "a\0", &"x".repeat(65)] {
            assert!(RoomId::new(bad).is_err(), "{bad:?}");
        }
        for good in ["a", "room-1", "0", "room-1-20261123-141502"] {
            assert_eq!(RoomId::new(good).unwrap().as_str(), good);
        }
    }
}
