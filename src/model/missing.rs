//! `Missing`: what the regulation demands and a session does not have yet. Shown, counted, asked for later; it never stops a
//! recording (promise 1).

use crate::model::session::{MarkKind, Session, SessionKind};
use serde::Serialize;

/// A demand without its datum.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "recorder", derive(utoipa::ToSchema))]
pub struct Missing {
    /// What, as the console's texts call it (`missing-…`).
    pub what: &'static str,
    /// The article that demands it.
    pub article: &'static str,
}

/// Everything that is missing from a session, in the order of the articles.
pub fn of(session: &Session) -> Vec<Missing> {
    let facts = session.facts();
    let marked = |kind| session.marks.iter().any(|m| m.kind == kind);
    let interview = session.kind == SessionKind::Interview;
    let demands = [
        (facts.case_no.is_none(), "case", "第四条"),
        (facts.officers.len() < 2, "second-officer", "第六条"),
        (facts.officers.iter().any(|o| o.certificate_no.is_none()), "certificate-number", "第六条"),
        (interview && !marked(MarkKind::CertificateShown), "certificate-shown", "第六条"),
        (interview && !marked(MarkKind::Signing) && !marked(MarkKind::SignatureRefusal), "signature", "第六条"),
        (interview && !marked(MarkKind::RightStatement), "right-statement", "第七条"),
        (interview && !marked(MarkKind::RightDefence), "right-defence", "第七条"),
        (interview && !marked(MarkKind::RightRecusal), "right-recusal", "第七条"),
        (interview && !marked(MarkKind::RightHearing), "right-hearing", "第七条"),
        (!marked(MarkKind::NoticeGiven), "notice", "第十三条"),
        (facts.party.is_none(), "party", "第十七条"),
        (facts.cause.is_none(), "cause", "第十七条"),
        (interview && facts.record_no.is_none(), "record-number", "第二条"),
    ];
    demands.into_iter().filter(|(is, ..)| *is).map(|(_, what, article)| Missing { what, article }).collect()
}
