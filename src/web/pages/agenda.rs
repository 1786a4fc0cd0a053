//! What needs a person now, in words: each line with how many, since when or until when, and the one link to exactly those.

use crate::desks::oversight::Watch;
use crate::desks::sessions::Lacking;
use crate::model::agenda::{Concern, Thing, UntilKind, Weight};
use crate::model::case::CaseState;
use crate::web::pages::Page;
use crate::web::pages::shown::{Accounts, Devices, Disposals, Holds, Media, Part, Plans, Provisions, Requests};
use chrono::{DateTime, TimeDelta, Utc};

/// A line.
pub struct Line {
    /// Which concern, by its word.
    pub word: &'static str,
    /// How pressing, by its word.
    pub weight: &'static str,
    /// The badge of that.
    pub badge: &'static str,
    /// What.
    pub text: String,
    /// How many.
    pub count: usize,
    /// Since when, or until when.
    pub when: Option<String>,
    /// Where exactly those are.
    pub link: String,
}

/// The lines of these things.
pub fn lines(page: &Page, things: &[Thing], now: DateTime<Utc>) -> Vec<Line> {
    things.iter().map(|t| line(page, t, now)).collect()
}

fn line(page: &Page, thing: &Thing, now: DateTime<Utc>) -> Line {
    let fact = &thing.fact;
    let (word, badge) = match thing.weight {
        Weight::Overdue => ("overdue", "bad"),
        Weight::Now => ("now", "warn"),
        Weight::Waits => ("waits", ""),
        Weight::Told => ("told", ""),
    };
    let text = page.word("concern", fact.concern.as_str());
    Line {
        word: fact.concern.as_str(),
        weight: word,
        badge,
        text: fact.name.as_ref().map_or_else(|| text.clone(), |name| format!("{text}{}{name}", page.colon())),
        count: fact.count,
        when: fact
            .until
            .map(|until| until_text(page, fact.concern.until_kind(), until, now))
            .or_else(|| fact.since.map(|since| page.with("agenda-since", "at", page.at(since)))),
        link: link(thing),
    }
}

/// By when, with what is left of it where that is less than three days.
fn until_text(page: &Page, kind: UntilKind, until: DateTime<Utc>, now: DateTime<Utc>) -> String {
    let at = page.with(&format!("agenda-{}", kind.as_str()), "at", page.at(until));
    let (left, over) = (until - now, until <= now);
    let span = if over { -left } else { left };
    if span >= TimeDelta::days(3) {
        return at;
    }
    let (hours, minutes) = (span.num_hours(), span.num_minutes() % 60);
    let values = [("hours", hours.to_string()), ("minutes", minutes.to_string())];
    format!("{at} ({})", page.lang.with(if over { "agenda-over" } else { "agenda-left" }, &values))
}

/// The page, and the part of it, that shows exactly what was counted.
fn link(thing: &Thing) -> String {
    let about = thing.fact.about.as_deref().unwrap_or_default();
    match thing.fact.concern {
        Concern::Alarms => "/alarms#open-alarms".into(),
        Concern::UrgentReport => cases(CaseState::UrgentInitiated),
        Concern::Initiations => cases(CaseState::InitiationPending),
        Concern::PlansToday => Plans::Today.link(),
        Concern::PlansMissed => Plans::Missed.link(),
        Concern::HandoverDue => "/handover#mine".into(),
        Concern::HandoverOverdue => "/handover#overdue".into(),
        Concern::CheckOutsOverdue => "/handover#check-outs".into(),
        Concern::Receipts => "/handover#inbox".into(),
        Concern::OwnUnlinked => Lacking::OwnUnlinked.link(),
        Concern::OwnLacking => Lacking::Own.link(),
        Concern::UnitsLacking => Lacking::Units.link(),
        Concern::Requests => "/access#to-decide".into(),
        Concern::GrantsLive => Requests::Live.link(),
        Concern::RequestsRefused => Requests::Refused.link(),
        Concern::CopiesReady => format!("/sessions/{about}#copies"),
        Concern::DeputiesEnding => "/access#deputies".into(),
        Concern::ProvisionsDue => Provisions::Due.link(),
        Concern::ProvisionsToAgree => Provisions::Agree.link(),
        Concern::ProvisionsToClose => Provisions::Close.link(),
        Concern::PeriodsOver => "/retention?list=due".into(),
        Concern::Holds => Holds::Mine.link(),
        Concern::DisposalsToDecide => Disposals::Decide.link(),
        Concern::DisposalsToClose => Disposals::Close.link(),
        Concern::MediaDue => Media::Due.link(),
        Concern::SecondMediumDue => "/media#without".into(),
        Concern::ReviewDue => format!("/oversight/review?quarter={about}"),
        Concern::Patterns => "/oversight#questions".into(),
        Concern::Refusals => format!("/oversight?what={}&since={about}", Watch::Refusals.as_str()),
        Concern::SignInsFailed => format!("/oversight?what={}&since={about}", Watch::SignIns.as_str()),
        Concern::RoomUnready => format!("/rooms/{about}/readiness"),
        Concern::DevicesIll => Devices::Ill.link(),
        Concern::DevicesDue => Devices::Due.link(),
        Concern::StorageSoon => "/figures#storage".into(),
        Concern::BackupTrouble => "/#machine".into(),
        Concern::ArchiveTrouble => "/archive".into(),
        Concern::AccountsEnding => Accounts::Ending.link(),
    }
}

fn cases(state: CaseState) -> String {
    format!("/cases?state={}", state.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::desks::retention::LISTS;
    use crate::model::agenda::Fact;
    use crate::web::pages::table::Asked;

    /// What a line says that its list is narrowed to is what the line said.
    #[test]
    fn a_line_leads_to_the_part_that_is_called_as_it_is() {
        fn named<P: Part>(asked: &Asked) -> Option<&'static str> {
            asked.shows::<P>().map(|p| p.name().1)
        }
        for concern in Concern::ALL {
            let link = link(&Thing { fact: Fact::of(*concern, 1), weight: Weight::Waits });
            let asked = Asked::of(&link.parse().unwrap());
            let page = link.split(['?', '#']).next().unwrap();
            let part = match page {
                "/plans" => named::<Plans>(&asked),
                "/access" if link.contains('?') => named::<Requests>(&asked),
                "/provisions" => named::<Provisions>(&asked),
                "/holds" => named::<Holds>(&asked),
                "/disposals" => named::<Disposals>(&asked),
                "/accounts" => named::<Accounts>(&asked),
                "/sessions" => named::<Lacking>(&asked),
                // Lists that people narrow by themselves have names of their own.
                "/media" | "/devices" => {
                    let known = named::<Media>(&asked).is_some() || named::<Devices>(&asked).is_some() || link.contains('#');
                    assert!(known, "{link}");
                    continue;
                }
                "/retention" => {
                    assert!(LISTS.iter().any(|l| link.ends_with(&format!("?list={l}"))), "{link}");
                    continue;
                }
                _ => continue,
            };
            assert_eq!(part, Some(concern.as_str()), "{link}");
        }
    }
}
