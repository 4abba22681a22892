//! Which addresses may be connected to. The rule looks at socket addresses, after resolution and per hop, because
//! every filter on host strings was walked around (CASES D7).

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::str::FromStr;

use super::own::{OwnEndpoints, is_this_machine};

/// A block of addresses such as `192.168.0.0/16` or `fd00::/8`; a bare address is a block of one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cidr {
    network: IpAddr,
    prefix: u8,
}

/// Why a text is not a block of addresses.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("\"{found}\" is not a block of addresses; write it like 192.168.1.0/24 or fd00::/8")]
pub struct CidrError {
    found: String,
}

impl FromStr for Cidr {
    type Err = CidrError;

    fn from_str(text: &str) -> Result<Self, CidrError> {
        let bad = || CidrError { found: text.chars().take(80).flat_map(char::escape_default).collect() };
        let (network, prefix) = match text.split_once('/') {
            Some((network, prefix)) => {
                // `parse` would take "+8".
                if !prefix.bytes().all(|b| b.is_ascii_digit()) {
                    return Err(bad());
                }
                (network, Some(prefix.parse::<u8>().map_err(|_| bad())?))
            }
            None => (text, None),
        };
        let network: IpAddr = network.parse().map_err(|_| bad())?;
        let longest = if network.is_ipv4() { 32 } else { 128 };
        let prefix = prefix.unwrap_or(longest);
        if prefix > longest {
            return Err(bad());
        }
        Ok(Self { network, prefix })
    }
}

impl fmt::Display for Cidr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.network, self.prefix)
    }
}

impl Cidr {
    /// Whether the block holds `address`. An IPv4 block holds no IPv6 address and the other way round.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        match (self.network, address) {
            (IpAddr::V4(network), IpAddr::V4(address)) => within4(address, network, self.prefix),
            (IpAddr::V6(network), IpAddr::V6(address)) => within6(address, network, self.prefix),
            (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => false,
        }
    }
}

fn within4(address: Ipv4Addr, network: Ipv4Addr, prefix: u8) -> bool {
    let mask = u32::MAX.checked_shl(32 - u32::from(prefix)).unwrap_or(0);
    u32::from(address) & mask == u32::from(network) & mask
}

fn within6(address: Ipv6Addr, network: Ipv6Addr, prefix: u8) -> bool {
    let mask = u128::MAX.checked_shl(128 - u32::from(prefix)).unwrap_or(0);
    u128::from(address) & mask == u128::from(network) & mask
}

/// What an address is for, as far as the policy cares.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AddressKind {
    /// Anyone's.
    Public,
    /// This machine.
    Loopback,
    /// A network of one's own: RFC 1918, unique local, shared (carrier and overlay networks).
    Private,
    /// Set aside for documentation, benchmarks or protocols.
    Reserved,
    /// Link-local, cloud metadata, multicast, broadcast, unspecified: never a website.
    Never,
}

/// Metadata services that live outside the link-local block.
const METADATA_V4: [Ipv4Addr; 3] =
    [Ipv4Addr::new(100, 100, 100, 200), Ipv4Addr::new(168, 63, 129, 16), Ipv4Addr::new(192, 0, 0, 192)];
const METADATA_V6: Ipv6Addr = Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254);

impl AddressKind {
    /// Judges an address. IPv4 inside IPv6 (mapped, compatible, NAT64) is judged as that IPv4 address.
    #[must_use]
    pub fn of(address: IpAddr) -> Self {
        match address {
            IpAddr::V4(address) => Self::of_v4(address),
            IpAddr::V6(address) => Self::of_v6(address),
        }
    }

    fn of_v4(address: Ipv4Addr) -> Self {
        if METADATA_V4.contains(&address) {
            return Self::Never;
        }
        match address.octets() {
            [0 | 224..=255, ..] | [169, 254, ..] => Self::Never,
            [127, ..] => Self::Loopback,
            [10, ..] | [172, 16..=31, ..] | [192, 168, ..] | [100, 64..=127, ..] => Self::Private,
            [192, 0, 0 | 2, _] | [192, 88, 99, _] | [198, 18 | 19, ..] | [198, 51, 100, _] | [203, 0, 113, _] => {
                Self::Reserved
            }
            [..] => Self::Public,
        }
    }

