//! Who sees what: regions beside each other, those that fail first, with how far each came, since when it fails, and what it saw
//! last.

use super::incident_known::Known;
use super::words::{Instant, Mark, instant, took};
use crate::model::message::words::{instant as minute, line};
use crate::model::{Evidence, IncidentEvent, Outcome, Phase, Phases, SeenCertificate, Tick, UtcMs, cause, job};

/// The table.
#[derive(Debug)]
pub(super) struct Matrix {
    /// How many regions saw what, the worst first.
    pub(super) sums: Vec<(Mark, String)>,
    /// The phases that took place anywhere.
    pub(super) phases: Vec<&'static str>,
    pub(super) has_usual: bool,
    pub(super) has_latest: bool,
    pub(super) rows: Vec<Row>,
    pub(super) came: Vec<Came>,
}

/// A region.
#[derive(Debug)]
pub(super) struct Row {
    pub(super) region: String,
    pub(super) worker: String,
    pub(super) mark: Mark,
    pub(super) why: &'static str,
    /// From the other side.
    pub(super) detail: String,
    pub(super) at: Instant,
    pub(super) steps: Vec<Step>,
    pub(super) total: String,
    pub(super) usual: Option<String>,
    pub(super) first: Option<Instant>,
    pub(super) latest: Option<(Mark, Instant)>,
}

/// How a phase went there.
#[derive(Debug)]
pub(super) struct Step {
    pub(super) name: &'static str,
    pub(super) text: String,
    pub(super) went: Went,
}

/// Whether it went well.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Went {
    Well,
    /// That is where it ended.
    Wrong,
    /// It did not come to that, or there is no such phase.
    Not,
}

impl Step {
    pub(super) fn class(&self) -> &'static str {
        match self.went {
            Went::Well => "well",
            Went::Wrong => "wrong",
            Went::Not => "not",
        }
    }

    pub(super) fn is_wrong(&self) -> bool {
        self.went == Went::Wrong
    }

    pub(super) fn is_well(&self) -> bool {
        self.went == Went::Well
    }
}

/// What was sent, and whom it came to.
#[derive(Debug)]
pub(super) struct Came {
    /// "www.example.com, by R11, until 2026-12-18 10:22 UTC"; names are a stranger's. Empty: it is an answer.
    pub(super) certificate: String,
    /// How an answer that was not as asked began; from the other side.
    pub(super) answer: String,
    pub(super) regions: String,
}

/// Of what opened an incident; `began_at` is its begin. `None` of a job, at which nobody looks.
pub(super) fn matrix(
    evidence: &[Evidence],
    events: &[IncidentEvent],
    known: &Known,
    began_at: UtcMs,
) -> Option<Matrix> {
    if evidence.is_empty() || evidence.iter().all(|seen| job::is_reporter(&seen.region_id, &seen.worker_id)) {
        return None;
    }
    let mut sorted: Vec<&Evidence> = evidence.iter().collect();
    sorted.sort_by_key(|seen| (order(seen.outcome), seen.region_id.as_str()));
    let took_place = |name: &str| {
        let is_there = |seen: &&Evidence| {
            seen.phases.named().iter().any(|(phase, us)| *phase == name && us.is_some())
                || failed_in(seen) == Some(name)
        };
        sorted.iter().any(is_there)
    };
    let phases: Vec<&'static str> =
        Phases::default().named().map(|(name, _)| name).into_iter().filter(|name| took_place(name)).collect();
    let short = |at: UtcMs| clocked(at, began_at);
    let rows: Vec<Row> = sorted.iter().map(|seen| Row::new(seen, &phases, events, known, &short)).collect();
    Some(Matrix {
        sums: sums(&sorted),
        phases,
        has_usual: rows.iter().any(|row| row.usual.is_some()),
        has_latest: rows.iter().any(|row| row.latest.is_some()),
        rows,
        came: came(&sorted),
    })
}

/// The worst first.
fn order(outcome: Outcome) -> u8 {
    match outcome {
        Outcome::Down => 0,
        Outcome::Degraded => 1,
        Outcome::Unknown => 2,
        Outcome::Up => 3,
    }
}

/// The phase in which it ended; after the last one the answer was judged.
fn failed_in(seen: &Evidence) -> Option<&'static str> {
    seen.failure.as_ref().map(|failure| match failure.phase {
        Phase::Dns => "dns",
        Phase::Connect => "connect",
        Phase::Tls => "tls",
        Phase::Send => "send",
        Phase::Wait => "wait",
        Phase::Receive => "receive",
        Phase::Judge => "answer",
    })
}

/// An instant, without its day where that is the day on which it began.
fn clocked(at: UtcMs, began_at: UtcMs) -> Instant {
    let whole = instant(at);
    match (whole.words.split_once(' '), instant(began_at).words.split_once(' ')) {
        (Some((day, time)), Some((begin, _))) if day == begin => {
            Instant { words: time.to_owned(), machine: whole.machine }
        }
        _ => whole,
    }
}

