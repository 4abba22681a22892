//! A scripted byte server, plain or TLS, and the checks that are run against it.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use probe::engine::{AddressPolicy, Engine, EngineConfig, ResolverConfig};
use probe::wire::{Check, CheckKind, Class, Outcome, Target, Tick, WebsiteId};

/// What a connection is given: a stream whose request head was not read yet.
pub(crate) type Script = dyn Fn(usize, TcpStream) + Send + Sync;

/// Accepts connections one after another, each on its own thread, until dropped.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    pub(crate) peers: Arc<Mutex<Vec<SocketAddr>>>,
    stop: Arc<AtomicBool>,
    accepting: Option<JoinHandle<()>>,
}

impl Server {
    /// Runs `script` with the number of the connection, from 0.
    pub(crate) fn start(script: impl Fn(usize, TcpStream) + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let stop = Arc::new(AtomicBool::new(false));
        let peers = Arc::new(Mutex::new(Vec::new()));
        let script: Arc<Script> = Arc::new(script);
        let (stopping, seen) = (Arc::clone(&stop), Arc::clone(&peers));
        let accepting = std::thread::spawn(move || {
            for (number, stream) in listener.incoming().enumerate() {
                if stopping.load(Ordering::SeqCst) {
                    return;
                }
                let stream = stream.unwrap();
                // A script that forgets to end must not outlive the test run.
                stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
                seen.lock().unwrap().push(stream.peer_addr().unwrap());
                let script = Arc::clone(&script);
                std::thread::spawn(move || script(number, stream));
            }
        });
        Self { address, peers, stop, accepting: Some(accepting) }
    }

    /// Answers every request with the same bytes, then closes.
    pub(crate) fn answering(bytes: impl Into<Vec<u8>>) -> Self {
        let bytes = bytes.into();
        Self::start(move |_, mut stream| {
            head(&mut stream);
            let _ = stream.write_all(&bytes);
        })
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
        let _ = TcpStream::connect(self.address);
        if let Some(accepting) = self.accepting.take() {
            let _ = accepting.join();
        }
    }
}

/// Reads a request head, and returns it.
pub(crate) fn head(stream: &mut impl Read) -> String {
    let mut bytes = Vec::new();
    let mut byte = [0u8; 1];
    while !bytes.ends_with(b"\r\n\r\n") && matches!(stream.read(&mut byte), Ok(1)) {
        bytes.push(byte[0]);
    }
    String::from_utf8(bytes).unwrap()
}

/// Reads until the other side is gone: the connection stays open as long as the client wants it.
pub(crate) fn hold(stream: &mut TcpStream) {
    let mut buffer = [0u8; 1024];
    while matches!(stream.read(&mut buffer), Ok(count) if count > 0) {}
}

pub(crate) fn owner() -> EngineConfig {
    EngineConfig {
        policy: AddressPolicy::owner(),
        resolver: ResolverConfig::Fixed { servers: Vec::new(), hosts: Vec::new() },
        ..EngineConfig::default()
    }
}

pub(crate) fn check(target: Target) -> Check {
    Check {
        website_id: WebsiteId(uuid::Uuid::nil()),
        slot_at: 1_000,
        attempt: 0,
        kind: CheckKind::Scheduled,
        deadline_at: i64::MAX,
        published_at: 0,
        target,
    }
}

/// Runs a check, and asserts what every case must keep: the budget, and phases that add up.
pub(crate) fn run_with(config: EngineConfig, target: Target) -> Tick {
    let budget = Duration::from_millis(u64::from(target.timeout_ms) + 500);
    let engine = Engine::new(config).unwrap();
    let started = Instant::now();
    let tick = engine.run(&check(target));
    let took = started.elapsed();
    assert!(took <= budget, "took {took:?}: {tick:?}");
    assert_eq!(tick.total_us, tick.phases.sum_us());
    let missing = took.saturating_sub(Duration::from_micros(u64::from(tick.total_us)));
    assert!(missing < Duration::from_millis(250), "{missing:?} are in no phase: {tick:?}");
    assert_eq!(tick.outcome == Outcome::Up, tick.failure.is_none(), "{tick:?}");
    if let Some(failure) = &tick.failure {
        assert!(failure.detail.len() <= 512 && failure.detail.bytes().all(|b| (b' '..=b'~').contains(&b)));
    }
    tick
}

pub(crate) fn run(target: Target) -> Tick {
    run_with(owner(), target)
}

pub(crate) fn get(url: impl Into<String>) -> Tick {
    run(Target { timeout_ms: 5_000, ..Target::get(url) })
}

pub(crate) fn class(tick: &Tick) -> Option<Class> {
    tick.failure.as_ref().map(|failure| failure.class)
}

/// Down with this class.
#[track_caller]
pub(crate) fn assert_down(tick: &Tick, expected: Class) {
    assert_eq!((tick.outcome, class(tick)), (Outcome::Down, Some(expected)), "{tick:?}");
}

#[track_caller]
pub(crate) fn assert_up(tick: &Tick) {
    assert_eq!(tick.outcome, Outcome::Up, "{tick:?}");
}
