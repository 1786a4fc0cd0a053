//! Looking only with approval (第二十二条): requests, decisions, and the [`Grant`] without which no picture can be asked for.

use crate::model::ids::{AccountId, RequestId, SessionId, UnitId};
use crate::model::people::{Act, Person, Role, words};
use crate::model::refusal::Refusal;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

words!(
    /// What a grant allows.
    AccessMode {
        /// 查阅: look in the console.
        View = "view",
        /// 复制: look, and take a copy.
        Copy = "copy",
    }
);

words!(
    /// Where a request stands. Expiry is no state: it is computed from the window.
    RequestState {
        /// Waits for its decision.
        Submitted = "submitted",
        /// Refused, with a reason.
        Rejected = "rejected",
        /// Granted.
        Approved = "approved",
        /// Granted, then taken back.
        Revoked = "revoked",
        /// Withdrawn or done with.
        Closed = "closed",
    }
);

/// An access request (查阅审批).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "recorder", derive(utoipa::ToSchema))]
pub struct AccessRequest {
    /// Its number, printed over every picture.
    pub id: RequestId,
    /// Who wants to look.
    pub requester: AccountId,
    /// Their name.
    pub requester_name: String,
    /// Whether the requester leads (then the bureau head decides).
    pub requester_leads: bool,
    /// At which session. One: whole, never a clip without its context.
    pub session: SessionId,
    /// The unit that made the recording (第三条).
    pub unit: UnitId,
    /// What for (因工作需要).
    pub purpose: String,
    /// Look, or take a copy.
    pub mode: AccessMode,
    /// First moment of the window.
    pub from: DateTime<Utc>,
    /// End of the window.
    pub until: DateTime<Utc>,
    /// Where it stands.
    pub state: RequestState,
    /// When it was submitted.
    pub submitted_at: DateTime<Utc>,
    /// Who decided.
    pub decided_by: Option<AccountId>,
    /// Their name.
    pub decided_by_name: Option<String>,
    /// When.
    pub decided_at: Option<DateTime<Utc>>,
    /// Why, where it was refused or revoked.
    pub reason: Option<String>,
}

impl AccessRequest {
    /// Whether it would let its requester look at this moment.
    pub fn is_live(&self, now: DateTime<Utc>) -> bool {
        self.state == RequestState::Approved && self.from <= now && now < self.until
    }
}

/// A live approval for one person and one session: the proof that `desks::viewing` asks for. [`Grant::live`] is its only
/// constructor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant {
    request: RequestId,
    session: SessionId,
    person: AccountId,
    mode: AccessMode,
    until: DateTime<Utc>,
}

impl Grant {
    /// The grant that these requests hold for this person and session at this moment; the widest of several. There is no
    /// role in this rule: administrators and leaders look by approval like everyone.
    pub fn live(requests: &[AccessRequest], person: &Person, session: &SessionId, now: DateTime<Utc>) -> Result<Self, Refusal> {
        requests
            .iter()
            .filter(|r| r.requester == person.id && &r.session == session && r.is_live(now))
            .filter(|r| r.decided_by.as_ref().is_some_and(|by| *by != r.requester))
            .max_by_key(|r| (r.mode, r.until))
            .map(|r| Self { request: r.id.clone(), session: session.clone(), person: person.id.clone(), mode: r.mode, until: r.until })
            .ok_or(Refusal::NoGrant)
    }

    /// The request that was approved.
    pub fn request(&self) -> &RequestId {
        &self.request
    }
    /// The session that it opens.
    pub fn session(&self) -> &SessionId {
        &self.session
    }
    /// The person that it opens it for.
    pub fn person(&self) -> &AccountId {
        &self.person
    }
    /// When it ends by itself.
    pub fn until(&self) -> DateTime<Utc> {
        self.until
    }
    /// Whether a copy may be taken.
    pub fn copy(&self) -> Result<(), Refusal> {
        if self.mode == AccessMode::Copy { Ok(()) } else { Err(Refusal::ViewOnly) }
    }
}

/// Whether this person may decide on this request: the leader in charge of the unit that made the recording, never the
/// requester; a leader's own request goes to the bureau head (第二十二条).
pub fn may_decide(request: &AccessRequest, person: &Person) -> Result<(), Refusal> {
    if person.id == request.requester {
        return Err(Refusal::OwnRequest);
    }
    let leads = person.leads.is_empty() || person.leads.contains(&request.unit);
    let fits = if request.requester_leads {
        person.is(Role::BureauHead)
    } else {
        person.is(Role::BureauHead) || (person.is(Role::LeaderInCharge) && leads)
    };
    if fits && person.may(Act::DecideAccess) { Ok(()) } else { Err(Refusal::NotYourRole) }
}

/// A decision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// Granted as asked.
    Approve,
    /// Refused.
    Reject {
        /// Why; needed.
        reason: String,
    },
    /// Taken back.
    Revoke {
        /// Why; needed.
        reason: String,
    },
}

