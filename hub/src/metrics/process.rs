//! What the system tells of this process, under the names all Prometheus clients use. Read from `/proc/self`, which a unit
//! may see whatever else is hidden from it; what is not there is left out.

use std::fs;

use super::families::{CPU, MAX_FDS, OPEN_FDS, RESIDENT, STARTED, VIRTUAL};
use super::page::{Page, seconds};
use crate::model::UtcMs;

/// Writes all that is known; the process was started at `started_at`.
pub fn write(page: &mut Page, started_at: UtcMs) {
    let cpu = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    page.one(&CPU, format!("{}.{:09}", cpu.tv_sec, cpu.tv_nsec));
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    page.one_known(&RESIDENT, kib(&status, "VmRSS:").map(|kib| kib * 1_024));
    page.one_known(&VIRTUAL, kib(&status, "VmSize:").map(|kib| kib * 1_024));
    // One of them is that of this look.
    page.one_known(&OPEN_FDS, fs::read_dir("/proc/self/fd").ok().map(|all| all.count().saturating_sub(1)));
    let limits = fs::read_to_string("/proc/self/limits").unwrap_or_default();
    page.one_known(&MAX_FDS, most_files(&limits));
    page.one(&STARTED, seconds(started_at));
}

fn kib(status: &str, name: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix(name))?;
    line.trim().strip_suffix("kB")?.trim().parse().ok()
}

fn most_files(limits: &str) -> Option<u64> {
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files"))?;
    line.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::Format;

    #[test]
    fn this_process_is_told_of() {
        let mut page = Page::new(Format::Prometheus);
        write(&mut page, 1_795_000_000_500);
        let text = page.finish();
        for family in [&CPU, &RESIDENT, &VIRTUAL, &OPEN_FDS, &MAX_FDS, &STARTED] {
            let value =
                text.lines().find_map(|line| line.strip_prefix(family.name)).and_then(|v| v.trim().parse::<f64>().ok());
            assert!(value.is_some_and(|value| value > 0.0), "{}: {text}", family.name);
        }
    }
}
