//! Watching the watchers (第二十二条, 第二十三条): who saw what, when, for how long and by whose leave; what was refused, taken out,
//! tried. Each row is an entry of the custody log, and can be proved.

use crate::catalog::{entries, requests, sessions, viewings};
use crate::desks::{Answer, Desks};
use crate::model::access::AccessRequest;
use crate::model::entry::EntryKind;
use crate::model::figures::{Period, Span};
use crate::model::patterns::{self, Question, Row, Trace};
use crate::model::people::{Act, Person, words};
use crate::model::refusal::Refusal;
use crate::model::session::Session;
use crate::model::time;
use crate::model::words::BadField;
use chrono::{DateTime, Datelike, Days, NaiveDate, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Rows that are shown; a narrower question shows the rest.
const ROWS_MAX: u32 = 2_000;
/// Requests of a quarter that its review holds.
pub(super) const REVIEWED_MAX: u32 = 10_000;

words!(
    /// What somebody wants to see.
    Watch {
        /// Viewings.
        Viewings = "viewings",
        /// Copies, stills and packages that left.
        Exports = "exports",
        /// Requests and decisions.
        Decisions = "decisions",
        /// Refusals.
        Refusals = "refusals",
        /// Wrong passwords.
        SignIns = "sign_ins",
        /// Live pictures.
        Live = "live",
        /// Accounts, tokens, deputies, factors.
        Accounts = "accounts",
    }
);

impl Watch {
    fn kinds(self) -> &'static [EntryKind] {
        use EntryKind as K;
        match self {
            Self::Viewings => &[K::ViewingOpened, K::StillTaken],
            Self::Exports => &[K::CopyTaken, K::PackageTaken, K::StillTaken, K::CopyOrdered, K::CopyMade, K::ProvisionHandedOver],
            Self::Decisions => &[K::AccessRequested, K::AccessApproved, K::AccessRejected, K::AccessRevoked, K::AccessClosed],
            Self::Refusals => &[K::Refused],
            Self::SignIns => &[K::SignInFailed],
            Self::Live => &[K::LiveOpened],
            Self::Accounts => &[
                K::AccountMade,
                K::AccountChanged,
                K::AccountEnded,
                K::PasswordChanged,
                K::LoginEnded,
                K::FactorAdded,
                K::FactorRemoved,
                K::TokenMade,
                K::TokenEnded,
                K::DeputyNamed,
                K::DeputyEnded,
            ],
        }
    }
}

/// What to look for; empty fields do not narrow.
#[derive(Debug, Clone, Default, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(default)]
pub struct OversightSearch {
    /// One of the kinds of rows: `viewings`, `exports`, `decisions`, `refusals`, `sign_ins`, `live`, `accounts`.
    pub what: Option<String>,
    /// First day, Shanghai; a month ago without it.
    pub from: Option<String>,
    /// Last day.
    pub until: Option<String>,
    /// A person's name or sign-in name, or a part.
    pub person: Option<String>,
    /// A session.
    pub session: Option<String>,
    /// Only what came after this moment, RFC 3339; instead of a first day.
    pub since: Option<String>,
}

/// A row.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct OversightRow {
    /// Its number through all logs of this machine.
    pub number: u64,
    /// Its index in the log of today, by which it is proved; none of an earlier log.
    pub index: Option<u64>,
    /// When.
    pub at: String,
    /// What.
    pub kind: EntryKind,
    /// Who.
    pub who: String,
    /// In which session.
    pub session: Option<String>,
    /// Under which request.
    pub request: Option<String>,
    /// By whose leave.
    pub approved_by: Option<String>,
    /// Seconds of picture that were shown.
    pub seconds: Option<u64>,
    /// Where from.
    pub from: Option<String>,
    /// Everything else that the entry says.
    pub about: BTreeMap<String, String>,
}

/// What was found.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct Oversight {
    /// Newest first.
    pub rows: Vec<OversightRow>,
    /// More lie behind.
    pub more: bool,
    /// What deserves a question, in the same time.
    pub questions: Vec<Question>,
}

