//! Cases and their text records (第二条, 第四条 – 第十一条). A case lies in a folder of its own, `cases/<id>/case.json`, written whole at
//! each change behind its log entry; the catalog is its index.

use crate::catalog::order::{self, Order};
use crate::catalog::{Reading, Writing, cases};
use crate::desks::sessions::SessionRow;
use crate::desks::{Answer, Desks, No, blocking, documents};
use crate::machine::{durable, randomness};
use crate::model::case::{By, Case, CaseChange, CaseFacts, CaseState, CaseVersion, Origin, Stage};
use crate::model::case_missing::{self, SessionBrief};
use crate::model::digest;
use crate::model::entry::{Draft, EntryKind};
use crate::model::ids::CaseId;
use crate::model::initiation::{self, Standing};
use crate::model::mark::MarkKind;
use crate::model::missing::{self, Missing};
use crate::model::people::{Act, Person};
use crate::model::refusal::Refusal;
use crate::model::session::Session;
use crate::model::text_record::Attachment;
use crate::model::time;
use crate::model::words::{self, BadField};
use bytes::Bytes;
use chrono::{DateTime, Datelike, Utc};
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// Lines on a page of the list.
const PAGE_ROWS: u32 = 50;
/// Numbers that a start form suggests.
const SUGGESTED: u32 = 200;

/// What to search for.
#[derive(Debug, Clone, Default, Deserialize, utoipa::IntoParams, utoipa::ToSchema)]
#[into_params(parameter_in = Query)]
#[serde(default)]
pub struct CaseSearch {
    /// A number, a party, a cause, or a part.
    pub text: Option<String>,
    /// A state.
    pub state: Option<String>,
    /// 1 for the first page of 50.
    pub page: Option<u32>,
    /// In which order: `number`, `cause`, `unit`, `state`, `opened`; with `-` before it, downwards. Otherwise the newest first.
    pub sort: Option<String>,
}

impl CaseSearch {
    /// Orders that there are.
    pub const ORDERS: &'static [&'static str] = &order::words(&cases::COLUMNS);
}

/// A line of the list.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct CaseRow {
    /// The case.
    pub case: Case,
    /// Its unit's name.
    pub unit_name: String,
    /// Where its initiation stands.
    pub standing: Standing,
    /// 逾期.
    pub late: bool,
}

/// A page of the list.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct CasePage {
    /// Newest first.
    pub rows: Vec<CaseRow>,
    /// Of all that this person may list.
    pub total: u64,
    /// Which page this is.
    pub page: u32,
    /// How many there are.
    pub pages: u32,
}

/// What stands on a case's time line, in the order in which it happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case", tag = "what")]
pub enum Happened {
    /// A text record: its number.
    Record {
        /// Which.
        number: u32,
    },
    /// A session: its place in `sessions`.
    Session {
        /// Which.
        at: usize,
    },
}

/// All that is known of a case.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct CaseView {
    /// The case.
    pub case: Case,
    /// Its unit's name.
    pub unit_name: String,
    /// Where its initiation stands.
    pub standing: Standing,
    /// 逾期, for ever.
    pub late: bool,
    /// What is missing.
    pub missing: Vec<Missing>,
    /// Sessions that are or were linked to it and that this person may know of.
    pub sessions: Vec<SessionRow>,
    /// Sessions that are linked elsewhere by now.
    pub moved: Vec<String>,
    /// Records and sessions in one order.
    pub timeline: Vec<(DateTime<Utc>, Happened)>,
    /// This person may write in it.
    pub may_keep: bool,
    /// It is archived, and this person may still enter what comes after that (第十九条, 第二十条).
    pub may_follow: bool,
    /// This person may decide on its form now.
    pub may_rule: bool,
}

/// A new case.
#[derive(Debug, Clone, Deserialize, utoipa::ToSchema)]
pub struct NewCase {
    /// How it came about.
    pub origin: Origin,
    /// 实名, for complaints.
    #[serde(default)]
    pub named: bool,
    /// What is known.
    #[serde(flatten)]
    pub facts: CaseFacts,
}

