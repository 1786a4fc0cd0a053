//! Provision (第二十一条): only the legal unit hands recordings to courts and other bodies; whole sessions, with a receipt, and an
//! identical copy stays.

use crate::model::ids::{AccountId, DisposalId, ProvisionId, SessionId, UnitId};
use crate::model::people::{Act, Person, Role, words};
use crate::model::refusal::Refusal;
use crate::model::time;
use chrono::{DateTime, Days, NaiveDate, Utc};
use serde::{Deserialize, Serialize};

words!(
    /// Where a provision stands.
    ProvisionState {
        /// The letter is entered.
        Received = "received",
        /// The package is built and verified.
        Prepared = "prepared",
        /// Somebody else who leads has agreed: no copy leaves by one person alone (第二十二条).
        Approved = "approved",
        /// Handed over, with a receipt.
        HandedOver = "handed_over",
        /// Closed: receipt and retained copy are there.
        Closed = "closed",
        /// 不同意提供: nothing leaves.
        Rejected = "rejected",
        /// 撤回, by who entered it, before anybody agreed.
        Withdrawn = "withdrawn",
    }
);

words!(
    /// Who asked, and so by when it has to be there: reconsideration 10 days, its simplified form 5, litigation 15.
    ProvisionKind {
        /// 行政复议.
        Reconsideration = "reconsideration",
        /// 行政复议（简易程序）.
        SimplifiedReconsideration = "simplified_reconsideration",
        /// 行政诉讼.
        Litigation = "litigation",
        /// 其他机关.
        Other = "other",
    }
);

impl ProvisionKind {
    /// Days from the receipt of the letter to when the evidence has to be there; none: the letter says.
    pub fn days(self) -> Option<u64> {
        match self {
            Self::Reconsideration => Some(10),
            Self::SimplifiedReconsideration => Some(5),
            Self::Litigation => Some(15),
            Self::Other => None,
        }
    }

    /// The last day, of a letter that was received on a day.
    pub fn due(self, received: NaiveDate) -> Option<NaiveDate> {
        received.checked_add_days(Days::new(self.days()?))
    }
}

/// A file of which the bureau keeps an identical copy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "recorder", derive(utoipa::ToSchema))]
pub struct Retained {
    /// Which session's package.
    pub session: SessionId,
    /// Its file below `provisions/<id>/`.
    pub file: String,
    /// Size.
    pub bytes: u64,
    /// SHA-256 of the whole tar: what was handed over has the same.
    pub sha256: String,
    /// SHA-256 of its `manifest-sha256.txt`, which is on the paper.
    pub manifest_sha256: String,
    /// When it was last read and found whole.
    pub verified_at: Option<DateTime<Utc>>,
    /// It went with its session: when, and by which disposal. What was handed over is not in the bureau's hands.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disposed: Option<RetainedDisposed>,
    /// It lies here encrypted to the recipients of footage, as its session does: SHA-256 of the file as it lies.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wrapped_sha256: Option<String>,
}

/// That a copy that stayed was given up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "recorder", derive(utoipa::ToSchema))]
pub struct RetainedDisposed {
    /// When.
    pub at: DateTime<Utc>,
    /// By which disposal (第十八条).
    pub disposal: DisposalId,
}

/// What the receiving body gave back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "recorder", derive(utoipa::ToSchema))]
pub struct Receipt {
    /// Who took it.
    pub taken_by: String,
    /// On what day.
    pub day: NaiveDate,
    /// SHA-256 of the scan, its name in `provisions/<id>/`.
    pub scan_sha256: String,
    /// The scan's own name.
    pub scan_name: String,
    /// Sniffed, not believed.
    pub media_type: String,
    /// When it was entered.
    pub entered_at: DateTime<Utc>,
    /// By whom.
    pub entered_by: AccountId,
}

/// That a provision came to its end without a hand-over: not agreed to, or withdrawn.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "recorder", derive(utoipa::ToSchema))]
pub struct NotProvided {
    /// When.
    pub at: DateTime<Utc>,
    /// By whom.
    pub by: AccountId,
    /// Their name.
    pub by_name: String,
    /// Why.
    pub reason: String,
}

