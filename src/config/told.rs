//! How what is wrong with a configuration is told: where it stands and what would be right, never what stands there. People write
//! passwords and the secret halves of keys into the wrong lines, and what is told goes to terminals, journals and bundles for support.

use crate::machine::fault::Fault;
use crate::model::ids::NotAnId;

/// Where a TOML error is and what would be right, never what stands there: that may be a password.
pub(super) fn place(text: &str, e: &toml::de::Error) -> String {
    let before = e.span().map_or(0, |s| text.get(..s.start).map_or(0, |before| before.matches('\n').count()));
    let key = text.lines().nth(before).and_then(key_of);
    let at = key.map(|key| format!(", {key}")).unwrap_or_default();
    format!("line {}{at}: {}", before + 1, without_values(e.message(), key))
}

/// The option that a line sets, or the table that it begins.
fn key_of(line: &str) -> Option<&str> {
    let line = line.trim();
    let table = line.strip_prefix('[').map(|rest| rest.trim_start_matches('[').split(']').next().unwrap_or_default());
    let key = table.or_else(|| Some(line.split_once('=')?.0))?.trim();
    let is_bare = |key: &str| key.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-.".contains(&b));
    Some(key).filter(|key| !key.is_empty() && is_bare(key))
}

/// The parser's own message quotes values; names of options stay.
fn without_values(message: &str, key: Option<&str>) -> String {
    let begins = |with: &[&str]| with.iter().any(|w| message.starts_with(w));
    if begins(&["unknown field", "missing field"]) {
        return message.into();
    }
    if begins(&["duplicate key"]) {
        return format!("duplicate key {}: it stands there already; write it once", key.unwrap_or_default());
    }
    if begins(&["invalid type", "invalid value", "invalid length", "unknown variant"]) {
        let expected = message.rsplit_once(", expected ").map_or("something else", |(_, expected)| expected);
        let expected = if expected.ends_with("a string") { "text in quotation marks" } else { expected };
        return format!("is not what belongs there; {expected} would be right");
    }
    // What is left are sentences of the parser and of dates; between an odd and an even quotation mark could be what was written.
    message.split(['`', '"']).step_by(2).collect::<Vec<_>>().join("…")
}

/// Why a file that the configuration names cannot be read, without its name: people write the password there.
pub(super) fn unread(fault: &Fault) -> String {
    format!("the file that it names cannot be read: {}", fault.source)
}

/// What an identifier has to look like, without what was given.
pub(super) fn named<T>(id: Result<T, NotAnId>) -> Result<T, &'static str> {
    id.map_err(|_| "is no identifier: 1 to 64 of a–z, 0–9 and '-', beginning with a letter or digit")
}

#[cfg(test)]
mod tests {
    use crate::config::parse;

    const EXAMPLE: &str = include_str!("../../config/shilu.toml");

    #[test]
    fn no_value_of_any_option_is_in_an_error_and_its_place_is() {
        let options: Vec<(usize, &str)> = EXAMPLE
            .lines()
            .enumerate()
            .filter_map(|(at, line)| Some((at, line.trim_start_matches(['#', ' ']).split_once(" = ")?.0)))
            .filter(|(_, key)| !key.contains(' '))
            .collect();
        let (mut told, dir) = (0, tempfile::tempdir().unwrap());
        let nowhere = dir.path().join("geheim9").display().to_string();
        for (at, key) in options {
            for value in [
                "87654321",
                "\"AGE-SECRET-KEY-1GEHEIM9\"",
                "[\"geheim9\"]",
                "geheim9",
                "\"ftp://a:geheim9@h/geheim9\"",
                &format!("{nowhere:?}"),
            ] {
                let mut lines: Vec<&str> = EXAMPLE.lines().collect();
                let line = format!("{key} = {value}");
                lines[at] = &line;
                if let Err(wrong) = parse(&lines.join("\n")) {
                    let wrong = wrong.join("\n");
                    let is_quoted = wrong.to_lowercase().contains("geheim") || wrong.contains("87654321") || wrong.contains("SECRET-KEY");
                    assert!(!is_quoted, "{line}: {wrong}");
                    told += 1;
                }
            }
        }
        assert!(told > 200, "{told}");
        for (from, to, is) in [
            ("segment_s = 60", "segment_s = \"x\"", "line 32, segment_s: is not what belongs there; u64 would be right"),
            ("segment_s = 60", "segment_s = 60\nsegment_s = 60", "duplicate key segment_s"),
            ("transport = \"tcp\"", "password = 12345678", "password: is not what belongs there; text in quotation marks would be right"),
            ("transport = \"tcp\"", "pasword = \"x\"", "pasword: unknown field `pasword`"),
            (
                "# recipient = \"age1…\"",
                "recipient = \"AGE-SECRET-KEY-1X\"",
                "footage.recipient: number 1 is no recipient: that is the secret half",
            ),
        ] {
            let wrong = parse(&EXAMPLE.replacen(from, to, 1)).err().unwrap().join("\n");
            assert!(wrong.contains(is), "{is} in {wrong}");
        }
    }
}