impl Desks {
    /// Cases that this person may list and that fit.
    pub async fn cases(&self, who: &Person, search: &CaseSearch) -> Answer<CasePage> {
        self.need(who, Act::ReadCases)?;
        let filter = self.case_filter(who, search);
        let page = search.page.unwrap_or(1).clamp(1, 100_000);
        let (found, total) = self.read(move |c| cases::find(c, &filter, (page - 1) * PAGE_ROWS, PAGE_ROWS)).await?;
        let now = self.now().utc;
        let rows = found.into_iter().map(|case| self.case_row(case, now)).collect();
        Ok(CasePage { rows, total, page, pages: total.div_ceil(u64::from(PAGE_ROWS)).max(1) as u32 })
    }

    pub(super) fn case_filter(&self, who: &Person, search: &CaseSearch) -> cases::Filter {
        let given = |t: &Option<String>| t.as_deref().map(|t| t.trim().chars().take(200).collect::<String>()).filter(|t| !t.is_empty());
        cases::Filter {
            units: self.settings.units.iter().filter(|(u, _)| who.lists_unit(u)).map(|(u, _)| u.to_string()).collect(),
            text: given(&search.text),
            state: given(&search.state),
            order: search.sort.as_deref().and_then(|word| Order::from_word(word, &cases::COLUMNS)),
            restricted_to: (!who.lists_restricted()).then(|| (who.id.to_string(), who.certificate_no.clone())),
        }
    }

    fn case_row(&self, case: Case, now: DateTime<Utc>) -> CaseRow {
        CaseRow {
            unit_name: self.unit_name(&case.unit),
            standing: initiation::standing(case.urgent.as_ref(), &case.forms, now),
            late: initiation::is_late(case.urgent.as_ref(), &case.forms, now),
            case,
        }
    }

    /// Numbers of cases that are not closed, for the start form to suggest; empty where it cannot be read.
    pub async fn case_numbers(&self, who: &Person) -> Vec<(String, String)> {
        if !who.may(Act::ReadCases) {
            return vec![];
        }
        let filter = self.case_filter(who, &CaseSearch::default());
        let found = self.read(move |c| cases::find(c, &filter, 0, SUGGESTED)).await.map(|(found, _)| found).unwrap_or_default();
        let open = found.into_iter().filter(|c| !matches!(c.state, CaseState::Closed | CaseState::Archived));
        open.map(|c| (c.number().to_owned(), [c.facts().parties.join("、"), c.facts().cause.clone().unwrap_or_default()].join(" ")))
            .collect()
    }

    /// Opens a case at its intake.
    pub async fn open_case(&self, who: &Person, new: NewCase) -> Answer<Case> {
        self.need(who, Act::KeepCases)?;
        let facts = self.check_case(new.facts).await?;
        let unit = who.unit.clone().ok_or(Refusal::NotYourRole)?;
        let _turn = self.cases_turn.lock().await;
        let now = self.now().utc;
        let begins = format!("受理-{}-", time::shanghai_day(now).year());
        let prefix = begins.clone();
        let count = self.read(move |c| cases::intakes(c, &prefix)).await?;
        let id = CaseId::new(&format!("c-{}", randomness::hex::<5>()?)).map_err(|e| No::Fault(e.to_string()))?;
        let case = Case {
            id,
            intake_no: format!("{begins}{:04}", count + 1),
            unit,
            origin: new.origin,
            named: new.named && new.origin == Origin::Complaint,
            state: CaseState::Intake,
            stage: Stage::Initiation,
            versions: vec![CaseVersion { facts, reason: None, at: now, by: who.id.clone() }],
            records: vec![],
            urgent: None,
            forms: vec![],
            answers: vec![],
            closing: None,
            archived_at: None,
        };
        self.keep_case(who, &case, Draft::new(EntryKind::CaseOpened)).await?;
        Ok(case)
    }

