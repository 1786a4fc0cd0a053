//! What processes used, from the operating system's accounting.

use std::fs;
use std::time::{Duration, Instant};

/// Ticks a second of `/proc/PID/stat` (`USER_HZ`, 100 on every Linux that Debian runs on).
const TICKS_S: f64 = 100.0;

/// Over a stretch of time, several processes together.
pub struct Used {
    pub wall: Duration,
    pub cpu_s: f64,
    pub switches: u64,
    pub threads: usize,
    /// Proportional set size at the end: what is shared between processes is counted once.
    pub memory_mb: f64,
}

impl Used {
    pub fn cpu_s_per_minute(&self) -> f64 {
        self.cpu_s * 60.0 / self.wall.as_secs_f64()
    }
    pub fn switches_per_s(&self) -> f64 {
        self.switches as f64 / self.wall.as_secs_f64()
    }
}

struct Now {
    cpu_s: f64,
    switches: u64,
    threads: usize,
}

fn look(pids: &[u32]) -> Now {
    let mut now = Now { cpu_s: 0.0, switches: 0, threads: 0 };
    for pid in pids {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).expect("the process still runs");
        let fields: Vec<&str> = stat.rsplit_once(") ").unwrap().1.split(' ').collect();
        now.cpu_s += (fields[11].parse::<f64>().unwrap() + fields[12].parse::<f64>().unwrap()) / TICKS_S;
        for task in fs::read_dir(format!("/proc/{pid}/task")).unwrap().flatten() {
            let status = fs::read_to_string(task.path().join("status")).unwrap_or_default();
            let switches =
                status.lines().filter(|l| l.contains("ctxt_switches")).filter_map(|l| l.split_whitespace().nth(1)?.parse::<u64>().ok());
            now.switches += switches.sum::<u64>();
            now.threads += 1;
        }
    }
    now
}

fn memory_mb(pids: &[u32]) -> f64 {
    let kb = |pid: &u32| -> f64 {
        let text = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).unwrap();
        text.lines().find_map(|l| l.strip_prefix("Pss:")?.trim().strip_suffix(" kB")?.trim().parse().ok()).unwrap()
    };
    pids.iter().map(kb).sum::<f64>() * 1024.0 / 1e6
}

/// Measures over so many seconds from now.
pub fn measure(pids: &[u32], seconds: u64) -> Used {
    let (began, before) = (Instant::now(), look(pids));
    std::thread::sleep(Duration::from_secs(seconds));
    let after = look(pids);
    Used {
        wall: began.elapsed(),
        cpu_s: after.cpu_s - before.cpu_s,
        switches: after.switches.saturating_sub(before.switches),
        threads: after.threads,
        memory_mb: memory_mb(pids),
    }
}
