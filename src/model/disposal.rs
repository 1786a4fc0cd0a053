//! Disposal (处置, 第十八条): what is over is appraised, proposed by a custodian, agreed to by another person, and only then given up,
//! one session after the other, each looked at once more at that moment. What remains is a certificate: what it was, its digests,
//! why it could go, who decided. Names of the people in it go with the footage.

use crate::model::clock_trust::ClockTrust;
use crate::model::closing::Closing;
use crate::model::handover::CameIn;
use crate::model::hold::{Hold, Word, in_effect};
use crate::model::ids::{DisposalId, MediumId, SessionId, UnitId};
use crate::model::people::{Act, Person, words};
use crate::model::refusal::Refusal;
use crate::model::retention::Retention;
use crate::model::session::{Session, State};
use crate::model::tombstone::{DisposedFile, Ended, TOMBSTONE_FORMAT, Tombstone};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

words!(
    /// Where a disposal stands.
    DisposalState {
        /// 已提出.
        Proposed = "proposed",
        /// 已批准: it is being carried out.
        Approved = "approved",
        /// 不同意: everything stays.
        Refused = "refused",
        /// 已执行.
        Executed = "executed",
    }
);

words!(
    /// What keeps a session from being given up.
    Obstacle {
        /// The clock is in doubt.
        Clock = "clock",
        /// A hold is in force.
        Held = "held",
        /// Its period is not over, or has no date.
        NotOver = "not_over",
        /// It is not sealed.
        NotSealed = "not_sealed",
        /// The custodian has not received it (第十四条).
        NotKept = "not_kept",
        /// It was given up already.
        Gone = "gone",
    }
);

/// All that decides whether a session may go, at one moment.
#[derive(Debug, Clone, Copy)]
pub struct Standing<'a> {
    /// The session.
    pub session: &'a Session,
    /// How long it is kept.
    pub retention: &'a Retention,
    /// Its holds.
    pub holds: &'a [Hold],
    /// Whether the date can be trusted.
    pub clock: &'a ClockTrust,
    /// Now.
    pub now: DateTime<Utc>,
}

/// Everything that keeps it; empty: it may go.
pub fn obstacles(at: Standing<'_>) -> Vec<Obstacle> {
    let mut all = Vec::new();
    let mut if_so = |so: bool, obstacle| {
        if so {
            all.push(obstacle);
        }
    };
    if_so(at.session.state == State::Disposed, Obstacle::Gone);
    if_so(at.session.seal.is_none(), Obstacle::NotSealed);
    if_so(matches!(at.session.state, State::Sealed | State::HandedOver), Obstacle::NotKept);
    if_so(in_effect(at.holds), Obstacle::Held);
    if_so(!at.retention.is_over(at.now), Obstacle::NotOver);
    if_so(!at.clock.is_sound(), Obstacle::Clock);
    all
}

/// Whether these say for good that a session stays. A clock in doubt does not: set back, it makes every period look unfinished.
pub fn is_settled_by(obstacles: &[Obstacle]) -> bool {
    !obstacles.contains(&Obstacle::Clock)
}

/// Where the archive's copy of a session that was given up stands: nobody deletes it before its lock ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "recorder", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case", tag = "standing")]
pub enum ArchiveCopy {
    /// Locked: it goes when the lock ends.
    Locked {
        /// Until when.
        until: DateTime<Utc>,
    },
    /// Every version of it is gone.
    Deleted {
        /// Since when.
        at: DateTime<Utc>,
    },
}

/// One session of a disposal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "recorder", derive(utoipa::ToSchema))]
pub struct Item {
    /// Which.
    pub session: SessionId,
    /// Its folder below the footage root.
    pub folder: String,
    /// Why its period was over when it was proposed.
    pub retention: Retention,
    /// What became of it.
    #[serde(default)]
    pub outcome: Option<Outcome>,
    /// Discs and disks of the register that hold it: no program takes it from those; people destroy them, and enter it there.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub media: Vec<MediumId>,
    /// The archive's copy, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub archive: Option<ArchiveCopy>,
}

