//! Faults, one after the other, and what came of the checks meanwhile.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::fault::{Fault, Harm, Outage, Who};
use crate::judge::{Change, Count, Evidence, Letter, Row, judge};
use crate::now;
use crate::target::Manner;
use crate::watch::{Peaks, Watch};
use crate::world::{REGIONS, Size, World};

/// What is on its way at the end of a window belongs to the next one.
const ON_ITS_WAY_MS: i64 = 12_000;
/// Longest wait until everything is up to date again.
const STEADY_WITHIN: Duration = Duration::from_secs(75);
/// P11, in milliseconds.
const RECOVERED_WITHIN_MS: i64 = 30_000;
/// Longer than this without a region its websites are unknown: P5 at 10 s, and a turn of the housekeeping.
const BLIND_MS: i64 = 50_000;

/// After a website is up again, so long may it take until that is said; the script leaves it up for longer.
const SEEN_WITHIN_MS: i64 = 45_000;

/// What to do.
#[derive(Debug)]
pub struct Plan {
    /// How large a world.
    pub size: Size,
    /// Which faults, in this order.
    pub faults: Vec<Fault>,
    /// Again from the first until so much time has passed; otherwise once.
    pub time: Option<Duration>,
    /// Between two faults, at least.
    pub quiet: Duration,
    /// Small disks may be mounted.
    pub mounts: bool,
    /// Each result is printed as it comes.
    pub told: bool,
}

/// What came of one fault, over all its runs.
#[derive(Debug, Clone)]
pub struct Line {
    /// The fault.
    pub name: String,
    /// How often.
    pub runs: u64,
    /// What came of the checks.
    pub count: Count,
    /// The longest time from when all ran again until all was up to date.
    pub recovery_ms: i64,
}

/// What came of all.
#[derive(Debug)]
pub struct Report {
    /// By fault.
    pub lines: Vec<Line>,
    /// Over everything, counted again at the end.
    pub total: Count,
    /// What the processes took.
    pub peaks: Peaks,
    /// What is against the invariants.
    pub problems: Vec<String>,
}

/// Does it.
///
/// # Panics
/// When the world does not start, or a fault cannot be made.
#[must_use]
pub fn run(plan: Plan) -> Report {
    let mut world = World::start(plan.size, plan.mounts);
    let watch = Watch::start(&world);
    let script = Script::start(&world);
    let began_at = now();
    let began = Instant::now();
    let mut report =
        Report { lines: Vec::new(), total: Count::default(), peaks: Peaks::default(), problems: Vec::new() };
    let mut outages = Vec::new();
    let mut from = began_at;
    let is_over = |round: usize| match plan.time {
        Some(time) => began.elapsed() >= time,
        None => round > 0,
    };
    let mut round = 0;
    while !is_over(round) {
        for fault in &plan.faults {
            if plan.time.is_some() && is_over(round) {
                break;
            }
            let outage = fault.inject(&mut world);
            watch.note_processes(&world);
            outages.push(outage);
            await_steady(&watch, outage, plan.quiet);
            let recovery_ms = watch.behind_since(outage.from).map_or(0, |at| (at - outage.back).max(0));
            let to = now() - ON_ITS_WAY_MS;
            let count = judge(&world.websites, &world.places, (from, to), &outages, &gather(&world, from));
            let line = Line { name: fault.to_string(), runs: 1, count, recovery_ms };
            if plan.told {
                println!("{}", crate::table::lines(std::slice::from_ref(&line)));
            }
            report.problems.extend(problems(&line).into_iter().map(|p| format!("{fault}: {p}")));
            if let Some(problem) = blindness(&world, &outage) {
                report.problems.push(format!("{fault}: {problem}"));
            }
            add(&mut report.lines, line);
            from = to;
        }
        round += 1;
    }
    let script = script.end();
    std::thread::sleep(Duration::from_secs(15));
    let (to, evidence) = (now() - ON_ITS_WAY_MS, gather(&world, began_at));
    report.total = judge(&world.websites, &world.places, (began_at, to), &outages, &evidence);
    report.problems.extend(report.total.problems().into_iter().map(|p| format!("at the end: {p}")));
    report.problems.extend(unseen(&world, &script, &outages, &evidence));
    report.peaks = watch.peaks();
    report.problems.extend(unbounded(&report.peaks, world.size.concurrency));
    let panicked = world.processes().filter(|p| p.log().contains("panicked")).map(|p| format!("{} panicked", p.name));
    report.problems.extend(panicked);
    if plan.told && !report.problems.is_empty() {
        keep_logs(&world);
    }
    report
}

