//! The interview record, answers to demands, and seals in the middle of a session.

use crate::desks::{Answer, Desks, blocking};
use crate::model::ids::SessionId;
use crate::model::missing::{self, AnswerKind};
use crate::model::people::{Act as Right, Person};
use crate::model::record::{RecordChange, Signature};
use crate::model::refusal::Refusal;
use crate::model::session::Session;
use crate::model::words::{self, BadField};
use crate::recorder::after_end;
use crate::recorder::room::Act;
use std::sync::Arc;

impl Desks {
    /// Writes on the record of a running session.
    pub async fn write_record(&self, who: &Person, session: &SessionId, change: RecordChange) -> Answer<Session> {
        let change = check(change)?;
        if let RecordChange::Corrected { number, .. } = &change {
            let known = self.known(who, session).await?.session.record.lines.iter().any(|l| l.number == *number);
            if !known {
                return Err(Refusal::no_such("line", &number.to_string()).into());
            }
        }
        self.conduct(who, session, Act::Record(change)).await
    }

    /// Seals what is known and closed so far: the code goes onto the paper that the party signs.
    pub async fn seal_interim(&self, who: &Person, session: &SessionId) -> Answer<Session> {
        self.conduct(who, session, Act::InterimSeal).await
    }

    /// Answers a demand whose datum will not come, while the session runs or later.
    pub async fn answer_demand(
        &self,
        who: &Person,
        session: &SessionId,
        demand: &str,
        kind: AnswerKind,
        reason: Option<&str>,
    ) -> Answer<Session> {
        self.need(who, Right::LinkSession)?;
        let reason = reason.map_or(Ok(None), |t| words::text("reason", t)).map_err(Refusal::from)?;
        missing::may_answer(demand, kind, reason.as_deref())?;
        let asked_for = |s: &Session| {
            let is_there = missing::all(s).iter().any(|m| m.demand() == demand);
            if is_there { Ok(()) } else { Err(Refusal::no_such("demand", demand)) }
        };
        if let Some((room, running)) = self.recorder.open_session(session) {
            self.may_know_running(who, &running).await?;
            asked_for(&running)?;
            let demand = demand.to_owned();
            return Ok(Arc::unwrap_or_clone(room.act(session, &who.id, Act::Answer { demand, kind, reason }).await?));
        }
        let doc = self.known(who, session).await?;
        asked_for(&doc.session)?;
        let demand = demand.to_owned();
        let (shared, folder, by) = (self.recorder.shared().clone(), self.footage().join(doc.folder), who.id.clone());
        let answered = blocking("answering a demand", move || after_end::answer(&shared, &folder, &by, demand, kind, reason)).await??;
        self.indexed().await;
        Ok(answered?)
    }
}

/// What was typed: bounded; nothing is signed without a signer, and a refusal says why (第六条).
fn check(change: RecordChange) -> Result<RecordChange, Refusal> {
    let mut fields: Vec<BadField> = Vec::new();
    let mut keep = |r: Result<Option<String>, BadField>| r.map_err(|e| fields.push(e)).unwrap_or_default();
    let checked = match change {
        RecordChange::Line { kind, text, at_ms } => {
            RecordChange::Line { kind, text: keep(words::needed_text("text", &text).map(Some)).unwrap_or_default(), at_ms }
        }
        // Empty strikes the line out.
        RecordChange::Corrected { number, text, by_party } => {
            RecordChange::Corrected { number, text: keep(words::text("text", &text)).unwrap_or_default(), by_party }
        }
        RecordChange::Head(mut header) => {
            header.particulars = keep(words::text("particulars", &header.particulars.unwrap_or_default()));
            if header.from.zip(header.until).is_some_and(|(from, until)| until < from) {
                fields.push(BadField::form("until", "is before the beginning"));
            }
            RecordChange::Head(header)
        }
        RecordChange::ReadBack { manner } => RecordChange::ReadBack { manner },
        RecordChange::Page { page, signer, signature, reason, witness } => {
            let signer = keep(words::needed_line("signer", &signer).map(Some)).unwrap_or_default();
            let reason = reason.unwrap_or_default();
            let reason = if signature == Signature::Refused {
                keep(words::needed_text("reason", &reason).map(Some))
            } else {
                keep(words::text("reason", &reason))
            };
            let witness = keep(words::line("witness", &witness.unwrap_or_default()));
            if !(1..=500).contains(&page) {
                fields.push(BadField::form("page", "is 1 to 500"));
            }
            RecordChange::Page { page, signer, signature, reason, witness }
        }
    };
    if fields.is_empty() { Ok(checked) } else { Err(Refusal::BadFields { fields }) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(signer: &str, signature: Signature, reason: Option<&str>) -> RecordChange {
        RecordChange::Page { page: 1, signer: signer.into(), signature, reason: reason.map(Into::into), witness: None }
    }

    #[test]
    fn nothing_is_signed_without_a_signer_and_a_refusal_says_why() {
        assert!(check(page(" ", Signature::Signed, None)).is_err());
        assert!(check(page("张三", Signature::Refused, None)).is_err());
        assert!(check(page("张三", Signature::Refused, Some("认为面积不实"))).is_ok());
        assert!(check(page("张三", Signature::Signed, None)).is_ok());
    }
}
