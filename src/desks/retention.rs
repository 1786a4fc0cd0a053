//! How long things are kept (第十八条): each session's class, date and reasons; what is due; the custodian's word on what has no case.
//!
//! The table of periods comes from the configuration and is put into the catalog at start; a change of it is an entry of the log
//! (第二十四条).

use crate::catalog::disposals;
use crate::catalog::retention::{self as index, Around, Filter, Wanted};
use crate::desks::sessions::SessionRow;
use crate::desks::{Answer, Desks, No, blocking};
use crate::footage::journal;
use crate::machine::fault::Fault;
use crate::model::clock_trust::ClockTrust;
use crate::model::digest;
use crate::model::disposal::{self, Obstacle, Standing};
use crate::model::entry::{Draft, EntryKind};
use crate::model::hold::{Hold, HoldState};
use crate::model::ids::{DisposalId, SessionId};
use crate::model::people::{Act, Person};
use crate::model::refusal::Refusal;
use crate::model::retention::{self, Extension, Retention, RetentionClass, Table};
use crate::model::session::{Happening, Session, State};
use crate::model::time;
use crate::model::words::{self, BadField};
use crate::recorder::after_end;
use chrono::{DateTime, NaiveDate, TimeZone, Utc};
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// Lines on a page of a list.
const PAGE_ROWS: u32 = 50;
/// Rows that are made again in one transaction: it must not hold up what sessions write.
const REFRESHED_AT_ONCE: u32 = 200;

/// A session's retention as its page shows it.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct RetentionView {
    /// Class, date and reasons.
    pub retention: Retention,
    /// Its holds, lifted ones too.
    pub holds: Vec<HoldView>,
    /// What keeps it from being given up now.
    pub obstacles: Vec<Obstacle>,
    /// The disposal that it is part of, if one is open; or the one by which it was given up.
    pub disposal: Option<DisposalId>,
    /// It was given up.
    pub is_gone: bool,
    /// This person may propose a hold.
    pub may_hold: bool,
    /// This person may say that it is routine, or keep it longer.
    pub may_appraise: bool,
    /// It has no case, and nobody said what it is.
    pub wants_class: bool,
}

/// A hold and what this person may say to it.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct HoldView {
    /// It.
    pub hold: Hold,
    /// Where it stands.
    pub state: HoldState,
    /// Names of those who said something to it: proposed, confirmed, lift, lifted.
    pub names: [Option<String>; 4],
    /// This person may confirm it.
    pub may_confirm: bool,
    /// This person may ask to lift it.
    pub may_ask: bool,
    /// This person may lift it, or refuse to.
    pub may_lift: bool,
}

/// Which list.
#[derive(Debug, Clone, Default, Deserialize, utoipa::IntoParams, utoipa::ToSchema)]
#[into_params(parameter_in = Query)]
#[serde(default)]
pub struct RetentionSearch {
    /// `due` (the default), `unclassified`, `routine`, `evidence`, `held` or `gone`.
    pub list: Option<String>,
    /// 1 for the first page of 50.
    pub page: Option<u32>,
}

/// A line of a list.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct RetentionRow {
    /// The session.
    pub session: SessionRow,
    /// As what.
    pub class: RetentionClass,
    /// The first moment at which it may go.
    pub earliest: Option<DateTime<Utc>>,
    /// Something holds it.
    pub held: bool,
    /// The custodian has received it: only then it can be given up (第十四条).
    pub received: bool,
    /// By which disposal it was given up, or in which open one it is: it is proposed once.
    pub disposal: Option<DisposalId>,
    /// Its devices: name and number of each.
    pub device_names: Vec<(String, String)>,
    /// When it was taken in, where its period runs from that day and not from its use.
    pub taken_in: Option<DateTime<Utc>>,
}

/// A list and how many it has.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct ListCount {
    /// Which.
    pub list: String,
    /// How many, counted up to 10,001; of those that are due, those that wait to be appraised.
    pub count: u64,
}

/// A page of a list.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct RetentionPage {
    /// Which list.
    pub list: String,
    /// Its rows.
    pub rows: Vec<RetentionRow>,
    /// How many there are, counted up to 10,001.
    pub total: u64,
    /// How many each of the lists has.
    pub counts: Vec<ListCount>,
    /// Which page.
    pub page: u32,
    /// How many pages.
    pub pages: u32,
    /// Whether the clock can be trusted.
    pub clock: ClockTrust,
}

