//! Who may do what. The table [`may`] is the whole of it; `tests/golden/who-may.txt` prints it for the bureau to sign.

use crate::model::ids::{AccountId, UnitId};
use crate::model::session::Session;
use chrono::{DateTime, NaiveDate, Utc};
use serde::{Deserialize, Serialize};

macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident = $text:literal),* $(,)? }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
        #[cfg_attr(feature = "recorder", derive(utoipa::ToSchema))]
        #[serde(rename_all = "snake_case")]
        pub enum $name { $($(#[$vdoc])* $variant),* }
        impl $name {
            /// All of them, in the order in which people list them.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];
            /// The word in the API, the journal and the catalog.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text),* }
            }
            /// The value of a word.
            pub fn from_word(word: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|v| v.as_str() == word)
            }
            /// All words in a row, for whoever wrote another one.
            pub fn words() -> String {
                Self::ALL.iter().map(|v| v.as_str()).collect::<Vec<_>>().join(", ")
            }
        }
    };
}
pub(crate) use words;

words!(
    /// Roles, as in the design. A person may hold several; administrator and inspector never together.
    Role {
        /// 执法人员: starts and ends sessions.
        Officer = "officer",
        /// 保管人: keeps the unit's recordings.
        Custodian = "custodian",
        /// 办公室: administers rooms and devices; sees status, no footage (第三条).
        Office = "office",
        /// 主管负责人: decides on viewings (第二十二条).
        LeaderInCharge = "leader_in_charge",
        /// 局主要负责人: decides on the leader's own requests; approves initiation (第五条).
        BureauHead = "bureau_head",
        /// 法制监察股: supervises, and provides material to courts (第二十一条).
        LegalUnit = "legal_unit",
        /// 查阅人: looks at what was approved.
        Reviewer = "reviewer",
        /// 监督人员: reads logs, not pictures.
        Inspector = "inspector",
        /// 系统管理员: accounts and machine; no way round an approval.
        Administrator = "administrator",
        /// 值班监看: live pictures, where the bureau has authorised it; held by nobody by default.
        LiveViewer = "live_viewer",
    }
);

words!(
    /// What a person can ask to do. Pictures are not here: they hang on a grant, never on a role.
    Act {
        /// See the rooms' status (no picture).
        SeeStatus = "see_status",
        /// Start, mark, interrupt and end sessions.
        ConductSession = "conduct_session",
        /// Link a session to a case later.
        LinkSession = "link_session",
        /// List and search sessions of one's own unit.
        ListUnitSessions = "list_unit_sessions",
        /// List and search sessions of all units.
        ListAllSessions = "list_all_sessions",
        /// Ask for a viewing or a copy.
        RequestAccess = "request_access",
        /// Decide on requests, and revoke.
        DecideAccess = "decide_access",
        /// Read the custody log.
        ReadLog = "read_log",
        /// Make and end accounts.
        ManageAccounts = "manage_accounts",
        /// Answer the alarm of a room in use (第二十三条（一）).
        AcknowledgeAlarm = "acknowledge_alarm",
        /// Make and end links to room screens and lamps.
        ManageScreens = "manage_screens",
        /// Read the cases of the units that one lists.
        ReadCases = "read_cases",
        /// Open cases of one's own unit and write in them.
        KeepCases = "keep_cases",
        /// Decide on initiation forms (第五条).
        ApproveInitiation = "approve_initiation",
        /// Read the supervision report of the units that one lists (第三条, 第二十三条).
        Supervise = "supervise",
        /// See live pictures outside one's own session.
        WatchLive = "watch_live",
        /// Name one's own deputy for decisions on requests.
        AppointDeputy = "appoint_deputy",
        /// Hand material to courts and other bodies (第二十一条).
        Provide = "provide",
        /// See how long sessions are kept and why, and what is due.
        ReadRetention = "read_retention",
        /// Say that something is routine, keep it longer, propose to give it up (第十八条).
        Appraise = "appraise",
        /// Agree to a disposal, or not (第十八条).
        DecideDisposal = "decide_disposal",
        /// Propose a hold, or that it be lifted (第十九条).
        ProposeHold = "propose_hold",
        /// Confirm or lift a hold that somebody else proposed (第十九条).
        DecideHold = "decide_hold",
        /// Say that the recorder's date is right after it was in doubt.
        ConfirmClock = "confirm_clock",
        // --- taking in and handing over (第十四条)
        /// Take in recordings of portable devices, for one's own unit.
        ImportRecording = "import_recording",
        /// Hand over to the unit's custodian.
        HandOver = "hand_over",
        /// Give the custodian's receipt.
        ReceiveHandover = "receive_handover",
        /// See what has not come in or was not handed over by midnight.
        SeeOverdue = "see_overdue",
        /// Make media, check them and keep their register, for the units that one lists (第十九条).
        KeepMedia = "keep_media",
        /// See how the archive stands, and have it read again.
        SeeArchive = "see_archive",
        // --- equipment (第十五条, 第十六条)
        /// See the register of equipment and its faults.
        SeeDevices = "see_devices",
        /// Report a fault: the device is out of use at once.
        ReportFault = "report_fault",
        /// Keep the register, and take faults through repair and retest.
        KeepDevices = "keep_devices",
        /// Add cameras, after a trial.
        AddCamera = "add_camera",
    }
);

