//! The handover at the end of the day (第十四条): the officer hands over, the custodian reads every file again and gives the receipt. What
//! was not handed over by midnight is told to who supervises.

use crate::catalog::imports as index;
use crate::catalog::{accounts, sessions};
use crate::desks::check_outs::CheckOut;
use crate::desks::{Answer, Desks, No, blocking};
use crate::footage::tree;
use crate::machine::{durable, randomness, volume};
use crate::model::digest;
use crate::model::entry::{Draft, EntryKind};
use crate::model::handover::{self as rule, CustodianReceipt, Handover, HandoverStanding};
use crate::model::ids::{AccountId, HandoverId, SessionId};
use crate::model::people::{Act, Person, Role};
use crate::model::refusal::Refusal;
use crate::model::session::{Happening, Session, State};
use crate::model::time;
use crate::model::words::BadField;
use chrono::{DateTime, TimeDelta, TimeZone, Utc};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

/// Rows of each list.
pub(super) const ROWS_MAX: u32 = 500;
/// The largest manifest that is read again.
const PAPER_BYTES_MAX: u64 = 256 * 1024 * 1024;
/// Days for which check-outs are shown.
pub(super) const SHOWN_DAYS: i64 = 31;

/// A session on its way to the custodian.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct HandoverRow {
    /// Which.
    pub session: SessionId,
    /// 股室名称.
    pub unit_name: String,
    /// 执法记录设备编号.
    pub devices: String,
    /// 执法人员信息.
    pub officers: String,
    /// 使用时间.
    pub used_at: DateTime<Utc>,
    /// 案件当事人.
    pub party: Option<String>,
    /// 案由名称.
    pub cause: Option<String>,
    /// 案号.
    pub case_no: Option<String>,
    /// It was taken in, not recorded here.
    pub imported: bool,
    /// Files.
    pub files: usize,
    /// Their bytes.
    pub bytes: u64,
    /// 封存码.
    pub seal_code: String,
    /// Until when it is to be handed over.
    pub due: DateTime<Utc>,
    /// Where it stands.
    pub standing: HandoverStanding,
    /// Which of the six fields of 第十七条 are open.
    pub lacks: Vec<&'static str>,
    /// What was wrong when it was read again.
    pub problem: Option<String>,
    /// Who gave the receipt for it; told of one handover's sessions.
    pub received_by: Option<String>,
    /// When.
    pub received_at: Option<DateTime<Utc>>,
}

/// A handover.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct HandoverView {
    /// Its number.
    pub id: HandoverId,
    /// The officer's name.
    pub from_name: String,
    /// For whom it is meant.
    pub to_name: String,
    /// When.
    pub at: DateTime<Utc>,
    /// Its sessions.
    pub sessions: Vec<HandoverRow>,
    /// How much is read again, thousandths, while it runs.
    pub working: Option<u32>,
    /// How many of the sessions have a receipt.
    pub received: usize,
    /// Who gave the receipts; once all have one.
    pub received_by: Option<String>,
    /// When the last one was given.
    pub received_at: Option<DateTime<Utc>>,
    /// Bytes that were read again.
    pub received_bytes: u64,
    /// This person may give the receipt.
    pub may_receive: bool,
}

/// A handover in a list.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct HandoverLine {
    /// Its number.
    pub id: HandoverId,
    /// Who handed over.
    pub from_name: String,
    /// When.
    pub at: DateTime<Utc>,
    /// How many sessions.
    pub sessions: u64,
    /// How many with a receipt.
    pub received: u64,
}

/// A custodian to whom one can hand over.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct CustodianChoice {
    /// The account.
    pub id: AccountId,
    /// Their name.
    pub name: String,
}

