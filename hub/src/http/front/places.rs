//! Who may be connected: so many in all, so many of one client, so many who only listen. When all places are taken, who has
//! asked for nothing for longest gives his up: whoever holds connections open keeps nobody out for longer than that.

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use probe::engine::Cidr;
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;

use crate::http::limit::network;
use crate::metrics::Counts;

/// P8. Fewer where the process may have few descriptors.
const CONNECTIONS: usize = 512;
const CONNECTIONS_PER_CLIENT: usize = 32;
/// Those who only listen cost a descriptor and a few kilobytes each.
const LISTENERS: usize = 4_096;
/// Descriptors for all else: database, queue, checks of the embedded probe, both ends of the way to the application.
const OTHERS: usize = 320;
/// Newcomers who wait at once for a place that somebody gives up, and for how long.
const NEWCOMERS: usize = 64;
const NEWCOMER_WAITS: Duration = Duration::from_secs(1);
/// P8.
const LIFE: Duration = Duration::from_secs(60);
/// Somebody who listens asks anew after so long: what a proxy in between forgot is found out, and hubs share listeners evenly.
pub(in crate::http) const LISTENER_LIFE: Duration = Duration::from_secs(15 * 60);

/// How many of each there may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Limits {
    connections: usize,
    listeners: usize,
}

impl Limits {
    /// In a process that may have so many descriptors. If it ran out of them, the application could accept nothing, and its
    /// accept loop would end (CASES 2.1).
    fn within(descriptors: usize) -> Self {
        let connections = CONNECTIONS.min(descriptors / 2).max(16);
        Self { connections, listeners: LISTENERS.min(descriptors.saturating_sub(connections + OTHERS)).max(16) }
    }

    fn here() -> Self {
        let limits = std::fs::read_to_string("/proc/self/limits").unwrap_or_default();
        let line = limits.lines().find_map(|line| line.strip_prefix("Max open files"));
        let most = line.and_then(|line| line.split_whitespace().next()?.parse().ok());
        Self::within(most.unwrap_or(1_024))
    }
}

/// All places.
pub(in crate::http) struct Places {
    limits: Limits,
    connections: Arc<Semaphore>,
    listeners: Arc<Semaphore>,
    newcomers: Semaphore,
    proxies: Vec<Cidr>,
    /// By network: one customer of IPv6 has more addresses than anybody counts.
    clients: Mutex<HashMap<IpAddr, usize>>,
    idle: Mutex<Idle>,
    /// Nobody gets a place any more; who has one keeps it until he is answered.
    ends: AtomicBool,
    counts: Arc<Counts>,
}

/// Connections in which nothing is asked, in the order in which that began.
#[derive(Default)]
struct Idle {
    next: u64,
    by_turn: BTreeMap<u64, Arc<Notify>>,
}

/// One of a client's connections, counted until it is dropped.
pub(super) struct Counted {
    places: Arc<Places>,
    client: IpAddr,
}

impl Drop for Counted {
    fn drop(&mut self) {
        let mut clients = self.places.clients.lock().unwrap_or_else(PoisonError::into_inner);
        let of = network(self.client);
        if let Some(count) = clients.get_mut(&of) {
            *count -= 1;
            if *count == 0 {
                clients.remove(&of);
            }
        }
    }
}

impl Places {
    pub(super) fn new(proxies: Vec<Cidr>, counts: Arc<Counts>) -> Arc<Self> {
        let limits = Limits::here();
        counts.front_limit.set(i64::try_from(limits.connections).unwrap_or(i64::MAX));
        counts.listener_limit.set(i64::try_from(limits.listeners).unwrap_or(i64::MAX));
        Arc::new(Self {
            limits,
            connections: Arc::new(Semaphore::new(limits.connections)),
            listeners: Arc::new(Semaphore::new(limits.listeners)),
            newcomers: Semaphore::new(NEWCOMERS),
            proxies,
            clients: Mutex::default(),
            idle: Mutex::default(),
            ends: AtomicBool::new(false),
            counts,
        })
    }

