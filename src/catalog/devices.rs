//! The register of equipment, indexed.

use crate::catalog::{archive, bad_doc};
use crate::machine::fault::Fault;
use crate::model::device::Device;
use rusqlite::{Connection, params};

/// Adds or replaces one.
pub fn put(c: &Connection, d: &Device) -> Result<(), Fault> {
    let doc = serde_json::to_string(d).map_err(|e| Fault::of("encode", "a device", e))?;
    let (unit, next) = (d.known.unit.as_ref().map(ToString::to_string), d.next_maintenance().map(|day| day.to_string()));
    c.execute(
        "INSERT INTO devices (id, number, kind, unit, standing, next_maintenance, doc) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
         ON CONFLICT (id) DO UPDATE SET number = excluded.number, kind = excluded.kind, unit = excluded.unit,
             standing = excluded.standing, next_maintenance = excluded.next_maintenance, doc = excluded.doc",
        params![d.id.as_str(), d.known.number, d.known.kind.as_str(), unit, d.standing().as_str(), next, doc],
    )?;
    let changed = d.history.last().map_or(d.registered_at, |change| change.at);
    archive::want(c, "device", d.id.as_str(), &format!("devices/{}", d.id), changed.timestamp_millis())
}

/// All of them, by number.
pub fn all(c: &Connection) -> Result<Vec<Device>, Fault> {
    let mut statement = c.prepare_cached("SELECT doc FROM devices ORDER BY number, id")?;
    let docs = statement.query_map([], |r| r.get::<_, String>(0))?;
    docs.map(|doc| serde_json::from_str(&doc?).map_err(bad_doc("devices"))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::device::tests::camera;
    use crate::model::device_fault::{DeviceFault, FaultKind};

    #[test]
    fn a_device_is_found_as_it_was_put_with_its_faults() {
        let c = crate::catalog::tests::connection();
        let seen = DeviceFault::seen(1, crate::model::device::tests::at(3), FaultKind::Dark, None);
        let faulty = camera().with_fault(seen);
        put(&c, &camera()).unwrap();
        put(&c, &faulty).unwrap();
        assert_eq!(all(&c).unwrap(), [faulty]);
    }
}
