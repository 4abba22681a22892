//! Whether this machine's name servers find anything: while they do not, nobody can tell how what is watched by its name
//! is, although the network works (T188). They are asked for the root once a look-up has failed through them.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use super::ask::Found;
use super::evidence::Families;
use super::track::{Track, Words};
use crate::engine::{Engine, RootAnswer, Seen};
use crate::wire::{Blame, Phase, Tick};

/// For one round: each server twice, all at the same time.
const LIMIT: Duration = Duration::from_secs(2);
/// For so long a name that was found speaks for a server that answers, and does not tell of the root: one for some names
/// only, or one that turns everybody away. The usual interval of a website.
const WITNESSED: Duration = Duration::from_secs(60);

pub(super) struct Names {
    track: Arc<Track>,
    witness: Arc<Witness>,
}

impl Names {
    /// Of the name servers that `engine` asks.
    pub(super) fn new(engine: Engine) -> Self {
        let witness = Arc::new(Witness::new());
        let words = Words {
            cut_off: "The name servers find nothing, not even the root: websites watched by their name cannot be checked. See \
                      /etc/resolv.conf."
                .to_owned(),
            back: "The name servers find names again".to_owned(),
        };
        let seen = Arc::clone(&witness);
        let ask = move |tell: &super::ask::Tell<'_>| {
            for server in engine.survey_name_servers(LIMIT) {
                let families = Families::from(server.address.ip());
                let found = match server.root {
                    RootAnswer::Known(_) => true,
                    RootAnswer::NotTold(_) => seen.is_fresh(Instant::now()),
                    RootAnswer::Lost(_) => false,
                };
                tell(if found { Found::Answered(families) } else { Found::Silent(families) });
            }
        };
        Self { track: Arc::new(Track::new(words, LIMIT, ask)), witness }
    }

    /// What a check that ended at `ended` says of them.
    pub(super) fn note(&self, tick: &Tick, seen: &Seen, ended: Instant) {
        if seen.name_found {
            self.witness.note(ended);
        }
        if tick.failure.as_ref().is_some_and(|failure| failure.phase == Phase::Dns && failure.blame == Blame::Probe) {
            self.track.watch();
        }
    }

    /// Whether they find anything; `None` when they were not asked lately.
    pub(super) fn work(&self) -> Option<bool> {
        self.track.works()
    }

    /// Begins no more rounds.
    pub(super) fn end_soon(&self) {
        self.track.end_soon();
    }
}

/// When a name was found last. Written at every check, so without a lock.
struct Witness {
    zero: Instant,
    /// Milliseconds since `zero`, plus 1; 0: never.
    at: AtomicU64,
}

impl Witness {
    fn new() -> Self {
        Self { zero: Instant::now(), at: AtomicU64::new(0) }
    }

    fn note(&self, at: Instant) {
        let Ok(ms) = u64::try_from(at.saturating_duration_since(self.zero).as_millis()) else { return };
        self.at.fetch_max(ms.saturating_add(1), Ordering::Relaxed);
    }

    fn is_fresh(&self, now: Instant) -> bool {
        let Some(ms) = self.at.load(Ordering::Relaxed).checked_sub(1) else { return false };
        let at = self.zero.checked_add(Duration::from_millis(ms));
        at.is_some_and(|at| now.saturating_duration_since(at) < WITNESSED)
    }
}

#[cfg(test)]
mod tests {
    use std::net::{SocketAddr, UdpSocket};

    use super::*;
    use crate::engine::{EngineConfig, ResolverConfig};
    use crate::wire::{Check, CheckKind, Class, Failure, Outcome, Target, WebsiteId};

    /// A name server that answers everything with this RCODE, for as long as the test runs.
    fn server(rcode: u8) -> SocketAddr {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        let address = socket.local_addr().unwrap();
        std::thread::spawn(move || {
            let mut buffer = [0u8; 512];
            while let Ok((length, from)) = socket.recv_from(&mut buffer) {
                buffer[2..4].copy_from_slice(&[0x81, 0x80 | rcode]);
                let _ = socket.send_to(&buffer[..length], from);
            }
        });
        address
    }

    fn names(servers: Vec<SocketAddr>) -> Names {
        let resolver = ResolverConfig::Fixed { servers, hosts: Vec::new() };
        Names::new(Engine::new(EngineConfig { resolver, ..EngineConfig::default() }).unwrap())
    }

    fn tick(class: Class, blame: Blame) -> Tick {
        let check = Check {
            website_id: WebsiteId(uuid::Uuid::nil()),
            slot_at: 1_000,
            attempt: 0,
            kind: CheckKind::Scheduled,
            deadline_at: 2_000,
            published_at: 1_000,
            target: Target::get("https://example.com/"),
        };
        let failure = Some(Failure { class, phase: Phase::Dns, blame, detail: String::new() });
        Tick { outcome: Outcome::Unknown, failure, ..Tick::blank(&check, 0) }
    }

    fn said(names: &Names) -> bool {
        let until = Instant::now() + Duration::from_secs(10);
        loop {
            if let Some(work) = names.work() {
                return work;
            }
            assert!(Instant::now() < until, "no round has ended");
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    #[test]
    fn t188_servers_that_do_not_know_the_root_do_not_work_and_those_that_need_not_are_believed_while_names_are_found() {
        let closed = UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let lost = tick(Class::DnsServfail, Blame::Probe);
        for (servers, works, works_with_witness) in [
            (vec![server(0)], true, true),
            (vec![server(2), closed], false, false),
            (vec![server(2), server(0)], true, true),
            (vec![server(5)], false, true),
            (vec![], false, false),
        ] {
            let alone = names(servers.clone());
            assert_eq!(alone.work(), None, "nobody was asked");
            alone.note(&tick(Class::DnsNxdomain, Blame::Target), &Seen::default(), Instant::now());
            assert_eq!(alone.work(), None, "that a name does not exist is an answer");
            alone.note(&lost, &Seen::default(), Instant::now());
            assert_eq!(said(&alone), works, "{servers:?}");
            let found = names(servers.clone());
            found.note(&lost, &Seen { name_found: true, ..Seen::default() }, Instant::now());
            assert_eq!(said(&found), works_with_witness, "{servers:?}");
            alone.end_soon();
            found.end_soon();
        }
    }

    #[test]
    fn a_name_that_was_found_long_ago_is_no_witness() {
        let witness = Witness::new();
        assert!(!witness.is_fresh(Instant::now()));
        let at = witness.zero + Duration::from_secs(100);
        witness.note(at);
        witness.note(at - Duration::from_secs(50));
        let fresh = |s| witness.is_fresh(at + Duration::from_secs(s));
        assert_eq!([fresh(0), fresh(59), fresh(60)], [true, true, false]);
    }
}
