//! The table of periods (第十八条, 第二十四条): a file of its own, since it is approved and changes by itself.

use super::{Checks, Retention, place, unread};
use crate::machine::durable;
use crate::model::hold::HoldRules;
use crate::model::people::Role;
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
        |path| durable::read_whole(path, BYTES_MAX).map(|data| String::from_utf8_lossy(&data).into_owned()).map_err(|fault| unread(&fault)),
    );
    let read = text.and_then(|text| toml::from_str::<Table>(&text).map_err(|e| place(&text, &e)));
    let Some(table) = c.ok("retention.table", read) else { return Table { versions: vec![], margin_days: wanted.margin_days } };
    for problem in table.problems() {
        c.that(false, "retention.table", || problem);
    }
    Table { margin_days: wanted.margin_days, ..table }
}

/// Who confirms holds of ground （四）. What the regulation leaves open is decided by a document that can be shown (第十九条).
pub(super) fn hold_rules(c: &mut Checks, wanted: &Retention) -> HoldRules {
    let may = HoldRules::IMPORTANT_BY;
    let mut important_by = Vec::new();
    for word in &wanted.important_by {
        let role = Role::from_word(word).filter(|r| may.contains(r) && !important_by.contains(r));
        c.that(role.is_some(), "retention.important_by", || {
            let words: Vec<&str> = may.iter().map(|r| r.as_str()).collect();
            format!("holds what cannot stand there; of {} each once would be right", words.join(", "))
        });
        important_by.extend(role);
    }
    c.that(!wanted.important_by.is_empty(), "retention.important_by", || "is empty: then nobody confirms; write at least one role".into());
    let document = Some(wanted.important_document.trim().to_owned()).filter(|d| !d.is_empty());
    let is_built_in = may.iter().all(|r| important_by.contains(r));
    c.that(is_built_in || document.is_some(), "retention.important_document", || {
        "is empty; write number and date of the document that decides who confirms (第十九条（四）)".into()
    });
    HoldRules { important_by, document }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_confirms_an_important_circumstance_stands_in_a_document() {
        for (roles, document, wrong) in [
            (&["legal_unit", "bureau_head", "leader_in_charge"][..], "", 0),
            (&["bureau_head"], "威自然资发〔2026〕3号，2026-03-01", 0),
            (&["bureau_head"], " ", 1),
            (&["custodian"], "x", 1),
            (&["bureau_head", "bureau_head"], "x", 1),
            (&[], "x", 1),
        ] {
            let important_by = roles.iter().map(ToString::to_string).collect();
            let wanted = Retention { important_by, important_document: document.into(), ..Retention::default() };
            let mut c = Checks::default();
            hold_rules(&mut c, &wanted);
            assert_eq!(c.wrong.len(), wrong, "{roles:?} {document:?}: {:?}", c.wrong);
        }
    }

    #[test]
    fn the_built_in_table_is_right_and_says_that_nobody_has_approved_it() {
        let table: Table = toml::from_str(BUILT_IN).unwrap();
        assert_eq!(table.problems(), Vec::<String>::new());
        assert!(table.versions.iter().all(|v| v.approved_on.is_none()));
    }
}
