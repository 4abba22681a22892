//! Host of a URL to the few addresses that will be tried, policy applied.

use std::net::{IpAddr, SocketAddr};
use std::time::Instant;

use url::Host;

use super::classify::{Trouble, blame_of_dns};
use super::dns::Dns;
use super::limits::MAX_ADDRESSES;
use super::policy::AddressPolicy;
use crate::wire::{Blame, Class, Failure, IpFamily, Phase};

/// Addresses in the order they are to be tried.
pub(super) fn resolve(
    dns: &Dns,
    policy: &AddressPolicy,
    host: &Host<String>,
    port: u16,
    family: IpFamily,
    deadline: Instant,
) -> Result<Vec<SocketAddr>, Failure> {
    let (found, name) = match host {
        Host::Ipv4(address) => (vec![IpAddr::from(*address)], None),
        Host::Ipv6(address) => (vec![IpAddr::from(*address)], None),
        Host::Domain(name) => (
            dns.addresses(name, family, deadline).map_err(|error| blame_of_dns(name, family, &error))?,
            Some(name.as_str()),
        ),
    };
    let allowed: Vec<IpAddr> = found.iter().copied().filter(|address| policy.allows(*address)).collect();
    if allowed.is_empty() {
        let address = found.first().map(IpAddr::to_string).unwrap_or_default();
        let what = name.map_or_else(|| address.clone(), |name| format!("{name} is {address}, which"));
        return Err(Trouble {
            class: Class::BlockedByPolicy,
            phase: Phase::Dns,
            blame: Blame::Policy,
            detail: format!("{what} is not an address this probe may check."),
        }
        .into());
    }
    Ok(interleave(&allowed).into_iter().take(MAX_ADDRESSES).map(|address| SocketAddr::new(address, port)).collect())
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
