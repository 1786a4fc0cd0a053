//! Whatever is done to a package or a session's folder is told (第二十条).

use crate::support::authority::{Authority, openssl};
use crate::support::bureau::Bureau;
use crate::support::package::{VERIFY, bend, copy, fetches_package, first, outsider, records_one, text, until};
use serde_json::{Value, json};
use std::path::Path;
use std::process::Command;

/// A way to spoil a package, and a word that the answer has to hold.
type Tampering = (&'static str, &'static str, Box<dyn Fn(&Path)>);

fn replace(path: &Path, what: &str, with: &str) {
    let old = std::fs::read_to_string(path).unwrap();
    assert!(old.contains(what), "{what} is not in {}", path.display());
    std::fs::write(path, old.replacen(what, with, 1)).unwrap();
}

/// Makes a bag's lists anew, as somebody would who knows BagIt and has no key.
fn relist(bag: &Path) {
    let script = "find data -type f | sort | xargs sha256sum > manifest-sha256.txt; sed -i 's/^\\([0-9a-f]*\\)  */\\1  /' manifest-sha256.txt; \
                  find . -maxdepth 1 -type f ! -name 'tagmanifest*' -printf '%f\\n' | sort | xargs sha256sum > tagmanifest-sha256.txt";
    assert!(Command::new("bash").args(["-c", script]).current_dir(bag).status().unwrap().success());
}

/// Signs a manifest anew with a fresh key.
fn sign_anew(session: &Path) {
    openssl(session, "genpkey -algorithm ed25519 -out forged.pem");
    openssl(session, "pkey -in forged.pem -pubout -out signer.pem");
    let der =
        Command::new("openssl").args(["pkey", "-in", "forged.pem", "-pubout", "-outform", "DER"]).current_dir(session).output().unwrap();
    let mut manifest: Value = serde_json::from_slice(&std::fs::read(session.join("session.json")).unwrap()).unwrap();
    manifest["signer"] = shilu::model::digest::sha256(&der.stdout).into();
    std::fs::write(session.join("session.json"), serde_json_canonicalizer::to_vec(&manifest).unwrap()).unwrap();
    openssl(session, "pkeyutl -sign -inkey forged.pem -rawin -in session.json -out session.json.sig");
    std::fs::remove_file(session.join("forged.pem")).unwrap();
}

