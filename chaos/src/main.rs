//! `chaos [all | few | hubs-in-turn | loop | alarm] [--runs N] [--minutes N] [--websites N] [--only TEXT] [--quiet S] [--rates N,N]
//! [--namespaces] [--json]`: see bench/chaos.sh, bench/loop.sh and bench/alarm.sh. Results go to the standard output, progress to the
//! other.

use std::process::ExitCode;
use std::time::Duration;

use chaos::campaign::{self, Plan};
use chaos::fault::Fault;
use chaos::world::Size;
use chaos::{ramp, table};

/// Between two faults, in seconds: a slot that was missed at the very end shows after 5 s, and is not made good.
const QUIET_S: u64 = 6;

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let value = |name: &str| words.iter().position(|w| w == name).and_then(|at| words.get(at + 1)).cloned();
    let number = |name: &str| value(name).and_then(|text| text.parse::<u64>().ok());
    let has = |name: &str| words.iter().any(|w| w == name);
    let minutes = number("--minutes").map(|m| Duration::from_secs(m * 60));
    let websites = number("--websites").and_then(|n| usize::try_from(n).ok());
    let plan = match words.first().map_or("all", String::as_str) {
        "loop" => {
            let given = value("--rates").unwrap_or_default();
            let given: Vec<u32> = given.split(',').filter_map(|rate| rate.parse().ok()).collect();
            let rates = if given.is_empty() { &ramp::RATES[..] } else { &given };
            let steps = ramp::run(rates, Duration::from_secs(number("--seconds").unwrap_or(20)));
            println!("\n{}", ramp::table(&steps));
            let kept = steps.iter().filter(|s| s.kept_up()).map(|s| s.due_per_s).max().unwrap_or(0);
            println!("Highest rate with lateness p99 under 1 s: {kept} checks/s");
            return ExitCode::SUCCESS;
        }
        "alarm" => {
            let table = chaos::alarm::run();
            print!("{table}");
            return if table.contains("PROBLEM") { ExitCode::FAILURE } else { ExitCode::SUCCESS };
        }
        "hubs-in-turn" => campaign::hubs_in_turn(websites.unwrap_or(200), minutes.unwrap_or(Duration::from_secs(600))),
        which => {
            let is_root = has("--namespaces");
            let mut faults = if which == "few" { Fault::few() } else { Fault::all(is_root) };
            if let Some(only) = value("--only") {
                faults.retain(|fault| fault.to_string().contains(&only));
            }
            let size = Size { websites: websites.unwrap_or(60), ..Size::default() };
            let quiet = Duration::from_secs(number("--quiet").unwrap_or(QUIET_S));
            Plan { size, faults, runs: number("--runs").unwrap_or(1), time: minutes, quiet, is_root, told: true }
        }
    };
    let report = campaign::run(plan);
    if has("--json") {
        println!("{:#}", table::json(&report));
    } else {
        println!("\n{}\n{}", table::lines(&report.lines), table::peaks(&report.peaks));
        let total = &report.total;
        let lateness = [0.5, 0.99, 1.0].map(|share| total.lateness_at(share));
        println!(
            "In all: {} slots, {} with a tick, {} doubled, {} lost, {} missed by design ({} with a dead letter), {} \
            requests repeated; checks began {} ms (median), {} ms (99 of 100), at most {} ms after their slot.",
            total.expected,
            total.stored,
            total.doubled,
            total.lost.len(),
            total.missed,
            total.put_away,
            total.repeated,
            lateness[0],
            lateness[1],
            lateness[2]
        );
        report.problems.iter().for_each(|problem| println!("PROBLEM {problem}"));
    }
    if report.problems.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