    /// A case that this person may know of.
    async fn known_case(&self, who: &Person, id: &CaseId) -> Answer<Case> {
        self.need(who, Act::ReadCases)?;
        let wanted = id.clone();
        let found = self.read(move |c| cases::by_id(c, &wanted)).await?;
        let may = |case: &Case| {
            let facts = case.facts();
            let opened = case.versions.first().is_some_and(|v| v.by == who.id);
            let named = who.certificate_no.is_some() && facts.officers.iter().any(|o| o.certificate_no == who.certificate_no);
            who.lists_unit(&case.unit) && (!facts.restricted || opened || named || who.lists_restricted())
        };
        match found {
            Some(case) if may(&case) => Ok(case),
            Some(_) => Err(self.refused(who, Refusal::no_such("case", id.as_str()), "case")),
            None => Err(Refusal::no_such("case", id.as_str()).into()),
        }
    }

    /// One case, with its sessions and what it lacks.
    pub async fn case(&self, who: &Person, id: &CaseId) -> Answer<CaseView> {
        let case = self.known_case(who, id).await?;
        let now = self.now().utc;
        let numbers = numbers(&case);
        let linked = self.read(move |c| cases::sessions(c, &numbers)).await?;
        let briefs = briefs(&case, &linked);
        let now_of = |s: &Session| s.facts().case_no.as_deref().is_some_and(|no| case.numbers().contains(&no));
        let moved = linked.iter().filter(|s| !now_of(s) && who.lists(s)).map(|s| s.id.to_string()).collect();
        let sessions: Vec<SessionRow> = linked.iter().filter(|s| who.lists(s)).map(|s| self.row(s)).collect();
        let records = case.records.iter().map(|r| (r.stated_at, Happened::Record { number: r.number }));
        let recorded = sessions.iter().enumerate().map(|(at, s)| (s.started_at, Happened::Session { at }));
        let mut timeline: Vec<_> = records.chain(recorded).collect();
        timeline.sort_by_key(|(at, _)| *at);
        let row = self.case_row(case, now);
        let keeps = who.may(Act::KeepCases) && who.unit.as_ref() == Some(&row.case.unit);
        let own = row.case.forms.last().is_some_and(|f| f.by == who.id);
        Ok(CaseView {
            missing: case_missing::of(&row.case, &briefs, now),
            may_keep: keeps && row.case.state != CaseState::Archived,
            may_follow: keeps && row.case.state == CaseState::Archived,
            may_rule: who.may(Act::ApproveInitiation) && row.standing == Standing::Pending && !own,
            case: row.case,
            unit_name: row.unit_name,
            standing: row.standing,
            late: row.late,
            sessions,
            moved,
            timeline,
        })
    }

    /// Changes a case. Who may: its unit's officers and custodians; the decision on the form is the bureau head's alone (第五条).
    pub async fn change_case(&self, who: &Person, id: &CaseId, change: CaseChange) -> Answer<Case> {
        let _turn = self.cases_turn.lock().await;
        let case = self.known_case(who, id).await?;
        let rules = matches!(change, CaseChange::Ruled { .. });
        self.need(who, if rules { Act::ApproveInitiation } else { Act::KeepCases })?;
        if !rules && who.unit.as_ref() != Some(&case.unit) {
            return Err(self.refused(who, Refusal::NotYourRole, "keep_cases"));
        }
        let change = self.check_change(&case, change).await?;
        let by = By { at: self.now().utc, id: who.id.clone(), name: who.name.clone() };
        let next = case.after(&change, &by)?;
        self.keep_case(who, &next, entry(&change)).await?;
        Ok(next)
    }

