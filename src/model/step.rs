//! The session's state machine: a happening and a stamp in, the new session and what must be done about it out.
//!
//! Only `recorder` calls it on a running session; recovery and `shilu rebuild` replay journals through the same function.

use crate::model::facts::Link;
use crate::model::gap::{self, CauseFrom, GapCause, Pause};
use crate::model::hold::{self, Word};
use crate::model::import::UseCorrection;
use crate::model::missing::{self, Answer};
use crate::model::record::{self, InterviewRecord};
use crate::model::refusal::Refusal;
use crate::model::session::{Happening, Interruption, Session, Stamp, Start, State};
use crate::model::words::BadField;

/// What the recorder has to do after a step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// Let fragments through to files.
    OpenValves,
    /// Close every open file.
    CloseValves,
    /// Files are closed and gaps are known: sign.
    Seal,
}

/// What moves a session from state to state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trigger {
    /// A resumption.
    Resume,
    /// A pause.
    Interrupt,
    /// The end.
    End,
    /// The signature.
    Seal,
    /// The handover (第十四条).
    HandOver,
    /// The custodian's receipt.
    Keep,
}

/// Every transition of a session that a happening can make; what is not here is refused. A session begins as `Recording` ([`begin`]): what
/// was planned is a [`Plan`](crate::model::plan::Plan) until then. `Disposed` is no happening of its journal, which is gone with it: it is
/// what a tombstone says ([`Tombstone::session`](crate::model::tombstone::Tombstone::session)).
pub const TRANSITIONS: &[(State, Trigger, State)] = &[
    (State::Recording, Trigger::Interrupt, State::Interrupted),
    (State::Interrupted, Trigger::Resume, State::Recording),
    (State::Recording, Trigger::End, State::Ended),
    (State::Interrupted, Trigger::End, State::Ended),
    (State::Ended, Trigger::Seal, State::Sealed),
    (State::Sealed, Trigger::HandOver, State::HandedOver),
    (State::HandedOver, Trigger::Keep, State::Kept),
];

/// Where a trigger leads from a state.
pub fn next(state: State, trigger: Trigger) -> Result<State, Refusal> {
    TRANSITIONS
        .iter()
        .find(|(from, by, _)| *from == state && *by == trigger)
        .map(|(_, _, to)| *to)
        .ok_or_else(|| Refusal::SessionState { state: state.as_str().into() })
}

/// A session from the first line of its journal.
pub fn begin(start: &Start, stamp: Stamp) -> (Session, Vec<Effect>) {
    // What was taken in began when it was recorded; what is known of it was entered when it came.
    let entered_at = start.imported.as_ref().map_or(stamp.at, |i| i.taken_in_at);
    let first = Link { version: 1, at: entered_at, by: start.by.clone(), reason: None, facts: start.facts.clone() };
    let session = Session {
        id: start.id.clone(),
        room: start.room.clone(),
        unit: start.unit.clone(),
        kind: start.kind,
        state: State::Recording,
        started_at: stamp.at,
        started_by: start.by.clone(),
        ended_at: None,
        length_ms: None,
        mistake: None,
        links: vec![first],
        devices: start.devices.clone(),
        marks: vec![],
        record: InterviewRecord::default(),
        answers: vec![],
        interim: vec![],
        plan: start.plan.clone(),
        readiness: start.readiness.clone(),
        screen_key: start.screen_key.clone(),
        segments: vec![],
        interruptions: vec![],
        causes: start.devices.iter().map(|d| (d.camera.clone(), vec![])).collect(),
        gaps: vec![],
        clock: vec![],
        restarts: 0,
        restarted_ms: vec![],
        seal: None,
        rules: start.rules.clone(),
        holds: vec![],
        declared_routine: None,
        extension: None,
        imported: start.imported.clone(),
        corrections: vec![],
        handover: None,
        receipt: None,
        keys: vec![],
    };
    (session, vec![Effect::OpenValves])
}