/// The roles that hold an act. Looking at a recording is deliberately absent: no role holds it (第二十二条).
pub fn may(role: Role, act: Act) -> bool {
    use Role::{Administrator, BureauHead, Custodian, Inspector, LeaderInCharge, LegalUnit, LiveViewer, Office, Officer, Reviewer};
    match act {
        // The office sees status, answers alarms and keeps the screens; it sees no footage (第三条).
        Act::SeeStatus => !matches!(role, Reviewer),
        Act::ConductSession => matches!(role, Officer),
        Act::LinkSession => matches!(role, Officer | Custodian),
        Act::ListUnitSessions => matches!(role, Officer | Custodian | LeaderInCharge | BureauHead | LegalUnit | Reviewer),
        Act::ListAllSessions => matches!(role, BureauHead | LegalUnit | LeaderInCharge),
        Act::RequestAccess => matches!(role, Officer | Custodian | LeaderInCharge | BureauHead | LegalUnit | Reviewer),
        Act::DecideAccess => matches!(role, LeaderInCharge | BureauHead),
        Act::ReadLog => matches!(role, Inspector | LegalUnit),
        Act::ManageAccounts => matches!(role, Administrator),
        Act::AcknowledgeAlarm => matches!(role, Office | Officer),
        Act::ManageScreens => matches!(role, Office | Administrator),
        Act::ReadCases => matches!(role, Officer | Custodian | LeaderInCharge | BureauHead | LegalUnit),
        Act::KeepCases => matches!(role, Officer | Custodian),
        Act::ApproveInitiation => matches!(role, BureauHead),
        Act::Supervise => matches!(role, Custodian | LeaderInCharge | BureauHead | LegalUnit),
        Act::WatchLive => matches!(role, LiveViewer),
        Act::AppointDeputy => matches!(role, LeaderInCharge | BureauHead),
        Act::Provide => matches!(role, LegalUnit),
        Act::ReadRetention => matches!(role, Custodian | LeaderInCharge | BureauHead | LegalUnit),
        Act::Appraise | Act::ReceiveHandover => matches!(role, Custodian),
        Act::DecideDisposal => matches!(role, LeaderInCharge | BureauHead),
        Act::ProposeHold => matches!(role, Officer | Custodian | LeaderInCharge | BureauHead | LegalUnit),
        Act::DecideHold => matches!(role, LeaderInCharge | BureauHead | LegalUnit),
        Act::ConfirmClock => matches!(role, LegalUnit | BureauHead),
        Act::ImportRecording | Act::HandOver => matches!(role, Officer | Custodian),
        Act::SeeOverdue => matches!(role, Custodian | LeaderInCharge | BureauHead | LegalUnit),
        Act::KeepMedia => matches!(role, Custodian | LegalUnit),
        Act::SeeArchive => matches!(role, Custodian | LegalUnit | Inspector | Administrator),
        Act::SeeDevices => !matches!(role, Reviewer | LiveViewer),
        Act::ReportFault => matches!(role, Officer | Custodian | Office | Administrator),
        Act::KeepDevices => matches!(role, Office),
        Act::AddCamera => matches!(role, Office | Administrator),
    }
}

