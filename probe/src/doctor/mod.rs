//! `betteruptime-probe doctor`: everything a probe needs, tried here and now, and what to do about what is missing.
//!
//! Each area looks at one thing and tells what it finds as values; printing is apart. Nothing is changed: commands to
//! Redis are such that they prove a right without using it (in ACL LOG a user shows with what it was refused). Areas run at the same time, and one that hangs is cut off.

mod clock;
mod dns;
mod egress;
mod limits;
pub mod print;
mod redis;
mod rights;
mod settings;
mod trust;

use std::io::IsTerminal;
use std::process::ExitCode;
use std::sync::mpsc::{Sender, channel};
use std::time::{Duration, Instant};

use serde::Serialize;

use crate::canary::Canaries;
use crate::config::Config;

/// For all areas together.
const BUDGET: Duration = Duration::from_secs(14);

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// As it should be.
    Ok,
    /// It works, and could be better.
    Warn,
    /// Checks will not run, or will not be right.
    Fail,
}

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// `settings`, `limits`, `dns`, `trust`, `egress`, `redis`, `rights` or `clock`; the hub has others. At most 9 letters.
    pub area: &'static str,
    /// How bad it is.
    pub state: State,
    /// What was found, printable ASCII. No passwords.
    pub found: String,
    /// What would help; empty when nothing needs to.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub remedy: String,
}

impl Finding {
    /// All is as it should be.
    pub fn ok(area: &'static str, found: impl Into<String>) -> Self {
        Self { area, state: State::Ok, found: found.into(), remedy: String::new() }
    }

    /// It works, and could be better.
    pub fn warn(area: &'static str, found: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { area, state: State::Warn, found: found.into(), remedy: remedy.into() }
    }

    /// It does not work.
    pub fn fail(area: &'static str, found: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { area, state: State::Fail, found: found.into(), remedy: remedy.into() }
    }
}

/// Looks at everything and prints it. Exit codes: 0 nothing failed, 1 something did, 2 the settings are unusable.
#[must_use]
pub fn run(file: Option<&str>, json: bool) -> ExitCode {
    let (config, mut findings) = match Config::load(file) {
        Ok(config) => (Some(config), Vec::new()),
        Err(problems) => (None, problems.iter().map(|problem| settings::problem(problem)).collect()),
    };
    findings.extend(examine(config.as_ref()));
    if json {
        println!("{}", print::json(&findings));
    } else {
        let colour = std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|v| v.is_empty());
        print!("{}", print::text(&findings, colour));
    }
    match (config, worst(&findings)) {
        (None, _) => ExitCode::from(2),
        (Some(_), State::Fail) => ExitCode::FAILURE,
        (Some(_), State::Ok | State::Warn) => ExitCode::SUCCESS,
    }
}

/// How bad the worst of them is.
#[must_use]
pub fn worst(findings: &[Finding]) -> State {
    findings.iter().map(|finding| finding.state).max().unwrap_or(State::Ok)
}

/// Where an area puts what it finds, as it finds it: what it knew before it hung is told.
struct Teller {
    area: usize,
    findings: Sender<(usize, Option<Finding>)>,
}

impl Teller {
    fn tell(&self, finding: Finding) {
        // Nobody listens any more once the time is over.
        let _ = self.findings.send((self.area, Some(finding)));
    }

    fn tell_all(&self, findings: impl IntoIterator<Item = Finding>) {
        findings.into_iter().for_each(|finding| self.tell(finding));
    }
}

type Look = Box<dyn FnOnce(&Teller) + Send>;

/// Looks at everything that can be looked at, with settings or without; within 14 s, whatever hangs.
#[must_use]
pub fn examine(config: Option<&Config>) -> Vec<Finding> {
    let mut areas: Vec<(&'static str, Look)> = Vec::new();
    if let Some(config) = config.cloned() {
        areas.push(("settings", Box::new(move |teller| teller.tell(settings::usable(&config)))));
    }
    let concurrency = config.map_or(crate::config::DEFAULT_CONCURRENCY, |config| config.concurrency);
    areas.push(("limits", Box::new(move |teller| teller.tell_all(limits::all(concurrency)))));
    areas.push(("dns", Box::new(|teller| teller.tell_all(dns::servers()))));
    areas.push(("trust", Box::new(|teller| teller.tell(trust::roots()))));
    // Without settings nobody was named, and nobody is asked.
    let canaries = config.map_or_else(Canaries::off, |config| config.canaries.clone());
    areas.push((
        "egress",
        Box::new(move |teller| {
            teller.tell(egress::routes());
            teller.tell(egress::canaries(&canaries));
        }),
    ));
    areas.push(("clock", Box::new(|teller| teller.tell_all(clock::local(crate::clock::wall())))));
    if let Some(config) = config.cloned() {
        areas.push(("redis", Box::new(move |teller| redis::all(&config, teller))));
    }
    look(areas, BUDGET)
}

/// Runs areas at the same time, each on a thread of its own, which is left behind when it hangs.
fn look(areas: Vec<(&'static str, Look)>, budget: Duration) -> Vec<Finding> {
    let until = Instant::now() + budget;
    let (sender, receiver) = channel();
    let mut places: Vec<(&'static str, Vec<Finding>, bool)> = Vec::new();
    for (area, (name, look)) in areas.into_iter().enumerate() {
        let teller = Teller { area, findings: sender.clone() };
        places.push((name, Vec::new(), false));
        let spawned = std::thread::Builder::new().spawn(move || {
            look(&teller);
            let _ = teller.findings.send((teller.area, None));
        });
        if let Err(error) = spawned {
            let remedy = "allow more threads (TasksMax, pids.max, ulimit -u)";
            let _ =
                sender.send((area, Some(Finding::fail(name, format!("No thread could be started: {error}."), remedy))));
            let _ = sender.send((area, None));
        }
    }
    drop(sender);
    // Until the time is over, or every area is.
    while let Ok((area, finding)) = receiver.recv_timeout(until.saturating_duration_since(Instant::now())) {
        let Some((_, findings, done)) = places.get_mut(area) else { continue };
        match finding {
            Some(finding) => findings.push(finding),
            None => *done = true,
        }
    }
    let unfinished = |name| {
        let found = format!("Not finished within {} s.", budget.as_secs());
        Finding::fail(name, found, "something is silent that should answer; the lines above say how far it came")
    };
    let told = |(name, mut findings, done): (&'static str, Vec<Finding>, bool)| {
        findings.extend((!done).then(|| unfinished(name)));
        findings
    };
    places.into_iter().flat_map(told).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_area_that_hangs_is_cut_off_and_what_it_found_is_told() {
        let (release, held) = channel::<()>();
        let hanging: Look = Box::new(move |teller| {
            teller.tell(Finding::ok("b", "so far"));
            let _ = held.recv();
        });
        let quick: Look = Box::new(|teller| teller.tell(Finding::warn("a", "odd", "mend it")));
        let panicking: Look = Box::new(|_| panic!("a bug"));
        let found = look(vec![("a", quick), ("b", hanging), ("c", panicking)], Duration::from_millis(1_500));
        drop(release);
        let told: Vec<(&str, State)> = found.iter().map(|finding| (finding.area, finding.state)).collect();
        assert_eq!(told, [("a", State::Warn), ("b", State::Ok), ("b", State::Fail), ("c", State::Fail)]);
        assert_eq!(worst(&found), State::Fail);
    }
}
