//! The gateways that speak for private networks: a few, one track each.

use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use super::evidence::{Evidence, Failed, Ignorance};
use super::habit::Habit;
use super::track::{Track, Words};
use super::{ask, route};

/// Gateways remembered, and asked at the same time. Each has a thread while it is asked, of the 16 that a probe may have
/// beside its checks (P3): three networks are more than most machines have.
const MAX_GATEWAYS: usize = 3;

#[derive(Default)]
pub(super) struct Gateways(Mutex<State>);

#[derive(Default)]
struct State {
    /// The one that was needed last comes last.
    list: Vec<Gateway>,
    stopping: bool,
}

struct Gateway {
    address: SocketAddr,
    track: Arc<Track>,
    habit: Arc<Mutex<Habit>>,
}

impl Gateway {
    fn new(address: SocketAddr) -> Self {
        let ip = address.ip();
        let words = Words {
            cut_off: format!(
                "The gateway {ip} cannot be reached. What fails behind it says nothing about the websites."
            ),
            back: format!("The gateway {ip} is back"),
        };
        let habit = Arc::new(Mutex::new(Habit::default()));
        let asked = Arc::clone(&habit);
        let track = Track::new(words, ask::GATEWAY_LIMIT, move |tell| ask::gateway(address, &asked, tell));
        Self { address, track: Arc::new(track), habit }
    }

    fn habit(&self) -> MutexGuard<'_, Habit> {
        self.habit.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Gateways {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is known about a failure behind this gateway, asking it when need be.
    pub(super) fn judge(&self, address: SocketAddr, failed: &Failed) -> Evidence {
        match self.track(address) {
            Some(track) => track.judge(failed),
            None => Evidence::Nobody(Ignorance::TooMany),
        }
    }

    /// `None` when there is no room for another one: all are being asked.
    fn track(&self, address: SocketAddr) -> Option<Arc<Track>> {
        let mut state = self.lock();
        let gateway = if let Some(known) = state.list.iter().position(|gateway| gateway.address == address) {
            state.list.remove(known)
        } else {
            if state.list.len() >= MAX_GATEWAYS {
                // Whoever waits for a track holds it, and so does its thread; both have it from this list.
                let unused = state.list.iter().position(|gateway| Arc::strong_count(&gateway.track) == 1)?;
                state.list.remove(unused);
            }
            Gateway::new(address)
        };
        if state.stopping {
            gateway.track.end_soon();
        }
        let track = Arc::clone(&gateway.track);
        state.list.push(gateway);
        Some(track)
    }

    /// A website at this address answered: a gateway on its way or its link that is missed is asked again.
    pub(super) fn note(&self, website: IpAddr, at: Instant) {
        // Almost never, so that the kernel's tables are not read for every good answer.
        if !self.lock().list.iter().any(|gateway| gateway.habit().is_missed()) {
            return;
        }
        let Some(address) = route::gateway_for(website) else { return };
        let state = self.lock();
        let gateway = state.list.iter().find(|gateway| gateway.address == address);
        if let Some(gateway) = gateway.filter(|gateway| gateway.habit().contradict(at)) {
            gateway.track.want(at);
        }
    }

    /// Whether all that were asked lately can be reached; `None` when none was.
    pub(super) fn works(&self) -> Option<bool> {
        let words: Vec<bool> = self.lock().list.iter().filter_map(|gateway| gateway.track.works()).collect();
        (!words.is_empty()).then(|| words.iter().all(|works| *works))
    }

    /// Begins no more rounds.
    pub(super) fn end_soon(&self) {
        let mut state = self.lock();
        state.stopping = true;
        for gateway in &state.list {
            gateway.track.end_soon();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(last: u8) -> SocketAddr {
        ([192, 0, 2, last], 9).into()
    }

    fn known(gateways: &Gateways) -> Vec<SocketAddr> {
        gateways.lock().list.iter().map(|gateway| gateway.address).collect()
    }

    #[test]
    fn a_further_gateway_takes_the_place_of_the_one_that_was_not_needed_for_longest_and_is_not_being_asked() {
        let gateways = Gateways::default();
        let first = gateways.track(address(1));
        assert!(gateways.track(address(2)).is_some() && gateways.track(address(3)).is_some());
        assert!(gateways.track(address(2)).is_some());
        // The first is the oldest, but held.
        let fourth = gateways.track(address(4));
        assert_eq!(known(&gateways), [address(1), address(2), address(4)]);
        let second = gateways.track(address(2));
        assert!(first.is_some() && second.is_some() && fourth.is_some());
        assert!(gateways.track(address(5)).is_none(), "all are in use");
        let now = Instant::now();
        let failed = Failed { started: now, ended: now, families: Default::default() };
        assert_eq!(gateways.judge(address(5), &failed), Evidence::Nobody(Ignorance::TooMany));
        drop(first);
        assert!(gateways.track(address(5)).is_some());
        assert_eq!(known(&gateways), [address(4), address(2), address(5)]);
    }
}
