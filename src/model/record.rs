//! The interview record (询问笔录): questions and answers, each bound to the moment in the recording at which it was typed;
//! corrections stay beside what they correct; read back and signed page by page.

use crate::model::ids::AccountId;
use crate::model::people::words;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

/// A time that was typed may differ from the machine's by so much before it is shown, seconds.
pub const APART_S: i64 = 120;
/// Most lines of one record.
pub const LINES_MAX: usize = 5_000;

words!(
    /// What a line is.
    LineKind {
        /// 问.
        Question = "question",
        /// 答.
        Answer = "answer",
        /// 记: what was seen or done.
        Remark = "remark",
    }
);

words!(
    /// 核对方式: how the record was gone through before signing.
    ReadBackManner {
        /// 本人阅读.
        ReadBySelf = "read_by_self",
        /// 向其宣读.
        ReadAloud = "read_aloud",
    }
);

words!(
    /// How a page was signed.
    Signature {
        /// 签名.
        Signed = "signed",
        /// 捺指印.
        Thumbprint = "thumbprint",
        /// 盖章.
        Seal = "seal",
        /// 拒绝签字.
        Refused = "refused",
    }
);

/// What a line said before, or says since.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "recorder", derive(utoipa::ToSchema))]
pub struct Correction {
    /// The text from then on; empty: struck out.
    pub text: String,
    /// The person questioned asked for it; else it is the officers' own.
    pub by_party: bool,
    /// Session time, ms.
    pub at_ms: u64,
    /// Wall clock.
    pub at: DateTime<Utc>,
    /// Who typed it.
    pub by: AccountId,
}

/// A line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "recorder", derive(utoipa::ToSchema))]
pub struct RecordLine {
    /// 1 for the first.
    pub number: u32,
    /// What it is.
    pub kind: LineKind,
    /// As it was typed first.
    pub text: String,
    /// The moment in the recording that it belongs to, ms of session time: when its typing began.
    pub at_ms: u64,
    /// When it was kept, on the wall clock.
    pub at: DateTime<Utc>,
    /// Who typed it.
    pub by: AccountId,
    /// What became of it, oldest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub corrections: Vec<Correction>,
}

impl RecordLine {
    /// What it says now; `None` once it is struck out.
    pub fn now(&self) -> Option<&str> {
        let text = self.corrections.last().map_or(self.text.as_str(), |c| c.text.as_str());
        (!text.is_empty()).then_some(text)
    }

    /// Whether the person questioned had it corrected.
    pub fn corrected_by_party(&self) -> bool {
        self.corrections.iter().any(|c| c.by_party)
    }
}

/// A page that was signed, or not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "recorder", derive(utoipa::ToSchema))]
pub struct SignedPage {
    /// 1 for the first.
    pub page: u32,
    /// Who signed. Nothing is signed without a signer (第六条).
    pub signer: String,
    /// How.
    pub signature: Signature,
    /// Why not, where it was refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// 见证人 of the refusal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub witness: Option<String>,
    /// Session time, ms.
    pub at_ms: u64,
    /// Wall clock.
    pub at: DateTime<Utc>,
    /// Who entered it.
    pub by: AccountId,
}

/// How it was gone through.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "recorder", derive(utoipa::ToSchema))]
pub struct ReadBack {
    /// How.
    pub manner: ReadBackManner,
    /// Session time, ms.
    pub at_ms: u64,
    /// Wall clock.
    pub at: DateTime<Utc>,
}

/// What the head of the record says besides what the session knows by itself.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "recorder", derive(utoipa::ToSchema))]
pub struct Header {
    /// 询问开始时间, as it was typed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<DateTime<Utc>>,
    /// 询问结束时间, as it was typed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<DateTime<Utc>>,
    /// 被询问人's particulars as the bureau's form asks for them: sex, birth, identity number, work, address, telephone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub particulars: Option<String>,
}

/// The record as it stands.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "recorder", derive(utoipa::ToSchema))]
pub struct InterviewRecord {
    /// Its head.
    #[serde(default)]
    pub header: Header,
    /// Lines, in the order of their typing.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub lines: Vec<RecordLine>,
    /// Read back, newest last.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub read_back: Vec<ReadBack>,
    /// Signed pages, in the order of signing.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub pages: Vec<SignedPage>,
}

/// One change to a record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "change")]
#[cfg_attr(feature = "recorder", derive(utoipa::ToSchema))]
pub enum RecordChange {
    /// A new line.
    Line {
        /// What it is.
        kind: LineKind,
        /// Its text.
        text: String,
        /// The moment in the recording, ms; now, if it is not given or lies ahead.
        #[serde(default)]
        at_ms: Option<u64>,
    },
    /// A line says something else from now on.
    Corrected {
        /// Which.
        number: u32,
        /// What; empty: struck out.
        text: String,
        /// The person questioned asked for it.
        #[serde(default)]
        by_party: bool,
    },
    /// The head.
    Head(Header),
    /// It was gone through.
    ReadBack {
        /// How.
        manner: ReadBackManner,
    },
    /// A page was signed, or not.
    Page {
        /// Which.
        page: u32,
        /// Who.
        signer: String,
        /// How.
        signature: Signature,
        /// Why not.
        #[serde(default)]
        reason: Option<String>,
        /// 见证人.
        #[serde(default)]
        witness: Option<String>,
    },
}

