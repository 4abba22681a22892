//! How often the API may be asked: by each key, by each person, and by each address for requests that name nobody. Each hub
//! counts for itself.

use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};

use uuid::Uuid;

use super::login::{Caller, Proof};
use super::{HttpError, Response};
use crate::model::rate::{Asked, BURST_S, Buckets};

/// Buckets of each table.
const MOST: usize = 10_000;
/// Whoever names nobody gets this part of the pace: what he asks for is refused anyway.
const STRANGERS_PART: u32 = 4;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Who {
    Key(Uuid),
    Person(Uuid),
}

/// The buckets of this process.
#[derive(Debug)]
pub(super) struct ApiLimit {
    per_s: u32,
    known: Mutex<Buckets<Who>>,
    strangers: Mutex<Buckets<IpAddr>>,
}

/// How much of somebody's share is left.
#[derive(Debug, Clone, Copy)]
pub(super) struct Share {
    per_s: u32,
    asked: Asked,
}

impl ApiLimit {
    /// At most `per_s` requests a second each, and ten seconds of it at once.
    #[must_use]
    pub(super) fn new(per_s: u32) -> Self {
        let (known, strangers) = (Buckets::new(MOST), Buckets::new(MOST));
        Self { per_s: per_s.max(1), known: Mutex::new(known), strangers: Mutex::new(strangers) }
    }

    /// Somebody who is known asks, at `now_us` of a clock that does not jump.
    pub(super) fn known(&self, who: &Caller, now_us: i64) -> Share {
        let who = match &who.proof {
            Proof::Session(_) => Who::Person(who.person.account_id.0),
            Proof::Key(key) => Who::Key(key.api_key_id.0),
        };
        let asked = self.known.lock().unwrap_or_else(PoisonError::into_inner).ask(who, self.per_s, now_us);
        Share { per_s: self.per_s, asked }
    }

    /// Somebody asks who is not known. That costs his address, not those who are known and come from there.
    pub(super) fn stranger(&self, client: IpAddr, now_us: i64) -> Share {
        let per_s = (self.per_s / STRANGERS_PART).max(1);
        let mut strangers = self.strangers.lock().unwrap_or_else(PoisonError::into_inner);
        Share { per_s, asked: strangers.ask(network(client), per_s, now_us) }
    }
}

/// An address, or the network of IPv6 that one customer has at least.
pub(super) fn network(client: IpAddr) -> IpAddr {
    match client.to_canonical() {
        IpAddr::V4(ip) => IpAddr::V4(ip),
        IpAddr::V6(ip) => IpAddr::V6((ip.to_bits() & !u128::from(u64::MAX)).into()),
    }
}

impl Share {
    /// Lets it through, or says when to come again.
    ///
    /// # Errors
    /// [`HttpError::TooMany`].
    pub(super) fn admit(self) -> Result<(), HttpError> {
        if self.asked.admitted { Ok(()) } else { Err(HttpError::TooMany { retry_after_s: self.asked.wait_s }) }
    }

    /// The answer, which says what is left (draft-ietf-httpapi-ratelimit-headers-10).
    pub(super) fn told(self, answer: Response) -> Response {
        let policy = format!("\"api\";q={};w={BURST_S}", self.per_s.saturating_mul(BURST_S));
        let left = format!("\"api\";r={};t={}", self.asked.left, self.asked.wait_s);
        answer.with("ratelimit-policy", &policy).with("ratelimit", &left)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_customer_of_ipv6_is_one_and_two_addresses_of_ipv4_are_two() {
        let limit = ApiLimit::new(4);
        let ip = |text: &str| text.parse::<IpAddr>().unwrap();
        let admitted = (0..40).filter(|n| limit.stranger(ip(&format!("2001:db8::{n}")), 1).admit().is_ok()).count();
        assert_eq!(admitted, 10);
        assert!(limit.stranger(ip("2001:db8:0:1::1"), 1).admit().is_ok());
        let admitted = (0..40).filter(|_| limit.stranger(ip("192.0.2.1"), 1).admit().is_ok()).count();
        assert_eq!(admitted, 10);
        assert!(limit.stranger(ip("192.0.2.2"), 1).admit().is_ok());
        assert!(limit.stranger(ip("::ffff:192.0.2.1"), 1).admit().is_err(), "the same in another form");
    }

    #[test]
    fn an_answer_says_what_is_left() {
        let limit = ApiLimit::new(100);
        let share = limit.stranger(IpAddr::from([192, 0, 2, 1]), 1);
        let answer = share.told(Response::text(200, ""));
        let header = |name| answer.headers.iter().find(|(n, _)| *n == name).map(|(_, value)| value.as_str());
        assert_eq!(header("ratelimit-policy"), Some("\"api\";q=250;w=10"));
        assert_eq!(header("ratelimit"), Some("\"api\";r=249;t=1"));
    }
}