impl Item {
    /// What stays of it, once that is decided.
    pub fn stays(&self) -> Option<&Tombstone> {
        match &self.outcome {
            Some(Outcome::Going { stays, .. } | Outcome::Gone { stays, .. }) => Some(stays),
            Some(Outcome::Kept { .. }) | None => None,
        }
    }

    /// Whether its files went, or are going.
    pub fn is_gone(&self) -> bool {
        matches!(self.outcome, Some(Outcome::Going { .. } | Outcome::Gone { .. }))
    }
}

/// What became of a session.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "recorder", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case", tag = "outcome")]
pub enum Outcome {
    /// It may no longer go: it stays, and this disposal is done with it.
    Kept {
        /// Why.
        obstacles: Vec<Obstacle>,
        /// When.
        at: DateTime<Utc>,
    },
    /// It is being given up; what stays of it is written down.
    Going {
        /// What stays.
        stays: Box<Tombstone>,
        /// Volumes from which it is gone.
        gone_from: Vec<String>,
    },
    /// It is gone from every volume.
    Gone {
        /// What stays.
        stays: Box<Tombstone>,
        /// From where.
        gone_from: Vec<String>,
        /// When the last file went.
        at: DateTime<Utc>,
    },
}

/// A disposal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "recorder", derive(utoipa::ToSchema))]
pub struct Disposal {
    /// Its number.
    pub id: DisposalId,
    /// Where it stands.
    pub state: DisposalState,
    /// Whose footage.
    pub unit: UnitId,
    /// The sessions.
    pub items: Vec<Item>,
    /// The appraisal (鉴定意见).
    pub reason: String,
    /// Who proposed.
    pub proposed: Word,
    /// Their name.
    pub proposed_name: String,
    /// Who decided.
    #[serde(default)]
    pub decided: Option<Word>,
    /// Their name.
    #[serde(default)]
    pub decided_name: Option<String>,
    /// When the last session was done with.
    #[serde(default)]
    pub executed_at: Option<DateTime<Utc>>,
    /// What became of the copies on discs and disks; none while that is open, or where there are none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub closed: Option<Closing>,
}

/// Leave to remove one session's files, made by [`Disposal::order`] alone: `footage` removes nothing without one.
#[derive(Debug)]
pub struct Order {
    session: SessionId,
    folder: String,
    /// What stays in its place.
    stays: Tombstone,
}

impl Order {
    /// Of which session.
    pub fn session(&self) -> &SessionId {
        &self.session
    }
    /// Its folder below every volume's footage root.
    pub fn folder(&self) -> &str {
        &self.folder
    }
    /// What stays in its place.
    pub fn stays(&self) -> &Tombstone {
        &self.stays
    }
}

impl Disposal {
    /// Whether this person may decide on it: they lead the unit, and did not propose it.
    pub fn may_decide(&self, who: &Person) -> Result<(), Refusal> {
        if !who.may(Act::DecideDisposal) || !who.lists_unit(&self.unit) {
            return Err(Refusal::NotYourRole);
        }
        if self.proposed.by == who.id { Err(Refusal::OwnDisposal) } else { Ok(()) }
    }

    /// Decided.
    pub fn decide(&self, who: &Person, approved: bool, reason: Option<String>, now: DateTime<Utc>) -> Result<Self, Refusal> {
        self.may_decide(who)?;
        if self.state != DisposalState::Proposed {
            return Err(Refusal::DisposalState { state: self.state.as_str().into() });
        }
        if !approved && reason.is_none() {
            return Err(Refusal::ReasonNeeded);
        }
        let state = if approved { DisposalState::Approved } else { DisposalState::Refused };
        let decided = Some(Word { at: now, by: who.id.clone(), reason });
        Ok(Self { state, decided, decided_name: Some(who.name.clone()), ..self.clone() })
    }

