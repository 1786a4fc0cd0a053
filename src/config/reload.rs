//! What a configuration that is read again changes at once, and what waits for the next start. Names alone are told: values may be secret.

use std::collections::BTreeSet;
use toml::{Table, Value};

/// A configuration as it was written, to be compared with a later one.
#[derive(Default)]
pub struct Source {
    /// Digest of the file's text.
    pub sha256: String,
    /// Its sections. They may hold passwords.
    pub table: toml::Table,
}

/// What may change while everything runs; a section's name means all of it. `desks::in_force` takes it up.
const LIVE: &[&str] = &[
    "bureau",
    "contact",
    "units",
    "console.idle_min",
    "console.lock_after",
    "console.lock_min",
    "console.prove_min",
    "console.second_factor",
    "console.address",
    "sso",
    "retention",
    "media",
    "backup",
    "custody.unit_certificate",
    "custody.unit_key",
];

/// What of a room waits: its watch for talk without a recording runs from the start on.
const ROOM_WAITS: &[&str] = &["in_use_alarm", "in_use_after_s", "talk_dbfs"];

/// What differs between two configurations, by dotted names.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Changes {
    /// Taken up at once; a room's cameras when the session that is open there is over.
    pub live: BTreeSet<String>,
    /// At the next start.
    pub at_next_start: BTreeSet<String>,
}

/// Compares two configurations.
pub fn changes(before: &Table, after: &Table) -> Changes {
    let mut all = Changes::default();
    for section in names(before, after) {
        let (old, new) = (before.get(&section), after.get(&section));
        match (section.as_str(), old, new) {
            (_, old, new) if old == new => {}
            ("rooms", old, new) => rooms(&mut all, old, new),
            (_, Some(Value::Table(old)), Some(Value::Table(new))) => fields(&mut all, &section, old, new),
            (_, Some(Value::Table(one)), None) | (_, None, Some(Value::Table(one))) => fields(&mut all, &section, one, &Table::new()),
            _ => all.put(section.clone(), LIVE.contains(&section.as_str())),
        }
    }
    all
}

fn names(a: &Table, b: &Table) -> BTreeSet<String> {
    a.keys().chain(b.keys()).cloned().collect()
}

fn fields(all: &mut Changes, section: &str, old: &Table, new: &Table) {
    for field in names(old, new).into_iter().filter(|f| old.get(f) != new.get(f)) {
        let name = format!("{section}.{field}");
        let is_live = LIVE.contains(&section) || LIVE.contains(&name.as_str());
        all.put(name, is_live);
    }
}

/// Rooms by their number: one that comes or goes waits.
fn rooms(all: &mut Changes, old: Option<&Value>, new: Option<&Value>) {
    let of = |rooms: Option<&Value>| -> Vec<(String, Table)> {
        let rooms = rooms.and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_table);
        rooms.filter_map(|room| Some((room.get("id")?.as_str()?.to_owned(), room.clone()))).collect()
    };
    let (old, new) = (of(old), of(new));
    let find = |rooms: &[(String, Table)], id: &str| rooms.iter().find(|(i, _)| i == id).map(|(_, room)| room.clone());
    for id in old.iter().chain(&new).map(|(id, _)| id).collect::<BTreeSet<_>>() {
        let (Some(before), Some(after)) = (find(&old, id), find(&new, id)) else {
            all.put(format!("rooms.{id}"), false);
            continue;
        };
        for field in names(&before, &after).into_iter().filter(|f| before.get(f) != after.get(f)) {
            all.put(format!("rooms.{id}.{field}"), !ROOM_WAITS.contains(&field.as_str()));
        }
    }
}

impl Changes {
    fn put(&mut self, name: String, is_live: bool) {
        if is_live {
            self.live.insert(name)
        } else {
            self.at_next_start.insert(name)
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(before: &str, after: &str) -> (String, String) {
        let all = changes(&before.parse().unwrap(), &after.parse().unwrap());
        let one = |names: BTreeSet<String>| names.into_iter().collect::<Vec<_>>().join(" ");
        (one(all.live), one(all.at_next_start))
    }

    #[test]
    fn each_difference_is_named_where_it_belongs_and_never_its_value() {
        let room = |lines: &str| format!("[[rooms]]\nid = \"r1\"\n{lines}");
        for (before, after, live, at_next_start) in [
            ("contact = \"a\"", "contact = \"a\"", "", ""),
            ("contact = \"a\"", "contact = \"b\"", "contact", ""),
            ("", "[console]\nidle_min = 9\nlisten = \"x\"", "console.idle_min", "console.listen"),
            ("[sso]\nissuer = \"a\"", "", "sso.issuer", ""),
            ("[recording]\nsegment_s = 10", "[recording]\nsegment_s = 20", "", "recording.segment_s"),
            (&room("cameras = [{ url = \"rtsp://a\" }]"), &room("cameras = [{ url = \"rtsp://b\" }]"), "rooms.r1.cameras", ""),
            (&room("in_use_alarm = true"), &room("in_use_alarm = false\nname = \"x\""), "rooms.r1.name", "rooms.r1.in_use_alarm"),
            (&room(""), "[[rooms]]\nid = \"r2\"", "", "rooms.r1 rooms.r2"),
            ("[[devices]]\nnumber = \"1\"", "", "", "devices"),
        ] {
            assert_eq!(told(before, after), (live.to_owned(), at_next_start.to_owned()), "{before} / {after}");
        }
    }
}
