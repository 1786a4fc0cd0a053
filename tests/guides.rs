//! The guides are true: they say what stands on the pages, what they point at is there, they are short, and an expert who types what
//! stands in theirs gets the verdict that it promises.

use crate::support;

use serde_json::{Value, json};
use shilu::web::guides;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;
use support::bureau::Bureau;

const HOUSE: &str = env!("CARGO_MANIFEST_DIR");

fn read(path: impl AsRef<Path>) -> String {
    let path = Path::new(HOUSE).join(path);
    std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

fn files(folder: &str, ending: &str) -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> = std::fs::read_dir(Path::new(HOUSE).join(folder))
        .unwrap()
        .map(|e| e.unwrap().path().strip_prefix(HOUSE).unwrap().to_owned())
        .filter(|p| p.to_str().unwrap().ends_with(ending))
        .collect();
    found.sort();
    assert!(!found.is_empty(), "{folder}/*{ending}");
    found
}

/// Without what is typed: code has brackets and quotation marks of its own.
fn prose(markdown: &str) -> String {
    let blocks = markdown.split("```").step_by(2).collect::<String>();
    blocks.split('`').step_by(2).collect()
}

/// A text of the console, with anything in the place of its values.
fn says(text: &str, quoted: &str) -> bool {
    let pieces: Vec<&str> =
        text.split('{').enumerate().map(|(at, p)| if at == 0 { p } else { p.split_once('}').map_or("", |(_, r)| r) }).collect();
    if pieces.len() == 1 {
        return pieces[0].trim() == quoted;
    }
    // A text that is little but a value would agree with everything.
    if pieces.iter().map(|p| p.trim().chars().count()).sum::<usize>() < 2 {
        return false;
    }
    let mut rest = quoted;
    for (at, piece) in pieces.iter().enumerate() {
        let place = if at == 0 { rest.starts_with(piece).then_some(0) } else { rest.find(piece) };
        let Some(place) = place else { return false };
        rest = &rest[place + piece.len()..];
    }
    rest.is_empty() || pieces.last().is_some_and(|p| p.is_empty())
}

/// What stands in 「…」 is an example, or something that is said elsewhere; what stands in “…” is on a page, letter by letter.
#[test]
fn what_a_guide_quotes_stands_on_a_page() {
    let mut wrong = Vec::new();
    for (ending, lang) in [(".zh-CN.md", "zh-CN"), (".en.md", "en")] {
        let texts = read(format!("src/web/i18n/{lang}/console.ftl"));
        let texts: Vec<&str> =
            texts.lines().filter(|l| !l.starts_with([' ', '#'])).filter_map(|l| l.split_once(" = ").map(|(_, t)| t)).collect();
        for guide in files("deploy/guides", ending) {
            let text = prose(&read(&guide));
            let quoted = text.split('“').skip(1).map(|rest| rest.split('”').next().unwrap()).filter(|q| !q.is_empty());
            wrong.extend(quoted.filter(|q| !texts.iter().any(|t| says(t, q))).map(|q| format!("{}: “{q}”", guide.display())));
        }
    }
    assert!(wrong.is_empty(), "no page says\n{}", wrong.join("\n"));
}

/// The headings of a text, by their names in addresses.
fn anchors(markdown: &str) -> BTreeSet<String> {
    guides::render(markdown).contents.into_iter().map(|h| h.id).collect()
}

/// What an address below `/help/` leads to; an error says what is missing.
fn in_console(address: &str) -> Result<(), String> {
    let (id, heading) =
        address.trim_start_matches("/help/").split_once('#').map_or((address.trim_start_matches("/help/"), None), |(i, h)| (i, Some(h)));
    if id == "api" {
        return Ok(());
    }
    let guide = guides::find(id).ok_or(format!("{address}: no such guide"))?;
    let texts = [guide.zh, guide.en].into_iter().flatten();
    for text in texts {
        if heading.is_some_and(|h| !anchors(text.markdown).contains(h)) {
            return Err(format!("{address}: no such heading in {}", text.file));
        }
    }
    Ok(())
}

