//! A case (案件): what it is, what was written down in it, and how it moves from intake to archive. `case.json` in its folder is
//! this, whole; nothing in it is ever taken out again.

use crate::model::facts::Officer;
use crate::model::ids::{AccountId, CaseId, UnitId};
use crate::model::initiation::{Decision, FormFields, InitiationForm, UrgentStart};
use crate::model::missing::{Answer, AnswerKind};
use crate::model::people::words;
use crate::model::refusal::Refusal;
use crate::model::text_record::{self, Attachment, RecordKind, TextRecord};
use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

words!(
    /// 行政行为 (第二条).
    ActKind {
        /// 行政许可.
        License = "license",
        /// 行政处罚.
        Penalty = "penalty",
        /// 行政强制.
        Compulsion = "compulsion",
        /// 行政征收.
        Levy = "levy",
    }
);

words!(
    /// 程序.
    Procedure {
        /// 简易程序.
        Summary = "summary",
        /// 普通程序 (一般程序).
        Ordinary = "ordinary",
    }
);

words!(
    /// 阶段 (第二条).
    Stage {
        /// 程序启动.
        Initiation = "initiation",
        /// 调查取证.
        Investigation = "investigation",
        /// 审查决定.
        Decision = "decision",
        /// 送达执行.
        Execution = "execution",
        /// 归档管理.
        Filing = "filing",
    }
);

words!(
    /// 来源: how it came about (第四条, 第五条).
    Origin {
        /// 依申请.
        Application = "application",
        /// 投诉、举报.
        Complaint = "complaint",
        /// 依职权.
        OwnInitiative = "own_initiative",
    }
);

words!(
    /// Where a case stands.
    CaseState {
        /// 受理登记.
        Intake = "intake",
        /// 待批准启动.
        InitiationPending = "initiation_pending",
        /// 紧急启动，待补报.
        UrgentInitiated = "urgent_initiated",
        /// 已启动.
        Initiated = "initiated",
        /// 不批准启动.
        Rejected = "rejected",
        /// 不启动、不予受理.
        NotInitiated = "not_initiated",
        /// 已作出决定.
        Decided = "decided",
        /// 已结案.
        Closed = "closed",
        /// 已归档.
        Archived = "archived",
    }
);

/// What moves a case.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trigger {
    /// 受理 of an application, or a summary procedure that needs no form.
    Begin,
    /// 不予受理, or the complainant was told why not.
    Decline,
    /// The initiation form was handed in, also as 补报.
    Submit,
    /// An urgent start.
    BeginUrgently,
    /// The bureau head's yes.
    Approve,
    /// The bureau head's no.
    Reject,
    /// The decision.
    Decide,
    /// 结案.
    Close,
    /// 归档.
    Archive,
}

/// Every transition that there is; what is not here is refused.
pub const TRANSITIONS: &[(CaseState, Trigger, CaseState)] = &[
    (CaseState::Intake, Trigger::Begin, CaseState::Initiated),
    (CaseState::Intake, Trigger::Decline, CaseState::NotInitiated),
    (CaseState::Intake, Trigger::Submit, CaseState::InitiationPending),
    (CaseState::Intake, Trigger::BeginUrgently, CaseState::UrgentInitiated),
    (CaseState::UrgentInitiated, Trigger::Submit, CaseState::InitiationPending),
    (CaseState::InitiationPending, Trigger::Approve, CaseState::Initiated),
    (CaseState::InitiationPending, Trigger::Reject, CaseState::Rejected),
    (CaseState::Rejected, Trigger::Submit, CaseState::InitiationPending),
    (CaseState::Initiated, Trigger::Decide, CaseState::Decided),
    (CaseState::Initiated, Trigger::Close, CaseState::Closed),
    (CaseState::NotInitiated, Trigger::Close, CaseState::Closed),
    (CaseState::Rejected, Trigger::Close, CaseState::Closed),
    (CaseState::Decided, Trigger::Close, CaseState::Closed),
    (CaseState::Closed, Trigger::Archive, CaseState::Archived),
];

/// Where a trigger leads from a state.
pub fn next(state: CaseState, trigger: Trigger) -> Result<CaseState, Refusal> {
    let found = TRANSITIONS.iter().find(|(from, by, _)| *from == state && *by == trigger);
    found.map(|(.., to)| *to).ok_or_else(|| Refusal::CaseState { state: state.as_str().into() })
}

