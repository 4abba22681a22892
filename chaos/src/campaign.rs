//! Faults, one after the other, and what came of the checks meanwhile.

mod bounds;
mod gather;
mod script;

use std::collections::HashSet;
use std::time::{Duration, Instant};

use self::bounds::{blindness, panics, problems, unbounded};
use self::gather::{Key, Names};
use self::script::Script;
use crate::fault::{Fault, Outage, Who, prepare};
use crate::judge::{Case, Count, judge, unseen};
use crate::now;
use crate::watch::{Peaks, Watch};
use crate::world::{Size, World};

/// A slot's tick is there after so long: the longest a check may wait, and run.
const ON_ITS_WAY_MS: i64 = 14_000;
/// Slots of the moments before a fault are counted with it.
const BEFORE_MS: i64 = 2_000;
/// Requests from so long before a span are looked at, too.
const REQUESTS_BEFORE_MS: i64 = 60_000;
/// So long must nothing have been behind, for everything to be steady.
const NOTHING_BEHIND_MS: i64 = 4_000;
/// Longest wait until everything is up to date again.
const STEADY_WITHIN: Duration = Duration::from_secs(75);
/// What to do.
#[derive(Debug)]
pub struct Plan {
    /// How large a world.
    pub size: Size,
    /// Which faults, in this order.
    pub faults: Vec<Fault>,
    /// How often each; those that are long only once.
    pub runs: u64,
    /// No fault is begun after so much time; what was not done is a problem.
    pub time: Option<Duration>,
    /// Between two faults, at least.
    pub quiet: Duration,
    /// Small disks may be mounted, and packets dropped: this process has a mount and a network namespace.
    pub is_root: bool,
    /// Progress and results are printed as they come.
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

/// A fault that was done, and is not counted yet: what it led to may come with the next one.
struct Done {
    name: String,
    from: i64,
    recovery_ms: i64,
    /// What came to the database between its beginning and when all was steady again.
    news: HashSet<Key>,
}

/// Does it.
///
/// # Panics
/// When the world does not start, or a fault cannot be made.
#[must_use]
pub fn run(plan: Plan) -> Report {
    if plan.is_root {
        prepare();
    }
    let mut world = World::start(plan.size, plan.is_root);
    let (watch, names) = (Watch::start(&world), Names::of(&world));
    let script = Script::start(&world);
    let (began_at, began) = (now(), Instant::now());
    let at_first = names.gather(&world, began_at, &HashSet::new()).1;
    let mut report =
        Report { lines: Vec::new(), total: Count::default(), peaks: Peaks::default(), problems: Vec::new() };
    let mut outages = Vec::new();
    let turns: Vec<(u64, Fault)> = (0..plan.runs)
        .flat_map(|run| plan.faults.iter().map(move |fault| (run, *fault)))
        .filter(|(run, fault)| *run == 0 || !fault.is_long())
        .collect();
    let (mut before, mut last) = (at_first.clone(), None);
    for (n, (_, fault)) in turns.iter().enumerate() {
        if plan.time.is_some_and(|time| began.elapsed() >= time) {
            let left = turns.len() - n;
            report.problems.push(format!("the time was over with {left} of {} runs left", turns.len()));
            break;
        }
        if plan.told {
            eprintln!("[{}/{}] {:.0} min: {fault}", n + 1, turns.len(), began.elapsed().as_secs_f64() / 60.0);
        }
        let mut outage = fault.inject(&mut world);
        watch.note_processes(&world);
        await_steady(&watch, outage, plan.quiet);
        let steady_at = watch.steady_at(outage.from).unwrap_or(0).max(outage.back);
        outage.until = outage.until.min(steady_at);
        if plan.told {
            let Outage { from, back, until, .. } = outage;
            eprintln!(
                "        from {from}, back after {} ms, up to date {} ms later",
                back - from,
                steady_at.max(until) - back
            );
        }
        outages.push(outage);
        let (evidence, after) = names.gather(&world, now(), &HashSet::new());
        if let Some(problem) = blindness(&world, &outage, &evidence.changes) {
            report.problems.push(format!("{fault}: {problem}"));
        }
        let to = if n == 0 { began_at } else { outage.from - BEFORE_MS };
        if let Some(done) = last.take() {
            count(done, to, &world, (&names, &outages, &script.times()), &mut report, plan.told);
        }
        let recovery_ms = steady_at - outage.back;
        let news = after.difference(&before).cloned().collect();
        last = Some(Done { name: fault.to_string(), from: to, recovery_ms, news });
        before = after;
    }
    let script = script.end();
    std::thread::sleep(Duration::from_secs(17));
    let to = now() - ON_ITS_WAY_MS;
    if let Some(done) = last {
        count(done, to, &world, (&names, &outages, &script), &mut report, plan.told);
    }
    let after = names.gather(&world, began_at, &HashSet::new()).1;
    let news = after.difference(&at_first).cloned().collect();
    let (evidence, _) = names.gather(&world, began_at - REQUESTS_BEFORE_MS, &news);
    let (websites, places) = (&world.websites, &world.places);
    let case = Case { websites, places, span: (began_at, to), outages: &outages, script: &script };
    report.total = judge(&case, &evidence);
    report.problems.extend(report.total.problems().into_iter().map(|p| format!("at the end: {p}")));
    report.problems.extend(unseen(&case, &evidence.changes));
    report.peaks = watch.peaks();
    report.problems.extend(unbounded(&report.peaks, world.size.concurrency));
    report.problems.extend(world.processes().filter_map(panics));
    if plan.told && !report.problems.is_empty() {
        keep_logs(&world);
    }
    report
}

/// Counts what came of a fault.
fn count(
    done: Done,
    to: i64,
    world: &World,
    (names, outages, script): (&Names, &[Outage], &[(i64, i64)]),
    report: &mut Report,
    told: bool,
) {
    let (evidence, _) = names.gather(world, done.from - REQUESTS_BEFORE_MS, &done.news);
    let (websites, places) = (&world.websites, &world.places);
    let count = judge(&Case { websites, places, span: (done.from, to), outages, script }, &evidence);
    let line = Line { name: done.name, runs: 1, count, recovery_ms: done.recovery_ms };
    if told {
        eprintln!("{}", crate::table::lines(std::slice::from_ref(&line)));
    }
    report.problems.extend(problems(&line).into_iter().map(|p| format!("{}: {p}", line.name)));
    add(&mut report.lines, line);
}

/// Two hubs, killed in turn every 20 s.
#[must_use]
pub fn hubs_in_turn(websites: usize, time: Duration) -> Plan {
    let (away, quiet) = (Duration::from_secs(5), Duration::from_secs(15));
    Plan {
        size: Size { websites, concurrency: 50, ..Size::default() },
        faults: vec![Fault::Kill(Who::Hub(0), away), Fault::Kill(Who::Hub(1), away)],
        runs: time.as_secs() / (2 * (away + quiet).as_secs()),
        time: None,
        quiet,
        is_root: false,
        told: true,
    }
}

/// Waits at least `quiet`, and until nothing was behind for some seconds.
fn await_steady(watch: &Watch, outage: Outage, quiet: Duration) {
    let back = Instant::now();
    while back.elapsed() < quiet
        || (back.elapsed() < STEADY_WITHIN
            && watch.behind_since((now() - NOTHING_BEHIND_MS).max(outage.from)).is_some())
    {
        std::thread::sleep(Duration::from_millis(200));
    }
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

/// Where the logs of a run with problems stay.
fn keep_logs(world: &World) {
    let to = std::env::temp_dir().join("betteruptime-chaos-logs");
    let _ = std::fs::create_dir_all(&to);
    for process in world.processes() {
        let _ = std::fs::copy(process.log_path(), to.join(format!("{}.log", process.name)));
    }
    println!("Logs: {}", to.display());
}
