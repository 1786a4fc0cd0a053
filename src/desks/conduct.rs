//! Starting, marking, interrupting, ending and linking sessions.

use crate::desks::last_known::PATIENCE;
use crate::desks::{Answer, Desks, No, blocking};
use crate::model::facts::Facts;
use crate::model::ids::{PlanId, RoomId, SessionId};
use crate::model::mark::{Manner, Mark, MarkKind};
use crate::model::missing::{self, AnswerKind, Missing};
use crate::model::people::{Act as Right, Person};
use crate::model::refusal::Refusal;
use crate::model::session::{InterruptionCause, Session, SessionKind};
use crate::model::time::Moment;
use crate::model::words;
use crate::recorder::after_end;
use crate::recorder::room::{Act, Begin, Room};
use std::sync::Arc;
use std::time::Duration;

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

    /// Sets a mark at the moment at which it was asked for: what the catalog takes to answer moves no mark.
    pub async fn mark(&self, who: &Person, session: &SessionId, mark: NewMark, at: Moment) -> Answer<Mark> {
        let NewMark { kind, manner, text, witness } = mark;
        let text = text.as_deref().map_or(Ok(None), |t| words::text("text", t)).map_err(Refusal::from)?;
        let witness = witness.as_deref().map_or(Ok(None), |t| words::line("witness", t)).map_err(Refusal::from)?;
        let (room, _) = self.conducted(who, session).await?;
        let marked = room.act_at(session, &who.id, Act::Mark { kind, manner, text, witness }, at).await?;
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
        match tokio::time::timeout(Duration::from_secs(10), sealed).await {
            Ok(answer) => {
                self.indexed().await;
                answer
            }
            Err(_) => match self.recorder.open_session(session) {
                Some((_, running)) if who.lists(&running) => Ok(Arc::unwrap_or_clone(running)),
                _ => Ok(self.known(who, session).await?.session),
            },
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
        drop(tokio::time::timeout(Duration::from_secs(2), self.acts.keep(|_| Ok(()))).await);
    }

    /// An act on a running session, by an officer of its unit or who started it.
    pub(super) async fn conduct(&self, who: &Person, session: &SessionId, act: Act) -> Answer<Session> {
        let (room, _) = self.conducted(who, session).await?;
        Ok(Arc::unwrap_or_clone(room.act(session, &who.id, act).await?))
    }

    /// The room of a running session, for who may conduct it.
    async fn conducted(&self, who: &Person, session: &SessionId) -> Answer<(Arc<Room>, Arc<Session>)> {
        self.need(who, Right::ConductSession)?;
        let Some((room, running)) = self.recorder.open_session(session) else {
            let doc = self.known(who, session).await?;
            return Err(Refusal::SessionState { state: doc.session.state.as_str().into() }.into());
        };
        self.may_know_running(who, &running).await?;
        Ok((room, running))
    }

    /// Whether this person may know of a running session, by what its room knows of it: a catalog that hangs or fails keeps nobody who
    /// takes part from a mark, a pause or the end (promise 1). Of others the catalog is asked too, which may list it more narrowly
    /// (第四条); where it does not answer at once, the room's word stands.
    pub(super) async fn may_know_running(&self, who: &Person, running: &Session) -> Answer<()> {
        if !who.lists(running) {
            return Err(self.refused(who, Refusal::no_such("session", running.id.as_str()), "session"));
        }
        if who.takes_part(running) {
            return Ok(());
        }
        match tokio::time::timeout(PATIENCE, self.known(who, &running.id)).await {
            Ok(Err(No::Refusal(refusal))) => Err(refusal.into()),
            Ok(Ok(_) | Err(No::Fault(_))) | Err(_) => Ok(()),
        }
    }
}
