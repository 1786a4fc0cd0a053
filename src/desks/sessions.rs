//! Finding sessions by the six fields of 第十七条, and reading what is known of one (no picture).

use crate::catalog::order::{self, Order};
use crate::catalog::sessions::{self as index, Filter};
use crate::catalog::{documents, lacking, requests};
use crate::desks::device_faults::SessionFault;
use crate::desks::{Answer, Desks};
use crate::model::access::{AccessRequest, Grant};
use crate::model::completeness::{self, Coverage};
use crate::model::ids::SessionId;
use crate::model::missing::{self, Missing};
use crate::model::people::{Act, Person, words};
use crate::model::prompts::{self, Prompt};
use crate::model::record::InterviewRecord;
use crate::model::refusal::Refusal;
use crate::model::session::{Session, SessionKind, State};
use crate::model::time;
use crate::model::words::BadField;
use chrono::{DateTime, Days, NaiveDate, TimeZone, Utc};
use serde::{Deserialize, Serialize};

/// Lines on a page of the list.
const PAGE_ROWS: u32 = 50;
/// One's own sessions that lack something, at most.
pub(super) const OWN_MAX: u32 = 500;

words!(
    /// Lists of what lacks something.
    Lacking {
        /// One's own.
        Own = "own",
        /// One's own without case or intake.
        OwnUnlinked = "own_unlinked",
        /// Of one's units.
        Units = "units",
    }
);

/// What to search for; empty fields do not narrow.
#[derive(Debug, Clone, Default, Deserialize, utoipa::IntoParams, utoipa::ToSchema)]
#[into_params(parameter_in = Query)]
#[serde(default)]
pub struct Search {
    /// 股室名称: the unit's identifier.
    pub unit: Option<String>,
    /// 执法记录设备编号.
    pub device_no: Option<String>,
    /// 执法人员信息: name or certificate number, or a part.
    pub officer: Option<String>,
    /// 使用时间: first day, `2026-11-23`, Shanghai.
    pub from: Option<String>,
    /// 使用时间: last day, inclusive.
    pub until: Option<String>,
    /// 案件当事人, or a part.
    pub party: Option<String>,
    /// 案由, or a part.
    pub cause: Option<String>,
    /// Any of: session number, case number, record number, party, cause, officer.
    pub text: Option<String>,
    /// Those that have ended and lack something, and nothing else of the above: `own`, `own_unlinked` (without case or intake) or `units`.
    pub lacking: Option<String>,
    /// 1 for the first page of 50.
    pub page: Option<u32>,
    /// In which order: `at`, `length`, `kind`, `party`, `cause`, `case`, `state`; with `-` before it, downwards. Otherwise, and of more
    /// than 10,000, the newest first.
    pub sort: Option<String>,
}

impl Search {
    /// Orders that there are.
    pub const ORDERS: &'static [&'static str] = &order::words(&index::COLUMNS);
}

/// A line of the list.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct SessionRow {
    /// Its number.
    pub id: SessionId,
    /// 股室名称.
    pub unit_name: String,
    /// The room's name.
    pub room_name: String,
    /// What for.
    pub kind: SessionKind,
    /// Where it stands.
    pub state: State,
    /// Start.
    pub started_at: DateTime<Utc>,
    /// Length, ms; so far, if it runs.
    pub length_ms: Option<u64>,
    /// 案号.
    pub case_no: Option<String>,
    /// 案件当事人.
    pub party: Option<String>,
    /// 案由名称.
    pub cause: Option<String>,
    /// 执法人员信息.
    pub officers: String,
    /// 执法记录设备编号.
    pub devices: String,
    /// How many gaps.
    pub gaps: usize,
    /// How many open demands.
    pub missing: usize,
}

/// A page of the list.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct SessionPage {
    /// Newest first.
    pub rows: Vec<SessionRow>,
    /// Of all that this person may list; counted up to 10,001.
    pub total: u64,
    /// Which page this is.
    pub page: u32,
    /// How many there are.
    pub pages: u32,
}

/// A document that was attached.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct Document {
    /// SHA-256; its name on disk.
    pub sha256: String,
    /// As it was uploaded.
    pub name: String,
    /// Sniffed, not believed.
    pub media_type: String,
    /// Size.
    pub bytes: u64,
    /// When.
    pub at: DateTime<Utc>,
    /// Who.
    pub by: String,
}

