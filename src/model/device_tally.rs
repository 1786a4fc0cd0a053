//! What became of the equipment in a month: by device and by officer (第十五条, 第十六条).

use crate::model::device::{Device, DeviceKind};
use crate::model::session::Session;
use chrono::{DateTime, Utc};
use serde::Serialize;
use std::collections::BTreeMap;

/// A device's figures.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "recorder", derive(utoipa::ToSchema))]
pub struct DeviceTally {
    /// Its number.
    pub number: String,
    /// Its name.
    pub name: String,
    /// What it is.
    pub kind: DeviceKind,
    /// Faults that held in the month.
    pub faults: u64,
    /// Of these, reported by people.
    pub reported: u64,
    /// Sessions on it.
    pub sessions: u64,
    /// Their lengths, ms.
    pub used_ms: u64,
    /// Out of use, ms.
    pub out_of_use_ms: u64,
}

/// An officer's figures.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "recorder", derive(utoipa::ToSchema))]
pub struct OfficerTally {
    /// As named on the sessions.
    pub officer: String,
    /// Sessions that name them.
    pub sessions: u64,
    /// Their lengths, ms: the hours for which they used equipment.
    pub used_ms: u64,
    /// Faults that held on a session's device while it ran.
    pub faults: u64,
    /// Sessions with at least one of them.
    pub sessions_with_faults: u64,
}

/// By device, in the register's order; a stretch of time from its first moment to before its last.
pub fn by_device(devices: &[Device], sessions: &[Session], from: DateTime<Utc>, to: DateTime<Utc>) -> Vec<DeviceTally> {
    let one = |device: &Device| {
        let held = || device.faults.iter().filter(|f| f.overlaps(from, to));
        let on_it: Vec<&Session> = sessions.iter().filter(|s| uses(s, device)).collect();
        DeviceTally {
            number: device.known.number.clone(),
            name: device.known.name.clone(),
            kind: device.known.kind,
            faults: held().count() as u64,
            reported: held().filter(|f| !f.by_machine).count() as u64,
            sessions: on_it.len() as u64,
            used_ms: on_it.iter().filter_map(|s| s.length_ms).sum(),
            // Two faults at once keep a device out of use once: the longest counts.
            out_of_use_ms: held().map(|f| f.out_of_use_ms(from, to)).max().unwrap_or(0),
        }
    };
    devices.iter().map(one).collect()
}

/// By officer; a session counts for each officer that it names.
pub fn by_officer(devices: &[Device], sessions: &[Session], now: DateTime<Utc>) -> Vec<OfficerTally> {
    let mut officers: BTreeMap<String, OfficerTally> = BTreeMap::new();
    for session in sessions {
        let faults = of_session(devices, session, now).len() as u64;
        for officer in &session.facts().officers {
            let named = officer.certificate_no.as_ref().map_or_else(|| officer.name.clone(), |no| format!("{}（{no}）", officer.name));
            let tally = officers.entry(named.clone()).or_insert(OfficerTally {
                officer: named,
                sessions: 0,
                used_ms: 0,
                faults: 0,
                sessions_with_faults: 0,
            });
            tally.sessions += 1;
            tally.used_ms += session.length_ms.unwrap_or(0);
            tally.faults += faults;
            tally.sessions_with_faults += u64::from(faults > 0);
        }
    }
    officers.into_values().collect()
}

/// A session's own faults: those that held on one of its devices while it ran; the device and the fault's number.
pub fn of_session<'a>(devices: &'a [Device], session: &Session, now: DateTime<Utc>) -> Vec<(&'a Device, u32)> {
    let on_it = devices.iter().filter(|d| uses(session, d));
    on_it.flat_map(|d| d.faults.iter().filter(|f| f.is_of(session, now)).map(move |f| (d, f.number))).collect()
}

fn uses(session: &Session, device: &Device) -> bool {
    session.device_numbers().iter().any(|n| **n == *device.known.number)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::device::tests::{at, camera};
    use crate::model::device_fault::{DeviceFault, FaultKind, FaultStep};
    use crate::model::facts::{Facts, Officer};
    use crate::model::ids::AccountId;
    use crate::model::session::SessionKind;

    #[test]
    fn a_session_has_the_faults_that_held_on_its_devices_while_it_ran_and_its_officers_have_them_too() {
        let named = Officer { name: "王建国".into(), certificate_no: Some("冀E-017".into()), ..Officer::default() };
        let facts = Facts { officers: vec![named], ..Facts::default() };
        let mut session = crate::model::step::tests::started_with(SessionKind::Interview, facts);
        (session.started_at, session.ended_at, session.length_ms) = (at(60), Some(at(120)), Some(3_600_000));
        let mut device = camera();
        device.known.number = session.devices[0].device_no.clone();
        let over = |number, from, to| {
            let seen = DeviceFault::seen(number, at(from), FaultKind::StreamDown, None);
            seen.after(&FaultStep::EndByItself, at(to), None).unwrap()
        };
        let who = AccountId::new("a").unwrap();
        let reported = DeviceFault::reported(4, at(110), &who, "王", FaultKind::Damaged, "坏", None);
        for fault in [over(1, 0, 30), over(2, 50, 70), over(3, 130, 140), reported] {
            device = device.with_fault(fault);
        }
        let mut elsewhere = camera();
        elsewhere.known.number = "XW-999".into();
        let devices = [device.with_fault(DeviceFault::seen(5, at(500), FaultKind::Dark, None)), elsewhere];
        let own: Vec<u32> = of_session(&devices, &session, at(600)).iter().map(|(_, n)| *n).collect();
        assert_eq!(own, [2, 4]);
        let officers = by_officer(&devices, std::slice::from_ref(&session), at(600));
        let figures = |o: &OfficerTally| (o.officer.clone(), o.sessions, o.used_ms, o.faults, o.sessions_with_faults);
        assert_eq!(officers.iter().map(figures).collect::<Vec<_>>(), [("王建国（冀E-017）".to_owned(), 1, 3_600_000, 2, 1)]);
        let tallies = by_device(&devices, &[session], at(0), at(170));
        assert_eq!((tallies[0].faults, tallies[0].reported, tallies[0].used_ms, tallies[0].out_of_use_ms), (4, 1, 3_600_000, 3_600_000));
        assert_eq!((tallies[1].faults, tallies[1].sessions, tallies[1].used_ms, tallies[1].out_of_use_ms), (0, 0, 0, 0));
    }
}