/// "2 of 3 regions saw it fail: in connect", "1 got an answer".
fn sums(sorted: &[&Evidence]) -> Vec<(Mark, String)> {
    let all = sorted.len();
    let regions = |n: usize| if n == 1 { "1 region".to_owned() } else { format!("{n} regions") };
    let of = |outcome: Outcome| sorted.iter().filter(move |seen| seen.outcome == outcome);
    [Outcome::Down, Outcome::Degraded, Outcome::Unknown, Outcome::Up]
        .into_iter()
        .filter_map(|outcome| {
            let n = of(outcome).count();
            let words = match outcome {
                _ if n == 0 => return None,
                Outcome::Down => {
                    let mut phases: Vec<&str> = of(outcome).filter_map(|seen| failed_in(seen)).collect();
                    phases.sort_unstable();
                    phases.dedup();
                    let place = match phases.as_slice() {
                        ["answer"] => " in the answer".to_owned(),
                        [one] => format!(" in {one}"),
                        _ => String::new(),
                    };
                    match n == all {
                        true if n == 1 => format!("The one region that looks saw it fail{place}"),
                        true => format!("All {} saw it fail{place}", regions(n)),
                        false => format!("{n} of {} saw it fail{place}", regions(all)),
                    }
                }
                Outcome::Degraded => format!("{} found it slow or near an end", regions(n)),
                Outcome::Unknown => format!("{} could not tell", regions(n)),
                Outcome::Up => format!("{} got an answer", regions(n)),
            };
            Some((outcome.into(), words))
        })
        .collect()
}

/// What was sent, each once, with the regions that it came to.
fn came(sorted: &[&Evidence]) -> Vec<Came> {
    let mut texts: Vec<(bool, String, Vec<&str>)> = Vec::new();
    for seen in sorted {
        let certificate = seen.certificate.as_ref().map(certificate).map(|text| (true, text));
        let answer = seen.answer.as_deref().map(|text| (false, line(text, Tick::ANSWER_CHARS)));
        for (is_certificate, text) in certificate.into_iter().chain(answer).filter(|(_, text)| !text.is_empty()) {
            match texts.iter_mut().find(|(kind, known, _)| (*kind, known.as_str()) == (is_certificate, &text)) {
                Some((_, _, regions)) => regions.push(seen.region_id.as_str()),
                None => texts.push((is_certificate, text, vec![seen.region_id.as_str()])),
            }
        }
    }
    let of = |(is_certificate, text, regions): (bool, String, Vec<&str>)| {
        let (certificate, answer) = if is_certificate { (text, String::new()) } else { (String::new(), text) };
        let all = regions.len() == sorted.len() && regions.len() > 1;
        Came { certificate, answer, regions: if all { "all regions".to_owned() } else { regions.join(", ") } }
    };
    texts.into_iter().map(of).collect()
}

/// A certificate in words.
pub(super) fn certificate(seen: &SeenCertificate) -> String {
    let name = |text: &str| line(text, SeenCertificate::CHARS);
    let (subject, issuer) = (name(&seen.subject), name(&seen.issuer));
    let by = if issuer.is_empty() { String::new() } else { format!("by {issuer}, ") };
    let of = if subject.is_empty() { String::new() } else { format!("{subject}, ") };
    format!("{of}{by}until {}", minute(seen.not_after_at))
}

impl Row {
    fn new(
        seen: &Evidence,
        phases: &[&'static str],
        events: &[IncidentEvent],
        known: &Known,
        short: &dyn Fn(UtcMs) -> Instant,
    ) -> Self {
        let region = &seen.region_id;
        let failed = failed_in(seen).filter(|_| seen.outcome != Outcome::Up);
        let named = seen.phases.named();
        let step = |name: &'static str| {
            let us = named.iter().find(|(phase, _)| *phase == name).and_then(|(_, us)| *us);
            let went = match (failed == Some(name), us) {
                (true, _) => Went::Wrong,
                (false, Some(_)) => Went::Well,
                (false, None) => Went::Not,
            };
            Step { name, text: us.map_or_else(|| if went == Went::Wrong { "" } else { "–" }.to_owned(), took), went }
        };
        let answer = Step {
            name: "answer",
            text: seen.status.map_or_else(|| "–".to_owned(), |status| status.to_string()),
            went: match (failed == Some("answer"), seen.status) {
                (true, _) => Went::Wrong,
                (false, Some(_)) => Went::Well,
                (false, None) => Went::Not,
            },
        };
        let later = events.iter().flat_map(|event| &event.evidence).filter(|other| other.region_id == *region);
        let fails = |other: &&Evidence| other.outcome == Outcome::Down;
        let first = known.first.get(region).copied();
        let first = first.or_else(|| later.clone().filter(fails).map(|other| other.slot_at).min());
        let now =
            known.latest.iter().find(|state| state.region_id == *region).map(|state| (state.outcome, state.slot_at));
        let last = later.map(|other| (other.outcome, other.slot_at)).max_by_key(|(_, at)| *at);
        // What was seen before it began is no look of it.
        let latest = now.or(last).filter(|(_, at)| *at > seen.slot_at);
        Self {
            region: region.to_string(),
            worker: seen.worker_id.to_string(),
            mark: seen.outcome.into(),
            why: seen.failure.as_ref().map_or("", cause::sentence),
            detail: seen.failure.as_ref().map(|failure| failure.detail.clone()).unwrap_or_default(),
            at: short(seen.slot_at),
            steps: phases.iter().map(|name| step(name)).chain([answer]).collect(),
            total: took(seen.total_us),
            usual: known.usual_us.get(region).map(|us| took(*us)),
            first: first.map(short),
            latest: latest.map(|(outcome, at)| (outcome.into(), short(at))),
        }
    }
}
