//! Holds (第十九条): what may not be given up, whatever its date. A hold bites from the moment it is proposed; nobody lifts one alone.
//!
//! Four grounds are proposed by people. Three come by themselves, out of what is on file: a complaint about how the law was enforced,
//! a reconsideration or a lawsuit, a provision. Those need no line anywhere to be in force ([`in_effect`] derives them from the case
//! and the provision), so that none can be forgotten; a line is written when people say something to them.

use crate::model::case::Case;
use crate::model::ids::AccountId;
use crate::model::people::{Act, Person, Role, words};
use crate::model::provision::Provision;
use crate::model::refusal::Refusal;
use crate::model::session::{Session, State};
use crate::model::text_record::RecordKind;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

words!(
    /// Why something is preserved.
    Ground {
        /// （一）当事人有异议、投诉、上访.
        Objection = "objection",
        /// （二）逃避、拒绝、阻碍执法，谩骂、侮辱、殴打执法人员.
        Obstruction = "obstruction",
        /// （三）群体性事件、突发事件.
        MassIncident = "mass_incident",
        /// （四）其他重要情况.
        Important = "important",
        /// （一）by itself: a complaint about the enforcement is on the case's file.
        Complaint = "complaint",
        /// （四）by itself: reconsideration or litigation is on the case's file (第二十条).
        Litigation = "litigation",
        /// （四）by itself: it was provided to a court or another body (第二十一条).
        Provision = "provision",
    }
);

impl Ground {
    /// Whether it comes by itself, out of what is on file.
    pub fn is_automatic(self) -> bool {
        matches!(self, Self::Complaint | Self::Litigation | Self::Provision)
    }

    /// The item of 第十九条.
    pub fn article(self) -> &'static str {
        match self {
            Self::Objection | Self::Complaint => "第十九条（一）",
            Self::Obstruction => "第十九条（二）",
            Self::MassIncident => "第十九条（三）",
            Self::Important => "第十九条（四）",
            Self::Litigation => "第二十条",
            Self::Provision => "第二十一条",
        }
    }
}

words!(
    /// Where a hold stands. In all of them but the last it is in force.
    HoldState {
        /// 已提出: in force, and not confirmed yet.
        Proposed = "proposed",
        /// 已确认.
        Confirmed = "confirmed",
        /// 已提请解除: still in force.
        LiftProposed = "lift_proposed",
        /// 已解除.
        Lifted = "lifted",
    }
);

/// Somebody's word at a moment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "recorder", derive(utoipa::ToSchema))]
pub struct Word {
    /// When.
    pub at: DateTime<Utc>,
    /// Who.
    pub by: AccountId,
    /// In words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// A hold of one session.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "recorder", derive(utoipa::ToSchema))]
pub struct Hold {
    /// Why.
    pub ground: Ground,
    /// Which one of its ground: a running number, the record of a case (`c-1/3`), the number of a provision.
    pub about: String,
    /// Since when it is in force.
    pub since: DateTime<Utc>,
    /// Who proposed it; nobody, if it came by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proposed: Option<Word>,
    /// Who confirmed it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confirmed: Option<Word>,
    /// Who asked to lift it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lift: Option<Word>,
    /// Who else lifted it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lifted: Option<Word>,
    /// What it hangs on is still going on: it cannot be lifted yet. Derived, never written.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub pending: bool,
}

/// What people say to holds: a line of the session's journal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "said")]
pub enum HoldChange {
    /// Proposed: in force from here on.
    Proposed {
        /// Why.
        ground: Ground,
        /// In words.
        reason: String,
    },
    /// Confirmed.
    Confirmed,
    /// Asked to be lifted.
    LiftProposed {
        /// In words.
        reason: String,
    },
    /// That was refused; it stays.
    LiftRefused {
        /// In words.
        reason: String,
    },
    /// Lifted.
    Lifted,
}

/// Which hold of a session, by ground and about.
pub type HoldKey<'a> = (Ground, &'a str);

impl Hold {
    /// Where it stands.
    pub fn state(&self) -> HoldState {
        match (&self.lifted, &self.lift, &self.confirmed) {
            (Some(_), ..) => HoldState::Lifted,
            (None, Some(_), _) => HoldState::LiftProposed,
            (None, None, Some(_)) => HoldState::Confirmed,
            // What is on file needs nobody's word.
            (None, None, None) if self.ground.is_automatic() => HoldState::Confirmed,
            (None, None, None) => HoldState::Proposed,
        }
    }

    /// Whether it is in force.
    pub fn bites(&self) -> bool {
        self.state() != HoldState::Lifted
    }

    fn is(&self, key: HoldKey<'_>) -> bool {
        self.ground == key.0 && self.about == key.1
    }
}