/// What a case is, as people enter it; each version stays.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "recorder", derive(utoipa::ToSchema))]
pub struct CaseFacts {
    /// 案号; none while it is an intake.
    #[serde(default)]
    pub number: Option<String>,
    /// 行政行为.
    #[serde(default)]
    pub kind: Option<ActKind>,
    /// 程序.
    #[serde(default)]
    pub procedure: Option<Procedure>,
    /// 案由.
    #[serde(default)]
    pub cause: Option<String>,
    /// 当事人.
    #[serde(default)]
    pub parties: Vec<String>,
    /// 承办人员.
    #[serde(default)]
    pub officers: Vec<Officer>,
    /// 投诉、举报材料: listed for fewer people.
    #[serde(default)]
    pub restricted: bool,
}

/// One version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "recorder", derive(utoipa::ToSchema))]
pub struct CaseVersion {
    /// What was entered.
    pub facts: CaseFacts,
    /// Why it was changed; the first has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// When.
    pub at: DateTime<Utc>,
    /// By whom.
    pub by: AccountId,
}

/// 结案.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "recorder", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "recorder", schema(as = CaseClosing))]
pub struct Closing {
    /// 结案日期, as stated: the file's period begins here (第十八条).
    pub on: NaiveDate,
    /// 案卷保存期限, as entered.
    pub period: String,
    /// When it was entered.
    pub at: DateTime<Utc>,
    /// By whom.
    pub by: AccountId,
}

/// A case.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "recorder", derive(utoipa::ToSchema))]
pub struct Case {
    /// Its identifier; never changes.
    pub id: CaseId,
    /// 受理登记号: usable as a session's case number at once, and for ever.
    pub intake_no: String,
    /// Whose (谁制作谁保存).
    pub unit: UnitId,
    /// How it came about.
    pub origin: Origin,
    /// 实名 (for complaints): then the complainant must be answered (第四条).
    #[serde(default)]
    pub named: bool,
    /// Where it stands.
    pub state: CaseState,
    /// The stage it has reached.
    pub stage: Stage,
    /// Versions of what it is, oldest first; never empty.
    pub versions: Vec<CaseVersion>,
    /// Text records, in the order of their entry.
    #[serde(default)]
    pub records: Vec<TextRecord>,
    /// An urgent start.
    #[serde(default)]
    pub urgent: Option<UrgentStart>,
    /// Initiation forms, oldest first.
    #[serde(default)]
    pub forms: Vec<InitiationForm>,
    /// Answers to demands.
    #[serde(default)]
    pub answers: Vec<Answer>,
    /// 结案.
    #[serde(default)]
    pub closing: Option<Closing>,
    /// 归档: when.
    #[serde(default)]
    pub archived_at: Option<DateTime<Utc>>,
}

/// One change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CaseChange {
    /// It is something else than was entered.
    Facts {
        /// What.
        facts: CaseFacts,
        /// Why.
        reason: String,
    },
    /// Something was written down.
    Record {
        /// What.
        kind: RecordKind,
        /// Its fields, checked.
        fields: BTreeMap<String, String>,
        /// When it happened, as stated.
        stated_at: DateTime<Utc>,
        /// Which record it corrects.
        corrects: Option<u32>,
    },
    /// A file was put beside a record.
    Attached {
        /// Which record.
        record: u32,
        /// The file.
        attachment: Attachment,
    },
    /// Begun without a form.
    Urgent {
        /// When, as stated.
        stated_at: DateTime<Utc>,
        /// Why it could not wait.
        reason: String,
    },
    /// Begun where no form is needed: a summary procedure.
    Begun,
    /// The form was handed in.
    Submitted(FormFields),
    /// The bureau head decided.
    Ruled {
        /// Yes.
        approved: bool,
        /// In words.
        reason: Option<String>,
    },
    /// A demand was answered.
    Answered {
        /// Which.
        demand: String,
        /// How.
        kind: AnswerKind,
        /// In words.
        reason: Option<String>,
    },
    /// 结案.
    Closed {
        /// When, as stated.
        on: NaiveDate,
        /// 案卷保存期限.
        period: String,
    },
    /// 归档.
    Archived,
}

/// Who changes it, and when.
#[derive(Debug, Clone)]
pub struct By {
    /// When.
    pub at: DateTime<Utc>,
    /// Who.
    pub id: AccountId,
    /// Their name.
    pub name: String,
}