impl InterviewRecord {
    /// Whether anything was typed.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// The record after a change at this moment. A line that is not there is not corrected: the change is dropped.
    #[must_use]
    pub fn after(&self, change: &RecordChange, at_ms: u64, at: DateTime<Utc>, by: &AccountId) -> Self {
        let mut next = self.clone();
        let by = by.clone();
        match change.clone() {
            RecordChange::Line { kind, text, at_ms: begun } => {
                let number = next.lines.len() as u32 + 1;
                let at_ms = begun.map_or(at_ms, |b| b.min(at_ms));
                next.lines.push(RecordLine { number, kind, text, at_ms, at, by, corrections: vec![] });
            }
            RecordChange::Corrected { number, text, by_party } => {
                if let Some(line) = next.lines.iter_mut().find(|l| l.number == number) {
                    line.corrections.push(Correction { text, by_party, at_ms, at, by });
                }
            }
            RecordChange::Head(header) => next.header = header,
            RecordChange::ReadBack { manner } => next.read_back.push(ReadBack { manner, at_ms, at }),
            RecordChange::Page { page, signer, signature, reason, witness } => {
                next.pages.push(SignedPage { page, signer, signature, reason, witness, at_ms, at, by });
            }
        }
        next
    }

    /// What was typed after somebody had signed: a page that was signed does not show it.
    pub fn changed_since_signing(&self) -> bool {
        let Some(signed) = self.pages.iter().filter(|p| p.signature != Signature::Refused).map(|p| p.at_ms).max() else { return false };
        let typed = self.lines.iter().flat_map(|l| std::iter::once(l.at).chain(l.corrections.iter().map(|c| c.at))).max();
        let signed_at = self.pages.iter().filter(|p| p.at_ms == signed).map(|p| p.at).max();
        typed > signed_at
    }
}

/// A typed time against the machine's: how many seconds it lies behind (or, negative, before) it, where that is more than
/// [`APART_S`].
pub fn apart_s(typed: Option<DateTime<Utc>>, machine: Option<DateTime<Utc>>) -> Option<i64> {
    let apart = (typed? - machine?).num_seconds();
    (apart.abs() > APART_S).then_some(apart)
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::TimeDelta;

    fn at(s: i64) -> DateTime<Utc> {
        DateTime::UNIX_EPOCH + TimeDelta::seconds(s)
    }

    fn typed(record: &InterviewRecord, change: RecordChange, s: i64) -> InterviewRecord {
        record.after(&change, s as u64 * 1000, at(s), &AccountId::new("wang").unwrap())
    }

    fn line(text: &str, at_ms: Option<u64>) -> RecordChange {
        RecordChange::Line { kind: LineKind::Answer, text: text.into(), at_ms }
    }

    #[test]
    fn a_line_belongs_to_the_moment_at_which_its_typing_began_and_never_to_one_ahead() {
        let r = typed(&InterviewRecord::default(), line("占了两亩", Some(4_000)), 9);
        let r = typed(&r, line("是", Some(99_000)), 12);
        assert_eq!(r.lines.iter().map(|l| (l.number, l.at_ms)).collect::<Vec<_>>(), [(1, 4_000), (2, 12_000)]);
    }

    #[test]
    fn a_correction_by_the_party_stands_beside_what_it_corrects() {
        let r = typed(&InterviewRecord::default(), line("占了两亩", None), 1);
        let r = typed(&r, RecordChange::Corrected { number: 1, text: "占了一亩半".into(), by_party: true }, 2);
        assert_eq!((r.lines[0].text.as_str(), r.lines[0].now()), ("占了两亩", Some("占了一亩半")));
        let r = typed(&r, RecordChange::Corrected { number: 1, text: String::new(), by_party: false }, 3);
        assert_eq!((r.lines[0].now(), r.lines[0].corrections.len()), (None, 2));
        assert_eq!(typed(&r, RecordChange::Corrected { number: 7, text: "x".into(), by_party: false }, 4), r);
    }

    #[test]
    fn what_is_typed_after_the_signature_is_told() {
        let page = RecordChange::Page { page: 1, signer: "张三".into(), signature: Signature::Signed, reason: None, witness: None };
        let r = typed(&typed(&InterviewRecord::default(), line("是", None), 1), page, 5);
        assert!(!r.changed_since_signing());
        assert!(typed(&r, line("还有", None), 8).changed_since_signing());
    }

    #[test]
    fn a_typed_time_is_told_only_beyond_two_minutes() {
        assert_eq!(apart_s(Some(at(120)), Some(at(0))), None);
        assert_eq!(apart_s(Some(at(121)), Some(at(0))), Some(121));
        assert_eq!(apart_s(Some(at(0)), Some(at(121))), Some(-121));
        assert_eq!(apart_s(None, Some(at(0))), None);
    }
}
