//! Where the machine says names are to be asked: `/etc/resolv.conf` and `/etc/hosts`.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Files are read again at most this often.
const FRESH: Duration = Duration::from_secs(5);
/// Name servers asked, as in the C library.
const MAX_SERVERS: usize = 3;

/// Which name servers are asked and which names are known without asking.
#[derive(Debug, Clone, Default)]
pub enum ResolverConfig {
    /// `nameserver` lines of `/etc/resolv.conf`, and `/etc/hosts`. Search lists are not used: a website means the same
    /// name everywhere.
    #[default]
    System,
    /// These servers and names, for tests and odd places.
    Fixed {
        /// Name servers in order of preference.
        servers: Vec<SocketAddr>,
        /// Names known without asking, lower case.
        hosts: Vec<(String, IpAddr)>,
    },
}

/// What is known before any question.
#[derive(Debug, Default)]
pub(super) struct Known {
    pub(super) servers: Vec<SocketAddr>,
    pub(super) hosts: HashMap<String, Vec<IpAddr>>,
}

/// Reads the system's files now and then.
#[derive(Debug)]
pub(super) struct Source {
    config: ResolverConfig,
    read: Mutex<Option<(Instant, Arc<Known>)>>,
}

impl Source {
    pub(super) fn new(config: ResolverConfig) -> Self {
        Self { config, read: Mutex::new(None) }
    }

    pub(super) fn known(&self) -> Arc<Known> {
        let mut read = self.read.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((at, known)) = read.as_ref()
            && at.elapsed() < FRESH
        {
            return Arc::clone(known);
        }
        let known = Arc::new(match &self.config {
            ResolverConfig::System => Known {
                servers: servers(&std::fs::read_to_string("/etc/resolv.conf").unwrap_or_default()),
                hosts: hosts(&std::fs::read_to_string("/etc/hosts").unwrap_or_default()),
            },
            ResolverConfig::Fixed { servers, hosts } => {
                let mut known = Known { servers: servers.clone(), hosts: HashMap::new() };
                for (name, address) in hosts {
                    known.hosts.entry(name.clone()).or_default().push(*address);
                }
                known
            }
        });
        *read = Some((Instant::now(), Arc::clone(&known)));
        known
    }
}

fn servers(text: &str) -> Vec<SocketAddr> {
    let mut servers: Vec<SocketAddr> = text
        .lines()
        .filter_map(|line| {
            let mut words = line.split_whitespace();
            (words.next() == Some("nameserver")).then(|| words.next())?
        })
        .filter_map(|server| server.parse::<IpAddr>().ok())
        .map(|address| SocketAddr::new(address, 53))
        .take(MAX_SERVERS)
        .collect();
    if servers.is_empty() {
        // resolv.conf(5): without a line, the name server is on this machine.
        servers.push(SocketAddr::from((Ipv4Addr::LOCALHOST, 53)));
    }
    servers
}

fn hosts(text: &str) -> HashMap<String, Vec<IpAddr>> {
    let mut hosts: HashMap<String, Vec<IpAddr>> = HashMap::new();
    for line in text.lines() {
        let mut words = line.split('#').next().unwrap_or_default().split_whitespace();
        let Some(address) = words.next().and_then(|word| word.parse::<IpAddr>().ok()) else { continue };
        // Block lists point at nothing; a website on such a list is asked for like any other.
        if address.is_unspecified() {
            continue;
        }
        for name in words {
            let addresses = hosts.entry(name.to_ascii_lowercase()).or_default();
            if !addresses.contains(&address) {
                addresses.push(address);
            }
        }
    }
    hosts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn t059_search_lines_are_not_used() {
        let text =
            "search corp.example\n# nameserver 9.9.9.9\nnameserver 192.0.2.1\n nameserver 2001:db8::1 \nnameserver x\n";
        let expected: Vec<SocketAddr> = vec!["192.0.2.1:53".parse().unwrap(), "[2001:db8::1]:53".parse().unwrap()];
        assert_eq!(servers(text), expected);
        assert_eq!(servers(""), vec!["127.0.0.1:53".parse::<SocketAddr>().unwrap()]);
    }

    #[test]
    fn hosts_have_aliases_and_comments() {
        let hosts = hosts("192.168.1.2 NAS nas.lan # the box\n#1.1.1.1 no\n0.0.0.0 ads.example\n::1 localhost\n");
        assert_eq!(hosts.get("nas"), hosts.get("nas.lan"));
        assert_eq!(hosts.len(), 3);
    }
}