impl Case {
    /// What it is now.
    pub fn facts(&self) -> &CaseFacts {
        const NONE: CaseFacts =
            CaseFacts { number: None, kind: None, procedure: None, cause: None, parties: vec![], officers: vec![], restricted: false };
        static EMPTY: CaseFacts = NONE;
        self.versions.last().map_or(&EMPTY, |v| &v.facts)
    }

    /// Every number that it has or had: a session that is linked to any of them belongs to it.
    pub fn numbers(&self) -> Vec<&str> {
        let mut all = vec![self.intake_no.as_str()];
        for number in self.versions.iter().filter_map(|v| v.facts.number.as_deref()) {
            if !all.contains(&number) {
                all.push(number);
            }
        }
        all
    }

    /// The number under which it is known now.
    pub fn number(&self) -> &str {
        self.facts().number.as_deref().unwrap_or(&self.intake_no)
    }

    /// Whether a record of a kind is there.
    pub fn has(&self, kind: RecordKind) -> bool {
        self.records.iter().any(|r| r.kind == kind)
    }

    /// The case after a change, or the rule that forbids it.
    pub fn after(&self, change: &CaseChange, by: &By) -> Result<Self, Refusal> {
        let mut next = self.clone();
        // An archived file can be asked about, complained about and taken to court. All else is closed with it.
        let follows = match change {
            CaseChange::Answered { .. } => true,
            CaseChange::Attached { record, .. } => self.records.iter().any(|r| r.number == *record && r.kind.may_follow_archive()),
            CaseChange::Record { kind, .. } => kind.may_follow_archive(),
            _ => false,
        };
        if self.state == CaseState::Archived && !follows {
            return Err(Refusal::CaseState { state: self.state.as_str().into() });
        }
        match change {
            CaseChange::Facts { facts, reason } => {
                next.versions.push(CaseVersion { facts: facts.clone(), reason: Some(reason.clone()), at: by.at, by: by.id.clone() });
            }
            CaseChange::Record { kind, fields, stated_at, corrects } => next.write(*kind, fields, *stated_at, *corrects, by)?,
            CaseChange::Attached { record, attachment } => {
                let of = next.records.iter_mut().find(|r| r.number == *record);
                let of = of.ok_or_else(|| Refusal::no_such("record", &record.to_string()))?;
                if !of.attachments.iter().any(|a| a.sha256 == attachment.sha256) {
                    of.attachments.push(attachment.clone());
                }
            }
            CaseChange::Urgent { stated_at, reason } => {
                not_ahead(*stated_at, by)?;
                next.go(Trigger::BeginUrgently)?;
                next.urgent = Some(UrgentStart { stated_at: *stated_at, at: by.at, by: by.id.clone(), reason: reason.clone() });
                next.reach(Stage::Investigation);
            }
            CaseChange::Begun => {
                // 第五条 asks for the form where an ordinary procedure begins ex officio.
                if self.needs_form() {
                    return Err(Refusal::FormNeeded);
                }
                next.go(Trigger::Begin)?;
                next.reach(Stage::Investigation);
            }
            CaseChange::Submitted(fields) => {
                next.go(Trigger::Submit)?;
                let (fields, at, by, by_name) = (fields.clone(), by.at, by.id.clone(), by.name.clone());
                next.forms.push(InitiationForm { fields, at, by, by_name, decision: None });
            }
            CaseChange::Ruled { approved, reason } => next.rule(*approved, reason.clone(), by)?,
            CaseChange::Answered { demand, kind, reason } => {
                let (demand, kind, reason) = (demand.clone(), *kind, reason.clone());
                next.answers.push(Answer { demand, kind, reason, by: by.id.clone(), at: by.at });
            }
            CaseChange::Closed { on, period } => {
                next.go(Trigger::Close)?;
                next.closing = Some(Closing { on: *on, period: period.clone(), at: by.at, by: by.id.clone() });
                next.reach(Stage::Filing);
            }
            CaseChange::Archived => {
                next.go(Trigger::Archive)?;
                next.archived_at = Some(by.at);
            }
        }
        Ok(next)
    }

    /// Whether 第五条 asks for an approved form: an ordinary procedure, or one that is not known yet, that no application began.
    pub fn needs_form(&self) -> bool {
        self.origin != Origin::Application && self.facts().procedure != Some(Procedure::Summary)
    }

