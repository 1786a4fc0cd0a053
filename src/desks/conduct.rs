//! Starting, marking, interrupting, ending and linking sessions.

use crate::desks::{Answer, Desks, No, blocking};
use crate::model::facts::Facts;
use crate::model::ids::{PlanId, RoomId, SessionId};
use crate::model::mark::{Manner, Mark, MarkKind};
use crate::model::missing::{self, AnswerKind, Missing};
use crate::model::people::{Act as Right, Person};
use crate::model::refusal::Refusal;
use crate::model::session::{InterruptionCause, Session, SessionKind};
use crate::model::words;
use crate::recorder::after_end;
use crate::recorder::room::{Act, Begin};
use std::sync::Arc;

/// How a session is to start. All but the room may be missing.
#[derive(Debug, Clone)]
pub struct NewSession {
    /// Where.
    pub room: RoomId,
    /// What for.
    pub kind: SessionKind,
    /// What is known.
    pub facts: Facts,
    /// What it was planned as.
    pub plan: Option<PlanId>,
    /// Why it is started although not everything is ready (第十五条).
    pub readiness_reason: Option<String>,
}

/// A mark to be set.
#[derive(Debug, Clone, serde::Deserialize, utoipa::ToSchema)]
pub struct NewMark {
    /// What it says.
    pub kind: MarkKind,
    /// How it was told, for notices and rights.
    #[serde(default)]
    pub manner: Option<Manner>,
    /// More.
    #[serde(default)]
    pub text: Option<String>,
    /// 见证人 of a refusal to sign.
    #[serde(default)]
    pub witness: Option<String>,
}

/// An answer that is given with the end.
#[derive(Debug, Clone, serde::Deserialize, utoipa::ToSchema)]
pub struct LastAnswer {
    /// To what: `right-hearing`.
    pub demand: String,
    /// How.
    pub kind: AnswerKind,
    /// In words.
    #[serde(default)]
    pub reason: Option<String>,
}

impl Desks {
    /// Starts a session; what is missing comes back and stops nothing.
    pub async fn start(&self, who: &Person, new: NewSession) -> Answer<(Session, Vec<Missing>)> {
        self.need(who, Right::ConductSession)?;
        let facts = self.complete(new.facts).await?;
        let without = self.cameras_out_of_use(who, &new.room)?;
        let reason = new.readiness_reason.as_deref().map_or(Ok(None), |r| words::text("readiness_reason", r)).map_err(Refusal::from)?;
        let readiness = self.noted(&new.room, reason);
        let begin = Begin { by: who.id.clone(), unit: who.unit.clone(), kind: new.kind, facts, plan: new.plan.clone(), readiness, without };
        let begun = self.recorder.begin(&new.room, begin).await;
        let session = begun.ok_or_else(|| Refusal::no_such("room", new.room.as_str()))??;
        if let Some(plan) = new.plan {
            self.keep_plan(plan, session.id.clone());
        }
        let missing = missing::of(&session);
        Ok((Arc::unwrap_or_clone(session), missing))
    }

    /// Sets a mark at this moment.
    pub async fn mark(&self, who: &Person, session: &SessionId, mark: NewMark) -> Answer<Mark> {
        let NewMark { kind, manner, text, witness } = mark;
        let text = text.as_deref().map_or(Ok(None), |t| words::text("text", t)).map_err(Refusal::from)?;
        let witness = witness.as_deref().map_or(Ok(None), |t| words::line("witness", t)).map_err(Refusal::from)?;
        let marked = self.conduct(who, session, Act::Mark { kind, manner, text, witness }).await?;
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

    /// Ends, with what was asked for at the end; answered when the session is sealed, or after 10 s still `Ended`: sealing goes on. An
    /// answer that cannot be kept holds no end up: it is asked for again.
    pub async fn end(&self, who: &Person, session: &SessionId, mistake: Option<String>, answers: &[LastAnswer]) -> Answer<Session> {
        let mistake = mistake.as_deref().map_or(Ok(None), |t| words::text("mistake", t)).map_err(Refusal::from)?;
        for LastAnswer { demand, kind, reason } in answers {
            if let Err(no) = self.answer_demand(who, session, demand, *kind, reason.as_deref()).await {
                tracing::info!(%session, demand, "not answered at the end: {no}");
            }
        }
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
        let facts = self.complete(facts).await?;
        let reason = words::needed_text("reason", &reason).map_err(Refusal::from)?;
        let doc = self.known(who, session).await?;
        if let Some((room, _)) = self.recorder.open_session(session) {
            return Ok(Arc::unwrap_or_clone(room.act(session, &who.id, Act::Link { facts, reason }).await?));
        }
        let (shared, folder, by) = (self.recorder.shared().clone(), self.footage().join(doc.folder), who.id.clone());
        let linked = blocking("linking", move || after_end::link(&shared, &folder, &by, facts, reason)).await??;
        self.indexed().await;
        Ok(linked?)
    }

    /// Waits until the catalog has what was just done, so that whoever did it finds it; not for long, and not for certain: the
    /// journal has it already.
    pub(super) async fn indexed(&self) {
        drop(tokio::time::timeout(std::time::Duration::from_secs(2), self.acts.keep(|_| Ok(()))).await);
    }

    /// An act on a running session, by an officer of its unit or who started it.
    pub(super) async fn conduct(&self, who: &Person, session: &SessionId, act: Act) -> Answer<Session> {
        self.need(who, Right::ConductSession)?;
        let doc = self.known(who, session).await?;
        let Some((room, _)) = self.recorder.open_session(session) else {
            return Err(Refusal::SessionState { state: doc.session.state.as_str().into() }.into());
        };
        Ok(Arc::unwrap_or_clone(room.act(session, &who.id, act).await?))
    }
}