/// The written holds of a session after a change. Who may say it is [`may`]'s; this keeps their order right.
pub fn after(holds: &[Hold], key: HoldKey<'_>, change: &HoldChange, word: Word) -> Result<Vec<Hold>, Refusal> {
    let mut all = holds.to_vec();
    if let HoldChange::Proposed { ground, reason } = change {
        if ground.is_automatic() || all.iter().any(|h| h.is(key)) {
            return Err(Refusal::HoldState { state: HoldState::Proposed.as_str().into() });
        }
        let proposed = Some(Word { reason: Some(reason.clone()), ..word.clone() });
        let since = word.at;
        all.push(Hold { ground: *ground, about: key.1.into(), since, proposed, confirmed: None, lift: None, lifted: None, pending: false });
        return Ok(all);
    }
    if !all.iter().any(|h| h.is(key)) {
        // The first word about one that came by itself.
        if !key.0.is_automatic() {
            return Err(Refusal::no_such("hold", &format!("{}/{}", key.0.as_str(), key.1)));
        }
        let since = word.at;
        all.push(Hold {
            ground: key.0,
            about: key.1.into(),
            since,
            proposed: None,
            confirmed: None,
            lift: None,
            lifted: None,
            pending: false,
        });
    }
    let Some(hold) = all.iter_mut().find(|h| h.is(key)) else { return Ok(all) };
    let state = hold.state();
    let fits = match change {
        HoldChange::Proposed { .. } => false,
        HoldChange::Confirmed => state == HoldState::Proposed,
        HoldChange::LiftProposed { .. } => matches!(state, HoldState::Proposed | HoldState::Confirmed),
        HoldChange::LiftRefused { .. } | HoldChange::Lifted => state == HoldState::LiftProposed,
    };
    if !fits {
        return Err(Refusal::HoldState { state: state.as_str().into() });
    }
    match change {
        HoldChange::Proposed { .. } => {}
        HoldChange::Confirmed => hold.confirmed = Some(word),
        HoldChange::LiftProposed { reason } => hold.lift = Some(Word { reason: Some(reason.clone()), ..word }),
        HoldChange::LiftRefused { .. } => hold.lift = None,
        HoldChange::Lifted => hold.lifted = Some(word),
    }
    Ok(all)
}

/// What the bureau decided where 第十九条 leaves it open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HoldRules {
    /// Roles that confirm a hold of ground （四）, of those that decide on holds at all: what an important circumstance is, the article
    /// does not say.
    pub important_by: Vec<Role>,
    /// The document that says so, with its date; none: the rule that is built in.
    pub document: Option<String>,
}

impl HoldRules {
    /// Every role that decides on holds.
    pub const IMPORTANT_BY: [Role; 3] = [Role::LeaderInCharge, Role::BureauHead, Role::LegalUnit];

    /// Whether this person confirms holds of a ground, among those who decide on holds.
    fn confirms(&self, who: &Person, ground: Ground) -> bool {
        ground != Ground::Important || self.important_by.iter().any(|role| who.is(*role))
    }
}

impl Default for HoldRules {
    fn default() -> Self {
        Self { important_by: Self::IMPORTANT_BY.to_vec(), document: None }
    }
}

/// Whether this person may say this to a hold of a session of a unit. Lifting takes two people, and neither confirms or lifts what
/// they asked for themselves (第十九条).
pub fn may(who: &Person, session: &Session, hold: Option<&Hold>, change: &HoldChange, rules: &HoldRules) -> Result<(), Refusal> {
    let (proposes, decides) = (who.may(Act::ProposeHold), who.may(Act::DecideHold));
    let leads = who.lists_unit(&session.unit);
    let own = |word: Option<&Word>| word.is_some_and(|w| w.by == who.id);
    match change {
        HoldChange::LiftProposed { .. } if proposes && hold.is_some_and(|h| h.pending) => Err(Refusal::HoldPending),
        HoldChange::Proposed { .. } | HoldChange::LiftProposed { .. } if proposes => Ok(()),
        HoldChange::Confirmed if decides && leads => {
            if hold.is_some_and(|h| !rules.confirms(who, h.ground)) {
                Err(Refusal::NotYourRole)
            } else if own(hold.and_then(|h| h.proposed.as_ref())) {
                Err(Refusal::OwnHold)
            } else {
                Ok(())
            }
        }
        HoldChange::Lifted | HoldChange::LiftRefused { .. } if decides && leads => match hold {
            Some(h) if own(h.lift.as_ref()) => Err(Refusal::OwnHold),
            Some(h) if h.pending && matches!(change, HoldChange::Lifted) => Err(Refusal::HoldPending),
            _ => Ok(()),
        },
        _ => Err(Refusal::NotYourRole),
    }
}

