//! Requests and decisions (第二十二条).

use crate::catalog::{requests, sessions};
use crate::desks::sessions::SessionRow;
use crate::desks::{Answer, Desks};
use crate::machine::randomness;
use crate::model::access::{self, AccessMode, AccessRequest, Decision, RequestState};
use crate::model::digest;
use crate::model::entry::{Draft, EntryKind};
use crate::model::ids::{RequestId, SessionId};
use crate::model::people::{Act, Person, Role};
use crate::model::refusal::Refusal;
use crate::model::time;
use crate::model::words::{self, BadField};
use chrono::TimeDelta;
use std::collections::{BTreeMap, BTreeSet};

/// Longest window, hours: thirty days.
const HOURS_MAX: u32 = 720;
/// Rows of each list of the inbox.
const ROWS_MAX: u32 = 200;

/// Grants that are live at a time in the whole bureau, of which each leader is shown their own: a revocation must find them.
const LIVE_MAX: u32 = 5_000;

/// Most sessions of one request.
const SESSIONS_MAX: usize = 200;

/// A request as somebody fills it in.
#[derive(Debug, Clone)]
pub struct NewRequest {
    /// Which sessions; of one unit.
    pub sessions: Vec<SessionId>,
    /// What for.
    pub purpose: String,
    /// On what it rests.
    pub basis: Option<String>,
    /// Look or copy.
    pub mode: AccessMode,
    /// Bystanders masked in every copy.
    pub masked: bool,
    /// For how many hours from the decision on (1 to 720).
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
    /// Asks. Only for sessions that the person may know of.
    pub async fn request_access(&self, who: &Person, request: NewRequest) -> Answer<AccessRequest> {
        self.need(who, Act::RequestAccess)?;
        let mut sessions: Vec<SessionId> = Vec::new();
        request.sessions.into_iter().for_each(|s| {
            if !sessions.contains(&s) {
                sessions.push(s);
            }
        });
        if sessions.is_empty() || sessions.len() > SESSIONS_MAX {
            return Err(Refusal::from(BadField::form("sessions", "are 1 to 200")).into());
        }
        let mut units = BTreeSet::new();
        for session in &sessions {
            units.insert(self.known(who, session).await?.session.unit);
        }
        let unit = units.pop_first().filter(|_| units.is_empty());
        let unit = unit
            .ok_or_else(|| Refusal::from(BadField::form("sessions", "belong to several units; each unit's leader decides on its own")))?;
        let purpose = words::needed_text("purpose", &request.purpose).map_err(Refusal::from)?;
        let basis = request.basis.as_deref().map_or(Ok(None), |b| words::line("basis", b)).map_err(Refusal::from)?;
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
            sessions,
            unit,
            purpose,
            basis,
            mode: request.mode,
            masked: request.masked,
            hours: request.hours,
            from: now,
            until: now + TimeDelta::hours(i64::from(request.hours)),
            state: RequestState::Submitted,
            submitted_at: now,
            decided_by: None,
            decided_by_name: None,
            decided_for: None,
            decided_at: None,
            reason: None,
            granted: None,
            shown_at: None,
        };
        let draft = about(EntryKind::AccessRequested, who, &asked)
            .about("mode", asked.mode.as_str())
            .about("hours", request.hours)
            .text("purpose", Some(&asked.purpose));
        let kept = asked.clone();
        self.acts.log_then_do(draft, move |t| requests::put(t, &kept)).await?;
        self.tell_deciders(&asked).await;
        Ok(asked)
    }

    /// What waits, what was asked, what is open.
    pub async fn inbox(&self, who: &Person) -> Answer<Inbox> {
        let (id, now_ms) = (who.id.clone(), self.now_ms());
        let (submitted, approved, own) = self
            .read(move |c| {
                Ok((
                    requests::in_state(c, "submitted", ROWS_MAX)?,
                    requests::live(c, now_ms, LIVE_MAX)?,
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

    /// What is asked for, in words: of each session what its list says, where this person may list it.
    pub async fn asked_for(&self, who: &Person, inbox: &Inbox) -> Answer<BTreeMap<SessionId, SessionRow>> {
        let wanted: BTreeSet<SessionId> = inbox.to_decide.iter().chain(&inbox.live).flat_map(|r| r.sessions.clone()).collect();
        let found = self.read(move |c| wanted.iter().map(|id| sessions::by_id(c, id)).collect::<Result<Vec<_>, _>>()).await?;
        let listed = found.into_iter().flatten().map(|doc| doc.session).filter(|s| who.lists(s));
        Ok(listed.map(|s| (s.id.clone(), self.row(&s))).collect())
    }

    /// Notes that these requests were before the eyes of somebody who decides: an approval faster than reading is seen.
    pub fn inbox_shown(&self, inbox: &Inbox) {
        let now = self.now().utc;
        let fresh: Vec<AccessRequest> = inbox.to_decide.iter().filter(|r| r.shown_at.is_none()).cloned().collect();
        if !fresh.is_empty() {
            self.acts.index_only(move |t| {
                for request in fresh {
                    // A decision may have come in between.
                    let Some(now_there) = requests::by_id(t, &request.id)?.filter(|r| r.shown_at.is_none()) else { continue };
                    requests::put(t, &AccessRequest { shown_at: Some(now), ..now_there })?;
                }
                Ok(())
            });
        }
    }

    /// Decides or revokes; a revocation cuts running viewings, copies and packages within the moment.
    pub async fn decide_access(&self, who: &Person, id: &RequestId, decision: Decision) -> Answer<AccessRequest> {
        if let Decision::Reject { reason } | Decision::Revoke { reason } = &decision {
            words::text("reason", reason).map_err(Refusal::from)?;
        }
        // One decision at a time: the second finds what the first left.
        let turn = self.requests_turn.lock().await;
        let wanted = id.clone();
        let request = self.read(move |c| requests::by_id(c, &wanted)).await?.ok_or_else(|| Refusal::no_such("request", id.as_str()))?;
        let decided = match access::decide(&request, &decision, who, self.now().utc) {
            Ok(decided) => decided,
            Err(refusal) => return Err(self.refused(who, refusal, "decide_access")),
        };
        if matches!(decision, Decision::Approve(_)) {
            self.proved(who)?;
        }
        let kind = match decision {
            Decision::Approve(_) => EntryKind::AccessApproved,
            Decision::Reject { .. } => EntryKind::AccessRejected,
            Decision::Revoke { .. } => EntryKind::AccessRevoked,
        };
        let mut draft = about(kind, who, &decided).text("reason", decided.reason.as_deref());
        if let Some(leader) = access::may_decide(&request, who)? {
            draft = draft.about("for", &leader.leader);
        }
        if let Some(scope) = decided.granted.as_ref().filter(|_| kind == EntryKind::AccessApproved) {
            draft = draft.about("mode", scope.mode.as_str()).about("hours", scope.hours).about("sessions", scope.sessions.len());
        }
        let kept = decided.clone();
        self.acts.log_then_do(draft, move |t| requests::put(t, &kept)).await?;
        drop(turn);
        if kind == EntryKind::AccessRevoked {
            self.streams.cut(id.as_str());
        }
        self.tell_requester(&decided).await;
        Ok(decided)
    }

    /// Withdraws one's own request, or gives a grant back.
    pub async fn close_request(&self, who: &Person, id: &RequestId) -> Answer<AccessRequest> {
        let wanted = id.clone();
        let request = self.read(move |c| requests::by_id(c, &wanted)).await?.ok_or_else(|| Refusal::no_such("request", id.as_str()))?;
        let closed = access::close(&request, who, self.now().utc)?;
        let kept = closed.clone();
        self.acts.log_then_do(about(EntryKind::AccessClosed, who, &closed), move |t| requests::put(t, &kept)).await?;
        self.streams.cut(id.as_str());
        Ok(closed)
    }
}

/// An entry about a request; in its session where it is one alone.
fn about(kind: EntryKind, who: &Person, request: &AccessRequest) -> Draft {
    let draft = Draft::new(kind).by(&who.id).about("request", &request.id);
    match request.sessions.as_slice() {
        [one] => draft.in_session(one),
        many => {
            let all = many.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n");
            draft.about("sessions", many.len()).about("sessions_sha256", digest::sha256(all.as_bytes()))
        }
    }
}
