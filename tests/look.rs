//! The console as one design: every page as every role, in both languages, by day and by night; lists, forms, paper.

use crate::support;

use serde_json::json;
use std::collections::BTreeMap;
use support::bureau::{Bureau, Person};

async fn records(officer: &Person, party: &str) -> String {
    let begins = json!({ "room": "room-1", "kind": "interview", "party": party, "cause": "未经批准占用土地" });
    let id = officer.does("/api/v1/sessions", begins).await["session"]["id"].as_str().unwrap().to_owned();
    officer.records(100_000).await;
    officer.ends(&id).await;
    id
}

#[tokio::test(flavor = "multi_thread")]
async fn the_console_looks_and_reads_as_one() {
    let bureau = Bureau::open().await;
    let officer = bureau.sign_in("officer").await;
    officer.waits_for_pictures().await;
    let session = records(&officer, "张三").await;
    records(&officer, "张四").await;
    let mut cases = Vec::new();
    for n in 0..60 {
        let case = json!({ "origin": "own_initiative", "kind": "penalty", "procedure": "ordinary", "cause": format!("未经批准占用土地{n:02}"), "parties": ["王某"] });
        cases.push(officer.does("/api/v1/cases", case).await["id"].clone());
    }
    // By pinyin, and not by code point: 安, 陈, 王, 张.
    for place in ["张湾", "安庄", "王村", "陈村"] {
        let case = json!({ "origin": "own_initiative", "cause": format!("{place}采砂"), "parties": ["王某"] });
        officer.does("/api/v1/cases", case).await;
    }
    let (_, devices) = officer.get("/api/v1/devices").await;
    let device = devices[0]["device"]["id"].as_str().unwrap();
    let shots = option_env!("SHILU_SCREENSHOTS").is_some();
    bureau.plays("look.mjs", json!({ "session": session, "cases": cases, "device": device, "shots": shots })).await;
}

/// The tokens of one block: `--name: value`.
fn tokens(block: &str) -> BTreeMap<&str, &str> {
    block.split(';').filter_map(|d| d.trim().trim_start_matches('{').trim().split_once(':')).filter(|(n, _)| n.starts_with("--")).collect()
}

#[test]
fn colours_are_tokens_and_the_dark_ones_are_the_same_by_choice_and_by_system() {
    let (console, pages) = (include_str!("../src/web/assets/console.css"), include_str!("../src/web/assets/pages.css"));
    for (name, text) in [("console.css", console), ("pages.css", pages)] {
        for line in text.lines() {
            let rules = line.split("/*").next().unwrap();
            for declaration in rules.split(['{', ';', '}']).map(str::trim).filter(|d| !d.starts_with("--")) {
                let value = declaration.split_once(':').map_or("", |(_, value)| value);
                let literal = value.contains("rgb(")
                    || value.contains("hsl(")
                    || value.split('#').skip(1).any(|h| h.starts_with(|c: char| c.is_ascii_hexdigit()));
                assert!(!literal, "{name}: a colour outside the tokens: {declaration}");
            }
        }
    }
    let block = |from: &str| console.split(from).nth(1).unwrap().split('}').next().unwrap();
    let (by_system, chosen) = (tokens(block(":root[data-theme=auto] {")), tokens(block("\n:root[data-theme=dark] {")));
    assert_eq!(by_system, chosen);
    let light = tokens(block(":root {"));
    assert!(chosen.keys().all(|name| light.contains_key(name)), "every token has its value by day");
}