/// Two hubs, killed in turn every 20 s.
#[must_use]
pub fn hubs_in_turn(websites: usize, time: Duration) -> Plan {
    let away = Duration::from_secs(5);
    Plan {
        size: Size { websites, concurrency: 50, ..Size::default() },
        faults: vec![Fault::Kill(Who::Hub(0), away), Fault::Kill(Who::Hub(1), away)],
        time: Some(time),
        quiet: Duration::from_secs(15),
        mounts: false,
        told: false,
    }
}

/// Waits at least `quiet`, and until nothing was behind for some seconds.
fn await_steady(watch: &Watch, outage: Outage, quiet: Duration) {
    let back = Instant::now();
    while back.elapsed() < quiet
        || (back.elapsed() < STEADY_WITHIN && watch.behind_since((now() - 6_000).max(outage.from)).is_some())
    {
        std::thread::sleep(Duration::from_millis(200));
    }
}

fn problems(line: &Line) -> Vec<String> {
    let mut problems = line.count.problems();
    if line.recovery_ms > RECOVERED_WITHIN_MS {
        problems.push(format!("P11 steady only after {} s", line.recovery_ms / 1_000));
    }
    problems
}

fn add(lines: &mut Vec<Line>, line: Line) {
    match lines.iter_mut().find(|known| known.name == line.name) {
        Some(known) => {
            known.runs += 1;
            known.count.add(&line.count);
            known.recovery_ms = known.recovery_ms.max(line.recovery_ms);
        }
        None => lines.push(line),
    }
}

/// I6: websites that nobody looked at for long are shown as unknown.
fn blindness(world: &World, outage: &Outage) -> Option<String> {
    let Harm::RegionSilent(region) = outage.harm else { return None };
    if outage.back - outage.from < BLIND_MS {
        return None;
    }
    let changes = changes(world, outage.from);
    let blind = world.websites.iter().enumerate().filter(|(_, w)| w.region == Some(region) && w.interval_ms <= 10_000);
    let unshown: Vec<usize> = blind
        .map(|(n, _)| n)
        .filter(|n| {
            !changes.iter().any(|c| c.website == *n && c.to == "unknown" && c.decided_at <= outage.back + 5_000)
        })
        .collect();
    (!unshown.is_empty()).then(|| format!("I6 not shown as unknown: {unshown:?}"))
}

/// I7.
fn unbounded(peaks: &Peaks, concurrency: u16) -> Vec<String> {
    let mut problems = Vec::new();
    for (name, usage) in &peaks.processes {
        let (mib, threads) = match name.split('-').next() {
            Some("hub") => (256, 64),
            Some("probe") => (64, u64::from(concurrency) + 16), // P3
            _ => continue,
        };
        if usage.resident_kib > mib * 1024 || usage.threads > threads || usage.descriptors > 250 {
            problems.push(format!("I7 {name}: {usage:?}"));
        }
    }
    let long = peaks.streams.iter().filter(|(_, length)| **length > 5_000);
    problems.extend(long.map(|(name, length)| format!("I7 {name}: {length} entries")));
    problems
}

/// Outages of the websites themselves: each is one incident, whatever else went on.
fn unseen(world: &World, script: &[(i64, i64)], outages: &[Outage], evidence: &Evidence) -> Vec<String> {
    let mut problems = Vec::new();
    let scripted = world.websites.iter().enumerate().filter(|(_, w)| w.manner == Manner::Scripted);
    for (website, _) in scripted {
        for (down_at, up_at) in script {
            let until = up_at + SEEN_WITHIN_MS;
            let times = |to: &str| {
                let all = evidence.changes.iter().filter(|c| c.website == website && c.to == to);
                all.filter(|c| (*down_at..until).contains(&c.decided_at)).count()
            };
            // While we could not look, we cannot have seen it.
            let was_blind = outages.iter().any(|o| {
                o.harm != Harm::Nothing
                    && o.back.min(*up_at) + 15_000 - o.from.max(*down_at) > 15_000
                    && o.from < *up_at
            });
            match (times("down"), times("unknown")) {
                (0, _) if !was_blind => problems.push(format!("an outage of website {website} was not seen")),
                (2.., 0) => problems.push(format!("one outage of website {website} was {} incidents", times("down"))),
                _ => {}
            }
        }
    }
    problems
}

