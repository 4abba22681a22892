//! What this worker does: what its signs of life tell the hub, and how its process is.

use std::time::Instant;

use super::page::{Kind, Page};
use crate::shared::Shared;
use crate::wire::{Heartbeat, NetworkState};

/// As of now.
pub(super) fn text(shared: &Shared) -> String {
    let mut page = Page::default();
    let labels = [("region", shared.region.as_str()), ("worker", shared.worker.as_str())];
    write(&mut page, &shared.heartbeat(false), labels, shared.turns.hanging(Instant::now()).is_some());
    process(&mut page);
    page.text()
}

fn write(page: &mut Page, now: &Heartbeat, [region, worker]: [(&str, &str); 2], hangs: bool) {
    use Kind::{Counter, Gauge};
    const INFO: &str = "betteruptime_probe_info";
    page.family(Gauge, INFO, "This worker; always 1.");
    page.sample(INFO, &[region, worker, ("version", &now.version)], 1);
    page.one(Gauge, "betteruptime_probe_checks_running", "Checks read and not yet acknowledged.", now.in_flight);
    page.one(Gauge, "betteruptime_probe_checks_limit", "Checks it runs at once (CONCURRENCY).", now.concurrency);
    page.one(Counter, "betteruptime_probe_checks_total", "Checks run.", now.checks);
    const LEFT: &str = "betteruptime_probe_checks_not_run_total";
    page.family(Counter, LEFT, "Checks not run: too old, not understood, or gone from Redis while they were pending.");
    for (why, count) in [("expired", now.expired), ("refused", now.refused), ("lost", now.lost)] {
        page.sample(LEFT, &[("reason", why)], count);
    }
    page.one(
        Counter,
        "betteruptime_probe_checks_forbidden_total",
        "Checks that led to an address this probe may not visit.",
        now.forbidden,
    );
    page.one(
        Counter,
        "betteruptime_probe_checks_excused_total",
        "Failures not counted against their website: the probe's own network failed, too, or nobody could tell.",
        now.excused,
    );
    const WAITING: &str = "betteruptime_probe_ticks_waiting";
    page.family(Gauge, WAITING, "Results that wait to be written to Redis.");
    page.sample(WAITING, &[("where", "memory")], now.buffered);
    page.sample(WAITING, &[("where", "disk")], now.spooled);
    const GONE: &str = "betteruptime_probe_ticks_gone_total";
    page.family(Counter, GONE, "Results that are gone: no room was left for them, or their file could not be read.");
    page.sample(GONE, &[("reason", "no_room")], now.dropped);
    page.sample(GONE, &[("reason", "damaged")], now.damaged);
    if let Some(ms) = now.clock_offset_ms {
        let seconds = std::time::Duration::from_millis(ms.unsigned_abs()).as_secs_f64();
        let help = "This machine's clock minus that of Redis, which counts.";
        page.one(Gauge, "betteruptime_probe_clock_offset_seconds", help, if ms < 0 { -seconds } else { seconds });
    }
    const NETWORK: &str = "betteruptime_probe_network";
    page.family(Gauge, NETWORK, "What the canaries say of its own network: 1 for how it is.");
    let state = now.network_state();
    for one in NetworkState::ALL {
        page.sample(NETWORK, &[("state", one.as_str())], u8::from(*one == state));
    }
    page.one(
        Gauge,
        "betteruptime_probe_hangs",
        "1: a thread that speaks with Redis does not come round any more.",
        u8::from(hangs),
    );
    let started_s = now.started_at.div_euclid(1_000);
    page.one(Gauge, "process_start_time_seconds", "Start of the process, since 1970.", started_s);
}

/// Under the names that all clients of Prometheus use; what the system does not tell is left out.
fn process(page: &mut Page) {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let of = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name))?;
        line.split_whitespace().next()?.parse::<u64>().ok()
    };
    if let Some(kib) = of("VmRSS:") {
        let help = "Memory of the process that is in use.";
        page.one(Kind::Gauge, "process_resident_memory_bytes", help, kib.saturating_mul(1_024));
    }
    if let Some(threads) = of("Threads:") {
        page.one(Kind::Gauge, "process_threads", "Threads of the process.", threads);
    }
    if let Ok(open) = std::fs::read_dir("/proc/self/fd") {
        page.one(Kind::Gauge, "process_open_fds", "Open files and connections.", open.count().saturating_sub(1));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signs_of_life_are_told() {
        let now = Heartbeat {
            version: "0.1.0".to_owned(),
            started_at: 1_700_000_000_500,
            checks: 12,
            expired: 2,
            spooled: 7,
            clock_offset_ms: Some(-1_500),
            network: NetworkState::Works,
            finds_no_names: true,
            ..Heartbeat::default()
        };
        let mut page = Page::default();
        write(&mut page, &now, [("region", "EU"), ("worker", "a")], true);
        let text = page.text();
        for line in [
            "betteruptime_probe_info{region=\"EU\",worker=\"a\",version=\"0.1.0\"} 1",
            "betteruptime_probe_checks_total 12",
            "betteruptime_probe_checks_not_run_total{reason=\"expired\"} 2",
            "betteruptime_probe_ticks_waiting{where=\"disk\"} 7",
            "betteruptime_probe_clock_offset_seconds -1.5",
            "betteruptime_probe_network{state=\"works\"} 0",
            "betteruptime_probe_network{state=\"no_names\"} 1",
            "betteruptime_probe_hangs 1",
            "process_start_time_seconds 1700000000",
        ] {
            assert!(text.lines().any(|known| known == line), "{line} in\n{text}");
        }
    }
}
