//! What the program itself talks to, and which no check may: its Redis (T091).

use std::collections::VecDeque;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::sync::{Arc, PoisonError, RwLock};

use super::policy::AddressKind;

/// Addresses remembered: a name may mean another one each time it is asked for.
const REMEMBERED: usize = 64;

/// Endpoints that are never visited, learnt as they are used. Clones share what was learnt.
#[derive(Clone, Default)]
pub struct OwnEndpoints {
    known: Arc<RwLock<VecDeque<SocketAddr>>>,
}

/// Only how many: they come from the settings.
impl fmt::Debug for OwnEndpoints {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "OwnEndpoints({})", self.known.read().unwrap_or_else(PoisonError::into_inner).len())
    }
}

impl PartialEq for OwnEndpoints {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.known, &other.known) || self.snapshot() == other.snapshot()
    }
}

impl Eq for OwnEndpoints {}

impl OwnEndpoints {
    /// Adds endpoints to those that are known: the last 64 are kept.
    pub fn learn(&self, endpoints: impl IntoIterator<Item = SocketAddr>) {
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        for endpoint in endpoints {
            let endpoint = SocketAddr::new(plain(endpoint.ip()), endpoint.port());
            // To the end, so that one that is in use stays.
            known.retain(|other| *other != endpoint);
            known.push_back(endpoint);
            if known.len() > REMEMBERED {
                known.pop_front();
            }
        }
    }

    /// Whether a connection to `endpoint` ends where one of these does. All addresses of this machine lead to the same
    /// ports.
    #[must_use]
    pub fn contains(&self, endpoint: SocketAddr) -> bool {
        let address = plain(endpoint.ip());
        let same_port: Vec<IpAddr> = {
            let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
            known.iter().filter(|known| known.port() == endpoint.port()).map(SocketAddr::ip).collect()
        };
        same_port.contains(&address)
            || (same_port.iter().any(|known| is_this_machine(*known)) && is_this_machine(address))
    }

    fn snapshot(&self) -> VecDeque<SocketAddr> {
        self.known.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// IPv4 inside IPv6 (mapped, compatible, NAT64) as that IPv4 address: it leads to the same place.
fn plain(address: IpAddr) -> IpAddr {
    let IpAddr::V6(six) = address else { return address };
    match six.segments() {
        [0, 0, 0, 0, 0, 0 | 0xffff, high, low] | [0x64, 0xff9b, 0, 0, 0, 0, high, low] if six.segments()[6] != 0 => {
            let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
            Ipv4Addr::new(a, b, c, d).into()
        }
        [..] => address,
    }
}

/// Whether this machine has the address: as its loopback, or on an interface. The kernel talks to its own addresses
/// from themselves. Nothing is sent. An address without a route is nobody's.
pub(super) fn is_this_machine(address: IpAddr) -> bool {
    let address = plain(address);
    if AddressKind::of(address) == AddressKind::Loopback {
        return true;
    }
    let any: IpAddr = if address.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
    let ask = || {
        let socket = UdpSocket::bind((any, 0))?;
        socket.connect((address, 9))?;
        socket.local_addr()
    };
    ask().is_ok_and(|own| own.ip() == address)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> SocketAddr {
        text.parse().unwrap()
    }

    #[test]
    fn t091_what_was_learnt_is_known_in_every_spelling_and_to_every_clone() {
        let own = OwnEndpoints::default();
        let other = own.clone();
        assert!(!other.contains(at("192.0.2.7:6379")));
        own.learn([at("192.0.2.7:6379"), at("[::ffff:192.0.2.8]:6379"), at("[2001:db8::1]:6380")]);
        for same in [
            "192.0.2.7:6379",
            "[::ffff:192.0.2.7]:6379",
            "[64:ff9b::192.0.2.7]:6379",
            "[::192.0.2.7]:6379",
            "192.0.2.8:6379",
            "[2001:db8::1]:6380",
        ] {
            assert!(other.contains(at(same)), "{same}");
        }
        for elsewhere in ["192.0.2.7:6380", "192.0.2.9:6379", "[2001:db8::2]:6380", "127.0.0.1:6379"] {
            assert!(!other.contains(at(elsewhere)), "{elsewhere}");
        }
    }

    #[test]
    fn t091_a_port_of_this_machine_is_the_same_by_all_its_addresses() {
        let own = OwnEndpoints::default();
        own.learn([at("127.0.0.1:6379")]);
        for same in ["127.0.0.1:6379", "127.9.9.9:6379", "[::1]:6379", "[::ffff:127.0.0.2]:6379"] {
            assert!(own.contains(at(same)), "{same}");
        }
        assert!(!own.contains(at("127.0.0.1:6380")));
    }

    #[test]
    fn the_newest_are_remembered() {
        let own = OwnEndpoints::default();
        let number = |n: u8| SocketAddr::from(([192, 0, 2, n], 6379));
        own.learn((0..=254).map(number));
        assert!(own.contains(number(254)) && !own.contains(number(0)));
        own.learn([number(191), number(1)]);
        assert!(own.contains(number(191)), "{own:?}");
        assert_eq!(format!("{own:?}"), "OwnEndpoints(64)");
    }
}