    /// Writes a case: entry, then file, then row.
    async fn keep_case(&self, who: &Person, case: &Case, draft: Draft) -> Answer<()> {
        let data = serde_json::to_vec_pretty(case).map_err(|e| No::Fault(e.to_string()))?;
        let draft = draft.by(&who.id).about("case", &case.id).about("state", case.state.as_str()).about("sha256", digest::sha256(&data));
        let (folder, kept) = (self.case_folder(&case.id), case.clone());
        let work = move |t: &Writing<'_>| {
            durable::make_folder(&folder)?;
            durable::write_whole(&folder.join("case.json"), &data)?;
            cases::put(t, &kept)
        };
        Ok(self.acts.log_then_do(draft, work).await?)
    }

    async fn check_change(&self, case: &Case, change: CaseChange) -> Answer<CaseChange> {
        let needed = |field: &str, text: &str| words::needed_text(field, text).map_err(Refusal::from);
        Ok(match change {
            CaseChange::Facts { facts, reason } => {
                let reason = needed("reason", &reason)?;
                CaseChange::Facts { facts: self.check_case(facts).await?, reason }
            }
            CaseChange::Urgent { stated_at, reason } => CaseChange::Urgent { stated_at, reason: needed("reason", &reason)? },
            CaseChange::Submitted(mut f) => {
                let all = [
                    ("source", &mut f.source),
                    ("party", &mut f.party),
                    ("cause", &mut f.cause),
                    ("summary", &mut f.summary),
                    ("basis", &mut f.basis),
                    ("opinion", &mut f.opinion),
                    ("officers", &mut f.officers),
                ];
                let mut fields: Vec<BadField> = Vec::new();
                for (name, field) in all {
                    match words::needed_text(name, field) {
                        Ok(text) => *field = text,
                        Err(bad) => fields.push(bad),
                    }
                }
                if !fields.is_empty() {
                    return Err(Refusal::BadFields { fields }.into());
                }
                CaseChange::Submitted(f)
            }
            CaseChange::Ruled { approved, reason } => {
                let reason = reason.as_deref().map_or(Ok(None), |r| words::text("reason", r)).map_err(Refusal::from)?;
                CaseChange::Ruled { approved, reason }
            }
            CaseChange::Answered { demand, kind, reason } => {
                let reason = reason.as_deref().map_or(Ok(None), |r| words::text("reason", r)).map_err(Refusal::from)?;
                case_missing::may_answer(&demand, kind, reason.as_deref())?;
                CaseChange::Answered { demand, kind, reason }
            }
            CaseChange::Closed { on, period } => {
                // 案卷保存期限: one of the table, or what belongs to the file would be kept without a date for ever (第十八条第三款).
                let period = needed("period", &period)?;
                let class = self.settings.retention.class(on, &period).map(|c| c.id.clone());
                CaseChange::Closed { on, period: class.ok_or_else(|| Refusal::from(BadField::form("period", "is none of the table")))? }
            }
            CaseChange::Archived => {
                let numbers = numbers(case);
                let linked = self.read(move |c: &Reading| cases::sessions(c, &numbers)).await?;
                case_missing::may_archive(case, &briefs(case, &linked), self.now().utc)?;
                CaseChange::Archived
            }
            other @ (CaseChange::Record { .. } | CaseChange::Attached { .. } | CaseChange::Begun) => other,
        })
    }

    async fn check_case(&self, facts: CaseFacts) -> Answer<CaseFacts> {
        let mut fields: Vec<BadField> = Vec::new();
        let mut keep = |r: Result<Option<String>, BadField>| r.map_err(|e| fields.push(e)).unwrap_or_default();
        let number = keep(words::number("case_no", facts.number.as_deref().unwrap_or_default()));
        let cause = keep(words::line("cause", facts.cause.as_deref().unwrap_or_default()));
        let parties: Vec<String> = facts.parties.iter().take(50).filter_map(|p| keep(words::line("party", p))).collect();
        if !fields.is_empty() {
            return Err(Refusal::BadFields { fields }.into());
        }
        let named = crate::model::facts::Facts { officers: facts.officers, ..crate::model::facts::Facts::default() };
        let officers = self.complete(named).await?.officers;
        Ok(CaseFacts { number, cause, parties, officers, ..facts })
    }

    /// Whether a case of this number is listed narrowly: then so are its sessions.
    pub(super) async fn is_restricted(&self, number: &str) -> bool {
        let wanted = number.to_owned();
        let found = self.read(move |c| cases::by_number(c, &wanted)).await.unwrap_or_default();
        found.iter().any(|c| c.facts().restricted)
    }

    /// Puts a file beside a record: PDF, image or office document.
    pub async fn attach_to_case(&self, who: &Person, id: &CaseId, record: u32, name: &str, content: Bytes) -> Answer<Attachment> {
        self.need(who, Act::KeepCases)?;
        let name = words::needed_line("name", name).map_err(Refusal::from)?;
        let (media_type, ending) = documents::sniff_any(&content)?;
        let attachment = Attachment { sha256: digest::sha256(&content), name, media_type: media_type.into(), bytes: content.len() as u64 };
        let folder = self.case_folder(id).join("documents");
        let path = folder.join(format!("{}.{ending}", attachment.sha256));
        self.known_case(who, id).await?;
        blocking("storing a document", move || {
            durable::make_folder(&folder)?;
            if durable::exists(&path) { Ok(()) } else { durable::write_whole(&path, &content) }
        })
        .await??;
        self.change_case(who, id, CaseChange::Attached { record, attachment: attachment.clone() }).await?;
        Ok(attachment)
    }

    /// A file of a case: as it was uploaded, for saving, never shown in place.
    pub async fn case_document(&self, who: &Person, id: &CaseId, sha256: &str) -> Answer<(Attachment, Vec<u8>)> {
        let case = self.known_case(who, id).await?;
        let found = case.records.iter().flat_map(|r| &r.attachments).find(|a| a.sha256 == sha256).cloned();
        let found = found.ok_or_else(|| Refusal::no_such("document", sha256))?;
        let draft = Draft::new(EntryKind::CaseDocumentRead).by(&who.id).about("case", id).about("sha256", &found.sha256);
        self.acts.log_then_do(draft, |_| Ok(())).await?;
        let (folder, ending) = (self.case_folder(id).join("documents"), documents::ending_of(&found.media_type));
        let path = folder.join(format!("{}.{ending}", found.sha256));
        let data = blocking("reading a document", move || durable::read_whole(&path, documents::BYTES_MAX as u64)).await??;
        Ok((found, data))
    }

    fn case_folder(&self, id: &CaseId) -> PathBuf {
        self.settings.data.join("cases").join(id.as_str())
    }
}

