//! What the kernel counts for a process.

use std::fs;
use std::time::Duration;

use crate::Failed;

/// Processor time of all threads of this process that are alive, to the nanosecond.
pub(crate) fn cpu() -> Result<Duration, Failed> {
    let mut sum = 0;
    for task in fs::read_dir("/proc/self/task")? {
        // A thread may end between the two.
        let text = fs::read_to_string(task?.path().join("schedstat")).unwrap_or_default();
        sum += text.split(' ').next().and_then(|text| text.parse::<u64>().ok()).unwrap_or(0);
    }
    Ok(Duration::from_nanos(sum))
}

/// A line of `/proc/<pid>/status` in KiB: `VmRSS`, `VmHWM`, `RssAnon`, `RssFile`.
pub(crate) fn kib(pid: u32, name: &str) -> Result<u64, Failed> {
    let text = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    let number = line.and_then(|line| line.split_whitespace().next()).ok_or("no such line")?;
    Ok(number.parse()?)
}