fn changes(world: &World, from: i64) -> Vec<Change> {
    let numbers = numbers(world);
    let sql = format!("select website_id, decided_at, to_verdict from transition where decided_at >= {from}");
    let rows: Vec<(uuid::Uuid, i64, String)> = world.postgres.session().rows(&sql);
    let found = rows.into_iter().filter_map(|(id, decided_at, to)| Some((*numbers.get(&id)?, decided_at, to)));
    found.map(|(website, decided_at, to)| Change { website, decided_at, to }).collect()
}

fn numbers(world: &World) -> HashMap<uuid::Uuid, usize> {
    world.websites.iter().enumerate().map(|(n, w)| (w.id.0, n)).collect()
}

fn region(name: &str) -> Option<usize> {
    REGIONS.iter().position(|r| *r == name)
}

/// Everything that is known of the slots from an instant on.
fn gather(world: &World, from: i64) -> Evidence {
    let numbers = numbers(world);
    let places: HashMap<(usize, usize), usize> =
        world.places.iter().enumerate().map(|(n, p)| ((p.website, p.region), n)).collect();
    let mut session = world.postgres.session();
    let rows: Vec<(uuid::Uuid, String, i64, i64)> = session.rows(&format!(
        "select website_id, region_id, slot_at, started_at from tick where kind = 'scheduled' and slot_at >= {from}"
    ));
    let rows = rows.into_iter().filter_map(|(id, name, slot_at, started_at)| {
        let place = *places.get(&(*numbers.get(&id)?, region(&name)?))?;
        Some(Row { place, slot_at, started_at })
    });
    // A hub whose clock is behind dates its letters back.
    let written_at = from - 3_600_000;
    let letters: Vec<(String, Vec<u8>)> = session.rows(&format!(
        "select stream, raw from dead_letter where created_at >= {written_at} and reason not like 'refused%'"
    ));
    let letters = letters.into_iter().filter_map(|(stream, raw)| {
        let letter: serde_json::Value = serde_json::from_slice(&raw).ok()?;
        let id: uuid::Uuid = letter["website_id"].as_str()?.parse().ok()?;
        let published_at = match letter["slot_at"].as_i64() {
            Some(slot_at) => slot_at,
            None => letter["entry_id"].as_str()?.split('-').next()?.parse().ok()?,
        };
        Some(Letter { website: *numbers.get(&id)?, region: region(stream.split(':').nth(2)?)?, published_at })
    });
    Evidence {
        rows: rows.collect(),
        requests: world.targets.since(from),
        letters: letters.collect(),
        changes: changes(world, from),
    }
}

/// Where the logs of a run with problems stay.
fn keep_logs(world: &World) {
    let to = std::env::temp_dir().join("betteruptime-chaos-logs");
    let _ = std::fs::create_dir_all(&to);
    for process in world.processes() {
        let _ = std::fs::copy(process.log_path(), to.join(format!("{}.log", process.name)));
    }
    println!("Logs: {}", to.display());
}

/// Takes the scripted websites down and up again.
struct Script {
    stopping: Arc<AtomicBool>,
    thread: JoinHandle<Vec<(i64, i64)>>,
}

impl Script {
    /// Up for 50 s, down for 45 s, and so on.
    fn start(world: &World) -> Self {
        let stopping = Arc::new(AtomicBool::new(false));
        let (state, switch) = (Arc::clone(&stopping), world.targets.switch());
        let thread = std::thread::spawn(move || {
            let pause =
                |seconds: u64| crate::world::wait_until(Duration::from_secs(seconds), || state.load(Ordering::SeqCst));
            let mut times = Vec::new();
            while !pause(50) {
                let down_at = now();
                switch.set_down(true);
                let is_over = pause(45);
                switch.set_down(false);
                if is_over {
                    break;
                }
                times.push((down_at, now()));
            }
            times
        });
        Self { stopping, thread }
    }

    /// Leaves them up; returns the outages that ended long enough ago to be judged.
    fn end(self) -> Vec<(i64, i64)> {
        self.stopping.store(true, Ordering::SeqCst);
        let mut times = self.thread.join().unwrap();
        times.retain(|(_, up_at)| *up_at + SEEN_WITHIN_MS < now());
        times
    }
}