    fn go(&mut self, trigger: Trigger) -> Result<(), Refusal> {
        self.state = next(self.state, trigger)?;
        Ok(())
    }

    /// A stage is reached once and not left backwards.
    fn reach(&mut self, stage: Stage) {
        self.stage = self.stage.max(stage);
    }

    fn write(
        &mut self,
        kind: RecordKind,
        fields: &BTreeMap<String, String>,
        stated_at: DateTime<Utc>,
        corrects: Option<u32>,
        by: &By,
    ) -> Result<(), Refusal> {
        not_ahead(stated_at, by)?;
        let fields = text_record::check(kind, fields)?;
        if let Some(number) = corrects
            && !self.records.iter().any(|r| r.number == number && r.kind == kind)
        {
            return Err(Refusal::no_such("record", &number.to_string()));
        }
        if corrects.is_none() {
            match (kind, self.origin) {
                (RecordKind::Accepted, Origin::Application) => self.go(Trigger::Begin)?,
                (RecordKind::NotAccepted | RecordKind::ComplaintAnswered, _) if self.state == CaseState::Intake => {
                    self.go(Trigger::Decline)?;
                }
                (RecordKind::Decision, _) => self.go(Trigger::Decide)?,
                _ => {}
            }
        }
        self.reach(kind.stage());
        self.records.push(TextRecord {
            number: self.records.len() as u32 + 1,
            kind,
            fields,
            stated_at,
            at: by.at,
            by: by.id.clone(),
            by_name: by.name.clone(),
            corrects,
            attachments: vec![],
        });
        Ok(())
    }

    fn rule(&mut self, approved: bool, reason: Option<String>, by: &By) -> Result<(), Refusal> {
        // Nobody approves what they handed in themselves.
        if self.forms.last().is_some_and(|f| f.by == by.id) {
            return Err(Refusal::OwnForm);
        }
        if !approved && reason.is_none() {
            return Err(Refusal::ReasonNeeded);
        }
        self.go(if approved { Trigger::Approve } else { Trigger::Reject })?;
        if let Some(form) = self.forms.last_mut() {
            form.decision = Some(Decision { approved, reason, at: by.at, by: by.id.clone(), by_name: by.name.clone() });
        }
        if approved {
            self.reach(Stage::Investigation);
        }
        Ok(())
    }
}