/// The request after a decision, or the rule that forbids it.
pub fn decide(request: &AccessRequest, decision: &Decision, person: &Person, now: DateTime<Utc>) -> Result<AccessRequest, Refusal> {
    may_decide(request, person)?;
    let (state, needed, reason) = match decision {
        Decision::Approve => (RequestState::Approved, RequestState::Submitted, None),
        Decision::Reject { reason } => (RequestState::Rejected, RequestState::Submitted, Some(reason)),
        Decision::Revoke { reason } => (RequestState::Revoked, RequestState::Approved, Some(reason)),
    };
    if request.state != needed {
        return Err(Refusal::RequestState { state: request.state.as_str().into() });
    }
    if reason.is_some_and(|r| r.trim().is_empty()) {
        return Err(Refusal::ReasonNeeded);
    }
    let mut decided = request.clone();
    decided.state = state;
    decided.decided_by = Some(person.id.clone());
    decided.decided_by_name = Some(person.name.clone());
    decided.decided_at = Some(now);
    decided.reason = reason.cloned();
    Ok(decided)
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::TimeDelta;
    use proptest::prelude::*;

    fn person(id: &str, roles: &[Role]) -> Person {
        Person {
            id: AccountId::new(id).unwrap(),
            username: id.into(),
            name: id.into(),
            unit: UnitId::new("land").ok(),
            certificate_no: None,
            certificate_until: None,
            roles: roles.to_vec(),
            leads: vec![],
        }
    }

    fn at(hours: i64) -> DateTime<Utc> {
        DateTime::UNIX_EPOCH + TimeDelta::hours(hours)
    }

    fn request(of: &Person) -> AccessRequest {
        AccessRequest {
            id: RequestId::new("r-1").unwrap(),
            requester: of.id.clone(),
            requester_name: of.name.clone(),
            requester_leads: of.is(Role::LeaderInCharge),
            session: SessionId::new("s-1").unwrap(),
            unit: UnitId::new("land").unwrap(),
            purpose: "复核".into(),
            mode: AccessMode::View,
            from: at(1),
            until: at(5),
            state: RequestState::Submitted,
            submitted_at: at(0),
            decided_by: None,
            decided_by_name: None,
            decided_at: None,
            reason: None,
        }
    }

    #[test]
    fn nobody_decides_on_their_own_request_whatever_their_roles() {
        let all = person("all", Role::ALL);
        assert_eq!(decide(&request(&all), &Decision::Approve, &all, at(0)), Err(Refusal::OwnRequest));
    }

    #[test]
    fn the_leaders_own_request_goes_to_the_bureau_head() {
        let (leader, other, head) =
            (person("l", &[Role::LeaderInCharge]), person("l2", &[Role::LeaderInCharge]), person("h", &[Role::BureauHead]));
        assert_eq!(decide(&request(&leader), &Decision::Approve, &other, at(0)), Err(Refusal::NotYourRole));
        assert!(decide(&request(&leader), &Decision::Approve, &head, at(0)).is_ok());
    }

    #[test]
    fn a_viewing_without_grant_is_refused_to_every_role() {
        for role in Role::ALL {
            let someone = person("x", &[*role]);
            assert_eq!(Grant::live(&[], &someone, &SessionId::new("s-1").unwrap(), at(2)), Err(Refusal::NoGrant), "{role:?}");
        }
    }

    #[test]
    fn a_grant_opens_one_session_to_one_person_inside_its_window_until_revoked() {
        let (me, leader) = (person("me", &[Role::Reviewer]), person("l", &[Role::LeaderInCharge]));
        let granted = decide(&request(&me), &Decision::Approve, &leader, at(0)).unwrap();
        let session = SessionId::new("s-1").unwrap();
        let live = |r: &AccessRequest, who: &Person, what: &str, hours| {
            Grant::live(std::slice::from_ref(r), who, &SessionId::new(what).unwrap(), at(hours))
        };
        assert_eq!(live(&granted, &me, "s-1", 2).unwrap().session(), &session);
        assert_eq!(live(&granted, &me, "s-1", 2).unwrap().copy(), Err(Refusal::ViewOnly));
        for (who, what, hours) in [(&me, "s-1", 0), (&me, "s-1", 5), (&me, "s-2", 2), (&leader, "s-1", 2)] {
            assert_eq!(live(&granted, who, what, hours), Err(Refusal::NoGrant));
        }
        let revoked = decide(&granted, &Decision::Revoke { reason: "误批".into() }, &leader, at(2)).unwrap();
        assert_eq!(live(&revoked, &me, "s-1", 2), Err(Refusal::NoGrant));
    }

    #[test]
    fn a_refusal_of_a_request_needs_a_reason() {
        let (me, leader) = (person("me", &[Role::Reviewer]), person("l", &[Role::LeaderInCharge]));
        assert_eq!(decide(&request(&me), &Decision::Reject { reason: " ".into() }, &leader, at(0)), Err(Refusal::ReasonNeeded));
    }

    proptest! {
        #[test]
        fn no_sequence_of_decisions_gives_a_grant_that_its_requester_decided(picks in prop::collection::vec((0usize..3, 0usize..3), 0..8)) {
            let people = [person("me", Role::ALL), person("l", &[Role::LeaderInCharge]), person("h", &[Role::BureauHead])];
            let mut r = request(&people[0]);
            for (who, what) in picks {
                let decision = [Decision::Approve, Decision::Reject { reason: "x".into() }, Decision::Revoke { reason: "x".into() }][what].clone();
                if let Ok(next) = decide(&r, &decision, &people[who], at(1)) { r = next }
            }
            if Grant::live(std::slice::from_ref(&r), &people[0], &r.session, at(2)).is_ok() {
                prop_assert_ne!(r.decided_by, Some(people[0].id.clone()));
            }
        }
    }
}
