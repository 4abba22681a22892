//! What a worker is given to take part, and what it may do with it: a user of Redis that reaches two keys (CASES 6.2).

use probe::wire::{check_key, parse_tick_key, tick_key};
use sha2::{Digest as _, Sha256};

use super::{Region, RegionId, UtcMs, Worker, WorkerId};

/// Beginning of the name of every worker's user.
pub const USER_PREFIX: &str = "bu-probe-";

/// The rules of the hub's own user, as a line of an ACL file has them after its password: every command it uses, on our
/// keys; SCAN finds the streams of new workers, INFO and HELLO tell whether this Redis is fit, TIME what time it is there.
pub const HUB_RULES: &str = "resetkeys resetchannels -@all ~betteruptime:* +ping +hello +info +time +client|setname \
    +client|id +scan +multi +exec +discard +xadd +xrange +xreadgroup +xack +xdel +xautoclaim +xpending +xtrim +xlen \
    +xgroup|create +xgroup|createconsumer +xgroup|delconsumer +xgroup|setid +xgroup|destroy +xinfo|stream +xinfo|groups \
    +xinfo|consumers +unlink";

/// A worker to be, or one that was.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// Its region.
    pub region: RegionId,
    /// Its name there.
    pub worker: WorkerId,
}

impl Place {
    /// Name of its user. Two places may have the same (`eu`, `west-1` and `eu-west`, `1`): whose a user is, its keys say.
    #[must_use]
    pub fn user(&self) -> String {
        format!("{USER_PREFIX}{}-{}", self.region, self.worker)
    }

    /// The rules of its user, as arguments of `ACL SETUSER`: its region's checks, to be read and acknowledged, and its own
    /// ticks, to be written. No command outside of Redis 7.0: an unknown one would stop a Redis that reads it from a file.
    /// `password_sha256`: 64 hex digits.
    #[must_use]
    pub fn rules(&self, password_sha256: &str) -> Vec<String> {
        let checks = check_key(&self.region);
        let ticks = tick_key(&self.region, &self.worker);
        let mut rules: Vec<String> =
            ["on", &format!("#{password_sha256}"), "resetkeys", "resetchannels", "-@all"].map(str::to_owned).to_vec();
        rules.extend(
            ["+ping", "+client|setname", &format!("%RW~{checks}"), "+xreadgroup", "+xack", "+xautoclaim"]
                .map(str::to_owned),
        );
        rules.push(format!("(-@all +xadd %W~{ticks})"));
        rules
    }

    /// The command that makes its user, to be typed into redis-cli by who may. Of one that has
    /// its name nothing stays: neither passwords nor rights, which may be those of another place.
    #[must_use]
    pub fn command(&self, password_sha256: &str) -> String {
        let rules: Vec<String> = self
            .rules(password_sha256)
            .into_iter()
            .map(|rule| if rule.starts_with('(') { format!("\"{rule}\"") } else { rule })
            .collect();
        format!("ACL SETUSER {} reset {}", self.user(), rules.join(" "))
    }

    /// Its line of an ACL file, or of redis.conf.
    #[must_use]
    pub fn line(&self, password_sha256: &str) -> String {
        format!("user {} {}", self.user(), self.rules(password_sha256).join(" "))
    }

    /// The worker's settings.
    #[must_use]
    pub fn env_file(&self, redis_url: &str) -> String {
        let Self { region, worker } = self;
        let authority = if redis_url.starts_with("rediss:") {
            "# When an authority of your own signed Redis' certificate:\n#CA_FILE=/etc/betteruptime/ca.pem\n"
        } else {
            ""
        };
        format!(
            "# Worker {worker} of region {region}. It holds a password: keep it to root, mode 0600.\n\
             REDIS_URL={redis_url}\nCONSUMER_GROUP_REGION_ID={region}\nWORKER_ID={worker}\n{authority}"
        )
    }
}