    /// A connection of this client, if it may have one more.
    pub(super) fn count(self: &Arc<Self>, client: IpAddr) -> Option<Counted> {
        let mut clients = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
        let count = clients.entry(network(client)).or_default();
        // A proxy speaks for many, and so may one on this machine that nobody told us of.
        let speaks_for_many = client.is_loopback() || self.proxies.iter().any(|p| p.contains(client));
        if *count >= CONNECTIONS_PER_CLIENT && !speaks_for_many {
            self.counts.refused_client.add(1);
            return None;
        }
        *count += 1;
        Some(Counted { places: self.clone(), client })
    }

    /// A place for it; when there is none, that of who has asked for nothing for longest. `None`: all are busy, or the hub
    /// ends.
    pub(super) async fn admit(self: &Arc<Self>, counted: Counted) -> Option<Arc<Place>> {
        let permit = match self.connections.clone().try_acquire_owned() {
            Ok(permit) => Some(permit),
            // One who was accepted in the last moment: `left` holds what is free, and whoever still sends his request in
            // must not give his place up for that.
            Err(_) if self.ends.load(Ordering::SeqCst) => return None,
            Err(_) => self.take_over().await,
        };
        let Some(permit) = permit else {
            self.counts.refused_all.add(1);
            return None;
        };
        self.counts.accepted.add(1);
        let (client, leave) = (counted.client, Arc::new(Notify::new()));
        let place = Place {
            places: self.clone(),
            client,
            leave,
            held: Mutex::new(Held {
                until: Instant::now() + LIFE,
                turn: None,
                counted: Some((counted, permit)),
                listens: None,
            }),
        };
        place.rests();
        Some(Arc::new(place))
    }

    async fn take_over(&self) -> Option<OwnedSemaphorePermit> {
        let _turn = self.newcomers.try_acquire().ok()?;
        let oldest = self.idle.lock().unwrap_or_else(PoisonError::into_inner).by_turn.pop_first();
        oldest?.1.notify_one();
        self.counts.evicted.add(1);
        tokio::time::timeout(NEWCOMER_WAITS, self.connections.clone().acquire_owned()).await.ok()?.ok()
    }

    /// Gives no places any more, and waits until nobody has one.
    pub(super) async fn left(&self) {
        self.ends.store(true, Ordering::SeqCst);
        let all = |many: usize| u32::try_from(many).unwrap_or(u32::MAX);
        let _ = self.connections.acquire_many(all(self.limits.connections)).await;
        let _ = self.listeners.acquire_many(all(self.limits.listeners)).await;
    }
}

/// A client's place among the connections; given back when dropped.
pub(in crate::http) struct Place {
    places: Arc<Places>,
    client: IpAddr,
    leave: Arc<Notify>,
    held: Mutex<Held>,
}

struct Held {
    until: Instant,
    /// Where it stands among those in which nothing is asked.
    turn: Option<u64>,
    counted: Option<(Counted, OwnedSemaphorePermit)>,
    listens: Option<OwnedSemaphorePermit>,
}

impl Place {
    /// The connection's other end.
    pub(in crate::http) fn client(&self) -> IpAddr {
        self.client
    }

    /// Something is asked, and was read to its end.
    pub(in crate::http) fn begins(&self) {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(turn) = held.turn.take() {
            self.places.idle.lock().unwrap_or_else(PoisonError::into_inner).by_turn.remove(&turn);
        }
    }

    /// It was answered, unless the answer goes on.
    pub(in crate::http) fn rests(&self) {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        if held.listens.is_some() {
            return;
        }
        let mut idle = self.places.idle.lock().unwrap_or_else(PoisonError::into_inner);
        // Of a request that was refused before all of it was there.
        if let Some(turn) = held.turn.take() {
            idle.by_turn.remove(&turn);
        }
        idle.next += 1;
        let turn = idle.next;
        idle.by_turn.insert(turn, self.leave.clone());
        held.turn = Some(turn);
    }

    /// From now on it only listens, and takes no place of who asks. False: too many do.
    pub(in crate::http) fn listens(&self) -> bool {
        let Ok(permit) = self.places.listeners.clone().try_acquire_owned() else { return false };
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        held.listens = Some(permit);
        // A moment more than the stream itself, which ends in words.
        held.until = Instant::now() + LISTENER_LIFE + LIFE;
        let counted = held.counted.take();
        drop(held);
        self.places.counts.closed.add(usize::from(counted.is_some()));
        true
    }

