//! One check, from name to outcome.
//!
//! Every check uses fresh look-ups and a fresh connection, so that DNS, TCP and TLS are measured each time. ureq speaks
//! HTTP; what is below it (resolver, dial, TLS, the clock) and around it (redirects, judgement) is ours.

mod budget;
mod buffers;
mod certificate;
mod challenge;
mod classify;
mod content;
mod dial;
mod dns;
mod exchange;
mod framing;
mod gzip;
mod hop;
mod json;
mod judge;
mod limits;
mod own;
mod policy;
mod redirect;
mod request;
mod resolve;
mod roots;
mod socket;
mod stopwatch;
mod tls;
mod transport;

use std::net::IpAddr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use rustls::pki_types::CertificateDer;
use ureq::config::Config;
use url::Url;

pub use certificate::not_after_at;
pub use dns::{ResolverConfig, RootAnswer, ServerAnswer, survey_name_servers};
pub(crate) use limits::EARLIEST_NOW_AT;
pub use own::OwnEndpoints;
pub use policy::{AddressKind, AddressPolicy, Cidr, CidrError};
pub use roots::{RootsError, read_roots};

use crate::clock::Clock;
use crate::wire::{Check, Failure, IpFamily, Outcome, Target, Tick};

/// What an engine is built from.
#[derive(Debug, Clone)]
pub struct EngineConfig {
    /// Which addresses may be connected to.
    pub policy: AddressPolicy,
    /// Certificate authorities trusted besides Mozilla's.
    pub extra_roots: Vec<CertificateDer<'static>>,
    /// `User-Agent` of every request.
    pub user_agent: String,
    /// Where names are looked up.
    pub resolver: ResolverConfig,
    /// The time certificates are judged by. Keep a clone to teach it.
    pub clock: Clock,
}

impl Default for EngineConfig {
    /// Public addresses only, Mozilla's roots, the product's name, the system's name servers, the wall clock.
    fn default() -> Self {
        Self {
            policy: AddressPolicy::public_only(),
            extra_roots: Vec::new(),
            user_agent: concat!(
                "BetterUptime/",
                env!("CARGO_PKG_VERSION"),
                " (+https://github.com/betteruptime/betteruptime)"
            )
            .to_owned(),
            resolver: ResolverConfig::System,
            clock: Clock::default(),
        }
    }
}

/// Why no engine could be built.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// A root certificate is not one.
    #[error("an extra root certificate cannot be used: {0}")]
    Root(String),
    /// The TLS library refused its settings.
    #[error("TLS cannot be set up: {0}")]
    Tls(String),
    /// The user agent is not a header value.
    #[error("\"{0}\" cannot be a User-Agent; use printable ASCII")]
    UserAgent(String),
}

/// What is known of a check beside its tick.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Seen {
    /// Addresses that the last hop's host had and the policy allows, in the order they are tried; none when it did not
    /// come to that.
    pub addresses: Vec<IpAddr>,
    /// A name server was asked for the last hop's host, and found it.
    pub name_found: bool,
}

/// Runs checks. One engine serves any number of threads.
#[derive(Debug, Clone)]
pub struct Engine {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    policy: AddressPolicy,
    dns: dns::Dns,
    tls: tls::TlsSetup,
    http: Config,
    clock: Clock,
    /// For bodies that are kept whole.
    bodies: budget::Budget,
    /// Held while a pattern is tried: one check's patterns take one core at most, whatever the answers are.
    patterns: Mutex<()>,
}