/// The session after a happening, or the rule that forbids it.
pub fn step(session: &Session, happening: &Happening, stamp: Stamp) -> Result<(Session, Vec<Effect>), Refusal> {
    let mut s = session.clone();
    let mut effects = Vec::new();
    match happening {
        Happening::Started(_) => return Err(Refusal::SessionState { state: s.state.as_str().into() }),
        Happening::Marked(mark) => {
            running(&s)?;
            s.marks.push(mark.clone());
        }
        Happening::Recorded { change, by } => {
            running(&s)?;
            if s.record.lines.len() >= record::LINES_MAX {
                return Err(Refusal::RecordFull);
            }
            s.record = s.record.after(change, stamp.at_ms, stamp.at, by);
        }
        Happening::Answered { demand, kind, reason, by } => {
            not_disposed(&s)?;
            missing::may_answer(demand, *kind, reason.as_deref())?;
            s.answers.push(Answer { demand: demand.clone(), kind: *kind, reason: reason.clone(), by: by.clone(), at: stamp.at });
        }
        Happening::InterimSealed(seal) => {
            running(&s)?;
            s.interim.push(seal.clone());
        }
        Happening::Interrupted { cause, reason, by } => {
            s.state = next(s.state, Trigger::Interrupt)?;
            s.interruptions.push(Interruption { from_ms: stamp.at_ms, to_ms: None, cause: *cause, reason: reason.clone(), by: by.clone() });
            all_lost(&mut s, stamp.at_ms, GapCause::Interruption, reason.clone());
            effects.push(Effect::CloseValves);
        }
        Happening::Resumed { .. } => {
            s.state = next(s.state, Trigger::Resume)?;
            close_interruption(&mut s, stamp.at_ms);
            effects.push(Effect::OpenValves);
        }
        Happening::KeyMade(key) => {
            // Told once, however often it is found.
            if s.keys.iter().all(|k| k.kid != key.kid) {
                s.keys.push(key.clone());
            }
        }
        Happening::SegmentOpened { .. } | Happening::Reconciled { .. } => {}
        Happening::SegmentClosed(segment) => s.segments.push(segment.clone()),
        Happening::Lost { camera, since_ms, cause, detail } => {
            let cause = CauseFrom { at_ms: *since_ms, cause: *cause, detail: detail.clone() };
            s.causes.entry(camera.clone()).or_default().push(cause);
        }
        Happening::Restarted { cause, since_ms } => {
            running(&s)?;
            s.restarts += 1;
            s.restarted_ms.push(stamp.at_ms);
            all_lost(&mut s, *since_ms, *cause, None);
            if s.state == State::Recording {
                effects.push(Effect::OpenValves);
            }
        }
        Happening::Clock(seen) => s.clock.push(seen.clone()),
        Happening::Ended { mistake, .. } => {
            s.state = next(s.state, Trigger::End)?;
            close_interruption(&mut s, stamp.at_ms);
            s.ended_at = Some(stamp.at);
            s.length_ms = Some(stamp.at_ms);
            s.mistake.clone_from(mistake);
            effects.extend([Effect::CloseValves, Effect::Seal]);
        }
        Happening::Sealed(seal) => {
            s.state = next(s.state, Trigger::Seal)?;
            s.gaps = gaps(&s);
            s.seal = Some(seal.clone());
        }
        Happening::Linked { by, reason, facts } => {
            not_disposed(&s)?;
            let version = s.links.len() as u32 + 1;
            s.links.push(Link { version, at: stamp.at, by: by.clone(), reason: Some(reason.clone()), facts: facts.clone() });
        }
        Happening::Hold { ground, about, change, by } => {
            not_disposed(&s)?;
            let word = Word { at: stamp.at, by: by.clone(), reason: None };
            s.holds = hold::after(&s.holds, (*ground, about), change, word)?;
        }
        Happening::DeclaredRoutine { by, reason } => {
            not_disposed(&s)?;
            s.declared_routine = Some(Word { at: stamp.at, by: by.clone(), reason: Some(reason.clone()) });
        }
        Happening::Extended { extension, .. } => {
            not_disposed(&s)?;
            // Never shorter: what was once said to be kept longer is kept as long.
            if s.extension.as_ref().is_some_and(|e| e.until > extension.until) {
                return Err(Refusal::from(BadField::form("until", "is earlier than what was said before")));
            }
            s.extension = Some(extension.clone());
        }
        Happening::Corrected { device_no, used_at, reason, by } => {
            not_disposed(&s)?;
            let (device_no, used_at, reason, by) = (device_no.clone(), *used_at, reason.clone(), by.clone());
            s.corrections.push(UseCorrection { at: stamp.at, device_no, used_at, reason, by });
        }
        Happening::HandedOver(handover) => {
            s.state = next(s.state, Trigger::HandOver)?;
            s.handover = Some(handover.clone());
        }
        Happening::Received(receipt) => {
            let state = next(s.state, Trigger::Keep)?;
            // Two people (第十四条): nobody gives a receipt to themselves.
            if s.handover.as_ref().is_none_or(|h| h.from == receipt.by || h.id != receipt.handover) {
                return Err(Refusal::SamePerson);
            }
            s.state = state;
            s.receipt = Some(receipt.clone());
        }
    }
    Ok((s, effects))
}

