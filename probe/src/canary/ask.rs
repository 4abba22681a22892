//! Asking: a TCP connection to each canary, or to a gateway. Whoever answers at all has been reached.

use std::io::ErrorKind;
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread::Builder;
use std::time::{Duration, Instant};

use super::evidence::Families;
use super::habit::Habit;
use super::settings::Canary;
use crate::engine::{AddressKind, Engine};

/// For all canaries together, names included.
pub(super) const CANARIES_LIMIT: Duration = Duration::from_millis(2_500);
/// For one, when each has a thread of its own, and when they are more than threads. A lost SYN is repeated after a second.
const FEW_LIMIT: Duration = Duration::from_secs(2);
const MANY_LIMIT: Duration = Duration::from_millis(1_250);
/// Threads that ask canaries at the same time, the round's own among them (P3).
const ASKERS: usize = 4;
/// For a gateway.
pub(super) const GATEWAY_LIMIT: Duration = Duration::from_millis(3_750);
/// The kernel asks three times, a second apart, who has an address on a link before it gives up.
const NEIGHBOUR_LIMIT: Duration = Duration::from_millis(3_500);
/// What comes sooner may be said by somebody who is there.
const SOON: Duration = Duration::from_millis(250);
/// Enough for a look-up and a connection.
const STACK_BYTES: usize = 128 * 1024;
/// Addresses of a canary's name that are tried.
const MAX_ADDRESSES: usize = 2;

/// What a round finds out, as soon as it does.
#[derive(Debug, Clone, Copy)]
pub(super) enum Found {
    /// Somebody answered over these.
    Answered(Families),
    /// Somebody was asked over these and did not; over none when it did not come to an address.
    Silent(Families),
    /// This machine did not let somebody be asked: its own rules or limits.
    Prevented,
}

/// Told what is found, from any thread.
pub(super) type Tell<'a> = dyn Fn(Found) + Sync + 'a;

/// Asks all canaries, as many at the same time as there are threads for, which end within the limit.
pub(super) fn canaries(canaries: &[Canary], engine: &Engine, tell: &Tell<'_>) {
    let end = Instant::now() + CANARIES_LIMIT;
    let each = if canaries.len() <= ASKERS { FEW_LIMIT } else { MANY_LIMIT };
    let next = AtomicUsize::new(0);
    let ask = || {
        while let Some(canary) = canaries.get(next.fetch_add(1, Ordering::Relaxed)) {
            let now = Instant::now();
            if now < end {
                one(canary, engine, end.min(now + each), tell);
            } else {
                tell(Found::Prevented);
            }
        }
    };
    std::thread::scope(|scope| {
        for _ in 1..ASKERS.min(canaries.len()) {
            let thread = Builder::new().name("canary".into()).stack_size(STACK_BYTES);
            // Without a thread the others do its part, for as long as the limit allows.
            if thread.spawn_scoped(scope, ask).is_err() {
                break;
            }
        }
        ask();
    });
}

fn one(canary: &Canary, engine: &Engine, deadline: Instant, tell: &Tell<'_>) {
    match canary {
        Canary::Address(address) => connect(*address, deadline, tell),
        Canary::Name { name, port } => {
            let allowed = |address: &IpAddr| AddressKind::of(*address) != AddressKind::Never;
            let mut found = engine.addresses(name, deadline);
            found.retain(allowed);
            if found.is_empty() {
                tell(Found::Silent(Families::default()));
            }
            for address in found.into_iter().take(MAX_ADDRESSES) {
                connect(SocketAddr::new(address, *port), deadline, tell);
            }
        }
    }
}

fn connect(address: SocketAddr, deadline: Instant, tell: &Tell<'_>) {
    let families = Families::from(address.ip());
    let left = deadline.saturating_duration_since(Instant::now());
    let heard = if left.is_zero() { Heard::Silence } else { hear(address, left) };
    tell(match heard {
        Heard::Answer => Found::Answered(families),
        Heard::Silence | Heard::NoHost | Heard::NoWay => Found::Silent(families),
        Heard::Refused => Found::Prevented,
    });
}