/// A provision.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "recorder", derive(utoipa::ToSchema))]
pub struct Provision {
    /// Its number.
    pub id: ProvisionId,
    /// Where it stands.
    pub state: ProvisionState,
    /// What kind of proceeding.
    pub kind: ProvisionKind,
    /// Number of the incoming letter.
    pub letter_no: String,
    /// Who asks and receives.
    pub body: String,
    /// When the letter came.
    pub received: NaiveDate,
    /// By when it has to be there.
    pub due: NaiveDate,
    /// What the letter asks for, in its words.
    pub wanted: Option<String>,
    /// Whole sessions.
    pub sessions: Vec<SessionId>,
    /// The units that made them.
    pub units: Vec<UnitId>,
    /// Stretches that the letter names, ms; each beside its whole session, never without it.
    #[serde(default)]
    pub clips: Vec<Clip>,
    /// Packages that were built, and are kept.
    #[serde(default)]
    pub retained: Vec<Retained>,
    /// Who agreed.
    pub approved_by: Option<AccountId>,
    /// Their name.
    pub approved_by_name: Option<String>,
    /// When.
    pub approved_at: Option<DateTime<Utc>>,
    /// What the receiving body gave back.
    pub receipt: Option<Receipt>,
    /// When it was handed over.
    pub handed_at: Option<DateTime<Utc>>,
    /// Who in the legal unit has it.
    pub by: AccountId,
    /// Their name.
    pub by_name: String,
    /// When it was entered.
    pub entered_at: DateTime<Utc>,
    /// When it was closed.
    pub closed_at: Option<DateTime<Utc>>,
    /// It was not agreed to, or withdrawn.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_provided: Option<NotProvided>,
}

/// A stretch that a letter names.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "recorder", derive(utoipa::ToSchema))]
pub struct Clip {
    /// Of which session.
    pub session: SessionId,
    /// From, ms on its time line.
    pub from_ms: u64,
    /// Until.
    pub to_ms: u64,
}

words!(
    /// What a provision cannot be closed without.
    Lacks {
        /// A package for each session.
        Package = "package",
        /// An identical copy that was read again after the hand-over.
        RetainedCopy = "retained_copy",
        /// The receipt with its scan.
        Receipt = "receipt",
    }
);

impl Provision {
    /// Days that are left; negative: overdue. None once it is handed over, or will not be.
    pub fn days_left(&self, now: DateTime<Utc>) -> Option<i64> {
        let open = matches!(self.state, ProvisionState::Received | ProvisionState::Prepared | ProvisionState::Approved);
        open.then(|| (self.due - time::shanghai_day(now)).num_days())
    }

    /// With the word that the copy of a session went by a disposal; none where it stayed of none, or that is said already.
    pub fn without_copy(&self, session: &SessionId, disposal: &DisposalId, at: DateTime<Utc>) -> Option<Self> {
        let mut next = self.clone();
        let of = |r: &&mut Retained| r.session == *session && r.disposed.is_none();
        let going: Vec<&mut Retained> = next.retained.iter_mut().filter(of).collect();
        if going.is_empty() {
            return None;
        }
        going.into_iter().for_each(|r| r.disposed = Some(RetainedDisposed { at, disposal: disposal.clone() }));
        Some(next)
    }

    /// What it cannot be closed without (第二十一条).
    pub fn lacks(&self) -> Vec<Lacks> {
        let packed = !self.sessions.is_empty() && self.sessions.iter().all(|s| self.retained.iter().any(|r| r.session == *s));
        let after = |r: &Retained| r.verified_at.zip(self.handed_at).is_some_and(|(verified, handed)| verified >= handed);
        let mut lacks = Vec::new();
        if !packed {
            lacks.push(Lacks::Package);
        }
        if !packed || !self.retained.iter().all(after) {
            lacks.push(Lacks::RetainedCopy);
        }
        if self.receipt.is_none() {
            lacks.push(Lacks::Receipt);
        }
        lacks
    }

    /// Whether it is over, by a hand-over or without one: nothing waits for it any more.
    pub fn is_over(&self) -> bool {
        matches!(self.state, ProvisionState::Closed | ProvisionState::Rejected | ProvisionState::Withdrawn)
    }

    /// Who decides on it: the bureau head, or a leader in charge of all units that made it; never who prepared it.
    fn may_decide(&self, who: &Person) -> Result<(), Refusal> {
        if who.id == self.by {
            return Err(Refusal::OwnRequest);
        }
        let leads = |unit: &UnitId| who.leads.is_empty() || who.leads.contains(unit);
        let fits = who.is(Role::BureauHead) || (who.is(Role::LeaderInCharge) && self.units.iter().all(leads));
        if !fits || !who.may(Act::DecideAccess) {
            return Err(Refusal::NotYourRole);
        }
        self.need(&[ProvisionState::Prepared])
    }