/// The desk for handing over.
#[derive(Debug, Clone, Default, Serialize, utoipa::ToSchema)]
pub struct HandoverDesk {
    /// What this person has to hand over.
    pub mine: Vec<HandoverRow>,
    /// To whom they can.
    pub custodians: Vec<CustodianChoice>,
    /// Handovers of their units, newest first.
    pub handovers: Vec<HandoverLine>,
    /// Not handed over by midnight; for who supervises.
    pub overdue: Vec<HandoverRow>,
    /// Handed over, and without a receipt.
    pub waiting: Vec<HandoverRow>,
    /// Portable devices that are or were out.
    pub check_outs: Vec<CheckOut>,
    /// Portable devices that can be taken along.
    pub devices: Vec<crate::desks::imports::DevicePlace>,
}

/// Reading again that runs now, and what it found wrong.
#[derive(Default)]
pub(crate) struct Receiving {
    working: Mutex<BTreeMap<HandoverId, u32>>,
    problems: Mutex<BTreeMap<SessionId, String>>,
}

impl Receiving {
    fn working<T>(&self, work: impl FnOnce(&mut BTreeMap<HandoverId, u32>) -> T) -> T {
        work(&mut self.working.lock().unwrap_or_else(PoisonError::into_inner))
    }
    fn problem(&self, session: &SessionId) -> Option<String> {
        self.problems.lock().unwrap_or_else(PoisonError::into_inner).get(session).cloned()
    }
    fn set_problem(&self, session: &SessionId, problem: Option<String>) {
        let mut all = self.problems.lock().unwrap_or_else(PoisonError::into_inner);
        match problem {
            Some(problem) => drop(all.insert(session.clone(), problem)),
            None => drop(all.remove(session)),
        }
    }
}

impl Desks {
    pub(super) fn handover_units(&self, who: &Person) -> Vec<String> {
        self.settings.units.iter().filter(|(u, _)| who.lists_unit(u)).map(|(u, _)| u.to_string()).collect()
    }

    fn handover_row(&self, s: &Session) -> Option<HandoverRow> {
        let (facts, is_gone) = (s.facts(), s.state == State::Disposed);
        Some(HandoverRow {
            session: s.id.clone(),
            unit_name: self.unit_name(&s.unit),
            devices: sessions::devices_text(s),
            officers: sessions::officers_text(facts),
            used_at: s.used_at(),
            party: facts.party.clone(),
            cause: facts.cause.clone(),
            case_no: facts.case_no.clone(),
            imported: s.imported.is_some(),
            // Of what was given up no file is left: what was handed over and received tells of them.
            files: s.handover.as_ref().filter(|_| is_gone).map_or(s.segments.len(), |h| h.digests.len()),
            bytes: s.receipt.as_ref().filter(|_| is_gone).map_or_else(|| s.segments.iter().map(|f| f.bytes).sum(), |r| r.bytes),
            seal_code: s.seal.as_ref().map(|seal| seal.code.clone()).unwrap_or_default(),
            due: rule::due(s),
            standing: rule::standing(s, self.now().utc)?,
            lacks: rule::lacks(s),
            problem: self.receiving.problem(&s.id),
            received_by: None,
            received_at: s.receipt.as_ref().map(|r| r.at),
        })
    }

