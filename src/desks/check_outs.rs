//! Portable devices that are taken along (第十四条, 第十五条): checked out, and missed when nothing of them has come in by midnight. A
//! check-out is a file of its own, `check-outs/<id>/check-out.json`; the catalog is its index.

use crate::catalog::imports::{self as index, CheckOutRow};
use crate::desks::handover::{ROWS_MAX, SHOWN_DAYS};
use crate::desks::{Answer, Desks, No, blocking};
use crate::machine::{durable, fault::Fault, randomness};
use crate::model::check_out::{CheckedOut, NothingCame};
use crate::model::entry::{Draft, EntryKind};
use crate::model::handover::{self as rule, CheckOutState};
use crate::model::ids::CheckOutId;
use crate::model::people::{Act, Person};
use crate::model::refusal::Refusal;
use crate::model::words::{self, BadField};
use chrono::{DateTime, TimeDelta, Utc};
use serde::Serialize;
use std::path::Path;

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

/// Where they lie below the data: a folder each.
pub(super) const FOLDER: &str = "check-outs";
/// What is in each.
pub(super) const FILE: &str = "check-out.json";

/// Puts one into its file.
fn write(data: &Path, out: &CheckedOut) -> Result<(), Fault> {
    let folder = data.join(FOLDER).join(out.id.as_str());
    durable::make_folder(&folder)?;
    let text = serde_json::to_vec_pretty(out).map_err(|e| Fault::of("encode", "a check-out", e))?;
    durable::write_whole(&folder.join(FILE), &text)
}

impl Desks {
    pub(super) fn check_out_of(&self, row: CheckOutRow) -> CheckOut {
        let (out, came) = (row.out, row.came_ms.and_then(DateTime::from_timestamp_millis));
        let state = rule::check_out_state(out.at, came, out.nothing.is_some(), self.now().utc);
        let name = self.settings.imports.devices.iter().find(|d| d.number == out.device_no).map_or("", |d| &d.name);
        CheckOut {
            id: out.id.to_string(),
            device_name: name.into(),
            device_no: out.device_no,
            unit_name: self.unit_name(&out.unit),
            name: out.by_name,
            at: out.at,
            battery: out.battery,
            free_gb: out.free_gb,
            state,
            reason: out.nothing.map(|n| n.reason),
        }
    }

    /// Logs, then puts it into its file and the catalog.
    async fn keep_check_out(&self, draft: Draft, out: CheckedOut) -> Answer<()> {
        self.acts.log_then_do(draft, |_| Ok(())).await?;
        let (data, kept) = (self.settings.data.clone(), out.clone());
        blocking("a check-out's file", move || write(&data, &kept)).await??;
        Ok(self.acts.keep(move |t| index::put_check_out(t, &out)).await?)
    }

    /// Gives a file to each check-out of a catalog that is older than these files.
    pub async fn file_check_outs(&self) -> Answer<()> {
        let (all, data) = (self.read(index::all_check_outs).await?, self.settings.data.clone());
        let write_missing = move || {
            let missing = all.iter().filter(|row| !durable::exists(&data.join(FOLDER).join(row.out.id.as_str()).join(FILE)));
            missing.into_iter().try_for_each(|row| write(&data, &row.out))
        };
        Ok(blocking("the check-outs' files", write_missing).await??)
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
        let all = self.read(move |c| index::check_outs(c, &units, since, ROWS_MAX)).await?;
        let is_out = |row: &CheckOutRow| row.out.device_no == device.number && row.came_ms.is_none() && row.out.nothing.is_none();
        if all.iter().any(is_out) {
            return Err(Refusal::from(BadField::form("device_no", "is out already; take in what it holds first")).into());
        }
        let id = format!("o-{}", randomness::hex::<6>()?);
        let out = CheckedOut {
            id: CheckOutId::new(&id).map_err(|e| No::Fault(e.to_string()))?,
            device_no: device.number,
            unit: device.unit,
            by: who.id.clone(),
            by_name: who.name.clone(),
            at: self.now().utc,
            battery,
            free_gb,
            nothing: None,
        };
        let draft = Draft::new(EntryKind::DeviceCheckedOut).by(&who.id).about("device_no", &out.device_no).about("unit", &out.unit);
        self.keep_check_out(draft, out.clone()).await?;
        Ok(self.check_out_of(CheckOutRow { out, came_ms: None }))
    }

    /// Says why a device that was out brings nothing.
    pub async fn nothing_came(&self, who: &Person, id: &str, reason: &str) -> Answer<()> {
        self.need(who, Act::ImportRecording)?;
        let reason = words::needed_text("reason", reason).map_err(Refusal::from)?;
        let none = || Refusal::no_such("check-out", id);
        let wanted = CheckOutId::new(id).map_err(|_| none())?;
        let found = self.read(move |c| index::check_out_by_id(c, &wanted)).await?.map(|row| row.out);
        let may = |o: &CheckedOut| who.lists_unit(&o.unit) && (o.by == who.id || who.may(Act::ReceiveHandover));
        let out = found.filter(|o| may(o) && o.nothing.is_none()).ok_or_else(none)?;
        let draft =
            Draft::new(EntryKind::DeviceWithoutMaterial).by(&who.id).about("device_no", &out.device_no).text("reason", Some(&reason));
        let nothing = Some(NothingCame { at: self.now().utc, by: who.id.clone(), reason });
        self.keep_check_out(draft, CheckedOut { nothing, ..out }).await
    }
}