/// The session that a journal tells; `None` for a journal without its first line. A line that the rules refuse is skipped:
/// a journal is what happened, and what could not be followed must not hide the rest.
pub fn replay<'a>(lines: impl IntoIterator<Item = (&'a Happening, Stamp)>) -> Option<Session> {
    let mut lines = lines.into_iter();
    let (Happening::Started(start), stamp) = lines.next()? else { return None };
    let (first, _) = begin(start, stamp);
    Some(lines.fold(first, |s, (happening, stamp)| step(&s, happening, stamp).map_or(s, |(next, _)| next)))
}

/// The gaps of every camera, up to the session's length. Computed; nobody edits them (第十二条).
pub fn gaps(session: &Session) -> Vec<gap::Gap> {
    let length = session.length_ms.unwrap_or(0);
    let pause = |i: &Interruption| Pause { from_ms: i.from_ms, to_ms: i.to_ms.unwrap_or(length), reason: i.reason.clone() };
    let pauses: Vec<Pause> = session.interruptions.iter().map(pause).collect();
    let of = |camera| {
        let spans: Vec<_> = session.segments.iter().filter(|s| &s.camera == camera).map(super::session::Segment::span_ms).collect();
        gap::find(camera, length, &spans, session.causes.get(camera).map_or(&[][..], Vec::as_slice), &pauses)
    };
    session.devices.iter().flat_map(|d| of(&d.camera)).collect()
}

fn running(session: &Session) -> Result<(), Refusal> {
    match session.state {
        State::Recording | State::Interrupted => Ok(()),
        other => Err(Refusal::SessionState { state: other.as_str().into() }),
    }
}

fn not_disposed(session: &Session) -> Result<(), Refusal> {
    if session.state == State::Disposed { Err(Refusal::SessionState { state: session.state.as_str().into() }) } else { Ok(()) }
}

fn all_lost(session: &mut Session, at_ms: u64, cause: GapCause, detail: Option<String>) {
    for causes in session.causes.values_mut() {
        causes.push(CauseFrom { at_ms, cause, detail: detail.clone() });
    }
}

