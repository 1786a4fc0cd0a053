//! The Debian package, made from what was built: what lies in it, what it asks of the machine, and how far its service is shut in.

use std::path::Path;
use std::process::Command;

const HOUSE: &str = env!("CARGO_MANIFEST_DIR");

fn said(command: &mut Command) -> String {
    let out = command.output().unwrap_or_else(|e| panic!("{command:?}: {e}"));
    let text = format!("{}{}", String::from_utf8_lossy(&out.stdout), String::from_utf8_lossy(&out.stderr));
    assert!(out.status.success(), "{command:?}: {text}");
    text
}

/// Makes the package of the binaries that the tests use; those of a release are no others but for their optimisation.
fn package(dir: &Path) -> std::path::PathBuf {
    let release = dir.join("target/release");
    std::fs::create_dir_all(&release).unwrap();
    std::fs::copy(env!("CARGO_BIN_EXE_shilu"), release.join("shilu")).unwrap();
    std::fs::copy(env!("CARGO_BIN_EXE_shilu-verify"), release.join("shilu-verify")).unwrap();
    let made = dir.join("shilu.deb");
    let mut command = Command::new("cargo");
    command.args(["deb", "--no-build", "--strip", "--fast", "--output"]).arg(&made);
    said(command.current_dir(HOUSE).env("CARGO_TARGET_DIR", dir.join("target")));
    made
}

/// The guide's commands can be read, its part of the unit is one that systemd knows, and what it names lies in the package.
/// `tests/bare-machine` carries all of it out on a bare Debian.
fn is_guided(root: &Path) {
    let guide = std::fs::read_to_string(Path::new(HOUSE).join("deploy/INSTALL.zh-CN.md")).unwrap();
    let blocks = |kind: &str| -> Vec<String> {
        let begins = format!("```{kind}\n");
        guide.split(&begins).skip(1).map(|rest| rest.split("```").next().unwrap().to_owned()).collect()
    };
    assert_eq!((blocks("sh").len(), blocks("ini").len()), (10, 1));
    for block in blocks("sh") {
        said(Command::new("sh").args(["-n", "-c", &block]));
    }
    let drop_in = root.join("etc/systemd/system/shilu.service.d");
    std::fs::create_dir_all(&drop_in).unwrap();
    std::fs::write(drop_in.join("override.conf"), &blocks("ini")[0]).unwrap();
    for named in
        guide.split(|c: char| !(c.is_ascii_alphanumeric() || "/._-".contains(c))).filter(|w| w.starts_with("/usr/share/doc/shilu/"))
    {
        assert!(root.join(&named[1..]).exists(), "{named} is not in the package");
    }
}

#[test]
fn the_package_has_all_that_runs_asks_for_what_it_needs_and_its_service_is_shut_in() {
    let dir = tempfile::tempdir().unwrap();
    let deb = package(dir.path());
    let control = said(Command::new("dpkg-deb").arg("--info").arg(&deb));
    for needed in ["gstreamer1.0-plugins-bad", "gstreamer1.0-plugins-good", "fonts-noto-cjk", "openssl", "libgstreamer1.0-0", "systemd"] {
        assert!(control.contains(needed), "{needed} is missing in {control}");
    }
    let root = dir.path().join("root");
    said(Command::new("dpkg-deb").arg("--extract").arg(&deb).arg(&root));
    said(Command::new("dpkg-deb").arg("--control").arg(&deb).arg(dir.path().join("control")));
    for file in [
        "usr/bin/shilu-verify",
        "etc/shilu/shilu.toml",
        "etc/shilu/retention.toml",
        "usr/lib/sysusers.d/shilu.conf",
        "usr/share/doc/shilu/INSTALL.zh-CN.md",
        "usr/share/doc/shilu/FORMAT.md",
        "usr/share/doc/shilu/guides/officer.zh-CN.md",
        "usr/share/doc/shilu/guides/pictures/running.png",
        "usr/share/doc/shilu/monitoring/alerts.yml",
        "usr/share/doc/shilu/copyright",
    ] {
        assert!(root.join(file).is_file(), "{file} is not in it");
    }
    let kept = std::fs::read_to_string(dir.path().join("control/conffiles")).unwrap();
    assert!(kept.contains("/etc/shilu/shilu.toml"), "an upgrade keeps what the bureau wrote");
    let prepared = std::fs::read_to_string(dir.path().join("control/postinst")).unwrap();
    assert!(prepared.contains("systemd-sysusers") && prepared.contains("chmod 640"), "{prepared}");
    said(Command::new("sh").arg("-n").arg(dir.path().join("control/postinst")));
    // The configuration that it brings is whole: only what a technician has to write is wrong with it.
    let check =
        Command::new(root.join("usr/bin/shilu")).args(["check", "--config"]).arg(root.join("etc/shilu/shilu.toml")).output().unwrap();
    let check = String::from_utf8_lossy(&check.stdout).into_owned();
    assert!(check.contains("ok        the configuration"), "{check}");
    is_guided(&root);
    // What systemd itself says of the service.
    let unit = root.join("usr/lib/systemd/system/shilu.service");
    let security = said(Command::new("systemd-analyze").args(["security", "--offline=true", "--threshold=30"]).arg(&unit));
    assert!(security.contains("OK"), "{security}");
    let text = std::fs::read_to_string(&unit).unwrap();
    for line in ["Type=notify", "WatchdogSec=", "ExecReload=", "Restart=always", "OOMScoreAdjust=-"] {
        assert!(text.lines().any(|l| l.starts_with(line)), "{line} is missing");
    }
    let wrong = Command::new("systemd-analyze").args(["verify", "--root"]).arg(&root).arg("shilu.service").output().unwrap();
    let wrong = String::from_utf8_lossy(&wrong.stderr).into_owned();
    // The rest of a system is not there; what is written wrongly is told all the same.
    let told = |line: &&str| ["Unknown", "Failed to parse", "ignoring", "Invalid"].iter().any(|word| line.contains(word));
    let ours: Vec<&str> = wrong.lines().filter(told).collect();
    assert!(ours.is_empty(), "{ours:?}");
}
