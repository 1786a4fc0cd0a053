//! Tables as CSV, for a spreadsheet.

use axum::http::header;
use axum::response::{IntoResponse, Response};

/// A table as a file of this name, with the byte order mark by which a spreadsheet reads its Chinese.
pub(super) fn file(name: &str, table: &str) -> Response {
    let disposition = format!("attachment; filename=\"{name}.csv\"");
    let head = [(header::CONTENT_TYPE, "text/csv; charset=utf-8".to_owned()), (header::CONTENT_DISPOSITION, disposition)];
    (head, format!("\u{feff}{table}")).into_response()
}

/// A cell (RFC 4180). What a spreadsheet would take for a formula is made text: names are typed by people.
pub(super) fn cell(text: &str) -> String {
    let guard = if text.starts_with(['=', '+', '-', '@', '\t', '\r']) { "'" } else { "" };
    format!("\"{guard}{}\"", text.replace('"', "\"\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_cannot_become_a_formula_or_break_its_cell() {
        assert_eq!(cell("=HYPERLINK(\"x\")"), "\"'=HYPERLINK(\"\"x\"\")\"");
        assert_eq!(cell("王某, 李某"), "\"王某, 李某\"");
    }
}
