//! Looking only with approval (第二十二条): requests, decisions, and the [`Grant`] without which no picture can be asked for.

use crate::model::ids::{AccountId, RequestId, SessionId, UnitId};
use crate::model::people::{Act, Person, Role, StandIn, words};
use crate::model::refusal::Refusal;
use crate::model::words::BadField;
use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
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
    /// At which sessions: whole ones, never a clip without its context. A search was frozen into this list when it was submitted.
    #[serde(alias = "session", deserialize_with = "one_or_many")]
    pub sessions: Vec<SessionId>,
    /// The unit that made the recordings (第三条).
    pub unit: UnitId,
    /// What for (因工作需要).
    pub purpose: String,
    /// On what it rests: a letter's number, a case.
    #[serde(default)]
    pub basis: Option<String>,
    /// Look, or take a copy.
    pub mode: AccessMode,
    /// Bystanders are masked in every copy: no original is given out.
    #[serde(default)]
    pub masked: bool,
    /// For how many hours from the decision on; 0 in requests of the first form, whose window is fixed.
    #[serde(default)]
    pub hours: u32,
    /// First moment of the window; that of the submission until it is decided.
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
    /// In whose place, where a deputy decided.
    #[serde(default)]
    pub decided_for: Option<String>,
    /// When.
    pub decided_at: Option<DateTime<Utc>>,
    /// Why, where it was refused or revoked.
    pub reason: Option<String>,
    /// What was granted, where it is less than was asked for.
    #[serde(default)]
    pub granted: Option<Scope>,
    /// When the decider first had it before them.
    #[serde(default)]
    pub shown_at: Option<DateTime<Utc>>,
}

/// What a grant covers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "recorder", derive(utoipa::ToSchema))]
pub struct Scope {
    /// Which sessions.
    pub sessions: Vec<SessionId>,
    /// Look, or take a copy.
    pub mode: AccessMode,
    /// Bystanders masked in every copy.
    pub masked: bool,
    /// Hours.
    pub hours: u32,
}

fn one_or_many<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Vec<SessionId>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Either {
        Many(Vec<SessionId>),
        One(SessionId),
    }
    Ok(match Either::deserialize(from)? {
        Either::Many(all) => all,
        Either::One(one) => vec![one],
    })
}

/// An approval faster than this after the request was first before its decider was hardly read, seconds.
const HASTY_S: i64 = 3;

impl AccessRequest {
    /// Whether it would let its requester look at this moment.
    pub fn is_live(&self, now: DateTime<Utc>) -> bool {
        self.state == RequestState::Approved && self.from <= now && now < self.until
    }

    /// What was asked for, or less, where less was granted.
    pub fn scope(&self) -> Scope {
        self.granted.clone().unwrap_or_else(|| self.asked())
    }

    fn asked(&self) -> Scope {
        let hours = if self.hours > 0 { self.hours } else { (self.until - self.from).num_hours().max(0) as u32 };
        Scope { sessions: self.sessions.clone(), mode: self.mode, masked: self.masked, hours }
    }

    /// Approved faster than it can have been read.
    pub fn is_hasty(&self) -> bool {
        // Requests of the first form have a window from their submission: for them only the decision itself can tell.
        let granted = if self.hours > 0 { self.granted_at() } else { self.decided_at.filter(|_| self.state == RequestState::Approved) };
        let shown = self.shown_at.map_or(self.submitted_at, |at| at.max(self.submitted_at));
        granted.is_some_and(|at| at - shown < TimeDelta::seconds(HASTY_S))
    }