/// All that is known of a session, without a picture.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct SessionView {
    /// The session.
    pub session: Session,
    /// Unit's name.
    pub unit_name: String,
    /// Room's name.
    pub room_name: String,
    /// Length so far or in all, ms.
    pub length_ms: u64,
    /// What is missing.
    pub missing: Vec<Missing>,
    /// What is to be done now; empty once it has ended.
    pub prompts: Vec<Prompt>,
    /// How much of it was recorded, once it has ended.
    pub coverage: Option<Coverage>,
    /// This person's requests for it, newest first.
    pub requests: Vec<AccessRequest>,
    /// Number of the request that lets this person look now.
    pub grant: Option<String>,
    /// That grant allows a copy.
    pub grant_copy: bool,
    /// It allows originals: copies need not be masked.
    pub grant_original: bool,
    /// This person conducts the session now (may mark, end, see its live pictures).
    pub conducts: bool,
    /// This person may link it.
    pub may_link: bool,
    /// The interview record is left out: this person neither took part nor has an approval (第二十二条).
    pub record_closed: bool,
    /// Documents.
    pub documents: Vec<Document>,
    /// Faults of its devices while it ran (第十六条).
    pub faults: Vec<SessionFault>,
}

impl Desks {
    /// Sessions that this person may list and that fit. What a person may not list, they do not see counts of either.
    pub async fn sessions(&self, who: &Person, search: &Search) -> Answer<SessionPage> {
        self.need(who, Act::ListUnitSessions)?;
        if let Some(of) = search.lacking.as_deref().and_then(Lacking::from_word) {
            return self.lacking_sessions(who, of, search.page.unwrap_or(1).clamp(1, 100_000)).await;
        }
        let mut filter = filter(search)?;
        let may: Vec<String> = self.settings.units.iter().filter(|(u, _)| who.lists_unit(u)).map(|(u, _)| u.to_string()).collect();
        filter.units = Some(match given(search.unit.as_ref()) {
            Some(unit) => may.into_iter().filter(|u| *u == unit).collect(),
            None => may,
        });
        filter.restricted_to = (!who.lists_restricted()).then(|| (who.id.to_string(), who.certificate_no.clone()));
        let page = search.page.unwrap_or(1).clamp(1, 100_000);
        let (found, total) = self.read(move |c| index::find(c, &filter, (page - 1) * PAGE_ROWS, PAGE_ROWS)).await?;
        let rows = found.iter().map(|s| self.row(s)).collect();
        Ok(SessionPage { rows, total, page, pages: total.div_ceil(u64::from(PAGE_ROWS)).max(1) as u32 })
    }

    /// Sessions that lack something, as the first page counts them.
    async fn lacking_sessions(&self, who: &Person, of: Lacking, page: u32) -> Answer<SessionPage> {
        let (filter, unlinked) = (self.lacking_filter(who, of != Lacking::Units), of == Lacking::OwnUnlinked);
        let found = self.read(move |c| {
            // Without a case: few, and looked at one by one.
            if unlinked {
                let mut own = lacking::find(c, &filter, 0, OWN_MAX)?;
                own.retain(completeness::is_unlinked);
                let total = own.len() as u64;
                let from = ((page - 1) * PAGE_ROWS) as usize;
                return Ok((own.into_iter().skip(from).take(PAGE_ROWS as usize).collect::<Vec<_>>(), total));
            }
            Ok((lacking::find(c, &filter, (page - 1) * PAGE_ROWS, PAGE_ROWS)?, lacking::count(c, &filter)?.0))
        });
        let (found, total) = found.await?;
        let rows = found.iter().map(|s| self.row(s)).collect();
        Ok(SessionPage { rows, total, page, pages: total.div_ceil(u64::from(PAGE_ROWS)).max(1) as u32 })
    }