fn numbers(case: &Case) -> Vec<String> {
    case.numbers().into_iter().map(str::to_owned).collect()
}

/// What the case needs to know of its sessions; one that is linked elsewhere by now, or was a mistake, demands nothing here.
fn briefs(case: &Case, linked: &[Session]) -> Vec<SessionBrief> {
    let numbers = case.numbers();
    let here = |s: &&Session| s.mistake.is_none() && s.facts().case_no.as_deref().is_some_and(|no| numbers.contains(&no));
    let told = |s: &Session, right: MarkKind| {
        let demand = right.as_str().replace('_', "-");
        s.marks.iter().any(|m| m.kind == right) || missing::answer(s, &demand).is_some()
    };
    let brief = |s: &Session| SessionBrief {
        id: s.id.to_string(),
        missing: missing::of(s).len(),
        rights: MarkKind::RIGHTS.iter().all(|right| told(s, *right)),
    };
    linked.iter().filter(here).map(brief).collect()
}

/// The log entry of a change: what kind it was, and no name.
fn entry(change: &CaseChange) -> Draft {
    match change {
        CaseChange::Facts { reason, .. } => Draft::new(EntryKind::CaseChanged).text("reason", Some(reason)),
        CaseChange::Record { kind, corrects, .. } => {
            Draft::new(EntryKind::TextRecordAdded).about("kind", kind.as_str()).about("corrects", corrects.is_some())
        }
        CaseChange::Attached { record, attachment } => {
            Draft::new(EntryKind::CaseDocumentAttached).about("record", record).about("document", &attachment.sha256)
        }
        CaseChange::Urgent { stated_at, reason } => {
            Draft::new(EntryKind::UrgentStart).about("stated_at", stated_at.to_rfc3339()).text("reason", Some(reason))
        }
        CaseChange::Begun => Draft::new(EntryKind::CaseBegun),
        CaseChange::Submitted(_) => Draft::new(EntryKind::InitiationSubmitted),
        CaseChange::Ruled { approved, reason } => {
            Draft::new(EntryKind::InitiationDecided).about("approved", approved).text("reason", reason.as_deref())
        }
        CaseChange::Answered { demand, kind, reason } => {
            Draft::new(EntryKind::DemandAnswered).about("demand", demand).about("answer", kind.as_str()).text("reason", reason.as_deref())
        }
        CaseChange::Closed { on, .. } => Draft::new(EntryKind::CaseClosed).about("on", on),
        CaseChange::Archived => Draft::new(EntryKind::CaseArchived),
    }
}
