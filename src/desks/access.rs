//! Requests and decisions (第二十二条).

use crate::catalog::requests;
use crate::desks::{Answer, Desks};
use crate::machine::randomness;
use crate::model::access::{self, AccessMode, AccessRequest, Decision, RequestState};
use crate::model::entry::{Draft, EntryKind};
use crate::model::ids::{RequestId, SessionId};
use crate::model::people::{Act, Person, Role};
use crate::model::refusal::Refusal;
use crate::model::time;
use crate::model::words::{self, BadField};
use chrono::TimeDelta;

/// Longest window, hours: thirty days.
const HOURS_MAX: u32 = 720;
/// Rows of each list of the inbox.
const ROWS_MAX: u32 = 200;

/// A request as somebody fills it in.
#[derive(Debug, Clone)]
pub struct NewRequest {
    /// Which session.
    pub session: SessionId,
    /// What for.
    pub purpose: String,
    /// Look or copy.
    pub mode: AccessMode,
    /// For how many hours from now (1 to 720).
    pub hours: u32,
}

/// A person's desk of requests.
#[derive(Debug, Clone, serde::Serialize, utoipa::ToSchema)]
pub struct Inbox {
    /// That wait for this person's decision, oldest first.
    pub to_decide: Vec<AccessRequest>,
    /// Of this person's own, newest first.
    pub own: Vec<AccessRequest>,
    /// That this person may revoke (approved and live).
    pub live: Vec<AccessRequest>,
}

impl Desks {
    /// Asks. Only for a session that the person may know of.
    pub async fn request_access(&self, who: &Person, request: NewRequest) -> Answer<AccessRequest> {
        self.need(who, Act::RequestAccess)?;
        let doc = self.known(who, &request.session).await?;
        let purpose = words::needed_text("purpose", &request.purpose).map_err(Refusal::from)?;
        if !(1..=HOURS_MAX).contains(&request.hours) {
            return Err(Refusal::from(BadField::form("hours", "is 1 to 720")).into());
        }
        let now = self.now().utc;
        let day = time::shanghai_stamp(now)[..8].to_owned();
        let id = RequestId::new(&format!("r-{day}-{}", randomness::hex::<3>()?)).map_err(|e| crate::desks::No::Fault(e.to_string()))?;
        let asked = AccessRequest {
            id,
            requester: who.id.clone(),
            requester_name: who.name.clone(),
            requester_leads: who.is(Role::LeaderInCharge),
            session: request.session,
            unit: doc.session.unit,
            purpose,
            mode: request.mode,
            from: now,
            until: now + TimeDelta::hours(i64::from(request.hours)),
            state: RequestState::Submitted,
            submitted_at: now,
            decided_by: None,
            decided_by_name: None,
            decided_at: None,
            reason: None,
        };
        let draft = Draft::new(EntryKind::AccessRequested)
            .by(&who.id)
            .in_session(&asked.session)
            .about("request", &asked.id)
            .about("mode", asked.mode.as_str())
            .about("hours", request.hours)
            .text("purpose", Some(&asked.purpose));
        let kept = asked.clone();
        self.acts.log_then_do(draft, move |t| requests::put(t, &kept)).await?;
        Ok(asked)
    }

    /// What waits, what was asked, what is open.
    pub async fn inbox(&self, who: &Person) -> Answer<Inbox> {
        let id = who.id.clone();
        let (submitted, approved, own) = self
            .read(move |c| {
                Ok((
                    requests::in_state(c, "submitted", ROWS_MAX)?,
                    requests::in_state(c, "approved", ROWS_MAX)?,
                    requests::of_person(c, &id, ROWS_MAX)?,
                ))
            })
            .await?;
        let now = self.now().utc;
        let decides = |r: &AccessRequest| access::may_decide(r, who).is_ok();
        Ok(Inbox {
            to_decide: submitted.into_iter().filter(decides).collect(),
            own,
            live: approved.into_iter().filter(|r| decides(r) && r.is_live(now)).collect(),
        })
    }

    /// Decides or revokes; a revocation cuts running viewings: each piece of footage asks for the grant anew.
    pub async fn decide_access(&self, who: &Person, id: &RequestId, decision: Decision) -> Answer<AccessRequest> {
        let wanted = id.clone();
        let request = self.read(move |c| requests::by_id(c, &wanted)).await?.ok_or_else(|| Refusal::no_such("request", id.as_str()))?;
        if let Decision::Reject { reason } | Decision::Revoke { reason } = &decision {
            words::text("reason", reason).map_err(Refusal::from)?;
        }
        let decided = match access::decide(&request, &decision, who, self.now().utc) {
            Ok(decided) => decided,
            Err(refusal) => return Err(self.refused(who, refusal, "decide_access")),
        };
        let kind = match decision {
            Decision::Approve => EntryKind::AccessApproved,
            Decision::Reject { .. } => EntryKind::AccessRejected,
            Decision::Revoke { .. } => EntryKind::AccessRevoked,
        };
        let draft =
            Draft::new(kind).by(&who.id).in_session(&decided.session).about("request", id).text("reason", decided.reason.as_deref());
        let kept = decided.clone();
        self.acts.log_then_do(draft, move |t| requests::put(t, &kept)).await?;
        if kind == EntryKind::AccessRevoked {
            self.viewings.cut(id);
        }
        Ok(decided)
    }
}
