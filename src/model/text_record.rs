//! Text records of a case (文字记录, 第二条): which there are, which article asks for each, and the fields that the article names.

use crate::model::case::Stage;
use crate::model::ids::AccountId;
use crate::model::people::words;
use crate::model::refusal::Refusal;
use crate::model::words::{self as text, BadField, FieldProblem};
use chrono::{DateTime, NaiveDate, Utc};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

words!(
    /// Kinds, in the order of the articles.
    RecordKind {
        /// 申请登记.
        Application = "application",
        /// 口头申请.
        OralApplication = "oral_application",
        /// 受理.
        Accepted = "accepted",
        /// 不予受理.
        NotAccepted = "not_accepted",
        /// 当场更正.
        CorrectedOnTheSpot = "corrected_on_the_spot",
        /// 书面凭证、回执.
        Receipt = "receipt",
        /// 一次性补正告知.
        SupplementNotice = "supplement_notice",
        /// 投诉、举报.
        Complaint = "complaint",
        /// 告知投诉人、举报人不启动程序.
        ComplaintAnswered = "complaint_answered",
        /// 调查笔录.
        Investigation = "investigation",
        /// 鉴定意见、专家论证.
        ExpertOpinion = "expert_opinion",
        /// 权利告知书.
        RightsNotice = "rights_notice",
        /// 听证报告.
        HearingReport = "hearing_report",
        /// 负责人审批.
        DecisionApproval = "decision_approval",
        /// 行政执法决定书.
        Decision = "decision",
        /// 送达.
        Service = "service",
        /// 履行情况.
        Performance = "performance",
        /// 催告.
        Reminder = "reminder",
        /// 申请法院强制执行.
        CourtApplication = "court_application",
        /// 强制执行结果.
        CourtResult = "court_result",
        /// 对执法的异议、投诉、信访: about how the law was enforced (第十九条（一）).
        EnforcementComplaint = "enforcement_complaint",
        /// 行政复议 (第二十条).
        Reconsideration = "reconsideration",
        /// 行政诉讼 (第二十条).
        Litigation = "litigation",
        /// 异议、复议、诉讼办结: what was entered of them before is over.
        ProceedingEnded = "proceeding_ended",
        /// 其他.
        Other = "other",
    }
);

/// What a field takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Takes {
    /// One line.
    Line,
    /// Free text.
    Text,
    /// A day, `2026-11-23`.
    Day,
    /// One of these words.
    One(&'static [&'static str]),
}

/// A field of a kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Field {
    /// Its name in the API; its text is `record-field-<name>`.
    pub name: &'static str,
    /// What it takes.
    pub takes: Takes,
    /// The article names it: a record without it is refused.
    pub needed: bool,
}

const fn needed(name: &'static str, takes: Takes) -> Field {
    Field { name, takes, needed: true }
}
const fn may(name: &'static str, takes: Takes) -> Field {
    Field { name, takes, needed: false }
}

/// 送达方式, as procedural law has them.
pub const METHODS: &[&str] = &["direct", "left", "entrusted", "posted", "electronic", "announced"];
/// How somebody came.
const CHANNELS: &[&str] = &["in_person", "telephone", "letter", "online", "transferred"];
/// 履行情况.
const PERFORMED: &[&str] = &["full", "part", "none"];

