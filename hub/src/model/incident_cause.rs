//! Which failures have one cause: websites that fail with the same key at the same time are one incident, told once.

use std::collections::BTreeMap;

use super::message::words::day;
use super::verdict::stale_after_ms;
use super::{
    Blame, Class, Evidence, Failure, Outcome, RegionId, RegionState, UtcMs, Website, WebsiteId, cause, host_of,
};

/// What a host fails in. Coarse on purpose: a machine that dies refuses one region and leaves the next without an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    /// Its name cannot be resolved.
    Dns,
    /// It takes no connections.
    Connect,
    /// Its TLS or its certificate.
    Tls,
    /// It takes connections, and does not answer or answers with an error of its own (5xx).
    Answer,
}

impl Part {
    fn as_str(self) -> &'static str {
        match self {
            Self::Dns => "dns",
            Self::Connect => "connect",
            Self::Tls => "tls",
            Self::Answer => "answer",
        }
    }

    /// `None`: it concerns one address, not the host.
    fn of(class: Class, status: Option<u16>) -> Option<Self> {
        match class {
            Class::DnsNxdomain
            | Class::DnsNoAddress
            | Class::DnsServfail
            | Class::DnsTimeout
            | Class::DnsUnavailable
            | Class::DnsProtocol => Some(Self::Dns),
            Class::ConnectRefused | Class::ConnectTimeout | Class::ConnectUnreachable | Class::ConnectFailed => {
                Some(Self::Connect)
            }
            Class::TlsTimeout
            | Class::TlsProtocol
            | Class::TlsExpired
            | Class::TlsNotYetValid
            | Class::TlsUntrusted
            | Class::TlsNameMismatch
            | Class::TlsRevoked
            | Class::TlsClientCertRequired
            | Class::TlsCertificate => Some(Self::Tls),
            Class::SendTimeout
            | Class::FirstByteTimeout
            | Class::BodyTimeout
            | Class::EmptyReply
            | Class::ConnectionLost => Some(Self::Answer),
            Class::HttpStatus => status.is_some_and(|status| status >= 500).then_some(Self::Answer),
            Class::HttpProtocol
            | Class::HeaderTooLarge
            | Class::HeaderTooMany
            | Class::BodyIncomplete
            | Class::BodyTooLarge
            | Class::BodyDecode
            | Class::EncodingUnsupported
            | Class::TooManyRedirects
            | Class::RedirectBlocked
            | Class::KeywordMissing
            | Class::KeywordPresent
            | Class::ExpectationFailed
            | Class::Slow
            | Class::CertificateEnding
            | Class::EdgeBlocked
            | Class::BlockedByPolicy
            | Class::Unsupported
            | Class::ProbeError
            | Class::PingFailed
            | Class::PingMissing
            | Class::PingOverdue => None,
        }
    }
}

/// Longest key, so that it is stored whole; a host's is half of it.
const KEY_CHARS: usize = 512;

/// A key, and the cause in plain words without a full stop.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cause {
    /// Websites that fail with the same one belong together.
    pub key: String,
    /// What went wrong.
    pub words: String,
    /// Of a certificate near its end: the time left with which the step begins that it has reached. People are told again
    /// with each.
    pub step_ms: Option<i64>,
}

/// What the regions last saw of a website, by name of the region.
#[must_use]
pub fn evidence(regions: &[RegionState]) -> Vec<Evidence> {
    let mut seen: Vec<_> = regions.iter().map(Evidence::of).collect();
    seen.sort_by(|a, b| a.region_id.cmp(&b.region_id));
    seen
}

impl Evidence {
    fn of(region: &RegionState) -> Self {
        Self {
            region_id: region.region_id.clone(),
            worker_id: region.worker_id.clone(),
            slot_at: region.slot_at,
            outcome: region.outcome,
            failure: region.failure.clone(),
            status: region.status,
            phases: region.phases,
            total_us: region.total_us,
            certificate: None,
            answer: None,
        }
    }

    /// What it says against the website; `None`: nothing.
    fn failing(&self) -> Option<&Failure> {
        match self.outcome {
            Outcome::Down => self.failure.as_ref().filter(|failure| failure.blame == Blame::Target),
            Outcome::Up | Outcome::Degraded | Outcome::Unknown => None,
        }
    }
}

