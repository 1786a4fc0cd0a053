//! `[equipment]`: how cameras, disks and other devices are looked after (第十五条, 第十六条).

use crate::config::Checks;
use crate::desks::equipment::EquipmentSettings;
use serde::Deserialize;
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

/// How equipment is looked after.
#[derive(Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct EquipmentFile {
    look_s: u64,
    ask_min: u64,
    discover_from: Option<Ipv4Addr>,
    networks: Vec<String>,
}

impl Default for EquipmentFile {
    fn default() -> Self {
        let private =
            ["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "169.254.0.0/16", "127.0.0.0/8", "fc00::/7", "fe80::/10", "::1/128"];
        Self { look_s: 600, ask_min: 360, discover_from: None, networks: private.map(Into::into).into() }
    }
}

pub(super) fn check(c: &mut Checks, file: EquipmentFile) -> EquipmentSettings {
    c.that(file.look_s == 0 || (5..=86_400).contains(&file.look_s), "equipment.look_s", || {
        "is out of range; 0, or 5 to 86400 would be right".into()
    });
    c.within("equipment.ask_min", file.ask_min as i64, 0, 10_080);
    let network = |text: &String| -> Option<(IpAddr, u8)> {
        let (address, bits) = text.split_once('/')?;
        let (address, bits): (IpAddr, u8) = (address.parse().ok()?, bits.parse().ok()?);
        (bits <= if address.is_ipv4() { 32 } else { 128 }).then_some((address, bits))
    };
    for text in &file.networks {
        c.that(network(text).is_some(), "equipment.networks", || "holds what is no network; \"192.168.10.0/24\" would be right".into());
    }
    EquipmentSettings {
        look: Duration::from_secs(file.look_s),
        ask: Duration::from_secs(file.ask_min * 60),
        discover_from: file.discover_from,
        networks: file.networks.iter().filter_map(network).collect(),
    }
}