    /// What is to be handed over, received, and overdue, as far as this person may know.
    pub async fn handover_desk(&self, who: &Person) -> Answer<HandoverDesk> {
        if !who.may(Act::HandOver) && !who.may(Act::SeeOverdue) {
            return Err(self.refused(who, Refusal::NotYourRole, "handover"));
        }
        let (units, now) = (self.handover_units(who), self.now().utc);
        let since = (now - TimeDelta::days(SHOWN_DAYS)).timestamp_millis();
        let (sealed, waiting, lines, outs) = self
            .read(move |c| {
                let sealed = index::not_received(c, &units, State::Sealed, ROWS_MAX)?;
                let waiting = index::not_received(c, &units, State::HandedOver, ROWS_MAX)?;
                Ok((sealed, waiting, index::handovers(c, &units, 50)?, index::check_outs(c, &units, since, ROWS_MAX)?))
            })
            .await?;
        let rows = |all: &[Session], keep: &dyn Fn(&Session) -> bool| -> Vec<HandoverRow> {
            all.iter().filter(|s| who.lists(s) && keep(s)).filter_map(|s| self.handover_row(s)).collect()
        };
        let supervises = who.may(Act::SeeOverdue);
        let is_overdue = |s: &Session| supervises && rule::standing(s, now) == Some(HandoverStanding::Overdue);
        let check_outs = outs.into_iter().filter(|o| supervises || o.out.by == who.id).map(|o| self.check_out_of(o)).collect();
        let mine = |s: &Session| rule::hands_over(who, s);
        let names = self.names_of(lines.iter().filter_map(|l| l.from.clone())).await;
        Ok(HandoverDesk {
            mine: rows(&sealed, &mine),
            custodians: self.custodians_for(who).await?,
            handovers: lines.into_iter().filter_map(|l| line(l, &names)).collect(),
            overdue: rows(&sealed, &is_overdue),
            waiting: rows(&waiting, &|_| true),
            check_outs,
            devices: self.settings.imports.devices.iter().filter(|d| who.unit.as_ref() == Some(&d.unit)).cloned().collect(),
        })
    }

    async fn custodians_for(&self, who: &Person) -> Answer<Vec<CustodianChoice>> {
        if !who.may(Act::HandOver) {
            return Ok(vec![]);
        }
        let today = time::shanghai_day(self.now().utc);
        let all = self.read(accounts::all).await?;
        let fits = |p: &Person| p.is(Role::Custodian) && p.unit == who.unit && p.id != who.id;
        let fitting = all.into_iter().filter(|a| a.is_open(today) && fits(&a.person)).map(|a| a.person);
        Ok(fitting.map(|p| CustodianChoice { id: p.id, name: p.name }).collect())
    }

    /// Hands sessions to a custodian.
    pub async fn hand_to_custodian(&self, who: &Person, chosen: &[SessionId], to: &AccountId) -> Answer<HandoverId> {
        self.need(who, Act::HandOver)?;
        if chosen.is_empty() || chosen.len() > ROWS_MAX as usize {
            return Err(Refusal::from(BadField::form("sessions", "choose at least a session")).into());
        }
        if *to == who.id {
            return Err(self.refused(who, Refusal::SamePerson, "hand_over"));
        }
        if !self.custodians_for(who).await?.iter().any(|c| c.id == *to) {
            return Err(Refusal::from(BadField::form("to", "is no custodian of your unit")).into());
        }
        let mut all = Vec::new();
        for id in chosen {
            let session = self.known(who, id).await?.session;
            if !rule::hands_over(who, &session) {
                return Err(self.refused(who, Refusal::no_such("session", id.as_str()), "hand_over"));
            }
            if session.state != State::Sealed {
                return Err(Refusal::SessionState { state: session.state.as_str().into() }.into());
            }
            all.push(session);
        }
        let now = self.now().utc;
        let id = format!("h-{}-{}", &time::shanghai_stamp(now)[..8], randomness::hex::<3>()?);
        let id = HandoverId::new(&id).map_err(|e| No::Fault(e.to_string()))?;
        for session in all {
            let digests = rule::digests(&session);
            let listed = serde_json::to_string(&digests).map_err(|e| No::Fault(e.to_string()))?;
            let draft = Draft::new(EntryKind::SessionHandedOver)
                .by(&who.id)
                .in_session(&session.id)
                .about("handover", &id)
                .about("to", to)
                .about("files", digests.len())
                .about("digests_sha256", digest::sha256(listed.as_bytes()));
            let handover = Handover { id: id.clone(), from: who.id.clone(), to: to.clone(), digests, at: now };
            self.log_then_write(&session.id, Happening::HandedOver(handover), draft).await?;
        }
        Ok(id)
    }

    async fn of_handover(&self, who: &Person, id: &HandoverId) -> Answer<Vec<Session>> {
        let wanted = id.clone();
        let all = self.read(move |c| index::of_handover(c, &wanted)).await?;
        let may = who.may(Act::HandOver) || who.may(Act::SeeOverdue);
        let seen: Vec<Session> = all.into_iter().filter(|s| may && who.lists(s)).collect();
        if seen.is_empty() { Err(Refusal::no_such("handover", id.as_str()).into()) } else { Ok(seen) }
    }