/// SHA-256 of a password in hex: all that Redis is told.
#[must_use]
pub fn sha256_hex(password: &str) -> String {
    Sha256::digest(password.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Redis' address as a worker is to use it, without who signs in.
///
/// # Errors
/// What would work.
pub fn bare_redis_url(url: &str) -> Result<url::Url, &'static str> {
    let mut url = url::Url::parse(url.trim()).map_err(|_| FORM)?;
    if !matches!(url.scheme(), "redis" | "rediss") || url.host_str().is_none_or(str::is_empty) {
        return Err(FORM);
    }
    if !matches!(url.path(), "" | "/" | "/0") {
        return Err("Workers use database 0: a user with their rights may not choose another. Leave the number out.");
    }
    if url.fragment().is_some() {
        return Err("Leave out what follows #: a worker verifies the certificate of Redis.");
    }
    url.set_path("");
    url.set_query(None);
    url.set_username("").and_then(|()| url.set_password(None)).map_err(|()| FORM)?;
    Ok(url)
}

const FORM: &str = "Give redis://host:6379, or rediss://host:6380 for TLS, as the worker reaches it.";

/// The worker's own address of Redis. Its user and password have no character that an address would change.
#[must_use]
pub fn worker_redis_url(bare: &url::Url, user: &str, password: &str) -> String {
    let mut url = bare.clone();
    let _ = url.set_username(user);
    let _ = url.set_password(Some(password));
    url.to_string()
}

/// A user of Redis that is a worker's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Enrolled {
    /// Its name.
    pub user: String,
    /// Whose it is, by the keys it may use.
    pub place: Place,
    /// It may sign in.
    pub is_on: bool,
}

impl Enrolled {
    /// From a line of `ACL LIST`; `None` for every other user.
    #[must_use]
    pub fn parse(line: &str) -> Option<Self> {
        let mut words = line.split([' ', '(', ')']).filter(|word| !word.is_empty());
        let (Some("user"), Some(user)) = (words.next(), words.next()) else { return None };
        if !user.starts_with(USER_PREFIX) {
            return None;
        }
        let words: Vec<&str> = words.collect();
        let key = |word: &&str| word.split_once('~').and_then(|(_, key)| parse_tick_key(key));
        let (region, worker) = words.iter().find_map(key)?;
        Some(Self { user: user.to_owned(), place: Place { region, worker }, is_on: words.contains(&"on") })
    }
}

/// A worker as far as anything is known of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownProbe {
    /// Where.
    pub place: Place,
    /// As last heard of; `None`: it never reported.
    pub seen: Option<Worker>,
    /// Whether it has a user of its own; `None`: nobody could look.
    pub access: Option<Access>,
}

/// How a worker signs in to Redis.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// With a user of its own.
    Own,
    /// With a user of its own, which is switched off.
    Off,
    /// With another user: one that all share.
    Shared,
}

impl Access {
    /// In words.
    #[must_use]
    pub fn words(self) -> &'static str {
        match self {
            Self::Own => "own user",
            Self::Off => "switched off",
            Self::Shared => "shared user",
        }
    }
}

/// Every worker that was heard of or is enrolled, by region and name.
#[must_use]
pub fn known_probes(regions: &[Region], enrolled: Option<&[Enrolled]>) -> Vec<KnownProbe> {
    let access = |place: &Place| {
        enrolled.map(|all| match all.iter().find(|one| one.place == *place) {
            Some(Enrolled { is_on: true, .. }) => Access::Own,
            Some(Enrolled { is_on: false, .. }) => Access::Off,
            None => Access::Shared,
        })
    };
    let mut known: Vec<KnownProbe> = Vec::new();
    for region in regions {
        for worker in &region.workers {
            let place = Place { region: region.region_id.clone(), worker: worker.worker_id.clone() };
            known.push(KnownProbe { access: access(&place), place, seen: Some(worker.clone()) });
        }
    }
    for one in enrolled.unwrap_or_default() {
        if !known.iter().any(|probe| probe.place == one.place) {
            known.push(KnownProbe { place: one.place.clone(), seen: None, access: access(&one.place) });
        }
    }
    known.sort_by(|a, b| a.place.cmp(&b.place));
    known
}

