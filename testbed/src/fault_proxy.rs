//! A TCP proxy that does to a connection what networks do. It can be switched while it runs, and stands in front of
//! anything: a website, Redis, Postgres.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

use crate::threads::{Stop, Threads, lock};

/// How a connection is ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cut {
    /// FIN to both sides.
    Fin,
    /// RST to the side that sends next. Until it does, it sees nothing: the standard library has no other reset.
    Rst,
}

/// What happens to bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// They pass.
    Pass,
    /// They pass later.
    Delay {
        /// To the server.
        up: Duration,
        /// To the client.
        down: Duration,
    },
    /// They pass, this many a second in each direction.
    Throttle {
        /// At least one.
        bytes_per_s: u64,
    },
    /// The connection ends after this many bytes to the client, counted from its beginning.
    CutDown {
        /// Bytes.
        after: u64,
        /// How.
        how: Cut,
    },
    /// The connection ends after this many bytes to the server, counted from its beginning.
    CutUp {
        /// Bytes.
        after: u64,
        /// How.
        how: Cut,
    },
    /// Bytes of both sides are taken and lost; new connections are accepted, and the server does not hear of them.
    BlackHole,
    /// New connections are refused: nothing listens. Those that exist pass.
    Refuse,
}

/// Stands in front of one address until dropped.
#[derive(Debug)]
pub struct FaultProxy {
    /// Where it listens.
    pub address: SocketAddr,
    shared: Arc<Shared>,
    threads: Threads,
}

