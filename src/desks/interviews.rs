//! Starting, marking, interrupting, ending and linking sessions.

use crate::desks::{Answer, Desks, No, blocking};
use crate::model::ids::{RoomId, SessionId};
use crate::model::missing::{self, Missing};
use crate::model::people::{Act as Right, Person};
use crate::model::refusal::Refusal;
use crate::model::session::{Facts, InterruptionCause, Mark, MarkKind, Officer, Session, SessionKind};
use crate::model::words::{self, BadField};
use crate::recorder::links;
use crate::recorder::room::{Act, Begin};
use std::sync::Arc;

/// Most officers on a session.
const OFFICERS_MAX: usize = 20;

impl Desks {
    /// Starts a session; what is missing comes back and stops nothing.
    pub async fn start(&self, who: &Person, room: &RoomId, kind: SessionKind, facts: Facts) -> Answer<(Session, Vec<Missing>)> {
        self.need(who, Right::ConductSession)?;
        let facts = check_facts(facts)?;
        let place = self.recorder.room(room).ok_or_else(|| Refusal::no_such("room", room.as_str()))?;
        let begin = Begin { by: who.id.clone(), unit: who.unit.clone(), kind, facts };
        let session = place.begin(begin).await?;
        let missing = missing::of(&session);
        Ok((Arc::unwrap_or_clone(session), missing))
    }

    /// Sets a mark at this moment.
    pub async fn mark(&self, who: &Person, session: &SessionId, kind: MarkKind, text: Option<String>) -> Answer<Mark> {
        let text = text.as_deref().map_or(Ok(None), |t| words::text("text", t)).map_err(Refusal::from)?;
        let marked = self.conduct(who, session, Act::Mark { kind, text }).await?;
        marked.marks.last().cloned().ok_or_else(|| No::Fault("a mark was set and is not there".into()))
    }

    /// Pauses.
    pub async fn interrupt(&self, who: &Person, session: &SessionId, cause: InterruptionCause, reason: Option<String>) -> Answer<Session> {
        let reason = reason.as_deref().map_or(Ok(None), |t| words::text("reason", t)).map_err(Refusal::from)?;
        self.conduct(who, session, Act::Interrupt { cause, reason }).await
    }

    /// Goes on.
    pub async fn resume(&self, who: &Person, session: &SessionId) -> Answer<Session> {
        self.conduct(who, session, Act::Resume).await
    }

    /// Ends; answered when the session is sealed, or after 10 s still `Ended`: sealing goes on.
    pub async fn end(&self, who: &Person, session: &SessionId, mistake: Option<String>) -> Answer<Session> {
        let mistake = mistake.as_deref().map_or(Ok(None), |t| words::text("mistake", t)).map_err(Refusal::from)?;
        let sealed = self.conduct(who, session, Act::End { mistake });
        match tokio::time::timeout(std::time::Duration::from_secs(10), sealed).await {
            Ok(answer) => {
                self.indexed().await;
                answer
            }
            Err(_) => Ok(self.known(who, session).await?.session),
        }
    }

    /// Links anew; earlier links stay.
    pub async fn link(&self, who: &Person, session: &SessionId, facts: Facts, reason: String) -> Answer<Session> {
        self.need(who, Right::LinkSession)?;
        let facts = check_facts(facts)?;
        let reason = words::needed_text("reason", &reason).map_err(Refusal::from)?;
        let doc = self.known(who, session).await?;
        if let Some((room, _)) = self.recorder.open_session(session) {
            return Ok(Arc::unwrap_or_clone(room.act(session, &who.id, Act::Link { facts, reason }).await?));
        }
        let (shared, folder, by) = (self.recorder.shared().clone(), self.footage().join(doc.folder), who.id.clone());
        let linked = blocking("linking", move || links::link(&shared, &folder, &by, facts, reason)).await??;
        self.indexed().await;
        Ok(linked?)
    }

    /// Waits until the catalog has what was just done, so that whoever did it finds it; not for long, and not for certain: the
    /// journal has it already.
    async fn indexed(&self) {
        drop(tokio::time::timeout(std::time::Duration::from_secs(2), self.acts.keep(|_| Ok(()))).await);
    }

    /// An act on a running session, by an officer of its unit or who started it.
    async fn conduct(&self, who: &Person, session: &SessionId, act: Act) -> Answer<Session> {
        self.need(who, Right::ConductSession)?;
        let doc = self.known(who, session).await?;
        let Some((room, _)) = self.recorder.open_session(session) else {
            return Err(Refusal::SessionState { state: doc.session.state.as_str().into() }.into());
        };
        Ok(Arc::unwrap_or_clone(room.act(session, &who.id, act).await?))
    }
}

/// Facts as people type them: bounded, numbers without a path; every error at once.
fn check_facts(given: Facts) -> Result<Facts, Refusal> {
    let mut fields: Vec<BadField> = Vec::new();
    let mut keep = |result: Result<Option<String>, BadField>| result.map_err(|e| fields.push(e)).unwrap_or_default();
    let optional = |text: Option<String>| text.unwrap_or_default();
    let mut checked = Facts {
        case_no: keep(words::number("case_no", &optional(given.case_no))),
        record_no: keep(words::number("record_no", &optional(given.record_no))),
        party: keep(words::line("party", &optional(given.party))),
        cause: keep(words::line("cause", &optional(given.cause))),
        officers: vec![],
    };
    let many = given.officers.len();
    for officer in given.officers.into_iter().take(OFFICERS_MAX) {
        let certificate_no = keep(words::line("certificate_no", &optional(officer.certificate_no)));
        match keep(words::line("officer", &officer.name)) {
            Some(name) => checked.officers.push(Officer { name, certificate_no }),
            None if certificate_no.is_some() => drop(keep(words::needed_line("officer", "").map(Some))),
            None => {}
        }
    }
    if many > OFFICERS_MAX {
        fields.push(BadField::form("officers", &format!("are {many}; at most {OFFICERS_MAX} fit")));
    }
    if fields.is_empty() { Ok(checked) } else { Err(Refusal::BadFields { fields }) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_bad_field_is_told_at_once() {
        let given = Facts { case_no: Some("../x".into()), party: Some("张".repeat(10_000)), ..Facts::default() };
        let Err(Refusal::BadFields { fields }) = check_facts(given) else { panic!("not refused") };
        assert_eq!(fields.iter().map(|f| f.field.as_str()).collect::<Vec<_>>(), ["case_no", "party"]);
    }

    #[test]
    fn an_empty_row_of_officers_is_no_officer() {
        let row = |name: &str| Officer { name: name.into(), certificate_no: None };
        let checked = check_facts(Facts { officers: vec![row("王某"), row(" ")], ..Facts::default() }).unwrap();
        assert_eq!(checked.officers.len(), 1);
    }
}
