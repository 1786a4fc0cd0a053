//! A portable device that somebody took along (第十四条, 第十五条): a file of its own, so that an index made anew still misses what has
//! not come in.

use crate::model::ids::{AccountId, CheckOutId, UnitId};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

/// A device on its way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CheckedOut {
    /// Its number.
    pub id: CheckOutId,
    /// 执法记录设备编号.
    pub device_no: String,
    /// Whose it is.
    pub unit: UnitId,
    /// Who took it.
    pub by: AccountId,
    /// Their name.
    pub by_name: String,
    /// When.
    pub at: DateTime<Utc>,
    /// Percent, as it was read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub battery: Option<i64>,
    /// GB, as it was read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub free_gb: Option<i64>,
    /// That it holds nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nothing: Option<NothingCame>,
}

/// Somebody's word that a device brought nothing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NothingCame {
    /// When it was said.
    pub at: DateTime<Utc>,
    /// By whom.
    pub by: AccountId,
    /// Why.
    pub reason: String,
}
