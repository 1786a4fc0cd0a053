//! The handover at the end of the day (第十四条): the officer hands over what was recorded and taken in, the custodian reads every file
//! again and gives the receipt. Two people, always.

use crate::model::facts::Facts;
use crate::model::ids::{AccountId, HandoverId};
use crate::model::missing;
use crate::model::people::{Act, Person, words};
use crate::model::session::{Session, State};
use crate::model::time;
use chrono::{DateTime, Days, Utc};
use serde::{Deserialize, Serialize};

/// A file as it is handed over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "recorder", derive(utoipa::ToSchema))]
pub struct FileDigest {
    /// Its name in the session's folder.
    pub file: String,
    /// Its SHA-256 as it was sealed.
    pub sha256: String,
}

/// A handover (移交).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "recorder", derive(utoipa::ToSchema))]
pub struct Handover {
    /// Its number; several sessions may be handed over together.
    pub id: HandoverId,
    /// The officer.
    pub from: AccountId,
    /// The custodian for whom it is meant.
    pub to: AccountId,
    /// What is handed over.
    pub digests: Vec<FileDigest>,
    /// When.
    pub at: DateTime<Utc>,
}

/// The custodian's receipt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "recorder", derive(utoipa::ToSchema))]
pub struct CustodianReceipt {
    /// For which handover.
    pub handover: HandoverId,
    /// The custodian who gave it.
    pub by: AccountId,
    /// When.
    pub at: DateTime<Utc>,
    /// Bytes that were read again.
    pub bytes: u64,
}

words!(
    /// Where a session stands on its way to the custodian.
    HandoverStanding {
        /// To be handed over today.
        Due = "due",
        /// Not handed over by 24:00 of its day.
        Overdue = "overdue",
        /// Handed over; the receipt is to be given.
        Waiting = "waiting",
        /// The receipt was given.
        Received = "received",
        /// The receipt was given, and the session was given up since (第十八条).
        Disposed = "disposed",
    }
);

/// How a session came to its custodian, as it is still known once the session was given up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "recorder", derive(utoipa::ToSchema))]
pub struct CameIn {
    /// By which handover.
    pub handover: HandoverId,
    /// The officer.
    pub from: AccountId,
    /// The custodian for whom it was meant.
    pub to: AccountId,
    /// When it was handed over.
    pub at: DateTime<Utc>,
    /// The custodian who gave the receipt.
    pub received_by: AccountId,
    /// When.
    pub received_at: DateTime<Utc>,
    /// Bytes that were read again.
    pub received_bytes: u64,
}

impl CameIn {
    /// Of a session that was received.
    pub fn of(session: &Session) -> Option<Self> {
        let (handed, receipt) = (session.handover.as_ref()?, session.receipt.as_ref()?);
        Some(Self {
            handover: handed.id.clone(),
            from: handed.from.clone(),
            to: handed.to.clone(),
            at: handed.at,
            received_by: receipt.by.clone(),
            received_at: receipt.at,
            received_bytes: receipt.bytes,
        })
    }

    /// The handover, of these files.
    pub fn handed_over(&self, digests: Vec<FileDigest>) -> Handover {
        Handover { id: self.handover.clone(), from: self.from.clone(), to: self.to.clone(), digests, at: self.at }
    }

    /// The receipt.
    pub fn receipt(&self) -> CustodianReceipt {
        CustodianReceipt { handover: self.handover.clone(), by: self.received_by.clone(), at: self.received_at, bytes: self.received_bytes }
    }
}

words!(
    /// Where a portable device's material stands after it was checked out.
    CheckOutState {
        /// It is out, and its day is not over.
        Out = "out",
        /// Nothing had come in by 24:00 of the day.
        Overdue = "overdue",
        /// It came in.
        Came = "came",
        /// It came in after midnight.
        CameLate = "came_late",
        /// Said to hold nothing, with a reason.
        Nothing = "nothing",
    }
);

/// Where a device's material stands. What comes in late stays late.
pub fn check_out_state(out_at: DateTime<Utc>, came_at: Option<DateTime<Utc>>, is_explained: bool, now: DateTime<Utc>) -> CheckOutState {
    let midnight = midnight_after(out_at);
    match came_at {
        Some(came) if came >= midnight => CheckOutState::CameLate,
        Some(_) => CheckOutState::Came,
        None if is_explained => CheckOutState::Nothing,
        None if now >= midnight => CheckOutState::Overdue,
        None => CheckOutState::Out,
    }
}

/// The digests of all that a session holds.
pub fn digests(session: &Session) -> Vec<FileDigest> {
    session.segments.iter().map(|s| FileDigest { file: s.file.clone(), sha256: s.sha256.clone() }).collect()
}

/// Until when a session is to be handed over: 24:00 Shanghai of the day on which it ended, or came in.
pub fn due(session: &Session) -> DateTime<Utc> {
    let came = session.imported.as_ref().map(|i| i.taken_in_at);
    midnight_after(came.or(session.ended_at).unwrap_or(session.started_at))
}

