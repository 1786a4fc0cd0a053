//! What is known around a session: whose case, who asks, who is there. Everything may be missing at the start (promise 1).

use crate::model::ids::AccountId;
use crate::model::people::words;
use chrono::{DateTime, NaiveDate, Utc};
use serde::{Deserialize, Serialize};

words!(
    /// 出示情况: how an officer's certificate was presented (第六条).
    Presentation {
        /// 当场出示.
        Shown = "shown",
        /// 出示并由对方查验.
        Examined = "examined",
        /// 未出示.
        NotShown = "not_shown",
    }
);

words!(
    /// What an officer does in the room. The one who asks and the one who writes may differ; both are named.
    Duty {
        /// 询问人.
        Asking = "asking",
        /// 记录人.
        Recording = "recording",
    }
);

words!(
    /// What somebody who is not an officer does in the room.
    AttendeeRole {
        /// 被询问人.
        Interviewee = "interviewee",
        /// 未成年的被询问人.
        MinorInterviewee = "minor_interviewee",
        /// 当事人.
        Party = "party",
        /// 监护人.
        Guardian = "guardian",
        /// 翻译.
        Interpreter = "interpreter",
        /// 律师、代理人.
        Lawyer = "lawyer",
        /// 证人.
        Witness = "witness",
        /// 见证人: attests, and is not a witness of the case.
        AttestingWitness = "attesting_witness",
        /// 其他在场人员.
        Other = "other",
    }
);

/// An officer as named on a session (第六条).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "recorder", derive(utoipa::ToSchema))]
pub struct Officer {
    /// 姓名.
    pub name: String,
    /// 执法证件编号.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub certificate_no: Option<String>,
    /// Last day on which the certificate is valid.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub valid_until: Option<NaiveDate>,
    /// 出示情况.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub presentation: Option<Presentation>,
    /// Asks, or writes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duty: Option<Duty>,
}

/// Somebody else in the room.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "recorder", derive(utoipa::ToSchema))]
pub struct Attendee {
    /// 姓名.
    pub name: String,
    /// As what.
    pub role: AttendeeRole,
}

/// What is known of a session.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "recorder", derive(utoipa::ToSchema))]
pub struct Facts {
    /// 案号, or the number of an intake that is no case yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub case_no: Option<String>,
    /// 询问笔录编号.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub record_no: Option<String>,
    /// 当事人.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub party: Option<String>,
    /// 案由.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cause: Option<String>,
    /// 执法人员.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub officers: Vec<Officer>,
    /// 被询问人 and whoever else is there.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub attendees: Vec<Attendee>,
    /// 投诉、举报材料: listed for fewer people (第四条).
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub restricted: bool,
}

impl Facts {
    /// Nothing known.
    pub const NONE: Self =
        Self { case_no: None, record_no: None, party: None, cause: None, officers: vec![], attendees: vec![], restricted: false };

    /// Those who are there in one of these roles.
    pub fn present<'a>(&'a self, roles: &'a [AttendeeRole]) -> impl Iterator<Item = &'a Attendee> {
        self.attendees.iter().filter(move |a| roles.contains(&a.role))
    }

    /// 被询问人.
    pub fn interviewees(&self) -> impl Iterator<Item = &Attendee> {
        self.present(&[AttendeeRole::Interviewee, AttendeeRole::MinorInterviewee])
    }
}

/// One version of what a session is linked to. Earlier ones stay and are shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "recorder", derive(utoipa::ToSchema))]
pub struct Link {
    /// 1 for the first.
    pub version: u32,
    /// When it was entered.
    pub at: DateTime<Utc>,
    /// By whom.
    pub by: AccountId,
    /// Why it was changed; the first version has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The facts from then on.
    pub facts: Facts,
}