/// Every hold of a session, the written and those that come by themselves from these cases (all that any link of it names) and these
/// provisions (all that hold it); the lifted ones too.
pub fn of(session: &Session, cases: &[Case], provisions: &[Provision]) -> Vec<Hold> {
    // What was given up is held by nothing: what is on file about it holds no footage any more.
    if session.state == State::Disposed {
        return vec![];
    }
    let mut all = session.holds.clone();
    let mut derive =
        |ground: Ground, about: String, since: DateTime<Utc>, pending: bool| match all.iter_mut().find(|h| h.is((ground, &about))) {
            Some(written) => {
                written.since = since;
                written.pending = pending;
            }
            None => all.push(Hold { ground, about, since, proposed: None, confirmed: None, lift: None, lifted: None, pending }),
        };
    for case in cases {
        // What was entered of a proceeding is over once its end is entered behind it.
        let last_end = case.records.iter().filter(|r| r.kind == RecordKind::ProceedingEnded).map(|r| r.number).max().unwrap_or(0);
        for record in &case.records {
            let ground = match record.kind {
                RecordKind::EnforcementComplaint => Ground::Complaint,
                RecordKind::Reconsideration | RecordKind::Litigation => Ground::Litigation,
                _ => continue,
            };
            derive(ground, format!("{}/{}", case.id, record.number), record.at, record.number > last_end);
        }
    }
    for provision in provisions.iter().filter(|p| p.sessions.contains(&session.id)) {
        derive(Ground::Provision, provision.id.to_string(), provision.entered_at, !provision.is_over());
    }
    all.sort_by_key(|h| h.since);
    all
}

