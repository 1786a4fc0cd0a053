//! Portable devices that are taken along (第十四条, 第十五条): checked out, and missed when nothing of them has come in by midnight.

use crate::catalog::imports::{self as index, CheckOutRow};
use crate::desks::handover::{ROWS_MAX, SHOWN_DAYS};
use crate::desks::{Answer, Desks};
use crate::machine::randomness;
use crate::model::entry::{Draft, EntryKind};
use crate::model::handover::{self as rule, CheckOutState};
use crate::model::ids::UnitId;
use crate::model::people::{Act, Person};
use crate::model::refusal::Refusal;
use crate::model::words::{self, BadField};
use chrono::{DateTime, TimeDelta, TimeZone, Utc};
use serde::Serialize;

/// A portable device that was taken along.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct CheckOut {
    /// Its number.
    pub id: String,
    /// 执法记录设备编号.
    pub device_no: String,
    /// What people call it.
    pub device_name: String,
    /// Whose it is.
    pub unit_name: String,
    /// Who took it.
    pub name: String,
    /// When.
    pub at: DateTime<Utc>,
    /// Percent.
    pub battery: Option<i64>,
    /// GB.
    pub free_gb: Option<i64>,
    /// Where its material stands.
    pub state: CheckOutState,
    /// Why nothing comes.
    pub reason: Option<String>,
}

impl Desks {
    pub(super) fn check_out_of(&self, row: CheckOutRow) -> CheckOut {
        let at = Utc.timestamp_millis_opt(row.at_ms).single().unwrap_or_default();
        let came = row.came_ms.and_then(|ms| Utc.timestamp_millis_opt(ms).single());
        let state = rule::check_out_state(at, came, row.ended_ms.is_some(), self.now().utc);
        let name = self.settings.imports.devices.iter().find(|d| d.number == row.device_no).map_or("", |d| &d.name);
        CheckOut {
            id: row.id,
            device_name: name.into(),
            device_no: row.device_no,
            unit_name: UnitId::new(&row.unit).map_or(row.unit, |u| self.unit_name(&u)),
            name: row.name,
            at,
            battery: row.battery,
            free_gb: row.free_gb,
            state,
            reason: row.reason,
        }
    }

    /// Takes a portable device along (第十五条: battery and memory as they were read).
    pub async fn check_out(&self, who: &Person, device_no: &str, battery: Option<i64>, free_gb: Option<i64>) -> Answer<CheckOut> {
        self.need(who, Act::ImportRecording)?;
        let device = self.settings.imports.devices.iter().find(|d| d.number == device_no && who.unit.as_ref() == Some(&d.unit)).cloned();
        let device = device.ok_or_else(|| Refusal::from(BadField::form("device_no", "is in no register of your unit")))?;
        self.usable(device_no)?;
        if battery.is_some_and(|b| !(0..=100).contains(&b)) || free_gb.is_some_and(|g| !(0..=100_000).contains(&g)) {
            return Err(Refusal::from(BadField::form("battery", "is no number that a device shows")).into());
        }
        let units = vec![device.unit.to_string()];
        let since = (self.now().utc - TimeDelta::days(SHOWN_DAYS)).timestamp_millis();
        let out = self.read(move |c| index::check_outs(c, &units, since, ROWS_MAX)).await?;
        let is_out = |o: &&CheckOutRow| o.device_no == device.number && o.came_ms.is_none() && o.ended_ms.is_none();
        if out.iter().find(is_out).is_some() {
            return Err(Refusal::from(BadField::form("device_no", "is out already; take in what it holds first")).into());
        }
        let row = CheckOutRow {
            id: format!("o-{}", randomness::hex::<6>()?),
            device_no: device.number.clone(),
            unit: device.unit.to_string(),
            account: who.id.to_string(),
            name: who.name.clone(),
            at_ms: self.now_ms(),
            battery,
            free_gb,
            ended_ms: None,
            reason: None,
            came_ms: None,
        };
        let draft = Draft::new(EntryKind::DeviceCheckedOut).by(&who.id).about("device_no", &row.device_no).about("unit", &row.unit);
        let kept = row.clone();
        self.acts.log_then_do(draft, move |t| index::check_out(t, &kept)).await?;
        Ok(self.check_out_of(row))
    }

    /// Says why a device that was out brings nothing.
    pub async fn nothing_came(&self, who: &Person, id: &str, reason: &str) -> Answer<()> {
        self.need(who, Act::ImportRecording)?;
        let reason = words::needed_text("reason", reason).map_err(Refusal::from)?;
        let (units, wanted) = (self.handover_units(who), id.to_owned());
        let found = self.read(move |c| Ok(index::check_outs(c, &units, 0, 100_000)?.into_iter().find(|o| o.id == wanted))).await?;
        let may = |o: &CheckOutRow| o.account == who.id.as_str() || who.may(Act::ReceiveHandover);
        let row = found.filter(may).ok_or_else(|| Refusal::no_such("check-out", id))?;
        let draft =
            Draft::new(EntryKind::DeviceWithoutMaterial).by(&who.id).about("device_no", &row.device_no).text("reason", Some(&reason));
        let (id, at) = (row.id.clone(), self.now_ms());
        let changed = self.acts.log_then_do(draft, move |t| index::end_check_out(t, &id, at, &reason)).await?;
        if changed { Ok(()) } else { Err(Refusal::no_such("check-out", &row.id).into()) }
    }
}
