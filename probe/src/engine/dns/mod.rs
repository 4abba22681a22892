//! A small blocking stub resolver. The C library's cannot be bounded without a thread per look-up, and tells a name
//! that does not exist from a server that is away by words only; this one has a deadline and classes.

mod lookup;
mod message;
mod survey;
mod system;
mod tcp;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::{Duration, Instant};

pub use survey::{RootAnswer, ServerAnswer, survey_name_servers};
pub use system::ResolverConfig;

use crate::wire::IpFamily;

/// Why a name gave no address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum DnsError {
    /// The name does not exist.
    Nxdomain,
    /// It exists, but not with an address of the asked family.
    NoAddress,
    /// The servers failed to find out. `server_works`: they know the root, so it is the name's own trouble.
    Servfail { rcode: u8, server_works: bool },
    /// Silence. `server_works` as above.
    Timeout { server_works: bool },
    /// No server could be asked at all.
    Unavailable { reason: String },
    /// An answer that cannot be read, or not be had in full. `server_works` as above.
    Protocol { server_works: bool },
}

/// The resolver. Holds no sockets and no threads.
#[derive(Debug)]
pub(super) struct Dns {
    source: system::Source,
}

impl Dns {
    pub(super) fn new(config: ResolverConfig) -> Self {
        Self { source: system::Source::new(config) }
    }

    /// Addresses of `name` in the server's order, by `deadline`.
    pub(super) fn addresses(&self, name: &str, family: IpFamily, deadline: Instant) -> Result<Vec<IpAddr>, DnsError> {
        self.look_up(name, family, deadline).0
    }

    /// The same, and whether a name server was asked.
    pub(super) fn look_up(
        &self,
        name: &str,
        family: IpFamily,
        deadline: Instant,
    ) -> (Result<Vec<IpAddr>, DnsError>, bool) {
        let name = name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase();
        if name == "localhost" || name.ends_with(".localhost") {
            return (keep(&[Ipv6Addr::LOCALHOST.into(), Ipv4Addr::LOCALHOST.into()], family), false);
        }
        if !message::is_name(&name) {
            return (Err(DnsError::Nxdomain), false);
        }
        let known = self.source.known();
        if let Some(addresses) = known.hosts.get(&name) {
            return (keep(addresses, family), false);
        }
        (lookup::Lookup::new(&name, family, &known.servers, deadline).run(), true)
    }

    /// What each name server says of the root.
    pub(super) fn survey(&self, budget: Duration) -> Vec<ServerAnswer> {
        survey::survey(&self.source, budget)
    }
}

fn keep(addresses: &[IpAddr], family: IpFamily) -> Result<Vec<IpAddr>, DnsError> {
    let kept: Vec<IpAddr> = addresses
        .iter()
        .copied()
        .filter(|address| match family {
            IpFamily::Any => true,
            IpFamily::V4 => address.is_ipv4(),
            IpFamily::V6 => address.is_ipv6(),
        })
        .collect();
    if kept.is_empty() { Err(DnsError::NoAddress) } else { Ok(kept) }
}
