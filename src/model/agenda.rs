//! What needs a person now: which concerns are whose, and in which order. Counted and dated by `desks::agenda`; the navigation's counts and
//! the first page are both made of it, so that they say the same.

use crate::model::people::{Act, Person, words};
use crate::model::time;
use chrono::{DateTime, Days, NaiveDate, TimeDelta, Utc};

words!(
    /// Something that somebody has to do, or should know of.
    Concern {
        /// Alarms that nobody has acknowledged (第十五条, 第二十三条).
        Alarms = "alarms",
        /// Cases that were begun urgently; their form is due within twenty-four hours (第五条).
        UrgentReport = "urgent_report",
        /// Initiation forms for the bureau head's decision (第五条).
        Initiations = "initiations",
        /// Plans of today.
        PlansToday = "plans_today",
        /// Plans that nobody kept or explained (第二十三条).
        PlansMissed = "plans_missed",
        /// One's own sessions for the custodian, by 24:00 (第十四条).
        HandoverDue = "handover_due",
        /// What was not handed over by 24:00 (第十四条).
        HandoverOverdue = "handover_overdue",
        /// Portable devices of which nothing had come in by 24:00 (第十四条).
        CheckOutsOverdue = "check_outs_overdue",
        /// Sessions for this custodian's receipt (第十四条).
        Receipts = "receipts",
        /// One's own sessions without case or intake (第四条).
        OwnUnlinked = "own_unlinked",
        /// One's own sessions that lack something.
        OwnLacking = "own_lacking",
        /// Sessions of the units that one supervises that lack something.
        UnitsLacking = "units_lacking",
        /// Requests for one's decision (第二十二条).
        Requests = "requests",
        /// One's own approvals, as long as they live.
        GrantsLive = "grants_live",
        /// One's own requests that were refused or revoked lately.
        RequestsRefused = "requests_refused",
        /// One's own viewing copies that can be fetched, of a session.
        CopiesReady = "copies_ready",
        /// One's own deputies whose authorisation ends soon.
        DeputiesEnding = "deputies_ending",
        /// Letters that are to be answered (第二十一条).
        ProvisionsDue = "provisions_due",
        /// Provisions that wait for one's agreement.
        ProvisionsToAgree = "provisions_to_agree",
        /// What was handed over and is to be closed.
        ProvisionsToClose = "provisions_to_close",
        /// Sessions whose period is over (第十八条).
        PeriodsOver = "periods_over",
        /// Holds for one's word (第十九条).
        Holds = "holds",
        /// Disposals for one's decision (第十八条).
        DisposalsToDecide = "disposals_to_decide",
        /// Disposals of which copies on media are not accounted for.
        DisposalsToClose = "disposals_to_close",
        /// Media of which a copy is to be read by now (第十九条).
        MediaDue = "media_due",
        /// Held sessions without a second medium after seven days (第十九条).
        SecondMediumDue = "second_medium_due",
        /// The last quarter's approvals, for review (第二十二条).
        ReviewDue = "review_due",
        /// Patterns in the viewing log that deserve a question, new since one looked (第二十三条).
        Patterns = "patterns",
        /// Refusals, new since one looked.
        Refusals = "refusals",
        /// Failed sign-ins, new since one looked.
        SignInsFailed = "sign_ins_failed",
        /// A room that is used today and was not checked, or not found ready (第十五条).
        RoomUnready = "room_unready",
        /// Devices that are out of use or faulty (第十六条).
        DevicesIll = "devices_ill",
        /// Devices that are to be maintained (第十五条).
        DevicesDue = "devices_due",
        /// Volumes that will be full within weeks.
        StorageSoon = "storage_soon",
        /// The catalog's backup failed.
        BackupTrouble = "backup_trouble",
        /// The archive is in trouble.
        ArchiveTrouble = "archive_trouble",
        /// Accounts that end soon.
        AccountsEnding = "accounts_ending",
    }
);

words!(
    /// How pressing something is; the most pressing first.
    Weight {
        /// Its time is over.
        Overdue = "overdue",
        /// Its time is over within a day, or it is an alarm.
        Now = "now",
        /// Somebody waits for it.
        Waits = "waits",
        /// To know of.
        Told = "told",
    }
);