/// 24:00 Shanghai of the day that it is then.
pub fn midnight_after(at: DateTime<Utc>) -> DateTime<Utc> {
    let day = time::shanghai_day(at);
    time::shanghai_midnight(day.checked_add_days(Days::new(1)).unwrap_or(day))
}

/// Whether the custodian has had it. Only what was received is ever given up, so what was given up counts, whatever is still known of it.
pub fn is_received(session: &Session) -> bool {
    session.receipt.is_some() || session.state == State::Disposed
}

/// Where it stands; none while it is open.
pub fn standing(session: &Session, now: DateTime<Utc>) -> Option<HandoverStanding> {
    match session.state {
        State::Sealed if now >= due(session) => Some(HandoverStanding::Overdue),
        State::Sealed => Some(HandoverStanding::Due),
        State::HandedOver => Some(HandoverStanding::Waiting),
        State::Kept => Some(HandoverStanding::Received),
        State::Disposed => Some(HandoverStanding::Disposed),
        _ => None,
    }
}

/// Which of the six fields of 第十七条 are not complete: words of the console (`six-…`). The unit always is. One that does not exist
/// (there is no party at a patrol) is complete once its demand is answered with why; a mistaken start has none. Of one that was given up nothing is asked any more.
pub fn lacks(session: &Session) -> Vec<&'static str> {
    if session.mistake.is_some() || session.state == State::Disposed {
        return vec![];
    }
    let facts: &Facts = session.facts();
    let answered = |demand| missing::answer(session, demand).is_some();
    let named = || !facts.officers.is_empty() && facts.officers.iter().all(|o| o.certificate_no.is_some());
    let checks = [
        ("device", !session.device_numbers().is_empty() || answered("device-number")),
        ("officers", named()),
        ("time", !session.is_undated() || answered("use-time")),
        ("party", facts.party.is_some() || answered("party")),
        ("cause", facts.cause.is_some() || answered("cause")),
    ];
    checks.into_iter().filter(|(_, there)| !there).map(|(word, _)| word).collect()
}

