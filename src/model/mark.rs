//! Marks (打点) on a recording.

use crate::model::ids::AccountId;
use crate::model::people::words;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

words!(
    /// What a mark says.
    MarkKind {
        /// 事先告知: recording was announced (第十三条).
        NoticeGiven = "notice_given",
        /// 此前是否谈话: whether there was talk before the button was pressed.
        PriorTalk = "prior_talk",
        /// 出示证件 (第六条).
        CertificateShown = "certificate_shown",
        /// 告知陈述权 (第七条).
        RightStatement = "right_statement",
        /// 告知申辩权 (第七条).
        RightDefence = "right_defence",
        /// 告知申请回避权 (第七条).
        RightRecusal = "right_recusal",
        /// 告知听证权 (第七条).
        RightHearing = "right_hearing",
        /// 问答.
        Questioning = "questioning",
        /// 出示材料.
        DocumentShown = "document_shown",
        /// 休息.
        Break = "break",
        /// 饮水、用餐.
        Water = "water",
        /// 如厕.
        Toilet = "toilet",
        /// 就医、服药.
        Medical = "medical",
        /// 对录音录像的异议 (第十三条): recorded; recording goes on.
        Objection = "objection",
        /// 说明中断的原因 (第十六条).
        Explanation = "explanation",
        /// 核对笔录.
        ReadingBack = "reading_back",
        /// 签字.
        Signing = "signing",
        /// 拒绝签字 (第六条).
        SignatureRefusal = "signature_refusal",
        /// 备注.
        Note = "note",
    }
);

impl MarkKind {
    /// The four rights of 第七条.
    pub const RIGHTS: [Self; 4] = [Self::RightStatement, Self::RightDefence, Self::RightRecusal, Self::RightHearing];

    /// Whether the person questioned rests meanwhile.
    pub fn is_rest(self) -> bool {
        matches!(self, Self::Break | Self::Water | Self::Toilet | Self::Medical)
    }
}

words!(
    /// 告知方式: how a right or the recording was told (第七条, 第十三条).
    Manner {
        /// 口头.
        Oral = "oral",
        /// 书面.
        Written = "written",
        /// 口头并书面.
        Both = "both",
    }
);

/// A mark on the recording.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "recorder", derive(utoipa::ToSchema))]
pub struct Mark {
    /// Milliseconds since the session's start, taken when the button's request arrived.
    pub at_ms: u64,
    /// The same, on the wall clock.
    pub at: DateTime<Utc>,
    /// What it says.
    pub kind: MarkKind,
    /// How it was told, for notices and rights.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub manner: Option<Manner>,
    /// More: what was answered, the reason of a refusal, a note.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// 见证人 of a refusal to sign.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub witness: Option<String>,
    /// Who set it.
    pub by: AccountId,
}