#[test]
fn every_link_picture_and_heading_that_is_pointed_at_is_there() {
    let mut wrong = Vec::new();
    let mut texts = files("deploy/guides", ".md");
    texts.extend(files("deploy", ".md"));
    texts.extend(["README.md", "README.zh-CN.md", "CONTRIBUTING.md"].map(PathBuf::from));
    let mut shown = BTreeSet::new();
    for path in &texts {
        let text = prose(&read(path));
        for address in text.split("](").skip(1).map(|rest| rest.split(')').next().unwrap()) {
            if address.starts_with("/help/") {
                wrong.extend(in_console(address).err());
                continue;
            }
            let (file, heading) = address.split_once('#').map_or((address, None), |(f, h)| (f, Some(h)));
            let target = if file.is_empty() { path.clone() } else { path.parent().unwrap().join(file) };
            if let Some(name) = file.strip_prefix("pictures/") {
                shown.insert(name.to_owned());
            }
            let there = Path::new(HOUSE).join(&target).exists();
            if !there || heading.is_some_and(|h| !anchors(&read(&target)).contains(h)) {
                wrong.push(format!("{}: {address}", path.display()));
            }
        }
    }
    // What pages of the console point at, whoever wrote them.
    for path in files("src/web/templates", ".html").into_iter().chain(files("src/web/assets", ".js")).chain(files("src/web/pages", ".rs")) {
        let text = read(&path);
        for address in text.match_indices("/help/").map(|(at, _)| &text[at..]) {
            let address: String = address.chars().take_while(|c| c.is_ascii_alphanumeric() || "/#-_".contains(*c)).collect();
            // An address that a template finishes is made of the guides themselves.
            if address.len() > "/help/".len() && !address.starts_with("/help/pictures") {
                wrong.extend(in_console(&address).err().map(|e| format!("{}: {e}", path.display())));
            }
        }
    }
    assert!(wrong.is_empty(), "nowhere:\n{}", wrong.join("\n"));
    // A picture that no guide shows would only make the program larger.
    let taken: BTreeSet<String> =
        files("deploy/guides/pictures", ".png").iter().map(|p| p.file_name().unwrap().to_str().unwrap().to_owned()).collect();
    assert_eq!(taken, shown, "deploy/pictures takes what the guides show");
}