    /// When it was granted; the window begins there.
    pub fn granted_at(&self) -> Option<DateTime<Utc>> {
        matches!(self.state, RequestState::Approved | RequestState::Revoked).then_some(self.from)
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
    masked: bool,
    until: DateTime<Utc>,
}

impl Grant {
    /// The grant that these requests hold for this person and session at this moment; the widest of several. There is no
    /// role in this rule: administrators and leaders look by approval like everyone. A token opens nothing.
    pub fn live(requests: &[AccessRequest], person: &Person, session: &SessionId, now: DateTime<Utc>) -> Result<Self, Refusal> {
        requests
            .iter()
            .filter(|r| r.requester == person.id && person.scopes.is_none() && r.is_live(now))
            .filter(|r| r.decided_by.as_ref().is_some_and(|by| *by != r.requester))
            .map(|r| (r, r.scope()))
            .filter(|(_, scope)| scope.sessions.contains(session))
            .max_by_key(|(r, scope)| (scope.mode, !scope.masked, r.until))
            .map(|(r, scope)| Self {
                request: r.id.clone(),
                session: session.clone(),
                person: person.id.clone(),
                mode: scope.mode,
                masked: scope.masked,
                until: r.until,
            })
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
    /// Whether an unmasked copy may be taken: the originals, or the package.
    pub fn original(&self) -> Result<(), Refusal> {
        self.copy()?;
        if self.masked { Err(Refusal::MaskedOnly) } else { Ok(()) }
    }
    /// Whether every copy has to hide bystanders.
    pub fn masked(&self) -> bool {
        self.masked
    }
}

/// Whether this person may decide on this request: the leader in charge of the unit that made the recording or their deputy, never
/// the requester; a leader's own request goes to the bureau head (第二十二条). Gives the leader in whose place a deputy decides.
pub fn may_decide<'a>(request: &AccessRequest, person: &'a Person) -> Result<Option<&'a StandIn>, Refusal> {
    if person.id == request.requester {
        return Err(Refusal::OwnRequest);
    }
    if !person.may(Act::DecideAccess) {
        return Err(Refusal::NotYourRole);
    }
    let leads = |units: &[UnitId]| units.is_empty() || units.contains(&request.unit);
    let fits = |head: bool, leader: bool, units: &[UnitId]| head || (!request.requester_leads && leader && leads(units));
    if fits(person.is(Role::BureauHead), person.is(Role::LeaderInCharge), &person.leads) {
        return Ok(None);
    }
    // A deputy does not decide for the one who asks.
    let stands_in = person.stands_in.iter().find(|s| s.leader != request.requester && fits(s.head, true, &s.leads));
    stands_in.map(Some).ok_or(Refusal::NotYourRole)
}

/// A decision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// Granted as asked, or less.
    Approve(Narrowing),
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

/// What of a request is not granted; nothing here grants more than was asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "recorder", derive(utoipa::ToSchema))]
#[serde(default, deny_unknown_fields)]
pub struct Narrowing {
    /// Only these of the sessions.
    pub sessions: Option<Vec<SessionId>>,
    /// To look only, where a copy was asked for.
    pub view_only: bool,
    /// Bystanders are masked in every copy.
    pub masked: bool,
    /// For fewer hours.
    pub hours: Option<u32>,
}

impl Narrowing {
    fn of(&self, asked: Scope) -> Result<Scope, Refusal> {
        let wider = |field: &str| Refusal::from(BadField::form(field, "is more than was asked for"));
        let sessions = self.sessions.clone().unwrap_or_else(|| asked.sessions.clone());
        if sessions.is_empty() || sessions.iter().any(|s| !asked.sessions.contains(s)) {
            return Err(wider("sessions"));
        }
        let hours = self.hours.unwrap_or(asked.hours);
        if hours == 0 || hours > asked.hours {
            return Err(wider("hours"));
        }
        let mode = if self.view_only { AccessMode::View } else { asked.mode };
        Ok(Scope { sessions, mode, masked: asked.masked || self.masked, hours })
    }
}

