//! A scripted byte server, plain or TLS: any bytes at any pace. The script gets the number of the connection, from 0,
//! and the connection, of which nothing was read yet.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rustls::{HandshakeKind, ServerConfig, ServerConnection, StreamOwned};

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
        let _ = stream.write_all(&bytes);
        stream.close();
    }
}

#[derive(Debug)]
enum Stream {
    Plain(TcpStream),
    Tls(Box<StreamOwned<ServerConnection, TcpStream>>),
}

/// One connection of a [`Server`]. Dropping it closes the socket without a word; unread bytes make that a reset.
#[derive(Debug)]
pub struct Connection {
    stream: Stream,
    log: Arc<Log>,
    stop: Arc<Stop>,
    peer: SocketAddr,
}

impl Connection {
    fn open(mut stream: TcpStream, tls: Option<Arc<ServerConfig>>, open: &Open) -> Option<Self> {
        let stream = match tls {
            None => Stream::Plain(stream),
            Some(config) => {
                let mut session = ServerConnection::new(config).ok()?;
                while session.is_handshaking() {
                    if session.complete_io(&mut stream).is_err() {
                        // The alert that says why.
                        let _ = session.write_tls(&mut stream);
                        open.1.forget(open.2);
                        return None;
                    }
                }
                Stream::Tls(Box::new(StreamOwned::new(session, stream)))
            }
        };
        Some(Self { stream, log: Arc::clone(&open.0), stop: Arc::clone(&open.1), peer: open.2 })
    }

    /// The socket, below TLS.
    #[must_use]
    pub fn socket(&self) -> &TcpStream {
        match &self.stream {
            Stream::Plain(stream) => stream,
            Stream::Tls(stream) => &stream.sock,
        }
    }

    /// The name the client asked for in its TLS handshake.
    #[must_use]
    pub fn server_name(&self) -> Option<&str> {
        match &self.stream {
            Stream::Plain(_) => None,
            Stream::Tls(stream) => stream.conn.server_name(),
        }
    }

    /// Whether the TLS handshake continued an earlier session instead of showing the certificate.
    #[must_use]
    pub fn resumed(&self) -> bool {
        match &self.stream {
            Stream::Plain(_) => false,
            Stream::Tls(stream) => stream.conn.handshake_kind() == Some(HandshakeKind::Resumed),
        }
    }

    /// Reads a request head, and returns it.
    pub fn head(&mut self) -> String {
        let head = head(self);
        if !head.is_empty() {
            lock(&self.log.heads).push(head.clone());
        }
        head
    }

    /// Waits until something has come, and leaves it unread: closing is a reset from then on.
    pub fn await_request(&mut self) {
        let _ = self.socket().peek(&mut [0u8; 1]);
    }

    /// Writes as long as the other side takes it; true when it took all.
    pub fn say(&mut self, bytes: impl AsRef<[u8]>) -> bool {
        self.write_all(bytes.as_ref()).and_then(|()| self.flush()).is_ok()
    }

    /// Writes the same bytes again and again until the other side is gone.
    pub fn say_for_ever(&mut self, bytes: impl AsRef<[u8]>) {
        while self.say(&bytes) {}
    }

    /// Writes byte by byte, `pace` apart, until the other side is gone.
    pub fn drip(&mut self, bytes: impl AsRef<[u8]>, pace: Duration) {
        for byte in bytes.as_ref() {
            if !self.say([*byte]) || !self.pause(pace) {
                return;
            }
        }
    }

    /// Waits, less when the server is dropped. False: it was.
    pub fn pause(&self, time: Duration) -> bool {
        self.stop.pause(time)
    }

    /// Reads until the other side is gone: the connection stays open as long as the client wants it.
    pub fn hold(&mut self) {
        hold(self);
    }

    /// Keeps the connection open and reads nothing, until the server is dropped or `time` is over.
    pub fn ignore(&self, time: Duration) {
        self.stop.pause(time);
    }

    /// Ends an answer in good order: `close_notify` where there is TLS, then FIN.
    pub fn close(mut self) {
        if let Stream::Tls(stream) = &mut self.stream {
            stream.conn.send_close_notify();
            let _ = stream.flush();
        }
        let _ = self.socket().shutdown(Shutdown::Write);
    }

    /// FIN in both directions at once, without `close_notify`.
    pub fn cut(self) {
        let _ = self.socket().shutdown(Shutdown::Both);
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.stop.forget(self.peer);
    }
}

impl Read for Connection {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = match &mut self.stream {
            Stream::Plain(stream) => stream.read(buffer),
            Stream::Tls(stream) => stream.read(buffer),
        }?;
        self.log.received.fetch_add(count as u64, Ordering::SeqCst);
        Ok(count)
    }
}

impl Write for Connection {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = match &mut self.stream {
            Stream::Plain(stream) => stream.write(bytes),
            Stream::Tls(stream) => stream.write(bytes),
        }?;
        self.log.written.fetch_add(count as u64, Ordering::SeqCst);
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        match &mut self.stream {
            Stream::Plain(stream) => stream.flush(),
            Stream::Tls(stream) => stream.flush(),
        }
    }
}

/// Reads a request head, and returns it; less when the connection ends before.
pub fn head(stream: &mut impl Read) -> String {
    let mut bytes = Vec::new();
    let mut byte = [0u8; 1];
    while !bytes.ends_with(b"\r\n\r\n") && matches!(stream.read(&mut byte), Ok(1)) {
        bytes.push(byte[0]);
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Reads until the other side is gone.
pub fn hold(stream: &mut impl Read) {
    let mut buffer = [0u8; 1024];
    while matches!(stream.read(&mut buffer), Ok(count) if count > 0) {}
}
