//! Wrong passwords, counted per account and network, and per network alone (P9, T126, T127). A try counts before its
//! password is looked at, so that many at once are no more than one after another; a right one is taken back.

use std::collections::HashMap;
use std::hash::Hash;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};

use crate::model::UtcMs;

const WINDOW_MS: i64 = 15 * 60_000;
const PER_ACCOUNT: usize = 5;
/// A network may hold many people, and a person may have many accounts.
const PER_NETWORK: usize = 100;
/// Accounts that may be made, or names that may be tried for one, from one network: each costs a hash.
const SIGN_UPS: usize = 30;
/// Bound of each table; whoever failed longest ago is forgotten first.
const KEYS: usize = 10_000;

/// The counters.
#[derive(Debug, Default)]
pub(super) struct Throttle {
    tries: Mutex<Tries>,
}

#[derive(Debug, Default)]
struct Tries {
    by_account: HashMap<(String, IpAddr), Vec<UtcMs>>,
    by_network: HashMap<IpAddr, Vec<UtcMs>>,
    sign_ups: HashMap<IpAddr, Vec<UtcMs>>,
}

/// A try that was counted.
#[derive(Debug)]
pub(super) struct Try {
    account: (String, IpAddr),
    at: UtcMs,
}

impl Throttle {
    /// Counts a try of `username` from `client`.
    ///
    /// # Errors
    /// There were too many: seconds until the next may be made.
    pub(super) fn begin(&self, username: &str, client: IpAddr, now: UtcMs) -> Result<Try, u32> {
        // A name has 64 characters at most; what is asked beside its password is counted apart, by a word behind it.
        let account = (username.to_lowercase().chars().take(80).collect(), network(client));
        let mut tries = self.tries.lock().unwrap_or_else(PoisonError::into_inner);
        wait(tries.by_account.get(&account), PER_ACCOUNT, now)?;
        // A proxy on this machine that nobody told us of: everybody would be one network.
        let counts = !client.is_loopback();
        if counts {
            wait(tries.by_network.get(&account.1), PER_NETWORK, now)?;
            count(&mut tries.by_network, account.1, now);
        }
        count(&mut tries.by_account, account.clone(), now);
        Ok(Try { account, at: now })
    }

    /// Counts an account that is about to be made from `client`, whatever comes of it. Apart from wrong passwords: whoever makes
    /// too many keeps nobody from signing in.
    ///
    /// # Errors
    /// There were too many: seconds until the next may be made.
    pub(super) fn sign_up(&self, client: IpAddr, now: UtcMs) -> Result<(), u32> {
        // A proxy on this machine that nobody told us of: everybody would be one network.
        if client.is_loopback() {
            return Ok(());
        }
        let network = network(client);
        let mut tries = self.tries.lock().unwrap_or_else(PoisonError::into_inner);
        wait(tries.sign_ups.get(&network), SIGN_UPS, now)?;
        count(&mut tries.sign_ups, network, now);
        Ok(())
    }

    /// The password was right, or was never looked at: the try does not count.
    pub(super) fn take_back(&self, one: &Try) {
        let mut tries = self.tries.lock().unwrap_or_else(PoisonError::into_inner);
        take_back(&mut tries.by_account, &one.account, one.at);
        take_back(&mut tries.by_network, &one.account.1, one.at);
    }
}

/// Failures are counted per network, so that a stranger cannot lock an owner out from everywhere (D21).
fn network(ip: IpAddr) -> IpAddr {
    match ip {
        IpAddr::V4(ip) => IpAddr::V4((ip.to_bits() & 0xffff_ff00).into()),
        IpAddr::V6(ip) => IpAddr::V6((ip.to_bits() & !((1 << 72) - 1)).into()),
    }
}

fn is_recent(at: UtcMs, now: UtcMs) -> bool {
    (0..WINDOW_MS).contains(&(now - at))
}

fn wait(times: Option<&Vec<UtcMs>>, most: usize, now: UtcMs) -> Result<(), u32> {
    let recent: Vec<UtcMs> = times.into_iter().flatten().copied().filter(|at| is_recent(*at, now)).collect();
    match recent.first() {
        Some(first) if recent.len() >= most => {
            Err(u32::try_from(((first + WINDOW_MS - now) / 1_000).max(1)).unwrap_or(900))
        }
        Some(_) | None => Ok(()),
    }
}

