//! Text that people type: bounded, one line, without control characters. Too long is refused, never cut: half a name is
//! another name.

use serde::{Deserialize, Serialize};

/// Longest single line (a name, a number, a place), in characters.
pub const LINE_CHARS_MAX: usize = 200;
/// Longest free text (a reason, a note), in characters.
pub const TEXT_CHARS_MAX: usize = 2_000;

/// What is wrong with a field, told to the person who filled it in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{field}: {problem}")]
pub struct BadField {
    /// The field's name as the API spells it.
    pub field: String,
    /// What is wrong and what would be right.
    pub problem: FieldProblem,
}

/// The ways in which a field can be wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(rename_all = "snake_case")]
pub enum FieldProblem {
    /// Needed, and empty.
    #[error("is empty and is needed")]
    Empty,
    /// Too long.
    #[error("has {chars} characters; at most {max} fit")]
    TooLong {
        /// How many came.
        chars: usize,
        /// How many fit.
        max: usize,
    },
    /// Holds a control character, or a line break where one line is wanted.
    #[error("holds a control character")]
    Control,
    /// Not of the form that is needed.
    #[error("{0}")]
    Form(String),
}

impl BadField {
    /// A field that is not of its form.
    pub fn form(field: &str, problem: &str) -> Self {
        Self { field: field.into(), problem: FieldProblem::Form(problem.into()) }
    }
}

/// One line; empty is `None`.
pub fn line(field: &str, text: &str) -> Result<Option<String>, BadField> {
    bounded(field, text, LINE_CHARS_MAX, false)
}

/// One line that must be there.
pub fn needed_line(field: &str, text: &str) -> Result<String, BadField> {
    line(field, text)?.ok_or_else(|| BadField { field: field.into(), problem: FieldProblem::Empty })
}

/// Free text with line breaks; empty is `None`.
pub fn text(field: &str, text: &str) -> Result<Option<String>, BadField> {
    bounded(field, text, TEXT_CHARS_MAX, true)
}

/// Free text that must be there.
pub fn needed_text(field: &str, given: &str) -> Result<String, BadField> {
    text(field, given)?.ok_or_else(|| BadField { field: field.into(), problem: FieldProblem::Empty })
}

fn bounded(field: &str, given: &str, max: usize, breaks: bool) -> Result<Option<String>, BadField> {
    let bad = |problem| BadField { field: field.into(), problem };
    let trimmed = given.trim();
    let chars = trimmed.chars().count();
    if chars > max {
        return Err(bad(FieldProblem::TooLong { chars, max }));
    }
    // Direction overrides can make a name read as another; they are refused with the control characters.
    let unfit = |c: char| {
        (c.is_control() && !(breaks && (c == '\n' || c == '\r' || c == '\t')))
            || matches!(c, '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}')
    };
    if trimmed.chars().any(unfit) {
        return Err(bad(FieldProblem::Control));
    }
    Ok((!trimmed.is_empty()).then(|| trimmed.to_owned()))
}

/// A case number or interview record number: one line of letters (any script), digits and `-_()（）〔〕[]【】·.第号`, never a path.
pub fn number(field: &str, given: &str) -> Result<Option<String>, BadField> {
    let Some(number) = line(field, given)? else { return Ok(None) };
    let fits = number.chars().all(|c| c.is_alphanumeric() || "-_()（）〔〕[]【】·. ".contains(c));
    if !fits || number.starts_with('.') || number.contains("..") {
        return Err(BadField::form(field, "holds letters, digits and - _ ( ) 〔 〕 [ ] . only; no path"));
    }
    Ok(Some(number))
}

/// The number as the name of a folder: what is not a letter or digit becomes `-`. Two numbers may fall together; the session's
/// folder below keeps them apart.
pub fn folder_name(number: &str) -> String {
    let name: String = number.chars().map(|c| if c.is_alphanumeric() { c } else { '-' }).take(60).collect();
    let name = name.trim_matches('-').to_owned();
    if name.is_empty() { "unlinked".into() } else { name }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_of_ten_thousand_characters_is_refused_and_never_cut() {
        let refused = line("party", &"张".repeat(10_000)).unwrap_err();
        assert_eq!(refused.problem, FieldProblem::TooLong { chars: 10_000, max: LINE_CHARS_MAX });
        assert_eq!(line("party", " 张三 ").unwrap().unwrap(), "张三");
    }

    #[test]
    fn a_case_number_with_a_path_in_it_is_refused() {
        for bad in ["../../etc/passwd", "a/b", "a\\b", "..", ".hidden", "x\ny", "a\u{202E}b"] {
            assert!(number("case_no", bad).is_err(), "{bad:?}");
        }
        assert_eq!(number("case_no", "威自然资罚〔2026〕12号").unwrap().unwrap(), "威自然资罚〔2026〕12号");
        assert_eq!(folder_name("威自然资罚〔2026〕12号"), "威自然资罚-2026-12号");
    }

    proptest::proptest! {
        #[test]
        fn no_number_that_passes_can_leave_its_folder(given in ".*") {
            if let Ok(Some(number)) = number("case_no", &given) {
                let folder = folder_name(&number);
                proptest::prop_assert!(!folder.contains('/') && !folder.contains('\0') && folder != ".." && !folder.is_empty());
            }
        }
    }
}