    fn of_v6(address: Ipv6Addr) -> Self {
        let segments = address.segments();
        let [.., high, low] = segments;
        let embedded = || {
            let [a, b] = high.to_be_bytes();
            let [c, d] = low.to_be_bytes();
            Self::of_v4(Ipv4Addr::new(a, b, c, d))
        };
        match segments {
            [0, 0, 0, 0, 0, 0, 0, 0] => Self::Never,
            [0, 0, 0, 0, 0, 0, 0, 1] => Self::Loopback,
            [0, 0, 0, 0, 0, 0 | 0xffff, ..] | [0x64, 0xff9b, 0, 0, 0, 0, ..] => embedded(),
            // Local NAT64, discard, Teredo and the rest of 2001::/23, documentation, 6to4, segment routing: what they
            // lead to cannot be told from the address, and no website lives there.
            [0x64, 0xff9b, 1, ..] | [0x100, 0, ..] | [0x2001, 0x0000..=0x01ff, ..] => Self::Reserved,
            [0x2001, 0xdb8, ..] | [0x2002, ..] | [0x3fff, 0..=0x0fff, ..] | [0x5f00, ..] => Self::Reserved,
            [0xfc00..=0xfdff, ..] if address == METADATA_V6 => Self::Never,
            [0xfc00..=0xfdff, ..] => Self::Private,
            [0x2000..=0x3fff, ..] => Self::Public,
            // fe80::/10, fec0::/10, ff00::/8 and everything nobody was given yet.
            [..] => Self::Never,
        }
    }
}

/// Which addresses checks may be sent to.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AddressPolicy {
    own_networks: bool,
    allowed: Vec<Cidr>,
    forbidden: OwnEndpoints,
}

impl AddressPolicy {
    /// Public addresses only: for probes that serve people who do not know each other.
    #[must_use]
    pub fn public_only() -> Self {
        Self::default()
    }

    /// Public addresses, and private or reserved ones inside `allowed`. Link-local and metadata addresses are never
    /// allowed this way, loopback only by a network that names it (CASES D8, DESIGN 8).
    #[must_use]
    pub fn with_allowed(allowed: Vec<Cidr>) -> Self {
        Self { allowed, ..Self::default() }
    }

    /// For an owner who watches his own network from his own machine: private and loopback addresses as well.
    /// Link-local and metadata addresses stay forbidden.
    #[must_use]
    pub fn owner() -> Self {
        Self { own_networks: true, ..Self::default() }
    }

    /// The same, without these endpoints, whatever else is allowed. What they learn later counts too.
    #[must_use]
    pub fn forbidding(self, own: OwnEndpoints) -> Self {
        Self { forbidden: own, ..self }
    }

    /// Endpoints that are never visited.
    pub(super) fn forbidden(&self) -> &OwnEndpoints {
        &self.forbidden
    }

    /// Whether a connection to `address` may be made.
    #[must_use]
    pub fn allows(&self, address: IpAddr) -> bool {
        match AddressKind::of(address) {
            AddressKind::Public => true,
            AddressKind::Loopback => self.own_networks || self.names_loopback(address),
            AddressKind::Private => self.own_networks || self.lists(address),
            AddressKind::Reserved => self.lists(address),
            AddressKind::Never => false,
        }
    }

    /// Whether this machine may be checked at all: by its loopback addresses as [`AddressPolicy::allows`] has it, and by
    /// the addresses its interfaces have, which lead to the same ports (T091).
    pub(super) fn allows_this_machine(&self) -> bool {
        self.own_networks || self.loopback_blocks().next().is_some()
    }

    /// Whether a connection to `endpoint` may be made, wherever it comes from: as the engine judges what it resolved, this
    /// machine and forbidden endpoints included.
    #[must_use]
    pub fn allows_endpoint(&self, endpoint: SocketAddr) -> bool {
        self.allows(endpoint.ip())
            && (self.allows_this_machine() || !is_this_machine(endpoint.ip()))
            && !self.forbidden.contains(endpoint)
    }

    fn names_loopback(&self, address: IpAddr) -> bool {
        self.loopback_blocks().any(|block| block.contains(address.to_canonical()))
    }

    /// Loopback is this machine itself (its Redis, its metrics): a wide network such as 0.0.0.0/0 does not open it,
    /// only one that names it, such as 127.0.0.1/32.
    fn loopback_blocks(&self) -> impl Iterator<Item = &Cidr> {
        self.allowed.iter().filter(|b| b.prefix >= 8 && AddressKind::of(b.network) == AddressKind::Loopback)
    }

    fn lists(&self, address: IpAddr) -> bool {
        self.allowed.iter().any(|block| block.contains(address.to_canonical()))
    }
}
