//! What this Redis user may do: all that a probe does, and nothing that it does not.
//!
//! Each command is such that Redis checks the right and then refuses, before it does anything: a position that
//! XREADGROUP does not take, a group that nobody has, an id that was never given out, an id that no entry can have. Even
//! an empty read in the worker's name would make its consumer, or renew it.
//!
//! What a user may not do cannot be asked either, only tried: ACL LOG shows what it was refused.

use redis::{Cmd, Connection, RedisResult, Value};

use super::redis::said;
use super::{Finding, State};
use crate::config::Config;
use crate::wire;

const AREA: &str = "rights";
/// XREADGROUP refuses it once it has found the group, and before it looks for the consumer.
const NO_POSITION: &str = "$";
/// No region is called so: a group that is not there.
const NO_GROUP: &str = "doctor:none";
/// Refused by XADD after rights, memory and writability were checked.
const NO_ID: &str = "0-0";
/// What is said to these.
const REFUSALS: [&str; 2] = ["greater than 0-0", "$ ID is meaningless"];

/// What came of a command.
#[derive(Debug, PartialEq, Eq)]
enum Answer {
    /// It may be used.
    Allowed,
    Denied,
    /// It may be used, but the hub has not made the group.
    NoGroup,
    /// Something else is in the way.
    Trouble(String),
}

fn answer(result: &RedisResult<Value>) -> Answer {
    let Err(error) = result else { return Answer::Allowed };
    match error.code() {
        Some("NOPERM") => Answer::Denied,
        Some("NOGROUP") => Answer::NoGroup,
        Some("ERR") if error.detail().is_some_and(|text| REFUSALS.iter().any(|said| text.contains(said))) => {
            Answer::Allowed
        }
        Some(code) => Answer::Trouble(format!("{code} {}", said(error))),
        None => Answer::Trouble(said(error)),
    }
}

/// Tries each right.
pub(super) fn all(connection: &mut Connection, config: &Config, user: Option<&str>) -> Vec<Finding> {
    let (region, worker) = (config.region.as_str(), config.worker.as_str());
    let (checks, ticks) = (wire::check_key(&config.region), wire::tick_key(&config.region, &config.worker));
    let line = line(user, &checks, &ticks);
    let mut findings = Vec::new();
    let mut no_group = false;
    let (mut allowed, mut denied): (Vec<&str>, Vec<String>) = (Vec::new(), Vec::new());
    let tries: [(&'static str, &str, Cmd); 4] = [
        ("XREADGROUP", &checks, words("XREADGROUP", &["GROUP", region, worker, "STREAMS", &checks, NO_POSITION])),
        ("XAUTOCLAIM", &checks, words("XAUTOCLAIM", &[&checks, NO_GROUP, worker, "0", "0-0"])),
        ("XACK", &checks, words("XACK", &[&checks, region, "0-1"])),
        ("XADD", &ticks, words("XADD", &[&ticks, "NOMKSTREAM", NO_ID, "v", "1"])),
    ];
    for (name, key, command) in tries {
        match answer(&command.query(connection)) {
            Answer::Allowed => allowed.push(name),
            Answer::NoGroup => {
                allowed.push(name);
                // XAUTOCLAIM was to meet none.
                no_group |= name == "XREADGROUP";
            }
            Answer::Denied => denied.push(format!("{name} {key}")),
            Answer::Trouble(said) => findings.push(trouble(name, key, &said)),
        }
    }
    if !allowed.is_empty() {
        findings.insert(0, Finding::ok(AREA, format!("This Redis user may {}.", allowed.join(", "))));
    }
    if !denied.is_empty() {
        let found = format!("This Redis user may not: {}.", denied.join(", "));
        findings.push(Finding::fail(AREA, found, line.clone()));
    }
    if no_group {
        findings.push(Finding::warn(
            AREA,
            format!("The hub has not opened region {region} yet."),
            "it does so when this probe first reports: start the probe. If this stays, no hub runs on this Redis (or it \
             uses another database number)",
        ));
    }
    findings.extend(too_much(connection, line));
    findings
}

/// Rights that a stolen probe should not give. A user that has them is no failure: one's own machine may not need more.
fn too_much(connection: &mut Connection, line: String) -> Option<Finding> {
    let other = "betteruptime:tick:doctor:doctor";
    let tries = [
        ("read its configuration", words("CONFIG", &["GET", "maxmemory"])),
        ("look at any key", words("EXISTS", &[other])),
        ("write ticks in another worker's name", words("XADD", &[other, "NOMKSTREAM", NO_ID, "v", "1"])),
    ];
    let mut may: Vec<&str> = Vec::new();
    for (what, command) in tries {
        if answer(&command.query(connection)) == Answer::Allowed {
            may.push(what);
        }
    }
    let found = format!("This Redis user may do more than a probe needs: {}.", may.join(", "));
    (!may.is_empty()).then(|| Finding::warn(AREA, found, line))
}

/// The line that makes a user with the rights of one probe. A password is for the operator to choose.
fn line(user: Option<&str>, checks: &str, ticks: &str) -> String {
    let user = user.filter(|user| *user != "default").unwrap_or("NAME");
    let user: String = user.chars().map(|c| if c.is_ascii_graphic() { c } else { '?' }).collect();
    format!(
        "in redis-cli: ACL SETUSER {user} reset on >PASSWORD +ping +hello +time %RW~{checks} +xreadgroup \
         +xautoclaim +xack (+xadd %W~{ticks})"
    )
}

fn trouble(name: &str, key: &str, said: &str) -> Finding {
    let remedy = match said.split(' ').next() {
        Some("OOM") => "Redis is full: raise its maxmemory, or see why the hub does not take ticks away",
        Some("READONLY") => "this is a replica; name its master in REDIS_URL",
        Some("MISCONF") => "Redis cannot save to its disk; see its log",
        Some("WRONGTYPE") => "another program uses this key; give BetterUptime a database of its own",
        Some("ERR") => "Redis 7.0 or newer is needed",
        Some(_) | None => "see the log of Redis",
    };
    Finding { area: AREA, state: State::Fail, found: format!("{name} {key}: {said}."), remedy: remedy.to_owned() }
}

fn words(name: &str, words: &[&str]) -> Cmd {
    let mut command = redis::cmd(name);
    command.arg(words);
    command
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_to_copy_names_the_user_and_its_two_keys() {
        let found = line(Some("bu-probe"), "betteruptime:website:eu", "betteruptime:tick:eu:w");
        assert!(
            found.contains("SETUSER bu-probe reset on") && found.contains("%RW~betteruptime:website:eu +xreadgroup")
        );
        assert!(line(None, "a", "b").contains("SETUSER NAME ") && line(Some("a b"), "a", "b").contains("SETUSER a?b"));
    }
}
