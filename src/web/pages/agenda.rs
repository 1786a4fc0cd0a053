//! What needs a person now, in words: each line with how many, since when or until when, and the one link to exactly those.

use crate::model::agenda::{Concern, Thing, UntilKind, Weight};
use crate::web::pages::Page;
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
        Concern::UrgentReport => "/cases?state=urgent_initiated".into(),
        Concern::Initiations => "/cases?state=initiation_pending".into(),
        Concern::PlansToday => "/plans?show=today".into(),
        Concern::PlansMissed => "/plans?show=missed".into(),
        Concern::HandoverDue => "/handover#mine".into(),
        Concern::HandoverOverdue => "/handover#overdue".into(),
        Concern::CheckOutsOverdue => "/handover#check-outs".into(),
        Concern::Receipts => "/handover#inbox".into(),
        Concern::OwnUnlinked => "/sessions?lacking=own_unlinked".into(),
        Concern::OwnLacking => "/sessions?lacking=own".into(),
        Concern::UnitsLacking => "/sessions?lacking=units".into(),
        Concern::Requests => "/access#to-decide".into(),
        Concern::GrantsLive => "/access?show=live#own".into(),
        Concern::RequestsRefused => "/access?show=refused#own".into(),
        Concern::CopiesReady => format!("/sessions/{about}#copies"),
        Concern::DeputiesEnding => "/access#deputies".into(),
        Concern::ProvisionsDue => "/provisions?show=due".into(),
        Concern::ProvisionsToAgree => "/provisions?show=agree".into(),
        Concern::ProvisionsToClose => "/provisions?show=close".into(),
        Concern::PeriodsOver => "/retention?list=due".into(),
        Concern::Holds => "/holds?show=mine".into(),
        Concern::DisposalsToDecide => "/disposals?show=decide".into(),
        Concern::DisposalsToClose => "/disposals?show=close".into(),
        Concern::MediaDue => "/media?show=due".into(),
        Concern::SecondMediumDue => "/media#without".into(),
        Concern::ReviewDue => format!("/oversight/review?quarter={about}"),
        Concern::Patterns => "/oversight#questions".into(),
        Concern::Refusals => format!("/oversight?what=refusals&since={about}"),
        Concern::SignInsFailed => format!("/oversight?what=sign_ins&since={about}"),
        Concern::RoomUnready => format!("/rooms/{about}/readiness"),
        Concern::DevicesIll => "/devices?show=ill".into(),
        Concern::DevicesDue => "/devices?show=due".into(),
        Concern::StorageSoon => "/figures#storage".into(),
        Concern::BackupTrouble => "/#machine".into(),
        Concern::ArchiveTrouble => "/archive".into(),
        Concern::AccountsEnding => "/accounts?show=ending".into(),
    }
}
