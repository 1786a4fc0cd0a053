//! What was looked at for which purpose, for the figures of a period.

use crate::machine::fault::Fault;
use rusqlite::Connection;

/// A viewing: the unit whose recording it was, what for, and the seconds of picture that were shown.
pub struct ForPurpose {
    /// The unit that made the recording.
    pub unit: String,
    /// As it stood in the request.
    pub purpose: String,
    /// Seconds.
    pub seconds: u64,
}

/// Of a span (ms since 1970, the end not included).
pub fn between(c: &Connection, from_ms: i64, until_ms: i64) -> Result<Vec<ForPurpose>, Fault> {
    let mut statement = c.prepare_cached(
        "SELECT requests.unit, json_extract(requests.doc, '$.purpose'), seconds FROM viewings JOIN requests ON requests.id = viewings.request
         WHERE opened_at >= ?1 AND opened_at < ?2 LIMIT 200000",
    )?;
    let rows = statement.query_map([from_ms, until_ms], |r| {
        let purpose: Option<String> = r.get(1)?;
        Ok(ForPurpose { unit: r.get(0)?, purpose: purpose.unwrap_or_default(), seconds: r.get::<_, i64>(2)? as u64 })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_statement_is_right() {
        assert!(between(&crate::catalog::tests::connection(), 0, i64::MAX).unwrap().is_empty());
    }
}
