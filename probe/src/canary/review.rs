//! Which ticks need a word of the canaries, and what becomes of one that is excused. Pure.

use std::net::IpAddr;
use std::time::{Duration, Instant};

use super::evidence::{Families, Ignorance};
use crate::engine::{AddressKind, Seen};
use crate::wire::{Blame, Class, Failure, Outcome, Phase, Tick};

/// Longest detail of a failure (P2).
const MAX_DETAIL_BYTES: usize = 512;

/// What is to be known before a tick is believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Need {
    /// Nothing.
    Nothing,
    /// Nothing about this tick, which blames the probe already; but the network may be in trouble.
    Note,
    /// Whether the internet is reached, over one of these families where they are known.
    Internet(Families),
    /// Whether the network around this address is reached.
    Local(IpAddr),
}

/// What a tick needs; `seen` is what the engine knows beside it.
pub(super) fn need(tick: &Tick, seen: &Seen) -> Need {
    let Some(failure) = &tick.failure else { return Need::Nothing };
    if !is_of_the_network(failure.class) {
        return Need::Nothing;
    }
    let tried: Vec<IpAddr> = match tick.remote {
        Some(remote) => vec![remote.ip()],
        None => seen.addresses.clone(),
    };
    let scope = scope(&tried, failure.phase);
    match (failure.blame, scope) {
        (Blame::Target, scope) if tick.outcome == Outcome::Down => scope,
        (Blame::Probe, Need::Internet(_)) if failure.class != Class::ConnectFailed => Need::Note,
        (Blame::Target | Blame::Probe | Blame::Policy, _) => Need::Nothing,
    }
}

/// When a website last proved that a network reached it, and where it is; `ended` is the end of the check.
pub(super) fn witness(tick: &Tick, ended: Instant) -> Option<(IpAddr, Instant)> {
    let remote = tick.remote?.ip();
    tick.status?;
    // A network that breaks in the middle of an answer is noticed when the time is over.
    let broken = tick.failure.as_ref().is_some_and(|failure| is_of_the_network(failure.class));
    let since = if broken { tick.phases.receive_us.unwrap_or(0) } else { 0 };
    Some((remote, ended.checked_sub(Duration::from_micros(since.into()))?))
}

/// Where the website is. One that has a public address among others is on the internet; this machine needs no network.
fn scope(tried: &[IpAddr], phase: Phase) -> Need {
    if tried.is_empty() {
        return if phase == Phase::Dns { Need::Internet(Families::default()) } else { Need::Nothing };
    }
    let of = |kinds: &'static [AddressKind]| {
        tried.iter().copied().filter(move |address| kinds.contains(&AddressKind::of(*address)))
    };
    let families = of(&[AddressKind::Public]).fold(Families::default(), |sum, address| sum.or(address.into()));
    if !families.is_none() {
        return Need::Internet(families);
    }
    of(&[AddressKind::Private, AddressKind::Reserved]).next_back().map_or(Need::Nothing, Need::Local)
}

/// Whether a broken network of ours can be the cause. An answer of the website, its certificate or its content never is.
fn is_of_the_network(class: Class) -> bool {
    match class {
        Class::DnsNxdomain
        | Class::DnsNoAddress
        | Class::DnsServfail
        | Class::DnsTimeout
        | Class::DnsUnavailable
        | Class::DnsProtocol
        | Class::ConnectRefused
        | Class::ConnectTimeout
        | Class::ConnectUnreachable
        | Class::ConnectFailed
        | Class::TlsTimeout
        | Class::SendTimeout
        | Class::FirstByteTimeout
        | Class::BodyTimeout
        | Class::EmptyReply
        | Class::ConnectionLost
        | Class::BodyIncomplete => true,
        Class::TlsProtocol
        | Class::TlsExpired
        | Class::TlsNotYetValid
        | Class::TlsUntrusted
        | Class::TlsNameMismatch
        | Class::TlsRevoked
        | Class::TlsClientCertRequired
        | Class::TlsCertificate
        | Class::HttpProtocol
        | Class::HeaderTooLarge
        | Class::HeaderTooMany
        | Class::BodyTooLarge
        | Class::BodyDecode
        | Class::EncodingUnsupported
        | Class::TooManyRedirects
        | Class::RedirectBlocked
        | Class::HttpStatus
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
        | Class::PingOverdue => false,
    }
}