    /// What these accounts are called; one that is not known any more goes by its number.
    async fn names_of(&self, ids: impl IntoIterator<Item = AccountId>) -> BTreeMap<AccountId, String> {
        let wanted: BTreeSet<AccountId> = ids.into_iter().collect();
        let mut names: BTreeMap<AccountId, String> = wanted.iter().map(|id| (id.clone(), id.to_string())).collect();
        let found = self.read(move |c| wanted.iter().map(|id| accounts::by_id(c, id)).collect::<Result<Vec<_>, _>>()).await;
        names.extend(found.unwrap_or_default().into_iter().flatten().map(|a| (a.person.id, a.person.name)));
        names
    }

    /// One handover.
    pub async fn handover(&self, who: &Person, id: &HandoverId) -> Answer<HandoverView> {
        let sessions = self.of_handover(who, id).await?;
        let first = sessions.iter().find_map(|s| s.handover.clone()).ok_or_else(|| Refusal::no_such("handover", id.as_str()))?;
        let receipts: Vec<&CustodianReceipt> = sessions.iter().filter_map(|s| s.receipt.as_ref()).collect();
        let received = sessions.iter().filter(|s| rule::is_received(s)).count();
        let all = received == sessions.len();
        let people = [first.from.clone(), first.to.clone()].into_iter().chain(receipts.iter().map(|r| r.by.clone()));
        let names = self.names_of(people).await;
        let name = |id: &AccountId| names.get(id).cloned().unwrap_or_else(|| id.to_string());
        let receivers: BTreeSet<String> = receipts.iter().map(|r| name(&r.by)).collect();
        let row = |s: &Session| Some(HandoverRow { received_by: s.receipt.as_ref().map(|r| name(&r.by)), ..self.handover_row(s)? });
        let of_unit = sessions.iter().all(|s| who.unit.as_ref() == Some(&s.unit));
        Ok(HandoverView {
            id: id.clone(),
            from_name: name(&first.from),
            to_name: name(&first.to),
            at: first.at,
            working: self.receiving.working(|all| all.get(id).copied()),
            received_at: receipts.iter().map(|r| r.at).max().filter(|_| all),
            received_bytes: receipts.iter().map(|r| r.bytes).sum(),
            received,
            received_by: all.then(|| receivers.into_iter().collect::<Vec<_>>().join("、")).filter(|names| !names.is_empty()),
            may_receive: !all && of_unit && who.may(Act::ReceiveHandover) && first.from != who.id,
            sessions: sessions.iter().filter_map(row).collect(),
        })
    }

