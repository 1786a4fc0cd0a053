//! What this program is made of: every licence allows a permissive product.

use serde_json::Value;
use std::process::Command;

/// Licences that ask for a notice and no more. MPL-2.0 asks for its own files alone (Debian and Mozilla read it so), and is kept to
/// libraries that are used as they are.
const ALLOWED: &[&str] = &[
    "MIT",
    "MIT-0",
    "Apache-2.0",
    "Apache-2.0 WITH LLVM-exception",
    "BSD-1-Clause",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "ISC",
    "Zlib",
    "0BSD",
    "Unicode-3.0",
    "Unicode-DFS-2016",
    "BSL-1.0",
    "CC0-1.0",
    "Unlicense",
    "CDLA-Permissive-2.0",
    "MPL-2.0",
];

/// What tests alone use, and no binary has in it: the texts of ONVIF's standard come with its licence, which allows copies unchanged.
const OF_TESTS: &[&str] = &["onvif-server"];

/// Whether an SPDX expression can be met: one side of an `OR`, both of an `AND`.
fn allows(expression: &str) -> bool {
    let text = expression.replace('/', " OR ").replace(['(', ')'], " ");
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    text.split(" AND ").all(|part| part.split(" OR ").any(|licence| ALLOWED.contains(&licence.trim())))
}

#[test]
fn every_dependencys_licence_allows_a_permissive_product() {
    let out = Command::new("cargo")
        .args(["metadata", "--locked", "--format-version", "1", "--filter-platform", "x86_64-unknown-linux-gnu"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    let metadata: Value = serde_json::from_slice(&out.stdout).unwrap();
    let packages = metadata["packages"].as_array().unwrap();
    assert!(packages.len() > 200);
    let wrong: Vec<String> = packages
        .iter()
        .filter(|p| !p["license"].as_str().is_some_and(allows) && !OF_TESTS.contains(&p["name"].as_str().unwrap()))
        .map(|p| format!("{} {}: {}", p["name"], p["version"], p["license"]))
        .collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
    let own = packages.iter().find(|p| p["name"] == "shilu").unwrap();
    for dependency in own["dependencies"].as_array().unwrap().iter().filter(|d| OF_TESTS.contains(&d["name"].as_str().unwrap())) {
        assert_eq!(dependency["kind"], "dev", "{dependency}");
    }
    // From the registry alone: nothing of a branch or a folder that nobody reviews.
    let elsewhere: Vec<&Value> = packages
        .iter()
        .filter(|p| p["name"] != "shilu" && !p["source"].as_str().is_some_and(|s| s.starts_with("registry+")))
        .map(|p| &p["name"])
        .collect();
    assert!(elsewhere.is_empty(), "{elsewhere:?}");
}

#[test]
fn what_cargo_deny_is_told_is_what_is_held_here() {
    let text = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/deploy/deny.toml")).unwrap();
    let told: toml::Value = toml::from_str(&text).unwrap();
    let allowed: Vec<&str> = told["licenses"]["allow"].as_array().unwrap().iter().filter_map(toml::Value::as_str).collect();
    assert_eq!(allowed, ALLOWED);
    let lock = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.lock")).unwrap();
    for banned in told["bans"]["deny"].as_array().unwrap() {
        let name = banned["crate"].as_str().unwrap();
        assert!(!lock.contains(&format!("name = \"{name}\"\n")), "{name} is banned: {}", banned["reason"]);
    }
}

/// Cargo itself looks at what the registry's index says of every version in `Cargo.lock` when it packs a crate.
#[test]
fn no_version_in_the_lock_file_was_taken_back_by_its_makers() {
    let dir = tempfile::tempdir().unwrap();
    let out = Command::new("cargo")
        .args(["package", "--locked", "--no-verify", "--allow-dirty", "--target-dir"])
        .arg(dir.path())
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&out.stderr).into_owned();
    assert!(out.status.success() && said.contains("Packaged"), "{said}");
    let yanked: Vec<&str> = said.lines().filter(|l| l.contains("yanked")).collect();
    assert!(yanked.is_empty(), "{yanked:#?}");
}
