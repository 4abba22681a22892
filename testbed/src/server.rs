//! A scripted byte server, plain or TLS: any bytes at any pace. The script gets the number of the connection, from 0,
//! and the connection, of which nothing was read yet.

mod connection;

use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rustls::ServerConfig;

pub use self::connection::{Connection, head, hold};
use crate::threads::{Stop, Threads, lock};

/// Longest wait for a byte from the client: a script that forgets to end must not outlive the test run.
const READ_TIMEOUT: Duration = Duration::from_secs(70);

/// Runs a script for every connection, each on its own thread, until dropped.
#[derive(Debug)]
pub struct Server {
    /// Where it listens.
    pub address: SocketAddr,
    /// Who connected, in order.
    pub peers: Arc<Mutex<Vec<SocketAddr>>>,
    log: Arc<Log>,
    stop: Arc<Stop>,
    threads: Threads,
    tls: bool,
}

/// What was seen.
#[derive(Debug, Default)]
struct Log {
    heads: Mutex<Vec<String>>,
    written: AtomicU64,
    received: AtomicU64,
    open: AtomicUsize,
}

impl Server {
    /// Runs `script` on a free port of 127.0.0.1.
    pub fn start(script: impl Fn(usize, Connection) + Send + Sync + 'static) -> Self {
        Self::at(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)), None, script)
    }

    /// The same over TLS. Connections whose handshake fails do not reach the script.
    pub fn tls(config: Arc<ServerConfig>, script: impl Fn(usize, Connection) + Send + Sync + 'static) -> Self {
        Self::at(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)), Some(config), script)
    }

    /// Answers every request with the same bytes, then closes.
    pub fn answering(bytes: impl Into<Vec<u8>>) -> Self {
        Self::start(saying(bytes))
    }

    /// Answers every request over TLS with the same bytes, then ends the session as it should be ended.
    pub fn answering_tls(config: Arc<ServerConfig>, bytes: impl Into<Vec<u8>>) -> Self {
        Self::tls(config, saying(bytes))
    }

    /// Runs `script` at `address`.
    pub fn at(
        address: SocketAddr,
        tls: Option<Arc<ServerConfig>>,
        script: impl Fn(usize, Connection) + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind(address).unwrap_or_else(|e| panic!("no server at {address}: {e}"));
        let server = Self {
            address: listener.local_addr().unwrap(),
            peers: Arc::default(),
            log: Arc::default(),
            stop: Arc::default(),
            threads: Threads::default(),
            tls: tls.is_some(),
        };
        let (peers, log) = (Arc::clone(&server.peers), Arc::clone(&server.log));
        let (stop, threads) = (Arc::clone(&server.stop), server.threads.clone());
        let script = Arc::new(script);
        server.threads.spawn(move || {
            for (number, stream) in listener.incoming().enumerate() {
                if stop.is_set() {
                    return;
                }
                let Ok(stream) = stream else { continue };
                // Gone already.
                let Ok(peer) = stream.peer_addr() else { continue };
                let _ = stream.set_read_timeout(Some(READ_TIMEOUT));
                let _ = stream.set_nodelay(true);
                stop.watch(&stream);
                lock(&peers).push(peer);
                let (tls, script, stop, log) = (tls.clone(), Arc::clone(&script), Arc::clone(&stop), Arc::clone(&log));
                threads.spawn(move || {
                    log.open.fetch_add(1, Ordering::SeqCst);
                    let open = Open(log, stop, peer);
                    if let Some(connection) = Connection::open(stream, tls, &open) {
                        script(number, connection);
                    }
                });
            }
        });
        server
    }

    /// URL of a path here; the host is the address.
    #[must_use]
    pub fn url(&self, path: &str) -> String {
        format!("{}://{}{path}", if self.tls { "https" } else { "http" }, self.address)
    }

    /// URL of a path here, by a name that leads here.
    #[must_use]
    pub fn url_of(&self, name: &str, path: &str) -> String {
        format!("{}://{name}:{}{path}", if self.tls { "https" } else { "http" }, self.address.port())
    }

    /// Request heads read so far, in order.
    #[must_use]
    pub fn heads(&self) -> Vec<String> {
        lock(&self.log.heads).clone()
    }

    /// Connections accepted so far.
    #[must_use]
    pub fn connections(&self) -> usize {
        lock(&self.peers).len()
    }

    /// Connections whose script is still running.
    #[must_use]
    pub fn open(&self) -> usize {
        self.log.open.load(Ordering::SeqCst)
    }

    /// Bytes the kernel took from the scripts, before TLS.
    #[must_use]
    pub fn written(&self) -> u64 {
        self.log.written.load(Ordering::SeqCst)
    }

    /// Bytes the scripts read, after TLS.
    #[must_use]
    pub fn received(&self) -> u64 {
        self.log.received.load(Ordering::SeqCst)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop.set();
        let _ = TcpStream::connect_timeout(&self.address, Duration::from_secs(1));
        self.threads.join();
    }
}

/// Counts a connection out, whatever its script did.
struct Open(Arc<Log>, Arc<Stop>, SocketAddr);

impl Drop for Open {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, Ordering::SeqCst);
    }
}

fn saying(bytes: impl Into<Vec<u8>>) -> impl Fn(usize, Connection) + Send + Sync + 'static {
    let bytes = bytes.into();
    move |_, mut stream| {
        stream.head();
        stream.say(&bytes);
        stream.close();
    }
}
