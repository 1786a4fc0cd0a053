//! A real one-node Ceph with an S3 gateway and Object Lock.

use std::path::{Path, PathBuf};
use std::process::Command;

pub struct Ceph {
    dir: tempfile::TempDir,
    port: u16,
}

fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

impl Ceph {
    pub fn up() -> Self {
        let ceph = Self { dir: tempfile::tempdir().unwrap(), port: free_port() };
        let mon = free_port();
        ceph.script(&["up", &ceph.root(), &ceph.port.to_string(), &mon.to_string()]);
        std::fs::write(ceph.dir.path().join("key"), "test\ntesttest\n").unwrap();
        ceph
    }

    fn root(&self) -> String {
        self.dir.path().join("ceph").display().to_string()
    }

    fn script(&self, arguments: &[&str]) {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/support/ceph-one-node.sh");
        // To a file: daemons keep what they are given, and a pipe would never end.
        let said = std::fs::File::create(self.dir.path().join("said")).unwrap();
        let status = Command::new("bash").arg(script).args(arguments).stdout(said.try_clone().unwrap()).stderr(said).status().unwrap();
        assert!(status.success(), "{}", std::fs::read_to_string(self.dir.path().join("said")).unwrap());
    }

    pub fn away(&self) {
        self.script(&["away", &self.root()]);
    }

    pub fn back(&self) {
        self.script(&["back", &self.root(), &self.port.to_string()]);
    }

    pub fn endpoint(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    pub fn key_file(&self) -> PathBuf {
        self.dir.path().join("key")
    }

    /// Lines of configuration for a site.
    pub fn configuration(&self, site: &str, more: &str) -> String {
        format!(
            "[archive]\nsite = \"{site}\"\nendpoint = \"{}\"\nbucket = \"shilu\"\naccess_key_file = \"{}\"\nwindow = \"\"\nmbit_max = 0\n{more}\n",
            self.endpoint(),
            self.key_file().display()
        )
    }

    fn rados(&self, arguments: &[&str]) -> String {
        let conf = format!("{}/ceph.conf", self.root());
        let out = Command::new("rados").args(["-c", &conf, "-p", "default.rgw.buckets.data"]).args(arguments).output().unwrap();
        assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
        String::from_utf8(out.stdout).unwrap()
    }

    /// Turns a bit of an object over, below the gateway and all its locks.
    pub fn damage(&self, key: &str) {
        let all = self.rados(&["ls"]);
        let name = all.lines().find(|l| l.contains("__:") && l.ends_with(key)).unwrap_or_else(|| panic!("no {key} in {all}"));
        let file = self.dir.path().join("object");
        self.rados(&["get", name, &file.display().to_string()]);
        let mut data = std::fs::read(&file).unwrap();
        assert!(!data.is_empty());
        data[0] ^= 1;
        std::fs::write(&file, data).unwrap();
        self.rados(&["put", name, &file.display().to_string()]);
    }
}

impl Drop for Ceph {
    fn drop(&mut self) {
        self.script(&["down", &self.root()]);
    }
}
