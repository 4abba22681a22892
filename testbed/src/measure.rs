//! What this process costs, by `/proc`. Under nextest a process is one test, so that a peak belongs to it.

use std::time::{Duration, Instant};

/// Peak resident memory in KiB (`VmHWM`).
#[must_use]
pub fn peak_kib() -> u64 {
    status("VmHWM:")
}

/// Resident memory in KiB (`VmRSS`).
#[must_use]
pub fn resident_kib() -> u64 {
    status("VmRSS:")
}

/// Forgets the peak so far: the next one counts from what is resident now.
pub fn forget_peak() {
    std::fs::write("/proc/self/clear_refs", "5").unwrap();
}

/// Threads of this process.
#[must_use]
pub fn threads() -> usize {
    std::fs::read_dir("/proc/self/task").unwrap().count()
}

/// Open descriptors of this process, the one that counts them aside.
#[must_use]
pub fn descriptors() -> usize {
    std::fs::read_dir("/proc/self/fd").unwrap().count().saturating_sub(1)
}

/// Processor time of the calling thread, to a hundredth of a second.
#[must_use]
pub fn thread_cpu() -> Duration {
    let text = std::fs::read_to_string("/proc/thread-self/stat").unwrap();
    // The second field is a name in brackets that may hold anything.
    let fields: Vec<&str> = text.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let ticks = |index: usize| fields.get(index).and_then(|f| f.parse::<u64>().ok()).unwrap_or(0);
    // Fields 14 and 15 of proc(5), counted from the state, in units of 10 ms on every Linux that Rust runs on.
    Duration::from_millis((ticks(11) + ticks(12)) * 10)
}

fn status(name: &str) -> u64 {
    let text = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_else(|| panic!("no {name} in status"));
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

/// Waits until `ready` gives something, at most `bound`; fails with what was awaited.
#[track_caller]
pub fn wait_for<T>(what: &str, bound: Duration, mut ready: impl FnMut() -> Option<T>) -> T {
    let started = Instant::now();
    loop {
        if let Some(found) = ready() {
            return found;
        }
        assert!(started.elapsed() < bound, "waited {bound:?} for: {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}
