//! Holds (第十九条): proposed by whoever sees the need, in force at once, confirmed by another, lifted by two. What people say to a hold is a
//! line of the session's journal; a proposal is written before its entry, so that nothing can hold it up, a lifting behind it.

use crate::catalog::accounts;
use crate::catalog::retention::{self as index, Wanted};
use crate::desks::retention::HoldView;
use crate::desks::sessions::SessionRow;
use crate::desks::{Answer, Desks, blocking};
use crate::model::entry::{Draft, EntryKind};
use crate::model::hold::{self, Ground, Hold, HoldChange, HoldRules, HoldState};
use crate::model::ids::{AccountId, SessionId};
use crate::model::people::{Act, Person};
use crate::model::refusal::Refusal;
use crate::model::session::{Happening, Session};
use crate::model::words;
use crate::recorder::after_end;
use serde::Serialize;

/// Rows of the register.
const ROWS_MAX: u32 = 500;

/// A line of the register.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
#[schema(as = SessionUnderHold)]
pub struct HeldSession {
    /// The session.
    pub session: SessionRow,
    /// Its holds in the states that were asked for.
    pub holds: Vec<HoldView>,
}

impl Desks {
    pub(super) async fn hold_views(&self, who: &Person, session: &Session, holds: Vec<Hold>) -> Answer<Vec<HoldView>> {
        let mut views = Vec::new();
        for hold in holds {
            let words = [&hold.proposed, &hold.confirmed, &hold.lift, &hold.lifted].map(|w| w.as_ref().map(|w| w.by.clone()));
            let names = self.read(move |c| {
                let name = |id: &Option<AccountId>| match id {
                    Some(id) => accounts::by_id(c, id).map(|found| found.map(|a| a.person.name)),
                    None => Ok(None),
                };
                Ok([name(&words[0])?, name(&words[1])?, name(&words[2])?, name(&words[3])?])
            });
            let names = names.await?;
            let may = |change: &HoldChange| hold::may(who, session, Some(&hold), change, &self.settings.holds).is_ok();
            let state = hold.state();
            let said = String::new;
            views.push(HoldView {
                may_confirm: state == HoldState::Proposed && may(&HoldChange::Confirmed),
                may_ask: matches!(state, HoldState::Proposed | HoldState::Confirmed) && may(&HoldChange::LiftProposed { reason: said() }),
                may_lift: state == HoldState::LiftProposed && may(&HoldChange::Lifted),
                state,
                names,
                hold,
            });
        }
        Ok(views)
    }

    /// Proposes a hold; it is in force when this returns.
    pub async fn propose_hold(&self, who: &Person, id: &SessionId, ground: Ground, reason: &str) -> Answer<Session> {
        let doc = self.known(who, id).await?;
        let reason = words::needed_text("reason", reason).map_err(Refusal::from)?;
        let change = HoldChange::Proposed { ground, reason };
        hold::may(who, &doc.session, None, &change, &self.settings.holds).map_err(|refusal| self.refused(who, refusal, "propose_hold"))?;
        let (session, _) = self.stands(&doc.folder, &doc.session).await?;
        let number = session.holds.iter().filter(|h| h.ground == ground).count() + 1;
        let folder = self.footage().join(&doc.folder);
        let draft = entry(EntryKind::Held, who, id, ground, &number.to_string(), &change);
        let happening = Happening::Hold { ground, about: number.to_string(), change, by: who.id.clone() };
        let shared = self.recorder.shared().clone();
        let held = blocking("writing a journal", move || after_end::hold(&shared, &folder, &happening, draft)).await???;
        self.indexed().await;
        Ok(held)
    }

    /// Says something else to a hold.
    pub async fn say_to_hold(&self, who: &Person, id: &SessionId, ground: Ground, about: &str, change: HoldChange) -> Answer<Session> {
        let doc = self.known(who, id).await?;
        let (session, around) = self.stands(&doc.folder, &doc.session).await?;
        let holds = around.holds(&session);
        let held = holds.iter().find(|h| h.ground == ground && h.about == about);
        let held = held.ok_or_else(|| Refusal::no_such("hold", about))?;
        hold::may(who, &session, Some(held), &change, &self.settings.holds).map_err(|refusal| self.refused(who, refusal, "say_to_hold"))?;
        let change = match change {
            HoldChange::LiftProposed { reason } => {
                HoldChange::LiftProposed { reason: words::needed_text("reason", &reason).map_err(Refusal::from)? }
            }
            HoldChange::LiftRefused { reason } => {
                HoldChange::LiftRefused { reason: words::needed_text("reason", &reason).map_err(Refusal::from)? }
            }
            other => other,
        };
        // Refused before it is logged where its order is wrong.
        let word = hold::Word { at: self.now().utc, by: who.id.clone(), reason: None };
        hold::after(&session.holds, (ground, about), &change, word)?;
        let kind = match &change {
            HoldChange::Proposed { .. } => return Err(Refusal::HoldState { state: held.state().as_str().into() }.into()),
            HoldChange::Confirmed => EntryKind::HoldConfirmed,
            HoldChange::LiftProposed { .. } => EntryKind::HoldLiftProposed,
            HoldChange::LiftRefused { .. } => EntryKind::HoldLiftRefused,
            HoldChange::Lifted => {
                self.proved(who)?;
                EntryKind::HoldLifted
            }
        };
        let draft = entry(kind, who, id, ground, about, &change);
        let happening = Happening::Hold { ground, about: about.into(), change, by: who.id.clone() };
        self.say(draft, self.footage().join(&doc.folder), happening).await
    }

    /// Who confirms a hold of ground （四） here.
    pub fn hold_rules(&self) -> &HoldRules {
        &self.settings.holds
    }

    /// The register: sessions with a hold in these states, newest first; of the units that this person lists.
    pub async fn held(&self, who: &Person, states: &[HoldState]) -> Answer<Vec<HeldSession>> {
        self.need(who, Act::ReadRetention)?;
        let (filter, wanted) = (self.retention_filter(who, Wanted::Held), states.to_vec());
        let found = self.read(move |c| {
            let words: Vec<&str> = wanted.iter().map(|s| s.as_str()).collect();
            let sessions = index::held(c, &filter, &words, ROWS_MAX)?;
            sessions.into_iter().map(|s| Ok((index::around(c, &s)?.holds(&s), s))).collect::<Result<Vec<_>, _>>()
        });
        let mut rows = Vec::new();
        for (holds, session) in found.await? {
            let holds = holds.into_iter().filter(|h| states.contains(&h.state())).collect();
            rows.push(HeldSession { session: self.row(&session), holds: self.hold_views(who, &session, holds).await? });
        }
        Ok(rows)
    }
}

fn entry(kind: EntryKind, who: &Person, id: &SessionId, ground: Ground, about: &str, change: &HoldChange) -> Draft {
    let reason = match change {
        HoldChange::Proposed { reason, .. } | HoldChange::LiftProposed { reason } | HoldChange::LiftRefused { reason } => {
            Some(reason.as_str())
        }
        HoldChange::Confirmed | HoldChange::Lifted => None,
    };
    Draft::new(kind).by(&who.id).in_session(id).about("ground", ground.as_str()).about("about", about).text("reason", reason)
}