words!(
    /// What the latest moment of something is.
    UntilKind {
        /// By then it has to be done.
        Due = "due",
        /// So long it is good.
        Good = "good",
        /// Then the first of them begins.
        Begins = "begins",
    }
);

/// Within so long something is pressing.
const SOON: TimeDelta = TimeDelta::hours(24);
/// What ends within so long ends soon.
const ENDS_SOON: TimeDelta = TimeDelta::days(14);
/// A refusal is told for so long.
const TOLD: TimeDelta = TimeDelta::days(7);

/// When a last day ends, if that is soon.
pub fn ends_soon(last: NaiveDate, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
    let ends = day_ends(last);
    (ends > now && ends - now < ENDS_SOON).then_some(ends)
}

/// The end of a day, Shanghai.
pub fn day_ends(day: NaiveDate) -> DateTime<Utc> {
    time::shanghai_midnight(day.checked_add_days(Days::new(1)).unwrap_or(day))
}

/// Whether a refusal of then is still told.
pub fn is_still_told(decided: DateTime<Utc>, now: DateTime<Utc>) -> bool {
    now - decided < TOLD
}

impl Concern {
    /// Whose it is: who holds any of these acts.
    pub fn acts(self) -> &'static [Act] {
        match self {
            // Officers have the bell, and their room says it where they start.
            Self::Alarms | Self::StorageSoon => &[Act::KeepDevices, Act::ManageAccounts],
            Self::UrgentReport => &[Act::ReadCases],
            Self::Initiations => &[Act::ApproveInitiation],
            Self::PlansToday | Self::PlansMissed | Self::OwnUnlinked | Self::OwnLacking => &[Act::ConductSession],
            Self::HandoverDue => &[Act::HandOver],
            Self::HandoverOverdue | Self::CheckOutsOverdue => &[Act::SeeOverdue],
            Self::Receipts => &[Act::ReceiveHandover],
            Self::UnitsLacking => &[Act::Supervise],
            Self::Requests | Self::ProvisionsToAgree => &[Act::DecideAccess],
            Self::GrantsLive | Self::RequestsRefused | Self::CopiesReady => &[Act::RequestAccess],
            Self::DeputiesEnding => &[Act::AppointDeputy],
            Self::ProvisionsDue | Self::ProvisionsToClose | Self::ReviewDue => &[Act::Provide],
            Self::PeriodsOver => &[Act::Appraise],
            Self::Holds => &[Act::DecideHold],
            Self::DisposalsToDecide => &[Act::DecideDisposal],
            Self::DisposalsToClose => &[Act::Appraise, Act::DecideDisposal],
            Self::MediaDue | Self::SecondMediumDue => &[Act::KeepMedia],
            Self::Patterns | Self::Refusals | Self::SignInsFailed => &[Act::ReadLog],
            Self::RoomUnready => &[Act::KeepDevices],
            Self::DevicesIll | Self::DevicesDue => &[Act::AddCamera],
            Self::BackupTrouble | Self::ArchiveTrouble | Self::AccountsEnding => &[Act::ManageAccounts],
        }
    }

    /// Whether something has to be done about it; else it is only told.
    pub fn asks(self) -> bool {
        !matches!(
            self,
            Self::UnitsLacking
                | Self::GrantsLive
                | Self::RequestsRefused
                | Self::CopiesReady
                | Self::DeputiesEnding
                | Self::Refusals
                | Self::SignInsFailed
                | Self::AccountsEnding
        )
    }

    /// Whether it is overdue by what it is.
    fn is_late(self) -> bool {
        matches!(self, Self::HandoverOverdue | Self::CheckOutsOverdue | Self::PlansMissed | Self::SecondMediumDue)
    }

    /// What its latest moment means.
    pub fn until_kind(self) -> UntilKind {
        match self {
            Self::GrantsLive | Self::CopiesReady | Self::DeputiesEnding | Self::AccountsEnding => UntilKind::Good,
            Self::PlansToday | Self::RoomUnready => UntilKind::Begins,
            _ => UntilKind::Due,
        }
    }

    /// How long before its moment it presses. An approval of one day is not pressing from its first minute on.
    fn soon(self) -> TimeDelta {
        match self {
            Self::GrantsLive | Self::CopiesReady => TimeDelta::hours(2),
            _ => SOON,
        }
    }
}

