//! The shape of the house, checked. To see the shape, read the two tables.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Who may use whom. The order is the order of `src/lib.rs`; every arrow points down.
const MAY_USE: &[(&str, &[&str])] = &[
    ("cli", &["config", "web", "desks", "recorder", "acts", "capture", "custody", "catalog", "footage", "machine", "model"]),
    ("config", &["desks", "recorder", "capture", "custody", "footage", "machine", "model"]),
    ("web", &["desks", "model"]),
    ("desks", &["recorder", "acts", "custody", "catalog", "footage", "machine", "model"]),
    ("recorder", &["acts", "capture", "custody", "catalog", "footage", "machine", "model"]),
    ("acts", &["custody", "catalog", "machine", "model"]),
    ("capture", &["footage", "machine", "model"]),
    ("custody", &["footage", "machine", "model"]),
    ("catalog", &["machine", "model"]),
    ("footage", &["machine", "model"]),
    ("machine", &["model"]),
    ("model", &[]),
];

/// Foreign things, and the parts that may touch them.
const OWNED: &[(&str, &[&str])] = &[
    ("gstreamer", &["capture"]),
    ("retina::", &["capture"]),
    ("rusqlite", &["catalog"]),
    // The bucket is spoken to in one place, and what is encrypted for it as well.
    ("aws_sigv4", &["footage"]),
    ("reqwest::blocking", &["footage"]),
    ("use age::", &["footage"]),
    ("rumqttc", &["desks"]),
    ("axum::", &["web"]),
    ("axum_server", &["cli"]),
    ("pulldown_cmark", &["web"]),
    // One order of texts, for the catalog and for pages.
    ("icu_collator", &["model"]),
    ("clap::", &["cli", "custody"]),
    ("SystemTime::now", &["machine"]),
    ("Instant::now", &["machine"]),
    ("Utc::now", &[]),
    ("std::fs", &["machine"]),
    // In a group `std::fs` would not be seen: one line for each.
    ("std::{", &[]),
    ("std::env", &["cli", "machine"]),
    // Panics where nobody reads any more: `machine::terminal` has what does not.
    ("println!(", &[]),
    (".begin_write(", &["acts"]),
    ("async fn", &["cli", "web", "desks", "recorder", "acts", "capture"]),
];

#[test]
fn parts_use_only_what_the_table_grants() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut wrong = Vec::new();
    for path in sources(&root) {
        let relative = path.strip_prefix(&root).unwrap().to_path_buf();
        let Some(part) = part_of(&relative) else { continue };
        let text = product_code(&fs::read_to_string(&path).unwrap());
        let granted = MAY_USE.iter().find(|(name, _)| *name == part).unwrap_or_else(|| panic!("{part} is not in MAY_USE")).1;
        for used in parts_used(&text) {
            if used.is_empty() {
                wrong.push(format!("{}: name what you use, no crate::*", relative.display()));
            }
            if used != part && MAY_USE.iter().any(|(name, _)| *name == used) && !granted.contains(&used.as_str()) {
                wrong.push(format!("{}: {part} may not use {used}", relative.display()));
            }
        }
        if text.contains("super::super::") || (relative.ends_with("mod.rs") && text.contains("super::")) {
            wrong.push(format!("{}: write crate::… instead of climbing with super::", relative.display()));
        }
        if text.contains("pub use crate::") {
            wrong.push(format!("{}: a re-export hides an arrow", relative.display()));
        }
        for (word, owners) in OWNED {
            if text.contains(word) && !owners.contains(&part.as_str()) {
                wrong.push(format!("{}: {word} belongs to {owners:?}", relative.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "\n{}\n", wrong.join("\n"));
}

#[test]
fn the_table_is_in_the_order_of_lib_rs_and_points_down() {
    let lib = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("src/lib.rs")).unwrap();
    let declared: Vec<&str> = lib.lines().filter_map(|l| l.strip_prefix("pub mod ")?.strip_suffix(';')).collect();
    let listed: Vec<&str> = MAY_USE.iter().map(|(name, _)| *name).collect();
    assert_eq!(declared, listed);
    for (at, (name, granted)) in MAY_USE.iter().enumerate() {
        for used in *granted {
            assert!(listed[at + 1..].contains(used), "{name} → {used} points up");
        }
    }
}

#[test]
fn the_maps_of_desks_and_model_name_every_file() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    for part in ["desks", "model"] {
        let text = fs::read_to_string(src.join(part).join("mod.rs")).unwrap();
        let map: String = text.lines().filter(|l| l.starts_with("//! |")).collect();
        for module in text.lines().filter_map(|l| l.trim_start_matches("pub ").strip_prefix("mod ")?.strip_suffix(';')) {
            assert!(map.contains(&format!("`{module}`")), "the map of {part} does not name {module}");
        }
    }
}

#[test]
fn no_file_has_two_subjects_worth_of_lines() {
    let long: Vec<String> = sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"))
        .into_iter()
        .map(|p| (fs::read_to_string(&p).unwrap().lines().count(), p))
        .filter(|(lines, _)| *lines > 600)
        .map(|(lines, p)| format!("{}: {lines} lines", p.display()))
        .collect();
    assert!(long.is_empty(), "{long:#?}");
}

#[test]
fn the_word_for_another_procedure_stands_nowhere_in_the_console() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/web");
    for dir in ["templates", "i18n/zh-CN", "i18n/en"] {
        for entry in fs::read_dir(root.join(dir)).unwrap() {
            let path = entry.unwrap().path();
            let text = fs::read_to_string(&path).unwrap().to_lowercase();
            assert!(!text.contains("讯问") && !text.contains("interrogat"), "{}", path.display());
        }
    }
}

