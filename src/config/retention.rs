//! The table of periods (第十八条, 第二十四条): a file of its own, since it is approved and changes by itself.

use super::{Checks, Retention};
use crate::machine::durable;
use crate::model::retention::Table;

/// Days added to every period at the least, for rest days: a floor like the six months themselves.
pub(super) const MARGIN_DAYS_MIN: u32 = 14;

/// The table that is built in: the same file as `config/retention.toml`.
const BUILT_IN: &str = include_str!("../../config/retention.toml");

/// Largest file that is read.
const BYTES_MAX: u64 = 1024 * 1024;

/// Reads and checks it; what is wrong is told with everything else.
pub(super) fn check(c: &mut Checks, wanted: &Retention) -> Table {
    let text = wanted.table.as_ref().map_or_else(
        || Ok(BUILT_IN.to_owned()),
        |path| {
            durable::read_whole(path, BYTES_MAX).map(|data| String::from_utf8_lossy(&data).into_owned()).map_err(|fault| fault.to_string())
        },
    );
    let read = text.and_then(|text| toml::from_str::<Table>(&text).map_err(|e| e.message().to_owned()));
    let Some(table) = c.ok("retention.table", read) else { return Table { versions: vec![], margin_days: wanted.margin_days } };
    for problem in table.problems() {
        c.that(false, "retention.table", || problem);
    }
    Table { margin_days: wanted.margin_days, ..table }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_built_in_table_is_right_and_says_that_nobody_has_approved_it() {
        let table: Table = toml::from_str(BUILT_IN).unwrap();
        assert_eq!(table.problems(), Vec::<String>::new());
        assert!(table.versions.iter().all(|v| v.approved_on.is_none()));
    }
}
