//! What `shilu import` leaves in the inbox: a file and an order beside it, answered by the thread that takes in.

use crate::catalog::accounts;
use crate::desks::{facts, imports};
use crate::machine::{durable, fault::Fault};
use crate::model::ids::{AccountId, UnitId};
use crate::model::import::{ArrivalState, ImportForm};
use crate::model::people::{Act, Person, Role};
use crate::model::time;
use crate::recorder::Shared;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// The largest order.
const PAPER_BYTES_MAX: u64 = 1024 * 1024;

/// What `shilu import` hands in.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Order {
    /// Sign-in name of who hands it in.
    pub by: String,
    /// The file's name at its source.
    pub file_name: String,
    /// When it was last written there.
    pub file_time: Option<DateTime<Utc>>,
    /// What is said of it.
    pub form: ImportForm,
}

/// What became of it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Told {
    /// Where it stands.
    pub state: ArrivalState,
    /// The session that it became, or had been before.
    pub session: Option<String>,
    /// SHA-256 of what arrived.
    pub sha256: Option<String>,
    /// Why not: a word.
    pub problem: Option<String>,
}

/// Where `shilu import` leaves files.
pub fn inbox(data: &Path) -> PathBuf {
    data.join("imports/inbox")
}

/// Names in an order's folder.
pub const ORDER: &str = "order.json";
/// The answer to it.
pub const ANSWER: &str = "answer.json";

/// Who hands in, for which unit, and the order as it was checked; or why not, in words for the terminal.
pub(super) fn read(shared: &Shared, folder: &Path) -> Result<(AccountId, UnitId, Order), String> {
    let data = durable::read_whole(&folder.join(ORDER), PAPER_BYTES_MAX).map_err(|fault| fault.to_string())?;
    let mut order: Order = serde_json::from_slice(&data).map_err(|e| e.to_string())?;
    let now = shared.clock.now().utc;
    let who = person(shared, &order.by, now).map_err(|fault| fault.to_string())?.ok_or("nobody of that name may take in recordings")?;
    let unit = who.unit.clone().ok_or("that person belongs to no unit")?;
    order.form.facts = facts::check(order.form.facts).map_err(|no| no.to_string())?;
    if order.form.facts.officers.is_empty() && who.is(Role::Officer) {
        order.form.facts.officers.push(imports::named(&who));
    }
    imports::check_form(&mut order.form, now).map_err(|no| no.to_string())?;
    Ok((who.id, unit, order))
}

fn person(shared: &Shared, username: &str, now: DateTime<Utc>) -> Result<Option<Person>, Fault> {
    let account = shared.acts.catalog().read(|c| accounts::by_username(c, username))?;
    let open = account.filter(|a| a.is_open(time::shanghai_day(now))).map(|a| a.person);
    Ok(open.filter(|p| p.may(Act::ImportRecording)))
}

/// Answers an order.
pub(super) fn answer(folder: &Path, told: &Told) {
    // Who asked may have gone, and the folder with them.
    if durable::exists(folder)
        && let Ok(data) = serde_json::to_vec(told)
        && let Err(fault) = durable::write_whole(&folder.join(ANSWER), &data)
    {
        tracing::warn!(%fault, "an import by command gets no answer");
    }
}