impl KnownProbe {
    /// What it does, in words.
    #[must_use]
    pub fn state(&self, now: UtcMs) -> &'static str {
        match (&self.seen, self.access) {
            (Some(worker), _) if worker.is_alive(now) => "reports",
            (Some(_) | None, Some(Access::Off)) => "switched off",
            (Some(_), _) => "silent",
            (None, _) => "never reported",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(region: &str, worker: &str) -> Place {
        Place { region: region.parse().unwrap(), worker: worker.parse().unwrap() }
    }

    #[test]
    fn a_line_says_whose_user_it_is_by_its_keys() {
        let hash = sha256_hex("x");
        let line = place("eu", "west-1").line(&hash);
        assert!(
            line.starts_with(&format!("user bu-probe-eu-west-1 on #{hash} resetkeys resetchannels -@all +ping ")),
            "{line}"
        );
        assert!(line.ends_with(
            "%RW~betteruptime:website:eu +xreadgroup +xack +xautoclaim (-@all +xadd %W~betteruptime:tick:eu:west-1)"
        ));
        // As Redis 7.0 says it back.
        let said = format!(
            "user bu-probe-eu-west-1 off #{hash} ~betteruptime:website:eu-west resetchannels -@all +ping +xack \
             (%W~betteruptime:tick:eu-west:1 resetchannels -@all +xadd)"
        );
        let found = Enrolled::parse(&said).unwrap();
        assert_eq!(
            (found.place, found.is_on),
            (place("eu-west", "1"), false),
            "the name alone would say eu and west-1"
        );
        for other in
            ["user default on nopass ~* &* +@all", "user bu-hub on ~betteruptime:* +xadd", "user bu-probe-x on", ""]
        {
            assert_eq!(Enrolled::parse(other), None, "{other}");
        }
        assert_eq!(place("eu", "west-1").user(), place("eu-west", "1").user());
        assert!(place("EU", "a").command(&hash).ends_with("\"(-@all +xadd %W~betteruptime:tick:EU:a)\""));
    }

    #[test]
    fn an_address_for_a_worker_has_its_user_and_no_other() {
        let of = |url: &str| bare_redis_url(url).map(|bare| worker_redis_url(&bare, "bu-probe-EU-pi-1", "ab12"));
        assert_eq!(of("redis://:hunter2@r.example:6379/0").unwrap(), "redis://bu-probe-EU-pi-1:ab12@r.example:6379");
        assert_eq!(of("rediss://hub:hunter2@r.example").unwrap(), "rediss://bu-probe-EU-pi-1:ab12@r.example");
        for bad in ["redis://r.example/1", "http://r.example", "redis://", "r.example:6379", "rediss://r/#insecure"] {
            assert!(of(bad).is_err(), "{bad}");
        }
        let file = place("EU", "pi-1").env_file("rediss://x");
        assert!(
            file.contains("\nREDIS_URL=rediss://x\nCONSUMER_GROUP_REGION_ID=EU\nWORKER_ID=pi-1\n")
                && file.contains("CA_FILE")
        );
    }

    #[test]
    fn who_is_enrolled_and_who_was_heard_of_is_one_list() {
        let worker = |name: &str, seen_at| Worker {
            worker_id: name.parse().unwrap(),
            seen_at,
            version: String::new(),
            concurrency: 1,
            checks: 0,
            clock_offset_ms: 0,
            network: super::super::NetworkState::Works,
            excused: 0,
            load: crate::model::region::Load::default(),
        };
        let regions = [Region {
            region_id: "EU".parse().unwrap(),
            created_at: 0,
            workers: vec![worker("a", 100_000), worker("b", 0)],
        }];
        let one = |name: &str, is_on| Enrolled { user: String::new(), place: place("EU", name), is_on };
        let said = |enrolled: Option<&[Enrolled]>| -> Vec<(String, &str, Option<Access>)> {
            let known = known_probes(&regions, enrolled);
            known.iter().map(|p| (p.place.worker.to_string(), p.state(100_001), p.access)).collect()
        };
        assert_eq!(said(None), [("a".to_owned(), "reports", None), ("b".to_owned(), "silent", None)]);
        assert_eq!(
            said(Some(&[one("c", true), one("b", false)])),
            [
                ("a".to_owned(), "reports", Some(Access::Shared)),
                ("b".to_owned(), "switched off", Some(Access::Off)),
                ("c".to_owned(), "never reported", Some(Access::Own)),
            ]
        );
    }
}