#[derive(Debug)]
struct Shared {
    upstream: SocketAddr,
    fault: Mutex<Fault>,
    /// Whether the port is open, told when it changes.
    listening: Mutex<bool>,
    changed: Condvar,
    stop: Stop,
    /// Streams of connections, apart from those in `stop`: they are cut without stopping.
    cuts: Mutex<Vec<(TcpStream, TcpStream)>>,
    /// Raised to reset what exists: each direction closes at its next byte.
    resets: AtomicU64,
    /// Raised to kill what exists without a word: its bytes are lost from then on.
    freezes: AtomicU64,
    connections: AtomicU64,
    up: AtomicU64,
    down: AtomicU64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Direction {
    Up,
    Down,
}

impl FaultProxy {
    /// Passes everything on to `upstream`, from a free port of 127.0.0.1.
    #[must_use]
    pub fn start(upstream: SocketAddr) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Shared {
            upstream,
            fault: Mutex::new(Fault::Pass),
            listening: Mutex::new(true),
            changed: Condvar::new(),
            stop: Stop::default(),
            cuts: Mutex::default(),
            resets: AtomicU64::new(0),
            freezes: AtomicU64::new(0),
            connections: AtomicU64::new(0),
            up: AtomicU64::new(0),
            down: AtomicU64::new(0),
        });
        let threads = Threads::default();
        let (state, workers) = (Arc::clone(&shared), threads.clone());
        threads.spawn(move || accept(listener, address, &state, &workers));
        Self { address, shared, threads }
    }

    /// Does this from now on, also to connections that exist. Returns when the port is open or closed accordingly.
    pub fn set(&self, fault: Fault) {
        *lock(&self.shared.fault) = fault;
        let wanted = fault != Fault::Refuse;
        let mut listening = lock(&self.shared.listening);
        while *listening != wanted {
            self.shared.changed.notify_all();
            if !wanted {
                let _ = TcpStream::connect_timeout(&self.address, Duration::from_millis(100));
            }
            let wait = self.shared.changed.wait_timeout(listening, Duration::from_millis(50));
            listening = wait.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Ends every connection that exists; new ones are made as before.
    pub fn cut(&self, how: Cut) {
        match how {
            Cut::Fin => {
                for (client, server) in lock(&self.shared.cuts).drain(..) {
                    let _ = client.shutdown(Shutdown::Both);
                    let _ = server.shutdown(Shutdown::Both);
                }
            }
            Cut::Rst => {
                self.shared.resets.fetch_add(1, Ordering::SeqCst);
            }
        }
    }

    /// Makes every connection that exists half-open: both sides believe in it, and what they send is lost. New ones are
    /// made as before. It cannot be undone.
    pub fn freeze(&self) {
        self.shared.freezes.fetch_add(1, Ordering::SeqCst);
    }

    /// Connections accepted so far.
    #[must_use]
    pub fn connections(&self) -> u64 {
        self.shared.connections.load(Ordering::SeqCst)
    }

    /// Bytes passed to the server so far.
    #[must_use]
    pub fn bytes_up(&self) -> u64 {
        self.shared.up.load(Ordering::SeqCst)
    }

    /// Bytes passed to the client so far.
    #[must_use]
    pub fn bytes_down(&self) -> u64 {
        self.shared.down.load(Ordering::SeqCst)
    }
}

impl Drop for FaultProxy {
    fn drop(&mut self) {
        self.shared.stop.set();
        self.cut(Cut::Fin);
        self.shared.changed.notify_all();
        let _ = TcpStream::connect_timeout(&self.address, Duration::from_secs(1));
        self.threads.join();
    }
}

fn accept(first: TcpListener, address: SocketAddr, shared: &Arc<Shared>, threads: &Threads) {
    let mut listener = Some(first);
    while !shared.stop.is_set() {
        if *lock(&shared.fault) == Fault::Refuse {
            listener = None;
            let mut listening = lock(&shared.listening);
            *listening = false;
            shared.changed.notify_all();
            drop(shared.changed.wait_timeout(listening, Duration::from_millis(50)));
            continue;
        }
        let Some(open) = &listener else {
            // Somebody may have taken the port meanwhile: tried until it is free again.
            listener = TcpListener::bind(address).ok();
            if listener.is_some() {
                *lock(&shared.listening) = true;
                shared.changed.notify_all();
            } else {
                shared.stop.pause(Duration::from_millis(20));
            }
            continue;
        };
        let Ok((client, _)) = open.accept() else { continue };
        if shared.stop.is_set() || *lock(&shared.fault) == Fault::Refuse {
            continue;
        }
        shared.connections.fetch_add(1, Ordering::SeqCst);
        let (state, workers) = (Arc::clone(shared), threads.clone());
        threads.spawn(move || connect(client, &state, &workers));
    }
}

fn connect(client: TcpStream, shared: &Arc<Shared>, threads: &Threads) {
    shared.stop.watch(&client);
    let peer = client.peer_addr();
    // A connection that begins in the hole never reaches the server.
    let lost = *lock(&shared.fault) == Fault::BlackHole;
    if lost {
        swallow(&client);
    } else if let Ok(server) = TcpStream::connect_timeout(&shared.upstream, Duration::from_secs(5)) {
        shared.stop.watch(&server);
        let _ = (client.set_nodelay(true), server.set_nodelay(true));
        let pair = |a: &TcpStream, b: &TcpStream| Ok::<_, io::Error>((a.try_clone()?, b.try_clone()?));
        if let (Ok(cut), Ok((from_client, to_server))) = (pair(&client, &server), pair(&client, &server)) {
            lock(&shared.cuts).push(cut);
            let (state, torn) = (Arc::clone(shared), Arc::new(AtomicBool::new(false)));
            let other = Arc::clone(&torn);
            let frozen = shared.freezes.load(Ordering::SeqCst);
            // The last direction to end lets go of the connection: one that is cut again and again would leave nothing of
            // a test's descriptors.
            let left = Arc::new(AtomicU64::new(2));
            let (other_left, client_peer) = (Arc::clone(&left), peer.as_ref().ok().copied());
            threads.spawn(move || {
                pump(from_client, to_server, Direction::Up, &state, &other, frozen);
                release(&state, &other_left, client_peer);
            });
            pump(server, client, Direction::Down, shared, &torn, frozen);
            release(shared, &left, client_peer);
        }
        return;
    }
    if let Ok(peer) = peer {
        shared.stop.forget(peer);
    }
}

fn release(shared: &Shared, left: &AtomicU64, client: Option<SocketAddr>) {
    if left.fetch_sub(1, Ordering::SeqCst) > 1 {
        return;
    }
    lock(&shared.cuts).retain(|(stream, _)| stream.peer_addr().is_ok_and(|peer| Some(peer) != client));
    if let Some(client) = client {
        shared.stop.forget(client);
    }
}

fn swallow(stream: &TcpStream) {
    let mut buffer = [0u8; 4096];
    let mut stream = stream;
    while matches!(stream.read(&mut buffer), Ok(count) if count > 0) {}
}

/// Passes bytes of one direction on until an end or a cut. `torn`: the other direction ended by a reset, and closing is
/// all that is left to do.
fn pump(mut from: TcpStream, mut to: TcpStream, direction: Direction, shared: &Shared, torn: &AtomicBool, frozen: u64) {
    let is_frozen = || shared.freezes.load(Ordering::SeqCst) != frozen;
    let born = shared.resets.load(Ordering::SeqCst);
    let mut passed = 0u64;
    let mut buffer = [0u8; 16 * 1024];
    loop {
        // Looked at before it is taken: what is left unread makes closing a reset.
        if !matches!(from.peek(&mut buffer[..1]), Ok(1)) {
            // The other direction may go on.
            if !torn.load(Ordering::SeqCst) && !is_frozen() {
                let _ = to.shutdown(Shutdown::Write);
            }
            break;
        }
        let fault = *lock(&shared.fault);
        let room = match (fault, direction) {
            (Fault::CutUp { after, how }, Direction::Up) | (Fault::CutDown { after, how }, Direction::Down) => {
                let left = after.saturating_sub(passed);
                if left == 0 {
                    end(&from, &to, how, shared, torn);
                    break;
                }
                usize::try_from(left).unwrap_or(usize::MAX).min(buffer.len())
            }
            // A tenth of a second's worth.
            (Fault::Throttle { bytes_per_s }, _) => {
                usize::try_from((bytes_per_s / 10).max(1)).unwrap_or(usize::MAX).min(buffer.len())
            }
            _ => buffer.len(),
        };
        if shared.resets.load(Ordering::SeqCst) != born {
            end(&from, &to, Cut::Rst, shared, torn);
            break;
        }
        let Ok(count) = from.read(&mut buffer[..room]) else { break };
        let wait = match (fault, direction) {
            (Fault::Delay { up, .. }, Direction::Up) => up,
            (Fault::Delay { down, .. }, Direction::Down) => down,
            (Fault::Throttle { bytes_per_s }, _) => {
                Duration::from_micros(count as u64 * 1_000_000 / bytes_per_s.max(1))
            }
            _ => Duration::ZERO,
        };
        if !wait.is_zero() && !shared.stop.pause(wait) {
            break;
        }
        if fault == Fault::BlackHole || is_frozen() {
            continue;
        }
        // Counted first: who gets the bytes may look at the count.
        passed += count as u64;
        let total = match direction {
            Direction::Up => &shared.up,
            Direction::Down => &shared.down,
        };
        total.fetch_add(count as u64, Ordering::SeqCst);
        if to.write_all(&buffer[..count]).is_err() {
            let _ = from.shutdown(Shutdown::Both);
            break;
        }
    }
}

/// Ends a connection from the side of `from`, whose next byte is there and unread.
fn end(from: &TcpStream, to: &TcpStream, how: Cut, shared: &Shared, torn: &AtomicBool) {
    // Every copy has to go, or closing closes nothing.
    let of = |stream: &TcpStream, other: &TcpStream| match (stream.peer_addr(), other.peer_addr()) {
        (Ok(a), Ok(b)) => a == b,
        (Err(_), _) | (_, Err(_)) => false,
    };
    if how == Cut::Fin {
        let _ = from.shutdown(Shutdown::Both);
        let _ = to.shutdown(Shutdown::Both);
    }
    lock(&shared.cuts).retain(|(client, server)| !of(client, from) && !of(client, to) && !of(server, from));
    for stream in [from, to] {
        if let Ok(peer) = stream.peer_addr() {
            shared.stop.forget(peer);
        }
    }
    if how == Cut::Rst {
        torn.store(true, Ordering::SeqCst);
        // Frees the thread of the other direction, which holds copies of both.
        let _ = to.shutdown(Shutdown::Read);
        let _ = from.shutdown(Shutdown::Read);
    }
}