/// A person who is signed in, as rules see them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Person {
    /// The account.
    pub id: AccountId,
    /// Sign-in name.
    pub username: String,
    /// The person's name, as printed over pictures and in the log's catalog.
    pub name: String,
    /// The unit they belong to.
    pub unit: Option<UnitId>,
    /// 执法证件编号, for officers.
    pub certificate_no: Option<String>,
    /// Last day on which the certificate is valid.
    #[serde(default)]
    pub certificate_until: Option<NaiveDate>,
    /// What they are.
    pub roles: Vec<Role>,
    /// The units that a leader in charge leads; empty: all.
    pub leads: Vec<UnitId>,
    /// The leaders for whom they decide now, by written authorisation.
    #[serde(default)]
    pub stands_in: Vec<StandIn>,
    /// What an API token narrows them to; none: a login.
    #[serde(default)]
    pub scopes: Option<Vec<Act>>,
    /// When this login last showed its password or key; none without a login.
    #[serde(skip)]
    pub proved_at: Option<DateTime<Utc>>,
    /// The address that the request came from.
    #[serde(skip)]
    pub address: Option<String>,
}

/// In whose place somebody decides.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StandIn {
    /// The leader.
    pub leader: AccountId,
    /// Their name.
    pub leader_name: String,
    /// The leader is the bureau head.
    pub head: bool,
    /// The units that the leader leads; empty: all.
    pub leads: Vec<UnitId>,
}

/// What a token for another system may be good for. Nothing that looks at, hands out or decides on footage is among it.
pub const SCOPES: &[Act] =
    &[Act::SeeStatus, Act::ListUnitSessions, Act::ListAllSessions, Act::LinkSession, Act::ReadCases, Act::KeepCases, Act::Supervise];

impl Person {
    /// Somebody with roles, and nothing else.
    pub fn new(id: AccountId, username: &str, name: &str, roles: &[Role]) -> Self {
        Self {
            id,
            username: username.into(),
            name: name.into(),
            unit: None,
            certificate_no: None,
            certificate_until: None,
            roles: roles.to_vec(),
            leads: vec![],
            stands_in: vec![],
            scopes: None,
            proved_at: None,
            address: None,
        }
    }

    /// Whether some role of theirs holds the act, or that of a leader for whom they decide; never more than their token says.
    pub fn may(&self, act: Act) -> bool {
        let held = self.roles.iter().any(|role| may(*role, act)) || (act == Act::DecideAccess && !self.stands_in.is_empty());
        held && self.scopes.as_ref().is_none_or(|scopes| scopes.contains(&act))
    }

    /// Whether they hold a role.
    pub fn is(&self, role: Role) -> bool {
        self.roles.contains(&role)
    }

    /// Need-to-know (第二十二条: case lists are records too): whether a unit's sessions are listed for them at all.
    pub fn lists_unit(&self, unit: &UnitId) -> bool {
        (self.may(Act::ListAllSessions) && (!self.is(Role::LeaderInCharge) || self.leads.is_empty() || self.leads.contains(unit)))
            || self.is(Role::BureauHead)
            || self.is(Role::LegalUnit)
            || (self.may(Act::ListUnitSessions) && self.unit.as_ref() == Some(unit))
    }

    /// Whether material of complainants and informants (第四条) is listed for them wherever its unit is. Others of the unit see what
    /// they started or are named on.
    pub fn lists_restricted(&self) -> bool {
        self.is(Role::LeaderInCharge) || self.is(Role::BureauHead) || self.is(Role::LegalUnit)
    }

    /// Whether they started a session or are named on it by their certificate number.
    pub fn takes_part(&self, session: &Session) -> bool {
        let named = |no: &String| session.facts().officers.iter().any(|o| o.certificate_no.as_ref() == Some(no));
        session.started_by == self.id || self.certificate_no.as_ref().is_some_and(named)
    }

    /// Whether a session is listed for them.
    pub fn lists(&self, session: &Session) -> bool {
        let open = !session.facts().restricted || self.lists_restricted() || self.takes_part(session);
        session.started_by == self.id || (self.lists_unit(&session.unit) && open)
    }