    /// Until when it may be held.
    pub(super) fn until(&self) -> Instant {
        self.held.lock().unwrap_or_else(PoisonError::into_inner).until
    }

    /// Waits until somebody needs the place more.
    pub(super) async fn is_needed(&self) {
        self.leave.notified().await;
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.begins();
        let counts = self.held.get_mut().unwrap_or_else(PoisonError::into_inner).counted.is_some();
        self.places.counts.closed.add(usize::from(counts));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(n: u8) -> IpAddr {
        IpAddr::from([203, 0, 113, n])
    }

    #[test]
    fn few_descriptors_leave_room_for_all_else() {
        assert_eq!(Limits::within(16_384), Limits { connections: 512, listeners: 4_096 });
        assert_eq!(Limits::within(1_024), Limits { connections: 512, listeners: 192 });
        assert_eq!(Limits::within(256), Limits { connections: 128, listeners: 16 });
    }

    #[tokio::test]
    async fn a_client_has_so_many_and_a_proxy_more() {
        let places = Places::new(vec!["203.0.113.200/32".parse().unwrap()], Arc::default());
        let mut held: Vec<Counted> = (0..CONNECTIONS_PER_CLIENT).filter_map(|_| places.count(ip(1))).collect();
        assert!(held.len() == CONNECTIONS_PER_CLIENT && places.count(ip(1)).is_none() && places.count(ip(2)).is_some());
        held.pop();
        assert!(places.count(ip(1)).is_some());
        let of_six: Vec<Counted> =
            (0..100).filter_map(|n| places.count(format!("2001:db8::{n}").parse().unwrap())).collect();
        assert!(of_six.len() == CONNECTIONS_PER_CLIENT && places.count("2001:db8:0:1::1".parse().unwrap()).is_some());
        let proxied: Vec<Counted> = (0..100).filter_map(|_| places.count(ip(200))).collect();
        assert_eq!(proxied.len(), 100);
        drop((held, of_six, proxied));
        assert!(places.clients.lock().unwrap().is_empty());
    }

    #[tokio::test]
    async fn who_asks_for_nothing_gives_his_place_up_and_who_is_answered_does_not() {
        let places = Places::new(Vec::new(), Arc::default());
        let local = IpAddr::from([127, 0, 0, 1]);
        let mut held = Vec::new();
        for _ in 0..places.limits.connections {
            held.push(places.admit(places.count(local).unwrap()).await.unwrap());
        }
        held.iter().skip(1).for_each(|place| place.begins());
        let idle = held.remove(0);
        let leaves = tokio::spawn(async move { idle.is_needed().await });
        assert!(places.admit(places.count(local).unwrap()).await.is_some());
        leaves.await.unwrap();
        // The newcomer has dropped his; now all but one are busy, and that one listens: it keeps none of these.
        held.push(places.admit(places.count(local).unwrap()).await.unwrap());
        held.last().unwrap().begins();
        assert!(places.admit(places.count(local).unwrap()).await.is_none(), "all are busy");
        assert!(held.last().unwrap().listens());
        held.last().unwrap().rests();
        assert!(places.admit(places.count(local).unwrap()).await.is_some(), "who listens gave his place back");
        held[0].rests();
        held[0].rests();
        drop(held);
        assert!(places.idle.lock().unwrap().by_turn.is_empty());
        tokio::time::timeout(Duration::from_secs(5), places.left()).await.unwrap();
    }

    #[tokio::test]
    async fn at_the_end_nobody_gives_his_place_up_for_a_newcomer() {
        let places = Places::new(Vec::new(), Arc::default());
        let local = IpAddr::from([127, 0, 0, 1]);
        let sends = places.admit(places.count(local).unwrap()).await.unwrap();
        let accepted = places.count(local).unwrap();
        let left = tokio::spawn({
            let places = places.clone();
            async move { places.left().await }
        });
        while places.connections.available_permits() > 0 {
            tokio::task::yield_now().await;
        }
        assert!(places.admit(accepted).await.is_none());
        assert!(tokio::time::timeout(Duration::ZERO, sends.is_needed()).await.is_err(), "he was sent away");
        drop(sends);
        tokio::time::timeout(Duration::from_secs(5), left).await.unwrap().unwrap();
    }
}