/// The lists, in the order in which they are shown.
pub const LISTS: [&str; 6] = ["due", "unclassified", "routine", "evidence", "held", "gone"];

/// What a list shows.
fn wanted(list: &str) -> Wanted {
    match list {
        "held" => Wanted::Held,
        "gone" => Wanted::Gone,
        other => RetentionClass::from_word(other).map_or(Wanted::Due, Wanted::Class),
    }
}

impl Desks {
    /// The table of periods as it is configured.
    pub fn retention_table(&self) -> &Table {
        &self.settings.retention
    }

    /// Puts the configured table in force, and makes the rows again that were made by another one, behind everything else.
    pub async fn begin_retention(&self) -> Answer<()> {
        let wanted = self.settings.retention.clone();
        let (before, left) = self.read(|c| Ok((index::table(c)?, index::unmade(c)?))).await?;
        if before == wanted && left == 0 {
            return Ok(());
        }
        if before != wanted {
            let data = serde_json::to_vec(&wanted).map_err(|e| No::Fault(e.to_string()))?;
            let version = wanted.versions.last().map(|v| v.number.clone()).unwrap_or_default();
            let draft = Draft::new(EntryKind::RetentionTable)
                .about("version", version)
                .about("margin_days", wanted.margin_days)
                .about("sha256", digest::sha256(&data));
            self.acts.log_then_do(draft, move |t| index::set_table(t, &wanted)).await?;
        }
        let mut behind = String::new();
        while let Some(last) = self.acts.keep(move |t| index::refresh_some(t, &behind, REFRESHED_AT_ONCE)).await? {
            behind = last;
        }
        Ok(())
    }

    /// All that decides about a session, as its own journal and the files around it have it now.
    pub(super) async fn stands(&self, folder: &str, session: &Session) -> Answer<(Session, Around)> {
        let (path, known) = (self.footage().join(folder), session.clone());
        // The journal, not its index, decides.
        let told = blocking("reading a journal", move || journal::session(&path)).await?;
        let session = told.ok().flatten().unwrap_or(known);
        let wanted = session.clone();
        let around = self.read(move |c| index::around(c, &wanted)).await?;
        Ok((session, around))
    }

    /// What keeps a session, for its page.
    pub async fn retention(&self, who: &Person, id: &SessionId) -> Answer<RetentionView> {
        let doc = self.known(who, id).await?;
        let (session, wanted) = (doc.session, id.to_string());
        let seen = session.clone();
        let is_gone = session.state == State::Disposed;
        let of = if is_gone { disposals::of_gone } else { disposals::open_for };
        let (around, disposal) = self.read(move |c| Ok((index::around(c, &seen)?, of(c, &wanted)?))).await?;
        let (retention, holds) = (around.retention(&session), around.holds(&session));
        let clock = self.clock_trust();
        let at = Standing { session: &session, retention: &retention, holds: &holds, clock: &clock, now: self.now().utc };
        let obstacles = disposal::obstacles(at);
        let ended = session.ended_at.is_some() && session.state != State::Disposed;
        let unsaid = retention.why.iter().any(|w| matches!(w.reason, retention::Reason::Unlinked | retention::Reason::CaseUnknown));
        Ok(RetentionView {
            obstacles,
            disposal: disposal.map(|d| d.id),
            is_gone,
            may_hold: ended && who.may(Act::ProposeHold),
            may_appraise: ended && who.may(Act::Appraise) && who.unit.as_ref() == Some(&session.unit),
            wants_class: unsaid,
            holds: self.hold_views(who, &session, holds).await?,
            retention,
        })
    }

    pub(super) fn retention_filter(&self, who: &Person, wanted: Wanted) -> Filter {
        Filter {
            units: self.settings.units.iter().filter(|(u, _)| who.lists_unit(u)).map(|(u, _)| u.to_string()).collect(),
            wanted,
            now_ms: self.now_ms(),
            restricted_to: (!who.lists_restricted()).then(|| (who.id.to_string(), who.certificate_no.clone())),
        }
    }