/// The request after a decision, or the rule that forbids it.
pub fn decide(request: &AccessRequest, decision: &Decision, person: &Person, now: DateTime<Utc>) -> Result<AccessRequest, Refusal> {
    let stands_in = may_decide(request, person)?;
    let (state, needed, reason) = match decision {
        Decision::Approve(_) => (RequestState::Approved, RequestState::Submitted, None),
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
    if let Decision::Approve(narrowing) = decision {
        let asked = request.asked();
        let scope = narrowing.of(asked.clone())?;
        decided.from = now;
        decided.until = now + TimeDelta::hours(i64::from(scope.hours));
        decided.granted = (scope != asked).then_some(scope);
    }
    decided.state = state;
    decided.decided_by = Some(person.id.clone());
    decided.decided_by_name = Some(person.name.clone());
    decided.decided_for = stands_in.map(|s| s.leader_name.clone());
    decided.decided_at = Some(now);
    decided.reason = reason.cloned();
    Ok(decided)
}

/// The request after its requester withdrew it, or gave a grant back that is not needed any more.
pub fn close(request: &AccessRequest, person: &Person, now: DateTime<Utc>) -> Result<AccessRequest, Refusal> {
    if person.id != request.requester {
        return Err(Refusal::no_such("request", request.id.as_str()));
    }
    if !matches!(request.state, RequestState::Submitted | RequestState::Approved) {
        return Err(Refusal::RequestState { state: request.state.as_str().into() });
    }
    Ok(AccessRequest { state: RequestState::Closed, until: request.until.min(now), ..request.clone() })
}

/// A written authorisation by which somebody decides in a leader's place for a while.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "recorder", derive(utoipa::ToSchema))]
pub struct Deputation {
    /// Its number.
    pub id: String,
    /// Whose place.
    pub leader: AccountId,
    /// Their name.
    pub leader_name: String,
    /// Who decides.
    pub deputy: AccountId,
    /// Their name.
    pub deputy_name: String,
    /// First day, Shanghai.
    pub from: NaiveDate,
    /// Last day.
    pub until: NaiveDate,
    /// Number of the written authorisation.
    pub basis: String,
    /// When it was ended early.
    pub ended_at: Option<DateTime<Utc>>,
}

/// Longest authorisation, days: a quarter, after which it is written anew.
pub const DEPUTATION_DAYS_MAX: i64 = 92;

words!(
    /// Where an authorisation stands on a day.
    DeputationStanding {
        /// Its first day has not come.
        NotYet = "not_yet",
        /// It holds.
        Holds = "holds",
        /// Its last day is over.
        Over = "over",
        /// It was ended before that.
        Ended = "ended",
    }
);

impl Deputation {
    /// Where it stands on a day. One that was ended before its first day never held.
    pub fn standing(&self, today: NaiveDate) -> DeputationStanding {
        match () {
            () if self.ended_at.is_some() => DeputationStanding::Ended,
            () if today < self.from => DeputationStanding::NotYet,
            () if today <= self.until => DeputationStanding::Holds,
            () => DeputationStanding::Over,
        }
    }

    /// Whether it holds on a day.
    pub fn holds(&self, today: NaiveDate) -> bool {
        self.standing(today) == DeputationStanding::Holds
    }

    /// Whether there is something left to end: up to the end of its last day, also before its first.
    pub fn can_end(&self, today: NaiveDate) -> bool {
        matches!(self.standing(today), DeputationStanding::NotYet | DeputationStanding::Holds)
    }
}

/// Whether a leader may name this person. Who keeps accounts or reads logs cannot also decide: they would hold both ends.
pub fn may_stand_in(leader: &Person, deputy: &Person, from: NaiveDate, until: NaiveDate) -> Result<(), Refusal> {
    let mut fields = Vec::new();
    if deputy.id == leader.id || deputy.is(Role::Administrator) || deputy.is(Role::Inspector) {
        fields.push(BadField::form("deputy", "cannot be yourself, an administrator or an inspector"));
    }
    if until < from || (until - from).num_days() >= DEPUTATION_DAYS_MAX {
        fields.push(BadField::form("until", "is 1 to 92 days after the first day"));
    }
    if fields.is_empty() { Ok(()) } else { Err(Refusal::BadFields { fields }) }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use chrono::TimeDelta;
    use proptest::prelude::*;

    fn person(id: &str, roles: &[Role]) -> Person {
        Person { unit: UnitId::new("land").ok(), ..Person::new(AccountId::new(id).unwrap(), id, id, roles) }
    }

    fn at(hours: i64) -> DateTime<Utc> {
        DateTime::UNIX_EPOCH + TimeDelta::hours(hours)
    }

    /// What somebody asks for at the beginning of time, for four hours.
    pub(crate) fn request(of: &Person) -> AccessRequest {
        AccessRequest {
            id: RequestId::new("r-1").unwrap(),
            requester: of.id.clone(),
            requester_name: of.name.clone(),
            requester_leads: of.is(Role::LeaderInCharge),
            sessions: vec![SessionId::new("s-1").unwrap(), SessionId::new("s-3").unwrap()],
            unit: UnitId::new("land").unwrap(),
            purpose: "复核".into(),
            basis: None,
            mode: AccessMode::View,
            masked: false,
            hours: 4,
            from: at(0),
            until: at(4),
            state: RequestState::Submitted,
            submitted_at: at(0),
            decided_by: None,
            decided_by_name: None,
            decided_for: None,
            decided_at: None,
            reason: None,
            granted: None,
            shown_at: None,
        }
    }

    fn approve() -> Decision {
        Decision::Approve(Narrowing::default())
    }

    #[test]
    fn an_authorisation_can_be_ended_from_its_naming_to_its_last_day() {
        let day = |day: u32| NaiveDate::from_ymd_opt(2026, 11, day).unwrap();
        let named = Deputation {
            id: "d-1".into(),
            leader: AccountId::new("zhou").unwrap(),
            leader_name: "周".into(),
            deputy: AccountId::new("zhao").unwrap(),
            deputy_name: "赵".into(),
            from: day(10),
            until: day(12),
            basis: "9号".into(),
            ended_at: None,
        };
        for (today, stands, can_end) in [
            (9, DeputationStanding::NotYet, true),
            (10, DeputationStanding::Holds, true),
            (12, DeputationStanding::Holds, true),
            (13, DeputationStanding::Over, false),
        ] {
            assert_eq!((named.standing(day(today)), named.can_end(day(today))), (stands, can_end), "{today}");
            assert_eq!(named.holds(day(today)), stands == DeputationStanding::Holds, "{today}");
            let ended = Deputation { ended_at: Some(at(0)), ..named.clone() };
            assert_eq!((ended.standing(day(today)), ended.can_end(day(today))), (DeputationStanding::Ended, false), "{today}");
        }
    }

    #[test]
    fn a_request_of_the_first_form_is_still_read() {
        let old = r#"{"id":"r-1","requester":"me","requester_name":"me","requester_leads":false,"session":"s-1","unit":"land","purpose":"x",
            "mode":"view","from":"2026-11-23T00:00:00Z","until":"2026-11-24T00:00:00Z","state":"approved","submitted_at":"2026-11-23T00:00:00Z",
            "decided_by":"l","decided_by_name":"l","decided_at":"2026-11-23T00:00:00Z","reason":null}"#;
        let read: AccessRequest = serde_json::from_str(old).unwrap();
        assert_eq!((read.sessions.len(), read.scope().hours), (1, 24));
    }

    #[test]
    fn a_leader_grants_less_than_was_asked_for_and_never_more() {
        let (me, leader) = (person("me", &[Role::Reviewer]), person("l", &[Role::LeaderInCharge]));
        let asked = AccessRequest { mode: AccessMode::Copy, ..request(&me) };
        let first = SessionId::new("s-1").unwrap();
        let less = Narrowing { sessions: Some(vec![first.clone()]), masked: true, hours: Some(1), ..Narrowing::default() };
        let granted = decide(&asked, &Decision::Approve(less), &leader, at(2)).unwrap();
        let grant = |session: &str, hours| Grant::live(std::slice::from_ref(&granted), &me, &SessionId::new(session).unwrap(), at(hours));
        assert_eq!(grant("s-1", 2).unwrap().original(), Err(Refusal::MaskedOnly));
        assert!(grant("s-1", 2).unwrap().copy().is_ok());
        assert_eq!(grant("s-3", 2), Err(Refusal::NoGrant));
        assert_eq!(grant("s-1", 3), Err(Refusal::NoGrant), "an hour from the decision on");
        for more in [
            Narrowing { sessions: Some(vec![SessionId::new("s-2").unwrap()]), ..Narrowing::default() },
            Narrowing { sessions: Some(vec![]), ..Narrowing::default() },
            Narrowing { hours: Some(5), ..Narrowing::default() },
            Narrowing { hours: Some(0), ..Narrowing::default() },
        ] {
            assert!(decide(&asked, &Decision::Approve(more), &leader, at(2)).is_err());
        }
        let look = Narrowing { view_only: true, ..Narrowing::default() };
        let looked = decide(&asked, &Decision::Approve(look), &leader, at(2)).unwrap();
        assert_eq!(Grant::live(&[looked], &me, &first, at(2)).unwrap().copy(), Err(Refusal::ViewOnly));
    }

    #[test]
    fn a_deputy_decides_in_the_leaders_place_and_never_for_the_leader() {
        let leader = person("l", &[Role::LeaderInCharge]);
        let stands_in =
            StandIn { leader: leader.id.clone(), leader_name: "l".into(), head: false, leads: vec![UnitId::new("land").unwrap()] };
        let deputy = Person { stands_in: vec![stands_in.clone()], ..person("d", &[Role::Custodian]) };
        let me = person("me", &[Role::Reviewer]);
        let granted = decide(&request(&me), &approve(), &deputy, at(1)).unwrap();
        assert_eq!(granted.decided_for.as_deref(), Some("l"));
        assert_eq!(decide(&request(&leader), &approve(), &deputy, at(1)), Err(Refusal::NotYourRole));
        assert_eq!(decide(&request(&deputy), &approve(), &deputy, at(1)), Err(Refusal::OwnRequest));
        let mines = AccessRequest { unit: UnitId::new("mines").unwrap(), ..request(&me) };
        assert_eq!(decide(&mines, &approve(), &deputy, at(1)), Err(Refusal::NotYourRole));
        let head = Person { stands_in: vec![StandIn { head: true, ..stands_in }], ..deputy };
        assert!(decide(&mines, &approve(), &head, at(1)).is_ok());
    }

    #[test]
    fn a_token_neither_decides_nor_looks() {
        let me = person("me", &[Role::Reviewer]);
        let leader = Person { scopes: Some(crate::model::people::SCOPES.to_vec()), ..person("l", &[Role::LeaderInCharge]) };
        assert_eq!(decide(&request(&me), &approve(), &leader, at(1)), Err(Refusal::NotYourRole));
        let granted = decide(&request(&me), &approve(), &person("l", &[Role::LeaderInCharge]), at(1)).unwrap();
        let token = Person { scopes: Some(vec![]), ..me };
        assert_eq!(Grant::live(&[granted], &token, &SessionId::new("s-1").unwrap(), at(2)), Err(Refusal::NoGrant));
    }

    #[test]
    fn an_approval_that_was_hardly_read_is_seen() {
        let (me, leader) = (person("me", &[Role::Reviewer]), person("l", &[Role::LeaderInCharge]));
        let asked = AccessRequest { shown_at: Some(at(3)), ..request(&me) };
        let after = |ms| decide(&asked, &approve(), &leader, at(3) + TimeDelta::milliseconds(ms)).unwrap();
        assert!(after(2_900).is_hasty() && !after(3_100).is_hasty());
        let revoked = decide(&after(100), &Decision::Revoke { reason: "误批".into() }, &leader, at(4)).unwrap();
        assert!(revoked.is_hasty(), "it stays what it was");
    }

    #[test]
    fn a_deputy_is_named_for_a_quarter_at_most_and_keeps_no_accounts() {
        let leader = person("l", &[Role::LeaderInCharge]);
        let day = |text: &str| text.parse::<NaiveDate>().unwrap();
        let named = |who: &Person, until| may_stand_in(&leader, who, day("2026-11-23"), day(until));
        assert!(named(&person("d", &[Role::Custodian]), "2026-12-01").is_ok());
        assert!(named(&person("d", &[Role::Custodian]), "2027-11-23").is_err());
        assert!(named(&person("d", &[Role::Custodian]), "2026-11-22").is_err());
        for role in [Role::Administrator, Role::Inspector] {
            assert!(named(&person("d", &[role]), "2026-12-01").is_err());
        }
        assert!(named(&leader, "2026-12-01").is_err());
    }

    #[test]
    fn nobody_decides_on_their_own_request_whatever_their_roles() {
        let all = person("all", Role::ALL);
        assert_eq!(decide(&request(&all), &approve(), &all, at(0)), Err(Refusal::OwnRequest));
    }

    #[test]
    fn the_leaders_own_request_goes_to_the_bureau_head() {
        let (leader, other, head) =
            (person("l", &[Role::LeaderInCharge]), person("l2", &[Role::LeaderInCharge]), person("h", &[Role::BureauHead]));
        assert_eq!(decide(&request(&leader), &approve(), &other, at(0)), Err(Refusal::NotYourRole));
        assert!(decide(&request(&leader), &approve(), &head, at(0)).is_ok());
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
        let granted = decide(&request(&me), &approve(), &leader, at(1)).unwrap();
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
                let decision = [approve(), Decision::Reject { reason: "x".into() }, Decision::Revoke { reason: "x".into() }][what].clone();
                if let Ok(next) = decide(&r, &decision, &people[who], at(1)) { r = next }
            }
            if Grant::live(std::slice::from_ref(&r), &people[0], &r.sessions[0], at(2)).is_ok() {
                prop_assert_ne!(r.decided_by, Some(people[0].id.clone()));
            }
        }
    }
}