/// The table: kind, article, the stage that it belongs to, its fields.
pub const KINDS: &[(RecordKind, &str, Stage, &[Field])] = &[
    (
        RecordKind::Application,
        "第四条",
        Stage::Initiation,
        &[needed("applicant", Takes::Line), needed("items", Takes::Text), may("materials", Takes::Text)],
    ),
    (
        RecordKind::OralApplication,
        "第四条",
        Stage::Initiation,
        &[
            needed("applicant", Takes::Line),
            needed("items", Takes::Text),
            needed("taken_by", Takes::Line),
            may("confirmed_by", Takes::Line),
        ],
    ),
    (RecordKind::Accepted, "第四条", Stage::Initiation, &[needed("document_no", Takes::Line), may("note", Takes::Text)]),
    (
        RecordKind::NotAccepted,
        "第四条",
        Stage::Initiation,
        &[needed("document_no", Takes::Line), needed("reason", Takes::Text), may("remedy", Takes::Text)],
    ),
    (RecordKind::CorrectedOnTheSpot, "第四条", Stage::Initiation, &[needed("what", Takes::Text), may("confirmed_by", Takes::Line)]),
    (RecordKind::Receipt, "第四条", Stage::Initiation, &[needed("document_no", Takes::Line), needed("given_to", Takes::Line)]),
    (
        RecordKind::SupplementNotice,
        "第四条",
        Stage::Initiation,
        &[needed("items", Takes::Text), needed("given_to", Takes::Line), may("until", Takes::Day)],
    ),
    (
        RecordKind::Complaint,
        "第四条",
        Stage::Initiation,
        &[may("complainant", Takes::Line), needed("channel", Takes::One(CHANNELS)), needed("content", Takes::Text)],
    ),
    (
        RecordKind::ComplaintAnswered,
        "第四条",
        Stage::Initiation,
        &[needed("given_to", Takes::Line), needed("reason", Takes::Text), needed("method", Takes::One(METHODS))],
    ),
    (
        RecordKind::Investigation,
        "第六条",
        Stage::Investigation,
        &[
            needed("officers", Takes::Line),
            needed("certificate_nos", Takes::Line),
            needed("presentation", Takes::Line),
            may("signer", Takes::Line),
            may("refusal", Takes::Text),
            may("content", Takes::Text),
        ],
    ),
    (
        RecordKind::ExpertOpinion,
        "第二条",
        Stage::Investigation,
        &[needed("author", Takes::Line), needed("content", Takes::Text), may("document_no", Takes::Line)],
    ),
    (
        RecordKind::RightsNotice,
        "第七条",
        Stage::Decision,
        &[
            needed("rights", Takes::Line),
            needed("method", Takes::One(METHODS)),
            needed("given_to", Takes::Line),
            may("document_no", Takes::Line),
        ],
    ),
    (RecordKind::HearingReport, "第二条", Stage::Decision, &[needed("held_on", Takes::Day), needed("content", Takes::Text)]),
    (
        RecordKind::DecisionApproval,
        "第八条",
        Stage::Decision,
        &[needed("approved_by", Takes::Line), needed("approved_on", Takes::Day), needed("opinion", Takes::Text)],
    ),
    (
        RecordKind::Decision,
        "第八条",
        Stage::Decision,
        &[needed("document_no", Takes::Line), needed("decided_on", Takes::Day), needed("content", Takes::Text)],
    ),
    (
        RecordKind::Service,
        "第九条",
        Stage::Execution,
        &[
            needed("document_no", Takes::Line),
            needed("method", Takes::One(METHODS)),
            needed("given_to", Takes::Line),
            needed("served_on", Takes::Day),
            may("receipt_no", Takes::Line),
            may("attested_by", Takes::Line),
        ],
    ),
    (
        RecordKind::Performance,
        "第十条",
        Stage::Execution,
        &[needed("performed", Takes::One(PERFORMED)), needed("content", Takes::Text), may("performed_on", Takes::Day)],
    ),
    (
        RecordKind::Reminder,
        "第十一条",
        Stage::Execution,
        &[needed("document_no", Takes::Line), needed("given_to", Takes::Line), needed("served_on", Takes::Day)],
    ),
    (
        RecordKind::CourtApplication,
        "第十一条",
        Stage::Execution,
        &[needed("court", Takes::Line), needed("document_no", Takes::Line), needed("applied_on", Takes::Day)],
    ),
    (
        RecordKind::CourtResult,
        "第十一条",
        Stage::Execution,
        &[needed("court", Takes::Line), needed("content", Takes::Text), may("document_no", Takes::Line)],
    ),
    (
        RecordKind::EnforcementComplaint,
        "第十九条",
        Stage::Investigation,
        &[needed("complainant", Takes::Line), needed("channel", Takes::One(CHANNELS)), needed("content", Takes::Text)],
    ),
    (
        RecordKind::Reconsideration,
        "第二十条",
        Stage::Execution,
        &[needed("body", Takes::Line), needed("document_no", Takes::Line), may("content", Takes::Text)],
    ),
    (
        RecordKind::Litigation,
        "第二十条",
        Stage::Execution,
        &[needed("court", Takes::Line), needed("document_no", Takes::Line), may("content", Takes::Text)],
    ),
    (RecordKind::ProceedingEnded, "第二十条", Stage::Execution, &[needed("content", Takes::Text), may("document_no", Takes::Line)]),
    (RecordKind::Other, "第二条", Stage::Filing, &[needed("title", Takes::Line), may("content", Takes::Text)]),
];

impl RecordKind {
    /// What comes after a file was archived, and still has to be entered: it holds what belongs to the file (第十九条, 第二十条).
    pub fn may_follow_archive(self) -> bool {
        matches!(self, Self::EnforcementComplaint | Self::Reconsideration | Self::Litigation | Self::ProceedingEnded)
    }

    fn row(self) -> &'static (Self, &'static str, Stage, &'static [Field]) {
        // A test holds that every kind has a row.
        KINDS.iter().find(|(kind, ..)| *kind == self).unwrap_or(&KINDS[KINDS.len() - 1])
    }
    /// The article that asks for it.
    pub fn article(self) -> &'static str {
        self.row().1
    }
    /// The stage that it belongs to.
    pub fn stage(self) -> Stage {
        self.row().2
    }
    /// The fields that the article names.
    pub fn fields(self) -> &'static [Field] {
        self.row().3
    }
}