    /// Whether they may watch a room live while this session is open in it, or none is. Whoever may not know of an informant's session
    /// (第四条) sees no picture of it either, whatever their role.
    pub fn watches(&self, open: Option<&Session>) -> bool {
        let role = self.may(Act::WatchLive);
        open.map_or(role, |s| {
            let own = s.started_by == self.id || self.unit.as_ref() == Some(&s.unit);
            let knows = !s.facts().restricted || self.lists(s);
            knows && (role || (self.may(Act::ConductSession) && own))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_may_do_what_is_the_table_that_the_bureau_signed() {
        let width = Act::ALL.iter().map(|a| a.as_str().len()).max().unwrap();
        let line = |act: &Act| {
            let roles: Vec<&str> = Role::ALL.iter().filter(|r| may(**r, *act)).map(|r| r.as_str()).collect();
            format!("{:width$}  {}\n", act.as_str(), roles.join(" "))
        };
        let table: String = Act::ALL.iter().map(line).collect();
        assert_eq!(table, include_str!("../../tests/golden/who-may.txt"), "\n{table}");
    }

    #[test]
    fn the_office_sees_status_and_nothing_of_the_footage() {
        for act in Act::ALL {
            let rooms = matches!(act, Act::SeeStatus | Act::AcknowledgeAlarm | Act::ManageScreens);
            let rooms = rooms || matches!(act, Act::SeeDevices | Act::ReportFault | Act::KeepDevices | Act::AddCamera);
            assert_eq!(may(Role::Office, *act), rooms, "{act:?}");
        }
    }

    #[test]
    fn the_administrator_manages_accounts_and_lists_no_session() {
        assert!(may(Role::Administrator, Act::ManageAccounts));
        for act in [Act::ListAllSessions, Act::ListUnitSessions, Act::RequestAccess, Act::DecideAccess, Act::ReadLog, Act::WatchLive] {
            assert!(!may(Role::Administrator, act), "{act:?}");
        }
    }

    #[test]
    fn an_officer_lists_their_own_unit_only() {
        let land = UnitId::new("land").unwrap();
        let officer = Person { unit: Some(land.clone()), ..Person::new(AccountId::new("a").unwrap(), "o", "王", &[Role::Officer]) };
        assert!(officer.lists_unit(&land));
        assert!(!officer.lists_unit(&UnitId::new("mines").unwrap()));
    }

    #[test]
    fn an_informants_session_is_listed_for_who_is_named_on_it_and_for_those_who_supervise() {
        use crate::model::facts::{Facts, Officer};
        use crate::model::session::SessionKind;
        let named = Officer { name: "王".into(), certificate_no: Some("A-1".into()), ..Officer::default() };
        let s = crate::model::step::tests::started_with(
            SessionKind::Interview,
            Facts { restricted: true, officers: vec![named], ..Facts::default() },
        );
        let person = |role, no: &str| Person {
            unit: Some(s.unit.clone()),
            certificate_no: Some(no.into()),
            ..Person::new(AccountId::new("x").unwrap(), "x", "某", &[role])
        };
        assert!(!person(Role::LiveViewer, "B-2").watches(Some(&s)) && person(Role::LiveViewer, "B-2").watches(None));
        assert!(person(Role::Officer, "A-1").watches(Some(&s)) && !person(Role::Officer, "B-2").watches(Some(&s)));
        let open = crate::model::step::tests::started_with(SessionKind::Interview, Facts::default());
        assert!(person(Role::LiveViewer, "").watches(Some(&open)) && person(Role::Officer, "").watches(Some(&open)));
        assert!(!person(Role::Officer, "").watches(None) && !person(Role::Custodian, "").watches(Some(&open)));
        for (role, no, may) in [
            (Role::Officer, "B-2", false),
            (Role::Custodian, "B-2", false),
            (Role::Officer, "A-1", true),
            (Role::LeaderInCharge, "", true),
            (Role::LegalUnit, "", true),
            (Role::Administrator, "A-1", false),
        ] {
            assert_eq!(person(role, no).lists(&s), may, "{role:?} {no}");
        }
    }
}