fn tamperings(id: &str) -> Vec<Tampering> {
    let id = id.to_owned();
    let session = move |bag: &Path| bag.join("data/sessions").join(&id);
    let in_session = |work: fn(&Path)| {
        let session = session.clone();
        Box::new(move |bag: &Path| work(&session(bag))) as Box<dyn Fn(&Path)>
    };
    let and_relist = |work: fn(&Path)| {
        let session = session.clone();
        Box::new(move |bag: &Path| {
            work(&session(bag));
            relist(bag);
        }) as Box<dyn Fn(&Path)>
    };
    let in_log = |work: fn(&Path)| Box::new(move |bag: &Path| work(&bag.join("data/log"))) as Box<dyn Fn(&Path)>;
    vec![
        ("a picture is altered", "altered", in_session(|s| bend(&first(s, ".mp4"), 5000))),
        ("and the lists are made anew", "altered", and_relist(|s| bend(&first(s, ".mp4"), 5000))),
        ("a file's last byte is altered", "altered", and_relist(|s| bend(&first(s, ".mp4"), 1))),
        (
            "a file is cut",
            "cut short",
            and_relist(|s| {
                let path = first(s, ".mp4");
                let data = std::fs::read(&path).unwrap();
                std::fs::write(path, &data[..data.len() - 100]).unwrap();
            }),
        ),
        (
            "bytes are added",
            "added",
            and_relist(|s| {
                let path = first(s, ".mp4");
                let mut data = std::fs::read(&path).unwrap();
                data.extend(b"more");
                std::fs::write(path, data).unwrap();
            }),
        ),
        ("a file is taken away", "missing", and_relist(|s| std::fs::remove_file(first(s, ".mp4")).unwrap())),
        ("a file is renamed", "renamed to", and_relist(|s| std::fs::rename(first(s, ".mp4"), s.join("face-other.mp4")).unwrap())),
        ("a file is added", "not in the manifest", and_relist(|s| drop(std::fs::copy(first(s, ".mp4"), s.join("zz.mp4"))))),
        (
            "two files are exchanged",
            "altered",
            and_relist(|s| {
                let (a, b) = (first(s, "0001.mp4"), s.join("tmp"));
                let other = std::fs::read_dir(s)
                    .unwrap()
                    .map(|e| e.unwrap().path())
                    .find(|p| *p != a && p.extension().is_some_and(|e| e == "mp4"))
                    .unwrap();
                std::fs::rename(&a, &b).unwrap();
                std::fs::rename(&other, &a).unwrap();
                std::fs::rename(&b, &other).unwrap();
            }),
        ),
        (
            "the manifest says another party",
            "signature does not verify",
            and_relist(|s| replace(&s.join("session.json"), "\"kind\":", "\"Kind\":")),
        ),
        (
            "the manifest says another length",
            "signature does not verify",
            and_relist(|s| replace(&s.join("session.json"), "\"length_ms\":", "\"length_ms\":1")),
        ),
        (
            "a gap is hidden in the manifest",
            "signature does not verify",
            and_relist(|s| replace(&s.join("session.json"), "\"gaps\":[", "\"gaps\": [")),
        ),
        ("the signature is another", "signature does not verify", and_relist(|s| bend(&s.join("session.json.sig"), 3))),
        ("the signature is gone", "missing", and_relist(|s| std::fs::remove_file(s.join("session.json.sig")).unwrap())),
        ("the key is gone", "missing", and_relist(|s| std::fs::remove_file(s.join("signer.pem")).unwrap())),
        ("the manifest is gone", "missing", and_relist(|s| std::fs::remove_file(s.join("session.json")).unwrap())),
        ("signed anew by another key", "custody log", and_relist(sign_anew)),
        ("the journal says something else", "altered", in_session(|s| bend(&s.join("journal.jsonl"), 20))),
        ("an interim seal is altered", "interim", and_relist(|s| bend(&s.join("interim-1.json"), 9))),
        ("an interim seal is gone", "missing", and_relist(|s| std::fs::remove_file(s.join("interim-1.json")).unwrap())),
        ("the timestamp is of something else", "tsr", and_relist(|s| bend(&s.join("session.json.tsr"), 200))),
        (
            "a log entry is altered",
            "does not lead",
            in_log(|l| {
                replace(&first(l, ".json"), "\"at\":\"20", "\"at\":\"19");
                relist(l.parent().unwrap().parent().unwrap());
            }),
        ),
        (
            "a proof is altered",
            "",
            in_log(|l| {
                bend(&first(l, ".tlog-proof"), 250);
                relist(l.parent().unwrap().parent().unwrap());
            }),
        ),
        (
            "the signed head says more entries",
            "",
            in_log(|l| {
                let path = first(l, ".tlog-proof");
                let old = std::fs::read_to_string(&path).unwrap();
                let size = old.split("\n\n").nth(1).unwrap().lines().nth(1).unwrap().to_owned();
                std::fs::write(&path, old.replace(&format!("\n{size}\n"), &format!("\n{}\n", size.parse::<u64>().unwrap() + 1))).unwrap();
                relist(l.parent().unwrap().parent().unwrap());
            }),
        ),
        (
            "the log's key is another",
            "",
            in_log(|l| {
                bend(&l.join("log-key.txt"), 8);
                relist(l.parent().unwrap().parent().unwrap());
            }),
        ),
        ("a list is gone", "manifest-sha256.txt", Box::new(|bag| std::fs::remove_file(bag.join("manifest-sha256.txt")).unwrap())),
        (
            "a list says another digest",
            "altered",
            Box::new(|bag| {
                let path = bag.join("manifest-sha256.txt");
                let old = std::fs::read_to_string(&path).unwrap();
                let first = if old.starts_with('0') { "1" } else { "0" };
                std::fs::write(path, format!("{first}{}", &old[1..])).unwrap();
            }),
        ),
        (
            "a list leaves a file out",
            "added",
            Box::new(|bag| {
                let path = bag.join("manifest-sha256.txt");
                let old = std::fs::read_to_string(&path).unwrap();
                std::fs::write(&path, old.split_once('\n').unwrap().1).unwrap();
            }),
        ),
        (
            "the bag names a file outside",
            "outside",
            Box::new(|bag| {
                let path = bag.join("manifest-sha256.txt");
                let old = std::fs::read_to_string(&path).unwrap();
                std::fs::write(&path, format!("{old}{}  ../../etc/passwd\n", "0".repeat(64))).unwrap();
            }),
        ),
        ("the checking page is another", "altered", Box::new(|bag| bend(&bag.join("verify.html"), 30))),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_is_done_to_a_package_is_told() {
    let authority = Authority::open(3650).await;
    let mut bureau = Bureau::open().await;
    assert!(bureau.terminate());
    bureau.configure(&format!("[custody]\ntsa = \"{}\"\ntsa_ca = \"{}\"", authority.address, authority.ca.display()));
    bureau.start().await;
    let (_, id, _) = records_one(&bureau).await;
    let folder = bureau.folder(&id);
    until("a timestamp beside the seal", || folder.join("session.json.tsr").exists()).await;
    let leader = bureau.sign_in("leader_in_charge").await;
    let reviewer = bureau.sign_in("reviewer").await;
    reviewer.gets_grant(&leader, &id, "copy").await;
    let tar = bureau.dir.path().join("package.tar");
    fetches_package(&reviewer, &id, &tar).await;
    assert!(Command::new("tar").arg("-xf").arg(&tar).current_dir(bureau.dir.path()).status().unwrap().success());
    let package = bureau.dir.path().join(&id);
    let keys = bureau.data().join("keys");
    let check = |path: &Path| {
        let mut command = Command::new(VERIFY);
        command.arg(path).arg("--log-key").arg(keys.join("log.pub.pem")).arg("--tsa-ca").arg(&authority.ca);
        let out = command.output().unwrap();
        (out.status.code().unwrap(), text(&out))
    };
    assert_eq!(check(&package).0, 0, "{}", check(&package).1);
    for (what, word, spoil) in tamperings(&id) {
        let spoiled = bureau.dir.path().join("spoiled");
        copy(&package, &spoiled);
        spoil(&spoiled);
        let (code, words) = check(&spoiled);
        assert!(code == 1 && words.contains(word), "{what}: {code}: {words}");
        // The timestamp is the one thing that the outsider's page of script leaves to `openssl ts`.
        let (intact, told) = outsider(&spoiled);
        assert!(!intact || what.contains("timestamp"), "{what}: {told}");
        std::fs::remove_dir_all(&spoiled).unwrap();
    }
    let mut data = std::fs::read(&tar).unwrap();
    let at = data.len() / 2;
    data[at] ^= 1;
    std::fs::write(&tar, data).unwrap();
    assert_eq!(check(&tar).0, 1, "a bit of the tar");
}

/// A session's folder that somebody with a key of their own sealed over a manifest that contradicts itself.
fn forged(folder: &Path, change: impl Fn(&mut Value)) -> String {
    use shilu::custody::files::{Files, Silent};
    use shilu::custody::keys::{Algorithm, Signer};
    use shilu::custody::verify::{self, Trust};
    let key = Signer::open_or_make(&folder.join("keys"), "signing", Algorithm::Ed25519).unwrap();
    let segment = |n: u64| {
        let (file, data) = (format!("face-20261123T01000{n}000Z-000{n}.mp4"), vec![n as u8; 100]);
        std::fs::write(folder.join(&file), &data).unwrap();
        let mut digest = shilu::model::digest::Running::with_sm3();
        digest.update(&data);
        let (sha256, sm3) = digest.both();
        json!({
            "camera": "face", "sequence": n, "file": file, "started_at": format!("2026-11-23T01:00:0{n}Z"), "offset_ms": 0,
            "duration_ms": 1000, "bytes": 100, "fragments": 1, "sha256": sha256, "sm3": sm3, "codecs": "", "resolution": ""
        })
    };
    let mut manifest = json!({
        "format": "shilu-session/1", "session": "s-1", "room": "room-1", "unit": "u", "kind": "interview",
        "started_at": "2026-11-23T01:00:00Z", "started_by": "a-1", "ended_at": "2026-11-23T02:00:00Z", "length_ms": 1, "mistake": null,
        "links": [], "devices": [{ "camera": "face", "device_no": "1", "name": "face" }], "segments": [segment(1), segment(2), segment(3)],
        "gaps": [], "interruptions": [], "marks": [], "clock": [], "restarts": 0, "rules": "1", "signer": key.public().fingerprint(),
        "sealed_at": "2026-11-23T02:00:01Z"
    });
    change(&mut manifest);
    let canonical = serde_json_canonicalizer::to_vec(&manifest).unwrap();
    std::fs::write(folder.join("session.json"), &canonical).unwrap();
    std::fs::write(folder.join("session.json.sig"), key.sign(&canonical)).unwrap();
    std::fs::write(folder.join("signer.pem"), key.public_pem()).unwrap();
    let trust = Trust { sm3: true, ..Trust::key(&key.public()) };
    verify::verify(&Files::Folder(folder.to_owned()), &trust, &Silent).wrong.join("\n")
}

#[test]
fn a_manifest_that_contradicts_itself_is_told_even_under_a_good_signature() {
    let dir = tempfile::tempdir().unwrap();
    let is = |change: &dyn Fn(&mut Value)| forged(dir.path(), change);
    assert_eq!(is(&|_| ()), "");
    assert!(is(&|m| m["segments"].as_array_mut().unwrap().swap(0, 2)).contains("out of order"));
    assert!(is(&|m| m["segments"][1]["started_at"] = "2026-11-23T00:59:00Z".into()).contains("before its predecessor"));
    let stepped = |m: &mut Value| {
        m["segments"][1]["started_at"] = "2026-11-23T00:59:00Z".into();
        m["clock"] = json!([{ "at_ms": 1, "synchronised": true, "stepped_ms": -60_000 }]);
    };
    assert_eq!(is(&stepped), "", "a clock that was set back, and says so");
    assert!(is(&|m| m["sealed_at"] = "2026-11-23T01:59:00Z".into()).contains("sealed before it ended"));
    assert!(is(&|m| m["segments"][0]["file"] = "../../etc/hostname".into()).contains("outside the folder"));
    assert!(is(&|m| m["segments"][0]["sm3"] = "0".repeat(64).into()).contains("SM3 differs"));
    assert!(is(&|m| drop(m["segments"].as_array_mut().unwrap().pop())).contains("is not in the manifest"));
    assert!(
        is(&|m| m["interim"] = json!([{ "number": 1, "code": "0".repeat(64), "at_ms": 1, "at": "2026-11-23T01:00:00Z" }]))
            .contains("interim-1.json: missing")
    );
}
