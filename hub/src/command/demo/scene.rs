//! Who is watched from where: the websites of the demo, what each of them is like, and the regions.

use crate::model::{RegionId, WorkerId};

/// A region of the demo.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place {
    pub region: &'static str,
    pub worker: &'static str,
    /// There and back to most websites, in microseconds.
    pub way_us: i64,
}

pub(super) const PLACES: [Place; 3] = [
    Place { region: "FRANKFURT", worker: "fra-1", way_us: 9_000 },
    Place { region: "SINGAPORE", worker: "sin-1", way_us: 168_000 },
    Place { region: "VIRGINIA", worker: "iad-1", way_us: 91_000 },
];

impl Place {
    pub(super) fn names(&self) -> anyhow::Result<(RegionId, WorkerId)> {
        Ok((self.region.parse()?, self.worker.parse()?))
    }
}

/// How a website misbehaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Manner {
    /// It does not.
    Well,
    /// Slow from time to time.
    Slow,
    /// Singapore does not reach it.
    OneRegion,
    /// 503 for twelve minutes of every six hours.
    OutOfService,
    /// Its certificate is near its end.
    CertificateEnds,
    /// Its answer lacks a text that has to be there.
    WrongContent,
    /// Up and down by turns.
    Flaps,
    /// It takes connections and says nothing.
    Silent,
    /// 503 while work goes on.
    UnderMaintenance,
}

/// A website of the demo.
#[derive(Debug, Clone, Copy)]
pub(super) struct Site {
    /// Its key in the file.
    pub key: &'static str,
    /// The first parts of its host.
    pub host: &'static str,
    /// Over TLS.
    pub is_https: bool,
    /// What its server takes for an answer, in microseconds.
    pub work_us: i64,
    pub manner: Manner,
    /// Outages by chance in ninety days.
    pub outages: i64,
}

const fn site(key: &'static str, host: &'static str, work_ms: i64, manner: Manner, outages: i64) -> Site {
    Site { key, host, is_https: true, work_us: work_ms * 1_000, manner, outages }
}

const fn plain(key: &'static str, host: &'static str, work_ms: i64, outages: i64) -> Site {
    Site { is_https: false, ..site(key, host, work_ms, Manner::Well, outages) }
}

use Manner::{CertificateEnds, Flaps, OneRegion, OutOfService, Silent, Slow, UnderMaintenance, Well, WrongContent};

pub(super) const SITES: [Site; 25] = [
    site("www", "www", 42, Well, 0),
    site("api", "api", 28, Well, 1),
    site("auth", "auth", 22, OutOfService, 2),
    site("shop", "shop", 85, Well, 2),
    site("checkout", "checkout", 120, WrongContent, 2),
    site("account", "account", 95, Well, 1),
    site("images", "images", 35, Slow, 1),
    site("search", "search", 140, Well, 3),
    site("blog", "blog", 60, Well, 2),
    site("careers", "careers", 70, Well, 1),
    site("wholesale", "wholesale", 75, Silent, 3),
    site("wholesale-orders", "wholesale", 110, Silent, 0),
    site("roastery", "roastery", 64, UnderMaintenance, 2),
    plain("roastery-sensors", "sensors.roastery", 31, 4),
    site("newsletter", "newsletter", 50, Well, 1),
    site("help", "help", 88, Well, 1),
    site("git", "git", 46, Well, 2),
    plain("wiki", "wiki", 58, 3),
    site("mail", "mail", 44, Well, 1),
    site("vpn", "vpn", 18, Well, 1),
    site("charts", "charts", 66, Well, 1),
    site("beta", "beta", 72, Flaps, 5),
    plain("legacy", "legacy", 190, 3),
    site("northpay", "api.northpay", 97, CertificateEnds, 2),
    site("tiles", "tiles.cartolane", 112, OneRegion, 1),
];

/// Where the websites are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Where {
    /// Nowhere: nobody asks them. Their names are of a domain that nobody has.
    Nowhere,
    /// On this machine: `*.localhost` is here for probes and browsers alike.
    Here { http: u16, https: u16 },
}

impl Where {
    /// Host of a website, by the first parts of it.
    pub(super) fn host(self, parts: &str) -> String {
        let company = if parts.contains("northpay") || parts.contains("cartolane") { "" } else { ".lantern" };
        let end = match self {
            Self::Nowhere => "example",
            Self::Here { .. } => "localhost",
        };
        format!("{parts}{company}.{end}")
    }

    /// Scheme, host and port.
    fn origin(self, site: &Site) -> String {
        let (scheme, host) = (if site.is_https { "https" } else { "http" }, self.host(site.host));
        match self {
            Self::Nowhere => format!("{scheme}://{host}"),
            Self::Here { http, https } => format!("{scheme}://{host}:{}", if site.is_https { https } else { http }),
        }
    }

    /// Where what the account is told arrives.
    pub(super) fn receiver(self, name: &str) -> String {
        match self {
            Self::Nowhere => format!("https://hooks.lantern.example/{name}"),
            Self::Here { http, .. } => format!("http://hooks.lantern.localhost:{http}/{name}"),
        }
    }

    /// The file of what is watched, with addresses and times put in.
    pub(super) fn file(self, now: crate::model::UtcMs) -> String {
        let mut text = include_str!("lantern.yaml").to_owned();
        // The longer first: one may begin as another does.
        let mut hosts: Vec<&Site> = SITES.iter().collect();
        hosts.sort_by_key(|site| std::cmp::Reverse(site.host.len()));
        for site in hosts {
            text = text.replace(&format!("\"@{}/", site.host), &format!("\"{}/", self.origin(site)));
        }
        let mut filled = String::new();
        for part in text.split("starts: ~") {
            let Some((minutes, rest)) = part.split_once(',').filter(|_| !filled.is_empty()) else {
                filled.push_str(part);
                continue;
            };
            let at = now.saturating_add(minutes.parse::<i64>().unwrap_or(0) * 60_000);
            let starts = jiff::Timestamp::from_millisecond(at).map(|at| at.strftime("%Y-%m-%dT%H:%M").to_string());
            filled.push_str(&format!("starts: \"{}\",{rest}", starts.unwrap_or_default()));
        }
        filled
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_website_of_the_file_is_known_here_and_has_its_address() {
        let text = Where::Nowhere.file(1_795_000_000_000);
        assert!(!text.contains("\"@") && !text.contains("starts: ~"), "{text}");
        for site in SITES {
            assert!(text.contains(&format!("key: {},", site.key)), "{}", site.key);
        }
        assert_eq!(text.matches("  - {key: ").count(), SITES.len() + 1 + 3, "a channel and three jobs have a key, too");
        assert!(text.contains("\"https://api.lantern.example/v2/health\""), "{text}");
        let here = Where::Here { http: 8_001, https: 8_002 }.file(0);
        assert!(here.contains("\"http://sensors.roastery.lantern.localhost:8001/readings\""), "{here}");
        assert!(here.contains("\"https://api.northpay.localhost:8002/status\""), "{here}");
    }
}
