//! Host of a URL to the few addresses that will be tried, policy applied.

use std::net::{IpAddr, SocketAddr};
use std::time::Instant;

use url::Host;

use super::classify::{Trouble, blame_of_dns};
use super::dns::Dns;
use super::limits::MAX_ADDRESSES;
use super::own::is_this_machine;
use super::policy::AddressPolicy;
use crate::wire::{Blame, Class, Failure, IpFamily, Phase};

/// Where a host is.
#[derive(Debug)]
pub(super) struct Resolved {
    /// In the order they are to be tried.
    pub(super) addresses: Vec<SocketAddr>,
    /// A name server told them.
    pub(super) was_asked: bool,
}

/// Finds where a host is, as far as the policy allows to go there.
pub(super) fn resolve(
    dns: &Dns,
    policy: &AddressPolicy,
    host: &Host<String>,
    port: u16,
    family: IpFamily,
    deadline: Instant,
) -> Result<Resolved, Failure> {
    let (found, name, was_asked) = match host {
        Host::Ipv4(address) => (vec![IpAddr::from(*address)], None, false),
        Host::Ipv6(address) => (vec![IpAddr::from(*address)], None, false),
        Host::Domain(name) => {
            let (found, was_asked) = dns.look_up(name, family, deadline);
            (found.map_err(|error| blame_of_dns(name, family, &error))?, Some(name.as_str()), was_asked)
        }
    };
    let blocked = |address: Option<&IpAddr>, why: &str| -> Failure {
        let address = address.map(IpAddr::to_string).unwrap_or_default();
        let what = name.map_or_else(|| address.clone(), |name| format!("{name} is {address}, which"));
        let detail = format!("{what} is {why}.");
        Trouble { class: Class::BlockedByPolicy, phase: Phase::Dns, blame: Blame::Policy, detail }.into()
    };
    let allowed: Vec<IpAddr> = found.iter().copied().filter(|address| policy.allows(*address)).collect();
    if allowed.is_empty() {
        return Err(blocked(found.first(), "not an address this probe may check"));
    }
    let mut tried: Vec<IpAddr> = interleave(&allowed).into_iter().take(MAX_ADDRESSES).collect();
    if !policy.allows_this_machine() {
        tried.retain(|address| !is_this_machine(*address));
        if tried.is_empty() {
            return Err(blocked(allowed.first(), "an address of the probe's own machine, which it may not check"));
        }
    }
    tried.retain(|address| !policy.forbidden().contains(SocketAddr::new(*address, port)));
    if tried.is_empty() {
        // Where it is may be known from the settings only, so the address of a name is not told.
        let what = name.unwrap_or("This");
        let detail = format!("{what} is the probe's own Redis, which is never checked.");
        return Err(Trouble { class: Class::BlockedByPolicy, phase: Phase::Dns, blame: Blame::Policy, detail }.into());
    }
    let addresses = tried.into_iter().map(|address| SocketAddr::new(address, port)).collect();
    Ok(Resolved { addresses, was_asked })
}

/// IPv6 and IPv4 in turn, IPv6 first (RFC 8305), so that one broken family costs one try.
fn interleave(addresses: &[IpAddr]) -> Vec<IpAddr> {
    let mut six = addresses.iter().filter(|address| address.is_ipv6());
    let mut four = addresses.iter().filter(|address| address.is_ipv4());
    let mut mixed = Vec::with_capacity(addresses.len());
    loop {
        let (a, b) = (six.next(), four.next());
        if a.is_none() && b.is_none() {
            return mixed;
        }
        mixed.extend(a.into_iter().chain(b).copied());
    }
}
