//! How many checks a second one machine takes: hub, one worker per region, Redis, Postgres and websites that answer at
//! once, more and more of them, until checks begin late.

use std::time::Duration;

use testbed::measure::wait_for;

use crate::now;
use crate::process::{Usage, usage};
use crate::table::aligned;
use crate::world::{REGIONS, Size, World, bin};

/// Checks a second, step by step.
pub const RATES: [u32; 10] = [200, 500, 1_000, 2_000, 3_000, 4_000, 5_000, 6_000, 8_000, 10_000];
/// Every website's, in seconds.
const INTERVAL_S: u32 = 10;
/// Until a step counts.
const SETTLE: Duration = Duration::from_secs(8);
/// DESIGN 9: lateness below this.
const LATE_MS: f64 = 1_000.0;

/// What one rate came to.
#[derive(Debug)]
pub struct Step {
    /// Checks a second that were due.
    pub due_per_s: u32,
    /// Ticks a second that were stored.
    pub stored_per_s: f64,
    /// Begin of a check after its slot, in milliseconds: median and 99 of 100.
    pub lateness_ms: (f64, f64),
    /// Processor time by process, in cores.
    pub cores: Vec<(&'static str, f64)>,
    /// Resident memory of the hub in MiB.
    pub hub_mib: f64,
}

impl Step {
    /// Whether the machine kept up.
    #[must_use]
    pub fn kept_up(&self) -> bool {
        self.lateness_ms.1 < LATE_MS && self.stored_per_s > 0.98 * f64::from(self.due_per_s)
    }
}

/// Goes up until the machine does not keep up; each rate for so long.
#[must_use]
pub fn run(rates: &[u32], time: Duration) -> Vec<Step> {
    let of = |rate: u32| (rate * INTERVAL_S) as usize / REGIONS.len();
    let most = rates.iter().copied().max().unwrap_or(0);
    let size = Size {
        websites: of(most),
        hubs: 1,
        workers: 1,
        concurrency: 50,
        long_interval_ms: 0,
        examined: false,
        bin: bin(),
    };
    let mut world = World::prepare(size, false);
    let (mut added, mut steps) = (0, Vec::new());
    for rate in rates {
        world.add_websites(added..of(*rate), true);
        added = of(*rate);
        if steps.is_empty() {
            world.start_processes();
            let mut session = world.postgres.session();
            wait_for("both regions", Duration::from_secs(30), || {
                (session.rows::<(i64,)>("select count(*) from region")[0].0 == 2).then_some(())
            });
        } else {
            world.hubs[0].end("TERM", Duration::from_secs(25));
            world.start_hub(0);
        }
        std::thread::sleep(SETTLE);
        let step = measure(&world, *rate, time);
        println!("{}", table(std::slice::from_ref(&step)));
        steps.push(step);
        if !steps.iter().all(Step::kept_up) {
            break;
        }
    }
    steps
}

fn measure(world: &World, due_per_s: u32, time: Duration) -> Step {
    let (from, before) = (now(), spent(world));
    std::thread::sleep(time);
    let (to, after) = (now(), spent(world));
    let s = (to - from) as f64 / 1_000.0;
    // What is on its way is not late.
    std::thread::sleep(Duration::from_secs(3));
    let sql = format!(
        "select count(*), coalesce(percentile_cont(0.5) within group (order by started_at - slot_at), 1e9), \
         coalesce(percentile_cont(0.99) within group (order by started_at - slot_at), 1e9) \
         from tick where kind = 'scheduled' and slot_at >= {from} and slot_at < {to}"
    );
    let (stored, p50, p99): (i64, f64, f64) = world.postgres.session().rows(&sql)[0];
    let cores = before.iter().zip(&after).map(|((name, a), (_, b))| (*name, (b - a) / s)).collect();
    let hub = world.hubs[0].usage().unwrap_or_default();
    Step {
        due_per_s,
        stored_per_s: stored as f64 / s,
        lateness_ms: (p50, p99),
        cores,
        hub_mib: hub.resident_kib as f64 / 1024.0,
    }
}

/// Processor time so far, by process.
fn spent(world: &World) -> Vec<(&'static str, f64)> {
    let of = |usage: Option<Usage>| usage.map_or(0.0, |u| u.cpu_s);
    let postmaster = world.postgres.process.id().unwrap_or(0);
    let postgres = children(postmaster).into_iter().chain([postmaster]);
    vec![
        ("hub", of(world.hubs[0].usage())),
        ("workers", world.probes.iter().map(|p| of(p.usage())).sum()),
        ("redis", of(world.redis.usage())),
        ("postgres", postgres.map(|id| of(usage(id))).sum()),
        ("websites", of(usage(std::process::id()))),
    ]
}

fn children(parent: u32) -> Vec<u32> {
    let path = format!("/proc/{parent}/task/{parent}/children");
    let text = std::fs::read_to_string(path).unwrap_or_default();
    text.split_whitespace().filter_map(|id| id.parse().ok()).collect()
}

/// The steps as a table.
#[must_use]
pub fn table(steps: &[Step]) -> String {
    let mut head = ["checks/s due", "stored", "late p50 ms", "p99 ms"].map(str::to_owned).to_vec();
    head.extend(steps.iter().take(1).flat_map(|s| s.cores.iter().map(|(name, _)| format!("{name} cores"))));
    head.push("hub MiB".into());
    let mut rows = vec![head];
    rows.extend(steps.iter().map(|step| {
        let (p50, p99) = step.lateness_ms;
        let mut row = vec![
            step.due_per_s.to_string(),
            format!("{:.0}", step.stored_per_s),
            format!("{p50:.0}"),
            format!("{p99:.0}"),
        ];
        row.extend(step.cores.iter().map(|(_, cores)| format!("{cores:.2}")));
        row.push(format!("{:.1}", step.hub_mib));
        row
    }));
    aligned(&rows)
}