/// Of a website that is down: what most of the regions that see it fail agree on. A host's trouble is of all its
/// websites; what is wrong with one address is of this website.
#[must_use]
pub fn of_outage(website: &Website, seen: &[Evidence]) -> Cause {
    let (id, url) = (website.website_id, &website.settings.url);
    let newest = seen.iter().map(|e| e.slot_at).max().unwrap_or(i64::MIN);
    let oldest = newest.saturating_sub(stale_after_ms(&website.settings));
    let Some((failure, status)) = leading(seen.iter().filter(|e| e.slot_at >= oldest)) else {
        return Cause { key: of_website(id), words: "It could not be reached".to_owned(), step_ms: None };
    };
    let key = match (Part::of(failure.class, status), host_of(url)) {
        (Some(part), Some(host)) => format!("host:{host}:{}", part.as_str()),
        (Some(_), None) | (None, _) => of_website(id),
    };
    Cause { key, words: words(failure, status), step_ms: None }
}

/// Of a website that only `regions` see fail.
#[must_use]
pub fn of_regions(regions: &[RegionId], seen: &[Evidence]) -> Cause {
    let names: Vec<_> = regions.iter().map(RegionId::as_str).collect();
    let theirs = seen.iter().filter(|e| regions.contains(&e.region_id));
    let from = format!("Only {} {} it fail", listed(&names), if names.len() == 1 { "sees" } else { "see" });
    let words = match leading(theirs) {
        Some((failure, status)) => format!("{from}. {}", words(failure, status)),
        None => from,
    };
    // No longer than is stored: another key than the one kept would open the same incident twice, which is refused.
    let key = format!("region:{}", names.join(",")).chars().take(KEY_CHARS).collect();
    Cause { key, words, step_ms: None }
}

/// Of a website that goes up and down.
#[must_use]
pub fn of_flapping(id: WebsiteId) -> Cause {
    Cause { key: of_website(id), words: "It goes down and up again and again".to_owned(), step_ms: None }
}

/// Of a website whose certificate is near its end: of its host, and of its port where it names one, for another server may
/// stand behind it.
#[must_use]
pub fn of_certificate(website: &Website, ends_at: UtcMs, step_ms: i64) -> Cause {
    let url = &website.settings.url;
    let port = ::url::Url::parse(url).ok().and_then(|url| url.port());
    let key = match (host_of(url), port) {
        (Some(host), Some(port)) => format!("host:{host}:{port}:certificate"),
        (Some(host), None) => format!("host:{host}:certificate"),
        (None, _) => of_website(website.website_id),
    };
    Cause { key, words: format!("The certificate ends on {}", day(ends_at)), step_ms: Some(step_ms) }
}

fn of_website(id: WebsiteId) -> String {
    format!("website:{id}")
}

/// The failure that most name; of as many, the one that comes first by class, so that no order of arrival decides.
fn leading<'a>(seen: impl Iterator<Item = &'a Evidence>) -> Option<(&'a Failure, Option<u16>)> {
    let mut counted: BTreeMap<(Class, Option<u16>), (usize, &Failure)> = BTreeMap::new();
    for evidence in seen {
        let Some(failure) = evidence.failing() else { continue };
        counted.entry((failure.class, evidence.status)).or_insert((0, failure)).0 += 1;
    }
    let most = counted.values().map(|(count, _)| *count).max()?;
    counted.into_iter().find(|(_, (count, _))| *count == most).map(|((_, status), (_, failure))| (failure, status))
}

fn words(failure: &Failure, status: Option<u16>) -> String {
    match (failure.class, status) {
        (Class::HttpStatus, Some(status)) => format!("The server answered with status {status}"),
        _ => cause::sentence(failure).to_owned(),
    }
}

/// `a`, `a and b`, `a, b and c`.
pub(super) fn listed(names: &[&str]) -> String {
    match names {
        [] => "no region".to_owned(),
        [only] => (*only).to_owned(),
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
    }
}

#[cfg(test)]
mod tests;