fn close_interruption(session: &mut Session, at_ms: u64) {
    if let Some(open) = session.interruptions.last_mut().filter(|i| i.to_ms.is_none()) {
        open.to_ms = Some(at_ms);
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::model::facts::Facts;
    use crate::model::ids::{AccountId, CameraId, RoomId, SessionId, UnitId};
    use crate::model::session::{Device, InterruptionCause, Seal, Segment, SessionKind};
    use chrono::{DateTime, TimeDelta};

    pub(crate) fn at(ms: u64) -> Stamp {
        Stamp { at: DateTime::UNIX_EPOCH + TimeDelta::milliseconds(ms as i64), at_ms: ms }
    }

    fn officer() -> AccountId {
        AccountId::new("wang").unwrap()
    }

    /// A session that has just been started, in 1970.
    pub(crate) fn started_with(kind: SessionKind, facts: Facts) -> Session {
        let Happening::Started(start) = started() else { unreachable!() };
        begin(&Start { kind, facts, ..*start }, at(0)).0
    }

    fn started() -> Happening {
        let device = Device { camera: CameraId::new("face").unwrap(), device_no: "D-1".into(), name: "面部".into(), address: None };
        Happening::Started(Box::new(Start {
            id: SessionId::new("room-1-x").unwrap(),
            room: RoomId::new("room-1").unwrap(),
            unit: UnitId::new("land").unwrap(),
            kind: SessionKind::Interview,
            by: officer(),
            facts: Facts::default(),
            devices: vec![device],
            plan: None,
            readiness: None,
            screen_key: String::new(),
            rules: "1".into(),
            imported: None,
        }))
    }

    fn segment(from: i64, to: i64) -> Happening {
        Happening::SegmentClosed(Segment {
            camera: CameraId::new("face").unwrap(),
            sequence: 1,
            file: "f.mp4".into(),
            started_at: DateTime::UNIX_EPOCH,
            offset_ms: from,
            duration_ms: (to - from) as u64,
            bytes: 1,
            fragments: 1,
            sha256: String::new(),
            codecs: String::new(),
            resolution: String::new(),
            camera_clock_offset_ms: None,
            recovered: false,
            whole_bytes: None,
            from_mirror: None,
            sm3: None,
            signed_video: None,
        })
    }

    fn ended() -> Happening {
        Happening::Ended { by: Some(officer()), mistake: None }
    }

    fn sealed() -> Happening {
        Happening::Sealed(Seal { code: String::new(), signer: String::new(), at: DateTime::UNIX_EPOCH })
    }

    fn play(lines: &[(Happening, u64)]) -> Session {
        replay(lines.iter().map(|(h, ms)| (h, at(*ms)))).unwrap()
    }

    #[test]
    fn an_interruption_is_a_gap_with_its_cause_and_the_session_goes_on() {
        let pause = Happening::Interrupted { cause: InterruptionCause::Vacated, reason: Some("午饭".into()), by: officer() };
        let s = play(&[
            (started(), 0),
            (pause, 10_000),
            (segment(0, 10_000), 10_010),
            (Happening::Resumed { by: officer() }, 40_000),
            (ended(), 60_000),
            (segment(40_100, 60_000), 60_010),
            (sealed(), 60_020),
        ]);
        assert_eq!(s.state, State::Sealed);
        assert_eq!(s.gaps.len(), 1);
        assert_eq!((s.gaps[0].from_ms, s.gaps[0].to_ms, s.gaps[0].cause), (10_000, 40_100, GapCause::Interruption));
        assert_eq!(s.interruptions[0].to_ms, Some(40_000));
    }

    #[test]
    fn a_restart_is_a_gap_from_the_last_durable_byte() {
        let restart = Happening::Restarted { cause: GapCause::Restart, since_ms: 20_000 };
        let camera = Happening::Lost { camera: CameraId::new("face").unwrap(), since_ms: 23_500, cause: GapCause::Camera, detail: None };
        let s = play(&[
            (started(), 0),
            (segment(0, 20_000), 23_000),
            (restart, 23_000),
            (camera, 23_600),
            (ended(), 60_000),
            (segment(25_000, 60_000), 60_000),
            (sealed(), 60_000),
        ]);
        assert_eq!((s.gaps[0].from_ms, s.gaps[0].to_ms, s.gaps[0].cause), (20_000, 25_000, GapCause::Restart));
    }

    #[test]
    fn a_sealed_session_takes_no_mark_no_end_and_no_resumption_but_a_link() {
        let s = play(&[(started(), 0), (ended(), 1_000), (sealed(), 1_000)]);
        for no in [ended(), Happening::Resumed { by: officer() }, sealed(), started()] {
            assert!(step(&s, &no, at(2_000)).is_err(), "{no:?}");
        }
        let link =
            Happening::Linked { by: officer(), reason: "立案".into(), facts: Facts { case_no: Some("12".into()), ..Facts::default() } };
        let (s, _) = step(&s, &link, at(3_000)).unwrap();
        assert_eq!((s.links.len(), s.facts().case_no.as_deref()), (2, Some("12")));
        assert_eq!(s.links[0].facts.case_no, None, "the earlier link stays");
    }

    #[test]
    fn there_is_no_way_out_of_a_session_but_through_its_seal() {
        for state in State::ALL {
            for (from, _, to) in TRANSITIONS.iter().filter(|(from, ..)| from == state) {
                let open = [State::Recording, State::Interrupted, State::Ended].contains(from);
                let past = [State::HandedOver, State::Kept, State::Disposed].contains(to);
                assert!(!(open && past), "{from:?} → {to:?}");
            }
        }
    }
}
