//! What channels have not taken yet, over a restart.

use crate::catalog::bad_doc;
use crate::machine::fault::Fault;
use crate::model::alarm_message::{Channel, Payload};
use rusqlite::{Connection, params};

/// Something that waits for a channel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Waiting {
    /// Its number: once a channel.
    pub id: String,
    /// The message that it was put into with others, once one was tried.
    pub batch: Option<String>,
    /// What.
    pub payload: Payload,
}

/// Adds one.
pub fn put(c: &Connection, channel: Channel, w: &Waiting) -> Result<(), Fault> {
    let doc = serde_json::to_string(&w.payload).map_err(|e| Fault::of("encode", "a message", e))?;
    let text = "INSERT INTO alarm_messages (channel, id, batch, doc) VALUES (?1, ?2, ?3, ?4) ON CONFLICT DO NOTHING";
    c.execute(text, params![channel.as_str(), w.id, w.batch, doc])?;
    Ok(())
}

/// These go in one message from now on.
pub fn batched(c: &Connection, channel: Channel, ids: &[String], batch: &str) -> Result<(), Fault> {
    let mut statement = c.prepare_cached("UPDATE alarm_messages SET batch = ?3 WHERE channel = ?1 AND id = ?2")?;
    ids.iter().try_for_each(|id| statement.execute(params![channel.as_str(), id, batch]).map(drop)).map_err(Fault::from)
}

/// These need not be sent any more.
pub fn gone(c: &Connection, channel: Channel, ids: &[String]) -> Result<(), Fault> {
    let mut statement = c.prepare_cached("DELETE FROM alarm_messages WHERE channel = ?1 AND id = ?2")?;
    ids.iter().try_for_each(|id| statement.execute(params![channel.as_str(), id]).map(drop)).map_err(Fault::from)
}

/// What waits for a channel, in order.
pub fn of_channel(c: &Connection, channel: Channel, rows_max: u32) -> Result<Vec<Waiting>, Fault> {
    let mut statement = c.prepare_cached("SELECT id, batch, doc FROM alarm_messages WHERE channel = ?1 ORDER BY number LIMIT ?2")?;
    let rows = statement.query_map(params![channel.as_str(), rows_max], |r| Ok((r.get(0)?, r.get(1)?, r.get::<_, String>(2)?)))?;
    rows.map(|row| {
        let (id, batch, doc) = row?;
        Ok(Waiting { id, batch, payload: serde_json::from_str(&doc).map_err(bad_doc("alarm_messages"))? })
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_waits_stays_in_order_until_its_own_channel_has_taken_it() {
        let c = crate::catalog::tests::connection();
        let letter = |to: &str| Waiting {
            id: to.into(),
            batch: None,
            payload: Payload::Letter { to: to.into(), subject: "s".into(), text: "t".into() },
        };
        for to in ["b", "a", "c"] {
            put(&c, Channel::Mail, &letter(to)).unwrap();
        }
        put(&c, Channel::Mail, &letter("a")).unwrap();
        put(&c, Channel::Mqtt, &letter("a")).unwrap();
        batched(&c, Channel::Mail, &["a".into(), "c".into()], "x").unwrap();
        gone(&c, Channel::Mail, &["b".into()]).unwrap();
        let waits: Vec<_> = of_channel(&c, Channel::Mail, 10).unwrap().into_iter().map(|w| (w.id, w.batch)).collect();
        assert_eq!(waits, [("a".to_owned(), Some("x".to_owned())), ("c".into(), Some("x".into()))]);
        assert_eq!(of_channel(&c, Channel::Mqtt, 10).unwrap(), [letter("a")]);
    }
}