/// What pages may point at (`/help/officer#start`), for as long as there are pages.
#[test]
fn the_headings_that_pages_point_at_stay() {
    for (guide, headings) in [
        ("officer", "sign-in readiness start marks record end after plan case import fault"),
        ("custodian", "receive retention hold disposal media import"),
        ("leader", "decide deputy initiation"),
        ("reviewer", "request player copies"),
        ("legal", "provision oversight log supervision"),
        ("office", "devices screens storage"),
        ("technician", "accounts cameras alarms backup archive upgrade"),
        ("verification", "browser by-hand tool"),
    ] {
        for heading in headings.split(' ') {
            in_console(&format!("/help/{guide}#{heading}")).unwrap();
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn everybody_finds_their_guide_in_the_console_with_its_pictures_on_ten_pages_at_most() {
    let bureau = Bureau::open().await;
    bureau.plays("guides.mjs", json!({})).await;
}

/// What is to be typed, block by block.
fn typed(guide: &str) -> Vec<String> {
    read(format!("deploy/guides/{guide}")).split("```sh\n").skip(1).map(|rest| rest.split("```").next().unwrap().to_owned()).collect()
}

fn types(script: &str, folder: &Path) -> (bool, String) {
    let tools = Path::new(env!("CARGO_BIN_EXE_shilu-verify")).parent().unwrap();
    let path = format!("{}:{}", tools.display(), std::env::var("PATH").unwrap());
    let out = Command::new("bash").args(["-e", "-c", script]).current_dir(folder).env("PATH", path).output().unwrap();
    (out.status.success(), format!("{}{}", String::from_utf8_lossy(&out.stdout), String::from_utf8_lossy(&out.stderr)))
}

#[tokio::test(flavor = "multi_thread")]
async fn an_expert_who_types_what_the_guide_says_gets_the_verdict_that_it_promises() {
    let blocks = typed("verification.zh-CN.md");
    assert_eq!(blocks, typed("verification.en.md"), "both languages have the same to type");
    let (by_hand, by_tool) = blocks.split_at(blocks.iter().position(|b| b.contains("shilu-verify")).unwrap());

    let bureau = Bureau::open().await;
    let (officer, id) = bureau.records(200_000).await;
    officer.does(&format!("/api/v1/sessions/{id}/marks"), json!({ "kind": "signing" })).await;
    let sealed = officer.ends(&id).await;
    let leader = bureau.sign_in("leader_in_charge").await;
    let reviewer = bureau.sign_in("reviewer").await;
    reviewer.gets_grant(&leader, &id, "copy").await;
    let made = reviewer.does(&format!("/api/v1/sessions/{id}/package"), json!({})).await;
    let address = format!("{}/api/v1/packages/{}", reviewer.url, made["id"].as_str().unwrap());
    let package = reviewer.client.get(address).send().await.unwrap().bytes().await.unwrap();

    let (_, sheet) = bureau.sign_in("inspector").await.get("/api/v1/log/anchor").await;
    let anchor = format!("{} {}", sheet["size"], sheet["root"].as_str().unwrap());

    // The expert's folder: the package and its content, and what came from elsewhere.
    let desk = tempfile::tempdir().unwrap();
    std::fs::write(desk.path().join("package.tar"), package).unwrap();
    for key in ["signing.pub.pem", "log.pub.pem"] {
        std::fs::copy(bureau.data().join("keys").join(key), desk.path().join(key)).unwrap();
    }
    let copies = format!(
        "tar xf package.tar; cp -a {} session; cp -a {} log",
        bureau.folder(&id).display(),
        bureau.data().join("custody/log").display()
    );
    assert_eq!(types(&copies, desk.path()), (true, String::new()));
    let (ok, said) = types(&by_hand.concat(), &desk.path().join(&id));
    assert!(ok, "{said}");
    let code = sealed["seal"]["code"].as_str().unwrap();
    let signer = sealed["seal"]["signer"].as_str().unwrap();
    for word in ["Signature Verified Successfully", code, signer, "OK  face-"] {
        assert!(said.contains(word), "{word} is not in {said}");
    }
    assert!(!said.contains("BAD"), "{said}");
    let started =
        sealed["started_at"].as_str().map_or_else(|| manifest(&bureau, &id)["started_at"].as_str().unwrap().to_owned(), str::to_owned);
    for block in by_tool {
        let block = block.replace("SIZE ROOT", &anchor).replace("2026-11-24T14:15:00+08:00", &started);
        let (ok, said) = types(&block, desk.path());
        assert!(ok, "{block}: {said}");
    }

    // A single bit: by hand and by the tool alike.
    let spoilt = std::fs::read_dir(desk.path().join(&id).join("data/sessions").join(&id)).unwrap().map(|e| e.unwrap().path());
    let spoilt = spoilt.filter(|p| p.extension().is_some_and(|e| e == "mp4")).min().unwrap();
    let mut bytes = std::fs::read(&spoilt).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&spoilt, bytes).unwrap();
    let (ok, said) = types(&by_hand[0], &desk.path().join(&id));
    assert!(!ok && said.contains("FAILED"), "{said}");
    let steps = by_hand[1..].concat();
    assert!(types(&steps, &desk.path().join(&id)).1.contains("BAD"), "the list of the files' own digests tells it");
    let (ok, said) = types(&by_tool[0].replace("package.tar", &id), desk.path());
    assert!(!ok && said.contains(spoilt.file_name().unwrap().to_str().unwrap()), "{said}");
}

fn manifest(bureau: &Bureau, id: &str) -> Value {
    serde_json::from_slice(&std::fs::read(bureau.folder(id).join("session.json")).unwrap()).unwrap()
}