    /// The order for one session, as everything stands at this moment; or what keeps it. One that is going goes on.
    pub fn order(&self, item: &Item, at: Standing<'_>) -> Result<Order, Vec<Obstacle>> {
        let (session, folder) = (item.session.clone(), item.folder.clone());
        let approved = self.decided.as_ref().filter(|_| self.state == DisposalState::Approved).map(|w| w.by.clone());
        let (Some(approved_by), true) = (approved, at.session.id == item.session) else { return Err(vec![]) };
        if let Some(Outcome::Going { stays, .. }) = &item.outcome {
            return Ok(Order { session, folder, stays: (**stays).clone() });
        }
        let obstacles = obstacles(at);
        let Some(seal) = at.session.seal.as_ref().filter(|_| obstacles.is_empty()) else { return Err(obstacles) };
        let (s, case_nos) = (at.session, at.session.case_numbers().into_iter().map(Into::into).collect());
        let stays = Tombstone {
            format: TOMBSTONE_FORMAT.into(),
            session: s.id.clone(),
            room: s.room.clone(),
            unit: s.unit.clone(),
            kind: s.kind,
            started_at: s.started_at,
            ended_at: s.ended_at,
            length_ms: s.length_ms.unwrap_or(0),
            devices: s.devices.clone(),
            case_nos,
            seal_code: seal.code.clone(),
            signer: seal.signer.clone(),
            sealed_at: seal.at,
            files: s.segments.iter().map(|f| DisposedFile { file: f.file.clone(), bytes: f.bytes, sha256: f.sha256.clone() }).collect(),
            came_in: CameIn::of(s),
            why: at.retention.why.iter().map(|w| Ended { reason: w.reason, until: w.until }).collect(),
            disposal: self.id.clone(),
            proposed_by: self.proposed.by.clone(),
            approved_by,
            disposed_at: at.now,
        };
        Ok(Order { session, folder, stays })
    }

    /// With what became of one of its sessions; executed once all are done with.
    #[must_use]
    pub fn with(&self, session: &SessionId, outcome: Outcome, now: DateTime<Utc>) -> Self {
        let mut next = self.clone();
        if let Some(item) = next.items.iter_mut().find(|i| i.session == *session) {
            item.outcome = Some(outcome);
        }
        let done = |i: &Item| matches!(i.outcome, Some(Outcome::Kept { .. } | Outcome::Gone { .. }));
        if next.state == DisposalState::Approved && next.items.iter().all(done) {
            next.state = DisposalState::Executed;
            next.executed_at = Some(now);
        }
        next
    }

    /// With where the archive's copy of one of its sessions stands.
    #[must_use]
    pub fn with_archive(&self, session: &SessionId, copy: Option<ArchiveCopy>) -> Self {
        let mut next = self.clone();
        next.items.iter_mut().filter(|i| i.session == *session && i.stays().is_some()).for_each(|i| i.archive = copy.or(i.archive));
        next
    }