/// What is stated lies in the past; a minute is given to a clock at a desk.
fn not_ahead(stated_at: DateTime<Utc>, by: &By) -> Result<(), Refusal> {
    if stated_at > by.at + TimeDelta::minutes(1) {
        return Err(Refusal::from(crate::model::words::BadField::form("stated_at", "lies ahead; state when it happened")));
    }
    Ok(())
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn by(who: &str, s: i64) -> By {
        By { at: DateTime::UNIX_EPOCH + TimeDelta::seconds(s), id: AccountId::new(who).unwrap(), name: who.into() }
    }

    pub(crate) fn opened(origin: Origin, procedure: Procedure) -> Case {
        let facts = CaseFacts { procedure: Some(procedure), ..CaseFacts::default() };
        Case {
            id: CaseId::new("c-1").unwrap(),
            intake_no: "受理-1970-0001".into(),
            unit: UnitId::new("land").unwrap(),
            origin,
            named: false,
            state: CaseState::Intake,
            stage: Stage::Initiation,
            versions: vec![CaseVersion { facts, reason: None, at: DateTime::UNIX_EPOCH, by: AccountId::new("wang").unwrap() }],
            records: vec![],
            urgent: None,
            forms: vec![],
            answers: vec![],
            closing: None,
            archived_at: None,
        }
    }

    pub(crate) fn record(kind: RecordKind) -> CaseChange {
        let fields = kind.fields().iter().filter(|f| f.needed).map(|f| {
            let value = match f.takes {
                text_record::Takes::Day => "2026-11-23",
                text_record::Takes::One(words) => words[0],
                _ => "某",
            };
            (f.name.to_owned(), value.to_owned())
        });
        CaseChange::Record { kind, fields: fields.collect(), stated_at: DateTime::UNIX_EPOCH, corrects: None }
    }

    fn go(case: &Case, changes: &[(CaseChange, &str)]) -> Result<Case, Refusal> {
        changes.iter().try_fold(case.clone(), |case, (change, who)| case.after(change, &by(who, 100)))
    }

    fn submitted() -> CaseChange {
        CaseChange::Submitted(FormFields::default())
    }

    fn ruled(approved: bool) -> CaseChange {
        CaseChange::Ruled { approved, reason: (!approved).then(|| "证据不足".into()) }
    }

    #[test]
    fn an_ordinary_procedure_begins_by_the_form_and_nobody_approves_their_own() {
        let case = opened(Origin::OwnInitiative, Procedure::Ordinary);
        assert_eq!(go(&case, &[(CaseChange::Begun, "wang")]), Err(Refusal::FormNeeded));
        let pending = go(&case, &[(submitted(), "wang")]).unwrap();
        assert_eq!(go(&pending, &[(ruled(true), "wang")]), Err(Refusal::OwnForm));
        assert_eq!(go(&pending, &[(CaseChange::Ruled { approved: false, reason: None }, "head")]), Err(Refusal::ReasonNeeded));
        assert_eq!(go(&pending, &[(ruled(true), "head")]).unwrap().state, CaseState::Initiated);
        let refused = go(&pending, &[(ruled(false), "head")]).unwrap();
        let again = go(&refused, &[(submitted(), "wang"), (ruled(true), "head")]).unwrap();
        assert_eq!((again.state, again.forms.len()), (CaseState::Initiated, 2), "the refused form stays");
        assert_eq!(
            go(&opened(Origin::OwnInitiative, Procedure::Summary), &[(CaseChange::Begun, "wang")]).unwrap().state,
            CaseState::Initiated
        );
    }

    #[test]
    fn an_application_is_begun_by_its_acceptance_and_ended_by_its_refusal() {
        let case = opened(Origin::Application, Procedure::Ordinary);
        assert_eq!(go(&case, &[(record(RecordKind::Accepted), "wang")]).unwrap().state, CaseState::Initiated);
        assert_eq!(go(&case, &[(record(RecordKind::NotAccepted), "wang")]).unwrap().state, CaseState::NotInitiated);
    }

    #[test]
    fn a_corrected_record_stands_beside_the_first() {
        let case = go(&opened(Origin::Application, Procedure::Ordinary), &[(record(RecordKind::Accepted), "wang")]).unwrap();
        let CaseChange::Record { kind, fields, stated_at, .. } = record(RecordKind::Accepted) else { unreachable!() };
        let corrected = go(&case, &[(CaseChange::Record { kind, fields: fields.clone(), stated_at, corrects: Some(1) }, "wang")]).unwrap();
        assert_eq!((corrected.records.len(), corrected.records[1].corrects, corrected.state), (2, Some(1), CaseState::Initiated));
        assert!(go(&case, &[(CaseChange::Record { kind, fields, stated_at, corrects: Some(9) }, "wang")]).is_err());
    }

    #[test]
    fn a_case_keeps_every_number_that_it_had() {
        let numbered =
            |no: &str| CaseChange::Facts { facts: CaseFacts { number: Some(no.into()), ..CaseFacts::default() }, reason: "立案".into() };
        let case = go(&opened(Origin::Complaint, Procedure::Ordinary), &[(numbered("12号"), "wang"), (numbered("13号"), "wang")]).unwrap();
        assert_eq!((case.numbers(), case.number()), (vec!["受理-1970-0001", "12号", "13号"], "13号"));
    }

    #[test]
    fn nothing_is_written_into_the_future_or_into_an_archived_file() {
        let ahead = CaseChange::Urgent { stated_at: DateTime::UNIX_EPOCH + TimeDelta::seconds(200), reason: "急".into() };
        assert!(go(&opened(Origin::OwnInitiative, Procedure::Ordinary), &[(ahead, "wang")]).is_err());
        let closed = CaseChange::Closed { on: "2026-11-23".parse().unwrap(), period: "十年".into() };
        let archived = go(
            &opened(Origin::OwnInitiative, Procedure::Summary),
            &[(CaseChange::Begun, "wang"), (record(RecordKind::Decision), "wang"), (closed, "wang"), (CaseChange::Archived, "wang")],
        )
        .unwrap();
        assert!(go(&archived, &[(record(RecordKind::Other), "wang")]).is_err());
    }

    #[test]
    fn there_is_no_way_into_the_archive_but_through_the_closing() {
        let into: Vec<CaseState> = TRANSITIONS.iter().filter(|(.., to)| *to == CaseState::Archived).map(|(from, ..)| *from).collect();
        assert_eq!(into, [CaseState::Closed]);
    }
}
