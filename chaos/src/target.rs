//! Websites that note who came when. One port of a few hosts serves them all; the path names the website.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::{lock, now};

/// Hosts, addresses of this machine, each with a thread that accepts: a hub gives one no more than 1,000 checks a second.
/// What needs no waiting is answered at once.
const HOSTS: u8 = 16;

/// How a website behaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Manner {
    /// Answers 200 at once.
    Well,
    /// Answers 200 after a while: its checks are in flight when something is killed.
    Slow,
    /// Answers 503 while the script says so.
    Scripted,
}

/// How long a slow website takes.
const SLOW: Duration = Duration::from_millis(700);

/// A request that came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Request {
    /// Number of the website.
    pub website: usize,
    /// When it was read.
    pub at: i64,
}

/// The websites, until dropped.
#[derive(Debug)]
pub struct Targets {
    /// Where they are: their hosts, on one port.
    hosts: Vec<SocketAddr>,
    state: Arc<State>,
}

#[derive(Debug)]
struct State {
    manners: Vec<Manner>,
    down: AtomicBool,
    stopping: AtomicBool,
    count: AtomicU64,
    /// `None`: only counted.
    requests: Option<Mutex<Vec<Request>>>,
}

/// On every host, on a port that is free on all of them.
fn listen() -> Vec<TcpListener> {
    let host = |n| std::net::Ipv4Addr::new(127, 0, 1, n);
    for _ in 0..100 {
        let first = TcpListener::bind((host(1), 0)).unwrap();
        let port = first.local_addr().unwrap().port();
        let others = (2..=HOSTS).map(|n| TcpListener::bind((host(n), port)));
        if let Ok(listeners) = std::iter::once(Ok(first)).chain(others).collect() {
            return listeners;
        }
    }
    panic!("no port is free on all hosts");
}

impl Targets {
    /// Serves websites with these manners. `noted`: every request is kept.
    #[must_use]
    pub fn start(manners: Vec<Manner>, noted: bool) -> Self {
        let listeners = listen();
        let hosts = listeners.iter().map(|listener| listener.local_addr().unwrap()).collect();
        let state = Arc::new(State {
            manners,
            down: AtomicBool::new(false),
            stopping: AtomicBool::new(false),
            count: AtomicU64::new(0),
            requests: noted.then(Mutex::default),
        });
        for listener in listeners {
            let state = Arc::clone(&state);
            std::thread::spawn(move || {
                for stream in listener.incoming().flatten() {
                    if state.stopping.load(Ordering::Relaxed) {
                        return;
                    }
                    answer(stream, &state);
                }
            });
        }
        Self { hosts, state }
    }

    /// Where a website is.
    #[must_use]
    pub fn host(&self, website: usize) -> SocketAddr {
        self.hosts[website % self.hosts.len()]
    }

    /// Takes scripted websites down and up, from anywhere.
    #[must_use]
    pub fn switch(&self) -> Switch {
        Switch(Arc::clone(&self.state))
    }

    /// Requests so far.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.state.count.load(Ordering::Relaxed)
    }

    /// Requests from an instant on.
    #[must_use]
    pub fn since(&self, from: i64) -> Vec<Request> {
        let Some(requests) = &self.state.requests else { return Vec::new() };
        lock(requests).iter().filter(|request| request.at >= from).copied().collect()
    }
}

/// Takes scripted websites down and up.
#[derive(Debug)]
pub struct Switch(Arc<State>);

impl Switch {
    /// Takes them down, or up again.
    pub fn set_down(&self, down: bool) {
        self.0.down.store(down, Ordering::SeqCst);
    }
}

impl Drop for Targets {
    fn drop(&mut self) {
        self.state.stopping.store(true, Ordering::Relaxed);
        for host in &self.hosts {
            let _ = TcpStream::connect(host);
        }
    }
}

fn answer(mut stream: TcpStream, state: &Arc<State>) {
    let _ = stream.set_read_timeout(Some(Duration::from_secs(2)));
    let _ = stream.set_nodelay(true);
    let mut buffer = [0_u8; 2048];
    let mut length = 0;
    while !buffer[..length].windows(4).any(|w| w == b"\r\n\r\n") {
        match stream.read(&mut buffer[length..]) {
            Ok(read) if read > 0 => length += read,
            Ok(_) | Err(_) => return,
        }
    }
    state.count.fetch_add(1, Ordering::Relaxed);
    let head = String::from_utf8_lossy(&buffer[..length]);
    let path = head.split(' ').nth(1).unwrap_or_default();
    let website: usize = path.trim_start_matches('/').parse().unwrap_or(usize::MAX);
    if let Some(requests) = &state.requests {
        lock(requests).push(Request { website, at: now() });
    }
    match state.manners.get(website) {
        Some(Manner::Slow) => {
            std::thread::spawn(move || {
                std::thread::sleep(SLOW);
                say(&mut stream, "200 OK");
            });
        }
        Some(Manner::Scripted) if state.down.load(Ordering::SeqCst) => say(&mut stream, "503 Down"),
        Some(Manner::Well | Manner::Scripted) | None => say(&mut stream, "200 OK"),
    }
}

fn say(stream: &mut TcpStream, status: &str) {
    let _ = write!(stream, "HTTP/1.1 {status}\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok");
}