/// Whether a session is this person's to hand over: they recorded it, took it in or are named on it; what a watched folder took in is
/// anybody's of the unit.
pub fn hands_over(who: &Person, session: &Session) -> bool {
    let named = |no: &String| session.facts().officers.iter().any(|o| o.certificate_no.as_ref() == Some(no));
    let of_unit = who.unit.as_ref() == Some(&session.unit);
    let nobodys = || session.imported.as_ref().is_some_and(|i| i.way == crate::model::import::ImportWay::Folder);
    let theirs = session.started_by == who.id || who.certificate_no.as_ref().is_some_and(named) || (of_unit && nobodys());
    who.may(Act::HandOver) && theirs
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::facts::Officer;
    use crate::model::ids::UnitId;
    use crate::model::missing::{Answer, AnswerKind};
    use crate::model::people::Role;
    use crate::model::refusal::Refusal;
    use crate::model::session::{Happening, Seal, SessionKind};
    use crate::model::step;
    use chrono::TimeDelta;
    use proptest::prelude::*;

    fn account(name: &str) -> AccountId {
        AccountId::new(name).unwrap()
    }

    fn sealed(facts: Facts) -> Session {
        let s = step::tests::started_with(SessionKind::Handling, facts);
        let s = step::step(&s, &Happening::Ended { by: None, mistake: None }, step::tests::at(60_000)).unwrap().0;
        let seal = Seal { code: String::new(), signer: String::new(), at: s.started_at };
        step::step(&s, &Happening::Sealed(seal), step::tests::at(60_000)).unwrap().0
    }

    fn handed(id: &str) -> Happening {
        let (id, from, to) = (HandoverId::new(id).unwrap(), account("wang"), account("zhao"));
        Happening::HandedOver(Handover { id, from, to, digests: vec![], at: DateTime::UNIX_EPOCH })
    }

    fn receipt(id: &str, by: &str) -> Happening {
        Happening::Received(CustodianReceipt {
            handover: HandoverId::new(id).unwrap(),
            by: account(by),
            at: DateTime::UNIX_EPOCH,
            bytes: 0,
        })
    }

    #[test]
    fn a_session_goes_from_officer_to_custodian_and_never_through_one_person() {
        let s = sealed(Facts::default());
        let go = |s: &Session, h: &Happening| step::step(s, h, step::tests::at(70_000)).map(|(s, _)| s);
        assert!(go(&s, &receipt("h-1", "zhao")).is_err(), "nothing was handed over");
        let s = go(&s, &handed("h-1")).unwrap();
        assert!(go(&s, &handed("h-2")).is_err(), "once");
        assert_eq!(go(&s, &receipt("h-1", "wang")).unwrap_err(), Refusal::SamePerson);
        assert!(go(&s, &receipt("h-2", "zhao")).is_err(), "another handover's");
        let s = go(&s, &receipt("h-1", "zhao")).unwrap();
        assert_eq!((s.state, s.receipt.unwrap().by), (State::Kept, account("zhao")));
    }

    #[test]
    fn what_ended_at_noon_is_due_at_midnight_in_shanghai_and_overdue_from_then_on() {
        let mut s = sealed(Facts::default());
        s.ended_at = Some("2026-11-25T04:00:00Z".parse().unwrap());
        let midnight: DateTime<Utc> = "2026-11-25T16:00:00Z".parse().unwrap();
        assert_eq!(due(&s), midnight);
        assert_eq!(standing(&s, midnight - TimeDelta::milliseconds(1)), Some(HandoverStanding::Due));
        assert_eq!(standing(&s, midnight), Some(HandoverStanding::Overdue));
        s.state = State::HandedOver;
        assert_eq!(standing(&s, midnight), Some(HandoverStanding::Waiting));
        // At 00:30 in Shanghai it is the next day already, whatever London's calendar says.
        s.ended_at = Some("2026-11-25T16:30:00Z".parse().unwrap());
        assert_eq!(due(&s), "2026-11-26T16:00:00Z".parse::<DateTime<Utc>>().unwrap());
    }

    #[test]
    fn what_was_given_up_after_its_receipt_stays_received_and_keeps_its_place_in_the_handover() {
        let mut s = sealed(Facts::default());
        let now = step::tests::at(80_000).at;
        for (state, received, stands) in [
            (State::Recording, false, None),
            (State::Sealed, false, Some(HandoverStanding::Due)),
            (State::HandedOver, false, Some(HandoverStanding::Waiting)),
            (State::Disposed, true, Some(HandoverStanding::Disposed)),
        ] {
            s.state = state;
            assert_eq!((is_received(&s), standing(&s, now)), (received, stands), "{state:?}");
        }
        assert!(lacks(&s).is_empty(), "nothing is asked of what is gone");
        let go = |s: &Session, h: &Happening| step::step(s, h, step::tests::at(70_000)).unwrap().0;
        let kept = go(&go(&sealed(Facts::default()), &handed("h-1")), &receipt("h-1", "zhao"));
        assert_eq!((is_received(&kept), standing(&kept, now)), (true, Some(HandoverStanding::Received)));
        let came = CameIn::of(&kept).unwrap();
        assert_eq!((Some(came.handed_over(vec![])), Some(came.receipt())), (kept.handover, kept.receipt));
        assert_eq!(CameIn::of(&sealed(Facts::default())), None);
    }

    #[test]
    fn a_device_whose_material_has_not_come_in_by_midnight_is_told() {
        let at = |text: &str| text.parse::<DateTime<Utc>>().unwrap();
        let (out, midnight) = (at("2026-11-25T01:00:00Z"), at("2026-11-25T16:00:00Z"));
        let before = midnight - TimeDelta::seconds(1);
        for (came, explained, now, state) in [
            (None, false, before, CheckOutState::Out),
            (None, false, midnight, CheckOutState::Overdue),
            (None, true, midnight, CheckOutState::Nothing),
            (Some(before), false, midnight, CheckOutState::Came),
            (Some(midnight), false, midnight, CheckOutState::CameLate),
            (Some(midnight), true, midnight, CheckOutState::CameLate),
        ] {
            assert_eq!(check_out_state(out, came, explained, now), state, "{came:?} {explained} {now}");
        }
    }

    #[test]
    fn the_six_fields_are_there_or_there_is_a_word_why_not() {
        let officer = Officer { name: "王某".into(), certificate_no: Some("冀E-1".into()), ..Officer::default() };
        let mut s = sealed(Facts::default());
        assert_eq!(lacks(&s), ["officers", "party", "cause"]);
        s.links[0].facts = Facts { officers: vec![officer], cause: Some("巡查".into()), ..Facts::default() };
        assert_eq!(lacks(&s), ["party"]);
        s.answers.push(Answer {
            demand: "party".into(),
            kind: AnswerKind::NotApplicable,
            reason: None,
            by: account("wang"),
            at: s.started_at,
        });
        assert!(lacks(&s).is_empty());
        let mut mistaken = sealed(Facts::default());
        mistaken.mistake = Some("误按".into());
        assert!(lacks(&mistaken).is_empty());
    }

    #[test]
    fn an_officer_hands_over_what_is_theirs() {
        let land = UnitId::new("land").unwrap();
        let person = |id: &str, no: &str, role| Person {
            unit: Some(land.clone()),
            certificate_no: Some(no.into()),
            ..Person::new(account(id), id, id, &[role])
        };
        let named = Officer { name: "李某".into(), certificate_no: Some("冀E-2".into()), ..Officer::default() };
        let s = sealed(Facts { officers: vec![named], ..Facts::default() });
        for (id, no, role, may) in [
            ("wang", "冀E-1", Role::Officer, true),
            ("li", "冀E-2", Role::Officer, true),
            ("sun", "冀E-3", Role::Officer, false),
            ("wang", "冀E-1", Role::LegalUnit, false),
        ] {
            assert_eq!(hands_over(&person(id, no, role), &s), may, "{id} {role:?}");
        }
    }

    proptest! {
        #[test]
        fn a_days_material_is_due_within_the_day_and_never_at_once(s in 0_i64..4_000_000_000) {
            let at = DateTime::from_timestamp(s, 0).unwrap();
            let left = midnight_after(at) - at;
            prop_assert!(left > TimeDelta::zero() && left <= TimeDelta::hours(24));
        }
    }
}