/// How much there is of a concern.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fact {
    /// What.
    pub concern: Concern,
    /// How many.
    pub count: usize,
    /// Since when the first of them waits.
    pub since: Option<DateTime<Utc>>,
    /// The earliest moment by which it has to be done, or until which it is good.
    pub until: Option<DateTime<Utc>>,
    /// The one thing that it is about, where it is one: a session, a room, a quarter, a moment to look from.
    pub about: Option<String>,
    /// That thing's name.
    pub name: Option<String>,
}

impl Fact {
    /// So many, without a date.
    pub fn of(concern: Concern, count: usize) -> Self {
        Self { concern, count, since: None, until: None, about: None, name: None }
    }
    /// Since when the first of them waits.
    #[must_use]
    pub fn since(self, since: Option<DateTime<Utc>>) -> Self {
        Self { since, ..self }
    }
    /// The earliest moment by which it has to be done.
    #[must_use]
    pub fn until(self, until: Option<DateTime<Utc>>) -> Self {
        Self { until, ..self }
    }
    /// What it is about, and its name.
    #[must_use]
    pub fn about(self, about: impl ToString, name: Option<String>) -> Self {
        Self { about: Some(about.to_string()), name, ..self }
    }
}

/// A line of a person's list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Thing {
    /// What there is.
    pub fact: Fact,
    /// How pressing it is.
    pub weight: Weight,
}

/// What this person is shown of it, the most pressing first. What is none of theirs is left out, count and all.
pub fn of(who: &Person, facts: Vec<Fact>, now: DateTime<Utc>) -> Vec<Thing> {
    let theirs = |f: &Fact| f.count > 0 && f.concern.acts().iter().any(|act| who.may(*act));
    let mut things: Vec<Thing> = facts.into_iter().filter(theirs).map(|fact| Thing { weight: weight(&fact, now), fact }).collect();
    let key = |t: &Thing| {
        let far = DateTime::<Utc>::MAX_UTC;
        (t.weight, t.fact.until.unwrap_or(far), t.fact.since.unwrap_or(far), t.fact.concern, t.fact.about.clone())
    };
    things.sort_by_key(key);
    things
}

fn weight(fact: &Fact, now: DateTime<Utc>) -> Weight {
    let concern = fact.concern;
    let over = fact.until.is_some_and(|until| until <= now) && concern.until_kind() != UntilKind::Good;
    if concern.is_late() || over {
        Weight::Overdue
    } else if concern == Concern::Alarms || fact.until.is_some_and(|until| until <= now + concern.soon()) {
        Weight::Now
    } else if concern.asks() {
        Weight::Waits
    } else {
        Weight::Told
    }
}