/// A grant, as a quarter's review lists it.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct Reviewed {
    /// The request.
    pub request: AccessRequest,
    /// Viewings under it.
    pub viewings: usize,
    /// Seconds of picture in them.
    pub seconds: u64,
    /// Sessions of it that were looked at.
    pub looked_at: usize,
    /// Approved within three seconds.
    pub hasty: bool,
}

fn day(field: &str, text: Option<&String>) -> Result<Option<NaiveDate>, Refusal> {
    let Some(text) = text.map(|t| t.trim()).filter(|t| !t.is_empty()) else { return Ok(None) };
    let read = NaiveDate::parse_from_str(text, "%Y-%m-%d").ok().filter(|d| (2000..2200).contains(&d.year()));
    read.map(Some).ok_or_else(|| BadField::form(field, "is no day; 2026-11-23 would be right").into())
}

impl Desks {
    /// Rows of the viewing log (inspector, legal unit).
    pub async fn oversight(&self, who: &Person, search: &OversightSearch) -> Answer<Oversight> {
        self.need(who, Act::ReadLog)?;
        let today = time::shanghai_day(self.now().utc);
        let until = day("until", search.until.as_ref())?.unwrap_or(today);
        let from = day("from", search.from.as_ref())?.unwrap_or_else(|| until.checked_sub_days(Days::new(31)).unwrap_or(until));
        let since = search.since.as_deref().and_then(|s| s.parse::<DateTime<Utc>>().ok());
        // The moment itself was seen.
        let from = since.map_or_else(|| time::shanghai_midnight(from), |since| since + TimeDelta::milliseconds(1));
        let (from, until) = (from, time::shanghai_midnight(until.checked_add_days(Days::new(1)).unwrap_or(until)));
        let watch = search.what.as_deref().and_then(Watch::from_word);
        let kinds: Vec<EntryKind> =
            Watch::ALL.iter().filter(|w| watch.is_none_or(|only| only == **w)).flat_map(|w| w.kinds()).copied().collect();
        let session = search.session.as_ref().map(|s| s.trim().to_owned()).filter(|s| !s.is_empty());
        let person = search.person.as_ref().map(|p| p.trim().to_owned()).filter(|p| !p.is_empty());
        let origin = self.acts.log().state().origin.map(|o| o.to_string()).unwrap_or_default();
        let (from_ms, until_ms) = (from.timestamp_millis(), until.timestamp_millis());
        let (mut found, base, seen, asked, all) = self
            .read(move |c| {
                let wanted = entries::Wanted { from, until, kinds, session, person, rows_max: ROWS_MAX + 1 };
                Ok((
                    entries::watched(c, &wanted)?,
                    entries::base_of(c, &origin)?,
                    viewings::between(c, from_ms, until_ms, 100_000)?,
                    requests::between(c, 0, until_ms, 100_000)?,
                    entries::watched(
                        c,
                        &entries::Wanted { kinds: PATTERN_KINDS.to_vec(), session: None, person: None, rows_max: 100_000, ..wanted },
                    )?,
                ))
            })
            .await?;
        let more = found.len() > ROWS_MAX as usize;
        found.truncate(ROWS_MAX as usize);
        let viewing: BTreeMap<&str, &viewings::ViewingRow> = seen.iter().map(|v| (v.id.as_str(), v)).collect();
        let request: BTreeMap<&str, &AccessRequest> = asked.iter().map(|r| (r.id.as_str(), r)).collect();
        let row = |r: entries::Row| {
            let mut about = r.entry.about;
            let looked = about.get("viewing").and_then(|v| viewing.get(v.as_str()));
            let under = about.remove("request");
            OversightRow {
                number: r.number,
                index: base.filter(|base| r.number >= *base).map(|base| r.number - base),
                at: r.entry.at,
                kind: r.entry.kind,
                who: r.actor_name.or(r.entry.actor).unwrap_or_default(),
                session: r.entry.session,
                approved_by: under.as_ref().and_then(|u| request.get(u.as_str())).and_then(|r| r.decided_by_name.clone()),
                request: under,
                seconds: looked.map(|v| v.seconds),
                from: about.remove("from").or_else(|| looked.and_then(|v| v.address.clone())),
                about,
            }
        };
        let rows = found.into_iter().map(row).collect();
        let traces: Vec<Row> = all.into_iter().filter_map(|r| trace(r, &request)).collect();
        Ok(Oversight { rows, more, questions: patterns::of(&traces) })
    }