    /// Reads every file of these sessions again and gives the receipt for those that are what was sealed. `chosen`: which; `None` is said by
    /// nobody who chooses, and means all of the handover. An empty choice is none, and is refused. Runs behind; its progress is in the view.
    pub async fn receive_handover(self: &Arc<Self>, who: &Person, id: &HandoverId, chosen: Option<&[SessionId]>) -> Answer<()> {
        self.need(who, Act::ReceiveHandover)?;
        let of = self.of_handover(who, id).await?;
        let is_chosen = |s: &Session| chosen.is_none_or(|chosen| chosen.contains(&s.id));
        let wanted: Vec<Session> = of.into_iter().filter(|s| !rule::is_received(s) && is_chosen(s)).collect();
        if wanted.is_empty() {
            return Err(Refusal::from(BadField::form("sessions", "choose at least a session")).into());
        }
        if wanted.iter().any(|s| s.handover.as_ref().is_none_or(|h| h.from == who.id)) {
            return Err(self.refused(who, Refusal::SamePerson, "receive"));
        }
        if wanted.iter().any(|s| who.unit.as_ref() != Some(&s.unit)) {
            return Err(self.refused(who, Refusal::NotYourRole, "receive"));
        }
        let open: Vec<String> = wanted.iter().flat_map(rule::lacks).map(Into::into).collect::<BTreeSet<_>>().into_iter().collect();
        if !open.is_empty() {
            return Err(Refusal::FieldsOpen { missing: open }.into());
        }
        let begun = self.receiving.working(|all| {
            let free = !all.contains_key(id);
            if free {
                all.insert(id.clone(), 0);
            }
            free
        });
        if !begun {
            return Err(Refusal::TooMany { running: 1 }.into());
        }
        let (desks, who, id) = (self.clone(), who.clone(), id.clone());
        tokio::spawn(async move {
            let whole: u64 = wanted.iter().flat_map(|s| &s.segments).map(|f| f.bytes).sum();
            let mut before = 0;
            for session in &wanted {
                let read = desks.read_session_again(&id, session, before, whole).await;
                before += session.segments.iter().map(|f| f.bytes).sum::<u64>();
                if let Err(no) = desks.give_receipt(&who, &id, session, read).await {
                    tracing::error!(session = %session.id, "no receipt was given: {no}");
                    desks.receiving.set_problem(&session.id, Some("machine".into()));
                }
            }
            desks.receiving.working(|all| all.remove(&id));
        });
        Ok(())
    }

    /// How many bytes of a session were read and are what was sealed; else which file is not.
    async fn read_session_again(&self, id: &HandoverId, session: &Session, before: u64, whole: u64) -> Answer<Result<u64, String>> {
        let (doc, folder) = self.session_doc(&session.id).await?;
        let seal = doc.seal.as_ref().map(|s| s.code.clone()).unwrap_or_default();
        let path: PathBuf = folder.join(tree::MANIFEST);
        let sealed = blocking("reading a manifest", move || durable::read_whole(&path, PAPER_BYTES_MAX)).await?;
        if !sealed.is_ok_and(|data| digest::sha256(&data) == seal) {
            return Ok(Err(tree::MANIFEST.into()));
        }
        let mut bytes = 0;
        for segment in &doc.segments {
            let (path, wanted) = (folder.join(&segment.file), segment.sha256.clone());
            let found = blocking("reading a file again", move || volume::digest(&path)).await?;
            match found {
                Ok((read, sha256)) if sha256 == wanted => bytes += read,
                _ => return Ok(Err(segment.file.clone())),
            }
            let share = (before + bytes).saturating_mul(1000).checked_div(whole).unwrap_or(1000);
            self.receiving.working(|all| all.insert(id.clone(), share as u32));
        }
        Ok(Ok(bytes))
    }

    async fn give_receipt(&self, who: &Person, id: &HandoverId, session: &Session, read: Answer<Result<u64, String>>) -> Answer<()> {
        let bytes = match read? {
            Ok(bytes) => bytes,
            Err(file) => {
                let draft = Draft::new(EntryKind::DamageFound).in_session(&session.id).about("file", &file).about("handover", id);
                self.acts.do_and_log(draft, |_| Ok(()));
                self.receiving.set_problem(&session.id, Some(file));
                return Ok(());
            }
        };
        self.receiving.set_problem(&session.id, None);
        let draft = Draft::new(EntryKind::SessionReceived)
            .by(&who.id)
            .in_session(&session.id)
            .about("handover", id)
            .about("files", session.segments.len())
            .about("bytes", bytes);
        let receipt = CustodianReceipt { handover: id.clone(), by: who.id.clone(), at: self.now().utc, bytes };
        self.log_then_write(&session.id, Happening::Received(receipt), draft).await.map(drop)
    }
}

fn line(row: index::HandoverRow, names: &BTreeMap<AccountId, String>) -> Option<HandoverLine> {
    let from_name = row.from.and_then(|from| names.get(&from).cloned()).unwrap_or_else(|| "—".into());
    Some(HandoverLine {
        id: row.id,
        from_name,
        at: Utc.timestamp_millis_opt(row.at_ms).single()?,
        sessions: row.sessions,
        received: row.received,
    })
}
