//! Faults of equipment (第十六条): reported by people, seen by the machine, taken through repair and retest; and what they cost in a month.

use crate::catalog::{Reading, sessions};
use crate::desks::equipment::entry;
use crate::desks::{Answer, Desks};
use crate::model::device::{Device, DeviceChange, DeviceChangeKind};
use crate::model::device_fault::{By, DeviceFault, FaultKind, FaultState, FaultStep};
use crate::model::device_tally::{self, DeviceTally, OfficerTally};
use crate::model::entry::EntryKind;
use crate::model::figures::Period;
use crate::model::ids::DeviceId;
use crate::model::people::{Act, Person};
use crate::model::refusal::Refusal;
use crate::model::session::Session;
use crate::model::time;
use crate::model::words::{self, BadField};
use serde::Serialize;

/// A fault of a session's device while it ran.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct SessionFault {
    /// The device.
    pub device: DeviceId,
    /// Its number.
    pub number: String,
    /// Its name.
    pub name: String,
    /// The fault.
    pub fault: DeviceFault,
}

/// A month's figures.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct DeviceFigures {
    /// `2026-11`.
    pub month: String,
    /// The month before.
    pub before: String,
    /// The month after; none while this one is not over.
    pub after: Option<String>,
    /// By device.
    pub devices: Vec<DeviceTally>,
    /// By officer.
    pub officers: Vec<OfficerTally>,
}

impl Desks {
    /// A person reports a fault: no session starts on the device from this moment on. One that runs goes on, and is told.
    pub async fn report_fault(&self, who: &Person, id: &DeviceId, kind: FaultKind, text: &str) -> Answer<Device> {
        self.need(who, Act::ReportFault)?;
        let text = words::needed_text("what", text).map_err(Refusal::from)?;
        if !FaultKind::REPORTED.contains(&kind) {
            return Err(Refusal::from(BadField::form("kind", "is none of the choices")).into());
        }
        let _turn = self.equipment.turn.lock().await;
        let device = self.device_of(id)?;
        if device.retired_at.is_some() {
            return Err(Refusal::FaultState { state: FaultState::Retired.as_str().into() }.into());
        }
        let running = self.device_view(device.clone()).running;
        let fault = DeviceFault::reported(device.next_fault(), self.now().utc, &who.id, &who.name, kind, &text, running.clone());
        let mut draft =
            entry(EntryKind::FaultReported, &device).by(&who.id).about("fault", fault.number).about("fault_kind", kind.as_str());
        if let Some(session) = &running {
            draft = draft.in_session(session);
        }
        let device = self.with_step(device, fault, Some((&who.id, &who.name)), Some(text.clone()));
        self.note_device(draft.text("what", Some(&text)), device.clone()).await?;
        Ok(device)
    }

    /// Takes a fault a step further.
    pub async fn step_fault(&self, who: &Person, id: &DeviceId, number: u32, step: FaultStep) -> Answer<Device> {
        // Who found it reports it; the rest is the office's.
        let act = if matches!(step, FaultStep::Report { .. }) { Act::ReportFault } else { Act::KeepDevices };
        self.need(who, act)?;
        if matches!(step, FaultStep::EndByItself | FaultStep::TakeAway) {
            return Err(Refusal::no_such("step", "over").into());
        }
        let _turn = self.equipment.turn.lock().await;
        let mut device = self.device_of(id)?;
        let now = self.now().utc;
        let fault = device.fault(number)?.after(&step, now, Some((&who.id, &who.name)))?;
        if fault.state == FaultState::Retired {
            device.retired_at = Some(now);
        }
        let made = fault.steps.last().cloned();
        let (party, text) = made.map_or((None, None), |m| (m.party, m.text));
        let draft = entry(EntryKind::FaultStep, &device).by(&who.id).about("fault", number).about("state", fault.state.as_str());
        let said = [party, text].into_iter().flatten().collect::<Vec<_>>().join(" · ");
        let said = Some(said).filter(|s| !s.is_empty());
        let device = self.with_step(device, fault, Some((&who.id, &who.name)), said.clone());
        self.note_device(draft.text("what", said.as_deref()), device.clone()).await?;
        Ok(device)
    }

    /// Closes what the machine saw in the pictures of a camera that is not there any more: nothing would ever see that it is over.
    pub(super) async fn close_seen_of(&self, mut device: Device) -> Answer<()> {
        let seen: Vec<DeviceFault> =
            device.open_faults().filter(|f| f.state == FaultState::Seen && f.kind.is_of_stream()).cloned().collect();
        for fault in seen {
            let closed = fault.after(&FaultStep::TakeAway, self.now().utc, None)?;
            let draft = entry(EntryKind::FaultStep, &device).about("fault", closed.number).about("state", closed.state.as_str());
            device = self.with_step(device, closed, None, None);
            self.note_device(draft, device.clone()).await?;
        }
        Ok(())
    }

