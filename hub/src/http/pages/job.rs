//! What the page of a job has beside that of other websites: where it reports, when next, and what it said.

use super::words::{Instant, Mark, instant, lasted, share};
use crate::model::job::{Words, span_words};
use crate::model::{BoardRow, JobSchedule, KeptPing, PingKind, UtcMs};
use crate::store::KnownJob;

/// How a job reports from the command line: it gives up after ten seconds, and tries again for half a minute; also where
/// nobody listens at our address, which curl takes for final otherwise (a hub that restarts, without a proxy before it).
const CURL: &str = "curl -fsS -m 10 --retry 5 --retry-connrefused -o /dev/null";

/// The part of the page.
#[derive(Debug)]
pub(super) struct JobPart {
    pub(super) url: String,
    pub(super) examples: Vec<Example>,
    pub(super) pings: Vec<PingLine>,
}

/// Something to copy.
#[derive(Debug)]
pub(super) struct Example {
    pub(super) id: &'static str,
    pub(super) words: &'static str,
    pub(super) text: String,
}

/// A ping.
#[derive(Debug)]
pub(super) struct PingLine {
    pub(super) at: Instant,
    pub(super) mark: Option<Mark>,
    pub(super) what: &'static str,
    pub(super) exit_code: String,
    pub(super) took: String,
    pub(super) said: String,
    pub(super) key: UtcMs,
}

impl JobPart {
    /// Of a job that reports to `url`; `pings` newest first.
    pub(super) fn new(url: String, pings: &[KeptPing]) -> Self {
        Self { examples: examples(&url), pings: pings.iter().map(PingLine::new).collect(), url }
    }
}

impl PingLine {
    fn new(kept: &KeptPing) -> Self {
        let ping = &kept.ping;
        let (mark, what) = match ping.kind {
            PingKind::Start => (None, "Started"),
            PingKind::Success => (Some(Mark::Up), "Ended well"),
            PingKind::Fail => (Some(Mark::Down), "Failed"),
        };
        let dash = || "–".to_owned();
        Self {
            at: instant(ping.at),
            mark,
            what,
            exit_code: ping.exit_code.map_or_else(dash, |code| code.to_string()),
            took: kept.took_ms.map_or_else(dash, took),
            said: ping.said.clone(),
            key: ping.at,
        }
    }
}

/// A duration of a run.
pub(super) fn took(ms: i64) -> String {
    match ms {
        ..60_000 => format!("{}.{} s", ms / 1_000, ms / 100 % 10),
        60_000.. => span_words(ms / 1_000 * 1_000),
    }
}

fn examples(url: &str) -> Vec<Example> {
    let of = |id, words, text| Example { id, words, text };
    vec![
        of("example-curl", "At the end of a script", format!("{CURL} {url}")),
        of(
            "example-cron",
            "In a crontab, with the exit code",
            format!("0 2 * * * /usr/local/bin/backup; {CURL} {url}/$?"),
        ),
        of(
            "example-systemd",
            "In a systemd service, with start and result",
            format!(
                "[Service]\nType=oneshot\nExecStartPre=-{CURL} {url}/start\nExecStart=/usr/local/bin/backup\n\
                 ExecStopPost=-/bin/sh -c 'r=fail; [ \"$$SERVICE_RESULT\" = success ] && r=0; {CURL} {url}/$$r'"
            ),
        ),
        of(
            "example-log",
            "With the end of its output, of which 1,000 characters are kept",
            format!(
                "/usr/local/bin/backup >/tmp/backup.log 2>&1; r=$?\ntail -c 1000 /tmp/backup.log | {CURL} --data-binary @- \
                 {url}/$r"
            ),
        ),
    ]
}

/// When it runs, in words.
pub(super) fn schedule(schedule: &JobSchedule) -> String {
    match schedule {
        JobSchedule::Every { period_ms } => format!("every {}", span_words(*period_ms)),
        JobSchedule::Cron { cron, time_zone, .. } => format!("{cron} (cron), by the clocks of {time_zone}"),
    }
}

/// The settings and what is awaited.
pub(super) fn facts(row: &BoardRow, known: &KnownJob, now: UtcMs) -> Vec<(&'static str, String)> {
    let (job, words) = (&known.job, Words::of(&known.job.plan));
    let awaited = &job.awaited;
    let uptime = share(&row.uptime_24h);
    let uptime = match uptime.coverage {
        Some(coverage) => format!("{} ({coverage} of the time is known)", uptime.share),
        None => uptime.share,
    };
    let next = match (awaited.started_at, awaited.expected_at, awaited.pinged_at) {
        _ if row.website.paused => "none is awaited while it is paused".to_owned(),
        (Some(_), Some(_), _) => format!("its end, by {}", job.missing_at().map(|at| words.at(at)).unwrap_or_default()),
        (_, Some(at), _) => {
            let by = job.missing_at().map(|at| words.at(at)).unwrap_or_default();
            format!("{}; with the grace by {by}", words.at(at))
        }
        (_, None, None) => "its first, whenever it comes; what is silent from the start is not told".to_owned(),
        (_, None, Some(_)) => "a good one, whenever it comes".to_owned(),
    };
    let mut facts = vec![(super::website_words::UPTIME_24H, uptime), ("Next ping", next)];
    if let Some(at) = awaited.pinged_at {
        facts.push(("Last ping", format!("{} ({} ago)", words.at(at), lasted(now - at))));
    }
    if let Some(ms) = awaited.took_ms {
        facts.push(("Last run", took(ms)));
    }
    facts.push(("Runs", schedule(&job.plan.schedule)));
    facts.push(("Grace", span_words(job.plan.grace_ms)));
    facts.push(("Added", format!("{} UTC", instant(row.website.created_at).words)));
    facts
}