    /// Agreed to.
    pub fn approve(&self, who: &Person, now: DateTime<Utc>) -> Result<Self, Refusal> {
        self.may_decide(who)?;
        let (by, name) = (Some(who.id.clone()), Some(who.name.clone()));
        Ok(Self { state: ProvisionState::Approved, approved_by: by, approved_by_name: name, approved_at: Some(now), ..self.clone() })
    }

    /// Not agreed to, for a reason; by whoever could have agreed.
    pub fn reject(&self, who: &Person, reason: &str, now: DateTime<Utc>) -> Result<Self, Refusal> {
        self.may_decide(who)?;
        self.ends_without(ProvisionState::Rejected, who, reason, now)
    }

    /// Withdrawn by who entered it, for a reason, before anybody has agreed.
    pub fn withdraw(&self, who: &Person, reason: &str, now: DateTime<Utc>) -> Result<Self, Refusal> {
        if who.id != self.by || !who.may(Act::Provide) {
            return Err(Refusal::NotYourRole);
        }
        self.need(&[ProvisionState::Received, ProvisionState::Prepared])?;
        self.ends_without(ProvisionState::Withdrawn, who, reason, now)
    }

    fn ends_without(&self, state: ProvisionState, who: &Person, reason: &str, now: DateTime<Utc>) -> Result<Self, Refusal> {
        let reason = reason.trim();
        if reason.is_empty() {
            return Err(Refusal::ReasonNeeded);
        }
        let said = NotProvided { at: now, by: who.id.clone(), by_name: who.name.clone(), reason: reason.into() };
        Ok(Self { state, not_provided: Some(said), ..self.clone() })
    }

    /// Refuses where it is not in one of these states.
    pub fn need(&self, states: &[ProvisionState]) -> Result<(), Refusal> {
        if states.contains(&self.state) { Ok(()) } else { Err(Refusal::ProvisionState { state: self.state.as_str().into() }) }
    }