    /// Whether it is done with, and nothing that it gave up lies in the archive any more, of all that did.
    pub fn is_gone_from_archive(&self) -> bool {
        let copies: Vec<ArchiveCopy> = self.items.iter().filter_map(|i| i.archive).collect();
        let all_gone = copies.iter().all(|c| matches!(c, ArchiveCopy::Deleted { .. }));
        self.state == DisposalState::Executed && !copies.is_empty() && all_gone
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::facts::{Facts, Link};
    use crate::model::hold::Ground;
    use crate::model::ids::AccountId;
    use crate::model::people::Role;
    use crate::model::retention::{Reason, RetentionClass, Why};
    use crate::model::session::{Seal, SessionKind};
    use crate::model::step::tests::started_with;
    use chrono::TimeDelta;

    fn person(id: &str, role: Role) -> Person {
        Person { unit: Some(UnitId::new("land").unwrap()), ..Person::new(AccountId::new(id).unwrap(), id, id, &[role]) }
    }

    fn kept() -> Session {
        let seal = Seal { code: "c".repeat(64), signer: "k".repeat(64), at: DateTime::UNIX_EPOCH };
        Session {
            state: State::Kept,
            seal: Some(seal),
            ended_at: Some(DateTime::UNIX_EPOCH),
            ..started_with(SessionKind::Interview, Facts::default())
        }
    }

    fn retention(until_day: Option<i64>) -> Retention {
        let earliest = until_day.map(|d| DateTime::UNIX_EPOCH + TimeDelta::days(d));
        let why = vec![Why { reason: Reason::Floor, about: None, until: earliest }];
        Retention { class: RetentionClass::Routine, earliest, why }
    }

    fn proposed() -> Disposal {
        let item = Item {
            session: kept().id,
            folder: "land/room-1/x".into(),
            retention: retention(Some(200)),
            outcome: None,
            media: vec![],
            archive: None,
        };
        let proposed = Word { at: DateTime::UNIX_EPOCH, by: AccountId::new("li").unwrap(), reason: None };
        Disposal {
            id: DisposalId::new("d-1").unwrap(),
            state: DisposalState::Proposed,
            unit: UnitId::new("land").unwrap(),
            items: vec![item],
            reason: "无保存价值".into(),
            proposed,
            proposed_name: "李".into(),
            decided: None,
            decided_name: None,
            executed_at: None,
            closed: None,
        }
    }

    fn hold() -> Hold {
        Hold {
            ground: Ground::Important,
            about: "1".into(),
            since: DateTime::UNIX_EPOCH,
            proposed: None,
            confirmed: None,
            lift: None,
            lifted: None,
            pending: false,
        }
    }

    #[test]
    fn nothing_goes_that_is_held_undated_too_young_unreceived_or_judged_by_a_doubtful_clock() {
        let (sound, mut doubtful) = (ClockTrust::default(), ClockTrust::default());
        doubtful.doubts.push(crate::model::clock_trust::Doubt {
            kind: crate::model::clock_trust::DoubtKind::SetForward,
            from: DateTime::UNIX_EPOCH,
            to: DateTime::UNIX_EPOCH,
        });
        let now = DateTime::UNIX_EPOCH + TimeDelta::days(201);
        let all = |session: &Session, until: Option<i64>, holds: &[Hold], clock: &ClockTrust| {
            obstacles(Standing { session, retention: &retention(until), holds, clock, now })
        };
        let in_state = |state| Session { state, ..kept() };
        assert_eq!(all(&kept(), Some(200), &[], &sound), []);
        assert_eq!(all(&kept(), Some(202), &[], &sound), [Obstacle::NotOver]);
        assert_eq!(all(&kept(), None, &[], &sound), [Obstacle::NotOver]);
        assert_eq!(all(&kept(), Some(200), &[hold()], &sound), [Obstacle::Held]);
        assert_eq!(all(&kept(), Some(200), &[], &doubtful), [Obstacle::Clock]);
        assert_eq!(all(&in_state(State::Sealed), Some(200), &[], &sound), [Obstacle::NotKept]);
        assert_eq!(all(&Session { seal: None, ..in_state(State::Ended) }, Some(200), &[], &sound), [Obstacle::NotSealed]);
        assert_eq!(all(&in_state(State::Disposed), Some(200), &[], &sound), [Obstacle::Gone]);
    }

    #[test]
    fn a_disposal_takes_two_people_and_an_order_is_made_of_nothing_else() {
        let now = DateTime::UNIX_EPOCH + TimeDelta::days(201);
        let (session, retention, clock) = (kept(), retention(Some(200)), ClockTrust::default());
        let at = Standing { session: &session, retention: &retention, holds: &[], clock: &clock, now };
        let d = proposed();
        assert!(d.order(&d.items[0], at).is_err(), "only proposed");
        assert_eq!(d.decide(&person("li", Role::LeaderInCharge), true, None, now), Err(Refusal::OwnDisposal));
        for role in [Role::Custodian, Role::Officer, Role::Administrator, Role::Office, Role::Reviewer] {
            assert_eq!(d.decide(&person("x", role), true, None, now), Err(Refusal::NotYourRole), "{role:?}");
        }
        assert_eq!(d.decide(&person("zhao", Role::LeaderInCharge), false, None, now), Err(Refusal::ReasonNeeded));
        let refused = d.decide(&person("zhao", Role::LeaderInCharge), false, Some("再等一年".into()), now).unwrap();
        assert!(refused.order(&refused.items[0], at).is_err());
        let agreed = d.decide(&person("zhao", Role::LeaderInCharge), true, None, now).unwrap();
        assert_eq!(agreed.order(&agreed.items[0], Standing { holds: &[hold()], ..at }).unwrap_err(), [Obstacle::Held], "held since then");
        let order = agreed.order(&agreed.items[0], at).unwrap();
        assert_eq!((order.stays().approved_by.as_str(), order.stays().proposed_by.as_str()), ("zhao", "li"));
        let gone = Outcome::Gone { stays: Box::new(order.stays().clone()), gone_from: vec!["primary".into()], at: now };
        let executed = agreed.with(order.session(), gone, now);
        assert_eq!(executed.state, DisposalState::Executed);
        assert!(!executed.is_gone_from_archive(), "nothing of it ever lay there");
        let locked = executed.with_archive(order.session(), Some(ArchiveCopy::Locked { until: now }));
        assert!(!locked.is_gone_from_archive());
        assert!(locked.with_archive(order.session(), Some(ArchiveCopy::Deleted { at: now })).is_gone_from_archive());
    }

    #[test]
    fn a_doubtful_clock_settles_nothing_whatever_else_stands_against_it() {
        assert!(![&[Obstacle::Clock][..], &[Obstacle::NotOver, Obstacle::Clock]].into_iter().any(is_settled_by));
        assert!(is_settled_by(&[Obstacle::NotOver]));
    }

    #[test]
    fn a_case_that_a_session_came_back_to_is_named_once() {
        let now = DateTime::UNIX_EPOCH + TimeDelta::days(201);
        let mut session = kept();
        let first = session.links[0].clone();
        let to = |no: &str| Link { facts: Facts { case_no: Some(no.into()), ..Facts::default() }, ..first.clone() };
        session.links = vec![to("甲"), to("乙"), to("甲")];
        let (retention, clock) = (retention(Some(200)), ClockTrust::default());
        let agreed = proposed().decide(&person("zhao", Role::BureauHead), true, None, now).unwrap();
        let order =
            agreed.order(&agreed.items[0], Standing { session: &session, retention: &retention, holds: &[], clock: &clock, now }).unwrap();
        assert_eq!(order.stays().case_nos, ["甲", "乙"]);
        let kept = crate::model::retention::of(&session, &[], &crate::model::retention::tests::table());
        assert_eq!(kept.why.iter().filter(|w| w.about.as_deref() == Some("甲")).count(), 1, "{:?}", kept.why);
    }

    #[test]
    fn what_stays_names_nobody() {
        use crate::model::facts::Officer;
        let now = DateTime::UNIX_EPOCH + TimeDelta::days(201);
        let mut session = kept();
        session.links[0].facts = Facts {
            case_no: Some("12号".into()),
            party: Some("张三".into()),
            officers: vec![Officer { name: "王建国".into(), ..Officer::default() }],
            ..Facts::default()
        };
        let (retention, clock) = (retention(Some(200)), ClockTrust::default());
        let agreed = proposed().decide(&person("zhao", Role::BureauHead), true, None, now).unwrap();
        let order =
            agreed.order(&agreed.items[0], Standing { session: &session, retention: &retention, holds: &[], clock: &clock, now }).unwrap();
        let text = serde_json::to_string(order.stays()).unwrap() + &serde_json::to_string(&order.stays().session()).unwrap();
        assert!(!text.contains("张三") && !text.contains("王建国"), "{text}");
        assert!(text.contains("12号"));
    }
}