impl Engine {
    /// Builds an engine.
    pub fn new(config: EngineConfig) -> Result<Self, EngineError> {
        let agent = config.user_agent;
        if agent.is_empty() || !agent.bytes().all(|b| matches!(b, b' '..=b'~')) {
            return Err(EngineError::UserAgent(agent.escape_default().to_string()));
        }
        // Proxies are taken from the environment unless told otherwise, and would go around the address policy.
        let http = ureq::Agent::config_builder()
            .proxy(None)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .http_status_as_error(false)
            .max_idle_connections(0)
            .max_idle_connections_per_host(0)
            .max_response_header_size(limits::MAX_HEAD_BYTES)
            .user_agent(agent)
            .accept("*/*")
            .accept_encoding("identity")
            .build();
        let tls = tls::TlsSetup::new(&config.extra_roots, &config.clock)?;
        let dns = dns::Dns::new(config.resolver);
        let bodies = budget::Budget::new(limits::MAX_KEPT_BYTES);
        let shared =
            Shared { policy: config.policy, dns, tls, http, clock: config.clock, bodies, patterns: Mutex::new(()) };
        Ok(Self { shared: Arc::new(shared) })
    }

    /// Runs a check on this thread. Whatever the target does becomes a tick, within the check's timeout.
    #[must_use]
    pub fn run(&self, check: &Check) -> Tick {
        self.run_seen(check).0
    }

    /// Like [`Engine::run`], with what is not on the wire.
    #[must_use]
    pub fn run_seen(&self, check: &Check) -> (Tick, Seen) {
        let mut seen = Seen::default();
        let started_at = self.shared.clock.now();
        let target = &check.target;
        let budget = Duration::from_millis(u64::from(target.timeout_ms.clamp(1, limits::MAX_CHECK_MS)));
        let deadline = Instant::now() + budget;
        let mut tick = Tick::blank(check, started_at);
        match parse(&target.url).and_then(|url| can_be_run(target).map(|()| url)) {
            Ok(url) => {
                let journey = redirect::travel(&self.shared, url, target, deadline);
                tick.total_us = journey.phases.sum_us();
                (tick.outcome, tick.failure) = match journey.failure {
                    Some(failure) => judge::failed(failure),
                    None => judge::answered(target, &journey.last, tick.total_us, self.shared.clock.now()),
                };
                tick.phases = journey.phases;
                tick.hops = journey.hops;
                tick.notes = journey.notes;
                seen.addresses = journey.last.addresses;
                seen.name_found = journey.last.name_found;
                tick.remote = journey.last.remote;
                tick.certificate = journey.last.certificate;
                if let Some(answer) = journey.last.answer {
                    tick.status = Some(answer.status);
                    tick.body_bytes = answer.body_bytes;
                    tick.truncated = answer.truncated;
                    if tick.outcome == Outcome::Down {
                        tick.answer = answer.shown();
                    }
                }
            }
            Err(failure) => (tick.outcome, tick.failure) = judge::failed(failure),
        }
        (tick, seen)
    }

    /// Addresses of a name as checks find them, by `deadline`; none when it has none.
    pub(crate) fn addresses(&self, name: &str, deadline: Instant) -> Vec<IpAddr> {
        self.shared.dns.addresses(name, IpFamily::Any, deadline).unwrap_or_default()
    }

    /// What each name server that checks use says of the root, within `budget`.
    pub(crate) fn survey_name_servers(&self, budget: Duration) -> Vec<ServerAnswer> {
        self.shared.dns.survey(budget)
    }
}

/// The rule of what may be asked and expected, again.
fn can_be_run(target: &Target) -> Result<(), Failure> {
    match target.problems().first() {
        None => Ok(()),
        Some(problem) => {
            Err(classify::unsupported(&format!("{} is \"{}\". {}", problem.field, problem.found, problem.remedy)))
        }
    }
}

/// The rule of the wire type again: an order may be older than the rule.
fn parse(text: &str) -> Result<Url, Failure> {
    if text.len() > limits::MAX_URL_BYTES {
        let detail = format!("The URL has {} bytes; at most {} are asked for.", text.len(), limits::MAX_URL_BYTES);
        return Err(classify::unsupported(&detail));
    }
    let mut url = Url::parse(text).map_err(|e| classify::unsupported(&format!("The URL cannot be read: {e}.")))?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(classify::unsupported("Only http and https URLs are checked."));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(classify::unsupported("The URL holds credentials, which are not sent from there."));
    }
    url.set_fragment(None);
    Ok(url)
}