/// Whether anything holds it.
pub fn in_effect(holds: &[Hold]) -> bool {
    holds.iter().any(Hold::bites)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::model::case::tests::{by, opened, record};
    use crate::model::case::{Origin, Procedure};
    use crate::model::facts::Facts;
    use crate::model::session::SessionKind;
    use crate::model::step::tests::started_with;
    use chrono::TimeDelta;

    fn word(by: &str, s: i64) -> Word {
        Word { at: DateTime::UNIX_EPOCH + TimeDelta::seconds(s), by: AccountId::new(by).unwrap(), reason: None }
    }

    fn person(id: &str, role: Role) -> Person {
        Person { unit: Some(session().unit), ..Person::new(AccountId::new(id).unwrap(), id, id, &[role]) }
    }

    fn session() -> Session {
        started_with(SessionKind::Interview, Facts::default())
    }

    fn proposed() -> Vec<Hold> {
        let change = HoldChange::Proposed { ground: Ground::Objection, reason: "当事人有异议".into() };
        after(&[], (Ground::Objection, "1"), &change, word("wang", 1)).unwrap()
    }

    const KEY: HoldKey<'static> = (Ground::Objection, "1");

    #[test]
    fn a_hold_bites_from_its_proposal_to_its_lifting() {
        let lift = HoldChange::LiftProposed { reason: "已办结".into() };
        let mut holds = proposed();
        for (change, state) in [
            (HoldChange::Confirmed, HoldState::Confirmed),
            (lift.clone(), HoldState::LiftProposed),
            (HoldChange::LiftRefused { reason: "仍在上访".into() }, HoldState::Confirmed),
            (lift, HoldState::LiftProposed),
            (HoldChange::Lifted, HoldState::Lifted),
        ] {
            assert!(in_effect(&holds), "before {change:?}");
            holds = after(&holds, KEY, &change, word("zhao", 2)).unwrap();
            assert_eq!(holds[0].state(), state);
        }
        assert!(!in_effect(&holds));
        assert!(after(&holds, KEY, &HoldChange::Confirmed, word("zhao", 3)).is_err(), "what was lifted stays lifted");
        assert!(after(&proposed(), KEY, &HoldChange::Lifted, word("zhao", 3)).is_err(), "nothing is lifted that nobody asked to lift");
    }

    #[test]
    fn nobody_lifts_alone_and_nobody_confirms_their_own() {
        let (s, holds) = (session(), proposed());
        let lift = HoldChange::LiftProposed { reason: "已办结".into() };
        let asked = after(&holds, KEY, &lift, word("zhao", 2)).unwrap();
        for (who, hold, change, expected) in [
            (person("wang", Role::Officer), &holds[0], HoldChange::Confirmed, Err(Refusal::NotYourRole)),
            (person("wang", Role::LeaderInCharge), &holds[0], HoldChange::Confirmed, Err(Refusal::OwnHold)),
            (person("zhao", Role::LeaderInCharge), &holds[0], HoldChange::Confirmed, Ok(())),
            (person("zhao", Role::LegalUnit), &holds[0], lift, Ok(())),
            (person("zhao", Role::LegalUnit), &asked[0], HoldChange::Lifted, Err(Refusal::OwnHold)),
            (person("feng", Role::LegalUnit), &asked[0], HoldChange::Lifted, Ok(())),
            (person("li", Role::Custodian), &asked[0], HoldChange::Lifted, Err(Refusal::NotYourRole)),
            (person("root", Role::Administrator), &asked[0], HoldChange::Lifted, Err(Refusal::NotYourRole)),
        ] {
            assert_eq!(may(&who, &s, Some(hold), &change, &HoldRules::default()), expected, "{} {change:?}", who.username);
        }
    }

    #[test]
    fn who_confirms_an_important_circumstance_is_the_bureaus_to_say_and_nothing_else_changes_with_it() {
        use Role::{BureauHead, Custodian, LeaderInCharge, LegalUnit};
        let s = session();
        let hold = |ground| {
            let change = HoldChange::Proposed { ground, reason: "社会关注".into() };
            after(&[], (ground, "1"), &change, word("wang", 1)).unwrap().remove(0)
        };
        let by = |roles: &[Role]| HoldRules { important_by: roles.to_vec(), document: Some("威自然资发〔2026〕3号".into()) };
        let all = HoldRules::default();
        let no = Err(Refusal::NotYourRole);
        for (ground, role, rules, expected) in [
            (Ground::Important, LeaderInCharge, &all, Ok(())),
            (Ground::Important, BureauHead, &all, Ok(())),
            (Ground::Important, LegalUnit, &all, Ok(())),
            (Ground::Important, Custodian, &all, no.clone()),
            (Ground::Important, LeaderInCharge, &by(&[BureauHead]), no.clone()),
            (Ground::Important, LegalUnit, &by(&[BureauHead]), no.clone()),
            (Ground::Important, BureauHead, &by(&[BureauHead]), Ok(())),
            // A role that decides on no hold decides on none by a setting either.
            (Ground::Important, Custodian, &by(&[Custodian, BureauHead]), no.clone()),
            (Ground::Objection, LeaderInCharge, &by(&[BureauHead]), Ok(())),
            (Ground::MassIncident, LegalUnit, &by(&[BureauHead]), Ok(())),
        ] {
            let confirmed = may(&person("zhao", role), &s, Some(&hold(ground)), &HoldChange::Confirmed, rules);
            assert_eq!(confirmed, expected, "{ground:?} {role:?} {rules:?}");
        }
        // It bites before anybody has confirmed it, whoever that has to be; and lifting is as it was.
        assert!(hold(Ground::Important).bites());
        let asked =
            after(&[hold(Ground::Important)], (Ground::Important, "1"), &HoldChange::LiftProposed { reason: "x".into() }, word("a", 2));
        assert_eq!(may(&person("zhao", LegalUnit), &s, Some(&asked.unwrap()[0]), &HoldChange::Lifted, &by(&[BureauHead])), Ok(()));
    }

    #[test]
    fn what_is_on_file_holds_by_itself_and_cannot_be_lifted_while_it_goes_on() {
        let s = session();
        let case = opened(Origin::OwnInitiative, Procedure::Summary).after(&record(RecordKind::Litigation), &by("wang", 100)).unwrap();
        let holds = of(&s, std::slice::from_ref(&case), &[]);
        assert_eq!((holds.len(), holds[0].ground, holds[0].state(), holds[0].pending), (1, Ground::Litigation, HoldState::Confirmed, true));
        let lift = HoldChange::LiftProposed { reason: "判决生效".into() };
        let legal = person("feng", Role::LegalUnit);
        assert_eq!(may(&legal, &s, Some(&holds[0]), &lift, &HoldRules::default()), Err(Refusal::HoldPending));
        // Once its end is entered, two people lift it; the record that is on file does not bring it back.
        let closed = case.after(&record(RecordKind::ProceedingEnded), &by("wang", 150)).unwrap();
        let holds = of(&s, std::slice::from_ref(&closed), &[]);
        assert_eq!(may(&legal, &s, Some(&holds[0]), &lift, &HoldRules::default()), Ok(()));
        let key = (Ground::Litigation, holds[0].about.as_str());
        let written = after(&s.holds, key, &lift, word("feng", 200)).unwrap();
        let written = after(&written, key, &HoldChange::Lifted, word("zhao", 300)).unwrap();
        let holds = of(&Session { holds: written, ..s }, &[closed], &[]);
        assert_eq!((holds.len(), in_effect(&holds)), (1, false));
    }

    #[test]
    fn nothing_holds_what_was_given_up() {
        let s = session();
        let case = opened(Origin::OwnInitiative, Procedure::Summary).after(&record(RecordKind::Litigation), &by("wang", 100)).unwrap();
        assert!(in_effect(&of(&s, std::slice::from_ref(&case), &[])));
        let gone = Session { state: State::Disposed, ..s };
        assert!(of(&gone, &[case], &[]).is_empty(), "its lifted holds went with its journal, and must not come back");
    }
}