/// Why a failure does not count.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Excuse {
    /// The network failed; completes "at the same time: ".
    CutOff(String),
    /// Nobody knows whether it did.
    Nobody(Ignorance),
}

/// The tick of a failure that says nothing about the website.
pub(super) fn excuse(tick: Tick, why: &Excuse) -> Tick {
    let failure = tick.failure.map(|failure| {
        let why = match why {
            Excuse::CutOff(why) => format!("The probe's own network failed at the same time: {why}."),
            Excuse::Nobody(why) => {
                format!("Whether the probe's own network worked could not be found out: {}.", why.why())
            }
        };
        let said = format!("{why} What the check saw: {}", failure.detail);
        let detail =
            said.chars().map(|c| if matches!(c, ' '..='~') { c } else { '?' }).take(MAX_DETAIL_BYTES).collect();
        Failure { blame: Blame::Probe, detail, ..failure }
    });
    Tick { outcome: Outcome::Unknown, failure, ..tick }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::{Check, CheckKind, Target, WebsiteId};

    fn tick(class: Class, phase: Phase, blame: Blame) -> Tick {
        let check = Check {
            website_id: WebsiteId(uuid::Uuid::nil()),
            slot_at: 1_000,
            attempt: 0,
            kind: CheckKind::Scheduled,
            deadline_at: 2_000,
            published_at: 1_000,
            target: Target::get("https://example.com/"),
        };
        let outcome = if blame == Blame::Target { Outcome::Down } else { Outcome::Unknown };
        let failure = Failure { class, phase, blame, detail: "93.184.216.34:80 did not answer.".to_owned() };
        Tick { outcome, failure: Some(failure), ..Tick::blank(&check, 0) }
    }

    fn seen(addresses: &[&str]) -> Seen {
        Seen { addresses: addresses.iter().map(|text| text.parse().unwrap()).collect(), ..Seen::default() }
    }

    const V4: Need = Need::Internet(Families { v4: true, v6: false });
    const ANY: Need = Need::Internet(Families { v4: false, v6: false });

    #[test]
    fn t005_where_the_website_is_says_whom_to_ask() {
        let local = |text: &str| Need::Local(text.parse().unwrap());
        let table: &[(&[&str], Need)] = &[
            (&["93.184.216.34"], V4),
            (&["2606:4700::1", "93.184.216.34"], Need::Internet(Families { v4: true, v6: true })),
            (&["192.168.1.7", "93.184.216.34"], V4),
            (&["192.168.1.7"], local("192.168.1.7")),
            (&["203.0.113.1"], local("203.0.113.1")),
            (&["fd12::1"], local("fd12::1")),
            (&["127.0.0.1"], Need::Nothing),
            (&["::1", "127.0.0.1"], Need::Nothing),
            (&[], Need::Nothing),
        ];
        let down = tick(Class::ConnectUnreachable, Phase::Connect, Blame::Target);
        for (addresses, expected) in table {
            assert_eq!(need(&down, &seen(addresses)), *expected, "{addresses:?}");
        }
        // What it was connected to says more than what its name stands for.
        let lost = Tick { remote: "127.0.0.1:80".parse().ok(), ..tick(Class::EmptyReply, Phase::Wait, Blame::Target) };
        assert_eq!(need(&lost, &seen(&["127.0.0.1", "93.184.216.34"])), Need::Nothing);
    }

    #[test]
    fn t057_only_what_a_broken_network_can_cause_is_looked_at() {
        let public = seen(&["93.184.216.34"]);
        let table = [
            (Class::DnsNxdomain, Phase::Dns, Blame::Target, &[][..], ANY),
            (Class::DnsServfail, Phase::Dns, Blame::Target, &[], ANY),
            (Class::DnsTimeout, Phase::Dns, Blame::Probe, &[], Need::Note),
            (Class::ConnectUnreachable, Phase::Connect, Blame::Probe, &["93.184.216.34"], Need::Note),
            (Class::ConnectFailed, Phase::Connect, Blame::Probe, &["93.184.216.34"], Need::Nothing),
            (Class::ConnectUnreachable, Phase::Connect, Blame::Probe, &["192.168.1.7"], Need::Nothing),
            (Class::BlockedByPolicy, Phase::Dns, Blame::Policy, &[], Need::Nothing),
        ];
        for (class, phase, blame, addresses, expected) in table {
            assert_eq!(need(&tick(class, phase, blame), &seen(addresses)), expected, "{class} {blame}");
        }
        let looked_at = Class::ALL.iter().filter(|c| need(&tick(**c, Phase::Receive, Blame::Target), &public) == V4);
        assert_eq!(looked_at.count(), 17);
        for never in [Class::HttpStatus, Class::KeywordMissing, Class::TlsExpired, Class::TooManyRedirects] {
            assert_eq!(need(&tick(never, Phase::Judge, Blame::Target), &public), Need::Nothing, "{never}");
        }
        let slow = tick(Class::Slow, Phase::Judge, Blame::Target);
        assert_eq!(need(&Tick { outcome: Outcome::Degraded, ..slow.clone() }, &public), Need::Nothing);
        assert_eq!(need(&Tick { outcome: Outcome::Up, failure: None, ..slow }, &public), Need::Nothing);
    }

    #[test]
    fn a_website_that_answers_is_a_witness_until_the_network_fails_it() {
        let ended = Instant::now() + Duration::from_secs(100);
        let remote: std::net::SocketAddr = "93.184.216.34:443".parse().unwrap();
        let answer = |remote, status, failed| Tick {
            remote: Some(remote),
            status,
            phases: crate::wire::Phases { receive_us: Some(4_000_000), ..crate::wire::Phases::default() },
            ..tick(failed, Phase::Receive, Blame::Target)
        };
        let seen = |ago| Some((remote.ip(), ended - Duration::from_secs(ago)));
        assert_eq!(witness(&answer(remote, Some(503), Class::HttpStatus), ended), seen(0));
        assert_eq!(witness(&answer(remote, Some(200), Class::BodyTimeout), ended), seen(4));
        assert_eq!(witness(&answer(remote, None, Class::FirstByteTimeout), ended), None);
        let up = Tick { failure: None, outcome: Outcome::Up, ..answer(remote, Some(200), Class::Slow) };
        assert_eq!(witness(&up, ended), seen(0));
    }

    #[test]
    fn an_excused_tick_keeps_what_was_seen_and_says_why_it_does_not_count() {
        let failed = || tick(Class::ConnectTimeout, Phase::Connect, Blame::Target);
        let excused = excuse(failed(), &Excuse::CutOff("no canary answered (1.1.1.1:443)".to_owned()));
        let failure = excused.failure.clone().unwrap();
        assert_eq!((excused.outcome, failure.class), (Outcome::Unknown, Class::ConnectTimeout));
        assert_eq!((failure.phase, failure.blame), (Phase::Connect, Blame::Probe));
        assert_eq!(
            failure.detail,
            "The probe's own network failed at the same time: no canary answered (1.1.1.1:443). \
             What the check saw: 93.184.216.34:80 did not answer."
        );
        let long = Excuse::CutOff("x".repeat(600));
        assert_eq!(excuse(excused, &long).failure.unwrap().detail.len(), MAX_DETAIL_BYTES);
        let excused = excuse(failed(), &Excuse::Nobody(Ignorance::Stopping));
        let failure = excused.failure.unwrap();
        assert_eq!((excused.outcome, failure.blame), (Outcome::Unknown, Blame::Probe));
        assert_eq!(
            failure.detail,
            "Whether the probe's own network worked could not be found out: the probe was stopping. \
             What the check saw: 93.184.216.34:80 did not answer."
        );
    }
}