/// A file beside a record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "recorder", derive(utoipa::ToSchema))]
pub struct Attachment {
    /// SHA-256 of its content; its name on disk.
    pub sha256: String,
    /// As it was uploaded.
    pub name: String,
    /// Sniffed, not believed.
    pub media_type: String,
    /// Size.
    pub bytes: u64,
}

/// A text record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "recorder", derive(utoipa::ToSchema))]
pub struct TextRecord {
    /// 1 for the case's first.
    pub number: u32,
    /// What it is.
    pub kind: RecordKind,
    /// Its fields.
    pub fields: BTreeMap<String, String>,
    /// When it happened, as stated; shown beside the time of entry.
    pub stated_at: DateTime<Utc>,
    /// When it was entered.
    pub at: DateTime<Utc>,
    /// By whom.
    pub by: AccountId,
    /// Their name.
    pub by_name: String,
    /// The number of the record that this one corrects; that one stays.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub corrects: Option<u32>,
    /// Files.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub attachments: Vec<Attachment>,
}

/// Checks the fields of a kind; every error at once. Fields that the kind does not have are refused: they would be lost.
pub fn check(kind: RecordKind, given: &BTreeMap<String, String>) -> Result<BTreeMap<String, String>, Refusal> {
    let mut wrong = Vec::new();
    let mut checked = BTreeMap::new();
    for field in kind.fields() {
        let value = given.get(field.name).map(String::as_str).unwrap_or_default();
        let taken = match field.takes {
            Takes::Line => text::line(field.name, value),
            Takes::Text => text::text(field.name, value),
            Takes::Day if value.trim().is_empty() => Ok(None),
            Takes::Day => match value.trim().parse::<NaiveDate>() {
                Ok(day) => Ok(Some(day.to_string())),
                Err(_) => Err(BadField::form(field.name, "is no day; 2026-11-23 would be right")),
            },
            Takes::One(words) if value.is_empty() || words.contains(&value) => Ok(Some(value.to_owned()).filter(|v| !v.is_empty())),
            Takes::One(_) => Err(BadField::form(field.name, "is none of the choices")),
        };
        match taken {
            Ok(Some(value)) => drop(checked.insert(field.name.to_owned(), value)),
            Ok(None) if field.needed => wrong.push(BadField { field: field.name.into(), problem: FieldProblem::Empty }),
            Ok(None) => {}
            Err(bad) => wrong.push(bad),
        }
    }
    for name in given.keys().filter(|n| !kind.fields().iter().any(|f| f.name == n.as_str())) {
        wrong.push(BadField::form(&name.chars().take(40).collect::<String>(), "is no field of this record"));
    }
    if wrong.is_empty() { Ok(checked) } else { Err(Refusal::BadFields { fields: wrong }) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn given(all: &[(&str, &str)]) -> BTreeMap<String, String> {
        all.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect()
    }

    #[test]
    fn every_kind_has_its_row_once_and_its_article() {
        let listed: Vec<RecordKind> = KINDS.iter().map(|(kind, ..)| *kind).collect();
        assert_eq!(listed, RecordKind::ALL);
        assert!(KINDS.iter().all(|(_, article, ..)| article.starts_with('第')));
    }

    #[test]
    fn a_service_without_method_and_receiver_is_refused_with_each_field() {
        let Err(Refusal::BadFields { fields }) = check(RecordKind::Service, &given(&[("document_no", "1"), ("served_on", "31.12.2026")]))
        else {
            panic!("taken")
        };
        assert_eq!(fields.iter().map(|f| f.field.as_str()).collect::<Vec<_>>(), ["method", "given_to", "served_on"]);
        let right = given(&[("document_no", "1"), ("method", "left"), ("given_to", "张三"), ("served_on", "2026-12-31")]);
        assert_eq!(check(RecordKind::Service, &right), Ok(right));
    }

    #[test]
    fn a_field_that_the_record_does_not_have_is_not_dropped_in_silence() {
        assert!(check(RecordKind::Other, &given(&[("title", "x"), ("receipt_no", "7")])).is_err());
    }

    proptest! {
        #[test]
        fn whatever_passes_holds_every_field_that_the_article_names(kind in 0..RecordKind::ALL.len(), value in ".{0,40}") {
            let kind = RecordKind::ALL[kind];
            let all: BTreeMap<String, String> = kind.fields().iter().map(|f| (f.name.to_owned(), value.clone())).collect();
            if let Ok(checked) = check(kind, &all) {
                prop_assert!(kind.fields().iter().all(|f| !f.needed || checked.contains_key(f.name)));
            }
        }
    }
}