    fn with_step(&self, device: Device, fault: DeviceFault, by: By<'_>, text: Option<String>) -> Device {
        let (by, by_name) = by.map_or((None, None), |(id, name)| (Some(id.clone()), Some(name.to_owned())));
        let (number, state) = (Some(fault.number), Some(fault.state));
        let change =
            DeviceChange { at: self.now().utc, kind: DeviceChangeKind::FaultStep, by, by_name, text, fault: number, state, fields: vec![] };
        device.with_fault(fault).noted(change)
    }

    /// What the machine sees of a device: a fault is there, or it is not.
    pub(super) async fn machine_sees(&self, id: &DeviceId, kind: FaultKind, is_there: bool, text: Option<String>) -> Answer<()> {
        let has = |d: &Device| d.seen(kind).is_some();
        // Asked first without a turn: most looks change nothing.
        if self.device_of(id).is_ok_and(|d| has(&d) == is_there) {
            return Ok(());
        }
        let _turn = self.equipment.turn.lock().await;
        let device = self.device_of(id)?;
        // Taken away while it was looked at.
        if is_there && kind.is_of_stream() && device.camera.is_none() {
            return Ok(());
        }
        let now = self.now().utc;
        match (device.seen(kind).cloned(), is_there) {
            (None, true) if device.retired_at.is_none() => {
                if let Some(earlier) = device.faults.iter().rfind(|f| f.is_back(kind, now)).cloned() {
                    // The same again: counted, and not told once more.
                    let device = device.with_fault(earlier.again());
                    return self.note_device_quietly(device).await;
                }
                let fault = DeviceFault::seen(device.next_fault(), now, kind, text.clone());
                tracing::warn!(device = %device.known.number, kind = kind.as_str(), "a fault is seen");
                let draft = entry(EntryKind::FaultSeen, &device).about("fault", fault.number).about("fault_kind", kind.as_str());
                let device = self.with_step(device, fault, None, text);
                self.note_device(draft, device).await
            }
            (Some(seen), false) => {
                let over = seen.after(&FaultStep::EndByItself, now, None)?;
                if over.times > 1 {
                    return self.note_device_quietly(device.with_fault(over)).await;
                }
                let draft = entry(EntryKind::FaultOver, &device).about("fault", over.number).about("fault_kind", kind.as_str());
                let device = self.with_step(device, over, None, None);
                self.note_device(draft, device).await
            }
            _ => Ok(()),
        }
    }

    /// The faults of a session's devices while it ran.
    pub(super) fn session_faults(&self, session: &Session) -> Vec<SessionFault> {
        let (all, now) = (self.equipment.all(), self.now().utc);
        let fault = |(d, number): (&Device, u32)| {
            let fault = d.fault(number).ok()?.clone();
            Some(SessionFault { device: d.id.clone(), number: d.known.number.clone(), name: d.known.name.clone(), fault })
        };
        device_tally::of_session(&all, session, now).into_iter().filter_map(fault).collect()
    }

    /// A month (`2026-11`; none: this one) by device and by officer, for those who keep the register or supervise.
    pub async fn device_figures(&self, who: &Person, month: Option<&str>) -> Answer<DeviceFigures> {
        if !who.may(Act::Supervise) {
            self.need(who, Act::KeepDevices)?;
        }
        let now = self.now().utc;
        let today = time::shanghai_day(now);
        let month = Period::month(month, today).map_err(Refusal::from)?;
        let (from, to) = (time::shanghai_midnight(month.first()), time::shanghai_midnight(month.after().first()));
        let (from_ms, to_ms) = (from.timestamp_millis(), to.timestamp_millis());
        let sessions = self.read(move |c: &Reading| sessions::between(c, from_ms, to_ms)).await?;
        let devices = self.equipment.all();
        // The office counts hours of all units and reads no case; who supervises counts the units that they list.
        let counted: Vec<Session> = sessions.into_iter().filter(|s| who.may(Act::KeepDevices) || who.lists_unit(&s.unit)).collect();
        Ok(DeviceFigures {
            month: month.to_string(),
            before: month.before().to_string(),
            after: month.next(today).map(|after| after.to_string()),
            devices: device_tally::by_device(&devices, &counted, from, to.min(now)),
            officers: device_tally::by_officer(&devices, &counted, now),
        })
    }
}