    /// A list of what is due, unclassified, held, …
    pub async fn retention_list(&self, who: &Person, search: &RetentionSearch) -> Answer<RetentionPage> {
        self.need(who, Act::ReadRetention)?;
        let list = search.list.as_deref().filter(|l| LISTS.contains(l)).unwrap_or("due").to_owned();
        // What is proposed already stays in sight, and is not counted as due.
        let wanted = if list == "due" { Wanted::Over } else { wanted(&list) };
        let filter = self.retention_filter(who, wanted);
        let page = search.page.unwrap_or(1).clamp(1, 100_000);
        let found = self.read(move |c| {
            let (rows, total) = index::find(c, &filter, (page - 1) * PAGE_ROWS, PAGE_ROWS)?;
            let find = if filter.wanted == Wanted::Gone { disposals::of_gone } else { disposals::open_for };
            let in_disposal = |r: &index::Row| Ok::<_, Fault>(find(c, r.session.id.as_str())?.map(|d| d.id));
            let rows = rows.into_iter().map(|r| Ok((in_disposal(&r)?, r))).collect::<Result<Vec<_>, Fault>>()?;
            let of = |list: &str| index::Filter { wanted: self::wanted(list), ..filter.clone() };
            let counts = LISTS.iter().map(|l| Ok(ListCount { list: (*l).into(), count: index::count(c, &of(l))? }));
            Ok((rows, total, counts.collect::<Result<Vec<_>, Fault>>()?))
        });
        let (found, total, counts) = found.await?;
        let row = |(disposal, r): (Option<DisposalId>, index::Row)| RetentionRow {
            disposal,
            device_names: r.session.devices.iter().map(|d| (d.name.clone(), d.device_no.clone())).collect(),
            taken_in: retention::taken_in_later(&r.session),
            received: matches!(r.session.state, State::Kept | State::Disposed),
            session: self.row(&r.session),
            class: r.class,
            earliest: r.earliest_ms.and_then(|ms| Utc.timestamp_millis_opt(ms).single()),
            held: r.held,
        };
        let pages = total.div_ceil(u64::from(PAGE_ROWS)).max(1) as u32;
        Ok(RetentionPage { list, rows: found.into_iter().map(row).collect(), total, counts, page, pages, clock: self.clock_trust() })
    }

    /// A custodian of the session's unit, and the session.
    async fn appraised(&self, who: &Person, id: &SessionId, tried: &str) -> Answer<(Session, PathBuf)> {
        self.need(who, Act::Appraise)?;
        let doc = self.known(who, id).await?;
        if who.unit.as_ref() != Some(&doc.session.unit) {
            return Err(self.refused(who, Refusal::NotYourRole, tried));
        }
        Ok((doc.session, self.footage().join(doc.folder)))
    }

    /// Writes what was said of a session behind its entry.
    pub(super) async fn say(&self, draft: Draft, folder: PathBuf, happening: Happening) -> Answer<Session> {
        let shared = self.recorder.shared().clone();
        self.acts.log_then_do(draft, |_| Ok(())).await?;
        // A crash here leaves an entry without its line: what it says has not happened, and can be said again.
        let said = blocking("writing a journal", move || after_end::logged(&shared, &folder, &happening)).await???;
        self.indexed().await;
        Ok(said)
    }

    /// Says that a session without a known case is 日常执法: from then on it has a date.
    pub async fn declare_routine(&self, who: &Person, id: &SessionId, reason: &str) -> Answer<Session> {
        let (session, folder) = self.appraised(who, id, "declare_routine").await?;
        let reason = words::needed_text("reason", reason).map_err(Refusal::from)?;
        if session.ended_at.is_none() {
            return Err(Refusal::SessionState { state: session.state.as_str().into() }.into());
        }
        let draft = Draft::new(EntryKind::DeclaredRoutine).by(&who.id).in_session(id).text("reason", Some(&reason));
        self.say(draft, folder, Happening::DeclaredRoutine { by: who.id.clone(), reason }).await
    }

    /// Keeps a session longer than the rules ask.
    pub async fn extend_retention(&self, who: &Person, id: &SessionId, until: NaiveDate, reason: &str) -> Answer<Session> {
        let (session, folder) = self.appraised(who, id, "extend_retention").await?;
        let reason = words::needed_text("reason", reason).map_err(Refusal::from)?;
        if until <= time::shanghai_day(self.now().utc) {
            return Err(Refusal::from(BadField::form("until", "lies not ahead")).into());
        }
        if session.ended_at.is_none() {
            return Err(Refusal::SessionState { state: session.state.as_str().into() }.into());
        }
        let draft = Draft::new(EntryKind::RetentionExtended).by(&who.id).in_session(id).about("until", until).text("reason", Some(&reason));
        let extension = Extension { until, reason };
        self.say(draft, folder, Happening::Extended { by: who.id.clone(), extension }).await
    }
}