/// How many of these concerns there are.
pub fn count(things: &[Thing], of: &[Concern]) -> usize {
    things.iter().filter(|t| of.contains(&t.fact.concern)).map(|t| t.fact.count).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::ids::AccountId;
    use crate::model::people::Role;
    use proptest::prelude::*;

    fn person(roles: &[Role]) -> Person {
        Person::new(AccountId::new("x").unwrap(), "x", "某", roles)
    }

    fn at(h: i64) -> DateTime<Utc> {
        DateTime::UNIX_EPOCH + TimeDelta::hours(h)
    }

    fn shown(role: Role) -> Vec<&'static str> {
        let all = Concern::ALL.iter().map(|c| Fact::of(*c, 1)).collect();
        let mut words: Vec<_> = of(&person(&[role]), all, at(0)).iter().map(|t| t.fact.concern.as_str()).collect();
        words.sort_by_key(|w| Concern::from_word(w));
        words
    }

    #[test]
    fn each_role_is_shown_what_is_its_own_and_nothing_else() {
        let asked = ["grants_live", "requests_refused", "copies_ready"];
        let mut officer = vec!["urgent_report", "plans_today", "plans_missed", "handover_due", "own_unlinked", "own_lacking"];
        officer.extend(asked);
        assert_eq!(shown(Role::Officer), officer);
        assert_eq!(shown(Role::Reviewer), asked);
        assert_eq!(shown(Role::Inspector), ["patterns", "refusals", "sign_ins_failed"]);
        assert_eq!(shown(Role::Office), ["alarms", "room_unready", "devices_ill", "devices_due", "storage_soon"]);
        let machine = ["alarms", "devices_ill", "devices_due", "storage_soon", "backup_trouble", "archive_trouble", "accounts_ending"];
        assert_eq!(shown(Role::Administrator), machine);
        assert!(shown(Role::LiveViewer).is_empty());
        for (role, has, lacks) in [
            (
                Role::Custodian,
                &["receipts", "periods_over", "media_due", "handover_overdue"][..],
                &["requests", "holds", "plans_today"][..],
            ),
            (Role::LeaderInCharge, &["requests", "disposals_to_decide", "deputies_ending", "units_lacking"], &["initiations", "refusals"]),
            (Role::BureauHead, &["requests", "initiations"], &["receipts", "own_lacking"]),
            (Role::LegalUnit, &["provisions_due", "review_due", "patterns", "holds"], &["requests", "periods_over"]),
        ] {
            let words = shown(role);
            assert!(has.iter().all(|w| words.contains(w)), "{role:?}: {words:?}");
            assert!(!lacks.iter().any(|w| words.contains(w)), "{role:?}: {words:?}");
        }
    }

    #[test]
    fn what_is_over_comes_first_then_what_presses_then_what_waits_longest() {
        let facts = vec![
            Fact::of(Concern::RequestsRefused, 1).since(Some(at(1))),
            Fact::of(Concern::OwnLacking, 3).since(Some(at(50))),
            Fact::of(Concern::HandoverDue, 2).until(Some(at(110))),
            Fact::of(Concern::UrgentReport, 1).until(Some(at(99))),
            Fact::of(Concern::GrantsLive, 1).until(Some(at(124))),
            Fact::of(Concern::Alarms, 0),
            Fact::of(Concern::OwnUnlinked, 1).until(Some(at(200))),
        ];
        let said: Vec<_> =
            of(&person(&[Role::Officer]), facts, at(100)).iter().map(|t| (t.fact.concern.as_str(), t.weight.as_str())).collect();
        let wanted = [
            ("urgent_report", "overdue"),
            ("handover_due", "now"),
            ("own_unlinked", "waits"),
            ("own_lacking", "waits"),
            ("grants_live", "told"),
            ("requests_refused", "told"),
        ];
        assert_eq!(said, wanted);
    }

    proptest! {
        #[test]
        fn nothing_is_shown_that_is_nobodys_and_the_order_does_not_hang_on_how_it_was_gathered(
            counts in proptest::collection::vec((0..Concern::ALL.len(), 0..3_usize, proptest::option::of(0..500_i64)), 0..40),
            roles in proptest::collection::vec(0..Role::ALL.len(), 0..3), now in 0..500_i64,
        ) {
            let who = person(&roles.iter().map(|r| Role::ALL[*r]).collect::<Vec<_>>());
            let facts: Vec<Fact> = counts.iter().enumerate()
                .map(|(n, (c, count, until))| Fact::of(Concern::ALL[*c], *count).until(until.map(at)).about(n, None)).collect();
            let shown = of(&who, facts.clone(), at(now));
            for thing in &shown {
                prop_assert!(thing.fact.count > 0 && thing.fact.concern.acts().iter().any(|act| who.may(*act)));
            }
            prop_assert!(shown.windows(2).all(|two| two[0].weight <= two[1].weight));
            let total: usize = facts.iter().filter(|f| f.concern.acts().iter().any(|act| who.may(*act))).map(|f| f.count).sum();
            prop_assert_eq!(count(&shown, Concern::ALL), total);
            let turned = of(&who, facts.into_iter().rev().collect(), at(now));
            prop_assert_eq!(shown, turned);
        }
    }
}
