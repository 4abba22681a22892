//! What this machine lets one process have, against what CONCURRENCY asks for.

use super::Finding;

const AREA: &str = "limits";
/// Redis, signals, name look-ups, files.
const OTHER_FILES: u64 = 64;
/// Main, reader, reporter and what the libraries start.
const OTHER_THREADS: u64 = 8;
/// A check with TLS in flight.
const BYTES_PER_CHECK: u64 = 100 * 1024;
/// Whole bodies, where what is expected asks for them: of all checks together.
const BODY_BYTES: u64 = 16 * 1024 * 1024;
const OTHER_BYTES: u64 = 8 * 1024 * 1024;

/// All of them.
pub(super) fn all(concurrency: u16) -> Vec<Finding> {
    let read = |path: &str| std::fs::read_to_string(path).ok();
    let limits = read("/proc/self/limits").unwrap_or_default();
    let groups = read("/proc/self/cgroup").unwrap_or_default();
    let concurrency = u64::from(concurrency);
    vec![
        files(concurrency, soft(&limits, "Max open files")),
        threads(concurrency, smallest(&groups, "pids", "pids.max", "pids.max", read)),
        memory(concurrency, smallest(&groups, "memory", "memory.max", "memory.limit_in_bytes", read)),
    ]
}

fn files(concurrency: u64, limit: Option<u64>) -> Finding {
    let needed = concurrency + OTHER_FILES;
    match limit {
        Some(limit) if limit < needed => {
            let remedy = format!("allow {needed} (LimitNOFILE of the unit, ulimit -n), or lower CONCURRENCY");
            Finding::fail(AREA, format!("{limit} open files for {concurrency} checks at once are too few."), remedy)
        }
        Some(limit) => Finding::ok(AREA, format!("{limit} open files, {needed} needed.")),
        None => Finding::ok(AREA, "No limit on open files."),
    }
}

fn threads(concurrency: u64, limit: Option<u64>) -> Finding {
    let needed = concurrency + OTHER_THREADS;
    match limit {
        Some(limit) if limit < needed => {
            let remedy = format!("allow {needed} (TasksMax of the unit, pids limit of the container)");
            Finding::fail(AREA, format!("{limit} threads for {concurrency} checks at once are too few."), remedy)
        }
        Some(limit) => Finding::ok(AREA, format!("{limit} threads, {needed} needed.")),
        None => Finding::ok(AREA, "No limit on threads is known."),
    }
}

fn memory(concurrency: u64, limit: Option<u64>) -> Finding {
    let needed = mib(concurrency * BYTES_PER_CHECK + BODY_BYTES + OTHER_BYTES);
    match limit.map(mib) {
        Some(limit) if limit < needed => {
            let remedy = format!("allow {needed} MiB (MemoryMax of the unit, memory limit of the container)");
            Finding::fail(AREA, format!("{limit} MiB of memory for {concurrency} checks at once are too few."), remedy)
        }
        Some(limit) => Finding::ok(AREA, format!("{limit} MiB of memory, {needed} needed at most.")),
        None => Finding::ok(AREA, "No limit on memory is known."),
    }
}

fn mib(bytes: u64) -> u64 {
    bytes.div_ceil(1024 * 1024)
}

/// The soft limit in a line of /proc/self/limits. `None`: unlimited, or not told.
fn soft(limits: &str, name: &str) -> Option<u64> {
    limits.lines().find_map(|line| line.strip_prefix(name))?.split_whitespace().next()?.parse().ok()
}

/// The smallest limit of a control group and those it is in; version 2 has `file2`, version 1 `file1` for each
/// controller. In a container the path is that of the host, and the file that counts lies at the root.
fn smallest(
    groups: &str,
    controller: &str,
    file2: &str,
    file1: &str,
    read: impl Fn(&str) -> Option<String>,
) -> Option<u64> {
    let mut found: Option<u64> = None;
    for line in groups.lines() {
        let mut parts = line.splitn(3, ':').skip(1);
        let (Some(controllers), Some(path)) = (parts.next(), parts.next()) else { continue };
        let (root, file) = if controllers.is_empty() {
            ("/sys/fs/cgroup".to_owned(), file2)
        } else if controllers.split(',').any(|name| name == controller) {
            (format!("/sys/fs/cgroup/{controller}"), file1)
        } else {
            continue;
        };
        let mut path = path.trim_end_matches('/');
        loop {
            let limit = read(&format!("{root}{path}/{file}")).and_then(|text| text.trim().parse::<u64>().ok());
            found = match (found, limit) {
                (Some(a), Some(b)) => Some(a.min(b)),
                (a, b) => a.or(b),
            };
            let Some((above, _)) = path.rsplit_once('/') else { break };
            path = above;
        }
    }
    // Version 1 says "none" by the largest number of pages there is.
    found.filter(|limit| *limit < 1 << 62)
}

#[cfg(test)]
mod tests {
    use super::super::State;
    use super::*;

    #[test]
    fn limits_are_held_against_what_the_checks_need() {
        let table = "Limit                     Soft Limit           Hard Limit           Units\n\
                     Max processes             96365                96365                processes\n\
                     Max open files            1024                 4096                 files\n\
                     Max address space         unlimited            unlimited            bytes\n";
        assert_eq!(soft(table, "Max open files"), Some(1_024));
        assert_eq!((soft(table, "Max address space"), soft("", "Max open files")), (None, None));
        assert_eq!(files(960, Some(1_024)).state, State::Ok);
        assert_eq!(files(961, Some(1_024)).state, State::Fail);
        assert_eq!((files(2_000, None).state, threads(50, Some(57)).state), (State::Ok, State::Fail));
        assert_eq!(memory(50, Some(29 << 20)).state, State::Ok);
        assert_eq!(memory(50, Some(28 << 20)).state, State::Fail);
        let found = memory(2_000, Some(64 << 20));
        assert!(found.state == State::Fail && found.remedy.contains("220 MiB"), "{found:?}");
    }

    #[test]
    fn the_smallest_limit_on_the_way_to_the_root_counts() {
        let two = |path: &str| match path {
            "/sys/fs/cgroup/a/b/memory.max" => Some("max\n".to_owned()),
            "/sys/fs/cgroup/a/memory.max" => Some("67108864\n".to_owned()),
            "/sys/fs/cgroup/memory.max" => Some("134217728\n".to_owned()),
            _ => None,
        };
        let memory = |groups, read: fn(&str) -> Option<String>| {
            smallest(groups, "memory", "memory.max", "memory.limit_in_bytes", read)
        };
        assert_eq!(memory("0::/a/b\n", two), Some(67_108_864));
        assert_eq!(memory("0::/\n", two), Some(134_217_728));
        let one = |path: &str| match path {
            "/sys/fs/cgroup/memory/x/memory.limit_in_bytes" => Some("1000000\n".to_owned()),
            "/sys/fs/cgroup/memory/memory.limit_in_bytes" => Some("9223372036854771712\n".to_owned()),
            _ => None,
        };
        assert_eq!(memory("5:cpu:/x\n4:memory:/x\n0::/\n", one), Some(1_000_000));
        assert_eq!(memory("4:memory:/\n", one), None);
        assert_eq!(memory("nonsense", one), None);
    }
}