fn count<K: Hash + Eq + Clone>(table: &mut HashMap<K, Vec<UtcMs>>, key: K, now: UtcMs) {
    if table.len() >= KEYS && !table.contains_key(&key) {
        table.retain(|_, times| times.last().is_some_and(|at| is_recent(*at, now)));
        if table.len() >= KEYS {
            let oldest = table.iter().min_by_key(|(_, times)| times.last().copied()).map(|(key, _)| key.clone());
            oldest.map(|key| table.remove(&key));
        }
    }
    let times = table.entry(key).or_default();
    times.retain(|at| is_recent(*at, now));
    times.push(now);
}

fn take_back<K: Hash + Eq>(table: &mut HashMap<K, Vec<UtcMs>>, key: &K, at: UtcMs) {
    let Some(times) = table.get_mut(key) else { return };
    if let Some(place) = times.iter().position(|t| *t == at) {
        times.remove(place);
    }
    if times.is_empty() {
        table.remove(key);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_of_the_longest_name_are_counted_apart() {
        let throttle = Throttle::default();
        let name = "a".repeat(64);
        for n in 0..5 {
            throttle.begin(&name, ip(1), n).unwrap();
        }
        assert!(throttle.begin(&name, ip(1), 5).is_err());
        assert!(throttle.begin(&format!("{name} recovery"), ip(1), 5).is_ok());
    }

    fn ip(n: u32) -> IpAddr {
        IpAddr::V4((0x0b00_0000 + n * 256).into())
    }

    #[test]
    fn t126_the_sixth_wrong_try_waits_and_another_network_does_not() {
        let throttle = Throttle::default();
        for n in 0..5 {
            assert!(throttle.begin("Ann", ip(1), n).is_ok());
        }
        assert_eq!(throttle.begin("ann", ip(1), 60_000).err(), Some(840));
        assert!(throttle.begin("ann", ip(2), 60_000).is_ok() && throttle.begin("bob", ip(1), 60_000).is_ok());
        assert!(throttle.begin("ann", ip(1), WINDOW_MS + 5).is_ok());
    }

    #[test]
    fn a_right_password_is_no_failure() {
        let throttle = Throttle::default();
        for n in 0..50 {
            let one = throttle.begin("ann", ip(1), n).unwrap();
            throttle.take_back(&one);
        }
        assert!(throttle.tries.lock().unwrap().by_account.is_empty());
    }

    #[test]
    fn t127_a_network_that_tries_many_names_waits_too() {
        let throttle = Throttle::default();
        assert!((0..PER_NETWORK).all(|n| throttle.begin(&format!("user{n}"), ip(1), 1).is_ok()));
        assert!(throttle.begin("another", ip(1), 1).is_err());
    }

    #[test]
    fn a_network_makes_so_many_accounts_and_signs_in_all_the_same() {
        let throttle = Throttle::default();
        assert!((0..SIGN_UPS).all(|_| throttle.sign_up(ip(1), 1).is_ok()));
        assert_eq!(throttle.sign_up(ip(1), 60_001).err(), Some(840));
        assert!(throttle.sign_up(ip(2), 1).is_ok() && throttle.begin("ann", ip(1), 1).is_ok());
        assert!(throttle.sign_up(ip(1), WINDOW_MS + 1).is_ok());
        let local = IpAddr::from([127, 0, 0, 1]);
        assert!((0..100).all(|_| throttle.sign_up(local, 1).is_ok()));
    }

    #[test]
    fn full_tables_forget_the_oldest_not_the_newest() {
        let throttle = Throttle::default();
        for n in 0..KEYS + 10 {
            assert!(throttle.begin("filler", ip(u32::try_from(n).unwrap()), n as i64).is_ok());
        }
        let last = ip(u32::try_from(KEYS + 9).unwrap());
        assert!((0..4).all(|_| throttle.begin("filler", last, KEYS as i64 + 20).is_ok()));
        assert!(throttle.begin("filler", last, KEYS as i64 + 20).is_err(), "the newest is still counted");
        assert!(throttle.tries.lock().unwrap().by_account.len() <= KEYS);
    }
}
