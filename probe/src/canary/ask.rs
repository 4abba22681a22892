//! Asking: a TCP connection to each canary, or to a gateway. Whoever answers at all has been reached.

use std::io::ErrorKind;
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::Builder;
use std::time::{Duration, Instant};

use super::evidence::Families;
use super::settings::Canary;
use crate::engine::{AddressKind, Engine};

/// For all canaries together, names included. A lost SYN is repeated after a second.
pub(super) const CANARIES_LIMIT: Duration = Duration::from_secs(2);
/// For a gateway: the kernel asks three times, a second apart, who has its address before it gives up.
pub(super) const GATEWAY_LIMIT: Duration = Duration::from_millis(3_500);
/// Enough for a look-up and a connection.
const STACK_BYTES: usize = 128 * 1024;
/// Addresses of a canary's name that are tried.
const MAX_ADDRESSES: usize = 2;

/// What a round finds out, as soon as it does.
#[derive(Debug, Clone, Copy)]
pub(super) enum Found {
    /// Somebody is asked over these.
    Asked(Families),
    /// Somebody answered over these.
    Answered(Families),
}

/// Told what is found, from any thread.
pub(super) type Tell<'a> = dyn Fn(Found) + Sync + 'a;

/// Asks all canaries at the same time, each on a thread that ends within the limit.
pub(super) fn canaries(canaries: &[Canary], engine: &Engine, tell: &Tell<'_>) {
    let deadline = Instant::now() + CANARIES_LIMIT;
    std::thread::scope(|scope| {
        for canary in canaries {
            let one = move || one(canary, engine, deadline, tell);
            let thread = Builder::new().name("canary".into()).stack_size(STACK_BYTES);
            // Without a thread they are asked in turn, for as long as the limit allows.
            if thread.spawn_scoped(scope, one).is_err() {
                one();
            }
        }
    });
}

fn one(canary: &Canary, engine: &Engine, deadline: Instant, tell: &Tell<'_>) {
    match canary {
        Canary::Address(address) => connect(*address, deadline, tell),
        Canary::Name { name, port } => {
            let allowed = |address: &IpAddr| AddressKind::of(*address) != AddressKind::Never;
            let found = engine.addresses(name, deadline);
            for address in found.into_iter().filter(allowed).take(MAX_ADDRESSES) {
                connect(SocketAddr::new(address, *port), deadline, tell);
            }
        }
    }
}

fn connect(address: SocketAddr, deadline: Instant, tell: &Tell<'_>) {
    let families = Families::from(address.ip());
    tell(Found::Asked(families));
    let left = deadline.saturating_duration_since(Instant::now());
    if !left.is_zero() && hear(address, left) == Heard::Answer {
        tell(Found::Answered(families));
    }
}

/// Asks a gateway. Many do not answer strangers: silence tells something only of one that has answered before, which
/// `known` remembers. Only what the kernel says about its own network counts against it otherwise.
pub(super) fn gateway(address: SocketAddr, known: &AtomicBool, tell: &Tell<'_>) {
    let families = Families::from(address.ip());
    tell(Found::Asked(families));
    let alive = match hear(address, GATEWAY_LIMIT) {
        Heard::Answer => {
            known.store(true, Ordering::Relaxed);
            true
        }
        Heard::Silence => !known.load(Ordering::Relaxed),
        Heard::NoWay => false,
        Heard::Refused => true,
    };
    if alive {
        tell(Found::Answered(families));
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Heard {
    /// Accepted, or refused by the other side.
    Answer,
    Silence,
    /// The network in between, or what is left of it, says so.
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
        ErrorKind::HostUnreachable | ErrorKind::NetworkUnreachable | ErrorKind::NetworkDown => Heard::NoWay,
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
            (open.to_string(), true, true),
            (closed.to_string(), true, true),
            (format!("here.example:{}", open.port()), true, true),
            (format!("nowhere.example:{}", open.port()), false, false),
        ];
        for (canary, asked, answered) in table {
            let found = Mutex::new((Families::default(), Families::default()));
            canaries(&[canary.parse().unwrap()], &engine, &|what| {
                let mut found = found.lock().unwrap();
                match what {
                    Found::Asked(families) => found.0 = found.0.or(families),
                    Found::Answered(families) => found.1 = found.1.or(families),
                }
            });
            let (a, b) = found.into_inner().unwrap();
            assert_eq!((a.v4, b.v4, a.v6, b.v6), (asked, answered, false, false), "{canary}");
        }
    }
}