/// Asks a gateway. Many do not answer strangers: silence tells something only of one whose habit is to answer. What the
/// kernel says about its own network counts against any.
pub(super) fn gateway(address: SocketAddr, habit: &Mutex<Habit>, tell: &Tell<'_>) {
    let asked_at = Instant::now();
    let heard = hear_neighbour(address);
    let mut habit = habit.lock().unwrap_or_else(PoisonError::into_inner);
    let reached = match heard {
        Heard::Answer => {
            habit.answered();
            true
        }
        Heard::Silence => !habit.silent(asked_at),
        Heard::NoHost | Heard::NoWay => {
            habit.gone();
            false
        }
        // Rules that leave no way to this port leave it for ever, and would excuse every outage behind it.
        Heard::Refused => true,
    };
    drop(habit);
    let families = Families::from(address.ip());
    tell(if reached { Found::Answered(families) } else { Found::Silent(families) });
}

/// Like [`hear`], of one on a link of ours. That there is no such host is what the kernel says after it has asked for three
/// seconds who that is, or what a firewall there says at once (`admin-prohibited`), which is an answer. Soon is also the end
/// of what was asked for another's sake; then the second time takes three seconds.
fn hear_neighbour(address: SocketAddr) -> Heard {
    let hear = || {
        let begun = Instant::now();
        let heard = hear(address, NEIGHBOUR_LIMIT);
        (heard, heard == Heard::NoHost && begun.elapsed() < SOON)
    };
    match hear() {
        (_, true) => match hear() {
            (_, true) => Heard::Answer,
            (heard, false) => heard,
        },
        (heard, false) => heard,
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Heard {
    /// Accepted, or refused by the other side.
    Answer,
    Silence,
    /// Somebody in between says that there is no such host, or this machine after it asked for it on the link.
    NoHost,
    /// This machine has no way there.
    NoWay,
    /// This machine did not try: its own limits or rules.
    Refused,
}

fn hear(address: SocketAddr, limit: Duration) -> Heard {
    let error = match TcpStream::connect_timeout(&address, limit) {
        Ok(_) => return Heard::Answer,
        Err(error) => error,
    };
    #[expect(clippy::wildcard_enum_match_arm, reason = "std's list is open")]
    match error.kind() {
        ErrorKind::ConnectionRefused | ErrorKind::ConnectionReset => Heard::Answer,
        ErrorKind::TimedOut | ErrorKind::WouldBlock => Heard::Silence,
        ErrorKind::HostUnreachable => Heard::NoHost,
        ErrorKind::NetworkUnreachable | ErrorKind::NetworkDown => Heard::NoWay,
        _ => Heard::Refused,
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;
    use std::sync::Mutex;

    use super::*;
    use crate::engine::{EngineConfig, ResolverConfig};

    #[test]
    fn who_accepts_or_refuses_has_answered_by_address_and_by_name() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let open = listener.local_addr().unwrap();
        let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let hosts = vec![("here.example".to_owned(), open.ip())];
        let resolver = ResolverConfig::Fixed { servers: Vec::new(), hosts };
        let engine = Engine::new(EngineConfig { resolver, ..EngineConfig::default() }).unwrap();
        let table = [
            (open.to_string(), true, false),
            (closed.to_string(), true, false),
            (format!("here.example:{}", open.port()), true, false),
            (format!("nowhere.example:{}", open.port()), false, true),
        ];
        for (canary, answered, silent) in table {
            let found = Mutex::new((Families::default(), false));
            canaries(&[canary.parse().unwrap()], &engine, &|what| {
                let mut found = found.lock().unwrap();
                match what {
                    Found::Answered(families) => found.0 = found.0.or(families),
                    Found::Silent(families) => found.1 = families.is_none(),
                    Found::Prevented => unreachable!("{canary}"),
                }
            });
            let (a, b) = found.into_inner().unwrap();
            assert_eq!((a.v4, a.v6, b), (answered, false, silent), "{canary}");
        }
    }
}