    /// One session, as far as this person may know of it.
    pub async fn session(&self, who: &Person, id: &SessionId) -> Answer<SessionView> {
        let doc = self.known(who, id).await?;
        let (person, wanted) = (who.id.clone(), id.clone());
        let (own, papers) =
            self.read(move |c| Ok((requests::of_person_for(c, &person, &wanted)?, documents::of_session(c, wanted.as_str())?))).await?;
        let grant = Grant::live(&own, who, id, self.now().utc).ok();
        let mut session = doc.session;
        let record_closed = !reads_record(who, &session) && grant.is_none() && !session.record.is_empty();
        if record_closed {
            session.record = InterviewRecord::default();
        }
        let running_ms = self.recorder.open_session(id).and_then(|(room, _)| room.view().elapsed_ms(self.now()));
        Ok(SessionView {
            unit_name: self.unit_name(&session.unit),
            room_name: self.room_name(&session),
            length_ms: self.length_ms(&session).unwrap_or(0),
            missing: missing::of(&session),
            prompts: running_ms.map(|ms| prompts::of(&session, ms)).unwrap_or_default(),
            coverage: (session.seal.is_some() && session.imported.is_none()).then(|| completeness::coverage(&session)),
            requests: own,
            grant_copy: grant.as_ref().is_some_and(|g| g.copy().is_ok()),
            grant_original: grant.as_ref().is_some_and(|g| g.original().is_ok()),
            grant: grant.map(|g| g.request().to_string()),
            conducts: who.may(Act::ConductSession) && self.recorder.open_session(id).is_some(),
            may_link: who.may(Act::LinkSession),
            record_closed,
            documents: papers.into_iter().map(Document::from).collect(),
            faults: self.session_faults(&session),
            session,
        })
    }

    pub(super) fn row(&self, s: &Session) -> SessionRow {
        let facts = s.facts();
        SessionRow {
            id: s.id.clone(),
            unit_name: self.unit_name(&s.unit),
            room_name: self.room_name(s),
            kind: s.kind,
            state: s.state,
            started_at: s.used_at(),
            length_ms: self.length_ms(s),
            case_no: facts.case_no.clone(),
            party: facts.party.clone(),
            cause: facts.cause.clone(),
            officers: index::officers_text(facts),
            devices: index::devices_text(s),
            gaps: s.gaps.len(),
            missing: missing::of(s).len(),
        }
    }

    fn room_name(&self, s: &Session) -> String {
        let room = self.recorder.room(&s.room).map(|r| r.view().name.clone());
        // What a portable device recorded is called by it; so is what was given up, of which no more is known.
        let of_device = || s.devices.first().filter(|_| s.imported.is_some() || s.state == State::Disposed).map(|d| d.name.clone());
        room.or_else(of_device).unwrap_or_else(|| s.room.to_string())
    }

    fn length_ms(&self, s: &Session) -> Option<u64> {
        s.length_ms.or_else(|| self.recorder.open_session(&s.id).and_then(|(room, _)| room.view().elapsed_ms(self.now())))
    }
}

impl From<documents::DocumentRow> for Document {
    fn from(row: documents::DocumentRow) -> Self {
        let at = Utc.timestamp_millis_opt(row.at_ms).single().unwrap_or_default();
        Self { sha256: row.sha256, name: row.name, media_type: row.media_type, bytes: row.bytes, at, by: row.by }
    }
}

/// Who took part reads what was written down there; for others it is material like the footage (第二十二条).
fn reads_record(who: &Person, session: &Session) -> bool {
    let wrote = || session.record.lines.iter().any(|l| l.by == who.id);
    let named = || session.facts().officers.iter().any(|o| o.certificate_no.is_some() && o.certificate_no == who.certificate_no);
    session.started_by == who.id || wrote() || named()
}

fn given(text: Option<&String>) -> Option<String> {
    text.map(|t| t.trim().chars().take(200).collect::<String>()).filter(|t| !t.is_empty())
}

fn filter(search: &Search) -> Result<Filter, Refusal> {
    let mut fields = Vec::new();
    let mut day = |field: &str, text: Option<&String>, plus: u64| {
        let date = NaiveDate::parse_from_str(&given(text)?, "%Y-%m-%d").ok().and_then(|d| d.checked_add_days(Days::new(plus)));
        let start = date.and_then(|d| time::shanghai().from_local_datetime(&d.and_hms_opt(0, 0, 0)?).single());
        if start.is_none() {
            fields.push(BadField::form(field, "is no day; 2026-11-23 would be right"));
        }
        start.map(|s| s.timestamp_millis())
    };
    let (from_ms, until_ms) = (day("from", search.from.as_ref(), 0), day("until", search.until.as_ref(), 1));
    if !fields.is_empty() {
        return Err(Refusal::BadFields { fields });
    }
    Ok(Filter {
        units: None,
        device_no: given(search.device_no.as_ref()),
        officer: given(search.officer.as_ref()),
        from_ms,
        until_ms,
        party: given(search.party.as_ref()),
        cause: given(search.cause.as_ref()),
        text: given(search.text.as_ref()),
        restricted_to: None,
        order: search.sort.as_deref().and_then(|word| Order::from_word(word, &index::COLUMNS)),
    })
}