    /// Closed, or what is missing.
    pub fn close(&self, now: DateTime<Utc>) -> Result<Self, Refusal> {
        self.need(&[ProvisionState::HandedOver])?;
        let lacks = self.lacks();
        if !lacks.is_empty() {
            return Err(Refusal::ProvisionOpen { missing: lacks.iter().map(|l| l.as_str().into()).collect() });
        }
        Ok(Self { state: ProvisionState::Closed, closed_at: Some(now), ..self.clone() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::TimeDelta;

    fn provision() -> Provision {
        let session = SessionId::new("s-1").unwrap();
        let at = DateTime::UNIX_EPOCH;
        Provision {
            id: ProvisionId::new("p-1").unwrap(),
            state: ProvisionState::HandedOver,
            kind: ProvisionKind::Litigation,
            letter_no: "（2026）冀0533行初1号".into(),
            body: "威县人民法院".into(),
            received: "2026-11-20".parse().unwrap(),
            due: "2026-12-05".parse().unwrap(),
            wanted: None,
            sessions: vec![session.clone()],
            units: vec![UnitId::new("land").unwrap()],
            approved_by: None,
            approved_by_name: None,
            approved_at: None,
            clips: vec![],
            retained: vec![Retained {
                session,
                file: "s-1.tar".into(),
                bytes: 1,
                sha256: "0".repeat(64),
                manifest_sha256: "1".repeat(64),
                verified_at: Some(at + TimeDelta::hours(2)),
                disposed: None,
                wrapped_sha256: None,
            }],
            receipt: Some(Receipt {
                taken_by: "书记员".into(),
                day: "2026-11-30".parse().unwrap(),
                scan_sha256: "2".repeat(64),
                scan_name: "回执.pdf".into(),
                media_type: "application/pdf".into(),
                entered_at: at,
                entered_by: AccountId::new("a").unwrap(),
            }),
            handed_at: Some(at + TimeDelta::hours(1)),
            by: AccountId::new("a").unwrap(),
            by_name: "冯静".into(),
            entered_at: at,
            closed_at: None,
            not_provided: None,
        }
    }

    #[test]
    fn a_provision_is_not_closed_without_receipt_and_identical_retained_copy() {
        let now = DateTime::UNIX_EPOCH + TimeDelta::hours(3);
        assert_eq!(provision().close(now).unwrap().state, ProvisionState::Closed);
        let mut p = provision();
        p.receipt = None;
        assert_eq!(p.close(now), Err(Refusal::ProvisionOpen { missing: vec!["receipt".into()] }));
        let mut p = provision();
        p.retained[0].verified_at = Some(DateTime::UNIX_EPOCH);
        assert_eq!(p.close(now), Err(Refusal::ProvisionOpen { missing: vec!["retained_copy".into()] }), "read before it was handed over");
        let mut p = provision();
        p.retained.clear();
        assert_eq!(p.close(now), Err(Refusal::ProvisionOpen { missing: vec!["package".into(), "retained_copy".into()] }));
        let mut p = provision();
        p.state = ProvisionState::Prepared;
        assert!(matches!(p.close(now), Err(Refusal::ProvisionState { .. })));
    }

    #[test]
    fn nothing_is_provided_by_one_person_alone() {
        let person = |id: &str, role| Person::new(AccountId::new(id).unwrap(), id, id, &[role]);
        let p = Provision { state: ProvisionState::Prepared, ..provision() };
        let now = DateTime::UNIX_EPOCH;
        assert_eq!(p.approve(&person("h", Role::BureauHead), now).unwrap().state, ProvisionState::Approved);
        assert!(p.approve(&person("l", Role::LeaderInCharge), now).is_ok());
        let mines = Person { leads: vec![UnitId::new("mines").unwrap()], ..person("l", Role::LeaderInCharge) };
        assert_eq!(p.approve(&mines, now), Err(Refusal::NotYourRole));
        assert_eq!(p.approve(&person("a", Role::BureauHead), now), Err(Refusal::OwnRequest), "who prepared it");
        for role in [Role::LegalUnit, Role::Administrator, Role::Officer] {
            assert_eq!(p.approve(&person("x", role), now), Err(Refusal::NotYourRole));
        }
        assert!(provision().approve(&person("h", Role::BureauHead), now).is_err(), "not once it is handed over");
    }

    #[test]
    fn a_provision_is_not_agreed_to_by_who_may_agree_and_withdrawn_by_who_entered_it_before_that() {
        use ProvisionState::{Approved, Closed, HandedOver, Prepared, Received, Rejected, Withdrawn};
        let person = |id: &str, role| Person::new(AccountId::new(id).unwrap(), id, id, &[role]);
        let (head, own) = (person("h", Role::BureauHead), person("a", Role::LegalUnit));
        let now = DateTime::UNIX_EPOCH;
        for state in [Received, Prepared, Approved, HandedOver, Closed, Rejected, Withdrawn] {
            let p = Provision { state, ..provision() };
            assert_eq!(p.reject(&head, "范围不清", now).is_ok(), state == Prepared, "{state:?}");
            assert_eq!(p.withdraw(&own, "来函撤回", now).is_ok(), matches!(state, Received | Prepared), "{state:?}");
        }
        let p = Provision { state: Prepared, ..provision() };
        let rejected = p.reject(&head, " 范围不清 ", now).unwrap();
        assert_eq!((rejected.state, rejected.not_provided.unwrap().reason.as_str()), (Rejected, "范围不清"));
        assert_eq!(p.reject(&head, "  ", now), Err(Refusal::ReasonNeeded));
        assert_eq!(p.withdraw(&own, "", now), Err(Refusal::ReasonNeeded));
        assert_eq!(p.withdraw(&person("b", Role::LegalUnit), "来函撤回", now), Err(Refusal::NotYourRole), "who did not enter it");
        for role in [Role::LegalUnit, Role::Officer, Role::Administrator] {
            assert_eq!(p.reject(&person("x", role), "范围不清", now), Err(Refusal::NotYourRole));
        }
        let withdrawn = p.withdraw(&own, "来函撤回", now).unwrap();
        assert!(withdrawn.is_over() && withdrawn.days_left(now).is_none() && withdrawn.approve(&head, now).is_err());
    }

    #[test]
    fn evidence_is_due_ten_days_after_the_letter_in_reconsideration_and_fifteen_in_litigation() {
        let day = |text: &str| text.parse::<NaiveDate>().unwrap();
        assert_eq!(ProvisionKind::Reconsideration.due(day("2026-11-20")), Some(day("2026-11-30")));
        assert_eq!(ProvisionKind::Litigation.due(day("2026-11-20")), Some(day("2026-12-05")));
        assert_eq!(ProvisionKind::SimplifiedReconsideration.due(day("2026-11-20")), Some(day("2026-11-25")));
        assert_eq!(ProvisionKind::Other.due(day("2026-11-20")), None);
        let mut p = provision();
        p.state = ProvisionState::Received;
        // 23:30 in Shanghai on the last day.
        assert_eq!(p.days_left("2026-12-05T15:30:00Z".parse().unwrap()), Some(0));
        assert_eq!(p.days_left("2026-12-05T16:30:00Z".parse().unwrap()), Some(-1));
    }
}