    /// Every approval of a quarter with what came of it, for the legal unit's review.
    pub async fn review(&self, who: &Person, quarter: Option<&str>) -> Answer<(String, Vec<Reviewed>)> {
        self.need(who, Act::ReadLog)?;
        let today = time::shanghai_day(self.now().utc);
        let wrong = || Refusal::from(BadField::form("quarter", "is no quarter; 2026-4 would be right"));
        let period = match quarter.map(str::trim).filter(|q| !q.is_empty()) {
            None => Period::around(today, Span::Quarter),
            Some(text) => Period::parse_quarter(text).ok_or_else(wrong)?,
        };
        let (from_ms, until_ms) = period.bounds_ms();
        let (asked, seen) = self
            .read(move |c| Ok((requests::between(c, from_ms, until_ms, REVIEWED_MAX)?, viewings::between(c, from_ms, i64::MAX, 200_000)?)))
            .await?;
        let granted = asked.into_iter().filter(|r| r.granted_at().is_some());
        let rows = granted
            .map(|request| {
                let under: Vec<_> = seen.iter().filter(|v| v.request == request.id.as_str()).collect();
                let sessions: std::collections::BTreeSet<_> = under.iter().map(|v| &v.session).collect();
                Reviewed {
                    viewings: under.len(),
                    seconds: under.iter().map(|v| v.seconds).sum(),
                    looked_at: sessions.len(),
                    hasty: request.is_hasty(),
                    request,
                }
            })
            .collect();
        Ok((period.quarter_text(), rows))
    }

    /// A session, for who provides or oversees: whole, without a picture.
    pub(super) async fn session_doc(&self, id: &crate::model::ids::SessionId) -> Answer<(Session, std::path::PathBuf)> {
        let wanted = id.clone();
        let doc = self.read(move |c| sessions::by_id(c, &wanted)).await?.ok_or_else(|| Refusal::no_such("session", id.as_str()))?;
        Ok((doc.session, self.footage().join(doc.folder)))
    }
}

/// What patterns are counted from.
const PATTERN_KINDS: &[EntryKind] = &[EntryKind::AccessApproved, EntryKind::ViewingOpened, EntryKind::Refused, EntryKind::SignInFailed];

fn trace(row: entries::Row, request: &BTreeMap<&str, &AccessRequest>) -> Option<Row> {
    let (entry, about) = (&row.entry, |name: &str| row.entry.about.get(name).cloned());
    let asked = about("request");
    let hasty = || asked.as_ref().and_then(|a| request.get(a.as_str())).is_some_and(|r| r.is_hasty());
    let trace = match entry.kind {
        EntryKind::AccessApproved if hasty() => Trace::HastyApproval,
        EntryKind::AccessApproved => Trace::Approval,
        EntryKind::ViewingOpened => Trace::Viewing,
        EntryKind::Refused => Trace::Refusal,
        EntryKind::SignInFailed => Trace::WrongPassword,
        _ => return None,
    };
    let who = row.actor_name.clone().or_else(|| entry.actor.clone()).or_else(|| about("account"))?;
    let at: DateTime<Utc> = entry.at.parse().ok()?;
    let about = if trace == Trace::Viewing { entry.session.clone() } else { asked }.unwrap_or_default();
    Some(Row { trace, who, at, about })
}