#[test]
fn every_file_of_tests_is_run() {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests");
    let listed = fs::read_to_string(tests.join("main.rs")).unwrap();
    for entry in fs::read_dir(&tests).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        if let Some(module) = name.strip_suffix(".rs").filter(|module| *module != "main") {
            assert!(listed.lines().any(|l| l == format!("mod {module};")), "tests/main.rs does not name {module}");
        }
    }
}

fn sources(dir: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(sources(&path));
        } else if path.extension().is_some_and(|e| e == "rs") {
            found.push(path);
        }
    }
    found
}

/// `desks/access.rs` and `desks.rs` are both `desks`; `lib.rs`, `main.rs` and `bin/` are no part.
fn part_of(relative: &Path) -> Option<String> {
    let first = relative.iter().next()?.to_str()?;
    let part = first.strip_suffix(".rs").unwrap_or(first);
    (!["lib", "main", "bin"].contains(&part)).then(|| part.to_owned())
}

/// Without comments and without the tests at the end of the file. What only tests use in the middle of one is held like the rest.
fn product_code(text: &str) -> String {
    let tests = ["\n#[cfg(test)]\nmod tests {", "\n#[cfg(test)]\npub(crate) mod tests {"];
    let code = tests.iter().fold(text, |code, begin| code.split(begin).next().unwrap());
    code.lines().map(|l| l.split("//").next().unwrap()).collect::<Vec<_>>().join("\n")
}

/// Every `x` in `crate::x` and in `crate::{x, y::z}`.
fn parts_used(text: &str) -> BTreeSet<String> {
    let mut used = BTreeSet::new();
    for (at, _) in text.match_indices("crate::") {
        let rest = &text[at + "crate::".len()..];
        let word = |s: &str| s.trim_start().chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect::<String>();
        match rest.strip_prefix('{') {
            None => {
                used.insert(word(rest));
            }
            Some(group) => used.extend(split(group).iter().map(|item| word(item))),
        }
    }
    used
}

/// The items of a `{…}` group, at its own depth.
fn split(group: &str) -> Vec<String> {
    let (mut depth, mut item, mut items) = (1, String::new(), Vec::new());
    for c in group.chars() {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            _ => (),
        }
        if depth == 0 {
            break;
        }
        if c == ',' && depth == 1 {
            items.push(std::mem::take(&mut item));
        } else {
            item.push(c);
        }
    }
    if !item.trim().is_empty() {
        items.push(item);
    }
    items
}
