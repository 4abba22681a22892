//! `CANARIES`: whom to ask whether the network works.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;

use super::evidence::Families;
use crate::engine::AddressKind;

/// Entries at most.
const MOST: usize = 8;
/// How the setting is turned off.
const OFF: &str = "off";
/// Anycast services of two operators that answer on 443 from nearly everywhere; two of each family, since each family is
/// judged by its own canaries, and the trouble of one operator must not pass for ours.
const DEFAULT: [&str; 4] = ["1.1.1.1:443", "9.9.9.9:443", "[2606:4700:4700::1111]:443", "[2620:fe::fe]:443"];

/// Somebody well known who takes TCP connections.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Canary {
    /// By address.
    Address(SocketAddr),
    /// By name: the look-up is part of the question.
    Name {
        /// Lower case, without a final dot.
        name: String,
        /// Not 0.
        port: u16,
    },
}

/// Why a text is not a canary.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CanaryError {
    /// Neither address nor name, or no port.
    #[error("\"{0}\" is not a canary; write it like 1.1.1.1:443 or [2606:4700:4700::1111]:443")]
    Form(String),
    /// An address at which no service for all can be.
    #[error("\"{0}\" cannot be a canary: link-local, metadata and multicast addresses are never asked")]
    Address(String),
    /// Too many.
    #[error("{0} entries are too many; give at most {MOST}")]
    TooMany(usize),
    /// Nobody left.
    #[error("it names nobody; give addresses with ports, or \"{OFF}\"")]
    Nobody,
}

impl FromStr for Canary {
    type Err = CanaryError;

    fn from_str(text: &str) -> Result<Self, CanaryError> {
        let found = || text.chars().take(80).flat_map(char::escape_default).collect();
        if let Ok(address) = text.parse::<SocketAddr>() {
            return match AddressKind::of(address.ip()) {
                AddressKind::Never => Err(CanaryError::Address(found())),
                _ if address.port() == 0 => Err(CanaryError::Form(found())),
                AddressKind::Public | AddressKind::Loopback | AddressKind::Private | AddressKind::Reserved => {
                    Ok(Self::Address(address))
                }
            };
        }
        let (name, port) = text.rsplit_once(':').ok_or_else(|| CanaryError::Form(found()))?;
        // `parse` would take "+443".
        let port = Some(port).filter(|port| port.bytes().all(|b| b.is_ascii_digit())).and_then(|p| p.parse().ok());
        let name = name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase();
        match port {
            Some(port @ 1..) if is_name(&name) => Ok(Self::Name { name, port }),
            Some(_) | None => Err(CanaryError::Form(found())),
        }
    }
}

/// A host name, and not an address with a slip of the pen, which is all digits at its end.
fn is_name(name: &str) -> bool {
    let label = |label: &str| {
        (1..=63).contains(&label.len()) && label.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'))
    };
    let last = name.rsplit('.').next().unwrap_or_default();
    name.len() <= 253 && name.split('.').all(label) && !last.bytes().all(|b| b.is_ascii_digit())
}

impl fmt::Display for Canary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address(address) => address.fmt(f),
            Self::Name { name, port } => write!(f, "{name}:{port}"),
        }
    }
}

/// The canaries of a probe; none when it is not to ask.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Canaries(Vec<Canary>);

impl Default for Canaries {
    /// Two operators, over IPv4 and IPv6.
    fn default() -> Self {
        Self(DEFAULT.iter().filter_map(|text| text.parse().ok()).collect())
    }
}

impl Canaries {
    /// Nobody is asked, and every failure stands.
    #[must_use]
    pub fn off() -> Self {
        Self(Vec::new())
    }

    /// Reads a comma-separated list of 1 to 8 `address:port` or `name:port`, or `off`.
    ///
    /// # Errors
    /// Everything that is wrong with it.
    pub fn parse(text: &str) -> Result<Self, Vec<CanaryError>> {
        if text.trim().eq_ignore_ascii_case(OFF) {
            return Ok(Self::off());
        }
        let mut canaries = Vec::new();
        let mut problems = Vec::new();
        for entry in text.split(',').map(str::trim).filter(|entry| !entry.is_empty()) {
            match entry.parse::<Canary>() {
                Ok(canary) if canaries.contains(&canary) => {}
                Ok(canary) => canaries.push(canary),
                Err(problem) => problems.push(problem),
            }
        }
        if canaries.len() > MOST {
            problems.push(CanaryError::TooMany(canaries.len()));
        }
        if canaries.is_empty() && problems.is_empty() {
            problems.push(CanaryError::Nobody);
        }
        if problems.is_empty() { Ok(Self(canaries)) } else { Err(problems) }
    }

    /// In order.
    #[must_use]
    pub fn list(&self) -> &[Canary] {
        &self.0
    }

    /// Those that can speak for these families, for a sentence: names can for any. Everybody when nobody can.
    pub(super) fn speaking_for(&self, families: Families) -> String {
        let speaks = |canary: &&Canary| match canary {
            Canary::Address(address) => families.is_none() || families.has(address.ip()),
            Canary::Name { .. } => true,
        };
        let mut names: Vec<String> = self.0.iter().filter(speaks).map(Canary::to_string).collect();
        if names.is_empty() {
            names = self.0.iter().map(Canary::to_string).collect();
        }
        let more = names.len().saturating_sub(4);
        names.truncate(4);
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        names.join(", ") + &more
    }
}

impl fmt::Display for Canaries {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return f.write_str(OFF);
        }
        let texts: Vec<String> = self.0.iter().map(Canary::to_string).collect();
        f.write_str(&texts.join(","))
    }
}

/// Families of an address.
impl From<IpAddr> for Families {
    fn from(address: IpAddr) -> Self {
        Self { v4: address.is_ipv4(), v6: address.is_ipv6() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_is_two_operators_over_both_families() {
        let default = Canaries::default();
        assert_eq!(default.list().len(), DEFAULT.len());
        assert_eq!(Canaries::parse(&default.to_string()), Ok(default.clone()));
        assert_eq!(default.speaking_for(Families { v4: true, v6: false }), "1.1.1.1:443, 9.9.9.9:443");
    }

    #[test]
    fn canaries_are_read_strictly_and_all_that_is_wrong_is_told() {
        let good = Canaries::parse(" 127.0.0.1:8080, One.Example.:443,127.0.0.1:8080 ").unwrap();
        assert_eq!(good.to_string(), "127.0.0.1:8080,one.example:443");
        assert_eq!(Canaries::parse("OFF").map(|c| c.to_string()).as_deref(), Ok("off"));
        for bad in
            ["1.1.1.1", "1.1.1.1:0", "1.1.1:443", "1.1.1.256:443", "::1:443x", "a b:1", "a:+1", "a:65536", "http://a:1"]
        {
            assert!(matches!(bad.parse::<Canary>(), Err(CanaryError::Form(_))), "{bad}");
        }
        for bad in ["169.254.169.254:80", "[fe80::1]:443", "0.0.0.0:1", "224.0.0.1:1"] {
            assert!(matches!(bad.parse::<Canary>(), Err(CanaryError::Address(_))), "{bad}");
        }
        assert_eq!(Canaries::parse("x,1.1.1.1:443,y").unwrap_err().len(), 2);
        assert_eq!(Canaries::parse(" , "), Err(vec![CanaryError::Nobody]));
        let nine: Vec<String> = (1..=9).map(|port| format!("1.1.1.1:{port}")).collect();
        assert_eq!(Canaries::parse(&nine.join(",")), Err(vec![CanaryError::TooMany(9)]));
    }
}
